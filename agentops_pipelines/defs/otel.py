"""The OTel ingest: one multi-asset for all raw.otel_* tables."""

from agentops_pipelines.defs.ingest import Part, ingest_asset
from agentops_pipelines.settings import Settings
from agentops_pipelines.sources.otlp.reader import SOURCE, read_otlp


def directory_parts(settings: Settings) -> list[Part]:
    """The configured directory, or nothing."""
    directory = settings.otlp_dir
    if directory is None:
        return []
    return [Part(scope=str(directory), read=lambda ledger, _: read_otlp(directory, ledger=ledger))]


otel = ingest_asset(
    SOURCE,
    kind="json",
    description="Read what is new in the files that an OpenTelemetry collector writes: spans of model calls.",
    parts_of=lambda settings, _: directory_parts(settings),
)
