"""What drives satisfaction: least squares with robust intervals, and Shapley (LMG) shares of R² with bootstrap intervals.

Belongs here: the shares of R² of a set of factors, the fit of one population of answers, and both for a frame of populations.
Does not belong here: which facts are factors (features, `seeds/satisfaction_factors.csv`), importance beside performance
(`importance_performance.py`), or cause and effect: a coefficient says what goes along with an answer, other factors being equal.

Everything follows from the cross-products of the columns, so rows are read twice only (means, products); the 2^p models of p factors
are eliminated from one matrix. Rows of one cluster (a customer's answers) are kept together in the intervals and the bootstrap.

Sources: R. H. Lindeman, P. F. Merenda and R. Z. Gold, *Introduction to Bivariate and Multivariate Analysis*, 1980, p. 119 (shares as
the mean over all orders); U. Grömping, "Estimators of relative importance in linear regression based on variance decomposition",
*The American Statistician* 61, 2007; H. White, "A heteroskedasticity-consistent covariance matrix estimator", *Econometrica* 48, 1980,
with the correction of J. G. MacKinnon and H. White, *Journal of Econometrics* 29, 1985 (HC1) and, for clusters, of A. C. Cameron and
D. L. Miller, *Journal of Human Resources* 50, 2015 (CR1).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MODEL_VERSION = "lmg-1"
SEED = 20_080_501
"""Of the assignment to blocks and the bootstrap draws; part of the result, so it is recorded here."""
MOST_FACTORS = 15
"""2^15 models of one matrix are a moment; each further factor doubles time and memory of the bootstrap."""
BLOCKS = 500
REPLICATES = 200
_NOTHING_LEFT = 1e-9
"""Share of a column's variance below which it is a combination of the columns before it."""

REASONS = (
    "below_minimum_base",
    "collinear",
    "constant",
    "constant_outcome",
    "fewer_answers_than_factors",
    "mostly_unknown",
)
"""Why a number is missing, in the words of `seeds/value_labels.csv`."""


def explained_by_subset(cross: ArrayLike, groups: Sequence[int] | None = None) -> Floats:
    """R² of the outcome on every subset of the factors.

    Gaussian elimination along the tree of subsets: each factor is either swept out of the matrix that is left or struck from it, so all
    2^p models cost about as much as 12 · 2^p numbers.

    Args:
        cross: shape (..., q + 1, q + 1), centred cross-products (or correlations) of the q columns and, last, the outcome.
        groups: number of columns of each factor, in order; None = one each. Columns of a factor enter together.

    Returns:
        shape (..., 2^p); bit j of the index says whether factor j is in the model. 0 where the outcome does not vary. A column that is a
        combination of those before it adds nothing.

    Raises:
        ValueError: the matrix is not square, has no outcome, or does not fit the groups; more than `MOST_FACTORS` factors.
    """
    matrix = np.asarray(cross, dtype=np.float64)
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2] or matrix.shape[-1] < 1:
        raise ValueError(f"cross: shape {matrix.shape} is not that of square matrices")
    columns = matrix.shape[-1] - 1
    sizes = [1] * columns if groups is None else [int(size) for size in groups]
    if sum(sizes) != columns or any(size < 1 for size in sizes):
        raise ValueError(f"groups: {sizes} do not make up {columns} columns")
    if len(sizes) > MOST_FACTORS:
        raise ValueError(f"{len(sizes)} factors: at most {MOST_FACTORS}")
    total = matrix[..., -1, -1]
    # Rows and columns first, subsets last: the matrices shrink while the subsets double, and long inner loops are what is fast.
    state = np.moveaxis(matrix, (-2, -1), (0, 1))[..., None]
    original = np.diagonal(matrix, axis1=-2, axis2=-1)[..., None]
    done = 0
    for size in sizes:
        swept = state
        for column in range(size):
            pivot = swept[0, 0]
            counts = pivot > _NOTHING_LEFT * original[..., done + column, :]
            factor = np.where(counts, 1.0 / np.where(counts, pivot, 1.0), 0.0)
            row = swept[0, 1:]
            swept = swept[1:, 1:] - (row * factor)[:, None] * row[None, :]
        state = np.concatenate([state[size:, size:], swept], axis=-1)
        done += size
    left = state[0, 0]
    varies = total > 0
    r_squared = 1.0 - left / np.where(varies, total, 1.0)[..., None]
    return np.where(varies[..., None], np.clip(r_squared, 0.0, 1.0), 0.0)


def lmg_shares(cross: ArrayLike, groups: Sequence[int] | None = None) -> Floats:
    """Shares of R² by factor: what a factor adds to R², averaged over all orders in which the factors can enter.

    Args and errors: as `explained_by_subset`.

    Returns:
        shape (..., p); never negative, and they sum to the R² of all factors.
    """
    by_subset = explained_by_subset(cross, groups)
    return np.asarray(by_subset @ _weights_of_subsets(by_subset.shape[-1].bit_length() - 1))


@lru_cache(maxsize=MOST_FACTORS + 1)
def _weights_of_subsets(factors: int) -> Floats:
    """Weight of each subset's R² in each factor's share, shape (2^p, p): k! (p - 1 - k)! / p! with k other factors in it, negative without the factor."""
    subsets = np.arange(1 << factors)
    sizes = np.bitwise_count(subsets).astype(np.int64)
    orders = math.factorial(factors)
    gain = np.array([math.factorial(k) * math.factorial(factors - 1 - k) / orders for k in range(factors)])
    found = np.empty((1 << factors, factors))
    for factor in range(factors):
        inside = (subsets >> factor) & 1 == 1
        found[:, factor] = np.where(inside, gain[np.maximum(sizes - 1, 0)], -gain[np.minimum(sizes, factors - 1)])
    found.setflags(write=False)
    return found


@dataclass(frozen=True)
class Blocks:
    """Sums of products of (1, columns …) over random blocks of clusters: all that a bootstrap needs of the rows.

    Clusters are dealt out to at most `BLOCKS` blocks of equal size (in clusters) by a recorded seed. Up to that number of clusters each
    is a block of its own, and drawing blocks with replacement is the ordinary bootstrap; beyond it, the sum over a block is one draw of a
    larger sample, and the spread of the statistic is the same.
    """

    products: Floats
    """shape (blocks, 1 + columns, 1 + columns)"""

    def resampled(self, replicates: int, seed: int) -> Floats:
        """Products of bootstrap samples, shape (replicates, 1 + columns, 1 + columns)."""
        count = len(self.products)
        flat = self.products.reshape(count, -1)
        return np.asarray(draws_of(count, replicates, seed) @ flat).reshape(replicates, *self.products.shape[1:])


@lru_cache(maxsize=8)
def draws_of(blocks: int, replicates: int, seed: int) -> Floats:
    """How often each block is drawn in each replicate, shape (replicates, blocks); read only."""
    drawn = np.random.default_rng(seed).multinomial(blocks, np.full(blocks, 1.0 / blocks), size=replicates)
    found = drawn.astype(np.float64)
    found.setflags(write=False)
    return found


def block_of_cluster(clusters: Integers, seed: int = SEED, most: int = BLOCKS) -> tuple[Integers, int]:
    """Block of each row, and how many blocks there are.

    Args:
        clusters: number of the cluster of each row, 0 to g − 1, all of them used.
    """
    count = int(clusters.max()) + 1 if len(clusters) else 0
    blocks = min(count, most)
    dealt = np.random.default_rng(seed).permutation(count) % max(blocks, 1)
    return dealt[clusters], blocks


def blocks_of(columns: Floats, block: Integers, count: int) -> Blocks:
    """Products by block of the columns, shape (n, columns), best centred and scaled before; block: number of each row's, 0 to count - 1."""
    width = columns.shape[1]
    order = np.argsort(block, kind="stable")
    bounds = np.searchsorted(block[order], np.arange(count + 1))
    products = np.zeros((count, width + 1, width + 1))
    for number in range(count):
        part = columns[order[bounds[number] : bounds[number + 1]]]
        products[number, 0, 0] = len(part)
        products[number, 0, 1:] = products[number, 1:, 0] = part.sum(axis=0)
        products[number, 1:, 1:] = part.T @ part
    return Blocks(products)


def centred(products: Floats) -> Floats:
    """Products of (1, columns …) -> centred cross-products of the columns, shape (..., columns, columns)."""
    sums = products[..., 0, 1:]
    n = products[..., 0, 0]
    outer = sums[..., :, None] * sums[..., None, :]
    return products[..., 1:, 1:] - outer / np.where(n > 0, n, 1.0)[..., None, None]


def numbered(labels: ArrayLike | None, n: int) -> Integers:
    """Labels as whole numbers from 0 on, in the order of the labels; None = each row for itself."""
    if labels is None:
        return np.arange(n, dtype=np.int64)
    return np.unique(np.asarray(labels), return_inverse=True)[1].astype(np.int64)


@dataclass(frozen=True)
class FactorResult:
    """One factor of one population; None = not known, with the reason. Units: the factor's own, the outcome's own."""

    factor: str
    mean: float | None = None
    coefficient: float | None = None
    low: float | None = None
    high: float | None = None
    standardised: float | None = None
    standardised_low: float | None = None
    standardised_high: float | None = None
    share: float | None = None
    share_low: float | None = None
    share_high: float | None = None
    unknown: int = 0
    """Answers of the population for which the factor is not known."""
    reason: str | None = None


@dataclass(frozen=True)
class Drivers:
    """The fit of one population. `answers`: all with an outcome; `used`: those for which every factor is known (or filled in)."""

    answers: int
    used: int
    clusters: int
    r_squared: float | None
    factors: tuple[FactorResult, ...]
    reason: str | None = None


def fit_drivers(
    outcome: ArrayLike,
    factors: Mapping[str, ArrayLike],
    *,
    clusters: ArrayLike | None = None,
    filled: Collection[str] = (),
    minimum_base: int = 0,
    least_known: float = 0.5,
    replicates: int = REPLICATES,
    confidence: float = 0.95,
    seed: int = SEED,
) -> Drivers:
    """Least squares of the outcome on the factors, with LMG shares.

    Rules, in this order: answers without an outcome are no answers. A factor known for less than `least_known` of the answers is left out
    (`mostly_unknown`). A factor of `filled` that is not known for an answer takes its mean there, and a second column says so; both are one
    factor in the shares. Of the other factors every one must be known: answers that lack one are not used. A factor without variance
    among the used answers is left out (`constant`). Fewer used answers than the minimum base, or no more than columns and a constant,
    give no numbers at all. A factor that follows from others has no coefficient (`collinear`), but a share: it is split among them.

    Args:
        outcome: shape (n,), NaN = no answer. factors: arrays of shape (n,), NaN = not known. clusters: label of each row's cluster.

    Returns:
        Intervals of coefficients are those of Student's t with cluster-robust errors (HC1 without clusters); intervals of shares are
        percentiles of the bootstrap over clusters.

    Raises:
        ValueError: more than `MOST_FACTORS` factors, or lengths that differ.
    """
    y_all = np.asarray(outcome, dtype=np.float64)
    names = list(factors)
    if len(names) > MOST_FACTORS:
        raise ValueError(f"{len(names)} factors: at most {MOST_FACTORS}")
    given = {name: np.asarray(values, dtype=np.float64) for name, values in factors.items()}
    for name, values in given.items():
        if values.shape != y_all.shape:
            raise ValueError(f"{name}: {values.shape} is not the shape of the outcome, {y_all.shape}")
    answered = np.isfinite(y_all)
    answers = int(answered.sum())
    known = {name: np.isfinite(values) & answered for name, values in given.items()}
    unknown = {name: answers - int(found.sum()) for name, found in known.items()}
    left_out = {
        name: "mostly_unknown" for name in names if answers and answers - unknown[name] < max(least_known * answers, 1)
    }
    use = answered.copy()
    for name in names:
        if name not in left_out and name not in filled:
            use &= known[name]
    used = int(use.sum())
    labels = None if clusters is None else np.asarray(clusters)[use]
    group = numbered(labels, used)
    count = int(group.max()) + 1 if used else 0
    y = y_all[use]

    columns: list[Floats] = []
    sizes: list[int] = []
    kept: list[str] = []
    means: dict[str, float] = {}
    for name in names:
        if name in left_out or not used:
            continue
        values, there = given[name][use], known[name][use]
        if not there.any():
            left_out[name] = "mostly_unknown"
            continue
        means[name] = float(values[there].mean())
        if _is_constant(values[there]):
            left_out[name] = "constant"
            continue
        kept.append(name)
        if there.all():
            columns.append(values)
            sizes.append(1)
        else:
            columns += [np.where(there, values, means[name]), (~there).astype(np.float64)]
            sizes.append(2)

    def none(reason: str) -> Drivers:
        found = [
            FactorResult(name, mean=means.get(name), unknown=unknown[name], reason=left_out.get(name, reason))
            for name in names
        ]
        return Drivers(answers, used, count, None, tuple(found), reason)

    width = len(columns)
    if used <= width + 1:
        return none("fewer_answers_than_factors")
    if used < minimum_base:
        return none("below_minimum_base")
    if _is_constant(y):
        return none("constant_outcome")
    if not kept:
        rows = [FactorResult(name, means.get(name), unknown=unknown[name], reason=left_out[name]) for name in names]
        return Drivers(answers, used, count, None, tuple(rows), None)

    table = np.column_stack([*columns, y])
    centre, spread = table.mean(axis=0), table.std(axis=0)
    table -= centre
    table /= spread
    blocks = blocks_of(table, *block_of_cluster(group, seed))
    cross = centred(blocks.products.sum(axis=0))
    beta, errors, identified = _robust(table, cross, group, count)
    degrees = max(min(count - 1, used - width - 1), 1)
    margin = float(stdtrit(degrees, 0.5 + confidence / 2)) * errors
    shares = lmg_shares(cross, sizes)
    drawn = lmg_shares(centred(blocks.resampled(replicates, seed)), sizes)
    tail = (1 - confidence) / 2
    share_low, share_high = np.quantile(drawn, [tail, 1 - tail], axis=0)

    first = np.cumsum([0, *sizes[:-1]])
    at = {name: (int(column), number) for number, (name, column) in enumerate(zip(kept, first, strict=True))}
    results = []
    for name in names:
        if name in left_out:
            results.append(FactorResult(name, means.get(name), unknown=unknown[name], reason=left_out[name]))
            continue
        column, number = at[name]
        clear = bool(identified[column])
        scale = float(spread[-1] / spread[column])
        standard = (float(beta[column]), float(margin[column])) if clear else (None, None)
        low, high = (
            (standard[0] - standard[1], standard[0] + standard[1])
            if standard[0] is not None and standard[1] is not None
            else (None, None)
        )
        results.append(
            FactorResult(
                name,
                mean=means[name],
                coefficient=None if standard[0] is None else standard[0] * scale,
                low=None if low is None else low * scale,
                high=None if high is None else high * scale,
                standardised=standard[0],
                standardised_low=low,
                standardised_high=high,
                share=float(shares[number]),
                share_low=float(share_low[number]),
                share_high=float(share_high[number]),
                unknown=unknown[name],
                reason=None if clear else "collinear",
            )
        )
    return Drivers(answers, used, count, float(shares.sum()), tuple(results))


def _is_constant(values: Floats) -> bool:
    return bool(np.ptp(values) <= 1e-12 * max(1.0, float(np.abs(values).max())))


def _robust(table: Floats, cross: Floats, group: Integers, count: int) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Standardised coefficients, their cluster-robust standard errors, and whether a column is identified.

    table: centred and scaled columns and, last, the outcome; cross: its cross-products.
    """
    n, width = len(table), table.shape[1] - 1
    values, vectors = np.linalg.eigh(cross[:-1, :-1] / n)
    null = values <= _NOTHING_LEFT * width
    identified = (vectors[:, null] ** 2).sum(axis=1) < 1e-8
    inverse = (vectors[:, ~null] / (values[~null] * n)) @ vectors[:, ~null].T
    beta = inverse @ cross[:-1, -1]
    residual = table[:, -1] - table[:, :-1] @ beta
    scores = np.empty((count, width))
    for column in range(width):
        scores[:, column] = np.bincount(group, weights=table[:, column] * residual, minlength=count)
    rank = int((~null).sum())
    correction = count / max(count - 1, 1) * (n - 1) / max(n - rank - 1, 1)
    covariance = inverse @ (scores.T @ scores) @ inverse * correction
    return beta, np.sqrt(np.maximum(np.diagonal(covariance), 0.0)), identified


# -- populations ------------------------------------------------------------------------------------------------------

DRIVER_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "population": pl.String,
    "factor_set": pl.String,
    "period_kind": pl.String,
    "period_start": pl.Date,
    "period_end": pl.Date,
    "factor": pl.String,
    "answers": pl.Int64,
    "answers_on_other_scales": pl.Int64,
    "answers_used": pl.Int64,
    "customers": pl.Int64,
    "factor_unknown": pl.Int64,
    "factor_mean": pl.Float64,
    "coefficient": pl.Float64,
    "coefficient_low": pl.Float64,
    "coefficient_high": pl.Float64,
    "effect_sign": pl.String,
    "standardised": pl.Float64,
    "standardised_low": pl.Float64,
    "standardised_high": pl.Float64,
    "share": pl.Float64,
    "share_low": pl.Float64,
    "share_high": pl.Float64,
    "share_of_explained": pl.Float64,
    "share_rank": pl.Int64,
    "r_squared": pl.Float64,
    "reason": pl.String,
    "model_version": pl.String,
    "as_of": pl.Date,
}
POPULATIONS = {"after_calls": ("call",), "after_tickets": ("ticket",), "all": ("call", "ticket")}
"""Name of a population -> what its answers are about."""
FACTOR_SETS = {"operations": ("operations",), "operations_and_said": ("operations", "said")}
"""What the company's systems know; the same with what the customer says in the same answer (whether the matter was solved)."""


def sign_of(low: float | None, high: float | None) -> str | None:
    """`up` or `down` where the interval does not hold 0, `unclear` where it does, None without an interval."""
    if low is None or high is None:
        return None
    return "up" if low > 0 else "down" if high < 0 else "unclear"


def periods_of(days: pl.Series) -> pl.DataFrame:
    """Periods of a column of days: the 12 months up to its last day, and each calendar quarter that it touches.

    Returns: period_kind (`last_12_months` or `quarter`), period_start, period_end (the quarter's last day, at most the last day known).
    """
    days = days.drop_nulls()
    end = days.max()
    schema = {"period_kind": pl.String, "period_start": pl.Date, "period_end": pl.Date}
    if end is None:
        return pl.DataFrame(schema=schema)
    year = pl.DataFrame(
        {"period_kind": ["last_12_months"], "period_end": [end]}, schema_overrides={"period_end": pl.Date}
    )
    year = year.select(
        "period_kind",
        period_start=pl.col("period_end").dt.offset_by("1d").dt.offset_by("-12mo"),
        period_end="period_end",
    )
    quarters = (
        pl.DataFrame({"period_start": days.dt.truncate("1q").unique().sort()})
        .with_columns(period_end=pl.col("period_start").dt.offset_by("3mo").dt.offset_by("-1d"))
        .select(
            pl.lit("quarter").alias("period_kind"),
            "period_start",
            pl.min_horizontal("period_end", pl.lit(end, dtype=pl.Date)).alias("period_end"),
        )
    )
    return pl.concat([year, quarters])


def satisfaction_drivers(
    answers: pl.DataFrame,
    factors: pl.DataFrame,
    *,
    minimum_base: int,
    least_known: float = 0.5,
    replicates: int = REPLICATES,
) -> pl.DataFrame:
    """Drivers of every population and period.

    Args:
        answers: one row per answer: about_kind (call or ticket), responded_on, csat_score (0-100), scale (text that tells the scale on which
            the question was asked), cluster, response_id, and one column per factor (number or boolean; null = not known).
        factors: `seeds/satisfaction_factors.csv`: factor, factor_set (operations or said), populations (separated by semicolons),
            cap (null = none), when_unknown (leave_out = the answer is not used; fill = the mean, and a column that says so).
        minimum_base: used answers below which there is no estimate.

    Returns:
        Schema `DRIVER_SCHEMA`. Quarters have the set `operations` only. Of a population and period only answers on the scale of its newest
        answer are used; the others are counted.

    Raises:
        ValueError: a factor of the seed that is no column, or an unknown population, set or rule.
    """
    _check_factors(factors, answers.columns)
    if answers.is_empty():
        return pl.DataFrame(schema=DRIVER_SCHEMA)
    answers = answers.filter(pl.col("csat_score").is_not_null()).sort("responded_on", "cluster", "response_id")
    as_of = answers["responded_on"].max()
    rows: list[dict[str, object]] = []
    for population, kinds in POPULATIONS.items():
        of_population = answers.filter(pl.col("about_kind").is_in(kinds))
        for period in periods_of(answers["responded_on"]).iter_rows(named=True):
            inside = of_population.filter(
                pl.col("responded_on").is_between(period["period_start"], period["period_end"])
            )
            if inside.is_empty():
                continue
            newest = inside["scale"][-1]
            on_scale = inside.filter(pl.col("scale").eq_missing(pl.lit(newest)))
            for factor_set, parts in FACTOR_SETS.items():
                if factor_set != "operations" and period["period_kind"] == "quarter":
                    continue
                chosen = factors.filter(
                    pl.col("factor_set").is_in(parts)
                    & pl.col("populations")
                    .str.split(";")
                    .list.eval(pl.element().str.strip_chars())
                    .list.contains(population)
                ).sort("factor")
                fit = fit_drivers(
                    on_scale["csat_score"].to_numpy(),
                    {
                        row["factor"]: _capped(on_scale[row["factor"]], row["cap"])
                        for row in chosen.iter_rows(named=True)
                    },
                    clusters=on_scale["cluster"].to_numpy(),
                    filled=chosen.filter(pl.col("when_unknown") == "fill")["factor"].to_list(),
                    minimum_base=minimum_base,
                    least_known=least_known,
                    replicates=replicates,
                )
                head = {"population": population, "factor_set": factor_set, **period, "as_of": as_of}
                rows += _rows(head, fit, inside.height - on_scale.height)
    return pl.DataFrame(rows, schema=DRIVER_SCHEMA).sort(
        "population", "factor_set", "period_kind", "period_start", "factor"
    )


def _check_factors(factors: pl.DataFrame, columns: Sequence[str]) -> None:
    for row in factors.iter_rows(named=True):
        name = row["factor"]
        if name not in columns:
            raise ValueError(f"satisfaction_factors.csv: {name} is no column of the features")
        if row["factor_set"] not in ("operations", "said"):
            raise ValueError(
                f"satisfaction_factors.csv: {name}: factor_set {row['factor_set']!r}; use operations or said"
            )
        if row["when_unknown"] not in ("leave_out", "fill"):
            raise ValueError(
                f"satisfaction_factors.csv: {name}: when_unknown {row['when_unknown']!r}; use leave_out or fill"
            )
        for population in str(row["populations"]).split(";"):
            if population.strip() not in POPULATIONS:
                raise ValueError(
                    f"satisfaction_factors.csv: {name}: population {population!r}; use {', '.join(POPULATIONS)}"
                )


def _capped(values: pl.Series, cap: float | None) -> Floats:
    numbers = values.cast(pl.Float64)
    if cap is not None:
        numbers = numbers.clip(upper_bound=cap)
    return numbers.to_numpy().astype(np.float64)


def _rows(head: Mapping[str, object], fit: Drivers, on_other_scales: int) -> list[dict[str, object]]:
    shares = sorted((found.share for found in fit.factors if found.share is not None), reverse=True)
    rows: list[dict[str, object]] = []
    for found in fit.factors:
        rows.append(
            {
                **head,
                "factor": found.factor,
                "answers": fit.answers,
                "answers_on_other_scales": on_other_scales,
                "answers_used": fit.used,
                "customers": fit.clusters,
                "factor_unknown": found.unknown,
                "factor_mean": found.mean,
                "coefficient": found.coefficient,
                "coefficient_low": found.low,
                "coefficient_high": found.high,
                "effect_sign": sign_of(found.low, found.high),
                "standardised": found.standardised,
                "standardised_low": found.standardised_low,
                "standardised_high": found.standardised_high,
                "share": found.share,
                "share_low": found.share_low,
                "share_high": found.share_high,
                "share_of_explained": found.share / fit.r_squared
                if found.share is not None and fit.r_squared
                else None,
                "share_rank": None if found.share is None else shares.index(found.share) + 1,
                "r_squared": fit.r_squared,
                "reason": found.reason,
                "model_version": MODEL_VERSION,
            }
        )
    return rows
