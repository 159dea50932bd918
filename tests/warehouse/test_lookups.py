"""A changed look-up table rebuilds what was read with it; the same rows delivered again do not."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from orchestration.warehouse import fingerprints, lookup_digests


def _node(name: str, nodes: list[str], materialized: str, lookups: list[str] | None = None) -> dict[str, Any]:
    return {
        "name": name, "resource_type": "model", "checksum": {"checksum": name}, "raw_code": "", "columns": {},
        "config": {"materialized": materialized, "meta": {"lookups": lookups} if lookups else {}},
        "depends_on": {"macros": [], "nodes": nodes},
    }  # fmt: skip


MANIFEST: dict[str, Any] = {
    "metadata": {"project_name": "csatlas"},
    "macros": {},
    "nodes": {
        "stg": _node("stg", [], "view", ["tool.questions"]),
        "received": _node("received", ["stg"], "incremental"),
        "versions": _node("versions", ["received"], "incremental"),
        "other": _node("other", [], "incremental"),
    },
}


@pytest.fixture
def raw() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(":memory:")
    connection.execute("create schema raw_tool")
    connection.execute(
        "create table raw_tool.questions (id varchar, role varchar, _delivery varchar, _problem varchar, _file_id bigint)"
    )
    return connection


def _deliver(raw: duckdb.DuckDBPyConnection, delivery: str, *rows: tuple[str, str]) -> dict[str, str]:
    raw.executemany("insert into raw_tool.questions values (?, ?, ?, null, 1)", [(*row, delivery) for row in rows])
    return fingerprints(MANIFEST, "home", lookup_digests(MANIFEST, raw))


def test_only_a_change_of_content_changes_what_reads_it(raw: duckdb.DuckDBPyConnection) -> None:
    first = _deliver(raw, "20260101", ("Q1", "csat"), ("Q2", "nps"))
    again = _deliver(raw, "20260102", ("Q2", "nps"), ("Q1", "csat"))
    assert again == first
    changed = _deliver(raw, "20260103", ("Q1", "ces"), ("Q2", "nps"))
    assert {name for name in first if first[name] != changed[name]} == {"received", "versions"}
    back = _deliver(raw, "20260104", ("Q1", "csat"), ("Q2", "nps"))
    assert back["received"] not in (first["received"], changed["received"]), (
        "the newest content decides, so a return to the old is a change"
    )


def test_a_damaged_row_is_no_content(raw: duckdb.DuckDBPyConnection) -> None:
    first = _deliver(raw, "20260101", ("Q1", "csat"))
    raw.execute("insert into raw_tool.questions values (null, null, '20260102', 'ragged', 2)")
    assert fingerprints(MANIFEST, "home", lookup_digests(MANIFEST, raw)) == first
