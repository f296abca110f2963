"""An OpenClaw state directory with calls at given moments, a known cost each: for tests of what comes after reading.

Belongs here: only that. Shapes of all storage eras are in openclaw_states.py.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agentops_pipelines_tests.openclaw_states import START, assistant, header, jsonl, usage, user

COST_PER_CALL = 0.25


def write_state_dir(path: Path, calls: Sequence[datetime], *, agent: str = "alec") -> Path:
    """One session of one agent with a turn at each moment (naive UTC)."""
    session_id = f"session-of-{agent}"
    lines = [header(session_id, minute=_minute(calls[0]))]
    for number, moment in enumerate(calls):
        spent = usage(1000, 100, 500, cost=COST_PER_CALL)
        lines.append(user(f"u{number}", minute=_minute(moment)))
        lines.append(
            assistant(f"a{number}", minute=_minute(moment) + 0.05, provider="openai", model="gpt-5.4", usage=spent)
        )
    sessions = path / "agents" / agent / "sessions"
    sessions.mkdir(parents=True)
    (sessions / f"{session_id}.jsonl").write_bytes(jsonl(lines))
    rows = {f"agent:{agent}:main": {"sessionId": session_id, "updatedAt": 1}}
    (sessions / "sessions.json").write_text(json.dumps(rows), encoding="utf-8")
    return path


def _minute(moment: datetime) -> float:
    return (moment.replace(tzinfo=UTC) - START) / timedelta(minutes=1)
