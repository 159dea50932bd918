"""Message sessions, touch points, switches of channel and notices at their edges: each case by hand, through every model and the snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import duckdb
import pytest

from dashboards.data.metrics import Filters, metric_values
from dashboards.data.snapshot import open_snapshot
from orchestration.serving import build
from tests.warehouse.shop_project import ShopProject, make_shop_project, opened

pytestmark = pytest.mark.slow

HEADER = "id,customer,channel,said,direction,handled,missed,unit,started,replied,ended,rounds,about,event"
TEN = "2026-03-02 10:00:00"


def _session(
    name: str, started: str = TEN, *, customer: str = "", channel: str = "chat", said: str = "", direction: str = "",
    handled: str = "human", missed: str = "", unit: str = "desk", replied: str = "", ended: str = "2026-03-02 10:05:00",
    rounds: str = "", about: str = "", event: str = "",
) -> str:  # fmt: skip
    """A line of the file; times are UTC, and a time of day alone is one of 2 March."""
    start, reply, end = (
        f"{text if len(text) > 8 else f'2026-03-02 {text}'}Z" if text else "" for text in (started, replied, ended)
    )
    return f"{name},{customer},{channel},{said},{direction},{handled},{missed},{unit},{start},{reply},{end},{rounds},{about},{event}"


def _sessions() -> list[str]:
    mail = {"channel": "email", "ended": ""}
    bots = {"channel": "app", "handled": "bot", "ended": ""}
    return [
        _session("simple", replied="10:00:30", rounds="4"),
        _session("edge", replied="10:01:00", rounds="1"),
        _session("late", replied="10:01:01", rounds="0"),
        _session("bot_only", handled="bot"),
        _session("bot_missed", handled="bot", missed="TRUE"),
        _session("left_early", handled="nobody", ended="10:00:40"),
        _session("bot_then_human", handled="both", replied="10:00:20"),
        _session("a_reply_proves_a_human", handled="bot", replied="10:00:45"),
        _session("instant", replied="10:00:00"),
        _session("after_the_end", replied="10:06:00"),
        _session("time_not_told", handled="human"),
        _session("overdue", handled="nobody", ended=""),
        _session("no_length", handled="bot", ended="10:00:00"),
        _session("before_the_start", replied="09:59:59"),  # quarantined by the feed
        # Business time: open from 9 to 17 UTC; an hour is promised.
        _session("over_night", "2026-03-02 16:30:00", replied="2026-03-03 09:20:00", **mail),
        _session("over_night_late", "2026-03-02 16:30:00", replied="2026-03-03 09:30:01", **mail),
        _session("before_it_opened", "2026-03-02 20:00:00", replied="2026-03-03 08:00:00", **mail),
        _session("at_closing", "2026-03-02 17:00:00", replied="2026-03-03 10:00:01", **mail),
        _session("no_schedule", unit="nowhere", replied="11:00:00", **mail),
        _session("closed_then", "2026-03-31 23:30:00", unit="dated", replied="2026-04-01 00:10:00", **mail),
        _session("open_now", "2026-04-01 01:00:00", unit="dated", replied="2026-04-01 01:10:00", **mail),
        _session("never_open_again", unit="ended", handled="nobody", **mail),
        # A promise with days and a touch point.
        _session("last_day", "2026-03-31 23:50:00", channel="social", said="Own_Hall", replied="2026-04-01 00:00:00", ended=""),
        _session("day_after", "2026-04-01 00:00:00", channel="social", said="own_hall", replied="2026-04-01 02:00:00", ended=""),
        _session("other_hall", "2026-03-31 23:50:00", channel="social", said="partner_hall", replied="2026-04-01 02:00:00", ended=""),
        _session("kiosk", "2026-03-31 23:50:00", channel="social", said="kiosk", replied="2026-04-01 02:00:00", ended=""),
        _session("no_such_channel", "2026-03-04 10:00:00", channel="smoke", ended=""),
        _session("by_the_unit", "2026-03-04 10:00:00", unit="vip-3", ended=""),
        _session("ours", "2026-03-04 10:00:00", direction="outbound", replied="2026-03-04 10:00:05", ended=""),
        _session("running", "2026-04-10 11:59:30", handled="nobody", ended=""),
        _session("the_newest", "2026-04-10 11:00:00", handled="bot", ended="2026-04-10 12:00:00"),
        # What follows a session with a bot, on 10 March.
        _session("CA1", "2026-03-10 08:00:00", customer="CA", **bots),
        _session("CB1", "2026-03-10 09:00:00", customer="CB", **bots),
        _session("CB2", "2026-03-11 09:00:00", customer="CB", channel="app", ended=""),
        _session("CC1", "2026-03-10 08:00:00", customer="CC", **bots),
        _session("CC2", "2026-03-10 10:00:00", customer="CC", **bots),
        _session("CD1", "2026-03-10 08:00:00", customer="CD", channel="app", handled="both", ended=""),
        _session("CE1", "2026-03-10 08:00:00", customer="CE", channel="app", ended=""),
        _session("CF1", "2026-03-10 08:00:00", customer="CF", missed="TRUE", **bots),
        _session("CG1", "2026-03-10 08:00:00", customer="CG", **bots),
        _session("CG2", "2026-03-12 10:00:00", customer="CG", channel="app", ended=""),
        _session("CH1", "2026-04-10 08:00:00", customer="CH", **bots),  # nothing is known of the days after it
        # Issues that change their channel: web (the ticket itself), app, telephone, telephone, and long after it chat.
        _session("TX1", "2026-03-15 10:00:00", customer="CX", channel="app", about="TX", ended=""),
        _session("TX4", "2026-03-30 08:00:00", customer="CX", channel="chat", about="TX", ended=""),
        _session("TY1", "2026-03-15 10:00:00", customer="CY", channel="web", about="TY", ended=""),
        _session("TY2", "2026-03-15 11:00:00", customer="CY", channel="app", handled="bot", about="TY", ended=""),
        # Told of the trouble E1.
        _session("N2", "2026-03-20 08:30:00", customer="P2", channel="social", direction="outbound", event="E1", ended=""),
        _session("N12", "2026-03-20 09:00:00", customer="P12", channel="social", direction="outbound", event="E1", ended=""),
    ]  # fmt: skip


TICKETS = [  # id, customer, kind, product, created (UTC)
    ("TX", "CX", "enquiry", "", "2026-03-15 08:00:00"), ("TY", "CY", "enquiry", "", "2026-03-15 08:00:00"),
    ("TZ", "CZ", "enquiry", "", "2026-03-15 08:00:00"), ("TW", "CW", "enquiry", "", "2026-03-15 08:00:00"),
    ("T2", "P2", "complaint", "mobile", "2026-03-20 10:00:00"), ("T3", "P3", "repair", "mobile", "2026-03-20 08:20:00"),
    ("T4", "P4", "repair", "mobile", "2026-03-20 09:00:00"), ("T5", "P5", "complaint", "broadband", "2026-03-20 10:00:00"),
    ("T6", "P6", "incident", "mobile", "2026-03-23 08:30:00"), ("T7", "P7", "repair", "mobile", "2026-03-23 08:30:01"),
    ("T8", "P8", "enquiry", "mobile", "2026-03-20 09:00:00"), ("T9", "P9", "complaint", "mobile", "2026-03-19 08:00:00"),
    ("T11", "P11", "complaint", "fixed", "2026-03-20 09:00:00"),
]  # fmt: skip
ACTIONS = [  # id, kind, customer, event, done (UTC), control
    ("a1", "notice", "P1", "E1", "08:30:00", ""), ("a3", "notice", "P3", "E1", "09:00:00", ""), ("a4", "notice", "P4", "E1", "08:30:00", "yes"),
    ("a5", "notice", "P5", "E1", "08:30:00", "no"), ("a6", "notice", "P6", "E1", "08:30:00", ""), ("a7", "notice", "P7", "E1", "08:30:00", ""),
    ("a9", "notice", "P9", "E1", "08:30:00", ""), ("a10", "care", "P10", "E1", "08:30:00", ""), ("a8", "care", "P8", "", "08:30:00", ""),
    ("a11", "notice", "P11", "", "08:30:00", ""), ("a12", "notice", "P12", "E1", "08:30:00", ""), ("a0", "offer", "P1", "E1", "08:30:00", ""),
]  # fmt: skip
CALLS = [  # id, customer, started (UTC), about, direction, event, step
    ("X2", "CX", "2026-03-16 08:00:00", "TX", "", "", "answered"), ("X3", "CX", "2026-03-17 08:00:00", "TX", "", "", "answered"),
    ("W1", "CW", "2026-03-15 09:00:00", "TW", "", "", "answered"), ("edge", "", "2026-04-10 12:00:00", "", "", "", "answered"),
    ("N13", "P13", "2026-03-20 08:40:00", "", "outbound", "E1", "answered"), ("N14", "P14", "2026-03-20 08:40:00", "", "outbound", "E1", "abandoned"),
]  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> ShopProject:
    project = make_shop_project(tmp_path_factory.mktemp("messages"))
    project.replace_seed(
        "message_promises", "10,quick,chat,,60,calendar,,", "20,office,email,,3600,business,,",
        "30,hall,social; app,own_hall,600,calendar,2026-03-01,2026-03-31",
    )  # fmt: skip
    project.add_to_seed("touch_points", "1,message,shop,,,,,vip-*,account_manager")
    project.add_to_seed("schedules", *(f"nine_to_five,{day},09:00,17:00,,,UTC," for day in range(1, 8)))
    project.add_to_seed("schedules", *(f"always,{day},00:00,24:00,,,UTC," for day in range(1, 8)))
    project.add_to_seed("schedules", "ended,1,09:00,10:30,,2026-03-02,UTC,")
    project.replace_seed(
        "schedule_assignments", "org_unit,desk,nine_to_five,,", "org_unit,dated,nine_to_five,,2026-03-31",
        "org_unit,dated,always,2026-04-01,", "org_unit,ended,ended,,",
    )  # fmt: skip
    project.deliver("sessions_20260411.csv", "\n".join([HEADER, *_sessions()]) + "\n")
    tickets = [f"{i},{c},{kind},open,{at}Z,{at}Z,no,,,{product}" for i, c, kind, product, at in TICKETS]
    project.deliver(
        "tickets_20260411.csv",
        "\n".join(["id,customer,kind,status,created,updated,deleted,unit,priority,product", *tickets]) + "\n",
    )
    actions = [f"{i},{kind},{c},{event},2026-03-20 {at}Z,{control}" for i, kind, c, event, at, control in ACTIONS]
    project.deliver("actions_20260411.csv", "\n".join(["id,kind,customer,event,done,control", *actions]) + "\n")
    project.deliver("troubles_20260411.csv", "id,kind,product,starts\nE1,outage,mobile,2026-03-20 08:00:00Z\n")
    calls, log = ["id,caller,customer,started,ended,about,direction,event"], []
    for name, customer, at, about, direction, event, step in CALLS:
        calls.append(f"{name},,{customer},{at}Z,,{about},{direction},{event}")
        epoch = duckdb.sql(f"select epoch(timestamp '{at}')::bigint").fetchone()
        assert epoch is not None
        log += [f"{epoch[0]}|{name}|enter_queue||", f"{epoch[0] + 1}|{name}|{step}|A1|1"]
    project.deliver("calls_20260411.csv", "\n".join(calls) + "\n")
    project.deliver("calllog_20260411.txt", "\n".join(log) + "\n")
    names = [f"C{letter}" for letter in "ABCDEFGHWXYZ"] + [f"P{number}" for number in range(1, 15)]
    customers = [f"{name},{name},person,139000000{n:02},{name}@example.com" for n, name in enumerate(names)]
    project.deliver("customers_20260411.csv", "\n".join(["id,name,kind,phone,email", *customers]) + "\n")
    answers = ["r1,CX,TX,2026-03-18 09:00:00,5,9", "r2,CX,nothing,2026-03-18 09:00:00,5,9"]
    project.deliver("answers_20260411.csv", "\n".join(["response,customer,about,answered,csat,nps", *answers]) + "\n")
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


def _metrics(path: Path, names: list[str], day: str, **filters: tuple[str, ...]) -> dict[str, float | None]:
    chosen = Filters(
        start=date.fromisoformat(day), end=date.fromisoformat(day), channels=filters.pop("channels", ()), where=filters
    )
    with closing(open_snapshot(path)) as snapshot:
        found = metric_values(snapshot, names, chosen)
    return {name: one.value for name, one in found.items()}


# name: handled by, reply seconds, business seconds, out of hours, ended with the bot, abandoned, doubtful, promise, its due
NINE, TWO = "2026-03-03", "2026-03-02"
CASES: dict[str, tuple[object, ...]] = {
    "simple": ("human", 30, 30, False, False, False, False, "met", f"{TWO} 10:01:00"),
    "edge": ("human", 60, 60, False, False, False, False, "met", f"{TWO} 10:01:00"),
    "late": ("human", 61, 61, False, False, False, False, "breached", f"{TWO} 10:01:00"),
    "bot_only": ("bot", None, None, False, True, False, False, None, None),
    "bot_missed": ("bot", None, None, False, False, True, False, "breached", f"{TWO} 10:01:00"),
    "left_early": ("nobody", None, None, False, False, True, False, None, f"{TWO} 10:01:00"),
    "bot_then_human": ("both", 20, 20, False, False, False, False, "met", f"{TWO} 10:01:00"),
    "a_reply_proves_a_human": ("both", 45, 45, False, False, False, False, "met", f"{TWO} 10:01:00"),
    "instant": ("human", None, None, False, False, False, True, None, f"{TWO} 10:01:00"),
    "after_the_end": ("human", None, None, False, False, False, True, None, f"{TWO} 10:01:00"),
    "time_not_told": ("human", None, None, False, False, False, False, None, f"{TWO} 10:01:00"),
    "overdue": ("nobody", None, None, False, False, False, False, "breached", f"{TWO} 10:01:00"),
    "no_length": ("bot", None, None, False, True, False, True, None, None),
    "over_night": ("human", 60600, 3000, False, False, False, False, "met", f"{NINE} 09:30:00"),
    "over_night_late": ("human", 61201, 3601, False, False, False, False, "breached", f"{NINE} 09:30:00"),
    "before_it_opened": ("human", 43200, 0, True, False, False, False, "met", f"{NINE} 10:00:00"),
    "at_closing": ("human", 61201, 3601, True, False, False, False, "breached", f"{NINE} 10:00:00"),
    "no_schedule": ("human", 3600, None, None, False, False, False, None, None),
    "closed_then": ("human", 2400, 0, True, False, False, False, "met", "2026-04-01 10:00:00"),
    "open_now": ("human", 600, 600, False, False, False, False, "met", "2026-04-01 02:00:00"),
    "never_open_again": ("nobody", None, None, False, False, False, False, "running", None),
    "last_day": ("human", 600, 0, True, False, False, False, "met", "2026-04-01 00:00:00"),
    "day_after": ("human", 7200, 0, True, False, False, False, None, None),
    "ours": ("human", 5, 5, False, False, False, False, None, None),
    "running": ("nobody", None, None, False, False, False, False, "running", "2026-04-10 12:00:30"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(CASES))
def test_a_session(marts: duckdb.DuckDBPyConnection, name: str) -> None:
    found = marts.execute(
        "select handled_by, first_human_reply_seconds, first_human_reply_business_seconds, is_out_of_hours, is_bot_ended, is_abandoned,"
        " is_time_doubtful, promise_state, due_at::varchar from fct_messages where message_session_id = ?",
        [name],
    ).fetchall()
    assert found == [CASES[name]]


def test_a_reply_before_the_first_message_is_quarantined(marts: duckdb.DuckDBPyConnection) -> None:
    where = "where message_session_id = 'before_the_start'"
    assert marts.execute(f"select count(*) from fct_messages {where}").fetchone() == (0,)
    assert marts.execute(f"select _status, _reasons from warehouse.intermediate.int_messages {where}").fetchall() == [
        ("quarantined", ["rule:reply_before_start"])
    ]


def test_a_session_that_never_gets_a_clock_has_no_business_time(marts: duckdb.DuckDBPyConnection) -> None:
    found = marts.execute(
        "select message_session_id, schedule_id, session_seconds from fct_messages"
        " where message_session_id in ('no_schedule', 'no_length', 'simple') order by 1"
    ).fetchall()
    assert found == [("no_length", "nine_to_five", None), ("no_schedule", None, None), ("simple", "nine_to_five", 300)]


def test_touch_points_follow_the_seed(marts: duckdb.DuckDBPyConnection) -> None:
    found = dict(marts.execute("select message_session_id, touch_point from fct_messages").fetchall())
    wanted = {
        "simple": "web_hall", "over_night": "other", "last_day": "own_hall", "other_hall": "partner_hall", "kiosk": "other",
        "no_such_channel": "unknown", "by_the_unit": "account_manager",
    }  # fmt: skip
    assert {name: found[name] for name in wanted} == wanted
    assert marts.execute("select distinct touch_point from fct_calls").fetchall() == [("hotline",)]
    assert marts.execute("select distinct touch_point from fct_tickets").fetchall() == [("web_hall",)]
    assert marts.execute("select contact_kind, touch_point from fct_contacts where contact_id in ('call:X2', 'ticket:TX', 'message:TX1') order by 1").fetchall() == [
        ("call", "hotline"), ("message", "web_hall"), ("ticket", "web_hall"),
    ]  # fmt: skip
    answers = marts.execute("select response_id, touch_point from fct_survey_responses order by 1").fetchall()
    assert answers == [("r1", "web_hall"), ("r2", "unknown")], "an answer has the touch point of what it is about"


def test_metrics_of_sessions(snapshot: Path) -> None:
    names = [
        "message_sessions", "session_first_reply_median", "session_first_reply_p90", "session_first_reply_mean", "rounds_per_session", "bot_ended_rate",
        "session_abandonment_rate", "out_of_hours_session_rate", "session_promise_attainment", "sessions_with_doubtful_time", "session_promises_running",
    ]  # fmt: skip
    assert _metrics(snapshot, names, "2026-03-02", channels=("chat",)) == {
        "message_sessions": 13,
        "session_first_reply_median": 45,
        "session_first_reply_p90": 61,
        "session_first_reply_mean": pytest.approx((20 + 30 + 45 + 60 + 61) / 5),
        "rounds_per_session": pytest.approx(5 / 3),
        "bot_ended_rate": pytest.approx(2 / 5),
        "session_abandonment_rate": pytest.approx(2 / 10),
        "out_of_hours_session_rate": 0.0,
        "session_promise_attainment": pytest.approx(4 / 7),
        "sessions_with_doubtful_time": 3,
        "session_promises_running": 0,
    }
    # 2 and 3 March in Shanghai: the sessions of 16:30 and later (UTC) are those of the 3rd.
    night = ["out_of_hours_session_rate", "session_first_reply_business_mean", "session_promise_attainment"]
    assert _metrics(snapshot, night, "2026-03-03") == {
        "out_of_hours_session_rate": pytest.approx(2 / 4),
        "session_first_reply_business_mean": pytest.approx((3000 + 3601 + 0 + 3601) / 4),
        "session_promise_attainment": pytest.approx(2 / 4),
    }
    assert _metrics(snapshot, night, "2026-03-06") == dict.fromkeys(night)
    outbound = ["message_sessions", "message_sessions_outbound"]
    assert _metrics(snapshot, outbound, "2026-03-04") == {"message_sessions": 2, "message_sessions_outbound": 1}
    share = ["session_handling_share"]
    assert _metrics(snapshot, share, "2026-03-02", channels=("chat",), handled_by=("both",)) == {
        "session_handling_share": pytest.approx(2 / 13)
    }


def test_who_was_intercepted_did_not_come_back(snapshot: Path) -> None:
    names = [f"bot_interception_rate_{window}" for window in ("24h", "48h", "72h", "of_all_72h")]
    assert _metrics(snapshot, names, "2026-03-10") == {
        "bot_interception_rate_24h": pytest.approx(4 / 7),
        "bot_interception_rate_48h": pytest.approx(4 / 7),
        "bot_interception_rate_72h": pytest.approx(3 / 7),
        "bot_interception_rate_of_all_72h": pytest.approx(3 / 8),
    }
    assert _metrics(snapshot, names, "2026-04-10") == dict.fromkeys(names), "their windows are not over"
    assert _metrics(snapshot, ["repeat_contact_rate_24h"], "2026-03-10") == {"repeat_contact_rate_24h": 0.0}
    assert _metrics(snapshot, ["containment_rate_72h"], "2026-03-10") == {"containment_rate_72h": None}, "no calls"


def test_switches_of_channel_within_an_issue(marts: duckdb.DuckDBPyConnection, snapshot: Path) -> None:
    found = marts.execute(
        "select contact_id, issue_channel_changes, issue_channel_changes_7d from fct_contact_repeats where contact_id like 'ticket:T_' and is_opening"
        " and started_on = '2026-03-15' order by 1"
    ).fetchall()
    assert found == [("ticket:TW", 1, 1), ("ticket:TX", 3, 2), ("ticket:TY", 0, 0), ("ticket:TZ", 0, 0)]
    assert _metrics(snapshot, ["issue_channel_switch_rate", "channel_changes_per_issue"], "2026-03-15") == {
        "issue_channel_switch_rate": pytest.approx(2 / 4),
        "channel_changes_per_issue": pytest.approx(3 / 4),
    }
    path = ["channel_path_share"]
    to_app = _metrics(snapshot, path, "2026-03-15", channel_before=("web",), channels=("app",))
    assert to_app == {"channel_path_share": pytest.approx(1 / 2)}
    to_phone = _metrics(snapshot, path, "2026-03-16", channel_before=("app",), channels=("phone",))
    assert to_phone == {"channel_path_share": 1.0}


def test_who_was_first(marts: duckdb.DuckDBPyConnection, snapshot: Path) -> None:
    found = marts.execute(
        "select customer_id, contact_id, notice_id, is_proactive, began_at::varchar from fct_problem_contacts"
        " inner join dim_customer_links using (customer_key) order by try_cast(customer_id[2:] as integer), began_at, notice_id"
    ).fetchall()
    on = "2026-03-20 08:30:00"
    assert found == [
        ("P1", None, "action:a1", True, on),
        ("P2", "ticket:T2", "message:N2", True, on),
        ("P3", "ticket:T3", None, False, "2026-03-20 08:20:00"),
        ("P4", "ticket:T4", None, False, "2026-03-20 09:00:00"),
        ("P5", None, "action:a5", True, on),
        ("P5", "ticket:T5", None, False, "2026-03-20 10:00:00"),
        ("P6", "ticket:T6", "action:a6", True, on),
        ("P7", None, "action:a7", True, on),
        ("P7", "ticket:T7", None, False, "2026-03-23 08:30:01"),
        ("P9", "ticket:T9", None, False, "2026-03-19 08:00:00"),
        ("P9", None, "action:a9", True, on),
        ("P10", None, "action:a10", True, on),
        ("P11", "ticket:T11", "action:a11", True, on),
        ("P12", None, "action:a12", True, on),
        ("P13", None, "call:N13", True, "2026-03-20 08:40:00"),
    ]
    assert _metrics(snapshot, ["proactive_share", "problem_contacts"], "2026-03-20") == {
        "proactive_share": pytest.approx(10 / 13),
        "problem_contacts": 13,
    }
    assert _metrics(snapshot, ["proactive_share"], "2026-03-20", touch_point=("hotline",)) == {"proactive_share": 1.0}
