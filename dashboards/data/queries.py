"""What the pages ask: one function a question, over one snapshot.

Belongs here: questions that a page or a report has. Does not belong here: how a metric is computed (metrics) and how an
answer looks (figures, components).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl

from dashboards.components.filters import Choice, Choices
from dashboards.data.atlas import Variant, families, variants
from dashboards.data.metrics import (
    Filters,
    Metric,
    MetricValue,
    Split,
    catalogue,
    find_metric,
    metric_frame,
    metric_sql,
    weekday_frame,
)
from dashboards.data.metrics import metric_values as _metric_values
from dashboards.data.metrics import narrowed as _narrowed
from dashboards.data.rows import RowsBehind, rows_behind, shown_parts
from dashboards.data.snapshot import Snapshot, SnapshotStore, read_status
from dashboards.i18n import Translator

Rows = list[dict[str, Any]]

TRENDS = ("tickets_created", "calls_offered", "csat_top2", "nps")
"""The courses that the overview shows, in their order."""


@dataclass(frozen=True)
class SnapshotFacts:
    """What is shown and how old it is. Moments are UTC."""

    version: str
    built_at: datetime
    data_until: date
    complete_until: date
    run_id: str | None
    is_stale: bool
    stale_reasons: str | None
    program_version: str | None
    definitions: str | None


@dataclass(frozen=True)
class Failure:
    """A refresh that did not publish: when (UTC) and why."""

    at: datetime
    reason: str | None


class MetricInfo:
    """A metric of the catalogue with its words in the reader's language."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric
        self.name = metric.name
        self.formula = metric.formula
        self.unit = metric.unit
        self.direction = metric.direction
        self.version = metric.version
        self.minimum_base = metric.minimum_base
        self.target = metric.target
        self.family = metric.family
        self.is_default = metric.is_default
        self.interval = metric.interval
        self.clock = metric.clock
        self.default_grain = metric.default_grain
        self.dimensions = metric.dimensions
        self.vendor_names = metric.vendor_names
        self.inputs = tuple(dict.fromkeys(metric.inputs.values()))
        self.type = metric.type
        self.model = metric.parts[0].model if metric.parts else None
        """The mart that its first part counts; None for arithmetic over other metrics."""
        self.is_count = metric.type in ("count", "distinct")
        self.has_parts = metric.type == "ratio"
        """Whether it is one number divided by another, with both to show."""

    def label(self, t: Translator) -> str:
        return t.label(self._metric.label_en, self._metric.label_zh, self.name)

    def description(self, t: Translator) -> str:
        return t.label(self._metric.description_en, self._metric.description_zh, self.name)

    def narrowed(self, filters: Filters) -> tuple[Filters, tuple[str, ...]]:
        """The slice as far as the metric knows its dimensions, and those that it does not know."""
        return _narrowed(self._metric, filters)


def snapshot_facts(snapshot: Snapshot) -> SnapshotFacts:
    """What is shown and how old it is. Without any data the day of the build stands for its last day."""
    (row,) = snapshot.rows("select * exclude (shape) from meta.snapshot")
    built_on = row["built_at"].date()
    return SnapshotFacts(
        **{**row, "data_until": row["data_until"] or built_on, "complete_until": row["complete_until"] or built_on}
    )


def last_day(snapshot: Snapshot) -> date:
    """The last day of the data."""
    return snapshot_facts(snapshot).data_until


def last_complete_day(snapshot: Snapshot) -> date:
    """The last day before the newest load: a day that was going on while it was loaded is not complete."""
    facts = snapshot_facts(snapshot)
    return min(facts.data_until, facts.complete_until)


def _failure(status: dict[str, Any]) -> Failure | None:
    if status.get("outcome") != "failed":
        return None
    at = datetime.fromisoformat(str(status["at"])).replace(tzinfo=None)
    return Failure(at, "; ".join(status.get("reasons") or []) or None)


def last_failure(snapshot: Snapshot) -> Failure | None:
    """The last refresh, if it failed after this snapshot was published."""
    return _failure(snapshot.status())


def last_failure_of(store: SnapshotStore) -> Failure | None:
    """The last refresh, if it failed; for when nothing is published."""
    return _failure(read_status(store.serving))


def status_token(store: SnapshotStore) -> str:
    """Changes with every refresh, also with one that failed."""
    status = read_status(store.serving)
    return f"{status.get('outcome', '')}@{status.get('at', '')}"


def headline_metrics(snapshot: Snapshot) -> list[MetricInfo]:
    """The metrics of the overview's cards, in the catalogue's order."""
    found = [metric for metric in catalogue(snapshot).values() if metric.headline is not None]
    return [MetricInfo(metric) for metric in sorted(found, key=lambda metric: metric.headline or 0)]


def trend_metrics(snapshot: Snapshot) -> list[MetricInfo]:
    """The metrics whose course the overview shows."""
    metrics = catalogue(snapshot)
    return [MetricInfo(metrics[name]) for name in TRENDS if name in metrics]


def known_metrics(snapshot: Snapshot, names: Sequence[str]) -> list[MetricInfo]:
    """Those of some metrics that the snapshot has, in the order asked for."""
    metrics = catalogue(snapshot)
    return [MetricInfo(metrics[name]) for name in names if name in metrics]


def all_metrics(snapshot: Snapshot) -> list[MetricInfo]:
    """The whole catalogue: by family, its default first."""
    return [MetricInfo(metric) for family in families(catalogue(snapshot)).values() for metric in family]


def family_variants(snapshot: Snapshot, family: str, filters: Filters) -> tuple[list[Variant], tuple[str, ...]]:
    """All definitions of a family over one slice, the default first, and the filters that not all of them know.

    Raises:
        MetricError: there is no such family.
    """
    metrics = families(catalogue(snapshot)).get(family, [])
    ignored: tuple[str, ...] = ()
    for metric in metrics:
        filters, unknown = _narrowed(metric, filters)
        ignored += tuple(name for name in unknown if name not in ignored)
    return variants(snapshot, family, filters), ignored


def metric_changes(snapshot: Snapshot, names: Sequence[str]) -> Rows:
    """What changed in definitions, newest first."""
    return snapshot.rows(
        "select metric, version, changed_on, what_en, what_zh from meta.metric_changes where metric in (select unnest(?))"
        " order by changed_on desc, metric, version desc",
        [list(names)],
    )


_SAME_VALUES = {
    "cause": "topic",
    "symptom": "topic",
    "cause_owner": "owner",
    "previous_grade": "grade",
    "top_channel": "channel",
    "top_product_line": "product_line",
    "reason_1": "risk_reason",
}
"""Dimensions whose values are those of another one."""


def value_labels(snapshot: Snapshot, dimension: str, language: str) -> dict[str, str]:
    """Words for the values of a dimension, in the reader's language."""
    dimension = _SAME_VALUES.get(dimension, dimension)
    if dimension in ("org_unit_id", "province_id", "top_unit_id"):
        name = "unit_name" if language == "zh" else "unit_name_en"
        rows = snapshot.rows(
            f"select org_unit_id as value, coalesce({name}, unit_name, org_unit_id) as label from dim_org_units"
        )
    else:
        label = "label_zh" if language == "zh" else "label_en"
        rows = snapshot.rows(f"select value, {label} as label from meta.values where dimension = ?", [dimension])
    return {row["value"]: row["label"] for row in rows if row["label"]}


def metric_slices(
    snapshot: Snapshot, name: str, by: Sequence[str], filters: Filters, grain: str | None = None
) -> pl.DataFrame:
    """A metric split by dimensions and, with a grain, time: as `metric_frame`, without the name."""
    return metric_frame(snapshot, [name], by=by, grain=grain, filters=filters).drop("metric")


def metric_week(snapshot: Snapshot, name: str, by: str, filters: Filters) -> pl.DataFrame:
    """A metric by day of the week and one dimension."""
    return weekday_frame(snapshot, name, by, filters)


def importance_performance(snapshot: Snapshot) -> Rows:
    """Items of surveys with importance and performance: of each survey by the best measure of importance that could be estimated."""
    return snapshot.rows(
        "select survey_id, item_level, importance_kind, item, question_text, respondents, performance, performance_low, performance_high,"
        " importance, importance_low, importance_high, performance_line, importance_line, quadrant, quadrant_probability, period_start, period_end"
        " from fct_importance_performance where quadrant is not null and item_level = 'question'"
        " qualify dense_rank() over (partition by survey_id order by case importance_kind when 'lmg' then 1 when 'stated' then 2 else 3 end) = 1"
        " order by survey_id, performance, item"
    )


def satisfaction_drivers(snapshot: Snapshot) -> Rows:
    """What satisfaction of the last twelve months hangs on, by population; largest share first."""
    return snapshot.rows(
        "select population, factor, answers_used, share, share_low, share_high, effect_sign, r_squared, period_start, period_end"
        " from fct_satisfaction_drivers where period_kind = 'last_12_months' and factor_set = 'operations' and share is not null"
        " order by population, share desc, factor"
    )


def index_periods(snapshot: Snapshot) -> Rows:
    """Waves of the index surveys with their first and last day, in order."""
    return snapshot.rows(
        "select period, min(metric_time) as first_day, max(metric_time) as last_day from parts.fct_satisfaction_index group by period order by 2, 1"
    )


def survival_curves(snapshot: Snapshot) -> Rows:
    """Share of contracts that still run after so many days, by stratum; `from_days` above 0: of those who got that far."""
    return snapshot.rows(
        "select stratum_kind, stratum, from_days, days, survival, low, high, at_risk, median_days from fct_survival_curves"
        " where survival is not null order by stratum_kind, stratum, days"
    )


def tier_grades(snapshot: Snapshot) -> list[str]:
    """The grades of the scheme that metrics of tiers speak of, highest first."""
    rows = snapshot.rows(
        "select distinct grade, grade_rank from fct_tier_movements where is_default_scheme order by grade_rank"
    )
    return [row["grade"] for row in rows]


def metric_query(snapshot: Snapshot, name: str, by: Sequence[str], filters: Filters, grain: str | None) -> str | None:
    """The SQL behind a metric, with its parameters as comments; None for arithmetic over other metrics.

    Raises:
        MetricError: unknown metric or grain.
    """
    metric = find_metric(catalogue(snapshot), name)
    if metric.type == "derived":
        return None
    sql, values = metric_sql(metric, filters, Split(tuple(by), grain))
    return "\n".join([sql, *(f"-- {number}: {value}" for number, value in enumerate(values, 1))])


def metric_rows(snapshot: Snapshot, name: str, filters: Filters, part: str, limit: int) -> RowsBehind | None:
    """The rows behind a metric; None for arithmetic over other metrics. A part that it does not have means the usual one.

    Raises:
        MetricError: unknown metric.
    """
    there = [one.name for one in shown_parts(find_metric(catalogue(snapshot), name))]
    if not there:
        return None
    return rows_behind(snapshot, name, filters, part=part if part in there else None, limit=limit)


def lorenz_points(snapshot: Snapshot) -> Rows:
    """How concentrated the money is: share of it with the best so many per cent of the customers."""
    return snapshot.rows(
        "select basis, customer_kinds, customer_percent, best_first_share, poorest_first_share, evaluated_month from fct_lorenz_points"
        " qualify evaluated_month = max(evaluated_month) over () order by basis, customer_kinds, customer_percent"
    )


def metric_values(snapshot: Snapshot, names: Sequence[str], filters: Filters) -> dict[str, MetricValue]:
    """Values over one slice, by metric."""
    return _metric_values(snapshot, names, filters)


def metric_courses(snapshot: Snapshot, names: Sequence[str], grain: str, filters: Filters) -> dict[str, pl.DataFrame]:
    """Course of each metric over time: one row per period, ordered by time."""
    frame = metric_frame(snapshot, names, grain=grain, filters=filters)
    return {name: frame.filter(pl.col("metric") == name).drop("metric") for name in names}


def filter_choices(snapshot: Snapshot, language: str) -> Choices:
    """The values that the filters offer: the unit tree, and what occurs in the data."""
    label = "label_zh" if language == "zh" else "label_en"
    name = "unit_name" if language == "zh" else "unit_name_en"
    units = snapshot.rows(
        f"select org_unit_id as value, coalesce({name}, org_unit_id) as label, depth from dim_org_units where unit_level <> 'team' order by path"
    )

    def values(dimension: str, tables: Sequence[str]) -> tuple[Choice, ...]:
        union = " union ".join(f'select {dimension} as value from parts."{table}"' for table in tables)
        rows = snapshot.rows(
            f"select v.value, coalesce(l.{label}, v.value) as label from ({union}) as v left join meta.values as l"
            " on l.dimension = ? and l.value = v.value where v.value is not null order by v.value = 'unknown', label",
            [dimension],
        )
        return tuple(Choice(row["value"], row["label"]) for row in rows)

    contacts = ("fct_tickets", "fct_calls", "fct_contacts")
    return Choices(
        units=tuple(Choice(row["value"], row["label"], row["depth"]) for row in units),
        channels=values("channel", contacts),
        products=values("product_line", contacts),
        kinds=values("customer_kind", contacts),
    )


def freshness(snapshot: Snapshot) -> Rows:
    """Each source: when something last arrived, how often it must, whether it was late when the snapshot was built."""
    return snapshot.rows(
        "select s.*, s.last_loaded_at is null or epoch(m.built_at) - epoch(s.last_loaded_at) > s.expected_every_seconds as is_stale"
        " from dim_sources as s, meta.snapshot as m order by is_stale desc, s.source"
    )


def accounting(snapshot: Snapshot) -> Rows:
    """What became of the received rows, by source and feed."""
    return snapshot.rows(
        "select source, feed, cast(sum(received) as bigint) as received, cast(sum(used) as bigint) as used,"
        " cast(sum(superseded) as bigint) as superseded, cast(sum(quarantined) as bigint) as quarantined,"
        " bool_and(is_balanced) as is_balanced from fct_load_accounting group by source, feed order by source, feed"
    )


def quarantine_reasons(snapshot: Snapshot) -> Rows:
    """Reasons in quarantine with the number of rows, most frequent first. A row with two reasons counts under both."""
    return snapshot.rows(
        "select source, feed, reason, count(*) as rows from"
        " (select source, feed, unnest(string_split(reasons, ', ')) as reason from fct_quarantined_rows)"
        " group by source, feed, reason order by rows desc, source, feed, reason"
    )


def reason_labels(snapshot: Snapshot, language: str) -> dict[str, str]:
    """What the codes in a reason (`amount:invalid`, `rule:end_before_start`) mean, in the reader's language."""
    label = "label_zh" if language == "zh" else "label_en"
    rows = snapshot.rows(f"select value, {label} as label from meta.values where dimension = 'reason'")
    return {row["value"]: row["label"] for row in rows}


def quarantine_samples(snapshot: Snapshot, *, source: str, feed: str, reason: str, limit: int) -> Rows:
    """Some rows of one reason; their content is masked."""
    return snapshot.rows(
        "select file_name as file, record_number as record, row_key as key, coalesce(problem || ': ', '') || coalesce(content, '') as content"
        " from fct_quarantined_rows where source = ? and feed = ? and list_contains(string_split(reasons, ', '), ?)"
        " order by file_id desc, record_number limit ?",
        [source, feed, reason, limit],
    )


def test_results(snapshot: Snapshot) -> Rows:
    """Tests of the build, failed ones first."""
    return snapshot.rows(
        "select name, status, severity, failures, message from meta.test_results order by status = 'pass', name"
    )


def loaded_files(snapshot: Snapshot, *, limit: int) -> Rows:
    """Inbox files, refused ones first, then the newest."""
    return snapshot.rows(
        'select source, file_name as file, table_name as "table", delivery, file_status as status, row_count as rows, damaged_count as damaged,'
        " loaded_at, message from fct_loads order by file_status = 'loaded', file_id desc limit ?",
        [limit],
    )


def runs(snapshot: Snapshot) -> Rows:
    """Refreshes up to the one that built the snapshot, newest first."""
    return snapshot.rows(
        "select run_id, outcome, started_at, ended_at as finished_at, seconds, rows_loaded, quarantined, message from meta.runs order by started_at desc"
    )
