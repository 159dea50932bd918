"""The effects of the trainings and the leniency of the reviewers, estimated from the files, beside the truth.

A company of few customers who call often, so that there are as many agents as in a large one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.conftest import company

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    options = ("--customers", "1200", "--calls", "64000", "--tickets", "6000", "--months", "8", "--until", "2026-09-30", "--clean")  # fmt: skip
    return company(
        tmp_path_factory.mktemp("trained") / "home", *options, read=("fct_reviewer_agreement", "fct_training_effects")
    )


@pytest.fixture(scope="module")
def truth(home: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((home / "demo" / "truth.json").read_text(encoding="utf-8"))["quality"]
    return found


@pytest.fixture(scope="module")
def marts(home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"attach '{home / 'raw.duckdb'}' as raw (read_only)")
        connection.execute(f"attach '{home / 'warehouse.duckdb'}' as warehouse (read_only)")
        connection.execute("use warehouse.marts")
        yield connection


def test_the_interval_of_each_training_covers_its_true_effect(
    marts: duckdb.DuckDBPyConnection, truth: dict[str, Any]
) -> None:
    assert len(truth["trainings"]) == 2
    for training in truth["trainings"]:
        row = marts.execute(
            "select effect_low, effect_high, adjusted_low, adjusted_high, agents_trained, is_final, is_target_item from fct_training_effects"
            " where improvement_action_id = ? and item = ?",
            [training["action_no"], training["item"]],
        ).fetchone()
        assert row is not None
        low, high, adjusted_low, adjusted_high, trained, is_final, is_target = row
        true = training["effect_points"] / truth["points_per_item"]
        assert trained >= 4 and is_final and is_target
        assert low <= true <= high and adjusted_low <= true <= adjusted_high, training
        # It tells an effect of 1.6 points from none.
        assert (low > 0) == (true > 0)


def test_the_differences_of_reviewers_are_those_of_their_leniency(
    marts: duckdb.DuckDBPyConnection, truth: dict[str, Any]
) -> None:
    rows = marts.execute(
        "select reviewer_1, reviewer_2, sum(mean_difference * contacts) / sum(contacts), sum(contacts) from fct_reviewer_agreement"
        " where item = 'all' and statistic = 'ac1' and period = 'year' and reviewer_1 <> 'all' group by all"
    ).fetchall()
    assert len(rows) == 10
    leniency = truth["reviewer_leniency_points"]
    missed = 0
    for first, second, difference, contacts in rows:
        true = (leniency[first] - leniency[second]) / truth["points_per_item"]
        # Mean of five items by two reviewers, each with chance of one point of 20 (and rounding).
        error = (2 * (truth["reviewer_sd"] ** 2 + 1 / 12) / 5 / contacts) ** 0.5 / truth["points_per_item"]
        missed += abs(difference - true) > 3 * error + 0.01  # what is cut off at 20 points draws the two together
    assert missed == 0


def test_agreement_is_fair_and_not_perfect(marts: duckdb.DuckDBPyConnection) -> None:
    found = dict(
        marts.execute(
            "select statistic, value from fct_reviewer_agreement where reviewer_1 = 'all' and item = 'all' and period = 'year'"
        ).fetchall()
    )
    assert 0.55 < found["kappa_quadratic"] < 0.9
    assert found["ac2_quadratic"] > found["kappa_quadratic"]
    assert found["percent_agreement"] > 0.8
