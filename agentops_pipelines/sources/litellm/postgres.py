"""Reads LiteLLM's PostgreSQL: spend logs day by day as a stream, then its daily counters and its keys.

Belongs here: the connection (read-only transactions, timeouts), which days and rows are asked for, every way it can
fail as a sentence that says what to do. The SELECTs and what their columns become are spend_log_query.py and daily.py.
Deployments and routes stand in no table: api.read_configuration asks the proxy for them.

A day (days.py) is read in full the first time, later only its rows created since: `created_at` is no index, so the day
of the start narrows it down. Where older proxies have no `created_at`, the day is read in full again.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, cast
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

import polars as pl
import pyarrow as pa
from adbc_driver_postgresql import dbapi

from agentops_pipelines.sources.batches import Batch, Ledger, QuarantineEntry, SourceError
from agentops_pipelines.sources.litellm.daily import TABLE as DAILY_TABLE
from agentops_pipelines.sources.litellm.daily import daily_frame_of, daily_select
from agentops_pipelines.sources.litellm.days import (
    DAY,
    SOURCE,
    closed_end,
    day_entry,
    day_item,
    open_days,
    start_of,
)
from agentops_pipelines.sources.litellm.dimensions import key_row
from agentops_pipelines.sources.litellm.rows import UnusableRow
from agentops_pipelines.sources.litellm.spend_log_query import spend_log_frame_of, spend_log_select
from agentops_pipelines.sources.privacy import shown_url
from agentops_pipelines.sources.schemas import LITELLM_DAILY, LITELLM_KEYS, LITELLM_SPEND_LOGS

READER = "litellm-postgres-2"

CREATED_OVERLAP = timedelta(hours=1)
"""How far before the last reading rows are asked for again: clocks that differ, transactions that commit late."""

SETTING = "AGENTOPS_LITELLM_DATABASE_URL"

_SPEND_LOGS = "LiteLLM_SpendLogs"
_KEY_TABLES = ("LiteLLM_VerificationToken", "LiteLLM_DeletedVerificationToken")
_KEY_COLUMNS = {
    "token": "text",
    "key_alias": "text",
    "user_id": "text",
    "team_id": "text",
    "models": "text[]",
    "spend": "float8",
    "total_spend": "float8",
    "max_budget": "float8",
    "budget_duration": "text",
    "budget_reset_at": "text",
    "rpm_limit": "bigint",
    "tpm_limit": "bigint",
    "blocked": "boolean",
    "expires": "text",
    "created_at": "text",
    "last_active": "text",
}
"""Columns of a key, and the type they are read as: times as text, like the API gives them."""

_STATEMENT_TIMEOUT = "15min"
_CONNECT_TIMEOUT_SECONDS = "10"
_TRANSACTION = (
    "SET TRANSACTION READ ONLY",
    f"SET LOCAL statement_timeout = '{_STATEMENT_TIMEOUT}'",
)

_WRONG_DATABASE = "Give LiteLLM's own database (its DATABASE_URL; with ?schema= where it has one)."
_BUSY = "Look at the database's log; the next run goes on from here."
_CONNECT_ERRORS = (
    ("password authentication failed", "the database refuses this user or password", "Correct user and password."),
    ("no password supplied", "the database asks for a password", "Add the password to the URL."),
    ("pg_hba.conf", "the database lets nobody in from here", "Allow this host and user in pg_hba.conf."),
    ("does not exist", "there is no such database or user", _WRONG_DATABASE),
    ("SSL", "no agreement on TLS", "Set sslmode in the URL as the database wants it."),
    ("translate host name", "no address is known for this host name", "Check the host name."),
    ("onnection refused", "nothing answers at this address (connection refused)", "Start the database, or correct it."),
    ("timeout expired", f"no answer within {_CONNECT_TIMEOUT_SECONDS} s", "Check host, port and firewall."),
)
"""A phrase of libpq's message, what to say instead, what to do. The message itself may quote the URL."""

_PRISMA_OPTIONS = frozenset(
    {
        "schema",
        "connection_limit",
        "pool_timeout",
        "pgbouncer",
        "socket_timeout",
        "statement_cache_size",
        "sslaccept",
        "sslidentity",
    }
)
"""What LiteLLM's own DATABASE_URL may carry for Prisma; libpq refuses it."""


def read_postgres(*, database_url: str, ledger: Ledger, since: datetime | None, until: datetime) -> Iterator[Batch]:
    """What the proxy logged from the day of `since` (None: from its first row) to a minute before `until`.

    `until` is the run's now; both are naive UTC. Only what `ledger` does not have is read. Yields batches of some
    ten thousand spend logs, oldest day first, the ledger entry of a day in its last batch, then one batch of the daily
    counters and one of the keys, observed at `until`. A quarantined row's `position` is its start in milliseconds since
    midnight.

    Raises SourceError, which names the setting to change and never shows the password.
    """
    database = _Database(database_url)
    with database.connected():
        logs = database.table(_SPEND_LOGS)
        if logs is None:
            raise database.error("it has no table of LiteLLM's spend logs", _WRONG_DATABASE)
        end = closed_end(until)
        first = since if since is not None else _first_start(database, logs)
        if first is not None:
            days = list(open_days(ledger, host=database.shown, reader=READER, since=first, end=end))
            for day, read_up_to in days:
                yield from _read_day(database, logs, day, read_up_to=read_up_to, end=end)
            if days:
                yield _read_daily(database, first=days[0][0], last=end.date())
        yield _read_keys(database, observed_at=until)


@dataclass(frozen=True, kw_only=True)
class _Table:
    """A table that is there: its quoted name, and its columns."""

    name: str
    columns: frozenset[str]


def _first_start(database: "_Database", logs: _Table) -> datetime | None:
    """When the oldest row started."""
    (frame,) = database.query(f'SELECT min("startTime")::timestamp AS first FROM {logs.name}')
    return frame["first"].item()


def _read_day(
    database: "_Database", logs: _Table, day: date, *, read_up_to: datetime | None, end: datetime
) -> Iterator[Batch]:
    """The day's rows, or those created since it was read before; the ledger entry comes with the last of them.

    Most days are one batch: a commit of its own for the entry would double the commits of a first load.
    """
    is_partial = read_up_to is not None and "created_at" in logs.columns
    select = spend_log_select(
        logs.name,
        columns=logs.columns,
        start=start_of(day),
        end=min(start_of(day) + DAY, end),
        created_from=read_up_to - CREATED_OVERLAP if read_up_to is not None and is_partial else None,
    )
    loaded = 0
    last: Batch | None = None
    for result in database.query(select):
        if last is not None:
            yield last
        frame, unusable = spend_log_frame_of(result)
        loaded += frame.height
        last = Batch(
            tables={LITELLM_SPEND_LOGS: frame},
            quarantine=[
                QuarantineEntry(
                    source=SOURCE,
                    host=database.shown,
                    item=day_item(day),
                    position=(started_at - start_of(day)) // timedelta(milliseconds=1),
                    reason=reason,
                )
                for started_at, reason in unusable.iter_rows()
            ],
            bytes_read=int(result.estimated_size()),
            newest_data_at=cast("datetime | None", frame["ended_at"].max()),
        )
    if last is None:
        last = Batch(tables={LITELLM_SPEND_LOGS: LITELLM_SPEND_LOGS.frame([])})
    yield replace(last, ledger=[day_entry(day, host=database.shown, reader=READER, rows=loaded, end=end)])


def _read_daily(database: "_Database", *, first: date, last: date) -> Batch:
    """LiteLLM's counters of the days that were just read; none where the proxy is too old to keep any."""
    table = database.table(DAILY_TABLE)
    if table is None:
        return Batch(tables={LITELLM_DAILY: LITELLM_DAILY.frame([])})
    select = daily_select(table.name, columns=table.columns, first=first, last=last)
    frame = daily_frame_of(row for result in database.query(select) for row in result.iter_rows(named=True))
    return Batch(tables={LITELLM_DAILY: frame}, bytes_read=int(frame.estimated_size()))


def _read_keys(database: "_Database", *, observed_at: datetime) -> Batch:
    """Keys in use and deleted ones: old spend logs carry their hashes."""
    rows: list[tuple[object, ...]] = []
    quarantine: list[QuarantineEntry] = []
    for name in _KEY_TABLES:
        table = database.table(name)
        keys = () if table is None else _keys(database, table)
        for number, key in enumerate(keys, start=1):
            try:
                rows.append(key_row(key, observed_at=observed_at))
            except UnusableRow as problem:
                entry = QuarantineEntry(
                    source=SOURCE, host=database.shown, item=name, position=number, reason=str(problem)
                )
                quarantine.append(entry)
    frame = LITELLM_KEYS.frame(rows).unique(subset=LITELLM_KEYS.key, keep="first", maintain_order=True)
    return Batch(tables={LITELLM_KEYS: frame}, quarantine=quarantine, bytes_read=int(frame.estimated_size()))


def _keys(database: "_Database", table: _Table) -> Iterator[dict[str, Any]]:
    """The keys of a table, as the API gives them. The key itself is in no column."""
    columns = [
        f"{name}::{type_} AS {name}" if name in table.columns else f"NULL::{type_} AS {name}"
        for name, type_ in _KEY_COLUMNS.items()
    ]
    for frame in database.query(f"SELECT {', '.join(columns)} FROM {table.name} ORDER BY token"):
        yield from frame.to_dicts()


class _Database:
    """One connection, every query in a read-only transaction of its own. `shown` is the URL without its secrets."""

    def __init__(self, database_url: str) -> None:
        parts = _url_parts(database_url)
        options = dict(parse_qsl(parts.query))
        self.shown = shown_url(database_url)
        self._schema = options.get("schema", "")
        kept = {"connect_timeout": _CONNECT_TIMEOUT_SECONDS, "application_name": "agentops"}
        kept |= {name: value for name, value in options.items() if name not in _PRISMA_OPTIONS}
        self._uri = f"{parts.scheme}://{parts.netloc}{parts.path}?{urlencode(kept)}"
        self._connection: dbapi.Connection | None = None

    @contextmanager
    def connected(self) -> Iterator[None]:
        """Connects, and disconnects at the end. Raises SourceError."""
        try:
            connection = dbapi.connect(self._uri)
        except dbapi.Error as error:
            # not chained: libpq quotes parts of a URL that it cannot read
            raise self._connect_error(str(error)) from None
        with connection:
            self._connection = connection
            yield

    def table(self, name: str) -> _Table | None:
        """A table by its name, or None when there is none that may be seen."""
        quoted = f'"{name}"'
        if self._schema:
            quoted = '"' + self._schema.replace('"', '""') + '".' + quoted
        literal = quoted.replace("'", "''")
        attributes = "SELECT attname::text AS name FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped"
        frames = self.query(f"{attributes} AND attrelid = to_regclass('{literal}')")
        columns = frozenset(column for frame in frames for column in frame["name"])
        return _Table(name=quoted, columns=columns) if columns else None

    def query(self, sql: str) -> Iterator[pl.DataFrame]:
        """The result in parts, as it comes. Raises SourceError."""
        connection = self._connection
        assert connection is not None, "query inside `connected` only"
        try:
            with connection.cursor() as cursor:
                for statement in _TRANSACTION:
                    cursor.execute(statement)
                cursor.execute(sql)
                for batch in _ahead(cursor.fetch_record_batch()):
                    yield cast(pl.DataFrame, pl.from_arrow(batch))
        except (dbapi.Error, pa.ArrowException, OSError) as error:
            # not chained: PostgreSQL quotes the query and, with a bad value, the value
            raise self._query_error(getattr(error, "sqlstate", None)) from None
        finally:
            with suppress(dbapi.Error):  # the connection may be gone
                connection.rollback()

    def error(self, problem: str, remedy: str) -> SourceError:
        """An error of this database for people."""
        return SourceError(setting=SETTING, value=self.shown, problem=problem, remedy=remedy)

    def _connect_error(self, message: str) -> SourceError:
        for phrase, problem, remedy in _CONNECT_ERRORS:
            if phrase in message:
                return self.error(problem, remedy)
        return self.error("no connection to the database", _WRONG_DATABASE)

    def _query_error(self, sqlstate: str | None) -> SourceError:
        if sqlstate == "42501":
            return self.error("this user may not read LiteLLM's tables", "GRANT SELECT on them, or use another user.")
        if sqlstate == "57014":
            return self.error(f"a query took longer than {_STATEMENT_TIMEOUT}", _BUSY)
        if sqlstate is None or sqlstate[:2] in ("08", "57"):
            return self.error("the database closed the connection", _BUSY)
        return self.error(f"a query failed (SQLSTATE {sqlstate})", _WRONG_DATABASE)


def _ahead(batches: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """The batches, each fetched while the one before is at work: otherwise the database and we would take turns."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="postgres") as fetching:
        coming = fetching.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = fetching.submit(next, batches, None)
            yield batch


def _url_parts(database_url: str) -> SplitResult:
    """The URL's parts. Raises SourceError, which shows nothing of what may hold a password."""
    try:
        parts = urlsplit(database_url)
    except ValueError:
        parts = SplitResult("", "", "", "", "")
    if parts.scheme not in ("postgresql", "postgres"):
        raise SourceError(
            setting=SETTING,
            value="…(hidden)",
            problem="not the URL of a PostgreSQL database",
            remedy="Write it like postgresql://user:password@host:5432/litellm; encode '@', '/', ' ' in the password.",
        )
    return parts
