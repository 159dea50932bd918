"""A small course of one metric, as an SVG image: dozens of them cost nothing, and they print."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence

from dashboards import theme

WIDTH = 240
HEIGHT = 44
_PAD = 4


def sparkline_svg(
    values: Sequence[float | None],
    *,
    target: float | None = None,
    last_incomplete: bool = False,
    limits: Sequence[tuple[float, float] | None] = (),
    outside: Sequence[int] = (),
) -> str:
    """The course as SVG text. A gap (None) breaks the line; an incomplete last value is a hollow point.

    Args:
        limits: control limits at each point, drawn as a band; empty = none.
        outside: places of the points outside their limits, which are marked.
    """
    known = [value for value in values if value is not None]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">'
    if not known:
        return head + "</svg>"
    low, high = min(known), max(known)
    band = [(index, one) for index, one in enumerate(limits) if one is not None]
    if band:
        low, high = min(low, *(one[0] for _, one in band)), max(high, *(one[1] for _, one in band))
    if target is not None and low - (high - low) <= target <= high + (high - low):
        # The target is drawn only when it lies near: a far one would press the course flat.
        low, high = min(low, target), max(high, target)
    else:
        target = None
    room = (high - low) or 1.0
    step = (WIDTH - 2 * _PAD) / max(len(values) - 1, 1)

    def across(index: int) -> float:
        return _PAD + index * step if len(values) > 1 else WIDTH / 2

    def down(value: float) -> float:
        return HEIGHT / 2 if high == low else _PAD + (high - value) / room * (HEIGHT - 2 * _PAD)

    parts = [head]
    if band:
        corners = [(across(index), down(one[1])) for index, one in band] + [
            (across(index), down(one[0])) for index, one in reversed(band)
        ]
        outline = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
        parts.append(
            f'<polygon points="{outline}" fill="{theme.ACCENT_SOFT}" stroke="{theme.FAINT}" stroke-width="0.6"/>'
        )
    if target is not None:
        y = down(target)
        parts.append(
            f'<line x1="0" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="{theme.FAINT}" stroke-width="1" '
            'stroke-dasharray="3 3"/>'
        )
    run: list[str] = []
    runs: list[list[str]] = []
    for index, value in enumerate(values):
        if value is None:
            run = []
            continue
        if not run:
            runs.append(run := [])
        run.append(f"{across(index):.1f},{down(value):.1f}")
    for points in runs:
        if len(points) == 1:
            x, y_text = points[0].split(",")
            parts.append(f'<circle cx="{x}" cy="{y_text}" r="1.6" fill="{theme.SERIES[0]}"/>')
        else:
            parts.append(
                f'<polyline points="{" ".join(points)}" fill="none" stroke="{theme.SERIES[0]}" stroke-width="1.8" '
                'stroke-linejoin="round" stroke-linecap="round"/>'
            )
    for index in outside:
        value = values[index]
        if value is not None:
            parts.append(
                f'<rect x="{across(index) - 3:.1f}" y="{down(value) - 3:.1f}" width="6" height="6" fill="{theme.WORSE}"/>'
            )
    last = max(index for index, value in enumerate(values) if value is not None)
    fill = theme.SURFACE if last_incomplete else theme.SERIES[0]
    final = values[last]
    assert final is not None
    parts.append(
        f'<circle cx="{across(last):.1f}" cy="{down(final):.1f}" r="3" fill="{fill}" stroke="{theme.SERIES[0]}" '
        'stroke-width="1.5"/>'
    )
    return "".join(parts) + "</svg>"


def sparkline_uri(
    values: Sequence[float | None],
    *,
    target: float | None = None,
    last_incomplete: bool = False,
    limits: Sequence[tuple[float, float] | None] = (),
    outside: Sequence[int] = (),
) -> str:
    """The same as a data URI for an image element."""
    svg = sparkline_svg(values, target=target, last_incomplete=last_incomplete, limits=limits, outside=outside)
    return "data:image/svg+xml;base64," + b64encode(svg.encode()).decode()
