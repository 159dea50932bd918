"""The executive's page: headline figures as cards, and the course of tickets, calls, satisfaction and recommendation."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
from dash import dcc, html

from dashboards.components import states
from dashboards.components.kpi import Kpi, kpi_card
from dashboards.components.section import page_head, section
from dashboards.components.values import format_part, format_value
from dashboards.data import queries
from dashboards.data.queries import MetricInfo
from dashboards.figures.trend import (
    TrendStyle,
    choose_grain,
    complete_course,
    incomplete_buckets,
    is_small,
    trend_figure,
)
from dashboards.i18n import Translator
from dashboards.pages.base import Page, PageContext
from dashboards.state import Span

CHART_HEIGHT = 260


def render(context: PageContext) -> html.Div:
    """The page."""
    t = context.t
    span, before = context.span, context.comparison_span
    details: list[Any] = [
        html.Div(t("filter.shown", period=t.period(span.start, span.end), days=t.integer(span.days)), className="shown")
    ]
    if before is not None:
        details.append(html.Div(t("filter.compared", period=t.period(before.start, before.end))))
    grain = choose_grain(span.days)
    cut = incomplete_buckets(span.start, span.end, grain, context.last_complete_day)
    cards = kpis(context, grain, cut)
    if cards:
        shown_cards: Any = html.Div([kpi_card(t, card) for card in cards], className="kpis")
    else:
        shown_cards = states.empty(t, t("state.empty.no_metric"))
    trends = queries.trend_metrics(context.snapshot)
    charts = trend_panels(context, trends, grain, cut)
    shown_charts: Any = html.Div(charts, className="charts") if charts else states.empty(t, t("state.empty.no_metric"))
    return html.Div(
        [
            page_head(t("page.overview.title"), t("page.overview.lead"), *details),
            section("headline", t("kpi.section"), shown_cards),
            section("trends", f"{t('trend.section')} {t(f'grain.{grain}')}", shown_charts),
        ]
    )


def kpis(context: PageContext, grain: str, cut: set[date]) -> list[Kpi]:
    """The headline metrics of the catalogue, computed for the view."""
    t, span, before = context.t, context.span, context.comparison_span
    metrics = queries.headline_metrics(context.snapshot)
    names = [metric.name for metric in metrics]
    if not names:
        return []
    now = queries.metric_values(context.snapshot, names, context.filters(span))
    then = queries.metric_values(context.snapshot, names, context.filters(before)) if before else {}
    courses = queries.metric_courses(context.snapshot, names, grain, context.filters(span))
    cards = []
    for metric in metrics:
        value = now[metric.name]
        course = complete_course(courses[metric.name], span.start, span.end, grain)
        earlier = then.get(metric.name)
        cards.append(
            Kpi(
                key=metric.name,
                name=metric.label(t),
                description=metric.description(t),
                formula=metric.formula,
                unit=metric.unit,
                direction=metric.direction,
                version=metric.version,
                value=value.value,
                numerator=value.numerator,
                denominator=value.denominator,
                low=value.low,
                high=value.high,
                n=value.n,
                is_small_base=value.is_small_base,
                minimum_base=metric.minimum_base,
                target=metric.target,
                is_count=metric.is_count,
                has_comparison=before is not None,
                before=earlier.value if earlier else None,
                course=course["value"].to_list(),
                last_incomplete=bool(course.height) and course["metric_time"][-1] in cut,
                until=min(span.end, context.last_day),
            )
        )
    return cards


def trend_panels(context: PageContext, metrics: list[MetricInfo], grain: str, cut: set[date]) -> list[html.Div]:
    """One panel a metric: chart, legend of what is drawn, and the same as a table."""
    if not metrics:
        return []
    courses = queries.metric_courses(
        context.snapshot, [metric.name for metric in metrics], grain, context.filters(context.span)
    )
    return [_panel(context.t, metric, courses[metric.name], grain, context.span, cut) for metric in metrics]


def _panel(t: Translator, metric: MetricInfo, frame: pl.DataFrame, grain: str, span: Span, cut: set[date]) -> html.Div:
    name = metric.label(t)
    style = TrendStyle(
        name=name,
        unit=metric.unit,
        grain=grain,
        minimum_base=metric.minimum_base,
        target=metric.target,
        is_count=metric.is_count,
    )
    head = [html.H3(name, id=f"trend-{metric.name}")]
    course = complete_course(frame, span.start, span.end, grain)
    if course["value"].null_count() == course.height:
        return html.Div([*head, states.empty(t, t("kpi.no_contacts"))], className="panel")
    if metric.is_count:
        total = course["value"].sum()
        head.append(html.Span(t("trend.answers", n=t.integer(float(total or 0))), className="chart-note"))
    graph = dcc.Graph(
        figure=trend_figure(course, t, style, cut),
        config={"displayModeBar": False, "locale": t.plotly_locale, "responsive": True},
        style={"height": f"{CHART_HEIGHT}px"},
    )
    label = t("trend.chart_label", name=name, grain=t(f"grain.{grain}"), period=t.period(span.start, span.end))
    return html.Div(
        [
            html.Div(head, className="chart-head"),
            html.Div(graph, role="img", **{"aria-label": label}),
            _legend(t, style, course, cut),
            _table(t, style, course, cut),
        ],
        className="panel",
        **{"data-metric": metric.name},
    )


def _legend(t: Translator, style: TrendStyle, course: pl.DataFrame, cut: set[date]) -> html.Ul:
    entries = []
    if course["low"].null_count() < course.height:
        entries.append(("key key-band", t("trend.interval")))
    if any(day in cut for day in course["metric_time"].to_list()):
        entries.append(("key key-pale" if style.is_count else "key key-hollow", t("trend.incomplete")))
    if any(is_small(style, row) for row in course.to_dicts()):
        entries.append(("key key-grey", t("trend.small_base")))
    return html.Ul(
        [html.Li([html.Span(className=key, **{"aria-hidden": "true"}), text]) for key, text in entries],
        className="chart-legend",
    )


def _table(t: Translator, style: TrendStyle, course: pl.DataFrame, cut: set[date]) -> html.Details:
    names = [t("trend.period_column"), t("trend.value")]
    if not style.is_count:
        names += [t("trend.interval_column"), t("trend.numerator"), t("trend.denominator")]
    names.append(t("trend.state_column"))
    body = []
    for row in course.to_dicts():
        notes = []
        if row["metric_time"] in cut:
            notes.append(t("trend.incomplete"))
        if row["value"] is None:
            notes.append(t("kpi.no_contacts"))
        elif is_small(style, row):
            notes.append(t("kpi.small_base"))
        cells = [t.grain_label(row["metric_time"], style.grain), format_value(t, row["value"], style.unit)]
        if not style.is_count:
            interval = (
                t("kpi.no_interval")
                if row["low"] is None or row["high"] is None
                else t(
                    "kpi.interval",
                    low=format_value(t, row["low"], style.unit),
                    high=format_value(t, row["high"], style.unit),
                )
            )
            cells += [interval, format_part(t, row["numerator"]), format_part(t, row["denominator"])]
        cells.append(", ".join(notes))
        body.append(html.Tr([html.Th(cells[0], scope="row"), *(html.Td(cell) for cell in cells[1:])]))
    table = html.Table(
        [html.Thead(html.Tr([html.Th(name, scope="col") for name in names])), html.Tbody(body)], className="plain-table"
    )
    return html.Details(
        [html.Summary(t("trend.table")), html.Div(table, className="table-scroll", tabIndex=0)], className="as-table"
    )


PAGE = Page(key="overview", path="/", render=render)
