"""The contact centre, in five tabs: calls and waits, the voice menu, staffing, agents, quality reviews."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl
from dash import html

from dashboards.components import states
from dashboards.components.chart import as_table, chart_panel, plain_table
from dashboards.components.grid import Column, data_grid
from dashboards.components.section import section
from dashboards.components.tabs import tabs
from dashboards.components.values import format_value
from dashboards.data import contact_centre, queries
from dashboards.data.customers import Words
from dashboards.figures.day import DayLine, day_figure
from dashboards.figures.flow import Flow, Place, flow_figure, flow_height
from dashboards.figures.heat import week_figure
from dashboards.figures.ranges import Range, ranges_figure, ranges_height
from dashboards.pages import parts, quality_reviews
from dashboards.pages.base import Page, PageContext
from dashboards.pages.panels import variants_panel

PATH = "/contact-centre"

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
DAY_HEIGHT = 280
RANKED = ("transfer_rate", "hold_rate", "average_hold_time", "ring_no_answer_rate", "quality_score", "fatal_error_rate")
"""Metrics that agents can be ranked by: each has a better direction and an interval."""
BESIDE = ("calls_credited_to_every_agent", "average_handle_time_per_leg", "occupancy", "schedule_adherence")
"""What stands beside the ranked metric in the list of agents."""
MOST_AGENTS = 60
ENDS = {"contained": "good", "answered": "plain", "flow_out": "neutral", "abandoned": "bad", "abandoned_in_ivr": "bad"}
"""How calls end, in the order of the picture, with its tone."""


def render(context: PageContext) -> html.Div:
    """The page with the tab that the address asks for."""
    return parts.tabbed_page(context, "contact_centre", PATH, TABS, details=parts.period_details(context))


def _calls(context: PageContext) -> list[Any]:
    t = context.t
    return [
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
                variants_panel(context, "service_level"),
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
                variants_panel(context, "average_speed_of_answer"),
            ),
        ),
        section(
            "abandonment",
            t("contact_centre.abandonment"),
            parts.panels(
                *parts.trend_panels(context, ["abandonment_rate"]),
                variants_panel(context, "abandonment"),
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


def _menu(context: PageContext) -> list[Any]:
    t = context.t
    return [
        section(
            "headline",
            t("kpi.section"),
            parts.cards(
                context,
                (
                    "left_in_menu_rate", "menu_drop_off_rate", "menu_opt_out_rate", "containment_rate_24h", "containment_rate_48h",
                    "containment_rate_72h",
                ),
            ),
        ),
        section("ways", t("contact_centre.ways"), _ways(context), lead=t("contact_centre.ways_lead")),
        section(
            "nodes",
            t("contact_centre.nodes"),
            parts.panels(
                parts.split_panel(context, "menu_drop_off_rate", "node"),
                parts.split_panel(context, "menu_opt_out_rate", "node"),
                parts.split_panel(context, "menu_node_visits", "node", as_bars=True),
                *parts.trend_panels(context, ["left_in_menu_rate"]),
                *parts.trend_panels(context, ["containment_rate_24h"]),
                variants_panel(context, "containment"),
            ),
        ),
    ]  # fmt: skip


def _ways(context: PageContext) -> html.Div:
    """Where callers went in the voice menu and how their calls ended."""
    t = context.t
    title = t("contact_centre.ways_chart")
    ways = contact_centre.menu_ways(context.snapshot, context.filters(context.span))
    if not ways.steps:
        return parts.empty_panel(t, "menu-ways", title, t("contact_centre.no_menu"))
    words = Words(context.snapshot, t)
    last = max(here[0] for here, _, _ in ways.steps) + 1
    order = list(ENDS)
    into: dict[tuple[int, str], int] = {}
    out: dict[tuple[int, str], int] = {}
    for here, there, calls in ways.steps:
        out[here] = out.get(here, 0) + calls
        into[there] = into.get(there, 0) + calls
    # To a limited reader some flows are not shown, so as much need not leave a node as enters it.
    sizes = {place: max(into.get(place, 0), out.get(place, 0)) for place in {*into, *out}}

    def place_order(place: tuple[int, str]) -> tuple[Any, ...]:
        step, name = place
        if step == 0:
            return (last, order.index(name) if name in order else len(order), name)
        return (step, -sizes[place], name)

    found = sorted(sizes, key=place_order)
    position = {place: index for index, place in enumerate(found)}

    def name_of(place: tuple[int, str]) -> str:
        return words("disposition" if place[0] == 0 else "node", place[1])

    places = [
        Place(
            name_of(place),
            last - 1 if place[0] == 0 else place[0] - 1,
            ENDS.get(place[1], "neutral") if place[0] == 0 else "plain",
            t.percent(sizes[place] / ways.calls if ways.calls else None, 0),
        )
        for place in found
    ]
    flows = [Flow(position[here], position[there], calls) for here, there, calls in ways.steps]
    table = plain_table(
        [t("contact_centre.step"), t("contact_centre.from"), t("contact_centre.to"), t("contact_centre.calls"), t("contact_centre.of_step")],
        [
            [t.integer(here[0]), name_of(here), name_of(there), t.integer(calls), t.percent(calls / sizes[here])]
            for here, there, calls in sorted(ways.steps, key=lambda one: (one[0][0], -one[2], one[0], one[1]))
        ],
        last_is_text=False,
    )  # fmt: skip
    remarks = [
        t("contact_centre.entered", calls=t.integer(ways.calls)),
        t("contact_centre.loops", calls=t.integer(ways.returned)),
        t("rights.left_out") if ways.hidden else "",
    ]
    picture = chart_panel(
        t,
        "menu-ways",
        title,
        flow_figure(t, places, flows, t("contact_centre.calls")),
        label=t("part.chart_label", name=title, period=t.period(context.span.start, context.span.end)),
        height=flow_height(places),
        below=[*(html.P(text, className="remark") for text in remarks if text), as_table(t, table)],
        data=pl.DataFrame(
            [
                {"step": here[0], "from": here[1], "to": there[1], "is_end": there[0] == 0, "calls": calls}
                for here, there, calls in ways.steps
            ]
        ),
    )
    picture.children[1].tabIndex = 0  # on a narrow screen it is scrolled
    return html.Div(picture, className="wide-chart")


def _staffing(context: PageContext) -> list[Any]:
    t = context.t
    rows = contact_centre.staffing(context.snapshot)
    found: list[Any] = [
        section(
            "headline",
            t("kpi.section"),
            parts.cards(context, ("queue_entries", "service_level_by_queue_entry", "occupancy", "schedule_adherence")),
        )
    ]
    if rows:
        found.append(_plan(context, rows))
    else:
        found.append(section("plan", t("contact_centre.plan"), states.empty(t, t("contact_centre.no_plan"))))
    found.append(
        section(
            "doing",
            t("contact_centre.doing"),
            parts.panels(
                _by_half_hour(context, "occupancy"),
                _by_half_hour(context, "schedule_adherence"),
                parts.split_panel(context, "occupancy", "org_unit_id"),
                parts.split_panel(context, "schedule_adherence", "org_unit_id"),
                *parts.trend_panels(context, ["occupancy", "schedule_adherence"]),
            ),
            lead=t("contact_centre.doing_lead"),
        )
    )
    return found


def _plan(context: PageContext, rows: Sequence[dict[str, Any]]) -> html.Section:
    """One queue by half hour on working days and days off, and all queues in a list."""
    t = context.t
    words = Words(context.snapshot, t)
    queues = sorted(
        {row["queue"] for row in rows},
        key=lambda name: (-sum(row["calls"] for row in rows if row["queue"] == name), name),
    )
    asked = context.view.of_page("queue")
    queue = asked if asked in queues else queues[0]
    mine = [row for row in rows if row["queue"] == queue]
    goal = mine[0]
    links = tabs(
        t("contact_centre.queue"),
        [(name, words("queue", name), context.link(PATH, tab="staffing", queue=name)) for name in queues],
        queue,
    )
    target = t(
        "contact_centre.target",
        share=t.percent(goal["service_level"], 0),
        seconds=t.integer(goal["within_seconds"]),
        definition=t(f"contact_centre.definition_{goal['definition']}"),
        model=t(f"contact_centre.model_{goal['model']}"),
        handle=t.duration(goal["handle_seconds"])
        if goal["handle_seconds"] is not None
        else t("contact_centre.unknown"),
        patience=t.duration(goal["patience_seconds"])
        if goal["patience_seconds"] is not None
        else t("contact_centre.endless"),
        first=t.date(goal["first_on"]),
        last=t.date(goal["as_of"]),
    )
    return section(
        "plan",
        t("contact_centre.plan"),
        links,
        html.P(target, className="remark"),
        parts.panels(*(_day_panel(context, mine, kind, words) for kind in ("working_day", "day_off"))),
        html.H3(t("contact_centre.all_queues"), className="list-head"),
        _queue_list(context, rows, queues, words),
        html.P(t("contact_centre.plan_note", shrinkage=t.percent(goal["shrinkage"], 0)), className="lead"),
        lead=t("contact_centre.plan_lead"),
    )  # fmt: skip


def _day_panel(context: PageContext, rows: Sequence[dict[str, Any]], kind: str, words: Words) -> html.Div:
    t = context.t
    mine = [row for row in rows if row["day_type"] == kind]
    title = t("contact_centre.day_chart", queue=words("queue", rows[0]["queue"]), day=words("day_type", kind))
    key = f"staffing-{kind}".replace("_", "-")
    if not mine:
        return parts.empty_panel(t, key, title, t("contact_centre.no_such_day"))

    def hover(row: dict[str, Any]) -> str:
        lines = [
            f"<b>{row['half_hour']}</b>",
            f"{t('contact_centre.required')}: {t.number(row['required_agents'], 1)}",
            f"{t('contact_centre.rostered')}: {t.number(row['rostered_agents'], 1)}",
            f"{t('contact_centre.calls_a_half_hour')}: {t.number(row['calls'], 1)}",
            f"{t('contact_centre.met')}: {t.percent(row['measured_service_level'])}",
            f"{t('contact_centre.days')}: {t.integer(row['days'])}",
        ]
        return "<br>".join(lines)

    lines = [
        DayLine(t("contact_centre.required"), [row["required_agents"] for row in mine], [hover(row) for row in mine]),
        DayLine(t("contact_centre.rostered"), [row["rostered_agents"] for row in mine], [hover(row) for row in mine]),
    ]
    table = plain_table(
        [
            t("contact_centre.half_hour"), t("contact_centre.calls"), t("contact_centre.required"), t("contact_centre.rostered"),
            t("contact_centre.short_share"), t("contact_centre.met"), t("contact_centre.days"),
        ],
        [
            [
                row["half_hour"], t.number(row["calls"], 1), t.number(row["required_agents"], 1), t.number(row["rostered_agents"], 1),
                t.percent(row["short_share"]), t.percent(row["measured_service_level"]), t.integer(row["days"]),
            ]
            for row in mine
        ],
        last_is_text=False,
    )  # fmt: skip
    remarks = []
    if all(row["rostered_agents"] is None for row in mine):
        remarks.append(html.P(t("contact_centre.no_roster"), className="remark"))
    return chart_panel(
        t,
        key,
        title,
        day_figure([row["half_hour"] for row in mine], lines, t("contact_centre.agents_axis"), filled=True),
        label=title,
        height=DAY_HEIGHT,
        below=[*remarks, as_table(t, table)],
        data=pl.DataFrame(mine, infer_schema_length=None),
    )


def _queue_list(context: PageContext, rows: Sequence[dict[str, Any]], queues: Sequence[str], words: Words) -> html.Div:
    t = context.t
    shown = []
    for queue in queues:
        for kind in ("working_day", "day_off"):
            mine = [row for row in rows if row["queue"] == queue and row["day_type"] == kind]
            if not mine:
                continue
            rostered = [row["rostered_agents"] for row in mine if row["rostered_agents"] is not None]
            short = [row["short_share"] for row in mine if row["short_share"] is not None]
            shown.append(
                {
                    "queue": words("queue", queue),
                    "day": words("day_type", kind),
                    "target": t("contact_centre.target_short", share=t.percent(mine[0]["service_level"], 0), seconds=t.integer(mine[0]["within_seconds"])),
                    "calls": sum(row["calls"] for row in mine),
                    "peak": max(row["required_agents"] or 0 for row in mine),
                    "required": sum(row["required_agents"] or 0 for row in mine) / 2,
                    "rostered": sum(rostered) / 2 if rostered else None,
                    "short": 100 * sum(short) / len(short) if short else None,
                    "handle": t.duration(mine[0]["handle_seconds"]),
                }
            )  # fmt: skip
    columns = [
        Column("queue", t("contact_centre.queue"), width=190),
        Column("day", t("contact_centre.day"), width=120),
        Column("target", t("contact_centre.target_head"), width=130),
        Column("calls", t("contact_centre.calls_a_day"), "number", width=130),
        Column("handle", t("contact_centre.handle"), width=130),
        Column("peak", t("contact_centre.peak"), "number", width=150),
        Column("required", t("contact_centre.required_hours"), "number", width=150),
        Column("rostered", t("contact_centre.rostered_hours"), "number", width=150),
        Column("short", t("contact_centre.short_percent"), "number", width=160),
    ]
    return data_grid(t, "staffing-queues", columns, shown, label=t("contact_centre.all_queues"), height_rows=10)


def _by_half_hour(context: PageContext, name: str) -> html.Div:
    """A metric over the half hours of the day, all days of the period together."""
    t = context.t
    key = f"by-half-hour-{name}".replace("_", "-")
    found = queries.known_metrics(context.snapshot, [name])
    if not found:
        return parts.empty_panel(t, key, name, t("state.empty.no_metric"))
    metric = found[0]
    title = t("part.by", name=metric.label(t), dimension=parts.dimension_name(t, "half_hour"))
    filters, unknown = metric.narrowed(context.filters(context.span))
    frame = queries.metric_slices(context.snapshot, name, ["half_hour"], filters).sort("half_hour")
    remark = parts.not_narrowed(t, unknown)
    remarks: list[Any] = [html.P(text, className="remark") for text in (remark, parts.left_out(context, frame)) if text]
    if not frame.height or frame["value"].null_count() == frame.height:
        return parts.empty_panel(t, key, title, t("kpi.no_contacts"), remarks)
    rows = frame.to_dicts()
    hover = [
        f"<b>{row['half_hour']}</b><br>{t('trend.value')}: {format_value(t, row['value'], metric.unit)}" for row in rows
    ]
    table = plain_table(
        [parts.heading(parts.dimension_name(t, "half_hour")), t("trend.value")],
        [[row["half_hour"], format_value(t, row["value"], metric.unit)] for row in rows],
        last_is_text=False,
    )
    return chart_panel(
        t,
        key,
        title,
        day_figure(
            [row["half_hour"] for row in rows],
            [DayLine(metric.label(t), [row["value"] for row in rows], hover)],
            metric.label(t),
            share=metric.unit == "share",
        ),
        label=t("part.chart_label", name=title, period=t.period(context.span.start, context.span.end)),
        height=DAY_HEIGHT,
        href=parts.definition_href(context, metric),
        below=[*remarks, as_table(t, table)],
        metric=name,
        data=frame,
        rows_href=parts.rows_href(context, metric),
    )


def _agents(context: PageContext) -> list[Any]:
    t = context.t
    metrics = queries.known_metrics(context.snapshot, RANKED)
    if not metrics:
        return [states.empty(t, t("state.empty.no_metric"))]
    asked = context.view.of_page("metric")
    metric = next((one for one in metrics if one.name == asked), metrics[0])
    choices = tabs(
        t("contact_centre.ranked_by"),
        [(one.name, one.label(t), context.link(PATH, tab="agents", metric=one.name)) for one in metrics],
        metric.name,
    )
    filters, unknown = metric.narrowed(context.filters(context.span))
    rows = contact_centre.agent_places(context.snapshot, metric.name, filters)
    remark = parts.not_narrowed(t, unknown)
    remarks = [html.P(remark, className="remark")] if remark else []
    if not rows:
        return [
            section(
                "ranks", t("contact_centre.ranks"), choices, states.empty(t, t("contact_centre.no_agents")), *remarks
            )
        ]
    ranked = [row for row in rows if row["best_place"] is not None]
    left = len(rows) - len(ranked)
    if left:
        remarks.append(
            html.P(
                t("contact_centre.not_ranked", count=t.integer(left), base=t.integer(metric.minimum_base)),
                className="remark",
            )
        )
    if len(ranked) > MOST_AGENTS:
        remarks.append(
            html.P(
                t("part.left_out", count=t.integer(len(ranked) - MOST_AGENTS), shown=t.integer(MOST_AGENTS)),
                className="remark",
            )
        )
    return [
        section(
            "ranks",
            t("contact_centre.ranks"),
            choices,
            parts.panels(*_rank_panels(context, metric, ranked[:MOST_AGENTS], remarks)),
            lead=t("contact_centre.ranks_lead"),
        ),
        section("agents", t("contact_centre.agents"), _agent_list(context, metric, rows), lead=t("contact_centre.agents_lead")),
    ]  # fmt: skip


def _rank_panels(
    context: PageContext, metric: queries.MetricInfo, ranked: Sequence[dict[str, Any]], remarks: Sequence[Any]
) -> list[html.Div]:
    t = context.t
    titles = (
        t("part.by", name=metric.label(t), dimension=parts.dimension_name(t, "agent_id")),
        t("contact_centre.places"),
    )
    if not ranked:
        return [parts.empty_panel(t, "agent-values", titles[0], t("contact_centre.nobody_ranked"), remarks)]
    filters, _ = metric.narrowed(context.filters(context.span))
    overall = queries.metric_values(context.snapshot, [metric.name], filters)[metric.name].value
    count = ranked[0]["ranked"]

    def hover(row: dict[str, Any]) -> str:
        return "<br>".join(
            [
                f"<b>{row['agent_id']}</b>",
                f"{metric.label(t)}: {format_value(t, row['value'], metric.unit)}",
                f"{t('trend.interval')}: {t('kpi.interval', low=format_value(t, row['low'], metric.unit), high=format_value(t, row['high'], metric.unit))}",
                f"{t('trend.n')}: {t.integer(row['n'])}",
                f"{t('contact_centre.place')}: {_places(t, row)}",
            ]
        )

    values = [Range(row["agent_id"], row["low"], row["high"], row["value"], hover(row)) for row in ranked]
    places = [
        Range(row["agent_id"], row["best_place"], row["worst_place"], None, hover(row), row["best_place"] == row["worst_place"])
        for row in ranked
    ]  # fmt: skip
    table = plain_table(
        [parts.heading(parts.dimension_name(t, "agent_id")), t("trend.value"), t("trend.interval_column"), t("trend.n"), t("contact_centre.place")],
        [
            [
                row["agent_id"],
                format_value(t, row["value"], metric.unit),
                t("kpi.interval", low=format_value(t, row["low"], metric.unit), high=format_value(t, row["high"], metric.unit)),
                t.integer(row["n"]),
                _places(t, row),
            ]
            for row in ranked
        ],
        last_is_text=False,
    )  # fmt: skip
    data = pl.DataFrame(ranked, infer_schema_length=None)
    share = metric.unit == "share"
    unit = metric.label(t) if share else t("contact_centre.in_seconds", name=metric.label(t))
    label = t("part.chart_label", name=titles[0], period=t.period(context.span.start, context.span.end))
    below = [*remarks]
    if overall is not None:
        below.insert(0, html.P(t("part.overall", value=format_value(t, overall, metric.unit)), className="remark"))
    return [
        chart_panel(
            t, "agent-values", titles[0], ranges_figure(values, unit, share=share, line=overall), label=label, height=ranges_height(values),
            href=parts.definition_href(context, metric), below=[*below, as_table(t, table)], metric=metric.name, data=data,
            rows_href=parts.rows_href(context, metric),
        ),
        chart_panel(
            t, "agent-places", titles[1], ranges_figure(places, t("contact_centre.place_of", count=t.integer(count)), whole=True),
            label=titles[1], height=ranges_height(places), below=[html.P(t("contact_centre.places_note"), className="remark")], data=data,
        ),
    ]  # fmt: skip


def _places(t: Any, row: dict[str, Any]) -> str:
    if row["best_place"] is None:
        return t("contact_centre.no_place")
    if row["best_place"] == row["worst_place"]:
        return t.integer(row["best_place"])
    return t("contact_centre.from_to", best=t.integer(row["best_place"]), worst=t.integer(row["worst_place"]))


def _agent_list(context: PageContext, metric: queries.MetricInfo, rows: Sequence[dict[str, Any]]) -> html.Div:
    t = context.t
    words = Words(context.snapshot, t)
    beside = queries.known_metrics(context.snapshot, BESIDE)
    values: dict[str, dict[str, float | None]] = {}
    for other in beside:
        filters, _ = other.narrowed(context.filters(context.span))
        frame = queries.metric_slices(context.snapshot, other.name, ["agent_id"], filters)
        values[other.name] = dict(frame.select("agent_id", "value").iter_rows())
    units = {row["agent_id"]: row for row in contact_centre.agents(context.snapshot)}
    scale = 100.0 if metric.unit == "share" else 1.0

    def number(value: float | None, unit: str | None) -> float | None:
        return None if value is None else value * 100 if unit == "share" else value

    shown = [
        {
            "agent": row["agent_id"],
            "unit": words("org_unit_id", units[row["agent_id"]]["org_unit_id"]) if row["agent_id"] in units else words(None, None),
            "place": _places(t, row),
            "value": row["value"] * scale,
            "low": None if row["low"] is None else row["low"] * scale,
            "high": None if row["high"] is None else row["high"] * scale,
            "n": row["n"],
            **{other.name: number(values[other.name].get(row["agent_id"]), other.unit) for other in beside},
        }
        for row in rows
    ]  # fmt: skip

    def head(name: str, unit: str | None) -> str:
        return (
            t("contact_centre.in_percent", name=name)
            if unit == "share"
            else t("contact_centre.in_seconds", name=name)
            if unit == "seconds"
            else name
        )

    columns = [
        Column("agent", parts.heading(parts.dimension_name(t, "agent_id")), width=110),
        Column("unit", t("filter.unit"), width=170),
        Column("place", t("contact_centre.place"), width=120),
        Column("value", head(metric.label(t), metric.unit), "number", width=190),
        Column("low", t("contact_centre.low"), "number", width=130),
        Column("high", t("contact_centre.high"), "number", width=130),
        Column("n", t("contact_centre.base"), "number", width=90),
        *(Column(other.name, head(other.label(t), other.unit), "number", width=190) for other in beside),
    ]
    return data_grid(t, "agents-list", columns, shown, label=t("contact_centre.agents"), height_rows=14)


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


TABS: dict[str, Callable[[PageContext], list[Any]]] = {
    "calls": _calls,
    "menu": _menu,
    "staffing": _staffing,
    "agents": _agents,
    "quality": quality_reviews.tab,
}

PAGE = Page(key="contact_centre", path=PATH, render=render)
