"""Rolling up over units, days and dimensions equals computing from the rows, for any metric and any slice.

A slice is drawn whole: days, units of any level with all below them, values of one or two dimensions, and a split by time and
dimensions. What the compiler says of it, from daily parts and histograms, is held against the rows of the mart: each
group's numerator, denominator, percentile and distinct count. Units are resolved here by walking the tree in Python, days and
periods by Python's calendar.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboards.data.metrics import Filters, Metric, catalogue, metric_frame
from dashboards.data.snapshot import Snapshot, SnapshotStore

METRICS_A_DRAW = 10


@pytest.fixture(scope="module")
def snapshot(demo_home: Path) -> Iterator[Snapshot]:
    with closing(SnapshotStore(demo_home / "serving")) as store:
        yield store.current()


@dataclass(frozen=True)
class Tree:
    """Organisation units with all below each, by walking from every unit to its ancestors."""

    below: dict[str, frozenset[str]]

    @classmethod
    def of(cls, snapshot: Snapshot) -> Tree:
        parents = {row["org_unit_id"]: row["parent_unit_id"] for row in snapshot.rows("select * from dim_org_units")}
        below: dict[str, set[str]] = {unit: set() for unit in parents}
        for unit in parents:
            above: str | None = unit
            while above in below:
                below[above].add(unit)
                above = parents[above]
        return cls({unit: frozenset(members) for unit, members in below.items()})


def first_day(day: date, grain: str) -> date:
    return {
        "day": day,
        "week": day - timedelta(days=day.weekday()),
        "month": day.replace(day=1),
        "quarter": day.replace(month=3 * ((day.month - 1) // 3) + 1, day=1),
        "year": day.replace(month=1, day=1),
    }[grain]


Group = tuple[Any, ...]


def rows_of(
    snapshot: Snapshot, metric: Metric, name: str, filters: Filters, by: tuple[str, ...], grain: str | None, tree: Tree
) -> dict[Group, float]:
    """One part of a metric from the rows of its mart, group by group; groups without a value are left out."""
    part = next(one for one in metric.parts if one.name == name)
    has_unit = "org_unit_id" in part.dimensions
    listed = "".join(f', "{column}"' for column in part.dimensions)
    frame = snapshot.frame(
        f'select "{part.clock}" as metric_day, ({part.expression}) as amount{listed}'
        f' from main."{part.model}" where "{part.clock}" is not null'
    )
    keep = pl.lit(True)
    if filters.start:
        keep &= pl.col("metric_day") >= filters.start
    if filters.end:
        keep &= pl.col("metric_day") <= filters.end
    if filters.units:
        mine = frozenset[str]().union(*(tree.below[unit] for unit in filters.units))
        keep &= pl.col("org_unit_id").is_in(sorted(mine)) if has_unit else pl.lit(False)
    for column, values in filters.where.items():
        keep &= pl.col(column).is_in(list(values))
    groups: dict[Group, list[Any]] = {}
    for row in frame.filter(keep).to_dicts():
        time = () if grain is None else (first_day(row["metric_day"], grain),)
        groups.setdefault((*time, *(row[column] for column in by)), []).append(row["amount"])
    found: dict[Group, float] = {}
    for key, amounts in groups.items():
        known = [amount for amount in amounts if amount is not None]
        if part.kind == "distinct":
            found[key] = float(len(set(known)))
        elif part.kind == "sum" and known:
            found[key] = math.fsum(float(amount) for amount in known)
        elif part.kind == "percentile" and known:
            place = math.ceil((part.percentile or 0) * len(known) - 1e-9)
            found[key] = float(sorted(known)[max(place, 1) - 1])
    return found


def drawn(
    dice: random.Random, snapshot: Snapshot, metric: Metric, tree: Tree
) -> tuple[Filters, tuple[str, ...], str | None]:
    """A slice that the metric knows, half of the time within some units."""
    start = date(2026, 6, 25) + timedelta(days=dice.randrange(100))
    others = [name for name in metric.dimensions if name != "org_unit_id"]
    where = {}
    for name in dice.sample(others, min(len(others), dice.choice([0, 0, 1, 2]))):
        values = snapshot.rows(
            f'select distinct "{name}" as value from main."{metric.model}" where "{name}" is not null order by 1'
        )
        if values:
            where[name] = tuple(row["value"] for row in dice.sample(values, min(len(values), dice.choice([1, 2, 3]))))
    units = tuple(dice.sample(sorted(tree.below), dice.choice([1, 1, 2, 4]))) if dice.random() < 0.5 else ()
    by = tuple(dice.sample(list(metric.dimensions), min(len(metric.dimensions), dice.choice([0, 1, 1, 2]))))
    filters = Filters(start=start, end=start + timedelta(days=dice.choice([0, 6, 30, 90])), units=units, where=where)
    return filters, by, dice.choice([None, "day", "week", "month", "quarter", "year"])


def served(metrics: dict[str, Metric]) -> list[str]:
    """Metrics of one mart whose groups stand by themselves. Stocks, shares of the whole and arithmetic over metrics have their own tests."""
    return sorted(
        name
        for name, metric in metrics.items()
        if metric.parts
        and all(part.kind != "stock" and part.ignores is None for part in metric.parts)
        and len({part.model for part in metric.parts}) == 1
    )


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_any_slice_of_any_metric_is_that_of_its_rows(snapshot: Snapshot, seed: int) -> None:
    dice = random.Random(seed)
    metrics, tree = dict(catalogue(snapshot)), Tree.of(snapshot)
    for name in dice.sample(served(metrics), METRICS_A_DRAW):
        metric = metrics[name]
        filters, by, grain = drawn(dice, snapshot, metric, tree)
        frame = metric_frame(snapshot, [name], by=by, grain=grain, filters=filters)
        columns = [*([] if grain is None else ["metric_time"]), *by]
        expected = {part.name: rows_of(snapshot, metric, part.name, filters, by, grain, tree) for part in metric.parts}
        if metric.type == "ratio":
            shown = {"numerator": "numerator", "denominator": "denominator"}
        else:
            shown = {"value": "value"}
        for part, column in shown.items():
            found = {
                tuple(row[key] for key in columns): row[column] for row in frame.to_dicts() if row[column] is not None
            }
            assert found == pytest.approx(expected[part], rel=1e-9), (name, part, filters, by, grain)
        if metric.type == "ratio":
            quotients = {
                key: expected["numerator"][key] / below
                for key, below in expected["denominator"].items()
                if below and key in expected["numerator"]
            }
            found = {
                tuple(row[key] for key in columns): row["value"] for row in frame.to_dicts() if row["value"] is not None
            }
            assert found == pytest.approx(quotients, rel=1e-9), (name, filters, by, grain)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_sums_over_a_split_of_a_slice_are_those_of_the_slice(snapshot: Snapshot, seed: int) -> None:
    """Whatever the slice is split by, and into whichever units: nothing is lost between the levels and nothing counted twice."""
    dice = random.Random(seed)
    metrics, tree = dict(catalogue(snapshot)), Tree.of(snapshot)
    additive = [name for name in served(metrics) if {part.kind for part in metrics[name].parts} == {"sum"}]
    for name in dice.sample(additive, METRICS_A_DRAW):
        metric = metrics[name]
        filters, by, grain = drawn(dice, snapshot, metric, tree)
        whole = metric_frame(snapshot, [name], filters=filters).row(0, named=True)
        split = metric_frame(snapshot, [name], by=by, grain=grain, filters=filters)
        column = "denominator" if metric.type == "ratio" else "value"
        assert split[column].sum() == pytest.approx(whole[column] or 0, rel=1e-9), (name, filters, by, grain)
        if "org_unit_id" not in metric.dimensions:
            continue
        # A unit is what lies below it, unit by unit, and what is its own.
        (unit,) = dice.sample([one for one, below in tree.below.items() if len(below) > 1], 1)
        mine = Filters(start=filters.start, end=filters.end, units=(unit,), where=filters.where)
        above = metric_frame(snapshot, [name], filters=mine).row(0, named=True)
        own = metric_frame(snapshot, [name], by=["org_unit_id"], filters=mine)
        assert set(own["org_unit_id"]) <= tree.below[unit]
        assert own[column].sum() == pytest.approx(above[column] or 0, rel=1e-9), (name, unit)


def test_draws_reach_every_kind_of_slice(snapshot: Snapshot) -> None:
    """A property is only as good as what is drawn for it: all kinds of parts, units of all levels, values that are there."""
    metrics, tree = dict(catalogue(snapshot)), Tree.of(snapshot)
    names = served(metrics)
    assert {part.kind for name in names for part in metrics[name].parts} == {"sum", "percentile", "distinct"}
    assert {metrics[name].model for name in names} >= {
        "fct_calls",
        "fct_tickets",
        "fct_survey_answers",
        "fct_half_hours",
    }
    seen: Counter[str] = Counter()
    for seed in range(80):
        dice = random.Random(seed)
        for name in dice.sample(names, METRICS_A_DRAW):
            filters, by, grain = drawn(dice, snapshot, metrics[name], tree)
            frame = metric_frame(snapshot, [name], by=by, grain=grain, filters=filters)
            kept = frame.filter(pl.col("value").is_not_null()).height > 0
            seen["with a value"] += kept
            seen["units"] += kept and bool(filters.units)
            seen["where"] += kept and bool(filters.where)
            seen["split"] += kept and bool(by)
            seen["time"] += kept and grain is not None
    assert min(seen.values()) >= 40, seen
