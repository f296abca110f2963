"""The Jira ingest: one multi-asset for all raw.jira_* tables. Nothing in Jira is ever written."""

from collections.abc import Iterable, Iterator
from datetime import datetime

import dagster as dg

from agentops_pipelines.defs.ingest import (
    Part,
    load_parts,
    raw_specs,
    results,
    source_loaded_spec,
    utc_now,
    warehouse_of,
)
from agentops_pipelines.settings import Settings, load_settings
from agentops_pipelines.sources.batches import Batch, Ledger
from agentops_pipelines.sources.jira.reader import SOURCE, read_jira
from agentops_pipelines.sources.privacy import shown_url


@dg.multi_asset(name=SOURCE, specs=raw_specs(SOURCE, kind="api"), check_specs=[source_loaded_spec(SOURCE)])
def jira() -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Read the tickets that changed, with the history of their status and points."""
    settings = load_settings()
    now = utc_now(settings)
    parts = jira_parts(settings, now=now)
    loaded = load_parts(warehouse_of(settings), SOURCE, parts, observed_at=now)
    yield from results(SOURCE, loaded, configured=bool(parts))


def jira_parts(settings: Settings, *, now: datetime) -> list[Part]:
    """The configured Jira, or nothing."""
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
