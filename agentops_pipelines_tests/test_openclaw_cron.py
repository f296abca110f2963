"""Cron jobs, their runs and sub-agent runs out of all three storage eras.

Belongs here: what reaches the rows and what never does, reading again, and what is done with damage. The oracle's own
lists are compared when AGENTOPS_RECORDINGS names the recordings.
"""

import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agentops_pipelines.settings import StateDir
from agentops_pipelines.sources.batches import Batch, Ledger
from agentops_pipelines.sources.openclaw.cron import read_cron
from agentops_pipelines.sources.openclaw.errors import ERROR_KINDS
from agentops_pipelines.sources.openclaw.problems import REASONS
from agentops_pipelines.sources.openclaw.reader import ReadRules
from agentops_pipelines.sources.openclaw.subagents import read_subagents
from agentops_pipelines.sources.privacy import peer_label
from agentops_pipelines.sources.schemas import OPENCLAW_CRON_JOBS, OPENCLAW_CRON_RUNS, OPENCLAW_SUBAGENT_RUNS
from agentops_pipelines_tests.openclaw_states import RULES, Memory, dumps, jsonl, millis, snapshot

SECRET = "sentinel words that nobody may ever see again"
PEER = "-1001234567890"

SCHEMA_B = """
CREATE TABLE cron_jobs (store_key TEXT NOT NULL, job_id TEXT NOT NULL, name TEXT NOT NULL, enabled INTEGER NOT NULL,
  agent_id TEXT, created_at_ms INTEGER, schedule_kind TEXT, schedule_expr TEXT, schedule_tz TEXT, every_ms INTEGER,
  at TEXT, session_target TEXT, wake_mode TEXT, payload_kind TEXT, payload_message TEXT, payload_model TEXT,
  delivery_mode TEXT, delivery_channel TEXT, delivery_to TEXT, delivery_best_effort INTEGER, last_run_status TEXT,
  last_error TEXT, consecutive_errors INTEGER, job_json TEXT NOT NULL, state_json TEXT NOT NULL DEFAULT '{}',
  updated_at INTEGER NOT NULL, PRIMARY KEY (store_key, job_id));
CREATE TABLE cron_run_logs (store_key TEXT NOT NULL, job_id TEXT NOT NULL, seq INTEGER NOT NULL, ts INTEGER NOT NULL,
  status TEXT, error TEXT, summary TEXT, delivery_status TEXT, session_id TEXT, run_id TEXT, entry_json TEXT NOT NULL,
  created_at INTEGER NOT NULL, PRIMARY KEY (store_key, job_id, seq));
CREATE TABLE subagent_runs (run_id TEXT NOT NULL PRIMARY KEY, child_session_key TEXT NOT NULL,
  requester_session_key TEXT NOT NULL, task TEXT NOT NULL, label TEXT, model TEXT, created_at INTEGER NOT NULL,
  started_at INTEGER, ended_at INTEGER, outcome_json TEXT, ended_reason TEXT, payload_json TEXT);
"""
SCHEMA_C = """
CREATE TABLE cron_jobs (store_key TEXT NOT NULL, job_id TEXT NOT NULL, declaration_key TEXT, name TEXT NOT NULL,
  enabled INTEGER NOT NULL, agent_id TEXT, payload_kind TEXT NOT NULL, job_json TEXT NOT NULL,
  state_json TEXT NOT NULL DEFAULT '{}', updated_at INTEGER NOT NULL, PRIMARY KEY (store_key, job_id)) STRICT;
CREATE TABLE task_runs (task_id TEXT NOT NULL PRIMARY KEY, runtime TEXT NOT NULL, task_kind TEXT, source_id TEXT,
  child_session_key TEXT, agent_id TEXT, run_id TEXT, task TEXT NOT NULL, status TEXT NOT NULL, created_at INTEGER,
  started_at INTEGER, ended_at INTEGER, last_event_at INTEGER, error TEXT, terminal_summary TEXT,
  detail_json TEXT) STRICT;
CREATE TABLE subagent_runs (run_id TEXT NOT NULL PRIMARY KEY, child_session_key TEXT NOT NULL,
  requester_session_key TEXT NOT NULL, created_at INTEGER NOT NULL, payload_json TEXT NOT NULL) STRICT;
"""

Read = Callable[..., Iterator[Batch]]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """An empty state directory."""
    (tmp_path / "state").mkdir()
    return tmp_path / "state"


@pytest.fixture
def memory() -> Memory:
    """A warehouse that has loaded nothing."""
    return Memory()


def load(
    memory: Memory, state: Path, *, read: Read = read_cron, rules: ReadRules = RULES, host: str = "local"
) -> list[Batch]:
    memory.bytes_read = memory.rows_loaded = 0
    ledger = Ledger(source="openclaw", entries=dict(memory.ledger))
    state_dir = StateDir(host=host, path=state)
    batches = list(read(state_dir, ledger=ledger, rules=rules, scratch=state.parent / "scratch"))
    for batch in batches:
        memory.load(batch)
    return batches


def job(job_id: str = "j1", **more: Any) -> dict[str, Any]:
    return {
        "id": job_id,
        "name": "nightly-digest",
        "enabled": True,
        "createdAtMs": millis(-60),
        "updatedAtMs": millis(),
        "schedule": {"kind": "cron", "expr": "0 3 * * MON-FRI", "tz": "Europe/Berlin"},
        "sessionTarget": "isolated",
        "wakeMode": "now",
        "payload": {"kind": "agentTurn", "message": SECRET, "model": "litellm/heavy"},
        "delivery": {"mode": "announce", "channel": "telegram", "to": PEER},
        "state": {"lastRunAtMs": millis(1), "lastRunStatus": "ok", "consecutiveErrors": 0},
        **more,
    }


def run(job_id: str = "j1", *, minute: float = 1.0, **more: Any) -> dict[str, Any]:
    session = f"s-{minute}"
    return {
        "ts": millis(minute),
        "jobId": job_id,
        "action": "finished",
        "status": "ok",
        "summary": "All is well.",
        "delivered": False,
        "deliveryStatus": "not-delivered",
        "sessionId": session,
        "sessionKey": f"agent:ops:cron:{job_id}:run:{session}",
        "runAtMs": millis(minute - 0.5),
        "durationMs": 30_000,
        "model": "heavy",
        "provider": "litellm",
        **more,
    }


def write_files(
    state: Path, jobs: Sequence[Any], runs: Mapping[str, Sequence[Any]] | None = None, *, suffix: str = ""
) -> None:
    """Cron of the first era."""
    (state / "cron/runs").mkdir(parents=True, exist_ok=True)
    (state / f"cron/jobs.json{suffix}").write_bytes(dumps({"version": 1, "jobs": jobs}))
    for job_id, lines in (runs or {}).items():
        (state / f"cron/runs/{job_id}.jsonl{suffix}").write_bytes(jsonl(lines))


def write_database(state: Path, schema: str, *statements: tuple[str, Sequence[Any]]) -> Path:
    path = state / "state/openclaw.sqlite"
    path.parent.mkdir(exist_ok=True)
    is_new = not path.exists()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        if is_new:
            connection.executescript(schema)
        with connection:
            for sql, values in statements:
                connection.execute(sql, values)
    return path


def put(table: str, **values: Any) -> tuple[str, Sequence[Any]]:
    marks = ", ".join("?" * len(values))
    return f"INSERT OR REPLACE INTO {table} ({', '.join(values)}) VALUES ({marks})", list(values.values())


def put_job(content: Any, **more: Any) -> tuple[str, Sequence[Any]]:
    """A row of cron_jobs; as in OpenClaw the state is beside the job."""
    columns = {"store_key": "s", "job_id": "j1", "name": "x", "enabled": 1, "updated_at": millis(), **more}
    if isinstance(content, dict):
        columns["job_id"], state = content["id"], content["state"]
        columns = {"state_json": json.dumps(state), **columns}
        content = json.dumps({**content, "state": {}})
    return put("cron_jobs", job_json=content, **columns)


def put_log(entry: dict[str, Any], *, seq: int = 1, **more: Any) -> tuple[str, Sequence[Any]]:
    columns = {
        "store_key": "s",
        "job_id": entry["jobId"],
        "seq": seq,
        "ts": entry["ts"],
        "created_at": 0,
        "entry_json": json.dumps(entry),
        **more,
    }
    return put("cron_run_logs", **columns)


def put_task(entry: dict[str, Any], *, task_id: str = "t1", **more: Any) -> tuple[str, Sequence[Any]]:
    detail = {"kind": "cron-run", **{k: v for k, v in entry.items() if k not in ("ts", "jobId", "action")}}
    key = detail.pop("sessionKey", None)
    columns = {
        "task_id": task_id,
        "runtime": "cron",
        "task_kind": "automation_run",
        "source_id": entry["jobId"],
        "child_session_key": key,
        "agent_id": "ops",
        "task": SECRET,
        "status": "succeeded",
        "ended_at": entry["ts"],
        "last_event_at": entry["ts"],
        "detail_json": json.dumps(detail),
        **more,
    }
    return put("task_runs", **columns)


def jobs_of(memory: Memory) -> dict[str, dict[str, Any]]:
    return {row["job_id"]: row for row in memory.rows(OPENCLAW_CRON_JOBS)}


def runs_of(memory: Memory) -> list[dict[str, Any]]:
    return memory.rows(OPENCLAW_CRON_RUNS)


def test_jobs_and_runs_say_the_same_in_every_era(tmp_path: Path) -> None:
    found = {}
    for era in ("files", "logs", "tasks"):
        state, memory = tmp_path / era, Memory()
        state.mkdir()
        if era == "files":
            write_files(state, [job()], {"j1": [run()]})
        elif era == "logs":
            write_database(state, SCHEMA_B, put_job(job()), put_log(run()))
        else:
            write_database(state, SCHEMA_C, put_job(job(), payload_kind="agentTurn"), put_task(run()))
        load(memory, state)
        assert not memory.quarantine
        found[era] = (memory.rows(OPENCLAW_CRON_JOBS), runs_of(memory))

    assert found["files"] == found["logs"] == found["tasks"]
    (((row,), (finished,)), *_) = found.values()
    assert row["name"] == "nightly-digest"
    assert (row["schedule_expr"], row["schedule_tz"]) == ("0 3 * * MON-FRI", "Europe/Berlin")
    assert (row["payload_kind"], row["payload_model"], row["is_builtin"]) == ("agentTurn", "litellm/heavy", False)
    assert (row["delivery_mode"], row["delivery_to"]) == ("announce", peer_label(PEER))
    assert (row["last_status"], row["consecutive_errors"]) == ("ok", 0)
    assert (finished["agent_id"], finished["session_id"], finished["run_key"]) == ("ops", "s-1.0", "s-1.0")
    assert (finished["status"], finished["is_delivered"], finished["error_kind"]) == ("ok", False, None)
    assert finished["duration_ms"] == 30_000


def test_delivery_of_a_run_is_kept_without_its_recipient_and_its_error(state: Path, memory: Memory) -> None:
    delivery = {
        "intended": {"channel": "telegram", "to": PEER, "source": "explicit"},
        "resolved": {"ok": False, "to": None, "source": "explicit", "error": SECRET},
        "fallbackUsed": True,
        "delivered": False,
    }
    entry = run(delivery=delivery, runId="manual:j1:5:1", completionStatus="failed", deliverySuppressionReason="silent")
    del entry["delivered"]
    write_files(state, [job()], {"j1": [entry]})

    load(memory, state)

    (row,) = runs_of(memory)
    assert (row["intended_channel"], row["intended_source"]) == ("telegram", "explicit")
    assert (row["intended_to"], row["resolved_to"]) == (peer_label(PEER), None)
    assert (row["resolved_ok"], row["is_fallback_delivery"], row["is_delivered"]) == (False, True, False)
    assert (row["run_id"], row["run_key"]) == ("manual:j1:5:1", "manual:j1:5:1")
    assert (row["completion_status"], row["suppression_reason"]) == ("failed", "silent")


@pytest.mark.parametrize(
    ("summary", "phrase"),
    [("HEARTBEAT_OK", "HEARTBEAT_OK"), ("NO_REPLY", "NO_REPLY"), ("No tasks available.", "phrase:1"), ("Done.", None)],
)
def test_a_summary_that_only_says_nothing_was_to_do_is_marked(
    state: Path, memory: Memory, summary: str, phrase: str | None
) -> None:
    write_files(state, [job()], {"j1": [run(summary=summary)]})

    load(memory, state)

    assert [row["poll_phrase"] for row in runs_of(memory)] == [phrase]


def test_error_texts_become_kinds_and_skipped_runs_have_none(state: Path, memory: Memory) -> None:
    entries = [
        run(minute=1, status="error", error=f"429 Rate limit reached, {SECRET}"),
        run(minute=2, status="error", error=SECRET),
        run(minute=3, status="skipped", error="heartbeat skipped: requests-in-flight"),
    ]
    state_of_job = {"lastRunStatus": "error", "lastError": f"Request timed out {SECRET}"}
    write_files(state, [job(state=state_of_job)], {"j1": entries})

    load(memory, state)

    kinds = [row["error_kind"] for row in sorted(runs_of(memory), key=lambda row: row["finished_at"])]
    assert kinds == ["rate_limit", "other", None]
    assert jobs_of(memory)["j1"]["last_error_kind"] == "timeout"
    assert set(filter(None, kinds)) < ERROR_KINDS.keys()


@pytest.mark.parametrize(
    "more",
    [
        {"payload": {"kind": "heartbeat"}},
        {"declarationKey": "heartbeat:main"},
        {"name": "Memory Dreaming Promotion"},
        {"name": "skill-collection-review-ops"},
        {"description": "[managed-by=memory-core.short-term-promotion] Promote"},
    ],
)
def test_jobs_that_openclaw_makes_itself_are_marked(state: Path, memory: Memory, more: dict[str, Any]) -> None:
    write_files(state, [job("own", **more), job("mine", name="heartbeat watcher", description="Mine")])

    load(memory, state)

    assert {name: row["is_builtin"] for name, row in jobs_of(memory).items()} == {"own": True, "mine": False}


def test_schedules_and_targets_of_every_kind(state: Path, memory: Memory) -> None:
    schedules = {
        "every": {"kind": "every", "everyMs": 1_800_000, "anchorMs": 5},
        "at": {"kind": "at", "at": "2026-11-25T09:00:00.000Z"},
        "cron": {"kind": "cron", "expr": f"0 3 * * * {SECRET}", "tz": f"Mars {SECRET}"},
        "none": None,
    }
    write_files(state, [job(name, schedule=given, sessionTarget="session:x") for name, given in schedules.items()])

    load(memory, state)

    rows = jobs_of(memory)
    assert rows["every"]["every_ms"] == 1_800_000
    assert rows["at"]["at_time"].isoformat() == "2026-11-25T09:00:00"
    assert (rows["cron"]["schedule_expr"], rows["cron"]["schedule_tz"]) == (None, None)
    assert rows["none"]["schedule_kind"] is None
    assert {row["session_target"] for row in rows.values()} == {"session"}


@pytest.mark.parametrize("era", ["files", "logs", "tasks"])
def test_nothing_is_read_again_and_nothing_is_written(state: Path, memory: Memory, era: str) -> None:
    if era == "files":
        write_files(state, [job()], {"j1": [run()]})
    elif era == "logs":
        write_database(state, SCHEMA_B, put_job(job()), put_log(run()))
    else:
        write_database(state, SCHEMA_C, put_job(job(), payload_kind="agentTurn"), put_task(run()))
    before = snapshot(state)

    load(memory, state)

    assert snapshot(state) == before
    assert load(memory, state) == []
    assert not list((state.parent / "scratch").glob("*"))


def test_a_run_log_is_read_from_where_the_last_read_ended(state: Path, memory: Memory) -> None:
    write_files(state, [job()], {"j1": [run(minute=minute) for minute in range(1, 40)]})
    load(memory, state)
    added = jsonl([run(minute=50)])
    with (state / "cron/runs/j1.jsonl").open("ab") as stream:
        stream.write(added)

    load(memory, state)

    assert memory.bytes_read == len(added)
    assert (memory.rows_loaded, len(runs_of(memory))) == (1, 40)


def test_a_pruned_run_log_keeps_what_was_read(state: Path, memory: Memory) -> None:
    write_files(state, [job()], {"j1": [run(minute=minute) for minute in range(1, 10)]})
    load(memory, state)
    write_files(state, [job()], {"j1": [run(minute=minute) for minute in range(5, 12)]})

    load(memory, state)

    assert len(runs_of(memory)) == 11


def test_only_jobs_with_other_runs_are_read_again(state: Path, memory: Memory) -> None:
    write_database(
        state, SCHEMA_B, put_job(job("a")), put_job(job("b")), put_log(run("a")), put_log(run("b")), put_log(run("b"))
    )
    load(memory, state)
    write_database(state, SCHEMA_B, put_log(run("a", minute=2), seq=2))

    (batch,) = load(memory, state)

    assert batch.tables[OPENCLAW_CRON_RUNS]["job_id"].unique().to_list() == ["a"]
    assert len(runs_of(memory)) == 3


def test_a_task_that_ends_between_two_reads_is_a_run(state: Path, memory: Memory) -> None:
    running = put_task(run(), ended_at=None, detail_json=None, status="running")
    write_database(state, SCHEMA_C, put_job(job(), payload_kind="agentTurn"), running)
    load(memory, state)
    assert runs_of(memory) == []
    write_database(state, SCHEMA_C, put_task(run()))

    load(memory, state)

    assert len(runs_of(memory)) == 1


def test_a_delivery_that_a_run_learns_of_later_replaces_its_row(state: Path, memory: Memory) -> None:
    write_database(state, SCHEMA_C, put_job(job(), payload_kind="agentTurn"), put_task(run()))
    load(memory, state)
    write_database(state, SCHEMA_C, put_task(run(delivered=True, deliveryStatus="delivered")))

    load(memory, state)

    assert [row["delivery_status"] for row in runs_of(memory)] == ["delivered"]


def test_runs_are_read_from_a_task_table_without_the_columns_that_are_not_needed(state: Path, memory: Memory) -> None:
    schema = SCHEMA_C.replace("last_event_at INTEGER, ", "")
    (sql, values) = put_task(run())
    values = [
        value
        for name, value in zip(sql.split("(")[1].split(")")[0].split(", "), values, strict=True)
        if name != "last_event_at"
    ]
    sql = sql.replace("last_event_at, ", "").replace("?, ", "", 1)
    write_database(state, schema, put_job(job(), payload_kind="agentTurn"), (sql, values))

    load(memory, state)

    assert len(runs_of(memory)) == 1
    assert not memory.quarantine


def test_tasks_of_other_kinds_and_other_actions_are_no_runs(state: Path, memory: Memory, tmp_path: Path) -> None:
    write_database(
        state,
        SCHEMA_C,
        put_job(job(), payload_kind="agentTurn"),
        put_task(run(), task_id="cli", runtime="cli"),
        put_task(run(minute=2), task_id="old", task_kind=None),
        put_task(run(minute=3), task_id="else", detail_json='{"kind":"task_backing_instance"}'),
    )
    load(memory, state)
    files = tmp_path / "files"
    write_files(files, [job()], {"j1": [run(action="started")]})
    load(memory, files, host="other")

    assert runs_of(memory) == []
    assert not memory.quarantine


def test_files_that_a_migration_left_behind_count_only_without_jobs_in_sqlite(state: Path, memory: Memory) -> None:
    write_files(state, [job("old", name="old")], {"old": [run("old")]}, suffix=".migrated")
    load(memory, state)
    assert (jobs_of(memory).keys(), len(runs_of(memory))) == ({"old"}, 1)

    fresh = Memory()
    write_files(state, [job("older", name="older")], {"older": [run("older")]})
    write_database(state, SCHEMA_B, put_job(job("new")), put_log(run("new")))
    for _ in range(2):  # the second time the ledger alone says that SQLite has jobs
        load(fresh, state)
        assert (jobs_of(fresh).keys(), {row["job_id"] for row in runs_of(fresh)}) == ({"new"}, {"new"})


def test_a_log_beside_its_migrated_copy_is_read_once(state: Path, memory: Memory) -> None:
    write_files(state, [job(name="stale")], {"j1": [run(minute=9)]}, suffix=".migrated")
    write_files(state, [job(name="current")], {"j1": [run(minute=1)]})

    load(memory, state)

    assert jobs_of(memory)["j1"]["name"] == "current"
    assert len(runs_of(memory)) == 1


def test_other_rules_read_the_runs_again(state: Path, memory: Memory) -> None:
    write_database(state, SCHEMA_B, put_job(job()), put_log(run(summary="All quiet")))
    load(memory, state)

    load(memory, state, rules=ReadRules(empty_poll_phrases=("all quiet",)))

    assert [row["poll_phrase"] for row in runs_of(memory)] == ["phrase:1"]


def test_damaged_rows_are_noted_and_the_others_loaded(state: Path, memory: Memory) -> None:
    lines: list[Any] = [
        run(minute=1),
        b"{broken " + SECRET.encode(),
        run(minute=2, ts="yesterday"),
        run(minute=3, ts=None),
        b"[1]",
        b'{"ts":1795,' + dumps(run(minute=4)),
        run(minute=5),
    ]
    write_files(state, [job(), "text", {"name": SECRET}, job("j2")], {"j1": lines})

    load(memory, state)

    assert len(runs_of(memory)) == 3
    assert jobs_of(memory).keys() == {"j1", "j2"}
    problems = {position: reason for (item, position), reason in memory.quarantine.items() if item.endswith("jsonl")}
    assert problems == {
        2: "broken_json",
        3: "timestamp_out_of_range",
        4: "no_timestamp",
        5: "wrong_type",
        6: "torn_line",
    }
    assert {position for item, position in memory.quarantine if item == "cron/jobs.json"} == {2, 3}
    assert set(memory.quarantine.values()) <= REASONS.keys()


def test_columns_stand_in_for_damaged_json(state: Path, memory: Memory) -> None:
    write_database(
        state,
        SCHEMA_B,
        put_job("{oops", name="digest", agent_id="Ops", schedule_kind="every", every_ms=5, delivery_mode="none"),
        put_job(job("j2")),
        put_log(run(), entry_json="{oops", status="error", error="Request timed out", session_id="s9", run_id="r9"),
    )

    load(memory, state)

    row = jobs_of(memory)["j1"]
    assert (row["name"], row["agent_id"], row["every_ms"], row["delivery_mode"]) == ("digest", "ops", 5, "none")
    assert [(row["run_key"], row["error_kind"]) for row in runs_of(memory)] == [("r9", "timeout")]
    assert set(memory.quarantine.values()) == {"broken_json"}
    assert {item for item, _ in memory.quarantine} == {
        "state/openclaw.sqlite#cron",
        "state/openclaw.sqlite#cron_run_logs#j1",
    }


@pytest.mark.parametrize("content", [b"", b"no database", b'{"version":1,"jobs":{}}', b"\xff\xfe", b"[" * 100_000])
@pytest.mark.parametrize("place", ["cron/jobs.json", "state/openclaw.sqlite", "subagents/runs.json"])
def test_garbage_in_any_place_ends_in_the_quarantine(state: Path, memory: Memory, place: str, content: bytes) -> None:
    (state / place).parent.mkdir(parents=True)
    (state / place).write_bytes(content)

    load(memory, state)
    load(memory, state, read=read_subagents)

    assert not memory.tables
    if content or place != "state/openclaw.sqlite":  # an empty file is an empty database
        assert memory.quarantine
    assert set(memory.quarantine.values()) <= {"broken_json", "wrong_type", "corrupt_sqlite"}


def test_a_database_with_a_torn_page_gives_what_can_still_be_read(state: Path, memory: Memory) -> None:
    entries = [put_log(run(minute=minute), seq=minute) for minute in range(1, 200)]
    path = write_database(state, SCHEMA_B, put_job(job()), *entries)
    content = bytearray(path.read_bytes())
    content[-6 * 4096 : -5 * 4096] = b"\xa5" * 4096
    path.write_bytes(content)

    load(memory, state)

    assert jobs_of(memory).keys() == {"j1"}
    assert "corrupt_sqlite" in memory.quarantine.values()
    assert load(memory, state) == []


def test_directories_and_unreadable_places_do_not_stop_the_rest(state: Path, memory: Memory) -> None:
    write_files(state, [job()], {"j1": [run()]})
    (state / "cron/runs/folder.jsonl").mkdir()
    (state / "cron/runs/notes.txt").write_text(SECRET)
    (state / "cron/runs/.hidden.jsonl").write_text(SECRET)
    (state / "state/openclaw.sqlite").mkdir(parents=True)

    load(memory, state)

    assert len(runs_of(memory)) == 1
    assert set(memory.quarantine.values()) == {"not_a_file"}


def test_nothing_that_a_person_wrote_leaves_the_reader(state: Path, tmp_path: Path) -> None:
    long_name = "call +49 170 1234567 or ann@example.org " + "x" * 50_000
    planted = job(
        "p",
        name=long_name,
        description=SECRET,
        schedule={"kind": SECRET, "expr": SECRET, "tz": SECRET},
        sessionTarget=SECRET,
        payload={"kind": "agentTurn", "message": SECRET, "text": SECRET, "argv": [SECRET]},
        delivery={"mode": "webhook", "channel": SECRET, "to": f"https://example.org/{SECRET}", "accountId": SECRET},
        state={"lastRunStatus": "error", "lastError": SECRET, "lastDeliveryError": SECRET},
    )
    entry = run(
        "p",
        summary=SECRET,
        error=SECRET,
        status="error",
        diagnostics={"summary": SECRET},
        deliveryError=SECRET,
        sessionKey="agent:ops:whatsapp:direct:+491701234567",
        runId="announce:v1:agent:ops:whatsapp:direct:+491701234567:9",
        delivery={"intended": {"channel": "whatsapp", "to": "+491701234567"}, "resolved": {"error": SECRET}},
        failureNotificationDelivery={"error": SECRET},
    )
    spawned = {
        "runId": "r1",
        "childSessionKey": "agent:ops:whatsapp:direct:+491701234567:subagent:c",
        "requesterSessionKey": "agent:ops:telegram:group:-1001234567890",
        "task": SECRET,
        "label": long_name,
        "frozenResultText": SECRET,
        "completion": {"resultText": SECRET},
        "outcome": {"status": "error", "error": SECRET},
        "createdAt": millis(),
    }
    write_files(state, [planted], {"p": [entry, {"ts": SECRET, **entry, "jobId": "p", "action": SECRET}]})
    (state / "subagents").mkdir()
    (state / "subagents/runs.json").write_bytes(dumps({"version": 2, "runs": {"r1": spawned}}))
    tables = tmp_path / "tables"
    tables.mkdir()
    columns = {"name": SECRET, "payload_message": SECRET, "last_error": SECRET, "delivery_to": PEER}
    write_database(
        tables,
        SCHEMA_B,
        put_job(planted, **{**columns, "name": long_name}),
        put_log(entry, error=SECRET, summary=SECRET),
        put_subagent(spawned, task=SECRET),
    )

    memory = Memory()
    for place in (state, tables):
        batches = [
            *load(memory, place, host=place.name),
            *load(memory, place, read=read_subagents, host=place.name),
        ]
        told = repr([batch.ledger for batch in batches]) + repr([batch.quarantine for batch in batches])
        told += "".join(frame.write_json() for batch in batches for frame in batch.tables.values())
        for secret in (SECRET, "sentinel", "1701234567", "170 1234567", "ann@example", PEER, "example.org"):
            assert secret not in told

    assert len(memory.rows(OPENCLAW_CRON_JOBS)) == len(runs_of(memory)) == 2
    assert len(memory.rows(OPENCLAW_SUBAGENT_RUNS)) == 2
    assert all(len(row["name"]) <= 120 for row in memory.rows(OPENCLAW_CRON_JOBS))


def put_subagent(entry: dict[str, Any], **more: Any) -> tuple[str, Sequence[Any]]:
    columns = {
        "run_id": entry["runId"],
        "child_session_key": entry["childSessionKey"],
        "requester_session_key": entry["requesterSessionKey"],
        "created_at": entry["createdAt"],
        "payload_json": json.dumps(entry),
        **more,
    }
    return put("subagent_runs", **columns)


def spawn(**more: Any) -> dict[str, Any]:
    return {
        "runId": "r1",
        "childSessionKey": "agent:main:subagent:c1",
        "requesterSessionKey": "agent:main:main",
        "label": "research",
        "model": "litellm/triage",
        "createdAt": millis(1),
        **more,
    }


def test_sub_agent_runs_say_the_same_in_every_era(tmp_path: Path) -> None:
    outcome = {"status": "ok", "elapsedMs": 60_000}
    times = {"startedAt": millis(2), "endedAt": millis(3)}
    flat = spawn(**times, outcome=outcome, endedReason="subagent-complete")
    nested = spawn(execution={"status": "terminal", **times, "outcome": outcome}, endedReason="subagent-complete")
    found = []
    for era, (schema, entry) in {"a": ("", flat), "b": (SCHEMA_B, flat), "c": (SCHEMA_C, nested)}.items():
        state, memory = tmp_path / era, Memory()
        (state / "subagents").mkdir(parents=True)
        if schema:
            write_database(state, schema, put_subagent(entry, **({"task": SECRET} if era == "b" else {})))
        else:
            (state / "subagents/runs.json").write_bytes(dumps({"version": 2, "runs": {"r1": entry}}))
        load(memory, state, read=read_subagents)
        assert not memory.quarantine
        assert load(memory, state, read=read_subagents) == []
        found.append(memory.rows(OPENCLAW_SUBAGENT_RUNS))

    assert found[0] == found[1] == found[2]
    ((row,), *_) = found
    assert (row["status"], row["ended_reason"], row["label"]) == ("ok", "subagent-complete", "research")
    assert (row["ended_at"] - row["started_at"]).total_seconds() == 60


def test_the_row_of_a_sub_agent_gets_its_end_later_and_outlives_its_store(state: Path, memory: Memory) -> None:
    store = state / "subagents/runs.json"
    store.parent.mkdir()
    for runs in ({"r1": spawn()}, {"r1": spawn(endedAt=millis(5), outcome={"status": "timeout"})}, {}):
        store.write_bytes(dumps({"version": 2, "runs": runs}))
        load(memory, state, read=read_subagents)

    ((row),) = memory.rows(OPENCLAW_SUBAGENT_RUNS)
    assert (row["status"], row["ended_at"] is None) == ("timeout", False)


def test_a_sub_agent_row_with_damaged_json_has_its_columns(state: Path, memory: Memory) -> None:
    write_database(state, SCHEMA_B, put_subagent(spawn(), payload_json="{oops", task=SECRET, label="research"))

    load(memory, state, read=read_subagents)

    ((row),) = memory.rows(OPENCLAW_SUBAGENT_RUNS)
    assert (row["run_id"], row["label"], row["child_session_key"]) == ("r1", "research", "agent:main:subagent:c1")
    assert list(memory.quarantine.values()) == ["broken_json"]


RECORDED = {
    "openclaw/state/2026.4.15": "openclaw/oracle/2026.4.15",
    "openclaw/state/2026.6.11": "openclaw/oracle/2026.6.11",
    "openclaw/state/2026.9.6": "openclaw/oracle/2026.9.6",
    "combined/state": "combined/oracle",
}


@pytest.mark.skipif("AGENTOPS_RECORDINGS" not in os.environ, reason="needs the full recordings")
@pytest.mark.parametrize("folder", RECORDED)
def test_recorded_jobs_and_runs_are_those_that_openclaw_lists(folder: str, memory: Memory, tmp_path: Path) -> None:
    root = Path(os.environ["AGENTOPS_RECORDINGS"])
    oracle = root / RECORDED[folder]
    state_dir = StateDir(host="h", path=root / folder)
    ledger = Ledger(source="openclaw")
    for batch in read_cron(state_dir, ledger=ledger, rules=RULES, scratch=tmp_path):
        memory.load(batch)

    assert not memory.quarantine
    listed = json.loads((oracle / "cron_list.json").read_bytes())["jobs"]
    assert sorted(_said_of_job(entry) for entry in listed) == sorted(
        (
            row["job_id"],
            row["name"],
            row["is_enabled"],
            row["schedule_kind"],
            row["payload_kind"],
            row["delivery_mode"] or "",
            row["last_status"] or "",
            row["last_delivery_status"] or "",
            row["consecutive_errors"] or 0,
        )
        for row in memory.rows(OPENCLAW_CRON_JOBS)
    )
    logged = json.loads((oracle / "cron_runs_all.json").read_bytes())["entries"]
    assert sorted(_said_of_run(entry) for entry in logged) == sorted(
        (
            row["job_id"],
            _millis(row["finished_at"]),
            _millis(row["started_at"]),
            row["run_id"] or "",
            row["session_id"] or "",
            row["session_key"] or "",
            row["status"],
            row["delivery_status"],
            row["suppression_reason"] or "",
            row["model"] or "",
            row["duration_ms"],
        )
        for row in runs_of(memory)
    )


def _millis(moment: datetime) -> int:
    return round(moment.replace(tzinfo=UTC).timestamp() * 1000)


def _said_of_job(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    state = entry["state"]
    return (
        entry["id"],
        entry["name"],
        entry["enabled"],
        entry["schedule"]["kind"],
        entry["payload"]["kind"],
        entry.get("delivery", {}).get("mode", ""),
        state.get("lastRunStatus", ""),
        state.get("lastDeliveryStatus", ""),
        state.get("consecutiveErrors", 0),
    )


def _said_of_run(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    texts = ("runId", "sessionId", "sessionKey", "status", "deliveryStatus", "deliverySuppressionReason", "model")
    run_id, session_id, session_key, status, delivery, reason, model = (entry.get(name, "") for name in texts)
    return (
        entry["jobId"],
        entry["ts"],
        entry["runAtMs"],
        run_id,
        session_id,
        session_key,
        status,
        delivery,
        reason,
        model,
        entry["durationMs"],
    )
