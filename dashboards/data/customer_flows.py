"""Where customers go: up and down the ladder and the tiers, away and back, and what was promised to them and received.

Belongs here: rows of the loyalty, tier and retention marts for a page. Does not belong here: lists of customers at risk (customer_lists)
and metrics (metrics). Flows of the ladder and tiers, effects and offers exist for the whole organisation alone: a limited reader has none.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl

from dashboards.data import intervals
from dashboards.data.metrics import Filters, metric_frame, row_conditions
from dashboards.data.snapshot import Snapshot

Rows = list[dict[str, Any]]


def _up_to(filters: Filters) -> Filters:
    """The slice by kind of customer alone, up to its last day."""
    return Filters(end=filters.end, customer_kinds=filters.customer_kinds, visible_units=filters.visible_units)


def churn_matrix(snapshot: Snapshot, filters: Filters) -> pl.DataFrame:
    """Departures by type and main cause.

    Returns:
        churn_type, main_cause, departures (null: too few to be told).
    """
    frame = metric_frame(
        snapshot, ["departures"], by=["churn_type", "main_cause"], filters=replace(filters, channels=())
    )
    return frame.select("churn_type", "main_cause", pl.col("value").alias("departures"))  # fmt: skip


def ladder_moves(snapshot: Snapshot, filters: Filters) -> Rows:
    """Who went from which rung to which in the newest complete quarter that ended by the last day of the slice.

    Args:
        filters: the last day and the kind of customer count.

    Returns:
        quarter_end, rung_before, rung, customers, monthly_fee.
    """
    where, values = row_conditions(_up_to(filters), ("customer_kind",), "quarter_end")
    return snapshot.rows(
        "select quarter_end, rung_before, rung, cast(sum(customers) as bigint) as customers, cast(sum(monthly_fee) as double) as monthly_fee"
        f" from main.fct_loyalty_moves{where} group by quarter_end, rung_before, rung qualify quarter_end = max(quarter_end) over () order by rung_before, rung",
        values,
    )


def ladder_dwell(snapshot: Snapshot) -> Rows:
    """How long customers stay on a rung: share still there after each quarter, with its interval."""
    return snapshot.rows(
        "select rung, quarters, at_risk, still_there, still_there_low, still_there_high, median_quarters, is_small_base from fct_loyalty_dwell"
        " where still_there is not null order by rung, quarters"
    )


def loyalty_effects(snapshot: Snapshot) -> Rows:
    """What 10 points more of satisfaction go along with in the next quarter, by outcome and segment."""
    return snapshot.rows(
        "select outcome, segment_kind, segment, pairs, customers, effect, effect_low, effect_high, raw_effect, reason, as_of"
        " from fct_loyalty_effects order by outcome, segment_kind, segment"
    )


def inertia_watch(snapshot: Snapshot, filters: Filters, *, limit: int) -> tuple[Rows, int]:
    """Customers who stay without liking us, those first whom nothing will hold soonest, then by their fee.

    Args:
        filters: unit and kind count; the days do not, it is the state of the last day of the data.
        limit: rows at most.

    Returns:
        Rows (customer_key, customer_kind, org_unit_id, attitude, behaviour, monthly_fee, held_by, held_until, days_until_released,
        churn_probability, quarter_end) and how many there are in all.
    """
    where, values = row_conditions(
        replace(filters, start=None, end=None, channels=(), product_lines=()),
        ("org_unit_id", "customer_kind"),
        "quarter_end",
    )
    rows = snapshot.rows(
        "select l.customer_key, l.customer_kind, l.org_unit_id, l.attitude, l.behaviour, cast(l.monthly_fee as double) as monthly_fee, l.held_by,"
        " l.held_until, l.days_until_released, l.quarter_end, r.churn_probability, count(*) over () as total"
        f" from (select * from main.fct_customer_loyalty{where} and is_current and loyalty_quadrant = 'spurious') as l"
        " left join main.fct_customer_risk as r on l.customer_key = r.customer_key"
        " order by l.held_by = 'habit' desc, l.days_until_released nulls last, l.monthly_fee desc nulls last, l.customer_key limit ?",
        [*values, limit],
    )  # fmt: skip
    return rows, rows[0]["total"] if rows else 0


def tier_schemes(snapshot: Snapshot) -> Rows:
    """The schemes that grade customers, the default one first."""
    return snapshot.rows(
        "select scheme, bool_or(is_default_scheme) as is_default_scheme from fct_tier_movements group by scheme"
        " order by is_default_scheme desc, scheme"
    )


def tier_moves(snapshot: Snapshot, filters: Filters, scheme: str) -> Rows:
    """Who went from which grade to which at the newest evaluation by the last day of the slice.

    Args:
        filters: the last day and the kind of customer count.

    Returns:
        evaluated_month, previous_grade (none = had no grade), grade, grade_rank, tier_move, customers, held_customers, value_amount.
    """
    where, values = row_conditions(_up_to(filters), ("customer_kind",), "evaluated_on")
    return snapshot.rows(
        "select evaluated_month, previous_grade, grade, grade_rank, tier_move, cast(sum(customers) as bigint) as customers,"
        " cast(sum(held_customers) as bigint) as held_customers, cast(sum(value_amount) as double) as value_amount"
        f" from main.fct_tier_movements{where} and scheme = ? group by evaluated_month, previous_grade, grade, grade_rank, tier_move qualify evaluated_month = max(evaluated_month) over ()"
        " order by grade_rank, previous_grade, tier_move",
        [*values, scheme],
    )


def tier_lines(snapshot: Snapshot, filters: Filters, scheme: str) -> Rows:
    """The amounts that it takes to enter each grade and to keep it, at the newest evaluation by the last day of the slice."""
    where, values = row_conditions(Filters(end=filters.end), (), "evaluated_month")
    return snapshot.rows(
        "select evaluated_month, grade, grade_rank, basis, window_months, cut_kind, evaluation_state, cast(enter_amount as double) as enter_amount,"
        f" cast(keep_amount as double) as keep_amount from main.fct_tier_lines{where} and scheme = ?"
        " qualify evaluated_month = max(evaluated_month) over () order by grade_rank",
        [*values, scheme],
    )


def standards_received(snapshot: Snapshot, filters: Filters) -> Rows:
    """What each tier was promised and what it received, over the months of the slice.

    Args:
        filters: months that begin on its days count.

    Returns:
        standard, grade, base_grade, promised (smallest and largest of the months), judged_cases, kept_cases, attainment with its
        Wilson interval, median_received of the newest month, newest_month; empty base: attainment null.
    """
    where, values = row_conditions(Filters(start=filters.start, end=filters.end), (), "received_month")
    rows = snapshot.rows(
        "select standard, grade, any_value(base_grade) as base_grade, min(promised) as promised_least, max(promised) as promised_most,"
        " cast(sum(judged_cases) as bigint) as judged_cases, cast(sum(kept_cases) as bigint) as kept_cases,"
        " arg_max(median_received, received_month) as median_received, max(received_month) as newest_month"
        f" from main.fct_tier_standards{where} group by standard, grade order by standard, grade",
        values,
    )
    for row in rows:
        judged, kept = row["judged_cases"] or 0, row["kept_cases"] or 0
        bounds = intervals.wilson(kept, judged) if judged else None
        row |= {
            "attainment": kept / judged if judged else None,
            "attainment_low": bounds[0] if bounds else None,
            "attainment_high": bounds[1] if bounds else None,
        }
    return rows


def action_effects(snapshot: Snapshot) -> Rows:
    """What each kind of action did against those held out, all campaigns together."""
    return snapshot.rows(
        "select action_kind, goal, horizon, campaigns, treated, treated_share, held_out, held_out_share, uplift, uplift_low, uplift_high,"
        " cast(cost_amount as double) as cost_amount, cost_per_save, cost_per_save_low, cost_per_save_high, reason, is_small_base, is_final"
        " from fct_retention_effects where class_kind = 'all' and campaign_id = 'all' order by goal, action_kind, horizon desc"
    )


def keeping_and_winning(snapshot: Snapshot) -> Rows:
    """What it costs to keep a customer beside what it costs to win one, all years together."""
    return snapshot.rows(
        "select action_kind, goal, treated, cast(keeping_cost as double) as keeping_cost, cost_per_customer, cost_per_save, cost_per_save_low,"
        " cost_per_save_high, cost_per_new, keeping_to_winning, keeping_to_winning_low, keeping_to_winning_high, a_fifth, reason, is_small_base,"
        " is_final, first_offered_on from fct_keeping_and_winning where period = 'all' order by goal, action_kind"
    )
