"""Every page before axe, the accessibility checker: nothing serious in either language, at a desk and on a phone.

The checker comes from npm (`.ci/run`: `npm ci` of `tests/e2e/axe`). Where it is not, these tests are skipped, and say so; where `CSATLAS_AXE` names it, as in
continuous integration, they are not.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.e2e.conftest import Watched
from tests.e2e.test_pages import PAGES

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

CACHED = (
    Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "csatlas/axe/node_modules/axe-core/axe.min.js"
)
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
TABS = {
    "/satisfaction": ("who", "quality", "drivers", "index"),
    "/customers": ("churn", "tiers", "money"),
    "/causes": ("cause", "found", "improvement"),
}
ADDRESSES = [
    *sorted(PAGES),
    *(f"{path}?tab={tab}" for path, tabs in TABS.items() for tab in tabs),
    "/rows?metric=tickets_created",
    "/explore?metric=tickets_created&by=channel&grain=none",
    "/?unit=P-JS&period=forever",
    "/nowhere",
]


@pytest.fixture(scope="session")
def axe() -> str:
    """The text of the checker."""
    named = os.environ.get("CSATLAS_AXE")
    path = Path(named) if named else CACHED
    if not named and not path.exists():
        pytest.skip(
            "no axe on this machine: npm ci --prefix ~/.cache/csatlas/axe, with the package files of tests/e2e/axe"
        )
    return path.read_text(encoding="utf-8")


def settle(page: Page) -> None:
    """Bring every table and chart into view once: what has not been seen yet is not drawn, and so neither named nor reachable."""
    for grid in page.locator(".grid").all():
        grid.scroll_into_view_if_needed()
        grid.locator(".ag-root-wrapper").first.wait_for()
    page.wait_for_function(
        "() => [...document.querySelectorAll('.ag-header-cell')].every(one => getComputedStyle(one).visibility === 'visible')"
    )
    page.evaluate("() => window.scrollTo(0, 0)")


def serious(page: Page, axe: str) -> list[str]:
    """What the checker finds serious or critical, a line each."""
    page.evaluate(axe)
    found: dict[str, Any] = page.evaluate(
        "rules => axe.run(document, {resultTypes: ['violations'], runOnly: rules})", RULES
    )
    assert len(found["passes"]) > 5, "the checker has looked at nothing"
    return [
        f"{one['impact']} {one['id']}: {one['help']}: {' '.join(map(str, node['target']))}: {node['html'][:200]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


@pytest.mark.parametrize(("language", "width"), [("en", 1280), ("zh", 390)])
@pytest.mark.parametrize("address", ADDRESSES)
def test_nothing_serious(
    company: str, watch: Callable[..., Watched], axe: str, address: str, language: str, width: int
) -> None:
    page = watch(company, width, bypass_csp=True).open(f"{address}{'&' if '?' in address else '?'}lang={language}")
    settle(page)
    assert serious(page, axe) == []


def test_the_checker_finds_what_is_wrong(company: str, watch: Callable[..., Watched], axe: str) -> None:
    page = watch(company, bypass_csp=True).open("/?lang=en")
    page.evaluate(
        """() => document.querySelector('#page-content').insertAdjacentHTML('beforeend',
        '<button id="mute"></button><p style="color: #ccc; background: #fff">hardly to be read</p><input id="what">')"""
    )
    found = serious(page, axe)
    assert {line.split(":")[0].split(" ")[1] for line in found} >= {"button-name", "color-contrast", "label"}
