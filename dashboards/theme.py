"""Colours, type and the plotly template: the one place that decides how csatlas looks.

The series colours are Okabe and Ito's (distinct for all common kinds of colour blindness), darkened where needed so that
text in them reaches a contrast of 4.5:1 on white. "Better" and "worse" are blue and vermillion, never green and red, and
always come with a word or an arrow. A test computes the contrasts.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import plotly.graph_objects as go
import plotly.io as pio

INK: Final = "#1f2933"
MUTED: Final = "#55606e"
FAINT: Final = "#8a94a0"  # graphics only: below the contrast that text needs
LINE: Final = "#e3e7eb"
SURFACE: Final = "#ffffff"
GROUND: Final = "#f6f7f9"
ACCENT: Final = "#0a5c8f"
ACCENT_SOFT: Final = "#e6f0f7"
BETTER: Final = "#00609c"
WORSE: Final = "#b34700"
WARNING_INK: Final = "#7a4b00"
WARNING_SOFT: Final = "#fff6e0"
ERROR_INK: Final = "#93300a"
ERROR_SOFT: Final = "#fdf0ea"

SERIES: Final = ("#0072b2", "#c24f00", "#007f5f", "#a8558a", "#8a6d00", "#1f7aa8", "#5b5b5b")
TEXT_ON_LIGHT: Final = (INK, MUTED, ACCENT, BETTER, WORSE)

FONT: Final = (
    'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, "Noto Sans CJK SC", "Noto Sans SC", '
    '"PingFang SC", "Microsoft YaHei", sans-serif'
)


def translucent(colour: str, share: float) -> str:
    """`#rrggbb` as rgba with an opacity of `share`."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{share:g})"


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb` as WCAG 2 defines it."""

    def linear(channel: int) -> float:
        value = channel / 255
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(int(colour[i : i + 2], 16)) for i in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours as WCAG 2 defines it (1 to 21)."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


# Every chart takes the template below; plotly would first give each its own large one.
pio.templates.default = None


@cache
def plotly_template() -> go.layout.Template:
    """The template of every chart; a figure copies it."""
    axis: dict[str, Any] = {
        "gridcolor": LINE,
        "linecolor": LINE,
        "zerolinecolor": LINE,
        "tickfont": {"color": MUTED, "size": 12},
        "title": {"font": {"color": MUTED, "size": 12}},
        "automargin": True,
        "ticks": "",
        "ticklabelstandoff": 4,
    }
    return go.layout.Template(
        layout={
            "font": {"family": FONT, "color": INK, "size": 13},
            "paper_bgcolor": SURFACE,
            "plot_bgcolor": SURFACE,
            "colorway": list(SERIES),
            "margin": {"l": 8, "r": 12, "t": 8, "b": 8},
            "xaxis": {**axis, "showgrid": False},
            "yaxis": axis,
            "hoverlabel": {
                "bgcolor": SURFACE,
                "bordercolor": LINE,
                "font": {"family": FONT, "color": INK, "size": 13},
                "align": "left",
            },
            "legend": {
                "orientation": "h",
                "yanchor": "bottom",
                "y": 1.02,
                "xanchor": "left",
                "x": 0,
                "font": {"size": 12, "color": MUTED},
            },
        }
    )


# Mantine's theme: one accent scale (index 6 is the usual shade), quiet corners, one font.
MANTINE: Final[dict[str, Any]] = {
    "fontFamily": FONT,
    "headings": {"fontFamily": FONT, "fontWeight": "600"},
    "primaryColor": "accent",
    "primaryShade": 7,
    "defaultRadius": "md",
    "black": INK,
    "colors": {
        "accent": [
            "#eef5fa",
            "#dcebf5",
            "#b5d4e9",
            "#8abcdc",
            "#62a5cf",
            "#3b8fc0",
            "#1f79ad",
            "#0a5c8f",
            "#084b75",
            "#063a5b",
        ]
    },
}
