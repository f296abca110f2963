"""Session keys and run ids without people in them.

Belongs here: what `privacy.clean_session_key` does not know of: keys of older versions and other channels, where a
phone number, address or chat id is a part of its own, and run ids, which may hold a whole session key.
"""

import re

from agentops_pipelines.sources.privacy import clean_session_key, peer_label

_PEER = re.compile(r"\+\d{5,}|-?\d{7,}|[^@]*@.+|.*\+\d{7,}.*", re.DOTALL)
_EPOCH = re.compile(r"(?:1[5-9]|20)\d{11}")
"""Milliseconds since 1970, from 2017 to 2036: no country's phone numbers of 13 digits begin like this."""
_EPOCH_PARENTS = ("run",)
"""`cron:<job>:run:<epoch ms>` names a run by its time."""
_KEY = "agent:"
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""Most run ids, done with at a look: one stands on every line of 2026.9."""


def public_key(key: str) -> str:
    """A session key that can be shown: every part that identifies a person or group is a short hash."""
    parts = clean_session_key(key).split(":")
    for index, part in enumerate(parts):
        if _PEER.fullmatch(part) and not (index and parts[index - 1] in _EPOCH_PARENTS and part.isdigit()):
            parts[index] = peer_label(part)
    return ":".join(parts)[:300]


def public_run_id(run_id: str) -> str:
    """A run id that can be shown. `announce:v1:<session key>:<run>` and the like hold a session key."""
    if _UUID.fullmatch(run_id):
        return run_id
    before, begin, key = run_id.partition(_KEY)
    if begin:
        key = clean_session_key(begin + key)
    return ":".join(_public_part(part) for part in (before + key).split(":"))[:300]


def _public_part(part: str) -> str:
    """A part of a run id. Times stay: they tell two runs of one job apart."""
    return peer_label(part) if _PEER.fullmatch(part) and not _EPOCH.fullmatch(part) else part
