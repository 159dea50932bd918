"""Metrics of tickets and contacts on a handful of rows, each number written here by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime
from typing import Any

import pytest

from dashboards.data.metrics import Filters, metric_frame, metric_value
from dashboards.data.snapshot import Snapshot, open_snapshot
from orchestration.serving.build import build_snapshot
from tests.warehouse.shop_project import ShopProject, make_shop_project

pytestmark = pytest.mark.slow

HEADER = "id,customer,kind,status,created,updated,deleted,unit,priority,tier,excluded,solved,topic,product"

# Times are those of Shanghai, where the shop is. The unit `desk` is open 10:00 to 18:00 every day, `nowhere` has no schedule.
TICKETS = [
    # name, kind, created, unit, why it is not in the base, topic, product line
    ("W1", "enquiry", "2026-03-02 09:00:00", "", "", "bill", "mobile"),
    ("W2", "complaint", "2026-03-02 10:00:00", "", "", "bill", "broadband"),
    ("W3", "enquiry", "2026-03-03 09:00:00", "", "", "signal", "mobile"),
    ("W4", "", "2026-03-03 10:00:00", "", "", "", ""),
    ("W5", "enquiry", "2026-03-03 11:00:00", "", "spam", "bill", ""),
    ("H1", "repair", "2026-04-01 08:00:00", "", "", "", ""),
    ("H2", "repair", "2026-04-01 08:00:00", "", "", "", ""),
    ("H3", "enquiry", "2026-04-02 08:00:00", "", "", "", ""),
    ("H4", "enquiry", "2026-04-02 08:00:00", "", "", "", ""),
    ("H5", "repair", "2026-04-02 08:00:00", "", "spam", "", ""),
    ("A1", "repair", "2026-04-01 08:00:00", "", "", "", ""),
    ("A2", "repair", "2026-04-01 08:00:00", "", "", "", ""),
    ("A3", "repair", "2026-04-01 08:00:00", "", "", "", ""),
    ("B1", "repair", "2026-06-01 17:00:00", "desk", "", "", ""),
    ("B2", "repair", "2026-06-01 19:00:00", "desk", "", "", ""),
    ("B3", "repair", "2026-06-02 12:00:00", "nowhere", "", "", ""),
]
LOG = [
    ("W1", "2026-03-02 12:00:00", "agent", "status", "solved"),
    ("W2", "2026-03-02 12:00:00", "agent", "status", "solved"),
    ("W3", "2026-03-03 12:00:00", "agent", "status", "solved"),
    ("W4", "2026-03-03 12:00:00", "agent", "status", "solved"),
    # H1 to H5 change hands; A1 and A2 have one assignee, A3 none.
    ("H1", "2026-04-01 09:00:00", "system", "assignee", "Ann"),
    ("H1", "2026-04-01 09:50:00", "agent:Ann", "private_note", ""),
    ("H1", "2026-04-01 10:00:00", "agent:Ann", "assignee", "Bob"),
    ("H1", "2026-04-01 11:00:00", "agent:Bob", "public_reply", ""),
    ("H1", "2026-04-01 12:00:00", "agent:Bob", "status", "solved"),
    ("H1", "2026-04-01 13:00:00", "customer", "status", "open"),
    ("H1", "2026-04-01 14:00:00", "agent:Bob", "status", "solved"),
    ("H2", "2026-04-01 08:30:00", "system", "assignee", "Ann"),
    ("H2", "2026-04-01 09:00:00", "agent:Ann", "public_reply", ""),
    ("H2", "2026-04-01 10:00:00", "agent:Ann", "assignee", "Bob"),
    ("H2", "2026-04-01 10:05:00", "agent:Bob", "private_note", ""),
    ("H2", "2026-04-01 10:15:01", "agent:Ann", "private_note", ""),
    ("H2", "2026-04-01 10:30:00", "agent:Bob", "status", "solved"),
    ("H3", "2026-04-02 08:10:00", "system", "assignee", "Ann"),
    ("H3", "2026-04-02 09:00:00", "agent:Ann", "status", "solved"),
    ("H3", "2026-04-02 10:00:00", "customer", "status", "open"),
    ("H3", "2026-04-02 11:00:00", "agent:Ann", "assignee", "Bob"),
    ("H3", "2026-04-02 11:05:00", "agent", "private_note", ""),
    ("H4", "2026-04-02 08:10:00", "system", "assignee", "Ann"),
    ("H4", "2026-04-02 09:00:00", "agent:Bob", "assignee", "Bob"),
    ("H4", "2026-04-02 09:15:00", "agent:Ann", "private_note", ""),
    ("H5", "2026-04-02 08:10:00", "system", "assignee", "Ann"),
    ("H5", "2026-04-02 09:00:00", "agent:Ann", "assignee", "Bob"),
    ("A1", "2026-04-01 08:10:00", "system", "assignee", "Ann"),
    ("A1", "2026-04-01 09:30:00", "agent:Ann", "public_reply", ""),
    ("A1", "2026-04-01 10:00:00", "agent:Ann", "status", "solved"),
    ("A1", "2026-04-01 11:00:00", "customer", "status", "open"),
    ("A2", "2026-04-01 08:10:00", "system", "assignee", "Ann"),
    ("A2", "2026-04-01 10:00:00", "agent:Ann", "public_reply", ""),
    ("A2", "2026-04-01 12:00:00", "agent:Ann", "status", "solved"),
    ("A3", "2026-04-01 13:00:00", "agent:Ann", "status", "solved"),
    ("B1", "2026-06-03 12:00:00", "agent", "status", "solved"),
    ("B2", "2026-06-05 12:00:00", "agent", "private_note", ""),
]
CALLS = [
    # call, start, the ticket it names
    ("K1", "2026-03-02 11:00:00", "W1"),
    ("K2", "2026-03-02 11:30:00", ""),
    ("K3", "2026-03-03 11:00:00", "W5"),
    ("K4", "2026-03-03 11:30:00", "of another desk"),
]


def _deliver(project: ShopProject) -> None:
    tickets = [
        f"{name},C1,{kind},open,{created},2026-11-30 00:00:00,no,{unit},normal,,{excluded},,{topic},{product}"
        for name, kind, created, unit, excluded, topic, product in TICKETS
    ]
    project.deliver("tickets_20261130.csv", "\n".join([HEADER, *tickets]) + "\n")
    project.deliver("ticketlog_20261130.txt", "\n".join("|".join(line) for line in LOG) + "\n")
    calls, events = ["id,caller,customer,started,ended,about"], []
    for call, started, about in CALLS:
        calls.append(f"{call},13800000001,C1,{started},{started},{about}")
        epoch = int(datetime.fromisoformat(f"{started}+08:00").timestamp())
        events += [f"{epoch}|{call}|enter_queue||", f"{epoch + 5}|{call}|answered|A1|5"]
    project.deliver("calls_20261130.csv", "\n".join(calls) + "\n")
    project.deliver("calllog_20261130.txt", "\n".join(events) + "\n")


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snapshot]:
    project = make_shop_project(tmp_path_factory.mktemp("metrics"))
    project.add_to_seed("schedules", *(f"desk,{day},10:00,18:00,,,Asia/Shanghai," for day in range(1, 8)))
    project.replace_seed("schedule_assignments", "org_unit,desk,desk,,")
    _deliver(project)
    project.load("load-1")
    project.build()
    built = build_snapshot(project.settings, run_id="run-1")
    with closing(open_snapshot(built.path)) as found:
        yield found


def parts(snapshot: Snapshot, name: str, *by: str, grain: str | None = None, **filters: Any) -> dict[Any, Any]:
    """(numerator, denominator) by group."""
    frame = metric_frame(snapshot, [name], by=by, grain=grain, filters=Filters(**filters))
    columns = [*([] if grain is None else ["metric_time"]), *by]
    return {tuple(row[one] for one in columns): (row["numerator"], row["denominator"]) for row in frame.to_dicts()}


MARCH = {"start": date(2026, 3, 1), "end": date(2026, 3, 31)}


def test_contacts_by_reason(snapshot: Snapshot) -> None:
    """W1 to W4 and four calls; the calls about W1 and W5 have their topic, also where the ticket itself does not count."""
    assert parts(snapshot, "contact_reason_share", "topic", **MARCH) == {
        ("bill",): (4, 8),
        ("signal",): (1, 8),
        ("unknown",): (3, 8),
    }
    assert parts(snapshot, "contact_reason_share", "topic", grain="day", **MARCH) == {
        (date(2026, 3, 2), "bill"): (3, 4),
        (date(2026, 3, 2), "signal"): (0, 4),
        (date(2026, 3, 2), "unknown"): (1, 4),
        (date(2026, 3, 3), "bill"): (1, 4),
        (date(2026, 3, 3), "signal"): (1, 4),
        (date(2026, 3, 3), "unknown"): (2, 4),
    }
    assert parts(snapshot, "contact_reason_share", "channel", "topic", **MARCH) == {
        ("phone", "bill"): (2, 4),
        ("phone", "signal"): (0, 4),
        ("phone", "unknown"): (2, 4),
        ("web", "bill"): (2, 4),
        ("web", "signal"): (1, 4),
        ("web", "unknown"): (1, 4),
    }
    assert parts(snapshot, "contact_kind_share", "ticket_kind", **MARCH) == {
        ("complaint",): (1, 8),
        ("enquiry",): (4, 8),
        ("unknown",): (3, 8),
    }
    # The call about W1 has its product line, that about W5 none.
    assert parts(snapshot, "contact_product_share", "product_line", **MARCH) == {
        ("broadband",): (1, 8),
        ("mobile",): (3, 8),
        ("unknown",): (4, 8),
    }


def test_a_filter_on_the_reason_leaves_the_whole(snapshot: Snapshot) -> None:
    bills = metric_value(snapshot, "contact_reason_share", Filters(**MARCH, where={"topic": ("bill",)}))
    assert (bills.value, bills.numerator, bills.denominator) == (0.5, 4, 8)
    # Wilson, 4 of 8.
    assert (bills.low, bills.high) == (pytest.approx(0.21521, abs=1e-5), pytest.approx(0.78479, abs=1e-5))
    by_phone = Filters(**MARCH, channels=("phone",), where={"topic": ("signal",)})
    assert metric_value(snapshot, "contact_reason_share", by_phone).value == 0
    assert metric_value(snapshot, "contact_reason_share", Filters(**MARCH)).value == 1
    assert parts(snapshot, "contact_reason_known_rate", **MARCH) == {(): (5, 8)}


def test_the_backlog_at_the_end_of_a_period(snapshot: Snapshot) -> None:
    def backlog(**filters: Any) -> float | None:
        return metric_value(snapshot, "backlog_open", Filters(**filters)).value

    # B1 is solved on the 3rd, B2 and B3 never; the newest event is of the 5th. Nothing of March is left, of April H3, H4 and A1.
    assert [backlog(end=date(2026, 6, day)) for day in (1, 2, 3, 4, 5, 30)] == [5, 6, 5, 5, 5, 5]
    assert backlog() == 5
    assert backlog(start=date(2026, 6, 6)) is None
    assert backlog(start=date(2026, 3, 4), end=date(2026, 3, 31)) == 0
    assert backlog(end=date(2026, 2, 28)) is None
    assert parts(snapshot, "backlog_open", grain="month") == {
        (date(2026, 3, 1),): (0, None),
        (date(2026, 4, 1),): (3, None),
        (date(2026, 5, 1),): (3, None),
        (date(2026, 6, 1),): (5, None),
    }
    june = {"start": date(2026, 6, 1), "end": date(2026, 6, 30)}
    assert parts(snapshot, "backlog_open", "org_unit_id", **june) == {
        ("desk",): (1, None),
        ("nowhere",): (1, None),
        (None,): (3, None),
    }


def test_the_age_in_business_time(snapshot: Snapshot) -> None:
    """B1 has one hour open on the 1st, nine by the end of the 2nd; B2 has none, 8, 16, 24 and 32. B3 is of a unit without hours."""
    rows = snapshot.rows(
        "select backlog_on, business_age_bucket, cast(sum(backlog) as integer) as n from fct_backlog_days"
        " where backlog > 0 and backlog_on >= '2026-06-01' and org_unit_id is not null group by all"
    )
    assert {(row["backlog_on"].day, row["business_age_bucket"]): row["n"] for row in rows} == {
        (1, "0-8h"): 2,
        (2, "8-24h"): 2,
        (2, "unknown"): 1,
        (3, "8-24h"): 1,
        (3, "unknown"): 1,
        (4, "24-80h"): 1,
        (4, "unknown"): 1,
        (5, "24-80h"): 1,
        (5, "unknown"): 1,
    }
    (solved,) = snapshot.rows(
        "select business_age_bucket as age from fct_backlog_days where solved > 0 and backlog_on > '2026-06-01'"
    )
    assert solved["age"] == "8-24h", "1 hour, 8 hours and 2 hours"


APRIL = {"start": date(2026, 4, 1), "end": date(2026, 4, 30)}
HOUR = 3600


def test_which_hand_overs_have_a_note(snapshot: Snapshot) -> None:
    """H1: ten minutes before. H2: by the receiver, and by the giver a second too late. H3: by nobody knows whom. H4: a quarter of an hour after."""
    rows = snapshot.rows("select ticket_id, has_note, is_in_base from fct_ticket_hand_overs order by ticket_id")
    assert [tuple(row.values()) for row in rows] == [
        ("H1", True, True),
        ("H2", False, True),
        ("H3", None, True),
        ("H4", True, True),
        ("H5", False, False),
    ]
    assert parts(snapshot, "hand_over_note_rate", **APRIL) == {(): (2, 3)}
    assert parts(snapshot, "hand_over_note_rate", "ticket_kind", **APRIL) == {("enquiry",): (1, 1), ("repair",): (1, 2)}


def test_what_goes_with_a_hand_over(snapshot: Snapshot) -> None:
    def of(name: str) -> tuple[float, float]:
        (found,) = parts(snapshot, name, **APRIL).values()
        return found  # type: ignore[no-any-return]

    assert of("handed_over_share") == (4, 6)
    # H1: 08:00 to 14:00, H2: to 10:30; A2: to 12:00. H3, H4 and A1 are open.
    assert of("resolution_with_hand_over_mean") == (8.5 * HOUR, 2)
    assert of("resolution_without_hand_over_mean") == (4 * HOUR, 1)
    assert metric_value(snapshot, "resolution_hand_over_gap", Filters(**APRIL)).value == 0.25 * HOUR
    # From the hand-over at 10:00.
    assert of("resolution_after_hand_over_mean") == (4.5 * HOUR, 2)
    assert of("reply_after_hand_over_mean") == (HOUR, 1)
    # One answered turn each: 3 and 1 hours, 1.5 and 2 hours.
    assert of("reply_with_hand_over_mean") == (4 * HOUR, 2)
    assert of("reply_without_hand_over_mean") == (3.5 * HOUR, 2)
    assert metric_value(snapshot, "reply_hand_over_gap", Filters(**APRIL)).value == 0.25 * HOUR
    # H3 was reopened before it changed hands.
    assert of("reopen_rate_after_hand_over") == (1, 3)
    assert of("reopen_rate_without_hand_over") == (1, 2)
    assert metric_value(snapshot, "reopen_hand_over_gap", Filters(**APRIL)).value == pytest.approx(-1 / 6)
    by_kind = metric_frame(snapshot, ["reopen_rate_after_hand_over"], by=["ticket_kind"], filters=Filters(**APRIL))
    assert dict(by_kind.select("ticket_kind", "numerator").rows()) == {"enquiry": 0, "repair": 1}
