"""MetricFlow, dbt's own compiler of the semantic YAML, and ours give the same numbers on the same data.

MetricFlow writes SQL over the marts of the warehouse, which is run as it is; ours reads the parts of the snapshot.

Two things ours says and MetricFlow does not. A stock is 0 where a slice has no row on the last day; MetricFlow has no row. A share of
the whole over a dimension (`share_of`) has a denominator that ignores it; MetricFlow splits both parts, so its two sums, asked apart, are
divided here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

import duckdb
import pytest
from metricflow.engine.metricflow_engine import MetricFlowEngine, MetricFlowQueryRequest
from metricflow.protocols.sql_client import SqlEngine
from metricflow.sql.render.duckdb_renderer import DuckDbSqlPlanRenderer
from metricflow_semantics.model.dbt_manifest_parser import parse_manifest_from_dbt_generated_manifest
from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup

from dashboards.data.metrics import Filters, Metric, catalogue, metric_frame
from dashboards.data.snapshot import Snapshot, SnapshotStore
from orchestration.settings import Settings


class _Dialect:
    """All that MetricFlow asks of a client while it only writes SQL."""

    sql_engine_type = SqlEngine.DUCKDB
    sql_plan_renderer = DuckDbSqlPlanRenderer()


class Oracle:
    """MetricFlow over the warehouse of a home."""

    def __init__(self, settings: Settings) -> None:
        text = (settings.dbt_target / "semantic_manifest.json").read_text(encoding="utf-8")
        lookup = SemanticManifestLookup(parse_manifest_from_dbt_generated_manifest(manifest_json_string=text))
        self._engine = MetricFlowEngine(lookup, _Dialect())  # type: ignore[arg-type]
        self._connection = duckdb.connect(str(settings.warehouse_path), read_only=True)
        self._connection.execute(f"attach '{settings.raw_path}' as raw (read_only)")

    def ask(self, names: list[str], by: list[str], **options: Any) -> dict[str, dict[tuple[Any, ...], float | None]]:
        """Values by metric and group; groups without a value are left out, MetricFlow has one for any other metric's sake."""
        request = MetricFlowQueryRequest.create(metric_names=names, group_by_names=by, **options)
        rows = self._connection.execute(self._engine.explain(request).sql_statement.sql).pl().to_dicts()
        found: dict[str, dict[tuple[Any, ...], float | None]] = {name: {} for name in names}
        for row in rows:
            # Rows without a day (a promise still running) are in no metric of ours, MetricFlow has a period without a name for them.
            if any(name.startswith("metric_time") and row[name] is None for name in by):
                continue
            key = tuple(_plain(row[column]) for column in by)
            for name in names:
                # Nothing by nothing is no number (DuckDB writes nan); we say there is none.
                if row[name] is not None and not math.isnan(row[name]):
                    found[name][key] = float(row[name])
        return found

    def close(self) -> None:
        self._connection.close()


def _plain(value: Any) -> Any:
    return value.date() if isinstance(value, datetime) else value


@pytest.fixture(scope="module")
def oracle(demo_settings: Settings) -> Iterator[Oracle]:
    found = Oracle(demo_settings)
    yield found
    found.close()


@pytest.fixture(scope="module")
def snapshot(demo_settings: Settings) -> Iterator[Snapshot]:
    store = SnapshotStore(demo_settings.serving)
    yield store.current()
    store.close()


def assert_equal(
    metric: Metric, mine: dict[tuple[Any, ...], float | None], theirs: dict[tuple[Any, ...], float | None]
) -> None:
    if metric.type == "stock":
        assert all(mine[key] == 0 for key in mine.keys() - theirs.keys()), metric.name
        mine, theirs = ({key: value for key, value in one.items() if value} for one in (mine, theirs))
    assert mine == pytest.approx(theirs, rel=1e-9), metric.name


def ignored_by(metrics: Mapping[str, Metric], name: str) -> set[str]:
    """Dimensions that a metric, or one that it is derived from, is summed over whatever the split says."""
    metric = metrics[name]
    own = {part.ignores for part in metric.parts if part.ignores}
    return own.union(*(ignored_by(metrics, of) for of in metric.inputs.values()))


def by_mart(metrics: Mapping[str, Metric], names: list[str]) -> dict[str, list[str]]:
    """Metrics by their mart: MetricFlow names a dimension by the entity of a mart, and joins of a hundred marts take it long."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(metrics[name].model, []).append(name)
    return groups


def ours(
    snapshot: Snapshot, names: list[str], by: tuple[str, ...], grain: str | None, filters: Filters | None = None
) -> dict[str, dict[tuple[Any, ...], float | None]]:
    found: dict[str, dict[tuple[Any, ...], float | None]] = {name: {} for name in names}
    columns = ([] if grain is None else ["metric_time"]) + list(by)
    for row in metric_frame(snapshot, names, by=by, grain=grain, filters=filters).to_dicts():
        if row["value"] is not None:
            found[row["metric"]][tuple(row[column] for column in columns)] = row["value"]
    return found


@pytest.mark.parametrize(
    ("by", "grain"),
    [
        ((), None),
        ((), "day"),
        ((), "week"),
        (("org_unit_id",), None),
        (("customer_kind",), "month"),
        (("product_line", "org_unit_id"), "month"),
    ],
)
def test_the_two_compilers_agree(snapshot: Snapshot, oracle: Oracle, by: tuple[str, ...], grain: str | None) -> None:
    metrics = catalogue(snapshot)
    names = [
        name
        for name, metric in metrics.items()
        if set(by) <= set(metric.dimensions) and not ignored_by(metrics, name) & set(by)
    ]
    assert len(names) >= 30
    for model, asked in by_mart(metrics, names).items():
        named = ([] if grain is None else [f"metric_time__{grain}"]) + [f"{model}_row__{name}" for name in by]
        theirs = oracle.ask(asked, named)
        for name, values in ours(snapshot, asked, by, grain).items():
            assert_equal(metrics[name], values, theirs[name])


def test_they_agree_over_a_slice_of_time(snapshot: Snapshot, oracle: Oracle) -> None:
    start, end = date(2026, 8, 5), date(2026, 9, 17)
    metrics = catalogue(snapshot)
    names = list(metrics)
    # By day: MetricFlow widens the slice to whole periods of the grain.
    slice_of_time = {
        "time_constraint_start": datetime(2026, 8, 5),
        "time_constraint_end": datetime(2026, 9, 17),
    }
    theirs = {
        name: values
        for asked in by_mart(metrics, names).values()
        for name, values in oracle.ask(asked, ["metric_time__day"], **slice_of_time).items()
    }
    mine = ours(snapshot, names, (), "day", Filters(start=start, end=end))
    for name, values in mine.items():
        assert_equal(metrics[name], values, theirs[name])
    assert sum(len(values) for values in mine.values()) > 10 * len(names)


@pytest.mark.parametrize("grain", ["day", "week", "month", "quarter", "year"])
@pytest.mark.parametrize("by", [(), ("org_unit_id",), ("touch_point",), ("age_bucket", "business_age_bucket")])
def test_they_agree_on_the_stock_of_every_period(
    snapshot: Snapshot, oracle: Oracle, by: tuple[str, ...], grain: str
) -> None:
    metric = catalogue(snapshot)["backlog_open"]
    theirs = oracle.ask([metric.name], [f"metric_time__{grain}", *(f"fct_backlog_days_row__{name}" for name in by)])
    mine = ours(snapshot, [metric.name], by, grain)
    assert_equal(metric, mine[metric.name], theirs[metric.name])
    assert sum(mine[metric.name].values()) > 0  # type: ignore[arg-type]


def test_they_agree_on_departments_and_touch_points(snapshot: Snapshot, oracle: Oracle) -> None:
    metrics = catalogue(snapshot)
    asked = {
        "fct_department_waits": ["department_turnaround_median", "department_turnaround_mean", "department_waits_open"],
        "fct_work_orders": ["time_to_finish_median", "first_time_fix_rate"],
        "fct_half_hours": ["queue_entries", "service_level_by_queue_entry"],
    }
    for model, names in asked.items():
        by = ("department", "touch_point") if model == "fct_department_waits" else ("touch_point",)
        theirs = oracle.ask(names, [f"{model}_row__{name}" for name in by])
        for name, values in ours(snapshot, names, by, None).items():
            assert_equal(metrics[name], values, theirs[name])
            assert values


@pytest.mark.parametrize("grain", [None, "month"])
@pytest.mark.parametrize("rest", [(), ("customer_kind",)])
@pytest.mark.parametrize(
    "name", ["contact_reason_share", "contact_kind_share", "contact_product_share", "call_type_share"]
)
def test_a_share_of_the_whole_is_the_quotient_of_two_answers_of_metricflow(
    snapshot: Snapshot, oracle: Oracle, name: str, rest: tuple[str, ...], grain: str | None
) -> None:
    part = catalogue(snapshot)[name].parts[0]
    (of,) = (one.ignores for one in catalogue(snapshot)[name].parts if one.ignores)
    time = [] if grain is None else [f"metric_time__{grain}"]
    theirs = [
        oracle.ask([part.measure], [*time, *(f"{part.model}_row__{one}" for one in dimensions)])[part.measure]
        for dimensions in ((of, *rest), rest)
    ]
    place = len(time)
    expected = {
        key: (count or 0) / (theirs[1][(*key[:place], *key[place + 1 :])] or 1)
        for key, count in theirs[0].items()
        if count
    }
    mine = {key: value for key, value in ours(snapshot, [name], (of, *rest), grain)[name].items() if value}
    assert mine == pytest.approx(expected, rel=1e-9)
    assert len(mine) > len(time)
