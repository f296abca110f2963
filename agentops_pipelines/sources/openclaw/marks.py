"""What the opening of a user line says the turn is.

Belongs here: the texts that OpenClaw itself puts in front of (or instead of) what a person would write, in every era,
and ticket-shaped keys. The text is looked at and forgotten: only a mark, the id and name of a job and ticket-shaped
keys leave this module.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agentops_pipelines.sources.privacy import clean_label

MARKS: dict[str, str] = {
    "heartbeat_poll": "a heartbeat asks whether anything needs attention",
    "cron_wake": "a cron job's event or reminder in a session that people talk in",
    "session_event": "a system event woke the session: webhook wake, finished background command, hook result",
    "cron": "an isolated cron job's prompt; id and name are the job's",
    "webhook": "content from outside (/hooks/agent, mail); id is the webhook job's, name its task",
    "subagent_context": "the task of a sub-agent",
    "inter_session": "another session speaks: a sub-agent's result, sessions_send",
    "memory_flush": "OpenClaw asks to save memories before a compaction",
    "new_session": "a person started a new session with /new or /reset",
    "retry": "the prompt of a failed attempt again, when nothing else says what it was",
}
"""Every mark and its meaning."""

MAX_TICKETS = 5

_HEAD = 6_000
"""Characters in which an opening is looked for."""
_TICKET_HEAD = 50_000
"""Characters in which ticket-shaped keys are looked for."""

_TIME_PREFIX = re.compile(r"\[(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d{4}-\d\d-\d\d \d\d:\d\d[^\]\n]{0,40}\]\s*")
_RETRY_PREFIX = re.compile(
    r"\[Retry after the previous model attempt failed or timed out\]\s*"
    r"|\[Queued user message from a previous active turn;[^\]\n]{0,120}\]\s*"
    r"|Continue the current task from the existing transcript\b"
)
_SYSTEM_LINES = re.compile(
    r"System(?: \(untrusted\))?: \[\d{4}-[^\n]*(?:\n|$)(?:System(?: \(untrusted\))?: [^\n]*(?:\n|$))*\s*"
)
_WEBHOOK = re.compile(r"(?:Task: (?P<name>[^\n]{1,200}?) \| )?Job ID: (?P<id>[^\s|]{1,200})(?= \| Received:|\s)")
_OUTSIDE = re.compile(r"SECURITY NOTICE: The following content is from an EXTERNAL|<<<EXTERNAL_UNTRUSTED_CONTENT\b")
_OUTSIDE_TASK = re.compile(r"<<<EXTERNAL_UNTRUSTED_CONTENT[^\n]*\n(?:[A-Z][A-Za-z]*: [^\n]*\n)*?Task: ([^\n]{1,200})\n")
_CRON = re.compile(r"\[cron:(?P<id>[^\s\]]{1,200})")

_OPENINGS: tuple[tuple[str, str], ...] = (
    ("[OpenClaw heartbeat poll]", "heartbeat_poll"),
    ("Read HEARTBEAT.md if it exists", "heartbeat_poll"),
    ("Follow the heartbeat monitor scratch context", "heartbeat_poll"),
    ("[OpenClaw cron wake]", "cron_wake"),
    ("A scheduled reminder has been triggered.", "cron_wake"),
    ("A scheduled cron event was triggered", "cron_wake"),
    ("[OpenClaw session event]", "session_event"),
    ("[OpenClaw exec completion]", "session_event"),
    ("An async command you ran earlier", "session_event"),
    ("An async command the user already approved", "session_event"),
    ("An async command completion event", "session_event"),
    ("An async command did not run", "session_event"),
    ("Continue the OpenClaw runtime event.", "session_event"),
    ("[Subagent Context]", "subagent_context"),
    ("<<<BEGIN_OPENCLAW_INTERNAL_CONTEXT>>>", "inter_session"),
    ("[Inter-session message]", "inter_session"),
    ("[System Message]", "inter_session"),
    ("Agent-to-agent announce step.", "inter_session"),
    ("Pre-compaction memory flush", "memory_flush"),
    ("A new session was started via /new or /reset", "new_session"),
)
_OPENING = re.compile("|".join(f"(?P<_{n}>{re.escape(opening)})" for n, (opening, _) in enumerate(_OPENINGS)))
_FIRST_LETTERS = frozenset(opening[:2] for opening, _ in _OPENINGS) | {"Co", "Sy", "SE", "Ta", "Jo", "<<"}
"""How any of the openings begins, brackets apart: most texts of people are done with after this look-up."""
_CUSTOM_HEARTBEAT = "\nWhen reading HEARTBEAT.md, use workspace file "
"""OpenClaw (up to 2026.5) appends this to heartbeat prompts that the operator wrote."""

_PROVENANCE_MARKS = {
    "heartbeat": "heartbeat_poll",
    "cron": "cron_wake",
    "hook": "session_event",
    "exec": "session_event",
}

_TICKET = re.compile(r"([A-Z](?<![A-Za-z0-9-].)[A-Z0-9]{1,9})-(\d{1,6})(?![A-Za-z0-9]|-[A-Z0-9])")
"""Begins with a letter, and looks back from there: a pattern that begins with a look at what stands before is tried at
every character."""
_NO_PROJECTS = frozenset(
    {"AES", "BASE", "CVE", "GPT", "HTTP", "IPV", "ISO", "MD", "PEP", "RFC", "RSA", "SHA", "TLS", "UTC", "UTF"}
)
"""Standards and names that look like a ticket of a project."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """A mark with the job's id and name, where the opening holds them."""

    kind: str
    id: str | None = None
    name: str | None = None


def mark_of(text: str, *, provenance: Mapping[str, Any]) -> Mark | None:
    """What the turn is, by the opening of its text; where that is silent, by the line's provenance (2026.9+)."""
    mark = _by_opening(text[:_HEAD])
    if not provenance:
        return mark
    if mark is not None and mark.kind == "cron":
        return _exact_cron(mark, provenance)
    return mark or _by_provenance(provenance)


def ticket_keys(text: str) -> str | None:
    """Up to five ticket-shaped keys in the order of their first appearance, separated by spaces."""
    if "-" not in text:
        return None
    keys: dict[str, None] = {}
    for match in _TICKET.finditer(text, 0, _TICKET_HEAD):
        if match[1] not in _NO_PROJECTS:
            keys[match[0]] = None
            if len(keys) == MAX_TICKETS:
                break
    return " ".join(keys) or None


def _by_opening(text: str) -> Mark | None:
    text = text.lstrip()
    if not text.startswith("[") and text[:2] not in _FIRST_LETTERS:
        return _by_custom_prompt(text)
    stamp = _TIME_PREFIX.match(text)
    if stamp is not None:
        return _by_opening(text[stamp.end() :])
    retry = _RETRY_PREFIX.match(text)
    if retry is not None:
        return _by_opening(text[retry.end() :]) or Mark(kind="retry")
    system = _SYSTEM_LINES.match(text)
    if system is not None:
        return _after_system_lines(text[system.end() :])
    if text.startswith("[cron:"):
        return _cron(text)
    webhook = _WEBHOOK.match(text)
    if webhook is not None or _OUTSIDE.match(text):
        return _webhook(text, webhook)
    opening = _OPENING.match(text)
    if opening is not None and opening.lastgroup is not None:
        return Mark(kind=_OPENINGS[int(opening.lastgroup[1:])][1])
    return _by_custom_prompt(text)


def _by_custom_prompt(text: str) -> Mark | None:
    return Mark(kind="heartbeat_poll") if _CUSTOM_HEARTBEAT in text else None


def _after_system_lines(rest: str) -> Mark | None:
    """Events that stand before a heartbeat prompt caused that turn; before a person's words they only came along."""
    if not rest.strip():
        return Mark(kind="session_event")
    mark = _by_opening(rest)
    return Mark(kind="session_event") if mark is not None and mark.kind == "heartbeat_poll" else mark


def _cron(text: str) -> Mark | None:
    """`[cron:<id> <name>] ...`; a job's name may hold brackets itself."""
    match = _CRON.match(text)
    if match is None:
        return None
    depth = 1
    for end in range(match.end(), min(len(text), match.end() + 300)):
        depth += {"[": 1, "]": -1}.get(text[end], 0)
        if depth == 0:
            name = text[match.end() : end].strip()
            return Mark(kind="cron", id=_id(match["id"]), name=clean_label(name) if name else None)
    return Mark(kind="cron", id=_id(match["id"]))


def _webhook(text: str, match: re.Match[str] | None) -> Mark:
    name = match["name"] if match is not None else None
    if name is None:
        task = _OUTSIDE_TASK.search(text)
        name = task[1].strip() if task is not None else None
    return Mark(
        kind="webhook", id=_id(match["id"]) if match is not None else None, name=clean_label(name) if name else None
    )


def _exact_cron(mark: Mark, provenance: Mapping[str, Any]) -> Mark:
    """2026.9+ repeats the prefix and the job id on the line: exact, whatever the job's name looks like."""
    prefix, job_id = provenance.get("sourcePromptPrefix"), provenance.get("jobId")
    if not isinstance(prefix, str) or not isinstance(job_id, str) or not prefix.startswith(f"[cron:{job_id}"):
        return mark
    name = prefix.removeprefix(f"[cron:{job_id}").removesuffix("]").strip()
    return Mark(kind="cron", id=_id(job_id), name=clean_label(name) if name else None)


def _by_provenance(provenance: Mapping[str, Any]) -> Mark | None:
    if provenance.get("kind") == "inter_session":
        return Mark(kind="inter_session")
    if provenance.get("kind") != "internal_system":
        return None
    tool, job_id = provenance.get("sourceTool"), provenance.get("jobId")
    if tool == "cron" and isinstance(job_id, str):
        return _exact_cron(Mark(kind="cron", id=_id(job_id)), provenance)
    kind = _PROVENANCE_MARKS.get(tool) if isinstance(tool, str) else None
    return Mark(kind=kind) if kind is not None else None


def _id(text: str) -> str:
    return clean_label(text) if "@" in text or text.startswith("+") else text[:120]
