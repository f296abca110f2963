"""Which days of spend logs are still to be read: what the HTTP and the PostgreSQL reader have in common.

Belongs here: the ledger's unit, a UTC day of starts, and when one is final. A day is final once it was read OVERLAP
after its end, because long calls arrive late; until then every run reads it again, and the warehouse keeps the last
row of each request id.
"""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

from agentops_pipelines.sources.batches import Ledger, LedgerEntry

SOURCE = "litellm"

DAY = timedelta(days=1)

OVERLAP = timedelta(hours=24)
"""How late a row may arrive: calls that run long, flushes that were held up."""

CLOSED_AFTER = timedelta(seconds=60)
"""Rows younger than this are left to the next run: the proxy is still writing them."""


def closed_end(until: datetime) -> datetime:
    """Up to when rows are read by a run at `until`: a whole second, CLOSED_AFTER before it."""
    return (until - CLOSED_AFTER).replace(microsecond=0)


def start_of(day: date) -> datetime:
    """Midnight, naive UTC."""
    return datetime.combine(day, time())


def day_item(day: date) -> str:
    """The ledger's name of a day."""
    return f"spend_logs/{day.isoformat()}"


def day_entry(day: date, *, host: str, reader: str, rows: int, end: datetime) -> LedgerEntry:
    """The ledger entry of a day that was read up to `end`, `rows` rows this time."""
    return LedgerEntry(
        source=SOURCE,
        host=host,
        item=day_item(day),
        position=rows,
        fingerprint=end.isoformat(sep=" "),
        reader=reader,
    )


def open_days(
    ledger: Ledger, *, host: str, reader: str, since: datetime, end: datetime
) -> Iterator[tuple[date, datetime | None]]:
    """Days from that of `since` to `end` that are not final, and up to when each was read before (None: never)."""
    day = since.date()
    while start_of(day) < end:
        read_up_to = _read_up_to(ledger.get(host, day_item(day)), reader=reader, end=end)
        if read_up_to is None or read_up_to < start_of(day) + DAY + OVERLAP:
            yield day, read_up_to
        day += DAY


def _read_up_to(entry: LedgerEntry | None, *, reader: str, end: datetime) -> datetime | None:
    """When the entry's reading was. One in the future was by a wrong clock, and does not count."""
    if entry is None or entry.reader != reader:
        return None
    moment = datetime.fromisoformat(entry.fingerprint)
    return moment if moment <= end else None
