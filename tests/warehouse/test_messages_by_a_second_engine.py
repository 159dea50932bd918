"""Twenty thousand random sessions, computed again in plain Python and polars from the definitions alone, agree with the warehouse.

They reply at once, before the end, after it and never; their units have schedules over midnight, over a clock change, with days, or none; they
arrive corrected and shuffled over two deliveries. Business time is counted minute by minute from the wall clock, what follows a session is found by
looking at all later ones.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import duckdb
import polars as pl
import pytest

from dashboards.data.metrics import Filters, metric_values
from dashboards.data.snapshot import Snapshot, open_snapshot
from orchestration.serving import build
from tests.warehouse.shop_project import make_shop_project, opened

pytestmark = pytest.mark.slow

SESSIONS, CUSTOMERS = 20_000, 2_500
FIRST, SPAN = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp()), 45 * 86_400
ZONE, SHANGHAI = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Shanghai")  # Berlin's clock goes forward on 29 March
HOURS = {"day": (8 * 60, 18 * 60), "night": (20 * 60, 26 * 60), "late": (9 * 60, 12 * 60)}
"""Opening and closing of each schedule in minutes after local midnight, every day."""
MOVES_ON = date(2026, 3, 20)
"""The day (Berlin) from which unit `moving` has schedule night in place of day."""
PROMISES = {"chat": ("chat", "calendar", 90), "app": ("app", "business", 1200), "email": ("mail", "business", 36_000)}
WINDOWS = {"24h": 86_400, "48h": 172_800, "72h": 259_200}
TOUCH_POINTS = {"": None, "bill": "bill", "Field_Work": "field_work", "robot arm": "other"}
BY_CHANNEL = {"chat": "web_hall", "app": "web_hall", "email": "other", "social": "web_hall"}


@dataclass(frozen=True)
class Session:
    name: str
    customer: str
    channel: str
    said: str
    handled: str
    missed: str
    unit: str
    started: int
    replied: int | None
    ended: int | None
    rounds: int | None

    @property
    def line(self) -> str:
        times = [
            "" if at is None else f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}Z"
            for at in (self.started, self.replied, self.ended)
        ]
        rounds = "" if self.rounds is None else str(self.rounds)
        return ",".join(
            [self.name, self.customer, self.channel, self.said, "", self.handled, self.missed, self.unit, *times, rounds, "", ""]
        )  # fmt: skip


def random_session(name: str, dice: random.Random) -> Session:
    started = FIRST + dice.randrange(SPAN)
    handled = dice.choice(["bot", "bot", "human", "both", "nobody", ""])
    replied = started + dice.choice([0, 1, 40, 90, 91, 600, 5_000, 40_000, 90_000])
    has_reply = dice.random() < (0.9 if handled in ("human", "both") else 0.05)
    ended = started + dice.choice([0, 30, 90, 1_000, 60_000, 200_000])
    return Session(
        name, f"C{dice.randrange(int(CUSTOMERS * 1.05))}", dice.choice(list(BY_CHANNEL)), dice.choice([*TOUCH_POINTS, "", ""]), handled,
        dice.choice(["", "", "", "FALSE", "TRUE"]), dice.choice(["day", "night", "late", "moving", "nowhere"]), started,
        replied if has_reply else None, ended if dice.random() < 0.8 else None, dice.choice([None, 0, 1, 4, 9]),
    )  # fmt: skip


class Clock:
    """Open time of a schedule, a minute at a time over the whole span."""

    def __init__(self, opens: int, closes: int) -> None:
        self.stretches: list[tuple[int, int]] = []
        for number in range(-3, SPAN // 86_400 + 12):
            day = date(2026, 3, 1) + timedelta(days=number)
            self.stretches.append((self._instant(day, opens), self._instant(day, closes)))

    @staticmethod
    def _instant(day: date, minute: int) -> int:
        wall = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)
        at = wall.replace(tzinfo=ZONE, fold=1).astimezone(UTC)
        # What happens twice is the later one; two o'clock on 29 March never happens, and is the instant at which the clock jumps.
        if at.astimezone(ZONE).replace(tzinfo=None) != wall:
            at = wall.replace(tzinfo=ZONE, fold=0).astimezone(UTC)
        return int(at.timestamp())

    def is_open(self, at: int) -> bool:
        return any(a <= at < b for a, b in self._near(at))

    def _near(self, at: int) -> list[tuple[int, int]]:
        row = bisect_right(self.stretches, (at, 2**62))
        return self.stretches[max(0, row - 2) : row + 1]

    def between(self, start: int, end: int) -> int:
        return sum(max(0, min(b, end) - max(a, start)) for a, b in self.stretches)

    def due(self, start: int, seconds: int) -> int:
        """The last instant at which no more than the seconds are spent."""
        left = seconds
        for a, b in self.stretches:
            here = max(0, b - max(a, start))
            if here > left:
                return max(a, start) + left
            left -= here
        raise AssertionError("the span is too short")


CLOCKS = {name: Clock(*hours) for name, hours in HOURS.items()}


def clock_of(session: Session) -> Clock | None:
    if session.unit == "moving":
        moved = datetime.fromtimestamp(session.started, UTC).astimezone(ZONE).date() >= MOVES_ON
        return CLOCKS["night" if moved else "day"]
    return CLOCKS.get(session.unit)


def judged(session: Session, known_until: int) -> dict[str, object]:
    """What the definitions say of one session."""
    clock = clock_of(session)
    handled = session.handled or "unknown"
    if session.replied is not None and handled not in ("human", "both"):
        handled = "both" if handled == "bot" else "human"
    human, missed = handled in ("human", "both"), session.missed == "TRUE"
    doubtful = session.replied is not None and (
        session.replied == session.started or (session.ended is not None and session.replied > session.ended)
    )
    replied = None if doubtful else session.replied
    policy, due, state = None, None, None
    if session.channel in PROMISES and (handled != "bot" or missed):
        policy, kind, target = PROMISES[session.channel]
        if kind == "calendar":
            due = session.started + target
        elif clock is not None:
            due = clock.due(session.started, target)
        if due is not None and not (replied is None and human):
            if replied is not None:
                state = "met" if replied <= due else "breached"
            elif due < (session.ended if session.ended is not None else known_until):
                state = "breached"
            elif session.ended is None:
                state = "running"
    return {
        "name": session.name,
        "channel": session.channel,
        "handled_by": handled,
        "touch_point": TOUCH_POINTS[session.said] or BY_CHANNEL[session.channel],
        "policy": policy,
        "promise_state": state,
        "is_bot_ended": handled == "bot" and not missed,
        "is_bot_answered": handled in ("bot", "both"),
        "is_human_answered": human,
        "is_abandoned": not human and (missed or (handled == "nobody" and session.ended is not None)),
        "is_out_of_hours": None if clock is None else not clock.is_open(session.started),
        "is_time_doubtful": doubtful or session.ended == session.started,
        "rounds": session.rounds,
        "reply": None if replied is None else replied - session.started,
        "business": None if replied is None or clock is None else clock.between(session.started, replied),
        "length": None if session.ended is None or session.ended == session.started else session.ended - session.started,
        "started": session.started,
        "due": due,
        "day": datetime.fromtimestamp(session.started, UTC).astimezone(SHANGHAI).date(),
    }  # fmt: skip


@dataclass
class Both:
    sessions: dict[str, Session]
    mine: pl.DataFrame
    marts: duckdb.DuckDBPyConnection
    snapshot: Snapshot


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    dice = random.Random(20260302)
    sessions = {f"S{number}": random_session(f"S{number}", dice) for number in range(SESSIONS)}
    project = make_shop_project(tmp_path_factory.mktemp("second_messages"))
    project.replace_seed(
        "message_promises", *(f"{n},{policy},{channel},,{target},{kind},," for n, (channel, (policy, kind, target)) in enumerate(PROMISES.items(), 1))
    )  # fmt: skip
    for name, (opens, closes) in HOURS.items():
        text = [f"{minute % 1440 // 60:02}:{minute % 60:02}" for minute in (opens, closes)]
        project.add_to_seed("schedules", *(f"{name},{day},{text[0]},{text[1]},,,Europe/Berlin," for day in range(1, 8)))
    project.replace_seed(
        "schedule_assignments", *(f"org_unit,{name},{name},," for name in HOURS),
        f"org_unit,moving,day,,{MOVES_ON - timedelta(days=1)}", f"org_unit,moving,night,{MOVES_ON},",
    )  # fmt: skip
    header = "id,customer,channel,said,direction,handled,missed,unit,started,replied,ended,rounds,about,event"
    # The first delivery has a tenth of them otherwise (on another day, too); the second one corrects these and adds the rest.
    names = list(sessions)
    dice.shuffle(names)
    early, wrong = names[: SESSIONS // 2], set(names[: SESSIONS // 10])
    first = [(random_session(name, dice) if name in wrong else sessions[name]).line for name in early]
    second = [sessions[name].line for name in names[SESSIONS // 2 :]] + [sessions[name].line for name in sorted(wrong)]
    customers = [f"C{n},C{n},person,139{n:08},c{n}@example.com" for n in range(CUSTOMERS)]
    project.deliver("customers_20260420.csv", "\n".join(["id,name,kind,phone,email", *customers]) + "\n")
    for number, lines in enumerate((first, second)):
        project.deliver(f"sessions_2026042{number}.csv", "\n".join([header, *lines]) + "\n")
        project.load(f"load-{number}")
        project.build()
    known_until = max(max(s.started, s.replied or 0, s.ended or 0) for s in sessions.values())
    mine = pl.DataFrame([judged(session, known_until) for session in sessions.values()], infer_schema_length=None)
    path = build.build_snapshot(project.settings, run_id="run-1").path
    with opened(project) as connection, closing(open_snapshot(path)) as snapshot:
        yield Both(sessions, mine, connection, snapshot)


def test_every_session_says_the_same(both: Both) -> None:
    theirs = both.marts.execute(
        "select message_session_id as name, channel, handled_by, touch_point, policy, promise_state, is_bot_ended, is_bot_answered, is_human_answered,"
        " is_abandoned, is_out_of_hours, is_time_doubtful, rounds, first_human_reply_seconds as reply, first_human_reply_business_seconds as business,"
        " session_seconds as length, epoch(started_at)::bigint as started, epoch(due_at)::bigint as due, started_on as day from fct_messages"
    ).pl()
    assert theirs.height == both.mine.height == SESSIONS
    for column in both.mine.columns:
        left = both.mine.sort("name")[column]
        right = theirs.sort("name")[column].cast(left.dtype)
        differing = both.mine.sort("name").filter(~left.eq_missing(right))["name"].to_list()
        assert differing == [], f"{column}: {[(name, both.sessions[name]) for name in differing[:3]]}"
    states = both.mine["promise_state"].value_counts()
    assert states.height == 4 and states["count"].min() > 0, "met, breached, running and none all occur"


def test_metrics_by_channel_and_day_say_the_same(both: Both) -> None:
    def share(top: pl.Expr, base: pl.Expr) -> pl.Expr:
        return top.sum() / base.sum()

    state, reply = pl.col("promise_state"), pl.col("reply")
    wanted = {
        "message_sessions": pl.len(),
        "session_first_reply_mean": reply.mean(),
        "session_first_reply_business_mean": pl.col("business").mean(),
        "session_first_reply_median": reply.sort().drop_nulls().get((reply.count() - 1) // 2),
        "rounds_per_session": pl.col("rounds").mean(),
        "bot_ended_rate": share(pl.col("is_bot_ended"), pl.col("is_bot_answered")),
        "session_abandonment_rate": share(pl.col("is_abandoned"), pl.col("is_abandoned") | pl.col("is_human_answered")),
        "out_of_hours_session_rate": pl.col("is_out_of_hours").mean(),
        "session_promise_attainment": share(state == "met", state.is_in(["met", "breached"])),
        "session_promises_running": (state == "running").sum(),
        "sessions_with_doubtful_time": pl.col("is_time_doubtful").sum(),
    }
    dice = random.Random(5)
    for _ in range(12):
        start = date(2026, 3, 1) + timedelta(days=dice.randrange(30))
        end = start + timedelta(days=dice.randrange(15))
        channel, touch_point = dice.choice(list(BY_CHANNEL)), dice.choice(["web_hall", "bill", "other"])
        mine = both.mine.filter(
            pl.col("day").is_between(start, end), pl.col("channel") == channel, pl.col("touch_point") == touch_point
        )
        found = metric_values(
            both.snapshot,
            list(wanted),
            Filters(start=start, end=end, channels=(channel,), where={"touch_point": (touch_point,)}),
        )
        expected = mine.select(**wanted).to_dicts()[0] if mine.height else {}
        for name, value in expected.items():
            got = found[name].value
            if value is None or value != value:
                assert got is None, (name, start, end, channel, touch_point)
            else:
                assert got == pytest.approx(float(value)), (name, start, end, channel, touch_point)


def test_who_was_intercepted_is_found_by_looking_at_all_later_sessions(both: Both) -> None:
    identified = {name for name, s in both.sessions.items() if int(s.customer[1:]) < CUSTOMERS}
    rows = both.mine.filter(pl.col("name").is_in(list(identified))).to_dicts()
    newest = max(row["started"] for row in rows)
    with_people: dict[str, list[int]] = {}
    for row in rows:
        if not row["is_bot_ended"]:
            with_people.setdefault(both.sessions[row["name"]].customer, []).append(row["started"])
    for starts in with_people.values():
        starts.sort()
    for window, seconds in WINDOWS.items():
        top = base = 0
        for row in rows:
            if not row["is_bot_answered"] or newest - row["started"] < seconds:
                continue
            base += 1
            later = with_people.get(both.sessions[row["name"]].customer, [])
            # The order of two sessions of one second is not told by their times; none of these is both.
            following = (
                later[bisect_right(later, row["started"])] if bisect_right(later, row["started"]) < len(later) else None
            )
            top += row["is_bot_ended"] and (following is None or following - row["started"] > seconds)
        found = metric_values(both.snapshot, [f"bot_interception_rate_{window}"], Filters())
        one = found[f"bot_interception_rate_{window}"]
        assert (one.numerator, one.denominator) == (top, base) and top > 100
