"""How satisfaction moves loyalty: the level of one quarter on the satisfaction at the end of the quarter before, at an equal level before.

Belongs here: least squares of pairs of quarters, by segment, with robust intervals. Does not belong here: what attitude and behaviour are
(`fct_customer_loyalty`) or which pairs there are (`ftr_loyalty_lags`). Equal levels before take out that satisfied customers were more
loyal to begin with; what else differs between them stays in the effect, so it is a comparison, not a cause.

Sources: R. E. Plewis, *Analysing Change*, 1985, ch. 3 (regression on the earlier level, "conditional change"); A. C. Cameron and
D. L. Miller, "A practitioner's guide to cluster-robust inference", *Journal of Human Resources* 50, 2015 (CR1, t with G - 1 degrees).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

Floats = NDArray[np.float64]

MODEL_VERSION = "lagged-1"
POINTS = 10.0
"""Points of satisfaction that an effect is stated for."""
SEGMENTS = ("customer_kind", "stay_band")
REASONS = ("below_minimum_base", "constant", "collinear")
"""Why there is no effect, in the words of `seeds/value_labels.csv`."""
_NOTHING_LEFT = 1e-9

SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "outcome": pl.String,
    "segment_kind": pl.String,
    "segment": pl.String,
    "pairs": pl.Int64,
    "customers": pl.Int64,
    "effect": pl.Float64,
    "effect_low": pl.Float64,
    "effect_high": pl.Float64,
    "raw_effect": pl.Float64,
    "persistence": pl.Float64,
    "mean_satisfaction": pl.Float64,
    "mean_after": pl.Float64,
    "reason": pl.String,
    "model_version": pl.String,
    "as_of": pl.Date,
}


@dataclass(frozen=True)
class LaggedFit:
    """Least squares of `after` on satisfaction and the level before, within quarters, per point of satisfaction.

    `error` is the standard error of `effect`; `effect` and the following are null with a `reason` of `REASONS`.
    """

    effect: float | None = None
    error: float | None = None
    persistence: float | None = None
    raw_effect: float | None = None
    clusters: int = 0
    reason: str | None = None


def _within(values: Floats, groups: NDArray[np.int64]) -> Floats:
    counts = np.bincount(groups)
    means: Floats = np.bincount(groups, weights=values) / np.maximum(counts, 1)
    return np.asarray(values - means[groups])


def lagged_effect(
    satisfaction: ArrayLike, before: ArrayLike, after: ArrayLike, quarter: ArrayLike, customer: ArrayLike
) -> LaggedFit:
    """Fit one set of pairs of quarters.

    Args:
        satisfaction, before, after: shape (n,), points of 0 to 100.
        quarter: shape (n,), the first quarter of a pair, whole numbers; each has a mean of its own (fixed effects).
        customer: shape (n,), whole numbers; pairs of one customer are a cluster.

    Returns:
        the fit; `constant` where satisfaction or the outcome does not vary within the quarters, `collinear` where satisfaction says
        nothing that the level before does not.

    Raises:
        ValueError: the lengths differ.
    """
    s, b, y = (np.asarray(values, dtype=np.float64) for values in (satisfaction, before, after))
    _, quarters = np.unique(np.asarray(quarter), return_inverse=True)
    _, customers = np.unique(np.asarray(customer), return_inverse=True)
    n = len(s)
    if not all(len(values) == n for values in (b, y, quarters, customers)):
        raise ValueError("satisfaction, before, after, quarter and customer differ in length")
    clusters = int(customers.max()) + 1 if n else 0
    columns = int(quarters.max()) + 3 if n else 0
    if n <= columns or clusters < 2:
        return LaggedFit(clusters=clusters, reason="below_minimum_base")
    total_s, total_y, total_b = (float(np.var(values)) * n for values in (s, y, b))
    s, b, y = _within(s, quarters), _within(b, quarters), _within(y, quarters)
    ss, bb, sb, sy, by = float(s @ s), float(b @ b), float(s @ b), float(s @ y), float(b @ y)
    if ss <= _NOTHING_LEFT * max(total_s, 1.0) or float(y @ y) <= _NOTHING_LEFT * max(total_y, 1.0):
        return LaggedFit(clusters=clusters, reason="constant")
    raw = sy / ss
    if bb <= _NOTHING_LEFT * max(total_b, 1.0):  # everybody had the same level before: nothing to hold equal
        kept, persistence, left = s, None, ss
        effect = raw
        residual = y - effect * s
        columns -= 1
    else:
        determinant = ss * bb - sb * sb
        if determinant <= _NOTHING_LEFT * ss * bb:
            return LaggedFit(clusters=clusters, raw_effect=raw, reason="collinear")
        effect = (bb * sy - sb * by) / determinant
        persistence = (ss * by - sb * sy) / determinant
        residual = y - effect * s - persistence * b
        kept = s - sb / bb * b
        left = float(kept @ kept)
    scores = np.bincount(customers, weights=kept * residual)
    correction = clusters / (clusters - 1) * (n - 1) / (n - columns)
    error = float(np.sqrt(correction * float(scores @ scores))) / left
    return LaggedFit(effect, error, persistence, raw, clusters)


def _segments(pairs: pl.DataFrame) -> Iterator[tuple[str, str, str, pl.DataFrame]]:
    for (outcome,), of_outcome in sorted(pairs.partition_by("outcome", as_dict=True).items()):
        yield str(outcome), "all", "all", of_outcome
        for kind in SEGMENTS:
            for (segment,), part in sorted(of_outcome.partition_by(kind, as_dict=True).items()):
                yield str(outcome), kind, str(segment), part


def satisfaction_effects(pairs: pl.DataFrame, *, minimum_base: int) -> pl.DataFrame:
    """Effects of all outcomes and segments.

    Args:
        pairs: rows of `ftr_loyalty_lags`: customer_key, quarter_number, customer_kind, stay_band, outcome, satisfaction, level_before,
            level_after.
        minimum_base: pairs below which there is no effect.

    Returns:
        columns of `SCHEMA`, one row per outcome, segment kind and segment; effects for `POINTS` points of satisfaction, rounded to nine
        digits so that the order of the rows does not matter.
    """
    ordered = (
        pairs.sort("outcome", "customer_key", "quarter_number")
        .with_columns(pl.col("customer_key").rle_id().cast(pl.Int64).alias("customer"))
        .drop("customer_key")
    )
    rows: list[dict[str, object]] = []
    newest = int(ordered["quarter_number"].to_numpy().max()) if ordered.height else None
    for outcome, kind, segment, part in _segments(ordered):
        fit = (
            lagged_effect(
                part["satisfaction"].to_numpy(),
                part["level_before"].to_numpy(),
                part["level_after"].to_numpy(),
                part["quarter_number"].to_numpy(),
                part["customer"].to_numpy(),
            )
            if part.height >= minimum_base
            else LaggedFit(clusters=part["customer"].n_unique(), reason="below_minimum_base")
        )
        reach = None if fit.error is None else float(stdtrit(fit.clusters - 1, 0.975)) * fit.error
        rows.append(
            {
                "outcome": outcome, "segment_kind": kind, "segment": segment, "pairs": part.height, "customers": fit.clusters,
                "effect": _points(fit.effect), "effect_low": _points(None if fit.effect is None or reach is None else fit.effect - reach),
                "effect_high": _points(None if fit.effect is None or reach is None else fit.effect + reach), "raw_effect": _points(fit.raw_effect),
                "persistence": None if fit.persistence is None else round(fit.persistence, 9), "mean_satisfaction": _mean(part["satisfaction"]),
                "mean_after": _mean(part["level_after"]), "reason": fit.reason, "model_version": MODEL_VERSION,
                "as_of": None if newest is None else _quarter_end(newest + 1),
            }
        )  # fmt: skip
    return pl.DataFrame(rows, schema=SCHEMA)


def _points(per_point: float | None) -> float | None:
    return None if per_point is None else round(POINTS * per_point, 9)


def _mean(values: pl.Series) -> float:
    return round(float(np.mean(values.to_numpy())), 9)


def _quarter_end(quarter_number: int) -> date:
    """Last day of a quarter (four times the year plus the quarter)."""
    year, quarter = divmod(quarter_number - 1, 4)
    following = date(year + 1, 1, 1) if quarter == 3 else date(year, 3 * quarter + 4, 1)
    return following - timedelta(days=1)
