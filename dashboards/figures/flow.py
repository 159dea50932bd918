"""Flows between stations: how many went from where to where, as bands of that width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from dashboards import theme
from dashboards.figures.trend import plain

_GAP = 14
_MARGIN = 8


@dataclass(frozen=True)
class Node:
    """A station. `column` counts from 0 at the left; in a column the stations stand from above as they are given."""

    key: str
    label: str
    hover: str
    colour: str
    column: int


@dataclass(frozen=True)
class Link:
    """What went from one station to another, by their keys."""

    source: str
    target: str
    amount: float
    hover: str
    is_marked: bool = False


def _centres(nodes: Sequence[Node], links: Sequence[Link], height: int) -> dict[str, tuple[float, float]]:
    """Where the middle of each station is, from left and from above, as shares of the picture."""
    amount = {
        node.key: max(
            sum(link.amount for link in links if link.source == node.key),
            sum(link.amount for link in links if link.target == node.key),
        )
        for node in nodes
    }
    columns = sorted({node.column for node in nodes})
    of_column = {column: [node for node in nodes if node.column == column] for column in columns}
    gap = _GAP / height
    # All columns have the scale of the one that needs most room, as plotly does it.
    scale = min(
        (1 - gap * (len(mine) - 1)) / max(sum(amount[node.key] for node in mine), 1e-9) for mine in of_column.values()
    )
    found = {}
    for column, mine in of_column.items():
        above = 0.0
        for node in mine:
            half = amount[node.key] * scale / 2
            across = columns.index(column) / max(len(columns) - 1, 1)
            # Exactly 0 and 1 are taken as "not given".
            found[node.key] = (min(0.999, max(0.001, across)), min(0.999, max(0.001, above + half)))
            above += 2 * half + gap
    return found


def flow_figure(nodes: Sequence[Node], links: Sequence[Link], height: int) -> go.Figure:
    """The chart; marked links are stronger than the others.

    Args:
        nodes: those without a link are left out.
        height: pixels of the picture.
    """
    used = {link.source for link in links} | {link.target for link in links}
    shown = [node for node in nodes if node.key in used]
    place = {node.key: index for index, node in enumerate(shown)}
    colour = {node.key: node.colour for node in shown}
    centre = _centres(shown, links, height - 2 * _MARGIN)
    figure = go.Figure(
        go.Sankey(
            arrangement="snap",
            node={
                "label": [plain(node.label) for node in shown],
                "customdata": [node.hover for node in shown],
                "hovertemplate": "%{customdata}<extra></extra>",
                "color": [node.colour for node in shown],
                "x": [centre[node.key][0] for node in shown],
                "y": [centre[node.key][1] for node in shown],
                "pad": _GAP,
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
            textfont={"size": 12, "color": theme.INK},
        )
    )
    figure.update_layout(template=theme.plotly_template(), margin={"l": 8, "r": 8, "t": _MARGIN, "b": _MARGIN})
    return figure
