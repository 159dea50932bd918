"""Building a snapshot: the public marts, the additive daily parts, the histograms, the catalogue and the facts of the run.

Belongs here: warehouse -> one new file beside the published ones. Does not belong here: whether it may be published (gate)
and making it the published one (publish).
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from orchestration.serving.catalogue import SemanticModel, catalogue_rows, semantic_models
from orchestration.settings import Settings
from orchestration.sources.rawstore import private_folder, quoted

EVERYBODY = "*"
"""Rights key of rows that belong to no unit and that everybody may see."""

_EVERYBODYS = {
    "dim_calendar",
    "dim_sources",
    "fct_loads",
    "fct_load_accounting",
    "fct_file_coverage",
    "fct_row_flags",
    "dim_org_units",
}
_METRIC_TYPES = {
    "name": "varchar", "type": "varchar", "label_en": "varchar", "label_zh": "varchar", "description_en": "varchar",
    "description_zh": "varchar", "formula": "varchar", "unit": "varchar", "direction": "varchar", "family": "varchar",
    "is_default": "boolean", "clock": "varchar", "interval": "varchar", "minimum_base": "integer", "target": "double",
    "version": "integer", "headline": "integer", "model": "varchar", "measure": "varchar", "numerator": "varchar",
    "denominator": "varchar", "percentile": "double", "dimensions": "varchar",
}  # fmt: skip


class SnapshotError(RuntimeError):
    """The new snapshot contradicts itself or the warehouse; it is not published."""


@dataclass(frozen=True)
class BuiltSnapshot:
    """A finished, checked snapshot file that is not published yet."""

    version: str
    path: Path
    tables: Mapping[str, int]
    size_bytes: int
    seconds: float


def _public_marts(manifest: Mapping[str, Any]) -> list[tuple[str, list[str], list[str]]]:
    """(name, columns, sort order) of the marts that go into the snapshot."""
    found = []
    for node in manifest["nodes"].values():
        meta = node["config"].get("meta") or {}
        if node["resource_type"] == "model" and node["schema"] == "marts" and meta.get("public"):
            found.append((node["name"], list(node["columns"]), list(meta.get("sort", []))))
    return sorted(found)


def _rights_key(name: str, columns: Sequence[str]) -> str:
    if name in _EVERYBODYS:
        return f"'{EVERYBODY}'"
    return "org_unit_id" if "org_unit_id" in columns else "cast(null as varchar)"


def _set_up(session: duckdb.DuckDBPyConnection) -> None:
    """Settings that each session has of its own: a cursor does not inherit them."""
    session.execute("set timezone = 'UTC'")
    session.execute("set enable_progress_bar = false")  # it would draw over our own progress, and into --json


def _write_parts(connection: duckdb.DuckDBPyConnection, model: SemanticModel) -> None:
    """Daily sums of the additive measures, and one exact histogram per percentile measure."""
    dimensions = ", ".join(quoted(name) for name in model.dimensions)
    keys = f"{quoted(model.time_column)} as metric_time, {dimensions}, row_unit_id"
    sums = "".join(f", sum({measure.expression}) as {quoted(measure.name)}" for measure in model.additive)
    connection.execute(
        f"create table parts.{quoted(model.name)} as select {keys}{sums} from main.{quoted(model.name)}"
        f" where {quoted(model.time_column)} is not null group by all order by metric_time"
    )
    for measure in model.percentiles:
        connection.execute(
            f"create table parts.{quoted(f'{model.name}__{measure.name}')} as select {keys},"
            f" cast({measure.expression} as bigint) as value_seconds, count(*) as n from main.{quoted(model.name)}"
            f" where {quoted(model.time_column)} is not null and ({measure.expression}) is not null group by all order by metric_time"
        )


def _check_parts(connection: duckdb.DuckDBPyConnection, model: SemanticModel) -> None:
    if not model.additive:
        return
    dated = f"from main.{quoted(model.name)} where {quoted(model.time_column)} is not null"
    of_parts = ", ".join(f"coalesce(sum({quoted(measure.name)}), 0)" for measure in model.additive)
    of_rows = ", ".join(f"coalesce(sum({measure.expression}), 0)" for measure in model.additive)
    parts = connection.execute(f"select {of_parts} from parts.{quoted(model.name)}").fetchone()
    rows = connection.execute(f"select {of_rows} {dated}").fetchone()
    assert parts is not None and rows is not None
    for measure, part, whole in zip(model.additive, parts, rows, strict=True):
        if abs(float(part) - float(whole)) > 1e-6 * max(1.0, abs(float(whole))):
            raise SnapshotError(
                f"{model.name}.{measure.name}: the daily parts add up to {part}, the rows to {whole}. Nothing was published."
            )


def _rows_table(
    connection: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]
) -> None:
    connection.execute(
        f"create table meta.{name} ({', '.join(f'{quoted(column)} {kind}' for column, kind in columns.items())})"
    )
    if rows:
        marks = ", ".join("?" for _ in columns)
        connection.executemany(
            f"insert into meta.{name} values ({marks})", [[row.get(column) for column in columns] for row in rows]
        )


def _write_meta(
    connection: duckdb.DuckDBPyConnection,
    models: Mapping[str, SemanticModel],
    semantic_manifest: Mapping[str, Any],
    facts: Mapping[str, Any],
    runs: Sequence[Mapping[str, Any]],
    test_results: Sequence[Mapping[str, Any]],
) -> None:
    targets = dict(
        connection.execute(
            "select metric, arg_max(target, valid_from) from warehouse.seeds.targets where valid_from <= current_date group by metric"
        ).fetchall()
    )
    metrics = catalogue_rows(semantic_manifest, targets)
    _rows_table(
        connection, "metrics", _METRIC_TYPES, [{**row, "dimensions": json.dumps(row["dimensions"])} for row in metrics]
    )
    connection.execute(
        "create table meta.values as select * from warehouse.seeds.value_labels order by dimension, value"
    )
    _rows_table(
        connection,
        "runs",
        {"run_id": "varchar", "started_at": "timestamp", "ended_at": "timestamp", "outcome": "varchar", "seconds": "double",
         "rows_loaded": "bigint", "quarantined": "bigint", "message": "varchar"},
        runs,
    )  # fmt: skip
    _rows_table(
        connection,
        "test_results",
        {"name": "varchar", "status": "varchar", "severity": "varchar", "failures": "bigint", "message": "varchar"},
        test_results,
    )
    days = " union all ".join(f"select max(metric_time) as day from parts.{quoted(name)}" for name in models)
    connection.execute(
        f"create table meta.snapshot as select ? as version, cast(? as timestamp) as built_at,"
        f" (select least(max(day), current_date) from ({days})) as data_until,"
        " (select cast(max(last_loaded_at) as date) - 1 from main.dim_sources) as complete_until,"
        " ? as run_id, ? as is_stale, ? as stale_reasons, ? as program_version, ? as definitions",
        [
            facts["version"], facts["built_at"], facts.get("run_id"), bool(facts.get("stale_reasons")),
            "; ".join(facts.get("stale_reasons") or []) or None, importlib.metadata.version("csatlas"),
            hashlib.sha256(json.dumps(metrics, sort_keys=True, default=str).encode()).hexdigest(),
        ],
    )  # fmt: skip


def build_snapshot(
    settings: Settings,
    *,
    run_id: str,
    runs: Sequence[Mapping[str, Any]] = (),
    test_results: Sequence[Mapping[str, Any]] = (),
    stale_reasons: Sequence[str] = (),
    progress: Callable[[str], None] | None = None,
) -> BuiltSnapshot:
    """Build a new snapshot from the warehouse, beside the published ones.

    Args:
        runs: rows of meta.runs (run_id, started_at, ended_at, outcome, seconds, rows_loaded, quarantined, message).
        test_results: rows of meta.test_results (name, status, severity, failures, message).
        stale_reasons: why the data is older than it should be, in words.

    Raises:
        SnapshotError: parts and rows disagree.
        CatalogueError: a metric cannot be served.
    """
    started = datetime.now(UTC)
    private_folder(settings.serving)
    for left in settings.serving.glob(".building-*"):
        # A killed build leaves its file, its log, and the folder it spilled to.
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    version = started.strftime("%Y%m%dT%H%M%S%f")[:-3] + "Z"
    target = settings.serving / f".building-{version}.duckdb"
    manifest = json.loads((settings.dbt_target / "manifest.json").read_text(encoding="utf-8"))
    semantic_manifest = json.loads((settings.dbt_target / "semantic_manifest.json").read_text(encoding="utf-8"))
    models = semantic_models(semantic_manifest)
    counts: dict[str, int] = {}
    connection = duckdb.connect(
        str(target), config={"threads": settings.threads, "memory_limit": settings.memory_limit}
    )
    try:
        target.chmod(0o600)
        _set_up(connection)
        for name, path in (("warehouse", settings.warehouse_path), ("raw", settings.raw_path)):
            connection.execute(f"attach '{str(path).replace(chr(39), chr(39) * 2)}' as {name} (read_only)")
        connection.execute("create schema parts; create schema meta")

        def copied(mart: tuple[str, list[str], list[str]]) -> int:
            name, columns, sort = mart
            if progress is not None:
                progress(name)
            listed = ", ".join(quoted(column) for column in columns)
            order = f" order by {', '.join(quoted(column) for column in sort)}" if sort else ""
            with connection.cursor() as cursor:
                _set_up(cursor)
                done = cursor.execute(
                    f"create table main.{quoted(name)} as select {listed}, {_rights_key(name, columns)} as row_unit_id"
                    f" from warehouse.marts.{quoted(name)}{order}"
                ).fetchone()
            return int(done[0]) if done else 0

        marts = _public_marts(manifest)
        # A mart of less than some hundred thousand rows keeps one core busy only, so two are written at a time.
        with ThreadPoolExecutor(max_workers=2) as pool:
            counts.update(zip((name for name, _, _ in marts), pool.map(copied, marts), strict=True))
        for model in models.values():
            if progress is not None:
                progress(f"parts of {model.name}")
            _write_parts(connection, model)
            _check_parts(connection, model)
        facts = {
            "version": version,
            "built_at": started.replace(tzinfo=None),
            "run_id": run_id,
            "stale_reasons": list(stale_reasons),
        }
        _write_meta(connection, models, semantic_manifest, facts, runs, test_results)
        connection.execute("detach warehouse; detach raw; checkpoint")
    except BaseException:
        connection.close()
        target.unlink(missing_ok=True)
        raise
    connection.close()
    final = settings.serving / f"csatlas-{version}.duckdb"
    target.rename(final)
    seconds = (datetime.now(UTC) - started).total_seconds()
    return BuiltSnapshot(version, final, counts, final.stat().st_size, seconds)
