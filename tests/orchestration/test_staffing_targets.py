"""What staffing is planned for: the file that people edit, and the two commands that plan a queue."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dashboards.data import queues
from dashboards.data.snapshot import Snapshot, SnapshotStore
from orchestration.modelling import staffing, waits
from orchestration.operations.staffing_targets import (
    COLUMNS,
    FILE_NAME,
    StaffingTargetError,
    read_staffing_targets,
    staffing_target,
)
from orchestration.settings import PROJECT_ROOT
from tests.conftest import csatlas

HEADER = ",".join(COLUMNS)
ALL = "*,0.80,20,abandons_bad,erlang_a,0.30"
FIRST, LAST = "2026-07-01", "2026-09-30"


def written(folder: Path, *lines: str) -> Path:
    path = folder / FILE_NAME
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_the_file_of_the_project_has_a_line_for_every_queue() -> None:
    target = staffing_target(PROJECT_ROOT / "seeds" / FILE_NAME, "any queue at all")
    assert (target.queue, target.line) == ("*", 2)
    assert (target.service_level, target.within_seconds, target.shrinkage) == (0.80, 20.0, 0.30)


def test_the_name_wins_then_the_longest_beginning(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        HEADER,
        ALL,
        "gd_*,0.85,15,abandons_bad,erlang_a,0.25",
        "gd_hot*,0.90,10,answered_only,erlang_c,0",
        "gd_hotline,0.95,5,early_ignored,erlang_b,0.1",
    )
    found = {queue: staffing_target(path, queue) for queue in ("js_hotline", "gd_back", "gd_hotline_2", "gd_hotline")}
    assert {queue: target.line for queue, target in found.items()} == {
        "js_hotline": 2, "gd_back": 3, "gd_hotline_2": 4, "gd_hotline": 5,
    }  # fmt: skip
    last = found["gd_hotline"]
    assert (last.service_level, last.within_seconds, last.definition, last.model, last.shrinkage) == (
        0.95, 5.0, "early_ignored", "erlang_b", 0.1,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([HEADER.replace("shrinkage", "shrink"), ALL], "line 1: column shrinkage is missing"),
        ([HEADER, ALL, "vip,80,20,abandons_bad,erlang_a,0"], "line 3, service_level: 80 is not between 0 and 1"),
        ([HEADER, ALL, "vip,1,20,abandons_bad,erlang_a,0"], "line 3, service_level: 1 is not between"),
        ([HEADER, ALL, 'vip,"0,8",20,abandons_bad,erlang_a,0'], "line 3, service_level: '0,8' is no number"),
        ([HEADER, ALL, "vip,nan,20,abandons_bad,erlang_a,0"], "line 3, service_level: nan is not between"),
        ([HEADER, ALL, "vip,0.8,-1,abandons_bad,erlang_a,0"], "line 3, within_seconds: -1 is below 0"),
        ([HEADER, ALL, "vip,0.8,inf,abandons_bad,erlang_a,0"], "line 3, within_seconds: inf is no finite number"),
        ([HEADER, ALL, "vip,0.8,20,abandons_bad,erlang_a,1"], "line 3, shrinkage: 1 is not from 0 to below 1"),
        ([HEADER, ALL, "vip,0.8,20,abandons,erlang_a,0"], "line 3, definition: 'abandons' is none of abandons_bad"),
        ([HEADER, ALL, "vip,0.8,20,abandons_bad,erlang,0"], "line 3, model: 'erlang' is none of erlang_a"),
        ([HEADER, ALL, "vip,0.8,20,abandons_bad,erlang_a"], "line 3: the line has not as many fields"),
        ([HEADER, ALL, "vip,0.8,20,abandons_bad,erlang_a,0,0"], "line 3: the line has not as many fields"),
        ([HEADER, ALL, " ,0.8,20,abandons_bad,erlang_a,0"], "line 3, queue: '' is no queue"),
        ([HEADER, ALL, "a*b,0.8,20,abandons_bad,erlang_a,0"], "line 3, queue: 'a\\*b' is no queue"),
        ([HEADER, ALL, ALL], "line 3, queue: '\\*' stands in line 2 already"),
        ([HEADER, "vip,0.8,20,abandons_bad,erlang_a,0"], "no line fits the queue 'hotline'"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path: Path, lines: list[str], message: str) -> None:
    path = written(tmp_path, *lines)
    with pytest.raises(StaffingTargetError, match=message) as refused:
        staffing_target(path, "hotline")
    assert str(path) in str(refused.value)


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(StaffingTargetError, match="is not there; it has the columns queue,"):
        read_staffing_targets(tmp_path / FILE_NAME)
    (tmp_path / FILE_NAME).write_bytes("队列".encode("gb18030"))
    with pytest.raises(StaffingTargetError, match="save it as UTF-8"):
        read_staffing_targets(tmp_path / FILE_NAME)


# -- the commands ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def snapshot(demo_home: Path) -> Iterator[Snapshot]:
    with closing(SnapshotStore(demo_home / "serving")) as store:
        yield store.current()


def asked(home: Path, *arguments: str) -> dict[str, Any]:
    done = csatlas(home, *arguments, "--from", FIRST, "--to", LAST, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_staffing_takes_its_targets_from_the_file_and_says_so(demo_home: Path, snapshot: Snapshot) -> None:
    found = asked(demo_home, "staffing", "gd_hotline", "--each")
    assert found["targets"] == {
        "service_level": 0.8, "within_seconds": 20.0, "definition": "abandons_bad", "model": "erlang_a", "shrinkage": 0.3,
    }  # fmt: skip
    assert found["targets_from"] == {"file": f"seeds/{FILE_NAME}", "line": 2, "queue": "*", "given": []}
    half_hours = queues.queue_half_hours(
        snapshot, "gd_hotline", date.fromisoformat(FIRST), date.fromisoformat(LAST), within_seconds=20
    )
    expected = staffing.staff_queue(half_hours, "gd_hotline", service_level=0.8, target_seconds=20, shrinkage=0.3)
    assert [row["required_heads"] for row in found["rows"]] == expected["required_heads"].to_list()
    assert any(row["required_heads"] and row["required_heads"] > row["required_agents"] for row in found["rows"])
    table = csatlas(demo_home, "staffing", "gd_hotline", "--from", FIRST, "--to", LAST)
    assert f"targets: seeds/{FILE_NAME}, line 2 (*)" in table.stdout
    assert "80.0% within 20 s (abandons_bad), erlang_a, shrinkage 30%" in table.stdout


def test_an_option_wins_over_the_file_and_is_named(demo_home: Path) -> None:
    options = ("--service-level", "0.9", "--within", "10", "--model", "erlang_c", "--definition", "answered_only")
    found = asked(demo_home, "staffing", "gd_hotline", *options)
    assert found["targets"] == {
        "service_level": 0.9, "within_seconds": 10.0, "definition": "answered_only", "model": "erlang_c", "shrinkage": 0.3,
    }  # fmt: skip
    assert found["targets_from"]["given"] == ["definition", "model", "service_level", "within_seconds"]
    refused = csatlas(demo_home, "staffing", "gd_hotline", "--from", FIRST, "--to", LAST, "--model", "erlang_x")
    assert refused.returncode == 2 and "model: 'erlang_x' is none of erlang_a, erlang_b, erlang_c" in refused.stderr


@pytest.mark.parametrize("within", [0, 20, 300])
def test_what_was_in_time_is_counted_at_the_wait_that_is_planned_for(snapshot: Snapshot, within: int) -> None:
    half_hours = queues.queue_half_hours(
        snapshot, "gd_hotline", date.fromisoformat(FIRST), date.fromisoformat(LAST), within_seconds=within
    )
    (legs,) = snapshot.rows(
        "select count(*) filter (where outcome = 'answered') as answered, count(*) filter (where outcome = 'abandoned') as abandoned,"
        " count(*) filter (where outcome = 'answered' and wait_seconds <= ?) as answered_in_target,"
        " count(*) filter (where outcome = 'abandoned' and wait_seconds <= ?) as abandoned_in_target"
        " from fct_call_legs where queue = 'gd_hotline' and is_in_base and began_on between ? and ?",
        [within, within, FIRST, LAST],
    )
    assert legs["answered"] > 100
    assert half_hours.select(*legs).sum().row(0, named=True) == legs


def test_waits_are_those_of_the_stays_in_the_queue(demo_home: Path, snapshot: Snapshot) -> None:
    stays = queues.queue_waits(
        snapshot, "gd_hotline", date.fromisoformat(FIRST), date.fromisoformat(LAST), by="customer_kind", time_zone="UTC"
    )
    assert stays.time_zone == "Asia/Shanghai"
    rows = snapshot.rows(
        "select outcome, count(*) as n, sum(wait_seconds) as waited from fct_call_legs where queue = 'gd_hotline' and is_in_base"
        " and began_on between ? and ? group by all",
        [FIRST, LAST],
    )
    assert stays.unknown == 0 and {row["outcome"] for row in rows} == {"answered", "abandoned", "flow_out"}
    answered = stays.calls.filter(pl.col("answered_at").is_not_null())
    assert answered.height == sum(row["n"] for row in rows if row["outcome"] == "answered")
    # Who flowed out left unanswered: nobody knows how long they would have waited.
    assert stays.calls.height - answered.height == sum(row["n"] for row in rows if row["outcome"] != "answered")
    waited = pl.coalesce("answered_at", "abandoned_at") - pl.col("queued_at")
    assert stays.calls.select(waited.dt.total_seconds().sum()).item() == sum(row["waited"] for row in rows)

    found = asked(demo_home, "waits", "gd_hotline", "--quantile", "0.5")
    assert found["calls"] == stays.calls.height and found["time_zone"] == "Asia/Shanghai"
    told = waits.announce(stays.calls, quantile=0.5)
    own = waits.exchange_announcements(stays.calls)
    assert own["announced_seconds"].count() > 0
    expected = waits.score(pl.concat([told, own]), quantile=0.5, by="all").drop("hour").to_dicts()
    assert found["classes"] == [pytest.approx(row) for row in expected]
    assert {row["estimator"] for row in found["hours"]} == {*waits.ESTIMATORS, "exchange"}
    assert {row["caller_class"] for row in found["classes"]} >= {"person", "enterprise"}


def test_waits_in_words(demo_home: Path) -> None:
    done = csatlas(demo_home, "waits", "gd_hotline", "--from", FIRST, "--to", LAST, "--by", "product_line")
    assert done.returncode == 0, done.stderr
    assert "90% to wait no longer than announced" in done.stdout
    assert "by hour (Asia/Shanghai)" in done.stdout and "fairness" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere",), "There is no queue 'nowhere'; calls entered"),
        (("gd_hotline", "--by", "agent_id"), "--by 'agent_id'; use one of customer_kind"),
        (("gd_hotline", "--quantile", "90"), "quantile: 90 is not between 0 and 1"),
        (("gd_hotline", "--estimator", "guess"), "--estimator 'guess'; there are queue_length"),
        (("gd_hotline", "--source", "nobody"), "No call entered gd_hotline"),
    ],
)
def test_a_question_about_waits_that_makes_no_sense(demo_home: Path, arguments: tuple[str, ...], message: str) -> None:
    done = csatlas(demo_home, "waits", *arguments, "--from", FIRST, "--to", LAST)
    assert done.returncode == 2 and message in done.stderr, done.stderr
