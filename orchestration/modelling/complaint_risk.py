"""Who is likely to complain of the same cause again: the probability at the close of a case, why, and how far such probabilities were right on later cases.

Belongs here: which cases teach, calibrate and test, and the table of scores. Does not belong here: the additive model and its measures (`risk.py`), features and labels
(SQL, `ftr_complaint_risk`).

Time: of the cases whose outcome is known, the newest three in ten test. Those teach whose outcome was known on the day of the first test case: the older three quarters of them are
learned from, the newer quarter calibrates (Platt). The model that scores today is the same recipe with all cases whose outcome is known.

Sources: those of `risk.py`.
"""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from orchestration.modelling.risk import Feature, RiskModel, auc_interval, calibration, captured, fit_risk, sigmoid

MODEL_VERSION = "complaint-risk-1"
_Z = 1.959963984540054
_TEST_SHARE, _LEARN_SHARE = 0.3, 0.75
_REASON_POINTS = 0.1
"""What adds less than that to the log odds is no reason."""

FEATURES: tuple[Feature, ...] = tuple(
    Feature(name, kind, reason)
    for name, kind, reason in (
        ("cause", "category", "cause"),
        ("channel", "category", "channel"),
        ("claim_kind", "category", "claim"),
        ("complaint_object", "category", "cause"),
        ("complaints_before", "number", "complained_before"),
        ("contacts", "number", "effort"),
        ("customer_kind", "category", "customer_kind"),
        ("days_since_previous", "number", "complained_before"),
        ("hours_open", "number", "time_to_close"),
        ("hours_to_answer", "number", "time_to_answer"),
        ("language", "category", "customer_kind"),
        ("others_since", "number", "complained_before"),
        ("priority", "category", "claim"),
        ("product_line", "category", "product"),
        ("remedy_kind", "category", "remedy"),
        ("reopen_count", "number", "reopened"),
        ("same_cause_before", "number", "same_cause_before"),
        ("threat", "category", "threat"),
    )
)
"""Columns of `ftr_complaint_risk`, whether numbers or categories, and the reason (value_labels.csv, again_reason) that each speaks for."""

RISK_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "part": pl.String,
    "complaint_id": pl.String,
    "probability": pl.Float64,
    "reason_1": pl.String,
    "reason_2": pl.String,
    "reason_3": pl.String,
    "no_score_reason": pl.String,
    "cases_learned": pl.Int64,
    "cases_tested": pl.Int64,
    "again_tested": pl.Int64,
    "again_expected": pl.Float64,
    "auc": pl.Float64,
    "auc_low": pl.Float64,
    "auc_high": pl.Float64,
    "brier": pl.Float64,
    "brier_of_the_mean": pl.Float64,
    "calibration_slope": pl.Float64,
    "calibration_slope_low": pl.Float64,
    "calibration_slope_high": pl.Float64,
    "captured_10": pl.Float64,
    "first_test_day": pl.Date,
    "last_test_day": pl.Date,
    "model_version": pl.String,
    "as_of": pl.Date,
}


def _fitted(rows: pl.DataFrame, minimum: int) -> RiskModel | None:
    """Model of the older cases, calibrated on the newer; None with fewer than `minimum` second complaints in either."""
    cut = int(rows.height * _LEARN_SHARE)
    parts = rows[:cut], rows[cut:]
    outcomes = [part["has_again"].to_numpy().astype(bool) for part in parts]
    if any(outcome.sum() < minimum or outcome.all() for outcome in outcomes):
        return None
    return fit_risk(parts[0], FEATURES, outcomes[0]).calibrated(parts[1], outcomes[1])


def _first_test_day(known: pl.DataFrame) -> date | None:
    days: list[date] = known["judged_on"].to_list()
    return days[int(len(days) * (1 - _TEST_SHARE))] if days else None


def complaint_risk(cases: pl.DataFrame, *, horizon_days: int, minimum: int) -> pl.DataFrame:
    """Probability of a second complaint for each case that is open or whose time is not over, and one row that says how good such probabilities were.

    Args:
        cases: columns of `ftr_complaint_risk`.
        horizon_days: days after the close in which a second complaint counts.
        minimum: second complaints below which a model learns, calibrates or is tested on nothing.

    Returns:
        Columns of `RISK_SCHEMA`: `part` scored (one row per case) and card (one row). Without a model the probability is null with `no_score_reason` below_minimum_base;
        without a test the card has only its counts, with the same reason.
    """
    if cases.is_empty():
        return pl.DataFrame(schema=RISK_SCHEMA)
    ordered = cases.sort("judged_on", "complaint_id")
    as_of = ordered["as_of"].to_list()[0]
    known = ordered.filter(pl.col("has_again").is_not_null())
    current = ordered.filter(pl.col("is_current"))
    common = {"model_version": MODEL_VERSION, "as_of": as_of}
    rows: list[dict[str, Any]] = [common | {"part": "card", "complaint_id": "-"} | _card(known, horizon_days, minimum)]
    model = _fitted(known, minimum) if known.height else None
    if model is None:
        for case in current["complaint_id"].to_list():
            rows.append(common | {"part": "scored", "complaint_id": case, "no_score_reason": "below_minimum_base"})
    elif current.height:
        logit, names, adds = model.reasons(current)
        probability = sigmoid(logit)
        order = np.argsort(-adds, axis=1, kind="stable")[:, :3]
        for number, case in enumerate(current["complaint_id"].to_list()):
            reasons = [names[k] for k in order[number] if adds[number, k] >= _REASON_POINTS]
            named = dict(zip(("reason_1", "reason_2", "reason_3"), reasons, strict=False))
            rows.append(
                common | {"part": "scored", "complaint_id": case, "probability": float(probability[number])} | named
            )
    frame = pl.DataFrame([{name: row.get(name) for name in RISK_SCHEMA} for row in rows], schema=RISK_SCHEMA)
    numbers = [name for name, kind in RISK_SCHEMA.items() if kind == pl.Float64]
    return frame.with_columns(pl.col(numbers).round(9)).sort("part", "complaint_id")


def _card(known: pl.DataFrame, horizon_days: int, minimum: int) -> dict[str, Any]:
    """Test on the newest cases of a model that knew nothing of their time."""
    first = _first_test_day(known)
    row: dict[str, Any] = {
        "cases_learned": 0,
        "cases_tested": 0,
        "again_tested": 0,
        "no_score_reason": "below_minimum_base",
    }
    if first is None:
        return row
    tested = known.filter(pl.col("judged_on") >= first)
    taught = known.filter(pl.col("judged_on") + timedelta(days=horizon_days) < first)
    outcome = tested["has_again"].to_numpy().astype(bool)
    row |= {
        "cases_learned": taught.height, "cases_tested": tested.height, "again_tested": int(outcome.sum()),
        "first_test_day": first, "last_test_day": tested["judged_on"].max(),
    }  # fmt: skip
    model = _fitted(taught, minimum) if taught.height else None
    if model is None or outcome.sum() < minimum or outcome.all():
        return row
    p = sigmoid(model.logit(tested))
    clusters = tested["customer_key"].rank("dense").to_numpy().astype(np.int64) - 1
    value, low, high = auc_interval(outcome, p, clusters)
    row |= {
        "no_score_reason": None, "auc": value, "auc_low": low, "auc_high": high, "again_expected": float(p.sum()),
        "brier": float(((p - outcome) ** 2).mean()), "brier_of_the_mean": float(outcome.mean() * (1 - outcome.mean())), "captured_10": captured(outcome, p, 0.1),
    }  # fmt: skip
    found = calibration(outcome, p)
    if found is not None and math.isfinite(found[1]):
        slope, error = found[0], found[1]
        row |= {
            "calibration_slope": slope,
            "calibration_slope_low": slope - _Z * error,
            "calibration_slope_high": slope + _Z * error,
        }
    return row
