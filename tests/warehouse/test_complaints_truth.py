"""The built-in company knows which of its complaints are complaints and which repeat which: what the marts find is held against it.

A second engine walks through the files of its help desk in plain Python, without windows or joins, and must find the same cases, closes and windows.
"""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from orchestration.demo import generate
from tests.warehouse.shop_project import ShopProject, make_shop_project, opened

READ = (
    "fct_callbacks",
    "fct_complaint_contacts",
    "fct_complaint_rates",
    "fct_complaints",
    "fct_contacts",
    "fct_hard_issues",
    "fct_hot_issues",
    "fct_promise_ledger",
    "fct_subscriptions",
    "fct_tickets",
    "int_commitments",
    "int_complaint_signs",
    "int_promise_signs",
    "int_ticket_events",
    "int_tickets",
)

pytestmark = pytest.mark.slow

LINKED = timedelta(seconds=259_200)
LEFT_OUT = ("rosters_", "agent_states_", "payments_")
"""Large tables that complaints do not read."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> ShopProject:
    project = make_shop_project(tmp_path_factory.mktemp("truth"), "zendesk", "crm", "billing")
    generate(
        project.home / "inbox",
        customers=3_000,
        months=6,
        end=date(2026, 4, 12),
        calls=30_000,
        tickets=9_000,
        call_detail="lean",
        dirty=False,
    )
    for folder in (project.home / "inbox").iterdir():
        if folder.name not in project.sources:
            shutil.rmtree(folder)
    for path in (project.home / "inbox").glob("*/*"):
        if path.name.startswith(LEFT_OUT):
            path.unlink()
    project.load("load-1")
    project.build(*READ, full=True)
    return project


@pytest.fixture(scope="module")
def truth(project: ShopProject) -> pl.DataFrame:
    """Complaints of the truth, with the ticket of the one that each repeats."""
    folder = project.home / "demo"
    tables = json.loads((folder / "truth.json").read_text(encoding="utf-8"))["tables"]
    complaints = pl.read_parquet(folder / tables["complaints"]["path"])
    earlier = complaints.select(pl.col("issue_id").alias("second_of_issue"), pl.col("ticket_id").alias("repeats"))
    return complaints.join(earlier, on="second_of_issue", how="left")


@pytest.fixture(scope="module")
def frames(project: ShopProject) -> dict[str, pl.DataFrame]:
    with opened(project) as connection:
        return {
            name: connection.execute(query).pl()
            for name, query in {
                "cases": "select * from fct_complaints",
                "contacts": "select * from fct_complaint_contacts",
                "tickets": "select ticket_id, ticket_kind, customer_key, topic, product_line, exclusion_kind, merged_into_ticket_id, is_in_base, is_solved, created_at, last_solved_at from fct_tickets",
                "signs": "select * from warehouse.intermediate.int_complaint_signs",
            }.items()
        }


def test_every_complaint_is_a_case_and_no_twin_is_one(frames: dict[str, pl.DataFrame], truth: pl.DataFrame) -> None:
    """All complaints of the truth stand in a case; tickets that were copied into another channel belong to the case of the one they copy."""
    by_ticket = dict(frames["contacts"].filter(pl.col("contact_kind") == "ticket").select(pl.col("contact_id").str.slice(7), "complaint_id").rows())  # fmt: skip
    delivered = set(frames["tickets"]["ticket_id"])
    known = truth.filter(pl.col("ticket_id").is_in(list(delivered)))
    assert known.height > 500 and all(ticket in by_ticket for ticket in known["ticket_id"])
    twins = frames["tickets"].filter(
        (pl.col("ticket_kind") == "complaint") & pl.col("exclusion_kind").is_in(["merged", "duplicate"])
    )
    assert twins.height > 20
    # A twin has the number of its original, 50 million higher. A duplicate is known by its customer alone, whom its writer may have hidden.
    customers = dict(frames["tickets"].select("ticket_id", "customer_key").rows())
    placed = 0
    for twin, exclusion in twins.select("ticket_id", "exclusion_kind").rows():
        original = str(int(twin) - 50_000_000)
        if exclusion == "merged" or (customers[twin] is not None and customers[twin] == customers[original]):
            assert by_ticket[twin] == by_ticket[original], twin
            placed += 1
    assert placed >= 0.9 * twins.height
    assert frames["cases"].filter(pl.col("ticket_id").is_in(twins["ticket_id"].implode())).is_empty()


def test_second_complaints_are_found(frames: dict[str, pl.DataFrame], truth: pl.DataFrame) -> None:
    """Precision and recall of "the same customer, the same cause, within 90 days" against what truly came back, by pairs."""
    cases = frames["cases"].filter(pl.col("ticket_kind") == "complaint")
    delivered = set(cases["ticket_id"])
    pairs = {
        (second, first)
        for second, first in truth.filter(pl.col("repeats").is_not_null()).select("ticket_id", "repeats").rows()
        if second in delivered and first in delivered
    }
    found = {
        (ticket, str(repeated).rsplit(":", 1)[1])
        for ticket, repeated in cases.filter("is_second").select("ticket_id", "repeats_complaint_id").rows()
    }
    assert len(pairs) > 30
    assert len(pairs & found) / len(pairs) >= 0.85
    seconds = {second for second, _ in pairs}
    assert len({ticket for ticket, _ in found} & seconds) / len(found) >= 0.6, "customers do complain again by chance"


def test_texts_alone_tell_complaints(project: ShopProject, frames: dict[str, pl.DataFrame]) -> None:
    """With the kind of the ticket hidden: an unhappy text with a claim, against what the help desk says. By language."""
    with opened(project) as connection:
        texts = connection.execute(
            "select ticket_id, ticket_kind = 'complaint' as truly, language from warehouse.intermediate.int_tickets"
            " where _status = 'used' and ticket_kind is not null and exclusion_kind is null"
        ).pl()
    signs = frames["signs"].with_columns(
        said=pl.col("text_dissatisfaction").is_not_null() & pl.coalesce("text_claim", "text_escalation").is_not_null()
        | pl.col("text_escalation").is_in(["court", "regulator", "media"])
    )
    judged = texts.join(signs.select("ticket_id", "said"), on="ticket_id", how="left").with_columns(
        pl.col("said").fill_null(value=False)
    )
    for language in ("zh", "en"):
        part = judged.filter(pl.col("language") == language)
        hits = part.filter(pl.col("said") & pl.col("truly")).height
        assert part["truly"].sum() > 50
        assert hits / part["said"].sum() >= 0.8, language
        assert hits / part["truly"].sum() >= 0.6, language


def _walk(tickets: pl.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """Cases of complaint tickets by customer: kind alone, twins with the ticket that they were merged into."""
    threads: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in tickets.sort("created_at", "ticket_id").iter_rows(named=True):
        if row["ticket_kind"] != "complaint" or not row["is_in_base"]:
            continue
        key: tuple[str, ...] = (row["customer_key"], row["topic"], row["product_line"])
        if None in key or row["topic"] == "unknown":
            key = (row["ticket_id"],)
        threads[key].append(row)
    cases: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for rows in threads.values():
        before: dict[str, Any] | None = None
        for row in rows:
            closed_before = before is not None and before["is_solved"] and before["last_solved_at"] <= row["created_at"]
            if before is None or closed_before or row["created_at"] - before["created_at"] > LINKED:
                cases[row["customer_key"]].append({"opened": row, "tickets": [row]})
            else:
                cases[row["customer_key"]][-1]["tickets"].append(row)
            before = row
    return cases


def test_a_second_engine_finds_the_same(project: ShopProject, frames: dict[str, pl.DataFrame]) -> None:
    """Opening tickets, closes, and what followed within each window, case by case, of cases that are complaints by kind."""
    walked = _walk(frames["tickets"])
    found = frames["cases"].filter((pl.col("complaint_rule") == "kind") & pl.col("ticket_id").is_not_null())
    assert {case["opened"]["ticket_id"] for own in walked.values() for case in own} == set(found["ticket_id"])
    with opened(project) as connection:
        known = connection.execute("select max(known_until) from fct_complaints").fetchone()
    assert known is not None and isinstance(known[0], datetime)
    known_until: datetime = known[0]
    every = defaultdict(list)
    for customer, opened_at, cause, case_id in frames["cases"].select("customer_key", "opened_at", "cause", "complaint_id").rows():  # fmt: skip
        every[customer].append((opened_at, case_id, cause))
    facts = {row["ticket_id"]: row for row in found.iter_rows(named=True)}
    compared = 0
    for customer, own in walked.items():
        for case in own:
            fact = facts[case["opened"]["ticket_id"]]
            solved = [t["last_solved_at"] for t in case["tickets"] if t["is_solved"]]
            assert fact["closed_at"] == (max(solved) if len(solved) == len(case["tickets"]) else None), fact
            for days in (7, 30, 90):
                window = timedelta(days=days)
                final = customer is not None and known_until - fact["opened_at"] >= window
                later = [
                    other for other in every[customer]
                    if (other[0], other[1]) > (fact["opened_at"], fact["complaint_id"]) and other[0] - fact["opened_at"] <= window
                ] if final else []  # fmt: skip
                assert fact[f"is_final_{days}d"] == final
                assert fact[f"is_repeated_{days}d"] == bool(later)
                assert fact[f"is_cause_repeated_{days}d"] == any(
                    other[2] == fact["cause"] != "unknown" for other in later
                )
                compared += 1
    assert compared > 1500


def test_next_day_checks_are_the_callbacks(project: ShopProject, frames: dict[str, pl.DataFrame]) -> None:
    """Read from the commitments as the customer management delivered them."""
    with opened(project) as connection:
        callbacks = connection.execute(
            "select about_id as ticket_id, done_at, result from warehouse.intermediate.int_commitments"
            " where _status = 'used' and commitment_kind = 'callback' and about_kind = 'ticket' and done_at is not null and not coalesce(is_control, false)"
        ).pl()
    one_ticket = frames["cases"].filter(
        (pl.col("tickets") == 1) & pl.col("closed_at").is_not_null() & pl.col("is_closed")
    )
    joined = one_ticket.select("ticket_id", "closed_at", "check_state").join(callbacks, on="ticket_id", how="left")
    joined = joined.with_columns(counts=(pl.col("done_at") >= pl.col("closed_at")).fill_null(value=False))
    expected: dict[str, str] = {}
    for (ticket,), rows in joined.sort("ticket_id", "done_at").group_by("ticket_id", maintain_order=True):
        after = rows.filter("counts")
        talked = after.filter(pl.col("result").is_in(["solved", "unsolved"]))
        expected[str(ticket)] = (
            {"solved": "holds", "unsolved": "not_fixed"}[talked["result"][0]] if talked.height
            else "unreached" if after.height else "not_checked"
        )  # fmt: skip
    assert dict(one_ticket.select("ticket_id", "check_state").rows()) == expected
    assert {"holds", "not_fixed", "unreached", "not_checked"} <= set(expected.values())


def test_bases_of_the_rates(project: ShopProject) -> None:
    """Complaints and contacts add up; customers and contracts at the end of a month are counted one by one."""
    with opened(project) as connection:
        parts = connection.execute(
            "select rate_part, month_begin, sum(units) as units from fct_complaint_rates group by all"
        ).pl()
        contracts = connection.execute(
            "select subscription_id, customer_key, started_on, coalesce(ended_on, date '9999-12-31') as ended_on from fct_subscriptions"
        ).pl()
        counts = connection.execute(
            "select (select count(*) from fct_complaints), (select count(*) from fct_contacts)"
        ).fetchone()
        last = connection.execute("select cast(max(known_until) as date) from fct_complaints").fetchone()
    total = dict(parts.group_by("rate_part").agg(pl.col("units").sum()).rows())
    assert counts == (total["complaints"], total["contacts"]) and last is not None
    months = sorted(parts.filter(pl.col("rate_part") == "customers")["month_begin"])
    assert len(months) >= 6
    for month in months:
        end = min((month.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1), last[0])
        running = contracts.filter(
            (pl.col("started_on") <= end) & (pl.col("ended_on") > end) & (pl.col("ended_on") > pl.col("started_on"))
        )
        here = dict(parts.filter(pl.col("month_begin") == month).select("rate_part", "units").rows())
        assert here["contracts"] == running.height
        assert here["customers"] == running["customer_key"].drop_nulls().n_unique() < running.height


def test_promises_in_replies_are_those_that_were_made(project: ShopProject) -> None:
    """The texts alone against what agents recorded at the same second, by language; then both sides are one promise, with the record's times."""
    with opened(project) as connection:
        ledger = connection.execute("select * from fct_promise_ledger").pl()
        replies = connection.execute(
            "select e.ticket_id, e.occurred_at, s.act, t.language from warehouse.intermediate.int_promise_signs as s"
            " inner join warehouse.intermediate.int_ticket_events as e using (source, ticket_event_id)"
            " inner join warehouse.intermediate.int_tickets as t on s.source = t.source and s.ticket_id = t.ticket_id and t._status = 'used' where e._status = 'used'"
        ).pl()
        recorded = connection.execute(
            "select c.about_id as ticket_id, c.made_at as occurred_at, c.due_at, c.done_at, t.language from warehouse.intermediate.int_commitments as c"
            " inner join warehouse.intermediate.int_tickets as t on c.about_id = t.ticket_id and t._status = 'used'"
            " where c._status = 'used' and c.commitment_kind = 'promise'"
        ).pl()
    for language in ("zh", "en"):
        read = set(replies.filter(pl.col("language") == language).select("ticket_id", "occurred_at").rows())
        made = set(recorded.filter(pl.col("language") == language).select("ticket_id", "occurred_at").rows())
        assert len(made) > 30
        assert len(read & made) / len(read) >= 0.9, language
        assert len(read & made) / len(made) >= 0.9, language
    both = ledger.filter(pl.col("basis") == "both")
    assert both.height >= 0.9 * recorded.height
    own = recorded.with_columns(
        outcome=pl.when(pl.col("done_at") <= pl.col("due_at")).then(pl.lit("kept")).when(pl.col("done_at") > pl.col("due_at")).then(pl.lit("late")).otherwise(pl.lit("other"))
    )["outcome"].value_counts()  # fmt: skip
    found = ledger.filter(pl.col("evidence") == "record", pl.col("done_at").is_not_null())[
        "promise_outcome"
    ].value_counts()
    expected = dict(own.filter(pl.col("outcome") != "other").rows())
    assert dict(found.rows()) == expected


def test_hot_and_hard_issues_of_the_company(project: ShopProject) -> None:
    """The planted burst on its first or second day; hard issues are the open ones, old enough, by an own walk through the tickets."""
    burst = json.loads((project.home / "demo" / "truth.json").read_text(encoding="utf-8"))["burst"]
    with opened(project) as connection:
        hot = connection.execute(
            "select first_on, customers, complaints, course from fct_hot_issues where topic = ? and org_unit_id = ? and product_line = ?",
            [burst["symptom"], burst["unit_code"], burst["product"]],
        ).fetchall()
        hard = connection.execute("select * from fct_hard_issues").pl()
        cases = connection.execute("select complaint_id, is_closed, opened_at, known_until from fct_complaints").pl()
        tickets = connection.execute("select ticket_id, ticket_status, lifecycle_status from fct_tickets").pl()
    late = [(row[0] - date.fromisoformat(burst["first_day"])).days for row in hot]
    assert any(0 <= days <= 1 for days in late), hot
    assert all(row[1] <= row[2] for row in hot)
    old = cases.filter(
        ~pl.col("is_closed") & (pl.col("known_until") - pl.col("opened_at") >= timedelta(days=7, seconds=1))
    )
    assert old.height > 0
    assert set(hard.filter(pl.col("issue_kind") == "complaint")["complaint_id"]) == set(old["complaint_id"])
    orders = hard.filter(pl.col("issue_kind") == "work_order").join(tickets, on="ticket_id")
    assert set(orders["lifecycle_status"]) <= {"new", "open", "pending", "hold"}
    assert hard.filter(pl.col("waits_for") == "unknown").is_empty()
    assert (hard["waiting_seconds"] <= hard["age_seconds"]).all()
    pending = orders.filter((pl.col("lifecycle_status") == "pending") & (pl.col("wait_basis") == "status"))
    assert set(pending["waits_for"]) <= {"customer"}


def test_callbacks_are_those_delivered(project: ShopProject) -> None:
    """Counted again from the commitments in plain Python; visits and deals follow the callback within 30 days."""
    with opened(project) as connection:
        rows = connection.execute(
            "select purpose, result, due_at, done_at, coalesce(is_control, false) from warehouse.intermediate.int_commitments where _status = 'used' and commitment_kind = 'callback'"
        ).fetchall()
        marts = connection.execute("select * from fct_callbacks").pl()
    assert marts.height == len(rows) > 500
    reached = sum(result in ("reached", "solved", "unsolved") and not held for _, result, _, _, held in rows)
    assert marts["is_reached"].sum() == reached
    in_time = sum(done is not None and due is not None and done <= due and not held for _, _, due, done, held in rows)
    assert marts["is_done_in_time"].sum() == in_time
    followed = marts.filter(pl.col("is_visited"))
    assert followed.height > 0
    assert all(
        timedelta(0) < visited - done <= timedelta(days=30)
        for visited, done in followed.select("visited_at", "done_at").rows()
    )
    assert marts.filter(
        pl.col("is_follow_final") & (pl.col("is_visited").is_null() | pl.col("is_deal").is_null())
    ).is_empty()
