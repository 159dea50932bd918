"""First contact resolution by what followed and by the agents' own marks, gross and net of what level one cannot solve, and the times of a few tickets:
each number by hand through every model and the snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime

import pytest

from dashboards.data.metrics import Filters, metric_values
from dashboards.data.snapshot import Snapshot, open_snapshot
from orchestration.serving.build import build_snapshot
from tests.warehouse.shop_project import make_shop_project

pytestmark = pytest.mark.slow

SCOPE = ["ticket_kind,repair,a crew goes", "topic,move_house,a crew goes", "call_type,wholesale,another desk"]
CALLS = [  # call, customer, when in March 2026 (Shanghai), ticket, the agent's mark, type
    # Four calls of three customers: A and C call once and are solved, B calls twice.
    ("a", "CA", "10 09:00", "", "yes", ""), ("b1", "CB", "10 10:00", "", "no", ""), ("b2", "CB", "10 11:00", "", "yes", ""), ("c", "CC", "10 12:00", "", "yes", ""),
    # E, F and G ask for what level one cannot solve, F twice; E also for what it can. H calls twice, I has no mark.
    ("e1", "CE", "12 09:00", "T_repair", "no", ""), ("e2", "CE", "12 10:00", "T_bill", "yes", ""), ("f1", "CF", "12 09:00", "T_move", "no", ""),
    ("f2", "CF", "12 10:00", "T_move", "", ""), ("g", "CG", "12 09:00", "", "no", "wholesale"), ("h1", "CH", "12 09:00", "", "yes", ""),
    ("h2", "CH", "12 10:00", "", "", ""), ("i", "CI", "12 09:00", "", "", ""),
    # A call after a written ticket on it; the help desk's clock is two minutes ahead of the exchange's, and two minutes behind it.
    ("after_mail", "CJ", "20 12:00", "T_mail", "", ""), ("ahead", "CK", "22 12:00", "T_ahead", "", ""), ("behind", "CL", "24 12:00", "T_behind", "", ""),
    ("last", "CA", "31 12:00", "", "", ""),
]  # fmt: skip
TICKETS = [  # ticket, customer, kind, topic, created (Shanghai), unit, why it is not in the base
    # The first three only say what the calls are about.
    ("T_repair", "CE", "repair", "", "2026-03-01 09:00", "", "duplicate"), ("T_move", "CF", "request", "move_house", "2026-03-01 09:00", "", "duplicate"),
    ("T_bill", "CE", "enquiry", "bill", "2026-03-01 09:00", "", "duplicate"), ("T_mail", "CJ", "enquiry", "bill", "2026-03-20 09:00", "", ""),
    ("T_ahead", "CK", "enquiry", "bill", "2026-03-22 12:02", "", ""), ("T_behind", "CL", "enquiry", "bill", "2026-03-24 11:58", "", ""),
    ("M1", "CA", "repair", "", "2026-01-06 09:00", "desk", ""), ("M2", "CB", "enquiry", "", "2026-01-06 10:00", "desk", ""),
    ("M3", "CC", "enquiry", "", "2026-01-07 17:00", "desk", ""), ("M4", "CC", "enquiry", "", "2026-01-07 17:00", "desk", "spam"),
]  # fmt: skip
LOG = [  # the desk is open from 10:00 to 18:00
    ("M1", "2026-01-06 11:00", "agent:A1", "public_reply", ""), ("M1", "2026-01-06 12:00", "agent:A1", "status", "solved"),
    ("M1", "2026-01-06 13:00", "customer", "public_reply", ""), ("M1", "2026-01-06 13:00", "customer", "status", "open"),
    ("M1", "2026-01-06 14:00", "agent:A1", "public_reply", ""), ("M1", "2026-01-06 15:00", "agent:A1", "status", "solved"),
    ("M2", "2026-01-06 11:00", "agent:A1", "public_reply", ""), ("M2", "2026-01-06 11:00", "agent:A1", "status", "pending"),
    ("M2", "2026-01-06 13:00", "customer", "status", "open"), ("M2", "2026-01-06 14:00", "agent:A1", "status", "hold"),
    ("M2", "2026-01-06 16:00", "agent:A1", "status", "solved"),
]  # fmt: skip


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snapshot]:
    project = make_shop_project(tmp_path_factory.mktemp("resolution"))
    project.replace_seed("level_one_scope", *SCOPE)
    project.add_to_seed("schedules", *(f"desk,{day},10:00,18:00,,,Asia/Shanghai," for day in range(1, 8)))
    project.replace_seed("schedule_assignments", "org_unit,desk,desk,,")
    calls, log = ["id,caller,customer,started,ended,about,solved,type"], []
    for name, customer, when, about, solved, kind in CALLS:
        started = f"2026-03-{when}:00"
        calls.append(f"{name},,{customer},{started},,{about},{solved},{kind}")
        epoch = int(datetime.fromisoformat(f"{started}+08:00").timestamp())
        log += [f"{epoch}|{name}|enter_queue||", f"{epoch + 1}|{name}|answered|A1|1"]
    tickets = ["id,customer,kind,status,created,updated,deleted,unit,priority,tier,excluded,solved,topic,product"]
    tickets += [
        f"{name},{customer},{kind},open,{created}:00,2026-11-30 00:00:00,no,{unit},normal,,{excluded},,{topic},"
        for name, customer, kind, topic, created, unit, excluded in TICKETS
    ]
    customers = [f"C{n},C{n},person,{13800000000 + i},{n}@example.com" for i, n in enumerate("ABCEFGHIJKL")]
    for name, lines in (
        ("calls_20261130.csv", calls), ("calllog_20261130.txt", log), ("tickets_20261130.csv", tickets),
        ("ticketlog_20261130.txt", ["|".join((t, f"{at}:00", *rest)) for t, at, *rest in LOG]),
        ("customers_20261130.csv", ["id,name,kind,phone,email", *customers]),
    ):  # fmt: skip
        project.deliver(name, "\n".join(lines) + "\n")
    project.load("load-1")
    project.build()
    with closing(open_snapshot(build_snapshot(project.settings, run_id="run-1").path)) as found:
        yield found


def check(snapshot: Snapshot, start: date, end: date, expected: dict[str, float | None]) -> None:
    found = metric_values(snapshot, list(expected), Filters(start=start, end=end))
    assert {name: one.value for name, one in found.items()} == pytest.approx(expected)


def test_four_calls_of_three_customers_by_the_agents_marks(snapshot: Snapshot) -> None:
    check(snapshot, date(2026, 3, 10), date(2026, 3, 10), {
        "fcr_marked_by_contacts": 2 / 4, "fcr_marked_by_customers": 2 / 3, "fcr_marked_by_issues": 2 / 3, "marked_contact_rate": 1,
        "fcr_by_contacts": 2 / 4, "fcr_by_customers": 2 / 3, "fcr_by_issues": 2 / 3,
        # Nothing of them is out of scope.
        "fcr_by_contacts_net": 2 / 4, "fcr_marked_by_contacts_net": 2 / 4, "level_one_scope_rate": 1,
    })  # fmt: skip


def test_gross_and_net_side_by_side(snapshot: Snapshot) -> None:
    """Eight contacts, six of them open an issue; out of scope are one by the kind, two by the topic and one by the type of call."""
    check(snapshot, date(2026, 3, 12), date(2026, 3, 12), {
        "level_one_scope_rate": 4 / 8, "marked_contact_rate": 5 / 8,
        # What followed: f1 and h1 were repeated on their issue.
        "fcr_by_contacts": 4 / 8, "fcr_by_contacts_net": 2 / 4, "fcr_by_issues": 4 / 6, "fcr_by_issues_net": 2 / 3,
        "customers_opening": 5, "customers_opening_in_scope": 3, "customers_opening_unsolved": 2, "customers_opening_unsolved_in_scope": 1,
        "fcr_by_customers": 3 / 5, "fcr_by_customers_net": 2 / 3,
        # The marks: h1 and e2 yes; e1, f1 and g no.
        "fcr_marked_by_contacts": 2 / 5, "fcr_marked_by_contacts_net": 2 / 2, "fcr_marked_by_issues": 2 / 5, "fcr_marked_by_issues_net": 2 / 2,
        "customers_opening_marked": 4, "customers_opening_marked_in_scope": 2, "customers_opening_marked_unsolved": 3,
        "customers_opening_marked_unsolved_in_scope": 0, "fcr_marked_by_customers": 1 / 4, "fcr_marked_by_customers_net": 1,
    })  # fmt: skip


def test_where_nobody_marks_there_is_no_rate(snapshot: Snapshot) -> None:
    names = ("fcr_marked_by_contacts", "fcr_marked_by_issues", "fcr_marked_by_customers", "fcr_marked_by_contacts_net")
    check(snapshot, date(2026, 3, 20), date(2026, 3, 20), dict.fromkeys(names, None) | {"marked_contact_rate": 0})


def test_a_call_after_a_written_ticket_on_the_same_issue_is_a_repeat(snapshot: Snapshot) -> None:
    check(snapshot, date(2026, 3, 20), date(2026, 3, 20), {
        "repeat_contact_rate_same_issue_24h": 1 / 2, "repeat_contact_rate_24h": 1 / 2, "fcr_by_issues": 0, "channel_switch_rate": 1,
        "fcr_no_repeat_24h": 1 / 2, "fcr_no_repeat_48h": 1 / 2, "repeat_contact_rate_same_issue_48h": 1 / 2, "repeat_contact_rate_same_issue_7d": 1 / 2,
    })  # fmt: skip


@pytest.mark.parametrize(("day", "first"), [(22, "call:ahead"), (24, "ticket:T_behind")])
def test_a_clock_ahead_or_behind_changes_the_order_and_no_count(snapshot: Snapshot, day: int, first: str) -> None:
    """Each contact stands where its own system's clock puts it: two contacts, one issue, one repeat, no time below zero."""
    at = date(2026, 3, day)
    check(
        snapshot,
        at,
        at,
        {
            "repeat_contact_rate_same_issue_24h": 1 / 2,
            "fcr_by_contacts": 0,
            "fcr_by_issues": 0,
            "channel_switch_rate": 1,
        },
    )
    rows = snapshot.rows(
        f"select contact_id, seconds_to_next_on_issue from fct_contact_repeats where started_on = '{at}' and is_opening"
    )
    assert [tuple(row.values()) for row in rows] == [(first, 120)]


HOUR = 3600


def test_the_times_of_three_tickets(snapshot: Snapshot) -> None:
    """M1 was reopened, M2 waited for the customer and on hold, M3 is open without an answer, M4 is spam."""
    check(snapshot, date(2026, 1, 6), date(2026, 1, 7), {
        "tickets_created": 3, "tickets_excluded": 1, "first_reply_mean": 1.5 * HOUR, "first_reply_median": HOUR, "first_reply_business_mean": HOUR,
        "first_reply_business_mean_by_last_schedule": HOUR, "first_reply_business_mean_by_first_schedule": HOUR, "first_reply_business_median": HOUR,
        "total_reply_mean": (3 + 1) / 2 * HOUR, "full_resolution_mean": 6 * HOUR, "full_resolution_business_mean": (5 + 6) / 2 * HOUR,
        "full_resolution_business_mean_by_last_schedule": (5 + 6) / 2 * HOUR, "full_resolution_business_mean_by_first_schedule": (5 + 6) / 2 * HOUR,
        "full_resolution_business_median": 5 * HOUR,
        # M1: new 3 hours, open 2; M2: new 1, pending 2, open 1, on hold 2.
        "requester_wait_mean": (5 + 4) / 2 * HOUR, "requester_wait_median": 4 * HOUR, "requester_wait_business_mean": 4 * HOUR,
        "requester_wait_business_median": 4 * HOUR, "agent_wait_mean": HOUR, "work_time_mean": (5 + 2) / 2 * HOUR, "hold_time_mean": HOUR,
        "one_touch_rate": 1 / 2, "one_touch_rate_net": 1 / 1, "reopen_rate": 1 / 2, "reopen_rate_of_solved_now": 1 / 2,
        "repeat_contact_rate_same_issue_30d": 0 / 3, "backlog_opened": 3, "backlog_solved": 3, "backlog_reopened": 1, "backlog_change": 1,
    })  # fmt: skip
