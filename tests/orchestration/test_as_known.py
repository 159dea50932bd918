"""What was known on a day is what a home that received no more would say; what was said is what was published."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from dashboards.data.metrics import metric_frame
from dashboards.data.snapshot import open_snapshot, published_path
from orchestration.locking import HomeLocked
from orchestration.operations import as_known
from orchestration.settings import PROJECT_ROOT, Settings
from tests.conftest import CSATLAS, csatlas, refreshed
from tests.serving.comparing import differing_in_snapshots

TODAY = datetime.now(ZoneInfo("Asia/Shanghai")).date()


def _loaded_before(home: Path, days: int) -> None:
    """Move what was loaded so far into the past, as if the home were so much older."""
    with duckdb.connect(str(home / "raw.duckdb")) as raw:
        raw.execute(f"update raw_meta.files set loaded_at = loaded_at - interval '{days} days'")


def _state(settings: Settings) -> dict[str, tuple[int, int]]:
    """Every file of the home but the scratch ones, by its size and time of change."""
    return {
        str(path.relative_to(settings.home)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in settings.home.rglob("*")
        if path.is_file() and "as_known" not in path.parts
    }


def _killed_while_building(home: Path, day: str) -> None:
    """Ask for a day, ask again meanwhile, and kill the first when its warehouse is half built."""
    process = subprocess.Popen(
        [str(CSATLAS), "metric", "calls_offered", "--as-known-on", day],
        env={**os.environ, "CSATLAS_HOME": str(home)}, cwd=PROJECT_ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not list(home.glob("as_known/.building-*/warehouse.duckdb.wal")):
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()[1]
        time.sleep(0.05)
    meanwhile = csatlas(home, "metric", "calls_offered", "--as-known-on", day)
    assert meanwhile.returncode == 3
    assert f"computing what was known on {day}" in meanwhile.stderr and str(process.pid) in meanwhile.stderr
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.mark.slow
def test_what_came_later_is_not_known(demo_copy: Callable[[], Path]) -> None:
    home = demo_copy()
    settings = Settings(home=home)
    then = published_path(settings.serving)
    _loaded_before(home, 3)
    made = csatlas(home, "demo", "--next-day")
    assert made.returncode == 0, made.stderr
    refreshed(home)
    before = _state(settings)
    day = str(TODAY - timedelta(days=1))
    _killed_while_building(home, day)
    findings = json.loads(csatlas(home, "doctor", "--json").stdout)
    assert "was killed" in next(one["message"] for one in findings if one["subject"] == "as known then")

    asked = csatlas(home, "metric", "calls_offered", "csat_top2", "--grain", "day", "--as-known-on", day, "--json")
    assert asked.returncode == 0, asked.stderr
    assert f"as known on {day}" in asked.stderr
    with duckdb.connect(str(settings.raw_path), read_only=True) as raw:
        files = raw.execute(
            "select count(*), count(distinct load_id), max(load_id) from raw_meta.files where loaded_at < current_date - 1"
        ).fetchone()
    told = json.loads(asked.stdout)
    source = told["answered_from"]
    assert (source["as_known_on"], source["time_zone"]) == (day, "Asia/Shanghai")
    assert source["loaded_before_utc"] == f"{day}T16:00:00"
    assert (source["files"], source["loads"], source["last_load_id"]) == files

    said: list[str] = []
    known = as_known.snapshot_as_known_on(settings, TODAY - timedelta(days=1), said.append)
    assert said == [], "the answer to the same question is kept"
    assert differing_in_snapshots(known.path, then) == {}
    names = ["calls_offered", "csat_top2"]
    with closing(open_snapshot(then)) as first, closing(open_snapshot(published_path(settings.serving))) as now:
        rows = json.loads(json.dumps(metric_frame(first, names, grain="day").to_dicts(), default=str))
        assert told["rows"] == rows
        assert metric_frame(now, names).to_dicts() != metric_frame(first, names).to_dicts(), "a further day is news"
    assert _state(settings) == before, "the home itself was touched"
    assert [item.name for item in known.path.parent.parent.iterdir()] == ["serving"], "raw and warehouse are gone"
    assert not list(home.glob("as_known/.building-*"))
    assert all(path.stat().st_mode & 0o077 == 0 for path in (settings.home / "as_known").rglob("*"))

    # The other questions of the command are asked of that day too.
    explained = csatlas(home, "metric", "service_level", "--explain", "50%", "--as-known-on", day, "--json")
    assert json.loads(explained.stdout)["answered_from"] == source
    both = csatlas(home, "metric", "calls_offered", "--as-known-on", day, "--said-on", day)
    assert both.returncode == 2
    assert "two questions" in both.stderr


@pytest.mark.slow
def test_what_was_said_is_what_was_published(demo_copy: Callable[[], Path]) -> None:
    """The definitions of then count: the snapshot of yesterday knows another target and another number of tickets."""
    home = demo_copy()
    settings = Settings(home=home)
    newest = published_path(settings.serving)
    moment = datetime.now(UTC) - timedelta(days=1)
    version = moment.strftime("%Y%m%dT%H%M%S%f")[:-3] + "Z"
    older = settings.serving / f"csatlas-{version}.duckdb"
    older.write_bytes(newest.read_bytes())
    with duckdb.connect(str(older)) as connection:
        connection.execute("update meta.metrics set formula = 'as it was then'")
        connection.execute("delete from parts.fct_tickets where metric_time > '2026-09-01'")
    day = str(moment.astimezone(ZoneInfo("Asia/Shanghai")).date())

    def rows(*options: str) -> Any:
        done = csatlas(home, "metric", "tickets_created", "--json", *options)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    told = rows("--said-on", day)
    assert told["answered_from"] == {"said_on": day, "time_zone": "Asia/Shanghai", "version": version}
    with closing(open_snapshot(older)) as then:
        assert told["rows"] == metric_frame(then, ["tickets_created"]).to_dicts()
    assert told["rows"] != rows()
    assert rows("--said-on", day, "--list")["rows"][0]["formula"] == "as it was then"
    missing = csatlas(home, "metric", "tickets_created", "--said-on", "2020-01-01")
    assert missing.returncode == 2
    assert "The versions that are kept were published at" in missing.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--as-known-on", "yesterday"], "2026-01-31"),
        (["--said-on", "31.1."], "2026-01-31"),
        (["--as-known-on", "2999-01-01"], "has not begun"),
        (["--said-on", "2999-01-01"], "has not begun"),
        (["--as-known-on", "2001-01-01"], "the first file was loaded on"),
        (["--as-known-on", str(TODAY), "--where", "channel"], "dimension=value"),
        (["--as-known-on", str(TODAY), "--variants", "--by", "queue"], "--variants and --explain take"),
    ],
)
def test_what_cannot_be_answered_is_said_before_anything_is_built(
    demo_home: Path, arguments: list[str], words: str
) -> None:
    done = csatlas(demo_home, "metric", "calls_offered", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_days_of_which_nothing_can_be_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(home=tmp_path)
    with pytest.raises(as_known.AsKnownError, match="has not begun"):
        as_known.snapshot_as_known_on(settings, TODAY + timedelta(days=2), print)
    with pytest.raises(as_known.AsKnownError, match="Nothing was ever loaded"):
        as_known.snapshot_as_known_on(settings, TODAY, print)
    settings.raw_path.write_bytes(b"not a database at all" * 1000)
    with pytest.raises(as_known.AsKnownError, match="csatlas doctor"):
        as_known.snapshot_as_known_on(settings, TODAY, print)
    settings.raw_path.unlink()
    from orchestration.sources.files import load_inbox

    load_inbox(settings, {}, "nothing")
    with pytest.raises(as_known.AsKnownError, match="no file was ever loaded"):
        as_known.snapshot_as_known_on(settings, TODAY, print)
    with duckdb.connect(str(settings.raw_path)) as raw:
        raw.execute(
            "insert into raw_meta.files (file_id, status, load_id, loaded_at) values (1, 'loaded', 'a', timestamp '2026-02-28 16:30:00')"
        )
    for day in (date(2020, 1, 31), date(2026, 2, 28)):  # half past four in the afternoon there is the next day here
        with pytest.raises(as_known.AsKnownError, match=r"the first file was loaded on 2026-03-01 at 00:30"):
            as_known.snapshot_as_known_on(settings, day, print)
    monkeypatch.setattr(as_known.shutil, "disk_usage", lambda _: _Usage(1 << 20))
    with pytest.raises(as_known.AsKnownError, match="Make room"):
        as_known.snapshot_as_known_on(settings, date(2026, 3, 1), print)


def test_while_files_are_loaded_the_question_is_refused_in_words(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    writer = subprocess.Popen(
        ["python", "-c", "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(1, flush=True); sys.stdin.read()",
         str(settings.raw_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PATH": str(CSATLAS.parent)},
    )  # fmt: skip
    try:
        assert writer.stdout is not None and writer.stdout.readline() == "1\n"
        with pytest.raises(HomeLocked, match="is being written"):
            as_known.snapshot_as_known_on(settings, TODAY, print)
    finally:
        writer.communicate("")


class _Usage:
    def __init__(self, free: int) -> None:
        self.free = free
