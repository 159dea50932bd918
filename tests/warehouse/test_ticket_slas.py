"""Promises at the edges, through every model: met, breached, running or not applicable, and since when."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from orchestration.serving.catalogue import catalogue_rows
from tests.warehouse.shop_project import ShopProject, make_shop_project, opened

READ = ("fct_ticket_slas",)

pytestmark = pytest.mark.slow

HOUR = 3600
POLICIES = [
    # precedence, policy, metric, priorities, kinds, tiers, minutes, clock, pauses, valid from, valid to
    "1,share,first_reply,,,share,60,calendar,,,",
    "10,edge,first_reply,,,edge,60,calendar,,,",
    "15,held,first_reply,,,held,60,calendar,,,",
    "20,day,first_reply,,,day,480,business,,,",
    "30,pause,resolution,,,pause,240,calendar,pending; hold,,",
    "40,urgent,first_reply,urgent,,raise,60,calendar,,,",
    "41,usual,first_reply,,,raise,1440,calendar,,,",
    "50,old,first_reply,,,dated,60,calendar,,,2026-03-31",
    "51,new,first_reply,,,dated,600,calendar,,2026-04-01,",
    "60,complaints,first_reply,,complaint,kind,60,calendar,,,",
    "70,over,first_reply,,,over,60,business,,,",
    "80,turns,next_reply,,,turns,60,calendar,,,",
]


class Desk:
    """Tickets of the shop; each has a tier of its own, and so the policies of that tier. Times are UTC."""

    def __init__(self) -> None:
        self.tickets: list[str] = []
        self.lines: list[str] = []

    def ticket(
        self, name: str, tier: str, created: str, *log: tuple[str, str, str, str], unit: str = "always",
        kind: str = "enquiry", status: str = "open",
    ) -> None:  # fmt: skip
        self.tickets.append(f"{name},C1,{kind},{status},{created}Z,2026-11-30 00:00:00,no,{unit},,{tier}")
        self.lines += [f"{name}|{moment}Z|{actor}|{what}|{value}" for moment, actor, what, value in log]


def _desk() -> Desk:
    desk = Desk()
    reply = ("agent", "public_reply", "")
    # 40 answered late, 60 in time.
    for number in range(100):
        desk.ticket(
            f"share{number}",
            "share",
            "2026-03-02 08:00:00",
            (f"2026-03-02 {'10' if number < 40 else '08'}:30:00", *reply),
        )
    # At the edge: with the last second of the target it is met.
    desk.ticket("edge_met", "edge", "2026-03-02 08:00:00", ("2026-03-02 09:00:00", *reply))
    desk.ticket("edge_late", "edge", "2026-03-02 08:00:00", ("2026-03-02 09:00:01", *reply))
    # A promise that ends with the day is kept until the next one opens.
    desk.ticket("day_met", "day", "2026-03-02 09:00:00", ("2026-03-03 09:00:00", *reply), unit="nine_to_five")
    desk.ticket("day_late", "day", "2026-03-02 09:00:00", ("2026-03-03 09:00:01", *reply), unit="nine_to_five")
    # 2 hours of work, a day pending, 1 on hold, 1.5 of work; reopened the day after and solved in half an hour, then in an hour.
    for name, again in (("paused_met", "2026-03-05 08:30:00"), ("paused_late", "2026-03-05 08:30:01")):
        desk.ticket(
            name, "pause", "2026-03-02 08:00:00",
            ("2026-03-02 10:00:00", "agent", "status", "pending"), ("2026-03-03 10:00:00", "customer", "status", "open"),
            ("2026-03-03 11:00:00", "agent", "status", "hold"), ("2026-03-03 12:00:00", "agent", "status", "open"),
            ("2026-03-03 12:30:00", "agent", "status", "solved"), ("2026-03-05 08:00:00", "customer", "status", "open"),
            (again, "agent", "status", "solved"),
        )  # fmt: skip
    desk.ticket("paused_now", "pause", "2026-03-02 08:00:00", ("2026-03-02 11:00:00", "agent", "status", "pending"))
    # Raised after the reply: nothing changes. Raised before: broken at the instant of the change, not earlier. Lowered after a breach:
    # it stays broken.
    desk.ticket(
        "raised_after",
        "raise",
        "2026-03-02 08:00:00",
        ("2026-03-02 12:00:00", *reply),
        ("2026-03-02 13:00:00", "agent", "priority", "urgent"),
    )
    desk.ticket(
        "raised_before",
        "raise",
        "2026-03-02 08:00:00",
        ("2026-03-02 12:00:00", "agent", "priority", "urgent"),
        ("2026-03-02 12:30:00", *reply),
    )
    desk.ticket(
        "raised_early",
        "raise",
        "2026-03-02 08:00:00",
        ("2026-03-02 08:10:00", "agent", "priority", "urgent"),
        ("2026-03-02 08:50:00", *reply),
    )
    desk.ticket(
        "lowered", "raise", "2026-03-02 08:00:00", ("2026-03-02 08:00:00", "agent", "priority", "urgent"),
        ("2026-03-02 10:00:00", "agent", "priority", "low"), ("2026-03-02 11:00:00", *reply),
    )  # fmt: skip
    # The policy of the day on which it began.
    desk.ticket("under_the_old", "dated", "2026-03-31 23:00:00", ("2026-04-01 02:00:00", *reply))
    desk.ticket("under_the_new", "dated", "2026-04-01 00:00:00", ("2026-04-01 03:00:00", *reply))
    desk.ticket("a_complaint", "kind", "2026-03-02 08:00:00", ("2026-03-02 10:00:00", *reply), kind="complaint")
    desk.ticket("an_enquiry", "kind", "2026-03-02 08:00:00", ("2026-03-02 10:00:00", *reply))
    # Who had it when it was due answers for the breach, not who got it later; what was kept is nobody's breach.
    for name, handed_over, answered in (
        ("held", "09:00:01", "10:00"), ("handed_over_in_time", "09:00:00", "10:00"), ("held_and_kept", "08:30:00", "08:50"),
    ):  # fmt: skip
        desk.ticket(
            name, "held", "2026-03-02 08:00:00", ("2026-03-02 08:10:00", "system", "assignee", "A1"),
            (f"2026-03-02 {handed_over}", "system", "assignee", "A2"), (f"2026-03-02 {answered}:00", *reply),
        )  # fmt: skip
    # Solved without a reply: not applicable, unless it was too late already.
    desk.ticket("no_reply_needed", "edge", "2026-03-02 08:00:00", ("2026-03-02 08:30:00", "agent", "status", "solved"))
    desk.ticket("solved_too_late", "edge", "2026-03-02 08:00:00", ("2026-03-02 10:00:00", "agent", "status", "solved"))
    # As of the newest event (2026-04-10): still time, or none.
    desk.ticket("running", "edge", "2026-04-10 11:30:00", ("2026-04-10 11:40:00", "agent", "private_note", ""))
    desk.ticket("overdue", "edge", "2026-03-02 08:00:00")
    desk.ticket("the_newest", "nobody", "2026-04-10 12:00:00")
    desk.ticket("told_closed", "edge", "2026-03-02 08:00:00", status="closed")
    # Hours that never come back; a schedule that nobody knows.
    desk.ticket("never_open_again", "over", "2026-03-02 08:00:00", unit="ended")
    desk.ticket(
        "no_such_schedule",
        "over",
        "2026-03-02 08:00:00",
        ("2026-03-02 08:00:00", "system", "schedule", "nobody knows"),
        ("2026-03-02 08:01:00", *reply),
    )
    # Turns: the second is answered late, the third not at all; merged and spam tickets have promises, but not in the base.
    desk.ticket(
        "turns", "turns", "2026-03-02 08:00:00", ("2026-03-02 08:30:00", *reply), ("2026-03-02 09:00:00", "customer", "public_reply", ""),
        ("2026-03-02 09:30:00", "customer", "public_reply", ""), ("2026-03-02 10:10:00", *reply), ("2026-03-02 11:00:00", "customer", "public_reply", ""),
    )  # fmt: skip
    desk.ticket("merged", "edge", "2026-03-02 08:00:00", ("2026-03-02 08:01:00", "agent", "merge", "edge_met"))
    return desk


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> ShopProject:
    project = make_shop_project(tmp_path_factory.mktemp("slas"))
    project.replace_seed("sla_policies", *POLICIES)
    project.add_to_seed("schedules", *(f"always,{day},00:00,24:00,,,UTC," for day in range(1, 8)))
    project.add_to_seed("schedules", *(f"nine_to_five,{day},09:00,17:00,,,UTC," for day in range(1, 8)))
    project.add_to_seed("schedules", "ended,1,07:00,08:30,,2026-03-02,UTC,")
    project.add_to_seed(
        "schedule_assignments", *(f"org_unit,{name},{name},," for name in ("always", "nine_to_five", "ended"))
    )
    desk = _desk()
    header = "id,customer,kind,status,created,updated,deleted,unit,priority,tier"
    project.deliver("tickets_20261130.csv", "\n".join([header, *desk.tickets]) + "\n")
    project.deliver("ticketlog_20261130.txt", "\n".join(desk.lines) + "\n")
    project.load("load-1")
    project.build(*READ)
    return project


@pytest.fixture(scope="module")
def marts(project: ShopProject) -> Iterator[duckdb.DuckDBPyConnection]:
    with opened(project) as connection:
        yield connection


# name: (state, policy, elapsed seconds, due)
CASES: dict[str, tuple[str | None, str, int | None, str | None]] = {
    "edge_met": ("met", "edge", HOUR, "2026-03-02 09:00:00"),
    "edge_late": ("breached", "edge", HOUR + 1, "2026-03-02 09:00:00"),
    "day_met": ("met", "day", 8 * HOUR, "2026-03-03 09:00:00"),
    "day_late": ("breached", "day", 8 * HOUR + 1, "2026-03-03 09:00:00"),
    "paused_met": ("met", "pause", 4 * HOUR, "2026-03-05 08:30:00"),
    "paused_late": ("breached", "pause", 4 * HOUR + 1, "2026-03-05 08:30:00"),
    "paused_now": ("running", "pause", 3 * HOUR, None),
    "raised_after": ("met", "usual", 4 * HOUR, "2026-03-03 08:00:00"),
    "raised_before": ("breached", "urgent", 4 * HOUR + 1800, "2026-03-02 12:00:00"),
    "raised_early": ("met", "urgent", 3000, "2026-03-02 09:00:00"),
    "lowered": ("breached", "urgent", 3 * HOUR, "2026-03-02 09:00:00"),
    "under_the_old": ("breached", "old", 3 * HOUR, "2026-04-01 00:00:00"),
    "under_the_new": ("met", "new", 3 * HOUR, "2026-04-01 10:00:00"),
    "a_complaint": ("breached", "complaints", 2 * HOUR, "2026-03-02 09:00:00"),
    "no_reply_needed": (None, "edge", 1800, "2026-03-02 09:00:00"),
    "solved_too_late": ("breached", "edge", 2 * HOUR, "2026-03-02 09:00:00"),
    "running": ("running", "edge", 1800, "2026-04-10 12:30:00"),
    "overdue": ("breached", "edge", 39 * 24 * HOUR + 4 * HOUR, "2026-03-02 09:00:00"),
    "told_closed": (None, "edge", None, "2026-03-02 09:00:00"),
    "never_open_again": ("running", "over", 1800, None),
    "no_such_schedule": (None, "over", None, None),
}


@pytest.mark.parametrize("name", list(CASES))
def test_a_promise(marts: duckdb.DuckDBPyConnection, name: str) -> None:
    found = marts.execute(
        "select sla_state, policy, elapsed_seconds, due_at::varchar from fct_ticket_slas where ticket_id = ?", [name]
    ).fetchall()
    assert found == [CASES[name]]


def test_who_had_the_ticket_at_the_breach(marts: duckdb.DuckDBPyConnection) -> None:
    rows = marts.execute(
        "select ticket_id, sla_state, holder_agent_id from fct_ticket_slas where ticket_id in ('held', 'handed_over_in_time', 'held_and_kept', 'edge_late') order by 1"
    ).fetchall()
    assert rows == [
        ("edge_late", "breached", None), ("handed_over_in_time", "breached", "A2"), ("held", "breached", "A1"), ("held_and_kept", "met", None),
    ]  # fmt: skip


def test_what_no_policy_fits_has_no_promise(marts: duckdb.DuckDBPyConnection) -> None:
    assert (
        marts.execute("select * from fct_ticket_slas where ticket_id in ('an_enquiry', 'the_newest')").fetchall() == []
    )


def test_each_turn_of_the_customer_has_its_own_promise(marts: duckdb.DuckDBPyConnection) -> None:
    found = marts.execute(
        "select instance, sla_state, breached_at::varchar from fct_ticket_slas where ticket_id = 'turns' order by instance"
    ).fetchall()
    assert found == [(2, "breached", "2026-03-02 10:00:00"), (3, "breached", "2026-03-02 12:00:00")]


def test_the_breach_is_counted_on_its_own_day(marts: duckdb.DuckDBPyConnection) -> None:
    """17:00 UTC is the next day in Shanghai; the breach of `under_the_old` is at 00:00 UTC on 1 April, which is 08:00 there."""
    found = marts.execute(
        "select ticket_id, applied_on::varchar, decided_on::varchar from fct_ticket_slas"
        " where ticket_id in ('under_the_old', 'day_late', 'paused_now') order by 1"
    ).fetchall()
    assert found == [
        ("day_late", "2026-03-02", "2026-03-03"),
        ("paused_now", "2026-03-02", None),
        ("under_the_old", "2026-04-01", "2026-04-01"),
    ]


def test_forty_violated_and_sixty_in_time_are_sixty_of_a_hundred(
    project: ShopProject, marts: duckdb.DuckDBPyConnection
) -> None:
    """By the metric's own definition: what is running, not applicable or out of the base is in neither part."""
    manifest = json.loads(Path(project.home / "dbt_target" / "semantic_manifest.json").read_text(encoding="utf-8"))
    metrics = {row["name"]: row for row in catalogue_rows(manifest, {})}

    def parts(metric: str, where: str) -> tuple[int, ...]:
        sums = ", ".join(f"sum({part['expression']})" for part in metrics[metric]["parts"])
        row = marts.execute(f"select {sums} from fct_ticket_slas where {where}").fetchone()
        assert row is not None
        return row

    assert parts("sla_attainment", "policy = 'share'") == (60, 100)
    assert parts("sla_attainment_first_reply", "policy = 'share'") == (60, 100)
    assert parts("sla_attainment_resolution", "policy = 'share'") == (0, 0)
    assert parts("sla_attainment_next_reply", "policy = 'turns'") == (0, 2)
    # edge: met 1; breached edge_late, solved_too_late, overdue; merged is out of the base, the others are running or not applicable.
    assert parts("sla_attainment", "policy = 'edge'") == (1, 4)
    assert parts("sla_breaches", "policy in ('share', 'edge')") == (43,)
