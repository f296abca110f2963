"""Raw values of many rows, checked as whole columns.

Belongs here: turning lists of values as they stand in JSON into typed columns. A clean column costs a few vectorised
operations; only a column that is not clean is looked at value by value. That is what makes 100,000 lines a matter of
a second.

A value that cannot be believed is reported to `refuse(row, reason)` and becomes NULL.
"""

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from agentops_pipelines.sources.openclaw.values import (
    EARLIEST,
    LATEST,
    MILLISECOND,
    BadValue,
    micros,
    short_text,
    tokens,
    usd,
)
from agentops_pipelines.sources.schemas import MAX_TOKENS, MAX_USD

Refuse = Callable[[int, str], None]

MAX_TEXT = 300
"""Characters of a name or id that are kept."""

_TIMESTAMP = pl.Datetime("us")
_EXACT = len("2026-11-24T13:46:16.580Z")
_SECONDS = len("2026-11-24T13:46:16")


def text_column(name: str, values: Sequence[object]) -> pl.Series:
    """Names and ids. Numbers are written out; what is neither text nor number is left out."""
    try:
        texts = pl.Series(name, values, dtype=pl.String)
    except TypeError:
        texts = pl.Series(name, [short_text(value) for value in values], dtype=pl.String)
    longest = texts.str.len_bytes().max()
    return texts if not isinstance(longest, int) or longest <= MAX_TEXT else texts.str.slice(0, MAX_TEXT)


def token_column(name: str, values: Sequence[object], *, refuse: Refuse) -> pl.Series:
    """Token counts, 0 to MAX_TOKENS."""
    counts = _integers(name, values)
    if counts is not None and _is_within(counts, low=0, high=MAX_TOKENS + 1):
        return counts
    return pl.Series(name, _each(values, tokens, refuse), dtype=pl.Int64)


def usd_column(name: str, values: Sequence[object], *, refuse: Refuse) -> pl.Series:
    """Amounts in USD, 0 to MAX_USD."""
    amounts = pl.Series(name, values, dtype=pl.Float64)
    if _is_within(amounts, low=0, high=MAX_USD):
        return amounts
    return pl.Series(name, _each(values, usd, refuse), dtype=pl.Float64)


def time_column(name: str, values: Sequence[object], *, refuse: Refuse) -> pl.Series:
    """Times from ISO text as JavaScript writes it, or from epoch milliseconds."""
    times = _millisecond_times(name, values)
    if times is None:
        times = _iso_times(name, values)
    if times is None:
        times = pl.Series(name, _each(values, micros, refuse), dtype=pl.Int64)
    return times.cast(_TIMESTAMP)


def _millisecond_times(name: str, values: Sequence[object]) -> pl.Series | None:
    milliseconds = _integers(name, values)
    if milliseconds is None or not _is_within(milliseconds, low=EARLIEST // MILLISECOND, high=LATEST // MILLISECOND):
        return None
    return milliseconds * MILLISECOND


def _iso_times(name: str, values: Sequence[object]) -> pl.Series | None:
    try:
        texts = pl.Series(name, values, dtype=pl.String)
    except TypeError:
        return None
    if not ((texts.str.len_bytes() == _EXACT) & texts.str.ends_with("Z")).all():
        return None
    seconds = texts.str.slice(0, _SECONDS).str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="us", strict=False)
    milliseconds = texts.str.slice(_SECONDS + 1, 3).cast(pl.Int64, strict=False)
    times = seconds.cast(pl.Int64) + milliseconds * MILLISECOND
    if times.null_count() > texts.null_count() or not _is_within(times, low=EARLIEST, high=LATEST):
        return None
    return times


def _integers(name: str, values: Sequence[object]) -> pl.Series | None:
    """Whole numbers or nothing; None when anything else stands there (True counts as something else)."""
    if not {int, type(None)}.issuperset(map(type, values)):
        return None
    try:
        return pl.Series(name, values, dtype=pl.Int64)
    except (TypeError, OverflowError):
        return None


def _is_within(series: pl.Series, *, low: float, high: float) -> bool:
    least, most = series.min(), series.max()
    if not isinstance(least, int | float) or not isinstance(most, int | float):
        return True  # nothing but NULL
    return low <= least and most < high


def _each(values: Sequence[object], believe: Callable[[Any], Any], refuse: Refuse) -> list[Any]:
    results: list[Any] = []
    for row, value in enumerate(values):
        try:
            results.append(believe(value))
        except BadValue as problem:
            refuse(row, problem.reason)
            results.append(None)
    return results
