"""Backup and restore of what cannot be made again: the raw database and the records of the draws.

Belongs here: consistent, checked copies of `raw.duckdb` and of the folder `draws`. Does not belong here: the run lock, which the caller holds.
"""

from __future__ import annotations

import os
import shutil
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from orchestration.operations.draws import folder_of
from orchestration.settings import Settings
from orchestration.sources.rawstore import SCHEMA_VERSION, connect_for_writing, private_folder
from orchestration.sources.reading import sha256_of


class BackupError(RuntimeError):
    """A backup cannot be made or taken; the message says why and what to do."""


@dataclass(frozen=True)
class CopyFacts:
    """One copy of the raw database: where, how big, what its ledger counts, and how many files of draws stand beside it."""

    path: Path
    size_bytes: int
    files: int
    rows: int
    sha256: str
    draws: int


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


def _draws_path(path: Path) -> Path:
    """The archive of the draws that stands beside a copy."""
    return path.with_name(path.name + ".draws.zip")


def _pack_draws(settings: Settings, target: Path) -> int:
    """Write all files of the draws into an archive beside the copy; returns how many. Without any there is no archive."""
    folder = folder_of(settings)
    files = sorted(path for path in folder.iterdir() if path.suffix in (".json", ".parquet")) if folder.is_dir() else []
    archive = _draws_path(target)
    if not files:
        return 0
    fresh = archive.with_name(f".{archive.name}.part")
    try:
        with zipfile.ZipFile(fresh, "w", zipfile.ZIP_DEFLATED) as out:
            for path in files:
                out.write(path, path.name)
        fresh.chmod(0o600)
        with zipfile.ZipFile(fresh) as written:
            if written.testzip() is not None or len(written.namelist()) != len(files):
                raise BackupError(
                    f"The archive of the draws in {target.parent} cannot be read back; is the disk sound?"
                )
        os.replace(fresh, archive)
    finally:
        fresh.unlink(missing_ok=True)
    return len(files)


def _check_draws(copy: Path, checksums: dict[str, str]) -> int:
    """Files in the archive of draws beside a copy; 0 = there is none.

    Raises:
        BackupError: it is missing although the checksum file names it, it was changed, or its names are not those of draws.
    """
    archive = _draws_path(copy)
    if not archive.exists():
        if archive.name in checksums:
            raise BackupError(f"{archive} is missing: {_checksum_path(copy).name} says that it belongs to the backup.")
        return 0
    if archive.name in checksums and sha256_of(archive) != checksums[archive.name]:
        raise BackupError(
            f"{archive} does not have the checksum of {_checksum_path(copy).name}: it was changed or damaged since."
        )
    try:
        with zipfile.ZipFile(archive) as packed:
            names = packed.namelist()
            bad = packed.testzip()
    except zipfile.BadZipFile as error:
        raise BackupError(f"{archive} is no archive of draws: {error}.") from None
    if bad is not None or any(
        Path(name).name != name or Path(name).suffix not in (".json", ".parquet") for name in names
    ):
        raise BackupError(f"{archive} is no archive of draws: it is damaged, or holds other files.")
    return len(names)


def _unpack_draws(settings: Settings, copy: Path, stamp: str) -> None:
    """Put the draws of a backup in place; a folder that is there is kept beside it."""
    fresh = settings.home / ".draws-restored.part"
    shutil.rmtree(fresh, ignore_errors=True)
    with zipfile.ZipFile(_draws_path(copy)) as packed:
        private_folder(fresh)
        for name in packed.namelist():
            (fresh / name).write_bytes(packed.read(name))
            (fresh / name).chmod(0o600)
    folder = folder_of(settings)
    if folder.exists():
        os.replace(folder, folder.with_name(f"draws-before-restore-{stamp}"))
    os.replace(fresh, folder)


def back_up(settings: Settings, target: Path) -> CopyFacts:
    """Copy the raw database to `target`, the draws and a checksum file beside it, and read the copies back.

    Raises:
        BackupError: there is nothing to copy, the target exists, or the copy does not equal the original.
    """
    if not settings.raw_path.exists():
        raise BackupError(f"{settings.raw_path} does not exist yet; there is nothing to back up.")
    if target.exists() or _draws_path(target).exists():
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
        draws = _pack_draws(settings, target)
        os.replace(fresh, target)
    except OSError as error:
        raise BackupError(f"{target} could not be written: {error.strerror or error}.") from None
    finally:
        fresh.unlink(missing_ok=True)
    lines = [f"{checksum}  {target.name}\n"]
    if draws:
        lines.append(f"{sha256_of(_draws_path(target))}  {_draws_path(target).name}\n")
    _checksum_path(target).write_text("".join(lines), encoding="utf-8")
    files, rows = _ledger(target)
    return CopyFacts(target, target.stat().st_size, files, rows, checksum, draws)


def restore(settings: Settings, copy: Path, *, force: bool = False) -> CopyFacts:
    """Put a backup in the place of the raw database and of the draws, and remove the warehouse, which the next refresh rebuilds.

    Database and draws that were there are kept beside under a name with the time. A backup without draws leaves those of the home alone.

    Raises:
        BackupError: no such backup, a checksum differs, or a raw database or draws are there and `force` is not given.
    """
    if not copy.exists():
        raise BackupError(f"{copy} does not exist.")
    files, rows = _ledger(copy)
    checksum = sha256_of(copy)
    checksums: dict[str, str] = {}
    if _checksum_path(copy).exists():
        words = _checksum_path(copy).read_text(encoding="utf-8").split()
        checksums = dict(zip(words[1::2], words[::2], strict=False))
        if words[0] != checksum:
            raise BackupError(
                f"{copy} does not have the checksum of {_checksum_path(copy).name}: it was changed or damaged since."
            )
    if settings.raw_path.exists() and not force:
        raise BackupError(
            f"{settings.raw_path} exists. `--force` puts the backup in its place and keeps it beside, under another name."
        )
    draws = _check_draws(copy, checksums)
    folder = folder_of(settings)
    if draws and folder.exists() and any(folder.iterdir()) and not force:
        raise BackupError(
            f"{folder} has draws. `--force` puts those of the backup in their place and keeps the folder beside, under another name."
        )
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    fresh = settings.home / ".raw-restored.part"
    try:
        shutil.copyfile(copy, fresh)
        fresh.chmod(0o600)
        if settings.raw_path.exists():
            os.replace(settings.raw_path, settings.raw_path.with_name(f"raw-before-restore-{stamp}.duckdb"))
        for log in settings.home.glob("raw.duckdb.wal"):
            log.unlink()
        os.replace(fresh, settings.raw_path)
    finally:
        fresh.unlink(missing_ok=True)
    if draws:
        _unpack_draws(settings, copy, stamp)
    for derived in (settings.warehouse_path, settings.warehouse_path.with_name("warehouse.duckdb.wal")):
        derived.unlink(missing_ok=True)
    return CopyFacts(settings.raw_path, settings.raw_path.stat().st_size, files, rows, checksum, draws)
