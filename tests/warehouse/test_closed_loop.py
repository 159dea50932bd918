"""The closed loop at its edges, each case by hand, through every model and the snapshot."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import sqrt
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest

from dashboards.data.metrics import Filters, metric_values
from dashboards.data.snapshot import open_snapshot
from orchestration.serving import build
from tests.warehouse.shop_project import ShopProject, make_shop_project, opened

pytestmark = pytest.mark.slow

FIRST = datetime(2026, 3, 2, 10, tzinfo=UTC)
LAST = datetime(2026, 7, 10, 10, tzinfo=UTC)
"""The first answer of a case that names no other, and the last day of the data."""
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CONTACT, ASK = 72 * HOUR, 120 * DAY


@dataclass(frozen=True)
class Callback:
    """One commitment; `done` and `made` are times after the first answer."""

    done: timedelta | None = HOUR
    result: str = "reached"
    purpose: str = "satisfaction"
    kind: str = "CALLBACK"
    control: str = ""
    made: timedelta = timedelta(minutes=30)
    customer: bool = True
    ticket: str = ""


@dataclass(frozen=True)
class Again:
    """One later response: time after the first answer, survey, and what was typed in by question."""

    after: timedelta
    typed: dict[str, str]
    survey: str = "LOOP01"
    customer: str = ""


@dataclass(frozen=True)
class Case:
    """One first response, what followed, and what the mart must say.

    `expected`: kind, first score, assignment, contacted, solved, solved by, asked again, second score; None = the response is not unhappy.
    """

    expected: tuple[object, ...] | None
    typed: dict[str, str] = field(default_factory=lambda: {"S1": "2"})
    survey: str = "CSAT01"
    callbacks: tuple[Callback, ...] = ()
    again: tuple[Again, ...] = ()
    at: datetime = FIRST
    ticket: str = ""
    known: bool = True


NEVER: tuple[object, ...] = ("csat", 25.0, "none", False, None, None, False, None)


def _contacted(solved: bool | None = None, by: str | None = None, assignment: str = "none") -> tuple[object, ...]:
    return ("csat", 25.0, assignment, True, solved, by, False, None)


CASES: dict[str, Case] = {
    # Who is unhappy.
    "csat_2": Case(NEVER),
    "csat_1": Case(("csat", 0.0, *NEVER[2:]), {"S1": "1"}),
    "csat_3": Case(None, {"S1": "3"}),
    "csat_blank": Case(None, {"S1": "99"}),
    "nps_6": Case(("nps", 60.0, *NEVER[2:]), {"N1": "6"}, "NPS01"),
    "nps_7": Case(None, {"N1": "7"}, "NPS01"),
    "ces_4": Case(("ces", 25.0, *NEVER[2:]), {"C1": "4"}, "CES01"),  # 5 = very much effort
    "ces_3": Case(None, {"C1": "3"}, "CES01"),
    "csat_before_nps": Case(("csat", 0.0, *NEVER[2:]), {"M1": "1", "M2": "0"}, "MIX01"),
    "nps_alone_of_two": Case(("nps", 0.0, *NEVER[2:]), {"M1": "5", "M2": "0"}, "MIX01"),
    # Who was contacted in time.
    "at_the_edge": Case(_contacted(), callbacks=(Callback(CONTACT),)),
    "a_second_late": Case(NEVER, callbacks=(Callback(CONTACT + timedelta(seconds=1)),)),
    "called_before": Case(NEVER, callbacks=(Callback(timedelta(minutes=-5), made=-HOUR),)),
    "unreached": Case(NEVER, callbacks=(Callback(result="unreached"),)),
    "unreached_then_reached": Case(_contacted(), callbacks=(Callback(result="unreached"), Callback(5 * HOUR))),
    "welcome_call": Case(NEVER, callbacks=(Callback(purpose="new_customer"),)),
    "a_promise": Case(NEVER, callbacks=(Callback(kind="PROMISE", result="kept"),)),
    "not_done": Case(NEVER, callbacks=(Callback(None, ""),)),
    "result_of_no_list": Case(_contacted(), callbacks=(Callback(result="spoke"),)),
    "purpose_of_no_list": Case(_contacted(), callbacks=(Callback(purpose="complaint"),)),
    "about_the_ticket": Case(_contacted(True, "callback"), callbacks=(Callback(result="solved", customer=False, ticket="100"),), ticket="100"),
    "nobody_knows_who": Case(_contacted(), callbacks=(Callback(customer=False, ticket="101"),), ticket="101", known=False),
    "unknown_and_alone": Case(NEVER, known=False),
    # What came of it.
    "solved": Case(_contacted(True, "callback"), callbacks=(Callback(result="solved"),)),
    "unsolved": Case(_contacted(False, "callback"), callbacks=(Callback(result="unsolved"),)),
    "the_first_call_counts": Case(_contacted(False, "callback"), callbacks=(Callback(result="unsolved"), Callback(9 * HOUR, "solved"))),
    "ticket_solved_after": Case(_contacted(True, "ticket"), callbacks=(Callback(),), ticket="201"),
    "ticket_solved_before": Case(_contacted(), callbacks=(Callback(),), ticket="202"),
    "ticket_open": Case(_contacted(False, "ticket"), callbacks=(Callback(),), ticket="203"),
    "solved_without_a_call": Case(NEVER, ticket="204"),
    "the_next_answer_says_so": Case(
        ("csat", 25.0, "none", True, True, "next_answer", True, 75.0), callbacks=(Callback(),), again=(Again(9 * DAY, {"L1": "4", "L2": "1"}),)
    ),
    "the_next_answer_denies_it": Case(
        ("csat", 25.0, "none", True, False, "next_answer", True, 75.0), callbacks=(Callback(),), again=(Again(9 * DAY, {"L1": "4", "L2": "0"}),)
    ),
    # Who was asked again.
    "asked_again": Case((*NEVER[:6], True, 100.0), again=(Again(20 * DAY, {"L1": "5"}),)),
    "the_first_one_counts": Case((*NEVER[:6], True, 50.0), again=(Again(30 * DAY, {"L1": "5"}), Again(20 * DAY, {"L1": "3"}))),
    "asked_too_early": Case(NEVER, again=(Again(CONTACT, {"L1": "5"}),)),
    "asked_just_after": Case((*NEVER[:6], True, 100.0), again=(Again(CONTACT + timedelta(seconds=1), {"L1": "5"}),)),
    "asked_at_the_end": Case((*NEVER[:6], True, 100.0), again=(Again(ASK, {"L1": "5"}),)),
    "asked_too_late": Case(NEVER, again=(Again(ASK + timedelta(seconds=1), {"L1": "5"}),)),
    "blank_again": Case((*NEVER[:6], True, 50.0), again=(Again(20 * DAY, {"L1": "99"}), Again(25 * DAY, {"L1": "3"}))),
    "somebody_else_was": Case(NEVER, again=(Again(20 * DAY, {"L1": "5"}, customer="K-other"),)),
    "the_survey_itself_does_not_count": Case(NEVER, again=(Again(20 * DAY, {"S1": "5"}, "CSAT01"),)),
    "without_a_follow_up_it_does": Case(
        ("nps", 40.0, *NEVER[2:6], True, 90.0), {"N1": "4"}, "NPS01", again=(Again(90 * DAY, {"N1": "9"}, "NPS01"),)
    ),
    "another_survey_does_not": Case(("nps", 40.0, *NEVER[2:]), {"N1": "4"}, "NPS01", again=(Again(20 * DAY, {"S1": "5"}, "CSAT01"),)),
    # The lot.
    "held_out": Case((*NEVER[:2], "held_out", *NEVER[3:]), callbacks=(Callback(None, "", control="Y"),)),
    "drawn": Case(_contacted(assignment="called"), callbacks=(Callback(control="N"),)),
    "drawn_too_late": Case(NEVER, callbacks=(Callback(None, "", control="Y", made=CONTACT + HOUR),)),
    "held_out_and_called": Case(
        _contacted(True, "callback", "held_out"), callbacks=(Callback(None, "", control="Y"), Callback(4 * HOUR, "solved", "complaint"))
    ),
    # What the last day does not decide.
    "contact_running": Case(("csat", 25.0, "none", None, None, None, None, None), at=LAST - CONTACT + timedelta(seconds=1)),
    "contact_over": Case(("csat", 25.0, "none", False, None, None, None, None), at=LAST - CONTACT),
    "called_and_running": Case(("csat", 25.0, "none", True, None, None, None, None), callbacks=(Callback(),), at=LAST - DAY),
    "ask_running": Case(("csat", 25.0, "none", False, None, None, None, None), at=LAST - ASK + timedelta(seconds=1)),
    "ask_over": Case(NEVER, at=LAST - ASK),
    "asked_again_and_running": Case(("csat", 25.0, "none", False, None, None, True, 75.0), again=(Again(9 * DAY, {"L1": "4"}),), at=LAST - 40 * DAY),
}  # fmt: skip
# First answer, second answers of those called and of those held out, in tenths.
EFFECT: dict[str, tuple[list[int], list[int]]] = {"0": ([3, 5], [1, 2]), "3": ([5, 7, 9], [3, 4, 5]), "5": ([10], [])}
QUESTIONS = [
    ("CSAT01", "S1", "csat", 1, 5, "N"), ("NPS01", "N1", "nps", 0, 10, "N"), ("CES01", "C1", "ces", 1, 5, "Y"), ("MIX01", "M1", "csat", 1, 5, "N"),
    ("MIX01", "M2", "nps", 0, 10, "N"), ("LOOP01", "L1", "rating", 1, 5, "N"), ("LOOP01", "L2", "resolved", 0, 1, "N"), ("EFF01", "N1", "nps", 0, 10, "N"),
]  # fmt: skip
TYPES = {"CSAT01": "csat", "NPS01": "nps", "CES01": "ces", "MIX01": "other", "LOOP01": "other", "EFF01": "nps"}


def _all_cases() -> dict[str, Case]:
    made = dict(CASES)
    for first, (treated, control) in EFFECT.items():
        for arm, seconds in (("N", treated), ("Y", control)):
            for number, second in enumerate(seconds):
                done = Callback(control="N") if arm == "N" else Callback(None, "", control="Y")
                made[f"effect_{first}_{arm}_{number}"] = Case(
                    (), {"N1": first}, "EFF01", (done,), (Again(30 * DAY, {"N1": str(second)}, "EFF01"),)
                )
    return made


def _csv(header: str, rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header.split(","), *rows])
    return text.getvalue()


def _new_york(at: datetime) -> str:
    return at.astimezone(ZoneInfo("America/New_York")).strftime("%m/%d/%Y %I:%M:%S %p")


def _shanghai(at: datetime) -> str:
    return at.astimezone(ZoneInfo("Asia/Shanghai")).strftime("%Y/%m/%d %H:%M:%S")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> ShopProject:
    project = make_shop_project(tmp_path_factory.mktemp("loop"), "surveys", "crm", "shop")
    cases = _all_cases()
    responses: list[list[str]] = []
    answers: list[list[str]] = []
    commitments: list[list[str]] = []

    def respond(name: str, survey: str, customer: str, ticket: str, at: datetime, typed: dict[str, str]) -> None:
        about = ["ticket", ticket] if ticket else ["relationship", ""]
        responses.append([name, survey, TYPES[survey], *about, customer, "sms", "", "mobile", _new_york(at)])
        answers.extend([name, survey, question, value, _new_york(at)] for question, value in typed.items())

    for name, case in cases.items():
        customer = f"K-{name}"
        respond(name, case.survey, customer if case.known else "", case.ticket, case.at, case.typed)
        for number, again in enumerate(case.again):
            respond(
                f"{name}-{number}", again.survey, again.customer or customer, "", case.at + again.after, again.typed
            )
        for number, call in enumerate(case.callbacks):
            commitments.append([
                f"W-{name}-{number}", call.kind, call.purpose, "ticket" if call.ticket else "relationship", call.ticket, customer if call.customer else "",
                _shanghai(case.at + call.made), "" if call.done is None else _shanghai(case.at + call.done), call.result, call.control,
                _shanghai(case.at + (call.done or call.made)),
            ])  # fmt: skip
    respond("the_last", "CSAT01", "K-last", "", LAST, {"S1": "5"})
    commitments.append(
        ["W-last", "CALLBACK", "complaint", "relationship", "", "K-last", _shanghai(LAST), "", "", "", _shanghai(LAST)]
    )
    project.deliver(
        "questions_20260711.csv",
        _csv("survey_id,question_id,role,construct,item_no,text_en,text_zh,scale_min,scale_max,reversed,blank_codes",
             [[survey, question, role, "", "1", question, question, str(low), str(high), turned, "11;99"] for survey, question, role, low, high, turned in QUESTIONS]),
        source="surveys",
    )  # fmt: skip
    project.deliver(
        "responses_20260711.csv",
        _csv(
            "response_id,survey_id,survey_type,contact_type,contact_id,recipient_id,mode,unit_code,product,submitted_at",
            responses,
        ),
        source="surveys",
    )
    project.deliver(
        "answers_20260711.csv", _csv("response_id,survey_id,question_id,value,submitted_at", answers), source="surveys"
    )
    project.deliver(
        "commitments_20260711.csv",
        _csv(
            "commitment_id,kind,purpose,about_type,about_id,customer_no,made_at,done_at,result,control_group,updated_at",
            commitments,
        ),
        source="crm",
    )
    names = ["last", "other", *cases]
    project.deliver(
        "客户资料_20260711.csv",
        _csv("客户编号,客户类型,客户名称", [[f"K-{name}", "个人", name] for name in names]),
        source="crm",
    )
    # Tickets: solved five hours after the answer, solved before it, never solved, solved after it without a call.
    log = []
    for ticket, events in {
        "201": [(-30, "new"), (5, "solved")], "202": [(-30, "new"), (-2, "solved")], "203": [(-30, "new"), (1, "open")], "204": [(-30, "new"), (5, "solved")],
    }.items():  # fmt: skip
        for hours, status in events:
            log.append(f"{ticket}|{(FIRST + hours * HOUR):%Y-%m-%d %H:%M:%SZ}|agent:A1|status|{status}")
    project.deliver("ticketlog_20260711.txt", "\n".join(log) + "\n")
    made = f"{(FIRST - 30 * HOUR):%Y-%m-%d %H:%M:%SZ}"
    project.deliver(
        "tickets_20260711.csv",
        _csv("id,customer,kind,status,created,updated,deleted",
             [[ticket, "", "enquiry", status, made, f"{FIRST + 6 * HOUR:%Y-%m-%d %H:%M:%SZ}", "no"]
              for ticket, status in (("201", "solved"), ("202", "solved"), ("203", "open"), ("204", "solved"))]),
    )  # fmt: skip
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


@pytest.mark.parametrize("name", list(CASES))
def test_a_case(marts: duckdb.DuckDBPyConnection, name: str) -> None:
    found = marts.execute(
        "select unhappy_kind, first_score, assignment, is_contacted, is_solved, solved_by, is_asked_again, second_score from fct_closed_loop where response_id = ?",
        [name],
    ).fetchall()
    assert found == ([] if CASES[name].expected is None else [CASES[name].expected])


def test_when_the_last_day_decides(marts: duckdb.DuckDBPyConnection) -> None:
    found = {
        name: (contact, ask)
        for name, contact, ask in marts.execute(
            "select response_id, is_contact_final, is_ask_final from fct_closed_loop"
        ).fetchall()
    }
    assert found["contact_running"] == found["called_and_running"] == (False, False)
    assert found["contact_over"] == found["ask_running"] == found["asked_again_and_running"] == (True, False)
    assert found["ask_over"] == found["csat_2"] == (True, True)


def test_only_what_is_over_is_counted(snapshot: Path) -> None:
    """By hand over the cases of the satisfaction survey."""
    cases = {name: case for name, case in CASES.items() if case.expected and case.survey == "CSAT01"}
    over = [case for case in cases.values() if case.at <= LAST - CONTACT]
    asked = [case for case in cases.values() if case.at <= LAST - ASK]
    contacted = [case for case in over if case.expected and case.expected[3]]
    known = [case for case in contacted if case.expected and case.expected[4] is not None]
    again = [case for case in asked if case.expected and case.expected[6]]
    with closing(open_snapshot(snapshot)) as opened_snapshot:
        found = metric_values(
            opened_snapshot,
            [
                "loop_unhappy_answers",
                "loop_contacted_rate",
                "loop_solved_rate",
                "loop_solved_known_rate",
                "loop_asked_again_rate",
            ],
            Filters(where={"survey_id": ("CSAT01",)}),
        )
    assert found["loop_unhappy_answers"].value == len(cases)
    for name, part, base in (
        ("loop_contacted_rate", contacted, over), ("loop_solved_known_rate", known, contacted), ("loop_asked_again_rate", again, asked),
        ("loop_solved_rate", [case for case in known if case.expected and case.expected[4]], known),
    ):  # fmt: skip
        assert (found[name].numerator, found[name].denominator) == (len(part), len(base)), name
        assert 0 < len(part) < len(base), name
    assert len(over) < len(cases) and len(asked) < len(over)


def test_gains_and_their_difference(snapshot: Path) -> None:
    with closing(open_snapshot(snapshot)) as opened_snapshot:
        found = metric_values(
            opened_snapshot,
            ["loop_gain_contacted", "loop_gain_control", "loop_net_gain"],
            Filters(where={"survey_id": ("EFF01",)}),
        )
    treated = [10 * second - 10 * int(first) for first, (seconds, _) in EFFECT.items() for second in seconds]
    control = [10 * second - 10 * int(first) for first, (_, seconds) in EFFECT.items() for second in seconds]
    assert found["loop_gain_contacted"].value == pytest.approx(sum(treated) / len(treated))
    assert found["loop_gain_control"].value == pytest.approx(sum(control) / len(control))
    assert found["loop_net_gain"].value == pytest.approx(sum(treated) / len(treated) - sum(control) / len(control))
    assert (found["loop_gain_contacted"].n, found["loop_gain_control"].n) == (6, 5)
    assert found["loop_gain_contacted"].low is not None and found["loop_net_gain"].is_small_base


@pytest.mark.parametrize("comparison", ["by_lot", "by_contact"])
def test_the_effect_compares_equal_first_answers(marts: duckdb.DuckDBPyConnection, comparison: str) -> None:
    """First 0: gains 30, 50 against 10, 20; first 3: 20, 40, 60 against 0, 10, 20; first 5: 50 against nobody, which is left out."""
    row = (
        marts.execute("select * from fct_loop_effects where survey_id = 'EFF01' and comparison = ?", [comparison])
        .pl()
        .to_dicts()[0]
    )
    net = 2 / 5 * (40 - 15) + 3 / 5 * (40 - 10)
    error = sqrt((2 / 5) ** 2 * (200 / 2 + 50 / 2) + (3 / 5) ** 2 * (400 / 3 + 100 / 3))
    assert (row["treated"], row["control"], row["matched_treated"], row["matched_control"]) == (6, 5, 5, 5)
    assert row["net_gain"] == pytest.approx(net) and row["net_gain_high"] == pytest.approx(net + 1.959964 * error)
    assert row["net_gain_low"] == pytest.approx(net - 1.959964 * error)
    assert row["gain_before_after"] == pytest.approx(250 / 6) and row["gain_treated"] == pytest.approx(40)
    assert row["gain_control"] == pytest.approx(2 / 5 * 15 + 3 / 5 * 10)
    assert row["is_assigned_by_lot"] == (comparison == "by_lot") and row["is_small_base"] and row["reason"] is None


def test_no_control_no_effect(marts: duckdb.DuckDBPyConnection) -> None:
    found = marts.execute(
        "select treated, control, net_gain, reason from fct_loop_effects where survey_id = 'NPS01'"
    ).fetchall()
    assert found == [(0, 1, None, "nobody_treated")]
