"""The check of the seeds of the index and of the closed loop, run as it is written on lines that contradict themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator

import duckdb
import pytest

from orchestration.settings import PROJECT_ROOT

CHECK = (PROJECT_ROOT / "dbt_project" / "tests" / "satisfaction_seeds_are_clear.sql").read_text(encoding="utf-8")
TYPES = {
    "index_models": {}, "index_weights": {"valid_from": "date", "weight": "double"}, "loop_callbacks": {"is_contact": "boolean", "is_solved": "boolean"},
    "loop_follow_ups": {},
}  # fmt: skip


@pytest.fixture
def seeds() -> Iterator[duckdb.DuckDBPyConnection]:
    """The seeds as they are delivered."""
    with duckdb.connect(":memory:") as connection:
        for name, types in TYPES.items():
            path = PROJECT_ROOT / "seeds" / f"{name}.csv"
            header = path.read_text(encoding="utf-8").split("\n", 1)[0].split(",")
            columns = {column: types.get(column, "varchar") for column in header}
            connection.execute(
                f"create table {name} as select * from read_csv(?, header = true, columns = {columns})", [str(path)]
            )
        yield connection


def _faults(seeds: duckdb.DuckDBPyConnection) -> list[str]:
    sql = re.sub(r"\{\{ ref\('(\w+)'\) \}\}", r"\1", CHECK)
    return sorted(f"{seed}: {named}" for seed, named in seeds.execute(sql).fetchall())


def test_the_delivered_seeds_are_clear(seeds: duckdb.DuckDBPyConnection) -> None:
    assert _faults(seeds) == []


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("insert into index_models values ('TCSI', 'TCSI*', 'loyalty', 'value', 'loyalty', 'centroid')", "index_models: TCSI"),
        ("insert into index_models values ('TCSI', 'OTHER*', 'loyalty', 'value', 'loyalty', 'path')", "index_models: TCSI"),
        ("insert into index_models values ('TCSI', 'TCSI*', 'value', 'quality', null, 'path')", "index_models: TCSI"),
        ("insert into index_models values ('TCSI', 'TCSI*', 'loyalty', 'value', null, 'path')", "index_models: TCSI loyalty"),
        ("insert into index_models values ('X', 'X*', 'a', 'b', 'joy', 'path'), ('X', 'X*', 'b', null, null, 'path')", "index_models: X a"),
        (
            "insert into index_models values ('X', 'X*', 'a', 'b', 'loyalty', 'path'), ('X', 'X*', 'b', null, 'loyalty', 'path')",
            "index_models: X two latent variables are its loyalty",
        ),
        ("insert into index_models values ('X', 'X*', 'a', 'b', null, 'path')", "index_models: X b is no latent variable of it"),
        ("insert into index_weights values ('TCSI', '2026-01-01', 'image', 'T01', 0)", "index_weights: TCSI 2026-01-01 T01"),
        ("insert into index_weights values ('TCSI', '2026-01-01', 'imege', 'T01', 1)", "index_weights: TCSI 2026-01-01 T01"),
        ("insert into index_weights values ('TSCI', '2026-01-01', 'image', 'T01', 1)", "index_weights: TSCI 2026-01-01 T01"),
        ("insert into loop_callbacks values ('reason', 'x', true, null)", "loop_callbacks: reason x"),
        ("insert into loop_callbacks values ('result', 'x', null, null)", "loop_callbacks: result x"),
        ("insert into loop_callbacks values ('result', 'x', false, true)", "loop_callbacks: result x"),
        ("insert into loop_callbacks values ('purpose', 'x', true, true)", "loop_callbacks: purpose x"),
        ("insert into loop_follow_ups values ('X', 'Y', null)", "loop_follow_ups: X"),
    ],
)  # fmt: skip
def test_a_line_that_contradicts_itself_is_named(seeds: duckdb.DuckDBPyConnection, line: str, fault: str) -> None:
    seeds.execute(line)
    assert _faults(seeds) == [fault]
