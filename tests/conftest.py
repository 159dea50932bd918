"""One small company, refreshed once, for every test that needs a whole home. Tests that change it take a copy."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from orchestration.settings import PROJECT_ROOT, Settings
from orchestration.sources.declarations import load_declarations
from orchestration.sources.files import load_inbox
from tests import parsed

_TOGETHER = {
    "tests/acceptance": "the public data",
    "tests/e2e": "the server",
    "tests/demo/test_control_truth.py": "the default company",
    "tests/demo/test_risk_against_truth.py": "the default company",
}
"""Folders and files whose tests share a home that is dear to make: one worker runs them all."""

CSATLAS = Path(sys.executable).with_name("csatlas")
LAST_DAY = "2026-09-30"


class _ByHome(LoadScopeScheduling):  # type: ignore[misc]
    """With several processes (`-n`), the tests of a file stay together, for they share what its fixtures made; so do those of `_TOGETHER`."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::")[0]
        return _TOGETHER.get(file) or _TOGETHER.get(str(Path(file).parent)) or file


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


def company(home: Path, *options: str, read: Sequence[str]) -> Path:
    """A home with a company of the generator, loaded, and built as far as some models; not published.

    Args:
        options: of `csatlas demo`.
        read: models that are looked at; those they follow from are built too, without their tests.
    """
    settings = Settings(home=home)
    parsed.lend(settings)
    made = csatlas(home, "demo", *options)
    assert made.returncode == 0, made.stdout + made.stderr
    parsed.keep(settings)
    load_inbox(settings, load_declarations(), "load-1")
    asked = [f"+{name}" for name in read]
    built = csatlas(home, "dbt", "build", "--select", *asked, "--exclude-resource-type", "test")
    assert built.returncode == 0, built.stdout[-4000:]
    return home


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A company of 250 customers and 3 months, loaded, built and published; the workers of a run share it."""
    own = tmp_path_factory.getbasetemp()
    home = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "demo" / "home"
    home.parent.mkdir(exist_ok=True)
    with home.with_name("lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not home.with_name("ready").exists():
            shutil.rmtree(home, ignore_errors=True)
            made = csatlas(home, "demo", "--customers", "250", "--months", "3", "--until", LAST_DAY)
            assert made.returncode == 0, made.stdout + made.stderr
            refreshed(home)
            home.with_name("ready").touch()
    parsed.keep(Settings(home=home))
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
