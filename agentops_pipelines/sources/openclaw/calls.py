"""Model calls out of assistant messages.

Belongs here: which assistant messages are model calls, and the values of one. The same is said twice: once for a single
message of whatever shape, and once for hundreds of ordinary ones as columns, which takes a third of the time. What is
not ordinary in a group sends the group the careful way; a test holds the two against each other.
"""

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any

import orjson

from agentops_pipelines.sources.openclaw.errors import error_kind
from agentops_pipelines.sources.openclaw.keys import public_run_id
from agentops_pipelines.sources.openclaw.phrases import HEARTBEAT_RESPOND, PollPhrases
from agentops_pipelines.sources.openclaw.places import Place
from agentops_pipelines.sources.openclaw.usage import plain_usages, usage_of
from agentops_pipelines.sources.openclaw.values import BadValue, mapping, word

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

_GROUP = 64
"""Messages that are made into columns together: enough to pay, few enough to stay in the processor's cache."""

_MIRROR_PROVIDER = "openclaw"
_MIRROR_MODELS = ("delivery-mirror", "gateway-injected")
_MIRROR_FIELD = "openclawDeliveryMirror"
_NO_ANSWER = "[assistant turn failed before producing content]"
"""What OpenClaw 2026.6 writes where a failed call's text would stand."""
_TOOL_TYPES = frozenset(
    ("toolCall", "toolcall", "tool_call", "toolUse", "tooluse", "tool_use", "functionCall", "function_call")
)
_WENT_WELL = frozenset(("stop", "toolUse", "length"))

Message = Mapping[str, Any]
RefuseRow = Callable[[Place, int, str], None]
"""Told the place, the line's index and the reason."""
_Waiting = tuple[Place, int, Message, Message]

_of_entry = itemgetter("id", "parentId", "timestamp")
_of_message = itemgetter("timestamp", "provider", "model", "usage", "stopReason", "content")


class CallRows:
    """Calls gathered as columns. Messages wait in a small group until they are worth it."""

    def __init__(self, phrases: PollPhrases, *, refuse: RefuseRow) -> None:
        self._phrases = phrases
        self._refuse = refuse
        self._waiting: list[_Waiting] = []
        self.columns: tuple[list[Any], ...] = tuple([] for _ in CALL_COLUMNS)

    def __len__(self) -> int:
        return len(self.columns[0]) + len(self._waiting)

    def add(self, place: Place, index: int, entry: Message, message: Message) -> None:
        """The assistant message of a transcript line; `index` is the line's number."""
        self._waiting.append((place, index, entry, message))
        if len(self._waiting) >= _GROUP:
            self.settle()

    def settle(self) -> None:
        """Make columns of the messages that wait."""
        group = [waiting for waiting in self._waiting if not _is_mirror(waiting[2], waiting[3])]
        self._waiting.clear()
        if not group:
            return
        try:
            parts = _group_columns(group, self._phrases)
        except (KeyError, TypeError, _UnusualError):
            self._add_each(group)
            return
        for column, values in zip(self.columns, parts, strict=True):
            column.extend(values)

    def clear(self) -> None:
        """Forget the columns."""
        for column in self.columns:
            column.clear()

    def _add_each(self, group: list[_Waiting]) -> None:
        for place, index, entry, message in group:
            try:
                values = (place, index, *call_values(entry, message, self._phrases))
            except BadValue as problem:
                self._refuse(place, index, problem.reason)
                continue
            for column, value in zip(self.columns, values, strict=True):
                column.append(value)


class _UnusualError(Exception):
    """A message in the group is not as OpenClaw writes nearly all of them."""


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


def _group_columns(group: list[_Waiting], phrases: PollPhrases) -> tuple[Any, ...]:
    """The columns of ordinary calls. Raises when one of them is not ordinary."""
    places, indexes, entries, messages = zip(*group, strict=True)
    ids, parents, written = zip(*map(_of_entry, entries), strict=True)
    started, providers, models, usages, stops, contents = zip(*map(_of_message, messages), strict=True)
    texts, tools = _texts_and_tools(contents)
    longest, id_of = phrases.longest, phrases.id_of
    found = [None if count or len(text) > longest else id_of(text) for text, count in zip(texts, tools, strict=True)]
    errors: list[str | None] = [None] * len(group)
    lengths = list(map(len, texts))
    for row, (message, stop) in enumerate(zip(messages, stops, strict=True)):
        if stop not in _WENT_WELL or "errorMessage" in message:
            errors[row] = error_kind(message, stop_reason=stop)
            found[row] = None if stop == "error" else found[row]
            lengths[row] = 0 if errors[row] is not None and texts[row] == _NO_ANSWER else lengths[row]
    if not all(ids) or not all(providers) or not all(models):
        raise _UnusualError
    return (
        places,
        indexes,
        ids,
        parents,
        written,
        started,
        providers,
        models,
        [message.get("responseModel") for message in messages],
        [message.get("responseId") for message in messages],
        *plain_usages(usages),
        [stop if stop in _WENT_WELL else word(stop) for stop in stops],
        errors,
        tools,
        lengths,
        found,
        [run_id_of(message) if "__openclaw" in message else None for message in messages],
    )


def _texts_and_tools(contents: tuple[Any, ...]) -> tuple[list[str], list[int]]:
    """Visible text and number of tool calls of each content that is a list of parts as OpenClaw writes them."""
    texts: list[str] = []
    tools: list[int] = []
    for content in contents:
        text: str | None = None
        calls = 0
        for part in content:
            kind = part["type"]
            if kind == "text":
                if text is not None or type(part["text"]) is not str:
                    raise _UnusualError
                text = part["text"]
            elif kind == "toolCall":
                calls += 1
                if part["name"] == HEARTBEAT_RESPOND:
                    raise _UnusualError
            elif kind != "thinking":
                raise _UnusualError
        texts.append(text or "")
        tools.append(calls)
    return texts, tools


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
    own, key = message.get("__openclaw"), message.get("idempotencyKey")
    run_id = own.get("runId") if isinstance(own, dict) else None
    if run_id is None and isinstance(key, str) and key.endswith(":user"):
        run_id = key.removesuffix(":user")
    return public_run_id(run_id) if isinstance(run_id, str) and run_id else None


def _is_mirror(entry: Message, message: Message) -> bool:
    """Replies that OpenClaw repeats or injects: no model was called."""
    provider = message.get("provider") or entry.get("provider")
    if provider == _MIRROR_PROVIDER and (message.get("model") or entry.get("model")) in _MIRROR_MODELS:
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
