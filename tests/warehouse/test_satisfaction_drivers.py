"""Why customers are satisfied, through every model: what was known at the answer, bands, drivers without a base, items, and topics of comments.

Every answer is given at noon (UTC) of 10 March 2026, but for those that say otherwise. Times are UTC unless a column says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from dashboards.data.metrics import Filters, metric_frame, metric_value
from dashboards.data.snapshot import Snapshot, open_snapshot
from orchestration.serving.build import build_snapshot
from tests.warehouse.shop_project import ShopProject, make_shop_project, opened

pytestmark = pytest.mark.slow

NOON = "2026-03-10 12:00:00"
TICKETS = [  # id, customer, kind, product, unit, created
    ("T1", "S1", "complaint", "mobile", "C-1", "2026-03-02 08:00:00"), ("T2", "S2", "enquiry", "broadband", "C-1", "2026-03-02 08:00:00"),
    ("T3", "S3", "enquiry", "mobile", "C-2", "2026-03-02 08:00:00"), ("T4", "S4", "enquiry", "mobile", "", "2026-03-02 08:00:00"),
    ("T5", "S5", "enquiry", "mobile", "C-1", "2026-03-02 08:00:00"),
]  # fmt: skip
LOG = [  # ticket, at, actor, kind, value
    # T1: one assignee until the answer; reopened and handed over after it.
    ("T1", "2026-03-02 08:00:00", "agent:A1", "assignee", "A1"), ("T1", "2026-03-02 08:30:00", "agent:A1", "public_reply", ""),
    ("T1", "2026-03-04 08:00:00", "agent:A1", "status", "solved"), ("T1", "2026-03-11 08:00:00", "customer", "status", "open"),
    ("T1", "2026-03-11 09:00:00", "agent:A1", "assignee", "A2"), ("T1", "2026-03-12 09:00:00", "agent:A2", "status", "solved"),
    # T2: handed over, replied late, reopened, all before the answer.
    ("T2", "2026-03-02 08:00:00", "agent:A1", "assignee", "A1"), ("T2", "2026-03-02 11:00:00", "agent:A1", "public_reply", ""),
    ("T2", "2026-03-03 08:00:00", "agent:A1", "status", "solved"), ("T2", "2026-03-04 08:00:00", "customer", "status", "open"),
    ("T2", "2026-03-04 09:00:00", "agent:A1", "assignee", "A2"), ("T2", "2026-03-05 08:00:00", "agent:A2", "status", "solved"),
    # T3: a call on the ticket before the answer (below). T4: nobody ever had it. T5: another call, but after the answer.
    ("T3", "2026-03-02 08:00:00", "agent:A2", "assignee", "A2"), ("T3", "2026-03-03 08:00:00", "agent:A2", "status", "solved"),
    ("T5", "2026-03-02 08:00:00", "agent:A2", "assignee", "A2"), ("T5", "2026-03-03 08:00:00", "agent:A2", "status", "solved"),
]  # fmt: skip
CALLS = [  # id, customer, start, ticket, marked as solved, seconds in the queue, transferred
    ("C1", "S6", "2026-03-09 08:00:00", "", "yes", 90, False), ("C2", "S7", "2026-03-09 08:00:00", "", "no", 10, True),
    ("C3", "S8", "2026-03-08 08:00:00", "", "", 700, False), ("C4", "S8", "2026-03-09 08:00:00", "", "", 30, False),
    ("C5", "S6", "2026-03-11 08:00:00", "", "", 5, False), ("C6", "", "2026-03-09 08:00:00", "", "", 29, False),
    ("C7", "S3", "2026-03-04 08:00:00", "T3", "", 1, False), ("C8", "S5", "2026-03-11 08:00:00", "T5", "", 1, False),
]  # fmt: skip
PROMISES = [  # id, ticket, made, due, done (all on China's clock, eight hours ahead)
    ("P1", "T1", "2026-03-02 18:00:00", "2026-03-12 18:00:00", ""),  # due after the answer
    ("P2", "T2", "2026-03-02 18:00:00", "2026-03-05 18:00:00", ""),  # due, and never kept
    ("P3", "T3", "2026-03-02 18:00:00", "2026-03-05 18:00:00", "2026-03-06 18:00:00"),  # kept too late
    ("P4", "T5", "2026-03-02 18:00:00", "2026-03-05 18:00:00", "2026-03-05 18:00:00"),  # kept in time, edge included
]  # fmt: skip
EVENTS = [  # id, kind, unit, product, start, end (China's clock): trouble of the province holds in its cities, of another product not
    ("E1", "OUTAGE", "P-1", "mobile", "2026-03-02 10:00:00", "2026-03-02 20:00:00"), ("E2", "BAD_PERIOD", "C-2", "", "2026-03-01 00:00:00", ""),
    ("E3", "FAULT", "P-1", "", "2026-03-02 16:00:01", "2026-03-02 20:00:00"),  # began a second after the contact
]  # fmt: skip
# Reviews of A1: five before the answer (80 of 100 each but one of 100) and one of 0 after it. A2 has four only.
REVIEWS = [("A1", f"2026-03-0{day} 18:00:00", 20 if day == 5 else 16) for day in range(1, 6)] + [
    ("A1", "2026-03-20 18:00:00", 0)
]
REVIEWS += [("A2", f"2026-03-0{day} 18:00:00", 16) for day in range(1, 5)]
ANSWERS: list[tuple[str, str, str, str, str, int, int | str, str, str]] = [
    # response, about, id, customer, language, satisfaction, solved, comment, at
    ("R1", "ticket", "T1", "K1", "zh", 5, 1, "承诺的回电没有打来，等了很久", NOON), ("R2", "ticket", "T2", "K2", "zh", 1, 0, "ＰＲＩＣＥ太高", NOON),
    ("R3", "ticket", "T3", "K3", "en", 2, 0, "Still not solved, and the bill is wrong.", NOON), ("R4", "ticket", "T4", "K4", "de", 4, "", "Wartezeit wait egal", NOON),
    ("R5", "ticket", "T5", "K5", "en", 5, 1, "   ", NOON), ("R6", "call", "C1", "K1", "zh", 4, 1, "Quick answer", "2026-03-10 13:00:00"),
    ("R7", "call", "C2", "K6", "zh", 2, 0, "", NOON), ("R8", "call", "C3", "K7", "zh", 2, 0, "一般般", NOON), ("R9", "call", "C4", "K1", "zh", 5, 1, "", "2026-03-10 14:00:00"),
    ("R10", "call", "C6", "", "", 3, 99, "", NOON), ("R11", "ticket", "nobody's", "K8", "", 5, "", "", NOON),
]  # fmt: skip


def _new_york(utc: str) -> str:
    return datetime.fromisoformat(utc).replace(tzinfo=UTC).astimezone(ZoneInfo("America/New_York")).strftime("%m/%d/%Y %I:%M:%S %p")  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> ShopProject:
    project = make_shop_project(tmp_path_factory.mktemp("drivers"), "shop", "crm", "surveys")
    project.replace_seed("sla_policies", "10,one_hour,first_reply,,,,60,calendar,,,")
    tickets = [f"{i},{c},{kind},open,{at}Z,{at}Z,no,{unit},{product}" for i, c, kind, product, unit, at in TICKETS]
    calls, log = ["id,caller,customer,started,ended,about,solved"], []
    for name, customer, at, about, solved, waited, transferred in CALLS:
        epoch = int(datetime.fromisoformat(f"{at}+00:00").timestamp())
        calls.append(f"{name},,{customer},{at}Z,,{about},{solved}")
        log += [f"{epoch}|{name}|enter_queue||", f"{epoch + waited}|{name}|answered|A1|{waited}"]
        log += [f"{epoch + waited + 60}|{name}|transferred|A2|"] if transferred else []
        log.append(f"{epoch + waited + 120}|{name}|completed:agent|A1|120")
    customers = [f"S{n},S{n},person,139000000{n:02},s{n}@example.com" for n in range(1, 9)]
    for name, lines in (
        ("tickets_20260401.csv", ["id,customer,kind,status,created,updated,deleted,unit,product", *tickets]),
        ("ticketlog_20260401.txt", ["|".join((t, f"{at}Z", *rest)) for t, at, *rest in LOG]),
        ("calls_20260401.csv", calls), ("calllog_20260401.txt", log),
        ("customers_20260401.csv", ["id,name,kind,phone,email", *customers]),
    ):  # fmt: skip
        project.deliver(name, "\n".join(lines) + "\n")
    reviews = [f"Q{n},{agent},U,电话,X,A9,{at.replace('-', '/')},{points},{points},{points},{points},{points},否" for n, (agent, at, points) in enumerate(REVIEWS)]  # fmt: skip
    promises = [
        f"{name},PROMISE,repair,ticket,{ticket},,A1,C-1,{made.replace('-', '/')},{due.replace('-', '/')},0,{done.replace('-', '/')},,2026/03/20 00:00:00"
        for name, ticket, made, due, done in PROMISES
    ]
    events = [
        f"{name},{kind},x,{unit},{product},{began.replace('-', '/')},{ended.replace('-', '/')},,2026/03/20 00:00:00"
        for name, kind, unit, product, began, ended in EVENTS
    ]
    units = ["HQ,,总部,HQ,HQ", "P-1,HQ,省,Province,PROV", "C-1,P-1,甲市,City one,CITY", "C-2,HQ,乙市,City two,CITY"]
    for name, lines in (
        ("质检_20260401.csv", ["质检编号,工号,机构编码,接触类型,接触编号,质检员,质检时间,用语,态度,语气,需求把握,应变能力,致命差错", *reviews]),
        ("commitments_20260401.csv", ["commitment_id,kind,purpose,about_type,about_id,customer_no,agent_no,unit_code,made_at,due_at,attempts,done_at,result,updated_at", *promises]),
        ("operational_events_20260401.csv", ["event_no,kind,object_id,unit_code,product,start_time,end_time,description,updated_at", *events]),
        ("org_units_20260401.csv", ["unit_code,parent_code,name_zh,name_en,level,time_zone,calendar,valid_from,valid_to", *(f"{unit},Asia/Shanghai,,2020-01-01," for unit in units)]),
        ("客户资料_20260401.csv", ["客户编号,客户类型,客户名称", *(f"K{n},个人,客户{n}" for n in range(1, 9))]),
    ):  # fmt: skip
        project.deliver(name, "\n".join(lines) + "\n", source="crm")
    responses = ["response_id,survey_id,survey_type,contact_type,contact_id,recipient_id,mode,unit_code,product,language,submitted_at,comment"]  # fmt: skip
    answers = ["response_id,survey_id,question_id,value,submitted_at"]
    for name, about, number, customer, language, satisfied, told, comment, at in ANSWERS:
        when = _new_york(at)
        unit = "" if name in ("R9", "R10") else "C-1"
        responses.append(f'{name},S1,csat,{about},{number},{customer},sms,{unit},mobile,{language},{when},"{comment}"')
        answers += [f"{name},S1,Q1,{satisfied},{when}", f"{name},S1,Q2,{told},{when}", f"{name},S1,Q3,{6 - satisfied},{when}"]  # fmt: skip
    questions = [
        "survey_id,question_id,role,construct,item_no,text_en,text_zh,scale_min,scale_max,reversed,blank_codes",
        "S1,Q1,csat,,1,How satisfied are you?,,1,5,N,11;99", "S1,Q2,resolved,,2,Was it solved?,,0,1,N,99",
        "S1,Q3,other,effort,3,How tiresome was it?,,1,5,Y,11;99",
    ]  # fmt: skip
    for name, lines in (("responses", responses), ("answers", answers), ("questions", questions)):
        project.deliver(f"{name}_20260401.csv", "\n".join(lines) + "\n", source="surveys")
    project.load("load-1")
    project.build(full=True)
    return project


@pytest.fixture(scope="module")
def facts(project: ShopProject) -> dict[str, dict[str, Any]]:
    with opened(project) as connection:
        found = connection.execute("select * from warehouse.features.ftr_satisfaction_drivers").pl()
    return {row["response_id"]: row for row in found.iter_rows(named=True)}


@pytest.fixture(scope="module")
def snapshot(project: ShopProject) -> Iterator[Snapshot]:
    with closing(open_snapshot(build_snapshot(project.settings, run_id="run-1").path)) as found:
        yield found


@pytest.fixture(scope="module")
def marts(project: ShopProject) -> Iterator[duckdb.DuckDBPyConnection]:
    with opened(project) as connection:
        yield connection


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("R1", {"is_solved_at_first_contact": True, "is_transferred": False, "is_promise_broken": False, "is_complaint": True, "agent_id": "A1", "agent_quality": 84.0,
                "first_reply_hours": 0.5, "resolution_days": 2.0, "is_sla_breached": False, "is_in_outage": True, "is_in_bad_period": False, "is_said_solved": True}),
        ("R2", {"is_solved_at_first_contact": False, "is_transferred": True, "is_promise_broken": True, "is_complaint": False, "agent_id": "A2", "agent_quality": None,
                "first_reply_hours": 3.0, "resolution_days": 3.0, "is_sla_breached": True, "is_in_outage": False, "is_said_solved": False}),
        ("R3", {"is_solved_at_first_contact": False, "is_promise_broken": True, "is_transferred": False, "is_in_outage": False, "is_in_bad_period": True, "first_reply_hours": None}),
        ("R4", {"is_transferred": None, "is_solved_at_first_contact": True, "is_promise_broken": False, "is_in_outage": False, "is_said_solved": None, "agent_quality": None}),
        ("R5", {"is_solved_at_first_contact": True, "is_promise_broken": False, "is_in_outage": True}),
        ("R6", {"is_solved_at_first_contact": True, "is_repeat_call": False, "queue_wait_minutes": 1.5, "is_transferred": False, "first_reply_hours": None, "is_sla_breached": None}),
        ("R7", {"is_solved_at_first_contact": False, "is_transferred": True, "is_repeat_call": False}),
        ("R8", {"is_solved_at_first_contact": False, "is_repeat_call": False}),
        ("R9", {"is_solved_at_first_contact": True, "is_repeat_call": True}),
        ("R10", {"is_solved_at_first_contact": True, "is_repeat_call": None, "customer_key": None, "earlier_satisfaction": None, "is_said_solved": None}),
        ("R11", {"is_contact_known": False, "is_solved_at_first_contact": None, "is_complaint": None, "is_promise_broken": None, "is_in_outage": None}),
    ],
)  # fmt: skip
def test_what_was_known_at_the_answer(
    facts: dict[str, dict[str, Any]], response: str, expected: dict[str, Any]
) -> None:
    assert {name: facts[response][name] for name in expected} == expected


def test_earlier_answers_of_the_same_customer(facts: dict[str, dict[str, Any]]) -> None:
    """K1 answered 5, then 4, then 5: on a hundred 100, 75, 100."""
    assert [facts[name]["earlier_satisfaction"] for name in ("R1", "R6", "R9")] == [None, 100.0, 87.5]
    assert facts["R1"]["cluster"] == facts["R9"]["cluster"] != facts["R10"]["cluster"] == "surveys:R10"


def test_too_few_answers_have_a_reason_and_no_number(snapshot: Snapshot) -> None:
    rows = snapshot.rows("select * from fct_satisfaction_drivers where period_kind = 'last_12_months' order by population, factor_set, factor")  # fmt: skip
    assert {row["population"] for row in rows} == {"after_calls", "after_tickets", "all"}
    assert {row["reason"] for row in rows} <= {
        "fewer_answers_than_factors",
        "below_minimum_base",
        "mostly_unknown",
        "constant",
    }
    assert all(row["coefficient"] is None and row["share"] is None and row["r_squared"] is None for row in rows)
    assert {row["answers"] for row in rows if row["population"] == "all"} == {11}
    items = snapshot.rows("select item, performance, reason from fct_importance_performance where item_level = 'question' and importance_kind = 'lmg' order by item")  # fmt: skip
    assert [tuple(row.values()) for row in items] == [
        ("Q2", None, "below_minimum_base"),
        ("Q3", None, "below_minimum_base"),
    ]


def test_a_reversed_item_is_turned_round(marts: duckdb.DuckDBPyConnection) -> None:
    """Q3 was answered with 6 - satisfaction on a reversed scale, so its performance is the satisfaction."""
    found = marts.execute(
        "select sum(answers), sum(item_times_other), sum(overall_squares), sum(item_times_overall) from warehouse.features.ftr_survey_item_sums"
        " where item = 'Q3' and item_level = 'question' and other_item is null"
    ).fetchone()
    # The sum of (a - b) squared is nothing where a and b are the same for each of the eleven.
    assert found is not None and found[0] == 11 and found[1] == found[2] == found[3] > 0


def test_satisfaction_by_wait_is_one_question(snapshot: Snapshot) -> None:
    frame = metric_frame(snapshot, ["csat_by_queue_wait"], by=["band"])
    found = {row["band"]: (row["numerator"], row["denominator"]) for row in frame.iter_rows(named=True)}
    # C2 10 s and C6 29 s; C4 30 s; C1 90 s; C3 700 s.
    assert found == {"wait_1": (0, 2), "wait_2": (1, 1), "wait_3": (1, 1), "wait_6": (0, 1)}
    whole = metric_value(snapshot, "csat_by_queue_wait", Filters())
    assert (whole.numerator, whole.denominator) == (2, 5), "calls only, each answer once"
    mean = metric_value(snapshot, "csat_mean_by_queue_wait", Filters())
    assert mean.value == pytest.approx((75 + 25 + 25 + 100 + 50) / 5)


def test_satisfaction_by_what_happened(snapshot: Snapshot) -> None:
    def by_band(metric: str, fact: str) -> dict[str, tuple[float, float]]:
        frame = metric_frame(snapshot, [metric], by=["band"])
        assert frame.equals(metric_frame(snapshot, [metric], by=["band"], filters=Filters(where={"fact": (fact,)})))
        return {row["band"]: (row["numerator"], row["denominator"]) for row in frame.iter_rows(named=True)}

    assert by_band("csat_by_broken_promise", "is_promise_broken") == {"yes": (0, 2), "no": (5, 8), "unknown": (1, 1)}
    assert by_band("csat_by_transfer", "is_transferred") == {"yes": (0, 2), "no": (4, 7), "unknown": (2, 2)}
    assert by_band("csat_by_agent_quality", "agent_quality")["unknown"][1] >= 4, (
        "a number that is not known is in no band"
    )
    assert (
        metric_value(snapshot, "csat_by_transfer", Filters()).denominator
        == metric_value(snapshot, "csat_answers", Filters()).value
    )


def test_topics_of_comments(marts: duckdb.DuckDBPyConnection, snapshot: Snapshot) -> None:
    found = marts.execute(
        "select response_id, list(comment_topic order by topic_rank), max(topics) from fct_comment_topics group by 1 order by 1"
    ).fetchall()
    assert found == [
        ("R1", ["broken_promise", "wait"], 2),
        ("R2", ["unknown"], 0),  # English in a Chinese text is not tried
        ("R3", ["not_solved", "price"], 2),
        ("R4", ["unknown"], 0),  # nor in one that says it is German
        ("R6", ["speed"], 1),  # a customer of the Chinese survey who writes English
        ("R8", ["unknown"], 0),
    ]
    assert metric_value(snapshot, "survey_comments", Filters()).value == 6
    frame = metric_frame(snapshot, ["comment_topic_share"], by=["comment_topic"])
    assert {row["comment_topic"]: (row["numerator"], row["denominator"]) for row in frame.iter_rows(named=True)} == {
        "broken_promise": (1, 6), "wait": (1, 6), "not_solved": (1, 6), "price": (1, 6), "speed": (1, 6), "unknown": (3, 6),
    }  # fmt: skip
    unknown = metric_value(snapshot, "comment_unknown_share", Filters())
    assert (unknown.numerator, unknown.denominator) == (3, 6)
    speed = metric_value(snapshot, "comment_topic_csat", Filters(where={"comment_topic": ("speed",)}))
    assert (speed.numerator, speed.denominator) == (1, 1)


def test_the_text_of_a_comment_is_not_published(snapshot: Snapshot) -> None:
    columns = snapshot.rows(
        "select table_schema, table_name, column_name from information_schema.columns where data_type = 'VARCHAR' and table_schema = 'main'"
    )
    assert any(row["table_name"] == "fct_comment_topics" for row in columns)
    for row in columns:
        hits = snapshot.rows(
            f'select count(*) as n from "{row["table_schema"]}"."{row["table_name"]}" where contains("{row["column_name"]}", ?) or contains("{row["column_name"]}", ?)',
            ["一般般", "Still not solved"],
        )
        assert hits[0]["n"] == 0, row


def test_the_patterns_of_the_built_in_company(project: ShopProject) -> None:
    """Each sentence that its customers write, by the seed's lines as they stand, read without dbt."""
    from orchestration.demo.words import BAD_COMMENTS, GOOD_COMMENTS

    wanted = {
        "服务很好，解决得快。": {"attitude", "speed"}, "态度不错，点赞。": {"attitude"}, "接通快，满意。": {"wait"}, "师傅很专业。": {"expertise", "field_visit"},
        "Quick and friendly.": {"attitude", "speed"}, "Very helpful, thank you.": {"attitude"}, "Short wait, good service.": {"attitude", "wait"},
        "The technician was professional.": {"expertise", "field_visit"}, "等太久了，问题还没解决。": {"not_solved", "wait"}, "推来推去，没人负责。": {"passed_around"},
        "态度冷淡。": {"attitude"}, "说了几遍都不明白。": {"expertise"}, "承诺的回电没有打来。": {"broken_promise"},
        "Waited far too long and still not solved.": {"not_solved", "wait"}, "Passed from one to the other.": {"passed_around"}, "The agent was cold.": {"attitude"},
        "Nobody called me back as promised.": {"broken_promise"},
    }  # fmt: skip
    assert set(wanted) == {text for side in (GOOD_COMMENTS, BAD_COMMENTS) for language in side for text in language}
    seed = project.root / "seeds" / "comment_topics.csv"
    with duckdb.connect() as connection:
        for text, topics in wanted.items():
            found = connection.execute(
                f"select distinct topic from read_csv('{seed}', header = true) where regexp_matches(lower(?), pattern)",
                [text],
            ).fetchall()
            assert {topic for (topic,) in found} == topics, text
