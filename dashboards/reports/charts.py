"""Pictures of a report as inline SVG: drawn by the server, without scripts, so that they print and stay sharp.

Only attributes are used, no styles: a content security policy leaves them alone. Texts come escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import ceil, floor, log10

from dashboards import theme
from dashboards.reports.blocks import Bar, Course

WIDTH, HEIGHT = 340, 168
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 12, 10, 22
BAR_WIDTH, BAR_HEIGHT = 220, 16


def nice_ticks(low: float, high: float, most: int = 4) -> list[float]:
    """Round values from at or below `low` to at or above `high`, `most` steps at most.

    >>> nice_ticks(0.71, 0.84)
    [0.7, 0.75, 0.8, 0.85]
    """
    room = max(high - low, 1e-9 * max(abs(low), abs(high), 1.0))
    raw = room / most
    power = 10 ** floor(log10(raw))
    step = next(
        one * power
        for one in (1, 2, 2.5, 5, 10, 20)
        if ceil(high / (one * power) - 1e-9) - floor(low / (one * power) + 1e-9) <= most
    )
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [round(index * step, 10) for index in range(first, max(last, first + 1) + 1)]


def course_svg(course: Course) -> str:
    """The course with its band of intervals, target and hollow points where the base is small."""
    ticks = list(course.ticks)
    bottom, top = ticks[0][0], ticks[-1][0]
    room = (top - bottom) or 1.0
    count = len(course.points)
    step = (WIDTH - _LEFT - _RIGHT) / max(count - 1, 1)

    def across(index: int) -> float:
        return _LEFT + index * step if count > 1 else (WIDTH + _LEFT) / 2

    def down(value: float) -> float:
        return _TOP + (top - min(max(value, bottom), top)) / room * (HEIGHT - _TOP - _BOTTOM)

    parts = [
        f'<svg class="course" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(course.alt)}">'
    ]
    for value, text in ticks:
        y = down(value)
        parts.append(
            f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{theme.LINE}" stroke-width="1"/>'
            f'<text x="{_LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end" font-size="10" fill="{theme.MUTED}">{escape(text)}</text>'
        )
    if course.target is not None:
        y = down(course.target)
        parts.append(
            f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{theme.INK}" stroke-opacity="0.55" stroke-width="1.2" stroke-dasharray="4 3"/>'
        )
    for run in _runs(
        [point.low is not None and point.high is not None and point.value is not None for point in course.points]
    ):
        upper = [(across(index), down(course.points[index].high or 0.0)) for index in run]
        lower = [(across(index), down(course.points[index].low or 0.0)) for index in reversed(run)]
        if len(run) > 1:
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in upper + lower)
            parts.append(f'<polygon points="{path}" fill="{theme.SERIES[0]}" fill-opacity="0.14"/>')
        else:
            parts.append(
                f'<line x1="{upper[0][0]:.1f}" x2="{upper[0][0]:.1f}" y1="{upper[0][1]:.1f}" y2="{lower[0][1]:.1f}" stroke="{theme.SERIES[0]}" stroke-opacity="0.5"/>'
            )
    for run in _runs([point.value is not None for point in course.points]):
        path = " ".join(f"{across(index):.1f},{down(course.points[index].value or 0.0):.1f}" for index in run)
        if len(run) > 1:
            parts.append(
                f'<polyline points="{path}" fill="none" stroke="{theme.SERIES[0]}" stroke-width="1.8" stroke-linejoin="round"/>'
            )
        for index in run:
            fill = theme.SURFACE if course.points[index].is_faint else theme.SERIES[0]
            parts.append(
                f'<circle cx="{across(index):.1f}" cy="{down(course.points[index].value or 0.0):.1f}" r="2.6" fill="{fill}" stroke="{theme.SERIES[0]}" stroke-width="1.3"/>'
            )
    for index in _labelled(count):
        anchor = "middle" if 0 < index < count - 1 or count == 1 else "start" if index == 0 else "end"
        x = across(index) + (-8 if anchor == "start" else 8 if anchor == "end" else 0)
        parts.append(
            f'<text x="{x:.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}" font-size="10" fill="{theme.MUTED}">{escape(course.points[index].label)}</text>'
        )
    return "".join(parts) + "</svg>"


def _runs(known: Sequence[bool]) -> list[list[int]]:
    runs: list[list[int]] = []
    for index, there in enumerate(known):
        if there and index and known[index - 1] and runs:
            runs[-1].append(index)
        elif there:
            runs.append([index])
    return runs


def _labelled(count: int) -> list[int]:
    if count <= 3:
        return list(range(count))
    middle = [count // 2] if count % 2 else []
    return [0, *(middle or [count // 3, count - 1 - count // 3]), count - 1]


def bar_svg(bar: Bar, bottom: float, top: float, reference: float | None) -> str:
    """One bar from `bottom` (at the left) to `top`, whiskers for its interval, a line at the reference."""
    room = (top - bottom) or 1.0

    def across(value: float) -> float:
        return min(max((value - bottom) / room, 0.0), 1.0) * BAR_WIDTH

    parts = [
        f'<svg class="bar" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {BAR_WIDTH} {BAR_HEIGHT}" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect x="0" y="3" width="{BAR_WIDTH}" height="10" fill="{theme.GROUND}"/>'
    ]
    if bar.value is not None:
        start, end = sorted((across(max(bottom, 0.0) if bottom < 0 else bottom), across(bar.value)))
        opacity = 0.4 if bar.is_faint else 1
        parts.append(
            f'<rect x="{start:.1f}" y="3" width="{max(end - start, 0.6):.1f}" height="10" fill="{theme.SERIES[0]}" fill-opacity="{opacity}"/>'
        )
        if bar.low is not None and bar.high is not None:
            parts.append(
                f'<line x1="{across(bar.low):.1f}" x2="{across(bar.high):.1f}" y1="8" y2="8" stroke="{theme.INK}" stroke-width="1.2"/>'
                + "".join(
                    f'<line x1="{across(one):.1f}" x2="{across(one):.1f}" y1="5" y2="11" stroke="{theme.INK}" stroke-width="1.2"/>'
                    for one in (bar.low, bar.high)
                )
            )
    if reference is not None and bottom <= reference <= top:
        x = across(reference)
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{BAR_HEIGHT}" stroke="{theme.SERIES[1]}" stroke-width="1.2" stroke-dasharray="3 2"/>'
        )
    return "".join(parts) + "</svg>"
