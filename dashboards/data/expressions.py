"""Arithmetic over metrics: what a derived metric may say, and its value.

Belongs here: names, numbers, + - * / and parentheses. Does not belong here: anything that needs rows.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping

_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


class ExpressionError(ValueError):
    """An expression that is not plain arithmetic; the message says what is not."""


def _parsed(expression: str) -> ast.expr:
    try:
        tree = ast.parse(expression.strip(), mode="eval").body
    except SyntaxError as error:
        raise ExpressionError(f"{expression!r} cannot be read: {error.msg}") from None
    for node in ast.walk(tree):
        allowed = (
            isinstance(node, ast.BinOp | ast.Name | ast.expr_context)
            or type(node) in _OPERATORS
            or (isinstance(node, ast.Constant) and type(node.value) in (int, float))
            or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub))
            or isinstance(node, ast.USub)
        )
        if not allowed:
            raise ExpressionError(
                f"{expression!r}: {type(node).__name__} is not served; use names, numbers, + - * / and parentheses."
            )
    return tree


def names_in(expression: str) -> set[str]:
    """Names that an expression needs.

    Raises:
        ExpressionError: it is not plain arithmetic.
    """
    return {node.id for node in ast.walk(_parsed(expression)) if isinstance(node, ast.Name)}


def evaluate(expression: str, values: Mapping[str, float | None]) -> float | None:
    """Value of an expression. A missing input or a division by zero gives None: there is nothing to say.

    Raises:
        ExpressionError: it is not plain arithmetic.
        KeyError: a name without a value.
    """

    def value(node: ast.expr) -> float | None:
        if isinstance(node, ast.Name):
            return values[node.id]
        if isinstance(node, ast.Constant):
            assert isinstance(node.value, int | float)
            return float(node.value)
        if isinstance(node, ast.UnaryOp):
            inner = value(node.operand)
            return None if inner is None else -inner
        assert isinstance(node, ast.BinOp)
        left, right = value(node.left), value(node.right)
        if left is None or right is None or (isinstance(node.op, ast.Div) and right == 0):
            return None
        return _OPERATORS[type(node.op)](left, right)

    return value(_parsed(expression))
