"""Flows between places in stages, from left to right: how many went where. A flow is as wide as it is large."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from dashboards import theme
from dashboards.figures.trend import plain
from dashboards.i18n import Translator


@dataclass(frozen=True)
class Place:
    """A place that flows come from or go to.

    Attributes:
        stage: its column, from 0; flows go from a lower stage to a higher one.
        tone: plain, good, bad or neutral; the colour of the place and of what flows into it.
    """

    label: str
    stage: int
    tone: str = "plain"


@dataclass(frozen=True)
class Flow:
    """So many go from one place to another; places by their position in the list."""

    source: int
    target: int
    count: float


_TONES = {"plain": theme.SERIES[0], "good": theme.SERIES[2], "bad": theme.SERIES[1], "neutral": theme.SERIES[6]}
PIXELS = 38
"""Height that a place of the fullest stage needs."""


def sankey_height(places: Sequence[Place]) -> int:
    """Pixels that the fullest stage needs."""
    stages = [place.stage for place in places]
    return 90 + PIXELS * max((stages.count(stage) for stage in set(stages)), default=1)


def positions(places: Sequence[Place], sizes: Sequence[float]) -> tuple[list[float], list[float]]:
    """Where places stand, as parts of the width and the height (from 0 to 1).

    In a column each place has room by its size, and the smallest have the room that their names need.

    >>> positions([Place("a", 0), Place("b", 1), Place("c", 1)], [4, 3, 1])[0]
    [0.001, 0.999, 0.999]
    """
    last = max((place.stage for place in places), default=0)
    # Plotly takes no 0 and no 1.
    x = [min(0.999, max(0.001, place.stage / last if last else 0.5)) for place in places]
    y = [0.5] * len(places)
    fullest = max((sankey_height(places) - 90) / PIXELS, 1.0)
    for stage in {place.stage for place in places}:
        column = [index for index, place in enumerate(places) if place.stage == stage]
        total = sum(sizes[index] for index in column) or 1.0
        least = 0.8 / fullest
        room = [max(least, sizes[index] / total) for index in column]
        reached = 0.0
        for index, one in zip(column, room, strict=True):
            y[index] = min(0.97, max(0.03, 0.03 + 0.94 * (reached + one / 2) / sum(room)))
            reached += one
    return x, y


def sankey_figure(t: Translator, places: Sequence[Place], flows: Sequence[Flow], unit: str) -> go.Figure:
    """The chart.

    Args:
        unit: what is counted, for the pointer.
    """
    into = [sum(flow.count for flow in flows if flow.target == index) for index in range(len(places))]
    out = [sum(flow.count for flow in flows if flow.source == index) for index in range(len(places))]
    sizes = [max(pair) for pair in zip(into, out, strict=True)]
    x, y = positions(places, sizes)
    colours = [_TONES[place.tone] for place in places]
    links = [
        f"<b>{plain(places[flow.source].label)} → {plain(places[flow.target].label)}</b>"
        f"<br>{plain(unit)}: {t.integer(flow.count)}"
        f"<br>{t('sankey.share', name=plain(places[flow.source].label), share=t.percent(flow.count / sizes[flow.source] if sizes[flow.source] else None))}"
        for flow in flows
    ]
    figure = go.Figure(
        go.Sankey(
            arrangement="fixed",
            valueformat=",.0f",
            node={
                "label": [plain(place.label) for place in places],
                "x": x,
                "y": y,
                "color": colours,
                "pad": 18,
                "thickness": 14,
                "line": {"width": 0},
                "customdata": [
                    f"<b>{plain(place.label)}</b><br>{plain(unit)}: {t.integer(size)}"
                    for place, size in zip(places, sizes, strict=True)
                ],
                "hovertemplate": "%{customdata}<extra></extra>",
            },
            link={
                "source": [flow.source for flow in flows],
                "target": [flow.target for flow in flows],
                "value": [flow.count for flow in flows],
                "color": [
                    theme.translucent(
                        theme.FAINT if places[flow.target].tone == "plain" else _TONES[places[flow.target].tone], 0.35
                    )
                    for flow in flows
                ],
                "customdata": links,
                "hovertemplate": "%{customdata}<extra></extra>",
            },
            textfont={"family": theme.FONT, "size": 12, "color": theme.INK, "shadow": "none"},
        )
    )
    figure.update_layout(template=theme.plotly_template(), dragmode=False, margin={"l": 8, "r": 8, "t": 12, "b": 12})
    return figure
