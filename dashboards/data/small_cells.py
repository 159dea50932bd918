"""Cells so small that they could tell of a person, and those that would give them away by a difference.

Belongs here: which cells of an answer a limited reader is not told. Does not belong here: computing cells (metrics).

A cell with 1 to `LEAST - 1` behind it is not told. Where a line of a table (all values of one dimension, the others fixed) has one such cell only, or such cells with fewer
than `LEAST` behind them together, its total less the others would tell it, so the smallest other cells of the line are not told either.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LEAST = 5
"""Fewest rows or people behind a number that a limited reader is told."""


def is_small(base: float) -> bool:
    """Whether something is there, but too little to be told."""
    return 0 < base < LEAST


def hidden_cells(
    bases: Mapping[tuple[Any, ...], float], more: frozenset[tuple[Any, ...]] = frozenset()
) -> set[tuple[Any, ...]]:
    """The cells of a table that are not told: the same ones whatever the order of the cells, for two answers that hide different ones tell both.

    Args:
        bases: what is behind each cell, by its place: one value a dimension.
        more: cells that are not told for another reason.
    """
    hidden = {key for key, base in bases.items() if is_small(base)} | more
    if not hidden:
        return hidden
    lines: dict[tuple[int, tuple[Any, ...]], list[tuple[Any, ...]]] = {}
    for key in sorted(bases, key=str):
        for axis in range(len(key)):
            lines.setdefault((axis, key[:axis] + key[axis + 1 :]), []).append(key)
    is_changed = True
    while is_changed:
        is_changed = False
        for line in lines.values():
            missing = [key for key in line if key in hidden]
            told = sorted(
                (key for key in line if key not in hidden and bases[key] > 0), key=lambda key: (bases[key], str(key))
            )
            while missing and told and (len(missing) == 1 or sum(bases[key] for key in missing) < LEAST):
                hidden.add(told[0])
                missing.append(told.pop(0))
                is_changed = True
    return hidden
