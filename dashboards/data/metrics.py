"""The metric compiler: a row of the catalogue and a slice of the data -> value, parts, interval.

Belongs here: catalogue, filters, SQL over the additive daily parts and the exact histograms, statistics of the result.
Does not belong here: definitions (they come with the snapshot) and words.

Identifiers in SQL come from the catalogue only, values are always bound.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import polars as pl

from dashboards.data import intervals
from dashboards.data.snapshot import Snapshot

GRAINS = ("day", "week", "month", "quarter", "year")


class MetricError(ValueError):
    """A question that the catalogue does not allow; the message says what it allows."""


@dataclass(frozen=True)
class Metric:
    """One metric as the catalogue of a snapshot describes it.

    Attributes:
        type: count (sum of a measure), ratio (numerator / denominator) or percentile (from the exact histogram).
        model: the parts table; its `metric_time` is the clock named in `clock`.
    """

    name: str
    type: str
    label_en: str
    label_zh: str
    description_en: str
    description_zh: str
    formula: str
    unit: str
    direction: str
    family: str
    is_default: bool
    clock: str
    interval: str
    minimum_base: int | None
    target: float | None
    version: int
    headline: int | None
    model: str
    measure: str | None
    numerator: str | None
    denominator: str | None
    percentile: float | None
    dimensions: tuple[str, ...]


@dataclass(frozen=True)
class Filters:
    """A slice of the data. Empty tuples and None mean "all".

    Attributes:
        start, end: first and last day, both included, by the metric's own clock.
        units: organisation units; their descendants count too.
        where: further dimensions and the values to keep.
        visible_units: units whose rows the reader may see (with descendants); None = every row.
    """

    start: date | None = None
    end: date | None = None
    units: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    product_lines: tuple[str, ...] = ()
    customer_kinds: tuple[str, ...] = ()
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    visible_units: frozenset[str] | None = None


@dataclass(frozen=True)
class MetricValue:
    """Value of a metric over one slice. An empty base gives None, never 0 or 100 %.

    Attributes:
        n: size of the base: the denominator of a ratio, the observations of a percentile, the count of a count.
    """

    name: str
    value: float | None
    numerator: float | None
    denominator: float | None
    low: float | None
    high: float | None
    n: float
    is_small_base: bool


def catalogue(snapshot: Snapshot) -> dict[str, Metric]:
    """All metrics of a snapshot by name."""
    rows = snapshot.rows("select * from meta.metrics order by name")
    return {row["name"]: Metric(**{**row, "dimensions": tuple(json.loads(row["dimensions"]))}) for row in rows}


def find_metric(metrics: Mapping[str, Metric], name: str) -> Metric:
    """A metric by name.

    Raises:
        MetricError: there is none of that name.
    """
    if name not in metrics:
        close = difflib.get_close_matches(name, metrics, n=3)
        hint = f" Did you mean {' or '.join(close)}?" if close else ""
        raise MetricError(f"There is no metric {name!r}.{hint} `csatlas metric --list` shows all {len(metrics)}.")
    return metrics[name]


def _check_dimensions(metric: Metric, names: Iterable[str]) -> None:
    for name in names:
        if name not in metric.dimensions:
            raise MetricError(
                f"{metric.name} cannot be split or filtered by {name!r}; it knows {', '.join(metric.dimensions)}."
            )


def _conditions(metric: Metric, filters: Filters) -> tuple[str, list[object]]:
    """Where clause and its parameters. A dimension that the metric's rows do not have matches nothing."""
    clauses: list[str] = []
    values: list[object] = []
    if filters.start is not None:
        clauses.append("metric_time >= ?")
        values.append(filters.start)
    if filters.end is not None:
        clauses.append("metric_time <= ?")
        values.append(filters.end)
    below = (
        "{column} in (with recursive below as (select unnest(?) as unit union"
        " select u.org_unit_id from main.dim_org_units as u inner join below on u.parent_unit_id = below.unit) select unit from below)"
    )
    if filters.units:
        clauses.append(below.format(column="org_unit_id") if "org_unit_id" in metric.dimensions else "false")
        if "org_unit_id" in metric.dimensions:
            values.append(list(filters.units))
    if filters.visible_units is not None:
        visible = sorted(filters.visible_units)
        clauses.append(f"(row_unit_id = '*' or {below.format(column='row_unit_id')})")
        values.append(visible)
    lists = {
        "channel": filters.channels,
        "product_line": filters.product_lines,
        "customer_kind": filters.customer_kinds,
    }
    for name, wanted in lists.items():
        if wanted and name not in metric.dimensions:
            clauses.append("false")
        elif wanted:
            clauses.append(f"{name} in (select unnest(?))")
            values.append(list(wanted))
    _check_dimensions(metric, filters.where)
    for name, wanted in filters.where.items():
        clauses.append(f'"{name}" in (select unnest(?))')
        values.append(list(wanted))
    return (" where " + " and ".join(clauses)) if clauses else "", values


def _groups(by: Sequence[str], grain: str | None) -> list[str]:
    found = [f'"{name}"' for name in by]
    if grain is not None:
        if grain not in GRAINS:
            raise MetricError(f"There is no grain {grain!r}; use one of {', '.join(GRAINS)}.")
        found.insert(0, f"cast(date_trunc('{grain}', metric_time) as date)")
    return found


def _sum_columns(metric: Metric) -> dict[str, str]:
    if metric.type == "count":
        return {"numerator": f'"{metric.measure}"'}
    columns = {"numerator": f'"{metric.numerator}"', "denominator": f'"{metric.denominator}"'}
    if metric.interval == "mean":
        columns["squares"] = f'"{metric.numerator}_squares"'
    if metric.interval == "nps":
        columns |= {"promoters": '"promoters"', "detractors": '"detractors"'}
    return columns


def _additive_sql(
    metric: Metric, filters: Filters, groups: Sequence[str], names: Sequence[str]
) -> tuple[str, list[object]]:
    where, values = _conditions(metric, filters)
    selected = [f"{group} as {name}" for group, name in zip(groups, names, strict=True)]
    selected += [f"cast(sum({column}) as double) as {name}" for name, column in _sum_columns(metric).items()]
    group_by = f" group by {', '.join(str(i + 1) for i in range(len(groups)))}" if groups else ""
    return f'select {", ".join(selected)} from parts."{metric.model}"{where}{group_by}', values


def _percentile_sql(
    metric: Metric, filters: Filters, groups: Sequence[str], names: Sequence[str]
) -> tuple[str, list[object]]:
    """Discrete percentile: the smallest value with at least that share of the observations at or below it."""
    where, values = _conditions(metric, filters)
    head = "".join(f"{group} as {name}, " for group, name in zip(groups, names, strict=True))
    listed = "".join(f"{name}, " for name in names)
    partition = f"partition by {', '.join(names)}" if names else ""
    group_by = f" group by {', '.join(names)}" if names else ""
    return (
        f'with counted as (select {head}value_seconds, sum(n) as n from parts."{metric.model}__{metric.measure}"{where}'
        f" group by {listed}value_seconds),"
        f" running as (select *, sum(n) over ({partition} order by value_seconds) as reached, sum(n) over ({partition}) as total from counted)"
        f" select {listed}cast(min(value_seconds) filter (where reached >= ceil({metric.percentile} * total - 1e-9)) as double) as value,"
        f" cast(any_value(total) as double) as observations from running{group_by}"
    ), values


def _judge(metric: Metric, row: Mapping[str, Any]) -> MetricValue:
    def result(
        value: float | None,
        numerator: float | None,
        denominator: float | None,
        bounds: tuple[float, float] | None,
        n: float,
    ) -> MetricValue:
        low, high = bounds or (None, None)
        small = metric.minimum_base is not None and n < metric.minimum_base
        return MetricValue(metric.name, value, numerator, denominator, low, high, n, small)

    if metric.type == "percentile":
        return result(row["value"], None, row["observations"], None, row["observations"] or 0)
    if metric.type == "count":
        # No row at all is "nothing there", not a counted zero.
        return result(row["numerator"], row["numerator"], None, None, row["numerator"] or 0)
    numerator, n = row["numerator"], row["denominator"] or 0
    if not n:
        return result(None, numerator, row["denominator"], None, 0)
    bounds = None
    if metric.interval == "wilson":
        bounds = intervals.wilson(numerator, n)
    elif metric.interval == "mean":
        bounds = intervals.mean(numerator, row["squares"], n)
    elif metric.interval == "nps":
        bounds = intervals.net_promoter(row["promoters"], row["detractors"], n)
    return result(numerator / n, numerator, n, bounds, n)


def metric_value(snapshot: Snapshot, name: str, filters: Filters | None = None) -> MetricValue:
    """One metric over one slice.

    Raises:
        MetricError: unknown metric or dimension.
    """
    return metric_values(snapshot, [name], filters)[name]


def metric_values(snapshot: Snapshot, names: Sequence[str], filters: Filters | None = None) -> dict[str, MetricValue]:
    """Several metrics over one slice, by name."""
    metrics = catalogue(snapshot)
    found = {}
    for name in names:
        metric = find_metric(metrics, name)
        build = _percentile_sql if metric.type == "percentile" else _additive_sql
        sql, values = build(metric, filters or Filters(), (), ())
        row = snapshot.rows(sql, values)
        empty = {"value": None, "observations": None}
        found[name] = _judge(metric, row[0] if row else empty)
    return found


def metric_frame(
    snapshot: Snapshot,
    names: Sequence[str],
    *,
    by: Sequence[str] = (),
    grain: str | None = None,
    filters: Filters | None = None,
) -> pl.DataFrame:
    """Several metrics, split by dimensions and time.

    Returns:
        One row per metric, period and combination of `by`: metric, metric_time (with a grain: first day of the period),
        the dimensions, value, numerator, denominator, low, high, n, is_small_base; ordered by metric, time, dimensions.

    Raises:
        MetricError: unknown metric, dimension or grain.
    """
    metrics = catalogue(snapshot)
    groups = _groups(by, grain)
    columns = ([] if grain is None else ["metric_time"]) + [f'"{name}"' for name in by]
    plain = [column.strip('"') for column in columns]
    schema: dict[str, Any] = {"metric": pl.String}
    schema |= {name: pl.Date if name == "metric_time" else pl.String for name in plain}
    schema |= {name: pl.Float64 for name in ("value", "numerator", "denominator", "low", "high", "n")} | {
        "is_small_base": pl.Boolean
    }
    records: list[dict[str, Any]] = []
    for name in names:
        metric = find_metric(metrics, name)
        _check_dimensions(metric, by)
        build = _percentile_sql if metric.type == "percentile" else _additive_sql
        sql, values = build(metric, filters or Filters(), groups, columns)
        order = f" order by {', '.join(columns)}" if columns else ""
        for row in snapshot.rows(f"select * from ({sql}){order}", values):
            judged = _judge(metric, row)
            records.append(
                {"metric": name}
                | {column: row[column] for column in plain}
                | {
                    "value": judged.value, "numerator": judged.numerator, "denominator": judged.denominator,
                    "low": judged.low, "high": judged.high, "n": judged.n, "is_small_base": judged.is_small_base,
                }
            )  # fmt: skip
    return pl.DataFrame(records, schema=schema, strict=False)
