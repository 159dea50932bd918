"""Loyalty, stated retention and the comparison of warnings on the built-in company, computed again in polars from the definitions alone; and warnings against its truth.

The second engine reads contracts, charges, answers and links as the sources sent them (their valid rows), never a model of loyalty.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import pairwise
from math import sqrt
from pathlib import Path

import duckdb
import polars as pl
import pytest

from orchestration.settings import Settings
from tests.conftest import LAST_DAY, company

pytestmark = pytest.mark.slow

GRACE = 30
NEVER = date(9999, 12, 31)
QUARTERS = [
    (date(2025, 10, 1), date(2025, 12, 31)), (date(2026, 1, 1), date(2026, 3, 31)), (date(2026, 4, 1), date(2026, 6, 30)), (date(2026, 7, 1), date(2026, 9, 30)),
]  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1,500 customers over 12 months, whose last day ends a quarter."""
    read = ("fct_warning_effects", "fct_loyalty_effects", "fct_loyalty_moves", "fct_stated_retention", "fct_loyalty_dwell", "fct_subscriptions", "fct_transactions")  # fmt: skip
    home = tmp_path_factory.mktemp("loyalty_second") / "home"
    return company(home, "--customers", "1500", "--months", "12", "--until", LAST_DAY, "--clean", read=read)


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
def contracts(marts: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    return marts.execute(
        "select customer_key, subscription_id, product_line, contract_months, cast(monthly_fee as double) as fee, started_on, coalesce(ended_on, date '9999-12-31') as ended_on"
        " from fct_subscriptions where customer_key is not null"
    ).pl()


def _months_after(day: date, months: int) -> date:
    month = day.month - 1 + months
    year, month = day.year + month // 12, month % 12 + 1
    last = (date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)).day
    return date(year, month, min(day.day, last))


def _stays(rows: list[dict[str, object]]) -> list[tuple[date, date]]:
    """Stretches of contracts with at most the days of grace between them."""
    found: list[tuple[date, date]] = []
    for row in sorted(rows, key=lambda row: (row["started_on"], row["ended_on"])):  # type: ignore[arg-type, return-value]
        start, end = row["started_on"], row["ended_on"]
        assert isinstance(start, date) and isinstance(end, date)
        if found and (found[-1][1] == NEVER or (start - found[-1][1]).days - 1 <= GRACE):
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


@pytest.fixture(scope="module")
def stays(contracts: pl.DataFrame) -> dict[str, list[tuple[date, date]]]:
    return {
        str(key): _stays(part.to_dicts())
        for (key,), part in contracts.partition_by("customer_key", as_dict=True).items()
    }


@pytest.fixture(scope="module")
def answers(marts: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    return marts.execute(
        "select customer_key, source, response_id, question_role, construct, score_100, responded_on, responded_at from fct_survey_answers"
        " where is_valid and customer_key is not null and score_100 is not null"
    ).pl()


def _part(role: str, construct: str | None) -> str | None:
    if role == "nps":
        return "recommend"
    if role == "index_item" and construct == "loyalty":
        return "repurchase"
    return construct if role == "other" and construct in ("repurchase", "trust", "recommend") else None


def _second_opinion(
    key: str, contracts: list[dict], answers: list[dict], charges: list[tuple[date, date | None]], end: date, lines: int
) -> tuple[float | None, float | None]:  # type: ignore[type-arg]
    """Attitude and behaviour of a customer at the end of a quarter."""
    said: dict[str, dict[tuple[object, ...], list[float]]] = {}
    for row in answers:
        part = _part(row["question_role"], row["construct"])
        if part and timedelta(0) <= end - row["responded_on"] <= timedelta(days=365):
            said.setdefault(part, {}).setdefault((row["responded_at"], row["source"], row["response_id"]), []).append(
                row["score_100"]
            )
    newest = [sum(values := responses[max(responses)]) / len(values) for responses in said.values()]
    attitude = sum(newest) / len(newest) if len(newest) >= 2 else None

    begun = [row for row in contracts if row["started_on"] <= end]
    began = max(start for start, last in _stays(begun) if start <= end <= last)
    running = [row for row in begun if row["ended_on"] >= end]
    parts = [
        100 * len({row["product_line"] for row in running}) / lines,
        100 * min(1.0, ((end - began).days + 1) / 30.4375 / 60),
    ]
    over = []
    for row in begun:
        if row["contract_months"]:
            decided = _months_after(row["started_on"], row["contract_months"]) + timedelta(days=30)
            if decided <= end:
                line = _stays([other for other in contracts if other["product_line"] == row["product_line"]])
                over.append(next(last for start, last in line if start <= row["started_on"] <= last) >= decided)
    if over:
        parts.append(100 * sum(over) / len(over))
    first = _months_after(date(end.year, end.month - 2, 1), -9)
    due = [paid is not None and paid <= day for day, paid in charges if first <= day <= end]
    if due:
        parts.append(100 * min(1.0, max(0.0, (sum(due) / len(due) - 0.5) / 0.5)))
    return attitude, sum(parts) / len(parts)


def test_every_score_quadrant_and_rung(
    marts: duckdb.DuckDBPyConnection, contracts: pl.DataFrame, answers: pl.DataFrame, stays: dict[str, list[tuple[date, date]]]
) -> None:  # fmt: skip
    charges: dict[str, list[tuple[date, date | None]]] = {}
    for key, due, paid in marts.execute(
        "select customer_key, due_on, paid_on from fct_transactions where transaction_kind = 'charge' and amount > 0 and due_on is not null and customer_key is not null"
    ).fetchall():
        charges.setdefault(key, []).append((due, paid))
    of_contracts = {str(key): part.to_dicts() for (key,), part in contracts.partition_by("customer_key", as_dict=True).items()}  # fmt: skip
    of_answers = {str(key): part.to_dicts() for (key,), part in answers.partition_by("customer_key", as_dict=True).items()}  # fmt: skip
    lines = contracts["product_line"].n_unique()
    found = {
        (row["customer_key"], row["quarter_end"]): row
        for row in marts.execute("select * from fct_customer_loyalty where customer_state = 'customer' and is_complete").pl().to_dicts()
    }  # fmt: skip
    expected = {
        (key, end): _second_opinion(key, of_contracts[key], of_answers.get(key, []), charges.get(key, []), end, lines)
        for key, stretches in stays.items()
        for _, end in QUARTERS
        if any(start <= end <= last for start, last in stretches)
    }
    assert set(found) == set(expected) and len(found) > 5000
    quadrants: dict[str, int] = {}
    for place, (attitude, behaviour) in expected.items():
        row = found[place]
        assert row["attitude"] == (None if attitude is None else pytest.approx(attitude, abs=1e-5)), place
        assert row["behaviour"] == pytest.approx(behaviour, abs=1e-5), place
        high, firm = row["attitude"] is not None and row["attitude"] >= 75, row["behaviour"] >= 60
        quadrant = "unknown" if attitude is None else {(True, True): "true", (True, False): "latent", (False, True): "spurious", (False, False): "none"}[high, firm]  # fmt: skip
        assert row["loyalty_quadrant"] == quadrant, place
        quadrants[quadrant] = quadrants.get(quadrant, 0) + 1
        if quadrant == "true" or row["tenure_days"] >= 365:
            assert row["rung"] == ("loyal" if quadrant == "true" else "retained"), place
        else:
            assert row["rung"] in ("new", "satisfied"), place
    assert min(quadrants.values()) > 20 and len(quadrants) == 5


def test_moves_add_up_to_the_customers(marts: duckdb.DuckDBPyConnection) -> None:
    """Who stands on a rung now is who came from somewhere; who stood on it before went somewhere."""
    for before, after in pairwise(QUARTERS):
        stood, stands, went, came = (
            dict(marts.execute(sql, [day]).fetchall())
            for sql, day in (
                ("select rung, count(*) from fct_customer_loyalty where quarter_end = ? and rung <> 'left' group by rung", before[1]),
                ("select rung, count(*) from fct_customer_loyalty where quarter_end = ? and rung not in ('potential', 'left') group by rung", after[1]),
                ("select rung_before, sum(customers) from fct_loyalty_moves where quarter_end = ? and rung_before not in ('joined', 'left') group by rung_before", after[1]),
                ("select rung, sum(customers) from fct_loyalty_moves where quarter_end = ? and rung not in ('potential', 'left') group by rung", after[1]),
            )
        )  # fmt: skip
        assert went == stood
        # Customers who joined the quarter have no row before and count as joined, so nobody is missing.
        assert came == stands


def test_who_said_that_he_stays_and_did(
    marts: duckdb.DuckDBPyConnection, answers: pl.DataFrame, stays: dict[str, list[tuple[date, date]]]
) -> None:
    until = date.fromisoformat(LAST_DAY)
    expected = {}
    for (source, response), part in answers.partition_by("source", "response_id", as_dict=True).items():
        scores = [r["score_100"] for r in part.to_dicts() if _part(r["question_role"], r["construct"]) == "repurchase"]
        if not scores:
            continue
        key, on = part["customer_key"][0], part["responded_on"][0]
        last = next((last for start, last in stays.get(key, []) if start <= on <= last), None)
        over = last is not None and on + timedelta(days=90 + GRACE + 1) <= until
        expected[source, response] = (
            pytest.approx(sum(scores) / len(scores)),
            (last - on).days > 90 if over and last else None,
        )
    found = {
        (source, response): (score, stayed)
        for source, response, score, stayed in marts.execute(
            "select source, response_id, stated_score, is_stayed_90d from fct_stated_retention where customer_key is not null"
        ).fetchall()
    }
    assert found == expected
    decided = [stayed for _, stayed in found.values() if stayed is not None]
    assert len(decided) > 100 and 0 < decided.count(False) < len(decided)


def test_the_comparison_of_warnings(
    marts: duckdb.DuckDBPyConnection, contracts: pl.DataFrame, stays: dict[str, list[tuple[date, date]]]
) -> None:
    until = date.fromisoformat(LAST_DAY)
    kinds = dict(marts.execute("select customer_key, customer_kind from dim_customers").fetchall())
    surveyed, complained, warned = (
        set(marts.execute(sql).fetchall())
        for sql in (
            "select customer_key, year(responded_on), quarter(responded_on) from fct_survey_responses where customer_key is not null",
            "select customer_key, year(created_on), quarter(created_on) from fct_tickets where is_in_base and is_complaint and customer_key is not null",
            "select customer_key, year(seen_on), quarter(seen_on), signal from fct_early_warnings",
        )
    )
    of_contracts = {str(key): part.to_dicts() for (key,), part in contracts.partition_by("customer_key", as_dict=True).items()}  # fmt: skip
    watched: dict[tuple[object, ...], list[tuple[str, int, int, bool]]] = {}
    for key, stretches in stays.items():
        for _, end in QUARTERS:
            stay = next(((start, last) for start, last in stretches if start <= end < last), None)
            if stay is None or end + timedelta(days=90 + GRACE + 1) > until:
                continue
            tenure = (end - stay[0]).days + 1
            quarter = (key, end.year, (end.month + 2) // 3)
            lines = len({row["product_line"] for row in of_contracts[key] if row["started_on"] <= end <= row["ended_on"]})  # fmt: skip
            stratum = (end, kinds[key], (tenure >= 365) + (tenure >= 1096), lines, quarter in surveyed, quarter in complained)  # fmt: skip
            watched.setdefault(stratum, []).append((*quarter, (stay[1] - end).days <= 90))
    found = {row["signal"]: row for row in marts.execute("select * from fct_warning_effects").pl().to_dicts()}
    assert len(found) == 7
    for signal, row in found.items():
        matched = matched_without = left = 0
        expected_left = variance = 0.0
        for people in watched.values():
            inside = [left for *quarter, left in people if (*quarter, signal) in warned]
            outside = [left for *quarter, left in people if (*quarter, signal) not in warned]
            if not inside or not outside:
                continue
            matched, matched_without, left = matched + len(inside), matched_without + len(outside), left + sum(inside)
            p, q = sum(inside) / len(inside), sum(outside) / len(outside)
            expected_left += len(inside) * q
            variance += len(inside) ** 2 * (p * (1 - p) / len(inside) + q * (1 - q) / len(outside))
        assert (row["matched"], row["matched_without"]) == (matched, matched_without), signal
        if matched:
            assert row["difference"] == pytest.approx((left - expected_left) / matched, abs=1e-8), signal
            assert row["difference_high"] == pytest.approx(
                (left - expected_left) / matched + 1.959964 * sqrt(variance) / matched, abs=1e-8
            ), signal
    assert sum(row["matched"] > 30 for row in found.values()) >= 4


def test_departures_by_our_own_fault_are_warned_of(home: Path, marts: duckdb.DuckDBPyConnection) -> None:
    """What the truth says: who leaves by our neglect had grievances before; who leaves for reasons of his own had them no more often than others."""
    truth = json.loads((home / "demo" / "truth.json").read_text(encoding="utf-8"))
    departures = home / "demo" / truth["tables"]["departures"]["path"]
    shares = dict(
        marts.execute(
            f"""
            with departures as (
                select distinct s.customer_key, t.ended_on, t.churn_type
                from '{departures}' as t inner join fct_subscriptions as s on t.subscription_no = s.subscription_id
                where t.leaves_whole
            )
            select churn_type, avg(cast(exists (
                select 1 from fct_early_warnings as w
                where w.customer_key = d.customer_key and w.seen_on between d.ended_on - 90 and d.ended_on
            ) as integer))
            from departures as d group by churn_type
            """
        ).fetchall()
    )
    assert shares["negligent"] > 2 * max(shares["natural"], shares["competitive"])
    assert shares["negligent"] > 0.3
