"""Control charts against published limits, rules against a slow reading of their wording, and the judge against simulated companies."""

from __future__ import annotations

import itertools
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from scipy import stats

from orchestration.modelling import control
from orchestration.modelling.control import (
    NELSON,
    POINT_SCHEMA,
    WESTERN_ELECTRIC,
    Budget,
    Rule,
    broken_rules,
    judge,
    judge_all,
    judge_rare,
)

# D. C. Montgomery, *Introduction to Statistical Quality Control*, 6th ed. 2009.
ORANGE_JUICE = [
    12,
    15,
    8,
    10,
    4,
    7,
    16,
    9,
    14,
    10,
    5,
    6,
    17,
    12,
    22,
    8,
    10,
    5,
    13,
    11,
    20,
    18,
    24,
    15,
    9,
    12,
    7,
    13,
    9,
    6,
]
"""Table 7.1: cans that leak, 50 a sample."""
CIRCUIT_BOARDS = [21, 24, 16, 12, 15, 5, 28, 20, 31, 25, 20, 24, 16, 19, 10, 17, 13, 22, 18, 39, 30, 24, 16, 19, 17, 15]
"""Table 7.7: nonconformities in 100 boards."""
SHIPPING_ERRORS = [10, 12, 8, 14, 10, 16, 11, 7, 10, 15, 9, 5, 7, 11, 12, 6, 8, 10, 7, 5]
"""Counts of 20 samples of 5 units each; 193 in all."""
VISCOSITY = [33.75, 33.05, 34.00, 33.81, 33.46, 34.02, 33.68, 33.27, 33.49, 33.20, 33.62, 33.00, 33.54, 33.12, 33.84]
"""Table 6.6: primer paint, one batch a point."""


# --- published limits -------------------------------------------------------------------------------------------------------


def test_p_chart_of_the_orange_juice_cans() -> None:
    limits = control.p_limits(ORANGE_JUICE, 50)
    assert limits.centre[0] == pytest.approx(347 / 1500)
    assert (round(limits.lower[0], 4), round(limits.upper[0], 4)) == (0.0524, 0.4102)
    assert [at + 1 for at in np.flatnonzero(limits.value > limits.upper)] == [15, 23]
    kept = [x for at, x in enumerate(ORANGE_JUICE) if at + 1 not in (15, 23)]
    again = control.p_limits(kept, 50)
    assert (round(again.lower[0], 4), round(again.upper[0], 4)) == (0.0407, 0.3893)


def test_c_chart_of_the_circuit_boards() -> None:
    limits = control.c_limits(CIRCUIT_BOARDS)
    assert [round(float(part[0]), 2) for part in (limits.centre, limits.lower, limits.upper)] == [19.85, 6.48, 33.21]
    outside = (limits.value > limits.upper) | (limits.value < limits.lower)
    assert [at + 1 for at in np.flatnonzero(outside)] == [6, 20]


def test_u_chart_of_samples_of_five() -> None:
    limits = control.u_limits(SHIPPING_ERRORS, 5)
    assert [round(float(part[0]), 2) for part in (limits.centre, limits.lower, limits.upper)] == [1.93, 0.07, 3.79]


def test_xmr_chart_of_the_viscosity() -> None:
    individuals, ranges = control.xmr_limits(VISCOSITY)
    assert [round(float(part[0]), 2) for part in (individuals.centre, individuals.lower, individuals.upper)] == [
        33.52,
        32.24,
        34.80,
    ]
    assert (round(float(ranges.centre[0]), 2), round(float(ranges.upper[0]), 2)) == (0.48, 1.57)
    assert np.isnan(ranges.value[0]) and ranges.value[1] == pytest.approx(0.70)


def test_g_chart_by_hand() -> None:
    limits = control.g_limits([4, 8, 6, 2])
    assert limits.centre[0] == 5 and limits.upper[0] == pytest.approx(5 + 3 * 30**0.5) and limits.lower[0] == 0


def test_laney_by_hand() -> None:
    events, base = np.array([20.0, 30.0, 10.0, 20.0]), np.array([100.0, 100.0, 100.0, 100.0])
    plain, laney = control.p_limits(events, base), control.laney_p_limits(events, base)
    spread = (2.5 + 5 + 2.5) / 3 / 1.128  # sigma is 0.04: z = 0, 2.5, -2.5, 0
    assert laney.sigma == pytest.approx(plain.sigma * spread)
    assert laney.upper[0] == pytest.approx(0.2 + 3 * 0.04 * spread) and laney.lower[0] == 0
    of_rates = control.laney_u_limits(events, base)
    assert of_rates.sigma[0] == pytest.approx(
        (0.2 / 100) ** 0.5 * np.abs(np.diff(control.u_limits(events, base).z)).mean() / 1.128
    )


def test_a_point_without_a_base_has_no_limits_and_moves_none() -> None:
    whole, holed = control.p_limits([5, 7], [50, 60]), control.p_limits([5, 0, 7], [50, 0, 60])
    assert holed.centre[0] == whole.centre[0] and np.isnan(holed.value[1]) and np.isnan(holed.upper[1])
    with pytest.raises(ValueError, match="more than their base"):
        control.p_limits([3], [2])
    with pytest.raises(ValueError, match="below 0"):
        control.u_limits([-1], [2])


# --- rules ------------------------------------------------------------------------------------------------------------------


def rules_by_hand(z: list[float]) -> list[set[str]]:
    """Nelson's eight rules read point by point from the list of those before it."""
    found: list[set[str]] = []
    seen: list[float] = []
    for value in z:
        broken: set[str] = set()
        if np.isnan(value):
            found.append(broken)
            continue
        seen.append(value)
        for sign in (1, -1):
            s = [sign * x for x in seen]
            rise = [b - a for a, b in zip(s[-6:], s[-5:], strict=False)]
            broken |= {"1"} if s[-1] > 3 else set()
            broken |= {"2"} if len(s) >= 9 and min(s[-9:]) > 0 else set()
            broken |= {"3"} if len(s) >= 6 and min(rise[-5:]) > 0 else set()
            broken |= {"5"} if s[-1] > 2 and sum(x > 2 for x in s[-3:]) >= 2 else set()
            broken |= {"6"} if s[-1] > 1 and sum(x > 1 for x in s[-5:]) >= 4 else set()
        steps = [b - a for a, b in itertools.pairwise(seen)][-13:]
        if len(seen) >= 14 and all(a * b < 0 for a, b in itertools.pairwise(steps)):
            broken.add("4")
        if len(seen) >= 15 and max(abs(x) for x in seen[-15:]) < 1:
            broken.add("7")
        if len(seen) >= 8 and min(abs(x) for x in seen[-8:]) > 1:
            broken.add("8")
        found.append(broken)
    return found


values = st.one_of(st.sampled_from([0.0, 1.0, -1.0, 2.0, 3.0, -3.0, float("nan")]), st.floats(-3.5, 3.5))


@given(st.lists(values, min_size=1, max_size=60), st.sampled_from([1.0, 0.25, -1.0]))
@settings(max_examples=200, deadline=None)
def test_rules_are_those_of_their_wording(z: list[float], scale: float) -> None:
    z = [value * scale for value in z]
    found = broken_rules(np.array(z))
    assert [
        {rule.name for rule, flags in zip(NELSON, found, strict=True) if flags[at]} for at in range(len(z))
    ] == rules_by_hand(z)


@pytest.mark.parametrize(
    ("rule", "z", "first"),
    [
        ("1", [0.5, 3.0, 3.01], 2),
        ("2", [0.1] * 8 + [0.0] + [0.1] * 9, 17),  # a point on the line breaks a run
        ("2", [0.1] * 5 + [float("nan")] * 3 + [0.1] * 4, 11),  # what is not judged is stepped over
        ("3", [0, 1, 2, 3, 4, 5], 5),
        ("3", [0, 1, 2, 3, 3, 4, 5], None),  # a repeated value is no rise
        ("4", [1, 0] * 7, 13),
        ("5", [2.5, 0, -2.5, 2.5], None),  # the same side counts
        ("5", [2.5, 0, 2.5], 2),
        ("6", [1.5, 1.5, 0, 1.5, 1.5], 4),
        ("7", [0.5, -0.5] * 7 + [0.5], 14),
        ("7", [0.5, -0.5] * 7 + [1.0], None),  # on the line is not within it
        ("8", [1.5, -1.5] * 4, 7),
    ],
)
def test_rules_at_their_edges(rule: str, z: list[float], first: int | None) -> None:
    found = broken_rules(np.array(z, dtype=float))[[one.name for one in NELSON].index(rule)]
    assert (int(np.argmax(found)) if found.any() else None) == first


def test_how_often_chance_breaks_each_rule() -> None:
    rng = np.random.default_rng(11)
    z = rng.standard_normal((400, 5000))
    found = broken_rules(z)[..., 20:].mean(axis=(1, 2))
    assert found == pytest.approx([rule.chance for rule in NELSON], rel=0.06)
    assert sum(control.expected_false_alarms(1000, NELSON[:1]).values()) == pytest.approx(2.6998, abs=1e-4)


def test_run_lengths_of_champ_and_woodall() -> None:
    """Average run lengths in control, *Technometrics* 1987, table 1: 370.40 with rule 1, 91.75 with all four of Western Electric."""
    rng = np.random.default_rng(12)
    z = rng.standard_normal((6000, 1200))
    any_rule = np.logical_or.reduce(broken_rules(z, WESTERN_ELECTRIC))
    lengths = np.where(any_rule.any(axis=1), any_rule.argmax(axis=1) + 1, 1200)
    assert lengths.mean() == pytest.approx(91.75, abs=4 * 91.75 / 6000**0.5)
    assert 1 / NELSON[0].chance == pytest.approx(370.40, abs=0.01)
    assert Rule("run of 8", 8, 8, 2 * 0.5**8) == WESTERN_ELECTRIC[3]


# --- the judge --------------------------------------------------------------------------------------------------------------

MONDAY = date(2025, 9, 1)


def panel(
    events: np.ndarray, base: np.ndarray | float, kind: str = "p", *, minimum: float = 1, final: int = 0, prefix: str = "c",
    pattern_of: str | None = None,
) -> pl.DataFrame:  # fmt: skip
    """Charts x days as the frame that `judge` reads, from a Monday on. `final`: last days that are not."""
    x = np.atleast_2d(events).astype(float)
    n = np.broadcast_to(np.asarray(base, dtype=float), x.shape)
    charts, days = x.shape
    when = [MONDAY + timedelta(day) for day in range(days)]
    return pl.DataFrame(
        {
            "chart_id": np.repeat([f"{prefix}{chart:04d}" for chart in range(charts)], days), "day": when * charts,
            "day_class": [day.isoweekday() for day in when] * charts, "numerator": x.ravel(), "denominator": n.ravel(),
            "is_final": [at < days - final for at in range(days)] * charts,
        }
    ).with_columns(chart_kind=pl.lit(kind), pattern_of=pl.lit(pattern_of, dtype=pl.Utf8), minimum_base=pl.lit(float(minimum)))  # fmt: skip


def new_signals(found: pl.DataFrame) -> int:
    """Days that are signals alone, and runs that become one."""
    judged = found.filter("is_judged")
    runs = judged.filter(pl.col("is_run_signal") & ~pl.col("is_run_signal").shift(1).over("chart_id").fill_null(False))
    return int(judged["is_point_signal"].sum()) + runs.height


WEEK = np.array([1, 1.1, 1, 1.2, 1.3, 0.6, 0.5])


def in_control(kind: str, rng: np.random.Generator, charts: int, days: int) -> pl.DataFrame:
    """A company in which nothing ever happens."""
    week = WEEK[np.arange(days) % 7]
    if kind == "p":
        n = rng.poisson(25 * week, (charts, days))
        return panel(rng.binomial(n, np.clip(0.3 * week, 0, 1)), n, "p")
    if kind == "small p":
        n = rng.poisson(20, (charts, days))
        return panel(rng.binomial(n, 0.92), n, "laney_p", minimum=10)
    if kind == "laney_p":
        n = rng.poisson(1000, (charts, days)) + 1
        return panel(rng.binomial(n, rng.beta(0.2 * 99, 0.8 * 99, (charts, days))), n, "laney_p")
    if kind == "u":
        n = rng.integers(5, 30, (charts, days))
        return panel(rng.poisson(0.4 * n), n, "u")
    if kind == "laney_u":
        return panel(rng.poisson(60 * week * rng.gamma(50, 1 / 50, (charts, days))), 1, "laney_u")
    if kind == "c":
        return panel(rng.poisson(3, (charts, days)), 1, "c")
    return panel(rng.normal(100, 10, (charts, days)), 1, "xmr")


KINDS = ("p", "small p", "laney_p", "u", "laney_u", "c", "xmr")


@pytest.mark.slow
def test_false_alarms_stay_within_the_budget() -> None:
    """200 charts of each kind over 15 months, each kind with a budget of 4 a month: as many alarms as stated, or fewer."""
    rng = np.random.default_rng(7)
    alarms, stated = {}, {}
    for kind in KINDS:
        found = judge(in_control(kind, rng, 200, 456), Budget(false_alarms_a_month=4))
        alarms[kind], stated[kind] = new_signals(found), float(found["expected_false_alarms"].sum())
    assert sum(stated.values()) == pytest.approx(len(KINDS) * 4 * 372 / control.DAYS_A_MONTH, rel=0.02)
    assert sum(alarms.values()) <= sum(stated.values())
    for kind in KINDS:
        assert alarms[kind] <= stats.poisson.ppf(0.999, stated[kind]), alarms


def test_a_shift_is_found_on_its_first_day() -> None:
    rng = np.random.default_rng(3)
    n = rng.poisson(60, (20, 200))
    rate = np.where(np.arange(200) >= 150, 0.5, 0.2) * np.ones((20, 1))
    found = judge(panel(rng.binomial(n, rate), n, "laney_p"))
    first = found.filter(pl.col("is_point_signal")).group_by("chart_id").agg(pl.col("day").min())
    late = first.filter(pl.col("day") > MONDAY + timedelta(151))
    assert first.height == 20 and late.height <= 1 and (first["day"] >= MONDAY + timedelta(150)).sum() >= 19


def test_a_small_shift_for_long_is_found_by_its_run() -> None:
    rng = np.random.default_rng(4)
    n = np.full((20, 260), 400)
    rate = np.where(np.arange(260) >= 120, 0.225, 0.2) * np.ones((20, 1))
    found = judge(panel(rng.binomial(n, rate), n, "p")).filter(pl.col("day") >= MONDAY + timedelta(120))
    assert found.filter("is_run_signal")["chart_id"].n_unique() >= 15
    assert found.filter("is_run_signal")["side"].unique().to_list() == [1]


def test_a_point_on_the_centre_breaks_a_run() -> None:
    """Half of 10 each day of the baseline; then above the centre for as long as it takes, with and without one day on it."""
    base = [5.0, 4.0, 6.0, 5.0, 6.0, 4.0, 5.0] * 12
    above = np.array([base + [6.0] * 30, base + [6.0] * 6 + [5.0] + [6.0] * 23])
    found = judge(panel(above, 10, "p"), Budget(run_share=0.9))
    first = found.filter("is_run_signal").group_by("chart_id").agg(pl.col("day").min()).sort("chart_id")["day"]
    assert (first[1] - first[0]).days == 7


@pytest.mark.parametrize("kind", KINDS)
def test_a_day_more_changes_no_history(kind: str) -> None:
    rng = np.random.default_rng(5)
    points = in_control(kind, rng, 6, 130)
    whole = judge(points).drop("as_of")
    for days in (40, 84, 85, 129):
        until = MONDAY + timedelta(days)
        part = judge(points.filter(pl.col("day") < until)).drop("as_of")
        then = whole.filter(pl.col("day") < until)
        if days < 84:  # no baseline yet: nothing is judged, then or now
            assert not part["is_judged"].any() and not then["is_judged"].any()
        else:
            assert part.equals(then)


def test_a_chart_that_comes_later_changes_only_what_follows() -> None:
    rng = np.random.default_rng(6)
    n = rng.poisson(50, (8, 300))
    early, late = panel(rng.binomial(n, 0.3), n), panel(rng.binomial(n, 0.3), n, prefix="late")
    late = late.filter(pl.col("day") >= MONDAY + timedelta(100))
    alone, together = judge(early), judge(pl.concat([early, late]))
    together = together.filter(pl.col("chart_id").str.starts_with("c"))
    joins = MONDAY + timedelta(105 + 84)  # the first Monday on or after day 100, and 12 weeks
    before = pl.col("day") < joins
    assert alone.filter(before).equals(together.filter(before))
    after = together.filter(~before & pl.col("is_judged")), alone.filter(~before & pl.col("is_judged"))
    assert after[0]["signal_chance"][0] == pytest.approx(after[1]["signal_chance"][0] / 2, rel=0.01)


@given(st.randoms(use_true_random=False))
@settings(max_examples=5, deadline=None)
def test_the_order_of_rows_means_nothing(random: object) -> None:
    rng = np.random.default_rng(8)
    points = in_control("laney_p", rng, 4, 120)
    order = list(range(points.height))
    random.shuffle(order)  # type: ignore[attr-defined]
    assert judge(points[order]).equals(judge(points))


@pytest.mark.parametrize("kind", KINDS)
def test_a_signal_is_a_point_outside_its_limits(kind: str) -> None:
    rng = np.random.default_rng(9)
    points = in_control(kind, rng, 12, 260)
    wild = points.with_columns(
        numerator=pl.when(pl.col("day").dt.ordinal_day() % 9 == 0)
        .then(pl.col("numerator") * 1.6)
        .otherwise(pl.col("numerator"))
        .round()
    ).with_columns(
        numerator=pl.when(pl.col("chart_kind").is_in(["p", "laney_p"]))
        .then(pl.min_horizontal("numerator", "denominator"))
        .otherwise(pl.col("numerator"))
    )
    found = judge(wild).filter("is_judged")
    outside = (pl.col("value") >= pl.col("upper") * (1 + 1e-6)) | (pl.col("value") <= pl.col("lower") * (1 - 1e-6))
    inside = (pl.col("value") < pl.col("upper") * (1 - 1e-6)) & (pl.col("value") > pl.col("lower") * (1 + 1e-6))
    assert (
        found.filter(outside & ~pl.col("is_point_signal") & (pl.col("value") < 1) & (pl.col("value") > 0)).height == 0
    )
    assert found.filter(inside & pl.col("is_point_signal")).height == 0
    assert (found["lower"] <= found["centre"]).all() and (found["centre"] <= found["upper"]).all()


def test_tails_are_those_of_the_counts() -> None:
    n, x = np.arange(5, 400, 7, dtype=float), np.floor(np.arange(5, 400, 7) * 0.4)
    share, rate = np.ones(len(n), dtype=bool), np.full(len(n), 0.3)
    assert control._upper_chance(share, x, n, rate) == pytest.approx(stats.binom.sf(x - 1, n, 0.3))
    assert control._lower_chance(share, x, n, rate) == pytest.approx(stats.binom.cdf(x, n, 0.3))
    assert control._upper_chance(~share, x, n, rate) == pytest.approx(stats.poisson.sf(x - 1, n * 0.3))
    assert control._lower_chance(~share, x, n, rate) == pytest.approx(stats.poisson.cdf(x, n * 0.3))


def test_weekdays_and_days_off_have_centres_of_their_own() -> None:
    rng = np.random.default_rng(10)
    week = WEEK[np.arange(300) % 7]
    n = np.full((3, 300), 4000)
    points = panel(rng.binomial(n, np.clip(0.3 * week, 0, 1)), n, "p")
    found = judge(points).filter("is_judged")
    by_day = found.group_by(pl.col("day").dt.weekday()).agg(pl.col("centre").mean()).sort("day")["centre"].to_numpy()
    assert by_day == pytest.approx(0.3 * WEEK, rel=0.02)
    # Days off, half as many events as on a weekday: once they are in the baseline, a later one is no surprise.
    off = [MONDAY + timedelta(day) for day in (10, 24, 38, 52, 66, 120)]
    quiet = rng.binomial(n, 0.3)
    for day in off:
        quiet[:, (day - MONDAY).days] //= 2
    marked = panel(quiet, n, "p").with_columns(
        day_class=pl.when(pl.col("day").is_in(off)).then(8).otherwise(pl.col("day_class"))
    )
    last = pl.col("day") == off[-1]
    assert not judge(marked).filter(last)["is_point_signal"].any()
    assert judge(panel(quiet, n, "p")).filter(last)["is_point_signal"].all()


def test_a_small_chart_borrows_the_pattern_of_the_whole() -> None:
    """A whole with a strong week, and a part of 15 cases a day: the part's own 12 weeks say little, so it takes the week of the whole."""
    rng = np.random.default_rng(13)
    week = WEEK[np.arange(200) % 7]
    whole = panel(rng.binomial(5000, 0.3 * week, (1, 200)), 5000, "p", prefix="whole", pattern_of="whole0000")
    alike = panel(rng.binomial(15, 0.3 * week, (1, 200)), 15, "p", prefix="part", pattern_of="whole0000")
    found = judge(pl.concat([whole, alike])).filter(pl.col("chart_id") == "part0000", "is_judged")
    alone = judge(alike.with_columns(pattern_of=pl.lit(None, dtype=pl.Utf8))).filter("is_judged")

    def error(frame: pl.DataFrame) -> float:
        by_day = (
            frame.group_by(pl.col("day").dt.weekday()).agg(pl.col("centre").mean()).sort("day")["centre"].to_numpy()
        )
        return float(np.abs(by_day / by_day.mean() - WEEK / WEEK.mean()).mean())

    assert error(found) < error(alone) and error(found) < 0.1


def test_the_reason_why_a_day_is_not_judged() -> None:
    n = np.full((1, 120), 30.0)
    n[0, 100], n[0, 101] = 3, 0
    points = panel(np.minimum(np.floor(n * 0.3) + (np.arange(120) % 3), n), n, "p", minimum=10, final=2)
    found = judge(points)
    assert found["not_judged_reason"].to_list()[:84] == ["in_baseline"] * 84
    assert [found["not_judged_reason"][at] for at in (84, 100, 101, 117, 118, 119)] == [
        None, "small_base", "no_base", None, "not_final", "not_final",
    ]  # fmt: skip
    assert (
        not judge(points.head(80))["is_judged"].any()
        and judge(points.head(80))["not_judged_reason"][0] == "no_baseline"
    )
    assert set(judge(points, Budget(baseline_weeks=17))["not_judged_reason"].drop_nulls()) == {
        "no_baseline", "small_base", "no_base", "not_final",
    }  # fmt: skip


def test_a_special_cause_in_the_baseline_is_left_out_of_it() -> None:
    rng = np.random.default_rng(14)
    n = np.full((1, 150), 200)
    x = rng.binomial(n, 0.2)
    spoilt = x.copy()
    spoilt[0, 30:33] = 150
    clean, dirty = judge(panel(x, n, "laney_p")), judge(panel(spoilt, n, "laney_p"))
    last = pl.col("day") == MONDAY + timedelta(149)
    assert dirty.filter(last)["centre"][0] == pytest.approx(clean.filter(last)["centre"][0], abs=0.005)
    assert dirty.filter(last)["upper"][0] == pytest.approx(clean.filter(last)["upper"][0], abs=0.02)


def test_nothing_in_gives_the_same_columns_out() -> None:
    empty = judge(pl.DataFrame(schema={name: pl.Utf8 for name in control.NEEDED}))
    full = judge(in_control("p", np.random.default_rng(0), 1, 90))
    assert empty.schema == full.schema == pl.Schema(control.POINT_SCHEMA)


def test_no_chart_is_looser_than_three_sigma_however_few_there_are() -> None:
    found = judge(in_control("p", np.random.default_rng(0), 1, 120), Budget(false_alarms_a_month=1000)).filter(
        "is_judged"
    )
    assert found["signal_chance"].max() == pytest.approx(2 * stats.norm.sf(3))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"chart_kind": pl.lit("z")}, "none of"),
        ({"day": pl.lit(MONDAY)}, "a day twice"),
        ({"numerator": pl.lit(-1.0)}, "below 0"),
        ({"numerator": pl.lit(1e6)}, "more events than its base"),
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, pl.Expr], words: str) -> None:
    points = in_control("p", np.random.default_rng(0), 1, 90)
    with pytest.raises(ValueError, match=words):
        judge(points.with_columns(**change))
    with pytest.raises(ValueError, match="no column day_class"):
        judge(points.drop("day_class"))


@pytest.mark.parametrize("wrong", [{"baseline_weeks": 0}, {"false_alarms_a_month": 0}, {"run_share": 1}, {"trim": 0}])
def test_a_budget_that_cannot_be_kept_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError):
        Budget(**wrong)  # type: ignore[arg-type]


# --- rare events ---


def rare(events: np.ndarray, base: np.ndarray, chart: str = "fatal") -> pl.DataFrame:
    days = [date(2026, 1, 1) + timedelta(at) for at in range(len(events))]
    return pl.DataFrame(
        {
            "chart_id": chart, "chart_kind": "g", "pattern_of": chart, "day": days, "day_class": [day.isoweekday() for day in days],
            "numerator": events, "denominator": base, "minimum_base": 1, "is_final": True,
        }
    )  # fmt: skip


def test_a_rare_event_by_hand() -> None:
    """One review a day: twelve baseline events 30 days apart, the last on day 360; then three on days 361, 362 and 363."""
    events = np.zeros(380, dtype=int)
    events[[30 * at - 1 for at in range(1, 13)]] = 1
    events[[360, 361, 362]] = 1
    found = judge_rare(rare(events, np.ones(380, dtype=int)), Budget(rare_baseline=12, rare_events=3, rare_share=0.1))
    assert dict(found.schema) == POINT_SCHEMA
    row = found.row(362, named=True)
    # Three events within three reviews after twelve within 359.5: (3 / 3) / (359.5 / 12) ~ F(6, 24).
    assert row["value"] == pytest.approx(1.0) and row["centre"] == pytest.approx(12 / 359.5)
    assert row["tail_chance"] == pytest.approx(2 * stats.f.cdf((3 / 3) / (359.5 / 12), 6, 24))
    assert row["is_point_signal"] and row["side"] == 1 and row["upper"] < row["value"]
    reasons = found["not_judged_reason"].to_list()
    assert reasons[360:364] == ["in_baseline", "in_baseline", None, "no_event"]
    assert found.filter("is_judged").height == 1 and found["is_baseline"].sum() == 360


def test_the_limits_of_rare_events_are_where_signals_begin() -> None:
    rng = np.random.default_rng(5)
    found = judge_rare(rare(rng.binomial(8, 0.02, 4000), np.full(4000, 8))).filter("is_judged")
    outside = (found["value"] > found["upper"]) | (found["value"] < found["lower"])
    assert outside.to_list() == found["is_point_signal"].to_list() and found.height > 300


def test_rare_events_in_control_keep_to_what_they_state() -> None:
    """300 charts over 15 months: the share of events that are signals is not above the stated chance (windows overlap, so a cluster may count thrice)."""
    rng = np.random.default_rng(6)
    budget = Budget(false_alarms_a_month=30.0, rare_share=0.99)
    charts = [rare(rng.binomial(8, 0.02, 456), np.full(456, 8), f"chart{at:03}") for at in range(300)]
    found = judge_rare(pl.concat(charts), budget)
    expected = float(found["expected_false_alarms"].sum())
    assert expected > 15
    signals = int(found["is_point_signal"].sum())
    assert signals < expected + 3 * (3 * expected) ** 0.5
    assert signals > 0.3 * expected


def test_a_cluster_of_rare_events_is_found() -> None:
    rng = np.random.default_rng(7)
    events = rng.binomial(8, 0.015, 456)
    events[400:403] = 2
    found = judge_rare(rare(events, np.full(456, 8)))
    assert found.filter(
        "is_point_signal", pl.col("side") > 0, pl.col("day") <= date(2026, 1, 1) + timedelta(405)
    ).height


def test_rare_events_of_a_day_more_change_no_history() -> None:
    rng = np.random.default_rng(8)
    whole = rare(rng.binomial(8, 0.03, 400), np.full(400, 8))
    now = judge_rare(whole)
    before = judge_rare(whole.head(380))
    assert_frame_equal(before.drop("as_of"), now.head(380).drop("as_of"))


def test_rare_and_daily_charts_share_one_budget() -> None:
    rng = np.random.default_rng(9)
    daily = in_control("laney_p", rng, 5, 200)
    events = rare(rng.binomial(8, 0.05, 400), np.full(400, 8)).cast(
        {"numerator": pl.Float64, "denominator": pl.Float64}
    )
    both = judge_all(pl.concat([daily, events.select(daily.columns)], how="vertical_relaxed"), Budget())
    assert set(both["chart_id"]) == set(daily["chart_id"]) | {"fatal"}
    assert_frame_equal(judge_all(daily, Budget()), judge(daily, Budget()))
    tightened = judge(daily, Budget(false_alarms_a_month=0.9))
    assert_frame_equal(both.filter(pl.col("chart_id") != "fatal").drop("as_of"), tightened.drop("as_of"))


def test_what_rare_events_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="more events than its base"):
        judge_rare(rare(np.array([2]), np.array([1])))
    with pytest.raises(ValueError, match="twice"):
        judge_rare(pl.concat([rare(np.array([0]), np.array([1]))] * 2))
    with pytest.raises(ValueError, match="rare_events 0"):
        Budget(rare_events=0)
    assert judge_rare(rare(np.array([], dtype=int), np.array([], dtype=int)).clear()).is_empty()
