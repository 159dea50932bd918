"""Calls of the anonymous bank, January and February 1999, against numbers that polars computes from the two files."""

from __future__ import annotations

from datetime import date, datetime

import polars as pl
import pytest

from tests.acceptance.conftest import RealHome

pytestmark = pytest.mark.real_data

TARGET, SHORT = 20, 5
CALLS = "from fct_calls where source = 'anonymous_bank_calls'"
LOCAL = "timezone('Asia/Jerusalem', timezone('UTC', {}))"


def seconds(column: str) -> pl.Expr:
    parts = pl.col(column).str.split(":")
    return (
        parts.list.get(0).cast(pl.Int64) * 3600
        + parts.list.get(1).cast(pl.Int64) * 60
        + parts.list.get(2).cast(pl.Int64)
    )


@pytest.fixture(scope="module")
def calls(real_home: RealHome) -> pl.DataFrame:
    """Every line of the two files, with what this test reads in it."""
    folder = real_home.data / "anonymous_bank_calls"
    lines = pl.concat(
        [
            pl.read_csv(folder / name, separator="\t", infer_schema=False)
            for name in ("01_January.txt", "02_February.txt")
        ]
    )
    return lines.with_columns(
        id=pl.col("vru+line") + "-" + pl.col("call_id"),
        day=pl.col("date").str.to_date("%y%m%d"),
        wait=pl.col("q_time").cast(pl.Int64),
        talk=pl.col("ser_time").cast(pl.Int64),
        vru=pl.col("vru_time").cast(pl.Int64),
        queued=(pl.col("q_start") != "0:00:00") | (pl.col("q_exit") != "0:00:00"),
        served=(pl.col("ser_start") != "0:00:00") | (pl.col("ser_exit") != "0:00:00"),
    )


@pytest.fixture(scope="module")
def sound(calls: pl.DataFrame) -> pl.DataFrame:
    """The calls whose voice unit did not run backwards."""
    return calls.filter(pl.col("vru") >= 0)


def test_a_call_is_named_by_its_line_and_number(real_home: RealHome, calls: pl.DataFrame) -> None:
    assert calls.height == 64_943
    assert calls["call_id"].n_unique() < calls["id"].n_unique() == calls.height
    assert real_home.one("select count(*) from raw.raw_anonymous_bank_calls.calls") == calls.height
    used = {row[0] for row in real_home.rows(f"select call_id {CALLS}")}
    quarantined = {
        row[0]
        for row in real_home.rows(
            "select row_key from fct_quarantined_rows where source = 'anonymous_bank_calls' and feed = 'calls'"
        )
    }
    assert used | quarantined == set(calls["id"]) and not used & quarantined


def test_calls_whose_voice_unit_ran_backwards_are_the_quarantine(real_home: RealHome, calls: pl.DataFrame) -> None:
    backwards = set(calls.filter(pl.col("vru") < 0)["id"])
    assert len(backwards) == 58
    found = real_home.rows(
        "select feed, row_key, reasons from fct_quarantined_rows where source = 'anonymous_bank_calls'"
    )
    assert {(key, reasons) for feed, key, reasons in found if feed == "calls"} == {
        (call, "ivr_seconds:below_minimum") for call in backwards
    }
    # Of their steps only the one that carries the negative length is refused.
    assert {(key, reasons) for feed, key, reasons in found if feed == "call_events"} == {
        (f"{call}/1", "duration_seconds:below_minimum") for call in backwards
    }
    assert len(found) == 116


def test_outcomes_by_month(real_home: RealHome, sound: pl.DataFrame) -> None:
    """Also pins the caller who hangs up inside the voice unit, the phantom and the bank's calls back (TT)."""
    expected = (
        sound.with_columns(
            direction=pl.when(pl.col("type") == "TT").then(pl.lit("outbound")).otherwise(pl.lit("inbound")),
            disposition=pl.when(pl.col("outcome") == "AGENT")
            .then(pl.lit("answered"))
            .when((pl.col("outcome") == "HANG") & pl.col("queued"))
            .then(pl.lit("abandoned"))
            .when(pl.col("outcome") == "HANG")
            .then(pl.lit("abandoned_in_ivr"))
            .otherwise(pl.lit("unknown")),
            month=pl.col("day").dt.month(),
            phantom=pl.col("outcome") == "PHANTOM",
        )
        .group_by("month", "direction", "disposition", "phantom")
        .len()
    )
    found = real_home.rows(
        f"select month(started_on), direction, disposition, coalesce(exclusion_kind = 'phantom', false), count(*) {CALLS} group by all"
    )
    assert set(found) == set(expected.rows())
    assert real_home.one(f"select count(*) {CALLS} and exclusion_kind = 'phantom' and (is_in_base or is_offered)") == 0


def test_waits_abandonment_and_service_level_by_month(real_home: RealHome, sound: pl.DataFrame) -> None:
    inbound = sound.filter(pl.col("type") != "TT", pl.col("outcome") != "PHANTOM")
    found = real_home.rows(
        "select month(started_on), count(*) filter (where is_offered), count(*) filter (where is_answered), count(*) filter (where is_abandoned),"
        " count(*) filter (where is_abandoned_in_ivr), count(*) filter (where is_answered_within_target), count(*) filter (where is_abandoned_within_target),"
        " count(*) filter (where is_short_abandon), sum(wait_seconds) filter (where is_answered), sum(wait_seconds) filter (where is_abandoned),"
        f" sum(talk_seconds), sum(ivr_seconds) {CALLS} and is_in_base group by all order by all"
    )
    expected = []
    for month in (1, 2):
        of_month = inbound.filter(pl.col("day").dt.month() == month)
        answered = of_month.filter(pl.col("outcome") == "AGENT")
        abandoned = of_month.filter(pl.col("outcome") == "HANG", pl.col("queued"))
        expected.append(
            (
                month, answered.height + abandoned.height, answered.height, abandoned.height,
                of_month.filter(pl.col("outcome") == "HANG", ~pl.col("queued")).height,
                answered.filter(pl.col("wait") <= TARGET).height, abandoned.filter(pl.col("wait") <= TARGET).height,
                abandoned.filter(pl.col("wait") <= SHORT).height, answered["wait"].sum(), abandoned["wait"].sum(),
                answered["talk"].sum(), of_month["vru"].sum(),
            )
        )  # fmt: skip
    assert found == expected


def test_published_metrics_are_those_numbers(real_home: RealHome, sound: pl.DataFrame) -> None:
    inbound = sound.filter(pl.col("type") != "TT", pl.col("outcome") != "PHANTOM")
    answered = inbound.filter(pl.col("outcome") == "AGENT")
    abandoned = inbound.filter(pl.col("outcome") == "HANG", pl.col("queued"))
    within = answered.filter(pl.col("wait") <= TARGET).height
    for name, numerator, denominator in (
        ("service_level", within, answered.height),
        ("service_level_abandons_bad", within, answered.height + abandoned.height),
        ("abandonment_rate", abandoned.height, answered.height + abandoned.height),
        ("average_speed_of_answer", answered["wait"].sum(), answered.height),
    ):
        (row,) = [row for row in real_home.metric(name, "--by", "source") if row["source"] == "anonymous_bank_calls"]
        assert (row["numerator"], row["denominator"]) == (numerator, denominator), name
        assert row["value"] == pytest.approx(numerator / denominator), name


def test_days_are_the_days_of_the_file(real_home: RealHome, sound: pl.DataFrame) -> None:
    """yymmdd: 990112 is 12 January 1999, and evening calls stay on their day."""
    assert (sound["day"].min(), sound["day"].max()) == (date(1999, 1, 1), date(1999, 2, 28))
    assert dict(real_home.rows(f"select started_on, count(*) {CALLS} group by all")) == dict(
        sound.group_by("day").len().rows()
    )


def test_intervals_cross_midnight(real_home: RealHome, sound: pl.DataFrame) -> None:
    ends = sound.with_columns(
        length=pl.max_horizontal(
            (seconds("vru_exit") - seconds("vru_entry")) % 86_400,
            pl.when("queued").then((seconds("q_exit") - seconds("vru_entry")) % 86_400),
            pl.when("served").then((seconds("ser_exit") - seconds("vru_entry")) % 86_400),
        )
    )
    across = ends.filter(seconds("vru_entry") + pl.col("length") >= 86_400)
    assert across.height == 46
    assert dict(real_home.rows(f"select call_id, cast(epoch(ended_at) - epoch(started_at) as bigint) {CALLS}")) == dict(
        ends.select("id", "length").rows()
    )
    local_end, local_start = LOCAL.format("ended_at"), LOCAL.format("started_at")
    found = real_home.rows(f"select call_id {CALLS} and cast({local_end} as date) > cast({local_start} as date)")
    assert {row[0] for row in found} == set(across["id"])


def test_a_queue_entered_at_midnight_itself_did_happen(real_home: RealHome, calls: pl.DataFrame) -> None:
    """0:00:00 means "did not happen", save where the other end of the interval says that it did."""
    assert calls.filter(pl.col("q_start") == "0:00:00", pl.col("q_time") != "0")["id"].to_list() == ["AA0102-31056"]
    found = real_home.rows(
        f"select {LOCAL.format('queued_at')}, wait_seconds, disposition {CALLS} and call_id = 'AA0102-31056'"
    )
    assert found == [(datetime(1999, 2, 16), 27, "answered")]


def test_the_wait_is_the_queues_own_count(real_home: RealHome, sound: pl.DataFrame) -> None:
    """Service may begin a second before the queue ends, by the two clocks; the wait does not become shorter by it."""
    answered = sound.filter(pl.col("outcome") == "AGENT", pl.col("queued"), pl.col("served"))
    early = answered.filter((seconds("ser_start") - seconds("q_exit") + 43_200) % 86_400 < 43_200)
    assert early.height > 20_000
    found = dict(
        real_home.rows(f"select call_id, wait_seconds {CALLS} and disposition = 'answered' and queued_at is not null")
    )
    queued = sound.filter(pl.col("outcome") == "AGENT", pl.col("queued"))
    assert found == dict(queued.select("id", "wait").rows())
    clocked = dict(
        real_home.rows(
            f"select call_id, cast(epoch(answered_at) - epoch(queued_at) as bigint) {CALLS} and queued_at is not null and disposition = 'answered'"
        )
    )
    # By the service clock 73 were even answered before they entered the queue: these were answered when it ended.
    before = early.filter((seconds("ser_start") - seconds("q_start") + 43_200) % 86_400 < 43_200)
    assert before.height == 73
    assert all(clocked[call] == found[call] for call in before["id"])
    assert sum(clocked[call] < found[call] for call in early["id"]) == early.height - before.height
    legs = "select count(*) from fct_call_legs where source = 'anonymous_bank_calls' and leg_number > 1"
    assert real_home.one(legs) == 0, "a call of this bank is in the queue once"
    # A call that found an agent free waited nothing.
    assert real_home.rows(
        f"select distinct wait_seconds {CALLS} and disposition = 'answered' and queued_at is null"
    ) == [(0,)]


def test_an_answered_call_without_service_times_has_no_talk_time(real_home: RealHome, sound: pl.DataFrame) -> None:
    without = sound.filter(pl.col("outcome") == "AGENT", ~pl.col("served"))
    assert without.height == 92
    assert {
        row[0] for row in real_home.rows(f"select call_id {CALLS} and is_answered and talk_seconds is null")
    } == set(without.filter(pl.col("type") != "TT")["id"])


def test_unidentified_and_spoilt_customers_are_nobody(real_home: RealHome, sound: pl.DataFrame) -> None:
    assert sound.filter(pl.col("customer_id").str.contains("E", literal=True)).height > 0
    known = sound.filter(pl.col("customer_id") != "0", ~pl.col("customer_id").str.contains("E", literal=True))
    assert dict(real_home.rows(f"select call_id, customer_id {CALLS} and customer_id is not null")) == dict(
        known.select("id", "customer_id").rows()
    )
    again = known.group_by("customer_id").len().filter(pl.col("len") > 1).height
    assert (
        real_home.one(
            f"select count(*) from (select customer_id {CALLS} and customer_id is not null group by 1 having count(*) > 1)"
        )
        == again
    )


def test_the_undocumented_type_is_kept(real_home: RealHome, sound: pl.DataFrame) -> None:
    assert dict(real_home.rows(f"select call_type, count(*) {CALLS} group by all")) == dict(
        sound.group_by("type").len().rows()
    )
    assert sound.filter(pl.col("type") == "AA").height == 2


def test_agents(real_home: RealHome, sound: pl.DataFrame) -> None:
    served = sound.filter(pl.col("server") != "NO_SERVER").group_by("server").len()
    assert dict(real_home.rows(f"select agent_id, count(*) {CALLS} and agent_id is not null group by all")) == dict(
        served.rows()
    )


def test_steps_of_the_calls(real_home: RealHome, calls: pl.DataFrame) -> None:
    agent, hang = pl.col("outcome") == "AGENT", pl.col("outcome") == "HANG"
    expected = {
        "enter_ivr": calls.height,
        "exit_ivr": calls.filter(pl.col("vru") >= 0).height,
        "enter_queue": calls.filter("queued").height,
        "answered": calls.filter(agent).height,
        "abandoned": calls.filter(hang, pl.col("queued")).height,
        "completed": calls.filter(agent, pl.col("served")).height,
        "other": calls.filter(~agent, pl.col("served")).height
        + calls.filter(pl.col("outcome") == "PHANTOM", pl.col("queued")).height,
    }
    assert (
        dict(
            real_home.rows(
                "select event_kind, count(*) from fct_call_events where source = 'anonymous_bank_calls' group by all"
            )
        )
        == expected
    )
