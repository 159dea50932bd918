"""Intervals of weighted numbers: by the effective size, and those of the raw numbers where all weights are equal."""

from __future__ import annotations

import pytest

from dashboards.data import intervals


@pytest.mark.parametrize("weight", [1.0, 0.3, 7.0])
def test_equal_weights_give_the_raw_intervals(weight: float) -> None:
    assert intervals.effective_size(263 * weight, 263 * weight * weight) == pytest.approx(263)
    assert intervals.wilson_weighted(81 * weight, 263 * weight, 263 * weight**2) == pytest.approx(
        intervals.wilson(81, 263)
    )
    assert intervals.mean_weighted(40 * weight, 232 * weight, 8 * weight, 8 * weight**2) == pytest.approx(
        intervals.mean(40, 232, 8)
    )
    assert intervals.net_promoter_weighted(162 * weight, 54 * weight, 324 * weight, 324 * weight**2) == pytest.approx(
        intervals.net_promoter(162, 54, 324)
    )


def test_unequal_weights_by_hand() -> None:
    """Weights 1, 2, 3: sum 6, squares 14, effective size 36/14; the values 0, 1, 1 have the weighted mean 5/6."""
    n = 36 / 14
    assert intervals.effective_size(6, 14) == pytest.approx(n)
    assert intervals.wilson_weighted(5, 6, 14) == pytest.approx(intervals.wilson(5 / 6 * n, n))
    found = intervals.mean_weighted(5, 5, 6, 14)
    half = intervals.Z * ((5 / 6 - 25 / 36) * n / (n - 1) / n) ** 0.5
    assert found == pytest.approx((5 / 6 - half, 5 / 6 + half))


def test_one_heavy_answer_is_no_sample() -> None:
    assert intervals.mean_weighted(50, 2500, 1, 1) is None
    assert intervals.wilson_weighted(0, 0, 0) is None and intervals.net_promoter_weighted(0, 0, 0, 0) is None
    low, high = intervals.wilson_weighted(1000.0, 1000.1, 1000.0**2 + 0.01) or (None, None)
    assert low is not None and high is not None and low < 0.25 and high > 0.99
