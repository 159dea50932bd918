"""A mart by days: which days differ from the last snapshot, and how they come into the new one.

Belongs here: digests of days, replacing the days that differ. Does not belong here: what a snapshot consists of (build).

A day is compared by its content, not by what a refresh believes to have touched: whatever moved a row (a late file, a
customer who became another one, a threshold) shows in the digest. The digest is the number of rows, the exclusive or and
the sum of the hashes of all public columns, so it does not depend on the order of rows and sees duplicates.
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


@dataclass(frozen=True)
class PublicMart:
    """One mart of the snapshot. `day` is the date column it is sorted by first, None when that is no date; `instant` the
    UTC timestamp the day is made of, which lets a few days be read without the others."""

    name: str
    columns: tuple[str, ...]
    sort: tuple[str, ...]
    rights_key: str
    day: str | None = None
    instant: str | None = None

    def select(self, where: str = "true") -> str:
        """Statement that reads the mart from the warehouse with its rights key, in the order of the snapshot."""
        listed = ", ".join(quoted(column) for column in self.columns)
        order = f" order by {', '.join(quoted(column) for column in self.sort)}" if self.sort else ""
        return f"select {listed}, {self.rights_key} as row_unit_id from warehouse.marts.{quoted(self.name)} where {where}{order}"


def digests(cursor: duckdb.DuckDBPyConnection, mart: PublicMart) -> pl.DataFrame:
    """One row per day of the mart in the warehouse: mart, day (None for undated rows), row_count, mixed, added, and replaced,
    the rows put in again since the table was last written whole, which is 0 here."""
    assert mart.day is not None
    hashed = f"hash({', '.join(quoted(column) for column in mart.columns)})"
    return cursor.execute(
        "select ? as mart, day, count(*) as row_count, bit_xor(digest) as mixed, cast(sum(cast(digest >> 32 as bigint)) as bigint) as added,"
        f" cast(0 as bigint) as replaced from (select {quoted(mart.day)} as day, {hashed} as digest from warehouse.marts.{quoted(mart.name)})"
        " group by day",
        [mart.name],
    ).pl()


def differing(now: pl.DataFrame, last: pl.DataFrame) -> tuple[list[date | None], int]:
    """Days whose digest is not the same in both, and how many rows replacing them costs (old and new)."""
    same = now.join(last, on=["day", "row_count", "mixed", "added"], how="semi", nulls_equal=True)
    either = pl.concat([now, last]).join(same, on="day", how="anti", nulls_equal=True)
    return either["day"].unique().sort().to_list(), int(either["row_count"].sum())


def replace_days(cursor: duckdb.DuckDBPyConnection, mart: PublicMart, days: Sequence[date | None]) -> None:
    """Put the given days of the mart as the warehouse has them in the place of those the snapshot has."""
    assert mart.day is not None
    if not days:
        return
    where = in_days(mart.day, days)
    cursor.execute(f"begin; delete from main.{quoted(mart.name)} where {where}")
    cursor.execute(f"insert into main.{quoted(mart.name)} by name {mart.select(f'{where} and {_near(mart, days)}')}")
    cursor.execute("commit")


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
