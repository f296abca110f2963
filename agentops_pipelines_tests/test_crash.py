"""A load killed at any moment loses nothing, doubles nothing, and never shows in the published file."""

import contextlib
import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest

from agentops_pipelines.warehouse import read_published
from agentops_pipelines_tests.crash_child import Failpoint, whole_load
from agentops_pipelines_tests.generate_state import generate

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["agentops_pipelines_tests.crash_child"])
RANDOM_KILLS = 20


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("state")
    generate(folder, sessions=12)
    return folder / "state"


def content(home: Path) -> dict[str, list]:
    """Row counts and hashes of every raw, core and mart table in the published file."""
    with read_published(home / "agentops.duckdb") as connection:
        names = connection.execute(
            "SELECT schema_name || '.' || table_name FROM duckdb_tables() "
            "WHERE schema_name IN ('raw', 'core', 'mart') ORDER BY 1"
        ).fetchall()
        return {
            name: connection.execute(f"SELECT count(*), CAST(sum(hash(t)) AS VARCHAR) FROM {name} t").fetchall()
            for (name,) in names
        }


@pytest.fixture(scope="module")
def undisturbed(state: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list]:
    home = tmp_path_factory.mktemp("home")
    whole_load(home, state)
    return content(home)


def load_in_child(
    home: Path, state: Path, *, failpoint: Failpoint | None = None, kill_after: float | None = None
) -> int | None:
    """Exit code of a process that loads, killed from outside after so many seconds."""
    process = CONTEXT.Process(target=whole_load, args=(home, state, failpoint))
    process.start()
    if kill_after is not None:
        time.sleep(kill_after)
        assert process.pid is not None
        with contextlib.suppress(ProcessLookupError):  # the load was faster
            os.kill(process.pid, signal.SIGKILL)
    process.join(60)
    return process.exitcode


COMMITS = (1, 2, 3, 12, 23)
"""Load, conf, the first tables, tables in the middle, the last ones."""


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    ("name", "call"),
    [*(("commit", call) for call in COMMITS), ("copy", 1), ("rename", 1), ("rename", 2)],
    ids=str,
)
def test_a_load_killed_at_a_failpoint_is_finished_by_the_next_run(
    tmp_path: Path, state: Path, undisturbed: dict, name: str, call: int, after: bool
) -> None:
    failpoint = Failpoint(name=name, call=call, after=after)
    assert load_in_child(tmp_path, state, failpoint=failpoint) == -signal.SIGKILL
    if (tmp_path / "agentops.duckdb").exists():
        assert content(tmp_path) == undisturbed, "the published file shows half a run"
    whole_load(tmp_path, state)
    assert content(tmp_path) == undisturbed


def test_loads_killed_at_random_moments_end_like_an_undisturbed_one(
    tmp_path: Path, state: Path, undisturbed: dict, capsys: pytest.CaptureFixture
) -> None:
    started = time.monotonic()
    assert load_in_child(tmp_path / "measure", state) == 0
    length = time.monotonic() - started
    dice = random.Random(7)
    killed: list[float] = []
    for n in range(RANDOM_KILLS):
        moment = dice.uniform(0, length)
        # Four homes only: each is killed again and again.
        if load_in_child(tmp_path / f"home{n % 4}", state, kill_after=moment) == -signal.SIGKILL:
            killed.append(moment)
    with capsys.disabled():
        print(f"\nkilled {len(killed)} of {RANDOM_KILLS} loads after s: " + " ".join(f"{m:.2f}" for m in killed))
    for n in range(4):
        whole_load(tmp_path / f"home{n}", state)
        assert content(tmp_path / f"home{n}") == undisturbed


def test_two_runs_at_once_take_turns(tmp_path: Path, state: Path, undisturbed: dict) -> None:
    processes = [CONTEXT.Process(target=whole_load, args=(tmp_path, state)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert content(tmp_path) == undisturbed
