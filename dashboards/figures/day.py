"""The half hours of a day: what was needed beside what was there, with the gap between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from dashboards import theme
from dashboards.figures.trend import plain


@dataclass(frozen=True)
class DayLine:
    """One line over the half hours; `hover` is what the pointer shows over each; None where nothing is known."""

    name: str
    values: Sequence[float | None]
    hover: Sequence[str]


def day_figure(
    half_hours: Sequence[str], lines: Sequence[DayLine], y_title: str, *, share: bool = False, filled: bool = False
) -> go.Figure:
    """The chart: steps, because a value holds for its half hour.

    Args:
        half_hours: `HH:MM` in order, one a position.
        share: values are shares; the axis is in per cent and the zero may be left out.
        filled: the first line is an area.
    """
    figure = go.Figure()
    figure.update_layout(
        template=theme.plotly_template(), hovermode="closest", dragmode=False, showlegend=len(lines) > 1
    )
    scale = 100.0 if share else 1.0
    for index, line in enumerate(lines):
        colour = theme.SERIES[index % len(theme.SERIES)]
        figure.add_scatter(
            x=list(range(len(half_hours))),
            y=[None if value is None else value * scale for value in line.values],
            mode="lines",
            connectgaps=False,
            line={"color": colour, "width": 2, "shape": "hvh", "dash": ("solid", "dash", "dot")[index % 3]},
            fill="tozeroy" if filled and index == 0 else None,
            fillcolor=theme.translucent(colour, 0.12),
            hovertext=list(line.hover),
            hovertemplate="%{hovertext}<extra></extra>",
            name=plain(line.name),
        )
    every = max(1, len(half_hours) // 5)
    every += every % 2  # whole hours
    figure.update_layout(legend={"traceorder": "normal"})
    figure.update_xaxes(
        tickvals=list(range(0, len(half_hours), every)),
        ticktext=list(half_hours[::every]),
        fixedrange=True,
        tickangle=0,
    )
    figure.update_yaxes(
        title=y_title,
        fixedrange=True,
        nticks=6,
        ticksuffix="%" if share else "",
        rangemode="normal" if share else "tozero",
    )
    return figure
