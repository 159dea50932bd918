"""The metric compiler: a row of the catalogue and a slice of the data -> value, parts, interval.

Belongs here: catalogue, filters, SQL over the additive daily parts, the exact histograms and (distinct counts) the rows,
statistics of the result.
Does not belong here: definitions (they come with the snapshot) and words.

Identifiers in SQL come from the catalogue only, values are always bound.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import polars as pl

from dashboards.data import expressions, intervals, small_cells
from dashboards.data.snapshot import Snapshot

GRAINS = ("day", "week", "month", "quarter", "year")
WEIGHTED_INTERVALS = ("wilson_weighted", "mean_weighted", "nps_weighted")
"""Intervals of ratios of weights. Their base is the effective size, for which the sum of the squared weights is a further part."""


class MetricError(ValueError):
    """A question that the catalogue does not allow; the message says what it allows."""


@dataclass(frozen=True)
class Part:
    """One aggregate that a metric is made of.

    Attributes:
        name: value, numerator, denominator, promoters or detractors; squares, products, base_squares, units and weight_squares of an interval.
        model: the mart; also the name of its daily parts.
        kind: sum (from the daily parts), stock (the sum at the last day of a period, from the daily parts), percentile (from
            the exact histogram) or distinct (from the rows).
        expression: what is aggregated, over the columns of the mart.
        clock: date column of the mart that says which day a row belongs to.
        ignores: dimension that it is summed over whatever split and filters say of it: the whole that shares are shares of.
        within: dimension of which a slice must have one value for an interval to be stated: rows that differ in it alone belong together.
    """

    name: str
    model: str
    measure: str
    kind: str
    expression: str
    percentile: float | None
    clock: str
    dimensions: tuple[str, ...]
    ignores: str | None = None
    within: str | None = None


@dataclass(frozen=True)
class Metric:
    """One metric as the catalogue of a snapshot describes it.

    Attributes:
        type: count (sum of a measure), stock (sum at the last day of a period), distinct, percentile, ratio (numerator /
            denominator) or derived (arithmetic over other metrics).
        clock: the date columns that date it, separated by commas.
        parts: the aggregates it needs; a derived metric has none.
        expression, inputs: of a derived metric: its arithmetic, and the metric behind each name in it.
        vendor_names: what the screens of other products call it, by product.
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
    default_grain: str
    target: float | None
    version: int
    headline: int | None
    model: str
    parts: tuple[Part, ...]
    expression: str | None
    inputs: Mapping[str, str]
    dimensions: tuple[str, ...]
    vendor_names: Mapping[str, str]


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

    def without(self, dimension: str) -> Filters:
        """The same slice, whatever it says of a dimension. What the reader may see stays."""
        own = {
            "org_unit_id": "units",
            "channel": "channels",
            "product_line": "product_lines",
            "customer_kind": "customer_kinds",
        }
        where = {name: values for name, values in self.where.items() if name != dimension}
        emptied: dict[str, Any] = {own[dimension]: ()} if dimension in own else {}
        return replace(self, where=where, **emptied)


@dataclass(frozen=True)
class MetricValue:
    """Value of a metric over one slice. An empty base gives None, never 0 or 100 %.

    Attributes:
        n: size of the base: the denominator of a ratio (with the interval `ratio` its rows, of a weighted one the effective sample
            size), the observations of a percentile, the count of a count.
        is_hidden: too little is behind it to be told to the viewer (small_cells).
    """

    name: str
    value: float | None
    numerator: float | None
    denominator: float | None
    low: float | None
    high: float | None
    n: float
    is_small_base: bool
    is_hidden: bool = False


def narrowed(metric: Metric, filters: Filters) -> tuple[Filters, tuple[str, ...]]:
    """A slice as far as a metric knows its dimensions, and the dimensions it does not know.

    For pages that show many metrics under one bar of filters: what a metric cannot be narrowed by is left out and said.
    What the reader may see stays.
    """
    asked = {
        "org_unit_id": filters.units,
        "channel": filters.channels,
        "product_line": filters.product_lines,
        "customer_kind": filters.customer_kinds,
        **filters.where,
    }
    unknown = tuple(name for name, values in asked.items() if values and name not in metric.dimensions)
    for name in unknown:
        filters = filters.without(name)
    return filters, unknown


def catalogue(snapshot: Snapshot) -> Mapping[str, Metric]:
    """All metrics of a snapshot by name."""
    return snapshot.once("catalogue", lambda: _catalogue(snapshot))


def _catalogue(snapshot: Snapshot) -> Mapping[str, Metric]:
    found = {}
    for row in snapshot.rows("select * exclude (fingerprint) from meta.metrics order by name"):
        parts = tuple(Part(**{**part, "dimensions": tuple(part["dimensions"])}) for part in json.loads(row["parts"]))
        others = {name: json.loads(row[name]) for name in ("inputs", "vendor_names")}
        found[row["name"]] = Metric(
            **{**row, **others, "parts": parts, "dimensions": tuple(json.loads(row["dimensions"]))}
        )
    return found


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


_BELOW = (
    "{column} in (with recursive below as (select unnest(?) as unit union"
    " select u.org_unit_id from main.dim_org_units as u inner join below on u.parent_unit_id = below.unit) select unit from below)"
)


def _in_time(filters: Filters, clock: str) -> tuple[list[str], list[object]]:
    clauses: list[str] = [f"{clock} is not null"]
    values: list[object] = []
    if filters.start is not None:
        clauses.append(f"{clock} >= ?")
        values.append(filters.start)
    if filters.end is not None:
        clauses.append(f"{clock} <= ?")
        values.append(filters.end)
    return clauses, values


def _conditions(part: Part, filters: Filters, clock: str) -> tuple[str, list[object]]:
    """Where clause and its parameters. A dimension that the rows do not have matches nothing."""
    clauses, values = _in_time(filters, clock)
    if filters.units:
        clauses.append(_BELOW.format(column="org_unit_id") if "org_unit_id" in part.dimensions else "false")
        if "org_unit_id" in part.dimensions:
            values.append(list(filters.units))
    if filters.visible_units is not None:
        clauses.append(f"(row_unit_id = '*' or {_BELOW.format(column='row_unit_id')})")
        values.append(sorted(filters.visible_units))
    lists = {
        "channel": filters.channels,
        "product_line": filters.product_lines,
        "customer_kind": filters.customer_kinds,
        **filters.where,
    }
    for name, wanted in lists.items():
        if wanted and name not in part.dimensions:
            clauses.append("false")
        elif wanted:
            clauses.append(f'"{name}" in (select unnest(?))')
            values.append(list(wanted))
    return f" where {' and '.join(clauses)}", values


def row_conditions(filters: Filters, dimensions: Iterable[str], clock: str) -> tuple[str, list[object]]:
    """Where clause over the rows of a mart itself, and its parameters.

    Args:
        dimensions: columns of the mart by which rows can be told apart; a filter by another one matches nothing.
        clock: date column of the mart that the period is about.
    """
    part = Part("value", "", "", "rows", "", None, clock, tuple(dimensions))
    return _conditions(part, filters, f'"{clock}"')


@dataclass(frozen=True)
class Split:
    """What the rows of an answer are: periods of a grain, and combinations of dimensions."""

    by: tuple[str, ...] = ()
    grain: str | None = None

    def __post_init__(self) -> None:
        if self.grain is not None and self.grain not in GRAINS:
            raise MetricError(f"There is no grain {self.grain!r}; use one of {', '.join(GRAINS)}.")

    @property
    def columns(self) -> list[str]:
        return ([] if self.grain is None else ["metric_time"]) + list(self.by)

    def head(self, clock: str) -> str:
        """The select list of the columns, each followed by a comma."""
        time = [] if self.grain is None else [f"cast(date_trunc('{self.grain}', {clock}) as date) as metric_time, "]
        return "".join(time + [f'"{name}", ' for name in self.by])

    @property
    def group_by(self) -> str:
        return f" group by {', '.join(str(number + 1) for number in range(len(self.columns)))}" if self.columns else ""


def _parts_sql(parts: Sequence[Part], default_grain: str, filters: Filters, split: Split) -> tuple[str, list[object]]:
    """One query for parts of the same mart that are read from the same table."""
    first = parts[0]
    if first.kind == "percentile":
        return _percentile_sql(first, filters, split)
    if first.kind == "stock":
        return _stock_sql(parts, default_grain, filters, split)
    if first.kind == "distinct":
        table, clock = f'main."{first.model}"', f'"{first.clock}"'
        # Rows of which none has a value are a counted zero; no row at all is "nothing there".
        listed = [
            f"case when count(*) > 0 then cast(count(distinct {part.expression}) as double) end as {part.name}"
            for part in parts
        ]
    else:
        table, clock = f'parts."{first.model}"', "metric_time"
        listed = [f'cast(sum("{part.measure}") as double) as {part.name}' for part in parts]
    where, values = _conditions(first, filters, clock)
    return f"select {split.head(clock)}{', '.join(listed)} from {table}{where}{split.group_by}", values


def _percentile_sql(part: Part, filters: Filters, split: Split) -> tuple[str, list[object]]:
    """Discrete percentile: the smallest value with at least that share of the observations at or below it."""
    where, values = _conditions(part, filters, "metric_time")
    listed = "".join(f'"{name}", ' for name in split.columns)
    partition = f"partition by {listed[:-2]}" if listed else ""
    return (
        f'with counted as (select {split.head("metric_time")}value_seconds, sum(n) as n from parts."{part.model}__{part.measure}"{where}'
        " group by all),"
        f" running as (select *, sum(n) over ({partition} order by value_seconds) as reached, sum(n) over ({partition}) as total from counted)"
        f" select {listed}cast(min(value_seconds) filter (where reached >= ceil({part.percentile} * total - 1e-9)) as double) as value,"
        f" cast(any_value(total) as double) as observations from running{split.group_by}"
    ), values


def _stock_sql(parts: Sequence[Part], default_grain: str, filters: Filters, split: Split) -> tuple[str, list[object]]:
    """Stocks, on the last day of each period on which stock was taken.

    A stock by day is taken every day of the calendar from the mart's first to its last, one with a coarser grain on the days that
    the mart has rows for. A slice without a row on such a day has nothing in stock, a zero. It is listed from its first row on.
    """
    first = parts[0]
    table = f'parts."{first.model}"'
    in_time, times = _in_time(filters, "day")
    until, slice_values = _conditions(first, replace(filters, start=None), "metric_time")
    period = "" if split.grain is None else f"cast(date_trunc('{split.grain}', day) as date) as metric_time, "
    by = "".join(f'"{name}", ' for name in split.by)
    same = "".join(f' and rows."{name}" is not distinct from slices."{name}"' for name in split.by)
    listed = "".join(f'{"days" if name == "metric_time" else "slices"}."{name}", ' for name in split.columns)
    stocks = ", ".join(
        f'case when count(*) > 0 then cast(coalesce(sum(rows."{part.measure}"), 0) as double) end as {part.name}'
        for part in parts
    )
    taken = (
        "cast(unnest(generate_series(min(metric_time), max(metric_time), interval 1 day)) as date)"
        if default_grain == "day"
        else "distinct metric_time"
    )
    return (
        f"with covered as (select {taken} as day from {table}),"
        f" days as (select {period}max(day) as last_day from covered where {' and '.join(in_time)}{' group by all' if period else ''}),"
        f" rows as (select * from {table}{until}),"
        f" slices as (select {by}min(metric_time) as first_day from rows group by all)"
        f" select {listed}{stocks} from days inner join slices on days.last_day >= slices.first_day"
        f" left join rows on rows.metric_time = days.last_day{same}{split.group_by}"
    ), [*times, *slice_values]


def _share_sql(metric: Metric, of: str, filters: Filters, split: Split) -> tuple[str, list[object]]:
    """A share of the whole over one dimension: the whole ignores what split and filters say of it.

    A value of the dimension that occurs in the slice is a counted zero in each group that has a whole.
    """
    share = [part for part in metric.parts if part.ignores is None]
    whole = [part for part in metric.parts if part.ignores is not None]
    rest = Split(tuple(name for name in split.by if name != of), split.grain)
    share_sql, share_values = _parts_sql(share, metric.default_grain, filters, split)
    whole_sql, whole_values = _parts_sql(whole, metric.default_grain, filters.without(of), rest)
    is_split = of in split.by
    shares = ", ".join(f"coalesce(shares.{part.name}, 0) as {part.name}" for part in share)
    wholes = ", ".join(f"wholes.{part.name}" for part in whole)
    listed = "".join(f'{"kinds" if name == of else "wholes"}."{name}", ' for name in split.columns)
    same = [
        f'shares."{name}" is not distinct from {"kinds" if name == of else "wholes"}."{name}"' for name in split.columns
    ]
    kinds = f' cross join (select distinct "{of}" from shares where {share[0].name} <> 0) as kinds' if is_split else ""
    return (
        f"with shares as ({share_sql}), wholes as ({whole_sql})"
        f" select {listed}{shares}, {wholes} from wholes{kinds} left join shares on {' and '.join(same) or 'true'}"
    ), [*share_values, *whole_values]


def metric_sql(metric: Metric, filters: Filters, split: Split) -> tuple[str, list[object]]:
    """The query behind a metric that is not derived, and its parameters."""
    ignored = next((part.ignores for part in metric.parts if part.ignores is not None), None)
    if ignored is not None:
        return _share_sql(metric, ignored, filters, split)
    tables: dict[tuple[str, str], list[Part]] = {}
    for part in metric.parts:
        tables.setdefault((part.model, part.kind), []).append(part)
    queries = [_parts_sql(parts, metric.default_grain, filters, split) for parts in tables.values()]
    if len(queries) == 1:
        return queries[0]
    # Each mart is summed by itself and the sums are put side by side: to join first would multiply rows.
    listed = "".join(f'"{name}", ' for name in split.columns)
    names = ", ".join(f"max({part.name}) as {part.name}" for part in metric.parts)
    together = " union all by name ".join(f"({sql})" for sql, _ in queries)
    return f"select {listed}{names} from ({together}){split.group_by}", [v for _, values in queries for v in values]


def _has_interval(metric: Metric, filters: Filters, split: Split) -> bool:
    """Whether the rows of a slice are independent: see `Part.within`."""
    within = next((part.within for part in metric.parts if part.within is not None), None)
    return within is None or within in split.by or len(set(filters.where.get(within, ()))) == 1


def _judge(metric: Metric, row: Mapping[str, Any], has_interval: bool = True) -> MetricValue:
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
    if metric.type in ("count", "stock", "distinct"):
        # No row at all is "nothing there", not a counted zero.
        return result(row["value"], row["value"], None, None, row["value"] or 0)
    numerator, n = row["numerator"], row["denominator"] or 0
    units = (row["units"] or 0) if metric.interval == "ratio" else n
    if not n or numerator is None:
        return result(None, numerator, row["denominator"], None, units)
    if metric.interval in WEIGHTED_INTERVALS:
        squares = row["weight_squares"] or 0.0
        if not has_interval:
            bounds = None
        elif metric.interval == "wilson_weighted":
            bounds = intervals.wilson_weighted(numerator, n, squares)
        elif metric.interval == "mean_weighted":
            bounds = intervals.mean_weighted(numerator, row["squares"], n, squares)
        else:
            bounds = intervals.net_promoter_weighted(row["promoters"], row["detractors"], n, squares)
        # The base is what the weights leave of the answers, so that few heavy ones do not pass for many.
        return result(numerator / n, numerator, n, bounds, intervals.effective_size(n, squares))
    bounds = None
    if not has_interval:
        pass
    elif metric.interval == "wilson":
        bounds = intervals.wilson(numerator, n)
    elif metric.interval == "mean":
        bounds = intervals.mean(numerator, row["squares"], n)
    elif metric.interval == "nps":
        bounds = intervals.net_promoter(row["promoters"], row["detractors"], n)
    elif metric.interval == "ratio":
        bounds = intervals.ratio(numerator, n, row["squares"], row["products"], row["base_squares"], units)
    return result(numerator / n, numerator, n, bounds, units)


def _derived(metric: Metric, inputs: Mapping[str, MetricValue | None]) -> MetricValue:
    """Arithmetic over metrics. Its base is the smallest of theirs, and small as soon as one of them is."""
    values = {name: None if one is None else one.value for name, one in inputs.items()}
    value = expressions.evaluate(metric.expression or "", values)
    n = min(0 if one is None else one.n for one in inputs.values())
    small = any(one is None or one.is_small_base for one in inputs.values())
    small = small or (metric.minimum_base is not None and n < metric.minimum_base)
    return MetricValue(metric.name, value, None, None, None, None, n, small)


_Answer = dict[tuple[Any, ...], MetricValue]


_HIDDEN: dict[str, Any] = {
    "value": None,
    "numerator": None,
    "denominator": None,
    "low": None,
    "high": None,
    "n": 0.0,
    "is_small_base": True,
    "is_hidden": True,
}


def _answer(
    snapshot: Snapshot, metrics: Mapping[str, Metric], metric: Metric, filters: Filters, split: Split
) -> _Answer:
    """Values of a metric by the columns of the split, in their order; a limited viewer is not told small cells."""
    found = _computed(snapshot, metrics, metric, filters, split)
    if not snapshot.viewer.is_limited:
        return found
    bases = _bases(snapshot, metrics, metric, filters, split, found)
    # What a narrower slice leaves out must not be told by the difference to the wider one.
    too_near: set[tuple[Any, ...]] = set()
    for dimension in _narrowing(filters):
        wider = filters.without(dimension)
        around = _bases(snapshot, metrics, metric, wider, split, _computed(snapshot, metrics, metric, wider, split))
        too_near |= {key for key, base in bases.items() if small_cells.is_small(around.get(key, base) - base)}
    hidden = small_cells.hidden_cells(bases, frozenset(too_near))
    return {key: replace(one, **_HIDDEN) if key in hidden else one for key, one in found.items()}


def _narrowing(filters: Filters) -> list[str]:
    own = {
        "org_unit_id": filters.units,
        "channel": filters.channels,
        "product_line": filters.product_lines,
        "customer_kind": filters.customer_kinds,
        **filters.where,
    }
    return [name for name, values in own.items() if values]


def _bases(
    snapshot: Snapshot, metrics: Mapping[str, Metric], metric: Metric, filters: Filters, split: Split, found: _Answer
) -> dict[tuple[Any, ...], float]:
    """How many rows or people are behind each cell: its n, or counted rows where n is an amount."""
    if metric.type == "derived":
        inputs = [
            _bases(
                snapshot,
                metrics,
                metrics[of],
                filters,
                split,
                _computed(snapshot, metrics, metrics[of], filters, split),
            )
            for of in metric.inputs.values()
        ]
        return {key: min(base.get(key, 0.0) for base in inputs) for key in found}
    n_counts = metric.unit == "count" if metric.type in ("count", "stock") else metric.interval != "none"
    if metric.type in ("percentile", "distinct") or n_counts:
        return {key: one.n for key, one in found.items()}
    bases: list[dict[tuple[Any, ...], float]] = []
    for part in {(part.model, part.clock): part for part in metric.parts if part.ignores is None}.values():
        clock = f'"{part.clock}"'
        where, values = _conditions(part, filters, clock)
        days = f"count(distinct {clock})" if part.kind == "stock" else "1"
        rows = snapshot.rows(
            f'select {split.head(clock)}count(*) / {days} as base from main."{part.model}"{where}{split.group_by}',
            values,
        )
        bases.append({tuple(row[name] for name in split.columns): row["base"] or 0.0 for row in rows})
    return {key: min((base.get(key, 0.0) for base in bases), default=0.0) for key in found}


def _computed(
    snapshot: Snapshot, metrics: Mapping[str, Metric], metric: Metric, filters: Filters, split: Split
) -> _Answer:
    """Values of a metric by the columns of the split, in their order."""
    _check_dimensions(metric, [*split.by, *filters.where])
    if metric.type == "derived":
        answers = {
            name: _computed(snapshot, metrics, metrics[of], filters, split) for name, of in metric.inputs.items()
        }
        keys = {key for answer in answers.values() for key in answer}
        found = {key: _derived(metric, {name: answer.get(key) for name, answer in answers.items()}) for key in keys}
    else:
        sql, values = metric_sql(metric, filters, split)
        # Only distinct counts read rows; an answer to the same question about the same snapshot is the same.
        read = snapshot.remembered if any(part.kind == "distinct" for part in metric.parts) else snapshot.rows
        stated = _has_interval(metric, filters, split)
        # A group of which no part of a ratio is told (null, not 0) is one that the ratio is not about.
        found = {
            tuple(row[name] for name in split.columns): _judge(metric, row, stated)
            for row in read(sql, values)
            if not split.columns or metric.type != "ratio" or any(row[part.name] is not None for part in metric.parts)
        }
    # Nulls last, as the database orders them.
    return dict(sorted(found.items(), key=lambda item: [(one is None, str(one)) for one in item[0]]))


def metric_value(snapshot: Snapshot, name: str, filters: Filters | None = None) -> MetricValue:
    """One metric over one slice.

    Raises:
        MetricError: unknown metric or dimension.
    """
    return metric_values(snapshot, [name], filters)[name]


def metric_values(snapshot: Snapshot, names: Sequence[str], filters: Filters | None = None) -> dict[str, MetricValue]:
    """Several metrics over one slice, by name.

    Raises:
        MetricError: unknown metric or dimension.
    """
    metrics = catalogue(snapshot)
    found = {}
    for name in names:
        metric = find_metric(metrics, name)
        answer = _answer(snapshot, metrics, metric, filters or Filters(), Split())
        found[name] = answer.get(()) or _judge(metric, {"value": None, "observations": None})
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
    split = Split(tuple(by), grain)
    schema: dict[str, Any] = {"metric": pl.String}
    schema |= {name: pl.Date if name == "metric_time" else pl.String for name in split.columns}
    schema |= {name: pl.Float64 for name in ("value", "numerator", "denominator", "low", "high", "n")} | {
        "is_small_base": pl.Boolean
    }
    records: list[dict[str, Any]] = []
    for name in names:
        metric = find_metric(metrics, name)
        for key, judged in _answer(snapshot, metrics, metric, filters or Filters(), split).items():
            records.append(
                {"metric": name}
                | dict(zip(split.columns, key, strict=True))
                | {
                    "value": judged.value, "numerator": judged.numerator, "denominator": judged.denominator,
                    "low": judged.low, "high": judged.high, "n": judged.n, "is_small_base": judged.is_small_base,
                }
            )  # fmt: skip
    return pl.DataFrame(records, schema=schema, strict=False)


def weekday_frame(snapshot: Snapshot, name: str, by: str, filters: Filters | None = None) -> pl.DataFrame:
    """A ratio of sums or a count by day of the week and one dimension.

    Returns:
        One row per weekday (1 = Monday) and value of `by` with rows: weekday, the dimension, value, numerator, denominator, low,
        high, n, is_small_base; ordered.

    Raises:
        MetricError: unknown metric or dimension, or a metric whose days cannot be added (stocks, percentiles, distinct counts, derived ones).
    """
    metric = find_metric(catalogue(snapshot), name)
    filters = filters or Filters()
    _check_dimensions(metric, [by, *filters.where])
    if metric.type not in ("ratio", "count") or any(part.kind != "sum" for part in metric.parts):
        raise MetricError(f"The days of {name} cannot be added up.")
    sql, values = metric_sql(metric, filters, Split((by,), "day"))
    sums = ", ".join(f"sum({part.name}) as {part.name}" for part in metric.parts)
    rows = snapshot.rows(
        f'select isodow(metric_time) as weekday, "{by}", {sums} from ({sql}) where "{by}" is not null group by all order by all',
        values,
    )
    stated = _has_interval(metric, filters, Split((by,)))
    cells = {(row["weekday"], row[by]): _judge(metric, row, stated) for row in rows}
    hidden: set[tuple[Any, ...]] = set()
    if snapshot.viewer.is_limited:
        hidden = small_cells.hidden_cells({key: one.n for key, one in cells.items()})
    records = []
    for (weekday, value), one in cells.items():
        judged = replace(one, **_HIDDEN) if (weekday, value) in hidden else one
        records.append(
            {"weekday": weekday, by: value, "value": judged.value, "numerator": judged.numerator, "denominator": judged.denominator,
             "low": judged.low, "high": judged.high, "n": judged.n, "is_small_base": judged.is_small_base}
        )  # fmt: skip
    numbers = dict.fromkeys(("value", "numerator", "denominator", "low", "high", "n"), pl.Float64)
    schema: dict[str, Any] = {"weekday": pl.Int64, by: pl.String, **numbers, "is_small_base": pl.Boolean}
    return pl.DataFrame(records, schema=schema, strict=False)
