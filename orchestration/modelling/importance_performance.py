"""Importance and performance of the items of a survey: where to concentrate, with the certainty of each place in the matrix.

Belongs here: importance of an item (stated by the customers, or derived from their overall answer), its performance, the cross-hairs,
the quadrant, the distance to the lines and how often a bootstrap puts the item into the same quadrant. Does not belong here: reading
answers, scales and reversed items (features bring every answer to 0-100, high = good).

Source: J. A. Martilla and J. C. James, "Importance-performance analysis", *Journal of Marketing* 41(1), 1977. Derived importance and
its names: W. Deng, *Tourism Management* 28, 2007; LMG shares as in `drivers.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from orchestration.modelling.drivers import (
    MOST_FACTORS,
    REPLICATES,
    SEED,
    Floats,
    block_of_cluster,
    blocks_of,
    centred,
    draws_of,
    lmg_shares,
    numbered,
)

MODEL_VERSION = "ipa-1"

ImportanceKind = Literal["stated", "correlation", "lmg"]
"""Points that customers give; correlation of the item with the overall answer; share of its variance (all items at once)."""
CrossHairs = Literal["mean", "median"]
"""Where the lines stand: at the mean, or at the median, of the items that have a place."""

QUADRANTS = ("keep_up", "concentrate_here", "low_priority", "possible_overkill")
"""优势区, 修补区, 机会区, 维持区: important and good, important and not good, neither, good and not important."""


@dataclass(frozen=True)
class Ratings:
    """Answers of respondents (rows) to items (columns), 0 to 100, NaN = none."""

    items: Sequence[str]
    performance: Floats
    """shape (n, items)"""
    stated: Floats
    """shape (n, items); all NaN where importance is not asked."""
    overall: Floats
    """shape (n,); all NaN where there is no overall question."""
    clusters: NDArray[np.int64]
    """shape (n,)"""


MATRIX_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "item": pl.String,
    "importance_kind": pl.String,
    "respondents": pl.Int64,
    "performance": pl.Float64,
    "performance_low": pl.Float64,
    "performance_high": pl.Float64,
    "importance": pl.Float64,
    "importance_low": pl.Float64,
    "importance_high": pl.Float64,
    "cross_hairs": pl.String,
    "performance_line": pl.Float64,
    "importance_line": pl.Float64,
    "performance_distance": pl.Float64,
    "importance_distance": pl.Float64,
    "nearest_line": pl.String,
    "nearest_distance": pl.Float64,
    "quadrant": pl.String,
    "quadrant_probability": pl.Float64,
    "reason": pl.String,
}


def _sums_by_block(values: Floats, block: NDArray[np.int64], count: int) -> Floats:
    """Sums of the columns by block, shape (count, columns); NaN counts as nothing."""
    filled = np.nan_to_num(values, nan=0.0)
    return np.column_stack([np.bincount(block, weights=column, minlength=count) for column in filled.T])


def _correlations(sums: dict[str, Floats]) -> Floats:
    n = sums["n"]
    with np.errstate(invalid="ignore", divide="ignore"):
        xy = sums["xy"] - sums["x"] * sums["y"] / n
        xx = sums["xx"] - sums["x"] ** 2 / n
        yy = sums["yy"] - sums["y"] ** 2 / n
        found = np.where((xx > 1e-9 * n) & (yy > 1e-9 * n), xy / np.sqrt(xx * yy), np.nan)
    return np.asarray(found)


def importance_and_performance(
    ratings: Ratings, kind: ImportanceKind, *, replicates: int = REPLICATES, seed: int = SEED
) -> tuple[Floats, Floats, list[str | None]]:
    """Importance and performance of the items, first as they are and then of each bootstrap sample of respondents.

    Returns:
        importance and performance, shape (1 + replicates, items), NaN where unknown; and per item why its importance is.
    """
    width = ratings.performance.shape[1]
    block, count = block_of_cluster(ratings.clusters, seed)
    weights = np.vstack([np.ones((1, max(count, 1))), draws_of(max(count, 1), replicates, seed)])
    reasons: list[str | None] = [None] * width

    def drawn(values: Floats) -> Floats:
        return np.asarray(weights @ _sums_by_block(values, block, max(count, 1)))

    here = np.isfinite(ratings.performance)
    with np.errstate(invalid="ignore", divide="ignore"):
        performance = drawn(ratings.performance) / drawn(here.astype(np.float64))
        if kind == "stated":
            told = np.isfinite(ratings.stated)
            importance = drawn(ratings.stated) / drawn(told.astype(np.float64))
            reasons = [None if bool(told[:, j].any()) else "not_asked" for j in range(width)]
            return importance, performance, reasons
    if not np.isfinite(ratings.overall).any():
        return np.full_like(performance, np.nan), performance, ["no_overall_question"] * width
    if kind == "correlation":
        both = here & np.isfinite(ratings.overall)[:, None]
        x = np.where(both, ratings.performance, 0.0)
        y = np.where(both, np.nan_to_num(ratings.overall)[:, None], 0.0)
        importance = _correlations(
            {"n": drawn(both.astype(np.float64)), "x": drawn(x), "y": drawn(y), "xx": drawn(x * x), "yy": drawn(y * y), "xy": drawn(x * y)}
        )  # fmt: skip
        return importance, performance, ["constant" if np.isnan(one) else None for one in importance[0]]
    if kind != "lmg":
        raise ValueError(f"importance: {kind!r} is none of {', '.join(get_args(ImportanceKind))}")
    importance = np.full_like(performance, np.nan)
    varies = [
        bool(np.nanstd(column) > 1e-9) if np.isfinite(column).any() else False for column in ratings.performance.T
    ]
    used = [j for j in range(width) if varies[j]]
    reasons = [None if varies[j] else "constant" for j in range(width)]
    if not used:
        return importance, performance, reasons
    if len(used) > MOST_FACTORS:
        return importance, performance, [reasons[j] or "too_many_items" for j in range(width)]
    complete = here[:, used].all(axis=1) & np.isfinite(ratings.overall)
    if complete.sum() <= len(used) + 1:
        return importance, performance, [reasons[j] or "fewer_answers_than_factors" for j in range(width)]
    table = np.column_stack([ratings.performance[complete][:, used], ratings.overall[complete]])
    spread = table.std(axis=0)
    if spread[-1] <= 1e-9:
        return importance, performance, ["constant_outcome"] * width
    table = (table - table.mean(axis=0)) / np.where(spread > 1e-9, spread, 1.0)
    # The blocks of all respondents, so that a replicate draws the same people for importance and performance.
    blocks = blocks_of(table, block[complete], count)
    whole = blocks.products.sum(axis=0)[None]
    importance[:, used] = lmg_shares(centred(np.concatenate([whole, blocks.resampled(replicates, seed)])))
    return importance, performance, reasons


def quadrants_of(
    importance: Floats, performance: Floats, cross_hairs: CrossHairs = "mean"
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Lines and quadrants along the last axis, over the items that have both values.

    Returns:
        importance line and performance line, shape (...), and the number of the quadrant in `QUADRANTS`, shape (..., items), -1 = none. An
        item on a line is on its upper side.

    Raises:
        ValueError: an unknown kind of cross-hairs.
    """
    if cross_hairs not in get_args(CrossHairs):
        raise ValueError(f"cross_hairs: {cross_hairs!r} is none of {', '.join(get_args(CrossHairs))}")
    placed: NDArray[np.bool_] = np.asarray(np.isfinite(importance) & np.isfinite(performance))
    lines = []
    for values in (importance, performance):
        kept = np.where(placed, values, np.nan)
        alone = ~np.any(placed, axis=-1, keepdims=True)
        kept = np.where(alone, 0.0, kept)
        line = np.nanmean(kept, axis=-1) if cross_hairs == "mean" else np.nanmedian(kept, axis=-1)
        lines.append(np.where(alone[..., 0], np.nan, line))
    # A hair's breadth for sums of doubles: what lies on the line counts as above it.
    important = importance >= lines[0][..., None] - 1e-9
    good = performance >= lines[1][..., None] - 1e-9
    number = np.where(important, np.where(good, 0, 1), np.where(good, 3, 2))
    return lines[0], lines[1], np.where(placed, number, -1)


def matrix_of(
    ratings: Ratings,
    kind: ImportanceKind,
    *,
    minimum_base: int,
    cross_hairs: CrossHairs = "mean",
    replicates: int = REPLICATES,
    confidence: float = 0.95,
    seed: int = SEED,
) -> pl.DataFrame:
    """The importance-performance matrix of one survey.

    Rules: an item with fewer than `minimum_base` respondents has no place (`below_minimum_base`) and moves no line. Items without a known
    importance keep their performance and have a reason. With fewer than two placed items there is no matrix (`fewer_than_two_items`).
    Distances to the lines are signed, in the units of the axis; the nearest line is the one that is nearest in standard deviations of the
    placed items, and `nearest_distance` is that number, signed. The probability of the quadrant is the share of bootstrap samples of
    respondents, with lines drawn anew, that put the item where it is.

    Returns: schema `MATRIX_SCHEMA`, one row per item, in the order of the items.
    """
    n = np.isfinite(ratings.performance).sum(axis=0)
    small: list[bool] = (n < max(minimum_base, 1)).tolist()
    # Without its answers a small item takes no respondents from the complete cases of the others.
    kept = replace(
        ratings,
        performance=np.where(small, np.nan, ratings.performance),
        stated=np.where(small, np.nan, ratings.stated),
    )
    importance, performance, reasons = importance_and_performance(kept, kind, replicates=replicates, seed=seed)
    reasons = ["below_minimum_base" if small[j] else reasons[j] for j in range(len(ratings.items))]
    importance[:, np.isnan(importance[0])] = np.nan
    line_i, line_p, number = quadrants_of(importance, performance, cross_hairs)
    placed: NDArray[np.bool_] = np.asarray(number[0] >= 0)
    if placed.sum() < 2:
        reasons = [reasons[j] or "fewer_than_two_items" for j in range(len(reasons))]
        placed = np.zeros_like(placed)
    tail = (1 - confidence) / 2
    rows = []
    spread_i = float(importance[0, placed].std()) if placed.any() else 0.0
    spread_p = float(performance[0, placed].std()) if placed.any() else 0.0
    for j, item in enumerate(ratings.items):
        row: dict[str, object] = {"item": item, "importance_kind": kind, "respondents": int(n[j]), "cross_hairs": cross_hairs, "reason": reasons[j]}  # fmt: skip
        for name, values in (("performance", performance[:, j]), ("importance", importance[:, j])):
            if np.isfinite(values[0]):
                low, high = np.nanquantile(values[1:], [tail, 1 - tail])
                row |= {name: float(values[0]), f"{name}_low": float(low), f"{name}_high": float(high)}
        if placed[j]:
            distance_i, distance_p = float(importance[0, j] - line_i[0]), float(performance[0, j] - line_p[0])
            scaled_i = distance_i / spread_i if spread_i > 0 else 0.0
            scaled_p = distance_p / spread_p if spread_p > 0 else 0.0
            nearest = "importance" if abs(scaled_i) <= abs(scaled_p) else "performance"
            row |= {
                "importance_line": float(line_i[0]),
                "performance_line": float(line_p[0]),
                "importance_distance": distance_i,
                "performance_distance": distance_p,
                "nearest_line": nearest,
                "nearest_distance": scaled_i if nearest == "importance" else scaled_p,
                "quadrant": QUADRANTS[number[0, j]],
                "quadrant_probability": float((number[1:, j] == number[0, j]).mean()),
            }
        rows.append(row)
    return pl.DataFrame(rows, schema=MATRIX_SCHEMA)


# -- surveys ----------------------------------------------------------------------------------------------------------

IMPORTANCE_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "source": pl.String,
    "survey_id": pl.String,
    "survey_kind": pl.String,
    "period_start": pl.Date,
    "period_end": pl.Date,
    "item_level": pl.String,
    "item_dimension": pl.String,
    "answers_on_other_scales": pl.Int64,
    **MATRIX_SCHEMA,
    "model_version": pl.String,
    "as_of": pl.Date,
}


def importance_performance(items: pl.DataFrame, *, minimum_base: int, replicates: int = REPLICATES) -> pl.DataFrame:
    """Matrices of every survey: by question and by dimension, with each kind of importance.

    Args:
        items: one row per response and item: source, survey_id, survey_kind, response_id, cluster, responded_on, item_level (question or
            dimension), item, item_dimension (of a question; null = none), scale, performance, stated, overall (0-100, null = none).

    Returns:
        Schema `IMPORTANCE_SCHEMA`, for the 12 months up to the survey's own last day. Of an item only answers on its newest scale within them are
        used; the others are counted. Kinds of importance that a survey cannot have at all (nothing stated, no overall question) have no rows.
    """
    if items.is_empty():
        return pl.DataFrame(schema=IMPORTANCE_SCHEMA)
    items = items.sort("source", "survey_id", "item_level", "item", "responded_on", "response_id")
    as_of = items["responded_on"].max()
    found = []
    for (source, survey_id), survey in items.group_by(["source", "survey_id"], maintain_order=True):
        end = survey["responded_on"].max()
        start = pl.Series([end], dtype=pl.Date).dt.offset_by("1d").dt.offset_by("-12mo")[0]
        for (level,), part in survey.filter(pl.col("responded_on") >= start).group_by(
            ["item_level"], maintain_order=True
        ):
            newest = part.group_by("item").agg(pl.col("scale").last().alias("newest"), pl.col("item_dimension").last())
            part = part.drop("item_dimension").join(newest, on="item", how="left", maintain_order="left")
            on_scale = part.filter(pl.col("scale").eq_missing(pl.col("newest")))
            others = part.group_by("item").agg((~pl.col("scale").eq_missing(pl.col("newest"))).sum().cast(pl.Int64).alias("answers_on_other_scales"))  # fmt: skip
            ratings = _ratings(on_scale)
            for kind in get_args(ImportanceKind):
                if not np.isfinite(ratings.stated if kind == "stated" else ratings.overall).any():
                    continue
                matrix = matrix_of(ratings, kind, minimum_base=minimum_base, replicates=replicates)
                found.append(
                    matrix.join(others, on="item", how="left", maintain_order="left")
                    .join(newest.drop("newest"), on="item", how="left", maintain_order="left")
                    .with_columns(
                        source=pl.lit(source),
                        survey_id=pl.lit(survey_id),
                        survey_kind=pl.lit(part["survey_kind"][-1], dtype=pl.String),
                        period_start=pl.lit(start, dtype=pl.Date),
                        period_end=pl.lit(end, dtype=pl.Date),
                        item_level=pl.lit(level),
                        model_version=pl.lit(MODEL_VERSION),
                        as_of=pl.lit(as_of, dtype=pl.Date),
                    )
                    .select(list(IMPORTANCE_SCHEMA))
                )
    if not found:
        return pl.DataFrame(schema=IMPORTANCE_SCHEMA)
    return pl.concat(found).cast(IMPORTANCE_SCHEMA)  # type: ignore[arg-type]


def _ratings(part: pl.DataFrame) -> Ratings:
    names = part["item"].unique().sort().to_list()
    responses = part.select("response_id", "cluster").unique().sort("response_id", "cluster").unique("response_id", keep="first", maintain_order=True)  # fmt: skip
    row = pl.Series(np.arange(responses.height), dtype=pl.Int64)
    placed = part.join(
        responses.select("response_id").with_columns(row=row), on="response_id", how="left", maintain_order="left"
    )
    at = placed["row"].to_numpy()
    column = placed["item"].replace_strict(names, list(range(len(names))), return_dtype=pl.Int64).to_numpy()
    shape = (responses.height, len(names))
    performance, stated, overall = np.full(shape, np.nan), np.full(shape, np.nan), np.full(responses.height, np.nan)
    performance[at, column] = placed["performance"].cast(pl.Float64).to_numpy()
    stated[at, column] = placed["stated"].cast(pl.Float64).to_numpy()
    overall[at] = placed["overall"].cast(pl.Float64).to_numpy()
    return Ratings(names, performance, stated, overall, numbered(responses["cluster"].to_numpy(), responses.height))
