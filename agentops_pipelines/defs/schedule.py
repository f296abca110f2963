"""The job `weekly_report` with the schedule `monday_report` that launches it, and the job `past_weeks`.

Belongs here: which week a tick reports. The week comes from the time the tick was scheduled for, never from the
clock: a tick that runs late, after days of outage, still reports the week it was meant for.
"""

from datetime import UTC

import dagster as dg

from agentops_pipelines.defs import alerts, report
from agentops_pipelines.settings import Config, SettingsError
from agentops_pipelines.weeks import last_complete_week

JOB = "weekly_report"
SCHEDULE = "monday_report"
WINDOW_TAG = "agentops/window"


weekly_report = dg.define_asset_job(
    JOB,
    selection=dg.AssetSelection.all() - dg.AssetSelection.assets(alerts.ALERTS),
    description="Load what is new from every source, make and publish all tables, write the report.",
)


@dg.job(
    name="past_weeks",
    config=dg.PartitionedConfig(
        partitions_def=report.WEEKS,
        run_config_for_partition_key_fn=lambda week: {"ops": {report.WEEK_OP: {"config": {"window_id": week}}}},
        tags_for_partition_key_fn=lambda week: {WINDOW_TAG: week},
    ),
    description="Write the report of one or many past weeks again, from the tables as they are. Nothing is posted.",
)
def past_weeks() -> None:
    """A partition is a week: several are launched together as a backfill."""
    report.report_week()


def monday_report(config: Config) -> dg.ScheduleDefinition:
    """The schedule in the configured zone. Raises SettingsError when its cron expression is none.

    It posts only where AGENTOPS_DISCORD_WEBHOOK_URL is set. Of several missed ticks Dagster evaluates the newest only,
    and the run key lets a week run once.
    """

    def request(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        scheduled_at = context.scheduled_execution_time.astimezone(UTC).replace(tzinfo=None)
        return run_request(last_complete_week(scheduled_at, zone=config.zone))

    try:
        return dg.ScheduleDefinition(
            name=SCHEDULE,
            job_name=JOB,
            cron_schedule=config.schedule,
            execution_timezone=config.timezone,
            execution_fn=request,
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description="Reports the ISO week that ended, and posts it to Discord.",
        )
    except dg.DagsterInvalidDefinitionError as error:
        raise SettingsError(
            f'agentops.toml: schedule: {config.schedule!r} is no cron expression; write it like "0 8 * * 1"'
        ) from error


def run_request(week: str) -> dg.RunRequest:
    """A run that reports and posts one ISO week."""
    return dg.RunRequest(
        run_key=f"weekly/{week}",
        run_config={"ops": {report.OP: {"config": {"window_id": week, "post": True}}}},
        tags={WINDOW_TAG: week},
    )
