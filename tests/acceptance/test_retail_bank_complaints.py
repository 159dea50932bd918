"""Complaints of the retail bank: cases, repeats, timeliness and relief per product and issue, exact against what plain Python walks out of the log."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from tests.acceptance.conftest import RealHome

pytestmark = pytest.mark.real_data

LINKED = timedelta(days=3)
HERE = ZoneInfo("America/New_York")
GIVEN = {
    "Closed with monetary relief": "damages", "Closed with non-monetary relief": "non_material", "Closed with relief": "unspecified",
    "Closed without relief": "none", "Closed with explanation": "non_material",
}  # fmt: skip


@dataclass
class Case:
    """One case as the log tells it."""

    complaint: str
    client: str
    product: str
    issue: str
    opened: datetime
    received: date
    timely: bool
    response: str
    tickets: int = 1


def _walk(log: pl.DataFrame) -> list[Case]:
    """Complaints of a client on one product and issue that follow each other within three days are one; its first line speaks for it."""
    threads: dict[tuple[str, str, str], list[tuple[datetime, str, date, bool, str]]] = defaultdict(list)
    for row in log.iter_rows(named=True):
        received = datetime.strptime(row["date_received"], "%d-%m-%Y")  # the zone follows
        threads[(row["client_id"], row["product"], row["issue"])].append(
            (received.replace(tzinfo=HERE).astimezone(ZoneInfo("UTC")), row["complaint_id"], received.date(), row["timely_response"] == "Yes", row["company_response_to_consumer"])
        )  # fmt: skip
    cases: list[Case] = []
    for (client, product, issue), lines in sorted(threads.items()):
        before: datetime | None = None
        for moment, complaint, received_on, timely, response in sorted(lines):
            if before is not None and moment - before <= LINKED:
                cases[-1].tickets += 1
                cases[-1].response = response
            else:
                cases.append(Case(complaint, client, product, issue, moment, received_on, timely, response))
            before = moment
    return cases


@pytest.fixture(scope="module")
def log(real_home: RealHome) -> pl.DataFrame:
    return pl.read_csv(real_home.data / "retail_bank" / "crm_events.csv", infer_schema=False)


@pytest.fixture(scope="module")
def cases(log: pl.DataFrame) -> list[Case]:
    return _walk(log)


@pytest.fixture(scope="module")
def known_until(log: pl.DataFrame) -> datetime:
    """The newest day of the log, of either kind."""
    days = [
        datetime.strptime(day, "%d-%m-%Y")  # the zone follows
        for column in ("date_received", "date_sent_to_company")
        for day in log[column].drop_nulls()
    ]
    return max(days).replace(tzinfo=HERE).astimezone(ZoneInfo("UTC"))


BANK = "where source = 'retail_bank' and ticket_id is not null"


def test_cases(real_home: RealHome, cases: list[Case], log: pl.DataFrame) -> None:
    found = real_home.rows(f"select ticket_id, product_line, topic, tickets, opened_on from fct_complaints {BANK}")
    assert set(found) == {(c.complaint, c.product, c.issue, c.tickets, c.received) for c in cases}
    assert len(found) == len(cases) < log.height, "some complaints of the log are one case"
    assert real_home.one(f"select count(*) from fct_complaints {BANK} and complaint_rule <> 'kind'") == 0


def _repeats(cases: list[Case], known_until: datetime, days: int) -> Iterator[tuple[Case, bool, bool]]:
    """Cases with so many days of follow-up; followed by one of any issue, and by one of the same."""
    by_client: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        by_client[case.client].append(case)
    window = timedelta(days=days)
    for own in by_client.values():
        own.sort(key=lambda case: (case.opened, f"retail_bank:ticket:{case.complaint}"))
        for place, case in enumerate(own):
            if known_until - case.opened >= window:
                later = [other for other in own[place + 1 :] if other.opened - case.opened <= window]
                yield case, bool(later), any(other.issue == case.issue for other in later)


@pytest.mark.parametrize("days", [7, 30, 90])
def test_repeat_complaints_per_product_and_issue(
    real_home: RealHome, cases: list[Case], known_until: datetime, days: int
) -> None:
    expected: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    clients: dict[str, set[str]] = defaultdict(set)
    for case, again, same in _repeats(cases, known_until, days):
        counted = expected[(case.product, case.issue)]
        counted[0] += 1
        counted[1] += again
        counted[2] += same
        clients["final"].add(case.client)
        if again:
            clients["again"].add(case.client)
        if same:
            clients["same"].add(case.client)
    found = real_home.rows(
        f"select product_line, topic, count(*), count(*) filter (is_repeated_{days}d), count(*) filter (is_cause_repeated_{days}d)"
        f" from fct_complaints {BANK} and is_final_{days}d group by all"
    )
    assert {(product, issue): [*counts] for product, issue, *counts in found} == dict(expected)
    assert 0 < len(clients["same"]) < len(clients["again"]) < len(clients["final"])
    assert real_home.rows(
        f"select count(distinct case when is_final_{days}d then customer_key end), count(distinct case when is_repeated_{days}d then customer_key end),"
        f" count(distinct case when is_cause_repeated_{days}d then customer_key end) from fct_complaints {BANK}"
    ) == [(len(clients["final"]), len(clients["again"]), len(clients["same"]))]


def test_timeliness_per_product_and_issue(real_home: RealHome, cases: list[Case]) -> None:
    expected: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for case in cases:
        expected[(case.product, case.issue)][0] += case.timely
        expected[(case.product, case.issue)][1] += 1
    found = real_home.rows(
        f"select product_line, topic, count(*) filter (is_reported_timely), count(is_reported_timely) from fct_complaints {BANK} group by all"
    )
    assert {(product, issue): [*counts] for product, issue, *counts in found} == dict(expected)
    assert sum(good for good, _ in expected.values()) < len(cases)


def test_relief_per_product(real_home: RealHome, cases: list[Case]) -> None:
    expected = Counter((case.product, GIVEN.get(case.response, "unknown")) for case in cases)
    found = real_home.rows(f"select product_line, remedy_kind, count(*) from fct_complaints {BANK} group by all")
    assert {(product, kind): count for product, kind, count in found} == dict(expected)


def test_the_log_does_not_say_when(real_home: RealHome) -> None:
    """It has no day of an answer, so no stage but the dispatch is judged."""
    states = real_home.rows(
        "select complaint_stage, stage_state, count(*) from fct_complaint_stages where source = 'retail_bank' group by all"
    )
    by_stage = defaultdict(set)
    for stage, state, _ in states:
        by_stage[stage].add(state)
    assert by_stage["close"] == by_stage["first_answer"] == {"unknown"} and "tell" not in by_stage
    assert "met" in by_stage["dispatch"]


def test_calls_belong_to_their_complaints(real_home: RealHome) -> None:
    folder = real_home.data / "retail_bank"
    calls = pl.read_csv(folder / "CRMCallCenterLogs.csv", infer_schema=False)
    known = set(pl.read_csv(folder / "crm_events.csv", infer_schema=False)["complaint_id"])
    expected = calls.filter(pl.col("Complaint_ID").is_in(list(known)) & (pl.col("outcome") != "PHANTOM")).height
    linked = real_home.one(
        "select count(*) from fct_complaint_contacts where source = 'retail_bank' and contact_kind = 'call'"
    )
    offered = real_home.one(
        "select count(*) from fct_calls where source = 'retail_bank' and is_offered and ticket_id in (select ticket_id from fct_tickets where source = 'retail_bank')"
    )
    assert linked == offered and 0 < linked <= expected
