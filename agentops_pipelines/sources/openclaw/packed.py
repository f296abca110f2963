"""Content that may be compressed and is always read as a whole: archives in files and in SQLite, exported spans.

Belongs here: reading such content in bounded memory, each time from its beginning.
"""

import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import zstandard

from agentops_pipelines.sources.batches import Batch
from agentops_pipelines.sources.openclaw.growing import Content, taken
from agentops_pipelines.sources.openclaw.lines import CHUNK, Progress, parse
from agentops_pipelines.sources.openclaw.rows import Sink

_PACKED_CHUNK = 16 * 1024
"""Small, because a few bytes can stand for many."""


def read_whole(chunks: Iterable[bytes], content: Content, *, sink: Sink) -> Iterator[Batch]:
    """All lines of a file or archive. Damaged compression is noted; what came out before it is kept."""
    scanner = content.scanner(Progress(position=0, lines=0))
    try:
        for chunk in chunks:
            scanner.feed(chunk, len(chunk))
            if sink.is_full:
                yield from taken(sink)
    except zstandard.ZstdError:
        content.refuse(scanner.progress.lines, "corrupt_zstd")
    except zlib.error:
        content.refuse(scanner.progress.lines, "corrupt_gzip")
    else:
        rest = scanner.rest
        if rest and (len(rest) != scanner.rest_size or parse(rest) is None):
            content.refuse(scanner.progress.lines, "unterminated_line")
        elif rest:
            content.handle_last(rest, scanner.progress.lines)
    content.finish(is_from_beginning=True, lines=scanner.progress.lines)


def plain_chunks(stream: BinaryIO) -> Iterator[bytes]:
    """Uncompressed content."""
    while chunk := stream.read(CHUNK):
        yield chunk


def unpacked_chunks(stream: BinaryIO) -> Iterator[bytes]:
    """Content of zstd frames. Raises zstandard.ZstdError when it is damaged or cut short."""
    frame = zstandard.ZstdDecompressor().decompressobj()
    is_begun = False
    while packed := stream.read(_PACKED_CHUNK):
        while packed:
            if frame.eof:
                frame, is_begun = zstandard.ZstdDecompressor().decompressobj(), False
            is_begun = True
            yield frame.decompress(packed)
            packed = frame.unused_data if frame.eof else b""
    if (is_begun and not frame.eof) or not is_begun:
        raise zstandard.ZstdError("cut short")
