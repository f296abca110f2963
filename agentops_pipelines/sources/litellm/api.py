"""Reads a LiteLLM proxy over HTTP: spend logs day by day, then its keys, deployments and routes.

Belongs here: which days are asked for, what counts as read, what goes to quarantine. Retries and error texts are
client.py, paging is windows.py, the meaning of fields rows.py, daily.py and dimensions.py. Only five endpoints are
asked, with GET: /spend/logs/v2, /user/daily/activity, /key/list, /model/info, /router/settings (never /health: it calls
every model).

The unit of the ledger is a UTC day (days.py).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import date, datetime
from http import HTTPStatus
from typing import cast

import httpx
import polars as pl

from agentops_pipelines.sources.batches import Batch, Ledger, QuarantineEntry
from agentops_pipelines.sources.http import http_client, real_sleep
from agentops_pipelines.sources.litellm.client import ProxyClient, Refused
from agentops_pipelines.sources.litellm.daily import PATH as DAILY_PATH
from agentops_pipelines.sources.litellm.daily import read_daily_activity
from agentops_pipelines.sources.litellm.days import DAY, SOURCE, closed_end, day_entry, day_item, open_days, start_of
from agentops_pipelines.sources.litellm.dimensions import deployment_row, key_row, route_rows
from agentops_pipelines.sources.litellm.rows import UnusableRow, spend_log_frame
from agentops_pipelines.sources.litellm.windows import READINGS, Reading, SpendLogs
from agentops_pipelines.sources.schemas import (
    LITELLM_DAILY,
    LITELLM_DEPLOYMENTS,
    LITELLM_KEYS,
    LITELLM_ROUTES,
    LITELLM_SPEND_LOGS,
    RawTable,
)

READER = "litellm-api-2"
_NO_ADMIN = "; the key is no proxy admin's, which may hide spend logs of others too"


def read_api(
    *,
    base_url: str,
    api_key: str,
    ledger: Ledger,
    since: datetime,
    until: datetime,
    http: httpx.Client | None = None,
    sleep: Callable[[float], None] = real_sleep,
) -> Iterator[Batch]:
    """What the proxy logged from the day of `since` to a minute before `until`, as far as `ledger` does not have it.

    `until` is the run's now; both are naive UTC. Yields one batch a day of spend logs, oldest first, with the day's
    ledger entry (a day of over 10,000 rows in several batches, the entry in the last), then one batch for the daily
    counters, keys, deployments and routes each, the last three observed at `until`. A client that is passed in keeps
    its own timeouts, stays open.

    Raises SourceError, which names the setting to change and never shows the key.
    """
    client: AbstractContextManager[httpx.Client] = http_client() if http is None else nullcontext(http)
    with client as opened:
        proxy = ProxyClient(opened, base_url=base_url, api_key=api_key, sleep=sleep)
        logs = SpendLogs(proxy)
        end = closed_end(until)
        days = [day for day, _ in open_days(ledger, host=proxy.base_url, reader=READER, since=since, end=end)]
        for day in days:
            yield from _read_day(proxy, logs, day, end=end)
        if days:
            yield _read_daily(proxy, first=days[0], last=end.date())
        yield _read_dimension(proxy, "key/list", LITELLM_KEYS, _keys, observed_at=until)
        yield from _read_configuration(proxy, observed_at=until)


def read_configuration(
    *,
    base_url: str,
    api_key: str,
    observed_at: datetime,
    http: httpx.Client | None = None,
    sleep: Callable[[float], None] = real_sleep,
) -> Iterator[Batch]:
    """Only deployments and routes, one batch each: the part of a proxy that its database does not know.

    Raises SourceError, which names the setting to change and never shows the key.
    """
    client: AbstractContextManager[httpx.Client] = http_client() if http is None else nullcontext(http)
    with client as opened:
        proxy = ProxyClient(opened, base_url=base_url, api_key=api_key, sleep=sleep)
        yield from _read_configuration(proxy, observed_at=observed_at)


def _read_configuration(proxy: ProxyClient, *, observed_at: datetime) -> Iterator[Batch]:
    yield _read_dimension(proxy, "model/info", LITELLM_DEPLOYMENTS, _deployments, observed_at=observed_at)
    yield _read_dimension(proxy, "router/settings", LITELLM_ROUTES, _routes, observed_at=observed_at)


def _read_day(proxy: ProxyClient, logs: SpendLogs, day: date, *, end: datetime) -> Iterator[Batch]:
    """The batches of one day. Where rows are missing there is no ledger entry, so that the next run asks again."""
    host, item = proxy.base_url, day_item(day)
    stop = min(start_of(day) + DAY, end)
    row_number, loaded, is_complete, bytes_before = 0, 0, True, proxy.bytes_read
    for window in logs.windows(start_of(day), stop):
        reading = logs.read(window)
        is_complete = is_complete and reading.is_complete
        rows = [entry for entry in reading.entries.values() if not isinstance(entry, UnusableRow)]
        # a row at the very end belongs to the next window, which the proxy gives it to as well
        frame = spend_log_frame(rows).filter(pl.col("started_at") < window.end)
        quarantine = _unusable(reading, host=host, item=item, first_row=row_number)
        if not reading.is_complete:
            reason = f"the proxy counts {reading.total} rows, {len(reading.entries)} came in {READINGS} readings"
            where = f"{item} {window.start:%H:%M:%S}"
            quarantine.append(QuarantineEntry(source=SOURCE, host=host, item=where, position=0, reason=reason))
        row_number += len(reading.entries)
        loaded += frame.height
        is_last = window.end == stop and is_complete
        yield Batch(
            tables={LITELLM_SPEND_LOGS: frame},
            ledger=[day_entry(day, host=host, reader=READER, rows=loaded, end=end)] if is_last else [],
            quarantine=quarantine,
            bytes_read=proxy.bytes_read - bytes_before,
            newest_data_at=cast("datetime | None", frame["ended_at"].max()),
        )
        bytes_before = proxy.bytes_read


def _unusable(reading: Reading, *, host: str, item: str, first_row: int) -> list[QuarantineEntry]:
    """Rows that cannot be used, with their number in the day (from 1) as position."""
    return [
        QuarantineEntry(source=SOURCE, host=host, item=item, position=number, reason=str(entry))
        for number, entry in enumerate(reading.entries.values(), start=first_row + 1)
        if isinstance(entry, UnusableRow)
    ]


@dataclass(kw_only=True)
class _Found:
    """Rows of one kind of setting, and (position, reason) of what could not be used."""

    rows: list[tuple[object, ...]] = field(default_factory=list)
    problems: list[tuple[int, str]] = field(default_factory=list)


def _read_daily(proxy: ProxyClient, *, first: date, last: date) -> Batch:
    """LiteLLM's counters of the days that were just read."""
    return _read_dimension(
        proxy,
        DAILY_PATH.lstrip("/"),
        LITELLM_DAILY,
        lambda proxy, _: _Found(rows=read_daily_activity(proxy.get, first=first, last=last).rows()),
        observed_at=start_of(last),
    )


def _read_dimension(
    proxy: ProxyClient,
    item: str,
    table: RawTable,
    read: Callable[[ProxyClient, datetime], _Found],
    *,
    observed_at: datetime,
) -> Batch:
    """Rows of one endpoint. When this key may not ask it, or this proxy does not have it, quarantine says so."""
    bytes_before = proxy.bytes_read
    try:
        found = read(proxy, observed_at)
    except Refused as refused:
        hint = _NO_ADMIN if refused.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN) else ""
        found = _Found(problems=[(0, refused.problem + hint)])
    return Batch(
        # a key in use comes before a deleted one of the same hash
        tables={table: table.frame(found.rows).unique(subset=table.key, keep="first", maintain_order=True)},
        quarantine=[
            QuarantineEntry(source=SOURCE, host=proxy.base_url, item=item, position=position, reason=reason)
            for position, reason in found.problems
        ],
        bytes_read=proxy.bytes_read - bytes_before,
    )


def _keys(proxy: ProxyClient, observed_at: datetime) -> _Found:
    """Keys in use, then deleted ones: old spend logs carry their hashes. Not every proxy lists those."""
    found = _usable(_listed_keys(proxy, {}), key_row, observed_at)
    try:
        deleted = _usable(_listed_keys(proxy, {"status": "deleted"}), key_row, observed_at)
    except Refused:
        return found
    return _Found(rows=found.rows + deleted.rows, problems=found.problems)


def _listed_keys(proxy: ProxyClient, filters: Mapping[str, str]) -> Iterator[object]:
    number, pages = 1, 1
    while number <= pages:
        body = proxy.get("/key/list", {"return_full_object": "true", "size": 100, "page": number, **filters})
        keys, total_pages = body.get("keys"), body.get("total_pages")
        if not isinstance(keys, list) or not keys:
            return
        yield from keys
        pages = total_pages if isinstance(total_pages, int) else 1
        number += 1


def _deployments(proxy: ProxyClient, observed_at: datetime) -> _Found:
    entries = proxy.get("/model/info", {}).get("data")
    return _usable(entries if isinstance(entries, list) else [], deployment_row, observed_at)


def _routes(proxy: ProxyClient, observed_at: datetime) -> _Found:
    return _Found(rows=route_rows(proxy.get("/router/settings", {}), observed_at=observed_at))


def _usable(entries: Iterable[object], row_of: Callable[..., tuple[object, ...]], observed_at: datetime) -> _Found:
    found = _Found()
    for number, entry in enumerate(entries, start=1):
        try:
            found.rows.append(row_of(entry, observed_at=observed_at))
        except UnusableRow as problem:
            found.problems.append((number, str(problem)))
    return found
