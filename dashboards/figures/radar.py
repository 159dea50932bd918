"""Values of one scale around a circle: what is expected and what is found, by dimension of the service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from dashboards import theme
from dashboards.figures.trend import plain


@dataclass(frozen=True)
class Ring:
    """One line around the circle: a value an axis, in the order of the axes; `hover` is what the pointer shows over each."""

    name: str
    values: Sequence[float | None]
    hover: Sequence[str]


def radar_figure(axes: Sequence[str], rings: Sequence[Ring], *, low: float = 0.0, high: float = 100.0) -> go.Figure:
    """The chart. Lines differ in colour, dash and mark.

    Args:
        low, high: ends of the scale, which every axis has.
    """
    figure = go.Figure()
    names = [plain(name) for name in axes]
    for index, ring in enumerate(rings):
        colour = theme.SERIES[index % len(theme.SERIES)]
        figure.add_scatterpolar(
            r=[*ring.values, *ring.values[:1]],
            theta=[*names, *names[:1]],
            mode="lines+markers",
            name=plain(ring.name),
            line={"color": colour, "width": 2, "dash": ("dash", "solid", "dot")[index % 3]},
            marker={"size": 7, "color": colour, "symbol": ("diamond", "circle", "square")[index % 3]},
            fill="toself" if index else "none",
            fillcolor=theme.translucent(colour, 0.1),
            hovertext=[*ring.hover, *ring.hover[:1]],
            hovertemplate="%{hovertext}<extra></extra>",
        )
    figure.update_layout(
        template=theme.plotly_template(), dragmode=False, showlegend=True,
        margin={"l": 48, "r": 48, "t": 30, "b": 30},
        polar={
            "bgcolor": theme.SURFACE,
            "radialaxis": {
                "range": [low, high], "nticks": 5, "angle": 90, "tickangle": 90, "gridcolor": theme.LINE, "linecolor": theme.LINE,
                "tickfont": {"size": 11, "color": theme.MUTED},
            },
            "angularaxis": {
                "direction": "clockwise", "rotation": 90, "gridcolor": theme.LINE, "linecolor": theme.LINE,
                "tickfont": {"size": 12, "color": theme.INK},
            },
        },
        legend={"y": -0.12, "yanchor": "top", "x": 0.5, "xanchor": "center"},
    )  # fmt: skip
    return figure
