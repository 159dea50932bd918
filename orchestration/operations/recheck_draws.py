"""Which closed complaints of a month are to be checked again: a random draw with a seed (`draws`).

Belongs here: reading the candidates from a snapshot and recording their draw. Does not belong here: how rows are drawn (`quality_draws.draw_contacts`: the unit
stands for the agent, the case for the contact and its cause for the topic) and what a check says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from dashboards.data.snapshot import Snapshot
from orchestration.operations import draws
from orchestration.operations.draws import DrawError
from orchestration.operations.quality_draws import CANDIDATES, DRAWN, LAYOUT, METHOD, Draw, draw_contacts
from orchestration.settings import Settings


def candidates_of(snapshot: Snapshot, month: date, per_unit: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Complaints closed in a month of customers who can be called, and what each unit has.

    Args:
        month: first day of the month of the close.
        per_unit: cases to check in each unit.

    Returns:
        Candidates (`CANDIDATES`: `agent_id` is the unit, `contact_id` the case, `topic` its cause), and one row per unit with closed cases: agent_id, closed, candidates, lacking.

    Raises:
        DrawError: the snapshot has no complaint closed in that month, or is older than the complaint marts.
    """
    if "fct_complaints" not in draws.table_names(snapshot):
        raise DrawError("the published snapshot has no complaint marts; run `csatlas refresh` first.")
    closed = "is_closed and date_trunc('month', closed_on) = ?"
    units = snapshot.frame(
        "select coalesce(org_unit_id, 'unknown') as agent_id, count(*) as closed, count(customer_key) as candidates, cast(? as bigint) as lacking"
        f" from main.fct_complaints where {closed} group by all order by agent_id",
        [per_unit, month],
    )
    if units.is_empty():
        known = snapshot.rows(
            "select min(closed_on) as first, max(closed_on) as last from main.fct_complaints where is_closed"
        )[0]
        raise DrawError(
            f"no complaint was closed in {month:%Y-%m}; there are some from {known['first']:%Y-%m} to {known['last']:%Y-%m}."
            if known["first"]
            else "no complaint has a day on which it was closed."
        )
    found = snapshot.frame(
        "select coalesce(org_unit_id, 'unknown') as agent_id, source, 'complaint' as contact_kind, complaint_id as contact_id,"
        " cast(case when day(closed_on) <= 15 then 1 else 2 end as integer) as half, channel, cause as topic, cast(? as integer) as wanted"
        f" from main.fct_complaints where {closed} and customer_key is not null",
        [per_unit, month],
    )
    return found.select(pl.col(name).cast(kind) for name, kind in CANDIDATES.items()).sort(*LAYOUT.key), units


def _found(snapshot: Snapshot, record: Mapping[str, Any]) -> pl.DataFrame:
    return candidates_of(snapshot, date.fromisoformat(record["month"]), int(record["agents"][0]["lacking"]))[0]


RECHECK = draws.Layout(
    "recheck", "contacts", METHOD, CANDIDATES, LAYOUT.key, LAYOUT.compared, tuple(DRAWN), "month", LAYOUT.again, _found
)


def draw_recheck(
    settings: Settings,
    snapshot: Snapshot,
    version: str,
    month: date,
    per_unit: int,
    seed: int | None,
    now: datetime | None = None,
) -> Draw:
    """Draw the closed complaints of a month that are to be checked again, and record it before anybody sees it.

    Args:
        version: of the snapshot.
        month: first day of the month in which they were closed.
        per_unit: cases to check in each unit (all, where it has fewer).
        seed: None takes one at random; it is recorded.
        now: time of the record (default: the clock).

    Raises:
        DrawError: nothing to draw from.
    """
    candidates, units = candidates_of(snapshot, month, per_unit)
    used = draws.chosen_seed(seed)
    drawn = draw_contacts(candidates, month, used)
    per = drawn.group_by("agent_id").agg(pl.len().cast(pl.Int64).alias("drawn"))
    listed = units.join(per, on="agent_id", how="left").with_columns(pl.col("drawn").fill_null(0)).sort("agent_id")
    at = now or datetime.now(UTC)
    draw = Draw(
        draw_id=f"recheck-{month:%Y-%m}-{at:%Y%m%dT%H%M%S%f}Z",
        month=month,
        seed=used,
        snapshot_version=version,
        drawn_at=at,
        method=METHOD,
        earlier_draws=draws.earlier_draws(settings, f"recheck-{month:%Y-%m}"),
        candidates_digest=draws.digest(RECHECK, candidates),
        agents=listed.to_dicts(),
        contacts=drawn.to_dicts(),
    )
    draws.record_draw(settings, draw.draw_id, asdict(draw), candidates)
    return draw


def write_file(draw: Draw, path: Path) -> None:
    """The drawn cases as a CSV file that only its owner may read; an existing one is replaced."""
    draws.write_rows(RECHECK, draw.draw_id, draw.contacts, path)
