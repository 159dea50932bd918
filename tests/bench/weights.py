"""`python -m tests.bench weights`: what it costs to weight survey responses.

Belongs here: invitations of random facts, and the time and memory of the whole way from rows to weights (classes, model, raking, trimming,
back to rows). Making the rows is not in the time, but in the memory.
"""

from __future__ import annotations

import resource
import time
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from orchestration.modelling import weights

PERIODS, ANSWERED = 24, 0.25
VALUES = {  # fact: number of its values; their grid has 39 million cells
    "channel": 4, "about_kind": 3, "customer_kind": 4, "product_line": 4, "province": 31, "tenure_band": 5, "outcome": 4,
    "contacts_band": 4, "complaint": 3, "transferred": 3, "wait_band": 3, "solving_band": 3,
}  # fmt: skip


def _invitations(answers: int) -> pl.DataFrame:
    """Four times as many invitations as answers, over 24 months; unsolved matters are answered more often."""
    dice = np.random.default_rng(1)
    rows = int(answers / ANSWERED)
    columns: dict[str, Any] = {
        "source": pl.Series(["surveys"], dtype=pl.Categorical).new_from_index(0, rows),
        "survey_id": pl.Series(["CSAT01"], dtype=pl.Categorical).new_from_index(0, rows),
        "period": _picked(
            dice.integers(0, PERIODS, rows, dtype=np.uint8), [f"month-{number:02d}" for number in range(PERIODS)]
        ),
        "invitation_id": np.arange(rows),
    }
    logit = np.full(rows, -1.2, dtype=np.float32)
    for fact, size in VALUES.items():
        # The first values are the frequent ones, as they are in life.
        code = np.minimum((dice.random(rows, dtype=np.float32) ** 3 * size).astype(np.uint8), size - 1)
        logit += (0.15 * code / size).astype(np.float32) + (
            np.float32(0.8) * (code == 1) if fact == "outcome" else np.float32(0)
        )
        columns[fact] = _picked(code, [f"{fact}-{number:02d}" for number in range(size)])
    columns["is_delivered"] = dice.random(rows, dtype=np.float32) < 0.98
    columns["is_answered"] = columns["is_delivered"] & (dice.random(rows, dtype=np.float32) < 1 / (1 + np.exp(-logit)))
    return pl.DataFrame(columns).with_columns(last_day=pl.lit(date(2026, 3, 31)))


def _picked(codes: Any, values: list[str]) -> pl.Series:
    return pl.Series(values, dtype=pl.Categorical).gather(pl.Series(codes))


def measure_weights(answers: int) -> dict[str, Any]:
    """Seconds, peak memory of the process, and how even the weights of so many responses are."""
    facts = tuple(VALUES)
    rows = _invitations(answers)
    rule = weights.Rule("*", facts, ("channel", "about_kind", "customer_kind", "product_line", "province", "outcome"))
    made = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    began = time.monotonic()
    found = weights.weights_of_responses(rows, facts, [rule])
    seconds = time.monotonic() - began
    adjustments = found["adjustment"].to_numpy()
    return {
        "invitations": rows.height,
        "responses": found.height,
        "classes": rows.lazy().select("period", *facts).unique().select(pl.len()).collect().item(),
        "seconds": round(seconds, 1),
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "peak_megabytes_before": made,
        "weights_add_up_to_invitations": bool(abs(adjustments.sum() / rows.height - 1) < 1e-6),
        "design_effect": round(len(adjustments) / weights.effective_n(adjustments), 4),
    }
