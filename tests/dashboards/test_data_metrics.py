"""The metric compiler against rows, on a whole published company."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboards.data import atlas
from dashboards.data.metrics import (
    Filters,
    Metric,
    MetricError,
    Part,
    Split,
    catalogue,
    metric_frame,
    metric_sql,
    metric_value,
    metric_values,
)
from dashboards.data.snapshot import Snapshot, SnapshotStore, open_snapshot
from dashboards.data.sql import QueryError, query_sql


@pytest.fixture(scope="module")
def snapshot(demo_home: Path) -> Iterator[Snapshot]:
    store = SnapshotStore(demo_home / "serving")
    yield store.current()
    store.close()


def test_ratios_are_rolled_up_from_their_parts(snapshot: Snapshot) -> None:
    whole = metric_value(snapshot, "service_level")
    parts = metric_frame(snapshot, ["service_level"], by=["org_unit_id", "queue"], grain="day")
    assert whole.value == pytest.approx(parts["numerator"].sum() / parts["denominator"].sum())
    assert whole.value != pytest.approx(float(parts["value"].mean() or 0), abs=1e-6)


def test_an_empty_base_is_null(snapshot: Snapshot) -> None:
    nothing = Filters(start=date(1999, 1, 1), end=date(1999, 1, 2))
    metrics = catalogue(snapshot)
    for name, metric in metrics.items():
        value = metric_value(snapshot, name, nothing)
        assert value.value is None, name
        assert (value.low, value.high, value.n) == (None, None, 0), name
        bases = [one.minimum_base for one in (metric, *(metrics[of] for of in metric.inputs.values()))]
        assert value.is_small_base == (bases != [None] * len(bases)), name


def test_a_group_that_a_ratio_is_not_about_has_no_row(snapshot: Snapshot) -> None:
    """Its mart has a row for each fact of an answer, and the measures of the others are null."""
    facts = snapshot.rows("select count(distinct fact) as n from fct_operations_perception")
    frame = metric_frame(snapshot, ["csat_by_queue_wait"], by=["fact"])
    assert frame["fact"].to_list() == ["queue_wait_minutes"]
    assert facts[0]["n"] > 10
    assert metric_frame(snapshot, ["csat_by_queue_wait"])["denominator"][0] == frame["denominator"][0]


def test_every_metric_has_words_in_both_languages(snapshot: Snapshot) -> None:
    for metric in catalogue(snapshot).values():
        assert (
            metric.label_en and metric.label_zh and metric.description_en and metric.description_zh and metric.formula
        )
        assert any("\u4e00" <= letter <= "\u9fff" for letter in metric.label_zh)


def test_units_include_what_is_below_them(snapshot: Snapshot) -> None:
    units = snapshot.rows("select org_unit_id, province_id from dim_org_units where unit_level = 'city'")
    province = str(units[0]["province_id"])
    cities = tuple(unit["org_unit_id"] for unit in units if unit["province_id"] == province)
    assert len(cities) > 1
    above = metric_value(snapshot, "tickets_created", Filters(units=(province,)))
    below = metric_value(snapshot, "tickets_created", Filters(units=cities))
    assert above.value == below.value
    assert 0 < (above.value or 0) < (metric_value(snapshot, "tickets_created").value or 0)


def test_a_reader_sees_only_the_rows_of_their_units(snapshot: Snapshot) -> None:
    units = [
        row["org_unit_id"]
        for row in snapshot.rows("select org_unit_id from dim_org_units where unit_level = 'province' order by 1")
    ]
    mine, other = str(units[0]), str(units[1])
    visible = Filters(visible_units=frozenset({mine}))
    assert (
        metric_value(snapshot, "calls_offered", visible).value
        == metric_value(snapshot, "calls_offered", Filters(units=(mine,))).value
    )
    assert (
        metric_value(snapshot, "calls_offered", Filters(units=(other,), visible_units=frozenset({mine}))).value is None
    )


def test_unknown_names_are_answered_with_what_there_is(snapshot: Snapshot) -> None:
    with pytest.raises(MetricError, match="csat_top2"):
        metric_value(snapshot, "csat_top")
    with pytest.raises(MetricError, match="it knows"):
        metric_frame(snapshot, ["nps"], by=["queue"])
    with pytest.raises(MetricError, match="use one of"):
        metric_frame(snapshot, ["nps"], grain="fortnight")
    with pytest.raises(MetricError, match="cannot be split"):
        metric_value(snapshot, "nps", Filters(where={"1=1; drop table x": ("a",)}))


def _of_rows(snapshot: Snapshot, metric: Metric, filters: Filters) -> dict[str, float | None]:
    """Each part of a metric, aggregated from the rows of its mart without the daily parts."""
    found = {}
    for part in metric.parts:
        if part.kind == "stock":
            found[part.name] = _stock_of_rows(snapshot, part, metric.default_grain, filters)
            continue
        column = {"sum": "sum({0})", "distinct": "case when count(*) > 0 then count(distinct {0}) end"}.get(
            part.kind, f"quantile_disc({{0}}, {part.percentile})"
        )
        conditions, values = ["true"], []
        for name, wanted in (("channel", filters.channels), ("customer_kind", filters.customer_kinds)):
            if wanted and name != part.ignores:
                conditions.append(f"{name} = ?" if name in part.dimensions else "false")
                values += [wanted[0]] if name in part.dimensions else []
        (row,) = snapshot.frame(
            f'select cast({column.format("(" + part.expression + ")")} as double) from main."{part.model}"'
            f' where "{part.clock}" between ? and ? and {" and ".join(conditions)}',
            [filters.start, filters.end, *values],
        ).rows()
        found[part.name] = row[0]
    return found


def _stock_of_rows(snapshot: Snapshot, part: Part, grain: str, filters: Filters) -> float | None:
    """Rows of the last day of the slice on which stock was taken; a slice is there from its first row on."""
    rows = snapshot.frame(f'select *, ({part.expression}) as stocked from main."{part.model}"')
    days = rows[part.clock].unique().sort()
    taken = pl.date_range(days[0], days[-1], eager=True) if grain == "day" else days
    taken = taken.filter(taken.is_between(filters.start or days[0], filters.end or days[-1]))
    for name, wanted in (("channel", filters.channels), ("customer_kind", filters.customer_kinds)):
        if wanted:
            rows = rows.filter(pl.col(name).is_in(wanted)) if name in part.dimensions else rows.clear()
    if taken.is_empty() or rows.filter(pl.col(part.clock) <= taken[-1]).is_empty():
        return None
    last = taken[-1]
    return float(rows.filter(pl.col(part.clock) == last)["stocked"].sum())


def _value_of_rows(snapshot: Snapshot, metrics: dict[str, Metric], metric: Metric, filters: Filters) -> float | None:
    if metric.type == "derived":
        inputs = {name: _value_of_rows(snapshot, metrics, metrics[of], filters) for name, of in metric.inputs.items()}
        if None in inputs.values():
            return None
        try:
            return float(eval(metric.expression or "", {"__builtins__": {}}, inputs))
        except ZeroDivisionError:
            return None  # nothing by nothing is no number
    parts = _of_rows(snapshot, metric, filters)
    if any(part.ignores for part in metric.parts):
        # Nothing of a whole that is not empty is a share of 0, where without a whole it would be no number.
        parts["numerator"] = parts["numerator"] or 0.0
    if metric.type == "ratio":
        return (
            parts["numerator"] / parts["denominator"]
            if parts["denominator"] and parts["numerator"] is not None
            else None
        )
    return parts["value"]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    start=st.dates(date(2026, 6, 25), date(2026, 9, 30)),
    days=st.integers(0, 60),
    channel=st.sampled_from([None, "phone", "web", "email", "sms"]),
    kind=st.sampled_from([None, "person", "enterprise"]),
)
def test_every_metric_over_any_slice_is_that_of_its_rows(
    snapshot: Snapshot, start: date, days: int, channel: str | None, kind: str | None
) -> None:
    filters = Filters(
        start=start,
        end=start + timedelta(days=days),
        channels=(channel,) if channel else (),
        customer_kinds=(kind,) if kind else (),
    )
    metrics = catalogue(snapshot)
    for name, value in metric_values(snapshot, list(metrics), filters).items():
        expected = _value_of_rows(snapshot, metrics, metrics[name], filters)
        assert value.value == (None if expected is None else pytest.approx(expected)), (name, filters)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    by=st.sampled_from([(), ("org_unit_id",), ("channel", "customer_kind")]),
    grain=st.sampled_from([None, "day", "month"]),
)
def test_additive_metrics_roll_up_from_any_split(snapshot: Snapshot, by: tuple[str, ...], grain: str | None) -> None:
    names = [
        name
        for name, metric in catalogue(snapshot).items()
        if {part.kind for part in metric.parts} == {"sum"}
        and set(by) <= set(metric.dimensions)
        # The whole that shares are shares of is the same in each part of the split.
        and not any(part.ignores in by for part in metric.parts)
    ]
    assert len(names) > 20
    whole = metric_values(snapshot, names)
    split = metric_frame(snapshot, names, by=by, grain=grain)
    for name in names:
        rows = split.filter(pl.col("metric") == name)
        for column in ("numerator", "denominator"):
            expected = getattr(whole[name], column)
            assert rows[column].sum() == pytest.approx(expected or 0), (name, column)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    start=st.dates(date(2026, 6, 20), date(2026, 10, 5)),
    days=st.integers(0, 90),
    by=st.sampled_from(
        [(), ("channel",), ("org_unit_id", "age_bucket"), ("business_age_bucket", "ticket_kind", "priority")]
    ),
    grain=st.sampled_from([None, "day", "week", "month", "quarter"]),
)
def test_a_stock_is_that_of_the_last_day_and_adds_up_over_everything_else(
    snapshot: Snapshot, start: date, days: int, by: tuple[str, ...], grain: str | None
) -> None:
    filters = Filters(start=start, end=start + timedelta(days=days))
    part = catalogue(snapshot)["backlog_open"].parts[0]
    split = metric_frame(snapshot, ["backlog_open"], by=by, grain=grain, filters=filters)
    if grain is None:
        expected = _stock_of_rows(snapshot, part, "day", filters)
        assert (split["value"].sum() if split["value"].count() else None) == expected
        return
    covered = snapshot.frame("select min(backlog_on), max(backlog_on) from fct_backlog_days").rows()[0]
    last_days: dict[date, date] = {}
    for number in range(days + 1):
        day = start + timedelta(days=number)
        if covered[0] <= day <= covered[1]:
            last_days[
                pl.Series([day]).dt.truncate({"day": "1d", "week": "1w", "month": "1mo", "quarter": "1q"}[grain])[0]
            ] = day
    found = dict(split.group_by("metric_time").agg(pl.col("value").sum()).rows())
    assert found == {
        period: _stock_of_rows(snapshot, part, "day", Filters(start=start, end=day))
        for period, day in last_days.items()
    }


def test_a_slice_without_a_row_on_the_last_day_has_nothing_in_stock(snapshot: Snapshot) -> None:
    """A channel is not left at the last day on which it had a ticket open."""
    rows = snapshot.rows(
        "select channel, day from (select *, lead(day) over (partition by channel order by day) as next_day from"
        " (select channel, backlog_on as day, sum(solved) as solved from fct_backlog_days group by all))"
        " where solved > 0 and day < (select max(backlog_on) from fct_backlog_days) and coalesce(next_day, date '9999-12-31') > day + 1 limit 1"
    )
    assert rows, "no channel is ever empty; the company is too big for this test"
    empty = rows[0]["day"] + timedelta(days=1)
    filters = Filters(start=rows[0]["day"], end=empty, channels=(rows[0]["channel"],))
    assert metric_value(snapshot, "backlog_open", filters).value == 0
    assert metric_value(snapshot, "backlog_open", Filters(end=empty)).value != 0
    assert metric_value(snapshot, "backlog_open", Filters(channels=("carrier pigeon",))).value is None


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    start=st.dates(date(2026, 6, 25), date(2026, 9, 30)),
    days=st.integers(0, 60),
    rest=st.sampled_from([(), ("channel",), ("customer_kind", "product_line")]),
    grain=st.sampled_from([None, "week", "month"]),
)
def test_a_share_of_the_whole_is_that_of_the_rows(
    snapshot: Snapshot, start: date, days: int, rest: tuple[str, ...], grain: str | None
) -> None:
    filters = Filters(start=start, end=start + timedelta(days=days))
    shares = metric_frame(snapshot, ["contact_reason_share"], by=("topic", *rest), grain=grain, filters=filters)
    groups = [*([] if grain is None else ["metric_time"]), *rest]
    rows = snapshot.frame("select * from fct_contacts where started_on between ? and ?", [filters.start, filters.end])
    if grain is not None:
        rows = rows.with_columns(
            pl.col("started_on").dt.truncate({"week": "1w", "month": "1mo"}[grain]).alias("metric_time")
        )
    counts = dict(((tuple(key), count) for *key, count in rows.group_by(*groups, "topic").len().rows()))
    wholes: dict[tuple[object, ...], int] = {}
    for key, count in counts.items():
        wholes[key[:-1]] = wholes.get(key[:-1], 0) + count
    found = {
        tuple(row[name] for name in [*groups, "topic"]): (row["numerator"], row["denominator"], row["value"])
        for row in shares.to_dicts()
    }
    topics = {key[-1] for key in counts}
    assert found == {
        (*group, topic): (counts.get((*group, topic), 0), whole, pytest.approx(counts.get((*group, topic), 0) / whole))
        for group, whole in wholes.items()
        for topic in topics
    }


def test_the_whole_ignores_a_filter_on_its_dimension_and_no_other(snapshot: Snapshot) -> None:
    every = metric_frame(snapshot, ["contact_product_share"], by=["product_line"])
    whole = metric_value(snapshot, "contacts").value
    for row in every.to_dicts():
        one = metric_value(snapshot, "contact_product_share", Filters(product_lines=(row["product_line"],)))
        assert (one.numerator, one.denominator) == (row["numerator"], whole)
        assert one.low is not None and one.high is not None and one.low <= (one.value or 0) <= one.high
    unit = str(
        snapshot.rows("select org_unit_id from fct_contacts where org_unit_id is not null limit 1")[0]["org_unit_id"]
    )
    mine = Filters(product_lines=("mobile",), visible_units=frozenset({unit}))
    assert (
        metric_value(snapshot, "contact_product_share", mine).denominator
        == metric_value(snapshot, "contacts", replace(mine, product_lines=())).value
    )


def test_distinct_customers_are_not_added_up(snapshot: Snapshot) -> None:
    whole = metric_value(snapshot, "customers_contacting").value
    by_month = metric_frame(snapshot, ["customers_contacting"], grain="month")["value"].sum()
    (row,) = snapshot.frame("select count(distinct customer_key) from fct_contacts").rows()
    assert whole == row[0] < by_month


def test_a_metric_of_two_marts_puts_sums_side_by_side(snapshot: Snapshot) -> None:
    """Calls for each ticket, by unit: a unit without the one or the other is there, and no row is multiplied."""
    metrics = catalogue(snapshot)
    ticket, call = metrics["tickets_created"].parts[0], metrics["calls_offered"].parts[0]
    ratio = replace(
        metrics["abandonment_rate"],
        interval="none",
        parts=(replace(call, name="numerator"), replace(ticket, name="denominator")),
        dimensions=("org_unit_id",),
    )
    sql, values = metric_sql(ratio, Filters(), Split(by=("org_unit_id",)))
    found = {row["org_unit_id"]: (row["numerator"], row["denominator"]) for row in snapshot.rows(sql, values)}
    calls = metric_frame(snapshot, ["calls_offered"], by=["org_unit_id"])
    tickets = metric_frame(snapshot, ["tickets_created"], by=["org_unit_id"])
    assert {unit: pair[0] for unit, pair in found.items() if pair[0] is not None} == dict(
        zip(calls["org_unit_id"], calls["value"], strict=True)
    )
    assert {unit: pair[1] for unit, pair in found.items() if pair[1] is not None} == dict(
        zip(tickets["org_unit_id"], tickets["value"], strict=True)
    )


def test_the_atlas_of_the_snapshot_is_what_the_compiler_says(snapshot: Snapshot) -> None:
    rows = snapshot.rows("select * from meta.atlas")
    assert {row["period"] for row in rows} == {"all", "last_month"}
    assert {row["family"] for row in rows} >= {"service_level", "average_speed_of_answer"}
    for row in rows:
        value = metric_value(snapshot, row["metric"], Filters(start=row["first_day"], end=row["last_day"]))
        assert row["value"] == value.value and row["n"] == value.n
    levels = [row for row in rows if row["family"] == "service_level" and row["period"] == "last_month"]
    assert len(levels) == 8
    assert levels[0]["spread"] == pytest.approx(max(r["value"] for r in levels) - min(r["value"] for r in levels))
    assert [row["gap"] for row in levels if row["is_default"]] == [0]


@pytest.mark.parametrize("number", ["", "many", "0,81", "81%%", "1e-3"])
def test_a_number_that_cannot_be_read_is_refused(snapshot: Snapshot, number: str) -> None:
    with pytest.raises(MetricError, match="is no number"):
        atlas.explain(atlas.variants(snapshot, "service_level"), number)


def test_an_unknown_family_is_answered_with_near_ones(snapshot: Snapshot) -> None:
    with pytest.raises(MetricError, match="Did you mean service_level"):
        atlas.variants(snapshot, "service_leve")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.dates(date(2026, 6, 25), date(2026, 9, 30)), days=st.integers(0, 60))
def test_histogram_percentiles_equal_those_of_the_rows(snapshot: Snapshot, start: date, days: int) -> None:
    end = start + timedelta(days=days)
    for name, column, p, clock in [
        ("full_resolution_median", "full_resolution_seconds", 0.5, "created_on"),
        ("first_reply_p90", "first_reply_seconds", 0.9, "created_on"),
    ]:
        (row,) = snapshot.frame(
            f"select quantile_disc({column}, {p}) from fct_tickets where is_in_base and {clock} between ? and ?",
            [start, end],
        ).rows()
        assert metric_value(snapshot, name, Filters(start=start, end=end)).value == row[0]


def test_no_personal_data_in_public_tables(snapshot: Snapshot) -> None:
    columns = snapshot.rows(
        "select table_name, column_name from information_schema.columns where table_schema = 'main'"
    )
    forbidden = {
        "customer_name",
        "agent_name",
        "email",
        "birth_date",
        "caller_identifier",
        "caller_phone",
        "identifier_value",
        "body",
        "subject",
        "description",
        "comment",
    }
    assert [row for row in columns if row["column_name"] in forbidden] == []
    assert (
        snapshot.rows(
            "select content from fct_quarantined_rows where regexp_matches(content, '[0-9]{2}') or content like '%@gmail%'"
        )
        == []
    )


def test_every_table_has_a_rights_key(snapshot: Snapshot) -> None:
    with_key = snapshot.rows(
        "select count(distinct table_schema || '.' || table_name) as n from information_schema.columns where table_schema in ('main', 'parts') and column_name = 'row_unit_id'"
    )
    tables = snapshot.rows(
        "select count(*) as n from information_schema.tables where table_schema in ('main', 'parts')"
    )
    assert with_key[0]["n"] == tables[0]["n"] > 20


def test_free_sql_is_one_bounded_select(snapshot: Snapshot) -> None:
    assert query_sql(snapshot, "select count(*) as n from fct_calls;")["n"][0] > 0
    assert query_sql(snapshot, "from range(100)", max_rows=7).height == 7
    for refused in (
        "drop table fct_calls",
        "select 1; select 2",
        "attach 'x.duckdb'",
        "set threads = 1",
        "copy fct_calls to 'x.csv'",
    ):
        with pytest.raises(QueryError):
            query_sql(snapshot, refused)
    for reaching_out in (
        "select * from read_csv('/etc/passwd')",
        "select * from '/etc/passwd'",
        "select * from read_text('/etc/hostname')",
    ):
        with pytest.raises(QueryError):
            query_sql(snapshot, reaching_out)
    with pytest.raises(QueryError, match="stopped after"):
        query_sql(snapshot, "select count(*) from range(1000000000) a, range(1000000) b", timeout=0.3)


def test_free_sql_with_a_comment_an_interval_or_an_effect(snapshot: Snapshot) -> None:
    assert query_sql(snapshot, "select 1 as n -- the end")["n"].to_list() == [1]
    assert query_sql(snapshot, "select 1 as n; -- the end")["n"].to_list() == [1]
    found = query_sql(snapshot, "select interval 3 day as gap, {'a': interval 1 day} as nested, time '12:00' as noon")
    assert found["gap"].to_list() == ["3 days"]
    for effect in (
        "from enable_logging(storage = 'file', storage_path = 'x')",
        """select * from "enable_logging"('HTTP')""",
        "select write_log('x')",
        "select * from truncate_duckdb_logs()",
    ):
        with pytest.raises(QueryError, match="refused wherever it stands"):
            query_sql(snapshot, effect)


def test_units_are_matched_whole(tmp_path: Path) -> None:
    """A unit code may hold any character; only the units below it by their parents belong to it."""
    path = tmp_path / "csatlas-1.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema parts; create schema meta")
        connection.execute(
            "create table dim_org_units as select * from (values ('hq', null), ('a', 'hq'), ('a/b', 'hq'), ('c', 'a'),"
            " ('d', 'a/b'), ('x', 'y'), ('y', 'x')) as t (org_unit_id, parent_unit_id)"
        )
        connection.execute(
            "create table parts.fct_calls as select date '2026-01-01' as metric_time, org_unit_id, org_unit_id as row_unit_id,"
            " 1 as calls from dim_org_units"
        )
        part = {
            "name": "value", "model": "fct_calls", "measure": "calls", "kind": "sum", "expression": "1", "percentile": None,
            "clock": "started_on", "dimensions": ["org_unit_id"],
        }  # fmt: skip
        connection.execute(
            """
            create table meta.metrics as
            select 'calls' as name, 'count' as type, 'Calls' as label_en, '呼叫' as label_zh, '' as description_en,
                '' as description_zh, '' as formula, 'count' as unit, 'none' as direction, 'calls' as family, true as is_default,
                'started_on' as clock, 'none' as "interval", 0 as minimum_base, 'day' as default_grain, null::double as target,
                1 as version, null::integer as headline, 'fct_calls' as model, ? as parts, null::varchar as expression,
                '{}' as inputs, '["org_unit_id"]' as dimensions, '{}' as vendor_names, '' as fingerprint
            """,
            [json.dumps([part])],
        )
    with closing(open_snapshot(path)) as snapshot:

        def calls(**filters: Any) -> float | None:
            return metric_value(snapshot, "calls", Filters(**filters)).value

        assert calls(units=("a",)) == 2  # a and c
        assert calls(units=("b",)) in (None, 0)
        assert calls(units=("a/b",)) == 2
        assert calls(units=("hq",)) == 5
        assert calls(units=("x",)) == 2  # a cycle ends
        assert calls(visible_units=frozenset({"a"})) == 2
