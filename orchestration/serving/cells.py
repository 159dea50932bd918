"""A mart by cells: which differ from the last snapshot, and how they come into the new one.

Belongs here: digests of cells, replacing the cells that differ. Does not belong here: what a snapshot consists of (build).

A cell is one day and one of 64 parts of the keys. Two customers who turn out to be one person change rows on a hundred days,
but few of each: whole days would be most of the table. A cell is compared by its content, not by what a refresh believes to
have touched: whatever moved a row (a late file, a customer who became another one, a threshold) shows in the digest, which
is the number of rows, the exclusive or and the sum of the hashes of all public columns. So it does not depend on the order of
rows, and sees duplicates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import duckdb
import polars as pl

from orchestration.sources.rawstore import quoted

REWRITTEN_SHARE = 0.25
"""A table of which more than this share of rows was replaced since it was last written whole is written whole: days that
are put back at the end lose their place in the sort order, and what they leave behind is not given back."""


BUCKETS = 64


@dataclass(frozen=True)
class PublicMart:
    """One mart of the snapshot.

    Attributes:
        key: columns that identify a row.
        day: date column by which a fact is sorted first; None: the mart is written whole each time.
        instant: UTC timestamp the day is made of, which lets a few days be read without the others.
    """

    name: str
    columns: tuple[str, ...]
    sort: tuple[str, ...]
    key: tuple[str, ...]
    rights_key: str
    day: str | None = None
    instant: str | None = None

    def select(self, where: str = "true") -> str:
        """Statement that reads the mart from the warehouse with its rights key, in the order of the snapshot."""
        listed = ", ".join(quoted(column) for column in self.columns)
        order = f" order by {', '.join(quoted(column) for column in self.sort)}" if self.sort else ""
        return f"select {listed}, {self.rights_key} as row_unit_id from warehouse.marts.{quoted(self.name)} where {where}{order}"

    @property
    def bucket(self) -> str:
        """Which of the parts of the keys a row belongs to."""
        return f"hash({', '.join(quoted(column) for column in self.key)}) % {BUCKETS}"


def digests(cursor: duckdb.DuckDBPyConnection, mart: PublicMart) -> pl.DataFrame:
    """One row per cell of the mart in the warehouse: mart, day (None for undated rows), bucket, row_count, mixed, added, and
    replaced, the rows put in again since the table was last written whole, which is 0 here."""
    assert mart.day is not None
    hashed = f"hash({', '.join(quoted(column) for column in mart.columns)})"
    return cursor.execute(
        "select ? as mart, day, bucket, count(*) as row_count, bit_xor(digest) as mixed,"
        " cast(sum(cast(digest >> 32 as bigint)) as bigint) as added, cast(0 as bigint) as replaced"
        f" from (select {quoted(mart.day)} as day, {mart.bucket} as bucket, {hashed} as digest from warehouse.marts.{quoted(mart.name)})"
        " group by day, bucket",
        [mart.name],
    ).pl()


def differing(now: pl.DataFrame, last: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Cells (day, bucket) whose digest is not the same in both, and how many rows replacing them costs (old and new)."""
    cell = ["day", "bucket"]
    same = now.join(last, on=[*cell, "row_count", "mixed", "added"], how="semi", nulls_equal=True)
    either = pl.concat([now, last]).join(same, on=cell, how="anti", nulls_equal=True)
    return either.select(cell).unique().sort(cell), int(either["row_count"].sum())


def replace(cursor: duckdb.DuckDBPyConnection, mart: PublicMart, cells: pl.DataFrame) -> list[date | None]:
    """Put the given cells of the mart as the warehouse has them in the place of those the snapshot has. Returns their days."""
    assert mart.day is not None
    changed: list[date | None] = cells["day"].unique().sort().to_list()
    if cells.is_empty():
        return changed
    cursor.register("cells", cells)
    inside = f"exists (select 1 from cells where cells.day is not distinct from {quoted(mart.day)} and cells.bucket = {mart.bucket})"
    days = in_days(mart.day, changed)
    cursor.execute(f"begin; delete from main.{quoted(mart.name)} where {days} and {inside}")
    cursor.execute(
        f"insert into main.{quoted(mart.name)} by name {mart.select(f'{_near(mart, changed)} and {days} and {inside}')}"
    )
    cursor.execute("commit")
    cursor.unregister("cells")
    return changed


def in_days(column: str, days: Sequence[date | None]) -> str:
    """Condition that holds for rows of the given days; None stands for rows without a day."""
    dated = ", ".join(f"date '{day.isoformat()}'" for day in days if day is not None)
    parts = ([f"{quoted(column)} in ({dated})"] if dated else []) + (
        [f"{quoted(column)} is null"] if None in days else []
    )
    return f"({' or '.join(parts)})" if parts else "false"


def _near(mart: PublicMart, days: Sequence[date | None]) -> str:
    """Condition on the instant that leaves out rows far from all the days: cheap to test, before any join. A local day lies
    within a day of the UTC day of the same date, whatever the zone."""
    if mart.instant is None or None in days:
        return "true"
    column = quoted(mart.instant)
    spans: list[tuple[date, date]] = []
    for day in sorted(day for day in days if day is not None):
        start, end = day - timedelta(days=1), day + timedelta(days=2)
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return "(" + " or ".join(f"{column} >= date '{start}' and {column} < date '{end}'" for start, end in spans) + ")"
