"""Any metric of the catalogue by any of its dimensions and over time: picture, grid and the query behind it. The address is the saved view."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import dash
import dash_mantine_components as dmc
import polars as pl
from dash import Input, Output, State, dcc, html
from dash.exceptions import PreventUpdate

from dashboards.components import states
from dashboards.components.chart import chart_panel
from dashboards.components.download import FILE
from dashboards.components.grid import Column, data_grid
from dashboards.components.section import page_head, section
from dashboards.components.values import format_value
from dashboards.data import files, queries
from dashboards.data.metrics import GRAINS
from dashboards.data.queries import MetricInfo
from dashboards.data.snapshot import NoSnapshot, Snapshot, SnapshotStore
from dashboards.data.sql import QueryError, query_apart
from dashboards.figures.slices import Slice, figure_height, slices_figure
from dashboards.figures.trend import complete_course, incomplete_buckets, lines_figure, trend_figure
from dashboards.i18n import Translator, translator
from dashboards.pages import parts
from dashboards.pages.base import Page, PageContext
from dashboards.state import View, parse_view

METRIC = "explore-metric"
BY = "explore-by"
GRAIN = "explore-grain"
SQL = "sql-text"
RUN_SQL = "sql-run"
SQL_ANSWER = "sql-answer"
SQL_FILES = {kind: f"sql-{kind}" for kind in files.MEDIA_TYPES}
SQL_ROWS = 1000
SQL_FILE_ROWS = 50_000
SQL_SECONDS = 10
DEFAULT_METRIC = "csat_top2"
NO_GRAIN = "none"
MOST_DIMENSIONS = 2
MOST_LINES = 6
MOST_BARS = 20
MOST_ROWS = 2000
LINES_HEIGHT = 340


def render(context: PageContext) -> html.Div:
    """The page."""
    t, view = context.t, context.view
    metrics = {metric.name: metric for metric in queries.all_metrics(context.snapshot)}
    head = page_head(t("page.explore.title"), t("page.explore.lead"), *parts.period_details(context))
    if not metrics:
        return html.Div([head, states.empty(t, t("state.empty.no_metric"))])
    asked = view.of_page("metric", DEFAULT_METRIC)
    notices = []
    if asked not in metrics:
        if view.of_page("metric"):
            notices.append(states.notice(t("explore.unknown_metric", metric=asked), kind="warning"))
        asked = DEFAULT_METRIC if DEFAULT_METRIC in metrics else next(iter(metrics))
    metric = metrics[asked]
    wanted = [name for name in view.of_page("by").split(",") if name]
    by = [name for name in dict.fromkeys(wanted) if name in metric.dimensions][:MOST_DIMENSIONS]
    left_out = [name for name in wanted if name not in by]
    if left_out:
        notices.append(
            states.notice(t("explore.no_dimension", names=", ".join(left_out), metric=metric.label(t)), kind="warning")
        )
    grain = view.of_page("grain", parts.course_grain(metric, context.span) if not by else NO_GRAIN)
    if grain not in (*GRAINS, NO_GRAIN):
        notices.append(states.notice(t("filter.not_understood", names="grain"), kind="warning"))
        grain = NO_GRAIN
    return html.Div(
        [
            head,
            *notices,
            _choices(context, list(metrics.values()), metric, by, grain),
            *answer(context, metric, by, None if grain == NO_GRAIN else grain),
            _sql_box(t),
        ]
    )


def _sql_box(t: Translator) -> html.Section:
    return section(
        "sql-box",
        t("sql.title"),
        html.Div(
            [
                dmc.Textarea(
                    id=SQL,
                    label=t("sql.label"),
                    placeholder="select channel, count(*) as tickets from fct_tickets group by all order by 2 desc",
                    autosize=True,
                    minRows=4,
                    maxRows=16,
                    value="",
                    className="sql-box",
                ),
                html.Div(
                    [
                        html.Button(t("sql.run"), id=RUN_SQL, type="button", n_clicks=0, className="button"),
                        *(
                            html.Button(
                                t("sql.as_file", kind=kind.upper() if kind != "parquet" else "Parquet"),
                                id=component, type="button", n_clicks=0, className="quiet-button",
                            )
                            for kind, component in SQL_FILES.items()
                        ),
                    ],
                    className="link-row",
                ),
                html.Div(id=SQL_ANSWER, className="sql-answer", **{"aria-live": "polite"}),
            ],
            className="panel",
        ),
        lead=t("sql.lead", seconds=t.integer(SQL_SECONDS), rows=t.integer(SQL_ROWS)),
    )  # fmt: skip


def sql_answer(snapshot: Snapshot, t: Translator, sql: str | None) -> list[Any]:
    """What stands under the box: the rows of the query, or in words why there are none."""
    if not (sql or "").strip():
        return [states.notice(t("sql.nothing_asked"))]
    try:
        frame = query_apart(snapshot, str(sql), max_rows=SQL_ROWS + 1, timeout=SQL_SECONDS)
    except QueryError as error:
        return [_refusal(t, error)]
    if not frame.height:
        return [states.empty(t, t("state.empty.no_rows"))]
    shown = frame.head(SQL_ROWS)
    columns = [
        Column(f"c{place}", name, "exact" if kind.is_numeric() else "text")
        for place, (name, kind) in enumerate(shown.schema.items())
    ]
    rows = [
        {
            f"c{place}": value if value is None or column.kind == "text" else float(value)
            for place, (column, value) in enumerate(zip(columns, row, strict=True))
        }
        for row in shown.iter_rows()
    ]
    for row in rows:
        row |= {name: str(value) for name, value in row.items() if value is not None and not isinstance(value, float)}
    more = frame.height > SQL_ROWS
    note = t("sql.cut" if more else "sql.shown", rows=t.integer(shown.height))
    return [
        data_grid(t, "sql-grid", columns, rows, label=t("sql.title"), height_rows=12, downloadable=False),
        html.P(note, className="lead"),
    ]


def _refusal(t: Translator, error: QueryError) -> html.Div:
    return html.Div(
        [html.Strong(t(f"sql.problem.{error.problem}")), html.Pre(html.Code(str(error)), className="sql", tabIndex=0)],
        className="notice notice-warning sql-refused",
        role="alert",
    )


def _choices(
    context: PageContext, metrics: Sequence[MetricInfo], metric: MetricInfo, by: Sequence[str], grain: str
) -> html.Div:
    t = context.t
    return html.Div(
        [
            dmc.Select(
                id=METRIC,
                label=t("column.metric"),
                data=[{"value": one.name, "label": f"{one.label(t)} · {one.name}"} for one in metrics],
                value=metric.name,
                searchable=True,
                allowDeselect=False,
                nothingFoundMessage=t("filter.none_found"),
                maxDropdownHeight=320,
                limit=100,
                size="sm",
                className="filter",
            ),
            dmc.MultiSelect(
                id=BY,
                label=t("explore.by"),
                placeholder=t("explore.by_placeholder") if not by else "",
                data=[{"value": name, "label": parts.dimension_name(t, name)} for name in metric.dimensions],
                value=list(by),
                maxValues=MOST_DIMENSIONS,
                searchable=True,
                clearable=True,
                nothingFoundMessage=t("filter.none_found"),
                clearButtonProps={"aria-label": f"{t('filter.clear_one')}: {t('explore.by')}"},
                size="sm",
                className="filter",
            ),
            dmc.Select(
                id=GRAIN,
                label=t("explore.grain"),
                data=[{"value": NO_GRAIN, "label": t("explore.whole")}]
                + [{"value": name, "label": t(f"grain.{name}")} for name in GRAINS],
                value=grain,
                allowDeselect=False,
                size="sm",
                className="filter",
            ),
        ],
        className="choices panel",
        role="group",
        **{"aria-label": t("explore.choices")},
    )


def answer(context: PageContext, metric: MetricInfo, by: Sequence[str], grain: str | None) -> list[Any]:
    """Picture, rows and query of one question."""
    t = context.t
    filters, unknown = metric.narrowed(context.filters(context.span))
    frame = queries.metric_slices(context.snapshot, metric.name, by, filters, grain)
    remark = parts.not_narrowed(t, unknown)
    below: list[Any] = [html.P(remark, className="remark")] if remark else []
    if not frame.height or frame["value"].null_count() == frame.height:
        picture: Any = parts.empty_panel(t, "explore-chart", metric.label(t), t("kpi.no_contacts"), below)
    elif not by and grain is None:
        picture = parts.cards(context, [metric.name])
    else:
        picture = _picture(context, metric, by, grain, frame, below)
    sql = queries.metric_query(context.snapshot, metric.name, by, filters, grain)
    shown_sql = (
        html.Pre(html.Code(sql), className="sql", tabIndex=0) if sql else html.P(t("explore.derived"), className="lead")
    )
    links = [
        dcc.Link(t("explore.definition"), href=parts.definition_href(context, metric), className="chart-note"),
        dcc.Link(t("explore.behind"), href=parts.rows_href(context, metric), className="chart-note"),
    ]
    return [
        section("chart", metric.label(t), picture, html.Div(links, className="link-row"), lead=metric.description(t)),
        section("rows", t("explore.rows"), *_rows(context, metric, by, grain, frame)),
        section("query", t("explore.sql"), shown_sql, lead=t("explore.sql_lead")),
    ]


def _names(context: PageContext, by: Sequence[str], frame: pl.DataFrame) -> list[str]:
    """One name per row: the values of its dimensions in the reader's language."""
    t = context.t
    labels = {name: queries.value_labels(context.snapshot, name, t.language) for name in by}
    return [
        " · ".join(parts.value_name(t, labels[name], row[name]) for name in by) for row in frame.select(by).to_dicts()
    ]


def _picture(
    context: PageContext,
    metric: MetricInfo,
    by: Sequence[str],
    grain: str | None,
    frame: pl.DataFrame,
    below: list[Any],
) -> html.Div:
    t, span = context.t, context.span
    label = t("part.chart_label", name=metric.label(t), period=t.period(span.start, span.end))
    if grain is None:
        known = frame.filter(pl.col("value").is_not_null())
        ordered = known.sort(pl.col("n").fill_null(0), descending=True, maintain_order=True)
        shown = ordered.head(MOST_BARS)
        slices = [
            Slice(
                name, row["value"], row["low"], row["high"], row["numerator"], row["denominator"], row["n"],
                bool(row["is_small_base"]) and not metric.is_count,
            )
            for name, row in zip(_names(context, by, shown), shown.to_dicts(), strict=True)
        ]  # fmt: skip
        figure = slices_figure(
            t, slices, metric.unit, target=metric.target, as_bars=metric.is_count or metric.type == "stock"
        )
        height, more = figure_height(len(slices)), ordered.height - shown.height
    elif not by:
        course = complete_course(frame, span.start, span.end, grain)
        cut = incomplete_buckets(span.start, span.end, grain, context.last_complete_day)
        figure, height, more = trend_figure(course, t, parts.style_of(t, metric, grain), cut), LINES_HEIGHT, 0
    else:
        named = frame.with_columns(slice_name=pl.Series(_names(context, by, frame), dtype=pl.String))
        sizes = named.group_by("slice_name").agg(pl.col("n").sum()).sort(["n", "slice_name"], descending=[True, False])
        largest = sizes["slice_name"].head(MOST_LINES).to_list()
        courses = [
            (
                name,
                complete_course(
                    named.filter(pl.col("slice_name") == name).drop("slice_name", *by), span.start, span.end, grain
                ),
            )
            for name in largest
        ]
        cut = incomplete_buckets(span.start, span.end, grain, context.last_complete_day)
        figure = lines_figure(courses, t, parts.style_of(t, metric, grain), cut, with_bands=len(courses) <= 2)
        height, more = LINES_HEIGHT, sizes.height - len(largest)
    if more:
        below = [
            *below,
            html.P(
                t("part.left_out", count=t.integer(more), shown=t.integer(MOST_BARS if grain is None else MOST_LINES)),
                className="remark",
            ),
        ]
    return chart_panel(
        t,
        "explore-chart",
        t("explore.chart"),
        figure,
        label=label,
        height=height,
        note=t(f"grain.{grain}") if grain else None,
        below=below,
        metric=metric.name,
        data=frame,
    )


def _rows(
    context: PageContext, metric: MetricInfo, by: Sequence[str], grain: str | None, frame: pl.DataFrame
) -> list[Any]:
    t = context.t
    if not frame.height:
        return [states.empty(t, t("state.empty.no_rows"))]
    labels = {name: queries.value_labels(context.snapshot, name, t.language) for name in by}
    rows = []
    for row in frame.head(MOST_ROWS).to_dicts():
        cells: dict[str, Any] = {f"by_{name}": parts.value_name(t, labels[name], row[name]) for name in by}
        if grain is not None:
            day: date = row["metric_time"]
            cells["day"] = day.isoformat()
        cells["shown"] = format_value(t, row["value"], metric.unit)
        cells |= {name: row[name] for name in ("value", "low", "high", "numerator", "denominator", "n")}
        cells["state"] = t("kpi.small_base") if row["is_small_base"] and not metric.is_count else ""
        rows.append(cells)
    columns = []
    if grain is not None:
        columns.append(Column("day", t("explore.first_day"), width=125))
    columns += [Column(f"by_{name}", parts.heading(parts.dimension_name(t, name)), width=150) for name in by]
    columns += [Column("shown", t("trend.value"), width=110), Column("value", t("explore.raw"), "exact", width=120)]
    if metric.has_parts:
        columns += [
            Column("low", t("explore.low"), "exact", width=115),
            Column("high", t("explore.high"), "exact", width=115),
            Column("numerator", t("trend.numerator"), "number", width=100),
            Column("denominator", t("trend.denominator"), "number", width=100),
        ]
    columns += [Column("n", t("trend.n"), "number", width=80), Column("state", t("trend.state_column"), width=110)]
    grid = data_grid(t, "explore-grid", columns, rows, label=t("explore.rows"), height_rows=12)
    if frame.height <= MOST_ROWS:
        return [grid]
    note = t("health.rows_shown", shown=t.integer(MOST_ROWS), total=t.integer(frame.height))
    return [grid, html.P(note, className="lead")]


def asked_view(view: View, metric: str | None, by: Sequence[str] | None, grain: str | None) -> View:
    """The view after a reader changed what is explored. Another metric keeps the split as far as it has the dimensions."""
    return view.with_own(
        metric=metric or DEFAULT_METRIC, by=",".join((by or [])[:MOST_DIMENSIONS]), grain=grain or NO_GRAIN
    )


def register(app: dash.Dash, store: SnapshotStore) -> None:
    """What is chosen goes into the address; the page is drawn from there. The SQL box answers below itself."""

    @app.callback(
        Output(SQL_ANSWER, "children"),
        Input(RUN_SQL, "n_clicks"),
        State(SQL, "value"),
        State("language", "data"),
        prevent_initial_call=True,
    )
    def run_sql(clicks: int | None, sql: str | None, language: str) -> list[Any]:
        if not clicks:
            raise PreventUpdate
        try:
            return sql_answer(store.current(), translator(language), sql)
        except NoSnapshot:
            raise PreventUpdate from None

    @app.callback(
        Output(FILE, "data", allow_duplicate=True),
        Output(SQL_ANSWER, "children", allow_duplicate=True),
        *(Input(component, "n_clicks") for component in SQL_FILES.values()),
        State(SQL, "value"),
        State("language", "data"),
        prevent_initial_call=True,
    )
    def sql_file(*given: Any) -> tuple[Any, Any]:
        *clicks, sql, language = given
        asked = next((kind for kind, component in SQL_FILES.items() if component == dash.ctx.triggered_id), None)
        if asked is None or not any(clicks):
            raise PreventUpdate
        t = translator(language)
        if not (sql or "").strip():
            return dash.no_update, [states.notice(t("sql.nothing_asked"))]
        try:
            snapshot = store.current()
            frame = query_apart(snapshot, str(sql), max_rows=SQL_FILE_ROWS, timeout=SQL_SECONDS)
        except NoSnapshot:
            raise PreventUpdate from None
        except QueryError as error:
            return dash.no_update, [_refusal(t, error)]
        name = files.file_name(t("sql.file"), queries.last_day(snapshot), asked)
        content = files.table_file(frame, asked, t("sql.file"))
        return dict(dcc.send_bytes(content, name, type=files.MEDIA_TYPES[asked])), dash.no_update

    @app.callback(
        Output("url", "search", allow_duplicate=True),
        Input(METRIC, "value"),
        Input(BY, "value"),
        Input(GRAIN, "value"),
        State("url", "search"),
        State("url", "pathname"),
        prevent_initial_call=True,
    )
    def choose(
        metric: str | None, by: Sequence[str] | None, grain: str | None, search: str | None, path: str | None
    ) -> str:
        if path != PAGE.path or not dash.ctx.triggered_prop_ids:
            raise PreventUpdate
        view = parse_view(search)
        changed = asked_view(view, metric, by, grain)
        # Drawing the page sets the controls, which is no choice of the reader: only a difference from the drawn state is.
        drawn = asked_view(
            view,
            view.of_page("metric", DEFAULT_METRIC),
            [name for name in view.of_page("by").split(",") if name],
            view.of_page("grain", grain or NO_GRAIN),
        )
        if changed == drawn:
            raise PreventUpdate
        return changed.query()


PAGE = Page(key="explore", path="/explore", render=render, register=register)
