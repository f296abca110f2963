"""Reads tickets, their status and points history and the statuses of one Jira: Cloud, or Data Center.

Belongs here: what is asked, how pages are followed, where a load goes on. Tickets changed since the last load are
read again, with a day of overlap: JQL knows minutes only, in the time zone of the account, and the search index lags.
Tickets in progress are always read again, because a ticket that blocks them may have been done. Once a week all ids
are listed, so that deleted tickets are noticed.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from agentops_pipelines.settings import Jira
from agentops_pipelines.sources.batches import Batch, Ledger, LedgerEntry, QuarantineEntry, SourceError
from agentops_pipelines.sources.http import http_client, real_sleep
from agentops_pipelines.sources.jira.client import (
    CHANGELOGS,
    SEARCH,
    JiraClient,
)
from agentops_pipelines.sources.jira.fields import Fields, find_fields
from agentops_pipelines.sources.jira.rows import ISSUE_FIELDS, change_rows, issue_row, moved_keys, status_row
from agentops_pipelines.sources.privacy import shown_url
from agentops_pipelines.sources.schemas import (
    JIRA_CHANGES,
    JIRA_ISSUES,
    JIRA_KEYS,
    JIRA_LISTED,
    JIRA_STATUSES,
    RawTable,
)

SOURCE = "jira"
READER = "1"
OVERLAP = timedelta(days=1)
SWEEP_EVERY = timedelta(days=7)
PAGE_SIZE = 100
MAX_PAGES = 5_000
"""A search that goes on longer than this goes round in circles."""

_LIST_PAGE_SIZE = 1_000
_IN_PROGRESS = 4
"""Id of the status category: its name is translated."""
_CHANGELOG_ISSUES = 1_000
"""More than this in one question is refused."""
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - all times are naive UTC


def read_jira(
    *,
    base_url: str,
    email: str,
    token: str,
    config: Jira,
    ledger: Ledger,
    until: datetime,
    sleep: Callable[[float], None] = real_sleep,
) -> Iterator[Batch]:
    """What is new up to `until` (naive UTC), in batches. Raises SourceError when Jira cannot be read."""
    if not config.projects:
        raise no_projects()
    with http_client() as http:
        client = JiraClient(http, base_url=base_url, email=email, token=token, sleep=sleep)
        yield from read_from(client, config=config, ledger=ledger, until=until)


def read_from(client: JiraClient, *, config: Jira, ledger: Ledger, until: datetime) -> Iterator[Batch]:
    """The same from a client that is there already. Raises SourceError when Jira cannot be read."""
    return _Reader(client, config, ledger, until).batches()


def no_projects() -> SourceError:
    """Jira is configured, but not what of it counts."""
    return SourceError(
        setting="agentops.toml: jira.projects",
        value="[]",
        problem="no project is named",
        remedy='Write the keys of the projects whose tickets count, like projects = ["OPS"] under [jira].',
    )


def check_jira(client: JiraClient, config: Jira) -> Fields:
    """Ask for the fields and for one ticket of each project, to know that a load will work. Raises SourceError."""
    reader = _Reader(client, config, Ledger(source=SOURCE), _EPOCH)
    fields = reader.fields()
    next(reader.pages(f"project in ({_project_list(config)})", ["created"], size=1), None)
    return fields


class _Reader:
    def __init__(self, client: JiraClient, config: Jira, ledger: Ledger, until: datetime) -> None:
        self._client = client
        self._config = config
        self._ledger = ledger
        self._until = until
        self._host = shown_url(client.base_url)
        self._api = "/rest/api/3" if client.is_cloud else "/rest/api/2"
        self._bytes_seen = 0

    def batches(self) -> Iterator[Batch]:
        fields = self.fields()
        yield self._batch({JIRA_STATUSES: self._rows(f"{self._api}/status", status_row)})
        ranks = {str(priority.get("id")): n for n, priority in enumerate(self._list(f"{self._api}/priority"), start=1)}
        rules = _rules(self._config, fields)
        done = self._ledger.get(self._host, "issues")
        jql = self._changed_since(done if done is not None and done.reader == rules else None)
        expand = {} if self._client.is_cloud else {"expand": "changelog"}
        for page in self.pages(jql, [*ISSUE_FIELDS, *fields.ids], size=PAGE_SIZE, **expand):
            yield self._issues(page, fields, ranks)
        yield self._batch({}, [self._entry("issues", rules)])
        listed = self._ledger.get(self._host, "list")
        projects = _project_list(self._config)
        if (
            listed is None
            or listed.fingerprint != projects
            or self._until >= _EPOCH + timedelta(seconds=listed.position) + SWEEP_EVERY
        ):
            yield self._sweep(projects)

    def fields(self) -> Fields:
        """The custom fields, found anew each time: somebody may have made one."""
        return find_fields(self._list(f"{self._api}/field"), self._config)

    def pages(self, jql: str, fields: Sequence[str], *, size: int, **more: str) -> Iterator[list[Any]]:
        """The tickets that a question finds, a page at a time. Raises SourceError when paging does not end."""
        pages = self._cloud_pages if self._client.is_cloud else self._center_pages
        for number, page in enumerate(pages({"jql": jql, "fields": list(fields), "maxResults": size, **more}), start=1):
            if number > MAX_PAGES:
                raise self._client.nonsense(f"a search of more than {MAX_PAGES:,} pages")
            yield page

    def _cloud_pages(self, question: Mapping[str, object]) -> Iterator[list[Any]]:
        for answer in self._tokens(SEARCH, question, "issues"):
            yield answer["issues"]

    def _tokens(self, path: str, question: Mapping[str, object], name: str) -> Iterator[dict[str, Any]]:
        """Answers of an endpoint that gives a token for the next page, up to the first without one or without rows."""
        seen: set[str] = set()
        token: object = None
        while True:
            answer = self._client.ask(path, question if token is None else {**question, "nextPageToken": token})
            if not isinstance(answer, dict) or not isinstance(answer.get(name), list):
                raise self._client.nonsense(f"an answer from {path} without {name}")
            yield answer
            token = answer.get("nextPageToken")
            if not isinstance(token, str) or not token or not answer[name]:
                return
            if token in seen:
                raise self._client.nonsense(f"{path} gave the token of a page twice: the pages go round in circles")
            seen.add(token)

    def _center_pages(self, question: Mapping[str, object]) -> Iterator[list[Any]]:
        fields = question["fields"]
        assert isinstance(fields, list)
        params: dict[str, str | int] = {name: str(value) for name, value in question.items()}
        params["fields"] = ",".join(fields)
        start = 0
        while True:
            answer = self._client.get(f"{self._api}/search", {**params, "startAt": start})
            if not isinstance(answer, dict) or not isinstance(answer.get("issues"), list):
                raise self._client.nonsense(f"an answer from {self._api}/search without issues")
            page, total = answer["issues"], answer.get("total")
            yield page
            start += len(page)
            if not page or (isinstance(total, int) and start >= total):
                return

    def _issues(self, page: Sequence[Any], fields: Fields, ranks: Mapping[str, int]) -> Batch:
        """A page of tickets with their changelogs: committed together."""
        issues: list[dict[str, object]] = []
        quarantine: list[QuarantineEntry] = []
        for number, issue in enumerate(page):
            row = issue_row(issue, fields, self._config, ranks=ranks, read_at=self._until)
            if row is None:
                name = str(issue.get("id") or number) if isinstance(issue, dict) else str(number)
                quarantine.append(
                    QuarantineEntry(
                        source=SOURCE, host=self._host, item=f"issue {name}"[:120], position=0, reason="not a ticket"
                    )
                )
            else:
                issues.append(row)
        keys = [{"issue_key": row["issue_key"], "issue_id": row["issue_id"]} for row in issues]
        changes: list[dict[str, object]] = []
        for issue_id, histories in self._histories(page, [str(row["issue_id"]) for row in issues], fields):
            changes += change_rows(issue_id, histories, fields)
            keys += [{"issue_key": key, "issue_id": issue_id} for key in moved_keys(histories)]
        return self._batch({JIRA_ISSUES: issues, JIRA_CHANGES: changes, JIRA_KEYS: keys}, quarantine=quarantine)

    def _histories(self, page: Sequence[Any], ids: Sequence[str], fields: Fields) -> Iterator[tuple[str, object]]:
        if not self._client.is_cloud:
            for issue in page:
                if isinstance(issue, dict) and str(issue.get("id")) in ids and isinstance(issue.get("changelog"), dict):
                    yield str(issue["id"]), issue["changelog"].get("histories")
            return
        wanted = ["status", *(field for field in (fields.story_points, fields.story_point_estimate) if field)]
        for first in range(0, len(ids), _CHANGELOG_ISSUES):
            question = {"issueIdsOrKeys": ids[first : first + _CHANGELOG_ISSUES], "fieldIds": wanted}
            for number, answer in enumerate(self._tokens(CHANGELOGS, question, "issueChangeLogs"), start=1):
                if number > MAX_PAGES:
                    raise self._client.nonsense(f"changelogs of more than {MAX_PAGES:,} pages")
                for log in answer["issueChangeLogs"]:
                    if isinstance(log, dict):
                        yield str(log.get("issueId")), log.get("changeHistories")

    def _sweep(self, projects: str) -> Batch:
        ids = [
            str(issue["id"])
            for page in self.pages(f"project in ({projects}) ORDER BY id", ["id"], size=_LIST_PAGE_SIZE)
            for issue in page
            if isinstance(issue, dict) and issue.get("id")
        ]
        listed = [{"issue_id": issue_id, "listed_at": self._until} for issue_id in ids]
        return self._batch({JIRA_LISTED: listed}, [self._entry("list", READER, fingerprint=projects)])

    def _changed_since(self, done: LedgerEntry | None) -> str:
        projects = f"project in ({_project_list(self._config)})"
        if done is None:
            return f"{projects} ORDER BY id"
        since = _EPOCH + timedelta(seconds=done.position) - OVERLAP
        return f'{projects} AND (updated >= "{since:%Y/%m/%d %H:%M}" OR statusCategory = {_IN_PROGRESS}) ORDER BY id'

    def _list(self, path: str) -> list[Any]:
        answer = self._client.get(path)
        if not isinstance(answer, list):
            raise self._client.nonsense(f"an answer from {path} that is no list")
        return [one for one in answer if isinstance(one, dict)]

    def _rows(self, path: str, row_of: Callable[[object], dict[str, object] | None]) -> list[dict[str, object]]:
        return [row for one in self._list(path) if (row := row_of(one)) is not None]

    def _entry(self, item: str, reader: str, *, fingerprint: str = "") -> LedgerEntry:
        position = int((self._until - _EPOCH).total_seconds())
        return LedgerEntry(
            source=SOURCE, host=self._host, item=item, position=position, fingerprint=fingerprint, reader=reader
        )

    def _batch(
        self,
        rows: Mapping[RawTable, Sequence[Mapping[str, object]]],
        ledger: Sequence[LedgerEntry] = (),
        quarantine: Sequence[QuarantineEntry] = (),
    ) -> Batch:
        seen, self._bytes_seen = self._bytes_seen, self._client.bytes_read
        tables = {
            table: table.frame([[row[column.name] for column in table.columns] for row in found])
            for table, found in rows.items()
        }
        return Batch(tables=tables, ledger=ledger, quarantine=quarantine, bytes_read=self._client.bytes_read - seen)


def _project_list(config: Jira) -> str:
    # a key may be a word of JQL
    return ", ".join(f'"{project}"' for project in sorted(set(config.projects)))


def _rules(config: Jira, fields: Fields) -> str:
    """Another value means: read every ticket again."""
    rules = [READER, sorted(set(config.projects)), fields.ids, sorted(config.agents.items())]
    return hashlib.sha256(json.dumps(rules).encode()).hexdigest()[:16]
