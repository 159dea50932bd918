"""Keyboard and contrast of the filters: what a mouse does not need."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.conftest import Watched

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

Watch = Callable[..., Watched]
_SEEN = """() => [...document.querySelectorAll('.filters input:not([type=hidden]), .filters button')]
    .filter(field => field.offsetParent !== null && !field.closest('[hidden]') && field.tabIndex >= 0)
    .map(field => { field.focus({focusVisible: true}); const style = getComputedStyle(field);
        return [field.id, style.outlineStyle, parseFloat(style.outlineWidth)]; })"""
_PLACEHOLDER = """() => [...document.querySelectorAll('.filters input')].filter(field => field.placeholder)
    .map(field => getComputedStyle(field, '::placeholder').color)"""


def _contrast_with_white(colour: str) -> float:
    """WCAG contrast ratio of a CSS colour rgb(r, g, b) on white."""
    parts = [int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 1.05 / (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05)


def test_the_focus_is_seen_on_every_filter(company: str, watch: Watch) -> None:
    page = watch(company, 1280).open("/")
    page.keyboard.press("Tab")
    fields = page.evaluate(_SEEN)
    assert len(fields) >= 7
    assert [field for field in fields if field[1] != "solid" or field[2] < 2] == []


def test_placeholders_can_be_read(company: str, watch: Watch) -> None:
    colours = watch(company, 1280).open("/").evaluate(_PLACEHOLDER)
    assert len(colours) >= 4
    assert min(_contrast_with_white(colour) for colour in colours) >= 4.5
