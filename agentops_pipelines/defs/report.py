"""The report asset: built from the published file, written as HTML and PNG, posted to Discord when asked to.

Belongs here: when a report is made and posted. Does not belong here: what it says (report/).
"""

import base64
import logging
from collections.abc import Iterable, Iterator

import dagster as dg

from agentops_pipelines.defs.ingest import OWNERS
from agentops_pipelines.report import words
from agentops_pipelines.report.analyse import Report
from agentops_pipelines.report.build import build_report
from agentops_pipelines.report.fetch import complete_weeks
from agentops_pipelines.report.files import write_report
from agentops_pipelines.settings import Settings, load_settings

logger = logging.getLogger(__name__)

OP = "report"
WEEK_OP = "report_week"
WEEKLY = dg.AssetKey(["report", "weekly"])
DELIVERED = "delivered"
TRAILING = "trailing_7d"
WEEKS = dg.DynamicPartitionsDefinition(name="weeks")
"""The complete ISO weeks that have calls, as the last report found them."""


class ReportConfig(dg.Config):
    """Launch options of the report."""

    window_id: str = TRAILING
    """The window to report: trailing_7d, or an ISO week such as 2026-W47."""
    post: bool = False
    """Whether to post it to Discord. Only complete ISO weeks are posted, each once."""


def report_asset(marts: Iterable[dg.AssetKey], *, freshness: dg.FreshnessPolicy) -> dg.AssetsDefinition:
    """The report, downstream of the mart tables."""

    @dg.multi_asset(
        name=OP,
        specs=[
            dg.AssetSpec(
                WEEKLY,
                deps=list(marts),
                group_name="report",
                description="What agents cost: the weekly report as HTML page, chart and Discord message.",
                kinds={"discord", "html"},
                owners=OWNERS,
                freshness_policy=freshness,
            )
        ],
        check_specs=[
            dg.AssetCheckSpec(
                DELIVERED, asset=WEEKLY, description="The report was posted to Discord, if it was to be posted."
            )
        ],
        description="Writes the report of one window and posts it when asked to.",
    )
    def make_report(
        context: dg.AssetExecutionContext, config: ReportConfig
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        settings = load_settings()
        report, metadata = _write(context.instance, settings, window_id=config.window_id)
        yield dg.MaterializeResult(asset_key=WEEKLY, metadata=metadata)
        yield _deliver(report, settings) if config.post else _check(passed=True, description="not to be posted")

    return make_report


class WeekConfig(dg.Config):
    """Launch options of the report of one past week."""

    window_id: str
    """An ISO week such as 2026-W47."""


@dg.op(name=WEEK_OP)
def report_week(context: dg.OpExecutionContext, config: WeekConfig) -> None:
    """Writes the report of one past week, and posts nothing."""
    _, metadata = _write(context.instance, load_settings(), window_id=config.window_id)
    context.log_event(dg.AssetMaterialization(WEEKLY, metadata=metadata))


def _write(
    instance: dg.DagsterInstance, settings: Settings, *, window_id: str
) -> tuple[Report, dict[str, str | dg.MetadataValue]]:
    """Build a report and write its files: the report, and what the UI shows of it."""
    report = build_report(settings.published_path, window_id=window_id)
    files = write_report(report, directory=settings.home / "reports")
    logger.info("wrote %s and %s", files.html, files.chart.name)
    _offer_weeks(instance, complete_weeks(settings.published_path))
    chart = base64.b64encode(files.chart.read_bytes()).decode("ascii")
    return report, {
        "window": report.window.label,
        "headline": " · ".join(words.headline(report)),
        "page": dg.MetadataValue.path(files.html),
        "chart_file": dg.MetadataValue.path(files.chart),
        "chart": dg.MetadataValue.md(f"![cost by day](data:image/png;base64,{chart})"),
    }


def _offer_weeks(instance: dg.DagsterInstance, weeks: Iterable[str]) -> None:
    """Make the weeks there are the partitions of the job `past_weeks`."""
    name = str(WEEKS.name)
    new = sorted(set(weeks) - set(instance.get_dynamic_partitions(name)))
    if new:
        instance.add_dynamic_partitions(name, new)


def _deliver(report: Report, settings: Settings) -> dg.AssetCheckResult:
    if report.window.kind != "iso_week" or not report.window.is_complete:
        raise dg.Failure(
            f"{report.window.label} is not posted: only a complete ISO week is.",
            allow_retries=False,
        )
    if settings.discord_webhook_url is None:
        return _check(passed=True, description="not posted: AGENTOPS_DISCORD_WEBHOOK_URL is not set")
    from agentops_pipelines.report.deliver import post_weekly  # 0.3 s of imports that only a posting run needs

    delivery = post_weekly(
        report,
        webhook_url=settings.discord_webhook_url.get_secret_value(),
        deliveries_path=settings.home / "deliveries.sqlite",
    )
    logger.info("Discord: %s %s", delivery.key, delivery.state)
    complete_earlier(settings)
    passed = delivery.state in ("sent", "already_sent")
    description = f"{delivery.key}: {delivery.state}" + (f": {delivery.problem}" if delivery.problem else "")
    return _check(passed=passed, description=description)


def complete_earlier(settings: Settings) -> None:
    """Weeks that an earlier run left in Discord with their headline alone get the rest. Needs a webhook."""
    from agentops_pipelines.report.deliver import complete_unfinished

    assert settings.discord_webhook_url is not None
    done = complete_unfinished(
        settings.published_path,
        webhook_url=settings.discord_webhook_url.get_secret_value(),
        deliveries_path=settings.home / "deliveries.sqlite",
    )
    for delivery in done:
        logger.info("Discord: %s %s", delivery.key, delivery.problem or "completed")


def _check(*, passed: bool, description: str) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=DELIVERED,
        asset_key=WEEKLY,
        passed=passed,
        severity=dg.AssetCheckSeverity.ERROR,
        description=description,
    )
