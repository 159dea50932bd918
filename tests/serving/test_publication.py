"""Publication: one switch, readers undisturbed, earlier versions at hand."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

import dashboards.data.snapshot as snapshot_module
from dashboards.data.snapshot import NoSnapshot, SnapshotStore
from orchestration.serving import publish
from orchestration.settings import Settings


def fake_version(settings: Settings, version: str) -> None:
    settings.serving.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(settings.serving / f"csatlas-{version}.duckdb")) as connection:
        connection.execute(f"create table what as select '{version}' as version")


@pytest.fixture
def desk(tmp_path: Path) -> Settings:
    settings = Settings(home=tmp_path, keep_snapshots=2)
    for day in ("20251231", "20260101", "20260102", "20260103"):
        fake_version(settings, f"{day}T000000000Z")
    return settings


def seen(store: SnapshotStore) -> str:
    return str(store.current().rows("select version from what")[0]["version"])


def test_nothing_published_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(NoSnapshot, match="csatlas refresh") as found:
        SnapshotStore(tmp_path / "serving").current()
    assert not found.value.was_published


def test_publishing_switches_readers_and_keeps_the_last_versions(desk: Settings) -> None:
    store = SnapshotStore(desk.serving)
    publish.publish(desk, "20260101T000000000Z")
    assert seen(store) == "20260101T000000000Z"
    reading = store.current()
    publish.publish(desk, "20260103T000000000Z")
    assert seen(store) == "20260103T000000000Z"
    assert reading.rows("select version from what")[0]["version"] == "20260101T000000000Z", (
        "who reads an old version keeps it"
    )
    assert publish.versions(desk) == ["20260102T000000000Z", "20260103T000000000Z"]
    store.close()


def test_a_reader_keeps_its_version_however_many_follow(desk: Settings) -> None:
    store = SnapshotStore(desk.serving)
    publish.publish(desk, "20260103T000000000Z")
    reading = store.current()
    for number in (4, 5, 6):
        fake_version(desk, f"2026010{number}T000000000Z")
        publish.publish(desk, f"2026010{number}T000000000Z")
        assert seen(store) == f"2026010{number}T000000000Z"
    assert reading.rows("select version from what")[0]["version"] == "20260103T000000000Z"
    assert not reading.path.exists(), "the file is gone from the folder, its reader has it still"
    store.close()


def test_a_version_that_goes_while_it_is_opened_is_no_trouble(desk: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    publish.publish(desk, "20260102T000000000Z")
    opened = snapshot_module.open_snapshot

    def too_late(path: Path, **options: Any) -> Any:
        if path.name == "csatlas-20260102T000000000Z.duckdb":
            publish.publish(desk, "20260103T000000000Z")
            path.unlink()
        return opened(path, **options)

    monkeypatch.setattr(snapshot_module, "open_snapshot", too_late)
    store = SnapshotStore(desk.serving)
    assert seen(store) == "20260103T000000000Z"
    store.close()


def test_rollback_goes_one_back_or_to_a_version(desk: Settings) -> None:
    publish.publish(desk, "20260103T000000000Z")
    assert publish.rollback(desk) == "20260102T000000000Z"
    assert publish.published_version(desk) == "20260102T000000000Z"
    with pytest.raises(publish.PublishError, match="no version before"):
        publish.rollback(desk)
    with pytest.raises(publish.PublishError, match="There is no version"):
        publish.publish(desk, "yesterday")
    assert publish.rollback(desk, "20260103T000000000Z") == "20260103T000000000Z"


def test_a_deleted_snapshot_falls_back_to_the_newest_left(desk: Settings) -> None:
    store = SnapshotStore(desk.serving)
    publish.publish(desk, "20260103T000000000Z")
    assert seen(store) == "20260103T000000000Z"
    (desk.serving / "csatlas-20260103T000000000Z.duckdb").unlink()
    assert seen(store) == "20260102T000000000Z"
    for left in desk.serving.glob("csatlas-*.duckdb"):
        left.unlink()
    with pytest.raises(NoSnapshot) as found:
        store.current()
    assert found.value.was_published
    store.close()


def test_readers_never_miss_while_versions_change(desk: Settings) -> None:
    publish.publish(desk, "20260103T000000000Z")
    store, stop, troubles = SnapshotStore(desk.serving), threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            try:
                seen(store)
            except Exception as error:
                troubles.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(20):
        version = f"2026020{number % 10}T0000000{number:02}Z"
        fake_version(desk, version)
        publish.publish(desk, version)
        time.sleep(0.02)
    stop.set()
    for reader in readers:
        reader.join()
    assert troubles == []
    store.close()


def test_killed_between_link_and_switch_leaves_the_old_one(desk: Settings) -> None:
    publish.publish(desk, "20260102T000000000Z")
    script = (
        "import os, signal, sys; from pathlib import Path; from orchestration.serving import publish; from orchestration.settings import Settings;"
        "publish.os.replace = lambda *names: os.kill(os.getpid(), signal.SIGKILL);"
        "publish.publish(Settings(home=Path(sys.argv[1])), '20260103T000000000Z')"
    )
    done = subprocess.run([sys.executable, "-c", script, str(desk.home)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert publish.published_version(desk) == "20260102T000000000Z"
    publish.publish(desk, "20260103T000000000Z")
    assert publish.published_version(desk) == "20260103T000000000Z"


@pytest.mark.slow
def test_a_build_killed_half_way_leaves_the_published_snapshot(demo_copy: Callable[[], Path]) -> None:
    settings = Settings(home=demo_copy())
    before = publish.published_version(settings)
    script = (
        "import os, signal, sys; from pathlib import Path; from orchestration.serving import build; from orchestration.settings import Settings;"
        "progress = lambda name: os.kill(os.getpid(), signal.SIGKILL) if name == sys.argv[2] else print(name);"
        "build.build_snapshot(Settings(home=Path(sys.argv[1])), run_id='x', progress=progress)"
    )
    killed = subprocess.run(
        [sys.executable, "-c", script, str(settings.home), "fct_tickets"], capture_output=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert publish.published_version(settings) == before
    left = list(settings.serving.glob(".building-*"))
    assert left != []
    spilled = settings.serving / f"{left[0].name}.tmp"
    spilled.mkdir()
    (spilled / "duckdb_temp_storage_DEFAULT-0.tmp").write_bytes(b"x")
    done = subprocess.run(
        [sys.executable, "-c", script, str(settings.home), "nothing"], check=True, capture_output=True, text=True
    )
    assert "definition atlas" in done.stdout
    assert list(settings.serving.glob(".building-*")) == []
    assert oct(next(settings.serving.glob("csatlas-*.duckdb")).stat().st_mode & 0o777) == "0o600"


def test_readers_have_utc_wherever_the_server_stands(desk: Settings) -> None:
    publish.publish(desk, "20260103T000000000Z")
    script = (
        "import sys; from pathlib import Path; from dashboards.data.snapshot import SnapshotStore;"
        "store = SnapshotStore(Path(sys.argv[1]));"
        "print(store.current().rows(\"select current_setting('timezone') as zone\")[0]['zone'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(desk.serving)],
        env={**os.environ, "TZ": "Asia/Tokyo"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "UTC"


def _noted(settings: Settings, *entries: tuple[str, str]) -> None:
    text = "".join(f'{{"at": "{at}", "version": "{version}"}}\n' for at, version in entries)
    (settings.serving / publish.LOG).write_text(text, encoding="utf-8")


def test_what_was_said_on_a_day(desk: Settings) -> None:
    """Days end at 16:00 UTC in Shanghai; a rollback is what was said from then on."""
    first, second, third, fourth = publish.versions(desk)
    _noted(
        desk,
        ("2026-01-01T10:00:00+00:00", second),
        ("2026-01-02T16:30:00+00:00", third),
        ("2026-01-04T09:00:00+00:00", fourth),
        ("2026-01-04T10:00:00+00:00", third),
    )
    said = {day: publish.version_said_on(desk, date(2026, 1, day)) for day in range(1, 6)}
    assert said == {1: second, 2: second, 3: third, 4: third, 5: third}
    assert first not in said.values(), (
        "the log does not name it: it counts from its own moment, and was followed the same day"
    )


def test_what_was_said_before_the_log_and_by_a_version_that_is_gone(desk: Settings) -> None:
    second = publish.versions(desk)[1]
    assert publish.version_said_on(desk, date(2026, 1, 1)) == second, (
        "by their names: from midnight UTC, which is 08:00 there"
    )
    with pytest.raises(
        publish.PublishError, match=r"2025-12-30 is not known: nothing was published by then.* 2026-01-01 08:00"
    ):
        publish.version_said_on(desk, date(2025, 12, 30))
    with pytest.raises(publish.PublishError, match="has not begun"):
        publish.version_said_on(desk, date(2999, 1, 1))
    publish.publish(desk, "20260103T000000000Z")  # keeps the last two
    with (desk.serving / publish.LOG).open("a", encoding="utf-8") as log:
        log.write('{"at": "2026-01-01T02:00:00+00:00", "ver')
    assert [version for _, version in publish.publications(desk)] == ["20260102T000000000Z", "20260103T000000000Z"], (
        "a line cut short is none"
    )
    publish.publish(desk, "20260102T000000000Z")
    assert publish.publications(desk)[-1][1] == "20260102T000000000Z", "the next line stands by itself"
    assert publish.version_said_on(desk, datetime.now(ZoneInfo(desk.time_zone)).date()) == "20260102T000000000Z"
    assert (desk.serving / publish.LOG).stat().st_mode & 0o077 == 0


def test_a_version_that_was_removed_is_named(desk: Settings) -> None:
    _noted(
        desk, ("2026-01-01T10:00:00+00:00", "20260101T090000000Z"), ("2026-01-03T10:00:00+00:00", "20260103T000000000Z")
    )
    for version in publish.versions(desk)[:3]:
        (desk.serving / f"csatlas-{version}.duckdb").unlink()
    with pytest.raises(publish.PublishError, match=r"20260101T090000000Z, was removed since.* 2026-01-03 18:00"):
        publish.version_said_on(desk, date(2026, 1, 2))
