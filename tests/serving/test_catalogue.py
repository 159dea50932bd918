"""A metric that cannot be served is refused by name, never left out and never served wrong."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from orchestration.serving.catalogue import CatalogueError, catalogue_rows, metric_changes, semantic_models
from orchestration.settings import Settings

Manifest = dict[str, Any]


@pytest.fixture(scope="module")
def served(demo_settings: Settings) -> Manifest:
    found: Manifest = json.loads((demo_settings.dbt_target / "semantic_manifest.json").read_text(encoding="utf-8"))
    return found


def metric(manifest: Manifest, name: str) -> dict[str, Any]:
    return next(entry for entry in manifest["metrics"] if entry["name"] == name)


def set_filter(part: dict[str, Any]) -> None:
    part["filter"] = {"where_filters": [{"where_sql_template": "channel = 'voice'"}]}


def stock(manifest: Manifest) -> dict[str, Any]:
    """What a measure says of the dimension that it does not add over."""
    measures = (measure for model in manifest["semantic_models"] for measure in model["measures"])
    found: dict[str, Any] = next(m["non_additive_dimension"] for m in measures if m["name"] == "backlog_stock")
    return found


def a_sum_with_another_aggregate(manifest: Manifest) -> None:
    next(m for model in manifest["semantic_models"] for m in model["measures"] if m["agg"] == "sum")["agg"] = "min"


FAULTS: dict[str, tuple[Callable[[Manifest], object], str]] = {
    "no Chinese label": (lambda m: metric(m, "complaint_share")["config"]["meta"].pop("label_zh"), "complaint_share: label_zh missing"),
    "no description": (lambda m: metric(m, "complaint_share").update(description=None), "complaint_share: description missing"),
    "a filter": (lambda m: set_filter(metric(m, "complaint_share")), "complaint_share: a `filter` is not served"),
    "a filter on the numerator": (
        lambda m: set_filter(metric(m, "complaint_share")["type_params"]["numerator"]),
        "complaint_share: a `filter` is not served",
    ),
    "an offset": (
        lambda m: metric(m, "complaint_share")["type_params"]["denominator"].update(offset_window="7 days"),
        "complaint_share: offsets",
    ),
    "another type": (lambda m: metric(m, "complaint_share").update(type="cumulative"), "complaint_share: type 'cumulative'"),
    "an unknown measure": (
        lambda m: metric(m, "complaint_share")["type_params"]["numerator"].update(name="nothing_count"),
        "complaint_share: there is no measure nothing_count",
    ),
    "an unknown unit": (lambda m: metric(m, "complaint_share")["config"]["meta"].update(unit="parsecs"), "complaint_share: unit 'parsecs'"),
    "a percentile in a ratio": (
        lambda m: metric(m, "complaint_share")["type_params"]["denominator"].update(name="answered_wait_p90"),
        "complaint_share: a percentile is no part of a ratio",
    ),
    "a version that nobody announced": (
        lambda m: metric(m, "complaint_share")["config"]["meta"].update(version=2),
        "complaint_share: version 2 needs one entry under `changes`",
    ),
    "a change without its day": (
        lambda m: metric(m, "complaint_share")["config"]["meta"].update(version=2, changes=[{"version": 2, "en": "x", "zh": "x"}]),
        "complaint_share: an entry under `changes` has no since",
    ),
    "a change on no day": (
        lambda m: metric(m, "complaint_share")["config"]["meta"].update(
            version=2, changes=[{"version": 2, "since": "May", "en": "x", "zh": "x"}]
        ),
        "complaint_share: `since` of its version 2 is 'May'",
    ),
    "a family without a default": (
        lambda m: metric(m, "service_level")["config"]["meta"].update(is_default_of_family=False),
        "family service_level: one of its metrics must be the default .*, it has none",
    ),
    "derived from nothing": (
        lambda m: metric(m, "calls_lost")["type_params"]["metrics"][0].update(name="calls_dreamt"),
        "calls_lost: .*there is no metric calls_dreamt",
    ),
    "derived from a derived one": (
        lambda m: metric(m, "calls_lost")["type_params"]["metrics"][0].update(name="contacts_per_customer")
        or metric(m, "contacts_per_customer").update(type="derived", type_params=copy.deepcopy(metric(m, "calls_lost")["type_params"])),
        "derived from metrics that are not derived themselves",
    ),
    "derived by more than arithmetic": (
        lambda m: metric(m, "calls_lost")["type_params"].update(expr="greatest(offered, answered)"),
        "calls_lost: .*Call is not served",
    ),
    "an input that is not used": (
        lambda m: metric(m, "calls_lost")["type_params"].update(expr="offered"),
        "calls_lost: its expression names offered, its inputs are answered, offered",
    ),
    "a derived metric with an interval": (
        lambda m: metric(m, "calls_lost")["config"]["meta"].update(interval="wilson"),
        "calls_lost: no interval can be stated",
    ),
    "a weighted ratio without its squares": (
        lambda m: metric(m, "csat_top2")["config"]["meta"].update(interval="wilson_weighted"),
        "csat_top2: there is no measure csat_count_squares",
    ),
    "a share of no dimension": (
        lambda m: metric(m, "contact_reason_share")["config"]["meta"].update(share_of="weather"),
        "contact_reason_share: `share_of: weather`; the dimensions of fct_contacts are",
    ),
    "a share that is no ratio": (
        lambda m: metric(m, "contacts")["config"]["meta"].update(share_of="topic"),
        "contacts: `share_of` needs a ratio of sums of one mart",
    ),
    "an interval within no dimension": (
        lambda m: metric(m, "quality_item_score")["config"]["meta"].update(interval_within="weather"),
        "quality_item_score: `interval_within: weather` needs a ratio",
    ),
    "an interval of a ratio without its sums": (
        lambda m: metric(m, "fatal_error_rate")["config"]["meta"].update(interval="ratio"),
        "fatal_error_rate: there is no measure quality_fatal_count_squares",
    ),
    "a stock at the first day": (lambda m: stock(m).update(window_choice="min"), "measure backlog_stock of fct_backlog_days: a stock is"),
    "a stock by group": (lambda m: stock(m).update(window_groupings=["channel"]), "measure backlog_stock of fct_backlog_days: a stock is"),
    "another aggregate": (a_sum_with_another_aggregate, "agg 'min' cannot be served"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_what_cannot_be_served_is_refused_by_name(served: Manifest, fault: str) -> None:
    broken = copy.deepcopy(served)
    change, message = FAULTS[fault]
    change(broken)
    with pytest.raises(CatalogueError, match=message):
        catalogue_rows(broken, {})


def test_a_ratio_may_stand_on_two_marts(served: Manifest) -> None:
    changed = copy.deepcopy(served)
    metric(changed, "complaint_share")["type_params"]["denominator"]["name"] = "calls_offered_count"
    row = next(row for row in catalogue_rows(changed, {}) if row["name"] == "complaint_share")
    assert row["model"] == "fct_calls, fct_tickets"
    assert row["clock"] == "created_on, started_on"
    assert "queue" not in row["dimensions"] and "org_unit_id" in row["dimensions"]


def test_what_changed_about_a_definition_is_on_record(served: Manifest) -> None:
    rows = catalogue_rows(served, {})
    before = {row["name"]: dict(row) for row in rows}
    today = date(2026, 5, 1)
    announced_now = metric_changes(served, rows, before, [], today)
    assert all(change["is_announced"] and change["changed_on"] > date(2026, 1, 1) for change in announced_now)
    before["nps"]["fingerprint"] = "another"
    (silent,) = [change for change in metric_changes(served, rows, before, [], today) if change not in announced_now]
    assert (silent["metric"], silent["changed_on"], silent["is_announced"]) == ("nps", today, False)
    assert before["nps"]["formula"] in silent["what_en"] and before["nps"]["formula"] in silent["what_zh"]
    announced = copy.deepcopy(served)
    metric(announced, "nps")["config"]["meta"] |= {
        "version": 2,
        "changes": [{"version": 2, "since": "2026-04-30", "en": "Blank answers are out.", "zh": "不计空白回答。"}],
    }
    rows = catalogue_rows(announced, {})
    found = metric_changes(announced, rows, before, [silent, {**silent, "metric": "gone"}], today)
    changes = [change for change in found if change not in announced_now]
    assert [(change["version"], change["is_announced"]) for change in changes] == [(2, True), (1, False)]
    assert changes[0]["changed_on"] == date(2026, 4, 30)


def test_words_are_no_part_of_a_definition(served: Manifest) -> None:
    changed = copy.deepcopy(served)
    metric(changed, "nps")["label"] = "Loyalty"
    other = {row["name"]: row["fingerprint"] for row in catalogue_rows(changed, {})}
    assert other == {row["name"]: row["fingerprint"] for row in catalogue_rows(served, {})}
    measure = next(
        m for model in changed["semantic_models"] for m in model["measures"] if m["name"] == "calls_answered_count"
    )
    measure["expr"] = "case when is_answered and not is_flagged then 1 else 0 end"
    moved = {row["name"] for row in catalogue_rows(changed, {}) if row["fingerprint"] != other[row["name"]]}
    assert moved == {"calls_answered", "calls_lost", "transfer_rate_of_calls"}, (
        "a derived metric changes with what it is derived from"
    )


def test_every_metric_is_served_but_the_helpers_of_dbt(served: Manifest) -> None:
    rows = {row["name"]: row for row in catalogue_rows(served, {"service_level": 0.8})}
    measures = {measure for model in semantic_models(served).values() for measure in model.measures}
    assert len(rows) >= 20
    assert {entry["name"] for entry in served["metrics"]} - set(rows) <= measures
    assert rows["service_level"]["target"] == 0.8 and rows["complaint_share"]["target"] is None
