"""Where transcript lines come from.

Belongs here: only that; rows, problems and readers share it.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Place:
    """What all lines of one transcript have in common. Compared by identity: thousands of rows hold the same one."""

    host: str
    agent_id: str
    session_id: str
    path: str
    origin: str
    item: str
    """Ledger item whose problems these are."""
    counts_from: int
    """1 where a problem's position is a line number, 0 where it is a seq."""
