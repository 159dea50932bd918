"""Building a snapshot: the public marts, the additive daily parts, the histograms, the catalogue and the facts of the run.

Belongs here: warehouse -> one new file beside the published ones. Does not belong here: whether it may be published (gate)
and making it the published one (publish).

A new snapshot starts as a copy of the last one when both have the same shape (columns, definitions, program): of the big
marts only the cells whose content differs are put in again, everything else is written anew.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from dashboards.data import atlas
from dashboards.data.metrics import Filters, catalogue
from dashboards.data.snapshot import Snapshot
from orchestration.serving import cells
from orchestration.serving.catalogue import SemanticModel, catalogue_rows, metric_changes, semantic_models
from orchestration.serving.publish import versions
from orchestration.settings import STORAGE_VERSION, Settings
from orchestration.sources.rawstore import private_folder, quoted

_OR_EMPTY = re.compile(r"coalesce\((\w+), ''\)")
"""A part of a key that may be null, as its test writes it."""

EVERYBODY = "*"
"""Rights key of rows that belong to no unit and that everybody may see."""

_FORMAT = 2
"""Raised when this module writes the same marts otherwise than before: an older snapshot is then not continued."""

_EVERYBODYS = {
    "dim_calendar",
    "dim_causes",
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
    "is_default": "boolean", "clock": "varchar", "interval": "varchar", "minimum_base": "integer", "default_grain": "varchar",
    "target": "double", "version": "integer", "headline": "integer", "model": "varchar", "parts": "varchar",
    "expression": "varchar", "inputs": "varchar", "dimensions": "varchar", "vendor_names": "varchar", "fingerprint": "varchar",
}  # fmt: skip
_CHANGE_TYPES = {
    "metric": "varchar", "version": "integer", "changed_on": "date", "what_en": "varchar", "what_zh": "varchar",
    "is_announced": "boolean",
}  # fmt: skip
_ATLAS_TYPES = {
    "family": "varchar", "metric": "varchar", "is_default": "boolean", "formula": "varchar", "period": "varchar",
    "first_day": "date", "last_day": "date", "value": "double", "low": "double", "high": "double", "n": "double",
    "gap": "double", "spread": "double",
}  # fmt: skip
_LISTS = ("parts", "inputs", "dimensions", "vendor_names")


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


def _public_marts(manifest: Mapping[str, Any], models: Mapping[str, SemanticModel]) -> list[cells.PublicMart]:
    """The marts that go into the snapshot, by name.

    Raises:
        SnapshotError: a mart has no key test, or is not sorted by the day its metrics are dated by.
    """
    found = []
    keys = {
        node["attached_node"]: tuple(_OR_EMPTY.sub(r"\1", part) for part in node["test_metadata"]["kwargs"]["columns"])
        for node in manifest["nodes"].values()
        if (node.get("test_metadata") or {}).get("name") == "unique_key"
    }
    for node in manifest["nodes"].values():
        meta = node["config"].get("meta") or {}
        if node["resource_type"] != "model" or node["schema"] != "marts" or not meta.get("public"):
            continue
        name, columns, sort = node["name"], node["columns"], tuple(meta.get("sort", ()))
        day = sort[0] if sort and name.startswith("fct_") and columns[sort[0]]["data_type"] == "date" else None
        if name in models and models[name].time_column != day:
            raise SnapshotError(
                f"{name}: its metrics are dated by {models[name].time_column}, it is sorted by {day}. Name that column first in `sort`."
            )
        if node["unique_id"] not in keys:
            raise SnapshotError(f"{name} is public and has no test `unique_key`; its columns say what a row is.")
        found.append(
            cells.PublicMart(
                name,
                tuple(columns),
                sort,
                keys[node["unique_id"]],
                _rights_key(name, list(columns)),
                day,
                meta.get("instant"),
            )
        )
    return sorted(found, key=lambda mart: mart.name)


def _rights_key(name: str, columns: Sequence[str]) -> str:
    if name in _EVERYBODYS:
        return f"'{EVERYBODY}'"
    return "org_unit_id" if "org_unit_id" in columns else "cast(null as varchar)"


def _shape(marts: Sequence[cells.PublicMart], models: Mapping[str, SemanticModel]) -> str:
    """What must be the same for one snapshot to be continued by another."""
    made_by = (_FORMAT, importlib.metadata.version("csatlas"), duckdb.__version__)
    return hashlib.sha256(repr((made_by, list(marts), sorted(models.items()))).encode()).hexdigest()


def _set_up(session: duckdb.DuckDBPyConnection) -> None:
    """Settings that each session has of its own: a cursor does not inherit them."""
    session.execute("set timezone = 'UTC'")
    session.execute("set enable_progress_bar = false")  # it would draw over our own progress, and into --json


def _write_parts(
    connection: duckdb.DuckDBPyConnection, model: SemanticModel, changed: Sequence[date | None] | None
) -> None:
    """Daily sums of the additive measures, and one exact histogram per percentile measure.

    A sum of whole numbers is kept as a bigint: DuckDB's own type for it, a hugeint, is far slower to read.

    Args:
        changed: days that differ from what the parts have now; None writes them whole.
    """
    dimensions = "".join(f", {quoted(name)}" for name in model.dimensions)
    day = quoted(model.time_column)
    where = (
        f"{day} is not null"
        if changed is None
        else f"{day} is not null and {cells.in_days(model.time_column, changed)}"
    )
    keys = f"{day} as metric_time{dimensions}, row_unit_id"
    of_rows = f"from main.{quoted(model.name)} where {where}"
    sums = "".join(
        f", {f'cast(sum({measure.expression}) as bigint)' if is_whole else f'sum({measure.expression})'} as {quoted(measure.name)}"
        for measure, is_whole in zip(model.additive, _are_whole(connection, model), strict=True)
    )
    parts = {model.name: f"select {keys}{sums} {of_rows} group by all"}
    for measure in model.percentiles:
        parts[f"{model.name}__{measure.name}"] = (
            f"select {keys}, cast({measure.expression} as bigint) as value_seconds, count(*) as n {of_rows}"
            f" and ({measure.expression}) is not null group by all"
        )
    for name, select in parts.items():
        if changed is None:
            connection.execute(f"create or replace table parts.{quoted(name)} as {select} order by metric_time")
        elif changed:
            connection.execute(f"delete from parts.{quoted(name)} where {cells.in_days('metric_time', changed)}")
            connection.execute(f"insert into parts.{quoted(name)} by name {select} order by metric_time")


def _are_whole(connection: duckdb.DuckDBPyConnection, model: SemanticModel) -> list[bool]:
    """Whether the sum of each additive measure is a whole number by its type."""
    sums = ", ".join(f"sum({measure.expression})" for measure in model.additive)
    if not sums:
        return []
    described = connection.execute(f"describe select {sums} from main.{quoted(model.name)}").fetchall()
    return [row[1] == "HUGEINT" for row in described]


def _check_parts(
    connection: duckdb.DuckDBPyConnection, model: SemanticModel, changed: Sequence[date | None] | None
) -> None:
    """Compare the daily parts that were just written with the rows they are made of; the other days were when they were written.

    Raises:
        SnapshotError: they do not add up.
    """
    if not model.additive or changed == []:
        return
    day = quoted(model.time_column)
    in_parts = "true" if changed is None else cells.in_days("metric_time", changed)
    in_rows = f"{day} is not null" + ("" if changed is None else f" and {cells.in_days(model.time_column, changed)}")
    of_parts = ", ".join(f"coalesce(sum({quoted(measure.name)}), 0)" for measure in model.additive)
    of_rows = ", ".join(f"coalesce(sum({measure.expression}), 0)" for measure in model.additive)
    parts = connection.execute(f"select {of_parts} from parts.{quoted(model.name)} where {in_parts}").fetchone()
    rows = connection.execute(f"select {of_rows} from main.{quoted(model.name)} where {in_rows}").fetchone()
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
        f"create or replace table meta.{name} ({', '.join(f'{quoted(column)} {kind}' for column, kind in columns.items())})"
    )
    if rows:
        # As one frame: bound one by one, each value costs DuckDB a search for a module that is not there.
        frame = pl.DataFrame([pl.Series(column, [row.get(column) for row in rows], strict=False) for column in columns])
        connection.register("rows_to_write", frame.to_arrow())
        connection.execute(f"insert into meta.{name} select * from rows_to_write")
        connection.unregister("rows_to_write")


def _write_meta(
    connection: duckdb.DuckDBPyConnection,
    models: Mapping[str, SemanticModel],
    semantic_manifest: Mapping[str, Any],
    facts: Mapping[str, Any],
    runs: Sequence[Mapping[str, Any]],
    test_results: Sequence[Mapping[str, Any]],
    last: Definitions,
) -> None:
    today = facts["now"].date()
    targets = dict(
        connection.execute(
            "select metric, arg_max(target, valid_from) from warehouse.seeds.targets where valid_from <= ? group by metric",
            [today],
        ).fetchall()
    )
    metrics = catalogue_rows(semantic_manifest, targets)
    _rows_table(
        connection,
        "metrics",
        _METRIC_TYPES,
        [row | {name: json.dumps(row[name], ensure_ascii=False) for name in _LISTS} for row in metrics],
    )
    changes = metric_changes(semantic_manifest, metrics, last.metrics, last.changes, facts["built_at"].date())
    _rows_table(connection, "metric_changes", _CHANGE_TYPES, changes)
    connection.execute(
        "create or replace table meta.values as select * from warehouse.seeds.value_labels order by dimension, value"
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
        f"create or replace table meta.snapshot as select ? as version, ? as shape, cast(? as timestamp) as built_at,"
        f" (select least(max(day), cast(? as date)) from ({days})) as data_until,"
        " (select cast(max(last_loaded_at) as date) - 1 from main.dim_sources) as complete_until,"
        " ? as run_id, ? as is_stale, ? as stale_reasons, ? as program_version, ? as definitions",
        [
            facts["version"], facts["shape"], facts["built_at"], today, facts.get("run_id"), bool(facts.get("stale_reasons")),
            "; ".join(facts.get("stale_reasons") or []) or None, importlib.metadata.version("csatlas"),
            hashlib.sha256(json.dumps(metrics, sort_keys=True, default=str).encode()).hexdigest(),
        ],
    )  # fmt: skip


def _write_atlas(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot) -> None:
    """All families with more than one definition, over all days and over the last complete month."""
    row = connection.execute("select least(data_until, complete_until) from meta.snapshot").fetchone()
    assert row is not None
    slices: dict[str, Filters] = {"all": Filters()}
    if row[0] is not None:
        next_day = row[0] + timedelta(days=1)
        last_day = next_day.replace(day=1) - timedelta(days=1)
        slices["last_month"] = Filters(start=last_day.replace(day=1), end=last_day)

    def rows_of(family: str, period: str) -> list[dict[str, Any]]:
        filters = slices[period]
        found = atlas.variants(snapshot, family, filters)
        return [
            {
                "family": family, "metric": one.metric.name, "is_default": one.metric.is_default,
                "formula": one.metric.formula, "period": period, "first_day": filters.start, "last_day": filters.end,
                "value": one.value.value, "low": one.value.low, "high": one.value.high, "n": one.value.n,
                "gap": one.gap, "spread": atlas.spread(found),
            }
            for one in found
        ]  # fmt: skip

    families = [family for family, metrics in atlas.families(catalogue(snapshot)).items() if len(metrics) > 1]
    questions = [(family, period) for family in families for period in slices]
    with ThreadPoolExecutor(max_workers=2) as pool:
        answers = list(pool.map(lambda question: rows_of(*question), questions))
    _rows_table(connection, "atlas", _ATLAS_TYPES, [row for rows in answers for row in rows])


@dataclass(frozen=True)
class Definitions:
    """What the snapshot before knew of its metrics: version, fingerprint and formula by name, and the changes on record."""

    metrics: Mapping[str, Mapping[str, Any]]
    changes: Sequence[Mapping[str, Any]]


def _last_definitions(connection: duckdb.DuckDBPyConnection) -> Definitions:
    metrics = connection.execute("select name, version, fingerprint, formula from meta.metrics").pl().to_dicts()
    changes = connection.execute("select * from meta.metric_changes").pl().to_dicts()
    return Definitions({row["name"]: row for row in metrics}, changes)


def _opened(
    settings: Settings, target: Path, shape: str | None, tell: Callable[[str], None]
) -> tuple[duckdb.DuckDBPyConnection, pl.DataFrame | None, Definitions]:
    """A connection to the file to build in, the digests of the cells it has already (None when it starts empty), and the
    definitions of the last snapshot.

    Args:
        shape: what the last snapshot must have for this one to start as its copy; None starts empty.
    """
    config: dict[str, Any] = {
        "threads": settings.threads,
        "memory_limit": settings.memory_limit,
        "storage_compatibility_version": STORAGE_VERSION,
    }
    definitions = Definitions({}, [])
    for last in versions(settings)[-1:]:
        connection = None
        shutil.copyfile(settings.serving / f"csatlas-{last}.duckdb", target)
        target.chmod(0o600)
        try:
            connection = duckdb.connect(str(target), config=config)
            definitions = _last_definitions(connection)
            if connection.execute("select shape from meta.snapshot").fetchone() == (shape,):
                return connection, connection.execute("select * from meta.digests").pl(), definitions
        except duckdb.Error as error:
            # Of an older program, or damaged: nothing depends on it, the new one is written whole.
            tell(f"the last snapshot cannot be continued ({str(error).splitlines()[0]})")
        if connection is not None:
            connection.close()
        target.unlink()
    connection = duckdb.connect(str(target), config=config)
    target.chmod(0o600)
    return connection, None, definitions


def _write_mart(
    cursor: duckdb.DuckDBPyConnection, mart: cells.PublicMart, last: pl.DataFrame | None
) -> tuple[pl.DataFrame | None, list[date | None] | None]:
    """Write one mart, whole or the cells that differ. Returns the digests of its cells and the days written (None = all)."""
    now = cells.digests(cursor, mart) if mart.day is not None else None
    if now is not None and last is not None and not last.is_empty():
        changed, rows = cells.differing(now, last)
        replaced = int(last["replaced"][0]) + rows
        if replaced <= cells.REWRITTEN_SHARE * int(now["row_count"].sum()):
            written = cells.replace(cursor, mart, changed)
            return now.with_columns(pl.lit(replaced, dtype=pl.Int64).alias("replaced")), written
    cursor.execute(f"create or replace table main.{quoted(mart.name)} as {mart.select()}")
    return now, None


def build_snapshot(
    settings: Settings,
    *,
    run_id: str,
    runs: Sequence[Mapping[str, Any]] = (),
    test_results: Sequence[Mapping[str, Any]] = (),
    stale_reasons: Sequence[str] = (),
    whole: bool = False,
    now: datetime | None = None,
    progress: Callable[[str], None] | None = None,
) -> BuiltSnapshot:
    """Build a new snapshot from the warehouse, beside the published ones.

    Args:
        runs: rows of meta.runs (run_id, started_at, ended_at, outcome, seconds, rows_loaded, quarantined, message).
        test_results: rows of meta.test_results (name, status, severity, failures, message).
        stale_reasons: why the data is older than it should be, in words.
        whole: take nothing over from the last snapshot. It is so too when the last one turns out to be unusable.
        now: the moment (UTC) at which the snapshot speaks: which targets hold, which days lie ahead; default: now.

    Raises:
        SnapshotError: parts and rows disagree.
        CatalogueError: a metric cannot be served.
    """
    tell = progress or (lambda _: None)
    arguments = (settings, run_id, runs, test_results, stale_reasons, now or datetime.now(UTC), tell)
    if not whole:
        try:
            return _build(*arguments, whole=False)
        except (SnapshotError, duckdb.Error) as error:
            # What was taken over may be at fault: a damaged block, a row too few. The warehouse has everything.
            tell(f"the last snapshot cannot be continued ({str(error).splitlines()[0]}); writing the new one whole")
    return _build(*arguments, whole=True)


def _build(
    settings: Settings,
    run_id: str,
    runs: Sequence[Mapping[str, Any]],
    test_results: Sequence[Mapping[str, Any]],
    stale_reasons: Sequence[str],
    now: datetime,
    tell: Callable[[str], None],
    *,
    whole: bool,
) -> BuiltSnapshot:
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
    marts = _public_marts(manifest, models)
    shape = _shape(marts, models)
    connection, last, definitions = _opened(settings, target, None if whole else shape, tell)
    try:
        _set_up(connection)
        for name, path in (("warehouse", settings.warehouse_path), ("raw", settings.raw_path)):
            connection.execute(f"attach '{str(path).replace(chr(39), chr(39) * 2)}' as {name} (read_only)")
        connection.execute("create schema if not exists parts; create schema if not exists meta")

        def written(mart: cells.PublicMart) -> tuple[pl.DataFrame | None, list[date | None] | None]:
            tell(mart.name)
            with connection.cursor() as cursor:
                _set_up(cursor)
                done = _write_mart(cursor, mart, None if last is None else last.filter(pl.col("mart") == mart.name))
                if mart.name in models:
                    _write_parts(cursor, models[mart.name], done[1])
                    _check_parts(cursor, models[mart.name], done[1])
                return done

        # A mart of less than some hundred thousand rows keeps one core busy only, so two are written at a time.
        with ThreadPoolExecutor(max_workers=2) as pool:
            results = dict(zip((mart.name for mart in marts), pool.map(written, marts), strict=True))
        counts = {mart.name: _row_count(connection, mart, results[mart.name][0]) for mart in marts}
        facts = {
            "version": version,
            "shape": shape,
            "built_at": started.replace(tzinfo=None),
            "now": now,
            "run_id": run_id,
            "stale_reasons": list(stale_reasons),
        }
        digests = [digest for digest, _ in results.values() if digest is not None]
        connection.register("digests", pl.concat(digests))
        connection.execute("create or replace table meta.digests as select * from digests order by mart, day, bucket")
        connection.unregister("digests")
        _write_meta(connection, models, semantic_manifest, facts, runs, test_results, definitions)
        tell("definition atlas")
        _write_atlas(connection, Snapshot(version, target, settings.serving, connection))
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


def _row_count(connection: duckdb.DuckDBPyConnection, mart: cells.PublicMart, digest: pl.DataFrame | None) -> int:
    """Rows of a mart in the snapshot.

    Raises:
        SnapshotError: they are not as many as the warehouse had when its cells were compared.
    """
    found = connection.execute(f"select count(*) from main.{quoted(mart.name)}").fetchone()
    assert found is not None
    expected = found[0] if digest is None else int(digest["row_count"].sum())
    if expected != found[0]:
        raise SnapshotError(
            f"{mart.name}: {found[0]} rows in the snapshot, {expected} in the warehouse. Nothing was published."
        )
    return int(found[0])
