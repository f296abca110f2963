"""LiteLLM's own daily counters per virtual key, to reconcile spend logs with: rows of `raw.litellm_daily`.

Belongs here: which field of /user/daily/activity and which column of "LiteLLM_DailyUserSpend" means what. A day's
counters may be split over pages and over models, so they are added up here. Days are UTC, money is USD. Connections and
errors are client.py and postgres.py.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date, datetime
from typing import Any

import polars as pl

from agentops_pipelines.sources.litellm.values import count, key_hash, mapping, parse_time, stored_usd, text
from agentops_pipelines.sources.schemas import LITELLM_DAILY

TABLE = "LiteLLM_DailyUserSpend"
PATH = "/user/daily/activity"
PAGE_SIZE = 1_000

_COUNTERS = {
    "requests": "api_requests",
    "ok_requests": "successful_requests",
    "failed_requests": "failed_requests",
    "prompt_tokens": "prompt_tokens",
    "cache_read_tokens": "cache_read_input_tokens",
    "cache_write_tokens": "cache_creation_input_tokens",
    "output_tokens": "completion_tokens",
}
"""Column of raw.litellm_daily -> LiteLLM's name for it, the same in the API and in the table."""


def read_daily_activity(
    get: Callable[[str, Mapping[str, str | int]], Mapping[str, object]], *, first: date, last: date
) -> pl.DataFrame:
    """The counters of the days from `first` to `last`, both included, as /user/daily/activity pages them."""
    rows: list[tuple[object, ...]] = []
    page, pages = 1, 1
    while page <= pages:
        asked = {"start_date": first.isoformat(), "end_date": last.isoformat(), "page": page, "page_size": PAGE_SIZE}
        body = get(PATH, asked)
        results = body.get("results")
        for result in results if isinstance(results, list) else ():
            rows.extend(_rows_of_day(mapping(result)))
        total = mapping(body.get("metadata")).get("total_pages")
        pages = total if isinstance(total, int) else 1
        page += 1
    return _added(LITELLM_DAILY.frame(rows))


def daily_select(table: str, *, columns: Collection[str], first: date, last: date) -> str:
    """The SELECT of the same counters from PostgreSQL; columns that an older proxy lacks are NULL."""
    counters = [
        f"sum({name})::bigint AS {name}" if name in columns else f"NULL::bigint AS {name}"
        for name in _COUNTERS.values()
    ]
    return (
        f"SELECT date, api_key, sum(spend)::float8 AS spend, {', '.join(counters)} FROM {table} "
        f"WHERE date >= '{first.isoformat()}' AND date <= '{last.isoformat()}' GROUP BY date, api_key ORDER BY 1, 2"
    )


def daily_frame_of(rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """The rows of that SELECT."""
    found = (_row(row.get("date"), row.get("api_key"), row, alias=None) for row in rows)
    return _added(LITELLM_DAILY.frame([row for row in found if row is not None]))


def _rows_of_day(result: Mapping[str, Any]) -> Iterable[tuple[object, ...]]:
    for key, entry in mapping(mapping(result.get("breakdown")).get("api_keys")).items():
        alias = text(mapping(mapping(entry).get("metadata")).get("key_alias"))
        row = _row(result.get("date"), key, mapping(mapping(entry).get("metrics")), alias=alias)
        if row is not None:
            yield row


def _row(day: object, key: object, counters: Mapping[str, Any], *, alias: str | None) -> tuple[object, ...] | None:
    moment: datetime | None = parse_time(day)
    if moment is None:
        return None
    numbers = (count(counters.get(name)) for name in _COUNTERS.values())
    return (moment, key_hash(key) or "", alias, *numbers, stored_usd(counters.get("spend")))


def _added(frame: pl.DataFrame) -> pl.DataFrame:
    key = list(LITELLM_DAILY.key)
    sums = [pl.col(name).sum() for name in (*_COUNTERS, "spend_usd")]
    return frame.group_by(key, maintain_order=True).agg(pl.col("key_alias").max(), *sums).select(frame.columns)
