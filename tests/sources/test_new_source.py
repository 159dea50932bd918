"""`csatlas source new`: the draft that is written from a sample loads and builds, its doubts are said, and it refuses cleanly."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import shutil
import subprocess
from datetime import datetime
from pathlib import Path

import duckdb
import openpyxl
import pytest
import yaml

from orchestration import warehouse
from orchestration.settings import PROJECT_ROOT, Settings
from orchestration.sources.declarations import TableDeclaration, load_declarations, read_declaration
from orchestration.sources.files import load_inbox
from orchestration.sources.new_source import CreatedSource, NewSourceError, create_source
from orchestration.sources.vocabulary import words

CASES = re.search(
    r"```csv\n(.*?)```", (PROJECT_ROOT / "docs" / "your-own-data.md").read_text(encoding="utf-8"), re.DOTALL
)[1]  # type: ignore[index]
CHINESE = (
    "工单号,客户编号,渠道,工单类型,状态,优先级,创建时间,结单时间,坐席工号,营业厅,内容,更新时间,神秘字段\n"
    "T1,C1,电话,投诉,已关闭,普通,2026/01/02 09:15:00,2026/01/02 11:00:00,1001,南京,宽带断线,2026/01/02 11:00:00,x\n"
    "T2,C2,微信,咨询,处理中,紧急,2026/01/03 10:00:00,,1002,苏州,套餐咨询,2026/01/03 10:00:00,y\n"
    "T3,C3,飞鸽,报修,处理中,普通,2026/01/04 12:30:00,,1001,南京,无信号,2026/01/04 12:30:00,z\n"
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of everything that `create_source` reads and writes."""
    root = tmp_path / "clone"
    shutil.copytree(PROJECT_ROOT / "dbt_project", root / "dbt_project", ignore=shutil.ignore_patterns("target", "logs"))
    shutil.copytree(PROJECT_ROOT / "seeds", root / "seeds")
    (root / "orchestration" / "sources").mkdir(parents=True)
    return root


def write(project: Path, name: str, content: str | bytes) -> Path:
    path = project / "samples" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def draft(project: Path, feed: str, file: str, content: str | bytes, source: str = "helpline") -> CreatedSource:
    return create_source(source, feed, write(project, file, content), project)


def table_of(created: CreatedSource) -> TableDeclaration:
    (table,) = read_declaration(created.paths[0]).tables.values()
    return table


def model_of(created: CreatedSource) -> str:
    return created.paths[2].read_text(encoding="utf-8")


def snapshot(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): path.read_bytes().hex()
        for folder in ("dbt_project", "orchestration")
        for path in (root / folder).rglob("*")
        if path.is_file()
    }


@pytest.mark.slow
def test_what_was_written_loads_and_builds(project: Path) -> None:
    samples = {
        "helpline": ("tickets", "cases_20260105.csv", CASES.encode()),
        "zhongxin": ("tickets", "工单_20260105.csv", CHINESE.encode("gb18030")),
        "exchange": (
            "calls",
            "calls_20260105.csv.gz",
            gzip.compress(
                b"Call ID\tCaller\tDirection\tStart Time\tEnd Time\tWait Time\tselect\n"
                b"1\t555\tin\t01/13/2026 10:00 AM\t01/13/2026 10:05 AM\t60\ta\n"
                b"2\t556\tOUT\t01/14/2026 10:00 PM\t01/14/2026 11:05 PM\t0\tb\n"
            ),
        ),
        "shop": (
            "customer_identifiers",
            "people.jsonl",
            b'{"customer_id": "7", "Phone Number": "025-84012345", "it\'s {{ odd }}": "x"}\n',
        ),
    }
    home = project / "home"
    for source, (feed, file, content) in samples.items():
        draft(project, feed, file, content, source)
        inbox = home / "inbox" / source
        inbox.mkdir(parents=True)
        shutil.copy(project / "samples" / file, inbox / file)
    settings = Settings(home=home)
    declarations = load_declarations(folder=project / "orchestration" / "sources")
    assert set(declarations) == set(samples)
    report = load_inbox(settings, declarations, "load-1")
    assert [(r.status, r.warnings, r.damaged) for r in report.files] == [("loaded", (), 0)] * 4

    enabled = yaml.safe_load((project / "dbt_project" / "dbt_project.yml").read_text(encoding="utf-8"))["vars"][
        "sources"
    ]
    done = subprocess.run(
        [
            str(warehouse.DBT_EXECUTABLE), "--no-use-colors", "build",
            "--select", "+int_tickets", "+int_calls", "+int_customer_identifiers",
            "--indirect-selection", "cautious",  # facts are not built here
            "--project-dir", str(project / "dbt_project"), "--profiles-dir", str(project / "dbt_project"),
            "--target-path", str(home / "target"), "--log-path", str(home / "target"), "--full-refresh",
            "--vars", json.dumps({"sources": {source: enabled[source] for source in samples}}),
        ],
        env=warehouse.dbt_environment(settings, {**os.environ, "CSATLAS_DBT_THREADS": "1"}),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as connection:

        def ask(sql: str) -> list[tuple[object, ...]]:
            return connection.execute(sql).fetchall()

        helpline = ask(
            "select ticket_id, _status, ticket_kind, ticket_status, created_at from intermediate.int_tickets"
            " where source = 'helpline' order by 1"
        )
        chinese = ask(
            "select ticket_id, _status, customer_id, channel, ticket_kind, ticket_status, priority, created_at, closed_at,"
            " agent_id, org_unit_id, description, _version is not null from intermediate.int_tickets"
            " where source = 'zhongxin' order by 1"
        )
        calls = ask(
            "select call_id, _status, caller_identifier, direction, started_at, wait_seconds from intermediate.int_calls order by 1"
        )
        identifiers = ask(
            "select customer_id, _status, identifier_kind, identifier_value from intermediate.int_customer_identifiers"
        )
    assert [row[:2] for row in helpline] == [
        ("1001", "used"), ("1002", "used"), ("1003", "quarantined"), ("1004", "quarantined"), ("1005", "used"),
    ]  # fmt: skip
    assert helpline[0][2:] == ("repair", "closed", datetime(2026, 1, 2, 1, 15))
    assert chinese == [
        ("T1", "used", "C1", "phone", "complaint", "closed", "normal", datetime(2026, 1, 2, 1, 15), datetime(2026, 1, 2, 3), "1001", "南京", "宽带断线", True),
        ("T2", "used", "C2", "social", "enquiry", "open", "urgent", datetime(2026, 1, 3, 2), None, "1002", "苏州", "套餐咨询", True),
        ("T3", "used", "C3", "unknown", "repair", "open", "normal", datetime(2026, 1, 4, 4, 30), None, "1001", "南京", "无信号", True),
    ]  # fmt: skip
    assert calls == [
        ("1", "used", "555", "inbound", datetime(2026, 1, 13, 2), 60),
        ("2", "used", "556", "outbound", datetime(2026, 1, 14, 14), 0),
    ]
    assert identifiers == [("7", "used", "phone", "025-84012345")]


def test_declaration_of_the_chinese_sample(project: Path) -> None:
    created = draft(project, "tickets", "工单_20260105.csv", CHINESE.encode("gb18030"))
    table = table_of(created)
    assert (table.name, table.pattern, table.format, table.delimiter) == ("tickets", "工单_*.csv", "delimited", ",")
    assert table.delivery_of("工单_20260106.csv", "none") == "20260106"
    assert (table.key, table.version) == (("工单号",), "更新时间")
    assert [column.name for column in table.columns if column.required] == ["工单号", "创建时间"]
    assert [column.name for column in table.columns] == CHINESE.splitlines()[0].split(",")
    assert any("神秘字段" in note for note in created.notes)
    assert "-- Columns of the sample that nothing was made of: 神秘字段" in model_of(created)
    assert any("'飞鸽'" in note and "flagged" in note for note in created.notes)


def test_what_could_not_be_guessed_is_said(project: Path) -> None:
    created = draft(project, "transactions", "tx_20260105.csv", "weird;amount;client\na;12,50;7\nb;8,00;9\n")
    model = model_of(created)
    assert "-- could not guess: transaction_id (Transaction's id in the source)" in model
    assert "{{ number_column('amount', 'amount', decimal=',') }}," in model
    assert "client as customer_id," in model
    said = [note for note in created.notes if "every row will be quarantined until it is mapped" in note]
    assert [note.split(" ")[0] for note in said] == ["transaction_id", "transaction_kind"]
    assert "'charge' as transaction_kind" in said[1]
    assert table_of(created).key == ()


@pytest.mark.parametrize(
    ("first", "second", "expected", "ambiguous"),
    [
        ("2026-01-05 10:00:00", "2026-01-06 10:00:00", "tz='Asia/Shanghai')", False),
        ("2026-01-05T10:00:00Z", "2026-01-06T10:00:00Z", "timestamp_column('created_at', 'created_at')", False),
        (
            "2026-01-05T10:00:00+08:00",
            "2026-01-06T10:00:00+0800",
            "timestamp_column('created_at', 'created_at')",
            False,
        ),
        ("25/01/2026 10:00", "02/01/2026 11:00", "format='%d/%m/%Y %H:%M'", False),
        ("01/25/2026 10:00:01", "01/02/2026 11:00:01", "format='%m/%d/%Y %H:%M:%S'", False),
        ("01/02/2026", "03/04/2026", "format='%d/%m/%Y'", True),
        ("1/25/2026 1:00 PM", "1/2/2026 2:00 AM", "format='%m/%d/%Y %I:%M %p'", False),
        ("05.01.2026", "06.01.2026", "format='%d.%m.%Y'", False),
        ("2026年01月05日 10:00", "2026年01月06日 10:00", "format='%Y年%m月%d日 %H:%M'", False),
        ("20260105", "20260106", "format='%Y%m%d'", False),
        ("05.01.2026 10:00", "06.01.2026", "format=['%d.%m.%Y", False),
        ("1767600000", "1767686400", "epoch_column('created_at', 'created_at')", False),
    ],
)
def test_times(project: Path, first: str, second: str, expected: str, ambiguous: bool) -> None:
    created = draft(project, "tickets", "t_20260105.csv", f"id,created_at\n1,{first}\n2,{second}\n")
    (line,) = [line for line in model_of(created).splitlines() if "_column('created_at'" in line]
    assert expected in line
    assert any("day or the month first" in note for note in created.notes) is ambiguous


def test_one_column_of_a_file_decides_day_or_month_for_all(project: Path) -> None:
    content = "id,created_at,closed_at\n1,01/02/2026 10:00,01/25/2026 10:00\n2,03/02/2026 10:00,03/26/2026 10:00\n"
    created = draft(project, "tickets", "t_20260105.csv", content)
    assert model_of(created).count("format='%m/%d/%Y %H:%M'") == 2
    assert not any("day or the month first" in note for note in created.notes)


def test_grouping_marks_are_named(project: Path) -> None:
    created = draft(project, "transactions", "t_20260105.csv", "id;amount\n1;1.234,50\n2;7,00\n")
    assert any("1.234,50" in note and "grouping" in note for note in created.notes)


def test_excel_and_parquet(project: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["Case No", "Opened", "Via"])
    book.active.append([1, datetime(2026, 1, 5, 10), "Phone"])
    book.save(project / "cases 2026-01-05.xlsx")
    created = create_source("sheets", "tickets", project / "cases 2026-01-05.xlsx", project)
    table = table_of(created)
    assert (table.format, table.pattern, table.key) == ("excel", "cases *.xlsx", ("case_no",))
    assert table.delivery_of("cases 2026-01-06.xlsx", "none") == "2026-01-06"
    assert "{{ map_values('via', 'channel', {'phone': 'phone'}) }}," in model_of(created)
    assert any("clock of Asia/Shanghai" in note for note in created.notes)

    duckdb.sql("select 1 as session_id, timestamp '2026-01-05 10:00' as started_at").write_parquet(
        str(project / "chats.parquet")
    )
    created = create_source("bot", "messages", project / "chats.parquet", project)
    assert (table_of(created).format, table_of(created).pattern) == ("parquet", "chats*.parquet")
    assert "session_id as message_session_id," in model_of(created)
    assert any("has no date" in note for note in created.notes)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_json_lines_of_any_encoding(project: Path, encoding: str) -> None:
    lines = ["{damaged", json.dumps({"工单号": 1, "创建时间": "2026-01-05", "渠道": "电话"}, ensure_ascii=False), ""]
    created = draft(project, "tickets", "t_20260105.jsonl", "\n".join(lines).encode(encoding))
    assert (table_of(created).format, table_of(created).key) == ("json_lines", ("工单号",))
    assert "{{ map_values('\"渠道\"', 'channel', {'电话': 'phone'}) }}," in model_of(created)
    assert "1 of the sample's 2 records are damaged; they will be quarantined." in created.notes


def test_names_that_yaml_and_sql_misread(project: Path) -> None:
    created = draft(project, "tickets", "t_20260105.csv", "No,order,yes,2026,created_at\n1,2,x,3,2026-01-05\n")
    assert [column.name for column in table_of(created).columns] == ["no", "order", "yes", "2026", "created_at"]
    assert '"no" as ticket_id' in model_of(created) or "no as ticket_id" in model_of(created)


def test_dbt_project_changes_by_one_line_only(project: Path) -> None:
    path = project / "dbt_project" / "dbt_project.yml"
    before = path.read_text(encoding="utf-8")
    draft(project, "tickets", "cases_20260105.csv", CASES)
    draft(project, "calls", "calls_20260105.csv", "call_id,started_at\n1,2026-01-05\n", source="second")
    after = path.read_text(encoding="utf-8")
    new = ["    helpline: [tickets]", "    second: [calls]"]
    assert [line for line in after.splitlines() if line not in new] == before.splitlines()
    sources = yaml.safe_load(after)["vars"]["sources"]
    assert (sources["helpline"], sources["second"]) == (["tickets"], ["calls"])
    assert list(sources)[:-2] == list(yaml.safe_load(before)["vars"]["sources"])


def test_dbt_project_without_sources_and_with_comments(project: Path) -> None:
    path = project / "dbt_project" / "dbt_project.yml"
    path.write_text(
        "name: csatlas\nvars:\n  sources: {}  # none yet\n  default_time_zone: UTC # ours\n", encoding="utf-8"
    )
    created = draft(project, "tickets", "cases_20260105.csv", CASES)
    assert path.read_text(encoding="utf-8") == (
        "name: csatlas\nvars:\n  sources:  # none yet\n    helpline: [tickets]\n  default_time_zone: UTC # ours\n"
    )
    assert "tz='UTC'" in model_of(created)


@pytest.mark.parametrize(
    ("source", "feed", "file", "content", "words_of_it"),
    [
        ("Help-Line", "tickets", "a.csv", CASES, "lower-case letters"),
        ("two__parts", "tickets", "a.csv", CASES, "single underscores"),
        ("../up", "tickets", "a.csv", CASES, "lower-case letters"),
        ("zendesk", "tickets", "a.csv", CASES, "exists already"),
        ("helpline", "ticket", "a.csv", CASES, "did you mean 'tickets'"),
        ("helpline", "nonsense", "a.csv", CASES, "Feeds: account_parties, agent_states"),
        ("helpline", "tickets", "a.csv", "", "is empty"),
        ("helpline", "tickets", "a.csv", "\n\n", "the file is empty"),
        ("helpline", "tickets", "a.csv", "id,created_at\n", "no rows to learn from"),
        ("helpline", "tickets", "a.csv", "only\n1\n", "no delimiter was found"),
        ("helpline", "tickets", "a.csv", "17,2026-01-05\n18,2026-01-06\n", "looks like data"),
        ("helpline", "tickets", "a.dat", "0000000017K100 01.08.2026     674,99CNY王伟\n" * 5, "looks like fixed width"),
        ("helpline", "tickets", "a.csv.gz", "no archive", "cannot be unpacked"),
        ("helpline", "tickets", "a.xlsx", "no workbook", "not a readable Excel workbook"),
        ("helpline", "tickets", "a.parquet", "no parquet", "not a readable Parquet file"),
        ("helpline", "tickets", "a.xls", "old", "save it as .xlsx"),
        ("helpline", "tickets", "a.json", '[{"id": 1}]', "JSON lines"),
        ("helpline", "tickets", "a.jsonl", "{broken\n", "is a JSON object"),
        ("helpline", "tickets", "a.tmp", CASES, "temporary"),
    ],
)  # fmt: skip
def test_refusals_write_nothing(
    project: Path, source: str, feed: str, file: str, content: str, words_of_it: str
) -> None:
    before = snapshot(project)
    with pytest.raises(NewSourceError, match=re.escape(words_of_it)) as refused:
        draft(project, feed, file, content, source)
    assert snapshot(project) == before
    assert "csatlas-sample-" not in str(refused.value), "the folder that is thrown away means nothing to the reader"


def test_a_missing_sample_and_a_source_that_exists(project: Path) -> None:
    with pytest.raises(NewSourceError, match="there is no file"):
        create_source("helpline", "tickets", project / "nothing.csv", project)
    created = draft(project, "tickets", "cases_20260105.csv", CASES)
    before = snapshot(project)
    with pytest.raises(NewSourceError, match=r"orchestration/sources/helpline\.yml"):
        draft(project, "tickets", "cases_20260105.csv", CASES)
    assert snapshot(project) == before
    assert all(path.is_file() for path in created.paths)


@pytest.mark.parametrize(
    ("name", "same"),
    [("客户编号", "customer_id"), ("工单号", "ticket_id"), ("创建时间", "created_at"), ("坐席工号", "agent_id"), ("开始时间", "started_at"), ("ClientNo", "customer_id"), ("Opened On", "created_at")],
)  # fmt: skip
def test_words(name: str, same: str) -> None:
    assert words(name) == words(same)


def test_capitals_part_the_words_of_a_name(project: Path) -> None:
    line = '{"caseNumber":"CS-1","openedDate":"2026-08-01T10:00:00Z","caseType":"Grievance","status":"Open","caseOrigin":"WeChat","accountId":"K1","ownerId":"A7"}\n'
    model = model_of(draft(project, "tickets", "cases-2026-10-01.jsonl", line))
    for expected in (
        "casenumber as ticket_id",
        "timestamp_column('openeddate', 'created_at')",
        "map_values('casetype', 'ticket_kind'",
        "map_values('caseorigin', 'channel'",
        "ownerid as agent_id",
    ):
        assert expected in model


def test_chinese_call_log(project: Path) -> None:
    content = (
        "通话流水号,主叫号码,呼叫方向,呼入时间,挂断时间\nH1,13800138000,呼入,2026/08/01 10:00:00,2026/08/01 10:05:00\n"
    )
    model = model_of(draft(project, "calls", "话单20261001.csv", content))
    assert "timestamp_column('\"呼入时间\"', 'started_at'" in model
    assert "timestamp_column('\"挂断时间\"', 'ended_at'" in model


@pytest.mark.parametrize("kind", ["xlsx", "csv"])
def test_a_title_above_the_header_is_skipped(project: Path, kind: str) -> None:
    rows: list[list[object]] = [
        ["Satisfaction, third quarter"], [], ["答卷编号", "客户编号", "答复时间"], *[[f"D{n}", f"K{n}", "2026-09-01 10:00"] for n in range(9)],
    ]  # fmt: skip
    packed = io.BytesIO()
    if kind == "xlsx":
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(row)
        book.save(packed)
    else:
        packed.write("".join(",".join(map(str, row)) + "\n" for row in rows).encode())
    created = draft(project, "survey_responses", f"回访_20261001.{kind}", packed.getvalue())
    assert "skip_lines: 2 " in created.paths[0].read_text(encoding="utf-8")
    assert '"答卷编号" as response_id' in model_of(created)
    assert any("taken for a title" in note for note in created.notes)
