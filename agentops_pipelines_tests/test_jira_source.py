"""Jira as a source: what is asked, how pages end, what is refused, what is kept and what never is.

Every test reads a loopback Jira with the documented behaviour (jira_server.py).
"""

import inspect
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from agentops_pipelines.defs.ingest import load_parts, warehouse_of
from agentops_pipelines.defs.jira import jira_parts
from agentops_pipelines.doctor import examine
from agentops_pipelines.settings import Jira, SettingsError, load_config, load_settings
from agentops_pipelines.sources.batches import Batch, Ledger, LedgerEntry, SourceError
from agentops_pipelines.sources.http import TRIES, http_client
from agentops_pipelines.sources.jira import client, reader, rows
from agentops_pipelines.sources.jira.client import CHANGELOGS, SEARCH, JiraClient
from agentops_pipelines.sources.jira.reader import read_jira
from agentops_pipelines.sources.privacy import peer_label
from agentops_pipelines.sources.schemas import (
    JIRA_CHANGES,
    JIRA_ISSUES,
    JIRA_KEYS,
    JIRA_LISTED,
    JIRA_STATUSES,
    RawTable,
)
from agentops_pipelines_tests import jira_server
from agentops_pipelines_tests.jira_server import (
    EMAIL,
    ESTIMATE,
    METHOD,
    POINTS,
    TOKEN,
    LoopbackJira,
    serve_jira,
    ticket,
)

NOW = datetime(2026, 11, 24, 8)
CONFIG = Jira(projects=["OPS"], agents={"5b1": "alec"})

STARTED = {
    "id": "9001",
    "created": 1793612043120,
    "items": [{"field": "status", "fieldId": "status", "from": "1", "to": "3"}],
}
RAISED = {
    "id": "9002",
    "created": 1793700000000,
    "items": [
        {"field": "Story Points", "fieldId": POINTS, "from": None, "fromString": "5", "to": None, "toString": "8"},
        {"field": "assignee", "fieldId": "assignee", "fromString": "Ann", "toString": "Alec Bot"},
    ],
}


def read(
    jira: LoopbackJira,
    *,
    config: Jira = CONFIG,
    entries: tuple[LedgerEntry, ...] = (),
    until: datetime = NOW,
    waits: list[float] | None = None,
    token: str = TOKEN,
) -> list[Batch]:
    ledger = Ledger(source="jira", entries={(entry.host, entry.item): entry for entry in entries})
    return list(
        read_jira(
            base_url=jira.base_url,
            email=EMAIL if jira.is_cloud else "",
            token=token,
            config=config,
            ledger=ledger,
            until=until,
            sleep=(waits if waits is not None else []).append,
        )
    )


def table(batches: list[Batch], wanted: RawTable) -> list[dict[str, Any]]:
    return pl.concat([batch.tables[wanted] for batch in batches if wanted in batch.tables]).to_dicts()


def entries_of(batches: list[Batch]) -> tuple[LedgerEntry, ...]:
    return tuple(entry for batch in batches for entry in batch.ledger)


# --- what is read


def test_a_ticket_becomes_a_row_with_its_history() -> None:
    """Both story-point fields, the option of the method, the priority's place, the agent behind the account."""
    blocked_by = {
        "type": {"inward": "is blocked by"},
        "inwardIssue": {"key": "OPS-2", "fields": {"status": {"statusCategory": {"key": "new"}}}},
    }
    one = ticket(
        1, status="3", **{POINTS: 8.0, ESTIMATE: 5.0, METHOD: {"value": "plan-execute"}}, issuelinks=[blocked_by]
    )
    with serve_jira([one], {"10001": [STARTED, RAISED]}) as jira:
        batches = read(jira)
    (row,) = table(batches, JIRA_ISSUES)
    assert row == {
        "issue_id": "10001",
        "issue_key": "OPS-1",
        "project_key": "OPS",
        "issue_number": 1,
        "issue_type": "Task",
        "status_id": "3",
        "priority": "Medium",
        "priority_rank": 2,
        "is_team_managed": False,
        "story_points": 8.0,
        "story_point_estimate": 5.0,
        "method": "plan-execute",
        "assignee_id": peer_label("5b1"),
        "agent_id": "alec",
        "open_blockers": 1,
        "created_at": datetime(2026, 11, 2, 8, 14, 3, 120000),
        "updated_at": datetime(2026, 11, 20, 16, 40, 11),
        "resolved_at": None,
        "read_at": NOW,
    }
    changes = {change["field"]: change for change in table(batches, JIRA_CHANGES)}
    assert set(changes) == {"status", "story_points"}
    assert (changes["status"]["from_status_id"], changes["status"]["to_status_id"]) == ("1", "3")
    assert changes["status"]["changed_at"] == datetime(2026, 11, 2, 9, 34, 3, 120000)
    assert (changes["story_points"]["from_points"], changes["story_points"]["to_points"]) == (5.0, 8.0)
    assert {row["status_id"]: row["category"] for row in table(batches, JIRA_STATUSES)}["4"] == "indeterminate"


def test_no_text_of_a_ticket_is_asked_for_or_kept() -> None:
    with serve_jira([ticket(1), ticket(2)], {"10001": [STARTED]}) as jira:
        batches = read(jira)
        asked = [body["fields"] for body in jira.bodies if "fields" in body]
    assert all("summary" not in fields and "description" not in fields for fields in asked)
    everything = str([frame.to_dicts() for batch in batches for frame in batch.tables.values()])
    assert "nobody's business" not in everything
    assert "Alec Bot" not in everything


def test_nothing_is_ever_written() -> None:
    """POST is sent to two addresses that only answer; no other method but GET stands in the code."""
    with serve_jira([ticket(1)], {"10001": [STARTED]}) as jira:
        read(jira)
        assert {path for method, path in jira.requests if method == "POST"} == {SEARCH, CHANGELOGS}
        with http_client() as http, pytest.raises(ValueError, match="not for reading"):
            JiraClient(http, base_url=jira.base_url, email=EMAIL, token=TOKEN, sleep=lambda seconds: None).ask(
                "/rest/api/3/issue", {}
            )
    source = "".join(inspect.getsource(module) for module in (client, reader, rows))
    assert not any(f'"{method}"' in source for method in ("PUT", "PATCH", "DELETE"))


@pytest.mark.parametrize("is_cloud", [True, False], ids=["cloud", "data center"])
def test_all_pages_are_read(is_cloud: bool) -> None:
    """Five tickets on pages of two. A Data Center puts the changelog into the search, with ISO times."""
    told = dict(STARTED, created="2026-11-02T08:34:03.120+0100")
    with serve_jira([ticket(n) for n in range(1, 6)], {"10003": [told]}, is_cloud=is_cloud) as jira:
        batches = read(jira)
        assert {method for method, _ in jira.requests} == ({"GET", "POST"} if is_cloud else {"GET"})
    assert [row["issue_key"] for row in table(batches, JIRA_ISSUES)] == [f"OPS-{n}" for n in range(1, 6)]
    (change,) = table(batches, JIRA_CHANGES)
    assert (change["issue_id"], change["changed_at"]) == ("10003", datetime(2026, 11, 2, 7, 34, 3, 120000))
    assert len(table(batches, JIRA_LISTED)) == 5


def test_a_history_over_several_pages_is_whole() -> None:
    with serve_jira([ticket(1), ticket(2)], {"10001": [STARTED, RAISED], "10002": [STARTED]}) as jira:
        changes = table(read(jira), JIRA_CHANGES)
    assert [(change["issue_id"], change["change_id"]) for change in changes] == [
        ("10001", "9001"),
        ("10001", "9002"),
        ("10002", "9001"),
    ]


# --- what changed


def test_the_next_load_asks_for_changes_with_a_day_of_overlap_and_for_work_in_progress() -> None:
    issues = [
        ticket(1, updated="2026-11-01T08:00:00.000+0000"),
        ticket(2, updated="2026-11-01T08:00:00.000+0000", status="3"),
        ticket(3, updated="2026-11-23T08:00:00.000+0000"),
    ]
    with serve_jira(issues) as jira:
        first = read(jira)
        jira.queries.clear()
        second = read(jira, entries=entries_of(first), until=NOW + timedelta(hours=4))
        assert jira.queries[0] == (
            'project in ("OPS") AND (updated >= "2026/11/23 08:00" OR statusCategory = 4) ORDER BY id'
        )
    assert [row["issue_key"] for row in table(second, JIRA_ISSUES)] == ["OPS-2", "OPS-3"]


@pytest.mark.parametrize(
    "config",
    [Jira(projects=["OPS", "ENG"]), Jira(projects=["OPS"], method_field="customfield_1"), Jira(projects=["OPS"])],
    ids=["projects", "fields", "agents"],
)
def test_other_settings_read_everything_again(config: Jira) -> None:
    with serve_jira([ticket(1, updated="2026-11-01T08:00:00.000+0000")]) as jira:
        again = read(jira, config=config, entries=entries_of(read(jira)))
    assert len(table(again, JIRA_ISSUES)) == 1


def test_all_ids_are_listed_once_a_week() -> None:
    with serve_jira([ticket(1), ticket(2)]) as jira:
        first = read(jira)
        del jira.issues[0]
        soon = read(jira, entries=entries_of(first), until=NOW + timedelta(days=7, seconds=-1))
        later = read(jira, entries=entries_of(first), until=NOW + timedelta(days=7))
    assert [row["issue_id"] for row in table(first, JIRA_LISTED)] == ["10001", "10002"]
    assert all(JIRA_LISTED not in batch.tables for batch in soon)
    assert table(later, JIRA_LISTED) == [{"issue_id": "10002", "listed_at": NOW + timedelta(days=7)}]


def test_a_load_that_breaks_in_the_middle_is_done_again() -> None:
    """What was read stays, but only the end of a load moves the mark."""
    with serve_jira([ticket(n) for n in range(1, 4)]) as jira:
        batches = read(jira)
    assert [len(batch.ledger) for batch in batches] == [0, 0, 0, 1, 1]


def test_a_moved_ticket_keeps_its_id_and_its_old_key() -> None:
    """Its new key comes with the search; a Data Center's changelog also knows keys from before the first load."""
    moved = {"id": "9", "created": "2026-11-03T08:00:00.000+0000", "items": [{"field": "Key", "fromString": "OLD-7"}]}
    with serve_jira([ticket(1)], {"10001": [moved]}, is_cloud=False) as jira:
        keys = table(read(jira), JIRA_KEYS)
    assert keys == [{"issue_key": "OPS-1", "issue_id": "10001"}, {"issue_key": "OLD-7", "issue_id": "10001"}]


# --- what goes wrong


def problem_of(jira: LoopbackJira, **options: Any) -> SourceError:
    with pytest.raises(SourceError) as caught:
        read(jira, **options)
    assert TOKEN not in str(caught.value)
    assert EMAIL not in str(caught.value)
    assert "OPS-1" not in str(caught.value)
    return caught.value


def test_a_token_that_comes_twice_ends_the_load() -> None:
    with serve_jira([ticket(1), ticket(2)]) as jira:
        jira.faults.append((SEARCH, 0, {}))
        assert "the token of a page twice" in problem_of(jira).problem


def test_a_search_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_PAGES", 2)
    with serve_jira([ticket(n) for n in range(1, 7)]) as jira:
        assert "more than 2 pages" in problem_of(jira).problem


def test_a_busy_jira_says_how_long_to_wait() -> None:
    waits: list[float] = []
    with serve_jira([ticket(1)]) as jira:
        jira.faults.append((SEARCH, 429, {"Retry-After": "7"}))
        jira.faults.append((SEARCH, 503, {}))
        assert len(table(read(jira, waits=waits), JIRA_ISSUES)) == 1
    assert 7 <= waits[0] <= 7.5
    assert 1 <= waits[1] <= 2


def test_patience_has_an_end() -> None:
    waits: list[float] = []
    with serve_jira([ticket(1)]) as jira:
        jira.faults.append((SEARCH, 429, {"Retry-After": "3600"}))
        assert "asks to wait 3600 s" in problem_of(jira, waits=waits).problem
        jira.faults.extend([(SEARCH, 429, {"Retry-After": "1"})] * TRIES)
        assert f"HTTP 429 from {SEARCH}, {TRIES} times" in problem_of(jira, waits=waits).problem
    assert len(waits) == TRIES - 1


@pytest.mark.parametrize(
    ("status", "setting", "remedy"),
    [
        (401, "AGENTOPS_JIRA_API_TOKEN", "Make a new API token"),
        (403, "AGENTOPS_JIRA_API_TOKEN", "may browse the projects"),
        (400, "agentops.toml: jira", "every project named"),
        (404, "AGENTOPS_JIRA_BASE_URL", "unset AGENTOPS_JIRA_EMAIL"),
        (302, "AGENTOPS_JIRA_BASE_URL", "Give the address of a Jira"),
    ],
)
def test_a_refusal_says_what_to_do(status: int, setting: str, remedy: str) -> None:
    with serve_jira([ticket(1)]) as jira:
        jira.faults.append((SEARCH, status, {}))
        error = problem_of(jira)
    assert error.setting == setting
    assert f"HTTP {status} from {SEARCH}" in error.problem
    assert remedy in error.remedy


def test_jira_cloud_without_an_email_is_told_what_is_missing() -> None:
    """Without an email the search of a Data Center is asked for: the one that the Cloud answers with 410."""
    with serve_jira([ticket(1)], is_cloud=False) as jira:
        jira.faults.append(("/rest/api/2/search", 410, {}))
        error = problem_of(jira)
    assert "HTTP 410 from /rest/api/2/search" in error.problem
    assert "set AGENTOPS_JIRA_EMAIL" in error.remedy


def test_a_wrong_token_and_a_wrong_address_are_told_apart() -> None:
    with serve_jira([ticket(1)]) as jira:
        assert "does not accept this token" in problem_of(jira, token="wrong").problem
        assert problem_of(jira, token="two words").setting == "AGENTOPS_JIRA_API_TOKEN"
        jira.base_url = "http://127.0.0.1:9"
        assert "nothing answers" in problem_of(jira).problem
        jira.base_url = "http://ann:hush@company.example"
        error = problem_of(jira)
    assert (error.setting, error.value) == ("AGENTOPS_JIRA_BASE_URL", "http://company.example")


def test_what_is_no_ticket_is_counted_and_skipped() -> None:
    bare = {"id": "10002", "key": "OPS-2", "fields": {"project": {"key": "OPS"}, "updated": "2026-11-20"}}
    broken = {"id": "10003", "key": None, "fields": {"project": {"key": "OPS"}}}
    with serve_jira([bare, broken]) as jira:
        batches = read(jira)
    (row,) = table(batches, JIRA_ISSUES)
    assert (row["issue_key"], row["story_points"], row["method"], row["agent_id"]) == ("OPS-2", None, None, None)
    assert [entry.item for batch in batches for entry in batch.quarantine] == ["issue 10003"]


def test_a_jira_without_the_fields_gives_tickets_without_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody made a field for points or methods: nothing is asked for that is not there, and no ticket is lost."""
    monkeypatch.setattr(jira_server, "FIELDS", jira_server.FIELDS[:1])
    pointed: dict[str, Any] = {POINTS: 8.0}
    with serve_jira([ticket(1, **pointed)], {"10001": [STARTED, RAISED]}) as jira:
        batches = read(jira)
        asked = [body["fieldIds"] for body in jira.bodies if "fieldIds" in body]
    (row,) = table(batches, JIRA_ISSUES)
    assert (row["story_points"], row["story_point_estimate"], row["method"]) == (None, None, None)
    assert asked == [["status"]]
    assert [change["field"] for change in table(batches, JIRA_CHANGES)] == ["status"]


def test_a_token_that_expires_during_a_load_loses_nothing(home: Path) -> None:
    """Tickets are never kept without their history; the next load reads them again."""
    with serve_jira([ticket(n) for n in range(1, 6)]) as jira:
        settings = settings_for(home, jira)
        parts = jira_parts(settings, now=NOW)
        jira.faults.append((CHANGELOGS, 401, {}))
        broken = load_parts(warehouse_of(settings), "jira", parts, observed_at=NOW)
        assert "does not accept this token" in broken.problems[0]
        assert broken.counts["raw.jira_issues"] == 0
        whole = load_parts(warehouse_of(settings), "jira", parts, observed_at=NOW)
    assert (whole.problems, whole.counts["raw.jira_issues"]) == ([], 5)


@pytest.mark.parametrize(
    ("value", "points"),
    [
        (8, 8.0),
        ("0.5", 0.5),
        (0, 0.0),
        (-3, -3.0),
        ("", None),
        ("many", None),
        (True, None),
        ("nan", None),
        (1e12, None),
    ],
)
def test_points_are_numbers_or_nothing(value: object, points: float | None) -> None:
    assert rows.points(value) == points


@pytest.mark.parametrize(
    ("value", "method"),
    [
        ({"id": "1", "value": "tdd-loop"}, "tdd-loop"),
        ([{"value": "review"}, {"value": "tdd-loop"}, {"value": "review"}], "review, tdd-loop"),
        ("plan-execute", "plan-execute"),
        ([], None),
        (7, None),
    ],
)
def test_a_method_may_be_an_option_options_or_a_text(value: object, method: str | None) -> None:
    assert rows.method(value) == method


# --- settings, doctor, loading


def settings_for(home: Path, jira: LoopbackJira, toml: str = '[jira]\nprojects = ["OPS"]\n', token: str = TOKEN):
    home.mkdir(parents=True, exist_ok=True)
    (home / "agentops.toml").write_text(toml, encoding="utf-8")
    return load_settings(
        {
            "AGENTOPS_HOME": str(home),
            "AGENTOPS_JIRA_BASE_URL": jira.base_url,
            "AGENTOPS_JIRA_EMAIL": EMAIL,
            "AGENTOPS_JIRA_API_TOKEN": token,
        }
    )


def test_a_project_is_named_by_its_key(tmp_path: Path) -> None:
    """It is written into a query: nothing else may get there."""
    (tmp_path / "agentops.toml").write_text('[jira]\nprojects = ["OPS) OR (x"]\n', encoding="utf-8")
    with pytest.raises(SettingsError, match=r"jira\.projects: .*is no project key; write it like OPS"):
        load_config(tmp_path / "agentops.toml")


def test_a_load_fills_the_raw_tables_and_a_failure_is_no_crash(home: Path) -> None:
    with serve_jira([ticket(1)], {"10001": [STARTED]}) as jira:
        settings = settings_for(home, jira)
        parts = jira_parts(settings, now=NOW)
        loaded = load_parts(warehouse_of(settings), "jira", parts, observed_at=NOW)
        assert (loaded.problems, loaded.counts["raw.jira_issues"], loaded.counts["raw.jira_changes"]) == ([], 1, 1)
        jira.faults.append(("/rest/api/3/field", 401, {}))
        loaded = load_parts(warehouse_of(settings), "jira", parts, observed_at=NOW)
        assert loaded.counts["raw.jira_issues"] == 1
    assert loaded.problems[0].startswith("AGENTOPS_JIRA_API_TOKEN=…(hidden): Jira does not accept this token")


def test_without_a_project_the_source_says_which_setting_is_missing(home: Path) -> None:
    with serve_jira([]) as jira:
        parts = jira_parts(settings_for(home, jira, toml=""), now=NOW)
        with pytest.raises(SourceError, match=r"jira\.projects=\[\]: no project is named"):
            list(parts[0].read(Ledger(source="jira"), home))
    assert jira_parts(load_settings({"AGENTOPS_HOME": str(home)}), now=NOW) == []


def test_the_doctor_names_the_fields_it_found(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state_dir = home.parent / "openclaw"
    (state_dir / "agents").mkdir(parents=True)
    monkeypatch.setenv("AGENTOPS_OPENCLAW_STATE_DIRS", str(state_dir))
    with serve_jira([ticket(1)]) as jira:
        settings_for(home, jira)
        monkeypatch.setenv("AGENTOPS_JIRA_BASE_URL", jira.base_url)
        monkeypatch.setenv("AGENTOPS_JIRA_EMAIL", EMAIL)
        monkeypatch.setenv("AGENTOPS_JIRA_API_TOKEN", TOKEN)
        (finding,) = [one for one in examine() if one.subject == "Jira"]
        assert finding.status == "ok"
        assert f"points in {POINTS} and {ESTIMATE}, method in {METHOD}" in finding.detail
        monkeypatch.setenv("AGENTOPS_JIRA_API_TOKEN", "wrong")
        (finding,) = [one for one in examine() if one.subject == "Jira"]
    assert (finding.status, "does not accept this token" in finding.detail) == ("fail", True)
