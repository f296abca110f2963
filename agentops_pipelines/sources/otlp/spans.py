"""What a line of an OTLP/JSON file says: rows of the spans that are model calls, or that name a ticket.

Belongs here: which spans count, what each is, and which of it cannot be believed. Does not belong here: names and
values of attributes (attributes.py), files (reader.py).

A span is a `call` when it is about one model call, a `run` when its tokens are the sum of several calls (OpenClaw's
`openclaw.model.usage`, a turn of an agent's own program, the conventions' `invoke_agent`), and is kept as `other` when
it only names a ticket; where the whole program does, one such span of a trace is enough. All other spans are counted
and forgotten, lines of metrics and logs are not even parsed.
"""

import re
from collections.abc import Mapping
from typing import Any

from agentops_pipelines.sources.litellm.errors import error_kind
from agentops_pipelines.sources.litellm.values import identifier, key_hash, label, text
from agentops_pipelines.sources.openclaw.keys import public_key
from agentops_pipelines.sources.openclaw.lines import LineScanner, Progress, values_of
from agentops_pipelines.sources.openclaw.machine import TableSink, agent_id_of
from agentops_pipelines.sources.openclaw.values import EARLIEST, LATEST, BadValue, mapping, short_text, word
from agentops_pipelines.sources.otlp import attributes as names
from agentops_pipelines.sources.otlp.attributes import Attributes, attributes_of, count, dict_of, first, token_count
from agentops_pipelines.sources.schemas import OTEL_READS, OTEL_SPANS

OPENING = b'{"resourceSpans":'
_SKIP = re.compile(rb'\s*\{\s*"resource(?:Metrics|Logs|Profiles)"')

_TRACE_ID = re.compile(r"[0-9a-fA-F]{32}")
_SPAN_ID = re.compile(r"[0-9a-fA-F]{16}")
_NANOSECONDS = re.compile(r"\d{1,19}")
_NANOSECONDS_PER_MICROSECOND = 1_000
_ERROR = (2, "2", "STATUS_CODE_ERROR")
_OTHER_SIGNALS = ("resourceMetrics", "resourceLogs", "resourceProfiles")
_SUMS = ("invoke_agent", "create_agent", "invoke_workflow")
"""Operations whose usage, if they state one, is that of the calls below them."""
_NO_MODEL = ("execute_tool", "retrieval")
_UNIT_OF_A_TURN = "turn"

Tokens = tuple[int, int, int, int, int]
"""Prompt (cached tokens included), cache read, cache write, output, reasoning."""


class SpanLines:
    """The lines of one file; gives its rows to the sink. `newest` is the latest end of a span that was kept."""

    session_id = ""
    """A file of spans belongs to no session."""

    def __init__(self, *, sink: TableSink, item: str) -> None:
        self.newest: int | None = None
        self._sink = sink
        self._item = item
        self._begin = 0
        self._parsed = self._spans = self._kept = self._other_signals = 0

    def scanner(self, begin: Progress) -> LineScanner:
        """A scanner that hands this file its lines."""
        self._begin = begin.lines
        return LineScanner(
            skip=_SKIP,
            opening=OPENING,
            handle=self._handle,
            refuse_long=lambda index: self.refuse(index, "line_too_long"),
            begin=begin,
        )

    def handle_last(self, raw: bytes, index: int) -> None:
        """A last line that has no end but is whole."""
        self._handle(raw, index)

    def refuse(self, index: int, reason: str) -> None:
        """Note a line that cannot be used."""
        self._sink.refuse(self._item, index + 1, reason)

    def progress(self, scanned: Progress) -> Progress:
        """All lines scanned are done with."""
        return scanned

    def finish(self, *, is_from_beginning: bool, lines: int) -> None:
        """The end is reached: what was met and what was left out."""
        read = lines - self._begin
        skipped = max(0, read - self._parsed) + self._other_signals
        counts = (read, self._spans, self._kept, self._spans - self._kept, skipped)
        if any(counts):
            self._sink.add(OTEL_READS, (self._item, self._begin, *counts))

    def _handle(self, raw: bytes, index: int) -> None:
        self._parsed += 1
        values, lost = values_of(raw, openings=(OPENING,))
        if lost is not None:
            self.refuse(index, lost)
        for value in values:
            if not isinstance(value, dict):
                self.refuse(index, "wrong_type")
            elif "resourceSpans" in value:
                self._add_resources(value["resourceSpans"], index)
            elif any(signal in value for signal in _OTHER_SIGNALS):
                self._other_signals += 1
            elif value:
                self.refuse(index, "unknown_line_type")

    def _add_resources(self, resources: Any, index: int) -> None:
        for resource in self._objects(resources, index):
            about = attributes_of(mapping(resource.get("resource")).get("attributes"))
            scopes = resource.get("scopeSpans", resource.get("instrumentationLibrarySpans"))
            told: set[str] = set()
            for scope in self._objects(scopes, index):
                for span in self._objects(scope.get("spans"), index):
                    self._add_span(span, about, told, index)

    def _objects(self, listed: Any, index: int) -> list[dict[str, Any]]:
        """The objects of a list that may be missing; anything else in its place is refused."""
        if listed is None:
            return []
        found = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        if not isinstance(listed, list) or len(found) < len(listed):
            self.refuse(index, "wrong_type")
        return found

    def _add_span(self, span: Mapping[str, Any], resource: Attributes, told: set[str], index: int) -> None:
        self._spans += 1
        try:
            row = self._row(span, resource, told, index)
        except BadValue as problem:
            self.refuse(index, problem.reason)
            return
        if row is not None:
            self._kept += 1
            self._sink.add(OTEL_SPANS, row)

    def _row(
        self, span: Mapping[str, Any], resource: Attributes, told: set[str], index: int
    ) -> tuple[object, ...] | None:
        about = attributes_of(span.get("attributes"))
        usage = _usage(about)
        kind = _kind(about, has_usage=usage is not None)
        span_ticket, span_attribute = names.ticket(about)
        resource_ticket, resource_attribute = names.ticket(resource)
        if kind is None and span_ticket is None and resource_ticket is None:
            return None
        trace_id, span_id = span.get("traceId"), span.get("spanId")
        if not isinstance(trace_id, str) or not _TRACE_ID.fullmatch(trace_id):
            raise BadValue("wrong_type")
        if not isinstance(span_id, str) or not _SPAN_ID.fullmatch(span_id):
            raise BadValue("wrong_type")
        if kind is None and span_ticket is None and trace_id in told:
            return None
        if resource_ticket is not None:
            told.add(trace_id)
        started_at, ended_at = _times(span)
        self.newest = max(self.newest or ended_at, ended_at)
        status = mapping(span.get("status"))
        is_error = status.get("code") in _ERROR
        hidden = dict_of(about.get(names.HIDDEN_PARAMS))
        labels = _labels(about)
        session_key = first(about, names.SESSION_KEY)
        return (
            trace_id.lower(),
            span_id.lower(),
            kind or "other",
            label(resource.get("service.name")),
            word(first(about, names.OPERATION)),
            text(names.provider(about)),
            text(first(about, names.REQUEST_MODEL)),
            text(first(about, names.MODEL_GROUP)),
            text(hidden.get("litellm_model_name")) or text(first(about, names.SERVED_MODEL)),
            short_text(first(about, names.RESPONSE_ID), limit=1_000),
            text(first(about, names.CALL_ID)),
            _agent(about, session_key),
            short_text(first(about, names.SESSION_ID)),
            None if session_key is None else public_key(session_key[:500]),
            key_hash(first(about, names.KEY_HASH)),
            label(first(about, names.KEY_ALIAS)),
            *(usage or (None,) * 5),
            self._cost(about, hidden, index),
            "error" if is_error else "ok",
            _error_kind(about, status) if is_error else None,
            names.ticket_key(labels.get("ticket")),
            span_ticket,
            resource_ticket,
            span_attribute or resource_attribute,
            label(labels.get("category")),
            label(labels.get("method")),
            label(labels.get("pipeline")),
            label(labels.get("step")),
            started_at,
            ended_at,
            self._item,
            index + 1,
        )

    def _cost(self, about: Attributes, hidden: Mapping[str, Any], index: int) -> float | None:
        try:
            stated = names.cost(about, names.COST)
            return names.cost(hidden, ("response_cost",)) if stated is None else stated
        except BadValue as problem:
            self.refuse(index, problem.reason)  # the call is kept without it
            return None


def _kind(about: Attributes, *, has_usage: bool) -> str | None:
    operation = about.get("gen_ai.operation.name")
    if operation in _NO_MODEL or names.MCP_METHOD in about:
        return None
    is_sum = operation in _SUMS or about.get(names.OBSERVATION_UNIT) == _UNIT_OF_A_TURN or names.RUN_TOKENS in about
    if has_usage:
        return "run" if is_sum else "call"
    has_id = first(about, (*names.RESPONSE_ID, *names.CALL_ID)) is not None
    return "call" if has_id and not is_sum and first(about, names.REQUEST_MODEL) is not None else None


def _usage(about: Attributes) -> Tokens | None:
    """Tokens of a span; None when it states none. Raises BadValue when one of them cannot be believed."""
    prompt, output = count(about, names.PROMPT), count(about, names.OUTPUT)
    uncached = count(about, names.UNCACHED)
    read, written = count(about, names.CACHE_READ), count(about, names.CACHE_WRITE)
    reasoning = count(about, names.REASONING)
    if prompt is None and output is None and uncached is None:
        return None
    usage = dict_of(about.get(names.USAGE_OBJECT))
    inputs, outputs = mapping(usage.get("prompt_tokens_details")), mapping(usage.get("completion_tokens_details"))
    if read is None:
        read = token_count(usage.get("cache_read_input_tokens") or inputs.get("cached_tokens"))
    if written is None:
        written = token_count(usage.get("cache_creation_input_tokens") or inputs.get("cache_creation_tokens"))
    if reasoning is None:
        reasoning = token_count(outputs.get("reasoning_tokens"))
    cached = (read or 0) + (written or 0)
    if prompt is None:
        prompt = (uncached or 0) + cached
    elif cached > prompt:
        prompt += cached  # an instrumentation that counts like its provider: cached tokens beside the others
    return prompt, read or 0, written or 0, output or 0, reasoning or 0


def _labels(about: Attributes) -> Mapping[str, Any]:
    """What the client sent along: the first dict that names anything."""
    for name in names.LABELS:
        found = dict_of(about.get(name))
        if found:
            return {**found, "ticket": found.get("ticket") or found.get("ticket_key")}
    return {}


def _agent(about: Attributes, session_key: str | None) -> str | None:
    parts = session_key.split(":") if session_key is not None else []
    named = parts[1] if len(parts) > 1 and parts[0] == "agent" else first(about, names.AGENT)
    return identifier(agent_id_of(named))


def _error_kind(about: Attributes, status: Mapping[str, Any]) -> str:
    """From LiteLLM's words for it. The message is looked at and forgotten."""
    information = {
        "error_class": first(about, names.ERROR_CLASS),
        "error_message": first(about, names.ERROR_MESSAGE) or status.get("message"),
        "llm_provider": first(about, names.ERROR_PROVIDER),
    }
    return error_kind(information)


def _times(span: Mapping[str, Any]) -> tuple[int, int]:
    """Start and end in microseconds since 1970; one stands for both where the other is missing. Raises BadValue."""
    started_at, ended_at = _micros(span.get("startTimeUnixNano")), _micros(span.get("endTimeUnixNano"))
    if started_at is None:
        started_at = ended_at
    if started_at is None:
        raise BadValue("no_timestamp")
    return started_at, max(started_at, ended_at or started_at)


def _micros(value: Any) -> int | None:
    """Nanoseconds since 1970, as text or number; 0 stands for none."""
    if isinstance(value, str) and _NANOSECONDS.fullmatch(value):
        value = int(value)
    if value is None or value == 0:
        return None
    if type(value) is not int or not EARLIEST <= value // _NANOSECONDS_PER_MICROSECOND < LATEST:
        raise BadValue("timestamp_out_of_range")
    return value // _NANOSECONDS_PER_MICROSECOND
