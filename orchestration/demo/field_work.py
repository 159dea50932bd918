"""Work on tickets beyond the desk: visits in the field with their appointments, other departments, and the word to the customer.

Belongs here: what happens to a ticket between its first reply and its solution, and what is true of it. Does not belong
here: how the help desk writes it (`helpdesk.py`), and why a ticket exists (`world.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from orchestration.demo.people import Table, pick, size, stack
from orchestration.demo.plan import Plan
from orchestration.demo.world import COMPLAINT, ORDER, REPAIR, REQUEST

STAGES = ["dispatched", "arrived", "fixed", "not_fixed", "no_access", "cancelled"]
DISPATCHED, ARRIVED, FIXED, NOT_FIXED, NO_ACCESS, CANCELLED = range(6)
MISSED = 6
OUTCOMES = [*STAGES, "missed"]
MOST_VISITS = 4
DEPARTMENTS = ["network", "line_plant", "provisioning", "billing", "warehouse"]
SLOW_DEPARTMENT, SLOW_FACTOR = 1, 3.0
MEDIAN_TURNAROUND_HOURS = 1.2
CHANCE_OF_DEPARTMENT = {
    REPAIR: (0.36, (0.45, 0.40, 0.0, 0.0, 0.15)),
    REQUEST: (0.50, (0.0, 0.0, 0.60, 0.25, 0.15)),
    ORDER: (0.50, (0.0, 0.0, 0.60, 0.15, 0.25)),
    COMPLAINT: (0.25, (0.30, 0.30, 0.0, 0.40, 0.0)),
}
ASSET_KINDS = ["copper_line", "sim_card", "fibre_terminal", "router"]
ASSET_LETTERS = ["L", "S", "F", "R"]
FAULT_CODES = ["no_service", "slow", "drops", "noise", "damage"]

FIELDS = ["custom_visit", "custom_customer_told", *[f"custom_department_{name}" for name in DEPARTMENTS]]
"""Fields of the help desk whose changes tell of the work."""
VALUES = [f"visit_{number + 1}_{stage}" for number in range(MOST_VISITS) for stage in STAGES] + [
    "true",
    "asked",
    "answered",
]
"""Values of those fields; an event carries a position in this list."""
APPOINTMENT = "custom_appointment"
"""The field that holds the promised window; a value names the visit, the window and who wished it to be moved."""
APPOINTMENT_STATES = ["kept", "early", "late", "missed", "rescheduled", "cancelled"]
KEPT, EARLY, LATE, WAS_MISSED, RESCHEDULED, WAS_CANCELLED = range(6)
NOBODY, CUSTOMER, COMPANY = range(3)
WISHED_BY = ["", "customer", "company"]
WINDOW, SLOT = 7200, 900
TRUE, ASKED, ANSWERED = range(len(VALUES) - 3, len(VALUES))
VISIT, TOLD, DEPARTMENT = 0, 1, 2
NEVER = np.iinfo(np.int64).max


@dataclass
class FieldWork:
    """Work on the tickets of a month.

    Attributes:
        events: (rows of tickets, UTC seconds, position in `FIELDS`, position in `VALUES`, user, order among events of one instant).
        visits, asks: what is true, one row a visit and a department asked; times that never come are `NEVER`.
        appointments: what is true, one row a promise: which visit, who wished it, who promised it, and how it ends.
        assets: columns of the ticket: number, kind and fault code, null where nobody wrote them down.
    """

    events: list[tuple[np.ndarray, ...]] = field(default_factory=list)
    visits: Table = field(default_factory=dict)
    asks: Table = field(default_factory=dict)
    appointments: Table = field(default_factory=dict)
    assets: dict[str, pl.Series] = field(default_factory=dict)


def assets(rng: np.random.Generator, base: Table) -> dict[str, pl.Series]:
    """A customer has one device or line a product; a repair names it, mostly."""
    n = size(base)
    repair = base["kind"] == REPAIR
    kind = np.where(base["product"] == 2, np.where(base["cust"] % 4 == 0, 3, 2), base["product"])
    named = np.where(repair & (rng.random(n) < 0.92), kind, -1)
    fault = np.where(
        repair & (rng.random(n) < 0.85), rng.choice(len(FAULT_CODES), n, p=[0.34, 0.26, 0.2, 0.12, 0.08]), -1
    )
    letter = pick(ASSET_LETTERS, named)
    return {
        "asset_no": letter + pl.Series(base["cust"]).cast(pl.String).str.zfill(8),
        "asset_kind": pick(ASSET_KINDS, named),
        "fault_code": pick(FAULT_CODES, fault),
    }


def work_on(
    plan: Plan,
    number: int,
    base: Table,
    ordinary: np.ndarray,
    reply: np.ndarray,
    solve: np.ndarray,
    reopened: np.ndarray,
    back: np.ndarray,
    solved_again: np.ndarray,
    agent: np.ndarray,
    closer: np.ndarray,
) -> FieldWork:
    """The month's work; all instants are UTC seconds, one a ticket of `base`."""
    rng = plan.rng("field_work", number)
    work = FieldWork(assets=assets(rng, base))
    mended = _visits(rng, work, base, ordinary, reply, solve, reopened, back, solved_again, agent)
    _departments(rng, work, base, ordinary, reply, solve, agent)
    work.appointments = appoint(plan.rng("appointments", number), work.visits, base, agent)
    n = size(base)
    final = np.where(mended > 0, mended, np.where(reopened, solved_again, solve))
    told = (
        ordinary & np.isin(base["kind"], [REPAIR, REQUEST, ORDER]) & (rng.random(n) < np.where(base["bad"], 0.62, 0.9))
    )
    later = np.clip(rng.lognormal(0, 1.2, n) * 1500, 60, 300_000).astype(np.int64)
    _event(work, np.flatnonzero(told), final + later, TOLD, TRUE, closer)
    return work


def _event(
    work: FieldWork, rows: np.ndarray, t: np.ndarray, what: int | np.ndarray, value: int | np.ndarray, user: np.ndarray
) -> None:
    """Events of some tickets; `t`, `what`, `value` and `user` have one entry a ticket of the month, or are one for all."""
    whats = np.broadcast_to(np.asarray(what, dtype=np.int64), len(t))[rows]
    values = np.broadcast_to(np.asarray(value, dtype=np.int64), len(t))[rows]
    work.events.append((rows, t[rows], whats, values, user[rows], np.full(len(rows), 20)))


def _visits(
    rng: np.random.Generator,
    work: FieldWork,
    base: Table,
    ordinary: np.ndarray,
    reply: np.ndarray,
    solve: np.ndarray,
    reopened: np.ndarray,
    back: np.ndarray,
    solved_again: np.ndarray,
    agent: np.ndarray,
) -> np.ndarray:
    """Visits to repairs; returns per ticket when the last one ended, 0 without one."""
    n = size(base)
    span = solve - reply
    needed = ordinary & (base["kind"] == REPAIR) & (span >= 2 * 3600) & (rng.random(n) < 0.72)
    u, again = rng.random(n), np.where(base["bad"], 0.42, 0.24)
    long = span >= 20 * 3600
    count = needed.astype(np.int64) + (needed & long & (u < again)) + (needed & long & (u < again * 0.25))
    parts: list[Table] = []
    for visit in range(3):
        length = np.maximum((solve - 240 - reply) // np.maximum(count, 1), 1)
        last = visit == count - 1
        early = rng.choice([NOT_FIXED, NO_ACCESS, MISSED, CANCELLED], n, p=[0.58, 0.22, 0.14, 0.06])
        outcome = np.where(last, FIXED, early)
        # A ticket that comes back was not fixed, whatever the technician said.
        parts.append(
            _one_visit(
                rng, work, base, visit < count, reply + visit * length, length, np.full(n, visit), outcome,
                last & ~reopened, agent,
            )
        )  # fmt: skip
    returned = needed & reopened & (solved_again - back >= 5400)
    parts.append(
        _one_visit(
            rng, work, base, returned, back, np.maximum(solved_again - 240 - back, 1), count, np.full(n, FIXED),
            np.ones(n, dtype=bool), agent,
        )
    )  # fmt: skip
    work.visits = stack(parts)
    ended = np.zeros(n, dtype=np.int64)
    done = work.visits["finished"] < NEVER
    np.maximum.at(ended, work.visits["row"][done], work.visits["finished"][done])
    return ended


def _one_visit(
    rng: np.random.Generator,
    work: FieldWork,
    base: Table,
    there: np.ndarray,
    begin: np.ndarray,
    length: np.ndarray,
    number: np.ndarray,
    outcome: np.ndarray,
    truly: np.ndarray,
    agent: np.ndarray,
) -> Table:
    """One visit of the tickets that have it, in the stretch of `length` seconds from `begin`."""
    n = size(base)
    arrived = begin + (length * (0.4 + 0.25 * rng.random(n))).astype(np.int64)
    finished = arrived + np.minimum(rng.integers(1200, 6000, n), length // 4) + 1
    dispatched = begin + (length * (0.05 + 0.25 * rng.random(n))).astype(np.int64)
    came = there & ~np.isin(outcome, [MISSED, CANCELLED])
    # Now and then a technician goes first and is dispatched afterwards.
    crooked = came & (rng.random(n) < 0.012)
    dispatched = np.where(crooked, arrived + np.maximum((finished - arrived) // 2, 1), dispatched)
    called_off = there & (outcome == CANCELLED)
    finished = np.where(called_off, dispatched + 60 + length // 20, finished)
    at = number * len(STAGES)
    rows = np.flatnonzero(there)
    _event(work, rows, dispatched, VISIT, at + DISPATCHED, agent)
    _event(work, np.flatnonzero(came), arrived, VISIT, at + ARRIVED, agent)
    _event(
        work, np.flatnonzero(came | called_off), finished, VISIT, at + np.where(outcome == MISSED, 0, outcome), agent
    )
    return {
        "row": rows,
        "ticket": base["ticket"][rows],
        "number": number[rows] + 1,
        "first": np.minimum(dispatched, np.where(came, arrived, NEVER))[rows],
        "dispatched": dispatched[rows],
        "arrived": np.where(came, arrived, NEVER)[rows],
        "finished": np.where(came | called_off, finished, NEVER)[rows],
        "outcome": outcome[rows],
        "truly": (truly & (outcome == FIXED))[rows],
        "crooked": crooked[rows],
        "begin": begin[rows],
    }


def appoint(rng: np.random.Generator, visits: Table, base: Table, agent: np.ndarray) -> Table:
    """Windows of two hours, promised before the dispatch of most visits, some of them moved once; at a bad place fewer are kept.

    Args:
        visits: as `FieldWork.visits`; `row` names the ticket in `base` and `agent`, all times are UTC seconds.

    Returns:
        One row a promise: ticket, number (of the visit), promised, from, until, wished (who wished a time that replaces
        another), state (how it ends when all is known), user (who promised it).
    """
    n = size(visits)
    row, bad = visits["row"], base["bad"][visits["row"]]
    arrived = np.where(visits["arrived"] < NEVER, visits["arrived"], 0)
    going = np.minimum(visits["dispatched"], np.where(arrived > 0, arrived, NEVER))
    room = np.maximum(going - 1 - visits["begin"], 0)
    u = rng.random((6, n))
    state = np.where(u[0] < 0.06, EARLY, np.where(u[0] < np.where(bad, 0.42, 0.18), LATE, KEPT))
    first = visits["begin"] + (room * (0.1 + 0.3 * u[1])).astype(np.int64)
    moved = (u[2] < np.where(bad, 0.22, 0.12)) & (room > 1800)
    promised = np.where(moved, visits["begin"] + (room * (0.55 + 0.4 * u[3])).astype(np.int64), first)
    steps = rng.integers(0, 8, n)
    kept_from = arrived // SLOT * SLOT - steps * SLOT
    late_until = (arrived - 1) // SLOT * SLOT - steps * SLOT
    # Nobody promises a window that is over.
    state = np.where((state == LATE) & (late_until - 1800 < promised), KEPT, state)
    begin = np.select(
        [state == EARLY, state == LATE],
        [arrived // SLOT * SLOT + (1 + steps % 3) * SLOT, late_until - WINDOW],
        kept_from,
    )
    after = np.where(visits["outcome"] == CANCELLED, visits["finished"], visits["dispatched"])
    alone = arrived == 0
    state = np.where(alone, np.where(visits["outcome"] == CANCELLED, WAS_CANCELLED, WAS_MISSED), state)
    begin = np.where(alone, (after // SLOT + 1 + steps % 4) * SLOT, begin)
    has = u[4] < 0.88
    wished = np.where(u[5] < 0.6, CUSTOMER, COMPANY)
    old_begin = (promised // SLOT + 4 + steps * 4) * SLOT
    parts: list[Table] = []
    for which, at, start, ends, by in (
        (has & moved, first, old_begin, np.full(n, RESCHEDULED), np.zeros(n, dtype=np.int64)),
        (has, promised, begin, state, np.where(moved, wished, NOBODY)),
    ):
        rows = np.flatnonzero(which)
        parts.append(
            {
                "ticket": visits["ticket"][rows],
                "number": visits["number"][rows],
                "promised": at[rows],
                "from": start[rows],
                "until": start[rows] + WINDOW,
                "wished": by[rows],
                "state": ends[rows],
                "user": agent[row[rows]],
            }
        )
    return stack(parts)


def _departments(
    rng: np.random.Generator,
    work: FieldWork,
    base: Table,
    ordinary: np.ndarray,
    reply: np.ndarray,
    solve: np.ndarray,
    agent: np.ndarray,
) -> None:
    n = size(base)
    span = solve - reply
    chance, which = np.zeros(n), np.zeros((2, n), dtype=np.int64)
    for kind, (share, weights) in CHANCE_OF_DEPARTMENT.items():
        chance = np.where(base["kind"] == kind, share, chance)
        drawn = rng.choice(len(DEPARTMENTS), (2, n), p=weights)
        which = np.where(base["kind"] == kind, drawn, which)
    first = ordinary & (span >= 3 * 3600) & (rng.random(n) < chance)
    second = first & (rng.random(n) < 0.25) & (which[0] != which[1])
    parts: list[Table] = []
    for asked_one, department in ((first, which[0]), (second, which[1])):
        asked = reply + 30 + (span * (0.02 + 0.13 * rng.random(n))).astype(np.int64)
        hours = MEDIAN_TURNAROUND_HOURS * np.where(department == SLOW_DEPARTMENT, SLOW_FACTOR, 1.0)
        wanted = (rng.lognormal(0, 0.6, n) * hours * 3600).astype(np.int64) + 60
        answered = asked + np.minimum(wanted, (solve - asked) * 3 // 4)
        silent = rng.random(n) < 0.03
        reminded = rng.random(n) < 0.1
        rows = np.flatnonzero(asked_one)
        _event(work, rows, asked, DEPARTMENT + department, ASKED, agent)
        _event(
            work, np.flatnonzero(asked_one & reminded), (asked + answered) // 2, DEPARTMENT + department, ASKED, agent
        )
        _event(work, np.flatnonzero(asked_one & ~silent), answered, DEPARTMENT + department, ANSWERED, agent)
        parts.append(
            {
                "ticket": base["ticket"][rows],
                "department": department[rows],
                "asked": asked[rows],
                "answered": np.where(silent, NEVER, answered)[rows],
            }
        )
    work.asks = stack(parts)
