"""Models of lifetime value against what their authors published, against simulated customers, and at their edges."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.special import hyp2f1

from orchestration.modelling import lifetime
from orchestration.modelling.lifetime import Fit, NotEstimable

HIGH_END = [1000, 869, 743, 653, 593, 551, 517, 491]
REGULAR = [1000, 631, 468, 382, 326, 289, 262, 241]


def given(names: str, *values: float) -> Fit:
    """Parameters as if fitted."""
    return Fit(tuple(names.split()), np.array(values), np.eye(len(values)) * 1e-4, 0.0, 1.0)


PUBLISHED = given("r alpha a b", 0.243, 4.414, 0.793, 2.426)


def cdnow() -> pl.DataFrame:
    folder = os.environ.get("CSATLAS_REAL_DATA")
    if not folder:
        pytest.skip("CSATLAS_REAL_DATA names no folder with the public data")
    rows = [
        line.split() for line in (Path(folder) / "cdnow" / "CDNOW_sample.txt").read_text().splitlines() if line.strip()
    ]
    days = (
        pl.DataFrame(rows, schema=["master", "customer", "day", "units", "amount"], orient="row")
        .with_columns(pl.col("day").str.to_date("%Y%m%d"), pl.col("amount").cast(pl.Float64))
        .filter(pl.col("day") <= date(1997, 9, 30))
        .group_by("customer", "day")
        .agg(pl.col("amount").sum())
        .sort("customer", "day")
    )
    return days.group_by("customer", maintain_order=True).agg(
        frequency=pl.len() - 1.0,
        recency=(pl.col("day").max() - pl.col("day").min()).dt.total_days() / 7,
        age=(pl.lit(date(1997, 9, 30)) - pl.col("day").min()).dt.total_days() / 7,
        value=pl.col("amount").slice(1).mean(),
    )


def test_the_published_purchases_of_cdnow() -> None:
    """Table 2 of Fader, Hardie and Lee; 2,357 customers."""
    histories = cdnow()
    assert histories.height == 2357
    fit = lifetime.fit_bg_nbd(*(histories[name].to_numpy() for name in ("frequency", "recency", "age")))
    assert [round(value, 3) for value in fit.values] == [0.243, 4.414, 0.793, 2.426]
    assert round(fit.log_likelihood, 1) == -9582.4


def test_the_published_amounts_of_cdnow() -> None:
    """Fader and Hardie, 2013: 946 customers who bought again."""
    again = cdnow().filter((pl.col("frequency") > 0) & (pl.col("value") > 0))
    assert again.height == 946
    fit = lifetime.fit_gamma_gamma(again["frequency"].to_numpy(), again["value"].to_numpy())
    assert [round(value, 2) for value in fit.values] == [6.25, 3.74, 15.44]


def test_groups_of_equal_histories_give_the_same_parameters() -> None:
    x, tx, age, _ = simulated_purchases(2_000, 5)
    tx = np.ceil(tx)
    frame = pl.DataFrame({"x": x, "tx": tx, "age": age})
    groups = frame.group_by("x", "tx", "age").len().sort("x", "tx")
    one = lifetime.fit_bg_nbd(x, tx, age)
    grouped = lifetime.fit_bg_nbd(*(groups[name].to_numpy() for name in ("x", "tx", "age", "len")))
    np.testing.assert_allclose(grouped.values, one.values, rtol=1e-5)
    np.testing.assert_allclose(grouped.covariance, one.covariance, rtol=1e-3)


def test_the_unit_of_time_changes_only_the_scale() -> None:
    x, tx, age, _ = simulated_purchases(2_000, 6)
    weeks = lifetime.fit_bg_nbd(x, tx, age)
    days = lifetime.fit_bg_nbd(x, tx * 7, age * 7)
    np.testing.assert_allclose(days.values[[0, 2, 3]], weeks.values[[0, 2, 3]], rtol=1e-5)
    assert days["alpha"] == pytest.approx(7 * weeks["alpha"], rel=1e-5)
    assert days.log_likelihood == pytest.approx(weeks.log_likelihood - x.sum() * np.log(7), rel=1e-9)


@pytest.mark.parametrize("a", [0.5, 0.793, 1.0000001, 2.5])
@pytest.mark.parametrize("x", [0, 1, 2, 7, 30])
def test_expected_purchases_are_those_of_the_published_formula(a: float, x: int) -> None:
    """Equation 10 of Fader, Hardie and Lee, with a hypergeometric function, where that can be computed."""
    r, alpha, b, tx, age, t = 0.243, 4.414, 2.426, 30.43 if x else 0.0, 38.86, 39.0
    fit = given("r alpha a b", r, alpha, a, b)
    z = t / (alpha + age + t)
    bracket = 1 - ((alpha + age) / (alpha + age + t)) ** (r + x) * hyp2f1(r + x, b + x, a + b + x - 1, z)
    gone = (a / (b + x - 1)) * ((alpha + age) / (alpha + tx)) ** (r + x) if x else 0
    expected = (a + b + x - 1) / (a - 1) * bracket / (1 + gone)
    found = lifetime.expected_purchases(fit, np.array([x]), np.array([tx]), np.array([age]), t)
    assert found[0] == pytest.approx(expected, rel=1e-6)


def test_the_published_customer_with_two_repeat_purchases() -> None:
    """x = 2, t_x = 30.43, T = 38.86: 1.226 purchases in the next 39 weeks (Fader, Hardie and Lee's note on BG/NBD in a spreadsheet)."""
    found = lifetime.expected_purchases(PUBLISHED, np.array([2]), np.array([30.43]), np.array([38.86]), 39.0)
    assert found[0] == pytest.approx(1.226, abs=5e-4)
    assert (
        lifetime.probability_alive(PUBLISHED, np.array([0, 2]), np.array([0, 30.43]), np.array([38.86, 38.86]))[0] == 1
    )


def test_alive_falls_with_silence_and_never_overflows() -> None:
    ages = np.array([30.43, 40, 80, 1e4, 1e7])
    alive = lifetime.probability_alive(PUBLISHED, np.full(5, 400.0), np.full(5, 30.43), ages)
    assert np.all(np.diff(alive) <= 0) and np.all(np.isfinite(alive)) and alive[0] > 0.9 and alive[-1] < 1e-12
    assert np.all(
        np.isfinite(
            lifetime.purchases_if_alive(PUBLISHED, np.array([400.0, 5000.0]), np.array([40.0, 40.0]), np.array([52.0]))
        )
    )


def simulated_purchases(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Customers of the model itself: histories to an age of 40 and what they buy in the 20 after it."""
    rng = np.random.default_rng(seed)
    rate, p = rng.gamma(0.8, 1 / 6.0, n), rng.beta(0.9, 3.0, n)
    x, tx, after = np.zeros(n), np.zeros(n), np.zeros(n)
    clock, living = np.zeros(n), np.ones(n, dtype=bool)
    while living.any():
        clock[living] += rng.exponential(1 / rate[living])
        living &= clock <= 60
        before = living & (clock <= 40)
        x[before] += 1
        tx[before] = clock[before]
        after[living & (clock > 40)] += 1
        living &= rng.random(n) >= p
    return x, tx, np.full(n, 40.0), after


def test_simulated_customers_buy_what_was_expected() -> None:
    x, tx, age, after = simulated_purchases(40_000, 11)
    fit = lifetime.fit_bg_nbd(x, tx, age)
    for name, true in zip(fit.names, (0.8, 6.0, 0.9, 3.0), strict=True):
        low, high = fit.interval(name)
        assert low * 0.97 <= true <= high * 1.03, name
    expected = lifetime.expected_purchases(fit, x, tx, age, 20.0)
    for rows in (x == 0, (x > 0) & (tx < 20), (x > 0) & (tx >= 20), x >= 5):
        assert expected[rows].mean() == pytest.approx(after[rows].mean(), rel=0.06)


def test_the_published_contracts() -> None:
    """Table 1 and 2 of Fader and Hardie, 2007: seven years of two groups of a thousand."""
    for survivors, alpha, beta in ((HIGH_END, 0.668, 3.806), (REGULAR, 0.704, 1.182)):
        lost = -np.diff(survivors)
        periods = np.array([1, 2, 3, 4, 5, 6, 7, 7.0])
        fit = lifetime.fit_sbg(
            np.zeros(8), periods, np.array([True] * 7 + [False]), np.array([*lost, survivors[-1]], dtype=float)
        )
        assert [round(value, 3) for value in fit.values] == [alpha, beta]


def test_the_published_projection_of_contracts() -> None:
    """Survivors of the fitted seven years within two points, as in their figure, and retention that rises with age."""
    survivors = HIGH_END
    fit = given("alpha beta", 0.668, 3.806)
    projected = lifetime.sbg_survival(fit, np.array([0.0]), np.arange(8.0))[0]
    np.testing.assert_allclose(projected, np.array(survivors) / 1000, atol=0.02)
    yearly = lifetime.sbg_survival(fit, np.arange(0, 12.0), np.array([1.0]))[:, 0]
    np.testing.assert_allclose(yearly, (3.806 + np.arange(12)) / (4.474 + np.arange(12)), rtol=1e-12)


def test_contracts_seen_late_give_the_parameters_of_all() -> None:
    """Those who left before anybody looked are in no row; leaving that out would make contracts look too lasting."""
    rng = np.random.default_rng(3)
    n = 60_000
    ends = rng.geometric(np.clip(rng.beta(1.2, 6.0, n), 1e-6, 1)).astype(float)
    first = rng.integers(0, 12, n).astype(float)
    stop = first + 10
    kept = ends > first
    ended = ends[kept] <= stop[kept]
    fit = lifetime.fit_sbg(first[kept], np.where(ended, ends[kept], stop[kept]), ended)
    assert fit.values == pytest.approx([1.2, 6.0], rel=0.06)
    assert (
        np.where(ended, ends[kept], stop[kept]) == 1
    ).mean() < 0.8 * 1.2 / 7.2  # what they would say as if seen from their start


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    """Delta method on expected purchases of one history: 60 samples, the true value inside about 95 % of the intervals."""
    true = given("r alpha a b", 0.8, 6.0, 0.9, 3.0)
    history = (np.array([3.0]), np.array([30.0]), np.array([40.0]))
    wanted = lifetime.expected_purchases(true, *history, 20.0)[0]
    inside = 0
    for seed in range(60):
        x, tx, age, _ = simulated_purchases(2_000, seed)
        fit = lifetime.fit_bg_nbd(x, tx, age)

        def value(parameters: np.ndarray, fit: Fit = fit) -> np.ndarray:
            moved = Fit(fit.names, parameters, fit.covariance, 0.0, fit.histories)
            return lifetime.expected_purchases(moved, *history, 20.0)

        _, low, high = lifetime.log_interval(value, fit)
        inside += bool(low[0] <= wanted <= high[0])
    assert 51 <= inside <= 60


def test_expected_amounts_lie_between_the_customers_own_and_that_of_all() -> None:
    fit = given("p q gamma", 6.25, 3.74, 15.44)
    of_all = 6.25 * 15.44 / 2.74
    found = lifetime.expected_amount(fit, np.array([0, 1, 10, 1000.0]), np.array([np.nan, 100, 100, 100]))
    assert found[0] == pytest.approx(of_all)
    assert of_all < found[1] < found[2] < found[3] < 100
    assert lifetime.expected_amount(given("p q gamma", 6, 0.9, 15), np.array([0.0]), np.array([0.0]))[0] == np.inf


def test_discounting() -> None:
    np.testing.assert_allclose(lifetime.discount_factors(2, 0.1), [1.1 ** (-1 / 24), 1.1 ** (-3 / 24)])
    with pytest.raises(ValueError, match="months"):
        lifetime.discount_factors(0, 0.1)
    with pytest.raises(ValueError, match="leaves nothing"):
        lifetime.discount_factors(3, -1)


@pytest.mark.parametrize(
    ("x", "tx", "age"), [([-1.0], [0.0], [1.0]), ([1.0], [2.0], [1.0]), ([0.0], [1.0], [2.0]), ([1.0], [0.0], [2.0])]
)
def test_histories_that_cannot_be(x: list[float], tx: list[float], age: list[float]) -> None:
    with pytest.raises(ValueError):
        lifetime.fit_bg_nbd(np.array(x), np.array(tx), np.array(age))


def test_what_cannot_be_estimated_says_why() -> None:
    with pytest.raises(NotEstimable, match="no_repeat_purchases"):
        lifetime.fit_bg_nbd(np.zeros(3), np.zeros(3), np.ones(3))
    with pytest.raises(NotEstimable, match="no_ends"):
        lifetime.fit_sbg(np.zeros(3), np.ones(3), np.zeros(3, dtype=bool))
    with pytest.raises(NotEstimable):
        lifetime.fit_gamma_gamma(np.full(5, 2.0), np.full(5, 10.0))
    with pytest.raises(ValueError, match="ended before it was seen"):
        lifetime.fit_sbg(np.array([3.0]), np.array([3.0]), np.array([True]))
