"""What a reader looks at, as the query string of the URL says it: period, comparison, filters, language.

The URL is the only state of a page, so that a view can be sent as a link. A period may be relative ("last_30_days", so
that a saved link stays fresh) or fixed (`from`/`to`). What a link says wrongly is left out and named, never guessed.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Final
from urllib.parse import parse_qs, quote, urlencode

from dashboards.i18n import LANGUAGES

PERIODS: Final = (
    "last_7_days",
    "last_30_days",
    "last_90_days",
    "this_month",
    "last_month",
    "this_quarter",
    "this_year",
    "last_12_months",
    "custom",
)
DEFAULT_PERIOD: Final = "last_90_days"
COMPARISONS: Final = ("previous", "year", "none")
DEFAULT_COMPARISON: Final = "previous"

# Query parameter -> field of View; each holds a comma separated list.
LISTS: Final = {"unit": "units", "channel": "channels", "product": "products", "kind": "kinds"}

# Parameters that belong to one page; another page of the menu does not take them over.
OWN: Final = ("tab", "family", "metric", "by", "grain", "who", "part", "cause", "queue")

_LONGEST_VALUE = 200
_MOST_VALUES = 200


@dataclass(frozen=True)
class Span:
    """Days from `start` to `end`, both included."""

    start: date
    end: date

    @property
    def days(self) -> int:
        return (self.end - self.start).days + 1


@dataclass(frozen=True)
class View:
    """One parsed query string. `own` holds the parameters of the page itself; `not_understood` names those left out."""

    period: str = DEFAULT_PERIOD
    start: date | None = None
    end: date | None = None
    comparison: str = DEFAULT_COMPARISON
    units: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    language: str | None = None
    own: tuple[tuple[str, str], ...] = ()
    not_understood: tuple[str, ...] = field(default=(), compare=False)

    def span(self, last_day: date) -> Span:
        """The days looked at; `last_day` is the last day of the data, on which relative periods end."""
        if self.period == "custom" and self.start and self.end:
            return Span(self.start, self.end)
        first_of_month = last_day.replace(day=1)
        match self.period:
            case "last_7_days":
                return Span(last_day - timedelta(days=6), last_day)
            case "last_30_days":
                return Span(last_day - timedelta(days=29), last_day)
            case "this_month":
                return Span(first_of_month, last_day)
            case "last_month":
                end = first_of_month - timedelta(days=1)
                return Span(end.replace(day=1), end)
            case "this_quarter":
                return Span(date(last_day.year, (last_day.month - 1) // 3 * 3 + 1, 1), last_day)
            case "this_year":
                return Span(date(last_day.year, 1, 1), last_day)
            case "last_12_months":
                return Span(_a_year_before(last_day) + timedelta(days=1), last_day)
            case _:
                return Span(last_day - timedelta(days=89), last_day)

    def comparison_span(self, last_day: date) -> Span | None:
        """The days compared with: as many days directly before, or the same days a year earlier."""
        span = self.span(last_day)
        if self.comparison == "previous":
            return Span(span.start - timedelta(days=span.days), span.start - timedelta(days=1))
        if self.comparison == "year":
            return Span(_a_year_before(span.start), _a_year_before(span.end))
        return None

    def query(self) -> str:
        """The query string, with the leading question mark; defaults are left out. Empty when all is default."""
        pairs: list[tuple[str, str]] = []
        if self.period != DEFAULT_PERIOD:
            pairs.append(("period", self.period))
        if self.period == "custom" and self.start and self.end:
            pairs += [("from", self.start.isoformat()), ("to", self.end.isoformat())]
        if self.comparison != DEFAULT_COMPARISON:
            pairs.append(("compare", self.comparison))
        for parameter, name in LISTS.items():
            values: tuple[str, ...] = getattr(self, name)
            if values:
                pairs.append((parameter, ",".join(_escape(value) for value in values)))
        pairs += self.own
        if self.language:
            pairs.append(("lang", self.language))
        return f"?{urlencode(pairs, quote_via=quote, safe=',')}" if pairs else ""

    def of_page(self, name: str, default: str = "") -> str:
        """A parameter of the page itself."""
        return dict(self.own).get(name, default)

    def with_own(self, **values: str) -> View:
        """The view with parameters of the page changed; an empty value takes one out."""
        merged = {**dict(self.own), **values}
        return replace(self, own=tuple((name, merged[name]) for name in OWN if merged.get(name)))

    def elsewhere(self) -> View:
        """The view as another page takes it over: without the parameters of this one."""
        return replace(self, own=())

    def with_language(self, language: str) -> View:
        return replace(self, language=language)


def _a_year_before(day: date) -> date:
    year = day.year - 1
    return date(year, day.month, min(day.day, calendar.monthrange(year, day.month)[1]))


def _escape(value: str) -> str:
    # A comma inside a value is doubled, because a single one separates values.
    return value.replace(",", ",,")


def _split(text: str) -> tuple[str, ...]:
    parts = text.replace(",,", "\0").split(",")
    return tuple(dict.fromkeys(part.replace("\0", ",") for part in parts if part))


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def parse_view(search: str | None) -> View:
    """Read a query string (with or without the question mark). Never raises: what cannot be read is named in the result."""
    found = {key: values[-1] for key, values in parse_qs((search or "").lstrip("?"), keep_blank_values=False).items()}
    wrong: list[str] = []

    def choice(parameter: str, allowed: tuple[str, ...], default: str) -> str:
        value = found.get(parameter, default)
        if value not in allowed:
            wrong.append(parameter)
            return default
        return value

    period = choice("period", PERIODS, DEFAULT_PERIOD)
    start, end = (_day(found[name]) if name in found else None for name in ("from", "to"))
    if period == "custom" or "from" in found or "to" in found:
        if start and end and start <= end and start.year >= 1970 and end.year <= 2200:
            period = "custom"
        else:
            wrong.append("from" if not start else "to")
            period, start, end = DEFAULT_PERIOD, None, None
    lists: dict[str, tuple[str, ...]] = {}
    for parameter, name in LISTS.items():
        values = _split(found.get(parameter, ""))
        if len(values) > _MOST_VALUES or any(len(value) > _LONGEST_VALUE for value in values):
            wrong.append(parameter)
            values = ()
        lists[name] = values
    own = {name: found[name] for name in OWN if name in found}
    for name in [name for name, value in own.items() if len(value) > _LONGEST_VALUE]:
        wrong.append(name)
        del own[name]
    language = found.get("lang")
    if language is not None and language not in LANGUAGES:
        wrong.append("lang")
        language = None
    return View(
        period=period,
        start=start,
        end=end,
        comparison=choice("compare", COMPARISONS, DEFAULT_COMPARISON),
        language=language,
        own=tuple(own.items()),
        not_understood=tuple(wrong),
        **lists,
    )


def choose_language(search: str | None, cookie: str | None, accepted: str | None) -> str:
    """The language of a page: the link's, else the remembered one, else the browser's, else English."""
    asked = parse_view(search).language
    if asked:
        return asked
    if cookie in LANGUAGES:
        return str(cookie)
    for part in (accepted or "").split(","):
        name = part.split(";")[0].strip().lower().split("-")[0]
        if name in LANGUAGES:
            return name
    return LANGUAGES[0]
