"""The days that a report is about, and those that it compares them with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from dashboards.i18n import Translator

KINDS = ("week", "month", "quarter")


class PeriodError(ValueError):
    """A period that cannot be read, or one of a length that the report does not have; the message says what is accepted."""


@dataclass(frozen=True)
class Period:
    """A whole week (from Monday), month or quarter; first and last day, both included."""

    kind: str
    start: date
    end: date

    @property
    def days(self) -> int:
        return (self.end - self.start).days + 1

    @property
    def code(self) -> str:
        """As it is written in `--period`: 2026-W47, 2026-11, 2026-Q4."""
        if self.kind == "week":
            year, week, _ = self.start.isocalendar()
            return f"{year}-W{week:02d}"
        if self.kind == "month":
            return f"{self.start:%Y-%m}"
        return f"{self.start.year}-Q{(self.start.month + 2) // 3}"

    def before(self, steps: int = 1) -> Period:
        """The period of the same kind so many steps earlier."""
        found = self
        for _ in range(steps):
            found = period_of(found.kind, found.start - timedelta(days=1))
        return found

    def label(self, t: Translator) -> str:
        return t.period(self.start, self.end) if self.kind == "week" else t.grain_label(self.start, self.kind)


def period_of(kind: str, day: date) -> Period:
    """The period of a kind that holds a day."""
    if kind == "week":
        start = day - timedelta(days=day.weekday())
        return Period(kind, start, start + timedelta(days=6))
    months = 1 if kind == "month" else 3
    first = day.month if kind == "month" else (day.month - 1) // 3 * 3 + 1
    index = day.year * 12 + first - 1 + months
    return Period(kind, date(day.year, first, 1), date(index // 12, index % 12 + 1, 1) - timedelta(days=1))


def last_whole(kind: str, as_of: date) -> Period:
    """The newest period that is over at the end of a day."""
    found = period_of(kind, as_of)
    return found if found.end <= as_of else found.before()


def parse_period(text: str) -> Period:
    """A period as people write it: 2026-W47, 2026-11 or 2026-Q4.

    Raises:
        PeriodError: it is none of these.
    """
    try:
        if found := re.fullmatch(r"(\d{4})-W(\d{1,2})", text, re.IGNORECASE):
            return period_of("week", date.fromisocalendar(int(found[1]), int(found[2]), 1))
        if found := re.fullmatch(r"(\d{4})-(\d{1,2})", text):
            return period_of("month", date(int(found[1]), int(found[2]), 1))
        if found := re.fullmatch(r"(\d{4})-Q([1-4])", text, re.IGNORECASE):
            return period_of("quarter", date(int(found[1]), int(found[2]) * 3, 1))
    except ValueError:
        pass
    raise PeriodError(f"{text!r} is no period; write a week as 2026-W47, a month as 2026-11, a quarter as 2026-Q4.")
