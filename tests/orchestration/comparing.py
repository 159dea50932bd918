"""Two homes held against each other, row by row."""

from __future__ import annotations

from pathlib import Path

import duckdb

from orchestration.settings import Settings

RUN_FACTS = frozenset({"_loaded_at", "loaded_at", "load_id", "_load_id", "seconds", "last_loaded_at", "content"})
"""Columns that say when and by which run something was loaded; they differ between runs by their nature."""


def _contents(settings: Settings, scratch: duckdb.DuckDBPyConnection, prefix: str) -> dict[str, str]:
    scratch.execute(f"attach '{settings.raw_path}' as raw (read_only)")
    scratch.execute(f"attach '{settings.warehouse_path}' as warehouse (read_only)")
    tables = scratch.execute(
        "select table_schema, table_name from information_schema.tables"
        " where table_catalog = 'warehouse' and table_schema in ('intermediate', 'marts')"
    ).fetchall()
    found = {}
    for schema, table in tables:
        columns = [str(row[0]) for row in scratch.execute(f"describe warehouse.{schema}.{table}").fetchall()]
        kept = ", ".join(f'"{column}"' for column in columns if column not in RUN_FACTS)
        scratch.execute(
            f'create table memory.main."{prefix}{schema}.{table}" as select {kept} from warehouse.{schema}.{table}'
        )
        found[f"{schema}.{table}"] = kept
    scratch.execute("detach warehouse; detach raw")
    return found


def differing_tables(left: Path, right: Path) -> dict[str, int]:
    """Rows that stand in one of two homes only, by table of the warehouse; load ids and times aside."""
    with duckdb.connect(":memory:") as scratch:
        scratch.execute("set timezone = 'UTC'")
        a, b = _contents(Settings(home=left), scratch, "a:"), _contents(Settings(home=right), scratch, "b:")
        assert a.keys() == b.keys()
        found = {}
        for name in a:
            row = scratch.execute(
                f'select (select count(*) from (from memory.main."a:{name}" except all from memory.main."b:{name}"))'
                f' + (select count(*) from (from memory.main."b:{name}" except all from memory.main."a:{name}"))'
            ).fetchone()
            if row and row[0]:
                found[name] = int(row[0])
        return found
