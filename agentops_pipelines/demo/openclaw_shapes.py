"""How OpenClaw writes things down: transcript lines, trajectory events, tables.

Belongs here: the shapes of OpenClaw 2026.6 (files) and 2026.9 (SQLite) as they were seen on disk, with the few fields
that accounting reads. Used by the sample and by the generator of large test states. Does not belong here: what
happens in a session (story.py) or how such records are read (sources/openclaw).

Times are epoch milliseconds, UTC. Money is USD.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import zstandard

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

HEARTBEAT_POLL = "[OpenClaw heartbeat poll]"
CRON_WAKE = "[OpenClaw cron wake]"
SESSION_EVENT = "[OpenClaw session event]"
SUBAGENT_CONTEXT = "[Subagent Context] …"
SOMETHING_SAID = "…"
"""Stands for every text that nothing needs to read."""

FREE_COST: dict[str, Any] = {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0, "total": 0}


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """Tokens of one call; `input` leaves cached tokens out, `reasoning` is part of `output`."""

    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    """Part of `cache_write`."""
    output: int = 0
    reasoning: int = 0

    @property
    def prompt(self) -> int:
        """All tokens sent."""
        return self.input + self.cache_read + self.cache_write


def iso(at: int) -> str:
    """A moment as OpenClaw writes it: ISO 8601 with milliseconds and Z."""
    return (_EPOCH + timedelta(milliseconds=at)).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at % 1000:03d}Z"


def file_stamp(at: int) -> str:
    """A moment as it stands in the name of a reset or deleted transcript."""
    return iso(at).replace(":", "-")


@dataclass(kw_only=True)
class Transcript:
    """One session's transcript in the making: each method appends a line that points at the line before it.

    `sqlite_era` chooses between the line formats of 2026.6 (version 3, short ids) and 2026.9 (version 4, uuids,
    provenance, run ids). `first_line` seeds the line ids.
    """

    session_id: str
    agent: str
    started_at: int
    sqlite_era: bool
    first_line: int
    parent_session: str | None = None
    lines: list[dict[str, Any]] = field(default_factory=list)
    last_id: str | None = None

    def open(self, provider: str, *, model: str) -> None:
        """The lines every session begins with."""
        self.lines.append(self._header())
        self._add("model_change", self.started_at, {"provider": provider, "modelId": model})

    def fork(self, parent: "Transcript", *, lines: int) -> None:
        """Begin as a copy of another session's first lines; their ids stay the same."""
        self.parent_session = parent.session_id
        self.lines = [self._header(), *parent.lines[1:lines]]
        self.last_id = self.lines[-1]["id"]

    def _header(self) -> dict[str, Any]:
        header = {
            "type": "session",
            "version": 4 if self.sqlite_era else 3,
            "id": self.session_id,
            "timestamp": iso(self.started_at),
            "cwd": f"/srv/agents/{self.agent}",
        }
        return header if self.parent_session is None else {**header, "parentSession": self.parent_session}

    def model_snapshot(self, at: int, *, provider: str, model: str) -> None:
        """Which model answers from here on."""
        data = {"timestamp": at, "provider": provider, "modelApi": "openai-completions", "modelId": model}
        self._add("custom", at, {"customType": "model-snapshot", "data": data})

    def user(self, at: int, *, text: str, provenance: dict[str, Any] | None = None) -> None:
        """A user line. `provenance` is 2026.9's note of who speaks for the user."""
        content: object = [{"type": "text", "text": text}]
        if self.sqlite_era or text == HEARTBEAT_POLL:
            content = text
        message = {"role": "user", "content": content, "timestamp": at}
        if provenance is not None:
            message["provenance"] = provenance
        self._message(at, message)

    def assistant(
        self,
        started_at: int,
        *,
        written_at: int,
        provider: str,
        model: str,
        usage: Usage,
        cost: dict[str, Any],
        content: list[dict[str, Any]],
        stop_reason: str,
        response_id: str = "",
        response_model: str = "",
        run_id: str = "",
        error: tuple[str, str] | None = None,
    ) -> None:
        """An assistant line: one model call. `error` is the code and type of a failed one."""
        message: dict[str, Any] = {
            "role": "assistant",
            "content": content,
            "api": "openai-completions",
            "provider": provider,
            "model": model,
            "usage": {
                "input": usage.input,
                "output": usage.output,
                "cacheRead": usage.cache_read,
                "cacheWrite": usage.cache_write,
                "reasoningTokens": usage.reasoning,
                "totalTokens": usage.prompt + usage.output,
                "cost": cost,
            },
            "stopReason": stop_reason,
            "timestamp": started_at,
        }
        if response_id:
            message["responseId"] = response_id
        if response_model:
            message["responseModel"] = response_model
        if error is not None:
            code, kind = error
            message |= {"errorMessage": f"{code} {SOMETHING_SAID}", "errorCode": code, "errorType": kind}
        if self.sqlite_era and run_id:
            message["__openclaw"] = {"runId": run_id}
        self._message(written_at, message)

    def tool_result(self, at: int, *, call_id: str, tool: str, text: str = SOMETHING_SAID) -> None:
        """What a tool answered."""
        message = {
            "role": "toolResult",
            "toolCallId": call_id,
            "toolName": tool,
            "content": [{"type": "text", "text": text}],
            "isError": False,
            "timestamp": at,
        }
        self._message(at, message)

    def compaction(self, at: int, *, tokens_before: int, summary: str = SOMETHING_SAID) -> None:
        """The context was summarised; the call that did it leaves no line."""
        body = {"summary": summary, "firstKeptEntryId": self.last_id, "tokensBefore": tokens_before}
        self._add("compaction", at, body)

    def reset(self, at: int) -> None:
        """/new in 2026.9: the session keeps its id."""
        self._add("reset", at, {"reason": "reset"})

    def _message(self, at: int, message: dict[str, Any]) -> None:
        self._add("message", at, {"message": message})

    def _add(self, kind: str, at: int, body: dict[str, Any]) -> None:
        line_id = self._next_id()
        self.lines.append({"type": kind, "id": line_id, "parentId": self.last_id, "timestamp": iso(at), **body})
        self.last_id = line_id

    def _next_id(self) -> str:
        number = (self.first_line + len(self.lines)) % 2**32
        return f"{number:08x}-5b1e-4c02-9d6f-{self.session_id[-12:]}" if self.sqlite_era else f"{number:08x}"


def tool_call(call_id: str, *, tool: str) -> dict[str, Any]:
    """The content part that asks for a tool; its arguments are left out."""
    return {"type": "toolCall", "id": call_id, "name": tool, "arguments": {}}


def text_part(text: str) -> dict[str, Any]:
    """The content part that says something."""
    return {"type": "text", "text": text}


def run_event(
    kind: str,
    *,
    at: int,
    seq: int,
    session_id: str,
    session_key: str,
    run_id: str,
    provider: str,
    model: str,
    data: dict[str, Any],
) -> dict[str, Any]:
    """One trajectory event. `data` holds the trigger (session.started) or the status (session.ended)."""
    return {
        "traceSchema": "openclaw-trajectory",
        "schemaVersion": 1,
        "traceId": session_id,
        "source": "runtime",
        "type": kind,
        "ts": iso(at),
        "seq": seq,
        "sessionId": session_id,
        "sessionKey": session_key,
        "runId": run_id,
        "provider": provider,
        "modelId": model,
        "modelApi": "openai-completions",
        "data": data,
    }


AGENT_TABLES: dict[str, str] = {
    "session_nodes": "session_key TEXT NOT NULL PRIMARY KEY, current_session_id TEXT NOT NULL, "
    "entry_json TEXT NOT NULL, entry_valid INTEGER NOT NULL DEFAULT 0, updated_at INTEGER NOT NULL, status TEXT, "
    "created_at INTEGER, created_via TEXT, parent_session_key TEXT, spawned_by TEXT, label TEXT, display_name TEXT, "
    "last_activity_at INTEGER",
    "session_windows": "session_id TEXT NOT NULL PRIMARY KEY, session_key TEXT NOT NULL, previous_session_id TEXT, "
    "reason TEXT, session_scope TEXT NOT NULL DEFAULT 'conversation', created_at INTEGER NOT NULL, "
    "updated_at INTEGER NOT NULL, hook_external_content_source TEXT, started_at INTEGER, ended_at INTEGER, "
    "status TEXT, chat_type TEXT, channel TEXT, model_provider TEXT, model TEXT, parent_session_key TEXT, "
    "spawned_by TEXT, display_name TEXT",
    "transcript_events": "session_id TEXT NOT NULL, seq INTEGER NOT NULL, event_json TEXT, "
    "created_at INTEGER NOT NULL, event_zstd BLOB, event_utf8_bytes INTEGER, navigation_json TEXT, "
    "PRIMARY KEY (session_id, seq)",
    "trajectory_runtime_events": "session_id TEXT NOT NULL, seq INTEGER NOT NULL, run_id TEXT, "
    "event_json TEXT NOT NULL, created_at INTEGER NOT NULL, PRIMARY KEY (session_id, seq)",
    "session_transcript_archives": "session_id TEXT NOT NULL, generation TEXT NOT NULL, session_key TEXT NOT NULL, "
    "reason TEXT NOT NULL, encoding TEXT NOT NULL, archive_blob BLOB NOT NULL, archive_sha256 TEXT NOT NULL, "
    "archive_name TEXT NOT NULL UNIQUE, created_at INTEGER NOT NULL, published_at INTEGER, "
    "PRIMARY KEY (session_id, generation)",
}
"""An agent's database (agents/<agent>/agent/openclaw-agent.sqlite) in 2026.9, user_version 23."""

AGENT_SCHEMA_VERSION = 23

STATE_TABLES_FILES_ERA: dict[str, str] = {
    "cron_jobs": "store_key TEXT NOT NULL, job_id TEXT NOT NULL, name TEXT NOT NULL, enabled INTEGER NOT NULL, "
    "created_at_ms INTEGER NOT NULL, agent_id TEXT, schedule_kind TEXT NOT NULL, session_target TEXT NOT NULL, "
    "payload_kind TEXT NOT NULL, delivery_mode TEXT, delivery_channel TEXT, delivery_to TEXT, "
    "job_json TEXT NOT NULL, state_json TEXT NOT NULL DEFAULT '{}', updated_at INTEGER NOT NULL, "
    "PRIMARY KEY (store_key, job_id)",
    "cron_run_logs": "store_key TEXT NOT NULL, job_id TEXT NOT NULL, seq INTEGER NOT NULL, ts INTEGER NOT NULL, "
    "status TEXT, session_id TEXT, session_key TEXT, run_id TEXT, run_at_ms INTEGER, duration_ms INTEGER, "
    "entry_json TEXT NOT NULL, created_at INTEGER NOT NULL, PRIMARY KEY (store_key, job_id, seq)",
    "subagent_runs": "run_id TEXT NOT NULL PRIMARY KEY, child_session_key TEXT NOT NULL, "
    "controller_session_key TEXT, requester_session_key TEXT NOT NULL, task TEXT NOT NULL, label TEXT, model TEXT, "
    "created_at INTEGER NOT NULL, started_at INTEGER, ended_at INTEGER, outcome_json TEXT, ended_reason TEXT, "
    "payload_json TEXT NOT NULL DEFAULT '{}'",
}
"""state/openclaw.sqlite in 2026.6."""

STATE_TABLES_SQLITE_ERA: dict[str, str] = {
    "cron_jobs": "store_key TEXT NOT NULL, job_id TEXT NOT NULL, declaration_key TEXT, name TEXT NOT NULL, "
    "enabled INTEGER NOT NULL, agent_id TEXT, payload_kind TEXT NOT NULL, job_json TEXT NOT NULL, "
    "state_json TEXT NOT NULL DEFAULT '{}', updated_at INTEGER NOT NULL, PRIMARY KEY (store_key, job_id)",
    "task_runs": "task_id TEXT NOT NULL PRIMARY KEY, runtime TEXT NOT NULL, task_kind TEXT, source_id TEXT, "
    "requester_session_key TEXT, owner_key TEXT NOT NULL, scope_kind TEXT NOT NULL, child_session_key TEXT, "
    "agent_id TEXT, run_id TEXT, label TEXT, task TEXT NOT NULL, status TEXT NOT NULL, "
    "delivery_status TEXT NOT NULL, notify_policy TEXT NOT NULL, created_at INTEGER NOT NULL, started_at INTEGER, "
    "ended_at INTEGER, detail_json TEXT",
    "subagent_runs": "run_id TEXT NOT NULL PRIMARY KEY, child_session_key TEXT NOT NULL, "
    "controller_session_key TEXT, requester_session_key TEXT NOT NULL, created_at INTEGER NOT NULL, "
    "payload_json TEXT NOT NULL DEFAULT '{}'",
}
"""state/openclaw.sqlite in 2026.9."""

CRON_STORE = "cron/jobs.json"
"""store_key of the cron tables."""


MIN_COMPRESSED_EVENT = 1024
"""2026.9 leaves shorter events as text."""


def navigation(length: int) -> str:
    """navigation_json of a compressed event of so many bytes: 2026.9 requires one."""
    return (
        '{"version":1,"report":{"kind":"canonical"},"navigation":{},"reset":{},"model":{},'
        f'"modelBytes":{length},"modelWithoutCheckpointBytes":{length},"withoutCustomDataBytes":{length}}}'
    )


def compressed_event(raw: bytes) -> bytes | None:
    """An event as 2026.9 compresses it; None when it stays text, by its own rule.

    The rule: long enough, and with its navigation smaller by 64 bytes and by a tenth.
    """
    if len(raw) < MIN_COMPRESSED_EVENT:
        return None
    packed = zstandard.ZstdCompressor().compress(raw)
    size = len(packed) + len(navigation(len(raw)))
    return packed if size <= len(raw) - 64 and size <= len(raw) * 0.9 else None
