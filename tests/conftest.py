"""One small company, refreshed once, for every test that needs a whole home. Tests that change it take a copy."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from orchestration.settings import PROJECT_ROOT, Settings

_TOGETHER = {"acceptance", "e2e"}
"""Folders whose tests share a home that is dear to make: one worker runs them all."""

CSATLAS = Path(sys.executable).with_name("csatlas")
LAST_DAY = "2026-09-30"


class _ByHome(LoadScopeScheduling):  # type: ignore[misc]
    """With several processes (`-n`), the tests of a file stay together, for they share what its fixtures made; so do those of `_TOGETHER`."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::")[0]
        folder = Path(file).parent.name
        return folder if folder in _TOGETHER else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Called by pytest-xdist in the process that hands out the tests."""
    return _ByHome(config, log)


def csatlas(home: Path, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the real command on a home."""
    return subprocess.run(
        [str(CSATLAS), *arguments],
        env={**os.environ, "CSATLAS_HOME": str(home), **(env or {})},
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def refreshed(home: Path, *arguments: str) -> dict[str, Any]:
    """Refresh a home and give the run record; fail with its words."""
    done = csatlas(home, "refresh", "--json", *arguments)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    record: dict[str, Any] = json.loads(done.stdout)
    return record


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A company of 250 customers and 3 months, loaded, built and published."""
    home = tmp_path_factory.mktemp("demo") / "home"
    made = csatlas(home, "demo", "--customers", "250", "--months", "3", "--until", LAST_DAY)
    assert made.returncode == 0, made.stdout + made.stderr
    refreshed(home)
    return home


@pytest.fixture
def demo_copy(demo_home: Path, tmp_path: Path) -> Callable[[], Path]:
    """A copy of the company's home that a test may change."""

    def copy() -> Path:
        target = tmp_path / "copy"
        shutil.copytree(demo_home, target, symlinks=True)
        return target

    return copy


@pytest.fixture(scope="session")
def demo_settings(demo_home: Path) -> Settings:
    return Settings(home=demo_home)
