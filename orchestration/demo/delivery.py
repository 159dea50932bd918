"""From rows to files: which file of a table a row goes into, and how each table's files are written.

Belongs here: file names, formats, encodings, history files by month and daily files for the last days.
Does not belong here: what the rows say.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
from openpyxl import Workbook

from orchestration.demo.plan import DAILY_FILES, Plan


@dataclass(frozen=True)
class Shape:
    """How the files of one table look."""

    stem: str
    suffix: str = ".csv"
    separator: str = ","
    encoding: str = "utf-8"
    header: bool = True
    quotes: str = "necessary"


SHAPES: dict[str, Shape] = {
    "zendesk.tickets": Shape("tickets"),
    "zendesk.ticket_field_history": Shape("ticket_field_history"),
    "zendesk.ticket_comments": Shape("ticket_comments"),
    "zendesk.users": Shape("users"),
    "zendesk.organizations": Shape("organizations"),
    "zendesk.groups": Shape("groups"),
    "zendesk.chats": Shape("chats"),
    "asterisk.queue_log": Shape("queue_log", suffix=".log", separator="|", header=False, quotes="never"),
    "asterisk.cdr": Shape("Master", header=False, quotes="non_numeric"),
    "surveys.questions": Shape("questions", encoding="utf-8-sig"),
    "surveys.invitations": Shape("invitations", encoding="utf-8-sig"),
    "surveys.responses": Shape("responses", encoding="utf-8-sig"),
    "surveys.answers": Shape("answers", encoding="utf-8-sig"),
    "crm.org_units": Shape("org_units"),
    "crm.agents": Shape("agents"),
    "crm.customers": Shape("客户资料", encoding="gb18030"),
    "crm.customer_identifiers": Shape("identifiers"),
    "crm.rosters": Shape("rosters"),
    "crm.agent_states": Shape("agent_states"),
    "crm.quality_reviews": Shape("质检", encoding="gb18030"),
    "crm.commitments": Shape("commitments"),
    "crm.corrective_actions": Shape("corrective_actions", suffix=".xlsx"),
    "crm.operational_events": Shape("operational_events"),
    "crm.external_measures": Shape("published_index"),
    "billing.parties": Shape("parties", separator=";"),
    "billing.account_parties": Shape("account_parties", separator=";"),
    "billing.subscriptions": Shape("subscriptions", suffix=".csv.gz", separator=";"),
    "billing.charges": Shape("charges", suffix=".parquet"),
    "billing.payments": Shape("payments", separator=";"),
    "retention.offers": Shape("offers", suffix=".jsonl"),
    "retention.dunning": Shape("dunning", suffix=".jsonl"),
    "retention.care": Shape("care", suffix=".jsonl"),
}


def csv_bytes(frame: pl.DataFrame, shape: Shape, header: bool | None = None) -> bytes:
    """A frame as the text file its table's system writes."""
    buffer = io.BytesIO()
    frame.write_csv(buffer, separator=shape.separator, include_header=shape.header if header is None else header, quote_style=shape.quotes, null_value="")  # type: ignore[arg-type]
    content = buffer.getvalue()
    if shape.encoding == "utf-8":
        return content
    if shape.encoding == "utf-8-sig":
        return b"\xef\xbb\xbf" + content
    return content.decode("utf-8").encode(shape.encoding)


def write_frame(path: Path, frame: pl.DataFrame, shape: Shape) -> None:
    """Write one whole file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if shape.suffix == ".parquet":
        frame.write_parquet(path, compression="zstd", statistics=True)
    elif shape.suffix == ".jsonl":
        frame.write_ndjson(path)
    elif shape.suffix == ".xlsx":
        _write_excel(path, frame)
    elif shape.suffix == ".csv.gz":
        # A fixed time in the gzip header: equal rows give equal bytes.
        with path.open("wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=4) as packed:
            packed.write(csv_bytes(frame, shape))
    else:
        path.write_bytes(csv_bytes(frame, shape))


def _write_excel(path: Path, frame: pl.DataFrame) -> None:
    """One sheet `actions`. The workbook's times are fixed afterwards, or no two files would be equal."""
    import datetime
    import zipfile

    book = Workbook()
    sheet = book.active
    sheet.title = "actions"
    sheet.append(frame.columns)
    for row in frame.iter_rows():
        sheet.append(list(row))
    book.properties.created = book.properties.modified = datetime.datetime(2020, 1, 1)  # noqa: DTZ001 - a workbook has no time zone
    first = io.BytesIO()
    book.save(first)
    with zipfile.ZipFile(first) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for info in source.infolist():
            content = source.read(info)
            if info.filename == "docProps/core.xml":
                content = _without_clock(content)
            fixed = zipfile.ZipInfo(info.filename, date_time=(2020, 1, 1, 0, 0, 0))
            fixed.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(fixed, content)


def _without_clock(content: bytes) -> bytes:
    import re

    return re.sub(rb"(<dcterms:modified[^>]*>)[^<]*(</dcterms:modified>)", rb"\g<1>2020-01-01T00:00:00Z\g<2>", content)


@dataclass
class Outbox:
    """Collects rows by table and writes them into the files in which they are delivered.

    Every frame carries `_day`, the day of delivery. Full months before the last days come as one file a month (dated with
    the last day in it), the last `DAILY_FILES` days as one file each. `only` restricts writing to one day's file.
    """

    plan: Plan
    inbox: Path
    until: int
    only: int | None = None
    rows: dict[str, int] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)
    _waiting: dict[str, list[pl.DataFrame]] = field(default_factory=dict)
    _opened: set[Path] = field(default_factory=set)

    @property
    def first_daily(self) -> int:
        return self.until - DAILY_FILES + 1

    def file_day(self, day: int) -> int:
        """The day in the name of the file that delivers what is due on `day`."""
        if day >= self.first_daily or self.only is not None:
            return day
        month_end = self.plan.month_days(self.plan.month_of_day(day))[1] - 1
        return min(month_end, self.first_daily - 1)

    def path(self, table: str, day: int, mark: str = "") -> Path:
        shape = SHAPES[table]
        date = self.plan.day_date(self.file_day(day) if not mark else day)
        return self.inbox / table.split(".")[0] / f"{shape.stem}_{date:%Y%m%d}{mark}{shape.suffix}"

    def is_due(self, day: int) -> bool:
        return day <= self.until and (self.only is None or day == self.only)

    def add(self, table: str, frame: pl.DataFrame) -> None:
        """Rows of a table; written by `flush` of the month in which they are due."""
        due = frame.filter(pl.col("_day") <= self.until) if self.only is None else frame.filter(pl.col("_day") == self.only)
        if due.height:
            self._waiting.setdefault(table, []).append(due)

    def flush(self, month: int) -> None:
        """Write everything that is due in a month or before it."""
        _, nxt = self.plan.month_days(month)
        for table in list(self._waiting):
            frame = pl.concat(self._waiting[table], how="vertical")
            now = frame.filter(pl.col("_day") < nxt)
            later = frame.filter(pl.col("_day") >= nxt)
            if later.height:
                self._waiting[table] = [later]
            else:
                del self._waiting[table]
            if now.height:
                self._write(table, month, now.sort("_day", maintain_order=True))

    def _write(self, table: str, month: int, frame: pl.DataFrame) -> None:
        first, _ = self.plan.month_days(month)
        days = frame["_day"].clip(lower_bound=first)
        names = days.map_elements(self.file_day, return_dtype=pl.Int64) if frame.height < 100 else self._file_days(days)
        frame = frame.with_columns(names.alias("_file"))
        for (day,), part in frame.group_by("_file", maintain_order=True):
            path = self.path(table, int(day))  # type: ignore[call-overload]
            write_frame(path, part.drop("_day", "_file"), SHAPES[table])
            self._count(table, part.height, 1)

    def _file_days(self, days: pl.Series) -> pl.Series:
        known = {day: self.file_day(day) for day in days.unique().to_list()}
        return days.cast(pl.Int64).replace_strict(known, return_dtype=pl.Int64)

    def stream(self, table: str, frame: pl.DataFrame) -> None:
        """Rows of a log that is too large to wait for the end of the month: appended at once to their files."""
        due = frame.filter(pl.col("_day") <= self.until) if self.only is None else frame.filter(pl.col("_day") == self.only)
        if not due.height:
            return
        due = due.with_columns(self._file_days(due["_day"]).alias("_file"))
        for (day,), part in due.group_by("_file", maintain_order=True):
            path = self.path(table, int(day))  # type: ignore[call-overload]
            fresh = path not in self._opened
            if fresh:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._opened.add(path)
            with path.open("wb" if fresh else "ab") as out:
                out.write(csv_bytes(part.drop("_day", "_file"), SHAPES[table], header=SHAPES[table].header and fresh))
            self._count(table, part.height, int(fresh))

    def snapshot(self, table: str, month: int, make: Callable[[int], pl.DataFrame]) -> None:
        """The whole table, on the last day of the month and on each of the last days."""
        first, nxt = self.plan.month_days(month)
        for day in range(first, min(nxt, self.until + 1)):
            if self.is_due(day) and (day == nxt - 1 or day >= self.first_daily):
                frame = make(day)
                write_frame(self.snapshot_path(table, day), frame, SHAPES[table])
                self._count(table, frame.height, 1)

    def snapshot_path(self, table: str, day: int) -> Path:
        """Where the snapshot of a day lies."""
        shape = SHAPES[table]
        return self.inbox / table.split(".")[0] / f"{shape.stem}_{self.plan.day_date(day):%Y%m%d}{shape.suffix}"

    def special(self, table: str, day: int, mark: str, content: bytes, rows: int) -> Path | None:
        """A file of its own beside the regular one (damaged, repeated, in another encoding)."""
        if not self.is_due(day):
            return None
        path = self.path(table, day, mark)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self._count(table, rows, 1)
        return path

    def _count(self, table: str, rows: int, files: int) -> None:
        self.rows[table] = self.rows.get(table, 0) + rows
        self.files[table] = self.files.get(table, 0) + files
