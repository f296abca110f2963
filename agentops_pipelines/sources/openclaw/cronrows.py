"""Cron jobs and finished runs as rows: what a job and a log entry mean, whichever era wrote them.

Belongs here: the fields of jobs, of their state and of run log entries. Does not belong here: where they stand (cron).

Messages, summaries and error texts are looked at and forgotten; recipients become short hashes.
"""

import re
from collections.abc import Mapping
from typing import Any

from agentops_pipelines.sources.openclaw.errors import error_kind
from agentops_pipelines.sources.openclaw.keys import public_key, public_run_id
from agentops_pipelines.sources.openclaw.machine import Row, TableSink, agent_id_of, count_of, flag_of, name_of, time_of
from agentops_pipelines.sources.openclaw.phrases import PollPhrases
from agentops_pipelines.sources.openclaw.values import BadValue, mapping, micros, short_text, word
from agentops_pipelines.sources.privacy import peer_label
from agentops_pipelines.sources.schemas import OPENCLAW_CRON_JOBS, OPENCLAW_CRON_RUNS

_BUILTIN_NAME = re.compile(r"Memory Dreaming Promotion|skill-collection-review-.*", re.DOTALL)
_MANAGED = "[managed-by="
"""How the description of a job begins that a plugin of OpenClaw keeps."""

_FIELD = r"(?:[0-9*,/?#LWH-]|MON|TUE|WED|THU|FRI|SAT|SUN|JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC){1,100}"
_EXPRESSION = re.compile(rf"{_FIELD}(?: +{_FIELD}){{4,6}}|@(?:year|annual|month|week|dai|midnight|hour)(?:ly)?", re.I)
_LONGEST = 200
"""Characters of an expression or time zone."""
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+/-]{0,63}")
_AGENT = re.compile(r"agent:([^:]+):")


def add_job(job: Mapping[str, Any], state: Mapping[str, Any], *, sink: TableSink, item: str, position: int) -> None:
    """Put a job into the sink, or note why not."""
    try:
        sink.add(OPENCLAW_CRON_JOBS, _job_row(job, state, host=sink.host))
    except BadValue as problem:
        sink.refuse(item, position, problem.reason)


def add_run(entry: Any, *, sink: TableSink, item: str, position: int, job_id: str | None, phrases: PollPhrases) -> None:
    """Put the run that a log entry ends into the sink, or note why not."""
    if not isinstance(entry, dict):
        sink.refuse(item, position, "wrong_type")
        return
    try:
        row = _run_row(entry, host=sink.host, job_id=job_id, phrases=phrases)
    except BadValue as problem:
        sink.refuse(item, position, problem.reason)
        return
    if row is not None:
        sink.add(OPENCLAW_CRON_RUNS, row)


def _job_row(job: Mapping[str, Any], state: Mapping[str, Any], *, host: str) -> Row:
    """A job and its state as a row of OPENCLAW_CRON_JOBS. Raises BadValue when the job has no id."""
    job_id = short_text(job.get("id"))
    if job_id is None:
        raise BadValue("wrong_type")
    schedule, payload, delivery = (mapping(job.get(name)) for name in ("schedule", "payload", "delivery"))
    status = state.get("lastRunStatus") or state.get("lastStatus")
    return (
        host,
        job_id,
        None,
        agent_id_of(job.get("agentId")),
        name_of(job.get("name")),
        flag_of(job.get("enabled")),
        _is_builtin(job, payload),
        word(schedule.get("kind")),
        _matching(_EXPRESSION, schedule.get("expr")),
        _matching(_ZONE, schedule.get("tz")),
        count_of(schedule.get("everyMs")),
        time_of(schedule.get("at")),
        _target(job.get("sessionTarget")),
        word(job.get("wakeMode")),
        word(payload.get("kind")),
        short_text(payload.get("model")),
        word(delivery.get("mode")),
        word(delivery.get("channel")),
        _recipient(delivery.get("to")),
        flag_of(delivery.get("bestEffort")),
        time_of(job.get("createdAtMs")),
        time_of(job.get("updatedAtMs")),
        time_of(state.get("nextRunAtMs")),
        time_of(state.get("lastRunAtMs")),
        word(status),
        _error_kind(status, state.get("lastError"), state.get("lastErrorReason")),
        word(state.get("lastDeliveryStatus")),
        count_of(state.get("consecutiveErrors")),
    )


def _run_row(entry: Mapping[str, Any], *, host: str, job_id: str | None, phrases: PollPhrases) -> Row | None:
    """A log entry as a row of OPENCLAW_CRON_RUNS, None when it is not the end of a run.

    `job_id` is the job that the place of the entry names. Raises BadValue without a job or a believable `ts`.
    """
    if entry.get("action") != "finished":
        return None
    job_id = short_text(entry.get("jobId")) or job_id
    if job_id is None:
        raise BadValue("wrong_type")
    finished_at = micros(entry.get("ts"))
    if finished_at is None:
        raise BadValue("no_timestamp")
    delivery = mapping(entry.get("delivery"))
    intended, resolved = mapping(delivery.get("intended")), mapping(delivery.get("resolved"))
    session_key = _text(entry.get("sessionKey"))
    session_id = short_text(entry.get("sessionId"))
    run_id = _text(entry.get("runId"))
    run_id = public_run_id(run_id) if run_id else None
    delivered = flag_of(entry.get("delivered"))
    return (
        host,
        job_id,
        finished_at,
        run_id or session_id or "",
        agent_id_of(_agent_in(session_key) or entry.get("agentId")),
        time_of(entry.get("runAtMs")),
        session_id,
        public_key(session_key) if session_key else None,
        run_id,
        word(entry.get("status")),
        word(entry.get("completionStatus")),
        _error_kind(entry.get("status"), entry.get("error"), entry.get("errorReason")),
        flag_of(delivery.get("delivered")) if delivered is None else delivered,
        word(entry.get("deliveryStatus")),
        word(entry.get("deliverySuppressionReason")),
        word(intended.get("channel")),
        _recipient(intended.get("to")),
        word(intended.get("source")),
        flag_of(resolved.get("ok")),
        word(resolved.get("channel")),
        _recipient(resolved.get("to")),
        flag_of(delivery.get("fallbackUsed")),
        phrases.id_of(entry["summary"]) if isinstance(entry.get("summary"), str) else None,
        short_text(entry.get("model")),
        short_text(entry.get("provider")),
        count_of(entry.get("durationMs")),
        time_of(entry.get("nextRunAtMs")),
    )


def _recipient(value: Any) -> str | None:
    """A chat, number, address or URL as a short hash."""
    text = short_text(value, limit=2_000)
    return peer_label(text) if text is not None else None


def _is_builtin(job: Mapping[str, Any], payload: Mapping[str, Any]) -> bool:
    name, description = (_text(job.get(key)) or "" for key in ("name", "description"))
    return (
        payload.get("kind") == "heartbeat"
        or _text(job.get("declarationKey")) is not None
        or _BUILTIN_NAME.fullmatch(name) is not None
        or description.startswith(_MANAGED)
    )


def _error_kind(status: Any, text: Any, reason: Any) -> str | None:
    """What made a run fail. A skipped run gives a reason too, but nothing went wrong."""
    if status in ("ok", "skipped"):
        return None
    fields = {"errorMessage": text, "errorCode": reason if isinstance(reason, str) else None}
    return error_kind(fields, stop_reason="error" if status == "error" else None)


def _target(value: Any) -> str | None:
    """`session:<id>` names a session; that it is one is enough here."""
    return word(value.partition(":")[0]) if isinstance(value, str) else None


def _agent_in(session_key: str | None) -> str | None:
    match = _AGENT.match(session_key) if session_key else None
    return match[1] if match else None


def _matching(pattern: re.Pattern[str], value: Any) -> str | None:
    return value if isinstance(value, str) and len(value) <= _LONGEST and pattern.fullmatch(value) else None


def _text(value: Any) -> str | None:
    return value[:500] or None if isinstance(value, str) else None
