"""Daily parts of a mart: their types, the days that are written again, and the check against the rows they are made of."""

from __future__ import annotations

from datetime import date

import duckdb
import pytest

from orchestration.serving import build
from orchestration.serving.catalogue import Measure, SemanticModel

MODEL = SemanticModel(
    name="fct",
    time_column="day",
    dimensions=("channel",),
    measures={
        "calls": Measure("calls", "is_call", "sum", None),
        "wait_squares": Measure("wait_squares", "cast(wait as double) * wait", "sum", None),
        "amount": Measure("amount", "amount", "sum", None),
        "wait_p90": Measure("wait_p90", "wait", "percentile", 0.9),
    },
)
TABLES = ("fct", "fct__wait_p90")


@pytest.fixture
def mart() -> duckdb.DuckDBPyConnection:
    """A mart of six rows on two days and one without a day, and its parts."""
    connection = duckdb.connect(":memory:")
    connection.execute("create schema parts")
    connection.execute(
        "create table main.fct as select * from (values"
        " (date '2026-01-01', 'phone', 1, 10, 1.50::decimal(9, 2), 'A'), (date '2026-01-01', 'phone', 1, 20, 2.25, 'A'),"
        " (date '2026-01-01', 'mail', 0, null, null, 'A'), (date '2026-01-02', 'phone', 1, 20, 1, 'A'),"
        " (date '2026-01-02', 'phone', 1, 20, 1, 'B'), (date '2026-01-02', 'mail', null, 7, 4, 'B'),"
        " (null, 'phone', 1, 99, 9, 'A')) as rows(day, channel, is_call, wait, amount, row_unit_id)"
    )
    build._write_parts(connection, MODEL, None)
    return connection


def _content(connection: duckdb.DuckDBPyConnection) -> list[list[tuple[object, ...]]]:
    return [connection.execute(f"select * from parts.{table} order by all").fetchall() for table in TABLES]


def test_sums_of_whole_numbers_are_bigints_and_the_others_keep_their_type(mart: duckdb.DuckDBPyConnection) -> None:
    kinds = {row[0]: row[1] for row in mart.execute("describe parts.fct").fetchall()}
    assert kinds["calls"] == "BIGINT"
    assert kinds["wait_squares"] == "DOUBLE"
    assert kinds["amount"] == "DECIMAL(38,2)"


def test_one_part_a_day_and_its_dimensions_and_rows_without_a_day_in_none(mart: duckdb.DuckDBPyConnection) -> None:
    sums, histogram = _content(mart)
    assert [(str(row[0]), *row[1:4], row[4], None if row[5] is None else float(str(row[5]))) for row in sums] == [
        ("2026-01-01", "mail", "A", 0, None, None),
        ("2026-01-01", "phone", "A", 2, 500.0, 3.75),
        ("2026-01-02", "mail", "B", None, 49.0, 4.0),
        ("2026-01-02", "phone", "A", 1, 400.0, 1.0),
        ("2026-01-02", "phone", "B", 1, 400.0, 1.0),
    ]
    assert [(str(row[0]), *row[1:]) for row in histogram] == [
        ("2026-01-01", "phone", "A", 10, 1),
        ("2026-01-01", "phone", "A", 20, 1),
        ("2026-01-02", "mail", "B", 7, 1),
        ("2026-01-02", "phone", "A", 20, 1),
        ("2026-01-02", "phone", "B", 20, 1),
    ]


def test_the_days_written_again_equal_a_whole_writing(mart: duckdb.DuckDBPyConnection) -> None:
    mart.execute("delete from main.fct where day = '2026-01-02' and row_unit_id = 'A'")
    mart.execute("insert into main.fct values ('2026-01-03', 'app', 1, 3, 1, 'B')")
    mart.execute("update main.fct set day = '2026-01-02' where day is null")
    days = [None, date(2026, 1, 2), date(2026, 1, 3)]
    build._write_parts(mart, MODEL, days)
    build._check_parts(mart, MODEL, days)
    build._check_parts(mart, MODEL, None)
    continued = _content(mart)
    build._write_parts(mart, MODEL, None)
    assert continued == _content(mart)


@pytest.mark.parametrize(
    ("damage", "measure"),
    [
        ("update parts.fct set calls = calls + 1 where metric_time = '2026-01-02' and channel = 'phone'", "fct.calls"),
        ("delete from parts.fct where metric_time = '2026-01-02' and channel = 'mail'", "fct.wait_squares"),
        ("update main.fct set amount = 2 where day = '2026-01-02' and row_unit_id = 'A'", "fct.amount"),
    ],
)
def test_parts_that_do_not_add_up_to_their_rows_are_refused_by_name(
    mart: duckdb.DuckDBPyConnection, damage: str, measure: str
) -> None:
    mart.execute(damage)
    for days in (None, [date(2026, 1, 2)], [None, date(2026, 1, 1), date(2026, 1, 2)]):
        with pytest.raises(build.SnapshotError, match=f"{measure}: the daily parts add up to"):
            build._check_parts(mart, MODEL, days)
    build._check_parts(mart, MODEL, [date(2026, 1, 1)])
    build._check_parts(mart, MODEL, [])
