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

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from orchestration.settings import PROJECT_ROOT
from tests.conftest import CSATLAS

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


@pytest.fixture
def watch(browser: Browser) -> Iterator[Callable[..., Watched]]:
    """Open a browser page at a server's address and note console errors and every host it talks to."""
    contexts = []

    def start(base: str, width: int = 1280, *, bypass_csp: bool = False) -> Watched:
        context = browser.new_context(viewport={"width": width, "height": 900}, locale="en-GB", bypass_csp=bypass_csp)
        contexts.append(context)
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
