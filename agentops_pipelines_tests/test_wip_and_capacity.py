"""What agents have in progress, what of it has gone stale, and what fits into the week.

Now is Tuesday 24 November, 08:00. A call from `request` has 160 tokens.
"""

from datetime import datetime, timedelta
from typing import Any

import pytest

from agentops_pipelines.sources.batches import Batch
from agentops_pipelines.sources.schemas import OPENCLAW_CRON_RUNS
from agentops_pipelines_tests.mutants import survivors
from agentops_pipelines_tests.rows import ASSISTANT, USER, Row, batch, frame, jira_batch, line, request
from agentops_pipelines_tests.test_tickets import day, estimate, move, session, ticket
from agentops_pipelines_tests.world import AS_OF, built, rows, tables

TOML = """
[tickets]
min_tickets = 1
[tickets.weekly_token_budgets]
alec = 3000
ben = 1000000
"""


def mine(number: int, status: str, **changes: object) -> Row:
    return ticket(number, status, **{"agent_id": "alec", "priority_rank": 3, "story_points": 1.0, **changes})


ISSUES = (
    # alec: three in progress, one of them being worked on, two waiting
    mine(1, "doing", updated_at=day(18)),
    mine(2, "doing", updated_at=day(18), priority_rank=1),
    mine(10, "doing", updated_at=day(23), priority_rank=1),
    mine(3, "doing", updated_at=day(18), priority_rank=None),
    mine(4, "review", updated_at=day(18)),
    mine(5, "blocked", updated_at=day(18)),
    mine(6, "doing", updated_at=day(18), open_blockers=1),
    mine(7, "todo"),
    mine(8, "doing", read_at=day(1)),
    # ben has one, nobody owns the next, the last has no estimate and no budget
    mine(9, "doing", agent_id="ben", updated_at=day(21, 8)),
    mine(11, "doing", agent_id=None),
    mine(12, "doing", agent_id="cleo", story_points=None, updated_at=day(18)),
    # done ones that teach: 1,600 of 1,000, 1,600 of 1,000 ...: the factor is 1.6
    *(mine(n, "done") for n in range(20, 25)),
    mine(25, "todo", agent_id="alec", story_points=0.0),
)
CHANGES = (
    *(move(n, "1", day(17), "todo", "doing") for n in (1, 2, 3, 6, 8, 9, 10, 11, 12)),
    move(4, "1", day(17), "todo", "review"),
    move(5, "1", day(17), "todo", "blocked"),
    *(move(n, "1", day(10), "todo", "doing") for n in range(20, 25)),
    *(move(n, "2", day(11), "doing", "done") for n in range(20, 25)),
    estimate(1, "2", day(16), 2.0, 1.0),
)
REQUESTS = (
    # OPS-1 had a call before it came into its status and one after; OPS-3 is being worked on
    request("old", day(16), ticket_key="OPS-1"),
    request("new", day(18, 9), ticket_key="OPS-1"),
    request("guess", day(18, 8), ticket_key="OPS-1", status="failure", error_kind="timeout"),
    request("now", AS_OF - timedelta(minutes=59), ticket_key="OPS-3"),
    request("hour", AS_OF - timedelta(hours=1), ticket_key="OPS-10"),
    *(
        request(f"done-{n}", day(10), ticket_key=f"OPS-{n}", prompt_tokens=1_590, total_tokens=1_600)
        for n in range(20, 25)
    ),
)


def lines(session_id: str, name: str, at: datetime, agent: str = "alec", **user: object) -> list[Row]:
    place = {"agent_id": agent, "session_id": session_id}
    return [
        line(f"u-{name}", at, {**USER, **place, **user}),
        line(name, at + timedelta(seconds=5), {**ASSISTANT, **place}),
    ]


LINES = (
    # the session went on with something else two days later
    *lines("two", "two-1", day(18), ticket_keys="OPS-2"),
    *lines("two", "two-2", day(20, 13)),
    # a session of cleo ended; one of ben with the same id went on
    *lines("shared", "cleo-1", day(18, 14), agent="cleo", ticket_keys="OPS-12"),
    *lines("shared", "ben-1", day(22, 14), agent="ben"),
    # OPS-1 is stale from the 21st at noon on: three polls met it, one came before
    *(row for n in (20, 21, 22, 23) for row in lines("main", f"poll-{n}", day(n), mark="heartbeat_poll")),
)
PUT_OFF = {
    "host": "local",
    "job_id": "job",
    "finished_at": day(22, 15),
    "run_key": "x",
    "agent_id": "alec",
    "started_at": day(22, 15),
    "status": "skipped",
}
TABLES = ("mart.wip_audit", "mart.capacity")


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory):
    jira = jira_batch(issues=ISSUES, changes=CHANGES, listed=[{"issue_id": "i1", "listed_at": day(2)}])
    calls = batch(lines=LINES, requests=REQUESTS, sessions=[session("main", "main"), session("two", "main")])
    runs = Batch(tables={OPENCLAW_CRON_RUNS: frame(OPENCLAW_CRON_RUNS, [PUT_OFF])})
    with built(tmp_path_factory.mktemp("wip"), calls, jira, runs, toml=TOML, only=TABLES) as connection:
        yield connection


def wip(con: Any) -> dict[str, dict[str, Any]]:
    return {row["ticket_key"]: row for row in rows(con, "SELECT * FROM mart.wip_audit")}


def test_of_several_the_highest_priority_is_resumed_and_then_the_lowest_key(con: Any) -> None:
    """OPS-2 and OPS-10 are of the highest priority: 2 is before 10. OPS-3 had a call 59 minutes ago."""
    found = wip(con)
    assert {key: row["action"] for key, row in found.items()} == {
        "OPS-1": "extra",
        "OPS-2": "resume",
        "OPS-3": "processing",
        "OPS-4": "waiting",
        "OPS-5": "waiting",
        "OPS-6": "extra",
        "OPS-9": "only",
        "OPS-10": "extra",
        "OPS-12": "only",
    }
    assert (found["OPS-1"]["in_progress"], found["OPS-9"]["in_progress"]) == (4, 1)


def test_a_stale_ticket_says_why(con: Any) -> None:
    """Three days without a change or call: OPS-9 to the minute. OPS-10 changed yesterday."""
    found = wip(con)
    assert {key: row["reason"] for key, row in found.items()} == {
        "OPS-1": "APPEARS_COMPLETE",
        "OPS-2": "NEEDS_HUMAN",
        "OPS-3": None,
        "OPS-4": "REVIEW_WAITING",
        "OPS-5": "BLOCKED_LINK",
        "OPS-6": "BLOCKED_LINK",
        "OPS-9": "NO_ACTIVITY",
        "OPS-10": None,
        "OPS-12": "APPEARS_COMPLETE",
    }
    assert {key for key, row in found.items() if row["is_stale"]} == {
        key for key, row in found.items() if row["reason"] is not None
    }
    assert (found["OPS-9"]["quiet_since"], found["OPS-9"]["quiet_days"]) == (day(21, 8), 3)


def test_the_evidence_stands_beside_it(con: Any) -> None:
    """OPS-1: one reported call of 160 tokens in its status. The polls of the 21st to 23rd met it, one a day at noon.

    A poll that OpenClaw put off met nothing.
    """
    one = wip(con)["OPS-1"]
    assert (one["status_since"], one["last_call_at"], one["quiet_since"]) == (day(17), day(18, 9), day(18))
    assert (one["tokens_in_status"], one["polls"], one["poll_tokens"]) == (160, 3, 480)
    assert wip(con)["OPS-9"]["polls"] == 0


def test_what_fits_into_the_week_is_counted_in_the_order_of_work(con: Any) -> None:
    """The factor is 1.6 for P50 and P80. This week alec used 160 tokens in a poll: 2,840 of 3,000 are left.

    OPS-2 needs 1,600 less the 160 it used: 1,440 fit. OPS-10 needs 1,440 more: 2,880 do not.
    """
    found = rows(con, "SELECT * FROM mart.capacity WHERE agent_id = 'alec' ORDER BY place")
    assert [row["ticket_key"] for row in found] == [f"OPS-{n}" for n in (2, 10, 1, 4, 5, 6, 3, 7)]
    assert found[0]["used_this_week"] == 160
    assert found[0]["p50_tokens"] == pytest.approx(1_440)
    assert found[2]["p80_tokens"] == pytest.approx(1_600 - 320)
    assert [row["fits_p50"] for row in found] == [True] + [False] * 7
    assert [row["fits_p80"] for row in found] == [True] + [False] * 7
    (ben,) = rows(con, "SELECT * FROM mart.capacity WHERE agent_id = 'ben'")
    assert (ben["ticket_key"], ben["used_tokens"], ben["fits_p80"]) == ("OPS-9", 0, True)


@pytest.mark.parametrize("name", TABLES)
def test_every_condition_matters(con: Any, name: str) -> None:
    assert survivors(con, tables()[name].sql) == []
