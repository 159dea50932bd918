"""The built-in company's sessions, touch points and notices, as measured, against what is known to be true of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from dashboards.data.metrics import Filters, catalogue, metric_values
from dashboards.data.snapshot import Snapshot, open_snapshot

pytestmark = pytest.mark.slow

CONTACTS = Path(__file__).resolve().parents[2] / "dbt_project" / "models" / "marts" / "contacts"


@pytest.fixture(scope="module")
def truth(demo_home: Path) -> dict[str, Any]:
    return json.loads((demo_home / "demo" / "truth.json").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def snapshot(demo_home: Path) -> Iterator[Snapshot]:
    with closing(open_snapshot(demo_home / "serving" / "current")) as opened:
        yield opened


@pytest.fixture(scope="module")
def marts(snapshot: Snapshot) -> duckdb.DuckDBPyConnection:
    return snapshot.cursor()


def test_sessions_are_who_handled_them(truth: dict[str, Any], marts: duckdb.DuckDBPyConnection) -> None:
    found = marts.execute(
        "select count(*), count(*) filter (where handled_by = 'human'), count(*) filter (where handled_by = 'both'),"
        " count(*) filter (where is_bot_ended), count(*) filter (where is_abandoned), count(*) filter (where is_out_of_hours)"
        " from fct_messages where direction = 'inbound'"
    ).fetchone()
    known = truth["sessions"]
    names = ("begun_by_customers", "human", "bot_then_human", "bot_only", "missed", "out_of_hours")
    assert found == tuple(known[name] for name in names)
    assert all(known[name] > 0 for name in names)


def test_metrics_of_sessions_follow_from_the_truth(truth: dict[str, Any], snapshot: Snapshot) -> None:
    known = truth["sessions"]
    names = ["bot_ended_rate", "session_abandonment_rate", "out_of_hours_session_rate", "bot_interception_rate_72h"]
    found = metric_values(snapshot, names, Filters())
    bots = known["bot_then_human"] + known["bot_only"] + known["missed"]
    people = known["human"] + known["bot_then_human"] + known["missed"]
    assert found["bot_ended_rate"].value == pytest.approx(known["bot_only"] / bots)
    assert found["session_abandonment_rate"].value == pytest.approx(known["missed"] / people)
    assert found["out_of_hours_session_rate"].value == pytest.approx(
        known["out_of_hours"] / known["begun_by_customers"]
    )
    intercepted = found["bot_interception_rate_72h"].value
    assert intercepted is not None and 0 < intercepted <= known["bot_only"] / bots + 0.05


def test_notices_were_in_time_or_late(demo_home: Path, truth: dict[str, Any], snapshot: Snapshot) -> None:
    """Notice by notice (so small a company has hardly a late one; test_messages has). A customer who stands in a system twice, or had other trouble with the product, may be judged otherwise."""
    known = pl.read_parquet(demo_home / "demo" / truth["tables"]["outreach"]["path"]).filter(pl.col("reached"))
    with duckdb.connect(":memory:") as warehouse:
        for name in ("raw", "warehouse"):
            warehouse.execute(f"attach '{demo_home / f'{name}.duckdb'}' as {name} (read_only)")
        begun = warehouse.execute(
            "select distinct links.customer_id as customer_no, problems.operational_event_id as event_no"
            " from warehouse.marts.fct_problem_contacts as problems"
            " inner join warehouse.marts.dim_customer_links as links on problems.customer_key = links.customer_key and links.source = 'crm'"
            " where problems.is_proactive"
        ).pl()
    judged = known.join(begun.with_columns(is_proactive=True), on=["customer_no", "event_no"], how="left").with_columns(
        pl.col("is_proactive").fill_null(value=False)
    )
    assert judged.height > 80 and set(judged["way"].unique()) == {"message", "call", "notice"}
    agreed = judged.filter(pl.col("in_time") == pl.col("is_proactive")).height
    assert agreed / judged.height > 0.93
    share = metric_values(snapshot, ["proactive_share"], Filters())["proactive_share"]
    in_time = known.filter(pl.col("in_time")).height
    assert share.numerator == pytest.approx(in_time, rel=0.07)


def test_tickets_have_the_touch_points_that_they_say(marts: duckdb.DuckDBPyConnection) -> None:
    found = dict(marts.execute("select touch_point, count(*) from fct_tickets group by all").fetchall())
    assert {"web_hall", "hotline", "account_manager", "bill", "field_work"} < set(found)
    assert {"own_hall", "partner_hall"} & set(found)
    # Without a word of the source the channel decides.
    silent = marts.execute(
        "select distinct channel, touch_point from fct_tickets where try_cast(ticket_id as bigint) % 25 = 0 and channel in ('phone', 'web', 'app', 'email')"
    ).fetchall()
    by_channel = {"phone": "hotline", "web": "web_hall", "app": "web_hall", "email": "other"}
    assert ("phone", "hotline") in silent
    assert all(by_channel[channel] == touch_point for channel, touch_point in silent)


def test_every_metric_of_contacts_can_be_asked_by_touch_point(snapshot: Snapshot) -> None:
    """But for those of agents' time: who is ready or away is so for no touch point."""
    marts = {path.stem for path in CONTACTS.glob("*.sql")}
    without = {
        part.model
        for metric in catalogue(snapshot).values()
        if "touch_point" not in metric.dimensions
        for part in metric.parts
        if part.model in marts
    }
    assert without == {"fct_agent_half_hours"}


def test_the_backlog_and_the_work_have_the_touch_points_of_their_tickets(marts: duckdb.DuckDBPyConnection) -> None:
    tickets = marts.execute(
        "select touch_point, count(*), count(*) filter (where not is_solved) from fct_tickets"
        " where is_in_base and not (is_solved and last_solved_at is null) group by 1 order by 1"
    ).fetchall()
    backlog = marts.execute(
        "select touch_point, sum(opened), coalesce(sum(backlog) filter (where backlog_on = (select max(backlog_on) from fct_backlog_days)), 0)"
        " from fct_backlog_days group by 1 order by 1"
    ).fetchall()
    assert backlog == tickets
    assert len(tickets) >= 5
    for mart in ("fct_work_orders", "fct_visits", "fct_department_waits"):
        of_the_ticket = marts.execute(
            f"select count(*), count(distinct tickets.touch_point), count(*) filter (where {mart}.touch_point = tickets.touch_point)"
            f" from {mart} left join fct_tickets as tickets on {mart}.source = tickets.source and {mart}.ticket_id = tickets.ticket_id"
        ).fetchone()
        assert of_the_ticket is not None
        rows, touch_points, equal = of_the_ticket
        assert rows == equal and touch_points > 2, mart


def test_half_hours_have_the_touch_points_of_their_calls(marts: duckdb.DuckDBPyConnection) -> None:
    by_half_hours = marts.execute(
        "select touch_point, queue, sum(entered), sum(handling_seconds) from fct_half_hours group by all order by all"
    ).fetchall()
    by_legs = marts.execute(
        "select touch_point, queue, count(*), sum(coalesce(handle_seconds, 0)) from fct_call_legs where is_in_base group by all order by all"
    ).fetchall()
    assert by_half_hours == by_legs and len(by_legs) > 1
