"""Inbox files as bytes and text: unpacking with bounds, encodings, headers, delimiters.

Belongs here: everything about a file before its records are known. Does not belong here: the raw database.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import hashlib
import os
import re
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from orchestration.sources.declarations import TableDeclaration, snake_case

CHUNK = 1 << 20
MAX_LINE_BYTES = 2 << 20
MAX_COLUMNS = 2_000
"""Columns a file may have: the database takes quadratic time and memory to learn them (10,000 took all of 8 GB)."""
MAX_UNPACKED_BYTES = 64 << 30
MAX_RATIO = 250
RATIO_APPLIES_FROM = 64 << 20
UNDECODABLE = "\ufffe"
"""Marks a byte that could not be decoded; the noncharacter is followed by the byte as `\\xNN`."""


csv.field_size_limit(4 * MAX_LINE_BYTES)  # its default of 128 KiB is less than a line may have


class FileRefused(ValueError):
    """The file cannot be loaded; the message says why and what to do. Nothing of it was kept."""


@dataclass(frozen=True)
class Header:
    """What the file says about its columns.

    Attributes:
        found: names as the file has them (empty when the file has no header).
        columns: raw column name of each field, in file order.
        skip: physical lines before the first data record.
        warnings: what differs from the declaration, in words.
    """

    found: list[str]
    columns: list[str]
    skip: int
    warnings: list[str]


def sha256_of(path: Path) -> str:
    """SHA-256 of the file as it lies in the inbox."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def unpacked(path: Path, scratch: Path) -> Path:
    """The file itself, or its unpacked content in `scratch` for `.gz` and `.zip`.

    Raises:
        FileRefused: damaged archive, several members, or an archive that unpacks beyond all proportion.
    """
    suffix = path.suffix.lower()
    if suffix == ".gz":
        return _copy_bounded(path, lambda: gzip.open(path, "rb"), scratch / path.stem)
    if suffix == ".zip":
        try:
            with zipfile.ZipFile(path) as archive:
                members = [
                    info
                    for info in archive.infolist()
                    if not info.is_dir() and not info.filename.startswith("__MACOSX/")
                ]
        except zipfile.BadZipFile as error:
            raise FileRefused(
                f"{path.name} is not a readable zip archive ({error}). Ask the sender to pack it again."
            ) from None
        if len(members) != 1:
            raise FileRefused(
                f"{path.name} holds {len(members)} files; put one file in an archive, or unpack it into the inbox."
            )
        if members[0].flag_bits & 0x1:
            raise FileRefused(f"{path.name} is encrypted; unpack it into the inbox.")
        return _copy_bounded(
            path, lambda: zipfile.ZipFile(path).open(members[0]), scratch / Path(members[0].filename).name
        )
    return path


def _copy_bounded(path: Path, opener: object, target: Path) -> Path:
    packed = path.stat().st_size
    written = 0
    try:
        with opener() as source, target.open("wb") as sink:  # type: ignore[operator]
            while chunk := source.read(CHUNK):
                written += len(chunk)
                if written > MAX_UNPACKED_BYTES or (written > RATIO_APPLIES_FROM and written > MAX_RATIO * packed):
                    raise FileRefused(
                        f"{path.name} unpacks to more than {written:,} bytes from {packed:,} (limits: {MAX_RATIO}:1 and"
                        f" {MAX_UNPACKED_BYTES:,} bytes). If it is genuine, unpack it into the inbox yourself."
                    )
                sink.write(chunk)
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        if isinstance(error, OSError) and error.errno == 28:
            raise
        raise FileRefused(f"{path.name} cannot be unpacked ({error}). Ask the sender to pack it again.") from None
    finally:
        if written and (
            written > MAX_UNPACKED_BYTES or (written > RATIO_APPLIES_FROM and written > MAX_RATIO * packed)
        ):
            target.unlink(missing_ok=True)
    return target


def has_old_line_ends(path: Path) -> bool:
    """Whether the lines of a text end with a carriage return alone: its beginning has some and no line feed."""
    with path.open("rb") as stream:
        head = stream.read(CHUNK)
    return b"\r" in head and b"\n" not in head


def with_line_feeds(path: Path, target: Path) -> Path:
    """Copy of a text file in which every line ends with a line feed, also where it ended with a carriage return alone."""
    with path.open("rb") as source, target.open("wb") as sink:
        ended = False
        while chunk := source.read(CHUNK):
            text = chunk.removeprefix(b"\n") if ended else chunk
            ended = chunk.endswith(b"\r")
            sink.write(text.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
    return target


def shown_name(name: str) -> str:
    """A file's name for people: bytes that are no UTF-8 and control characters written as escapes."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def _reads_as_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def detect_encoding(path: Path) -> str:
    """Encoding of a text file: by its byte-order mark, else UTF-8 if that mostly reads, else GB18030 or Latin-1 by their byte pairs.

    Text in Latin-1 that has bytes between 80 and 9F (the euro sign, curly quotes) is Windows-1252.
    """
    with path.open("rb") as stream:
        head = stream.read(4096)
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8"
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if len(head) >= 4 and head.count(b"\0") > len(head) // 4:
        return "utf-16-le" if head[1::2].count(b"\0") >= head[0::2].count(b"\0") else "utf-16-be"
    if _reads_as_utf8(path):
        return "utf-8"
    valid = invalid = paired = single = windows = 0
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            if chunk.isascii():
                continue
            text = decoder.decode(chunk)
            broken = sum(1 for found in re.finditer("[\udc80-\udcff]", text) for _ in found.group())
            invalid += broken
            valid += sum(1 for found in re.finditer("[\x80-\ud7ff\ue000-\U0010ffff]+", text) for _ in found.group())
            windows += sum(map(len, re.findall(rb"[\x80-\x9f]+", chunk)))
            for run in re.findall(rb"[\x81-\xfe][\x80-\xfe]*", chunk):
                if len(run) % 2 == 0 and min(run) >= 0xA1:
                    paired += len(run)
                else:
                    single += len(run)
            if invalid + valid > 200_000:
                break
    # Text of another encoding hardly ever reads as UTF-8 by chance: where most of it does, the rest is damage, to be named
    # record by record, and no reason to read the good records wrongly.
    if valid >= invalid:
        return "utf-8"
    if paired > single:
        return "gb18030"
    return "cp1252" if windows else "latin-1"


def _mark_undecodable(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    bad = error.object[error.start : error.end]
    return "".join(f"{UNDECODABLE}\\x{byte:02x}" for byte in bad), error.end


codecs.register_error("csatlas_mark", _mark_undecodable)


def transcoded(path: Path, encoding: str, target: Path) -> Path:
    """Copy of a text file in UTF-8; bytes that cannot be decoded are marked with `UNDECODABLE`."""
    decoder = codecs.getincrementaldecoder(encoding)("csatlas_mark")
    with path.open("rb") as source, target.open("wb") as sink:
        first = True
        while True:
            chunk = source.read(CHUNK)
            text = decoder.decode(chunk, final=not chunk)
            if first and text:
                text, first = text.removeprefix("\ufeff"), False
            sink.write(text.encode("utf-8", "surrogatepass"))
            if not chunk:
                return target


def read_lines(stream: IO[bytes], count: int) -> list[str]:
    """First physical lines of a UTF-8 stream, each cut at the line limit."""
    lines = []
    for _ in range(count):
        line = stream.readline(MAX_LINE_BYTES)
        if not line:
            break
        lines.append(line.decode("utf-8", "backslashreplace").removeprefix("\ufeff"))
    return lines


def find_delimiter(lines: Iterable[str], quote: str) -> str:
    """The separator that stands equally often, and most often, in the first lines (quoted parts left out)."""
    counted: list[tuple[int, int, str]] = []
    bare = [
        re.sub(f"{re.escape(quote)}[^{re.escape(quote)}]*{re.escape(quote)}", "", line) if quote else line
        for line in lines
    ]
    bare = [line for line in bare if line.strip()]
    for candidate in (",", "\t", ";", "|", "^", "~"):
        counts = [line.count(candidate) for line in bare]
        if counts and counts[0]:
            counted.append((sum(1 for count in counts if count == counts[0]), counts[0], candidate))
    return max(counted)[2] if counted else ","


def split_record(text: str, delimiter: str, quote: str) -> list[str]:
    """Fields of one record.

    Raises:
        csv.Error: its quoting contradicts itself, or it has a line end outside quotes.
    """
    if not quote:
        return text.rstrip("\r\n").split(delimiter)
    return next(csv.reader([text], delimiter=delimiter, quotechar=quote, strict=True), [])


def _field_count(line: str, delimiter: str, quote: str) -> int:
    """Fields of a line; 0 for one that cannot be split."""
    try:
        return len(split_record(line, delimiter, quote))
    except csv.Error:
        return 0


def unique_names(names: Iterable[str]) -> list[str]:
    """Raw column names of a header: snake_case, the second of two equal ones with `_2`, and so on."""
    found: list[str] = []
    for name in names:
        base = folded = snake_case(name)
        if folded.startswith("_"):
            base = folded = f"column{folded}"
        number = 1
        while folded in found:
            number += 1
            folded = f"{base}_{number}"
        found.append(folded)
    return found


def match_header(table: TableDeclaration, names: list[str], skip: int) -> Header:
    """Columns of a file with a header, held against the declaration.

    Raises:
        FileRefused: a required column is missing.
    """
    if len(names) > MAX_COLUMNS:
        raise FileRefused(
            f"the file has {len(names):,} columns; at most {MAX_COLUMNS:,} are taken. Have it exported long (one row per value) instead of wide,"
            " or with the columns that are needed."
        )
    columns, warnings = unique_names(names), []
    doubled = sorted({snake_case(name) for name in names if [snake_case(n) for n in names].count(snake_case(name)) > 1})
    declared = {column.name for column in table.columns}
    for name in doubled:
        if f"{name}_2" not in declared:
            warnings.append(f"column {name!r} stands more than once; the later ones are kept as {name}_2 and so on")
    for column in table.columns:
        if column.name in columns:
            continue
        alias = next((alias for alias in column.aliases if alias in columns), None)
        if alias is not None:
            columns[columns.index(alias)] = column.name
            warnings.append(f"column {column.name!r} arrived under its other name {alias!r}")
        elif column.required:
            raise FileRefused(
                f"required column {column.name!r} is missing. The file has: {_listed(names)}. If it was renamed, add the new"
                f" name to `aliases` of that column in {table.source}.yml, table {table.name}; the file is tried again at the next load."
            )
        else:
            warnings.append(f"column {column.name!r} is missing; its values are null")
    extra = [name for name in columns if name not in declared]
    if extra:
        warnings.append(f"columns that are not declared were kept: {_listed(extra)}")
    return Header(names, columns, skip, warnings)


def _listed(names: list[str]) -> str:
    """Column names for a message: in one line, and no longer than somebody reads."""
    shown = [shown_name(name.strip())[:80] or "(a column without a name)" for name in names[:40]]
    return ", ".join(shown) + (f" and {len(names) - 40:,} more" if len(names) > 40 else "")


def read_header(path: Path, table: TableDeclaration, delimiter: str | None) -> tuple[Header, str]:
    """Header and delimiter of a delimited UTF-8 file.

    Raises:
        FileRefused: no line at all, or not the columns that the declaration asks for.
    """
    with path.open("rb") as stream:
        lines = read_lines(stream, table.skip_lines + 60)[table.skip_lines :]
    if not any(line.strip() for line in lines):
        raise FileRefused("the file is empty. If the source had nothing to send, it should send the header line alone.")
    before = 0
    if (
        table.header
    ):  # empty lines, and the line by which a spreadsheet program tells itself the delimiter, name no columns
        while not lines[before].strip():
            before += 1
        told = re.fullmatch(r"sep=(.)", lines[before].strip("\r\n"), re.IGNORECASE)
        if told and before + 1 < len(lines):
            delimiter, before = delimiter or told[1], before + 1
        lines = lines[before:]
    separator = delimiter or find_delimiter(lines[:40], table.quote)
    if not table.header:
        names = [column.name for column in table.columns]
        found = [_field_count(line, separator, table.quote) for line in lines if line.strip()]
        if len(names) not in found:
            raise FileRefused(
                f"none of the first {len(lines)} lines has the {len(names)} columns of the declaration when split at {separator!r}"
                f" (the first line has {found[0]}). Check delimiter, quote and columns in"
                f" {table.source}.yml, table {table.name}."
            )
        return Header([], names, table.skip_lines, []), separator
    record, used = lines[0], 1
    while table.quote and record.count(table.quote) % 2 and used < len(lines):
        record, used = record + lines[used], used + 1
    if not record.endswith("\n") and len(record) >= MAX_LINE_BYTES:
        raise FileRefused(f"the first line is longer than {MAX_LINE_BYTES:,} bytes; that is no header.")
    try:
        if table.quote and record.count(table.quote) % 2:
            raise csv.Error("a quote is opened and never closed")
        names = split_record(record.rstrip("\r\n"), separator, table.quote)
    except csv.Error as error:
        raise FileRefused(
            f"the header cannot be split into columns ({error}). It begins: {shown_name(record[:60])} Check delimiter and quote in {table.source}.yml,"
            f" table {table.name}, or ask the sender for the file again; it is tried again at the next load."
        ) from None
    return match_header(table, names, table.skip_lines + before + used), separator
