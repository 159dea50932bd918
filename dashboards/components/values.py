"""How a metric's value is written, by the unit that its definition names. The one place for it: cards, hovers, tables."""

from __future__ import annotations

from dataclasses import dataclass

from dashboards.data.units import format_value as format_value
from dashboards.i18n import EMPTY, Translator


def format_part(t: Translator, value: float | None) -> str:
    """A numerator or denominator: whole numbers without decimals."""
    if value is None:
        return EMPTY
    return t.integer(value) if float(value).is_integer() else t.number(value, 2)


@dataclass(frozen=True)
class Change:
    """The difference of two values, ready to show. `meaning` is better, worse, same or neutral."""

    absolute: str
    relative: str | None
    arrow: str
    meaning: str
    words: str


def describe_change(
    t: Translator, now: float | None, before: float | None, unit: str | None, direction: str | None
) -> Change | None:
    """The change from `before` to `now`, in the unit and in per cent; None when one of them is missing.

    Points (such as NPS) get no per cent: their scale crosses zero, where a relative change means nothing. The same holds
    for any base that is zero or below.
    """
    if now is None or before is None:
        return None
    difference = now - before
    relative = None if unit == "points" or before <= 0 else difference / before
    match unit:
        case "share":
            absolute = t("unit.points_change", value=t.signed(difference * 100))
            shown_zero = round(difference * 100, 1) == 0
        case "points":
            absolute = t("unit.points_change", value=t.signed(difference))
            shown_zero = round(difference, 1) == 0
        case "count":
            absolute = t.signed(difference, 0)
            shown_zero = round(difference) == 0
        case "seconds" | "minutes":
            absolute = ("+" if difference > 0 else "") + format_value(t, difference, unit)
            shown_zero = round(difference, 1) == 0
        case _:
            absolute = t.signed(difference, 2)
            shown_zero = round(difference, 2) == 0
    if shown_zero:
        return Change(absolute, None, "=", "same", t("kpi.no_change"))
    rising = difference > 0
    if direction not in ("up", "down"):
        meaning, words = "neutral", t("kpi.up") if rising else t("kpi.down")
    elif (direction == "up") == rising:
        meaning, words = "better", t("kpi.up_better") if rising else t("kpi.down_better")
    else:
        meaning, words = "worse", t("kpi.up_worse") if rising else t("kpi.down_worse")
    percent = None if relative is None else t.signed(relative * 100) + "%"
    return Change(absolute, percent, "▲" if rising else "▼", meaning, words)
