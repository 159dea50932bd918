"""`python -m tests.bench contacts --home HOME`: what the marts of contacts cost, whole and for one new day.

Belongs here: the models below `intermediate/contacts` and `marts/contacts`, with what stands above them already built, against one bare
`group by` over the same call steps in the same run. HOME is a home of the built-in company with one refresh behind it; it gets one
day more.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb

from orchestration import warehouse
from orchestration.settings import Settings
from orchestration.sources.declarations import load_declarations
from orchestration.sources.files import load_inbox

CONTACTS = ("path:models/intermediate/contacts", "path:models/marts/contacts")
CSATLAS = Path(sys.executable).with_name("csatlas")


def _group_by(settings: Settings) -> tuple[float, int]:
    """Seconds of one bare aggregation of all call steps by call, and how many steps there are."""
    config = {"threads": settings.threads, "memory_limit": settings.memory_limit}
    with duckdb.connect(str(settings.warehouse_path), read_only=True, config=config) as connection:
        started = time.monotonic()
        row = connection.execute(
            "select count(*), sum(steps) from (select call_id, count(*) as steps, min(occurred_at), max(occurred_at)"
            " from intermediate.int_call_events group by call_id)"
        ).fetchone()
        assert row is not None
        return time.monotonic() - started, int(row[1])


def _dbt(settings: Settings, *arguments: str) -> dict[str, Any]:
    """Run dbt: its own seconds from its first model to its last, and the peak memory of the process in MB."""
    process = subprocess.Popen(
        warehouse.dbt_command("--quiet", "--log-level-file", "none", *arguments, *warehouse.dbt_flags(settings)),
        env=warehouse.dbt_environment(settings),
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"dbt {' '.join(arguments)} failed")
    results = json.loads((settings.dbt_target / "run_results.json").read_text(encoding="utf-8"))
    return {
        "models": len(results["results"]),
        "seconds": round(results["elapsed_time"], 1),
        "peak_megabytes": usage.ru_maxrss // 1024,
    }


def measure_contacts(home: Path) -> dict[str, Any]:
    """Full and one-day build of the contact marts, in seconds and as ratios."""
    settings = Settings(home=home)
    baseline, steps = _group_by(settings)
    full = _dbt(settings, "run", "--full-refresh", "--select", *CONTACTS)
    again = _dbt(settings, "run", "--select", *CONTACTS)
    subprocess.run(
        [str(CSATLAS), "demo", "--next-day"],
        env={**os.environ, "CSATLAS_HOME": str(home)},
        check=True,
        capture_output=True,
    )
    loaded = load_inbox(settings, load_declarations(warehouse.enabled_sources(settings)), "bench-contacts")
    _dbt(settings, "run", "--exclude", *CONTACTS)
    day = _dbt(settings, "run", "--select", *CONTACTS)
    return {
        "call_steps": steps,
        "group_by_seconds": round(baseline, 2),
        "full": full,
        "nothing_new": again,
        "one_day": {**day, "rows_loaded": loaded.rows},
        "full_to_group_by": round(full["seconds"] / baseline, 1),
        "one_day_to_full": round(day["seconds"] / full["seconds"], 3),
    }
