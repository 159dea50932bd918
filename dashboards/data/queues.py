"""Queues half hour by half hour, and who was rostered for them.

Belongs here: what planning asks of a snapshot. Does not belong here: how many agents it takes (orchestration.modelling).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

from dashboards.data.snapshot import Snapshot


def queue_names(snapshot: Snapshot) -> list[str]:
    """Queues that calls entered."""
    return [row["queue"] for row in snapshot.rows("select distinct queue from fct_half_hours order by queue")]


def queue_half_hours(snapshot: Snapshot, queue: str, start: date, end: date, *, within_seconds: float) -> pl.DataFrame:
    """What a queue met and who was rostered for it, half hour by half hour.

    Who is rostered for a queue are the agents who answered more calls from it than from any other in these days.

    Args:
        within_seconds: wait, edge included, up to which an answer or a loss was in time.

    Returns:
        One row per half hour with calls or agents, in order: half_hour_at (UTC), half_hour_on, half_hour (local), calls (entries), answered,
        answered_in_target, abandoned and abandoned_in_target of these, waited_seconds of all of these, handled (answered in it with a known handle time), handling_seconds that fell into it, rostered_seconds (null: no
        roster is known for any of the agents).
    """
    rows = snapshot.rows(
        "with calls as (select half_hour_at, half_hour_on, half_hour, sum(entered) as calls, sum(entered_answered) as answered,"
        " sum(entered_abandoned) as abandoned, sum(waited_seconds) as waited_seconds,"
        " sum(handled) as handled, sum(handling_seconds) as handling_seconds from fct_half_hours where queue = ? and half_hour_on between ? and ? group by all),"
        " in_time as (select time_bucket(interval '30 minutes', began_at) as half_hour_at, count(*) filter (where is_answered) as answered_in_target,"
        " count(*) filter (where is_abandoned) as abandoned_in_target from fct_call_legs where queue = ? and began_on between ? and ? and wait_seconds <= ? group by all),"
        " counted as (select agent_id, queue, count(*) as legs from fct_call_legs where outcome = 'answered' and began_on between ? and ? group by all),"
        " own as (select agent_id from counted qualify row_number() over (partition by agent_id order by legs desc, queue) = 1 and queue = ?),"
        " roster as (select half_hour_at, half_hour_on, half_hour, sum(rostered_seconds) as rostered_seconds from fct_agent_half_hours"
        " where half_hour_on between ? and ? and agent_id in (select agent_id from own) group by all having sum(rostered_seconds) > 0)"
        " select coalesce(c.half_hour_at, r.half_hour_at) as half_hour_at, coalesce(c.half_hour_on, r.half_hour_on) as half_hour_on,"
        " coalesce(c.half_hour, r.half_hour) as half_hour, coalesce(c.calls, 0) as calls, coalesce(c.answered, 0) as answered,"
        " coalesce(t.answered_in_target, 0) as answered_in_target, coalesce(c.abandoned, 0) as abandoned,"
        " coalesce(t.abandoned_in_target, 0) as abandoned_in_target, coalesce(c.waited_seconds, 0) as waited_seconds,"
        " coalesce(c.handled, 0) as handled, coalesce(c.handling_seconds, 0) as handling_seconds,"
        " case when (select count(*) from roster) > 0 then coalesce(r.rostered_seconds, 0) end as rostered_seconds"
        " from calls as c full join roster as r on c.half_hour_at = r.half_hour_at left join in_time as t on c.half_hour_at = t.half_hour_at order by 1",
        [queue, start, end, queue, start, end, within_seconds, start, end, queue, start, end],
    )
    sums = (
        "calls",
        "answered",
        "answered_in_target",
        "abandoned",
        "abandoned_in_target",
        "waited_seconds",
        "handled",
        "handling_seconds",
        "rostered_seconds",
    )
    return pl.DataFrame(
        rows,
        schema={"half_hour_at": pl.Datetime, "half_hour_on": pl.Date, "half_hour": pl.String}
        | dict.fromkeys(sums, pl.Int64),
        strict=False,
    )


CALLER_CLASSES = ("customer_kind", "call_type", "product_line", "org_unit_id")
"""Columns of `fct_calls` that can tell classes of callers apart."""


@dataclass(frozen=True)
class QueueWaits:
    """Who stood in a queue, for how long, and what became of them.

    Attributes:
        calls: one row per stay in the queue whose wait is known, in order: source, caller_class, queued_at (on the clock of `time_zone`), answered_at, abandoned_at
            (also of those who left unanswered in another way: into another queue, to voicemail, for a callback; null = answered), announced_seconds (what
            the exchange itself announced; null = nothing).
        unknown: stays left out because their wait or their end is not known.
        time_zone: that of the units of most of the calls, or the one given for calls without a unit.
    """

    calls: pl.DataFrame
    unknown: int
    time_zone: str


def queue_waits(
    snapshot: Snapshot, queue: str, start: date, end: date, *, by: str, time_zone: str, source: str | None = None
) -> QueueWaits:
    """The stays in a queue on some days, by class of callers.

    Args:
        by: the column that tells classes apart, one of `CALLER_CLASSES`; a call without a value is of class `unknown`.
        time_zone: for calls whose unit names none.
        source: only its calls.

    Raises:
        ValueError: there is no such column.
    """
    if by not in CALLER_CLASSES:
        raise ValueError(f"{by!r} tells no callers apart; use one of {', '.join(CALLER_CLASSES)}.")
    frame = snapshot.frame(
        f"select l.source, coalesce(c.{by}, 'unknown') as caller_class, l.began_at as queued_at, l.outcome, l.wait_seconds,"
        " case when l.leg_number = 1 then c.announced_wait_seconds end as announced_seconds, u.time_zone"
        " from fct_call_legs as l inner join fct_calls as c on l.source = c.source and l.call_id = c.call_id"
        " left join dim_org_units as u on l.org_unit_id = u.org_unit_id"
        " where l.queue = ? and l.is_in_base and l.began_on between ? and ? and l.source = coalesce(?, l.source)"
        " order by l.began_at, l.source, l.call_id, l.leg_number",
        [queue, start, end, source],
    )
    known = frame.filter(pl.col("wait_seconds").is_not_null(), pl.col("outcome") != "unknown")
    zones = known["time_zone"].drop_nulls().value_counts().sort("count", "time_zone", descending=[True, False])
    zone = str(zones["time_zone"][0]) if zones.height else time_zone
    queued = pl.col("queued_at").dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
    left = queued + pl.duration(seconds=pl.col("wait_seconds"))
    answered = pl.col("outcome") == "answered"
    calls = known.select(
        "source",
        "caller_class",
        queued,
        pl.when(answered).then(left).alias("answered_at"),
        pl.when(~answered).then(left).alias("abandoned_at"),
        pl.col("announced_seconds").cast(pl.Float64),
    )
    return QueueWaits(calls, frame.height - known.height, zone)
