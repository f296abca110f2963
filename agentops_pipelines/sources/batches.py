"""What a source hands to the warehouse, and how it fails.

Belongs here: the few types that every source module yields or raises. Pure data: no Dagster, no DuckDB.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from agentops_pipelines.sources.schemas import RawTable


@dataclass(frozen=True, kw_only=True)
class LedgerEntry:
    """How far one readable thing has been read. One row of `ops.ledger`, keyed by (source, host, item).

    `item` names the thing: a file's path relative to the state directory, `<file>#<session id>` inside SQLite, or
    a LiteLLM window. `position` is the byte offset or seq up to which rows are in the warehouse; `fingerprint`
    tells whether the thing is still the same (size and mtime, first bytes, row generation ...).
    """

    source: str
    host: str
    item: str
    position: int
    fingerprint: str
    reader: str
    """Version of the reader and hash of the rules that were used: another value means read again."""


@dataclass(frozen=True, kw_only=True)
class QuarantineEntry:
    """One input that could not be used: where it is and why, never what it says. Keyed by all but `reason`."""

    source: str
    host: str
    item: str
    position: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Rows that belong together with the ledger entries that say they were read: committed in one transaction."""

    tables: Mapping[RawTable, pl.DataFrame]
    ledger: Sequence[LedgerEntry] = ()
    quarantine: Sequence[QuarantineEntry] = ()
    bytes_read: int = 0
    newest_data_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """What the warehouse remembers of one source, handed to its reader."""

    source: str
    entries: Mapping[tuple[str, str], LedgerEntry] = field(default_factory=dict)

    def get(self, host: str, item: str) -> LedgerEntry | None:
        """The entry for one item of one host, if it was read before."""
        return self.entries.get((host, item))


class SourceError(Exception):
    """A source cannot be read at all. Says which setting to change, its value (never a secret) and what to do."""

    def __init__(self, *, setting: str, value: str, problem: str, remedy: str) -> None:
        self.setting = setting
        self.value = value
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{setting}={value}: {problem}. {remedy}")
