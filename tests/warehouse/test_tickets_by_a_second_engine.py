"""Two thousand random tickets, computed again in polars from the definitions alone, agree with the warehouse to the second.

The tickets are reopened, put on hold, re-prioritised, moved between schedules and units, answered by people and bots, handed over, solved
and closed at equal instants, and their events arrive shuffled over two deliveries. The second engine knows no business clock: it lays
each span, cut at every change of schedule, over the opening hours that it makes with `zoneinfo`, and adds up what overlaps. A promise it judges stretch by stretch, and finds the instant of a breach by halving.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import duckdb
import polars as pl
import pytest

from tests.warehouse.shop_project import make_shop_project, opened

READ = ("fct_backlog_days", "fct_ticket_slas", "fct_tickets")

pytestmark = pytest.mark.slow

TICKETS = 2000
FIRST, DAYS = date(2026, 2, 25), 40
OPENINGS = {
    # schedule: (zone, {weekday: [(opens, closes)]})
    "always": ("UTC", {day: [("00:00", "24:00")] for day in range(1, 8)}),
    "york": ("America/New_York", {day: [("08:30", "17:15")] for day in range(1, 6)}),
    "night": ("America/New_York", {day: [("21:00", "05:00")] for day in range(1, 8)}),
    "split": ("Europe/Berlin", {day: [("08:00", "12:00"), ("13:30", "18:00")] for day in (1, 2, 4, 6)}),
    "shanghai": ("Asia/Shanghai", {day: [("09:00", "18:00")] for day in range(1, 6)}),
}
UNITS = {"u-always": "always", "u-york": "york", "u-split": "split", "somewhere": "shanghai", "u-dated": "dated"}
GROUPS = {"g-night": "night", "g-york": "york", "g-nobody": None, "g-dated": "dated"}
SOLVED = {"solved", "closed"}


@dataclass(frozen=True)
class Event:
    """One line of the log."""

    at: datetime
    actor: str
    kind: str
    value: str = ""


@dataclass
class Ticket:
    """A ticket with its events in their true order."""

    name: str
    created: datetime
    unit: str
    priority: str
    events: list[Event] = field(default_factory=list)


def of_unit(unit: str, at: datetime) -> str:
    """The unit `u-dated` is under New York's hours up to 7 March, then under Berlin's, from Berlin's midnight on."""
    if unit != "u-dated":
        return UNITS[unit]
    return "york" if at < datetime(2026, 3, 8, tzinfo=ZoneInfo("Europe/Berlin")) else "split"


def of_group(group: str, at: datetime) -> str | None:
    """The group `g-dated` has a schedule from 5 to 15 March in New York, where the clock changes on the 8th."""
    if group != "g-dated":
        return GROUPS[group]
    york = ZoneInfo("America/New_York")
    return "night" if datetime(2026, 3, 5, tzinfo=york) <= at < datetime(2026, 3, 16, tzinfo=york) else None


def random_ticket(name: str, dice: random.Random) -> Ticket:
    created = datetime.combine(FIRST, time(), UTC) + timedelta(seconds=dice.randrange(25 * 86_400))
    ticket = Ticket(name, created, dice.choice(list(UNITS)), dice.choice(["low", "normal", "high"]))
    now = created
    for _ in range(dice.randrange(14)):
        # Every seventh event shares its instant with the one before; the first may share that of the creation.
        now += timedelta(
            seconds=0 if dice.random() < 0.15 else dice.choice([40, 3_000, 30_000, 200_000]) + dice.randrange(60)
        )
        kind = dice.choice(
            ["status"] * 5
            + ["public_reply"] * 5
            + ["priority", "schedule", "group", "assignee", "private_note", "field"]
        )
        value = {
            "status": lambda: dice.choice(["new", "open", "open", "pending", "hold", "solved", "solved", "closed"]),
            "priority": lambda: dice.choice(["low", "normal", "high", "urgent"]),
            "schedule": lambda: dice.choice(list(OPENINGS)),
            "group": lambda: dice.choice(list(GROUPS)),
            "assignee": lambda: dice.choice(["A1", "A2", "A3"]),
        }.get(kind, str)()
        event = Event(now, dice.choice(["customer", "agent", "agent", "bot", "system"]), kind, value)
        if event not in ticket.events:
            ticket.events.append(event)
    return ticket


@dataclass(frozen=True)
class Policy:
    """One promise; no priorities: any."""

    metric: str
    minutes: int
    clock: str
    priorities: tuple[str, ...] = ()
    pauses: tuple[str, ...] = ()
    valid_from: date | None = None


# High tickets have no promise of a solution; what a ticket was promised as normal ends when it becomes high.
POLICIES = [
    Policy("first_reply", 60, "calendar", ("urgent",)),
    Policy("first_reply", 240, "business", ("high",)),
    Policy("first_reply", 600, "business", pauses=("pending",)),
    Policy("next_reply", 120, "business", ("high", "urgent")),
    Policy("next_reply", 900, "calendar", pauses=("hold", "pending")),
    Policy("resolution", 1000, "business", ("urgent",), ("pending",)),
    Policy("resolution", 3000, "business", ("low", "normal"), ("pending", "hold")),
    Policy("first_resolution", 5000, "calendar", valid_from=date(2026, 3, 10)),
]


# -- the second engine ----------------------------------------------------------------------------------------------------


def instant(day: date, clock: str, zone: ZoneInfo) -> datetime:
    """Instant of a wall clock; none of the hours above lies in an hour that is skipped or comes twice."""
    hours, minutes = (int(part) for part in clock.split(":"))
    local = datetime.combine(day, time()) + timedelta(hours=hours, minutes=minutes)
    return local.replace(tzinfo=zone).astimezone(UTC)


def openings() -> pl.DataFrame:
    rows = []
    for schedule, (zone_name, week) in OPENINGS.items():
        zone = ZoneInfo(zone_name)
        for number in range(-3, 80):
            day = FIRST + timedelta(days=number)
            for opens, closes in week.get(day.isoweekday(), []):
                end = day if closes > opens else day + timedelta(days=1)
                rows.append((schedule, instant(day, opens, zone), instant(end, closes, zone)))
    return pl.DataFrame(rows, schema=["schedule", "opens", "closes"], orient="row")


Segment = tuple[str, datetime, datetime]


@dataclass
class Replay:
    """What the definitions make of one ticket."""

    facts: dict[str, object] = field(default_factory=dict)
    spans: dict[str, list[Segment]] = field(default_factory=dict)
    promises: list[Promise] = field(default_factory=list)
    stretches: list[Stretch] = field(default_factory=list)
    end: datetime | None = None


@dataclass
class Promise:
    """One thing a customer waits for."""

    metric: str
    number: int
    began: datetime
    fulfilled: datetime | None


@dataclass
class Stretch:
    """Time of one status, priority and schedule, from an instant on."""

    began: datetime
    status: str
    priority: str | None
    schedule: str


def replay(ticket: Ticket) -> Replay:
    result = Replay()
    events = ticket.events
    # The schedule in force from each instant on.
    named: str | None = None
    held: str = of_unit(ticket.unit, ticket.created)
    moves: list[tuple[datetime, str]] = [(ticket.created, held)]
    for event in events:
        if event.kind == "schedule":
            named = event.value
        elif event.kind == "group":
            held = of_group(event.value, event.at) or held
        moves.append((event.at, named or held))

    def cut(start: datetime, end: datetime) -> list[Segment]:
        edges = [start, *sorted({at for at, _ in moves if start < at < end}), end]
        in_force = [next(s for at, s in reversed(moves) if at <= left) for left in edges[:-1]]
        return [(s, left, right) for s, left, right in zip(in_force, edges[:-1], edges[1:], strict=True)]

    def schedule_after(position: int) -> str:
        """Schedule when the event at a position of the log happened: those before it, in the log's order, have had their effect."""
        return moves[position + 1][1]

    first_schedule = next(s for at, s in reversed(moves) if at <= ticket.created)
    status, entered, stays = "new", ticket.created, []
    priority_events = [event for event in events if event.kind == "priority"]
    priority = ticket.priority if not priority_events else None
    for event in priority_events:
        if event.at == ticket.created:
            priority = event.value
    at_creation = priority
    solutions: list[tuple[int, str | None]] = []
    reply: tuple[int, str | None] | None = None
    reopened = hand_overs = replies = 0
    assignee: str | None = None
    waiting: datetime | None = ticket.created
    answered: list[tuple[datetime, datetime]] = []
    turns = 1
    has_status = any(event.kind == "status" for event in events)
    for position, event in enumerate(events):
        if event.kind == "priority":
            priority = event.value
        if event.kind == "assignee":
            hand_overs += assignee is not None and assignee != event.value
            assignee = event.value
        if event.kind == "status":
            if event.value in SOLVED and status not in SOLVED:
                solutions.append((position, priority))
            reopened += status in SOLVED and event.value not in SOLVED
            stays.append((status, entered, event.at))
            status, entered = event.value, event.at
        if event.kind == "public_reply" and event.at > ticket.created:
            if event.actor == "agent":
                replies += 1
                if reply is None:
                    reply = (position, priority)
                if waiting is not None:
                    answered.append((waiting, event.at))
                waiting = None
            elif event.actor == "customer" and waiting is None:
                waiting, turns = event.at, turns + 1
    solved_now = has_status and status in SOLVED
    # What is promised, and the stretches in which the clocks of the promises run.
    if solved_now:
        result.end = events[solutions[-1][0]].at
    result.promises = [
        Promise("first_reply" if n == 0 else "next_reply", n + 1, a, b) for n, (a, b) in enumerate(answered)
    ]
    if waiting is not None:
        result.promises.append(Promise("next_reply" if answered else "first_reply", turns, waiting, None))
    first_solved = events[solutions[0][0]].at if solutions else None
    result.promises.append(Promise("first_resolution", 1, ticket.created, first_solved))
    result.promises.append(Promise("resolution", 1, ticket.created, result.end))
    now = Stretch(ticket.created, "new", at_creation, first_schedule)
    result.stretches = [now]
    for event, (_, schedule) in zip(events, moves[1:], strict=True):
        now = Stretch(
            event.at,
            event.value if event.kind == "status" else now.status,
            event.value if event.kind == "priority" else now.priority,
            now.schedule if event.at == ticket.created else schedule,
        )
        if result.stretches[-1].began == now.began:
            result.stretches.pop()
        result.stretches.append(now)
    facts = result.facts
    facts["lifecycle_status"] = status if has_status else "open"
    facts["is_solved"], facts["was_solved"] = solved_now, bool(solutions)
    facts["is_one_touch"] = solved_now and replies == 1
    facts["reopen_count"], facts["hand_overs"] = reopened, hand_overs
    facts["public_agent_replies"], facts["customer_turns"], facts["answered_turns"] = replies, turns, len(answered)
    facts["priority_at_creation"] = at_creation or "unknown"
    facts["priority_at_first_reply"] = reply[1] if reply else None
    facts["priority_at_first_resolution"] = solutions[0][1] if solutions else None

    def span(name: str, decider: tuple[int, str | None] | None) -> None:
        facts[f"{name}_seconds"] = None
        if decider is None:
            return
        start, end = ticket.created, events[decider[0]].at
        facts[f"{name}_seconds"] = int((end - start).total_seconds())
        result.spans[f"{name}_business_seconds"] = cut(start, end)
        result.spans[f"{name}_business_seconds_by_last_schedule"] = [(schedule_after(decider[0]), start, end)]
        result.spans[f"{name}_business_seconds_by_first_schedule"] = [(first_schedule, start, end)]

    span("first_reply", reply)
    span("first_resolution", solutions[0] if solutions else None)
    span("full_resolution", solutions[-1] if solved_now else None)
    facts["total_reply_seconds"] = sum(int((b - a).total_seconds()) for a, b in answered) if answered else None
    if answered:
        result.spans["total_reply_business_seconds"] = [piece for a, b in answered for piece in cut(a, b)]
    for name, statuses in {
        "requester_wait": {"new", "open", "hold"}, "work": {"new", "open"}, "hold": {"hold"}, "agent_wait": {"pending"},
    }.items():  # fmt: skip
        mine = [(a, b) for stay, a, b in stays if stay in statuses]
        facts[f"{name}_seconds"] = sum(int((b - a).total_seconds()) for a, b in mine) if solved_now else None
        if solved_now:
            result.spans[f"{name}_business_seconds"] = [piece for a, b in mine for piece in cut(a, b)]
    return result


def business_seconds(replays: dict[str, Replay]) -> dict[tuple[str, str], int]:
    """Seconds of each span that lie in the opening hours of its schedules."""
    rows = [
        (name, span, schedule, start, end)
        for name, found in replays.items()
        for span, pieces in found.spans.items()
        for schedule, start, end in pieces
    ]
    pieces = pl.DataFrame(rows, schema=["ticket", "span", "schedule", "start", "end"], orient="row")
    overlaps = (
        pieces.join_where(
            openings(),
            pl.col("schedule") == pl.col("schedule_right"),
            pl.col("start") < pl.col("closes"),
            pl.col("end") > pl.col("opens"),
        )
        .with_columns(
            (pl.min_horizontal("end", "closes") - pl.max_horizontal("start", "opens"))
            .dt.total_seconds()
            .alias("seconds")
        )
        .group_by("ticket", "span")
        .agg(pl.col("seconds").sum())
    )
    found = {(name, span): 0 for name, replayed in replays.items() for span in replayed.spans}
    return found | {(name, span): seconds for name, span, seconds in overlaps.iter_rows()}


# -- promises -------------------------------------------------------------------------------------------------------------


@dataclass
class Hours:
    """Opening hours by schedule, for the promises."""

    stretches: dict[str, list[tuple[datetime, datetime]]]

    def open_seconds(self, schedule: str, start: datetime, end: datetime) -> int:
        hours = self.stretches[schedule]
        position = max(bisect_right(hours, (start, start)) - 1, 0)
        total = 0
        while position < len(hours) and hours[position][0] < end:
            opens, closes = hours[position]
            total += max(int((min(closes, end) - max(opens, start)).total_seconds()), 0)
            position += 1
        return total


def opening_hours() -> Hours:
    return Hours(
        {str(key[0]): sorted(rows.select("opens", "closes").rows()) for key, rows in openings().group_by("schedule")}
    )


def spent(policy: Policy, stretches: list[Stretch], hours: Hours, start: datetime, until: datetime) -> int:
    """Seconds that count for a promise, from its beginning until an instant."""
    total = 0
    for stretch, following in zip(stretches, [*stretches[1:], None], strict=True):
        left = max(stretch.began, start)
        right = min(following.began, until) if following else until
        if left < right and stretch.status not in {*SOLVED, *policy.pauses}:
            seconds = int((right - left).total_seconds())
            total += seconds if policy.clock == "calendar" else hours.open_seconds(stretch.schedule, left, right)
    return total


def fitting(promise: Promise, priority: str | None) -> Policy | None:
    for policy in POLICIES:
        in_time = policy.valid_from is None or promise.began.date() >= policy.valid_from
        if policy.metric == promise.metric and in_time and (not policy.priorities or priority in policy.priorities):
            return policy
    return None


def judged(found: Replay, promise: Promise, hours: Hours, horizon: datetime) -> tuple[object, ...] | None:
    """(state, policy, target, elapsed, breach) of a promise; None where no policy ever fitted."""
    end = promise.fulfilled or found.end or horizon
    # The stretches of the promise; the last goes on until the promise ends, whatever comes afterwards.
    is_open = promise.fulfilled is None and found.end is None
    stretches = [s for s in found.stretches if is_open or s.began < end or s.began <= promise.began]
    stretches = [
        s
        for s, following in zip(stretches, [*stretches[1:], None], strict=True)
        if following is None or following.began > promise.began
    ]
    in_force: Policy | None = None
    for stretch, following in zip(stretches, [*stretches[1:], None], strict=True):
        policy = fitting(promise, stretch.priority)
        if policy is None:
            continue
        in_force = policy
        left, right = max(stretch.began, promise.began), following.began if following else end
        if is_open and left >= end:
            continue  # what is over at the newest event itself is broken a second later
        target = policy.minutes * 60
        if right <= left and not spent(policy, stretches, hours, promise.began, left) > target:
            continue
        if left < end and spent(policy, stretches, hours, promise.began, left) > target:
            breach = left
        elif spent(policy, stretches, hours, promise.began, right) > target:
            low, high = left, right
            while high - low > timedelta(seconds=1):
                middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
                if spent(policy, stretches, hours, promise.began, middle) > target:
                    high = middle
                else:
                    low = middle
            breach = low
        else:
            continue
        elapsed = spent(policy, stretches, hours, promise.began, end)
        return ("breached", f"p{POLICIES.index(policy)}", target, elapsed, breach.replace(tzinfo=None))
    if in_force is None:
        return None
    last = fitting(promise, stretches[-1].priority)
    state = "met" if promise.fulfilled else None if found.end else "running"
    elapsed = spent(in_force, stretches, hours, promise.began, end)
    return (state if last is not None else None, f"p{POLICIES.index(in_force)}", in_force.minutes * 60, elapsed, None)


# -- both, side by side ---------------------------------------------------------------------------------------------------


@dataclass
class Both:
    """The tickets, and the warehouse that was built from their files."""

    tickets: list[Ticket]
    marts: duckdb.DuckDBPyConnection


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    dice = random.Random(20260301)
    tickets = [random_ticket(f"T{number:04}", dice) for number in range(TICKETS)]
    project = make_shop_project(tmp_path_factory.mktemp("second"))
    for schedule, (zone, week) in OPENINGS.items():
        project.add_to_seed(
            "schedules",
            *(f"{schedule},{day},{opens},{closes},,,{zone}," for day, hours in week.items() for opens, closes in hours),
        )
    for number, policy in enumerate(POLICIES):
        line = f"{number},p{number},{policy.metric},{';'.join(policy.priorities)},,,{policy.minutes},{policy.clock},{';'.join(policy.pauses)},{policy.valid_from or ''},"
        (project.replace_seed if number == 0 else project.add_to_seed)("sla_policies", line)
    project.add_to_seed(
        "schedule_assignments", "org_unit,u-always,always,,", "org_unit,u-york,york,,", "org_unit,u-spl*,split,,"
    )
    project.add_to_seed(
        "schedule_assignments", "org_unit,some*,shanghai,,", "group,g-night,night,,", "group,g-y*,york,,"
    )
    project.add_to_seed(
        "schedule_assignments",
        "org_unit,u-dated,york,,2026-03-07",
        "org_unit,u-dated,split,2026-03-08,",
        "group,g-dated,night,2026-03-05,2026-03-15",
    )
    header = "id,customer,kind,status,created,updated,deleted,unit,priority"
    rows = [
        f"{t.name},C1,enquiry,open,{t.created:%Y-%m-%d %H:%M:%S}Z,2026-11-30 00:00:00,no,{t.unit},{t.priority}"
        for t in tickets
    ]
    project.deliver("tickets_20261130.csv", "\n".join([header, *rows]) + "\n")
    # Events of one instant stay in one file, in their order; the instants are shuffled over two files.
    instants: dict[tuple[str, datetime], list[Event]] = {}
    for ticket in tickets:
        for event in ticket.events:
            instants.setdefault((ticket.name, event.at), []).append(event)
    groups = list(instants.items())
    dice.shuffle(groups)
    for name, chosen in (("20261129", groups[::2]), ("20261128", groups[1::2])):
        lines = [
            f"{ticket}|{e.at:%Y-%m-%d %H:%M:%S}Z|{e.actor}|{e.kind}|{e.value}"
            for (ticket, _), group in chosen
            for e in group
        ]
        project.deliver(f"ticketlog_{name}.txt", "\n".join(lines) + "\n")
    project.load("load-1")
    project.build(*READ)
    with opened(project) as marts:
        yield Both(tickets, marts)


def test_every_ticket_agrees_in_every_fact(both: Both) -> None:
    replays = {ticket.name: replay(ticket) for ticket in both.tickets}
    seconds = business_seconds(replays)
    facts = sorted({name for found in replays.values() for name in found.facts})
    spans = sorted({name for found in replays.values() for name in found.spans})
    assert len(spans) == 14
    expected = pl.DataFrame(
        [
            (name, *(found.facts[fact] for fact in facts), *(seconds.get((name, span)) for span in spans))
            for name, found in replays.items()
        ],
        schema=["ticket_id", *facts, *spans],
        orient="row",
        infer_schema_length=None,
    ).sort("ticket_id")
    found = both.marts.execute(
        f"select ticket_id, {', '.join([*facts, *spans])} from fct_tickets order by ticket_id"
    ).pl()
    assert found.height == TICKETS
    differing = {
        column: int((found[column].cast(expected[column].dtype) != expected[column]).fill_null(False).sum())
        + int((found[column].is_null() != expected[column].is_null()).sum())
        for column in [*facts, *spans]
    }
    assert {column: count for column, count in differing.items() if count} == {}
    # The tickets do exercise what they are for.
    dated = {t.name: of_unit(t.unit, t.created) for t in both.tickets if t.unit == "u-dated"}
    assert min(list(dated.values()).count("york"), list(dated.values()).count("split")) > 50
    used = [of_group(e.value, e.at) for t in both.tickets for e in t.events if e.value == "g-dated"]
    assert min(used.count("night"), used.count(None)) > 30
    moved = found.filter(
        pl.col("full_resolution_business_seconds") != pl.col("full_resolution_business_seconds_by_last_schedule")
    )
    assert moved.height > 100
    assert found.filter(pl.col("reopen_count") > 0).height > 200
    assert found.filter(pl.col("hand_overs") > 0).height > 50
    assert found.filter(pl.col("is_one_touch")).height > 100
    assert found.filter(pl.col("customer_turns") > 1).height > 200


def test_every_promise_agrees(both: Both) -> None:
    hours = opening_hours()
    horizon = max(event.at for ticket in both.tickets for event in ticket.events)
    expected = {}
    for ticket in both.tickets:
        found = replay(ticket)
        for promise in found.promises:
            outcome = judged(found, promise, hours, horizon)
            if outcome is not None:
                expected[(ticket.name, promise.metric, promise.number)] = outcome
    rows = both.marts.execute(
        "select ticket_id, sla_metric, instance, sla_state, policy, target_seconds, elapsed_seconds, breached_at from fct_ticket_slas"
    ).fetchall()
    actual = {row[:3]: row[3:] for row in rows}
    assert len(rows) == len(actual)
    assert actual.keys() == expected.keys()
    differing = {key: (actual[key], expected[key]) for key in expected if actual[key] != expected[key]}
    assert len(differing) == 0, list(differing.items())[:5]
    for metric, least in {"first_reply": 200, "next_reply": 40, "first_resolution": 50, "resolution": 100}.items():
        for state in ("met", "breached", None):
            count = sum(key[1] == metric and row[0] == state for key, row in actual.items())
            assert count >= (least if state else 0), (metric, state, count)
    assert sum(row[0] == "running" for row in actual.values()) > 50
    assert sum(row[0] is None for row in actual.values()) > 100


def test_the_backlog_of_every_day_agrees(both: Both) -> None:
    """Asked again day by day: which tickets are open at its end, and how old are they. Days are those of Shanghai."""
    shanghai = ZoneInfo("Asia/Shanghai")
    last = max(event.at for ticket in both.tickets for event in ticket.events).astimezone(shanghai).date()
    bounds = {"0": (0, 0), "1-2": (1, 2), "3-6": (3, 6), "7-29": (7, 29), "30+": (30, 9999)}
    hours = opening_hours()

    def bucket(age: int) -> str:
        return next(name for name, (low, high) in bounds.items() if low <= age <= high)

    def business_bucket(stretches: list[Stretch], created: datetime, at: datetime) -> str:
        """The seconds open from the creation on, stretch by stretch."""
        seconds = 0
        for stretch, following in zip(stretches, [*stretches[1:], None], strict=True):
            left, right = max(stretch.began, created), min(following.began, at) if following else at
            seconds += hours.open_seconds(stretch.schedule, left, right) if left < right else 0
        return next(
            name
            for name, most in (("0-8h", 8), ("8-24h", 24), ("24-80h", 80), ("80h+", 10**6))
            if seconds < most * 3600
        )

    expected: dict[tuple[object, ...], list[int]] = {}
    for ticket in both.tickets:
        stretches = replay(ticket).stretches
        begun = ticket.created.astimezone(shanghai).date()
        steps = [(begun, 0, True, ticket.created)]
        solved = False
        for event in ticket.events:
            if event.kind == "status" and (event.value in SOLVED) != solved:
                solved = not solved
                steps.append((event.at.astimezone(shanghai).date(), 1 if solved else 2, not solved, event.at))
        for day, flow, _, at in steps:
            key = (
                day,
                ticket.unit,
                ticket.priority,
                bucket((day - begun).days),
                business_bucket(stretches, ticket.created, at),
            )
            expected.setdefault(key, [0, 0, 0, 0])[flow] += 1
        for number in range((last - begun).days + 1):
            day = begun + timedelta(days=number)
            if [is_open for on, _, is_open, _ in steps if on <= day][-1]:
                # All times are whole seconds: the last one of the day.
                end = datetime.combine(day + timedelta(days=1), time(), shanghai) - timedelta(seconds=1)
                key = (
                    day,
                    ticket.unit,
                    ticket.priority,
                    bucket(number),
                    business_bucket(stretches, ticket.created, end),
                )
                expected.setdefault(key, [0, 0, 0, 0])[3] += 1
    rows = both.marts.execute(
        "select backlog_on, org_unit_id, priority, age_bucket, business_age_bucket, opened, solved, reopened, backlog from fct_backlog_days"
    ).fetchall()
    actual = {row[:5]: list(row[5:]) for row in rows}
    assert len(actual) == len(rows)
    assert actual == expected
    assert sum(row[2] for row in actual.values()) > 200
    assert {key[3] for key in actual} == set(bounds)
    assert {key[4] for key in actual} == {"0-8h", "8-24h", "24-80h", "80h+"}
    (open_now,) = both.marts.execute("select count(*) from fct_tickets where not is_solved").fetchone() or (None,)
    assert sum(row[0] - row[1] + row[2] for row in actual.values()) == open_now
