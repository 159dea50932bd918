"""Every page as a function of snapshot, address and language: it draws, and its numbers are those of the metric compiler."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from plotly.utils import PlotlyJSONEncoder

from dashboards import shell
from dashboards.components.values import format_value
from dashboards.data import queries
from dashboards.data.metrics import Filters, MetricError, catalogue, metric_frame, metric_value, narrowed, weekday_frame
from dashboards.data.snapshot import Snapshot, SnapshotStore
from dashboards.figures.pareto import pareto_rows
from dashboards.figures.slices import short, wrapped
from dashboards.i18n import translator
from dashboards.pages import PAGES, PageContext, parts
from dashboards.state import parse_view

VIEWS = (
    "",
    "?period=last_12_months&compare=year",
    "?unit=P-JS&channel=phone&product=broadband&kind=household&compare=none",
    "?tab=churn&metric=service_level&by=queue&grain=week",
    "?tab=tiers&metric=tickets_created&by=ticket_kind,channel&grain=none",
    "?tab=money&metric=logo_churn_annualised&by=nonsense&grain=fortnight",
    "?tab=cause&cause=us.network&by=product_line",
    "?tab=found",
    "?tab=improvement&metric=cause_churned",
    "?period=custom&from=1999-01-01&to=1999-01-31",
)
METRICS = {
    "overview": (
        "tickets_created",
        "calls_offered",
        "service_level",
        "csat_top2",
        "complaints",
        "survey_response_rate",
    ),
    "satisfaction": ("csat_top2", "nps", "csat_mean", "survey_response_rate"),
    "complaints": (
        "complaint_case_count",
        "complaint_close_median",
        "complaint_stage_kept_rate",
        "second_complaint_rate_30d",
    ),
    "causes": ("cause_repeat_rate", "cause_dissatisfaction_rate", "cause_handling_cost_per_case", "cause_churn_rate"),
    "contact_centre": (
        "calls_offered",
        "service_level",
        "average_speed_of_answer",
        "abandonment_rate",
        "average_handle_time",
    ),
    "tickets": ("tickets_created", "backlog_open", "full_resolution_median", "sla_attainment", "reopen_rate"),
    "definitions": ("service_level",),
}
"""Numbers that a page must show for its default view: those of cards and charts."""


@pytest.fixture(scope="module")
def store(demo_home: Path) -> Iterator[SnapshotStore]:
    found = SnapshotStore(demo_home / "serving")
    yield found
    found.close()


@pytest.fixture(scope="module")
def snapshot(store: SnapshotStore) -> Snapshot:
    return store.current()


def context(snapshot: Snapshot, search: str = "", language: str = "en") -> PageContext:
    return PageContext(snapshot, parse_view(search), translator(language))


def as_json(component: Any) -> Any:
    return json.loads(json.dumps(component, cls=PlotlyJSONEncoder))


def texts(node: Any) -> Iterator[str]:
    """All texts of a component tree as JSON."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, list):
        for child in node:
            yield from texts(child)
    elif isinstance(node, dict):
        for key, child in node.items():
            if key not in ("type", "namespace", "className"):
                yield from texts(child)


@pytest.mark.parametrize("search", VIEWS)
@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("page", [page.key for page in PAGES])
def test_every_page_draws_for_every_view(store: SnapshotStore, page: str, language: str, search: str) -> None:
    (found,) = [one for one in PAGES if one.key == page]
    shown = shell.render(store, found.path, search, language)
    drawn = as_json(shown["content"])
    assert drawn["props"].get("role") != "alert", "the page shows its error state"
    assert shown["title"].startswith(translator(language)(f"page.{page}.name"))


@pytest.mark.parametrize("page", sorted(METRICS))
def test_a_page_shows_the_values_of_the_compiler(store: SnapshotStore, snapshot: Snapshot, page: str) -> None:
    (found,) = [one for one in PAGES if one.key == page]
    here = context(snapshot, "?period=last_12_months&compare=none")
    words = set(texts(as_json(shell.render(store, found.path, "?period=last_12_months&compare=none", "en")["content"])))
    for name in METRICS[page]:
        metric = catalogue(snapshot)[name]
        value = metric_value(snapshot, name, here.filters(here.span))
        assert format_value(here.t, value.value, metric.unit) in words, name


@pytest.mark.parametrize("tab", ["who", "quality", "drivers", "index"])
def test_every_tab_of_satisfaction_draws(store: SnapshotStore, tab: str) -> None:
    for language in ("en", "zh"):
        shown = shell.render(store, "/satisfaction", f"?tab={tab}&unit=P-JS", language)
        assert as_json(shown["content"])["props"].get("role") != "alert", "the page shows its error state"


def test_a_metric_is_narrowed_by_what_it_knows_and_says_the_rest(snapshot: Snapshot) -> None:
    metric = catalogue(snapshot)["service_level_by_queue_entry"]
    filters = Filters(units=("P-JS",), product_lines=("broadband",), visible_units=frozenset({"P-JS"}))
    slim, unknown = narrowed(metric, filters)
    assert unknown == ("product_line",)
    assert slim == Filters(units=("P-JS",), visible_units=frozenset({"P-JS"}))
    here = context(snapshot, "?period=last_12_months&unit=P-JS&product=broadband&compare=none")
    (info,) = parts.queries.known_metrics(snapshot, [metric.name])
    (card,) = parts.kpis(here, [info])
    slim, _ = narrowed(metric, here.filters(here.span))
    assert card.value == metric_value(snapshot, metric.name, slim).value
    assert card.note is not None and "product" in card.note


def test_weekdays_add_up_to_the_days(snapshot: Snapshot) -> None:
    week = weekday_frame(snapshot, "service_level_by_queue_entry", "half_hour")
    days = metric_frame(snapshot, ["service_level_by_queue_entry"], by=["half_hour"], grain="day")
    added = (
        days.group_by(pl.col("metric_time").dt.weekday().cast(pl.Int64).alias("weekday"), "half_hour")
        .agg(pl.col("numerator").sum(), pl.col("denominator").sum())
        .sort("weekday", "half_hour")
    )
    assert week.height > 100
    assert week.select("weekday", "half_hour").rows() == added.select("weekday", "half_hour").rows()
    assert week.filter(pl.col("denominator") > 0)["value"].to_list() == pytest.approx(
        added.filter(pl.col("denominator") > 0)
        .select(pl.col("numerator") / pl.col("denominator"))
        .to_series()
        .to_list()
    )


def test_what_cannot_be_added_over_days_is_refused(snapshot: Snapshot) -> None:
    for name in ("backlog_open", "first_reply_median"):
        with pytest.raises(MetricError, match="cannot be added"):
            weekday_frame(snapshot, name, "channel")


def test_a_course_of_a_metric_by_month_goes_back_a_year(snapshot: Snapshot) -> None:
    here = context(snapshot, "?period=last_30_days")
    month, day = parts.queries.known_metrics(snapshot, ["logo_churn", "service_level"])
    assert parts.course_grain(month, here.span) == "month"
    assert parts.course_span(month, here.span).days == 365
    assert parts.course_span(day, here.span) == here.span


def test_the_parameters_of_a_page_stay_on_it() -> None:
    view = parse_view("?period=last_7_days&tab=churn&family=csat&lang=zh")
    assert view.of_page("tab") == "churn"
    assert parse_view(view.query()) == view
    assert view.elsewhere().query() == "?period=last_7_days&lang=zh"
    assert view.with_own(tab="", metric="nps").query() == "?period=last_7_days&family=csat&metric=nps&lang=zh"
    assert parse_view(f"?tab={'x' * 300}").not_understood == ("tab",)


def test_pareto_adds_up_and_the_rest_comes_last() -> None:
    rows = pareto_rows([("a", 1.0), ("b", 6.0), ("c", 2.0), ("d", 1.0)], 2, "other")
    assert [(row.label, row.count, row.share) for row in rows] == [("b", 6, 0.6), ("c", 2, 0.2), ("other", 2, 0.2)]
    assert rows[-1].reached == 1.0
    assert pareto_rows([], 2, "other") == []


def test_labels_fit_beside_an_axis() -> None:
    assert short("short") == "short"
    assert wrapped("Service level (abandons count as bad)") == ["Service level (abandons", "count as bad)"]
    assert wrapped("满意度评价结果满意度评价结果满意度评价") == ["满意度评价结果满意度", "评价结果满意度评价"]
    assert all(len(line) <= 25 for line in wrapped("x" * 100))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_curve_that_is_known_late_says_so(store: SnapshotStore, snapshot: Snapshot, language: str) -> None:
    begins = {
        row["stratum"]: row["from_days"]
        for row in queries.survival_curves(snapshot)
        if row["stratum_kind"] == "customer_kind"
    }
    assert max(begins.values()) > 0
    labels = queries.value_labels(snapshot, "customer_kind", language)
    t = translator(language)
    expected = {
        labels[stratum] if days == 0 else t("customers.survival_late", name=labels[stratum], days=t.integer(days))
        for stratum, days in begins.items()
    }
    traces = set(_names_of_traces(as_json(shell.render(store, "/customers", "?tab=churn", language)["content"])))
    assert expected <= traces
    assert not traces & {labels[stratum] for stratum, days in begins.items() if days > 0}


def _names_of_traces(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for child in node:
            yield from _names_of_traces(child)
    elif isinstance(node, dict):
        if node.get("mode") == "lines" and "name" in node:
            yield node["name"]
        for child in node.values():
            yield from _names_of_traces(child)
