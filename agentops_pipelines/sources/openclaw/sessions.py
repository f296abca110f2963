"""Session rows: which session key each session id belongs, or belonged, to.

Belongs here: sessions.json (up to 2026.7) and the tables session_nodes and session_windows (2026.7+). The token
counters and costs of the rows are left alone: they hold the last run only, or a sum, depending on the version.
A row without a session id (a failed cron run leaves one) is normal and skipped.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agentops_pipelines.sources.openclaw.keys import public_key
from agentops_pipelines.sources.openclaw.lines import parse
from agentops_pipelines.sources.openclaw.rows import Sink
from agentops_pipelines.sources.openclaw.values import BadValue, mapping, micros, short_text, word
from agentops_pipelines.sources.privacy import clean_label

Row = tuple[object, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyAttributes:
    """A session key and what is true of every session id that it has had."""

    key: str
    entry: Mapping[str, Any]


def read_session_rows(content: bytes, *, sink: Sink, agent_id: str, item: str) -> dict[str, KeyAttributes]:
    """The rows of a sessions.json. Problems are counted by entry, from 1.

    Returns the keys whose transcripts share a file name (up to 2026.5, where /new keeps it): by that name's stem.
    """
    shared: dict[str, KeyAttributes] = {}
    entries = parse(content.strip(b"\0\xef\xbb\xbf"))
    if not isinstance(entries, dict):
        sink.refuse(item, 0, "broken_json" if entries is None else "wrong_type")
        return shared
    for number, (key, entry) in enumerate(entries.items(), start=1):
        if not isinstance(entry, dict):
            sink.refuse(item, number, "wrong_type")
            continue
        sink.sessions.extend(_rows_of(entry, key=key, sink=sink, agent_id=agent_id))
        path = entry.get("sessionFile")
        stem = path.replace("\\", "/").rsplit("/", 1)[-1].removesuffix(".jsonl") if isinstance(path, str) else None
        if stem and stem != entry.get("sessionId"):
            shared[stem] = KeyAttributes(key=key, entry=entry)
    return shared


def add_earlier_session(known: KeyAttributes, session_id: str, *, sink: Sink, agent_id: str) -> None:
    """The row of a session id that a key has left behind."""
    entry = {name: known.entry.get(name) for name in _KEY_FIELDS}
    sink.sessions.append(_row(entry, key=known.key, session_id=session_id, sink=sink, agent_id=agent_id))


def read_session_tables(
    connection: sqlite3.Connection, *, tables: Mapping[str, frozenset[str]], sink: Sink, agent_id: str, item: str
) -> None:
    """The rows of session_nodes, and every window (also of ids the key has left behind) with its key's attributes.

    `tables` names the columns of each table. Raises one of sqlite.DAMAGE when a table cannot be read.
    """
    entries: dict[str, Mapping[str, Any]] = {}
    if "session_nodes" in tables:
        for node in _records(connection, "session_nodes", tables["session_nodes"], _NODE_COLUMNS):
            key = node.get("session_key")
            if not isinstance(key, str):
                continue
            entry = _node_entry(node, sink=sink, item=item)
            entries[key] = entry
            sink.sessions.extend(_rows_of(entry, key=key, sink=sink, agent_id=agent_id))
    if "session_windows" in tables:
        for window in _records(connection, "session_windows", tables["session_windows"], _WINDOW_COLUMNS):
            key = window.get("session_key")
            if isinstance(key, str):
                entry = _window_entry(window, entries.get(key, {}))
                sink.sessions.extend(_rows_of(entry, key=key, sink=sink, agent_id=agent_id))


_NODE_COLUMNS = (
    "session_key",
    "current_session_id",
    "entry_json",
    "label",
    "spawned_by",
    "created_via",
    "status",
    "updated_at",
)
_WINDOW_COLUMNS = (
    "session_key",
    "session_id",
    "hook_external_content_source",
    "chat_type",
    "channel",
    "status",
    "model",
    "model_provider",
    "spawned_by",
    "created_at",
    "started_at",
    "updated_at",
)
_WINDOW_FIELDS = {
    "sessionId": "session_id",
    "hookExternalContentSource": "hook_external_content_source",
    "chatType": "chat_type",
    "channel": "channel",
    "status": "status",
    "model": "model",
    "modelProvider": "model_provider",
    "spawnedBy": "spawned_by",
    "sessionStartedAt": "created_at",
    "startedAt": "started_at",
    "updatedAt": "updated_at",
}
_KEY_FIELDS = ("label", "createdVia", "heartbeatIsolatedBaseSessionKey", "spawnedBy", "hookExternalContentSource")
"""What a window takes over from its key: true of every session id that the key has had."""


def _records(
    connection: sqlite3.Connection, table: str, present: frozenset[str], wanted: tuple[str, ...]
) -> Iterator[dict[str, Any]]:
    columns = [name for name in wanted if name in present]
    for values in connection.execute(f"SELECT {', '.join(columns)} FROM {table}"):
        yield {
            name: value.decode("utf-8", "replace") if isinstance(value, bytes) and name != "entry_json" else value
            for name, value in zip(columns, values, strict=True)
        }


def _node_entry(node: Mapping[str, Any], *, sink: Sink, item: str) -> dict[str, Any]:
    raw = node.get("entry_json")
    entry = parse(raw) if isinstance(raw, bytes) else None
    if not isinstance(entry, dict):
        sink.refuse(item, 0, "broken_json" if entry is None else "wrong_type")
        entry = {}
    fallbacks = {
        "sessionId": "current_session_id",
        "label": "label",
        "spawnedBy": "spawned_by",
        "createdVia": "created_via",
        "status": "status",
        "updatedAt": "updated_at",
    }
    return {**{field: node.get(column) for field, column in fallbacks.items()}, **entry}


def _window_entry(window: Mapping[str, Any], key_entry: Mapping[str, Any]) -> dict[str, Any]:
    entry = {field: window.get(column) for field, column in _WINDOW_FIELDS.items()}
    for name in _KEY_FIELDS:
        if entry.get(name) is None:
            entry[name] = key_entry.get(name)
    if entry["sessionId"] == key_entry.get("sessionId"):
        # The key's current window: the row itself knows more.
        entry = {**entry, **{name: value for name, value in key_entry.items() if value is not None}}
    return entry


def _rows_of(entry: Mapping[str, Any], *, key: str, sink: Sink, agent_id: str) -> Iterator[Row]:
    """The row of an entry, and one for each earlier session id that it says its key has had."""
    session_id = short_text(entry.get("sessionId"))
    family = entry.get("usageFamilySessionIds")
    for value in family if isinstance(family, list) else []:
        earlier = short_text(value)
        if earlier is not None and earlier != session_id:
            known = {name: entry.get(name) for name in _KEY_FIELDS}
            yield _row(known, key=key, session_id=earlier, sink=sink, agent_id=agent_id)
    if session_id is not None:
        yield _row(entry, key=key, session_id=session_id, sink=sink, agent_id=agent_id)


def _row(entry: Mapping[str, Any], *, key: str, session_id: str, sink: Sink, agent_id: str) -> Row:
    label = entry.get("label")
    origin = mapping(entry.get("origin"))
    started = entry.get("sessionStartedAt")
    compactions = entry.get("compactionCount")
    return (
        sink.host,
        agent_id,
        public_key(key),
        session_id,
        clean_label(label) if isinstance(label, str) and label else None,
        word(entry.get("channel") or entry.get("lastChannel") or origin.get("provider")),
        word(entry.get("chatType") or origin.get("chatType")),
        word(entry.get("hookExternalContentSource")),
        _key(entry.get("heartbeatIsolatedBaseSessionKey")),
        _key(entry.get("spawnedBy")),
        word(entry.get("createdVia")),
        word(entry.get("status")),
        short_text(entry.get("model")),
        short_text(entry.get("modelProvider")),
        compactions
        if isinstance(compactions, int) and not isinstance(compactions, bool) and 0 <= compactions < 10**9
        else None,
        _time(started if started is not None else entry.get("startedAt")),
        _time(entry.get("updatedAt")),
    )


def _key(value: Any) -> str | None:
    return public_key(value) if isinstance(value, str) and value else None


def _time(value: Any) -> int | None:
    """An attribute only: a row is not refused for it."""
    try:
        return micros(value)
    except BadValue:
        return None
