"""A Jira for tests: a real HTTP server on loopback that answers as Jira Cloud or Data Center document, with faults.

Belongs here: paging, refusals and the little JQL that agentops asks. `jira.faults` are answers for the next requests to
a path, `jira.requests` what was asked so far, `jira.queries` the JQL in it.
"""

import base64
import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

EMAIL = "ops@company.example"
TOKEN = "token-of-the-loopback-jira"

POINTS = "customfield_10028"
ESTIMATE = "customfield_10016"
METHOD = "customfield_10050"

GONE = {
    "errorMessages": [
        "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API. See CHANGE-2046."
    ],
    "errors": {},
}

FIELDS: list[dict[str, Any]] = [
    {"id": "summary", "name": "Summary", "custom": False},
    {
        "id": ESTIMATE,
        "name": "Story point estimate",
        "custom": True,
        "schema": {"type": "number", "custom": "com.pyxis.greenhopper.jira:jsw-story-points"},
    },
    {
        "id": POINTS,
        "name": "Story-Punkte",
        "untranslatedName": "Story Points",
        "custom": True,
        "schema": {"type": "number", "custom": "com.atlassian.jira.plugin.system.customfieldtypes:float"},
    },
    {"id": METHOD, "name": "Method", "custom": True, "schema": {"type": "option"}},
]
STATUSES: list[dict[str, Any]] = [
    {"id": "1", "name": "To Do", "statusCategory": {"id": 2, "key": "new"}},
    {"id": "3", "name": "In Progress", "statusCategory": {"id": 4, "key": "indeterminate"}},
    {"id": "4", "name": "In Review", "statusCategory": {"id": 4, "key": "indeterminate"}},
    {"id": "5", "name": "Done", "statusCategory": {"id": 3, "key": "done"}},
]
PRIORITIES = [{"id": "1", "name": "Highest"}, {"id": "3", "name": "Medium"}]


def ticket(number: int, *, status: str = "1", updated: str = "2026-11-20T16:40:11.000+0000", **fields: Any) -> Any:
    """A ticket as the search gives it: with a summary, which must never be asked for."""
    category = next(one for one in STATUSES if one["id"] == status)
    return {
        "id": str(10_000 + number),
        "key": f"OPS-{number}",
        "fields": {
            "summary": "a summary that is nobody's business",
            "description": "a description that is nobody's business",
            "created": "2026-11-02T09:14:03.120+0100",
            "updated": updated,
            "resolutiondate": None,
            "issuetype": {"name": "Task"},
            "project": {"key": "OPS", "simplified": False},
            "priority": {"id": "3", "name": "Medium"},
            "assignee": {"accountId": "5b1", "displayName": "Alec Bot"},
            "status": category,
            "issuelinks": [],
            **fields,
        },
    }


@dataclass
class LoopbackJira:
    """What the server holds and what it was asked."""

    issues: list[dict[str, Any]]
    histories: dict[str, list[dict[str, Any]]]
    is_cloud: bool
    base_url: str = ""
    page_size: int = 2
    faults: list[tuple[str, int, Mapping[str, str]]] = field(default_factory=list)
    """(path begins with, status, headers) for the next requests; status 0 repeats the first page's token."""
    requests: list[tuple[str, str]] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    bodies: list[Mapping[str, Any]] = field(default_factory=list)


@contextmanager
def serve_jira(
    issues: Sequence[dict[str, Any]],
    histories: Mapping[str, list[dict[str, Any]]] | None = None,
    *,
    is_cloud: bool = True,
) -> Iterator[LoopbackJira]:
    """Serves these tickets and their changelogs (by issue id, as bulkfetch gives them) until the block ends."""
    jira = LoopbackJira(issues=list(issues), histories=dict(histories or {}), is_cloud=is_cloud)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(jira))
    server.daemon_threads = True
    jira.base_url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield jira
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(jira: LoopbackJira) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one packet an answer: two of them wait 40 ms for each other
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._reply({})

        def do_POST(self) -> None:
            self._reply(json.loads(self.rfile.read(int(self.headers["content-length"]))))

        def _reply(self, body: Mapping[str, Any]) -> None:
            url = urlsplit(self.path)
            jira.requests.append((self.command, url.path))
            status, headers, answer = _answer(
                jira, url.path, dict(parse_qsl(url.query)), body, self.headers.get("authorization", "")
            )
            content = json.dumps(answer).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Quiet."""

    return Handler


def _answer(
    jira: LoopbackJira, path: str, query: Mapping[str, str], body: Mapping[str, Any], authorization: str
) -> tuple[int, Mapping[str, str], object]:
    for fault in jira.faults:
        if path.startswith(fault[0]):
            if fault[1]:
                jira.faults.remove(fault)
                return fault[1], fault[2], {"errorMessages": ["a fault that quotes OPS-1"]}
            return 200, {}, {"issues": jira.issues[:1], "nextPageToken": "again"}
    basic = "Basic " + base64.b64encode(f"{EMAIL}:{TOKEN}".encode()).decode()
    if authorization != (basic if jira.is_cloud else f"Bearer {TOKEN}"):
        return 401, {}, {"errorMessages": ["who are you?"]}
    jira.bodies.append(body)
    version = "/rest/api/3" if jira.is_cloud else "/rest/api/2"
    lists = {f"{version}/field": FIELDS, f"{version}/status": STATUSES, f"{version}/priority": PRIORITIES}
    if path in lists:
        return 200, {}, lists[path]
    if path in ("/rest/api/2/search", "/rest/api/3/search"):
        return (410, {}, GONE) if jira.is_cloud else (200, {}, _center_search(jira, query))
    if jira.is_cloud and path == "/rest/api/3/search/jql":
        return _cloud_search(jira, body)
    if jira.is_cloud and path == "/rest/api/3/changelog/bulkfetch":
        return _changelogs(jira, body)
    return 404, {}, {}


def _cloud_search(jira: LoopbackJira, body: Mapping[str, Any]) -> tuple[int, Mapping[str, str], object]:
    if not re.search(r"project in \(", body.get("jql", "")):
        return 400, {}, {"errorMessages": ["Unbounded JQL queries are not allowed here."]}
    found = _found(jira, body["jql"])
    start = int(body.get("nextPageToken", "page-0").removeprefix("page-"))
    size = min(jira.page_size, body.get("maxResults", 50))
    page = [_shown(issue, body.get("fields", ["id"])) for issue in found[start : start + size]]
    answer: dict[str, Any] = {"issues": page, "isLast": start + size >= len(found)}
    if start + size < len(found):
        answer["nextPageToken"] = f"page-{start + size}"
    return 200, {}, answer


def _center_search(jira: LoopbackJira, query: Mapping[str, str]) -> object:
    found = _found(jira, query["jql"])
    start, size = int(query["startAt"]), min(jira.page_size, int(query["maxResults"]))
    page = [_shown(issue, query["fields"].split(",")) for issue in found[start : start + size]]
    if query.get("expand") == "changelog":
        page = [{**issue, "changelog": {"histories": jira.histories.get(issue["id"], [])}} for issue in page]
    return {"issues": page, "startAt": start, "maxResults": size, "total": len(found)}


def _changelogs(jira: LoopbackJira, body: Mapping[str, Any]) -> tuple[int, Mapping[str, str], object]:
    """One entry a page, so that a ticket spans pages; tickets without history are missing."""
    ids = body["issueIdsOrKeys"]
    if not 1 <= len(ids) <= 1_000 or len(body.get("fieldIds", ())) > 10:
        return 400, {}, {"errorMessages": ["too many"]}
    entries = [
        (issue_id, history)
        for issue_id in ids
        for history in jira.histories.get(issue_id, [])
        if {item.get("fieldId") for item in history["items"]} & set(body["fieldIds"])
    ]
    start = int(body.get("nextPageToken", "log-0").removeprefix("log-"))
    logs = [{"issueId": issue_id, "changeHistories": [history]} for issue_id, history in entries[start : start + 1]]
    more = f"log-{start + 1}" if start + 1 < len(entries) else None
    return 200, {}, {"issueChangeLogs": logs, "nextPageToken": more}


def _found(jira: LoopbackJira, jql: str) -> list[dict[str, Any]]:
    """The JQL that agentops writes: projects, and changed since or in progress."""
    jira.queries.append(jql)
    projects = re.findall(r'"([A-Z]+)"', jql.split(")")[0])
    found = [issue for issue in jira.issues if issue["fields"]["project"]["key"] in projects]
    since = re.search(r'updated >= "(\d{4}/\d\d/\d\d \d\d:\d\d)"', jql)
    if since is not None:
        moment = datetime.strptime(since[1] + " +0000", "%Y/%m/%d %H:%M %z")
        found = [
            issue
            for issue in found
            if datetime.fromisoformat(issue["fields"]["updated"]) >= moment
            or issue["fields"]["status"]["statusCategory"]["id"] == 4
        ]
    return found


def _shown(issue: Mapping[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    return {
        "id": issue["id"],
        "key": issue["key"],
        "fields": {name: value for name, value in issue["fields"].items() if name in fields},
    }
