"""`csatlas causes review` on the published snapshot of a small company."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestration.settings import PROJECT_ROOT
from tests.conftest import csatlas

pytestmark = pytest.mark.slow


def test_candidates_are_listed_and_what_is_not_there_is_not_accepted(demo_home: Path) -> None:
    before = (PROJECT_ROOT / "seeds" / "cause_taxonomy.csv").read_bytes()
    listed = csatlas(demo_home, "causes", "review", "--json")
    assert listed.returncode == 0, listed.stderr
    found = json.loads(listed.stdout)
    assert [line["candidate"] for line in found] == list(range(1, len(found) + 1))
    done = csatlas(
        demo_home,
        "causes",
        "review",
        "--accept",
        "99",
        "--code",
        "us.x",
        "--parent",
        "us",
        "--name-en",
        "X",
        "--name-zh",
        "甲",
    )
    assert done.returncode == 2 and f"there are {len(found)} candidates" in done.stderr
    assert (PROJECT_ROOT / "seeds" / "cause_taxonomy.csv").read_bytes() == before
