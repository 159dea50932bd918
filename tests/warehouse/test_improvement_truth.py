"""The built-in company knows which of its corrective actions works, and how well; the mart, from the files alone, must not miss it and must not praise the others.

A second computation counts the complaints of the cause from the truth itself, without a case or a rule.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from datetime import date
from typing import Any

import duckdb
import polars as pl
import pytest

from orchestration.demo import generate
from tests.warehouse.shop_project import ShopProject, make_shop_project, opened

pytestmark = pytest.mark.slow

LEFT_OUT = ("rosters_", "agent_states_", "payments_")
"""Large tables that complaints do not read."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> ShopProject:
    project = make_shop_project(tmp_path_factory.mktemp("actions"), "zendesk", "crm", "billing")
    generate(project.home / "inbox", end=date(2026, 11, 26), calls=30_000, call_detail="lean", dirty=False)
    for folder in (project.home / "inbox").iterdir():
        if folder.name not in project.sources:
            shutil.rmtree(folder)
    for path in (project.home / "inbox").glob("*/*"):
        if path.name.startswith(LEFT_OUT):
            path.unlink()
    project.load("load-1")
    project.build(full=True)
    return project


@pytest.fixture(scope="module")
def marts(project: ShopProject) -> Iterator[duckdb.DuckDBPyConnection]:
    with opened(project) as connection:
        yield connection


@pytest.fixture(scope="module")
def truth(project: ShopProject) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((project.home / "demo" / "truth.json").read_text(encoding="utf-8"))
    return found


def rows(marts: duckdb.DuckDBPyConnection, query: str, *values: Any) -> list[dict[str, Any]]:
    return marts.execute(query, list(values)).pl().to_dicts()


def test_the_planted_action_is_seen_and_its_true_effect_lies_in_the_interval(
    marts: duckdb.DuckDBPyConnection, truth: dict[str, Any]
) -> None:
    action = truth["corrective_action"]
    found = {
        row["method"]: row
        for row in rows(
            marts, "select * from marts.fct_improvement_effects where improvement_action_id = ?", action["action_no"]
        )
    }
    for method in ("difference_in_differences", "interrupted_series"):
        row = found[method]
        assert row["ratio_low"] <= action["rate_factor"] <= row["ratio_high"], row
        assert row["placebo_causes"] >= 10 and row["placebo_causes_significant"] <= 2
        assert row["placebo_dates"] >= 5 and row["placebo_dates_significant"] <= 1
    assert found["difference_in_differences"]["verdict"] == "fell"
    assert found["difference_in_differences"]["placebo_units_share"] <= 0.05
    # It goes on working to the end of the data.
    assert found["relapse"]["verdict"] == "not_seen"


def test_actions_without_effect_are_not_praised(marts: duckdb.DuckDBPyConnection, truth: dict[str, Any]) -> None:
    others = truth["corrective_action"]["others_without_effect"]
    found = rows(
        marts, "select * from marts.fct_improvement_effects where improvement_action_id in (select unnest(?))", others
    )
    assert {row["improvement_action_id"] for row in found} == set(others)
    judged = [row for row in found if row["rate_ratio"] is not None and row["method"] != "relapse"]
    # Four of them can be judged by both methods; the others are not done, or their unit has no complaints.
    assert len({row["improvement_action_id"] for row in judged}) >= 3
    for row in judged:
        assert row["ratio_low"] <= 1 <= row["ratio_high"] and row["verdict"] == "not_seen", row
        assert row["detectable_ratio"] < 1
    assert {row["reason"] for row in found if row["rate_ratio"] is None} <= {
        "not_done",
        "no_unit_in_scope",
        "cause_unknown",
    }


def test_the_estimate_is_that_of_the_truth_counted_without_the_warehouse(
    project: ShopProject, marts: duckdb.DuckDBPyConnection, truth: dict[str, Any]
) -> None:
    """The same periods and units, complaints counted in the company's own list of them: their ratio agrees within a tenth, for the cases join a few."""
    action = truth["corrective_action"]
    (row,) = rows(
        marts,
        "select * from marts.fct_improvement_effects where improvement_action_id = ? and method = 'difference_in_differences'",
        action["action_no"],
    )
    complaints = pl.read_parquet(project.home / "demo" / "truth" / "complaints.parquet").filter(
        (pl.col("symptom") == "repair_late") & ~pl.col("unit_code").str.starts_with("C-HB")
    )
    ours = pl.any_horizontal(pl.col("unit_code").str.starts_with(f"C-{unit[2:]}") for unit in action["units"])
    day = pl.col("opened_at").dt.date()
    counts = {
        (here, late): complaints.filter((ours if here else ~ours) & day.is_between(row[first], row[last])).height
        for here in (True, False)
        for late, first, last in ((False, "before_from", "before_until"), (True, "after_from", "after_until"))
    }
    assert [
        row[name] for name in ("complaints_before", "complaints_after", "others_before", "others_after")
    ] == pytest.approx(
        [counts[True, False], counts[True, True], counts[False, False], counts[False, True]], rel=0.06, abs=3
    )
    ratio = counts[True, True] * counts[False, False] / (counts[True, False] * counts[False, True])
    assert math.log(row["rate_ratio"]) == pytest.approx(math.log(ratio), abs=0.15)


def test_actions_stand_where_their_days_put_them(marts: duckdb.DuckDBPyConnection) -> None:
    found = {row["improvement_action_id"]: row for row in rows(marts, "select * from marts.fct_improvement_actions")}
    assert found["PDCA-001"]["phase"] == "act" and found["PDCA-001"]["is_checked_in_time"]
    assert found["PDCA-005"]["phase"] == "do" and found["PDCA-005"]["is_checked_in_time"] is None
    assert found["TRN-001"]["phase"] == "check" and found["TRN-001"]["is_checked_in_time"] is False
    assert (found["PDCA-001"]["cause_owner"], found["PDCA-001"]["cause_factor"]) == ("us", "process")
    # Counted here again: complaints on the topic in the two provinces.
    for name, when in (
        ("complaints_before", "c.opened_on < a.started_on"),
        ("complaints_after", "c.opened_on >= a.done_on"),
        ("open_complaints", "not c.is_closed"),
    ):
        ((expected,),) = marts.execute(
            "select count(*) from marts.fct_complaints as c join marts.dim_org_units as u using (org_unit_id) cross join marts.fct_improvement_actions as a"
            f" where a.improvement_action_id = 'PDCA-001' and c.topic = 'repair_late' and u.province_id in ('P-ZJ', 'P-GD') and {when}"
        ).fetchall()
        assert found["PDCA-001"][name] == expected
    assert 0 <= found["PDCA-001"]["customers_again"] <= found["PDCA-001"]["complaints_after"]
    assert found["PDCA-001"]["verdict"] == "fell" and found["PDCA-005"]["reason"] == "not_done"
