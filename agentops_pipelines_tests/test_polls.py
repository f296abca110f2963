"""Polls, what they cost when there is nothing to do, and who started work: two agents on one Wednesday, by hand.

Every answer has 100 uncached and 50 cached input tokens and costs $0.10 unless it says otherwise.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from agentops_pipelines_tests.cron_rows import LONG_AGO, UNDELIVERED, built_in_steps, cron_batch, job, run
from agentops_pipelines_tests.mutants import survivors
from agentops_pipelines_tests.rows import USER, Row, batch, line, request
from agentops_pipelines_tests.world import rows, tables

SECOND = timedelta(seconds=1)
MARTS = ("mart.poll_efficiency", "mart.sessions_by_trigger", "mart.weekly_summary")
TOML = """
[poll_intervals]
ben = 1
alec = 90
Task-Poll = 10
[agent_thresholds]
empty_poll_output_tokens = 200
simple_output_tokens = 200
"""


def at(clock: str, day: int = 18) -> datetime:
    """A moment of Wednesday, 18 November 2026, in week 47."""
    hour, minute, second = (*(int(part) for part in clock.split(":")), 0)[:3]
    return datetime(2026, 11, day, hour, minute, second)


def turn(
    moment: datetime,
    session_id: str = "main",
    *,
    agent: str = "alec",
    host: str = "local",
    seconds: int = 10,
    calls: int = 1,
    user: Row | None = None,
    **answer: Any,
) -> list[Row]:
    """A user line and its answers, the last one `seconds` later."""
    place = {"agent_id": agent, "session_id": session_id, "host": host}
    name = f"{host}-{agent}-{session_id}-{moment:%d-%H%M%S}"
    lines = [line(f"{name}-u", moment, USER, **place, **(user or {}))]
    for n in range(1, calls + 1):
        when = moment + seconds * SECOND * n / calls
        lines.append(line(f"{name}-a{n}", when, **place, **{"estimate_usd": 0.1, **answer}))
    return lines


def beat(moment: datetime, **more: Any) -> list[Row]:
    return turn(moment, user={"mark": "heartbeat_poll"}, **{"poll_phrase": "HEARTBEAT_OK", **more})


def session(session_id: str, key: str, *, agent: str = "alec", host: str = "local", **more: object) -> Row:
    keyed = {"session_id": session_id, "session_key": f"agent:{agent}:{key}"}
    return {"host": host, "agent_id": agent, **keyed, **more}


LINES = [
    *turn(at("9:00"), seconds=60, output_tokens=201),  # somebody asks something
    *turn(at("9:05"), seconds=20, tool_calls=1),
    *turn(at("9:10"), seconds=30, calls=2),
    *turn(at("9:15"), seconds=5, stop_reason="error", error_kind="timeout", output_tokens=0),  # two failed requests
    *beat(at("10:00")),
    *beat(at("10:30"), output_tokens=200),
    *beat(at("11:00"), output_tokens=201),
    *beat(at("12:00"), calls=2, poll_phrase=None),
    *beat(at("12:00", day=11)),  # week 46
    *turn(at("10:35", day=11), "c0", response_id="old-ticket", output_tokens=10),
    *turn(at("19:10"), user={"mark": "cron_wake", "mark_id": "ring", "mark_name": "ring"}),
    *turn(at("20:10"), "long"),
    *turn(at("22:10"), "long"),
    *beat(at("10:00:40"), agent="ben", session_id="ben-main"),
    *beat(at("10:30"), agent="alec", host="server", session_id="far-main"),
    *turn(at("10:05"), "c1", poll_phrase="phrase:1", output_tokens=10),
    *turn(at("10:34:58"), "c2", stop_reason="error", error_kind="timeout", output_tokens=0, seconds=1, estimate_usd=0),
    *turn(at("10:35"), "c2", response_id="with-ticket", output_tokens=10),
    *turn(at("12:35"), "c6", output_tokens=300),  # its run log was pruned
    *turn(at("13:01:30"), user={"mark": "cron_wake", "mark_id": "remind", "mark_name": "remind"}),
    *turn(at("17:01"), user={"mark": "cron_wake", "mark_id": "remind", "mark_name": "remind"}),  # its run was pruned
    *turn(at("17:00"), user={"mark": "cron_wake"}),  # 2026.4 does not say of which job
    *turn(at("18:00"), user={"provenance_tool": "cron"}),  # nor does 2026.9, and its run was pruned
    *turn(at("14:00"), user={"mark": "session_event"}),  # a wake that no job asked for
    *turn(at("3:00"), "dream"),
    *turn(at("10:20:03"), "ben-cron", agent="ben"),
    *turn(at("15:00"), "hook", seconds=100),
    *turn(at("15:30"), "child", seconds=40),
    *turn(at("15:40"), "http", seconds=40),
]
SESSIONS = [
    session("main", "main"),
    session("ben-main", "main", agent="ben"),
    session("far-main", "main", host="server"),
    *(session(name, "cron:tp") for name in ("c0", "c1", "c2", "c6")),
    session("long", "cron:long"),
    session("dream", "cron:dream"),
    session("ben-cron", "cron:ben-job", agent="ben"),
    session("hook", "hook:x"),
    session("child", "subagent:x"),
    session("http", "openai:x"),
]
JOBS = [
    job("tp", name="task-poll", agent_id="alec"),
    job("tp", host="server", is_builtin=True),
    job("remind", agent_id="alec", payload_kind="systemEvent"),
    job("nudge", agent_id="alec", payload_kind="systemEvent"),
    job("dream", agent_id="alec", is_builtin=True),
    job("dream", agent_id="alec", host="server"),
    job("hb", agent_id="ben", name="heartbeat-ben", is_builtin=True, payload_kind="heartbeat"),
    job("hb", agent_id="ben", host="server", payload_kind="command"),
]
POLL: Row = {**UNDELIVERED, "agent_id": "alec"}
QUIET: Row = {**UNDELIVERED, "agent_id": "ben", "delivery_status": "not-requested"}
RUNS = [
    run("tp", at("10:05:12"), started_at=at("10:05"), session_id="c1", **POLL, poll_phrase="phrase:1"),
    run("tp", at("10:35:12"), started_at=at("10:35"), session_id="c2", **POLL),
    run("tp", at("11:05:12"), started_at=at("11:05"), session_id="pruned", **POLL, poll_phrase="NO_REPLY"),
    run("tp", at("11:35:12"), started_at=None, **{**POLL, "status": "error", "model": None}),
    run("tp", at("12:05:12"), started_at=at("12:05"), **{**POLL, "status": "skipped"}),
    run("remind", at("12:59:30"), started_at=at("12:59:20"), **POLL),  # answered two minutes later
    run("remind", at("13:01:01"), started_at=at("13:01"), **POLL),  # one turn answered both
    run("remind", at("13:40:05"), started_at=at("13:40"), **POLL),  # nobody answered
    run("ring", at("19:00:01"), started_at=at("19:00"), **POLL),  # the turn ten minutes later is none of its
    run(
        "long", at("23:00"), started_at=at("20:10"), session_id="long", **POLL
    ),  # what comes hours later is none of its
    run("remind", at("15:00"), started_at=at("15:00"), **POLL),  # the main session of then is gone
    run("remind", at("12:59:30"), started_at=at("12:59:20"), session_id="lost", run_key="lost", **POLL),
    run("command", at("10:05:12"), started_at=at("10:05"), **{**POLL, "agent_id": "cleo"}),
    run("nudge", at("17:00:01"), started_at=at("16:59:59"), **POLL),
    run("nudge", at("17:00:01"), started_at=at("16:59:59"), host="server", **POLL),
    run("dream", at("3:00:20"), started_at=at("3:00"), session_id="dream", **POLL),
    run("dream", at("4:00:20"), started_at=at("4:00"), session_id="dream-2", **POLL),
    run("hb", at("10:00:55"), started_at=at("10:00:38"), **QUIET),
    run("hb", at("10:00:55"), started_at=at("10:00:39"), host="server", session_id="ben-main", **QUIET),
    run("hb", at("11:00:05"), started_at=at("11:00"), **{**QUIET, "status": "skipped"}),
    run("hb", at("10:20:05"), started_at=at("10:20"), **QUIET),
    run("hb", at("10:30:05"), started_at=at("10:30"), **{**QUIET, "status": "skipped"}),
    run("hb", at("10:40:05"), started_at=at("10:40"), **{**QUIET, "status": "error"}),
]
REQUESTS = [
    request("with-ticket", at("10:35:10"), ticket_key="FAD-1", spend_usd=0.1),
    request("first-try", at("9:15:05"), status="failure", is_attempt=True, spend_usd=None),
    request("last-try", at("9:15:05"), status="failure", spend_usd=None),
    request("old-ticket", at("10:35:10", day=11), ticket_key="FAD-0", spend_usd=0.1),
    request("script", at("16:00"), spend_usd=0.3),
]


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """All of it, loaded long ago."""
    world = cron_batch(jobs=JOBS, runs=RUNS, other=batch(lines=LINES, sessions=SESSIONS, requests=REQUESTS))
    with built_in_steps(tmp_path_factory.mktemp("polls"), (LONG_AGO, world), toml=TOML, only=MARTS) as connection:
        yield connection


def poll(con: duckdb.DuckDBPyConnection, scope: str, agent: str, job_id: str | None = None) -> dict:
    """One row of poll_efficiency of week 47 on the host local."""
    query = f"""
        SELECT * FROM mart.poll_efficiency
        WHERE window_id = '2026-W47' AND host = 'local' AND scope = '{scope}' AND agent_id = '{agent}'
          AND coalesce(job_id, '') = '{job_id or ""}'
    """
    (row,) = rows(con, query)
    return row


def test_a_heartbeat_by_hand(con: duckdb.DuckDBPyConnection) -> None:
    """10:00, 10:30 and 11:00 find nothing, 12:00 does; the one at 11:00 says 201 tokens to say nothing."""
    row = poll(con, "heartbeat", "alec")
    assert (row["poll_name"], row["runs"], row["model_runs"], row["empty_runs"], row["work_runs"]) == (
        "heartbeat",
        4,
        4,
        3,
        1,
    )
    assert (row["empty_share"], row["work_per_run"]) == (0.75, 0.25)
    assert (row["total_tokens"], row["empty_tokens"]) == (160 + 350 + 351 + 2 * 160, 160 + 350 + 351)
    assert (row["empty_output_per_run"], row["long_empty_runs"]) == ((10 + 200 + 201) / 3, 1)
    assert (row["cost_usd"], row["empty_cost_usd"], row["empty_rank_usd"]) == (
        Decimal("0.5"),
        Decimal("0.3"),
        Decimal("0.3"),
    )
    assert row["interval_seconds_p50"] == 1800


def test_what_another_interval_would_save(con: duckdb.DuckDBPyConnection) -> None:
    """$0.30 went into empty heartbeats 30 minutes apart: 90 minutes would save two thirds, one hour half."""
    row = poll(con, "heartbeat", "alec")
    assert row["saving_double_usd"] == pytest.approx(0.15)
    assert (row["configured_seconds"], row["saving_configured_usd"]) == (5400, pytest.approx(0.2))
    shorter = poll(con, "job", "alec", "tp")
    assert (shorter["configured_seconds"], shorter["saving_configured_usd"]) == (600, 0)
    assert poll(con, "job", "alec", "remind")["saving_configured_usd"] is None
    assert poll(con, "agent", "alec")["configured_seconds"] is None


def test_a_job_s_polls_count_with_and_without_transcript_and_without_model_call(con: duckdb.DuckDBPyConnection) -> None:
    """10:05 nothing, 10:35 a ticket (second model), 11:05 nothing (transcript gone), 11:35 broken, 12:35 work."""
    row = poll(con, "job", "alec", "tp")
    assert row["poll_name"] == "task-poll"
    assert (row["runs"], row["model_runs"], row["skipped_runs"], row["failed_runs"]) == (5, 3, 1, 1)
    assert (row["empty_runs"], row["work_runs"], row["tickets"], row["tickets_per_run"]) == (2, 2, 1, 0.2)
    assert (row["cost_usd"], row["empty_cost_usd"]) == (Decimal("0.3"), Decimal("0.1"))
    assert row["empty_output_per_run"] == 10  # of the one that is known
    assert row["interval_seconds_p50"] == 1807  # 29:58, 30:02, 30:12, 59:48


def test_an_event_in_the_main_session_is_one_poll_and_counts_without_its_turn(con: duckdb.DuckDBPyConnection) -> None:
    row = poll(con, "job", "alec", "remind")
    assert (row["runs"], row["model_runs"], row["work_runs"]) == (6, 2, 6)


def test_an_event_of_which_only_the_run_log_knows_the_job(con: duckdb.DuckDBPyConnection) -> None:
    row = poll(con, "job", "alec", "nudge")
    assert (row["runs"], row["model_runs"], row["cost_usd"]) == (1, 1, Decimal("0.1"))
    assert (poll(con, "job", "alec", "ring")["runs"], poll(con, "job", "alec", "long")["runs"]) == (2, 2)
    unknown = poll(con, "job", "alec")
    assert (unknown["poll_name"], unknown["runs"], unknown["model_runs"]) == ("unknown job", 1, 1)


def test_a_heartbeat_that_is_a_job_counts_once_and_without_a_call_it_was_empty(con: duckdb.DuckDBPyConnection) -> None:
    """10:00:40 with a turn, 10:20 without, 10:30 and 11:00 put off, 10:40 failed."""
    row = poll(con, "heartbeat", "ben")
    assert (row["runs"], row["model_runs"], row["skipped_runs"], row["failed_runs"]) == (3, 1, 2, 1)
    assert (row["empty_runs"], row["empty_cost_usd"], row["saving_configured_usd"]) == (2, Decimal("0.1"), 0)


def test_two_agents_in_one_minute_are_seen_on_any_host_and_a_skipped_poll_disturbs_nobody(
    con: duckdb.DuckDBPyConnection,
) -> None:
    """At 10:00 alec and ben poll; at 10:30 alec on two machines; ben's polls of then and of 11:00 were put off."""
    assert poll(con, "heartbeat", "alec")["same_minute_runs"] == 2
    assert poll(con, "heartbeat", "ben")["same_minute_runs"] == 1
    assert poll(con, "job", "alec", "tp")["same_minute_runs"] == 1  # cleo's command of 10:05


def test_an_agent_is_the_sum_of_its_polls(con: duckdb.DuckDBPyConnection) -> None:
    total = poll(con, "agent", "alec")
    parts = [
        poll(con, "heartbeat", "alec"),
        *(poll(con, "job", "alec", name) for name in ("tp", "remind", "nudge", "ring", "long", None)),
    ]
    for column in ("runs", "empty_runs", "total_tokens", "cost_usd", "empty_cost_usd", "same_minute_runs"):
        assert total[column] == sum(part[column] for part in parts), column
    assert total["poll_name"] == "all polls"


def test_jobs_that_openclaw_made_are_no_polls(con: duckdb.DuckDBPyConnection) -> None:
    assert rows(con, "SELECT 1 FROM core.polls WHERE job_id = 'dream' AND host = 'local'") == []
    assert len(rows(con, "SELECT DISTINCT poll_id FROM core.polls")) == len(rows(con, "SELECT 1 FROM core.polls"))


def started(con: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], dict]:
    query = "SELECT * FROM mart.sessions_by_trigger WHERE window_id = '2026-W47'"
    return {(row["started_by"], row["session_type"]): row for row in rows(con, query)}


def test_who_started_work(con: duckdb.DuckDBPyConnection) -> None:
    found = started(con)
    turns = {key: (row["trigger"], row["sessions"], row["turns"], row["calls"]) for key, row in found.items()}
    assert turns == {
        ("person", "main"): ("human", 1, 4, 5),
        ("clock", "heartbeat"): ("autonomous", 3, 6, 7),
        ("clock", "cron"): ("autonomous", 6, 8, 8),
        ("clock", "system_event"): ("autonomous", 1, 5, 5),
        ("webhook", "system_event"): ("autonomous", 1, 1, 1),
        ("webhook", "webhook"): ("autonomous", 1, 1, 1),
        ("agent", "subagent"): ("autonomous", 1, 1, 1),
        ("program", "api"): ("autonomous", 1, 1, 2),  # one through OpenClaw, one that only LiteLLM saw
    }
    assert found["person", "main"]["failed_turns"] == 1
    assert found["clock", "heartbeat"]["empty_polls"] == 5
    assert found["program", "api"]["cost_usd"] == Decimal("0.4")


def test_durations_and_shares(con: duckdb.DuckDBPyConnection) -> None:
    """Four turns of a person took 5, 20, 30 and 60 seconds, from 9:00:00 to 9:15:05."""
    found = started(con)
    talk = found["person", "main"]
    assert (talk["turn_seconds_p50"], talk["turn_seconds_p95"]) == (20, 60)
    assert (talk["session_seconds_p50"], talk["session_seconds_p95"]) == (905, 905)
    assert talk["usd_per_turn"] == pytest.approx(0.1)  # the failed one cost nothing
    assert sum(row["rank_share"] for row in found.values()) == pytest.approx(1)
    beats = found["clock", "heartbeat"]  # alec's from 10:00:00 to 12:00:10, the others 10 seconds each
    assert (beats["session_seconds_p50"], beats["session_seconds_p95"]) == (10, 7210)


def test_triggers_add_up_to_the_summary(con: duckdb.DuckDBPyConnection) -> None:
    (summary,) = rows(con, "SELECT * FROM mart.weekly_summary WHERE window_id = '2026-W47'")
    found = started(con).values()
    for column in ("turns", "calls", "total_tokens", "cost_usd", "rank_usd"):
        assert summary[column] == sum(row[column] for row in found), column


def test_simple_turns(con: duckdb.DuckDBPyConnection) -> None:
    """Not simple: a long answer, tools, two calls, an error. A long empty poll is."""
    query = "SELECT started_at, is_simple FROM core.work_units WHERE started_by = 'person' ORDER BY started_at"
    assert [row["is_simple"] for row in rows(con, query)] == [False, False, False, False]
    query = "SELECT is_simple FROM core.work_units WHERE session_type = 'heartbeat' AND session_id = 'main'"
    assert [row["is_simple"] for row in rows(con, f"{query} ORDER BY started_at")] == [True, True, True, True, False]


@pytest.mark.parametrize("name", ["core.work_units", "core.polls", "mart.poll_efficiency", "mart.sessions_by_trigger"])
def test_every_condition_matters(con: duckdb.DuckDBPyConnection, name: str) -> None:
    left = survivors(con, tables()[name].sql)
    assert left == []


def test_without_work_there_is_nothing_to_say(tmp_path: Path) -> None:
    names = ("mart.poll_efficiency", "mart.sessions_by_trigger", "mart.pipeline_steps", "mart.model_recommendations")
    with built_in_steps(tmp_path, (LONG_AGO, batch()), only=names) as con:
        for name in names:
            assert rows(con, f"SELECT * FROM {name}") == [], name
