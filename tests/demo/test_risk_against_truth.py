"""Churn risk against a model that is given what truly drives the built-in company's customers to leave.

The simulation is run again from the plan in `truth.json`, without files; its hidden state at the end of each past day (how much a customer minds the price, what he resents,
whether he has stopped paying or ever will, contract terms near their end, an accepted offer) is what the other model gets. Both have the same estimator, days and protocol.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest

from orchestration.demo.people import ENTERPRISE
from orchestration.demo.plan import Plan
from orchestration.demo.world import World
from orchestration.modelling.risk import auc, risk_backtest

pytestmark = pytest.mark.slow

DRIVERS = ("price", "resentment", "stopped", "will_stop", "terms", "shield", "enterprise", "is_new")
GAP = 0.05
"""Measured: 0.037 (0.630 against 0.667), with a standard error of 0.018. The goal is 0.02; who will stop paying and most of how much a customer minds the price
are written down nowhere (docs/churn-risk.md). What stands here keeps the model from getting worse."""


@pytest.fixture(scope="module")
def home(default_company: Path) -> Path:
    return default_company


def asked(home: Path, query: str) -> pl.DataFrame:
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute(query).pl()


@pytest.fixture(scope="module")
def drivers(home: Path) -> pl.DataFrame:
    """Past rows of the features with the hidden state of the customer on that day."""
    plan = json.loads((home / "demo" / "truth.json").read_text(encoding="utf-8"))["plan"]
    start = date.fromisoformat(plan["start"])
    options = (
        "seed",
        "customers",
        "months",
        "calls_per_customer_month",
        "tickets_per_customer_month",
        "call_detail",
        "dirty",
    )
    company = Plan(start=start, **{name: plan[name] for name in options})
    world = World(company)
    states = []
    for _ in range(plan["months"]):
        world.advance()
        states.append((world.grievance.sum(axis=1), world.stopped.copy(), world.protected.copy()))
    numbers = pl.DataFrame(
        {"customer_id": world.customers.frame()["crm_no"], "number": np.arange(world.customers.count)}
    )
    keys = asked(home, "select customer_id, customer_key from marts.dim_customer_links where source = 'crm'")
    of_key = numbers.join(keys, on="customer_id").group_by("customer_key").agg(pl.col("number").min())
    rows = asked(home, "select * from features.ftr_customer_risk where has_left is not null").join(
        of_key, on="customer_key"
    )
    facts, subs = world.customers.facts, world.subs
    frames = []
    for day in sorted(rows["as_of"].unique().to_list()):
        part = rows.filter(pl.col("as_of") == day)
        at = part["number"].to_numpy()
        # The last month that was over by then: a day at a month's beginning knows nothing of that month.
        month, offset = 12 * (day.year - start.year) + day.month - start.month - (day.day < 15), (day - start).days
        known = len(states[month][0])
        resentment, stopped, protected = (
            np.concatenate([values, np.full(world.customers.count - known, fill, dtype=values.dtype)])
            for values, fill in zip(states[month], (0, -1, -1), strict=True)
        )
        terms = np.zeros(world.customers.count)
        here = (subs["end"] > offset) & (subs["contract"] > 0) & (subs["start"] <= offset)
        for ahead in (1, 2, 3):
            into = (company.month_days(month + ahead)[0] - subs["start"]) / 30.44
            whole = np.maximum(np.round(into / np.maximum(subs["contract"], 1)), 1) * subs["contract"]
            near = np.zeros(world.customers.count)
            near[subs["cust"][here & (np.abs(into - whole) < 1.5)]] = 1
            terms += near
        frames.append(
            part.with_columns(
                price=pl.Series(facts["price"][at].astype(np.float64)),
                resentment=pl.Series(np.minimum(resentment[at], 6).astype(np.float64)),
                stopped=pl.Series((stopped[at] >= 0).astype(np.float64)),
                will_stop=pl.Series(facts["bad_payer"][at].astype(np.float64)),
                terms=pl.Series(terms[at]),
                shield=pl.Series(np.maximum(protected[at] - month, 0).astype(np.float64)),
                enterprise=pl.Series((facts["kind"][at] == ENTERPRISE).astype(np.float64)),
                is_new=pl.Series((facts["since"][at] > offset - 60).astype(np.float64)),
            )
        )
    return pl.concat(frames)


def test_auc_is_near_that_of_a_model_given_the_true_drivers(home: Path, drivers: pl.DataFrame) -> None:
    seed = pl.DataFrame({"feature": DRIVERS, "value_kind": ["number"] * len(DRIVERS), "reason": DRIVERS})
    nothing = pl.DataFrame(schema={"feature": pl.String, "verdict": pl.String})
    given = risk_backtest(drivers, nothing, seed, horizon_days=90, minimum_departures=50, test_dates=3)
    ours = asked(home, "select * from scores.score_risk_backtest")
    both = ours.join(given.select("as_of", "customer_key", given="probability"), on=["as_of", "customer_key"])
    assert both.height > 0.98 * ours.height
    left = both["has_left"].to_numpy()
    found, best = auc(left, both["probability"].to_numpy()), auc(left, both["given"].to_numpy())
    assert found is not None and best is not None
    assert found >= best - GAP, (found, best)


def test_probabilities_are_calibrated(home: Path) -> None:
    row = asked(home, "select * from marts.fct_risk_card where segment_kind = 'all'").row(0, named=True)
    assert row["departures"] > 300
    # Measured: 1.05, with a standard error of 0.13.
    assert 0.9 <= row["calibration_slope"] <= 1.1
    assert row["calibration_slope_low"] < 1 < row["calibration_slope_high"]
    assert row["calibration_intercept_low"] < 0 < row["calibration_intercept_high"]


def test_no_feature_of_the_company_is_left_out_as_a_leak(home: Path) -> None:
    found = asked(
        home,
        "select feature, verdict, message from marts.fct_risk_features where verdict in ('knows_the_future', 'too_good')",
    )
    assert found.is_empty(), found


def test_reasons_have_labels_in_both_languages(home: Path) -> None:
    without = asked(
        home,
        "select distinct r.reason_1 from marts.fct_customer_risk as r where r.reason_1 is not null"
        " and r.reason_1 not in (select l.value from seeds.value_labels as l where l.dimension = 'risk_reason' and l.label_en <> '' and l.label_zh <> '')",
    )
    assert without.is_empty(), without


def test_bands_and_money_are_arithmetic_on_the_probability(home: Path) -> None:
    """By the thresholds of the seed: bands at 0.1 and 0.05, 90 days of fees in months of 30.4375 days."""
    found = asked(
        home,
        "select churn_probability p, risk_band, cast(monthly_fee as double) fee, value_at_risk from marts.fct_customer_risk",
    )
    assert found.height > 4000 and found["p"].null_count() == 0
    band = (
        pl.when(pl.col("p") >= 0.1)
        .then(pl.lit("high"))
        .when(pl.col("p") >= 0.05)
        .then(pl.lit("medium"))
        .otherwise(pl.lit("low"))
    )
    assert found.filter(band != pl.col("risk_band")).is_empty() and found["risk_band"].n_unique() == 3
    assert found.filter((pl.col("p") * pl.col("fee") * 90 / 30.4375 - pl.col("value_at_risk")).abs() > 1e-5).is_empty()
