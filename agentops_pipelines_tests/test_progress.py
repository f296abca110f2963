"""A long load says how far it is: on a terminal in place, elsewhere by a line in the log, and never on stdout."""

import io
import logging
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from agentops_pipelines import progress
from agentops_pipelines.progress import counted, on_screen
from agentops_pipelines.sources.batches import Batch
from agentops_pipelines_tests.rows import batch, request
from agentops_pipelines_tests.state_dirs import write_state_dir

T = datetime(2026, 11, 23, 10)


def batches(number: int) -> Iterator[Batch]:
    for n in range(number):
        rows = batch(requests=[request(f"{n}-{m}", T) for m in range(1000)])
        yield Batch(tables=rows.tables, bytes_read=5_000)


class Clock:
    """A clock that a batch moves on by some seconds."""

    def __init__(self, step: float) -> None:
        self.now = 0.0
        self._step = step

    def __call__(self) -> float:
        self.now += self._step
        return self.now


def test_the_log_hears_of_a_long_load_every_ten_seconds(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert len(list(counted(batches(9), "openclaw pi", clock=Clock(4)))) == 9
    assert [record.getMessage() for record in caplog.records] == [
        "openclaw pi: 3,000 rows, 15,000 bytes read so far",
        "openclaw pi: 6,000 rows, 30,000 bytes read so far",
        "openclaw pi: 9,000 rows, 45,000 bytes read so far",
    ]


def test_a_short_load_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    list(counted(batches(3), "openclaw pi", clock=Clock(1)))
    assert not caplog.records


def test_a_terminal_hears_of_it_instead_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    shown: list[str] = []
    with on_screen(shown.append):
        list(counted(batches(3), "openclaw pi", clock=Clock(0.15)))
    assert shown == ["openclaw pi: 2,000 rows, 10,000 bytes read so far"]
    list(counted(batches(3), "openclaw pi", clock=Clock(5)))
    assert len(shown) == 1
    assert len(caplog.records) == 1


def test_a_batch_counts_when_it_is_in_the_warehouse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SCREEN_SECONDS", 0.0)
    shown: list[str] = []
    with on_screen(shown.append):
        loading = counted(batches(2), "x")
        next(loading)
        assert shown == []
        next(loading)
    assert shown == ["x: 1,000 rows, 5,000 bytes read so far"]


def test_the_command_shows_it_on_a_terminal_and_keeps_piped_output_clean(tmp_path: Path) -> None:
    """stderr is a terminal, stdout a pipe: the figures pass by on the one, only the report is in the other."""
    state_dir = write_state_dir(tmp_path / "openclaw", [datetime(2026, 11, 23, 9)])
    script = (
        "from agentops_pipelines import progress; progress.SCREEN_SECONDS = 0.0;"
        "from agentops_pipelines.cli import main; main(['run', '--week', '2026-W48'])"
    )
    leader, follower = pty.openpty()
    environment = {
        **os.environ,
        "AGENTOPS_HOME": str(tmp_path / "home"),
        "AGENTOPS_OPENCLAW_STATE_DIRS": f"[pi]={state_dir}",
        "TERM": "xterm",
        "COLUMNS": "120",
    }
    process = subprocess.Popen(
        [sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, stderr=follower, text=True
    )
    os.close(follower)
    seen = io.BytesIO()
    while True:
        try:
            piece = os.read(leader, 4096)
        except OSError:  # how a terminal ends
            break
        if not piece:
            break
        seen.write(piece)
    os.close(leader)
    assert process.stdout is not None
    printed = process.stdout.read()
    assert process.wait() == 0, seen.getvalue()
    assert b"rows, " in seen.getvalue()
    assert b"so far" in seen.getvalue()
    assert "so far" not in printed
    assert "\x1b" not in printed
    assert "Agent costs" in printed
