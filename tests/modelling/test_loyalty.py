"""Lagged effects of satisfaction on loyalty: against planted effects, against least squares by hand, and at their edges."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.modelling.loyalty import REASONS, SCHEMA, lagged_effect, satisfaction_effects


def _pairs(n: int = 4000, effect: float = 0.3, seed: int = 5) -> pl.DataFrame:
    """Pairs of two quarters and n / 2 customers; satisfied customers were more loyal before, too."""
    rng = np.random.default_rng(seed)
    before = rng.normal(60, 15, n)
    satisfaction = np.clip(50 + 0.6 * (before - 60) + rng.normal(0, 20, n), 0, 100)
    quarter = np.where(np.arange(n) % 2 == 0, 8104, 8105)
    after = 10 + 5 * (quarter == 8105) + effect * satisfaction + 0.5 * before + rng.normal(0, 10, n)
    return pl.DataFrame(
        {
            "customer_key": [f"c{number // 2:05d}" for number in range(n)],
            "quarter_number": quarter,
            "customer_kind": np.where(np.arange(n) % 4 < 2, "person", "household"),
            "stay_band": "3y_and_more",
            "outcome": "attitude",
            "satisfaction": satisfaction,
            "level_before": before,
            "level_after": after,
        }
    )


def test_the_planted_effect_is_found_and_the_raw_one_is_too_large() -> None:
    found = satisfaction_effects(_pairs(), minimum_base=100)
    everybody = found.filter(pl.col("segment") == "all").row(0, named=True)
    assert everybody["effect_low"] < 3.0 < everybody["effect_high"]
    assert everybody["effect_high"] - everybody["effect_low"] < 0.5
    assert everybody["raw_effect"] > everybody["effect_high"]
    assert everybody["persistence"] == pytest.approx(0.5, abs=0.05)
    assert (everybody["pairs"], everybody["customers"]) == (4000, 2000)
    assert everybody["as_of"] == date(2026, 6, 30)  # the second quarter after the newest first one, 2026-Q1
    assert found["segment"].to_list() == ["all", "household", "person", "3y_and_more"]
    assert found.schema == pl.Schema(SCHEMA)


def test_it_is_least_squares_with_dummies_and_clusters() -> None:
    """The same by the textbook: dummies for the quarters, the sandwich over customers, CR1."""
    pairs = _pairs(60, seed=9)
    s, b, y = (pairs[name].to_numpy() for name in ("satisfaction", "level_before", "level_after"))
    second = (pairs["quarter_number"] == 8105).to_numpy().astype(float)
    design = np.column_stack([s, b, np.ones(60), second])
    beta, *_ = np.linalg.lstsq(design, y, rcond=None)
    residual = y - design @ beta
    bread = np.linalg.inv(design.T @ design)
    customer = np.arange(60) // 2
    scores = np.array([design[customer == number].T @ residual[customer == number] for number in range(30)])
    sandwich = bread @ scores.T @ scores @ bread * (30 / 29) * (59 / 56)
    fit = lagged_effect(s, b, y, pairs["quarter_number"].to_numpy(), customer)
    assert fit.effect == pytest.approx(beta[0]) and fit.persistence == pytest.approx(beta[1])
    assert fit.error == pytest.approx(np.sqrt(sandwich[0, 0]))


def test_no_effect_without_a_reason() -> None:
    few = satisfaction_effects(_pairs(60), minimum_base=100)
    assert set(few["reason"]) == {"below_minimum_base"} and few["effect"].null_count() == few.height
    n = np.arange(40)
    level = np.linspace(0, 100, 40)
    same, wobble = np.full(40, 75.0), level + np.sin(n)
    assert lagged_effect(same, level, wobble, n % 2, n).reason == "constant"
    assert lagged_effect(level, wobble, same, n % 2, n).reason == "constant"
    assert lagged_effect(level, 2 * level, wobble, n % 2, n).reason == "collinear"
    assert lagged_effect(level, level, wobble, n % 2, np.zeros(40)).reason == "below_minimum_base"
    assert set(few["reason"]) <= set(REASONS)


def test_the_same_level_before_holds_nothing_equal() -> None:
    n = np.arange(40)
    satisfaction = np.linspace(0, 100, 40)
    fit = lagged_effect(satisfaction, np.full(40, 50.0), 20 + 0.4 * satisfaction + np.sin(n), np.zeros(40), n)
    assert fit.persistence is None and fit.effect == fit.raw_effect == pytest.approx(0.4, abs=0.01)


def test_nobody_and_unequal_lengths() -> None:
    assert satisfaction_effects(_pairs(2).clear(), minimum_base=1).height == 0
    assert lagged_effect([], [], [], [], []).reason == "below_minimum_base"
    with pytest.raises(ValueError, match="differ in length"):
        lagged_effect([1.0], [1.0, 2.0], [1.0], [1], [1])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(20, 200))
def test_the_order_of_the_rows_does_not_matter(seed: int, n: int) -> None:
    pairs = _pairs(2 * n, seed=seed)
    assert satisfaction_effects(pairs, minimum_base=10).equals(
        satisfaction_effects(pairs.sample(fraction=1.0, shuffle=True, seed=seed % 1000), minimum_base=10)
    )
