"""A whole load in a process of its own that can be told to die at a failpoint. Used by test_crash.py.

Children come from a fork server that has only imported this module: a fork of the test process would inherit locks of
the threads that DuckDB and polars run.
"""

import os
import resource
import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from agentops_pipelines import warehouse as warehouse_module
from agentops_pipelines.conf import write_conf_tables
from agentops_pipelines.settings import StateDir, load_settings
from agentops_pipelines.sources.openclaw.reader import ReadRules, read_state_dir
from agentops_pipelines.warehouse import Warehouse, WarehouseUnwritable, Writer
from agentops_pipelines_tests.world import AS_OF, make_settings, tables

NOW: datetime = AS_OF


@dataclass(frozen=True, kw_only=True)
class Failpoint:
    """Where to die: at the n-th call of a commit, a copy or a rename, before or after it has done its work."""

    name: str
    call: int
    after: bool


def whole_load(home: Path, state: Path, failpoint: Failpoint | None = None) -> None:
    """What a run does to the warehouse: load a state directory, rebuild every table, publish."""
    if failpoint is not None:
        _arm(failpoint)
    with Warehouse(home).locked("a run") as locked:
        with locked.connect() as writer:
            batches = read_state_dir(
                StateDir(host="local", path=state),
                ledger=writer.ledger("openclaw"),
                rules=ReadRules(empty_poll_phrases=()),
                scratch=home / "scratch",
            )
            writer.load("openclaw", batches, scope="local", observed_at=NOW)
            write_conf_tables(writer, make_settings(home), as_of=NOW)
            for table in tables().values():
                writer.run_table(table)
        locked.publish()


def litellm_load(environ: dict[str, str], now: datetime, failpoint: Failpoint | None = None) -> None:
    """What a run does with LiteLLM, as the settings in `environ` say."""
    from agentops_pipelines.defs.ingest import load_parts, warehouse_of
    from agentops_pipelines.defs.litellm import proxy_parts

    if failpoint is not None:
        _arm(failpoint)
    settings = load_settings(environ)
    loaded = load_parts(warehouse_of(settings), "litellm", proxy_parts(settings, now=now), observed_at=now)
    assert loaded.problems == []


UNWRITABLE = 77
"""Exit code of a load that said that nothing can be written."""


def load_on_a_full_disk(home: Path, state: Path, largest_file: int) -> None:
    """A whole load where no file can grow beyond so many bytes."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    _load_or_say_so(home, state)


def load_without_rights(home: Path, state: Path) -> None:
    """A whole load by a user for whom file modes count: root may write anywhere."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    _load_or_say_so(home, state)


def _load_or_say_so(home: Path, state: Path) -> None:
    try:
        whole_load(home, state)
    except WarehouseUnwritable as problem:
        # What a person is to do stands in the message, and where.
        os._exit(UNWRITABLE if f"{home} cannot be written" in str(problem) else 1)


def number_of_calls(name: str, home: Path, state: Path) -> int:
    """How many failpoints of a name an undisturbed load passes. Only in a process of its own."""
    calls = 0

    def count(function: Callable) -> Callable:
        def counting(*args: object, **kwargs: object) -> object:
            nonlocal calls
            calls += 1
            return function(*args, **kwargs)

        return counting

    _wrap(name, count)
    whole_load(home, state)
    return calls


class _DyingConnection:
    """A DuckDB connection whose COMMIT dies."""

    def __init__(self, connection: object, die: Callable[[Callable], Callable]) -> None:
        self._connection = connection
        self._execute = connection.execute  # type: ignore[attr-defined]
        self._commit = die(self._execute)

    def execute(self, sql: str, *args: object) -> object:
        return (self._commit if sql == "COMMIT" else self._execute)(sql, *args)

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)


def _arm(failpoint: Failpoint) -> None:
    left = failpoint.call

    def die(function: Callable) -> Callable:
        def dying(*args: object, **kwargs: object) -> object:
            nonlocal left
            left -= 1
            if left == 0 and not failpoint.after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = function(*args, **kwargs)
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return dying

    _wrap(failpoint.name, die)


def _wrap(name: str, wrap: Callable[[Callable], Callable]) -> None:
    if name == "commit":
        original = Writer.__init__
        Writer.__init__ = lambda self, con: original(self, _DyingConnection(con, wrap))  # type: ignore[method-assign,arg-type]
    elif name == "copy":
        warehouse_module._copy_durably = wrap(warehouse_module._copy_durably)
    else:
        Path.replace = wrap(Path.replace)  # type: ignore[method-assign]
