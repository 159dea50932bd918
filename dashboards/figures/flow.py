"""Flows between stations: how many went from where to where, as bands of that width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from dashboards import theme
from dashboards.figures.trend import plain


@dataclass(frozen=True)
class Node:
    """A station. `side` is 0 at the left and 1 at the right; `place` orders the stations of a side from above."""

    key: str
    label: str
    hover: str
    colour: str
    side: float
    place: float


@dataclass(frozen=True)
class Link:
    """What went from one station to another, by their keys."""

    source: str
    target: str
    amount: float
    hover: str
    is_marked: bool = False


def flow_figure(nodes: Sequence[Node], links: Sequence[Link]) -> go.Figure:
    """The chart; marked links are stronger than the others.

    Args:
        nodes: those without a link are left out.
    """
    used = {link.source for link in links} | {link.target for link in links}
    shown = [node for node in nodes if node.key in used]
    place = {node.key: index for index, node in enumerate(shown)}
    colour = {node.key: node.colour for node in shown}
    figure = go.Figure(
        go.Sankey(
            arrangement="snap",
            node={
                "label": [plain(node.label) for node in shown],
                "customdata": [node.hover for node in shown],
                "hovertemplate": "%{customdata}<extra></extra>",
                "color": [node.colour for node in shown],
                # Exactly 0 and 1 are taken as "not given".
                "x": [min(0.999, max(0.001, node.side)) for node in shown],
                "y": [min(0.999, max(0.001, node.place)) for node in shown],
                "pad": 14,
                "thickness": 14,
                "line": {"width": 0},
            },
            link={
                "source": [place[link.source] for link in links],
                "target": [place[link.target] for link in links],
                "value": [link.amount for link in links],
                "color": [theme.translucent(colour[link.source], 0.55 if link.is_marked else 0.18) for link in links],
                "customdata": [link.hover for link in links],
                "hovertemplate": "%{customdata}<extra></extra>",
            },
            textfont={"size": 12, "color": theme.INK, "shadow": "none"},
        )
    )
    figure.update_layout(template=theme.plotly_template(), margin={"l": 8, "r": 8, "t": 8, "b": 8})
    return figure
