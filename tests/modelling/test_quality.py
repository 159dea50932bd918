"""Scores and places of agents, and effects of trainings: by hand, by simulation, and at the edges."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

from orchestration.modelling import quality

DAY = date(2026, 3, 31)


def _months(agents: dict[str, list[tuple[float, float]]], item: str = "tone") -> pl.DataFrame:
    """Sums of reviews, each (points, possible points)."""
    rows: list[dict[str, Any]] = []
    for agent, reviews in agents.items():
        y, x = np.array(reviews, dtype=float).T
        rows.append(
            {
                "agent_id": agent, "month_on": date(2026, 3, 1), "item": item, "org_unit_id": "T1", "last_review_on": DAY, "reviews": len(y), "points": y.sum(),
                "max_points": x.sum(), "points_squares": (y * y).sum(), "points_times_base": (x * y).sum(), "max_points_squares": (x * x).sum(),
            }
        )  # fmt: skip
    return pl.DataFrame(rows)


def test_the_score_of_an_agent_by_hand() -> None:
    points = [11.0, 13.0, 14.0, 16.0]
    found = quality.agent_months(_months({"A": [(p, 20.0) for p in points], "B": [(20.0, 20.0)]}), least=4)
    a, b = found.to_dicts()
    half = stats.t.ppf(0.975, 3) * stats.sem([p / 20 for p in points])
    assert (a["score"], a["low"], a["high"]) == (
        pytest.approx(0.675),
        pytest.approx(0.675 - half),
        pytest.approx(0.675 + half),
    )
    assert a["company_score"] == pytest.approx(74 / 100)
    assert (a["best_place"], a["worst_place"], a["ranked_agents"]) == (1, 1, 1)
    # One review has neither an interval nor a place.
    assert (b["score"], b["low"], b["high"], b["best_place"], b["worst_place"]) == (1.0, None, None, None, None)
    assert a["as_of"] == DAY and list(found.columns) == list(quality.MONTHS_SCHEMA)


def test_unequal_possible_points_weigh_by_their_points() -> None:
    found = quality.agent_months(_months({"A": [(10.0, 10.0), (50.0, 100.0)]}), least=2).to_dicts()[0]
    score = 60 / 110
    residual = (10 - score * 10) ** 2 + (50 - score * 100) ** 2
    half = stats.t.ppf(0.975, 1) * (residual * 2) ** 0.5 / 110
    assert found["score"] == pytest.approx(score)
    assert (found["low"], found["high"]) == (pytest.approx(max(0, score - half)), pytest.approx(min(1, score + half)))


def test_places_of_agents_who_can_be_told_apart() -> None:
    value, error, n = np.array([0.9, 0.89, 0.5]), np.array([0.01, 0.01, 0.01]), np.array([30.0, 30.0, 30.0])
    best, worst = quality.places(value, error, n)
    assert (best.tolist(), worst.tolist()) == ([1, 1, 3], [2, 2, 3])
    best, worst = quality.places(value, error * 50, n)
    assert (best.tolist(), worst.tolist()) == ([1, 1, 1], [3, 3, 3])
    none = quality.places(np.zeros(0), np.zeros(0), np.zeros(0))
    assert [len(part) for part in none] == [0, 0]


def test_the_true_place_is_hardly_ever_outside_with_five_reviews_each() -> None:
    random = np.random.default_rng(4)
    missed = total = 0
    for _ in range(300):
        truth = random.normal(0.82, 0.05, 12)
        scores = truth[:, None] + random.normal(0, 0.08, (12, 5))
        best, worst = quality.places(scores.mean(axis=1), scores.std(axis=1, ddof=1) / 5**0.5, np.full(12, 5.0))
        place = (-truth).argsort().argsort() + 1
        missed += int(((place < best) | (place > worst)).sum())
        total += 12
    assert missed / total <= 0.05


def _sides(trained: list[tuple[float, float]], control: list[tuple[float, float]], **changes: object) -> pl.DataFrame:
    """Agents' means before and after."""
    rows = [
        {
            "source": "crm", "improvement_action_id": "T", "item": "tone", "agent_id": f"{'T' if is_trained else 'C'}{number:03}", "started_on": date(2026, 1, 1),
            "ended_on": date(2026, 1, 2), "is_target_item": True, "is_trained": is_trained, "is_disturbed": False, "is_enough": True, "reviews_before": 5,
            "reviews_after": 5, "score_before": float(before), "score_after": float(after), "is_final": True, "as_of": DAY,
        }
        for is_trained, agents in ((True, trained), (False, control))
        for number, (before, after) in enumerate(agents)
    ]  # fmt: skip
    frame = pl.DataFrame(rows)
    return frame.with_columns(**{name: pl.lit(value) for name, value in changes.items()})


def test_difference_in_differences_by_hand() -> None:
    found = quality.training_effects(_sides([(0.5, 0.8), (0.6, 0.8), (0.7, 0.8)], [(0.7, 0.7), (0.6, 0.7)])).to_dicts()[
        0
    ]
    changes = stats.ttest_ind([0.3, 0.2, 0.1], [0.0, 0.1], equal_var=False)
    interval = changes.confidence_interval(0.95)
    assert found["effect"] == pytest.approx(0.15)
    assert (found["effect_low"], found["effect_high"]) == (pytest.approx(interval.low), pytest.approx(interval.high))
    assert (found["agents_trained"], found["agents_control"], found["agents_left_out"], found["reason"]) == (
        3,
        2,
        0,
        None,
    )
    assert (found["trained_before"], found["control_after"]) == (pytest.approx(0.6), pytest.approx(0.7))


def _simulated(random: np.random.Generator, effect: float, *, weakest: bool) -> pl.DataFrame:
    """Forty agents of unequal skill; ten are trained: the weakest by their score before, or any ten."""
    skill = random.normal(0.8, 0.04, 40)
    before, after = (skill + random.normal(0, 0.04, 40) for _ in range(2))
    chosen = np.zeros(40, dtype=bool)
    chosen[np.argsort(before)[:10] if weakest else random.permutation(40)[:10]] = True
    after = after + effect * chosen
    pairs = list(zip(before, after, strict=True))
    return _sides(
        [p for p, c in zip(pairs, chosen, strict=True) if c], [p for p, c in zip(pairs, chosen, strict=True) if not c]
    )


def test_the_interval_covers_the_true_effect_as_often_as_it_says() -> None:
    random = np.random.default_rng(21)
    missed = np.zeros(2)
    for _ in range(1500):
        found = quality.training_effects(_simulated(random, 0.05, weakest=False)).to_dicts()[0]
        missed += [not found[f"{name}_low"] <= 0.05 <= found[f"{name}_high"] for name in ("effect", "adjusted")]
    assert (missed / 1500 < 0.065).all() and (missed / 1500 > 0.035).all()


def test_the_weakest_return_to_the_mean_without_any_training() -> None:
    random = np.random.default_rng(22)
    found = pl.concat([quality.training_effects(_simulated(random, 0.0, weakest=True)) for _ in range(300)])
    # The plain difference takes the return for an effect; agents of equal score before show none.
    assert found["effect"].mean() > 0.025  # type: ignore[operator]
    assert abs(found["adjusted_effect"].mean()) < 0.006  # type: ignore[arg-type, operator]
    covered = ((found["adjusted_low"] <= 0) & (found["adjusted_high"] >= 0)).mean()
    assert covered > 0.92  # type: ignore[operator]


def test_too_few_agents_say_nothing() -> None:
    found = quality.training_effects(_sides([(0.5, 0.8)], [(0.7, 0.7), (0.6, 0.7)])).to_dicts()[0]
    assert (found["reason"], found["effect"], found["effect_low"], found["adjusted_effect"]) == (
        "too_few_agents",
        None,
        None,
        None,
    )
    both = _sides([(0.5, 0.8), (0.6, 0.8)], [(0.7, 0.7), (0.6, 0.7)])
    for change in ({"is_enough": False}, {"is_disturbed": True}):
        left = quality.training_effects(
            both.with_columns(**{name: pl.lit(value) for name, value in change.items()})
        ).to_dicts()[0]
        assert (left["agents_left_out"], left["reason"]) == (4, "too_few_agents")


def test_nothing_gives_empty_tables_of_the_same_shape_and_order_says_nothing() -> None:
    sides = _simulated(np.random.default_rng(1), 0.1, weakest=False)
    assert quality.training_effects(sides.sample(fraction=1, shuffle=True, seed=2)).equals(
        quality.training_effects(sides)
    )
    empty = quality.training_effects(sides.clear())
    assert empty.is_empty() and dict(empty.schema) == quality.EFFECTS_SCHEMA
    months = _months({"A": [(1.0, 2.0)]})
    assert dict(quality.agent_months(months.clear(), least=3).schema) == quality.MONTHS_SCHEMA
    assert dict(quality.agent_months(months, least=3).schema) == quality.MONTHS_SCHEMA
