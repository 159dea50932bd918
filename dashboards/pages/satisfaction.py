"""How satisfied customers are, how sure that is, who answers, and what satisfaction hangs on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl
from dash import html

from dashboards.components import states
from dashboards.components.chart import as_table, chart_panel, plain_table
from dashboards.components.section import section
from dashboards.data import queries
from dashboards.figures.quadrant import Item, quadrant_figure
from dashboards.figures.slices import Slice, figure_height, slices_figure
from dashboards.i18n import Translator
from dashboards.pages import parts
from dashboards.pages import satisfaction_panels as panels
from dashboards.pages.base import Page, PageContext
from dashboards.state import Span

CARDS = (
    "csat_top2",
    "csat_mean",
    "nps",
    "ces",
    "survey_response_rate",
    "csat_bottom2",
    "fcr_said_by_customers",
    "survey_responses",
)
INDICATORS = (
    "awareness",
    "reputation",
    "reputation_of_aware",
    "return_rate",
    "complaint_rate_of_customers",
    "selling_power",
)
QUADRANT_HEIGHT = 340


PATH = "/satisfaction"


def render(context: PageContext) -> html.Div:
    """The page with the tab that the address asks for."""
    return parts.tabbed_page(context, "satisfaction", PATH, TABS, details=parts.period_details(context))


def _trends(context: PageContext) -> list[Any]:
    t = context.t
    raw_and_weighted = (t("satisfaction.raw"), t("satisfaction.weighted"))
    pairs = [
        parts.pair_panel(context, names, t(f"satisfaction.{key}"), raw_and_weighted, f"pair-{key}")
        for key, names in (
            ("csat", ("csat_top2", "csat_top2_weighted")),
            ("nps", ("nps", "nps_weighted")),
            ("ces", ("ces", "ces_weighted")),
        )
    ]
    return [
        section("headline", t("kpi.section"), parts.cards(context, CARDS)),
        section("courses", t("satisfaction.courses"), parts.panels(*pairs, panels.waves(context, "nps")), lead=t("satisfaction.courses_lead")),
        section(
            "where",
            t("satisfaction.where"),
            parts.panels(
                parts.split_panel(context, "csat_top2", "channel"),
                parts.split_panel(context, "csat_top2", "customer_kind"),
                parts.split_panel(context, "csat_top2", "product_line"),
                parts.split_panel(context, "csat_top2", "touch_point"),
                parts.split_panel(context, "csat_top2", "org_unit_id"),
                parts.split_panel(context, "nps", "org_unit_id"),
            ),
        ),
        section("comments", t("satisfaction.comments"), *panels.comments(context), lead=t("satisfaction.comments_lead")),
    ]  # fmt: skip


def _who(context: PageContext) -> list[Any]:
    t = context.t
    return [
        section(
            "who",
            t("satisfaction.who"),
            parts.panels(
                *parts.trend_panels(context, ["survey_response_rate"]),
                parts.split_panel(context, "survey_response_rate", "channel"),
                parts.split_panel(context, "survey_response_rate", "customer_kind"),
                parts.split_panel(context, "survey_responses", "weight_state"),
            ),
            lead=t("satisfaction.who_lead"),
        ),
        section("groups", t("satisfaction.groups"), *panels.groups(context), lead=t("satisfaction.groups_lead")),
        section("silent", t("satisfaction.silent"), *panels.silent(context), lead=t("satisfaction.silent_lead")),
        section("modes", t("satisfaction.modes"), *panels.modes(context), lead=t("satisfaction.modes_lead")),
    ]


def _quality(context: PageContext) -> list[Any]:
    t = context.t
    return [
        section("indicators", t("satisfaction.indicators"), *panels.indicators(context, INDICATORS), lead=t("satisfaction.indicators_lead")),
        section("quality", t("satisfaction.quality"), *panels.quality(context), lead=t("satisfaction.quality_lead")),
    ]  # fmt: skip


def _what_matters(context: PageContext) -> list[Any]:
    t = context.t
    return [
        section("importance", t("satisfaction.importance"), *_importance(context), lead=t("satisfaction.importance_lead")),
        section("drivers", t("satisfaction.drivers"), *_drivers(context), lead=t("satisfaction.drivers_lead")),
    ]  # fmt: skip


def _methods_and_index(context: PageContext) -> list[Any]:
    t = context.t
    return [
        section("methods", t("satisfaction.methods"), *panels.methods(context), lead=t("satisfaction.methods_lead")),
        section("index", t("satisfaction.index"), *_index(context), lead=t("satisfaction.index_lead")),
    ]


def _importance(context: PageContext) -> list[Any]:
    t = context.t
    rows = queries.importance_performance(context.snapshot)
    if not rows:
        return [html.Div(states.empty(t, t("satisfaction.no_importance")), className="panel")]
    found = []
    labels = queries.value_labels(context.snapshot, "importance_kind", t.language)
    for survey in sorted({row["survey_id"] for row in rows}):
        items = [row for row in rows if row["survey_id"] == survey]
        first = items[0]
        shown = [
            Item(
                row["question_text"] or row["item"],
                row["performance"],
                row["importance"],
                row["quadrant"],
                _item_note(t, row),
            )
            for row in items
        ]
        table = plain_table(
            [t("satisfaction.number"), t("satisfaction.item"), t("quadrant.performance"), t("quadrant.importance"), t("trend.n"), t("satisfaction.quadrant"), t("satisfaction.certainty")],
            [
                [
                    str(place),
                    row["question_text"] or row["item"],
                    f"{t.number(row['performance'])} ({t('kpi.interval', low=t.number(row['performance_low']), high=t.number(row['performance_high']))})",
                    f"{t.number(row['importance'], 3)} ({t('kpi.interval', low=t.number(row['importance_low'], 3), high=t.number(row['importance_high'], 3))})",
                    t.integer(row["respondents"]),
                    t(f"quadrant.{row['quadrant']}"),
                    t.percent(row["quadrant_probability"], 0),
                ]
                for place, row in enumerate(items, 1)
            ],
            last_is_text=False,
        )  # fmt: skip
        period = t.period(first["period_start"], first["period_end"])
        kind = labels.get(first["importance_kind"], first["importance_kind"])
        found.append(
            chart_panel(
                t,
                f"importance-{survey}",
                t("satisfaction.survey", survey=survey),
                quadrant_figure(t, shown, first["performance_line"], first["importance_line"]),
                label=t("part.chart_label", name=t("satisfaction.importance"), period=period),
                height=QUADRANT_HEIGHT,
                note=t("satisfaction.importance_by", kind=kind),
                below=[html.P(t("satisfaction.fixed_period", period=period), className="remark"), as_table(t, table)],
                data=pl.DataFrame(items, infer_schema_length=None),
            )
        )
    return [parts.panels(*found)]


def _item_note(t: Translator, row: Mapping[str, Any]) -> str:
    return "<br>".join(
        [
            f"{t('quadrant.performance')}: {t.number(row['performance'])}",
            f"{t('quadrant.importance')}: {t.number(row['importance'], 3)}",
            f"{t('trend.n')}: {t.integer(row['respondents'])}",
            f"{t('satisfaction.quadrant')}: {t('quadrant.' + row['quadrant'])}, {t.percent(row['quadrant_probability'], 0)}",
        ]
    )


def _drivers(context: PageContext) -> list[Any]:
    t = context.t
    rows = queries.satisfaction_drivers(context.snapshot)
    if not rows:
        return [html.Div(states.empty(t, t("satisfaction.no_drivers")), className="panel")]
    populations = queries.value_labels(context.snapshot, "population", t.language)
    factors = queries.value_labels(context.snapshot, "factor", t.language)
    signs = queries.value_labels(context.snapshot, "effect_sign", t.language)
    found = []
    for population in sorted({row["population"] for row in rows}, key=("all", "after_calls", "after_tickets").index):
        mine = [row for row in rows if row["population"] == population]
        first = mine[0]
        slices = [
            Slice(
                factors.get(row["factor"], row["factor"]), row["share"], max(row["share_low"], 0.0), row["share_high"], None, None,
                row["answers_used"],
            )
            for row in mine
        ]  # fmt: skip
        period = t.period(first["period_start"], first["period_end"])
        table = plain_table(
            [t("satisfaction.factor"), t("satisfaction.share"), t("trend.interval_column"), t("satisfaction.effect")],
            [
                [
                    parts.value_name(t, factors, row["factor"]),
                    t.percent(row["share"]),
                    t("kpi.interval", low=t.percent(max(row["share_low"], 0.0)), high=t.percent(row["share_high"])),
                    parts.value_name(t, signs, row["effect_sign"]),
                ]
                for row in mine
            ],
        )
        name = populations.get(population, population)
        remark = t(
            "satisfaction.explained",
            share=t.percent(first["r_squared"]),
            n=t.integer(first["answers_used"]),
            period=period,
        )
        found.append(
            chart_panel(
                t,
                f"drivers-{population}",
                name,
                slices_figure(t, slices, "share", as_bars=True),
                label=t("part.chart_label", name=f"{t('satisfaction.drivers')}: {name}", period=period),
                height=figure_height(len(slices)),
                below=[html.P(remark, className="remark"), as_table(t, table)],
                data=pl.DataFrame(mine, infer_schema_length=None),
            )
        )
    return [parts.panels(*found)]


def _index(context: PageContext) -> list[Any]:
    t = context.t
    order = ("image", "expectation", "quality", "value", "satisfaction", "loyalty")
    periods = [period for period in queries.index_periods(context.snapshot) if period["first_day"] <= context.span.end]
    newest = periods[-1] if periods else None
    shown: list[Any] = [
        parts.panels(
            *parts.trend_panels(context, ["satisfaction_index"]),
            parts.split_panel(
                context,
                "index_score",
                "latent_variable",
                keep=order,
                title=t("satisfaction.index_parts", period=newest["period"] if newest else ""),
                where={"period": (newest["period"],)} if newest else None,
                span=Span(newest["first_day"], newest["last_day"]) if newest else None,
            ),
        )
    ]
    shown.append(html.Div(panels.index_panels(context), className="after"))
    return shown


TABS: dict[str, Callable[[PageContext], list[Any]]] = {
    "trends": _trends,
    "who": _who,
    "quality": _quality,
    "drivers": _what_matters,
    "index": _methods_and_index,
}

PAGE = Page(key="satisfaction", path=PATH, render=render)
