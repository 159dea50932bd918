"""Tables as files that leave the dashboards: CSV, XLSX and Parquet, with nothing in a cell that a spreadsheet would run.

Belongs here: what a table looks like as a file. Does not belong here: what is in it (queries) and who may have it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

MEDIA_TYPES: Mapping[str, str] = {
    "csv": "text/csv;charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
}
"""Formats by the ending of their files."""

_BEGINS_A_FORMULA = "=+-@\uff1d\uff0b\uff0d\uff20\t\r\n"
"""First characters after which a spreadsheet may take a text for a formula, the full-width ones of CJK keyboards among them."""

_A_NUMBER = re.compile(r"[+-]?(?:\d[\d, ]*(?:\.\d*)?|\.\d+)\s?%?", re.ASCII)
_LONGEST_CELL = 32_767
_BOM = "\ufeff"


def neutral(text: str) -> str:
    """A text that no spreadsheet takes for a formula: one that begins like a formula gets an apostrophe in front.

    A text that is a plain number, such as `-3.5`, stays as it is.
    """
    first = text.lstrip(" \u00a0\u3000" + _BOM)[:1]
    if first and first in _BEGINS_A_FORMULA and not _A_NUMBER.fullmatch(text):
        return "'" + text
    return text


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    """Without nested types, for which a cell has no form: lists as texts."""
    nested = [name for name, kind in frame.schema.items() if kind.is_nested() or kind == pl.Binary]
    if not nested:
        return frame
    return frame.with_columns(
        pl.Series(
            name, [None if value is None else str(_plain(value)) for value in frame[name].to_list()], dtype=pl.String
        )
        for name in nested
    )


def _plain(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _neutralised(frame: pl.DataFrame) -> pl.DataFrame:
    flat = _flat(frame)
    texts = [name for name, kind in flat.schema.items() if kind in (pl.String, pl.Categorical, pl.Enum)]
    safe = flat.with_columns(
        pl.Series(
            name,
            [None if value is None else neutral(value) for value in flat[name].cast(pl.String).to_list()],
            dtype=pl.String,
        )
        for name in texts
    )
    return safe.rename(dict(zip(safe.columns, _headings(safe.columns), strict=True)))


def _headings(names: list[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        safe = neutral(name)
        while safe in found:
            safe += " "
        found.append(safe)
    return found


def _csv(frame: pl.DataFrame, _title: str) -> bytes:
    # The mark at the start tells Excel that the file is UTF-8.
    return (_BOM + _neutralised(frame).write_csv()).encode("utf-8")


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return ILLEGAL_CHARACTERS_RE.sub("", value)[:_LONGEST_CELL]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    if value is None or isinstance(value, (bool, int, float, Decimal, datetime, date)):
        return value
    return str(value)


def _xlsx(frame: pl.DataFrame, title: str) -> bytes:
    safe = _neutralised(frame)
    book = Workbook(write_only=True)
    sheet = book.create_sheet(re.sub(r"[\[\]:*?/\\']", " ", title)[:31].strip() or "csatlas")
    sheet.freeze_panes = "A2"
    sheet.append([_cell(name) for name in safe.columns])
    for row in safe.iter_rows():
        sheet.append([_cell(value) for value in row])
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def _parquet(frame: pl.DataFrame, _title: str) -> bytes:
    written = io.BytesIO()
    frame.write_parquet(written)
    return written.getvalue()


_WRITERS: Mapping[str, Callable[[pl.DataFrame, str], bytes]] = {"csv": _csv, "xlsx": _xlsx, "parquet": _parquet}


def table_file(frame: pl.DataFrame, kind: str, title: str = "") -> bytes:
    """A table as the content of a file.

    Args:
        kind: csv (UTF-8 with byte order mark), xlsx or parquet (texts unchanged: no spreadsheet runs them).
        title: name of the sheet of an XLSX file.

    Raises:
        ValueError: another kind.
    """
    if kind not in _WRITERS:
        raise ValueError(f"There is no format {kind!r}; use one of {', '.join(_WRITERS)}.")
    return _WRITERS[kind](frame, title)


def file_name(title: str, until: date, kind: str) -> str:
    """A file name from words of the page: letters and digits of any script, no path."""
    words = re.sub(r"[^\w]+", "-", title).strip("-_")[:80] or "csatlas"
    return f"{words}-{until.isoformat()}.{kind}"
