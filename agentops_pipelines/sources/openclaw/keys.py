"""Session keys and run ids without people in them.

Belongs here: what `privacy.clean_session_key` does not know of: keys of older versions and other channels, where a
phone number, address or chat id is a part of its own.
"""

import re

from agentops_pipelines.sources.privacy import clean_session_key, peer_label

_PEER = re.compile(r"\+\d{5,}|-?\d{7,}|[^@]*@.+")
_EPOCH_PARENTS = ("run",)
"""`cron:<job>:run:<epoch ms>` names a run by its time."""


def public_key(key: str) -> str:
    """A session key that can be shown: every part that identifies a person or group is a short hash."""
    parts = clean_session_key(key).split(":")
    for index, part in enumerate(parts):
        if _PEER.fullmatch(part) and not (index and parts[index - 1] in _EPOCH_PARENTS and part.isdigit()):
            parts[index] = peer_label(part)
    return ":".join(parts)[:300]


def public_run_id(run_id: str) -> str:
    """A run id that can be shown: `announce:v1:<session key>:<run>` and the like hold a session key."""
    return ":".join(peer_label(part) if "@" in part or part.startswith("+") else part for part in run_id.split(":"))[
        :300
    ]
