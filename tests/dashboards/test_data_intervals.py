"""Published examples of the intervals."""

from __future__ import annotations

import pytest

from dashboards.data import intervals


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_as_published(successes: int, n: int, low: float, high: float) -> None:
    found = intervals.wilson(successes, n)
    assert found is not None
    assert (round(found[0], 4), round(found[1], 4)) == (low, high)


def test_net_promoter_variance_as_published() -> None:
    # 1/2 promoters, 1/6 detractors at n = 324: standard error 4.14 points around 33.3.
    found = intervals.net_promoter(162, 54, 324)
    assert found is not None
    assert (found[0] + found[1]) / 2 == pytest.approx(33.3333, abs=1e-3)
    assert (found[1] - found[0]) / 2 / intervals.Z == pytest.approx(4.14, abs=0.005)


def test_mean_of_known_values() -> None:
    # 2, 4, 4, 4, 5, 5, 7, 9: mean 5, sample variance 32/7.
    found = intervals.mean(40, 232, 8)
    assert found is not None
    assert found[0] == pytest.approx(5 - 1.959964 * (32 / 7 / 8) ** 0.5)


def test_ratio_of_two_sums_by_hand() -> None:
    # Points 3 of 4, 4 of 5, 9 of 11: 16 of 20. Residuals 3 - 3.2, 4 - 4, 9 - 8.8: squares 0.04 + 0 + 0.04.
    found = intervals.ratio(16, 20, 9 + 16 + 81, 12 + 20 + 99, 16 + 25 + 121, 3)
    assert found is not None
    half = 1.959964 * (0.08 * 3 / 2) ** 0.5 / 20
    assert found == (pytest.approx(0.8 - half), pytest.approx(0.8 + half))


def test_a_ratio_whose_base_is_one_is_a_mean() -> None:
    assert intervals.ratio(40, 8, 232, 40, 8, 8) == pytest.approx(intervals.mean(40, 232, 8))


def test_an_empty_base_has_no_interval() -> None:
    assert intervals.ratio(0, 0, 0, 0, 0, 0) is None
    assert intervals.ratio(3, 4, 9, 12, 16, 1) is None
    assert intervals.wilson(0, 0) is None
    assert intervals.net_promoter(0, 0, 0) is None
    assert intervals.mean(3, 9, 1) is None
