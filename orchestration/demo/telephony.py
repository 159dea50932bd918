"""The telephone exchange: rosters from the expected load, every call through menu, queue and agent, the two logs.

Belongs here: who is on duty, seconds of a call, queue_log and CDR lines. Does not belong here: why people call
(`world.py`).

A queue is simulated call by call against the agents on duty (longest idle first), so waits, abandonment and who is busy
follow from load and roster and no agent is in two calls at once.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import polars as pl

from orchestration.demo import words
from orchestration.demo.people import Agents, Customers, Table, pick, size, stack, take
from orchestration.demo.plan import BAD_MONTH, CLOSE_HOUR, DAY, OPEN_HOUR, UTC_OFFSET, Plan
from orchestration.demo.world import COMPLAINT, ENQUIRY, HOUR_SHARE, VOICE

ENTERPRISE_QUEUE, COMPLAINTS_QUEUE = 6, 7
SHIFT_STARTS = (8.0, 9.5, 11.5, 14.0)
SHIFT_HOURS = 8.0
MEAN_HANDLE = 265.0
ANSWERED, ABANDONED, TIMED_OUT, CALLBACK = range(4)
# What agents mark at the end of a call: that it was no customer's, and whether they solved the matter.
NUISANCE, MISDIRECTED = 4, 5
MARKS = {NUISANCE: "nuisance", MISDIRECTED: "misdirected"}
MARK_SHARES = {NUISANCE: 0.012, MISDIRECTED: 0.022}  # of the calls that would else have been served by the menu
SOLVED_MARKS = {"share_marked": 0.85, "says_solved_when_solved": 0.97, "says_solved_when_not": 0.45}
SELF_NODES = ["balance", "bill", "data", "points"]
MENU_NODES = ["mobile", "broadband", "fault", "bill", "agent"]
NODES = ["lang", "main", *dict.fromkeys(SELF_NODES + MENU_NODES)]


@lru_cache(maxsize=1)
def _load_limits(target: float = 0.87, seconds: float = 20.0, most: int = 3200) -> np.ndarray:
    """Largest load in Erlang that n agents answer to the target (Erlang C), for n = 1 ..."""
    limits = np.zeros(most + 1)
    for n in [*range(1, 40), *range(40, 200, 16), *range(200, most + 1, 500), most]:
        low, high = 0.0, float(n)
        for _ in range(30):
            load = (low + high) / 2
            blocking = 1.0
            for k in range(1, n + 1):
                blocking = load * blocking / (k + load * blocking)
            waiting = blocking / (1 - load / n * (1 - blocking))
            good = 1 - waiting * np.exp(-(n - load) * seconds / MEAN_HANDLE) >= target
            low, high = (load, high) if good else (low, load)
        limits[n] = low
    known = np.flatnonzero(limits)
    limits[1:] = np.interp(np.arange(1, most + 1), known, limits[known])
    return limits


@dataclass
class Roster:
    """Who is on duty where: one row a shift, with the day, and for each queue and day the slice of its rows."""

    rows: Table
    slices: dict[tuple[int, int], slice]


def make_roster(plan: Plan, agents: Agents, month: int, expected: np.ndarray) -> Roster:
    """Shifts of a month for the expected calls (queue × day × half hour), from Erlang C for 87 % within 20 seconds."""
    limits = _load_limits()
    first, _nxt = plan.month_days(month)
    rng = plan.rng("roster", month)
    queues, days, _ = expected.shape
    # A forecast is never the truth: each week's is a little off.
    error = np.exp(rng.normal(0, 0.06, (queues, 6)))[:, (np.arange(days) // 7)]
    load = expected * error[:, :, None] * MEAN_HANDLE / 1800
    need = np.searchsorted(limits, load.ravel()).reshape(load.shape).clip(1)
    half = {
        name: slice(int(a * 2), int(b * 2))
        for name, (a, b) in {
            "h8": (8, 9.5),
            "h9": (9.5, 11.5),
            "h11": (11.5, 14),
            "h14": (14, 16),
            "h16": (16, 17.5),
            "h17": (17.5, 19.5),
            "h19": (19.5, 22),
        }.items()
    }
    want = {
        name: np.ceil(0.45 * need[:, :, part].max(axis=2) + 0.55 * need[:, :, part].mean(axis=2) - 0.25)
        .astype(np.int64)
        .clip(1)
        for name, part in half.items()
    }
    n8 = want["h8"]
    n9 = (want["h9"] - n8).clip(0)
    n11 = (want["h11"] - n8 - n9).clip(0)
    n14 = np.maximum.reduce([want["h19"], want["h17"] - n11, want["h16"] - n11 - n9, want["h14"] - n11 - n9 - n8]).clip(
        1
    )
    counts = np.stack([n8, n9, n11, n14], axis=2)
    # Lunch and breaks take a twelfth of everybody's time; planners add heads for it where there are enough to add.
    counts = counts + np.floor(counts * 0.10 + rng.random(counts.shape) * 0.5).astype(np.int64) * (counts > 0)
    if month == plan.bad_month:
        q = plan.bad_province
        counts[q] = np.maximum(
            np.floor(counts[q] * BAD_MONTH["staff_factor"] + rng.random(counts[q].shape) * 0.35).astype(np.int64),
            (counts[q] > 0) & (np.array([1, 0, 0, 1]) > 0),
        )
    heads = np.ceil(np.percentile(counts.sum(axis=2), 90, axis=1) * 7 / 5 * 1.08).astype(np.int64)
    parts: list[Table] = []
    slices: dict[tuple[int, int], slice] = {}
    at = 0
    for queue in range(queues):
        agents.grow(queue, max(int(heads[queue]), int(counts[queue].sum(axis=1).max()) + 1), month)
        numbers = agents.numbers(queue, month)
        size_ = len(numbers)
        for day in range(days):
            per_shift = counts[queue, day]
            total = int(per_shift.sum())
            offset = (first + day) * max(1, round(size_ * 0.37)) + 3 * queue
            position = (offset + np.arange(total)) % size_
            begin = np.repeat(np.array(SHIFT_STARTS), per_shift) * 3600
            here = rng.random(total) >= 0.035
            here[:1] = True
            position, begin = position[here], begin[here]
            lunch = begin + 3.2 * 3600 + (np.arange(len(position)) % 5) * 1500
            parts.append(
                {
                    "queue": np.full(len(position), queue),
                    "day": np.full(len(position), first + day),
                    "position": position,
                    "number": numbers[position],
                    "begin": begin.astype(np.int64),
                    "end": (begin + SHIFT_HOURS * 3600).astype(np.int64),
                    "lunch": lunch.astype(np.int64),
                }
            )
            slices[(queue, first + day)] = slice(at, at + len(position))
            at += len(position)
    return Roster(stack(parts), slices)


def expected_calls(plan: Plan, month: int, arrivals: Table) -> np.ndarray:
    """What a planner would forecast: the month's queue calls spread by the known pattern of days and hours."""
    first, nxt = plan.month_days(month)
    days = np.array([plan.day_weight(day) for day in range(first, nxt)])
    days = days / days.sum()
    halves = np.repeat(HOUR_SHARE / 2, 2)
    totals = np.bincount(arrivals["queue"], minlength=len(words.QUEUES)).astype(float)
    totals[COMPLAINTS_QUEUE] += arrivals["transfer"].sum()
    if month == plan.bad_month:
        totals[plan.bad_province] /= BAD_MONTH["demand_factor"]
    expected: np.ndarray = totals[:, None, None] * days[None, :, None] * halves[None, None, :]
    return expected


def _serve(
    arrival: list[int],
    patience: list[int],
    handle: list[int],
    redial: list[int],
    rings: list[bool],
    key_press: list[int],
    segments: list[tuple[int, int]],
) -> tuple[list[int], ...]:
    """One queue, one day: first come, first served against the agents on duty. Seconds are of the local day.

    Returns per attempt: index of the call, arrival, outcome, wait, the agent's segment (or -1), the segment that let
    it ring (or -1).
    """
    free = [(begin << 20) | number for number, (begin, _) in enumerate(segments)]
    heapq.heapify(free)
    ends = [end for _, end in segments]
    mask = (1 << 20) - 1
    again: list[tuple[int, int]] = []
    who: list[int] = []
    when: list[int] = []
    outcome: list[int] = []
    waited: list[int] = []
    agent: list[int] = []
    missed: list[int] = []
    pushpop, pop, push = heapq.heapreplace, heapq.heappop, heapq.heappush
    position, count = 0, len(arrival)
    while position < count or again:
        if again and (position >= count or again[0][0] < arrival[position]):
            t, i = pop(again)
            first_try = False
        else:
            t, i = arrival[position], position
            position += 1
            first_try = True
        while free and max(free[0] >> 20, t) >= ends[free[0] & mask]:
            pop(free)
        who.append(i)
        when.append(t)
        patient = patience[i]
        begin = max(free[0] >> 20, t) if free else t + 100_000
        not_answered = -1
        if rings[i] and first_try and len(free) > 1 and begin - t <= patient:
            # It rings 15 seconds at somebody who has left the desk, who is then paused for two minutes.
            not_answered = free[0] & mask
            pushpop(free, ((begin + 135) << 20) | not_answered)
            while free and max(free[0] >> 20, begin + 15) >= ends[free[0] & mask]:
                pop(free)
            begin = max(free[0] >> 20, begin + 15) if free else t + 100_000
        missed.append(not_answered)
        wait = begin - t
        if wait > 60 and key_press[i] and key_press[i] < min(wait, patient):
            outcome.append(CALLBACK)
            waited.append(key_press[i])
            agent.append(-1)
        elif wait > 900 and patient > 900:
            outcome.append(TIMED_OUT)
            waited.append(900)
            agent.append(-1)
        elif wait > patient:
            outcome.append(ABANDONED)
            waited.append(patient)
            agent.append(-1)
            if first_try and redial[i]:
                push(again, (t + patient + redial[i], i))
        else:
            segment = free[0] & mask
            pushpop(free, ((begin + handle[i]) << 20) | segment)
            outcome.append(ANSWERED)
            waited.append(wait)
            agent.append(segment)
    return who, when, outcome, waited, agent, missed


@dataclass
class CallMonth:
    """Calls of a month: the call table, the handled contacts' outcomes, and the queue legs."""

    calls: Table
    legs: Table
    rng_month: int


def arrivals_of(plan: Plan, customers: Customers, month: int, contacts: Table) -> Table:
    """All inbound calls of a month before the queue: contacts by telephone, self-service, phantom and test calls."""
    rng = plan.rng("arrivals", month)
    facts = customers.facts
    voice = np.flatnonzero(contacts["channel"] == VOICE)
    n = len(voice)
    part: Table = {
        "contact": voice,
        "cust": contacts["cust"][voice],
        "t": contacts["t"][voice],
        "product": contacts["product"][voice],
        "kind": contacts["kind"][voice],
        "city": contacts["city"][voice],
        "english": contacts["english"][voice],
        "ticket": contacts["ticket"][voice],
        "resolved": contacts["resolved"][voice],
        "purpose": np.zeros(n, dtype=np.int64),
    }
    first, nxt = plan.month_days(month)
    weights = np.array([plan.day_weight(day) for day in range(first, nxt)]) ** 0.7
    others = []
    for purpose, share in ((1, 0.44), (2, 0.016), (3, 0.004)):
        count = int(rng.poisson(n * share))
        probability = np.where(facts["since"] < first, facts["contact"], 0).astype(float)
        cust = np.searchsorted(np.cumsum(probability), rng.random(count) * probability.sum()).clip(
            0, len(probability) - 1
        )
        day = first + rng.choice(nxt - first, count, p=weights / weights.sum())
        t = plan.epoch + day * DAY + rng.choice(24, count, p=HOUR_SHARE) * 3600 + rng.integers(0, 3600, count)
        others.append(
            {
                "contact": np.full(count, -1),
                "cust": cust,
                "t": t,
                "product": rng.integers(0, 3, count),
                "kind": np.full(count, ENQUIRY),
                "city": facts["city"][cust].astype(np.int64),
                "english": facts["english"][cust].astype(np.int64),
                "ticket": np.zeros(count, dtype=np.int64),
                "resolved": np.zeros(count, dtype=bool),
                "purpose": np.full(count, purpose),
            }
        )
    table = stack([part, *others])
    table = take(table, np.argsort(table["t"], kind="stable"))
    n = size(table)
    _mark_calls(plan, month, table)
    second = (table["t"] - plan.epoch) % DAY
    closed = (second < OPEN_HOUR * 3600) | (second >= CLOSE_HOUR * 3600 - 240)
    table["day"] = (table["t"] - plan.epoch) // DAY
    table["second"] = second
    table["ivr"] = np.where(
        table["purpose"] == 2, rng.integers(0, 3, n), np.clip(rng.lognormal(3.6, 0.35, n), 14, 160).astype(np.int64)
    )
    drop = (table["purpose"] == 0) & (rng.random(n) < 0.035)
    # 0 to the queue, 1 served by the menu, 2 left in the menu, 3 phantom, 4 closed
    table["fate"] = np.select([table["purpose"] == 2, table["purpose"] == 1, closed, drop], [3, 1, 4, 2], 0)
    firm = (facts["kind"][table["cust"]] == 2) & (rng.random(n) < 0.7)
    angry = (table["kind"] == COMPLAINT) & (rng.random(n) < 0.25)
    table["queue"] = np.where(angry, COMPLAINTS_QUEUE, np.where(firm, ENTERPRISE_QUEUE, table["city"] // 4))
    # Which number shows: mostly the mobile, else the fixed line (shared at home and at front desks), else neither.
    u = rng.random(n)
    table["number"] = np.where(u < 0.80, 0, np.where(u < 0.93, 1, np.where(u < 0.97, 2, 3)))
    talk = np.array([175.0, 205.0, 250.0, 330.0, 215.0])
    mean = talk[table["kind"]]
    table["talk"] = np.clip(rng.lognormal(-0.16, 0.62, n) * mean, 12, 2400).astype(np.int64)
    if month == plan.bad_month:
        table["talk"] = np.where(
            table["city"] // 4 == plan.bad_province, table["talk"] * BAD_MONTH["handle_factor"], table["talk"]
        ).astype(np.int64)
    table["hold"] = np.where(rng.random(n) < 0.17, np.clip(rng.exponential(55, n), 6, 400), 0).astype(np.int64)
    table["wrap"] = np.clip(rng.lognormal(3.35, 0.6, n), 4, 300).astype(np.int64)
    table["patience"] = np.clip(rng.weibull(1.15, n) * np.where(rng.random(n) < 0.05, 14, 620), 2, 1800).astype(
        np.int64
    )
    table["redial"] = np.where(rng.random(n) < 0.6, rng.integers(40, 1500, n), 0)
    table["rings"] = rng.random(n) < 0.018
    table["key"] = np.where(rng.random(n) < 0.16, rng.integers(35, 80, n), 0)
    table["transfer"] = (table["queue"] < ENTERPRISE_QUEUE) & (
        rng.random(n) < np.array([0.035, 0.05, 0.08, 0.14, 0.04])[table["kind"]]
    )
    table["hang"] = np.where(rng.random(n) < 0.64, 0, 1)
    table["node"] = np.where(
        table["fate"] == 1, rng.integers(0, len(SELF_NODES), n), rng.integers(0, len(MENU_NODES), n)
    )
    table["number_dialled"] = np.where(table["queue"] == ENTERPRISE_QUEUE, 1, 0)
    # Nobody keeps a wrong or an abusive caller for long, and their numbers are no customer's.
    marked = table["purpose"] >= NUISANCE
    table["talk"] = np.where(marked, 8 + table["talk"] // 8, table["talk"])
    for column in ("hold", "redial", "key"):
        table[column] = np.where(marked, 0, table[column])
    for column in ("transfer", "rings"):
        table[column] &= ~marked
    table["number"] = np.where(marked, 2, table["number"])
    return table


def _mark_calls(plan: Plan, month: int, table: Table) -> None:
    """Some callers do not want the company: what would have been a call to the menu is a nuisance or a wrong number."""
    u = plan.rng("marks", month).random(size(table))
    served = table["purpose"] == 1
    below = 0.0
    for purpose, share in MARK_SHARES.items():
        table["purpose"] = np.where(served & (u >= below) & (u < below + share), purpose, table["purpose"])
        below += share


def marked_calls(base: Table, leg: Table) -> Table:
    """The calls that an agent marked as a nuisance or as misdirected: those of them that an agent answered."""
    answered = np.zeros(size(base), dtype=bool)
    if size(leg):
        answered[leg["row"][leg["outcome"] == ANSWERED]] = True
    chosen = np.flatnonzero(answered & (base["purpose"] >= NUISANCE))
    return take({name: base[name] for name in ("t", "serial", "purpose", "day")}, chosen)


def simulate_days(plan: Plan, roster: Roster, table: Table, days: range) -> tuple[Table, Table]:
    """Calls (one row each, redials included) and queue legs of some days, in order of time."""
    chosen = np.flatnonzero((table["day"] >= days.start) & (table["day"] < days.stop))
    base = take(table, chosen)
    queued = base["fate"] == 0
    legs: list[Table] = []
    for day in days:
        lines = np.flatnonzero(queued & (base["day"] == day))
        on_day = base["queue"][lines]
        transferred: list[Table] = []
        for queue in range(len(words.QUEUES)):
            rows = lines[on_day == queue]
            arrive = base["second"][rows] + base["ivr"][rows]
            talk, wrap, second_leg = base["talk"][rows], base["wrap"][rows], np.zeros(len(rows), dtype=np.int64)
            patience, redial, rings, key = (
                base["patience"][rows],
                base["redial"][rows],
                base["rings"][rows],
                base["key"][rows],
            )
            moved = base["transfer"][rows]
            # Before a transfer the first agent only hears what it is about.
            talk = np.where(moved, np.minimum(talk, 90 + talk // 5), talk)
            if queue == COMPLAINTS_QUEUE and transferred:
                extra = stack(transferred)
                rows = np.concatenate([rows, extra["row"]])
                arrive = np.concatenate([arrive, extra["at"]])
                talk = np.concatenate([talk, base["talk"][extra["row"]]])
                wrap = np.concatenate([wrap, base["wrap"][extra["row"]]])
                patience = np.concatenate([patience, base["patience"][extra["row"]] + 120])
                redial = np.concatenate([redial, np.zeros(size(extra), dtype=np.int64)])
                rings = np.concatenate([rings, np.zeros(size(extra), dtype=bool)])
                key = np.concatenate([key, np.zeros(size(extra), dtype=np.int64)])
                moved = np.concatenate([moved, np.zeros(size(extra), dtype=bool)])
                second_leg = np.concatenate([second_leg, np.ones(size(extra), dtype=np.int64)])
            order = np.argsort(arrive, kind="stable")
            rows, arrive, talk, wrap, second_leg, moved = (
                rows[order],
                arrive[order],
                talk[order],
                wrap[order],
                second_leg[order],
                moved[order],
            )
            on = roster.slices[(queue, day)]
            duty = take(roster.rows, np.arange(on.start, on.stop))
            segments = [
                *zip(duty["begin"].tolist(), duty["lunch"].tolist(), strict=True),
                *zip((duty["lunch"] + 2700).tolist(), duty["end"].tolist(), strict=True),
            ]
            held = np.where(moved, 0, base["hold"][rows])
            who, when, outcome, waited, agent, missed = (
                np.array(x, dtype=np.int64)
                for x in _serve(
                    arrive.tolist(),
                    patience[order].tolist(),
                    (talk + held + wrap + 4).tolist(),
                    redial[order].tolist(),
                    rings[order].tolist(),
                    key[order].tolist(),
                    segments,
                )
            )
            staff = len(duty["number"])
            number = np.where(agent >= 0, duty["number"][agent % staff], -1)
            missed_number = np.where(missed >= 0, duty["number"][missed % staff], -1)
            leg: Table = {
                "row": rows[who],
                "at": when,
                "queue": np.full(len(who), queue),
                "outcome": outcome,
                "wait": waited,
                "agent": number,
                "missed": missed_number,
                "leg": second_leg[who],
                "talk": (talk + held)[who],
                "hold": held[who],
                "wrap": wrap[who],
                "moved": moved[who] & (outcome == ANSWERED),
                "day": np.full(len(who), day),
                "again": when != arrive[who],
            }
            if queue < ENTERPRISE_QUEUE:
                go = np.flatnonzero(leg["moved"])
                if len(go):
                    transferred.append(
                        {"row": leg["row"][go], "at": leg["at"][go] + leg["wait"][go] + leg["talk"][go] + 2}
                    )
            legs.append(leg)
    leg = stack(legs) if legs else {}
    # A redial is a call of its own: it copies what belongs to the caller.
    again = np.flatnonzero(leg["again"] & (leg["leg"] == 0)) if legs else np.zeros(0, dtype=np.int64)
    if len(again):
        copy = take(base, leg["row"][again])
        copy["second"] = leg["at"][again] - copy["ivr"]
        copy["t"] = plan.epoch + copy["day"] * DAY + copy["second"]
        leg["row"][again] = size(base) + np.arange(len(again))
        base = stack([base, copy])
    base["redialled"] = np.arange(size(base)) >= len(chosen)
    if legs:
        _mend_second_legs(base, leg, len(chosen))
    order = np.argsort(base["t"], kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    base = take(base, order)
    if legs:
        leg["row"] = place[leg["row"]]
    # Asterisk's unique id: second of the start and a number that is never used again on the day.
    serial = np.arange(size(base)) - np.searchsorted(base["day"], base["day"])
    base["serial"] = serial * 2 + 1
    return base, leg


def _mend_second_legs(base: Table, leg: Table, originals: int) -> None:
    """A second leg belongs to the call (first try or redial) whose first leg was transferred."""
    moved = np.flatnonzero(leg["moved"])
    target = {}
    key = leg["at"][moved] + leg["wait"][moved] + leg["talk"][moved] + 2
    for number, row in zip(key.tolist(), leg["row"][moved].tolist(), strict=True):
        if row >= originals:
            target[number] = row
    if not target:
        return
    second = np.flatnonzero(leg["leg"] == 1)
    for position in second.tolist():
        row = target.get(int(leg["at"][position]))
        if (
            row is not None
            and base["cust"][row] == base["cust"][leg["row"][position]]
            and base["day"][row] == leg["day"][position]
        ):
            leg["row"][position] = row


# -- the two files ------------------------------------------------------------------------------------------------

EVENTS = [
    "DID",
    "IVRNODE",
    "IVREND",
    "ENTERQUEUE",
    "ANNOUNCE",
    "RINGNOANSWER",
    "CONNECT",
    "HOLD",
    "UNHOLD",
    "ATTENDEDTRANSFER",
    "BLINDTRANSFER",
    "COMPLETEAGENT",
    "COMPLETECALLER",
    "ABANDON",
    "EXITWITHTIMEOUT",
    "EXITWITHKEY",
    "PAUSE",
    "UNPAUSE",
    "ADDMEMBER",
    "REMOVEMEMBER",
    "QUEUESTART",
]
EVENT = {name: position for position, name in enumerate(EVENTS)}
_TEXTS = [
    "",
    *NODES,
    "queue",
    "hangup",
    "selfservice",
    "wrapup",
    "lunch",
    "10088",
    "1008811",
    "from-queue",
    "complaints",
    "closed",
    "1",
    "2",
    "3",
    "4",
    "0",
]
TEXT = {text: position for position, text in enumerate(_TEXTS)}
BLANK = -1
TEXT_BASE = 1 << 40  # values from here on are positions in _TEXTS
PHONE = 1 << 41  # the caller's number of the row
CHANNEL_ID = 1 << 42  # the bridged channel's id of the row


def announced(legs: Table) -> np.ndarray:
    """The wait told to the caller at entry, in steps of 15 seconds, rounded up; 0 = none told."""
    noise = 0.75 + 0.5 * ((legs["at"] * 2654435761 + legs["row"] * 40503) % 1000) / 1000
    return np.where(legs["wait"] > 12, (np.ceil((legs["wait"] * noise + 8) / 15) * 15), 0).astype(np.int64)


def event_lines(
    plan: Plan, base: Table, leg: Table, phones: pl.Series, roster: Roster | None, days: range
) -> pl.DataFrame:
    """queue_log lines of some days, in order of time, with `_day`."""
    full = plan.call_detail == "full"
    n = size(base)
    parts: list[tuple[np.ndarray, ...]] = []

    def add(
        rows: np.ndarray,
        at: np.ndarray,
        event: int | np.ndarray,
        step: int,
        queue: np.ndarray | int = -1,
        agent: np.ndarray | int = -1,
        *data: np.ndarray | int,
    ) -> None:
        count = len(rows)
        values = [np.broadcast_to(np.asarray(d, dtype=np.int64), count) for d in data] + [
            np.full(count, BLANK, dtype=np.int64)
        ] * (5 - len(data))
        parts.append(
            (
                rows,
                at,
                np.broadcast_to(np.asarray(event), count),
                np.full(count, step),
                np.broadcast_to(np.asarray(queue), count),
                np.broadcast_to(np.asarray(agent), count),
                *values,
            )
        )

    def text(name: str) -> int:
        return TEXT_BASE + TEXT[name]

    midnight = plan.epoch + base["day"] * DAY
    everyone = np.arange(n)
    dialled = np.where(base["number_dialled"] == 1, text("1008811"), text("10088"))
    fate = base["fate"]
    end_of_menu = base["t"] + base["ivr"]
    if full:
        add(everyone, base["t"], EVENT["DID"], 0, -1, -1, dialled)
        menu = np.flatnonzero(fate != 3)
        add(
            menu,
            base["t"][menu] + 4,
            EVENT["IVRNODE"],
            1,
            -1,
            -1,
            text("lang"),
            TEXT_BASE + np.where(base["english"][menu] == 1, TEXT["2"], TEXT["1"]),
        )
        menu = np.flatnonzero(fate < 3)
        add(
            menu,
            base["t"][menu] + np.minimum(9, base["ivr"][menu]),
            EVENT["IVRNODE"],
            2,
            -1,
            -1,
            text("main"),
            text("3"),
        )
        node = np.array([TEXT[x] for x in MENU_NODES])[base["node"][menu].clip(0, len(MENU_NODES) - 1)]
        own = np.array([TEXT[x] for x in SELF_NODES])[base["node"][menu].clip(0, len(SELF_NODES) - 1)]
        add(
            menu,
            base["t"][menu] + np.minimum(base["ivr"][menu], 13),
            EVENT["IVRNODE"],
            3,
            -1,
            -1,
            TEXT_BASE + np.where(fate[menu] == 1, own, node),
            text("4"),
        )
    menu = np.flatnonzero(fate != 3) if full else np.flatnonzero((fate != 3) & (fate != 0))
    reason = np.select([fate[menu] == 0, fate[menu] == 1], [text("queue"), text("selfservice")], text("hangup"))
    add(menu, end_of_menu[menu], EVENT["IVREND"], 4, -1, -1, reason, base["ivr"][menu])
    if size(leg):
        row, queue, agent = leg["row"], leg["queue"], leg["agent"]
        at = midnight[row] + leg["at"]
        done = at + leg["wait"]
        finish = done + leg["talk"]
        rows = np.arange(len(row))
        lift = leg["leg"] * 20
        steps = parts

        def legs_add(
            mask: np.ndarray,
            when: np.ndarray,
            event: int | np.ndarray,
            step: int,
            with_agent: bool,
            *data: np.ndarray | int,
        ) -> None:
            chosen = rows[mask]
            cut = [d[chosen] if isinstance(d, np.ndarray) else d for d in data]
            add(
                row[chosen],
                when[chosen],
                event[chosen] if isinstance(event, np.ndarray) else event,
                step,
                queue[chosen],
                agent[chosen] if with_agent else -1,
                *cut,
            )
            last = list(steps[-1])
            last[3] = last[3] + lift[chosen]
            steps[-1] = tuple(last)

        outcome = leg["outcome"]
        everything = np.ones(len(row), dtype=bool)
        legs_add(everything, at, EVENT["ENTERQUEUE"], 5, False, BLANK, PHONE, 1)
        told = announced(leg)
        if full:
            legs_add(told > 0, at + 1, EVENT["ANNOUNCE"], 6, False, told)
        missed = leg["missed"] >= 0
        chosen = rows[missed]
        add(
            row[chosen],
            np.maximum(at[chosen], done[chosen] - 4),
            EVENT["RINGNOANSWER"],
            7,
            queue[chosen],
            leg["missed"][chosen],
            15_000,
        )
        answered = outcome == ANSWERED
        ring = np.minimum(2 + (leg["at"] % 5), leg["wait"])
        legs_add(answered, done, EVENT["CONNECT"], 8, True, leg["wait"], CHANNEL_ID, ring)
        held = answered & (leg["hold"] > 0)
        if full:
            legs_add(held, done + (leg["talk"] - leg["hold"]) // 2, EVENT["HOLD"], 9, True)
            legs_add(
                held, done + (leg["talk"] - leg["hold"]) // 2 + leg["hold"], EVENT["UNHOLD"], 10, True, leg["hold"]
            )
        moved = leg["moved"]
        legs_add(
            moved,
            finish,
            np.where(leg["at"] % 3 == 0, EVENT["BLINDTRANSFER"], EVENT["ATTENDEDTRANSFER"]),
            11,
            True,
            text("complaints"),
            text("from-queue"),
            leg["wait"],
            leg["talk"],
            1,
        )
        legs_add(
            answered & ~moved,
            finish,
            np.where(base["hang"][row] == 0, EVENT["COMPLETECALLER"], EVENT["COMPLETEAGENT"]),
            12,
            True,
            leg["wait"],
            leg["talk"],
            1,
        )
        legs_add(outcome == ABANDONED, done, EVENT["ABANDON"], 13, False, 1, 1, leg["wait"])
        legs_add(outcome == TIMED_OUT, done, EVENT["EXITWITHTIMEOUT"], 13, False, 1, 1, leg["wait"])
        legs_add(outcome == CALLBACK, done, EVENT["EXITWITHKEY"], 13, False, text("1"), 1, 1, leg["wait"])
        if full:
            legs_add(answered, finish, EVENT["PAUSE"], 14, True, text("wrapup"))
            legs_add(answered, finish + leg["wrap"], EVENT["UNPAUSE"], 15, True, text("wrapup"), leg["wrap"])
        else:
            legs_add(answered, finish + leg["wrap"], EVENT["UNPAUSE"], 15, True, text("wrapup"), leg["wrap"])
    if roster is not None and full:
        for day in days:
            on = [roster.slices[(queue, day)] for queue in range(len(words.QUEUES))]
            duty = take(roster.rows, np.concatenate([np.arange(s.start, s.stop) for s in on]))
            start = plan.epoch + day * DAY
            none = np.full(size(duty), -1)
            for name, when, label in (
                ("ADDMEMBER", duty["begin"] - 60, None),
                ("PAUSE", duty["lunch"], "lunch"),
                ("UNPAUSE", duty["lunch"] + 2700, "lunch"),
                ("REMOVEMEMBER", duty["end"] + 600, None),
            ):
                add(none, start + when, EVENT[name], 0, duty["queue"], duty["number"], text(label) if label else BLANK)
            add(np.array([-1]), np.array([start + 7 * 3600]), EVENT["QUEUESTART"], 0)
    columns = [np.concatenate([part[c] for part in parts]) for c in range(11)]
    rows, at, event, step, queue, agent = columns[:6]
    key = (at - plan.epoch) * 64 + step
    order = np.argsort(key, kind="stable")
    rows, at, event, queue, agent = (x[order] for x in (rows, at, event, queue, agent))
    data = [column[order] for column in columns[6:]]
    call_start = base["t"][rows.clip(0)] if n else np.zeros(len(rows), dtype=np.int64)
    serial = base["serial"][rows.clip(0)] if n else np.zeros(len(rows), dtype=np.int64)
    call_id = pl.Series(call_start).cast(pl.String) + "." + pl.Series(serial).cast(pl.String)
    frame = pl.DataFrame(
        {
            "time": pl.Series(at).cast(pl.String),
            "callid": call_id.set(pl.Series(rows < 0), "NONE"),
            "queuename": pick([*words.QUEUES, "NONE"], np.where(queue < 0, len(words.QUEUES), queue)),
            "agent": pl.select(
                pl.when(pl.lit(pl.Series(agent)) >= 0)
                .then("Agent/" + pl.lit(pl.Series(agent)).cast(pl.String).str.zfill(5))
                .otherwise(pl.lit("NONE"))
            ).to_series(),
            "event": pick(EVENTS, event.astype(np.int64)),
            "_day": ((at - plan.epoch) // DAY).astype(np.int32),
        }
    )
    texts: dict[str, pl.Series] = {}
    for number, column in enumerate(data, 1):
        values = pl.Series(column).cast(pl.String)
        blank = column == BLANK
        if blank.any():
            values = values.set(pl.Series(blank), None)
        coded = np.flatnonzero((column >= TEXT_BASE) & (column < PHONE))
        if len(coded):
            values = values.scatter(coded, pick(_TEXTS, column[coded] - TEXT_BASE))
        phone = np.flatnonzero(column == PHONE)
        if len(phone):
            values = values.scatter(phone, phones.gather(pl.Series(rows[phone])))
        bridged = np.flatnonzero(column == CHANNEL_ID)
        if len(bridged):
            values = values.scatter(
                bridged, pl.Series(at[bridged]).cast(pl.String) + "." + pl.Series(serial[bridged] + 1).cast(pl.String)
            )
        texts[f"data{number}"] = values
    return frame.with_columns(**texts).select(
        "time", "callid", "queuename", "agent", "event", "data1", "data2", "data3", "data4", "data5", "_day"
    )


def phones_of(base: Table, customer_texts: pl.DataFrame) -> pl.Series:
    """The number that the exchange saw for each call."""
    mobile, landline = customer_texts["mobile"].gather(base["cust"]), customer_texts["landline"].gather(base["cust"])
    kind = pl.Series(base["number"])
    foreign = pl.Series((base["cust"] * 7919 + base["serial"] * 104729) % 90_000_000 + 10_000_000).cast(pl.String)
    return pl.select(
        pl.when(kind == 0)
        .then(mobile)
        .when(kind == 1)
        .then(landline)
        .when(kind == 2)
        .then("170" + foreign)
        .otherwise(pl.lit("anonymous"))
    ).to_series()


def call_records(plan: Plan, base: Table, leg: Table, phones: pl.Series) -> pl.DataFrame:
    """Master.csv lines of some days, in order of the calls' start, with `_day`."""
    n = size(base)
    last = np.full(n, -1, dtype=np.int64)
    if size(leg):
        order = np.argsort(leg["leg"], kind="stable")
        last[leg["row"][order]] = order  # the second leg, if there is one, overwrites the first
    has = last >= 0
    at = last.clip(0)
    get = (
        (lambda name, default: np.where(has, leg[name][at], default))
        if size(leg)
        else (lambda name, default: np.full(n, default))
    )
    outcome = get("outcome", -1)
    agent = np.where(outcome == ANSWERED, get("agent", -1), -1)
    midnight = plan.epoch + base["day"] * DAY
    end = np.where(
        has,
        midnight + get("at", 0) + get("wait", 0) + np.where(outcome == ANSWERED, get("talk", 0), 0),
        base["t"] + base["ivr"] + np.where(base["fate"] == 1, 22, 1),
    )
    phantom = base["fate"] == 3
    test = base["purpose"] == 3
    app = np.select(
        [phantom, base["fate"] == 1, base["fate"] >= 2, outcome == TIMED_OUT, outcome == CALLBACK], [4, 1, 2, 3, 1], 0
    )
    apps = ["Queue", "Playback", "BackGround", "VoiceMail", "Hangup"]
    node = np.array([NODES.index(x) for x in MENU_NODES])[base["node"].clip(0, len(MENU_NODES) - 1)]
    own = np.array([NODES.index(x) for x in SELF_NODES])[base["node"].clip(0, len(SELF_NODES) - 1)]
    details = [*words.QUEUES, *NODES, *[f"selfservice-{x}" for x in NODES], "callback-taken", "closed", "novoice", ""]
    queue = get("queue", 0)
    q, m = len(words.QUEUES), len(NODES)
    detail = np.select(
        [phantom, base["fate"] == 1, base["fate"] == 2, base["fate"] == 4, outcome == CALLBACK],
        [q + 2 * m + 3, q + m + own, q + node, q + 2 * m + 1, q + 2 * m],
        queue,
    )
    told = (
        announced({"wait": get("wait", 0), "at": get("at", 0), "row": at}) if size(leg) else np.zeros(n, dtype=np.int64)
    )
    hang = np.where(outcome == ANSWERED, base["hang"], 0)
    start = answer = pl.from_epoch(pl.Series(base["t"] + UTC_OFFSET), time_unit="s")
    finish = pl.from_epoch(pl.Series(end + UTC_OFFSET), time_unit="s")
    stamp = "%Y-%m-%d %H:%M:%S"
    serial = pl.Series(base["serial"]).cast(pl.String)
    call_id = pl.Series(base["t"]).cast(pl.String) + "." + serial
    linked = (base["ticket"] > 0) & (agent >= 0) & (base["serial"] % 5 < 4)
    marked = np.where((base["purpose"] >= NUISANCE) & (agent >= 0), base["purpose"], 0)
    path = np.select([base["fate"] == 1, phantom, base["fate"] == 4], [1, 3, 2], 0)
    frame = pl.DataFrame(
        {
            "accountcode": pick(words.CITY_CODES, np.where(base["number"] == 3, -1, base["city"])).fill_null(""),
            "src": phones,
            "dst": pick(["10088", "1008811"], base["number_dialled"]),
            "dcontext": pick(["from-pstn", "test-lines"], test.astype(np.int64)),
            "channel": "PJSIP/trunk" + pl.Series(base["city"] // 4 + 1).cast(pl.String) + "-" + serial.str.zfill(8),
            "_agent": agent,
            "lastapp": pick(apps, app),
            "lastdata": pick(details, detail),
            "start": start.dt.strftime(stamp),
            "answer": answer.dt.strftime(stamp).set(pl.Series(phantom), ""),
            "end": finish.dt.strftime(stamp),
            "duration": pl.Series(end - base["t"]).cast(pl.String),
            "billsec": pl.Series(np.where(phantom, 0, end - base["t"])).cast(pl.String),
            "disposition": pick(["ANSWERED", "NO ANSWER"], phantom.astype(np.int64)),
            "uniqueid": call_id,
            "_serial": serial,
            "_prod": pick(
                words.PRODUCTS, np.where((base["fate"] == 0) & (base["serial"] % 11 > 0), base["product"], -1)
            ),
            "_lang": pick(["zh", "en"], base["english"]),
            "_aw": told,
            "_hu": pick(["caller", "agent"], hang),
            "_path": path,
            "_own": pick(NODES, own),
            "_node": pick(NODES, node),
            "_tk": np.where(linked, base["ticket"], 0),
            "_mk": pick(list(MARKS.values()), np.where(marked > 0, marked - NUISANCE, -1)),
            "_sv": _solved_marks(base, agent),
            "_day": base["day"].astype(np.int32),
        }
    )
    return frame.with_columns(
        ('"' + pl.col("src") + '" <' + pl.col("src") + ">").alias("clid"),
        pl.when(pl.col("_agent") >= 0)
        .then("Agent/" + pl.col("_agent").cast(pl.String).str.zfill(5) + "-" + pl.col("_serial").str.zfill(8))
        .otherwise(pl.lit(""))
        .alias("dstchannel"),
        pl.lit("DOCUMENTATION").alias("amaflags"),
        pl.concat_str(
            [
                pl.when(pl.col("_prod").is_not_null()).then("prod=" + pl.col("_prod") + ";").otherwise(pl.lit("")),
                pl.lit("lang="),
                pl.col("_lang"),
                pl.when(pl.col("_aw") > 0).then(";aw=" + pl.col("_aw").cast(pl.String)).otherwise(pl.lit("")),
                pl.lit(";hu="),
                pl.col("_hu"),
                pl.when(pl.col("_path") == 1)
                .then(";path=lang>main>" + pl.col("_own"))
                .when(pl.col("_path") == 2)
                .then(pl.lit(";path=lang"))
                .when(pl.col("_path") == 0)
                .then(";path=lang>main>" + pl.col("_node"))
                .otherwise(pl.lit("")),
                pl.when(pl.col("_tk") > 0).then(";tk=" + pl.col("_tk").cast(pl.String)).otherwise(pl.lit("")),
                pl.when(pl.col("_mk").is_not_null()).then(";mk=" + pl.col("_mk")).otherwise(pl.lit("")),
                pl.when(pl.col("_sv") >= 0).then(";sv=" + pl.col("_sv").cast(pl.String)).otherwise(pl.lit("")),
            ]
        ).alias("userfield"),
    ).select(
        "accountcode",
        "src",
        "dst",
        "dcontext",
        "clid",
        "channel",
        "dstchannel",
        "lastapp",
        "lastdata",
        "start",
        "answer",
        "end",
        "duration",
        "billsec",
        "disposition",
        "amaflags",
        "uniqueid",
        "userfield",
        "_day",
    )


def _solved_marks(base: Table, agent: np.ndarray) -> np.ndarray:
    """What the agent ticked of each call: 1 solved, 0 not, -1 nothing. Agents are kinder to themselves than customers are."""
    u = ((base["t"] * 2654435761 + base["serial"] * 40503) % 1000) / 1000
    v = ((base["t"] * 40503 + base["serial"] * 2654435761) % 997) / 997
    says = v < np.where(base["resolved"], SOLVED_MARKS["says_solved_when_solved"], SOLVED_MARKS["says_solved_when_not"])
    asked = (agent >= 0) & (base["contact"] >= 0) & (u < SOLVED_MARKS["share_marked"])
    return np.where(asked, says.astype(np.int64), -1)


def day_chunks(table: Table, first: int, nxt: int, target: int = 150_000) -> list[range]:
    """Runs of days with at most about `target` calls, so that memory does not grow with the company."""
    counts = np.bincount(table["day"] - first, minlength=nxt - first)[: nxt - first]
    bounds, running = [first], 0
    for offset, count in enumerate(counts.tolist()):
        if running and running + count > target:
            bounds.append(first + offset)
            running = 0
        running += count
    bounds.append(nxt)
    return [range(a, b) for a, b in pairwise(bounds)]
