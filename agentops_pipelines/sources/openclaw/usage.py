"""Tokens and cost of an assistant line.

Belongs here: the names under which providers and harnesses report usage, and when a recorded cost is believed. Both
follow OpenClaw's own accounting (2026.9.6, normalizeUsage and hasRecordedUsageCost).

Tokens are disjoint: input excludes what was read from or written to the prompt cache; output includes reasoning.
"""

import math
from collections.abc import Mapping
from typing import Any

from agentops_pipelines.sources.openclaw.values import BadValue, tokens

_INPUT = ("input", "inputTokens", "input_tokens", "promptTokens", "prompt_tokens", "prompt_n")
_OUTPUT = ("output", "outputTokens", "output_tokens", "completionTokens", "completion_tokens", "predicted_n")
_CACHE_READ = ("cacheRead", "cache_read", "cache_read_input_tokens", "cached_input_tokens", "cached", "cached_tokens")
_CACHE_WRITE = ("cacheWrite", "cache_write", "cache_creation_input_tokens", "cache_write_input_tokens")
_REASONING = ("reasoningTokens", "reasoning_tokens")
_INPUT_DETAILS = ("input_tokens_details", "prompt_tokens_details")
_OUTPUT_DETAILS = ("completion_tokens_details", "output_tokens_details")
_OTHER_CACHE_NAMES = frozenset((*_CACHE_READ[1:], *_CACHE_WRITE[1:], *_INPUT_DETAILS))
"""Names that say that the input includes cached tokens."""
_NOTHING = (0, 0, 0, 0)
PROVIDER_BILLED = "provider-billed"
"""Origin of a cost that the provider itself named."""


Usage = tuple[Any, Any, Any, Any, Any, float | None]
"""Input, cache read, cache write, output and reasoning tokens, cost in USD; None where the line does not say."""

NO_USAGE: Usage = (None, None, None, None, None, None)


def usage_of(raw: Any) -> Usage:
    """What a usage object says. Raises BadValue when it is none or a count in it cannot be believed.

    Counts under OpenClaw's own names come back as they are: the caller checks them by the column.
    """
    if raw is None:
        return NO_USAGE
    if not isinstance(raw, dict):
        raise BadValue("wrong_type")
    try:
        counts = (raw["input"], raw["cacheRead"], raw["cacheWrite"], raw["output"])
    except KeyError:
        counts = None
    if counts is None or None in counts or not _OTHER_CACHE_NAMES.isdisjoint(raw):
        return _usage_by_any_name(raw)
    cost = raw.get("cost")
    total = cost.get("total") if type(cost) is dict else None
    if type(total) is not float or total <= 0:
        total = _unpriced(cost, total, is_used=counts != _NOTHING)
    return (*counts, raw.get("reasoningTokens"), total)


def _usage_by_any_name(raw: Mapping[str, Any]) -> Usage:
    cache_read = _first(raw, _CACHE_READ)
    read_inside_input = raw.get("cached_tokens") is not None
    if cache_read is None:
        cache_read = _first_detail(raw, _INPUT_DETAILS, ("cached_tokens",))
        read_inside_input = cache_read is not None
    cache_write = _first(raw, _CACHE_WRITE)
    write_inside_input = raw.get("cache_write_input_tokens") is not None
    if cache_write is None:
        cache_write = _first_detail(raw, _INPUT_DETAILS, ("cache_write_tokens", "cache_creation_input_tokens"))
        write_inside_input = cache_write is not None
    given = _first(raw, _INPUT)
    output = _first(raw, _OUTPUT)
    reasoning = _first(raw, _REASONING)
    if reasoning is None:
        reasoning = _first_detail(raw, _OUTPUT_DETAILS, ("reasoning_tokens", "thinking_tokens"))
    if given is None and output is None and cache_read is None and cache_write is None:
        return NO_USAGE
    uncached = given or 0
    is_own_name = raw.get("input") is not None
    if read_inside_input or (
        not is_own_name and (raw.get("cached_input_tokens") is not None or raw.get("cached") is not None)
    ):
        uncached -= cache_read or 0
    if write_inside_input and not is_own_name:
        uncached -= cache_write or 0
    counts = (max(0, uncached), cache_read or 0, cache_write or 0, output or 0)
    cost = raw.get("cost")
    total = cost.get("total") if isinstance(cost, dict) else None
    return (*counts, reasoning, _unpriced(cost, total, is_used=counts != _NOTHING))


def _unpriced(cost: Any, total: Any, *, is_used: bool) -> float | None:
    """A total that is not plainly a positive amount. Finite and not negative, OpenClaw believes it.

    A provider without a configured price leaves zeros behind: with tokens used, they are no evidence of a free call.
    """
    if isinstance(total, bool) or not isinstance(total, int | float) or not 0 <= total < math.inf:
        return None
    if total or not is_used or cost.get("totalOrigin") == PROVIDER_BILLED:
        return float(total)
    has_parts = cost.get("input") or cost.get("output") or cost.get("cacheRead") or cost.get("cacheWrite")
    return 0.0 if has_parts else None


def _first(raw: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    for name in names:
        value = raw.get(name)
        if value is not None:
            return tokens(value)
    return None


def _first_detail(raw: Mapping[str, Any], groups: tuple[str, ...], names: tuple[str, ...]) -> int | None:
    for group in groups:
        details = raw.get(group)
        if details is not None and not isinstance(details, dict):
            raise BadValue("wrong_type")
        found = _first(details or {}, names)
        if found is not None:
            return found
    return None
