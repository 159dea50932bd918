"""Confidence intervals at 95 %.

Belongs here: formulas over counts and sums. Does not belong here: where the counts come from.
"""

from __future__ import annotations

from math import exp, sqrt

Z = 1.959964
"""97.5th percentile of the standard normal distribution, as printed in tables (seven digits)."""


def wilson(successes: float, n: float) -> tuple[float, float] | None:
    """Wilson score interval of a proportion, without continuity correction (Wilson 1927); None when n is 0.

    >>> tuple(round(bound, 4) for bound in wilson(81, 263))
    (0.2553, 0.3662)
    """
    if n <= 0:
        return None
    p = successes / n
    centre = p + Z * Z / (2 * n)
    half = Z * sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
    scale = 1 + Z * Z / n
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def mean(total: float, total_of_squares: float, n: float) -> tuple[float, float] | None:
    """Normal interval of a mean from its sums, with the sample variance; None when n is below 2."""
    if n < 2:
        return None
    average = total / n
    variance = max(0.0, (total_of_squares - n * average * average) / (n - 1))
    half = Z * sqrt(variance / n)
    return average - half, average + half


def ratio(
    total: float, base: float, squares: float, products: float, base_squares: float, n: float
) -> tuple[float, float] | None:
    """Normal interval of a ratio of two sums over n rows, by linearisation (Cochran 1977, Sampling Techniques, 6.4).

    Args:
        total, base: sums of y and of x; the ratio is total / base.
        squares, products, base_squares: sums of y^2, x y and x^2.
        n: rows. None when it is below 2, or base is 0.
    """
    if n < 2 or base == 0:
        return None
    value = total / base
    residual = max(0.0, squares - 2 * value * products + value * value * base_squares)
    half = Z * sqrt(residual * n / (n - 1)) / abs(base)
    return value - half, value + half


def net_promoter(promoters: float, detractors: float, n: float) -> tuple[float, float] | None:
    """Interval of the net promoter score in points: variance p + d - (p - d)^2; None when n is 0."""
    if n <= 0:
        return None
    p, d = promoters / n, detractors / n
    half = Z * sqrt(max(0.0, p + d - (p - d) ** 2) / n)
    return 100 * max(-1.0, p - d - half), 100 * min(1.0, p - d + half)


def effective_size(total_weight: float, squared_weights: float) -> float:
    """Size of a sample of equal weights that is as exact (Kish 1965): (sum w)^2 / sum w^2; 0 without weights.

    >>> effective_size(6, 14)
    2.5714285714285716
    """
    return total_weight * total_weight / squared_weights if squared_weights > 0 else 0.0


def wilson_weighted(successes: float, total: float, squares: float) -> tuple[float, float] | None:
    """Wilson interval of a weighted proportion, by the effective size; equal weights of any size give Wilson's own."""
    n = effective_size(total, squares)
    return wilson(successes / total * n, n) if n > 0 else None


def mean_weighted(total: float, total_of_squares: float, weight: float, squares: float) -> tuple[float, float] | None:
    """Interval of a weighted mean from sum(w x), sum(w x^2), sum(w), sum(w^2), by the effective size; None when that is 1 or less."""
    n = effective_size(weight, squares)
    if n <= 1:
        return None
    average = total / weight
    variance = max(0.0, total_of_squares / weight - average * average) * n / (n - 1)
    half = Z * sqrt(variance / n)
    return average - half, average + half


def net_promoter_weighted(
    promoters: float, detractors: float, weight: float, squares: float
) -> tuple[float, float] | None:
    """Interval of a weighted net promoter score in points, by the effective size."""
    n = effective_size(weight, squares)
    return net_promoter(promoters / weight * n, detractors / weight * n, n) if n > 0 else None


def risk_ratio(hits: float, n: float, other_hits: float, other_n: float, z: float = Z) -> tuple[float, float] | None:
    """Interval of the ratio of two shares, (hits / n) / (other_hits / other_n), on the log scale (Katz et al. 1978); None when a count is 0.

    >>> tuple(round(bound, 3) for bound in risk_ratio(30, 100, 20, 100))
    (0.916, 2.456)
    """
    if min(hits, other_hits, n, other_n) <= 0:
        return None
    ratio_of_shares = (hits / n) / (other_hits / other_n)
    half = z * sqrt(max(0.0, 1 / hits - 1 / n + 1 / other_hits - 1 / other_n))
    return ratio_of_shares * exp(-half), ratio_of_shares * exp(half)
