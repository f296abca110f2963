"""Pages /spend/logs/v2 so that nothing is missed: windows that can be counted, read again while rows are missing.

Belongs here: the endpoint's paging and its traps. It counts to 10,000, pages by offset without a tie-break, includes
both bounds, and took 100 rows a page at most until late 2026. Which windows are wanted, and what becomes of their rows,
is api.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus

from agentops_pipelines.sources.litellm.client import ProxyClient, Refused
from agentops_pipelines.sources.litellm.rows import UnusableRow, request_id_of, spend_log_row

COUNT_CAP = 10_000
READINGS = 3
"""How often a window is read while its rows are fewer than the proxy counts."""

_PAGE_SIZES = (1_000, 100)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, kw_only=True)
class _Page:
    """One answer. `total` is None where the proxy does not count; `is_capped` when it counts no further."""

    rows: list[object]
    total: int | None
    is_capped: bool


@dataclass(frozen=True, kw_only=True)
class Window:
    """A span with at most COUNT_CAP rows (or of one second), and its first page. `end` is not part of it."""

    start: datetime
    end: datetime
    first_page: _Page


@dataclass(kw_only=True)
class Reading:
    """What came of one window: by request id (or a number, without one) the row, or why it cannot be used."""

    entries: dict[str | int, dict[str, object] | UnusableRow] = field(default_factory=dict)
    total: int | None = None

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing. Rows deleted meanwhile leave more here than the proxy counts."""
        return self.total is None or len(self.entries) >= self.total

    def add(self, logs: list[object]) -> bool:
        """Adds a page; False when it brought nothing new (a proxy that ignores `page`)."""
        before = len(self.entries)
        for log in logs:
            self._add_one(log)
        return len(self.entries) > before

    def _add_one(self, log: object) -> None:
        key: str | int = len(self.entries)
        try:
            key = request_id_of(log)
            self.entries[key] = spend_log_row(log)
        except UnusableRow as problem:
            self.entries[key] = problem


class SpendLogs:
    """/spend/logs/v2 of one proxy."""

    def __init__(self, proxy: ProxyClient) -> None:
        self._proxy = proxy
        self._page_size, *self._smaller_sizes = _PAGE_SIZES

    def windows(self, start: datetime, end: datetime) -> Iterator[Window]:
        """`start` to `end` (whole seconds, naive UTC) in windows, halved until each can be counted."""
        page = self._page(start, end, number=1)
        is_full = page.is_capped or (page.total or 0) > COUNT_CAP
        if not is_full or end - start <= _SECOND:
            yield Window(start=start, end=end, first_page=page)
            return
        middle = (start + (end - start) / 2).replace(microsecond=0)
        yield from self.windows(start, middle)
        yield from self.windows(middle, end)

    def read(self, window: Window) -> Reading:
        """The window's rows, read again while some are missing: late rows and equal times shift the pages."""
        reading = self._read_once(window, window.first_page)
        for _ in range(READINGS - 1):
            if reading.is_complete:
                break
            again = self._read_once(window, self._page(window.start, window.end, number=1))
            reading = Reading(entries=reading.entries | again.entries, total=again.total)
        return reading

    def _read_once(self, window: Window, page: _Page) -> Reading:
        """Pages until one is empty, or until there are as many rows as an uncapped count says."""
        reading = Reading(total=page.total)
        number = 1
        while reading.add(page.rows):
            if page.total is not None and not page.is_capped and reading.is_complete:
                break
            number += 1
            page = self._page(window.start, window.end, number=number)
            reading.total = page.total  # rows that arrived meanwhile are counted here
        return reading

    def _page(self, start: datetime, end: datetime, *, number: int) -> _Page:
        """One page. Raises SourceError."""
        try:
            body = self._proxy.get(
                "/spend/logs/v2",
                {
                    "start_date": start.isoformat(sep=" "),
                    "end_date": end.isoformat(sep=" "),
                    "sort_by": "startTime",
                    "sort_order": "asc",
                    "page": number,
                    "page_size": self._page_size,
                },
            )
        except Refused as refused:
            if refused.status != HTTPStatus.UNPROCESSABLE_ENTITY or not self._smaller_sizes or number > 1:
                raise refused.error from refused
            self._page_size = self._smaller_sizes.pop(0)
            return self._page(start, end, number=number)
        rows, total = body.get("data"), body.get("total")
        return _Page(
            rows=rows if isinstance(rows, list) else [],
            total=total if isinstance(total, int) else None,
            is_capped=body.get("total_is_capped") is True,
        )
