"""The built-in company's arrears, computed a second time in polars from the files' rows alone, and its offers beside the truth of the generator."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from orchestration.settings import Settings
from tests.conftest import company

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Few contacts and many customers: enough offers for an effect."""
    read = ("fct_arrears_months", "fct_bill_shocks", "fct_double_charges", "fct_dunning_steps", "fct_keeping_and_winning", "fct_retention_effects", "fct_transactions")  # fmt: skip
    options = ("--customers", "2500", "--calls", "6000", "--tickets", "5000", "--months", "9", "--until", "2026-09-30", "--clean")  # fmt: skip
    return company(tmp_path_factory.mktemp("owing") / "home", *options, read=read)


@pytest.fixture(scope="module")
def marts(home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    settings = Settings(home=home)
    with duckdb.connect(":memory:") as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute(f"attach '{settings.raw_path}' as raw (read_only)")
        connection.execute(f"attach '{settings.warehouse_path}' as warehouse (read_only)")
        connection.execute("use warehouse.marts")
        yield connection


@pytest.fixture(scope="module")
def moves(marts: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    return marts.execute(
        "select transaction_id, account_id, subscription_id, product_line, transaction_kind, cast(amount as double) as amount, due_on, paid_on, settles_id,"
        " cast(cost_amount as double) as cost, occurred_at, occurred_on from fct_transactions"
    ).pl()


def _settled(moves: pl.DataFrame) -> list[tuple[date, date, date | None, float]]:
    """Pieces (charged, due, settled, cents) by walking through each account's money, payment by payment."""
    pieces: list[tuple[date, date, date | None, float]] = []
    items = {
        row["transaction_id"]: row | {"left": round(row["amount"] * 100)}
        for row in moves.filter(
            pl.col("transaction_kind").is_in(["charge", "order"]) & pl.col("due_on").is_not_null()
        ).to_dicts()
    }
    pools: dict[str, list[list[Any]]] = {}
    credits = moves.filter(pl.col("transaction_kind").is_in(["payment", "return"])).sort(
        "occurred_on", "transaction_id"
    )
    for row in credits.to_dicts():
        money, item = round(abs(row["amount"]) * 100), items.get(row["settles_id"])
        if item is not None:
            part = min(money, item["left"])
            if part:
                pieces.append((item["occurred_on"], item["due_on"], max(row["occurred_on"], item["occurred_on"]), part))
                item["left"] -= part
                money -= part
        if money:
            pools.setdefault(row["account_id"], []).append([row["occurred_on"], money])
    waiting: dict[str, list[dict[str, Any]]] = {}
    for item in items.values():
        if item["left"]:
            waiting.setdefault(item["account_id"], []).append(item)
    for account, owed in waiting.items():
        owed.sort(
            key=lambda item: (
                item["paid_on"] is None,
                item["paid_on"] or item["due_on"],
                item["occurred_on"],
                item["transaction_id"],
            )
        )
        pool = pools.get(account, [])
        for item in owed:
            if item["paid_on"] is not None:
                pieces.append(
                    (item["occurred_on"], item["due_on"], max(item["paid_on"], item["occurred_on"]), item["left"])
                )
            while item["left"] and pool:
                part = min(item["left"], pool[0][1])
                if item["paid_on"] is None:
                    pieces.append((item["occurred_on"], item["due_on"], max(pool[0][0], item["occurred_on"]), part))
                item["left"] -= part
                pool[0][1] -= part
                if not pool[0][1]:
                    pool.pop(0)
            if item["left"] and item["paid_on"] is None:
                pieces.append((item["occurred_on"], item["due_on"], None, item["left"]))
    return pieces


def _bucket(late: int) -> str:
    return "not_due" if late < 1 else "1-30" if late < 31 else "31-60" if late < 61 else "61-90" if late < 91 else "91+"


def test_every_stock_and_every_roll_agrees(marts: duckdb.DuckDBPyConnection, moves: pl.DataFrame) -> None:
    pieces = _settled(moves)
    first, last = moves["occurred_on"].min(), moves["occurred_on"].max()
    assert isinstance(first, date) and isinstance(last, date)
    days = (first + timedelta(n) for n in range((last - first).days + 1))
    ends = [day for day in days if (day + timedelta(1)).day == 1]
    expected: dict[tuple[date, str, str | None], int] = {}
    for end, after in zip(ends, [*ends[1:], None], strict=True):
        for charged, due, settled, cents in pieces:
            if charged > end or (settled is not None and settled <= end):
                continue
            state = None
            if after is not None:
                state = "settled" if settled is not None and settled <= after else _bucket((after - due).days)
            key = (end, _bucket((end - due).days), state)
            expected[key] = expected.get(key, 0) + int(cents)
    found = {
        (day, bucket, state): round(float(amount) * 100)
        for day, bucket, state, amount in marts.execute(
            "select stock_on, bucket, next_bucket, sum(amount) from fct_arrears_months where is_month_end group by all"
        ).fetchall()
    }
    assert found == expected and len(found) > 25


def test_double_charges_are_the_planted_ones(marts: duckdb.DuckDBPyConnection, moves: pl.DataFrame) -> None:
    """The generator charges a month's fee a second time without a cost; nothing in the rule knows of costs."""
    planted = moves.filter(
        (pl.col("transaction_kind") == "charge")
        & (pl.col("cost") == 0)
        & pl.col("amount").is_in([float(n) for n in range(19, 2000)])
    )
    twice = planted.join(
        moves.filter((pl.col("transaction_kind") == "charge") & (pl.col("cost") > 0)).select(
            "subscription_id", "amount", pl.col("occurred_on").dt.truncate("1mo").alias("m")
        ),
        left_on=["subscription_id", "amount", pl.col("occurred_on").dt.truncate("1mo")],
        right_on=["subscription_id", "amount", "m"],
        how="semi",
    )
    found = marts.execute("select transaction_id, first_transaction_id, double_kind from fct_double_charges").pl()
    pairs = {frozenset(row) for row in found.select("transaction_id", "first_transaction_id").rows()}
    assert set(found["double_kind"]) == {"same_contract"}
    # Of each pair one is the planted row, and each planted row is in a pair.
    assert {name for pair in pairs for name in pair} >= set(twice["transaction_id"])
    # Beyond them a call charge may have the very amount of the fee.
    assert 0 <= found.height - twice.height <= 2 and twice.height > 10


def test_shocks_agree_with_a_median_of_all_bills(marts: duckdb.DuckDBPyConnection, moves: pl.DataFrame) -> None:
    bills = (
        moves.filter((pl.col("transaction_kind") == "charge") & pl.col("account_id").is_not_null())
        .group_by("account_id", pl.col("occurred_on").dt.truncate("1mo").alias("month"))
        .agg(pl.col("amount").sum().round(2))
        .sort("account_id", "month")
    )
    expected = set()
    for (account,), group in bills.group_by("account_id"):
        rows = group.rows()
        for place, (_, month, amount) in enumerate(rows):
            before = sorted(row[2] for row in rows[:place] if row[1] >= month.replace(year=month.year - 1))
            if len(before) < 3:
                continue
            middle = (before[(len(before) - 1) // 2] + before[len(before) // 2]) / 2
            if amount >= 2 * middle - 1e-9 and amount >= middle + 50 - 1e-9:
                expected.add((account, month))
    found = set(marts.execute("select account_id, bill_month from fct_bill_shocks").fetchall())
    assert found == expected and len(found) > 20


def test_the_effect_of_offers_and_of_care_is_that_of_the_truth(marts: duckdb.DuckDBPyConnection, home: Path) -> None:
    """Offers: who takes one leaves 0.45 times as often by competition or by our own fault, for three months. Care does nothing.

    The truth says what share of the losses that is, so it says the uplift of the treated as a whole: acceptance x 0.55 x share x loss of the held-out.
    """
    truth: dict[str, Any] = json.loads((home / "demo" / "truth.json").read_text(encoding="utf-8"))["churn"]
    assert truth["offer_effect_on_hazard"] == 0.45 and truth["care_effect_on_hazard"] == 1.0
    by_type: dict[str, int] = truth["by_type"]
    shielded = (by_type["competitive"] + by_type["negligent"]) / sum(by_type.values())
    offer, care = (
        marts.execute(
            "select treated, accepted, treated_share, held_out_share, uplift, uplift_low, uplift_high, is_small_base from fct_retention_effects"
            " where action_kind = ? and goal = 'keep' and horizon = 'long' and class_kind = 'all' and campaign_id = 'all'",
            [kind],
        )
        .pl()
        .to_dicts()[0]
        for kind in ("offer", "care")
    )
    losses = 1 - (offer["treated_share"] + offer["held_out_share"]) / 2
    true_uplift = offer["accepted"] / offer["treated"] * (1 - truth["offer_effect_on_hazard"]) * shielded * losses
    assert 0 < true_uplift < 0.05
    assert offer["uplift_low"] <= true_uplift <= offer["uplift_high"]
    assert care["uplift_low"] <= 0 <= care["uplift_high"] and not care["is_small_base"]
    # The interval says something: it is no wider than what so many customers allow.
    assert care["uplift_high"] - care["uplift_low"] < 0.08


def test_nobody_says_what_winning_costs(marts: duckdb.DuckDBPyConnection) -> None:
    assert set(marts.execute("select a_fifth, reason from fct_keeping_and_winning").fetchall()) == {
        ("unknown", "no_acquisition_cost")
    }


def test_dunning_collects_what_is_paid_in_the_window(marts: duckdb.DuckDBPyConnection, moves: pl.DataFrame) -> None:
    """A second count of the first messages: the money of the account that was overdue that day and settled in 14 days."""
    pieces = marts.execute(
        "select debtor as account_id, due_on, settled_on, cast(amount as double) as amount from warehouse.intermediate.int_receivables"
    ).pl()
    steps = marts.execute(
        "select action_id, account_id, occurred_on, cast(owed_amount as double) as owed, cast(collected_amount as double) as collected from fct_dunning_steps"
        " where step = 'SMS1' and is_final"
    ).pl()
    again = (
        steps.join(pieces, on="account_id")
        .filter(
            (pl.col("due_on") < pl.col("occurred_on"))
            & (pl.col("settled_on").is_null() | (pl.col("settled_on") >= pl.col("occurred_on")))
        )
        .group_by("action_id")
        .agg(
            pl.col("amount").sum().round(2).alias("owed_again"),
            pl.when(pl.col("settled_on") <= pl.col("occurred_on") + pl.duration(days=14))
            .then("amount")
            .otherwise(0.0)
            .sum()
            .round(2)
            .alias("collected_again"),
        )
    )
    both = steps.join(again, on="action_id", how="left").with_columns(
        pl.col("owed_again", "collected_again").fill_null(0.0)
    )
    assert both.filter(
        ((pl.col("owed") - pl.col("owed_again")).abs() > 0.005)
        | ((pl.col("collected") - pl.col("collected_again")).abs() > 0.005)
    ).is_empty()
    assert both.height > 100 and 0 < both["collected"].sum() < both["owed"].sum()
    del moves
