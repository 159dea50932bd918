"""The gate before publication: tests, accounting, sources that must have arrived.

Belongs here: the decision and its reasons in words. Does not belong here: running the tests.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb

from orchestration.settings import Settings


@dataclass(frozen=True)
class Verdict:
    """Whether a new snapshot may be published.

    Attributes:
        reasons: why not, one sentence each; empty when it may.
        stale: sources that are late but not required, one sentence each: published with a mark.
        test_results: every dbt test and model that failed or passed, for the snapshot.
    """

    reasons: tuple[str, ...]
    stale: tuple[str, ...]
    test_results: tuple[dict[str, Any], ...]

    @property
    def is_open(self) -> bool:
        return not self.reasons


_EXPECTED = ("model", "seed", "test", "unit_test")
_NAMED = 5


def _severity(node: Mapping[str, Any]) -> str:
    return str((node.get("config") or {}).get("severity", "error")).lower()


def _test_results(nodes: Mapping[str, Any], results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for result in results:
        node = nodes.get(result["unique_id"])
        if node is None or node["resource_type"] not in ("test", "unit_test"):
            continue
        found.append(
            {
                "name": node["name"],
                "status": result["status"],
                "severity": _severity(node),
                "failures": result.get("failures") or 0,
                "message": result.get("message"),
            }
        )
    return sorted(found, key=lambda row: (row["status"] == "pass", row["name"]))


def _without_result(nodes: Mapping[str, Any], results: Sequence[Mapping[str, Any]]) -> list[str]:
    """Reasons for models, seeds and error-severity tests that the build says nothing about: it did not reach its end, or
    built a selection only. What was not tested is not published."""
    told = {result["unique_id"] for result in results}
    missing: dict[str, list[str]] = {}
    for unique_id, node in nodes.items():
        kind = node["resource_type"]
        if kind not in _EXPECTED or node["config"].get("materialized") == "ephemeral" or unique_id in told:
            continue
        if kind in ("test", "unit_test") and _severity(node) != "error":
            continue
        missing.setdefault(kind.replace("_", " "), []).append(node["name"])
    return [
        f"no result of {len(names)} {kind}s ({', '.join(sorted(names)[:_NAMED])}{', …' if len(names) > _NAMED else ''}): the build did not reach them"
        for kind, names in sorted(missing.items())
    ]


def judge(settings: Settings, now: datetime | None = None, *, hold_for_late: bool = True) -> Verdict:
    """Judge the warehouse after a build.

    Args:
        now: the moment (UTC) against which lateness is measured; default: now.
        hold_for_late: whether a required source that is late is a reason; if not, it is told as stale like the others.
    """
    moment = (now or datetime.now(UTC)).replace(tzinfo=None)
    nodes = json.loads((settings.dbt_target / "manifest.json").read_text(encoding="utf-8"))["nodes"]
    results = json.loads((settings.dbt_target / "run_results.json").read_text(encoding="utf-8"))["results"]
    tests = _test_results(nodes, results)
    reasons = _without_result(nodes, results)
    skipped: list[str] = []
    for result in results:
        name = result["unique_id"].split(".")[2]
        if result["unique_id"].startswith("test."):
            continue
        if result["status"] == "error":
            reasons.append(f"{result['unique_id'].split('.')[0]} {name} error: {result.get('message') or 'no message'}")
        elif result["status"] == "skipped":
            skipped.append(name)
    for row in tests:
        if row["severity"] == "error" and row["status"] in ("fail", "error"):
            reasons.append(f"test {row['name']} {row['status']}: {row['message'] or 'no message'}")
        elif row["severity"] == "error" and row["status"] == "skipped":
            skipped.append(row["name"])
    if skipped:  # the failures that come first say what to mend
        shown = ", ".join(skipped[:_NAMED]) + (", …" if len(skipped) > _NAMED else "")
        reasons.append(f"{len(skipped)} models and tests skipped, because something above them failed ({shown})")
    stale: list[str] = []
    if not reasons:
        with duckdb.connect(str(settings.warehouse_path), read_only=True) as warehouse:
            late = warehouse.execute(
                "select source, is_required, last_loaded_at, expected_every_seconds from marts.dim_sources order by source"
            ).fetchall()
        for source, is_required, last_loaded_at, expected in late:
            age = None if last_loaded_at is None else (moment - last_loaded_at).total_seconds()
            if age is not None and age <= expected:
                continue
            words = (
                "never delivered anything"
                if age is None
                else f"delivered last {age / 3600:.0f} hours ago (expected every {expected / 3600:.0f})"
            )
            (reasons if is_required and hold_for_late else stale).append(f"source {source} {words}")
    return Verdict(tuple(reasons), tuple(stale), tuple(tests))
