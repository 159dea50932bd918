"""The nightly job and its schedule."""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from orchestration import runs
from orchestration.serving import publish
from orchestration.settings import Settings, load_settings


@dg.failure_hook(name="tell_readers")
def tell_readers(context: dg.HookContext) -> None:
    """A step failed: the run record and the readers' status say so; the published snapshot stays."""
    settings = load_settings()
    record = runs.RunRecord(settings, context.run_id)
    if record.facts.get("outcome") == "running":
        error = context.op_exception
        message = f"{context.op.name}: {error}" if error else f"{context.op.name} failed"
        record.finish("failed", message)
        publish.write_status(
            settings,
            {
                "outcome": "failed",
                "run_id": context.run_id,
                "reasons": [message],
                "version": publish.published_version(settings),
            },
        )


def nightly_job() -> UnresolvedAssetJobDefinition:
    """Pull, build and test, publish: everything, in one process."""
    return dg.define_asset_job(
        "nightly",
        selection=dg.AssetSelection.all(),
        executor_def=dg.in_process_executor,
        hooks={tell_readers},
        description="Load the inbox, build and test the warehouse, publish a snapshot.",
    )


def nightly_schedule(settings: Settings, job: UnresolvedAssetJobDefinition) -> dg.ScheduleDefinition:
    """The schedule of `CSATLAS_SCHEDULE`, in `CSATLAS_TIME_ZONE`."""
    return dg.ScheduleDefinition(
        name="nightly_schedule",
        job=job,
        cron_schedule=settings.schedule,
        execution_timezone=settings.time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
