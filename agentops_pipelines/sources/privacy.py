"""Keeps people and passwords out of the warehouse: peer ids become short hashes before they leave a source.

Belongs here: what to hide and how. Every source passes keys, labels, user names and addresses through these functions.
"""

import hashlib
import re

_CHANNEL_KEY = re.compile(
    r"^(?P<head>agent:[^:]+:(?:[^:]+:){0,2}?(?:direct|dm|group|channel|room):)(?P<peer>[^:]+)(?P<tail>.*)$"
)
_SUB_PEER = re.compile(r"(?P<head>:(?:thread|topic):)(?P<peer>[^:]+)")
_NUMBER = re.compile(r"\+\d[\d ().-]{5,}\d|\+?\d{7,}")
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")


def peer_label(peer: str) -> str:
    """A short stable stand-in for a phone number, chat id or address: `~` and 8 hex digits."""
    return "~" + hashlib.blake2s(peer.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()


def clean_session_key(key: str) -> str:
    """A session key with the ids of people, groups and threads in it replaced by `peer_label`."""
    match = _CHANNEL_KEY.match(key)
    if match is None:
        return key
    tail = _SUB_PEER.sub(lambda m: m["head"] + peer_label(m["peer"]), match["tail"])
    return match["head"] + peer_label(match["peer"]) + tail


def clean_label(text: str, *, limit: int = 120) -> str:
    """A label cut to `limit` characters, with numbers of seven digits and more and mail addresses replaced."""
    text = _ADDRESS.sub(lambda m: peer_label(m[0]), text)
    return _NUMBER.sub(lambda m: peer_label(m[0]), text)[:limit]


def shown_url(url: str) -> str:
    """An address as people may see it: without user name, password, query and fragment, valid or not."""
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", url)
    begin = scheme[0] if scheme is not None else ""
    plain, *more = re.split("[?#]", url[len(begin) :].rstrip("/"), maxsplit=1)
    if any("@" in rest for rest in more):
        return f"{begin}…(hidden)"  # the end of a password, or an address in the query: nobody can tell
    return begin + plain.rpartition("@")[2]
