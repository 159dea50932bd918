"""The gate: what was not built or not tested is not published."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.serving import gate
from orchestration.settings import Settings


@pytest.fixture
def results(
    demo_settings: Settings, tmp_path: Path
) -> Callable[[Callable[[list[dict[str, Any]]], object]], gate.Verdict]:
    """Judge the demo company's warehouse with run results that were changed."""
    found = json.loads((demo_settings.dbt_target / "run_results.json").read_text(encoding="utf-8"))

    def judged(change: Callable[[list[dict[str, Any]]], object]) -> gate.Verdict:
        home = tmp_path / "home"
        (home / "dbt_target").mkdir(parents=True)
        changed = change(found["results"])
        written = {**found, "results": found["results"] if changed is None else changed}
        (home / "dbt_target" / "run_results.json").write_text(json.dumps(written), encoding="utf-8")
        (home / "dbt_target" / "manifest.json").symlink_to(demo_settings.dbt_target / "manifest.json")
        (home / "warehouse.duckdb").symlink_to(demo_settings.warehouse_path)
        return gate.judge(Settings(home=home))

    return judged


def set_status(results: list[dict[str, Any]], kind: str, name: str, status: str, message: str) -> None:
    entry = next(r for r in results if r["unique_id"].startswith(f"{kind}.csatlas.{name}"))
    entry.update(status=status, message=message, failures=3)


def test_a_whole_build_is_published(results: Callable[..., gate.Verdict]) -> None:
    verdict = results(lambda found: None)
    assert verdict.is_open, verdict.reasons
    assert len(verdict.test_results) >= 25


def test_a_build_that_stopped_half_way_is_not(results: Callable[..., gate.Verdict]) -> None:
    verdict = results(lambda found: found[:12])
    assert not verdict.is_open
    assert any("models (" in reason and "did not reach them" in reason for reason in verdict.reasons)
    assert any(" tests (" in reason for reason in verdict.reasons)


def test_a_build_without_its_tests_is_not(results: Callable[..., gate.Verdict]) -> None:
    verdict = results(lambda found: [entry for entry in found if not entry["unique_id"].startswith("test.")])
    assert not verdict.is_open and len(verdict.reasons) == 1
    assert re.fullmatch(r"no result of [0-9]{3} tests \(\w+(, \w+){4}, …\): .*", verdict.reasons[0])


def test_one_test_that_did_not_run_is_named(results: Callable[..., gate.Verdict]) -> None:
    verdict = results(
        lambda found: [entry for entry in found if "every_received_row_is_accounted_for" not in entry["unique_id"]]
    )
    assert verdict.reasons == (
        "no result of 1 tests (every_received_row_is_accounted_for): the build did not reach them",
    )


@pytest.mark.parametrize(
    ("kind", "name", "status", "words"),
    [
        ("test", "facts_equal_used_rows", "fail", "test facts_equal_used_rows fail: Got 3 results"),
        ("test", "facts_equal_used_rows", "error", "test facts_equal_used_rows error: Got 3 results"),
        ("model", "fct_calls", "error", "model fct_calls error: Got 3 results"),
        (
            "model",
            "fct_calls",
            "skipped",
            "1 models and tests skipped, because something above them failed (fct_calls)",
        ),
    ],
)
def test_a_failure_closes_the_gate(
    results: Callable[..., gate.Verdict], kind: str, name: str, status: str, words: str
) -> None:
    verdict = results(lambda found: set_status(found, kind, name, status, "Got 3 results"))
    assert verdict.reasons == (words,)
    assert not verdict.is_open


def late(tmp_path: Path, demo_settings: Settings, required: bool, last_loaded_at: datetime | None) -> gate.Verdict:
    """Judge a whole build of a warehouse with one source, 30 hours after midnight of 1 May."""
    home = tmp_path / "home"
    (home / "dbt_target").mkdir(parents=True)
    for name in ("run_results.json", "manifest.json"):
        (home / "dbt_target" / name).symlink_to(demo_settings.dbt_target / name)
    with duckdb.connect(str(home / "warehouse.duckdb")) as connection:
        connection.execute("create schema marts")
        connection.execute(
            "create table marts.dim_sources as select 'helpline' as source, ?::boolean as is_required,"
            " ?::timestamp as last_loaded_at, 86400 as expected_every_seconds",
            [required, last_loaded_at],
        )
    return gate.judge(Settings(home=home), now=datetime(2026, 5, 2, 6, tzinfo=UTC))


def test_a_required_source_that_is_late_holds_the_publication(tmp_path: Path, demo_settings: Settings) -> None:
    verdict = late(tmp_path, demo_settings, True, datetime(2026, 5, 1))
    assert verdict.reasons == ("source helpline delivered last 30 hours ago (expected every 24)",)
    assert not verdict.is_open


def test_another_source_that_is_late_is_published_with_a_mark(tmp_path: Path, demo_settings: Settings) -> None:
    verdict = late(tmp_path, demo_settings, False, None)
    assert verdict.is_open
    assert verdict.stale == ("source helpline never delivered anything",)


def test_a_source_in_time_is_neither(tmp_path: Path, demo_settings: Settings) -> None:
    verdict = late(tmp_path, demo_settings, True, datetime(2026, 5, 1, 7))
    assert verdict.is_open and verdict.stale == ()
