"""The alerts asset, the job `alerts` with its hourly schedule, and the sensor that tells of failed runs.

Belongs here: when alerts are looked at and told. Does not belong here: whether one holds (sql/mart/alerts.sql), what it
says and whether it was told already (report/).
"""

import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from agentops_pipelines.defs.failures import step_failures
from agentops_pipelines.defs.ingest import OWNERS, utc_now
from agentops_pipelines.defs.report import WEEKLY, complete_earlier
from agentops_pipelines.settings import Config, Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from agentops_pipelines.report.alert_words import Alert

logger = logging.getLogger(__name__)

OP = "tell_alerts"
ALERTS = dg.AssetKey(["report", "alerts"])
TOLD = "told"
JOB = "alerts"
SCHEDULE = "hourly_alerts"
SENSOR = "run_failed"
KEPT = timedelta(days=2)
"""How long runs of the hourly job are kept when all went well: each takes some 3 MB of Dagster's history."""

_FORGOTTEN_AT_ONCE = 30

NO_WEBHOOK = "not posted: AGENTOPS_DISCORD_WEBHOOK_URL is not set"

alerts = dg.define_asset_job(
    JOB,
    selection=dg.AssetSelection.all() - dg.AssetSelection.assets(WEEKLY),
    description="Load what is new from every source, make and publish all tables, tell what changed in the alerts.",
)


class AlertsConfig(dg.Config):
    """Launch options of the alerts."""

    post: bool = False
    """Whether to tell Discord what changed. Each change is told once."""


def alerts_asset(*, freshness: dg.FreshnessPolicy) -> dg.AssetsDefinition:
    """The alerts, downstream of mart.alerts."""

    @dg.multi_asset(
        name=OP,
        specs=[
            dg.AssetSpec(
                ALERTS,
                deps=[dg.AssetKey(["mart", "alerts"])],
                group_name="report",
                description="What is wrong now, told in Discord when it begins, gets worse or is over.",
                kinds={"discord"},
                owners=OWNERS,
                freshness_policy=freshness,
            )
        ],
        check_specs=[
            dg.AssetCheckSpec(TOLD, asset=ALERTS, description="What changed was told in Discord, if it was to be.")
        ],
        description="Compares the alerts that hold with those that were told.",
    )
    def make_alerts(
        context: dg.AssetExecutionContext, config: AlertsConfig
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        from agentops_pipelines.report.alerts import read_alerts  # imports what only a posting run needs

        settings = load_settings()
        found = read_alerts(settings.published_path)
        shown = "\n".join(f"| {one.severity} | {one.kind} |" for one in found)
        yield dg.MaterializeResult(
            asset_key=ALERTS,
            metadata={
                "alerts": len(found),
                "holding": dg.MetadataValue.md(f"| severity | kind |\n|---|---|\n{shown}"),
            },
        )
        forget_old_runs(context.instance)
        yield _tell(found, settings) if config.post else _check(passed=True, description="not to be posted")

    return make_alerts


def hourly_alerts(config: Config) -> dg.ScheduleDefinition:
    """The schedule in the configured zone. Raises SettingsError when its cron expression is none.

    It posts only where AGENTOPS_DISCORD_WEBHOOK_URL is set. Of several missed ticks Dagster evaluates the newest only.
    """
    status = dg.DefaultScheduleStatus
    try:
        return dg.ScheduleDefinition(
            name=SCHEDULE,
            job_name=JOB,
            cron_schedule=config.alerts.schedule,
            execution_timezone=config.timezone,
            run_config={"ops": {OP: {"config": {"post": True}}}},
            default_status=status.RUNNING if config.alerts.enabled else status.STOPPED,
            description="Loads what is new, and tells Discord when an alert begins, gets worse or is over.",
        )
    except dg.DagsterInvalidDefinitionError as error:
        raise SettingsError(
            f"agentops.toml: alerts.schedule: {config.alerts.schedule!r} is no cron expression; "
            'write it like "10 * * * *"'
        ) from error


@dg.run_failure_sensor(
    name=SENSOR,
    description="Tells Discord of each run that failed, once.",
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def run_failed(context: dg.RunFailureSensorContext) -> dg.SkipReason:
    """One message a failed run; in quiet hours, or while Discord is away, it waits for the next one."""
    settings = load_settings()
    if settings.discord_webhook_url is None:
        return dg.SkipReason(NO_WEBHOOK)
    from agentops_pipelines.report.alert_words import Alert
    from agentops_pipelines.report.alerts import RUN_FAILED, tell_event
    from agentops_pipelines.report.text import clean_name

    run = context.dagster_run
    why = " ".join(step_failures(context.get_step_failure_events(), with_foreign_texts=False))
    told = tell_event(
        Alert(
            kind=RUN_FAILED,
            subject=run.run_id,
            label=run.job_name,
            severity="high",
            detail=clean_name(why) if why else None,
        ),
        config=settings.config,
        now=utc_now(settings),
        webhook_url=settings.discord_webhook_url.get_secret_value(),
        deliveries_path=settings.home / "deliveries.sqlite",
    )
    return dg.SkipReason(f"run {run.run_id}: {told.state}" + (f": {told.problem}" if told.problem else ""))


def forget_old_runs(instance: dg.DagsterInstance) -> None:
    """Delete what nobody asks for any more. Failed runs and those of other jobs stay."""
    long_ago = datetime.now(UTC) - KEPT
    old = dg.RunsFilter(job_name=JOB, statuses=[dg.DagsterRunStatus.SUCCESS], created_before=long_ago)
    for run in instance.get_runs(filters=old, limit=_FORGOTTEN_AT_ONCE):
        instance.delete_run(run.run_id)


def _tell(found: "Sequence[Alert]", settings: Settings) -> dg.AssetCheckResult:
    if settings.discord_webhook_url is None:
        return _check(passed=True, description=NO_WEBHOOK)
    from agentops_pipelines.report.alerts import tell_alerts
    from agentops_pipelines.report.text import many

    told = tell_alerts(
        found,
        config=settings.config,
        now=utc_now(settings),
        webhook_url=settings.discord_webhook_url.get_secret_value(),
        deliveries_path=settings.home / "deliveries.sqlite",
    )
    logger.info("Discord: alerts %s", told.state)
    complete_earlier(settings)
    description = f"{many(told.changes, 'change')}: {told.state}" + (f": {told.problem}" if told.problem else "")
    return _check(passed=told.state not in ("failed", "uncertain"), description=description)


def _check(*, passed: bool, description: str) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=TOLD,
        asset_key=ALERTS,
        passed=passed,
        severity=dg.AssetCheckSeverity.WARN,
        description=description,
    )
