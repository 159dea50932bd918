"""Scores of surveys through the real models, each number by hand: effort, SERVQUAL, disconfirmation, the five indicators, the four methods.

Q1 to Q6 judge service quality (Q5 on another scale and turned round), C… are satisfied or not after a contact, E… and F… say how much effort it
was, B… know the promise or not. Provinces A, B and C.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import polars as pl
import pytest

from dashboards.data.metrics import Filters, metric_frame, metric_value
from dashboards.data.snapshot import Snapshot, open_snapshot
from orchestration.serving.build import build_snapshot
from tests.warehouse.shop_project import ShopProject, make_shop_project

pytestmark = pytest.mark.slow

QUESTIONS = [  # survey, question, role, dimension, item, scale, reversed
    ("SQ", "E1", "expectation", "reliability", 1, 1, 7, "N"), ("SQ", "E2", "expectation", "reliability", 2, 1, 7, "N"),
    ("SQ", "E3", "expectation", "empathy", 3, 1, 7, "N"), ("SQ", "P1", "perception", "reliability", 1, 1, 7, "N"),
    ("SQ", "P2", "perception", "reliability", 2, 1, 7, "N"), ("SQ", "P3", "perception", "empathy", 3, 1, 7, "N"),
    ("SQ", "I1", "importance", "reliability", 1, 0, 100, "N"), ("SQ", "I2", "importance", "empathy", 2, 0, 100, "N"),
    ("SQ2", "E3", "expectation", "empathy", 3, 1, 5, "Y"), ("SQ2", "P3", "perception", "empathy", 3, 1, 5, "Y"),
    ("CS", "S1", "csat", "", 1, 1, 5, "N"), ("CE", "C1", "ces", "", 1, 1, 5, "N"), ("CE2", "C1", "ces", "", 1, 1, 5, "Y"),
    ("BR", "B1", "awareness", "", 1, 0, 1, "N"), ("BR", "B2", "favourability", "", 2, 1, 5, "N"),
]  # fmt: skip
RESPONSES: list[tuple[str, str, str, str, str, dict[str, int]]] = [  # response, survey, customer, unit, day, answers
    ("Q1", "SQ", "K1", "P-A", "2026-02-01", {"E1": 7, "E2": 7, "P1": 4, "P2": 7, "E3": 6, "P3": 3, "I1": 70, "I2": 30}),
    ("Q2", "SQ", "K2", "P-A", "2025-02-01", {"E1": 4, "E2": 4, "P1": 7, "P2": 7, "E3": 4, "P3": 4, "I1": 40}),
    ("Q3", "SQ", "K3", "P-A", "2026-02-01", {"E1": 7, "P1": 7, "E2": 7, "P2": 99, "E3": 1, "P3": 7, "I1": 50, "I2": 50}),
    ("Q4", "SQ", "K4", "P-A", "2026-02-01", {"P1": 7, "P2": 7}),
    ("Q5", "SQ2", "K5", "P-B", "2026-02-01", {"E3": 1, "P3": 5}),
    ("Q6", "SQ", "K6", "P-C", "2026-02-02", {"E1": 4, "P1": 4, "E2": 4, "P2": 4, "E3": 4, "P3": 4}),
    ("C1", "CS", "K1", "P-A", "2026-03-01", {"S1": 5}),
    ("C2", "CS", "K2", "P-A", "2026-03-01", {"S1": 3}),
    ("C3", "CS", "K3", "P-A", "2026-01-01", {"S1": 1}),
    ("C5", "CS", "K5", "P-B", "2026-03-01", {"S1": 5}),
    ("C6", "CS", "K6", "P-C", "2026-02-01", {"S1": 4}),
    *((f"B{n}", "BR", "K1", "P-A", "2026-03-02", answers) for n, answers in enumerate(
        [{"B1": 1, "B2": 5}, {"B1": 1, "B2": 3}, {"B1": 1, "B2": 99}, {"B1": 0}, {"B1": 0}]
    )),
    # The published example: 5 low, 5 in the middle, 10 high of 20.
    *((f"E{n}", "CE", "K1", "P-A", "2026-03-02", {"C1": value}) for n, value in enumerate([1, 2, 1, 2, 1, *[3] * 5, *[4, 5] * 5])),
    *((f"F{n}", "CE2", "K1", "P-A", "2026-03-02", {"C1": value}) for n, value in enumerate([1, 2, 5])),
]  # fmt: skip
ORDERS = [  # party, day; the window is 90 days, the newest order of all is of 30 June
    ("B1", "2026-01-05"), ("B1", "2026-01-05"), ("B1", "2026-02-01"), ("B2", "2026-03-01"), ("B2", "2026-06-30"), ("B3", "2026-04-01"),
    ("B4", "2026-01-01"), ("B4", "2026-04-01"),
]  # fmt: skip
OFFERS = [  # kind, customer, control, outcome
    ("offer", "K1", False, "accepted"), ("offer", "K1", False, "declined"), ("offer", "K2", False, "none"), ("offer", "K3", True, "none"),
    ("win_back", "K4", False, "accepted"),
]  # fmt: skip


def _surveys(project: ShopProject) -> None:
    kinds = {"SQ": "servqual", "SQ2": "servqual", "CS": "csat", "CE": "ces", "CE2": "ces", "BR": "brand"}
    questions = [
        "survey_id,question_id,role,construct,item_no,text_en,text_zh,scale_min,scale_max,reversed,blank_codes",
        *(
            f"{survey},{question},{role},{dimension},{item},?,?,{low},{high},{turned},11;99"
            for survey, question, role, dimension, item, low, high, turned in QUESTIONS
        ),
    ]
    responses = ["response_id,survey_id,survey_type,recipient_id,unit_code,submitted_at"]
    answers = ["response_id,survey_id,question_id,value,submitted_at"]
    for name, survey, customer, unit, day, given in RESPONSES:
        at = f"{day[5:7]}/{day[8:]}/{day[:4]} 10:00:00 AM"
        responses.append(f"{name},{survey},{kinds[survey]},{customer},{unit},{at}")
        answers += [f"{name},{survey},{question},{value},{at}" for question, value in given.items()]
    for name, lines in (("questions", questions), ("responses", responses), ("answers", answers)):
        project.deliver(f"{name}_20260702.csv", "\n".join(lines) + "\n", source="surveys")


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snapshot]:
    project = make_shop_project(tmp_path_factory.mktemp("scores"), "surveys", "crm", "billing", "retention", "zendesk")
    seed = project.root / "seeds" / "service_thresholds.csv"
    seed.write_text(seed.read_text(encoding="utf-8").replace("method_minimum_base,10,", "method_minimum_base,1,"))
    _surveys(project)
    units = ["unit_code,parent_code,name_zh,name_en,level,time_zone,calendar,valid_from,valid_to", "HQ,,总部,HQ,HQ,,,,"]
    units += [f"P-{name},HQ,{name},{name},PROV,,,," for name in "ABC"]
    project.deliver("org_units_20260702.csv", "\n".join(units) + "\n", source="crm")
    head = (
        "客户编号,客户类型,客户名称,出生日期,所属省份,所属城市,所属机构,地址,行业,所属大客户,介绍人,入网日期,客户状态"
    )
    customers = [head, *(f"K{n},个人,甲{n},,,,P-A,,,,,2020-01-01,正常" for n in range(1, 7))]
    project.deliver("客户资料_20260702.csv", "\n".join(customers) + "\n", source="crm")
    parties = ["party_no;party_type;name;phone;email;member_no;unit_code;since;updated_at"]
    parties += [f"B{n};P;乙{n};;;;P-A;01.01.2020;2026-01-01 00:00:00" for n in range(1, 5)]
    project.deliver("parties_20260702.csv", "\n".join(parties) + "\n", source="billing")
    charges = pl.DataFrame(
        [
            {
                "charge_no": f"F{n}", "account_no": party, "party_no": party, "unit_code": "P-A", "product": "MOB", "charge_type": "DEVICE",
                "amount": "10.0", "cost": "1.0", "currency": "CNY", "charged_at": f"{day} 0{n}:00:00", "updated_at": f"{day} 0{n}:00:00",
            }
            for n, (party, day) in enumerate(ORDERS)
        ]
    )  # fmt: skip
    charges.write_parquet(project.home / "inbox" / "billing" / "charges_20260702.parquet")
    offers = [
        f'{{"offer_id":"O{n}","kind":"{kind}","customer_no":"{customer}","unit_code":"P-A","offered_at":"2026-03-01T10:00:00+08:00",'
        f'"control":{str(control).lower()},"outcome":"{outcome}","updated_at":"2026-03-01T10:00:00+08:00"}}'
        for n, (kind, customer, control, outcome) in enumerate(OFFERS)
    ]
    project.deliver("offers_20260702.jsonl", "\n".join(offers) + "\n", source="retention")
    tickets = ["id,created_at,updated_at,status,requester_id,via_channel,custom_contact_kind,tags"]
    for n, (user, kind) in enumerate([("1", "complaint"), ("1", "complaint"), ("2", "service_request"), ("3", "")]):
        tickets.append(f"{n},2026-03-01T00:00:00Z,2026-03-02T00:00:00Z,open,{user},email,{kind},")
    users = ["id,created_at,updated_at,name,email,role"]
    users += [f"{n},2026-01-01T00:00:00Z,2026-01-01T00:00:00Z,丙{n},u{n}@example.com,end-user" for n in (1, 2, 3)]
    project.deliver("tickets_20260702.csv", "\n".join(tickets) + "\n", source="zendesk")
    project.deliver("users_20260702.csv", "\n".join(users) + "\n", source="zendesk")
    project.load("load-1")
    project.build()
    with closing(open_snapshot(build_snapshot(project.settings, run_id="run-1").path)) as found:
        yield found


def test_gap_of_each_respondent(snapshot: Snapshot) -> None:
    """Q2 weighs one of two dimensions: each counts the same. Q3 leaves a perception blank: that pair is out. Q5: 1 of 5, turned round, is 100."""
    rows = snapshot.rows(
        "select response_id, weighted_gap_100, mean_gap_100, weighted_gap_points, weighted_perception_100"
        " from fct_expectation_gaps where weighted_gap_100 is not null order by 1"
    )
    found = {row.pop("response_id"): tuple(row.values()) for row in rows}
    assert found == {
        "Q1": pytest.approx((0.7 * -25 + 0.3 * -50, -37.5, 0.7 * -1.5 + 0.3 * -3, 0.7 * 75 + 0.3 * 100 / 3)),
        "Q2": pytest.approx((25, 25, 1.5, 75)),
        "Q3": pytest.approx((50, 50, 3, 100)),
        "Q5": pytest.approx((-100, -100, -4, 0)),
        "Q6": pytest.approx((0, 0, 0, 50)),
    }
    shares = snapshot.rows("select sum(importance_share) as share from fct_servqual_dimensions group by response_id")
    assert [row["share"] for row in shares] == pytest.approx([1] * 5)


@pytest.mark.parametrize(
    ("name", "value", "n"),
    [
        ("servqual_gap", -11.5, 5), ("servqual_gap_unweighted", -12.5, 5), ("servqual_gap_scale", -0.29, 5), ("servqual_performance", 57.5, 5),
        # Q1, Q2, Q3, Q5, Q6; satisfaction of K1 and K5 held against what they expected the month before; that of K2 comes too late.
        ("disconfirmation", (-100 / 3 + 100 / 3 + 100 / 3 - 100 + 0 + 100 - 850 / 9 + 0) / 7, 7),
        ("better_than_expected", 3 / 7, 7), ("worse_than_expected", 2 / 7, 7),
        ("csat_bottom2", 1 / 5, 5), ("csat_top2", 3 / 5, 5),
        ("awareness", 3 / 5, 5), ("reputation", 1 / 2, 2), ("reputation_of_aware", 1 / 3, 3),
        ("return_rate", 2 / 4, 4), ("return_rate_of_purchases", 2 / 6, 6), ("return_rate_of_first_purchases", 2 / 4, 4),
        ("selling_power", 2 / 3, 3), ("selling_power_of_contacts", 2 / 4, 4), ("complaint_rate_of_customers", 1 / 3, 3),
    ],
)  # fmt: skip
def test_metrics(snapshot: Snapshot, name: str, value: float, n: int) -> None:
    found = metric_value(snapshot, name, Filters())
    assert (found.value, found.n) == (pytest.approx(value), n)
    assert found.low is not None and found.high is not None
    assert found.low <= value <= found.high


def test_purchases(snapshot: Snapshot) -> None:
    """The second order of a day is no second purchase; the last order's window is open; exactly the window still counts."""
    assert metric_value(snapshot, "purchases", Filters()).value == 7
    assert metric_value(snapshot, "purchases_not_final", Filters()).value == 1
    rows = snapshot.rows(
        "select cast(purchased_on as varchar) as day, is_bought_again as again, is_final from fct_purchases order by 1, 2"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("2026-01-01", True, True), ("2026-01-05", True, True), ("2026-02-01", False, True), ("2026-03-01", False, True),
        ("2026-04-01", False, True), ("2026-04-01", False, True), ("2026-06-30", None, False),
    ]  # fmt: skip


def test_effort_as_published(snapshot: Snapshot) -> None:
    """5 low, 5 in the middle and 10 high answers of 20 are 50 % (the published example); where 1 is easy, 1 and 2 count."""
    rows = metric_frame(snapshot, ["ces_top2"], by=["survey_id"], filters=Filters()).to_dicts()
    assert {row["survey_id"]: (row["value"], row["n"]) for row in rows if row["n"]} == {
        "CE": (pytest.approx(0.5), 20),
        "CE2": (pytest.approx(2 / 3), 3),
    }


def test_dimensions(snapshot: Snapshot) -> None:
    rows = metric_frame(snapshot, ["servqual_dimension_gap"], by=["dimension"], filters=Filters()).to_dicts()
    assert {row["dimension"]: (row["value"], row["n"]) for row in rows} == {
        "empathy": (pytest.approx(-10), 5),
        "reliability": (pytest.approx(6.25), 4),
    }


def test_the_four_methods_side_by_side(snapshot: Snapshot) -> None:
    rows = metric_frame(snapshot, ["satisfaction_by_method"], by=["method"], filters=Filters()).to_dicts()
    found = {row["method"]: (row["value"], row["n"]) for row in rows}
    # The customer with two complaints in one month has one month with a problem.
    assert found == {
        "asked": (pytest.approx((100 + 50 + 0 + 100 + 75) / 5), 5),
        "derived": (pytest.approx(50 - 11.5 / 2), 5),
        "importance_performance": (pytest.approx(57.5), 5),
        "problems_counted": (pytest.approx(200 / 3), 3),
    }


def test_how_far_the_methods_disagree(snapshot: Snapshot) -> None:
    """Asked orders B, C, A; the other two A, C, B: rank sums 5, 7, 6, so W = 12 x 2 / (9 x 24)."""
    rows = snapshot.rows(
        "select year(year_begin) as year, org_unit_id, method, score_rank, rank_disagreement, concordance, disagreement"
        " from fct_method_disagreement order by method, org_unit_id"
    )
    assert {(row["method"], row["org_unit_id"]): row["score_rank"] for row in rows} == {
        ("asked", "P-A"): 3, ("asked", "P-B"): 1, ("asked", "P-C"): 2,
        ("derived", "P-A"): 1, ("derived", "P-B"): 3, ("derived", "P-C"): 2,
        ("importance_performance", "P-A"): 1, ("importance_performance", "P-B"): 3, ("importance_performance", "P-C"): 2,
    }  # fmt: skip
    assert {row["org_unit_id"]: row["rank_disagreement"] for row in rows} == {"P-A": 1, "P-B": 1, "P-C": 0}
    assert {row["year"] for row in rows} == {2026}
    assert [row["concordance"] for row in rows] == pytest.approx([1 / 9] * 9)
    assert [row["disagreement"] for row in rows] == pytest.approx([8 / 9] * 9)
