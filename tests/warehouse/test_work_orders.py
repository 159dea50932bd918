"""Repairs, requests, visits and waits for other departments, each through every model: what a rule says is written here by hand.

Every ticket has the schedule of `*`: open from 08:00 to 22:00 in Shanghai, 00:00 to 14:00 UTC. All times are UTC.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any

import duckdb
import pytest

from dashboards.data.metrics import Filters, metric_frame, metric_value
from dashboards.data.snapshot import Snapshot, open_snapshot
from orchestration.serving.build import build_snapshot
from tests.warehouse.shop_project import make_shop_project, opened

pytestmark = pytest.mark.slow

HOUR, DAY = 3600, 86_400
HEADER = "id,customer,kind,status,created,updated,deleted,unit,priority,tier,excluded,solved,topic,product,asset,asset_kind,fault"
NEWEST = "2026-06-01 00:00:00"  # the newest event of the source: until then everything is known

Line = tuple[str, str, str, str]


def line(moment: str, kind: str, value: str = "", actor: str = "agent") -> Line:
    return (moment, actor, kind, value)


def visit(
    day: str, dispatched: str, arrived: str, finished: str, result: str = "fixed", number: str = "1"
) -> list[Line]:
    """Three steps of one numbered visit on a day."""
    return [
        line(f"{day} {dispatched}:00", "dispatched", f"#{number}"),
        line(f"{day} {arrived}:00", "arrived", f"#{number}", "agent:T7"),
        line(f"{day} {finished}:00", "finished", f"{result}#{number}", "agent:T7"),
    ]


def appointed(
    moment: str, begin: str, end: str, wished_by: str = "", number: str = "1", day: str = "2026-03-02"
) -> Line:
    """A window of a day promised on it (`moment` and the window may name days of their own)."""
    promised, window_from, window_until = (
        instant if " " in instant else f"{day} {instant}" for instant in (moment, begin, end)
    )
    return line(promised, "appointed", f"{window_from}Z/{window_until}Z/{wished_by}#{number}")


@dataclass(frozen=True)
class Repair:
    """One ticket with its lines."""

    created: str
    lines: list[Line]
    kind: str = "repair"
    asset: str = ""
    fault: str = ""
    excluded: str = ""


MARCH = "2026-03-02"
SOLVED = line("2026-03-02 06:30:00", "status", "solved")
TICKETS: dict[str, Repair] = {
    "plain": Repair(
        "2026-03-02 01:00:00",
        [
            line("2026-03-02 01:00:00", "status", "new", "customer"),
            line("2026-03-02 01:10:00", "status", "open"),
            appointed("01:20:00", "05:00:00", "06:00:00"),
            *visit(MARCH, "02:00", "05:00", "06:00"),
            SOLVED,
            line("2026-03-02 07:00:00", "customer_told"),
        ],
        asset="A1",
        fault="dead",
    ),
    # Nobody works between 14:00 and midnight.
    "over_night": Repair(
        "2026-03-02 13:00:00",
        [
            line("2026-03-02 15:00:00", "dispatched", "#1"),
            appointed("15:30:00", "2026-03-03 01:00:00", "2026-03-03 03:00:00", number=""),
            line("2026-03-03 02:00:00", "arrived", "#1"),
            line("2026-03-03 03:00:00", "finished", "not_fixed#1"),
            appointed("03:30:00", "04:00:00", "04:30:00", number="", day="2026-03-03"),
            *visit("2026-03-03", "04:00", "05:00", "06:00", number="2"),
            line("2026-03-03 06:10:00", "status", "solved"),
        ],
    ),
    "without_numbers": Repair(
        "2026-03-02 01:00:00",
        [
            appointed("01:30:00", "02:30:00", "03:00:00", number=""),
            line("2026-03-02 02:00:00", "dispatched"),
            appointed("02:30:00", "03:30:00", "04:30:00", number=""),
            line("2026-03-02 03:00:00", "dispatched"),
            line("2026-03-02 04:00:00", "arrived"),
            line("2026-03-02 06:00:00", "finished", "fixed"),
            SOLVED,
        ],
    ),
    # Of two repairs of one asset the second comes exactly 30 days after the first was fixed, in the next pair a second later.
    "edge": Repair("2026-03-02 01:00:00", [appointed("01:10:00", "03:00:00", "05:00:00"), *visit(MARCH, "02:00", "05:00", "06:00"), SOLVED], asset="A2", fault="dead"),
    "edge_next": Repair("2026-04-01 06:00:00", [], asset="A2", fault="dead"),
    "past_edge": Repair("2026-03-02 01:00:00", [appointed("01:10:00", "03:00:00", "04:59:59"), *visit(MARCH, "02:00", "05:00", "06:00"), SOLVED], asset="A3", fault="dead"),
    "past_edge_next": Repair("2026-04-01 06:00:01", [], asset="A3", fault="dead"),
    # Another fault of the same asset, reported while the first is open and again two days later; a test ticket counts for nothing.
    "other_fault": Repair("2026-03-02 01:00:00", [appointed("01:10:00", "05:00:01", "07:00:00"), *visit(MARCH, "02:00", "05:00", "06:00"), SOLVED], asset="A4", fault="dead"),
    "other_fault_early": Repair("2026-03-02 05:30:00", [], asset="A4", fault="slow"),
    "other_fault_next": Repair("2026-03-04 06:00:00", [], asset="A4", fault="slow"),
    "tested": Repair("2026-03-02 01:00:00", [appointed("01:10:00", "03:00:00", "04:00:00"), appointed("03:30:00", "04:30:00", "05:30:00", "company"), *visit(MARCH, "02:00", "05:00", "06:00"), SOLVED], asset="A5", fault="dead"),
    "tested_next": Repair("2026-03-04 06:00:00", [], asset="A5", fault="dead", excluded="test"),
    "reopened": Repair(
        "2026-03-02 01:00:00",
        [
            appointed("01:10:00", "02:30:00", "03:30:00"), appointed("04:00:00", "04:30:00", "05:30:00", "customer"), *visit(MARCH, "02:00", "05:00", "06:00"),
            SOLVED,
            line("2026-03-05 06:30:00", "status", "open", "customer"),
            line("2026-03-05 08:30:00", "status", "solved"),
            line("2026-03-06 10:00:00", "customer_told"),
        ],
    ),
    "not_final": Repair(
        "2026-05-20 01:00:00",
        [*visit("2026-05-20", "02:00", "05:00", "06:00"), line("2026-05-20 06:30:00", "status", "solved")],
        asset="A6",
        fault="dead",
    ),
    "arrived_first": Repair(
        "2026-03-02 01:00:00",
        [
            line("2026-03-02 02:00:00", "arrived", "#1"),
            line("2026-03-02 03:00:00", "dispatched", "#1"),
            line("2026-03-02 04:00:00", "finished", "fixed#1"),
            SOLVED,
        ],
    ),
    "dispatched_before_report": Repair(
        "2026-03-02 01:00:00",
        [line("2026-03-02 00:30:00", "dispatched", "#1"), *visit(MARCH, "02:00", "05:00", "06:00")[1:], SOLVED],
    ),
    "finish_alone": Repair("2026-03-02 01:00:00", [appointed("01:10:00", "04:00:00", "05:00:00", number=""), line("2026-03-02 06:00:00", "finished", "fixed"), SOLVED]),
    "called_off": Repair(
        "2026-03-02 01:00:00",
        [
            line("2026-03-02 02:00:00", "dispatched", "#1"),
            appointed("02:10:00", "03:00:00", "04:00:00"),
            line("2026-03-02 02:30:00", "finished", "cancelled#1"),
            *visit(MARCH, "03:00", "05:00", "06:00", number="2"),
            SOLVED,
        ],
    ),
    "running": Repair(
        "2026-05-31 18:00:00",
        [
            appointed("19:00:00", "2026-05-31 23:00:00", NEWEST, day="2026-05-31"),
            line("2026-05-31 20:00:00", "dispatched", "#1"),
        ],
    ),
    "solved_silently": Repair("2026-03-02 01:00:00", [appointed("01:10:00", "06:00:00", "06:30:00"), line("2026-03-02 02:00:00", "dispatched", "#1"), SOLVED]),
    "locked_out": Repair("2026-03-02 01:00:00", [appointed("04:00:00", "02:00:00", "03:00:00"), *visit(MARCH, "02:00", "05:00", "05:10", "no_access")]),
    "odd_result": Repair("2026-03-02 01:00:00", [*visit(MARCH, "02:00", "05:00", "06:00", "perhaps"), SOLVED]),
    "told_late": Repair(
        "2026-03-02 01:00:00",
        [*visit(MARCH, "02:00", "05:00", "06:00"), SOLVED, line("2026-03-03 06:00:01", "customer_told")],
    ),
    "too_early_to_tell": Repair(
        "2026-05-31 18:00:00",
        [*visit("2026-05-31", "19:00", "19:30", "20:00"), line("2026-05-31 20:10:00", "status", "solved")],
    ),
    "from_afar": Repair("2026-03-02 01:00:00", [appointed("01:10:00", "03:00:00", "05:00:00"), SOLVED]),
    # Not a repair, and of a kind of which nobody ever says when the customer was told.
    "incident": Repair("2026-03-02 01:00:00", [appointed("01:10:00", "05:00:00", "06:00:00", number=""), line("2026-03-02 04:00:00", "status", "solved")], kind="incident"),
    "request": Repair(
        "2026-03-02 01:00:00",
        [
            line("2026-03-02 01:30:00", "assignee", "A1"),
            line("2026-03-02 02:00:00", "department_asked", "network", "agent:A1"),
            line("2026-03-02 03:00:00", "department_asked", "network"),
            line("2026-03-02 04:00:00", "department_asked", "billing#network"),
            line("2026-03-02 05:00:00", "department_answered", "network"),
            line("2026-03-02 15:00:00", "department_answered", "billing"),
            line("2026-03-02 21:00:00", "status", "solved"),
            line("2026-03-02 22:00:00", "customer_told"),
        ],
        kind="request",
    ),
    "twice": Repair(
        "2026-03-02 01:00:00",
        [
            line("2026-03-02 02:00:00", "department_asked", "network"),
            line("2026-03-02 03:00:00", "department_answered", "network"),
            line("2026-03-02 05:00:00", "department_asked", "network"),
            line("2026-03-02 07:00:00", "department_answered", "network"),
            line("2026-03-02 08:00:00", "department_answered", "network"),
            line("2026-03-02 09:00:00", "department_answered", "billing"),
            line("2026-03-02 11:00:00", "status", "solved"),
        ],
        kind="order",
    ),
    "waiting": Repair("2026-05-31 10:00:00", [line("2026-05-31 12:00:00", "department_asked", "billing")], kind="order"),
    "lapsed": Repair(
        "2026-03-02 01:00:00",
        [line("2026-03-02 02:00:00", "department_asked", "billing"), line("2026-03-02 06:00:00", "status", "solved")],
        kind="complaint",
    ),
    "spam": Repair("2026-03-02 01:00:00", [appointed("01:10:00", "04:00:00", "06:00:00"), *visit(MARCH, "02:00", "05:00", "06:00")], excluded="spam"),
    "question": Repair(
        "2026-03-02 01:00:00", [line(NEWEST, "public_reply")], kind="enquiry"
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Built:
    marts: duckdb.DuckDBPyConnection
    snapshot: Snapshot

    def rows(self, columns: str, mart: str, ticket: str, order: str = "1") -> list[tuple[Any, ...]]:
        return self.marts.execute(
            f"select {columns} from {mart} where ticket_id = ? order by {order}", [ticket]
        ).fetchall()

    def order(self, ticket: str, columns: str) -> tuple[Any, ...]:
        (found,) = self.rows(columns, "fct_work_orders", ticket)
        return found


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    project = make_shop_project(tmp_path_factory.mktemp("work"))
    tickets = [HEADER]
    files: dict[str, list[str]] = {"20261129": [], "20261130": []}
    for name, ticket in TICKETS.items():
        tickets.append(
            f"{name},C1,{ticket.kind},open,{ticket.created}Z,2026-11-30 00:00:00,no,,,,{ticket.excluded},,,,{ticket.asset},,{ticket.fault}"
        )
        # The later half of a life comes in the earlier delivery, backwards.
        half = len(ticket.lines) // 2
        for file, part in (("20261129", ticket.lines[half:]), ("20261130", ticket.lines[:half])):
            files[file] += [f"{name}|{moment}Z|{actor}|{kind}|{value}" for moment, actor, kind, value in reversed(part)]
    project.deliver("tickets_20261130.csv", "\n".join(tickets) + "\n")
    for file, lines in files.items():
        project.deliver(f"ticketlog_{file}.txt", "\n".join(lines) + "\n")
    project.load("load-1")
    project.build()
    snapshot = build_snapshot(project.settings, run_id="run-1")
    with ExitStack() as stack:
        yield Built(stack.enter_context(opened(project)), stack.enter_context(closing(open_snapshot(snapshot.path))))


SPANS = "accept_seconds, dispatch_seconds, arrive_seconds, finish_seconds, tell_seconds"


def test_the_stages_of_a_repair(built: Built) -> None:
    spans = (600, HOUR, 4 * HOUR, 5 * HOUR, HOUR)
    assert built.order("plain", SPANS) == spans
    assert built.order("plain", SPANS.replace("_seconds", "_business_seconds")) == spans
    columns = "visits, is_finished, is_told_in_time, is_out_of_order, asset_id, fault_code, is_fault"
    assert built.order("plain", columns) == (1, True, True, False, "A1", "dead", True)
    columns = "visit_number, visit_id, technician_id, visit_outcome, dispatch_to_arrival_seconds, on_site_seconds, tell_seconds, is_incomplete"
    assert built.rows(columns, "fct_visits", "plain") == [(1, "1", "T7", "fixed", 3 * HOUR, HOUR, HOUR, False)]


def test_business_time_stands_still_at_night(built: Built) -> None:
    assert built.order("over_night", SPANS) == (2 * HOUR, 2 * HOUR, 13 * HOUR, 17 * HOUR, None)
    business = SPANS.replace("_seconds", "_business_seconds")
    assert built.order("over_night", business) == (HOUR, HOUR, 3 * HOUR, 7 * HOUR, None)


def test_visits_without_numbers_go_on_in_order(built: Built) -> None:
    columns = "visit_number, visit_id, visit_outcome, dispatch_to_arrival_seconds, is_missed, is_incomplete"
    assert built.rows(columns, "fct_visits", "without_numbers") == [
        (1, None, "missed", None, True, False),
        (2, None, "fixed", HOUR, False, False),
    ]


def test_steps_out_of_order_give_no_time(built: Built) -> None:
    columns = "visit_outcome, is_out_of_order, dispatch_to_arrival_seconds, on_site_seconds"
    assert built.rows(columns, "fct_visits", "arrived_first") == [("fixed", True, None, 2 * HOUR)]
    assert built.order("arrived_first", "is_out_of_order, dispatch_seconds, arrive_seconds") == (True, 2 * HOUR, HOUR)
    assert built.rows(columns, "fct_visits", "dispatched_before_report") == [("fixed", True, 4.5 * HOUR, HOUR)]
    columns = "is_out_of_order, dispatch_seconds, dispatch_business_seconds, arrive_seconds"
    assert built.order("dispatched_before_report", columns) == (True, None, None, 4 * HOUR)


def test_missing_steps_are_seen(built: Built) -> None:
    columns = "visit_outcome, is_incomplete, dispatch_to_arrival_seconds, on_site_seconds"
    assert built.rows(columns, "fct_visits", "finish_alone") == [("fixed", True, None, None)]
    assert built.order("finish_alone", "dispatch_seconds, finish_seconds, visits") == (None, 5 * HOUR, 1)
    assert built.rows("visit_outcome, is_incomplete", "fct_visits", "solved_silently") == [("unknown", True)]
    assert built.rows("visit_outcome, is_incomplete", "fct_visits", "running") == [("running", False)]
    assert built.rows("visit_outcome, is_judged", "fct_visits", "odd_result") == [("unknown", False)]
    assert built.rows("visit_outcome, is_missed", "fct_visits", "locked_out") == [("no_access", True)]


# visits, fixed at the first visit, first-time fix by the window and by the short one; null = not final or not known.
FIXES = {
    "plain": (1, True, True, True),
    "over_night": (2, False, False, False),
    "without_numbers": (2, False, False, False),
    "edge": (1, True, False, True),
    "edge_next": (0, None, None, None),
    "past_edge": (1, True, True, True),
    "past_edge_next": (0, None, None, None),
    "other_fault": (1, True, False, False),
    "other_fault_early": (0, None, None, None),
    "other_fault_next": (0, None, None, None),
    "tested": (1, True, True, True),
    "reopened": (1, True, False, False),
    "not_final": (1, True, None, True),
    "arrived_first": (1, True, True, True),
    "dispatched_before_report": (1, True, True, True),
    "finish_alone": (1, True, True, True),
    "called_off": (1, True, True, True),
    "running": (1, None, None, None),
    "solved_silently": (1, None, None, None),
    "locked_out": (1, False, False, False),
    "odd_result": (1, None, None, None),
    "told_late": (1, True, True, True),
    "too_early_to_tell": (1, True, None, None),
    "from_afar": (0, None, None, None),
    "incident": (0, None, None, None),
}


def test_first_time_fix(built: Built) -> None:
    found = built.marts.execute(
        "select ticket_id, visits, is_fixed_at_first_visit, is_first_time_fix, is_first_time_fix_short_window from fct_work_orders"
        " where is_fault and is_in_base"
    ).fetchall()
    assert {row[0]: row[1:] for row in found} == FIXES
    assert built.order("not_final", "is_fix_final, is_fix_final_short_window") == (False, True)
    assert built.order("running", "is_fix_final") == (None,)


def test_first_time_fix_as_a_metric(built: Built) -> None:
    def parts(name: str) -> tuple[float | None, float | None]:
        value = metric_value(built.snapshot, name, Filters())
        return value.numerator, value.denominator

    def expected(column: int) -> tuple[int, int]:
        known = [fix[column] for fix in FIXES.values() if fix[column] is not None]
        return sum(known), len(known)

    assert parts("first_time_fix_rate_without_window") == expected(1) == (13, 16)
    assert parts("first_time_fix_rate") == expected(2) == (8, 14)
    assert parts("first_time_fix_rate_short_window") == expected(3) == (10, 15)
    # 13 and the second visits of two repairs, among them and three that did not fix; the missed one counts, what is unknown does not.
    assert parts("visit_fix_rate") == (15, 18)
    assert parts("missed_visit_rate") == (2, 18)
    assert metric_value(built.snapshot, "repairs_not_final", Filters()).value == 2
    assert metric_value(built.snapshot, "visits_made", Filters()).value == 21
    assert parts("visits_per_work_order") == (21, 19)


def test_the_same_asset_again(built: Built) -> None:
    columns = "is_fault_repeated, is_same_fault_repeated"
    assert built.order("edge", columns) == (True, True)
    assert built.order("past_edge", columns) == (False, False)
    assert built.order("other_fault", columns) == (True, False)
    assert built.order("tested", columns) == (False, False)
    assert built.order("not_final", columns) == (None, None)
    assert built.order("from_afar", columns) == (None, None)  # no asset


def test_a_fix_that_did_not_hold_is_no_finish(built: Built) -> None:
    assert built.order("reopened", "finish_seconds, tell_seconds, is_told_in_time") == (
        3 * DAY + 7.5 * HOUR,
        25.5 * HOUR,
        False,
    )
    assert built.order("from_afar", "finish_seconds, visits") == (5.5 * HOUR, 0)
    assert built.order("locked_out", "is_finished, finish_seconds") == (False, None)


def test_told_in_time(built: Built) -> None:
    found = {
        name: built.order(name, "is_told_in_time")[0]
        for name in ("told_late", "tested", "too_early_to_tell", "incident", "request")
    }
    assert found == {"told_late": False, "tested": False, "too_early_to_tell": None, "incident": None, "request": True}


# State, early by, late by, of each appointment; the visit that it was for, and who wished it moved.
APPOINTMENTS: dict[str, list[tuple[str, int | None, int | None, int | None, str]]] = {
    "plain": [("kept", None, None, 1, "not_moved")],
    "edge": [("kept", None, None, 1, "not_moved")],
    "past_edge": [("late", None, 1, 1, "not_moved")],
    "other_fault": [("early", 1, None, 1, "not_moved")],
    # Moved while it could still be kept, and moved when nobody had come.
    "tested": [("rescheduled", None, None, 1, "company"), ("kept", None, None, 1, "not_moved")],
    "reopened": [("missed", None, None, 1, "customer"), ("kept", None, None, 1, "not_moved")],
    # Without a number: for the visit that nobody has arrived for yet.
    "over_night": [("kept", None, None, 1, "not_moved"), ("late", None, 1800, 2, "not_moved")],
    "without_numbers": [("missed", None, None, 1, "not_moved"), ("kept", None, None, 2, "not_moved")],
    "finish_alone": [("unknown", None, None, 1, "not_moved")],
    "called_off": [("cancelled", None, None, 1, "not_moved")],
    "running": [("not_final", None, None, 1, "not_moved")],
    "solved_silently": [("cancelled", None, None, 1, "not_moved")],
    "locked_out": [("unknown", None, None, 1, "not_moved")],
    "from_afar": [("missed", None, None, None, "not_moved")],
    "incident": [("cancelled", None, None, None, "not_moved")],
    "spam": [("kept", None, None, 1, "not_moved")],
}


def test_appointments(built: Built) -> None:
    found: dict[str, list[tuple[Any, ...]]] = {}
    for name, *rest in built.marts.execute(
        "select ticket_id, appointment_state, early_seconds, late_seconds, visit_number, moved_by from fct_appointments order by ticket_id, appointment_number"
    ).fetchall():
        found.setdefault(name, []).append(tuple(rest))
    assert found == APPOINTMENTS
    assert built.rows("visit_number, appointment_state", "fct_visits", "tested") == [(1, "kept")]
    assert built.rows("visit_number, appointment_state", "fct_visits", "called_off") == [(1, "cancelled"), (2, "none")]


def test_appointments_as_metrics(built: Built) -> None:
    def parts(name: str) -> tuple[float | None, float | None]:
        value = metric_value(built.snapshot, name, Filters())
        return value.numerator, value.denominator

    assert parts("kept_appointment_rate") == (6, 12)
    assert parts("kept_appointment_rate_early_is_kept") == (7, 12)
    assert parts("kept_appointment_rate_moved_is_broken") == (6, 13)
    assert parts("early_appointment_rate") == (1, 12)
    assert parts("late_appointment_rate") == (2, 12)
    assert parts("missed_appointment_rate") == (3, 12)
    assert parts("rescheduled_appointment_rate") == (1, 16)
    assert parts("visits_with_appointment_rate") == (14, 21)
    moved = Filters(where={"moved_by": ("company",)})
    assert metric_value(built.snapshot, "kept_appointment_rate", moved).value is None
    values = {
        name: metric_value(built.snapshot, name, Filters()).value
        for name in ("appointments_made", "appointments_not_final", "appointments_unknown", "appointment_lateness_median", "appointment_lateness_p90")
    }  # fmt: skip
    assert values == {
        "appointments_made": 19,
        "appointments_not_final": 1,
        "appointments_unknown": 2,
        "appointment_lateness_median": 1,
        "appointment_lateness_p90": 1800,
    }


WAITS = "wait_number, department, asking_department, asked_by, wait_state, turnaround_seconds, turnaround_business_seconds, reminders"


def test_waits_for_other_departments(built: Built) -> None:
    assert built.rows(WAITS, "fct_department_waits", "request") == [
        (1, "network", "unknown", "A1", "answered", 3 * HOUR, 3 * HOUR, 1),
        (2, "billing", "network", None, "answered", 11 * HOUR, 10 * HOUR, 0),  # the day ends at 14:00
    ]
    assert built.rows(WAITS, "fct_department_waits", "twice") == [
        (1, "network", "unknown", None, "answered", HOUR, HOUR, 0),
        (2, "network", "unknown", None, "answered", 2 * HOUR, 2 * HOUR, 0),
        (3, "network", "unknown", None, "not_asked", None, None, 0),
        (4, "billing", "unknown", None, "not_asked", None, None, 0),
    ]
    columns = "wait_state, turnaround_seconds, age_seconds, age_business_seconds"
    assert built.rows(columns, "fct_department_waits", "waiting") == [("waiting", None, 12 * HOUR, 2 * HOUR)]
    assert built.rows(columns, "fct_department_waits", "lapsed") == [("lapsed", None, None, None)]


def test_time_spent_waiting_for_departments_counts_once(built: Built) -> None:
    columns = "resolution_seconds, department_wait_seconds, department_waits"
    assert built.order("request", columns) == (20 * HOUR, 13 * HOUR, 2)  # 02:00 to 15:00, both of them together
    assert built.order("twice", columns) == (10 * HOUR, 3 * HOUR, 2)
    assert built.order("lapsed", columns) == (5 * HOUR, 4 * HOUR, 1)
    assert built.order("plain", columns) == (5.5 * HOUR, 0, 0)
    assert built.order("waiting", columns) == (None, None, 1)


def test_waits_as_metrics(built: Built) -> None:
    frame = metric_frame(built.snapshot, ["department_turnaround_mean"], by=["department"])
    assert {row["department"]: (row["numerator"], row["denominator"]) for row in frame.to_dicts()} == {
        "network": (6 * HOUR, 3),
        "billing": (11 * HOUR, 1),
    }
    values = {
        name: metric_value(built.snapshot, name, Filters()).value
        for name in ("department_turnaround_median", "department_turnaround_p90", "department_waits_open", "department_waits_asked", "department_waits_lapsed", "department_wait_age_median")
    }  # fmt: skip
    assert values == {
        "department_turnaround_median": 2 * HOUR,
        "department_turnaround_p90": 11 * HOUR,
        "department_waits_open": 1,
        "department_waits_asked": 6,
        "department_waits_lapsed": 1,
        "department_wait_age_median": 12 * HOUR,
    }
    share = metric_value(built.snapshot, "department_wait_share", Filters(where={"ticket_kind": ("request", "order")}))
    assert (share.numerator, share.denominator) == (16 * HOUR, 30 * HOUR)


def test_which_tickets_are_work_orders(built: Built) -> None:
    found = {name for (name,) in built.marts.execute("select ticket_id from fct_work_orders").fetchall()}
    assert found == set(TICKETS) - {"question"}  # a complaint is one where a department was asked
    assert built.order("spam", "is_in_base") == (False,)
    assert built.rows("is_in_base", "fct_visits", "spam") == [(False,)]
