"""What a model was built from: a change of it, and nothing else, rebuilds the model and what stands on it."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.build_plan import fingerprints, lookup_digests
from tests.warehouse.shop_project import make_shop_project


def _node(name: str, nodes: list[str], materialized: str, lookups: list[str] | None = None) -> dict[str, Any]:
    return {
        "name": name, "resource_type": "model", "checksum": {"checksum": name}, "raw_code": "", "columns": {},
        "config": {"materialized": materialized, "meta": {"lookups": lookups} if lookups else {}},
        "depends_on": {"macros": [], "nodes": nodes},
    }  # fmt: skip


MANIFEST: dict[str, Any] = {
    "metadata": {"project_name": "csatlas"},
    "macros": {
        f"macro.{package}.{name}": {"name": name, "package_name": package, "macro_sql": text}
        for package, name, text in (
            ("csatlas", "inner", "trim(x)"),
            ("csatlas", "outer", "{{ inner() }}"),
            ("csatlas", "unused", "1"),
            ("csatlas", "after", "delete"),
            ("dbt", "is_incremental", "true"),
        )
    },
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
    assert {name for name in first if first[name] != changed[name]} == {"stg", "received", "versions"}
    back = _deliver(raw, "20260104", ("Q1", "csat"), ("Q2", "nps"))
    assert back["received"] not in (first["received"], changed["received"]), (
        "the newest content decides, so a return to the old is a change"
    )


def test_a_damaged_row_is_no_content(raw: duckdb.DuckDBPyConnection) -> None:
    first = _deliver(raw, "20260101", ("Q1", "csat"))
    raw.execute("insert into raw_tool.questions values (null, null, '20260102', 'ragged', 2)")
    assert fingerprints(MANIFEST, "home", lookup_digests(MANIFEST, raw)) == first


@pytest.mark.parametrize(
    ("macro", "rebuilt"),
    [("inner", {"stg", "received", "versions"}), ("after", {"other"}), ("unused", set()), ("is_incremental", set())],
)
def test_a_changed_macro_changes_the_models_that_reach_it(macro: str, rebuilt: set[str]) -> None:
    before = deepcopy(MANIFEST)
    before["nodes"]["stg"]["raw_code"] = "select {{ outer() }} {% if is_incremental() %} where true {% endif %}"
    before["nodes"]["other"]["config"]["post-hook"] = [{"sql": "{{ after() }}", "transaction": True, "index": None}]
    after = deepcopy(before)
    next(entry for entry in after["macros"].values() if entry["name"] == macro)["macro_sql"] += " changed"
    old, new = fingerprints(before, "home"), fingerprints(after, "home")
    assert {name for name in old if old[name] != new[name]} == rebuilt


def test_a_build_and_an_edit_elsewhere_leave_the_fingerprints_of_the_others(tmp_path: Path) -> None:
    """dbt keeps what it met at run time in the parse it continues."""
    project = make_shop_project(tmp_path)
    project.deliver("tickets_20260301.csv", "id,customer,kind,status,created,updated,deleted\n")
    project.load("load-1")
    manifest = project.home / "dbt_target" / "manifest.json"

    def parsed() -> dict[str, str]:
        done = project.dbt("parse")
        assert done.returncode == 0, done.stdout[-4000:]
        return fingerprints(json.loads(manifest.read_text(encoding="utf-8")), "home")

    first = parsed()
    built = project.dbt("build", "--select", "+int_tickets +int_quarantined", "--indirect-selection", "cautious")
    assert built.returncode == 0, built.stdout[-4000:]
    edited = next(project.project_dir.rglob("fct_backlog_days.sql"))
    edited.write_text(edited.read_text(encoding="utf-8") + "\n-- edited\n", encoding="utf-8")
    second = parsed()
    changed = {unique_id for unique_id in first if second[unique_id] != first[unique_id]}
    assert changed
    assert all("backlog" in unique_id or "every_" in unique_id for unique_id in changed), changed
