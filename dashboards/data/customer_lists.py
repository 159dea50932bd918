"""Lists of customers and of their months: who may leave and why, what remains of each cohort, what became of the revenue.

Belongs here: rows of the customer marts for a slice. Does not belong here: one customer (customers) and metrics (metrics).
Every function takes the slice with what its reader may see in it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import polars as pl

from dashboards.data.metrics import Filters, row_conditions
from dashboards.data.snapshot import Snapshot

WARNING_DAYS = 90
"""Early warnings of so many days before the day of the score belong to the risk list."""

_BRIDGE = ("fee_at_start", "new_fee", "reactivated_fee", "expansion_fee", "contraction_fee", "lost_fee", "fee_at_end")


def _timeless(filters: Filters) -> Filters:
    return replace(filters, start=None, end=None)


def risk_list(snapshot: Snapshot, filters: Filters, *, limit: int) -> tuple[list[dict[str, Any]], int]:
    """Customers with a churn score, most money at risk first, with the reasons of the score and their early warnings.

    Args:
        filters: unit, product and kind count; the days do not, a score is of the last day of the data.
        limit: rows at most.

    Returns:
        Rows (customer_key, customer_kind, org_unit_id, product_line, churn_probability, risk_band, monthly_fee, value_at_risk,
        reason_1 to reason_3, signals, last_signal_on, scored_on) and how many customers there are in all.
    """
    where, values = row_conditions(
        replace(_timeless(filters), channels=()), ("org_unit_id", "customer_kind", "product_line"), "scored_on"
    )
    rows = snapshot.rows(
        f"with scored as (select * from main.fct_customer_risk{where} and churn_probability is not null),"
        " listed as (select *, (select count(*) from scored) as total from scored"
        " order by value_at_risk desc nulls last, churn_probability desc, customer_key limit ?),"
        " warned as (select w.customer_key, list_sort(list_distinct(list(w.signal))) as signals, max(w.seen_on) as last_signal_on"
        " from main.fct_early_warnings as w inner join listed as l on w.customer_key = l.customer_key"
        f" and w.seen_on between l.scored_on - {WARNING_DAYS - 1} and l.scored_on group by w.customer_key)"
        " select l.customer_key, l.customer_kind, l.org_unit_id, l.product_line, l.churn_probability, l.risk_band,"
        " cast(l.monthly_fee as double) as monthly_fee, l.value_at_risk, l.reason_1, l.reason_2, l.reason_3, l.scored_on, l.total,"
        " w.signals, w.last_signal_on from listed as l left join warned as w on l.customer_key = w.customer_key"
        " order by l.value_at_risk desc nulls last, l.churn_probability desc, l.customer_key",
        [*values, limit],
    )
    return rows, rows[0]["total"] if rows else 0


def not_scored(snapshot: Snapshot, filters: Filters) -> list[dict[str, Any]]:
    """How many customers have no score, by reason."""
    where, values = row_conditions(
        replace(_timeless(filters), channels=()), ("org_unit_id", "customer_kind", "product_line"), "scored_on"
    )
    return snapshot.rows(
        f"select no_score_reason as reason, count(*) as customers from main.fct_customer_risk{where} and churn_probability is null"
        " group by 1 order by 2 desc, 1",
        values,
    )


def cohorts(snapshot: Snapshot, filters: Filters, *, most: int) -> pl.DataFrame:
    """What remains of the customers that joined in each month, by age in months.

    Args:
        filters: unit and kind count; days, channel and product do not.
        most: cohorts at most, the newest.

    Returns:
        cohort_on, age_months, month_start, joined, active, is_complete; in this order. `active` is null where the month is not over
        yet: nothing is known of it, which is not the same as nobody left.
    """
    where, values = row_conditions(
        replace(_timeless(filters), channels=(), product_lines=()), ("org_unit_id", "customer_kind"), "cohort_on"
    )
    return snapshot.frame(
        "select cohort_on, age_months, any_value(month_start) as month_start, cast(sum(joined) as bigint) as joined,"
        " cast(case when bool_and(is_complete) then sum(active) end as bigint) as active, bool_and(is_complete) as is_complete"
        f" from main.fct_cohort_months{where} group by cohort_on, age_months"
        " qualify dense_rank() over (order by cohort_on desc) <= ? order by cohort_on, age_months",
        [*values, most],
    )


@dataclass(frozen=True)
class Bridge:
    """What became of the recurring revenue over some whole months.

    Attributes:
        first, last: first and last month that counts.
        amounts: fee_at_start, new_fee, reactivated_fee, expansion_fee, contraction_fee, lost_fee, fee_at_end; money a month.
            contraction and loss are positive amounts that are taken away.
        months: months added up.
    """

    first: date
    last: date
    amounts: dict[str, float]
    months: int

    @property
    def unexplained(self) -> float:
        """What the parts leave over; not 0 where rows of some months are missing."""
        a = self.amounts
        gains = a["new_fee"] + a["reactivated_fee"] + a["expansion_fee"]
        return a["fee_at_end"] - (a["fee_at_start"] + gains - a["contraction_fee"] - a["lost_fee"])


def retention_bridge(snapshot: Snapshot, filters: Filters) -> Bridge | None:
    """The bridge from the fees at the start of a period to those at its end, over whole customers in whole months.

    Args:
        filters: days choose the months that lie in them as a whole; unit and kind count, channel and product do not.

    Returns:
        None when no whole month with data lies in the period.
    """
    span = replace(filters, channels=(), product_lines=())
    if span.end is not None:
        # A month counts when its last day lies in the period too.
        span = replace(span, end=(span.end + timedelta(days=1)).replace(day=1) - timedelta(days=1))
    where, values = row_conditions(span, ("org_unit_id", "customer_kind"), "month_start")
    rows = snapshot.rows(
        f"select month_start, {', '.join(f'cast(sum({name}) as double) as {name}' for name in _BRIDGE)} from main.fct_retention_months{where}"
        " and is_whole_customer and has_data group by month_start order by month_start",
        values,
    )
    if not rows:
        return None
    flows = {name: sum(row[name] for row in rows) for name in _BRIDGE[1:-1]}
    return Bridge(
        rows[0]["month_start"],
        rows[-1]["month_start"],
        {"fee_at_start": rows[0]["fee_at_start"], **flows, "fee_at_end": rows[-1]["fee_at_end"]},
        len(rows),
    )
