"""A thousand random tickets with visits, departments asked, words to customers and shared assets, computed again step by step in Python,
agree with the marts to the second.

Their events come shuffled over two deliveries, some before the ticket's creation, some twice, some never. The second engine walks
through the life of one ticket after the other and knows no windows or joins; what business time is it lays over the days.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.warehouse.shop_project import make_shop_project, opened

READ = ("fct_appointments", "fct_department_waits", "fct_visits", "fct_work_orders")

pytestmark = pytest.mark.slow

TICKETS, DAYS = 1000, 75
FIRST = datetime(2026, 2, 1)
OPENS, CLOSES = 0, 14 * 3600  # 08:00 to 22:00 in Shanghai, every day
FIX_WINDOW, SHORT_WINDOW, TELL_WINDOW = 30 * 86_400, 7 * 86_400, 86_400
STAGES = ["dispatched", "arrived", "finished"]
SOLVED = {"solved", "closed"}
RESULTS = ["fixed", "fixed", "fixed", "not_fixed", "no_access", "cancelled", "perhaps"]
KINDS = ["repair", "repair", "repair", "incident", "request", "order", "enquiry", "complaint"]


@dataclass(frozen=True)
class Event:
    """One line of the log; `detail` is the number of the visit, or the asking department."""

    moment: datetime
    kind: str
    value: str = ""
    detail: str = ""


@dataclass
class Ticket:
    """A ticket with its events in the order of their times, no two of which are equal."""

    name: str
    kind: str
    created: datetime
    asset: str
    fault: str
    excluded: str
    events: list[Event] = field(default_factory=list)


def invent(dice: random.Random, number: int) -> Ticket:
    created = FIRST + timedelta(seconds=dice.randrange(DAYS * 86_400))
    ticket = Ticket(
        f"T{number}",
        dice.choice(KINDS),
        created,
        dice.choice(["", *[f"A{n}" for n in range(60)]]),
        dice.choice(["", "dead", "slow"]),
        "test" if dice.random() < 0.03 else "",
    )
    reach = dice.choice([6 * 3600, 3 * 86_400, 30 * 86_400])
    moments = sorted(dice.sample(range(-1800 if dice.random() < 0.1 else 1, reach), dice.randrange(0, 16)))
    for seconds in moments:
        kind = dice.choices(
            [
                "appointed",
                *STAGES,
                "status",
                "customer_told",
                "department_asked",
                "department_answered",
                "assignee",
                "private_note",
            ],
            [4, 4, 4, 4, 4, 2, 2, 2, 1, 1],
        )[0]
        value = detail = ""
        if kind in STAGES:
            detail = dice.choice(["", "", "1", "2"])
            value = dice.choice(RESULTS) if kind == "finished" else ""
        elif kind == "status":
            value = dice.choice(["open", "pending", "solved", "solved", "closed"])
        elif kind.startswith("department"):
            value = dice.choice(["network", "billing"])
            detail = dice.choice(["", "billing"]) if kind == "department_asked" else ""
        elif kind == "assignee":
            value = "A1"
        elif kind == "appointed":
            detail = dice.choice(["", "1", "2"])
            begin = created + timedelta(seconds=seconds + dice.choice([-7200, 0, 0, 1800, 7200, 7_000_000]))
            end = begin + timedelta(seconds=dice.choice([-60, 0, 1800, 7200, 30_000]))
            value = f"{begin}Z/{end}Z/{dice.choice(['', 'customer', 'company', 'somebody'])}"
        ticket.events.append(Event(created + timedelta(seconds=seconds), kind, value, detail))
    return ticket


# -- the second engine ------------------------------------------------------------------------------------------------


def seconds(begin: datetime | None, end: datetime | None) -> int | None:
    return None if begin is None or end is None or end < begin else int((end - begin).total_seconds())


def business(created: datetime, begin: datetime | None, end: datetime | None) -> int | None:
    """Time open between two instants; what lies before the creation counts from there."""
    if begin is None or end is None or end < begin:
        return None
    begin, end = max(begin, created), max(end, created)
    total, day = 0.0, datetime(begin.year, begin.month, begin.day)
    while day <= end:
        opens, closes = day + timedelta(seconds=OPENS), day + timedelta(seconds=CLOSES)
        total += max(0.0, (min(closes, end) - max(opens, begin)).total_seconds())
        day += timedelta(days=1)
    return int(total)


@dataclass
class Visit:
    number: str | None
    times: dict[str, datetime] = field(default_factory=dict)
    result: str | None = None
    begun: datetime = FIRST
    outcome: str = ""

    @property
    def end(self) -> datetime:
        return self.times.get("finished") or self.times.get("arrived") or self.times["dispatched"]


@dataclass
class Wait:
    department: str
    asker: str | None = None
    asked: datetime | None = None
    answered: datetime | None = None
    reminders: int = 0


@dataclass
class Appointment:
    promised: datetime
    begin: datetime
    end: datetime
    wished_by: str
    number: str


@dataclass
class Life:
    """What a walk through a ticket's events finds."""

    ticket: Ticket
    visits: list[Visit] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)
    appointments: list[Appointment] = field(default_factory=list)
    told: list[datetime] = field(default_factory=list)
    reopened: list[datetime] = field(default_factory=list)
    accepted: datetime | None = None
    solved: datetime | None = None
    status: str = "new"

    @property
    def is_done(self) -> bool:
        return self.status in SOLVED

    @property
    def is_work(self) -> bool:
        return self.ticket.kind in ("repair", "incident", "request", "order") or bool(
            self.visits or self.waits or self.told or self.appointments
        )

    @property
    def is_fault(self) -> bool:
        return self.ticket.kind in ("repair", "incident")


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text.removesuffix("Z"))


def walk(ticket: Ticket) -> Life:
    life = Life(ticket)
    numbered: dict[str, Visit] = {}
    unnumbered: Visit | None = None
    last_stage = 9
    asked: dict[str, Wait] = {}
    for event in ticket.events:
        is_work = event.kind in [*STAGES, "appointed", "customer_told"] or event.kind.startswith("department")
        if event.kind == "status":
            if event.value in SOLVED and life.status not in SOLVED:
                life.solved = event.moment
            if event.value not in SOLVED and life.status in SOLVED:
                life.reopened.append(event.moment)
            life.status = event.value
        if life.accepted is None and (is_work or event.kind == "assignee" or life.status != "new"):
            life.accepted = event.moment
        if event.kind in STAGES:
            stage = STAGES.index(event.kind)
            if event.detail:
                visit = numbered.get(event.detail)
            else:
                visit = unnumbered if stage > last_stage else None
                last_stage = stage
            if visit is None:
                visit = Visit(event.detail or None, begun=event.moment)
                life.visits.append(visit)
                if event.detail:
                    numbered[event.detail] = visit
                else:
                    unnumbered = visit
            if event.kind == "finished":
                visit.times["finished"], visit.result = event.moment, event.value
            else:
                visit.times.setdefault(event.kind, event.moment)
        elif event.kind == "department_asked":
            if event.value in asked:
                asked[event.value].reminders += 1
            else:
                asked[event.value] = Wait(event.value, event.detail or None, event.moment)
                life.waits.append(asked[event.value])
        elif event.kind == "department_answered":
            if event.value in asked:
                asked.pop(event.value).answered = event.moment
            else:
                life.waits.append(Wait(event.value, answered=event.moment))
        elif event.kind == "customer_told":
            life.told.append(event.moment)
        elif event.kind == "appointed":
            begin, end, wished_by = event.value.split("/")
            life.appointments.append(Appointment(event.moment, instant(begin), instant(end), wished_by, event.detail))
    for number, visit in enumerate(life.visits):
        is_last = number == len(life.visits) - 1
        if visit.result in ("fixed", "not_fixed", "no_access", "cancelled"):
            visit.outcome = visit.result
        elif visit.result is not None or (is_last and life.is_done) or (not is_last and "arrived" in visit.times):
            visit.outcome = "unknown"
        else:
            visit.outcome = "running" if is_last else "missed"
    return life


def visit_rows(life: Life) -> Iterator[dict[str, Any]]:
    created = life.ticket.created
    for number, visit in enumerate(life.visits):
        steps = [visit.times.get(stage) for stage in STAGES]
        dispatched, arrived, finished = steps
        following = life.visits[number + 1] if number + 1 < len(life.visits) else None
        told = None
        if finished is not None:
            told = next((moment for moment in life.told if moment >= finished), None)
            if told is not None and following is not None:
                begin = next(following.times[stage] for stage in STAGES if stage in following.times)
                told = None if told >= begin else told
        there = [moment for moment in steps if moment is not None]
        yield {
            "ticket_id": life.ticket.name,
            "visit_number": number + 1,
            "visit_id": visit.number,
            "visit_outcome": visit.outcome,
            "is_out_of_order": there != sorted(there) or any(moment < created for moment in there),
            "is_incomplete": dispatched is None
            or (arrived is None and visit.outcome in ("fixed", "not_fixed", "unknown"))
            or (finished is None and visit.outcome == "unknown"),
            "dispatch_to_arrival_seconds": seconds(dispatched, arrived),
            "on_site_seconds": seconds(arrived, finished),
            "on_site_business_seconds": business(created, arrived, finished),
            "tell_seconds": seconds(finished, told),
            "tell_business_seconds": business(created, finished, told),
        }


def visit_of(life: Life, appointment: Appointment) -> Visit | None:
    for visit in life.visits:
        there = visit.times.get("arrived") or visit.times.get("finished") or visit.times["dispatched"]
        if (visit.number == appointment.number) if appointment.number else (there >= appointment.promised):
            return visit
    return None


def fate(life: Life, one: Appointment, moved_at: datetime | None, known_until: datetime) -> str:
    """How an appointment ended, asking in the order of what could have happened first."""
    if one.end < one.begin or one.end < one.promised:
        return "unknown"
    visit = visit_of(life, one) or Visit(None)
    arrived, finished = visit.times.get("arrived"), visit.times.get("finished")
    if arrived is not None and (moved_at is None or arrived < moved_at):
        if arrived < one.promised:
            return "unknown"
        return "early" if arrived < one.begin else "kept" if arrived <= one.end else "late"
    if moved_at is not None:
        return "rescheduled" if moved_at <= one.end else "missed"
    called_off = visit.result == "cancelled"
    if finished is not None and (finished <= one.end or not called_off):
        return "cancelled" if called_off else "unknown"
    if life.is_done and life.solved is not None and life.solved <= one.end:
        return "cancelled"
    return "missed" if one.end < known_until else "not_final"


def appointment_rows(life: Life, known_until: datetime) -> Iterator[dict[str, Any]]:
    whose = [visit_of(life, one) for one in life.appointments]
    for number, one in enumerate(life.appointments):
        visit = whose[number]
        later = [
            other
            for other, theirs in zip(life.appointments[number + 1 :], whose[number + 1 :], strict=True)
            if theirs is visit and (visit is not None or other.number == one.number)
        ]
        state = fate(life, one, later[0].promised if later else None, known_until)
        moved_by = later[0].wished_by if later else "not_moved"
        arrived = visit.times.get("arrived") if visit is not None else None
        yield {
            "ticket_id": life.ticket.name,
            "appointment_number": number + 1,
            "visit_number": life.visits.index(visit) + 1 if visit is not None else None,
            "appointment_state": state,
            "moved_by": moved_by if moved_by in ("customer", "company", "not_moved") else "unknown",
            "early_seconds": seconds(arrived, one.begin) if state == "early" else None,
            "late_seconds": seconds(one.end, arrived) if state == "late" else None,
        }


def wait_rows(life: Life, known_until: datetime) -> Iterator[dict[str, Any]]:
    created = life.ticket.created
    for number, wait in enumerate(life.waits):
        if wait.asked is None:
            state = "not_asked"
        elif wait.answered is not None:
            state = "answered"
        else:
            state = "lapsed" if life.is_done else "waiting"
        yield {
            "ticket_id": life.ticket.name,
            "wait_number": number + 1,
            "department": wait.department,
            "asking_department": wait.asker or "unknown",
            "wait_state": state,
            "reminders": wait.reminders,
            "turnaround_seconds": seconds(wait.asked, wait.answered),
            "turnaround_business_seconds": business(created, wait.asked, wait.answered),
            "age_seconds": seconds(wait.asked, known_until) if state == "waiting" else None,
            "age_business_seconds": business(created, wait.asked, known_until) if state == "waiting" else None,
        }


def order_row(
    life: Life, known_until: datetime, faults: dict[str, list[Ticket]], told_kinds: set[str], sends_waits: bool
) -> dict[str, Any]:
    ticket, created = life.ticket, life.ticket.created
    real = [visit for visit in life.visits if visit.outcome != "cancelled"]
    dispatched = min((v.times["dispatched"] for v in life.visits if "dispatched" in v.times), default=None)
    arrived = min((v.times["arrived"] for v in life.visits if "arrived" in v.times), default=None)

    finished = life.solved if life.is_done else None
    fixes = [visit.end for visit in real if visit.outcome == "fixed"]
    if real and real[-1].outcome == "fixed" and all(moment <= max(fixes) for moment in life.reopened):
        finished = max(fixes)
    told = None if finished is None else next((moment for moment in life.told if moment >= finished), None)

    fixed: dict[str, bool | None] = {"is_fixed_at_first_visit": None, "first_time_fix": None, "short": None}
    if real and real[0].outcome not in ("running", "unknown"):
        alone = len(real) == 1 and real[0].outcome == "fixed"
        fixed["is_fixed_at_first_visit"] = alone
        end = real[0].end
        troubles = [moment for moment in life.reopened if moment >= end]
        troubles += [other.created for other in faults.get(ticket.asset, []) if other.created > end]
        for name, window in (("first_time_fix", FIX_WINDOW), ("short", SHORT_WINDOW)):
            limit = timedelta(seconds=window)
            if known_until - end >= limit:
                fixed[name] = alone and all(moment - end > limit for moment in troubles)

    repeated: list[bool | None] = [None, None]
    if (
        life.is_fault
        and ticket.asset
        and finished is not None
        and known_until - finished >= timedelta(seconds=FIX_WINDOW)
    ):
        after = [
            other for other in faults.get(ticket.asset, []) if finished < other.created <= finished + timedelta(seconds=FIX_WINDOW)
        ]  # fmt: skip
        repeated[0] = bool(after)
        if ticket.fault:
            repeated[1] = any(other.fault == ticket.fault for other in after)

    is_told: bool | None = None
    if ticket.kind in told_kinds and finished is not None and known_until - finished >= timedelta(seconds=TELL_WINDOW):
        is_told = told is not None and told - finished <= timedelta(seconds=TELL_WINDOW)

    waited: int | None = None
    if life.is_done and sends_waits and life.solved is not None and life.solved >= created:
        stretches = [
            (max(wait.asked, created), min(wait.answered or life.solved, life.solved))
            for wait in life.waits
            if wait.asked is not None
        ]
        instants = sorted({moment for stretch in stretches for moment in stretch})
        waited = 0
        for begin, end in pairwise(instants):
            if any(a <= begin and end <= b for a, b in stretches):
                waited += int((end - begin).total_seconds())
    crooked = any(row["is_out_of_order"] for row in visit_rows(life)) or any(
        moment is not None and moment < created for moment in (life.accepted, finished)
    )
    return {
        "ticket_id": ticket.name,
        "visits": len(real),
        "missed_visits": sum(visit.outcome in ("missed", "no_access") for visit in real),
        "is_out_of_order": crooked,
        "is_fixed_at_first_visit": fixed["is_fixed_at_first_visit"],
        "is_first_time_fix": fixed["first_time_fix"],
        "is_first_time_fix_short_window": fixed["short"],
        "is_fault_repeated": repeated[0],
        "is_same_fault_repeated": repeated[1],
        "is_told_in_time": is_told,
        "accept_seconds": seconds(created, life.accepted),
        "dispatch_seconds": seconds(created, dispatched),
        "dispatch_business_seconds": business(created, created, dispatched)
        if seconds(created, dispatched) is not None
        else None,
        "arrive_seconds": seconds(created, arrived),
        "finish_seconds": seconds(created, finished),
        "finish_business_seconds": business(created, created, finished)
        if seconds(created, finished) is not None
        else None,
        "tell_seconds": seconds(finished, told),
        "resolution_seconds": seconds(created, life.solved) if life.is_done else None,
        "department_wait_seconds": waited,
    }


@pytest.fixture(scope="module")
def tickets() -> list[Ticket]:
    dice = random.Random(20_26)
    return [invent(dice, number) for number in range(TICKETS)]


@pytest.fixture(scope="module")
def lives(tickets: list[Ticket]) -> list[Life]:
    return [walk(ticket) for ticket in tickets]


@pytest.fixture(scope="module")
def known_until(tickets: list[Ticket]) -> datetime:
    return max(moment for ticket in tickets for moment in [ticket.created, *(event.moment for event in ticket.events)])


@pytest.fixture(scope="module")
def marts(tickets: list[Ticket], tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    project = make_shop_project(tmp_path_factory.mktemp("random_work"))
    records = ["id,customer,kind,status,created,updated,deleted,unit,priority,tier,excluded,solved,asset,fault"]
    lines = []
    for ticket in tickets:
        records.append(
            f"{ticket.name},C1,{ticket.kind},open,{ticket.created}Z,2026-11-30 00:00:00,no,,,,{ticket.excluded},,{ticket.asset},{ticket.fault}"
        )
        for event in ticket.events:
            value = f"{event.value}#{event.detail}" if event.detail else event.value
            lines.append(f"{ticket.name}|{event.moment}Z|agent|{event.kind}|{value}")
    random.Random(1).shuffle(lines)
    # The later half is delivered first, and a night lies between the two.
    project.deliver("tickets_20261129.csv", "\n".join(records) + "\n")
    project.deliver("ticketlog_20261129.txt", "\n".join(lines[len(lines) // 2 :]) + "\n")
    project.load("load-1")
    project.build(*READ)
    project.deliver("ticketlog_20261130.txt", "\n".join(lines[: len(lines) // 2]) + "\n")
    project.load("load-2")
    project.build(*READ)
    with opened(project) as connection:
        yield connection


def compare(
    marts: duckdb.DuckDBPyConnection, mart: str, expected: list[dict[str, Any]], key: list[str]
) -> pl.DataFrame:
    wanted = pl.DataFrame(expected, infer_schema_length=None).sort(key)
    found = marts.sql(f"select {', '.join(wanted.columns)} from {mart}").pl().sort(key)
    assert_frame_equal(found, wanted, check_dtypes=False)
    return found


def test_visits(marts: duckdb.DuckDBPyConnection, lives: list[Life]) -> None:
    found = compare(
        marts, "fct_visits", [row for life in lives for row in visit_rows(life)], ["ticket_id", "visit_number"]
    )
    assert set(found["visit_outcome"]) == {
        "fixed",
        "not_fixed",
        "no_access",
        "cancelled",
        "missed",
        "running",
        "unknown",
    }
    assert found["is_out_of_order"].sum() > 50 < found["tell_seconds"].count()


def test_appointments(marts: duckdb.DuckDBPyConnection, lives: list[Life], known_until: datetime) -> None:
    expected = [row for life in lives for row in appointment_rows(life, known_until)]
    found = compare(marts, "fct_appointments", expected, ["ticket_id", "appointment_number"])
    states = {"kept", "early", "late", "missed", "rescheduled", "cancelled", "not_final", "unknown"}
    assert set(found["appointment_state"]) == states
    assert set(found["moved_by"]) == {"customer", "company", "unknown", "not_moved"}
    last = {(row["ticket_id"], row["visit_number"]): row["appointment_state"] for row in expected}
    visits = [
        {
            "ticket_id": row["ticket_id"],
            "visit_number": row["visit_number"],
            "appointment_state": last.get((row["ticket_id"], row["visit_number"]), "none"),
        }
        for life in lives
        for row in visit_rows(life)
    ]
    compare(marts, "fct_visits", visits, ["ticket_id", "visit_number"])


def test_waits(marts: duckdb.DuckDBPyConnection, lives: list[Life], known_until: datetime) -> None:
    expected = [row for life in lives for row in wait_rows(life, known_until)]
    found = compare(marts, "fct_department_waits", expected, ["ticket_id", "wait_number"])
    assert set(found["wait_state"]) == {"answered", "waiting", "lapsed", "not_asked"}
    assert found["reminders"].max() > 1  # type: ignore[operator]


def test_work_orders(marts: duckdb.DuckDBPyConnection, lives: list[Life], known_until: datetime) -> None:
    faults: dict[str, list[Ticket]] = defaultdict(list)
    for life in lives:
        if life.is_fault and life.ticket.asset and not life.ticket.excluded:
            faults[life.ticket.asset].append(life.ticket)
    told_kinds = {life.ticket.kind for life in lives if life.told}
    orders = [order_row(life, known_until, faults, told_kinds, True) for life in lives if life.is_work]
    found = compare(marts, "fct_work_orders", orders, ["ticket_id"])
    for column in (
        "is_fixed_at_first_visit",
        "is_first_time_fix",
        "is_first_time_fix_short_window",
        "is_fault_repeated",
        "is_same_fault_repeated",
        "is_told_in_time",
    ):
        assert {True, False, None} == set(found[column].to_list()), f"{column} was not exercised"
    assert (found["department_wait_seconds"] > 0).sum() > 50
