"""Free questions in SQL to a snapshot: one SELECT, bounded in time, with no way to files, network or settings."""

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


class QueryError(ValueError):
    """The query was refused, failed or took too long; the message says which and why."""


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def query_sql(snapshot: Snapshot, sql: str, *, max_rows: int = 10_000, timeout: float = 60.0) -> pl.DataFrame:
    """Answer one SELECT.

    Args:
        max_rows: rows returned at most; more are cut off.
        timeout: seconds until the query is interrupted.

    Raises:
        QueryError: not one SELECT, wrong, or too slow.
        NotAllowed: the viewer has no right to free questions.
    """
    snapshot.viewer.require_sql()
    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise QueryError(str(error)) from None
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise QueryError("Give exactly one SELECT statement; the snapshot is read-only.")
    refused = _WITH_EFFECTS.search(sql)
    if refused:
        raise QueryError(f"{refused[0]} changes the server, not only reads it; it is refused wherever it stands.")
    cursor = snapshot.cursor()
    stop = threading.Timer(timeout, cursor.interrupt)
    stop.start()
    try:
        relation = cursor.sql(sql).limit(max_rows)
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
        raise QueryError(f"The query was stopped after {timeout:g} seconds; narrow it down.") from None
    except (duckdb.Error, pl.exceptions.PolarsError) as error:
        raise QueryError(str(error)) from None
    finally:
        stop.cancel()
        cursor.close()
