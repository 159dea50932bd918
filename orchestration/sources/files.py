"""Loading the inbox: each file in one transaction, whole or not at all, never twice.

Belongs here: which files to take, the fast and the tolerant path, the result of each file. Does not belong here: what a
declaration means (declarations), bytes and headers (reading), damaged lines (records), the schema of raw (rawstore).
"""

from __future__ import annotations

import errno
import fnmatch
import json
import os
import shutil
import time
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pyarrow as pa

from orchestration.settings import Settings
from orchestration.sources import rawstore, reading, records
from orchestration.sources.declarations import SourceDeclaration, TableDeclaration
from orchestration.sources.rawstore import LOAD_COLUMNS, quoted, raw_table
from orchestration.sources.reading import FileRefused, Header
from orchestration.sources.records import Damaged, Record

_IGNORED_SUFFIXES = (".tmp", ".part", ".partial", ".crdownload")
_MAX_WORKBOOK_BYTES = 2 << 30
WORKBOOK_ERRORS = (
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, SyntaxError, LookupError, ValueError, TypeError, AttributeError,
)  # fmt: skip
"""What openpyxl lets through when a workbook is damaged; a damaged XML part is a SyntaxError."""
_PLAIN_UTF8 = ("utf-8", "utf8", "ascii")


_READ_WRONGLY_FROM = 3
"""Records, all of them damaged, from which the declaration is more likely wrong than the records; loaded, they could not be read again."""


class LoadAborted(RuntimeError):
    """The raw database itself failed (disk full, damaged): nothing half done was kept; the message says what to do."""


@dataclass(frozen=True)
class FileResult:
    """What became of one inbox file.

    Attributes:
        status: loaded | skipped (its content is in already) | refused | deferred (still being written) | unmatched.
        rows: records written, the damaged ones included.
    """

    source: str
    table: str | None
    file: str
    status: str
    delivery: str | None = None
    file_id: int | None = None
    rows: int = 0
    damaged: int = 0
    path: str | None = None
    encoding: str | None = None
    warnings: tuple[str, ...] = ()
    message: str | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class LoadReport:
    """Results of one load, in the order in which the files were taken."""

    load_id: str
    files: tuple[FileResult, ...] = field(default=())

    def of_status(self, status: str) -> list[FileResult]:
        """Results with one status."""
        return [result for result in self.files if result.status == status]

    @property
    def rows(self) -> int:
        """Records written by this load."""
        return sum(result.rows for result in self.files if result.status == "loaded")


Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class _Found:
    path: Path
    name: str
    table: TableDeclaration
    delivery: str


def _inbox_files(folder: Path) -> tuple[list[Path], list[tuple[Path, str]]]:
    """Files of a source's folder, and what cannot be looked into, with its reason: nothing is passed over without a word."""
    files: list[Path] = []
    odd: list[tuple[Path, str]] = []

    def closed(error: OSError) -> None:
        odd.append((Path(str(error.filename)), f"the folder cannot be read ({error.strerror}); check its rights"))

    for parent, folders, names in os.walk(folder, onerror=closed):
        for path in (Path(parent, name) for name in folders):
            if path.is_symlink():
                odd.append(
                    (
                        path,
                        "is a link to a folder, which is not followed; link the source's folder itself, or the files",
                    )
                )
        for path in (Path(parent, name) for name in names):
            if path.name.startswith(".") or path.suffix.lower() in _IGNORED_SUFFIXES:
                continue
            if path.is_file():
                files.append(path)
            elif path.is_symlink() and not path.exists():
                odd.append((path, f"is a link that leads nowhere ({path.readlink()}); mend or remove it"))
            else:
                odd.append((path, "is no file that can be read to its end (a pipe, socket or device); remove it"))
    return sorted(files), sorted(odd)


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _matches(table: TableDeclaration, name: str) -> bool:
    base = name.removesuffix(".gz").removesuffix(".zip")
    target = [name, base] if "/" in table.pattern else [name.rsplit("/", 1)[-1], base.rsplit("/", 1)[-1]]
    return any(fnmatch.fnmatchcase(candidate, table.pattern) for candidate in target)


def _modified(path: Path) -> str:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).strftime("%Y%m%dT%H%M%S")


def _find(settings: Settings, declaration: SourceDeclaration) -> tuple[list[_Found], list[FileResult]]:
    found, odd = [], []
    folder = settings.inbox / declaration.source
    files, passed_over = _inbox_files(folder) if folder.is_dir() else ([], [])
    for path, message in passed_over:
        name = reading.shown_name(path.relative_to(folder).as_posix())
        odd.append(FileResult(declaration.source, None, name, "refused", message=reading.shown_name(message)))
    for path in files:
        name = path.relative_to(folder).as_posix()
        if not _is_unicode(name):
            name = reading.shown_name(name)
            message = "its name is no UTF-8, so it cannot be written down; rename it"
            odd.append(FileResult(declaration.source, None, name, "refused", message=message))
            continue
        name = unicodedata.normalize("NFC", name)
        tables = [table for table in declaration.tables.values() if _matches(table, name)]
        if len(tables) == 1:
            found.append(_Found(path, name, tables[0], tables[0].delivery_of(name, _modified(path))))
        elif tables:
            names = " and ".join(f"{table.name} ({table.pattern})" for table in tables)
            message = f"matches the patterns of {names}; make the patterns in {declaration.source}.yml tell them apart"
            odd.append(FileResult(declaration.source, None, name, "refused", message=message))
        else:
            message = (
                f"matches no pattern of {declaration.source}.yml"
                f" ({', '.join(table.pattern for table in declaration.tables.values())}); it was left alone"
            )
            odd.append(FileResult(declaration.source, None, name, "unmatched", message=message))
    return sorted(found, key=lambda item: (item.delivery, item.table.name, item.name)), odd


def load_inbox(
    settings: Settings,
    declarations: Mapping[str, SourceDeclaration],
    load_id: str,
    *,
    progress: Progress | None = None,
    only: Iterable[str] | None = None,
) -> LoadReport:
    """Load every new file of the inbox into the raw database.

    Args:
        settings: whose home to load into.
        declarations: enabled sources; their raw tables are made even when no file came.
        load_id: identity of this run, written beside every row.
        progress: called with (files done, files in all, file name) before each file.
        only: sources to load; default: all of `declarations`.

    Returns:
        What became of each file. A refused file costs nothing else.

    Raises:
        LoadAborted: the raw database or the disk failed; what was loaded before stays, nothing half done does.
        rawstore.RawVersionError: the raw database belongs to a newer program.
    """
    loaded_at = datetime.now(UTC).replace(tzinfo=None)
    chosen = [declarations[name] for name in (declarations if only is None else only)]
    results: list[FileResult] = []
    scratch = rawstore.private_folder(settings.home / "tmp" / "load")
    with rawstore.open_raw(settings) as connection:
        rawstore.prepare_tables(connection, declarations)
        queue: list[_Found] = []
        for declaration in chosen:
            found, odd = _find(settings, declaration)
            queue += found
            results += odd
        loader = _Loader(settings, connection, load_id, loaded_at, scratch)
        for done, item in enumerate(queue):
            if progress is not None:
                progress(done, len(queue), f"{item.table.source}/{item.name}")
            results.append(loader.take(item))
        loader.ledger.write_seen()
        connection.execute("checkpoint")
    shutil.rmtree(scratch, ignore_errors=True)
    return LoadReport(load_id, tuple(results))


class _Loader:
    def __init__(
        self,
        settings: Settings,
        connection: duckdb.DuckDBPyConnection,
        load_id: str,
        loaded_at: datetime,
        scratch: Path,
    ) -> None:
        self.settings = settings
        self.connection = connection
        self.load_id = load_id
        self.loaded_at = loaded_at
        self.scratch = scratch
        self.ledger = rawstore.Ledger(connection)
        self.columns: dict[tuple[str, str], set[str]] = {}

    def take(self, item: _Found) -> FileResult:
        """Load one file unless its content is in already."""
        started = time.monotonic()
        table = item.table
        try:
            before = item.path.stat()
            sha256 = self.ledger.content_of(item.path, before, reading.sha256_of)
        except OSError as error:
            message = f"cannot be read ({error.strerror}); check its rights, it is tried again at the next load"
            return FileResult(table.source, table.name, item.name, "refused", item.delivery, message=message)
        if self.ledger.holds(table, sha256, item.delivery):
            return FileResult(table.source, table.name, item.name, "skipped", item.delivery)
        file_id = self.ledger.next_id()
        entry: dict[str, object] = {
            **dict.fromkeys(rawstore.LEDGER_COLUMNS),
            "file_id": file_id, "source": table.source, "table_name": table.name, "file_name": item.name,
            "content_sha256": sha256, "size_bytes": before.st_size, "delivery": item.delivery,
            "row_count": 0, "damaged_count": 0, "header": "[]", "warnings": "[]",
            "load_id": self.load_id, "loaded_at": self.loaded_at,
        }  # fmt: skip
        for left in self.scratch.iterdir():
            left.unlink()
        try:
            self.connection.begin()
            self._load_or_refuse(item, file_id, entry)
            after = item.path.stat()
            if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
                self._rollback()
                message = "changed while it was read; it is taken at the next load"
                return FileResult(table.source, table.name, item.name, "deferred", item.delivery, message=message)
            entry.update(status="loaded", seconds=round(time.monotonic() - started, 3))
            self.ledger.write(entry)
            self.connection.commit()
            self.ledger.committed(entry)
        except FileRefused as refusal:
            self._rollback()
            before_id, before_message = self.ledger.refused(table, sha256) or (file_id, None)
            entry.update(
                file_id=before_id,
                status="refused",
                message=str(refusal),
                row_count=0,
                damaged_count=0,
                seconds=round(time.monotonic() - started, 3),
            )
            if before_message != str(refusal):  # the same refusal again is no news
                self.connection.begin()
                self.ledger.write(entry)
                self.connection.commit()
                self.ledger.committed(entry)
        except (duckdb.Error, OSError) as error:
            self._rollback()
            if isinstance(error, OSError) and error.errno not in (errno.ENOSPC, errno.EIO, errno.EDQUOT):
                message = f"cannot be read ({error.strerror or error}); it is tried again at the next load"
                return FileResult(table.source, table.name, item.name, "refused", item.delivery, message=message)
            raise LoadAborted(
                f"Loading {table.source}/{item.name} failed: {error}. Nothing of this file was kept, the files before it are in."
                f" If the disk is full, make room below {self.settings.home} and run the refresh again; `csatlas doctor` shows the space."
            ) from error
        warnings = tuple(json.loads(str(entry["warnings"])))
        return FileResult(
            table.source, table.name, item.name, str(entry["status"]), item.delivery, file_id,
            int(str(entry["row_count"])), int(str(entry["damaged_count"])),
            None if entry["path"] is None else str(entry["path"]), None if entry["encoding"] is None else str(entry["encoding"]),
            warnings, None if entry["message"] is None else str(entry["message"]), round(time.monotonic() - started, 3),
        )  # fmt: skip

    def _rollback(self) -> None:
        self.columns.clear()  # a column that the transaction added is gone with it
        try:
            self.connection.rollback()
        except duckdb.Error as error:
            # The transaction may be gone already; anything else means the database is no longer usable.
            if "no transaction" not in str(error).lower():
                raise LoadAborted(f"The raw database cannot roll back: {error}. Run `csatlas doctor`.") from error

    def _columns_of(self, table: TableDeclaration) -> set[str]:
        if not self.columns:
            self.columns = {key: set(names) for key, names in rawstore.all_columns(self.connection).items()}
        return self.columns[f"raw_{table.source}", table.name]

    def _load_or_refuse(self, item: _Found, file_id: int, entry: dict[str, object]) -> None:
        """Load, and refuse the file where the program itself fails on it: one odd file must not cost the night of all others.

        Raises:
            FileRefused: with the words of the failure.
            duckdb.Error, OSError, MemoryError: the database or the machine failed, not the file.
        """
        try:
            self._load(item, file_id, entry)
        except (FileRefused, OSError, MemoryError):
            raise
        except Exception as error:
            of_the_database = (duckdb.OperationalError, duckdb.InternalError, duckdb.FatalException)
            if isinstance(error, of_the_database):
                raise
            words = " ".join(str(error).split())[:300]
            raise FileRefused(
                f"csatlas cannot read it and should have said why in other words ({type(error).__name__}: {words}); please report this."
                " The file is tried again at the next load."
            ) from error

    def _load(self, item: _Found, file_id: int, entry: dict[str, object]) -> None:
        table = item.table
        path = reading.unpacked(item.path, self.scratch)
        if table.format == "parquet":
            self._parquet(path, item, file_id, entry)
        elif table.format == "excel":
            self._excel(path, item, file_id, entry)
        elif table.format == "json_lines":
            self._json_lines(path, item, file_id, entry)
        else:
            self._text(path, item, file_id, entry)
        rows, damaged = int(str(entry["row_count"])), int(str(entry["damaged_count"]))
        if rows == damaged and rows >= _READ_WRONGLY_FROM:
            problem = self.connection.execute(
                f"select _problem from {raw_table(table)} where _file_id = ? order by _record_number limit 1", [file_id]
            ).fetchone()
            raise FileRefused(
                f"none of its {rows:,} records can be read as {table.source}.yml, table {table.name}, says ({'' if problem is None else problem[0]}; read as"
                f" {table.format} in {entry['encoding']}). Check format, encoding, delimiter and quote there; the file is tried again at the next load."
            )
        if table.delivery == "snapshot" and entry["row_count"] == 0 and not table.allow_empty_snapshot:
            raise FileRefused(
                "the snapshot holds no rows; taken at its word it would delete everything. If that is meant, set"
                f" `allow_empty_snapshot: true` in {table.source}.yml, table {table.name}."
            )

    def _insert(
        self, item: _Found, file_id: int, columns: list[str], relation: str, parameters: list[object] | None = None
    ) -> int:
        """Insert `select <columns>, _record_number, _problem, _content from <relation>` with the load facts."""
        rawstore.add_columns(self.connection, item.table, columns, self._columns_of(item.table))
        names = [*columns, *LOAD_COLUMNS]
        facts = f"{file_id}, _record_number, $file, $delivery, $load, cast($loaded_at as timestamp), _problem, _content"
        done = self.connection.execute(
            f"insert into {raw_table(item.table)} ({', '.join(quoted(name) for name in names)})"
            f" select {', '.join(quoted(name) for name in columns)}, {facts} from ({relation})",
            {
                "file": item.name,
                "delivery": item.delivery,
                "load": self.load_id,
                "loaded_at": self.loaded_at,
                **({} if parameters is None else {"path": parameters[0]}),
            },
        ).fetchone()
        return int(done[0]) if done else 0

    def _count_damaged(self, item: _Found, file_id: int) -> int:
        row = self.connection.execute(
            f"select count(*) from {raw_table(item.table)} where _file_id = ? and _problem is not null", [file_id]
        ).fetchone()
        return int(row[0]) if row else 0

    def _text(self, path: Path, item: _Found, file_id: int, entry: dict[str, object]) -> None:
        """Delimited and fixed-width files: DuckDB's strict reader first, the tolerant one when it refuses."""
        table = item.table
        encoding = table.encoding if table.encoding != "auto" else reading.detect_encoding(path)
        entry["encoding"] = encoding
        if encoding.lower() not in _PLAIN_UTF8:
            path = reading.transcoded(path, encoding, self.scratch / "transcoded.txt")
        if reading.has_old_line_ends(path):
            path = reading.with_line_feeds(path, self.scratch / "line_feeds.txt")
        if table.format == "fixed_width":
            header = Header([], [column.name for column in table.columns], table.skip_lines + int(table.header), [])
            separator = ""
        else:
            header, separator = reading.read_header(path, table, table.delimiter)
        entry.update(
            header=json.dumps(header.found, ensure_ascii=False),
            warnings=json.dumps(header.warnings, ensure_ascii=False),
        )
        # Decoding marks what it could not read; such lines are damaged and need the tolerant reader.
        if table.format == "delimited" and not self._has_marks(path, encoding):
            rows = self._fast_delimited(path, item, file_id, header, separator)
            if rows is not None:
                entry.update(path="fast", row_count=rows)
                return
        lines = records.text_lines(path, header.skip, lambda number: self._reject_path(file_id, number))
        if table.format == "fixed_width":
            spans = [(column.start or 1, column.width or 1) for column in table.columns]
            found = records.fixed_width_records(lines, spans, encoding if table.count == "bytes" else None)
        else:
            found = records.delimited_records(lines, len(header.columns), separator, table.quote)
        rows, damaged = self._insert_records(item, file_id, header.columns, found)
        entry.update(path="tolerant", row_count=rows, damaged_count=damaged)

    def _has_marks(self, path: Path, encoding: str) -> bool:
        if encoding.lower() in _PLAIN_UTF8:
            return False  # the strict reader itself refuses bytes that are not UTF-8
        mark = reading.UNDECODABLE.encode()
        with path.open("rb") as stream:
            tail = b""
            while chunk := stream.read(reading.CHUNK):
                if mark in tail + chunk:
                    return True
                tail = chunk[-len(mark) :]
        return False

    def _reject_path(self, file_id: int, number: int) -> Path:
        return rawstore.private_folder(self.settings.rejects) / f"{file_id}-{number}.txt"

    def _fast_delimited(self, path: Path, item: _Found, file_id: int, header: Header, separator: str) -> int | None:
        """Rows loaded by DuckDB's strict reader, or None when it refused the file."""
        quote = f"'{item.table.quote.replace(chr(39), chr(39) * 2)}'"
        names = "{" + ", ".join(f"'{name.replace(chr(39), chr(39) * 2)}': 'varchar'" for name in header.columns) + "}"
        relation = (
            f"select *, row_number() over () as _record_number, null as _problem, null as _content from read_csv($path, columns = {names},"
            f" auto_detect = false, header = false, skip = {header.skip}, delim = '{separator.replace(chr(39), chr(39) * 2)}', quote = {quote},"
            f" escape = {quote}, strict_mode = true, null_padding = false, ignore_errors = false, nullstr = '\x01null\x01',"
            f" max_line_size = {reading.MAX_LINE_BYTES}, parallel = true)"
        )
        try:
            return self._insert(item, file_id, header.columns, relation, [str(path)])
        except (duckdb.IOException, duckdb.OutOfMemoryException, duckdb.FatalException):
            raise
        except (duckdb.Error, UnicodeDecodeError):
            # The strict reader has many ways to refuse a line; each aborts the transaction. The tolerant path says what is wrong. DuckDB quotes the line in its
            # message and cuts it by bytes: inside a Chinese character that makes the message no text, which Python tells as an error of its own.
            self._rollback()
            self.connection.begin()
            return None

    def _insert_records(
        self, item: _Found, file_id: int, columns: list[str], found: Iterator[Record]
    ) -> tuple[int, int]:
        rows = damaged = 0
        width = len(columns)
        empty: list[str | None] = [None] * width
        for batch in records.batches(found):
            bad = [record if isinstance(record, Damaged) else None for record in batch]
            good = [empty if isinstance(record, Damaged) else record for record in batch]
            arrays = [pa.array(column, pa.string()) for column in zip(*good, strict=True)]
            arrays.append(pa.array(range(rows + 1, rows + 1 + len(batch)), pa.int64()))
            arrays.append(pa.array([None if record is None else record.problem for record in bad], pa.string()))
            arrays.append(pa.array([None if record is None else record.content for record in bad], pa.string()))
            chunk = pa.Table.from_arrays(arrays, names=[*columns, "_record_number", "_problem", "_content"])
            self.connection.register("csatlas_chunk", chunk)
            rows += self._insert(item, file_id, columns, "select * from csatlas_chunk")
            self.connection.unregister("csatlas_chunk")
            damaged += sum(record is not None for record in bad)
        return rows, damaged

    def _parquet(self, path: Path, item: _Found, file_id: int, entry: dict[str, object]) -> None:
        try:
            found = [
                str(row[0])
                for row in self.connection.execute(
                    "describe select * from read_parquet($path)", {"path": str(path)}
                ).fetchall()
            ]
            header = reading.match_header(item.table, found, 0)
            selected = ", ".join(
                f"cast({quoted(name)} as varchar) as {quoted(column)}"
                for name, column in zip(found, header.columns, strict=True)
            )
            relation = (
                f"select {selected}, row_number() over () as _record_number, null as _problem, null as _content"
                " from read_parquet($path)"
            )
            rows = self._insert(item, file_id, header.columns, relation, [str(path)])
        except (duckdb.InvalidInputException, duckdb.IOException) as error:
            if "space" in str(error).lower():
                raise
            raise FileRefused(f"is not a readable Parquet file ({error}). Ask the sender for it again.") from None
        entry.update(
            path="fast",
            row_count=rows,
            encoding="parquet",
            header=json.dumps(found, ensure_ascii=False),
            warnings=json.dumps(header.warnings, ensure_ascii=False),
        )

    def _json_lines(self, path: Path, item: _Found, file_id: int, entry: dict[str, object]) -> None:
        encoding = item.table.encoding if item.table.encoding != "auto" else reading.detect_encoding(path)
        if encoding.lower() not in _PLAIN_UTF8:
            path = reading.transcoded(path, encoding, self.scratch / "transcoded.txt")
        lines = records.text_lines(path, 0, lambda number: self._reject_path(file_id, number))
        objects: list[dict[str, object] | Damaged] = []
        keys: dict[str, None] = {}
        for line in lines:
            if isinstance(line, str) and not line.strip():
                continue
            parsed = line if isinstance(line, Damaged) else _json_object(line)
            objects.append(parsed)
            if not isinstance(parsed, Damaged):
                keys.update(dict.fromkeys(parsed))
        if not objects:
            raise FileRefused("the file is empty.")
        header = (
            reading.match_header(item.table, list(keys), 0)
            if keys
            else Header([], [c.name for c in item.table.columns], 0, [])
        )
        found: Iterator[Record] = (
            entry_ if isinstance(entry_, Damaged) else [_json_text(entry_.get(key)) for key in keys]
            for entry_ in objects
        )
        rows, damaged = self._insert_records(item, file_id, header.columns, found)
        entry.update(
            path="tolerant",
            row_count=rows,
            damaged_count=damaged,
            encoding=encoding,
            header=json.dumps(list(keys), ensure_ascii=False),
            warnings=json.dumps(header.warnings, ensure_ascii=False),
        )

    def _excel(self, path: Path, item: _Found, file_id: int, entry: dict[str, object]) -> None:
        try:
            with zipfile.ZipFile(path) as archive:
                unpacked = sum(info.file_size for info in archive.infolist())
            if unpacked <= _MAX_WORKBOOK_BYTES:
                book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        except WORKBOOK_ERRORS as error:
            raise _no_workbook(error) from None
        if unpacked > _MAX_WORKBOOK_BYTES:
            raise FileRefused(f"the workbook unpacks to more than {_MAX_WORKBOOK_BYTES:,} bytes; send it as CSV.")
        try:
            if not book.sheetnames:
                raise FileRefused("the workbook has no sheet with cells. Save it again as .xlsx.")
            sheet_name = item.table.sheet or book.sheetnames[0]
            if sheet_name not in book.sheetnames:
                raise FileRefused(f"has no sheet {sheet_name!r}; its sheets are {', '.join(book.sheetnames)}.")
            rows_found = _sheet_rows(book[sheet_name], item.table.skip_lines)
            first = next(rows_found, None) if item.table.header else ()
            if first is None:
                raise FileRefused("the sheet is empty.")
            names = ["" if name is None else str(name) for name in first]
            while names and not names[-1].strip():
                names.pop()
            header = (
                reading.match_header(item.table, names, 1)
                if item.table.header
                else Header([], [c.name for c in item.table.columns], 0, [])
            )
            width = len(header.columns)
            found = (_excel_record(values, width) for values in rows_found)
            rows, damaged = self._insert_records(item, file_id, header.columns, found)
        finally:
            book.close()
        entry.update(
            path="tolerant",
            row_count=rows,
            damaged_count=damaged,
            encoding="xlsx",
            header=json.dumps(names, ensure_ascii=False),
            warnings=json.dumps(header.warnings, ensure_ascii=False),
        )


def _json_object(line: str) -> dict[str, object] | Damaged:
    try:
        parsed = json.loads(line, parse_float=_Number)
        if "\\ud" in line.lower():
            parsed = _without_lone_surrogates(parsed)
    except (ValueError, RecursionError) as error:  # a whole number of thousands of digits is a ValueError
        return Damaged(f"not JSON: {error}", line)
    return parsed if isinstance(parsed, dict) else Damaged("a JSON value that is not an object", line)


class _Number(str):
    """A number with a fraction or an exponent, as the file wrote it: a float would drop digits and zeros."""


def _without_lone_surrogates(value: Any) -> Any:
    """The value with escapes such as \\ud800, which stand for no character when they stand alone, left as they were written."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, list):
        return [_without_lone_surrogates(entry) for entry in value]
    if isinstance(value, dict):
        return {_without_lone_surrogates(key): _without_lone_surrogates(entry) for key, entry in value.items()}
    return value


def _json_text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return _json_written(value)


def _json_written(value: object) -> str:
    """A nested value as JSON, its numbers as they came."""
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{json.dumps(k, ensure_ascii=False)}: {_json_written(v)}" for k, v in value.items()) + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(map(_json_written, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _no_workbook(error: BaseException) -> FileRefused:
    return FileRefused(f"is not a readable Excel workbook ({error}). Save it again as .xlsx.")


def _sheet_rows(sheet: Any, skip: int) -> Iterator[tuple[object, ...]]:
    """Rows of a sheet that have a value, after the first `skip` rows.

    Raises:
        FileRefused: the sheet cannot be read to its end, or is none of cells.
    """
    if not hasattr(sheet, "reset_dimensions"):
        raise FileRefused(f"the sheet {sheet.title!r} has no cells. Name another one in `sheet`.")
    # The size that the sheet says it has is often wrong ("A1" from programs that write in one go); rows beyond it would be left out.
    sheet.reset_dimensions()
    try:
        for number, values in enumerate(sheet.iter_rows(values_only=True)):
            if number >= skip and any(value is not None for value in values):
                yield values
    except WORKBOOK_ERRORS as error:
        raise _no_workbook(error) from None


def _excel_record(values: tuple[object, ...], width: int) -> Record:
    cells = list(values)
    if any(value is not None for value in cells[width:]):
        return Damaged(
            f"cells beyond the {width} columns of the header",
            json.dumps([_cell_text(cell) for cell in cells], ensure_ascii=False),
        )
    cells += [None] * (width - len(cells))
    return [_cell_text(cell) for cell in cells[:width]]


def _cell_text(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == datetime.min.time() else value.isoformat(sep=" ")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
