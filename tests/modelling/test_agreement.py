"""Agreement of two reviewers: published examples, standard errors by the delta method on numbers, edges, and the table by pair and period."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import cohen_kappa_score

from orchestration.modelling import agreement
from orchestration.modelling.agreement import agreement_weights, gwet, kappa, percent_agreement

FLEISS = [[106, 10, 4], [22, 28, 10], [2, 12, 6]]
"""Fleiss, Cohen and Everitt 1969: 200 patients, two psychiatrists; personality disorder, neurosis, psychosis."""


def test_kappa_of_a_two_by_two_table() -> None:
    # Agreement 35/50 = 0.7; by chance 0.5 x 0.6 + 0.5 x 0.4 = 0.5.
    found = kappa([[20, 5], [10, 15]])
    assert found.value == pytest.approx(0.4)
    assert found.n == 50 and found.reason is None


def test_two_tables_of_equal_agreement_and_unequal_kappa() -> None:
    # Both agree on 60 of 100 (an example that is often quoted): 0.1304 and 0.2593.
    assert kappa([[45, 15], [25, 15]]).value == pytest.approx(0.1304, abs=5e-5)
    assert kappa([[25, 35], [5, 35]]).value == pytest.approx(0.2593, abs=5e-5)


def test_plain_kappa_of_three_categories() -> None:
    # Rows 120, 60, 20; columns 130, 50, 20: by chance (120 x 130 + 60 x 50 + 20 x 20) / 40000 = 0.475; agreement 140/200.
    assert kappa(FLEISS).value == pytest.approx((0.7 - 0.475) / 0.525)


def test_the_paradox_of_kappa() -> None:
    # Gwet 2008: 118 of 125 agree, and kappa is below 0; AC1 stays high.
    table = [[118, 5], [2, 0]]
    assert percent_agreement(table).value == pytest.approx(0.944)
    assert kappa(table).value == pytest.approx((0.944 - 0.94528) / (1 - 0.94528))
    chance = 2 * (243 / 250) * (7 / 250)
    assert gwet(table).value == pytest.approx((0.944 - chance) / (1 - chance))
    assert round(gwet(table).value or 0, 4) == 0.9408


def test_weighted_kappa_as_scikit_learn_has_it() -> None:
    random = np.random.default_rng(3)
    first = random.integers(0, 5, 200)
    second = np.clip(first + random.integers(-1, 2, 200), 0, 4)
    table = agreement.cross_table(first, second, range(5))
    for kind in ("none", "linear", "quadratic"):
        expected = cohen_kappa_score(first, second, weights=None if kind == "none" else kind, labels=range(5))
        assert kappa(table, agreement_weights(range(5), kind)).value == pytest.approx(expected), kind  # type: ignore[arg-type]


def test_quadratic_weights_of_evenly_spaced_points() -> None:
    assert agreement_weights([0, 1, 2], "quadratic").tolist() == [[1, 0.75, 0], [0.75, 1, 0.75], [0, 0.75, 1]]
    assert agreement_weights([0.5, 0.75, 1], "linear").tolist() == [[1, 0.5, 0], [0.5, 1, 0.5], [0, 0.5, 1]]


def _by_numbers(of: Callable[[np.ndarray], float | None], table: np.ndarray) -> float:
    """Standard error by the delta method, with the gradient of the coefficient over the shares of the cells taken by differences."""
    p, n, step = table / table.sum(), table.sum(), 1e-6
    gradient = np.zeros_like(p)
    for cell in np.ndindex(p.shape):
        up, down = p.copy(), p.copy()
        up[cell] += step
        down[cell] -= step
        # A coefficient is of shares that add up to 1: the sum is put right as the counts would.
        gradient[cell] = ((of(up * n) or 0) - (of(down * n) or 0)) / (2 * step)
    mean = (p * gradient).sum()
    return float(np.sqrt(((p * gradient**2).sum() - mean**2) / n))


@pytest.mark.parametrize("kind", ["none", "linear", "quadratic"])
def test_the_standard_error_of_kappa_is_that_of_the_delta_method(kind: agreement.Weights) -> None:
    table, weights = np.array(FLEISS, dtype=float), agreement_weights(range(3), kind)

    def value(counts: np.ndarray) -> float:
        p = counts / counts.sum()
        expected = p.sum(axis=1) @ weights @ p.sum(axis=0)
        return float(((p * weights).sum() - expected) / (1 - expected))

    assert kappa(table, weights).standard_error == pytest.approx(_by_numbers(value, table), rel=1e-5)


@pytest.mark.parametrize("kind", ["none", "linear", "quadratic"])
def test_the_standard_error_of_gwet_is_that_of_the_delta_method(kind: agreement.Weights) -> None:
    table, weights = np.array(FLEISS, dtype=float), agreement_weights(range(3), kind)

    def value(counts: np.ndarray) -> float:
        p = counts / counts.sum()
        pi = (p.sum(axis=1) + p.sum(axis=0)) / 2
        expected = weights.sum() / 6 * (pi * (1 - pi)).sum()
        return float(((p * weights).sum() - expected) / (1 - expected))

    # Gwet divides by n - 1.
    assert gwet(table, weights).standard_error == pytest.approx(
        _by_numbers(value, table) * (200 / 199) ** 0.5, rel=1e-5
    )


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(17)
    truth = np.array([[0.5, 0.1], [0.08, 0.32]])
    true_kappa, true_ac1 = kappa(truth * 1e9).value, gwet(truth * 1e9).value
    assert true_kappa is not None and true_ac1 is not None
    missed = np.zeros(2)
    for _ in range(2000):
        table = random.multinomial(150, truth.ravel()).reshape(2, 2)
        for number, (found, true) in enumerate(((kappa(table), true_kappa), (gwet(table), true_ac1))):
            assert found.low is not None and found.high is not None
            missed[number] += not found.low <= true <= found.high
    assert (missed / 2000 < 0.07).all() and (missed / 2000 > 0.03).all()


def test_a_reviewer_who_always_says_the_same() -> None:
    constant: list[list[list[int]]] = [[[30, 0], [0, 0]], [[27, 3], [0, 0]], [[27, 0], [3, 0]]]
    for table in constant:
        found = kappa(table)
        assert (found.value, found.low, found.standard_error, found.reason) == (None, None, None, "constant_reviewer")
        assert gwet(table).value is not None and gwet(table).reason is None
    assert gwet([[30, 0], [0, 0]]).value == 1.0
    # 27 of 30 agree; pi = 57/60: by chance 2 x 0.95 x 0.05 = 0.095.
    assert gwet([[27, 3], [0, 0]]).value == pytest.approx((0.9 - 0.095) / 0.905)


def test_too_few_contacts_and_none() -> None:
    for of in (percent_agreement, kappa, gwet):
        assert of([[3, 1], [1, 4]], least=10).reason == "too_few_contacts"  # type: ignore[operator]
        assert of([[3, 1], [1, 4]], least=9).value is not None  # type: ignore[operator]
        assert of([[0, 0], [0, 0]]).value is None  # type: ignore[operator]


def test_what_is_no_table_is_refused() -> None:
    tables: list[list[list[float]]] = [[[1, 2, 3], [4, 5, 6]], [[1, -1], [0, 2]], [[1, float("nan")], [0, 1]]]
    for wrong in tables:
        with pytest.raises(ValueError, match="table"):
            kappa(wrong)
    with pytest.raises(ValueError, match="weights"):
        gwet([[1, 0], [0, 1]], np.eye(3))
    with pytest.raises(ValueError, match="categories"):
        agreement_weights([1, 1], "linear")
    with pytest.raises(ValueError, match="no category"):
        agreement.cross_table([1], [7], [1, 2])


def _pairs(rows: list[tuple[str, str, str, int, int, date, float, float, bool, bool]]) -> pl.DataFrame:
    names = [
        "contact_key",
        "reviewer_1",
        "reviewer_2",
        "order_1",
        "order_2",
        "reviewed_on",
        "share_1",
        "share_2",
        "verdict_1",
        "verdict_2",
    ]
    return pl.DataFrame(rows, schema=names, orient="row").with_columns(pl.lit("tone").alias("item"))


def test_the_table_by_pair_item_and_period() -> None:
    day, later = date(2026, 2, 10), date(2026, 3, 10)
    rows = [
        (f"c{n}", "A", "B", 1, 2, day if n < 6 else later, 0.8, 0.7 if n % 2 else 0.8, False, bool(n % 2))
        for n in range(12)
    ]
    # A contact that three reviewed: three pairs, but counted once among all, by its first two reviewers (B, then C).
    rows += [("x", "A", "B", 3, 1, later, 0.5, 0.9, True, False), ("x", "A", "C", 3, 2, later, 0.5, 0.9, True, False)]
    rows += [("x", "B", "C", 1, 2, later, 0.9, 0.9, False, False)]
    found = agreement.reviewer_agreement(_pairs(rows), least=5)
    assert found.columns == list(agreement.SCHEMA)

    def row(first: str, second: str, period: str, on: date, statistic: str) -> dict[str, object]:
        return found.row(
            by_predicate=(pl.col("reviewer_1") == first) & (pl.col("reviewer_2") == second) & (pl.col("period") == period)
            & (pl.col("period_on") == on) & (pl.col("statistic") == statistic), named=True,
        )  # fmt: skip

    assert row("A", "B", "month", date(2026, 2, 1), "percent_agreement") | {"value": 0.5, "contacts": 6} == row(
        "A", "B", "month", date(2026, 2, 1), "percent_agreement"
    )
    quarter = row("A", "B", "quarter", date(2026, 1, 1), "percent_agreement")
    assert (quarter["contacts"], quarter["value"]) == (13, pytest.approx(6 / 13))
    assert quarter["mean_difference"] == pytest.approx((6 * 0.1 - 0.4) / 13)
    everybody = row("all", "all", "quarter", date(2026, 1, 1), "percent_agreement")
    assert (everybody["contacts"], everybody["value"], everybody["mean_difference"]) == (
        13,
        pytest.approx(7 / 13),
        None,
    )
    # A never says weak of the twelve: no kappa in February, but an AC1.
    assert row("A", "B", "month", date(2026, 2, 1), "kappa")["reason"] == "constant_reviewer"
    assert row("A", "B", "month", date(2026, 2, 1), "ac1")["value"] == pytest.approx((0.5 - 0.375) / 0.625)
    assert row("A", "C", "month", date(2026, 3, 1), "kappa")["reason"] == "too_few_contacts"
    assert found["as_of"].unique().to_list() == [later]
    shuffled = agreement.reviewer_agreement(_pairs(rows).sample(fraction=1, shuffle=True, seed=5), least=5)
    assert shuffled.equals(found), "the order of the rows says nothing"


def test_nothing_gives_an_empty_table_of_the_same_shape() -> None:
    empty = agreement.reviewer_agreement(_pairs([]), least=5)
    assert empty.is_empty() and dict(empty.schema) == agreement.SCHEMA
