"""Two snapshots held against each other, row by row."""

from __future__ import annotations

from pathlib import Path

import duckdb

RUN_FACTS = frozenset({"loaded_at", "load_id", "last_loaded_at", "seconds"})
"""Columns that say when and by which run something was loaded; they differ between runs by their nature."""


def differing_in_snapshots(left: Path, right: Path) -> dict[str, int]:
    """Rows that stand in one of two snapshots only, by table of the marts, the parts and the digests."""
    with duckdb.connect(":memory:") as scratch:
        scratch.execute(f"attach '{left}' as a (read_only); attach '{right}' as b (read_only)")
        tables = {
            side: scratch.execute(
                "select table_schema, table_name from information_schema.tables where table_catalog = ?"
                " and (table_schema in ('main', 'parts') or table_name = 'digests') order by 1, 2",
                [side],
            ).fetchall()
            for side in ("a", "b")
        }
        assert tables["a"] == tables["b"]
        found = {}
        for schema, table in tables["a"]:
            columns = ", ".join(
                # Sums of doubles depend on the order of the rows in the last digits.
                f'round("{name}", 6) as "{name}"' if kind == "DOUBLE" else f'"{name}"'
                for name, kind, *_ in scratch.execute(f'describe a.{schema}."{table}"').fetchall()
                if name not in RUN_FACTS | {"replaced"}
            )
            sides = [f'(select {columns} from {side}.{schema}."{table}")' for side in ("a", "b")]
            row = scratch.execute(
                f"select (select count(*) from ({sides[0]} except all {sides[1]})) + (select count(*) from ({sides[1]} except all {sides[0]}))"
            ).fetchone()
            if row and row[0]:
                found[f"{schema}.{table}"] = int(row[0])
        return found


def replaced_rows(snapshot: Path) -> int:
    """Rows of a snapshot's marts that were put in again since each was last written whole."""
    with duckdb.connect(str(snapshot), read_only=True) as connection:
        found = connection.execute(
            "select coalesce(sum(replaced), 0) from (select mart, max(replaced) as replaced from meta.digests group by mart)"
        ).fetchone()
    assert found is not None
    return int(found[0])
