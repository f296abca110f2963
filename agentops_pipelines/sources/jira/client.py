"""HTTP to Jira: reads only, with retries, and every way it can fail as a sentence that says what to do.

Belongs here: the token (sent to the configured address only, shown nowhere) and error texts. Timeouts and retries are
sources/http.py, what is asked and what the answers mean is reader.py. Bodies of failed
answers are never shown: they may quote a ticket.

Jira Cloud takes questions by POST: READING_POSTS are the only addresses that one is ever sent to.
"""

import base64
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import httpx

from agentops_pipelines.sources.batches import SourceError
from agentops_pipelines.sources.http import (
    RETRIED_STATUS,
    Trouble,
    answer_of,
    given_up,
    is_header_safe,
    json_of,
    plain_address,
    trouble_of,
)
from agentops_pipelines.sources.privacy import shown_url

URL_SETTING = "AGENTOPS_JIRA_BASE_URL"
TOKEN_SETTING = "AGENTOPS_JIRA_API_TOKEN"  # noqa: S105 - the setting's name
HIDDEN_TOKEN = "…(hidden)"  # noqa: S105 - stands where the token would

SEARCH = "/rest/api/3/search/jql"
CHANGELOGS = "/rest/api/3/changelog/bulkfetch"
READING_POSTS = frozenset({SEARCH, CHANGELOGS})

_SPREAD_SECONDS = 0.5
"""Everybody who was told to wait comes back at the same moment: not this one."""


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

    def _answer(self, method: str, path: str, options: Mapping[str, Any]) -> httpx.Response:
        try:
            return answer_of(
                lambda: self._http.request(
                    method, self.base_url + path, headers=self._headers, follow_redirects=False, **options
                ),
                sleep=self._sleep,
                spread=_SPREAD_SECONDS,
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._unreachable(error) from error

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
            return self._url_error(problem + given_up(response), _TROUBLED)
        return self._url_error(problem, _NOT_JIRA)

    def _unreachable(self, error: Exception) -> SourceError:
        trouble, problem = trouble_of(error)
        return self._url_error(problem, _REMEDIES[trouble])

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
_REMEDIES: dict[Trouble, str] = {
    Trouble.TLS: "Check the certificate; for an authority of your own set SSL_CERT_FILE.",
    Trouble.HOST: "Check the host name.",
    Trouble.REFUSED: "Check host and port.",
    Trouble.SLOW: _TROUBLED,
    Trouble.BROKEN: _TROUBLED,
}


def _token_error(problem: str) -> SourceError:
    return SourceError(
        setting=TOKEN_SETTING,
        value=HIDDEN_TOKEN,
        problem=problem,
        remedy="Make a new API token (Jira Cloud: id.atlassian.com, Security, API tokens; Data Center: your profile, "
        "Personal access tokens) of an account that may browse the projects.",
    )


def _authorization(email: str, token: str) -> str:
    if not token or not is_header_safe(token):
        raise _token_error("it is empty, or holds a space, a line break or a character that no token has")
    if not email:
        return f"Bearer {token}"
    return "Basic " + base64.b64encode(f"{email}:{token}".encode()).decode()


def _checked_url(base_url: str) -> str:
    """The address without a slash at the end. Raises SourceError, which never shows a password in it."""
    address = plain_address(base_url)
    if address is None:
        raise SourceError(
            setting=URL_SETTING,
            value=shown_url(base_url),
            problem="not the plain address of a Jira",
            remedy="Write it like https://company.atlassian.net, without user name, password, '?' or '#'.",
        )
    return address
