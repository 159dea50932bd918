"""The recipes of CONTRIBUTING, followed. (The recipe for a source is followed by tests/sources/test_new_source.py and
tests/warehouse/test_your_own_data.py.)"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dashboards.data.snapshot import SnapshotStore
from dashboards.i18n import translator
from dashboards.pages import PAGES, PageContext
from dashboards.state import parse_view
from orchestration.serving.catalogue import CatalogueError, catalogue_rows
from tests.warehouse.shop_project import make_shop_project

MEASURE = "      - {name: urgent_tickets_count, agg: sum, expr: \"case when is_in_base and priority = 'urgent' then 1 else 0 end\", create_metric: true}\n"
METRIC = """  - name: urgent_share
    label: Urgent tickets
    description: "Tickets of urgent priority among the tickets created."
    type: ratio
    type_params: {numerator: {name: urgent_tickets_count}, denominator: {name: tickets_created_count}}
    config:
      meta:
        label_zh: 紧急工单占比
        description_zh: "紧急工单在新建工单中的占比。"
        unit: share
        direction: down
        family: urgent_share
        clock: created_on
        formula: "urgent / created"
        minimum_base: 30
        default_grain: day
        interval: wilson
        version: 1
"""


@pytest.mark.slow
def test_a_metric_needs_one_file(tmp_path: Path) -> None:
    project = make_shop_project(tmp_path)
    mart = project.project_dir / "models" / "marts" / "contacts" / "fct_tickets.yml"
    text = mart.read_text(encoding="utf-8")
    mart.write_text(text.replace("    measures:\n", f"    measures:\n{MEASURE}", 1) + METRIC, encoding="utf-8")
    project.settings.raw_path.parent.mkdir(exist_ok=True)
    project.load("nothing")
    parsed = project.dbt("parse")
    assert parsed.returncode == 0, parsed.stdout
    manifest = json.loads((project.home / "dbt_target" / "semantic_manifest.json").read_text(encoding="utf-8"))
    rows = {row["name"]: row for row in catalogue_rows(manifest, {"urgent_share": 0.1})}
    assert rows["urgent_share"]["parts"][0]["measure"] == "urgent_tickets_count"
    assert rows["urgent_share"]["label_zh"] == "紧急工单占比"
    assert rows["urgent_share"]["target"] == 0.1
    assert "channel" in rows["urgent_share"]["dimensions"]

    for metric in manifest["metrics"]:
        if metric["name"] == "urgent_share":
            metric["config"]["meta"]["direction"] = "sideways"
    with pytest.raises(CatalogueError, match="urgent_share: direction 'sideways'"):
        catalogue_rows(manifest, {})


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.key)
def test_a_page_is_a_key_its_words_and_a_render_function(demo_home: Path, page: object, language: str) -> None:
    t = translator(language)
    assert t(f"page.{page.key}.name") and t(f"page.{page.key}.title")  # type: ignore[attr-defined]
    store = SnapshotStore(demo_home / "serving")
    drawn = page.render(PageContext(store.current(), parse_view("?period=last_30_days"), t))  # type: ignore[attr-defined]
    assert t(f"page.{page.key}.title") in str(drawn)  # type: ignore[attr-defined]
    store.close()
