"""What was known on a day is what a home that received no more would say."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest

from dashboards.data.metrics import metric_frame
from dashboards.data.snapshot import open_snapshot, published_path
from orchestration.operations import as_known
from orchestration.settings import Settings
from tests.conftest import csatlas
from tests.serving.comparing import differing_in_snapshots

TODAY = datetime.now(ZoneInfo("Asia/Shanghai")).date()


def _loaded_before(home: Path, days: int) -> None:
    """Move what was loaded so far into the past, as if the home were so much older."""
    with duckdb.connect(str(home / "raw.duckdb")) as raw:
        raw.execute(f"update raw_meta.files set loaded_at = loaded_at - interval '{days} days'")


@pytest.mark.slow
def test_what_came_later_is_not_known(demo_copy: Callable[[], Path]) -> None:
    home = demo_copy()
    settings = Settings(home=home)
    then = published_path(settings.serving)
    _loaded_before(home, 3)
    made = csatlas(home, "demo", "--next-day")
    assert made.returncode == 0, made.stderr
    refreshed = csatlas(home, "refresh")
    assert refreshed.returncode == 0, refreshed.stderr
    warehouse_before = (settings.warehouse_path.stat().st_mtime_ns, settings.raw_path.stat().st_mtime_ns)

    said: list[str] = []
    path = as_known.snapshot_as_known_on(settings, TODAY - timedelta(days=1), said.append)
    assert differing_in_snapshots(path, then) == {}
    now = published_path(settings.serving)
    with closing(open_snapshot(path)) as old, closing(open_snapshot(now)) as new:
        names = ["tickets_created", "calls_offered", "tickets_solved"]
        differs = metric_frame(old, names).to_dicts() != metric_frame(new, names).to_dicts()
    assert differs, "the further day brought something"
    assert (settings.warehouse_path.stat().st_mtime_ns, settings.raw_path.stat().st_mtime_ns) == warehouse_before
    assert published_path(settings.serving) == now
    assert any("building the warehouse" in line for line in said)

    # Found again, also by the command; both questions at once are refused.
    said.clear()
    assert as_known.snapshot_as_known_on(settings, TODAY - timedelta(days=2), said.append) == path, (
        "the same files were known the day before"
    )
    assert said == []
    day = str(TODAY - timedelta(days=1))
    asked = csatlas(home, "metric", "calls_offered", "--as-known-on", day, "--json")
    assert asked.returncode == 0, asked.stderr
    assert f"as known on {day}" in asked.stderr
    with closing(open_snapshot(then)) as first:
        assert json.loads(asked.stdout)[0]["value"] == metric_frame(first, ["calls_offered"])["value"][0]
    both = csatlas(home, "metric", "calls_offered", "--as-known-on", day, "--said-on", day)
    assert both.returncode == 2
    assert "two questions" in both.stderr
    assert [item.name for item in path.parent.parent.iterdir()] == ["serving"], (
        "raw and warehouse of the scratch home are gone"
    )


def test_days_of_which_nothing_can_be_known(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with pytest.raises(as_known.AsKnownError, match="has not begun"):
        as_known.snapshot_as_known_on(settings, TODAY + timedelta(days=2), print)
    with pytest.raises(as_known.AsKnownError, match="cannot be read now"):
        as_known.snapshot_as_known_on(settings, TODAY, print)
    with duckdb.connect(str(settings.raw_path)) as raw:
        raw.execute("create schema raw_meta; create table raw_meta.files (file_id bigint, loaded_at timestamp)")
        raw.execute("insert into raw_meta.files values (1, ?)", [datetime.now(UTC).replace(tzinfo=None)])
    with pytest.raises(
        as_known.AsKnownError,
        match=r"Nothing had been loaded by the end of 2020-01-31: the first file was loaded at 20",
    ):
        as_known.snapshot_as_known_on(settings, date(2020, 1, 31), print)
