"""Fair ranks: which places of a league table the data allow.

Belongs here: ranks of slices of one metric. Does not belong here: the metric itself.

An agent with 92 % of 50 calls is not "third": the places that the data do not rule out are. Two slices are told apart when their difference is larger than
chance allows (normal approximation with the standard errors behind the intervals, Bonferroni over the comparisons of one slice); the best place of a slice is one
below those that are surely better, the worst one above those that are surely worse. The true place of a slice lies within with at least the confidence asked for
(Mogstad, Romano, Shaikh and Wilhelm, Inference for Ranks, Review of Economic Studies 2024).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from dashboards.data.intervals import Z
from dashboards.data.metrics import Metric, MetricError


@dataclass(frozen=True)
class Places:
    """Places that the data allow, 1 = best; both None where the base is too small or there is no value."""

    best: int | None
    worst: int | None


def fair_ranks(metric: Metric, rows: Sequence[dict[str, Any]], confidence: float = 0.95) -> list[Places]:
    """Places of slices of one metric.

    Args:
        metric: it must have a better direction and an interval.
        rows: slices, each with value, low, high and is_small_base, as `metric_frame` gives them.
        confidence: of each slice's places by itself.

    Raises:
        MetricError: nothing says which values are better, or how sure they are.
    """
    if metric.direction == "none":
        raise MetricError(f"{metric.name} has no better direction; there is nothing to rank by.")
    if metric.interval == "none":
        raise MetricError(f"{metric.name} has no interval; a rank without one would be chance.")
    sign = 1.0 if metric.direction == "up" else -1.0
    judged = [row["value"] is not None and row["low"] is not None and not row["is_small_base"] for row in rows]
    ranked = [
        # The middle of the interval: of a share near 0 or 1 it is the better estimate of what is behind it.
        (sign * (row["low"] + row["high"]) / 2, (row["high"] - row["low"]) / (2 * Z))
        for row, is_judged in zip(rows, judged, strict=True)
        if is_judged
    ]
    comparisons = max(len(ranked) - 1, 1)
    limit = NormalDist().inv_cdf(1 - (1 - confidence) / (2 * comparisons))
    places = []
    for value, error in ranked:
        differences = [(other - value, limit * math.hypot(error, others_error)) for other, others_error in ranked]
        better = sum(difference > bound for difference, bound in differences)
        worse = sum(-difference > bound for difference, bound in differences)
        places.append(Places(1 + better, len(ranked) - worse))
    found = iter(places)
    return [next(found) if is_judged else Places(None, None) for is_judged in judged]
