"""Publication: one switch, readers undisturbed, earlier versions at hand."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
    for number in range(4):
        fake_version(settings, f"2026010{number}T000000000Z")
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
        "import sys; from pathlib import Path; from orchestration.serving import build; from orchestration.settings import Settings;"
        "build.build_snapshot(Settings(home=Path(sys.argv[1])), run_id='x', progress=lambda name: print(name, flush=True))"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(settings.home)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("fct_tickets"):
            process.kill()
            break
    process.wait()
    assert publish.published_version(settings) == before
    left = list(settings.serving.glob(".building-*"))
    assert left != []
    spilled = settings.serving / f"{left[0].name}.tmp"
    spilled.mkdir()
    (spilled / "duckdb_temp_storage_DEFAULT-0.tmp").write_bytes(b"x")
    done = subprocess.run(
        [sys.executable, "-c", script, str(settings.home)], check=True, capture_output=True, text=True
    )
    assert "parts of fct_calls" in done.stdout
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
