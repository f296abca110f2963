"""OpenClaw state directories made in code, and a warehouse of dicts that loads what the reader yields.

Belongs here: the shapes of all storage eras (files; files with trajectories; SQLite), as small as they can be.
"""

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import zstandard

from agentops_pipelines.settings import StateDir
from agentops_pipelines.sources.batches import Batch, Ledger, LedgerEntry
from agentops_pipelines.sources.openclaw.reader import ReadRules, read_state_dir
from agentops_pipelines.sources.schemas import (
    OPENCLAW_LINES,
    OPENCLAW_RUNS,
    OPENCLAW_SESSIONS,
    OPENCLAW_TRANSCRIPTS,
    RawTable,
)

Line = dict[str, Any]
START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
RULES = ReadRules(empty_poll_phrases=("No tasks available",))
ARCHIVED_AT = "2026-11-24T14-01-29.637Z"


def iso(minutes: float = 0.0) -> str:
    """Minutes after START, as OpenClaw writes times."""
    return (START + timedelta(minutes=minutes)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def millis(minutes: float = 0.0) -> int:
    """Minutes after START, in milliseconds since 1970."""
    return int((START + timedelta(minutes=minutes)).timestamp() * 1000)


def header(session_id: str, *, version: int = 3, minute: float = 0.0, **more: Any) -> Line:
    return {"type": "session", "version": version, "id": session_id, "timestamp": iso(minute), "cwd": "/ws", **more}


def user(line_id: str, text: Any = "hello", *, minute: float = 1.0, parent: str | None = None, **more: Any) -> Line:
    message = {"role": "user", "content": text, "timestamp": millis(minute), **more}
    return {"type": "message", "id": line_id, "parentId": parent, "timestamp": iso(minute), "message": message}


def usage(
    given: Any = 10, output: Any = 5, read: Any = 100, write: Any = 0, cost: Any = 0.25, **more: Any
) -> dict[str, Any]:
    counts = {"input": given, "output": output, "cacheRead": read, "cacheWrite": write, **more}
    return {
        **counts,
        "totalTokens": 0,
        "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0, "total": cost},
    }


def assistant(line_id: str, text: Any = "done", *, minute: float = 2.0, parent: str | None = None, **more: Any) -> Line:
    message: Line = {
        "role": "assistant",
        "content": [{"type": "text", "text": text}] if isinstance(text, str) else text,
        "api": "openai-completions",
        "provider": "litellm",
        "model": "standard",
        "usage": usage(),
        "stopReason": "stop",
        "timestamp": millis(minute - 0.01),
        "responseId": f"chatcmpl-{line_id}",
        **more,
    }
    return {"type": "message", "id": line_id, "parentId": parent, "timestamp": iso(minute), "message": message}


def tool_result(line_id: str, text: str = "output", *, minute: float = 2.5) -> Line:
    message = {
        "role": "toolResult",
        "toolCallId": "c",
        "toolName": "exec",
        "content": [{"type": "text", "text": text}],
        "isError": False,
        "timestamp": millis(minute),
    }
    return {"type": "message", "id": line_id, "parentId": None, "timestamp": iso(minute), "message": message}


def other(kind: str, *, line_id: str = "o", minute: float = 0.5, **more: Any) -> Line:
    return {"type": kind, "id": line_id, "parentId": None, "timestamp": iso(minute), **more}


def run_events(
    session_id: str,
    run_id: str,
    *,
    key: str = "agent:main:main",
    trigger: str = "user",
    minute: float = 1.0,
    status: str | None = "success",
    model: str = "standard",
    said: Sequence[Line] = (),
    **data: Any,
) -> list[Line]:
    """The events of one run in a trajectory; without a status it never ends. `said` are the session's lines so far."""

    def event(kind: str, at: float, content: Mapping[str, Any]) -> Line:
        return {
            "traceSchema": "openclaw-trajectory",
            "schemaVersion": 1,
            "traceId": session_id,
            "source": "runtime",
            "type": kind,
            "ts": iso(at),
            "sessionId": session_id,
            "sessionKey": key,
            "runId": run_id,
            "provider": "litellm",
            "modelId": model,
            "data": content,
        }

    events = [
        event("session.started", minute, {"trigger": trigger, **data}),
        event("prompt.submitted", minute + 0.1, {"prompt": "long prompt", "note": '"type":"session.started"'}),
        event(
            "model.completed",
            minute + 0.2,
            {"usage": {"input": 1}, "messagesSnapshot": [line["message"] for line in said]},
        ),
    ]
    return events if status is None else [*events, event("session.ended", minute + 0.5, {"status": status})]


def jsonl(lines: Iterable[Line | bytes], *, end: bytes = b"\n") -> bytes:
    """Lines as JavaScript writes them; bytes stand as they are. `end` is the end of the last line."""
    raw = [line if isinstance(line, bytes) else dumps(line) for line in lines]
    return b"\n".join(raw) + end


def dumps(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


@dataclass(kw_only=True)
class Home:
    """A state directory under construction."""

    path: Path

    def sessions(self, agent: str = "main") -> Path:
        folder = self.path / "agents" / agent / "sessions"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def write(self, name: str, lines: Iterable[Line | bytes], *, agent: str = "main", end: bytes = b"\n") -> Path:
        path = self.sessions(agent) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jsonl(lines, end=end))
        return path

    def append(self, path: Path, lines: Iterable[Line | bytes], *, end: bytes = b"\n") -> None:
        with path.open("ab") as stream:
            stream.write(jsonl(lines, end=end))

    def write_packed(self, name: str, lines: Iterable[Line | bytes], *, agent: str = "main") -> Path:
        path = self.sessions(agent) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(zstandard.ZstdCompressor(write_checksum=True).compress(jsonl(lines)))
        return path

    def write_rows(self, rows: Mapping[str, Any], *, agent: str = "main") -> Path:
        path = self.sessions(agent) / "sessions.json"
        path.write_bytes(dumps(rows))
        return path

    def database(self, agent: str = "main") -> "Database":
        folder = self.path / "agents" / agent / "agent"
        folder.mkdir(parents=True, exist_ok=True)
        return Database(path=folder / "openclaw-agent.sqlite")


_SCHEMA = """
CREATE TABLE session_nodes (session_key TEXT NOT NULL PRIMARY KEY, current_session_id TEXT NOT NULL,
  entry_json TEXT NOT NULL, updated_at INTEGER NOT NULL, status TEXT, created_via TEXT, spawned_by TEXT,
  label TEXT) STRICT;
CREATE TABLE session_windows (session_id TEXT NOT NULL PRIMARY KEY, session_key TEXT NOT NULL, reason TEXT,
  created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, hook_external_content_source TEXT, started_at INTEGER,
  status TEXT, chat_type TEXT, channel TEXT, model_provider TEXT, model TEXT, spawned_by TEXT) STRICT;
CREATE TABLE transcript_events (session_id TEXT NOT NULL, seq INTEGER NOT NULL, event_json TEXT,
  created_at INTEGER NOT NULL, event_zstd BLOB, event_utf8_bytes INTEGER, navigation_json TEXT,
  PRIMARY KEY (session_id, seq), CHECK (navigation_json IS NULL OR octet_length(navigation_json) < 99)) STRICT;
CREATE TABLE trajectory_runtime_events (session_id TEXT NOT NULL, seq INTEGER NOT NULL, run_id TEXT,
  event_json TEXT NOT NULL, created_at INTEGER NOT NULL, PRIMARY KEY (session_id, seq)) STRICT;
CREATE TABLE transcript_rewrite_watermarks (session_id TEXT NOT NULL PRIMARY KEY, generation TEXT NOT NULL) STRICT;
CREATE TABLE session_transcript_archives (session_id TEXT NOT NULL, generation TEXT NOT NULL,
  session_key TEXT NOT NULL, encoding TEXT NOT NULL, archive_blob BLOB NOT NULL,
  archive_sha256 TEXT NOT NULL, archive_name TEXT NOT NULL,
  PRIMARY KEY (session_id, generation)) STRICT;
CREATE TABLE session_transcript_cold_archives (session_id TEXT NOT NULL PRIMARY KEY, generation TEXT NOT NULL,
  archive_name TEXT NOT NULL, archive_sha256 TEXT NOT NULL, storage TEXT NOT NULL, archive_blob BLOB) STRICT;
"""


@dataclass(kw_only=True)
class Database:
    """An agent database of 2026.9, reduced to what is read. Every method commits and closes."""

    path: Path

    def run(self, *statements: tuple[str, Sequence[Any]]) -> None:
        with closing(sqlite3.connect(self.path)) as connection:
            # Older SQLite lacks it; OpenClaw's constraints need it. The reader must do without.
            connection.create_function("octet_length", 1, lambda text: len(str(text).encode()), deterministic=True)
            connection.execute("PRAGMA journal_mode = WAL")
            if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'session_nodes'").fetchall():
                connection.executescript(_SCHEMA)
            with connection:
                for sql, values in statements:
                    connection.execute(sql, values)

    def put(self, session_id: str, lines: Sequence[Line | bytes], *, first_seq: int = 0, packed: bool = False) -> None:
        """Transcript events of a session."""
        statements: list[tuple[str, Sequence[Any]]] = []
        for seq, line in enumerate(lines, start=first_seq):
            raw = line if isinstance(line, bytes) else dumps(line)
            frame = zstandard.ZstdCompressor(level=1, write_checksum=True).compress(raw) if packed else None
            text = None if packed else raw.decode("utf-8", "surrogateescape")
            statements.append(
                (
                    "INSERT INTO transcript_events (session_id, seq, event_json, created_at, event_zstd) "
                    "VALUES (?, ?, CAST(? AS TEXT), 0, ?)",
                    (session_id, seq, None if text is None else raw, frame),
                )
            )
        self.run(*statements)

    def put_session(self, key: str, session_id: str, entry: Mapping[str, Any], **window: Any) -> None:
        """A session key with its current window."""
        self.run(
            (
                "INSERT OR REPLACE INTO session_nodes (session_key, current_session_id, entry_json, updated_at) "
                "VALUES (?, ?, ?, ?)",
                (key, session_id, json.dumps({"sessionId": session_id, **entry}), millis()),
            )
        )
        self.put_window(key, session_id, **window)

    def put_window(self, key: str, session_id: str, **window: Any) -> None:
        columns = {
            "session_key": key,
            "session_id": session_id,
            "created_at": millis(),
            "updated_at": millis(),
            **window,
        }
        marks = ", ".join("?" * len(columns))
        sql = f"INSERT OR REPLACE INTO session_windows ({', '.join(columns)}) VALUES ({marks})"
        self.run((sql, list(columns.values())))

    def put_runs(self, session_id: str, events: Sequence[Line], *, first_seq: int = 0) -> None:
        self.run(
            *(
                (
                    "INSERT INTO trajectory_runtime_events VALUES (?, ?, ?, ?, 0)",
                    (session_id, seq, event["runId"], dumps(event).decode()),
                )
                for seq, event in enumerate(events, start=first_seq)
            )
        )

    def put_archive(self, session_id: str, content: bytes, *, encoding: str = "zstd", name: str = "a") -> None:
        blob = zstandard.ZstdCompressor().compress(content) if encoding == "zstd" else content
        digest = hashlib.sha256(blob).hexdigest()
        self.run(
            (
                "INSERT INTO session_transcript_archives VALUES (?, 'g1', 'agent:main:gone', ?, ?, ?, ?)",
                (session_id, encoding, blob, digest, name),
            )
        )


def cold_records(session_id: str, lines: Sequence[Line]) -> list[Line]:
    """How 2026.9 wraps the events of a session that it puts into cold storage."""
    events = [
        {"kind": "event", "row": {"seq": seq, "event_json": dumps(line).decode(), "created_at": 0}}
        for seq, line in enumerate(lines)
    ]
    tail = [{"kind": "identity", "row": {"seq": 0}}, {"kind": "active", "row": {}}, {"kind": "index", "row": {}}]
    return [{"kind": "header", "version": 1, "sessionId": session_id, "generation": "g"}, *events, *tail]


@dataclass(kw_only=True)
class Memory:
    """What a warehouse would hold: rows by key, the ledger, the quarantine."""

    tables: dict[RawTable, dict[tuple[Any, ...], dict[str, Any]]] = field(default_factory=dict)
    ledger: dict[tuple[str, str], LedgerEntry] = field(default_factory=dict)
    quarantine: dict[tuple[str, int], str] = field(default_factory=dict)
    bytes_read: int = 0
    rows_loaded: int = 0

    def read(self, home: Path, *, scratch: Path, rules: ReadRules = RULES, host: str = "local") -> list[Batch]:
        """One load. `bytes_read` and `rows_loaded` are those of this load."""
        self.bytes_read = self.rows_loaded = 0
        batches = []
        ledger = Ledger(source="openclaw", entries=dict(self.ledger))
        for batch in read_state_dir(StateDir(host=host, path=home), ledger=ledger, rules=rules, scratch=scratch):
            self.load(batch)
            batches.append(batch)
        return batches

    def load(self, batch: Batch) -> None:
        """What the warehouse does with a batch, in one transaction."""
        for table, frame in batch.tables.items():
            assert frame.schema == table.frame_schema
            kept = self.tables.setdefault(table, {})
            for row in frame.iter_rows(named=True):
                assert all(row[name] is not None for name in table.key), row
                kept[tuple(row[name] for name in table.key)] = row
            self.rows_loaded += frame.height
        for entry in batch.ledger:
            self.ledger[entry.host, entry.item] = entry
        for problem in batch.quarantine:
            self.quarantine.setdefault((problem.item, problem.position), problem.reason)
        self.bytes_read += batch.bytes_read

    def rows(self, table: RawTable) -> list[dict[str, Any]]:
        return list(self.tables.get(table, {}).values())

    @property
    def lines(self) -> list[dict[str, Any]]:
        return self.rows(OPENCLAW_LINES)

    @property
    def calls(self) -> list[dict[str, Any]]:
        return [row for row in self.lines if row["kind"] == "assistant"]

    @property
    def transcripts(self) -> list[dict[str, Any]]:
        return self.rows(OPENCLAW_TRANSCRIPTS)

    @property
    def sessions(self) -> list[dict[str, Any]]:
        return self.rows(OPENCLAW_SESSIONS)

    @property
    def runs(self) -> list[dict[str, Any]]:
        return self.rows(OPENCLAW_RUNS)

    def ids(self) -> set[tuple[str, str]]:
        """(session id, line id) of every line."""
        return {(row["session_id"], row["line_id"]) for row in self.lines}


def snapshot(folder: Path) -> dict[str, tuple[int, int, str]]:
    """Every path below a directory with size, mtime and content: what must be the same before and after a load."""
    found: dict[str, tuple[int, int, str]] = {}
    for root, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = Path(root) / name
            status = path.lstat()
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            found[str(path)] = (status.st_size, status.st_mtime_ns, content)
    return found
