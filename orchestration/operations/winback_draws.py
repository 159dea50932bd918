"""Which lost customers are asked to come back: a random draw with a seed, and the lot that holds some of them out (`draws`).

Belongs here: the draw (a pure function of candidates, size and seed) and reading the candidates from a snapshot. Does not belong here: who is a candidate (the mart
`fct_win_back_candidates`) and what came of it (`fct_retention_offers`).

Candidates are drawn systematically, in the order of fee class, time since the end, kind of customer and unit; of the drawn ones every so-manyth is held out, from
a random start, so that both groups spread over the classes as the candidates do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from dashboards.data.snapshot import Snapshot
from orchestration.operations import draws
from orchestration.operations.draws import DrawError
from orchestration.settings import Settings

METHOD = "systematic-lot-sha256-1"
"""Changes when the same seed and candidates would give another draw."""

CANDIDATES: dict[str, type[pl.DataType]] = {
    "customer_key": pl.String,
    "org_unit_id": pl.String,
    "customer_kind": pl.String,
    "fee_class": pl.String,
    "gone_class": pl.String,
}
"""Columns of the candidates, one row per customer."""
_STRATUM = ("fee_class", "gone_class", "customer_kind", "org_unit_id")
_KEY = ("customer_key",)
DRAWN = [*_KEY, *_STRATUM, "assignment", "probability"]
"""Columns of a draw, also of the file. `assignment`: treated or held_out. Pseudonymous keys only."""


@dataclass(frozen=True)
class WinbackDraw:
    """A draw as it is recorded.

    Attributes:
        draw_id: also the name of its files.
        day: last day of the data of the snapshot.
        seed: from which everything follows, with the candidates.
        size: customers wanted.
        control_share: share of the drawn ones that is held out.
        fee_class: only candidates of this class; None = all.
        gone_class: the same.
        snapshot_version: the snapshot the candidates were read from.
        drawn_at: when (UTC).
        method: the way of drawing.
        earlier_draws: draws of the same day of data recorded before: a draw that is repeated until it pleases is none.
        candidates_digest: SHA-256 of the candidates.
        classes: per class its candidates, how many were drawn and how many of these are held out.
        customers: the drawn ones (`DRAWN`).
    """

    draw_id: str
    day: date
    seed: int
    size: int
    control_share: float
    fee_class: str | None
    gone_class: str | None
    snapshot_version: str
    drawn_at: datetime
    method: str
    earlier_draws: int
    candidates_digest: str
    classes: list[dict[str, Any]]
    customers: list[dict[str, Any]]


def draw_customers(candidates: pl.DataFrame, day: date, size: int, control_share: float, seed: int) -> pl.DataFrame:
    """The customers to ask, and those to hold out.

    Args:
        candidates: columns of `CANDIDATES`, one row per customer.
        day: last day of the data; part of the random numbers.
        size: customers wanted, 0 or more.
        control_share: 0 to 1 (excluded); round(drawn x share) are held out.
        seed: the same seed, day, size, share and candidates give the same draw, whatever their order.

    Returns:
        Columns of `DRAWN`, sorted by customer: min(size, candidates) customers; `probability`: of being drawn, before the draw.

    Raises:
        ValueError: a customer is there twice, or size or share is out of bounds.
    """
    if size < 0 or not 0 <= control_share < 1:
        raise ValueError("size must be 0 or more, control_share at least 0 and below 1")
    if candidates["customer_key"].is_duplicated().any():
        raise ValueError("candidates: a customer is there twice")
    found = candidates.select(*CANDIDATES).to_dicts()
    found.sort(
        key=lambda row: (*(str(row[name]) for name in _STRATUM), draws.uniform(seed, day, "place", row["customer_key"]))
    )
    n = min(size, len(found))
    drawn = [found[place] for place in draws.systematic(len(found), n, draws.uniform(seed, day, "draw"))]
    out = round(n * control_share)
    held = set(draws.systematic(n, out, draws.uniform(seed, day, "lot")))
    rows = [
        row | {"assignment": "held_out" if place in held else "treated", "probability": n / len(found)}
        for place, row in enumerate(drawn)
    ]
    schema = {name: CANDIDATES.get(name, pl.String) for name in DRAWN} | {"probability": pl.Float64}
    return pl.DataFrame(rows, schema=schema).sort(*_KEY)


def candidates_of(snapshot: Snapshot, fee_class: str | None, gone_class: str | None) -> tuple[pl.DataFrame, date]:
    """The customers who may be drawn, and the last day of the data.

    Raises:
        DrawError: nobody may be drawn, a class is unknown, or the snapshot is older than the mart.
    """
    if "fct_win_back_candidates" not in draws.table_names(snapshot):
        raise DrawError("the published snapshot has no list of lost customers; run `csatlas refresh` first.")
    for name, wanted in (("fee_class", fee_class), ("gone_class", gone_class)):
        known = [
            row["value"]
            for row in snapshot.rows(
                f"select distinct {name} as value from main.fct_win_back_candidates where is_candidate order by 1"
            )
        ]
        if wanted is not None and wanted not in known:
            raise DrawError(f"no candidate has {name} {wanted!r}; there are {', '.join(known) or 'none'}.")
    found = snapshot.frame(
        "select customer_key, org_unit_id, customer_kind, fee_class, gone_class, as_of from main.fct_win_back_candidates"
        " where is_candidate and (? is null or fee_class = ?) and (? is null or gone_class = ?)",
        [fee_class, fee_class, gone_class, gone_class],
    )
    if found.is_empty():
        raise DrawError("there is no lost customer who may be asked.")
    day: date = found["as_of"].item(0)
    return found.select(pl.col(name).cast(kind) for name, kind in CANDIDATES.items()).sort(*_KEY), day


def _again(candidates: pl.DataFrame, record: Mapping[str, Any]) -> pl.DataFrame:
    return draw_customers(
        candidates,
        date.fromisoformat(record["day"]),
        int(record["size"]),
        float(record["control_share"]),
        int(record["seed"]),
    )


def _found(snapshot: Snapshot, record: Mapping[str, Any]) -> pl.DataFrame:
    return candidates_of(snapshot, record["fee_class"], record["gone_class"])[0]


LAYOUT = draws.Layout(
    "winback", "customers", METHOD, CANDIDATES, _KEY, (*_KEY, "assignment"), tuple(DRAWN), "day", _again, _found
)


def draw_winback(
    settings: Settings,
    snapshot: Snapshot,
    version: str,
    size: int,
    control_share: float,
    seed: int | None,
    fee_class: str | None = None,
    gone_class: str | None = None,
    now: datetime | None = None,
) -> WinbackDraw:
    """Draw lost customers and record it before anybody sees it.

    Args:
        version: of the snapshot.
        seed: None takes one at random; it is recorded.
        now: time of the record (default: the clock).

    Raises:
        DrawError: nobody to draw from.
    """
    candidates, day = candidates_of(snapshot, fee_class, gone_class)
    used = draws.chosen_seed(seed)
    drawn = draw_customers(candidates, day, size, control_share, used)
    by = ["fee_class", "gone_class"]
    counted = drawn.group_by(by).agg(
        pl.len().cast(pl.Int64).alias("drawn"),
        (pl.col("assignment") == "held_out").sum().cast(pl.Int64).alias("held_out"),
    )
    classes = (
        candidates.group_by(by)
        .agg(pl.len().cast(pl.Int64).alias("candidates"))
        .join(counted, on=by, how="left")
        .with_columns(pl.col("drawn", "held_out").fill_null(0))
        .sort(by)
    )
    at = now or datetime.now(UTC)
    draw = WinbackDraw(
        draw_id=f"winback-{day}-{at:%Y%m%dT%H%M%S%f}Z",
        day=day,
        seed=used,
        size=size,
        control_share=control_share,
        fee_class=fee_class,
        gone_class=gone_class,
        snapshot_version=version,
        drawn_at=at,
        method=METHOD,
        earlier_draws=draws.earlier_draws(settings, f"winback-{day}"),
        candidates_digest=draws.digest(LAYOUT, candidates),
        classes=classes.to_dicts(),
        customers=drawn.to_dicts(),
    )
    draws.record_draw(settings, draw.draw_id, asdict(draw), candidates)
    return draw


def write_file(draw: WinbackDraw, path: Path) -> None:
    """The drawn customers as a CSV file that only its owner may read; an existing one is replaced."""
    draws.write_rows(LAYOUT, draw.draw_id, draw.customers, path)
