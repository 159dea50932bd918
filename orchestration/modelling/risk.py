"""Churn risk: the probability that a customer leaves within the horizon, why, and how far such probabilities have been right.

Belongs here: the check that no feature knows the outcome, the model, its calibration, its test on later days, and the score of every customer.
Does not belong here: features and labels (SQL, `ftr_customer_risk`), and what a customer is worth (`lifetime.py`).

The model is additive: each feature is cut into bins, each bin has points, and the points of all features and a constant add up to the logarithm of
the odds. So the reasons of a customer are exact, not approximated: what his bins add above the average customer. Neighbouring bins share most of
their points: the steps between them have a normal prior around 0, which is a ridge on indicators "above the edge" (a first-order random walk).

Time: the model learns from some past days, is calibrated on a later one, and is tested on days still later; the horizon lies between them, so that
every outcome was known when it was used. The model that scores today is the same recipe moved to the newest days.

Sources: L. Fahrmeir and S. Lang, "Bayesian inference for generalized additive mixed models based on Markov random field priors", *JRSS C* 50, 2001
(random-walk steps); S. N. Wood and M. Fasiolo, "A generalized Fellner-Schall method for smoothing parameter optimization", *Biometrics* 73, 2017
(how far the steps of a feature may go); J. Platt, "Probabilistic outputs for support vector machines", 1999 (calibration); D. R. Cox, "Two further applications of a
model for binary regression", *Biometrika* 45, 1958 (slope and intercept); N. A. Obuchowski, "Nonparametric analysis of clustered ROC curve data",
*Biometrics* 53, 1997 (interval of the AUC); G. W. Brier, *Monthly Weather Review* 78, 1950.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MODEL_VERSION = "2"
STEP_DEVIATION = 0.2
"""Prior standard deviation of the step between neighbouring bins, and of a category, in units of log odds."""
_LEARNED_DEVIATION, _LEARNED_STEPS = 0.1, 3.0
"""Prior of a deviation that is learned: it counts like three further steps of that size."""
_SMALLEST_DEVIATION, _LARGEST_DEVIATION = 0.01, 1.0
_ROUNDS = 10
CALIBRATION_DEVIATION = 0.5
"""Prior standard deviation of the calibration's slope around 1."""
SPACING_DAYS = 30
_BINS = 8
_FEWEST = 30
"""A category with fewer rows is taken with the others that are rare."""
_OTHER, _UNKNOWN = "(other)", "(unknown)"
_BASE, _SLOPE, _INTERCEPT = "(base)", "(calibration slope)", "(calibration intercept)"
_REASON_POINTS = 0.1
"""What adds less than that to the log odds is no reason."""
_ROWS = 250_000
"""Rows that a fit is made from at most: all who left, and an even part of those who stayed, with weights."""
_Z = 1.959963984540054


def sigmoid(logit: Floats) -> Floats:
    """1 / (1 + exp(-logit)), without overflow."""
    return np.where(logit >= 0, 1 / (1 + np.exp(-np.abs(logit))), np.exp(-np.abs(logit)) / (1 + np.exp(-np.abs(logit))))


# -- measures ----------------------------------------------------------------------------------------------------------


def _ranks(values: Floats) -> Floats:
    """Mid-ranks from 1."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[place], dtype=np.float64)


def auc(outcome: NDArray[np.bool_], score: Floats) -> float | None:
    """Probability that one who left has a higher score than one who stayed, ties counting half; None without one of each."""
    left = np.asarray(outcome, dtype=bool)
    n, m = int(left.sum()), int((~left).sum())
    if n == 0 or m == 0:
        return None
    return float((_ranks(np.asarray(score, dtype=np.float64))[left].sum() - n * (n + 1) / 2) / (n * m))


def auc_interval(
    outcome: NDArray[np.bool_], score: Floats, clusters: Integers
) -> tuple[float | None, float | None, float | None]:
    """AUC with its 95 % interval, rows of one cluster (customer) not being independent.

    clusters: number of the cluster of each row, from 0.
    """
    left = np.asarray(outcome, dtype=bool)
    value = auc(left, score)
    if value is None:
        return None, None, None
    n, m = int(left.sum()), int((~left).sum())
    score = np.asarray(score, dtype=np.float64)
    every, own = _ranks(score), np.empty(len(score))
    own[left], own[~left] = _ranks(score[left]), _ranks(score[~left])
    # Of one who left: the share of the others below him; of one who stayed: the share of the others above him.
    placement = np.where(left, (every - own) / m, 1 - (every - own) / n)
    size = int(clusters.max()) + 1
    deviation = np.where(left, (placement - value) / n, (placement - value) / m)
    by_cluster = np.bincount(clusters, weights=deviation, minlength=size)
    used = int((np.bincount(clusters, minlength=size) > 0).sum())
    error = math.sqrt(float((by_cluster**2).sum()) * used / max(used - 1, 1))
    return value, max(value - _Z * error, 0.0), min(value + _Z * error, 1.0)


def calibration(outcome: NDArray[np.bool_], probability: Floats) -> tuple[float, float, float, float] | None:
    """Cox's slope with its standard error, and intercept at slope 1 with its standard error; None where the outcome does not vary.

    Slope 1 and intercept 0: probabilities are as they should be. A slope below 1: they are too extreme.
    """
    y = np.asarray(outcome, dtype=np.float64)
    if y.sum() in (0, len(y)):
        return None
    clipped = np.clip(np.asarray(probability, dtype=np.float64), 1e-9, 1 - 1e-9)
    x = np.log(clipped / (1 - clipped))
    both = _newton(np.column_stack([np.ones_like(x), x]), y, np.ones_like(x), np.zeros(2), np.array([0.0, 1.0]))
    moved = _newton(np.ones((len(x), 1)), y, np.ones_like(x), np.zeros(1), np.zeros(1), offset=x)
    return float(both[0][1]), math.sqrt(float(both[1][1, 1])), float(moved[0][0]), math.sqrt(float(moved[1][0, 0]))


def captured(outcome: NDArray[np.bool_], probability: Floats, share: float) -> float | None:
    """Share of those who left that the `share` of customers with the highest probability holds; ties are taken in part."""
    left = np.asarray(outcome, dtype=np.float64)
    if left.sum() == 0:
        return None
    wanted = share * len(left)
    values, place = np.unique(-np.asarray(probability, dtype=np.float64), return_inverse=True)
    size = np.bincount(place, minlength=len(values)).astype(np.float64)
    hits = np.bincount(place, weights=left, minlength=len(values))
    before = np.concatenate([[0.0], np.cumsum(size)[:-1]])
    taken = np.clip(wanted - before, 0, size) / size
    return float((taken * hits).sum() / left.sum())


# -- the model ---------------------------------------------------------------------------------------------------------


def _newton(
    table: Floats,
    y: Floats,
    weights: Floats,
    penalty: Floats,
    centre: Floats,
    *,
    offset: Floats | float = 0.0,
    start: Floats | None = None,
    most: int = 100,
) -> tuple[Floats, Floats]:
    """Penalised logistic regression: coefficients and the inverse of the second derivatives.

    penalty: of each coefficient's squared distance to `centre`, halved. Steps are halved until the objective falls.
    start: where to begin; None = at `centre`. most: so many steps at most.
    """
    beta = (centre if start is None else start).astype(np.float64).copy()

    def objective(point: Floats) -> float:
        logit = table @ point + offset
        return float(weights @ (np.logaddexp(0, logit) - y * logit) + 0.5 * penalty @ (point - centre) ** 2)

    value = objective(beta)
    hessian = np.eye(len(beta))
    for _ in range(most):
        p = sigmoid(np.asarray(table @ beta + offset, dtype=np.float64))
        gradient = table.T @ (weights * (p - y)) + penalty * (beta - centre)
        curve = weights * p * (1 - p)
        hessian = (table * curve[:, None].astype(table.dtype)).T @ table + np.diag(penalty)
        hessian = np.asarray(hessian, dtype=np.float64) + 1e-9 * np.eye(len(beta))
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        while size > 1e-6:
            moved = objective(beta - size * step)
            if moved <= value + 1e-12 * abs(value):
                break
            size /= 2
        beta = beta - size * step
        done = abs(value - moved) <= 1e-10 * (1 + abs(value)) and float(np.abs(size * step).max()) < 1e-5
        value = moved
        if done:
            break
    return beta, np.asarray(np.linalg.inv(hessian), dtype=np.float64)


@dataclass(frozen=True)
class Feature:
    """One line of `seeds/risk_features.csv`: a column, whether it is a number or a category, and the reason that it speaks for."""

    name: str
    kind: str
    reason: str


def features_of(seed: pl.DataFrame, columns: Sequence[str]) -> tuple[Feature, ...]:
    """Features of the seed, sorted by name.

    Raises:
        ValueError: a feature that is no column, an unknown kind, or a feature without a reason.
    """
    found = []
    for row in seed.sort("feature").iter_rows(named=True):
        if row["feature"] not in columns:
            raise ValueError(f"risk_features.csv: {row['feature']} is no column of ftr_customer_risk")
        if row["value_kind"] not in ("number", "category"):
            raise ValueError(
                f"risk_features.csv: {row['feature']}: value_kind {row['value_kind']!r}; use number or category"
            )
        if not row["reason"]:
            raise ValueError(f"risk_features.csv: {row['feature']}: no reason")
        found.append(Feature(row["feature"], row["value_kind"], row["reason"]))
    return tuple(found)


@dataclass(frozen=True)
class Binned:
    """A feature in bins: numbers above edges, categories by name; the last bin is that of what is not known."""

    feature: Feature
    edges: Floats
    categories: tuple[str, ...]

    @property
    def bins(self) -> int:
        return (len(self.edges) + 1 if self.feature.kind == "number" else len(self.categories)) + 1

    def of(self, values: pl.Series) -> Integers:
        """Bin of each value."""
        if self.feature.kind == "number":
            numbers = values.cast(pl.Float64).to_numpy()
            place = np.searchsorted(self.edges, numbers, side="left")
            return np.where(np.isfinite(numbers), place, self.bins - 1).astype(np.int64)
        names = {name: at for at, name in enumerate(self.categories)}
        other = names.get(_OTHER, self.bins - 1)
        texts = values.cast(pl.String)
        found = texts.replace_strict(names, default=other, return_dtype=pl.Int64)
        return np.asarray(found.set(texts.is_null(), self.bins - 1).to_numpy(), dtype=np.int64)

    def coding(self) -> Floats:
        """Columns of the fit for each bin: steps above the edges, or one indicator a category; and one for what is not known."""
        size = self.bins
        if self.feature.kind == "number":
            table = np.tri(size - 1, size - 1, -1)[:, : size - 2]
            table = np.vstack([table, np.zeros((1, table.shape[1]))])
        else:
            table = np.vstack([np.eye(size - 1), np.zeros((1, size - 1))])
        unknown = np.zeros((size, 1))
        unknown[-1] = 1
        return np.hstack([table, unknown])


def binned(feature: Feature, values: pl.Series) -> Binned:
    """Bins of a feature from the values that a model learns from: about equally full, and none without a value."""
    if feature.kind == "number":
        numbers = values.cast(pl.Float64).to_numpy()
        known = numbers[np.isfinite(numbers)]
        if len(known) == 0:
            return Binned(feature, np.empty(0), ())
        # Quantiles of the values and, apart, of those above the smallest: a count that is mostly 0 has edges where it is not.
        above = known[known > known.min()]
        cuts = np.quantile(known, np.arange(1, _BINS) / _BINS, method="lower")
        more = np.quantile(above, np.arange(4) / 4, method="lower") if len(above) else np.empty(0)
        # The same the other way round for a number that is mostly at its largest.
        below = known[known < known.max()]
        if 0 < len(below) < len(known) / 2:
            more = np.concatenate([more, np.quantile(below, np.arange(1, 5) / 4, method="lower")])
        edges = np.unique(np.concatenate([[known.min()], cuts, more]))
        return Binned(feature, edges[edges < known.max()], ())
    counted = values.cast(pl.String).drop_nulls().value_counts().sort("count", descending=True)
    names = sorted(counted.filter(pl.col("count") >= _FEWEST)[counted.columns[0]].to_list())
    return Binned(feature, np.empty(0), (*names, _OTHER))


@dataclass(frozen=True)
class RiskModel:
    """An additive model: the points of every bin of every feature, 0 on average over the rows that taught it."""

    parts: tuple[Binned, ...]
    points: tuple[Floats, ...]
    base: float
    slope: float = 1.0
    intercept: float = 0.0

    def logit(self, frame: pl.DataFrame) -> Floats:
        """Calibrated log odds of each row."""
        total = np.full(frame.height, self.base)
        for part, points in zip(self.parts, self.points, strict=True):
            total += points[part.of(frame[part.feature.name])]
        return self.intercept + self.slope * total

    def reasons(self, frame: pl.DataFrame) -> tuple[Floats, tuple[str, ...], Floats]:
        """Calibrated log odds, names of the reasons, and what each adds to the log odds of each row above the average; shape (n, reasons)."""
        names = tuple(sorted({part.feature.reason for part in self.parts}))
        at = {name: number for number, name in enumerate(names)}
        adds = np.zeros((frame.height, len(names)), dtype=np.float32)
        for part, points in zip(self.parts, self.points, strict=True):
            adds[:, at[part.feature.reason]] += (self.slope * points).astype(np.float32)[
                part.of(frame[part.feature.name])
            ]
        return (
            self.intercept + self.slope * self.base + adds.sum(axis=1, dtype=np.float64),
            names,
            adds.astype(np.float64),
        )

    def calibrated(self, frame: pl.DataFrame, outcome: NDArray[np.bool_]) -> RiskModel:
        """The same model with slope and intercept from other rows: Platt's, the slope with a prior around 1."""
        x = RiskModel(self.parts, self.points, self.base).logit(frame)
        table = np.column_stack([np.ones_like(x), x])
        penalty = np.array([0.0, CALIBRATION_DEVIATION**-2])
        found, _ = _newton(table, outcome.astype(np.float64), np.ones_like(x), penalty, np.array([0.0, 1.0]))
        return RiskModel(self.parts, self.points, self.base, float(found[1]), float(found[0]))


def _deviations(
    table: Floats, y: Floats, weights: Floats, penalty: Floats, centre: Floats, sizes: Sequence[int]
) -> tuple[Floats, Floats]:
    """Coefficients and penalties, each feature's penalty being the one that makes the data most likely (approximately).

    A feature that tells much keeps its large steps; one that tells nothing is drawn to 0. One step of the fit and one of the deviations take turns
    (the fixed point of generalized Fellner and Schall: squares of the coefficients over the degrees of freedom that the data determine).

    Args:
        table, y, weights, penalty, centre: as in `_newton`; the first column is the constant, then come those of each feature.
        sizes: number of columns of each feature.
    """
    beta, penalty = centre, penalty.copy()
    ends = 1 + np.cumsum(sizes)
    for _ in range(_ROUNDS):
        beta, spread = _newton(table, y, weights, penalty, centre, start=beta, most=1)
        variance, moved = np.diag(spread), 0.0
        for size, end in zip(sizes, ends, strict=True):
            own = slice(end - size, end)
            told = size - float((penalty[own] * variance[own]).sum())
            squares = float(beta[own] @ beta[own]) + _LEARNED_STEPS * _LEARNED_DEVIATION**2
            found = np.clip(squares / (max(told, 0.0) + _LEARNED_STEPS), _SMALLEST_DEVIATION**2, _LARGEST_DEVIATION**2)
            moved = max(moved, abs(math.log(found * float(penalty[end - 1]))))
            penalty[own] = 1 / found
        if moved < 0.05:
            break
    return beta, penalty


def fit_risk(
    frame: pl.DataFrame,
    features: Sequence[Feature],
    outcome: NDArray[np.bool_],
    *,
    weight: float = 1.0,
    deviation: float = STEP_DEVIATION,
    is_learned: bool = False,
) -> RiskModel:
    """Additive model of an outcome.

    Args:
        frame: one row per customer and day, with the features' columns.
        features: columns to use.
        outcome: whether the customer of the row left.
        weight: what a row counts (rows whose horizons overlap tell the same departure several times).
        deviation: prior standard deviation of a step between bins.
        is_learned: let every feature have its own deviation, which the rows tell (`_deviations`); `deviation` is where the search begins.

    Raises:
        ValueError: outcome of another length, or one that does not vary.
    """
    left = np.asarray(outcome, dtype=bool)
    if left.shape != (frame.height,):
        raise ValueError(f"outcome: {left.shape} is not the shape of the rows, ({frame.height},)")
    if not left.any() or left.all():
        raise ValueError("outcome: nobody left, or everybody")
    weights = np.full(frame.height, weight)
    rows = np.arange(frame.height)
    stayed = np.flatnonzero(~left)
    room = max(_ROWS - int(left.sum()), 10_000)
    if len(stayed) > room:
        kept = stayed[np.linspace(0, len(stayed) - 1, room).round().astype(np.int64)]
        weights[kept] *= len(stayed) / len(kept)
        rows = np.sort(np.concatenate([np.flatnonzero(left), kept]))
    chosen, weights, left = frame[rows], weights[rows], left[rows]
    parts, columns, codings, places = [], [], [], []
    for feature in features:
        part = binned(feature, chosen[feature.name])
        place = part.of(chosen[feature.name])
        coding = part.coding()
        parts.append(part)
        places.append(place)
        codings.append(coding)
        columns.append(coding.astype(np.float32)[place])
    table = np.hstack([np.ones((len(rows), 1), dtype=np.float32), *columns])
    penalty = np.full(table.shape[1], deviation**-2)
    penalty[0] = 0.0
    start = np.zeros(table.shape[1])
    share = float(weights[left].sum() / weights.sum())
    start[0] = math.log(share / (1 - share))
    y, first = left.astype(np.float64), start
    if is_learned:
        first, penalty = _deviations(table, y, weights, penalty, start, [coding.shape[1] for coding in codings])
    beta, _ = _newton(table, y, weights, penalty, start, start=first)
    base, at = float(beta[0]), 1
    points = []
    for coding, place in zip(codings, places, strict=True):
        own = coding @ beta[at : at + coding.shape[1]]
        at += coding.shape[1]
        middle = float(weights @ own[place] / weights.sum())
        points.append(own - middle)
        base += middle
    return RiskModel(tuple(parts), tuple(points), base)


# -- leaks -------------------------------------------------------------------------------------------------------------

LEAK_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "feature": pl.String,
    "verdict": pl.String,
    "checked_rows": pl.Int64,
    "changed_rows": pl.Int64,
    "single_auc": pl.Float64,
    "message": pl.String,
}


def _changed(before: pl.Series, after: pl.Series) -> int:
    if before.dtype.is_float() or after.dtype.is_float():
        a, b = before.cast(pl.Float64), after.cast(pl.Float64)
        differs = ((a - b).abs() > 1e-6 * (1 + a.abs())).fill_null(True) & ~(a.is_null() & b.is_null())
        return int(differs.sum())
    return int(before.ne_missing(after).sum())


def find_leaks(
    rows: pl.DataFrame,
    checked: pl.DataFrame,
    features: Sequence[Feature],
    *,
    auc_limit: float,
    minimum_departures: int,
) -> pl.DataFrame:
    """Features that know what came after the day that they are said to be of.

    Two checks. A feature that has another value when later rows are taken out of its inputs knows the future (`knows_the_future`). One that alone tells who
    leaves implausibly well was written down with the outcome in mind, or after it (`too_good`): the AUC of the departures' share in its
    bins, each half of the customers being judged by the bins of the other half.

    Args:
        rows: rows of `ftr_customer_risk` with known outcomes.
        checked: rows of `ftr_customer_risk_check`: one past day, computed from what was known on it.
        features: columns to judge.
        auc_limit: single-feature AUC from which on a feature is too good.
        minimum_departures: with fewer departures the second check says nothing: a handful of them fit anything.

    Returns:
        Schema `LEAK_SCHEMA`; verdict `used`, `constant`, `knows_the_future` or `too_good`, with a message for those left out.
    """
    if checked.is_empty():
        pairs = rows.clear()
        after = checked
    else:
        day = checked["as_of"].max()
        of_day = rows.filter(pl.col("as_of") == day)
        missing = (
            of_day.join(checked, on="customer_key", how="anti").height
            + checked.join(of_day, on="customer_key", how="anti").height
        )
        if missing:
            raise ValueError(f"ftr_customer_risk_check: {missing} customers of {day!s} stand on one side only")
        pairs, after = of_day.sort("customer_key"), checked.sort("customer_key")
    labelled = rows.filter(pl.col("has_left").is_not_null())
    left = labelled["has_left"].to_numpy().astype(bool)
    half = (
        (labelled["customer_key"].rank("dense").fill_null(0).to_numpy().astype(np.int64) % 2).astype(bool)
        if labelled.height
        else left
    )
    found = []
    for feature in features:
        part = binned(feature, labelled[feature.name])
        place = part.of(labelled[feature.name])
        changed = _changed(pairs[feature.name], after[feature.name]) if pairs.height else 0
        score = np.zeros(len(left))
        for side in (half, ~half):
            total = np.bincount(place[side], minlength=part.bins) + 1.0
            gone = np.bincount(place[side], weights=left[side], minlength=part.bins) + (left.mean() if len(left) else 0)
            score[~side] = (gone / total)[place[~side]]
        single = auc(left, score)
        constant = len(np.unique(place)) < 2
        verdict, message = "used", None
        if changed:
            verdict = "knows_the_future"
            message = f"{feature.name}: {changed:,} of {pairs.height:,} values of {after['as_of'].max()!s} change when what came later is taken away"
        elif single is not None and single >= auc_limit and int(left.sum()) >= minimum_departures:
            verdict = "too_good"
            message = f"{feature.name}: alone it tells who leaves with an AUC of {single:.3f} (limit {auc_limit:g})"
        elif constant:
            verdict, message = "constant", f"{feature.name}: the same for everybody"
        found.append(
            {
                "feature": feature.name, "verdict": verdict, "checked_rows": pairs.height, "changed_rows": changed,
                "single_auc": None if single is None else round(single, 9), "message": message,
            }
        )  # fmt: skip
    return pl.DataFrame(found, schema=LEAK_SCHEMA)


# -- the model of a home -----------------------------------------------------------------------------------------------

MODEL_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "feature": pl.String,
    "bin": pl.Int64,
    "value_kind": pl.String,
    "reason": pl.String,
    "above": pl.Float64,
    "category": pl.String,
    "points": pl.Float64,
    "customers": pl.Int64,
    "departures": pl.Int64,
    "single_auc": pl.Float64,
    "verdict": pl.String,
    "message": pl.String,
    "model_version": pl.String,
    "as_of": pl.Date,
}
BACKTEST_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "as_of": pl.Date,
    "customer_key": pl.String,
    "org_unit_id": pl.String,
    "customer_kind": pl.String,
    "province": pl.String,
    "product_line": pl.String,
    "probability": pl.Float64,
    "has_left": pl.Boolean,
    "model_version": pl.String,
}


class NoModel(ValueError):
    """The past does not teach a model; the text is a reason code."""


def _periods(days: Iterable[date], until: date, horizon_days: int) -> tuple[list[date], list[date]]:
    """Days to learn from and days to calibrate on, for a model that is used on day `until`.

    The newest day whose outcome was known by then calibrates; those learn whose horizon was over by that day.
    """
    gap = timedelta(days=horizon_days)
    known = sorted(day for day in days if day + gap <= until)
    if not known:
        return [], []
    return [day for day in known if day + gap <= known[-1]], known[-1:]


def _model_as_of(
    rows: pl.DataFrame, features: Sequence[Feature], until: date, horizon_days: int, minimum_departures: int
) -> RiskModel:
    """The recipe: learn, then calibrate, with what was known on day `until`."""
    learn, check = _periods(rows["as_of"].unique().to_list(), until, horizon_days)
    if not learn:
        raise NoModel("too_little_history")
    taught = rows.filter(pl.col("as_of").is_in(learn)).sort("as_of", "customer_key")
    held = rows.filter(pl.col("as_of").is_in(check)).sort("as_of", "customer_key")
    for part in (taught, held):
        gone = int(part["has_left"].sum())
        if gone < minimum_departures:
            raise NoModel("below_minimum_base")
    weight = min(1.0, SPACING_DAYS / horizon_days) if len(learn) > 1 else 1.0
    model = fit_risk(taught, features, taught["has_left"].to_numpy().astype(bool), weight=weight, is_learned=True)
    return model.calibrated(held, held["has_left"].to_numpy().astype(bool))


def risk_model(
    rows: pl.DataFrame,
    checked: pl.DataFrame,
    seed: pl.DataFrame,
    *,
    as_of: date | None,
    horizon_days: int,
    minimum_departures: int,
    auc_limit: float,
) -> pl.DataFrame:
    """The model that scores today, with every feature that was left out and why.

    Args:
        rows: past rows of `ftr_customer_risk` (with `has_left`).
        checked: rows of `ftr_customer_risk_check`.
        seed: `seeds/risk_features.csv`.
        as_of: last day of the data; None = there is none.
        horizon_days, minimum_departures, auc_limit: thresholds.

    Returns:
        Schema `MODEL_SCHEMA`: a row per feature and bin; a row per feature that is left out; three rows for the constant and the calibration. Without
        a model the constant has no points, and its verdict is the reason.
    """
    features = features_of(seed, rows.columns)
    if as_of is None:
        return pl.DataFrame(schema=MODEL_SCHEMA)
    leaks = {
        row["feature"]: row
        for row in find_leaks(
            rows, checked, features, auc_limit=auc_limit, minimum_departures=minimum_departures
        ).iter_rows(named=True)
    }
    head = {"model_version": MODEL_VERSION, "as_of": as_of}
    table: list[dict[str, object]] = []
    used = [feature for feature in features if leaks[feature.name]["verdict"] == "used"]
    for feature in features:
        if feature not in used:
            leak = leaks[feature.name]
            table.append(
                {**head, "feature": feature.name, "bin": 0, "value_kind": feature.kind, "reason": feature.reason, "verdict": leak["verdict"],
                 "message": leak["message"], "single_auc": leak["single_auc"]}
            )  # fmt: skip
    try:
        if not used:
            raise NoModel("no_features")
        model = _model_as_of(rows, used, as_of, horizon_days, minimum_departures)
    except NoModel as found:
        table.append({**head, "feature": _BASE, "bin": 0, "verdict": str(found)})
        return pl.DataFrame(table, schema=MODEL_SCHEMA).sort("feature", "bin")
    left = rows["has_left"].to_numpy().astype(np.float64)
    for part, points in zip(model.parts, model.points, strict=True):
        name = part.feature.name
        place = part.of(rows[name])
        size = np.bincount(place, minlength=part.bins)
        gone = np.bincount(place, weights=left, minlength=part.bins)
        for number in range(part.bins):
            is_known = number < part.bins - 1
            category = _UNKNOWN if not is_known else part.categories[number] if part.categories else None
            above = float(part.edges[number - 1]) if is_known and part.feature.kind == "number" and number > 0 else None
            table.append(
                {**head, "feature": name, "bin": number, "value_kind": part.feature.kind, "reason": part.feature.reason, "above": above,
                 "category": category, "points": round(float(points[number]), 12), "customers": int(size[number]), "departures": int(gone[number]),
                 "single_auc": leaks[name]["single_auc"], "verdict": "used"}
            )  # fmt: skip
    for name, value in ((_BASE, model.base), (_SLOPE, model.slope), (_INTERCEPT, model.intercept)):
        table.append({**head, "feature": name, "bin": 0, "points": round(value, 12), "verdict": "used"})
    return pl.DataFrame(table, schema=MODEL_SCHEMA).sort("feature", "bin")


def model_of(table: pl.DataFrame) -> RiskModel | None:
    """The model that `risk_model` wrote down; None where there is none."""
    fixed = dict(
        table.filter(pl.col("feature").is_in([_BASE, _SLOPE, _INTERCEPT])).select("feature", "points").iter_rows()
    )
    if fixed.get(_BASE) is None:
        return None
    parts, points = [], []
    used = table.filter((pl.col("verdict") == "used") & pl.col("value_kind").is_not_null()).sort("feature", "bin")
    for (name,), rows in used.group_by("feature", maintain_order=True):
        feature = Feature(str(name), rows["value_kind"][0], rows["reason"][0])
        known = rows.filter(pl.col("category").ne_missing(pl.lit(_UNKNOWN)))
        if feature.kind == "number":
            parts.append(Binned(feature, known["above"].drop_nulls().to_numpy(), ()))
        else:
            parts.append(Binned(feature, np.empty(0), tuple(known["category"].to_list())))
        points.append(rows["points"].to_numpy())
    return RiskModel(tuple(parts), tuple(points), fixed[_BASE], fixed[_SLOPE], fixed[_INTERCEPT])


def risk_backtest(
    rows: pl.DataFrame,
    table: pl.DataFrame,
    seed: pl.DataFrame,
    *,
    horizon_days: int,
    minimum_departures: int,
    test_dates: int,
) -> pl.DataFrame:
    """Probabilities of past days by models that knew nothing later than those days, beside what came.

    Args:
        rows, seed: as in `risk_model`.
        table: what `risk_model` gave: features that it left out are left out here too.
        horizon_days, minimum_departures: thresholds.
        test_dates: so many of the newest days are tested.

    Returns:
        Schema `BACKTEST_SCHEMA`; no rows for a day for which no model could be made.
    """
    out = set(table.filter(pl.col("verdict").is_in(["knows_the_future", "too_good"]))["feature"].to_list())
    features = [feature for feature in features_of(seed, rows.columns) if feature.name not in out]
    frames = [pl.DataFrame(schema=BACKTEST_SCHEMA)]
    for day in sorted(rows["as_of"].unique().to_list())[-test_dates:]:
        try:
            model = _model_as_of(rows, features, day, horizon_days, minimum_departures)
        except NoModel:
            continue
        of_day = rows.filter(pl.col("as_of") == day).sort("customer_key")
        frames.append(
            of_day.with_columns(
                probability=pl.Series(sigmoid(model.logit(of_day))).round(9), model_version=pl.lit(MODEL_VERSION)
            ).select(pl.col(name).cast(kind) for name, kind in BACKTEST_SCHEMA.items())
        )
    return pl.concat(frames)


# -- scores ------------------------------------------------------------------------------------------------------------

RISK_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "customer_key": pl.String,
    "churn_probability": pl.Float64,
    "reason_1": pl.String,
    "reason_2": pl.String,
    "reason_3": pl.String,
    "reason_1_points": pl.Float64,
    "reason_2_points": pl.Float64,
    "reason_3_points": pl.Float64,
    "no_score_reason": pl.String,
    "model_version": pl.String,
    "as_of": pl.Date,
}
REASONS = 3


def customer_risk(frame: pl.DataFrame, table: pl.DataFrame) -> pl.DataFrame:
    """Probability and reasons of each row.

    Args:
        frame: rows of `ftr_customer_risk` to score (as_of, customer_key and the features).
        table: what `risk_model` gave.

    Returns:
        Schema `RISK_SCHEMA`, in the order of the rows. A reason is what adds at least 0.1 to the log odds above the average customer; its points are what
        it adds, and exp(points) is the factor on the odds.
    """
    model = model_of(table)
    if model is None:
        why = table.filter(pl.col("feature") == _BASE)["verdict"].to_list() or ["too_little_history"]
        missing = [
            pl.lit(None, dtype=kind).alias(name) for name, kind in RISK_SCHEMA.items() if name not in frame.columns
        ]
        return (
            frame.select("customer_key", "as_of")
            .with_columns(missing)
            .with_columns(no_score_reason=pl.lit(why[0]), model_version=pl.lit(MODEL_VERSION))
            .select(pl.col(name).cast(kind) for name, kind in RISK_SCHEMA.items())
        )
    logit, names, adds = model.reasons(frame)
    order = np.argsort(-adds, axis=1, kind="stable")[:, :REASONS]
    best = np.take_along_axis(adds, order, axis=1)
    columns: dict[str, pl.Series] = {}
    labels = pl.Series(names, dtype=pl.String)
    for rank in range(REASONS):
        if rank >= order.shape[1]:
            columns[f"reason_{rank + 1}"] = pl.Series([None] * frame.height, dtype=pl.String)
            columns[f"reason_{rank + 1}_points"] = pl.Series([None] * frame.height, dtype=pl.Float64)
            continue
        points = pl.Series(best[:, rank])
        is_one = points >= _REASON_POINTS
        columns[f"reason_{rank + 1}"] = labels.gather(pl.Series(order[:, rank])).set(~is_one, None)
        columns[f"reason_{rank + 1}_points"] = points.round(6).set(~is_one, None)
    return (
        frame.select("customer_key", "as_of")
        .with_columns(
            churn_probability=pl.Series(sigmoid(logit)).round(9),
            no_score_reason=pl.lit(None, dtype=pl.String),
            model_version=pl.lit(MODEL_VERSION),
            **columns,
        )
        .select(pl.col(name).cast(kind) for name, kind in RISK_SCHEMA.items())
    )


# -- the card ----------------------------------------------------------------------------------------------------------

CARD_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "segment_kind": pl.String,
    "segment": pl.String,
    "customer_days": pl.Int64,
    "departures": pl.Int64,
    "departures_expected": pl.Float64,
    "auc": pl.Float64,
    "auc_low": pl.Float64,
    "auc_high": pl.Float64,
    "brier": pl.Float64,
    "brier_of_the_mean": pl.Float64,
    "calibration_slope": pl.Float64,
    "calibration_slope_low": pl.Float64,
    "calibration_slope_high": pl.Float64,
    "calibration_intercept": pl.Float64,
    "calibration_intercept_low": pl.Float64,
    "calibration_intercept_high": pl.Float64,
    "lift_5": pl.Float64,
    "lift_10": pl.Float64,
    "captured_10": pl.Float64,
    "first_test_day": pl.Date,
    "last_test_day": pl.Date,
    "reason": pl.String,
    "model_version": pl.String,
    "as_of": pl.Date,
}
EVERYBODY = "all"


def with_tiers(backtest: pl.DataFrame, tiers: pl.DataFrame) -> pl.DataFrame:
    """The backtest with `customer_tier`: the grade that the customer had on the test day; null = none.

    tiers: customer_key, grade, valid_from, valid_to (first day on which it no longer holds; null = it holds), without overlaps.
    """
    holds = (pl.col("valid_from") <= pl.col("as_of")) & (
        pl.col("valid_to").is_null() | (pl.col("valid_to") > pl.col("as_of"))
    )
    of_day = (
        backtest.select("as_of", "customer_key")
        .join(tiers, on="customer_key", how="inner")
        .filter(holds)
        .select("as_of", "customer_key", pl.col("grade").alias("customer_tier"))
    )
    return backtest.join(of_day, on=["as_of", "customer_key"], how="left")


def risk_card(
    backtest: pl.DataFrame, *, segments: Sequence[str], minimum_departures: int, as_of: date | None
) -> pl.DataFrame:
    """How far the probabilities of the backtest were right, for everybody and by segment.

    Args:
        backtest: schema `BACKTEST_SCHEMA`, and further columns named in `segments`.
        segments: columns by which to look.
        minimum_departures: with fewer departures a segment has only its counts, and a reason.
        as_of: last day of the data.

    Returns:
        Schema `CARD_SCHEMA`. Errors of slope and intercept are widened for horizons that overlap (one departure is told on several days).
    """
    rows: list[dict[str, object]] = []
    backtest = backtest.sort("as_of", "customer_key")
    if backtest.height:
        views: list[tuple[str, str, pl.DataFrame]] = [(EVERYBODY, EVERYBODY, backtest)]
        for name in segments:
            for value in sorted(backtest[name].drop_nulls().unique().to_list()):
                views.append((name, str(value), backtest.filter(pl.col(name) == value)))
        rows = [_card(kind, value, part, minimum_departures) for kind, value, part in views]
    card = pl.DataFrame(rows, schema=CARD_SCHEMA).with_columns(
        model_version=pl.lit(MODEL_VERSION), as_of=pl.lit(as_of, dtype=pl.Date)
    )
    numbers = [name for name, kind in CARD_SCHEMA.items() if kind == pl.Float64]
    return card.with_columns(pl.col(numbers).round(9)).sort("segment_kind", "segment")


def _card(kind: str, value: str, part: pl.DataFrame, minimum_departures: int) -> dict[str, object]:
    left = part["has_left"].to_numpy().astype(bool)
    p = part["probability"].to_numpy()
    gone, days = int(left.sum()), part["as_of"].n_unique()
    row: dict[str, object] = {
        "segment_kind": kind, "segment": value, "customer_days": part.height, "departures": gone, "departures_expected": float(p.sum()),
        "first_test_day": part["as_of"].min(), "last_test_day": part["as_of"].max(),
    }  # fmt: skip
    if gone < minimum_departures or gone == part.height:
        return {**row, "reason": "below_minimum_base"}
    clusters = part["customer_key"].rank("dense").to_numpy().astype(np.int64) - 1
    value_auc, low, high = auc_interval(left, p, clusters)
    row |= {"auc": value_auc, "auc_low": low, "auc_high": high}
    row |= {"brier": float(((p - left) ** 2).mean()), "brier_of_the_mean": float(left.mean() * (1 - left.mean()))}
    found = calibration(left, p)
    if found is not None:
        slope, slope_error, intercept, intercept_error = found
        wider = _Z * math.sqrt(days)
        row |= {
            "calibration_slope": slope, "calibration_slope_low": slope - wider * slope_error, "calibration_slope_high": slope + wider * slope_error,
            "calibration_intercept": intercept, "calibration_intercept_low": intercept - wider * intercept_error,
            "calibration_intercept_high": intercept + wider * intercept_error,
        }  # fmt: skip
    top_5, top_10 = captured(left, p, 0.05), captured(left, p, 0.1)
    if top_5 is not None and top_10 is not None:
        row |= {"lift_5": top_5 / 0.05, "lift_10": top_10 / 0.1, "captured_10": top_10}
    return row


def in_chunks(read: Callable[[], Iterable[pl.DataFrame]], table: pl.DataFrame) -> pl.DataFrame:
    """`customer_risk` of frames read one after the other, so that millions of customers do not stand in memory with all their features."""
    frames = [customer_risk(frame, table) for frame in read() if frame.height]
    return pl.concat(frames) if frames else pl.DataFrame(schema=RISK_SCHEMA)
