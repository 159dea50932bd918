"""Complaints, in four tabs: stages and rates, what comes back, hot and hard issues, promises and callbacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
from dash import html

from dashboards.components import states
from dashboards.components.chart import as_table, chart_panel, plain_table
from dashboards.components.grid import Column, data_grid
from dashboards.components.section import section
from dashboards.components.values import format_value
from dashboards.data import issues, queries
from dashboards.data.customers import Words
from dashboards.figures.pareto import pareto_figure, pareto_rows
from dashboards.figures.ranges import Range, ranges_figure, ranges_height
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
OUTCOMES = ("kept", "late", "broken", "open", "unknown")
CALLBACKS = ("solved", "reached", "unsolved", "unreached", "waiting", "held_out")
MOST_CAUSES = 10
MOST_ROWS = 300
PATH = "/complaints"


def render(context: PageContext) -> html.Div:
    """The page with the tab that the address asks for."""
    return parts.tabbed_page(context, "complaints", PATH, TABS, details=parts.period_details(context))


def _stages(context: PageContext) -> list[Any]:
    t = context.t
    return [
        section("headline", t("kpi.section"), parts.cards(context, CARDS)),
        section(
            "stages",
            t("complaints.stages"),
            parts.panels(
                _funnel(context),
                parts.split_panel(
                    context, "complaint_stage_kept_rate", "complaint_stage", keep=STAGES, title=t("complaints.kept")
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


def _back(context: PageContext) -> list[Any]:
    t = context.t
    return [
        section(
            "headline",
            t("kpi.section"),
            parts.cards(
                context,
                (
                    "second_complaint_rate_30d", "second_complaint_case_rate_30d", "repeat_complaint_rate_30d", "second_complaint_share",
                    "complaint_fix_hold_rate_30d", "complaint_check_holds_rate", "complaint_next_day_check_rate",
                ),
            ),
        ),
        section(
            "back",
            t("complaints.back"),
            parts.panels(
                *parts.trend_panels(context, ["second_complaint_rate_30d", "repeat_complaint_rate_30d"]),
                parts.split_panel(context, "second_complaint_rate_30d", "product_line"),
                parts.split_panel(context, "second_complaint_rate_30d", "customer_kind"),
                parts.split_panel(context, "second_complaint_case_rate_30d", "cause"),
                parts.split_panel(context, "second_complaint_case_rate_30d", "org_unit_id"),
            ),
            lead=t("complaints.back_lead"),
        ),
        section("windows", t("complaints.windows"), _windows(context), lead=t("complaints.windows_lead")),
        section("seconds", t("complaints.seconds"), *_seconds(context)),
    ]  # fmt: skip


def _windows(context: PageContext) -> html.Div:
    """What is known of second complaints at each length of the window, and what is not final yet."""
    t = context.t
    found = issues.second_windows(context.snapshot, context.filters(context.span))
    if not any((one.final or 0) + (one.not_final or 0) for one in found):
        return html.Div(states.empty(t, t("kpi.no_contacts")), className="panel")

    def told(count: int | None) -> str:
        return t("rights.hidden") if count is None else t.integer(count)

    table = plain_table(
        [
            t("complaints.window"), t("complaints.final"), t("complaints.second"), t("complaints.second_rate"), t("complaints.not_final"),
            t("complaints.already"), t("complaints.unidentified"),
        ],
        [
            [
                t("complaints.days", days=t.integer(one.days)),
                told(one.final),
                told(one.second),
                t.percent(one.second / one.final) if one.final and one.second is not None else EMPTY,
                told(one.not_final),
                told(one.already),
                told(one.unidentified),
            ]
            for one in found
        ],
        last_is_text=False,
    )  # fmt: skip
    return html.Div(
        [
            html.Div(table, className="table-scroll", tabIndex=0),
            html.P(t("complaints.windows_note"), className="remark"),
        ],
        className="panel",
    )


def _seconds(context: PageContext) -> list[Any]:
    t = context.t
    rows, total = issues.second_complaints(context.snapshot, context.filters(context.span), limit=MOST_ROWS)
    if not rows:
        return [states.empty(t, t("complaints.none_second"))]
    words = Words(context.snapshot, t)
    shown = [
        {
            "opened": t.date(row["opened_on"]),
            "complaint": row["complaint_id"],
            "first": row["repeats_complaint_id"],
            "customer": row["customer_key"],
            "unit": words("org_unit_id", row["org_unit_id"]),
            "product": words("product_line", row["product_line"]),
            "cause": words("topic", row["cause"]),
            "state": t("complaints.closed" if row["is_closed"] else "complaints.still_open"),
            "threat": words("threat", row["threat"]) if row["threat"] not in (None, "none") else "",
        }
        for row in rows
    ]
    columns = [
        Column("opened", t("complaints.opened"), width=145),
        Column("customer", t("customers.customer"), "customer", width=150),
        Column("cause", t("complaints.cause"), width=170),
        Column("unit", t("filter.unit"), width=170),
        Column("product", t("filter.product"), width=120),
        Column("state", t("column.status"), width=110),
        Column("threat", t("complaints.threat"), width=150),
        Column("complaint", t("complaints.record"), width=210),
        Column("first", t("complaints.first_record"), width=210),
    ]
    return [
        data_grid(t, "second-complaints", columns, shown, label=t("complaints.seconds"), height_rows=10),
        html.P(t("complaints.shown", shown=t.integer(len(rows)), total=t.integer(total)), className="lead"),
    ]


def _issues(context: PageContext) -> list[Any]:
    t = context.t
    return [
        section(
            "headline",
            t("kpi.section"),
            parts.cards(
                context,
                ("hot_issues", "hot_issue_customers", "hot_issues_grew_share", "hard_issues", "hard_issues_ours_share", "complaint_stages_overdue"),
            ),
        ),
        section("hot", t("complaints.hot"), *_hot(context), lead=t("complaints.hot_lead")),
        section(
            "hard",
            t("complaints.hard"),
            parts.panels(
                parts.split_panel(context, "hard_issues", "waits_for", as_bars=True),
                parts.split_panel(context, "hard_issues", "topic", as_bars=True),
            ),
            *_hard(context),
            lead=t("complaints.hard_lead"),
        ),
    ]  # fmt: skip


def _hot(context: PageContext) -> list[Any]:
    t = context.t
    filters = context.filters(context.span)
    rows = issues.hot_issues(context.snapshot, filters)
    remark = parts.not_narrowed(
        t,
        [name for name, chosen in (("channel", filters.channels), ("customer_kind", filters.customer_kinds)) if chosen],
    )
    remarks = [html.P(remark, className="remark")] if remark else []
    if not rows:
        return [states.empty(t, t("complaints.none_hot")), *remarks]
    words = Words(context.snapshot, t)
    shown = [
        {
            "topic": words("topic", row["topic"]),
            "place": words("org_unit_id", row["org_unit_id"]) if row["org_unit_id"] else words("place_level", row["place_level"]),
            "product": words("product_line", row["product_line"]),
            "course": words("course", row["course"]),
            "tone": "bad" if row["is_running"] else "",
            "first": t.date(row["first_on"]),
            "days": row["run_days"],
            "at_first": row["customers_at_first"],
            "expected": row["expected_at_first"],
            "customers": row["customers"],
            "peak": row["peak_customers"],
            "open": row["open_complaints"],
        }
        for row in rows
    ]  # fmt: skip
    columns = [
        Column("topic", parts.heading(parts.dimension_name(t, "topic")), width=170),
        Column("place", t("complaints.place"), width=170),
        Column("product", t("filter.product"), width=120),
        Column("course", t("complaints.course"), class_rules={"cell-bad": "params.data.tone == 'bad'"}, width=120),
        Column("first", t("complaints.first_alarm"), width=145),
        Column("days", t("complaints.run_days"), "number", width=100),
        Column("at_first", t("complaints.at_first"), "number", width=150),
        Column("expected", t("complaints.expected"), "number", width=130),
        Column("customers", t("complaints.customers"), "number", width=130),
        Column("peak", t("complaints.peak"), "number", width=130),
        Column("open", t("complaints.open_now"), "number", width=120),
    ]
    return [data_grid(t, "hot-issues", columns, shown, label=t("complaints.hot"), height_rows=8), *remarks]


def _hard(context: PageContext) -> list[Any]:
    t = context.t
    rows = issues.hard_issues(context.snapshot, context.filters(context.span))
    heading = html.H3(t("complaints.hard_list"), className="list-head")
    if not rows:
        return [heading, states.empty(t, t("complaints.none_hard"))]
    words = Words(context.snapshot, t)
    shown = [
        {
            "record": row["record_id"],
            "kind": words("issue_kind", row["issue_kind"]),
            "customer": row["customer_key"],
            "topic": words("topic", row["topic"]),
            "unit": words("org_unit_id", row["org_unit_id"]),
            "waits": words("waits_for", row["waits_for"])
            + (f" ({words('department', row['department'])})" if row["department"] else ""),
            "since": t.moment(row["waiting_since_at"]),
            "waited": None if row["waiting_seconds"] is None else row["waiting_seconds"] / 86400,
            "age": row["age_seconds"] / 86400,
            "reminders": row["reminders"],
            "reopened": row["reopen_count"],
            "priority": words("priority", row["priority"]),
        }
        for row in rows
    ]
    columns = [
        Column("record", t("complaints.record"), width=200),
        Column("kind", t("complaints.kind"), width=120),
        Column("topic", parts.heading(parts.dimension_name(t, "topic")), width=190),
        Column("waits", t("complaints.waits_for"), width=190),
        Column("since", t("complaints.waits_since"), width=180),
        Column("waited", t("complaints.waited_days"), "number", width=140),
        Column("age", t("complaints.age_days"), "number", width=120),
        Column("unit", t("filter.unit"), width=170),
        Column("customer", t("customers.customer"), "customer", width=150),
        Column("priority", parts.heading(parts.dimension_name(t, "priority")), width=120),
        Column("reminders", t("complaints.reminders"), "number", width=120),
        Column("reopened", t("complaints.reopened"), "number", width=120),
    ]
    return [
        heading,
        data_grid(t, "hard-issues", columns, shown, label=t("complaints.hard_list"), height_rows=12),
        html.P(t("complaints.hard_note", day=t.date(rows[0]["as_of"])), className="lead"),
    ]


def _promises(context: PageContext) -> list[Any]:
    t = context.t
    return [
        section(
            "headline",
            t("kpi.section"),
            parts.cards(
                context,
                ("ledger_kept_rate", "ledger_late_rate", "ledger_broken_rate", "ledger_unrecorded_share", "callback_reached_rate", "callback_in_time_rate"),
            ),
        ),
        section(
            "ledger",
            t("complaints.ledger"),
            parts.panels(
                _outcomes(context),
                parts.pair_panel(
                    context,
                    ("ledger_kept_rate", "ledger_late_rate", "ledger_broken_rate"),
                    t("complaints.ledger_course"),
                    (t("complaints.was_kept"), t("complaints.was_late"), t("complaints.was_broken")),
                    "ledger-course",
                ),
                parts.split_panel(context, "ledger_kept_rate", "basis", title=t("complaints.kept_by_basis")),
                parts.split_panel(context, "ledger_kept_rate", "act"),
                parts.split_panel(context, "ledger_kept_rate", "source"),
                parts.split_panel(context, "ledger_kept_rate", "org_unit_id"),
            ),
            lead=t("complaints.ledger_lead"),
        ),
        section("broken", t("complaints.broken"), *_broken(context)),
        section("after", t("complaints.after"), _after(context), lead=t("complaints.after_lead")),
        section(
            "callbacks",
            t("complaints.callbacks"),
            parts.panels(
                parts.split_panel(context, "callbacks_planned", "callback_outcome", keep=CALLBACKS, as_bars=True, title=t("complaints.callback_outcomes")),
                *parts.trend_panels(context, ["callback_in_time_rate", "callback_reached_rate"]),
                parts.split_panel(context, "callback_in_time_rate", "purpose"),
                parts.split_panel(context, "callback_solved_rate", "purpose"),
                parts.split_panel(context, "callback_reached_rate", "callback_mode"),
            ),
            lead=t("complaints.callbacks_lead"),
        ),
    ]  # fmt: skip


def _outcomes(context: PageContext) -> html.Div:
    """Promises of the period by what became of them and where they were made."""
    t = context.t
    title = t("complaints.outcomes")
    filters = context.filters(context.span)
    rows = issues.promise_outcomes(context.snapshot, filters)
    if not rows:
        return parts.empty_panel(t, "promise-outcomes", title, t("complaints.none_promised"))
    words = Words(context.snapshot, t)
    bases = sorted({row["basis"] for row in rows})
    counts = {(row["promise_outcome"], row["basis"]): row["promises"] for row in rows}
    kinds = [kind for kind in OUTCOMES if any(kind == outcome for outcome, _ in counts)]
    slices = []
    for kind in kinds:
        known = [counts[kind, basis] for basis in bases if counts.get((kind, basis)) is not None]
        slices.append(Slice(words("promise_outcome", kind), float(sum(known)) if known else None))
    table = plain_table(
        [t("complaints.outcome"), *(words("basis", basis) for basis in bases)],
        [
            [
                words("promise_outcome", kind),
                *(
                    t("rights.hidden") if (kind, basis) in counts and counts[kind, basis] is None else t.integer(counts.get((kind, basis), 0))
                    for basis in bases
                ),
            ]
            for kind in kinds
        ],
        last_is_text=False,
    )  # fmt: skip
    hidden = any(count is None for count in counts.values())
    return chart_panel(
        t,
        "promise-outcomes",
        title,
        slices_figure(t, slices, "count", as_bars=True),
        label=t("part.chart_label", name=title, period=t.period(context.span.start, context.span.end)),
        height=figure_height(len(slices)),
        below=[*([html.P(t("rights.left_out"), className="remark")] if hidden else []), as_table(t, table)],
        data=pl.DataFrame(rows, infer_schema_length=None),
        rows_href=context.link("/rows", metric="ledger_kept_rate", part="denominator"),
    )


def _broken(context: PageContext) -> list[Any]:
    t = context.t
    rows, total = issues.broken_promises(context.snapshot, context.filters(context.span), limit=MOST_ROWS)
    if not rows:
        return [states.empty(t, t("complaints.none_broken"))]
    words = Words(context.snapshot, t)
    shown = [
        {
            "outcome": words("promise_outcome", row["promise_outcome"]),
            "tone": "bad" if row["promise_outcome"] == "broken" else "",
            "act": words("act", row["act"]),
            "basis": words("basis", row["basis"]),
            "ticket": f"{row['ticket_source']}:{row['ticket_id']}" if row["ticket_id"] else "",
            "customer": row["customer_key"],
            "unit": words("org_unit_id", row["org_unit_id"]),
            "made": t.moment(row["made_at"]),
            "due": t.moment(row["due_at"]) if row["due_at"] else EMPTY,
            "over": (row["known_until"] - row["due_at"]).total_seconds() / 86400
            if row["promise_outcome"] == "broken" and row["due_at"] and row["known_until"]
            else None,
        }
        for row in rows
    ]
    columns = [
        Column("outcome", t("complaints.outcome"), class_rules={"cell-bad": "params.data.tone == 'bad'"}, width=130),
        Column("act", t("complaints.promised"), width=120),
        Column("due", t("complaints.due"), width=180),
        Column("over", t("complaints.over_days"), "number", width=140),
        Column("ticket", t("complaints.ticket"), width=170),
        Column("customer", t("customers.customer"), "customer", width=150),
        Column("unit", t("filter.unit"), width=170),
        Column("basis", t("complaints.basis"), width=210),
        Column("made", t("complaints.made"), width=180),
    ]
    return [
        data_grid(t, "broken-promises", columns, shown, label=t("complaints.broken"), height_rows=10),
        html.P(t("complaints.shown", shown=t.integer(len(rows)), total=t.integer(total)), className="lead"),
    ]


def _after(context: PageContext) -> html.Div:
    """Satisfaction and departures after broken and late promises, against kept ones."""
    t = context.t
    title = t("complaints.after_chart")
    rows = issues.promise_effects(context.snapshot)
    if not rows:
        return parts.empty_panel(t, "promise-effects", title, t("state.empty.no_rows"))
    drawn, cells = [], []
    for row in rows:
        name = t(
            "complaints.after_name",
            outcome=t(f"complaints.of_{row['outcome_kind']}"),
            comparison=t(f"complaints.was_{row['comparison']}"),
        )
        scale = 100.0 if row["outcome_kind"] == "churn" else 1.0
        known = row["difference_low"] is not None and row["difference_high"] is not None
        value, low, high = (scale * (row[key] or 0.0) for key in ("difference", "difference_low", "difference_high"))
        interval = t("kpi.interval", low=t.signed(low), high=t.signed(high)) if known else EMPTY
        bases = t("complaints.after_n", treated=t.integer(row["treated"]), control=t.integer(row["control"]))
        if known:
            drawn.append(
                Range(
                    name,
                    low,
                    high,
                    value,
                    f"<b>{name}</b><br>{t.signed(value)} ({interval})<br>{bases}",
                    low > 0 or high < 0,
                )
            )
        cells.append([name, t.signed(value) if row["difference"] is not None else EMPTY, interval, bases])
    table = plain_table(
        [t("complaints.compared"), t("complaints.difference"), t("trend.interval_column"), t("complaints.customers")],
        cells,
    )
    if not drawn:
        return html.Div(
            [html.H3(title, id="promise-effects"), html.Div(table, className="table-scroll", tabIndex=0)],
            className="panel",
        )
    return chart_panel(
        t,
        "promise-effects",
        title,
        ranges_figure(drawn, t("complaints.points"), line=0.0),
        label=title,
        height=ranges_height(drawn),
        below=[html.P(t("complaints.after_note"), className="remark"), as_table(t, table)],
        data=pl.DataFrame(rows, infer_schema_length=None),
    )  # fmt: skip


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


TABS: dict[str, Callable[[PageContext], list[Any]]] = {
    "stages": _stages,
    "back": _back,
    "issues": _issues,
    "promises": _promises,
}

PAGE = Page(key="complaints", path=PATH, render=render)
