"""The built-in company knows what those would have said who did not answer: the weighted numbers come closer to that than the raw ones.

They do not reach it. What makes people answer is in the warehouse only as well as agents' marks and tickets tell it, and that the unhappy
answer more often whatever happened is not in it at all (docs/who-answers.md).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest

from dashboards.data.metrics import Filters, metric_value
from dashboards.data.snapshot import Snapshot, SnapshotStore
from orchestration.modelling.weights import area_under_curve
from tests.conftest import csatlas, refreshed

pytestmark = pytest.mark.slow

STATED_ERROR = 0.03
"""Of the weighted share; that of the raw one is about 0.04."""
CSAT = Filters(where={"survey_id": ("CSAT01",)})


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("answers") / "home"
    made = csatlas(
        found, "demo", "--customers", "1500", "--calls", "50000", "--tickets", "11000", "--months", "4", "--until", "2026-09-30", "--clean",
    )  # fmt: skip
    assert made.returncode == 0, made.stdout + made.stderr
    refreshed(found)
    return found


@pytest.fixture(scope="module")
def snapshot(home: Path) -> Iterator[Snapshot]:
    with closing(SnapshotStore(home / "serving")) as store:
        yield store.current()


@pytest.fixture(scope="module")
def asked(home: Path) -> pl.DataFrame:
    """Every invitation of the satisfaction survey with what was or would have been said."""
    truth = json.loads((home / "demo" / "truth.json").read_text(encoding="utf-8"))
    table = pl.read_parquet(home / "demo" / truth["tables"]["invitations"]["path"])
    found = table.filter(pl.col("survey_id") == "CSAT01").with_columns(
        is_answered=pl.col("outcome").str.starts_with("answered"), is_satisfied=pl.col("would_say") >= 4
    )
    assert found["is_satisfied"].mean() == pytest.approx(truth["response"]["true_csat_top2"], abs=1e-4)
    return found


def test_weighted_is_closer_to_the_truth_than_raw(snapshot: Snapshot, asked: pl.DataFrame) -> None:
    truth = asked["is_satisfied"].mean()
    raw, weighted = (metric_value(snapshot, name, CSAT).value for name in ("csat_top2", "csat_top2_weighted"))
    assert isinstance(truth, float) and raw is not None and weighted is not None
    print(f"truth {truth:.4f}, raw {raw:.4f}, weighted {weighted:.4f}")
    assert abs(raw - truth) > 0.03, "answers are not those of all who were asked"
    assert abs(weighted - truth) < STATED_ERROR
    assert abs(weighted - truth) < 0.7 * abs(raw - truth)
    mean = (asked["would_say"].mean() - 1) * 25  # type: ignore[operator]
    raw, weighted = (metric_value(snapshot, name, CSAT).value for name in ("csat_mean", "csat_mean_weighted"))
    assert raw is not None and weighted is not None
    assert abs(weighted - mean) < abs(raw - mean)


def test_the_silent_are_happier_than_those_who_answer(snapshot: Snapshot, asked: pl.DataFrame) -> None:
    (row,) = snapshot.rows(
        "select sum(silent) as silent, sum(silent * silent_value) / sum(silent) as estimate, sum(answers * answered_value) / sum(answers) as answered,"
        " min(population_lowest) as lowest, max(population_highest) as highest from fct_survey_silent where survey_id = 'CSAT01' and metric = 'csat_top2'"
    )
    silent = asked.filter(~pl.col("is_answered"))
    truth = silent["is_satisfied"].mean()
    assert isinstance(truth, float)
    print(f"silent: truth {truth:.4f}, estimate {row['estimate']:.4f}, answered {row['answered']:.4f}")
    # Some of the last answers are delivered after the end.
    assert 0 <= int(row["silent"]) - silent.height < 0.005 * silent.height
    assert row["answered"] < row["estimate"] < truth
    assert truth - row["estimate"] < 0.7 * (truth - row["answered"])


def test_bounds_without_a_model_hold_the_truth_of_every_month(snapshot: Snapshot, asked: pl.DataFrame) -> None:
    rows = snapshot.rows(
        "select * from fct_survey_silent where survey_id = 'CSAT01' and metric = 'csat_top2' order by period"
    )
    assert len(rows) == 4
    # Months of the units' zone, which is that of Shanghai.
    months = asked.with_columns(month=pl.col("sent_at").dt.offset_by("8h").dt.strftime("%Y-%m"))
    for row in rows:
        month = months.filter(pl.col("month") == row["period"])
        assert row["invited"] == month.height
        truth = month["is_satisfied"].mean()
        assert isinstance(truth, float)
        assert row["population_lowest"] < truth < row["population_highest"]


def test_the_model_is_calibrated_and_below_what_is_possible(snapshot: Snapshot, asked: pl.DataFrame) -> None:
    rows = snapshot.rows(
        "select figure, band, period, amount from fct_survey_response_model where survey_id = 'CSAT01' and figure like 'calibration%'"
    )
    amounts = {(row["period"], row["band"], row["figure"].removeprefix("calibration_")): row["amount"] for row in rows}
    bands = sorted({key[:2] for key in amounts})
    assert len(bands) == 40
    for period, band in bands:
        n, predicted, observed = (amounts[period, band, name] for name in ("invitations", "predicted", "observed"))
        assert abs(predicted - observed) < 4 * (predicted * (1 - predicted) / n) ** 0.5
    delivered = asked.filter(pl.col("outcome") != "not_delivered")
    told = delivered["is_answered"].cast(pl.Float64).to_numpy()
    best = area_under_curve(delivered["propensity"].cast(pl.Float64).to_numpy(), told, told * 0 + 1)
    found = [
        row["amount"]
        for row in snapshot.rows(
            "select amount from fct_survey_response_model where survey_id = 'CSAT01' and figure = 'auc'"
        )
    ]
    assert all(0.55 < auc < best + 0.03 for auc in found)


def test_the_way_of_answering_changes_no_answer_here(snapshot: Snapshot) -> None:
    """The truth has no effect of the mode on what is said; that of the voice menu looks like one until the facts are equal."""
    rows = snapshot.rows(
        "select * from fct_survey_mode_effects where survey_id = 'CSAT01' and question_role = 'csat' and mode <> reference_mode"
    )
    assert {row["mode"] for row in rows} | {rows[0]["reference_mode"]} == {"app", "email", "ivr", "sms"}
    assert all(abs(row["effect"]) < 3.3 * row["standard_error"] for row in rows)
