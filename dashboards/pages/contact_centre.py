"""The contact centre: when calls come and are answered, how long people wait, who gives up, and what handling takes."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import polars as pl
from dash import html

from dashboards.components.chart import chart_panel
from dashboards.components.section import page_head, section
from dashboards.data import queries
from dashboards.figures.heat import week_figure
from dashboards.figures.slices import Slice, figure_height, slices_figure
from dashboards.pages import parts
from dashboards.pages.base import Page, PageContext

CARDS = (
    "calls_offered",
    "service_level",
    "average_speed_of_answer",
    "wait_p90",
    "abandonment_rate",
    "average_handle_time",
    "occupancy",
    "transfer_rate",
)
HEAT_HEIGHT = 260


def render(context: PageContext) -> html.Div:
    """The page."""
    t = context.t
    return html.Div(
        [
            page_head(t("page.contact_centre.title"), t("page.contact_centre.lead"), *parts.period_details(context)),
            section("headline", t("kpi.section"), parts.cards(context, CARDS)),
            section(
                "week",
                t("contact_centre.week"),
                html.Div(
                    [
                        _week(context, "queue_entries", t("contact_centre.load")),
                        _week(context, "service_level_by_queue_entry", t("contact_centre.level")),
                    ],
                    className="definition-top",
                ),
                lead=t("contact_centre.week_lead"),
            ),
            section(
                "level",
                t("contact_centre.service_level"),
                parts.panels(
                    *parts.trend_panels(context, ["service_level"]),
                    _variants(context, "service_level"),
                    parts.split_panel(context, "service_level", "queue"),
                    parts.split_panel(context, "service_level", "org_unit_id"),
                ),
                lead=t("contact_centre.service_level_lead"),
            ),
            section(
                "waits",
                t("contact_centre.waits"),
                parts.panels(
                    *parts.trend_panels(context, ["average_speed_of_answer", "wait_p90"]),
                    parts.split_panel(context, "average_speed_of_answer", "queue"),
                    _variants(context, "average_speed_of_answer"),
                ),
            ),
            section(
                "abandonment",
                t("contact_centre.abandonment"),
                parts.panels(
                    *parts.trend_panels(context, ["abandonment_rate"]),
                    _variants(context, "abandonment"),
                    parts.split_panel(context, "abandonment_rate", "queue"),
                    parts.split_panel(context, "abandonment_rate", "org_unit_id"),
                ),
            ),
            section(
                "handling",
                t("contact_centre.handling"),
                parts.panels(
                    *parts.trend_panels(context, ["average_handle_time", "occupancy"]),
                    parts.split_panel(context, "average_handle_time", "queue"),
                    parts.split_panel(context, "transfer_rate", "queue"),
                ),
            ),
        ]
    )


def _week(context: PageContext, name: str, title: str) -> html.Div:
    t = context.t
    key = f"week-{name}".replace("_", "-")
    found = queries.known_metrics(context.snapshot, [name])
    if not found:
        return parts.empty_panel(t, key, title, t("state.empty.no_metric"))
    metric = found[0]
    filters, unknown = metric.narrowed(context.filters(context.span))
    frame = queries.metric_week(context.snapshot, name, "half_hour", filters)
    remark = parts.not_narrowed(t, unknown)
    below: list[Any] = [html.P(remark, className="remark")] if remark else []
    if not frame.height:
        return parts.empty_panel(t, key, title, t("kpi.no_contacts"), below)
    return chart_panel(
        t,
        key,
        title,
        week_figure(t, frame, "half_hour", metric.unit, metric.direction),
        label=t("part.chart_label", name=title, period=t.period(context.span.start, context.span.end)),
        height=HEAT_HEIGHT,
        note=t("contact_centre.darker_is_worse" if metric.direction == "up" else "contact_centre.darker_is_more"),
        href=parts.definition_href(context, metric),
        below=below,
        metric=name,
        data=frame,
        rows_href=parts.rows_href(context, metric),
    )


def _variants(context: PageContext, family: str) -> html.Div | None:
    """What the other definitions of a family say about the same calls."""
    t = context.t
    members = [metric for metric in queries.all_metrics(context.snapshot) if metric.family == family]
    if len(members) < 2:
        return None
    found, ignored = queries.family_variants(context.snapshot, family, context.filters(context.span))
    infos = {metric.name: metric for metric in members}
    same = [one for one in found if one.metric.unit == members[0].unit]
    slices = [
        Slice(
            infos[one.metric.name].label(t), one.value.value, one.value.low, one.value.high, one.value.numerator,
            one.value.denominator, one.value.n, one.value.is_small_base, one.metric.is_default,
        )
        for one in same
    ]  # fmt: skip
    title = t("contact_centre.variants")
    remark = parts.not_narrowed(t, ignored)
    texts = [remark] if remark else []
    texts.insert(0, t("contact_centre.marked", name=members[0].label(t)))
    return chart_panel(
        t,
        f"variants-{family}".replace("_", "-"),
        title,
        slices_figure(t, slices, members[0].unit, target=members[0].target),
        label=t("part.chart_label", name=title, period=t.period(context.span.start, context.span.end)),
        height=figure_height(len(slices)),
        href=parts.definition_href(context, members[0]),
        below=[
            *[html.P(text, className="remark") for text in texts],
            parts.as_table(
                t, parts.slice_table(t, slices, members[0].unit, t("column.definition"), members[0].has_parts)
            ),
        ],
        data=pl.DataFrame([asdict(one) for one in slices], infer_schema_length=None),
    )


PAGE = Page(key="contact_centre", path="/contact-centre", render=render)
