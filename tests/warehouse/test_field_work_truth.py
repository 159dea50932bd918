"""The built-in company's field work, measured by the marts against what its truth says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from orchestration.settings import Settings


@pytest.fixture(scope="module")
def truth(demo_home: Path) -> dict[str, object]:
    return json.loads((demo_home / "demo" / "truth.json").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def visits(demo_home: Path) -> pl.DataFrame:
    return pl.read_parquet(demo_home / "demo" / "truth" / "visits.parquet")


@pytest.fixture(scope="module")
def marts(demo_settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute(f"attach '{demo_settings.raw_path}' as raw (read_only)")
        connection.execute(f"attach '{demo_settings.warehouse_path}' as warehouse (read_only)")
        connection.execute("use warehouse.marts")
        yield connection


def test_every_visit_is_found_with_its_times(marts: duckdb.DuckDBPyConnection, visits: pl.DataFrame) -> None:
    found = marts.sql(
        "select ticket_id, cast(visit_id as integer) as visit_number, dispatched_at, arrived_at, finished_at,"
        " case when finished_at is not null then visit_outcome end as outcome, is_out_of_order and arrived_at < dispatched_at as crooked"
        " from fct_visits where source = 'zendesk' order by 1, 2"
    ).pl()
    expected = visits.select(
        "ticket_id", "visit_number", "dispatched_at", "arrived_at", "finished_at",
        pl.when(pl.col("finished_at").is_not_null()).then(pl.col("outcome")).alias("outcome"),
        pl.col("dispatched_after_arrival").alias("crooked"),
    ).sort("ticket_id", "visit_number")  # fmt: skip
    delivered = expected.filter(pl.col("dispatched_at").is_not_null() | pl.col("arrived_at").is_not_null())
    assert delivered.height > 60
    assert_frame_equal(found.with_columns(pl.col("crooked").fill_null(False)), delivered, check_dtypes=False)
    missed = visits.filter(pl.col("outcome") == "missed")["ticket_id"].implode()
    assert marts.execute(
        "select count(*) from fct_visits where visit_outcome = 'missed' and not list_contains(?, ticket_id)",
        [missed[0].to_list()],
    ).fetchone() == (0,)


def test_first_time_fix_is_what_is_true_but_for_new_faults(
    marts: duckdb.DuckDBPyConnection, visits: pl.DataFrame
) -> None:
    """Each repair whose window is over: fixed by its first visit in truth and by the mart, unless the asset failed anew."""
    real = visits.filter(pl.col("outcome") != "cancelled").sort("ticket_id", "visit_number")
    true = real.group_by("ticket_id").agg(pl.col("truly_fixed").first(), pl.len().alias("visits"))
    found = marts.sql(
        "select w.ticket_id, w.is_first_time_fix, exists (select 1 from fct_work_orders as n where n.asset_id = w.asset_id"
        " and n.is_in_base and n.is_fault and n.reported_at > w.arrived_at and n.reported_at <= w.arrived_at + interval 40 days) as has_new_fault"
        " from fct_work_orders as w where w.is_first_time_fix is not null"
    ).pl()
    both = found.join(true, on="ticket_id", how="left")
    assert both.height > 30 and both["truly_fixed"].null_count() == 0
    assert 0.4 < both["truly_fixed"].mean() < 0.95  # type: ignore[operator]
    wrong = both.filter(pl.col("is_first_time_fix") != pl.col("truly_fixed"))
    # A visit that mended the fault is marked down only where the asset failed again; one that did not is never marked up.
    assert wrong.filter(pl.col("is_first_time_fix")).height == 0
    assert wrong.filter(~pl.col("has_new_fault")).height == 0


def test_appointments_end_as_is_true(
    marts: duckdb.DuckDBPyConnection, demo_home: Path, truth: dict[str, object]
) -> None:
    """Each promise that was delivered, with its window; what became of it, where that was delivered too."""
    promises = pl.read_parquet(demo_home / "demo" / "truth" / "appointments.parquet").sort("ticket_id", "promised_at")
    work = truth["field_work"]
    assert isinstance(work, dict)
    assert work["appointments"] == promises.height > 60
    found = marts.sql(
        "select ticket_id, coalesce(visit_number, cast(visit_id as integer)) as visit_number, promised_at, window_from, window_until, appointment_state,"
        " moved_at from fct_appointments where source = 'zendesk' order by ticket_id, promised_at"
    ).pl()
    columns = ["ticket_id", "visit_number", "promised_at", "window_from", "window_until"]
    assert_frame_equal(found.select(columns), promises.select(columns), check_dtypes=False)
    states = found["appointment_state"].to_list()
    pairs = list(zip(states, promises["state"].to_list(), strict=True))
    # The end of the data cuts off what comes later; until somebody arrives late he has not come.
    cut = {"not_final": set(promises["state"]), "missed": {"late", "missed"}}
    assert all(told == true or true in cut.get(told, ()) for told, true in pairs)
    assert sum(told == true for told, true in pairs) > 0.95 * len(pairs)
    assert {"kept", "late", "early", "rescheduled"} <= set(states)
    moved = found.filter(pl.col("moved_at").is_not_null())
    assert moved.height == promises.filter(pl.col("wished_by") != "").height > 0


def test_the_slow_department_is_seen(
    marts: duckdb.DuckDBPyConnection, demo_home: Path, truth: dict[str, object]
) -> None:
    work = truth["field_work"]
    assert isinstance(work, dict)
    asks = pl.read_parquet(demo_home / "demo" / "truth" / "department_asks.parquet")
    found = marts.sql(
        "select ticket_id, department, asked_at, answered_at from fct_department_waits where source = 'zendesk' order by 1, 2"
    ).pl()
    assert_frame_equal(found, asks.sort("ticket_id", "department"), check_dtypes=False)
    medians = dict(
        marts.execute(
            "select department, quantile_disc(turnaround_seconds, 0.5) from fct_department_waits group by department"
        ).fetchall()
    )
    slow = medians.pop(work["slow_department"])
    assert slow > 1.5 * max(medians.values())
    assert work["department_asks"] == found.height > 40
