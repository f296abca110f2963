"""Files that grow by whole lines, read from where the last read ended.

Belongs here: the loop over such a file, its last line without an end, and what the ledger gets. Does not belong here:
what a line means.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import BinaryIO, Protocol, cast

from agentops_pipelines.sources.batches import Batch, Ledger
from agentops_pipelines.sources.openclaw.files import StateFile
from agentops_pipelines.sources.openclaw.fingerprints import PARTIAL, SAMPLE, WAITING, WHOLE, Fingerprint, samples_of
from agentops_pipelines.sources.openclaw.lines import LineScanner, Progress, parse
from agentops_pipelines.sources.openclaw.rows import Sink


class Content(Protocol):
    """What makes rows of the lines of one file."""

    @property
    def session_id(self) -> str:
        """Session that the next line belongs to."""
        ...

    def scanner(self, begin: Progress) -> LineScanner:
        """A scanner that hands this content its lines."""
        ...

    def handle_last(self, raw: bytes, index: int) -> None:
        """A last line that has no end but is whole."""
        ...

    def refuse(self, index: int, reason: str) -> None:
        """A line that cannot be used."""
        ...

    def progress(self, scanned: Progress) -> Progress:
        """Up to where this content need not be read again, given up to where it was scanned."""
        ...

    def finish(self, *, is_from_beginning: bool, lines: int) -> None:
        """The end of the file is reached."""
        ...


def read_growing(
    file: StateFile,
    content_of: Callable[[str], Content],
    *,
    sink: Sink,
    ledger: Ledger,
    now: float,
    sample: int = SAMPLE,
) -> Iterator[Batch]:
    """What is new in a file. `content_of` gets the session id that the ledger knows, or the file name's stem.

    `sample` bytes at the beginning and before the offset tell whether the file has grown or was rewritten.
    """
    entry = ledger.get(sink.host, file.item)
    known = Fingerprint.of(entry, reader=sink.reader)
    is_settled = file.is_settled(now=now)
    if known is not None and known.is_current(size=file.size, mtime_ns=file.mtime_ns, is_settled=is_settled):
        return
    with opened(file, sink) as stream:
        if stream is None:
            return
        descriptor = stream.fileno()
        status = os.fstat(descriptor)
        start = Progress(position=0, lines=0)
        session_id = file.stem
        if (
            entry is not None
            and known is not None
            and known.continues(descriptor, entry.position, status, sample=sample)
        ):
            start = Progress(position=entry.position, lines=known.lines)
            session_id = known.session_id
        content = content_of(session_id)
        scanner = content.scanner(start)

        def note(state: str) -> None:
            reached = content.progress(scanner.progress)
            fingerprint = Fingerprint(
                size=status.st_size,
                mtime_ns=status.st_mtime_ns,
                state=state,
                lines=reached.lines,
                samples=samples_of(descriptor, position=reached.position, sample=sample),
                session_id=content.session_id,
            )
            sink.read_up_to(file.item, reached.position, fingerprint.text())

        for size in _fill(sink.buffer, descriptor, start=start.position, end=status.st_size):
            sink.bytes_read += size
            scanner.feed(sink.buffer, size)
            if sink.is_full:
                note(PARTIAL)
                yield from taken(sink)
        content.finish(is_from_beginning=start.position == 0, lines=scanner.progress.lines)
        if not scanner.rest_size:
            note(WHOLE)
        elif not is_settled:
            note(WAITING)
        else:
            _handle_last(content, scanner)
            note(WHOLE)


def is_unchanged(file: StateFile, *, sink: Sink, ledger: Ledger) -> bool:
    """Whether a file that is always read as a whole is the one that was read last."""
    entry = ledger.get(sink.host, file.item)
    return entry is not None and (entry.reader, entry.fingerprint) == (sink.reader, whole_stamp(file))


def whole_stamp(file: StateFile) -> str:
    """The fingerprint of a file that is always read as a whole."""
    return f"{file.size} {file.mtime_ns}"


def taken(sink: Sink) -> Iterator[Batch]:
    """The sink's batch, if there is anything in it."""
    batch = sink.take()
    if batch is not None:
        yield batch


@contextmanager
def opened(file: StateFile, sink: Sink) -> Iterator[BinaryIO | None]:
    """The file; None when it was moved away meanwhile, or (noted as a problem) cannot be read."""
    stream = None
    with ExitStack() as stack:
        try:
            stream = stack.enter_context(os.fdopen(os.open(file.path, os.O_RDONLY | os.O_CLOEXEC), "rb", buffering=0))
        except FileNotFoundError:
            pass
        except OSError:
            sink.refuse(file.item, 0, "unreadable")
        yield cast(BinaryIO | None, stream)


def _fill(buffer: bytearray, descriptor: int, *, start: int, end: int) -> Iterator[int]:
    """Reads the file into the buffer again and again; each time how many bytes of it are filled."""
    view = memoryview(buffer)
    position = start
    while position < end:
        size = os.preadv(descriptor, [view[: end - position]], position)
        if not size:
            return
        position += size
        yield size


def _handle_last(content: Content, scanner: LineScanner) -> None:
    """The offset stays before this line, so that it is read again, whole, should it ever go on."""
    raw = scanner.rest
    if len(raw) == scanner.rest_size and parse(raw.strip(b"\0 \t\r\xef\xbb\xbf")) is not None:
        content.handle_last(raw, scanner.progress.lines)
    else:
        content.refuse(scanner.progress.lines, "unterminated_line")
