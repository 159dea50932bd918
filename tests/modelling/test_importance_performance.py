"""Importance and performance: quadrants and distances by hand, certainty by simulation, and every rule at its edge."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from orchestration.modelling.importance_performance import (
    IMPORTANCE_SCHEMA,
    MATRIX_SCHEMA,
    ImportanceKind,
    Ratings,
    importance_performance,
    quadrants_of,
    sums_of,
)
from orchestration.modelling.importance_performance import matrix_of as matrix_of_sums

NAN = np.nan


def _ratings(performance: np.ndarray, stated: np.ndarray | None = None, overall: np.ndarray | None = None) -> Ratings:
    n, width = performance.shape
    return Ratings(
        [f"i{j}" for j in range(width)],
        performance,
        np.full((n, width), NAN) if stated is None else stated,
        np.full(n, NAN) if overall is None else overall,
        np.arange(n),
    )


def matrix_of(ratings: Ratings, kind: ImportanceKind, *, minimum_base: int, replicates: int = 200) -> pl.DataFrame:
    return matrix_of_sums(
        sums_of(ratings, minimum_base=minimum_base), kind, minimum_base=minimum_base, replicates=replicates
    )


def _same(performance: list[float], stated: list[float], n: int = 40) -> Ratings:
    """Everybody says the same."""
    return _ratings(np.tile(np.array(performance, dtype=float), (n, 1)), np.tile(np.array(stated, dtype=float), (n, 1)))


def test_four_items_by_hand() -> None:
    """Lines at importance (40 + 30 + 10 + 20) / 4 = 25 and performance (80 + 40 + 50 + 90) / 4 = 65."""
    found = matrix_of(_same([80, 40, 50, 90], [40, 30, 10, 20]), "stated", minimum_base=30)
    assert dict(found.schema) == MATRIX_SCHEMA
    assert found["quadrant"].to_list() == ["keep_up", "concentrate_here", "low_priority", "possible_overkill"]
    assert found["importance_line"].unique().to_list() == [25]
    assert found["performance_line"].unique().to_list() == [65]
    assert found["importance_distance"].to_list() == [15, 5, -15, -5]
    assert found["performance_distance"].to_list() == [15, -25, -15, 25]
    # Standard deviations of the items: importance 11.18, performance 20.62.
    assert found["nearest_line"].to_list() == ["performance", "importance", "performance", "importance"]
    assert found["nearest_distance"].to_list() == pytest.approx(
        [15 / 20.6155, 5 / 11.1803, -15 / 20.6155, -5 / 11.1803], abs=1e-4
    )
    assert found["quadrant_probability"].to_list() == [1, 1, 1, 1], "nobody disagrees, so no sample does"


def test_an_item_on_the_line_is_above_it_and_the_median_is_another_line() -> None:
    on_the_line = matrix_of(_same([50, 40, 60], [20, 10, 30]), "stated", minimum_base=30)
    assert on_the_line["quadrant"].to_list() == ["keep_up", "low_priority", "keep_up"]
    importance, performance = np.array([1.0, 2.0, 9.0]), np.array([10.0, 20.0, 90.0])
    assert [float(line) for line in quadrants_of(importance, performance, "mean")[:2]] == [4, 40]
    assert [float(line) for line in quadrants_of(importance, performance, "median")[:2]] == [2, 20]
    assert quadrants_of(importance, performance, "mean")[2].tolist() == [2, 2, 0]
    assert quadrants_of(importance, performance, "median")[2].tolist() == [2, 0, 0]
    with pytest.raises(ValueError, match="cross_hairs: 'middle'"):
        quadrants_of(importance, performance, "middle")  # type: ignore[arg-type]


def test_the_probability_of_a_quadrant_is_that_of_drawing_it_again() -> None:
    """Two items whose performance differs by d: an item is on its side of their mean when its own mean is the higher one."""
    rng = np.random.default_rng(1)
    n = 200
    wanted, found = [], []
    for difference in (0.0, 2.0, 5.0):
        performance = np.column_stack([50 + difference + rng.normal(0, 20, n), 50 + rng.normal(0, 20, n)])
        matrix = matrix_of(
            _ratings(performance, np.tile([30.0, 20.0], (n, 1))), "stated", minimum_base=30, replicates=4000
        )
        gap = performance[:, 0] - performance[:, 1]
        z = abs(gap.mean()) / (gap.std() / np.sqrt(n))
        # Share of samples on the same side, by the normal distribution.
        wanted.append(float(np.mean(rng.normal(size=200_000) < z)))
        found.append(matrix["quadrant_probability"][0])
    assert found == pytest.approx(wanted, abs=0.03)


def test_derived_importance_is_the_correlation_or_the_share() -> None:
    rng = np.random.default_rng(2)
    items = rng.normal(50, 10, (500, 3))
    overall = items @ [0.8, 0.3, 0.0] + rng.normal(0, 5, 500)
    by_correlation = matrix_of(_ratings(items, overall=overall), "correlation", minimum_base=30)
    assert by_correlation["importance"].to_list() == pytest.approx(
        [float(np.corrcoef(items[:, j], overall)[0, 1]) for j in range(3)]
    )
    by_share = matrix_of(_ratings(items, overall=overall), "lmg", minimum_base=30)
    design = np.column_stack([np.ones(500), items])
    residual = overall - design @ np.linalg.lstsq(design, overall, rcond=None)[0]
    assert by_share["importance"].sum() == pytest.approx(1 - residual.var() / overall.var())
    assert by_share["importance"].to_list() == sorted(by_share["importance"], reverse=True)
    low, high = by_share["importance_low"][0], by_share["importance_high"][0]
    assert low < by_share["importance"][0] < high


def test_missing_answers_are_pairwise_for_correlations_and_complete_for_shares() -> None:
    rng = np.random.default_rng(3)
    items = rng.normal(50, 10, (300, 2))
    overall = items.sum(axis=1) + rng.normal(0, 5, 300)
    items[:100, 0] = NAN
    overall[290:] = NAN
    found = matrix_of(_ratings(items, overall=overall), "correlation", minimum_base=30)
    assert found["respondents"].to_list() == [200, 300]
    assert found["importance"][0] == pytest.approx(float(np.corrcoef(items[100:290, 0], overall[100:290])[0, 1]))
    assert found["importance"][1] == pytest.approx(float(np.corrcoef(items[:290, 1], overall[:290])[0, 1]))
    assert found["performance"].to_list() == pytest.approx([float(items[100:, 0].mean()), float(items[:, 1].mean())])
    share = matrix_of(_ratings(items, overall=overall), "lmg", minimum_base=30)
    alone = matrix_of(_ratings(items[100:290], overall=overall[100:290]), "lmg", minimum_base=30)
    assert share["importance"].to_list() == pytest.approx(alone["importance"].to_list())


def test_a_constant_item_keeps_its_performance_and_moves_no_line() -> None:
    rng = np.random.default_rng(4)
    items = np.column_stack([rng.normal(50, 10, (200, 2)), np.full(200, 75.0)])
    overall = items[:, 0] + rng.normal(0, 5, 200)
    for kind in ("correlation", "lmg"):
        found = matrix_of(_ratings(items, overall=overall), kind, minimum_base=30)  # type: ignore[arg-type]
        constant = found.row(2, named=True)
        assert (constant["reason"], constant["importance"], constant["quadrant"]) == ("constant", None, None)
        assert constant["performance"] == 75
        assert found["performance_line"][0] == pytest.approx(items[:, :2].mean())
        assert found["reason"].to_list()[:2] == [None, None]


def test_three_respondents_have_no_place() -> None:
    small = matrix_of(_same([80, 40], [60, 40], n=3), "stated", minimum_base=30)
    assert set(small["reason"]) == {"below_minimum_base"}
    assert small["performance"].null_count() == small["quadrant"].null_count() == 2
    one = _same([80, 40, 60], [40, 30, 30])
    one.performance[3:, 2] = NAN
    found = matrix_of(one, "stated", minimum_base=30)
    assert found["reason"].to_list() == [None, None, "below_minimum_base"]
    assert found["performance_line"][0] == 60, "a small item moves no line"


def test_one_item_is_no_matrix() -> None:
    found = matrix_of(_same([80], [100]), "stated", minimum_base=30)
    assert found.row(0, named=True)["reason"] == "fewer_than_two_items"
    assert found["quadrant"][0] is None
    assert found["performance"][0] == 80


def test_fewer_answers_than_items_have_no_shares() -> None:
    rng = np.random.default_rng(5)
    items, overall = rng.normal(50, 10, (5, 4)), rng.normal(50, 10, 5)
    found = matrix_of(_ratings(items, overall=overall), "lmg", minimum_base=1)
    assert set(found["reason"]) == {"fewer_answers_than_factors"}
    assert found["importance"].null_count() == 4


def _frame(ratings: Ratings, minimum_base: int = 30) -> pl.DataFrame:
    """The rows in which the features hand over the sums of a survey."""
    sums = sums_of(ratings, minimum_base=minimum_base)
    head = {
        "source": "s", "survey_id": "CSAT", "survey_kind": "csat", "period_start": date(2025, 5, 1), "period_end": date(2026, 4, 30),
        "item_level": "question", "item_dimension": None, "answers_on_other_scales": 3,
    }  # fmt: skip
    rows = []
    for j, item in enumerate(ratings.items):
        here = ratings.performance[:, j][np.isfinite(ratings.performance[:, j])] - 50
        for block in range(len(sums.respondents)):
            rows.append({
                **head, "item": item, "other_item": None, "block": block, "respondents": int(sums.respondents[block, j]),
                "score_sum": sums.performance[block, j], "lowest": float(here.min()), "highest": float(here.max()),
                "stated_respondents": int(sums.stated_respondents[block, j]), "stated_sum": sums.stated[block, j],
                "answers": int(sums.both[block, j]), "item_sum": sums.x[block, j], "item_times_other": sums.xx[block, j],
                "overall_sum": sums.y[block, j], "overall_squares": sums.yy[block, j], "item_times_overall": sums.xy[block, j],
            })  # fmt: skip
    for block, table in enumerate(sums.products if sums.products is not None else []):
        for one, j in enumerate(sums.used, 1):
            for other, k in enumerate(sums.used, 1):
                if one <= other:
                    rows.append({
                        **head, "item": ratings.items[j], "other_item": ratings.items[k], "block": block, "answers": int(table[0, 0]),
                        "item_sum": table[0, one], "item_times_other": table[one, other], "overall_sum": table[0, -1],
                        "overall_squares": table[-1, -1], "item_times_overall": table[one, -1],
                    })  # fmt: skip
    return pl.DataFrame(rows, schema_overrides={"item_dimension": pl.String, "other_item": pl.String}, infer_schema_length=None)  # fmt: skip


def _survey(n: int = 120) -> Ratings:
    rng = np.random.default_rng(6)
    answers = rng.integers(1, 6, (n, 2)).astype(float)
    overall = np.clip(np.round(answers @ [0.3, 0.6] + rng.normal(0, 0.5, n)), 1, 5)
    performance = (answers - 1) * 25
    performance[::7, 0] = NAN
    ratings = _ratings(performance, overall=(overall - 1) * 25)
    return Ratings(["staff", "wait"], ratings.performance, ratings.stated, ratings.overall, np.arange(n) // 2)


def test_a_survey_has_the_kinds_of_importance_that_it_can_have() -> None:
    found = importance_performance(_frame(_survey()), minimum_base=30, replicates=50)
    assert dict(found.schema) == IMPORTANCE_SCHEMA
    assert found.select("importance_kind", "item").rows() == [
        ("correlation", "staff"), ("correlation", "wait"), ("lmg", "staff"), ("lmg", "wait"),
    ]  # fmt: skip
    assert (
        found.filter(item="wait", importance_kind="lmg")["importance"][0]
        > found.filter(item="staff", importance_kind="lmg")["importance"][0]
    )
    assert found["period_end"].unique().to_list() == [date(2026, 4, 30)]
    assert found["answers_on_other_scales"].unique().to_list() == [3]
    assert_frame_equal(found, importance_performance(_frame(_survey()).reverse(), minimum_base=30, replicates=50))


def test_sums_handed_over_as_rows_give_the_same_matrix() -> None:
    found = importance_performance(_frame(_survey()), minimum_base=30)
    for kind in ("correlation", "lmg"):
        own = matrix_of(_survey(), kind, minimum_base=30)  # type: ignore[arg-type]
        assert_frame_equal(
            found.filter(importance_kind=kind).select(MATRIX_SCHEMA.keys()), own, abs_tol=1e-8, check_dtypes=True
        )


def test_more_items_than_can_share_have_a_reason() -> None:
    rng = np.random.default_rng(7)
    ratings = _ratings(rng.normal(50, 10, (60, 16)), overall=rng.normal(50, 10, 60))
    found = importance_performance(_frame(ratings), minimum_base=30, replicates=20)
    assert set(found.filter(importance_kind="lmg")["reason"]) == {"too_many_items"}
    assert set(found.filter(importance_kind="correlation")["reason"]) == {None}


def test_no_answers_give_an_empty_frame_of_the_same_schema() -> None:
    found = importance_performance(_frame(_survey()).clear(), minimum_base=30)
    assert (found.height, dict(found.schema)) == (0, dict(IMPORTANCE_SCHEMA))
