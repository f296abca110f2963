"""The LiteLLM ingest: one multi-asset for all raw.litellm_* tables."""

from collections.abc import Iterable, Iterator
from datetime import datetime, time, timedelta
from pathlib import Path

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
from agentops_pipelines.sources.batches import Batch, Ledger, SourceError
from agentops_pipelines.sources.litellm.api import read_api

SOURCE = "litellm"

FIRST_LOAD = timedelta(days=90)
"""How far back a first load by HTTP goes when AGENTOPS_SINCE does not say otherwise."""


@dg.multi_asset(name=SOURCE, specs=raw_specs(SOURCE, kind="api"), check_specs=[source_loaded_spec(SOURCE)])
def litellm() -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Read what is new in LiteLLM's spend logs, keys, deployments and routes."""
    settings = load_settings()
    now = utc_now(settings)
    parts = proxy_parts(settings, now=now)
    loaded = load_parts(warehouse_of(settings), SOURCE, parts, observed_at=now)
    yield from results(SOURCE, loaded, configured=bool(parts))


def proxy_parts(settings: Settings, *, now: datetime) -> list[Part]:
    """The configured proxy, or the sample's."""
    if settings.demo:
        return [_sample(now)]
    if not settings.has_litellm:
        return []

    def read(ledger: Ledger, scratch: Path) -> Iterable[Batch]:
        del scratch  # HTTP needs none
        if settings.litellm_api_key is None:
            raise SourceError(
                setting="AGENTOPS_LITELLM_API_KEY",
                value="",
                problem="no key is set",
                remedy="Set the proxy's master key, or a virtual key of a proxy admin.",
            )
        since = datetime.combine(settings.since, time.min) if settings.since else now - FIRST_LOAD
        return read_api(
            base_url=settings.litellm_base_url,
            api_key=settings.litellm_api_key.get_secret_value(),
            ledger=ledger,
            since=since,
            until=now,
        )

    return [Part(scope=settings.litellm_base_url, read=read)]


def _sample(now: datetime) -> Part:
    from agentops_pipelines.demo.sample import LITELLM_SCOPE, sample_litellm_batches  # unpacked only when asked for

    def read(ledger: Ledger, scratch: Path) -> Iterable[Batch]:
        del scratch
        return sample_litellm_batches(ledger, observed_at=now)

    return Part(scope=LITELLM_SCOPE, read=read)
