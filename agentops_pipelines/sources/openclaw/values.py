"""Single values out of a transcript: counts, money, times, short texts.

Belongs here: what a value must look like to be believed. A value of the wrong kind raises BadValue with a reason of
the quarantine's vocabulary; a missing one is None.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from agentops_pipelines.sources.schemas import MAX_TOKENS, MAX_USD

MICROSECOND = 1
MILLISECOND = 1_000 * MICROSECOND
SECOND = 1_000 * MILLISECOND

EARLIEST = 946_684_800 * SECOND
"""2000-01-01, in microseconds since 1970."""
LATEST = 4_102_444_800 * SECOND
"""2100-01-01, in microseconds since 1970."""
_EARLIEST_MS = EARLIEST // MILLISECOND
_LATEST_MS = LATEST // MILLISECOND

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.:/-]{0,63}")


class BadValue(Exception):
    """A value that cannot be believed. `reason` is from problems.REASONS."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def micros(value: Any) -> int | None:
    """A time as microseconds since 1970 (UTC), from ISO text or epoch milliseconds; None when there is none.

    Raises BadValue(timestamp_out_of_range) for anything else.
    """
    if type(value) is int and _EARLIEST_MS <= value < _LATEST_MS:
        return value * MILLISECOND
    if value is None:
        return None
    if isinstance(value, str):
        result = _iso_micros(value)
    elif isinstance(value, float) and abs(value) < _LATEST_MS:
        result = int(value * MILLISECOND)
    else:
        raise BadValue("timestamp_out_of_range")
    if EARLIEST <= result < LATEST:
        return result
    raise BadValue("timestamp_out_of_range")


def _iso_micros(text: str) -> int:
    try:
        # JavaScript writes a zone; without one it is UTC here, never the zone of this machine.
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return round(moment.timestamp() * SECOND)
    except (ValueError, OverflowError):
        raise BadValue("timestamp_out_of_range") from None


def tokens(value: Any) -> int | None:
    """A token count; None when there is none. Raises BadValue for negative, huge and non-numeric ones."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadValue("wrong_type")
    if value < 0:
        raise BadValue("negative_tokens")
    if not value <= MAX_TOKENS:
        raise BadValue("tokens_out_of_range")
    return int(value)


def usd(value: Any) -> float | None:
    """An amount in USD as OpenClaw believes it: finite and not negative, else None. Raises BadValue beyond MAX_USD."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        return None
    if value > MAX_USD:
        raise BadValue("cost_out_of_range")
    return float(value)


def short_text(value: Any, *, limit: int = 200) -> str | None:
    """A name or id; None for anything but a text that has something in it. Numbers are written out."""
    if isinstance(value, str):
        return value[:limit] or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)[:limit]
    return None


def word(value: Any) -> str | None:
    """One word of a vocabulary that OpenClaw may extend (a trigger, a status); None for anything that is no word."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None


def mapping(value: Any) -> Mapping[str, Any]:
    """An object, or an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}


def without_surrogates(value: Any) -> Any:
    """The same JSON value with lone surrogates (which JavaScript writes and Arrow refuses) replaced by `?`."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, list):
        return [without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {without_surrogates(key): without_surrogates(item) for key, item in value.items()}
    return value
