"""core.calls against what the clients themselves saw while "gateway" was recorded: every line of the truth is found.

The recording is read over HTTP and out of PostgreSQL, through the real readers and all core tables.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from agentops_pipelines.conf import write_conf_tables
from agentops_pipelines.defs.ingest import load_parts, warehouse_of
from agentops_pipelines.defs.litellm import proxy_parts
from agentops_pipelines_tests.litellm_postgres import KEYS, SPEND_LOGS, serve_postgres
from agentops_pipelines_tests.litellm_server import recorded_keys, recorded_rows, recorded_truth, serve_recording
from agentops_pipelines_tests.test_litellm_rows import FAILED
from agentops_pipelines_tests.world import make_settings, tables

NOW = datetime(2026, 11, 25)
TIERS = """
[tiers]
triage = ["triage", "cheap"]
standard = ["standard", "standard-ordered"]
heavy = ["heavy"]
"""
TIER_OF = {
    "triage": "triage",
    "cheap": "triage",
    "standard": "standard",
    "standard-ordered": "standard",
    "heavy": "heavy",
}


@contextmanager
def source(kind: str) -> Iterator[dict[str, str]]:
    """The environment that names the recording, served over HTTP or in a database."""
    with ExitStack() as stack:
        if kind == "http":
            proxy = stack.enter_context(serve_recording("gateway"))
            yield {
                "AGENTOPS_LITELLM_BASE_URL": proxy.base_url,
                "AGENTOPS_LITELLM_API_KEY": proxy.api_key,
                "AGENTOPS_SINCE": "2026-11-23",
            }
        else:
            database = stack.enter_context(serve_postgres()).new_database()
            database.create("LiteLLM_SpendLogs", SPEND_LOGS)
            database.create("LiteLLM_VerificationToken", KEYS)
            database.insert_all("LiteLLM_SpendLogs", recorded_rows("gateway"))
            database.insert_all("LiteLLM_VerificationToken", recorded_keys("gateway"))
            yield {"AGENTOPS_LITELLM_DATABASE_URL": database.url}


def core_calls(home: Path, kind: str) -> pl.DataFrame:
    with source(kind) as environ:
        settings = make_settings(home, TIERS, environ)
        loaded = load_parts(warehouse_of(settings), "litellm", proxy_parts(settings, now=NOW), observed_at=NOW)
    assert loaded.problems == []
    with warehouse_of(settings).locked("a test") as locked, locked.connect() as writer:
        write_conf_tables(writer, settings, as_of=NOW)
        for table in tables().values():
            if table.name.startswith("core."):
                writer.run_table(table)
        return writer.con.sql("SELECT * FROM core.calls ORDER BY call_id").pl()


@pytest.fixture(scope="module")
def over_http(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    return core_calls(tmp_path_factory.mktemp("http"), "http")


@pytest.fixture(scope="module")
def calls(over_http: pl.DataFrame) -> list[dict[str, Any]]:
    return over_http.to_dicts()


@pytest.fixture(scope="module")
def requests(calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What clients asked for: without attempt rows and health checks."""
    return [call for call in calls if call["is_request"]]


def test_postgresql_gives_the_same_calls(over_http: pl.DataFrame, tmp_path: Path) -> None:
    assert core_calls(tmp_path / "home", "postgresql").equals(over_http)


def test_every_line_of_the_truth_is_found(requests: list[dict[str, Any]]) -> None:
    """By its id; what LiteLLM rejected before it gave one (12 calls) is counted by key and kind."""
    by_id = {call["request_id"]: call for call in requests} | {call["litellm_call_id"]: call for call in requests}
    rejected: Counter[tuple[str | None, str]] = Counter()
    found: set[str] = set()
    for line in recorded_truth():
        call = by_id.get(line["response_id"]) or by_id.get(line["call_id"])
        if call is None:
            alias = None if line["scenario"] == "invalid_key" else line["key_alias"]
            rejected[alias, FAILED[line["scenario"]]] += 1
        else:
            found.add(call["call_id"])
            _check(line, call)
    assert rejected.total() == 12
    others = [call for call in requests if call["call_id"] not in found]
    assert rejected == Counter((call["key_alias"], call["error_kind"]) for call in others)
    assert len(found) + rejected.total() == len(requests) == len(recorded_truth())


def _check(line: dict[str, Any], call: dict[str, Any]) -> None:
    scenario = line["scenario"]
    is_ok = line["status"] == 200
    assert call["status"] == ("ok" if is_ok else "error"), scenario
    assert call["error_kind"] == (None if is_ok else FAILED[scenario]), scenario
    assert call["tokens_basis"] == ("reported" if is_ok else "estimated"), scenario
    if scenario != "unknown_model" and line["path"] == "/v1/chat/completions":
        assert call["model_group_requested"] == line["model"], scenario
        assert call["requested_tier"] == TIER_OF.get(line["model"]), scenario
    if not is_ok:
        return
    assert call["model_group_served"] == (line["model_group"] or call["model_group_served"]), scenario
    assert call["deployment_id"] == (line["model_id"] or call["deployment_id"]), scenario
    if line["attempted_fallbacks"] is not None:
        assert call["is_fallback"] == (line["attempted_fallbacks"] != "0"), scenario
    if scenario == "stream_cut_upstream":  # the upstream never said what it used
        return
    cached = line["seed"].get("cached", line["cached_tokens"])
    if cached is not None:
        assert call["cache_read_tokens"] == cached, scenario
    if "out" in line["seed"]:
        assert call["output_tokens"] == line["seed"]["out"], scenario
        asked = call["input_tokens"] + call["cache_read_tokens"] + call["cache_write_tokens"]
        assert asked == line["seed"]["in"], scenario


def test_fallbacks_budget_rejections_and_limits_follow_from_it(requests: list[dict[str, Any]]) -> None:
    truth = recorded_truth()
    fallbacks = [line for line in truth if line["attempted_fallbacks"] not in (None, "0")]
    assert sum(bool(call["is_fallback"]) for call in requests) == len(fallbacks) == 29
    # 4 of them went to another pool of the same group: only the deployment tells.
    other_group = [call for call in requests if call["is_fallback"] and _changed_group(call)]
    assert len(other_group) == 25
    kinds = Counter(call["error_kind"] for call in requests if call["status"] == "error")
    assert kinds == Counter(FAILED[line["scenario"]] for line in truth if line["status"] != 200)
    assert kinds["budget"] == 8
    assert {
        kind: kinds[kind] for kind in ("key_rpm_limit", "key_tpm_limit", "deployment_limit", "vendor_rate_limit")
    } == {
        "key_rpm_limit": 3,
        "key_tpm_limit": 3,
        "deployment_limit": 4,
        "vendor_rate_limit": 3,
    }


def _changed_group(call: dict[str, Any]) -> bool:
    return call["model_group_served"] != call["model_group_requested"]


def test_rows_that_are_no_requests_keep_their_spend(calls: list[dict[str, Any]]) -> None:
    """15 health checks and 3 billed attempts of requests that timed out."""
    others = [call for call in calls if not call["is_request"]]
    assert len(calls) == len(recorded_rows("gateway")) == 417
    assert len(others) == 417 - len(recorded_truth())
    assert Counter(call["session_type"] for call in others) == {"maintenance": 15, "api": len(others) - 15}
    spend = sum(float(call["spend_usd"]) for call in calls)
    assert spend == pytest.approx(sum(row["spend"] for row in recorded_rows("gateway")), abs=1e-9)
