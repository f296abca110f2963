"""Calls whose transcript is gone, out of the trajectory that is left of their session (2026.6).

Belongs here: what a `model.completed` event still says about the calls of its run. OpenClaw deletes the transcript of
an event that a cron job puts into the main lane, and keeps the trajectory beside it. Only calls with a response id are
taken: should the transcript have been read before, or come back, the id tells that both are the same call.

An event repeats what was said in earlier runs of its session: only what began since its own run started is its own.
Texts are measured and forgotten, as in transcripts.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from agentops_pipelines.sources.openclaw.calls import Message, call_values, is_mirror
from agentops_pipelines.sources.openclaw.places import Place
from agentops_pipelines.sources.openclaw.rows import Sink
from agentops_pipelines.sources.openclaw.values import MILLISECOND, SECOND, BadValue, mapping, micros, short_text

COMPLETED = b'"type":"model.completed"'

SKIP_RECOVERING = re.compile(
    rb'\{"traceSchema":"[^"\\\n]*","schemaVersion":\d+,"traceId":"[^"\\\n]*","source":"[^"\\\n]*",'
    rb'"type":"(?!session\.|model\.completed")'
)
"""How events begin that hold nothing for us even where the transcript is gone."""


def add_calls(event: Mapping[str, Any], index: int, *, place: Place, since: int | None, sink: Sink) -> None:
    """Put the calls of a `model.completed` event into the sink; `since` is its run's start in microseconds."""
    said = mapping(event.get("data")).get("messagesSnapshot")
    messages = [message for message in said if isinstance(message, dict)] if isinstance(said, list) else []
    starts = [_micros(message.get("timestamp")) for message in messages]
    end = _micros(event.get("ts"))
    for message, start, next_start in zip(messages, starts, [*starts, end][1:], strict=True):
        response_id = short_text(message.get("responseId"))
        if message.get("role") != "assistant" or response_id is None or start is None:
            continue
        if since is not None and start < since:
            continue
        # An answer was written when what follows it began: a tool's result, or the end of the model's part of the run.
        written = max(start, next_start or start)
        entry = {
            "id": f"trajectory:{start // MILLISECOND}:{response_id}",
            "parentId": None,
            "timestamp": _iso(written),
        }
        _add_call(entry, {**message, "__openclaw": {"runId": event.get("runId")}}, index, place=place, sink=sink)


def _add_call(entry: Message, message: Message, index: int, *, place: Place, sink: Sink) -> None:
    if is_mirror(entry, message):
        return
    try:
        sink.lines.calls.append((place, index, *call_values(entry, message, sink.phrases)))
    except BadValue as problem:
        sink.refuse(place.item, index + place.counts_from, problem.reason)


def _micros(value: Any) -> int | None:
    try:
        return micros(value)
    except BadValue:
        return None


def _iso(moment: int) -> str:
    """As OpenClaw writes times."""
    return datetime.fromtimestamp(moment / SECOND, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
