"""Tiers computed a second time, from the definitions alone, in plain Python: exact fractions, one customer after the other, month by month.

Belongs here: the rules of docs/tiers.md. Does not belong here: anything of the SQL that it is held against.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from pathlib import Path


@dataclass(frozen=True)
class Scheme:
    """A scheme of seeds/tier_schemes.csv; `cuts` best first, without the lowest grade."""

    name: str
    basis: str
    window: int
    cut_kind: str
    ties: str
    crossing: str
    hysteresis: Fraction
    stay: int
    minimum_months: int
    kinds: frozenset[str]
    grades: tuple[str, ...]
    cuts: tuple[Fraction, ...]


def read_schemes(path: Path) -> dict[str, Scheme]:
    """Schemes of a seed by name."""
    rows: dict[str, list[dict[str, str]]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            rows.setdefault(row["scheme"], []).append(row)
    found = {}
    for name, lines in rows.items():
        lines.sort(key=lambda row: int(row["grade_rank"]))
        first = lines[0]
        found[name] = Scheme(
            name, first["basis"], int(first["window_months"]), first["cut_kind"], first["ties"], first["crossing"],
            Fraction(first["hysteresis"]), int(first["minimum_stay_months"]), int(first["minimum_months"]),
            frozenset(first["customer_kinds"].split(";")), tuple(row["grade"] for row in lines),
            tuple(Fraction(row["cut"]) for row in lines[:-1]),
        )  # fmt: skip
    return found


def _line_of_share(values: Sequence[int], share: Fraction, scheme: Scheme) -> int | None:
    """Smallest value of a customer within the share; None: nobody is. `values`: the positive ones."""
    counts = Counter(values)
    whole = sum(values)
    line, better, above = None, 0, 0
    for value in sorted(counts, reverse=True):
        alike = counts[value]
        # The first of those who are alike decides for all of them, or the last.
        earlier = 0 if scheme.ties == "up" else alike - 1
        place, before = better + earlier, above + earlier * value
        if scheme.cut_kind == "customer_share":
            is_in = place < ceil(share * len(values))
        elif scheme.crossing == "out":
            is_in = before + value <= share * whole
        else:
            is_in = before < share * whole
        if is_in:
            line = value
        better, above = better + alike, above + alike * value
    return line


def lines_of(scheme: Scheme, values: Iterable[int], data_months: int) -> list[tuple[int | None, int | None]]:
    """Line to enter and to keep of every grade but the lowest, in cents of the known part of the window."""
    positive = [value for value in values if value > 0]
    found: list[tuple[int | None, int | None]] = []
    for cut in scheme.cuts:
        if scheme.cut_kind == "amount":
            part = Fraction(data_months, scheme.window)
            keep = cut - abs(cut) * scheme.hysteresis
            found.append((ceil(100 * cut * part), ceil(100 * keep * part)))
        else:
            wider = min(cut * (1 + scheme.hysteresis), Fraction(1))
            found.append((_line_of_share(positive, cut, scheme), _line_of_share(positive, wider, scheme)))
    return found


def _rank(value: int, lines: Sequence[int | None]) -> int:
    for rank, line in enumerate(lines, 1):
        if line is not None and value >= line:
            return rank
    return len(lines) + 1


History = list[tuple[str, int, str, str | None]]
"""Customer, month number evaluated, grade, grade before; changes and first grades only."""


def grade_everyone(
    scheme: Scheme,
    money: Mapping[tuple[str, int], int],
    first: Mapping[str, int],
    kinds: Mapping[str, str],
    months: Sequence[int],
    delivered: frozenset[int],
    earliest: int,
) -> tuple[History, dict[int, dict[str, str]]]:
    """History of a scheme, and everybody's grade after each evaluation.

    Args:
        scheme: the scheme.
        money: cents by customer and month number.
        first: month of the first charge, order or return.
        kinds: kind of each customer.
        months: month numbers to evaluate, in order.
        delivered: months in which anything was billed to anybody.
        earliest: first month that windows may reach back to.
    """
    members = sorted(customer for customer in first if kinds[customer] in scheme.kinds)
    held: dict[str, tuple[int, int]] = {}
    history: History = []
    after: dict[int, dict[str, str]] = {}
    for month in months:
        inside = [m for m in range(month - scheme.window + 1, month + 1) if m >= earliest]
        data_months = sum(m in delivered for m in inside)
        if month not in delivered or data_months < scheme.minimum_months:
            continue
        values = {
            customer: sum(money.get((customer, m), 0) for m in inside)
            for customer in members
            if first[customer] <= month
        }
        lines = lines_of(scheme, values.values(), data_months)
        for customer, value in values.items():
            entered, kept = _rank(value, [line[0] for line in lines]), _rank(value, [line[1] for line in lines])
            before = held.get(customer)
            if before is not None:
                rank, since = before
                falls = kept > rank and month - since >= scheme.stay
                if not (entered < rank or falls):
                    continue
            held[customer] = (entered, month)
            history.append(
                (customer, month, scheme.grades[entered - 1], scheme.grades[before[0] - 1] if before else None)
            )
        after[month] = {customer: scheme.grades[rank - 1] for customer, (rank, _) in held.items()}
    return history, after
