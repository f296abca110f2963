"""How a file of spans is compressed: gzip, zstd, or message by message as the collector's file exporter does it.

Belongs here: telling them apart by their first bytes, whatever the file is called, and getting the lines out in bounded
memory. With `compression: zstd` the exporter writes no lines: each message is a zstd frame of its own behind its length
(4 bytes, big-endian).
"""

import zlib
from collections.abc import Iterator
from typing import BinaryIO

import zstandard

from agentops_pipelines.sources.openclaw.lines import MAX_LINE
from agentops_pipelines.sources.openclaw.packed import unpacked_chunks

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_LENGTH = 4
HEAD = _LENGTH + len(_ZSTD)
"""Bytes at a file's beginning that tell how it is compressed."""

_CHUNK = 16 * 1024
_GZIP_FORMAT = 16 + zlib.MAX_WBITS


class Unpacked:
    """The chunks of a compressed file; raises zlib.error or zstandard.ZstdError where it is damaged or cut short.

    In a file that is still being written a last message without its end is no damage: `is_cut_short` tells of it.
    """

    def __init__(self, stream: BinaryIO, head: bytes, *, is_settled: bool) -> None:
        self.is_cut_short = False
        self._stream = stream
        self._head = head
        self._is_settled = is_settled

    def __iter__(self) -> Iterator[bytes]:
        if self._head.startswith(_GZIP):
            return _gzip_chunks(self._stream)
        if self._head.startswith(_ZSTD):
            return unpacked_chunks(self._stream)
        return self._messages()

    def _messages(self) -> Iterator[bytes]:
        while length := self._stream.read(_LENGTH):
            size = int.from_bytes(length, "big")
            if size > MAX_LINE:
                raise zstandard.ZstdError("no message")
            packed = self._stream.read(size)
            if len(length) < _LENGTH or len(packed) < size:
                self.is_cut_short = True
                if self._is_settled:
                    raise zstandard.ZstdError("cut short")
                return
            # one byte more than a line may have, so that a longer one is refused as such
            yield zstandard.ZstdDecompressor().stream_reader(packed).read(MAX_LINE + 1) + b"\n"


def is_packed(head: bytes) -> bool:
    """Whether a file that begins like this is compressed."""
    return head.startswith((_GZIP, _ZSTD)) or head[_LENGTH:] == _ZSTD


def _gzip_chunks(stream: BinaryIO) -> Iterator[bytes]:
    """Content of gzip members. Raises zlib.error when it is damaged or cut short."""
    member = zlib.decompressobj(_GZIP_FORMAT)
    while packed := stream.read(_CHUNK):
        while packed:
            if member.eof:
                member = zlib.decompressobj(_GZIP_FORMAT)
            yield member.decompress(packed)
            packed = member.unused_data if member.eof else b""
    if not member.eof:
        raise zlib.error("cut short")
