"""Second complaints: a cause of them that is planted is found, chance is not taken for one, and the test knows nothing of its time."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from orchestration.modelling.complaint_risk import FEATURES, RISK_SCHEMA, complaint_risk
from orchestration.modelling.risk import auc

FIRST, AS_OF = date(2025, 1, 1), date(2026, 6, 30)


def cases(seed: int, effect: float, n: int = 3000) -> pl.DataFrame:
    """Cases of which one in ten has a second complaint; each reopening multiplies the odds by exp(effect)."""
    random = np.random.default_rng(seed)
    reopened = random.integers(0, 4, n).astype(float)
    logit = -2.2 + effect * (reopened - 1.5)
    again = random.random(n) < 1 / (1 + np.exp(-logit))
    days = random.integers(0, (AS_OF - FIRST).days, n)
    frame: dict[str, Any] = {
        "complaint_id": [f"c{k:05d}" for k in range(n)], "customer_key": [f"k{k % (n // 2)}" for k in range(n)],
        "judged_on": [FIRST + timedelta(days=int(day)) for day in days], "is_closed": True,
        "has_again": [bool(a) if (AS_OF - FIRST).days - day >= 90 else None for a, day in zip(again, days, strict=True)],
        "is_current": [(AS_OF - FIRST).days - int(day) < 90 for day in days], "as_of": AS_OF,
    }  # fmt: skip
    for feature in FEATURES:
        if feature.kind == "number":
            frame[feature.name] = random.integers(0, 20, n).astype(float)
        else:
            frame[feature.name] = [("a", "b", "c")[k] for k in random.integers(0, 3, n)]
    frame["reopen_count"] = reopened
    return pl.DataFrame(frame)


def parts(frame: pl.DataFrame) -> tuple[dict[str, Any], pl.DataFrame]:
    found = complaint_risk(frame, horizon_days=90, minimum=20)
    assert found.schema == pl.Schema(RISK_SCHEMA)
    return found.filter(pl.col("part") == "card").row(0, named=True), found.filter(pl.col("part") == "scored")


def test_what_brings_second_complaints_is_found_and_named() -> None:
    frame = cases(1, 1.2)
    card, scored = parts(frame)
    assert card["auc_low"] > 0.65 and card["brier"] < card["brier_of_the_mean"] and card["captured_10"] > 0.2
    assert card["calibration_slope_low"] <= 1 <= card["calibration_slope_high"]
    assert card["again_expected"] == pytest.approx(card["again_tested"], rel=0.25)
    both = scored.join(frame, on="complaint_id")
    assert both.height == scored.height == frame.filter("is_current").height
    often = both.filter(pl.col("reopen_count") == 3)
    assert (often["reason_1"] == "reopened").mean() > 0.9  # type: ignore[operator]
    never = both.filter(pl.col("reopen_count") == 0)
    assert often["probability"].mean() > 3 * never["probability"].mean()  # type: ignore[operator]


def test_chance_is_not_taken_for_a_reason() -> None:
    inside = 0
    for seed in range(8):
        card, scored = parts(cases(seed, 0.0))
        inside += card["auc_low"] <= 0.5 <= card["auc_high"]
        # Nobody is said to be far from the mean.
        assert scored["probability"].max() < 0.35  # type: ignore[operator]
    assert inside >= 6


def test_the_test_knows_nothing_of_its_own_time() -> None:
    """Outcomes of the tested cases do not change what is learned: with all of them turned round, the AUC is 1 less itself."""
    frame = cases(2, 1.0)
    card, _ = parts(frame)
    first = card["first_test_day"]
    assert (
        card["cases_learned"]
        == frame.filter((pl.col("judged_on") + timedelta(days=90) < first) & pl.col("has_again").is_not_null()).height
    )
    assert (
        card["cases_tested"] == frame.filter((pl.col("judged_on") >= first) & pl.col("has_again").is_not_null()).height
    )
    turned = frame.with_columns(
        has_again=pl.when(pl.col("judged_on") >= first).then(~pl.col("has_again")).otherwise("has_again")
    )
    other, _ = parts(turned)
    assert other["auc"] == pytest.approx(1 - card["auc"], abs=1e-9)
    assert auc(np.array([True, False]), np.array([0.9, 0.1])) == 1.0


def test_too_little_says_so() -> None:
    card, scored = parts(cases(3, 1.0, 120))
    assert card["auc"] is None and card["no_score_reason"] == "below_minimum_base"
    assert scored["probability"].is_null().all() and (scored["no_score_reason"] == "below_minimum_base").all()
    assert complaint_risk(cases(3, 1.0).clear(), horizon_days=90, minimum=20).is_empty()
    nothing_known = cases(3, 1.0).with_columns(has_again=pl.lit(None, dtype=pl.Boolean))
    card, _ = parts(nothing_known)
    assert card["cases_tested"] == 0 and card["first_test_day"] is None


def test_the_order_of_rows_does_not_matter() -> None:
    frame = cases(4, 0.8)
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=3)
    assert complaint_risk(frame, horizon_days=90, minimum=20).equals(
        complaint_risk(shuffled, horizon_days=90, minimum=20)
    )
