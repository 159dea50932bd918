"""The executive's page: headline figures, what changed and why, the three stages of control, alerts, the month against its plan, courses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl
from dash import dcc, html

from dashboards.components import states
from dashboards.components.chart import as_table, chart_panel, legend, plain_table
from dashboards.components.grid import Column, data_grid
from dashboards.components.kpi import kpi_card
from dashboards.components.section import page_head, section
from dashboards.components.tabs import tabs
from dashboards.components.values import describe_change, format_value
from dashboards.data import headlines, queries
from dashboards.data.customers import Words
from dashboards.data.headlines import REST, ChangeParts, Contribution
from dashboards.data.queries import MetricInfo
from dashboards.figures.slices import Slice, figure_height, slices_figure
from dashboards.figures.trend import choose_grain
from dashboards.i18n import EMPTY, Translator
from dashboards.pages import parts
from dashboards.pages.base import Page, PageContext

PATH = "/"
DIMENSIONS = ("org_unit_id", "channel", "product_line", "customer_kind")
NAMED = 3
"""Contributors named in a line."""
MOST_CONTRIBUTORS = 10
MOST_ALERTS = 200
OF_A_STAGE = 4
"""Alerts shown in each column of the board."""


def render(context: PageContext) -> html.Div:
    """The page."""
    t = context.t
    grain = choose_grain(context.span.days)
    metrics = queries.headline_metrics(context.snapshot)
    cards = parts.kpis(context, metrics, grain, is_headline=True)
    if cards:
        shown_cards: Any = html.Div([kpi_card(t, card) for card in cards], className="kpis")
    else:
        shown_cards = states.empty(t, t("state.empty.no_metric"))
    alerts, total = headlines.alerts(context.snapshot, context.filters(context.span), limit=MOST_ALERTS)
    return html.Div(
        [
            page_head(t("page.overview.title"), t("page.overview.lead"), *parts.period_details(context)),
            section("headline", t("kpi.section"), shown_cards),
            section("changes", t("overview.changes"), *_changes(context, metrics), lead=t("overview.changes_lead")),
            section("board", t("overview.board"), *_board(context, alerts), lead=t("overview.board_lead")),
            section("alerts", t("overview.alerts"), *_alerts(context, alerts, total), lead=t("overview.alerts_lead")),
            section("plans", t("overview.plans"), *_plans(context), lead=t("overview.plans_lead")),
            section("trends", f"{t('trend.section')} {t(f'grain.{grain}')}", parts.trends(context, queries.TRENDS)),
        ]
    )


# What changed and why


def _signed(t: Translator, amount: float, unit: str | None) -> str:
    """A difference in the unit of its metric; shares in points."""
    if unit == "share":
        return t("unit.points_change", value=t.signed(amount * 100))
    if unit == "points":
        return t("unit.points_change", value=t.signed(amount))
    if unit == "count":
        return t.signed(amount, 0)
    if unit in ("seconds", "minutes"):
        return ("+" if amount > 0 else "") + format_value(t, amount, unit)
    return t.signed(amount, 2)


def _changes(context: PageContext, metrics: Sequence[MetricInfo]) -> list[Any]:
    t, before = context.t, context.comparison_span
    if before is None:
        return [html.Div(states.empty(t, t("overview.no_comparison")), className="panel")]
    asked = context.view.of_page("by")
    by = asked if asked in DIMENSIONS else DIMENSIONS[0]
    own = context.view.of_page("metric")
    entries = [
        (one, parts.heading(parts.dimension_name(t, one)), context.link(PATH, by=one, metric=own)) for one in DIMENSIONS
    ]
    now, then = context.filters(context.span), context.filters(before)
    found: dict[str, ChangeParts] = {}
    for metric in metrics:
        change = headlines.change_parts(context.snapshot, metric.name, by, now, then)
        if change is not None:
            found[metric.name] = change
    head = tabs(t("overview.changes"), entries, by)
    if not found:
        return [head, html.Div(states.empty(t, t("overview.nothing_to_split")), className="panel")]
    chosen = own if own in found else max(found, key=lambda name: _weight(found[name]))
    return [
        head,
        _change_table(context, metrics, found, by),
        html.Div(_change_chart(context, metrics, found[chosen], chosen, by), className="after"),
    ]


def _weight(change: ChangeParts) -> float:
    """How large a change is against where it came from, to open with the one that moved most."""
    return abs(change.amount) / max(abs(change.before), abs(change.after), 1e-9)


def _value_words(context: PageContext, by: str, value: str | None, labels: Mapping[str, str]) -> str:
    return context.t("overview.rest") if value == REST else parts.value_name(context.t, labels, value)


def _change_table(
    context: PageContext, metrics: Sequence[MetricInfo], found: Mapping[str, ChangeParts], by: str
) -> html.Div:
    """A line a headline metric: its change, level and mix, and who contributes most in the direction of the change."""
    t = context.t
    labels = queries.value_labels(context.snapshot, by, t.language)
    rows = []
    for metric in metrics:
        change = found.get(metric.name)
        if change is None:
            rows.append(
                html.Tr(
                    [
                        html.Th(metric.label(t), scope="row"),
                        html.Td(t("overview.not_additive"), colSpan=4, className="wraps"),
                    ]
                )
            )
            continue
        meaning = describe_change(t, change.after, change.before, metric.unit, metric.direction)
        same = [one for one in change.parts if one.amount * change.amount > 0] or list(change.parts)
        named = t("part.and").join(
            f"{_value_words(context, by, one.value, labels)} {_signed(t, one.amount, metric.unit)}"
            for one in same[:NAMED]
            if abs(one.amount) > 0
        )
        is_ratio = metric.type == "ratio"
        rows.append(
            html.Tr(
                [
                    html.Th(dcc.Link(metric.label(t), href=context.link(PATH, by=by, metric=metric.name), className="quiet-link"), scope="row"),
                    html.Td(
                        html.Span(
                            [html.Span(f"{meaning.arrow} " if meaning else "", **{"aria-hidden": "true"}), html.Span(_signed(t, change.amount, metric.unit))],
                            className=f"change change-{meaning.meaning if meaning else 'neutral'}",
                            title=meaning.words if meaning else "",
                        )
                    ),
                    html.Td(_signed(t, change.level, metric.unit) if is_ratio else EMPTY),
                    html.Td(_signed(t, change.mix, metric.unit) if is_ratio else EMPTY),
                    html.Td(named or EMPTY, className="wraps"),
                ]
            )
        )  # fmt: skip
    names = [
        t("overview.figure"),
        t("satisfaction.change"),
        t("overview.level"),
        t("overview.mix"),
        t("overview.contributors"),
    ]
    table = html.Table(
        [html.Thead(html.Tr([html.Th(name, scope="col") for name in names])), html.Tbody(rows)],
        className="plain-table change-table",
    )
    return html.Div(
        [
            html.H3(t("overview.what_changed"), id="change-table"),
            html.Div(table, className="table-scroll table-whole", tabIndex=0),
            html.P(t("overview.level_and_mix"), className="remark"),
        ],
        className="panel",
    )


def _change_chart(
    context: PageContext, metrics: Sequence[MetricInfo], change: ChangeParts, name: str, by: str
) -> html.Div:
    """Who contributes what to the change of one metric."""
    t = context.t
    (metric,) = [one for one in metrics if one.name == name]
    labels = queries.value_labels(context.snapshot, by, t.language)
    scale, unit = (100.0, "points") if metric.unit == "share" else (1.0, metric.unit)
    shown = sorted(change.parts[:MOST_CONTRIBUTORS], key=lambda one: -one.amount)
    others = sum(one.amount for one in change.parts[MOST_CONTRIBUTORS:])
    slices = [
        Slice(_value_words(context, by, one.value, labels), one.amount * scale, is_marked=(one.amount < 0) == (metric.direction == "up") and metric.direction in ("up", "down"))
        for one in shown
    ]  # fmt: skip

    def value(one: float | None) -> str:
        return format_value(t, one, metric.unit)

    def cells(one: Contribution) -> list[str]:
        level, mix = (
            _signed(t, part, metric.unit) if metric.type == "ratio" else EMPTY for part in (one.level, one.mix)
        )
        words = _value_words(context, by, one.value, labels)
        return [words, value(one.before), value(one.after), level, mix, _signed(t, one.amount, metric.unit)]

    table = plain_table(
        [parts.heading(parts.dimension_name(t, by)), t("overview.before"), t("overview.now"), t("overview.level"), t("overview.mix"), t("overview.contribution")],
        [cells(one) for one in change.parts],
        last_is_text=False,
    )  # fmt: skip
    title = t("overview.change_of", name=metric.label(t), dimension=parts.dimension_name(t, by))
    texts = [
        t("overview.from_to", before=value(change.before), after=value(change.after), change=_signed(t, change.amount, metric.unit)),
        t("overview.split", level=_signed(t, change.level, metric.unit), mix=_signed(t, change.mix, metric.unit)) if metric.type == "ratio" else None,
        t("overview.others", amount=_signed(t, others, metric.unit), n=t.integer(len(change.parts) - MOST_CONTRIBUTORS)) if len(change.parts) > MOST_CONTRIBUTORS else None,
        parts.not_narrowed(t, metric.narrowed(context.filters(context.span))[1]),
    ]  # fmt: skip
    keys = []
    if metric.direction in ("up", "down"):
        keys = [("key key-better", t("overview.to_the_better")), ("key key-worse", t("overview.to_the_worse"))]
    return chart_panel(
        t,
        "change-chart",
        title,
        slices_figure(t, slices, unit, as_bars=True),
        label=t("part.chart_label", name=title, period=t.period(context.span.start, context.span.end)),
        height=figure_height(len(slices)),
        note=t("overview.percentage_points" if metric.unit == "share" else "overview.points")
        if unit == "points"
        else None,
        href=parts.definition_href(context, metric),
        below=[legend(keys), *(html.P(text, className="remark") for text in texts if text), as_table(t, table)],
        data=pl.DataFrame(
            {
                "value": [one.value for one in change.parts],
                "label": [_value_words(context, by, one.value, labels) for one in change.parts],
                "before": [one.before for one in change.parts],
                "after": [one.after for one in change.parts],
                "level": [one.level for one in change.parts],
                "mix": [one.mix for one in change.parts],
                "contribution": [one.amount for one in change.parts],
            }
        ),
        rows_href=parts.rows_href(context, metric),
    )


# Board and alerts


def _amount(t: Translator, value: float | None, unit: str | None) -> str:
    """A value of a control chart or plan: counts are a day there, so they have decimals."""
    if unit == "count" and value is not None and not float(value).is_integer():
        return t.number(value, 2)
    return format_value(t, value, unit)


class _AlertWords:
    """Alerts in the reader's words."""

    def __init__(self, context: PageContext, names: Sequence[str]) -> None:
        self._t = context.t
        self._context = context
        self._words = Words(context.snapshot, context.t)
        self._metrics = {metric.name: metric for metric in queries.known_metrics(context.snapshot, names)}

    def metric(self, row: Mapping[str, Any]) -> str:
        found = self._metrics.get(row["metric"])
        return row["metric"] if found is None else found.label(self._t)

    def where(self, row: Mapping[str, Any]) -> str:
        """The unit, or the channel or product line of the whole organisation."""
        if row["part"] is not None:
            return self._words(row["unit_level"], row["part"])
        name = self._words("org_unit_id", row["org_unit_id"])
        return self._t("overview.rest_of", unit=name) if row["unit_level"] == "rest" else name

    def value(self, row: Mapping[str, Any], name: str) -> str:
        found = self._metrics.get(row["metric"])
        return _amount(self._t, row[name], found.unit if found else None)

    def what(self, row: Mapping[str, Any]) -> str:
        """What happened, in one sentence."""
        t = self._t
        if row["is_hidden"]:
            return t("rights.hidden")
        if row["stage"] == "in_process":
            if not row["numerator"]:
                return t("overview.due_soon", n=t.integer(row["denominator"] or 0))
            return t("overview.overdue", n=t.integer(row["numerator"]), duration=t.duration(row["overdue_seconds"]))
        if row["stage"] == "early_warning" and row["value"] is None:
            return t(
                "overview.will_miss_unseen",
                plan=self.value(row, "reference"),
                errors=t.number(row["errors_from_reference"]),
            )
        if row["stage"] == "early_warning":
            return t(
                "overview.will_miss",
                value=self.value(row, "value"),
                plan=self.value(row, "reference"),
                errors=t.number(row["errors_from_reference"]),
            )
        return t("overview.signal", value=self.value(row, "value"), centre=self.value(row, "reference"), errors=t.number(row["errors_from_reference"]))  # fmt: skip

    def why(self, row: Mapping[str, Any]) -> str:
        """What contributes most, how far it is mix, and whether trouble is known."""
        t, words, said = self._t, self._words, []
        if row["is_hidden"]:
            return ""
        change = row["change_since_baseline"]
        if change:
            mixes = [(abs(row[f"{name}_mix_effect"] or 0.0), name) for name in ("channel", "product", "unit")]
            most, name = max(mixes)
            share = most / abs(change)
            said.append(
                t("overview.mostly_level") if share < 0.5 else t("overview.mostly_mix", of=t(f"overview.mix_{name}"))
            )
        tops = (
            ("org_unit_id", row["top_unit_id"], row["top_unit_share"]),
            ("channel", row["top_channel"], row["top_channel_share"]),
            ("product_line", row["top_product_line"], row["top_product_share"]),
        )
        for dimension, value, share in tops:
            if value not in (None, "none") and share and value != row["org_unit_id"]:
                said.append(f"{words(dimension, value)} {t.percent(share, 0)}")
        if row["operational_events"]:
            said.append(t("overview.known_trouble"))
        return t("part.and").join(said)

    def days(self, row: Mapping[str, Any]) -> str:
        t = self._t
        if row["stage"] == "in_process":
            return t("overview.as_of", day=t.date(row["last_day"]))
        return (
            t.date(row["first_day"])
            if row["first_day"] >= row["last_day"]
            else t.period(row["first_day"], row["last_day"])
        )

    def href(self, row: Mapping[str, Any]) -> str | None:
        """The page behind the number, narrowed to the unit of the alert."""
        found = self._metrics.get(row["metric"])
        if found is None:
            return None
        view = self._context.view
        if row["part"] is None and row["org_unit_id"] and row["unit_level"] in ("province", "city"):
            view = replace(view, units=(row["org_unit_id"],))
        here = replace(self._context, view=view)
        behind = parts.page_behind(here, found)
        return behind[1] if behind else parts.definition_href(here, found)


def _board(context: PageContext, alerts: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Three columns: what will go wrong, what is going wrong now, what went wrong."""
    t = context.t
    said = _AlertWords(context, sorted({row["metric"] for row in alerts}))
    words = Words(context.snapshot, t)
    columns = []
    for stage in headlines.STAGES:
        mine = [row for row in alerts if row["stage"] == stage]
        counts = t("part.and").join(
            f"{words('severity', one)} {t.integer(n)}"
            for one in headlines.SEVERITIES
            if (n := sum(row["severity"] == one for row in mine))
        )
        cards: list[Any] = [
            html.Div(
                [
                    html.Div(
                        [
                            html.Span(words("severity", row["severity"]), className=f"badge badge-{row['severity']}"),
                            " ",
                            dcc.Link(said.metric(row), href=said.href(row)) if said.href(row) else said.metric(row),
                            f" · {said.where(row)}",
                        ]
                    ),
                    html.Div(said.what(row)),
                    html.Div(said.why(row), className="remark") if said.why(row) else None,
                    html.Div(said.days(row), className="remark"),
                ],
                className="lane-card",
            )
            for row in mine[:OF_A_STAGE]
        ]
        if not mine:
            cards = [states.empty(t, t(f"overview.none_{stage}"))]
        elif len(mine) > OF_A_STAGE:
            cards.append(html.P(t("overview.more_below", n=t.integer(len(mine) - OF_A_STAGE)), className="remark"))
        columns.append(
            html.Div(
                [
                    html.H3(words("stage", stage), id=f"board-{stage.replace('_', '-')}"),
                    html.P(counts or t("overview.none"), className="remark"),
                    *cards,
                ],
                className="panel",
            )
        )
    return [html.Div(columns, className="board")]


def _alerts(context: PageContext, alerts: Sequence[Mapping[str, Any]], total: int) -> list[Any]:
    t, view = context.t, context.view
    ignored = [
        name
        for name, chosen in (("channel", view.channels), ("product_line", view.products), ("customer_kind", view.kinds))
        if chosen
    ]
    text = parts.not_narrowed(t, ignored)
    remarks = [html.P(text, className="remark")] if text else []
    if not alerts:
        return [html.Div([states.empty(t, t("overview.no_alerts")), *remarks], className="panel")]
    said = _AlertWords(context, sorted({row["metric"] for row in alerts}))
    words = Words(context.snapshot, t)
    shown = [
        {
            "severity": words("severity", row["severity"]),
            "stage": words("stage", row["stage"]),
            "metric": said.metric(row),
            "where": said.where(row),
            "what": said.what(row),
            "why": said.why(row),
            "days": said.days(row),
            "owner": row["owner"],
        }
        for row in alerts
    ]
    columns = [
        Column("severity", t("overview.severity"), width=115),
        Column("stage", t("overview.stage"), width=140),
        Column("metric", t("overview.figure"), width=190, wraps=True),
        Column("where", t("overview.where"), width=150, wraps=True),
        Column("what", t("overview.what"), "long", width=260, wraps=True),
        Column("why", t("overview.why"), "long", width=260, wraps=True),
        Column("days", t("overview.days"), width=150, wraps=True),
        Column("owner", t("overview.owner"), width=150, wraps=True),
    ]
    note = t("overview.alerts_shown", shown=t.integer(len(alerts)), total=t.integer(total))
    return [
        data_grid(t, "alerts-list", columns, shown, label=t("overview.alerts"), height_rows=8),
        html.P(note, className="lead"),
        *remarks,
    ]


def _plans(context: PageContext) -> list[Any]:
    """The newest month against its plan."""
    t = context.t
    rows = headlines.month_plans(context.snapshot, context.filters(context.span))
    if not rows:
        return [html.Div(states.empty(t, t("overview.no_plans")), className="panel")]
    words = Words(context.snapshot, t)
    metrics = {
        metric.name: metric
        for metric in queries.known_metrics(context.snapshot, sorted({row["metric"] for row in rows}))
    }
    several = len({row["org_unit_id"] for row in rows}) > 1
    cells = []
    for row in rows:
        metric = metrics.get(row["metric"])
        unit = metric.unit if metric else None
        name = metric.label(t) if metric else row["metric"]
        state = words("plan_state", row["plan_state"])
        if row["is_early_warning"]:
            state = f"{state} · {words('stage', 'early_warning')}"
        cells.append(
            [
                f"{name} · {words('org_unit_id', row['org_unit_id'])}" if several else name,
                _amount(t, row["actual"], unit),
                _amount(t, row["plan"], unit),
                _amount(t, row["target"], unit),
                EMPTY if row["is_final"] else _amount(t, row["forecast"], unit),
                EMPTY if row["is_final"] else t.integer(row["days_left"]),
                state,
            ]
        )
    names = ("figure", "actual", "plan", "target", "forecast", "days_left", "state")
    table = plain_table([t(f"overview.{name}") for name in names], cells)
    where = EMPTY if several else words("org_unit_id", rows[0]["org_unit_id"])
    note = t("overview.month_of", month=t.month(rows[0]["month_start"])) if several else t("overview.month_of_unit", month=t.month(rows[0]["month_start"]), unit=where)  # fmt: skip
    return [
        html.Div(
            [
                html.Div(table, className="table-scroll table-whole", tabIndex=0),
                html.P(f"{note} {t('overview.counts_a_day')}", className="remark"),
            ],
            className="panel",
        )
    ]


PAGE = Page(key="overview", path=PATH, render=render)
