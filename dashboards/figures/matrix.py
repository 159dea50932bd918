"""A table of numbers in shades, each with its number written in it: types down, causes across; grades before and after."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import plotly.graph_objects as go

from dashboards import theme
from dashboards.figures.heat import HIGH_IS_DARK
from dashboards.figures.trend import plain

_ROW_HEIGHT = 40
_LONGEST = 44
"""Letters that the headings of all columns together have room for in one line, on a phone."""
_CLOSING = "）)，。、；："
"""What never begins a line."""
_ROW_LONGEST = 11
"""Letters in a line of the heading of a row."""


def matrix_height(rows: int) -> int:
    """Pixels for so many rows."""
    return 108 + _ROW_HEIGHT * rows


def _shade(share: float) -> str:
    """The colour of a cell at a share of the scale, as plotly mixes it."""
    for (low, light), (high, dark) in pairwise(HIGH_IS_DARK):
        if share <= high:
            part = (share - low) / (high - low)
            mixed = (round(int(light[i : i + 2], 16) * (1 - part) + int(dark[i : i + 2], 16) * part) for i in (1, 3, 5))
            return "#" + "".join(f"{channel:02x}" for channel in mixed)
    return HIGH_IS_DARK[-1][1]


def _ink(share: float) -> str:
    """White or black, whichever is read better on that shade: one of the two always has a contrast of 4.5 and more."""
    return max((theme.SURFACE, "#000000"), key=lambda ink: theme.contrast(ink, _shade(share)))


def _lines(name: str, longest: int) -> str:
    """A heading in lines of at most so many letters (a Chinese one counts as two), broken between words, in Chinese between letters."""
    lines: list[str] = []
    is_chinese = " " not in name and any(ord(letter) > 0x2E7F for letter in name)
    joint = "" if is_chinese else " "
    for piece in list(name) if is_chinese else name.split(" "):
        joined = f"{lines[-1]}{joint}{piece}" if lines else piece
        if lines and (piece in _CLOSING or sum(2 if ord(letter) > 0x2E7F else 1 for letter in joined) <= longest):
            lines[-1] = joined
        else:
            lines.append(piece)
    return "<br>".join(plain(line) for line in lines)


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
        texts: what stands in each cell, in one line or two.
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
                ink = theme.INK if value is None or top <= 0 else _ink(value / top)
                figure.add_annotation(x=x, y=y, text=plain(text).replace("\n", "<br>"), showarrow=False, font={"size": 12, "color": ink})  # fmt: skip
    figure.update_layout(template=theme.plotly_template(), dragmode=False)
    figure.update_xaxes(
        tickvals=list(range(len(columns))),
        ticktext=[_lines(name, max(6, _LONGEST // max(len(columns), 1) - 1)) for name in columns],
        side="top",
        zeroline=False,
        fixedrange=True,
        showgrid=False,
        tickangle=0,
        tickfont={"size": 10},
        title={"text": plain(columns_title), "standoff": 6} if columns_title else None,
    )
    figure.update_yaxes(
        tickvals=list(range(len(rows))), ticktext=[_lines(name, _ROW_LONGEST) for name in rows],
        autorange="reversed", fixedrange=True, showgrid=False, zeroline=False, title={"text": plain(rows_title), "standoff": 6} if rows_title else None,
    )  # fmt: skip
    return figure
