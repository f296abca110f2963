"""The OpenClaw ingest: one multi-asset for all raw.openclaw_* tables, each state directory loaded on its own."""

from collections.abc import Iterable, Iterator
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
from agentops_pipelines.settings import Settings, StateDir, load_settings
from agentops_pipelines.sources.batches import Batch, Ledger
from agentops_pipelines.sources.openclaw.reader import ReadRules, read_state_dir

SOURCE = "openclaw"


@dg.multi_asset(name=SOURCE, specs=raw_specs(SOURCE, kind="json"), check_specs=[source_loaded_spec(SOURCE)])
def openclaw() -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Read what is new in every OpenClaw state directory. Nothing in them is ever written."""
    settings = load_settings()
    parts = state_dir_parts(settings)
    loaded = load_parts(warehouse_of(settings), SOURCE, parts, observed_at=utc_now(settings))
    yield from results(SOURCE, loaded, configured=bool(parts))


def state_dir_parts(settings: Settings) -> list[Part]:
    """The configured state directories, each a part of its own."""
    rules = ReadRules(empty_poll_phrases=tuple(settings.config.empty_poll_phrases))
    return [_part(state_dir, rules) for state_dir in settings.openclaw_state_dirs]


def _part(state_dir: StateDir, rules: ReadRules) -> Part:
    def read(ledger: Ledger, scratch: Path) -> Iterable[Batch]:
        return read_state_dir(state_dir, ledger=ledger, rules=rules, scratch=scratch)

    return Part(scope=state_dir.host, read=read)
