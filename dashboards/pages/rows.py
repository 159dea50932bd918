"""The rows behind a number: what a card or a chart counts, for the same filters."""

from __future__ import annotations

from typing import Any

import polars as pl
from dash import dcc, html

from dashboards.components import states
from dashboards.components.grid import Column, data_grid
from dashboards.components.section import page_head, section
from dashboards.components.tabs import tabs
from dashboards.components.values import format_part
from dashboards.data import queries
from dashboards.data.customers import Words
from dashboards.data.queries import MetricInfo
from dashboards.data.rows import COUNTED, RowsBehind
from dashboards.i18n import Translator
from dashboards.pages import parts
from dashboards.pages.base import Page, PageContext

PATH = "/rows"
GRID = "rows-grid"
MOST_ROWS = 500


def render(context: PageContext) -> html.Div:
    """The page."""
    t = context.t
    asked = context.view.of_page("metric")
    head = page_head(t("page.rows.title"), t("page.rows.lead"), *parts.period_details(context))
    found = queries.known_metrics(context.snapshot, [asked])
    if not found:
        text = t("explore.unknown_metric", metric=asked) if asked else t("rows.no_metric")
        return html.Div([head, states.empty(t, text)])
    metric = found[0]
    filters, unknown = metric.narrowed(context.filters(context.span))
    remark = parts.not_narrowed(t, unknown)
    links: list[Any] = [
        dcc.Link(t("definitions.explore"), href=context.link("/explore", metric=metric.name), className="chart-note"),
        dcc.Link(t("explore.definition"), href=parts.definition_href(context, metric), className="chart-note"),
    ]
    behind = queries.metric_rows(context.snapshot, metric.name, filters, context.view.of_page("part"), MOST_ROWS)
    if behind is None:
        shown: list[Any] = [_inputs(context, metric)]
    else:
        shown = _rows(context, metric, behind)
    return html.Div(
        [
            head,
            section(
                "behind",
                metric.label(t),
                *([html.P(remark, className="remark")] if remark else []),
                *shown,
                html.Div(links, className="link-row"),
                lead=metric.description(t),
            ),
        ]
    )


def _inputs(context: PageContext, metric: MetricInfo) -> Any:
    """A metric that is arithmetic over others has no rows of its own; each of the others has."""
    t = context.t
    return html.Div(
        [
            html.P(t("rows.derived")),
            html.Ul(
                [
                    html.Li(dcc.Link(one.label(t), href=parts.rows_href(context, one)))
                    for one in queries.known_metrics(context.snapshot, metric.inputs)
                ]
            ),
        ],
        className="panel",
    )


def _rows(context: PageContext, metric: MetricInfo, behind: RowsBehind) -> list[Any]:
    t = context.t
    found: list[Any] = []
    if len(behind.parts) > 1:
        entries = [
            (name, t(f"rows.part_{name}"), context.link(PATH, metric=metric.name, part=name)) for name in behind.parts
        ]
        found.append(tabs(t("rows.parts"), entries, behind.part))
    if not behind.total:
        return [*found, states.empty(t, t("state.empty.no_rows"))]
    count = t("rows.shown", shown=t.integer(behind.frame.height), total=t.integer(behind.total), mart=behind.model)
    if behind.added is not None:
        count += " " + t("rows.added", value=format_part(t, behind.added))
    if behind.stock_day is not None:
        count += " " + t("rows.stock", day=t.date(behind.stock_day))
    words = Words(context.snapshot, t)
    columns, cells = _grid(context, behind.frame, words)
    return [
        *found,
        html.P(count, className="lead", id="rows-count"),
        data_grid(t, GRID, columns, cells, label=metric.label(t), height_rows=14),
        html.Pre(html.Code(behind.expression), className="sql", tabIndex=0, **{"aria-label": t("rows.expression")}),
    ]


def _grid(context: PageContext, frame: pl.DataFrame, words: Words) -> tuple[list[Column], list[dict[str, Any]]]:
    t = context.t
    schema = frame.schema  # made anew at every call
    columns = []
    for name, kind in schema.items():
        heading = _heading(t, name)
        if name == "customer_key":
            columns.append(Column(name, heading, "customer", width=150))
        elif kind.is_numeric():
            columns.append(Column(name, heading, "number", width=120))
        else:
            columns.append(Column(name, heading, width=140))
    cells = []
    for row in frame.to_dicts():
        cell: dict[str, Any] = {}
        for name, value in row.items():
            kind = schema[name]
            if value is None:
                cell[name] = None
            elif kind.is_numeric():
                cell[name] = float(value)
            elif kind == pl.String and name not in _AS_THEY_ARE:
                cell[name] = words(name, value)
            elif kind == pl.Boolean:
                cell[name] = t("part.yes") if value else t("part.no")
            elif kind == pl.Datetime:
                cell[name] = value.isoformat(sep=" ", timespec="seconds")
            else:
                cell[name] = str(value)
        cells.append(cell)
    return columns, cells


def _heading(t: Translator, name: str) -> str:
    """A column of a mart in the reader's language; what is neither a dimension nor common is called as the mart calls it."""
    if name == COUNTED:
        return t("rows.counted")
    if t.has(f"rows.column.{name}"):
        return t(f"rows.column.{name}")
    return parts.heading(parts.dimension_name(t, name))


_AS_THEY_ARE = ("customer_key", "source")

PAGE = Page(key="rows", path=PATH, render=render, in_menu=False)
