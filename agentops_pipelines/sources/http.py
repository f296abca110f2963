"""What every HTTP source needs: a client, which answers are worth another try and after how long, what went wrong.

Belongs here: what is true of HTTP. Does not belong here: keys, settings, and what a person should do about a trouble;
each source has its own client for them.
"""

import json
import secrets
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

import httpx
import orjson

TRIES = 5
MAX_WAIT_SECONDS = 120.0
"""A server that asks for more patience than this is reported instead of waited for: the next run goes on."""

RETRIED_STATUS = frozenset({429, 500, 502, 503, 504})

_RETRIED_ERRORS = (httpx.TimeoutException, httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)
_TIMEOUT = httpx.Timeout(60.0, connect=10.0)
_FIRST_BACKOFF_SECONDS = 1.0
_RANDOM = secrets.SystemRandom()


class Trouble(StrEnum):
    """Why there was no answer at all: each source says what to do about each."""

    TLS = "tls"
    HOST = "host"
    REFUSED = "refused"
    SLOW = "slow"
    BROKEN = "broken"


@contextmanager
def http_client() -> Iterator[httpx.Client]:
    """A client with timeouts, closed at the end."""
    with httpx.Client(timeout=_TIMEOUT) as http:
        yield http


def real_sleep(seconds: float) -> None:
    """Waits between tries."""
    time.sleep(seconds)


def answer_of(
    send: Callable[[], httpx.Response], *, sleep: Callable[[float], None], spread: float = 0.0
) -> httpx.Response:
    """The first answer that is not worth a retry, or the last one.

    `spread` adds up to so many seconds to a wait that the server asks for. Raises httpx.HTTPError or httpx.InvalidURL
    when there is no answer; `trouble_of` tells what that means.
    """
    for tries_left in reversed(range(TRIES)):
        backoff = _FIRST_BACKOFF_SECONDS * 2 ** (TRIES - 1 - tries_left) * _RANDOM.uniform(0.5, 1.0)
        try:
            response = send()
        except _RETRIED_ERRORS:
            if not tries_left:
                raise
            sleep(backoff)
            continue
        if response.status_code not in RETRIED_STATUS or not tries_left:
            return response
        wait = retry_after(response)
        if wait is not None and wait > MAX_WAIT_SECONDS:
            return response
        sleep(backoff if wait is None else wait + _RANDOM.uniform(0.0, spread))
    raise AssertionError("unreachable: the last try returns or raises")


def given_up(response: httpx.Response) -> str:
    """How an answer that is worth a retry came to be the last one, to follow `HTTP 503 from ...`."""
    wait = retry_after(response) or 0.0
    return f", which asks to wait {wait:.0f} s" if wait > MAX_WAIT_SECONDS else f", {TRIES} times"


def trouble_of(error: Exception) -> tuple[Trouble, str]:
    """What an exception of `answer_of` means, and that in words."""
    behind = tuple(_causes(error))
    if any(isinstance(cause, ssl.SSLError) for cause in behind):
        return Trouble.TLS, "the TLS connection failed"
    if any(isinstance(cause, socket.gaierror) for cause in behind):
        return Trouble.HOST, "no address is known for this host name"
    if isinstance(error, httpx.ConnectError):
        return Trouble.REFUSED, "nothing answers at this address (connection refused)"
    if isinstance(error, httpx.TimeoutException):
        return Trouble.SLOW, f"no answer in time, {TRIES} times"
    return Trouble.BROKEN, f"the connection broke ({type(error).__name__})"


def plain_address(base_url: str) -> str | None:
    """The address without a slash at the end; None when it is none, or holds more than scheme, host and path."""
    try:
        url = httpx.URL(base_url)
    except (httpx.InvalidURL, UnicodeError):
        return None
    if url.scheme not in ("http", "https") or not url.host or url.userinfo or url.query or url.fragment:
        return None
    return base_url.rstrip("/")


def is_header_safe(secret: str) -> bool:
    """Whether it can be a header's value: httpx would show a bad one in its exception."""
    return secret.isascii() and secret.isprintable() and " " not in secret


def json_of(content: bytes) -> object:
    """The body, or None when it is no JSON. One NaN in a row is no reason to lose a page: the slow parser takes it."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def retry_after(response: httpx.Response) -> float | None:
    """Seconds the server asks to wait: a number, or a date seen from the server's own clock. None when unsaid."""
    value = response.headers.get("retry-after", "").strip()
    if value.isdecimal():
        return float(value)
    until = _http_date(value)
    if until is None:
        return None
    now = _http_date(response.headers.get("date", "")) or datetime.now(UTC)
    return max((until - now).total_seconds(), 0.0)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from."""
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__


def _http_date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
