"""The sessions of the story as the sample's two machines keep them.

Belongs here: which file or table a transcript, a trajectory and a session row are kept in: atlas runs OpenClaw 2026.6
(files), borealis 2026.9 (a database for each agent). Cron, sub-agent runs and configuration are openclaw_state.py's.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

from agentops_pipelines.demo.company import AGENTS, DAY, LAST, SECOND, Agent
from agentops_pipelines.demo.files import Compressed, File, Row, json_lines, json_text, script
from agentops_pipelines.demo.openclaw_shapes import (
    AGENT_SCHEMA_VERSION,
    AGENT_TABLES,
    compressed_event,
    file_stamp,
    navigation,
)
from agentops_pipelines.demo.records import Session
from agentops_pipelines.demo.story import Story


def session_files(story: Story) -> Iterator[File]:
    """Every agent's sessions, as paths below the sample's root."""
    for agent in AGENTS.values():
        sessions = [session for session in story.agents.sessions if session.agent is agent]
        yield from _agent_in_files(agent, sessions) if agent.host == "atlas" else _agent_in_tables(agent, sessions)


def _agent_in_files(agent: Agent, sessions: list[Session]) -> Iterator[File]:
    folder = f"atlas/agents/{agent.name}/sessions"
    for session in sessions:
        changed_at = session.busy_until // SECOND
        stem = f"{folder}/{session.session_id}"
        ending = f".{session.ended_as}.{file_stamp(session.ended_at)}" if session.ended_as else ""
        yield File(path=f"{stem}.jsonl{ending}", content=json_lines(session.transcript.lines), changed_at=changed_at)
        yield File(path=f"{stem}.trajectory.jsonl", content=json_lines(session.runs), changed_at=changed_at)
    rows = {key: _entry(session) for key, session in _current(sessions).items() if not _is_forgotten(session)}
    yield File(path=f"{folder}/sessions.json", content=json_text(rows).encode())


def _current(sessions: Iterable[Session]) -> dict[str, Session]:
    """The session each key points at."""
    return {session.key: session for session in sessions if not session.ended_as}


def _is_forgotten(session: Session) -> bool:
    """Rows of cron runs are dropped after a day; their transcripts stay."""
    return ":cron:" in session.key and session.busy_until < LAST - DAY


def _entry(session: Session) -> dict[str, Any]:
    """A session row. As in the real thing its counters are those of the last run only."""
    usage = session.last_usage
    entry: dict[str, Any] = {
        "sessionId": session.session_id,
        "updatedAt": session.busy_until,
        "sessionStartedAt": session.transcript.started_at,
        "lastInteractionAt": session.busy_until,
        "model": session.model,
        "modelProvider": "litellm",
        "inputTokens": usage.input,
        "outputTokens": usage.output,
        "cacheRead": usage.cache_read,
        "cacheWrite": usage.cache_write,
        "totalTokens": session.context,
        "totalTokensFresh": True,
        "compactionCount": session.compactions,
        "status": session.status,
    }
    optional = {
        "label": _label(session),
        "channel": session.channel,
        "chatType": session.chat_type,
        "spawnedBy": session.spawned_by,
        "hookExternalContentSource": session.hook_source if session.agent.host == "borealis" else "",
    }
    return entry | {name: value for name, value in optional.items() if value}


def _label(session: Session) -> str:
    if session.label and ":cron:" in session.key:
        return f"{'Automation' if session.agent.host == 'borealis' else 'Cron'}: {session.label}"
    return session.label


def _agent_in_tables(agent: Agent, sessions: list[Session]) -> Iterator[File]:
    rows: dict[str, list[Row]] = {table: [] for table in AGENT_TABLES}
    for key, session in _current(sessions).items():
        rows["session_nodes"].append(_node(key, session))
    for session in sessions:
        if session.ended_as:
            rows["session_transcript_archives"].append(_archive(session))
            continue
        rows["session_windows"].append(_window(session))
        rows["transcript_events"] += _events(session)
        rows["trajectory_runtime_events"] += _trajectory(session)
    path = f"borealis/agents/{agent.name}/agent/openclaw-agent.sqlite"
    yield script(path, AGENT_TABLES, rows=rows, version=AGENT_SCHEMA_VERSION)


def _node(key: str, session: Session) -> Row:
    via = "spawn" if session.spawned_by else "cron" if ":cron:" in key else "channel" if session.channel else "run"
    return (
        key,
        session.session_id,
        json_text(_entry(session)),
        1,
        session.busy_until,
        session.status,
        session.transcript.started_at,
        via,
        session.spawned_by or None,
        session.spawned_by or None,
        _label(session) or None,
        None,
        session.busy_until,
    )


def _window(session: Session) -> Row:
    return (
        session.session_id,
        session.key,
        session.previous_id,
        session.reason,
        "shared-main" if session.key.endswith(":main") else "conversation",
        session.transcript.started_at,
        session.busy_until,
        session.hook_source or None,
        session.transcript.started_at,
        session.busy_until,
        session.status,
        session.chat_type or None,
        session.channel or None,
        "litellm",
        session.model,
        session.spawned_by or None,
        session.spawned_by or None,
        _label(session) or None,
    )


def _events(session: Session) -> Iterator[Row]:
    for seq, line in enumerate(session.transcript.lines):
        text = json_text(line)
        created_at = line.get("message", {}).get("timestamp", session.transcript.started_at)
        if compressed_event(text.encode()) is None:
            yield session.session_id, seq, text, created_at, None, None, None
            continue
        length = len(text.encode())
        yield session.session_id, seq, None, created_at, Compressed(text=text), length, navigation(length)


def _trajectory(session: Session) -> Iterator[Row]:
    for seq, event in enumerate(session.runs):
        yield session.session_id, seq, event["runId"], json_text(event), session.busy_until


def _archive(session: Session) -> Row:
    content = json_lines(session.transcript.lines)
    digest = hashlib.sha256(content).hexdigest()
    name = f"{session.session_id}.jsonl.{session.ended_as}.{file_stamp(session.ended_at)}.{digest[:32]}.zst"
    return (
        session.session_id,
        digest[:32],
        session.key,
        session.ended_as,
        "zstd",
        Compressed(text=content.decode()),
        digest,
        name,
        session.ended_at,
        None,
    )
