"""How long readers wait for pages: 20 of them, who think between two clicks, at the program that `csatlas serve` runs.

Belongs here: what a reader's browser asks of the server, by HTTP, with the time until the whole answer is there. Scripts, styles and fonts are not asked for:
a browser keeps them. Targets: first content of a page within 1.0 s and a click within 0.25 s in 95 of 100 cases, 400 MB a worker.
"""

from __future__ import annotations

import importlib
import json
import random
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from dashboards.data import queries
from dashboards.data.snapshot import SnapshotStore
from dashboards.pages import PAGES
from orchestration.settings import PROJECT_ROOT

_START_SECONDS = 120
_PERIODS = ("last_30_days", "last_90_days", "last_365_days")
_SLOWEST = 12


def views() -> list[str]:
    """Address of each page, and of each tab of it, without filters."""
    found = []
    for page in PAGES:
        tabs = getattr(importlib.import_module(page.render.__module__), "TABS", {})
        found += [f"{page.path}?tab={tab}" for tab in tabs] or [page.path]
    return found


def _free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        port: int = opened.getsockname()[1]
    return port


class _Browser:
    """What a browser asks for: the frame of the document when it is opened, then the content of an address.

    Raises:
        RuntimeError: the server answers with anything but a page.
    """

    def __init__(self, base: str) -> None:
        self.base = base
        show = next(
            one for one in json.loads(self._ask("/_dash-dependencies")) if one["output"].startswith("..page-content.")
        )
        self.output = show["output"]
        self.outputs = [
            dict(zip(("id", "property"), one.rsplit(".", 1), strict=True))
            for one in self.output.strip(".").split("...")
        ]
        self.inputs, self.state = show["inputs"], show["state"]

    def _ask(self, path: str, body: object = None) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Accept": "text/html", "Content-Type": "application/json", "Sec-Fetch-Site": "same-origin"}
        with urllib.request.urlopen(urllib.request.Request(self.base + path, data, headers), timeout=120) as answer:
            found: bytes = answer.read()
        return found

    def content(self, address: str, language: str) -> float:
        """Seconds until the content of an address is there."""
        path, _, search = address.partition("?")
        values = {"pathname": path, "search": f"?{search}" if search else "", "data": None}
        body = {
            "output": self.output,
            "outputs": self.outputs,
            "inputs": [{**one, "value": values[one["property"]]} for one in self.inputs],
            "state": [{**one, "value": language} for one in self.state],
            "changedPropIds": [f"{self.inputs[0]['id']}.pathname"],
        }
        began = time.perf_counter()
        said = self._ask("/_dash-update-component", body)
        taken = time.perf_counter() - began
        if b"page-content" not in said or b"went wrong" in said:
            raise RuntimeError(f"{address}: {said[:300]!r}")
        return taken

    def open(self, address: str, language: str) -> float:
        """Seconds until a document that is opened anew has its content."""
        began = time.perf_counter()
        for path in (address, "/_dash-layout", "/_dash-dependencies"):
            self._ask(path)
        return time.perf_counter() - began + self.content(address, language)


def _own_megabytes(parent: int) -> list[int]:
    """Memory of each worker below the server, what it shares with others by its share."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii").split()
    found = []
    for child in children:
        lines = Path(f"/proc/{child}/smaps_rollup").read_text(encoding="ascii").splitlines()
        found.append(next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) // 1024)
    return found


def _filters(dice: random.Random, units: list[str]) -> str:
    chosen: Mapping[str, str] = {
        "period": dice.choice(_PERIODS),
        **({"unit": dice.choice(units)} if units and dice.random() < 0.5 else {}),
    }
    return urllib.parse.urlencode(chosen)


def measure_pages(home: Path, users: int = 20, seconds: float = 120.0, thinking: float = 5.0) -> dict[str, Any]:
    """Users who open a page, then change its filters three times, then open another, over a published home.

    Returns:
        Lists of seconds by what was asked (`first_content`, `click`), the slowest views with their median milliseconds, and megabytes a worker.

    Raises:
        RuntimeError: the server does not start, or answers with an error.
    """
    store = SnapshotStore(home / "serving")
    units = [str(row["value"]) for row in queries.filter_choices(store.current(), "en").options()[0]]
    store.close()
    port = _free_port()
    server = subprocess.Popen(
        [str(Path(sys.executable).with_name("csatlas")), "serve", "--port", str(port)],
        cwd=PROJECT_ROOT,
        env={"CSATLAS_HOME": str(home), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        browser = _ready(f"http://127.0.0.1:{port}", server)
        addresses = views()
        for address in addresses:  # what the first reader of a version waits for is measured apart
            browser.content(address, "en")
        taken: list[tuple[str, str, float]] = []
        end = time.monotonic() + seconds

        def user(number: int) -> None:
            dice = random.Random(number)
            time.sleep(dice.random() * thinking)
            while time.monotonic() < end:
                address, language = dice.choice(addresses), dice.choice(("en", "zh"))
                taken.append(("first_content", address, browser.open(address, language)))
                for _ in range(3):
                    time.sleep(thinking)
                    filtered = f"{address}{'&' if '?' in address else '?'}{_filters(dice, units)}"
                    taken.append(("click", address, browser.content(filtered, language)))
                time.sleep(thinking)

        with ThreadPoolExecutor(users) as pool:
            for done in [pool.submit(user, number) for number in range(users)]:
                done.result()
        megabytes = _own_megabytes(server.pid)
    finally:
        server.terminate()
        server.wait(30)
    by_view: dict[str, list[float]] = {}
    for _, address, one in taken:
        by_view.setdefault(address, []).append(one)
    medians = {address: sorted(all_)[len(all_) // 2] for address, all_ in by_view.items()}
    slowest = sorted(medians, key=lambda address: -medians[address])[:_SLOWEST]
    return {
        "users": users,
        "thinking_seconds": thinking,
        "taken": {kind: [one for asked, _, one in taken if asked == kind] for kind in ("first_content", "click")},
        "slowest_views_median_ms": {address: round(1000 * medians[address]) for address in slowest},
        "megabytes_a_worker": megabytes,
    }


def _ready(base: str, server: subprocess.Popen[bytes]) -> _Browser:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        try:
            return _Browser(base)
        except OSError:
            time.sleep(0.2)
    raise RuntimeError("csatlas serve does not answer; run it by hand on this home to see why")
