"""Charts, plans, alerts, promises, shortboard list and coverage of the small company, each recomputed another way from the rows."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
import yaml

from dashboards.data.intervals import wilson
from dashboards.data.metrics import catalogue, metric_value
from dashboards.data.snapshot import Snapshot, SnapshotStore
from orchestration.settings import PROJECT_ROOT, Settings
from tests.conftest import csatlas, refreshed

pytestmark = pytest.mark.slow


def seed(name: str) -> list[dict[str, str]]:
    with (PROJECT_ROOT / "seeds" / f"{name}.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


THRESHOLDS = {row["threshold"]: float(row["value"]) for row in seed("service_thresholds")}


@pytest.fixture(scope="module")
def marts(demo_settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute(f"attach '{demo_settings.raw_path}' as raw (read_only)")
        connection.execute(f"attach '{demo_settings.warehouse_path}' as warehouse (read_only)")
        connection.execute("use warehouse.marts")
        yield connection


@pytest.fixture(scope="module")
def snapshot(demo_home: Path) -> Iterator[Snapshot]:
    with closing(SnapshotStore(demo_home / "serving")) as store:
        yield store.current()


def rows(marts: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    return marts.sql(sql).pl().to_dicts()


@pytest.mark.parametrize(("table", "clock"), [("fct_control_points", "counted_on"), ("fct_plan_actual", "month_start")])
def test_each_level_is_exactly_the_sum_of_its_parts(marts: duckdb.DuckDBPyConnection, table: str, clock: str) -> None:
    """Headquarters = provinces and what no province owns; a province = its cities and what no city owns."""
    base = "sum(numerator), sum(case when metric = 'complaints' then 0 else denominator end)"
    groups = f"metric, {clock}"
    whole = f"select 'HQ' as unit, {groups}, {base} from {table} where unit_level = 'headquarters' group by all"
    its_parts = (
        f"select 'HQ' as unit, {groups}, {base} from {table}"
        " where unit_level = 'province' or (unit_level = 'rest' and org_unit_id = 'HQ') group by all"
    )
    provinces = f"select org_unit_id as unit, {groups}, {base} from {table} where unit_level = 'province' group by all"
    their_parts = (
        f"select parent_unit_id as unit, {groups}, {base} from {table}"
        " where parent_unit_id <> 'HQ' and unit_level in ('city', 'rest') group by all"
    )
    for one, other in ((whole, its_parts), (provinces, their_parts)):
        assert marts.sql(one).fetchall()
        # A count per day is also there as a zero, which a part that is not yet or no longer there has not.
        left, right = (
            f"select * from ({sql}) as t (unit, metric, day, x, n) where x > 0 or n > 0" for sql in (one, other)
        )
        assert marts.sql(f"({left}) except ({right}) union all (({right}) except ({left}))").fetchall() == []


def test_charts_count_what_the_metrics_count(marts: duckdb.DuckDBPyConnection, snapshot: Snapshot) -> None:
    metrics = catalogue(snapshot)
    found = rows(
        marts,
        "select metric, sum(numerator) as x, sum(denominator) as n from fct_control_points where unit_level = 'headquarters' group by 1",
    )
    assert {row["metric"] for row in found} == {row["metric"] for row in seed("control_charts")}
    for row in found:
        expected = metric_value(snapshot, row["metric"])
        assert row["metric"] in metrics
        if row["metric"] == "complaints":
            assert row["x"] == expected.value
        else:
            assert (row["x"], row["n"]) == (expected.numerator, expected.denominator), row["metric"]


def test_the_seed_names_the_measures_of_its_mart() -> None:
    measures = {}
    for path in (PROJECT_ROOT / "dbt_project" / "models" / "marts").rglob("*.yml"):
        for model in yaml.safe_load(path.read_text(encoding="utf-8")).get("semantic_models", []):
            measures[model["name"]] = {one["name"] for one in model.get("measures", [])}
    for row in seed("control_charts"):
        assert row["numerator"] in measures[row["mart"]], row
        assert row["denominator"] in measures[row["mart"]] | {"day"}, row
        assert row["direction"] in ("up", "down") and row["owner"] and int(row["minimum_base"]) > 0


def test_targets_by_the_closest_line(marts: duckdb.DuckDBPyConnection) -> None:
    lines, headlines = seed("unit_targets"), seed("targets")

    def held(metric: str, unit: str, month_end: date) -> tuple[float, float, str] | None:
        def fits(line: dict[str, str]) -> tuple[bool, int, str] | None:
            pattern = line["org_unit_id"]
            right = pattern == unit or (pattern.endswith("*") and unit.startswith(pattern[:-1]))
            begun = date.fromisoformat(line["valid_from"]) <= month_end
            return (
                (pattern == unit, len(pattern), line["valid_from"])
                if line["metric"] == metric and right and begun
                else None
            )

        fitting = sorted((rank, at) for at, line in enumerate(lines) if (rank := fits(line)))
        if fitting:
            line = lines[fitting[-1][1]]
            return float(line["target"]), float(line["plan"] or line["target"]), "unit_targets"
        head = [line for line in headlines if line["metric"] == metric]
        return (float(head[-1]["target"]), float(head[-1]["target"]), "targets") if head else None

    found = {
        (row["metric"], row["org_unit_id"], row["month_start"]): (row["target"], row["plan"], row["target_from"])
        for row in rows(marts, "select * from fct_targets")
    }
    expected = {
        (row["metric"], row["org_unit_id"], row["month_start"]): target
        for row in rows(
            marts,
            "select distinct metric, org_unit_id, month_start, last_day(month_start) as month_end from fct_plan_actual where unit_level <> 'rest'",
        )
        if (target := held(row["metric"], row["org_unit_id"], row["month_end"]))
    }
    assert found == expected
    assert found[("csat_top2", "P-XJ", date(2026, 9, 1))] == (0.8, 0.74, "unit_targets")
    assert found[("csat_top2", "C-XJ-WL", date(2026, 9, 1))][0] == 0.85
    assert found[("reopen_rate", "HQ", date(2026, 9, 1))] == (0.08, 0.08, "targets")


def test_plan_against_actual(marts: duckdb.DuckDBPyConnection) -> None:
    points = marts.sql("select * from fct_control_points").pl()
    seen = set()
    window = THRESHOLDS["forecast_window"]
    for row in rows(marts, "select * from fct_plan_actual where metric <> 'complaints'"):
        own = points.filter(pl.col("chart_id") == row["chart_id"])
        month = own.filter(pl.col("counted_on").dt.truncate("1mo") == row["month_start"])
        assert (row["numerator"], row["denominator"]) == (month["numerator"].sum(), month["denominator"].sum())
        assert row["actual"] == pytest.approx(row["numerator"] / row["denominator"])
        seen.add(row["plan_state"])
        if row["is_final"]:
            assert row["forecast"] is None and not row["is_early_warning"] and row["days_left"] == 0
            if row["plan"] is None:
                assert row["plan_state"] == "no_plan"
                continue
            worse = row["actual"] > row["plan"] if row["direction"] == "down" else row["actual"] < row["plan"]
            minimum = month["minimum_base"][0]
            assert row["plan_state"] == ("small_base" if row["denominator"] < minimum else "missed" if worse else "met")
            continue
        last = row["last_final_day"]
        recent = own.filter(pl.col("is_final") & ((last - pl.col("counted_on")).dt.total_days() < window))
        final = month.filter("is_final")
        if recent["denominator"].sum() == 0:
            assert row["forecast"] is None
            continue
        more = float(recent["denominator"].sum()) / window * row["days_left"]
        rate = float(recent["numerator"].sum()) / float(recent["denominator"].sum())
        expected = (float(final["numerator"].sum()) + rate * more) / (float(final["denominator"].sum()) + more)
        assert row["forecast"] == pytest.approx(expected)
        if row["plan"] is None:
            assert row["plan_state"] == "no_plan" and not row["is_early_warning"]
            continue
        worse_by = (1 if row["direction"] == "down" else -1) * (expected - row["plan"])
        assert not row["is_early_warning"] or worse_by > 0
    assert {"met", "missed", "running"} <= seen
    assert rows(marts, "select count(*) as n from fct_alerts where stage = 'early_warning'") == rows(
        marts, "select count(*) as n from fct_plan_actual where is_early_warning and unit_level <> 'rest'"
    )


def test_running_breaches_are_the_open_promises_now(marts: duckdb.DuckDBPyConnection) -> None:
    known_until = rows(marts, "select max(known_until) as at from warehouse.intermediate.int_ticket_horizons")[0]["at"]
    open_now = marts.sql(
        "select s.*, u.province_id, t.last_event_at from fct_ticket_slas s left join dim_org_units u using (org_unit_id)"
        " inner join warehouse.intermediate.int_ticket_facts t using (source, ticket_id) where s.is_in_base and fulfilled_at is null and ended_at is null"
    ).pl()
    soon = (pl.col("due_at") - known_until).dt.total_seconds() <= THRESHOLDS["promise_due_soon"]
    overdue = pl.col("sla_state") == "breached"
    silent = (known_until - pl.max_horizontal("due_at", "last_event_at")).dt.total_seconds() > THRESHOLDS[
        "promise_stale"
    ]
    found = rows(marts, "select * from fct_alerts where stage = 'in_process'")
    assert {row["unit_level"] for row in found} == {"headquarters", "province", "city"}
    for row in found:
        assert row["as_of_at"] == known_until
        own = open_now.filter(pl.concat_str(pl.lit("sla_attainment_"), "sla_metric") == row["metric"])
        if row["unit_level"] != "headquarters":
            own = own.filter(
                pl.col("province_id" if row["unit_level"] == "province" else "org_unit_id") == row["org_unit_id"]
            )
        assert row["stale_promises"] == own.filter(overdue & silent).height
        own = own.filter(~silent)
        late = own.filter(overdue)
        assert row["numerator"] == late.height
        assert row["denominator"] == own.filter(overdue | ((pl.col("sla_state") == "running") & soon)).height
        oldest = late["due_at"].min()
        assert row["overdue_seconds"] == (int((known_until - oldest).total_seconds()) if late.height else None)
        assert (row["severity"] == "minor") == (late.height == 0)
    # Tickets on which nothing has happened for weeks are there, and are not what the alerts are about.
    assert max(row["stale_promises"] for row in found if row["unit_level"] == "headquarters") > 0
    assert open_now.filter(overdue & ~silent).height == sum(
        row["numerator"] for row in found if row["unit_level"] == "headquarters"
    )
    whole = {row["metric"]: row["numerator"] for row in found if row["unit_level"] == "headquarters"}
    for level in ("province", "city"):
        parts: dict[str, int] = {}
        for row in found:
            if row["unit_level"] == level:
                parts[row["metric"]] = parts.get(row["metric"], 0) + row["numerator"]
        assert parts == whole


def test_promises_are_those_of_their_marts(marts: duckdb.DuckDBPyConnection) -> None:
    kinds = {row["ticket_kind"]: row["promise_kind"] for row in seed("promise_kinds")}
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    direct = {
        "timeliness": f"select count(*) filter (where is_met), count(*) from fct_ticket_slas where is_in_base and (is_met or is_breached) and ticket_kind in ({listed})",
        "effectiveness": f"select count(*) filter (where is_solved and not is_reopened), count(*) from fct_tickets where is_in_base and was_solved and ticket_kind in ({listed})",
        "satisfaction": f"select count(*) filter (where is_csat_satisfied), count(*) from fct_survey_answers where is_csat and ticket_kind in ({listed})",
        "information": f"select count(*) filter (where is_told_in_time), count(*) from fct_work_orders where is_in_base and is_told_in_time is not null and ticket_kind in ({listed})",
    }
    for promise, sql in direct.items():
        kept = marts.sql(
            f"select cast(sum(kept) as bigint), cast(sum(due) as bigint) from fct_promises where promise = '{promise}'"
        ).fetchone()
        assert kept == marts.sql(sql).fetchone() and kept is not None and kept[1] > 0
    assert rows(marts, "select * from fct_promises where kept > due or due = 0") == []
    one = "from fct_tickets where ticket_kind = 'complaint' and is_in_base and was_solved and date_trunc('month', created_on) = '2026-08-01'"
    assert marts.sql("select cast(sum(due) as bigint) from fct_promises where promise_kind = 'complaint' and promise = 'effectiveness' and month_start = '2026-08-01'").fetchone() == marts.sql(f"select count(*) {one}").fetchone()  # fmt: skip


def test_the_shortboard_list_ranks_by_what_closing_a_gap_brings(marts: duckdb.DuckDBPyConnection) -> None:
    found = rows(marts, "select * from fct_shortboard")
    ranked = [row for row in found if row["is_ranked"]]
    assert ranked and len(ranked) < len(found)
    for row in found:
        months = (
            (row["last_month"].year - row["first_month"].year) * 12
            + row["last_month"].month
            - row["first_month"].month
            + 1
        )
        assert 1 <= months <= THRESHOLDS["shortboard_months"]
        sign = 1 if row["direction"] == "down" else -1
        peers = [one for one in ranked if (one["metric"], one["unit_level"]) == (row["metric"], row["unit_level"])]
        if peers and row["unit_level"] != "headquarters":
            best = min(sign * one["value"] for one in peers)
            assert sign * row["best_value"] == pytest.approx(best)
            assert row["gap_to_best"] == pytest.approx(max(sign * row["value"] - best, 0))
        if row["target"] is None:
            assert row["gap_to_target"] is None and row["gain_to_target_a_month"] is None
            continue
        assert row["gap_to_target"] == pytest.approx(max(sign * (row["value"] - row["target"]), 0))
        assert row["gain_to_target_a_month"] == pytest.approx(row["gap_to_target"] * row["denominator"] / months)
        assert (row["low"], row["high"]) == pytest.approx(wilson(row["numerator"], row["denominator"]), abs=1e-9)
        assert (row["gain_rank"] is None) == (not row["is_ranked"])
        if row["is_ranked"]:
            gain = row["gap_to_target"] * row["denominator"]
            assert row["gain_rank"] == 1 + sum(one["gap_to_target"] * one["denominator"] > gain + 5e-7 for one in peers)


def test_coverage_adds_up(marts: duckdb.DuckDBPyConnection) -> None:
    totals = {
        row["metric"]: row["base"]
        for row in rows(
            marts,
            "select metric, cast(sum(case when metric = 'complaints' then numerator else denominator end) as bigint) as base from fct_control_points where unit_level = 'headquarters' group by 1",
        )
    }
    found = (
        marts.sql(
            "select metric, dimension, cast(sum(base) as bigint) as base, sum(share) as share from fct_metric_coverage group by all"
        )
        .pl()
        .to_dicts()
    )
    assert len(found) == 5 * len(totals)
    for row in found:
        assert row["base"] == totals[row["metric"]] and row["share"] == pytest.approx(1)
    unknown = marts.sql(
        "select base from fct_metric_coverage where metric = 'complaint_share' and dimension = 'product_line' and dimension_value = 'unknown'"
    ).fetchone()
    direct = marts.sql("select count(*) from fct_tickets where is_in_base and product_line = 'unknown'").fetchone()
    assert (unknown or (0,)) == direct
    assert rows(marts, "select * from fct_metric_coverage where is_known <> (dimension_value <> 'unknown')") == []


def test_one_source_refreshed_keeps_the_running_stage_young(demo_copy: Callable[[], Path]) -> None:
    home = demo_copy()

    def as_of() -> tuple[Any, Any]:
        with closing(SnapshotStore(home / "serving")) as store:
            row = store.current().rows(
                "select max(as_of_at) as at, (select max(created_at) from fct_tickets) as newest from fct_alerts where stage = 'in_process'"
            )[0]
        return row["at"], row["newest"]

    before = as_of()
    made = csatlas(home, "demo", "--next-day")
    assert made.returncode == 0, made.stdout + made.stderr
    refreshed(home, "--source", "zendesk")
    after = as_of()
    assert after[0] > before[0] and after[1] > before[1] and after[0] >= after[1]
