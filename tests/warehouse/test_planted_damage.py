"""Every damage that the built-in company plants meets the fate that its truth names, and nothing else is quarantined.

This is the test behind docs/bad-input.md: a company is generated with its planted damage, loaded and built up to the feeds, and each entry
of `planted` in truth.json is looked up in the feed of its table (or in the load report, for whole files).
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from orchestration import warehouse
from orchestration.demo import generate
from orchestration.settings import PROJECT_ROOT, Settings
from orchestration.sources.declarations import load_declarations
from orchestration.sources.files import LoadReport, load_inbox

# Feed of each table with planted rows, and the planted key in its columns.
KEYS = {
    "asterisk.cdr": ("calls", "call_id"),
    "asterisk.queue_log": ("call_events", "call_id"),
    "billing.charges": ("transactions", "transaction_id"),
    "billing.parties": ("customers", "customer_id"),
    "billing.payments": ("transactions", "transaction_id"),
    "billing.subscriptions": ("subscriptions", "subscription_id"),
    "crm.agent_states": ("agent_states", "agent_state_id"),
    "crm.commitments": ("commitments", "commitment_id"),
    "crm.customer_identifiers": (
        "customer_identifiers",
        "concat(customer_id, '|', coalesce(nullif(upper(identifier_kind), 'PHONE'), 'MOBILE'), '|', identifier_value)",
    ),
    "crm.customers": ("customers", "customer_id"),
    "crm.quality_reviews": ("qa_reviews", "review_id"),
    "retention.dunning": ("customer_actions", "action_id"),
    "surveys.answers": ("survey_answers", "concat(response_id, '|', question_id)"),
    "surveys.invitations": ("survey_invitations", "invitation_id"),
    "surveys.responses": ("survey_responses", "response_id"),
    "zendesk.organizations": ("customers", "customer_id"),
    "zendesk.ticket_comments": ("ticket_events", "substr(ticket_event_id, 2)"),
    "zendesk.tickets": ("tickets", "coalesce(ticket_id, '')"),
    "zendesk.users": ("customers", "customer_id"),
}
# One of the five items of a planted review is too high; the other four are used.
PARTLY = {("above_maximum", "crm.quality_reviews"): {"quarantined": 1, "used": 4}}


@dataclass(frozen=True)
class Built:
    """A built warehouse, the report of its load and what was planted."""

    connection: duckdb.DuckDBPyConnection
    report: LoadReport
    planted: list[dict[str, Any]]

    def rows(self, item: dict[str, Any]) -> list[tuple[str, tuple[str, ...], tuple[str, ...], tuple[int, int]]]:
        """Fate, reasons, flags and place of the feed rows of one planted item."""
        feed, key = KEYS[f"{item['source']}.{item['table']}"]
        chosen = "true" if item["key"] is None else f"{key} = ?"
        found = self.connection.execute(
            f"select _status, _reasons, _flags, rows._file_id, _record_number from warehouse.intermediate.int_{feed} as rows"
            " inner join raw.raw_meta.files as files on rows._file_id = files.file_id"
            f" where rows.source = ? and _table = ? and files.file_name = ? and {chosen}",
            [item["source"], item["table"], Path(item["file"]).name, *([] if item["key"] is None else [item["key"]])],
        ).fetchall()
        return [(row[0], tuple(row[1]), tuple(row[2]), (row[3], row[4])) for row in found]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    # Nine months to April hold both of New York's clock changes.
    made = generate(settings.inbox, customers=120, months=9, end=date(2026, 4, 12))
    project = yaml.safe_load((PROJECT_ROOT / "dbt_project" / "dbt_project.yml").read_text(encoding="utf-8"))
    report = load_inbox(settings, load_declarations(list(project["vars"]["sources"])), "load-1")
    done = subprocess.run(
        [str(warehouse.DBT_EXECUTABLE), "run", "--select", "staging", "intermediate.feeds", *warehouse.dbt_flags(settings)],
        env=warehouse.dbt_environment(settings), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    with duckdb.connect(":memory:") as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute(f"attach '{settings.raw_path}' as raw (read_only)")
        connection.execute(f"attach '{settings.warehouse_path}' as warehouse (read_only)")
        yield Built(connection, report, json.loads(made.truth_path.read_text(encoding="utf-8"))["planted"])


def test_the_company_plants_every_kind(built: Built) -> None:
    assert {item["kind"] for item in built.planted} >= {
        "impossible_date", "future_time", "unknown_code", "formula_text", "script_text", "duplicate_key", "missing_value", "orphan_key",
        "end_before_start", "text_in_number", "wrong_decimal", "out_of_scale", "above_maximum", "dst_gap", "dst_overlap", "wrong_encoding",
        "renamed_column", "missing_column", "extra_column", "duplicate_column", "missing_required_column", "header_only", "empty_file",
        "repeated_file", "ragged_line", "broken_quote", "over_long_line", "undecodable_bytes", "broken_json", "compressed_file",
    }  # fmt: skip


def test_each_planted_row_meets_its_fate(built: Built) -> None:
    wrong = []
    for item in built.planted:
        if item["key"] is None:
            continue
        statuses = [row[0] for row in built.rows(item)]
        partly = PARTLY.get((item["kind"], f"{item['source']}.{item['table']}"))
        if partly is not None:
            fits = {status: statuses.count(status) for status in set(statuses)} == partly
        elif item["kind"] == "duplicate_key":
            fits = sorted(statuses) == ["superseded", "used"]
        else:
            # Rows without a key share the empty one.
            fits = set(statuses) == {item["fate"]} and (item["key"] == "" or len(statuses) == 1)
        if not fits:
            wrong.append((item["kind"], item["source"], item["table"], item["key"], item["fate"], statuses))
    assert wrong == []


def test_each_planted_file_meets_its_fate(built: Built) -> None:
    results = {(result.source, result.file): result for result in built.report.files}
    for item in built.planted:
        if item["key"] is not None:
            continue
        result = results[(item["source"], Path(item["file"]).name)]
        statuses = [row[0] for row in built.rows(item)]
        case = f"{item['kind']} in {item['file']}: {result}"
        if item["fate"] in ("refused", "skipped"):
            assert result.status == item["fate"], case
            assert statuses == [], case
            assert result.message or item["fate"] == "skipped", case
        elif item["fate"] == "unreadable":
            assert result.status == "loaded" and result.damaged == item["rows"], case
            damaged = [row for row in built.rows(item) if row[1] == ("record:damaged",)]
            assert len(damaged) == item["rows"] and statuses.count("used") == result.rows - item["rows"], case
        elif item["rows"] == 0:
            assert statuses == [] and result.rows == 0, case
        else:
            assert result.status == "loaded" and result.rows == item["rows"], case
            assert statuses == ["used"] * item["rows"], case


def test_the_reasons_say_what_is_wrong(built: Built) -> None:
    kinds = {
        "impossible_date": ":invalid", "future_time": ":in_future", "text_in_number": ":invalid", "wrong_decimal": ":invalid", "missing_value": ":missing",
        "end_before_start": "rule:", "above_maximum": "rule:score_over_max", "out_of_scale": "rule:answer_outside_scale", "dst_gap": ":nonexistent_local_time",
    }  # fmt: skip
    for item in built.planted:
        if item["kind"] in kinds and item["key"]:
            reasons = {reason for row in built.rows(item) for reason in row[1]}
            assert len(reasons) == 1 and kinds[item["kind"]] in reasons.pop(), item
    flagged = [row[2] for item in built.planted if item["kind"] == "dst_overlap" for row in built.rows(item)]
    assert flagged and all(flags and all(flag.endswith(":ambiguous_local_time") for flag in flags) for flags in flagged)
    unknown = [
        row
        for item in built.planted
        if item["kind"] == "unknown_code" and item["fate"] == "used"
        for row in built.rows(item)
    ]
    assert unknown and all(row[2] and row[2][0].endswith(":unknown_value") for row in unknown)


def test_nothing_else_is_quarantined(built: Built) -> None:
    planted = {(item["source"], item["table"], *row[3]) for item in built.planted for row in built.rows(item)}
    newest = {item["key"] for item in built.planted if "every snapshot" in (item["note"] or "")}
    for feed, key in sorted(set(KEYS.values())):
        rows = built.connection.execute(
            f"select source, _table, _file_id, _record_number, {key}, _reasons from warehouse.intermediate.int_{feed} where _status = 'quarantined'"
        ).fetchall()
        innocent = [row for row in rows if row[:4] not in planted and row[4] not in newest]
        assert innocent == [], feed


def test_formulas_and_scripts_stay_text(built: Built) -> None:
    names = [
        row[0]
        for row in built.connection.execute(
            "select customer_name from warehouse.intermediate.int_customers where _status = 'used'"
        ).fetchall()
    ]
    assert any(name and name.startswith("=HYPERLINK(") for name in names)
    assert any(name and name.startswith("<script>") for name in names)
