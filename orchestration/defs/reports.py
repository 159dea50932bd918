"""The job that sends reports by e-mail, and its schedule."""

import dagster as dg

from orchestration.reporting.delivery import send_reports
from orchestration.reporting.subscriptions import load_subscriptions, subscriptions_path
from orchestration.settings import Settings, load_settings


@dg.op
def send_due_reports(context: dg.OpExecutionContext) -> int:
    """Send what is due; a delivery that did not go through fails the step, after the others were sent."""
    settings = load_settings()
    done = send_reports(settings, load_subscriptions(subscriptions_path(settings)), tell=context.log.info)
    trouble = [one for one in done if one.is_trouble]
    if trouble:
        raise dg.Failure(
            "; ".join(f"{one.subscription}: {one.outcome}, {one.message}" for one in trouble), allow_retries=False
        )
    return sum(one.outcome == "sent" for one in done)


def report_job() -> dg.JobDefinition:
    """Send the reports that are due. It reads the published snapshot and needs no lock."""

    @dg.job(name="reports", executor_def=dg.in_process_executor, description="Send the reports that are due by e-mail.")
    def reports() -> None:
        send_due_reports()

    return reports


def report_schedule(settings: Settings, job: dg.JobDefinition) -> dg.ScheduleDefinition:
    """The schedule of `CSATLAS_REPORT_SCHEDULE`; a home without subscriptions starts no run."""
    return dg.ScheduleDefinition(
        name="report_schedule",
        job=job,
        cron_schedule=settings.report_schedule,
        execution_timezone=settings.time_zone,
        should_execute=lambda _context: subscriptions_path(load_settings()).exists(),
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
