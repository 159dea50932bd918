"""Which contacts of a month are to be listened to: a random draw with a seed (`draws`).

Belongs here: the draw (a pure function of candidates and seed) and reading the candidates from a snapshot. Does not belong here: who has to be reviewed how
often (`seeds/quality_coverage.csv`, through the mart `fct_quality_coverage`) and what a review says.

The contacts of each agent that were not reviewed yet are drawn systematically, in the order of half of the month, channel and topic.
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

METHOD = "systematic-sha256-1"
"""Changes when the same seed and candidates would give another draw."""

CANDIDATES: dict[str, type[pl.DataType]] = {
    "agent_id": pl.String,
    "source": pl.String,
    "contact_kind": pl.String,
    "contact_id": pl.String,
    "half": pl.Int32,
    "channel": pl.String,
    "topic": pl.String,
    "wanted": pl.Int32,
}
"""Columns of the candidates. `half` of the month: 1 (up to the 15th) or 2; `wanted`: contacts that the agent still lacks."""
_STRATUM = ("half", "channel", "topic")
_KEY = ("agent_id", "source", "contact_kind", "contact_id")
DRAWN = [*_KEY, *_STRATUM, "probability"]
"""Columns of a draw, also of the file. Ids only: who the customer is stands in none of them."""


@dataclass(frozen=True)
class Draw:
    """A draw as it is recorded.

    Attributes:
        draw_id: also the name of its files.
        month: first day of the month whose contacts were drawn.
        seed: from which everything follows, with the candidates.
        snapshot_version: the snapshot the candidates were read from.
        drawn_at: when (UTC).
        method: the way of drawing.
        earlier_draws: draws of the same month recorded before: a draw that is repeated until it pleases is none.
        candidates_digest: SHA-256 of the candidates.
        agents: per agent its contacts, how many of them can be drawn, how many it lacks and how many were drawn.
        contacts: the drawn ones (`DRAWN`).
    """

    draw_id: str
    month: date
    seed: int
    snapshot_version: str
    drawn_at: datetime
    method: str
    earlier_draws: int
    candidates_digest: str
    agents: list[dict[str, Any]]
    contacts: list[dict[str, Any]]


def draw_contacts(candidates: pl.DataFrame, month: date, seed: int) -> pl.DataFrame:
    """The contacts to review.

    Args:
        candidates: columns of `CANDIDATES`, one row per agent and contact that may be drawn; `wanted` is the same in all rows of an agent.
        month: first day of the month; part of the random numbers.
        seed: the same seed, month and candidates give the same draw, whatever their order.

    Returns:
        Columns of `DRAWN`, sorted: for each agent min(wanted, contacts) contacts, each once; `probability`: of being drawn, before the draw.

    Raises:
        ValueError: a contact of an agent is there twice, or `wanted` differs within an agent.
    """
    rows: list[dict[str, Any]] = []
    keyed = candidates.select(*CANDIDATES).sort(*_KEY)
    if keyed.select(_KEY).is_duplicated().any():
        raise ValueError("candidates: a contact of an agent is there twice")
    for (agent,), group in keyed.group_by("agent_id", maintain_order=True):
        if group["wanted"].n_unique() != 1:
            raise ValueError(f"candidates: wanted differs within agent {agent}")
        found = group.to_dicts()
        n = min(max(int(found[0]["wanted"]), 0), len(found))
        if n == 0:
            continue
        found.sort(
            key=lambda row: (
                *(str(row[name]) for name in _STRATUM),
                draws.uniform(seed, month, agent, *(row[k] for k in _KEY[1:])),
            )
        )
        places = draws.systematic(len(found), n, draws.uniform(seed, month, agent))
        rows += [
            {name: found[place][name] for name in DRAWN[:-1]} | {"probability": n / len(found)} for place in places
        ]
    schema = {name: CANDIDATES.get(name, pl.Float64) for name in DRAWN}
    return pl.DataFrame(rows, schema=schema).sort(*_KEY)


def candidates_of(snapshot: Snapshot, month: date) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What can be drawn of a month, and what each agent has.

    Returns:
        Candidates (`CANDIDATES`), and one row per agent who handled contacts and is to be reviewed: agent_id, org_unit_id, handled, reviewed, target, candidates, lacking.

    Raises:
        DrawError: the snapshot has no contacts of that month, or is older than the quality marts.
    """
    if not {"fct_quality_coverage", "fct_reviewable_contacts", "fct_quality_sheets"} <= draws.table_names(snapshot):
        raise DrawError("the published snapshot has no quality marts; run `csatlas refresh` first.")
    agents = snapshot.frame(
        "select agent_id, org_unit_id, contacts_handled as handled, contacts_reviewed as reviewed, target, greatest(target - contacts_reviewed, 0) as lacking"
        " from main.fct_quality_coverage where handled_month = ? and is_in_base order by agent_id",
        [month],
    )
    if agents.is_empty():
        known = snapshot.rows(
            "select min(handled_month) as first, max(handled_month) as last from main.fct_quality_coverage where is_in_base"
        )[0]
        raise DrawError(
            f"no agent has contacts to review in {month:%Y-%m}; there are some from {known['first']:%Y-%m} to {known['last']:%Y-%m}."
            if known["first"]
            else "no agent has contacts to review."
        )
    found = snapshot.frame(
        "select c.agent_id, c.source, c.contact_kind, c.contact_id, cast(case when day(c.handled_on) <= 15 then 1 else 2 end as integer) as half, c.channel, c.topic,"
        " cast(greatest(a.target - a.contacts_reviewed, 0) as integer) as wanted"
        " from main.fct_reviewable_contacts as c inner join main.fct_quality_coverage as a on c.agent_id = a.agent_id and c.handled_month = a.handled_month and a.is_in_base"
        " where c.handled_month = ? and not exists (select 1 from main.fct_quality_sheets as s where s.is_in_base and s.agent_id = c.agent_id"
        " and s.contact_kind = c.contact_kind and s.contact_id = c.contact_id)",
        [month],
    )
    candidates = found.select(pl.col(name).cast(kind) for name, kind in CANDIDATES.items()).sort(*_KEY)
    counted = candidates.group_by("agent_id").agg(pl.len().cast(pl.Int64).alias("candidates"))
    return candidates, agents.join(counted, on="agent_id", how="left").with_columns(
        pl.col("candidates").fill_null(0)
    ).sort("agent_id")


def _again(candidates: pl.DataFrame, record: Mapping[str, Any]) -> pl.DataFrame:
    return draw_contacts(candidates, date.fromisoformat(record["month"]), int(record["seed"]))


def _found(snapshot: Snapshot, record: Mapping[str, Any]) -> pl.DataFrame:
    return candidates_of(snapshot, date.fromisoformat(record["month"]))[0]


LAYOUT = draws.Layout("quality", "contacts", METHOD, CANDIDATES, _KEY, _KEY, tuple(DRAWN), "month", _again, _found)


def draw_quality(
    settings: Settings, snapshot: Snapshot, version: str, month: date, seed: int | None, now: datetime | None = None
) -> Draw:
    """Draw a month's contacts and record it before anybody sees it.

    Args:
        version: of the snapshot.
        seed: None takes one at random; it is recorded.
        now: time of the record (default: the clock).

    Raises:
        DrawError: nothing to draw from.
    """
    candidates, agents = candidates_of(snapshot, month)
    used = draws.chosen_seed(seed)
    drawn = draw_contacts(candidates, month, used)
    per_agent = drawn.group_by("agent_id").agg(pl.len().cast(pl.Int64).alias("drawn"))
    listed = (
        agents.join(per_agent, on="agent_id", how="left").with_columns(pl.col("drawn").fill_null(0)).sort("agent_id")
    )
    at = now or datetime.now(UTC)
    earlier = draws.earlier_draws(settings, f"quality-{month:%Y-%m}")
    draw = Draw(
        f"quality-{month:%Y-%m}-{at:%Y%m%dT%H%M%S%f}Z", month, used, version, at, METHOD, earlier, draws.digest(LAYOUT, candidates), listed.to_dicts(), drawn.to_dicts(),
    )  # fmt: skip
    draws.record_draw(settings, draw.draw_id, asdict(draw), candidates)
    return draw


def write_file(draw: Draw, path: Path) -> None:
    """The drawn contacts as a CSV file that only its owner may read; an existing one is replaced."""
    draws.write_rows(LAYOUT, draw.draw_id, draw.contacts, path)
