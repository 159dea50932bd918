"""The raw database: its schema, its ledger, and the tables that hold what the sources sent.

Belongs here: every statement that creates or changes `raw.duckdb`. Does not belong here: reading inbox files.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb

from orchestration.settings import Settings
from orchestration.sources.declarations import SourceDeclaration, TableDeclaration

SCHEMA_VERSION = 1
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
        duckdb.IOException: another process holds the database.
    """
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    is_new = not settings.raw_path.exists()
    # A checkpoint a file would cost more than the file; the loader checkpoints once, at its end.
    limits: dict[str, str | bool | int | float | list[str]] = {
        "threads": settings.threads,
        "memory_limit": settings.memory_limit,
        "wal_autocheckpoint": "1GB",
    }
    connection = duckdb.connect(str(settings.raw_path), config=limits)
    try:
        if is_new:
            settings.raw_path.chmod(0o600)
        connection.execute("set timezone = 'UTC'")
        connection.execute(f"set temp_directory = '{str(settings.home / 'tmp').replace(chr(39), chr(39) * 2)}'")
        _migrate(connection, settings.raw_path)
        yield connection
    finally:
        connection.close()


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
    connection.commit()


def prepare_tables(connection: duckdb.DuckDBPyConnection, declarations: Mapping[str, SourceDeclaration]) -> None:
    """Create the raw tables of the declarations, add newly declared columns and write down the declared tables.

    Tables of sources that are no longer enabled keep their rows; only their entry in `raw_meta.tables` stays as it was.
    """
    connection.begin()
    for declaration in declarations.values():
        connection.execute(f"create schema if not exists {quoted('raw_' + declaration.source)}")
        for table in declaration.tables.values():
            columns = [f"{quoted(column.name)} varchar" for column in table.columns]
            columns += [f"{name} {kind}" for name, kind in LOAD_COLUMNS.items()]
            connection.execute(f"create table if not exists {raw_table(table)} ({', '.join(columns)})")
            add_columns(connection, table, [column.name for column in table.columns])
            connection.execute(
                "delete from raw_meta.tables where source = ? and table_name = ?", [declaration.source, table.name]
            )
            connection.execute(
                "insert into raw_meta.tables values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    declaration.source, table.name, table.delivery, declaration.sha256, declaration.time_zone,
                    declaration.required, declaration.expected_every_seconds, declaration.label["en"],
                    declaration.label["zh"], json.dumps(list(table.feeds)),
                ],
            )  # fmt: skip
    connection.commit()


def columns_of(connection: duckdb.DuckDBPyConnection, table: TableDeclaration) -> list[str]:
    """Column names of a raw table, in their order."""
    rows = connection.execute(
        "select column_name from information_schema.columns where table_schema = ? and table_name = ? and"
        " table_catalog = current_database() order by ordinal_position",
        [f"raw_{table.source}", table.name],
    ).fetchall()
    return [str(row[0]) for row in rows]


def add_columns(connection: duckdb.DuckDBPyConnection, table: TableDeclaration, names: Iterable[str]) -> list[str]:
    """Add the text columns that the raw table does not have yet; returns those added."""
    present = {name.lower() for name in columns_of(connection, table)}
    added = [name for name in names if name.lower() not in present]
    for name in added:
        connection.execute(f"alter table {raw_table(table)} add column {quoted(name)} varchar")
    return added


def next_file_id(connection: duckdb.DuckDBPyConnection) -> int:
    """Ledger id for the next file: one more than the largest."""
    row = connection.execute("select coalesce(max(file_id), 0) + 1 from raw_meta.files").fetchone()
    assert row is not None
    return int(row[0])


def write_ledger(connection: duckdb.DuckDBPyConnection, entry: Mapping[str, object]) -> None:
    """Write one ledger row; a refused file that is tried again replaces its own row."""
    connection.execute(
        "delete from raw_meta.files where source = ? and table_name = ? and content_sha256 = ? and status = 'refused'",
        [entry["source"], entry["table_name"], entry["content_sha256"]],
    )
    marks = ", ".join("?" for _ in LEDGER_COLUMNS)
    connection.execute(f"insert into raw_meta.files values ({marks})", [entry[name] for name in LEDGER_COLUMNS])


def private_folder(path: Path) -> Path:
    """Create a folder that only its owner may enter."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.chmod(path, 0o700)
    return path
