"""Lines out of a growing file: whole ones only, each with its number, the uninteresting ones unparsed.

Belongs here: cutting bytes into lines in bounded memory, and getting values out of lines that a crash, a full disk or
JavaScript has damaged. Does not belong here: what a line means.
"""

import gc
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from agentops_pipelines.sources.openclaw.values import without_surrogates

CHUNK = 1024 * 1024
"""Bytes read at once: small enough to stay in the processor's cache while they are searched."""
MAX_LINE = 32 * 1024 * 1024
"""A longer line is not kept in memory: OpenClaw itself stores no event beyond 4 MiB of text, images apart."""

_HEAD = 1_024


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """Up to where a file need not be read again: bytes, and the lines in them."""

    position: int
    lines: int


class LineScanner:
    """Feeds whole lines to `handle(raw, index)`; index counts the lines of the file from 0.

    `skip` matches the beginning of lines that need no parsing; `opening` is how every line begins: when a skipped line
    holds it again, a crash has glued two lines together and the line is handled after all.
    """

    def __init__(
        self,
        *,
        skip: re.Pattern[bytes],
        opening: bytes,
        handle: Callable[[bytes, int], None],
        refuse_long: Callable[[int], None],
        begin: Progress,
    ) -> None:
        self._skip = skip.match
        self._opening = opening
        self._handle = handle
        self._refuse_long = refuse_long
        self._rest: list[bytes] = []
        self._rest_size = 0
        self._position = begin.position
        self._index = begin.lines
        self.offset = begin.position
        """Where the line that is being handled begins, in bytes of the file."""

    @property
    def progress(self) -> Progress:
        """The whole lines so far, those before `begin` included."""
        return Progress(position=self._position, lines=self._index)

    @property
    def rest(self) -> bytes:
        """The line that has no end yet; only its head when it is too long to keep."""
        return b"".join(self._rest)

    @property
    def rest_size(self) -> int:
        """Bytes of the line that has no end yet."""
        return self._rest_size

    def feed(self, data: bytes | bytearray, size: int) -> None:
        """Take the next `size` bytes of the file, which `data` begins with."""
        with without_collection():
            self._feed(data, size)

    def _feed(self, data: bytes | bytearray, size: int) -> None:
        find, skip, opening, handle = data.find, self._skip, self._opening, self._handle
        view = memoryview(data)
        position = 0
        if self._rest:
            end = find(b"\n", 0, size)
            if end < 0:
                self._keep(bytes(view[:size]))
                return
            self._keep(bytes(view[:end]))
            self._finish_rest()
            position = end + 1
        index, base = self._index, self._position - position
        while True:
            end = find(b"\n", position, size)
            if end < 0:
                break
            if skip(data, position) is None or find(opening, position + 1, end) >= 0 or data[end - 1] not in b"}\r":
                self.offset = base + position
                handle(bytes(view[position:end]), index)
            index += 1
            position = end + 1
        self._position = base + position
        self._index = index
        if position < size:
            self._keep(bytes(view[position:size]))

    def _keep(self, piece: bytes) -> None:
        self._rest_size += len(piece)
        if self._rest_size <= MAX_LINE:
            self._rest.append(piece)
        elif len(self._rest) != 1 or len(self._rest[0]) > _HEAD:
            self._rest = [b"".join([*self._rest, piece[:_HEAD]])[:_HEAD]]

    def _finish_rest(self) -> None:
        line = self.rest
        if self._rest_size > MAX_LINE:
            if self._skip(line) is None:
                self._refuse_long(self._index)
        elif self._skip(line) is None or line.find(self._opening, 1) >= 0 or line[-1:] not in (b"}", b"\r"):
            self.offset = self._position
            self._handle(line, self._index)
        self._position += self._rest_size + 1
        self._index += 1
        self._rest, self._rest_size = [], 0


@contextmanager
def without_collection() -> Iterator[None]:
    """Without Python's collector of cycles: parsing makes none, but keeps it busy for a tenth of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def values_of(raw: bytes, *, openings: tuple[bytes, ...]) -> tuple[list[Any], str | None]:
    """The JSON values of a line that is not plain JSON, and a reason when something of it is lost.

    Invalid UTF-8, control characters and lone surrogates are replaced; NUL blocks are cut off; a line that was cut
    short and glued to the next ones is taken apart where one of `openings` says that a line begins.
    """
    bare = raw.strip(b"\0 \t\r\xef\xbb\xbf")
    lost = "nul_block" if b"\0" in raw else None
    if not bare:
        return [], lost
    whole = parse(bare)
    if whole is not None:
        return [whole], lost
    values = []
    for piece in _pieces(bare, openings):
        value = parse(piece.strip(b"\0 \t\r"))
        if isinstance(value, dict):
            values.append(value)
    if values:
        return values, lost or "torn_line"
    return [], lost or "broken_json"


def _pieces(line: bytes, openings: tuple[bytes, ...]) -> list[bytes]:
    cuts = sorted({match.start() for opening in openings for match in re.finditer(re.escape(opening), line)} | {0})
    return [line[begin:end] for begin, end in zip(cuts, [*cuts[1:], len(line)], strict=True)]


def parse(raw: bytes) -> Any:
    """The value of damaged JSON, as far as it can be replaced or cut to be one; None when there is none."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        pass
    try:
        text = raw.decode("utf-8", "replace")
        return without_surrogates(json.loads(text, strict=False, parse_constant=_no_constant))
    except (ValueError, RecursionError):
        return None


def _no_constant(name: str) -> Any:
    raise ValueError(name)
