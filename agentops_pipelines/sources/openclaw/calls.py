"""Model calls out of assistant messages of whatever shape.

Belongs here: which assistant messages are model calls, and the values of one. The module ordinary says the same of
messages as OpenClaw writes nearly all of them, in a fraction of the time; a test holds the two against each other.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from agentops_pipelines.sources.openclaw.errors import error_kind
from agentops_pipelines.sources.openclaw.keys import public_run_id
from agentops_pipelines.sources.openclaw.phrases import HEARTBEAT_RESPOND, PollPhrases
from agentops_pipelines.sources.openclaw.usage import usage_of
from agentops_pipelines.sources.openclaw.values import mapping, word

CALL_COLUMNS = (
    "place",
    "position",
    "line_id",
    "parent_line_id",
    "written_at",
    "started_at",
    "provider",
    "model",
    "response_model",
    "response_id",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "estimate_usd",
    "stop_reason",
    "error_kind",
    "tool_calls",
    "reply_chars",
    "poll_phrase",
    "run_id",
)
"""Values of a call, in order: as they stand in the message where they can be checked by the column."""

MIRROR_PROVIDER = "openclaw"
_MIRROR_MODELS = ("delivery-mirror", "gateway-injected")
_MIRROR_FIELD = "openclawDeliveryMirror"
_NO_ANSWER = "[assistant turn failed before producing content]"
"""What OpenClaw 2026.6 writes where a failed call's text would stand."""
_TOOL_TYPES = frozenset(
    ("toolCall", "toolcall", "tool_call", "toolUse", "tooluse", "tool_use", "functionCall", "function_call")
)

Message = Mapping[str, Any]


def call_values(entry: Message, message: Message, phrases: PollPhrases) -> tuple[Any, ...]:
    """The columns of one call after place and position. Raises BadValue when its usage cannot be believed."""
    raw = message.get("usage")
    usage = usage_of(entry.get("usage") if raw is None else raw)
    stop_reason = message.get("stopReason")
    text, tool_calls, is_quiet_poll = content_of(message.get("content"))
    error = error_kind(message, stop_reason=stop_reason)
    if error is not None and text == _NO_ANSWER:
        text = ""
    phrase = None
    if is_quiet_poll:
        phrase = None if text.strip() else HEARTBEAT_RESPOND
    elif not tool_calls and stop_reason != "error":
        phrase = phrases.id_of(text)
    return (
        entry.get("id") or None,
        entry.get("parentId"),
        entry.get("timestamp"),
        message.get("timestamp"),
        message.get("provider") or entry.get("provider"),
        message.get("model") or entry.get("model"),
        message.get("responseModel"),
        message.get("responseId"),
        *usage,
        word(stop_reason),
        error,
        tool_calls,
        len(text),
        phrase,
        run_id_of(message),
    )


def content_of(content: Any) -> tuple[str, int, bool]:
    """Visible text, number of tool calls, and whether one of them reports a heartbeat without news."""
    if isinstance(content, str):
        return content, 0, False
    if not isinstance(content, list):
        return "", 0, False
    texts: list[str] = []
    tool_calls = 0
    is_quiet_poll = False
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "text" and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif isinstance(kind, str) and kind in _TOOL_TYPES:
            tool_calls += 1
            if part.get("name") == HEARTBEAT_RESPOND and _arguments(part).get("notify") is False:
                is_quiet_poll = True
    return "\n".join(texts), tool_calls, is_quiet_poll


def run_id_of(message: Message) -> str | None:
    """2026.9+: assistant lines name their run; user lines hold it in the key that makes their writing idempotent."""
    own = message.get("__openclaw")
    return public_run(own.get("runId") if isinstance(own, dict) else None, message.get("idempotencyKey"))


def public_run(run_id: Any, key: Any) -> str | None:
    """A message's run id out of the two fields that may hold it."""
    if run_id is None and isinstance(key, str) and key.endswith(":user"):
        run_id = key.removesuffix(":user")
    return public_run_id(run_id) if isinstance(run_id, str) and run_id else None


def is_mirror(entry: Message, message: Message) -> bool:
    """Replies that OpenClaw repeats or injects: no model was called."""
    provider = message.get("provider") or entry.get("provider")
    if provider == MIRROR_PROVIDER and (message.get("model") or entry.get("model")) in _MIRROR_MODELS:
        return True
    return _MIRROR_FIELD in message


def _arguments(part: Message) -> Message:
    arguments = part.get("arguments", part.get("input"))
    if isinstance(arguments, str):
        try:
            arguments = orjson.loads(arguments)
        except orjson.JSONDecodeError:
            return {}
    return mapping(arguments)
