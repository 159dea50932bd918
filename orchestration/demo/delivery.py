"""From rows to files: which file of a table a row goes into, and how each table's files are written.

Belongs here: file names, formats, encodings, history files by month and daily files for the last days.
Does not belong here: what the rows say.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import polars as pl
from openpyxl import Workbook  # type: ignore[import-untyped]

from orchestration.demo.plan import DAILY_FILES, Plan


@dataclass(frozen=True)
class Shape:
    """How the files of one table look; `months`: how many months of history one file holds."""

    stem: str
    suffix: str = ".csv"
    separator: str = ","
    encoding: str = "utf-8"
    header: bool = True
    quotes: Literal["necessary", "always", "non_numeric", "never"] = "necessary"
    months: int = 1


SHAPES: dict[str, Shape] = {
    "zendesk.tickets": Shape("tickets"),
    "zendesk.ticket_field_history": Shape("ticket_field_history"),
    "zendesk.ticket_comments": Shape("ticket_comments"),
    "zendesk.users": Shape("users", months=3),
    "zendesk.organizations": Shape("organizations", months=3),
    "zendesk.groups": Shape("groups"),
    "zendesk.chats": Shape("chats"),
    "asterisk.queue_log": Shape("queue_log", suffix=".log", separator="|", header=False, quotes="never"),
    "asterisk.cdr": Shape("Master", header=False, quotes="non_numeric"),
    "surveys.questions": Shape("questions", encoding="utf-8-sig", months=3),
    "surveys.invitations": Shape("invitations", encoding="utf-8-sig"),
    "surveys.responses": Shape("responses", encoding="utf-8-sig"),
    "surveys.answers": Shape("answers", encoding="utf-8-sig"),
    "crm.org_units": Shape("org_units", months=3),
    "crm.agents": Shape("agents", months=3),
    "crm.customers": Shape("客户资料", encoding="gb18030", months=3),
    "crm.customer_identifiers": Shape("identifiers", months=3),
    "crm.rosters": Shape("rosters"),
    "crm.agent_states": Shape("agent_states"),
    "crm.quality_reviews": Shape("质检", encoding="gb18030", months=3),
    "crm.commitments": Shape("commitments"),
    "crm.corrective_actions": Shape("corrective_actions", suffix=".xlsx", months=3),
    "crm.operational_events": Shape("operational_events", months=3),
    "crm.external_measures": Shape("published_index"),
    "billing.parties": Shape("parties", separator=";", months=3),
    "billing.account_parties": Shape("account_parties", separator=";", months=3),
    "billing.subscriptions": Shape("subscriptions", suffix=".csv.gz", separator=";", months=3),
    "billing.charges": Shape("charges", suffix=".parquet"),
    "billing.payments": Shape("payments", separator=";"),
    "retention.offers": Shape("offers", suffix=".jsonl", months=3),
    "retention.dunning": Shape("dunning", suffix=".jsonl", months=3),
    "retention.care": Shape("care", suffix=".jsonl", months=3),
}


def csv_bytes(frame: pl.DataFrame, shape: Shape, header: bool | None = None) -> bytes:
    """A frame as the text file its table's system writes."""
    buffer = io.BytesIO()
    frame.write_csv(
        buffer,
        separator=shape.separator,
        include_header=shape.header if header is None else header,
        quote_style=shape.quotes,
        null_value="",
    )
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
        with (
            path.open("wb") as raw,
            gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=4) as packed,
        ):
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
    book.properties.created = book.properties.modified = datetime.datetime(2020, 1, 1)
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

    Every frame carries `_day`, the day of delivery. What comes before the last days is written as
    one file a month (or a quarter, for small tables), dated with the last day in it; the last `DAILY_FILES` days as one
    file each. `only` restricts writing to one day's file.
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

    def file_day(self, table: str, day: int) -> int:
        """The day in the name of the file that delivers what is due on `day`."""
        if day >= self.first_daily or self.only is not None:
            return day
        return min(self.period_end(table, day), self.first_daily - 1)

    def period_end(self, table: str, day: int) -> int:
        """Last day of the stretch of history that one file of a table holds."""
        months = SHAPES[table].months
        last_month = self.plan.month_of_day(day) // months * months + months - 1
        return self.plan.month_days(last_month)[1] - 1

    def path(self, table: str, day: int, mark: str = "") -> Path:
        shape = SHAPES[table]
        date = self.plan.day_date(self.file_day(table, day) if not mark else day)
        return self.inbox / table.split(".")[0] / f"{shape.stem}_{date:%Y%m%d}{mark}{shape.suffix}"

    def is_due(self, day: int) -> bool:
        return day <= self.until and (self.only is None or day == self.only)

    def add(self, table: str, frame: pl.DataFrame) -> None:
        """Rows of a table; written by `flush` of the month in which they are due."""
        due = (
            frame.filter(pl.col("_day") <= self.until)
            if self.only is None
            else frame.filter(pl.col("_day") == self.only)
        )
        if due.height:
            self._waiting.setdefault(table, []).append(due)

    def flush(self, month: int, final: bool) -> None:
        """Write everything whose file is complete at the end of a month; `final`: all that is left."""
        first, nxt = self.plan.month_days(month)
        for table in list(self._waiting):
            if not final and self.period_end(table, first) >= nxt:
                continue
            frame = pl.concat(self._waiting.pop(table), how="vertical")
            now, later = frame.filter(pl.col("_day") < nxt), frame.filter(pl.col("_day") >= nxt)
            if later.height:
                self._waiting[table] = [later]
            if now.height:
                self._write(table, now.sort("_day", maintain_order=True))

    def _write(self, table: str, frame: pl.DataFrame) -> None:
        for day, part in self._by_file(table, frame):
            write_frame(self.path(table, day), part, SHAPES[table])
            self._count(table, part.height, 1)

    def _by_file(self, table: str, frame: pl.DataFrame) -> Iterator[tuple[int, pl.DataFrame]]:
        """The rows of each file, by the day in its name."""
        days = frame["_day"].cast(pl.Int64)
        names = {day: self.file_day(table, day) for day in days.unique().to_list()}
        named = frame.with_columns(days.replace_strict(names, return_dtype=pl.Int64).alias("_file"))
        for part in named.partition_by("_file", maintain_order=True):
            yield int(part["_file"][0]), part.drop("_day", "_file")

    def stream(self, table: str, frame: pl.DataFrame) -> None:
        """Rows of a log that is too large to wait for the end of the month: appended at once to their files."""
        due = (
            frame.filter(pl.col("_day") <= self.until)
            if self.only is None
            else frame.filter(pl.col("_day") == self.only)
        )
        if not due.height:
            return
        for day, part in self._by_file(table, due):
            path = self.path(table, day)
            fresh = path not in self._opened
            if fresh:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._opened.add(path)
            with path.open("wb" if fresh else "ab") as out:
                out.write(csv_bytes(part, SHAPES[table], header=SHAPES[table].header and fresh))
            self._count(table, part.height, int(fresh))

    def snapshot(self, table: str, month: int, make: Callable[[int], pl.DataFrame]) -> None:
        """The whole table: on the last day of each stretch of history and on each of the last days."""
        first, nxt = self.plan.month_days(month)
        for day in range(first, min(nxt, self.until + 1)):
            if self.is_due(day) and (day == self.period_end(table, day) or day >= self.first_daily):
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
