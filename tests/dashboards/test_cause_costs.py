"""What causes cost on the built-in company: the mart against rows counted here, over-representation, the profile of a cause."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from math import exp, log, sqrt
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from dashboards.data import causes, intervals
from dashboards.data.metrics import Filters, metric_frame, metric_value
from dashboards.data.snapshot import Snapshot, open_snapshot, published_path
from tests.conftest import csatlas

REPEAT = timedelta(days=30)
CHURN_DAYS = 90


@pytest.fixture(scope="module")
def snapshot(demo_home: Path) -> Snapshot:
    return open_snapshot(published_path(demo_home / "serving"))


@pytest.fixture(scope="module")
def rows(snapshot: Snapshot) -> pl.DataFrame:
    return snapshot.frame("select * from fct_cause_costs")


def _warehouse(home: Path, sql: str) -> list[dict[str, Any]]:
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute(sql).pl().to_dicts()


def test_every_case_has_its_cause_once(snapshot: Snapshot, rows: pl.DataFrame) -> None:
    expected = snapshot.frame("select complaint_id, root_cause from fct_complaint_causes order by complaint_id")
    assert rows.height > 20
    assert rows.select("complaint_id", "root_cause").sort("complaint_id").equals(expected)


def test_repeat_contacts_are_counted_from_the_contacts(demo_home: Path, rows: pl.DataFrame) -> None:
    """Contact by contact: to its own case, else to the newest earlier case of the customer on its topic."""
    contacts = _warehouse(
        demo_home, "select source, contact_id, customer_key, topic, started_at from marts.fct_contacts"
    )
    own = {
        (row["source"], row["contact_id"]): row["complaint_id"]
        for row in _warehouse(demo_home, "select source, contact_id, complaint_id from marts.fct_complaint_contacts")
    }
    cases = {row["complaint_id"]: row for row in rows.to_dicts()}
    counted: Counter[str] = Counter()
    for contact in contacts:
        mine = own.get((contact["source"], contact["contact_id"]))
        if mine is None:
            earlier = [
                (case["opened_at"], name)
                for name, case in cases.items()
                if contact["customer_key"] is not None
                and case["customer_key"] == contact["customer_key"]
                and case["symptom"] == contact["topic"] != "unknown"
                and case["opened_at"] <= contact["started_at"]
            ]
            mine = max(earlier)[1] if earlier else None
        if mine is not None and timedelta(0) < contact["started_at"] - cases[mine]["opened_at"] <= REPEAT:
            counted[mine] += 1
    expected = {name: counted[name] if case["customer_key"] else None for name, case in cases.items()}
    assert dict(rows.select("complaint_id", "repeat_contacts").rows()) == expected
    assert sum(counted.values()) > 0


def test_departures_and_fees_are_those_of_the_contracts(demo_home: Path, rows: pl.DataFrame) -> None:
    """Case by case: the first of the customer and cause within the days, the contracts of its day, the end of the last of them."""
    contracts = _warehouse(demo_home, "select * from features.ftr_contract_spells where customer_key is not null")
    cases = sorted(
        (row for row in rows.to_dicts() if row["customer_key"]), key=lambda row: (row["opened_at"], row["complaint_id"])
    )
    seen: dict[tuple[str, str], Any] = {}
    firsts = 0
    for case in cases:
        key = (case["customer_key"], case["root_cause"])
        is_first = key not in seen or (case["opened_on"] - seen[key]).days > CHURN_DAYS
        seen[key] = case["opened_on"]
        assert case["is_first_of_cause"] == is_first
        firsts += is_first
        own = [contract for contract in contracts if contract["customer_key"] == case["customer_key"]]
        running = [one for one in own if one["started_on"] <= case["opened_on"] <= one["counted_until"]]
        fee = sum(one["monthly_fee"] for one in running) if running and is_first else None
        assert case["fee_at_risk"] == fee
        ends = [
            max(one["last_on"] for one in own if one["holder_began_on"] == began)
            for began in {one["holder_began_on"] for one in own}
            if began <= case["opened_on"]
        ]
        left = min((end for end in ends if end > case["opened_on"]), default=None)
        if case["is_churned"]:
            assert case["is_churn_final"] and left is not None
        if case["is_churn_final"]:
            assert is_first and case["is_churned"] == ((left - case["opened_on"]).days <= CHURN_DAYS)
    assert firsts > 10


def test_handling_cost_is_time_and_contacts_at_the_rates(demo_home: Path, rows: pl.DataFrame) -> None:
    """At the rates delivered (a ticket 6, a visit 80 and 1 a minute, calls 1.2 and messages 0.6 a minute) no case is cheaper than its tickets."""
    tickets = Counter(
        row["complaint_id"]
        for row in _warehouse(
            demo_home,
            "select complaint_id from marts.fct_complaint_contacts as c inner join intermediate.int_ticket_facts as f"
            " on c.source = f.source and c.contact_id = concat('ticket:', f.ticket_id) where f.is_in_base",
        )
    )
    for case in rows.to_dicts():
        least = 6 * tickets[case["complaint_id"]] + 0.6 * case["handling_seconds"] / 60
        assert float(case["handling_cost"]) >= least - 0.05, case["complaint_id"]
    assert rows["handling_cost"].sum() > 0


def test_metrics_are_the_sums_of_the_rows(snapshot: Snapshot, rows: pl.DataFrame) -> None:
    frame = metric_frame(snapshot, ["cause_handling_cost"], by=["root_cause"])
    expected = rows.group_by("root_cause").agg(pl.col("handling_cost").cast(pl.Float64).sum()).rows()
    assert dict(frame.select("root_cause", "value").rows()) == pytest.approx(dict(expected))
    rate = metric_value(snapshot, "cause_dissatisfaction_rate", Filters())
    assert (rate.numerator, rate.denominator) == (rows["is_dissatisfied"].sum(), rows["is_answered"].sum())
    assert not rows.filter(pl.col("is_dissatisfied") & ~pl.col("is_answered")).height


def test_ratio_of_two_shares_as_published() -> None:
    """Heart attacks with aspirin and placebo (Physicians' Health Study 1989): 104 of 11,037 against 189 of 11,034, 0.55 (0.43 to 0.70)."""
    found = intervals.risk_ratio(104, 11_037, 189, 11_034)
    assert found is not None
    assert (round(found[0], 2), round(found[1], 2)) == (0.43, 0.70)
    assert intervals.risk_ratio(0, 10, 3, 10) is None and intervals.risk_ratio(1, 10, 0, 10) is None


def test_over_representation_is_that_of_the_rows(snapshot: Snapshot, rows: pl.DataFrame) -> None:
    code = str(rows["root_cause"].value_counts(sort=True)["root_cause"][0])
    found = causes.over_representation(snapshot, [code], "channel", Filters(), minimum=5)
    assert {one.value for one in found} == set(rows["channel"])
    for one in found:
        inside = rows.filter(pl.col("channel") == one.value)
        other = rows.filter(pl.col("channel") != one.value)
        hits, rest = (int((part["root_cause"] == code).sum()) for part in (inside, other))
        assert (one.hits, one.n, one.other_hits, one.other_n) == (hits, inside.height, rest, other.height)
        if min(inside.height, other.height) < 5 or not rest:
            assert one.ratio is None and one.low is None and not one.stands_out
        elif hits:
            ratio = (hits / inside.height) / (rest / other.height)
            half = 1.959964 * sqrt(1 / hits - 1 / inside.height + 1 / rest - 1 / other.height)
            assert (one.ratio, one.low, one.high) == pytest.approx(
                (ratio, exp(log(ratio) - half), exp(log(ratio) + half))
            )
    assert any(one.ratio is not None for one in found)
    none = causes.over_representation(snapshot, [code], "channel", Filters(), minimum=rows.height)
    assert all(one.ratio is None and not one.stands_out for one in none)


def test_a_group_is_the_sum_of_what_is_below_it(snapshot: Snapshot, rows: pl.DataFrame) -> None:
    tree = causes.cause_tree(snapshot)
    assert {cause.depth for cause in tree} >= {0, 1, 2}
    below = causes.subtree(tree, "us.network")
    assert set(below) == {"us.network", "us.network.outage", "us.network.coverage"}
    found = causes.cause_costs(snapshot, below, Filters())["cause_cases"].value
    assert (found or 0) == rows.filter(pl.col("root_cause").is_in(below)).height
    with pytest.raises(causes.CauseError, match="there is no cause"):
        causes.find_cause(snapshot, "nonsense")
    assert causes.find_cause(snapshot, "网络中断") == causes.find_cause(snapshot, "outage") == "us.network.outage"


def test_the_profile_of_a_cause_is_printed(demo_home: Path, snapshot: Snapshot, rows: pl.DataFrame) -> None:
    code = str(rows["root_cause"].value_counts(sort=True)["root_cause"][0])
    shown = csatlas(demo_home, "show", "cause", code, "--lang", "zh", "--from", "2020-01-01")
    assert shown.returncode == 0 and code in shown.stdout and "代价" in shown.stdout
    told = json.loads(csatlas(demo_home, "show", "cause", code, "--json", "--from", "2020-01-01").stdout)
    assert told["costs"]["cause_cases"]["value"] == rows.filter(pl.col("root_cause") == code).height
    assert len(told["cases"]) <= 5 and told["cases"][0]["complaint_id"] in shown.stdout
    wrong = csatlas(demo_home, "show", "cause", "nonsense")
    assert wrong.returncode == 2 and "us.network.outage" in wrong.stderr


def test_no_number_and_no_name_of_a_customer_is_in_the_marts_of_causes(demo_home: Path, snapshot: Snapshot) -> None:
    """Telephone numbers and names that the sources delivered stand in no cell of the public marts of causes."""
    identifiers = _warehouse(
        demo_home, "select distinct identifier_value as value from intermediate.int_customer_identifiers where identifier_kind in ('phone', 'email')"
    )  # fmt: skip
    names = _warehouse(
        demo_home,
        "select distinct customer_name as value from intermediate.int_customers where customer_kind = 'person'",
    )
    secrets = {row["value"] for row in identifiers + names if row["value"] and len(row["value"]) >= 2}
    secrets |= {value.removeprefix("+86") for value in secrets}
    assert len(secrets) > 100
    cells = {
        str(value)
        for table in (
            "fct_cause_costs",
            "fct_complaint_causes",
            "fct_cause_words",
            "fct_cause_candidates",
            "dim_causes",
        )
        for row in snapshot.frame(f"select * from {table}").rows()
        for value in row
        if isinstance(value, str)
    }
    words = {part for cell in cells for part in cell.replace("、", " ").replace(",", " ").split()}
    assert not secrets & (cells | words)
