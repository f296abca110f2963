"""The OpenClaw ingest: one multi-asset for all raw.openclaw_* tables, each state directory loaded on its own."""

from collections.abc import Iterable
from pathlib import Path

from agentops_pipelines.defs.ingest import Part, ingest_asset
from agentops_pipelines.settings import Settings, StateDir
from agentops_pipelines.sources.batches import Batch, Ledger
from agentops_pipelines.sources.openclaw.reader import ReadRules, read_state_dir

SOURCE = "openclaw"


def state_dir_parts(settings: Settings) -> list[Part]:
    """The configured state directories, each a part of its own."""
    rules = ReadRules(empty_poll_phrases=tuple(settings.config.empty_poll_phrases))
    return [_part(state_dir, rules) for state_dir in settings.openclaw_state_dirs]


def _part(state_dir: StateDir, rules: ReadRules) -> Part:
    def read(ledger: Ledger, scratch: Path) -> Iterable[Batch]:
        return read_state_dir(state_dir, ledger=ledger, rules=rules, scratch=scratch)

    return Part(scope=state_dir.host, read=read)


openclaw = ingest_asset(
    SOURCE,
    kind="json",
    description="Read what is new in every OpenClaw state directory. Nothing in them is ever written.",
    parts_of=lambda settings, _: state_dir_parts(settings),
)
