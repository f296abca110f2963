"""Reads single fields of LiteLLM's JSON: each function takes anything and gives a clean value or None.

Belongs here: how LiteLLM writes text, times, keys and amounts, and what of it can be stored. Which field means what
is rows.py and dimensions.py.
"""

import hashlib
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from agentops_pipelines.sources.privacy import clean_label

EARLIEST = datetime.fromisoformat("2020-01-01")
LATEST = datetime.fromisoformat("2100-01-01")
"""Times outside are broken clocks or broken rows: LiteLLM did not exist before, and polars and DuckDB stay in range."""

MAX_STORED_USD = 999_999.0
"""What DECIMAL(18,12) holds: budgets and sums may be larger than any call's cost."""

LABEL_LENGTH = 120

MAX_UNIT_PRICE = 1_000.0
"""USD per token, beyond which a price is a mistake."""

_TICKET = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}-?\d{1,12}")
TRACE_ID = re.compile(r"[0-9a-fA-F-]{16,64}")


def mapping(value: object) -> Mapping[str, Any]:
    """The object, or an empty one."""
    return value if isinstance(value, Mapping) else {}


def whole_text(value: object) -> str | None:
    """Text of any length: LiteLLM writes '' where it has nothing. Half characters become "?"."""
    if not isinstance(value, str) or not value:
        return None
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def text(value: object) -> str | None:
    """A short identifier."""
    found = whole_text(value)
    return None if found is None else found[:LABEL_LENGTH]


def label(value: object) -> str | None:
    """A name that people choose, hence cut, and cleaned of numbers and addresses."""
    found = whole_text(value)
    # cut before cleaning too: cleaning takes the square of the length
    return None if found is None else clean_label(found[: 4 * LABEL_LENGTH], limit=LABEL_LENGTH).strip() or None


def trace_id(value: object) -> str | None:
    """A session id. Random ones stay whole (cleaning would cut digits out of them), chosen ones are labels."""
    return value if isinstance(value, str) and TRACE_ID.fullmatch(value) else label(value)


def identifier(value: object) -> str | None:
    """An id that a client chose: `FAD-12` and random ones stay whole, anything else is cleaned like a label."""
    return value if isinstance(value, str) and _TICKET.fullmatch(value) else trace_id(value)


def key_hash(value: object) -> str | None:
    """The hash of a virtual key. A key in clear, as some versions log it, is hashed as LiteLLM does."""
    if isinstance(value, str) and value.startswith("sk-"):
        return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
    return text(value)


def parse_time(value: object) -> datetime | None:
    """A timestamp as LiteLLM writes it (with an offset, or without: UTC) as naive UTC."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None
    return moment if EARLIEST <= moment < LATEST else None


def number(value: object) -> float | None:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        result = float(value)
    except OverflowError:
        return None
    return result if math.isfinite(result) else None


def unit_price(value: object) -> float | None:
    """USD per token."""
    price = number(value)
    return price if price is not None and 0 <= price <= MAX_UNIT_PRICE else None


def stored_usd(value: object) -> float | None:
    """An amount of USD that is no call's cost: a budget, a sum. None too when it cannot be stored."""
    amount = number(value)
    return amount if amount is not None and 0 <= amount <= MAX_STORED_USD else None


def count(value: object) -> int | None:
    """A whole number from 0 to 10^18."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 10**18 else None
