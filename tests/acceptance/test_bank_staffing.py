"""Erlang A and C on the real half hours of the bank: what they expect beside what callers met.

Nothing says who was rostered. How many agents were there is read from their own calls: an agent is taken to be there from the
first call of a run to the end of its last, with no more than ten minutes between two; the half hour has the mean number, rounded. Calls, waits and
losses come from the published snapshot, through the question that `csatlas staffing` asks, and are held against polars.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from dashboards.data.queues import queue_half_hours
from dashboards.data.snapshot import Snapshot, SnapshotStore
from orchestration.modelling import staffing
from orchestration.settings import PROJECT_ROOT
from tests.acceptance.conftest import TIME_ZONE, RealHome, file_rows
from tests.acceptance.test_bank_waits import NEVER, moment, stays
from tests.acceptance.test_bank_waits import Stay as Stay

pytestmark = pytest.mark.real_data

WITHIN, GAP = 20, timedelta(minutes=10)
FIRST, LAST = date(1999, 1, 1), date(1999, 2, 28)
HALF_HOUR = timedelta(minutes=30)
__all__ = ["stays"]  # the fixture


def half_hour_of(at: datetime) -> datetime:
    return at.replace(minute=at.minute // 30 * 30, second=0)


@pytest.fixture(scope="module")
def snapshot(real_home: RealHome) -> Iterator[Snapshot]:
    with closing(SnapshotStore(real_home.settings.serving)) as store:
        yield store.current()


@pytest.fixture(scope="module")
def half_hours(snapshot: Snapshot) -> pl.DataFrame:
    found = queue_half_hours(snapshot, "unknown", FIRST, LAST, within_seconds=WITHIN).filter(pl.col("calls") > 0)
    local = (
        pl.col("half_hour_at").dt.replace_time_zone("UTC").dt.convert_time_zone(TIME_ZONE).dt.replace_time_zone(None)
    )
    return found.with_columns(local.alias("local_at"))


@pytest.fixture(scope="module")
def agents(real_home: RealHome) -> dict[datetime, float]:
    """Mean number of agents who were there, by half hour on the bank's clock."""
    served: dict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
    for name in ("01_January.txt", "02_February.txt"):
        header, *rows = file_rows(real_home.data / "anonymous_bank_calls" / name, "\t")
        for fields in rows:
            line = dict(zip(header, fields, strict=True))
            if (line["ser_start"], line["ser_exit"]) != (NEVER, NEVER) and line["server"] != "NO_SERVER":
                begin = moment(line, "ser_start")
                served[line["server"]].append((begin, begin + timedelta(seconds=int(line["ser_time"]))))
    there: dict[datetime, float] = defaultdict(float)
    for calls in served.values():
        runs: list[list[datetime]] = []
        for begin, end in sorted(calls):
            if runs and begin - runs[-1][1] <= GAP:
                runs[-1][1] = max(runs[-1][1], end)
            else:
                runs.append([begin, end])
        for begin, end in runs:
            at = half_hour_of(begin)
            while at < end:
                there[at] += (min(end, at + HALF_HOUR) - max(begin, at)) / HALF_HOUR
                at += HALF_HOUR
    return there


def test_the_half_hours_are_those_of_the_files(half_hours: pl.DataFrame, stays: list[Stay]) -> None:
    expected: dict[datetime, list[int]] = defaultdict(lambda: [0] * 6)
    for stay in stays:
        in_time = stay.wait <= WITHIN
        row = expected[half_hour_of(stay.queued_at)]
        for place, counts in enumerate(
            (
                1,
                stay.is_answered,
                stay.is_answered and in_time,
                not stay.is_answered,
                not stay.is_answered and in_time,
                stay.wait,
            )
        ):
            row[place] += int(counts)
    columns = ("calls", "answered", "answered_in_target", "abandoned", "abandoned_in_target", "waited_seconds")
    assert {at: list(row) for at, *row in half_hours.select("local_at", *columns).iter_rows()} == dict(expected)
    assert ZoneInfo(TIME_ZONE).utcoffset(datetime(1999, 2, 1)) == timedelta(hours=2)


@pytest.fixture(scope="module")
def judged(half_hours: pl.DataFrame, agents: dict[datetime, float]) -> pl.DataFrame:
    """Half hours from 7 to midnight in which somebody was there, with what the models expect of them."""
    frame = half_hours.with_columns(
        pl.Series("agents", [round(agents.get(at, 0.0)) for at in half_hours["local_at"]], dtype=pl.Int64)
    )
    handle = frame["handling_seconds"].sum() / frame["handled"].sum()
    patience = float(staffing.mean_patience(frame["waited_seconds"].sum(), frame["abandoned"].sum()))
    assert (round(handle, 1), round(patience, 1)) == (HANDLE_SECONDS, PATIENCE_SECONDS)
    frame = frame.filter(pl.col("local_at").dt.hour() >= 7, pl.col("agents") > 0)
    for model, stays_for in (("a", patience), ("c", math.inf)):
        found = staffing.performance(
            frame["calls"].to_numpy(),
            handle,
            frame["agents"].to_numpy(),
            target_seconds=WITHIN,
            patience_seconds=stays_for,
        )
        frame = frame.with_columns(
            pl.Series(f"level_{model}", found.service_level()),
            pl.Series(f"lost_{model}", found.abandonment_probability),
            pl.Series(f"steady_{model}", found.has_steady_state),
        )
    return frame.with_columns((pl.col("calls") * handle / staffing.HALF_HOUR_SECONDS / pl.col("agents")).alias("load"))


HANDLE_SECONDS, PATIENCE_SECONDS = 183.4, 354.5
LOADS = (0.0, 0.4, 0.6, 0.8, 1.0, 1.2, math.inf)


def shown(name: str, frame: pl.DataFrame) -> list[str]:
    """A line of the table in docs/staffing.md."""
    calls = frame["calls"].to_numpy()

    def share(column: str) -> str:
        """Counts over calls, or expected shares weighted by them."""
        values = frame[column].to_numpy()
        return f"{100 * float((values * calls if column.endswith(('_a', '_c')) else values).sum() / calls.sum()):.1f} %"

    columns = ("answered_in_target", "level_a", "level_c", "abandoned", "lost_a")
    return [name, f"{frame.height:,}", f"{int(calls.sum()):,}", *(share(column) for column in columns)]


def test_the_table_of_the_docs_is_what_was_measured(judged: pl.DataFrame) -> None:
    """Expected beside met, by load per agent."""
    lines = []
    for low, high in itertools.pairwise(LOADS):
        name = f"{low:g} to {high:g}" if high < math.inf else f"{low:g} and more"
        lines.append(shown(name, judged.filter(pl.col("load") >= low, pl.col("load") < high)))
    lines.append(shown("all", judged))
    page = (PROJECT_ROOT / "docs" / "staffing.md").read_text(encoding="utf-8")
    table = page.split("### On the half hours of a real bank\n", 1)[1].split("\n#", 1)[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("|")
    ]
    assert rows[2:] == lines


def test_what_may_be_said_of_the_models(judged: pl.DataFrame) -> None:
    """A comes within a point of the callers lost, and is too hopeful of the service level; C knows no state in many half hours."""
    calls = judged["calls"].to_numpy()
    lost = judged["abandoned"].sum() / calls.sum()
    assert abs(float((judged["lost_a"].to_numpy() * calls).sum() / calls.sum()) - lost) < 0.01
    level = judged["answered_in_target"].sum() / calls.sum()
    assert 0.05 < float((judged["level_a"].to_numpy() * calls).sum() / calls.sum()) - level < 0.12
    assert judged["steady_a"].all() and 0.1 < 1 - judged["steady_c"].mean() < 0.25  # type: ignore[operator]
    met = (judged["answered_in_target"] / judged["calls"]).to_numpy()
    assert np.corrcoef(judged["level_a"].to_numpy(), met)[0, 1] > 0.4
