"""SQLite databases of a running OpenClaw, read without touching them.

Belongs here: the safe copy, and what of an agent's database is new. Does not belong here: what an event means.

A database is never opened where it lies: even a read-only connection creates files beside a WAL database. The main
file and its log are copied; when the main file is the same before and after, the copy is a state that the database
really was in, because a log that is cut off anywhere ends with its last complete transaction.
"""

import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

DAMAGE = (sqlite3.DatabaseError, UnicodeDecodeError)
"""What reading a damaged database raises; the second where Python cannot decode SQLite's message about it."""

ATTEMPTS = 4
_PAUSE_SECONDS = 0.1
_LOGS = ("-wal", "-journal")


class UnusableDatabaseError(Exception):
    """The database cannot be read now. `reason` is from problems.REASONS."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, kw_only=True)
class Copy:
    """An open copy of a database. Texts come as bytes: they need not be UTF-8."""

    connection: sqlite3.Connection
    tables: dict[str, frozenset[str]]
    """Columns of each table."""
    size: int
    """Bytes copied."""
    is_sound: bool
    """What SQLite's quick check says."""


def stamp_of(path: str) -> str:
    """Size and time of a database and its log: what changes with every commit."""
    return " ".join(_stamp(path + suffix) for suffix in ("", *_LOGS))


@contextmanager
def open_copy(path: str, *, scratch: Path) -> Iterator[Copy]:
    """A consistent copy, deleted afterwards. Raises UnusableDatabaseError, or OSError when it cannot be written."""
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="openclaw-", dir=scratch) as folder:
        target = f"{folder}/copy.sqlite"
        size = _copy(path, target)
        with closing(sqlite3.connect(target)) as connection:
            connection.text_factory = bytes
            yield Copy(connection=connection, tables=_tables(connection), size=size, is_sound=_is_sound(connection))


def _copy(path: str, target: str) -> int:
    for attempt in range(ATTEMPTS):
        before = stamp_of(path)
        main_before = _stamp(path)
        size = 0
        for suffix in ("", *_LOGS):
            size += _copy_file(path + suffix, target + suffix)
        is_last = attempt == ATTEMPTS - 1
        # A busy agent writes its log all the time: in the end an unchanged main file is enough.
        if stamp_of(path) == before or (is_last and _stamp(path) == main_before):
            return size
        time.sleep(_PAUSE_SECONDS * (attempt + 1))
    raise UnusableDatabaseError("sqlite_keeps_changing")


def _copy_file(source: str, target: str) -> int:
    try:
        shutil.copyfile(source, target)
    except FileNotFoundError:
        Path(target).unlink(missing_ok=True)
        return 0
    return Path(target).stat().st_size


def _stamp(path: str) -> str:
    try:
        status = Path(path).stat()
    except FileNotFoundError:
        return "-"
    return f"{status.st_size}:{status.st_mtime_ns}"


def _tables(connection: sqlite3.Connection) -> dict[str, frozenset[str]]:
    try:
        names = [
            name.decode("utf-8", "replace")
            for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        ]
        return {
            name: frozenset(
                row[1].decode("utf-8", "replace") for row in connection.execute(f"PRAGMA table_info({_quoted(name)})")
            )
            for name in names
        }
    except DAMAGE:
        raise UnusableDatabaseError("corrupt_sqlite") from None


def _is_sound(connection: sqlite3.Connection) -> bool:
    # OpenClaw's CHECK constraints use functions that an older SQLite does not have; they are not what is in question.
    connection.execute("PRAGMA ignore_check_constraints = ON")
    try:
        return connection.execute("PRAGMA quick_check(1)").fetchall() == [(b"ok",)]
    except DAMAGE:
        return False


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
