"""What went wrong with a model call: one word from a fixed list, so that no error text enters the warehouse.

Belongs here: the list and how the error fields of an assistant line map to it. Codes and types decide before phrases,
phrases before the bare HTTP status: a spent LiteLLM budget arrives as 422 and would pass for a bad request.
"""

import re
from collections.abc import Mapping
from typing import Any

ERROR_KINDS: dict[str, str] = {
    "budget": "a budget or the account's credit is spent",
    "rate_limit": "a rate limit; the line does not say whose",
    "context_window": "the request is longer than the model's context window",
    "content_filter": "a content filter refused",
    "auth": "credentials were refused",
    "unknown_model": "there is no such model",
    "timeout": "no answer in time",
    "provider_error": "the provider failed, was overloaded or could not be reached",
    "bad_request": "the request was refused as invalid",
    "aborted": "the run was stopped",
    "other": "anything else",
}
"""Every kind and its meaning."""

_WORDS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), kind)
    for pattern, kind in (
        (r"budget.{0,3}exceeded|budget has been exceeded|exceededbudget|insufficient_quota|over budget", "budget"),
        (r"billing|insufficient (credit|balance|funds)|payment required|credit balance", "budget"),
        (
            r"context.{0,3}(length|window).{0,12}exceed|prompt is too long|maximum context|context overflow",
            "context_window",
        ),
        (r"content.{0,3}(filter|policy|management)|safety (system|filter|setting)|responsible ai", "content_filter"),
        (r"rate.?limit|too many requests|throttl|tokens per min|requests per min|resource.?exhausted", "rate_limit"),
        (r"time[d ]?.?out|deadline exceeded|etimedout", "timeout"),
        (
            r"model.{0,40}(not found|does not exist|not supported)|invalid model|unknown model|no such model",
            "unknown_model",
        ),
        (
            r"unauthor|authentication|invalid.{0,12}api.?key|permission denied|forbidden|expired.{0,12}(key|token)",
            "auth",
        ),
        (r"overloaded|internal.?server.?error|bad gateway|service unavailable|no deployments", "provider_error"),
        (
            r"econn|enotfound|socket hang up|fetch failed|connection (error|refused|reset)|network (error|connection)",
            "provider_error",
        ),
        (r"\baborted\b|\bcancell?ed\b", "aborted"),
        (r"invalid.?request|bad.?request|unprocessable|request schema", "bad_request"),
    )
)
"""Phrases and codes, the most telling first. They are looked for in the code and type, then in the message."""

_STATUSES: dict[str, str] = {
    "400": "bad_request",
    "401": "auth",
    "402": "budget",
    "403": "auth",
    "404": "unknown_model",
    "408": "timeout",
    "413": "context_window",
    "422": "bad_request",
    "429": "rate_limit",
    "499": "aborted",
    "504": "timeout",
    "529": "provider_error",
}
_STATUS = re.compile(r"(?:^|\bstatus(?: code)?[ :=]+|\bhttp[ :]+)(\d{3})\b", re.IGNORECASE)
_MESSAGE_HEAD = 500
"""Characters of a message that are looked at: the cause stands first, what follows quotes other attempts."""


def error_kind(message: Mapping[str, Any], *, stop_reason: str | None) -> str | None:
    """One of ERROR_KINDS for a failed or stopped assistant message, None for one that went well."""
    text = message.get("errorMessage")
    if stop_reason not in ("error", "aborted") and not isinstance(text, str):
        return None
    if stop_reason == "aborted":
        return "aborted"
    codes = " ".join(str(message.get(name) or "") for name in ("errorCode", "errorType"))
    head = text[:_MESSAGE_HEAD] if isinstance(text, str) else ""
    return _by_words(codes) if _is_telling(codes) else _by_words(head) or _by_status(f"{head} {codes}") or "other"


def _is_telling(codes: str) -> bool:
    kind = _by_words(codes)
    return kind is not None and kind != "bad_request"


def _by_words(text: str) -> str | None:
    return next((kind for pattern, kind in _WORDS if pattern.search(text)), None)


def _by_status(text: str) -> str | None:
    match = _STATUS.search(text.strip())
    if match is None:
        return None
    return _STATUSES.get(match[1]) or ("provider_error" if match[1].startswith("5") else None)
