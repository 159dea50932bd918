"""Values of slices side by side: bars for counts, points with whiskers for what has an interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from dashboards import theme
from dashboards.components.values import format_part, format_value
from dashboards.figures.trend import plain, value_ticks
from dashboards.i18n import Translator

ROW = 36
_LONGEST = 24


@dataclass(frozen=True)
class Slice:
    """One row of the figure. None in `value` is an empty base."""

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    numerator: float | None = None
    denominator: float | None = None
    n: float | None = None
    is_small: bool = False
    is_marked: bool = False


def figure_height(rows: int) -> int:
    """Pixels that so many rows need."""
    return max(rows, 2) * ROW + 44


def _width(text: str) -> int:
    return sum(2 if ord(letter) > 0x2E7F else 1 for letter in text)


def short(label: str, longest: int = _LONGEST) -> str:
    """A label that fits beside an axis; a Chinese letter counts as two."""
    width, kept = 0, ""
    for letter in label:
        width += _width(letter)
        if width > longest:
            return kept.rstrip() + "…"
        kept += letter
    return label


def wrapped(label: str) -> list[str]:
    """A label in at most two lines that fit beside an axis, broken between words, in Chinese between letters."""
    if _width(label) <= _LONGEST:
        return [label]
    if " " not in label and _width(label) <= 2 * _LONGEST - 4:
        half = -(-len(label) // 2)
        return [label[:half], label[half:]]
    first = ""
    for word in label.split(" ") if " " in label else list(label):
        longer = f"{first} {word}" if first and " " in label else first + word
        if _width(longer) > _LONGEST:
            break
        first = longer
    first = first or short(label)
    return [first, short(label[len(first) :].strip())]


def slice_hover(t: Translator, row: Slice, unit: str | None) -> str:
    """What the pointer shows over one slice."""
    lines = [f"<b>{plain(row.label)}</b>"]
    if row.value is None:
        lines.append(t("trend.no_contacts_hover"))
    else:
        lines.append(f"{t('trend.value')}: <b>{format_value(t, row.value, unit)}</b>")
    if row.low is not None and row.high is not None:
        shown = t("kpi.interval", low=format_value(t, row.low, unit), high=format_value(t, row.high, unit))
        lines.append(f"{t('trend.interval')}: {shown}")
    if row.denominator is not None:
        lines.append(f"{t('trend.numerator')}: {format_part(t, row.numerator)}")
        lines.append(f"{t('trend.denominator')}: {format_part(t, row.denominator)}")
        lines.append(f"{t('trend.n')}: {format_part(t, row.n)}")
    if row.is_small:
        lines.append(t("kpi.small_base"))
    return "<br>".join(lines)


def slices_figure(
    t: Translator,
    rows: Sequence[Slice],
    unit: str | None,
    *,
    target: float | None = None,
    overall: float | None = None,
    as_bars: bool = False,
) -> go.Figure:
    """The chart, the first row on top.

    Args:
        unit: of the values, as the catalogue names it.
        target: a dashed line.
        overall: a dotted line at the value of all slices together.
        as_bars: bars from zero (counts, parts of a whole) instead of points.
    """
    scale = 100.0 if unit == "share" else 1.0
    names = [f"{index}" for index in range(len(rows))]
    hover = [slice_hover(t, row, unit) for row in rows]
    colours = [theme.FAINT if row.is_small else theme.SERIES[1] if row.is_marked else theme.SERIES[0] for row in rows]
    values = [None if row.value is None else row.value * scale for row in rows]
    spans = [
        (0.0, 0.0)
        if row.value is None or row.low is None or row.high is None
        else (max(0.0, row.high - row.value) * scale, max(0.0, row.value - row.low) * scale)
        for row in rows
    ]
    figure = go.Figure()
    figure.update_layout(template=theme.plotly_template(), showlegend=False, dragmode=False, hovermode="closest")
    whiskers: dict[str, object] | None = {
        "type": "data",
        "symmetric": False,
        "array": [up for up, _ in spans],
        "arrayminus": [down for _, down in spans],
        "color": theme.MUTED,
        "thickness": 1.4,
        "width": 3,
    }
    if not any(up or down for up, down in spans):
        whiskers = None
    common = {"x": values, "y": names, "hovertext": hover, "hovertemplate": "%{hovertext}<extra></extra>"}
    if as_bars:
        figure.add_bar(
            **common, orientation="h", marker={"color": colours, "line": {"width": 0}}, error_x=whiskers, width=0.62
        )
    else:
        figure.add_scatter(
            **common,
            mode="markers",
            marker={"size": 9, "color": colours, "line": {"width": 0}},
            error_x=whiskers,
        )
    if target is not None:
        figure.add_vline(x=target * scale, line={"color": theme.FAINT, "width": 1.2, "dash": "dash"})
    if overall is not None:
        figure.add_vline(x=overall * scale, line={"color": theme.ACCENT, "width": 1.2, "dash": "dot"})
    figure.update_yaxes(
        type="category",
        categoryorder="array",
        categoryarray=names[::-1],
        tickvals=names,
        ticktext=["<br>".join(plain(line) for line in wrapped(row.label)) for row in rows],
        fixedrange=True,
        showgrid=not as_bars,
        range=[-0.6, len(rows) - 0.4],
    )
    figure.update_xaxes(fixedrange=True, showgrid=True, nticks=5, side="bottom")
    known = [value for value in values if value is not None]
    lows = [value - down for value, (_, down) in zip(values, spans, strict=True) if value is not None]
    highs = [value + up for value, (up, _) in zip(values, spans, strict=True) if value is not None]
    if as_bars:
        figure.update_xaxes(rangemode="tozero")
    if known:
        figure.update_xaxes(
            **value_ticks(t, unit, max([*highs, *known]), min([*lows, *known]), from_zero=as_bars, lying=True)
        )
    return figure
