"""AG Grid with csatlas' habits: text as text, the reader's language, no code from data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dash_ag_grid as dag
import polars as pl
from dash import html

from dashboards.components.download import download_menu, offer
from dashboards.i18n import Translator

ROW_HEIGHT = 36
LONGEST_HEAD = 250
"""Widest that a column becomes for its heading alone; a longer one is wrapped."""


def head_width(name: str, with_filter: bool = True) -> int:
    """Pixels that a heading needs, with the mark of its filter; a Chinese letter is as wide as two.

    >>> head_width("Quarantined") > head_width("Rows") > head_width("Rows", with_filter=False)
    True
    """

    def width(letter: str) -> float:
        if ord(letter) > 0x2E7F:
            return 14.5
        return 11.5 if letter in "mwMW%" else 9.4 if letter.isupper() else 4.6 if letter in "iljtfr.,() " else 8.0

    return (62 if with_filter else 52) + round(sum(width(letter) for letter in name))


@dataclass(frozen=True)
class Column:
    """One column. `kind` is text, number (two decimals), exact (a number with six), long (text that may wrap in a tooltip) or customer
    (a customer key, as a link to the history file)."""

    field: str
    name: str
    kind: str = "text"
    width: int | None = None
    pinned: bool = False
    class_rules: Mapping[str, str] | None = None
    wraps: bool = False
    """Whether all of its text is shown, in as many lines as it needs."""
    has_filter: bool = True

    def definition(self) -> dict[str, Any]:
        definition: dict[str, Any] = {
            "field": self.field,
            "headerName": self.name,
            "headerTooltip": self.name,
            # Numbers come as numbers, so that sorting and filtering is numeric; they are written by a named function.
            "filter": "agNumberColumnFilter" if self.kind in ("number", "exact") else "agTextColumnFilter",
            "minWidth": self.width or (110 if self.kind in ("number", "exact") else 130),
        }
        if self.kind in ("number", "exact"):
            written = "csatlasNumber(params)" if self.kind == "number" else "csatlasExact(params)"
            definition |= {"type": "rightAligned", "valueFormatter": {"function": written}}
        if self.kind == "long":
            definition |= {"tooltipField": self.field, "flex": 3, "minWidth": self.width or 260}
        if self.kind == "customer":
            definition |= {"cellRenderer": "csatlasCustomer"}
        if self.kind in ("text", "customer"):
            definition |= {"tooltipField": self.field}
        if self.wraps:
            definition |= {"wrapText": True, "autoHeight": True, "cellClass": "cell-wraps"}
        needed = head_width(self.name, self.has_filter)
        if needed > LONGEST_HEAD:
            definition |= {"wrapHeaderText": True, "autoHeaderHeight": True}
        definition["minWidth"] = max(definition["minWidth"], min(needed, LONGEST_HEAD))
        if not self.has_filter:
            definition["filter"] = False
        if self.pinned:
            definition |= {"pinned": "left", "lockPinned": True}
        if self.class_rules:
            definition |= {"cellClassRules": dict(self.class_rules)}
        return definition


def grid_frame(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """A grid as a table for a file: numbers as numbers, everything else as text, under the headings of the grid."""
    names: list[str] = []
    for column in columns:
        name = column.name
        while name in names:
            name += " "
        names.append(name)
    return pl.DataFrame(
        [
            pl.Series(name, [_number(row.get(column.field)) for row in rows], dtype=pl.Float64)
            if column.kind in ("number", "exact")
            else pl.Series(name, [_text(row.get(column.field)) for row in rows], dtype=pl.String)
            for name, column in zip(names, columns, strict=True)
        ]
    )


def _number(value: Any) -> float | None:
    return None if value is None or value == "" else float(value)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def data_grid(
    t: Translator,
    key: str,
    columns: Sequence[Column],
    rows: Sequence[Mapping[str, Any]],
    *,
    label: str,
    height_rows: int = 10,
    selectable: bool = False,
    downloadable: bool = True,
) -> html.Div:
    """A sortable, filterable grid. Cells are plain text: what a customer wrote is never markup or code.

    Args:
        downloadable: whether the page of the address alone leads to these rows, so that a file of them can be had.
    """
    if downloadable:
        offer(key, label, lambda: grid_frame(columns, rows))
    visible = max(min(len(rows), height_rows), 2)
    options: dict[str, Any] = {
        "getLocaleText": {"function": "csatlasLocaleText(params)"},
        "rowHeight": ROW_HEIGHT,
        "headerHeight": 38,
        "tooltipShowDelay": 300,
        "enableCellTextSelection": True,
        "suppressDragLeaveHidesColumns": True,
        "animateRows": False,
        "theme": {"function": "csatlasGridTheme(theme)"},
    }
    if selectable:
        options["rowSelection"] = {"mode": "singleRow", "checkboxes": False, "enableClickSelection": True}
    grid = html.Div(
        dag.AgGrid(
            id=key,
            columnDefs=[column.definition() for column in columns],
            rowData=[dict(row) for row in rows],
            defaultColDef={"sortable": True, "resizable": True, "flex": 1, "suppressHeaderMenuButton": True},
            dashGridOptions=options,
            style={"height": f"{38 + visible * ROW_HEIGHT + 18}px"},
            dangerously_allow_code=False,
        ),
        role="group",  # the section around it is the landmark
        className="grid",
        **{"aria-label": label},
    )
    if not downloadable:
        return grid
    return html.Div([html.Div(download_menu(t, key, label), className="grid-head"), grid])
