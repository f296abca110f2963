"""Chance that can be repeated: the story turns out the same on every platform and Python version.

Belongs here: drawing numbers. Only `random()` and `getrandbits` of a seeded generator are used: the rest of `random`
may change between Python versions.
"""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

SEED = "agentops"

_Item = TypeVar("_Item")


class Dice:
    """One stream of chance. Streams of different names do not disturb each other."""

    def __init__(self, name: str) -> None:
        self._random = Random(f"{SEED} {name}")  # noqa: S311 - nothing secret depends on it

    def integer(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self._random.random() * (high - low + 1))

    def chance(self, share: float) -> bool:
        """True in that share of throws."""
        return self._random.random() < share

    def pick(self, items: Sequence[_Item]) -> _Item:
        """One of the items."""
        return items[int(self._random.random() * len(items))]

    def hex(self, digits: int) -> str:
        """So many hexadecimal digits."""
        return f"{self._random.getrandbits(4 * digits):0{digits}x}"

    def uuid(self) -> str:
        """A uuid with 48 random bits: enough to be unique here, and short once compressed."""
        return uuid_of(self.hex(12))


def uuid_of(digits: str) -> str:
    """A uuid that takes its randomness from twelve digits, first."""
    return f"{digits[:8]}-{digits[8:]}-4d7c-b3f1-9a61c8e05d72"
