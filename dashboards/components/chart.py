"""A chart in its panel: heading, picture with words for those who do not see it, notes, and the same as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
import polars as pl
from dash import dcc, html

from dashboards.components.download import download_menu, offer
from dashboards.i18n import Translator

HEIGHT = 260


def chart_panel(
    t: Translator,
    key: str,
    title: str,
    figure: go.Figure,
    *,
    label: str,
    height: int = HEIGHT,
    note: Any = None,
    href: str | None = None,
    below: Sequence[Any] = (),
    metric: str | None = None,
    data: pl.DataFrame | None = None,
    rows_href: str | None = None,
) -> html.Div:
    """The panel.

    Args:
        key: id of the heading.
        label: what the picture shows, in words.
        note: short text at the right of the heading.
        href: where the heading leads, to the definition behind the chart.
        below: legend, table and remarks under the picture.
        metric: name of the metric shown.
        data: what is drawn, as numbers, for a file.
        rows_href: where the rows behind the numbers are.
    """
    named = dcc.Link(title, href=href, className="quiet-link") if href else title
    if data is not None:
        offer(key, title, lambda: data)
    ends: list[Any] = []
    if note:
        ends.append(html.Span(note, className="chart-note"))
    if rows_href:
        ends.append(
            dcc.Link(
                t("rows.link"), href=rows_href, className="chart-note", **{"title": t("rows.link_title", name=title)}
            )
        )
    ends.append(download_menu(t, key, title, table=data is not None, picture=True))
    head: list[Any] = [html.H3(named, id=key), html.Div(ends, className="chart-ends")]
    graph = dcc.Graph(
        figure=figure,
        config={"displayModeBar": False, "locale": t.plotly_locale, "responsive": True},
        style={"height": f"{height}px"},
    )
    marks = {"data-metric": metric} if metric else {}
    return html.Div(
        [html.Div(head, className="chart-head"), html.Div(graph, role="img", **{"aria-label": label}), *below],
        className="panel",
        **marks,
    )


def plain_table(names: Sequence[str], rows: Sequence[Sequence[str]], last_is_text: bool = True) -> html.Table:
    """A table of texts; the first column names its rows. `last_is_text`: the last column is read, not compared."""
    body = [html.Tr([html.Th(cells[0], scope="row"), *(html.Td(cell) for cell in cells[1:])]) for cells in rows]
    return html.Table(
        [html.Thead(html.Tr([html.Th(name, scope="col") for name in names])), html.Tbody(body)],
        className="plain-table" if last_is_text else "plain-table plain-table-numbers",
    )


def as_table(t: Translator, table: html.Table) -> html.Details:
    """A table that is opened under its chart."""
    return html.Details(
        [html.Summary(t("trend.table")), html.Div(table, className="table-scroll", tabIndex=0)], className="as-table"
    )


def legend(entries: Sequence[tuple[str, str]]) -> html.Ul:
    """Marks and what they mean; a mark is a class of the style sheet."""
    return html.Ul(
        [html.Li([html.Span(className=mark, **{"aria-hidden": "true"}), text]) for mark, text in entries],
        className="chart-legend",
    )
