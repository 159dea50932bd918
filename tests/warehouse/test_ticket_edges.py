"""Tickets at the edges, each through every model: what a rule says is written here by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from tests.warehouse.shop_project import make_shop_project, opened

READ = ("fct_ticket_hand_overs", "fct_tickets")

pytestmark = pytest.mark.slow

HEADER = "id,customer,kind,status,created,updated,deleted,unit,priority,tier,excluded,solved"
HOUR = 3600


class Desk:
    """Tickets and log lines of the shop; times are UTC."""

    def __init__(self) -> None:
        self.tickets: list[str] = []
        self.files: dict[str, list[str]] = {}

    def ticket(
        self,
        name: str,
        created: str,
        *,
        status: str = "open",
        unit: str = "",
        priority: str = "",
        excluded: str = "",
        solved: str = "",
    ) -> None:
        updated = "2026-11-30 00:00:00"
        end = f"{solved}Z" if solved else ""
        self.tickets.append(f"{name},C1,enquiry,{status},{created}Z,{updated},no,{unit},{priority},,{excluded},{end}")

    def log(self, name: str, *lines: tuple[str, str, str, str], file: str = "20261130") -> None:
        """Lines of (time, actor, kind, value)."""
        self.files.setdefault(file, []).extend(
            f"{name}|{moment}Z|{actor}|{kind}|{value}" for moment, actor, kind, value in lines
        )


def _desk() -> Desk:
    desk = Desk()

    # The same life twice: in order, and in two deliveries the later half of which comes first.
    life = [
        ("2026-03-02 01:00:00", "customer", "status", "new"),
        ("2026-03-02 02:00:00", "agent", "status", "open"),
        ("2026-03-02 03:00:00", "agent", "public_reply", ""),
        ("2026-03-02 05:00:00", "agent", "status", "pending"),
        ("2026-03-02 09:00:00", "customer", "public_reply", ""),
        ("2026-03-02 09:00:01", "system", "status", "open"),
        ("2026-03-02 10:00:00", "customer", "public_reply", ""),
        ("2026-03-02 11:00:00", "agent", "public_reply", ""),
        ("2026-03-02 12:00:00", "agent", "status", "hold"),
        ("2026-03-02 14:00:00", "agent", "status", "open"),
        ("2026-03-02 15:00:00", "agent", "status", "solved"),
        ("2026-03-03 15:00:00", "customer", "status", "open"),
        ("2026-03-03 16:00:00", "agent", "status", "solved"),
        ("2026-03-07 16:00:00", "system", "status", "closed"),
    ]
    desk.ticket("in_order", "2026-03-02 01:00:00", status="closed")
    desk.log("in_order", *life)
    desk.ticket("shuffled", "2026-03-02 01:00:00", status="closed")
    desk.log("shuffled", *reversed(life[7:]), file="20261128")
    desk.log("shuffled", *reversed(life[:7]), file="20261129")

    # Two status changes at one instant: the order of the log decides.
    tie = "2026-03-02 08:00:00"
    for name, first, second in (("tie_open", "solved", "open"), ("tie_solved", "open", "solved")):
        desk.ticket(name, "2026-03-02 01:00:00")
        desk.log(name, (tie, "agent", "status", first), (tie, "agent", "status", second))

    desk.ticket("reopened", "2026-03-02 01:00:00")
    desk.log(
        "reopened",
        ("2026-03-02 02:00:00", "agent", "status", "solved"),
        ("2026-03-03 02:00:00", "customer", "status", "open"),
    )
    desk.ticket("never_closed", "2026-03-02 01:00:00", status="closed")
    desk.log("never_closed", ("2026-03-02 02:00:00", "agent", "status", "open"))
    desk.ticket("no_events", "2026-03-02 01:00:00", status="closed", solved="2026-03-02 03:00:00")
    desk.ticket("told_closed", "2026-03-02 01:00:00", status="closed")
    desk.ticket("merge_event", "2026-03-02 01:00:00")
    desk.log("merge_event", ("2026-03-02 02:00:00", "agent", "merge", "in_order"))
    desk.ticket("spam", "2026-03-02 01:00:00", excluded="spam")
    desk.ticket("deleted", "2026-03-02 01:00:00")
    desk.log(
        "deleted",
        ("2026-03-02 02:00:00", "agent", "status", "solved"),
        ("2026-03-02 03:00:00", "agent", "status", "deleted"),
    )
    # A clock that runs before the help desk's: the solution lies before the creation, the reply an hour after.
    desk.ticket("crooked", "2026-03-02 01:00:00")
    desk.log(
        "crooked",
        ("2026-03-02 00:59:00", "agent", "status", "solved"),
        ("2026-03-02 02:00:00", "agent", "public_reply", ""),
    )
    # The reply of a bot, of the system, a note, and the agent's own text at the creation are no replies.
    desk.ticket("no_reply", "2026-03-02 01:00:00")
    desk.log(
        "no_reply",
        ("2026-03-02 01:00:00", "agent", "public_reply", ""),
        ("2026-03-02 02:00:00", "bot", "public_reply", ""),
        ("2026-03-02 03:00:00", "system", "public_reply", ""),
        ("2026-03-02 04:00:00", "agent", "private_note", ""),
    )
    desk.ticket("hands", "2026-03-02 01:00:00")
    desk.log(
        "hands",
        ("2026-03-02 02:00:00", "system", "assignee", "A1"),
        ("2026-03-02 03:00:00", "system", "assignee", ""),
        ("2026-03-02 04:00:00", "system", "assignee", "A1"),
        ("2026-03-02 05:00:00", "system", "assignee", "A2"),
    )

    # Business time. Each ticket is created and replied to at the given instants under one schedule.
    for name, unit, created, replied in BUSINESS_CASES:
        desk.ticket(name, created, unit=unit)
        desk.log(name, (replied, "agent", "public_reply", ""))
    desk.ticket("unknown_for_a_while", "2026-03-02 01:00:00", unit="round_the_clock")
    desk.log(
        "unknown_for_a_while",
        ("2026-03-02 02:00:00", "agent", "public_reply", ""),
        ("2026-03-02 03:00:00", "system", "schedule", "nobody knows"),
        ("2026-03-02 04:00:00", "system", "schedule", "round_the_clock"),
        ("2026-03-02 05:00:00", "agent", "status", "solved"),
    )
    # A group that has a schedule from 5 March on moves a ticket on the 6th and none on the 4th.
    for name, moved in (("crew_too_early", "2026-03-04 00:00:00"), ("crew_in_time", "2026-03-06 00:00:00")):
        desk.ticket(name, "2026-03-03 00:00:00", unit="round_the_clock")
        desk.log(name, (moved, "system", "group", "day-crew"), ("2026-03-07 00:00:00", "agent", "status", "solved"))
    # The group moves the ticket until a schedule is named; from then on the name counts.
    desk.ticket("by_group", "2026-03-02 00:00:00", unit="round_the_clock")
    desk.log(
        "by_group",
        ("2026-03-02 02:00:00", "system", "group", "night-7"),
        ("2026-03-02 04:00:00", "system", "schedule", "round_the_clock"),
        ("2026-03-02 06:00:00", "system", "group", "night-8"),
        ("2026-03-02 08:00:00", "agent", "status", "solved"),
    )
    return desk


SCHEDULES = {
    # name: (time zone, calendar, [(weekday, opens, closes, valid from, valid to)])
    "round_the_clock": ("UTC", "", [(day, "00:00", "24:00", "", "") for day in range(1, 8)]),
    "new_york": ("America/New_York", "", [(day, "00:00", "00:00", "", "") for day in range(1, 8)]),
    "dawn": ("America/New_York", "", [(7, "02:30", "10:00", "", "")]),
    "small_hours": ("America/New_York", "", [(7, "01:30", "10:00", "", "")]),
    "skipped": ("America/New_York", "", [(7, "02:10", "02:50", "", "")]),
    "lunch": ("UTC", "", [(1, "09:00", "12:00", "", ""), (1, "13:00", "17:00", "", "")]),
    "overlap": (
        "UTC",
        "",
        [(1, "10:00", "14:00", "", ""), (1, "12:00", "16:00", "", ""), (1, "16:00", "17:00", "", "")],
    ),
    "office": ("Asia/Shanghai", "cn_office", [(day, "09:00", "18:00", "", "") for day in range(1, 6)]),
    "night": ("UTC", "", [(day, "22:00", "02:00", "", "") for day in range(1, 8)]),
    "night_office": ("Asia/Shanghai", "cn_office", [(day, "22:00", "06:00", "", "") for day in range(1, 6)]),
    "unit_hours": ("America/New_York", "", [(day, "09:00", "17:00", "", "") for day in range(1, 8)]),
    "all_day": ("America/New_York", "", [(day, "00:00", "24:00", "", "") for day in range(1, 8)]),
    "mornings": ("UTC", "", [(day, "08:00", "12:00", "", "") for day in range(1, 8)]),
    "changed": ("UTC", "", [(1, "09:00", "12:00", "", "2026-03-08"), (1, "09:00", "17:00", "2026-03-09", "")]),
}

# (ticket, unit, created, first reply), UTC; the unit is named as its schedule.
BUSINESS_CASES = [
    ("gap_day", "new_york", "2026-03-08 05:00:00", "2026-03-09 04:00:00"),
    ("overlap_day", "new_york", "2026-11-01 04:00:00", "2026-11-02 05:00:00"),
    ("opens_in_the_gap", "dawn", "2026-03-08 00:00:00", "2026-03-09 00:00:00"),
    ("opens_in_the_hour_that_comes_twice", "small_hours", "2026-11-01 00:00:00", "2026-11-02 00:00:00"),
    ("skipped_altogether", "skipped", "2026-03-08 00:00:00", "2026-03-09 00:00:00"),
    ("over_lunch", "lunch", "2026-03-02 11:00:00", "2026-03-02 14:00:00"),
    ("within_lunch", "lunch", "2026-03-02 12:00:00", "2026-03-02 13:00:00"),
    ("over_overlapping_hours", "overlap", "2026-03-02 00:00:00", "2026-03-03 00:00:00"),
    ("over_national_day", "office", "2025-09-30 08:00:00", "2025-10-09 02:00:00"),
    ("on_a_working_sunday", "office", "2025-09-28 00:00:00", "2025-09-28 12:00:00"),
    ("over_midnight", "night", "2026-03-02 23:00:00", "2026-03-03 23:30:00"),
    ("night_before_a_holiday", "night_office", "2025-09-30 13:00:00", "2025-10-01 16:00:00"),
    ("hours_changed", "changed", "2026-03-02 00:00:00", "2026-03-10 00:00:00"),
    ("the_day_before_a_change", "moving", "2026-03-09 03:59:59", "2026-03-10 04:00:00"),
    ("the_day_of_a_change", "moving", "2026-03-09 04:00:00", "2026-03-10 04:00:00"),
    ("after_the_last_line", "ending", "2026-03-02 00:00:00", "2026-03-02 12:00:00"),
    ("longest_id", "round_the_clock_but", "2026-03-02 22:30:00", "2026-03-03 00:00:00"),
]

BUSINESS_HOURS = {
    "gap_day": 23,
    "overlap_day": 25,
    "opens_in_the_gap": 7,  # from 03:00, the first minute after the gap, to 10:00
    "opens_in_the_hour_that_comes_twice": 8.5,  # from the later 01:30
    "skipped_altogether": 0,
    "over_lunch": 2,
    "within_lunch": 0,
    "over_overlapping_hours": 7,
    "over_national_day": 2 + 1,  # 16:00 to 18:00 on 30 September, 09:00 to 10:00 on 9 October; eight days off between
    "on_a_working_sunday": 9,  # Monday's hours
    "over_midnight": 3 + 1.5,
    "night_before_a_holiday": 8,  # the shift that began on 30 September runs to its end; none begins on 1 October
    "hours_changed": 3 + 8,
    # New York is to have `unit_hours` to 8 March and `all_day` from the 9th, its midnight being 04:00 by then. A ticket keeps the schedule of its creation.
    "the_day_before_a_change": 8,
    "the_day_of_a_change": 24,
    "after_the_last_line": 4,  # its own line ended on 1 March; `end*` holds again
    "longest_id": 1.5,  # the longer beginning, schedule `night`, wins over the shorter
}


@pytest.fixture(scope="module")
def marts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    project = make_shop_project(tmp_path_factory.mktemp("edges"))
    for name, (zone, calendar, hours) in SCHEDULES.items():
        project.add_to_seed("schedules", *(f"{name},{d},{o},{c},{f},{t},{zone},{calendar}" for d, o, c, f, t in hours))
        project.add_to_seed("schedule_assignments", f"org_unit,{name},{name},,")
    project.add_to_seed(
        "schedule_assignments",
        "org_unit,round_*,lunch,,",
        "org_unit,round_the_clock_*,night,,",
        "group,night-*,night,,",
    )
    project.add_to_seed(
        "schedule_assignments",
        "org_unit,moving,unit_hours,,2026-03-08",
        "org_unit,moving,all_day,2026-03-09,",
        "org_unit,ending,round_the_clock,2026-01-01,2026-03-01",
        "org_unit,end*,mornings,,",
        "group,day-crew,mornings,2026-03-05,",
    )
    desk = _desk()
    project.deliver("tickets_20261130.csv", "\n".join([HEADER, *desk.tickets]) + "\n")
    for name, lines in desk.files.items():
        project.deliver(f"ticketlog_{name}.txt", "\n".join(lines) + "\n")
    project.load("load-1")
    project.build(*READ)
    with opened(project) as connection:
        yield connection


def ticket(marts: duckdb.DuckDBPyConnection, name: str, columns: str) -> tuple[object, ...]:
    found = marts.execute(f"select {columns} from fct_tickets where ticket_id = ?", [name]).fetchone()
    assert found is not None
    return tuple(found)


LIFE = (
    "first_reply_seconds, total_reply_seconds, first_resolution_seconds, full_resolution_seconds, requester_wait_seconds,"
    " agent_wait_seconds, work_seconds, hold_seconds, reopen_count, customer_turns, answered_turns, public_agent_replies, is_solved"
)


@pytest.mark.parametrize("name", ["in_order", "shuffled"])
def test_a_life_in_whatever_order_it_arrived(marts: duckdb.DuckDBPyConnection, name: str) -> None:
    assert ticket(marts, name, LIFE) == (
        2 * HOUR,  # 01:00 to 03:00
        2 * HOUR + 2 * HOUR,  # and 09:00 to 11:00; the customer's second message belongs to the same turn
        14 * HOUR,
        39 * HOUR,
        (4 * HOUR) + (3 * HOUR - 1) + 2 * HOUR + HOUR + HOUR,
        4 * HOUR + 1,
        (4 * HOUR) + (3 * HOUR - 1) + HOUR + HOUR,
        2 * HOUR,
        1,
        2,
        2,
        2,
        True,
    )


def test_equal_times_are_ordered_by_their_number(marts: duckdb.DuckDBPyConnection) -> None:
    columns = "reopen_count, is_solved, lifecycle_status, first_resolution_seconds"
    assert ticket(marts, "tie_open", columns) == (1, False, "open", 7 * HOUR)
    assert ticket(marts, "tie_solved", columns) == (0, True, "solved", 7 * HOUR)


def test_reopened_and_still_open_counts_as_reopened(marts: duckdb.DuckDBPyConnection) -> None:
    columns = "reopen_count, was_solved, is_solved, first_resolution_seconds, full_resolution_seconds, requester_wait_seconds, solved_on"
    assert ticket(marts, "reopened", columns) == (1, True, False, HOUR, None, None, None)


def test_a_missing_close_leaves_the_ticket_open(marts: duckdb.DuckDBPyConnection) -> None:
    columns = "is_solved, lifecycle_status, ticket_status, is_status_disputed, full_resolution_seconds"
    assert ticket(marts, "never_closed", columns) == (False, "open", "closed", True, None)


def test_a_ticket_without_events_is_what_its_record_says(marts: duckdb.DuckDBPyConnection) -> None:
    columns = "is_solved, was_solved, is_status_disputed, full_resolution_seconds, full_resolution_business_seconds, requester_wait_seconds"
    assert ticket(marts, "no_events", columns) == (True, True, False, 2 * HOUR, 2 * HOUR, None)
    assert ticket(marts, "told_closed", columns) == (True, True, False, None, None, None)


def test_merged_spam_and_deleted_are_out_of_the_base(marts: duckdb.DuckDBPyConnection) -> None:
    columns = "is_in_base, exclusion_kind, merged_into_ticket_id"
    assert ticket(marts, "merge_event", columns) == (False, "merged", "in_order")
    assert ticket(marts, "spam", columns) == (False, "spam", None)
    assert ticket(marts, "deleted", columns + ", reopen_count") == (False, None, None, 0)
    assert ticket(marts, "in_order", "is_in_base, merged_tickets") == (True, 1)


def test_a_clock_before_the_creation_gives_no_negative_time(marts: duckdb.DuckDBPyConnection) -> None:
    columns = "first_resolution_seconds, first_resolution_business_seconds, full_resolution_seconds, first_reply_seconds, requester_wait_seconds, is_solved"
    assert ticket(marts, "crooked", columns) == (None, None, None, HOUR, None, True)


def test_bots_notes_and_the_first_text_are_no_reply(marts: duckdb.DuckDBPyConnection) -> None:
    columns = "first_reply_seconds, first_reply_business_seconds, total_reply_seconds, public_agent_replies, customer_turns, answered_turns"
    assert ticket(marts, "no_reply", columns) == (None, None, None, 0, 1, 0)


def test_back_to_the_same_agent_is_no_hand_over(marts: duckdb.DuckDBPyConnection) -> None:
    assert ticket(marts, "hands", "hand_overs, hand_overs_without_roster") == (1, 1)
    found = marts.execute(
        "select from_agent_id, to_agent_id, is_shift_change from fct_ticket_hand_overs where ticket_id = 'hands'"
    )
    assert found.fetchall() == [("A1", "A2", None)]


@pytest.mark.parametrize("name", list(BUSINESS_HOURS))
def test_business_time(marts: duckdb.DuckDBPyConnection, name: str) -> None:
    found = ticket(
        marts,
        name,
        "first_reply_business_seconds, first_reply_business_seconds_by_last_schedule, first_reply_business_seconds_by_first_schedule",
    )
    assert found == (BUSINESS_HOURS[name] * HOUR,) * 3


def test_time_under_an_unknown_schedule_is_unknown_from_then_on(marts: duckdb.DuckDBPyConnection) -> None:
    columns = (
        "first_reply_business_seconds, full_resolution_business_seconds, full_resolution_business_seconds_by_last_schedule,"
        " full_resolution_seconds, requester_wait_business_seconds, requester_wait_seconds"
    )
    assert ticket(marts, "unknown_for_a_while", columns) == (HOUR, None, 4 * HOUR, 4 * HOUR, None, 4 * HOUR)


def test_a_named_schedule_wins_over_the_group(marts: duckdb.DuckDBPyConnection) -> None:
    columns = (
        "schedule_id, full_resolution_business_seconds, full_resolution_business_seconds_by_last_schedule,"
        " full_resolution_business_seconds_by_first_schedule"
    )
    # 2 hours by the unit's schedule, none by night from 02:00 to 04:00, 4 by the schedule named at 04:00.
    assert ticket(marts, "by_group", columns) == ("round_the_clock", 6 * HOUR, 8 * HOUR, 8 * HOUR)


def test_a_group_moves_a_ticket_while_it_has_a_schedule(marts: duckdb.DuckDBPyConnection) -> None:
    assert ticket(marts, "crew_too_early", "full_resolution_business_seconds") == (4 * 24 * HOUR,)
    # Three days round the clock, and a morning.
    assert ticket(marts, "crew_in_time", "full_resolution_business_seconds") == (3 * 24 * HOUR + 4 * HOUR,)


def test_lines_that_overlap_are_refused_by_name(tmp_path: Path) -> None:
    project = make_shop_project(tmp_path)
    project.load("load-1")
    lines = ["org_unit,GD-*,office_hours,2026-01-01,2026-06-30", "org_unit,GD-*,service_hours,2026-06-30,"]
    project.add_to_seed("schedule_assignments", *lines)
    assert project.dbt("seed").returncode == 0
    refused = project.dbt("test", "--select", "schedule_assignments_do_not_overlap")
    assert refused.returncode != 0
    assert f'schedule_assignments.csv: the lines "{lines[0]}" and "{lines[1]}" hold on the same days.' in refused.stdout
    project.replace_seed(
        "schedule_assignments", lines[0], "org_unit,GD-*,service_hours,2026-07-01,", "org_unit,*,office_hours,,"
    )
    assert project.dbt("seed").returncode == 0
    assert project.dbt("test", "--select", "schedule_assignments_do_not_overlap").returncode == 0


def test_a_seed_that_gained_a_column_is_read(tmp_path: Path) -> None:
    """A home that an earlier version built has the seed's table without it."""
    project = make_shop_project(tmp_path)
    project.load("load-1")
    assert project.dbt("seed").returncode == 0
    with duckdb.connect(str(project.settings.warehouse_path)) as warehouse:
        warehouse.execute("alter table seeds.schedule_assignments drop column valid_to")
    read = project.dbt("seed")
    assert read.returncode == 0, read.stdout
    with duckdb.connect(str(project.settings.warehouse_path), read_only=True) as warehouse:
        assert warehouse.execute("select valid_to from seeds.schedule_assignments").fetchall() == [(None,)]
