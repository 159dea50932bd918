"""Drivers: against published numbers, against all orders by brute force, and at every edge by its rule."""

from __future__ import annotations

import itertools
import math
import time
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from scipy.stats import t as student

from orchestration.modelling import drivers
from orchestration.modelling.drivers import explained_by_subset, fit_drivers, lmg_shares, satisfaction_drivers

# Swiss fertility and socio-economic indicators of 47 French-speaking provinces about 1888 (F. Mosteller and J. W. Tukey, *Data Analysis
# and Regression*, 1977, p. 550; R's `swiss`): fertility, agriculture, examination, education, catholic, infant mortality.
SWISS = """80.2 17.0 15 12 9.96 22.2|83.1 45.1 6 9 84.84 22.2|92.5 39.7 5 5 93.40 20.2|85.8 36.5 12 7 33.77 20.3|76.9 43.5 17 15 5.16 20.6
76.1 35.3 9 7 90.57 26.6|83.8 70.2 16 7 92.85 23.6|92.4 67.8 14 8 97.16 24.9|82.4 53.3 12 7 97.67 21.0|82.9 45.2 16 13 91.38 24.4
87.1 64.5 14 6 98.61 24.5|64.1 62.0 21 12 8.52 16.5|66.9 67.5 14 7 2.27 19.1|68.9 60.7 19 12 4.43 22.7|61.7 69.3 22 5 2.82 18.7
68.3 72.6 18 2 24.20 21.2|71.7 34.0 17 8 3.30 20.0|55.7 19.4 26 28 12.11 20.2|54.3 15.2 31 20 2.15 10.8|65.1 73.0 19 9 2.84 20.0
65.5 59.8 22 10 5.23 18.0|65.0 55.1 14 3 4.52 22.4|56.6 50.9 22 12 15.14 16.7|57.4 54.1 20 6 4.20 15.3|72.5 71.2 12 1 2.40 21.0
74.2 58.1 14 8 5.23 23.8|72.0 63.5 6 3 2.56 18.0|60.5 60.8 16 10 7.72 16.3|58.3 26.8 25 19 18.46 20.9|65.4 49.5 15 8 6.10 22.5
75.5 85.9 3 2 99.71 15.1|69.3 84.9 7 6 99.68 19.8|77.3 89.7 5 2 100.00 18.3|70.5 78.2 12 6 98.96 19.4|79.4 64.9 7 3 98.22 20.2
65.0 75.9 9 9 99.06 17.8|92.2 84.6 3 3 99.46 16.3|79.3 63.1 13 13 96.83 18.1|70.4 38.4 26 12 5.62 20.3|65.7 7.7 29 11 13.79 20.5
72.7 16.7 22 13 11.22 18.9|64.4 17.6 35 32 16.92 23.0|77.6 37.6 15 7 4.97 20.0|67.6 18.7 25 7 8.65 19.5|35.0 1.2 37 53 42.34 18.0
44.7 46.6 16 29 50.43 18.2|42.8 27.7 22 29 58.33 19.3"""
SWISS_FACTORS = ["agriculture", "examination", "education", "catholic", "infant_mortality"]


def _swiss() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    table = np.array([line.split() for line in SWISS.replace("\n", "|").split("|")], dtype=float)
    return table[:, 0], dict(zip(SWISS_FACTORS, table[:, 1:].T, strict=True))


def _r_squared(x: np.ndarray, y: np.ndarray) -> float:
    design = np.column_stack([np.ones(len(y)), x])
    fitted = design @ np.linalg.lstsq(design, y, rcond=None)[0]
    return float(1 - ((y - fitted) ** 2).sum() / ((y - y.mean()) ** 2).sum())


def _by_all_orders(groups: list[np.ndarray], y: np.ndarray) -> np.ndarray:
    """Mean gain of R² by factor over every order, each model fitted on the rows."""
    shares = np.zeros(len(groups))
    for order in itertools.permutations(range(len(groups))):
        before = 0.0
        for position in range(len(order)):
            now = _r_squared(np.column_stack([groups[j] for j in order[: position + 1]]), y)
            shares[order[position]] += now - before
            before = now
    return shares / math.factorial(len(groups))


def _cross(columns: list[np.ndarray]) -> np.ndarray:
    table = np.column_stack(columns)
    table = table - table.mean(axis=0)
    return table.T @ table


def test_the_published_shares_of_the_swiss_provinces() -> None:
    """relaimpo (Grömping 2006, *Journal of Statistical Software* 17(1)) on R's `swiss`; coefficients as R's lm prints them."""
    y, factors = _swiss()
    found = fit_drivers(y, factors)
    assert found.r_squared == pytest.approx(0.706735, abs=5e-7)
    assert [one.share for one in found.factors] == pytest.approx(
        [0.05709122, 0.17117303, 0.26013468, 0.10557015, 0.11276592], abs=5e-8
    )
    assert [one.coefficient for one in found.factors] == pytest.approx(
        [-0.17211, -0.25801, -0.87094, 0.10412, 1.07705], abs=5e-6
    )


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), factors=st.integers(1, 5), grouped=st.booleans())
def test_shares_equal_all_orders_by_brute_force(seed: int, factors: int, grouped: bool) -> None:
    rng = np.random.default_rng(seed)
    n = 40
    common = rng.normal(size=n)
    groups = [rng.normal(size=(n, 1)) + 0.7 * common[:, None] for _ in range(factors)]
    if grouped:
        groups[0] = np.column_stack([groups[0], rng.integers(0, 2, n)])
    y = sum(group @ rng.normal(size=group.shape[1]) for group in groups) + rng.normal(size=n)
    found = lmg_shares(_cross([*groups, y]), [group.shape[1] for group in groups])
    assert found == pytest.approx(_by_all_orders(groups, y), abs=1e-10)
    assert found.sum() == pytest.approx(_r_squared(np.column_stack(groups), y), abs=1e-10)


def test_every_subset_by_its_own_regression() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(60, 4)) @ rng.normal(size=(4, 4))
    y = x @ [1.0, -2.0, 0.5, 0.0] + rng.normal(size=60)
    by_subset = explained_by_subset(_cross([x, y]))
    for subset in range(16):
        chosen = [j for j in range(4) if subset >> j & 1]
        wanted = _r_squared(x[:, chosen], y) if chosen else 0.0
        assert by_subset[subset] == pytest.approx(wanted, abs=1e-10)


def test_independent_factors_have_their_squared_correlations() -> None:
    """By hand: a 2 x 2 design, y = 3a + b: R² = 1, shares 9/10 and 1/10."""
    a, b = np.array([-1.0, -1, 1, 1]), np.array([-1.0, 1, -1, 1])
    assert lmg_shares(_cross([a, b, 3 * a + b])) == pytest.approx([0.9, 0.1])


def test_a_copied_factor_shares_and_has_no_coefficient() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=200), rng.normal(size=200)
    y = 2 * a + b + rng.normal(size=200)
    found = {one.factor: one for one in fit_drivers(y, {"a": a, "twice_a": 2 * a + 1, "b": b}).factors}
    alone = {one.factor: one for one in fit_drivers(y, {"a": a, "b": b}).factors}
    assert found["a"].share == pytest.approx(found["twice_a"].share)
    assert found["a"].reason == found["twice_a"].reason == "collinear"
    assert found["a"].coefficient is found["a"].low is found["twice_a"].coefficient is None
    assert found["b"].reason is None
    assert found["b"].coefficient == pytest.approx(alone["b"].coefficient)
    # Orders (a, copy, b): the copy adds nothing after a, nor a after the copy.
    gain_a = [_r_squared(a[:, None], y), _r_squared(np.column_stack([a, b]), y) - _r_squared(b[:, None], y)]
    assert found["a"].share == pytest.approx((2 * gain_a[0] + gain_a[1]) / 6)


def test_three_factors_that_sum_to_one_are_all_collinear() -> None:
    rng = np.random.default_rng(6)
    a, b, c = rng.random((3, 300))
    found = fit_drivers(a - b + c + rng.normal(size=300), {"a": a, "b": b, "rest": 1 - a - b, "c": c})
    assert [one.reason for one in found.factors] == ["collinear", "collinear", "collinear", None]
    assert sum(one.share or 0 for one in found.factors) == pytest.approx(found.r_squared)


def test_a_constant_factor_has_a_reason_and_no_share() -> None:
    rng = np.random.default_rng(7)
    a = rng.normal(size=50)
    y = a + rng.normal(size=50)
    found = fit_drivers(y, {"a": a, "same": np.full(50, 3.0)})
    same = found.factors[1]
    assert (same.reason, same.share, same.coefficient, same.mean) == ("constant", None, None, 3.0)
    assert found.factors[0].share == pytest.approx(found.r_squared)
    only = fit_drivers(y, {"same": np.full(50, 3.0)})
    assert (only.r_squared, only.reason, only.factors[0].reason) == (None, None, "constant")


def test_fewer_answers_than_factors_give_nothing() -> None:
    rng = np.random.default_rng(8)
    x, y = rng.normal(size=(4, 6)), rng.normal(size=6)
    factors = {f"x{j}": x[j] for j in range(4)}
    enough = fit_drivers(y, factors)
    assert enough.reason is None
    assert enough.r_squared is not None
    too_few = fit_drivers(y[:5], {name: values[:5] for name, values in factors.items()})
    assert (too_few.reason, too_few.r_squared, too_few.used) == ("fewer_answers_than_factors", None, 5)
    assert {one.reason for one in too_few.factors} == {"fewer_answers_than_factors"}
    nobody = fit_drivers(np.zeros(0), {"a": np.zeros(0)})
    assert (nobody.reason, nobody.answers) == ("fewer_answers_than_factors", 0)


def test_three_respondents_are_below_the_minimum_base() -> None:
    found = fit_drivers([10.0, 50.0, 90.0], {"a": [1.0, 2.0, 2.5]}, minimum_base=30)
    assert (found.reason, found.used, found.r_squared) == ("below_minimum_base", 3, None)
    assert found.factors[0].share is found.factors[0].coefficient is None
    assert found.factors[0].reason == "below_minimum_base"


def test_everybody_answers_the_same() -> None:
    found = fit_drivers(np.full(40, 75.0), {"a": np.arange(40.0)})
    assert (found.reason, found.factors[0].reason, found.r_squared) == ("constant_outcome", "constant_outcome", None)


def test_unknown_factors_are_complete_cases_or_filled() -> None:
    rng = np.random.default_rng(9)
    a, b = rng.normal(size=(2, 400))
    y = a + b + rng.normal(size=400)
    some = a.copy()
    some[:100] = np.nan
    y_some = y.copy()
    y_some[390:] = np.nan
    left_out = fit_drivers(y_some, {"a": some, "b": b})
    assert (left_out.answers, left_out.used, left_out.factors[0].unknown) == (390, 290, 100)
    complete = fit_drivers(y[100:390], {"a": a[100:390], "b": b[100:390]})
    assert left_out.r_squared == pytest.approx(complete.r_squared)
    filled = fit_drivers(y_some, {"a": some, "b": b}, filled=["a"])
    assert (filled.used, filled.factors[0].unknown) == (390, 100)
    design = np.column_stack([np.where(np.isnan(some), np.nanmean(some[:390]), some), np.isnan(some), b])[:390]
    assert filled.r_squared == pytest.approx(_r_squared(design, y[:390]))
    assert [one.share for one in filled.factors] == pytest.approx(
        list(_by_all_orders([design[:, :2], design[:, 2:]], y[:390]))
    )
    rare = np.full(400, np.nan)
    rare[:199] = a[:199]
    found = fit_drivers(y, {"rare": rare, "b": b})
    assert (found.used, found.factors[0].reason, found.factors[0].share) == (400, "mostly_unknown", None)


def test_coefficients_and_robust_errors_by_their_formula() -> None:
    """HC1 and CR1 written out on the rows, with a constant in the design."""
    rng = np.random.default_rng(10)
    n = 150
    x = rng.normal(size=(n, 3))
    y = x @ [2.0, -1.0, 0.0] + rng.normal(size=n) * (1 + np.abs(x[:, 0]))
    names = {f"x{j}": x[:, j] for j in range(3)}
    design = np.column_stack([np.ones(n), x])
    inverse = np.linalg.inv(design.T @ design)
    beta = inverse @ design.T @ y
    scores = design * (y - design @ beta)[:, None]
    hc1 = np.sqrt(np.diag(inverse @ scores.T @ scores @ inverse) * n / (n - 4))[1:]
    found = fit_drivers(y, names).factors
    assert [one.coefficient for one in found] == pytest.approx(list(beta[1:]))
    half = [(one.high - one.low) / 2 for one in found if one.high is not None and one.low is not None]
    assert half == pytest.approx(list(hc1 * student.ppf(0.975, 146)))
    cluster = np.arange(n) // 3
    summed = np.array([scores[cluster == g].sum(axis=0) for g in range(50)])
    cr1 = np.sqrt(np.diag(inverse @ summed.T @ summed @ inverse) * 50 / 49 * (n - 1) / (n - 4))[1:]
    found = fit_drivers(y, names, clusters=[f"k{g}" for g in cluster]).factors
    half = [(one.high - one.low) / 2 for one in found if one.high is not None and one.low is not None]
    assert half == pytest.approx(list(cr1 * student.ppf(0.975, 49)))


def test_intervals_cover_what_is_true() -> None:
    """Customers answer several times and each has a mood: 95 % of the intervals of coefficient and share hold the truth, within chance."""
    rng = np.random.default_rng(11)
    # True share of `a` (independent factors, so its squared correlation): 4 / (4 + 1 + 1 + 4).
    hits_b, hits_share, rounds = 0, 0, 150
    for _ in range(rounds):
        customer = rng.integers(0, 300, 600)
        a = rng.normal(size=300)[customer]
        b = rng.normal(size=600)
        y = 2 * a + b + rng.normal(size=300)[customer] + 2 * rng.normal(size=600)
        one = fit_drivers(y, {"a": a, "b": b}, clusters=customer, replicates=200).factors[0]
        assert one.low is not None
        assert one.high is not None
        assert one.share_low is not None
        assert one.share_high is not None
        hits_b += one.low <= 2 <= one.high
        hits_share += one.share_low <= 0.4 <= one.share_high
    assert 0.89 <= hits_b / rounds <= 0.99
    assert 0.88 <= hits_share / rounds <= 0.99


def test_blocks_draw_like_rows() -> None:
    """20,000 rows in 500 blocks: the spread of a resampled mean is that of the mean."""
    rng = np.random.default_rng(12)
    values = rng.normal(size=(20_000, 1))
    products = drivers.blocks_of(values, *drivers.block_of_cluster(np.arange(20_000))).products
    assert products[:, 0, 0].sum() == 20_000
    assert len(products) == 500
    drawn = drivers.Blocks(products).resampled(2000, 1)
    spread = (drawn[:, 0, 1] / drawn[:, 0, 0]).std()
    assert spread == pytest.approx(values.std() / math.sqrt(20_000), rel=0.08)


def test_the_same_seed_gives_the_same_intervals() -> None:
    y, factors = _swiss()
    assert fit_drivers(y, factors) == fit_drivers(y, factors)
    assert fit_drivers(y, factors, seed=2) != fit_drivers(y, factors)


def test_twelve_factors_take_a_moment() -> None:
    rng = np.random.default_rng(13)
    cross = _cross(list(rng.normal(size=(13, 200))))
    started = time.perf_counter()
    lmg_shares(cross)
    assert time.perf_counter() - started < 0.5


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match="16 factors: at most 15"):
        fit_drivers([1.0], {f"x{j}": [1.0] for j in range(16)})
    with pytest.raises(ValueError, match="x: \\(2,\\) is not the shape"):
        fit_drivers([1.0], {"x": [1.0, 2.0]})
    with pytest.raises(ValueError, match="not that of square matrices"):
        lmg_shares(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="do not make up"):
        lmg_shares(np.eye(3), [1])


# -- populations ------------------------------------------------------------------------------------------------------

FACTORS = pl.DataFrame(
    {
        "factor": ["wait", "solved", "said"],
        "factor_set": ["operations", "operations", "said"],
        "populations": ["after_calls", "after_calls; after_tickets;all", "after_calls;after_tickets;all"],
        "cap": [10.0, None, None],
        "when_unknown": ["leave_out", "leave_out", "fill"],
    },
    schema_overrides={"cap": pl.Float64},
)


def _answers(n: int = 600, seed: int = 14) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    wait, solved = rng.exponential(5, n), rng.random(n) < 0.7
    return pl.DataFrame(
        {
            "about_kind": rng.choice(["call", "ticket"], n),
            "responded_on": [date(2026, 1, 1) + timedelta(days=int(d)) for d in rng.integers(0, 300, n)],
            "csat_score": 60 - 3 * np.minimum(wait, 10) + 20 * solved + rng.normal(0, 5, n),
            "scale": "1-5",
            "cluster": [f"c{c}" for c in rng.integers(0, 200, n)],
            "response_id": [f"r{i}" for i in range(n)],
            "wait": wait,
            "solved": solved,
            "said": [None if blank else bool(yes) for blank, yes in zip(rng.random(n) < 0.1, solved, strict=True)],
        },
        schema_overrides={"said": pl.Boolean},
    )


def test_populations_periods_and_sets() -> None:
    found = satisfaction_drivers(_answers(), FACTORS, minimum_base=30, replicates=50)
    assert dict(found.schema) == {name: kind for name, kind in drivers.DRIVER_SCHEMA.items()}
    calls = found.filter(population="after_calls", period_kind="last_12_months", factor_set="operations")
    assert calls["factor"].to_list() == ["solved", "wait"]
    assert calls["coefficient"].to_list() == pytest.approx([20, -3], abs=1.0), "the cap of 10 minutes holds"
    assert calls["effect_sign"].to_list() == ["up", "down"]
    assert calls["share"].sum() == pytest.approx(calls["r_squared"][0])
    assert calls["share_of_explained"].sum() == pytest.approx(1)
    assert sorted(calls["share_rank"].to_list()) == [1, 2]
    assert found.filter(population="all")["factor"].unique().sort().to_list() == ["said", "solved"]
    quarters = found.filter(period_kind="quarter")
    assert quarters["factor_set"].unique().to_list() == ["operations"]
    assert quarters["period_start"].unique().sort().to_list() == [date(2026, m, 1) for m in (1, 4, 7, 10)]
    last = max(_answers()["responded_on"])
    assert found["as_of"].unique().to_list() == [last]
    assert quarters["period_end"].max() == last
    year = found.filter(period_kind="last_12_months")
    assert year["period_start"].unique().to_list() == [date(last.year - 1, last.month, last.day) + timedelta(days=1)]


def test_the_order_of_the_rows_changes_nothing() -> None:
    answers = _answers(200)
    assert_frame_equal(
        satisfaction_drivers(answers, FACTORS, minimum_base=30, replicates=20),
        satisfaction_drivers(answers.reverse(), FACTORS.reverse(), minimum_base=30, replicates=20),
    )


def test_a_scale_that_changed_uses_the_newest_and_counts_the_rest() -> None:
    answers = _answers().with_columns(
        scale=pl.when(pl.col("responded_on") < date(2026, 6, 1)).then(pl.lit("1-5")).otherwise(pl.lit("0-10"))
    )
    found = satisfaction_drivers(answers, FACTORS, minimum_base=30, replicates=20)
    year = found.filter(population="all", period_kind="last_12_months", factor_set="operations")
    old = answers.filter(scale="1-5").height
    assert set(year["answers_on_other_scales"]) == {old}
    assert set(year["answers"]) == {600 - old}
    first = found.filter(population="all", period_start=date(2026, 1, 1))
    assert set(first["answers_on_other_scales"]) == {0}, "a quarter that lies before the change is whole"


def test_too_few_answers_keep_their_row_and_reason() -> None:
    found = satisfaction_drivers(_answers(40), FACTORS, minimum_base=30, replicates=20)
    small = found.filter(population="after_calls", period_kind="quarter")
    assert set(small["reason"]) <= {"below_minimum_base", "fewer_answers_than_factors"}
    assert small.height > 0
    assert small["coefficient"].null_count() == small.height


def test_no_answers_give_an_empty_frame_of_the_same_schema() -> None:
    found = satisfaction_drivers(_answers().clear(), FACTORS, minimum_base=30)
    assert (found.height, dict(found.schema)) == (0, dict(drivers.DRIVER_SCHEMA))


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("factor", "nothing", "nothing is no column"),
        ("factor_set", "felt", "use operations or said"),
        ("when_unknown", "guess", "use leave_out or fill"),
        ("populations", "after_visits", "population 'after_visits'"),
    ],
)
def test_a_seed_that_says_something_unknown_is_refused(column: str, value: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        satisfaction_drivers(_answers(), FACTORS.with_columns(pl.lit(value).alias(column)), minimum_base=30)
