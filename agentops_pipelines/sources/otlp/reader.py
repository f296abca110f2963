"""The OTel reader: a directory of OTLP/JSON files in, batches of rows out.

Belongs here: which files count, in which order they are read, and what makes a reader another one. What a line says is
in spans.py, names of attributes are in attributes.py, compression is in packing.py. How a growing file is read from
where the last read ended is the same as for transcripts (openclaw/growing.py).

Files are what the collector's file exporter writes, one signal a line: `*.json` and `*.jsonl`, also compressed (`.gz`,
`.zst`), in the directory and below it. Plain files go on where the last read ended; compressed ones are read as a whole
when they have changed. A file that was rotated is read once more under its new name: its spans have their ids. Only
traces are read, no metrics and no logs. Nothing is ever written.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from agentops_pipelines.settings import StateDir
from agentops_pipelines.sources.batches import Batch, Ledger, SourceError
from agentops_pipelines.sources.openclaw.files import SETTLED_SECONDS, StateFile, printable
from agentops_pipelines.sources.openclaw.growing import is_unchanged, opened, read_growing, taken, whole_stamp
from agentops_pipelines.sources.openclaw.machine import TableSink, state_file
from agentops_pipelines.sources.openclaw.packed import read_whole
from agentops_pipelines.sources.openclaw.values import SECOND
from agentops_pipelines.sources.otlp.packing import HEAD, Unpacked, is_packed
from agentops_pipelines.sources.otlp.spans import SpanLines

SOURCE = "otel"
SETTING = "AGENTOPS_OTLP_DIR"

READER = "otel-1"
"""Raise it when the same input gives other rows: everything that still exists is then read again."""

_SAMPLE = 4 * 1024
"""Lines of one program begin and end alike, and may be equally long: this much holds the ids of a file's first span."""

_ENDINGS = tuple(
    f".{kind}{packing}" for kind in ("json", "jsonl", "ndjson") for packing in ("", ".gz", ".zst", ".zstd")
)


def read_otlp(directory: Path, *, ledger: Ledger) -> Iterator[Batch]:
    """What the directory holds that the ledger does not know of, in batches to be committed one by one.

    Ledger items are paths relative to the directory. Raises SourceError when it is missing or cannot be read;
    everything else that cannot be used is in the batches' quarantine.
    """
    check_directory(directory)
    return _batches(directory, ledger=ledger)


def check_directory(directory: Path) -> None:
    """Raises SourceError when the directory is missing or cannot be read."""
    try:
        os.scandir(directory).close()
    except OSError as error:
        is_missing = isinstance(error, FileNotFoundError | NotADirectoryError)
        raise SourceError(
            setting=SETTING,
            value=str(directory),
            problem="there is no such directory" if is_missing else f"cannot be read: {error.strerror}",
            remedy="Name the directory that the collector's file exporter writes to, readable by this user.",
        ) from error


def count_files(directory: Path) -> int:
    """How many files of spans there are; nothing is opened."""
    return len(_items(directory, sink=_sink(SOURCE)))


def _batches(directory: Path, *, ledger: Ledger) -> Iterator[Batch]:
    sink = _sink(ledger.source)
    now = time.time()
    newest: datetime | None = None
    place = StateDir(host=sink.host, path=directory)
    for item in _items(directory, sink=sink):
        file = state_file(place, item, sink=sink)
        if file is None:
            continue
        spans = SpanLines(sink=sink, item=file.item)
        for batch in _read(file, spans, sink=sink, ledger=ledger, now=now):
            newest = _latest(newest, spans)
            yield replace(batch, newest_data_at=newest)
        newest = _latest(newest, spans)
    for batch in taken(sink):
        yield replace(batch, newest_data_at=newest)


def _sink(source: str) -> TableSink:
    return TableSink(source=source, host="", reader=READER)


def _items(directory: Path, *, sink: TableSink) -> list[str]:
    """Paths of all files, relative to the directory. A link to one of them is none of its own."""
    found: list[str] = []
    root = directory.resolve()

    def refuse(error: OSError) -> None:
        sink.refuse(printable(os.path.relpath(error.filename, directory)), 0, "unreadable")

    for folder, _, files in os.walk(directory, onerror=refuse):
        for name in files:
            path = Path(folder) / name
            if name.endswith(_ENDINGS) and not (path.is_symlink() and path.resolve().is_relative_to(root)):
                found.append(str(path.relative_to(directory)))
    return sorted(found)


def _read(file: StateFile, spans: SpanLines, *, sink: TableSink, ledger: Ledger, now: float) -> Iterator[Batch]:
    if is_unchanged(file, sink=sink, ledger=ledger):
        return
    with opened(file, sink) as stream:
        if stream is None:
            return
        head = stream.read(HEAD)
        if is_packed(head):
            stream.seek(0)
            is_settled = now - file.mtime_ns / 1e9 > SETTLED_SECONDS
            unpacked = Unpacked(stream, head, is_settled=is_settled)
            sink.bytes_read += file.size
            yield from read_whole(unpacked, spans, sink=sink)
            if is_settled or not unpacked.is_cut_short:
                sink.read_up_to(file.item, file.size, whole_stamp(file))
            return
    yield from read_growing(file, lambda _: spans, sink=sink, ledger=ledger, now=now, sample=_SAMPLE)


def _latest(newest: datetime | None, spans: SpanLines) -> datetime | None:
    if spans.newest is None:
        return newest
    moment = datetime.fromtimestamp(spans.newest / SECOND, UTC).replace(tzinfo=None)
    return moment if newest is None else max(newest, moment)
