"""The only place that opens DuckDB: lock, migrate, load, run a table, publish, restore.

Belongs here: how rows get in safely and how people get a file to read. Does not belong here: what the rows mean
(sql/), where they come from (sources/) or when that happens (defs/).

The pipeline writes a private file; people read a published copy of it. One process writes at a time, guarded by an
OS lock that the kernel frees on any death. A kill at any moment loses nothing that was committed, doubles nothing,
and never shows in the published file.
"""

import errno
import fcntl
import json
import os
import shutil
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from agentops_pipelines.sources.batches import Batch, Ledger, LedgerEntry, QuarantineEntry
from agentops_pipelines.sources.schemas import RAW_TABLES, Keep, RawTable
from agentops_pipelines.sqltables import SqlTable

SCHEMA_VERSION = 6
"""Raise it with every change of a raw or ops table. Changes are additive: earlier files are upgraded in place."""

KEPT_DAILIES = 7

_CHECKPOINT_AT = "128 MiB"
"""Size of the log at which DuckDB rewrites its file: its own 16 MiB costs a first load more than the inserts do."""

_LOAD_MEMORY = "128 MiB"
"""What DuckDB may keep in memory while batches are loaded; what is more goes to its scratch directory. Twice as much
makes no load cheaper."""

_OPS_TABLES = {
    "schema_version": "version BIGINT, applied_at TIMESTAMP",
    "ledger": "source VARCHAR, host VARCHAR, item VARCHAR, position BIGINT, fingerprint VARCHAR, reader VARCHAR",
    "loads": "load_id BIGINT, source VARCHAR, scope VARCHAR, started_at TIMESTAMP, finished_at TIMESTAMP, "
    "status VARCHAR, rows BIGINT, bytes_read BIGINT, quarantined BIGINT, newest_data_at TIMESTAMP, problem VARCHAR",
    "quarantine": "source VARCHAR, host VARCHAR, item VARCHAR, position BIGINT, reason VARCHAR, "
    "first_seen_at TIMESTAMP",
    "deliveries": "key VARCHAR, state VARCHAR, updated_at TIMESTAMP, message_id VARCHAR, problem VARCHAR, "
    "rank_basis VARCHAR, cost_basis VARCHAR, posted_usd DECIMAL(28,12)",
}


_OPS_DOCS: dict[str, tuple[str, str]] = {
    "schema_version": (
        "Which versions of the program have upgraded this file.",
        """
        version version of the raw and ops tables
        applied_at when the file was brought to it
        """,
    ),
    "ledger": (
        "How far each item of a source was read: what has not changed is not read again.",
        """
        source openclaw, litellm, jira or otel
        host configured name of the machine; '' where a source has none
        item file, database or window of time
        position how far it was read
        fingerprint what shows that it is still the same item
        reader version of the reader and of its rules: another one reads the item again
        """,
    ),
    "loads": (
        "Every load of a source, also the ones that failed.",
        """
        load_id number of the load
        source openclaw, litellm, jira or otel
        scope machine or part of the source
        started_at start
        finished_at end
        status ok or failed
        rows rows that came
        bytes_read bytes that were read for them
        quarantined inputs that could not be understood, seen for the first time
        newest_data_at time of the newest record
        problem why it failed; NULL when it did not
        """,
    ),
    "quarantine": (
        "Inputs that could not be understood: each costs only itself.",
        """
        source openclaw, litellm, jira or otel
        host configured name of the machine
        item file, database or window of time
        position where in it
        reason what is wrong with it; never its text
        first_seen_at when it was met first
        """,
    ),
    "deliveries": (
        "What was posted, as deliveries.sqlite had it when this file was published.",
        """
        key what was posted, as weekly/2026-W47
        state planned, posting, posted, complete, uncertain or failed
        updated_at last change
        message_id id of the message in Discord
        problem what went wrong; NULL when nothing did
        rank_basis which money of a week the message shows: cost or list; NULL for other messages
        cost_basis which figure was the cost then, as in the settings: spend, estimate or list; NULL when not noted
        posted_usd that money as posted (USD); NULL when there was none
        """,
    ),
}
"""What each ops table and its columns mean, a line `name doc` for each column."""


def ops_docs() -> dict[str, tuple[str, dict[str, str]]]:
    """Description and documented columns of each ops table."""
    return {name: (doc, dict(map(_split, columns.strip().splitlines()))) for name, (doc, columns) in _OPS_DOCS.items()}


def _split(line: str) -> tuple[str, str]:
    name, doc = line.split(maxsplit=1)
    return name, doc


class WarehouseError(Exception):
    """Something about the warehouse that a person has to decide; the message says what to do."""


class WarehouseBusy(WarehouseError):
    """Another process is writing, and still was when the wait was over."""


class WarehouseTooNew(WarehouseError):
    """The file was written by a newer version of the program."""


class WarehouseDamaged(WarehouseError):
    """DuckDB cannot open the private file."""


class WarehouseUnwritable(WarehouseError):
    """The disk is full, or this user may not write there."""


class PublishedMissing(WarehouseError):
    """Nothing was published yet."""


@dataclass(frozen=True, kw_only=True)
class LoadResult:
    """What one load brought: rows per raw table, bytes read from the source, quarantined inputs."""

    rows: dict[str, int]
    bytes_read: int
    quarantined: int
    newest_data_at: datetime | None

    @property
    def row_count(self) -> int:
        """Rows over all tables."""
        return sum(self.rows.values())


_UNWRITABLE = {
    errno.ENOSPC: ("No space left on device", "database or disk is full"),
    errno.EDQUOT: ("Disk quota exceeded",),
    errno.EFBIG: ("File too large",),
    errno.EROFS: ("Read-only file system", "readonly database"),
    errno.EACCES: ("Permission denied", "Permission Denied", "unable to open database file"),
    errno.EPERM: ("Operation not permitted",),
    errno.EIO: ("Input/output error", "disk I/O error"),
}
"""Why nothing can be written, and how DuckDB and SQLite say so."""


def unwritable(error: BaseException, *, home: Path) -> WarehouseUnwritable | None:
    """The error as a sentence for people when it says that `home` cannot be written; None for any other."""
    reason = _errno_of(error, home=home)
    if reason is None:
        return None
    return WarehouseUnwritable(
        f"{home} cannot be written ({os.strerror(reason)}). Free some space, or give this user the directory. The last "
        "published file stays as it is; the next run goes on where this one stopped."
    )


def _errno_of(error: BaseException, *, home: Path) -> int | None:
    if isinstance(error, OSError):
        is_ours = error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO) or str(
            error.filename
        ).startswith(str(home))
        return error.errno if error.errno in _UNWRITABLE and is_ours else None
    if not isinstance(error, duckdb.Error | sqlite3.Error):
        return None
    message = str(error)
    return next((number for number, phrases in _UNWRITABLE.items() if any(p in message for p in phrases)), None)


class Warehouse:
    """The private DuckDB file under `home`, its lock, and the published copy."""

    def __init__(self, home: Path, *, published_path: Path | None = None, lock_timeout_seconds: float = 300.0) -> None:
        self.home = home
        self.path = home / "warehouse.duckdb"
        self.published_path = published_path or home / "agentops.duckdb"
        self.lock_timeout_seconds = lock_timeout_seconds

    @contextmanager
    def locked(self, purpose: str) -> Iterator["LockedWarehouse"]:
        """Be the one writer. Raises WarehouseBusy, naming the holder, when the lock is not free in time.

        Whatever inside fails because nothing can be written comes out as WarehouseUnwritable.
        """
        try:
            make_private(self.home)
            with (self.home / "writer.lock").open("a+", encoding="utf-8") as handle:
                self._wait_for(handle.fileno())
                handle.truncate(0)
                handle.write(f"process {os.getpid()}, {purpose}, since {_now():%Y-%m-%d %H:%M:%S} UTC")
                handle.flush()
                yield LockedWarehouse(self)
                handle.truncate(0)
        except (duckdb.Error, OSError) as error:
            problem = unwritable(error, home=self.home)
            if problem is None:
                raise
            raise problem from error

    def _wait_for(self, descriptor: int) -> None:
        deadline = time.monotonic() + self.lock_timeout_seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise WarehouseBusy(self._busy_message()) from None
                time.sleep(0.1)
            else:
                return

    def _busy_message(self) -> str:
        holder = (self.home / "writer.lock").read_text(encoding="utf-8") or "an unknown process"
        return (
            f"{self.path} is being written by {holder}; waited {self.lock_timeout_seconds:g} s. "
            "Wait for that run, or raise lock_timeout_seconds in agentops.toml."
        )


class LockedWarehouse:
    """The warehouse while this process holds the lock."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    @contextmanager
    def connect(self) -> Iterator["Writer"]:
        """The private file, migrated to this version. Raises WarehouseTooNew or WarehouseDamaged."""
        path = self._warehouse.path
        try:
            connection = _open_private(path, scratch=self._warehouse.home / "tmp")
        except (
            duckdb.IOException,
            duckdb.SerializationException,
            duckdb.InternalException,
            duckdb.FatalException,
        ) as error:
            raise WarehouseDamaged(
                f"{path} cannot be opened ({type(error).__name__}). Run `agentops restore` to go back to the last "
                "published day; the next run catches up."
            ) from error
        with closing(connection):
            _migrate(connection, path)
            yield Writer(connection)

    def publish(self) -> Path:
        """Copy the private file to where people read it; at once, whole, read-only. Call with no open connection."""
        warehouse = self._warehouse
        target = warehouse.published_path
        with self.connect() as writer:
            writer.copy_deliveries(warehouse.home / "deliveries.sqlite")
            writer.document()
            writer.con.execute("CHECKPOINT")
        temporary = target.with_name(f".{target.name}.new")
        target.parent.mkdir(parents=True, exist_ok=True)
        _copy_durably(warehouse.path, temporary)
        temporary.chmod(0o444)
        # A reader that died may have left a WAL: DuckDB would replay it into the file that takes this name.
        target.with_name(target.name + ".wal").unlink(missing_ok=True)
        temporary.replace(target)
        _keep_daily(target, warehouse.home / "dailies", day=_now().date())
        return target

    def restore(self, *, day: date | None) -> Path:
        """Make a published day the private file again (default: the newest). Keeps the replaced file beside it."""
        warehouse = self._warehouse
        daily = _find_daily(warehouse.home / "dailies", day=day)
        if warehouse.path.exists():
            warehouse.path.replace(warehouse.path.with_name(f"warehouse-replaced-{_now():%Y%m%dT%H%M%S}.duckdb"))
        warehouse.path.with_name(warehouse.path.name + ".wal").unlink(missing_ok=True)
        temporary = warehouse.path.with_name("warehouse.duckdb.new")
        _copy_durably(daily, temporary)
        temporary.chmod(0o600)
        temporary.replace(warehouse.path)
        self.publish()
        return daily


class Writer:
    """An open private file. Every method leaves it consistent, whatever happens inside."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self.con = con

    def ledger(self, source: str) -> Ledger:
        """What was read of a source so far."""
        rows = self.con.execute(
            "SELECT host, item, position, fingerprint, reader FROM ops.ledger WHERE source = ?", [source]
        ).fetchall()
        return Ledger(
            source=source,
            entries={
                (host, item): LedgerEntry(
                    source=source, host=host, item=item, position=position, fingerprint=fingerprint, reader=reader
                )
                for host, item, position, fingerprint, reader in rows
            },
        )

    def load(self, source: str, batches: Iterable[Batch], *, scope: str, observed_at: datetime) -> LoadResult:
        """Commit the batches, each with its ledger entries in one transaction, and note the load in ops.loads.

        A failing batch raises; the ones before it stay.
        """
        with self._frugal():
            return self._load(source, batches, scope=scope, observed_at=observed_at)

    def _load(self, source: str, batches: Iterable[Batch], *, scope: str, observed_at: datetime) -> LoadResult:
        started_at = _now()
        rows: dict[str, int] = {}
        bytes_read = quarantined = 0
        newest: datetime | None = None
        for batch in batches:
            with self._transaction():
                for table, frame in batch.tables.items():
                    if not frame.is_empty():
                        rows[table.qualified_name] = rows.get(table.qualified_name, 0) + frame.height
                        self._put(table, frame, observed_at)
                quarantined += self._put_quarantine(batch.quarantine, observed_at)
                self._put_ledger(batch.ledger)
            bytes_read += batch.bytes_read
            if batch.newest_data_at is not None:
                newest = max(newest or batch.newest_data_at, batch.newest_data_at)
        result = LoadResult(rows=rows, bytes_read=bytes_read, quarantined=quarantined, newest_data_at=newest)
        self._note_load(source, scope, started_at, status="ok", result=result, problem=None)
        return result

    def record_failure(self, source: str, *, scope: str, problem: str) -> None:
        """Note in ops.loads that a source could not be read. `problem` holds no secret: it is shown to people."""
        nothing = LoadResult(rows={}, bytes_read=0, quarantined=0, newest_data_at=None)
        self._note_load(source, scope, _now(), status="failed", result=nothing, problem=problem)

    def write_conf(
        self, tables: Mapping[str, pl.DataFrame], *, types: Mapping[str, str], docs: Mapping[str, str]
    ) -> None:
        """Replace conf tables. `types` gives `table.column` a type that a frame cannot express (DECIMAL), `docs` has
        the descriptions of the tables.
        """
        with self._transaction():
            for name, frame in tables.items():
                columns = ", ".join(
                    f"CAST({column} AS {types[f'{name}.{column}']}) AS {column}"
                    if f"{name}.{column}" in types
                    else column
                    for column in frame.columns
                )
                with self._registered("conf_frame", frame):
                    self.con.execute(f"CREATE OR REPLACE TABLE conf.{name} AS SELECT {columns} FROM conf_frame")
                self.con.execute(f"COMMENT ON TABLE conf.{name} IS {_quote(docs[name])}")

    def run_table(self, table: SqlTable) -> int:
        """Rebuild one SQL table from its file and return its row count. Documentation goes in as comments."""
        kind, other = ("VIEW", "TABLE") if table.is_view else ("TABLE", "VIEW")
        with self._transaction():
            if self._is_a(other, table):  # an earlier version kept it so, and OR REPLACE does not change that
                self.con.execute(f"DROP {other} {table.name}")
            self.con.execute(f"CREATE OR REPLACE {kind} {table.name} AS {table.sql}")
            self.con.execute(f"COMMENT ON {kind} {table.name} IS {_quote(f'{table.description} Grain: {table.grain}')}")
            for column, doc in table.columns.items():
                self.con.execute(f"COMMENT ON COLUMN {table.name}.{column} IS {_quote(doc)}")
        (count,) = self.con.execute(f"SELECT count(*) FROM {table.name}").fetchall()[0]
        return count

    def _is_a(self, kind: str, table: SqlTable) -> bool:
        found = self.con.execute(
            f"SELECT 1 FROM duckdb_{kind.lower()}s() WHERE schema_name = ? AND {kind.lower()}_name = ?",
            [table.schema, table.table],
        )
        return bool(found.fetchall())

    def document(self) -> None:
        """Put the documentation of raw and ops tables in as comments: those that are missing or have changed.

        The tables stay from run to run and keep their comments, so that this costs something only once.
        """
        documented = {t.qualified_name: (t.doc, {c.name: c.doc for c in t.columns}) for t in RAW_TABLES}
        documented |= {f"ops.{name}": docs for name, docs in ops_docs().items()}
        wanted = {f"TABLE {name}": doc for name, (doc, _) in documented.items()}
        wanted |= {f"COLUMN {name}.{c}": doc for name, (_, columns) in documented.items() for c, doc in columns.items()}
        have = self.con.execute(
            "SELECT 'TABLE ' || schema_name || '.' || table_name, comment FROM duckdb_tables() UNION ALL "
            "SELECT 'COLUMN ' || schema_name || '.' || table_name || '.' || column_name, comment FROM duckdb_columns()"
        ).fetchall()
        news = wanted.items() - set(have)
        if news:
            with self._transaction():
                self.con.execute("; ".join(f"COMMENT ON {what} IS {_quote(doc)}" for what, doc in sorted(news)))

    def copy_deliveries(self, path: Path) -> None:
        """Refresh ops.deliveries, the readable copy of the delivery ledger."""
        rows: list[tuple[object, ...]] = []
        if path.exists():
            with closing(sqlite3.connect(path)) as ledger:
                rows = [
                    (*entry, *_posted_money(json.loads(totals)))
                    for *entry, totals in ledger.execute(
                        "SELECT key, state, updated_at, message_id, problem, totals FROM deliveries ORDER BY key"
                    )
                ]
        with self._transaction():
            self.con.execute("DELETE FROM ops.deliveries")
            if rows:
                self.con.executemany("INSERT INTO ops.deliveries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    @contextmanager
    def _frugal(self) -> Iterator[None]:
        """With one thread, because batches are too small for two: they would wait for each other at the cost of a
        quarter. And with little memory, because DuckDB would keep in it whatever was loaded.
        """
        self.con.execute("SET threads = 1")
        self.con.execute(f"SET memory_limit = '{_LOAD_MEMORY}'")
        try:
            yield
        finally:
            self.con.execute("RESET threads")
            self.con.execute("RESET memory_limit")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self.con.execute("BEGIN")
        try:
            yield
        except BaseException:
            with suppress(duckdb.Error):  # a connection that DuckDB gave up on: what went wrong counts
                self.con.execute("ROLLBACK")
            raise
        self.con.execute("COMMIT")

    def _put(self, table: RawTable, frame: pl.DataFrame, observed_at: datetime) -> None:
        # A batch may hold one record twice (a file and its archive): the one read last counts.
        if not frame.select(table.key).is_unique().all():
            frame = frame.unique(subset=table.key, keep="last", maintain_order=True)
        columns = ", ".join(f"CAST({column.name} AS {column.type}) AS {column.name}" for column in table.columns)
        same_key = " AND ".join(f"t.{name} = b.{name}" for name in table.key)
        with self._registered("batch_frame", frame):
            if table.keep is Keep.LAST:
                if self._may_know(table):
                    self.con.execute(f"DELETE FROM {table.qualified_name} t USING batch_frame b WHERE {same_key}")
                self.con.execute(f"INSERT INTO {table.qualified_name} BY NAME SELECT {columns} FROM batch_frame")
                return
            self.con.execute(f"CREATE OR REPLACE TEMP TABLE batch AS SELECT {columns} FROM batch_frame")
        self._drop_known_states(table, same_key, observed_at)
        self.con.execute(f"INSERT INTO {table.qualified_name} BY NAME SELECT * FROM batch")

    def _may_know(self, table: RawTable) -> bool:
        """Whether a row of the batch may be in the table. The last column of a key tells nearly all rows apart.

        To look there costs a third of a DELETE that finds nothing, which it does in every batch of a first load.
        """
        one = table.key[-1]
        rows = self.con.execute(
            f"SELECT 1 FROM {table.qualified_name} t JOIN batch_frame b ON t.{one} = b.{one} LIMIT 1"
        )
        return rows.fetchone() is not None

    @contextmanager
    def _registered(self, name: str, frame: pl.DataFrame) -> Iterator[None]:
        """A frame under a name that SQL can use."""
        self.con.register(name, _ArrowStream(frame))
        yield
        # Not after an error: nothing can be done in a transaction that is broken, and the next frame takes the name.
        self.con.unregister(name)

    def _drop_known_states(self, table: RawTable, same_key: str, observed_at: datetime) -> None:
        """Of a dimension batch keep only what is news; refresh the volatile columns of the rest."""
        unchanging = [c.name for c in table.columns if c.name not in (*table.key, *table.volatile, "observed_at")]
        same_state = " AND ".join(f"t.{name} IS NOT DISTINCT FROM b.{name}" for name in unchanging)
        latest = (
            f"SELECT * FROM {table.qualified_name} "
            f"QUALIFY row_number() OVER (PARTITION BY {', '.join(table.key)} ORDER BY observed_at DESC) = 1"
        )
        self.con.execute("UPDATE batch SET observed_at = ?", [observed_at])
        self.con.execute(
            f"CREATE OR REPLACE TEMP TABLE known AS SELECT t.observed_at AS seen_at, b.* EXCLUDE (observed_at) "
            f"FROM batch b JOIN ({latest}) t ON {same_key} AND {same_state}"
        )
        if table.volatile:
            changes = ", ".join(f"{name} = b.{name}" for name in table.volatile)
            self.con.execute(
                f"UPDATE {table.qualified_name} t SET {changes} FROM known b "
                f"WHERE {same_key} AND t.observed_at = b.seen_at"
            )
        self.con.execute(f"DELETE FROM batch t USING known b WHERE {same_key}")

    def _put_ledger(self, entries: Sequence[LedgerEntry]) -> None:
        if not entries:
            return
        frame = pl.DataFrame(
            [(e.source, e.host, e.item, e.position, e.fingerprint, e.reader) for e in entries],
            schema={
                "source": pl.String,
                "host": pl.String,
                "item": pl.String,
                "position": pl.Int64,
                "fingerprint": pl.String,
                "reader": pl.String,
            },
            orient="row",
        ).unique(["source", "host", "item"], keep="last", maintain_order=True)
        with self._registered("entries", frame):
            self.con.execute(
                "DELETE FROM ops.ledger t USING entries b "
                "WHERE t.source = b.source AND t.host = b.host AND t.item = b.item"
            )
            self.con.execute("INSERT INTO ops.ledger BY NAME SELECT * FROM entries")

    def _put_quarantine(self, entries: Sequence[QuarantineEntry], seen_at: datetime) -> int:
        """Insert what is new; the same bad input met again keeps its first_seen_at. Returns the number of new ones."""
        new = 0
        for e in entries:
            known = self.con.execute(
                "SELECT count(*) FROM ops.quarantine WHERE source = ? AND host = ? AND item = ? AND position = ?",
                [e.source, e.host, e.item, e.position],
            ).fetchall()
            if known[0][0] == 0:
                self.con.execute(
                    "INSERT INTO ops.quarantine VALUES (?, ?, ?, ?, ?, ?)",
                    [e.source, e.host, e.item, e.position, e.reason, seen_at],
                )
                new += 1
        return new

    def _note_load(
        self, source: str, scope: str, started_at: datetime, *, status: str, result: LoadResult, problem: str | None
    ) -> None:
        self.con.execute(
            "INSERT INTO ops.loads SELECT coalesce(max(load_id), 0) + 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM ops.loads",
            [
                source,
                scope,
                started_at,
                _now(),
                status,
                result.row_count,
                result.bytes_read,
                result.quarantined,
                result.newest_data_at,
                problem,
            ],
        )


class _ArrowStream:
    """A frame that DuckDB reads in place. Given the frame itself it would load pyarrow and copy every text."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._frame.__arrow_c_stream__(requested_schema)


@contextmanager
def read_published(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published file, read-only, times in UTC. Raises PublishedMissing before the first run."""
    if not path.exists():
        raise PublishedMissing(f"{path} does not exist yet: run `agentops run` first (or `agentops run --demo`).")
    with closing(duckdb.connect(path, read_only=True, config=_offline_config())) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def make_private(home: Path) -> None:
    """Create the home directory, readable by its owner only, and so whatever of its path is not there yet."""
    for folder in (*reversed(home.parents), home):
        if not folder.is_dir():
            folder.mkdir(mode=0o700, exist_ok=True)
    if home.stat().st_mode & 0o077 and home.stat().st_uid == os.getuid():
        home.chmod(0o700)


def _offline_config() -> dict[str, str | bool | int | float | list[str]]:
    """No extension is needed anywhere, so none may be looked for on the network."""
    return {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}


def _open_private(path: Path, *, scratch: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(path, config=_offline_config())
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET preserve_insertion_order = false")  # no table has an order; keeping one costs a fifth
    connection.execute(f"SET temp_directory = {_quote(str(scratch))}")
    connection.execute(f"SET checkpoint_threshold = '{_CHECKPOINT_AT}'")
    path.chmod(0o600)
    return connection


def _migrate(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Bring a file of any earlier version up to date; refuse a newer one."""
    exists = connection.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'ops' AND table_name = 'schema_version'"
    ).fetchall()[0][0]
    version = 0
    if exists:
        version = connection.execute("SELECT coalesce(max(version), 0) FROM ops.schema_version").fetchall()[0][0]
    if version > SCHEMA_VERSION:
        raise WarehouseTooNew(
            f"{path} was written by a newer version (schema {version}, this program knows {SCHEMA_VERSION}). "
            "Install the newer version, or point AGENTOPS_HOME elsewhere."
        )
    if version == SCHEMA_VERSION:
        return
    connection.execute("BEGIN")
    for schema in ("raw", "conf", "core", "mart", "ops"):
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    declared = {f"ops.{name}": columns for name, columns in _OPS_TABLES.items()}
    declared |= {t.qualified_name: ", ".join(f"{c.name} {c.type}" for c in t.columns) for t in RAW_TABLES}
    for name, columns in declared.items():
        connection.execute(f"CREATE TABLE IF NOT EXISTS {name} ({columns})")
    for name, columns in declared.items() if version else ():
        for column in columns.split(", "):
            connection.execute(f"ALTER TABLE {name} ADD COLUMN IF NOT EXISTS {column}")
    connection.execute("INSERT INTO ops.schema_version VALUES (?, ?)", [SCHEMA_VERSION, _now()])
    connection.execute("COMMIT")


def _posted_money(totals: Mapping[str, Any]) -> tuple[str | None, str | None, str | None]:
    """Rank basis, cost basis and figure of what a delivery's message shows; nothing of a message without figures."""
    basis = totals.get("rank_basis")
    return basis, totals.get("cost_basis"), totals.get("list_usd" if basis == "list" else "cost_usd")


def _copy_durably(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    with target.open("rb") as handle:
        os.fsync(handle.fileno())


def _keep_daily(published: Path, folder: Path, *, day: date) -> None:
    make_private(folder)
    daily = folder / f"agentops-{day.isoformat()}.duckdb"
    temporary = folder / f".{daily.name}.new"
    temporary.unlink(missing_ok=True)
    try:
        # Published files are never changed, only replaced: a link is a full copy for free.
        os.link(published, temporary)
    except OSError:
        _copy_durably(published, temporary)
    temporary.replace(daily)
    for old in sorted(folder.glob("agentops-*.duckdb"))[:-KEPT_DAILIES]:
        old.unlink()


def _find_daily(folder: Path, *, day: date | None) -> Path:
    dailies = sorted(folder.glob("agentops-*.duckdb"))
    if day is not None:
        dailies = [path for path in dailies if path.stem == f"agentops-{day.isoformat()}"]
    if not dailies:
        have = (
            ", ".join(path.stem.removeprefix("agentops-") for path in sorted(folder.glob("agentops-*.duckdb")))
            or "none"
        )
        raise WarehouseError(f"no published day to restore in {folder} (there are: {have}).")
    return dailies[-1]


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
