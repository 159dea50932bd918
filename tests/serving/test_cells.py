"""Cells of a mart: what differs is found by content, replaced, and nothing else is touched."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import pytest

from orchestration.serving import build, cells
from orchestration.settings import Settings
from tests.serving.comparing import differing_in_snapshots, replaced_rows

MART = cells.PublicMart("fct", ("id", "day", "moment", "value"), ("day", "id"), ("id",), "'*'", "day", "moment")


@pytest.fixture
def desk() -> duckdb.DuckDBPyConnection:
    """A warehouse with a mart of five rows on three days, two of them alike and one undated."""
    connection = duckdb.connect(":memory:")
    connection.execute("attach ':memory:' as warehouse; create schema warehouse.marts")
    connection.execute(
        "create table warehouse.marts.fct as select * from (values"
        " (1, date '2026-01-01', timestamp '2025-12-31 17:00', 1.5), (2, date '2026-01-01', timestamp '2026-01-01 15:59', null),"
        " (3, date '2026-01-02', timestamp '2026-01-02 03:00', 2), (3, date '2026-01-02', timestamp '2026-01-02 03:00', 2),"
        " (4, null, null, 7)) rows(id, day, moment, value)"
    )
    connection.execute(f"create table main.fct as {MART.select()}")
    return connection


@pytest.mark.parametrize(
    ("change", "expected", "rows"),
    [
        ("update warehouse.marts.fct set value = 1.6 where id = 1", [date(2026, 1, 1)], 2),
        ("update warehouse.marts.fct set value = 0 where id = 2", [date(2026, 1, 1)], 2),
        ("delete from warehouse.marts.fct where id = 3", [date(2026, 1, 2)], 2),
        ("insert into warehouse.marts.fct from warehouse.marts.fct where id = 3", [date(2026, 1, 2)], 6),
        ("update warehouse.marts.fct set value = 8 where id = 4", [None], 2),
        (
            "update warehouse.marts.fct set day = '2026-02-01', moment = '2026-02-01' where id = 2",
            [date(2026, 1, 1), date(2026, 2, 1)],
            2,
        ),
        (
            "update warehouse.marts.fct set day = '2026-01-03', moment = '2026-01-02 20:00' where id = 4",
            [None, date(2026, 1, 3)],
            2,
        ),
        ("update warehouse.marts.fct set value = value", [], 0),
    ],
)
def test_a_cell_is_put_in_again_when_its_content_differs(
    desk: duckdb.DuckDBPyConnection, change: str, expected: list[date | None], rows: int
) -> None:
    last = cells.digests(desk, MART)
    desk.execute(change)
    changed, cost = cells.differing(cells.digests(desk, MART), last)
    assert cost == rows
    assert cells.replace(desk, MART, changed) == expected
    row = desk.execute(
        "select count(*) from ((select * exclude (row_unit_id) from main.fct except all from warehouse.marts.fct)"
        " union all (from warehouse.marts.fct except all select * exclude (row_unit_id) from main.fct))"
    ).fetchone()
    assert row == (0,)


def _snapshots(settings: Settings, tmp_path: Path) -> tuple[build.BuiltSnapshot, build.BuiltSnapshot]:
    """The next snapshot of a home, continued from the last one, and the same written whole."""
    apart = tmp_path / "apart"
    shutil.copytree(settings.home, apart, symlinks=True)
    whole = build.build_snapshot(Settings(home=apart), run_id="whole", whole=True)
    return build.build_snapshot(settings, run_id="continued"), whole


@pytest.mark.slow
def test_a_customer_who_becomes_another_moves_in_every_day(
    demo_copy: Callable[[], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cells, "REWRITTEN_SHARE", 1e9)
    settings = Settings(home=demo_copy())
    with duckdb.connect(str(settings.warehouse_path)) as warehouse:
        # What the facts join to changes; the facts' own rows, and all that a refresh watches, do not.
        warehouse.execute("update marts.dim_customers set customer_kind = 'moved' where customer_kind = 'enterprise'")
    continued, whole = _snapshots(settings, tmp_path)
    assert differing_in_snapshots(continued.path, whole.path) == {}
    assert replaced_rows(continued.path) > 0
    with duckdb.connect(str(continued.path), read_only=True) as snapshot:
        found = snapshot.execute(
            "select count(distinct started_on), (select sum(calls_offered_count) from parts.fct_calls where customer_kind = 'moved')"
            " from fct_calls where customer_kind = 'moved'"
        ).fetchone()
    assert found is not None and found[0] > 30 and found[1] > 0


@pytest.mark.slow
def test_a_last_snapshot_of_another_shape_or_damaged_is_not_continued(demo_copy: Callable[[], Path]) -> None:
    settings = Settings(home=demo_copy())
    last = next(settings.serving.glob("csatlas-*.duckdb"))
    with duckdb.connect(str(last)) as connection:
        connection.execute("update meta.snapshot set shape = 'of an older program'")
        connection.execute("delete from fct_calls")
    built = build.build_snapshot(settings, run_id="x")
    assert built.tables["fct_calls"] > 0
    last.unlink()
    built.path.write_bytes(b"no database")
    said: list[str] = []
    assert build.build_snapshot(settings, run_id="y", progress=said.append).tables == built.tables
    assert "cannot be continued" in said[0]


@pytest.mark.slow
def test_a_last_snapshot_with_rows_missing_is_noticed_and_not_continued(demo_copy: Callable[[], Path]) -> None:
    settings = Settings(home=demo_copy())
    last = next(settings.serving.glob("csatlas-*.duckdb"))
    with duckdb.connect(str(last)) as connection:
        connection.execute("delete from fct_calls where started_on = (select min(started_on) from fct_calls)")
        counted = connection.execute("select sum(row_count) from meta.digests where mart = 'fct_calls'").fetchone()
    assert counted is not None
    said: list[str] = []
    built = build.build_snapshot(settings, run_id="x", progress=said.append)
    assert any("fct_calls: " in line and "rows in the snapshot" in line for line in said), said
    assert built.tables["fct_calls"] == counted[0]
    assert replaced_rows(built.path) == 0
    assert list(settings.serving.glob(".building-*")) == []


@pytest.mark.slow
def test_a_mart_that_names_its_instant_has_its_day_near_it(demo_settings: Settings) -> None:
    """Cells are read by a span of instants around their days: a row outside it would be lost."""
    manifest = json.loads((demo_settings.dbt_target / "manifest.json").read_text(encoding="utf-8"))
    named = [
        (node["name"], node["config"]["meta"]["sort"][0], node["config"]["meta"]["instant"])
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["config"]["meta"].get("instant")
    ]
    assert len(named) > 10
    with duckdb.connect(str(demo_settings.warehouse_path), read_only=True) as connection:
        far = {
            name: connection.execute(
                f"select count(*) from marts.{name} where not coalesce({instant} >= {day} - 1 and {instant} < {day} + 2, {day} is null)"
            ).fetchone()
            for name, day, instant in named
        }
    assert {name for name, count in far.items() if count != (0,)} == set()
