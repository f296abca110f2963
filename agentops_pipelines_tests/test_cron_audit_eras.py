"""The same cron mistakes in the state directories of three eras, each logged the way that era logs it.

Recorded state directories are audited as well when AGENTOPS_RECORDINGS names the directory of recordings.
"""

import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from agentops_pipelines.settings import StateDir
from agentops_pipelines.sources.batches import Ledger
from agentops_pipelines.sources.openclaw.reader import read_state_dir
from agentops_pipelines_tests.openclaw_states import RULES, Home, assistant, header, millis, user
from agentops_pipelines_tests.test_openclaw_cron import (
    PEER,
    SCHEMA_B,
    SCHEMA_C,
    job,
    put_job,
    put_log,
    put_task,
    run,
    write_database,
    write_files,
)
from agentops_pipelines_tests.world import AS_OF, built, rows

MARTS = ("mart.cron_delivery_audit", "mart.cron_findings", "core.polls")
ERAS = ("files", "logs", "tasks")
TOML = '[quiet_hours.main]\nfrom = "22:00"\nto = "07:00"\n'
NAMED = {"mode": "announce", "channel": "telegram", "to": PEER}
DEFAULT = {"mode": "announce", "channel": "last"}
OFF = {"mode": "none", "channel": "last"}
NOBODY = {"intended": {"channel": "last", "source": "last"}, "resolved": {"ok": False, "error": "no channel"}}
SOMEBODY = {
    "intended": {"channel": "telegram", "to": PEER},
    "resolved": {"ok": True, "channel": "telegram", "to": PEER},
}
STRANGER = {**SOMEBODY, "resolved": {"ok": True, "channel": "telegram", "to": "-42"}}
ADAPTER_IS_DOWN = "OutboundDeliveryError: telegram outbound adapter is unavailable."

EXPECTED = {
    "lost": {"implicit_delivery", "silently_undelivered"},
    "failed": {"delivery_failed"},
    "broken": {"run_failed"},
    "night-owl": {"quiet_hours_conflict"},
    "twin": {"duplicate_job"},
    "idle": {"never_run"},
    "off": {"disabled_job"},
}
"""What is wrong in every era; jobs that are in order have no findings."""


def mistakes(era: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Jobs and log entries of one era."""
    at_nine = {"kind": "cron", "expr": "0 9 * * *", "tz": "UTC"}
    idle = {"nextRunAtMs": millis(-30)}
    jobs = [
        job("off-on-purpose", delivery=OFF, agentId="main"),  # at night, but silent
        job("lost", delivery=DEFAULT, schedule=at_nine),
        job("failed", delivery=NAMED, schedule=at_nine),
        job("broken", delivery=OFF),
        job("hook", delivery={"mode": "webhook", "to": "http://sink"}),
        job("silent-poll", delivery=NAMED, schedule=at_nine),
        job("event", payload={"kind": "systemEvent", "text": "stand up"}, sessionTarget="main", delivery=None),
        job("night-owl", agentId="main", delivery=NAMED),
        job("twin", createdAtMs=millis(-50), agentId="ops", schedule=at_nine),
        job("older-twin", agentId="ops", schedule=at_nine),
        job("idle", state=idle, delivery=OFF),
        job("off", enabled=False, delivery=DEFAULT),
    ]
    for content in jobs:
        content["name"] = "twin" if "twin" in content["id"] else content["id"]
    status: dict[str, Any] = {"deliveryStatus": "not-delivered" if era == "files" else "not-requested"}
    nobody: dict[str, Any] = {} if era == "files" else {"delivery": NOBODY}
    somebody: dict[str, Any] = {} if era == "files" else {"delivery": SOMEBODY}
    if era == "tasks":
        failed = {"status": "ok", "completionStatus": "failed", "deliveryError": ADAPTER_IS_DOWN, **somebody}
        silent = {"summary": "NO_REPLY", "deliverySuppressionReason": "silent", **somebody}
        hook = {"completionStatus": "failed", "delivery": NOBODY}
    else:
        failed = {"status": "error", "error": ADAPTER_IS_DOWN, "deliveryStatus": "unknown", **somebody}
        silent = {"summary": None, "sessionId": "silent-session", **somebody}
        hook = {"deliveryStatus": "not-requested", **nobody}
    no_model: dict[str, Any] = {"model": None} if era != "tasks" else {}
    runs = [
        run("off-on-purpose", **status),
        run("lost", **nobody),
        run("failed", **failed),
        run("broken", **status, status="error", error="400 Bad Request: invalid request", **no_model),
        run("hook", **hook),
        run("silent-poll", minute=2.5, **silent),
        run("event", deliveryStatus="not-requested", delivered=None, sessionId=None, sessionKey=None),
    ]
    if era == "tasks":
        jobs.append(job("beat", declarationKey="heartbeat:main", delivery=DEFAULT, payload={"kind": "heartbeat"}))
        runs.append(run("beat", status="skipped", error="heartbeat skipped: requests-in-flight", delivery=NOBODY))
    return jobs, runs


def write_era(state: Path, era: str) -> None:
    jobs, runs = mistakes(era)
    state.mkdir()
    silent = [header("silent-session"), user("u", "[cron:silent-poll x] poll"), assistant("a", "NO_REPLY")]
    Home(path=state).write("silent-session.jsonl", silent)
    spoken = [header("s-1.0"), user("v", "[cron:lost x] go", minute=0.6), assistant("b", "All is well.", minute=0.9)]
    Home(path=state).write("s-1.0.jsonl", spoken)
    if era == "files":
        write_files(state, jobs, {entry["jobId"]: [entry] for entry in runs})
        return
    schema = SCHEMA_B if era == "logs" else SCHEMA_C
    put_jobs = [put_job(content, payload_kind=content["payload"]["kind"]) for content in jobs]
    put_runs = [
        put_log(entry, seq=number) if era == "logs" else put_task(entry, task_id=f"t{number}")
        for number, entry in enumerate(runs)
    ]
    write_database(state, schema, *put_jobs, *put_runs)


@contextmanager
def audited(state: Path, home: Path, *, toml: str = "", as_of: datetime = AS_OF) -> Iterator[duckdb.DuckDBPyConnection]:
    ledger = Ledger(source="openclaw", entries={})
    batches = read_state_dir(
        StateDir(host="local", path=state), ledger=ledger, rules=RULES, scratch=home.parent / "scratch"
    )
    with built(home, *batches, toml=toml, as_of=as_of, only=MARTS) as connection:
        yield connection


def findings(con: duckdb.DuckDBPyConnection) -> dict[str, set[str]]:
    """Rules by job; what every job is listed for on its first day is left out."""
    found: dict[str, set[str]] = {}
    query = "SELECT job_id, name, rule FROM mart.cron_findings WHERE window_id = 'trailing_7d'"
    for row in rows(con, f"{query} AND rule <> 'changed_job'"):
        found.setdefault(row["job_id"], set()).add(row["rule"])
    return found


@pytest.mark.parametrize("era", ERAS)
def test_each_mistake_is_found_in_every_era_and_nothing_else(tmp_path: Path, era: str) -> None:
    write_era(tmp_path / "state", era)
    with audited(tmp_path / "state", tmp_path / "home", toml=TOML) as con:
        assert findings(con) == EXPECTED
        outcomes = {row["job_id"]: row["outcome"] for row in rows(con, "SELECT * FROM core.cron_deliveries")}
    assert (outcomes["hook"], outcomes["off-on-purpose"]) == ("unknown", "not_requested")
    assert (outcomes["silent-poll"], outcomes["event"]) == ("nothing_to_deliver", "not_requested")
    assert "beat" not in outcomes


@pytest.mark.parametrize("era", ERAS[1:])
def test_a_message_to_a_stranger_is_the_worst_finding_where_the_log_tells(tmp_path: Path, era: str) -> None:
    """The first era logs no recipient: what it does not say is not accused."""
    state = tmp_path / "state"
    Home(path=state).write("s.jsonl", [header("s"), user("u"), assistant("a")])
    entry = run("j1", delivered=True, deliveryStatus="delivered", delivery=STRANGER)
    if era == "logs":
        write_database(state, SCHEMA_B, put_job(job()), put_log(entry))
    else:
        write_database(state, SCHEMA_C, put_job(job(), payload_kind="agentTurn"), put_task(entry))
    with audited(state, tmp_path / "home") as con:
        (row,) = rows(con, "SELECT * FROM mart.cron_delivery_audit WHERE window_id = 'trailing_7d'")
    assert (row["worst_severity"], row["wrong_target_runs"], row["delivered_runs"]) == ("incident", 1, 1)


RECORDED = {
    "2026.4.15": {
        "poll-inbox": {"implicit_delivery"},  # its runs had nothing to say
        "morning-brief": {"delivery_failed"},
        "broken-job": {"run_failed"},
        "test": {"never_run"},
    },
    "2026.6.11": {
        "poll-inbox": {"implicit_delivery", "silently_undelivered"},
        "morning-brief": {"delivery_failed"},
        "broken-job": {"run_failed"},
    },
    "2026.9.6": {
        "poll-inbox": {"implicit_delivery", "silently_undelivered"},
        "morning-brief": {"delivery_failed"},
        "broken-job": {"run_failed"},
    },
}


@pytest.mark.skipif("AGENTOPS_RECORDINGS" not in os.environ, reason="AGENTOPS_RECORDINGS is not set")
@pytest.mark.parametrize("version", RECORDED)
def test_recorded_mistakes_are_found_and_nothing_else(tmp_path: Path, version: str) -> None:
    state = Path(os.environ["AGENTOPS_RECORDINGS"]) / "openclaw" / "state" / version
    with audited(state, tmp_path / "home", as_of=datetime(2026, 11, 24, 15)) as con:
        names = {row["job_id"]: row["name"] for row in rows(con, "SELECT job_id, name FROM core.cron_jobs")}
        assert {names[job_id]: rules for job_id, rules in findings(con).items()} == RECORDED[version]


@pytest.mark.skipif("AGENTOPS_RECORDINGS" not in os.environ, reason="AGENTOPS_RECORDINGS is not set")
def test_recorded_mistakes_behind_a_gateway(tmp_path: Path) -> None:
    """The recording holds the job morning-brief twice and the single run of a probe in the next year."""
    state = Path(os.environ["AGENTOPS_RECORDINGS"]) / "combined" / "state"
    with audited(state, tmp_path / "home", as_of=datetime(2026, 11, 24, 15)) as con:
        names = {row["job_id"]: row["name"] for row in rows(con, "SELECT job_id, name FROM core.cron_jobs")}
        found = sorted((names[job_id], sorted(rules)) for job_id, rules in findings(con).items())
    assert found == [
        ("FAD-12 dod-verify", ["run_failed"]),  # one run timed out
        ("broken-job", ["run_failed"]),
        ("morning-brief", ["delivery_failed"]),
        ("morning-brief", ["delivery_failed", "duplicate_job"]),
        ("poll-inbox", ["implicit_delivery", "silently_undelivered"]),
    ]


@pytest.mark.skipif("AGENTOPS_RECORDINGS" not in os.environ, reason="AGENTOPS_RECORDINGS is not set")
def test_recorded_empty_polls_equal_what_the_gateway_saw(tmp_path: Path) -> None:
    """Each call whose answer was only a token or phrase is one empty poll, by agent and job.

    A wake by webhook looks like a heartbeat to this version.
    """
    recording = Path(os.environ["AGENTOPS_RECORDINGS"]) / "combined"
    truth: Counter[tuple[str, str]] = Counter()
    for text in (recording / "truth.jsonl").read_text(encoding="utf-8").splitlines():
        call = json.loads(text)
        if call.get("answer") in ("HEARTBEAT_OK", "NO_REPLY", "No tasks available."):
            truth[call["agent"], call.get("job_name") or "heartbeat"] += 1
    assert truth.total() == 33
    with audited(recording / "state", tmp_path / "home", as_of=datetime(2026, 11, 24, 15)) as con:
        polls = rows(con, "SELECT agent_id, poll_name FROM core.polls WHERE is_empty")
    found = Counter((row["agent_id"], row["poll_name"]) for row in polls)
    assert found == truth
