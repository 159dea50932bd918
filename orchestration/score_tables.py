"""What a Python model of dbt hands back: the frame of a model as a relation of dbt's own connection.

Belongs here: the hand-over alone. DuckDB takes an Arrow table through `pyarrow.dataset`, which imports pandas: a second or two of every night that
nothing else needs. A frame of usual size goes through a file of Parquet instead, which DuckDB reads by itself.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import duckdb
import polars as pl

LARGE = 1_000_000
"""Rows from which writing a frame twice costs more than pandas."""


def relation_of(session: duckdb.DuckDBPyConnection, frame: pl.DataFrame, name: str) -> duckdb.DuckDBPyRelation:
    """The frame as a relation of the session; `name`: of the model, whose temporary table holds the rows until the session ends.

    Types are those of the frame; a column without a type (all null) is refused by neither side and becomes a whole number.
    """
    if frame.height >= LARGE:
        return session.from_arrow(frame.to_arrow())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frame.parquet"
        frame.write_parquet(path, compression="uncompressed")
        session.execute(f"create or replace temp table {name}__frame as select * from read_parquet('{path}')")
    return session.table(f"{name}__frame")
