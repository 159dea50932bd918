"""Announced waits: against a clerk who reads the log line by line, against a changed future, and against known numbers."""

from __future__ import annotations

import itertools
import math
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dashboards.data import intervals
from orchestration.modelling import waits

START = datetime(2024, 3, 4, 8, tzinfo=UTC)
INSTANT = pl.Datetime("us", "UTC")

Row = tuple[str, float, float | None, float | None]
"""Class, seconds of queue entry, wait until the answer, wait until it was abandoned."""


def calls_of(rows: list[Row]) -> pl.DataFrame:
    def at(seconds: float | None) -> datetime | None:
        return None if seconds is None else START + timedelta(seconds=seconds)

    return pl.DataFrame(
        {
            "caller_class": [name for name, *_ in rows],
            "queued_at": [at(queued) for _, queued, _, _ in rows],
            "answered_at": [at(None if wait is None else queued + wait) for _, queued, wait, _ in rows],
            "abandoned_at": [at(None if wait is None else queued + wait) for _, queued, _, wait in rows],
        },
        schema={"caller_class": pl.String, "queued_at": INSTANT, "answered_at": INSTANT, "abandoned_at": INSTANT},
    )


def wide(found: pl.DataFrame, value: str) -> pl.DataFrame:
    return found.pivot("estimator", index="call", values=value).sort("call").drop("call")


def log(
    n: int,
    seed: int,
    *,
    agents: int = 9,
    classes: tuple[str, ...] = ("gold",),
    days: int = 20,
    load: float = 0.75,
    even: bool = False,
) -> pl.DataFrame:
    """Calls of a queue per class, first come first served by `agents` of its own, nine hours a day.

    Load over agents is `load` on the average of the day: `even`, or rising from nothing to twice that at noon and falling again.
    """
    random = np.random.default_rng(seed)
    rows: list[Row] = []
    for name in classes:
        per_day = n // days // len(classes)
        for day in range(days):
            drawn = random.uniform(0, 32400, per_day) if even else random.triangular(0, 16200, 32400, per_day)
            talk = random.exponential(agents * 32400 / per_day * load, per_day)
            willing = random.exponential(150, per_day)
            free = np.zeros(agents) + day * 86400
            for queued, length, stays in zip(np.sort(drawn) + day * 86400, talk, willing, strict=True):
                agent = int(free.argmin())
                wait = max(float(free[agent] - queued), 0.0)
                if wait > stays:
                    rows.append((name, float(queued), None, float(stays)))
                else:
                    rows.append((name, float(queued), wait, None))
                    free[agent] = queued + wait + length
    return calls_of(rows)


# --- the estimators -------------------------------------------------------------------------------------------------------


def test_estimates_by_hand() -> None:
    found = waits.announce(
        calls_of(
            [
                ("gold", 0, 10, None),  # nothing is known
                ("gold", 5, 15, None),  # one ahead since 5 s; nobody has been answered
                ("gold", 12, 18, None),  # one ahead (since 7 s); the last to enter waited 10 s; no interval yet
                ("gold", 25, None, 4),  # one ahead (since 13 s); answers at 10 and 20 with a line between: 10 s each
                ("gold", 29, 31, None),  # who gave up at 29 has not left *before* 29: two ahead, the first since 17 s
                ("gold", 31, 19, None),  # answers at 10, 20, 30; one ahead since 2 s
                (
                    "gold",
                    400,
                    0,
                    None,
                ),  # out of order, 31 at 50 and 29 at 60: only the second interval counts; nobody in line
            ]
        ),
        quantile=0.5,
    )
    estimates = wide(found, "estimate_seconds")
    assert estimates["queue_length"].to_list() == [None, None, None, 20, 30, 20, 10]
    assert estimates["last_to_enter_service"].to_list() == [None, None, 10, 15, 15, 18, 31]
    assert estimates["head_of_line"].to_list() == [0, 5, 7, 13, 17, 2, 0]
    assert found["announced_seconds"].null_count() == found.height, "too few calls to calibrate on"
    assert wide(found, "wait_seconds")["head_of_line"].to_list() == [10, 15, 18, None, 31, 19, 0]
    assert wide(found, "abandoned_after_seconds")["head_of_line"].to_list() == [*[None] * 3, 4, *[None] * 3]


def clerk(calls: pl.DataFrame, quantile: float, pace_of: int, window: int, least: int) -> list[dict[str, float | None]]:
    """Goes through the log call by call and looks at each earlier line anew. Slow, and nothing in common with the package."""
    rows = sorted(enumerate(calls.iter_rows(named=True)), key=lambda pair: pair[1]["queued_at"])
    told: list[dict[str, float | None]] = [{} for _ in rows]
    past: list[tuple[str, str, datetime, float, float]] = []
    for order, (call, row) in enumerate(rows):
        now = row["queued_at"]
        same = [(place, r) for place, (_, r) in enumerate(rows[:order]) if r["caller_class"] == row["caller_class"]]
        inside = [
            r for _, r in same
            if not (r["answered_at"] and r["answered_at"] < now) and not (r["abandoned_at"] and r["abandoned_at"] < now)
        ]  # fmt: skip
        served = sorted(
            (
                (r["answered_at"], place, r["queued_at"])
                for place, r in same
                if r["answered_at"] and r["answered_at"] < now
            )
        )
        steps = [
            (b[0] - a[0]).total_seconds() for a, b in itertools.pairwise(served) if b[2] <= a[0]
        ][-pace_of:]  # fmt: skip
        estimates = {
            "queue_length": (len(inside) + 1) * sum(steps) / len(steps) if steps else None,
            "last_to_enter_service": (served[-1][0] - served[-1][2]).total_seconds() if served else None,
            "head_of_line": (now - inside[0]["queued_at"]).total_seconds() if inside else 0.0,
        }
        for name, estimate in estimates.items():
            told[call][f"{name} estimate"] = estimate
            told[call][f"{name} announced"] = None
            if estimate is None:
                continue
            size = 0 if estimate < 15 else 1 + int(math.log2(estimate / 15))
            known = [
                (at, place, short)
                for key, at, place, short, of in past  # type: ignore[misc]
                if key == (row["caller_class"], name) and at < now and of == size
            ]
            last = sorted(short for _, _, short in sorted(known)[-window:])
            rank = math.ceil((len(last) + 1) * quantile - 1e-9)
            if len(last) >= least and rank <= len(last):
                told[call][f"{name} announced"] = max(estimate + last[rank - 1], 0.0)
            if row["answered_at"]:
                short = (row["answered_at"] - now).total_seconds() - estimate
                past.append(((row["caller_class"], name), row["answered_at"], order, short, size))  # type: ignore[arg-type]
    return told


ends = st.one_of(
    st.tuples(st.integers(0, 60), st.none()), st.tuples(st.none(), st.integers(0, 60)), st.tuples(st.none(), st.none())
)
logs = st.lists(st.tuples(st.sampled_from(["gold", "iron"]), st.integers(0, 200), ends), min_size=0, max_size=60).map(
    lambda rows: calls_of([(name, queued, *end) for name, queued, end in rows])
)


@settings(max_examples=150, deadline=None)
@given(logs, st.sampled_from([0.3, 0.5, 0.8]), st.integers(1, 4), st.integers(3, 12))
def test_as_a_clerk_would_have_told(calls: pl.DataFrame, quantile: float, pace_of: int, window: int) -> None:
    found = waits.announce(calls, quantile=quantile, intervals=pace_of, window=window, least=2)
    expected = clerk(calls, quantile, pace_of, window, 2)
    for row in found.iter_rows(named=True):
        for kind in ("estimate", "announced"):
            told = expected[row["call"]][f"{row['estimator']} {kind}"]
            assert row[f"{kind}_seconds"] == (None if told is None else pytest.approx(told, abs=1e-6))


# --- no look-ahead --------------------------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(logs, st.integers(0, 220), st.randoms(use_true_random=False))
def test_another_future_changes_nothing_that_was_told(calls: pl.DataFrame, second: int, chance: object) -> None:
    """Everything from an instant on is undone and made up anew: other answers, other losses, other calls."""
    now = START + timedelta(seconds=second)
    past = calls.filter(pl.col("queued_at") <= now)
    other: list[dict[str, object]] = []
    for row in past.iter_rows(named=True):
        changed = dict(row)
        if not any(row[name] is not None and row[name] < now for name in ("answered_at", "abandoned_at")):
            changed["answered_at"] = changed["abandoned_at"] = None
            fate = chance.choice(["answered_at", "abandoned_at", None])  # type: ignore[attr-defined]
            if fate:
                changed[fate] = now + timedelta(seconds=chance.randint(0, 90))  # type: ignore[attr-defined]
        other.append(changed)
    for _ in range(chance.randint(0, 10)):  # type: ignore[attr-defined]
        queued = now + timedelta(seconds=chance.randint(0, 50))  # type: ignore[attr-defined]
        other.append({"caller_class": "gold", "queued_at": queued, "answered_at": queued, "abandoned_at": None})
    options = {"quantile": 0.5, "intervals": 3, "window": 8, "least": 2}
    told = ["call", "caller_class", "queued_at", "estimator", "estimate_seconds", "announced_seconds"]
    as_it_was = waits.announce(past, **options).select(told)  # type: ignore[arg-type]
    whole = calls.with_row_index("was").filter(pl.col("queued_at") <= now)["was"]
    of_all = waits.announce(calls, **options).filter(pl.col("call").is_in(whole.implode()))  # type: ignore[arg-type]
    otherwise = waits.announce(pl.DataFrame(other, schema=calls.schema), **options)  # type: ignore[arg-type]
    otherwise = otherwise.filter(pl.col("call") < past.height).select(told)
    assert_frame_equal(otherwise, as_it_was)
    assert_frame_equal(of_all.select(told[1:]), as_it_was.select(told[1:]))


def test_a_long_log_told_again_with_its_future_cut_off() -> None:
    calls = log(6000, seed=2, classes=("gold", "iron"))
    cut = calls["queued_at"].sort()[3500]
    known = calls.filter(pl.col("queued_at") <= cut).with_columns(
        pl.when(pl.col(name) < cut).then(pl.col(name)).alias(name) for name in ("answered_at", "abandoned_at")
    )
    told = ["caller_class", "queued_at", "estimator", "estimate_seconds", "announced_seconds"]
    then = waits.announce(known, quantile=0.9).select(told)
    now = waits.announce(calls, quantile=0.9).filter(pl.col("queued_at") <= cut).select(told)
    assert then["announced_seconds"].drop_nulls().len() > 5000
    assert_frame_equal(then.sort(told[:3]), now.sort(told[:3]))


def test_classes_do_not_touch_each_other() -> None:
    both = log(4000, seed=3, classes=("gold", "iron"))
    values = ["queued_at", "estimator", "estimate_seconds", "announced_seconds"]
    alone = waits.announce(both.filter(pl.col("caller_class") == "iron"), quantile=0.8).select(values)
    together = waits.announce(both, quantile=0.8).filter(pl.col("caller_class") == "iron").select(values)
    assert_frame_equal(alone, together)


def test_the_order_of_the_rows_does_not_matter() -> None:
    calls = log(3000, seed=4, classes=("gold", "iron"))
    assert calls.select("caller_class", "queued_at").is_unique().all()
    key = ["caller_class", "queued_at", "estimator"]
    straight = waits.announce(calls, quantile=0.8).drop("call").sort(key)
    assert_frame_equal(
        waits.announce(calls.sample(fraction=1, shuffle=True, seed=1), quantile=0.8).drop("call").sort(key), straight
    )


# --- calibration ----------------------------------------------------------------------------------------------------------


def coverage(found: pl.DataFrame, quantile: float) -> dict[str, float]:
    scores = waits.score(found, quantile=quantile)
    total = scores.group_by("estimator").agg((pl.col("coverage") * pl.col("n")).sum() / pl.col("n").sum())
    return dict(total.iter_rows())


@pytest.mark.parametrize("quantile", [0.5, 0.8, 0.95])
def test_the_announced_quantile_is_kept(quantile: float) -> None:
    """An overload all day, so that next to nobody is answered at once: coverage is the quantile, to a point and a half."""
    found = waits.announce(log(40_000, seed=6, load=4, even=True), quantile=quantile)
    waited = found["wait_seconds"].drop_nulls()
    assert waited.gt(0).sum() > 0.97 * len(waited)
    assert coverage(found, quantile) == pytest.approx(dict.fromkeys(waits.ESTIMATORS, quantile), abs=0.015)


@pytest.mark.parametrize("quantile", [0.8, 0.95])
def test_the_quantile_is_kept_when_the_load_changes_all_day(quantile: float) -> None:
    """At least the quantile less three points; more where many are answered at once, for no wait is kept by any announcement."""
    found = waits.announce(log(40_000, seed=6), quantile=quantile)
    assert all(quantile - 0.03 < share for share in coverage(found, quantile).values())


def test_a_sudden_change_is_seen_in_the_score() -> None:
    """Half the agents gone on the last day: the window still knows the days before, and the coverage of that day says so."""
    calm = log(20_000, seed=8, days=10, even=True, load=1.0)
    bad = log(2_000, seed=9, days=1, even=True, load=1.9).with_columns(
        pl.col("queued_at", "answered_at", "abandoned_at") + timedelta(days=10)
    )
    found = waits.announce(pl.concat([calm, bad]), quantile=0.9)
    first_hour = found.filter(
        pl.col("queued_at") >= START + timedelta(days=10), pl.col("queued_at") < START + timedelta(days=10, hours=1)
    )
    assert min(coverage(first_hour, 0.9).values()) < 0.85


def test_estimators_beat_a_constant() -> None:
    calls = log(40_000, seed=7)
    found = waits.announce(calls, quantile=0.8)
    every = waits.score(found, quantile=0.8)
    loss = {
        name: part.select((pl.col("pinball_loss_seconds") * pl.col("n")).sum() / pl.col("n").sum()).item()
        for (name,), part in every.group_by("estimator")
    }
    waited = found.filter(pl.col("estimator") == "head_of_line")["wait_seconds"].drop_nulls()
    best = waited.quantile(0.8)
    assert best is not None
    constant = float(np.where(waited > best, 0.8 * (waited - best), 0.2 * (best - waited)).mean())
    assert max(loss.values()) < constant, "even the best constant, known from hindsight, is worse"


@given(
    st.lists(st.integers(-50, 50), max_size=60),
    st.sampled_from([0.1, 0.5, 0.9, 0.95]),
    st.integers(1, 20),
    st.integers(1, 20),
)
def test_rolling_rank_is_the_rank(values: list[int], quantile: float, window: int, least: int) -> None:
    found = waits._rolling_rank(np.array(values, dtype=np.float64), quantile, window, least)
    for k in range(len(values)):
        last = sorted(values[max(0, k + 1 - window) : k + 1])
        rank = math.ceil(round((len(last) + 1) * quantile, 9))
        expected = last[rank - 1] if len(last) >= least and rank <= len(last) else math.nan
        assert found[k] == expected or (math.isnan(found[k]) and math.isnan(expected))


# --- scores ---------------------------------------------------------------------------------------------------------------

TOLD = {
    "caller_class": pl.String, "queued_at": INSTANT, "estimator": pl.String, "announced_seconds": pl.Float64,
    "wait_seconds": pl.Float64, "abandoned_after_seconds": pl.Float64,
}  # fmt: skip


def told(*rows: tuple[str, float, float | None, float | None, float | None]) -> pl.DataFrame:
    """(class, hours after 8, announced, waited, gave up after)."""
    return pl.DataFrame(
        [(name, START + timedelta(hours=hours), "as_announced", *rest) for name, hours, *rest in rows],
        schema=TOLD,
        orient="row",
    )


def test_scores_by_hand() -> None:
    found = waits.score(
        told(
            ("gold", 0.0, 60, 60, None),  # at the edge: kept
            ("gold", 0.1, 60, 20, None),
            ("gold", 0.2, 60, 100, None),
            ("gold", 0.3, 60, None, 60),  # has waited as long as told and was not answered: not kept
            ("gold", 0.4, 60, None, 59),  # nobody knows
            ("gold", 0.5, None, 30, None),
            ("gold", 0.6, 60, None, None),  # still in line
            ("gold", 1.5, 30, None, 5),
            ("iron", 24.5, 0, 0, None),
        ),
        quantile=0.9,
    )
    assert found.select("caller_class", "hour", "n", "abandoned", "unannounced").rows() == [
        ("gold", 8, 3, 2, 1),
        ("gold", 9, 0, 1, 0),
        ("iron", 8, 1, 0, 0),
    ]
    first = found.row(0, named=True)
    assert first["coverage"] == pytest.approx(2 / 3)
    assert (first["coverage_low"], first["coverage_high"]) == pytest.approx(intervals.wilson(2, 3))
    assert first["pinball_loss_seconds"] == pytest.approx((0 + 0.1 * 40 + 0.9 * 40) / 3)
    assert first["bias_seconds"] == pytest.approx((0 + 40 - 40) / 3)
    assert (first["coverage_at_least"], first["coverage_at_most"]) == pytest.approx((2 / 5, 3 / 5))
    second = found.row(1, named=True)
    assert [second[name] for name in ("coverage", "coverage_low", "pinball_loss_seconds", "bias_seconds")] == [None] * 4
    assert (second["coverage_at_least"], second["coverage_at_most"]) == (0, 1)


def test_hours_are_those_of_the_clock_of_the_frame() -> None:
    frame = told(("gold", 0, 60, 10, None), ("gold", 24, 60, 10, None))
    shanghai = frame.with_columns(pl.col("queued_at").dt.convert_time_zone("Asia/Shanghai"))
    assert waits.score(shanghai, quantile=0.9)["hour"].to_list() == [16]
    assert waits.score(frame, quantile=0.9, by="hour")["hour"].to_list() == [START, START + timedelta(days=1)]


def test_all_hours_together_are_the_hours_rolled_up() -> None:
    announced = waits.announce(log(3000, 5, classes=("gold", "iron")), quantile=0.9)
    whole, hours = (waits.score(announced, quantile=0.9, by=by) for by in ("all", "hour_of_day"))  # type: ignore[arg-type]
    assert whole.height == 6 and whole["hour"].null_count() == 6
    for row in whole.to_dicts():
        own = hours.filter(pl.col("estimator") == row["estimator"], pl.col("caller_class") == row["caller_class"])
        assert own.height > 5
        for name in ("n", "abandoned", "unannounced"):
            assert own[name].sum() == row[name]
        for name in ("coverage", "pinball_loss_seconds", "bias_seconds"):
            assert (own[name] * own["n"]).sum() / row["n"] == pytest.approx(row[name])


def test_the_best_estimator_is_judged_by_the_calls_to_which_all_announced() -> None:
    """Last to enter service lies worst on the one call that all three told of; on its own call it was exact."""
    rows = [
        (0, "queue_length", 10.0, 10.0), (0, "last_to_enter_service", 50.0, 10.0), (0, "head_of_line", 30.0, 10.0),
        (1, "queue_length", None, 99.0), (1, "last_to_enter_service", 99.0, 99.0), (1, "head_of_line", None, 99.0),
    ]  # fmt: skip
    frame = pl.DataFrame(
        {
            "call": [call for call, *_ in rows],
            "caller_class": ["gold"] * 6,
            "queued_at": [START] * 6,
            "estimator": [name for _, name, *_ in rows],
            "announced_seconds": [told for *_, told, _ in rows],
            "wait_seconds": [waited for *_, waited in rows],
            "abandoned_after_seconds": [None] * 6,
        }
    )
    assert waits.best_estimator(frame, quantile=0.5) == "queue_length"
    worse = frame.with_columns(
        pl.when(pl.col("estimator") == "queue_length")
        .then(1000.0)
        .otherwise("announced_seconds")
        .alias("announced_seconds")
    )
    assert waits.best_estimator(worse.filter(pl.col("call") == 0), quantile=0.5) == "head_of_line"
    assert waits.best_estimator(frame.filter(pl.col("call") == 1), quantile=0.5) is None


def test_what_the_exchange_announced_is_judged_alike() -> None:
    calls = calls_of([("gold", 0, 10, None), ("gold", 1, None, 4), ("gold", 2, 8, None)]).with_columns(
        pl.Series("announced_seconds", [10, 3, None])
    )
    found = waits.exchange_announcements(calls)
    assert found.select("announced_seconds", "wait_seconds", "abandoned_after_seconds").rows() == [
        (10, 10, None), (3, None, 4), (None, 8, None),
    ]  # fmt: skip
    (row,) = waits.score(found, quantile=0.9).to_dicts()
    assert (row["estimator"], row["n"], row["coverage"], row["abandoned"], row["unannounced"]) == (
        "exchange",
        1,
        1,
        1,
        1,
    )
    with pytest.raises(ValueError, match="announced_seconds: the frame has no such column"):
        waits.exchange_announcements(calls.drop("announced_seconds"))


@given(st.floats(0, 100), st.floats(0.05, 0.95))
def test_the_quantile_itself_has_the_least_pinball_loss(shift: float, quantile: float) -> None:
    waited = np.arange(1.0, 101.0)
    best = float(waited[math.ceil(100 * quantile - 1e-9) - 1])

    def loss(announced: float) -> float:
        frame = told(*(("gold", 0, announced, float(wait), None) for wait in waited))
        return float(waits.score(frame, quantile=quantile)["pinball_loss_seconds"][0])

    assert loss(best) <= loss(shift) + 1e-9


# --- fairness -------------------------------------------------------------------------------------------------------------


def kept(random: np.random.Generator, shares: dict[str, float], days: int = 30, a_day: int = 80) -> pl.DataFrame:
    rows = [
        (name, 24.0 * day, 60.0, 30.0 if random.random() < share else 90.0, None)
        for name, share in shares.items()
        for day in range(days)
        for _ in range(a_day)
    ]
    return told(*rows)


def test_fairness_by_hand() -> None:
    found = waits.fairness(
        told(("gold", 0, 9, 1, None), ("gold", 1, 9, 99, None), ("iron", 0, 9, 1, None), ("tin", 0, 9, None, 3)), seed=1
    ).row(0, named=True)
    assert (found["classes"], found["n"]) == (2, 3), "a class whose callers all gave up has no coverage"
    assert (found["lowest_class"], found["highest_class"], found["spread"]) == ("gold", "iron", 0.5)
    assert [found[name] for name in ("spread_low", "spread_high", "spread_by_chance")] == [None] * 3, "one day only"


def test_a_class_of_few_calls_is_not_compared() -> None:
    frame = told(*[("gold", 0, 9, 1, None)] * 3, *[("iron", 0, 9, 99, None)] * 3, ("tin", 0, 9, 1, None))
    few = waits.fairness(frame, seed=1, least_calls=3).row(0, named=True)
    assert (few["classes"], few["n"], few["spread"]) == (2, 6, 1.0)
    assert waits.fairness(frame, seed=1)["classes"].to_list() == [3]
    assert waits.fairness(frame, seed=1, least_calls=4).height == 0
    with pytest.raises(ValueError, match="least_calls: 0 is below 1"):
        waits.fairness(frame, seed=1, least_calls=0)


def test_one_class_has_no_spread() -> None:
    found = waits.fairness(told(("gold", 0, 9, 1, None)), seed=1).row(0, named=True)
    assert found["classes"] == 1
    assert found["spread"] is None


def test_unequal_treatment_stands_out_and_equal_treatment_does_not() -> None:
    random = np.random.default_rng(9)
    unfair = waits.fairness(kept(random, {"gold": 0.92, "iron": 0.9, "tin": 0.8}), seed=1).row(0, named=True)
    assert (unfair["lowest_class"], unfair["highest_class"]) == ("tin", "gold")
    assert unfair["spread_low"] < 0.12 < unfair["spread_high"]
    assert unfair["spread"] > unfair["spread_by_chance"]
    # With all alike, one spread in twenty lies above the 95th percentile; of 60, more than nine would be one in a thousand.
    above = 0
    for _ in range(60):
        fair = waits.fairness(kept(random, {"gold": 0.9, "iron": 0.9, "tin": 0.9}), seed=1, resamples=400)
        above += fair["spread"][0] > fair["spread_by_chance"][0]
    assert above <= 9


def test_the_interval_counts_days_not_calls() -> None:
    """Calls of a day that are all kept or all broken are one piece of evidence: ten times the calls narrow nothing."""
    random = np.random.default_rng(3)
    good = {name: random.random(30) < 0.7 for name in ("gold", "iron")}

    def width(a_day: int) -> float:
        rows = [
            (name, 24.0 * day, 60.0, 30.0 if good[name][day] else 90.0, None)
            for name in good
            for day in range(30)
            for _ in range(a_day)
        ]
        found = waits.fairness(told(*rows), seed=1).row(0, named=True)
        return float(found["spread_high"] - found["spread_low"])

    assert width(20) == pytest.approx(width(2))


def test_fairness_is_repeatable() -> None:
    frame = kept(np.random.default_rng(4), {"gold": 0.9, "iron": 0.85})
    assert_frame_equal(
        waits.fairness(frame, seed=5), waits.fairness(frame.sample(fraction=1, shuffle=True, seed=2), seed=5)
    )


# --- edges ----------------------------------------------------------------------------------------------------------------


def test_an_empty_log() -> None:
    empty = waits.announce(calls_of([]), quantile=0.9)
    assert empty.schema == waits.announce(log(200, seed=1), quantile=0.9).schema
    assert waits.score(empty, quantile=0.9).height == waits.fairness(empty, seed=1).height == 0


def test_nobody_ever_gave_up() -> None:
    calls = log(400, seed=1).filter(pl.col("abandoned_at").is_null())
    assert_frame_equal(
        waits.announce(calls.with_columns(abandoned_at=None), quantile=0.9), waits.announce(calls, quantile=0.9)
    )


def test_a_hundred_thousand_calls_take_seconds() -> None:
    calls = log(100_000, seed=11, classes=("gold", "iron", "tin", "none"))
    begun = time.perf_counter()
    found = waits.announce(calls, quantile=0.9)
    waits.score(found, quantile=0.9)
    waits.fairness(found, seed=1)
    assert found.height == 3 * calls.height
    assert time.perf_counter() - begun < 15  # about one second on an idle machine


@pytest.mark.parametrize("name", ["caller_class", "queued_at", "answered_at", "abandoned_at"])
def test_a_missing_column_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}: the frame has no such column"):
        waits.announce(log(40, seed=1).drop(name), quantile=0.9)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("gold", 100, -1, None), "answered_at: .*08:01:39.* is before queued_at .*08:01:40"),
        (("gold", 100, None, -5), "abandoned_at: .*08:01:35.* is before queued_at"),
        (("gold", 100, 5, 6), "abandoned_at: .*08:01:46.* of a call that was answered at .*08:01:45"),
        ((None, 100, 5, None), "caller_class: null in row 1"),
    ],
)
def test_wrong_calls_are_refused_by_name_and_value(row: Row, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        waits.announce(calls_of([("gold", 0, 5, None), row]), quantile=0.9)


def test_clocks_are_not_mixed() -> None:
    calls = log(40, seed=1)
    with pytest.raises(ValueError, match="answered_at: time zone None is not that of queued_at, UTC"):
        waits.announce(calls.with_columns(pl.col("answered_at").dt.replace_time_zone(None)), quantile=0.9)
    with pytest.raises(ValueError, match="queued_at: String is not an instant"):
        waits.announce(calls.with_columns(pl.col("queued_at").cast(pl.String)), quantile=0.9)
    with pytest.raises(ValueError, match="queued_at: null in row 0"):
        waits.announce(calls.with_columns(queued_at=pl.lit(None, dtype=INSTANT)), quantile=0.9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"quantile": 90}, "quantile: 90 is not between 0 and 1"),
        ({"quantile": math.nan}, "quantile: nan is not"),
        ({"window": 0}, "window: 0 is below 1"),
        ({"least": 0}, "least: 0 is below 1"),
        ({"intervals": -1}, "intervals: -1 is below 1"),
    ],
)
def test_wrong_parameters_are_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        waits.announce(log(40, seed=1), **{"quantile": 0.9, **change})  # type: ignore[arg-type]


def test_wrong_questions_of_the_score_are_refused() -> None:
    with pytest.raises(ValueError, match="by: 'week' is none of"):
        waits.score(told(), quantile=0.9, by="week")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="quantile: 1 is not"):
        waits.score(told(), quantile=1.0)
    with pytest.raises(ValueError, match="announced_seconds: the frame has no such column"):
        waits.fairness(told().drop("announced_seconds"), seed=1)
    with pytest.raises(ValueError, match="caller_class: null in row 0"):
        waits.score(told((None, 0, 1, 1, None)), quantile=0.9)  # type: ignore[arg-type]
