"""Nothing that somebody said or is called, and no secret, is anywhere after a run: not in a file, not on the terminal.

One home with sentinels in every place of every source (OpenClaw of all eras, LiteLLM over HTTP and in PostgreSQL, spans
of both), two real runs: all goes well; then the proxy's address is wrong and holds a password.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner

from agentops_pipelines.cli import main
from agentops_pipelines_tests.litellm_postgres import KEYS, PASSWORD, SPEND_LOGS, Database, serve_postgres
from agentops_pipelines_tests.litellm_server import API_KEY, LoopbackProxy, serve_litellm
from agentops_pipelines_tests.litellm_store import row
from agentops_pipelines_tests.openclaw_states import Home, dumps, millis
from agentops_pipelines_tests.otlp_files import attributes, classic, line, lines, span, usage_of_a_run
from agentops_pipelines_tests.talkative import CHAT, MAIL, PHONE, SECRET, SENTINELS, talkative_home
from agentops_pipelines_tests.test_openclaw_cron import (
    SCHEMA_B,
    SCHEMA_C,
    put_job,
    put_log,
    put_subagent,
    put_task,
    write_database,
    write_files,
)

NOON = datetime(2026, 11, 23, 12)
HIDDEN = (*SENTINELS, API_KEY, PASSWORD, "hunter2")
TEXT = f"{SECRET} {PHONE} {CHAT} {MAIL}"


# --- what is planted


def _job() -> dict[str, Any]:
    return {
        "id": "p",
        "name": f"call {PHONE} {MAIL}",
        "description": TEXT,
        "enabled": True,
        "createdAtMs": millis(),
        "schedule": {"kind": "cron", "expr": f"0 3 * * * {SECRET}", "tz": TEXT},
        "sessionTarget": f"session:agent:ops:whatsapp:{PHONE}",
        "payload": {"kind": "agentTurn", "message": TEXT, "text": TEXT, "argv": [TEXT], "model": "litellm/standard"},
        "delivery": {"mode": "announce", "channel": "telegram", "to": CHAT, "accountId": TEXT, "threadId": PHONE},
        "failureAlert": {"to": MAIL},
        "state": {"lastRunStatus": "error", "lastError": TEXT, "lastDeliveryError": TEXT},
    }


def _entry() -> dict[str, Any]:
    key = f"agent:ops:whatsapp:direct:{PHONE}"
    return {
        "ts": millis(2),
        "jobId": "p",
        "action": "finished",
        "status": "error",
        "error": f"429 {TEXT}",
        "summary": TEXT,
        "diagnostics": {"summary": TEXT},
        "deliveryStatus": "not-delivered",
        "deliveryError": TEXT,
        "sessionId": "s1",
        "sessionKey": key,
        "runId": f"announce:v1:agent:ops:telegram:{CHAT}:9",
        "runAtMs": millis(1),
        "delivery": {
            "intended": {"channel": "telegram", "to": CHAT, "source": "explicit"},
            "resolved": {"ok": False, "channel": "whatsapp", "to": MAIL, "error": TEXT},
        },
        "failureNotificationDelivery": {"error": TEXT, "to": PHONE},
    }


def _spawned() -> dict[str, Any]:
    return {
        "runId": f"hook:{MAIL}:1",
        "childSessionKey": f"agent:ops:whatsapp:direct:{PHONE}:subagent:c",
        "requesterSessionKey": f"agent:ops:telegram:group:{CHAT}",
        "task": TEXT,
        "label": f"ask {PHONE} and {MAIL}",
        "frozenResultText": TEXT,
        "completion": {"resultText": TEXT},
        "outcome": {"status": "error", "error": TEXT},
        "createdAt": millis(),
    }


def _configuration() -> dict[str, Any]:
    provider = {"baseUrl": f"http://{SECRET}@x", "apiKey": SECRET, "headers": {"Authorization": SECRET}, "models": []}
    agent = {"id": "main", "heartbeat": {"every": "30m", "prompt": TEXT, "to": PHONE}, "systemPrompt": TEXT}
    return {
        "agents": {"list": [agent]},
        "models": {"providers": {"litellm": provider}},
        "channels": {"whatsapp": {"allowFrom": [PHONE]}, "telegram": {"botToken": SECRET}},
        "hooks": {"token": SECRET},
    }


def _state_dirs(root: Path) -> str:
    """One directory for each era of cron; sessions of all eras are in the first."""
    homes = {era: root / era for era in ("files", "mixed", "sqlite")}
    for path in homes.values():
        home = Home(path=path)
        home.sessions("ops")
        (path / "openclaw.json").write_bytes(dumps(_configuration()))
    talkative_home(Home(path=homes["files"]))
    write_files(homes["files"], [_job()], {"p": [_entry(), {**_entry(), "ts": TEXT}]})
    (homes["files"] / "subagents").mkdir()
    (homes["files"] / "subagents/runs.json").write_bytes(dumps({"version": 2, "runs": {"r1": _spawned()}}))
    columns = {"payload_message": TEXT, "last_error": TEXT, "delivery_to": CHAT}
    write_database(
        homes["mixed"],
        SCHEMA_B,
        put_job(_job(), **{**columns, "name": f"call {PHONE}"}),
        put_log(_entry(), error=TEXT, summary=TEXT),
        put_subagent(_spawned(), task=TEXT),
    )
    write_database(
        homes["sqlite"],
        SCHEMA_C,
        put_job(_job(), payload_kind="agentTurn"),
        put_task(_entry(), task=TEXT, error=TEXT, terminal_summary=TEXT),
    )
    return ":".join(f"{era}={path}" for era, path in homes.items())


def _spend_logs() -> list[dict[str, Any]]:
    said = {"content": TEXT}
    information = {
        "error_class": f"Error: {TEXT}",
        "error_message": f"{TEXT} Budget has been exceeded",
        "traceback": TEXT,
        "normalized_error": TEXT,
        "llm_provider": TEXT,
        "error_budget_entity_id": TEXT,
    }
    planted: dict[str, Any] = {
        "messages": [said],
        "response": said,
        "proxy_server_request": {"headers": {"authorization": SECRET}, "body": said},
        "api_base": f"http://user:{SECRET}@upstream",
        "requester_ip_address": SECRET,
        "end_user": MAIL,
        "user": MAIL,
        "request_tags": [TEXT, f"User-Agent: {TEXT}", f"category:mail to {MAIL}", f"ticket:{PHONE}"],
    }
    metadata = {
        "user_api_key_alias": f"of {MAIL}",
        "user_api_key_user_id": MAIL,
        "error_information": information,
        "spend_logs_metadata": dict.fromkeys(("category", "method", "pipeline", "task_id"), f"{PHONE} {MAIL}"),
        "proxy_server_request": said,
        "guardrail_information": said,
        "requester_ip_address": SECRET,
        "user_agent": f"client of {MAIL} {PHONE}",
    }
    return [
        row("failed", NOON, status="failure", metadata=metadata, **planted),
        row("ok", NOON, metadata={**metadata, "error_information": None}, **planted),
        row("clear", NOON, api_key=f"sk-{SECRET}", **planted),
        row("broken", NOON, spend=-1, metadata=metadata, **planted),
    ]


def _keys() -> list[dict[str, Any]]:
    return [
        {
            "token": "a" * 64,
            "key_name": f"sk-...{SECRET}",
            "key_alias": f"phone of {PHONE}",
            "user_id": MAIL,
            "metadata": {"note": TEXT},
        },
        {"token": f"sk-{SECRET}", "key_name": SECRET},
    ]


def _spans() -> bytes:
    content: dict[str, Any] = dict.fromkeys(
        ("gen_ai.input.messages", "input.value", "llm.openai.messages", "ticket", "jira.key"), TEXT
    )
    planted = {
        **content,
        "metadata.user_api_key_hash": f"sk-{SECRET}",
        "metadata.user_api_key_alias": f"phone of {PHONE}",
        "metadata.spend_logs_metadata": str(dict.fromkeys(("ticket", "category", "method", "note"), f"{PHONE} {MAIL}")),
        "hidden_params": dumps({"api_base": SECRET, "litellm_model_name": "azure/gpt-5.4"}).decode(),
        "openclaw.sessionKey": f"agent:ops:telegram:{CHAT}",
        "error.type": f"Error: {TEXT}",
        "error.message": TEXT,
    }
    resource = {"service.name": f"program of {MAIL} {PHONE}", "host.name": SECRET, "process.command_args": TEXT}
    more = {
        "status": {"code": 2, "message": TEXT},
        "events": [{"name": TEXT, "attributes": attributes(content)}],
        "links": [{"attributes": attributes(content)}],
        "traceState": f"x={SECRET}",
    }
    spans = [span(1, TEXT, classic("c1", **planted), **more), span(2, TEXT, usage_of_a_run(**planted), **more)]
    return lines(line(*spans, resource=resource), TEXT.encode(), line({**spans[0], "traceId": SECRET}))


@contextmanager
def _proxy() -> Iterator[LoopbackProxy]:
    parameters = {"api_base": SECRET, "api_key": SECRET, "model": "azure/gpt-5.4"}
    models = [{"model_name": "standard", "litellm_params": parameters, "model_info": {"id": "d1", "note": TEXT}}]
    with serve_litellm(rows=_spend_logs(), keys=_keys(), models=models) as proxy:
        yield proxy


def _fill(database: Database) -> None:
    database.create("LiteLLM_SpendLogs", SPEND_LOGS)
    database.create("LiteLLM_VerificationToken", KEYS)
    moved = [{**log, "request_id": f"db-{log['request_id']}"} for log in _spend_logs()]
    database.insert("LiteLLM_SpendLogs", SPEND_LOGS, moved)
    database.insert("LiteLLM_VerificationToken", KEYS, _keys())


# --- where it is looked for


@dataclass(frozen=True, kw_only=True)
class Left:
    """What two runs left behind: files by name, tables by name, and what was said."""

    files: dict[str, bytes]
    tables: dict[str, str]
    said: str
    exit_codes: tuple[int, int]


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Left:
    root = tmp_path_factory.mktemp("privacy")
    home = root / "home"
    with pytest.MonkeyPatch.context() as monkeypatch, serve_postgres() as server, _proxy() as proxy:
        database = server.new_database()
        _fill(database)
        monkeypatch.setenv("AGENTOPS_HOME", str(home))
        monkeypatch.setenv("AGENTOPS_OPENCLAW_STATE_DIRS", _state_dirs(root))
        monkeypatch.setenv("AGENTOPS_SINCE", "2026-11-22")
        (root / "otlp").mkdir()
        (root / "otlp/spans.jsonl").write_bytes(_spans())
        monkeypatch.setenv("AGENTOPS_OTLP_DIR", str(root / "otlp"))
        monkeypatch.setenv("AGENTOPS_LITELLM_API_KEY", API_KEY)
        monkeypatch.setenv("AGENTOPS_LITELLM_BASE_URL", proxy.base_url)
        well = CliRunner().invoke(main, ["run", "--week", "2026-W48"], catch_exceptions=False)
        monkeypatch.setenv("AGENTOPS_LITELLM_DATABASE_URL", database.url)
        monkeypatch.setenv("AGENTOPS_LITELLM_BASE_URL", "http://user:hunter2@127.0.0.1:9")
        badly = CliRunner().invoke(main, ["run", "--week", "2026-W48"], catch_exceptions=False)
        doctor = CliRunner().invoke(main, ["doctor"], catch_exceptions=False)
    files = {str(path.relative_to(home)): path.read_bytes() for path in home.rglob("*") if path.is_file()}
    tables: dict[str, str] = {}
    for path in (home / "warehouse.duckdb", home / "agentops.duckdb"):
        with duckdb.connect(path, read_only=True) as connection:
            names = connection.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall()
            for schema, name in names:
                rows = connection.execute(f'SELECT * FROM "{schema}"."{name}"').fetchall()
                tables[f"{path.name} {schema}.{name}"] = str(rows)
    said = "".join(result.output + result.stderr for result in (well, badly, doctor))
    return Left(files=files, tables=tables, said=said, exit_codes=(well.exit_code, badly.exit_code))


def test_the_runs_read_every_source(left: Left) -> None:
    """Otherwise there would be nothing to find."""
    assert left.exit_codes == (0, 1), left.said
    for table in (
        "openclaw_lines",
        "openclaw_runs",
        "openclaw_cron_runs",
        "openclaw_subagent_runs",
        "litellm_keys",
        "otel_spans",
    ):
        assert left.tables[f"agentops.duckdb raw.{table}"] != "[]", table
    lines = left.tables["agentops.duckdb raw.openclaw_lines"]
    assert all(f"'{origin}'" in lines for origin in ("jsonl", "trajectory", "sqlite", "sqlite_archive"))
    spend_logs = left.tables["agentops.duckdb raw.litellm_spend_logs"]
    assert "'chatcmpl-ok'" in spend_logs
    assert "'db-chatcmpl-ok'" in spend_logs
    assert "broken" not in spend_logs
    assert len(left.tables["agentops.duckdb ops.quarantine"]) > 1000
    assert "AGENTOPS_LITELLM_BASE_URL=http://127.0.0.1:9" in left.said
    kinds = {Path(name).suffix for name in left.files}
    assert {".duckdb", ".html", ".png", ".db"} <= kinds, kinds
    assert any(name.startswith("dailies/") for name in left.files)


@pytest.mark.parametrize("hidden", HIDDEN)
def test_no_sentinel_is_anywhere(left: Left, hidden: str) -> None:
    assert [name for name, content in left.files.items() if hidden.encode() in content] == []
    assert [name for name, rows in left.tables.items() if hidden in rows] == []
    assert hidden not in left.said
