"""What the tests of the LiteLLM readers share: a store that keeps batches like the warehouse, and a plain spend log."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from agentops_pipelines.sources.batches import Batch, LedgerEntry, QuarantineEntry
from agentops_pipelines.sources.schemas import LITELLM_SPEND_LOGS, RawTable


@dataclass
class Store:
    """What a warehouse keeps of the batches: the last row of each key, the ledger, the quarantine."""

    tables: dict[RawTable, dict[tuple, dict]] = field(default_factory=dict)
    entries: dict[tuple[str, str], LedgerEntry] = field(default_factory=dict)
    quarantine: list[QuarantineEntry] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)

    def take(self, batch: Batch) -> None:
        """Keeps a batch."""
        self.batches.append(batch)
        for table, frame in batch.tables.items():
            assert frame.schema == table.frame_schema
            rows = self.tables.setdefault(table, {})
            rows.update({tuple(row[name] for name in table.key): row for row in frame.to_dicts()})
        self.entries.update({(entry.host, entry.item): entry for entry in batch.ledger})
        self.quarantine.extend(batch.quarantine)

    @property
    def logs(self) -> dict[str, dict]:
        """The spend logs by request id."""
        return {key[0]: row for key, row in self.tables.get(LITELLM_SPEND_LOGS, {}).items()}

    @property
    def heights(self) -> list[int]:
        """The number of spend logs in each batch that has a frame of them."""
        return [batch.tables[LITELLM_SPEND_LOGS].height for batch in self.batches if LITELLM_SPEND_LOGS in batch.tables]


def row(name: object, started_at: datetime, **changes: Any) -> dict[str, Any]:
    """A spend log as the database has it."""
    ended_at = started_at + timedelta(seconds=1)
    return {
        "request_id": f"chatcmpl-{name}",
        "call_type": "acompletion",
        "api_key": "0" * 64,
        "spend": 0.25,
        "total_tokens": 12,
        "prompt_tokens": 10,
        "completion_tokens": 2,
        "startTime": started_at.isoformat(timespec="milliseconds"),
        "endTime": ended_at.isoformat(timespec="milliseconds"),
        "model": "azure/gpt-5.4",
        "model_group": "standard",
        "metadata": {},
        "request_tags": [],
        "status": "success",
    } | changes
