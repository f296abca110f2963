"""How far a long load is: rows and bytes, on a terminal as it goes, elsewhere as a log line now and then.

Belongs here: what is counted, how often it is said and to whom. Does not belong here: how a terminal shows it (cli.py).
Short loads say nothing.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from agentops_pipelines.sources.batches import Batch

logger = logging.getLogger(__name__)

SCREEN_SECONDS = 0.2
LINE_SECONDS = 10.0
"""How often a terminal and a log hear of it."""

_screen: ContextVar[Callable[[str], None] | None] = ContextVar("screen", default=None)


@contextmanager
def on_screen(show: Callable[[str], None]) -> Iterator[None]:
    """Loads inside tell `show` instead of the log."""
    token = _screen.set(show)
    try:
        yield
    finally:
        _screen.reset(token)


def counted(batches: Iterable[Batch], name: str, *, clock: Callable[[], float] = time.monotonic) -> Iterator[Batch]:
    """The batches, each counted when the next one is asked for: it is in the warehouse then."""
    rows = read = 0
    said_at = clock()
    for batch in batches:
        yield batch
        rows += sum(frame.height for frame in batch.tables.values())
        read += batch.bytes_read
        show = _screen.get()
        now = clock()
        if now - said_at >= (LINE_SECONDS if show is None else SCREEN_SECONDS):
            said_at = now
            line = f"{name}: {rows:,} rows, {read:,} bytes read so far"
            logger.info("%s", line) if show is None else show(line)
