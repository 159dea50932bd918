"""How far answers differ between ways of answering (text message, voice menu, e-mail …) when all else that is known is equal.

Belongs here: least squares of the answer on mode and facts, over classes of answers that agree in all of them. Does not belong here:
who answers at all (`weights.py`). What is found is a difference between modes *and* of whom they reach that the facts do not tell.

Sources: ordinary least squares with heteroskedasticity-consistent errors: H. White, *Econometrica* 48, 1980; the factor n / (n - k):
D. V. Hinkley, *Technometrics* 19, 1977.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from orchestration.modelling.weights import Floats

VERSION = "1"
KEY = ("source", "survey_id", "question_role")
SUMS = ("answers", "score_sum", "score_sum_squares", "last_day")
Z = 1.959964
RANK_TOLERANCE = 1e-8

SCHEMA: dict[str, pl.DataType] = {
    "source": pl.String(), "survey_id": pl.String(), "question_role": pl.String(), "mode": pl.String(), "reference_mode": pl.String(),
    "answers": pl.Int64(), "mean_score": pl.Float64(), "raw_difference": pl.Float64(), "effect": pl.Float64(), "standard_error": pl.Float64(),
    "effect_low": pl.Float64(), "effect_high": pl.Float64(), "model_version": pl.String(), "as_of": pl.Date(),
}  # fmt: skip


def _dummies(values: list[str], skip: str) -> tuple[list[str], Floats]:
    """One column a value but `skip`; values that never vary give none."""
    kept = sorted(set(values) - {skip})
    told = np.array(values)
    return kept, np.column_stack([told == value for value in kept]).astype(np.float64) if kept else np.zeros(
        (len(values), 0)
    )


def mode_effects(classes: pl.DataFrame) -> pl.DataFrame:
    """Adjusted differences by survey and question role.

    Args:
        classes: one row per source, survey_id, question_role, mode and facts (text): answers (count), score_sum, score_sum_squares (scores
            on 0 to 100), last_day.

    Returns:
        One row per source, survey, role and mode with SCHEMA. `effect` is null where the mode cannot be told apart from the facts (all of
        its answers are of a kind that no other mode has), and its interval where there are no more answers than coefficients.
    """
    facts = [name for name in classes.columns if name not in (*KEY, "mode", *SUMS)]
    ordered = classes.sort(*KEY, "mode", *facts)
    parts = ordered.partition_by(*KEY, maintain_order=True) if ordered.height else []
    rows = [row for part in parts for row in _one_question(part, facts)]
    return pl.DataFrame(rows, schema=SCHEMA)


def _one_question(part: pl.DataFrame, facts: list[str]) -> list[dict[str, object]]:
    n, total, squares = (
        part[name].to_numpy().astype(np.float64) for name in ("answers", "score_sum", "score_sum_squares")
    )
    by_mode = part.group_by("mode").agg(pl.col("answers").sum(), pl.col("score_sum").sum()).sort("mode")
    counts = dict(zip(by_mode["mode"], by_mode["answers"], strict=True))
    means = {mode: mean / counts[mode] for mode, mean in zip(by_mode["mode"], by_mode["score_sum"], strict=True)}
    reference = min(counts, key=lambda mode: (-counts[mode], mode))
    modes, of_mode = _dummies(part["mode"].to_list(), reference)
    others = [np.ones((part.height, 1))]
    for fact in facts:
        values = part[fact].to_list()
        others.append(_dummies(values, min(values))[1])
    base = np.column_stack(others)
    effects, errors = np.full(len(modes), np.nan), np.full(len(modes), np.nan)
    if modes:
        x = np.column_stack([base, of_mode])
        squared = (x * n[:, None]).T @ x
        bread = np.linalg.pinv(squared, rcond=RANK_TOLERANCE, hermitian=True)
        beta = bread @ (x.T @ total)
        fitted = x @ beta
        # Sum over a class of (y - fitted)^2, exactly, from its sums.
        residual = np.maximum(squares - 2 * fitted * total + n * fitted * fitted, 0.0)
        # A coefficient is told by the data alone where this projection leaves its direction as it is.
        reached = np.diag(bread @ squared)
        told_apart = np.abs(reached[base.shape[1] :] - 1) < 1e-6
        rank, answers = round(float(reached.sum())), float(n.sum())
        effects[told_apart] = beta[base.shape[1] :][told_apart]
        if answers > rank:
            covariance = bread @ ((x * residual[:, None]).T @ x) @ bread * (answers / (answers - rank))
            errors[told_apart] = np.sqrt(np.maximum(np.diag(covariance)[base.shape[1] :], 0.0))[told_apart]
    found = {mode: (float(effect), float(error)) for mode, effect, error in zip(modes, effects, errors, strict=True)}
    found[reference] = (0.0, 0.0)
    rows: list[dict[str, object]] = []
    for mode in sorted(counts):
        effect, error = found[mode]
        known, sure = not np.isnan(effect), not np.isnan(error)
        rows.append(
            {name: part[name][0] for name in KEY}
            | {
                "mode": mode,
                "reference_mode": reference,
                "answers": counts[mode],
                "mean_score": means[mode],
                "raw_difference": means[mode] - means[reference],
                "effect": effect if known else None,
                "standard_error": error if sure else None,
                "effect_low": effect - Z * error if known and sure else None,
                "effect_high": effect + Z * error if known and sure else None,
                "model_version": VERSION,
                "as_of": part["last_day"].max(),
            }
        )
    return rows
