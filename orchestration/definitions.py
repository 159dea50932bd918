"""Assembles the Dagster definitions, nothing else. `dagster dev -m orchestration.definitions` shows them."""

from __future__ import annotations

import dagster as dg

from orchestration import warehouse
from orchestration.defs.job import nightly_job, nightly_schedule
from orchestration.defs.raw import raw_assets
from orchestration.defs.reports import report_job, report_schedule
from orchestration.defs.resources import Home
from orchestration.defs.serving import snapshot_asset
from orchestration.defs.warehouse import warehouse_assets
from orchestration.settings import Settings, load_settings
from orchestration.sources.declarations import load_declarations


def build_definitions(settings: Settings) -> dg.Definitions:
    """All assets, the job and the schedule for one home."""
    manifest = warehouse.ensure_manifest(settings)
    declarations = load_declarations(warehouse.enabled_sources(settings))
    models = warehouse_assets(manifest)
    job = nightly_job()
    reports = report_job()
    return dg.Definitions(
        assets=[
            raw_assets(declarations),
            models,
            snapshot_asset(sorted(models.keys, key=lambda key: key.to_user_string())),
        ],
        jobs=[job, reports],
        schedules=[nightly_schedule(settings, job), report_schedule(settings, reports)],
        resources={"home": Home()},
        executor=dg.in_process_executor,
    )


defs = build_definitions(load_settings())
