"""Bursts: the tail against its definition, false alarms of quiet companies against the budget, the planted burst, and that no day knows of later ones."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from polars.testing import assert_frame_equal
from scipy.stats import nbinom, poisson

from orchestration.demo import generate
from orchestration.modelling.hot_issues import COMPANY, SCHEMA, hot_issues, tail_probability

START = date(2026, 1, 5)
TOPICS, PLACES, PRODUCTS = 12, 6, 3


def frame(counts: NDArray[np.int64], start: date = START) -> pl.DataFrame:
    """counts: shape (days, topics, places, products)."""
    day, topic, place, product = np.nonzero(counts)
    return pl.DataFrame(
        {
            "topic": [f"t{n}" for n in topic], "province_id": [f"P{n}" for n in place], "product_line": [f"x{n}" for n in product],
            "opened_on": [start + timedelta(days=int(n)) for n in day], "customers": counts[day, topic, place, product].astype(np.int32),
        }
    ).with_columns(as_of=pl.lit(start + timedelta(days=len(counts) - 1)))  # fmt: skip


def quiet(seed: int, days: int = 365, *, clumps: float = 0.0) -> NDArray[np.int64]:
    """A company in which nothing happens: rates that differ by cell and weekday, by chance clumped."""
    rng = np.random.default_rng(seed)
    rates = (
        rng.gamma(0.4, 0.25, (1, TOPICS, PLACES, PRODUCTS))
        * np.array([1.3, 1.2, 1.1, 1.0, 1.0, 0.7, 0.7])[np.arange(days) % 7][:, None, None, None]
    )
    if clumps:
        rates = rng.gamma(1 / clumps, rates * clumps)
    return rng.poisson(rates)


def test_the_tail_is_that_of_the_distributions() -> None:
    """Summed term by term, with mean and variance as stated."""
    for count, mean, spread in ((4, 0.3, 1.7), (12, 5.0, 2.5), (3, 0.01, 1.02)):
        size = mean / (spread - 1)
        assert nbinom.stats(size, size / (size + mean)) == (pytest.approx(mean), pytest.approx(mean * spread))
        below = sum(nbinom.pmf(k, size, size / (size + mean)) for k in range(count))
        found = tail_probability(np.array([count]), np.array([mean]), np.array([spread]))[0]
        assert found == pytest.approx(1 - below, abs=1e-12)
    assert tail_probability(np.array([4.0]), np.array([0.3]), np.array([1.0]))[0] == pytest.approx(
        1 - poisson.cdf(3, 0.3)
    )
    with pytest.raises(ValueError, match="positive"):
        tail_probability(np.array([4.0]), np.array([0.0]), np.array([1.0]))


@pytest.mark.parametrize("clumps", [0.0, 0.3])
def test_false_alarms_keep_to_the_budget(clumps: float) -> None:
    """Ten quiet years: no more false alarms than the budget allows, with room for chance (three standard errors of a Poisson number)."""
    budget = 0.05
    tested = 10 * (365 - 30)
    alarms = sum(
        hot_issues(frame(quiet(seed, clumps=clumps)), false_alarms_per_day=budget, least_customers=1).height
        for seed in range(10)
    )
    allowed = budget * tested
    assert alarms <= allowed + 3 * np.sqrt(allowed)


def test_a_burst_is_found_on_its_first_or_second_day_and_kept_when_it_fades() -> None:
    counts = quiet(3)
    counts[200, 4, 2, 1] += 6
    counts[201:205, 4, 2, 1] += 9
    counts[300, 7, 0, 0] += 7
    found = hot_issues(frame(counts))
    burst = found.filter((pl.col("topic") == "t4") & (pl.col("place") == "P2")).row(0, named=True)
    assert (burst["first_on"] - (START + timedelta(days=200))).days in (0, 1)
    assert burst["customers"] >= 2 * burst["customers_at_first"] and not burst["is_running"]
    assert burst["last_on"] >= START + timedelta(days=204)
    assert burst["p_value"] <= burst["level"] == pytest.approx(0.02 / (2 * TOPICS * (PLACES + 1) * PRODUCTS), rel=1e-6)
    assert found.filter((pl.col("topic") == "t7") & (pl.col("first_on") == START + timedelta(days=300))).height == 1


def test_a_thin_burst_everywhere_is_one_of_the_company() -> None:
    counts = quiet(5) * 0
    counts[::9, 0, :, 0] = 1
    counts[250, 0, :, 0] += 3
    found = hot_issues(frame(counts), least_customers=4)
    assert found.filter(pl.col("first_on") == START + timedelta(days=250)).select("topic", "place").rows() == [
        ("t0", COMPANY)
    ]


def test_no_day_knows_of_later_ones() -> None:
    """Cut off on any day, the bursts known then are those of the whole, up to what they were then."""
    counts = quiet(8, 200)
    for day in (90, 120, 121, 122, 160):
        counts[day, 3, 1, 0] += 8
    whole = hot_issues(frame(counts))
    seen = [
        "topic",
        "place",
        "product_line",
        "first_on",
        "window_days",
        "customers_at_first",
        "expected_at_first",
        "p_value",
        "level",
    ]
    assert whole.height >= 3
    for day in (90, 91, 121, 150, 160, 199):
        cut = hot_issues(frame(counts[: day + 1]))
        then = whole.filter(pl.col("first_on") <= START + timedelta(days=day))
        assert_frame_equal(cut.select(seen), then.select(seen))


def test_a_new_normal_ends_a_burst() -> None:
    counts = quiet(9, 300) * 0
    counts[:, 0, 0, 0] = 1
    counts[100:, 0, 0, 0] = 9
    found = hot_issues(frame(counts))
    assert found.height == 1 and found["first_on"][0] == START + timedelta(days=100)
    assert 28 <= (found["last_on"][0] - found["first_on"][0]).days <= 70


def test_rows_in_any_order_and_no_rows() -> None:
    days = frame(quiet(1, 120))
    assert_frame_equal(hot_issues(days), hot_issues(days.sample(fraction=1.0, shuffle=True, seed=3)))
    assert hot_issues(days.clear()).schema == pl.Schema(SCHEMA)
    assert hot_issues(frame(quiet(1, 20))).is_empty()
    with pytest.raises(ValueError, match="no test"):
        hot_issues(days, window_days=30)


@pytest.fixture(scope="module", params=[7, 11])
def company(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], pl.DataFrame]:
    """A built-in company, its complaints and what each came from."""
    inbox = tmp_path_factory.mktemp(f"hot{request.param}") / "inbox"
    made = generate(
        inbox,
        seed=request.param,
        customers=4_000,
        months=9,
        end=date(2026, 11, 26),
        calls=2_000,
        call_detail="lean",
        dirty=False,
    )
    truth = json.loads(made.truth_path.read_text(encoding="utf-8"))
    folder: Path = made.truth_path.parent
    issues = pl.read_parquet(folder / truth["tables"]["issues"]["path"]).select("issue_id", "outage_no")
    complaints = pl.read_parquet(folder / truth["tables"]["complaints"]["path"]).join(issues, on="issue_id", how="left")
    return truth, complaints.with_columns(
        topic=pl.col("symptom"), province_id=pl.col("unit_code").str.replace("^[CT]-([A-Z]+).*$", "P-$1"), product_line=pl.col("product"),
        opened_on=(pl.col("opened_at") + timedelta(hours=8)).dt.date(),
    )  # fmt: skip


def test_the_planted_burst_and_the_false_alarms_of_a_company(company: tuple[dict[str, Any], pl.DataFrame]) -> None:
    """The burst of the truth on its first or second day. Alarms that neither it, an outage nor the bad month explain are false: at most the budget's share of days, with room for chance."""
    truth, complaints = company
    cell = ["topic", "province_id", "product_line"]
    days = (
        complaints.group_by(*cell, "opened_on")
        .agg(customers=pl.col("customer_no").n_unique().cast(pl.Int32))
        .with_columns(as_of=pl.lit(complaints["opened_on"].max()))
    )
    found = hot_issues(days)
    burst = truth["burst"]
    hits = found.filter(
        (pl.col("topic") == burst["symptom"])
        & (pl.col("place") == burst["unit_code"])
        & (pl.col("product_line") == burst["product"])
    )
    lag = [(first - date.fromisoformat(burst["first_day"])).days for first in hits["first_on"]]
    assert any(0 <= days_late <= 1 for days_late in lag), hits
    explained = complaints.filter(pl.col("in_burst") | pl.col("in_bad_period") | pl.col("outage_no").is_not_null())
    false = 0
    for row in found.iter_rows(named=True):
        begin = row["first_on"] - timedelta(days=row["window_days"] - 1)
        near = explained.filter(
            (pl.col("topic") == row["topic"])
            & (pl.col("product_line") == row["product_line"])
            & pl.col("opened_on").is_between(begin, row["last_on"])
        )
        if row["place"] != COMPANY:
            near = near.filter(pl.col("province_id") == row["place"])
        false += near.is_empty()
    first, last = days.select(pl.col("opened_on").min(), last=pl.col("opened_on").max()).row(0)
    tested = (last - first).days - 30
    assert false <= 0.02 * tested + 3 * np.sqrt(0.02 * tested), found
