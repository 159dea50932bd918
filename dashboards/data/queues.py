"""Queues half hour by half hour, and who was rostered for them.

Belongs here: what planning asks of a snapshot. Does not belong here: how many agents it takes (orchestration.modelling).
"""

from __future__ import annotations

from datetime import date

import polars as pl

from dashboards.data.snapshot import Snapshot


def queue_names(snapshot: Snapshot) -> list[str]:
    """Queues that calls entered."""
    return [row["queue"] for row in snapshot.rows("select distinct queue from fct_half_hours order by queue")]


def queue_half_hours(snapshot: Snapshot, queue: str, start: date, end: date) -> pl.DataFrame:
    """What a queue met and who was rostered for it, half hour by half hour.

    Who is rostered for a queue are the agents who answered more calls from it than from any other in these days.

    Returns:
        One row per half hour with calls or agents, in order: half_hour_at (UTC), half_hour_on, half_hour (local), calls (entries), answered,
        answered_in_target and abandoned of these, waited_seconds of all of these, handled (answered in it with a known handle time), handling_seconds that fell into it, rostered_seconds (null: no
        roster is known for any of the agents).
    """
    rows = snapshot.rows(
        "with calls as (select half_hour_at, half_hour_on, half_hour, sum(entered) as calls, sum(entered_answered) as answered,"
        " sum(entered_answered_in_target) as answered_in_target, sum(entered_abandoned) as abandoned, sum(waited_seconds) as waited_seconds,"
        " sum(handled) as handled, sum(handling_seconds) as handling_seconds from fct_half_hours where queue = ? and half_hour_on between ? and ? group by all),"
        " counted as (select agent_id, queue, count(*) as legs from fct_call_legs where outcome = 'answered' and began_on between ? and ? group by all),"
        " own as (select agent_id from counted qualify row_number() over (partition by agent_id order by legs desc, queue) = 1 and queue = ?),"
        " roster as (select half_hour_at, half_hour_on, half_hour, sum(rostered_seconds) as rostered_seconds from fct_agent_half_hours"
        " where half_hour_on between ? and ? and agent_id in (select agent_id from own) group by all having sum(rostered_seconds) > 0)"
        " select coalesce(c.half_hour_at, r.half_hour_at) as half_hour_at, coalesce(c.half_hour_on, r.half_hour_on) as half_hour_on,"
        " coalesce(c.half_hour, r.half_hour) as half_hour, coalesce(c.calls, 0) as calls, coalesce(c.answered, 0) as answered,"
        " coalesce(c.answered_in_target, 0) as answered_in_target, coalesce(c.abandoned, 0) as abandoned, coalesce(c.waited_seconds, 0) as waited_seconds,"
        " coalesce(c.handled, 0) as handled, coalesce(c.handling_seconds, 0) as handling_seconds,"
        " case when (select count(*) from roster) > 0 then coalesce(r.rostered_seconds, 0) end as rostered_seconds"
        " from calls as c full join roster as r on c.half_hour_at = r.half_hour_at order by 1",
        [queue, start, end, start, end, queue, start, end],
    )
    sums = (
        "calls",
        "answered",
        "answered_in_target",
        "abandoned",
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
