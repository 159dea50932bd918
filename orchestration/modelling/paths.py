"""Satisfaction indices of the ACSI / ECSI / TCSI family: a path model of latent variables, estimated by partial least squares.

Belongs here: outer weights, loadings, paths, quality figures and their bootstrap intervals of one period's answers. Does not belong
here: the index itself, which SQL adds up from the answers and the weights (marts), and which weights hold for a trend (seeds).

Terms: an *item* is a question; the items of a latent variable are its *block*; all blocks are reflective (mode A). The *inner model*
says which latent variables (antecedents) act on which. Answers are on 0 to 100, high = good, so that an item whose scale changed
between waves, or is reversed, is one like the others.

The algorithm (iterated on the correlations of the items, which is the same as on the answers): start with equal weights; inner
estimate of each latent variable from its neighbours (scheme `path`: its antecedents by multiple regression, its successors by correlation;
`centroid`: signs of correlations; `factorial`: correlations); new weight of an item = its covariance with that inner estimate; until no
weight of the standardised latent variables moves by more than 1e-7, at most 300 times.

Rules:
  * Missing answers: each correlation is of those who answered both items (pairwise), so no answer is thrown away and none invented.
  * Sign: a latent variable points where the sum of its items' loadings is positive.
  * An item whose outer weight is negative would lower the index when it is answered better. The most negative one is put out and the model
    estimated again, until all weights are positive; the item is listed with the reason `negative_weight`.
  * Index weights are unstandardised (outer weight / standard deviation of the item) and sum to 1 in their block: with them
    (weighted mean - min) / (max - min) x 100 is the weighted mean of the answers on 0 to 100.
  * Mode A weighs composites, not factors: loadings come out too high and paths too low. With k items of equal loading l, the composite
    has the reliability r = k l^2 / (1 + (k - 1) l^2); a loading becomes sqrt((1 + (k - 1) l^2) / k), and the correlation of two
    latent variables is multiplied by sqrt(r1 r2).

Sources: J.-B. Lohmoeller, *Latent Variable Path Modeling with Partial Least Squares*, 1989 (algorithm, schemes); M. Tenenhaus et al., "PLS
path modeling", *CSDA* 48, 2005 (unstandardised weights, quality figures); C. Fornell et al., "The American Customer Satisfaction Index",
*Journal of Marketing* 60, 1996 (index); T. Dijkstra, "Latent variables and indices", in *Handbook of PLS*, 2010 (attenuation).
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Scheme = Literal["path", "centroid", "factorial"]

MODEL_VERSION = "1"
SEED = 20080101
DRAWS = 200
TOLERANCE = 1e-7
MOST_ITERATIONS = 300
LEAST_DRAWS = 0.8
"""Share of the draws that must give a result for an interval to be stated."""
_SINGULAR = 1e-10

FIGURES: dict[str, pl.DataType | type[pl.DataType]] = {
    "model": pl.String,
    "period": pl.String,
    "figure": pl.String,
    "latent_variable": pl.String,
    "antecedent": pl.String,
    "item": pl.String,
    "figure_value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "respondents": pl.Int64,
    "scheme": pl.String,
    "reason": pl.String,
    "model_version": pl.String,
    "as_of": pl.Date,
}


@dataclass(frozen=True)
class PathModel:
    """An inner model: latent variables, antecedents first, and for each its antecedents (indices).

    Made by `path_model`, which checks it.
    """

    latent_variables: tuple[str, ...]
    antecedents: tuple[tuple[int, ...], ...]
    scheme: Scheme = "path"

    @property
    def paths(self) -> list[tuple[int, int]]:
        """(latent variable, antecedent) of each path."""
        return [(to, of) for to, all_of in enumerate(self.antecedents) for of in all_of]


def path_model(paths: Sequence[tuple[str, str | None]], scheme: str = "path") -> PathModel:
    """An inner model from its rows.

    Args:
        paths: (latent variable, antecedent); the antecedent is None for a latent variable on which none acts.
        scheme: inner weighting: path, centroid or factorial.

    Raises:
        ValueError: unknown scheme, a circle of paths, a path twice, or a latent variable without any path.
    """
    if scheme not in get_args(Scheme):
        raise ValueError(f"scheme {scheme!r} is none of {', '.join(get_args(Scheme))}")
    named = [(to, of) for to, of in paths if of is not None]
    if len(set(named)) != len(named):
        raise ValueError("a path stands there twice")
    names = sorted({name for path in paths for name in path if name is not None})
    lonely = [name for name in names if all(name not in path for path in named)]
    if lonely:
        raise ValueError(f"no path begins or ends at {', '.join(lonely)}")
    ordered: list[str] = []
    while len(ordered) < len(names):
        ready = [n for n in names if n not in ordered and all(of in ordered for to, of in named if to == n)]
        if not ready:
            raise ValueError(f"the paths go in a circle among {', '.join(n for n in names if n not in ordered)}")
        ordered += ready
    antecedents = tuple(tuple(sorted(ordered.index(of) for to, of in named if to == name)) for name in ordered)
    return PathModel(tuple(ordered), antecedents, scheme)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Solution:
    """Path models of B correlation matrices at once; p items, q latent variables.

    Attributes:
        weights: B x p, outer weights of standardised items; each latent variable has variance 1.
        loadings: B x p, correlation of an item with its own latent variable.
        correlations: B x q x q, of the latent variables.
        paths: B x q x q, path coefficients: row = latent variable, column = antecedent, 0 where there is no path.
        r_squared: B x q, NaN where nothing acts on the latent variable.
        is_usable: B, False where the iteration did not end or a matrix was singular or undefined.
        iterations: taken until all usable ones had converged.
    """

    weights: Floats
    loadings: Floats
    correlations: Floats
    paths: Floats
    r_squared: Floats
    is_usable: NDArray[np.bool_]
    iterations: int

    @property
    def total_effects(self) -> Floats:
        """B x q x q: direct and indirect, from the column to the row."""
        one = np.eye(self.paths.shape[1])
        return np.linalg.inv(one - self.paths) - one


def solve(correlations: ArrayLike, block: ArrayLike, model: PathModel) -> Solution:
    """Estimate a path model on correlation matrices of items.

    Args:
        correlations: p x p, or B x p x p.
        block: p, index of each item's latent variable; every latent variable has an item.

    Raises:
        ValueError: shapes that do not fit, or a latent variable without items.
    """
    r = np.asarray(correlations, dtype=np.float64)
    r = r[None] if r.ndim == 2 else r
    of = np.asarray(block, dtype=np.int64)
    q, p = len(model.latent_variables), len(of)
    if r.shape[1:] != (p, p):
        raise ValueError(f"{p} items, but correlations of shape {r.shape[1:]}")
    if set(of.tolist()) != set(range(q)):
        raise ValueError("a latent variable has no items")
    is_usable: NDArray[np.bool_] = np.asarray(np.isfinite(r).all(axis=(1, 2)), dtype=np.bool_)
    r = np.where(is_usable[:, None, None], r, np.eye(p))
    mask = (np.arange(q)[:, None] == of[None, :]).astype(np.float64)
    neighbours = np.zeros((q, q))
    for to, source in model.paths:
        neighbours[to, source] = neighbours[source, to] = 1.0

    def standardised(weights: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        variance = np.einsum("bp,bpr,br,qp,qr->bq", weights, r, weights, mask, mask, optimize=True)
        fine = (variance > _SINGULAR).all(axis=1)
        scale = np.sqrt(np.where(variance > _SINGULAR, variance, 1.0))
        return weights / scale[:, of], fine

    weights, fine = standardised(np.ones((len(r), p)))
    is_usable &= fine
    iterations, moved = 0, np.full(len(r), np.inf)
    while iterations < MOST_ITERATIONS and (moved[is_usable] > TOLERANCE).any():
        iterations += 1
        with_latent = r @ np.swapaxes(
            weights[:, None, :] * mask, 1, 2
        )  # covariance of each item with each latent variable
        latent = (weights[:, None, :] * mask) @ with_latent
        inner, fine = _inner(latent, neighbours, model)
        is_usable &= fine
        new = np.take_along_axis(with_latent @ np.swapaxes(inner, 1, 2), of[None, :, None], axis=2)[:, :, 0]
        new, fine = standardised(new)
        is_usable &= fine
        moved = np.abs(new - weights).max(axis=1)
        weights = new
    is_usable &= moved <= TOLERANCE
    with_latent = r @ np.swapaxes(weights[:, None, :] * mask, 1, 2)
    loadings = np.take_along_axis(with_latent, np.broadcast_to(of[None, :, None], (len(r), p, 1)), axis=2)[:, :, 0]
    sign = np.where(loadings @ mask.T < 0, -1.0, 1.0)
    weights, loadings = weights * sign[:, of], loadings * sign[:, of]
    latent = np.swapaxes(with_latent, 1, 2) @ np.swapaxes(weights[:, None, :] * mask, 1, 2)
    latent = latent * sign[:, :, None]
    paths, r_squared = np.zeros_like(latent), np.full((len(r), q), np.nan)
    for to, sources in enumerate(model.antecedents):
        if sources:
            found, fine = _regression(latent, to, sources)
            is_usable &= fine
            paths[:, to, list(sources)] = found
            r_squared[:, to] = (found * latent[:, list(sources), to]).sum(axis=1)
    # Pairwise correlations need not belong to any data; what explains more than everything is none.
    is_usable &= ~(r_squared > 1 + 1e-9).any(axis=1)
    return Solution(weights, loadings, latent, paths, r_squared, is_usable, iterations)


def _regression(latent: Floats, to: int, sources: Sequence[int]) -> tuple[Floats, NDArray[np.bool_]]:
    """Standardised coefficients of one latent variable on others, B x len(sources), and whether they exist."""
    chosen = list(sources)
    matrix = latent[:, chosen][:, :, chosen]
    fine = np.linalg.eigvalsh(matrix)[:, 0] > _SINGULAR
    matrix = np.where(fine[:, None, None], matrix, np.eye(len(chosen)))
    found: Floats = np.asarray(np.linalg.solve(matrix, latent[:, chosen, to][:, :, None])[:, :, 0], dtype=np.float64)
    return found, np.asarray(fine, dtype=np.bool_)


def _inner(latent: Floats, neighbours: Floats, model: PathModel) -> tuple[Floats, NDArray[np.bool_]]:
    """Inner weights (row = latent variable that is estimated), and whether they exist."""
    fine = np.ones(len(latent), dtype=bool)
    if model.scheme == "centroid":
        return np.asarray(np.sign(latent) * neighbours, dtype=np.float64), fine
    inner: Floats = latent * neighbours
    if model.scheme == "path":
        for to, sources in enumerate(model.antecedents):
            if sources:
                found, exists = _regression(latent, to, sources)
                fine &= exists
                inner[:, to, list(sources)] = found
    return inner, fine


@dataclass(frozen=True)
class Moments:
    """Pairwise moments of B samples: correlations and standard deviations (B x p x p, B x p), and the joint answers (p x p)."""

    correlations: Floats
    deviations: Floats
    joint: NDArray[np.int64]


def pairwise_moments(values: Floats, case_weights: Floats) -> Moments:
    """Correlations of those who answered both items, weighted.

    Args:
        values: n x p, NaN = no answer.
        case_weights: B x n, weight of each respondent in each sample, not negative.
    """
    present = np.isfinite(values)
    n, p = values.shape
    # Around the middle of the answers, so that squares lose no digits.
    middle = np.array([values[present[:, k], k].mean() if present[:, k].any() else 0.0 for k in range(p)])
    x = np.where(present, values - middle, 0.0)
    is_there = present.astype(np.float64)

    def sums(left: Floats, right: Floats) -> Floats:
        return (case_weights @ (left[:, :, None] * right[:, None, :]).reshape(n, p * p)).reshape(-1, p, p)

    weight, first, cross, square = sums(is_there, is_there), sums(x, is_there), sums(x, x), sums(x * x, is_there)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = first / weight
        covariance = cross / weight - mean * np.swapaxes(mean, 1, 2)
        variance = square / weight - mean**2
        variance = np.where(variance > 1e-12, variance, np.nan)
        correlations = covariance / np.sqrt(variance * np.swapaxes(variance, 1, 2))
        deviations = np.sqrt(np.einsum("bpp->bp", variance))
    joint = np.asarray(is_there.T @ is_there, dtype=np.int64)
    return Moments(correlations, deviations, joint)


@dataclass(frozen=True)
class Estimate:
    """One period's estimate, or why there is none.

    Attributes:
        reason: why there is no result; None = there is one.
        respondents: people with at least one answer to an item that is used.
        items, block: items used and the index of their latent variable.
        excluded: items put out, with the reason.
        solution, index_weights: of the answers (one sample).
        drawn, drawn_index_weights: of the usable bootstrap samples; None = too few of them were usable.
        correlations: p x p of the items.
    """

    reason: str | None
    respondents: int
    items: tuple[str, ...] = ()
    block: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    excluded: Mapping[str, str] = field(default_factory=dict)
    solution: Solution | None = None
    index_weights: Floats | None = None
    drawn: Solution | None = None
    drawn_index_weights: Floats | None = None
    correlations: Floats | None = None


def _index_weights(solution: Solution, deviations: Floats, block: NDArray[np.int64]) -> Floats:
    raw = solution.weights / deviations
    totals = np.stack([raw[:, block == k].sum(axis=1) for k in range(int(block.max()) + 1)], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        result: Floats = raw / totals[:, block]
    return result


def estimate(
    model: PathModel,
    items: Sequence[str],
    block: Sequence[int],
    values: ArrayLike,
    case_weights: ArrayLike | None = None,
    *,
    draws: int = DRAWS,
    seed: int | Sequence[int] = SEED,
) -> Estimate:
    """Estimate a path model on answers.

    Args:
        items, block: name and index of the latent variable of each of the p items.
        values: n x p answers on 0 to 100 (any one unit per item will do), NaN = no answer.
        case_weights: n, not negative; None = all 1.
        draws: bootstrap samples (respondents drawn with replacement); 0 = no intervals.

    Raises:
        ValueError: shapes that do not fit, a negative or missing case weight.
    """
    x = np.asarray(values, dtype=np.float64).reshape(-1, len(items))
    c = np.ones(len(x)) if case_weights is None else np.asarray(case_weights, dtype=np.float64)
    if len(block) != len(items) or c.shape != (len(x),):
        raise ValueError(f"{len(items)} items, {len(block)} blocks, {len(x)} respondents, {len(c)} case weights")
    if not (np.isfinite(c).all() and (c >= 0).all()):
        raise ValueError("a case weight is negative or not a number")
    of = np.asarray(block, dtype=np.int64)
    x, c = x[c > 0], c[c > 0]
    excluded: dict[str, str] = {}
    for k, name in enumerate(items):
        answers = x[np.isfinite(x[:, k]), k]
        if len(answers) == 0:
            excluded[name] = "no_answers"
        elif np.ptp(answers) < 1e-9:
            excluded[name] = "constant_item"
    people = int(np.isfinite(x).any(axis=1).sum())
    if people <= sum(reason != "no_answers" for reason in (excluded.get(name) for name in items)):
        return Estimate("fewer_answers_than_items", people, excluded=excluded)
    while True:
        kept = [k for k, name in enumerate(items) if name not in excluded]
        used = np.isfinite(x[:, kept]).any(axis=1)
        n = int(used.sum())
        if set(of[kept].tolist()) != set(range(len(model.latent_variables))):
            return Estimate("latent_variable_without_items", n, excluded=excluded)
        moments = pairwise_moments(x[:, kept][used], c[used][None])
        if moments.joint.min() <= len(kept):
            return Estimate("fewer_answers_than_items", n, excluded=excluded)
        solution = solve(moments.correlations, of[kept], model)
        if not solution.is_usable[0]:
            reason = "not_converged" if solution.iterations >= MOST_ITERATIONS else "singular"
            return Estimate(reason, n, excluded=excluded)
        worst = int(np.argmin(solution.weights[0]))
        if solution.weights[0, worst] > 0:
            break
        excluded[items[kept[worst]]] = "negative_weight"
    names, blocks = tuple(items[k] for k in kept), of[kept]
    index_weights = _index_weights(solution, moments.deviations, blocks)
    drawn, drawn_weights = None, None
    if draws:
        rng = np.random.default_rng(seed)
        counts = rng.multinomial(n, np.full(n, 1 / n), size=draws).astype(np.float64)
        sampled = pairwise_moments(x[:, kept][used], counts * c[used])
        tried = solve(sampled.correlations, blocks, model)
        if tried.is_usable.mean() >= LEAST_DRAWS:
            ok = tried.is_usable
            drawn = Solution(
                tried.weights[ok], tried.loadings[ok], tried.correlations[ok], tried.paths[ok], tried.r_squared[ok],
                ok[ok], tried.iterations,
            )  # fmt: skip
            drawn_weights = _index_weights(drawn, sampled.deviations[ok], blocks)
    return Estimate(
        None, n, names, blocks, excluded, solution, index_weights, drawn, drawn_weights, moments.correlations[0]
    )


def average_variance_extracted(loadings: Floats) -> float:
    """Mean squared loading of a block (its mean communality)."""
    return float(np.mean(loadings**2))


def composite_reliability(loadings: Floats) -> float:
    """(sum l)^2 / ((sum l)^2 + sum (1 - l^2)) of a block (Dillon and Goldstein's rho)."""
    explained = float(loadings.sum()) ** 2
    return explained / (explained + float((1 - loadings**2).sum()))


def cronbach_alpha(correlations: Floats) -> float | None:
    """Standardised alpha of a block from the correlations of its items: k r / (1 + (k - 1) r); None with one item."""
    k = len(correlations)
    if k < 2:
        return None
    mean = float((correlations.sum() - k) / (k * (k - 1)))
    return k * mean / (1 + (k - 1) * mean)


def _rows(model: PathModel, found: Estimate) -> list[dict[str, Any]]:
    """Figures of one estimate; what is the same for all of them is added by the caller."""
    rows: list[dict[str, Any]] = [
        {"figure": "excluded_item", "item": item, "reason": reason} for item, reason in sorted(found.excluded.items())
    ]
    if found.solution is None or found.index_weights is None or found.correlations is None:
        return [*rows, {"figure": "no_result", "reason": found.reason}]
    solution, drawn, names = found.solution, found.drawn, model.latent_variables

    def put(figure: str, value: float | None, draws: Floats | None = None, **keys: str) -> None:
        low, high = (None, None) if draws is None else np.percentile(draws, [2.5, 97.5]).tolist()
        rows.append({"figure": figure, "figure_value": value, "low": low, "high": high, **keys})

    put("iterations", float(solution.iterations))
    for k, item in enumerate(found.items):
        keys = {"latent_variable": names[int(found.block[k])], "item": item}
        loading = float(solution.loadings[0, k])
        put("outer_weight", float(solution.weights[0, k]), None if drawn is None else drawn.weights[:, k], **keys)
        put("index_weight", float(found.index_weights[0, k]),
            None if found.drawn_index_weights is None else found.drawn_index_weights[:, k], **keys)  # fmt: skip
        put("loading", loading, None if drawn is None else drawn.loadings[:, k], **keys)
        put("communality", loading**2, None if drawn is None else drawn.loadings[:, k] ** 2, **keys)
    for to, of in model.paths:
        keys = {"latent_variable": names[to], "antecedent": names[of]}
        put("path", float(solution.paths[0, to, of]), None if drawn is None else drawn.paths[:, to, of], **keys)
    effects, drawn_effects = solution.total_effects, None if drawn is None else drawn.total_effects
    for to in range(len(names)):
        for of in range(len(names)):
            # An effect needs a way along the paths, however small it comes out.
            if of != to and _leads_to(model, of, to):
                put("total_effect", float(effects[0, to, of]), None if drawn_effects is None else drawn_effects[:, to, of],
                    latent_variable=names[to], antecedent=names[of])  # fmt: skip
    for index, name in enumerate(names):
        own = np.flatnonzero(found.block == index)
        loadings = solution.loadings[0, own]
        if model.antecedents[index]:
            put("r_squared", float(solution.r_squared[0, index]), None if drawn is None else drawn.r_squared[:, index],
                latent_variable=name)  # fmt: skip
        put("average_variance_extracted", average_variance_extracted(loadings), latent_variable=name)
        put("composite_reliability", composite_reliability(loadings), latent_variable=name)
        alpha = cronbach_alpha(found.correlations[np.ix_(own, own)])
        if alpha is not None:
            put("cronbach_alpha", alpha, latent_variable=name)
    return rows


def _leads_to(model: PathModel, of: int, to: int) -> bool:
    return of in model.antecedents[to] or any(_leads_to(model, of, via) for via in model.antecedents[to])


def path_figures(answers: pl.DataFrame, models: pl.DataFrame, *, draws: int = DRAWS) -> pl.DataFrame:
    """Estimate every model in every period.

    Args:
        answers: one row per answer: model, period, source, response_id, latent_variable, item, score_100 (null = none),
            response_weight (null = 1), responded_on.
        models: one row per path: model, latent_variable, antecedent (null = none), scheme.
        draws: bootstrap samples per model and period.

    Returns:
        Long, with the columns of `FIGURES`: figure is outer_weight, index_weight, loading, communality, path, total_effect, r_squared,
        average_variance_extracted, composite_reliability, cronbach_alpha, iterations, excluded_item (with reason) or
        no_result (with reason). Sorted; empty input gives no rows.
    """
    as_of: date | None = answers["responded_on"].max() if answers.height else None  # type: ignore[assignment]
    rows: list[dict[str, Any]] = []
    for (name,), paths in models.sort("model", "latent_variable", "antecedent").group_by("model", maintain_order=True):
        of_model = answers.filter(pl.col("model") == name)
        scheme = paths["scheme"][0] or "path"
        try:
            model = path_model(list(zip(paths["latent_variable"], paths["antecedent"], strict=True)), scheme)
        except ValueError as error:
            rows += [
                {"model": name, "period": period, "figure": "no_result", "reason": f"model: {error}", "scheme": scheme}
                for period in of_model["period"].unique().sort()
            ]
            continue
        known = of_model.filter(pl.col("latent_variable").is_in(model.latent_variables))
        for (period,), group in known.sort("period").group_by("period", maintain_order=True):
            found = _estimate_of(model, group, draws, f"{name}/{period}")
            common = {"model": name, "period": period, "respondents": found.respondents, "scheme": model.scheme}
            rows += [common | row for row in _rows(model, found)]
    frame = pl.DataFrame(rows, schema={k: v for k, v in FIGURES.items() if k not in ("model_version", "as_of")})
    return frame.with_columns(
        pl.lit(MODEL_VERSION).alias("model_version"), pl.lit(as_of, dtype=pl.Date).alias("as_of")
    ).sort("model", "period", "figure", "latent_variable", "antecedent", "item")


def _estimate_of(model: PathModel, group: pl.DataFrame, draws: int, stream: str) -> Estimate:
    """One period: the long answers as a table with one row a respondent, in an order that does not depend on theirs."""
    items = group.select("latent_variable", "item").unique().sort("latent_variable", "item")
    names = [f"{latent}\x1f{item}" for latent, item in items.iter_rows()]
    wide = (
        group.with_columns((pl.col("latent_variable") + "\x1f" + pl.col("item")).alias("name"))
        .pivot("name", index=["source", "response_id"], values="score_100", aggregate_function="first")
        .sort("source", "response_id")
    )
    weights = (
        group.group_by("source", "response_id")
        .agg(pl.col("response_weight").max())
        .sort("source", "response_id")["response_weight"]
    )
    position = {name: k for k, name in enumerate(model.latent_variables)}
    return estimate(
        model,
        items["item"].to_list(),
        [position[latent] for latent in items["latent_variable"]],
        wide.select(names).cast(pl.Float64).to_numpy(),
        weights.fill_null(1.0).to_numpy(),
        draws=draws,
        seed=[SEED, zlib.crc32(stream.encode())],
    )
