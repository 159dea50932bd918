"""What is wrong now and what was promised: hot issues, hard issues, complaints whose window is open, broken and running promises, waits for departments.

Belongs here: rows of these marts for a slice. Does not belong here: rates (metrics) and root causes (causes). No text of a customer is in a snapshot.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from dashboards.data import small_cells
from dashboards.data.metrics import Filters, row_conditions
from dashboards.data.snapshot import Snapshot

Rows = list[dict[str, Any]]

_USUAL = ("org_unit_id", "channel", "product_line", "customer_kind")


def _now(filters: Filters) -> Filters:
    """What is open is open now, whatever the days of the view."""
    return replace(filters, start=None, end=None)


def hot_issues(snapshot: Snapshot, filters: Filters) -> Rows:
    """Bursts of complaints that ran in the period, those that still run first, then the newest.

    Args:
        filters: a burst counts that ran on a day of the period; unit and product count, channel and kind do not.
    """
    where, values = row_conditions(
        replace(_now(filters), channels=(), customer_kinds=()), ("org_unit_id", "product_line"), "first_on"
    )
    rows = snapshot.rows(
        "select hot_issue_id, topic, place_level, org_unit_id, product_line, course, is_running, first_on, last_on, run_days, window_days, customers_at_first,"
        f" expected_at_first, p_value, customers, expected_customers, peak_customers, peak_on, complaints, open_complaints, as_of from main.fct_hot_issues{where}"
        " and (?::date is null or last_on >= ?::date) and (?::date is null or first_on <= ?::date) order by is_running desc, first_on desc, hot_issue_id",
        [*values, filters.start, filters.start, filters.end, filters.end],
    )
    if snapshot.viewer.is_limited:
        counts = ("customers_at_first", "customers", "peak_customers", "complaints", "open_complaints")
        rows = [{**row, **{name: None for name in counts if small_cells.is_small(row[name] or 0)}} for row in rows]
    return rows


def hard_issues(snapshot: Snapshot, filters: Filters) -> Rows:
    """Complaints and work orders that are open for more than a week, the oldest first, with whom they wait for and since when.

    Args:
        filters: unit, channel, product and kind count; the days do not.
    """
    where, values = row_conditions(_now(filters), _USUAL, "opened_on")
    return snapshot.rows(
        "select hard_issue_id, issue_kind, source, coalesce(ticket_id, complaint_id) as record_id, customer_key, org_unit_id, product_line, channel, topic, priority,"
        " waits_for, department, wait_basis, reminders, reopen_count, is_second, age_seconds, waiting_seconds, opened_at, waiting_since_at, as_of"
        f" from main.fct_hard_issues{where} order by age_seconds desc, hard_issue_id",
        values,
    )


@dataclass(frozen=True)
class Windows:
    """Complaints of a period by what is known of a second one within `days` days.

    Attributes:
        final: identified complaints whose window is over; second: of these, followed by another of the same cause.
        not_final: identified complaints whose window is open; already: of these, followed by another of the same cause so far.
        unidentified: complaints of which the customer is not known: in no rate.
        None: too few to be told to the reader.
    """

    days: int
    final: int | None
    second: int | None
    not_final: int | None
    already: int | None
    unidentified: int | None


def second_windows(snapshot: Snapshot, filters: Filters) -> list[Windows]:
    """What is known of second complaints of the same cause within 7, 30 and 90 days, by cases."""
    where, values = row_conditions(filters, _USUAL, "opened_on")
    found = []
    for days in (7, 30, 90):
        final, repeated = f"is_cause_final_{days}d", f"is_cause_repeated_{days}d"
        (row,) = snapshot.rows(
            f"select count(*) filter (where customer_key is not null and {final}) as final,"
            f" count(*) filter (where customer_key is not null and {final} and {repeated}) as second,"
            f" count(*) filter (where customer_key is not null and not coalesce({final}, false)) as not_final,"
            f" count(*) filter (where customer_key is not null and not coalesce({final}, false) and {repeated}) as already,"
            f" count(*) filter (where customer_key is null) as unidentified from main.fct_complaints{where}",
            values,
        )
        if snapshot.viewer.is_limited:
            row = {name: None if small_cells.is_small(count) else count for name, count in row.items()}
        found.append(Windows(days, **row))
    return found


def second_complaints(snapshot: Snapshot, filters: Filters, *, limit: int) -> tuple[Rows, int]:
    """Complaints that repeat an earlier one of the same customer and cause, the newest first, and how many there are.

    Args:
        filters: the days are those of the opening of the second one.
    """
    where, values = row_conditions(filters, _USUAL, "opened_on")
    rows = snapshot.rows(
        "select opened_on, complaint_id, repeats_complaint_id, customer_key, org_unit_id, product_line, channel, cause, is_closed, threat, count(*) over () as total"
        f" from main.fct_complaints{where} and is_second order by opened_at desc, complaint_id limit ?",
        [*values, limit],
    )
    return rows, int(rows[0]["total"]) if rows else 0


def promise_outcomes(snapshot: Snapshot, filters: Filters) -> Rows:
    """How many promises of the period became what, by where they are known from; null = too few to be told to the reader.

    Args:
        filters: the days are those on which the promise fell due, as in the rates of the ledger.
    """
    where, values = row_conditions(filters, _USUAL, "due_on")
    rows = snapshot.rows(
        f"select promise_outcome, basis, cast(count(*) as bigint) as promises from main.fct_promise_ledger{where} group by all order by all",
        values,
    )
    if snapshot.viewer.is_limited:
        hidden = small_cells.hidden_cells(
            {(row["promise_outcome"], row["basis"]): float(row["promises"]) for row in rows}
        )
        rows = [{**row, "promises": None} if (row["promise_outcome"], row["basis"]) in hidden else row for row in rows]
    return rows


def broken_promises(snapshot: Snapshot, filters: Filters, *, limit: int) -> tuple[Rows, int]:
    """Promises that are due and not kept as far as is known, the longest overdue first, then those that are not due yet; and how many there are.

    Args:
        filters: broken ones count that fell due on these days; those not due yet count whatever the days.
    """
    where, values = row_conditions(_now(filters), _USUAL, "made_on")
    rows = snapshot.rows(
        "select promise_outcome, basis, act, purpose, ticket_source, ticket_id, customer_key, org_unit_id, channel, made_at, due_at, known_until, count(*) over () as total"
        f" from main.fct_promise_ledger{where} and (promise_outcome = 'open' or promise_outcome = 'broken' and (?::date is null or due_on >= ?::date)"
        " and (?::date is null or due_on <= ?::date)) order by promise_outcome = 'broken' desc, due_at, promise_id limit ?",
        [*values, filters.start, filters.start, filters.end, filters.end, limit],
    )
    return rows, int(rows[0]["total"]) if rows else 0


def promise_effects(snapshot: Snapshot) -> Rows:
    """What satisfaction and staying look like after broken and late promises beside kept ones; of all data."""
    return snapshot.rows(
        "select outcome_kind, comparison, treated, control, treated_mean, control_mean, difference, difference_low, difference_high, is_small_base, reason"
        " from fct_promise_effects order by outcome_kind, comparison"
    )


def waiting_for_departments(snapshot: Snapshot, filters: Filters, *, limit: int) -> tuple[Rows, int]:
    """Tickets that wait for another department now, the longest first, and how many waits there are.

    Args:
        filters: unit, channel, product and kind count; the days do not.
    """
    where, values = row_conditions(_now(filters), _USUAL, "asked_on")
    rows = snapshot.rows(
        "select source, ticket_id, department, asking_department, ticket_kind, fault_code, org_unit_id, product_line, reminders, asked_at, age_seconds,"
        f" age_business_seconds, count(*) over () as total from main.fct_department_waits{where} and is_in_base and wait_state = 'waiting'"
        " order by age_seconds desc, source, ticket_id, wait_number limit ?",
        [*values, limit],
    )
    return rows, int(rows[0]["total"]) if rows else 0


def oldest_open_tickets(snapshot: Snapshot, filters: Filters, until: date, *, limit: int) -> tuple[Rows, int]:
    """Tickets that are open, the oldest first, with their age on the last day of the data; and how many are open.

    Args:
        filters: unit, channel, product and kind count; the days do not.
        until: last day of the data.
    """
    where, values = row_conditions(_now(filters), _USUAL, "created_on")
    rows = snapshot.rows(
        "select source, ticket_id, customer_key, org_unit_id, channel, product_line, ticket_kind, topic, priority, ticket_status, agent_id, created_on,"
        f" date_diff('day', created_on, ?::date) as age_days, hand_overs, reopen_count, count(*) over () as total from main.fct_tickets{where}"
        " and is_in_base and not is_solved order by created_at, source, ticket_id limit ?",
        [until, *values, limit],
    )
    return rows, int(rows[0]["total"]) if rows else 0
