"""The built-in company knows which of its corrective actions works, and how well; the mart, from the files alone, must not miss it and must not praise the others.

A second computation counts the complaints of the cause from the truth itself, without a case or a rule.
"""

from __future__ import annotations

import json
import math
import shutil
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import duckdb
import polars as pl
import pytest

from orchestration.demo import generate
from tests.warehouse.shop_project import ShopProject, make_shop_project, opened

READ = (
    "dim_org_units",
    "fct_complaint_causes",
    "fct_complaint_contacts",
    "fct_complaint_prevention",
    "fct_complaint_risk",
    "fct_complaint_risk_card",
    "fct_complaints",
    "fct_improvement_actions",
    "fct_improvement_effects",
    "fct_service_recovery",
    "fct_survey_answers",
    "ftr_complaint_risk",
    "ftr_contract_spells",
    "int_commitments",
)

pytestmark = pytest.mark.slow

LEFT_OUT = ("rosters_", "agent_states_", "payments_")
"""Large tables that complaints do not read."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> ShopProject:
    project = make_shop_project(tmp_path_factory.mktemp("actions"), "zendesk", "crm", "billing", "surveys")
    generate(project.home / "inbox", end=date(2026, 11, 26), call_detail="lean", dirty=False)
    for folder in (project.home / "inbox").iterdir():
        if folder.name not in project.sources:
            shutil.rmtree(folder)
    for path in (project.home / "inbox").glob("*/*"):
        if path.name.startswith(LEFT_OUT):
            path.unlink()
    project.load("load-1")
    project.build(*READ, full=True)
    return project


@pytest.fixture(scope="module")
def marts(project: ShopProject) -> Iterator[duckdb.DuckDBPyConnection]:
    with opened(project) as connection:
        yield connection


@pytest.fixture(scope="module")
def truth(project: ShopProject) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((project.home / "demo" / "truth.json").read_text(encoding="utf-8"))
    return found


def rows(marts: duckdb.DuckDBPyConnection, query: str, *values: Any) -> list[dict[str, Any]]:
    return marts.execute(query, list(values)).pl().to_dicts()


def test_the_planted_action_is_seen_and_its_true_effect_lies_in_the_interval(
    marts: duckdb.DuckDBPyConnection, truth: dict[str, Any]
) -> None:
    action = truth["corrective_action"]
    found = {
        row["method"]: row
        for row in rows(
            marts, "select * from marts.fct_improvement_effects where improvement_action_id = ?", action["action_no"]
        )
    }
    for method in ("difference_in_differences", "interrupted_series"):
        row = found[method]
        assert row["ratio_low"] <= action["rate_factor"] <= row["ratio_high"], row
        assert row["placebo_causes"] >= 10 and row["placebo_causes_significant"] <= 2
        assert row["placebo_dates"] >= 5 and row["placebo_dates_significant"] <= 1
    assert found["difference_in_differences"]["verdict"] == "fell"
    assert found["difference_in_differences"]["placebo_units_share"] <= 0.05
    # It goes on working to the end of the data.
    assert found["relapse"]["verdict"] == "not_seen"


def test_who_names_no_topic_is_judged_by_root_cause(marts: duckdb.DuckDBPyConnection) -> None:
    """Trainings name a root cause and units, no topic: their complaints are the cases with that root cause, counted here again."""
    found = {row["improvement_action_id"]: row for row in rows(marts, "select * from marts.fct_improvement_actions")}
    assert found["PDCA-001"]["cause_basis"] == "scope"
    for name in ("TRN-001", "TRN-002"):
        training = found[name]
        assert (training["cause_basis"], training["causes"]) == ("root_cause", "us.employee.attitude")
        ((expected,),) = marts.execute(
            "select count(*) from marts.fct_complaint_causes as c join features.ftr_improvement_actions as a on list_contains(string_split(a.units, ';'), c.org_unit_id)"
            " where a.improvement_action_id = ? and c.root_cause = 'us.employee.attitude' and c.opened_on < a.started_on",
            [name],
        ).fetchall()
        assert training["complaints_before"] == expected > 0
    judged = rows(
        marts,
        "select * from marts.fct_improvement_effects where improvement_action_id like 'TRN-%' and method <> 'relapse' and rate_ratio is not null",
    )
    assert {row["verdict"] for row in judged} == {"not_seen"}


def test_actions_without_effect_are_not_praised(marts: duckdb.DuckDBPyConnection, truth: dict[str, Any]) -> None:
    others = truth["corrective_action"]["others_without_effect"]
    found = rows(
        marts, "select * from marts.fct_improvement_effects where improvement_action_id in (select unnest(?))", others
    )
    assert {row["improvement_action_id"] for row in found} == set(others)
    judged = [row for row in found if row["rate_ratio"] is not None and row["method"] != "relapse"]
    # Four of them can be judged by both methods; the others are not done, or their unit has no complaints.
    assert len({row["improvement_action_id"] for row in judged}) >= 3
    for row in judged:
        assert row["ratio_low"] <= 1 <= row["ratio_high"] and row["verdict"] == "not_seen", row
        assert row["detectable_ratio"] < 1
    assert {row["reason"] for row in found if row["rate_ratio"] is None} <= {
        "not_done",
        "no_unit_in_scope",
        "cause_unknown",
    }


def test_the_estimate_is_that_of_the_truth_counted_without_the_warehouse(
    project: ShopProject, marts: duckdb.DuckDBPyConnection, truth: dict[str, Any]
) -> None:
    """The same periods and units, complaints counted in the company's own list of them: their ratio agrees within a tenth, for the cases join a few."""
    action = truth["corrective_action"]
    (row,) = rows(
        marts,
        "select * from marts.fct_improvement_effects where improvement_action_id = ? and method = 'difference_in_differences'",
        action["action_no"],
    )
    complaints = pl.read_parquet(project.home / "demo" / "truth" / "complaints.parquet").filter(
        (pl.col("symptom") == "repair_late") & ~pl.col("unit_code").str.starts_with("C-HB")
    )
    ours = pl.any_horizontal(pl.col("unit_code").str.starts_with(f"C-{unit[2:]}") for unit in action["units"])
    day = pl.col("opened_at").dt.date()
    counts = {
        (here, late): complaints.filter((ours if here else ~ours) & day.is_between(row[first], row[last])).height
        for here in (True, False)
        for late, first, last in ((False, "before_from", "before_until"), (True, "after_from", "after_until"))
    }
    assert [
        row[name] for name in ("complaints_before", "complaints_after", "others_before", "others_after")
    ] == pytest.approx(
        [counts[True, False], counts[True, True], counts[False, False], counts[False, True]], rel=0.06, abs=3
    )
    ratio = counts[True, True] * counts[False, False] / (counts[True, False] * counts[False, True])
    assert math.log(row["rate_ratio"]) == pytest.approx(math.log(ratio), abs=0.15)


def test_actions_stand_where_their_days_put_them(marts: duckdb.DuckDBPyConnection) -> None:
    found = {row["improvement_action_id"]: row for row in rows(marts, "select * from marts.fct_improvement_actions")}
    assert found["PDCA-001"]["phase"] == "act" and found["PDCA-001"]["is_checked_in_time"]
    assert found["PDCA-005"]["phase"] == "do" and found["PDCA-005"]["is_checked_in_time"] is None
    assert found["TRN-001"]["phase"] == "check" and found["TRN-001"]["is_checked_in_time"] is False
    assert (found["PDCA-001"]["cause_owner"], found["PDCA-001"]["cause_factor"]) == ("us", "process")
    # Counted here again: complaints on the topic in the two provinces.
    for name, when in (
        ("complaints_before", "c.opened_on < a.started_on"),
        ("complaints_after", "c.opened_on >= a.done_on"),
        ("open_complaints", "not c.is_closed"),
    ):
        ((expected,),) = marts.execute(
            "select count(*) from marts.fct_complaints as c join marts.dim_org_units as u using (org_unit_id) cross join marts.fct_improvement_actions as a"
            f" where a.improvement_action_id = 'PDCA-001' and c.topic = 'repair_late' and u.province_id in ('P-ZJ', 'P-GD') and {when}"
        ).fetchall()
        assert found["PDCA-001"][name] == expected
    assert 0 <= found["PDCA-001"]["customers_again"] <= found["PDCA-001"]["complaints_after"]
    assert found["PDCA-001"]["verdict"] == "fell" and found["PDCA-005"]["reason"] == "not_done"


def test_service_recovery_by_a_second_engine(marts: duckdb.DuckDBPyConnection) -> None:
    """Quarter by quarter and customer by customer in plain Python, from the complaints, answers and contracts; intervals by textbook formulas."""
    expected = recovery_by_hand(marts)
    found = {
        (row["period"], row["recovery_group"], row["measure"]): row
        for row in rows(marts, "select * from marts.fct_service_recovery where period <> 'all'")
    }
    assert set(found) == set(expected) and len({period for period, _, _ in found}) >= 4
    assert {group for _, group, _ in found} >= {
        "no_problem",
        "complained_fixed",
        "complained_not_fixed",
        "unhappy_silent",
        "not_asked",
    }
    for key, values in expected.items():
        row, n = found[key], len(values)
        mean = sum(values) / n
        assert (row["answers"], row["customers"]) == (n, n), key
        assert row["value"] == pytest.approx(mean, abs=1e-6)
        if key[2] != "nps":
            # Wilson's interval: the shares that a test at 5 % does not reject.
            for bound in (row["value_low"], row["value_high"]):
                assert abs(mean - bound) <= 1.96 * math.sqrt(max(bound * (1 - bound), 0) / n) + 1e-5
                assert (
                    n == 0
                    or bound in (0, 1)
                    or abs(mean - bound) == pytest.approx(1.959964 * math.sqrt(bound * (1 - bound) / n), abs=1e-5)
                    or mean in (0, 1)
                )
        elif n > 1:
            deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (n - 1))
            assert row["value_low"] == pytest.approx(max(-100, mean - 1.959964 * deviation / math.sqrt(n)), abs=1e-4)
        base = found.get((key[0], "no_problem", key[2]))
        if key[1] == "no_problem" or base is None:
            assert row["difference"] is None
        elif row["value_low"] is not None and base["value_low"] is not None:
            assert row["difference"] == pytest.approx(row["value"] - base["value"], abs=1e-6)
            down = math.hypot(row["value"] - row["value_low"], base["value_high"] - base["value"])
            assert row["difference_low"] == pytest.approx(row["difference"] - down, abs=1e-6)
        assert (row["paradox"] is None) == (key[1] != "complained_fixed")


def recovery_by_hand(marts: duckdb.DuckDBPyConnection) -> dict[tuple[str, str, str], list[float]]:
    """Values of each quarter, group and measure."""
    first, known = marts.execute(
        "select min(opened_on), max(cast(known_until as date)) from marts.fct_complaints where customer_key is not null"
    ).fetchall()[0]
    spells: dict[str, list[tuple[date, date, date]]] = defaultdict(list)
    for row in rows(
        marts,
        "select customer_key, holder_began_on, max(last_on) as left_on, max(known_until) as known_until from features.ftr_contract_spells group by 1, 2",
    ):
        spells[row["customer_key"]].append((row["holder_began_on"], row["left_on"], row["known_until"]))
    complaints: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows(
        marts, "select * from marts.fct_complaints where customer_key is not null order by opened_at, complaint_id"
    ):
        complaints[row["customer_key"]].append(row)
    answers: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows(
        marts,
        "select * from marts.fct_survey_answers where customer_key is not null and is_valid order by responded_at, source, response_id, question_id",
    ):
        answers[row["customer_key"]].append(row)
    gap = int(
        marts.execute("select value from seeds.service_thresholds where threshold = 'churn_gap_days'").fetchall()[0][0]
    )
    found: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for year in (2025, 2026):
        for quarter in range(4):
            begin, end = date(year, quarter * 3 + 1, 1), date(year + quarter // 3, (quarter * 3 + 3) % 12 + 1, 1)
            if begin < first or end > known:
                continue
            landmark, until = end - timedelta(days=1), end - timedelta(days=1) + timedelta(days=90)
            for customer, lives in spells.items():
                here = [life for life in lives if life[0] <= landmark < life[1]]
                if not here:
                    continue
                left, told = max(life[1] for life in here), max(life[2] for life in here)
                own = [case for case in complaints[customer] if begin <= case["opened_on"] <= landmark]
                spoken = [a for a in answers[customer] if begin <= a["responded_on"] <= landmark]
                if own:
                    case = own[-1]
                    words = [
                        a["is_said_resolved"]
                        for a in answers[customer]
                        if a["is_resolved_answer"]
                        and a["responded_at"] >= case["opened_at"]
                        and a["responded_on"] <= landmark
                    ]
                    fixed = case["is_closed"]
                    if fixed is not None and not (case["closed_on"] is not None and case["closed_on"] <= landmark):
                        fixed = False
                    if case["check_state"] == "not_fixed" and case["checked_at"].date() <= landmark:
                        fixed = False
                    if words:
                        fixed = words[-1]
                    group = (
                        "complained_unknown"
                        if fixed is None
                        else "complained_fixed"
                        if fixed
                        else "complained_not_fixed"
                    )
                elif not any(a["is_csat"] or a["is_nps"] or a["is_resolved_answer"] for a in spoken):
                    group = "not_asked"
                else:
                    unhappy = any(
                        a["is_csat_dissatisfied"]
                        or a["is_detractor"]
                        or (a["is_resolved_answer"] and not a["is_said_resolved"])
                        for a in spoken
                    )
                    group = "unhappy_silent" if unhappy else "no_problem"
                period = str(begin)
                if until + timedelta(days=gap + 1) <= told:
                    found[period, group, "retention"].append(1.0 if left > until else 0.0)
                later = [a for a in answers[customer] if landmark < a["responded_on"] <= until]
                csat, nps = [a for a in later if a["is_csat"]], [a for a in later if a["is_nps"]]
                if csat:
                    found[period, group, "csat"].append(1.0 if csat[0]["is_csat_satisfied"] else 0.0)
                if nps:
                    found[period, group, "nps"].append(
                        100.0 if nps[0]["is_promoter"] else -100.0 if nps[0]["is_detractor"] else 0.0
                    )
    return found


def test_second_complaints_of_the_risk_model_are_those_of_the_mart(marts: duckdb.DuckDBPyConnection) -> None:
    """Outcome and history of every case once more, customer by customer; nothing that came after the close is in a feature."""
    of_customer: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows(marts, "select * from marts.fct_complaints where customer_key is not null order by opened_at"):
        of_customer[row["customer_key"]].append(row)
    features = {row["complaint_id"]: row for row in rows(marts, "select * from features.ftr_complaint_risk")}
    checked = 0
    for cases in of_customer.values():
        for case in cases:
            if case["is_closed"] is None or (case["is_closed"] and case["closed_at"] is None):
                assert case["complaint_id"] not in features
                continue
            judged = case["closed_at"] if case["is_closed"] else case["known_until"]
            later = [c for c in cases if c["opened_at"] > case["opened_at"] and c["cause"] == case["cause"]]
            if later and later[0]["opened_at"] <= judged and case["cause"] != "unknown":
                assert case["complaint_id"] not in features
                continue
            row = features[case["complaint_id"]]
            end = judged + timedelta(days=90)
            known = case["is_closed"] and end <= case["known_until"] and case["cause"] != "unknown"
            assert row["has_again"] == (any(c["opened_at"] <= end for c in later) if known else None)
            earlier = [
                c for c in cases if case["opened_at"] - timedelta(days=365) <= c["opened_at"] < case["opened_at"]
            ]
            assert row["complaints_before"] == len(earlier)
            assert row["same_cause_before"] == sum(c["cause"] == case["cause"] for c in earlier)
            assert row["others_since"] == sum(case["opened_at"] < c["opened_at"] < judged for c in cases)
            checked += bool(row["has_again"])
    assert checked >= 200
    ((card_cases, card_again),) = marts.execute(
        "select cases_tested, again_tested from marts.fct_complaint_risk_card"
    ).fetchall()
    assert card_cases >= 500 and card_again >= 50
    ((scored, without),) = marts.execute(
        "select count(*), count(*) filter (where probability is null) from marts.fct_complaint_risk"
    ).fetchall()
    assert scored == sum(row["is_current"] for row in features.values()) and without == 0


def test_without_a_group_held_out_nothing_is_said_to_be_prevented(marts: duckdb.DuckDBPyConnection) -> None:
    """The company calls after complaints, but never left the choice to chance."""
    found = rows(marts, "select * from marts.fct_complaint_prevention")
    assert {row["follow_up"] for row in found} == {"30d", "90d"}
    assert all(
        row["reason"] == "no_control" and row["prevented_share"] is None and row["prevented_low"] is None
        for row in found
    )


def test_prevention_where_callbacks_were_held_out_by_lot(
    project: ShopProject, marts: duckdb.DuckDBPyConnection
) -> None:
    """The mart's own query over the same callbacks, every third of them marked as held out: shares counted here, interval by Newcombe's formula."""
    (path,) = (project.home / "dbt_target" / "compiled").rglob("fct_complaint_prevention.sql")
    query = path.read_text(encoding="utf-8")
    name = next(word for word in query.split() if "int_commitments" in word)
    marts.execute(
        "create or replace temp view held_out as select * replace (case when purpose = 'complaint' then hash(about_id) % 3 = 0 end as is_control)"
        " from intermediate.int_commitments"
    )
    found = {row["follow_up"]: row for row in marts.execute(query.replace(name, "held_out")).pl().to_dicts()}
    held = {
        row["complaint_id"]: row["is_control"]
        for row in rows(
            marts,
            "select m.complaint_id, bool_or(h.is_control) as is_control from held_out as h"
            " join marts.fct_complaint_contacts as m on m.contact_kind = 'ticket' and m.contact_id = 'ticket:' || h.about_id"
            " where h._status = 'used' and h.commitment_kind = 'callback' and h.about_kind = 'ticket' and h.is_control is not null group by 1",
        )
    }
    for window, row in found.items():
        cases = rows(
            marts,
            f"select complaint_id, is_cause_repeated_{window} as again from marts.fct_complaints where is_cause_final_{window}",
        )
        arm = {
            side: [case["again"] for case in cases if held.get(case["complaint_id"]) is side] for side in (True, False)
        }
        assert min(len(group) for group in arm.values()) >= 100
        assert (row["held_out"], row["held_out_again"]) == (len(arm[True]), sum(arm[True]))
        assert (row["called"], row["called_again"]) == (len(arm[False]), sum(arm[False]))
        bounds = {}
        for side, group in arm.items():
            n, p = len(group), sum(group) / len(group)
            half = 1.959964 * math.sqrt(p * (1 - p) / n + 1.959964**2 / (4 * n * n))
            centre, scale = p + 1.959964**2 / (2 * n), 1 + 1.959964**2 / n
            bounds[side] = p, (centre - half) / scale, (centre + half) / scale
        (p_held, low_held, high_held), (p_called, low_called, high_called) = bounds[True], bounds[False]
        assert row["prevented_share"] == pytest.approx(p_held - p_called, abs=1e-8)
        assert row["prevented_low"] == pytest.approx(
            p_held - p_called - math.hypot(p_held - low_held, high_called - p_called), abs=1e-5
        )
        assert row["prevented_high"] == pytest.approx(
            p_held - p_called + math.hypot(high_held - p_held, p_called - low_called), abs=1e-5
        )
        # Drawn by a hash: no effect, and none is found.
        assert row["prevented_low"] <= 0 <= row["prevented_high"] and row["reason"] is None
