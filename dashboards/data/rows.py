"""The rows behind a number: those of its mart that it counts, for the same slice.

Belongs here: from a metric and a slice to rows. Does not belong here: the number itself (metrics).
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from dashboards.data.metrics import Filters, Metric, MetricError, Part, catalogue, find_metric, row_conditions
from dashboards.data.snapshot import Snapshot

SHOWN = ("value", "numerator", "denominator", "promoters", "detractors")
"""Parts of a number that a reader asks for; the others serve its interval."""

COUNTED = "counted"
"""Column of the answer: what a row adds to the number."""

_NOT_SHOWN = "row_unit_id"


@dataclass(frozen=True)
class RowsBehind:
    """Rows behind one part of a number.

    Attributes:
        part, parts: the part shown, and those that there are.
        model: the mart that the rows are of.
        expression: what a row counts as, over the columns of the mart.
        stock_day: of a stock, the day it was taken; None otherwise.
        frame: `COUNTED` and the columns of the mart, newest first.
        total: rows in all, before the limit.
        added: sum of `COUNTED` over all of them; None where rows are not added up (percentiles, distinct counts).
    """

    part: str
    parts: tuple[str, ...]
    model: str
    expression: str
    stock_day: object | None
    frame: pl.DataFrame
    total: int
    added: float | None


def shown_parts(metric: Metric) -> tuple[Part, ...]:
    """The parts of a metric that have rows to show; none for arithmetic over other metrics."""
    return tuple(part for part in metric.parts if part.name in SHOWN)


def rows_behind(
    snapshot: Snapshot, name: str, filters: Filters, *, part: str | None = None, limit: int = 500
) -> RowsBehind:
    """Rows behind a metric over a slice.

    Args:
        part: one of `SHOWN`; default: the numerator, or the whole of a metric that is not a ratio.
        limit: rows at most.

    Raises:
        MetricError: unknown metric or part, or a metric that is arithmetic over others.
    """
    metric = find_metric(catalogue(snapshot), name)
    parts = {one.name: one for one in shown_parts(metric)}
    if not parts:
        raise MetricError(
            f"{name} is arithmetic over other metrics ({', '.join(sorted(set(metric.inputs.values())))})."
        )
    wanted = part or ("numerator" if "numerator" in parts else next(iter(parts)))
    if wanted not in parts:
        raise MetricError(f"{name} has no {wanted}; it has {', '.join(parts)}.")
    found = parts[wanted]
    if found.ignores is not None:
        filters = filters.without(found.ignores)
    where, values = row_conditions(filters, found.dimensions, found.clock)
    adds = found.kind in ("sum", "stock")
    counts = f"cast({found.expression} as double)" if adds else found.expression
    table = f'main."{found.model}"'
    stock_day = None
    if found.kind == "stock":
        # A stock is that of the last day on which one was taken, whatever the slice.
        until = " and ".join([f'"{found.clock}" <= ?'] if filters.end else ["true"])
        (row,) = snapshot.rows(
            f'select max("{found.clock}") as day from {table} where {until}', [filters.end] if filters.end else []
        )
        stock_day = row["day"]
        where, values = f'{where} and "{found.clock}" = ?', [*values, stock_day]
    counted = f"{where} and coalesce({counts}, 0) <> 0" if adds else f"{where} and ({counts}) is not null"
    added = f"cast(sum({counts}) as double)" if adds else "cast(null as double)"
    (totals,) = snapshot.rows(f"select count(*) as total, {added} as added from {table}{counted}", values)
    frame = snapshot.frame(
        f'select {counts} as "{COUNTED}", * exclude ({_NOT_SHOWN}) from {table}{counted} order by "{found.clock}" desc, 2, 3 limit ?',
        [*values, limit],
    )
    return RowsBehind(
        wanted, tuple(parts), found.model, found.expression, stock_day, frame, totals["total"], totals["added"]
    )
