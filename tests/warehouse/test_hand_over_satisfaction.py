"""Satisfaction after a hand-over: answers of a survey tool, joined through their invitations to the tickets of a help desk, each number by hand.

Ticket 1 has one assignee. 2 changes hands in the middle of a shift with the giver's note, 3 at the end of a shift without one, 4 twice, once with a
note and once without. 5 changes hands after the customer answered. 6 is spam, 7 has no assignee. 8 is nobody's: no help desk has it. The customer of
ticket 2 was also asked about a call whose id is that of ticket 3.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from dashboards.data.metrics import Filters, metric_frame, metric_value
from dashboards.data.snapshot import Snapshot, open_snapshot
from orchestration.serving.build import build_snapshot
from tests.warehouse.shop_project import make_shop_project

pytestmark = pytest.mark.slow

CUSTOMER, GIVER, TAKER = "9000000001", "7000000012", "7000000013"
TICKETS = [  # id, kind, tags
    ("1", "complaint", ""), ("2", "complaint", ""), ("3", "service_request", ""), ("4", "complaint", ""),
    ("5", "complaint", ""), ("6", "complaint", "spam"), ("7", "complaint", ""),
]  # fmt: skip
ASSIGNED = {  # ticket: when (UTC, March 2026) it went to whom; the giver's shift ends at 10:00 UTC each day
    "1": [("02 01:00", GIVER)],
    "2": [("02 01:00", GIVER), ("02 05:00", TAKER)],
    "3": [("02 01:00", GIVER), ("02 10:05", TAKER)],
    "4": [("02 01:00", GIVER), ("02 03:00", TAKER), ("02 04:00", GIVER), ("02 06:00", TAKER)],
    "5": [("02 01:00", GIVER), ("08 05:00", TAKER)],
    "6": [("02 01:00", GIVER), ("02 05:00", TAKER)],
}
NOTES = [("2", "02 05:03", GIVER), ("3", "02 10:06", TAKER), ("4", "02 03:00", GIVER)]
ANSWERS = [  # response, about, id, named by the response itself, satisfaction, solved (1 yes, 0 no)
    ("R1", "ticket", "1", True, 5, 1), ("R2", "ticket", "2", True, 4, 1), ("R3", "ticket", "3", False, 2, 0), ("R4", "ticket", "4", True, 5, 0),
    ("R5", "ticket", "5", True, 3, 1), ("R6", "ticket", "6", True, 5, ""), ("R7", "ticket", "7", True, 5, 99), ("R8", "ticket", "8", True, 5, 1),
    ("R9", "call", "3", True, 1, 1),
]  # fmt: skip


def _utc(moment: str) -> str:
    return f"2026-03-{moment.replace(' ', 'T')}:00Z"


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snapshot]:
    project = make_shop_project(tmp_path_factory.mktemp("satisfaction"), "zendesk", "crm", "surveys")
    tickets = ["id,created_at,updated_at,status,requester_id,assignee_id,via_channel,custom_contact_kind,tags"]
    history = ["ticket_id,field_name,updated,user_id,value"]
    for name, kind, tags in TICKETS:
        tickets.append(f"{name},{_utc('02 00:30')},{_utc('09 00:00')},open,{CUSTOMER},{TAKER},email,{kind},{tags}")
        history.append(f"{name},status,{_utc('02 00:30')},{CUSTOMER},new")
        history += [f"{name},assignee_id,{_utc(at)},-1,{whom}" for at, whom in ASSIGNED.get(name, [])]
    comments = ["id,ticket_id,user_id,created,public,body,voice_comment"]
    comments += [f"{n},{name},{who},{_utc(at)},false,for you,false" for n, (name, at, who) in enumerate(NOTES, 1)]
    for name, lines in (("tickets", tickets), ("ticket_field_history", history), ("ticket_comments", comments)):
        project.deliver(f"{name}_20260309.csv", "\n".join(lines) + "\n", source="zendesk")
    rosters = ["roster_id,agent_no,unit_code,activity,start_time,end_time"]
    rosters += [
        f"R{n},{agent},U1,on_shift,2026/03/02 08:00:00,2026/03/02 {end}:00:00"
        for n, (agent, end) in enumerate((("A00012", 18), ("A00013", 22)), 1)
    ]
    project.deliver("rosters_20260309.csv", "\n".join(rosters) + "\n", source="crm")
    at = datetime(2026, 3, 5, 12, tzinfo=ZoneInfo("America/New_York"))
    stamp = "%m/%d/%Y %I:%M:%S %p"
    invitations = [
        "invitation_id,survey_id,survey_type,contact_type,contact_id,recipient_id,channel,sent_at,delivered_at,status"
    ]
    responses = [
        "response_id,invitation_id,survey_id,survey_type,contact_type,contact_id,recipient_id,mode,submitted_at"
    ]
    answers = ["response_id,survey_id,question_id,value,submitted_at"]
    for name, about, number, told, satisfaction, solved in ANSWERS:
        sent = (at - timedelta(days=1)).strftime(stamp)
        invitations.append(f"I{name},S1,csat,{about},{number},K1,sms,{sent},{sent},delivered")
        subject = f"{about},{number}" if told else ","
        responses.append(f"{name},I{name},S1,csat,{subject},K1,sms,{at.strftime(stamp)}")
        answers += [f"{name},S1,Q1,{satisfaction},{at.strftime(stamp)}", f"{name},S1,Q2,{solved},{at.strftime(stamp)}"]
    questions = [
        "survey_id,question_id,role,construct,item_no,text_en,text_zh,scale_min,scale_max,reversed,blank_codes",
        "S1,Q1,csat,,1,How satisfied are you?,,1,5,N,11;99",
        "S1,Q2,resolved,,2,Was it solved?,,0,1,N,99",
    ]
    for name, lines in (
        ("invitations", invitations),
        ("responses", responses),
        ("answers", answers),
        ("questions", questions),
    ):
        project.deliver(f"{name}_20260309.csv", "\n".join(lines) + "\n", source="surveys")
    project.load("load-1")
    project.build()
    with closing(open_snapshot(build_snapshot(project.settings, run_id="run-1").path)) as found:
        yield found


def test_which_answers_came_after_which_hand_overs(snapshot: Snapshot) -> None:
    rows = snapshot.rows(
        "select response_id, ticket_kind, is_after_hand_over, is_hand_over_noted, is_hand_over_at_shift_change from fct_survey_answers"
        " where question_role = 'csat' order by response_id"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("R1", "complaint", False, None, None),
        ("R2", "complaint", True, True, False),
        ("R3", "request", True, False, True),
        ("R4", "complaint", True, False, False),
        ("R5", "complaint", False, None, None),
        ("R6", "complaint", None, None, None),
        ("R7", "complaint", None, None, None),
        ("R8", "unknown", None, None, None),
        ("R9", "unknown", None, None, None),
    ]


@pytest.mark.parametrize(
    ("name", "numerator", "denominator"),
    [
        ("csat_top2", 6, 9),
        ("csat_after_hand_over", 2, 3), ("csat_without_hand_over", 1, 2),
        ("csat_after_noted_hand_over", 1, 1), ("csat_after_unnoted_hand_over", 1, 2),
        ("csat_after_shift_hand_over", 0, 1), ("csat_after_other_hand_over", 2, 2),
        ("fcr_said_by_customers", 5, 7), ("survey_response_rate", 9, 9),
        # One of six by agents whose roster is known.
        ("shift_hand_over_share", 1, 6),
    ],
)  # fmt: skip
def test_side_by_side(snapshot: Snapshot, name: str, numerator: int, denominator: int) -> None:
    found = metric_value(snapshot, name, Filters())
    assert (found.numerator, found.denominator, found.n) == (numerator, denominator, denominator)
    assert found.low is not None and found.high is not None
    assert found.low <= numerator / denominator <= found.high


def test_the_mean_answer_on_a_hundred(snapshot: Snapshot) -> None:
    answers = [satisfaction for *_, satisfaction, _ in ANSWERS]
    found = metric_value(snapshot, "csat_mean", Filters())
    assert found.value == pytest.approx((sum(answers) / 9 - 1) / 4 * 100)
    assert metric_value(snapshot, "csat_answers", Filters()).value == 9


def test_the_gaps(snapshot: Snapshot) -> None:
    gaps = {
        name: metric_value(snapshot, name, Filters()).value
        for name in ("csat_hand_over_gap", "csat_hand_over_note_gap", "csat_shift_hand_over_gap")
    }
    assert gaps == {
        "csat_hand_over_gap": pytest.approx(2 / 3 - 1 / 2),
        "csat_hand_over_note_gap": pytest.approx(1 / 2),
        "csat_shift_hand_over_gap": -1,
    }


def test_tickets_of_the_same_kind_can_be_compared(snapshot: Snapshot) -> None:
    found = metric_frame(
        snapshot, ["csat_after_hand_over", "csat_without_hand_over"], by=["ticket_kind"], filters=Filters()
    )
    rows = {
        (row["metric"], row["ticket_kind"]): (row["numerator"], row["denominator"])
        for row in found.to_dicts()
        if row["denominator"]
    }
    assert rows == {
        ("csat_after_hand_over", "complaint"): (2, 2),
        ("csat_after_hand_over", "request"): (0, 1),
        ("csat_without_hand_over", "complaint"): (1, 2),
    }
