"""The words of the screens in English and in Chinese, and how each language writes numbers and dates.

Belongs here: `en.yml`, `zh.yml`, their strict loader, and formatting. Does not belong here: business words (metric names,
channels, products); those travel with the data in the snapshot's catalogue.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml

Day = date  # Translator has a method of the same name

LANGUAGES = ("en", "zh")
DEFAULT_LANGUAGE = "en"
EMPTY = "—"
MINUS = "\u2212"

_FOLDER = Path(__file__).parent
_KEY = re.compile(r"[a-z0-9_]+")
_MONTHS_EN = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class TranslationError(ValueError):
    """A language file is not usable; the message names file, key and what to do."""


class _StrictLoader(yaml.BaseLoader):
    """YAML that refuses a key written twice (plain YAML keeps the last one) and reads every scalar as text ("no" is a word)."""


def _mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        where = f"{Path(str(key_node.start_mark.name)).name}, line {key_node.start_mark.line + 1}"
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            raise TranslationError(f"{where}: {key!r} is not a key; use lower-case letters, digits and underscores.")
        if key in found:
            raise TranslationError(f"{where}: {key!r} stands twice; remove one of them.")
        found[key] = loader.construct_object(value_node, deep=True)
    return found


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def _flatten(tree: Mapping[str, Any], file: str, prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            flat.update(_flatten(value, file, f"{name}."))
        elif isinstance(value, str) and value.strip():
            flat[name] = value
        else:
            raise TranslationError(f"{file}: {name} holds {value!r}; write a text in quotes.")
    return flat


def placeholders(text: str) -> set[str]:
    """Names of the `{…}` in a text."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def read_language_file(path: Path) -> dict[str, str]:
    """One language file as dotted key -> text.

    Raises:
        TranslationError: a key twice, an empty or non-text value, or a broken placeholder.
    """
    with path.open(encoding="utf-8") as stream:
        tree = yaml.load(stream, Loader=_StrictLoader)  # noqa: S506 - a SafeLoader that also refuses doubled keys
    if not isinstance(tree, dict):
        raise TranslationError(f"{path.name}: not a mapping of keys to texts.")
    flat = _flatten(tree, path.name)
    for key, text in flat.items():
        try:
            placeholders(text)
        except ValueError as error:
            raise TranslationError(f"{path.name}: {key}: {error}; check the braces.") from None
    return flat


def load_catalogues(folder: Path = _FOLDER) -> dict[str, dict[str, str]]:
    """All languages; every key must be in every language, with the same placeholders.

    Raises:
        TranslationError: the languages differ.
    """
    catalogues = {language: read_language_file(folder / f"{language}.yml") for language in LANGUAGES}
    reference = catalogues[DEFAULT_LANGUAGE]
    for language, texts in catalogues.items():
        for key in sorted(reference.keys() - texts.keys()):
            raise TranslationError(f"{language}.yml: {key} is missing; {DEFAULT_LANGUAGE}.yml has it.")
        for key in sorted(texts.keys() - reference.keys()):
            raise TranslationError(f"{DEFAULT_LANGUAGE}.yml: {key} is missing; {language}.yml has it.")
        for key, text in texts.items():
            if placeholders(text) != placeholders(reference[key]):
                raise TranslationError(
                    f"{language}.yml: {key} has the placeholders {sorted(placeholders(text))}, "
                    f"{DEFAULT_LANGUAGE}.yml has {sorted(placeholders(reference[key]))}."
                )
    return catalogues


@cache
def _catalogues() -> dict[str, dict[str, str]]:
    return load_catalogues()


@dataclass(frozen=True)
class Translator:
    """Texts, numbers and dates in one language. Calling it gives a text: `t("state.empty.title")`."""

    language: str

    def __post_init__(self) -> None:
        if self.language not in LANGUAGES:
            raise TranslationError(f"{self.language!r} is not a language; there are {', '.join(LANGUAGES)}.")

    def __call__(self, key: str, **values: object) -> str:
        """The text of `key`.

        Raises:
            TranslationError: no such key, or a placeholder without a value.
        """
        text = _catalogues()[self.language].get(key)
        if text is None:
            raise TranslationError(f"{self.language}.yml: {key} is missing.")
        missing = placeholders(text) - values.keys()
        if missing:
            raise TranslationError(f"{key} needs values for {sorted(missing)}.")
        return text.format(**values) if values else text

    def has(self, key: str) -> bool:
        """Whether there is a text of this key (for words of the data that may or may not be known)."""
        return key in _catalogues()[self.language]

    @property
    def html_language(self) -> str:
        return "zh-CN" if self.language == "zh" else "en"

    @property
    def plotly_locale(self) -> str:
        return "zh-CN" if self.language == "zh" else "en"

    @property
    def date_picker_locale(self) -> str:
        return "zh-cn" if self.language == "zh" else "en"

    def label(self, english: str | None, chinese: str | None, fallback: str = "") -> str:
        """The one of two labels that is in this language; the other one, then `fallback`, where it is empty."""
        first, second = (chinese, english) if self.language == "zh" else (english, chinese)
        return first or second or fallback

    # Numbers. None is "no value" and is written as a dash, never as 0.

    def integer(self, value: float | int | None) -> str:
        """12,345 (both languages group by three: figures are compared across the two)."""
        return EMPTY if value is None else f"{round(value):,d}".replace("-", MINUS)

    def number(self, value: float | None, digits: int = 1) -> str:
        if value is None:
            return EMPTY
        return _unsigned_zero(f"{value:,.{digits}f}").replace("-", MINUS)

    def percent(self, share: float | None, digits: int = 1) -> str:
        """A share (0..1) in per cent."""
        return EMPTY if share is None else self.number(share * 100, digits) + "%"

    def signed(self, value: float | None, digits: int = 1) -> str:
        if value is None:
            return EMPTY
        text = self.number(value, digits)
        return text if text.startswith(MINUS) or not text.strip("0.,") else f"+{text}"

    def compact(self, value: float | None) -> str:
        """Short form for axes: 12.3k and 4.5M, or 1.2万 and 3.4亿."""
        if value is None:
            return EMPTY
        steps = ((1e8, "亿"), (1e4, "万")) if self.language == "zh" else ((1e9, "bn"), (1e6, "M"), (1e3, "k"))
        for size, word in steps:
            if abs(value) >= size:
                return f"{value / size:.1f}".rstrip("0").rstrip(".").replace("-", MINUS) + word
        return self.number(value, 0 if float(value).is_integer() else 1)

    def duration(self, seconds: float | None) -> str:
        """Seconds in the largest unit that keeps two or more digits: 45 s, 3 min 20 s, 5 h 10 min, 2 d 4 h."""
        if seconds is None:
            return EMPTY
        if abs(seconds) < 60:
            digits = 0 if float(seconds).is_integer() or abs(seconds) >= 10 else 1
            return self("unit.seconds", value=self.number(seconds, digits))
        total = round(abs(seconds))
        if total < 3600:
            parts = (("unit.minutes", total // 60), ("unit.seconds", total % 60))
        elif total < 2 * 86400:
            total = round(total / 60) * 60
            parts = (("unit.hours", total // 3600), ("unit.minutes", total % 3600 // 60))
        else:
            total = round(total / 3600) * 3600
            parts = (("unit.days", total // 86400), ("unit.hours", total % 86400 // 3600))
        words = [self(key, value=self.integer(count)) for key, count in parts if count]
        return (MINUS if seconds < 0 else "") + " ".join(words)

    # Dates and times

    def date(self, day: Day | None) -> str:
        if day is None:
            return EMPTY
        if self.language == "zh":
            return f"{day.year}年{day.month}月{day.day}日"
        return f"{day.day} {_MONTHS_EN[day.month - 1]} {day.year}"

    def short_date(self, day: Day | None) -> str:
        """Without the year."""
        if day is None:
            return EMPTY
        return f"{day.month}月{day.day}日" if self.language == "zh" else f"{day.day} {_MONTHS_EN[day.month - 1]}"

    def month(self, day: Day) -> str:
        return f"{day.year}年{day.month}月" if self.language == "zh" else f"{_MONTHS_EN[day.month - 1]} {day.year}"

    def short_month(self, day: Day) -> str:
        """Without the year."""
        return f"{day.month}月" if self.language == "zh" else _MONTHS_EN[day.month - 1]

    def period(self, start: Day, end: Day) -> str:
        return self.date(start) if start == end else f"{self.date(start)} – {self.date(end)}"

    def grain_label(self, start: Day, grain: str) -> str:
        """The name of a day, week, month, quarter or year that begins on `start`."""
        if grain == "week":
            last = start + timedelta(days=6)
            return f"{self.short_date(start)} – {self.date(last) if self.language == 'en' else self.short_date(last)}"
        if grain == "month":
            return self.month(start)
        if grain == "quarter":
            return self("grain.quarter_label", year=str(start.year), quarter=str((start.month + 2) // 3))
        if grain == "year":
            return self("grain.year_label", year=str(start.year))
        return self.date(start)

    def moment(self, at: datetime | None) -> str:
        """A time stamp as it stands (the caller converts time zones)."""
        return EMPTY if at is None else f"{self.date(at.date())} {at:%H:%M}"


def _unsigned_zero(text: str) -> str:
    return text.lstrip("-") if not text.strip("-0.,") else text


@cache
def translator(language: str) -> Translator:
    """The translator of a language."""
    return Translator(language)
