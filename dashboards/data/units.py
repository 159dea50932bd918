"""A value in words of its unit, for pages and for the terminal."""

from __future__ import annotations

from dashboards.i18n import EMPTY, Translator


def format_value(t: Translator, value: float | None, unit: str | None) -> str:
    """A value in its unit: share as per cent, seconds and minutes as a duration, points with sign."""
    if value is None:
        return EMPTY
    match unit:
        case "share":
            return t.percent(value)
        case "count":
            return t.integer(value)
        case "seconds":
            return t.duration(value)
        case "minutes":
            return t.duration(value * 60)
        case "points":
            return t.signed(value)
        case "currency":
            return t("unit.currency", value=t.number(value, 2))
        case _:
            return t.number(value, 2)
