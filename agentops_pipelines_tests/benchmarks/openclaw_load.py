"""What loading an OpenClaw state directory costs: `python -m agentops_pipelines_tests.benchmarks.openclaw_load`.

Each step runs in a process of its own; CPU seconds and peak memory are the kernel's figures of that process. "Net" is
without Python's start and the imports, which are measured alone. The scale to compare with is a bare scan of the same
bytes in the same run. Without --state a directory is generated (and deleted afterwards); one that is given is copied,
because a step appends to it.

This process imports nothing heavy: the kernel counts the memory of the process that starts another as that one's too.
"""

import argparse
import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from agentops_pipelines_tests.benchmarks.measure import Measured, measure

APPENDED_SESSIONS = 100


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Measure the load of an OpenClaw state directory into DuckDB.")
    parser.add_argument("--state", type=Path, help="what generate_state wrote (state/ and truth.json)")
    parser.add_argument("--sessions", type=int, default=2_000)
    parser.add_argument("--sqlite", action="store_true", help="generate OpenClaw 2026.9 instead of 2026.6")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="openclaw-load-") as folder:
        work = Path(folder)
        if arguments.state:
            shutil.copytree(arguments.state, work, dirs_exist_ok=True)
        else:
            era = ["--sqlite"] if arguments.sqlite else []
            command = [sys.executable, "-m", "agentops_pipelines_tests.generate_state", str(work), *era]
            subprocess.run([*command, "--sessions", str(arguments.sessions)], check=True)
        _run(work, Console(width=120))


def _run(work: Path, console: Console) -> None:
    load = ["load_once", str(work)]
    scan = measure("bare scan", ["bare_scan", str(work / "state")])
    start = measure("start and imports", ["load_once"])
    cold = measure("cold load", load)
    again = measure("nothing changed", load)
    truth = json.loads((work / "truth.json").read_text(encoding="utf-8"))
    added = _append(work / "state", sessions=APPENDED_SESSIONS)
    appended = measure(f"{APPENDED_SESSIONS} of {truth['sessions']:,} appended", load)
    console.print(_table([scan, start, cold, again, appended], start=start))
    console.print(f"appended: {added:,} bytes in {APPENDED_SESSIONS} sessions")
    problems = _differences(truth, cold.report)
    console.print("totals equal the truth" if not problems else "totals differ from the truth: " + "; ".join(problems))
    if problems:
        sys.exit(1)


def _table(steps: list[Measured], *, start: Measured) -> Table:
    scan = steps[0]
    table = Table(title=f"{scan.report['bytes']:,} bytes in {scan.report['files']:,} files")
    for column in ("step", "wall s", "CPU s", "net CPU s", "x scan", "peak MB", "bytes read", "rows", "refused"):
        table.add_column(column, justify="left" if column == "step" else "right", no_wrap=True)
    for step in steps:
        net = step.cpu_seconds if step in (scan, start) else step.cpu_seconds - start.cpu_seconds
        table.add_row(
            step.name,
            f"{step.wall_seconds:.2f}",
            f"{step.cpu_seconds:.2f}",
            f"{net:.2f}",
            f"{net / scan.cpu_seconds:.1f}",
            f"{step.peak_mb:,.0f}",
            f"{step.report.get('bytes', 0):,}",
            f"{step.report.get('rows', 0):,}",
            f"{step.report.get('quarantined', 0):,}",
        )
    return table


def _differences(truth: dict[str, Any], found: dict[str, Any]) -> list[str]:
    expected = {name: truth[name] for name in ("calls", "tokens")}
    differences = [
        f"{name} {found[name]} instead of {value}" for name, value in expected.items() if found[name] != value
    ]
    if found["quarantined"] != truth["traps"].get("torn_lines", 0):
        differences.append(f"{found['quarantined']} lines refused")
    if abs(found["cost_usd"] - truth["cost_usd"]) > 1e-6:
        differences.append(f"cost {found['cost_usd']} instead of {truth['cost_usd']}")
    return differences


def _append(state: Path, *, sessions: int) -> int:
    """Let so many sessions go on by one call each. Returns the bytes added."""
    transcripts = sorted(state.glob("agents/*/sessions/*.jsonl"))
    if transcripts:
        return sum(map(_append_to_file, _spread(transcripts, sessions)))
    databases = sorted(state.glob("agents/*/agent/*.sqlite"))
    return sum(_append_to_database(path, sessions=sessions // len(databases)) for path in databases)


def _append_to_file(path: Path) -> int:
    line = _line(path.stem)
    # A crash may have cut the last line short: what is appended must begin on a line of its own.
    torn = not path.read_bytes().endswith(b"\n")
    with path.open("ab") as stream:
        return stream.write((b"\n" if torn else b"") + line.encode() + b"\n")


def _append_to_database(path: Path, *, sessions: int) -> int:
    with closing(sqlite3.connect(path)) as database:
        ends = database.execute(
            "SELECT session_id, max(seq) FROM transcript_events GROUP BY session_id ORDER BY session_id"
        ).fetchall()
        rows = [(session_id, seq + 1, _line(session_id), 0) for session_id, seq in _spread(ends, sessions)]
        database.executemany(
            "INSERT INTO transcript_events (session_id, seq, event_json, created_at) VALUES (?, ?, ?, ?)", rows
        )
        database.commit()
    return sum(len(row[2]) for row in rows)


def _spread(items: list[Any], count: int) -> list[Any]:
    """So many of the items, evenly spread."""
    return items[:: max(1, len(items) // count)][:count]


def _line(session_id: str) -> str:
    usage = {"input": 100, "output": 10, "cacheRead": 0, "cacheWrite": 0, "totalTokens": 110}
    message = {
        "role": "assistant",
        "content": [{"type": "text", "text": "…"}],
        "provider": "litellm",
        "model": "triage",
        "usage": usage,
        "stopReason": "stop",
        "responseId": f"appended-{session_id}",
    }
    line = {"type": "message", "id": "appended", "parentId": None, "timestamp": "2026-11-24T07:00:00.000Z"}
    return json.dumps({**line, "message": message}, separators=(",", ":"), ensure_ascii=False)


if __name__ == "__main__":
    main()
