"""One day of an exchange's own logs, call by call from the menu to the wrap-up, each number by hand through every model and the snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta

import pytest

from dashboards.data.metrics import Filters, metric_frame, metric_values
from dashboards.data.snapshot import Snapshot, open_snapshot
from orchestration.serving.build import build_snapshot
from tests.warehouse.shop_project import make_shop_project

pytestmark = pytest.mark.slow

Q, AG1, AG2, AG3 = "hotline", "Agent/01001", "Agent/01002", "Agent/01003"
NONE = "NONE"
MENU = [(0, NONE, NONE, "DID", "10088"), (2, NONE, NONE, "IVRNODE", "lang"), (8, NONE, NONE, "IVRNODE", "main")]
SERVED = [*MENU, (12, NONE, NONE, "IVRNODE", "balance"), (40, NONE, NONE, "IVREND", "selfservice", 40)]
ENTER = (0, Q, NONE, "ENTERQUEUE", "", "x", 1)
TWO = datetime(2026, 1, 5, 4, tzinfo=UTC)  # noon in Shanghai

# name: hours after noon of 5 January, caller, steps, then of the record: context, agent, application, its data, user field, seconds
CALLS: dict[str, tuple[float, str, list[tuple[object, ...]], tuple[object, ...]]] = {
    "served": (0, "13800000001", SERVED, ("from-pstn", "", "Playback", "selfservice-balance", "path=lang>main>balance", 62)),
    "served_in_vain": (0, "13800000002", SERVED, ("from-pstn", "", "Playback", "selfservice-balance", "path=lang>main>balance", 62)),
    "left_in_menu": (
        0, "13800000003", [*MENU, (20, NONE, NONE, "IVREND", "hangup", 20)], ("from-pstn", "", "BackGround", "main", "path=lang>main", 21),
    ),
    "whole_way": (
        0, "13900000001",
        [
            *MENU, (20, NONE, NONE, "IVREND", "queue", 20), (20, *ENTER[1:]), (35, Q, AG2, "RINGNOANSWER", 15000),
            (45, Q, AG1, "CONNECT", 25, "x", 5), (60, Q, AG1, "HOLD"), (90, Q, AG1, "UNHOLD", 30),
            (145, Q, AG1, "ATTENDEDTRANSFER", "complaints", "from-queue", 25, 100, 1),
            (147, "complaints", NONE, "ENTERQUEUE", "", "x", 1), (157, "complaints", AG3, "CONNECT", 10, "x", 3),
            (165, Q, AG1, "UNPAUSE", "wrapup", 20), (357, "complaints", AG3, "COMPLETEAGENT", 10, 200, 1), (397, "complaints", AG3, "UNPAUSE", "wrapup", 40),
        ],
        ("from-pstn", AG3, "Queue", "complaints", "path=lang>main>agent;hu=agent", 357),
    ),
    "simple": (
        0, "13900000002", [ENTER, (5, Q, AG1, "CONNECT", 5, "x", 2), (65, Q, AG1, "COMPLETECALLER", 5, 60, 1), (75, Q, AG1, "UNPAUSE", "wrapup", 10)],
        ("from-pstn", AG1, "Queue", Q, "hu=caller", 65),
    ),
    "past_the_queue": (
        0, "13900000003", [(0, Q, AG1, "CONNECT", "", "x", 2), (20, Q, AG1, "COMPLETECALLER", "", 20, 1)], ("from-pstn", AG1, "Queue", Q, "", 20),
    ),
    "short": (0, "13900000004", [ENTER, (3, Q, NONE, "ABANDON", 1, 1, 3)], ("from-pstn", "", "Queue", Q, "", 3)),
    "lost": (0, "13900000005", [ENTER, (50, Q, NONE, "ABANDON", 1, 1, 50)], ("from-pstn", "", "Queue", Q, "", 50)),
    "called_back": (0, "13900000006", [ENTER, (70, Q, NONE, "EXITWITHKEY", 1, 1, 1, 70)], ("from-pstn", "", "Playback", "callback-taken", "", 71)),
    "voicemail": (0, "13900000007", [ENTER, (900, Q, NONE, "EXITWITHTIMEOUT", 1, 1, 900)], ("from-pstn", "", "VoiceMail", Q, "", 930)),
    "phantom": (0, "13900000008", [(0, NONE, NONE, "DID", "10088")], ("from-pstn", "", "Hangup", "", "", 1)),
    "nuisance": (
        0, "13900000009", [ENTER, (4, Q, AG1, "CONNECT", 4, "x", 2), (9, Q, AG1, "COMPLETEAGENT", 4, 5, 1)],
        ("from-pstn", AG1, "Queue", Q, "hu=agent;mk=nuisance", 9),
    ),
    "misdirected": (
        0, "13900000010", [ENTER, (4, Q, AG1, "CONNECT", 4, "x", 2), (19, Q, AG1, "COMPLETECALLER", 4, 15, 1)],
        ("from-pstn", AG1, "Queue", Q, "mk=misdirected", 19),
    ),
    "test_call": (0, "13900000011", [ENTER, (1, Q, AG1, "CONNECT", 1, "x", 1), (2, Q, AG1, "COMPLETEAGENT", 1, 1, 1)], ("test-lines", AG1, "Queue", Q, "", 2)),
    "among_us": (0, "8001", [], ("from-internal", "", "Dial", "8002", "", 30)),
    "after_all": (30, "13800000002", [ENTER, (5, Q, AG1, "CONNECT", 5, "x", 2), (35, Q, AG1, "COMPLETECALLER", 5, 30, 1)], ("from-pstn", AG1, "Queue", Q, "", 35)),
    "much_later": (700, "13800000003", [ENTER, (5, Q, AG1, "CONNECT", 5, "x", 2), (35, Q, AG1, "COMPLETECALLER", 5, 30, 1)], ("from-pstn", AG1, "Queue", Q, "", 35)),
}  # fmt: skip


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snapshot]:
    project = make_shop_project(tmp_path_factory.mktemp("anatomy"), "asterisk", "zendesk")
    log: list[tuple[int, str]] = []
    records = []
    for name, (hours, caller, steps, (context, agent, app, data, field, seconds)) in CALLS.items():
        begin = TWO + timedelta(hours=hours)
        epoch = int(begin.timestamp())
        for after, queue, who, event, *details in steps:
            at = epoch + int(str(after))
            log.append(
                (
                    at,
                    "|".join(str(part) for part in (at, name, queue, who, event, *details, *[""] * (5 - len(details)))),
                )
            )
        local = begin + timedelta(hours=8)
        stamps = [
            f"{moment:%Y-%m-%d %H:%M:%S}" for moment in (local, local, local + timedelta(seconds=int(str(seconds))))
        ]
        told = "NO ANSWER" if app == "Hangup" else "ANSWERED"
        channel = f"{agent}-00000001" if agent else ""
        fields = [
            "U1",
            caller,
            "10088",
            context,
            "",
            "PJSIP/trunk1",
            channel,
            app,
            data,
            *stamps,
            seconds,
            seconds,
            told,
            "DOCUMENTATION",
            name,
            field,
        ]
        records.append(",".join(f'"{one}"' for one in fields))
    project.deliver(
        "queue_log_20260228.log",
        "\n".join(line for _, line in sorted(log, key=lambda one: one[0])) + "\n",
        source="asterisk",
    )
    project.deliver("Master_20260228.csv", "\n".join(records) + "\n", source="asterisk")
    users = ["id,created_at,updated_at,name,email,phone,role"]
    users += [
        f"900000000{n},2025-01-01T00:00:00Z,2025-01-01T00:00:00Z,Customer {n},,1380000000{n},end-user"
        for n in (1, 2, 3)
    ]
    project.deliver("users_20260228.csv", "\n".join(users) + "\n", source="zendesk")
    project.load("load-1")
    project.build()
    with closing(open_snapshot(build_snapshot(project.settings, run_id="run-1").path)) as found:
        yield found


def test_every_number_of_the_day(snapshot: Snapshot) -> None:
    """Seven calls reached people: three were answered (one by two agents), two given up, two flowed out. Three ended in the menu."""
    expected: dict[str, float] = {
        "calls_offered": 7, "calls_answered": 3, "calls_abandoned": 2, "calls_lost": 4,
        "calls_phantom": 1, "calls_nuisance": 1, "calls_misdirected": 1,
        "abandonment_rate": 2 / 7, "abandonment_rate_of_queued": 2 / 6, "abandonment_rate_without_short": 1 / 6, "left_in_menu_rate": 1 / 10,
        # The wait of the call past the queue is not known.
        "average_speed_of_answer": (25 + 5) / 2, "average_wait_of_abandoned": (3 + 50) / 2, "average_wait": (25 + 5 + 3 + 50) / 4,
        "service_level": 1 / 2, "service_level_abandons_good": 2 / 4, "service_level_flow_outs_in": 1 / 6, "wait_p90": 25, "longest_wait": 900,
        # 100 + 200 of talk and hold and 60 of wrap-up, 60 + 10, 20.
        "average_handle_time": (360 + 70 + 20) / 3, "average_handle_time_per_leg": (120 + 240 + 70 + 20) / 4,
        "average_talk_time": (70 + 200 + 60 + 20) / 4, "average_wrap_up_time": (20 + 40 + 10) / 4, "average_hold_time": 30, "hold_rate": 1 / 4,
        "transfer_rate": 1 / 4, "transfer_rate_of_calls": 1 / 3, "ring_no_answer_rate": 1 / 5, "conference_rate": 0,
        "hung_up_by_agent_rate": 1 / 3, "hung_up_by_customer_rate": 2 / 3, "flow_out_rate": 2 / 8, "callback_taken_rate": 1 / 8,
        "queue_entries": 8, "abandonment_rate_by_queue_entry": 2 / 8,
        "menu_node_visits": 10, "menu_drop_off_rate": 1 / 10, "menu_opt_out_rate": 1 / 10,
        # Of the three identified callers all ended in the menu; one of them called again after 30 hours.
        "containment_rate_24h": 3 / 3, "containment_rate_48h": 2 / 3, "containment_rate_72h": 2 / 3,
    }  # fmt: skip
    day = Filters(start=date(2026, 1, 5), end=date(2026, 1, 5))
    found = {name: one.value for name, one in metric_values(snapshot, list(expected), day).items()}
    assert found == pytest.approx(expected)


def test_who_gets_the_credit_after_a_transfer(snapshot: Snapshot) -> None:
    """The whole way went from A01001 to A01003."""
    day = Filters(start=date(2026, 1, 5), end=date(2026, 1, 5))
    names = ["calls_credited_to_last_agent", "calls_credited_to_every_agent", "calls_credited_in_shares"]
    found = metric_frame(snapshot, names, by=["agent_id"], filters=day)
    assert {(row["metric"], row["agent_id"]): row["value"] for row in found.to_dicts() if row["agent_id"]} == {
        ("calls_credited_to_last_agent", "A01001"): 2, ("calls_credited_to_last_agent", "A01003"): 1,
        ("calls_credited_to_every_agent", "A01001"): 3, ("calls_credited_to_every_agent", "A01003"): 1,
        ("calls_credited_in_shares", "A01001"): 2.5, ("calls_credited_in_shares", "A01003"): 0.5,
    }  # fmt: skip
    assert {name: one.value for name, one in metric_values(snapshot, names, day).items()} == dict(
        zip(names, (3, 4, 3), strict=True)
    )


def test_bins_of_the_wait_are_half_open(snapshot: Snapshot) -> None:
    rows = snapshot.rows(
        "select call_id, wait_bucket from fct_calls where started_on = '2026-01-05' and is_offered order by wait_seconds nulls last"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("short", "[0,5)"), ("simple", "[5,10)"), ("whole_way", "[20,30)"), ("lost", "[30,60)"), ("called_back", "[60,120)"),
        ("voicemail", "[600,)"), ("past_the_queue", None),
    ]  # fmt: skip


def test_contacts_of_nobody_are_known_to_be_so(snapshot: Snapshot) -> None:
    found = metric_values(snapshot, ["identification_rate", "contacts"], Filters())
    assert (found["identification_rate"].numerator, found["contacts"].value) == (2, 9)


def test_drop_off_and_opt_out_by_node(snapshot: Snapshot) -> None:
    found = metric_frame(snapshot, ["menu_drop_off_rate", "menu_opt_out_rate"], by=["node"], filters=Filters())
    rows = {(row["metric"], row["node"]): (row["numerator"], row["denominator"]) for row in found.to_dicts()}
    assert rows == {
        ("menu_drop_off_rate", "lang"): (0, 4), ("menu_drop_off_rate", "main"): (1, 4), ("menu_drop_off_rate", "balance"): (0, 2),
        ("menu_opt_out_rate", "lang"): (0, 4), ("menu_opt_out_rate", "main"): (1, 4), ("menu_opt_out_rate", "balance"): (0, 2),
    }  # fmt: skip


def test_what_is_out_of_the_base_is_counted_apart(snapshot: Snapshot) -> None:
    rows = snapshot.rows(
        "select call_id, exclusion_kind, is_in_base, is_offered from fct_calls where exclusion_kind is not null order by call_id"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("among_us", "internal", False, False), ("misdirected", "misdirected", False, False), ("nuisance", "nuisance", False, False),
        ("phantom", "phantom", False, False), ("test_call", "test", False, False),
    ]  # fmt: skip


def test_the_way_and_the_end_of_a_call(snapshot: Snapshot) -> None:
    rows = snapshot.rows(
        "select ivr_path, ivr_seconds, disposition, ended_by, wait_seconds, talk_seconds, hold_seconds, wrap_up_seconds, transfers, queue_entries, rings_without_answer"
        " from fct_calls where call_id = 'whole_way'"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("lang>main>agent", 20, "answered", "agent", 25, 270, 30, 60, 1, 2, 1)
    ]
