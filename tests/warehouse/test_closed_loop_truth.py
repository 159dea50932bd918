"""The built-in company calls back by lot: the mart must find the effect that its truth names, which a mere before and after overstates."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import date
from typing import Any

import duckdb
import polars as pl
import pytest

from orchestration.demo import generate
from tests.warehouse.shop_project import ShopProject, make_shop_project, opened

READ = ("fct_closed_loop", "fct_loop_effects")

pytestmark = pytest.mark.slow

LEFT_OUT = ("rosters_", "agent_states_")
"""Large tables of the customer management that the loop does not read."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> ShopProject:
    project = make_shop_project(tmp_path_factory.mktemp("truth"), "surveys", "crm")
    generate(
        project.home / "inbox",
        customers=5_000,
        months=13,
        end=date(2026, 4, 12),
        calls=80_000,
        call_detail="lean",
        dirty=False,
    )
    for folder in (project.home / "inbox").iterdir():
        if folder.name not in project.sources:
            shutil.rmtree(folder)
    for path in (project.home / "inbox" / "crm").iterdir():
        if path.name.startswith(LEFT_OUT):
            path.unlink()
    project.load("load-1")
    project.build(*READ, full=True)
    return project


@pytest.fixture(scope="module")
def truth(project: ShopProject) -> dict[str, Any]:
    return json.loads((project.home / "demo" / "truth.json").read_text(encoding="utf-8"))["closed_loop"]  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def cases(project: ShopProject) -> pl.DataFrame:
    return pl.read_parquet(project.home / "demo" / "truth" / "closed_loop.parquet")


@pytest.fixture(scope="module")
def marts(project: ShopProject) -> Iterator[duckdb.DuckDBPyConnection]:
    with opened(project) as connection:
        yield connection


def test_every_case_has_its_lot_and_its_call(marts: duckdb.DuckDBPyConnection, cases: pl.DataFrame) -> None:
    found = marts.sql(
        "select response_id, assignment, is_contacted, contacted_at from fct_closed_loop where survey_id = 'CSAT01' and is_contact_final"
    ).pl()
    both = cases.join(found, on="response_id", how="inner")
    assert both.height > 150
    assert (both["held_out"] == (both["assignment"] == "held_out")).all() and (both["assignment"] != "none").all()
    called = both.filter(pl.col("reached"))
    # Nobody is missed; a callback after a complaint may have come first, and reaches some of those held out as well.
    assert called["is_contacted"].all() and (called["contacted_at"] <= called["called_at"]).all()
    assert (called["contacted_at"] == called["called_at"]).mean() > 0.85  # type: ignore[operator]
    assert both.filter(pl.col("held_out"))["is_contacted"].mean() < 0.3  # type: ignore[operator]


def test_second_answers_are_those_given(marts: duckdb.DuckDBPyConnection, cases: pl.DataFrame) -> None:
    """Who was unhappy twice may be asked again about the other time first; the others have their own second answer."""
    found = marts.sql(
        "select response_id, first_score, second_score, second_response_id as found_id from fct_closed_loop where is_asked_again"
    ).pl()
    both = cases.join(found, on="response_id", how="inner")
    own = both.filter(pl.col("second_response_id") == pl.col("found_id"))
    assert own.height > 100 and own.height > 0.9 * both.height
    said = pl.when(pl.col("reached")).then(pl.col("says_after_a_call")).otherwise(pl.col("says_without_a_call"))
    assert own.select((pl.col("second_score") == 25.0 * (said - 1)).all()).item()
    assert own.select((pl.col("first_score") == 25.0 * (pl.col("first_value") - 1)).all()).item()


def test_the_lot_finds_the_true_effect_and_before_and_after_overstates_it(
    marts: duckdb.DuckDBPyConnection, truth: dict[str, Any]
) -> None:
    row = (
        marts.sql("select * from fct_loop_effects where comparison = 'by_lot' and survey_id = 'CSAT01'")
        .pl()
        .to_dicts()[0]
    )
    true = truth["effect_of_being_on_the_list"]
    assert row["net_gain_low"] <= true <= row["net_gain_high"]
    assert row["net_gain_low"] > 0 and row["is_assigned_by_lot"] and not row["is_small_base"]
    # The whole interval lies below what before and after says: the rest is regression to the mean, which the control shows.
    assert row["gain_before_after"] > row["net_gain_high"] and row["gain_before_after"] > 2 * true
    assert row["gain_control"] > 0.5 * row["gain_before_after"]


def test_the_comparison_by_contact_is_near_the_effect_of_a_call_and_says_what_it_is(
    marts: duckdb.DuckDBPyConnection, truth: dict[str, Any]
) -> None:
    """Whom a call reaches is chance in this company, so here it is unbiased: within three standard errors."""
    row = (
        marts.sql("select * from fct_loop_effects where comparison = 'by_contact' and survey_id = 'CSAT01'")
        .pl()
        .to_dicts()[0]
    )
    error = (row["net_gain_high"] - row["net_gain_low"]) / (2 * 1.959964)
    assert abs(row["net_gain"] - truth["effect_of_a_call"]) < 3 * error
    assert row["gain_before_after"] > row["net_gain_high"] and not row["is_assigned_by_lot"]
