"""The bundled sample: small, repeatable, free of texts, consistent on both sides, and readable like the real thing."""

import json
import re
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import zstandard

from agentops_pipelines.demo import board, build_sample, company, sample
from agentops_pipelines.settings import Settings, load_settings
from agentops_pipelines.sources.batches import Ledger
from agentops_pipelines.sources.openclaw.reader import ReadRules, read_state_dir
from agentops_pipelines.warehouse import Warehouse

SPOKEN_FIELDS = frozenset(("content", "text", "summary", "message", "task", "errorMessage", "error_message", "error"))
"""JSON fields that hold texts of people, models and tools in the real thing."""

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
STAND_INS = re.compile(
    "|".join(
        (
            r"…*",
            rf"\[cron:{_UUID} [a-z-]+\]( …)?",
            r"\[OpenClaw (heartbeat poll|cron wake|session event)\]",
            r"\[Subagent Context\] …",
            rf"(Task: ci-watch \| )?Job ID: {_UUID} \| Received: …",
            r"HEARTBEAT_OK|NO_REPLY|No tasks available\.",
            r"FAD-\d\d …",
            r"(400|408|422|429) …",
        )
    )
)
NAMES = re.compile(
    "|".join(
        (
            r"[^\s…]{0,200}",
            r"(Cron|Automation): [a-z-]+",
            r"FAD-\d\d (helper|retry)",
            r"(User-Agent: )?OpenAI/JS [\d.]+",
            r"User-Agent: \S+",
            r"\d+ \d+ \* \* [\d,*]+",
            r"Cache OFF",
            r"(To|In) (Do|Progress|Review)|Story point estimate|is blocked by",
        )
    )
)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return sample.demo_settings(home=tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def spend_logs() -> list[dict[str, Any]]:
    return [json.loads(line) for line in _packed_files()[sample.SPEND_LOGS].splitlines()]


@pytest.fixture(scope="module")
def lines(settings: Settings) -> pl.DataFrame:
    return _read(settings, "openclaw_lines")


def test_the_packed_sample_is_small() -> None:
    assert sample.PACKED.stat().st_size < 1_000_000


def test_the_packed_sample_is_what_the_builder_makes() -> None:
    unpacked = zstandard.ZstdDecompressor().stream_reader(sample.PACKED.read_bytes()).read()

    assert build_sample.archive(build_sample.sample_files()) == unpacked


def test_no_text_but_the_stand_ins_is_in_the_sample(settings: Settings) -> None:
    for state_dir in settings.openclaw_state_dirs:
        for path in sorted(state_dir.path.rglob("*")):
            if path.is_file():
                _assert_no_text(_records(path))
    for name, content in _packed_files().items():
        if name.startswith(("litellm/", "jira/")):
            _assert_no_text(json.loads(line) for line in content.splitlines())


def test_demo_settings_come_from_load_settings(tmp_path: Path) -> None:
    settings = load_settings({"AGENTOPS_HOME": str(tmp_path), "AGENTOPS_DEMO": "1", "AGENTOPS_LITELLM_BASE_URL": "x"})

    assert settings.demo
    assert settings.home == tmp_path / "demo"
    assert settings.as_of == datetime.fromtimestamp(company.LAST / 1000, UTC).replace(tzinfo=None)
    assert [state_dir.host for state_dir in settings.openclaw_state_dirs] == ["atlas", "borealis"]
    assert not settings.has_litellm
    assert settings.config.timezone == "Europe/Berlin"
    for state_dir in settings.openclaw_state_dirs:
        assert (state_dir.path / "agents").is_dir()


def test_unpacking_again_changes_nothing(tmp_path: Path) -> None:
    first = sample.demo_settings(home=tmp_path)
    before = _stamps(tmp_path)

    assert sample.demo_settings(home=tmp_path).openclaw_state_dirs == first.openclaw_state_dirs
    assert _stamps(tmp_path) == before


def test_processes_may_unpack_at_once(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from agentops_pipelines.demo.sample import demo_settings; "
        "print(demo_settings(home=pathlib.Path(sys.argv[1])).openclaw_state_dirs[0].path)"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    answers = {process.communicate()[0].strip() for process in processes}

    assert [process.returncode for process in processes] == [0, 0, 0]
    (state_dir,) = answers
    assert [path.name for path in (tmp_path / "sample").iterdir()] == [Path(state_dir).parent.name]


def test_another_version_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    old = tmp_path / "sample" / "0123456789ab"
    old.mkdir(parents=True)
    for name in ("warehouse.duckdb", "agentops.duckdb", "deliveries.sqlite"):
        (tmp_path / name).write_bytes(b"computed from the old sample")

    sample.demo_settings(home=tmp_path)

    assert not old.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deliveries.sqlite", "sample"]


def test_an_interrupted_unpacking_leaves_no_half_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(path: Path, content: bytes, *, changed_at: int) -> None:
        raise OSError(28, "No space left on device", str(path))

    with monkeypatch.context() as patched:
        patched.setattr(sample, "_put", full_disk)
        with pytest.raises(OSError, match="No space left"):
            sample.demo_settings(home=tmp_path)
    assert list((tmp_path / "sample").iterdir()) == []

    assert sample.demo_settings(home=tmp_path).openclaw_state_dirs[1].path.is_dir()


def test_the_reader_takes_both_eras_without_a_problem(settings: Settings, tmp_path: Path) -> None:
    rules = ReadRules(empty_poll_phrases=tuple(settings.config.empty_poll_phrases))
    with Warehouse(tmp_path).locked("a test") as locked, locked.connect() as writer:
        for _ in range(2):
            for state_dir in settings.openclaw_state_dirs:
                batches = read_state_dir(
                    state_dir, ledger=writer.ledger("openclaw"), rules=rules, scratch=tmp_path / "scratch"
                )
                writer.load("openclaw", batches, scope=state_dir.host, observed_at=sample.AS_OF)
        loads = writer.con.execute(
            "SELECT scope, quarantined, bytes_read > 0 FROM ops.loads ORDER BY load_id"
        ).fetchall()
        origins = writer.con.execute(
            "SELECT DISTINCT host, origin FROM raw.openclaw_transcripts ORDER BY ALL"
        ).fetchall()

    assert loads == [("atlas", 0, True), ("borealis", 0, True), ("atlas", 0, False), ("borealis", 0, False)]
    assert origins == [
        ("atlas", "deleted_archive"),
        ("atlas", "jsonl"),
        ("atlas", "reset_archive"),
        ("borealis", "sqlite"),
        ("borealis", "sqlite_archive"),
    ]


def test_the_reader_finds_every_assistant_line(settings: Settings, lines: pl.DataFrame) -> None:
    written = Counter(
        state_dir.host
        for state_dir in settings.openclaw_state_dirs
        for path in sorted(state_dir.path.rglob("*"))
        if path.is_file()
        for record in _records(path)
        if isinstance(record, dict) and record.get("message", {}).get("role") == "assistant"
    )
    read = lines.filter(kind="assistant").group_by("host").len()

    assert written == dict(read.iter_rows())


def test_marks_and_phrases_are_recognised(lines: pl.DataFrame) -> None:
    assert set(lines["mark"].drop_nulls()) == {
        "cron",
        "cron_wake",
        "heartbeat_poll",
        "session_event",
        "subagent_context",
        "webhook",
    }
    assert set(lines["poll_phrase"].drop_nulls()) == {"HEARTBEAT_OK", "NO_REPLY", "phrase:1"}
    assert set(lines["error_kind"].drop_nulls()) == {"bad_request", "budget", "rate_limit", "timeout"}
    assert {"FAD-31", "FAD-47"} <= set(lines["ticket_keys"].drop_nulls())


def test_compressed_events_hold_calls_too(settings: Settings) -> None:
    database = settings.openclaw_state_dirs[1].path / "agents/research/agent/openclaw-agent.sqlite"
    roles = Counter(
        event["message"]["role"] for event in _compressed_events(database) if event.get("type") == "message"
    )

    assert roles["assistant"] > 0
    assert roles["toolResult"] > 0


def test_both_sides_agree_on_every_shared_call(lines: pl.DataFrame, spend_logs: list[dict[str, Any]]) -> None:
    rows = {row["request_id"]: row for row in spend_logs}
    calls = lines.filter(kind="assistant", provider="litellm").filter(pl.col("response_id").is_not_null())
    calls = calls.unique("line_id", maintain_order=True)  # a fork repeats lines of its parent
    different = []
    for call in calls.iter_rows(named=True):
        row = rows[call["response_id"]]
        prompt = call["input_tokens"] + call["cache_read_tokens"] + call["cache_write_tokens"]
        if (prompt, call["output_tokens"]) != (row["prompt_tokens"], row["completion_tokens"]):
            different.append(call)
            continue
        assert call["model"] == row["metadata"]["original_model_group"]
        assert call["started_at"] < _time(row["startTime"]) < _time(row["endTime"]) < call["written_at"]

    assert [call["response_id"] for call in different] == ["chatcmpl-lab-" + different[0]["response_id"][13:]]
    assert calls.height - len(different) == len(set(calls["response_id"]) & rows.keys())


def test_failures_lie_within_the_error_line_they_cause(lines: pl.DataFrame, spend_logs: list[dict[str, Any]]) -> None:
    failures = [row for row in spend_logs if row["status"] == "failure" and row["call_type"] == "acompletion"]
    errors = lines.filter(stop_reason="error").select("model", "started_at", "written_at").rows()
    for row in failures:
        inside = [
            line
            for line in errors
            if line[0] == row["model_group"] and line[1] < _time(row["startTime"]) < _time(row["endTime"]) < line[2]
        ]
        assert len(inside) == 1

    assert len({row["litellm_call_id"].split("-attempt-")[0] for row in failures}) == len(errors)


def test_the_sample_has_the_incidents_it_tells_of(lines: pl.DataFrame, spend_logs: list[dict[str, Any]]) -> None:
    classes = Counter((row["metadata"]["error_information"] or {}).get("error_class") for row in spend_logs)
    fallbacks = {
        (row["metadata"]["original_model_group"], row["model_group"])
        for row in spend_logs
        if row["metadata"]["attempted_fallbacks"]
    }
    direct = lines.filter(kind="assistant", provider=company.DIRECT_PROVIDER).height
    leaks = [row for row in spend_logs if row["model_group"] == "standard" and row["spend"] > 0]
    unpriced = [row for row in spend_logs if row["metadata"]["model_map_information"] is None]

    assert min(classes[name] for name in ("BudgetExceededError", "RateLimitError", "Timeout", "BadRequestError")) > 0
    assert classes["ClientDisconnected"] > 0
    assert {("standard", "foundry-claude-sonnet-4-6"), ("heavy", "foundry-claude-opus-4-8")} <= fallbacks
    assert any(row["metadata"]["billed_retry_attempt"] and row["spend"] > 0 for row in spend_logs)
    assert any(row["api_key"] == "litellm-internal-health-check" for row in spend_logs)
    assert any(row["call_type"] == "/v1/models" for row in spend_logs)
    assert 0.01 < direct / lines.filter(kind="assistant").height < 0.04
    assert leaks
    assert any(row["model_group"] == "lab-coder" for row in unpriced)
    assert lines.filter(kind="compaction").height > 0
    assert lines.filter(kind="reset").height == 1


def test_the_weeks_tell_a_story_in_money(spend_logs: list[dict[str, Any]]) -> None:
    weeks = {
        "before": (datetime(2026, 11, 8, 23), datetime(2026, 11, 15, 23)),
        "after": (datetime(2026, 11, 15, 23), datetime(2026, 11, 22, 23)),
    }
    figures: dict[str, tuple[int, float, float]] = {}
    for name, (start, end) in weeks.items():
        rows = [row for row in spend_logs if start <= _time(row["startTime"]) < end]
        reported = [row for row in rows if row["status"] == "success"]
        tokens = sum(row["total_tokens"] for row in reported)
        paid = sum(row["total_tokens"] for row in reported if row["spend"] > 0)
        figures[name] = (len(rows), sum(row["spend"] for row in rows), paid / tokens)

    assert all(2_500 < calls < 4_000 for calls, _, _ in figures.values())
    assert all(30 < spend < 50 for _, spend, _ in figures.values())
    assert all(0.6 < share < 0.7 for _, _, share in figures.values())
    assert 1.15 < figures["after"][1] / figures["before"][1] < 1.25


def test_costaff_is_refused_only_once_its_budget_is_spent(spend_logs: list[dict[str, Any]]) -> None:
    refused = [row for row in spend_logs if row["metadata"]["error_information"] and row["spend"] == 0]
    refused = [row for row in refused if row["metadata"]["error_information"]["error_class"] == "BudgetExceededError"]
    budget = company.KEY_BUDGETS["costaff"]
    assert budget is not None
    for row in refused:
        error = row["metadata"]["error_information"]
        assert row["metadata"]["user_api_key_alias"] == "costaff"
        assert error["error_budget_spend"] >= error["error_budget_limit"] == budget

    served = [
        row
        for row in spend_logs
        if row["metadata"]["user_api_key_alias"] == "costaff" and row["spend"] > 0
        if refused[0]["startTime"] < row["startTime"] < refused[-1]["startTime"]
    ]
    assert served == []


def test_last_runs_of_the_job_without_a_channel_went_nowhere(settings: Settings) -> None:
    database = settings.openclaw_state_dirs[0].path / "state/openclaw.sqlite"
    with closing(sqlite3.connect(database)) as connection:
        ((job_json, entries),) = connection.execute(
            "SELECT j.job_json, json_group_array(json(l.entry_json)) FROM cron_jobs j "
            "JOIN cron_run_logs l USING (job_id) WHERE j.name = 'standup-reminder'"
        ).fetchall()
    last = json.loads(entries)[-3:]

    assert json.loads(job_json)["delivery"] == {"mode": "announce", "channel": "last"}
    assert [entry["status"] for entry in last] == ["ok", "ok", "ok"]
    assert [entry["deliveryStatus"] for entry in last] == ["not-delivered"] * 3
    assert not any(entry["delivery"]["resolved"]["ok"] for entry in last)


def test_the_proxy_s_answers_are_loaded_once(tmp_path: Path) -> None:
    with Warehouse(tmp_path).locked("a test") as locked, locked.connect() as writer:
        results = [
            writer.load(
                "litellm",
                sample.sample_litellm_batches(writer.ledger("litellm"), observed_at=sample.AS_OF),
                scope=sample.LITELLM_SCOPE,
                observed_at=sample.AS_OF,
            )
            for _ in range(2)
        ]
        (count,) = writer.con.execute("SELECT count(*) FROM raw.litellm_spend_logs").fetchall()[0]

    assert results[0].rows == {
        "raw.litellm_spend_logs": count,
        "raw.litellm_keys": len(company.KEY_BUDGETS),
        "raw.litellm_deployments": len(company.MODELS),
        "raw.litellm_routes": len(company.FALLBACKS),
    }
    assert results[0].newest_data_at is not None
    assert results[0].newest_data_at < sample.AS_OF
    assert (results[1].row_count, results[1].bytes_read) == (0, 0)


def test_the_board_is_read_by_the_reader_of_any_jira(settings: Settings, tmp_path: Path) -> None:
    with Warehouse(tmp_path).locked("a test") as locked, locked.connect() as writer:
        for _ in range(2):
            batches = sample.sample_jira_batches(settings, writer.ledger("jira"), until=sample.AS_OF)
            writer.load("jira", batches, scope=sample.JIRA_SCOPE, observed_at=sample.AS_OF)
        found = writer.con.execute(
            "SELECT issue_key, agent_id, story_point_estimate, method FROM raw.jira_issues ORDER BY issue_key"
        ).fetchall()
        (quarantined,) = writer.con.execute("SELECT sum(quarantined) FROM ops.loads").fetchall()[0]

    assert found == sorted((one.key, one.agent, one.points, one.method or None) for one in board.ISSUES)
    assert quarantined == 0


def test_work_on_a_finished_ticket_lies_between_its_start_and_its_end(settings: Settings, lines: pl.DataFrame) -> None:
    sessions = _read(settings, "openclaw_sessions").select("session_id", "label")
    worked = lines.join(sessions, on="session_id").group_by("label").agg(pl.col("written_at").min().alias("first"))
    last = lines.join(sessions, on="session_id").group_by("label").agg(pl.col("written_at").max().alias("last"))
    spans = {label: (first, until) for label, first, until in worked.join(last, on="label").iter_rows()}
    finished = [one for one in board.ISSUES if one.status == board.DONE]
    assert len(finished) == 21
    for one in finished:
        began, done = (datetime.fromtimestamp(at / 1000, UTC).replace(tzinfo=None) for at, _ in one.moves[::2])
        first, until = spans[one.key]
        assert began < first < until < done, one.key


def _packed_files() -> dict[str, bytes]:
    return {name: content for name, content, _ in sample._members()}


def _read(settings: Settings, table: str) -> pl.DataFrame:
    rules = ReadRules(empty_poll_phrases=tuple(settings.config.empty_poll_phrases))
    frames = [
        frame
        for state_dir in settings.openclaw_state_dirs
        for batch in read_state_dir(
            state_dir, ledger=Ledger(source="openclaw"), rules=rules, scratch=settings.home / "scratch"
        )
        for raw_table, frame in batch.tables.items()
        if raw_table.name == table
    ]
    return pl.concat(frames)


def _records(path: Path) -> Iterator[Any]:
    """Every JSON value in a file of a state directory, databases included."""
    if path.suffix == ".sqlite":
        yield from _database_values(path)
    elif path.suffix == ".json":
        yield json.loads(path.read_text(encoding="utf-8"))
    else:
        yield from map(json.loads, path.read_text(encoding="utf-8").splitlines())


def _database_values(path: Path) -> Iterator[Any]:
    with closing(sqlite3.connect(path)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            for row in connection.execute(f"SELECT * FROM {name}"):
                yield from (value for cell in row for value in _cell_values(cell))


def _cell_values(cell: object) -> Iterator[Any]:
    if isinstance(cell, bytes):
        text = zstandard.ZstdDecompressor().decompress(cell).decode()
        yield from map(json.loads, text.splitlines())
    elif isinstance(cell, str) and cell.startswith("{"):
        yield json.loads(cell)
    elif cell is not None:
        yield cell


def _compressed_events(path: Path) -> Iterator[dict[str, Any]]:
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT event_zstd, event_utf8_bytes FROM transcript_events WHERE event_zstd IS NOT NULL"
        for packed, size in connection.execute(query):
            text = zstandard.ZstdDecompressor().decompress(packed)
            assert len(text) == size >= 1024
            yield json.loads(text)


def _assert_no_text(records: Iterator[Any]) -> None:
    for record in records:
        for field, value in _strings(record, field=""):
            allowed = STAND_INS if field in SPOKEN_FIELDS else NAMES
            if not allowed.fullmatch(value):
                assert STAND_INS.fullmatch(value), (field, value)


def _strings(value: Any, *, field: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield field, value
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item, field=field)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield "", name
            yield from _strings(item, field="" if field == "content" and name != "text" else name)


def _stamps(root: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in root.rglob("*")}


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)
