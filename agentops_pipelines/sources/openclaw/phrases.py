"""Answers that only say that there was nothing to do.

Belongs here: HEARTBEAT_OK and NO_REPLY with the allowances that OpenClaw itself makes (2026.9.6, auto-reply), and the
operator's own phrases. Only the id of the phrase leaves this module, never the answer.
"""

import re
from collections.abc import Sequence

HEARTBEAT_OK = "HEARTBEAT_OK"
NO_REPLY = "NO_REPLY"
HEARTBEAT_RESPOND = "heartbeat_respond"
"""Id for a heartbeat_respond tool call with notify=false, which says the same without words."""

ACK_MAX_CHARS = 300
"""Characters that may stand before or after HEARTBEAT_OK (OpenClaw's ackMaxChars)."""

_LONGEST = ACK_MAX_CHARS + 200
"""Characters of an answer that may amount to one of OpenClaw's own phrases, markup included."""
_LONGEST_SILENCE = 60
"""Characters of an answer that may amount to NO_REPLY: nothing else may stand beside it."""

_MARKUP = re.compile(r"<[^>]*>|&nbsp;", re.IGNORECASE)
_EDGE_MARKUP = "*`~_"
_HEARTBEAT_AT_END = re.compile(r"HEARTBEAT_OK\W{0,4}$")
_SILENT = re.compile(r"""\W*NO_REPLY(?:\s+NO_REPLY)*\W*|\{\s*"action"\s*:\s*"\s*NO_REPLY\s*"\s*\}""", re.IGNORECASE)
_EDGES = re.compile(r"^\W+|\W+$")
_SPACES = re.compile(r"\s+")


class PollPhrases:
    """Finds the phrase that a whole answer amounts to."""

    def __init__(self, phrases: Sequence[str]) -> None:
        """`phrases` are the operator's; the id of the n-th is `phrase:<n>`, counted from 1."""
        self._own: dict[str, str] = {}
        for number, phrase in enumerate(phrases, start=1):
            normal = _normal(phrase)
            if normal:
                self._own.setdefault(normal, f"phrase:{number}")
        self._words = {max(phrase.split(" "), key=len) for phrase in self._own}
        """A word of each phrase: an answer without any of them is none of the phrases."""
        self._longest = max((2 * len(phrase) + 20 for phrase in self._own), default=0)
        self.longest = max(_LONGEST, self._longest)
        """Characters of a text that is worth a call of `id_of`."""

    def id_of(self, text: str) -> str | None:
        """HEARTBEAT_OK, NO_REPLY or phrase:<n>; None when the answer says more, or nothing."""
        if len(text) > self.longest:
            return None
        if HEARTBEAT_OK in text and _is_acknowledgement(text):
            return HEARTBEAT_OK
        if len(text) < _LONGEST_SILENCE and _SILENT.fullmatch(text.strip()):
            return NO_REPLY
        if len(text) > self._longest:
            return None
        folded = text.casefold()
        return self._own.get(_normal(text)) if any(word in folded for word in self._words) else None


def _is_acknowledgement(text: str) -> bool:
    bare = _MARKUP.sub(" ", text).strip().strip(_EDGE_MARKUP)
    return any(rest is not None and len(rest) <= ACK_MAX_CHARS for rest in (_around_token(text), _around_token(bare)))


def _around_token(text: str) -> str | None:
    """What is left of a text that starts or ends with the token; None when it stands in the middle only."""
    found = False
    while True:
        text = text.strip()
        if text.startswith(HEARTBEAT_OK):
            text = text[len(HEARTBEAT_OK) :]
        elif _HEARTBEAT_AT_END.search(text):
            before, _, after = text.rpartition(HEARTBEAT_OK)
            text = before.rstrip() + after.lstrip() if before.strip() else ""
        else:
            return _SPACES.sub(" ", text) if found else None
        found = True


def _normal(text: str) -> str:
    return _SPACES.sub(" ", _EDGES.sub("", text)).casefold()
