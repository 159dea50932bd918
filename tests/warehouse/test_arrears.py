"""Arrears at their edges, each case by hand, through every model and the snapshot: who pays which charge, ages, rolls, dunning, stops, double charges, bills."""

from __future__ import annotations

import csv
import io
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pytest

from dashboards.data.metrics import Filters, metric_values
from dashboards.data.snapshot import open_snapshot
from orchestration.serving import build
from tests.warehouse.shop_project import ShopProject, differences, make_shop_project, opened

pytestmark = pytest.mark.slow

LAST = date(2026, 7, 10)
"""The last day of the data. In June the source sends nothing at all."""


def _d(month: int, day: int, year: int = 2026) -> date:
    return date(year, month, day)


@dataclass(frozen=True)
class Charge:
    """One row of the charges; `no` is made unique by the case's name."""

    no: str = "1"
    on: date = date(2026, 3, 1)
    due: date | None = date(2026, 3, 20)
    amount: str = "100.00"
    paid: date | None = None
    kind: str = "MONTHLY"
    contract: str | None = "1"
    currency: str = "CNY"


@dataclass(frozen=True)
class Payment:
    """One row of the payments; `of`: number of the charge that it names, of this case (or `case/no` of another)."""

    on: date
    amount: str = "100,00"
    of: str | None = None
    currency: str = "CNY"


@dataclass(frozen=True)
class Case:
    """One account, what it was charged and paid, and the pieces that must come of it: charge, by, settled on, amount."""

    charges: tuple[Charge, ...] = (Charge(),)
    payments: tuple[Payment, ...] = ()
    pieces: tuple[tuple[str, str | None, date | None, str], ...] | None = None
    steps: tuple[tuple[str, date], ...] = ()
    complaints: tuple[date, ...] = ()


SECOND = Charge("2", _d(4, 1), _d(4, 20))
CASES: dict[str, Case] = {
    "by_reference": Case(payments=(Payment(_d(3, 25), of="1"),), pieces=(("1", "reference", _d(3, 25), "100"),)),
    "in_parts": Case(
        payments=(Payment(_d(3, 25), "60,00", "1"), Payment(_d(5, 2), "40,00", "1")),
        pieces=(("1", "reference", _d(3, 25), "60"), ("1", "reference", _d(5, 2), "40")),
    ),
    "too_much_pays_the_next": Case(
        (Charge(), SECOND), (Payment(_d(3, 10), "130,00", "1"),),
        (("1", "reference", _d(3, 10), "100"), ("2", "oldest_first", _d(4, 1), "30"), ("2", None, None, "70")),
    ),
    "oldest_first": Case(
        (Charge(), SECOND), (Payment(_d(5, 5), "150,00"),),
        (("1", "oldest_first", _d(5, 5), "100"), ("2", "oldest_first", _d(5, 5), "50"), ("2", None, None, "50")),
    ),
    "two_payments_lie_across_a_charge": Case(
        (Charge(), SECOND), (Payment(_d(5, 5), "70,00"), Payment(_d(5, 9), "80,00")),
        (("1", "oldest_first", _d(5, 5), "70"), ("1", "oldest_first", _d(5, 9), "30"), ("2", "oldest_first", _d(5, 9), "50"), ("2", None, None, "50")),
    ),
    "the_source_says_so": Case((Charge(paid=_d(3, 18)),), pieces=(("1", "source", _d(3, 18), "100"),)),
    "said_and_paid_is_paid_once": Case(
        (Charge(paid=_d(3, 18)), SECOND), (Payment(_d(3, 18)),), (("1", "source", _d(3, 18), "100"), ("2", None, None, "100"))
    ),
    "a_name_beats_what_is_said": Case((Charge(paid=_d(3, 18)),), (Payment(_d(3, 19), of="1"),), (("1", "reference", _d(3, 19), "100"),)),
    "refund_above_the_charge": Case(
        (Charge(), Charge("9", _d(3, 15), None, "-150.00", kind="REFUND"), SECOND), (),
        (("1", "oldest_first", _d(3, 15), "100"), ("2", "oldest_first", _d(4, 1), "50"), ("2", None, None, "50")),
    ),
    "another_currency_pays_nothing": Case(
        (Charge(), Charge("2", currency="USD")), (Payment(_d(3, 10), of="1", currency="USD"),),
        (("1", None, None, "100"), ("2", "oldest_first", _d(3, 10), "100")),
    ),
    "taken_back_by_the_bank": Case(
        (Charge(),), (Payment(_d(3, 15), of="1"), Payment(_d(3, 28), "-100,00", "1")),
        (("1", "reference", _d(3, 15), "100"), ("Z1", None, None, "100")),
    ),
    "names_a_charge_that_is_not_there": Case(payments=(Payment(_d(3, 25), of="none"),), pieces=(("1", "oldest_first", _d(3, 25), "100"),)),
    "names_anothers_charge": Case((), (Payment(_d(3, 25), of="paid_by_another/1"),), ()),
    "paid_by_another": Case(pieces=(("1", "reference", _d(3, 25), "100"),)),
    "credit_note": Case(
        (Charge(), Charge("9", _d(3, 10), None, "-30.00")), (), (("1", "oldest_first", _d(3, 10), "30"), ("1", None, None, "70"))
    ),
    "without_a_due_day": Case((Charge(due=None),), pieces=()),
    "paid_before_it_was_charged": Case(payments=(Payment(_d(2, 20)),), pieces=(("1", "oldest_first", _d(3, 1), "100"),)),
    "device": Case((Charge(kind="DEVICE"),), pieces=(("1", None, None, "100"),)),
    "late_30": Case((Charge(on=_d(2, 1), due=_d(3, 1)),)),
    "late_31": Case((Charge(on=_d(2, 1), due=_d(2, 28)),)),
    "due_on_the_last": Case((Charge(due=_d(3, 31)),)),
    # Dunning: step, day.
    "dunned": Case(
        payments=(Payment(_d(3, 31), "60,00", "1"), Payment(_d(4, 20), "40,00", "1")),
        steps=(("SMS1", _d(3, 23)), ("SMS2", _d(3, 30)), ("STOP", _d(4, 14))),
        complaints=(_d(3, 14), _d(3, 15), _d(4, 13), _d(4, 14), _d(4, 20), _d(5, 13), _d(5, 14)),
    ),
    "paid_on_the_day": Case(payments=(Payment(_d(3, 23), of="1"),), steps=(("SMS1", _d(3, 23)),)),
    "due_on_the_day": Case(steps=(("SMS1", _d(3, 20)),)),
    "nothing_owed": Case(payments=(Payment(_d(3, 10), of="1"),), steps=(("STOP", _d(4, 14)),)),
    "step_of_late": Case(steps=(("SMS1", _d(7, 1)),)),
    "stopped_of_late": Case(steps=(("STOP", _d(6, 20)),)),
    # Charged twice.
    "twice": Case((Charge(), Charge("2", _d(3, 2)), Charge("9", _d(4, 5), None, "-100.00", kind="REFUND"))),
    "given_back_late": Case((Charge(), Charge("2"), Charge("9", _d(7, 5), None, "-100.00", kind="REFUND"))),
    "given_back_in_part": Case((Charge(), Charge("2"), Charge("9", _d(4, 5), None, "-50.00", kind="REFUND"))),
    "not_over_yet": Case((Charge("1", _d(5, 20), _d(6, 9)), Charge("2", _d(5, 20), _d(6, 9)))),
    "two_contracts": Case((Charge(), Charge("2", contract="2"))),
    "no_contract": Case((Charge(contract=None), Charge("2", contract=None))),
    "the_next_month": Case((Charge(), SECOND)),
    "thrice": Case((Charge(), Charge("2"), Charge("3"), Charge("9", _d(4, 5), None, "-100.00", kind="REFUND"))),
    # Bills.
    **{
        name: Case(tuple(Charge(str(n), on, None, amount, contract=str(n)) for n, (on, amount) in enumerate(bills)))
        for name, bills in {
            "shock": [(_d(12, 1, 2025), "100.00"), (_d(1, 1), "100.00"), (_d(2, 1), "90.00"), (_d(3, 1), "130.00"), (_d(3, 9), "170.00")],
            "shock_at_the_edge": [(_d(12, 1, 2025), "100.00"), (_d(1, 1), "100.00"), (_d(2, 1), "100.00"), (_d(3, 1), "200.00")],
            "a_cent_below": [(_d(12, 1, 2025), "100.00"), (_d(1, 1), "100.00"), (_d(2, 1), "100.00"), (_d(3, 1), "199.99")],
            "small_money": [(_d(12, 1, 2025), "10.00"), (_d(1, 1), "10.00"), (_d(2, 1), "10.00"), (_d(3, 1), "59.99")],
            "few_bills": [(_d(1, 1), "100.00"), (_d(2, 1), "100.00"), (_d(3, 1), "900.00")],
            "one_low_bill": [(_d(12, 1, 2025), "10.00"), (_d(1, 1), "100.00"), (_d(2, 1), "100.00"), (_d(3, 1), "150.00")],
        }.items()
    },
}  # fmt: skip


def _random_case(seed: int) -> Case:
    """An account of March and April with up to eight charges and ten payments in two currencies, some of which name a charge."""
    dice = random.Random(seed)
    charges = tuple(
        Charge(
            str(n), on := _d(3, 1) + timedelta(dice.randrange(55)), on + timedelta(dice.randrange(5, 30)), f"{dice.randrange(1, 9)}0.{dice.randrange(3)}5",
            dice.choice([None, None, None, on + timedelta(9)]), contract=str(n), currency=dice.choice(["CNY", "CNY", "CNY", "USD"]),
        )
        for n in range(dice.randrange(1, 9))
    )  # fmt: skip
    payments = tuple(
        Payment(
            _d(3, 1) + timedelta(dice.randrange(80)), f"{dice.randrange(1, 15)}0,{dice.randrange(10)}0", dice.choice([None, None, dice.choice(charges).no, "none"]),
            dice.choice(["CNY", "CNY", "CNY", "USD"]),
        )
        for _ in range(dice.randrange(10))
    )  # fmt: skip
    return Case(charges, payments)


def _walked(case: Case) -> Counter[tuple[str, str | None, date | None, int]]:
    """The pieces of a case in cents, by carrying each cent's payment to its charge one after another; equal pieces of one day are one."""
    found: Counter[tuple[str, str | None, date | None, int]] = Counter()
    summed: Counter[tuple[str, str | None, date | None]] = Counter()
    for currency in ("CNY", "USD"):
        left = {row.no: round(float(row.amount) * 100) for row in case.charges if row.currency == currency}
        charges = {row.no: row for row in case.charges if row.currency == currency}
        pool: list[date] = []
        money = sorted(
            ((pay.on, f"Z{n}", pay) for n, pay in enumerate(case.payments) if pay.currency == currency),
            key=lambda row: row[:2],
        )
        for on, _, pay in money:
            cents = round(float(pay.amount.replace(",", ".")) * 100)
            if pay.of in charges:
                part = min(cents, left[pay.of])
                left[pay.of] -= part
                cents -= part
                if part:
                    found[pay.of, "reference", max(on, charges[pay.of].on), part] += 1
            pool += [on] * cents
        pool.sort()
        order = sorted(charges.values(), key=lambda row: (row.paid is None, row.paid or row.due, row.on, row.no))
        for row in order:
            took, pool = pool[: left[row.no]], pool[left[row.no] :]
            if row.paid is not None and left[row.no]:
                summed[row.no, "source", max(row.paid, row.on)] += left[row.no]
            elif row.paid is None:
                for day in took:
                    summed[row.no, "oldest_first", max(day, row.on)] += 1
                if left[row.no] > len(took):
                    summed[row.no, None, None] += left[row.no] - len(took)
    for key, cents in summed.items():
        found[(*key, cents)] += 1
    return found


RANDOM = {f"random{seed}": _random_case(seed) for seed in range(120)}


def _csv(header: str, rows: list[list[str]], delimiter: str = ";") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows([header.split(","), *rows])
    return text.getvalue()


def _write(project: ShopProject) -> None:
    parties, charges, payments, steps, customers = [], [], [], [], []
    tickets: list[list[str]] = []
    for name, case in (CASES | RANDOM).items():
        parties.append([f"B-{name}", "P", name, f"{name}@example.com", "2020-01-01 00:00:00"])
        customers.append(f"S-{name},{name},person,,{name}@example.com")
        for row in case.charges:
            charges.append({
                "charge_no": f"{name}/{row.no}", "account_no": f"D-{name}", "party_no": f"B-{name}", "unit_code": name, "product": "MOB",
                "subscription_no": None if row.contract is None else f"{name}/{row.contract}", "charge_type": row.kind, "amount": row.amount, "cost": "0",
                "currency": row.currency, "charged_at": f"{row.on} 04:00:00", "due_date": None if row.due is None else str(row.due),
                "paid_date": None if row.paid is None else str(row.paid), "updated_at": f"{row.on} 05:00:00",
            })  # fmt: skip
        for number, payment in enumerate(case.payments):
            of = "" if payment.of is None else payment.of if "/" in payment.of else f"{name}/{payment.of}"
            payments.append([
                f"{name}/Z{number}", f"D-{name}", f"B-{name}", of, "hall_cash", payment.amount, payment.currency, f"{payment.on:%d.%m.%Y} 12:00:00", "",
            ])  # fmt: skip
        for number, (step, day) in enumerate(case.steps):
            steps.append(
                f'{{"step_id": "{name}/{number}", "run": "R-{name}", "step": "{step}", "account_no": "D-{name}", "party_no": "B-{name}", "unit_code": "{name}",'
                f' "done_at": "{day}T12:00:00+08:00", "cost": 2.5, "result": "none", "updated_at": "{day}T12:00:00+08:00"}}'
            )
        for day in case.complaints:
            tickets.append(
                [f"{len(tickets) + 1}", f"S-{name}", "complaint", "open", f"{day} 02:00:00Z", f"{day} 02:00:00Z", "no"]
            )
    tickets += [
        [f"{len(tickets) + n}", "", "enquiry", "open", f"{day} 02:00:00Z", f"{day} 02:00:00Z", "no"]
        for n, day in ((1, _d(1, 1)), (2, LAST))
    ]
    payments.append(["last/Z0", "D-last", "B-last", "", "hall_cash", "1,00", "CNY", f"{LAST:%d.%m.%Y} 12:00:00", ""])
    billing = project.home / "inbox" / "billing"
    billing.mkdir(parents=True)
    pl.DataFrame(charges, schema={name: pl.String for name in charges[0]}).write_parquet(
        billing / "charges_20260711.parquet"
    )
    project.deliver(
        "parties_20260711.csv", _csv("party_no,party_type,name,email,updated_at", parties), source="billing"
    )
    project.deliver(
        "payments_20260711.csv",
        _csv("payment_no,account_no,party_no,charge_no,method,amount,currency,paid_at,bank_reference", payments),
        source="billing",
    )
    project.deliver("dunning_20260711.jsonl", "\n".join(steps) + "\n", source="retention")
    project.deliver("customers_20260711.csv", "id,name,kind,phone,email\n" + "\n".join(customers) + "\n")
    project.deliver("tickets_20260711.csv", _csv("id,customer,kind,status,created,updated,deleted", tickets, ","))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> ShopProject:
    project = make_shop_project(tmp_path_factory.mktemp("arrears"), "billing", "retention", "shop")
    _write(project)
    project.load("load-1")
    project.build(full=True)
    return project


@pytest.fixture(scope="module")
def marts(project: ShopProject) -> Iterator[duckdb.DuckDBPyConnection]:
    with opened(project) as connection:
        yield connection


@pytest.fixture(scope="module")
def snapshot(project: ShopProject) -> Path:
    return build.build_snapshot(project.settings, run_id="run-1").path


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.pieces is not None])
def test_which_money_settles_which_charge(marts: duckdb.DuckDBPyConnection, name: str) -> None:
    found = marts.execute(
        "select split_part(transaction_id, '/', 2), settled_by, settled_on, amount from warehouse.intermediate.int_receivables"
        " where split_part(transaction_id, '/', 1) = ? order by transaction_id, piece_number",
        [name],
    ).fetchall()
    expected = CASES[name].pieces
    assert expected is not None
    assert found == [(no, by, day, Decimal(amount)) for no, by, day, amount in expected]


def test_random_ledgers_agree_with_a_walk_cent_by_cent(marts: duckdb.DuckDBPyConnection) -> None:
    ways: Counter[str | None] = Counter()
    for name, case in RANDOM.items():
        rows = marts.execute(
            "select split_part(transaction_id, '/', 2), settled_by, settled_on, cast(amount * 100 as bigint) from warehouse.intermediate.int_receivables"
            " where split_part(transaction_id, '/', 1) = ?",
            [name],
        ).fetchall()
        assert Counter(rows) == _walked(case), name
        ways.update(row[1] for row in rows)
    assert set(ways) == {"reference", "source", "oldest_first", None} and min(ways.values()) > 20


def test_no_money_is_lost_or_made(marts: duckdb.DuckDBPyConnection) -> None:
    """Pieces of a charge add up to it, none is negative, and no account is credited more than it paid."""
    assert marts.execute(
        "select count(*) from (select r.source, r.transaction_id, sum(r.amount) as pieces, count(*) filter (where r.is_last_piece) as last_ones, min(r.amount) as least"
        " from warehouse.intermediate.int_receivables as r group by all) as p inner join fct_transactions as t using (source, transaction_id)"
        " where p.pieces <> abs(t.amount) or p.last_ones <> 1 or p.least <= 0"
    ).fetchone() == (0,)
    paid = marts.execute(
        "select sum(amount) filter (where settled_by in ('reference', 'oldest_first')) from warehouse.intermediate.int_receivables"
    ).fetchone()
    received = marts.execute(
        "select sum(abs(amount)) from fct_transactions where (transaction_kind = 'payment' and amount > 0) or (transaction_kind in ('return', 'charge') and amount < 0)"
    ).fetchone()
    assert paid and received and 0 < paid[0] <= received[0]


def _months(marts: duckdb.DuckDBPyConnection, name: str) -> list[tuple[object, ...]]:
    return marts.execute(
        "select stock_on, bucket, next_bucket, items, amount from fct_arrears_months where org_unit_id = ? order by stock_on, bucket, next_bucket desc",
        [name],
    ).fetchall()


def test_ages_and_what_becomes_of_them(marts: duckdb.DuckDBPyConnection) -> None:
    """The first part is in no stock; the second ages by a bucket and is paid in May."""
    assert _months(marts, "in_parts") == [
        (_d(3, 31), "1-30", "31-60", 1, Decimal(40)), (_d(4, 30), "31-60", "settled", 1, Decimal(40)),
    ]  # fmt: skip
    # In May 100 and 50 of 200 are paid: money moves in parts, the second charge stays where its rest is. May to June is not known.
    assert _months(marts, "oldest_first") == [
        (_d(3, 31), "1-30", "31-60", 1, Decimal(100)), (_d(4, 30), "1-30", "settled", 0, Decimal(50)), (_d(4, 30), "1-30", "31-60", 1, Decimal(50)),
        (_d(4, 30), "31-60", "settled", 1, Decimal(100)), (_d(5, 31), "31-60", None, 1, Decimal(50)), (_d(6, 30), "61-90", None, 1, Decimal(50)),
        (LAST, "61-90", None, 1, Decimal(50)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "bucket"), [("late_30", "1-30"), ("late_31", "31-60"), ("due_on_the_last", "not_due")]
)
def test_edges_of_the_buckets(marts: duckdb.DuckDBPyConnection, name: str, bucket: str) -> None:
    (row,) = [row for row in _months(marts, name) if row[0] == _d(3, 31)]
    assert row[1] == bucket


def test_a_month_without_data_is_not_judged(marts: duckdb.DuckDBPyConnection, snapshot: Path) -> None:
    found = marts.execute(
        "select distinct stock_on, is_month_end, is_known, is_roll_final from fct_arrears_months where stock_on >= date '2026-04-30' order by 1"
    ).fetchall()
    assert found == [
        (_d(4, 30), True, True, True), (_d(5, 31), True, True, False), (_d(6, 30), True, False, False), (LAST, False, True, False),
    ]  # fmt: skip
    with closing(open_snapshot(snapshot)) as one:
        june = metric_values(one, ["arrears_share", "arrears_accounts"], Filters(start=_d(6, 1), end=_d(6, 30)))
    assert june["arrears_share"].value is None


def test_accounts_by_their_oldest_debt(marts: duckdb.DuckDBPyConnection) -> None:
    found = marts.execute(
        "select stock_on, bucket, next_bucket, overdue_amount, is_first_time from fct_arrears_accounts where account_id = 'D-oldest_first' order by 1"
    ).fetchall()
    assert found == [
        (_d(3, 31), "1-30", "31-60", Decimal(100), True), (_d(4, 30), "31-60", "31-60", Decimal(200), False),
        (_d(5, 31), "31-60", None, Decimal(50), False), (_d(6, 30), "61-90", None, Decimal(50), False), (LAST, "61-90", None, Decimal(50), False),
    ]  # fmt: skip
    cured = marts.execute(
        "select next_bucket from fct_arrears_accounts where account_id = 'D-in_parts' and stock_on = date '2026-04-30'"
    ).fetchall()
    assert cured == [("cured",)]


def test_what_each_step_of_dunning_collects(marts: duckdb.DuckDBPyConnection) -> None:
    found = marts.execute(
        "select step, position_in_run, owed_amount, collected_amount, collected_before_next_amount, is_next_step_in_window from fct_dunning_steps"
        " where run_id = 'R-dunned' order by occurred_on"
    ).fetchall()
    assert found == [
        ("SMS1", 1, Decimal(100), Decimal(60), Decimal(0), True), ("SMS2", 2, Decimal(100), Decimal(60), Decimal(60), False),
        ("STOP", 3, Decimal(40), Decimal(40), Decimal(40), False),
    ]  # fmt: skip
    rest = dict(
        (run, tuple(values))
        for run, *values in marts.execute(
            "select run_id, owed_amount, collected_amount, is_nothing_owed, is_final from fct_dunning_steps where run_id <> 'R-dunned'"
        ).fetchall()
    )
    assert rest["R-paid_on_the_day"] == (Decimal(100), Decimal(100), False, True)
    assert rest["R-due_on_the_day"] == (Decimal(0), Decimal(0), True, True)
    assert rest["R-nothing_owed"] == (Decimal(0), Decimal(0), True, True)
    assert rest["R-step_of_late"] == (Decimal(100), None, False, False)


def test_complaints_before_and_after_a_stop(marts: duckdb.DuckDBPyConnection, snapshot: Path) -> None:
    """Of seven complaints two lie in the 30 days before, three in the 30 from the stop on."""
    found = marts.execute(
        "select account_id, is_wrong, complaints_before, complaints_after, is_final from fct_arrears_stops order by account_id"
    ).fetchall()
    assert found == [
        ("D-dunned", False, 2, 3, True), ("D-nothing_owed", True, 0, 0, True), ("D-stopped_of_late", False, None, None, False),
    ]  # fmt: skip
    with closing(open_snapshot(snapshot)) as one:
        values = metric_values(one, ["arrears_stops_wrong_rate", "stop_complaints_excess", "arrears_stops"], Filters())
    assert (values["arrears_stops"].value, values["arrears_stops_wrong_rate"].numerator) == (3, 1)
    assert (values["stop_complaints_excess"].numerator, values["stop_complaints_excess"].denominator) == (1, 2)


DOUBLES: dict[str, list[tuple[str, str, str | None, bool | None]]] = {
    "twice": [("2", "same_contract", "9", True)],
    "given_back_late": [("2", "same_contract", "9", False)],
    "given_back_in_part": [("2", "same_contract", None, False)],
    "not_over_yet": [("2", "same_contract", None, None)],
    "two_contracts": [],
    "no_contract": [("2", "same_product", None, False)],
    "the_next_month": [],
    "thrice": [("2", "same_contract", "9", True), ("3", "same_contract", None, False)],
}


@pytest.mark.parametrize("name", list(DOUBLES))
def test_charged_twice(marts: duckdb.DuckDBPyConnection, name: str) -> None:
    found = marts.execute(
        "select split_part(transaction_id, '/', 2), double_kind, split_part(return_id, '/', 2), is_corrected from fct_double_charges"
        " where account_id = ? order by 1",
        [f"D-{name}"],
    ).fetchall()
    assert found == DOUBLES[name]


def test_bills_against_their_own_median(marts: duckdb.DuckDBPyConnection, snapshot: Path) -> None:
    found = marts.execute(
        "select account_id, bill_amount, median_amount, earlier_bills from fct_bill_shocks order by account_id"
    ).fetchall()
    assert found == [("D-shock", Decimal(300), 100.0, 3), ("D-shock_at_the_edge", Decimal(200), 100.0, 3)]
    with closing(open_snapshot(snapshot)) as one:
        rate = metric_values(one, ["bill_shock_rate"], Filters())["bill_shock_rate"]
    # Five accounts have a fourth bill (one more has three).
    assert (rate.numerator, rate.denominator) == (2, 5)


def test_the_metrics_add_up_the_rows(marts: duckdb.DuckDBPyConnection, snapshot: Path) -> None:
    """By hand over the pieces: what was open, overdue and older a month later, in the main currency."""
    pieces = marts.execute(
        "select occurred_on, due_on, settled_on, amount from warehouse.intermediate.int_receivables where currency = 'CNY'"
    ).fetchall()
    end, after = _d(3, 31), _d(4, 30)
    at_end = [
        (due, settled, amount)
        for on, due, settled, amount in pieces
        if on <= end and (settled is None or settled > end)
    ]

    def bucket(due: date, day: date) -> int:
        return sum((day - due).days >= edge for edge in (1, 31, 61, 91))

    overdue = sum(amount for due, _, amount in at_end if due < end)
    rolled = sum(
        amount
        for due, settled, amount in at_end
        if (settled is None or settled > after) and bucket(due, after) > bucket(due, end)
    )
    with closing(open_snapshot(snapshot)) as one:
        found = metric_values(
            one,
            ["arrears_amount", "arrears_receivables", "arrears_share", "arrears_roll_rate", "arrears_items"],
            Filters(start=_d(3, 1), end=end),
        )
    everything = sum(amount for *_, amount in at_end)
    assert found["arrears_amount"].value == pytest.approx(float(overdue))
    assert found["arrears_receivables"].value == pytest.approx(float(everything))
    assert found["arrears_share"].value == pytest.approx(float(overdue / everything))
    assert found["arrears_roll_rate"].value == pytest.approx(float(rolled / everything))
    assert 0 < rolled < everything and 0 < overdue < everything


def test_a_later_payment_restates_and_incremental_is_full(project: ShopProject, tmp_path: Path) -> None:
    one, other = (ShopProject(project.root, tmp_path / name, project.sources) for name in ("one", "other"))
    shutil.copytree(project.home, one.home, symlinks=True)
    one.deliver(
        "payments_20260712.csv",
        _csv(
            "payment_no,account_no,party_no,charge_no,method,amount,currency,paid_at,bank_reference",
            [["late/Z1", "D-device", "B-device", "device/1", "hall_cash", "100,00", "CNY", "25.03.2026 12:00:00", ""]],
        ),
        source="billing",
    )
    one.load("load-2")
    one.build()
    other.home.mkdir()
    shutil.copyfile(one.settings.raw_path, other.settings.raw_path)
    other.build(full=True)
    assert differences(one, other) == {}
    with opened(one) as connection:
        settled = connection.execute(
            "select settled_on from warehouse.intermediate.int_receivables where transaction_id = 'device/1'"
        ).fetchall()
    assert settled == [(_d(3, 25),)]
