"""Runs one step of a benchmark in a process of its own and says what the kernel counted. Imports nothing heavy."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one step took, and what it reported."""

    name: str
    wall_seconds: float
    cpu_seconds: float
    peak_mb: float
    report: dict[str, Any]


def measure(name: str, module: list[str]) -> Measured:
    """Run a module of this package with arguments; it prints its report as JSON."""
    command = [sys.executable, "-m", f"{__package__}.{module[0]}", *module[1:]]
    started = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        output = process.stdout.read() if process.stdout else ""
        # wait4 gives the usage of this one child; RUSAGE_CHILDREN would keep the highest peak of all so far.
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"step {name!r} failed with {process.returncode}")
    return Measured(
        name=name,
        wall_seconds=time.monotonic() - started,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_mb=usage.ru_maxrss / 1024,
        report=json.loads(output),
    )
