"""A LiteLLM proxy for tests: a real HTTP server on loopback that answers like LiteLLM 1.108.7, faults on demand.

Belongs here: the paging and the refusals of the four endpoints that agentops reads, the recordings in the repository,
and the faults. It keeps no model and calls nobody.

    with serve_litellm(rows=recorded_rows("gateway")) as proxy:
        read_api(base_url=proxy.base_url, api_key=proxy.api_key, ...)

`proxy.faults` is a list of faults for the next requests, `proxy.requests` what was asked so far.
"""

import gzip
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit
from zlib import crc32

DATA = Path(__file__).parent / "data" / "litellm"

COUNT_CAP = 10_000
API_KEY = "sk-test-key-of-the-loopback-proxy"

_DATABASE_ONLY = ("messages", "response", "proxy_server_request", "created_at", "updated_at", "billing_agent_id")
_TIMES = ("startTime", "endTime", "completionStartTime")

Recording = Literal["gateway", "combined"]


def recorded_rows(name: Recording) -> list[dict[str, Any]]:
    """Rows of LiteLLM_SpendLogs as the database has them: "gateway" has 417, "combined" (with OpenClaw) 190."""
    return _recorded(f"{name}_spend_logs")


def recorded_daily(name: Recording) -> list[dict[str, Any]]:
    """Rows of LiteLLM_DailyUserSpend: one per day, key, model and route."""
    return _recorded(f"{name}_daily")


def recorded_keys(name: Recording) -> list[dict[str, Any]]:
    """Entries of /key/list."""
    return _recorded(f"{name}_keys")


def recorded_models(name: Recording) -> list[dict[str, Any]]:
    """Entries of /model/info."""
    return _recorded(f"{name}_models")


def recorded_router(name: Recording) -> dict[str, Any]:
    """The answer of /router/settings."""
    return _recorded(f"{name}_router")[0]


def recorded_truth() -> list[dict[str, Any]]:
    """One line per call made while "gateway" was recorded: what the client asked for and got."""
    return _recorded("gateway_truth")


def _recorded(name: str) -> list[dict[str, Any]]:
    with gzip.open(DATA / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def api_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A database row as the API gives it: fewer columns, times with milliseconds and an offset."""
    answer = {name: value for name, value in row.items() if name not in _DATABASE_ONLY}
    for name in _TIMES:
        if isinstance(answer.get(name), str):
            answer[name] = _with_offset(answer[name])
    return answer


def _with_offset(text: str) -> str:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None).isoformat(timespec="milliseconds") + "+00:00"
    except ValueError:
        return text


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What happens to a request instead of its answer.

    `status`, `headers` and `body` answer it; `drop` closes the connection after `body` bytes of a longer answer (or
    before any); `hang` leaves it without an answer until the server stops; `then` is called first, in any case.
    """

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    drop: bool = False
    hang: bool = False
    then: Callable[[], object] | None = None
    path: str = ""
    """Only requests whose path begins so meet the fault; '' means any."""


@dataclass(kw_only=True)
class LoopbackProxy:
    """The server's state. Tests may change every part of it while it runs."""

    base_url: str = ""
    api_key: str = API_KEY
    rows: list[dict[str, Any]] = field(default_factory=list)
    daily: list[dict[str, Any]] = field(default_factory=list)
    """Rows of LiteLLM_DailyUserSpend."""
    keys: list[dict[str, Any]] = field(default_factory=list)
    deleted_keys: list[dict[str, Any]] | None = None
    """None: the proxy refuses status=deleted."""
    models: list[dict[str, Any]] = field(default_factory=list)
    router: dict[str, Any] = field(default_factory=dict)
    max_page_size: int = 1_000
    daily_page_size: int = 1_000
    """At most so many rows of the daily counters a page, whatever is asked for."""
    denied: dict[str, int] = field(default_factory=dict)
    """Path -> status of endpoints that this proxy or key does not have."""
    faults: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    """Path and query of every request, in order."""
    authorizations: list[str] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def asked(self, path: str) -> list[dict[str, str]]:
        """The queries of every request for `path`."""
        parts = [urlsplit(request) for request in self.requests]
        return [dict(parse_qsl(part.query)) for part in parts if part.path == path]


@contextmanager
def serve_litellm(
    *,
    rows: Sequence[Mapping[str, Any]] = (),
    daily: Sequence[Mapping[str, Any]] = (),
    keys: Sequence[Mapping[str, Any]] = (),
    models: Sequence[Mapping[str, Any]] = (),
    router: Mapping[str, Any] | None = None,
) -> Iterator[LoopbackProxy]:
    """Serves rows (database or API shape), daily counters, keys, models and router settings until the block ends."""
    proxy = LoopbackProxy(
        rows=[dict(row) for row in rows],
        daily=[dict(row) for row in daily],
        keys=[dict(key) for key in keys],
        models=[dict(model) for model in models],
        router=dict(router or {}),
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(proxy))
    server.daemon_threads = True
    proxy.base_url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.stopped.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def serve_recording(name: Recording) -> Iterator[LoopbackProxy]:
    """Serves a recording: its rows, daily counters, keys, models and router settings."""
    with serve_litellm(
        rows=recorded_rows(name),
        daily=recorded_daily(name),
        keys=recorded_keys(name),
        models=recorded_models(name),
        router=recorded_router(name),
    ) as proxy:
        yield proxy


class _Answer(Exception):
    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        self.status = status
        self.body = body
        super().__init__(status)


def _error(status: int, message: str, *, kind: str, param: str | None) -> _Answer:
    return _Answer(status, {"error": {"message": message, "type": kind, "param": param, "code": str(status)}})


def _handler(proxy: LoopbackProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one packet an answer: two of them wait 40 ms for each other
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            proxy.requests.append(self.path)
            proxy.authorizations.append(self.headers.get("authorization", ""))
            fault = _next_fault(proxy, self.path)
            if fault is not None:
                if fault.then is not None:
                    fault.then()
                if self._met(fault):
                    return
            try:
                status, body = 200, _answer(proxy, self.path, self.headers.get("authorization", ""))
            except _Answer as answer:
                status, body = answer.status, answer.body
            self._send(status, {"content-type": "application/json"}, json.dumps(body).encode())

        def _met(self, fault: Fault) -> bool:
            """Whether the fault took the answer's place."""
            if fault.hang:
                proxy.stopped.wait()
            elif fault.drop and fault.body:
                self.send_response(200)
                self.send_header("content-length", str(len(fault.body) + 1_000))
                self.end_headers()
                self.wfile.write(fault.body)
                self.wfile.flush()
            elif fault.status:
                self._send(fault.status, fault.headers, fault.body)
            if fault.hang or fault.drop:
                self.close_connection = True
            return bool(fault.hang or fault.drop or fault.status)

        def _send(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Quiet."""

    return Handler


def _next_fault(proxy: LoopbackProxy, path: str) -> Fault | None:
    for fault in proxy.faults:
        if path.startswith(fault.path):
            proxy.faults.remove(fault)
            return fault
    return None


def _answer(proxy: LoopbackProxy, target: str, authorization: str) -> Mapping[str, Any]:
    url = urlsplit(target)
    query = dict(parse_qsl(url.query, keep_blank_values=True))
    if authorization != f"Bearer {proxy.api_key}":
        raise _error(401, "Authentication Error, Invalid API key provided.", kind="token_not_found_in_db", param="key")
    if url.path in proxy.denied:
        raise _Answer(proxy.denied[url.path], {"detail": "denied"})
    match url.path:
        case "/spend/logs/v2":
            return _spend_logs(proxy, query)
        case "/user/daily/activity":
            return _daily_activity(proxy, query)
        case "/key/list":
            return _key_list(proxy, query)
        case "/model/info":
            return {"data": proxy.models}
        case "/router/settings":
            return proxy.router
    raise _Answer(404, {"detail": "Not Found"})


def _spend_logs(proxy: LoopbackProxy, query: Mapping[str, str]) -> Mapping[str, Any]:
    """Both bounds included, `total` counted up to the cap, OFFSET paging in an order that leaves ties open."""
    page = _bounded(query, "page", default=1, maximum=None)
    size = _bounded(query, "page_size", default=50, maximum=proxy.max_page_size)
    if not query.get("start_date") or not query.get("end_date"):
        raise _error(400, "Start date and end date are required", kind="bad_request", param="None")
    start, end = _date(query["start_date"]), _date(query["end_date"])
    # ties stand as the database happens to have them: in another order for every request
    salt = len(proxy.requests)
    found = [
        (moment, crc32(f"{row.get('request_id')} {salt}".encode()), row)
        for row in proxy.rows
        if start <= (moment := _started_at(row)) <= end
    ]
    found.sort(key=lambda entry: entry[:2], reverse=query.get("sort_order", "desc") == "desc")
    chosen = [row for _, _, row in found]
    total = min(len(chosen), COUNT_CAP)
    return {
        "data": [api_row(row) for row in chosen[(page - 1) * size : page * size]],
        "total": total,
        "page": page,
        "page_size": size,
        "total_pages": -(-total // size),
        "total_is_capped": len(chosen) > COUNT_CAP,
    }


def _bounded(query: Mapping[str, str], name: str, *, default: int, maximum: int | None) -> int:
    value = int(query.get(name, default))
    if value < 1 or (maximum is not None and value > maximum):
        raise _Answer(422, {"detail": [{"type": "less_than_equal", "loc": ["query", name]}]})
    return value


def _date(text: str) -> datetime:
    """'YYYY-MM-DD' is midnight; anything but the two formats is refused."""
    for pattern in ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S"):
        try:
            return datetime.strptime(text, pattern)  # noqa: DTZ007 - UTC by definition
        except ValueError:
            continue
    raise _error(
        400,
        f"Invalid date format: {text}. Expected: 'YYYY-MM-DD' or 'YYYY-MM-DD HH:MM:SS'",
        kind="internal_server_error",
        param=None,
    )


def _started_at(row: Mapping[str, Any]) -> datetime:
    """When a row started. A row with a broken time, which only tests have, lies in the recordings' last day."""
    try:
        return datetime.fromisoformat(row["startTime"]).replace(tzinfo=None)
    except (KeyError, TypeError, ValueError):
        return datetime(2026, 11, 24, 12)


_METRICS = (
    "spend",
    "prompt_tokens",
    "completion_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "api_requests",
    "successful_requests",
    "failed_requests",
)


def _daily_activity(proxy: LoopbackProxy, query: Mapping[str, str]) -> Mapping[str, Any]:
    """Pages count rows of the table, not days: a day and a key may be split over pages."""
    page = _bounded(query, "page", default=1, maximum=None)
    size = min(_bounded(query, "page_size", default=50, maximum=1_000), proxy.daily_page_size)
    chosen = [row for row in proxy.daily if query["start_date"] <= row["date"] <= query["end_date"]]
    days: dict[str, dict[str, dict[str, Any]]] = {}
    aliases = {key.get("token"): key.get("key_alias") for key in proxy.keys}
    for row in chosen[(page - 1) * size : page * size]:
        keys = days.setdefault(row["date"], {})
        empty = {"metrics": dict.fromkeys(_METRICS, 0), "metadata": {"key_alias": aliases.get(row["api_key"])}}
        entry = keys.setdefault(row["api_key"], empty)
        for name in _METRICS:
            entry["metrics"][name] += row[name]
    return {
        "results": [{"date": day, "breakdown": {"api_keys": keys}} for day, keys in days.items()],
        "metadata": {"page": page, "total_pages": -(-len(chosen) // size), "has_more": page * size < len(chosen)},
    }


def _key_list(proxy: LoopbackProxy, query: Mapping[str, str]) -> Mapping[str, Any]:
    page = _bounded(query, "page", default=1, maximum=None)
    size = _bounded(query, "size", default=10, maximum=100)
    keys = proxy.keys
    if query.get("status") == "deleted":
        if proxy.deleted_keys is None:
            raise _Answer(400, {"detail": "Invalid status"})
        keys = proxy.deleted_keys
    chosen = keys[(page - 1) * size : page * size]
    return {
        "keys": chosen if query.get("return_full_object") == "true" else [key["token"] for key in chosen],
        "total_count": len(keys),
        "current_page": page,
        "total_pages": -(-len(keys) // size),
    }
