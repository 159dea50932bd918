"""How far two reviewers agree on the same contacts: percent agreement, Cohen's kappa (plain and weighted), Gwet's AC1 and AC2.

Belongs here: the coefficients with their standard errors, and the table of them by pair of reviewers, item and period. Does not belong here: which
reviews count (marts), and what a reviewer's leniency is.

Terms: a table counts contacts by the category that the first reviewer chose (rows) and the second (columns); q categories, n contacts. Weights of
agreement are 1 on the diagonal. Kappa corrects for the agreement that the two reviewers' own habits would give by chance; it falls towards 0, whatever they
agree on, when nearly all contacts are in one category, and says nothing when one of them always chooses the same. AC1 (nominal) and AC2 (weighted) do not.

Sources: J. Cohen, "A coefficient of agreement for nominal scales", 1960; J. L. Fleiss, J. Cohen and B. S. Everitt, "Large sample standard errors of kappa
and weighted kappa", Psychological Bulletin 72, 1969 (formula 13); K. L. Gwet, "Computing inter-rater reliability and its variance in the presence of high
agreement", British Journal of Mathematical and Statistical Psychology 61, 2008 (AC1, its variance), and *Handbook of Inter-Rater Reliability*, 4th ed. 2014
(AC2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

MODEL_VERSION = "agreement-1"
Weights = Literal["none", "linear", "quadratic"]
Reason = Literal["too_few_contacts", "constant_reviewer", "one_category"]
"""Why a coefficient is null: fewer contacts than the base; a reviewer chose one category throughout (kappa); only one category is there."""

ALL_PAIRS = "all"
WHOLE_SHEET = "all"
FATAL = "fatal"
PERIODS = ("month", "quarter", "year")
OF_VERDICTS = ("percent_agreement", "kappa", "ac1")
"""Statistics of the verdict: weak or not, fatal or not."""
OF_POINTS = ("kappa_linear", "kappa_quadratic", "ac2_linear", "ac2_quadratic")
"""Statistics of the points, with weights by their distance."""

SCHEMA: dict[str, type[pl.DataType]] = {
    "reviewer_1": pl.String,
    "reviewer_2": pl.String,
    "item": pl.String,
    "period": pl.String,
    "period_on": pl.Date,
    "statistic": pl.String,
    "contacts": pl.Int64,
    "value": pl.Float64,
    "standard_error": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "reason": pl.String,
    "mean_difference": pl.Float64,
    "model_version": pl.String,
    "as_of": pl.Date,
}
"""Columns of `reviewer_agreement`, in this order, also of an empty answer."""

_Z = 1.959964


@dataclass(frozen=True)
class Coefficient:
    """One coefficient of agreement.

    Attributes:
        value: null with a reason; 1 = agreement throughout.
        standard_error: over contacts drawn from many; null with n below 2.
        low, high: 95 % interval, cut at -1 and 1.
        n: contacts.
    """

    value: float | None
    standard_error: float | None
    low: float | None
    high: float | None
    n: int
    reason: Reason | None = None


def agreement_weights(categories: ArrayLike, kind: Weights) -> Floats:
    """Weights of agreement between ordered categories, shape (q, q).

    Args:
        categories: their places on the scale, increasing, shape (q,): the distance counts, not the order alone.
        kind: `none`: 1 on the diagonal, else 0; `linear`: 1 - d / D; `quadratic`: 1 - (d / D)^2, with the distance d and the largest one D.

    Raises:
        ValueError: categories do not increase, or the kind is unknown.
    """
    places = np.asarray(categories, dtype=np.float64)
    if places.ndim != 1 or (np.diff(places) <= 0).any():
        raise ValueError("categories: they must increase")
    if kind == "none" or len(places) < 2:
        if kind not in get_args(Weights):
            raise ValueError(f"kind: {kind!r} is none of {', '.join(get_args(Weights))}")
        return np.eye(len(places))
    distance = np.abs(places[:, None] - places[None, :]) / (places[-1] - places[0])
    if kind == "linear":
        return 1 - distance
    if kind == "quadratic":
        return 1 - distance**2
    raise ValueError(f"kind: {kind!r} is none of {', '.join(get_args(Weights))}")


def _checked(table: ArrayLike, weights: Floats | None) -> tuple[Floats, Floats, int]:
    counts = np.asarray(table, dtype=np.float64)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or (counts < 0).any() or not np.isfinite(counts).all():
        raise ValueError("table: a square table of counts is wanted")
    used = np.eye(len(counts)) if weights is None else np.asarray(weights, dtype=np.float64)
    if used.shape != counts.shape:
        raise ValueError(f"weights: shape {used.shape}, the table has {counts.shape}")
    return counts, used, int(counts.sum())


def _coefficient(value: float, variance: float | None, n: int) -> Coefficient:
    if variance is None:
        return Coefficient(value, None, None, None, n)
    error = math.sqrt(max(0.0, variance))
    return Coefficient(value, error, max(-1.0, value - _Z * error), min(1.0, value + _Z * error), n)


def percent_agreement(table: ArrayLike, *, least: int = 1) -> Coefficient:
    """Share of contacts in the same category, with the Wilson interval.

    Args:
        table: counts, shape (q, q).
        least: fewer contacts give null.
    """
    counts, _, n = _checked(table, None)
    if n < max(least, 1):
        return _too_few(n)
    share = float(np.trace(counts)) / n
    centre, scale = share + _Z**2 / (2 * n), 1 + _Z**2 / n
    half = _Z * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n * n))
    error = math.sqrt(share * (1 - share) / n)
    return Coefficient(share, error, max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale), n)


def kappa(table: ArrayLike, weights: Floats | None = None, *, least: int = 1) -> Coefficient:
    """Cohen's kappa, weighted with `weights` (of agreement, shape (q, q); None: the plain one).

    Null when a reviewer chose one category throughout: chance alone then explains all agreement there is, and kappa is 0 (or 0 / 0) whatever the
    two think. Standard error: Fleiss, Cohen and Everitt 1969.

    >>> round(kappa([[20, 5], [10, 15]]).value, 6)
    0.4
    """
    counts, used, n = _checked(table, weights)
    if n < max(least, 1):
        return _too_few(n)
    p = counts / n
    rows, columns = p.sum(axis=1), p.sum(axis=0)
    if max(rows.max(), columns.max()) >= 1 - 1e-12:
        return Coefficient(None, None, None, None, n, "constant_reviewer")
    observed, expected = float((p * used).sum()), float(rows @ used @ columns)
    value = (observed - expected) / (1 - expected)
    of_rows, of_columns = used @ columns, rows @ used
    inner = (p * (used - (of_rows[:, None] + of_columns[None, :]) * (1 - value)) ** 2).sum()
    variance = (float(inner) - (value - expected * (1 - value)) ** 2) / (n * (1 - expected) ** 2)
    return _coefficient(value, variance, n)


def gwet(table: ArrayLike, weights: Floats | None = None, *, least: int = 1) -> Coefficient:
    """Gwet's AC1, or AC2 with `weights` (of agreement, shape (q, q)). Variance: Gwet 2008, an infinite number of contacts behind those judged.

    >>> round(gwet([[118, 5], [2, 0]]).value, 4)
    0.9408
    """
    counts, used, n = _checked(table, weights)
    q = len(counts)
    if n < max(least, 1):
        return _too_few(n)
    if q < 2:
        return Coefficient(None, None, None, None, n, "one_category")
    p = counts / n
    pi = (p.sum(axis=1) + p.sum(axis=0)) / 2
    factor = float(used.sum()) / (q * (q - 1))
    observed, expected = float((p * used).sum()), factor * float((pi * (1 - pi)).sum())
    value = (observed - expected) / (1 - expected)
    if n < 2:
        return _coefficient(value, None, n)
    # Per contact in cell (k, l): its agreement, and what it adds to the agreement by chance.
    chance = factor * ((1 - pi)[:, None] + (1 - pi)[None, :]) / 2
    each = (used - expected) / (1 - expected) - 2 * (1 - value) * (chance - expected) / (1 - expected)
    variance = float((counts * (each - value) ** 2).sum()) / (n * (n - 1))
    return _coefficient(value, variance, n)


def cross_table(first: ArrayLike, second: ArrayLike, categories: ArrayLike) -> Floats:
    """Counts by category of two reviewers, shape (q, q).

    Args:
        first, second: what each said of the same contacts, shape (n,).
        categories: all that can be said, increasing, shape (q,).

    Raises:
        ValueError: the two differ in length, or say what is no category.
    """
    a, b, known = np.asarray(first), np.asarray(second), np.asarray(categories)
    if a.shape != b.shape:
        raise ValueError(f"first, second: {len(a)} and {len(b)} contacts")
    if not (np.isin(a, known).all() and np.isin(b, known).all()):
        raise ValueError("first, second: one of them is no category")
    table = np.zeros((len(known), len(known)))
    np.add.at(table, (np.searchsorted(known, a), np.searchsorted(known, b)), 1)
    return table


def reviewer_agreement(pairs: pl.DataFrame, *, least: int) -> pl.DataFrame:
    """Agreement by pair of reviewers (and of all), item and period.

    Args:
        pairs: one row per contact, item and two reviewers of it: `contact_key`, `item`, `reviewer_1`, `reviewer_2` (text, in alphabetical order), `order_1`, `order_2`
            (which of them reviewed first, ..., of all reviewers of the contact), `reviewed_on` (day of the later review), `share_1`, `share_2` (points of those
            possible; null for `fatal`), `verdict_1`, `verdict_2` (weak or fatal). `order_*` is 1 for the first reviewer of a contact.
        least: contacts below which nothing is said.

    Returns:
        Columns of `SCHEMA`, sorted. One row per pair, item, period, its first day and statistic. The pair `all` takes the first two reviewers of each contact, so
        that contacts, which are drawn, are counted once. `mean_difference`: how much higher the first of the pair scored, in shares of the points (null for `all`).
        The item `all` is the whole sheet if the features hold it.
    """
    if pairs.is_empty():
        return pl.DataFrame(schema=SCHEMA)
    as_of, least = pairs["reviewed_on"].max(), max(least, 1)
    ordered = pairs.sort("contact_key", "item", "reviewer_1", "reviewer_2")
    in_order = ordered.filter(
        (pl.min_horizontal("order_1", "order_2") == 1) & (pl.max_horizontal("order_1", "order_2") == 2)
    )
    # Whoever was first is the first of the pair `all`; which of the two is which then says nothing about a person.
    swapped = pl.col("order_1") > pl.col("order_2")
    everybody = in_order.with_columns(
        pl.lit(ALL_PAIRS).alias("reviewer_1"),
        pl.lit(ALL_PAIRS).alias("reviewer_2"),
        *(
            pl.when(swapped)
            .then(pl.col(f"{name}_{3 - number}"))
            .otherwise(pl.col(f"{name}_{number}"))
            .alias(f"{name}_{number}")
            for name in ("share", "verdict")
            for number in (1, 2)
        ),
    )
    together = pl.concat([ordered, everybody])
    rows: list[dict[str, object]] = []
    keys = ("reviewer_1", "reviewer_2", "item", "period_on")
    for period in PERIODS:
        step = {"month": "1mo", "quarter": "1q", "year": "1y"}[period]
        dated = together.with_columns(pl.col("reviewed_on").dt.truncate(step).alias("period_on"))
        said = [f"{name}_{number}" for name in ("share", "verdict") for number in (1, 2)]
        # A list each: most pairs have too few contacts, and a list costs far less than a frame.
        for group in dated.group_by(keys, maintain_order=True).agg(pl.col(said)).iter_rows(named=True):
            shares = [pair for pair in zip(group["share_1"], group["share_2"], strict=True) if None not in pair]
            verdicts = list(zip(group["verdict_1"], group["verdict_2"], strict=True))
            one_pair = group["reviewer_1"] != ALL_PAIRS and shares
            difference = sum(first - second for first, second in shares) / len(shares) if one_pair else None
            for name, found in _coefficients(verdicts, shares, least).items():
                rows.append(
                    {key: group[key] for key in keys}
                    | {
                        "period": period, "statistic": name, "contacts": found.n, "value": found.value, "standard_error": found.standard_error,
                        "low": found.low, "high": found.high, "reason": found.reason, "mean_difference": difference,
                        "model_version": MODEL_VERSION, "as_of": as_of,
                    }
                )  # fmt: skip
    return pl.DataFrame(rows, schema=SCHEMA).sort(
        "period", "period_on", "reviewer_1", "reviewer_2", "item", "statistic"
    )


def _coefficients(
    verdicts: list[tuple[bool, bool]], shares: list[tuple[float, float]], least: int
) -> dict[str, Coefficient]:
    found = {name: _too_few(len(verdicts)) for name in OF_VERDICTS}
    found |= {name: _too_few(len(shares)) for name in OF_POINTS} if shares else {}
    if len(verdicts) >= least:
        first, second = np.array(verdicts, dtype=np.int8).T
        table = cross_table(first, second, [0, 1])
        found["percent_agreement"] = percent_agreement(table)
        found["kappa"], found["ac1"] = kappa(table), gwet(table)
    if len(shares) >= least:
        # Shares are quotients: equal points must be one category.
        points = np.round(np.array(shares), 6)
        categories = np.unique(points)
        table = cross_table(points[:, 0], points[:, 1], categories)
        for kind in ("linear", "quadratic"):
            weights = agreement_weights(categories, kind)
            found[f"kappa_{kind}"], found[f"ac2_{kind}"] = kappa(table, weights), gwet(table, weights)
    return found


def _too_few(n: int) -> Coefficient:
    return Coefficient(None, None, None, None, n, "too_few_contacts")
