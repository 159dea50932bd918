"""Fifty thousand random calls, walked through again step by step in plain Python from the definitions alone, agree with the warehouse.

The calls ring out, are transferred to queues and past them, enter queue after queue, are answered twice by one agent, lack their end, and their
steps arrive shuffled over two deliveries. What follows a contact is found again by looking at all later contacts of the customer.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import duckdb
import pytest

from tests.warehouse.shop_project import make_shop_project, opened

READ = ("fct_call_legs", "fct_contact_repeats", "fct_half_hours")

pytestmark = pytest.mark.slow

CALLS, CUSTOMERS, SPAN = 50_000, 6_000, 45 * 86_400
FIRST = int(datetime(2026, 2, 1, tzinfo=UTC).timestamp())
QUEUES, AGENTS = ("service", "vip", "night"), tuple(f"A{number}" for number in range(8))
WINDOWS = {"24h": 86_400, "48h": 172_800, "72h": 259_200, "7d": 604_800, "30d": 2_592_000}
ISSUE_GAP = 604_800


@dataclass(frozen=True)
class Step:
    at: int
    kind: str
    who: str = ""
    told: str = ""


@dataclass
class Call:
    name: str
    customer: str
    started: int
    steps: list[Step] = field(default_factory=list)


def random_call(name: str, dice: random.Random) -> Call:
    """Steps of one call, each at a second of its own."""
    call = Call(name, f"C{dice.randrange(int(CUSTOMERS * 1.05))}", FIRST + dice.randrange(SPAN))
    now = call.started

    def add(kind: str, who: str = "", told: object = "") -> None:
        nonlocal now
        now += dice.randrange(1, 400)
        call.steps.append(Step(now, kind, who, str(told)))

    if dice.random() < 0.1:
        add("answered", dice.choice(AGENTS), dice.choice(["", 0, 7]))
    for _ in range(dice.choice([0, 1, 1, 1, 1, 2, 3])):
        add("enter_queue", dice.choice(QUEUES))
        for _ in range(dice.choice([0, 0, 0, 1, 2])):
            add("ring_no_answer", dice.choice(AGENTS), 15)
        fate = dice.random()
        if fate < 0.12:
            add(dice.choice(["abandoned", "flow_out"]), "", dice.choice(["", dice.randrange(300)]))
            break
        if fate < 0.2:
            continue
        agent = dice.choice(AGENTS)
        add("answered", agent, dice.choice(["", dice.randrange(300)]))
        if dice.random() < 0.05:
            add("answered", agent, 1)
        if dice.random() < 0.2:
            add("held", agent)
            add("resumed", agent, dice.randrange(60))
        if dice.random() < 0.15:
            add("transferred", agent, dice.choice(["", 90]))
            agent = dice.choice(AGENTS)
            if dice.random() < 0.4:
                add("answered", agent, "")
        if dice.random() < 0.8:
            add("completed", agent, dice.choice(["", dice.randrange(900)]))
        if dice.random() < 0.6:
            add("wrap_up", agent, dice.randrange(120))
    return call


@dataclass
class Leg:
    """One leg as the second engine sees it."""

    queue: str
    entered: int | None
    answered: int | None = None
    agent: str | None = None
    ended: tuple[str, int] | None = None
    moved_at: int | None = None
    told_wait: int | None = None
    released: int | None = None
    seconds: Counter[str] = field(default_factory=Counter)
    has: set[str] = field(default_factory=set)
    rang: int = 0

    @property
    def outcome(self) -> str:
        if self.answered is not None:
            return "answered"
        return self.ended[0] if self.ended else "moved" if self.moved_at is not None else "unknown"

    @property
    def wait(self) -> int | None:
        end = self.answered if self.answered is not None else self.ended[1] if self.ended else None
        if end is not None and self.told_wait is not None:
            return self.told_wait
        end = self.moved_at if end is None else end
        return None if end is None or self.entered is None else end - self.entered

    @property
    def handle(self) -> int | None:
        if self.answered is None:
            return None
        hold = self.seconds["resumed"]
        if "connected" in self.has:
            connected = self.seconds["connected"]
        elif self.released is not None:
            connected = self.released - self.answered
        else:
            return None
        return None if connected < hold else connected + self.seconds["wrap_up"]

    @property
    def worked(self) -> tuple[int, int] | None:
        """The stretch of handling; None where its length is unknown."""
        return None if self.answered is None or self.handle is None else (self.answered, self.answered + self.handle)


def walk(call: Call) -> list[Leg]:
    """The legs of a call, one step after the other."""
    legs: list[Leg] = []
    by_agent: dict[str, Leg] = {}

    def begin(at: int, leg: Leg) -> None:
        if legs and legs[-1].outcome == "unknown":
            legs[-1].moved_at = at
        legs.append(leg)

    for step in call.steps:
        told = int(step.told) if step.told else None
        if step.kind == "enter_queue":
            begin(step.at, Leg(step.who, step.at))
            continue
        if step.kind == "answered":
            if not legs or (legs[-1].agent is not None and legs[-1].agent != step.who):
                begin(step.at, Leg("unknown", None))
            leg = legs[-1]
            if leg.agent is None:
                leg.answered, leg.agent = step.at, step.who
            by_agent[step.who] = leg
        else:
            leg = by_agent.get(step.who, legs[-1]) if step.who else legs[-1]
        if step.kind in ("answered", "abandoned", "flow_out") and leg.told_wait is None:
            leg.told_wait = told
        if step.kind in ("abandoned", "flow_out"):
            leg.ended = (step.kind, step.at)
        elif step.kind == "ring_no_answer":
            leg.rang += 1
        elif step.kind in ("transferred", "completed"):
            leg.released = step.at
            leg.has |= {step.kind} | ({"connected"} if told is not None else set())
            leg.seconds["connected"] += told or 0
        elif step.kind in ("resumed", "wrap_up"):
            leg.seconds[step.kind] += told or 0
    return legs


@dataclass
class Both:
    calls: list[Call]
    legs: dict[str, list[Leg]]
    marts: duckdb.DuckDBPyConnection


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    dice = random.Random(20260301)
    calls = [random_call(f"K{number}", dice) for number in range(CALLS)]
    project = make_shop_project(tmp_path_factory.mktemp("second_calls"))
    records = [
        f"{call.name},,{call.customer},{datetime.fromtimestamp(call.started, UTC) + timedelta(hours=8):%Y-%m-%d %H:%M:%S},"
        for call in calls
    ]
    lines = [f"{step.at}|{call.name}|{step.kind}|{step.who}|{step.told}" for call in calls for step in call.steps]
    dice.shuffle(lines)
    project.deliver("calls_20260401.csv", "\n".join(["id,caller,customer,started,ended", *records]) + "\n")
    for number, part in enumerate((lines[::2], lines[1::2]), start=1):
        project.deliver(f"calllog_2026040{number}.txt", "\n".join(part) + "\n")
    customers = [f"C{n},C{n},person,139{n:08},c{n}@example.com" for n in range(CUSTOMERS)]
    project.deliver("customers_20260401.csv", "\n".join(["id,name,kind,phone,email", *customers]) + "\n")
    project.load("load-1")
    project.build(*READ, full=True)
    with opened(project) as connection:
        yield Both(calls, {call.name: walk(call) for call in calls}, connection)


def test_every_leg_agrees(both: Both) -> None:
    expected = {
        (name, number): (
            leg.queue,
            leg.agent,
            leg.outcome,
            leg.wait,
            leg.handle,
            leg.rang + (leg.answered is not None),
            "transferred" in leg.has,
        )
        for name, legs in both.legs.items()
        for number, leg in enumerate(legs, start=1)
    }
    found = {
        (row[0], row[1]): row[2:]
        for row in both.marts.execute(
            "select call_id, leg_number, queue, agent_id, outcome, wait_seconds, handle_seconds, offers, is_transferred from fct_call_legs"
        ).fetchall()
    }
    assert Counter(row[2] for row in expected.values()).keys() == {
        "answered",
        "abandoned",
        "flow_out",
        "moved",
        "unknown",
    }
    differing = {
        key: (found.get(key), expected.get(key))
        for key in found.keys() | expected.keys()
        if found.get(key) != expected.get(key)
    }
    assert not differing, f"{len(differing)} of {len(expected)}: {dict(list(differing.items())[:5])}"


def test_every_half_hour_agrees(both: Both) -> None:
    sums: defaultdict[tuple[str, int], Counter[str]] = defaultdict(Counter)
    for legs in both.legs.values():
        for leg in legs:
            ends = {"answered": leg.answered, "abandoned": leg.ended[1] if leg.ended else None}
            began = leg.entered if leg.entered is not None else leg.answered
            assert began is not None
            sums[leg.queue, began // 1800]["entered"] += 1
            sums[leg.queue, began // 1800][f"entered_{leg.outcome}"] += 1
            if leg.outcome in ends and ends[leg.outcome] is not None:
                sums[leg.queue, ends[leg.outcome] // 1800][leg.outcome] += 1  # type: ignore[operator]
            if leg.worked:
                first, last = leg.worked
                for half_hour in range(first // 1800, last // 1800 + 1):
                    sums[leg.queue, half_hour]["handling"] += min(last, (half_hour + 1) * 1800) - max(
                        first, half_hour * 1800
                    )
    names = ("entered", "entered_answered", "entered_abandoned", "answered", "abandoned", "handling")
    expected = {key: tuple(found[name] for name in names) for key, found in sums.items()}
    found = {
        (row[0], row[1]): row[2:]
        for row in both.marts.execute(
            "select queue, epoch(half_hour_at)::bigint // 1800, entered, entered_answered, entered_abandoned, answered, abandoned, handling_seconds"
            " from fct_half_hours"
        ).fetchall()
    }
    differing = {
        key: (found.get(key), expected.get(key))
        for key in found.keys() | expected.keys()
        if found.get(key, (0,) * 6) != expected.get(key, (0,) * 6)
    }
    assert not differing, f"{len(differing)} of {len(expected)}: {dict(list(differing.items())[:5])}"


def test_what_follows_every_contact_agrees(both: Both) -> None:
    contacts: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    for call in both.calls:
        reached = any(leg.outcome in ("answered", "abandoned", "flow_out") for leg in both.legs[call.name])
        if reached and int(call.customer[1:]) < CUSTOMERS:
            contacts[call.customer].append((call.started, f"call:{call.name}"))
    until = max(at for rows in contacts.values() for at, _ in rows)
    expected = {}
    for rows in contacts.values():
        rows.sort()
        times = [at for at, _ in rows]
        for number, (at, name) in enumerate(rows):
            after = times[number + 1] if number + 1 < len(times) else None
            on_issue = after if after is not None and after - at <= ISSUE_GAP else None
            flags: list[object] = [number == 0 or at - times[number - 1] > ISSUE_GAP]
            for seconds in WINDOWS.values():
                is_final = until - at >= seconds
                followers = bisect_right(times, at + seconds) - number - 1
                flags += [
                    is_final,
                    is_final and followers > 0,
                    is_final and on_issue is not None and on_issue - at <= seconds,
                ]
            expected[name] = tuple(flags)
    columns = ", ".join(f"is_final_{window}, is_repeated_{window}, is_repeated_on_issue_{window}" for window in WINDOWS)
    found = {
        row[0]: row[1:]
        for row in both.marts.execute(f"select contact_id, is_opening, {columns} from fct_contact_repeats").fetchall()
    }
    differing = {
        key: (found.get(key), expected.get(key))
        for key in found.keys() | expected.keys()
        if found.get(key) != expected.get(key)
    }
    assert not differing, f"{len(differing)} of {len(expected)}: {dict(list(differing.items())[:5])}"
