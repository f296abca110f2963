"""Rows on their way from a state directory to the warehouse, gathered until a batch is worth a transaction.

Belongs here: how rows become frames, and what is committed together. A batch always holds the ledger entries that say
its rows were read, so a kill between two batches loses nothing and doubles nothing.
"""

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from agentops_pipelines.sources.batches import Batch, LedgerEntry, QuarantineEntry
from agentops_pipelines.sources.openclaw.columns import text_column
from agentops_pipelines.sources.openclaw.linerows import LineRows
from agentops_pipelines.sources.openclaw.lines import CHUNK
from agentops_pipelines.sources.openclaw.phrases import PollPhrases
from agentops_pipelines.sources.openclaw.problems import MAX_LISTED
from agentops_pipelines.sources.schemas import (
    OPENCLAW_LINES,
    OPENCLAW_RUNS,
    OPENCLAW_SESSIONS,
    OPENCLAW_TRANSCRIPTS,
    TEXT,
    TIME,
    RawTable,
)

MAX_ROWS = 50_000
MAX_BYTES = 64 * 1024 * 1024
"""Read bytes after which a batch is full: bounds how much a kill makes the next run read again."""


class Sink:
    """Gathers rows, ledger entries and problems of one host. `take` empties it into a batch."""

    def __init__(self, *, source: str, host: str, reader: str, phrases: PollPhrases) -> None:
        self.host = host
        self.reader = reader
        self.phrases = phrases
        self.lines = LineRows(refuse=self.refuse)
        self.transcripts: list[tuple[object, ...]] = []
        self.sessions: list[tuple[object, ...]] = []
        self.runs: list[tuple[object, ...]] = []
        self.session_ids: dict[str, str] = {}
        """Session whose lines each file read in this load ends with, by item."""
        self.bytes_read = 0
        self.buffer = bytearray(CHUNK)
        """What files are read into, one after the other: fresh memory for each would cost more than the reading."""
        self._source = source
        self._ledger: dict[str, LedgerEntry] = {}
        self._quarantine: list[QuarantineEntry] = []
        self._problem_counts: dict[str, int] = {}

    def read_up_to(self, item: str, position: int, fingerprint: str) -> None:
        """Note how far an item is read once this batch is committed."""
        self._ledger[item] = LedgerEntry(
            source=self._source,
            host=self.host,
            item=item,
            position=position,
            fingerprint=fingerprint,
            reader=self.reader,
        )

    def refuse(self, item: str, position: int, reason: str) -> None:
        """Note an input that could not be used. `position` is what `reason` says it is (problems.REASONS)."""
        count = self._problem_counts.get(item, 0) + 1
        self._problem_counts[item] = count
        if count > MAX_LISTED + 1:
            return
        if count > MAX_LISTED:
            reason = "more_problems"
        self._quarantine.append(
            QuarantineEntry(source=self._source, host=self.host, item=item, position=position, reason=reason)
        )

    @property
    def is_full(self) -> bool:
        """Whether what is gathered is worth a transaction of its own."""
        return len(self.lines) >= MAX_ROWS or self.bytes_read >= MAX_BYTES

    def take(self) -> Batch | None:
        """What was gathered since the last `take`, or None when that is nothing."""
        tables: dict[RawTable, pl.DataFrame] = {}
        newest = None
        if self.lines:
            tables[OPENCLAW_LINES] = frame = self.lines.frame()
            newest = _latest(frame)
        for table, rows in (
            (OPENCLAW_TRANSCRIPTS, self.transcripts),
            (OPENCLAW_SESSIONS, self.sessions),
            (OPENCLAW_RUNS, self.runs),
        ):
            if rows:
                tables[table] = _frame(table, rows)
        if not tables and not self._ledger and not self._quarantine:
            return None
        batch = Batch(
            tables=tables,
            ledger=tuple(self._ledger.values()),
            quarantine=tuple(self._quarantine),
            bytes_read=self.bytes_read,
            newest_data_at=newest,
        )
        for gathered in (self.lines, self.transcripts, self.sessions, self.runs, self._quarantine):
            gathered.clear()
        self._ledger.clear()
        self.bytes_read = 0
        return batch


def _frame(table: RawTable, rows: Sequence[tuple[object, ...]]) -> pl.DataFrame:
    """Rows whose times are microseconds since 1970."""
    columns: list[pl.Series] = []
    for column, values in zip(table.columns, zip(*rows, strict=True), strict=True):
        if column.type == TIME:
            columns.append(pl.Series(column.name, values, dtype=pl.Int64).cast(table.frame_schema[column.name]))
        elif column.type == TEXT:
            columns.append(text_column(column.name, values))
        else:
            columns.append(pl.Series(column.name, values, dtype=table.frame_schema[column.name]))
    return pl.DataFrame(columns)


def _latest(frame: pl.DataFrame) -> datetime | None:
    latest = frame["written_at"].max()
    return latest if isinstance(latest, datetime) else None
