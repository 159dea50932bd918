"""Mode effects against least squares over the single answers, and what cannot be told apart."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest

from orchestration.modelling import mode_effects
from orchestration.modelling.mode_effects import mode_effects as effects

DAY = date(2026, 3, 31)


def answers(n: int, seed: int = 2) -> pl.DataFrame:
    """The voice menu is offered after solved calls only half as often as others; it adds 4 points, being solved 20."""
    dice = np.random.default_rng(seed)
    solved = dice.random(n) < 0.7
    mode = np.where(dice.random(n) < np.where(solved, 0.25, 0.5), "ivr", np.where(dice.random(n) < 0.3, "email", "sms"))
    score = np.clip(60 + 20 * solved + 4 * (mode == "ivr") + dice.normal(0, 10 + 5 * solved), 0, 100)
    return pl.DataFrame({"mode": mode, "outcome": np.where(solved, "solved", "not"), "score": score})


def classes(rows: pl.DataFrame, *facts: str) -> pl.DataFrame:
    return (
        rows.group_by("mode", *facts)
        .agg(
            answers=pl.len().cast(pl.Int64),
            score_sum=pl.col("score").sum(),
            score_sum_squares=(pl.col("score") ** 2).sum(),
            last_day=pl.lit(DAY),
        )
        .with_columns(source=pl.lit("s"), survey_id=pl.lit("S"), question_role=pl.lit("csat"))
    )


def test_effects_and_errors_are_those_of_the_single_answers() -> None:
    rows = answers(4_000)
    found = {row["mode"]: row for row in effects(classes(rows, "outcome")).iter_rows(named=True)}
    x = np.column_stack(
        [np.ones(4_000), rows["outcome"] == "solved", rows["mode"] == "email", rows["mode"] == "ivr"]
    ).astype(float)
    y = rows["score"].to_numpy()
    beta, *_ = np.linalg.lstsq(x, y, rcond=None)
    inverse = np.linalg.inv(x.T @ x)
    covariance = inverse @ (x.T * (y - x @ beta) ** 2) @ x @ inverse * 4_000 / 3_996
    assert found["sms"]["effect"] == 0 and {row["reference_mode"] for row in found.values()} == {"sms"}
    for mode, column in (("email", 2), ("ivr", 3)):
        assert found[mode]["effect"] == pytest.approx(beta[column], abs=1e-8)
        assert found[mode]["standard_error"] == pytest.approx(np.sqrt(covariance[column, column]), abs=1e-8)
    assert found["ivr"]["effect_low"] < 4 < found["ivr"]["effect_high"]
    # Unsolved matters are asked about through the menu more often: without the facts it looks worse.
    assert found["ivr"]["raw_difference"] < found["ivr"]["effect_low"]


def test_a_mode_that_only_its_own_kind_has_is_not_told() -> None:
    rows = answers(400).with_columns(
        about=pl.when(pl.col("mode") == "ivr").then(pl.lit("call")).otherwise(pl.lit("ticket"))
    )
    found = {row["mode"]: row for row in effects(classes(rows, "about")).iter_rows(named=True)}
    assert (
        found["ivr"]["effect"] is None
        and found["ivr"]["effect_low"] is None
        and found["ivr"]["raw_difference"] is not None
    )
    assert found["email"]["effect"] is not None


def test_two_modes_that_only_together_are_a_kind_are_not_told() -> None:
    rows = answers(400).with_columns(
        about=pl.when(pl.col("mode") == "sms").then(pl.lit("ticket")).otherwise(pl.lit("call"))
    )
    found = {row["mode"]: row for row in effects(classes(rows, "about")).iter_rows(named=True)}
    assert {mode for mode, row in found.items() if row["effect"] is None} == {"email", "ivr"}


def test_one_mode_few_answers_and_none() -> None:
    (row,) = effects(classes(answers(50).filter(pl.col("mode") == "sms"), "outcome")).iter_rows(named=True)
    assert (row["mode"], row["effect"], row["raw_difference"]) == ("sms", 0.0, 0.0)
    two = pl.DataFrame({"mode": ["sms", "ivr"], "outcome": ["solved", "solved"], "score": [50.0, 75.0]})
    found = {row["mode"]: row for row in effects(classes(two, "outcome")).iter_rows(named=True)}
    assert (
        found["sms"]["effect"] == pytest.approx(-25)
        and found["sms"]["standard_error"] is None
        and found["sms"]["effect_high"] is None
    )
    none = effects(classes(answers(5), "outcome").clear())
    assert none.height == 0 and none.schema == pl.Schema(mode_effects.SCHEMA)


def test_the_order_of_rows_changes_nothing() -> None:
    rows = classes(answers(600), "outcome")
    assert effects(rows.sort("mode", "outcome")).equals(effects(rows.sort("outcome", "mode", descending=True)))
