"""The model of churn risk: measures by hand and by a library, additivity, time order, leaks and the small bases."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from orchestration.modelling import risk
from orchestration.modelling.risk import Feature

SEED = pl.DataFrame(
    {
        "feature": ["bills", "fee", "kind"],
        "value_kind": ["number", "number", "category"],
        "reason": ["overdue", "fee", "kind"],
        "meaning": ["", "", ""],
    }
)
FEATURES = (Feature("bills", "number", "overdue"), Feature("fee", "number", "fee"), Feature("kind", "category", "kind"))
FIRST = date(2026, 1, 1)


def company(days: int, customers: int = 1500, seed: int = 4, strength: float = 1.0) -> pl.DataFrame:
    """Rows of past days a month apart; who leaves depends on bills and kind, and the fee says nothing."""
    frames = []
    for number in range(days):
        rng = np.random.default_rng(seed * 100 + number)
        bills = rng.poisson(0.4, customers)
        kind = rng.choice(["person", "enterprise"], customers, p=[0.8, 0.2])
        logit = -2.2 + strength * (0.9 * np.minimum(bills, 3) - 0.8 * (kind == "enterprise"))
        fee = rng.gamma(2, 30, customers)
        fee[rng.random(customers) < 0.05] = np.nan
        frames.append(
            pl.DataFrame(
                {
                    "as_of": [FIRST + timedelta(days=30 * number)] * customers,
                    "customer_key": [f"c{at:05d}" for at in range(customers)],
                    "has_left": rng.random(customers) < 1 / (1 + np.exp(-logit)),
                    "org_unit_id": ["U1"] * customers,
                    "customer_kind": kind,
                    "province": np.where(np.arange(customers) % 2, "P1", "P2"),
                    "product_line": ["mobile"] * customers,
                    "bills": bills,
                    "fee": pl.Series(fee).fill_nan(None),
                    "kind": kind,
                    "true_logit": logit,
                }
            )
        )
    return pl.concat(frames)


def model_table(rows: pl.DataFrame, checked: pl.DataFrame | None = None, **changed: object) -> pl.DataFrame:
    day = max(rows["as_of"].to_list())
    same = rows.filter(pl.col("as_of") == day)
    options: dict[str, object] = {
        "horizon_days": 90,
        "minimum_departures": 50,
        "auc_limit": 0.9,
        "as_of": day + timedelta(days=90),
    }
    return risk.risk_model(rows, same if checked is None else checked, SEED, **(options | changed))  # type: ignore[arg-type]


# -- measures ----------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=60))
def test_auc_is_that_of_a_library(pairs: list[tuple[bool, int]]) -> None:
    left, score = np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs], dtype=float)
    found = risk.auc(left, score)
    if left.all() or not left.any():
        assert found is None
    else:
        assert found == pytest.approx(roc_auc_score(left, score), abs=1e-12)


def test_the_interval_of_the_auc_covers() -> None:
    """120 samples in which each customer stands three times: a true AUC of 0.760 (two normals a standard deviation apart) inside 95 %."""
    inside = 0
    for seed in range(120):
        rng = np.random.default_rng(seed)
        left = rng.random(300) < 0.3
        score = rng.normal(0, 1, 300) + left
        row = np.repeat(np.arange(300), 3)
        _, low, high = risk.auc_interval(left[row], score[row], row)
        assert low is not None and high is not None
        inside += low <= 0.7602 <= high
    assert 108 <= inside <= 119


def test_captured_takes_ties_in_part() -> None:
    left = np.array([True, False, True, False, False, False, False, False, False, True])
    p = np.array([0.9, 0.5, 0.5, 0.5, 0.5, 0.1, 0.1, 0.1, 0.1, 0.1])
    assert risk.captured(left, p, 0.1) == pytest.approx(1 / 3)
    assert risk.captured(left, p, 0.3) == pytest.approx((1 + 2 / 4) / 3)  # two of the four that are tied
    assert risk.captured(left, p, 1.0) == pytest.approx(1)
    assert risk.captured(np.zeros(3, dtype=bool), np.zeros(3), 0.1) is None


def test_calibration_finds_what_was_bent() -> None:
    rng = np.random.default_rng(8)
    logit = rng.normal(-1, 1, 60_000)
    left = rng.random(60_000) < risk.sigmoid(logit)
    for bend, slope in ((1.0, 1.0), (2.0, 0.5)):
        found = risk.calibration(left, risk.sigmoid(bend * logit))
        assert found is not None
        assert found[0] == pytest.approx(slope, abs=4 * found[1])
    shifted = risk.calibration(left, risk.sigmoid(logit - 0.7))
    assert shifted is not None and shifted[2] == pytest.approx(0.7, abs=0.05)
    assert risk.calibration(np.zeros(5, dtype=bool), np.full(5, 0.1)) is None


# -- the model ---------------------------------------------------------------------------------------------------------


def test_learned_deviations_keep_what_tells_and_shrink_what_does_not() -> None:
    rows = company(4, customers=1500)
    left = rows["has_left"].to_numpy()
    fixed = risk.fit_risk(rows, FEATURES, left)
    learned = risk.fit_risk(rows, FEATURES, left, is_learned=True)
    reach = [
        {part.feature.name: float(np.ptp(points)) for part, points in zip(model.parts, model.points, strict=True)}
        for model in (fixed, learned)
    ]
    assert reach[1]["bills"] > reach[0]["bills"] and reach[1]["fee"] < reach[0]["fee"]
    later = company(1, customers=30_000, seed=9)
    error = [float(((model.logit(later) - later["true_logit"].to_numpy()) ** 2).mean()) for model in (fixed, learned)]
    assert error[1] < error[0]
    again = risk.fit_risk(rows, FEATURES, left, is_learned=True)
    assert all(np.array_equal(a, b) for a, b in zip(learned.points, again.points, strict=True))


def test_it_comes_near_the_truth_and_adds_up() -> None:
    rows = company(4, customers=6000)
    left = rows["has_left"].to_numpy()
    model = risk.fit_risk(rows, FEATURES, left)
    true, found = risk.auc(left, rows["true_logit"].to_numpy()), risk.auc(left, model.logit(rows))
    assert true is not None and found is not None and abs(found - true) < 0.01
    logit, names, adds = model.reasons(rows)
    assert names == ("fee", "kind", "overdue")
    np.testing.assert_allclose(logit, model.logit(rows), atol=1e-5)
    np.testing.assert_allclose(adds.mean(axis=0), 0, atol=1e-5)
    spread = dict(zip(names, adds.std(axis=0), strict=True))
    assert spread["overdue"] > 0.4 and spread["kind"] > 0.2 and spread["fee"] < 0.12


def test_rows_in_another_order_give_the_same_table() -> None:
    rows = company(6)
    assert model_table(rows).equals(model_table(rows.sample(fraction=1, shuffle=True, seed=3)))


def test_a_written_model_reads_back() -> None:
    rows = company(6)
    table = model_table(rows)
    model = risk.model_of(table)
    assert model is not None
    again = risk.model_of(pl.concat([table.head(5), table.tail(-5)]).sample(fraction=1, shuffle=True, seed=1))
    assert again is not None
    np.testing.assert_array_equal(model.logit(rows), again.logit(rows))
    strange = rows.head(2).with_columns(
        kind=pl.Series(["never seen", None]), bills=pl.lit(10**9), fee=pl.lit(None, dtype=pl.Float64)
    )
    assert np.all(np.isfinite(model.logit(strange)))


def test_probabilities_and_reasons_of_customers() -> None:
    rows = company(6)
    scored = risk.customer_risk(rows.tail(1500), model_table(rows))
    assert scored["churn_probability"].is_between(0, 1).all()
    owing = scored.filter(pl.Series(rows.tail(1500)["bills"] >= 2))
    assert (owing["reason_1"] == "overdue").all() and (owing["reason_1_points"] >= 0.1).all()
    assert scored.filter(pl.col("reason_2_points") > pl.col("reason_1_points")).is_empty()
    whole = risk.in_chunks(lambda: iter([rows.tail(1500).head(700), rows.tail(800)]), model_table(rows))
    assert whole.equals(scored)


def test_too_little_to_learn_from_is_said() -> None:
    short = model_table(company(3))
    assert risk.model_of(short) is None
    scored = risk.customer_risk(company(1), short)
    assert scored["churn_probability"].is_null().all() and (scored["no_score_reason"] == "too_little_history").all()
    few = model_table(company(6, customers=60))
    assert few.filter(pl.col("feature") == "(base)")["verdict"].to_list() == ["below_minimum_base"]
    assert model_table(company(6), as_of=None).is_empty()


def test_seeds_that_name_something_unknown_are_refused() -> None:
    for column, value, message in (
        ("feature", "nothing", "is no column"),
        ("value_kind", "text", "use number or category"),
        ("reason", "", "no reason"),
    ):
        with pytest.raises(ValueError, match=message):
            risk.features_of(SEED.with_columns(pl.lit(value).alias(column)), company(1).columns)


# -- time --------------------------------------------------------------------------------------------------------------


def test_what_came_later_changes_no_earlier_forecast() -> None:
    rows = company(10)
    table = model_table(rows)
    options = {"horizon_days": 90, "minimum_departures": 50, "test_dates": 1}
    newest = risk.risk_backtest(rows, table, SEED, **options)
    day = newest["as_of"][0]
    assert newest["as_of"].n_unique() == 1 and day == rows["as_of"].max()
    # Outcomes that were not known on the test day may be anything: of days whose horizon was not over.
    turned = rows.with_columns(
        has_left=pl.when(pl.col("as_of") > day - timedelta(days=90)).then(~pl.col("has_left")).otherwise("has_left")
    )
    again = risk.risk_backtest(turned, table, SEED, **options)
    assert again["probability"].equals(newest["probability"])
    assert not again["has_left"].equals(newest["has_left"])


def test_learning_calibration_and_test_do_not_overlap() -> None:
    days = [FIRST + timedelta(days=30 * number) for number in range(12)]
    learn, check = risk._periods(days, days[-1], 90)
    assert check == [days[8]] and learn == days[:6]
    assert risk._periods(days, days[1], 90) == ([], [])


def test_the_card() -> None:
    rows = company(11, customers=4000)
    backtest = risk.risk_backtest(rows, model_table(rows), SEED, horizon_days=90, minimum_departures=50, test_dates=3)
    card = risk.risk_card(backtest, segments=["customer_kind", "province"], minimum_departures=30, as_of=FIRST)
    whole = card.filter(pl.col("segment_kind") == "all").row(0, named=True)
    true = risk.auc(
        backtest["has_left"].to_numpy(),
        rows.filter(pl.col("as_of").is_in(backtest["as_of"].unique().to_list()))
        .sort("as_of", "customer_key")["true_logit"]
        .to_numpy(),
    )
    assert true is not None and whole["auc"] > true - 0.02 and whole["auc_low"] < true < whole["auc_high"] + 0.01
    assert 0.9 <= whole["calibration_slope"] <= 1.1
    assert whole["brier"] < whole["brier_of_the_mean"]
    assert whole["lift_10"] > 1.5 and whole["customer_days"] == 12_000
    assert set(card["segment"]) == {"all", "person", "enterprise", "P1", "P2"}
    small = risk.risk_card(backtest.head(40), segments=[], minimum_departures=30, as_of=FIRST).row(0, named=True)
    assert small["auc"] is None and small["reason"] == "below_minimum_base"


def test_the_tier_is_that_of_the_test_day() -> None:
    backtest = pl.DataFrame({"as_of": [FIRST, FIRST, FIRST], "customer_key": ["a", "b", "c"]})
    tiers = pl.DataFrame(
        {
            "customer_key": ["a", "a", "b"],
            "grade": ["old", "new", "later"],
            "valid_from": [date(2025, 1, 1), FIRST, date(2026, 2, 1)],
            "valid_to": [FIRST, None, None],
        }
    )
    assert risk.with_tiers(backtest, tiers).sort("customer_key")["customer_tier"].to_list() == ["new", None, None]


# -- leaks -------------------------------------------------------------------------------------------------------------


def test_a_feature_that_changes_when_the_future_is_taken_away_is_left_out() -> None:
    rows = company(6)
    day = rows["as_of"].max()
    checked = rows.filter(pl.col("as_of") == day).with_columns(
        bills=pl.when(pl.col("has_left")).then(pl.col("bills") - 1).otherwise("bills")
    )
    table = model_table(rows, checked)
    line = table.filter(pl.col("feature") == "bills")
    assert line["verdict"].to_list() == ["knows_the_future"]
    gone = int(rows.filter(pl.col("as_of") == day)["has_left"].sum())
    assert line["message"][0] == f"bills: {gone:,} of 1,500 values of {day!s} change when what came later is taken away"
    assert set(table.filter(pl.col("verdict") == "used")["feature"]) >= {"fee", "kind"}


def test_a_feature_that_is_too_good_is_left_out() -> None:
    rng = np.random.default_rng(2)
    rows = company(6)
    noisy = rows.with_columns(fee=pl.Series(rows["has_left"].to_numpy() * 1.0 + rng.normal(0, 0.25, rows.height)))
    line = model_table(noisy).filter(pl.col("feature") == "fee")
    assert line["verdict"].to_list() == ["too_good"] and "AUC of 0.9" in line["message"][0]
    # Against the direction, too, and the limit decides.
    turned = model_table(rows.with_columns(fee=-noisy["fee"])).filter(pl.col("feature") == "fee")
    assert turned["verdict"].to_list() == ["too_good"]
    assert "too_good" not in model_table(noisy, auc_limit=1.01)["verdict"].to_list()


def test_a_number_that_is_mostly_at_its_largest_has_edges_below() -> None:
    """Days to the end of a contract, cut at 1000: who leaves is where it is not 1000."""
    rows = company(6)
    days = np.where(rows["has_left"].to_numpy(), np.arange(rows.height) % 90, 1000)
    line = model_table(rows.with_columns(fee=pl.Series(days))).filter(pl.col("feature") == "fee")
    assert line["verdict"].to_list() == ["too_good"]


def test_a_handful_of_departures_accuses_no_feature() -> None:
    rows = company(6, customers=40).with_columns(has_left=pl.col("customer_key").is_in(["c00001", "c00003"]))
    lucky = rows.with_columns(fee=pl.when(pl.col("has_left")).then(1000.0).otherwise(1.0))
    found = risk.find_leaks(lucky, lucky.clear(), FEATURES, auc_limit=0.9, minimum_departures=50)
    assert found.filter(pl.col("feature") == "fee").row(0, named=True)["single_auc"] > 0.9
    assert "too_good" not in found["verdict"].to_list()
    accused = risk.find_leaks(lucky, lucky.clear(), FEATURES, auc_limit=0.9, minimum_departures=10)
    assert accused.filter(pl.col("verdict") == "too_good")["feature"].to_list() == ["fee"]


def test_what_is_left_out_is_left_out_of_the_backtest_too() -> None:
    rows = company(9)
    leaking = rows.with_columns(fee=pl.col("has_left").cast(pl.Float64))
    options = {"horizon_days": 90, "minimum_departures": 50, "test_dates": 1}
    found = risk.risk_backtest(leaking, model_table(leaking), SEED, **options)
    value = risk.auc(found["has_left"].to_numpy(), found["probability"].to_numpy())
    assert value is not None and 0.55 < value < 0.8


def test_a_check_of_other_customers_is_refused() -> None:
    rows = company(6)
    checked = rows.filter(pl.col("as_of") == rows["as_of"].max()).head(1499)
    with pytest.raises(ValueError, match="1 customers"):
        model_table(rows, checked)


def test_a_feature_without_differences_is_no_leak() -> None:
    line = model_table(company(6).with_columns(fee=pl.lit(5.0))).filter(pl.col("feature") == "fee")
    assert line["verdict"].to_list() == ["constant"]
