"""Pages before axe, the accessibility checker: nothing serious. The first view of each page is looked at where it is opened anyway (test_pages).

The checker comes from npm (`.ci/run`: `npm ci` of `tests/e2e/axe`). Where it is not, these tests are skipped, and say so; where `CSATLAS_AXE` names it, as in
continuous integration, they are not.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.conftest import Watched

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

Watch = Callable[..., Watched]
TABS = {
    "/satisfaction": ("who", "quality", "drivers", "index"),
    "/customers": ("churn", "tiers", "money"),
    "/causes": ("cause", "found", "improvement"),
    "/complaints": ("back", "promises"),
    "/contact-centre": ("menu", "staffing", "agents", "quality"),
    "/tickets": ("backlog", "repairs"),
    "/data-health": ("quarantine", "build"),
}
ADDRESSES = [
    *(f"{path}?tab={tab}" for path, tabs in TABS.items() for tab in tabs),
    "/rows?metric=tickets_created",
    "/explore?metric=tickets_created&by=channel&grain=none",
    "/?unit=nowhere&period=forever",
]
VIEWS = [("en", 1280), ("zh", 390)]


@pytest.fixture(autouse=True)
def checker(axe: str | None) -> None:
    if axe is None:
        pytest.skip("no axe on this machine: copy tests/e2e/axe/*.json to ~/.cache/csatlas/axe and run npm ci there")


@pytest.mark.parametrize(
    ("address", "language", "width"), [(one, *VIEWS[number % 2]) for number, one in enumerate(ADDRESSES)]
)
def test_nothing_serious(company: str, watch: Watch, address: str, language: str, width: int) -> None:
    watched = watch(company, width)
    watched.open(f"{address}&lang={language}")
    assert watched.serious() == []


def test_the_checker_finds_what_is_wrong(company: str, watch: Watch) -> None:
    watched = watch(company)
    watched.open("/nowhere?lang=en").evaluate(
        """() => document.querySelector('#page-content').insertAdjacentHTML('beforeend',
        '<button id="mute"></button><p style="color: #ccc; background: #fff">hardly to be read</p><input id="what">')"""
    )
    found = watched.serious()
    assert {line.split(":")[0].split(" ")[1] for line in found} == {"button-name", "color-contrast", "label"}
