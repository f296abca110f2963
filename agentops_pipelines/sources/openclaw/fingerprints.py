"""How far a file was read, and whether it is still the same file.

Belongs here: what a ledger entry's fingerprint holds, and the decision to skip a file, to go on where the last read
ended, or to read it from its beginning.
"""

import hashlib
import os
from dataclasses import dataclass

from agentops_pipelines.sources.batches import LedgerEntry

SAMPLE = 256
"""Bytes at the beginning and before the offset that must be unchanged for a file to count as grown, not rewritten."""

WHOLE = "whole"
"""Everything in the file was read."""
WAITING = "waiting"
"""All but a last line without an end, which may still be in the writing."""
PARTIAL = "partial"
"""The read is not finished: a batch was full."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fingerprint:
    """State of one file when it was last read."""

    size: int
    mtime_ns: int
    state: str
    lines: int
    """Whole lines before the offset: the next line's number."""
    samples: str
    session_id: str
    """Session the lines at the offset belong to (from the header, which is not read again)."""

    def text(self) -> str:
        """The fingerprint as the ledger stores it."""
        return f"{self.size} {self.mtime_ns} {self.state} {self.lines} {self.samples} {self.session_id}"

    @classmethod
    def of(cls, entry: LedgerEntry | None, *, reader: str) -> "Fingerprint | None":
        """The fingerprint in a ledger entry; None when there is none, or another reader or other rules made it."""
        if entry is None or entry.reader != reader:
            return None
        parts = entry.fingerprint.split(" ", 5)
        if len(parts) != 6:
            return None
        size, mtime_ns, state, lines, samples, session_id = parts
        return cls(
            size=int(size),
            mtime_ns=int(mtime_ns),
            state=state,
            lines=int(lines),
            samples=samples,
            session_id=session_id,
        )

    def is_current(self, *, size: int, mtime_ns: int, is_settled: bool) -> bool:
        """Whether there is nothing to read. A waiting last line is read once nobody writes the file any more."""
        if (self.size, self.mtime_ns) != (size, mtime_ns):
            return False
        return self.state == WHOLE or (self.state == WAITING and not is_settled)

    def continues(self, descriptor: int, position: int, status: os.stat_result, *, sample: int) -> bool:
        """Whether what was read is still there, so that reading can go on at `position`."""
        is_rewritten = status.st_size == self.size and status.st_mtime_ns != self.mtime_ns
        if is_rewritten or status.st_size < position:
            return False
        return samples_of(descriptor, position=position, sample=sample) == self.samples


def samples_of(descriptor: int, *, position: int, sample: int) -> str:
    """A digest of `sample` bytes at the beginning of a file and of as many before `position`."""
    head = os.pread(descriptor, min(sample, position), 0)
    tail = os.pread(descriptor, min(sample, position), max(0, position - sample))
    return hashlib.blake2b(head + tail, digest_size=8).hexdigest()
