"""Transcript lines and events: one JSON value in, at most one row out.

Belongs here: what each line type of header versions 1 to 4 means, in files, in SQLite and in both kinds of archives.
Texts are measured, searched for marks, phrases and ticket-shaped keys, and forgotten.

Model calls are assistant messages (calls). Failed ones are kept with the tokens they report (mostly none). Replies that
OpenClaw mirrors or injects are none: no model was called.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from agentops_pipelines.sources.openclaw.calls import call_values, content_of, is_mirror, run_id_of
from agentops_pipelines.sources.openclaw.lines import LineScanner, Progress, values_of
from agentops_pipelines.sources.openclaw.marks import mark_of, ticket_keys
from agentops_pipelines.sources.openclaw.ordinary import (
    NOT_ORDINARY,
    Question,
    answer_row,
    line_of,
    question_row,
)
from agentops_pipelines.sources.openclaw.places import Place
from agentops_pipelines.sources.openclaw.rows import Sink
from agentops_pipelines.sources.openclaw.values import BadValue, mapping, micros, short_text, word

SKIP = re.compile(
    rb'\{"type":"(?:message","id":"[^"]*","parentId":(?:null|"[^"]*"),"timestamp":"[^"]*",'
    rb'"message":\{"role":"(?:toolResult|bashExecution|custom)"'
    rb'|(?:model_change|thinking_level_change|custom|custom_message|label|session_info|branch_summary|leaf)")'
    rb'|\{"kind":"(?:identity|active|index|fts)"'
)
"""How lines begin that hold nothing for us, as OpenClaw writes them. Any other order of fields is parsed."""

OPENING = b'{"type":"message","id":"'
_OPENINGS = (OPENING, b'{"type":"message",', b'{"type":"compaction"', b'{"type":"reset"', b'{"type":"session"')

HEADER_VERSIONS = (1, 2, 3, 4)

_SILENT_TYPES = frozenset(
    (
        "model_change",
        "thinking_level_change",
        "custom",
        "custom_message",
        "branch_summary",
        "label",
        "session_info",
        "leaf",
        "prompt_released_opaque",
    )
)
_SILENT_ROLES = frozenset(
    ("toolResult", "tool", "bashExecution", "custom", "hookMessage", "branchSummary", "compactionSummary", "system")
)
_COLD_KINDS = ("header", "event", "identity", "active", "index", "fts")
"""Records of a cold archive (2026.9+), which wraps each event."""

_SESSION_FILE = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


class Transcript:
    """Puts the rows of one transcript into the sink."""

    def __init__(self, *, sink: Sink, place: Place) -> None:
        self._sink = sink
        self._phrases = sink.phrases
        self._calls = sink.lines.calls
        self._users = sink.lines.users
        self.place = place
        self.has_header = False

    def add(self, raw: bytes, index: int) -> None:
        """One line or event; `index` is its number in the transcript, from 0."""
        try:
            line = line_of(raw)
        except NOT_ORDINARY:
            self._add_carefully(raw, index)
            return
        message = line.message
        if isinstance(message, Question):
            self._users.append(question_row(self.place, index, line, message))
        else:
            row = answer_row(self.place, index, line, message, self._phrases)
            if row is None:
                self._add_carefully(raw, index)
            else:
                self._calls.append(row)

    def _add_carefully(self, raw: bytes, index: int) -> None:
        try:
            entry = orjson.loads(raw)
        except orjson.JSONDecodeError:
            self._add_damaged(raw, index)
        else:
            self._add_entry(entry, index)

    @property
    def session_id(self) -> str:
        """Session that the next line belongs to."""
        return self.place.session_id

    def scanner(self, begin: Progress) -> LineScanner:
        """A scanner that hands this transcript its lines."""
        return LineScanner(
            skip=SKIP,
            opening=OPENING,
            handle=self.add,
            refuse_long=lambda index: self.refuse(index, "line_too_long"),
            begin=begin,
        )

    def handle_last(self, raw: bytes, index: int) -> None:
        """A last line that has no end but is whole."""
        self.add(raw, index)

    def progress(self, scanned: Progress) -> Progress:
        """Every line scanned is done with."""
        return scanned

    def finish(self, *, is_from_beginning: bool, lines: int) -> None:
        """The end is reached. A transcript without a header line is one all the same."""
        self._sink.session_ids[self.place.item] = self.place.session_id
        if is_from_beginning and lines and not self.has_header:
            self._note_transcript(version=None, created_at=None, parent=None)

    def refuse(self, index: int, reason: str) -> None:
        """Note that the line could not be used, or not all of it."""
        self._sink.refuse(self.place.item, index + self.place.counts_from, reason)

    def _add_damaged(self, raw: bytes, index: int) -> None:
        if not raw.strip():
            return
        entries, reason = values_of(raw, openings=_OPENINGS)
        if reason is not None:
            self.refuse(index, reason)
        for entry in entries:
            self._add_entry(entry, index)

    def _add_entry(self, entry: Any, index: int) -> None:
        if not isinstance(entry, dict):
            self.refuse(index, "wrong_type")
            return
        kind = entry.get("type")
        if kind == "message":
            self._add_message(entry, index)
        elif kind in ("compaction", "reset"):
            self._add_change(entry, index, kind=kind)
        elif kind == "session":
            self._add_header(entry, index)
        elif kind is None and entry.get("kind") in _COLD_KINDS:
            self._add_cold(entry, index)
        elif not isinstance(kind, str):
            self.refuse(index, "wrong_type")
        elif kind not in _SILENT_TYPES:
            self.refuse(index, "unknown_line_type")

    def _add_cold(self, record: Mapping[str, Any], index: int) -> None:
        if record["kind"] == "header":
            self._enter(record.get("sessionId"))
        elif record["kind"] == "event":
            row = mapping(record.get("row"))
            seq, event = row.get("seq"), row.get("event_json")
            if isinstance(event, str):
                self.add(event.encode("utf-8"), seq if isinstance(seq, int) and seq >= 0 else index)
            else:
                self.refuse(index, "wrong_type")

    def _add_header(self, entry: Mapping[str, Any], index: int) -> None:
        self._enter(entry.get("id"))
        version = entry.get("version", 1)
        if version not in HEADER_VERSIONS or isinstance(version, bool):
            self.refuse(index, "unknown_header_version")
        try:
            created_at = micros(entry.get("timestamp"))
        except BadValue as problem:
            self.refuse(index, problem.reason)
            created_at = None
        parent = entry.get("parentSession")
        self._note_transcript(
            version=version if isinstance(version, int) and 0 < version < 1_000_000 else None,
            created_at=created_at,
            parent=_session_id_in(parent) if isinstance(parent, str) else None,
        )
        self.has_header = True

    def _enter(self, session_id: Any) -> None:
        """The header, not the file name, says whose lines follow."""
        known = short_text(session_id)
        if known is not None and known != self.place.session_id:
            self.place = replace(self.place, session_id=known)

    def _note_transcript(self, *, version: int | None, created_at: int | None, parent: str | None) -> None:
        place = self.place
        self._sink.transcripts.append(
            (place.host, place.agent_id, place.session_id, place.path, place.origin, version, created_at, parent)
        )

    def _add_message(self, entry: Mapping[str, Any], index: int) -> None:
        message = entry.get("message")
        if not isinstance(message, dict):
            self.refuse(index, "wrong_type")
            return
        role = message.get("role")
        if role == "assistant":
            self._add_call(entry, message, index)
        elif role == "user":
            self._add_user(entry, message, index)
        elif not isinstance(role, str):
            self.refuse(index, "wrong_type")
        elif role not in _SILENT_ROLES:
            self.refuse(index, "unknown_role")

    def _add_call(self, entry: Mapping[str, Any], message: Mapping[str, Any], index: int) -> None:
        if is_mirror(entry, message):
            return
        try:
            self._calls.append((self.place, index, *call_values(entry, message, self._phrases)))
        except BadValue as problem:
            self.refuse(index, problem.reason)

    def _add_user(self, entry: Mapping[str, Any], message: Mapping[str, Any], index: int) -> None:
        text, _, _ = content_of(message.get("content"))
        provenance = mapping(message.get("provenance"))
        mark = mark_of(text, provenance=provenance)
        self._users.append(
            (
                self.place,
                index,
                entry.get("id") or None,
                entry.get("parentId"),
                entry.get("timestamp"),
                message.get("timestamp"),
                len(text),
                run_id_of(message),
                mark and mark.kind,
                mark and mark.id,
                mark and mark.name,
                word(provenance.get("kind")) if provenance else None,
                word(provenance.get("sourceTool")) if provenance else None,
                ticket_keys(text),
            )
        )

    def _add_change(self, entry: Mapping[str, Any], index: int, *, kind: str) -> None:
        line_id = entry.get("id") or None
        self._sink.lines.changes.append(
            (self.place, index, line_id, entry.get("parentId"), entry.get("timestamp"), None, kind)
        )


def _session_id_in(parent: str) -> str | None:
    """The id of the parent session: given as it is, or as the path of its transcript."""
    ids = _SESSION_FILE.findall(parent.rsplit("/", 1)[-1])
    return ids[-1] if ids else short_text(parent.rsplit("/", 1)[-1].removesuffix(".jsonl"))
