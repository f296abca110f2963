"""HTTP to a LiteLLM proxy: GET with retries, and every way it can fail as a sentence that says what to do.

Belongs here: the key (sent to the configured address only, shown nowhere), timeouts, retries, error texts. What is
asked and what the answers mean is api.py. Bodies of failed answers are never shown: they may quote a request.
"""

import secrets
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus

import httpx

from agentops_pipelines.sources.batches import SourceError
from agentops_pipelines.sources.http import RETRIED_ERRORS, RETRIED_STATUS, causes, json_of, retry_after
from agentops_pipelines.sources.privacy import shown_url

TRIES = 5
MAX_WAIT_SECONDS = 120.0
"""A proxy that asks for more patience than this is reported instead of waited for: the next run goes on."""

URL_SETTING = "AGENTOPS_LITELLM_BASE_URL"
KEY_SETTING = "AGENTOPS_LITELLM_API_KEY"
HIDDEN_KEY = "sk-…(hidden)"

_TIMEOUT = httpx.Timeout(60.0, connect=10.0)
_FIRST_BACKOFF_SECONDS = 1.0
_RANDOM = secrets.SystemRandom()


class Refused(Exception):
    """An endpoint that did not give an answer of LiteLLM. `problem` says it in a few words, `error` for a person."""

    def __init__(self, *, status: int, problem: str, error: SourceError) -> None:
        self.status = status
        self.problem = problem
        self.error = error
        super().__init__(problem)


class ProxyClient:
    """GETs JSON objects from one proxy. `bytes_read` counts the bodies."""

    def __init__(self, http: httpx.Client, *, base_url: str, api_key: str, sleep: Callable[[float], None]) -> None:
        self.base_url = _checked_url(base_url)
        self.bytes_read = 0
        self._http = http
        self._sleep = sleep
        self._headers = {"Authorization": f"Bearer {_checked_key(api_key)}"} if api_key else {}

    def get(self, path: str, params: Mapping[str, str | int]) -> dict[str, object]:
        """The JSON object at `path`.

        Raises Refused when the endpoint answers something else, SourceError when the proxy cannot be reached.
        """
        response = self._answer(path, params)
        if response.status_code != HTTPStatus.OK:
            raise self._refusal(path, response)
        self.bytes_read += len(response.content)
        body = json_of(response.content)
        if not isinstance(body, dict):
            problem = f"an answer from {path} that is not LiteLLM's JSON"
            raise Refused(status=response.status_code, problem=problem, error=self._url_error(problem, _NOT_LITELLM))
        return body

    def _answer(self, path: str, params: Mapping[str, str | int]) -> httpx.Response:
        """The first answer that is not worth a retry, or the last one."""
        for tries_left in reversed(range(TRIES)):
            backoff = _FIRST_BACKOFF_SECONDS * 2 ** (TRIES - 1 - tries_left) * _RANDOM.uniform(0.5, 1.0)
            try:
                response = self._http.get(
                    self.base_url + path, params=params, headers=self._headers, follow_redirects=False
                )
            except RETRIED_ERRORS as error:
                if not tries_left:
                    raise self._unreachable(error) from error
                self._sleep(backoff)
                continue
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise self._unreachable(error) from error
            if response.status_code not in RETRIED_STATUS or not tries_left:
                return response
            wait = retry_after(response)
            if wait is not None and wait > MAX_WAIT_SECONDS:
                return response
            self._sleep(backoff if wait is None else wait)
        raise AssertionError("unreachable: the last try returns or raises")

    def _refusal(self, path: str, response: httpx.Response) -> Refused:
        """Why `path` gave no answer: by status, because a body may quote a request."""
        status = response.status_code
        problem = f"HTTP {status} from {path}"
        if status == HTTPStatus.UNAUTHORIZED:
            said = "does not accept this key" if self._headers else "asks for a key"
            error = _key_error(f"the proxy {said} ({problem})", value=HIDDEN_KEY if self._headers else "")
        elif status == HTTPStatus.FORBIDDEN:
            error = _key_error(f"this key may not read spend logs ({problem})")
        elif status == HTTPStatus.NOT_FOUND:
            error = self._url_error(problem, _NO_ENDPOINT)
        elif response.is_redirect:
            problem += f", a redirect to {_redirect_host(response)}"
            error = self._url_error(problem, _REDIRECTED)
        elif status in RETRIED_STATUS:
            wait = retry_after(response) or 0.0
            problem += f", which asks to wait {wait:.0f} s" if wait > MAX_WAIT_SECONDS else f", {TRIES} times"
            error = self._url_error(problem, _TROUBLED)
        else:
            error = self._url_error(problem, _NOT_LITELLM)
        return Refused(status=status, problem=problem, error=error)

    def _unreachable(self, error: Exception) -> SourceError:
        behind = tuple(causes(error))
        if any(isinstance(cause, ssl.SSLError) for cause in behind):
            return self._url_error("the TLS connection failed", _TLS)
        if any(isinstance(cause, socket.gaierror) for cause in behind):
            return self._url_error("no address is known for this host name", "Check the host name.")
        if isinstance(error, httpx.ConnectError):
            return self._url_error(
                "nothing answers at this address (connection refused)", "Start the proxy, or correct host and port."
            )
        if isinstance(error, httpx.TimeoutException):
            return self._url_error(f"no answer in time, {TRIES} times", _TROUBLED)
        return self._url_error(f"the connection broke ({type(error).__name__})", _BROKEN)

    def _url_error(self, problem: str, remedy: str) -> SourceError:
        return SourceError(setting=URL_SETTING, value=self.base_url, problem=problem, remedy=remedy)


_NOT_LITELLM = (
    "Give the address of a LiteLLM proxy with a database, like http://localhost:4000, not of its pages or a login."
)
_NO_ENDPOINT = (
    "Give the proxy's own address, without /v1. A proxy too old to have this endpoint must be updated, or read from "
    "its database: set AGENTOPS_LITELLM_DATABASE_URL."
)
_REDIRECTED = "Give the address that the proxy itself answers at: the key is not sent on to another one."
_TROUBLED = "Look at the proxy's own log: it or its database is down or overloaded. The next run goes on from here."
_TLS = "Check https:// against http://. For a certificate authority of your own set SSL_CERT_FILE."
_BROKEN = "Check http:// against https://, and what stands between here and the proxy. The next run goes on from here."


@contextmanager
def http_client() -> Iterator[httpx.Client]:
    """A client with timeouts, closed at the end."""
    with httpx.Client(timeout=_TIMEOUT) as http:
        yield http


def real_sleep(seconds: float) -> None:
    """Waits between tries."""
    time.sleep(seconds)


def _key_error(problem: str, *, value: str = HIDDEN_KEY) -> SourceError:
    return SourceError(
        setting=KEY_SETTING,
        value=value,
        problem=problem,
        remedy="Set the proxy's master key, or a virtual key of a proxy admin.",
    )


def _checked_key(api_key: str) -> str:
    """The key, if it can be a header's value: httpx would show a bad one in its exception."""
    if not api_key.isascii() or not api_key.isprintable() or " " in api_key:
        raise _key_error("it holds a space, a line break or a character that no key has")
    return api_key


def _checked_url(base_url: str) -> str:
    """The address without a slash at the end. Raises SourceError, which never shows a password in it."""
    try:
        url = httpx.URL(base_url)
    except (httpx.InvalidURL, UnicodeError):
        url = None
    if url is None or url.scheme not in ("http", "https") or not url.host or url.userinfo or url.query or url.fragment:
        raise SourceError(
            setting=URL_SETTING,
            value=shown_url(base_url),
            problem="not the plain address of a proxy",
            remedy="Write it like http://localhost:4000, without user name, password, '?' or '#'.",
        )
    return base_url.rstrip("/")


def _redirect_host(response: httpx.Response) -> str:
    try:
        return httpx.URL(response.headers["location"]).host or "another page of itself"
    except httpx.InvalidURL:
        return "nowhere"
