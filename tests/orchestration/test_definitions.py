"""What Dagster shows: feeds and marts with their lineage, rows, seconds and checks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from orchestration.defs.warehouse import asset_specs
from orchestration.settings import Settings
from tests.conftest import csatlas


@pytest.fixture(scope="module")
def manifest(demo_settings: Settings) -> dict[str, object]:
    found: dict[str, object] = json.loads((demo_settings.dbt_target / "manifest.json").read_text(encoding="utf-8"))
    return found


def test_every_feed_and_mart_is_an_asset_below_its_sources(manifest: dict[str, object]) -> None:
    specs = {spec.key: spec for spec in asset_specs(manifest)}
    feeds = {path.stem.removeprefix("int_") for path in Path("dbt_project/models/intermediate/feeds").glob("int_*.sql")}
    feeds = {feed for feed in feeds if not feed.endswith("__received")}
    marts = {path.stem for path in Path("dbt_project/models/marts").rglob("*.sql") if path.stem != "time_spine"}
    assert {key.path[1] for key in specs if key.path[0] == "feed"} == feeds
    assert marts <= {key.path[1] for key in specs if key.path[0] == "marts"}

    above = {key: {dep.asset_key for dep in spec.deps} for key, spec in specs.items()}
    assert above[dg.AssetKey(["feed", "calls"])] == {dg.AssetKey(["raw", "asterisk"])}
    assert above[dg.AssetKey(["feed", "survey_responses"])] == {dg.AssetKey(["raw", "surveys"])}
    calls = above[dg.AssetKey(["marts", "fct_calls"])]
    assert {dg.AssetKey(["feed", "calls"]), dg.AssetKey(["feed", "call_events"])} <= calls


def test_a_run_leaves_rows_seconds_and_checks(demo_home: Path) -> None:
    feeds = json.loads(csatlas(demo_home, "status", "--json").stdout)["feeds"]
    received = sum(feed["received"] for feed in feeds if feed["feed"] == "calls")
    quarantined = sum(feed["quarantined"] for feed in feeds if feed["feed"] == "customers")
    with dg.DagsterInstance.from_config(str(demo_home / "dagster")) as instance:
        calls = instance.get_latest_materialization_event(dg.AssetKey(["feed", "calls"]))
        customers = instance.get_latest_materialization_event(dg.AssetKey(["feed", "customers"]))
        mart = instance.get_latest_materialization_event(dg.AssetKey(["marts", "dim_customers"]))
        assert calls is not None and calls.asset_materialization is not None
        assert calls.asset_materialization.metadata["received"].value == received > 0
        assert float(str(calls.asset_materialization.metadata["seconds"].value)) > 0
        assert customers is not None and customers.asset_materialization is not None
        assert customers.asset_materialization.metadata["quarantined"].value == quarantined
        assert mart is not None and mart.asset_materialization is not None
        assert int(str(mart.asset_materialization.metadata["dagster/row_count"].value)) > 0
        assert int(str(mart.asset_materialization.metadata["tests"].value)) >= 1
        published = dg.AssetKey(["serving", "snapshot"])
        snapshot = instance.get_latest_materialization_event(published)
        assert snapshot is not None and snapshot.run_id == calls.run_id
        gate = dg.AssetCheckKey(published, "gate")
        record = instance.event_log_storage.get_latest_asset_check_execution_by_key([gate])[gate]
        assert record.event is not None and record.event.dagster_event is not None
        evaluation = record.event.dagster_event.asset_check_evaluation_data
        tests = len(
            json.loads(csatlas(demo_home, "query", "select * from meta.test_results", "--format", "json").stdout)
        )
        assert evaluation.passed and evaluation.metadata["tests"].value == tests


def test_dagster_reads_the_same_definitions(demo_home: Path) -> None:
    """`dagster definitions validate` loads the module as `dagster dev` does."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("dagster")), "definitions", "validate", "-m", "orchestration.definitions"],
        env={**os.environ, "CSATLAS_HOME": str(demo_home), "DAGSTER_HOME": str(demo_home / "dagster")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
