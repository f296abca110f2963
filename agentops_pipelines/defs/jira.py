"""The Jira ingest: one multi-asset for all raw.jira_* tables. Nothing in Jira is ever written."""

from collections.abc import Iterable
from datetime import datetime

from agentops_pipelines.defs.ingest import Part, ingest_asset
from agentops_pipelines.settings import Settings
from agentops_pipelines.sources.batches import Batch, Ledger
from agentops_pipelines.sources.jira.reader import SOURCE, read_jira
from agentops_pipelines.sources.privacy import shown_url


def jira_parts(settings: Settings, *, now: datetime) -> list[Part]:
    """The configured Jira, or nothing."""
    if settings.demo:
        return [_sample(settings, now)]
    if not settings.jira_base_url:
        return []
    return [Part(scope=shown_url(settings.jira_base_url), read=lambda ledger, _: _read(settings, ledger, now=now))]


def _read(settings: Settings, ledger: Ledger, *, now: datetime) -> Iterable[Batch]:
    token = settings.jira_api_token
    return read_jira(
        base_url=settings.jira_base_url,
        email=settings.jira_email,
        token="" if token is None else token.get_secret_value(),
        config=settings.config.jira,
        ledger=ledger,
        until=now,
    )


def _sample(settings: Settings, now: datetime) -> Part:
    from agentops_pipelines.demo.sample import JIRA_SCOPE, sample_jira_batches  # unpacked only when asked for

    return Part(scope=JIRA_SCOPE, read=lambda ledger, _: sample_jira_batches(settings, ledger, until=now))


jira = ingest_asset(
    SOURCE,
    kind="api",
    description="Read the tickets that changed, with the history of their status and points.",
    parts_of=lambda settings, now: jira_parts(settings, now=now),
)
