"""HTTP to Jira: reads only, with retries, and every way it can fail as a sentence that says what to do.

Belongs here: the token (sent to the configured address only, shown nowhere), timeouts, retries, error texts. What is
asked and what the answers mean is reader.py. Bodies of failed answers are never shown: they may quote a ticket.

Jira Cloud takes questions by POST: READING_POSTS are the only addresses that one is ever sent to.
"""

import base64
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
"""A Jira that asks for more patience than this is reported instead of waited for: the next run goes on."""

URL_SETTING = "AGENTOPS_JIRA_BASE_URL"
TOKEN_SETTING = "AGENTOPS_JIRA_API_TOKEN"  # noqa: S105 - the setting's name
HIDDEN_TOKEN = "…(hidden)"  # noqa: S105 - stands where the token would

SEARCH = "/rest/api/3/search/jql"
CHANGELOGS = "/rest/api/3/changelog/bulkfetch"
READING_POSTS = frozenset({SEARCH, CHANGELOGS})

_TIMEOUT = httpx.Timeout(60.0, connect=10.0)
_FIRST_BACKOFF_SECONDS = 1.0
_RANDOM = secrets.SystemRandom()


@contextmanager
def http_client() -> Iterator[httpx.Client]:
    """A client with timeouts, closed at the end."""
    with httpx.Client(timeout=_TIMEOUT) as http:
        yield http


def real_sleep(seconds: float) -> None:
    """Waits between tries."""
    time.sleep(seconds)


class JiraClient:
    """Reads JSON of one Jira: Cloud when there is an email, else a Data Center. `bytes_read` counts the bodies."""

    def __init__(
        self, http: httpx.Client, *, base_url: str, email: str, token: str, sleep: Callable[[float], None]
    ) -> None:
        self.base_url = _checked_url(base_url)
        self.is_cloud = bool(email)
        self.bytes_read = 0
        self._http = http
        self._sleep = sleep
        self._headers = {"Authorization": _authorization(email, token), "Accept": "application/json"}

    def get(self, path: str, params: Mapping[str, str | int] | None = None) -> object:
        """The JSON at `path`. Raises SourceError when there is none."""
        return self._json("GET", path, params=params)

    def ask(self, path: str, question: Mapping[str, object]) -> object:
        """The JSON answer to a question that is asked by POST. Raises SourceError when there is none."""
        if path not in READING_POSTS:
            raise ValueError(f"{path} is not for reading")
        return self._json("POST", path, json=question)

    def nonsense(self, problem: str) -> SourceError:
        """An answer that no Jira should give."""
        return self._url_error(problem, _NOT_JIRA)

    def _json(self, method: str, path: str, **options: object) -> object:
        response = self._answer(method, path, options)
        if response.status_code != HTTPStatus.OK:
            raise self._refusal(path, response)
        self.bytes_read += len(response.content)
        body = json_of(response.content)
        if not isinstance(body, dict | list):
            raise self.nonsense(f"an answer from {path} that is not Jira's JSON")
        return body

    def _answer(self, method: str, path: str, options: Mapping[str, object]) -> httpx.Response:
        """The first answer that is not worth a retry, or the last one."""
        for tries_left in reversed(range(TRIES)):
            backoff = _FIRST_BACKOFF_SECONDS * 2 ** (TRIES - 1 - tries_left) * _RANDOM.uniform(0.5, 1.0)
            try:
                response = self._http.request(
                    method,
                    self.base_url + path,
                    headers=self._headers,
                    follow_redirects=False,
                    **options,  # type: ignore[arg-type]
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
            # everybody who was told to wait comes back at the same moment: not this one
            self._sleep(backoff if wait is None else wait + _RANDOM.uniform(0.0, 0.5))
        raise AssertionError("unreachable: the last try returns or raises")

    def _refusal(self, path: str, response: httpx.Response) -> SourceError:
        """Why `path` gave no answer: by status, because a body may quote a ticket."""
        status = response.status_code
        problem = f"HTTP {status} from {path}"
        if status == HTTPStatus.UNAUTHORIZED:
            return _token_error(f"Jira does not accept this token: expired, revoked, or of another account ({problem})")
        if status == HTTPStatus.FORBIDDEN:
            return _token_error(f"this account may not read here ({problem})")
        if status == HTTPStatus.BAD_REQUEST:
            return SourceError(setting="agentops.toml: jira", value="", problem=problem, remedy=_REFUSED_QUESTION)
        if status in (HTTPStatus.GONE, HTTPStatus.NOT_FOUND):
            return self._url_error(problem, _NO_V3 if self.is_cloud else _NO_V2)
        if response.is_redirect:
            return self._url_error(f"{problem}, a redirect", _NOT_JIRA)
        if status in RETRIED_STATUS:
            wait = retry_after(response) or 0.0
            problem += f", which asks to wait {wait:.0f} s" if wait > MAX_WAIT_SECONDS else f", {TRIES} times"
            return self._url_error(problem, _TROUBLED)
        return self._url_error(problem, _NOT_JIRA)

    def _unreachable(self, error: Exception) -> SourceError:
        behind = tuple(causes(error))
        if any(isinstance(cause, ssl.SSLError) for cause in behind):
            return self._url_error("the TLS connection failed", _TLS)
        if any(isinstance(cause, socket.gaierror) for cause in behind):
            return self._url_error("no address is known for this host name", "Check the host name.")
        if isinstance(error, httpx.ConnectError):
            return self._url_error("nothing answers at this address (connection refused)", "Check host and port.")
        if isinstance(error, httpx.TimeoutException):
            return self._url_error(f"no answer in time, {TRIES} times", _TROUBLED)
        return self._url_error(f"the connection broke ({type(error).__name__})", _TROUBLED)

    def _url_error(self, problem: str, remedy: str) -> SourceError:
        return SourceError(setting=URL_SETTING, value=self.base_url, problem=problem, remedy=remedy)


_NOT_JIRA = "Give the address of a Jira, like https://company.atlassian.net, not of a page in it or of a login."
_NO_V3 = (
    "This Jira does not know the search of Jira Cloud. For a Data Center unset AGENTOPS_JIRA_EMAIL and give a personal "
    "access token."
)
_NO_V2 = "Jira Cloud took this search away. For Jira Cloud set AGENTOPS_JIRA_EMAIL to the address that owns the token."
_REFUSED_QUESTION = (
    "Jira refuses the question: check that every project named in [jira] projects exists and that the account may see "
    "it, and that points_fields and method_field are ids of fields."
)
_TROUBLED = "The Jira is busy or in trouble; the next run goes on from here."
_TLS = "Check the certificate; for an authority of your own set SSL_CERT_FILE."


def _token_error(problem: str) -> SourceError:
    return SourceError(
        setting=TOKEN_SETTING,
        value=HIDDEN_TOKEN,
        problem=problem,
        remedy="Make a new API token (Jira Cloud: id.atlassian.com, Security, API tokens; Data Center: your profile, "
        "Personal access tokens) of an account that may browse the projects.",
    )


def _authorization(email: str, token: str) -> str:
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise _token_error("it is empty, or holds a space, a line break or a character that no token has")
    if not email:
        return f"Bearer {token}"
    return "Basic " + base64.b64encode(f"{email}:{token}".encode()).decode()


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
            problem="not the plain address of a Jira",
            remedy="Write it like https://company.atlassian.net, without user name, password, '?' or '#'.",
        )
    return base_url.rstrip("/")
