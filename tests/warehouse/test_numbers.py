"""Numbers from text: read as the source writes them, or quarantined with a reason; never rounded, guessed or fatal."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from orchestration.settings import Settings
from orchestration.sources.declarations import load_declarations
from orchestration.sources.files import load_inbox
from tests.conftest import csatlas

PAYMENTS = {
    "1234,50": Decimal("1234.50"),
    " 12,5 ": Decimal("12.50"),
    "-7,00": Decimal("-7.00"),
    "59": Decimal("59.00"),
    "59.90": "amount:invalid",  # the source writes commas: a point may as well be a grouping mark
    "1.234,50": "amount:invalid",
    "1,234,50": "amount:invalid",
    "99999999999999999,5": "amount:invalid",  # more than decimal(18, 2) holds
    "about ten": "amount:invalid",
    "nan": "amount:invalid",
    "": "amount:missing",
}
MONTHS = {"24": 24, "12.7": "contract_months:invalid", "99999999999": "contract_months:invalid"}


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("numbers") / "home"
    inbox = home / "inbox" / "billing"
    inbox.mkdir(parents=True)
    lines = ["payment_no;account_no;party_no;charge_no;method;amount;currency;paid_at;bank_reference"]
    lines += [f"P{n};A1;C1;F1;cash;{text};CNY;27.12.2025 14:45:02;B" for n, text in enumerate(PAYMENTS)]
    (inbox / "payments_20260131.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    lines = [
        "subscription_no;account_no;party_no;unit_code;product;tariff;service_number;start_date;end_date;end_reason;contract_months;monthly_fee;currency"
    ]
    lines += [f"S{n};A1;C1;U1;mob;M;138;01.12.2025;;;{text};19,90;CNY" for n, text in enumerate(MONTHS)]
    (inbox / "subscriptions_20260131.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    load_inbox(Settings(home=home), load_declarations(["billing"]), "load-1")
    built = csatlas(
        home, "dbt", "run", "--select", "+int_transactions", "+int_subscriptions", env={"CSATLAS_SOURCES": "billing"}
    )
    assert built.returncode == 0, built.stdout[-3000:]
    return home


def rows(home: Path, feed: str, columns: str, order: str) -> list[tuple[object, ...]]:
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"attach '{home / 'raw.duckdb'}' as raw (read_only)")
        connection.execute(f"attach '{home / 'warehouse.duckdb'}' as warehouse (read_only)")
        return connection.execute(
            f"select {columns}, _status, array_to_string(_reasons, ',') from warehouse.intermediate.{feed} order by {order}"
        ).fetchall()


def test_amounts_with_a_decimal_comma(warehouse: Path) -> None:
    found = {str(row[0]): row[1:] for row in rows(warehouse, "int_transactions", "transaction_id, amount", "1")}
    for number, (text, expected) in enumerate(PAYMENTS.items()):
        if isinstance(expected, Decimal):
            assert found[f"P{number}"] == (expected, "used", ""), text
        else:
            assert found[f"P{number}"] == (None, "quarantined", expected), text


def test_whole_numbers_stay_whole(warehouse: Path) -> None:
    found = {
        str(row[0]): row[1:]
        for row in rows(warehouse, "int_subscriptions", "subscription_id, contract_months, monthly_fee", "1")
    }
    for number, (text, expected) in enumerate(MONTHS.items()):
        if isinstance(expected, int):
            assert found[f"S{number}"] == (expected, Decimal("19.90"), "used", ""), text
        else:
            assert found[f"S{number}"] == (None, Decimal("19.90"), "quarantined", expected), text
