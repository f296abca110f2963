"""Assistant and user lines as OpenClaw writes nearly all of them, decoded past everything that nothing here reads.

Belongs here: what an ordinary line looks like, and its columns. Does not belong here: any line that is unusual in the
least (a failed call, a mirrored reply, a value of another type, damaged JSON, a usage field that is not known here).
Such a line does not decode as a `Line`, and the careful way (transcripts, calls) has it whole. For ordinary lines both
ways give the same rows, which a test holds against each other.

An object's fields that are not named here are skipped without being made into anything: that is what takes a fraction
of the time. Fields whose mere presence makes a line unusual are named for that reason.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from agentops_pipelines.sources.openclaw.calls import MIRROR_PROVIDER, public_run
from agentops_pipelines.sources.openclaw.marks import mark_of, ticket_keys
from agentops_pipelines.sources.openclaw.phrases import HEARTBEAT_RESPOND, PollPhrases
from agentops_pipelines.sources.openclaw.places import Place
from agentops_pipelines.sources.openclaw.usage import PROVIDER_BILLED

NOT_ORDINARY = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What `line_of` raises."""

Filled = Annotated[str, Meta(min_length=1)]
Row = tuple[object, ...]


class Said(Struct, tag_field="type", tag="text", gc=False):
    """Visible text."""

    text: str


class Thought(Struct, tag_field="type", tag="thinking", gc=False):
    """Reasoning."""


class ToolCall(Struct, tag_field="type", tag="toolCall", gc=False):
    """A tool call."""

    name: str


class Image(Struct, tag_field="type", tag="image", gc=False):
    """A picture."""


class Cost(Struct, gc=False):
    """Cost in USD as OpenClaw computed it."""

    total: float
    input: float = 0
    output: float = 0
    cache_read: float = field(default=0, name="cacheRead")
    cache_write: float = field(default=0, name="cacheWrite")
    total_origin: str | None = field(default=None, name="totalOrigin")


class Usage(Struct, gc=False, forbid_unknown_fields=True):
    """Token counts under OpenClaw's own names. Any other name may change what these mean."""

    input: int
    output: int
    cache_read: int = field(name="cacheRead")
    cache_write: int = field(name="cacheWrite")
    cost: Cost
    reasoning: int | None = field(default=None, name="reasoningTokens")
    total: int | None = field(default=None, name="totalTokens")


class Own(Struct, gc=False):
    """OpenClaw's own fields (2026.9+)."""

    run_id: str | None = field(default=None, name="runId")


class Answer(Struct, tag_field="role", tag="assistant", gc=False):
    """A call that went well."""

    content: list[Said | Thought | ToolCall]
    provider: Filled
    model: Filled
    usage: Usage
    stop_reason: Literal["stop", "toolUse", "length"] = field(name="stopReason")
    timestamp: int | None = None
    response_id: str | None = field(default=None, name="responseId")
    response_model: str | None = field(default=None, name="responseModel")
    own: Own | None = field(default=None, name="__openclaw")
    idempotency_key: str | None = field(default=None, name="idempotencyKey")
    error_message: None = field(default=None, name="errorMessage")
    mirror: Any | UnsetType = field(default=UNSET, name="openclawDeliveryMirror")


class Question(Struct, tag_field="role", tag="user", gc=False):
    """What a user, or OpenClaw in their place, said."""

    content: str | list[Said | Image]
    timestamp: int | None = None
    own: Own | None = field(default=None, name="__openclaw")
    idempotency_key: str | None = field(default=None, name="idempotencyKey")
    provenance: None = None


class Line(Struct, gc=False):
    """An ordinary line."""

    type: Literal["message"]
    """No tag: msgspec lets a line without one pass where there is nothing to choose from."""
    id: Filled
    message: Answer | Question
    parent_id: str | None = field(default=None, name="parentId")
    timestamp: str | None = None


line_of = msgspec.json.Decoder(Line).decode
"""The ordinary line in some bytes. Raises one of NOT_ORDINARY for every other."""


def answer_row(place: Place, index: int, line: Line, message: Answer, phrases: PollPhrases) -> Row | None:
    """A call's values in the order of CALL_COLUMNS; None when the careful way must judge it after all."""
    if message.provider == MIRROR_PROVIDER or message.mirror is not UNSET:
        return None
    text: str | None = None
    tool_calls = 0
    for part in message.content:
        if isinstance(part, Said):
            text = part.text if text is None else f"{text}\n{part.text}"
        elif isinstance(part, ToolCall):
            if part.name == HEARTBEAT_RESPOND:
                return None
            tool_calls += 1
    text = text or ""
    usage = message.usage
    total = usage.cost.total
    return (
        place,
        index,
        line.id,
        line.parent_id,
        line.timestamp,
        message.timestamp,
        message.provider,
        message.model,
        message.response_model,
        message.response_id,
        usage.input,
        usage.cache_read,
        usage.cache_write,
        usage.output,
        usage.reasoning,
        total if total > 0 else _unpriced(usage),
        message.stop_reason,
        None,
        tool_calls,
        len(text),
        None if tool_calls or len(text) > phrases.longest else phrases.id_of(text),
        _run_id(message),
    )


def question_row(place: Place, index: int, line: Line, message: Question) -> Row:
    """A user line's values in the order of USER_COLUMNS."""
    content = message.content
    text = content if isinstance(content, str) else "\n".join([part.text for part in content if isinstance(part, Said)])
    mark = mark_of(text, provenance={})
    return (
        place,
        index,
        line.id,
        line.parent_id,
        line.timestamp,
        message.timestamp,
        len(text),
        _run_id(message),
        mark and mark.kind,
        mark and mark.id,
        mark and mark.name,
        None,
        None,
        ticket_keys(text),
    )


def _unpriced(usage: Usage) -> float | None:
    """What usage._unpriced says of a total that is not positive."""
    cost = usage.cost
    if cost.total < 0:
        return None
    if not (usage.input or usage.cache_read or usage.cache_write or usage.output):
        return 0.0
    if cost.total_origin == PROVIDER_BILLED or cost.input or cost.output or cost.cache_read or cost.cache_write:
        return 0.0
    return None


def _run_id(message: Answer | Question) -> str | None:
    own, key = message.own, message.idempotency_key
    if own is None and key is None:
        return None
    return public_run(None if own is None else own.run_id, key)
