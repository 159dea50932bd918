"""`python -m tests.bench complaints [--home HOME] [--copies N]`: the complaint models over N copies of a refreshed home's tickets.

Belongs here: how long the models take at a size that no test has, and their peak memory. Each ticket, event and customer of the home is there N times, each copy with
a customer of its own; the models are dbt's own, compiled for a full build, on two threads and 6 GB. The home itself is not changed.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb

from orchestration import warehouse
from orchestration.settings import Settings

MODELS = {
    "int_complaint_signs": "intermediate", "fct_complaint_contacts": "marts", "fct_complaints": "marts", "fct_complaint_stages": "marts",
    "fct_complainants": "marts", "fct_complaint_rates": "marts",
}  # fmt: skip
COPIED = {
    "intermediate.int_tickets": "ticket_id || '.' || i as ticket_id",
    "intermediate.int_ticket_events": "ticket_id || '.' || i as ticket_id",
    "intermediate.int_ticket_timeline": "ticket_id || '.' || i as ticket_id",
    "intermediate.int_ticket_facts": "ticket_id || '.' || i as ticket_id, merged_into_ticket_id || '.' || i as merged_into_ticket_id, customer_id || '.' || i as customer_id",
    "marts.dim_customer_links": "customer_id || '.' || i as customer_id, customer_key || '.' || i as customer_key",
}


def compiled(settings: Settings) -> dict[str, str]:
    """The SQL of each model for a full build.

    Raises:
        SystemExit: dbt cannot compile them.
    """
    done = subprocess.run(
        [str(warehouse.DBT_EXECUTABLE), "--quiet", "compile", "--full-refresh", "--select", *MODELS, *warehouse.dbt_flags(settings)],
        env=warehouse.dbt_environment(settings), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stdout[-3000:] + done.stderr[-3000:])
    folder = settings.dbt_target / "compiled" / "csatlas" / "models"
    return {
        name: (folder / schema / "complaints" / f"{name}.sql").read_text(encoding="utf-8")
        for name, schema in MODELS.items()
    }


def measure_complaints(home: Path, copies: int) -> dict[str, Any]:
    """Tickets and cases, seconds of each model, and peak memory."""
    settings = Settings(home=home)
    models = compiled(settings)
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        shutil.copy(settings.warehouse_path, Path(folder) / "warehouse.duckdb")
        for setting in ("timezone = 'UTC'", "threads = 2", "memory_limit = '6GB'", f"temp_directory = '{folder}/tmp'"):
            connection.execute(f"set {setting}")
        connection.execute(f"attach '{folder}/warehouse.duckdb' as warehouse")
        connection.execute(f"attach '{settings.raw_path}' as raw (read_only)")
        connection.execute("use warehouse.marts")
        for table, replaced in COPIED.items():
            connection.execute(
                f"create table warehouse.main.copied as select * replace ({replaced}) from warehouse.{table}, range({copies}) as r (i)"
            )
            kind = connection.execute(
                "select table_type from information_schema.tables where table_catalog = 'warehouse' and table_schema = ? and table_name = ?",
                table.split("."),
            ).fetchone()
            connection.execute(f"drop {'view' if kind and kind[0] == 'VIEW' else 'table'} warehouse.{table}")
            connection.execute(f"create table warehouse.{table} as from warehouse.main.copied")
            connection.execute("drop table warehouse.main.copied")
        seconds: dict[str, float] = {}
        for name, sql in models.items():
            started = time.monotonic()
            connection.execute(f"create or replace table warehouse.{MODELS[name]}.{name} as {sql}")
            seconds[name] = round(time.monotonic() - started, 1)
        (tickets,) = connection.execute("select count(*) from warehouse.intermediate.int_ticket_facts").fetchone() or (
            0,
        )
        (cases,) = connection.execute("select count(*) from warehouse.marts.fct_complaints").fetchone() or (0,)
    if not cases:
        raise SystemExit(f"{home} has no complaints")
    return {
        "tickets": tickets,
        "cases": cases,
        "seconds": seconds,
        "seconds_together": round(sum(seconds.values()), 1),
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
