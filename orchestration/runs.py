"""Records of refreshes: one JSON file a run below `runs/`, and what a run tells while it goes on.

Belongs here: what a scheduler wants to know of a run afterwards, and the listener that shows it meanwhile.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from orchestration.settings import Settings
from orchestration.sources.rawstore import private_folder

STAGES = ("load", "build", "gate", "snapshot", "publish", "done")
"""Stages of a refresh in their order; the run record names the one a run is in, so that a killed run says how far it came."""

_KEPT = 400
_listener: Callable[[str], None] | None = None


def listen(listener: Callable[[str], None] | None) -> None:
    """Give the function that is told what a run in this process is doing (None: nobody)."""
    global _listener
    _listener = listener


def tell(message: str) -> None:
    """Say what the run is doing now."""
    if _listener is not None:
        _listener(message)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")


class RunRecord:
    """The record of one run, rewritten at each stage."""

    def __init__(self, settings: Settings, run_id: str) -> None:
        self.settings = settings
        self.path = settings.runs / f"{run_id}.json"
        self.facts: dict[str, Any] = (
            json.loads(self.path.read_text())
            if self.path.exists()
            else {"run_id": run_id, "started_at": _now(), "outcome": "running"}
        )

    def update(self, **facts: object) -> None:
        """Add facts and write the record."""
        self.facts.update(facts)
        private_folder(self.settings.runs)
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps(self.facts, ensure_ascii=False, indent=1, default=str), encoding="utf-8")
        os.replace(fresh, self.path)

    def stage(self, name: str) -> None:
        """The run enters a stage of `STAGES`."""
        stages = self.facts.setdefault("stages", {})
        stages[name] = _now()
        self.update(stage=name)

    def so_far(self) -> dict[str, object]:
        """End and length of the run if it ended now."""
        started = datetime.strptime(self.facts["started_at"], "%Y-%m-%d %H:%M:%S")
        seconds = (datetime.now(UTC).replace(tzinfo=None) - started).total_seconds()
        return {"ended_at": _now(), "seconds": round(seconds, 1)}

    def finish(self, outcome: str, message: str | None = None) -> None:
        """The run is over: published, failed or held."""
        self.update(outcome=outcome, message=message, **self.so_far())
        for old in sorted(self.settings.runs.glob("*.json"), key=lambda path: path.stat().st_mtime)[:-_KEPT]:
            old.unlink()


def recent_runs(settings: Settings, limit: int = 30) -> list[dict[str, Any]]:
    """Records of the newest runs, newest first."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in settings.runs.glob("*.json")]
    return sorted(found, key=lambda record: str(record["started_at"]), reverse=True)[:limit]
