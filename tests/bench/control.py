"""`python -m tests.bench control`: what judging 2,000 control charts over 15 months of days costs.

Belongs here: `orchestration.modelling.control.judge` alone, on charts of every kind, against one bare sort of the same rows in the same run.
"""

from __future__ import annotations

import resource
import time
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from orchestration.modelling import control

CHARTS, DAYS = 2000, 456


def _points() -> pl.DataFrame:
    rng = np.random.default_rng(1)
    base = rng.poisson(40, (CHARTS, DAYS)).astype(float)
    kinds = np.array(["laney_p", "laney_u", "p", "u", "xmr"])[np.arange(CHARTS) % 5]
    events = rng.binomial(base.astype(int), 0.3).astype(float)
    first = date(2025, 9, 1)
    days = [first + timedelta(day) for day in range(DAYS)]
    return pl.DataFrame(
        {
            "chart_id": np.repeat([f"chart{chart:05d}" for chart in range(CHARTS)], DAYS),
            "chart_kind": np.repeat(kinds, DAYS),
            "pattern_of": np.repeat([f"chart{chart % 5:05d}" for chart in range(CHARTS)], DAYS),
            "day": days * CHARTS,
            "day_class": [day.isoweekday() for day in days] * CHARTS,
            "numerator": events.ravel(),
            "denominator": base.ravel(),
            "minimum_base": np.full(CHARTS * DAYS, 10.0),
            "is_final": np.tile(np.arange(DAYS) < DAYS - 1, CHARTS),
        }
    )


def measure_control() -> dict[str, Any]:
    """Seconds, rows a second and peak memory; the ratio is to one sort of the frame by chart and day."""
    points = _points()
    started = time.monotonic()
    points.sample(fraction=1.0, shuffle=True, seed=1).sort("chart_id", "day")
    baseline = time.monotonic() - started
    started = time.monotonic()
    found = control.judge(points)
    seconds = time.monotonic() - started
    return {
        "charts": CHARTS,
        "days": DAYS,
        "judged": int(found["is_judged"].sum()),
        "seconds": round(seconds, 2),
        "rows_per_second": round(points.height / seconds),
        "sort_seconds": round(baseline, 2),
        "ratio_to_sort": round(seconds / baseline, 1),
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
