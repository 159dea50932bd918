"""What loyalty, early warnings and silent complaints cost on many customers: `python -m tests.bench.loyalty [--customers N]`.

Belongs here: stand-ins for what stands above these models (contracts, 12 charges, 2.2 answers, one ticket and six contacts a customer; two years), made in DuckDB, and the
real models built on them by dbt. Does not belong here: loading, and the models above, which have measurements of their own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb

from orchestration import warehouse
from orchestration.settings import Settings

MODELS = (
    "ftr_customer_quarters", "fct_customer_loyalty", "fct_loyalty_moves", "fct_loyalty_dwell", "fct_stated_retention", "fct_silent_complaints",
    "fct_early_warnings", "fct_warning_effects", "ftr_loyalty_lags", "score_loyalty_effects", "fct_loyalty_effects",
)  # fmt: skip
_DAY = "date '2025-01-01' + cast(hash(i, {salt}) % 720 as integer)"


def _day(salt: int) -> str:
    return _DAY.format(salt=salt)


def write_stand_ins(path: Path, customers: int) -> None:
    """Put the tables that the models read into a warehouse file, the same each time."""
    key = f"md5(cast(i % {customers} as varchar))"
    tables = {
        "marts.dim_customers": f"select md5(cast(i as varchar)) as customer_key, case i % 5 when 0 then 'enterprise' when 1 then 'household' else 'person' end as customer_kind, 'C' || (i % 24) as org_unit_id, date '2015-01-01' + cast(i % 3600 as integer) as customer_since, false as is_gone from range({customers}) as r (i)",
        "marts.dim_customer_links": f"select 'billing' as source, 'B' || i as customer_id, md5(cast(i as varchar)) as customer_key from range({customers}) as r (i)",
        "marts.dim_org_units": "select 'C' || i as org_unit_id, 'Asia/Shanghai' as time_zone from range(24) as r (i)",
        "features.ftr_contract_spells": f"""
            select 'billing' as source, 'S' || i as subscription_id, 'A' || i as account_id, {key} as holder_key, {key} as customer_key, 'C1' as org_unit_id, 'person' as customer_kind,
                case when i < {customers} then 'mobile' else ['fixed', 'broadband'][1 + i % 2] end as product_line, cast(null as varchar) as end_reason, [0, 12, 24][1 + i % 3] as contract_months,
                cast(50 + i % 100 as decimal(18, 2)) as monthly_fee, false as is_other_currency, began as line_began_on, date '2015-01-01' + cast(i % {customers} % 3600 as integer) as holder_began_on,
                began as started_on, ended as last_on, ended as counted_until, date '2026-12-21' as known_until, date '2025-01-01' as observed_from
            from (select i, date '2015-01-01' + cast(i % {customers} % 3600 as integer) as began,
                case when i % {customers} % 11 = 0 then greatest({_day(1)}, date '2015-01-01' + cast(i % {customers} % 3600 as integer)) else date '9999-12-31' end as ended
                from range({customers * 3 // 2}) as r (i))""",
        "intermediate.int_transactions": f"select 'billing' as source, cast(null as varchar) as customer_source, 'B' || (i % {customers}) as customer_id, 'charge' as transaction_kind, cast(50 as decimal(18, 2)) as amount, date '2025-01-10' + cast(30 * (i // {customers}) + i % 20 as integer) as due_on, date '2025-01-10' + cast(30 * (i // {customers}) + i % 20 + i % 7 - 4 as integer) as paid_on, 'used' as _status from range({customers * 12}) as r (i)",
        "marts.fct_survey_answers": f"""
            select 'surveys' as source, 'R' || (i // 4) as response_id, 'Q' || i % 4 as question_id, 'NPS01' as survey_id, md5(cast(hash(i // 4) % {customers} as varchar)) as customer_key, 'C1' as org_unit_id,
                'person' as customer_kind, 'mobile' as product_line, '2026' as wave, ['nps', 'other', 'other', 'csat'][1 + i % 4] as question_role, [null, 'repurchase', 'trust', null][1 + i % 4] as construct,
                cast(hash(i) % 5 * 25 as double) as score_100, true as is_valid, i % 4 = 3 as is_csat, cast(date '2025-01-01' + cast(hash(i // 4, 3) % 720 as integer) as timestamp) as responded_at,
                date '2025-01-01' + cast(hash(i // 4, 3) % 720 as integer) as responded_on
            from range({customers * 11 // 5}) as r (i)""",
        "marts.fct_survey_responses": f"select md5(cast(hash(i) % {customers} as varchar)) as customer_key, date '2025-01-01' + cast(hash(i, 3) % 720 as integer) as responded_on from range({customers * 11 // 20}) as r (i)",
        "marts.fct_comment_topics": f"select 'surveys' as source, 'R' || i as response_id, ['attitude', 'price', 'not_solved'][1 + i % 3] as comment_topic, md5(cast(hash(i) % {customers} as varchar)) as customer_key, 1 as csat_answers, cast(hash(i, 5) % 5 * 25 as double) as csat_score_sum, 0 as nps_answers, 0 as nps_detractors, cast({_day(3)} as timestamp) as responded_at, {_day(3)} as responded_on from range({customers // 20}) as r (i)",
        "marts.fct_tickets": f"""
            select 'zendesk' as source, 'T' || i as ticket_id, md5(cast(hash(i, 7) % {customers} as varchar)) as customer_key, 'C' || (i % 24) as org_unit_id, 'person' as customer_kind, 'phone' as channel,
                ['bill_dispute', 'mobile_signal', 'staff_attitude', 'other', 'refund'][1 + i % 5] as topic, 'mobile' as product_line, case when i % 5 < 3 then 'complaint' else 'request' end as ticket_kind, true as is_in_base,
                i % 5 < 3 as is_complaint, 3 as event_count, cast({_day(8)} as timestamp) as created_at, {_day(8)} as created_on,
                cast({_day(8)} as timestamp) + to_hours(cast(hash(i, 9) % 80 as integer)) as first_public_reply_at
            from range({customers}) as r (i)""",
        "intermediate.int_ticket_horizons": "select 'zendesk' as source, timestamp '2026-12-21 10:00:00' as known_until, true as is_current",
        "intermediate.int_commitments": f"select 'crm' as source, cast(null as varchar) as customer_source, 'W' || i as commitment_id, 'callback' as commitment_kind, 'complaint' as purpose, 'ticket' as about_kind, 'T' || (i * 3) as about_id, cast(null as varchar) as customer_id, cast({_day(8)} as timestamp) as made_at, cast(date '2025-01-01' + cast(hash(i * 3, 8) % 720 as integer) + 2 as timestamp) as done_at, 'solved' as result, 'used' as _status from range({customers // 3}) as r (i)",
        "intermediate.int_contact_chain": f"select md5(cast(hash(i, 11) % {customers} as varchar)) as customer_key, cast({_day(12)} as timestamp) as started_at, 'call:' || i as contact_id, 'asterisk' as source from range({customers * 6}) as r (i)",
        "marts.fct_quality_reviews": f"select 'crm' as source, 'V' || i as review_id, 'attitude' as item, 'call' as contact_kind, cast(i * 7 as varchar) as contact_id, cast(hash(i) % 20 / 20.0 as double) as score_share, false as is_fatal, false as is_orphan_contact, true as is_in_base, cast({_day(12)} as timestamp) as reviewed_at, {_day(12)} as reviewed_on from range({customers // 20}) as r (i)",
    }  # fmt: skip
    with duckdb.connect(str(path)) as connection:
        for schema in ("marts", "features", "intermediate", "scores", "seeds"):
            connection.execute(f"create schema if not exists {schema}")
        for name, query in tables.items():
            connection.execute(f"create or replace table {name} as {query}")


def measure_loyalty(home: Path, customers: int) -> dict[str, Any]:
    """Seconds and memory of building the models, by model, without their tests."""
    settings = Settings(home=home)
    settings.raw_path.parent.mkdir(parents=True, exist_ok=True)
    duckdb.connect(str(settings.raw_path)).close()
    started = time.monotonic()
    write_stand_ins(settings.warehouse_path, customers)
    making = time.monotonic() - started

    def dbt(*arguments: str) -> tuple[dict[str, Any], int]:
        process = subprocess.Popen(
            warehouse.dbt_command("--quiet", "--log-level-file", "none", *arguments, *warehouse.dbt_flags(settings)),
            env=warehouse.dbt_environment(settings),
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise SystemExit(f"dbt {' '.join(arguments)} failed")
        return json.loads((settings.dbt_target / "run_results.json").read_text(encoding="utf-8")), usage.ru_maxrss

    dbt("seed")
    results, peak = dbt("run", "--select", *MODELS)
    return {
        "customers": customers,
        "making_seconds": round(making, 1),
        "seconds": round(results["elapsed_time"], 1),
        "peak_megabytes": peak // 1024,
        "by_model": {
            result["unique_id"].split(".")[2]: round(float(result["execution_time"]), 1)
            for result in results["results"]
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=5_000_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench_loyalty_") as folder:
        print(json.dumps(measure_loyalty(Path(folder) / "home", arguments.customers), indent=2))


if __name__ == "__main__":
    main()
