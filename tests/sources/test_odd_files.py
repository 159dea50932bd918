"""Files that no sender means to send: each is loaded as it came or refused in words, and its neighbours are loaded."""

from __future__ import annotations

import gzip
import io
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from orchestration.settings import PROJECT_ROOT
from orchestration.sources import reading
from orchestration.sources.declarations import DeclarationError
from tests.sources.conftest import TABLES, Desk

One = Callable[[str, "str | bytes"], Any]
PEOPLE = "id,name,amount\n" + "".join(f"{n},n{n},{n}\n" for n in range(2000))


def workbook(rows: list[list[object]], change: Callable[[bytes], bytes | None] | None = None) -> bytes:
    """A workbook; `change` gets its first sheet's XML and gives what is to be written instead (None: no sheet)."""
    book, packed = openpyxl.Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(packed)
    if change is None:
        return packed.getvalue()
    changed = io.BytesIO()
    with zipfile.ZipFile(packed) as source, zipfile.ZipFile(changed, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            kept = change(content) if name == "xl/worksheets/sheet1.xml" else content
            if kept is not None:
                target.writestr(name, kept)
    return changed.getvalue()


SHEET: list[list[object]] = [["id", "day", "n"], *[[n, "x", n] for n in range(100)]]


def damaged_in_the_middle(content: bytes) -> bytes:
    place = len(content) // 2
    return content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]


def zipped(method: int) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        archive.writestr("people.csv", PEOPLE)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("people_1.csv.gz", damaged_in_the_middle(gzip.compress(PEOPLE.encode())), "cannot be unpacked"),
        ("people_1.csv.gz", gzip.compress(PEOPLE.encode())[:-30], "cannot be unpacked"),
        ("people_1.zip", damaged_in_the_middle(zipped(zipfile.ZIP_DEFLATED)), "cannot be unpacked"),
        (
            "people_1.zip",
            zipped(zipfile.ZIP_STORED).replace(b"\0\0\0\0\x21\0", b"\x63\0\0\0\x21\0")[:-40],
            "zip archive",
        ),
        ("people_1.csv", b"id,name," + b"x" * (5 << 20) + b"\n1,a,2\n", "the first line is longer than"),
        ("people_1.csv", b'id,"name,amount\n' + b"1,a,1\n" * 100, "a quote is opened and never closed"),
        ("people_1.csv", ("id," + ",".join(f"c{n}" for n in range(10_000)) + "\n").encode(), "10,001 columns; at most"),
        ("people_1.csv", bytes(range(128, 256)) * 40 + b"\r\x0b", "The file has: "),
        ("a.xlsx", workbook(SHEET, lambda xml: xml[: len(xml) // 2]), "is not a readable Excel workbook"),
        ("a.xlsx", workbook(SHEET, lambda xml: None), "no sheet with cells"),
        ("a.jsonl", b'[{"id": "1"},\n{"id": "2"},\n{"id": "3"}]\n', "none of its 3 records can be read"),
        (
            "people_1.csv",
            ("id,name,amount\n" + "".join(f"{n},客戶滿意度調查,1\n" for n in range(50))).encode("big5"),
            "none of its 50 records can be read",
        ),
    ],
)  # fmt: skip
def test_refused_in_words_and_the_others_are_loaded(desk: Desk, name: str, content: bytes, words: str) -> None:
    desk.deliver(name, content)
    desk.deliver("z.log", "1|2|3\n")
    results = {result.file: result for result in desk.load().files}
    assert results[name].status == "refused"
    assert words in str(results[name].message)
    assert str(results[name].message).isprintable()
    assert results["z.log"].status == "loaded"
    assert desk.ask("select (select count(*) from raw_desk.people), (select count(*) from raw_desk.sheets)") == [(0, 0)]
    assert {result.status for result in desk.load().files} == {
        "refused",
        "skipped",
    }  # it is tried again, and no row doubles


def test_a_misread_file_is_read_again_once_the_declaration_is_right(desk: Desk) -> None:
    content = ("id,name,amount\n" + "".join(f"{n},客戶滿意度調查,1\n" for n in range(50))).encode("big5")
    desk.deliver("people_20260101.csv", content)
    assert desk.load().files[0].status == "refused"
    desk.declare(TABLES | {"people": TABLES["people"] | {"encoding": "big5"}})
    (result,) = desk.load().files
    assert (result.status, result.rows, result.damaged) == ("loaded", 50, 0)
    assert desk.ask("select distinct name from raw_desk.people") == [("客戶滿意度調查",)]


def test_one_damaged_record_alone_is_kept_as_damaged(one: One) -> None:
    result = one("people_1.csv", "id,name,amount\n1,too,many,columns\n")
    assert (result.status, result.rows, result.damaged) == ("loaded", 1, 1)


def test_line_ends_of_old_macs(one: One, desk: Desk) -> None:
    result = one("people_1.csv", 'id,name,amount\r1,a,1\r2,"b\rc",2\r')
    assert (result.status, result.rows, result.damaged) == ("loaded", 2, 0)
    assert desk.ask("select id, name from raw_desk.people order by id") == [("1", "a"), ("2", "b\nc")]


def test_line_ends_are_mended_across_the_pieces_of_a_long_file(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "CHUNK", 7)
    source = desk.deliver("x.tmp", "a\rb\r\ncccc\r\n\r\rdd\r")
    target = reading.with_line_feeds(source, desk.settings.home / "y.tmp")
    assert target.read_bytes() == b"a\nb\ncccc\n\n\ndd\n"


def test_empty_lines_and_the_spreadsheets_own_line_before_the_header(desk: Desk) -> None:
    desk.deliver("people_1.csv", "\n\nid,name,amount\n1,a,2\n")
    desk.deliver("people_2.csv", "sep=;\nid;name;amount\n2;a,b;2\n")
    assert [(r.status, r.rows, r.damaged) for r in desk.load().files] == [("loaded", 1, 0)] * 2
    assert desk.ask("select id, name from raw_desk.people order by id") == [("1", "a"), ("2", "a,b")]


def test_windows_quotes_and_the_euro_sign(one: One, desk: Desk) -> None:
    text = "id,name,amount\n1,“Müller” – 5 €,1\n2,Åse,2\n"
    assert one("people_1.csv", text.encode("cp1252")).encoding == "cp1252"
    assert desk.ask("select name from raw_desk.people where id = '1'") == [("“Müller” – 5 €",)]


def test_utf_32(one: One, desk: Desk) -> None:
    assert one("people_1.csv", PEOPLE.encode("utf-32")).rows == 2000
    assert desk.ask("select name from raw_desk.people where id = '7'") == [("n7",)]


def test_a_sheet_that_says_it_is_smaller_than_it_is(one: One, desk: Desk) -> None:
    """Programs that write a workbook in one go call its size A1; the rows beyond would be gone without a word."""
    shrunk = workbook(SHEET, lambda xml: re.sub(rb'<dimension ref="[^"]*"', b'<dimension ref="A1"', xml))
    assert one("a.xlsx", shrunk).rows == 100
    assert desk.ask("select count(*), sum(n::int) from raw_desk.sheets") == [(100, 4950)]


def test_a_column_without_a_name_does_not_move_its_neighbours(one: One, desk: Desk) -> None:
    assert one("a.xlsx", workbook([["id", None, "n"], [1, "a remark", None], [2, None, 5]])).damaged == 0
    assert desk.ask('select id, "column", n from raw_desk.sheets order by id') == [
        ("1", "a remark", None),
        ("2", None, "5"),
    ]


def test_titles_above_the_header_of_a_sheet(desk: Desk) -> None:
    desk.declare(TABLES | {"sheets": TABLES["sheets"] | {"skip_lines": 2}})
    desk.deliver(
        "a.xlsx", workbook([["Satisfaction, second quarter"], [None], [None], ["id", "day", "n"], [1, "x", 2]])
    )
    assert [(r.status, r.rows) for r in desk.load().files] == [("loaded", 1)]
    assert desk.ask("select id, day, n from raw_desk.sheets") == [("1", "x", "2")]


def test_numbers_in_json_stay_as_they_were_written(one: One, desk: Desk) -> None:
    nested = '{"a": 1.10, "b": [1e5, 12345678901234567890, null, true, "ü"]}'
    one("a.jsonl", '{"id": 12345678901234567890.123456789, "tags": ' + nested + "}\n")
    assert desk.ask("select id, tags from raw_desk.lines") == [("12345678901234567890.123456789", nested)]


def test_json_that_python_or_utf_8_cannot_hold(one: One, desk: Desk) -> None:
    content = b'{"id":' + b"1" * 5000 + b'}\n{"id":"\\ud800 \\ud83d\\ude00"}\n{"id":"3","\\udfff":1}\n'
    result = one("a.jsonl", content)
    assert (result.status, result.rows, result.damaged) == ("loaded", 3, 1)
    assert desk.ask("select id from raw_desk.lines where _problem is null order by _record_number") == [
        ("\\ud800 😀",),
        ("3",),
    ]


def test_a_name_that_is_no_text_is_refused_and_the_others_are_loaded(desk: Desk) -> None:
    desk.deliver(os.fsdecode(b"people_\xff.csv"), PEOPLE)
    desk.deliver("people_2.csv", "id,name,amount\n1,a,2\n")
    results = sorted((result.status, result.file) for result in desk.load().files)
    assert results == [("loaded", "people_2.csv"), ("refused", "people_\\xff.csv")]


def test_folders_links_and_pipes_are_named(desk: Desk) -> None:
    (desk.inbox / "people_1.csv").mkdir()
    real = desk.settings.home / "elsewhere"
    real.mkdir()
    (real / "people_9.csv").write_text("id,name,amount\n1,a,2\n")
    (desk.inbox / "people_2.csv").symlink_to(real / "people_9.csv")
    (desk.inbox / "people_3.csv").symlink_to(real / "nothing")
    (desk.inbox / "more").symlink_to(real)
    os.mkfifo(desk.inbox / "people_4.csv")
    results = {result.file: (result.status, result.message or "") for result in desk.load().files}
    assert results.pop("people_2.csv") == ("loaded", "")
    for name, words in (("people_3.csv", "leads nowhere"), ("more", "is not followed"), ("people_4.csv", "a pipe")):
        status, message = results.pop(name)
        assert status == "refused"
        assert words in message
    assert results == {}  # a folder is no file, whatever its name


def test_a_folder_that_may_not_be_read_is_named(desk: Desk) -> None:
    desk.deliver("closed/people_1.csv", PEOPLE)
    desk.deliver("people_2.csv", "id,name,amount\n1,a,2\n")
    code = (
        "import os, sys; from pathlib import Path; from orchestration.sources.files import _inbox_files;"
        "os.chmod(sys.argv[1], 0); os.geteuid() or (os.setgid(65534), os.setuid(65534));"  # rights do not bind root
        "print(_inbox_files(Path(sys.argv[2])))"
    )
    for folder in (desk.inbox, *desk.inbox.parents):
        if folder == Path("/tmp"):
            break
        folder.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", code, str(desk.inbox / "closed"), str(desk.inbox)],
        capture_output=True, text=True, check=False, cwd=PROJECT_ROOT,
    )  # fmt: skip
    (desk.inbox / "closed").chmod(0o755)
    assert "the folder cannot be read (Permission denied)" in done.stdout, done.stderr
    assert "people_2.csv" in done.stdout


def test_a_failure_of_the_program_costs_one_file_only(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    right = reading.detect_encoding

    def failing(path: Any) -> str:
        if path.name == "people_1.csv":
            raise KeyError("not foreseen")
        return right(path)

    monkeypatch.setattr(reading, "detect_encoding", failing)
    desk.deliver("people_1.csv", PEOPLE)
    desk.deliver("people_2.csv", "id,name,amount\n1,a,2\n")
    results = {result.file: result for result in desk.load().files}
    assert results["people_2.csv"].rows == 1
    assert "KeyError: 'not foreseen'" in str(results["people_1.csv"].message)
    monkeypatch.undo()
    assert {(r.file, r.status) for r in desk.load().files} == {("people_1.csv", "loaded"), ("people_2.csv", "skipped")}


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [("encoding", "klingon", "is none that is known"), ("encoding", "hex", "is none that is known"), ("skip_lines", -1, "is negative")],
)  # fmt: skip
def test_options_that_mean_nothing(desk: Desk, option: str, value: object, words: str) -> None:
    desk.declare(TABLES | {"people": TABLES["people"] | {option: value}})
    with pytest.raises(DeclarationError, match=f"desk.yml: table people: {option}: .*{words}"):
        desk.load()


def test_a_time_zone_that_does_not_exist(desk: Desk) -> None:
    path = desk.folder / "desk.yml"
    path.write_text(path.read_text() + "time_zone: Mars/Phobos\n")
    with pytest.raises(DeclarationError, match=r"desk\.yml: time_zone: 'Mars/Phobos' is no time zone"):
        desk.load()


def test_fixed_width_that_counts_bytes(desk: Desk) -> None:
    """As mainframes do: a Chinese character is two columns wide in GB18030."""
    columns = {"id": {"start": 1, "width": 5}, "day": {"start": 6, "width": 8}, "n": {"start": 14, "width": 3}}
    wide = TABLES["wide"] | {"columns": columns, "count": "bytes", "encoding": "gb18030"}
    desk.declare(TABLES | {"wide": wide})
    rows = [("1", "客户满意", "7"), ("2", "客a", "8"), ("3", "abcdefgh", "9")]
    lines = [a.encode().ljust(5) + b.encode("gb18030").ljust(8) + c.encode().rjust(3) for a, b, c in rows]
    lines.append(b"4    a" + "客户满意".encode("gb18030") + b" 1")  # the day would end within a character
    desk.deliver("a.fwf", b"\r\n".join(lines) + b"\r\n")
    assert [(r.status, r.rows, r.damaged) for r in desk.load().files] == [("loaded", 4, 1)]
    assert desk.ask("select id, day, n from raw_desk.wide where _problem is null order by id") == rows
    assert desk.ask("select _problem from raw_desk.wide where _problem is not null") == [
        ("a field ends within a character of gb18030",)
    ]
