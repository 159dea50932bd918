"""Many rows of one value with its range, close together: agents with intervals, places that the data allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from dashboards import theme
from dashboards.figures.slices import short
from dashboards.figures.trend import plain

ROW = 17
_ROOM = 80


@dataclass(frozen=True)
class Range:
    """One row: a range and, if there is one, the value in it; `is_marked`: in the second colour."""

    label: str
    low: float
    high: float
    value: float | None
    hover: str
    is_marked: bool = False


def ranges_height(rows: Sequence[Range]) -> int:
    """Pixels that so many rows need."""
    return _ROOM + ROW * max(len(rows), 3)


def ranges_figure(
    rows: Sequence[Range],
    x_title: str,
    *,
    share: bool = False,
    line: float | None = None,
    whole: bool = False,
    longest: int = 24,
) -> go.Figure:
    """The chart, the first row on top.

    Args:
        x_title: what the axis counts, with its unit.
        share: values are shares; the axis is in per cent.
        line: a dotted line, such as the value of all.
        whole: values are whole numbers (places), from 1.
        longest: letters of a label that are shown.
    """
    scale = 100.0 if share else 1.0
    names = [str(index) for index in range(len(rows))]
    figure = go.Figure()
    figure.update_layout(template=theme.plotly_template(), showlegend=False, dragmode=False, hovermode="closest")
    for marked in (False, True):
        x: list[float | None] = []
        y: list[str | None] = []
        for name, row in zip(names, rows, strict=True):
            if row.is_marked is marked:
                x += [row.low * scale, row.high * scale, None]
                y += [name, name, None]
        if x:
            colour = theme.SERIES[1 if marked else 0]
            # A place range of one place is a dot.
            figure.add_scatter(
                x=x, y=y, mode="lines+markers" if whole else "lines", line={"color": theme.translucent(colour, 0.45), "width": 5},
                marker={"size": 5, "color": colour}, hoverinfo="skip",
            )  # fmt: skip
    middles = [(row.low + row.high) / 2 if row.value is None else row.value for row in rows]
    figure.add_scatter(
        x=[middle * scale for middle in middles],
        y=names,
        mode="markers",
        marker={
            "size": 7,
            "color": [theme.SERIES[1 if row.is_marked else 0] for row in rows],
            "opacity": [0.0 if row.value is None else 1.0 for row in rows],
        },
        hovertext=[row.hover for row in rows],
        hovertemplate="%{hovertext}<extra></extra>",
    )
    if line is not None:
        figure.add_vline(x=line * scale, line={"color": theme.ACCENT, "width": 1.2, "dash": "dot"})
    figure.update_yaxes(
        type="category",
        categoryorder="array",
        categoryarray=names[::-1],
        tickvals=names,
        ticktext=[plain(short(row.label, longest)) for row in rows],
        tickfont={"size": 11, "color": theme.MUTED},
        fixedrange=True,
        showgrid=False,
        range=[-0.8, len(rows) - 0.2],
    )
    figure.update_xaxes(
        title=x_title, fixedrange=True, showgrid=True, nticks=6, ticksuffix="%" if share else "", side="bottom"
    )
    if whole:
        figure.update_xaxes(range=[0.5, max((row.high for row in rows), default=1) + 0.5])
    return figure
