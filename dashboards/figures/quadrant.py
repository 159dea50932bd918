"""Importance against performance: what to mend first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from dashboards import theme
from dashboards.figures.slices import wrapped
from dashboards.figures.trend import plain
from dashboards.i18n import Translator


@dataclass(frozen=True)
class Item:
    """One item of a survey; `note` is what the pointer shows beside its name."""

    label: str
    performance: float
    importance: float
    quadrant: str
    note: str


NAMED = 6
"""Up to so many points are written with their names; more would cover each other and bear the number of their place in the list."""


def quadrant_figure(t: Translator, items: Sequence[Item], performance_line: float, importance_line: float) -> go.Figure:
    """Points with the cross-hairs that part the quadrants and the name of each quadrant in its corner."""
    is_named = len(items) <= NAMED
    figure = go.Figure()
    figure.update_layout(template=theme.plotly_template(), showlegend=False, dragmode=False, hovermode="closest")
    figure.add_vline(x=performance_line, line={"color": theme.FAINT, "width": 1.2, "dash": "dash"})
    figure.add_hline(y=importance_line, line={"color": theme.FAINT, "width": 1.2, "dash": "dash"})
    for quadrant, x, y in (
        ("concentrate_here", 0, 1),
        ("keep_up", 1, 1),
        ("low_priority", 0, 0),
        ("possible_overkill", 1, 0),
    ):
        figure.add_annotation(
            text=t(f"quadrant.{quadrant}"),
            x=x,
            y=y,
            xref="paper",
            yref="paper",
            xanchor="right" if x else "left",
            yanchor="top" if y else "bottom",
            showarrow=False,
            font={"size": 11, "color": theme.WORSE if quadrant == "concentrate_here" else theme.MUTED},
        )
    x_all = [*(item.performance for item in items), performance_line]
    y_all = [*(item.importance for item in items), importance_line]
    x_room = (max(x_all) - min(x_all) or 1) * 0.28
    y_room = (max(y_all) - min(y_all) or 1) * 0.28
    middle = (max(x_all) + min(x_all)) / 2
    figure.add_scatter(
        x=[item.performance for item in items],
        y=[item.importance for item in items],
        mode="markers+text",
        text=[
            "<br>".join(plain(line) for line in wrapped(item.label)) if is_named else str(place)
            for place, item in enumerate(items, 1)
        ],
        # A name is written towards the middle, where there is room for it.
        textposition=["top right" if item.performance < middle else "top left" for item in items]
        if is_named
        else "middle center",
        textfont={"size": 12, "color": theme.INK} if is_named else {"size": 10, "color": "white"},
        marker={
            "size": 10 if is_named else 17,
            "color": [theme.SERIES[1] if item.quadrant == "concentrate_here" else theme.SERIES[0] for item in items],
        },
        hovertext=[f"<b>{plain(item.label)}</b><br>{item.note}" for item in items],
        hovertemplate="%{hovertext}<extra></extra>",
    )
    figure.update_xaxes(
        title=t("quadrant.performance"),
        range=[min(x_all) - x_room, max(x_all) + x_room],
        fixedrange=True,
        nticks=5,
        showgrid=False,
    )
    figure.update_yaxes(
        title=t("quadrant.importance"),
        range=[min(y_all) - y_room, max(y_all) + y_room],
        fixedrange=True,
        nticks=5,
        showgrid=False,
    )
    return figure
