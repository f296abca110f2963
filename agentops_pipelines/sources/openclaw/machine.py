"""What OpenClaw keeps beside its agents, made ready to read: single files, the state database, rows for any table.

Belongs here: what the readers of cron, sub-agents and configuration have in common. Does not belong here: what a record
means (cronrows, subagents, configuration).
"""

import stat
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from agentops_pipelines.settings import StateDir
from agentops_pipelines.sources.batches import Batch, Ledger
from agentops_pipelines.sources.openclaw.files import StateFile, printable
from agentops_pipelines.sources.openclaw.growing import is_unchanged, opened, whole_stamp
from agentops_pipelines.sources.openclaw.lines import parse
from agentops_pipelines.sources.openclaw.phrases import PollPhrases
from agentops_pipelines.sources.openclaw.rows import MAX_ROWS, Sink
from agentops_pipelines.sources.openclaw.sqlite import Copy, UnusableDatabaseError, open_copy, stamp_of
from agentops_pipelines.sources.openclaw.values import BadValue, micros, short_text
from agentops_pipelines.sources.privacy import clean_label
from agentops_pipelines.sources.schemas import RawTable

STATE_DATABASE = "state/openclaw.sqlite"
"""Cron, sub-agents and tasks of a machine (2026.6+)."""

MIGRATED = ".migrated"
"""What OpenClaw appends to the name of a file whose content it has moved into SQLite."""

NAME_HEAD = 200
"""Characters of a name that are cleaned: cleaning takes time that grows with the square of the length."""

Row = tuple[object, ...]
Record = dict[str, Any]


class TableSink(Sink):
    """A sink for rows of any raw table, values in column order, times in microseconds since 1970."""

    def __init__(self, *, source: str, host: str, reader: str, phrases: PollPhrases | None = None) -> None:
        super().__init__(source=source, host=host, reader=reader, phrases=phrases or PollPhrases(()))
        self._rows: dict[str, tuple[RawTable, list[Row]]] = {}  # by name: hashing a declaration for each row is slow

    def add(self, table: RawTable, row: Row) -> None:
        """Gather one row."""
        gathered = self._rows.get(table.name)
        if gathered is None:
            gathered = self._rows[table.name] = (table, [])
        gathered[1].append(row)

    @property
    def is_full(self) -> bool:
        """Whether what is gathered is worth a transaction of its own."""
        return super().is_full or any(len(rows) >= MAX_ROWS for _, rows in self._rows.values())

    def take(self) -> Batch | None:
        """What was gathered since the last `take`, or None when that is nothing."""
        batch = super().take()
        tables: dict[RawTable, pl.DataFrame] = {table: table.frame(rows) for table, rows in self._rows.values()}
        self._rows.clear()
        if not tables:
            return batch
        if batch is None:
            return Batch(tables=tables)
        return Batch(tables=tables, ledger=batch.ledger, quarantine=batch.quarantine, bytes_read=batch.bytes_read)


def state_file(state_dir: StateDir, item: str, *, sink: Sink) -> StateFile | None:
    """The file `item` (a path relative to the state directory) as it is now; None when there is none to read."""
    path = state_dir.path / item
    item = printable(item)
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        sink.refuse(item, 0, "unreadable")
        return None
    if not stat.S_ISREG(status.st_mode):
        sink.refuse(item, 0, "not_a_file")
        return None
    return StateFile(
        path=str(path),
        item=item,
        agent_id="",
        stem=printable(path.name.removesuffix(MIGRATED)).rpartition(".")[0],
        origin="jsonl",
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
    )


def names_in(state_dir: StateDir, folder: str, *, sink: Sink) -> list[str]:
    """Names in a folder of the state directory, sorted; none when there is no such folder."""
    try:
        return sorted(path.name for path in (state_dir.path / folder).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError:
        sink.refuse(folder, 0, "unreadable")
        return []


def changed_content(file: StateFile, *, sink: Sink, ledger: Ledger) -> bytes | None:
    """All of a file that OpenClaw replaces as a whole; None when it is known or cannot be read.

    It counts as read once the sink's next batch is committed.
    """
    if is_unchanged(file, sink=sink, ledger=ledger):
        return None
    with opened(file, sink) as stream:
        if stream is None:
            return None
        content = stream.read()
    sink.bytes_read += len(content)
    sink.read_up_to(file.item, len(content), whole_stamp(file))
    return content


class Tables:
    """The tables of a state database's copy. Its methods raise one of sqlite.DAMAGE when one cannot be read."""

    def __init__(self, copy: Copy, *, sink: Sink) -> None:
        self._connection = copy.connection
        self._columns = copy.tables
        self._sink = sink

    def has(self, table: str, *, column: str | None = None) -> bool:
        """Whether there is such a table, with such a column."""
        return table in self._columns and (column is None or column in self._columns[table])

    def records(self, table: str, wanted: Sequence[str], *, where: str = "TRUE", values: Row = ()) -> Iterator[Record]:
        """Those of the wanted columns that the table has; columns named `*_json` parsed, None when that fails."""
        columns = [name for name in wanted if name in self._columns[table]]
        for record in self._connection.execute(f"SELECT {', '.join(columns)} FROM {table} WHERE {where}", values):
            self._sink.bytes_read += sum(len(value) for value in record if isinstance(value, bytes))
            yield {name: _decoded(name, value) for name, value in zip(columns, record, strict=True)}

    def states(self, table: str, *, by: str, of: Sequence[str], where: str = "TRUE") -> list[tuple[str, str]]:
        """Each value of a column with sums over the columns `of` of its rows: another text means other rows."""
        present = [name for name in of if name in self._columns[table]]
        sums = "".join(f", total({name}), total(length({name}))" for name in present)
        select = f"SELECT {by}, count(*){sums} FROM {table} WHERE {where} GROUP BY {by}"
        return [
            (key.decode("utf-8", "replace"), " ".join(map(str, summed)))
            for key, *summed in self._connection.execute(select)
            if isinstance(key, bytes)
        ]


Reading = Generator[Batch, None, int]
"""Yields batches, returns the position that the ledger gets."""


def read_state_database(
    state_dir: StateDir,
    *,
    part: str,
    read: Callable[[Tables], Reading],
    sink: Sink,
    ledger: Ledger,
    scratch: Path,
) -> Generator[Batch, None, int | None]:
    """One part of the state database, read only when the database has changed since that part was read.

    `read` deals with damaged tables itself. Ledger item: `<file>#<part>`. Returns the part's position, also when
    nothing was read; None when the database cannot be read now. Without a database the position is 0.
    """
    file = state_file(state_dir, STATE_DATABASE, sink=sink)
    if file is None:
        return 0
    item = f"{file.item}#{part}"
    known = ledger.get(sink.host, item)
    position = 0 if known is None else known.position
    try:
        stamp = stamp_of(file.path)
        if known is not None and (known.reader, known.fingerprint) == (sink.reader, stamp):
            return known.position
        with open_copy(file.path, scratch=scratch) as copy:
            if not copy.is_sound:
                sink.refuse(item, 0, "corrupt_sqlite")
            position = yield from read(Tables(copy, sink=sink))
    except UnusableDatabaseError as problem:
        sink.refuse(item, 0, problem.reason)
        if problem.reason == "sqlite_keeps_changing":
            return None
    except OSError:
        sink.refuse(item, 0, "unreadable")
        return None
    sink.read_up_to(item, position, stamp)
    return position


def name_of(value: Any) -> str | None:
    """A name that a person or a model gave; numbers and addresses in it replaced."""
    return clean_label(value[:NAME_HEAD]) if isinstance(value, str) and value else None


def agent_id_of(value: Any) -> str | None:
    """An agent's id as its directory is named: OpenClaw lowers it."""
    text = short_text(value)
    return text.strip().lower() or None if text is not None else None


def time_of(value: Any) -> int | None:
    """A time that is an attribute only: a record is not refused for it."""
    try:
        return micros(value)
    except BadValue:
        return None


def count_of(value: Any) -> int | None:
    """A whole number from 0 on that is an attribute only."""
    return value if type(value) is int and 0 <= value < 10**15 else None


def flag_of(value: Any) -> bool | None:
    """True and false, from JSON or SQLite."""
    if isinstance(value, bool):
        return value
    return bool(value) if type(value) is int and value in (0, 1) else None


def _decoded(name: str, value: Any) -> Any:
    if not isinstance(value, bytes):
        return value
    return parse(value) if name.endswith("_json") else value.decode("utf-8", "replace")
