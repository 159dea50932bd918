"""The draw of closed complaints to check again: the same draw as that of quality reviews, over units and cases."""

from __future__ import annotations

import json
import stat
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl
import pytest

from orchestration.operations.quality_draws import DRAWN
from tests.conftest import csatlas

pytestmark = pytest.mark.slow


@pytest.fixture
def home(demo_copy: Callable[[], Path]) -> Path:
    return demo_copy()


def _closed(home: Path) -> pl.DataFrame:
    """Closed complaints of identified customers, with the month of the close."""
    with duckdb.connect(str((home / "serving" / "current").resolve()), read_only=True) as connection:
        return connection.execute(
            "select complaint_id, coalesce(org_unit_id, 'unknown') as unit, strftime(closed_on, '%Y-%m') as closed_month"
            " from fct_complaints where is_closed and closed_on is not null and customer_key is not null"
        ).pl()


def test_rechecks_are_drawn_recorded_and_checked(home: Path, tmp_path: Path) -> None:
    closed, file = _closed(home), tmp_path / "draw.csv"
    month = closed.group_by("closed_month").len().sort("len").row(-1)[0]
    per_unit = 2
    done = csatlas(home, "draw", "recheck", "--month", month, "--per-unit", str(per_unit), "--seed", "42", "--out", str(file), "--json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    draw = json.loads(done.stdout)
    assert draw["seed"] == 42 and draw["draw_id"].startswith(f"recheck-{month}-")
    expected = {unit: min(per_unit, count) for unit, count in closed.filter(pl.col("closed_month") == month).group_by("unit").len().rows()}  # fmt: skip
    assert Counter(row["agent_id"] for row in draw["contacts"]) == expected
    assert {row["contact_id"] for row in draw["contacts"]} <= set(
        closed.filter(pl.col("closed_month") == month)["complaint_id"]
    )
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert set(pl.read_csv(file, infer_schema_length=0).columns) == {"draw_id", *DRAWN}, "ids and strata only"
    again = csatlas(home, "draw", "recheck", "--month", month, "--per-unit", str(per_unit), "--seed", "42", "--json")
    assert json.loads(again.stdout)["contacts"] == draw["contacts"] and json.loads(again.stdout)["earlier_draws"] == 1
    checked = csatlas(home, "draw", "check", str(file))
    assert checked.returncode == 0 and "is still there and has the same candidates" in checked.stdout.replace("\n", " ")
    # A case put in by hand is seen.
    lines = file.read_text(encoding="utf-8").splitlines()
    file.write_text("\n".join([*lines, lines[-1].replace(":ticket:", ":ticket:9")]) + "\n", encoding="utf-8")
    wrong = csatlas(home, "draw", "check", str(file))
    assert wrong.returncode == 1 and "that were not drawn" in wrong.stdout.replace("\n", " ")


def test_a_month_without_closed_complaints_is_refused(home: Path) -> None:
    done = csatlas(home, "draw", "recheck", "--month", "1999-01")
    assert done.returncode != 0 and "no complaint was closed in 1999-01" in (done.stdout + done.stderr).replace(
        "\n", " "
    )
    bad = csatlas(home, "draw", "recheck", "--month", "January")
    assert bad.returncode != 0 and "is no month" in bad.stdout + bad.stderr
