"""Starts the Dagster UI and the daemon that runs the schedule, and ends both.

Belongs here: processes and their logs. Does not belong here: what they show (defs/).

`dagster dev` is not used: it leaves its children behind when it is told to stop. Each program runs in a process group
of its own, which is ended as a whole.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from urllib.error import URLError
from urllib.request import urlopen

from agentops_pipelines.dagster_home import WORKSPACE, make_storage
from agentops_pipelines.settings import Settings

HOST = "127.0.0.1"
START_SECONDS = 180.0
STOP_SECONDS = 10.0


class DevError(Exception):
    """The UI or the daemon cannot start, or ended; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class _Program:
    name: str
    process: subprocess.Popen[bytes]
    log: Path


class _Stop(Exception):
    """SIGTERM or SIGINT came."""


def serve(settings: Settings, *, port: int, say: Callable[[str], None]) -> None:
    """Run UI and daemon until Ctrl-C or SIGTERM. Raises DevError when one of them cannot run."""
    _require_free(port)
    logs = settings.home / "logs"
    say(f"Starting Dagster (logs are in {logs}) ...")
    make_storage(settings.home)
    # dagster.yaml turns telemetry off, yet the webserver still uploads whatever lies in DAGSTER_HOME/logs: this ends
    # that thread as well, and our logs are elsewhere.
    environ = {**os.environ, "DAGSTER_DISABLE_TELEMETRY": "yes"}
    if settings.demo:
        environ["AGENTOPS_DEMO"] = "1"
    commands = {
        "webserver": ("-m", "dagster_webserver", "-h", HOST, "-p", str(port), "-w", str(WORKSPACE)),
        "daemon": ("-m", "dagster._daemon", "run", "-w", str(WORKSPACE)),
    }
    with _signals_stop(), ExitStack() as stack:
        try:
            programs = [
                stack.enter_context(_running(name, arguments, environ=environ, logs=logs))
                for name, arguments in commands.items()
            ]
            url = f"http://{HOST}:{port}"
            _wait_until_up(url, programs)
            say(f"Dagster is at {url}. Ctrl-C ends it.")
            _watch(programs)
        except _Stop:
            say("Ending Dagster ...")


@contextmanager
def _signals_stop() -> Iterator[None]:
    """Turn the first SIGINT or SIGTERM into _Stop, and let no second one disturb the ending."""

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        for one in (signal.SIGINT, signal.SIGTERM):
            signal.signal(one, signal.SIG_IGN)
        raise _Stop

    before = {one: signal.signal(one, stop) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


@contextmanager
def _running(name: str, arguments: Sequence[str], *, environ: dict[str, str], logs: Path) -> Iterator[_Program]:
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and arguments
            [sys.executable, *arguments],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield _Program(name=name, process=process, log=log)
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the program and all its children: politely, then for good."""
    for number, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, None)):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def _wait_until_up(url: str, programs: Sequence[_Program]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        _require_alive(programs)
        try:
            with urlopen(f"{url}/server_info", timeout=5):  # noqa: S310 - our own address
                return
        except (URLError, OSError):
            time.sleep(0.2)
    raise DevError(f"the Dagster UI did not answer within {START_SECONDS:.0f} s; see {programs[0].log}")


def _watch(programs: Sequence[_Program]) -> None:
    while True:
        _require_alive(programs)
        time.sleep(0.5)


def _require_alive(programs: Sequence[_Program]) -> None:
    for program in programs:
        if program.process.poll() is not None:
            raise DevError(f"the Dagster {program.name} ended ({program.process.returncode}); see {program.log}")


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise DevError(f"port {port} is in use; choose another one with --port") from error
