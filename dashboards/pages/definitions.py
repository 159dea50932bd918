"""The definition page: the catalogue of metrics with search, and the variants of a family side by side on the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dash
import dash_mantine_components as dmc
import polars as pl
from dash import Input, Output, Patch, State, dcc, html
from dash.exceptions import PreventUpdate

from dashboards.components import states
from dashboards.components.chart import as_table, chart_panel, plain_table
from dashboards.components.grid import Column, data_grid
from dashboards.components.section import facts, page_head, section
from dashboards.components.tabs import tabs
from dashboards.components.values import format_value
from dashboards.data import atlas, queries
from dashboards.data.atlas import Variant
from dashboards.data.queries import MetricInfo
from dashboards.data.snapshot import NoSnapshot, SnapshotStore
from dashboards.figures.ranges import Range, ranges_figure, ranges_height
from dashboards.figures.slices import Slice, figure_height, slices_figure
from dashboards.i18n import EMPTY, Translator, translator
from dashboards.pages import parts
from dashboards.pages.base import Page, PageContext
from dashboards.state import parse_view

CATALOGUE = "definitions-catalogue"
SEARCH = "definitions-search"
DETAIL = "definitions-detail"
ATLAS = "definitions-atlas"
MOST_FAMILIES = 24
"""Families that the picture of the atlas shows."""
DEFAULT_FAMILY = "service_level"


def render(context: PageContext) -> html.Div:
    """The page."""
    t = context.t
    metrics = queries.all_metrics(context.snapshot)
    if not metrics:
        return html.Div(
            [
                page_head(t("page.definitions.title"), t("page.definitions.lead")),
                states.empty(t, t("state.empty.no_metric")),
            ]
        )
    families = {metric.family for metric in metrics}
    asked = context.view.of_page("family", DEFAULT_FAMILY if DEFAULT_FAMILY in families else metrics[0].family)
    current = "atlas" if context.view.of_page("tab") == "atlas" else "catalogue"
    entries = [
        (key, t(f"definitions.tab_{key}"), context.link("/definitions", tab=key)) for key in ("catalogue", "atlas")
    ]
    top = _catalogue_section(context, metrics, len(families)) if current == "catalogue" else _atlas(context, metrics)
    return html.Div(
        [
            page_head(t("page.definitions.title"), t("page.definitions.lead"), *parts.period_details(context)),
            tabs(t("page.definitions.name"), entries, current),
            top,
            html.Div(detail(context, asked), id=DETAIL, **{"aria-live": "polite"}),
        ]
    )  # fmt: skip


def _catalogue_section(context: PageContext, metrics: Sequence[MetricInfo], families: int) -> html.Section:
    t = context.t
    return section(
        "catalogue",
        t("definitions.catalogue"),
        dmc.TextInput(
            id=SEARCH,
            label=t("definitions.search"),
            placeholder=t("definitions.search_placeholder"),
            debounce=200,
            value="",
            className="filter search",
            size="sm",
        ),
        _catalogue(t, metrics),
        lead=t("definitions.catalogue_lead", metrics=t.integer(len(metrics)), families=t.integer(families)),
    )


def _atlas(context: PageContext, metrics: Sequence[MetricInfo]) -> html.Section:
    """How far the definitions of each family lie apart over the last whole month."""
    t = context.t
    rows = atlas.atlas_families(context.snapshot)
    if not rows:
        return section(
            "atlas",
            t("definitions.atlas"),
            states.empty(t, t("definitions.no_atlas")),
            lead=t("definitions.atlas_lead"),
        )
    infos = {metric.name: metric for metric in metrics}
    drawn: list[Range] = []
    shown: list[dict[str, Any]] = []
    for row in rows:
        metric = infos[row["metric"]]
        low, high, value = (format_value(t, row[name], metric.unit) for name in ("lowest", "highest", "value"))
        if metric.unit == "share" and row["value"] is not None and len(drawn) < MOST_FAMILIES:
            hover = "<br>".join(
                [
                    f"<b>{metric.label(t)}</b>",
                    f"{t('definitions.default')}: {value}",
                    f"{t('definitions.from_to')}: {t('kpi.interval', low=low, high=high)}",
                    f"{t('definitions.how_many')}: {t.integer(row['definitions'])}",
                ]
            )
            drawn.append(Range(metric.label(t), row["lowest"], row["highest"], row["value"], hover))
        shown.append(
            {
                "family": metric.family,
                "label": metric.label(t),
                "definitions": row["definitions"],
                "value": value,
                "lowest": low,
                "highest": high,
                "apart": 100 * row["spread"] / abs(row["value"]) if row["value"] else None,
            }
        )
    columns = [
        Column("label", t("column.metric"), "long", width=240),
        Column("definitions", t("definitions.how_many"), "number", width=120),
        Column("value", t("definitions.default_value"), width=140),
        Column("lowest", t("definitions.lowest"), width=120),
        Column("highest", t("definitions.highest"), width=120),
        Column("apart", t("definitions.apart"), "number", width=180),
    ]
    title = t("definitions.atlas_chart")
    days = t.period(rows[0]["first_day"], rows[0]["last_day"]) if rows[0]["first_day"] else ""
    found: list[Any] = []
    if drawn:
        found.append(
            chart_panel(
                t, "atlas-chart", title, ranges_figure(drawn, t("definitions.share_axis"), share=True, longest=34), label=title, height=ranges_height(drawn),
                note=days, below=[html.P(t("definitions.atlas_note"), className="remark")], data=pl.DataFrame(rows, infer_schema_length=None),
            )
        )  # fmt: skip
    grid = data_grid(t, ATLAS, columns, shown, label=t("definitions.atlas"), height_rows=10, selectable=True)
    return section(
        "atlas",
        t("definitions.atlas"),
        *found,
        html.Div(grid, className="list-after"),
        html.P(t("definitions.pick_family"), className="lead"),
        lead=t("definitions.atlas_lead"),
    )


def _catalogue(t: Translator, metrics: Sequence[MetricInfo]) -> Any:
    rows = [
        {
            "label": metric.label(t),
            "name": metric.name,
            "family": metric.family,
            "unit": t(f"definitions.unit_{metric.unit}"),
            "formula": metric.formula,
            "vendor": vendor_names(metric),
            "version": metric.version,
        }
        for metric in metrics
    ]
    columns = [
        Column("label", t("column.metric"), "long", width=230),
        Column("formula", t("column.formula"), "long", width=240),
        Column("unit", t("column.unit"), width=90),
        Column("vendor", t("column.vendor"), width=170),
        Column("name", t("column.name"), width=200),
    ]
    return data_grid(t, CATALOGUE, columns, rows, label=t("definitions.catalogue"), height_rows=8, selectable=True)


def vendor_names(metric: MetricInfo) -> str:
    """What other products call a metric, in one line."""
    return "; ".join(f"{product}: {name}" for product, name in sorted(metric.vendor_names.items()))


def detail(context: PageContext, family: str) -> list[Any]:
    """One family: its definitions on the data of the view, and each of them in words."""
    t = context.t
    members = [metric for metric in queries.all_metrics(context.snapshot) if metric.family == family]
    if not members:
        return [states.notice(t("definitions.unknown", family=family), kind="warning")]
    default = members[0]
    found, ignored = queries.family_variants(context.snapshot, family, context.filters(context.span))
    link = dcc.Link(
        t("definitions.link"), href=context.link("/definitions", family=family), className="quiet-link chart-note"
    )
    explore = dcc.Link(
        t("definitions.explore"), href=context.link("/explore", metric=default.name), className="chart-note"
    )
    return [
        section(
            "variants",
            t("definitions.variants", name=default.label(t)),
            html.Div(
                [_variants(context, members, found, ignored), _changes(context, members)], className="definition-top"
            ),
            html.Div([link, explore], className="link-row"),
            lead=default.description(t),
        ),
        section("words", t("definitions.words"), *[_definition(t, metric) for metric in members]),
    ]


def _variants(
    context: PageContext, members: Sequence[MetricInfo], found: Sequence[Variant], ignored: Sequence[str]
) -> html.Div:
    t = context.t
    infos = {metric.name: metric for metric in members}
    unit = members[0].unit
    slices, rows, other_units = [], [], 0
    for variant in found:
        info, value = infos[variant.metric.name], variant.value
        name = info.label(t) + (f" ({t('definitions.default')})" if info.is_default else "")
        same = info.unit == unit
        other_units += not same
        if same:
            slices.append(
                Slice(
                    name, value.value, value.low, value.high, value.numerator, value.denominator, value.n,
                    value.is_small_base, info.is_default,
                )
            )  # fmt: skip
        gap = EMPTY
        if same and variant.gap is not None and not info.is_default:
            gap = _gap(t, variant.gap, unit)
        rows.append(
            [
                name,
                format_value(t, value.value, info.unit),
                _interval(t, value.low, value.high, info.unit),
                t.integer(value.n),
                gap,
            ]
        )
    table = plain_table(
        [t("column.definition"), t("trend.value"), t("trend.interval_column"), t("trend.n"), t("definitions.gap")],
        rows,
        last_is_text=False,
    )
    remarks = []
    spread = atlas.spread(list(found))
    if spread is not None:
        remarks.append(t("definitions.spread", spread=_gap(t, spread, unit).lstrip("+")))
    if other_units:
        remarks.append(t("definitions.other_units"))
    if ignored:
        remarks.append(parts.not_narrowed(t, ignored) or "")
    below = [*[html.P(text, className="remark") for text in remarks]]
    if len(slices) > 1:
        label = t("part.chart_label", name=members[0].label(t), period=t.period(context.span.start, context.span.end))
        picture: list[Any] = [
            chart_panel(
                t,
                "variants-chart",
                t("definitions.side_by_side"),
                slices_figure(t, slices, unit, target=members[0].target),
                label=label,
                height=figure_height(len(slices)),
                below=below,
            )
        ]
    else:
        picture = []
    return html.Div(
        [
            *picture,
            html.Div(
                [
                    html.H3(t("definitions.figures")),
                    html.Div(table, className="table-scroll", tabIndex=0),
                    *([] if picture else below),
                ],
                className="panel",
            ),
        ],
        className="definition-top",
    )


def _gap(t: Translator, gap: float, unit: str | None) -> str:
    if unit == "share":
        return t("unit.points_change", value=t.signed(gap * 100))
    if unit == "points":
        return t("unit.points_change", value=t.signed(gap))
    text = format_value(t, gap, unit)
    return f"+{text}" if gap > 0 and not text.startswith("+") else text


def _interval(t: Translator, low: float | None, high: float | None, unit: str | None) -> str:
    if low is None or high is None:
        return t("kpi.no_interval")
    return t("kpi.interval", low=format_value(t, low, unit), high=format_value(t, high, unit))


def _changes(context: PageContext, members: Sequence[MetricInfo]) -> Any:
    t = context.t
    rows = queries.metric_changes(context.snapshot, [metric.name for metric in members])
    if not rows:
        return None
    names = {metric.name: metric.label(t) for metric in members}
    table = plain_table(
        [t("column.definition"), t("column.version"), t("definitions.since"), t("definitions.what")],
        [
            [
                names[row["metric"]],
                str(row["version"]),
                t.date(row["changed_on"]),
                t.label(row["what_en"], row["what_zh"], EMPTY),
            ]
            for row in rows
        ],
    )
    return as_table_of_changes(t, table)


def as_table_of_changes(t: Translator, table: html.Table) -> html.Details:
    """What changed in the definitions, opened on demand."""
    found = as_table(t, table)
    found.children[0].children = t("definitions.changes")
    return found


def _definition(t: Translator, metric: MetricInfo) -> html.Details:
    pairs: list[tuple[str, Any]] = [
        (t("column.formula"), metric.formula),
        (t("column.unit"), t(f"definitions.unit_{metric.unit}")),
        (t("definitions.better"), t(f"definitions.direction_{metric.direction}")),
        (t("definitions.clock"), html.Code(metric.clock)),
        (t("definitions.interval"), t(f"definitions.interval_{metric.interval}")),
        (t("definitions.minimum"), t.integer(metric.minimum_base) if metric.minimum_base else EMPTY),
        (t("column.version"), str(metric.version)),
        (t("column.vendor"), vendor_names(metric) or EMPTY),
        (t("column.name"), html.Code(metric.name)),
        (t("definitions.dimensions"), ", ".join(parts.dimension_name(t, name) for name in metric.dimensions)),
    ]
    default = html.Span(t("definitions.default"), className="badge") if metric.is_default else None
    return html.Details(
        [
            html.Summary([html.H3(metric.label(t)), default, html.Span(metric.formula, className="chart-note")]),
            html.P(metric.description(t), className="lead"),
            facts(pairs),
        ],
        className="panel definition",
        open=metric.is_default,
        **{"data-metric": metric.name},
    )


def register(app: dash.Dash, store: SnapshotStore) -> None:
    """The search narrows the grid; a row picked in it shows its family."""

    @app.callback(Output(CATALOGUE, "dashGridOptions"), Input(SEARCH, "value"), prevent_initial_call=True)
    def narrow(text: str | None) -> Patch:
        changed = Patch()
        changed["quickFilterText"] = (text or "")[:100]
        return changed

    def shown_family(selected: Sequence[dict[str, Any]] | None, search: str | None, language: str) -> list[Any]:
        if not selected:
            raise PreventUpdate
        try:
            snapshot = store.current()
        except NoSnapshot:
            raise PreventUpdate from None
        return detail(PageContext(snapshot, parse_view(search), translator(language)), str(selected[0]["family"]))

    @app.callback(
        Output(DETAIL, "children"),
        Input(CATALOGUE, "selectedRows"),
        State("url", "search"),
        State("language", "data"),
        prevent_initial_call=True,
    )
    def show(selected: Sequence[dict[str, Any]] | None, search: str | None, language: str) -> list[Any]:
        return shown_family(selected, search, language)

    @app.callback(
        Output(DETAIL, "children", allow_duplicate=True),
        Input(ATLAS, "selectedRows"),
        State("url", "search"),
        State("language", "data"),
        prevent_initial_call=True,
    )
    def show_of_atlas(selected: Sequence[dict[str, Any]] | None, search: str | None, language: str) -> list[Any]:
        return shown_family(selected, search, language)


PAGE = Page(key="definitions", path="/definitions", render=render, register=register)
