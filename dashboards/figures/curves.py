"""Curves over a number: what remains after so many days, what so many per cent of the customers bring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from dashboards import theme
from dashboards.figures.trend import plain


@dataclass(frozen=True)
class Curve:
    """Points of one curve in order; `y` as a share; `hover` is what the pointer shows over each."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    hover: Sequence[str]
    low: Sequence[float] = ()
    high: Sequence[float] = ()


def curves_figure(
    curves: Sequence[Curve], x_title: str, *, in_steps: bool = False, diagonal: bool = False, x_percent: bool = False
) -> go.Figure:
    """The chart.

    Args:
        in_steps: a value holds until the next point (survival).
        diagonal: the line on which all would lie if all were equal.
        x_percent: the x axis goes from 0 to 100 per cent.
    """
    shape = "hv" if in_steps else "linear"
    figure = go.Figure()
    figure.update_layout(template=theme.plotly_template(), hovermode="closest", dragmode=False, showlegend=True)
    for index, curve in enumerate(curves):
        colour = theme.SERIES[index % len(theme.SERIES)]
        if curve.low and len(curves) <= 3:
            for bound, fill in ((curve.high, None), (curve.low, "tonexty")):
                figure.add_scatter(
                    x=list(curve.x),
                    y=[100 * value for value in bound],
                    mode="lines",
                    line={"width": 0, "shape": shape},
                    fill=fill,
                    fillcolor=theme.translucent(colour, 0.12),
                    hoverinfo="skip",
                    showlegend=False,
                )
        figure.add_scatter(
            x=list(curve.x),
            y=[100 * value for value in curve.y],
            mode="lines",
            line={"color": colour, "width": 2, "shape": shape, "dash": ("solid", "dash", "dot", "dashdot")[index % 4]},
            hovertext=list(curve.hover),
            hovertemplate="%{hovertext}<extra></extra>",
            name=plain(curve.name),
        )
    if diagonal:
        figure.add_scatter(
            x=[0, 100],
            y=[0, 100],
            mode="lines",
            line={"color": theme.FAINT, "width": 1},
            hoverinfo="skip",
            showlegend=False,
        )
    top = max((100 * value for curve in curves for value in curve.y), default=100.0)
    figure.update_layout(legend={"traceorder": "normal"})
    figure.update_xaxes(title=x_title, fixedrange=True, nticks=6, showgrid=True)
    if x_percent:
        figure.update_xaxes(range=[0, 100], ticksuffix="%")
    figure.update_yaxes(range=[0, max(102.0, top + 3)], ticksuffix="%", fixedrange=True, nticks=6)
    return figure
