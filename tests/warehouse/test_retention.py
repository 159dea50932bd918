"""Keeping and winning back at their edges, each case by hand, through every model and the snapshot: what became of the customer, effects, costs, the list and the draw."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from math import sqrt
from pathlib import Path

import duckdb
import polars as pl
import pytest

from dashboards.data.metrics import Filters, metric_values
from dashboards.data.snapshot import open_snapshot
from orchestration.operations import draws, winback_draws
from orchestration.serving import build
from tests.warehouse.shop_project import ShopProject, make_shop_project, opened

pytestmark = pytest.mark.slow

OFFER = date(2026, 2, 1)
LAST = date(2026, 7, 10)
"""The day of an offer that names no other, and the last day of the data."""


def _d(month: int, day: int, year: int = 2026) -> date:
    return date(year, month, day)


LONG_AGO = date(2025, 3, 1)


@dataclass(frozen=True)
class Case:
    """A customer: contracts (first and last day), one action, and what the mart must say.

    `expected`: goal, reached after the short and the long time, lost on, came back on.
    """

    expected: tuple[object, ...]
    contracts: tuple[tuple[date, date | None], ...] = ((LONG_AGO, None),)
    kind: str = "offer"
    at: date = OFFER
    control: bool = False
    outcome: str = "declined"
    owes: bool = False


CASES: dict[str, Case] = {
    "stays": Case(("keep", True, True, None, None)),
    "gone_on_day_29": Case(("keep", False, False, _d(3, 2), None), ((LONG_AGO, _d(3, 2)),)),
    "gone_on_day_30": Case(("keep", True, False, _d(3, 3), None), ((LONG_AGO, _d(3, 3)),)),
    "gone_on_day_89": Case(("keep", True, False, _d(5, 1), None), ((LONG_AGO, _d(5, 1)),)),
    "gone_on_day_90": Case(("keep", True, True, _d(5, 2), None), ((LONG_AGO, _d(5, 2)),)),
    "gone_on_the_day": Case(("keep", False, False, OFFER, None), ((LONG_AGO, OFFER),)),
    "another_tariff": Case(("keep", True, True, None, None), ((LONG_AGO, _d(2, 10)), (_d(3, 1), None))),
    "gap_of_31_days": Case(("keep", True, True, None, None), ((LONG_AGO, _d(2, 10)), (_d(3, 13), None))),
    "gap_of_32_days": Case(("keep", False, False, _d(2, 10), None), ((LONG_AGO, _d(2, 10)), (_d(3, 14), None))),
    "one_of_two_ends": Case(("keep", True, True, None, None), ((LONG_AGO, _d(2, 10)), (LONG_AGO, None))),
    "overlapping": Case(("keep", True, True, None, None), ((LONG_AGO, _d(4, 1)), (_d(3, 1), None))),
    "ends_before_it_begins": Case(("keep", True, True, None, None), ((LONG_AGO, None), (_d(3, 1), _d(2, 1)))),
    "will_end_in_december": Case(("keep", True, True, None, None), ((LONG_AGO, _d(12, 31)),)),
    "not_over_yet": Case(("keep", True, None, None, None), at=_d(5, 1)),
    "just_over": Case(("keep", True, True, None, None), at=_d(4, 11)),
    "no_contract": Case(("unknown", None, None, None, None), ()),
    "not_yet_a_customer": Case(("unknown", None, None, None, None), ((_d(3, 1), None),)),
    "care": Case(("keep", True, True, None, None), kind="care"),
    "comes_back": Case(("win_back", False, True, None, _d(3, 15)), ((LONG_AGO, _d(11, 30, 2025)), (_d(3, 15), None)), "win_back", outcome="accepted"),
    "back_on_day_90": Case(("win_back", False, True, None, _d(5, 2)), ((LONG_AGO, _d(11, 30, 2025)), (_d(5, 2), _d(5, 20))), "win_back"),
    "back_on_day_91": Case(("win_back", False, False, None, _d(5, 3)), ((LONG_AGO, _d(11, 30, 2025)), (_d(5, 3), None)), "win_back"),
    "comes_back_unasked": Case(("win_back", True, True, None, _d(2, 20)), ((LONG_AGO, _d(11, 30, 2025)), (_d(2, 20), None)), "win_back", control=True),
    "gone_for_good": Case(("win_back", False, False, None, None), ((LONG_AGO, _d(11, 30, 2025)),), "win_back"),
    "gone_and_owing": Case(("win_back", False, False, None, None), ((LONG_AGO, _d(11, 30, 2025)),), "win_back", owes=True),
    "asked_lately": Case(("win_back", None, None, None, None), ((LONG_AGO, _d(11, 30, 2025)),), "win_back", at=_d(6, 20)),
    "an_offer_to_the_lost": Case(("win_back", False, False, None, None), ((LONG_AGO, _d(1, 31)),)),
}  # fmt: skip
# Campaign: treated, of these kept, held out, of these kept, cost of each offer. NEW is the example of Newcombe (1998), 56/70 and 48/80.
EFFECTS = {
    "NEW": (70, 56, 80, 48, 10.0),
    "SMALL": (10, 9, 10, 8, 30.0),
    "HARM": (10, 5, 12, 11, 10.0),
    "MAYBE": (10, 6, 10, 8, 10.0),
    "ALONE": (6, 5, 0, 0, 10.0),
}
WINNING = {"2026-01-01": "3000.00", "2026-03-01": "2000.00"}
NEW_CUSTOMERS = 10


def _csv(header: str, rows: list[list[str]], delimiter: str = ";") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows([header.split(","), *rows])
    return text.getvalue()


def _all_cases() -> dict[str, Case]:
    made = dict(CASES)
    for campaign, (treated, kept, held_out, stayed, _) in EFFECTS.items():
        for arm, count, reached in (("t", treated, kept), ("c", held_out, stayed)):
            for number in range(count):
                ended = None if number < reached else _d(3, 20)
                made[f"{campaign}-{arm}{number}"] = Case(
                    (), ((LONG_AGO, ended),), control=arm == "c", outcome="accepted" if number % 2 else "declined"
                )
    return made


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> ShopProject:
    project = make_shop_project(tmp_path_factory.mktemp("retention"), "billing", "retention", "crm")
    project.replace_seed(
        "acquisition_costs",
        *[f"{month},{amount},CNY,all of it" for month, amount in WINNING.items()],
        "2026-02-01,999.00,USD,",
    )
    parties, subscriptions, customers, offers, care, identifiers = [], [], [], [], [], []
    charges = []
    people = _all_cases() | {f"new{n}": Case((), ((_d(1, 5), None),), "none") for n in range(NEW_CUSTOMERS)}
    for name, case in people.items():
        parties.append([f"B-{name}", "P", name, f"{name}@example.com".lower(), "2020-01-01 00:00:00"])
        customers.append([f"K-{name}", "个人", name])
        identifiers.append([f"K-{name}", "EMAIL", f"{name}@example.com".lower(), "2026/01/01 00:00:00"])
        for number, (start, end) in enumerate(case.contracts):
            subscriptions.append([
                f"S-{name}-{number}", f"D-{name}", f"B-{name}", "MOB", f"{start:%d.%m.%Y}", "" if end is None else f"{end:%d.%m.%Y}", "" if end is None else "K03", "80,00", "CNY",
            ])  # fmt: skip
        cost = EFFECTS.get(name.split("-")[0], (0, 0, 0, 0, 10.0))[4]
        body = {
            "customer_no": f"K-{name}", "cost": 0.0 if case.control else cost, "control": case.control,
        }  # fmt: skip
        if case.kind == "care":
            care.append(
                body
                | {"care_id": name, "occasion": "birthday", "sent_at": f"{case.at}T12:00:00+08:00", "result": "none"}
            )
        elif case.kind != "none":
            campaign = name.split("-")[0] if name.split("-")[0] in EFFECTS else "CASES"
            offers.append(
                body
                | {
                    "offer_id": name, "kind": case.kind, "campaign": campaign, "account_no": f"D-{name}", "offered_at": f"{case.at}T12:00:00+08:00",
                    "outcome": "none" if case.control else case.outcome, "updated_at": f"{case.at}T13:00:00+08:00",
                }
            )  # fmt: skip
        if case.owes:
            charges.append((name, _d(11, 1, 2025), _d(11, 20, 2025)))
    charges.append(("stays", LAST, _d(7, 29)))
    billing = project.home / "inbox" / "billing"
    billing.mkdir(parents=True)
    pl.DataFrame(
        [
            {
                "charge_no": f"F-{name}", "account_no": f"D-{name}", "party_no": f"B-{name}", "product": "MOB", "charge_type": "MONTHLY", "amount": "80.00",
                "currency": "CNY", "charged_at": f"{on} 04:00:00", "due_date": str(due), "updated_at": f"{on} 05:00:00",
            }
            for name, on, due in charges
        ]
    ).write_parquet(billing / "charges_20260711.parquet")  # fmt: skip
    project.deliver(
        "parties_20260711.csv", _csv("party_no,party_type,name,email,updated_at", parties), source="billing"
    )
    project.deliver(
        "subscriptions_20260711.csv",
        _csv(
            "subscription_no,account_no,party_no,product,start_date,end_date,end_reason,monthly_fee,currency",
            subscriptions,
        ),
        source="billing",
    )
    project.deliver("客户资料_20260711.csv", _csv("客户编号,客户类型,客户名称", customers, ","), source="crm")
    project.deliver(
        "identifiers_20260711.csv", _csv("customer_no,id_type,id_value,updated_at", identifiers, ","), source="crm"
    )
    for file, rows in (("offers", offers), ("care", care)):
        project.deliver(f"{file}_20260711.jsonl", "".join(json.dumps(row) + "\n" for row in rows), source="retention")
    project.load("load-1")
    project.build(full=True)
    return project


@pytest.fixture(scope="module")
def marts(project: ShopProject) -> Iterator[duckdb.DuckDBPyConnection]:
    with opened(project) as connection:
        yield connection


@pytest.fixture(scope="module")
def snapshot(project: ShopProject) -> build.BuiltSnapshot:
    return build.build_snapshot(project.settings, run_id="run-1")


@pytest.mark.parametrize("name", list(CASES))
def test_what_became_of_a_customer(marts: duckdb.DuckDBPyConnection, name: str) -> None:
    found = marts.execute(
        "select goal, is_reached_short, is_reached_long, lost_on, came_back_on, assignment from fct_retention_offers where action_id = ?",
        [name],
    ).fetchall()
    assert found == [(*CASES[name].expected, "held_out" if CASES[name].control else "treated")]


def _newcombe(a: int, n1: int, b: int, n0: int) -> tuple[float, float]:
    """Method 10 of Newcombe (1998), written anew."""

    def wilson(x: int, n: int) -> tuple[float, float]:
        z = 1.959964
        middle, half = x + z * z / 2, z * sqrt(x * (n - x) / n + z * z / 4)
        return (middle - half) / (n + z * z), (middle + half) / (n + z * z)

    (l1, u1), (l0, u0) = wilson(a, n1), wilson(b, n0)
    p1, p0 = a / n1, b / n0
    return p1 - p0 - sqrt((p1 - l1) ** 2 + (u0 - p0) ** 2), p1 - p0 + sqrt((u1 - p1) ** 2 + (p0 - l0) ** 2)


@pytest.mark.parametrize("campaign", ["NEW", "SMALL", "HARM", "MAYBE"])
def test_uplift_of_one_campaign(marts: duckdb.DuckDBPyConnection, campaign: str) -> None:
    n1, a, n0, b, cost = EFFECTS[campaign]
    (row,) = (
        marts.execute(
            "select * from fct_retention_effects where campaign_id = ? and class_kind = 'all' and horizon = 'long' and goal = 'keep'",
            [campaign],
        )
        .pl()
        .to_dicts()
    )
    low, high = _newcombe(a, n1, b, n0)
    assert (row["treated"], row["treated_reached"], row["held_out"], row["held_out_reached"]) == (n1, a, n0, b)
    uplift = a / n1 - b / n0
    assert row["uplift"] == pytest.approx(uplift) and row["is_final"] and row["reason"] is None
    assert (row["uplift_low"], row["uplift_high"]) == (pytest.approx(low, abs=1e-6), pytest.approx(high, abs=1e-6))
    if uplift > 0:
        assert row["cost_per_save"] == pytest.approx(cost * n1 / (uplift * n1))
    else:
        assert row["cost_per_save"] is None and row["saved"] is None
    assert row["cost_per_save_low"] == (pytest.approx(cost / high, rel=1e-5) if high > 0 else None)
    assert row["cost_per_save_high"] == (pytest.approx(cost / low, rel=1e-5) if low > 0 else None)


def test_the_published_example(marts: duckdb.DuckDBPyConnection) -> None:
    """Newcombe (1998), method 10: 56/70 - 48/80 has the interval 0.0524 to 0.3339."""
    row = marts.execute(
        "select uplift, uplift_low, uplift_high from fct_retention_effects where campaign_id = 'NEW' and class_kind = 'all' and horizon = 'long'"
    ).fetchone()
    assert row is not None and [round(value, 4) for value in row] == [0.2, 0.0524, 0.3339]


def test_campaigns_together_are_compared_each_in_itself(marts: duckdb.DuckDBPyConnection) -> None:
    """Mantel-Haenszel with the variance of Sato (1989), written anew; a campaign without a control adds nothing. The one of cases counts with what it has."""
    strata = marts.execute(
        "select treated, treated_reached, held_out, held_out_reached from fct_retention_effects where action_kind = 'offer' and goal = 'keep' and horizon = 'long'"
        " and class_kind = 'all' and campaign_id <> 'all'"
    ).fetchall()
    assert len(strata) == 6
    both = [row for row in strata if row[0] and row[2]]
    assert len(both) == 4
    weight = sum(n1 * n0 / (n1 + n0) for n1, _, n0, _ in both)
    uplift = sum((a * n0 - b * n1) / (n1 + n0) for n1, a, n0, b in both) / weight
    p = sum((n1**2 * b - n0**2 * a + n1 * n0 * (n0 - n1) / 2) / (n1 + n0) ** 2 for n1, a, n0, b in both)
    q = sum((a * (n0 - b) + b * (n1 - a)) / (2 * (n1 + n0)) for n1, a, n0, b in both)
    error = sqrt(uplift * p + q) / weight
    (row,) = (
        marts.execute(
            "select * from fct_retention_effects where action_kind = 'offer' and goal = 'keep' and horizon = 'long' and class_kind = 'all' and campaign_id = 'all'"
        )
        .pl()
        .to_dicts()
    )
    assert row["uplift"] == pytest.approx(uplift) and row["campaigns"] == 4
    assert row["uplift_low"] == pytest.approx(uplift - 1.959964 * error)
    assert row["uplift_high"] == pytest.approx(uplift + 1.959964 * error)
    assert row["open_cases"] == 1 and not row["is_final"]


def test_no_control_no_effect(marts: duckdb.DuckDBPyConnection) -> None:
    found = marts.execute(
        "select uplift, uplift_low, cost_per_save, reason from fct_retention_effects where campaign_id = 'ALONE' and class_kind = 'all' and horizon = 'long'"
    ).fetchall()
    assert found == [(None, None, None, "no_control")]


def test_is_keeping_a_fifth_of_winning(marts: duckdb.DuckDBPyConnection) -> None:
    """5,000 for 10 new customers of January and those of March; money in another currency is not added."""
    (row,) = (
        marts.execute(
            "select * from fct_keeping_and_winning where period = '2026' and action_kind = 'offer' and goal = 'keep'"
        )
        .pl()
        .to_dicts()
    )
    march = sum(
        1
        for case in CASES.values()
        if case.contracts and case.contracts[0][0].month == 3 and case.contracts[0][0].year == 2026
    )
    assert (row["winning_cost"], row["new_customers"], row["cost_months"]) == (5000, NEW_CUSTOMERS + march, 2)
    assert row["cost_per_new"] == pytest.approx(5000 / (NEW_CUSTOMERS + march))
    assert row["keeping_to_winning"] == pytest.approx(row["cost_per_save"] / row["cost_per_new"])
    holds = row["keeping_to_winning_high"] is not None and row["keeping_to_winning_high"] <= 0.2
    fails = row["keeping_to_winning_low"] > 0.2
    assert row["a_fifth"] == ("holds" if holds else "does_not_hold" if fails else "undecided")
    assert row["keeping_to_winning_low"] < row["keeping_to_winning"]


def test_the_list_of_lost_customers(marts: duckdb.DuckDBPyConnection) -> None:
    found = dict(
        (name, tuple(values))
        for name, *values in marts.execute(
            "select links.customer_id, c.reason, c.gone_class, c.fee_class, c.lifetime_number from fct_win_back_candidates as c"
            " inner join dim_customer_links as links using (customer_key) where links.source = 'crm'"
        ).fetchall()
    )
    expected = {
        name: (
            "owes" if case.owes else "asked_lately" if name == "asked_lately" else None,
            "91-365" if end <= _d(4, 10) else "1-90",
            "middle",
            2 if name == "back_on_day_90" else 1,
        )
        for name, case in CASES.items()
        if case.contracts and name != "ends_before_it_begins"
        and all(until is not None and until < LAST for _, until in case.contracts)
        for end in [case.contracts[-1][1]] if end is not None
    }  # fmt: skip
    known = {name.removeprefix("K-"): values for name, values in found.items() if name.removeprefix("K-") in CASES}
    assert known == expected and len(expected) >= 9


def test_second_lifetimes(marts: duckdb.DuckDBPyConnection) -> None:
    found = marts.execute(
        "select links.customer_id, r.assignment, r.away_days, r.stayed_days, r.is_lost_again, r.is_kept_long from fct_returns as r"
        " inner join dim_customer_links as links using (customer_key) where links.source = 'crm' order by 1"
    ).fetchall()
    lost = _d(11, 30, 2025)
    assert found == [
        ("K-back_on_day_90", "treated", (_d(5, 2) - lost).days, 18, True, None),
        ("K-back_on_day_91", "none", (_d(5, 3) - lost).days, (LAST - _d(5, 3)).days, False, None),
        ("K-comes_back", "treated", (_d(3, 15) - lost).days, (LAST - _d(3, 15)).days, False, True),
        ("K-comes_back_unasked", "held_out", (_d(2, 20) - lost).days, (LAST - _d(2, 20)).days, False, True),
        ("K-gap_of_32_days", "none", 32, (LAST - _d(3, 14)).days, False, True),
    ]


def test_the_metrics_of_offers(snapshot: build.BuiltSnapshot) -> None:
    with closing(open_snapshot(snapshot.path)) as one:
        found = metric_values(
            one,
            ["offer_kept_rate", "offer_kept_rate_held_out", "offer_uplift", "offer_acceptance_rate"],
            Filters(where={"campaign_id": ("NEW",)}),
        )
        back = metric_values(
            one, ["win_back_rate", "win_back_rate_held_out", "second_lifetime_kept_rate", "lost_customers"], Filters()
        )
    assert (found["offer_kept_rate"].numerator, found["offer_kept_rate"].denominator) == (56, 70)
    assert (found["offer_kept_rate_held_out"].numerator, found["offer_kept_rate_held_out"].denominator) == (48, 80)
    assert found["offer_uplift"].value == pytest.approx(0.2)
    assert (found["offer_acceptance_rate"].numerator, found["offer_acceptance_rate"].denominator) == (35, 70)
    treated = [
        case
        for case in CASES.values()
        if case.expected[0] == "win_back" and not case.control and case.expected[2] is not None
    ]
    assert (back["win_back_rate"].numerator, back["win_back_rate"].denominator) == (2, len(treated))
    assert (back["win_back_rate_held_out"].numerator, back["win_back_rate_held_out"].denominator) == (1, 1)
    assert (back["second_lifetime_kept_rate"].numerator, back["second_lifetime_kept_rate"].denominator) == (3, 3)


def test_a_draw_from_the_list(project: ShopProject, snapshot: build.BuiltSnapshot, tmp_path: Path) -> None:
    with closing(open_snapshot(snapshot.path)) as one:
        candidates, day = winback_draws.candidates_of(one, None, None)
        draw = winback_draws.draw_winback(project.settings, one, snapshot.version, 12, 0.25, 42)
        with pytest.raises(draws.DrawError, match="no candidate has fee_class"):
            winback_draws.draw_winback(project.settings, one, snapshot.version, 12, 0.25, 42, fee_class="huge")
    assert day == LAST and draw.day == LAST
    assert len(draw.customers) == 12 and sum(row["assignment"] == "held_out" for row in draw.customers) == 3
    assert {row["customer_key"] for row in draw.customers} < set(candidates["customer_key"])
    file = tmp_path / "draw.csv"
    winback_draws.write_file(draw, file)
    layouts = [winback_draws.LAYOUT]
    checked = draws.check_draw(project.settings, layouts, file)
    assert (checked.faults, checked.snapshot, checked.drawn, checked.noun) == ([], "same", 12, "customers")
    file.write_text(file.read_text(encoding="utf-8").replace("held_out", "treated"), encoding="utf-8")
    (fault,) = draws.check_draw(project.settings, layouts, file).faults
    assert fault == "the file lacks 3 drawn customers, has 3 that were not drawn, and 0 twice."
