"""Tiers, moves and concentration of the built-in company against a second computation, customer by customer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import polars as pl
import pytest

from orchestration.settings import PROJECT_ROOT, Settings
from tests.conftest import LAST_DAY, company
from tests.warehouse.tier_reference import History, Scheme, grade_everyone, read_schemes

pytestmark = pytest.mark.slow

SCHEMES = read_schemes(PROJECT_ROOT / "seeds" / "tier_schemes.csv")
HISTORY_MONTHS = 24


@pytest.fixture(scope="module")
def marts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """400 customers over 12 months: long enough to be graded, and to be graded otherwise."""
    read = ("fct_tier_movements", "fct_money_concentration", "fct_tier_standards", "fct_customer_tiers", "fct_survey_responses", "fct_visits", "fct_transactions")  # fmt: skip
    home = tmp_path_factory.mktemp("tiers_second") / "home"
    settings = Settings(
        home=company(home, "--customers", "400", "--months", "12", "--until", LAST_DAY, "--clean", read=read)
    )
    with connected(settings.raw_path, settings.warehouse_path) as connection:
        yield connection


def connected(raw: Path, built: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(":memory:")
    connection.execute("set timezone = 'UTC'")
    connection.execute(f"attach '{raw}' as raw (read_only)")
    connection.execute(f"attach '{built}' as warehouse (read_only)")
    connection.execute("use warehouse.marts")
    return connection


def _number(day: str) -> pl.Expr:
    return 12 * (pl.col(day).dt.year().cast(pl.Int64) - 1970) + pl.col(day).dt.month() - 1


def _cents(column: str) -> pl.Expr:
    return (pl.col(column) * 100).cast(pl.Int64)


def service_cost(marts: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Cents by customer and month, from the public facts of contacts and the rates of the seed (one line a kind, always)."""
    rates = {
        row["contact_kind"]: (float(row["cost_per_contact"]), float(row["cost_per_minute"]))
        for row in pl.read_csv(PROJECT_ROOT / "seeds" / "service_costs.csv", infer_schema=False).to_dicts()
    }
    parts = {
        "call": "select customer_key, started_on as day, case when talk_seconds >= 0 then talk_seconds + coalesce(hold_seconds, 0) + coalesce(wrap_up_seconds, 0) end as seconds"
        " from fct_calls where exclusion_kind is null and disposition = 'answered'",
        "message": "select customer_key, started_on as day, greatest(session_seconds, 0) as seconds from fct_messages where is_human_answered",
        "ticket": "select customer_key, created_on as day, null as seconds from fct_tickets where is_in_base",
        "visit": "select t.customer_key, cast(coalesce(v.arrived_at, v.finished_at) + interval 8 hours as date) as day, v.on_site_seconds as seconds"
        " from fct_visits v join fct_tickets t using (source, ticket_id) where v.is_in_base and coalesce(v.arrived_at, v.finished_at) is not null",
    }
    frames = []
    for kind, query in parts.items():
        contact, minute = rates[kind]
        frames.append(
            marts.execute(query).pl().filter(pl.col("customer_key").is_not_null()).select(
                "customer_key",
                _number("day").alias("month"),
                ((pl.lit(contact) + minute * pl.col("seconds").cast(pl.Float64).fill_null(0) / 60) * 100 + 1e-6).round().cast(pl.Int64).alias("cost"),
            )
        )  # fmt: skip
    return pl.concat(frames).group_by("customer_key", "month").agg(pl.col("cost").sum())


def money_of(marts: duckdb.DuckDBPyConnection, *, with_service: bool = True) -> pl.DataFrame:
    """Turnover and profit in cents by customer and month, from the public transactions; `bills`: charges, orders and returns in it."""
    rows = marts.execute(
        "select customer_key, occurred_on, transaction_kind, amount, cost_amount from fct_transactions"
        " where customer_key is not null and occurred_on is not null and is_billed"
    ).pl()
    money = rows.group_by("customer_key", _number("occurred_on").alias("month")).agg(
        _cents("amount").sum().alias("revenue"), _cents("cost_amount").sum().alias("direct"), pl.len().alias("bills")
    )
    if with_service:
        money = money.join(service_cost(marts), on=["customer_key", "month"], how="full", coalesce=True)
    else:
        money = money.with_columns(pl.lit(0).alias("cost"))
    money = money.with_columns(pl.col("revenue", "direct", "cost", "bills").fill_null(0))
    return money.with_columns((pl.col("revenue") - pl.col("direct") - pl.col("cost")).alias("profit"))


def second_computation(
    marts: duckdb.DuckDBPyConnection, money: pl.DataFrame, scheme: Scheme
) -> tuple[History, dict[int, dict[str, str]]]:
    kinds = dict(marts.execute("select customer_key, customer_kind from dim_customers").fetchall())
    billed = money.filter(pl.col("bills") > 0)
    first = dict(billed.group_by("customer_key").agg(pl.col("month").min()).iter_rows())
    (last_day,) = marts.execute("select max(occurred_on) from fct_transactions").fetchone() or (None,)
    assert isinstance(last_day, date)
    following = date.fromordinal(last_day.toordinal() + 1)
    last = 12 * (following.year - 1970) + following.month - 1 - 1
    start = min(first.values())
    months = [month for month in range(start, last + 1) if month > last - HISTORY_MONTHS]
    values = {(who, month): cents for who, month, cents in money.select("customer_key", "month", scheme.basis).iter_rows()}  # fmt: skip
    return grade_everyone(scheme, values, first, kinds, months, frozenset(billed["month"].to_list()), start)


def built_history(marts: duckdb.DuckDBPyConnection, scheme: str) -> History:
    return marts.execute(
        "select customer_key, 12 * (year(evaluated_month) - 1970) + month(evaluated_month) - 1, grade, previous_grade from fct_customer_tiers where scheme = ?",
        [scheme],
    ).fetchall()


def assert_agree(marts: duckdb.DuckDBPyConnection, money: pl.DataFrame, scheme: Scheme) -> int:
    history, after = second_computation(marts, money, scheme)
    assert sorted(built_history(marts, scheme.name)) == sorted(history)
    moves: dict[tuple[int, str, str], int] = defaultdict(int)
    previous: dict[str, str] = {}
    for month, grades in sorted(after.items()):
        for who, grade in grades.items():
            moves[month, previous.get(who, "none"), grade] += 1
        previous = grades
    built = marts.execute(
        "select 12 * (year(evaluated_month) - 1970) + month(evaluated_month) - 1, previous_grade, grade, sum(customers)"
        " from fct_tier_movements where scheme = ? group by 1, 2, 3",
        [scheme.name],
    ).fetchall()
    assert {(month, before, grade): int(count) for month, before, grade, count in built} == dict(moves)
    return len(history)


@pytest.fixture(scope="module")
def money(marts: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    return money_of(marts)


@pytest.mark.parametrize("name", sorted(SCHEMES))
def test_every_tier_of_the_company_agrees(marts: duckdb.DuckDBPyConnection, money: pl.DataFrame, name: str) -> None:
    assert assert_agree(marts, money, SCHEMES[name]) > 50


def test_gini_of_the_company_agrees(marts: duckdb.DuckDBPyConnection, money: pl.DataFrame) -> None:
    """From the sorted values themselves, of the last month."""
    row = marts.execute(
        "select evaluated_month, gini, top_20_share, whale_peak, customers, value_amount, window_months from fct_money_concentration"
        " where is_default_scheme order by evaluated_month desc limit 1"
    ).fetchone()
    assert row is not None
    month, gini, top, peak, customers, amount, window = row
    last = 12 * (month.year - 1970) + month.month - 1
    first = money.filter(pl.col("bills") > 0).group_by("customer_key").agg(pl.col("month").min().alias("first"))
    values = (
        first.filter(pl.col("first") <= last)
        .join(money.filter(pl.col("month").is_between(last - window + 1, last)).group_by("customer_key").agg(pl.col("revenue").sum()), on="customer_key", how="left")
        .get_column("revenue").fill_null(0).sort().to_list()
    )  # fmt: skip
    n, total = len(values), sum(values)
    assert (n, total) == (customers, int(amount * 100))
    if values[0] >= 0:
        assert gini == pytest.approx(sum((2 * i - n - 1) * x for i, x in enumerate(values, 1)) / (n * total), abs=1e-8)
    else:
        assert gini is None and peak == pytest.approx(sum(x for x in values if x > 0) / total, abs=1e-8)
    whole, part = divmod(n * 0.2, 1)
    best = values[::-1]
    assert top == pytest.approx((sum(best[: int(whole)]) + part * best[int(whole)]) / total, abs=1e-8)


def test_the_tier_of_a_contact_is_that_of_its_day(marts: duckdb.DuckDBPyConnection) -> None:
    """Asked again of the history, contact by contact."""
    for mart, day in (
        ("fct_contacts", "started_on"),
        ("fct_tickets", "created_on"),
        ("fct_survey_responses", "responded_on"),
    ):
        found = marts.execute(
            f"select customer_key, {day} as day, customer_tier from {mart} where {day} is not null"
        ).pl()
        history = marts.execute(
            "select customer_key, grade, valid_from from fct_customer_tiers where is_default_scheme"
        ).pl()
        expected = (
            found.filter(pl.col("customer_key").is_not_null()).sort("day")
            .join_asof(history.sort("valid_from"), left_on="day", right_on="valid_from", by="customer_key", strategy="backward", check_sortedness=False)
            .with_columns(pl.col("grade").fill_null("not_rated"))
        )  # fmt: skip
        assert expected.height > 50 and expected["grade"].n_unique() > 2
        assert expected.filter(pl.col("customer_tier") != pl.col("grade")).is_empty()
        assert found.filter(pl.col("customer_key").is_null() & (pl.col("customer_tier") != "unknown")).is_empty()


def test_standards_count_the_calls(marts: duckdb.DuckDBPyConnection) -> None:
    """Promised and received on the phone, from the calls themselves."""
    promised = {"vip": 10, "main": 15}
    calls = marts.execute(
        "select customer_tier, started_on, is_answered, wait_seconds from fct_calls where (is_answered or is_abandoned) and wait_seconds is not null"
    ).pl()
    calls = calls.with_columns(
        pl.col("customer_tier").replace_strict(promised, default=20, return_dtype=pl.Int64).alias("promised"),
        pl.col("started_on").dt.truncate("1mo").alias("received_month"),
    ).filter(pl.col("is_answered") | (pl.col("wait_seconds") > pl.col("promised")))
    expected = calls.group_by("customer_tier", "received_month").agg(
        pl.len().alias("judged"),
        (pl.col("is_answered") & (pl.col("wait_seconds") <= pl.col("promised"))).sum().alias("kept"),
    )
    built = marts.execute(
        "select grade, received_month, judged_cases, kept_cases from fct_tier_standards where standard = 'call_wait_seconds' and judged_cases > 0"
    ).fetchall()
    assert sorted(built) == sorted(expected.iter_rows())
