"""Tiers of two real companies, held against a second computation from their files: a music shop by turnover, a bank by standing orders."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest

from orchestration import warehouse
from tests.warehouse.shop_project import ShopProject, make_shop_project, opened
from tests.warehouse.test_tiers_by_a_second_engine import assert_agree
from tests.warehouse.tier_reference import lines_of, read_schemes

pytestmark = pytest.mark.real_data

MARTS = (
    "+fct_tier_movements",
    "+fct_customer_tiers",
    "+fct_money_concentration",
    "+fct_tier_lines",
    "+fct_transactions",
)
ORDERS = [
    f"orders,{grade},{rank},standing_orders,1,amount,{cut},up,in,0,0,1,person,true"
    for rank, (grade, cut) in enumerate([("diamond", "15000"), ("gold", "8000"), ("silver", "3000"), ("basic", "")], 1)
]


def _built(project: ShopProject, *files: Path) -> ShopProject:
    (source,) = project.sources
    inbox = project.home / "inbox" / source
    inbox.mkdir(parents=True)
    for path in files:
        (inbox / path.name).symlink_to(path)
    project.load("load-1")
    warehouse.plan_of(project.settings, full=True)
    done = project.dbt("build", "--select", *MARTS, "--indirect-selection", "cautious")
    assert done.returncode == 0, done.stdout[-4000:]
    return project


@pytest.fixture(scope="module")
def shop(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> ShopProject:
    project = make_shop_project(tmp_path_factory.mktemp("cdnow"), "cdnow")
    project.replace_seed("exchange_rates", "USD,,1")
    return _built(project, *sorted((real_data / "cdnow").glob("CDNOW_*.txt")))


@pytest.fixture(scope="module")
def bank(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> ShopProject:
    project = make_shop_project(tmp_path_factory.mktemp("bank"), "retail_bank")
    project.replace_seed("tier_schemes", *ORDERS)
    return _built(project, *sorted((real_data / "retail_bank").glob("completed*.csv")))


@pytest.fixture(scope="module")
def shop_marts(shop: ShopProject) -> Iterator[duckdb.DuckDBPyConnection]:
    with opened(shop) as connection:
        yield connection


def purchases(path: Path) -> pl.DataFrame:
    """Customer, month number and cents of every line of the master, by its columns."""
    lines = path.read_text(encoding="ascii").replace("\x1a", "").splitlines()[1:]
    rows = [line.split() for line in lines if line.strip()]
    return pl.DataFrame(
        {
            "customer_id": [row[0] for row in rows],
            "month": [12 * (int(row[1][:4]) - 1970) + int(row[1][4:6]) - 1 for row in rows],
            "cents": [round(float(row[3]) * 100) for row in rows],
        }
    )


def test_every_purchase_once(shop_marts: duckdb.DuckDBPyConnection, real_data: Path) -> None:
    """Both files are in the inbox; the sample's lines are the master's."""
    bought = purchases(real_data / "cdnow" / "CDNOW_master.txt")
    assert (bought.height, bought["customer_id"].n_unique()) == (69_659, 23_570)
    found = shop_marts.execute("select count(*), count(distinct customer_key), sum(amount), count(*) filter (where amount = 0) from fct_transactions").fetchone()  # fmt: skip
    assert found is not None
    assert (found[0], found[1], int(found[2] * 100), found[3]) == (69_659, 23_570, bought["cents"].sum(), 80)


@pytest.mark.parametrize("name", ["pyramid", "abc", "consumer"])
def test_turnover_tiers_of_the_shop(
    shop: ShopProject, shop_marts: duckdb.DuckDBPyConnection, real_data: Path, name: str
) -> None:
    keys = shop_marts.execute("select customer_id, customer_key from dim_customer_links").pl()
    money = (
        purchases(real_data / "cdnow" / "CDNOW_master.txt").join(keys, on="customer_id")
        .group_by("customer_key", "month").agg(pl.col("cents").sum().alias("revenue"), pl.len().alias("bills"))
    )  # fmt: skip
    scheme = read_schemes(shop.root / "seeds" / "tier_schemes.csv")[name]
    assert assert_agree(shop_marts, money, scheme) > 20_000


def test_without_costs_no_tier_by_profit(shop_marts: duckdb.DuckDBPyConnection) -> None:
    states = shop_marts.execute(
        "select distinct evaluation_state from fct_tier_lines where scheme = 'metal' order by 1"
    ).fetchall()
    assert states == [("cost_unknown",), ("too_few_months",)]
    assert shop_marts.execute("select count(*) from fct_customer_tiers where scheme = 'metal'").fetchone() == (0,)


def test_tiers_by_standing_orders(bank: ShopProject, real_data: Path) -> None:
    """Monthly standing orders of the accounts that a client owns."""
    folder = real_data / "retail_bank"

    def rows(name: str) -> list[dict[str, str]]:
        with (folder / name).open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))

    owners = {row["account_id"]: row["client_id"] for row in rows("completeddisposition.csv") if row["type"] == "Owner"}
    with opened(bank) as connection:
        keys = dict(connection.execute("select customer_id, customer_key from dim_customer_links").fetchall())
        found = connection.execute("select customer_key, grade, cast(100 * value_amount as bigint) from fct_customer_tiers where scheme = 'orders' and is_current").fetchall()  # fmt: skip
        moves = connection.execute(
            "select grade, customers from fct_tier_movements where previous_grade = 'none'"
        ).fetchall()
    totals: dict[str, int] = defaultdict(int)
    for row in rows("completedorder.csv"):
        totals[keys[owners[row["account_id"]]]] += round(float(row["amount"]) * 100)
    scheme = read_schemes(bank.root / "seeds" / "tier_schemes.csv")["orders"]
    lines = [line for line, _ in lines_of(scheme, totals.values(), 1)]
    expected = {}
    for key, cents in totals.items():
        rank = next((n for n, line in enumerate(lines) if line is not None and cents >= line), len(lines))
        expected[key] = (scheme.grades[rank], cents)
    assert {key: (grade, cents) for key, grade, cents in found} == expected
    assert len(found) == len(expected) > 3_000
    counted = {grade: sum(found_grade == grade for found_grade, _ in expected.values()) for grade in scheme.grades}
    assert dict(moves) == counted and min(counted.values()) > 20
