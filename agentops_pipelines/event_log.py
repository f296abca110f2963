"""Dagster's event log in SQLite, over connections that stay open.

Belongs here: how the log's files are connected to. Does not belong here: where Dagster's home is (dagster_home.py).

Dagster's own class opens and closes a file two or three times an event, and whoever closes a SQLite file last writes
its journal back: on a run of 90 assets that takes as long as the rest of the run. The files are the same, so either
class can go on with what the other wrote.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from dagster import StringSource
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.sql import create_engine
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import QueuePool

_MOST_OPEN = 8
"""A daemon meets a file a run; these many stay open."""


class PooledSqliteEventLogStorage(SqliteEventLogStorage):
    """The event log of a Dagster home: one file a run and an index, each connected to once.

    Set in dagster.yaml under `event_log_storage`, with `dagster_home` as its only setting.
    """

    def __init__(self, dagster_home: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        super().__init__(str(Path(dagster_home) / "history" / "runs"), inst_data)

    @classmethod
    def config_type(cls) -> dict[str, object]:
        """Dagster's declaration of the settings."""
        return {"dagster_home": StringSource}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, str]
    ) -> "PooledSqliteEventLogStorage":
        """Dagster's constructor."""
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.begin() as connection:
                yield connection

    def _engine(self, shard: str) -> Engine:
        if shard not in self._engines:
            self._engines[shard] = _pooled(self.conn_string_for_shard(shard))
            if len(self._engines) > _MOST_OPEN:
                self._engines.popitem(last=False)[1].dispose()
        self._engines.move_to_end(shard)
        return self._engines[shard]

    def wipe(self) -> None:
        """Delete all events; a file that is deleted must not stay open."""
        with self._db_lock:
            self._dispose_engines()
        super().wipe()

    def dispose(self) -> None:
        """Close all files."""
        super().dispose()
        self._dispose_engines()

    def _dispose_engines(self) -> None:
        while self._engines:
            self._engines.popitem()[1].dispose()


def _pooled(url: str) -> Engine:
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=1,
        connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def wait_less(connection: DBAPIConnection, record: object) -> None:
        # A crash of the program loses nothing; one of the machine may lose the last events, never the file.
        del record
        connection.cursor().execute("PRAGMA synchronous=NORMAL")

    return engine
