"""What stands behind the satisfaction numbers: ways to measure and how they agree, the index model, who answers and how, comments.

Belongs here: rows of the satisfaction marts for a page. Does not belong here: metrics (metrics) and importance and drivers (queries).
What is computed over the whole organisation (index, modes, representation, agreement) follows no filter; a limited reader has no rows of it.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from dashboards.data.metrics import Filters, metric_frame, row_conditions
from dashboards.data.small_cells import hidden_cells
from dashboards.data.snapshot import Snapshot

Rows = list[dict[str, Any]]

JUDGEMENTS = ("unhappy", "between", "happy", "no_score")


def method_agreement(snapshot: Snapshot) -> Rows:
    """Scores and ranks of the provinces by each way to measure, year by year, with Kendall's W of the year.

    Returns:
        year_begin, org_unit_id, method, judgements, score_100, score_rank, provinces, methods, concordance, disagreement; newest year
        first. A limited reader sees the scores of their own provinces only, and neither ranks nor W, which are about all.
    """
    rows = snapshot.rows(
        "select year_begin, org_unit_id, method, judgements, score_100, score_rank, rank_disagreement, provinces, methods, concordance,"
        " disagreement from fct_method_disagreement order by year_begin desc, org_unit_id, method"
    )
    if snapshot.viewer.is_limited:
        hidden = hidden_cells(
            {(row["year_begin"], row["org_unit_id"], row["method"]): row["judgements"] for row in rows}
        )
        about_all = dict.fromkeys(
            ("score_rank", "rank_disagreement", "provinces", "methods", "concordance", "disagreement")
        )
        rows = [
            {**row, **about_all} for row in rows if (row["year_begin"], row["org_unit_id"], row["method"]) not in hidden
        ]
    return rows


def index_changes(snapshot: Snapshot) -> Rows:
    """What the newest wave of each index model changed: level + weight + mix, by weighting and dimension of the mix."""
    return snapshot.rows(
        "select model, period, previous_period, latent_variable, weighting, mix_dimension, index_before, index_after, index_change,"
        " index_change_low, index_change_high, level_effect, weight_effect, mix_effect, respondents_before, respondents_after, is_small_base"
        " from fct_index_changes where index_change is not null"
        " qualify first_day = max(first_day) over (partition by model) order by model, weighting, mix_dimension, latent_variable"
    )


def index_figures(snapshot: Snapshot) -> Rows:
    """Paths, effects and explained shares of the newest estimate of each index model, with bootstrap intervals."""
    return snapshot.rows(
        "select model, period, figure, latent_variable, antecedent, figure_value, low, high, respondents, as_of from fct_index_paths"
        " where figure in ('path', 'total_effect', 'r_squared') and figure_value is not null"
        " qualify period = max(period) over (partition by model) order by model, figure, antecedent, latent_variable"
    )


def published_indices(snapshot: Snapshot) -> Rows:
    """The own index beside published ones: of each product the newest period. A figure printed without its last digits has bounds only."""
    return snapshot.rows(
        "select model, period, product_line, entity, own_index, own_low, own_high, own_respondents, is_small_base, published_period,"
        " published_value, lower_bound, upper_bound, value_note, years_apart, standing from fct_index_comparison"
        " qualify period = max(period) over (partition by product_line)"
        " order by product_line, coalesce(published_value, upper_bound) desc, entity"
    )


def mode_effects(snapshot: Snapshot) -> Rows:
    """How much higher or lower people answer in each mode than in the one compared with, other things being equal."""
    return snapshot.rows(
        "select survey_id, question_role, mode, reference_mode, answers, mean_score, raw_difference, effect, effect_low, effect_high, as_of"
        " from fct_survey_mode_effects order by survey_id, question_role, mode"
    )


def representation(snapshot: Snapshot, filters: Filters) -> Rows:
    """Groups among those asked, those who answered, and the answers as weighted.

    Args:
        filters: the last day counts: of each survey the newest period that began by then.

    Returns:
        survey_id, period, fact, fact_value, invited, answered, response_rate, share_of_invited, share_of_answered, share_of_weighted,
        difference_points, sent_month; without facts that have one value, which tell of nobody.
    """
    where, values = row_conditions(Filters(end=filters.end), (), "sent_month")
    return snapshot.rows(
        "select survey_id, period, fact, fact_value, invited, answered, response_rate, share_of_invited, share_of_answered,"
        f" share_of_weighted, difference_points, sent_month from main.fct_survey_representation{where}"
        " qualify sent_month = max(sent_month) over (partition by survey_id)"
        " and count(*) over (partition by survey_id, period, fact) > 1 order by survey_id, fact, share_of_invited desc, fact_value",
        values,
    )


def silent(snapshot: Snapshot, filters: Filters) -> Rows:
    """What those who did not answer would have said: expected with its interval, and at worst and at best.

    Args:
        filters: the last day counts, as in `representation`.
    """
    where, values = row_conditions(Filters(end=filters.end), (), "sent_month")
    return snapshot.rows(
        "select survey_id, period, metric, invited, silent, answers, answered_value, population_value, silent_value, silent_low, silent_high,"
        f" population_lowest, population_highest, sent_month from main.fct_survey_silent{where}"
        " qualify sent_month = max(sent_month) over (partition by survey_id, metric) order by survey_id, metric",
        values,
    )


def comment_points(snapshot: Snapshot, filters: Filters, grain: str) -> pl.DataFrame:
    """What the comments behind each point of a course speak of.

    Returns:
        metric_time, comment_topic, mentions (null: too few to be told), newest period first, most mentioned first.
    """
    frame = metric_frame(snapshot, ["comment_mentions"], by=["comment_topic"], grain=grain, filters=filters)
    return frame.select("metric_time", "comment_topic", pl.col("value").alias("mentions")).sort(
        ["metric_time", "mentions", "comment_topic"], descending=[True, True, False], nulls_last=True
    )


def comments(snapshot: Snapshot, filters: Filters, *, limit: int) -> tuple[Rows, int]:
    """The newest answers with a comment, what they are about and what the comment speaks of. No snapshot has their text.

    Returns:
        Rows (responded_on, survey_id, customer_key, org_unit_id, channel, product_line, judgement, topics) and how many there are in all.
        `judgement` by the satisfaction or recommendation of the same answer: happy (satisfied, promoter), unhappy (not satisfied,
        detractor), between (neither promoter nor detractor), no_score (it has neither question).
    """
    where, values = row_conditions(filters, ("org_unit_id", "channel", "product_line", "customer_kind"), "responded_on")
    rows = snapshot.rows(
        "select any_value(responded_on) as responded_on, any_value(responded_at) as responded_at, any_value(survey_id) as survey_id,"
        " any_value(customer_key) as customer_key, any_value(org_unit_id) as org_unit_id, any_value(channel) as channel,"
        " any_value(product_line) as product_line, list(comment_topic order by topic_rank, comment_topic) as topics,"
        " case when max(csat_answers) > 0 and max(csat_satisfied) > 0 or max(nps_promoters) > 0 then 'happy'"
        " when max(csat_answers) > 0 or max(nps_detractors) > 0 then 'unhappy' when max(nps_answers) > 0 then 'between'"
        " else 'no_score' end as judgement,"
        f" count(*) over () as total from main.fct_comment_topics{where} group by source, response_id"
        " order by responded_at desc, source, response_id limit ?",
        [*values, limit],
    )
    return rows, rows[0]["total"] if rows else 0
