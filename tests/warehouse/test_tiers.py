"""Money, tiers and concentration at their edges, each case by hand, from the files of a billing system through the real models."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb
import polars as pl
import pytest

from orchestration import warehouse
from tests.warehouse.shop_project import ShopProject, make_shop_project, opened

pytestmark = pytest.mark.slow


def _scheme(
    name: str, kind: str, kinds: str, *grades: tuple[str, str], basis: str = "revenue", ties: str = "up", crossing: str = "out",
    hysteresis: str = "0", stay: int = 0, default: bool = False, window: int = 1,
) -> list[str]:  # fmt: skip
    return [
        f"{name},{grade},{rank},{basis},{window},{kind},{cut},{ties},{crossing},{hysteresis},{stay},1,{kinds},{str(default).lower()}"
        for rank, (grade, cut) in enumerate(grades, 1)
    ]


SIX = [(f"g{n}", cut) for n, cut in enumerate(["0.5", "0.8", "0.9", "0.95", "0.98", ""], 1)]
SCHEMES = [
    *_scheme("abc", "cumulative_share", "person", ("a", "0.8"), ("b", "0.95"), ("c", "1"), ("d", "")),
    *_scheme("six", "cumulative_share", "person", *SIX),
    *_scheme("crossed", "cumulative_share", "person", ("a", "0.79"), ("rest", ""), crossing="in"),
    *_scheme("tied_up", "customer_share", "enterprise", ("top", "0.5"), ("rest", "")),
    *_scheme("tied_down", "customer_share", "enterprise", ("top", "0.5"), ("rest", ""), ties="down"),
    *_scheme("cards", "amount", "household", ("gold", "100"), ("silver", "50"), ("basic", ""), hysteresis="0.1", stay=2, default=True),
    *_scheme("metal", "amount", "household", ("iron", "0"), ("lead", ""), basis="profit"),
]  # fmt: skip
PERSONS = {"P1": 500, "P2": 300, "P3": 100, "P4": 50, "P5": 30, "P6": 20}
ENTERPRISES = {"E1": 1, "E2": 2, "E3": 3, "E4": 4}
TIED = {"E1": 5, "E2": 5, "E3": 5, "E4": 1}
"""What they are billed in February, when three of four are alike."""
# Household -> month -> amounts; a negative one is a return. May brings nothing to anybody.
HOUSEHOLDS: dict[str, dict[int, list[tuple[str, str]]]] = {
    "H1": {1: [("100", "CNY")], 2: [("95", "CNY")], 3: [("89.99", "CNY")], 4: [("60", "CNY")], 6: [("100", "CNY")]},
    "H2": {1: [("40", "CNY")], 2: [("100", "CNY")], 3: [("10", "CNY")], 4: [("10", "CNY")]},
    "H3": {1: [("60", "CNY")], 2: [("20", "CNY"), ("-80", "CNY")]},
    "H4": {1: [("10", "USD")]},
    "H5": {1: [("30", "EUR")], 3: [("34", "EUR")]},
    "H7": {1: [("40", "CNY")], 4: [("1", "CNY")]},
    "H8": {6: [("49.99", "CNY")], 3: [("7", "")]},
}
COSTS = {("H7", 1): "50"}
HISTORY: dict[str, list[tuple[str, str, str, int]]] = {
    # grade, move, reason, month evaluated
    "H1": [("gold", "entered", "entered", 1), ("silver", "down", "below_line", 3), ("gold", "up", "reached_line", 6)],
    "H2": [("basic", "entered", "entered", 1), ("gold", "up", "reached_line", 2), ("basic", "down", "stay_over", 4)],
    "H3": [("silver", "entered", "entered", 1), ("basic", "down", "no_turnover", 3)],
    "H5": [("silver", "entered", "entered", 1), ("gold", "up", "reached_line", 3), ("basic", "down", "no_turnover", 6)],
    "H7": [("basic", "entered", "entered", 1)],
    "H8": [("basic", "entered", "entered", 3)],
}


def _files(project: ShopProject) -> None:
    parties = ["party_no;party_type;name;phone;email;member_no;unit_code;since;updated_at"]
    charges: list[dict[str, Any]] = []

    def charge(who: str, month: int, amount: str, currency: str = "CNY", cost: str = "0", day: int = 10) -> None:
        kind = "refund" if amount.startswith("-") else "monthly"
        charges.append(
            {
                "charge_no": f"C{len(charges)}", "account_no": who, "party_no": who, "subscription_no": None, "unit_code": None, "product": "mob",
                "charge_type": kind, "amount": amount, "cost": cost, "currency": currency or None,
                "charged_at": f"2026-{month:02}-{day:02}T10:00:00Z", "due_date": None, "paid_date": None, "updated_at": "2026-07-11T00:00:00Z",
            }
        )  # fmt: skip

    for who, amount in PERSONS.items():
        parties.append(f"{who};P;{who};;;;;01.01.2020;2026-01-01T00:00:00Z")
        charge(who, 1, str(amount))
    for who, first in ENTERPRISES.items():
        parties.append(f"{who};E;{who};;;;;01.01.2020;2026-01-01T00:00:00Z")
        charge(who, 1, str(first))
        charge(who, 2, str(TIED[who]))
    for who, months in HOUSEHOLDS.items():
        parties.append(f"{who};H;{who};;;;;01.01.2020;2026-01-01T00:00:00Z")
        for month, amounts in months.items():
            for typed, currency in amounts:
                charge(who, month, typed, currency, COSTS.get((who, month), "0"))
    parties.append("H6;H;H6;;;;;01.01.2020;2026-01-01T00:00:00Z")
    # The month that is not over, and a charge of nobody.
    charge("P1", 7, "1")
    charge("GHOST", 2, "77")
    project.deliver("parties_20260711.csv", "\n".join(parties) + "\n", source="billing")
    pl.DataFrame(charges, schema_overrides={"subscription_no": pl.String, "unit_code": pl.String, "due_date": pl.String, "paid_date": pl.String}).write_parquet(
        project.home / "inbox" / "billing" / "charges_20260711.parquet"
    )  # fmt: skip


WANTED = ["+fct_tier_movements", "+fct_customer_tier_reasons", "+fct_money_concentration", "+fct_lorenz_points", "+fct_money_left_out", "+fct_tier_lines"]  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> ShopProject:
    project = make_shop_project(tmp_path_factory.mktemp("tiers"), "billing")
    project.replace_seed("tier_schemes", *SCHEMES)
    project.replace_seed("exchange_rates", "CNY,,1", "EUR,,2", "EUR,2026-03-01,3", "USD,2026-06-01,7")
    _files(project)
    project.load("load-1")
    warehouse.plan_of(project.settings, full=True)
    done = project.dbt("build", "--select", *WANTED, "--indirect-selection", "cautious")
    assert done.returncode == 0, done.stdout[-4000:]
    return project


@pytest.fixture(scope="module")
def marts(project: ShopProject) -> Iterator[duckdb.DuckDBPyConnection]:
    with opened(project) as connection:
        connection.execute(
            "create temp view named as select tiers.*, links.customer_id from fct_customer_tiers as tiers join dim_customer_links as links using (customer_key)"
        )
        yield connection


@pytest.fixture(scope="module")
def spare(project: ShopProject, tmp_path_factory: pytest.TempPathFactory) -> ShopProject:
    return project.copied_to(tmp_path_factory.mktemp("broken") / "tiers")


def _grades(marts: duckdb.DuckDBPyConnection, scheme: str, month: int) -> dict[str, str]:
    found = marts.execute(
        "select customer_id, grade from named where scheme = ? and valid_from <= ? and (valid_to is null or valid_to > ?)",
        [scheme, date(2026, month + 1, 1), date(2026, month + 1, 1)],
    ).fetchall()
    return dict(found)


def test_abc_as_published(marts: duckdb.DuckDBPyConnection) -> None:
    """500 300 100 50 30 20 -> .50 .80 .90 .95 .98 1: with lines at exactly these shares each grade has exactly one customer."""
    assert _grades(marts, "six", 1) == {who: f"g{n}" for n, who in enumerate(PERSONS, 1)}
    assert _grades(marts, "abc", 1) == {"P1": "a", "P2": "a", "P3": "b", "P4": "b", "P5": "c", "P6": "c"}
    lines = marts.execute("select grade, enter_amount from fct_tier_lines where scheme = 'six' and evaluated_month = date '2026-01-01' order by grade_rank").fetchall()  # fmt: skip
    assert lines == [
        *((f"g{n}", Decimal(amount)) for n, amount in enumerate(list(PERSONS.values())[:5], 1)),
        ("g6", None),
    ]


def test_who_crosses_the_line(marts: duckdb.DuckDBPyConnection) -> None:
    """The second customer crosses 79 %: with `in` he belongs to the better grade."""
    assert [who for who, grade in sorted(_grades(marts, "crossed", 1).items()) if grade == "a"] == ["P1", "P2"]


def test_without_turnover_is_d(marts: duckdb.DuckDBPyConnection) -> None:
    assert set(_grades(marts, "abc", 2).values()) == {"d"}


def test_ties_stay_together(marts: duckdb.DuckDBPyConnection) -> None:
    """Half of four is two; three are alike: all three rise, or none."""
    assert _grades(marts, "tied_up", 1) == {"E4": "top", "E3": "top", "E2": "rest", "E1": "rest"}
    assert _grades(marts, "tied_up", 2) == {"E1": "top", "E2": "top", "E3": "top", "E4": "rest"}
    assert set(_grades(marts, "tied_down", 2).values()) == {"rest"}


@pytest.mark.parametrize("who", sorted(HISTORY))
def test_history_of_a_household(marts: duckdb.DuckDBPyConnection, who: str) -> None:
    rows = marts.execute(
        "select grade, tier_move, tier_reason, month(evaluated_month), valid_from, valid_to from named where scheme = 'cards' and customer_id = ? order by valid_from",
        [who],
    ).fetchall()
    assert [row[:4] for row in rows] == HISTORY[who]
    ends = [row[4] for row in rows[1:]]
    assert [row[5] for row in rows] == [*ends, None]
    assert [row[4] for row in rows] == [date(2026, month + 1, 1) for *_, month in HISTORY[who]]


def test_numbers_behind_a_reason(marts: duckdb.DuckDBPyConnection) -> None:
    row = marts.execute(
        "select value_amount, previous_value_amount, line_amount, previous_grade from named where scheme = 'cards' and customer_id = 'H1' and evaluated_month = date '2026-03-01'"
    ).fetchone()
    assert row == (Decimal("89.99"), Decimal("95.00"), Decimal("90.00"), "gold")
    words = marts.execute(
        "select words_en, words_zh from fct_customer_tier_reasons where scheme = 'cards' and tier_reason = 'below_line'"
    ).fetchall()
    assert words == [
        (
            "89.99 in 1 months is below the 90.00 that keeps the grade Gold.",
            "近1个月89.99，低于保留黄金客户级所需的90.00。",
        )
    ]


def test_held_above_the_line(marts: duckdb.DuckDBPyConnection) -> None:
    """February: H1 by the hysteresis, H3 by the minimum stay; each is counted as held."""
    (held,) = marts.execute("select sum(held_customers) from fct_tier_movements where scheme = 'cards' and evaluated_month = date '2026-02-01'").fetchone() or (None,)  # fmt: skip
    stays = marts.execute(
        "select customer_id from named where scheme = 'cards' and held_by = 'minimum_stay'"
    ).fetchall()
    # H5 is silver in February with nothing billed, held by its stay.
    assert (held, stays) == (3, [])


def test_refund_above_charges_is_negative_and_flagged(marts: duckdb.DuckDBPyConnection) -> None:
    found = marts.execute(
        "select billed_amount, returned_amount from warehouse.intermediate.int_customer_money_months as money"
        " join warehouse.intermediate.int_customer_numbers using (customer_number) join dim_customer_links using (customer_key)"
        " where customer_id = 'H3' and month = date '2026-02-01'"
    ).fetchall()
    assert found == [(Decimal("20.00"), Decimal("-80.00"))]
    state = marts.execute("select gini, gini_state, whale_peak, losing_customers from fct_money_concentration where basis = 'revenue' and customer_kinds = 'household' and evaluated_month = date '2026-02-01'").fetchall()  # fmt: skip
    # 95 + 100 - 60 of 135: the curve of the best first rises to 195 / 135.
    assert state == [(None, "negative", pytest.approx(195 / 135, abs=1e-9), 1)]


def test_loses_money(marts: duckdb.DuckDBPyConnection) -> None:
    assert _grades(marts, "metal", 1)["H7"] == "lead"
    assert _grades(marts, "metal", 1)["H1"] == "iron"
    assert _grades(marts, "metal", 4)["H7"] == "iron"


def test_currencies(marts: duckdb.DuckDBPyConnection) -> None:
    """Euros at the rate of their day; a dollar before the first rate of dollars is left out and counted; no currency is the reporting one."""
    found = marts.execute(
        "select month(evaluated_month), value_amount from named where scheme = 'cards' and customer_id = 'H5' order by 1"
    ).fetchall()
    assert found == [(1, Decimal("60.00")), (3, Decimal("102.00")), (6, Decimal("0.00"))]
    left_out = marts.execute(
        "select currency, left_out_reason, transactions, amount from fct_money_left_out order by 1, 2"
    ).fetchall()
    assert left_out == [("CNY", "no_customer", 1, Decimal("77.00")), ("USD", "no_rate", 1, Decimal("10.00"))]
    assert marts.execute("select value_amount from named where scheme = 'cards' and customer_id = 'H8'").fetchall() == [
        (Decimal("7.00"),)
    ]


def test_no_transaction_no_tier(marts: duckdb.DuckDBPyConnection) -> None:
    assert marts.execute("select count(*) from named where customer_id in ('H4', 'H6')").fetchone() == (0,)


def test_a_month_without_data_grades_nobody(marts: duckdb.DuckDBPyConnection) -> None:
    states = dict(marts.execute("select month(evaluated_month), any_value(evaluation_state) from fct_tier_lines where scheme = 'cards' group by 1").fetchall())  # fmt: skip
    assert states == {1: "evaluated", 2: "evaluated", 3: "evaluated", 4: "evaluated", 5: "no_data", 6: "evaluated"}
    assert marts.execute(
        "select count(*) from fct_tier_movements where evaluated_month = date '2026-05-01'"
    ).fetchone() == (0,)


def test_gini_as_published(marts: duckdb.DuckDBPyConnection) -> None:
    """1, 2, 3, 4 -> .25; the best fifth of four is 0.8 of one customer."""
    (row,) = marts.execute("select gini, top_20_share, is_80_20, customers from fct_money_concentration where customer_kinds = 'enterprise' and evaluated_month = date '2026-01-01'").fetchall()  # fmt: skip
    assert row == (pytest.approx(0.25), pytest.approx(0.32), False, 4)
    points = marts.execute("select customer_percent, poorest_first_share, best_first_share from fct_lorenz_points where customer_kinds = 'enterprise' and evaluated_month = date '2026-01-01' order by 1").fetchall()  # fmt: skip
    assert [points[n] for n in (0, 5, 10, 15, 20)] == [
        (0, 0, 0),
        (25, 0.1, 0.4),
        (50, 0.3, 0.7),
        (75, 0.6, 0.9),
        (100, 1, 1),
    ]


def test_movements_add_up(marts: duckdb.DuckDBPyConnection) -> None:
    """Who has a grade after one evaluation has it before the next."""
    found = marts.execute(
        "with after as (select scheme, evaluated_month, grade, sum(customers) n from fct_tier_movements group by all),"
        " before as (select scheme, evaluated_month, previous_grade as grade, sum(customers) n from fct_tier_movements where previous_grade <> 'none' group by all)"
        " select count(*) from after join before on after.scheme = before.scheme and after.grade = before.grade"
        " and before.evaluated_month = after.evaluated_month + interval 1 month where after.n <> before.n"
    ).fetchone()
    assert found == (0,)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (_scheme("x", "amount", "person", ("a", "1"), ("b", ""), basis="clicks", default=True), "scheme x: basis clicks is none of revenue, profit, standing_orders."),
        (_scheme("x", "amount", "person", ("a", "1"), ("b", "2"), ("c", ""), default=True), "scheme x: the cuts of a and b overlap."),
        (_scheme("x", "customer_share", "person", ("a", "0.2"), ("b", "0.1"), ("c", ""), default=True), "scheme x: the cuts of a and b overlap."),
        ([line for line in _scheme("x", "amount", "person", ("a", "3"), ("b", "2"), ("c", ""), default=True) if ",b," not in line], "scheme x: the grade of rank 2 is missing."),
        (_scheme("x", "amount", "person", ("a", "3"), ("b", "2"), default=True), "scheme x: the lowest grade b takes all others and has no cut."),
        (_scheme("x", "amount", "person", ("a", "3"), ("b", "")), "one scheme is to be the default (is_default), 0 are."),
    ],
)  # fmt: skip
def test_a_broken_scheme_is_refused_in_words(spare: ShopProject, lines: list[str], words: str) -> None:
    spare.replace_seed("tier_schemes", *lines)
    done = spare.dbt(
        "build", "--select", "tier_schemes", "int_customer_money_windows", "--indirect-selection", "cautious"
    )
    assert done.returncode != 0 and words in " ".join(done.stdout.split()), done.stdout[-2000:]
