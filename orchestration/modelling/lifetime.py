"""What a customer will still buy and is worth: purchases without a contract, their money, and contracts that may end at each renewal.

Belongs here: three small probability models, fitted by maximum likelihood on groups of equal histories, what follows from them for each
history, and the interval that the uncertainty of the parameters gives it. Does not belong here: who left and why (marts), and the risk of the
next three months from all that is known of a customer (`risk.py`).

Times are in any unit, the same for recency, age and horizon; rates come out in it.

Sources: P. Fader, B. Hardie and K. L. Lee, "Counting your customers the easy way: an alternative to the Pareto/NBD model", *Marketing Science*
24(2), 2005 (BG/NBD); P. Fader and B. Hardie, "The Gamma-Gamma model of monetary value", 2013; P. Fader and B. Hardie, "How to project customer
retention", *Journal of Interactive Marketing* 21(1), 2007 (shifted beta geometric); W. K. Newey and D. McFadden, "Large sample estimation and
hypothesis testing", *Handbook of Econometrics* IV, 1994 (delta method).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MODEL_VERSION = "1"
DAYS_A_WEEK = 7.0
DAYS_A_MONTH = 365.25 / 12
_Z = 1.959963984540054
_NODES = 48
"""Nodes of the quadrature over the probability of dropping out."""


class NotEstimable(ValueError):
    """The histories do not determine the parameters; `reason` is a code for tables."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Fit:
    """Maximum-likelihood parameters, all above 0.

    Attributes:
        names: names of the parameters.
        values: their values.
        covariance: of the logarithms of the parameters, from the second derivatives at the maximum.
        log_likelihood: at the maximum.
        histories: number of histories.
    """

    names: tuple[str, ...]
    values: Floats
    covariance: Floats
    log_likelihood: float
    histories: float

    def __getitem__(self, name: str) -> float:
        return float(self.values[self.names.index(name)])

    def interval(self, name: str) -> tuple[float, float]:
        """95 % interval of a parameter, on the scale of its logarithm."""
        at = self.names.index(name)
        spread = _Z * math.sqrt(max(self.covariance[at, at], 0.0))
        return float(self.values[at] * math.exp(-spread)), float(self.values[at] * math.exp(spread))


def _maximise(
    names: tuple[str, ...],
    start: Floats,
    likelihood: Callable[[Floats], tuple[float, Floats]],
    histories: float,
) -> Fit:
    """Quasi-Newton ascent in the logarithms of the parameters.

    likelihood: logarithms -> (mean log-likelihood, its gradient). Raises `NotEstimable` when the maximum lies at no finite point.
    """
    from scipy.optimize import minimize

    def negative(point: Floats) -> tuple[float, Floats]:
        value, gradient = likelihood(point)
        return -value, -gradient

    bounds = [(-14.0, 14.0)] * len(start)
    found = minimize(
        negative,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": 2000, "ftol": 1e-15, "gtol": 1e-9},
    )
    point = np.asarray(found.x, dtype=np.float64)
    if not np.isfinite(found.fun) or np.any(np.abs(point) > 13.5):
        raise NotEstimable("no_finite_maximum")
    hessian = np.empty((len(point), len(point)))
    step = 1e-4
    for at in range(len(point)):
        shift = np.zeros(len(point))
        shift[at] = step
        hessian[at] = (negative(point + shift)[1] - negative(point - shift)[1]) / (2 * step)
    hessian = (hessian + hessian.T) / 2 * histories
    curvature = np.linalg.eigvalsh(hessian)
    if curvature[0] <= 1e-10 * max(curvature[-1], 1.0):
        raise NotEstimable("flat_likelihood")
    covariance = np.linalg.inv(hessian)
    return Fit(names, np.exp(point), covariance, -float(found.fun) * histories, histories)


def _weights(weights: Floats | None, size: int) -> Floats:
    given = np.ones(size) if weights is None else np.asarray(weights, dtype=np.float64)
    if given.shape != (size,):
        raise ValueError(f"weights: {given.shape} is not the shape of the histories, ({size},)")
    if np.any(given < 0):
        raise ValueError("weights: a negative number of histories")
    return given


# -- purchases without a contract: BG/NBD ------------------------------------------------------------------------------


def _check_histories(frequency: Floats, recency: Floats, age: Floats) -> tuple[Floats, Floats, Floats]:
    x, tx, whole = (np.asarray(values, dtype=np.float64) for values in (frequency, recency, age))
    if not x.shape == tx.shape == whole.shape or x.ndim != 1:
        raise ValueError("frequency, recency and age are not columns of one length")
    if np.any(x < 0) or np.any(tx < 0) or np.any(tx > whole):
        raise ValueError("a history with a negative frequency or recency, or a recency above its age")
    if np.any((x == 0) != (tx == 0)):
        raise ValueError("recency is 0 where there is no repeat purchase, and nowhere else")
    return x, tx, whole


def fit_bg_nbd(frequency: Floats, recency: Floats, age: Floats, weights: Floats | None = None) -> Fit:
    """Parameters r, alpha (of the rates of purchase) and a, b (of dropping out after a purchase) of the BG/NBD model.

    Args:
        frequency: repeat purchases of each history (the first is not counted).
        recency: time from the first to the last purchase; 0 without a repeat purchase.
        age: time from the first purchase to the end of what is known.
        weights: how many customers have that history; None = one each.

    Raises:
        ValueError: a history that cannot be.
        NotEstimable: nobody bought again, or the likelihood has no finite maximum.
    """
    from scipy.special import gammaln, psi

    x, tx, whole = _check_histories(frequency, recency, age)
    w = _weights(weights, len(x))
    total = float(w.sum())
    if total == 0 or not np.any(w * x > 0):
        raise NotEstimable("no_repeat_purchases")
    scale = float((w * whole).sum() / total)
    if scale <= 0:
        raise NotEstimable("no_time")
    tx, whole, w = tx / scale, whole / scale, w / total
    again = x > 0

    def likelihood(point: Floats) -> tuple[float, Floats]:
        r, alpha, a, b = np.exp(point)
        late, early = np.log(alpha + whole), np.log(alpha + tx)
        alive = -(r + x) * late
        gone = np.where(again, np.log(a) - np.log(np.where(again, b + x - 1, 1.0)) - (r + x) * early, -np.inf)
        both = np.logaddexp(alive, gone)
        value = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + both
        value += gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
        share = np.exp(gone - both)
        common = psi(a + b) - psi(a + b + x)
        gradient = np.array(
            [
                w @ (psi(r + x) - psi(r) + np.log(alpha) - (1 - share) * late - share * early),
                w @ (r / alpha - (r + x) * ((1 - share) / (alpha + whole) + share / (alpha + tx))),
                w @ (common + share / a),
                w @ (common + psi(b + x) - psi(b) - share / np.where(again, b + x - 1, 1.0)),
            ]
        )
        return float(w @ value), gradient * np.exp(point)

    fit = _maximise(("r", "alpha", "a", "b"), np.log([0.5, 0.5, 1.0, 2.0]), likelihood, total)
    values = fit.values.copy()
    values[1] *= scale
    # The density of the purchase times is one over the unit of time for each of them.
    moved = fit.log_likelihood - total * float((w * x).sum()) * math.log(scale)
    return Fit(fit.names, values, fit.covariance, moved, total)


def probability_alive(fit: Fit, frequency: Floats, recency: Floats, age: Floats) -> Floats:
    """Probability that a customer still buys, given the history (1 without a repeat purchase: BG/NBD lets nobody go before one)."""
    x, tx, whole = _check_histories(frequency, recency, age)
    r, alpha, a, b = fit.values
    odds = np.log(a) - np.log(np.maximum(b + x - 1, 1e-300)) + (r + x) * (np.log(alpha + whole) - np.log(alpha + tx))
    return np.where(x > 0, 1 / (1 + np.exp(np.clip(odds, -700, 700))), 1.0)


def purchases_if_alive(fit: Fit, frequency: Floats, age: Floats, horizons: Floats) -> Floats:
    """Purchases expected within each horizon of one who is alive now.

    For one with rate L and drop-out probability p it is (1 - exp(-L p t)) / p; the rate is Gamma(r + x, alpha + T), p is Beta(a, b + x). The
    mean over the rate is closed, that over p is Gauss-Jacobi quadrature: no series that fails for long histories, or where a = 1.

    Args:
        fit: of `fit_bg_nbd`.
        frequency: repeat purchases, shape (n,).
        age: time from the first purchase, shape (n,).
        horizons: times from now, shape (h,).

    Returns:
        Shape (n, h).
    """
    x, whole = np.asarray(frequency, dtype=np.float64), np.asarray(age, dtype=np.float64)
    ahead = np.asarray(horizons, dtype=np.float64)
    r, alpha, a, b = fit.values
    result = np.empty((len(x), len(ahead)))
    for value in np.unique(x):
        rows = np.flatnonzero(x == value)
        p, weights = _beta_quadrature(a, b + value)
        ages, place = np.unique(whole[rows], return_inverse=True)
        inner = -np.expm1(-(r + value) * np.log1p(p * ahead[:, None] / (alpha + ages)[:, None, None])) / p
        result[rows] = (inner @ weights)[place]
    return result


def _beta_quadrature(a: float, b: float) -> tuple[Floats, Floats]:
    """Nodes in (0, 1) and weights, of sum 1, that integrate polynomials over a Beta(a, b) distribution (Golub and Welsch, 1969)."""
    from scipy.linalg import eigh_tridiagonal

    n = np.arange(_NODES, dtype=np.float64)
    low, high = a - 1, b - 1  # exponents of p and of 1 - p
    both = low + high
    diagonal = np.empty(_NODES)
    diagonal[0] = (low - high) / (both + 2)
    diagonal[1:] = both * (low - high) / ((2 * n[1:] + both) * (2 * n[1:] + both + 2))
    beside = np.empty(_NODES - 1)
    beside[0] = 4 * (1 + low) * (1 + high) / ((2 + both) ** 2 * (3 + both))
    n = n[2:]
    beside[1:] = 4 * n * (n + low) * (n + high) * (n + both) / ((2 * n + both) ** 2 * ((2 * n + both) ** 2 - 1))
    nodes, vectors = eigh_tridiagonal(diagonal, np.sqrt(beside))
    return np.maximum((1 + nodes) / 2, 1e-300), vectors[0] ** 2


def expected_purchases(fit: Fit, frequency: Floats, recency: Floats, age: Floats, horizon: float) -> Floats:
    """Purchases expected within a horizon from now, given the history."""
    alive = probability_alive(fit, frequency, recency, age)
    return np.asarray(alive * purchases_if_alive(fit, frequency, age, np.array([horizon]))[:, 0])


# -- money per purchase: Gamma-Gamma -----------------------------------------------------------------------------------


def fit_gamma_gamma(frequency: Floats, value: Floats, weights: Floats | None = None) -> Fit:
    """Parameters p, q and gamma of the Gamma-Gamma model of money per purchase.

    Args:
        frequency: purchases that the mean is of (the repeat purchases), at least 1.
        value: their mean amount, above 0.
        weights: how many customers have that history; None = one each.

    Raises:
        ValueError: a frequency below 1 or an amount not above 0.
        NotEstimable: no history, or no finite maximum (for example all amounts equal).
    """
    from scipy.special import gammaln, psi

    x, z = np.asarray(frequency, dtype=np.float64), np.asarray(value, dtype=np.float64)
    if x.shape != z.shape or x.ndim != 1:
        raise ValueError("frequency and value are not columns of one length")
    if np.any(x < 1) or np.any(z <= 0):
        raise ValueError("a history without a purchase, or with an amount that is not above 0")
    w = _weights(weights, len(x))
    total = float(w.sum())
    if total == 0:
        raise NotEstimable("no_repeat_purchases")
    w = w / total
    scale = float(w @ z)
    z = z / scale

    def likelihood(point: Floats) -> tuple[float, Floats]:
        p, q, gamma = np.exp(point)
        both, spent = p * x + q, np.log(gamma + x * z)
        value = gammaln(both) - gammaln(p * x) - gammaln(q) + q * np.log(gamma)
        value += (p * x - 1) * np.log(z) + p * x * np.log(x) - both * spent
        gradient = np.array(
            [
                w @ (x * (psi(both) - psi(p * x) + np.log(x * z) - spent)),
                w @ (psi(both) - psi(q) + np.log(gamma) - spent),
                w @ (q / gamma - both / (gamma + x * z)),
            ]
        )
        return float(w @ value), gradient * np.exp(point)

    fit = _maximise(("p", "q", "gamma"), np.log([2.0, 3.0, 1.0]), likelihood, total)
    values = fit.values.copy()
    values[2] *= scale
    return Fit(fit.names, values, fit.covariance, fit.log_likelihood - total * math.log(scale), total)


def expected_amount(fit: Fit, frequency: Floats, value: Floats) -> Floats:
    """Mean amount of a future purchase: the customer's own mean, drawn to that of all the more the fewer purchases there are.

    frequency 0: the mean of all, whatever `value` is. Infinite where the model has no mean (q <= 1 and no purchase).
    """
    x = np.asarray(frequency, dtype=np.float64)
    z = np.where(x > 0, np.asarray(value, dtype=np.float64), 0.0)
    p, q, gamma = fit.values
    below = p * x + q - 1
    return np.where(below > 0, p * (gamma + x * z) / np.where(below > 0, below, 1.0), np.inf)


# -- contracts: shifted beta geometric ---------------------------------------------------------------------------------


def fit_sbg(entered: Floats, periods: Floats, ended: Floats, weights: Floats | None = None) -> Fit:
    """Parameters alpha and beta of the shifted-beta-geometric model of contracts.

    Args:
        entered: full periods that a contract had lasted when it was first seen; one seen from its start has 0. Contracts that ended before
            anybody looked are in no row, and the likelihood is conditional on that.
        periods: the period in which it ended (1 = the first), or full periods that it has lasted so far.
        ended: whether it ended.
        weights: how many contracts have that history; None = one each.

    Raises:
        ValueError: a contract that ended before it was seen.
        NotEstimable: none ended, or the likelihood has no finite maximum (for example all contracts have the same probability of ending).
    """
    from scipy.special import gammaln, psi

    seen, last = np.asarray(entered, dtype=np.float64), np.asarray(periods, dtype=np.float64)
    is_end = np.asarray(ended, dtype=bool)
    if not seen.shape == last.shape == is_end.shape or seen.ndim != 1:
        raise ValueError("entered, periods and ended are not columns of one length")
    if np.any(seen < 0) or np.any(last < seen + is_end):
        raise ValueError("a contract that ended before it was seen")
    w = _weights(weights, len(seen))
    total = float(w.sum())
    if total == 0 or not np.any(w[is_end] > 0):
        raise NotEstimable("no_ends")
    w = w / total
    full = last - is_end

    def likelihood(point: Floats) -> tuple[float, Floats]:
        alpha, beta = np.exp(point)
        both = alpha + beta
        value = gammaln(beta + full) - gammaln(beta + seen) + gammaln(both + seen) - gammaln(both + full)
        value = value + np.where(is_end, np.log(alpha) - np.log(both + full), 0.0)
        shared = psi(both + seen) - psi(both + full) - np.where(is_end, 1 / (both + full), 0.0)
        gradient = np.array(
            [
                w @ (shared + np.where(is_end, 1 / alpha, 0.0)),
                w @ (shared + psi(beta + full) - psi(beta + seen)),
            ]
        )
        return float(w @ value), gradient * np.exp(point)

    rate = float((w * is_end).sum() / max(float((w * (last - seen)).sum()), 1e-9))
    start = np.log([1.0, max(1 / rate - 1, 0.1)])
    return _maximise(("alpha", "beta"), start, likelihood, total)


def sbg_survival(fit: Fit, lasted: Floats, ahead: Floats) -> Floats:
    """Probability that a contract that has lasted `lasted` full periods lasts `ahead` more; shape (n, h)."""
    from scipy.special import gammaln

    alpha, beta = fit.values
    now = np.asarray(lasted, dtype=np.float64)[:, None]
    then = now + np.asarray(ahead, dtype=np.float64)
    both = alpha + beta
    return np.exp(gammaln(beta + then) - gammaln(beta + now) + gammaln(both + now) - gammaln(both + then))


# -- value and its interval --------------------------------------------------------------------------------------------


def discount_factors(months: int, yearly_rate: float) -> Floats:
    """Worth today of 1 in the middle of each of the next months.

    Raises:
        ValueError: no month, or a rate of -100 % or less.
    """
    if months < 1:
        raise ValueError(f"months: {months} is below 1")
    if yearly_rate <= -1:
        raise ValueError(f"yearly_rate: {yearly_rate:g} leaves nothing")
    return np.asarray((1 + yearly_rate) ** (-(np.arange(months) + 0.5) / 12))


def log_interval(
    value: Callable[[Floats], Floats], fit: Fit, fixed: Floats | None = None
) -> tuple[Floats, Floats, Floats]:
    """Value at the maximum and the standard error of its logarithm, by the delta method.

    Args:
        value: parameters -> value of each history (above 0).
        fit: parameters and their covariance.
        fixed: variance of the logarithm from elsewhere, shape (n,); it is added.

    Returns:
        Values, lower and upper 95 % bounds. What the customer happens to do is not in them, only how well the parameters are known.
    """
    step = 1e-3
    centre = value(fit.values)
    logs = np.log(np.maximum(centre, 1e-300))
    slopes = np.empty((len(fit.values), len(centre)))
    for at in range(len(fit.values)):
        up, down = fit.values.copy(), fit.values.copy()
        up[at] *= math.exp(step)
        down[at] *= math.exp(-step)
        slopes[at] = (np.log(np.maximum(value(up), 1e-300)) - np.log(np.maximum(value(down), 1e-300))) / (2 * step)
    variance = np.einsum("in,ij,jn->n", slopes, fit.covariance, slopes)
    if fixed is not None:
        variance = variance + fixed
    spread = _Z * np.sqrt(np.maximum(variance, 0.0))
    return centre, np.exp(logs - spread), np.exp(logs + spread)
