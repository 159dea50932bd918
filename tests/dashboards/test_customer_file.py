"""The history file of a customer says what the facts say, in both languages, on the built-in company."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from dashboards.data import customers
from dashboards.data.snapshot import Snapshot, open_snapshot, published_path
from dashboards.i18n import translator
from tests.conftest import csatlas

COUNTED = {
    "tickets": "select created_at as happened_at from fct_tickets where customer_key = ? and exclusion_kind is null",
    "calls": "select started_at as happened_at from fct_calls where customer_key = ? and is_in_base",
    "messages": "select started_at as happened_at from fct_messages where customer_key = ?",
    "surveys": "select responded_at as happened_at from fct_survey_responses where customer_key = ?",
}


@pytest.fixture(scope="module")
def snapshot(demo_home: Path) -> Snapshot:
    return open_snapshot(published_path(demo_home / "serving"))


@pytest.fixture(scope="module")
def busiest(snapshot: Snapshot) -> str:
    """The customer with a complaint, an answer and most contacts."""
    (row,) = snapshot.rows(
        "select customer_key from fct_contacts where customer_key in (select customer_key from fct_tickets where is_complaint)"
        " and customer_key in (select customer_key from fct_survey_answers where is_csat) group by 1 order by count(*) desc, 1 limit 1"
    )
    return str(row["customer_key"])


def test_every_entry_is_a_row_and_every_row_an_entry(snapshot: Snapshot, busiest: str) -> None:
    for part, sql in COUNTED.items():
        file = customers.customer_file(snapshot, busiest, limit=100_000, parts=[part])
        expected = sorted(row["happened_at"] for row in snapshot.rows(sql, [busiest]))
        assert sorted(entry["happened_at"] for entry in file.entries) == expected, part
        assert file.total == len(expected)


def test_entries_are_the_newest_in_order(snapshot: Snapshot, busiest: str) -> None:
    whole = customers.customer_file(snapshot, busiest, limit=100_000)
    few = customers.customer_file(snapshot, busiest, limit=5)
    assert len(few.entries) == 5 and few.total == whole.total == len(whole.entries) > 5
    assert few.entries == whole.entries[:5]
    moments = [entry["happened_at"] for entry in whole.entries]
    assert moments == sorted(moments, reverse=True)
    assert few.summary == whole.summary, "the summary depends on how much is listed"
    day = moments[len(moments) // 2].date()
    late = customers.customer_file(snapshot, busiest, limit=100_000, since=day)
    assert late.total == sum(moment.date() >= day for moment in moments)


def test_the_summary_is_counted_from_the_facts(snapshot: Snapshot, busiest: str) -> None:
    facts = customers.customer_file(snapshot, busiest).summary
    tickets = snapshot.frame("select * from fct_tickets where customer_key = ? and exclusion_kind is null", [busiest])
    complaints = tickets.filter("is_complaint").sort("created_at")
    assert facts["open_tickets"] == tickets.filter(~pl.col("is_solved")).height
    assert facts["complaints_year"] == complaints.height > 0
    assert facts["is_last_complaint_solved"] == complaints["is_solved"][-1]
    contracts = snapshot.frame("select * from fct_subscriptions where customer_key = ?", [busiest])
    running = contracts.filter(pl.col("ended_on").is_null())
    assert facts["contracts_running"] == running.height
    assert float(facts["monthly_fee"] or 0) == pytest.approx(float(running["monthly_fee"].sum() or 0))
    answers = snapshot.frame("select * from fct_survey_answers where customer_key = ? and is_csat", [busiest])
    assert facts["last_csat"] == answers.sort("responded_at")["answer_value"][-1]
    assert (
        facts["contacts_year"] == snapshot.frame("select 1 from fct_contacts where customer_key = ?", [busiest]).height
    )


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_customer_has_words(snapshot: Snapshot, language: str) -> None:
    """No sentence and no entry of any of them lacks a word or a value."""
    t = translator(language)
    words = customers.Words(snapshot, t)
    keys = [row["customer_key"] for row in snapshot.rows("select customer_key from dim_customers order by 1 limit 60")]
    said = []
    for key in keys:
        file = customers.customer_file(snapshot, key, limit=30)
        lines = [customers.entry_words(entry, words, t) for entry in file.entries]
        assert all(line.strip(" ·") and "None" not in line and "{" not in line for line in lines)
        said += customers.sentences(file, words, t)
    assert said and all("None" not in sentence and "{" not in sentence for sentence in said)
    assert any("\u4e00" <= character <= "\u9fff" for character in "".join(said)) == (language == "zh")


def test_nobody_is_named(snapshot: Snapshot, demo_home: Path, busiest: str) -> None:
    """The file holds no name, e-mail address or telephone number of the customer."""
    import duckdb

    with duckdb.connect(str(demo_home / "warehouse.duckdb"), read_only=True) as warehouse:
        private = {
            value
            for row in warehouse.execute(
                "select i.identifier_value from intermediate.int_customer_identifiers as i inner join marts.dim_customer_links as l"
                " on i.source = l.source and i.customer_id = l.customer_id where l.customer_key = ? and identifier_kind in ('phone', 'email')"
                " union select customer_name from intermediate.int_customer_identities where customer_key = ?",
                [busiest, busiest],
            ).fetchall()
            for value in row
            if value
        }
    assert private
    written = json.dumps(
        customers.customer_file(snapshot, busiest, limit=100_000).as_dict(), default=str, ensure_ascii=False
    )
    assert not [value for value in private if value in written]


def test_who_is_meant(snapshot: Snapshot, busiest: str) -> None:
    (link,) = snapshot.rows(
        "select source, customer_id from dim_customer_links where customer_key = ? order by 1, 2 limit 1", [busiest]
    )
    assert customers.find_customer(snapshot, busiest) == busiest
    assert customers.find_customer(snapshot, f"{busiest[:20]}") == busiest
    assert customers.find_customer(snapshot, f"{link['source']}:{link['customer_id']}") == busiest
    for wanted, word in (
        ("abc", "first 6 characters"),
        ("crm:nobody", "no customer 'nobody'"),
        ("'; drop table x", "neither"),
        ("0" * 32, "begins with"),
    ):
        with pytest.raises(customers.CustomerError, match=word):
            customers.find_customer(snapshot, wanted)
    with pytest.raises(customers.CustomerError, match="there are tickets"):
        customers.customer_file(snapshot, busiest, parts=["dreams"])


def test_what_the_snapshot_lacks_is_named(snapshot: Snapshot, busiest: str, monkeypatch: pytest.MonkeyPatch) -> None:
    there = customers._tables(snapshot)
    monkeypatch.setattr(customers, "_tables", lambda _: there - {"fct_calls"})
    file = customers.customer_file(snapshot, busiest)
    assert file.missing == ("calls",)
    assert not [entry for entry in file.entries if entry["part"] == "calls"]


def test_the_command_prints_the_file(demo_home: Path, busiest: str) -> None:
    printed = csatlas(demo_home, "show", "customer", busiest, "--lang", "zh", "--entries", "3")
    assert printed.returncode == 0, printed.stderr
    assert f"客户 {busiest}" in printed.stdout and "条，显示最新3条" in printed.stdout
    machine = csatlas(demo_home, "show", "customer", busiest, "--json")
    found = json.loads(machine.stdout)
    assert found["customer_key"] == busiest and found["sentences"] and len(found["entries"]) <= 40
    refused = csatlas(demo_home, "show", "customer", "crm:nobody")
    assert refused.returncode == 2 and "crm has no customer 'nobody'" in refused.stderr


def test_coverage_is_counted_from_the_marts(snapshot: Snapshot) -> None:
    parts = snapshot.frame("select * from fct_customer_file_parts")
    alive = snapshot.frame("select customer_key from dim_customers where not is_gone")
    by_part = parts.group_by("part").agg(pl.col("customers").sum(), pl.col("customers_with").sum())
    assert set(by_part["customers"]) == {alive.height}
    called = snapshot.frame("select distinct customer_key from fct_contacts where contact_kind = 'call'").join(
        alive, on="customer_key"
    )
    assert by_part.filter(pl.col("part") == "calls")["customers_with"].item() == called.height > 0
