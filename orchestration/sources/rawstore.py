"""The raw database: its schema, its ledger, and the tables that hold what the sources sent.

Belongs here: every statement that creates or changes `raw.duckdb`. Does not belong here: reading inbox files.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from orchestration.settings import STORAGE_VERSION, Settings
from orchestration.sources.declarations import SourceDeclaration, TableDeclaration

SCHEMA_VERSION = 2
READER_PATIENCE = 600.0
"""Seconds to wait for somebody who reads the raw database; no night should fail because a question about the past was asked in it."""

LOAD_COLUMNS = {
    "_file_id": "bigint",
    "_record_number": "bigint",
    "_file": "varchar",
    "_delivery": "varchar",
    "_load_id": "varchar",
    "_loaded_at": "timestamp",
    "_problem": "varchar",
    "_content": "varchar",
}
LEDGER_COLUMNS = {
    "file_id": "bigint",
    "source": "varchar",
    "table_name": "varchar",
    "file_name": "varchar",
    "content_sha256": "varchar",
    "size_bytes": "bigint",
    "delivery": "varchar",
    "status": "varchar",
    "encoding": "varchar",
    "path": "varchar",
    "row_count": "bigint",
    "damaged_count": "bigint",
    "header": "varchar",
    "warnings": "varchar",
    "message": "varchar",
    "load_id": "varchar",
    "loaded_at": "timestamp",
    "seconds": "double",
}


_MIGRATIONS: dict[int, tuple[str, ...]] = {
    # A file may be replaced by one of equal size and time of change (cp -p, unzip); the time of its change of state tells them apart.
    2: ("alter table raw_meta.seen add column ctime_ns bigint",),
}
"""Statements that make a raw database of the version before one of this version; all that are due run in one transaction."""


class RawVersionError(RuntimeError):
    """The raw database was written by another version of csatlas; the message says what to do."""


def quoted(identifier: str) -> str:
    """Identifier in double quotes, safe in SQL."""
    return '"' + identifier.replace('"', '""') + '"'


def raw_table(table: TableDeclaration) -> str:
    """Quoted name of the raw table of a declaration."""
    return f"{quoted('raw_' + table.source)}.{quoted(table.name)}"


@contextmanager
def open_raw(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open `raw.duckdb` for writing, creating or migrating it first; files are readable by their owner only.

    Raises:
        RawVersionError: the database is newer than this program.
        duckdb.IOException: another process writes to the database, or has been reading it for longer than `READER_PATIENCE`.
    """
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    is_new = not settings.raw_path.exists()
    # A checkpoint a file would cost more than the file; the loader checkpoints once, at its end.
    limits: dict[str, str | bool | int | float | list[str]] = {
        "threads": settings.threads,
        "memory_limit": settings.memory_limit,
        "wal_autocheckpoint": "1GB",
    }
    connection = connect_for_writing(settings.raw_path, limits)
    try:
        if is_new:
            settings.raw_path.chmod(0o600)
        connection.execute("set timezone = 'UTC'")
        # Raw only grows, so there is nothing to compact; DuckDB 1.5 would look for it at every checkpoint (10 s at 150 million rows).
        connection.execute("set max_vacuum_tasks = 0")
        connection.execute("set enable_progress_bar = false")  # it would draw over our own progress, and into --json
        connection.execute(f"set temp_directory = '{str(settings.home / 'tmp').replace(chr(39), chr(39) * 2)}'")
        _migrate(connection, settings.raw_path)
        yield connection
    finally:
        connection.close()


def connect_for_writing(
    path: Path, config: dict[str, str | bool | int | float | list[str]] | None = None
) -> duckdb.DuckDBPyConnection:
    """Connection for writing. The caller holds the home's lock, so whoever has the file open reads it, and will be done.

    Raises:
        duckdb.IOException: it was still open after `READER_PATIENCE`, or is no database.
    """
    deadline = time.monotonic() + READER_PATIENCE
    while True:
        try:
            return duckdb.connect(
                str(path), config={"storage_compatibility_version": STORAGE_VERSION, **(config or {})}
            )
        except duckdb.IOException as error:
            if "lock" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def _migrate(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    connection.begin()
    connection.execute("create schema if not exists raw_meta")
    connection.execute("create table if not exists raw_meta.version (schema_version integer)")
    found = connection.execute("select max(schema_version) from raw_meta.version").fetchone()
    version = found[0] if found and found[0] is not None else 0
    if version > SCHEMA_VERSION:
        connection.rollback()
        raise RawVersionError(
            f"{path} has schema version {version}; this csatlas knows version {SCHEMA_VERSION}."
            " It was written by a newer csatlas: install that version, or restore an older backup with `csatlas restore`."
        )
    if version < 1:
        ledger = ", ".join(f"{name} {kind}" for name, kind in LEDGER_COLUMNS.items())
        connection.execute(f"create table raw_meta.files ({ledger})")
        connection.execute(
            "create table raw_meta.tables (source varchar, table_name varchar, delivery_mode varchar, declaration_sha256"
            " varchar, time_zone varchar, is_required boolean, expected_every_seconds bigint, label_en varchar,"
            " label_zh varchar, feeds varchar)"
        )
        connection.execute("create table raw_meta.home (salt varchar, created_at timestamp)")
        connection.execute(
            "create table raw_meta.seen (path varchar, size_bytes bigint, mtime_ns bigint, content_sha256 varchar)"
        )
        connection.execute("insert into raw_meta.home values (?, current_timestamp)", [secrets.token_hex(32)])
        connection.execute("insert into raw_meta.version values (1)")
    for number in range(max(version, 1) + 1, SCHEMA_VERSION + 1):
        for statement in _MIGRATIONS[number]:
            connection.execute(statement)
        connection.execute("insert into raw_meta.version values (?)", [number])
    connection.commit()


def prepare_tables(connection: duckdb.DuckDBPyConnection, declarations: Mapping[str, SourceDeclaration]) -> None:
    """Create the raw tables of the declarations, add newly declared columns and write down the declared tables.

    Tables stay when their declaration goes: what was loaded is kept, it is only no longer read.
    """
    present = {table: set(columns) for table, columns in all_columns(connection).items()}
    declared = {
        (declaration.source, table.name): (
            declaration.source, table.name, table.delivery, declaration.sha256, declaration.time_zone, declaration.required,
            declaration.expected_every_seconds, declaration.label["en"], declaration.label["zh"], json.dumps(list(table.feeds)),
        )
        for declaration in declarations.values()
        for table in declaration.tables.values()
    }  # fmt: skip
    written = {(row[0], row[1]): row for row in connection.execute("select * from raw_meta.tables").fetchall()}
    connection.begin()
    for declaration in declarations.values():
        schema = f"raw_{declaration.source}"
        if not any(name == schema for name, _ in present):
            connection.execute(f"create schema if not exists {quoted(schema)}")
        for table in declaration.tables.values():
            names = [column.name for column in table.columns]
            if (schema, table.name) not in present:
                columns = [f"{quoted(name)} varchar" for name in names]
                columns += [f"{name} {kind}" for name, kind in LOAD_COLUMNS.items()]
                connection.execute(f"create table {raw_table(table)} ({', '.join(columns)})")
            else:
                add_columns(connection, table, names, present[schema, table.name])
            row = declared[declaration.source, table.name]
            if written.get(row[:2]) != row:
                connection.execute("delete from raw_meta.tables where source = ? and table_name = ?", list(row[:2]))
                connection.execute("insert into raw_meta.tables values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", list(row))
    for source, name in written.keys() - declared.keys():
        if source in declarations:
            connection.execute("delete from raw_meta.tables where source = ? and table_name = ?", [source, name])
    connection.commit()


def all_columns(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], list[str]]:
    """Column names of every table of the raw database, in their order, by schema and table."""
    found: dict[tuple[str, str], list[str]] = {}
    for schema, table, column in connection.execute(
        "select schema_name, table_name, column_name from duckdb_columns() where database_name = current_database()"
        " and starts_with(schema_name, 'raw_') order by schema_name, table_name, column_index"
    ).fetchall():
        found.setdefault((str(schema), str(table)), []).append(str(column))
    return found


def add_columns(
    connection: duckdb.DuckDBPyConnection, table: TableDeclaration, names: Iterable[str], present: set[str]
) -> None:
    """Add the text columns that the raw table does not have yet (`present`, which grows by them)."""
    folded = {name.lower() for name in present}
    for name in names:
        if name.lower() not in folded:
            connection.execute(f"alter table {raw_table(table)} add column {quoted(name)} varchar")
            folded.add(name.lower())
            present.add(name)


class Ledger:
    """The ledger of one load: read once, so that a file known already costs no statement; written row by row.

    A refused file keeps its id while it is refused again; one that loads gets a new id, which is what makes its rows new.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._loaded: set[tuple[str, str, str, str]] = set()
        self._refused: dict[tuple[str, str, str], tuple[int, str]] = {}
        self._last_id = 0
        for file_id, source, table, sha256, delivery, status, message in connection.execute(
            "select file_id, source, table_name, content_sha256, delivery, status, message from raw_meta.files"
        ).fetchall():
            self._last_id = max(self._last_id, file_id)
            if status == "loaded":
                self._loaded |= {(source, table, sha256, delivery), (source, table, sha256, "")}
            else:
                self._refused[source, table, sha256] = (file_id, str(message))
        self._seen: dict[str, tuple[int, int, str, int | None]] = {
            row[0]: (row[1], row[2], row[3], row[4])
            for row in connection.execute(
                "select path, size_bytes, mtime_ns, content_sha256, ctime_ns from raw_meta.seen"
            ).fetchall()
        }
        self._newly_seen: set[str] = set()

    def holds(self, table: TableDeclaration, sha256: str, delivery: str) -> bool:
        """Whether this content is loaded already. A snapshot that equals an earlier one is news when another came between
        them, so its delivery counts too."""
        return (table.source, table.name, sha256, "" if table.delivery == "delta" else delivery) in self._loaded

    def refused(self, table: TableDeclaration, sha256: str) -> tuple[int, str] | None:
        """Ledger id under which this content was refused before, and why."""
        return self._refused.get((table.source, table.name, sha256))

    def next_id(self) -> int:
        """Ledger id for the next file: one more than the largest."""
        return self._last_id + 1

    def write(self, entry: Mapping[str, object]) -> None:
        """Write one row; that of the same content refused before goes."""
        source, table, sha256 = str(entry["source"]), str(entry["table_name"]), str(entry["content_sha256"])
        if (source, table, sha256) in self._refused:
            self._connection.execute(
                "delete from raw_meta.files where source = ? and table_name = ? and content_sha256 = ? and status = 'refused'",
                [source, table, sha256],
            )
        marks = ", ".join("?" for _ in LEDGER_COLUMNS)
        self._connection.execute(
            f"insert into raw_meta.files values ({marks})", [entry[name] for name in LEDGER_COLUMNS]
        )

    def committed(self, entry: Mapping[str, object]) -> None:
        """Remember a row whose transaction is committed."""
        source, table, sha256 = str(entry["source"]), str(entry["table_name"]), str(entry["content_sha256"])
        file_id = int(str(entry["file_id"]))
        self._last_id = max(self._last_id, file_id)
        self._refused.pop((source, table, sha256), None)
        if entry["status"] == "loaded":
            self._loaded |= {(source, table, sha256, str(entry["delivery"])), (source, table, sha256, "")}
        else:
            self._refused[source, table, sha256] = (file_id, str(entry["message"]))

    def content_of(self, path: Path, found: os.stat_result, digest: Callable[[Path], str]) -> str:
        """Content hash; a file of known path, size and times is not read again."""
        known = self._seen.get(str(path))
        if known is not None and (*known[:2], known[3]) == (found.st_size, found.st_mtime_ns, found.st_ctime_ns):
            return known[2]
        sha256 = digest(path)
        if time.time_ns() - max(found.st_mtime_ns, found.st_ctime_ns) > 2_000_000_000:
            # A file touched within the last two seconds may change again within the resolution of its clock.
            self._seen[str(path)] = (found.st_size, found.st_mtime_ns, sha256, found.st_ctime_ns)
            self._newly_seen.add(str(path))
        return sha256

    def write_seen(self) -> None:
        """Keep the hashes of this load for the next; losing them costs time only, so they have one transaction at its end."""
        if not self._newly_seen:
            return
        rows = [(path, *self._seen[path]) for path in sorted(self._newly_seen)]
        fresh = pa.table(
            dict(
                zip(
                    ("path", "size_bytes", "mtime_ns", "content_sha256", "ctime_ns"),
                    zip(*rows, strict=True),
                    strict=True,
                )
            )
        )
        self._connection.begin()
        self._connection.register("csatlas_seen", fresh)
        self._connection.execute("delete from raw_meta.seen where path in (select path from csatlas_seen)")
        self._connection.execute(
            "insert into raw_meta.seen by name select path, size_bytes, mtime_ns, content_sha256, ctime_ns from csatlas_seen"
        )
        self._connection.unregister("csatlas_seen")
        self._connection.commit()
        self._newly_seen.clear()


def private_folder(path: Path) -> Path:
    """Create a folder that only its owner may enter."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.chmod(path, 0o700)
    return path
