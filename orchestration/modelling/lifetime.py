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
from functools import partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MODEL_VERSION = "1"
DAYS_A_WEEK = 7.0
DAYS_A_MONTH = 365.25 / 12
_Z = 1.959963984540054
_NEARLY_CONSTANT = 1e7
"""alpha + beta that stands for infinity: what every contract ends with is the same to seven digits."""
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
    covariance = np.asarray(np.linalg.inv(hessian), dtype=np.float64)
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


def fit_sbg(entered: Floats, periods: Floats, ended: NDArray[np.bool_], weights: Floats | None = None) -> Fit:
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


# -- customers ---------------------------------------------------------------------------------------------------------

PARAMETER_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "relation": pl.String,
    "source": pl.String,
    "population": pl.String,
    "model": pl.String,
    "parameter": pl.String,
    "parameter_value": pl.Float64,
    "parameter_low": pl.Float64,
    "parameter_high": pl.Float64,
    "covariances": pl.List(pl.Float64),
    "histories": pl.Int64,
    "log_likelihood": pl.Float64,
    "margin_share": pl.Float64,
    "margin_basis": pl.String,
    "backtest_expected": pl.Float64,
    "backtest_observed": pl.Int64,
    "reason": pl.String,
    "model_version": pl.String,
    "as_of": pl.Date,
}
VALUE_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "customer_key": pl.String,
    "source": pl.String,
    "relation": pl.String,
    "currency": pl.String,
    "probability_alive": pl.Float64,
    "expected_purchases": pl.Float64,
    "expected_contract_months": pl.Float64,
    "expected_amount": pl.Float64,
    "expected_revenue": pl.Float64,
    "expected_margin": pl.Float64,
    "lifetime_value": pl.Float64,
    "lifetime_value_low": pl.Float64,
    "lifetime_value_high": pl.Float64,
    "horizon_months": pl.Int64,
    "reason": pl.String,
    "model_version": pl.String,
    "as_of": pl.Date,
}
MODELS = {
    "bg_nbd": ("r", "alpha", "a", "b"),
    "gamma_gamma": ("p", "q", "gamma"),
    "sbg": ("alpha", "beta"),
}
"""Name of a model -> its parameters."""
EVERYBODY = "all"


def _rules(rules: pl.DataFrame) -> dict[str, dict[str, float | int | None]]:
    found = {str(row["relation"]): row for row in rules.iter_rows(named=True)}
    for relation in ("orders", "contract"):
        if relation not in found:
            raise ValueError(f"value_rules.csv: no line for {relation}")
        row = found[relation]
        if not 1 <= int(row["horizon_months"]) <= 240:
            raise ValueError(f"value_rules.csv: {relation}: horizon_months {row['horizon_months']}; use 1 to 240")
        if not -0.5 < float(row["discount_rate"]) < 1:
            raise ValueError(f"value_rules.csv: {relation}: discount_rate {row['discount_rate']}; use a share, as 0.1")
        if row["margin_share"] is not None and not -1 <= float(row["margin_share"]) <= 1:
            raise ValueError(f"value_rules.csv: {relation}: margin_share {row['margin_share']}; use a share, as 0.3")
    return found


def _margin(
    rule: dict[str, float | int | None], costed: float, cost: float, sold: float, returned: float
) -> tuple[float | None, str]:
    """Share of a sale that is left, and where it comes from: the seed, what was measured, or nowhere."""
    if rule["margin_share"] is not None:
        return float(rule["margin_share"]), "given"
    if costed > 0 and sold > 0:
        return (1 - cost / costed) - returned / sold, "measured"
    return None, "unknown"


def _sample(frame: pl.DataFrame, most: int) -> pl.DataFrame:
    """At most about `most` rows, evenly over a frame sorted by a pseudonymous key; the same ones whenever the frame is the same."""
    if frame.height <= most:
        return frame
    return frame.gather_every(-(-frame.height // most))


def _parameter_rows(
    head: dict[str, object], model: str, fit: Fit | None, reason: str | None
) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for at, name in enumerate(MODELS[model]):
        row = {**head, "model": model, "parameter": name, "reason": reason, "model_version": MODEL_VERSION}
        if fit is not None:
            low, high = fit.interval(name)
            row |= {
                "parameter_value": fit[name], "parameter_low": low, "parameter_high": high,
                "covariances": fit.covariance[at].tolist(), "histories": int(fit.histories), "log_likelihood": fit.log_likelihood,
            }  # fmt: skip
        rows.append(row)
    return rows


def _fitted(make: Callable[[], Fit | tuple[Fit, str | None]]) -> tuple[Fit | None, str | None]:
    try:
        made = make()
        return made if isinstance(made, tuple) else (made, None)
    except NotEstimable as found:
        return None, found.reason


def _purchase_arrays(frame: pl.DataFrame) -> tuple[Floats, Floats, Floats]:
    weeks = [frame[name].to_numpy().astype(np.float64) / DAYS_A_WEEK for name in ("recency_days", "age_days")]
    return frame["repeat_purchases"].to_numpy().astype(np.float64), weeks[0], weeks[1]


def fit_purchases(histories: pl.DataFrame, most: int) -> Fit:
    """BG/NBD, in weeks, of a frame of histories (repeat_purchases, recency_days, age_days, customer_key)."""
    chosen = _sample(histories.sort("customer_key"), most)
    groups = (
        chosen.group_by("repeat_purchases", "recency_days", "age_days")
        .len()
        .sort("repeat_purchases", "recency_days", "age_days")
    )
    return fit_bg_nbd(*_purchase_arrays(groups), groups["len"].to_numpy().astype(np.float64))


def fit_amounts(histories: pl.DataFrame, most: int) -> Fit:
    """Gamma-Gamma of the mean amounts of repeat purchases (money_purchases, repeat_amount, customer_key)."""
    usable = histories.filter((pl.col("money_purchases") > 0) & (pl.col("repeat_amount") > 0)).sort("customer_key")
    usable = _sample(usable, most)
    count = usable["money_purchases"].to_numpy().astype(np.float64)
    return fit_gamma_gamma(count, usable["repeat_amount"].to_numpy() / count)


def fit_contracts(lives: pl.DataFrame, most: int) -> tuple[Fit, str | None]:
    """Shifted beta geometric, in months, of a frame of contracts (entered_months, months, is_ended, subscription_id).

    Where all contracts end at one rate the likelihood grows without end towards it; then that rate is taken, and the reason is `constant_rate`.
    """
    chosen = _sample(lives.sort("subscription_id"), most)
    groups = chosen.group_by("entered_months", "months", "is_ended").len().sort("entered_months", "months", "is_ended")
    entered, months, ended = (groups[name].to_numpy() for name in ("entered_months", "months", "is_ended"))
    weights = groups["len"].to_numpy().astype(np.float64)
    try:
        return fit_sbg(entered, months, ended, weights), None
    except NotEstimable as found:
        if found.reason == "no_ends":
            raise
        return _constant_rate(entered, months, ended, weights), "constant_rate"


def _constant_rate(entered: Floats, months: Floats, ended: Floats, weights: Floats) -> Fit:
    """The limit of the shifted beta geometric in which every contract ends with the same probability each period."""
    ends, lived = float(weights @ ended), float(weights @ (months - entered))
    rate = min(ends / lived, 1 - 1e-9)
    along = np.array([1.0, -rate / (1 - rate)])
    likelihood = ends * math.log(rate) + (lived - ends) * math.log1p(-rate)
    values = np.array([rate, 1 - rate]) * _NEARLY_CONSTANT
    return Fit(MODELS["sbg"], values, np.outer(along, along) * (1 - rate) / ends, likelihood, float(weights.sum()))


def value_parameters(purchases: pl.DataFrame, contracts: pl.DataFrame, rules: pl.DataFrame) -> pl.DataFrame:
    """Parameters of every population, and how the model of a half-year ago did.

    Args:
        purchases: rows of `ftr_purchase_histories`.
        contracts: rows of `ftr_contract_lives`.
        rules: `seeds/value_rules.csv`: relation, margin_share (null = measured), discount_rate (a year), horizon_months,
            minimum_customers, fit_customers.

    Returns:
        Schema `PARAMETER_SCHEMA`. Populations: the customers of a shop (money: of a shop and currency); the contracts of a source and product
        line, and of a source. What is not estimable has a row for each parameter without a value, and a reason.
    """
    found = _rules(rules)
    rows: list[dict[str, object]] = []
    rule = found["orders"]
    least, most = int(rule["minimum_customers"] or 0), int(rule["fit_customers"] or 0)
    for source in sorted(purchases["source"].unique().to_list()):
        shop = purchases.filter(pl.col("source") == source)
        now, then = shop.filter(pl.col("is_current")), shop.filter(~pl.col("is_current"))
        head: dict[str, object] = {
            "relation": "orders",
            "source": source,
            "population": EVERYBODY,
            "as_of": now["as_of"].max(),
        }
        enough = now.height >= least
        fit, reason = _fitted(partial(fit_purchases, now, most)) if enough else (None, "below_minimum_base")
        backtest: dict[str, object] = {}
        if fit is not None and then.height >= least:
            earlier, _ = _fitted(partial(fit_purchases, then, most))
            if earlier is not None:
                ahead = float((now["as_of"].max() - then["as_of"].max()).days) / DAYS_A_WEEK  # type: ignore[operator,union-attr]
                groups = (
                    then.group_by("repeat_purchases", "recency_days", "age_days")
                    .len()
                    .sort("repeat_purchases", "recency_days", "age_days")
                )
                expected = expected_purchases(earlier, *_purchase_arrays(groups), ahead)
                backtest = {
                    "backtest_expected": round(float(expected @ groups["len"].to_numpy()), 6),
                    "backtest_observed": int(then["purchases_after"].sum()),
                }
        rows += _parameter_rows({**head, **backtest}, "bg_nbd", fit, reason)
        for currency in sorted(now["currency"].unique().to_list()):
            money = now.filter(pl.col("currency") == currency)
            repeated = money.filter((pl.col("money_purchases") > 0) & (pl.col("repeat_amount") > 0))
            fit, reason = (
                _fitted(partial(fit_amounts, repeated, most))
                if repeated.height >= least
                else (None, "below_minimum_base")
            )
            share, basis = _margin(
                rule,
                *(
                    float(money[name].sum())
                    for name in ("costed_amount", "cost_amount", "total_amount", "returned_amount")
                ),
            )
            head_money = {
                **head,
                "population": currency,
                "margin_share": None if share is None else round(share, 9),
                "margin_basis": basis,
            }
            rows += _parameter_rows(head_money, "gamma_gamma", fit, reason)
    rule = found["contract"]
    least, most = int(rule["minimum_customers"] or 0), int(rule["fit_customers"] or 0)
    for source in sorted(contracts["source"].unique().to_list()):
        of_source = contracts.filter(pl.col("source") == source)
        for population in [*sorted(of_source["product_line"].unique().to_list()), EVERYBODY]:
            lives = of_source if population == EVERYBODY else of_source.filter(pl.col("product_line") == population)
            now, then = lives.filter(pl.col("is_current")), lives.filter(~pl.col("is_current"))
            enough = int(now["is_ended"].sum()) >= least
            fit, reason = _fitted(partial(fit_contracts, now, most)) if enough else (None, "below_minimum_base")
            backtest = {}
            if fit is not None and int(then["is_ended"].sum()) >= least // 2:
                earlier, _ = _fitted(partial(fit_contracts, then, most))
                if earlier is not None:
                    running = then.filter(~pl.col("is_ended")).group_by("months").len().sort("months")
                    ahead = float((now["as_of"].max() - then["as_of"].max()).days) / DAYS_A_MONTH  # type: ignore[operator,union-attr]
                    stays = sbg_survival(earlier, running["months"].to_numpy(), np.array([ahead]))[:, 0]
                    backtest = {
                        "backtest_expected": round(float((1 - stays) @ running["len"].to_numpy()), 6),
                        "backtest_observed": int(then["is_ended_after"].sum()),
                    }
            lines = now.unique(subset="product_line").sort("product_line") if population == EVERYBODY else now.head(1)
            sums = [
                float(lines[name].sum())
                for name in ("costed_amount", "cost_amount", "charged_amount", "returned_amount")
            ]
            share, basis = _margin(rule, *sums)
            head = {
                "relation": "contract", "source": source, "population": population, "as_of": now["as_of"].max(), **backtest,
                "margin_share": None if share is None else round(share, 9), "margin_basis": basis,
            }  # fmt: skip
            rows += _parameter_rows(head, "sbg", fit, reason)
    return pl.DataFrame(rows, schema=PARAMETER_SCHEMA).sort("relation", "source", "population", "model", "parameter")


def _fit_of(
    parameters: pl.DataFrame, model: str, source: str, population: str
) -> tuple[Fit | None, float | None, str | None]:
    """Fit, margin and reason as `value_parameters` wrote them down."""
    rows = parameters.filter(
        (pl.col("model") == model) & (pl.col("source") == source) & (pl.col("population") == population)
    )
    by_name = {row["parameter"]: row for row in rows.iter_rows(named=True)}
    listed = [by_name[name] for name in MODELS[model] if name in by_name]
    if len(listed) < len(MODELS[model]):
        return None, None, "below_minimum_base"
    first = listed[0]
    if first["parameter_value"] is None:
        return None, first["margin_share"], first["reason"]
    values = np.array([row["parameter_value"] for row in listed])
    covariance = np.array([row["covariances"] for row in listed])
    fit = Fit(MODELS[model], values, covariance, float(first["log_likelihood"]), float(first["histories"]))
    return fit, first["margin_share"], None


def _moved(fit: Fit, at: int, step: float) -> Fit:
    values = fit.values.copy()
    values[at] *= math.exp(step)
    return Fit(fit.names, values, fit.covariance, fit.log_likelihood, fit.histories)


_STEP = 1e-3
_PAIRS = 20_000
"""More pairs of purchases and age than that, and ages are taken in whole weeks."""


def _purchase_values(
    frame: pl.DataFrame, parameters: pl.DataFrame, rule: dict[str, float | int | None]
) -> pl.DataFrame:
    """Rows of `VALUE_SCHEMA` of the customers of one shop."""
    source = str(frame["source"][0])
    months = int(rule["horizon_months"] or 0)
    weights = discount_factors(months, float(rule["discount_rate"] or 0.0))
    fit, _, reason = _fit_of(parameters, "bg_nbd", source, EVERYBODY)
    keep = ["customer_key", "source", "currency", "as_of"]
    base = frame.select(keep).with_columns(relation=pl.lit("orders"), horizon_months=pl.lit(months, dtype=pl.Int64))
    if fit is None:
        return base.with_columns(reason=pl.lit(reason))
    x, tx, age = _purchase_arrays(frame)
    pairs = frame.select("repeat_purchases", "age_days")
    if pairs.n_unique() > _PAIRS:
        pairs = pairs.with_columns((pl.col("age_days") + 3) // 7 * 7)
    unique = pairs.unique().sort("repeat_purchases", "age_days")
    place = pairs.join(
        unique.with_row_index("_at"), on=["repeat_purchases", "age_days"], how="left", maintain_order="left"
    )["_at"].to_numpy()
    unique_x = unique["repeat_purchases"].to_numpy().astype(np.float64)
    unique_age = unique["age_days"].to_numpy().astype(np.float64) / DAYS_A_WEEK
    ends = np.arange(1, months + 1, dtype=np.float64) * (DAYS_A_MONTH / DAYS_A_WEEK)

    def discounted(of: Fit) -> Floats:
        bought = purchases_if_alive(of, unique_x, unique_age, ends)
        return (np.diff(bought, axis=1, prepend=0.0) @ weights)[place] * probability_alive(of, x, tx, age)

    year = DAYS_A_MONTH * 12 / DAYS_A_WEEK
    alive = probability_alive(fit, x, tx, age)
    bought = alive * purchases_if_alive(fit, unique_x, unique_age, np.array([year], dtype=np.float64))[:, 0][place]
    purchases_ahead = discounted(fit)
    slopes = np.stack(
        [
            np.log(
                np.maximum(discounted(_moved(fit, at, _STEP)), 1e-300)
                / np.maximum(discounted(_moved(fit, at, -_STEP)), 1e-300)
            )
            / (2 * _STEP)
            for at in range(len(fit.names))
        ]
    )
    variance = np.einsum("in,ij,jn->n", slopes, fit.covariance, slopes)
    amount = np.full(frame.height, np.nan)
    margin = np.full(frame.height, np.nan)
    why = np.full(frame.height, None, dtype=object)
    money_x = frame["money_purchases"].to_numpy().astype(np.float64)
    spent = frame["repeat_amount"].fill_null(0.0).to_numpy()
    # A mean that is not above 0 is outside the model: such a customer counts as one whose amounts are not known.
    money_x = np.where(spent > 0, money_x, 0.0)
    mean = np.divide(spent, money_x, out=np.zeros_like(spent), where=money_x > 0)
    currency = frame["currency"].to_numpy()
    for name in sorted(set(currency.tolist())):
        rows = np.flatnonzero(currency == name)
        money, share, money_reason = _fit_of(parameters, "gamma_gamma", source, name)
        if money is None:
            why[rows] = money_reason
            continue
        found = expected_amount(money, money_x[rows], mean[rows])
        amount[rows] = np.where(np.isfinite(found), found, np.nan)
        logs = np.stack(
            [
                np.log(
                    expected_amount(_moved(money, at, _STEP), money_x[rows], mean[rows])
                    / expected_amount(_moved(money, at, -_STEP), money_x[rows], mean[rows])
                )
                / (2 * _STEP)
                for at in range(len(money.names))
            ]
        )
        variance[rows] += np.einsum("in,ij,jn->n", logs, money.covariance, logs)
        if share is None:
            why[rows] = "margin_unknown"
        else:
            margin[rows] = share
    spread = _Z * np.sqrt(np.maximum(variance, 0.0))
    worth = purchases_ahead * amount * margin
    ends_of = np.stack([worth * np.exp(-spread), worth * np.exp(spread)])
    return base.with_columns(
        probability_alive=pl.Series(alive),
        expected_purchases=pl.Series(bought),
        expected_amount=pl.Series(amount),
        expected_revenue=pl.Series(bought * amount),
        expected_margin=pl.Series(bought * amount * margin),
        lifetime_value=pl.Series(worth),
        # With a negative margin the larger spread is the lower end.
        lifetime_value_low=pl.Series(ends_of.min(axis=0)),
        lifetime_value_high=pl.Series(ends_of.max(axis=0)),
        reason=pl.Series(why.tolist(), dtype=pl.String),
    )


def _contract_values(
    frame: pl.DataFrame, parameters: pl.DataFrame, rule: dict[str, float | int | None]
) -> pl.DataFrame:
    """Rows of `VALUE_SCHEMA` of customers with running contracts of one source."""
    source = str(frame["source"][0])
    months = int(rule["horizon_months"] or 0)
    weights = discount_factors(months, float(rule["discount_rate"] or 0.0))
    ahead = np.arange(1, months + 1, dtype=np.float64)
    whole, whole_margin, whole_reason = _fit_of(parameters, "sbg", source, EVERYBODY)
    parts: list[pl.DataFrame] = []
    for line in sorted(frame["product_line"].unique().to_list()):
        rows = frame.filter(pl.col("product_line") == line)
        fit, share, _ = _fit_of(parameters, "sbg", source, line)
        population = line
        if fit is None:
            fit, population = whole, EVERYBODY
        if share is None:
            share = whole_margin
        if fit is None:
            parts.append(
                rows.select(
                    "customer_key", "currency", pl.lit(whole_reason).alias("reason"), population=pl.lit(population)
                )
            )
            continue
        ages = rows.select("months").unique().sort("months")
        lasted = ages["months"].to_numpy().astype(np.float64)

        # A month is paid for when the contract has lasted to its beginning.
        def paid(of: Fit, lasted: Floats = lasted) -> Floats:
            return sbg_survival(of, lasted, ahead - 1)

        stays = paid(fit)
        table = ages.with_columns(
            _year=pl.Series(stays[:, : min(12, months)].sum(axis=1)),
            _worth=pl.Series(stays @ weights),
            _slope_0=pl.Series((paid(_moved(fit, 0, _STEP)) - paid(_moved(fit, 0, -_STEP))) @ weights / (2 * _STEP)),
            _slope_1=pl.Series((paid(_moved(fit, 1, _STEP)) - paid(_moved(fit, 1, -_STEP))) @ weights / (2 * _STEP)),
        )
        left = pl.lit(share, dtype=pl.Float64)
        parts.append(
            rows.join(table, on="months", how="left", maintain_order="left").select(
                "customer_key",
                "currency",
                population=pl.lit(population),
                reason=pl.when(pl.col("monthly_fee").is_null())
                .then(pl.lit("fee_unknown"))
                .when(left.is_null())
                .then(pl.lit("margin_unknown")),
                months_ahead=pl.col("_year"),
                revenue=pl.col("_year") * pl.col("monthly_fee"),
                margin=pl.col("_year") * pl.col("monthly_fee") * left,
                worth=pl.col("_worth") * pl.col("monthly_fee") * left,
                slope_0=pl.col("_slope_0") * pl.col("monthly_fee") * left,
                slope_1=pl.col("_slope_1") * pl.col("monthly_fee") * left,
            )
        )
    every = pl.concat(parts, how="diagonal_relaxed")
    for name in ("months_ahead", "revenue", "margin", "worth", "slope_0", "slope_1"):
        if name not in every.columns:
            every = every.with_columns(pl.lit(None, dtype=pl.Float64).alias(name))
    groups = every.group_by("customer_key", "population").agg(
        pl.col("months_ahead", "revenue", "margin", "worth", "slope_0", "slope_1").sum(),
        pl.col("reason").drop_nulls().min(),
        pl.col("currency").min().alias("first_currency"),
        pl.col("currency").max().alias("last_currency"),
    )
    covariances = []
    for population in groups["population"].unique().to_list():
        fit, _, _ = _fit_of(parameters, "sbg", source, population)
        flat = [0.0, 0.0, 0.0] if fit is None else [fit.covariance[0, 0], fit.covariance[0, 1], fit.covariance[1, 1]]
        covariances.append({"population": population, "v00": flat[0], "v01": flat[1], "v11": flat[2]})
    groups = groups.join(pl.DataFrame(covariances), on="population", how="left").with_columns(
        variance=pl.col("slope_0") ** 2 * pl.col("v00")
        + 2 * pl.col("slope_0") * pl.col("slope_1") * pl.col("v01")
        + pl.col("slope_1") ** 2 * pl.col("v11")
    )
    customers = (
        groups.sort("customer_key", "population")
        .group_by("customer_key", maintain_order=True)
        .agg(
            pl.col("months_ahead").sum().alias("expected_contract_months"),
            pl.col("revenue", "margin", "worth", "variance").sum(),
            pl.col("reason").drop_nulls().min(),
            pl.col("first_currency").min(),
            pl.col("last_currency").max(),
        )
    )
    reason = pl.coalesce(
        "reason", pl.when(pl.col("first_currency") != pl.col("last_currency")).then(pl.lit("several_currencies"))
    )
    spread = pl.when(pl.col("worth") != 0).then(_Z * pl.col("variance").sqrt() / pl.col("worth").abs()).otherwise(0.0)
    low, high = pl.col("worth") * (-spread).exp(), pl.col("worth") * spread.exp()

    def known(expression: pl.Expr) -> pl.Expr:
        return pl.when(pl.col("reason").is_null()).then(expression)

    fitted = pl.col("reason").is_null() | pl.col("reason").is_in(
        ["fee_unknown", "margin_unknown", "several_currencies"]
    )
    return (
        customers.with_columns(reason=reason)
        .with_columns(
            expected_revenue=pl.when(pl.col("reason").is_null() | (pl.col("reason") == "margin_unknown")).then(
                "revenue"
            ),
            expected_margin=known(pl.col("margin")),
            lifetime_value=known(pl.col("worth")),
            lifetime_value_low=known(pl.min_horizontal(low, high)),
            lifetime_value_high=known(pl.max_horizontal(low, high)),
            expected_contract_months=pl.when(fitted).then("expected_contract_months"),
        )
        .select(
            "customer_key",
            "expected_revenue",
            "expected_margin",
            "lifetime_value",
            "lifetime_value_low",
            "lifetime_value_high",
            "reason",
            source=pl.lit(source),
            relation=pl.lit("contract"),
            currency=pl.when(pl.col("first_currency") == pl.col("last_currency")).then("first_currency"),
            probability_alive=pl.lit(1.0),
            expected_contract_months=pl.col("expected_contract_months"),
            horizon_months=pl.lit(months, dtype=pl.Int64),
            as_of=pl.lit(frame["as_of"][0], dtype=pl.Date),
        )
    )


def customer_values(
    purchases: pl.DataFrame, contracts: pl.DataFrame, parameters: pl.DataFrame, rules: pl.DataFrame
) -> pl.DataFrame:
    """What each customer is expected to buy in 12 months and to be worth over the horizon.

    Args:
        purchases, contracts, rules: as in `value_parameters`.
        parameters: what it gave.

    Returns:
        Schema `VALUE_SCHEMA`, one row per customer with a running contract or, without ever a contract, with a purchase. The interval is that of
        the expected value, by the delta method (95 %).
    """
    found = _rules(rules)
    frames: list[pl.DataFrame] = []
    now = purchases.filter(pl.col("is_current"))
    for source in sorted(now["source"].unique().to_list()):
        shop = now.filter(pl.col("source") == source).sort("customer_key")
        frames.append(_purchase_values(shop, parameters, found["orders"]))
    running = contracts.filter(pl.col("is_current") & ~pl.col("is_ended") & pl.col("customer_key").is_not_null())
    for source in sorted(running["source"].unique().to_list()):
        frames.append(_contract_values(running.filter(pl.col("source") == source), parameters, found["contract"]))
    if not frames:
        return pl.DataFrame(schema=VALUE_SCHEMA)
    every = pl.concat(frames, how="diagonal_relaxed").with_columns(model_version=pl.lit(MODEL_VERSION))
    missing = [pl.lit(None, dtype=kind).alias(name) for name, kind in VALUE_SCHEMA.items() if name not in every.columns]
    numbers = [name for name, kind in VALUE_SCHEMA.items() if kind == pl.Float64]
    every = every.with_columns(missing).with_columns(pl.col(numbers).fill_nan(None).round(9))
    return every.select(pl.col(name).cast(kind) for name, kind in VALUE_SCHEMA.items()).sort("customer_key", "source")
