"""Importance and performance of the items of a survey: where to concentrate, with the certainty of each place in the matrix.

Belongs here: importance of an item (stated by the customers, or derived from their overall answer), its performance, the cross-hairs,
the quadrant, the distance to the lines and how often a bootstrap puts the item into the same quadrant. Does not belong here: reading
answers, scales and reversed items (features bring every answer to 0-100, high = good, and add them up by blocks of respondents).

Everything follows from sums of answers and of their products over blocks of respondents; how many respondents there are costs nothing here.

Source: J. A. Martilla and J. C. James, "Importance-performance analysis", *Journal of Marketing* 41(1), 1977. Derived importance and
its names: W. Deng, *Tourism Management* 28, 2007; LMG shares as in `drivers.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    centred,
    draws_of,
    lmg_shares,
)

MODEL_VERSION = "ipa-2"

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


CENTRE = 50.0
"""Taken off every answer before it is squared, so that sums of squares keep their digits."""


@dataclass(frozen=True)
class ItemSums:
    """Sums over blocks of respondents; of answers less `CENTRE`. Arrays have the shape (blocks, items) unless said otherwise.

    `used` are the items whose shares of variance can be told: enough respondents, and not all the same. `products` are those of
    (1, used items …, overall) over the respondents who rated all of them and the whole: shape (blocks, 2 + used, 2 + used); None = no
    overall answer, no item, or more than `MOST_FACTORS`.
    """

    items: Sequence[str]
    respondents: Floats
    performance: Floats
    stated_respondents: Floats
    stated: Floats
    both: Floats
    """Respondents who rated the item and the whole; the sums below are over them."""
    x: Floats
    xx: Floats
    y: Floats
    yy: Floats
    xy: Floats
    used: tuple[int, ...]
    products: Floats | None


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


_NO_SPREAD = 1e-9


def sums_of(ratings: Ratings, *, minimum_base: int, seed: int = SEED) -> ItemSums:
    """Sums by block of answers that lie in memory: what the features do in SQL. Customers are dealt out to blocks by a recorded seed."""
    block, count = block_of_cluster(ratings.clusters, seed)
    here, told = np.isfinite(ratings.performance), np.isfinite(ratings.stated)
    performance = np.nan_to_num(ratings.performance - CENTRE)
    answered: NDArray[np.bool_] = np.asarray(np.isfinite(ratings.overall))
    overall = np.nan_to_num(ratings.overall - CENTRE)[:, None]
    both = here & answered[:, None]
    x, y = np.where(both, performance, 0.0), np.where(both, overall, 0.0)
    enough = here.sum(axis=0) >= max(minimum_base, 1)
    used = tuple(
        j for j in range(len(ratings.items)) if enough[j] and np.ptp(ratings.performance[here[:, j], j]) > _NO_SPREAD
    )
    products = None
    if answered.any() and used and len(used) <= MOST_FACTORS:
        complete = both[:, list(used)].all(axis=1)
        table = np.column_stack([np.ones(len(overall)), performance[:, list(used)], overall])[complete]
        products = np.zeros((count, table.shape[1], table.shape[1]))
        for one in range(table.shape[1]):
            for other in range(table.shape[1]):
                products[:, one, other] = np.bincount(
                    block[complete], weights=table[:, one] * table[:, other], minlength=count
                )

    def by_block(values: NDArray[np.generic]) -> Floats:
        return np.column_stack([np.bincount(block, weights=column, minlength=count) for column in values.T])

    return ItemSums(
        ratings.items, by_block(here), by_block(performance), by_block(told), by_block(np.nan_to_num(ratings.stated - CENTRE)),
        by_block(both), by_block(x), by_block(x * x), by_block(y), by_block(y * y), by_block(x * y), used, products,
    )  # fmt: skip


def _correlations(n: Floats, x: Floats, y: Floats, xx: Floats, yy: Floats, xy: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        of_both, of_x, of_y = xy - x * y / n, xx - x**2 / n, yy - y**2 / n
        return np.asarray(
            np.where((of_x > _NO_SPREAD * n) & (of_y > _NO_SPREAD * n), of_both / np.sqrt(of_x * of_y), np.nan)
        )


def importance_and_performance(
    sums: ItemSums, kind: ImportanceKind, *, replicates: int = REPLICATES, seed: int = SEED
) -> tuple[Floats, Floats, list[str | None]]:
    """Importance and performance of the items, first as they are and then of each bootstrap sample of respondents.

    Returns:
        importance and performance, shape (1 + replicates, items), NaN where unknown; and per item why its importance is.
    """
    blocks, width = sums.respondents.shape
    # The same draws for importance and performance: the same people.
    weights = np.vstack([np.ones((1, max(blocks, 1))), draws_of(max(blocks, 1), replicates, seed)])
    reasons: list[str | None] = [None] * width

    def drawn(values: Floats) -> Floats:
        return np.asarray(weights @ values) if blocks else np.zeros((len(weights), width))

    with np.errstate(invalid="ignore", divide="ignore"):
        performance = drawn(sums.performance) / drawn(sums.respondents) + CENTRE
        if kind == "stated":
            importance = drawn(sums.stated) / drawn(sums.stated_respondents) + CENTRE
            reasons = [None if sums.stated_respondents[:, j].any() else "not_asked" for j in range(width)]
            return importance, performance, reasons
    if not sums.both.any():
        return np.full_like(performance, np.nan), performance, ["no_overall_question"] * width
    if kind == "correlation":
        importance = _correlations(*(drawn(each) for each in (sums.both, sums.x, sums.y, sums.xx, sums.yy, sums.xy)))
        return importance, performance, ["constant" if np.isnan(one) else None for one in importance[0]]
    if kind != "lmg":
        raise ValueError(f"importance: {kind!r} is none of {', '.join(get_args(ImportanceKind))}")
    importance = np.full_like(performance, np.nan)
    used = list(sums.used)
    reasons = [None if j in sums.used else "constant" for j in range(width)]
    if not used:
        return importance, performance, reasons
    if len(used) > MOST_FACTORS:
        return importance, performance, [reasons[j] or "too_many_items" for j in range(width)]
    whole = np.zeros((len(used) + 2,) * 2) if sums.products is None else sums.products.sum(axis=0)
    if sums.products is None or whole[0, 0] <= len(used) + 1:
        return importance, performance, [reasons[j] or "fewer_answers_than_factors" for j in range(width)]
    spread = np.sqrt(np.maximum(np.diagonal(centred(whole[None])[0]) / whole[0, 0], 0.0))
    if spread[-1] <= _NO_SPREAD:
        return importance, performance, ["constant_outcome"] * width
    drawn_products = (weights @ sums.products.reshape(blocks, -1)).reshape(-1, *whole.shape)
    scale = np.where(spread > _NO_SPREAD, spread, 1.0)
    importance[:, used] = lmg_shares(centred(drawn_products) / (scale[:, None] * scale))
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
    sums: ItemSums,
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
    n = sums.respondents.sum(axis=0)
    small: NDArray[np.bool_] = n < max(minimum_base, 1)
    importance, performance, reasons = importance_and_performance(sums, kind, replicates=replicates, seed=seed)
    importance[:, small], performance[:, small] = np.nan, np.nan
    reasons = ["below_minimum_base" if small[j] else reasons[j] for j in range(len(sums.items))]
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
    for j, item in enumerate(sums.items):
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


def importance_performance(sums: pl.DataFrame, *, minimum_base: int, replicates: int = REPLICATES) -> pl.DataFrame:
    """Matrices of every survey: by question and by dimension, with each kind of importance.

    Args:
        sums: one row per survey (source, survey_id), item_level (question or dimension), item, block of respondents and, of the answers of
            respondents who rated all items that can share, other_item (itself among them; null = the item alone): `ftr_survey_item_sums`.
            period_start, period_end, survey_kind, item_dimension and answers_on_other_scales are the same in all rows of an item.

    Returns:
        Schema `IMPORTANCE_SCHEMA`. Kinds of importance that a survey cannot have at all (nothing stated, no overall question) have no rows.
        Rounded to 9 places, because sums of fractions depend on the order of rows.
    """
    if sums.is_empty():
        return pl.DataFrame(schema=IMPORTANCE_SCHEMA)
    as_of = sums["period_end"].max()
    found = []
    order = ["source", "survey_id", "item_level"]
    for _, part in sums.sort(*order, "item", "other_item", "block", nulls_last=False).group_by(
        order, maintain_order=True
    ):
        of_items = part.unique("item", keep="first", maintain_order=True).select(
            "source", "survey_id", "survey_kind", "period_start", "period_end", "item_level", "item", "item_dimension",
            "answers_on_other_scales", pl.lit(MODEL_VERSION).alias("model_version"), pl.lit(as_of, dtype=pl.Date).alias("as_of"),
        )  # fmt: skip
        items = _item_sums(part, max(minimum_base, 1))
        for kind in get_args(ImportanceKind):
            if not (items.stated_respondents if kind == "stated" else items.both).any():
                continue
            matrix = matrix_of(items, kind, minimum_base=minimum_base, replicates=replicates)
            found.append(
                of_items.join(matrix, on="item", how="left", maintain_order="left").select(list(IMPORTANCE_SCHEMA))
            )
    if not found:
        return pl.DataFrame(schema=IMPORTANCE_SCHEMA)
    floats = [name for name, kind in IMPORTANCE_SCHEMA.items() if kind == pl.Float64]
    return pl.concat(found).cast(IMPORTANCE_SCHEMA).with_columns(pl.col(floats).round(9))  # type: ignore[arg-type]


def _item_sums(part: pl.DataFrame, least: int) -> ItemSums:
    """Rows of one survey and level of items -> arrays."""
    names = part["item"].unique().sort().to_list()
    number = {name: j for j, name in enumerate(names)}
    count = int(part["block"].max()) + 1  # type: ignore[arg-type]
    alone = part.filter(pl.col("other_item").is_null())
    at = (
        alone["block"].to_numpy(),
        alone["item"].replace_strict(number, return_dtype=pl.Int64).to_numpy(),
    )

    def by_block(name: str) -> Floats:
        filled = np.zeros((count, len(names)))
        filled[at] = alone[name].cast(pl.Float64).fill_null(0.0).to_numpy()
        return filled

    pairs = part.filter(pl.col("other_item").is_not_null())
    shares = alone.group_by("item").agg(
        (pl.col("respondents").sum() >= least) & (pl.col("highest").max() - pl.col("lowest").min() > _NO_SPREAD)
    )
    used = tuple(sorted(number[name] for name in shares.filter(pl.col("respondents"))["item"]))
    products = _products(pairs, {names[j]: 1 + at for at, j in enumerate(used)}, count) if pairs.height else None
    return ItemSums(
        names, by_block("respondents"), by_block("score_sum"), by_block("stated_respondents"), by_block("stated_sum"),
        by_block("answers"), by_block("item_sum"), by_block("item_times_other"), by_block("overall_sum"),
        by_block("overall_squares"), by_block("item_times_overall"), used, products,
    )  # fmt: skip


def _products(pairs: pl.DataFrame, place: Mapping[str, int], count: int) -> Floats:
    """Rows of pairs of items -> products of (1, items …, overall) by block; `place`: column of each item."""
    products = np.zeros((count, len(place) + 2, len(place) + 2))
    block = pairs["block"].to_numpy()
    one = pairs["item"].replace_strict(place, return_dtype=pl.Int64).to_numpy()
    other = pairs["other_item"].replace_strict(place, return_dtype=pl.Int64).to_numpy()
    for name, left, right in (
        ("answers", 0, 0), ("overall_sum", 0, -1), ("overall_squares", -1, -1), ("item_sum", one, 0),
        ("item_times_overall", one, -1), ("item_times_other", one, other),
    ):  # fmt: skip
        amounts = pairs[name].cast(pl.Float64).to_numpy()
        products[block, left, right] = amounts
        products[block, right, left] = amounts
    return products
