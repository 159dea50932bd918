"""What the executive's page asks beyond the headline metrics: what changed and why, limits of a course, alerts by stage, the month's plans.

Belongs here: questions over the marts of control, and the change of a metric taken apart. Does not belong here: metrics themselves (metrics).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from dashboards.data.metrics import (
    Filters,
    catalogue,
    find_metric,
    metric_frame,
    metric_values,
    narrowed,
    row_conditions,
)
from dashboards.data.small_cells import hidden_cells
from dashboards.data.snapshot import Snapshot

Rows = list[dict[str, Any]]

STAGES = ("early_warning", "in_process", "after_the_fact")
SEVERITIES = ("critical", "major", "minor", "better")
LEVELS = ("headquarters", "region", "province", "city", "team", "channel", "product_line", "rest")
LEAST_POINTS = 8
"""Fewest complete points of a course with which limits are drawn."""
_MOVING_RANGE = 2.66
"""3 / 1.128: from the mean moving range of two points to three standard deviations (Shewhart's chart of individual values)."""
REST = "*"
"""The values of a dimension that are not told one by one."""


@dataclass(frozen=True)
class Contribution:
    """What one value of a dimension adds to the change of a metric: `amount` = `level` + `mix`, in the unit of the metric.

    Attributes:
        value: the value; `REST` = those that are not told, together.
        before, after: the metric of this value alone; None = nothing to count.
        level: because the value itself changed. mix: because its share of the base did, against the average.
    """

    value: str | None
    amount: float
    level: float
    mix: float
    before: float | None
    after: float | None


@dataclass(frozen=True)
class ChangeParts:
    """The change of a metric between two periods by one dimension; contributions add up to `amount` exactly.

    Attributes:
        level, mix: sums over the contributions; of a count all is level.
        parts: largest first.
    """

    dimension: str
    before: float
    after: float
    level: float
    mix: float
    parts: tuple[Contribution, ...]

    @property
    def amount(self) -> float:
        return self.after - self.before


def change_parts(
    snapshot: Snapshot, name: str, dimension: str, filters: Filters, before: Filters
) -> ChangeParts | None:
    """The change of a metric from `before` to `filters`, split into level and mix (Kitagawa 1955) by the values of a dimension.

    A ratio R is the sum of w x r over the values, w the share of the denominator, r the ratio of the value. Level is mean(w) x the change of r,
    mix the change of w x (mean(r) - mean(R)). A value without a base in one period has no ratio there: its part is mix alone.

    Returns:
        None for metrics whose parts cannot be added (percentiles, stocks, distinct counts, arithmetic), without the dimension, or when
        one of the periods has no value.

    Raises:
        MetricError: there is no such metric.
    """
    metric = find_metric(catalogue(snapshot), name)
    if metric.type not in ("ratio", "count") or dimension not in metric.dimensions:
        return None
    if any(part.kind != "sum" or part.ignores is not None for part in metric.parts):
        return None
    slices = [narrowed(metric, one)[0] for one in (before, filters)]
    totals = [metric_values(snapshot, [name], one)[name] for one in slices]
    if any(total.value is None for total in totals):
        return None
    groups: list[dict[str | None, tuple[float, float]]] = []
    told: list[set[str | None]] = []
    for one in slices:
        rows = metric_frame(snapshot, [name], by=[dimension], filters=one).to_dicts()
        groups.append(
            {row[dimension]: (row["numerator"] or 0.0, row["denominator"] or 0.0) for row in rows}
            if metric.type == "ratio"
            else {row[dimension]: (row["value"] or 0.0, 1.0) for row in rows}
        )
        told.append({row[dimension] for row in rows if row["value"] is not None})
    keys = set(groups[0]) | set(groups[1])
    if snapshot.viewer.is_limited:
        # Not told and nothing there look alike: what is not told in both periods goes to the rest.
        keys = told[0] & told[1]
    if metric.type == "count":
        return _of_count(dimension, totals[0].value or 0.0, totals[1].value or 0.0, groups, keys)
    sums = [(total.numerator or 0.0, total.denominator or 0.0) for total in totals]
    return _of_ratio(dimension, sums, groups, keys)


def decomposed(
    dimension: str,
    now: Mapping[str, tuple[float, float]],
    before: Mapping[str, tuple[float, float]],
    *,
    is_count: bool = False,
) -> ChangeParts | None:
    """A change of which all values of the dimension are known, split as in `change_parts`.

    Args:
        now, before: numerator and denominator by value; of a count the numerator is what was counted.

    Returns:
        None where a ratio has no denominator.
    """
    groups: list[dict[str | None, tuple[float, float]]] = [
        {key: cell for key, cell in one.items()} for one in (before, now)
    ]
    sums = [tuple(sum(cell[place] for cell in group.values()) for place in (0, 1)) for group in groups]
    keys = {*groups[0], *groups[1]}
    if is_count:
        return _of_count(dimension, sums[0][0], sums[1][0], groups, keys)
    if not all(base for _, base in sums):
        return None
    return _of_ratio(dimension, [(amount, base) for amount, base in sums], groups, keys)


_Groups = Sequence[Mapping[str | None, tuple[float, float]]]


def _of_count(dimension: str, before: float, after: float, groups: _Groups, keys: set[str | None]) -> ChangeParts:
    parts = []
    for key in keys:
        old, new = (group.get(key, (0.0, 1.0))[0] for group in groups)
        parts.append(Contribution(key, new - old, new - old, 0.0, old, new))
    old, new = before - sum(part.before or 0.0 for part in parts), after - sum(part.after or 0.0 for part in parts)
    if abs(old) > 1e-9 or abs(new) > 1e-9:
        parts.append(Contribution(REST, new - old, new - old, 0.0, old, new))
    return ChangeParts(dimension, before, after, after - before, 0.0, _ordered(parts))


def _of_ratio(
    dimension: str, sums: Sequence[tuple[float, float]], groups: _Groups, keys: set[str | None]
) -> ChangeParts:
    cells = {key: [group.get(key, (0.0, 0.0)) for group in groups] for key in keys}
    rest = [
        (total[0] - sum(cell[index][0] for cell in cells.values()), total[1] - sum(cell[index][1] for cell in cells.values()))
        for index, total in enumerate(sums)
    ]  # fmt: skip
    if any(abs(base) > 1e-9 or abs(amount) > 1e-9 for amount, base in rest):
        cells[REST] = rest
    whole = [amount / base for amount, base in sums]
    middle = sum(whole) / 2
    parts = []
    for key, cell in cells.items():
        if all(base == 0 for _, base in cell):
            continue
        shares = [base / total[1] for (_, base), total in zip(cell, sums, strict=True)]
        known = [amount / base if base else None for amount, base in cell]
        old = known[0] if known[0] is not None else known[1] or 0.0
        new = known[1] if known[1] is not None else old
        level = (shares[0] + shares[1]) / 2 * (new - old)
        mix = (shares[1] - shares[0]) * ((old + new) / 2 - middle)
        parts.append(Contribution(key, level + mix, level, mix, known[0], known[1]))
    return ChangeParts(
        dimension,
        whole[0],
        whole[1],
        sum(part.level for part in parts),
        sum(part.mix for part in parts),
        _ordered(parts),
    )


def _ordered(parts: Sequence[Contribution]) -> tuple[Contribution, ...]:
    return tuple(sorted(parts, key=lambda part: (-abs(part.amount), str(part.value))))


def individual_limits(
    values: Sequence[float | None], *, lowest: float | None = None, highest: float | None = None
) -> tuple[float, float] | None:
    """Limits of a course from its own points: mean -/+ 2.66 x the mean moving range.

    Args:
        values: complete points in order; gaps are stepped over.
        lowest, highest: where the values end by their nature.

    Returns:
        None with fewer than `LEAST_POINTS` points.
    """
    known = [value for value in values if value is not None]
    if len(known) < LEAST_POINTS:
        return None
    centre = sum(known) / len(known)
    reach = _MOVING_RANGE * sum(abs(b - a) for a, b in pairwise(known)) / (len(known) - 1)
    low, high = centre - reach, centre + reach
    return (low if lowest is None else max(low, lowest)), (high if highest is None else min(high, highest))


def control_days(snapshot: Snapshot, name: str, filters: Filters) -> Rows:
    """The limits of a metric's control chart day by day, frozen on its baseline and with the pattern of the week.

    Args:
        filters: days and units; with several units, or with another filter, no chart fits.

    Returns:
        counted_on, lower, upper, is_signal; of the chosen unit, without one of headquarters. Empty without a chart.
    """
    if len(filters.units) > 1 or filters.channels or filters.product_lines or filters.customer_kinds:
        return []
    where, values = row_conditions(
        Filters(start=filters.start, end=filters.end, visible_units=filters.visible_units), (), "counted_on"
    )
    scope, more = ("org_unit_id = ?", list(filters.units)) if filters.units else ("unit_level = 'headquarters'", [])
    return snapshot.rows(
        f"select counted_on, lower, upper, is_signal from main.fct_control_points{where} and metric = ? and {scope}"
        " and part is null and unit_level in ('headquarters', 'region', 'province', 'city') and lower is not null and upper is not null"
        " and is_judged order by counted_on",
        [*values, name, *more],
    )


def alerts(snapshot: Snapshot, filters: Filters, *, limit: int) -> tuple[Rows, int]:
    """Alerts of all stages whose days touch the slice, worst first; of equal ones the higher unit, then the newest.

    Args:
        filters: days and units count; an alert of a channel or product line is about the whole organisation.
        limit: rows at most.

    Returns:
        Rows as in `fct_alerts` with `is_hidden` (too few cases for a limited reader: figures are null) and how many there are.
    """
    where, values = row_conditions(
        Filters(end=filters.end, units=filters.units, visible_units=filters.visible_units),
        ("org_unit_id",),
        "first_day",
    )
    order = " ".join(f"when '{name}' then {place}" for place, name in enumerate(SEVERITIES))
    level = " ".join(f"when '{name}' then {place}" for place, name in enumerate(LEVELS))
    rows = snapshot.rows(
        "select alert_id, stage, metric, unit_level, org_unit_id, part, owner, severity, is_worse, numerator, denominator, value, reference,"
        " errors_from_reference, signal_days, change_since_baseline, channel_mix_effect, product_mix_effect, unit_mix_effect, top_unit_id,"
        " top_unit_share, top_channel, top_channel_share, top_product_line, top_product_share, operational_events, overdue_seconds, as_of_at,"
        f" first_day, last_day, count(*) over () as total from main.fct_alerts{where} and (? is null or last_day >= ?)"
        f" order by case severity {order} end, case unit_level {level} end, last_day desc, alert_id limit ?",
        [*values, filters.start, filters.start, limit],
    )
    total = rows[0]["total"] if rows else 0
    return _without_small(snapshot, rows), total


_FIGURES = (
    "numerator", "denominator", "value", "reference", "errors_from_reference", "change_since_baseline", "channel_mix_effect",
    "product_mix_effect", "unit_mix_effect", "top_unit_share", "top_channel_share", "top_product_share",
)  # fmt: skip


def _without_small(snapshot: Snapshot, rows: Rows) -> Rows:
    """A limited reader is told that there is an alert, not figures with too few cases behind them."""
    hidden: set[str] = set()
    if snapshot.viewer.is_limited:
        groups: dict[tuple[Any, ...], dict[tuple[Any, ...], float]] = {}
        for row in rows:
            key = (row["stage"], row["metric"], row["unit_level"], row["part"] is None)
            groups.setdefault(key, {})[(row["alert_id"],)] = row["denominator"] or 0
        hidden = {place[0] for group in groups.values() for place in hidden_cells(group)}
    return [
        {**row, **(dict.fromkeys(_FIGURES) if row["alert_id"] in hidden else {}), "is_hidden": row["alert_id"] in hidden}
        for row in rows
    ]  # fmt: skip


def month_plans(snapshot: Snapshot, filters: Filters) -> Rows:
    """The newest month that began by the last day of the slice against its plan, with the forecast of a month that is running.

    Args:
        filters: the last day and the units count; without a unit the highest level that the reader sees.

    Returns:
        month_start, metric, unit_level, org_unit_id, direction, actual, target, plan, forecast, forecast_error, days_left, plan_state,
        is_early_warning, is_final, last_final_day, denominator; early warnings and missed plans first.
    """
    where, values = row_conditions(Filters(end=filters.end, visible_units=filters.visible_units), (), "month_start")
    scope, more = ("and list_contains(?, org_unit_id)", [list(filters.units)]) if filters.units else ("", [])
    level = " ".join(f"when '{name}' then {place}" for place, name in enumerate(LEVELS))
    rows = snapshot.rows(
        "with newest as (select *, case unit_level " + level + " end as place"
        f" from main.fct_plan_actual{where} {scope} and unit_level <> 'rest' qualify month_start = max(month_start) over ())"
        " select month_start, metric, unit_level, org_unit_id, direction, actual, target, plan, forecast, forecast_error, days_left, plan_state,"
        " is_early_warning, is_final, last_final_day, denominator from newest where place = (select min(place) from newest)"
        " order by is_early_warning desc nulls last, plan_state = 'missed' desc, metric, org_unit_id",
        [*values, *more],
    )
    if snapshot.viewer.is_limited:
        hidden = hidden_cells({(row["metric"], row["org_unit_id"]): row["denominator"] or 0 for row in rows})
        figures = dict.fromkeys(("actual", "forecast", "forecast_error", "denominator"))
        rows = [{**row, **figures} if (row["metric"], row["org_unit_id"]) in hidden else row for row in rows]
    return rows
