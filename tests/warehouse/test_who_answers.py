"""Who answers: stray, repeated and early answers, weights, edges of the base weight, the grid and its quotas, and that nothing from after an
invitation is known at it. Rows of a survey tool, a help desk, an exchange and units, through every model and the snapshot; the numbers by hand.

Survey M has a model (ten answers are enough here), F too few answers for one, U no rule, O sends no invitations, L is about tickets and calls.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from dashboards.data.metrics import Filters, metric_value
from dashboards.data.snapshot import Snapshot, open_snapshot
from orchestration.serving.build import build_snapshot
from tests.warehouse.shop_project import make_shop_project, opened

pytestmark = pytest.mark.slow

AGENT, OTHER, CUSTOMER = "7000000012", "7000000013", "9000000001"
# What a survey tool writes: invitation, survey, channel, product, unit, delivered; M: 40 by text message and 20 by e-mail, March.
INVITED = [
    *[(f"M{n}", "M", "sms", "mobile", "C1" if n <= 30 else "C2", True) for n in range(1, 41)],
    *[(f"M{n}", "M", "email", "fixed", "C1", n != 60) for n in range(41, 61)],
    *[(f"F{n}", "F", "sms", "mobile", "C1", n != 8) for n in range(1, 9)],
    ("U1", "U", "sms", "mobile", "C1", False),
]
# Response, invitation, survey, base weight, satisfaction, and hours from the invitation (12:00 UTC on 10 March).
RESPONDED = [
    *[(f"RM{n}", f"M{n}", "M", "", 5 if n <= 12 else 1, 24) for n in range(1, 17)],
    *[(f"RM{n}", f"M{n}", "M", "", 4, 24) for n in range(41, 45)],
    ("RM1-again", "M1", "M", "", 2, 30),  # the newer of two to one invitation counts
    ("RM2-tie", "M2", "M", "", 2, 24),  # of two at one time the one whose id is last
    ("RM45-early", "M45", "M", "", 1, -1),  # before it was asked
    ("RM46-early", "M46", "M", "", 1, -1), ("RM46-later", "M46", "M", "", 5, 1),
    ("stray", "", "M", "", 1, 24), ("unknown", "V999", "M", "", 1, 24),
    ("RF1", "F1", "F", "2", 5, 24), ("RF2", "F2", "F", "", 3, 24), ("RF3", "F3", "F", "0", 1, 24), ("RF4", "F4", "F", "-3", 1, 24),
    ("RU1", "U1", "U", "", 5, 24),  # nobody told that it was delivered
    ("RO1", "", "O", "3", 5, 24), ("RO2", "", "O", "", 1, 24), ("RO3", "", "O", "0.0", 1, 24),
]  # fmt: skip
# Tickets: what happened (minutes from 12:00 UTC on 9 March) and the invitation at 1000.
HISTORY: dict[str, list[tuple[int, str, str]]] = {
    "L1": [(600, "status", "solved"), (1200, "status", "open")],  # reopened after it
    "L2": [(100, "status", "solved"), (400, "status", "open"), (600, "status", "solved")],  # reopened before it
    "L3": [(1100, "status", "solved")],  # solved after it
    "L4": [(50, "assignee_id", AGENT), (1100, "assignee_id", OTHER), (600, "status", "solved")],  # handed over after it
    "L5": [(50, "assignee_id", AGENT), (400, "assignee_id", OTHER), (999, "status", "solved")],  # handed over before it
}
REPLIES = [("L1", 30), ("L2", 1200), ("L4", 1000)]  # L2 is replied to after it, L4 at its very moment


@dataclass(frozen=True)
class Built:
    warehouse: duckdb.DuckDBPyConnection
    snapshot: Snapshot

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.warehouse.execute(query).fetchall()


def _tool(moment: datetime) -> str:
    return moment.astimezone(ZoneInfo("America/New_York")).strftime("%m/%d/%Y %I:%M:%S %p")


def _desk(minutes: int) -> str:
    return (datetime(2026, 3, 9, 12, tzinfo=UTC) + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _survey_files() -> dict[str, list[str]]:
    invitations = [
        "invitation_id,survey_id,survey_type,contact_type,contact_id,channel,unit_code,product,sent_at,delivered_at"
    ]
    responses = ["response_id,invitation_id,survey_id,survey_type,mode,unit_code,product,submitted_at,base_weight"]
    answers = ["response_id,survey_id,question_id,value,submitted_at"]
    sent = datetime(2026, 3, 10, 12, tzinfo=UTC)
    of = {}
    for name, survey, channel, product, unit, delivered in INVITED:
        of[name] = (channel, unit, product)
        invitations.append(
            f"{name},{survey},csat,,,{channel},{unit},{product},{_tool(sent)},{_tool(sent) if delivered else ''}"
        )
    asked = datetime(2026, 3, 9, 12, tzinfo=UTC) + timedelta(minutes=1000)
    for name in HISTORY:
        invitations.append(f"{name},L,csat,ticket,{name[1:]},sms,C1,mobile,{_tool(asked)},{_tool(asked)}")
    for name in ("K1", "K2"):
        invitations.append(f"{name},L,csat,call,{name},ivr,C1,mobile,{_tool(asked)},{_tool(asked)}")
    for response, invitation, survey, weight, value, hours in RESPONDED:
        channel, unit, product = of.get(invitation, ("sms", "C1", "mobile"))
        at = _tool(sent + timedelta(hours=hours))
        responses.append(f"{response},{invitation},{survey},csat,{channel},{unit},{product},{at},{weight}")
        answers.append(f"{response},{survey},Q1,{value},{at}")
    questions = [
        "survey_id,question_id,role,construct,item_no,text_en,text_zh,scale_min,scale_max,reversed,blank_codes",
        *[f"{survey},Q1,csat,,1,How satisfied are you?,,1,5,N,11;99" for survey in "MFOU"],
    ]
    return {"invitations": invitations, "responses": responses, "answers": answers, "questions": questions}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    root: Path = tmp_path_factory.mktemp("answers")
    project = make_shop_project(root, "shop", "zendesk", "crm", "surveys")
    project.replace_seed(
        "survey_weighting", "M,channel,channel;product_line,5,10,1", "L*,,,5,50,1", "F*,channel,channel,5,10,1"
    )
    project.replace_seed("survey_quotas", "M,*,*,*,3", "M,P1,s*,*,17", "M,P2,sms,mobile,1", "*,*,ivr,*,9")
    for name, lines in _survey_files().items():
        project.deliver(f"{name}_20260320.csv", "\n".join(lines) + "\n", source="surveys")
    tickets = ["id,created_at,updated_at,status,requester_id,assignee_id,via_channel,custom_contact_kind,tags"]
    history = ["ticket_id,field_name,updated,user_id,value"]
    for name, events in HISTORY.items():
        kind = "complaint" if name == "L2" else "service_request"
        tickets.append(f"{name[1:]},{_desk(0)},{_desk(1300)},open,{CUSTOMER},{AGENT},email,{kind},")
        history.append(f"{name[1:]},status,{_desk(0)},{CUSTOMER},new")
        history += [f"{name[1:]},{field},{_desk(at)},-1,{value}" for at, field, value in events]
    comments = ["id,ticket_id,user_id,created,public,body,voice_comment"]
    comments += [f"{n},{name[1:]},{AGENT},{_desk(at)},true,hello,false" for n, (name, at) in enumerate(REPLIES, 1)]
    users = [
        "id,external_id,created_at,updated_at,name,email,phone,role,organization_id",
        f"{AGENT},,{_desk(-9999)},{_desk(-9999)},A,a@x.example,,agent,",
        f"{OTHER},,{_desk(-9999)},{_desk(-9999)},B,b@x.example,,agent,",
    ]
    for name, lines in (
        ("tickets", tickets),
        ("ticket_field_history", history),
        ("ticket_comments", comments),
        ("users", users),
    ):
        project.deliver(f"{name}_20260320.csv", "\n".join(lines) + "\n", source="zendesk")
    units = [
        "unit_code,parent_code,name_zh,name_en,level,time_zone,calendar,valid_from,valid_to",
        "HQ,,总部,HQ,HQ,Asia/Shanghai,,,", "P1,HQ,一,One,PROV,Asia/Shanghai,,,", "P2,HQ,二,Two,PROV,Asia/Shanghai,,,",
        "P3,HQ,三,Three,PROV,Asia/Shanghai,,,", "C1,P1,一一,One one,CITY,Asia/Shanghai,,,", "C2,P2,二一,Two one,CITY,Asia/Shanghai,,,",
    ]  # fmt: skip
    project.deliver("org_units_20260320.csv", "\n".join(units) + "\n", source="crm")
    calls = [
        "id,caller,customer,started,ended,about,solved,type,direction,event",
        "K1,,,2026-03-09 20:00:00,2026-03-09 20:05:00,,yes,,inbound,",
        "K2,,,2026-03-09 20:00:00,2026-03-09 20:05:00,,no,,inbound,",
    ]
    project.deliver("calls_20260320.csv", "\n".join(calls) + "\n")
    project.load("load-1")
    project.build()
    with (
        opened(project) as warehouse,
        closing(open_snapshot(build_snapshot(project.settings, run_id="run-1").path)) as snapshot,
    ):
        yield Built(warehouse, snapshot)


# --- which answers count ------------------------------------------------------------------------------------------------


def test_how_each_response_counts(built: Built) -> None:
    found = dict(built.rows("select response_id, weight_state from fct_survey_weights"))
    expected = {
        name: "modelled" if survey == "M" else "base_and_rate" for name, _, survey, *_ in RESPONDED if survey in "MFU"
    }
    expected |= {
        "RM1": "repeated", "RM2": "repeated", "RM45-early": "before_invitation", "RM46-early": "before_invitation",
        "stray": "without_invitation", "unknown": "without_invitation", "RF3": "base_not_positive", "RF4": "base_not_positive",
        "RO1": "base_only", "RO2": "base_only", "RO3": "base_not_positive",
    }  # fmt: skip
    assert found == expected
    flags = built.rows(
        "select response_id, is_repeated_response, is_before_invitation, is_without_invitation from fct_survey_responses"
        " where is_repeated_response or is_before_invitation or is_without_invitation order by 1"
    )
    assert flags == [
        ("RM1", True, False, False), ("RM2", True, False, False), ("RM45-early", False, True, False), ("RM46-early", False, True, False),
        ("RO1", False, False, True), ("RO2", False, False, True), ("RO3", False, False, True), ("stray", False, False, True),
        ("unknown", False, False, True),
    ]  # fmt: skip


def test_all_responses_stay_used_and_in_the_raw_numbers(built: Built) -> None:
    assert built.rows("select count(*), count(weight) from fct_survey_responses") == [(len(RESPONDED), 26)]
    raw = metric_value(built.snapshot, "csat_top2")
    assert (raw.numerator, raw.denominator) == (sum(row[4] >= 4 for row in RESPONDED), len(RESPONDED))
    share = metric_value(built.snapshot, "survey_unweighted_share")
    assert (share.numerator, share.denominator) == (len(RESPONDED) - 26, len(RESPONDED))


def test_one_response_an_invitation_counts_in_the_rate(built: Built) -> None:
    """M: 16 by text message and 5 by e-mail of 59 delivered; F: 4 of 7."""
    grid = metric_value(built.snapshot, "survey_grid_response_rate", Filters(where={"survey_id": ("M", "F")}))
    assert (grid.numerator, grid.denominator) == (25, 66)
    # The invitation that was answered only before it was sent is answered by the raw rate.
    assert built.rows(
        "select count(*) filter (where is_answered), count(*) filter (where is_delivered) from fct_survey_invitations where survey_id in ('M', 'F')"
    ) == [(26, 66)]


# --- weights ---------------------------------------------------------------------------------------------------------------


def test_weights_of_a_period_with_a_model(built: Built) -> None:
    """Sent by text message (mobile) 40, by e-mail (fixed) 20: each answer stands for 40/16 and 20/5 of them, whatever the model thinks."""
    found = dict(
        built.rows("select response_id, weight from fct_survey_weights where survey_id = 'M' and weight is not null")
    )
    assert len(found) == 21
    for name, weight in found.items():
        assert weight == pytest.approx(
            20 / 5 if name in ("RM41", "RM42", "RM43", "RM44", "RM46-later") else 40 / 16, rel=1e-5
        )
    assert sum(found.values()) == pytest.approx(60)
    assert built.rows("select avg(relative_weight) from fct_survey_weights where survey_id = 'M'")[0][
        0
    ] == pytest.approx(1)


def test_weights_without_a_model(built: Built) -> None:
    """F: 8 sent, 4 answered: twice the base weight, of which none is 1 and 0 and -3 are no weight. O: the base weight."""
    found = dict(built.rows("select response_id, weight from fct_survey_weights where survey_id in ('F', 'O')"))
    assert found == {"RF1": 4.0, "RF2": 2.0, "RF3": None, "RF4": None, "RO1": 3.0, "RO2": 1.0, "RO3": None}
    states = dict(
        built.rows("select survey_id, min(model_state) from fct_survey_weights where survey_id <> 'O' group by all")
    )
    assert states == {"M": "fitted", "F": "too_few_answers", "U": "no_rule"}
    assert built.rows("select base_weight from fct_survey_responses where response_id = 'RF4'") == [(-3.0,)]
    assert built.rows("select count(*) from fct_quarantined_rows") == [(0,)]


def test_an_answer_proves_delivery(built: Built) -> None:
    found = built.rows(
        "select delivered, answered, response_rate from fct_survey_coverage where survey_id = 'U' and invited > 0"
    )
    assert found == [(1, 1, 1.0)]
    assert built.rows("select weight_state, weight from fct_survey_weights where response_id = 'RU1'") == [
        ("base_and_rate", 1.0)
    ]


def test_raw_beside_weighted(built: Built) -> None:
    slices = Filters(where={"survey_id": ("M",)})
    counted = {"RM1-again": 2, "RM2-tie": 2, "RM46-later": 5} | {
        name: value
        for name, _, survey, _, value, _ in RESPONDED
        if survey == "M" and name in {f"RM{n}" for n in [*range(3, 17), *range(41, 45)]}
    }
    weight = {name: 4.0 if name in ("RM41", "RM42", "RM43", "RM44", "RM46-later") else 2.5 for name in counted}
    total, squares = sum(weight.values()), sum(w * w for w in weight.values())
    effective = total**2 / squares
    found = metric_value(built.snapshot, "csat_top2_weighted", slices)
    assert found.value == pytest.approx(sum(w for name, w in weight.items() if counted[name] >= 4) / total, rel=1e-5)
    assert found.n == pytest.approx(effective, rel=1e-5) and found.is_small_base
    assert found.low is not None and found.high is not None and found.low < found.value < found.high
    mean = metric_value(built.snapshot, "csat_mean_weighted", slices)
    assert mean.value == pytest.approx(
        sum(w * (counted[name] - 1) * 25 for name, w in weight.items()) / total, rel=1e-5
    )
    assert metric_value(built.snapshot, "survey_effective_n", slices).value == pytest.approx(effective, rel=1e-5)
    assert metric_value(built.snapshot, "survey_design_effect", slices).value == pytest.approx(21 / effective, rel=1e-5)
    assert metric_value(built.snapshot, "csat_top2_weighted", Filters(where={"survey_id": ("L",)})).value is None


def test_what_the_silent_would_say(built: Built) -> None:
    """M: an answer by text message stands for 1.5 silent ones, one by e-mail for 3; 15 of the silent 39 are of the latter kind."""
    (row,) = built.rows(
        "select invited, silent, answers, answered_value, population_value, silent_value, silent_low, silent_high, population_lowest, population_highest"
        " from fct_survey_silent where survey_id = 'M' and metric = 'csat_top2'"
    )
    by_text, by_mail, answered = 10 / 16, 1.0, 15 / 21
    assert row[:3] == (60, 39, 21)
    assert row[3:6] == (
        pytest.approx(answered), pytest.approx((40 * by_text + 20 * by_mail) / 60, rel=1e-5),
        pytest.approx((24 * by_text + 15 * by_mail) / 39, rel=1e-5),
    )  # fmt: skip
    silent = (24 * by_text + 15 * by_mail) / 39
    spread = sum(1.5**2 * (value - silent) ** 2 for value in [1] * 10 + [0] * 6) + 5 * 3**2 * (1 - silent) ** 2
    half = 1.959964 * (spread * 21 / 20) ** 0.5 / 39
    assert row[6:8] == (pytest.approx(silent - half, rel=1e-4), pytest.approx(min(1, silent + half), rel=1e-4))
    assert row[8:] == (pytest.approx(15 / 60, rel=1e-5), pytest.approx((15 + 39) / 60, rel=1e-5))
    assert built.rows("select count(*) from fct_survey_silent where survey_id <> 'M'") == [(0,)]


# --- who was served, who answers ------------------------------------------------------------------------------------------


def test_representation(built: Built) -> None:
    found = {
        row[0]: row[1:]
        for row in built.rows(
            "select fact_value, invited, delivered, answered, share_of_delivered, share_of_answered, difference_points, representation_index, share_of_weighted"
            " from fct_survey_representation where survey_id = 'M' and fact = 'channel'"
        )
    }
    assert found["email"][:3] == (20, 19, 5) and found["sms"][:3] == (40, 40, 16)
    share, answered = 19 / 59, 5 / 21
    assert found["email"][3:7] == pytest.approx((share, answered, 100 * (answered - share), 100 * answered / share))
    assert found["email"][7] == pytest.approx(1 / 3, rel=1e-5)
    facts = built.rows(
        "select fact, sum(delivered), sum(share_of_answered) from fct_survey_representation where survey_id = 'M' group by fact"
    )
    assert len(facts) == 12 and {(row[1], round(row[2], 9)) for row in facts} == {(59, 1.0)}


def test_the_grid_and_its_quotas(built: Built) -> None:
    """Three provinces by the two pairs of channel and product that M uses; P3 was never asked. The closest line holds, survey before province."""
    found = {
        row[:3]: row[3:]
        for row in built.rows(
            "select org_unit_id, channel, product_line, invited, answered, answers_wanted, answers_missing, is_quota_reached from fct_survey_coverage where survey_id = 'M'"
        )
    }
    assert found == {
        ("P1", "sms", "mobile"): (30, 16, 17, 1, False), ("P1", "email", "fixed"): (20, 5, 3, 0, True),
        ("P2", "sms", "mobile"): (10, 0, 1, 1, False), ("P2", "email", "fixed"): (0, 0, 3, 3, False),
        ("P3", "sms", "mobile"): (0, 0, 3, 3, False), ("P3", "email", "fixed"): (0, 0, 3, 3, False),
    }  # fmt: skip
    # F has no quota, and L one for the voice menu alone.
    assert built.rows(
        "select survey_id, count(answers_wanted), count(*) from fct_survey_coverage where survey_id <> 'M' group by all order by 1"
    ) == [("F", 0, 3), ("L", 3, 6), ("U", 0, 3)]
    reached = metric_value(built.snapshot, "survey_quota_reached", Filters(where={"survey_id": ("M",)}))
    assert (reached.numerator, reached.denominator) == (1, 6)
    assert metric_value(built.snapshot, "survey_answers_missing", Filters(where={"survey_id": ("M",)})).value == 11


# --- nothing from after the invitation -----------------------------------------------------------------------------------


def test_facts_are_those_of_the_moment_of_sending(built: Built) -> None:
    found = {
        row[0]: row[1:]
        for row in built.rows(
            "select invitation_id, outcome, transferred, complaint, wait_band, solving_band from warehouse.features.ftr_survey_invitations where survey_id = 'L'"
        )
    }
    assert found == {
        "L1": ("solved", "no", "no", "10min_to_1h", "1h_to_1day"),
        "L2": ("reopened", "no", "yes", "none", "1h_to_1day"),
        "L3": ("not_solved", "no", "no", "none", "none"),
        "L4": ("solved", "no", "no", "1h_to_1day", "1h_to_1day"),
        "L5": ("solved", "yes", "no", "none", "1h_to_1day"),
        "K1": ("solved", "no", "unknown", "none", "none"),
        "K2": ("not_solved", "no", "unknown", "none", "none"),
    }


def test_quality_of_the_model_is_kept(built: Built) -> None:
    found = dict(
        built.rows(
            "select figure, amount from fct_survey_response_model where survey_id = 'M' and fact = '-' and band = 0"
        )
    )
    assert (
        found["sent"],
        found["delivered"],
        found["answered"],
        found["has_converged"],
        found["raking_has_converged"],
    ) == (60, 59, 21, 1, 1)
    # Two classes only, 16 of 40 and 5 of 19: (16 x 14 + ties) / (21 x 38) pairs are the right way round.
    assert found["auc"] == pytest.approx((16 * 14 + (16 * 24 + 5 * 14) / 2) / (21 * 38))
    versions = built.rows("select distinct model_version, as_of from fct_survey_response_model where survey_id = 'M'")
    assert [(version, str(day)) for version, day in versions] == [("1", "2026-03-11")]
