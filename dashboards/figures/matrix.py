"""A table of numbers in shades, each with its number written in it: types down, causes across; grades before and after."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from dashboards import theme
from dashboards.figures.heat import HIGH_IS_DARK
from dashboards.figures.slices import wrapped
from dashboards.figures.trend import plain

_ROW_HEIGHT = 40
_WHITE_FROM = 0.55
"""From this share of the scale on the number is white: below, dark on light is read better."""


def matrix_height(rows: int) -> int:
    """Pixels for so many rows."""
    return 96 + _ROW_HEIGHT * rows


def matrix_figure(
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float | None]],
    texts: Sequence[Sequence[str]],
    hover: Sequence[Sequence[str]],
    *,
    rows_title: str = "",
    columns_title: str = "",
) -> go.Figure:
    """The chart, the first row on top, the first column at the left.

    Args:
        values: shades from light (0) to dark (the largest); None leaves a cell white.
        texts: what stands in each cell.
        hover: what the pointer shows over each.
    """
    top = max((value for line in values for value in line if value is not None), default=0.0)
    figure = go.Figure(
        go.Heatmap(
            x=list(range(len(columns))),
            y=list(range(len(rows))),
            z=[list(line) for line in values],
            hovertext=[list(line) for line in hover],
            hovertemplate="%{hovertext}<extra></extra>",
            hoverongaps=False,
            colorscale=[list(step) for step in HIGH_IS_DARK],
            zmin=0,
            zmax=top or 1,
            showscale=False,
            xgap=2,
            ygap=2,
        )
    )
    for y, (line, written) in enumerate(zip(values, texts, strict=True)):
        for x, (value, text) in enumerate(zip(line, written, strict=True)):
            if text:
                is_dark = value is not None and top > 0 and value / top >= _WHITE_FROM
                figure.add_annotation(
                    x=x, y=y, text=plain(text), showarrow=False, font={"size": 12, "color": theme.SURFACE if is_dark else theme.INK}
                )  # fmt: skip
    figure.update_layout(template=theme.plotly_template(), dragmode=False)
    figure.update_xaxes(
        tickvals=list(range(len(columns))), ticktext=["<br>".join(plain(part) for part in wrapped(name)) for name in columns],
        side="top", fixedrange=True, showgrid=False, tickangle=0, tickfont={"size": 11},
        title={"text": plain(columns_title), "standoff": 6} if columns_title else None,
    )  # fmt: skip
    figure.update_yaxes(
        tickvals=list(range(len(rows))), ticktext=["<br>".join(plain(part) for part in wrapped(name)) for name in rows],
        autorange="reversed", fixedrange=True, showgrid=False, title={"text": plain(rows_title), "standoff": 6} if rows_title else None,
    )  # fmt: skip
    return figure
