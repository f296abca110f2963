"""core.calls: each call once, both sides joined, classified, priced. Every figure can be added up on paper."""

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from agentops_pipelines.defs.checks import totals_equal_raw
from agentops_pipelines_tests.rows import ASSISTANT, USER, batch, line, request
from agentops_pipelines_tests.world import built, rows

T = datetime(2026, 11, 23, 10)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def turn(name: str, at: datetime = T, *, session_id: str = "s1", mark: str | None = None, **call: Any) -> list:
    """A user line and its answer a second later."""
    return [
        line(f"{name}-u", at, USER, session_id=session_id, mark=mark),
        line(f"{name}-a", at + SECOND, session_id=session_id, **call),
    ]


def session(session_id: str, session_key: str, **changes: object) -> dict:
    return {"host": "local", "agent_id": "alec", "session_id": session_id, "session_key": session_key, **changes}


def calls(tmp_path: Path, *, toml: str = "", **world) -> list[dict]:
    with built(tmp_path, batch(**world), toml=toml, only=["core.calls"]) as connection:
        return rows(connection, "SELECT * FROM core.calls ORDER BY started_at, call_id")


# --- one call, both sides


def test_a_call_that_both_sides_saw_is_one_row_with_what_each_knows(tmp_path: Path) -> None:
    (call,) = calls(
        tmp_path,
        lines=turn("t", response_id="chatcmpl-1", estimate_usd=0.001),
        sessions=[session("s1", "agent:alec:main")],
        requests=[request("chatcmpl-1", T, deployment_id="d1", model_group="foundry-claude-sonnet-4-6")],
    )
    assert call["source"] == "both"
    assert call["match_rule"] == "response_id"
    assert call["session_type"] == "main"
    assert call["trigger"] == "human"
    assert call["deployment_id"] == "d1"
    assert call["model_group_requested"] == "standard"
    assert call["model_group_served"] == "foundry-claude-sonnet-4-6"
    assert (call["estimate_usd"], call["spend_usd"]) == (Decimal("0.001"), Decimal("0.002"))
    assert (call["cost_usd"], call["cost_basis"]) == (Decimal("0.002"), "spend")
    assert call["total_tokens"] == 160


def test_equal_ids_with_other_tokens_are_two_calls(tmp_path: Path) -> None:
    found = calls(
        tmp_path,
        lines=turn("t", response_id="chatcmpl-1"),
        requests=[request("chatcmpl-1", T, output_tokens=11)],
    )
    assert sorted(call["source"] for call in found) == ["litellm", "openclaw"]


def test_a_reused_id_pairs_with_the_line_that_is_nearest_in_time_and_only_once(tmp_path: Path) -> None:
    found = calls(
        tmp_path,
        lines=[*turn("old", T - timedelta(days=3), response_id="r"), *turn("new", T, response_id="r")],
        requests=[request("r", T)],
    )
    assert [(call["line_id"], call["source"]) for call in found] == [("old-a", "openclaw"), ("new-a", "both")]


def test_cache_writes_that_openclaw_counts_as_input_still_match_and_the_gateway_split_is_kept(tmp_path: Path) -> None:
    (call,) = calls(
        tmp_path,
        lines=turn("t", response_id="r", input_tokens=100, cache_write_tokens=0),
        requests=[request("r", T, cache_write_tokens=30)],
    )
    assert (call["input_tokens"], call["cache_write_tokens"], call["total_tokens"]) == (70, 30, 160)


def test_cost_falls_back_to_the_estimate_where_the_gateway_was_not_used(tmp_path: Path) -> None:
    (call,) = calls(tmp_path, lines=turn("t", estimate_usd=0.5))
    assert (call["cost_usd"], call["cost_basis"]) == (Decimal("0.5"), "estimate")


def test_the_cost_basis_can_be_configured(tmp_path: Path) -> None:
    (call,) = calls(
        tmp_path,
        lines=turn("t", response_id="r", estimate_usd=0.5),
        requests=[request("r", T)],
        toml='cost_basis = "estimate"',
    )
    assert (call["cost_usd"], call["cost_basis"]) == (Decimal("0.5"), "estimate")


def test_failed_requests_of_one_failing_call_are_that_call(tmp_path: Path) -> None:
    """LiteLLM logs each retry, OpenClaw one error line: the line adds no call, the requests get its session."""
    failed = {"status": "failure", "error_kind": "vendor_rate_limit", "spend_usd": 0.0, "prompt_tokens": 14}
    found = calls(
        tmp_path,
        lines=[
            line("u", T, USER),
            line("e", T, written_at=T + 9 * SECOND, stop_reason="error", output_tokens=0, error_kind="rate_limit"),
        ],
        sessions=[session("s1", "agent:alec:main")],
        requests=[request("f1", T + SECOND, **failed), request("f2", T + 8 * SECOND, **failed)],
    )
    assert [(c["call_id"], c["match_rule"], c["line_id"], c["session_type"], c["status"]) for c in found] == [
        ("ll/f1", "error_window", "e", "main", "error"),
        ("ll/f2", "error_window", "e", "main", "error"),
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"model_group": "heavy", "original_model_group": "heavy"},
        {"started_at": T + timedelta(seconds=10)},
        {"pipeline": "dod-verify"},
    ],
    ids=["another group", "after the error", "a pipeline step"],
)
def test_other_failures_stay_alone(tmp_path: Path, change: dict) -> None:
    found = calls(
        tmp_path,
        lines=[line("u", T, USER), line("e", T, written_at=T + 9 * SECOND, stop_reason="error", output_tokens=0)],
        requests=[request("f", T + SECOND, **{"status": "failure", **change})],
    )
    assert sorted(c["match_rule"] for c in found) == ["none", "none"]


def test_a_failure_of_another_agents_key_stays_alone(tmp_path: Path) -> None:
    found = calls(
        tmp_path,
        lines=[
            *turn("known", T - MINUTE, response_id="r", agent_id="costaff", session_id="s9"),
            line("u", T, USER),
            line("e", T, written_at=T + 9 * SECOND, stop_reason="error", output_tokens=0),
        ],
        requests=[request("r", T - MINUTE, key_hash="k9"), request("f", T + SECOND, key_hash="k9", status="failure")],
    )
    assert [c["match_rule"] for c in found] == ["response_id", "none", "none"]


def test_a_failure_inside_two_error_windows_is_not_guessed(tmp_path: Path) -> None:
    found = calls(
        tmp_path,
        lines=[
            line("e1", T, written_at=T + 9 * SECOND, stop_reason="error", output_tokens=0),
            line("e2", T, session_id="s2", written_at=T + 9 * SECOND, stop_reason="error", output_tokens=0),
        ],
        requests=[request("f", T + SECOND, status="failure")],
    )
    assert [c["match_rule"] for c in found] == ["none", "none", "none"]


# --- counted once


def test_lines_that_a_fork_copied_count_in_the_parent_only(tmp_path: Path) -> None:
    original = turn("t", estimate_usd=1.0)
    copies = [{**row, "session_id": "fork", "position": n} for n, row in enumerate(original)]
    found = calls(
        tmp_path,
        lines=[*original, *copies, *turn("own", T + MINUTE, session_id="fork", estimate_usd=2.0)],
        transcripts=[
            {"host": "local", "agent_id": "alec", "session_id": "s1", "created_at": T},
            {
                "host": "local",
                "agent_id": "alec",
                "session_id": "fork",
                "created_at": T + MINUTE,
                "parent_session_id": "s1",
            },
        ],
    )
    assert [(call["session_id"], call["line_id"]) for call in found] == [("s1", "t-a"), ("fork", "own-a")]


def test_a_resumed_checkpoint_without_parent_counts_in_the_older_session(tmp_path: Path) -> None:
    original = turn("t")
    found = calls(
        tmp_path,
        lines=[*original, *({**row, "session_id": "checkpoint"} for row in original)],
        transcripts=[
            {"host": "local", "agent_id": "alec", "session_id": "checkpoint", "created_at": T + MINUTE},
            {"host": "local", "agent_id": "alec", "session_id": "s1", "created_at": T},
        ],
    )
    assert [call["session_id"] for call in found] == ["s1"]


def test_one_session_seen_on_two_hosts_counts_once(tmp_path: Path) -> None:
    original = turn("t")
    found = calls(tmp_path, lines=[*original, *({**row, "host": "other"} for row in original)])
    assert len(found) == 1


def test_a_call_recovered_from_a_trajectory_counts_while_no_transcript_holds_it(tmp_path: Path) -> None:
    """r1 has its transcript line too (in another file name's session); r2 is known by the trajectory alone.

    A restarted proxy gave r3's id before: the line of that other call, at another time, does not stand for r3.
    """
    found = calls(
        tmp_path,
        lines=[
            *turn("t", response_id="r1"),
            line("x1", T + SECOND, session_id="s2", response_id="r1", origin="trajectory"),
            line("x2", T + MINUTE, session_id="s2", response_id="r2", origin="trajectory"),
            line("x3", T + 2 * MINUTE, session_id="s2", response_id="r3", origin="trajectory"),
            line("x4", T + 3 * MINUTE, session_id="s2", response_id="r3"),
        ],
    )
    assert [call["line_id"] for call in found] == ["t-a", "x2", "x3", "x4"]


def test_the_same_line_id_in_two_sessions_is_two_calls_when_the_content_differs(tmp_path: Path) -> None:
    found = calls(
        tmp_path, lines=[line("8950f4fa", T), line("8950f4fa", T + SECOND, session_id="s2", output_tokens=11)]
    )
    assert len(found) == 2


# --- classification


KEYS = {
    "agent:alec:main": ("main", "human"),
    "agent:alec:main:heartbeat": ("heartbeat", "autonomous"),
    "agent:alec:cron:8f0e": ("cron", "autonomous"),
    "agent:alec:cron:8f0e:run:5b1c-77": ("cron", "autonomous"),
    "agent:alec:cron:8f0e:run:1795528608693": ("system_event", "autonomous"),
    "agent:alec:subagent:77-1": ("subagent", "autonomous"),
    "agent:alec:subagent:77-1:subagent:77-2": ("subagent", "autonomous"),
    "agent:alec:hook:77-1": ("webhook", "autonomous"),
    "agent:alec:hook:mail:7": ("webhook", "autonomous"),
    "agent:alec:telegram:group:~12345678:topic:~87654321": ("channel", "human"),
    "agent:alec:slack:channel:~12345678:thread:~87654321": ("channel", "human"),
    "agent:alec:matrix:room:~12345678": ("channel", "human"),
    "agent:alec:whatsapp:direct:~12345678": ("dm", "human"),
    "agent:alec:whatsapp:work:direct:~12345678": ("dm", "human"),
    "agent:alec:direct:~12345678": ("dm", "human"),
    "agent:alec:acp:77-1": ("acp", "autonomous"),
    "agent:alec:temp:slug-generator": ("maintenance", "autonomous"),
    "agent:alec:openai:77-1": ("api", "autonomous"),
    "agent:alec:openresponses:77-1": ("api", "autonomous"),
    "agent:alec:explicit:model-run-77-1": ("named", "human"),
    "agent:alec:dashboard:77-1": ("named", "human"),
    "agent:alec:fad-31": ("named", "human"),
    "global": ("unknown", "autonomous"),
    "unknown": ("unknown", "autonomous"),
}


def test_session_keys_say_what_a_session_is(tmp_path: Path) -> None:
    """One session a key; and a row without a transcript (an announcement into a group) is no session."""
    world = batch(
        lines=[moment for n in range(len(KEYS)) for moment in turn(f"t{n}", T + n * MINUTE, session_id=f"s{n}")],
        sessions=[
            *(session(f"s{n}", key) for n, key in enumerate(KEYS)),
            session("s-phantom", "agent:alec:telegram:group:~99999999"),
        ],
    )
    with built(tmp_path, world) as connection:
        found = rows(connection, "SELECT * FROM core.calls")
        sessions = rows(connection, "SELECT session_id FROM core.sessions")
    assert {call["session_key"]: (call["session_type"], call["trigger"]) for call in found} == KEYS
    assert {call["type_evidence"] for call in found if call["session_type"] != "unknown"} == {"key"}
    assert {call["type_evidence"] for call in found if call["session_type"] == "unknown"} == {"none"}
    assert {row["session_id"] for row in sessions} == {f"s{n}" for n in range(len(KEYS))}


def test_the_main_session_may_have_another_key(tmp_path: Path) -> None:
    """Known from openclaw.json, on each machine. The same name at another agent is a session of that name."""
    agent = {"host": "local", "agent_id": "alec", "main_session_key": "agent:alec:home", "observed_at": T}
    keys = ("agent:alec:home", "agent:alec:main", "agent:alec:hall", "agent:alec:den", "agent:fiducian:home")
    found = calls(
        tmp_path,
        lines=[moment for n in range(len(keys)) for moment in turn(f"t{n}", T + n * MINUTE, session_id=f"s{n}")],
        sessions=[session(f"s{n}", key) for n, key in enumerate(keys)],
        agents=[agent, agent | {"host": "elsewhere", "main_session_key": "agent:alec:hall"}],
    )
    assert [call["session_type"] for call in found] == ["main", "main", "main", "named", "named"]


@pytest.mark.parametrize(
    ("mark", "session_type"),
    [
        ("cron", "cron"),
        ("webhook", "webhook"),
        ("subagent_context", "subagent"),
        ("heartbeat_poll", "heartbeat"),
        (None, "unknown"),
    ],
)
def test_a_transcript_without_a_row_is_known_by_its_first_mark(tmp_path: Path, mark: str, session_type: str) -> None:
    (call,) = calls(tmp_path, lines=turn("t", mark=mark))
    assert call["session_type"] == session_type


def test_a_reset_session_that_heartbeats_came_to_was_a_main_session(tmp_path: Path) -> None:
    found = calls(tmp_path, lines=[*turn("beat", mark="heartbeat_poll"), *turn("talk", T + MINUTE)])
    assert [(call["session_type"], call["type_evidence"]) for call in found] == [
        ("heartbeat", "mark"),
        ("main", "other turns"),
    ]


def test_heartbeats_and_wakes_inside_main_are_their_own_turns(tmp_path: Path) -> None:
    found = calls(
        tmp_path,
        lines=[
            *turn("talk"),
            *turn("beat", T + MINUTE, mark="heartbeat_poll"),
            *turn("wake", T + 2 * MINUTE, mark="cron_wake"),
            *turn("flush", T + 2.5 * MINUTE, mark="memory_flush"),
            line("p-u", T + 3 * MINUTE, USER, provenance_tool="heartbeat"),
            line("p-a", T + 3 * MINUTE + SECOND),
        ],
        sessions=[session("s1", "agent:alec:main")],
    )
    assert [(call["session_type"], call["type_evidence"]) for call in found] == [
        ("main", "key"),
        ("heartbeat", "mark"),
        ("system_event", "mark"),
        ("maintenance", "mark"),
        ("heartbeat", "provenance"),
    ]
    assert len({call["turn_id"] for call in found}) == 5


def test_a_wake_belongs_to_no_job_of_another_turn_in_the_same_session(tmp_path: Path) -> None:
    """Main sessions, with and without a key, that a job or a webhook happened to open; a job's own session keeps its.

    The job that opened the first one ran in a session that people talk in (sessionTarget current, or session:<id>).
    """
    job, hook = {"mark_id": "j1", "mark_name": "standup"}, {"mark_id": "w1", "mark_name": "mail"}

    def opened(session_id: str, mark: str, names: dict, at: datetime) -> list:
        first = line(f"{session_id}-u", at, USER, session_id=session_id, mark=mark, **names)
        answer = line(f"{session_id}-a", at + SECOND, session_id=session_id)
        return [first, answer, *turn(f"{session_id}-w", at + MINUTE, session_id=session_id, mark="session_event")]

    found = calls(
        tmp_path,
        lines=[
            *opened("m", "cron", job, T),
            *opened("n", "cron", job, T + 2 * MINUTE),
            *opened("h", "webhook", hook, T + 4 * MINUTE),
            *opened("c", "cron", job, T + 6 * MINUTE),
            *opened("w", "webhook", hook, T + 8 * MINUTE),
        ],
        sessions=[
            session("m", "agent:alec:main"),
            session("h", "agent:alec:main"),
            session("c", "agent:alec:cron:j2"),
            session("w", "agent:alec:hook:w1"),
        ],
    )
    assert [(call["line_id"], call["session_type"], call["job_id"], call["job_name"]) for call in found] == [
        ("m-a", "cron", "j1", "standup"),
        ("m-w-a", "system_event", None, None),
        ("n-a", "cron", "j1", "standup"),
        ("n-w-a", "system_event", None, None),
        ("h-a", "webhook", None, "mail"),
        ("h-w-a", "system_event", None, None),
        ("c-a", "cron", "j2", "standup"),
        ("c-w-a", "cron", "j2", "standup"),
        ("w-a", "webhook", None, "mail"),
        ("w-w-a", "webhook", None, "mail"),
    ]


def run(run_id: str, at: datetime, **changes: object) -> dict:
    return {"host": "local", "agent_id": "alec", "session_id": "s1", "run_id": run_id, "started_at": at, **changes}


def test_the_trajectory_of_a_run_says_what_started_a_turn(tmp_path: Path) -> None:
    """The same text opens heartbeats and cron events; a sub-agent's announce has no user line at all."""
    found = calls(
        tmp_path,
        lines=[
            *turn("talk"),
            *turn("beat", T + MINUTE, mark="heartbeat_poll"),
            *turn("event", T + 2 * MINUTE, mark="heartbeat_poll"),
            *turn("spawn", T + 3 * MINUTE),
            line("announce", T + 4 * MINUTE),
        ],
        sessions=[session("s1", "agent:alec:main")],
        runs=[
            run("r1", T, trigger="user", message_provider="webchat"),
            run("r2", T + MINUTE, trigger="heartbeat", message_provider="heartbeat"),
            run("r3", T + 2 * MINUTE, trigger="heartbeat", message_provider="cron-event"),
            run("r4", T + 3 * MINUTE, trigger="user", ended_at=T + 3 * MINUTE + 2 * SECOND),
            run("announce:v1:child:1", T + 4 * MINUTE - SECOND, trigger="user"),
        ],
    )
    assert [(call["line_id"], call["session_type"], call["type_evidence"]) for call in found] == [
        ("talk-a", "main", "key"),
        ("beat-a", "heartbeat", "run"),
        ("event-a", "system_event", "run"),
        ("spawn-a", "main", "key"),
        ("announce", "subagent", "run"),
    ]
    assert len({call["turn_id"] for call in found}) == 5


def test_a_wake_that_runs_as_a_heartbeat_is_told_by_its_user_line(tmp_path: Path) -> None:
    """2026.9 gives every wake the trigger heartbeat and names no message provider."""
    lines, runs = [], []
    for n, tool in enumerate(("heartbeat", "cron", "hook")):
        at = T + n * MINUTE
        lines += [line(f"{tool}-u", at, USER, provenance_tool=tool), line(f"{tool}-a", at + SECOND, run_id=tool)]
        runs.append(run(tool, at, trigger="heartbeat", ended_at=at + 2 * SECOND))
    found = calls(tmp_path, lines=lines, runs=runs, sessions=[session("s1", "agent:alec:main")])
    assert [(call["line_id"], call["session_type"], call["type_evidence"]) for call in found] == [
        ("heartbeat-a", "heartbeat", "run"),
        ("cron-a", "system_event", "provenance"),
        ("hook-a", "system_event", "provenance"),
    ]


def test_a_run_that_ended_long_ago_says_nothing_about_a_later_turn(tmp_path: Path) -> None:
    (call,) = calls(
        tmp_path,
        lines=turn("t", T + MINUTE),
        sessions=[session("s1", "agent:alec:main")],
        runs=[run("r1", T, trigger="heartbeat", ended_at=T + SECOND)],
    )
    assert call["session_type"] == "main"


def test_the_run_a_line_names_beats_the_clock(tmp_path: Path) -> None:
    (call,) = calls(
        tmp_path,
        lines=turn("t", run_id="r1"),
        sessions=[session("s1", "agent:alec:main")],
        runs=[run("r1", T - MINUTE, trigger="heartbeat"), run("r2", T, trigger="user")],
    )
    assert call["session_type"] == "heartbeat"


def test_archived_transcripts_get_their_key_from_the_trajectory(tmp_path: Path) -> None:
    (call,) = calls(tmp_path, lines=turn("t"), runs=[run("r1", T, session_key="agent:alec:cron:9")])
    assert (call["session_key"], call["session_type"]) == ("agent:alec:cron:9", "cron")


def test_a_webhook_that_wears_a_cron_key_is_a_webhook(tmp_path: Path) -> None:
    (by_source,) = calls(
        tmp_path, lines=turn("t"), sessions=[session("s1", "agent:alec:cron:9", hook_source="webhook")]
    )
    assert by_source["session_type"] == "webhook"
    (by_mark,) = calls(tmp_path / "2", lines=turn("t", mark="webhook"), sessions=[session("s1", "agent:alec:cron:9")])
    assert by_mark["session_type"] == "webhook"


def test_a_cron_run_with_a_base_row_and_a_run_row_is_cron(tmp_path: Path) -> None:
    (call,) = calls(
        tmp_path,
        lines=turn("t"),
        sessions=[session("s1", "agent:alec:cron:9:run:s1-0", updated_at=T), session("s1", "agent:alec:cron:9")],
    )
    assert (call["session_type"], call["job_id"]) == ("cron", "9")


def test_gateway_only_rows_keep_their_own_evidence(tmp_path: Path) -> None:
    found = calls(
        tmp_path,
        requests=[
            request("1", T, pipeline="dod-verify", step="verdict"),
            request("2", T + SECOND, method="documentation", ticket_key="FAD-1"),
            request("3", T + 2 * SECOND),
            request("4", T + 3 * SECOND, is_health_check=True),
            request("5", T + 4 * SECOND, call_type="/v1/models", status="failure"),
            request("6-attempt-0", T + 5 * SECOND, is_attempt=True, status="failure", spend_usd=0.1),
        ],
    )
    assert [(call["session_type"], call["is_request"]) for call in found] == [
        ("llm_task", True),
        ("worker", True),
        ("api", True),
        ("maintenance", False),
        ("maintenance", False),
        ("api", False),
    ]
    assert {call["lane"] for call in found} == {"alec"}


def test_the_call_that_wrote_a_summary_is_maintenance(tmp_path: Path) -> None:
    """Known by the agent's key and the moment; with two candidates for one compaction nothing is guessed."""
    compaction = {"kind": "compaction"}
    second = timedelta(seconds=1)
    found = calls(
        tmp_path,
        lines=[
            *turn("t", response_id="r1"),
            line("c1", T + MINUTE, compaction),
            line("c2", T + 2 * MINUTE, compaction),
            line("c3", T + 3 * MINUTE, compaction, agent_id="costaff"),
        ],
        requests=[
            request("r1", T + second),
            request("summary", T + MINUTE - second),
            request("long ago", T + MINUTE - 6 * second),
            request("later", T + MINUTE + 2 * second),
            request("failed", T + MINUTE, status="failure", error_kind="timeout"),
            request("a step", T + MINUTE, pipeline="dod-verify"),
            request("of another key", T + MINUTE, key_hash="k2", key_alias="costaff"),
            request("either", T + 2 * MINUTE),
            request("or", T + 2 * MINUTE - second),
            request("of another agent", T + 3 * MINUTE),
        ],
    )
    types = {call["request_id"]: (call["session_type"], call["type_evidence"]) for call in found}
    assert types.pop("summary") == ("maintenance", "compaction")
    assert types.pop("r1") == ("unknown", "none")
    assert types.pop("a step") == ("llm_task", "gateway")
    assert set(types.values()) == {("api", "gateway")}


def test_batches_and_stored_responses_are_one_request_each_and_their_tokens_count_once(tmp_path: Path) -> None:
    """LiteLLM 1.108 writes what a batch or a background response used into a row of its own, once it is known. Older
    versions log a stored response again, with its cost, whenever it is read.
    """
    nothing = {"prompt_tokens": 0, "cache_read_tokens": 0, "output_tokens": 0, "total_tokens": 0, "spend_usd": 0.0}
    other = {"prompt_tokens": 151, "total_tokens": 161}
    requests = [
        request("batch_1", T, call_type="acreate_batch", **nothing),
        request("batch_1_batch_cost", T + MINUTE, call_type="aretrieve_batch"),
        request("resp_1", T + 2 * MINUTE, call_type="aresponses", **nothing),
        request("resp_1_background_cost", T + 3 * MINUTE, call_type="aget_responses"),
        request("resp_2_background_cost", T + 4 * MINUTE, call_type="aget_responses"),
        request("resp_3", T + 5 * MINUTE, call_type="aresponses", **other),
        request("resp_4", T + 6 * MINUTE, call_type="aresponses", **other),
        request("resp_3 read", T + 7 * MINUTE, call_type="aget_responses", **other),
        request("resp_3 read by another", T + 8 * MINUTE, call_type="aget_responses", key_hash="k2", **other),
        request("resp_3 read for free", T + 9 * MINUTE, call_type="aget_responses", **nothing),
    ]
    with built(tmp_path, batch(requests=requests), only=["core.calls"]) as connection:
        found = rows(connection, "SELECT * FROM core.calls")
        assert totals_equal_raw(connection).passed
    assert {
        call["request_id"]: (call["is_request"], call["tokens_basis"], call["session_type"], call["total_tokens"])
        for call in found
    } == {
        "batch_1": (True, "reported", "api", 0),
        "batch_1_batch_cost": (False, "reported", "api", 160),
        "resp_1": (True, "reported", "api", 0),
        "resp_1_background_cost": (False, "reported", "api", 160),
        "resp_2_background_cost": (False, "reported", "api", 160),
        "resp_3": (True, "reported", "api", 161),
        "resp_4": (True, "reported", "api", 161),
        "resp_3 read": (False, "repeated", "maintenance", 161),
        "resp_3 read by another": (False, "reported", "api", 161),
        "resp_3 read for free": (False, "reported", "api", 0),
    }
    assert sum(call["spend_usd"] for call in found) == 7 * Decimal("0.002")


def test_failures_carry_estimated_tokens(tmp_path: Path) -> None:
    (call,) = calls(tmp_path, requests=[request("1", T, status="failure", error_kind="timeout", spend_usd=0.0)])
    assert (call["status"], call["error_kind"], call["tokens_basis"], call["list_usd"]) == (
        "error",
        "timeout",
        "estimated",
        None,
    )


def test_an_old_proxy_does_not_know_about_fallbacks(tmp_path: Path) -> None:
    (call,) = calls(tmp_path, requests=[request("1", T, attempted_fallbacks=None, original_model_group=None)])
    assert call["is_fallback"] is None
    assert call["model_group_requested"] == "standard"


# --- categories and lanes


def test_operators_rules_come_before_the_defaults(tmp_path: Path) -> None:
    toml = """
    [[category_rules]]
    session_type = "cron"
    job_name = "nightly%"
    category = "night shift"
    """
    lines = [line("u", T, USER, mark="cron", mark_id="9", mark_name="Nightly-Digest"), line("a", T + SECOND)]
    (call,) = calls(tmp_path, lines=lines, sessions=[session("s1", "agent:alec:cron:9")], toml=toml)
    assert (call["category"], call["job_name"]) == ("night shift", "Nightly-Digest")


def test_work_without_a_rule_is_called_by_its_type(tmp_path: Path) -> None:
    (call,) = calls(tmp_path, lines=turn("t"))
    assert call["category"] == "unknown"


def test_a_key_alias_can_stand_for_a_lane(tmp_path: Path) -> None:
    found = calls(
        tmp_path,
        requests=[request("1", T, key_alias="batch-7"), request("2", T + SECOND, key_alias=None)],
        toml='[lanes]\nbatch-7 = "nightly batches"',
    )
    assert [call["lane"] for call in found] == ["nightly batches", "no key alias"]


# --- prices


def test_list_price_counts_every_kind_of_token(tmp_path: Path) -> None:
    (call,) = calls(
        tmp_path,
        requests=[
            request(
                "1",
                T,
                provider="anthropic",
                model="anthropic/claude-opus-4-7",
                prompt_tokens=100_000,
                cache_read_tokens=80_000,
                cache_write_tokens=10_000,
                output_tokens=2_000,
            )
        ],
    )
    assert call["list_usd"] == Decimal("0.2025")


def test_an_unknown_model_has_no_price_and_not_a_zero_one(tmp_path: Path) -> None:
    (call,) = calls(tmp_path, requests=[request("1", T, provider="x", model="x/nobody-knows-it")])
    assert call["list_usd"] is None


def test_a_new_primary_does_not_rewrite_old_weeks(tmp_path: Path) -> None:
    toml = """
    [price_aliases]
    in-house = [
      { priced_as = "openai/gpt-5.4" },
      { priced_as = "openai/gpt-5.4-mini", since = 2026-11-23 },
    ]
    """
    old, new = calls(
        tmp_path,
        requests=[
            request(n, at, provider="", model="in-house", prompt_tokens=10**6, cache_read_tokens=0, output_tokens=0)
            for n, at in (("1", T - timedelta(days=7)), ("2", T))
        ],
        toml=toml,
    )
    assert old["list_usd"] > new["list_usd"] > 0


def test_local_dates_follow_the_configured_zone(tmp_path: Path) -> None:
    (call,) = calls(tmp_path, lines=turn("t", datetime(2026, 11, 22, 23, 30)), toml='timezone = "Europe/Berlin"')
    assert (str(call["local_date"]), call["local_week"]) == ("2026-11-23", "2026-W48")


def test_assistant_lines_before_any_user_line_make_a_turn_of_their_own(tmp_path: Path) -> None:
    (call,) = calls(tmp_path, lines=[line("a", T, ASSISTANT)])
    assert call["turn_id"] == "alec/s1/a"
