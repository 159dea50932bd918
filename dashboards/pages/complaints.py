"""Complaints: how many, how fast the stages are done, what comes back, whom they come from, what they are about."""

from __future__ import annotations

from typing import Any

import polars as pl
from dash import html

from dashboards.components.chart import as_table, chart_panel, plain_table
from dashboards.components.section import page_head, section
from dashboards.components.values import format_value
from dashboards.data import queries
from dashboards.figures.pareto import pareto_figure, pareto_rows
from dashboards.figures.slices import Slice, figure_height, slices_figure
from dashboards.i18n import EMPTY
from dashboards.pages import parts
from dashboards.pages.base import Page, PageContext

CARDS = (
    "complaint_case_count",
    "complaints_per_million_customers",
    "complaint_stage_kept_rate",
    "complaint_close_median",
    "complaint_closed_rate",
    "second_complaint_rate_30d",
    "repeat_complaint_rate_30d",
    "complaint_first_answer_median",
)
STAGES = ("accept", "dispatch", "first_answer", "close", "tell")
MOST_CAUSES = 10


def render(context: PageContext) -> html.Div:
    """The page."""
    t = context.t
    return html.Div(
        [
            page_head(t("page.complaints.title"), t("page.complaints.lead"), *parts.period_details(context)),
            section("headline", t("kpi.section"), parts.cards(context, CARDS)),
            section(
                "stages",
                t("complaints.stages"),
                parts.panels(
                    _funnel(context),
                    parts.split_panel(
                        context,
                        "complaint_stage_kept_rate",
                        "complaint_stage",
                        keep=STAGES,
                        title=t("complaints.kept"),
                    ),
                    *parts.trend_panels(context, ["complaint_stage_kept_rate", "complaint_close_median"]),
                ),
                lead=t("complaints.stages_lead"),
            ),
            section(
                "causes",
                t("complaints.causes"),
                parts.panels(_pareto(context, "cause"), _pareto(context, "complaint_object")),
                lead=t("complaints.causes_lead"),
            ),
            section(
                "back",
                t("complaints.back"),
                parts.panels(
                    *parts.trend_panels(context, ["second_complaint_rate_30d", "repeat_complaint_rate_30d"]),
                    parts.split_panel(context, "second_complaint_rate_30d", "product_line"),
                    parts.split_panel(context, "second_complaint_rate_30d", "customer_kind"),
                ),
                lead=t("complaints.back_lead"),
            ),
            section(
                "rates",
                t("complaints.rates"),
                parts.panels(
                    *parts.trend_panels(context, ["complaint_case_count", "complaints_per_million_customers"]),
                    parts.split_panel(context, "complaints_per_million_customers", "org_unit_id", as_bars=True),
                    parts.split_panel(context, "complaints_per_million_customers", "customer_kind", as_bars=True),
                ),
                lead=t("complaints.rates_lead"),
            ),
            section(
                "how",
                t("complaints.how"),
                parts.panels(
                    parts.split_panel(context, "complaint_closed_rate", "channel"),
                    parts.split_panel(context, "complaint_case_count", "channel"),
                ),
            ),
        ]
    )


def _funnel(context: PageContext) -> html.Div:
    """How many complaints of the period reached each stage, and how long that took: the observations behind the medians."""
    t = context.t
    names = ["complaint_case_count", *(f"complaint_{stage}_{part}" for stage in STAGES for part in ("median", "p90"))]
    found = {metric.name: metric for metric in queries.known_metrics(context.snapshot, names)}
    key = "stage-funnel"
    if len(found) < len(names):
        return parts.empty_panel(t, key, t("complaints.funnel"), t("state.empty.no_metric"))
    filters, unknown = found[names[0]].narrowed(context.filters(context.span))
    values = queries.metric_values(context.snapshot, names, filters)
    kept = {
        row["complaint_stage"]: row
        for row in queries.metric_slices(
            context.snapshot, "complaint_stage_kept_rate", ["complaint_stage"], filters
        ).to_dicts()
    }
    opened = values["complaint_case_count"].value or 0
    if not opened:
        return parts.empty_panel(t, key, t("complaints.funnel"), t("kpi.no_contacts"))
    labels = queries.value_labels(context.snapshot, "complaint_stage", t.language)
    slices = [Slice(t("complaints.opened"), opened)]
    rows = []
    for stage in STAGES:
        median, high = values[f"complaint_{stage}_median"], values[f"complaint_{stage}_p90"]
        name = parts.value_name(t, labels, stage)
        slices.append(Slice(name, median.n))
        rate = kept.get(stage)
        rows.append(
            [
                name,
                f"{t.integer(median.n)} ({t.percent(median.n / opened)})",
                format_value(t, median.value, "seconds"),
                format_value(t, high.value, "seconds"),
                EMPTY if rate is None else format_value(t, rate["value"], "share"),
            ]
        )
    table = plain_table(
        [
            t("complaints.stage"),
            t("complaints.reached"),
            t("complaints.median"),
            t("complaints.p90"),
            t("complaints.rate"),
        ],
        rows,
        last_is_text=False,
    )
    remark = parts.not_narrowed(t, unknown)
    return chart_panel(
        t,
        key,
        t("complaints.funnel"),
        slices_figure(t, slices, "count", as_bars=True),
        label=t("part.chart_label", name=t("complaints.funnel"), period=t.period(context.span.start, context.span.end)),
        height=figure_height(len(slices)),
        below=[*([html.P(remark, className="remark")] if remark else []), as_table(t, table)],
        metric="complaint_case_count",
        data=pl.DataFrame({"stage": [one.label for one in slices], "complaints": [one.value for one in slices]}),
    )


def _pareto(context: PageContext, by: str) -> html.Div:
    t = context.t
    name = "complaint_case_count"
    title = t("complaints.pareto", dimension=parts.dimension_name(t, by))
    key = f"pareto-{by}".replace("_", "-")
    found = queries.known_metrics(context.snapshot, [name])
    if not found or by not in found[0].dimensions:
        return parts.empty_panel(t, key, title, t("state.empty.no_metric"))
    filters, unknown = found[0].narrowed(context.filters(context.span))
    slices = queries.metric_slices(context.snapshot, name, [by], filters)
    frame = slices.filter(pl.col("value") > 0)
    if not frame.height:
        return parts.empty_panel(t, key, title, t("kpi.no_contacts"))
    labels = queries.value_labels(context.snapshot, by, t.language)
    counts = [(parts.value_name(t, labels, value), count) for value, count in frame.select(by, "value").iter_rows()]
    rows = pareto_rows(counts, MOST_CAUSES, t("complaints.rest"))
    table = plain_table(
        [parts.heading(parts.dimension_name(t, by)), t("complaints.count"), t("pareto.share"), t("pareto.reached")],
        [[row.label, t.integer(row.count), t.percent(row.share), t.percent(row.reached)] for row in rows],
        last_is_text=False,
    )
    remarks = (parts.not_narrowed(t, unknown), parts.left_out(context, slices))
    below: list[Any] = [html.P(one, className="remark") for one in remarks if one]
    return chart_panel(
        t,
        key,
        title,
        pareto_figure(t, rows, t("complaints.count")),
        label=t("part.chart_label", name=title, period=t.period(context.span.start, context.span.end)),
        height=figure_height(len(rows)) + 26,
        href=parts.definition_href(context, found[0]),
        below=[*below, as_table(t, table)],
        metric=name,
        data=frame.select(by, pl.Series("label", [label for label, _ in counts]), "value"),
        rows_href=parts.rows_href(context, found[0]),
    )


PAGE = Page(key="complaints", path="/complaints", render=render)
