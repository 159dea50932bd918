"""The company looks like one: service, satisfaction, load and staff, planted events, keys (nothing damaged)."""

from __future__ import annotations

import polars as pl
import pytest

from orchestration.demo.plan import Plan
from tests.demo.conftest import Company


@pytest.fixture(scope="module")
def log(clean_company: Company) -> pl.DataFrame:
    return clean_company.read("asterisk.queue_log").with_columns(
        pl.from_epoch(pl.col("time").cast(pl.Int64) + 8 * 3600).alias("at")
    )


def service(log: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    waits = log.filter(pl.col("event").is_in(["CONNECT", "ABANDON"])).with_columns(
        pl.when(pl.col("event") == "CONNECT")
        .then(pl.col("data1"))
        .otherwise(pl.col("data3"))
        .cast(pl.Int64)
        .alias("wait"),
        pl.col("at").dt.strftime("%Y-%m").alias("month"),
    )
    answered = pl.col("event") == "CONNECT"
    return (
        waits.group_by(by)
        .agg(
            (answered & (pl.col("wait") <= 20)).sum().alias("good"),
            (~answered).sum().alias("lost"),
            pl.len().alias("n"),
        )
        .with_columns(level=pl.col("good") / pl.col("n"), abandoned=pl.col("lost") / pl.col("n"))
    )


def test_service_level_and_abandonment(log: pl.DataFrame) -> None:
    whole = service(log.with_columns(pl.lit(1).alias("all")), ["all"])
    assert 0.70 <= whole["level"][0] <= 0.92
    assert 0.02 <= whole["abandoned"][0] <= 0.14


def test_no_agent_is_in_two_calls_at_once(log: pl.DataFrame) -> None:
    # The next connect of an agent never comes before the end of the call before it.
    steps = log.filter(
        pl.col("event").is_in(["CONNECT", "COMPLETEAGENT", "COMPLETECALLER", "ATTENDEDTRANSFER", "BLINDTRANSFER"])
        & (pl.col("agent") != "NONE")
    )
    talk = pl.when(pl.col("event") == "CONNECT").then(pl.lit(1)).otherwise(pl.lit(-1))
    busy = (
        steps.with_columns(talk.alias("step"), (pl.col("event") == "CONNECT").alias("starts"))
        .sort("agent", "at", "starts")
        .with_columns(pl.col("step").cum_sum().over("agent").alias("calls"))
    )
    assert busy["calls"].max() == 1
    assert busy["calls"].min() == 0


def test_every_queue_entry_ends_once(log: pl.DataFrame) -> None:
    counts = {event: count for event, count in log["event"].value_counts().iter_rows()}
    ends = sum(counts.get(event, 0) for event in ("CONNECT", "ABANDON", "EXITWITHTIMEOUT", "EXITWITHKEY"))
    assert counts["ENTERQUEUE"] == ends
    assert counts["CONNECT"] == sum(
        counts.get(event, 0) for event in ("COMPLETEAGENT", "COMPLETECALLER", "ATTENDEDTRANSFER", "BLINDTRANSFER")
    )


def test_call_records_fit_the_log(clean_company: Company, log: pl.DataFrame) -> None:
    records = clean_company.read("asterisk.cdr").filter(~pl.col("dcontext").str.starts_with("outbound-"))
    assert records["uniqueid"].n_unique() == records.height
    logged = set(log.filter(pl.col("callid") != "NONE")["callid"])
    assert set(records["uniqueid"]) == logged
    assert set(log.filter(pl.col("event") == "CONNECT")["callid"]) >= set(
        records.filter(pl.col("dstchannel") != "")["uniqueid"]
    )
    timed = records.with_columns(pl.col("start", "end").str.to_datetime("%Y-%m-%d %H:%M:%S"))
    assert ((timed["end"] - timed["start"]).dt.total_seconds() == timed["duration"].cast(pl.Int64)).all()
    assert (timed["duration"].cast(pl.Int64) >= 0).all()


def test_agents_are_in_proportion_to_the_load(clean_company: Company) -> None:
    states = clean_company.read("crm.agent_states").with_columns(
        pl.col("start_time", "end_time").str.to_datetime("%Y/%m/%d %H:%M:%S")
    )
    hours = dict(
        states.group_by("state")
        .agg(((pl.col("end_time") - pl.col("start_time")).dt.total_seconds().sum() / 3600).alias("hours"))
        .iter_rows()
    )
    handling = hours["TALKING"] + hours["WRAPUP"]
    assert 0.3 <= handling / (handling + hours["READY"]) <= 0.95
    ordered = states.sort("agent_no", "start_time").with_columns(
        pl.col("end_time").shift(1).over("agent_no").alias("before")
    )
    assert ordered.filter(pl.col("start_time") < pl.col("before")).height == 0


def test_satisfaction_figures_are_believable(clean_company: Company) -> None:
    answers = clean_company.read("surveys.answers").with_columns(pl.col("value").cast(pl.Int64))
    csat = answers.filter(pl.col("question_id") == "S1")["value"]
    assert 0.70 <= (csat >= 4).mean() <= 0.90
    nps = answers.filter((pl.col("question_id") == "N1") & pl.col("value").is_between(0, 10))["value"]
    score = 100 * ((nps >= 9).mean() - (nps <= 6).mean())  # type: ignore[operator]
    assert 0 <= score <= 50
    rate = clean_company.read("surveys.responses").height / clean_company.read("surveys.invitations").height
    assert 0.10 <= rate <= 0.35
    pairs = (
        answers.filter(pl.col("survey_id") == "SQ01")
        .group_by("response_id")
        .agg(
            pl.col("question_id").str.contains("^E").sum().alias("e"),
            pl.col("question_id").str.contains("^P").sum().alias("p"),
        )
    )
    assert pairs.height and (pairs["e"] == 22).all() and (pairs["p"] == 22).all()


def test_churn_is_believable_and_of_every_type(clean_company: Company) -> None:
    by_type = clean_company.truth["churn"]["by_type"]
    assert all(count > 0 for count in by_type.values())
    share = (
        sum(by_type.values())
        / clean_company.truth["people"]["active_subscriptions"]
        / clean_company.truth["plan"]["months"]
        * 12
    )
    assert 0.06 <= share <= 0.25


def test_the_bad_province_is_bad_in_its_month_only(clean_company: Company) -> None:
    bad = clean_company.truth["bad_province"]
    complaints = clean_company.truth_table("complaints").with_columns(
        (pl.col("opened_at") + pl.duration(hours=8)).dt.strftime("%Y-%m").alias("month"),
        pl.col("unit_code").str.slice(2, 2).alias("province"),
    )
    counts = complaints.filter(pl.col("province") == bad["unit_code"][2:]).group_by("month").len().sort("month")
    worst = counts.sort("len", descending=True)["month"][0]
    assert worst == bad["first_day"][:7]
    others = counts.filter(pl.col("month") != worst)["len"]
    assert counts["len"].max() > others.mean() + 3 * others.mean() ** 0.5  # type: ignore[operator]


def test_the_action_works_in_its_scope_and_the_burst_is_where_it_is(clean_company: Company) -> None:
    truth = clean_company.truth
    complaints = clean_company.truth_table("complaints")
    burst = complaints.filter(pl.col("in_burst"))
    assert burst.height == truth["burst"]["complaints"] > 0
    assert burst["unit_code"].str.starts_with("C-" + truth["burst"]["unit_code"][2:]).all()
    assert burst["root_cause"].unique().to_list() == [truth["burst"]["root_cause"]]
    local = burst.select(pl.col("opened_at") + pl.duration(hours=8))["opened_at"]
    assert str(local.min())[:10] == truth["burst"]["first_day"]


def test_keys_fit_across_the_files(clean_company: Company) -> None:
    read = clean_company.read
    tickets = read("zendesk.tickets")
    ids = set(tickets["id"])
    users = set(read("zendesk.users")["id"])
    comments = read("zendesk.ticket_comments")
    assert comments["id"].n_unique() == comments.height
    assert set(comments["ticket_id"]) <= ids
    assert set(tickets["requester_id"]) <= users
    assert set(comments["user_id"]) - {"-1"} <= users
    assert set(tickets["assignee_id"].drop_nulls()) <= users
    history = read("zendesk.ticket_field_history")
    assert set(history["ticket_id"]) <= ids
    assert history.select("ticket_id", "field_name", "updated").n_unique() == history.height
    agents = set(read("crm.agents", newest=True)["agent_no"])
    assert {f"A{int(user) - 7_000_000_000:05d}" for user in tickets["assignee_id"].drop_nulls()} <= agents
    customers = set(read("crm.customers", newest=True)["客户编号"])
    assert set(read("crm.customer_identifiers")["customer_no"]) <= customers
    contracts = read("billing.subscriptions", newest=True)
    assert contracts["subscription_no"].n_unique() == contracts.height
    accounts = set(read("billing.account_parties")["account_no"])
    assert set(contracts["account_no"]) <= accounts
    charges = read("billing.charges")
    assert set(charges["account_no"]) <= accounts
    payments = read("billing.payments")
    assert payments["payment_no"].n_unique() == payments.height
    assert set(payments["charge_no"]) <= set(charges["charge_no"])
    responses = read("surveys.responses")
    assert set(responses["invitation_id"].drop_nulls()) <= set(read("surveys.invitations")["invitation_id"])
    assert set(read("surveys.answers")["response_id"]) <= set(responses["response_id"])
    assert set(read("crm.commitments")["about_id"].drop_nulls()) <= ids


def test_ticket_versions_tell_the_story_of_the_history(clean_company: Company) -> None:
    """The newest version of a ticket has the status that its history ends with; none is from before it was made."""
    tickets = clean_company.read("zendesk.tickets")
    assert tickets.select("id", "updated_at").n_unique() == tickets.height
    assert (tickets["updated_at"] >= tickets["created_at"]).all()
    newest = tickets.sort("updated_at").group_by("id").last().select("id", "status")
    history = (
        clean_company.read("zendesk.ticket_field_history")
        .filter(pl.col("field_name") == "status")
        .with_row_index("order")
        .sort("updated", "order")
        .group_by("ticket_id")
        .last()
    )
    joined = newest.join(history, left_on="id", right_on="ticket_id", how="left")
    assert joined["value"].null_count() == 0
    assert (joined["status"] == joined["value"]).all()
    closed = tickets["status"].value_counts()
    assert {"open", "solved", "closed", "deleted"} <= set(closed["status"])


def test_random_streams_do_not_disturb_each_other() -> None:
    from datetime import date

    plan = Plan(seed=1, customers=100, months=2, start=date(2026, 1, 1))
    first = plan.rng("a", 1).random(3).tolist()
    plan.rng("b", 1).random(100)
    assert plan.rng("a", 1).random(3).tolist() == first
    assert plan.rng("a", 2).random(3).tolist() != first
