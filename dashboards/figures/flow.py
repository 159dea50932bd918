"""Flows between places in stages, from left to right: how many went from where to where. A band is as wide as it is large."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from dashboards import theme
from dashboards.figures.trend import plain
from dashboards.i18n import Translator

_TONES = {"plain": theme.SERIES[0], "good": theme.SERIES[2], "bad": theme.SERIES[1], "neutral": theme.SERIES[6]}
_GAP = 22
_NAME = 20
_MARGIN = 12
PIXELS = 38
"""Height that a place of the fullest stage needs."""


@dataclass(frozen=True)
class Place:
    """A place that flows come from or go to.

    Attributes:
        stage: its column, from 0; flows go from a lower stage to a higher one.
        tone: plain, good, bad or neutral; the colour of the place and of what flows into it.
        note: written behind the name, such as how many there are.
        colour: `#rrggbb` instead of a tone; what flows out of the place has it too.
    """

    name: str
    stage: int
    tone: str = "plain"
    note: str = ""
    colour: str | None = None


@dataclass(frozen=True)
class Flow:
    """So many go from one place to another; places by their position in the list. Marked flows are drawn stronger than the others."""

    source: int
    target: int
    count: float
    is_marked: bool = False


def flow_height(places: Sequence[Place]) -> int:
    """Pixels that the fullest stage needs."""
    stages = [place.stage for place in places]
    return 90 + PIXELS * max((stages.count(stage) for stage in set(stages)), default=1)


def positions(places: Sequence[Place], sizes: Sequence[float], height: int) -> tuple[list[float], list[float]]:
    """Where the middles of the places are, as parts of the width and the height (from 0 to 1).

    All stages have the scale of the one that needs most room, as plotly draws it. What a stage leaves free goes between its places, more
    of it to those that are lower than their names.

    Args:
        sizes: how much goes through each place.
        height: pixels between the margins.

    >>> positions([Place("a", 0), Place("b", 1), Place("c", 1)], [4, 3, 1], 200)[0]
    [0.001, 0.999, 0.999]
    """
    last = max((place.stage for place in places), default=0)
    # Plotly takes no 0 and no 1.
    x = [min(0.999, max(0.001, place.stage / last if last else 0.5)) for place in places]
    y = [0.5] * len(places)
    stages = {
        stage: [index for index, place in enumerate(places) if place.stage == stage]
        for stage in {place.stage for place in places}
    }
    scale = min(
        (
            (height - _GAP * (len(mine) - 1)) / max(sum(sizes[index] for index in mine), 1e-9)
            for mine in stages.values()
        ),
        default=1.0,
    )
    for mine in stages.values():
        thick = [sizes[index] * scale for index in mine]
        wanted = [max(_GAP, _NAME - one) for one in thick]
        free = max(0.0, height - sum(thick))
        reached = 0.0
        for index, one, more in zip(mine, thick, wanted, strict=True):
            room = one + free * more / sum(wanted)
            y[index] = min(0.999, max(0.001, (reached + room / 2) / height))
            reached += room
    return x, y


def flow_figure(
    t: Translator, places: Sequence[Place], flows: Sequence[Flow], unit: str, height: int | None = None
) -> go.Figure:
    """The chart.

    Args:
        unit: what is counted, for the pointer.
        height: pixels of the picture; None = what the fullest stage needs.
    """
    into = [sum(flow.count for flow in flows if flow.target == index) for index in range(len(places))]
    out = [sum(flow.count for flow in flows if flow.source == index) for index in range(len(places))]
    sizes = [max(pair) for pair in zip(into, out, strict=True)]
    x, y = positions(places, sizes, (height or flow_height(places)) - 2 * _MARGIN)

    def colour_of(flow: Flow) -> str:
        source, target = places[flow.source], places[flow.target]
        if source.colour is not None:
            return theme.translucent(source.colour, 0.55 if flow.is_marked else 0.18)
        return theme.translucent(theme.FAINT if target.tone == "plain" else _TONES[target.tone], 0.35)

    def hover_of(flow: Flow) -> str:
        source, target = plain(places[flow.source].name), plain(places[flow.target].name)
        share = t.percent(flow.count / sizes[flow.source] if sizes[flow.source] else None)
        return (
            f"<b>{source} → {target}</b><br>{plain(unit)}: {t.integer(flow.count)}"
            f"<br>{t('flow.share', name=source, share=share)}"
        )

    figure = go.Figure(
        go.Sankey(
            arrangement="fixed",
            valueformat=",.0f",
            node={
                "label": [plain(f"{place.name} {place.note}".strip()) for place in places],
                "x": x,
                "y": y,
                "color": [place.colour or _TONES[place.tone] for place in places],
                "pad": _GAP,
                "thickness": 14,
                "line": {"width": 0},
                "customdata": [
                    f"<b>{plain(place.name)}</b><br>{plain(unit)}: {t.integer(size)}"
                    for place, size in zip(places, sizes, strict=True)
                ],
                "hovertemplate": "%{customdata}<extra></extra>",
            },
            link={
                "source": [flow.source for flow in flows],
                "target": [flow.target for flow in flows],
                "value": [flow.count for flow in flows],
                "color": [colour_of(flow) for flow in flows],
                "customdata": [hover_of(flow) for flow in flows],
                "hovertemplate": "%{customdata}<extra></extra>",
            },
            textfont={"family": theme.FONT, "size": 12, "color": theme.INK, "shadow": "none"},
        )
    )
    figure.update_layout(
        template=theme.plotly_template(),
        dragmode=False,
        margin={"l": 8, "r": 8, "t": _MARGIN, "b": _MARGIN},
    )
    return figure
