"""`csatlas doctor`: what may be wrong with a home, and what to do about it.

Belongs here: looking, without changing anything. Each finding says what to do.
"""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

from dashboards.data.snapshot import NoSnapshot, SnapshotStore, read_status
from orchestration import runs, warehouse
from orchestration.locking import holder
from orchestration.operations import as_known
from orchestration.serving import publish
from orchestration.settings import PROJECT_ROOT, Settings
from orchestration.sources.declarations import DeclarationError, load_declarations
from orchestration.sources.rawstore import SCHEMA_VERSION


@dataclass(frozen=True)
class Finding:
    """One thing looked at.

    Attributes:
        level: ok, warning (works, look at it) or error (does not work).
    """

    level: str
    subject: str
    message: str


def examine(settings: Settings) -> list[Finding]:
    """Look at everything, in the order in which trouble usually comes."""
    return [
        *_space(settings),
        *_lock_and_runs(settings),
        *_databases(settings),
        *_configuration(settings),
        *_publication(settings),
        *_rights(settings),
        *_versions(),
    ]


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _space(settings: Settings) -> Iterator[Finding]:
    there = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    free = shutil.disk_usage(there).free
    # A refresh writes a snapshot beside the old one and may rebuild the warehouse whole.
    newest = max((_size(path) for path in settings.serving.glob("csatlas-*.duckdb")), default=0)
    needed = 2 * _size(settings.warehouse_path) + 2 * newest + (256 << 20)
    words = f"{free / 1e9:.1f} GB free at {there}, a refresh may need {needed / 1e9:.1f} GB"
    if free < needed:
        yield Finding(
            "error", "space", f"{words}. Make room, lower CSATLAS_KEEP_SNAPSHOTS, or move the home to a larger disk."
        )
    else:
        yield Finding("ok", "space", words)
    kept, unfinished = as_known.space(settings)
    if kept or unfinished:
        left = f"; {unfinished / 1e6:,.0f} MB more of a computation that runs or was killed, which the next one removes"
        yield Finding(
            "ok",
            "as known then",
            f"{kept / 1e6:,.0f} MB of snapshots of earlier days in {settings.home / 'as_known'}, which may be deleted{left if unfinished else ''}",
        )


def _lock_and_runs(settings: Settings) -> Iterator[Finding]:
    held = holder(settings)
    yield Finding("ok", "lock", f"in use by {held}" if held else "free")
    latest = runs.recent_runs(settings, 1) if settings.runs.is_dir() else []
    if not latest:
        yield Finding("warning", "last run", "there was none yet; run `csatlas refresh`.")
        return
    run = latest[0]
    if run["outcome"] == "running" and held is None:
        yield Finding(
            "warning",
            "last run",
            f"{run['run_id']} was killed in stage {run.get('stage')!r}; run `csatlas refresh` again, nothing needs cleaning up.",
        )
    elif run["outcome"] in ("failed", "held"):
        yield Finding("error", "last run", f"{run['run_id']} {run['outcome']}: {run.get('message')}")
    else:
        yield Finding("ok", "last run", f"{run['run_id']} {run['outcome']} ({run.get('started_at')} UTC)")


def _databases(settings: Settings) -> Iterator[Finding]:
    if not settings.raw_path.exists():
        yield Finding("warning", "raw database", f"{settings.raw_path} does not exist yet; the first refresh makes it.")
        return
    if holder(settings) is not None:
        yield Finding("ok", "raw database", "not opened: a run is using it")
        return
    try:
        with duckdb.connect(str(settings.raw_path), read_only=True) as connection:
            version = connection.execute("select max(schema_version) from raw_meta.version").fetchone()
            refused = connection.execute(
                "select source || '/' || file_name from raw_meta.files where status = 'refused' order by 1"
            ).fetchall()
    except duckdb.Error as error:
        yield Finding(
            "error",
            "raw database",
            f"{settings.raw_path} cannot be read ({error}). Restore a backup with `csatlas restore`.",
        )
        return
    if version is not None and version[0] is not None and version[0] < SCHEMA_VERSION:
        yield Finding(
            "warning",
            "raw database",
            f"schema version {version[0]}, this csatlas has {SCHEMA_VERSION}. The next refresh migrates it; `csatlas backup` before, if you may go back.",
        )
    elif version is None or version[0] != SCHEMA_VERSION:
        yield Finding(
            "error",
            "raw database",
            f"schema version {version and version[0]}, this csatlas knows {SCHEMA_VERSION}. Install the csatlas that wrote it.",
        )
    else:
        yield Finding("ok", "raw database", f"{_size(settings.raw_path) / 1e6:,.0f} MB, schema version {version[0]}")
    if refused:
        names = ", ".join(row[0] for row in refused[:5]) + (" …" if len(refused) > 5 else "")
        yield Finding(
            "warning",
            "refused files",
            f"{len(refused)}: {names}. `csatlas status` says why; mended files are tried again at the next refresh.",
        )
    if settings.warehouse_path.exists():
        try:
            with duckdb.connect(str(settings.warehouse_path), read_only=True) as connection:
                connection.execute("select count(*) from meta.watermarks").fetchone()
            yield Finding("ok", "warehouse", f"{_size(settings.warehouse_path) / 1e6:,.0f} MB")
        except duckdb.Error as error:
            yield Finding(
                "error",
                "warehouse",
                f"{settings.warehouse_path} cannot be read ({error}). Delete it; the next refresh rebuilds it from raw.",
            )


def _configuration(settings: Settings) -> Iterator[Finding]:
    try:
        enabled = warehouse.enabled_sources(settings)
        declarations = load_declarations(enabled)
    except DeclarationError as error:
        yield Finding("error", "sources", str(error))
        return
    differing = [name for name, feeds in enabled.items() if sorted(feeds) != sorted(declarations[name].feeds)]
    if differing:
        yield Finding(
            "error",
            "sources",
            f"{', '.join(differing)}: the feeds in dbt_project.yml and in the declaration differ; make them equal.",
        )
    else:
        yield Finding("ok", "sources", f"{len(enabled)} enabled: {', '.join(enabled)}")
    for name in enabled:
        folder = settings.inbox / name
        if not folder.is_dir():
            yield Finding("warning", f"inbox of {name}", f"{folder} does not exist; put the files of {name} there.")
    try:
        ZoneInfo(settings.time_zone)
    except (KeyError, ValueError, OSError):
        yield Finding(
            "error", "CSATLAS_TIME_ZONE", f"{settings.time_zone!r} is no IANA time zone; use one such as Asia/Shanghai."
        )
    if len(settings.schedule.split()) != 5:
        yield Finding(
            "error",
            "CSATLAS_SCHEDULE",
            f"{settings.schedule!r} is no cron expression of five fields, such as `30 2 * * *`.",
        )


def _publication(settings: Settings) -> Iterator[Finding]:
    status = read_status(settings.serving)
    if status.get("outcome") == "failed":
        yield Finding(
            "error",
            "publication",
            f"the last refresh failed at {status.get('at')}: {'; '.join(status.get('reasons', []))}",
        )
    store = SnapshotStore(settings.serving)
    try:
        snapshot = store.current()
        row = snapshot.rows("select is_stale, stale_reasons from meta.snapshot")[0]
        if snapshot.version != publish.published_version(settings):
            yield Finding(
                "error",
                "publication",
                f"the published file is gone, {snapshot.version} stands in for it; run `csatlas refresh` or `csatlas rollback`.",
            )
        elif row["is_stale"]:
            yield Finding("warning", "publication", f"{snapshot.version} is marked stale: {row['stale_reasons']}")
        else:
            yield Finding("ok", "publication", f"{snapshot.version}, {len(publish.versions(settings))} versions kept")
    except NoSnapshot as error:
        yield Finding("warning", "publication", str(error))
    finally:
        store.close()


def _rights(settings: Settings) -> Iterator[Finding]:
    open_files = [
        path
        for path in (settings.raw_path, *settings.serving.glob("csatlas-*.duckdb"), *settings.rejects.glob("*"))
        if path.exists() and path.stat().st_mode & 0o007
    ]
    if open_files:
        yield Finding(
            "warning",
            "rights",
            f"{len(open_files)} files are open to everybody, such as {open_files[0]}; `chmod o= …` them.",
        )
    else:
        yield Finding("ok", "rights", "data files are not open to everybody")


def _versions() -> Iterator[Finding]:
    if not warehouse.DBT_EXECUTABLE.exists():
        yield Finding(
            "error", "dbt", f"{warehouse.DBT_EXECUTABLE} is missing; run `make setup` in {PROJECT_ROOT.name}."
        )
        return
    names = ("csatlas", "dagster", "dbt-core", "dbt-duckdb", "duckdb", "polars", "dash", "plotly")
    yield Finding("ok", "versions", ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names))
    done = subprocess.run([str(warehouse.DBT_EXECUTABLE), "--version"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        yield Finding(
            "error", "dbt", f"does not start: {(done.stdout + done.stderr).strip()[:300]}; run `make setup` again."
        )
