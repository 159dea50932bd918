"""Churn at its edges, each case by hand, through every model and the snapshot: contracts that follow each other or not, months, rules, published examples."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dashboards.data.metrics import Filters, metric_values
from dashboards.data.snapshot import open_snapshot
from orchestration.serving import build
from tests.warehouse.shop_project import ShopProject, make_shop_project, opened

pytestmark = pytest.mark.slow

LAST = date(2026, 7, 10)
"""Day of the delivery."""
AML = {"a1": (9, True), "a2": (13, True), "a3": (13, False), "a4": (18, True), "a5": (23, True), "a6": (28, False),
       "a7": (31, True), "a8": (34, True), "a9": (45, False), "a10": (48, True), "a11": (161, False)}  # fmt: skip
"""Weeks of the maintained group; False = the data end."""
FIRST = LAST + timedelta(days=1) - timedelta(weeks=161)

# customer -> contracts: product, start, end, reason, fee, further columns
Contract = tuple[str, str, str, str, float, dict[str, str]]


def _c(product: str, starts: str, ends: str = "", reason: str = "", fee: float = 100, **further: str) -> Contract:
    return product, starts, ends, reason, fee, further


CASES: dict[str, list[Contract]] = {
    # What is a departure.
    "stays": [_c("mobile", "2024-01-10")],
    "leaves": [_c("mobile", "2024-01-10", "2026-02-11", "K03")],
    "plan_change": [_c("mobile", "2024-01-10", "2026-02-11", "K09"), _c("mobile", "2026-02-12", fee=120)],
    "overlap": [_c("mobile", "2024-01-10", "2026-02-11", "K09"), _c("mobile", "2026-01-05")],
    "long_before": [_c("mobile", "2023-12-01"), _c("mobile", "2024-01-10", "2026-02-11", "K09")],
    "in_grace": [_c("mobile", "2024-01-10", "2026-01-20"), _c("mobile", "2026-02-20")],  # thirty days without
    "after_grace": [_c("mobile", "2024-01-10", "2026-01-20"), _c("mobile", "2026-02-21")],
    "two_lines": [_c("mobile", "2024-01-10"), _c("broadband", "2024-01-10", "2026-02-11", fee=60)],
    "both_lines": [_c("mobile", "2024-01-10", "2026-02-11"), _c("broadband", "2024-01-10", "2026-02-11", fee=160)],
    "other_line_follows": [_c("mobile", "2024-01-10", "2026-02-11"), _c("broadband", "2026-03-01")],
    "announced": [_c("mobile", "2024-01-10", "2026-08-31", "K03")],
    "on_the_last_day": [_c("mobile", "2024-01-10", "2026-07-10", "K03")],
    "not_begun": [_c("mobile", "2026-08-01")],
    "passing": [_c("mobile", "2026-03-05", "2026-03-20", "K05")],
    "backwards": [_c("mobile", "2026-03-05", "2026-03-01", "K03")],
    "dollars": [_c("mobile", "2024-01-10", "2026-02-11", "K03", 10, currency="USD")],
    # What type it is of.
    "blank": [_c("mobile", "2024-01-10", "2026-02-11")],
    "other_reason": [_c("mobile", "2024-01-10", "2026-02-11", "K09")],
    "moved": [_c("mobile", "2024-01-10", "2026-02-11", "K01")],
    "arrears_code": [_c("mobile", "2024-01-10", "2026-02-11", "K06")],
    "unhappy_code": [_c("mobile", "2024-01-10", "2026-02-11", "K05")],
    "two_reasons": [_c("mobile", "2024-01-10", "2026-02-11", "K03"), _c("mobile", "2024-01-10", "2026-02-11", "K01")],
    "porting": [_c("mobile", "2024-01-10", "2026-02-11", "K09")],
    "porting_long_ago": [_c("mobile", "2024-01-10", "2026-02-11", "K09")],
    "porting_afterwards": [_c("mobile", "2024-01-10", "2026-02-11", "K09")],
    "complained": [_c("mobile", "2024-01-10", "2026-02-11", "K09")],
    "complained_unsolved": [_c("mobile", "2024-01-10", "2026-02-11", "K09")],
    "code_before_complaint": [_c("mobile", "2024-01-10", "2026-02-11", "K01")],
    "owes_60": [_c("mobile", "2024-01-10", "2026-02-11")],
    "owes_59": [_c("mobile", "2024-01-10", "2026-02-11")],
    "blacklisted": [_c("mobile", "2024-01-10", "2026-02-11", "K01")],
}  # fmt: skip

TICKETS = {
    "porting": ("enquiry", "number_porting", "2026-02-01", ""),
    "porting_long_ago": ("enquiry", "number_porting", "2025-12-27", ""),  # 46 days before
    "porting_afterwards": ("enquiry", "number_porting", "2026-02-12", ""),
    "complained": ("complaint", "staff_attitude", "2026-01-20", "2026-01-25"),
    "complained_unsolved": ("complaint", "bill_dispute", "2025-12-01", "2026-02-20"),
    "code_before_complaint": ("complaint", "staff_attitude", "2026-01-20", "2026-01-25"),
}
BILLS = {"owes_60": "2025-12-13", "owes_59": "2025-12-14", "blank": "2026-02-20"}

# customer: line, day, whole, type, rule; several lines in the order of their names
DEPARTURES: dict[str, list[tuple[str, str, bool, str, int | None]]] = {
    "stays": [], "plan_change": [], "overlap": [], "long_before": [], "in_grace": [], "announced": [], "not_begun": [], "backwards": [],
    "leaves": [("mobile", "2026-02-11", True, "competitive", 40)],
    "after_grace": [("mobile", "2026-01-20", True, "unknown", None)],
    "two_lines": [("broadband", "2026-02-11", False, "unknown", None)],
    "both_lines": [("broadband", "2026-02-11", True, "unknown", None), ("mobile", "2026-02-11", True, "unknown", None)],
    "other_line_follows": [("mobile", "2026-02-11", False, "unknown", None)],
    "on_the_last_day": [("mobile", "2026-07-10", True, "competitive", 40)],
    "passing": [("mobile", "2026-03-20", True, "negligent", 50)],
    "dollars": [("mobile", "2026-02-11", True, "competitive", 40)],
    "blank": [("mobile", "2026-02-11", True, "unknown", None)],
    "other_reason": [("mobile", "2026-02-11", True, "unknown", None)],
    "moved": [("mobile", "2026-02-11", True, "natural", 30)],
    "arrears_code": [("mobile", "2026-02-11", True, "malicious", 20)],
    "unhappy_code": [("mobile", "2026-02-11", True, "negligent", 50)],
    "two_reasons": [("mobile", "2026-02-11", True, "natural", 30)],
    "porting": [("mobile", "2026-02-11", True, "competitive", 80)],
    "porting_long_ago": [("mobile", "2026-02-11", True, "unknown", None)],
    "porting_afterwards": [("mobile", "2026-02-11", True, "unknown", None)],
    "complained": [("mobile", "2026-02-11", True, "negligent", 110)],
    "complained_unsolved": [("mobile", "2026-02-11", True, "negligent", 100)],
    "code_before_complaint": [("mobile", "2026-02-11", True, "natural", 30)],
    "owes_60": [("mobile", "2026-02-11", True, "malicious", 70)],
    "owes_59": [("mobile", "2026-02-11", True, "unknown", None)],
    "blacklisted": [("mobile", "2026-02-11", True, "malicious", 10)],
}  # fmt: skip

# Of a unit of their own: 27,000 at the start of March, 5,000 lost, 8,000 more; who joins, or joins and leaves, is in neither.
RETENTION: dict[str, list[Contract]] = {
    "n_lost": [_c("mobile", "2024-01-10", "2026-03-15", "K04", 5_000)],
    "n_grows": [_c("mobile", "2024-01-10", "2026-03-09", "", 12_000), _c("mobile", "2026-03-10", fee=20_000)],
    "n_stays": [_c("mobile", "2024-01-10", fee=10_000)],
    "n_joins": [_c("mobile", "2026-03-05", fee=9_000)],
    "n_passes": [_c("mobile", "2026-03-05", "2026-03-28", fee=7_000)],
}
SHRINKS = {"s_shrinks": [_c("mobile", "2024-01-10", "2026-04-19", fee=300), _c("mobile", "2026-04-20", fee=100)], "s_grows": [_c("mobile", "2024-01-10", "2026-04-19", fee=100), _c("mobile", "2026-04-20", fee=900)]}  # fmt: skip
ORDERS = {
    # Every ten days, then never again: three times his rhythm is 30 days.
    "o_rhythm": ["2025-10-01", "2025-10-11", "2025-10-21", "2025-10-31"],
    "o_back": ["2025-10-01", "2025-10-11", "2025-10-21", "2025-12-20", "2026-01-04"],
    "o_once": ["2025-12-01"],
    "o_lately": ["2026-06-20"],
    "o_slow": ["2024-01-01", "2024-09-01", "2025-05-01", "2026-01-01"],
    "stays": ["2024-05-01"],
}


def _rows(customers: dict[str, list[Contract]], unit: str, currency: str = "CNY") -> list[str]:
    lines = []
    for customer, contracts in customers.items():
        for number, (product, starts, ends, reason, fee, further) in enumerate(contracts):
            lines.append(
                f"{customer}-{number},acc-{customer},{customer},{unit},{product},{starts},{ends},{reason},12,{fee},{further.get('currency', currency)}"
            )
    return lines


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> ShopProject:
    project = make_shop_project(tmp_path_factory.mktemp("churn"))
    project.deliver(
        "units_20260710.csv",
        "unit,above,level\nHQ,,headquarters\nP1,HQ,province\nNRR,HQ,province\nSHR,HQ,province\nAML,HQ,province\n",
    )
    aml = {
        name: [
            _c(
                "aml",
                str(FIRST if left else LAST + timedelta(days=1) - timedelta(weeks=weeks)),
                str(FIRST + timedelta(weeks=weeks) - timedelta(days=1)) if left else "",
            )
        ]
        for name, (weeks, left) in AML.items()
    }
    head = "id,account,customer,unit,product,starts,ends,reason,months,fee,currency"
    lines = _rows(CASES, "P1") + _rows(RETENTION, "NRR") + _rows(SHRINKS, "SHR") + _rows(aml, "AML")
    lines.append("nobody-0,acc-nobody,,P1,mobile,2024-01-10,2026-02-11,K01,12,100,CNY")
    project.deliver("contracts_20260710.csv", "\n".join([head, *lines]) + "\n")
    names = [*CASES, *RETENTION, *SHRINKS, *ORDERS, *(name for name in aml if name != "a1")]
    project.deliver(
        "customers_20260710.csv",
        "id,name,kind,phone,email\n" + "".join(f"{name},{name},person,,\n" for name in dict.fromkeys(names)),
    )
    project.deliver(
        "tickets_20260710.csv",
        "id,customer,kind,status,created,updated,deleted,solved,topic\n"
        + "".join(
            f"t-{name},{name},{kind},{'solved' if solved else 'open'},{made} 10:00:00,{solved or made} 10:00:00,no,{solved + ' 10:00:00' if solved else ''},{topic}\n"
            for name, (kind, topic, made, solved) in TICKETS.items()
        ),
    )
    # A movement in every month but May.
    paid = [
        f"p-{year}-{month},stays,{year}-{month:02d}-15 10:00:00,100,payment,"
        for year in (2023, 2024, 2025, 2026)
        for month in range(1, 13)
        if (year, month) <= (2026, 7) and (year, month) != (2026, 5)
    ]
    paid += [f"b-{name},{name},2025-11-25 10:00:00,100,charge,{due}" for name, due in BILLS.items()]
    paid += [
        f"o-{name}-{number},{name},{day} 10:00:00,50,order,"
        for name, days in ORDERS.items()
        for number, day in enumerate(days)
    ]
    project.deliver("payments_20260710.csv", "\n".join(["id,customer,paid,amount,kind,due", *paid]) + "\n")
    project.deliver(
        "troubles_20260710.csv",
        "id,kind,product,starts,object\ne1,blacklist,mobile,2026-01-01 10:00:00,acc-blacklisted\n",
    )
    project.load("load-1")
    project.build(full=True)
    return project


@pytest.fixture(scope="module")
def marts(project: ShopProject) -> Iterator[duckdb.DuckDBPyConnection]:
    with opened(project) as connection:
        connection.execute("create temp table who as select customer_id, customer_key from dim_customer_links")
        yield connection


@pytest.fixture(scope="module")
def values(project: ShopProject) -> Any:
    with closing(open_snapshot(build.build_snapshot(project.settings, run_id="run-1").path)) as snapshot:

        def ask(name: str, unit: str, first: str, last: str) -> Any:
            return metric_values(
                snapshot, [name], Filters(date.fromisoformat(first), date.fromisoformat(last), units=(unit,))
            )[name]

        yield ask


def test_every_case_has_an_expectation() -> None:
    assert set(DEPARTURES) == set(CASES)


@pytest.mark.parametrize("name", list(DEPARTURES))
def test_departures(marts: duckdb.DuckDBPyConnection, name: str) -> None:
    found = marts.execute(
        "select product_line, cast(left_on as varchar), is_whole, churn_type, rule_order from fct_churn_events inner join who using (customer_key)"
        " where customer_id = ? and churn_kind = 'contract' order by product_line",
        [name],
    ).fetchall()
    assert found == DEPARTURES[name]


def test_an_end_before_the_start_is_quarantined_with_its_reason(marts: duckdb.DuckDBPyConnection) -> None:
    found = marts.execute(
        "select _status, _reasons from warehouse.intermediate.int_subscriptions where subscription_id = 'backwards-0'"
    ).fetchall()
    assert found == [("quarantined", ["rule:end_before_start"])]
    assert marts.execute(
        "select count(*) from warehouse.features.ftr_contract_spells where subscription_id = 'backwards-0'"
    ).fetchone() == (0,)


def test_one_row_stands_for_a_customer_who_leaves_two_lines(marts: duckdb.DuckDBPyConnection) -> None:
    found = marts.execute(
        "select product_line, is_customer_departure, monthly_fee from fct_churn_events inner join who using (customer_key) where customer_id = 'both_lines' order by 1"
    ).fetchall()
    assert [(line, whole, float(fee)) for line, whole, fee in found] == [
        ("broadband", True, 160.0),
        ("mobile", False, 100.0),
    ]


def test_what_is_not_final(marts: duckdb.DuckDBPyConnection) -> None:
    found = dict(
        marts.execute(
            "select customer_id, is_final from fct_churn_events inner join who using (customer_key)"
        ).fetchall()
    )
    assert not found["on_the_last_day"] and found["leaves"]


def test_who_comes_back(marts: duckdb.DuckDBPyConnection) -> None:
    found = marts.execute(
        "select cast(month_start as varchar), is_at_start, is_at_end, is_joined, is_reactivated, is_lost from fct_customer_months inner join who using (customer_key)"
        " where customer_id = 'after_grace' order by 1"
    ).fetchall()
    assert found == [
        ("2024-01-01", False, True, True, False, False),
        ("2026-01-01", True, False, False, False, True),
        ("2026-02-01", False, True, False, True, False),
    ]


def test_a_gap_within_grace_moves_no_money(marts: duckdb.DuckDBPyConnection) -> None:
    found = marts.execute(
        "select count(*) from fct_customer_months inner join who using (customer_key) where customer_id = 'in_grace'"
    ).fetchone()
    assert found == (1,)


def test_another_currency_counts_and_has_no_fee(marts: duckdb.DuckDBPyConnection) -> None:
    found = marts.execute(
        "select monthly_fee, is_other_currency from warehouse.features.ftr_contract_spells where subscription_id = 'dollars-0'"
    ).fetchall()
    assert [(float(fee), other) for fee, other in found] == [(0.0, True)]


def test_who_is_not_identified_is_held_apart(marts: duckdb.DuckDBPyConnection) -> None:
    found = marts.execute(
        "select customer_key, churn_type from fct_churn_events where holder_key = 'shop:acc-nobody'"
    ).fetchall()
    assert found == [(None, "natural")]
    assert marts.execute("select count(*) from fct_churn_events where holder_key = 'shop:a1'").fetchone() == (1,)


def test_the_evidence_is_kept(marts: duckdb.DuckDBPyConnection) -> None:
    found = {
        name: row
        for name, *row in marts.execute(
            "select customer_id, evidence, evidence_reference, evidence_days_before, evidence_count, types_with_evidence from fct_churn_events inner join who using (customer_key)"
        ).fetchall()
    }
    assert found["porting"] == ["tickets", "t-porting", 10, 1, 1]
    assert found["complained_unsolved"] == ["unsolved_tickets", "t-complained_unsolved", 72, 1, 1]
    assert found["owes_60"] == ["arrears", "b-owes_60", 0, 60, 1]
    assert found["blacklisted"] == ["operational_events", "e1", 41, 1, 2]
    assert found["code_before_complaint"][0] == "end_reason" and found["code_before_complaint"][-1] == 2
    assert found["blank"] == ["none", None, None, None, 0]


def test_causes_sum_to_one_or_are_not_known(marts: duckdb.DuckDBPyConnection) -> None:
    found = {
        name: row
        for name, *row in marts.execute(
            "select customer_id, cause_value, cause_system, cause_employee, main_cause from fct_churn_events inner join who using (customer_key) where churn_kind = 'contract'"
        ).fetchall()
    }
    assert found["blank"] == [None, None, None, "unknown"] and found["moved"] == [None, None, None, "unknown"]
    # The type that was found, and one complaint about people without a code: (0.15, 0.50, 0.35) + (0, 0, 1), divided by 2.
    assert found["complained"] == [0.075, 0.25, 0.675, "employee"]
    assert found["code_before_complaint"] == [0.0, 0.0, 1.0, "employee"]
    assert found["leaves"] == [0.85, 0.1, 0.05, "value"]
    known = [row for row in found.values() if row[0] is not None]
    assert known and all(sum(row[:3]) == pytest.approx(1) for row in known)


def test_by_inactivity_against_the_own_rhythm(marts: duckdb.DuckDBPyConnection) -> None:
    found = marts.execute(
        "select customer_id, cast(left_on as varchar), cast(returned_on as varchar), product_line from fct_churn_events inner join who using (customer_key)"
        " where churn_kind = 'inactivity' order by 1, 2"
    ).fetchall()
    assert found == [
        ("o_back", "2025-10-21", "2025-12-20", "orders"),
        ("o_back", "2026-01-04", None, "orders"),
        ("o_once", "2025-12-01", None, "orders"),
        ("o_rhythm", "2025-10-31", None, "orders"),
    ]


def test_the_published_net_retention(values: Any) -> None:
    month = ("NRR", "2026-03-01", "2026-03-31")
    assert values("recurring_revenue_at_start", *month).value == 27_000
    assert (values("recurring_revenue_lost", *month).value, values("recurring_revenue_expanded", *month).value) == (
        5_000,
        8_000,
    )
    assert round(values("net_revenue_retention", *month).value, 2) == 1.11
    assert values("gross_revenue_retention", *month).value == pytest.approx(22 / 27)
    logo = values("logo_churn", *month)
    assert (logo.numerator, logo.denominator) == (1, 3)
    assert (values("customers_joined", *month).value, values("customers_passing", *month).value) == (2, 1)
    assert values("logo_churn_annualised", *month).value == pytest.approx(1 - (2 / 3) ** 12)


def test_gross_retention_is_capped_customer_by_customer(values: Any) -> None:
    """One pays 200 less, the other 800 more: gross retention keeps the loss, net retention 250 %."""
    month = ("SHR", "2026-04-01", "2026-04-30")
    assert values("gross_revenue_retention", *month).value == pytest.approx(200 / 400)
    assert values("net_revenue_retention", *month).value == pytest.approx(1000 / 400)
    assert values("revenue_churn", *month).value == pytest.approx(200 / 400)
    assert values("revenue_churn_of_the_lost", *month).value == 0


def test_a_month_without_data_and_one_that_is_not_final_have_no_rate(
    values: Any, marts: duckdb.DuckDBPyConnection
) -> None:
    assert values("logo_churn", "P1", "2026-05-01", "2026-05-31").value is None
    assert values("logo_churn", "P1", "2026-07-01", "2026-07-31").value is None
    assert values("logo_churn", "P1", "2026-02-01", "2026-02-28").value is not None
    assert values("customers_lost_not_final", "P1", "2026-07-01", "2026-07-31").value == 1
    found = dict(
        marts.execute(
            "select cast(month_start as varchar), bool_and(has_data) from fct_retention_months group by 1"
        ).fetchall()
    )
    assert not found["2026-05-01"] and found["2026-04-01"]


def test_months_balance(marts: duckdb.DuckDBPyConnection) -> None:
    """What a month ends with is what the next one begins with, and what came less what went."""
    wrong = marts.execute(
        "select count(*) from (select *, lead(at_start) over w as next_start, lead(fee_at_start) over w as next_fee from fct_retention_months"
        " window w as (partition by source, org_unit_id, customer_kind, product_line order by month_start))"
        " where next_start <> at_end or next_fee <> fee_at_end or at_start + joined + reactivated - passing - lost <> at_end"
        " or fee_at_start - lost_fee - contraction_fee + expansion_fee + new_fee + reactivated_fee <> fee_at_end"
    ).fetchone()
    assert wrong == (0,)


def test_the_published_survival_curve(marts: duckdb.DuckDBPyConnection) -> None:
    found = marts.execute(
        "select days / 7, round(survival, 3), median_days / 7 from fct_survival_curves where stratum_kind = 'product_line' and stratum = 'aml' and departures > 0 order by days"
    ).fetchall()
    assert [row[0] for row in found] == [9, 13, 18, 23, 31, 34, 48]
    assert [row[1] for row in found] == [0.909, 0.818, 0.716, 0.614, 0.491, 0.368, 0.184]
    assert {row[2] for row in found} == {31}


def test_cohorts_are_a_triangle(marts: duckdb.DuckDBPyConnection) -> None:
    found = marts.execute(
        "select age_months, is_complete, sum(joined), sum(active) from fct_cohort_months where cohort_on = '2026-03-01' and org_unit_id = 'NRR' and age_months < 5 group by all order by 1"
    ).fetchall()
    assert found == [(0, True, 2, 1), (1, True, 2, 1), (2, True, 2, 1), (3, False, 2, None), (4, False, 2, None)]
    # June is over, the thirty days of grace after it are not.
    assert marts.execute(
        "select min(cohort_on) >= min(observed_from) from fct_cohort_months, warehouse.features.ftr_line_stretches"
    ).fetchone() == (True,)


def test_hazards_say_what_they_compare(marts: duckdb.DuckDBPyConnection) -> None:
    found = marts.execute(
        "select property, state, level from fct_churn_hazards where property = 'customer_kind' order by state"
    ).fetchall()
    assert ("customer_kind", "reference", "person") in found


def test_the_rules_are_the_users(project: ShopProject, tmp_path: Path) -> None:
    """Another list of rules gives other types; the old build is not touched."""
    import shutil

    root = tmp_path / "copy"
    shutil.copytree(project.root, root, symlinks=True)
    other = ShopProject(root, root / "home")
    other.replace_seed(
        "churn_rules", "5,contract_term,,30,1,competitive,near the end of a term", "6,end_reason,,,1,natural,any reason"
    )
    done = other.dbt(
        "build", "--exclude-resource-type", "test", "--select", "churn_rules", "ftr_churn_evidence", "fct_churn_events"
    )
    assert done.returncode == 0, done.stdout[-3000:]
    with opened(other) as marts:
        found = dict(
            marts.execute(
                "select customer_id, churn_type from fct_churn_events inner join dim_customer_links using (customer_key) where customer_id in ('leaves', 'blank', 'n_lost')"
            ).fetchall()
        )
    # 2024-01-10 to 2026-02-11 is 33 days after two years; both have a reason or none.
    assert found == {"leaves": "natural", "blank": "unknown", "n_lost": "natural"}
