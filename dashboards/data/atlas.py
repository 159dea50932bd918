"""The definition atlas: all variants of a metric's family side by side, and which of them yields a number from elsewhere.

Belongs here: comparing definitions on the same slice. Does not belong here: computing one (metrics).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dashboards.data.metrics import Filters, Metric, MetricError, MetricValue, catalogue, metric_values
from dashboards.data.snapshot import Snapshot


@dataclass(frozen=True)
class Variant:
    """One definition of a family over a slice.

    Attributes:
        gap: its value less that of the family's default; None when one of them has no value.
    """

    metric: Metric
    value: MetricValue
    gap: float | None


@dataclass(frozen=True)
class Match:
    """How near a definition comes to a given number. `is_equal`: equal in the digits that were given."""

    variant: Variant
    difference: float
    is_equal: bool


def families(metrics: Mapping[str, Metric]) -> dict[str, list[Metric]]:
    """Metrics by family: the default first, then by name."""
    found: dict[str, list[Metric]] = {}
    for metric in sorted(metrics.values(), key=lambda one: (one.family, not one.is_default, one.name)):
        found.setdefault(metric.family, []).append(metric)
    return found


def variants(snapshot: Snapshot, family: str, filters: Filters | None = None) -> list[Variant]:
    """All definitions of a family over one slice: the default first.

    Args:
        family: name of the family, or of any metric in it.

    Raises:
        MetricError: there is no such family, or a filter that not all of its metrics know.
    """
    metrics = catalogue(snapshot)
    grouped = families(metrics)
    name = metrics[family].family if family in metrics else family
    if name not in grouped:
        close = difflib.get_close_matches(name, [*grouped, *metrics], n=3)
        hint = f" Did you mean {' or '.join(close)}?" if close else ""
        raise MetricError(
            f"There is no family {family!r}.{hint} `csatlas metric --list` shows the family of each metric."
        )
    values = metric_values(snapshot, [metric.name for metric in grouped[name]], filters)
    default = values[grouped[name][0].name].value
    found = []
    for metric in grouped[name]:
        value = values[metric.name].value
        gap = None if value is None or default is None else value - default
        found.append(Variant(metric, values[metric.name], gap))
    return found


def spread(found: list[Variant]) -> float | None:
    """Highest less lowest value of variants in the same unit as the default; None when fewer than two have a value."""
    values = [
        one.value.value for one in found if one.value.value is not None and one.metric.unit == found[0].metric.unit
    ]
    return max(values) - min(values) if len(values) > 1 else None


def explain(found: list[Variant], number: str) -> list[Match]:
    """Which of a family's variants yields a number: those that do first, then the nearest.

    Args:
        number: as it was printed, in the metric's own unit or as a percentage (0.8113, 81.13%). Its digits say how exact it is:
            0.81 is anything from 0.805 to 0.815.

    Raises:
        MetricError: the number cannot be read.
    """
    text = number.strip().replace("％", "%")
    read = re.fullmatch(r"([+-]?\d+(?:\.(\d+))?)(?:\s*(%))?", text)
    if read is None:
        raise MetricError(f"{number!r} is no number; write it as 0.8113 or 81.13%.")
    scale = 100.0 if read[3] else 1.0
    wanted, half = float(read[1]) / scale, 0.5 * 10.0 ** -len(read[2] or "") / scale
    matches = []
    for variant in found:
        if variant.value.value is not None:
            difference = variant.value.value - wanted
            matches.append(Match(variant, difference, abs(difference) <= half * (1 + 1e-9)))
    return sorted(matches, key=lambda match: (not match.is_equal, abs(match.difference)))


def atlas_families(snapshot: Snapshot, period: str = "last_month") -> list[dict[str, Any]]:
    """Families with several definitions and how far these lie apart, the furthest (beside the default's value) first.

    Of all units and channels, as the snapshot holds it; definitions in another unit than the default's are not compared.

    Args:
        period: last_month or all.

    Returns:
        family, metric (the default), definitions, value (of the default), lowest, highest, spread, first_day, last_day.
    """
    return snapshot.rows(
        "with known as (select a.*, m.unit, d.unit as default_unit, d.name as default_metric from meta.atlas as a"
        " inner join meta.metrics as m on a.metric = m.name inner join meta.metrics as d on d.family = a.family and d.is_default"
        " where a.period = ? and a.value is not null)"
        " select family, default_metric as metric, count(*) as definitions, max(value) filter (where is_default) as value, min(value) as lowest,"
        " max(value) as highest, max(value) - min(value) as spread, any_value(first_day) as first_day, any_value(last_day) as last_day"
        " from known where unit = default_unit group by family, default_metric having count(*) > 1"
        " order by (max(value) - min(value)) / nullif(abs(max(value) filter (where is_default)), 0) desc nulls last, family",
        [period],
    )
