"""What the OpenClaw reader makes of a state directory, era by era."""

import dataclasses
import os
from datetime import datetime
from pathlib import Path

import pytest

from agentops_pipelines.settings import StateDir
from agentops_pipelines.sources.batches import Ledger, SourceError
from agentops_pipelines.sources.openclaw.reader import read_state_dir
from agentops_pipelines_tests.openclaw_states import (
    ARCHIVED_AT,
    RULES,
    Home,
    Memory,
    assistant,
    cold_records,
    header,
    iso,
    millis,
    other,
    run_events,
    tool_result,
    usage,
    user,
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(path=tmp_path / "state")


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    return tmp_path / "scratch"


def _read(home: Home, scratch: Path) -> Memory:
    memory = Memory()
    memory.read(home.path, scratch=scratch)
    return memory


def test_a_call_carries_tokens_cost_times_and_ids(home: Home, scratch: Path) -> None:
    call = assistant(
        "a1",
        [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "All good."}],
        minute=3,
        parent="u1",
        usage=usage(7000, 34, 10499, 12, 0.0081859, reasoningTokens=9),
        responseModel="gpt-5.4-2026",
    )
    home.write("s1.jsonl", [header("s1"), user("u1", minute=2), call])
    memory = _read(home, scratch)
    (row,) = memory.calls
    assert row == {
        "host": "local",
        "agent_id": "main",
        "session_id": "s1",
        "line_id": "a1",
        "position": 2,
        "parent_line_id": "u1",
        "kind": "assistant",
        "written_at": datetime(2026, 11, 23, 8, 3),
        "started_at": datetime(2026, 11, 23, 8, 2, 59, 400_000),
        "path": "agents/main/sessions/s1.jsonl",
        "origin": "jsonl",
        "provider": "litellm",
        "model": "standard",
        "response_model": "gpt-5.4-2026",
        "response_id": "chatcmpl-a1",
        "input_tokens": 7000,
        "cache_read_tokens": 10499,
        "cache_write_tokens": 12,
        "output_tokens": 34,
        "reasoning_tokens": 9,
        "estimate_usd": 0.0081859,
        "stop_reason": "stop",
        "error_kind": None,
        "tool_calls": 0,
        "reply_chars": 9,
        "poll_phrase": None,
        "run_id": None,
        "mark": None,
        "mark_id": None,
        "mark_name": None,
        "provenance_kind": None,
        "provenance_tool": None,
        "ticket_keys": None,
    }
    assert not memory.quarantine


def test_the_newest_line_dates_the_batch(home: Home, scratch: Path) -> None:
    home.write("s1.jsonl", [header("s1"), user("u1", minute=1), assistant("a1", minute=5)])
    (batch,) = Memory().read(home.path, scratch=scratch)
    assert batch.newest_data_at == datetime(2026, 11, 23, 8, 5)


def test_only_user_assistant_compaction_and_reset_lines_make_rows(home: Home, scratch: Path) -> None:
    silent = [
        other("model_change", provider="litellm", modelId="standard"),
        other("thinking_level_change", thinkingLevel="off"),
        other("custom", customType="model-snapshot", data={}),
        other("custom_message", customType="x", content="y", display=True),
        other("branch_summary", fromId="a", summary="s"),
        other("label", targetId="a"),
        other("session_info", name="n"),
        other("prompt_released_opaque"),
        other("leaf", targetId="a"),
        tool_result("t1"),
        {"type": "message", "id": "b", "timestamp": iso(1), "message": {"role": "bashExecution", "command": "ls"}},
    ]
    compaction = other("compaction", line_id="c1", summary="s", firstKeptEntryId="a", tokensBefore=1)
    reset = other("reset", line_id="r1", reason="reset")
    home.write("s1.jsonl", [header("s1"), user("u1"), *silent, assistant("a1"), compaction, reset])
    memory = _read(home, scratch)
    assert [(row["line_id"], row["kind"]) for row in sorted(memory.lines, key=lambda row: row["position"])] == [
        ("u1", "user"),
        ("a1", "assistant"),
        ("c1", "compaction"),
        ("r1", "reset"),
    ]
    assert not memory.quarantine


@pytest.mark.parametrize("model", ["delivery-mirror", "gateway-injected"])
def test_mirrored_and_injected_replies_are_no_calls(home: Home, scratch: Path, model: str) -> None:
    mirror = assistant("m1", provider="openclaw", model=model)
    stripped = assistant("m2", openclawDeliveryMirror={"kind": "channel-final"})
    home.write("s1.jsonl", [header("s1"), assistant("a1"), mirror, stripped])
    assert [row["line_id"] for row in _read(home, scratch).calls] == ["a1"]


def test_usage_may_stand_beside_the_message(home: Home, scratch: Path) -> None:
    """Older harnesses write it there; in the message it counts first."""
    beside = {**assistant("a1", usage=None), "usage": usage(7, 3, 0)}
    both = {**assistant("a2", usage=usage(8, 4, 0)), "usage": usage(7, 3, 0)}
    del beside["message"]["usage"]
    home.write("s1.jsonl", [header("s1"), beside, both])
    calls = {row["line_id"]: row for row in _read(home, scratch).calls}
    assert [calls[name]["input_tokens"] for name in ("a1", "a2")] == [7, 8]


def test_failed_calls_without_tokens_are_kept_with_their_kind(home: Home, scratch: Path) -> None:
    failed = assistant(
        "a1",
        "[assistant turn failed before producing content]",
        usage=usage(0, 0, 0, 0, 0),
        stopReason="error",
        errorMessage="429 Rate limit reached for model",
        errorCode="rate_limit_exceeded",
        errorType="rate_limit_error",
    )
    home.write("s1.jsonl", [header("s1"), user("u1"), failed, assistant("a2", model="heavy")])
    (first, second) = sorted(_read(home, scratch).calls, key=lambda row: row["position"])
    assert (first["stop_reason"], first["error_kind"], first["output_tokens"]) == ("error", "rate_limit", 0)
    assert (first["reply_chars"], first["estimate_usd"]) == (0, 0.0)
    assert (second["stop_reason"], second["error_kind"], second["model"]) == ("stop", None, "heavy")


def test_archives_count_and_checkpoints_backups_and_trajectories_do_not(home: Home, scratch: Path) -> None:
    home.write("s1.jsonl", [header("s1"), assistant("a1")])
    home.write(f"s2.jsonl.reset.{ARCHIVED_AT}", [header("s2"), assistant("a2")])
    home.write(f"s3.jsonl.deleted.{ARCHIVED_AT}", [header("s3"), assistant("a3")])
    home.write("s4.jsonl.reset.2026-11-24T14-01-29Z", [header("s4"), assistant("a4")])
    home.write_packed(f"s5.jsonl.deleted.{ARCHIVED_AT}.{'0a' * 16}.zst", [header("s5"), assistant("a5")])
    home.write_packed("s6.jsonl.zst", [header("s6"), assistant("a6")])
    home.write_packed("cold/00ff.jsonl.zst", cold_records("s7", [header("s7"), user("u7"), assistant("a7")]))
    for name in (
        "s8.checkpoint.0a1b2c3d-0000-4000-8000-000000000000.jsonl",
        f"s8.jsonl.bak.{ARCHIVED_AT}",
        "s8.jsonl.bak",
        "s8.jsonl.migrated",
        "s8.jsonl.tmp",
        "s8.trajectory.jsonl",
        "sessions.json.bak.1",
    ):
        home.write(name, [header("s8"), assistant("a8")])
    memory = _read(home, scratch)
    assert {row["session_id"]: row["origin"] for row in memory.calls} == {
        "s1": "jsonl",
        "s2": "reset_archive",
        "s3": "deleted_archive",
        "s4": "reset_archive",
        "s5": "deleted_archive",
        "s6": "jsonl",
        "s7": "sqlite_archive",
    }
    assert not memory.quarantine


def test_the_header_names_the_session_where_the_file_keeps_an_old_name(home: Home, scratch: Path) -> None:
    # 2026.4: after /new the archive and the new transcript share a stem; only the headers tell them apart.
    home.write(f"old.jsonl.reset.{ARCHIVED_AT}", [header("old"), assistant("a1")])
    home.write("old.jsonl", [header("new"), assistant("a1", minute=9)])
    home.write("nameless.jsonl", [assistant("a1")])
    memory = _read(home, scratch)
    assert memory.ids() == {("old", "a1"), ("new", "a1"), ("nameless", "a1")}
    assert {(row["session_id"], row["format_version"]) for row in memory.transcripts} == {
        ("old", 3),
        ("new", 3),
        ("nameless", None),
    }


def test_archives_under_a_key_s_file_name_belong_to_that_key(home: Home, scratch: Path) -> None:
    # 2026.4: /new keeps the file name, so the name leads from the archives to the key that has left them behind.
    home.write("first.jsonl.reset.2026-11-23T09-00-00.000Z", [header("first"), assistant("a1")])
    home.write("first.jsonl", [header("second"), assistant("a2")])
    file = "/home/agent/.openclaw/agents/main/sessions/first.jsonl"
    home.write_rows({"agent:main:main": {"sessionId": "second", "sessionFile": file, "label": "desk"}})
    memory = _read(home, scratch)
    assert {(row["session_key"], row["session_id"]) for row in memory.sessions} == {
        ("agent:main:main", "first"),
        ("agent:main:main", "second"),
    }
    live = home.sessions() / "first.jsonl"
    live.rename(home.sessions() / "first.jsonl.reset.2026-11-23T10-00-00.000Z")
    home.write("first.jsonl", [header("third"), assistant("a3")])
    home.write_rows({"agent:main:main": {"sessionId": "third", "sessionFile": file, "label": "desk"}})
    fresh = Memory(ledger=memory.ledger)
    fresh.read(home.path, scratch=scratch)
    assert {(row["session_id"], row["label"]) for row in fresh.sessions} == {
        ("first", "desk"),
        ("second", "desk"),
        ("third", "desk"),
    }


def test_a_fork_names_its_parent_by_id_or_by_path(home: Home, scratch: Path) -> None:
    parent = "0a1b2c3d-1111-4222-8333-444455556666"
    home.write("f1.jsonl", [header("f1", parentSession=parent), user("u1")])
    home.write("f2.jsonl", [header("f2", parentSession=f"/home/x/sessions/2026-11-23T08-00-00Z_{parent}.jsonl")])
    home.write("f3.jsonl", [header("f3", version=4, minute=7)])
    transcripts = {row["session_id"]: row for row in _read(home, scratch).transcripts}
    assert transcripts["f1"]["parent_session_id"] == parent
    assert transcripts["f2"]["parent_session_id"] == parent
    assert transcripts["f3"]["parent_session_id"] is None
    assert transcripts["f3"]["format_version"] == 4
    assert transcripts["f3"]["created_at"] == datetime(2026, 11, 23, 8, 7)


def test_lines_without_an_id_are_numbered_the_same_in_files_and_in_sqlite(home: Home, scratch: Path) -> None:
    nameless = {key: value for key, value in assistant("x").items() if key != "id"}
    lines = [header("s1"), user("u1"), nameless, assistant("a1")]
    home.write("s1.jsonl", lines)
    home.database().put("s1", lines)
    memory = _read(home, scratch)
    assert memory.ids() == {("s1", "u1"), ("s1", "#2"), ("s1", "a1")}


def test_a_migrated_home_with_legacy_copies_counts_once(home: Home, scratch: Path) -> None:
    lines = [header("s1"), user("u1"), assistant("a1"), assistant("a2", minute=4)]
    home.write("s1.jsonl", lines)
    home.write_rows({"agent:main:main": {"sessionId": "s1"}})
    home.database().put("s1", [*lines, assistant("a3", minute=6)])
    home.database().put_session("agent:main:main", "s1", {})
    memory = _read(home, scratch)
    assert memory.ids() == {("s1", "u1"), ("s1", "a1"), ("s1", "a2"), ("s1", "a3")}
    assert len(memory.sessions) == 1
    assert {row["origin"] for row in memory.lines} == {"sqlite"}


def test_sqlite_events_are_read_packed_or_not(home: Home, scratch: Path) -> None:
    run_id = "7583465a-6a1e-42ab-ab0d-5189708287cb"
    database = home.database()
    database.put(
        "s1",
        [
            header("s1", version=4),
            user("u1", "hi", idempotencyKey=f"{run_id}:user", __openclaw={"senderIsOwner": True}),
        ],
    )
    database.put("s1", [tool_result("t1"), assistant("a1", __openclaw={"runId": run_id})], first_seq=2, packed=True)
    memory = _read(home, scratch)
    assert {(row["line_id"], row["run_id"], row["position"], row["origin"]) for row in memory.lines} == {
        ("u1", run_id, 1, "sqlite"),
        ("a1", run_id, 3, "sqlite"),
    }
    assert memory.transcripts[0]["format_version"] == 4
    assert not memory.quarantine


@pytest.mark.parametrize("encoding", ["zstd", "identity"])
def test_a_deleted_session_in_the_archive_table_and_on_disk_counts_once(
    home: Home, scratch: Path, encoding: str
) -> None:
    lines = [header("s1", version=4), user("u1"), assistant("a1")]
    packed = home.write_packed(f"s1.jsonl.deleted.{ARCHIVED_AT}.{'0a' * 16}.zst", lines)
    plain = home.write("plain", lines).read_bytes()
    home.database().put_archive("s1", plain, encoding=encoding, name=packed.name)
    memory = _read(home, scratch)
    assert memory.ids() == {("s1", "u1"), ("s1", "a1")}
    # The archive still knows the key, which has no row any more.
    assert [(row["session_key"], row["session_id"]) for row in memory.sessions] == [("agent:main:gone", "s1")]


def test_a_cold_session_inside_the_database_is_read(home: Home, scratch: Path) -> None:
    packed = home.write_packed("elsewhere", cold_records("s1", [header("s1"), user("u1"), assistant("a1")]))
    database = home.database()
    database.put("s2", [header("s2"), assistant("a2")])
    sql = "INSERT INTO session_transcript_cold_archives VALUES ('s1', 'g', 'n', 'd', 'sqlite', ?)"
    database.run((sql, (packed.read_bytes(),)))
    assert _read(home, scratch).ids() == {("s1", "u1"), ("s1", "a1"), ("s2", "a2")}


def test_an_agent_database_without_transcripts_is_no_problem(home: Home, scratch: Path) -> None:
    # 2026.6 keeps transcripts in files and an agent database for other things.
    home.write("s1.jsonl", [header("s1"), assistant("a1")])
    database = home.database()
    database.run(("DROP TABLE transcript_events", ()), ("DROP TABLE session_windows", ()))
    database.run(("DROP TABLE trajectory_runtime_events", ()))
    memory = _read(home, scratch)
    assert memory.ids() == {("s1", "a1")}
    assert not memory.quarantine


def test_an_earlier_database_without_packed_events_is_read(home: Home, scratch: Path) -> None:
    database = home.database()
    database.put("s1", [header("s1"), assistant("a1")])
    database.run(("ALTER TABLE transcript_events DROP COLUMN event_zstd", ()))
    assert _read(home, scratch).ids() == {("s1", "a1")}


def test_session_rows_keep_attributes_and_drop_token_counters(home: Home, scratch: Path) -> None:
    rows = {
        "agent:main:main": {
            "sessionId": "s1",
            "inputTokens": 14213,
            "estimatedCostUsd": 0.0168,
            "updatedAt": millis(9),
        },
        "agent:main:subagent:6b929a05": {
            "sessionId": "s2",
            "sessionStartedAt": millis(3),
            "updatedAt": millis(5),
            "spawnedBy": "agent:main:main",
            "label": "research",
            "status": "done",
            "model": "triage",
            "modelProvider": "litellm",
            "channel": "webchat",
            "chatType": "direct",
            "compactionCount": 2,
        },
        # 2026.4 writes two keys for one isolated run; 2026.6 leaves a failed run without a session id.
        "agent:main:cron:j1": {"sessionId": "s3", "label": "Cron: nightly"},
        "agent:main:cron:j1:run:s3": {"sessionId": "s3", "label": "Cron: nightly"},
        "agent:main:cron:j2": {"updatedAt": millis(1), "label": "Cron: broken"},
        "agent:main:ops:heartbeat": {"sessionId": "s4", "heartbeatIsolatedBaseSessionKey": "agent:main:ops"},
        "agent:main:web": {"sessionId": "s5", "usageFamilySessionIds": ["s6", "s5"], "label": "web"},
    }
    home.write_rows(rows)
    memory = _read(home, scratch)
    by_key = {(row["session_key"], row["session_id"]): row for row in memory.sessions}
    assert set(by_key) == {
        ("agent:main:main", "s1"),
        ("agent:main:subagent:6b929a05", "s2"),
        ("agent:main:cron:j1", "s3"),
        ("agent:main:cron:j1:run:s3", "s3"),
        ("agent:main:ops:heartbeat", "s4"),
        ("agent:main:web", "s5"),
        ("agent:main:web", "s6"),
    }
    child = by_key["agent:main:subagent:6b929a05", "s2"]
    assert (child["spawned_by"], child["label"], child["status"]) == ("agent:main:main", "research", "done")
    assert (child["model"], child["provider"], child["compactions"]) == ("triage", "litellm", 2)
    assert (child["channel"], child["chat_type"]) == ("webchat", "direct")
    assert (child["started_at"], child["updated_at"]) == (datetime(2026, 11, 23, 8, 3), datetime(2026, 11, 23, 8, 5))
    assert by_key["agent:main:ops:heartbeat", "s4"]["heartbeat_base_key"] == "agent:main:ops"
    assert by_key["agent:main:web", "s6"]["label"] == "web"
    assert not memory.quarantine


def test_all_windows_of_a_key_are_kept_with_the_hook_that_opened_them(home: Home, scratch: Path) -> None:
    database = home.database()
    database.put_session(
        "agent:main:cron:j1",
        "s2",
        {"label": "Automation: nightly", "createdVia": "cron", "sessionStartedAt": millis(4)},
        hook_external_content_source="webhook",
        status="done",
    )
    database.put_window("agent:main:cron:j1", "s1", started_at=millis(2), model="triage", model_provider="litellm")
    memory = _read(home, scratch)
    rows = {row["session_id"]: row for row in memory.sessions}
    assert set(rows) == {"s1", "s2"}
    assert {row["session_key"] for row in rows.values()} == {"agent:main:cron:j1"}
    assert {row["label"] for row in rows.values()} == {"Automation: nightly"}
    assert {row["created_via"] for row in rows.values()} == {"cron"}
    assert (rows["s2"]["hook_source"], rows["s2"]["status"]) == ("webhook", "done")
    assert (rows["s1"]["hook_source"], rows["s1"]["model"]) == (None, "triage")
    assert rows["s2"]["started_at"] == datetime(2026, 11, 23, 8, 4)


@pytest.mark.parametrize("era", ["file", "sqlite"])
def test_runs_say_what_started_them_under_which_key(home: Home, scratch: Path, era: str) -> None:
    fallback = [
        *run_events("s1", "r1", minute=1, status="error"),
        *run_events("s1", "r1", minute=2, model="heavy"),
    ]
    events = [
        *fallback,
        *run_events("s1", "r2", minute=3, trigger="heartbeat", messageProvider="cron-event", status=None),
        *run_events("s1", "announce:v1:agent:main:subagent:x:y", minute=4, status=None),
    ]
    home.sessions()
    if era == "file":
        home.write("s1.trajectory.jsonl", events)
    else:
        home.database().put_runs("s1", events)
    memory = _read(home, scratch)
    assert [
        (row["run_id"], row["trigger"], row["message_provider"], row["model"], row["status"])
        for row in sorted(memory.runs, key=lambda row: row["started_at"])
    ] == [
        ("r1", "user", None, "standard", "error"),
        ("r1", "user", None, "heavy", "success"),
        ("r2", "heartbeat", "cron-event", "standard", None),
        ("announce:v1:agent:main:subagent:x:y", "user", None, "standard", None),
    ]
    first = min(memory.runs, key=lambda row: row["started_at"])
    assert (first["session_key"], first["session_id"]) == ("agent:main:main", "s1")
    assert (first["started_at"], first["ended_at"]) == (datetime(2026, 11, 23, 8, 1), datetime(2026, 11, 23, 8, 1, 30))
    assert not memory.quarantine


def test_the_trajectory_keeps_the_key_of_a_reset_session(home: Home, scratch: Path) -> None:
    home.write(f"s1.jsonl.reset.{ARCHIVED_AT}", [header("s1"), assistant("a1")])
    home.write("s1.trajectory.jsonl", run_events("s1", "r1", key="agent:main:incident"))
    memory = _read(home, scratch)
    assert [(row["session_id"], row["session_key"]) for row in memory.runs] == [("s1", "agent:main:incident")]


def test_every_agent_is_read_and_named_after_its_directory(home: Home, scratch: Path) -> None:
    home.write("s1.jsonl", [header("s1"), assistant("a1")], agent="main")
    home.write("s1.jsonl", [header("s1"), assistant("a1")], agent="ops")
    (home.path / "agents" / "README").write_text("no agent")
    assert {row["agent_id"] for row in _read(home, scratch).calls} == {"main", "ops"}


def test_an_agent_or_file_that_two_paths_lead_to_counts_once(home: Home, scratch: Path) -> None:
    path = home.write("s1.jsonl", [header("s1"), assistant("a1")])
    (home.path / "agents" / "alias").symlink_to(home.path / "agents" / "main")
    (path.parent / "copy.jsonl").symlink_to(path)
    os.link(path, path.parent / "hard.jsonl")
    memory = _read(home, scratch)
    assert {(row["agent_id"], row["session_id"]) for row in memory.calls} == {("main", "s1")}


def test_many_lines_come_in_batches_that_each_say_how_far_they_go(home: Home, scratch: Path) -> None:
    lines = [assistant(f"a{number}") for number in range(30_000)]
    home.write("s1.jsonl", [header("s1"), *lines])
    home.write("s2.jsonl", [header("s2"), *lines])
    memory = Memory()
    batches = memory.read(home.path, scratch=scratch)
    assert len(batches) == 2
    assert len(memory.ids()) == 60_000
    # A load that was killed after its first batch goes on where that one ended.
    second = Memory()
    second.load(batches[0])
    second.read(home.path, scratch=scratch)
    assert second.ids() == memory.ids()
    assert second.rows_loaded < 60_000


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda path: None, "there is no such directory"),
        (lambda path: path.mkdir(), "no OpenClaw state directory"),
        (lambda path: (path / "agents").mkdir(parents=True), "no OpenClaw state directory"),
        (lambda path: path.symlink_to(path), "symbolic link loop"),
        (lambda path: path.write_text("x"), "there is no such directory"),
    ],
)
def test_a_state_directory_that_is_none_is_an_error_that_names_the_setting(
    tmp_path: Path, make: object, problem: str
) -> None:
    path = tmp_path / "state"
    make(path)  # type: ignore[operator]
    with pytest.raises(SourceError, match="AGENTOPS_OPENCLAW_STATE_DIRS") as caught:
        read_state_dir(
            StateDir(host="local", path=path), ledger=Ledger(source="openclaw"), rules=RULES, scratch=tmp_path
        )
    assert problem in str(caught.value)
    assert str(path) in str(caught.value)
    assert "agents/" in str(caught.value) or "may read" in str(caught.value)


def test_an_agent_without_sessions_yet_is_no_error(home: Home, scratch: Path) -> None:
    home.sessions()
    assert Memory().read(home.path, scratch=scratch) == []


def test_other_rules_read_everything_again(home: Home, scratch: Path) -> None:
    home.write("s1.jsonl", [header("s1"), assistant("a1", "Nothing to do")])
    memory = Memory()
    memory.read(home.path, scratch=scratch)
    assert memory.calls[0]["poll_phrase"] is None
    rules = dataclasses.replace(RULES, empty_poll_phrases=("No tasks available", "nothing to do"))
    memory.read(home.path, scratch=scratch, rules=rules)
    assert memory.calls[0]["poll_phrase"] == "phrase:2"
    memory.read(home.path, scratch=scratch, rules=rules)
    assert memory.bytes_read == 0
