"""Which contacts of a month are to be listened to, and which closed complaints are to be checked again: a random draw with a seed, its record, and the check of it.

Belongs here: the draw (a pure function of candidates and seed), reading the candidates from a snapshot, and the record under the home. Does not belong here:
who has to be reviewed how often (`seeds/quality_coverage.csv`, through the mart `fct_quality_coverage`) and what a review or a check says. A draw of complaints is
one of contacts in which the unit stands for the agent, the case for the contact and its cause for the topic.

The draw of an agent is systematic: the agent's contacts that were not reviewed yet are put in an order by half of the month, channel and topic, at random within
these, and every (N / n)th is taken from a random start. So each contact has the same chance n / N, and the drawn ones spread over the strata as the contacts
do (W. G. Cochran, *Sampling Techniques*, 3rd ed. 1977, chapter 8). The random numbers are SHA-256 digests of seed, month, agent and contact: whoever knows the
seed can follow the draw by hand, and no version of a library changes it.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import secrets
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from dashboards.data.snapshot import Snapshot, open_snapshot
from orchestration.settings import Settings
from orchestration.sources.rawstore import private_folder

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


class DrawError(ValueError):
    """There is nothing to draw from, or a record cannot be read; the message says why."""


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


def _uniform(*parts: object) -> int:
    """A whole number below 2^256 that follows from the parts."""
    return int.from_bytes(hashlib.sha256("\x1f".join(str(part) for part in parts).encode()).digest())


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
                _uniform(seed, month, agent, *(row[k] for k in _KEY[1:])),
            )
        )
        # Start below N / n, then every (N / n)th; in whole numbers, so that nothing is rounded: place k is floor((u / 2^256 + k) N / n).
        start = _uniform(seed, month, agent)
        places = [((start + (k << 256)) * len(found) // n) >> 256 for k in range(n)]
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
    tables = {
        row["table_name"]
        for row in snapshot.rows("select table_name from information_schema.tables where table_schema = 'main'")
    }
    if not {"fct_quality_coverage", "fct_reviewable_contacts", "fct_quality_sheets"} <= tables:
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


def recheck_candidates_of(snapshot: Snapshot, month: date, per_unit: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Complaints closed in a month of customers who can be called, and what each unit has.

    Args:
        month: first day of the month of the close.
        per_unit: cases to check in each unit.

    Returns:
        Candidates (`CANDIDATES`: `agent_id` is the unit, `contact_id` the case, `topic` its cause), and one row per unit with closed cases: agent_id, closed, candidates, lacking.

    Raises:
        DrawError: the snapshot has no complaint closed in that month, or is older than the complaint marts.
    """
    if not snapshot.rows(
        "select 1 from information_schema.tables where table_schema = 'main' and table_name = 'fct_complaints'"
    ):
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
    return found.select(pl.col(name).cast(kind) for name, kind in CANDIDATES.items()).sort(*_KEY), units


def _digest(candidates: pl.DataFrame) -> str:
    return hashlib.sha256(candidates.select(*CANDIDATES).sort(*_KEY).write_csv().encode()).hexdigest()


def folder_of(settings: Settings) -> Path:
    """Where draws are recorded: for each a `.json`, and a `.parquet` with its candidates; only their owner may read them."""
    return settings.home / "draws"


def _write_privately(path: Path, content: bytes) -> None:
    """A new file that only its owner may read; it is there in whole or not at all."""
    part = path.with_suffix(path.suffix + ".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    os.replace(part, path)


def _parquet(candidates: pl.DataFrame) -> bytes:
    import io

    buffer = io.BytesIO()
    candidates.write_parquet(buffer, compression="zstd")
    return buffer.getvalue()


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
    return _recorded(settings, "quality", candidates, agents, version, month, seed, now)


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
    candidates, units = recheck_candidates_of(snapshot, month, per_unit)
    return _recorded(settings, "recheck", candidates, units, version, month, seed, now)


def _recorded(
    settings: Settings,
    kind: str,
    candidates: pl.DataFrame,
    agents: pl.DataFrame,
    version: str,
    month: date,
    seed: int | None,
    now: datetime | None,
) -> Draw:
    used = secrets.randbelow(2**31) if seed is None else seed
    drawn = draw_contacts(candidates, month, used)
    per_agent = drawn.group_by("agent_id").agg(pl.len().cast(pl.Int64).alias("drawn"))
    listed = (
        agents.join(per_agent, on="agent_id", how="left").with_columns(pl.col("drawn").fill_null(0)).sort("agent_id")
    )
    at = now or datetime.now(UTC)
    folder = private_folder(folder_of(settings))
    earlier = len(list(folder.glob(f"{kind}-{month:%Y-%m}-*.json")))
    draw = Draw(
        f"{kind}-{month:%Y-%m}-{at:%Y%m%dT%H%M%S%f}Z", month, used, version, at, METHOD, earlier, _digest(candidates), listed.to_dicts(), drawn.to_dicts(),
    )  # fmt: skip
    _write_privately(folder / f"{draw.draw_id}.parquet", _parquet(candidates))
    record = json.dumps(asdict(draw), ensure_ascii=False, indent=1, default=lambda value: value.isoformat())
    _write_privately(folder / f"{draw.draw_id}.json", (record + "\n").encode())
    return draw


def write_file(draw: Draw, path: Path) -> None:
    """The drawn contacts as a CSV file that only its owner may read; an existing one is replaced."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.fchmod(descriptor, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, ["draw_id", *DRAWN])
        writer.writeheader()
        writer.writerows({"draw_id": draw.draw_id, **row} for row in draw.contacts)


@dataclass(frozen=True)
class DrawCheck:
    """What a check found. It is good when `faults` is empty.

    Attributes:
        faults: what does not hold, in words.
        contacts: drawn by the record.
        snapshot: `same` candidates as the snapshot has, `different`, or `gone` (no longer kept).
    """

    draw_id: str
    month: str
    seed: int
    drawn_at: str
    snapshot_version: str
    contacts: int
    earlier_draws: int
    snapshot: str
    faults: list[str]


def check_draw(settings: Settings, path: Path) -> DrawCheck:
    """Whether a file of drawn contacts, or a record, is what its seed gives.

    The draw is made again from the recorded candidates and seed, and compared with the record and the file; the candidates are compared with the snapshot
    they were read from, as long as it is kept.

    Args:
        path: the CSV file of a draw, or its record.

    Raises:
        DrawError: it is neither, or its record is not there.
    """
    rows: list[dict[str, str]] | None = None
    if path.suffix == ".json":
        record_path = path
    else:
        try:
            with path.open(encoding="utf-8-sig", newline="") as source:
                reader = csv.DictReader(source)
                if not reader.fieldnames or not {"draw_id", *_KEY} <= set(reader.fieldnames):
                    raise DrawError(f"{path} is no file of a draw: it has no column draw_id, {', '.join(_KEY)}.")
                rows = list(reader)
        except (FileNotFoundError, UnicodeDecodeError) as error:
            raise DrawError(f"{path} cannot be read: {error}") from None
        names = {row["draw_id"] for row in rows}
        if len(names) != 1:
            raise DrawError(f"{path} names {len(names)} draws; a file holds the contacts of one.")
        name = names.pop()
        if Path(name).name != name or not name.startswith(("quality-", "recheck-")):
            raise DrawError(f"{path}: {name!r} is the name of no draw.")
        record_path = folder_of(settings) / f"{name}.json"
    try:
        record = json.loads(record_path.read_text(encoding="utf-8"))
        candidates = pl.read_parquet(record_path.with_suffix(".parquet"))
        month, drawn = date.fromisoformat(record["month"]), record["contacts"]
        seed, method = int(record["seed"]), record["method"]
    except FileNotFoundError as error:
        raise DrawError(f"there is no record of this draw ({error.filename}).") from None
    except (ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
        raise DrawError(f"{record_path} cannot be read as the record of a draw: {error}") from None
    faults = []
    if method != METHOD:
        faults.append(
            f"it was drawn by the method {method}; this version of csatlas draws by {METHOD} and cannot follow it."
        )
    if _digest(candidates) != record["candidates_digest"]:
        faults.append("the recorded candidates are not those of the draw.")
    keys = {tuple(row[key] for key in _KEY) for row in drawn}
    again = draw_contacts(candidates, month, seed)
    if method == METHOD and {tuple(row[key] for key in _KEY) for row in again.to_dicts()} != keys:
        faults.append("the seed gives other contacts than the record has.")
    if rows is not None:
        listed = [tuple(row[key] for key in _KEY) for row in rows]
        missing, added = keys - set(listed), set(listed) - keys
        if missing or added or len(listed) != len(set(listed)):
            faults.append(
                f"the file lacks {len(missing)} drawn contacts, has {len(added)} that were not drawn, and {len(listed) - len(set(listed))} twice."
            )
    state = _compared(settings, record, candidates, month)
    if state == "different":
        faults.append("the candidates are not those of the snapshot they are said to come from.")
    return DrawCheck(
        record_path.stem, f"{month:%Y-%m}", seed, record["drawn_at"], record["snapshot_version"], len(drawn), int(record["earlier_draws"]), state, faults
    )  # fmt: skip


def _compared(settings: Settings, record: dict[str, Any], candidates: pl.DataFrame, month: date) -> str:
    path = settings.serving / f"csatlas-{record['snapshot_version']}.duckdb"
    if not path.is_file():
        return "gone"
    snapshot = open_snapshot(path)
    try:
        if str(record["draw_id"]).startswith("recheck-"):
            found, _ = recheck_candidates_of(snapshot, month, int(record["agents"][0]["lacking"]))
        else:
            found, _ = candidates_of(snapshot, month)
    finally:
        snapshot.close()
    return "same" if _digest(found) == _digest(candidates) else "different"
