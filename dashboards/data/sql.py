"""Free questions in SQL to a snapshot: one SELECT, bounded in time, memory and rows, with no way to files, network or settings."""

from __future__ import annotations

import re
import threading

import duckdb
import polars as pl

from dashboards.data.snapshot import Snapshot

# Functions that a SELECT may call and that do more than read: they write files or settings of the whole process.
_WITH_EFFECTS = re.compile(
    r"\b(?:(?:en|dis)able_logging|truncate_duckdb_logs|write_log|(?:force_)?checkpoint)\b", re.IGNORECASE
)
_WITHOUT_COLUMN_TYPE = ("INTERVAL", "TIME WITH TIME ZONE", "BIT", "UNION", "VARIANT", "GEOMETRY")
"""Types that data frames have none for; they come as text."""

LONGEST_SQL = 20_000
AT_ONCE = 2
_free_places = threading.BoundedSemaphore(AT_ONCE)


class QueryError(ValueError):
    """The query was refused, failed or took too long; the message says which and why.

    Attributes:
        problem: refused, wrong, slow, memory or busy.
    """

    def __init__(self, message: str, problem: str = "wrong") -> None:
        super().__init__(message)
        self.problem = problem


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _check(sql: str) -> None:
    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise QueryError(str(error)) from None
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise QueryError("Give exactly one SELECT statement; the snapshot is read-only.", "refused")
    refused = _WITH_EFFECTS.search(sql)
    if refused:
        raise QueryError(
            f"{refused[0]} changes the server, not only reads it; it is refused wherever it stands.", "refused"
        )


def _answer(connection: duckdb.DuckDBPyConnection, sql: str, max_rows: int, timeout: float) -> pl.DataFrame:
    stop = threading.Timer(timeout, connection.interrupt)
    stop.start()
    try:
        relation = connection.sql(sql).limit(max_rows)
        texts = [
            name
            for name, kind in zip(relation.columns, relation.types, strict=True)
            if any(word in str(kind) for word in _WITHOUT_COLUMN_TYPE)
        ]
        if texts:
            replaced = ", ".join(f"cast({_quoted(name)} as varchar) as {_quoted(name)}" for name in texts)
            relation = relation.select(f"* replace ({replaced})")
        return relation.pl()
    except duckdb.InterruptException:
        raise QueryError(f"The query was stopped after {timeout:g} seconds; narrow it down.", "slow") from None
    except duckdb.OutOfMemoryException as error:
        raise QueryError(str(error), "memory") from None
    except duckdb.PermissionException as error:
        raise QueryError(str(error), "refused") from None
    except (duckdb.Error, pl.exceptions.PolarsError) as error:
        raise QueryError(str(error)) from None
    finally:
        stop.cancel()


def query_sql(snapshot: Snapshot, sql: str, *, max_rows: int = 10_000, timeout: float = 60.0) -> pl.DataFrame:
    """Answer one SELECT.

    Args:
        max_rows: rows returned at most; more are cut off.
        timeout: seconds until the query is interrupted.

    Raises:
        QueryError: not one SELECT, wrong, or too slow.
    """
    _check(sql)
    cursor = snapshot.cursor()
    try:
        return _answer(cursor, sql, max_rows, timeout)
    finally:
        cursor.close()


def query_apart(
    snapshot: Snapshot, sql: str, *, max_rows: int = 1_000, timeout: float = 10.0, memory_limit: str = "512MB"
) -> pl.DataFrame:
    """Answer one SELECT in a database of its own, so that it takes neither the memory nor the threads that pages are drawn with.

    The query sees every row of the snapshot: whoever may see only some of them must not be let in here.

    Args:
        max_rows: rows returned at most; more are cut off.
        timeout: seconds until the query is interrupted.
        memory_limit: memory that the query may take; nothing is put aside on a disk.

    Raises:
        QueryError: not one SELECT, too long, wrong, too slow, too large, or `AT_ONCE` others are running.
    """
    if len(sql) > LONGEST_SQL:
        raise QueryError(f"The query is longer than {LONGEST_SQL} characters.", "refused")
    _check(sql)
    if not _free_places.acquire(blocking=False):
        raise QueryError(f"{AT_ONCE} queries are running; try again when one of them is done.", "busy")
    try:
        with duckdb.connect(":memory:", config={"memory_limit": memory_limit, "threads": 1}) as apart:
            path = str(snapshot.path.resolve()).replace("'", "''")
            apart.execute(f"attach '{path}' as snapshot (read_only)")
            apart.execute("use snapshot")
            apart.execute("set timezone = 'UTC'")
            apart.execute("set temp_directory = ''")
            apart.execute("set enable_external_access = false")
            apart.execute("set lock_configuration = true")
            return _answer(apart, sql, max_rows, timeout)
    except duckdb.Error as error:
        raise QueryError(str(error)) from None
    finally:
        _free_places.release()
