"""What a metric would have been with the data loaded by a day, and the definitions of today.

Belongs here: the scratch home in which that is computed, from raw as it was then. Does not belong here: what was said then (serving.publish).

A scratch home stands in `as_known/` of the home: raw with the files loaded by then, a warehouse built from it, and a snapshot, of which only the snapshot stays. It is
found again as long as the same day, files, definitions and program would make it. Raw is copied rather than looked at through views: views would keep the
raw file open during the whole build, and nobody could load meanwhile.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

from orchestration import warehouse
from orchestration.locking import HomeLocked, holder, home_lock
from orchestration.serving import build, gate
from orchestration.settings import STORAGE_VERSION, Settings
from orchestration.sources import rawstore
from orchestration.sources.declarations import SourceDeclaration, load_declarations
from orchestration.sources.rawstore import private_folder, quoted

KEPT = 2
"""Scratch snapshots that stay."""

_UNFINISHED = ".building-"


class AsKnownError(RuntimeError):
    """The state of a day cannot be computed; the message says why."""


@dataclass(frozen=True)
class AsKnown:
    """A snapshot of what was known at the end of a day.

    Attributes:
        until: the moment (UTC) before which a file had to be loaded: the end of the day, or now on the current day.
        files: files of the ledger, the refused ones included.
        loads: loads that brought them.
    """

    path: Path
    day: date
    time_zone: str
    until: datetime
    files: int
    loads: int
    last_load_id: str
    last_loaded_at: datetime


@dataclass(frozen=True)
class _Ledger:
    """The lines of the ledger by then: ids of the files, and what identifies them."""

    files: list[int]
    digest: str
    loads: int
    last_load_id: str
    last_loaded_at: datetime


def snapshot_as_known_on(settings: Settings, day: date, tell: Callable[[str], None]) -> AsKnown:
    """Snapshot of what was loaded by the end of a day in the organisation's time zone, by the definitions of today.

    Args:
        tell: progress, one line a step.

    Raises:
        AsKnownError: the day has not begun, nothing was loaded by then, there is too little room, or the build failed.
        orchestration.locking.HomeLocked: another such computation runs, or files are being loaded.
        orchestration.warehouse.DbtParseError: dbt refused the project.
        orchestration.sources.declarations.DeclarationError: an enabled source has no valid declaration.
    """
    zone = ZoneInfo(settings.time_zone)
    now = datetime.now(UTC)
    if day > now.astimezone(zone).date():
        raise AsKnownError(f"{day} has not begun in {settings.time_zone}; give an earlier day.")
    until = min(datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC), now).replace(tzinfo=None)
    folder = private_folder(settings.home / "as_known")
    with home_lock(dataclasses.replace(settings, home=folder), f"computing what was known on {day}"):
        for left in folder.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(left)
        ledger = _ledger_by(settings, until, day)
        declarations = load_declarations(warehouse.enabled_sources(settings))
        kept = folder / _key(settings, day, ledger, declarations)
        if not any((kept / "serving").glob("csatlas-*.duckdb")):
            _check_room(settings, folder)
            shutil.rmtree(kept, ignore_errors=True)
            building = private_folder(folder / f"{_UNFINISHED}{kept.name}")
            try:
                _build(settings, dataclasses.replace(settings, home=building), ledger, declarations, day, until, tell)
                building.rename(kept)
            except BaseException:
                shutil.rmtree(building, ignore_errors=True)
                raise
        kept.touch()
        homes = sorted((path for path in folder.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
        for old in homes[:-KEPT]:
            shutil.rmtree(old)
    path = next((kept / "serving").glob("csatlas-*.duckdb"))
    facts = (len(ledger.files), ledger.loads, ledger.last_load_id, ledger.last_loaded_at)
    return AsKnown(path, day, settings.time_zone, until, *facts)


def space(settings: Settings) -> tuple[int, int]:
    """Bytes of the kept scratch snapshots, and of what a killed computation left (the next one removes it)."""
    sizes = {False: 0, True: 0}
    for path in (settings.home / "as_known").rglob("*"):
        if path.is_file():
            unfinished = any(part.startswith(_UNFINISHED) for part in path.parts)
            sizes[unfinished] += path.stat().st_size
    return sizes[False], sizes[True]


def _key(settings: Settings, day: date, ledger: _Ledger, declarations: dict[str, SourceDeclaration]) -> str:
    named = [
        str(day), settings.time_zone, ledger.digest, warehouse.project_digest(settings),
        importlib.metadata.version("csatlas"), duckdb.__version__, *(found.sha256 for found in declarations.values()),
    ]  # fmt: skip
    return hashlib.sha256("\n".join(named).encode()).hexdigest()[:16]


def _check_room(settings: Settings, folder: Path) -> None:
    sizes = [path.stat().st_size for path in (settings.raw_path, settings.warehouse_path) if path.exists()]
    newest = max((path.stat().st_size for path in settings.serving.glob("csatlas-*.duckdb")), default=0)
    needed, free = sum(sizes) + newest + (256 << 20), shutil.disk_usage(folder).free
    if free < needed:
        raise AsKnownError(
            f"{free / 1e9:.1f} GB are free at {folder}, building what was known may need {needed / 1e9:.1f} GB."
            " Make room, or lower CSATLAS_KEEP_SNAPSHOTS."
        )


def _cannot_be_read(settings: Settings, error: duckdb.Error) -> Exception:
    if "lock" in str(error):
        who = holder(settings) or "a process without the home's lock"
        return HomeLocked(f"{settings.raw_path} is being written by {who}. Ask again when the files are loaded.")
    return AsKnownError(
        f"{settings.raw_path} cannot be read ({str(error).splitlines()[0]}). `csatlas doctor` says what to do."
    )


def _ledger_by(settings: Settings, until: datetime, day: date) -> _Ledger:
    if not settings.raw_path.exists():
        raise AsKnownError(f"Nothing was ever loaded into {settings.home}; run `csatlas refresh`.")
    try:
        with duckdb.connect(str(settings.raw_path), read_only=True) as raw:
            lines = raw.execute(
                "select file_id, source, table_name, content_sha256, delivery, status, load_id, loaded_at from raw_meta.files"
                " where loaded_at < ? order by file_id",
                [until],
            ).fetchall()
            first = raw.execute("select min(loaded_at) from raw_meta.files").fetchone()
            home = raw.execute("select md5(salt) from raw_meta.home").fetchone()
    except duckdb.Error as error:
        raise _cannot_be_read(settings, error) from None
    if not lines:
        began = "no file was ever loaded"
        if first and first[0]:
            local = first[0].replace(tzinfo=UTC).astimezone(ZoneInfo(settings.time_zone))
            began = f"the first file was loaded on {local:%Y-%m-%d} at {local:%H:%M} ({settings.time_zone})"
        raise AsKnownError(f"Nothing had been loaded by the end of {day}: {began}.")
    last = max(lines, key=lambda line: (line[7], line[0]))
    digest = hashlib.sha256(json.dumps([home, lines], default=str).encode()).hexdigest()
    return _Ledger([line[0] for line in lines], digest, len({line[6] for line in lines}), str(last[6]), last[7])


def _build(
    settings: Settings,
    scratch: Settings,
    ledger: _Ledger,
    declarations: dict[str, SourceDeclaration],
    day: date,
    until: datetime,
    tell: Callable[[str], None],
) -> None:
    tell(f"raw as it was at the end of {day}: {len(ledger.files)} files")
    _copy_raw(settings, scratch, ledger.files)
    with rawstore.open_raw(scratch) as raw:
        # As a load of today would leave it: tables, columns and modes that are declared by now.
        rawstore.prepare_tables(raw, declarations)
    tell("building the warehouse with the definitions of today")
    warehouse.warm_up(scratch)
    log = warehouse.run_build(scratch, warehouse.plan_of(scratch, full=True), full=True, tell=tell)
    if not (scratch.dbt_target / "run_results.json").exists():
        raise AsKnownError(f"dbt could not build what was known on {day}:\n{log.read_text(encoding='utf-8')[-2000:]}")
    # A source that was late is no reason to say nothing: what had come is the question.
    verdict = gate.judge(scratch, until.replace(tzinfo=UTC), hold_for_late=False)
    if not verdict.is_open:
        raise AsKnownError(f"What was known on {day} does not pass the gate of today: " + "; ".join(verdict.reasons))
    build.build_snapshot(
        scratch,
        run_id=f"as-known-on-{day}",
        test_results=verdict.test_results,
        stale_reasons=verdict.stale,
        whole=True,
        now=until.replace(tzinfo=UTC),
        progress=lambda name: tell(f"snapshot: {name}"),
    )
    for path in (scratch.raw_path, scratch.warehouse_path):
        path.unlink()
    shutil.rmtree(scratch.dbt_target)
    shutil.rmtree(scratch.home / "tmp", ignore_errors=True)


def _copy_raw(settings: Settings, scratch: Settings, files: list[int]) -> None:
    """Raw with the rows of some files alone, and the ledger's lines of these."""
    with duckdb.connect(
        str(scratch.raw_path),
        config={
            "threads": settings.threads,
            "memory_limit": settings.memory_limit,
            "storage_compatibility_version": STORAGE_VERSION,
        },
    ) as raw:
        scratch.raw_path.chmod(0o600)
        try:
            raw.execute(f"attach '{str(settings.raw_path).replace(chr(39), chr(39) * 2)}' as now (read_only)")
        except duckdb.IOException as error:
            raise _cannot_be_read(settings, error) from None
        raw.execute("set preserve_insertion_order = true")
        raw.execute("set enable_progress_bar = false")  # it would draw into --json
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
