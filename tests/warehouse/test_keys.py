"""The test of a mart's key, as dbt compiled it, fails on what it is there for: a row twice, a row missing, a key with a hole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

FAULTS = {
    "a row twice": "insert into intermediate.int_ticket_facts by name select * from intermediate.int_ticket_facts limit 1",
    "a row missing": "delete from intermediate.int_ticket_facts where rowid = 0",
    "a key with a hole": "update intermediate.int_ticket_facts set ticket_id = null where rowid = 0",
}


@pytest.mark.slow
def test_the_key_test_finds_its_faults(demo_copy: Callable[[], Path]) -> None:
    home = demo_copy()
    (compiled,) = (home / "dbt_target" / "compiled").rglob("unique_key_fct_tickets_*.sql")
    with duckdb.connect(str(home / "warehouse.duckdb")) as warehouse:
        warehouse.execute(f"attach '{home / 'raw.duckdb'}' as raw (read_only)")
        query = compiled.read_text(encoding="utf-8")
        assert warehouse.execute(query).fetchall() == []
        for fault, statement in FAULTS.items():
            warehouse.execute("begin")
            warehouse.execute(statement)
            assert len(warehouse.execute(query).fetchall()) == 1, fault
            warehouse.execute("rollback")
