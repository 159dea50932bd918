"""Quality reviews, a tab of the contact centre: coverage, scores, agreement of reviewers, weak items, training plan and its effect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl
from dash import html

from dashboards.components import states
from dashboards.components.chart import as_table, chart_panel, plain_table
from dashboards.components.grid import Column, data_grid
from dashboards.components.section import section
from dashboards.data import contact_centre
from dashboards.data.customers import Words
from dashboards.figures.ranges import Range, ranges_figure, ranges_height
from dashboards.i18n import EMPTY
from dashboards.pages import parts
from dashboards.pages.base import PageContext

CARDS = (
    "quality_score",
    "quality_reviews",
    "fatal_error_rate",
    "weak_item_share",
    "agents_at_review_minimum",
    "agents_at_review_target",
    "reviewed_contact_share",
)
ITEMS = ("wording", "attitude", "tone", "grasp", "adaptability")
AGREEMENT = ("kappa", "ac1", "percent_agreement")
"""Statistics of the verdict that are read together."""
_TONES = {
    "cell-bad": "params.data.tone == 'bad'",
    "cell-warn": "params.data.tone == 'warn'",
    "cell-good": "params.data.tone == 'good'",
}


def tab(context: PageContext) -> list[Any]:
    """The sections of the tab."""
    t = context.t
    return [
        section("headline", t("kpi.section"), parts.cards(context, CARDS)),
        section("scores", t("quality.scores"), parts.panels(
            *parts.trend_panels(context, ["quality_score"]),
            parts.split_panel(context, "quality_item_score", "item"),
            parts.split_panel(context, "weak_item_share", "item"),
            parts.split_panel(context, "quality_score", "contact_kind"),
        )),
        section("sheet", t("quality.sheet"), *_sheet(context), lead=t("quality.sheet_lead")),
        section("coverage", t("quality.coverage"), parts.panels(
            *parts.trend_panels(context, ["agents_at_review_minimum", "agents_at_review_target"]),
        ), *_coverage(context), lead=t("quality.coverage_lead")),
        section("agreement", t("quality.agreement"), *_agreement(context), lead=t("quality.agreement_lead")),
        section("weak", t("quality.weak"), *_weak(context), lead=t("quality.weak_lead")),
        section("training", t("quality.training"), *_needs(context), html.Div(_effects(context), className="list-after"), lead=t("quality.training_lead")),
    ]  # fmt: skip


def _percent(value: float | None) -> float | None:
    return None if value is None else 100 * value


def _sheet(context: PageContext) -> list[Any]:
    """The newest settled month, one row an agent."""
    t = context.t
    rows = contact_centre.quality_sheet(context.snapshot, context.filters(context.span))
    if not rows:
        return [states.empty(t, t("quality.no_month"))]
    words = Words(context.snapshot, t)
    shown = [
        {
            "agent": row["agent_id"],
            "unit": words("org_unit_id", row["org_unit_id"]),
            "place": t("contact_centre.no_place")
            if row["best_place"] is None
            else t("contact_centre.from_to", best=t.integer(row["best_place"]), worst=t.integer(row["worst_place"])),
            "reviews": row["reviews"],
            "score": _percent(row["score"]),
            "low": _percent(row["low"]),
            "high": _percent(row["high"]),
            "fatal": row["fatal_errors"],
            "contacts": row["contacts_handled"],
            "csat": _percent(row["csat_top2"]),
            "answers": row["csat_answers"],
        }
        for row in rows
    ]
    columns = [
        Column("agent", parts.heading(parts.dimension_name(t, "agent_id")), width=110),
        Column("unit", t("filter.unit"), width=170),
        Column("place", t("contact_centre.place"), width=120),
        Column("score", t("quality.score"), "number", width=120),
        Column("low", t("contact_centre.low"), "number", width=130),
        Column("high", t("contact_centre.high"), "number", width=130),
        Column("reviews", t("quality.reviews"), "number", width=110),
        Column("fatal", t("quality.fatal"), "number", width=130),
        Column("contacts", t("quality.contacts"), "number", width=120),
        Column("csat", t("quality.csat"), "number", width=150),
        Column("answers", t("quality.answers"), "number", width=110),
    ]
    note = t(
        "quality.sheet_note",
        month=t.month(rows[0]["month_on"]),
        score=t.percent(rows[0]["company_score"]),
        ranked=t.integer(rows[0]["ranked_agents"]),
    )
    return [
        data_grid(t, "quality-sheet", columns, shown, label=t("quality.sheet"), height_rows=12),
        html.P(note, className="lead"),
    ]


def _coverage(context: PageContext) -> list[Any]:
    """Agents by month: reviewed contacts beside the least and the wanted number."""
    t = context.t
    rows = contact_centre.review_coverage(context.snapshot, context.filters(context.span))
    heading = html.H3(t("quality.by_agent"), className="list-head")
    if not rows:
        return [heading, states.empty(t, t("state.empty.no_rows"))]
    words = Words(context.snapshot, t)

    def state(row: dict[str, Any]) -> tuple[str, str]:
        if row["is_at_target"]:
            return t("quality.at_target"), "good"
        if not row["is_settled"]:
            return t("quality.running"), ""
        if row["is_below_minimum"]:
            return t("quality.below_minimum"), "bad"
        return t("quality.below_target"), "warn"

    shown = []
    for row in rows:
        words_of_state, tone = state(row)
        shown.append(
            {
                "month": t.month(row["handled_month"]),
                "agent": row["agent_id"],
                "unit": words("org_unit_id", row["org_unit_id"]),
                "state": words_of_state,
                "tone": tone,
                "reviewed": row["contacts_reviewed"],
                "minimum": row["minimum"],
                "target": row["target"],
                "contacts": row["contacts_handled"],
                "fatal": row["fatal_errors"],
            }
        )
    columns = [
        Column("month", t("quality.month"), width=120),
        Column("agent", parts.heading(parts.dimension_name(t, "agent_id")), width=110),
        Column("unit", t("filter.unit"), width=170),
        Column("state", t("column.status"), class_rules=_TONES, width=170),
        Column("reviewed", t("quality.reviewed"), "number", width=120),
        Column("minimum", t("quality.minimum"), "number", width=110),
        Column("target", t("quality.target"), "number", width=110),
        Column("contacts", t("quality.contacts"), "number", width=120),
        Column("fatal", t("quality.fatal"), "number", width=130),
    ]
    return [heading, data_grid(t, "quality-coverage", columns, shown, label=t("quality.by_agent"), height_rows=12)]


def _agreement(context: PageContext) -> list[Any]:
    t = context.t
    rows = contact_centre.reviewer_agreement(context.snapshot, context.span.end)
    if not rows:
        return [states.empty(t, t("quality.no_agreement"))]
    words = Words(context.snapshot, t)
    together = [row for row in rows if row["reviewer_1"] == "all" and row["statistic"] in ("kappa", "ac1")]
    drawn = []
    for row in together:
        if row["value"] is None or row["low"] is None or row["high"] is None:
            continue
        name = f"{words('item', row['item'])} · {words('statistic', row['statistic'])}"
        lines = [
            f"<b>{name}</b>",
            f"{t('trend.value')}: {t.number(row['value'], 2)}",
            f"{t('trend.interval')}: {t('kpi.interval', low=t.number(row['low'], 2), high=t.number(row['high'], 2))}",
            f"{t('quality.both')}: {t.integer(row['contacts'])}",
        ]
        drawn.append(
            Range(
                f"{words('item', row['item'])} · {'κ' if row['statistic'] == 'kappa' else 'AC1'}",
                row["low"], row["high"], row["value"], "<br>".join(lines), row["statistic"] == "ac1",
            )
        )  # fmt: skip
    quarter = t.grain_label(rows[0]["period_on"], "quarter")
    title = t("quality.agreement_chart", quarter=quarter)
    picture = (
        chart_panel(
            t, "agreement-chart", title, ranges_figure(drawn, t("quality.coefficient")), label=title, height=ranges_height(drawn) + 10,
            below=[html.P(t("quality.agreement_note"), className="remark"), as_table(t, _agreement_table(context, together, words))],
            data=pl.DataFrame(together, infer_schema_length=None),
        )
        if drawn
        else parts.empty_panel(t, "agreement-chart", title, t("quality.no_agreement"))
    )  # fmt: skip
    by_pair: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        if row["item"] == "all" and row["statistic"] in AGREEMENT:
            pair = by_pair.setdefault(
                (row["reviewer_1"], row["reviewer_2"]),
                {
                    "pair": t("quality.all_pairs") if row["reviewer_1"] == "all" else f"{row['reviewer_1']} · {row['reviewer_2']}",
                    "contacts": row["contacts"],
                    "difference": None if row["mean_difference"] is None else 100 * row["mean_difference"],
                    "why": "",
                },
            )  # fmt: skip
            pair[row["statistic"]] = row["value"]
            if row["reason"] and not pair["why"]:
                pair["why"] = words("agreement_reason", row["reason"])
    columns = [
        Column("pair", t("quality.pair"), width=160),
        Column("contacts", t("quality.both"), "number", width=150),
        Column("kappa", t("quality.kappa"), "number", width=110),
        Column("ac1", t("quality.ac1"), "number", width=110),
        Column("percent_agreement", t("quality.share_agreed"), "number", width=140),
        Column("difference", t("quality.difference"), "number", width=190),
        Column("why", t("quality.why_none"), width=170),
    ]
    pairs = [
        {**row, "percent_agreement": _percent(row.get("percent_agreement")), "kappa": row.get("kappa"), "ac1": row.get("ac1")}
        for row in by_pair.values()
    ]  # fmt: skip
    return [
        html.Div(
            [
                picture,
                html.Div(
                    [
                        html.H3(t("quality.pairs")),
                        data_grid(t, "agreement-pairs", columns, pairs, label=t("quality.pairs"), height_rows=8),
                    ],
                    className="panel",
                ),
            ],
            className="definition-top",
        )
    ]


def _agreement_table(context: PageContext, rows: Sequence[dict[str, Any]], words: Words) -> html.Table:
    t = context.t
    return plain_table(
        [t("quality.item"), t("quality.statistic"), t("trend.value"), t("trend.interval_column"), t("quality.both"), t("quality.why_none")],
        [
            [
                words("item", row["item"]),
                words("statistic", row["statistic"]),
                t.number(row["value"], 2),
                EMPTY
                if row["low"] is None
                else t("kpi.interval", low=t.number(row["low"], 2), high=t.number(row["high"], 2)),
                t.integer(row["contacts"]),
                words("agreement_reason", row["reason"]) if row["reason"] else "",
            ]
            for row in rows
        ],
    )  # fmt: skip


def _weak(context: PageContext) -> list[Any]:
    t = context.t
    rows = contact_centre.weak_items(context.snapshot, context.filters(context.span))
    if not rows:
        return [states.empty(t, t("quality.nothing_weak"))]
    words = Words(context.snapshot, t)
    shown = [
        {
            "agent": row["agent_id"],
            "unit": words("org_unit_id", row["org_unit_id"]),
            "item": words("item", row["item"]),
            "state": words("item_state", row["item_state"]),
            "tone": "bad" if row["item_state"] == "weak" else "warn",
            "score": _percent(row["score"]),
            "low": _percent(row["low"]),
            "high": _percent(row["high"]),
            "below": _percent(row["weak_below"]),
            "reviews": row["reviews"],
        }
        for row in rows
    ]
    columns = [
        Column("agent", parts.heading(parts.dimension_name(t, "agent_id")), width=110),
        Column("unit", t("filter.unit"), width=170),
        Column("item", t("quality.item"), width=180),
        Column("state", t("column.status"), class_rules=_TONES, width=160),
        Column("score", t("quality.score"), "number", width=120),
        Column("low", t("contact_centre.low"), "number", width=130),
        Column("high", t("contact_centre.high"), "number", width=130),
        Column("below", t("quality.weak_below"), "number", width=150),
        Column("reviews", t("quality.reviews"), "number", width=110),
    ]
    return [
        data_grid(t, "quality-weak", columns, shown, label=t("quality.weak"), height_rows=8),
        html.P(t("quality.week_note", day=t.date(rows[0]["week_on"])), className="lead"),
    ]


def _needs(context: PageContext) -> list[Any]:
    t = context.t
    rows = contact_centre.training_needs(context.snapshot, context.filters(context.span))
    heading = html.H3(t("quality.plan"), className="list-head")
    if not rows:
        return [heading, states.empty(t, t("quality.nobody_to_train"))]
    words = Words(context.snapshot, t)
    shown = [
        {
            "priority": row["priority"],
            "team": words("org_unit_id", row["team_id"]),
            "item": words("item", row["item"]),
            "weak": row["agents_weak"],
            "suspected": row["agents_suspected"],
            "judged": row["agents_judged"],
            "shortfall": _percent(row["shortfall"]),
            "who": row["weak_agents"] or "",
            "perhaps": row["suspected_agents"] or "",
        }
        for row in rows
    ]
    columns = [
        Column("priority", t("quality.priority"), "number", width=100),
        Column("team", t("quality.team"), width=170),
        Column("item", t("quality.item"), width=180),
        Column("weak", t("quality.agents_weak"), "number", width=110),
        Column("suspected", t("quality.agents_suspected"), "number", width=140),
        Column("judged", t("quality.agents_judged"), "number", width=140),
        Column("shortfall", t("quality.shortfall"), "number", width=190),
        Column("who", t("quality.who"), "long", width=170),
        Column("perhaps", t("quality.perhaps"), "long", width=170),
    ]
    return [heading, data_grid(t, "quality-plan", columns, shown, label=t("quality.plan"), height_rows=8)]


def _effects(context: PageContext) -> list[Any]:
    t = context.t
    rows = contact_centre.training_effects(context.snapshot)
    title = t("quality.effects")
    if not rows:
        return [parts.empty_panel(t, "training-effects", title, t("quality.no_training"))]
    words = Words(context.snapshot, t)
    drawn, cells = [], []
    for row in rows:
        name = f"{row['improvement_action_id']} · {words('item', row['item'])}"
        adjusted = row["adjusted_effect"] is not None and row["adjusted_low"] is not None
        value, low, high = (
            (row["adjusted_effect"], row["adjusted_low"], row["adjusted_high"])
            if adjusted
            else (row["effect"], row["effect_low"], row["effect_high"])
        )
        state = (
            words("training_reason", row["reason"])
            if row["reason"]
            else t("quality.final" if row["is_final"] else "quality.not_final")
        )
        if value is not None and low is not None and high is not None:
            lines = [
                f"<b>{name}</b>",
                words("org_unit_id", row["org_unit_id"]),
                f"{t('quality.effect')}: {_points(context, value)}",
                f"{t('trend.interval')}: {t('kpi.interval', low=_points(context, low), high=_points(context, high))}",
                t(
                    "quality.compared",
                    trained=t.integer(row["agents_trained"]),
                    others=t.integer(row["agents_control"]),
                ),
                state,
            ]
            drawn.append(Range(name, 100 * low, 100 * high, 100 * value, "<br>".join(lines), low > 0))
        cells.append(
            [
                name,
                words("org_unit_id", row["org_unit_id"]),
                t.date(row["started_on"]),
                f"{t.integer(row['agents_trained'])} / {t.integer(row['agents_control'])}",
                f"{t.percent(row['trained_before'])} → {t.percent(row['trained_after'])}",
                f"{t.percent(row['control_before'])} → {t.percent(row['control_after'])}",
                _points(context, row["effect"]),
                _points(context, row["adjusted_effect"]),
                EMPTY if low is None else t("kpi.interval", low=_points(context, low), high=_points(context, high)),
                state,
            ]
        )
    table = plain_table(
        [
            t("quality.action"), t("filter.unit"), t("quality.since"), t("quality.agents_both"), t("quality.trained"), t("quality.others"),
            t("quality.effect_plain"), t("quality.effect"), t("trend.interval_column"), t("column.status"),
        ],
        cells,
    )  # fmt: skip
    scrolled = html.Div(table, className="table-scroll", tabIndex=0)
    if not drawn:
        return [html.Div([html.H3(title, id="training-effects"), scrolled], className="panel")]
    return [
        chart_panel(
            t, "training-effects", title, ranges_figure(drawn, t("quality.points_axis"), line=0.0), label=title, height=ranges_height(drawn),
            below=[html.P(t("quality.effects_note"), className="remark"), scrolled], data=pl.DataFrame(rows, infer_schema_length=None),
        )
    ]  # fmt: skip


def _points(context: PageContext, value: float | None) -> str:
    return EMPTY if value is None else context.t("unit.points_change", value=context.t.signed(100 * value))
