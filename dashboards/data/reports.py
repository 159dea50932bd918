"""What reports ask beyond metrics: staff, quality, issues, improvement, as the reader of the snapshot may see them.

Belongs here: questions of `dashboards.reports`. Does not belong here: metrics (metrics), what a report looks like (dashboards.reports).

Everything is read from the tables of the snapshot, which for a limited reader are views of the reader's rows (rights). `units` narrows to some units and all below
them; empty = all that the reader sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from dashboards.data import small_cells
from dashboards.data.snapshot import Snapshot

Rows = list[dict[str, Any]]

_BELOW = (
    "(len(?) = 0 or {column} in (with recursive below as (select unnest(cast(? as varchar[])) as unit union"
    " select u.org_unit_id from main.dim_org_units as u inner join below on u.parent_unit_id = below.unit) select unit from below))"
)


def _below(column: str, units: Sequence[str]) -> tuple[str, list[object]]:
    return _BELOW.format(column=column), [list(units), list(units)]


@dataclass(frozen=True)
class DataAge:
    """How far the data reach, and when they were published (UTC).

    Attributes:
        until: last day of any data.
        complete_until: last day of which all of the data is there; not after `until`.
        stale: why sources are late, or None.
    """

    version: str
    built_at: datetime
    until: date
    complete_until: date
    stale: str | None


def data_age(snapshot: Snapshot) -> DataAge:
    """Age of the data of a snapshot; without any data the day of the build stands for the last day."""
    (row,) = snapshot.rows(
        "select version, built_at, data_until, complete_until, is_stale, stale_reasons from meta.snapshot"
    )
    until = row["data_until"] or row["built_at"].date()
    stale = (row["stale_reasons"] or "") if row["is_stale"] else None
    # A day can be over and yet nothing of it be there: data that end earlier are complete to their end.
    return DataAge(row["version"], row["built_at"], until, min(until, row["complete_until"] or until), stale)


def has_unit(snapshot: Snapshot, unit: str) -> bool:
    """Whether a unit is in the tree of units that the reader sees."""
    return bool(snapshot.rows("select 1 from dim_org_units where org_unit_id = ?", [unit]))


def units_below(snapshot: Snapshot, units: Sequence[str] = ()) -> list[str]:
    """The units one step below `units`; without any, those below the tops of the tree that the reader sees. In the order of the tree."""
    given = list(units)
    rows = snapshot.rows(
        "select u.org_unit_id as unit from dim_org_units as u left join dim_org_units as p on p.org_unit_id = u.parent_unit_id"
        " where case when len(?) > 0 then list_contains(?, u.parent_unit_id)"
        " else p.org_unit_id is not null and (p.parent_unit_id is null or p.parent_unit_id not in (select org_unit_id from dim_org_units)) end"
        " order by u.path, u.org_unit_id",
        [given, given],
    )
    return [row["unit"] for row in rows]


def unit_parents(snapshot: Snapshot) -> dict[str, str | None]:
    """Every unit that the reader sees, and the one above it."""
    rows = snapshot.rows("select org_unit_id as unit, parent_unit_id as parent from dim_org_units")
    return {row["unit"]: row["parent"] for row in rows}


def staff(snapshot: Snapshot, units: Sequence[str], start: date, end: date) -> Rows:
    """Agents by unit: employed on the last day, new and gone within the days `start` to `end`, months employed in the middle.

    An agent without a day of hiring counts as employed throughout; new ones are those with a day.
    """
    below, values = _below("org_unit_id", units)
    return snapshot.rows(
        "select org_unit_id, count(*) filter (where coalesce(hired_on <= ?, true) and coalesce(left_on > ?, true)) as employed,"
        " count(*) filter (where hired_on between ? and ?) as joined, count(*) filter (where left_on between ? and ?) as gone,"
        " median(date_diff('month', hired_on, cast(? as date))) filter (where hired_on <= ? and coalesce(left_on > ?, true)) as tenure_months"
        f" from dim_agents where {below} group by 1 having employed + joined + gone > 0 order by 1",
        [end, end, start, end, start, end, end, end, end, *values],
    )


def trainings(snapshot: Snapshot, units: Sequence[str], start: date, end: date) -> Rows:
    """Trainings that ran within the days, with their effect on the items that they named, or on the whole sheet (share of points; see docs/quality.md)."""
    below, values = _below("a.org_unit_id", units)
    return snapshot.rows(
        "select a.improvement_action_id, a.problem, a.plan, a.org_unit_id, a.phase, a.started_on, a.done_on, e.item, e.agents_trained,"
        " coalesce(e.adjusted_effect, e.effect) as effect, coalesce(e.adjusted_low, e.effect_low) as low, coalesce(e.adjusted_high, e.effect_high) as high, e.reason"
        " from fct_improvement_actions as a left join fct_training_effects as e on e.source = a.source and e.improvement_action_id = a.improvement_action_id and e.is_target_item"
        f" where a.action_kind = 'training' and {below} and a.started_on <= ? and coalesce(a.done_on, cast(? as date)) >= ?"
        " qualify e.item is null or e.item = 'all' or count(*) filter (where e.item = 'all') over (partition by a.source, a.improvement_action_id) = 0"
        " order by a.started_on, a.improvement_action_id, e.item",
        [*values, end, end, start],
    )


def hot_issues(snapshot: Snapshot, units: Sequence[str], start: date, end: date) -> Rows:
    """Bursts of complaints that ran within the days, the largest first."""
    below, values = _below("org_unit_id", units)
    return snapshot.rows(
        "select hot_issue_id, topic, org_unit_id, place_level, product_line, course, customers, customers_at_first, expected_customers, open_complaints, first_on, last_on"
        f" from fct_hot_issues where {below} and first_on <= ? and last_on >= ? order by customers desc, hot_issue_id",
        [*values, end, start],
    )


def hard_issues(snapshot: Snapshot, units: Sequence[str], most: int = 15) -> Rows:
    """Old open complaints and work orders, the longest waiting first, without customers and texts; `total` counts all of them."""
    below, values = _below("org_unit_id", units)
    return snapshot.rows(
        "select coalesce(complaint_id, ticket_id) as reference, issue_kind, topic, product_line, org_unit_id, waits_for, department, is_second, reminders,"
        " date_diff('day', opened_on, as_of) as age_days, date_diff('day', cast(waiting_since_at as date), as_of) as waiting_days, as_of, count(*) over () as total"
        f" from fct_hard_issues where {below} order by waiting_since_at, hard_issue_id limit ?",
        [*values, most],
    )


def hard_issues_by_holder(snapshot: Snapshot, units: Sequence[str]) -> Rows:
    """What the hard issues wait for: how many, and how long the longest has waited."""
    below, values = _below("org_unit_id", units)
    return snapshot.rows(
        "select waits_for, department, count(*) as issues, max(date_diff('day', cast(waiting_since_at as date), as_of)) as longest_days"
        f" from fct_hard_issues where {below} group by 1, 2 order by 3 desc, 1, 2",
        values,
    )


def agent_sheets(snapshot: Snapshot, units: Sequence[str], month: date) -> Rows:
    """Monthly quality sheets: one row per agent and item (`all` = the whole sheet), in the order of units and agents.

    The agent's satisfaction is not told to a limited reader where 1 to 4 answers are behind it.
    """
    below, values = _below("org_unit_id", units)
    rows = snapshot.rows(
        "select agent_id, item, org_unit_id, reviews, score, low, high, company_score, best_place, worst_place, ranked_agents, fatal_errors, contacts_handled,"
        f" csat_answers, csat_top2, is_settled from fct_agent_quality_months where {below} and month_on = ? order by org_unit_id, agent_id, item",
        [*values, month],
    )
    if snapshot.viewer.is_limited:
        for row in rows:
            if small_cells.is_small(row["csat_answers"] or 0):
                row.update(csat_answers=None, csat_top2=None)
    return rows


def weak_items(snapshot: Snapshot, units: Sequence[str], week: date) -> Rows:
    """Items in which agents were weak or suspected in a week (by its Monday), the most urgent first; one row per unit and item.

    `shortfall` is the sum of what the agents lack to the bound, in shares of the points.
    """
    below, values = _below("org_unit_id", units)
    return snapshot.rows(
        "select org_unit_id, item, any_value(weak_below) as weak_below, count(*) filter (where item_state <> 'too_few') as judged,"
        " count(*) filter (where item_state = 'weak') as weak, count(*) filter (where item_state = 'suspected') as suspected,"
        " coalesce(list(agent_id order by agent_id) filter (where item_state = 'weak'), []) as weak_agents,"
        " coalesce(list(agent_id order by agent_id) filter (where item_state = 'suspected'), []) as suspected_agents,"
        " coalesce(sum(greatest(weak_below - score, 0)) filter (where item_state in ('weak', 'suspected')), 0) as shortfall"
        f" from fct_weak_items where {below} and week_on = ? group by 1, 2 having weak + suspected > 0 order by weak desc, shortfall desc, 1, 2",
        [*values, week],
    )


def improvement_board(snapshot: Snapshot, units: Sequence[str]) -> Rows:
    """Corrective actions in the order of the cycle, with effect, left-overs and recurrence, as of the newest day.

    A limited reader is not told counts of 1 to 4.
    """
    below, values = _below("org_unit_id", units)
    rows = snapshot.rows(
        "select improvement_action_id, problem, plan, root_cause, cause_owner, causes, org_unit_id, owner_agent_id, phase, is_checked_in_time, complaints_before, complaints_after,"
        " open_complaints, customers_again, effect_method, rate_ratio, ratio_low, ratio_high, verdict, reason, is_wearing_off, started_on, done_on, checked_on, as_of"
        f" from fct_improvement_actions where action_kind <> 'training' and {below}"
        " order by list_position(['plan', 'do', 'check', 'act', 'cancelled'], phase), started_on desc, improvement_action_id",
        values,
    )
    if snapshot.viewer.is_limited:
        for row in rows:
            for name in ("complaints_before", "complaints_after", "open_complaints", "customers_again"):
                if small_cells.is_small(row[name] or 0):
                    row[name] = None
    return rows


def drivers(snapshot: Snapshot, most: int = 6) -> Rows:
    """Facts of the service that the differences between answers of twelve months go with, by population, the strongest first.

    Nothing for a limited reader: they are of the whole organisation.
    """
    return snapshot.rows(
        "select population, factor, answers_used, share, share_low, share_high, effect_sign, period_start, period_end from fct_satisfaction_drivers"
        " where period_kind = 'last_12_months' and factor_set = 'operations' and share is not null"
        " qualify row_number() over (partition by population order by share desc, factor) <= ? order by population, share desc, factor",
        [most],
    )
