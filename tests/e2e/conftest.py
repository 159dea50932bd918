"""A real server over a real snapshot, and a real browser that looks at it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from orchestration.settings import PROJECT_ROOT
from tests.conftest import CSATLAS

AXE = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "csatlas/axe/node_modules/axe-core/axe.min.js"
"""Where `.ci/run` puts the accessibility checker (`npm ci` of the package files in `tests/e2e/axe`)."""
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_DRAWN = "() => [...document.querySelectorAll('.ag-header-cell')].every(one => getComputedStyle(one).visibility === 'visible')"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@dataclass
class Watched:
    """A page with everything that went wrong in it."""

    page: Page
    base: str
    errors: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def open(self, path: str) -> Page:
        """Open an address and wait until the page has drawn itself."""
        self.page.goto(self.base + path)
        self.page.wait_for_selector("#page-content h1, #page-content h2", timeout=30_000)
        self.page.wait_for_load_state("networkidle")
        return self.page

    def serious(self) -> list[str]:
        """What the accessibility checker finds serious or critical, a line each."""
        # A table that has not been in view is not drawn yet, and so neither named nor reachable.
        for grid in self.page.locator(".grid").all():
            grid.scroll_into_view_if_needed()
            grid.locator(".ag-root-wrapper").first.wait_for()
        self.page.wait_for_function(_DRAWN)
        self.page.evaluate("window.scrollTo(0, 0)")
        found: dict[str, Any] = self.page.evaluate(
            "rules => axe.run(document, {resultTypes: ['violations'], runOnly: rules})", _RULES
        )
        assert len(found["passes"]) > 5, "the checker has looked at nothing"
        return [
            f"{one['impact']} {one['id']}: {one['help']}: {' '.join(map(str, node['target']))}: {node['html'][:200]}"
            for one in found["violations"]
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]


def _serve(home: Path, settings: Mapping[str, str] | None = None) -> tuple[subprocess.Popen[bytes], str]:
    """Serve a home; `{base}` in a setting becomes the server's address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    base = f"http://127.0.0.1:{port}"
    more = {name: value.replace("{base}", base) for name, value in (settings or {}).items()}
    process = subprocess.Popen(
        [str(CSATLAS), "serve", "--port", str(port)],
        env={**os.environ, "CSATLAS_HOME": str(home), "CSATLAS_WORKERS": "1", **more},
        cwd=PROJECT_ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(base, timeout=2):
                return process, base
        except urllib.error.HTTPError:
            return process, base  # it answers, and asks for a sign-in
        except OSError:
            time.sleep(0.2)
    process.kill()
    raise AssertionError("the dashboards did not come up within a minute")


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Serve a home for one test; gives the address."""
    started: list[subprocess.Popen[bytes]] = []

    def start(home: Path, settings: Mapping[str, str] | None = None) -> str:
        process, base = _serve(home, settings)
        started.append(process)
        return base

    yield start
    for process in started:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture(scope="session")
def company(demo_home: Path) -> Iterator[str]:
    """Address of the dashboards over the demo company, which no test changes."""
    process, base = _serve(demo_home)
    yield base
    process.terminate()
    process.wait(timeout=20)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine: apt-get install chromium fonts-noto-cjk")
    with sync_playwright() as playwright:
        arguments = [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ]
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield found
        found.close()


@pytest.fixture(scope="session")
def axe() -> str | None:
    """The text of the accessibility checker. Where `CSATLAS_AXE` names it, as in continuous integration, it has to be there."""
    named = os.environ.get("CSATLAS_AXE")
    path = Path(named) if named else AXE
    return path.read_text(encoding="utf-8") if named or path.exists() else None


@pytest.fixture
def watch(browser: Browser, axe: str | None) -> Iterator[Callable[..., Watched]]:
    """Open a browser page at a server's address and note console errors and every host it talks to."""
    contexts = []

    def start(base: str, width: int = 1280) -> Watched:
        context = browser.new_context(viewport={"width": width, "height": 900}, locale="en-GB")
        contexts.append(context)
        if axe is not None:
            context.add_init_script(axe)  # before the page, so that its policy may stay as strict as it is
        watched = Watched(context.new_page(), base)
        watched.page.on(
            "console", lambda message: watched.errors.append(message.text) if message.type == "error" else None
        )
        watched.page.on("pageerror", lambda error: watched.errors.append(str(error)))
        watched.page.on(
            "request", lambda request: watched.hosts.add(request.url.split("/")[2]) if "://" in request.url else None
        )
        return watched

    yield start
    for context in contexts:
        context.close()
