"""The built-in company as it comes: its bad province alarms at once, and what else alarms is real or within the budget."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from scipy import stats

from orchestration.settings import Settings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(default_company: Path) -> Path:
    return default_company


@pytest.fixture(scope="module")
def truth(home: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((home / "demo" / "truth.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def marts(home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    settings = Settings(home=home)
    with duckdb.connect(":memory:") as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute(f"attach '{settings.raw_path}' as raw (read_only)")
        connection.execute(f"attach '{settings.warehouse_path}' as warehouse (read_only)")
        connection.execute("use warehouse.marts")
        yield connection


@pytest.fixture(scope="module")
def alerts(marts: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    return marts.sql(
        "select a.*, coalesce(u.province_id, 'HQ') as province_id from fct_alerts as a left join dim_org_units as u using (org_unit_id)"
        " where stage = 'after_the_fact' order by first_day, alert_id"
    ).pl()


def test_the_bad_province_alarms_on_its_first_bad_day_or_the_next(alerts: pl.DataFrame, truth: dict[str, Any]) -> None:
    bad = truth["bad_province"]
    first = date.fromisoformat(bad["first_day"])
    own = alerts.filter(
        pl.col("province_id") == bad["unit_code"],
        pl.col("is_worse"),
        pl.col("first_day").is_between(first, first + timedelta(days=1)),
    )
    assert own.filter(pl.col("unit_level") == "province").height >= 1
    assert "complaints" in own["metric"].to_list()


def test_the_burst_alarms_on_its_first_day(alerts: pl.DataFrame, truth: dict[str, Any]) -> None:
    burst = truth["burst"]
    own = alerts.filter(pl.col("org_unit_id") == burst["unit_code"], pl.col("metric") == "complaints")
    row = own.filter(pl.col("first_day") == date.fromisoformat(burst["first_day"])).row(0, named=True)
    assert row["severity"] in ("major", "critical")
    assert row["top_product_line"] == burst["product"]


def test_what_else_alarms_is_a_known_trouble_or_within_the_budget(
    marts: duckdb.DuckDBPyConnection, alerts: pl.DataFrame, truth: dict[str, Any]
) -> None:
    """Neither the bad month, nor the burst, nor an outage or fault of the unit in those days: chance, and chance has a budget."""
    bad, burst = truth["bad_province"], truth["burst"]
    spoilt = date.fromisoformat(bad["first_day"]), date.fromisoformat(bad["last_day"]) + timedelta(days=7)
    ablaze = (
        date.fromisoformat(burst["first_day"]),
        date.fromisoformat(burst["first_day"]) + timedelta(days=burst["days"]),
    )
    of_the_truth = (pl.col("province_id").is_in([bad["unit_code"], "HQ"]) & pl.col("first_day").is_between(*spoilt)) | (
        pl.col("province_id").is_in([burst["unit_code"], "HQ"]) & pl.col("first_day").is_between(*ablaze)
    )
    others = alerts.filter(~of_the_truth)
    unexplained = others.filter(pl.col("operational_events") == 0)
    row = marts.sql("select sum(expected_false_alarms) from fct_control_points").fetchone()
    assert row is not None and 10 < row[0] < 14  # one a month from 24 November 2025 on
    assert unexplained.height <= stats.poisson.ppf(0.95, row[0])
    assert others.height > unexplained.height  # outages do alarm


def total(frame: pl.DataFrame, column: str) -> float:
    return float(frame[column].sum())


def test_an_alert_splits_into_mix_and_level_exactly(marts: duckdb.DuckDBPyConnection, alerts: pl.DataFrame) -> None:
    """The change is that of the value between baseline and window, the largest contributor the one of the largest effect: by rows."""
    baselines = {
        row[0]: (row[1], row[2])
        for row in marts.sql(
            "select chart_id, min(counted_on), max(counted_on) from fct_control_points where is_baseline group by 1"
        ).fetchall()
    }
    parts = marts.sql("select * from warehouse.features.ftr_control_parts").pl()
    column = {
        "headquarters": None,
        "province": "province_id",
        "city": "city_id",
        "channel": "channel",
        "product_line": "product_line",
    }
    below = {"province": "city_id", "city": "org_unit_id"}
    split = 0
    for row in alerts.to_dicts():
        own = parts.filter(pl.col("metric") == row["metric"])
        above = column[row["unit_level"]]
        if above:
            own = own.filter(pl.col(above) == (row["part"] or row["org_unit_id"]))
        own = own.cast({"numerator": pl.Float64, "denominator": pl.Float64})
        now = own.filter(pl.col("day").is_between(row["first_day"], row["last_day"]))
        first, last = baselines[row["chart_id"]]
        then = own.filter(pl.col("day").is_between(first, last))
        if row["metric"] == "complaints":
            days = (row["last_day"] - row["first_day"]).days + 1, (last - first).days + 1
            change = total(now, "numerator") / days[0] - total(then, "numerator") / days[1]
            assert row["change_since_baseline"] == pytest.approx(change) and row["channel_mix_effect"] == 0
            continue
        rate = [total(frame, "numerator") / total(frame, "denominator") for frame in (now, then)]
        assert row["change_since_baseline"] == pytest.approx(rate[0] - rate[1])
        for name, key in (
            ("unit", below.get(row["unit_level"], "province_id")),
            ("channel", "channel"),
            ("product", "product_line"),
        ):
            effects, mix = {}, 0.0
            for part in set(now[key].to_list()) | set(then[key].to_list()):
                x1, n1, x0, n0 = (
                    total(frame.filter(pl.col(key).eq_missing(part)), what)
                    for frame in (now, then)
                    for what in ("numerator", "denominator")
                )
                r1, r0 = (x1 / n1 if n1 else x0 / n0), (x0 / n0 if n0 else x1 / n1)
                w1, w0 = n1 / total(now, "denominator"), n0 / total(then, "denominator")
                of_mix = (w1 - w0) * ((r1 + r0) / 2 - sum(rate) / 2)
                effects[part or "none"] = of_mix + (r1 - r0) * (w1 + w0) / 2
                mix += of_mix
            assert row[f"{name}_mix_effect"] == pytest.approx(mix, abs=1e-9)
            assert sum(effects.values()) == pytest.approx(rate[0] - rate[1])
            top = max(effects, key=lambda part: effects[part] * (1 if rate[0] >= rate[1] else -1))
            column_of = {"unit": "top_unit_id", "channel": "top_channel", "product": "top_product_line"}[name]
            share_of = {"unit": "top_unit_share", "channel": "top_channel_share", "product": "top_product_share"}[name]
            assert row[column_of] == top and row[share_of] == pytest.approx(effects[top] / (rate[0] - rate[1]))
            split += 1
    assert split > 15
