"""`python -m tests.bench tiers [--customers N] [--transactions N]`: what money by month, tiers and their marts cost.

Belongs here: a company of so many customers and transactions, laid straight into the tables that the feeds and the identity would have made (loading
has its own measurement), and the real models above them. Twelve months of charges, payments and a few returns; nobody calls.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import duckdb

from orchestration import warehouse
from orchestration.settings import Settings
from orchestration.sources.declarations import load_declarations
from orchestration.sources.files import load_inbox

MEASURED = (
    "path:models/intermediate/customers", "fct_customer_tiers", "fct_tier_movements", "fct_tier_lines", "fct_money_concentration", "fct_lorenz_points",
    "fct_money_left_out",
)  # fmt: skip
SEEDS = ("exchange_rates", "service_costs", "tier_schemes", "service_thresholds")


def _dbt(settings: Settings, *arguments: str) -> dict[str, Any]:
    process = subprocess.Popen(
        warehouse.dbt_command("--quiet", "--log-level-file", "none", *arguments, *warehouse.dbt_flags(settings)),
        env=warehouse.dbt_environment(settings),
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"dbt {' '.join(arguments)} failed")
    results = json.loads((settings.dbt_target / "run_results.json").read_text(encoding="utf-8"))
    took = {result["unique_id"].split(".")[2]: float(result["execution_time"]) for result in results["results"]}
    return {
        "seconds": round(results["elapsed_time"], 1),
        "processor_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_megabytes": usage.ru_maxrss // 1024,
        "slowest": {name: round(took[name], 1) for name in sorted(took, key=lambda name: -took[name])[:8]},
    }


def fill_company(path: Path, customers: int, transactions: int) -> None:
    """Put customers and their transactions into a warehouse whose tables are there and empty.

    Args:
        path: the warehouse.
        customers: customers, 85 % persons, 12 % households, 3 % enterprises.
        transactions: charges (two thirds), payments and one return in thirty charges, spread over customers and the year 2025.
    """
    with duckdb.connect(str(path)) as connection:
        connection.execute("set preserve_insertion_order = false")
        connection.execute(
            "insert into marts.dim_customers by name select md5(cast(n as varchar)) as customer_key,"
            " case when n % 100 < 85 then 'person' when n % 100 < 97 then 'household' else 'enterprise' end as customer_kind,"
            f" 1 as member_count, 1 as source_count, false as is_gone from range({customers}) as r(n)"
        )
        connection.execute(
            "insert into marts.dim_customer_links by name select 'billing' as source, concat('K', n) as customer_id, md5(cast(n as varchar)) as customer_key,"
            f" 'alone' as link_method, 1.0 as confidence from range({customers}) as r(n)"
        )
        connection.execute(
            "insert into intermediate.int_transactions by name with rows as ("
            f" select n, n % {customers} as who, hash(n) as h, hash(n % {customers}) as w from range({transactions}) as r(n))"
            " select 'billing' as source, concat('T', n) as transaction_id, concat('K', who) as customer_id,"
            " case when n % 3 = 2 then 'payment' when h % 30 = 0 then 'return' else 'charge' end as transaction_kind,"
            " timestamp '2025-01-01 03:00:00' + to_seconds(cast(h % 31449600 as bigint)) as occurred_at,"
            " cast((case when n % 3 <> 2 and h % 30 = 0 then -0.2 else 1 end) * (case when who % 100 >= 97 then 12 else 1 end)"
            " * (10 + exp(cast(w % 1000 as double) / 200) + cast(h % 1000 as double) / 100) as decimal(18, 2)) as amount,"
            " cast(case when n % 3 <> 2 then 8 + cast(h % 500 as double) / 100 end as decimal(18, 2)) as cost_amount,"
            " 'CNY' as currency, 'used' as _status, cast(occurred_at as date) as _partition_date from rows"
        )


def measure_tiers(folder: Path, customers: int, transactions: int) -> dict[str, Any]:
    """Seconds and memory of money by month, tiers and their marts on so many customers and transactions, without their tests."""
    settings = Settings(home=folder / "home", sources=("billing",))
    settings.inbox.mkdir(parents=True)
    load_inbox(settings, load_declarations(["billing"]), "bench-tiers")
    warehouse.plan_of(settings, full=True)
    above = [f"+{name}" for name in MEASURED]
    _dbt(
        settings,
        "build",
        "--exclude-resource-type",
        "test",
        "--full-refresh",
        "--select",
        *above,
        "--exclude",
        *MEASURED,
    )
    started = time.monotonic()
    fill_company(settings.warehouse_path, customers, transactions)
    filling = time.monotonic() - started
    _dbt(settings, "seed", "--select", *SEEDS)
    found = _dbt(settings, "run", "--select", *MEASURED)
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as connection:
        rows = {
            name: connection.execute(f"select count(*) from {name}").fetchone()
            for name in ("intermediate.int_customer_money_months", "marts.fct_customer_tiers")
        }
    return {
        "customers": customers,
        "transactions": transactions,
        "filling_seconds": round(filling, 1),
        "rows": {name: row[0] if row else None for name, row in rows.items()},
        "tiers": found,
    }
