"""The contact centre beyond its metrics: ways through the voice menu, staffing, places of agents, quality reviews and trainings.

Belongs here: what the contact centre's page asks of the marts. Does not belong here: metrics (metrics), half hours of a queue for the command line (queues).
Agents go under their keys; a snapshot has no names.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from dashboards.data import small_cells
from dashboards.data.metrics import Filters, catalogue, find_metric, metric_frame, narrowed, row_conditions
from dashboards.data.ranks import fair_ranks
from dashboards.data.snapshot import Snapshot

Rows = list[dict[str, Any]]

MOST_STEPS = 6
"""Steps of the menu that are told apart; what comes after them is one step more."""

LATER = "…"
"""What stands for the steps after `MOST_STEPS`."""


@dataclass(frozen=True)
class MenuWays:
    """What callers did in the voice menu.

    Attributes:
        steps: (step from 1, node, next step or 0, next node or how the call ended) and calls, largest first; a step 0 is an end.
        calls: calls that entered the menu.
        ends: how they ended (values of `disposition`) and how many.
        returned: calls that came back to a node where they had been.
        hidden: flows that the reader is not told.
    """

    steps: tuple[tuple[tuple[int, str], tuple[int, str], int], ...]
    calls: int
    ends: dict[str, int]
    returned: int
    hidden: int


def menu_ways(snapshot: Snapshot, filters: Filters) -> MenuWays:
    """The ways of calls through the voice menu and how they ended.

    The way is that of the call's own record; of sources whose records have none it is put together from the nodes. A call that ended in the menu was served there
    (contained) or left it.

    Args:
        filters: days (by the start of the call), unit, channel, product and kind count.
    """
    where, values = row_conditions(filters, ("org_unit_id", "channel", "product_line", "customer_kind"), "started_on")
    ways = snapshot.rows(
        f"select source, ivr_path as way, disposition, count(*) as calls from main.fct_calls{where} and is_in_base and ivr_path is not null group by all",
        values,
    )
    told = sorted({row["source"] for row in ways})
    node_where, node_values = row_conditions(filters, ("org_unit_id", "channel", "product_line"), "entered_on")
    if not filters.customer_kinds:
        ways += snapshot.rows(
            f"with nodes as (select source, call_id, string_agg(node, '>' order by node_number) as way from main.fct_call_nodes{node_where} and is_in_base"
            " and not list_contains(?, source) group by source, call_id)"
            " select n.source, n.way, c.disposition, count(*) as calls from nodes as n"
            " inner join main.fct_calls as c on n.source = c.source and n.call_id = c.call_id group by all",
            [*node_values, told],
        )
    flows: Counter[tuple[tuple[int, str], tuple[int, str]]] = Counter()
    ends: Counter[str] = Counter()
    returned = 0
    for row in ways:
        nodes = [node for node in row["way"].split(">") if node]
        if not nodes:
            continue
        end = row["disposition"] or "unknown"
        ends[end] += row["calls"]
        if len(set(nodes)) < len(nodes):
            returned += row["calls"]
        shown = list(enumerate(nodes[:MOST_STEPS], 1))
        if len(nodes) > MOST_STEPS:
            shown.append((MOST_STEPS + 1, LATER))
        for here, there in zip(shown, [*shown[1:], (0, end)], strict=True):
            flows[here, there] += row["calls"]
    hidden: set[Any] = set()
    if snapshot.viewer.is_limited:
        hidden = small_cells.hidden_cells({pair: float(calls) for pair, calls in flows.items()})
        by_end = small_cells.hidden_cells({(end,): float(calls) for end, calls in ends.items()})
        ends = Counter({end: calls for end, calls in ends.items() if (end,) not in by_end})
        returned = 0 if small_cells.is_small(returned) else returned
    kept = sorted(
        ((here, there, calls) for (here, there), calls in flows.items() if (here, there) not in hidden),
        key=lambda one: (-one[2], one[0], one[1]),
    )
    total = sum(calls for (here, _), calls in flows.items() if here[0] == 1)
    return MenuWays(
        tuple(kept),
        0 if snapshot.viewer.is_limited and small_cells.is_small(total) else total,
        dict(ends),
        returned,
        len(hidden),
    )


def staffing(snapshot: Snapshot) -> Rows:
    """Agents that the calls took and agents rostered, by queue, kind of day and half hour, in this order. The days are those of the snapshot."""
    return snapshot.rows(
        "select queue, day_type, half_hour, days, calls, rostered_agents, required_agents, short_share, measured_service_level, service_level, within_seconds,"
        " definition, model, shrinkage, handle_seconds, patience_seconds, first_on, as_of from fct_staffing order by queue, day_type desc, half_hour"
    )


def agent_places(snapshot: Snapshot, name: str, filters: Filters) -> Rows:
    """Agents by one metric with its interval and the places that the data do not rule out; best place first, then who has none.

    Args:
        name: a metric that knows agents and has a better direction and an interval.

    Returns:
        agent_id, value, low, high, n, is_small_base, best_place, worst_place (null: too few), agents ranked in all.

    Raises:
        MetricError: there is no such metric, or nothing to rank by.
    """
    metric = find_metric(catalogue(snapshot), name)
    narrow, _ = narrowed(metric, filters)
    frame = metric_frame(snapshot, [name], by=["agent_id"], filters=narrow)
    rows = [row for row in frame.to_dicts() if row["agent_id"] is not None and row["value"] is not None]
    places = fair_ranks(metric, rows)
    ranked = sum(one.best is not None for one in places)
    found = [
        {
            **{key: row[key] for key in ("agent_id", "value", "low", "high", "n", "is_small_base")},
            "best_place": one.best,
            "worst_place": one.worst,
            "ranked": ranked,
        }
        for row, one in zip(rows, places, strict=True)
    ]
    return sorted(
        found,
        key=lambda row: (
            row["best_place"] is None,
            row["best_place"] or 0,
            row["worst_place"] or 0,
            -(row["n"] or 0),
            row["agent_id"],
        ),
    )


def agents(snapshot: Snapshot) -> Rows:
    """Agents with unit and role, by key."""
    return snapshot.rows("select agent_id, org_unit_id, agent_role, is_employed from dim_agents order by agent_id")


def _of_months(
    filters: Filters, column: str, dimensions: tuple[str, ...] = ("org_unit_id",)
) -> tuple[str, list[object]]:
    """Months that begin in the period, or the one that it ends in."""
    start = filters.start.replace(day=1) if filters.start else None
    return row_conditions(
        replace(filters, start=start, channels=(), product_lines=(), customer_kinds=()), dimensions, column
    )


def review_coverage(snapshot: Snapshot, filters: Filters) -> Rows:
    """Each agent's contacts reviewed in each month, beside the least and the wanted number; the newest month first, furthest from the target first.

    Args:
        filters: days choose the months that they touch; unit counts, channel, product and kind do not.
    """
    where, values = _of_months(filters, "handled_month")
    return snapshot.rows(
        "select handled_month, agent_id, agent_role, org_unit_id, contacts_handled, contacts_reviewed, reviews, fatal_errors, minimum, target,"
        f" is_below_minimum, is_at_target, is_settled from main.fct_quality_coverage{where} and is_in_base"
        " order by handled_month desc, contacts_reviewed - target, agent_id",
        values,
    )


def quality_sheet(snapshot: Snapshot, filters: Filters) -> Rows:
    """The newest month that is settled, one row an agent, with the places that its reviews do not rule out; a limited reader is not told marks of few customers.

    Args:
        filters: only months up to the end of the period; unit counts.
    """
    where, values = _of_months(replace(filters, start=None), "month_on")
    rows = snapshot.rows(
        "select agent_id, month_on, org_unit_id, reviews, score, low, high, company_score, best_place, worst_place, ranked_agents, fatal_errors, contacts_handled,"
        f" csat_answers, csat_top2 from main.fct_agent_quality_months{where} and item = 'all' and is_settled"
        " qualify month_on = max(month_on) over () order by best_place nulls last, worst_place, score desc, agent_id",
        values,
    )
    if snapshot.viewer.is_limited:
        rows = [
            {**row, "csat_top2": None, "csat_answers": None} if small_cells.is_small(row["csat_answers"] or 0) else row
            for row in rows
        ]
    return rows


def reviewer_agreement(snapshot: Snapshot, until: date | None = None) -> Rows:
    """How far reviewers agree: of the newest quarter that has a value, by pair, item and statistic.

    Args:
        until: quarters that begin no later.
    """
    return snapshot.rows(
        "with quarters as (select * from fct_reviewer_agreement where period = 'quarter' and (?::date is null or period_on <= ?::date))"
        " select period_on, reviewer_1, reviewer_2, item, statistic, contacts, value, low, high, reason, mean_difference from quarters"
        " where period_on = (select max(period_on) from quarters where value is not null)"
        " order by reviewer_1 = 'all' desc, reviewer_1, reviewer_2, item = 'all' desc, item, statistic",
        [until, until],
    )


def weak_items(snapshot: Snapshot, filters: Filters) -> Rows:
    """Items in which agents are weak, or may be, in the newest week; the furthest below first.

    Args:
        filters: unit counts; the week is that of the snapshot.
    """
    where, values = row_conditions(
        replace(filters, start=None, end=None, channels=(), product_lines=(), customer_kinds=()),
        ("org_unit_id",),
        "week_on",
    )
    return snapshot.rows(
        f"select week_on, agent_id, org_unit_id, item, item_state, reviews, score, low, high, weak_below from main.fct_weak_items{where}"
        " and is_newest_week and item_state in ('weak', 'suspected') order by item_state = 'weak' desc, score - weak_below, agent_id, item",
        values,
    )


def training_needs(snapshot: Snapshot, filters: Filters) -> Rows:
    """The training plan: by team and item who is below, the most urgent first.

    Args:
        filters: unit counts; the week is that of the snapshot.
    """
    where, values = row_conditions(
        replace(filters, start=None, end=None, channels=(), product_lines=(), customer_kinds=()),
        ("org_unit_id",),
        "week_on",
    )
    return snapshot.rows(
        "select priority, team_id, item, week_on, agents_judged, agents_weak, agents_suspected, shortfall, weak_agents, suspected_agents"
        f" from main.fct_training_needs{where} and agents_weak + agents_suspected > 0 order by priority",
        values,
    )


def training_effects(snapshot: Snapshot) -> Rows:
    """What trainings did to the items that they were about, the newest first; the whole sheet where the training names no item."""
    return snapshot.rows(
        "select improvement_action_id, item, org_unit_id, problem, plan, started_on, ended_on, days_compared, agents_trained, agents_control, trained_before,"
        " trained_after, control_before, control_after, effect, effect_low, effect_high, adjusted_effect, adjusted_low, adjusted_high, reason, is_final"
        " from fct_training_effects where is_target_item qualify item = 'all' or count(*) filter (where item = 'all') over (partition by improvement_action_id) = 0"
        " order by started_on desc, improvement_action_id, item"
    )
