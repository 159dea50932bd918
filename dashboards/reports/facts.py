"""What changed between two periods, as facts: which figure moved beyond chance, whether by level or by mix, and who contributed.

Belongs here: arithmetic over metric values. Does not belong here: words (sentences).

**Beyond chance.** Of a metric with an interval, the interval of the difference d of two independent values with bounds (l1, u1) and (l2, u2) is d - sqrt((v2 - l2)² + (u1 - v1)²)
to d + sqrt((u2 - v2)² + (v1 - l1)²), v1 the earlier one (Newcombe, *Stat. Med.* 17, 1998, method 10, for shares; Zou and Donner, *Stat. Med.* 27, 2008, for any two). Of a count it is the
interval of the ratio of the rates a day on the log scale with the Poisson variance 1/n1 + 1/n2, times Pearson's dispersion of the daily counts of the three
periods before about their means, at least 1: days of the week differ, which widens it. Of k judged figures the largest is picked, so intervals are widened to 1 - 0.05 / k (Bonferroni).

**Level and mix.** As the overview splits a change (dashboards.data.headlines); the report tells the dimension in which one slice contributes most.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp, log, sqrt
from statistics import NormalDist

import polars as pl

from dashboards.data.headlines import ChangeParts, decomposed
from dashboards.data.metrics import (
    Filters,
    Metric,
    MetricValue,
    catalogue,
    metric_frame,
    metric_values,
    narrowed,
)
from dashboards.data.reports import unit_parents, units_below
from dashboards.data.snapshot import Snapshot
from dashboards.reports.periods import Period

Z = NormalDist().inv_cdf(0.975)
LEAST_COUNT = 10
"""Fewest counted in both periods together for the change of a count to be judged."""
REFERENCE = 3
"""Periods before that tell how much counts vary by chance."""
LEAST_DAYS = 3
"""Fewest days of a period with something to count: what is dated by month has no days to be judged by."""


@dataclass(frozen=True)
class Figure:
    """One metric in a period and in the one before.

    Attributes:
        low, high: 95 % interval of the change: a difference, of a count a ratio. None where it cannot be judged.
        strength: size of the change over half the width of its interval, on the scale of the interval. Above 1 = 0 is outside.
    """

    metric: Metric
    now: MetricValue
    before: MetricValue
    low: float | None = None
    high: float | None = None
    strength: float | None = None

    @property
    def change(self) -> float | None:
        return None if self.now.value is None or self.before.value is None else self.now.value - self.before.value

    @property
    def is_count(self) -> bool:
        return self.metric.type in ("count", "distinct", "stock")

    @property
    def is_better(self) -> bool | None:
        """Whether the change is for the better; None where the metric has no better direction."""
        change = self.change
        if not change or self.metric.direction not in ("up", "down"):
            return None
        return (change > 0) == (self.metric.direction == "up")

    @property
    def target_state(self) -> str | None:
        """met, missed (the interval lies on the wrong side), open (not met, but the interval holds the target); None without target or value."""
        target, value = self.metric.target, self.now.value
        if target is None or value is None or self.now.is_small_base or self.metric.direction not in ("up", "down"):
            return None
        is_up = self.metric.direction == "up"
        if value >= target if is_up else value <= target:
            return "met"
        bound = self.now.high if is_up else self.now.low
        return "open" if bound is not None and (bound >= target if is_up else bound <= target) else "missed"


def period_filters(period: Period, units: Sequence[str]) -> Filters:
    """The slice of a period."""
    return Filters(start=period.start, end=period.end, units=tuple(units))


def known_here(snapshot: Snapshot, names: Sequence[str], units: Sequence[str]) -> list[str]:
    """Those metrics that the catalogue has and that know units, if the report is about some: another would be of more than its units."""
    metrics = catalogue(snapshot)
    return [name for name in names if name in metrics and not narrowed(metrics[name], Filters(units=tuple(units)))[1]]


def figures(snapshot: Snapshot, names: Sequence[str], period: Period, units: Sequence[str]) -> list[Figure]:
    """Metrics in a period beside the one before; those that are not known here are left out."""
    metrics = catalogue(snapshot)
    there = known_here(snapshot, names, units)
    now = metric_values(snapshot, there, period_filters(period, units))
    before = metric_values(snapshot, there, period_filters(period.before(), units))
    return [_judged(snapshot, Figure(metrics[name], now[name], before[name]), period, units) for name in there]


def _judged(snapshot: Snapshot, figure: Figure, period: Period, units: Sequence[str]) -> Figure:
    now, before = figure.now, figure.before
    if now.value is None or before.value is None or now.is_small_base or before.is_small_base:
        return figure
    if figure.metric.type == "count" and figure.metric.unit == "count":
        if now.value + before.value < LEAST_COUNT or not now.value or not before.value:
            return figure
        spread = _dispersion(snapshot, figure.metric, period, units)
        if spread is None:
            return figure
        half = Z * sqrt(spread * (1 / now.value + 1 / before.value))
        centre = log(now.value / period.days) - log(before.value / period.before().days)
        return replace(figure, low=exp(centre - half), high=exp(centre + half), strength=abs(centre) / half)
    return with_difference(figure)


def with_difference(figure: Figure) -> Figure:
    """A figure with the interval of its difference, if both values have intervals."""
    now, before = figure.now, figure.before
    if now.value is None or before.value is None:
        return figure
    if now.low is None or now.high is None or before.low is None or before.high is None:
        return figure
    change = now.value - before.value
    down = sqrt((now.value - now.low) ** 2 + (before.high - before.value) ** 2)
    up = sqrt((now.high - now.value) ** 2 + (before.value - before.low) ** 2)
    half = down if change > 0 else up
    return replace(figure, low=change - down, high=change + up, strength=abs(change) / half if half else None)


def _dispersion(snapshot: Snapshot, metric: Metric, period: Period, units: Sequence[str]) -> float | None:
    """Pearson's dispersion of the daily counts of the `REFERENCE` periods before, each about its mean, at least 1; None for what is not counted by day.

    The period itself is left out: a burst in it is what is asked about, not what chance does. Of days that are too small to be told, what is left of the period's total is
    spread evenly over them.
    """
    excess, freedom = 0.0, 0
    for steps in range(1, REFERENCE + 1):
        one = period.before(steps)
        filters = period_filters(one, units)
        values = metric_frame(snapshot, [metric.name], grain="day", filters=filters)["value"].to_list()
        if len(values) < LEAST_DAYS:
            continue
        total = metric_values(snapshot, [metric.name], filters)[metric.name].value
        if total is None:
            continue
        told = [float(value) for value in values if value is not None]
        hidden = len(values) - len(told)
        counts = told + [max(0.0, total - sum(told)) / max(1, hidden)] * hidden
        counts += [0.0] * max(0, one.days - len(counts))
        mean = sum(counts) / len(counts)
        if mean:
            excess += sum((count - mean) ** 2 for count in counts) / mean
            freedom += len(counts) - 1
    return max(1.0, excess / freedom) if freedom else None


def beyond_chance(found: Sequence[Figure]) -> list[Figure]:
    """Figures whose change is more than chance explains, for all of them together, the strongest first."""
    judged = [figure for figure in found if figure.strength is not None]
    strict = NormalDist().inv_cdf(1 - 0.025 / max(1, len(judged))) / Z
    moved = [figure for figure in judged if (figure.strength or 0.0) > strict]
    return sorted(moved, key=lambda figure: (-(figure.strength or 0.0), figure.metric.name))


def strongest(found: Sequence[Figure]) -> Figure | None:
    """The figure that came nearest to moving beyond chance."""
    judged = [figure for figure in found if figure.strength is not None]
    return min(judged, key=lambda figure: (-(figure.strength or 0.0), figure.metric.name), default=None)


def explained(snapshot: Snapshot, figure: Figure, period: Period, units: Sequence[str]) -> ChangeParts | None:
    """The split of a change in which one slice contributes most; None where no dimension adds up, as for percentiles, or when cells are hidden."""
    if figure.change is None or figure.metric.type not in ("count", "ratio"):
        return None
    splits = []
    for dimension in ("org_unit_id", "channel", "product_line"):
        if dimension in figure.metric.dimensions and all(part.ignores != dimension for part in figure.metric.parts):
            found = _split(snapshot, figure, dimension, period, units)
            if found is not None and len(found.parts) > 1:
                splits.append(found)
    sign = 1 if figure.change > 0 else -1
    return max(splits, key=lambda split: max(sign * one.amount for one in split.parts), default=None)


def _split(
    snapshot: Snapshot, figure: Figure, dimension: str, period: Period, units: Sequence[str]
) -> ChangeParts | None:
    sums = []
    for one, whole in ((period, figure.now), (period.before(), figure.before)):
        frame = metric_frame(snapshot, [figure.metric.name], by=[dimension], filters=period_filters(one, units))
        found = _gathered(snapshot, frame, dimension, units)
        total = sum(numerator for numerator, _ in found.values())
        if whole.numerator is None or abs(total - whole.numerator) > 1e-6 * max(1.0, abs(whole.numerator)):
            return None  # a cell is hidden: what is left does not explain the whole
        sums.append(found)
    now, before = sums
    return decomposed(dimension, now, before, is_count=figure.metric.type == "count")


def _gathered(
    snapshot: Snapshot, frame: pl.DataFrame, dimension: str, units: Sequence[str]
) -> Mapping[str, tuple[float, float]]:
    """Numerator and denominator by value; units added up to those one step below the report's."""
    roots = units_below(snapshot, units) if dimension == "org_unit_id" else []
    parents = unit_parents(snapshot) if roots else {}
    found: dict[str, tuple[float, float]] = {}
    for row in frame.to_dicts():
        value = row[dimension]
        seen: set[str] = set()
        place = value
        while roots and place is not None and place not in roots and place not in seen:
            seen.add(place)
            place = parents.get(place)
        key = str((place or value or "unknown") if roots else (value or "unknown"))
        top, bottom = found.get(key, (0.0, 0.0))
        found[key] = (top + (row["numerator"] or 0.0), bottom + (row["denominator"] or 0.0))
    return found
