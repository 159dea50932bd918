"""Loading the inbox: whole or not at all, never twice, and every record somewhere."""

from __future__ import annotations

import csv
import gzip
import io
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from orchestration.settings import Settings
from orchestration.sources import rawstore, reading
from orchestration.sources.files import LoadAborted
from orchestration.sources.rawstore import RawVersionError
from tests.sources.conftest import TABLES, Desk

One = Callable[[str, "str | bytes"], Any]
PEOPLE = "id,name,amount\n1,Ann,2.50\n2,Bo,\n"


def test_a_clean_file_is_loaded_as_it_came(one: One, desk: Desk) -> None:
    result = one("people_20260101.csv", 'id,name,amount\n1," Ann ","1,5"\n2,,\n')
    assert (result.status, result.rows, result.damaged, result.path, result.delivery) == (
        "loaded",
        2,
        0,
        "fast",
        "20260101",
    )
    assert desk.ask("select id, name, amount, _record_number from raw_desk.people order by 4") == [
        ("1", " Ann ", "1,5", 1),
        ("2", "", "", 2),
    ]


def test_content_is_loaded_once_whatever_its_name(desk: Desk) -> None:
    desk.deliver("people_20260101.csv", PEOPLE)
    desk.load()
    desk.deliver("people_20260102.csv", PEOPLE)
    assert [result.status for result in desk.load().files] == ["skipped", "skipped"]
    assert desk.ask("select count(*) from raw_desk.people") == [(2,)]


def test_an_equal_snapshot_after_another_one_is_loaded(desk: Desk) -> None:
    for day, content in (
        ("20260101", "id,name\n1,a\n"),
        ("20260102", "id,name\n2,b\n"),
        ("20260103", "id,name\n1,a\n"),
    ):
        desk.deliver(f"stock_{day}.csv", content)
    desk.load()
    assert desk.ask("select _delivery, id from raw_desk.stock order by 1") == [
        ("20260101", "1"),
        ("20260102", "2"),
        ("20260103", "1"),
    ]
    assert {result.status for result in desk.load().files} == {"skipped"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le", "utf-16-be"])
def test_encodings_are_found(one: One, desk: Desk, encoding: str) -> None:
    text = "id,name,amount\n" + "".join(f"{n},客户满意度调查{n},1\n" for n in range(30))
    result = one("people_20260101.csv", text.encode(encoding))
    assert (result.status, result.rows, result.damaged) == ("loaded", 30, 0)
    assert desk.ask("select name from raw_desk.people where id = '7'") == [("客户满意度调查7",)]


def test_latin_1_is_found(one: One, desk: Desk) -> None:
    result = one(
        "people_20260101.csv", "id,name,amount\n1,Müller,1\n2,Gärtner & Söhne,2\n3,Åse Ødegård,3\n".encode("latin-1")
    )
    assert (result.encoding, result.damaged) == ("latin-1", 0)
    assert desk.ask("select name from raw_desk.people order by id") == [
        ("Müller",),
        ("Gärtner & Söhne",),
        ("Åse Ødegård",),
    ]


def test_packed_files(desk: Desk) -> None:
    desk.deliver("people_20260101.csv.gz", gzip.compress(PEOPLE.encode()))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("whatever.csv", PEOPLE.replace("Ann", "Zoe"))
    desk.deliver("people_20260102.zip", packed.getvalue())
    assert [result.rows for result in desk.load().files] == [2, 2]
    assert desk.ask("select name from raw_desk.people where id = '1' order by 1") == [("Ann",), ("Zoe",)]


def test_a_zip_bomb_is_refused(one: One, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "RATIO_APPLIES_FROM", 1 << 20)
    result = one("people_20260101.csv.gz", gzip.compress(b"0" * (30 << 20)))
    assert result.status == "refused"
    assert "unpacks to more than" in result.message
    assert desk.ask("select count(*) from raw_desk.people") == [(0,)]


def test_two_files_in_an_archive_are_refused(one: One) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.csv", PEOPLE)
        archive.writestr("b.csv", PEOPLE)
    result = one("people_20260101.zip", packed.getvalue())
    assert result.status == "refused"
    assert "holds 2 files" in result.message


def test_a_broken_archive_is_refused(one: One) -> None:
    result = one("people_20260101.csv.gz", gzip.compress(PEOPLE.encode() * 1000)[:60])
    assert result.status == "refused"
    assert "cannot be unpacked" in result.message


def test_ragged_lines_are_kept_beside_the_good_ones(one: One, desk: Desk) -> None:
    result = one("people_20260101.csv", "id,name,amount\n1,Ann,1\n2,too,many,columns\n3,few\n4,Dan,4\n")
    assert (result.path, result.rows, result.damaged) == ("tolerant", 4, 2)
    assert desk.ask("select id, _problem, _content from raw_desk.people order by _record_number") == [
        ("1", None, None),
        (None, "4 columns instead of 3", "2,too,many,columns"),
        (None, "2 columns instead of 3", "3,few"),
        ("4", None, None),
    ]


def test_an_open_quote_costs_its_own_line_only(one: One, desk: Desk) -> None:
    result = one("people_20260101.csv", 'id,name,amount\n1,"Ann,1\n2,Bo,2\n3,"two\nlines",3\n')
    assert (result.rows, result.damaged) == (3, 1)
    assert desk.ask("select id, name from raw_desk.people where _problem is null order by 1") == [
        ("2", "Bo"),
        ("3", "two\nlines"),
    ]


def test_bytes_that_are_no_text_damage_their_line_only(one: One, desk: Desk) -> None:
    content = (
        b"id,name,amount\n" + "".join(f"{n},满意{n},1\n" for n in range(50)).encode() + b"99,\xff\xfe,1\n100,\x00,2\n"
    )
    result = one("people_20260101.csv", content)
    assert (result.rows, result.damaged, result.encoding) == (52, 2, "utf-8")
    assert desk.ask("select _content from raw_desk.people where _problem is not null order by _record_number") == [
        ("99,\\xff\\xfe,1",),
        ("100,\\0,2",),
    ]


def test_an_over_long_line_is_kept_in_full_beside_the_database(one: One, desk: Desk) -> None:
    long = "2," + "x" * (reading.MAX_LINE_BYTES + 100) + ",2"
    result = one("people_20260101.csv", f"id,name,amount\n1,Ann,1\n{long}\n3,Cy,3\n")
    assert (result.rows, result.damaged) == (3, 1)
    (kept,) = desk.settings.rejects.iterdir()
    assert kept.read_text() == long + "\n"
    assert kept.name in desk.ask("select _problem from raw_desk.people where _problem is not null")[0][0]
    assert oct(kept.stat().st_mode & 0o777) == "0o600"


@pytest.mark.slow
def test_a_line_of_200_megabytes_does_not_fill_the_memory(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    path = desk.inbox / "people_20260101.csv"
    with path.open("wb") as stream:
        stream.write(b"id,name,amount\n1,Ann,1\n2,")
        for _ in range(200):
            stream.write(b"y" * (1 << 20))
        stream.write(b",2\n3,Cy,3\n")
    # VmHWM is the process's own; ru_maxrss begins with what the process that started it had.
    script = (
        "import re, sys; from pathlib import Path; from tests.sources.conftest import Desk;"
        "report = Desk(Path(sys.argv[1])).load(); (r,) = report.files;"
        "print(r.rows, r.damaged, int(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1]) // 1024)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    rows, damaged, megabytes = map(int, done.stdout.split())
    assert (rows, damaged) == (3, 1)
    assert megabytes < 900
    (kept,) = desk.settings.rejects.iterdir()
    assert kept.stat().st_size > 200 << 20


def test_header_only_and_empty_files(desk: Desk) -> None:
    desk.deliver("people_20260101.csv", "id,name,amount\n")
    desk.deliver("people_20260102.csv", "")
    desk.deliver("stock_20260101.csv", "id,name\n")
    people, empty, stock = sorted(desk.load().files, key=lambda result: result.file)
    assert (people.status, people.rows) == ("loaded", 0)
    assert empty.status == "refused"
    assert "is empty" in empty.message
    assert stock.status == "refused"
    assert "would delete everything" in stock.message


def test_columns_that_moved_were_renamed_added_doubled_or_lost(desk: Desk) -> None:
    desk.deliver("people_20260101.csv", "amount,full name,id,Shoe Size,id\n9,Ann,1,42,x\n")
    (result,) = desk.load().files
    assert result.status == "loaded"
    assert desk.ask("select id, name, amount, shoe_size, id_2 from raw_desk.people") == [("1", "Ann", "9", "42", "x")]
    text = " ".join(result.warnings)
    assert "other name 'full_name'" in text
    assert "stands more than once" in text
    assert "not declared were kept: shoe_size, id_2" in text
    desk.deliver("people_20260102.csv", "id\n5\n")
    assert any("'amount' is missing" in warning for warning in desk.load().of_status("loaded")[0].warnings)


def test_a_missing_required_column_refuses_the_file_until_it_is_mended(desk: Desk) -> None:
    desk.deliver("people_20260101.csv", "number,name,amount\n1,Ann,1\n")
    desk.deliver("people_20260102.csv", PEOPLE)
    first, second = desk.load().files
    assert (first.status, second.status) == ("refused", "loaded")
    assert "required column 'id' is missing" in first.message
    assert "aliases" in first.message
    desk.load("again")
    assert desk.ask("select count(*) from raw_meta.files where status = 'refused'") == [(1,)]
    mended = {
        **TABLES,
        "people": {
            **TABLES["people"],
            "columns": {"id": {"required": True, "aliases": ["number"]}, "name": {}, "amount": {}},
        },
    }
    desk.declare(mended)
    assert desk.load("mended").of_status("loaded")[0].file == "people_20260101.csv"
    assert desk.ask("select count(*) from raw_meta.files where status = 'refused'") == [(0,)]


def test_a_file_of_another_shape_is_refused_not_damaged_line_by_line(one: One) -> None:
    result = one("x.log", "a;b;c\nd;e;f\n")
    assert result.status == "refused"
    assert "none of the first 2 lines has the 3 columns" in result.message


def test_files_that_match_nothing_or_two_patterns_are_named(desk: Desk) -> None:
    desk.declare({**TABLES, "crowd": {**TABLES["people"], "pattern": "people_2026*"}})
    desk.deliver("people_20260101.csv", PEOPLE)
    desk.deliver("notes.txt", "hello")
    desk.deliver("arriving.csv.part", "half a file")
    odd = {result.file: (result.status, result.message) for result in desk.load().files}
    assert odd["notes.txt"][0] == "unmatched"
    assert "people" in odd["people_20260101.csv"][1] and "crowd" in odd["people_20260101.csv"][1]
    assert "arriving.csv.part" not in odd


def test_fixed_width(one: One, desk: Desk) -> None:
    result = one("x.fwf", "00001 19970101   1\n00002 19970112  12\nshort\n00003 19970113   3 and more\n")
    assert (result.rows, result.damaged) == (4, 2)
    assert desk.ask("select id, day, n from raw_desk.wide where _problem is null order by 1") == [
        ("00001", "19970101", "1"),
        ("00002", "19970112", "12"),
    ]


def test_json_lines(one: One, desk: Desk) -> None:
    result = one("x.jsonl", '{"id": 7, "tags": ["a", "b"], "more": true}\n\n{"id": "8"}\n[1]\n{"id": 9,\n')
    assert (result.rows, result.damaged) == (4, 2)
    assert desk.ask("select id, tags, more from raw_desk.lines where _problem is null order by 1") == [
        ("7", '["a", "b"]', "true"),
        ("8", None, None),
    ]


def test_parquet(desk: Desk) -> None:
    pl.DataFrame({"id": [1, 2], "at": [None, "x"], "extra": [1.5, 2.5]}).write_parquet(desk.inbox / "x.parquet")
    desk.deliver("y.parquet", b"PAR1 not really")
    good, bad = desk.load().files
    assert (good.rows, bad.status) == (2, "refused")
    assert "not a readable Parquet file" in bad.message
    assert desk.ask('select id, "at", extra from raw_desk.columns order by 1') == [
        ("1", None, "1.5"),
        ("2", "x", "2.5"),
    ]


def test_excel(desk: Desk) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (["id", "day", "n"], [1, date(2026, 1, 2), 3.0], [None, None, None], ["b", "text", 1.25]):
        sheet.append(row)
    book.save(desk.inbox / "x.xlsx")
    desk.deliver("y.xlsx", b"no workbook")
    good, bad = desk.load().files
    assert (good.rows, bad.status) == (2, "refused")
    assert desk.ask("select id, day, n from raw_desk.sheets order by 1") == [
        ("1", "2026-01-02", "3"),
        ("b", "text", "1.25"),
    ]


def test_an_unreadable_file_does_not_stop_the_others(desk: Desk) -> None:
    if os.geteuid() == 0:
        target = desk.inbox / "people_20260101.csv"
        target.symlink_to(desk.inbox / "nowhere")
        desk.deliver("people_20260102.csv", PEOPLE)
        assert [result.status for result in desk.load().files] == ["refused", "loaded"]
        return
    desk.deliver("people_20260101.csv", PEOPLE.replace("Ann", "Al")).chmod(0)
    desk.deliver("people_20260102.csv", PEOPLE)
    first, second = desk.load().files
    assert (first.status, second.status) == ("refused", "loaded")
    assert "check its rights" in first.message


def test_a_file_that_is_still_written_waits_for_the_next_load(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    path = desk.deliver("people_20260101.csv", PEOPLE)
    desk.deliver("people_20260102.csv.part", PEOPLE)
    read = reading.read_header

    def read_while_it_grows(file: Path, *rest: Any) -> Any:
        with path.open("a", encoding="utf-8") as stream:
            stream.write("3,Cy,1\n")
        return read(file, *rest)

    monkeypatch.setattr(reading, "read_header", read_while_it_grows)
    (result,) = desk.load().files
    assert (result.status, result.rows) == ("deferred", 0)
    assert "changed while it was read" in str(result.message)
    assert desk.ask("select count(*) from raw_desk.people") == [(0,)]
    monkeypatch.undo()
    (result,) = desk.load().files
    assert (result.status, result.rows) == ("loaded", 3)


def test_deliveries_are_taken_in_their_order(desk: Desk) -> None:
    for day in ("20260103", "20260101", "20260102"):
        desk.deliver(f"people_{day}.csv", PEOPLE.replace("Ann", day))
    assert [result.delivery for result in desk.load().files] == ["20260101", "20260102", "20260103"]


def test_formulas_and_script_stay_text(one: One, desk: Desk) -> None:
    names = ['=HYPERLINK("x")', "<script>alert(1)</script>", "'; drop table people; --", "@SUM(A1)"]
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(["id", "name", "amount"])
    writer.writerows([n, name, 1] for n, name in enumerate(names))
    one("people_20260101.csv", buffer.getvalue())
    assert [row[0] for row in desk.ask("select name from raw_desk.people order by id")] == names


def test_a_newer_home_is_refused_with_what_to_do(desk: Desk) -> None:
    import duckdb

    desk.load()
    with duckdb.connect(str(desk.settings.raw_path)) as connection:
        connection.execute("update raw_meta.version set schema_version = 99")
    with pytest.raises(RawVersionError, match="newer csatlas"):
        desk.load()


def test_an_older_home_is_migrated_and_goes_on(desk: Desk) -> None:
    """A raw database as version 1 left it: what it holds stays, and its files are not loaded again."""
    desk.deliver("people_20260101.csv", PEOPLE)
    desk.load("before")
    with duckdb.connect(str(desk.settings.raw_path)) as connection:
        connection.execute("alter table raw_meta.seen drop column ctime_ns")
        connection.execute("delete from raw_meta.version where schema_version > 1")
        salt = connection.execute("select salt from raw_meta.home").fetchall()
    desk.deliver("people_20260102.csv", PEOPLE.replace("Ann", "Zoe"))
    assert [result.status for result in desk.load("after").files] == ["skipped", "loaded"]
    assert desk.ask("select max(schema_version) from raw_meta.version") == [(rawstore.SCHEMA_VERSION,)]
    assert desk.ask("select salt from raw_meta.home") == salt
    assert desk.ask("select name, _load_id from raw_desk.people where id = '1' order by 1") == [
        ("Ann", "before"),
        ("Zoe", "after"),
    ]
    assert desk.ask("select load_id, status from raw_meta.files order by file_id") == [
        ("before", "loaded"),
        ("after", "loaded"),
    ]


def test_every_step_to_the_present_schema_is_written_down() -> None:
    assert list(rawstore._MIGRATIONS) == list(range(2, rawstore.SCHEMA_VERSION + 1))


def test_a_migration_that_fails_leaves_the_older_home(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.load()
    steps = {
        **rawstore._MIGRATIONS,
        3: ("create table raw_meta.more (id int)", "select no_such_column from raw_meta.more"),
    }
    with monkeypatch.context() as patch:
        patch.setattr(rawstore, "_MIGRATIONS", steps)
        patch.setattr(rawstore, "SCHEMA_VERSION", 3)
        with pytest.raises(duckdb.BinderException):
            desk.load()
    assert desk.ask("select max(schema_version) from raw_meta.version") == [(2,)]
    assert desk.ask("select count(*) from duckdb_tables() where table_name = 'more'") == [(0,)]
    assert desk.load().files == ()


def test_a_file_replaced_by_one_of_equal_size_and_time_is_loaded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = time.time_ns
    monkeypatch.setattr(
        rawstore.time, "time_ns", lambda: clock() + 10_000_000_000
    )  # as if it had lain there for a while
    path = desk.deliver("people_20260101.csv", PEOPLE)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    desk.load()
    assert desk.ask("select count(*) from raw_meta.seen") == [(1,)]
    path.write_text(PEOPLE.replace("Ann", "Zoe"))
    os.utime(path, (1_700_000_000, 1_700_000_000))
    assert [result.status for result in desk.load().files] == ["loaded"]
    assert desk.ask("select name from raw_desk.people where id = '1' order by 1") == [("Ann",), ("Zoe",)]


def test_files_are_private(desk: Desk) -> None:
    desk.deliver("people_20260101.csv", PEOPLE)
    desk.load()
    assert oct(desk.settings.raw_path.stat().st_mode & 0o777) == "0o600"


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_keeps_nothing_half_done(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(small)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("this machine does not let tests mount a file system")
    try:
        desk = Desk(tmp_path)
        desk.settings = Settings(home=small / "home")
        inbox = desk.settings.inbox / "desk"
        inbox.mkdir(parents=True)
        desk.inbox = inbox
        desk.deliver("people_20260101.csv", PEOPLE)
        desk.load("first")
        outside = tmp_path / "big.csv"
        outside.write_text("id,name,amount\n" + "".join(f"{n},{os.urandom(12).hex()},{n}\n" for n in range(300_000)))
        (inbox / "people_20260102.csv").symlink_to(outside)
        with pytest.raises(LoadAborted, match="make room below"):
            desk.load("second")
        assert desk.ask("select count(*), count(distinct _file_id) from raw_desk.people") == [(2, 1)]
        assert desk.ask("select count(*) from raw_meta.files") == [(1,)]
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_killed_in_the_middle_and_run_again(tmp_path: Path) -> None:
    def deliveries(desk: Desk) -> None:
        for number in range(6):
            rows = "".join(f"{number}-{n},name {n},{n}\n" for n in range(60_000))
            desk.deliver(f"people_2026010{number + 1}.csv", "id,name,amount\n" + rows)

    undisturbed, killed = Desk(tmp_path / "a"), Desk(tmp_path / "b")
    deliveries(undisturbed)
    deliveries(killed)
    undisturbed.load()
    script = (
        "import sys; from pathlib import Path; from tests.sources.conftest import Desk; Desk(Path(sys.argv[1])).load()"
    )
    for wait in (0.6, 1.0):
        process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "b")])
        started = time.monotonic()
        while not killed.settings.raw_path.exists() and time.monotonic() - started < 20:
            time.sleep(0.01)
        time.sleep(wait / 4)
        process.send_signal(signal.SIGKILL)
        process.wait()
    killed.load()
    question = "select _file, id, name, amount, _record_number from raw_desk.people order by all"
    assert killed.ask(question) == undisturbed.ask(question)
    assert killed.ask("select count(*), count(distinct file_name) from raw_meta.files") == [(6, 6)]


cells = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)


@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=20), delimiter=st.sampled_from([",", ";", "\t"])
)
def test_any_table_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]], delimiter: str
) -> None:
    tables = {"people": {**TABLES["people"], "delimiter": delimiter, "columns": {"a": {}, "b": {}, "c": {}}, "key": []}}
    desk = Desk(tmp_path_factory.mktemp("table"), tables)
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([("a", "b", "c"), *rows])
    desk.deliver("people_20260101.csv", buffer.getvalue())
    (result,) = desk.load().files
    assert (result.status, result.rows, result.damaged) == ("loaded", len(rows), 0)
    assert desk.ask("select a, b, c from raw_desk.people order by _record_number") == rows


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=400))
def test_any_bytes_load_or_are_refused_in_words(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    desk = Desk(tmp_path_factory.mktemp("bytes"))
    desk.deliver("x.log", content)
    (result,) = desk.load().files
    assert result.status in ("loaded", "refused")
    if result.status == "refused":
        assert result.message
    else:
        found = desk.ask("select count(*), count(_problem) from raw_desk.log")[0]
        assert found == (result.rows, result.damaged)


def test_a_load_waits_for_somebody_who_reads_raw(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.load()
    reading_it = "import duckdb, sys, time; c = duckdb.connect(sys.argv[1], read_only=True); print(1, flush=True); time.sleep(float(sys.argv[2]))"

    def reader(seconds: float) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", reading_it, str(desk.settings.raw_path), str(seconds)], stdout=subprocess.PIPE, text=True
        )  # fmt: skip
        assert process.stdout is not None and process.stdout.readline() == "1\n"
        return process

    with reader(2):
        desk.load()
    monkeypatch.setattr(rawstore, "READER_PATIENCE", 0.0)
    with reader(60) as process:
        try:
            with pytest.raises(duckdb.IOException, match="lock"):
                desk.load()
        finally:
            process.kill()
