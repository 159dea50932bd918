"""Files of tables, rows behind numbers, the SQL box, the customer page and the lists of customers, on the built-in company."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest
from flask.testing import FlaskClient

from dashboards import shell
from dashboards.app import create_app
from dashboards.components.download import collecting
from dashboards.data import customer_lists, files, rows
from dashboards.data.metrics import Filters, MetricError, catalogue, metric_frame, metric_value
from dashboards.data.snapshot import Snapshot, SnapshotStore
from dashboards.data.sql import QueryError, query_apart
from dashboards.figures.heat import cohort_figure
from dashboards.i18n import translator
from dashboards.pages import PAGES, explore
from tests.dashboards.test_pages import as_json, texts

PERIOD = Filters(start=date(2026, 7, 1), end=date(2026, 9, 30))
SEARCH = "?period=custom&from=2026-07-01&to=2026-09-30&compare=none"


@pytest.fixture(scope="module")
def store(demo_home: Path) -> Iterator[SnapshotStore]:
    found = SnapshotStore(demo_home / "serving")
    yield found
    found.close()


@pytest.fixture(scope="module")
def snapshot(store: SnapshotStore) -> Snapshot:
    return store.current()


@pytest.fixture(scope="module")
def client(demo_home: Path) -> FlaskClient:
    return create_app(demo_home / "serving").server.test_client()


# Files


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "  =1", "＝1+1", "-", "+a", "=", "\ufeff=1"],
)
def test_a_text_like_a_formula_gets_an_apostrophe(text: str) -> None:
    assert files.neutral(text) == "'" + text


@pytest.mark.parametrize("text", ["", "-3.5", "+12%", "-1,234.50", "a=1", "1-2", "投诉", "<b>", "'=1", "2026-09-30"])
def test_other_texts_and_numbers_stay(text: str) -> None:
    assert files.neutral(text) == text


def test_files_hold_numbers_as_numbers_and_no_formula() -> None:
    frame = pl.DataFrame(
        {
            "=name": ["=1+1", "好", None, "a\x01b"],
            "value": [-1.5, 2.0, None, float("nan")],
            "n": [-1, 2, 3, 4],
            "day": [date(2026, 9, 30)] * 4,
            "list": [["=1"], ["a", "b"], None, []],
        }
    )
    text = files.table_file(frame, "csv").decode("utf-8-sig")
    assert text.splitlines()[:2] == ["'=name,value,n,day,list", "'=1+1,-1.5,-1,2026-09-30,['=1']"]
    sheet = openpyxl.load_workbook(io.BytesIO(files.table_file(frame, "xlsx", "a/b: [c]"))).active
    assert sheet is not None
    first = [cell for cell in next(sheet.iter_rows(min_row=2, max_row=2))]
    assert [cell.data_type for cell in first[:3]] == ["s", "n", "n"]
    assert [cell.value for cell in first[:3]] == ["'=1+1", -1.5, -1]
    assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)
    assert sheet["A5"].value == "ab" and sheet["B5"].value is None
    assert pl.read_parquet(files.table_file(frame, "parquet")).drop("value").equals(frame.drop("value"))
    with pytest.raises(ValueError, match="no format"):
        files.table_file(frame, "exe")
    assert files.file_name("../投诉: a/b", date(2026, 9, 30), "csv") == "投诉-a-b-2026-09-30.csv"


@pytest.mark.parametrize("page", [page for page in PAGES if page.key not in ("customer", "rows")], ids=lambda p: p.key)
def test_every_table_on_offer_can_be_had_in_every_format(store: SnapshotStore, page: Any) -> None:
    for tab in ("", "&tab=churn") if page.key == "customers" else ("",):
        with collecting() as offers:
            drawn = json.dumps(as_json(shell.render(store, page.path, SEARCH + tab, "zh")["content"]))
        assert offers or page.key == "overview" or "data-export" not in drawn
        for key, offer in offers.items():
            assert f'"data-export": "{key}"' in drawn, "nothing on the page leads to it"
            frame = offer.make()
            for kind in files.MEDIA_TYPES:
                assert files.table_file(frame, kind, offer.title)
            assert pl.read_parquet(files.table_file(frame, "parquet")).height == frame.height


def ask(client: FlaskClient, output: str, inputs: list[tuple[str, str, Any]], state: list[tuple[str, str, Any]]) -> Any:
    """Call a callback as the browser does."""

    def values(listed: list[tuple[str, str, Any]]) -> list[dict[str, Any]]:
        return [{"id": name, "property": prop, "value": value} for name, prop, value in listed]

    outputs: Any = [
        {"id": one.rpartition(".")[0], "property": one.rpartition(".")[2]} for one in output.strip(".").split("...")
    ]
    body = {
        "output": output,
        "outputs": outputs if output.startswith("..") else outputs[0],
        "inputs": values(inputs),
        "state": values(state),
        "changedPropIds": [f"{inputs[0][0]}.{inputs[0][1]}"],
    }
    answer = client.post("/_dash-update-component", json=body)
    return answer.get_json()["response"] if answer.status_code == 200 else answer.status_code


def asked_file(client: FlaskClient, key: str, kind: str, path: str, search: str) -> Any:
    return ask(
        client,
        "file.data",
        [("file-asked", "data", {"key": key, "kind": kind, "at": 1})],
        [("url", "pathname", path), ("url", "search", search), ("language", "data", "en")],
    )


def test_the_file_of_a_chart_holds_the_numbers_of_the_compiler(client: FlaskClient, snapshot: Snapshot) -> None:
    found = asked_file(client, "by-tickets_created-channel".replace("_", "-"), "parquet", "/tickets", SEARCH)
    if found == 204:
        found = asked_file(
            client, "explore-chart", "parquet", "/explore", f"{SEARCH}&metric=tickets_created&by=channel&grain=none"
        )
    data = found["file"]["data"]
    frame = pl.read_parquet(base64.b64decode(data["content"]))
    expected = metric_frame(snapshot, ["tickets_created"], by=["channel"], filters=PERIOD)
    assert dict(frame.select("channel", "value").iter_rows()) == dict(expected.select("channel", "value").iter_rows())
    assert data["filename"].endswith(".parquet") and "/" not in data["filename"]


@pytest.mark.parametrize(("key", "kind"), [("no-such-grid", "csv"), ("explore-grid", "exe"), ("../x", "xlsx")])
def test_what_a_page_does_not_offer_is_not_given(client: FlaskClient, key: str, kind: str) -> None:
    assert asked_file(client, key, kind, "/explore", SEARCH) == 204


# Rows behind a number


def test_the_rows_behind_a_number_add_up_to_it(snapshot: Snapshot) -> None:
    compared = 0
    for name, metric in list(catalogue(snapshot).items())[::7]:
        for part in rows.shown_parts(metric):
            found = rows.rows_behind(snapshot, name, PERIOD, part=part.name, limit=20)
            assert found.frame.height == min(found.total, 20)
            assert "row_unit_id" not in found.frame.columns
            if found.added is None or part.name not in ("value", "numerator", "denominator"):
                continue
            value = metric_value(snapshot, name, PERIOD)
            shown = {"value": value.value, "numerator": value.numerator, "denominator": value.denominator}[part.name]
            assert found.added == pytest.approx(shown or 0.0), (name, part.name)
            compared += 1
    assert compared > 50


def test_rows_are_those_of_the_units_a_reader_may_see(snapshot: Snapshot) -> None:
    (unit,) = snapshot.rows(
        "select org_unit_id from fct_tickets where org_unit_id like 'C-%' group by 1 order by count(*) desc, 1 limit 1"
    )
    mine = Filters(visible_units=frozenset({unit["org_unit_id"]}))
    found = rows.rows_behind(snapshot, "tickets_created", mine, limit=10_000)
    whole = rows.rows_behind(snapshot, "tickets_created", Filters(), limit=10_000)
    assert 0 < found.total < whole.total
    below = {row["org_unit_id"] for row in snapshot.rows("select org_unit_id from dim_org_units where list_contains(string_split(path, '/'), ?)", [unit["org_unit_id"]])} | {unit["org_unit_id"]}  # fmt: skip
    assert set(found.frame["org_unit_id"].to_list()) <= below
    assert found.total == metric_value(snapshot, "tickets_created", mine).value


def test_a_metric_of_metrics_has_no_rows_and_says_so(store: SnapshotStore, snapshot: Snapshot) -> None:
    derived = next(name for name, metric in catalogue(snapshot).items() if metric.type == "derived")
    with pytest.raises(MetricError, match="arithmetic"):
        rows.rows_behind(snapshot, derived, PERIOD)
    shown = as_json(shell.render(store, "/rows", f"{SEARCH}&metric={derived}", "en")["content"])
    assert "/rows?" in json.dumps(shown)


def test_the_page_of_rows_states_how_many_there_are(store: SnapshotStore, snapshot: Snapshot) -> None:
    found = rows.rows_behind(snapshot, "tickets_created", PERIOD)
    shown = " ".join(texts(as_json(shell.render(store, "/rows", f"{SEARCH}&metric=tickets_created", "en")["content"])))
    t = translator("en")
    assert f"of {t.integer(found.total)} rows of fct_tickets" in shown
    nonsense = as_json(shell.render(store, "/rows", "?metric='; drop table x&part=nonsense", "en")["content"])
    assert nonsense["props"].get("role") != "alert"


# SQL


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_csv('/etc/hostname')",
        "select * from read_text('/etc/hostname')",
        "select * from glob('/*')",
        "from '/etc/hostname.csv'",
        "attach '/tmp/other.duckdb'",
        "copy (select 1) to '/tmp/stolen.csv'",
        "install httpfs",
        "load httpfs",
        "set memory_limit = '8GB'",
        "create table t as select 1",
        "delete from fct_tickets",
        "drop table fct_tickets",
        "select 1; select 2",
        "select * from force_checkpoint()",
        "call enable_logging()",
        "select * from read_parquet('https://example.org/a.parquet')",
        "select getenv('HOME')",
    ],
)
def test_the_box_reads_the_snapshot_and_nothing_else(snapshot: Snapshot, sql: str) -> None:
    with pytest.raises(QueryError) as refused:
        query_apart(snapshot, sql)
    assert refused.value.problem in ("refused", "wrong")
    t = translator("zh")
    (shown,) = explore.sql_answer(snapshot, t, sql)
    assert t(f"sql.problem.{refused.value.problem}") in list(texts(as_json(shown)))


def test_time_memory_rows_and_places_are_limited(snapshot: Snapshot) -> None:
    with pytest.raises(QueryError) as slow:
        query_apart(snapshot, "select sum(a.range * b.range) from range(300000) a, range(300000) b", timeout=0.3)
    with pytest.raises(QueryError) as large:
        query_apart(snapshot, "select list(i) from range(100000000) t(i)", memory_limit="100MB")
    with pytest.raises(QueryError) as longer:
        query_apart(snapshot, "select 1 --" + "x" * 30_000)
    assert [one.value.problem for one in (slow, large, longer)] == ["slow", "memory", "refused"]
    assert query_apart(snapshot, "select * from range(100)", max_rows=7).height == 7
    # A failed query gives its place back.
    assert [query_apart(snapshot, "select 1 as x").item() for _ in range(5)] == [1] * 5
    shown = list(texts(as_json(explore.sql_answer(snapshot, translator("en"), "select i from range(2000) t(i)"))))
    assert "The first 1,000 rows; there are more." in shown


def test_the_box_answers_through_its_callback(client: FlaskClient, snapshot: Snapshot) -> None:
    sql = "select channel, count(*) as n, '=1+1' as text from fct_tickets group by all order by n desc, 1"
    found = ask(
        client,
        "sql-answer.children",
        [("sql-run", "n_clicks", 1)],
        [("sql-text", "value", sql), ("language", "data", "en")],
    )
    grid = json.dumps(found)
    (top,) = snapshot.rows("select count(*) as n from fct_tickets group by channel order by n desc, channel limit 1")
    assert f'"c1": {float(top["n"])}' in grid
    assert '"=1+1"' in grid, "on the screen a text is shown as it is"


# One customer


@pytest.fixture(scope="module")
def busiest(snapshot: Snapshot) -> str:
    (row,) = snapshot.rows(
        "select customer_key from fct_contacts where customer_key is not null group by 1 order by count(*) desc, 1 limit 1"
    )
    return str(row["customer_key"])


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_customer_page_shows_the_file(
    store: SnapshotStore, snapshot: Snapshot, busiest: str, language: str
) -> None:
    (link,) = snapshot.rows(
        "select source, customer_id from dim_customer_links where customer_key = ? order by 1, 2 limit 1", [busiest]
    )
    by_key = as_json(shell.render(store, "/customer", f"?who={busiest}", language)["content"])
    by_id = as_json(
        shell.render(store, "/customer", f"?who={link['source']}:{link['customer_id']}", language)["content"]
    )
    shown = list(texts(by_key))
    assert busiest in shown and busiest in list(texts(by_id))
    t = translator(language)
    for title in ("customer.first", "customer.open_points", "customer.timeline"):
        assert t(title) in shown
    still_open = snapshot.rows("select count(*) as n from fct_tickets where customer_key = ? and not is_solved and exclusion_kind is null", [busiest])[0]["n"]  # fmt: skip
    grids = {node["props"]["id"]: node["props"]["rowData"] for node in _nodes(by_key) if node.get("type") == "AgGrid"}
    assert sum(row["part"] == t("customer.part.tickets") for row in grids.get("customer-open", [])) == still_open
    assert grids["customer-timeline"] == sorted(
        grids["customer-timeline"], key=lambda row: row["at"][:10], reverse=True
    )


def _nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, list):
        for child in node:
            yield from _nodes(child)
    elif isinstance(node, dict):
        yield node
        for child in node.values():
            yield from _nodes(child)


@pytest.mark.parametrize(
    ("who", "problem"),
    [
        ("ffffffffff", "unknown_key"),
        ("crm:nobody", "unknown_id"),
        ("<script>alert(1)</script>", "malformed"),
        ("ab", "malformed"),
    ],
)
def test_who_is_not_found_is_said(store: SnapshotStore, who: str, problem: str) -> None:
    t = translator("zh")
    shown = list(texts(as_json(shell.render(store, "/customer", f"?who={who}", "zh")["content"])))
    assert t(f"customer.problem.{problem}", who=who) in shown


# Lists


def test_the_bridge_leads_from_start_to_end(snapshot: Snapshot) -> None:
    for filters in (PERIOD, Filters(units=("P-JS",)), Filters(customer_kinds=("household",))):
        found = customer_lists.retention_bridge(snapshot, filters)
        assert found is not None and found.unexplained == pytest.approx(0.0, abs=0.005)
    part = customer_lists.retention_bridge(snapshot, Filters(start=date(2026, 9, 2), end=date(2026, 9, 29)))
    assert part is None, "a month that is cut is no whole month"


def test_the_risk_list_is_of_the_scored_customers(snapshot: Snapshot) -> None:
    listed, total = customer_lists.risk_list(snapshot, Filters(), limit=20)
    without = sum(row["customers"] for row in customer_lists.not_scored(snapshot, Filters()))
    (counted,) = snapshot.rows(
        "select count(*) as customers, count(churn_probability) as scored from fct_customer_risk"
    )
    assert (total, total + without) == (counted["scored"], counted["customers"])
    worth = [row["value_at_risk"] for row in listed if row["value_at_risk"] is not None]
    assert worth == sorted(worth, reverse=True)
    (unit,) = snapshot.rows(
        "select org_unit_id from fct_customer_risk where org_unit_id like 'C-%' group by 1 order by count(*) desc, 1 limit 1"
    )
    seen = Filters(visible_units=frozenset({unit["org_unit_id"]}))
    own, _ = customer_lists.risk_list(snapshot, seen, limit=100_000)
    assert {row["org_unit_id"] for row in own} <= {unit["org_unit_id"]}
    fewer = sum(row["customers"] for row in customer_lists.not_scored(snapshot, seen)) + len(own)
    assert 0 < fewer < counted["customers"]


def test_a_month_of_a_cohort_that_is_not_over_is_unknown_and_not_empty(snapshot: Snapshot) -> None:
    frame = customer_lists.cohorts(snapshot, Filters(), most=3)
    assert frame["cohort_on"].n_unique() <= 3
    unknown = frame.filter(~pl.col("is_complete"))
    assert unknown.height > 0 and unknown["active"].null_count() == unknown.height
    mixed = pl.DataFrame(
        {"cohort_on": [date(2026, 8, 1)] * 3, "age_months": [0, 1, 2], "joined": [4, 4, 4], "active": [4, 3, None]},
        schema_overrides={"active": pl.Int64},
    )
    censored, known = cohort_figure(translator("en"), mixed).data
    assert [list(line) for line in censored.z] == [[None, None, 1]]
    assert [list(line) for line in known.z] == [[100.0, 75.0, None]]
    assert "not over yet" in censored.hovertext[0][2]
