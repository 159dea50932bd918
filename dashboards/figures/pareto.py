"""The few that make most of it: parts of a whole, largest first, and how they add up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from dashboards import theme
from dashboards.figures.slices import wrapped
from dashboards.figures.trend import plain
from dashboards.i18n import Translator


@dataclass(frozen=True)
class ParetoRow:
    """One part: its count, its share of the whole and that of all parts up to it."""

    label: str
    count: float
    share: float
    reached: float


def pareto_rows(counts: Sequence[tuple[str, float]], most: int, rest: str) -> list[ParetoRow]:
    """Parts by size; what comes after the `most` largest is one row named `rest`, last whatever its size.

    >>> [(row.label, row.share) for row in pareto_rows([("a", 1), ("b", 3)], 5, "other")]
    [('b', 0.75), ('a', 0.25)]
    """
    ordered = sorted(counts, key=lambda pair: (-pair[1], pair[0]))
    total = sum(count for _, count in ordered)
    shown = ordered[:most]
    if len(ordered) > most:
        shown.append((rest, sum(count for _, count in ordered[most:])))
    rows: list[ParetoRow] = []
    reached = 0.0
    for label, count in shown:
        reached += count
        rows.append(ParetoRow(label, count, count / total if total else 0.0, reached / total if total else 0.0))
    return rows


def pareto_figure(t: Translator, rows: Sequence[ParetoRow], name: str) -> go.Figure:
    """Bars of the shares and the line of what they add up to, on one axis of per cent."""
    names = [f"{index}" for index in range(len(rows))]
    figure = go.Figure()
    figure.update_layout(template=theme.plotly_template(), dragmode=False, hovermode="closest", showlegend=True)
    hover = [
        f"<b>{plain(row.label)}</b><br>{plain(name)}: {t.integer(row.count)}"
        f"<br>{t('pareto.share')}: {t.percent(row.share)}<br>{t('pareto.reached')}: {t.percent(row.reached)}"
        for row in rows
    ]
    figure.add_bar(
        x=[100 * row.share for row in rows],
        y=names,
        orientation="h",
        width=0.62,
        marker={"color": theme.SERIES[0], "line": {"width": 0}},
        hovertext=hover,
        hovertemplate="%{hovertext}<extra></extra>",
        name=t("pareto.share"),
    )
    figure.add_scatter(
        x=[100 * row.reached for row in rows],
        y=names,
        mode="lines+markers",
        line={"color": theme.SERIES[1], "width": 1.6},
        marker={"size": 6, "color": theme.SERIES[1]},
        hovertext=hover,
        hovertemplate="%{hovertext}<extra></extra>",
        name=t("pareto.reached"),
    )
    figure.update_yaxes(
        type="category",
        categoryorder="array",
        categoryarray=names[::-1],
        tickvals=names,
        ticktext=["<br>".join(plain(line) for line in wrapped(row.label)) for row in rows],
        fixedrange=True,
        showgrid=False,
        range=[-0.6, len(rows) - 0.4],
    )
    steps = [0, 25, 50, 75, 100]
    figure.update_xaxes(
        range=[0, 104], fixedrange=True, showgrid=True, tickvals=steps, ticktext=[f"{step}%" for step in steps]
    )
    return figure
