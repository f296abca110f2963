"""The whole way, as a person goes it: sources on disk and over HTTP, `agentops run`, SQL on the published file.

Tests of the recorded homes run when AGENTOPS_RECORDINGS names the directory of recordings.
"""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agentops_pipelines.cli import main
from agentops_pipelines.picture import picture
from agentops_pipelines.sources.schemas import RAW_TABLES
from agentops_pipelines.warehouse import read_published
from agentops_pipelines_tests.litellm_server import LoopbackProxy, recorded_rows, serve_litellm, serve_recording
from agentops_pipelines_tests.newcomer import go
from agentops_pipelines_tests.openclaw_states import snapshot
from agentops_pipelines_tests.state_dirs import write_state_dir

RECORDINGS = Path(os.environ.get("AGENTOPS_RECORDINGS", ""))
needs_recordings = pytest.mark.skipif("AGENTOPS_RECORDINGS" not in os.environ, reason="AGENTOPS_RECORDINGS is not set")

SINCE = "2026-11-10"
"""Before all recordings: a first load asks for no other day."""


def agentops(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, catch_exceptions=False)


def asked(published: Path, query: str) -> list[tuple[Any, ...]]:
    with read_published(published) as connection:
        return connection.execute(query).fetchall()


def hashes(published: Path) -> dict[str, tuple[int, int]]:
    """Row count and a hash over all rows of every raw table."""
    with read_published(published) as connection:
        return {
            table.name: connection.execute(
                f"SELECT count(*), coalesce(sum(hash(t)), 0) FROM {table.qualified_name} t"
            ).fetchall()[0]
            for table in RAW_TABLES
        }


def use(monkeypatch: pytest.MonkeyPatch, proxy: LoopbackProxy) -> None:
    monkeypatch.setenv("AGENTOPS_LITELLM_BASE_URL", proxy.base_url)
    monkeypatch.setenv("AGENTOPS_LITELLM_API_KEY", proxy.api_key)
    monkeypatch.setenv("AGENTOPS_SINCE", SINCE)


TOTALS = "SELECT sum(total_tokens) AS total_tokens, sum(cost_usd) AS cost_usd FROM core.calls"


STAYS = "import duckdb, sys; held = duckdb.connect(sys.argv[1], read_only=True); input(); print(held.sql(sys.argv[2]))"
"""Somebody who has the file open all the time, and asks when told to."""


def ask_until(done: threading.Event, published: Path) -> list[tuple[Any, ...]]:
    """What people are answered at any moment from the first publication on."""
    while not published.exists() and not done.is_set():
        time.sleep(0.05)
    command = [sys.executable, "-c", STAYS, str(published), "SELECT count(*) > 0 FROM core.calls"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as held:
        asks = [sys.executable, "-m", "agentops_pipelines", "sql", TOTALS, "--format", "json"]
        answer = subprocess.run(asks, capture_output=True, text=True, check=True)
        (row,) = json.loads(answer.stdout, parse_float=Decimal)
        answers = [(row["total_tokens"], row["cost_usd"])]
        while not done.wait(0.1):
            answers += asked(published, TOTALS)
        assert "true" in held.communicate("\n")[0]
    return answers


def test_the_readme_leads_from_a_clone_to_one_message_while_people_ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = threading.Event()
    monkeypatch.setenv("AGENTOPS_HOME", str(tmp_path / "home" / ".agentops"))
    with ThreadPoolExecutor() as people:
        asking = people.submit(ask_until, done, tmp_path / "home" / ".agentops" / "agentops.duckdb")
        try:
            with go(tmp_path, is_installed=True) as way:
                assert way.code == 0, way.output
                message = way.channel.only
        finally:
            done.set()
        answers = asking.result()
    assert len(answers) > 10  # the second run published again in between
    assert len(set(answers)) == 1
    assert re.match(r"\*\*Agent costs, week \d+ \([^)]+\)\*\* \$0\.50 estimated", message.payload["content"])
    assert message.payload["embeds"]
    assert [content[:4] for content in message.files.values()] == [b"\x89PNG"]
    for text in ("Where it went", "By agent", "Top sessions", "Sessions", "Tokens", "Needs attention", "Worth knowing"):
        assert text in way.output
    assert "Traceback" not in way.output
    assert not re.search("^(warn|fail) ", way.output, re.MULTILINE)  # the doctor has nothing to say
    assert (tmp_path / "agentops" / "exports" / "weekly_summary.parquet").is_file()
    # When the picture is not current: make picture.
    drawn = picture(tmp_path / "home" / ".agentops" / "demo" / "agentops.duckdb")
    assert (Path(__file__).parent.parent / "docs" / "report.svg").read_text(encoding="utf-8") == drawn


@pytest.fixture
def gateway() -> Iterator[LoopbackProxy]:
    with serve_recording("gateway") as proxy:
        yield proxy


def test_everything_a_proxy_logged_is_published_once_after_an_outage_and_after_a_second_run(
    home: Path, gateway: LoopbackProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, gateway)
    gateway.denied["/spend/logs/v2"] = 403
    refused = agentops("run")
    assert refused.exit_code == 1
    assert "AGENTOPS_LITELLM_API_KEY=sk-…(hidden): this key may not read spend logs" in refused.stderr
    del gateway.denied["/spend/logs/v2"]
    rows = recorded_rows("gateway")
    spend = sum(Decimal(str(row["spend"] or 0)) for row in rows)
    for _ in range(2):
        done = agentops("run")
        assert done.exit_code == 0, done.stderr
        found = asked(home / "agentops.duckdb", "SELECT count(*), sum(spend_usd) FROM raw.litellm_spend_logs")
        assert found[0][0] == len(rows)
        assert float(found[0][1]) == pytest.approx(float(spend), abs=1e-9)
        assert asked(home / "agentops.duckdb", "SELECT count(request_id), sum(spend_usd) FROM core.calls") == found


def test_a_wrong_key_is_one_line_and_the_other_source_still_loads(
    home: Path, gateway: LoopbackProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, gateway)
    monkeypatch.setenv("AGENTOPS_LITELLM_API_KEY", "sk-not-the-right-one")
    state_dir = write_state_dir(tmp_path / "openclaw", [datetime(2026, 11, 23, 9)])
    monkeypatch.setenv("AGENTOPS_OPENCLAW_STATE_DIRS", str(state_dir))
    done = agentops("run", "--week", "2026-W48")
    assert done.exit_code == 1
    assert "AGENTOPS_LITELLM_API_KEY=sk-…(hidden): the proxy does not accept this key" in done.stderr
    assert "sk-not-the-right-one" not in done.output
    assert asked(home / "agentops.duckdb", "SELECT count(*) FROM core.calls") == [(1,)]
    assert asked(home / "agentops.duckdb", "SELECT source, status FROM ops.loads ORDER BY source") == [
        ("litellm", "failed"),
        ("openclaw", "ok"),
    ]


# --- recorded homes


@needs_recordings
@pytest.mark.parametrize(
    ("version", "tokens", "estimate"),
    [
        ("2026.4.15", None, "0.183863"),
        ("2026.6.11", (459_370, 1_830, 204_671, 665_871), "0.4294036"),
        ("2026.9.6", None, "0.31190092"),
    ],
)
def test_a_recorded_home_gives_openclaws_own_totals_and_a_second_run_reads_nothing(
    home: Path, version: str, tokens: tuple[int, ...] | None, estimate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = RECORDINGS / "openclaw" / "state" / version
    monkeypatch.setenv("AGENTOPS_OPENCLAW_STATE_DIRS", str(state))
    before = snapshot(state)
    done = agentops("run")
    assert done.exit_code == 0, done.stderr
    published = home / "agentops.duckdb"
    ((cost, *counts),) = asked(
        published,
        "SELECT sum(estimate_usd), sum(input_tokens), sum(output_tokens), sum(cache_read_tokens), sum(total_tokens) "
        "FROM core.calls",
    )
    assert cost.quantize(Decimal(estimate)) == Decimal(estimate)
    assert tokens is None or tuple(counts) == tokens
    content = hashes(published)
    done = agentops("run")
    assert done.exit_code == 0, done.stderr
    assert hashes(published) == content
    assert asked(published, "SELECT bytes_read, rows FROM ops.loads ORDER BY load_id")[-1] == (0, 0)
    assert snapshot(state) == before


@needs_recordings
def test_the_combined_recording_matches_call_by_call(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (state,) = {path.parent for path in (RECORDINGS / "combined" / "state").rglob("agents")}
    monkeypatch.setenv("AGENTOPS_OPENCLAW_STATE_DIRS", str(state))
    with combined_proxy() as proxy:
        use(monkeypatch, proxy)
        done = agentops("run")
    assert done.exit_code == 0, done.stderr
    published = home / "agentops.duckdb"
    assert asked(published, "SELECT count(*) FROM core.calls WHERE match_rule = 'response_id'") == [(144,)]
    lost = (
        "SELECT agent_id, session_type, source, count(*) FROM core.calls WHERE line_id LIKE 'trajectory:%' GROUP BY ALL"
    )
    assert asked(published, lost) == [("fiducian", "system_event", "both", 3)]
    jobs = "SELECT DISTINCT job_name FROM core.calls WHERE line_id LIKE 'trajectory:%'"
    assert asked(published, jobs) == [("standup-reminder",)]
    ((served,),) = asked(published, "SELECT sum(spend_usd) FROM core.calls WHERE match_rule = 'response_id'")
    ((logged,),) = asked(
        published,
        "SELECT sum(spend_usd) FROM raw.litellm_spend_logs WHERE request_id IN "
        "(SELECT request_id FROM core.calls WHERE match_rule = 'response_id')",
    )
    assert served == logged


@contextmanager
def combined_proxy() -> Iterator[LoopbackProxy]:
    folder = RECORDINGS / "combined" / "litellm"
    lines = (folder / "LiteLLM_SpendLogs.jsonl").read_text(encoding="utf-8").splitlines()
    with serve_litellm(
        rows=[json.loads(line) for line in lines],
        keys=json.loads((folder / "key_list_full.json").read_text(encoding="utf-8"))["keys"],
        models=json.loads((folder / "model_info.json").read_text(encoding="utf-8"))["data"],
        router=json.loads((folder / "router_settings.json").read_text(encoding="utf-8")),
    ) as proxy:
        yield proxy
