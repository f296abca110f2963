"""What Jira Cloud answers about the company's board: fields, statuses, priorities, tickets, changelogs.

Belongs here: the shapes of its REST API, version 3, as its documentation has them. Texts that people write, summaries
and descriptions, are not asked for and so not there. What stands on the board is in board.py.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from agentops_pipelines.demo.board import (
    BLOCKED,
    DONE,
    IN_PROGRESS,
    IN_REVIEW,
    ISSUES,
    PRIORITIES,
    PROJECT,
    TO_DO,
    Issue,
)
from agentops_pipelines.demo.company import SECOND

_POINTS = "customfield_10016"
_METHOD = "customfield_10041"
_FIRST_ID = 10_100
_CATEGORIES = {"new": 2, "done": 3, "indeterminate": 4}
_STATUSES = {
    TO_DO: ("10000", "new"),
    IN_PROGRESS: ("3", "indeterminate"),
    IN_REVIEW: ("10001", "indeterminate"),
    BLOCKED: ("10002", "indeterminate"),
    DONE: ("10003", "done"),
}


def fields() -> list[dict[str, Any]]:
    """GET /rest/api/3/field, in short."""
    estimate = {"type": "number", "custom": "com.pyxis.greenhopper.jira:jsw-story-points", "customId": 10016}
    option = {"type": "option", "custom": "com.atlassian.jira.plugin.system.customfieldtypes:select", "customId": 10041}
    return [
        {"id": "status", "key": "status", "name": "Status", "custom": False, "schema": {"type": "status"}},
        {"id": _POINTS, "key": _POINTS, "name": "Story point estimate", "custom": True, "schema": estimate},
        {"id": _METHOD, "key": _METHOD, "name": "Method", "custom": True, "schema": option},
    ]


def statuses() -> list[dict[str, Any]]:
    """GET /rest/api/3/status."""
    return [_status(name) for name in _STATUSES]


def priorities() -> list[dict[str, Any]]:
    """GET /rest/api/3/priority: the highest first."""
    return [{"id": str(n), "name": name} for n, name in enumerate(PRIORITIES, start=1)]


def search() -> dict[str, Any]:
    """POST /rest/api/3/search/jql: the whole board on one page."""
    return {"issues": [_ticket(issue) for issue in ISSUES], "isLast": True}


def changelogs() -> dict[str, Any]:
    """POST /rest/api/3/changelog/bulkfetch: tickets without history are missing."""
    logs = [{"issueId": _id(issue), "changeHistories": _histories(issue)} for issue in ISSUES if issue.moves]
    return {"issueChangeLogs": logs}


def _ticket(issue: Issue) -> dict[str, Any]:
    links = []
    if issue.blocked_by:
        (other,) = (one for one in ISSUES if one.key == issue.blocked_by)
        kind = {"id": "10000", "name": "Blocks", "inward": "is blocked by", "outward": "blocks"}
        links.append({"type": kind, "inwardIssue": {"key": other.key, "fields": {"status": _status(other.status)}}})
    return {
        "id": _id(issue),
        "key": issue.key,
        "fields": {
            "created": _iso(issue.created_at),
            "updated": _iso(issue.updated_at),
            "resolutiondate": _iso(issue.updated_at) if issue.status == DONE else None,
            "issuetype": {"id": "10001", "name": "Task", "subtask": False},
            "project": {"id": "10000", "key": PROJECT, "simplified": True},
            "priority": {"id": str(PRIORITIES.index(issue.priority) + 1), "name": issue.priority},
            "assignee": {"accountId": f"5b1-{issue.agent}", "displayName": issue.agent},
            "status": _status(issue.status),
            "issuelinks": links,
            _POINTS: issue.points,
            _METHOD: {"value": issue.method} if issue.method else None,
        },
    }


def _histories(issue: Issue) -> list[dict[str, Any]]:
    """What happened to a ticket, the newest last; ids grow with time."""
    changes: list[tuple[int, Mapping[str, Any]]] = []
    before = TO_DO
    for at, status in issue.moves:
        ids = {"from": _STATUSES[before][0], "to": _STATUSES[status][0]}
        named = {"fromString": before, "toString": status}
        changes.append((at, {"field": "status", "fieldId": "status", "fieldtype": "jira", **ids, **named}))
        before = status
    if issue.raised is not None:
        at, points = issue.raised
        values = {"from": None, "fromString": f"{points:g}", "to": None, "toString": f"{issue.points:g}"}
        changes.append((at, {"field": "Story point estimate", "fieldId": _POINTS, "fieldtype": "custom", **values}))
    changes.sort(key=lambda change: change[0])
    first = 100 * int(_id(issue))
    return [{"id": str(first + n), "created": at, "items": [item]} for n, (at, item) in enumerate(changes)]


def _status(name: str) -> dict[str, Any]:
    status_id, category = _STATUSES[name]
    return {"id": status_id, "name": name, "statusCategory": {"id": _CATEGORIES[category], "key": category}}


def _id(issue: Issue) -> str:
    return str(_FIRST_ID + int(issue.key.rpartition("-")[2]))


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at / SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
