"""Calls step by step, what follows a contact, half hours and agents' states: each case by hand, through every model and the snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from dashboards.data import queues
from dashboards.data.metrics import Filters, metric_values
from dashboards.data.snapshot import open_snapshot
from orchestration.serving import build
from tests.warehouse.shop_project import ShopProject, make_shop_project, opened

pytestmark = pytest.mark.slow

ENTER, ANSWER, RANG, MOVED, DONE, WRAP, LOST = (
    "enter_queue", "answered", "ring_no_answer", "transferred", "completed", "wrap_up", "abandoned",
)  # fmt: skip
LEGS = {  # day of March 2026 at 08:00 UTC; steps: seconds after it, kind, agent (or queue), seconds reported
    "simple": [(0, ENTER, "", ""), (10, ANSWER, "A1", 10), (70, DONE, "A1", 60), (90, WRAP, "A1", 20)],
    "rang": [(0, ENTER, "", ""), (15, RANG, "A1", 15), (25, ANSWER, "A2", 25), (125, DONE, "A2", 100)],
    "to_queue": [
        (0, ENTER, "service", ""), (5, ANSWER, "A1", 5), (105, MOVED, "A1", 100), (106, ENTER, "vip", ""),
        (116, ANSWER, "A2", 10), (135, WRAP, "A1", 30), (316, DONE, "A2", 200), (320, WRAP, "A2", 4),
    ],
    "past_queue": [(0, ENTER, "", ""), (5, ANSWER, "A1", 5), (65, MOVED, "A1", 60), (66, ANSWER, "A2", 0), (96, DONE, "A2", 30)],
    "requeued": [(0, ENTER, "service", ""), (40, ENTER, "vip", ""), (100, LOST, "", 60)],
    "twice": [(0, ENTER, "", ""), (3, ANSWER, "A1", 3), (4, ANSWER, "A1", 3), (63, DONE, "A1", 60)],
    "out_of_order": [(90, WRAP, "A1", 20), (70, DONE, "A1", 60), (10, ANSWER, "A1", 10), (0, ENTER, "", "")],
    "same_second": [(0, ENTER, "", ""), (0, ANSWER, "A1", 0), (30, DONE, "A1", 30)],
    "no_close": [(0, ENTER, "", ""), (8, ANSWER, "A1", 8)],
    "no_queue": [(0, ANSWER, "A1", 0), (20, DONE, "A1", 20)],
    "in_menu": [(0, "enter_ivr", "", ""), (2, "node", "main", ""), (9, "exit_ivr", "", 9)],
    "through_menu": [
        (0, "enter_ivr", "", ""), (2, "node", "lang", ""), (5, "node", "main", ""), (11, "exit_ivr", "", 9), (11, ENTER, "", ""), (12, LOST, "", 1),
    ],
}  # fmt: skip
HALF_HOURS = {  # on 5 March
    "spread": [(1500, ENTER, "", ""), (1740, ANSWER, "A1", 240), (2040, DONE, "A1", 300)],
    "given_up_later": [(1790, ENTER, "", ""), (1860, LOST, "", 70)],
}
ANATOMY = {  # on 9 March
    "conferenced": [
        (0, ENTER, "", ""), (5, ANSWER, "A1", 5), (20, "conferenced", "A1", ""), (65, "completed:customer", "A1", 60), (75, WRAP, "A1", 10),
    ],
    "agent_hangs_up": [(0, ENTER, "", ""), (4, ANSWER, "A1", 4), (44, "completed:agent", "A1", 40)],
    "callback": [(0, ENTER, "", ""), (61, "flow_out:callback", "", 61)],
    "voicemail": [(0, ENTER, "", ""), (900, "flow_out:voicemail", "", 900)],
    "lost": [(0, ENTER, "", ""), (30, LOST, "", 30)],
}  # fmt: skip
AT_ONCE = {  # on 11 March: one agent in two calls
    "one_of_two": [(0, ENTER, "", ""), (10, ANSWER, "A2", 10), (70, DONE, "A2", 60)],
    "other_of_two": [(0, ENTER, "", ""), (20, ANSWER, "A2", 20), (80, DONE, "A2", 60)],
}
FOLLOWED = [  # call, customer, day, hours after 08:00 UTC; four calls of three customers, and one far later
    ("a", "CA", 10, 0), ("b1", "CB", 10, 1), ("b2", "CB", 10, 2), ("c", "CC", 10, 3),
    ("edge1", "CE", 12, 0), ("edge2", "CE", 13, 0), ("late", "CD", 31, 0),
]  # fmt: skip


def _at(day: int, seconds: int = 0) -> datetime:
    return datetime(2026, 3, day, 8, tzinfo=UTC) + timedelta(seconds=seconds)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> ShopProject:
    project = make_shop_project(tmp_path_factory.mktemp("calls"))
    calls, log = ["id,caller,customer,started,ended"], []

    def call(name: str, customer: str, at: datetime) -> None:
        local = at + timedelta(hours=8)
        calls.append(f"{name},,{customer},{local:%Y-%m-%d %H:%M:%S},")

    for cases, day in ((LEGS, 2), (HALF_HOURS, 5), (ANATOMY, 9), (AT_ONCE, 11)):
        for name, steps in cases.items():
            call(name, "", _at(day))
            log += [
                f"{int(_at(day, after).timestamp())}|{name}|{kind}|{who}|{told}" for after, kind, who, told in steps
            ]
    for name, customer, day, hours in FOLLOWED:
        at = _at(day, hours * 3600)
        call(name, customer, at)
        log += [f"{int(at.timestamp())}|{name}|{ENTER}||", f"{int(at.timestamp()) + 1}|{name}|{ANSWER}|A1|1"]
    project.deliver("calls_20260331.csv", "\n".join(calls) + "\n")
    project.deliver("calllog_20260331.txt", "\n".join(log) + "\n")
    customers = [
        f"{name},{name},person,1380000000{n},{name}@example.com"
        for n, name in enumerate(["CA", "CB", "CC", "CD", "CE"])
    ]
    project.deliver("customers_20260331.csv", "\n".join(["id,name,kind,phone,email", *customers]) + "\n")
    roster = [
        "id,agent,kind,activity,starts,ends",
        "r1,A1,rostered,ready,2026-03-02 09:00:00,2026-03-02 10:00:00",
        "r2,A1,rostered,break,2026-03-02 10:00:00,2026-03-02 10:15:00",
        "r3,A1,rostered,ready,2026-03-03 09:00:00,2026-03-03 10:00:00",  # nothing was seen on that day
        "r4,A2,rostered,ready,2026-03-02 09:00:00,2026-03-02 09:30:00",  # did not come
        "r5,A3,rostered,ready,2026-03-05 07:50:00,2026-03-05 08:10:00",  # over midnight UTC
        "r6,A4,rostered,ready,2026-03-07 07:50:00,2026-03-07 08:10:00",
        "s1,A1,actual,ready,2026-03-02 09:00:00,2026-03-02 09:20:00",
        "s2,A1,actual,talking,2026-03-02 09:20:00,2026-03-02 09:35:00",
        "s3,A1,actual,wrap_up,2026-03-02 09:35:00,2026-03-02 09:40:00",
        "s4,A1,actual,break,2026-03-02 09:40:00,2026-03-02 10:10:00",
        "s5,A1,actual,work,2026-03-02 10:10:00,2026-03-02 10:20:00",
        "s6,A1,actual,ready,2026-03-02 10:15:00,2026-03-02 10:30:00",  # still at other work: two states at once
        "s7,A3,actual,ready,2026-03-05 07:50:00,2026-03-05 07:55:00",
        "s8,A3,actual,talking,2026-03-05 08:00:00,2026-03-05 08:05:00",
        "s9,A4,actual,ready,2026-03-07 08:00:00,2026-03-07 08:05:00",  # nothing was seen when the shift began
    ]
    project.deliver("roster_20260331.csv", "\n".join(roster) + "\n")
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


def _metrics(path: Path, names: list[str], start: date, end: date) -> dict[str, float | None]:
    with closing(open_snapshot(path)) as snapshot:
        found = metric_values(snapshot, names, Filters(start=start, end=end))
    return {name: one.value for name, one in found.items()}


def _legs(marts: duckdb.DuckDBPyConnection, call: str) -> list[tuple[object, ...]]:
    return marts.execute(
        "select queue, agent_id, outcome, wait_seconds, handle_seconds, offers, is_transferred, is_last_leg from fct_call_legs"
        " where call_id = ? order by leg_number",
        [call],
    ).fetchall()


@pytest.mark.parametrize(
    ("call", "legs"),
    [
        ("simple", [("service", "A1", "answered", 10, 80, 1, False, True)]),
        ("rang", [("service", "A2", "answered", 25, 100, 2, False, True)]),
        ("to_queue", [("service", "A1", "answered", 5, 130, 1, True, False), ("vip", "A2", "answered", 10, 204, 1, False, True)]),
        ("past_queue", [("service", "A1", "answered", 5, 60, 1, True, False), ("unknown", "A2", "answered", 0, 30, 1, False, True)]),
        ("requeued", [("service", None, "moved", 40, None, 0, False, False), ("vip", None, "abandoned", 60, None, 0, False, True)]),
        ("twice", [("service", "A1", "answered", 3, 60, 1, False, True)]),
        ("out_of_order", [("service", "A1", "answered", 10, 80, 1, False, True)]),
        ("same_second", [("service", "A1", "answered", 0, 30, 1, False, True)]),
        ("no_close", [("service", "A1", "answered", 8, None, 1, False, True)]),
        ("no_queue", [("unknown", "A1", "answered", 0, 20, 1, False, True)]),
        ("in_menu", []),
        ("through_menu", [("service", None, "abandoned", 1, None, 0, False, True)]),
    ],
)  # fmt: skip
def test_the_legs_of_a_call(marts: duckdb.DuckDBPyConnection, call: str, legs: list[tuple[object, ...]]) -> None:
    assert _legs(marts, call) == legs


def test_metrics_of_legs(snapshot: Path) -> None:
    day = date(2026, 3, 2)
    names = ["transfer_rate", "ring_no_answer_rate", "average_handle_time_per_leg", "longest_wait"]
    found = _metrics(snapshot, names, day, day)
    assert found["transfer_rate"] == pytest.approx(2 / 11), "eleven legs were answered, two of them passed on"
    assert found["ring_no_answer_rate"] == pytest.approx(1 / 12)
    assert found["average_handle_time_per_leg"] == pytest.approx(
        (80 + 100 + 130 + 204 + 60 + 30 + 60 + 80 + 30 + 20) / 10
    )
    assert found["longest_wait"] == 60


def test_who_hung_up_conferences_and_flow_outs(snapshot: Path, marts: duckdb.DuckDBPyConnection) -> None:
    expected = {
        "conference_rate": 1 / 2, "hung_up_by_agent_rate": 1 / 2, "hung_up_by_customer_rate": 1 / 2,
        "flow_out_rate": 2 / 5, "callback_taken_rate": 1 / 5, "average_wrap_up_time": 10 / 2, "average_talk_time": (60 + 40) / 2,
        "average_speed_of_answer": 4.5, "average_wait_of_abandoned": 30, "average_wait": 39 / 3, "longest_wait": 900, "calls_lost": 3,
        # A flow-out is in neither part, or among the bad.
        "service_level": 2 / 2, "service_level_abandons_bad": 2 / 3, "service_level_flow_outs_in": 2 / 5,
    }  # fmt: skip
    found = _metrics(snapshot, list(expected), date(2026, 3, 9), date(2026, 3, 9))
    assert found == pytest.approx(expected)
    ends = marts.execute(
        "select call_id, ended_by, flow_out_to from fct_call_legs where began_on = '2026-03-09' order by 1"
    ).fetchall()
    assert ends == [
        ("agent_hangs_up", "agent", None), ("callback", "unknown", "callback"), ("conferenced", "customer", None),
        ("lost", "unknown", None), ("voicemail", "unknown", "voicemail"),
    ]  # fmt: skip


def test_two_calls_of_one_agent_at_once_keep_their_own_times(marts: duckdb.DuckDBPyConnection, snapshot: Path) -> None:
    """Each call was handled for a minute, though the agent was busy for 70 seconds; occupancy reads the agent's states, which overlap nowhere."""
    assert [_legs(marts, name)[0][4] for name in AT_ONCE] == [60, 60]
    day = date(2026, 3, 11)
    assert _metrics(snapshot, ["average_handle_time", "occupancy"], day, day) == {
        "average_handle_time": 60,
        "occupancy": None,
    }
    assert marts.execute(
        "select sum(handling_seconds) from fct_half_hours where half_hour_on = '2026-03-11'"
    ).fetchall() == [(120,)]


def test_what_begins_in_a_half_hour_and_what_happens_in_it(marts: duckdb.DuckDBPyConnection) -> None:
    rows = marts.execute(
        "select half_hour, entered, entered_answered, entered_abandoned, answered, abandoned, handling_seconds, longest_wait_seconds"
        " from fct_half_hours where half_hour_on = '2026-03-05' order by 1"
    ).fetchall()
    assert rows == [("16:00", 2, 1, 1, 1, 0, 60, 240), ("16:30", 0, 0, 0, 0, 1, 240, None)]


def test_half_hours_add_up_to_the_legs(marts: duckdb.DuckDBPyConnection) -> None:
    by_half_hours = marts.execute(
        "select sum(entered), sum(answered), sum(abandoned), sum(handling_seconds) from fct_half_hours"
    ).fetchone()
    by_legs = marts.execute(
        "select count(*), sum(is_answered::int), sum(is_abandoned::int), sum(handle_seconds) from fct_call_legs where is_in_base"
    ).fetchone()
    assert by_half_hours == by_legs


def test_four_calls_of_three_customers(snapshot: Path) -> None:
    """A and C call once and are solved, B calls twice: by calls 2/4, by customers 2/3, calls that no other followed 3/4."""
    names = ["fcr_by_contacts", "fcr_by_customers", "fcr_no_repeat_7d", "fcr_by_issues", "repeat_contact_rate_7d"]
    found = _metrics(snapshot, names, date(2026, 3, 10), date(2026, 3, 10))
    assert found == {
        "fcr_by_contacts": 2 / 4,
        "fcr_by_customers": pytest.approx(2 / 3),
        "fcr_no_repeat_7d": 3 / 4,
        "fcr_by_issues": pytest.approx(2 / 3),
        "repeat_contact_rate_7d": 1 / 4,
    }


def test_the_edge_of_a_window_is_inside(snapshot: Path) -> None:
    found = _metrics(
        snapshot, ["repeat_contact_rate_24h", "repeat_contact_rate_48h"], date(2026, 3, 12), date(2026, 3, 12)
    )
    assert found == {"repeat_contact_rate_24h": 1.0, "repeat_contact_rate_48h": 1.0}


def test_a_window_that_is_not_over_gives_no_rate(snapshot: Path) -> None:
    """The newest call is of 31 March: nothing is known of the days after it, and of 30 days after the 10th neither."""
    last = _metrics(snapshot, ["repeat_contact_rate_24h", "contacts_not_final"], date(2026, 3, 31), date(2026, 3, 31))
    assert last == {"repeat_contact_rate_24h": None, "contacts_not_final": 1}
    month = _metrics(snapshot, ["repeat_contact_rate_30d", "fcr_no_repeat_30d"], date(2026, 3, 10), date(2026, 3, 12))
    assert month == {"repeat_contact_rate_30d": None, "fcr_no_repeat_30d": None}


def test_occupancy_and_adherence(marts: duckdb.DuckDBPyConnection, snapshot: Path) -> None:
    rows = marts.execute(
        "select agent_id, half_hour, ready_seconds, handling_seconds, other_work_seconds, away_seconds, overlapping_seconds, judged_seconds, adherent_seconds"
        " from fct_agent_half_hours where half_hour_on = '2026-03-02' order by 1, 2"
    ).fetchall()
    assert rows == [
        ("A1", "09:00", 1200, 600, 0, 0, 0, 1800, 1800),
        ("A1", "09:30", 0, 600, 0, 1200, 0, 1800, 600),
        ("A1", "10:00", 0, 0, 1200 // 2, 600, 900, 900, 600),
        ("A2", "09:00", 0, 0, 0, 0, 0, 1800, 0),
    ]
    found = _metrics(
        snapshot, ["occupancy", "occupancy_with_other_work", "schedule_adherence"], date(2026, 3, 2), date(2026, 3, 3)
    )
    assert found == {
        "occupancy": pytest.approx(1200 / 2400),
        "occupancy_with_other_work": pytest.approx(1800 / 3000),
        "schedule_adherence": pytest.approx(3000 / 6300),
    }


def test_a_shift_over_midnight_is_kept_on_both_sides(marts: duckdb.DuckDBPyConnection) -> None:
    """The shift began the day before in UTC; what was seen began after it."""
    rows = marts.execute(
        "select agent_id, half_hour, judged_seconds, handling_seconds, adherent_seconds from fct_agent_half_hours where agent_id in ('A3', 'A4') order by 1, 2"
    ).fetchall()
    assert rows == [
        ("A3", "07:30", 600, 0, 300), ("A3", "08:00", 600, 300, 300), ("A4", "07:30", 0, 0, 0), ("A4", "08:00", 0, 0, 0),
    ]  # fmt: skip


def test_the_way_through_the_menu(marts: duckdb.DuckDBPyConnection, snapshot: Path) -> None:
    rows = marts.execute(
        "select call_id, node_number, node, outcome, node_seconds from fct_call_nodes where call_id in ('in_menu', 'through_menu') order by 1, 2"
    ).fetchall()
    assert rows == [
        ("in_menu", 1, "main", "hung_up", 7), ("through_menu", 1, "lang", "next_node", 3), ("through_menu", 2, "main", "to_agent", 6),
    ]  # fmt: skip
    found = _metrics(
        snapshot, ["menu_node_visits", "menu_drop_off_rate", "menu_opt_out_rate"], date(2026, 3, 2), date(2026, 3, 2)
    )
    assert found == {
        "menu_node_visits": 3,
        "menu_drop_off_rate": pytest.approx(1 / 3),
        "menu_opt_out_rate": pytest.approx(1 / 3),
    }


def test_who_is_rostered_for_a_queue(snapshot: Path) -> None:
    """A1 answered mostly from `service`; A2 as often from three queues, of which `service` is the first by name."""
    of_the_day = (date(2026, 3, 2), date(2026, 3, 2))
    with closing(open_snapshot(snapshot)) as opened_snapshot:
        found = queues.queue_half_hours(opened_snapshot, "service", *of_the_day, within_seconds=20)
        nobody = queues.queue_half_hours(opened_snapshot, "vip", *of_the_day, within_seconds=20)
    rows = found.select("half_hour", "calls", "answered", "abandoned", "handled", "rostered_seconds").rows()
    assert rows == [("09:00", 0, 0, 0, 0, 3600), ("09:30", 0, 0, 0, 0, 1800), ("16:00", 10, 8, 1, 7, 0)], (
        "one call lacks its end"
    )
    assert nobody["rostered_seconds"].to_list() == [None], "no agent of this queue has a roster"
