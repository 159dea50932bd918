"""AG Grid with csatlas' habits: text as text, the reader's language, no code from data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dash_ag_grid as dag
from dash import html

from dashboards.i18n import Translator

ROW_HEIGHT = 36


@dataclass(frozen=True)
class Column:
    """One column. `kind` is text, number (two decimals), exact (a number with six) or long (text that may wrap in a tooltip)."""

    field: str
    name: str
    kind: str = "text"
    width: int | None = None
    pinned: bool = False
    class_rules: Mapping[str, str] | None = None

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
        if self.kind == "text":
            definition |= {"tooltipField": self.field}
        if self.pinned:
            definition |= {"pinned": "left", "lockPinned": True}
        if self.class_rules:
            definition |= {"cellClassRules": dict(self.class_rules)}
        return definition


def data_grid(
    t: Translator,
    key: str,
    columns: Sequence[Column],
    rows: Sequence[Mapping[str, Any]],
    *,
    label: str,
    height_rows: int = 10,
    selectable: bool = False,
) -> html.Div:
    """A sortable, filterable grid. Cells are plain text: what a customer wrote is never markup or code."""
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
    return html.Div(
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
