"""A load killed at any moment loses nothing, doubles nothing, and never shows in the published file.

By default some failpoints one after the other in few homes, 12 random moments and one kill of the real command. With
AGENTOPS_THOROUGH=1: before and after every single commit, copy and rename, each in a home of its own, 50 random moments
and 10 kills of the real command.
"""

import contextlib
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from agentops_pipelines.warehouse import read_published
from agentops_pipelines_tests.crash_child import (
    UNWRITABLE,
    Failpoint,
    load_on_a_full_disk,
    load_without_rights,
    number_of_calls,
    whole_load,
)
from agentops_pipelines_tests.generate_state import generate
from agentops_pipelines_tests.state_dirs import write_state_dir

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["agentops_pipelines_tests.crash_child"])
IS_THOROUGH = os.environ.get("AGENTOPS_THOROUGH", "") == "1"
RANDOM_KILLS = 50 if IS_THOROUGH else 12
COMMAND_KILLS = 10 if IS_THOROUGH else 1

only_thorough = pytest.mark.skipif(not IS_THOROUGH, reason="AGENTOPS_THOROUGH=1 is not set")


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("state")
    generate(folder, sessions=12)
    return folder / "state"


def content(home: Path) -> dict[str, list]:
    """Row counts and hashes of every raw, core and mart table in the published file."""
    with read_published(home / "agentops.duckdb") as connection:
        names = connection.execute(
            "SELECT table_schema || '.' || table_name FROM information_schema.tables "
            "WHERE table_schema IN ('raw', 'core', 'mart') ORDER BY 1"
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


def in_child(function: Callable[..., object], *args: object, kill_after: float | None = None) -> int | None:
    """Exit code of a process that calls a function, killed from outside after so many seconds."""
    process = CONTEXT.Process(target=function, args=args)
    process.start()
    if kill_after is not None:
        time.sleep(kill_after)
        assert process.pid is not None
        with contextlib.suppress(ProcessLookupError):  # the load was faster
            os.kill(process.pid, signal.SIGKILL)
    process.join(60)
    return process.exitcode


def points(name: str, *calls: int) -> list[Failpoint]:
    return [Failpoint(name=name, call=call, after=after) for call in calls for after in (False, True)]


IN_A_ROW = {
    "commits": [*points("commit", 1), *points("commit", 12)],
    "publishing": [*points("copy", 1), *points("rename", 1), *points("rename", 2)],
}
"""The first rows and a table in the middle; the copy, its new name and the daily's."""


@pytest.mark.parametrize("name", IN_A_ROW)
def test_loads_killed_again_and_again_are_finished_by_the_next_run(
    tmp_path: Path, state: Path, undisturbed: dict, name: str
) -> None:
    for failpoint in IN_A_ROW[name]:
        assert in_child(whole_load, tmp_path, state, failpoint) == -signal.SIGKILL, failpoint
        if (tmp_path / "agentops.duckdb").exists():
            assert content(tmp_path) == undisturbed, f"the published file shows half a run: {failpoint}"
    whole_load(tmp_path, state)
    assert content(tmp_path) == undisturbed


@only_thorough
@pytest.mark.parametrize("name", ["commit", "copy", "rename"])
def test_a_load_killed_before_or_after_every_single_step_is_finished_by_the_next_run(
    tmp_path: Path, state: Path, undisturbed: dict, name: str
) -> None:
    with CONTEXT.Pool(1) as pool:
        count = pool.apply(number_of_calls, (name, tmp_path / "count", state))
    assert count > 0
    for failpoint in points(name, *range(1, count + 1)):
        home = tmp_path / f"{failpoint.call}{failpoint.after}"
        assert in_child(whole_load, home, state, failpoint) == -signal.SIGKILL, failpoint
        if (home / "agentops.duckdb").exists():
            assert content(home) == undisturbed, failpoint
        whole_load(home, state)
        assert content(home) == undisturbed, failpoint
        shutil.rmtree(home)


def test_loads_killed_at_random_moments_end_like_an_undisturbed_one(
    tmp_path: Path, state: Path, undisturbed: dict, capsys: pytest.CaptureFixture
) -> None:
    started = time.monotonic()
    assert in_child(whole_load, tmp_path / "measure", state) == 0
    length = time.monotonic() - started
    dice = random.Random(7)
    killed: list[float] = []
    for n in range(RANDOM_KILLS):
        moment = dice.uniform(0, length)
        # Two homes only: each is killed again and again.
        if in_child(whole_load, tmp_path / f"home{n % 2}", state, kill_after=moment) == -signal.SIGKILL:
            killed.append(moment)
    with capsys.disabled():
        print(f"\nkilled {len(killed)} of {RANDOM_KILLS} loads after s: " + " ".join(f"{m:.2f}" for m in killed))
    for n in range(2):
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


def test_a_full_disk_is_said_and_costs_nothing(tmp_path: Path, state: Path, undisturbed: dict) -> None:
    """Full at once, in the middle of the load, and when the tables are published."""
    assert in_child(load_on_a_full_disk, tmp_path, state, 20_000) == UNWRITABLE
    assert not (tmp_path / "agentops.duckdb").exists()
    whole_load(tmp_path, state)
    size = (tmp_path / "warehouse.duckdb").stat().st_size
    before = (tmp_path / "agentops.duckdb").read_bytes()
    for largest_file in (100_000, size - 300_000):
        assert in_child(load_on_a_full_disk, tmp_path, state, largest_file) == UNWRITABLE, largest_file
        assert (tmp_path / "agentops.duckdb").read_bytes() == before
    whole_load(tmp_path, state)
    assert content(tmp_path) == undisturbed


def test_a_home_that_cannot_be_written_is_said_and_costs_nothing(
    tmp_path: Path, state: Path, undisturbed: dict
) -> None:
    home = tmp_path / "home"
    whole_load(home, state)
    before = (home / "agentops.duckdb").read_bytes()
    for path in (tmp_path, *tmp_path.parents):
        if path.stat().st_uid == os.getuid() and path != Path("/"):
            path.chmod(path.stat().st_mode | 0o055)
    home.chmod(0o500)
    assert in_child(load_without_rights, home, state) == UNWRITABLE
    assert (home / "agentops.duckdb").read_bytes() == before
    home.chmod(0o700)
    whole_load(home, state)
    assert content(home) == undisturbed


def test_the_command_killed_or_out_of_space_goes_on_next_time_by_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """No daemon runs, nobody cleans up: the next `agentops run` finishes."""
    moments = [datetime(2026, 11, 23, hour) for hour in range(9, 18)]
    home = tmp_path / "home"
    environment = {
        **os.environ,
        "AGENTOPS_HOME": str(home),
        "AGENTOPS_OPENCLAW_STATE_DIRS": str(write_state_dir(tmp_path / "openclaw", moments)),
    }
    command = [sys.executable, "-m", "agentops_pipelines", "run", "--week", "2026-W48"]

    def run(*, is_disk_full: bool = False) -> subprocess.CompletedProcess[str]:
        prefix = ["sh", "-c", 'ulimit -f 14000; trap "" XFSZ; exec "$@"', "sh"] if is_disk_full else []
        return subprocess.run([*prefix, *command], env=environment, capture_output=True, text=True, check=False)

    dice = random.Random(11)
    killed: list[float] = []
    for _ in range(COMMAND_KILLS):
        moment = dice.uniform(1.5, 5.0)
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(moment)
        process.kill()
        if process.wait() == -signal.SIGKILL:
            killed.append(moment)
    with capsys.disabled():
        print(f"\nkilled {len(killed)} of {COMMAND_KILLS} commands after s: " + " ".join(f"{m:.2f}" for m in killed))
    full = run(is_disk_full=True)
    assert full.returncode == 1
    assert f"{home} cannot be written (File too large). Free some space" in full.stderr
    assert "Traceback" not in full.stderr
    finished = run()
    assert finished.returncode == 0, finished.stderr
    with read_published(home / "agentops.duckdb") as connection:
        assert connection.execute("SELECT count(*) FROM core.calls").fetchall() == [(len(moments),)]
