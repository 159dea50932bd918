"""Churn of the built-in company against its truth, and its months against an independent computation from the contracts as delivered."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta

import duckdb
import polars as pl
import pytest

from orchestration.demo import generate
from tests.warehouse.shop_project import ShopProject, make_shop_project, opened

READ = (
    "fct_churn_events",
    "fct_customer_months",
    "fct_retention_months",
    "fct_subscriptions",
    "fct_survival_curves",
    "fct_win_back_candidates",
    "ftr_contract_spells",
    "ftr_survival_spells",
    "score_churn_hazards",
    "score_survival_curves",
)

pytestmark = pytest.mark.slow

END = date(2026, 4, 12)
GRACE = 30
TYPES = ("natural", "malicious", "competitive", "negligent")
LEFT_OUT = ("rosters_", "agent_states_", "quality_")
"""Large tables of the customer management that churn does not read."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> ShopProject:
    project = make_shop_project(tmp_path_factory.mktemp("truth"), "zendesk", "crm", "billing", "retention")
    generate(project.home / "inbox", customers=2_500, months=15, end=END, call_detail="lean")
    for folder in (project.home / "inbox").iterdir():
        if folder.name not in project.sources:
            shutil.rmtree(folder)
    for path in (project.home / "inbox" / "crm").iterdir():
        if path.name.startswith(LEFT_OUT):
            path.unlink()
    project.load("load-1")
    project.build(*READ, full=True)
    return project


@pytest.fixture(scope="module")
def marts(project: ShopProject) -> Iterator[duckdb.DuckDBPyConnection]:
    with opened(project) as connection:
        connection.execute(
            f"create temp table truth as from '{project.home / 'demo' / 'truth' / 'departures.parquet'}'"
        )
        yield connection


@pytest.fixture(scope="module")
def judged(marts: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Each departure of a line with the truth of its last contract."""
    return marts.sql(
        "select events.*, truth.churn_type as true_type, truth.cause_value as true_value, truth.cause_system as true_system, truth.cause_employee as true_employee, truth.leaves_whole"
        " from fct_churn_events as events left join truth on events.subscription_id = truth.subscription_no and events.left_on = truth.ended_on"
    ).pl()


def test_every_departure_is_a_true_one_and_every_true_one_is_found(
    judged: pl.DataFrame, marts: duckdb.DuckDBPyConnection
) -> None:
    assert judged["true_type"].null_count() == 0
    # A contract that ended while another of the same line goes on, or ended with a dearer one, is no departure of its own.
    missed = marts.execute(
        "select count(*) from truth inner join warehouse.features.ftr_contract_spells as spells on truth.subscription_no = spells.subscription_id"
        " where not exists (select 1 from fct_churn_events as events where events.holder_key = spells.holder_key and events.product_line = spells.product_line and events.left_on = truth.ended_on)"
        " and not exists (select 1 from warehouse.features.ftr_contract_spells as other where other.holder_key = spells.holder_key and other.product_line = spells.product_line"
        f" and other.subscription_id <> spells.subscription_id and other.last_on > truth.ended_on and other.started_on <= truth.ended_on + {GRACE + 1})"
    ).fetchone()
    assert missed == (0,) and judged.height > 400


def test_types_are_found_and_what_is_not_known_is_unknown(judged: pl.DataFrame) -> None:
    scores = {}
    for name in TYPES:
        hit = judged.filter((pl.col("true_type") == name) & (pl.col("churn_type") == name)).height
        said, true = (
            judged.filter(pl.col("churn_type") == name).height,
            judged.filter(pl.col("true_type") == name).height,
        )
        scores[name] = 2 * hit / (said + true)
    print("F1 by type", scores, "macro", sum(scores.values()) / 4)
    assert sum(scores.values()) / 4 >= 0.85
    # Only departures without a reason, or with the reason "other", may be unknown; where a type is said, it is mostly right.
    unknown = judged.filter(pl.col("churn_type") == "unknown")
    assert set(unknown["end_reason"]) <= {"K09", "unknown"}
    assert 0.05 < unknown.height / judged.height < 0.25
    assert (
        judged.filter(pl.col("churn_type") != "unknown")
        .select((pl.col("churn_type") == pl.col("true_type")).mean())
        .item()
    ) > 0.93


def test_causes_are_nearer_to_the_truth_than_no_idea(judged: pl.DataFrame) -> None:
    known = judged.filter(pl.col("cause_value").is_not_null())
    assert known.height / judged.height > 0.5
    assert (
        known.select((pl.col("cause_value") + pl.col("cause_system") + pl.col("cause_employee") - 1).abs().max()).item()
        < 1e-3
    )
    for name in ("value", "system", "employee"):
        wrong, blind = (
            known.select((pl.col(f"true_{name}") - other).abs().mean()).item()
            for other in (pl.col(f"cause_{name}"), 1 / 3)
        )
        print("mean error", name, wrong, "of one third", blind)
        assert wrong < 0.75 * blind, name


def test_whole_departures(judged: pl.DataFrame) -> None:
    """Who truly leaves with everything but holds a contract that began in the month of leaving is still a customer."""
    assert judged.filter(~pl.col("leaves_whole") & pl.col("is_whole")).height <= judged.height * 0.12
    assert judged.filter(pl.col("leaves_whole")).select(pl.col("is_whole").mean()).item() > 0.95


def _months_by_hand(contracts: pl.DataFrame) -> dict[tuple[str, date], tuple[bool, bool, int, int, float, float]]:
    """Each customer and month in which something changed: there at start and end, contracts and fee at start and end; day by day over the ends of months."""
    by_customer: dict[str, list[tuple[str, date, date, float]]] = defaultdict(list)
    for key, line, begin, end, fee in contracts.iter_rows():
        by_customer[key].append((line, begin, end or date.max, float(fee)))
    found = {}
    for key, held in by_customer.items():
        counted = []
        for line, begin, end, fee in held:
            later = [b for other, b, _, _ in held if other == line and b > end]
            covered = any(other == line and b <= end and e > end for other, b, e, _ in held)
            successor = min(later) if later and not covered else None
            # The one whose end is the last of its day goes on to its successor; equal ends are told apart below.
            if successor and (successor - end).days - 1 <= GRACE and (successor - end).days > 1:
                end = successor - timedelta(days=1)
            counted.append((begin, end, fee))
        changes = sorted({d.replace(day=1) for b, e, _ in counted for d in ((b, e) if e != date.max else (b,))})
        for month in changes:
            after = (month + timedelta(days=32)).replace(day=1)
            start = [c for c in counted if c[0] < month and c[1] >= month]
            end_ = [c for c in counted if c[0] < after and c[1] >= after]
            found[key, month] = (
                bool(start),
                bool(end_),
                len(start),
                len(end_),
                round(sum(c[2] for c in start), 2),
                round(sum(c[2] for c in end_), 2),
            )
    return {k: v for k, v in found.items() if v[2:4] != (v[3], v[2]) or v[4] != v[5] or v[0] != v[1]}


def test_months_as_an_independent_computation_has_them(marts: duckdb.DuckDBPyConnection) -> None:
    """The company's contracts have no gaps and no second currency (those are cases of `test_churn`)."""
    contracts = marts.sql(
        "select customer_key, product_line, started_on, ended_on, monthly_fee from fct_subscriptions where customer_key is not null order by all"
    ).pl()
    expected = _months_by_hand(contracts)
    rows = marts.sql(
        "select customer_key, month_start, is_at_start, is_at_end, contracts_at_start, contracts_at_end, cast(fee_at_start as double), cast(fee_at_end as double) from fct_customer_months"
    ).fetchall()
    found = {(key, month): (*flags, round(a, 2), round(b, 2)) for key, month, *flags, a, b in rows}
    assert len(found) > 2_500 and found == expected


def test_totals_are_the_sums_of_the_customers(marts: duckdb.DuckDBPyConnection) -> None:
    contracts = marts.sql(
        "select customer_key, started_on, coalesce(ended_on, date '9999-12-31') as ended_on, monthly_fee from fct_subscriptions"
    ).pl()
    months = marts.sql(
        "select month_start, sum(at_start) as customers, sum(lost) as lost, sum(cast(fee_at_start as double)) as fee from fct_retention_months where is_whole_customer group by all order by 1"
    ).pl()
    assert months.height >= 14
    for month, customers, lost, fee in months.iter_rows():
        eve = contracts.filter((pl.col("started_on") < month) & (pl.col("ended_on") >= month))
        after = (month + timedelta(days=32)).replace(day=1)
        stay = contracts.filter((pl.col("started_on") < after) & (pl.col("ended_on") >= after))
        assert (int(customers), int(lost)) == (
            eve["customer_key"].n_unique(),
            len(set(eve["customer_key"]) - set(stay["customer_key"])),
        ), month
        assert fee == pytest.approx(float(eve["monthly_fee"].sum())), month


def test_scores_do_not_depend_on_the_order_of_rows(marts: duckdb.DuckDBPyConnection) -> None:
    """Curves and hazards do not depend on the order in which rows come."""
    from orchestration.modelling.survival import churn_hazards, survival_curves

    spells = marts.sql("from warehouse.features.ftr_survival_spells").pl().sample(fraction=1.0, shuffle=True, seed=4)
    as_of = marts.execute("select max(as_of) from fct_survival_curves").fetchone()
    assert as_of is not None
    built = marts.sql("from warehouse.scores.score_survival_curves order by stratum_kind, stratum, days").pl()
    assert survival_curves(spells, as_of=as_of[0], least=10).equals(built)
    hazards = marts.sql("from warehouse.scores.score_churn_hazards order by property, level").pl()
    assert churn_hazards(spells, as_of=as_of[0], least=10).equals(hazards)
    assert hazards.filter(pl.col("state") == "estimated").height >= 5


def test_who_is_won_back_is_asked_by_the_type_of_his_departure(marts: duckdb.DuckDBPyConnection) -> None:
    departures = {
        (key, left): (kind, cause)
        for key, left, kind, cause in marts.execute(
            "select customer_key, left_on, churn_type, main_cause from fct_churn_events where is_customer_departure and customer_key is not null"
        ).fetchall()
    }
    lost = marts.execute("select customer_key, lost_on, churn_type, main_cause from fct_win_back_candidates").fetchall()
    assert len(lost) > 100
    for key, left, *said in lost:
        assert tuple(said) == departures.get((key, left), ("unknown", "unknown"))
    known = [row for row in lost if (row[0], row[1]) in departures]
    assert len(known) > 0.7 * len(lost) and {row[2] for row in known} >= set(TYPES)


def test_a_life_cut_by_tier_is_as_long_as_before(marts: duckdb.DuckDBPyConnection) -> None:
    """Days under observation and departures of each product line, from the stretches that are cut and from what they were cut into."""
    whole = marts.execute(
        "select product_line, sum(least(left_on, known_until) - began_on + 1 - greatest(observed_from - began_on, 0)) as days,"
        " count(*) filter (left_on <= known_until) as departures from warehouse.features.ftr_line_stretches"
        " where least(left_on, known_until) - began_on + 1 > greatest(observed_from - began_on, 0) group by all order by all"
    ).fetchall()
    cut = marts.execute(
        "select product_line, sum(spells * (exit_days - entry_days)) as days, sum(spells) filter (is_left) as departures"
        " from warehouse.features.ftr_survival_spells where product_line <> 'all' group by all order by all"
    ).fetchall()
    assert cut == whole and len(whole) >= 3
    curves = marts.execute("select distinct stratum from fct_survival_curves where stratum_kind = 'customer_tier'")
    assert {"not_rated", "vip", "small"} <= {stratum for (stratum,) in curves.fetchall()}
