"""The test of a mart's key, as dbt compiled it, fails on what it is there for: a row twice, a row missing, a key with a hole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from jinja2 import Environment

from orchestration.settings import PROJECT_ROOT

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


def test_keys_that_share_a_hash_are_told_apart() -> None:
    """DuckDB gives these two texts one hash; the key test must not take them for one key."""
    macro = (PROJECT_ROOT / "dbt_project" / "macros" / "dialect" / "dialect.sql").read_text(encoding="utf-8")
    double_hash = Environment().from_string(macro).module.double_hash  # type: ignore[attr-defined]
    texts = [
        "transaction|effectiveness|C-JS-SZ|phone|broadband|person|2026-01-01",
        "transaction|effectiveness|C-JS-XZ|phone|broadband|person|2026-08-01",
    ]
    with duckdb.connect() as connection:
        row = connection.execute(
            f"select count(*), count(distinct {double_hash(['key'])}) from (select unnest(?) as key)",
            [texts],
        ).fetchone()
    assert row is not None
    assert row[1] == 2
