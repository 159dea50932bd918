"""Backup and restore of the raw database, the one thing that cannot be made again.

Belongs here: consistent, checked copies of `raw.duckdb`. Does not belong here: the run lock, which the caller holds.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from orchestration.settings import Settings
from orchestration.sources.rawstore import SCHEMA_VERSION, connect_for_writing
from orchestration.sources.reading import sha256_of


class BackupError(RuntimeError):
    """A backup cannot be made or taken; the message says why and what to do."""


@dataclass(frozen=True)
class CopyFacts:
    """One copy of the raw database: where, how big, and what its ledger counts."""

    path: Path
    size_bytes: int
    files: int
    rows: int
    sha256: str


def _ledger(path: Path) -> tuple[int, int]:
    """Files and records in the ledger of a raw database.

    Raises:
        BackupError: it is none, it is damaged, or a newer program wrote it.
    """
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            version = connection.execute("select max(schema_version) from raw_meta.version").fetchone()
            counts = connection.execute(
                "select count(*), coalesce(sum(row_count), 0) from raw_meta.files where status = 'loaded'"
            ).fetchone()
    except duckdb.Error as error:
        raise BackupError(f"{path} is not a readable raw database: {error}") from None
    if version is None or counts is None or version[0] is None:
        raise BackupError(f"{path} holds no ledger; it is not a raw database of csatlas.")
    if version[0] > SCHEMA_VERSION:
        raise BackupError(
            f"{path} has schema version {version[0]}; this csatlas knows {SCHEMA_VERSION}. Use the newer csatlas for it."
        )
    return int(counts[0]), int(counts[1])


def _checksum_path(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def back_up(settings: Settings, target: Path) -> CopyFacts:
    """Copy the raw database to `target`, with a checksum file beside it, and read the copy back.

    Raises:
        BackupError: there is nothing to copy, the target exists, or the copy does not equal the original.
    """
    if not settings.raw_path.exists():
        raise BackupError(f"{settings.raw_path} does not exist yet; there is nothing to back up.")
    if target.exists():
        raise BackupError(f"{target} exists already; give another name, a backup never overwrites one.")
    if not target.parent.is_dir():
        raise BackupError(f"The folder {target.parent} does not exist; make it first.")
    with connect_for_writing(settings.raw_path) as connection:
        # Everything committed stands in the file itself then, not in the log beside it.
        connection.execute("checkpoint")
    fresh = target.with_name(f".{target.name}.part")
    try:
        shutil.copyfile(settings.raw_path, fresh)
        fresh.chmod(0o600)
        checksum = sha256_of(fresh)
        if checksum != sha256_of(settings.raw_path) or _ledger(fresh) != _ledger(settings.raw_path):
            raise BackupError(f"The copy in {target.parent} does not equal the original; is the disk sound?")
        os.replace(fresh, target)
    except OSError as error:
        raise BackupError(f"{target} could not be written: {error.strerror or error}.") from None
    finally:
        fresh.unlink(missing_ok=True)
    _checksum_path(target).write_text(f"{checksum}  {target.name}\n", encoding="utf-8")
    files, rows = _ledger(target)
    return CopyFacts(target, target.stat().st_size, files, rows, checksum)


def restore(settings: Settings, copy: Path, *, force: bool = False) -> CopyFacts:
    """Put a backup in the place of the raw database and remove the warehouse, which the next refresh rebuilds.

    The database that was there is kept beside it under a name with the time.

    Raises:
        BackupError: no such backup, its checksum differs, or a raw database is there and `force` is not given.
    """
    if not copy.exists():
        raise BackupError(f"{copy} does not exist.")
    files, rows = _ledger(copy)
    checksum = sha256_of(copy)
    if _checksum_path(copy).exists():
        expected = _checksum_path(copy).read_text(encoding="utf-8").split()[0]
        if expected != checksum:
            raise BackupError(
                f"{copy} does not have the checksum of {_checksum_path(copy).name}: it was changed or damaged since."
            )
    if settings.raw_path.exists() and not force:
        raise BackupError(
            f"{settings.raw_path} exists. `--force` puts the backup in its place and keeps it beside, under another name."
        )
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = settings.home / ".raw-restored.part"
    try:
        shutil.copyfile(copy, fresh)
        fresh.chmod(0o600)
        if settings.raw_path.exists():
            stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
            os.replace(settings.raw_path, settings.raw_path.with_name(f"raw-before-restore-{stamp}.duckdb"))
        for log in settings.home.glob("raw.duckdb.wal"):
            log.unlink()
        os.replace(fresh, settings.raw_path)
    finally:
        fresh.unlink(missing_ok=True)
    for derived in (settings.warehouse_path, settings.warehouse_path.with_name("warehouse.duckdb.wal")):
        derived.unlink(missing_ok=True)
    return CopyFacts(settings.raw_path, settings.raw_path.stat().st_size, files, rows, checksum)
