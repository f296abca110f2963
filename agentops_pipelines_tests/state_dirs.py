"""Small OpenClaw state directories on disk, of the first storage era: calls at given moments, a known cost each.

Belongs here: the least that the reader needs. Recorded state directories are under data/.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

COST_PER_CALL = 0.25


def write_state_dir(path: Path, calls: Sequence[datetime], *, agent: str = "alec") -> Path:
    """One session of one agent with a turn at each moment (naive UTC)."""
    sessions = path / "agents" / agent / "sessions"
    sessions.mkdir(parents=True)
    session_id = f"5e551000-0000-4000-8000-{len(agent):012d}"
    lines: list[dict[str, object]] = [
        {"type": "session", "version": 3, "id": session_id, "timestamp": _iso(calls[0]), "cwd": "/"}
    ]
    for number, moment in enumerate(calls):
        lines.append(_line(f"u{number}", moment, {"role": "user", "content": [{"type": "text", "text": "hello"}]}))
        lines.append(_line(f"a{number}", moment + timedelta(seconds=3), _answer(number, moment)))
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (sessions / f"{session_id}.jsonl").write_text(text, encoding="utf-8")
    rows = {f"agent:{agent}:main": {"sessionId": session_id, "updatedAt": _milliseconds(calls[-1])}}
    (sessions / "sessions.json").write_text(json.dumps(rows), encoding="utf-8")
    return path


def _line(line_id: str, moment: datetime, message: dict[str, object]) -> dict[str, object]:
    return {"type": "message", "id": line_id, "parentId": None, "timestamp": _iso(moment), "message": message}


def _answer(number: int, moment: datetime) -> dict[str, object]:
    return {
        "role": "assistant",
        "content": [{"type": "text", "text": "done"}],
        "api": "openai-completions",
        "provider": "openai",
        "model": "gpt-5.4",
        "usage": {
            "input": 1000,
            "output": 100,
            "cacheRead": 500,
            "cacheWrite": 0,
            "totalTokens": 1600,
            "cost": {"input": 0.1, "output": 0.1, "cacheRead": 0.05, "cacheWrite": 0, "total": COST_PER_CALL},
        },
        "stopReason": "stop",
        "timestamp": _milliseconds(moment),
        "responseId": f"chatcmpl-{number}",
    }


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds") + "Z"


def _milliseconds(moment: datetime) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp() * 1000)
