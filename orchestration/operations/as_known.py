"""What a metric would have been with the data loaded by a day, and the definitions of today.

Belongs here: the scratch home in which that is computed, from raw as it was then. Does not belong here: what was said then (serving.publish).

A scratch home stands in `as_known/` of the home: raw with the files loaded by then, a warehouse built from it, and a snapshot, of which only the snapshot stays. It is
found again as long as the same files, definitions and program would make it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

from orchestration import warehouse
from orchestration.locking import home_lock
from orchestration.serving import build, gate
from orchestration.settings import Settings
from orchestration.sources.rawstore import private_folder, quoted

KEPT = 2
"""Scratch snapshots that stay."""


class AsKnownError(RuntimeError):
    """The state of a day cannot be computed; the message says why."""


def snapshot_as_known_on(settings: Settings, day: date, tell: Callable[[str], None]) -> Path:
    """Snapshot of what was loaded by the end of a day in the organisation's time zone, by the definitions of today.

    Args:
        tell: progress, one line a step.

    Raises:
        AsKnownError: the day has not begun, nothing was loaded by then, raw is being written, or the build failed.
        orchestration.locking.HomeLocked: another such computation runs.
        orchestration.warehouse.DbtParseError: dbt refused the project.
    """
    zone = ZoneInfo(settings.time_zone)
    if day > datetime.now(zone).date():
        raise AsKnownError(f"{day} has not begun in {settings.time_zone}.")
    end = datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC).replace(tzinfo=None)
    folder = settings.home / "as_known"
    private_folder(folder)
    with home_lock(dataclasses.replace(settings, home=folder), f"computing what was known on {day}"):
        for left in folder.glob(".building-*"):
            shutil.rmtree(left)
        files = _files_by(settings, end, day)
        definitions = (warehouse.ensure_manifest(settings).parent / "manifest.sha256").read_text(encoding="utf-8")
        named = "\n".join([definitions, importlib.metadata.version("csatlas"), *map(str, files)])
        kept = folder / hashlib.sha256(named.encode()).hexdigest()[:16]
        if not kept.exists():
            building = folder / f".building-{kept.name}"
            private_folder(building)
            _build(settings, dataclasses.replace(settings, home=building), files, day, tell)
            building.rename(kept)
        kept.touch()
        for old in sorted((path for path in folder.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)[
            :-KEPT
        ]:
            shutil.rmtree(old)
    return next((kept / "serving").glob("csatlas-*.duckdb"))


def _opened(settings: Settings) -> duckdb.DuckDBPyConnection:
    try:
        return duckdb.connect(str(settings.raw_path), read_only=True)
    except duckdb.IOException as error:
        raise AsKnownError(
            f"{settings.raw_path} cannot be read now ({str(error).splitlines()[0]}). Wait for the load to end."
        ) from None


def _files_by(settings: Settings, end: datetime, day: date) -> list[int]:
    with _opened(settings) as raw:
        files = [
            row[0]
            for row in raw.execute(
                "select file_id from raw_meta.files where loaded_at < ? order by 1", [end]
            ).fetchall()
        ]
        first = raw.execute("select min(loaded_at) from raw_meta.files").fetchone()
    if not files:
        began = (
            f"the first file was loaded at {first[0]:%Y-%m-%d %H:%M} UTC"
            if first and first[0]
            else "no file was ever loaded"
        )
        raise AsKnownError(f"Nothing had been loaded by the end of {day}: {began}.")
    return files


def _build(settings: Settings, scratch: Settings, files: list[int], day: date, tell: Callable[[str], None]) -> None:
    tell(f"raw as it was at the end of {day}: {len(files)} files")
    _copy_raw(settings, scratch, files)
    tell("building the warehouse with the definitions of today")
    warehouse.write_expected_fingerprints(scratch, warehouse.ensure_manifest(scratch))
    log = scratch.dbt_target / "build.log"
    with log.open("w", encoding="utf-8") as output:
        done = subprocess.run(
            warehouse.dbt_command("--no-use-colors", "build", "--full-refresh", *warehouse.dbt_flags(scratch)),
            env=warehouse.dbt_environment(scratch), stdout=output, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
    if done.returncode != 0 and not (scratch.dbt_target / "run_results.json").exists():
        raise AsKnownError(f"dbt could not build what was known on {day}:\n{log.read_text(encoding='utf-8')[-2000:]}")
    # A source that was late is no reason here: what had come is the question.
    failed = [
        row
        for row in gate.judge(scratch).test_results
        if row["severity"] == "error" and row["status"] not in ("pass", "warn")
    ]
    if failed:
        raise AsKnownError(
            f"With what was known on {day} the tests fail: " + ", ".join(str(row["name"]) for row in failed)
        )
    build.build_snapshot(scratch, run_id=f"as-known-on-{day}", whole=True, progress=tell)
    for path in (scratch.raw_path, scratch.warehouse_path):
        path.unlink()
    shutil.rmtree(scratch.dbt_target)


def _copy_raw(settings: Settings, scratch: Settings, files: list[int]) -> None:
    """Raw with the rows of some files alone, and the ledger's lines of these."""
    with duckdb.connect(
        str(scratch.raw_path), config={"threads": settings.threads, "memory_limit": settings.memory_limit}
    ) as raw:
        scratch.raw_path.chmod(0o600)
        try:
            raw.execute(f"attach '{str(settings.raw_path).replace(chr(39), chr(39) * 2)}' as now (read_only)")
        except duckdb.IOException as error:
            raise AsKnownError(
                f"{settings.raw_path} cannot be read now ({str(error).splitlines()[0]}). Wait for the load to end."
            ) from None
        raw.execute("set preserve_insertion_order = true")
        raw.execute("create temp table wanted as select unnest(?) as file_id", [files])
        tables = raw.execute(
            "select t.table_schema, t.table_name, exists (select 1 from information_schema.columns as c where c.table_catalog = 'now'"
            " and c.table_schema = t.table_schema and c.table_name = t.table_name and c.column_name in ('_file_id', 'file_id'))"
            " from information_schema.tables as t where t.table_catalog = 'now' and t.table_type = 'BASE TABLE' order by 1, 2"
        ).fetchall()
        for schema, table, is_by_file in tables:
            name = f"{quoted(schema)}.{quoted(table)}"
            column = "file_id" if schema == "raw_meta" else "_file_id"
            condition = f" where {column} in (select file_id from wanted)" if is_by_file else ""
            raw.execute(f"create schema if not exists {quoted(schema)}")
            raw.execute(f"create table {name} as select * from now.{name}{condition}")
