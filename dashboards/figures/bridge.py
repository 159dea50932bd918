"""From the money at the start of a period to that at its end, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from dashboards import theme
from dashboards.components.values import format_value
from dashboards.figures.slices import wrapped
from dashboards.figures.trend import value_ticks
from dashboards.i18n import Translator


@dataclass(frozen=True)
class Step:
    """One bar. A total stands on the ground; a change begins where the bar before it ends."""

    label: str
    amount: float
    is_total: bool = False


def bridge_figure(t: Translator, steps: Sequence[Step], unit: str = "currency") -> go.Figure:
    """The chart: totals in grey, what is gained and what is lost in the colours of better and worse, each with its amount.

    Args:
        unit: of the amounts, as the catalogue names it; money is written short.
    """
    texts = [format_value(t, step.amount, unit) if step.is_total else t.signed(step.amount, 2) for step in steps]
    if unit == "currency":
        shown = [t.compact(step.amount) if step.is_total else _signed(t, step.amount) for step in steps]
    else:
        shown = texts
    places = list(range(len(steps)))
    running, heights = 0.0, []
    for step in steps:
        running = step.amount if step.is_total else running + step.amount
        heights.append(running)
    most, least = max(heights), min(heights)
    # Changes are small beside totals: the axis begins below the lowest step and its numbers say so.
    low = max(0.0, least - 1.2 * (most - least)) if least > 0 else least
    room = (most - low) * 0.22 or 1.0
    figure = go.Figure(
        go.Waterfall(
            orientation="h",
            y=places,
            x=[step.amount for step in steps],
            measure=["absolute" if step.is_total else "relative" for step in steps],
            text=shown,
            textposition="outside",
            textfont={"size": 12, "color": theme.INK},
            constraintext="none",
            hovertext=[f"<b>{step.label}</b><br>{text}" for step, text in zip(steps, texts, strict=True)],
            hovertemplate="%{hovertext}<extra></extra>",
            increasing={"marker": {"color": theme.BETTER}},
            decreasing={"marker": {"color": theme.WORSE}},
            totals={"marker": {"color": theme.FAINT}},
            connector={"line": {"color": theme.MUTED, "width": 1, "dash": "dot"}},
        )
    )
    figure.update_layout(template=theme.plotly_template(), dragmode=False, showlegend=False)
    figure.update_xaxes(
        range=[low, most + room], fixedrange=True, **value_ticks(t, unit, most, low, from_zero=False, lying=True)
    )
    figure.update_yaxes(
        tickvals=places, ticktext=["<br>".join(wrapped(step.label)) for step in steps], autorange="reversed",
        fixedrange=True, showgrid=False,
    )  # fmt: skip
    return figure


def _signed(t: Translator, amount: float) -> str:
    text = t.compact(amount)
    return f"+{text}" if amount > 0 else text
