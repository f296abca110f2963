"""What a ticket and its changelog become in `raw.jira_*`: each function takes anything and gives a clean value or None.

Belongs here: how Jira writes times, numbers and options. A summary or description is never asked for and never read;
people are a short hash.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from agentops_pipelines.settings import Jira
from agentops_pipelines.sources.jira.fields import Fields
from agentops_pipelines.sources.privacy import clean_label, peer_label

ISSUE_FIELDS = (
    "project",
    "issuetype",
    "status",
    "priority",
    "assignee",
    "issuelinks",
    "created",
    "updated",
    "resolutiondate",
)
"""The standard fields that are asked for. None holds a text that somebody wrote about the work."""

_EARLIEST = datetime.fromisoformat("2000-01-01")
_LATEST = datetime.fromisoformat("2100-01-01")
_MAX_POINTS = 1e9


def issue_row(
    issue: object, fields: Fields, config: Jira, *, ranks: Mapping[str, int], read_at: datetime
) -> dict[str, object] | None:
    """A row of raw.jira_issues, or None for what is no ticket."""
    issue = _mapping(issue)
    issue_id, key = _id(issue.get("id")), _text(issue.get("key"))
    if issue_id is None or key is None or not key.rpartition("-")[2].isdecimal():
        return None
    values = _mapping(issue.get("fields"))
    project, priority, assignee = (_mapping(values.get(name)) for name in ("project", "priority", "assignee"))
    account = _text(assignee.get("accountId")) or _text(assignee.get("name")) or _text(assignee.get("key"))
    simplified = project.get("simplified")
    return {
        "issue_id": issue_id,
        "issue_key": key,
        "project_key": _text(project.get("key")) or key.rpartition("-")[0],
        "issue_number": int(key.rpartition("-")[2][:18]),
        "issue_type": _label(_mapping(values.get("issuetype")).get("name")),
        "status_id": _id(_mapping(values.get("status")).get("id")),
        "priority": _label(priority.get("name")),
        "priority_rank": ranks.get(str(priority.get("id"))),
        "is_team_managed": simplified if isinstance(simplified, bool) else None,
        "story_points": points(values.get(fields.story_points)),
        "story_point_estimate": points(values.get(fields.story_point_estimate)),
        "method": method(values.get(fields.method)),
        "assignee_id": None if account is None else peer_label(account),
        "agent_id": config.agents.get(account or "") or config.agents.get(str(assignee.get("displayName"))),
        "open_blockers": _open_blockers(values.get("issuelinks")),
        "created_at": moment(values.get("created")),
        "updated_at": moment(values.get("updated")),
        "resolved_at": moment(values.get("resolutiondate")),
        "read_at": read_at,
    }


def change_rows(issue_id: str, histories: object, fields: Fields) -> Iterator[dict[str, object]]:
    """Rows of raw.jira_changes of one ticket: changes of status and points, nothing else."""
    for entry in histories if isinstance(histories, Sequence) else ():
        history = _mapping(entry)
        change_id, changed_at = _id(history.get("id")), moment(history.get("created"))
        items = history.get("items")
        if change_id is None or changed_at is None or not isinstance(items, Sequence):
            continue
        for raw_item in items:
            item = _mapping(raw_item)
            column = fields.column_of(item)
            if column is not None:
                is_status = column == "status"
                yield {
                    "issue_id": issue_id,
                    "change_id": change_id,
                    "field": column,
                    "changed_at": changed_at,
                    "from_status_id": _id(item.get("from")) if is_status else None,
                    "to_status_id": _id(item.get("to")) if is_status else None,
                    "from_points": None if is_status else points(item.get("fromString")),
                    "to_points": None if is_status else points(item.get("toString")),
                }


def moved_keys(histories: object) -> Iterator[str]:
    """Keys that a ticket had before it was moved to another project."""
    for entry in histories if isinstance(histories, Sequence) else ():
        items = _mapping(entry).get("items")
        for raw_item in items if isinstance(items, Sequence) else ():
            item = _mapping(raw_item)
            if item.get("field") == "Key" and (key := _text(item.get("fromString"))) is not None:
                yield key


def status_row(status: object) -> dict[str, object] | None:
    """A row of raw.jira_statuses."""
    status = _mapping(status)
    status_id = _id(status.get("id"))
    if status_id is None:
        return None
    category = _text(_mapping(status.get("statusCategory")).get("key"))
    return {"status_id": status_id, "name": _label(status.get("name")), "category": category}


def points(value: object) -> float | None:
    """Story points: a number, or its text in a changelog."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and abs(value) < _MAX_POINTS else None


def method(value: object) -> str | None:
    """The method: the option of a select, the options of a multi-select in one order, or a text."""
    if isinstance(value, Mapping):
        value = value.get("value") or value.get("name")
    if isinstance(value, list):
        names = sorted({name for one in value if (name := method(one)) is not None})
        return ", ".join(names) or None
    return _label(value)


def moment(value: object) -> datetime | None:
    """A time as naive UTC: ISO with an offset, or milliseconds (in bulk changelogs)."""
    try:
        if isinstance(value, str):
            found = datetime.fromisoformat(value)
        elif isinstance(value, int) and not isinstance(value, bool):
            found = datetime.fromtimestamp(value / 1000, UTC)
        else:
            return None
        found = found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found
    except (ValueError, OverflowError, OSError):
        return None
    return found if _EARLIEST <= found < _LATEST else None


def _open_blockers(links: object) -> int:
    """Tickets that this one waits for. `inwardIssue` of a link "is blocked by" is the one that blocks."""
    count = 0
    for raw_link in links if isinstance(links, list) else ():
        link = _mapping(raw_link)
        if "blocked by" not in str(_mapping(link.get("type")).get("inward")).lower():
            continue
        status = _mapping(_mapping(_mapping(link.get("inwardIssue")).get("fields")).get("status"))
        count += bool(status) and _mapping(status.get("statusCategory")).get("key") != "done"
    return count


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _id(value: object) -> str | None:
    """An id: text, though some answers write it as a number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _text(value)


def _text(value: object) -> str | None:
    if not isinstance(value, str) or not value:
        return None
    return value[:120].encode("utf-8", "replace").decode()


def _label(value: object) -> str | None:
    found = _text(value)
    return None if found is None else clean_label(found).strip() or None
