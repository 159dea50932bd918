"""The nightly job through the real command: published or not at all, killed anywhere, never two at once."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import psutil
import pytest

from orchestration.runs import STAGES
from orchestration.settings import PROJECT_ROOT, Settings
from orchestration.sources.files import load_inbox
from orchestration.warehouse import project_digest
from tests.conftest import CSATLAS, LAST_DAY, csatlas, refreshed
from tests.orchestration.comparing import differing_tables
from tests.serving.comparing import differing_in_snapshots, replaced_rows


def published(home: Path) -> str:
    return (home / "serving" / "current").readlink().name


def status(home: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((home / "serving" / "status.json").read_text())
    return found


def test_status_adds_up(demo_home: Path) -> None:
    facts = json.loads(csatlas(demo_home, "status", "--json").stdout)
    assert facts["published"] == facts["versions"][-1]
    assert all(feed["balanced"] for feed in facts["feeds"])
    for feed in facts["feeds"]:
        assert feed["received"] == feed["used"] + feed["superseded"] + feed["quarantined"], feed
    assert {feed["source"] for feed in facts["feeds"]} == {
        "zendesk",
        "asterisk",
        "surveys",
        "crm",
        "billing",
        "retention",
    }
    assert facts["runs"][0]["outcome"] == "published"
    assert facts["reasons"], "the company's planted damage is not in quarantine"


@pytest.mark.slow
def test_a_second_refresh_changes_nothing_and_a_new_day_only_adds(
    demo_copy: Callable[[], Path], demo_home: Path, tmp_path: Path
) -> None:
    home = demo_copy()
    record = refreshed(home)
    assert record["rows_loaded"] == 0
    assert differing_tables(demo_home, home) == {}
    assert csatlas(home, "demo", "--next-day").returncode == 0
    grown = refreshed(home)
    assert grown["rows_loaded"] > 0
    assert grown["used"] > record["used"]
    whole = tmp_path / "whole"
    shutil.copytree(home, whole, symlinks=True)
    rebuilt = refreshed(whole, "--full")
    assert differing_tables(home, whole) == {}
    snapshots = [
        folder / "serving" / f"csatlas-{done['version']}.duckdb" for folder, done in ((home, grown), (whole, rebuilt))
    ]
    assert differing_in_snapshots(*snapshots) == {}
    assert replaced_rows(snapshots[0]) > 0 == replaced_rows(snapshots[1])


def test_the_company_is_made_also_where_the_dbt_project_cannot_be_parsed(tmp_path: Path) -> None:
    made = csatlas(tmp_path, "demo", "--customers", "60", "--months", "1", env={"CSATLAS_SOURCES": "nowhere"})
    assert made.returncode == 0, made.stderr
    assert list((tmp_path / "inbox").rglob("*.csv")) != []
    words = " ".join(made.stderr.split())
    assert "a refresh would stop: source 'nowhere' has no declaration" in words
    assert "Traceback" not in words


@pytest.mark.slow
def test_killed_at_every_stage_and_run_again_equals_a_run_that_never_died(tmp_path: Path) -> None:
    home = tmp_path / "home"
    made = csatlas(home, "demo", "--customers", "60", "--months", "2", "--until", LAST_DAY)
    assert made.returncode == 0, made.stderr
    assert (home / "dbt_target" / "manifest.sha256").read_text() == project_digest(Settings(home=home))
    load_inbox(
        Settings(home=home), {}, "nothing"
    )  # the home's secret salt is made once, so that both copies give the same keys
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(home, undisturbed)
    refreshed(undisturbed)

    for number, stage in enumerate(STAGES[:-1]):
        process = subprocess.Popen(
            [str(CSATLAS), "refresh"], env={**os.environ, "CSATLAS_HOME": str(home)}, cwd=PROJECT_ROOT,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        reached = _wait_for_stage(home, process, stage, known=number)
        # Only the command itself: the dbt it started must not live on and write without the home's lock.
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert reached, f"the run ended before it was seen in stage {stage}"
    refreshed(home)
    assert differing_tables(undisturbed, home) == {}
    assert status(home)["outcome"] == "published"


@pytest.mark.slow
def test_stopped_politely_it_ends_at_once_and_takes_its_dbt_along(demo_copy: Callable[[], Path]) -> None:
    home = demo_copy()
    assert csatlas(home, "demo", "--next-day").returncode == 0
    published, known = status(home)["version"], len(list((home / "runs").glob("*.json")))
    process = subprocess.Popen(
        [str(CSATLAS), "refresh"], env={**os.environ, "CSATLAS_HOME": str(home)}, cwd=PROJECT_ROOT,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert _wait_for_stage(home, process, "build", known)
    dbt = psutil.Process(process.pid)
    deadline = time.monotonic() + 30
    while not dbt.children() and time.monotonic() < deadline:
        time.sleep(0.01)
    children = dbt.children()
    assert children, "dbt was not seen"
    process.terminate()
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 1, said
    assert psutil.wait_procs(children, timeout=5)[1] == []
    assert status(home)["version"] == published
    assert refreshed(home)["outcome"] == "published"


def _wait_for_stage(home: Path, process: subprocess.Popen[bytes], stage: str, known: int) -> bool:
    """Wait until the newest run record names the stage; the stages after `gate` pass in moments, so look often."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        records = list((home / "runs").glob("*.json"))
        if len(records) > known:
            newest = max(records, key=lambda path: path.stat().st_mtime_ns)
            try:
                if stage in json.loads(newest.read_text()).get("stages", {}):
                    return True
            except json.JSONDecodeError:
                continue
        time.sleep(0.002)
    return False


@pytest.mark.slow
def test_two_refreshes_at_once(demo_copy: Callable[[], Path]) -> None:
    home = demo_copy()
    first = subprocess.Popen(
        [str(CSATLAS), "refresh"],
        env={**os.environ, "CSATLAS_HOME": str(home)},
        cwd=PROJECT_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and json.loads(csatlas(home, "status", "--json").stdout)["in_use_by"] is None:
        assert first.poll() is None, "the first refresh ended before the second could start"
    second = csatlas(home, "refresh")
    assert second.returncode == 3
    assert "is in use" in second.stderr and str(first.pid) in second.stderr
    assert first.wait() == 0


@pytest.mark.slow
def test_a_failing_test_keeps_yesterdays_snapshot(demo_copy: Callable[[], Path]) -> None:
    home = demo_copy()
    before = published(home)
    with duckdb.connect(str(home / "raw.duckdb")) as raw:
        # The ledger now claims a record more than raw holds: the accounting test must notice.
        raw.execute(
            "update raw_meta.files set row_count = row_count + 1 where file_id = (select max(file_id) from raw_meta.files where table_name = 'tickets')"
        )
    done = csatlas(home, "refresh")
    assert done.returncode == 1
    assert "every_loaded_record_is_seen" in done.stderr
    assert published(home) == before
    told = status(home)
    assert told["outcome"] == "failed"
    assert "every_loaded_record_is_seen" in " ".join(told["reasons"])
    assert csatlas(home, "query", "select count(*) from fct_tickets").returncode == 0


@pytest.mark.slow
def test_an_empty_inbox_gives_empty_marts_not_errors(tmp_path: Path) -> None:
    home = tmp_path / "home"
    record = refreshed(home)
    assert record["received"] == 0
    found = json.loads(csatlas(home, "metric", "service_level", "nps", "--json").stdout)
    assert [row["value"] for row in found] == [None, None]
    assert json.loads(csatlas(home, "metric", "--list", "--json").stdout)


@pytest.mark.slow
def test_a_source_alone_leaves_the_other_feeds_empty(tmp_path: Path, demo_home: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(demo_home / "inbox" / "asterisk", home / "inbox" / "asterisk")
    done = csatlas(home, "refresh", "--json", env={"CSATLAS_SOURCES": "asterisk"})
    assert done.returncode == 0, done.stderr
    counts = csatlas(
        home,
        "query",
        "select (select count(*) from fct_calls) as calls, (select count(*) from fct_tickets) as tickets",
        "--format",
        "json",
        env={"CSATLAS_SOURCES": "asterisk"},
    )
    (row,) = json.loads(counts.stdout)
    assert row["calls"] > 0
    assert row["tickets"] == 0


def test_before_the_first_refresh_readers_are_told_what_to_do(tmp_path: Path) -> None:
    done = csatlas(tmp_path, "query", "select 1")
    assert done.returncode == 4
    assert "csatlas refresh" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["query", "drop table fct_calls"], "exactly one SELECT"),
        (["query", "select nothing from nowhere"], "nowhere"),
        (["metric", "service"], "Did you mean"),
        (["metric", "nps", "--by", "queue"], "it knows"),
        (["metric", "nps", "--from", "yesterday"], "2026-01-31"),
        (["metric", "nps", "--where", "channel"], "dimension=value"),
        (["rollback", "nothing"], "no version"),
        (["refresh", "--source", "nowhere"], "not enabled"),
    ],
)
def test_wrong_questions_are_answered_in_words(demo_home: Path, arguments: list[str], words: str) -> None:
    done = csatlas(demo_home, *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CSATLAS_PORT", "many"), ("CSATLAS_PORT", "0"), ("CSATLAS_MEMORY_LIMIT", "lots"), ("CSATLAS_MEMORY_LIMIT", "-5GB"),
        ("CSATLAS_MEMORY_LIMIT", "0GB"), ("CSATLAS_TIME_ZONE", "Mars/Phobos"), ("CSATLAS_TIME_ZONE", "../../etc/passwd"),
        ("CSATLAS_HOME", "/dev/null"), ("CSATLAS_THREADS", "99999"),
    ],
)  # fmt: skip
def test_settings_are_checked(tmp_path: Path, name: str, value: str) -> None:
    done = csatlas(tmp_path, "status", env={name: value})
    assert done.returncode == 2
    assert name in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["refresh", "demo", "doctor"])
def test_a_home_that_cannot_be_made_is_told_in_words(tmp_path: Path, command: str) -> None:
    (tmp_path / "file").write_text("no folder")
    done = csatlas(tmp_path / "file" / "home", command)
    assert done.returncode in (1, 2), done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "CSATLAS_HOME" in done.stdout + done.stderr


@pytest.mark.slow
def test_backup_and_restore(demo_copy: Callable[[], Path], tmp_path: Path) -> None:
    home, copy = demo_copy(), tmp_path / "copy.duckdb"
    made = json.loads(csatlas(home, "backup", str(copy), "--json").stdout)
    assert csatlas(home, "backup", str(copy)).returncode == 2, "a backup must not overwrite one"
    fresh = tmp_path / "fresh"
    back = json.loads(csatlas(fresh, "restore", str(copy), "--json").stdout)
    assert (back["files"], back["rows"], back["sha256"]) == (made["files"], made["rows"], made["sha256"])
    shutil.copytree(home / "inbox", fresh / "inbox")
    record = refreshed(fresh)
    assert record["rows_loaded"] == 0
    assert differing_tables(home, fresh) == {}
    assert csatlas(fresh, "restore", str(copy)).returncode == 2
    with copy.open("r+b") as stream:
        stream.seek(copy.stat().st_size // 2)
        stream.write(b"damaged")
    done = csatlas(tmp_path / "other", "restore", str(copy))
    assert done.returncode == 2
    assert "checksum" in done.stderr or "not a readable raw database" in done.stderr


def test_doctor_finds_nothing_wrong_with_a_fresh_home(demo_home: Path) -> None:
    done = csatlas(demo_home, "doctor", "--json")
    findings = json.loads(done.stdout)
    assert done.returncode == 0, findings
    assert [finding for finding in findings if finding["level"] == "error"] == []


def test_doctor_names_what_is_broken(demo_copy: Callable[[], Path]) -> None:
    home = demo_copy()
    (home / "raw.duckdb").write_bytes(b"not a database at all" * 1000)
    (home / "raw.duckdb").chmod(0o644)
    done = csatlas(home, "doctor", "--json", env={"CSATLAS_SCHEDULE": "at night"})
    found = {finding["subject"]: finding for finding in json.loads(done.stdout)}
    assert done.returncode == 1
    assert "csatlas restore" in found["raw database"]["message"]
    assert "cron" in found["CSATLAS_SCHEDULE"]["message"]
    assert found["rights"]["level"] == "warning"


def test_doctor_on_an_older_home_says_that_it_will_be_migrated(demo_copy: Callable[[], Path]) -> None:
    home = demo_copy()
    with duckdb.connect(str(home / "raw.duckdb")) as connection:
        connection.execute("alter table raw_meta.seen drop column ctime_ns")
        connection.execute("delete from raw_meta.version where schema_version > 1")
    findings = json.loads(csatlas(home, "doctor", "--json").stdout)
    (found,) = [finding for finding in findings if finding["subject"] == "raw database"]
    assert found["level"] == "warning"
    assert "migrates" in found["message"]


def test_rollback_and_forward(demo_copy: Callable[[], Path]) -> None:
    home = demo_copy()
    settings = Settings(home=home)
    newest = published(home)
    older = settings.serving / "csatlas-20200101T000000000Z.duckdb"
    shutil.copy(settings.serving / newest, older)
    assert csatlas(home, "rollback").returncode == 0
    assert published(home) == older.name
    assert csatlas(home, "rollback", newest.removeprefix("csatlas-").removesuffix(".duckdb")).returncode == 0
    assert published(home) == newest
