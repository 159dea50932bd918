"""What a report is made of: headings, sentences, tables, bars, courses. Plain values in the reader's language; `page` writes them as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True)
class Cell:
    """A text in a table. `tone`: better, worse or muted; `hint`: smaller text under it."""

    text: str
    tone: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Table:
    """A table; the first column names its rows.

    Attributes:
        columns: headings.
        numbers: places of columns that are compared and set to the right.
        empty: what is said where there is no row.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | Cell]]
    numbers: frozenset[int] = frozenset()
    note: str = ""
    empty: str = ""


@dataclass(frozen=True)
class Bar:
    """One bar: a value, its interval and what is written beside it, all in one scale."""

    label: str
    value: float | None
    text: str
    low: float | None = None
    high: float | None = None
    hint: str = ""
    is_faint: bool = False


@dataclass(frozen=True)
class Bars:
    """Bars under each other, with a line at `reference` if there is one."""

    title: str
    bars: Sequence[Bar]
    note: str = ""
    reference: float | None = None
    from_zero: bool = True
    empty: str = ""


@dataclass(frozen=True)
class Point:
    """One period of a course. `is_faint`: on a small base, or not complete."""

    day: date
    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    is_faint: bool = False


@dataclass(frozen=True)
class Course:
    """A metric over periods.

    Attributes:
        alt: what it shows, in words.
        ticks: value and text of the lines across.
    """

    title: str
    points: Sequence[Point]
    ticks: Sequence[tuple[float, str]]
    alt: str
    unit: str
    target: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Items:
    """A list of short sentences."""

    title: str
    items: Sequence[str]
    empty: str = ""
    is_numbered: bool = False


@dataclass(frozen=True)
class Sheet:
    """A small card, as of one agent: several stand beside each other."""

    title: str
    hint: str
    table: Table


Block = Table | Bars | Course | Items | Sheet


@dataclass(frozen=True)
class Section:
    title: str
    blocks: Sequence[Block]
    lead: str = ""


@dataclass(frozen=True)
class Report:
    """A whole report.

    Attributes:
        pack: which one.
        scope: unit or units, in words.
        period: days, in words.
        sentences: the three of what changed.
        facts: short lines for the foot: version, age, who it was made for.
    """

    pack: str
    language: str
    title: str
    scope: str
    period: str
    compared: str
    sentences: Sequence[str]
    sections: Sequence[Section]
    facts: Sequence[str] = field(default=())
