"""`python -m tests.bench churn [--customers N] [--transactions N]`: what departures, months, cohorts, survival and hazards cost.

Belongs here: a company of so many customers, two contracts each, with its charges and complaints, laid straight into the tables that the feeds and the identity would have
made (loading has its own measurement), and the real models above them. In fifteen observed months about one contract in six ends; one customer in five complained.
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
    "ftr_contract_spells", "ftr_line_stretches", "ftr_departures", "ftr_churn_evidence", "ftr_survival_spells", "score_survival_curves", "score_churn_hazards",
    "fct_churn_events", "fct_customer_months", "fct_retention_months", "fct_cohort_months", "fct_survival_curves", "fct_churn_hazards",
)  # fmt: skip


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
        "peak_megabytes": usage.ru_maxrss // 1024,
        "slowest": {name: round(took[name], 1) for name in sorted(took, key=lambda name: -took[name])[:13]},
    }


def fill_company(path: Path, customers: int, transactions: int) -> None:
    """Put customers, contracts, charges and complaints into a warehouse whose tables are there and empty.

    Args:
        path: the warehouse.
        customers: customers in 24 units of 6 provinces, with two contracts each that began in the ten years up to the last day, 2026-03-31.
        transactions: charges of the fifteen months from 2025 on; one in thirty is paid late and one in fifty never.
    """
    with duckdb.connect(str(path)) as connection:
        connection.execute("set preserve_insertion_order = false")
        connection.execute(
            "insert into marts.dim_org_units by name select concat('C', n) as org_unit_id, concat('C', n) as unit_name, concat('C', n) as unit_name_en, 'city' as unit_level,"
            " concat('P', n % 6) as province_id, concat('/C', n, '/') as path, 0 as depth, false as is_in_a_cycle, false as is_orphan from range(24) as r(n)"
        )
        connection.execute(
            "insert into marts.dim_customers by name select md5(cast(n as varchar)) as customer_key, concat('C', n % 24) as org_unit_id,"
            " case when n % 100 < 85 then 'person' when n % 100 < 97 then 'household' else 'enterprise' end as customer_kind,"
            f" 1 as member_count, 1 as source_count, false as is_gone from range({customers}) as r(n)"
        )
        connection.execute(
            "insert into marts.dim_customer_links by name select 'billing' as source, concat('K', n) as customer_id, md5(cast(n as varchar)) as customer_key,"
            f" 'alone' as link_method, 1.0 as confidence from range({customers}) as r(n)"
        )
        connection.execute(
            "insert into intermediate.int_subscriptions by name with rows as ("
            f" select n, n % {customers} as who, hash(n) as h, date '2016-04-01' + cast(hash(n + 7) % 3640 as integer) as started_on from range({2 * customers}) as r(n)),"
            " ends as (select rows.*, greatest(date '2025-01-01', started_on) + cast(hash(n + 13) % 2700 as integer) as ends_on from rows)"
            " select 'billing' as source, concat('S', n) as subscription_id, concat('D', who) as account_id, concat('K', who) as customer_id,"
            " case h % 3 when 0 then 'mobile' when 1 then 'broadband' else 'fixed' end as product_line, started_on,"
            " case when ends_on <= date '2026-03-31' then ends_on end as ended_on,"
            " case when ends_on <= date '2026-03-31' then ['K01', 'K03', 'K05', 'K06', 'K09'][cast(h % 5 as integer) + 1] end as end_reason, 12 as contract_months,"
            " cast(30 + h % 170 as decimal(18, 2)) as monthly_fee, 'CNY' as currency, 'used' as _status, '20260331' as _delivery, started_on as _partition_date from ends"
        )
        connection.execute(
            f"insert into intermediate.int_transactions by name with rows as (select n, n % {customers} as who, hash(n) as h from range({transactions}) as r(n))"
            " select 'billing' as source, concat('T', n) as transaction_id, concat('K', who) as customer_id, 'charge' as transaction_kind,"
            " timestamp '2025-01-01 03:00:00' + to_seconds(cast(h % 39300000 as bigint)) as occurred_at, cast(occurred_at as date) + 19 as due_on,"
            " case when h % 50 = 0 then null when h % 30 = 0 then cast(occurred_at as date) + 40 else cast(occurred_at as date) + 12 end as paid_on,"
            " cast(30 + h % 170 as decimal(18, 2)) as amount, 'CNY' as currency, 'used' as _status, cast(occurred_at as date) as _partition_date from rows"
        )
        connection.execute(
            "insert into intermediate.int_ticket_facts by name with rows as ("
            f" select n, hash(n) % {customers} as who, hash(n + 3) as h from range({customers // 4}) as r(n))"
            " select 'billing' as source, concat('I', n) as ticket_id, concat('K', who) as customer_id, 'complaint' as ticket_kind, 'bill_dispute' as topic,"
            " timestamp '2025-01-01 03:00:00' + to_seconds(cast(h % 39300000 as bigint)) as created_at, created_at + interval '3 days' as last_solved_at,"
            " case when h % 2 = 0 then 'R01' end as resolution_code, true as is_in_base from rows"
        )


def measure_churn(folder: Path, customers: int, transactions: int) -> dict[str, Any]:
    """Seconds and memory of churn's features, scores and marts on so many customers and transactions, without their tests."""
    settings = Settings(home=folder / "home", sources=("billing", "zendesk"))
    settings.inbox.mkdir(parents=True)
    load_inbox(settings, load_declarations(["billing", "zendesk"]), "bench-churn")
    warehouse.plan_of(settings, full=True)
    above = [f"+{name}" for name in MEASURED]
    _dbt(settings, "build", "--exclude-resource-type", "test", "--full-refresh", "--select", *above, "--exclude", *MEASURED)  # fmt: skip
    started = time.monotonic()
    fill_company(settings.warehouse_path, customers, transactions)
    filling = time.monotonic() - started
    found = _dbt(settings, "run", "--select", *MEASURED)
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as connection:
        tables = (
            "marts.fct_churn_events",
            "marts.fct_customer_months",
            "marts.fct_retention_months",
            "features.ftr_survival_spells",
        )
        counted = {name: connection.execute(f"select count(*) from {name}").fetchone() for name in tables}
    return {
        "customers": customers,
        "transactions": transactions,
        "filling_seconds": round(filling, 1),
        "rows": {name: row[0] if row else None for name, row in counted.items()},
        "churn": found,
    }
