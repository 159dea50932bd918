"""The response model against scikit-learn, raking and trimming against hand and brute force, weights against an invented truth, and every edge."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score

from orchestration.modelling import weights
from orchestration.modelling.weights import Facts, Rule

DAY = date(2026, 3, 31)
FACTS = ("channel", "outcome")
RULE = Rule("*", FACTS, FACTS, cap=5, minimum_answers=10, ridge=1.0)


def classes(rows: list[tuple[str, str, int, int, int]], period: str = "2026-03", survey: str = "S") -> pl.DataFrame:
    """Classes of one survey and period: channel, outcome, sent, delivered, answered."""
    return pl.DataFrame(
        [
            ("surveys", survey, period, channel, outcome, f"{channel}|{outcome}", sent, delivered, answered, DAY)
            for channel, outcome, sent, delivered, answered in rows
        ],
        schema={
            "source": pl.String, "survey_id": pl.String, "period": pl.String, "channel": pl.String, "outcome": pl.String,
            "invitation_class": pl.String, "sent": pl.Int64, "delivered": pl.Int64, "answered": pl.Int64, "last_day": pl.Date,
        },
        orient="row",
    )  # fmt: skip


PLAIN = [
    ("sms", "solved", 600, 580, 90),
    ("sms", "not", 200, 190, 70),
    ("mail", "solved", 150, 140, 14),
    ("mail", "not", 50, 45, 12),
]


def figure(quality: pl.DataFrame, name: str) -> float:
    (amount,) = quality.filter(pl.col("figure") == name)["amount"]
    return float(amount)


# --- the response model -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ridge", [0.5, 1.0, 20.0])
def test_the_fit_is_that_of_scikit_learn(ridge: float) -> None:
    dice = np.random.default_rng(3)
    codes = [dice.integers(0, size, 400) for size in (3, 2, 5)]
    facts = Facts(("a", "b", "c"), tuple(codes), ("xyz", "xy", "vwxyz"))
    trials = dice.integers(1, 20, 400).astype(float)
    eta = -1 + np.array([0.0, 0.7, -0.4])[codes[0]] + np.array([0.0, 1.1])[codes[1]]
    successes = dice.binomial(trials.astype(int), 1 / (1 + np.exp(-eta))).astype(float)
    found = weights.fit_logistic(facts, successes, trials, ridge)
    assert found.has_converged and found.steps < 20
    other = LogisticRegression(C=1 / ridge, tol=1e-10, max_iter=10_000)
    design = np.column_stack([np.eye(size)[code] for size, code in zip((3, 2, 5), codes, strict=True)])
    other.fit(
        np.vstack([design, design]),
        np.repeat([1, 0], 400),
        sample_weight=np.concatenate([successes, trials - successes]),
    )
    assert found.intercept == pytest.approx(float(other.intercept_[0]), abs=2e-4)
    assert found.coefficients == pytest.approx(other.coef_[0], abs=2e-4)
    # At the optimum the gradient is nothing, and with a free intercept as many are expected to answer as did.
    p = 1 / (1 + np.exp(-(found.intercept + design @ found.coefficients)))
    assert float((trials * p).sum()) == pytest.approx(float(successes.sum()), abs=1e-6)


def test_a_fact_that_separates_has_a_finite_coefficient_and_is_named() -> None:
    rows = [*PLAIN, ("fax", "solved", 40, 40, 0), ("desk", "not", 30, 30, 30)]
    weighted, quality = weights.response_weights([classes(rows)], [RULE])
    assert set(weighted["model_state"]) == {"fitted"}
    assert weighted["adjustment"].is_finite().all() and weighted["propensity"].is_between(0, 1, closed="none").all()
    named = quality.filter(pl.col("figure") == "separated").select("fact", "fact_value", "amount").rows()
    assert set(named) == {("channel", "fax", 40.0), ("channel", "desk", 30.0)}


@pytest.mark.parametrize(("answered", "trials"), [([0.0, 0.0], [5.0, 7.0]), ([5.0, 7.0], [5.0, 7.0])])
def test_all_or_none_answered_does_not_run_away(answered: list[float], trials: list[float]) -> None:
    facts = Facts(("a",), (np.array([0, 1]),), ("xy",))
    found = weights.fit_logistic(facts, np.array(answered), np.array(trials), 1.0)
    assert np.isfinite(found.intercept) and np.isfinite(found.coefficients).all()


def test_figures_of_quality_are_those_of_scikit_learn() -> None:
    dice = np.random.default_rng(5)
    p = dice.choice([0.1, 0.2, 0.2, 0.35, 0.6], 60)
    trials = dice.integers(1, 9, 60)
    successes = dice.binomial(trials, p)
    told = np.concatenate([np.repeat([1, 0], [s, t - s]) for s, t in zip(successes, trials, strict=True)])
    scores = np.repeat(p, trials)
    arguments = (p, successes.astype(float), trials.astype(float))
    assert weights.area_under_curve(*arguments) == pytest.approx(roc_auc_score(told, scores), abs=1e-12)
    assert weights.brier_score(*arguments) == pytest.approx(brier_score_loss(told, scores), abs=1e-12)
    bands = weights.calibration(*arguments, bands=4)
    assert sum(n for n, _, _ in bands) == trials.sum()
    assert sum(n * observed for n, _, observed in bands) == pytest.approx(successes.sum())
    assert [predicted for _, predicted, _ in bands] == sorted(predicted for _, predicted, _ in bands)
    assert np.isnan(weights.area_under_curve(np.array([0.5]), np.array([2.0]), np.array([2.0])))
    assert weights.calibration(np.zeros(0), np.zeros(0), np.zeros(0)) == []


# --- raking ---------------------------------------------------------------------------------------------------------------


def test_raking_a_table_by_hand() -> None:
    """Rows 10 20 / 30 40 to the row sums 40 60 and the column sums 50 50: margins reached, odds ratio as before."""
    counts = np.array([10.0, 20.0, 30.0, 40.0])
    rows, columns = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    found = weights.rake(counts, [rows, columns], [np.array([40.0, 60.0]), np.array([50.0, 50.0])])
    table = counts * found.factors
    assert found.has_converged and found.largest_gap <= 1e-6
    assert (table[0] + table[1], table[0] + table[2]) == (pytest.approx(40, abs=1e-4), pytest.approx(50, abs=1e-4))
    assert table[0] * table[3] / (table[1] * table[2]) == pytest.approx(10 * 40 / (20 * 30))
    # The one table with these margins and this odds ratio: a(10 + a) = 2/3 (40 - a)(50 - a).
    root = max(np.roots([1 / 3, 70, -4000 / 3]))
    assert table[0] == pytest.approx(root, abs=1e-3)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 40), st.integers(0, 60)), min_size=1, max_size=20
    )
)
def test_raked_weights_are_never_wild(rows: list[tuple[int, int, int, int]]) -> None:
    """Whatever is empty: nothing divides by zero, nothing is negative, and the total is the one that is wanted."""
    first, second = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    answered = np.array([float(min(row[2], row[3])) for row in rows])
    sent = np.array([float(row[3]) for row in rows])
    targets = [np.bincount(first, weights=sent, minlength=4), np.bincount(second, weights=sent, minlength=3)]
    found = weights.rake(answered, [first, second], targets)
    assert np.isfinite(found.factors).all() and (found.factors >= 0).all()
    if answered.sum() > 0:
        assert float((answered * found.factors).sum()) == pytest.approx(sent.sum(), rel=1e-9)


def test_a_margin_value_nobody_answered_in_is_spread_over_the_others_and_named() -> None:
    weighted, quality = weights.response_weights([classes([*PLAIN, ("fax", "solved", 100, 90, 0)])], [RULE])
    (named,) = quality.filter(pl.col("figure") == "margin_without_answers").select("fact", "fact_value").rows()
    assert named == ("channel", "fax")
    assert weighted.select((pl.col("adjustment") * pl.col("answered")).sum()).item() == pytest.approx(1100)
    after = dict(
        quality.filter((pl.col("figure") == "margin_after") & (pl.col("fact") == "channel"))
        .select("fact_value", "amount")
        .rows()
    )
    # The 100 fax invitations are shared 800 to 200, as the others are.
    assert after == {"fax": 0.0, "mail": pytest.approx(0.2, abs=1e-5), "sms": pytest.approx(0.8, abs=1e-5)}


# --- trimming ---------------------------------------------------------------------------------------------------------------


def test_trimming_by_hand() -> None:
    """Four answers of 1, 1, 1 and 9: mean 3, cap 2 x 3 = 6; the 3 that are cut go to the others, 1 each."""
    found, cut = weights.trim(np.array([1.0, 9.0]), np.array([3.0, 1.0]), 2.0)
    assert found.tolist() == pytest.approx([2.0, 6.0]) and cut.tolist() == [False, True]


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.01, 500), st.integers(0, 50)), min_size=1, max_size=30),
    st.floats(1.01, 8),
)
def test_trimmed_weights_keep_their_total_and_the_cap(rows: list[tuple[float, int]], cap: float) -> None:
    values, counts = np.array([row[0] for row in rows]), np.array([float(row[1]) for row in rows])
    found, _ = weights.trim(values, counts, cap)
    if counts.sum() > 0:
        total = float((values * counts).sum())
        assert float((found * counts).sum()) == pytest.approx(total, rel=1e-9)
        assert found[counts > 0].max() <= cap * total / counts.sum() * (1 + 1e-9)


def test_a_cap_of_one_is_refused() -> None:
    with pytest.raises(ValueError, match="cap: 1 is not above 1"):
        weights.trim(np.ones(2), np.ones(2), 1.0)


def test_what_is_trimmed_is_reported() -> None:
    rows = [("sms", "solved", 500, 500, 200), ("sms", "not", 500, 500, 2)]
    weighted, quality = weights.response_weights([classes(rows)], [Rule("*", FACTS, FACTS, 2.0, 10, 1e-3)])
    assert weighted.filter(pl.col("is_trimmed"))["invitation_class"].to_list() == ["sms|not"]
    assert figure(quality, "trimmed_share") == pytest.approx(2 / 202)
    assert figure(quality, "largest_relative_adjustment") == pytest.approx(2.0)


def test_effective_size_of_kish() -> None:
    assert weights.effective_n(np.array([1.0, 2.0, 3.0])) == pytest.approx(36 / 14)
    assert weights.effective_n(np.full(7, 3.3)) == pytest.approx(7)
    assert weights.effective_n(np.array([2.0, 1.0]), np.array([3.0, 4.0])) == pytest.approx(100 / 16)
    assert weights.effective_n(np.zeros(0)) == 0


# --- periods and rules ------------------------------------------------------------------------------------------------------


def test_the_weighted_answers_look_like_the_invited() -> None:
    weighted, quality = weights.response_weights([classes(PLAIN)], [RULE])
    assert weighted.select((pl.col("adjustment") * pl.col("answered")).sum()).item() == pytest.approx(1000)
    shares = {
        name: dict(
            quality.filter((pl.col("figure") == name) & (pl.col("fact") == "outcome"))
            .select("fact_value", "amount")
            .rows()
        )
        for name in ("margin_wanted", "margin_before", "margin_after")
    }
    assert shares["margin_wanted"] == {"not": 0.25, "solved": 0.75}
    assert shares["margin_before"]["not"] == pytest.approx(82 / 186)
    assert shares["margin_after"]["not"] == pytest.approx(0.25, abs=1e-5)
    n, effective = figure(quality, "answered"), figure(quality, "effective_n")
    assert 1 < figure(quality, "design_effect") == pytest.approx(n / effective)


def test_a_truth_that_follows_from_the_facts_comes_out() -> None:
    """Solved: 90 % satisfied, 15 % answer; not solved: 40 % satisfied, 45 % answer. Truth .80 x .9 + .20 x .4 = .80; raw about .686."""
    dice = np.random.default_rng(11)
    n = 40_000
    solved, mail = dice.random(n) < 0.8, dice.random(n) < 0.3
    answers = dice.random(n) < np.where(solved, 0.15, 0.45) * np.where(mail, 0.7, 1.0)
    happy = dice.random(n) < np.where(solved, 0.9, 0.4)
    rows = pl.DataFrame(
        {
            "source": "s", "survey_id": "S", "period": "2026-03", "invitation_id": [f"v{i}" for i in range(n)],
            "channel": np.where(mail, "mail", "sms"), "outcome": np.where(solved, "solved", "not"),
            "is_delivered": True, "is_answered": answers, "last_day": DAY, "happy": happy,
        }
    )  # fmt: skip
    found = weights.weights_of_responses(rows.drop("happy"), FACTS, [RULE]).join(
        rows.select("invitation_id", "happy"), on="invitation_id"
    )
    weighted = found.select((pl.col("adjustment") * pl.col("happy")).sum() / pl.col("adjustment").sum()).item()
    assert found.height == answers.sum()
    assert abs(happy[answers].mean() - happy.mean()) > 0.10
    assert abs(weighted - happy.mean()) < 0.01


def test_few_answers_no_model_and_all_the_same_adjustment() -> None:
    few = [("sms", "solved", 60, 60, 5), ("mail", "not", 40, 40, 4)]
    weighted, quality = weights.response_weights([classes(few)], [RULE])
    assert set(weighted["model_state"]) == {"too_few_answers"}
    assert weighted["adjustment"].to_list() == pytest.approx([100 / 9, 100 / 9])
    assert weighted["propensity"].null_count() == 2 and figure(quality, "has_model") == 0
    assert figure(quality, "design_effect") == pytest.approx(1)


def test_no_answers_no_rule_and_nothing_at_all() -> None:
    weighted, _ = weights.response_weights([classes([("sms", "solved", 9, 9, 0)])], [RULE])
    assert weighted["model_state"].to_list() == ["no_answers"] and weighted["adjustment"].to_list() == [None]
    weighted, _ = weights.response_weights([classes(PLAIN, survey="T")], [Rule("S*", FACTS, FACTS)])
    assert set(weighted["model_state"]) == {"no_rule"} and weighted["adjustment"].n_unique() == 1
    weighted, quality = weights.response_weights([classes([])], [RULE])
    assert (weighted.schema, quality.schema) == (pl.Schema(weights.WEIGHTS_SCHEMA), pl.Schema(weights.QUALITY_SCHEMA))
    full, quality = weights.response_weights([classes(PLAIN)], [RULE])
    assert (full.schema, quality.schema) == (pl.Schema(weights.WEIGHTS_SCHEMA), pl.Schema(weights.QUALITY_SCHEMA))


def test_a_new_period_changes_no_other_and_the_order_of_rows_nothing() -> None:
    march = classes(PLAIN)
    alone, _ = weights.response_weights([march], [RULE])
    april = classes([("sms", "solved", 90, 80, 30), ("fax", "not", 70, 60, 25)], period="2026-04")
    both, _ = weights.response_weights([pl.concat([april, march.reverse()])], [RULE])
    assert both.filter(pl.col("period") == "2026-03").equals(alone)


def test_the_closest_rule_holds() -> None:
    rules = [Rule("*", (), ()), Rule("CS*", (), ()), Rule("CSAT*", (), ()), Rule("CSAT01", (), ())]
    assert [
        getattr(weights.rule_for(name, rules), "survey_id", None) for name in ("CSAT01", "CSAT02", "CSX", "NPS")
    ] == ["CSAT01", "CSAT*", "CS*", "*"]
    assert weights.rule_for("NPS", rules[1:]) is None


def test_no_facts_and_no_margins_is_the_response_rate() -> None:
    weighted, _ = weights.response_weights([classes(PLAIN)], [Rule("*", (), (), minimum_answers=10)])
    assert weighted["adjustment"].to_list() == pytest.approx([1000 / 186] * 4)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"facts": "channel;weather"}, "weather is no fact"), ({"cap": 1.0}, "cap must be above 1"), ({"ridge": 0.0}, "ridge above 0")],
)  # fmt: skip
def test_a_rule_that_cannot_be_is_refused(change: dict[str, object], message: str) -> None:
    row = {
        "survey_id": "*",
        "facts": "channel; outcome",
        "margins": None,
        "cap": 5.0,
        "minimum_answers": 50,
        "ridge": 1.0,
    }
    (fine,) = weights.rules_of(pl.DataFrame([row]), FACTS)
    assert (fine.facts, fine.margins) == (FACTS, ())
    with pytest.raises(ValueError, match=message):
        weights.rules_of(pl.DataFrame([row | change]), FACTS)
