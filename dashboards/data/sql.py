"""Free questions in SQL to a snapshot: one SELECT, bounded in time, with no way to files, network or settings."""

from __future__ import annotations

import threading

import duckdb
import polars as pl

from dashboards.data.snapshot import Snapshot


class QueryError(ValueError):
    """The query was refused, failed or took too long; the message says which and why."""


def query_sql(snapshot: Snapshot, sql: str, *, max_rows: int = 10_000, timeout: float = 60.0) -> pl.DataFrame:
    """Answer one SELECT.

    Args:
        max_rows: rows returned at most; more are cut off.
        timeout: seconds until the query is interrupted.

    Raises:
        QueryError: not one SELECT, wrong, or too slow.
    """
    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise QueryError(str(error)) from None
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise QueryError("Give exactly one SELECT statement; the snapshot is read-only.")
    cursor = snapshot.cursor()
    stop = threading.Timer(timeout, cursor.interrupt)
    stop.start()
    try:
        return (
            cursor.execute(sql).pl().head(max_rows)
            if max_rows <= 0
            else cursor.execute(f"select * from ({sql.rstrip().rstrip(';')}) limit {int(max_rows)}").pl()
        )
    except duckdb.InterruptException:
        raise QueryError(f"The query was stopped after {timeout:g} seconds; narrow it down.") from None
    except duckdb.Error as error:
        raise QueryError(str(error)) from None
    finally:
        stop.cancel()
        cursor.close()
