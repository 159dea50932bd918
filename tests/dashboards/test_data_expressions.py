"""Arithmetic of derived metrics: plain, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.data.expressions import ExpressionError, evaluate, names_in

numbers = st.integers(-1000, 1000).map(float)


@given(a=numbers, b=numbers, c=numbers)
def test_values_are_those_of_arithmetic(a: float, b: float, c: float) -> None:
    values = {"a": a, "b": b, "c": c}
    assert evaluate("a + b * c", values) == a + b * c
    assert evaluate("(a - b) * -c / 4", values) == (a - b) * -c / 4
    assert evaluate("a / b", values) == (None if b == 0 else a / b)


def test_what_is_missing_makes_the_whole_missing() -> None:
    assert evaluate("a + b", {"a": 1.0, "b": None}) is None
    assert evaluate("100 * (a / b)", {"a": 1.0, "b": 0.0}) is None
    with pytest.raises(KeyError):
        evaluate("a + z", {"a": 1.0})


def test_names() -> None:
    assert names_in("100 * (promoters - detractors) / answers") == {"promoters", "detractors", "answers"}


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os')",
        "a.b",
        "a[0]",
        "a ** 2",
        "a if b else c",
        "'text'",
        "True",
        "a, b",
        "a +",
        "lambda: 1",
        "a == b",
        "~a",
    ],
)
def test_anything_else_is_refused(expression: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(expression, {"a": 1.0, "b": 1.0, "c": 1.0})
