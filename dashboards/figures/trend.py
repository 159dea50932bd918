"""The course of one metric with its interval band, target, incomplete ends and small bases."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import plotly.graph_objects as go
import polars as pl

from dashboards import theme
from dashboards.components.values import format_part, format_value
from dashboards.i18n import Translator


@dataclass(frozen=True)
class TrendStyle:
    """What a trend needs to know of its metric."""

    name: str
    unit: str | None
    grain: str
    minimum_base: float | None = None
    target: float | None = None
    is_count: bool = False


def next_bucket(start: date, grain: str) -> date:
    """The first day of the bucket after the one that begins on `start`."""
    if grain == "day":
        return start + timedelta(days=1)
    if grain == "week":
        return start + timedelta(days=7)
    months = {"month": 1, "quarter": 3, "year": 12}[grain]
    index = start.year * 12 + start.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def bucket_start(day: date, grain: str) -> date:
    """The first day of the bucket that holds `day` (weeks begin on Monday)."""
    match grain:
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
        case "quarter":
            return date(day.year, (day.month - 1) // 3 * 3 + 1, 1)
        case "year":
            return date(day.year, 1, 1)
        case _:
            return day


def choose_grain(days: int) -> str:
    """The grain that gives a span of so many days a readable number of points."""
    if days <= 45:
        return "day"
    return "week" if days <= 400 else "month"


def complete_course(frame: pl.DataFrame, start: date, end: date, grain: str) -> pl.DataFrame:
    """The frame with a row for every bucket from `start` to `end`: a bucket without rows is a gap, not a jump."""
    days: list[date] = []
    day = bucket_start(start, grain)
    while day <= end:
        days.append(day)
        day = next_bucket(day, grain)
    buckets = pl.DataFrame({"metric_time": days}, schema={"metric_time": pl.Date})
    return buckets.join(frame.with_columns(pl.col("metric_time").cast(pl.Date)), on="metric_time", how="left")


def incomplete_buckets(start: date, end: date, grain: str, last_complete: date) -> set[date]:
    """Buckets that the span or the data cut: the first and the last one, and what lies after the last complete day."""
    found: set[date] = set()
    day = bucket_start(start, grain)
    while day <= end:
        following = next_bucket(day, grain)
        if day < start or following - timedelta(days=1) > min(end, last_complete):
            found.add(day)
        day = following
    return found


def hover_text(t: Translator, style: TrendStyle, row: dict[str, object], incomplete: bool) -> str:
    """What the pointer shows over one point: value, interval, numerator, denominator, n and what is wrong with it."""
    when = row["metric_time"]
    assert isinstance(when, date)
    value, low, high = (_number(row.get(name)) for name in ("value", "low", "high"))
    lines = [f"<b>{t.grain_label(when, style.grain)}</b>"]
    if value is None:
        lines.append(t("trend.no_contacts_hover"))
    else:
        lines.append(f"{t('trend.value')}: <b>{format_value(t, value, style.unit)}</b>")
        if low is not None and high is not None:
            shown = t("kpi.interval", low=format_value(t, low, style.unit), high=format_value(t, high, style.unit))
            lines.append(f"{t('trend.interval')}: {shown}")
    if not style.is_count:
        for key in ("numerator", "denominator", "n"):
            part = _number(row.get(key))
            if part is not None:
                lines.append(f"{t(f'trend.{key}')}: {format_part(t, part)}")
    if is_small(style, row):
        minimum, n = t.integer(style.minimum_base), t.integer(_number(row.get("n")))
        lines.append(t("trend.small_base_hover", n=n, minimum=minimum))
    if incomplete:
        lines.append(t("trend.incomplete_hover"))
    return "<br>".join(lines)


def is_small(style: TrendStyle, row: dict[str, object]) -> bool:
    """Whether a row has a value on a base below the metric's minimum."""
    n = _number(row.get("n"))
    return not style.is_count and bool(style.minimum_base) and n is not None and 0 < n < float(style.minimum_base or 0)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def trend_figure(frame: pl.DataFrame, t: Translator, style: TrendStyle, incomplete: Collection[date]) -> go.Figure:
    """The chart. `frame`: metric_time, value, numerator, denominator, low, high, n, one row a bucket, gaps as null."""
    rows = frame.sort("metric_time").to_dicts()
    days = [row["metric_time"] for row in rows]
    values = [_number(row["value"]) for row in rows]
    scale = 100.0 if style.unit == "share" else 1.0
    colour = theme.SERIES[0]
    figure = go.Figure()
    figure.update_layout(template=theme.plotly_template(), hovermode="closest", showlegend=False, dragmode=False)
    for run in _runs_with_interval(rows):
        if len(run) == 1:
            continue  # a band of one point is no band; it gets whiskers
        x = [row["metric_time"] for row in run]
        figure.add_scatter(
            x=x + x[::-1],
            y=[row["high"] * scale for row in run] + [row["low"] * scale for row in reversed(run)],
            mode="lines",
            line={"width": 0},
            fill="toself",
            fillcolor=theme.translucent(colour, 0.14),
            hoverinfo="skip",
            name=t("trend.interval"),
        )
    if style.is_count and len(days) <= 120:
        cut = set(incomplete)
        figure.add_bar(
            x=days,
            y=values,
            marker={
                "color": [theme.translucent(colour, 0.35) if day in cut else colour for day in days],
                "line": {"width": 0},
            },
            hovertext=[hover_text(t, style, row, row["metric_time"] in cut) for row in rows],
            hovertemplate="%{hovertext}<extra></extra>",
            name=style.name,
        )
        figure.update_layout(bargap=0.25)
        figure.update_yaxes(rangemode="tozero")
    else:
        _add_course(figure, t, style, rows, set(incomplete), scale, colour)
    if style.target is not None and is_target_near(frame, style.target):
        y = style.target * scale
        figure.add_hline(y=y, line={"color": theme.FAINT, "width": 1.2, "dash": "dash"})
        figure.add_annotation(
            x=1,
            xref="paper",
            xanchor="right",
            y=y,
            yanchor="bottom",
            showarrow=False,
            text=t("trend.target", value=format_value(t, style.target, style.unit)),
            font={"size": 11, "color": theme.MUTED},
        )
    _axes(figure, t, style, days, values, scale)
    return figure


def lines_figure(
    courses: Sequence[tuple[str, pl.DataFrame]],
    t: Translator,
    style: TrendStyle,
    incomplete: Collection[date],
    *,
    with_bands: bool = True,
) -> go.Figure:
    """Several courses in one chart, each with its name, colour and shape of point; bands of the intervals if there are few."""
    scale = 100.0 if style.unit == "share" else 1.0
    cut = set(incomplete)
    figure = go.Figure()
    figure.update_layout(template=theme.plotly_template(), hovermode="closest", showlegend=True, dragmode=False)
    known: list[float | None] = []
    days: list[date] = []
    for index, (name, frame) in enumerate(courses):
        rows = frame.sort("metric_time").to_dicts()
        colour = theme.SERIES[index % len(theme.SERIES)]
        days = [row["metric_time"] for row in rows]
        values = [None if (value := _number(row["value"])) is None else value * scale for row in rows]
        known += values
        for run in _runs_with_interval(rows) if with_bands else []:
            if len(run) == 1:
                continue
            x = [row["metric_time"] for row in run]
            figure.add_scatter(
                x=x + x[::-1],
                y=[row["high"] * scale for row in run] + [row["low"] * scale for row in reversed(run)],
                mode="lines",
                line={"width": 0},
                fill="toself",
                fillcolor=theme.translucent(colour, 0.1),
                hoverinfo="skip",
                showlegend=False,
                name=name,
            )
        small = [is_small(style, row) for row in rows]
        figure.add_scatter(
            x=days,
            y=values,
            mode="lines+markers",
            line={"color": colour, "width": 2, "dash": ("solid", "dash", "dot", "dashdot")[index // 2 % 4]},
            marker={
                "size": 7,
                "symbol": ("circle", "square", "diamond", "triangle-up", "x", "cross", "star")[index % 7],
                "color": [
                    theme.SURFACE if day in cut else theme.FAINT if few else colour
                    for few, day in zip(small, days, strict=True)
                ],
                "line": {"color": [theme.FAINT if few else colour for few in small], "width": 1.5},
            },
            connectgaps=False,
            error_y=_whiskers(rows, scale, colour),
            hovertext=[
                f"<b>{plain(name)}</b><br>{hover_text(t, style, row, row['metric_time'] in cut)}" for row in rows
            ],
            hovertemplate="%{hovertext}<extra></extra>",
            name=plain(name),
        )
    _axes(figure, t, style, days, known, scale)
    return figure


def plain(text: str) -> str:
    """Text of the data for plotly, which takes some markup for markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _runs_with_interval(rows: list[dict[str, object]]) -> list[list[dict[str, float]]]:
    runs: list[list[dict[str, float]]] = []
    open_run = False
    for row in rows:
        if row.get("low") is None or row.get("high") is None or row.get("value") is None:
            open_run = False
            continue
        if not open_run:
            runs.append([])
            open_run = True
        runs[-1].append(row)  # type: ignore[arg-type]
    return runs


def _whiskers(rows: list[dict[str, object]], scale: float, colour: str) -> dict[str, object] | None:
    """Intervals of points that stand alone, between gaps."""
    alone = {id(run[0]) for run in _runs_with_interval(rows) if len(run) == 1}
    if not alone:
        return None
    spans = [
        (
            (_number(row["high"]) or 0) - (_number(row["value"]) or 0),
            (_number(row["value"]) or 0) - (_number(row["low"]) or 0),
        )
        if id(row) in alone
        else (0.0, 0.0)
        for row in rows
    ]
    return {
        "type": "data",
        "symmetric": False,
        "array": [max(0.0, up) * scale for up, _ in spans],
        "arrayminus": [max(0.0, down) * scale for _, down in spans],
        "color": theme.translucent(colour, 0.55),
        "thickness": 1.4,
        "width": 3,
    }


def _add_course(
    figure: go.Figure,
    t: Translator,
    style: TrendStyle,
    rows: list[dict[str, object]],
    cut: set[date],
    scale: float,
    colour: str,
) -> None:
    days = [row["metric_time"] for row in rows]
    values = [None if (value := _number(row["value"])) is None else value * scale for row in rows]
    small = [is_small(style, row) for row in rows]
    figure.add_scatter(
        x=days,
        y=values,
        mode="lines",
        line={"color": colour, "width": 2},
        connectgaps=False,
        hoverinfo="skip",
        name=style.name,
    )
    figure.add_scatter(
        x=days,
        y=values,
        mode="markers",
        error_y=_whiskers(rows, scale, colour),
        marker={
            "size": [7 if few or day in cut else 5 for few, day in zip(small, days, strict=True)],
            # A hollow point is not complete, a grey one stands on a small base: shape and tone, never colour alone.
            "color": [
                theme.SURFACE if day in cut else theme.FAINT if few else colour
                for few, day in zip(small, days, strict=True)
            ],
            "line": {"color": [theme.FAINT if few else colour for few in small], "width": 1.5},
        },
        hovertext=[hover_text(t, style, row, row["metric_time"] in cut) for row in rows],
        hovertemplate="%{hovertext}<extra></extra>",
        name=style.name,
    )


def _axes(
    figure: go.Figure, t: Translator, style: TrendStyle, days: list[date], values: list[float | None], scale: float
) -> None:
    known = [value for value in values if value is not None]
    figure.update_xaxes(type="date", fixedrange=True, **_date_ticks(t, style.grain, days))
    figure.update_yaxes(fixedrange=True, nticks=5)
    if known or style.unit == "share":
        top, bottom = max(known, default=0.0), min(known, default=0.0)
        bars = style.is_count and len(days) <= 120
        figure.update_yaxes(**value_ticks(t, style.unit, top, bottom, from_zero=bars))


def value_ticks(
    t: Translator, unit: str | None, top: float, bottom: float = 0.0, *, from_zero: bool = True, lying: bool = False
) -> dict[str, object]:
    """Settings of an axis of values from `bottom` to `top`: its ticks in the unit of the metric. On a lying axis durations, which are long words, are fewer."""
    if unit == "share":
        return {"ticksuffix": "%"}
    low = 0.0 if from_zero else min(bottom, top)
    if unit in ("seconds", "minutes"):
        if top <= 0:
            return {"tickvals": [0.0], "ticktext": [format_value(t, 0.0, unit)], "rangemode": "nonnegative"}
        seconds = 60 if unit == "minutes" else 1
        ticks = [tick / seconds for tick in _duration_ticks(low * seconds, top * seconds, 2.5 if lying else 4.5)]
        return {"tickvals": ticks, "ticktext": [format_value(t, tick, unit) for tick in ticks]}
    if unit in ("count", "currency") and top > 0:
        ticks = _round_ticks(low, top)
        return {"tickvals": ticks, "ticktext": [t.compact(tick) for tick in ticks]}
    return {}


_DURATIONS = (
    1,
    2,
    5,
    10,
    20,
    30,
    60,
    120,
    300,
    600,
    1200,
    1800,
    3600,
    7200,
    10800,
    21600,
    43200,
    86400,
    172800,
    432000,
    864000,
)


def _duration_ticks(low: float, top: float, most: float) -> list[float]:
    """Round times, in seconds, that cover `low` to `top`, about `most` steps at most."""
    room = (top - low) or top
    step: float = next((step for step in _DURATIONS if room / step <= most), _DURATIONS[-1])
    while room / step > most:
        step *= 2
    return [step * count for count in range(int(low // step), int(top // step) + 2)]


def _round_ticks(low: float, top: float) -> list[float]:
    """Whole round numbers that cover `low` to `top`, at most six or so."""
    room = max(top - low, 1.0)
    step = 10.0 ** len(str(int(room))) / 10
    for part in (0.1, 0.2, 0.25, 0.5, 1.0, 2.0, 2.5, 5.0):
        if room / (step * part) <= 5 and (step * part).is_integer():
            step *= part
            break
    return [step * count for count in range(int(low // step), int(top // step) + 2)]


def is_target_near(frame: pl.DataFrame, target: float | None) -> bool:
    """Whether a target lies near enough to a course to be drawn: a far one would press the course flat."""
    known = [value for name in ("value", "low", "high") for value in frame[name].drop_nulls().to_list()]
    if target is None or not known:
        return False
    low, high = min(known), max(known)
    room = max(high - low, abs(high) * 0.25)
    return low - room <= target <= high + room


def _date_ticks(t: Translator, grain: str, days: list[date]) -> dict[str, object]:
    """At most four dates or seven months, so that they fit a phone, written in the reader's language by us: both languages then look alike on screen and paper."""
    if not days:
        return {}
    every = max(1, -(-len(days) // (7 if grain == "month" else 4)))
    shown = days[::every]
    if grain in ("month", "quarter"):
        # The year once, under its first month or quarter: twelve months then fit a phone.
        names = [
            t.short_month(day) if grain == "month" else t("grain.quarter_tick", quarter=(day.month + 2) // 3)
            for day in shown
        ]
        text = [
            f"{name}<br>{day.year}" if index == 0 or day.year != shown[index - 1].year else name
            for index, (name, day) in enumerate(zip(names, shown, strict=True))
        ]
    elif grain == "year":
        text = [t.grain_label(day, grain) for day in shown]
    else:
        text = [t.short_date(day) for day in shown]
        if shown[0].year != shown[-1].year:
            text = [
                f"{label}<br>{day.year}" if index == 0 or day.year != shown[index - 1].year else label
                for index, (label, day) in enumerate(zip(text, shown, strict=True))
            ]
    return {"tickvals": shown, "ticktext": text, "tickangle": 0}
