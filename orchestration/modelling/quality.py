"""What quality reviews say of agents and of trainings: scores with intervals and places, and the effect of a training against those who had none.

Belongs here: estimates from a few reviews. Does not belong here: which reviews count, and sums that anybody can follow (marts).

Sources: W. G. Cochran, *Sampling Techniques*, 3rd ed. 1977, 6.4 (standard error of a ratio); M. Mogstad, J. P. Romano, A. Shaikh and D. Wilhelm, "Inference
for Ranks", *Review of Economic Studies* 2024 (places that the data allow); B. L. Welch, *Biometrika* 34, 1947 (difference of two means with unequal variances);
R. M. Bell and D. F. McCaffrey, "Bias reduction in standard errors for linear regression with multi-stage samples", *Survey Methodology* 28, 2002;
J. D. Angrist and J.-S. Pischke, *Mostly Harmless Econometrics*, 2009, chapter 5 (difference in differences, and the adjustment for the value before).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import stdtrit  # the quantile of Student's t; scipy.stats takes half a second to import

Floats = NDArray[np.float64]

MONTHS_VERSION = "agent-quality-1"
TRAININGS_VERSION = "training-effect-1"
CONFIDENCE = 0.95

MONTHS_SCHEMA: dict[str, type[pl.DataType]] = {
    "agent_id": pl.String,
    "month_on": pl.Date,
    "item": pl.String,
    "org_unit_id": pl.String,
    "reviews": pl.Int64,
    "score": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "company_score": pl.Float64,
    "best_place": pl.Int64,
    "worst_place": pl.Int64,
    "ranked_agents": pl.Int64,
    "model_version": pl.String,
    "as_of": pl.Date,
}
EFFECTS_SCHEMA: dict[str, type[pl.DataType]] = {
    "source": pl.String,
    "improvement_action_id": pl.String,
    "item": pl.String,
    "is_target_item": pl.Boolean,
    "agents_trained": pl.Int64,
    "agents_control": pl.Int64,
    "agents_left_out": pl.Int64,
    "trained_before": pl.Float64,
    "trained_after": pl.Float64,
    "control_before": pl.Float64,
    "control_after": pl.Float64,
    "effect": pl.Float64,
    "effect_low": pl.Float64,
    "effect_high": pl.Float64,
    "adjusted_effect": pl.Float64,
    "adjusted_low": pl.Float64,
    "adjusted_high": pl.Float64,
    "reason": pl.String,
    "is_final": pl.Boolean,
    "model_version": pl.String,
    "as_of": pl.Date,
}


def agent_months(months: pl.DataFrame, *, least: int) -> pl.DataFrame:
    """Score of each agent, month and item with its interval, beside the company's, and the places among the agents that the reviews allow.

    Args:
        months: columns of `ftr_agent_quality_months`: sums over the reviews of an agent, month and item.
        least: reviews below which an agent has no place.

    Returns:
        Columns of `MONTHS_SCHEMA`, sorted by agent, month, item. `low`, `high`: Student's t over the reviews, cut at 0 and 1; null with one review.
        `company_score`: points over possible points of all agents. Places: 1 = best; null below `least` reviews or without an interval.
    """
    if months.is_empty():
        return pl.DataFrame(schema=MONTHS_SCHEMA)
    frame = months.sort("month_on", "item", "agent_id")
    n, y, x = (frame[name].to_numpy().astype(np.float64) for name in ("reviews", "points", "max_points"))
    yy, xy, xx = (
        frame[name].to_numpy().astype(np.float64)
        for name in ("points_squares", "points_times_base", "max_points_squares")
    )
    score = y / x
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.where(n > 1, np.sqrt(np.maximum(0.0, yy - 2 * score * xy + score**2 * xx) * n / (n - 1)) / x, np.nan)
        half = stdtrit(n - 1, (1 + CONFIDENCE) / 2) * error
    judged = (n >= max(least, 2)) & np.isfinite(error)
    best, worst, ranked = (np.zeros(len(n), dtype=np.int64) for _ in range(3))
    groups = frame.with_row_index("row").group_by("month_on", "item", maintain_order=True).agg(pl.col("row"))
    for rows in groups["row"].to_list():
        here = np.array(rows)[judged[np.array(rows)]]
        best[here], worst[here] = places(score[here], error[here], n[here])
        ranked[np.array(rows)] = len(here)
    company = pl.sum("points").over("month_on", "item") / pl.sum("max_points").over("month_on", "item")
    none = pl.lit(None)
    is_judged, has_interval = pl.Series(judged), pl.Series(np.isfinite(half))
    return (
        frame.with_columns(
            pl.Series("score", score),
            pl.when(has_interval).then(pl.Series(np.maximum(0.0, score - half))).otherwise(none).alias("low"),
            pl.when(has_interval).then(pl.Series(np.minimum(1.0, score + half))).otherwise(none).alias("high"),
            company.alias("company_score"),
            pl.when(is_judged).then(pl.Series(best)).otherwise(none).alias("best_place"),
            pl.when(is_judged).then(pl.Series(worst)).otherwise(none).alias("worst_place"),
            pl.Series("ranked_agents", ranked),
            pl.lit(MONTHS_VERSION).alias("model_version"),
            pl.col("last_review_on").max().alias("as_of"),
        )
        .select(pl.col(name).cast(kind) for name, kind in MONTHS_SCHEMA.items())
        .sort("agent_id", "month_on", "item")
    )


def places(
    value: Floats, error: Floats, n: Floats, confidence: float = CONFIDENCE
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Best and worst place of each, 1 = highest value, that the data do not rule out.

    Two are told apart when their difference is larger than Welch's t allows, Bonferroni over the comparisons of one of them; the true place lies within with at
    least `confidence`.

    Args:
        value, error, n: means, their standard errors and observations (at least 2 each), all of shape (m,).
    """
    m = len(value)
    if m == 0:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    squares = error**2
    together = squares[:, None] + squares[None, :]
    with np.errstate(invalid="ignore", divide="ignore"):
        df = together**2 / (squares[:, None] ** 2 / (n[:, None] - 1) + squares[None, :] ** 2 / (n[None, :] - 1))
    # Without any spread on either side (all scores equal) there is no chance in the difference; it has the degrees of both.
    df = np.where(np.isfinite(df), df, n[:, None] + n[None, :] - 2)
    limit = stdtrit(df, 1 - (1 - confidence) / (2 * max(m - 1, 1))) * np.sqrt(together)
    ahead = value[None, :] - value[:, None]
    better, worse = (ahead > limit).sum(axis=1), (-ahead > limit).sum(axis=1)
    return 1 + better, m - worse


def training_effects(sides: pl.DataFrame) -> pl.DataFrame:
    """Effect of each training on each item: the change of those who had it less the change of those who had none.

    One agent is one observation (its mean before and after), so reviews of one agent are not taken for independent ones. An agent who had another training of
    the item in the time compared, or too few reviews, is left out. `adjusted_effect` compares agents of equal score before (regression of the score after on
    the score before and the training, HC2 standard errors, degrees of freedom by Bell and McCaffrey): where the weakest were chosen for the training, part of their gain is a return to the mean,
    which the plain difference counts as an effect.

    Args:
        sides: columns of `ftr_training_sides`: one row per training, item and agent.

    Returns:
        Columns of `EFFECTS_SCHEMA`, in shares of the points, sorted by training and item; intervals at 95 %. Null with `reason` `too_few_agents` (fewer than two on
        either side); the adjusted effect is null, too, with fewer than five agents in all or no spread before.
    """
    if sides.is_empty():
        return pl.DataFrame(schema=EFFECTS_SCHEMA)
    rows: list[dict[str, Any]] = []
    ordered = sides.sort("source", "improvement_action_id", "item", "agent_id")
    for (source, action, item), group in ordered.group_by(
        "source", "improvement_action_id", "item", maintain_order=True
    ):
        used = group.filter(pl.col("is_enough") & ~pl.col("is_disturbed"))
        trained = used.filter(pl.col("is_trained"))
        control = used.filter(~pl.col("is_trained"))
        row: dict[str, Any] = {
            "source": source, "improvement_action_id": action, "item": item, "is_target_item": group["is_target_item"][0],
            "agents_trained": trained.height, "agents_control": control.height, "agents_left_out": group.height - used.height,
            "trained_before": trained["score_before"].mean(), "trained_after": trained["score_after"].mean(),
            "control_before": control["score_before"].mean(), "control_after": control["score_after"].mean(),
            "is_final": group["is_final"][0], "model_version": TRAININGS_VERSION, "as_of": group["as_of"][0],
        }  # fmt: skip
        if min(trained.height, control.height) < 2:
            rows.append(row | {"reason": "too_few_agents"})
            continue
        changes = [(one["score_after"] - one["score_before"]).to_numpy() for one in (trained, control)]
        row |= dict(zip(("effect", "effect_low", "effect_high"), _welch(*changes), strict=True))
        adjusted = _adjusted(
            used["score_before"].to_numpy(), used["score_after"].to_numpy(), used["is_trained"].to_numpy()
        )
        if adjusted is not None:
            row |= dict(zip(("adjusted_effect", "adjusted_low", "adjusted_high"), adjusted, strict=True))
        rows.append(row)
    complete = [{name: row.get(name) for name in EFFECTS_SCHEMA} for row in rows]
    return pl.DataFrame(complete, schema=EFFECTS_SCHEMA)


def _welch(first: Floats, second: Floats) -> tuple[float, float, float]:
    """Difference of two means with its interval; both have at least two values."""
    difference = float(first.mean() - second.mean())
    parts = [float(one.var(ddof=1)) / len(one) for one in (first, second)]
    total = sum(parts)
    if total <= 0:
        return difference, difference, difference
    df = total**2 / sum(part**2 / (len(one) - 1) for part, one in zip(parts, (first, second), strict=True))
    half = float(stdtrit(df, (1 + CONFIDENCE) / 2)) * total**0.5
    return difference, difference - half, difference + half


def _adjusted(before: Floats, after: Floats, trained: NDArray[np.bool_]) -> tuple[float, float, float] | None:
    """Coefficient of the training beside the score before, with its interval (least squares, HC2)."""
    x = np.column_stack([np.ones(len(before)), before - before.mean(), trained.astype(np.float64)])
    n, k = x.shape
    if n < 5 or np.linalg.matrix_rank(x) < k:
        return None
    inverse = np.linalg.inv(x.T @ x)
    weights = inverse @ x.T @ after
    leverage = np.einsum("ij,jk,ik->i", x, inverse, x)
    squares = (after - x @ weights) ** 2 / np.maximum(1 - leverage, 1e-12)
    variance = float((inverse @ (x.T * squares) @ x @ inverse)[2, 2])
    # Degrees of freedom of that variance (Bell and McCaffrey): with few trained agents it is far less sure than n - k says.
    roots = np.abs(x @ inverse[:, 2]) / np.sqrt(np.maximum(1 - leverage, 1e-12))
    middle = roots[:, None] * (np.eye(n) - x @ inverse @ x.T) * roots[None, :]
    df = float(np.trace(middle) ** 2 / (middle**2).sum())
    half = float(stdtrit(df, (1 + CONFIDENCE) / 2)) * variance**0.5
    effect = float(weights[2])
    return effect, effect - half, effect + half
