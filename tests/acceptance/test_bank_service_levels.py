"""Every wait, abandonment and service level of the bank, per month, type and half hour, to the call: polars over the two files.

The definitions are written here once more, from METRICS alone: A answered, A_T within the target, B abandoned, B_T within the
target, B_s short. The bank has no flow-outs, and the wait of every call that reached people is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from dashboards.data.metrics import Filters, Metric, catalogue, metric_frame
from dashboards.data.snapshot import Snapshot, SnapshotStore
from tests.acceptance.conftest import TIME_ZONE, RealHome

pytestmark = pytest.mark.real_data

SOURCE = "anonymous_bank_calls"
TARGET, SHORT = 20, 5

A, B = pl.col("answered"), pl.col("abandoned")
A_T, B_T, B_S = (
    A & (pl.col("wait") <= TARGET),
    B & (pl.col("wait") <= TARGET),
    B & (pl.col("wait") <= SHORT),
)
FRACTIONS: dict[str, tuple[pl.Expr, pl.Expr]] = {
    "service_level": (A_T, A),
    "service_level_abandons_bad": (A_T, A | B),
    "service_level_abandons_good": (A_T | B_T, A | B),
    "service_level_early_ignored": (A_T, (A | B) & ~B_T),
    "service_level_flow_outs_in": (A_T, A | B),
    "service_level_short_good": (A_T | B_S, A | B),
    "service_level_short_removed": (A_T, (A | B) & ~B_S),
    "abandonment_rate": (B, A | B),
    "abandonment_rate_of_queued": (B, (A | B) & pl.col("queued")),
    "abandonment_rate_without_short": (B & ~B_S, (A | B) & ~B_S),
    "average_speed_of_answer": (A * pl.col("wait"), A),
    "average_wait": ((A | B) * pl.col("wait"), A | B),
    "average_wait_of_abandoned": (B * pl.col("wait"), B),
}
"""What stands above and below the line, as expressions over single calls."""
BY_ENTRY = {"service_level_by_queue_entry": (A_T, A), "abandonment_rate_by_queue_entry": (B, A | B)}
"""Each call enters one queue once; two clocks that disagree make no second entry of it."""

Fractions = dict[tuple[object, ...], tuple[int, int]]


def half_hour(time: pl.Expr) -> pl.Expr:
    """Beginning of the half hour of a time of day, HH:MM."""
    parts = time.str.split(":")
    half = pl.when(parts.list.get(1).cast(pl.Int64) < 30).then(pl.lit("00")).otherwise(pl.lit("30"))
    return pl.concat_str(parts.list.get(0).str.zfill(2), pl.lit(":"), half)


@pytest.fixture(scope="module")
def calls(real_home: RealHome) -> pl.DataFrame:
    """Inbound calls of the two files that are calls and whose voice unit did not run backwards."""
    folder = real_home.data / SOURCE
    names = ("01_January.txt", "02_February.txt")
    lines = pl.concat([pl.read_csv(folder / name, separator="\t", infer_schema=False) for name in names])
    queued = (pl.col("q_start") != "0:00:00") | (pl.col("q_exit") != "0:00:00")
    served = (pl.col("ser_start") != "0:00:00") | (pl.col("ser_exit") != "0:00:00")
    # A call that found an agent free was in no queue; it entered with the answer.
    entered = (
        pl.when(queued).then(pl.col("q_start")).when(served).then(pl.col("ser_start")).otherwise(pl.col("vru_exit"))
    )
    hours = [column.str.split(":").list.get(0).cast(pl.Int64) for column in (entered, pl.col("vru_entry"))]
    day = pl.col("date").str.to_date("%y%m%d")
    return lines.filter(
        pl.col("vru_time").cast(pl.Int64) >= 0, pl.col("type") != "TT", pl.col("outcome") != "PHANTOM"
    ).select(
        pl.col("type").alias("call_type"),
        day.alias("day"),
        pl.col("date").str.slice(2, 2).cast(pl.Int64).alias("month"),
        half_hour(pl.col("vru_entry")).alias("half_hour"),
        half_hour(entered).alias("entered_half_hour"),
        (day + pl.duration(days=(hours[0] < hours[1] - 12).cast(pl.Int64))).alias("entered_on"),
        queued.alias("queued"),
        (pl.col("outcome") == "AGENT").alias("answered"),
        ((pl.col("outcome") == "HANG") & queued).alias("abandoned"),
        pl.when(queued).then(pl.col("q_time").cast(pl.Int64)).otherwise(0).alias("wait"),
    )


@pytest.fixture(scope="module")
def snapshot(real_home: RealHome) -> Iterator[Snapshot]:
    with closing(SnapshotStore(Path(real_home.settings.serving))) as store:
        yield store.current()


def counted(calls: pl.DataFrame, keys: list[str], above: pl.Expr, below: pl.Expr) -> Fractions:
    """Above and below the line, by group; groups with nothing in either are left out."""
    rows = calls.group_by(keys).agg(
        above.sum().cast(pl.Int64).alias("above"), below.sum().cast(pl.Int64).alias("below")
    )
    return {tuple(key): (a, b) for *key, a, b in rows.iter_rows() if a or b}


def published(snapshot: Snapshot, metric: Metric, groups: str) -> Fractions:
    """The same from the mart of the published snapshot, by the metric's own definition."""
    parts = {part.name: part for part in metric.parts}
    above, below = parts["numerator"], parts["denominator"]
    assert above.model == below.model
    rows = snapshot.frame(
        f"select {groups}, cast(coalesce(sum({above.expression}), 0) as bigint), cast(coalesce(sum({below.expression}), 0) as bigint)"
        f' from main."{above.model}" where source = ? group by all',
        [SOURCE],
    )
    return {tuple(key): (a, b) for *key, a, b in rows.iter_rows() if a or b}


def test_every_definition_is_here(snapshot: Snapshot) -> None:
    """A definition that is added to one of these families has to be added to this proof."""
    families = {"service_level", "abandonment", "average_speed_of_answer"}
    known = {name for name, metric in catalogue(snapshot).items() if metric.family in families}
    assert known == FRACTIONS.keys() | BY_ENTRY.keys()


@pytest.mark.parametrize("name", FRACTIONS)
def test_per_month_type_and_half_hour(snapshot: Snapshot, calls: pl.DataFrame, name: str) -> None:
    expected = counted(calls, ["month", "call_type", "half_hour"], *FRACTIONS[name])
    local = f"timezone('{TIME_ZONE}', timezone('UTC', started_at))"
    groups = f"month(started_on), call_type, strftime(time_bucket(interval '30 minutes', {local}), '%H:%M')"
    found = published(snapshot, catalogue(snapshot)[name], groups)
    assert found == expected
    assert len(expected) > 200 and {key[1] for key in expected} >= {"PS", "PE", "IN", "NE", "NW"}


@pytest.mark.parametrize("name", FRACTIONS)
@pytest.mark.parametrize("grain", ["month", "day"])
def test_the_compiler_says_the_same_per_type(snapshot: Snapshot, calls: pl.DataFrame, name: str, grain: str) -> None:
    """Through the daily parts, as pages and command line ask; also the whole, rolled up from nothing but these sums."""
    ours = Filters(where={"source": (SOURCE,)})
    key = {"month": pl.col("day").dt.truncate("1mo"), "day": pl.col("day")}[grain]
    expected = counted(calls.with_columns(key.alias("period")), ["period", "call_type"], *FRACTIONS[name])
    frame = metric_frame(snapshot, [name], by=["call_type"], grain=grain, filters=ours)
    found = {
        (row["metric_time"], row["call_type"]): (row["numerator"] or 0, row["denominator"] or 0)
        for row in frame.to_dicts()
        if row["numerator"] or row["denominator"]
    }
    assert found == expected
    for row in frame.to_dicts():
        assert row["value"] == (pytest.approx(row["numerator"] / row["denominator"]) if row["denominator"] else None)
    whole = metric_frame(snapshot, [name], filters=ours).row(0, named=True)
    assert (whole["numerator"], whole["denominator"]) == tuple(
        sum(pair[i] for pair in expected.values()) for i in (0, 1)
    )


@pytest.mark.parametrize("name", BY_ENTRY)
def test_per_half_hour_of_the_queue_entry(snapshot: Snapshot, calls: pl.DataFrame, name: str) -> None:
    """Each single half hour of the two months."""
    expected = counted(calls.filter(A | B), ["entered_on", "entered_half_hour"], *BY_ENTRY[name])
    found = published(snapshot, catalogue(snapshot)[name], "half_hour_on, half_hour")
    assert found == expected
    assert len(expected) > 1500


def test_every_wait_is_that_of_its_line(real_home: RealHome, calls: pl.DataFrame) -> None:
    found = real_home.rows(
        "select started_on, call_type, is_answered, wait_seconds, count(*) from fct_calls"
        f" where source = '{SOURCE}' and is_in_base and (is_answered or is_abandoned) group by all"
    )
    expected = calls.filter(A | B).group_by("day", "call_type", "answered", "wait").len()
    assert {row[:4]: row[4] for row in found} == {tuple(row[:4]): row[4] for row in expected.iter_rows()}
    assert {row[0] for row in found} <= {
        date(1999, month, day) for month in (1, 2) for day in range(1, 32) if (month, day) < (2, 29)
    }
