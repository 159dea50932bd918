"""From the money at the start of a period to that at its end, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from dashboards import theme
from dashboards.components.values import format_value
from dashboards.figures.slices import wrapped
from dashboards.i18n import Translator


@dataclass(frozen=True)
class Step:
    """One bar. A total stands on the ground; a change begins where the bar before it ends."""

    label: str
    amount: float
    is_total: bool = False


def bridge_figure(t: Translator, steps: Sequence[Step]) -> go.Figure:
    """The chart: totals in blue, what is gained and what is lost in the colours of better and worse, each with its amount."""
    texts = [format_value(t, step.amount, "currency") if step.is_total else t.signed(step.amount, 2) for step in steps]
    figure = go.Figure(
        go.Waterfall(
            x=list(range(len(steps))),
            y=[step.amount for step in steps],
            measure=["absolute" if step.is_total else "relative" for step in steps],
            text=texts,
            textposition="outside",
            cliponaxis=False,
            hovertext=[f"<b>{step.label}</b><br>{text}" for step, text in zip(steps, texts, strict=True)],
            hovertemplate="%{hovertext}<extra></extra>",
            increasing={"marker": {"color": theme.BETTER}},
            decreasing={"marker": {"color": theme.WORSE}},
            totals={"marker": {"color": theme.SERIES[0]}},
            connector={"line": {"color": theme.MUTED, "width": 1, "dash": "dot"}},
        )
    )
    figure.update_layout(template=theme.plotly_template(), dragmode=False, showlegend=False)
    figure.update_xaxes(
        tickvals=list(range(len(steps))),
        ticktext=["<br>".join(wrapped(step.label)) for step in steps],
        fixedrange=True,
        tickangle=0,
    )
    running, heights = 0.0, [0.0]
    for step in steps:
        running = step.amount if step.is_total else running + step.amount
        heights.append(running)
    top = max(heights) * 1.12 or 1.0
    # The changes are small beside the totals: the axis begins below the lowest step, and says so by its numbers.
    lowest = min(heights[1:]) if len(heights) > 1 else 0.0
    bottom = max(0.0, lowest - 1.5 * (max(heights) - lowest)) if lowest > 0 else min(0.0, lowest)
    figure.update_yaxes(range=[bottom, top], fixedrange=True)
    return figure
