"""Panels of the customers page: flows on the ladder and between tiers, inertia, type and cause of churn, winning back, promises to tiers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import polars as pl
from dash import html

from dashboards import theme
from dashboards.components import states
from dashboards.components.chart import as_table, chart_panel, legend, plain_table
from dashboards.components.grid import Column, data_grid
from dashboards.components.tabs import tabs
from dashboards.components.values import format_value
from dashboards.data import customer_flows, queries
from dashboards.data.customers import Words
from dashboards.figures.curves import Curve, curves_figure
from dashboards.figures.flow import Flow, Place, flow_figure
from dashboards.figures.matrix import matrix_figure, matrix_height
from dashboards.figures.slices import Slice, figure_height, slices_figure
from dashboards.i18n import EMPTY
from dashboards.pages import parts
from dashboards.pages.base import PageContext
from dashboards.state import Span

FLOW_HEIGHT = 360
CURVE_HEIGHT = 300
MOST_WATCHED = 500
LEAST_JUDGED = 30
"""Fewest cases with which a promise kept is drawn in shades."""
RUNGS = ("loyal", "retained", "satisfied", "new", "potential", "joined", "unknown", "left")
"""Rungs from above; what is no rung stands below."""
CHURN_TYPES = ("negligent", "competitive", "malicious", "natural", "unknown")
CAUSES = ("value", "system", "employee", "unknown")
OUTCOMES = ("behaviour", "stay", "attitude")
INTENTIONS = ("will_stay", "undecided", "will_leave")
_TWO_YEARS = timedelta(days=729)


def _remarks(context: PageContext, *ignored: str, texts: Sequence[str | None] = ()) -> list[Any]:
    """What a panel is not narrowed by, of the filters that are set, and more to say."""
    view = context.view
    chosen = {
        "org_unit_id": view.units,
        "channel": view.channels,
        "product_line": view.products,
        "customer_kind": view.kinds,
    }
    left = parts.not_narrowed(context.t, [name for name in ignored if chosen[name]])
    return [html.P(text, className="remark") for text in (*texts, left) if text]


def _place(order: Sequence[str], value: str) -> tuple[int, str]:
    return (order.index(value) if value in order else len(order), value)


# Loyalty


def ladder_flow(context: PageContext) -> html.Div:
    """Who went up and down the ladder in a quarter, as bands."""
    t = context.t
    title = t("customers.flows")
    rows = customer_flows.ladder_moves(context.snapshot, context.filters(context.span))
    ignored = ("org_unit_id", "channel", "product_line")
    if not rows:
        return parts.empty_panel(t, "ladder-flow", title, t("customers.no_quarter"), _remarks(context, *ignored))
    words = Words(context.snapshot, t)
    before = {
        key: sum(row["customers"] for row in rows if row["rung_before"] == key)
        for key in {row["rung_before"] for row in rows}
    }
    after = {key: sum(row["customers"] for row in rows if row["rung"] == key) for key in {row["rung"] for row in rows}}
    colour = {rung: theme.SERIES[index % len(theme.SERIES)] for index, rung in enumerate(RUNGS)}
    places: list[Place] = []
    position: dict[tuple[int, str], int] = {}
    for stage, counted, dimension in ((0, before, "rung_before"), (1, after, "rung")):
        for rung in sorted(counted, key=lambda rung: _place(RUNGS, rung)):
            position[stage, rung] = len(places)
            places.append(
                Place(
                    words(dimension, rung), stage, note=t.integer(counted[rung]), colour=colour.get(rung, theme.FAINT)
                )
            )

    def height(rung: str) -> int:
        return RUNGS.index(rung) if rung in RUNGS else len(RUNGS)

    flows = [
        Flow(
            position[0, row["rung_before"]], position[1, row["rung"]], row["customers"],
            row["rung"] == "left" or (row["rung_before"] in RUNGS[:4] and height(row["rung"]) != height(row["rung_before"])),
        )
        for row in sorted(rows, key=lambda row: (height(row["rung_before"]), height(row["rung"])))
    ]  # fmt: skip
    columns = sorted(after, key=lambda rung: _place(RUNGS, rung))
    lines = sorted(before, key=lambda rung: _place(RUNGS, rung))
    counts = {(row["rung_before"], row["rung"]): row["customers"] for row in rows}
    table = plain_table(
        [t("customers.from_to"), *(words("rung", rung) for rung in columns)],
        [[words("rung_before", rung), *(t.integer(counts.get((rung, to), 0)) for to in columns)] for rung in lines],
        last_is_text=False,
    )
    day = rows[0]["quarter_end"]
    return chart_panel(
        t,
        "ladder-flow",
        title,
        flow_figure(t, places, flows, t("customers.number"), FLOW_HEIGHT),
        label=t("part.chart_label", name=title, period=t.grain_label(day.replace(day=1), "quarter")),
        height=FLOW_HEIGHT,
        note=t("customers.before_after"),
        below=[
            *_remarks(
                context, *ignored, texts=[t("customers.quarter_to", day=t.date(day)), t("customers.strong_bands")]
            ),
            as_table(t, table),
        ],
        data=pl.DataFrame(rows, infer_schema_length=None),
    )


def ladder_dwell(context: PageContext) -> html.Div:
    """How long customers stay on a rung."""
    t = context.t
    title = t("customers.dwell")
    rows = customer_flows.ladder_dwell(context.snapshot)
    if not rows:
        return parts.empty_panel(t, "ladder-dwell", title, t("customers.no_dwell"))
    words = Words(context.snapshot, t)
    curves, cells = [], []
    for rung in sorted({row["rung"] for row in rows}, key=lambda rung: _place(RUNGS, rung)):
        mine = [row for row in rows if row["rung"] == rung]
        name = words("rung", rung)
        curves.append(
            Curve(
                name,
                [0, *(row["quarters"] for row in mine)],
                [1.0, *(row["still_there"] for row in mine)],
                [
                    f"<b>{name}</b>",
                    *(
                        f"<b>{name}</b><br>{t('customers.after_quarters', quarters=t.integer(row['quarters']))}: {t.percent(row['still_there'])}"
                        f"<br>{t('customers.at_risk')}: {t.integer(row['at_risk'])}"
                        for row in mine
                    ),
                ],
            )
        )
        cells.append(
            [
                name,
                t.percent(mine[0]["still_there"]),
                t.integer(mine[0]["median_quarters"]),
                t.integer(mine[0]["at_risk"]),
            ]
        )
    table = plain_table(
        [
            parts.heading(t("dimension.rung")),
            t("customers.after_quarters", quarters="1"),
            t("customers.median_quarters"),
            t("customers.at_risk"),
        ],
        cells,
        last_is_text=False,
    )
    return chart_panel(
        t,
        "ladder-dwell",
        title,
        curves_figure(curves, t("customers.quarters"), in_steps=True),
        label=title,
        height=CURVE_HEIGHT,
        below=[html.P(t("customers.all_data"), className="remark"), as_table(t, table)],
        data=pl.DataFrame(rows, infer_schema_length=None),
    )


def stated_and_stayed(context: PageContext) -> html.Div:
    """Whether those who said they would stay did, and those who said they would leave."""
    span = context.span
    wide = Span(min(span.start, span.end - _TWO_YEARS), span.end)
    return parts.split_panel(
        context,
        "stayed_rate_180d",
        "stated_intention",
        keep=INTENTIONS,
        title=context.t("customers.by_intention"),
        span=wide,
    )


def loyalty_effects(context: PageContext) -> html.Div:
    """What satisfaction goes along with a quarter later."""
    t = context.t
    title = t("customers.effects")
    rows = customer_flows.loyalty_effects(context.snapshot)
    if not rows:
        return parts.empty_panel(t, "loyalty-effects", title, t("customers.no_effects"))
    words = Words(context.snapshot, t)
    rows = sorted(
        rows,
        key=lambda row: (
            *_place(OUTCOMES, row["outcome"]),
            row["segment_kind"] != "all",
            row["segment_kind"],
            row["segment"],
        ),
    )

    def segment(row: Mapping[str, Any]) -> str:
        return t("customers.everybody") if row["segment_kind"] == "all" else words(row["segment_kind"], row["segment"])

    def amount(value: float | None, *, signed: bool = True) -> str:
        return EMPTY if value is None else t.signed(value, 2) if signed else t.number(value, 2)

    known = [row for row in rows if row["effect"] is not None]
    table = plain_table(
        [t("customers.outcome"), t("customers.segment"), t("customers.effect"), t("trend.interval_column"), t("customers.pairs"), t("customers.why_none")],
        [
            [
                t(f"customers.outcome_{row['outcome']}"), segment(row), amount(row["effect"]),
                EMPTY if row["effect_low"] is None else t("kpi.interval", low=t.signed(row["effect_low"], 2), high=t.signed(row["effect_high"], 2)),
                t.integer(row["pairs"]), words("reason", row["reason"]) if row["reason"] else "",
            ]
            for row in rows
        ],
    )  # fmt: skip
    without = sorted({row["outcome"] for row in rows} - {row["outcome"] for row in known})
    texts = [t("customers.effects_note")]
    if without:
        texts.append(
            t("customers.effects_without", names=t("part.and").join(t(f"customers.outcome_{name}") for name in without))
        )
    if not known:
        return parts.empty_panel(
            t,
            "loyalty-effects",
            title,
            t("customers.no_effects"),
            [*_remarks(context, texts=texts), as_table(t, table)],
        )
    slices = [
        Slice(t("part.pair", name=t(f"customers.outcome_{row['outcome']}"), value=segment(row)), row["effect"], row["effect_low"], row["effect_high"], None, None, row["pairs"])
        for row in known
    ]  # fmt: skip
    return chart_panel(
        t,
        "loyalty-effects",
        title,
        slices_figure(t, slices, "points", overall=0.0),
        label=t("part.chart_label", name=title, period=t.date(rows[0]["as_of"])),
        height=figure_height(len(slices)),
        note=t("customers.per_ten_points"),
        below=[
            legend([("key key-whisker", t("trend.interval"))]),
            *_remarks(context, texts=[*texts, t("customers.all_data")]),
            as_table(t, table),
        ],
        data=pl.DataFrame(rows, infer_schema_length=None),
    )


def inertia_watch(context: PageContext) -> list[Any]:
    """Customers held by something else than liking us, whom nothing holds soonest first."""
    t = context.t
    rows, total = customer_flows.inertia_watch(context.snapshot, context.filters(context.span), limit=MOST_WATCHED)
    remarks = _remarks(context, "channel", "product_line")
    if not rows:
        return [states.empty(t, t("customers.nobody_held")), *remarks]
    words = Words(context.snapshot, t)
    shown = [
        {
            "customer": row["customer_key"],
            "held": words("held_by", row["held_by"]),
            "until": t.date(row["held_until"]) if row["held_until"] else EMPTY,
            "days": row["days_until_released"],
            "fee": row["monthly_fee"],
            "attitude": row["attitude"],
            "behaviour": row["behaviour"],
            "probability": None if row["churn_probability"] is None else row["churn_probability"] * 100,
            "kind": words("customer_kind", row["customer_kind"]),
            "unit": words("org_unit_id", row["org_unit_id"]),
        }
        for row in rows
    ]
    columns = [
        Column("customer", t("customers.customer"), "customer", width=150),
        Column("held", t("customers.held_by"), width=170, wraps=True),
        Column("until", t("customers.held_until"), width=130),
        Column("days", t("customers.days_left"), "number", width=130),
        Column("fee", t("customers.fee"), "number", width=140),
        Column("attitude", t("customers.attitude"), "number", width=120),
        Column("behaviour", t("customers.behaviour"), "number", width=120),
        Column("probability", t("customers.probability"), "number", width=150),
        Column("kind", t("filter.kind"), width=110),
        Column("unit", t("filter.unit"), width=160, wraps=True),
    ]
    note = t(
        "customers.watch_shown", shown=t.integer(len(rows)), total=t.integer(total), day=t.date(rows[0]["quarter_end"])
    )
    return [
        data_grid(t, "customers-inertia", columns, shown, label=t("customers.watch"), height_rows=10),
        html.P(note, className="lead"),
        *remarks,
    ]


# Churn


def churn_matrix(context: PageContext) -> html.Div:
    """Departures by type and main cause, unknown ones included."""
    t = context.t
    title = t("customers.type_and_cause")
    frame = customer_flows.churn_matrix(context.snapshot, context.filters(context.span))
    cells = {(row["churn_type"], row["main_cause"]): row["departures"] for row in frame.to_dicts()}
    told = [value for value in cells.values() if value]
    if not told:
        return parts.empty_panel(t, "churn-matrix", title, t("customers.nobody_left"), _remarks(context, "channel"))
    words = Words(context.snapshot, t)
    types = sorted({kind for kind, _ in cells}, key=lambda kind: _place(CHURN_TYPES, kind))
    causes = sorted({cause for _, cause in cells}, key=lambda cause: _place(CAUSES, cause))
    names = [words("churn_type", kind) for kind in types]
    heads = [words("main_cause", cause) for cause in causes]
    total = sum(told)
    is_hidden = any(value is None for value in cells.values())

    def text(kind: str, cause: str) -> str:
        value = cells.get((kind, cause), 0)
        return EMPTY if value is None else t.integer(value) if value else ""

    def hover(kind: str, cause: str) -> str:
        value = cells.get((kind, cause), 0)
        head = f"<b>{words('churn_type', kind)}</b> · {words('main_cause', cause)}"
        if value is None:
            return f"{head}<br>{t('rights.hidden')}"
        return f"{head}<br>{t('customers.departures')}: {t.integer(value)}<br>{t('customers.of_all', share=t.percent(value / total))}"

    both_unknown = cells.get(("unknown", "unknown"), 0)
    no_cause = sum(value or 0 for (_, cause), value in cells.items() if cause == "unknown")
    texts = [t("customers.matrix_total", n=t.integer(total))]
    if not is_hidden:
        texts.append(
            t(
                "customers.matrix_unknown",
                cause=t.percent(no_cause / total),
                both=t.percent((both_unknown or 0) / total),
            )
        )
    else:
        texts.append(t("rights.left_out"))
    table = plain_table(
        [t("customers.type"), *heads, t("customers.together")],
        [
            [name, *(text(kind, cause) or "0" for cause in causes), t.integer(sum(cells.get((kind, cause), 0) or 0 for cause in causes))]
            for kind, name in zip(types, names, strict=True)
        ],
        last_is_text=False,
    )  # fmt: skip
    metrics = queries.known_metrics(context.snapshot, ["departures"])
    return chart_panel(
        t,
        "churn-matrix",
        title,
        matrix_figure(
            names,
            heads,
            [[cells.get((kind, cause)) or None for cause in causes] for kind in types],
            [[text(kind, cause) for cause in causes] for kind in types],
            [[hover(kind, cause) for cause in causes] for kind in types],
        ),
        label=t("part.chart_label", name=title, period=t.period(context.span.start, context.span.end)),
        height=matrix_height(len(types)),
        note=t("customers.departures"),
        href=parts.definition_href(context, metrics[0]) if metrics else None,
        below=[*_remarks(context, "channel", texts=texts), as_table(t, table)],
        metric="departures",
        data=frame,
        rows_href=parts.rows_href(context, metrics[0]) if metrics else None,
    )


def win_back(context: PageContext) -> list[Any]:
    """Whom to win back and why they left, who came back, what actions did and what they cost."""
    t = context.t
    span = context.span
    year = Span(min(span.start, span.end - timedelta(days=364)), span.end)
    return [
        parts.panels(
            parts.split_panel(context, "win_back_candidates", "end_reason", as_bars=True, title=t("customers.candidates_by_reason"), span=year),
            parts.split_panel(context, "departures_returned_rate", "end_reason", title=t("customers.returned_by_reason"), span=year),
            parts.pair_panel(
                context,
                ("win_back_rate", "win_back_rate_held_out"),
                t("customers.won_back"),
                (t("customers.asked"), t("customers.held_out")),
                "won-back",
            ),
            parts.split_panel(context, "win_back_rate", "action_kind", title=t("customers.won_back_by_offer"), span=year),
            action_effects(context),
        ),
        html.Div(parts.panels(keeping_and_winning(context)), className="after"),
    ]  # fmt: skip


def action_effects(context: PageContext) -> html.Div:
    """What actions did against those held out: uplift with interval, and the cost of one customer more."""
    t = context.t
    title = t("customers.actions")
    rows = customer_flows.action_effects(context.snapshot)
    if not rows:
        return parts.empty_panel(t, "actions", title, t("customers.no_actions"))
    words = Words(context.snapshot, t)
    known = [row for row in rows if row["uplift"] is not None and row["uplift_low"] is not None]

    def name(row: Mapping[str, Any]) -> str:
        return f"{words('action_kind', row['action_kind'])} · {words('goal', row['goal'])} · {words('horizon', row['horizon'])}"

    def cost(row: Mapping[str, Any]) -> str:
        if row["cost_per_save"] is None:
            return (
                EMPTY
                if row["cost_per_save_low"] is None
                else t("customers.at_least", amount=t.number(row["cost_per_save_low"], 0))
            )
        if row["cost_per_save_high"] is None:
            return f"{t.number(row['cost_per_save'], 0)} ({t('customers.at_least', amount=t.number(row['cost_per_save_low'], 0))})"
        bounds = t(
            "kpi.interval", low=t.number(row["cost_per_save_low"], 0), high=t.number(row["cost_per_save_high"], 0)
        )
        return f"{t.number(row['cost_per_save'], 0)} ({bounds})"

    table = plain_table(
        [t("customers.action"), t("customers.treated"), t("customers.reached"), t("customers.held_out_n"), t("customers.reached_unasked"), t("customers.uplift"), t("trend.interval_column"), t("customers.cost_per_save"), t("customers.why_none")],
        [
            [
                name(row), t.integer(row["treated"]), t.percent(row["treated_share"]), t.integer(row["held_out"]), t.percent(row["held_out_share"]),
                EMPTY if row["uplift"] is None else t("unit.points_change", value=t.signed(row["uplift"] * 100)),
                EMPTY if row["uplift_low"] is None else t("kpi.interval", low=t.signed(row["uplift_low"] * 100), high=t.signed(row["uplift_high"] * 100)),
                cost(row), words("reason", row["reason"]) if row["reason"] else t("kpi.small_base") if row["is_small_base"] else "",
            ]
            for row in rows
        ],
    )  # fmt: skip
    data = pl.DataFrame(rows, infer_schema_length=None)
    texts = [t("customers.actions_note"), t("customers.all_data")]
    if not known:
        return parts.empty_panel(
            t, "actions", title, t("customers.no_uplift"), [*_remarks(context, texts=texts), as_table(t, table)]
        )
    slices = [
        Slice(name(row), row["uplift"] * 100, row["uplift_low"] * 100, row["uplift_high"] * 100, None, None, row["treated"] + row["held_out"], bool(row["is_small_base"]))
        for row in known
    ]  # fmt: skip
    return chart_panel(
        t,
        "actions",
        title,
        slices_figure(t, slices, "points", overall=0.0),
        label=title,
        height=figure_height(len(slices)),
        note=t("customers.uplift_points"),
        below=[
            legend([("key key-whisker", t("trend.interval")), *([("key key-grey", t("trend.small_base"))] if any(one.is_small for one in slices) else [])]),
            *_remarks(context, texts=texts),
            as_table(t, table),
        ],
        data=data,
    )  # fmt: skip


def keeping_and_winning(context: PageContext) -> html.Div:
    """What keeping a customer costs beside winning one; unknown where nobody told the cost of winning."""
    t = context.t
    title = t("customers.keep_or_win")
    rows = customer_flows.keeping_and_winning(context.snapshot)
    if not rows:
        return parts.empty_panel(t, "keep-or-win", title, t("customers.no_actions"))
    words = Words(context.snapshot, t)

    def money(value: float | None, digits: int = 2) -> str:
        return EMPTY if value is None else t.number(value, digits)

    table = plain_table(
        [t("customers.action_and_goal"), t("customers.treated"), t("customers.spent"), t("customers.per_customer"), t("customers.per_kept"), t("customers.per_new"), t("customers.ratio"), t("customers.a_fifth")],
        [
            [
                f"{words('action_kind', row['action_kind'])} · {words('goal', row['goal'])}", t.integer(row["treated"]), money(row["keeping_cost"]),
                money(row["cost_per_customer"], 4),
                money(row["cost_per_save"]) if row["cost_per_save"] is not None or row["cost_per_save_low"] is None
                else t("customers.at_least", amount=t.number(row["cost_per_save_low"], 2)),
                money(row["cost_per_new"]), money(row["keeping_to_winning"]),
                words("a_fifth", row["a_fifth"]),
            ]
            for row in rows
        ],
    )  # fmt: skip
    reasons = sorted({words("reason", row["reason"]) for row in rows if row["reason"]})
    texts = [
        t("customers.keep_or_win_note"),
        t("customers.unknown_for", reasons=t("part.and").join(reasons)) if reasons else None,
        t("customers.all_data"),
    ]
    return html.Div(
        [
            html.H3(title, id="keep-or-win"),
            html.Div(table, className="table-scroll", tabIndex=0),
            *_remarks(context, texts=texts),
        ],
        className="panel",
    )


# Tiers


def tier_scheme(context: PageContext, path: str) -> list[Any]:
    """One scheme of tiers: its pyramid, its lines, and who went from which grade to which."""
    t = context.t
    schemes = customer_flows.tier_schemes(context.snapshot)
    if not schemes:
        return [html.Div(states.empty(t, t("customers.no_scheme")), className="panel")]
    words = Words(context.snapshot, t)
    known = [row["scheme"] for row in schemes]
    asked = context.view.of_page("by")
    scheme = asked if asked in known else known[0]
    entries = [(one, words("scheme", one), context.link(path, tab="tiers", by=one)) for one in known]
    filters = context.filters(context.span)
    rows = customer_flows.tier_moves(context.snapshot, filters, scheme)
    ignored = ("org_unit_id", "channel", "product_line")
    head = tabs(t("customers.scheme"), entries, scheme)
    if not rows:
        return [
            head,
            html.Div([states.empty(t, t("customers.no_grades")), *_remarks(context, *ignored)], className="panel"),
        ]
    return [
        head,
        parts.panels(
            _pyramid(context, scheme, rows, customer_flows.tier_lines(context.snapshot, filters, scheme)),
            _tier_matrix(context, scheme, rows),
        ),
        *_remarks(context, *ignored, texts=[t("customers.evaluated", month=t.month(rows[0]["evaluated_month"]))]),
    ]


def _grades(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    rank = {row["grade"]: row["grade_rank"] for row in rows}
    return sorted(rank, key=lambda grade: (rank[grade], grade))


def _pyramid(
    context: PageContext, scheme: str, rows: Sequence[Mapping[str, Any]], lines: Sequence[Mapping[str, Any]]
) -> html.Div:
    t = context.t
    words = Words(context.snapshot, t)
    grades = _grades(rows)
    total = sum(row["customers"] for row in rows)
    money = sum(row["value_amount"] or 0.0 for row in rows)
    line = {row["grade"]: row for row in lines}
    sums = {
        grade: (sum(row["customers"] for row in rows if row["grade"] == grade), sum(row["value_amount"] or 0.0 for row in rows if row["grade"] == grade))
        for grade in grades
    }  # fmt: skip
    slices = [Slice(words("grade", grade), count, None, None, None, None, count) for grade, (count, _) in sums.items()]

    def amount(grade: str, name: str) -> str:
        value = line.get(grade, {}).get(name)
        return EMPTY if value is None else t.number(value, 0)

    table = plain_table(
        [parts.heading(t("dimension.grade")), t("customers.number"), t("customers.share_of_customers"), t("customers.money"), t("customers.share_of_money"), t("customers.to_enter"), t("customers.to_keep")],
        [
            [
                words("grade", grade), t.integer(count), t.percent(count / total if total else None), format_value(t, value, "currency"),
                t.percent(value / money if money > 0 else None), amount(grade, "enter_amount"), amount(grade, "keep_amount"),
            ]
            for grade, (count, value) in sums.items()
        ],
        last_is_text=False,
    )  # fmt: skip
    title = t("customers.pyramid_of", scheme=words("scheme", scheme))
    basis = words("basis", lines[0]["basis"]) if lines else EMPTY
    months = t.integer(lines[0]["window_months"]) if lines else EMPTY
    return chart_panel(
        t,
        "scheme-pyramid",
        title,
        slices_figure(t, slices, "count", as_bars=True),
        label=t("part.chart_label", name=title, period=t.month(rows[0]["evaluated_month"])),
        height=figure_height(len(slices)),
        note=t("customers.number"),
        below=[
            html.P(t("customers.graded_by", basis=basis, months=months), className="remark"),
            as_table(t, table),
        ],
        data=pl.DataFrame(
            {"grade": grades, "customers": [sums[g][0] for g in grades], "value_amount": [sums[g][1] for g in grades]}
        ),
    )


def _tier_matrix(context: PageContext, scheme: str, rows: Sequence[Mapping[str, Any]]) -> html.Div:
    t = context.t
    words = Words(context.snapshot, t)
    grades = _grades(rows)
    before = [grade for grade in grades if any(row["previous_grade"] == grade for row in rows)]
    before += sorted({row["previous_grade"] or "none" for row in rows} - set(before))
    cells: dict[tuple[str, str], int] = {}
    for row in rows:
        key = (row["previous_grade"] or "none", row["grade"])
        cells[key] = cells.get(key, 0) + row["customers"]
    sums = {grade: sum(cells.get((grade, to), 0) for to in grades) for grade in before}

    def share(grade: str, to: str) -> float | None:
        count = cells.get((grade, to), 0)
        return count / sums[grade] if count and sums[grade] else None

    def hover(grade: str, to: str) -> str:
        count = cells.get((grade, to), 0)
        return (
            f"<b>{words('grade', grade)} → {words('grade', to)}</b><br>{t('customers.number')}: {t.integer(count)}"
            f"<br>{t('customers.of_grade', share=t.percent(share(grade, to) or 0.0))}"
        )

    names = [f"{words('grade', grade)} ({t.integer(sums[grade])})" for grade in before]
    heads = [words("grade", grade) for grade in grades]
    moves = {
        move: sum(row["customers"] for row in rows if row["tier_move"] == move) for move in ("up", "down", "stayed", "entered")
    }  # fmt: skip
    title = t("customers.matrix_of", scheme=words("scheme", scheme))
    table = plain_table(
        [t("customers.from_to"), *heads],
        [[name, *(t.integer(cells.get((grade, to), 0)) for to in grades)] for grade, name in zip(before, names, strict=True)],
        last_is_text=False,
    )  # fmt: skip
    return chart_panel(
        t,
        "scheme-moves",
        title,
        matrix_figure(
            names,
            heads,
            [[share(grade, to) for to in grades] for grade in before],
            [[t.integer(cells[grade, to]) if (grade, to) in cells else "" for to in grades] for grade in before],
            [[hover(grade, to) for to in grades] for grade in before],
        ),
        label=t("part.chart_label", name=title, period=t.month(rows[0]["evaluated_month"])),
        height=matrix_height(len(before)),
        note=t("customers.before_down_after_across"),
        below=[
            html.P(
                t("customers.moves_summary", **{move: t.integer(count) for move, count in moves.items()}),
                className="remark",
            ),
            as_table(t, table),
        ],
        data=pl.DataFrame(list(rows), infer_schema_length=None),
    )


def standards(context: PageContext) -> html.Div:
    """What each tier is promised and what it received."""
    t = context.t
    title = t("customers.standards")
    rows = customer_flows.standards_received(context.snapshot, context.filters(context.span))
    ignored = ("org_unit_id", "channel", "product_line", "customer_kind")
    if not rows:
        return parts.empty_panel(t, "standards", title, t("customers.no_standards"), _remarks(context, *ignored))
    words = Words(context.snapshot, t)
    order = queries.tier_grades(context.snapshot)
    rows = sorted(rows, key=lambda row: (row["standard"], *_place(order, row["grade"])))
    kinds = sorted({row["standard"] for row in rows})
    grades = sorted({row["grade"] for row in rows}, key=lambda grade: _place(order, grade))
    cell = {(row["grade"], row["standard"]): row for row in rows}

    def promised(row: Mapping[str, Any]) -> str:
        least, most = row["promised_least"], row["promised_most"]
        if least is None:
            return EMPTY
        return (
            t.number(least, 0) if least == most else t("kpi.interval", low=t.number(least, 0), high=t.number(most, 0))
        )

    def text(grade: str, kind: str) -> str:
        row = cell.get((grade, kind))
        if row is None or row["attainment"] is None:
            return ""
        shown = t("customers.cell_kept", promised=promised(row), kept=t.percent(row["attainment"], 0))
        if row["judged_cases"] >= LEAST_JUDGED:
            return shown
        return f"{shown}\n({t('kpi.n', n=t.integer(row['judged_cases']))})"

    def shade(grade: str, kind: str) -> float | None:
        """A small base stays white."""
        row = cell.get((grade, kind))
        return None if row is None or row["judged_cases"] < LEAST_JUDGED else row["attainment"]

    def hover(grade: str, kind: str) -> str:
        row = cell.get((grade, kind))
        head = f"<b>{words('grade', grade)}</b> · {words('standard', kind)}"
        if row is None or row["attainment"] is None:
            return f"{head}<br>{t('trend.no_contacts_hover')}"
        bounds = t("kpi.interval", low=t.percent(row["attainment_low"]), high=t.percent(row["attainment_high"]))
        return (
            f"{head}<br>{t('customers.promised')}: {promised(row)}<br>{t('customers.kept')}: {t.percent(row['attainment'])} ({bounds})"
            f"<br>{t('trend.n')}: {t.integer(row['judged_cases'])}"
        )

    table = plain_table(
        [t("customers.standard"), parts.heading(t("dimension.grade")), t("customers.promised"), t("customers.kept"), t("trend.interval_column"), t("customers.judged"), t("customers.median_received")],
        [
            [
                words("standard", row["standard"]), words("grade", row["grade"]), promised(row), t.percent(row["attainment"]),
                EMPTY if row["attainment_low"] is None else t("kpi.interval", low=t.percent(row["attainment_low"]), high=t.percent(row["attainment_high"])),
                t.integer(row["judged_cases"]), EMPTY if row["median_received"] is None else t.number(row["median_received"]),
            ]
            for row in rows
        ],
        last_is_text=False,
    )  # fmt: skip
    return chart_panel(
        t,
        "standards",
        title,
        matrix_figure(
            [words("grade", grade) for grade in grades],
            [words("standard", kind) for kind in kinds],
            [[shade(grade, kind) for kind in kinds] for grade in grades],
            [[text(grade, kind) for kind in kinds] for grade in grades],
            [[hover(grade, kind) for kind in kinds] for grade in grades],
        ),
        label=t("part.chart_label", name=title, period=t.period(context.span.start, context.span.end)),
        height=matrix_height(len(grades)),
        note=t("customers.kept"),
        below=[
            *_remarks(
                context,
                *ignored,
                texts=[t("customers.standards_note", month=t.month(max(row["newest_month"] for row in rows)))],
            ),
            as_table(t, table),
        ],
        data=pl.DataFrame(rows, infer_schema_length=None),
    )
