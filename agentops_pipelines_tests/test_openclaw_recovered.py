"""Calls whose transcript OpenClaw has deleted, found in the trajectory that it left behind."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from agentops_pipelines_tests.openclaw_states import (
    ARCHIVED_AT,
    Home,
    Line,
    Memory,
    assistant,
    dumps,
    header,
    run_events,
    tool_result,
    usage,
    user,
)

KEY = "agent:main:cron:j1:run:1795185594437"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(path=tmp_path / "state")
    home.sessions()
    return home


def _read(home: Home, scratch: Path, memory: Memory | None = None) -> Memory:
    memory = memory or Memory()
    memory.read(home.path, scratch=scratch)
    return memory


def _told(memory: Memory) -> list[tuple[Any, ...]]:
    return [
        (row["response_id"], row["run_id"], row["origin"])
        for row in sorted(memory.calls, key=lambda row: row["started_at"])
    ]


FIRST: list[Line] = [
    user("u1", "[OpenClaw heartbeat poll]", minute=1.02),
    assistant(
        "a1", [{"type": "toolCall", "id": "c", "name": "exec", "arguments": {}}], minute=1.05, stopReason="toolUse"
    ),
    tool_result("t1", minute=1.08),
    assistant("a2", "HEARTBEAT_OK", minute=1.12),
]
SECOND: list[Line] = [*FIRST, user("u2", minute=5.02), assistant("a3", "A long answer", minute=5.05)]
EVENTS = [
    *run_events("s1", "r1", key=KEY, trigger="heartbeat", messageProvider="cron-event", minute=1, said=FIRST),
    *run_events("s1", "r2", key=KEY, minute=5, said=SECOND),
]


def test_each_call_is_found_once_in_its_own_run(home: Home, tmp_path: Path) -> None:
    """The second run's event repeats what was said in the first."""
    home.write("s1.trajectory.jsonl", EVENTS)
    memory = _read(home, tmp_path)
    assert _told(memory) == [
        ("chatcmpl-a1", "r1", "trajectory"),
        ("chatcmpl-a2", "r1", "trajectory"),
        ("chatcmpl-a3", "r2", "trajectory"),
    ]
    first, second, _ = sorted(memory.calls, key=lambda row: row["started_at"])
    assert (first["started_at"], first["written_at"]) == (
        datetime(2026, 11, 23, 8, 1, 2, 400_000),
        datetime(2026, 11, 23, 8, 1, 4, 800_000),  # when the tool's result came
    )
    assert second["written_at"] == datetime(2026, 11, 23, 8, 1, 12)  # when the model was done
    assert (first["tool_calls"], second["poll_phrase"], second["reply_chars"]) == (1, "HEARTBEAT_OK", 12)
    assert (second["input_tokens"], second["cache_read_tokens"], second["estimate_usd"]) == (10, 100, 0.25)
    assert not memory.quarantine
    assert memory.read(home.path, scratch=tmp_path) == []


@pytest.mark.parametrize("name", ["s1.jsonl", f"s1.jsonl.reset.{ARCHIVED_AT}", f"s1.jsonl.deleted.{ARCHIVED_AT}.zst"])
def test_nothing_is_taken_from_a_trajectory_while_its_transcript_is_there(
    home: Home, tmp_path: Path, name: str
) -> None:
    home.write("s1.trajectory.jsonl", EVENTS)
    (home.write_packed if name.endswith(".zst") else home.write)(name, [header("s1"), *SECOND])
    memory = _read(home, tmp_path)
    assert len(memory.calls) == 3
    assert "trajectory" not in {row["origin"] for row in memory.calls}


def test_a_run_that_is_still_going_is_taken_when_the_rest_of_it_is_there(home: Home, tmp_path: Path) -> None:
    path = home.write("s1.trajectory.jsonl", EVENTS[:6])
    memory = _read(home, tmp_path)
    assert [response for response, _, _ in _told(memory)] == ["chatcmpl-a1", "chatcmpl-a2"]
    home.append(path, EVENTS[6:])
    assert [run for _, run, _ in _told(_read(home, tmp_path, memory))] == ["r1", "r1", "r2"]


def test_what_is_no_call_or_cannot_be_told_apart_is_left_alone(home: Home, tmp_path: Path) -> None:
    """Failed calls have no response id; mirrored replies are none; impossible usage is quarantined."""
    failed = assistant("f", "", minute=1.1, stopReason="error", usage=usage(0, 0, 0, 0, 0), responseId=None)
    mirror = assistant("m", "copy", minute=1.1, provider="openclaw", model="delivery-mirror")
    wrong = assistant("w", "x", minute=1.1, usage=usage(-5))
    timeless = assistant("n", "x", timestamp="yesterday")
    said = [*FIRST, failed, mirror, wrong, timeless, {"message": "no message"}, {"message": None}]
    events = run_events("s1", "r1", key=KEY, minute=1, said=said)
    home.write("s1.trajectory.jsonl", [*events, dumps(events[2])[:-9], run_events("s1", "r1", said=())[2]])
    memory = _read(home, tmp_path)
    assert [response for response, _, _ in _told(memory)] == ["chatcmpl-a1", "chatcmpl-a2"]
    assert sorted(memory.quarantine.values()) == ["broken_json", "negative_tokens"]


def test_an_event_without_messages_holds_no_call(home: Home, tmp_path: Path) -> None:
    events = run_events("s1", "r1", key=KEY, minute=1)
    del events[2]["data"]["messagesSnapshot"]
    home.write("s1.trajectory.jsonl", events)
    memory = _read(home, tmp_path)
    assert len(memory.runs) == 1
    assert not memory.calls
    assert not memory.quarantine
