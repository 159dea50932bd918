"""`python -m tests.bench arrears [--customers N]`: what the marts of arrears and retention cost on N customers with twelve transactions each.

Belongs here: files of a billing system, a retention desk and a CRM with as many customers, loaded and built by the real program. Six bills a customer; half of the
customers pay with the number of the charge, half without (oldest first); one in twenty is late, one in fifty stops paying. Beside it stands one bare `group by` of
account and month over the same transactions.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl

from orchestration import warehouse
from orchestration.settings import Settings
from orchestration.sources.declarations import load_declarations
from orchestration.sources.files import load_inbox
from tests.bench.satisfaction import _build

SOURCES = ("billing", "retention", "crm", "zendesk")
BILLS = 6
MARTS = (
    "fct_arrears_months", "fct_arrears_accounts", "fct_dunning_steps", "fct_arrears_stops", "fct_double_charges", "fct_bill_shocks", "fct_bill_months",
    "fct_retention_offers", "fct_retention_effects", "fct_keeping_and_winning", "fct_win_back_candidates", "fct_returns",
)  # fmt: skip
MEASURED = ("int_receivables", "int_bills", "int_customer_lifetimes", *MARTS)


def write_billing(home: Path, customers: int) -> None:
    """Put the files of `customers` parties with a contract, six bills and six payments each, their dunning and offers into a home's inbox."""
    rng = np.random.default_rng(20_260_401)
    billing, retention = home / "inbox" / "billing", home / "inbox" / "retention"
    billing.mkdir(parents=True)
    retention.mkdir()
    ids = pl.Series("n", np.arange(customers)).cast(pl.String).str.zfill(8)
    fee = rng.choice([39.0, 59.0, 99.0, 199.0], customers)
    pl.DataFrame(
        {"party_no": "B" + ids, "party_type": ["P"] * customers, "name": "甲" + ids, "email": "p" + ids + "@example.com", "unit_code": pl.Series(rng.integers(0, 24, customers)).cast(pl.String),
         "updated_at": ["2025-01-01 00:00:00"] * customers}
    ).write_csv(billing / "parties_20260701.csv", separator=";")  # fmt: skip
    left = rng.random(customers) < 0.05
    pl.DataFrame(
        {"subscription_no": "S" + ids, "account_no": "D" + ids, "party_no": "B" + ids, "product": ["MOB"] * customers, "start_date": ["01.01.2025"] * customers,
         "end_date": pl.Series(np.where(left, "15.05.2026", "")), "monthly_fee": pl.Series(fee).cast(pl.String).str.replace(".", ",", literal=True), "currency": ["CNY"] * customers}
    ).write_csv(billing / "subscriptions_20260701.csv", separator=";")  # fmt: skip
    stops_paying = np.where(rng.random(customers) < 0.02, rng.integers(0, BILLS, customers), BILLS)
    names_it = np.arange(customers) % 2 == 0
    first = np.datetime64("2026-01-01")
    for bill in range(BILLS):
        month = np.datetime64(f"2026-{bill + 1:02d}-01")
        use = np.round(np.where(rng.random(customers) < 0.01, fee * 4, fee + rng.random(customers) * 5), 2)
        numbers = f"F{bill}" + ids
        pl.DataFrame(
            {"charge_no": numbers, "account_no": "D" + ids, "party_no": "B" + ids, "subscription_no": "S" + ids, "product": ["MOB"] * customers, "charge_type": ["MONTHLY"] * customers,
             "amount": pl.Series(use).cast(pl.String), "cost": ["10"] * customers, "currency": ["CNY"] * customers, "charged_at": [f"{month} 03:00:00"] * customers,
             "due_date": [str(month + np.timedelta64(19, "D"))] * customers, "updated_at": [f"{month} 04:00:00"] * customers}
        ).write_parquet(billing / f"charges_2026{bill + 1:02d}28.parquet")  # fmt: skip
        days = np.where(
            rng.random(customers) < 0.05, rng.integers(22, 60, customers), rng.integers(3, 19, customers)
        ).astype("timedelta64[D]")
        paid = pl.Series(np.minimum(month + days, np.datetime64("2026-06-30")))
        pays = pl.Series(bill < stops_paying)
        pl.DataFrame(
            {"payment_no": f"Z{bill}" + ids, "account_no": "D" + ids, "party_no": "B" + ids, "charge_no": numbers.zip_with(pl.Series(names_it), pl.Series([""] * customers)),
             "amount": pl.Series(use).cast(pl.String).str.replace(".", ",", literal=True), "currency": ["CNY"] * customers, "paid_at": paid.dt.strftime("%d.%m.%Y") + " 12:00:00"}
        ).filter(pays).write_csv(billing / f"payments_2026{bill + 1:02d}28.csv", separator=";")  # fmt: skip
    dunned = np.flatnonzero(stops_paying < BILLS)
    texts = ids.gather(dunned)
    day = pl.Series(first + (stops_paying[dunned] * 30 + 25).astype("timedelta64[D]")).dt.strftime("%Y-%m-%d")
    for step, after in (("SMS1", "10"), ("STOP", "18")):
        pl.DataFrame(
            {"step_id": texts + f"-{step}", "run": "R" + texts, "step": [step] * len(dunned), "account_no": "D" + texts, "party_no": "B" + texts, "done_at": day + f"T{after}:00:00+08:00",
             "cost": [1.0] * len(dunned), "result": ["none"] * len(dunned), "updated_at": day + f"T{after}:00:00+08:00"}
        ).write_ndjson(retention / f"dunning_202606{after}.jsonl")  # fmt: skip
    offered = np.flatnonzero(rng.random(customers) < 0.1)
    texts = ids.gather(offered)
    pl.DataFrame(
        {"offer_id": "O" + texts, "kind": ["offer"] * len(offered), "campaign": pl.Series(rng.integers(0, 12, len(offered))).cast(pl.String), "customer_no": texts,
         "offered_at": ["2026-02-01T12:00:00+08:00"] * len(offered), "cost": [10.0] * len(offered), "control": rng.random(len(offered)) < 0.2, "outcome": ["declined"] * len(offered),
         "updated_at": ["2026-02-02T12:00:00+08:00"] * len(offered)}
    ).write_ndjson(retention / "offers_20260630.jsonl")  # fmt: skip
    crm = home / "inbox" / "crm"
    crm.mkdir()
    pl.DataFrame({"客户编号": texts, "客户类型": ["个人"] * len(offered), "客户名称": "甲" + texts}).write_csv(
        crm / "客户资料_20260630.csv"
    )
    pl.DataFrame(
        {"customer_no": texts, "id_type": ["EMAIL"] * len(offered), "id_value": "p" + texts + "@example.com", "updated_at": ["2026/01/01 00:00:00"] * len(offered)}
    ).write_csv(crm / "identifiers_20260630.csv")  # fmt: skip


def measure_arrears(folder: Path, customers: int) -> dict[str, Any]:
    """Seconds and memory of loading, of what stands above, and of the marts of arrears and retention, whole, without their tests."""
    settings = Settings(home=folder / "home", sources=SOURCES)
    write_billing(settings.home, customers)
    started = time.monotonic()
    loaded = load_inbox(settings, load_declarations(list(SOURCES)), "bench-arrears")
    loading = time.monotonic() - started
    warehouse.plan_of(settings, full=True)
    without_tests = ("build", "--exclude-resource-type", "test")
    above = [f"+{name}" for name in MEASURED]
    first = _build(settings, *without_tests, "--full-refresh", "--select", *above, "--exclude", *MEASURED)
    marts = _build(settings, *without_tests, "--select", *MEASURED)
    with duckdb.connect(str(settings.warehouse_path), read_only=True, config={"threads": 2}) as connection:
        counted = connection.execute("select count(*) from intermediate.int_transactions").fetchone()
        started = time.monotonic()
        connection.execute(
            "create temp table t as select account_id, date_trunc('month', occurred_at) as m, sum(amount) as s from intermediate.int_transactions"
            " where _status = 'used' group by all"
        )
        bare = time.monotonic() - started
        rows = {
            name: (connection.execute(f"select count(*) from marts.{name}").fetchone() or (0,))[0] for name in MARTS
        }
    return {
        "customers": customers,
        "transactions": counted[0] if counted else 0,
        "rows_loaded": loaded.rows,
        "loading_seconds": round(loading, 1),
        "above": first,
        "arrears_and_retention": marts,
        "bare_group_by_seconds": round(bare, 2),
        "rows": rows,
    }
