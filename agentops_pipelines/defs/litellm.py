"""The LiteLLM ingest: one multi-asset for all raw.litellm_* tables."""

from collections.abc import Iterable
from datetime import datetime, time, timedelta

from agentops_pipelines.defs.ingest import Part, ingest_asset
from agentops_pipelines.settings import Settings
from agentops_pipelines.sources.batches import Batch, Ledger, SourceError
from agentops_pipelines.sources.litellm.api import read_api, read_configuration
from agentops_pipelines.sources.privacy import shown_url

SOURCE = "litellm"

DATABASE_SCOPE = "PostgreSQL"
"""What ops.loads calls the proxy's database: its URL holds a password."""

FIRST_LOAD = timedelta(days=90)
"""How far back a first load by HTTP goes when AGENTOPS_SINCE does not say otherwise."""


def proxy_parts(settings: Settings, *, now: datetime) -> list[Part]:
    """The sample's proxy, or the configured one: its database when that is set, else its HTTP API.

    No table of the database holds deployments and routes: they come from the API when that is set as well.
    """
    if settings.demo:
        return [_sample(now)]
    if settings.litellm_database_url is not None:
        database = Part(scope=DATABASE_SCOPE, read=lambda ledger, _: _from_database(settings, ledger, now=now))
        if not settings.litellm_base_url:
            return [database]
        api = Part(scope=shown_url(settings.litellm_base_url), read=lambda ledger, _: _configuration(settings, now=now))
        return [database, api]
    if settings.litellm_base_url:
        return [
            Part(
                scope=shown_url(settings.litellm_base_url), read=lambda ledger, _: _from_api(settings, ledger, now=now)
            )
        ]
    return []


def _from_database(settings: Settings, ledger: Ledger, *, now: datetime) -> Iterable[Batch]:
    from agentops_pipelines.sources.litellm.postgres import read_postgres  # its driver imports pandas: 0.9 s

    assert settings.litellm_database_url is not None
    return read_postgres(
        database_url=settings.litellm_database_url.get_secret_value(),
        ledger=ledger,
        since=datetime.combine(settings.since, time.min) if settings.since else None,
        until=now,
    )


def _from_api(settings: Settings, ledger: Ledger, *, now: datetime) -> Iterable[Batch]:
    return read_api(
        base_url=settings.litellm_base_url,
        api_key=_api_key(settings),
        ledger=ledger,
        since=datetime.combine(settings.since, time.min) if settings.since else now - FIRST_LOAD,
        until=now,
    )


def _configuration(settings: Settings, *, now: datetime) -> Iterable[Batch]:
    return read_configuration(base_url=settings.litellm_base_url, api_key=_api_key(settings), observed_at=now)


def _api_key(settings: Settings) -> str:
    if settings.litellm_api_key is None:
        raise SourceError(
            setting="AGENTOPS_LITELLM_API_KEY",
            value="",
            problem="no key is set",
            remedy="Set the proxy's master key, or a virtual key of a proxy admin.",
        )
    return settings.litellm_api_key.get_secret_value()


def _sample(now: datetime) -> Part:
    from agentops_pipelines.demo.sample import LITELLM_SCOPE, sample_litellm_batches  # unpacked only when asked for

    return Part(scope=LITELLM_SCOPE, read=lambda ledger, _: sample_litellm_batches(ledger, observed_at=now))


litellm = ingest_asset(
    SOURCE,
    kind="api",
    description="Read what is new in LiteLLM's spend logs, keys, deployments and routes.",
    parts_of=lambda settings, now: proxy_parts(settings, now=now),
)
