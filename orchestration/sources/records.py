"""The tolerant reader: records of a damaged text file, each kept or named, one by one.

Belongs here: splitting lines into fields when DuckDB's strict reader refuses the file. Does not belong here: clean files (they take the fast path).
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from orchestration.sources.reading import CHUNK, MAX_LINE_BYTES, UNDECODABLE

BATCH = 50_000
LOOK_AHEAD_LINES = 500
KEPT_CONTENT = 64 << 10


@dataclass(frozen=True)
class Damaged:
    """A record that could not be split: why, and its original text (over-long: its beginning and where the whole lies)."""

    problem: str
    content: str


Record = list[str | None] | Damaged
Spool = Callable[[int], Path]


def _spooled(stream: IO[bytes], start: bytes, target: Path) -> int:
    """Copy the rest of an over-long line to a file; returns the bytes of the whole line."""
    size = len(start)
    with target.open("wb") as sink:
        target.chmod(0o600)
        sink.write(start)
        while True:
            part = stream.readline(CHUNK)
            size += len(part)
            sink.write(part)
            if not part or part.endswith(b"\n"):
                return size


def text_lines(path: Path, skip: int, spool: Spool) -> Iterator[str | Damaged]:
    """Lines of a UTF-8 file without their line end; an undecodable or over-long one comes as `Damaged`.

    Args:
        skip: physical lines to leave out at the beginning.
        spool: gives the file in which the n-th over-long line is kept in full.
    """
    spooled = 0
    with path.open("rb", buffering=CHUNK) as stream:
        for _ in range(skip):
            while (part := stream.readline(MAX_LINE_BYTES)) and not part.endswith(b"\n"):
                pass
        if not skip and stream.read(3) != codecs.BOM_UTF8:
            stream.seek(0)
        while line := stream.readline(MAX_LINE_BYTES + 1):
            if len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
                spooled += 1
                target = spool(spooled)
                size = _spooled(stream, line, target)
                start = line[:KEPT_CONTENT].decode("utf-8", "backslashreplace").replace("\0", "\\0")
                yield Damaged(
                    f"line of {size:,} bytes (limit {MAX_LINE_BYTES:,}); kept in full in rejects/{target.name}", start
                )
                continue
            try:
                text = line.decode("utf-8")
            except UnicodeDecodeError as error:
                bad = line.decode("utf-8", "backslashreplace").rstrip("\r\n")
                yield Damaged(
                    f"bytes that are not {error.encoding} at position {error.start}", bad.replace("\0", "\\0")
                )
                continue
            text = text.rstrip("\r\n")
            if UNDECODABLE in text:
                yield Damaged("bytes that cannot be decoded", text.replace(UNDECODABLE, "").replace("\0", "\\0"))
            elif "\0" in text:
                yield Damaged("NUL byte in the line", text.replace("\0", "\\0"))
            else:
                yield text


def delimited_records(lines: Iterator[str | Damaged], width: int, delimiter: str, quote: str) -> Iterator[Record]:
    """Records of a delimited text. Empty lines are no records.

    A quote that is never closed costs its own line only: the lines after it are read as if it were not there.
    """
    waiting: list[str | Damaged] = []

    def following() -> str | Damaged | None:
        return waiting.pop(0) if waiting else next(lines, None)

    while (line := following()) is not None:
        if isinstance(line, Damaged):
            yield line
            continue
        if not quote or quote not in line:
            if not line:
                continue
            fields: list[str] = line.split(delimiter)
            yield list(fields) if len(fields) == width else _ragged(line, len(fields), width)
            continue
        record = line
        taken: list[str | Damaged] = []
        while record.count(quote) % 2 and len(taken) < LOOK_AHEAD_LINES:
            more = following()
            if not isinstance(more, str):
                if more is not None:
                    taken.append(more)
                break
            taken.append(more)
            record = f"{record}\n{more}"
            if len(record) > MAX_LINE_BYTES:
                break
        if record.count(quote) % 2 == 0:
            try:
                parsed = next(csv.reader([record], delimiter=delimiter, quotechar=quote, strict=True))
            except csv.Error as error:
                waiting[:0] = taken
                yield Damaged(f"quoting: {error}", line)
                continue
            if len(parsed) == width:
                yield list(parsed)
            else:
                waiting[:0] = taken
                yield _ragged(line if taken else record, len(parsed), width)
        else:
            waiting[:0] = taken
            yield Damaged("a quote is opened and never closed", line)


def _ragged(line: str, found: int, expected: int) -> Damaged:
    return Damaged(f"{found} columns instead of {expected}", line)


def fixed_width_records(
    lines: Iterator[str | Damaged], fields: list[tuple[int, int]], byte_encoding: str | None = None
) -> Iterator[Record]:
    """Records of a fixed-width text; `fields` holds (first character from 1, number of characters).

    With `byte_encoding` both count bytes of that encoding; a field that ends within a character damages the line.

    Padding belongs to the format and is cut off. A line must reach the last field and may not go beyond it.
    """
    last_start = max(start for start, _ in fields)
    last_end = max(start + width - 1 for start, width in fields)
    for line in lines:
        if isinstance(line, Damaged):
            yield line
        elif not line.strip():
            continue
        elif byte_encoding is not None:
            yield _by_bytes(line, fields, byte_encoding)
        elif len(line) < last_start or len(line.rstrip()) > last_end:
            yield Damaged(f"line of {len(line.rstrip())} characters; the fields reach from 1 to {last_end}", line)
        else:
            yield [line[start - 1 : start - 1 + width].strip() for start, width in fields]


def _by_bytes(line: str, fields: list[tuple[int, int]], encoding: str) -> Record:
    last_start = max(start for start, _ in fields)
    last_end = max(start + width - 1 for start, width in fields)
    packed = line.encode(encoding)
    if len(packed) < last_start or len(packed.rstrip()) > last_end:
        return Damaged(f"line of {len(packed.rstrip())} bytes; the fields reach from 1 to {last_end}", line)
    try:
        return [packed[start - 1 : start - 1 + width].decode(encoding).strip() for start, width in fields]
    except UnicodeDecodeError:
        return Damaged(f"a field ends within a character of {encoding}", line)


def batches(records: Iterator[Record], size: int = BATCH) -> Iterator[list[Record]]:
    """Records in lists of at most `size`."""
    batch: list[Record] = []
    for record in records:
        batch.append(record)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
