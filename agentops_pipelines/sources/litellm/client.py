"""HTTP to a LiteLLM proxy: GET with retries, and every way it can fail as a sentence that says what to do.

Belongs here: the key (sent to the configured address only, shown nowhere) and error texts. Timeouts and retries are
sources/http.py, what is asked and what the answers mean is api.py. Bodies of failed
answers are never shown: they may quote a request.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus

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

URL_SETTING = "AGENTOPS_LITELLM_BASE_URL"
KEY_SETTING = "AGENTOPS_LITELLM_API_KEY"
HIDDEN_KEY = "sk-…(hidden)"


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
        try:
            return answer_of(
                lambda: self._http.get(
                    self.base_url + path, params=params, headers=self._headers, follow_redirects=False
                ),
                sleep=self._sleep,
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._unreachable(error) from error

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
            problem += given_up(response)
            error = self._url_error(problem, _TROUBLED)
        else:
            error = self._url_error(problem, _NOT_LITELLM)
        return Refused(status=status, problem=problem, error=error)

    def _unreachable(self, error: Exception) -> SourceError:
        trouble, problem = trouble_of(error)
        return self._url_error(problem, _REMEDIES[trouble])

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
_REMEDIES: dict[Trouble, str] = {
    Trouble.TLS: "Check https:// against http://. For a certificate authority of your own set SSL_CERT_FILE.",
    Trouble.HOST: "Check the host name.",
    Trouble.REFUSED: "Start the proxy, or correct host and port.",
    Trouble.SLOW: _TROUBLED,
    Trouble.BROKEN: "Check http:// against https://, and what stands between here and the proxy. "
    "The next run goes on from here.",
}


def _key_error(problem: str, *, value: str = HIDDEN_KEY) -> SourceError:
    return SourceError(
        setting=KEY_SETTING,
        value=value,
        problem=problem,
        remedy="Set the proxy's master key, or a virtual key of a proxy admin.",
    )


def _checked_key(api_key: str) -> str:
    """The key. Raises SourceError when it cannot be a header's value."""
    if not is_header_safe(api_key):
        raise _key_error("it holds a space, a line break or a character that no key has")
    return api_key


def _checked_url(base_url: str) -> str:
    """The address without a slash at the end. Raises SourceError, which never shows a password in it."""
    address = plain_address(base_url)
    if address is None:
        raise SourceError(
            setting=URL_SETTING,
            value=shown_url(base_url),
            problem="not the plain address of a proxy",
            remedy="Write it like http://localhost:4000, without user name, password, '?' or '#'.",
        )
    return address


def _redirect_host(response: httpx.Response) -> str:
    try:
        return httpx.URL(response.headers["location"]).host or "another page of itself"
    except httpx.InvalidURL:
        return "nowhere"
