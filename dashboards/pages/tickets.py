"""Tickets, in six tabs: times, promised times, backlog, hand-overs, reasons, repairs."""

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
from dashboards.figures.slices import Slice, figure_height, slices_figure
from dashboards.pages import parts
from dashboards.pages.base import Page, PageContext
from dashboards.pages.panels import variants_panel

PATH = "/tickets"
CARDS = (
    "tickets_created",
    "tickets_solved",
    "backlog_open",
    "first_reply_median",
    "full_resolution_median",
    "sla_attainment",
    "reopen_rate",
    "handed_over_share",
)
AGES = ("0", "1-2", "3-6", "7-29", "30+")
BUSINESS_AGES = ("0-8h", "8-24h", "24-80h", "80h+", "unknown")
WORK_STAGES = ("accept", "dispatch", "arrive", "finish", "tell")
MOST_ROWS = 300


def render(context: PageContext) -> html.Div:
    """The page with the tab that the address asks for."""
    return parts.tabbed_page(context, "tickets", PATH, TABS, details=parts.period_details(context))


def _times(context: PageContext) -> list[Any]:
    t = context.t
    return [
        section("headline", t("kpi.section"), parts.cards(context, CARDS)),
        section(
            "times",
            t("tickets.times"),
            parts.panels(
                *parts.trend_panels(context, ["first_reply_median", "full_resolution_median"]),
                parts.split_panel(context, "full_resolution_median", "ticket_kind"),
                parts.split_panel(context, "full_resolution_median", "priority"),
                parts.split_panel(context, "first_reply_median", "channel"),
                parts.split_panel(context, "full_resolution_median", "org_unit_id"),
            ),
            lead=t("tickets.times_lead"),
        ),
        section(
            "definitions",
            t("tickets.definitions"),
            parts.panels(
                variants_panel(context, "first_reply"),
                variants_panel(context, "resolution"),
                variants_panel(context, "requester_wait"),
                *parts.trend_panels(context, ["requester_wait_median"]),
            ),
            lead=t("tickets.definitions_lead"),
        ),
    ]


def _promises(context: PageContext) -> list[Any]:
    t = context.t
    return [
        section(
            "headline",
            t("kpi.section"),
            parts.cards(
                context,
                ("sla_attainment", "sla_attainment_first_reply", "sla_attainment_next_reply", "sla_attainment_resolution", "sla_breaches"),
            ),
        ),
        section(
            "promises",
            t("tickets.promises"),
            parts.panels(
                *parts.trend_panels(context, ["sla_attainment", "sla_breaches"]),
                parts.split_panel(context, "sla_attainment", "sla_metric"),
                parts.split_panel(context, "sla_attainment", "policy"),
                parts.split_panel(context, "sla_attainment", "priority"),
                parts.split_panel(context, "sla_attainment", "org_unit_id"),
            ),
        ),
        section("policies", t("tickets.policies"), *_policies(context), lead=t("tickets.policies_lead")),
    ]  # fmt: skip


def _policies(context: PageContext) -> list[Any]:
    """Attainment of each promise by what it promises."""
    t = context.t
    found = queries.known_metrics(context.snapshot, ["sla_attainment"])
    if not found:
        return [states.empty(t, t("state.empty.no_metric"))]
    metric = found[0]
    filters, unknown = metric.narrowed(context.filters(context.span))
    frame = queries.metric_slices(context.snapshot, metric.name, ["policy", "sla_metric"], filters)
    remarks = [
        html.P(text, className="remark")
        for text in (parts.not_narrowed(t, unknown), parts.left_out(context, frame))
        if text
    ]
    rows = [row for row in frame.to_dicts() if row["value"] is not None]
    if not rows:
        return [states.empty(t, t("kpi.no_contacts")), *remarks]
    words = Words(context.snapshot, t)
    shown = [
        {
            "policy": words("policy", row["policy"]),
            "what": words("sla_metric", row["sla_metric"]),
            "value": 100 * row["value"],
            "low": None if row["low"] is None else 100 * row["low"],
            "high": None if row["high"] is None else 100 * row["high"],
            "kept": row["numerator"],
            "broken": row["denominator"] - row["numerator"],
            "base": row["denominator"],
        }
        for row in sorted(rows, key=lambda row: (row["value"], str(row["policy"])))
    ]
    columns = [
        Column("policy", t("tickets.policy"), width=180),
        Column("what", parts.heading(parts.dimension_name(t, "sla_metric")), width=160),
        Column("value", t("tickets.kept_percent"), "number", width=120),
        Column("low", t("contact_centre.low"), "number", width=130),
        Column("high", t("contact_centre.high"), "number", width=130),
        Column("kept", t("tickets.kept"), "number", width=110),
        Column("broken", t("tickets.broken"), "number", width=110),
        Column("base", t("tickets.judged"), "number", width=110),
    ]
    return [data_grid(t, "sla-policies", columns, shown, label=t("tickets.policies"), height_rows=8), *remarks]


def _backlog(context: PageContext) -> list[Any]:
    t = context.t
    return [
        section(
            "headline",
            t("kpi.section"),
            parts.cards(
                context, ("backlog_open", "backlog_opened", "backlog_solved", "backlog_reopened", "backlog_change")
            ),
        ),
        section(
            "backlog",
            t("tickets.backlog"),
            parts.panels(
                *parts.trend_panels(context, ["backlog_open"]),
                parts.pair_panel(
                    context,
                    ("tickets_created", "tickets_solved"),
                    t("tickets.in_and_out"),
                    (t("tickets.created"), t("tickets.solved")),
                    "in-and-out",
                ),
                parts.split_panel(context, "backlog_open", "age_bucket", keep=AGES),
                parts.split_panel(context, "backlog_open", "business_age_bucket", keep=BUSINESS_AGES),
                parts.split_panel(context, "backlog_open", "ticket_kind"),
                parts.split_panel(context, "backlog_open", "org_unit_id"),
            ),
            lead=t("tickets.backlog_lead"),
        ),
        section("oldest", t("tickets.oldest"), *_oldest(context), lead=t("tickets.oldest_lead")),
    ]


def _oldest(context: PageContext) -> list[Any]:
    t = context.t
    rows, total = issues.oldest_open_tickets(
        context.snapshot, context.filters(context.span), context.last_day, limit=MOST_ROWS
    )
    if not rows:
        return [states.empty(t, t("tickets.none_open"))]
    words = Words(context.snapshot, t)
    shown = [
        {
            "ticket": f"{row['source']}:{row['ticket_id']}",
            "created": t.date(row["created_on"]),
            "age": row["age_days"],
            "status": words("ticket_status", row["ticket_status"]),
            "kind": words("ticket_kind", row["ticket_kind"]),
            "topic": words("topic", row["topic"]),
            "priority": words("priority", row["priority"]),
            "unit": words("org_unit_id", row["org_unit_id"]),
            "agent": row["agent_id"] or t("tickets.nobody"),
            "customer": row["customer_key"],
            "hand_overs": row["hand_overs"],
            "reopened": row["reopen_count"],
        }
        for row in rows
    ]
    columns = [
        Column("ticket", t("complaints.ticket"), width=170),
        Column("age", t("complaints.age_days"), "number", width=120),
        Column("created", t("tickets.created_on"), width=145),
        Column("status", t("column.status"), width=110),
        Column("kind", parts.heading(parts.dimension_name(t, "ticket_kind")), width=140),
        Column("topic", parts.heading(parts.dimension_name(t, "topic")), width=190),
        Column("priority", parts.heading(parts.dimension_name(t, "priority")), width=110),
        Column("unit", t("filter.unit"), width=170),
        Column("agent", parts.heading(parts.dimension_name(t, "agent_id")), width=110),
        Column("customer", t("customers.customer"), "customer", width=150),
        Column("hand_overs", t("tickets.hand_overs"), "number", width=120),
        Column("reopened", t("complaints.reopened"), "number", width=110),
    ]
    return [
        data_grid(t, "oldest-tickets", columns, shown, label=t("tickets.oldest"), height_rows=12),
        html.P(t("complaints.shown", shown=t.integer(len(rows)), total=t.integer(total)), className="lead"),
    ]


def _hand_overs(context: PageContext) -> list[Any]:
    t = context.t

    def both(key: str, names: tuple[str, str]) -> html.Div:
        return parts.pair_panel(
            context, names, t(f"tickets.{key}"), (t("tickets.with_hand_over"), t("tickets.without_hand_over")), key.replace("_", "-")
        )  # fmt: skip

    return [
        section(
            "headline",
            t("kpi.section"),
            parts.cards(
                context,
                (
                    "hand_overs", "handed_over_share", "shift_hand_over_share", "hand_over_note_rate", "resolution_hand_over_gap",
                    "reply_hand_over_gap", "reopen_hand_over_gap", "csat_hand_over_gap",
                ),
            ),
        ),
        section(
            "hand-overs",
            t("tickets.what_goes_with"),
            parts.panels(
                both("resolution_and_hand_over", ("resolution_with_hand_over_mean", "resolution_without_hand_over_mean")),
                both("reply_and_hand_over", ("reply_with_hand_over_mean", "reply_without_hand_over_mean")),
                both("reopened_and_hand_over", ("reopen_rate_after_hand_over", "reopen_rate_without_hand_over")),
                both("csat_and_hand_over", ("csat_after_hand_over", "csat_without_hand_over")),
            ),
            lead=t("tickets.hand_overs_lead"),
        ),
        section(
            "who",
            t("tickets.where"),
            parts.panels(
                parts.split_panel(context, "handed_over_share", "ticket_kind"),
                parts.split_panel(context, "handed_over_share", "org_unit_id"),
                parts.split_panel(context, "hand_over_note_rate", "org_unit_id"),
                *parts.trend_panels(context, ["hand_over_note_rate"]),
            ),
        ),
        section(
            "quality",
            t("tickets.reopened"),
            parts.panels(
                *parts.trend_panels(context, ["reopen_rate", "handed_over_share"]),
                parts.split_panel(context, "reopen_rate", "topic"),
                parts.split_panel(context, "reopen_rate", "org_unit_id"),
            ),
        ),
    ]  # fmt: skip


def _reasons(context: PageContext) -> list[Any]:
    t = context.t
    return [
        section(
            "headline",
            t("kpi.section"),
            parts.cards(context, ("contacts", "contact_reason_known_rate", "customers_contacting", "contacts_per_customer")),
        ),
        section(
            "reasons",
            t("tickets.reasons"),
            parts.panels(
                parts.split_panel(context, "contact_reason_share", "topic", order="n"),
                parts.split_panel(context, "contact_kind_share", "ticket_kind"),
                parts.split_panel(context, "contact_product_share", "product_line"),
                parts.split_panel(context, "call_type_share", "call_type"),
                *parts.trend_panels(context, ["contact_reason_known_rate"]),
                parts.split_panel(context, "tickets_created", "topic"),
            ),
            lead=t("tickets.reasons_lead"),
        ),
    ]  # fmt: skip


def _repairs(context: PageContext) -> list[Any]:
    t = context.t
    return [
        section(
            "headline",
            t("kpi.section"),
            parts.cards(
                context,
                (
                    "first_time_fix_rate", "repeat_fault_rate", "told_rate", "kept_appointment_rate", "missed_visit_rate", "visits_per_work_order",
                    "department_turnaround_median", "department_wait_share", "department_waits_open", "repairs_not_final",
                ),
            ),
        ),
        section(
            "steps",
            t("tickets.steps"),
            parts.panels(_work_stages(context), *parts.trend_panels(context, ["time_to_finish_median"])),
            lead=t("tickets.steps_lead"),
        ),
        section(
            "fixes",
            t("tickets.fixes"),
            parts.panels(
                *parts.trend_panels(context, ["first_time_fix_rate"]),
                variants_panel(context, "first_time_fix"),
                parts.split_panel(context, "first_time_fix_rate", "asset_kind"),
                parts.split_panel(context, "first_time_fix_rate", "fault_code"),
                parts.split_panel(context, "first_time_fix_rate", "org_unit_id"),
                parts.split_panel(context, "repeat_fault_rate", "asset_kind"),
                parts.split_panel(context, "visits_made", "visit_outcome", as_bars=True),
                *parts.trend_panels(context, ["told_rate"]),
            ),
            lead=t("tickets.fixes_lead"),
        ),
        section(
            "appointments",
            t("tickets.appointments"),
            parts.panels(
                *parts.trend_panels(context, ["kept_appointment_rate", "appointment_lateness_median"]),
                variants_panel(context, "kept_appointment_rate"),
                parts.split_panel(context, "appointments_made", "appointment_state", as_bars=True),
                parts.split_panel(context, "kept_appointment_rate", "org_unit_id"),
                parts.split_panel(context, "kept_appointment_rate", "product_line"),
            ),
            lead=t("tickets.appointments_lead"),
        ),
        section(
            "departments",
            t("tickets.departments"),
            parts.panels(
                parts.split_panel(context, "department_turnaround_median", "department", as_bars=True),
                parts.split_panel(context, "department_turnaround_p90", "department", as_bars=True),
                *parts.trend_panels(context, ["department_turnaround_median", "department_wait_share"]),
            ),
            *_departments(context),
            lead=t("tickets.departments_lead"),
        ),
    ]  # fmt: skip


def _work_stages(context: PageContext) -> html.Div:
    """The times from the report to the word to the customer: medians as bars, the rest in the table."""
    t = context.t
    title = t("tickets.steps_chart")
    names = [f"time_to_{stage}_{part}" for stage in WORK_STAGES for part in ("median", "p90", "business_median")]
    found = {metric.name: metric for metric in queries.known_metrics(context.snapshot, names)}
    if len(found) < len(names):
        return parts.empty_panel(t, "work-stages", title, t("state.empty.no_metric"))
    filters, unknown = found[names[0]].narrowed(context.filters(context.span))
    values = queries.metric_values(context.snapshot, names, filters)
    remark = parts.not_narrowed(t, unknown)
    remarks: list[Any] = [html.P(remark, className="remark")] if remark else []
    if all(value.value is None for value in values.values()):
        return parts.empty_panel(t, "work-stages", title, t("kpi.no_contacts"), remarks)
    slices = [
        Slice(t(f"tickets.to_{stage}"), values[f"time_to_{stage}_median"].value, n=values[f"time_to_{stage}_median"].n)
        for stage in WORK_STAGES
    ]
    table = plain_table(
        [t("tickets.step"), t("complaints.reached"), t("complaints.median"), t("complaints.p90"), t("tickets.business_median")],
        [
            [
                one.label,
                t.integer(values[f"time_to_{stage}_median"].n),
                *(format_value(t, values[f"time_to_{stage}_{part}"].value, "seconds") for part in ("median", "p90", "business_median")),
            ]
            for stage, one in zip(WORK_STAGES, slices, strict=True)
        ],
        last_is_text=False,
    )  # fmt: skip
    return chart_panel(
        t,
        "work-stages",
        title,
        slices_figure(t, slices, "seconds", as_bars=True),
        label=t("part.chart_label", name=title, period=t.period(context.span.start, context.span.end)),
        height=figure_height(len(slices)),
        href=parts.definition_href(context, found["time_to_finish_median"]),
        below=[*remarks, as_table(t, table)],
        metric="time_to_finish_median",
        data=pl.DataFrame(
            [
                {"step": stage, **{part: values[f"time_to_{stage}_{part}"].value for part in ("median", "p90", "business_median")}}
                for stage in WORK_STAGES
            ],
            infer_schema_length=None,
        ),
    )  # fmt: skip


def _departments(context: PageContext) -> list[Any]:
    t = context.t
    rows, total = issues.waiting_for_departments(context.snapshot, context.filters(context.span), limit=MOST_ROWS)
    heading = html.H3(t("tickets.waiting"), className="list-head")
    if not rows:
        return [heading, states.empty(t, t("tickets.none_waiting"))]
    words = Words(context.snapshot, t)
    shown = [
        {
            "ticket": f"{row['source']}:{row['ticket_id']}",
            "department": words("department", row["department"]),
            "asked": t.moment(row["asked_at"]),
            "age": row["age_seconds"] / 86400,
            "business": None if row["age_business_seconds"] is None else row["age_business_seconds"] / 3600,
            "reminders": row["reminders"],
            "kind": words("ticket_kind", row["ticket_kind"]),
            "fault": words("fault_code", row["fault_code"]),
            "unit": words("org_unit_id", row["org_unit_id"]),
        }
        for row in rows
    ]
    columns = [
        Column("ticket", t("complaints.ticket"), width=170),
        Column("department", parts.heading(parts.dimension_name(t, "department")), width=160),
        Column("asked", t("tickets.asked"), width=180),
        Column("age", t("complaints.waited_days"), "number", width=140),
        Column("business", t("tickets.business_hours"), "number", width=170),
        Column("reminders", t("complaints.reminders"), "number", width=120),
        Column("kind", parts.heading(parts.dimension_name(t, "ticket_kind")), width=140),
        Column("fault", parts.heading(parts.dimension_name(t, "fault_code")), width=140),
        Column("unit", t("filter.unit"), width=170),
    ]
    return [
        heading,
        data_grid(t, "department-waits", columns, shown, label=t("tickets.waiting"), height_rows=10),
        html.P(t("complaints.shown", shown=t.integer(len(rows)), total=t.integer(total)), className="lead"),
    ]


TABS: dict[str, Callable[[PageContext], list[Any]]] = {
    "times": _times,
    "promises": _promises,
    "backlog": _backlog,
    "hand_overs": _hand_overs,
    "reasons": _reasons,
    "repairs": _repairs,
}

PAGE = Page(key="tickets", path=PATH, render=render)
