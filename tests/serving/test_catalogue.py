"""A metric that cannot be served is refused by name, never left out and never served wrong."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from orchestration.serving.catalogue import CatalogueError, catalogue_rows, semantic_models
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


def a_sum_with_another_aggregate(manifest: Manifest) -> None:
    next(m for model in manifest["semantic_models"] for m in model["measures"] if m["agg"] == "sum")["agg"] = "max"


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
    "measures of two marts": (
        lambda m: metric(m, "complaint_share")["type_params"]["denominator"].update(name="calls_offered_count"),
        "complaint_share: its measures stand in different marts",
    ),
    "another aggregate": (a_sum_with_another_aggregate, "agg 'max' cannot be served"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_what_cannot_be_served_is_refused_by_name(served: Manifest, fault: str) -> None:
    broken = copy.deepcopy(served)
    change, message = FAULTS[fault]
    change(broken)
    with pytest.raises(CatalogueError, match=message):
        catalogue_rows(broken, {})


def test_every_metric_is_served_but_the_helpers_of_dbt(served: Manifest) -> None:
    rows = {row["name"]: row for row in catalogue_rows(served, {"service_level": 0.8})}
    measures = {measure for model in semantic_models(served).values() for measure in model.measures}
    assert len(rows) >= 20
    assert {entry["name"] for entry in served["metrics"]} - set(rows) <= measures
    assert rows["service_level"]["target"] == 0.8 and rows["complaint_share"]["target"] is None
