"""Pipeline steps and smaller tiers on a week that a person can add up.

List prices per million tokens: gpt-5.4-mini (small) $0.75 in, $4.50 out; gpt-5.4 (middle) $2.50 in, $15 out;
claude-opus-4-7 (large) $5 in, $25 out. Cached tokens are left out.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from agentops_pipelines_tests.cron_rows import LONG_AGO, built_in_steps
from agentops_pipelines_tests.mutants import survivors
from agentops_pipelines_tests.rows import USER, Row, batch, line, request
from agentops_pipelines_tests.test_polls import session
from agentops_pipelines_tests.world import rows, tables

WEDNESDAY = datetime(2026, 11, 18, 10)
MINUTE = timedelta(minutes=1)
MARTS = ("mart.pipeline_steps", "mart.model_recommendations")
TOML = """
[tiers]
small = ["mini", "tiny"]
middle = ["gpt"]
large = ["opus"]
huge = ["never-used"]
[target_tiers]
"heartbeat poll" = "small"
"deep work" = "middle"
"webhook work" = "small"
[tier_floors]
TDD = "middle"
careful = "large"
[[category_rules]]
category = "deep work"
method = "_%"
[price_aliases]
mini = "openai/gpt-5.4-mini"
gpt = [{ priced_as = "openai/gpt-5.4" }, { priced_as = "openai/gpt-5.5", since = 2026-11-23 }]
opus = "anthropic/claude-opus-4-7"
"openai/gpt-5.4" = [{ priced_as = "openai/gpt-5.4" }, { priced_as = "openai/gpt-5.5", since = 2026-11-23 }]
"""
SERVED: dict[str, dict[str, Any]] = {
    "mini": {"model": "openai/gpt-5.4-mini", "provider": "openai"},
    "tiny": {"model": "nobody/unheard-of", "provider": "nobody"},
    "gpt": {"model": "openai/gpt-5.4", "provider": "openai"},
    "opus": {"model": "anthropic/claude-opus-4-7", "provider": "anthropic"},
}


def call(
    name: str, group: str, at: datetime = WEDNESDAY, *, prompt: int = 1000, output: int = 100, **more: object
) -> Row:
    """One request of a client, without cached tokens, that the gateway billed at $1."""
    asked = {"model_group": group, "original_model_group": group, **SERVED[group]}
    tokens = {"prompt_tokens": prompt, "cache_read_tokens": 0, "output_tokens": output}
    return request(name, at, **{**asked, **tokens, "spend_usd": 1.0, "key_alias": "worker", **more})


def turns(
    session_id: str,
    group: str,
    count: int,
    *,
    output: int = 100,
    at: datetime = WEDNESDAY,
    method: str | None = None,
    **more: object,
) -> tuple[list[Row], list[Row]]:
    """Lines and requests of that many turns of one session, a minute apart, begun by a job of its name."""
    lines, requests = [], []
    for n in range(count):
        moment, name = at + n * MINUTE, f"{session_id}-{at:%d}-{n}"
        tokens = {"input_tokens": 1000, "cache_read_tokens": 0, "output_tokens": output}
        job = {"mark": "cron", "mark_id": session_id, "mark_name": session_id} if session_id in JOBS else {}
        lines.append(line(f"{name}-u", moment, USER, session_id=session_id, **job))
        lines.append(
            line(f"{name}-a", moment, session_id=session_id, model=group, response_id=name, **{**tokens, **more})
        )
        requests.append(call(name, group, moment, output=output, method=method))
    return lines, requests


JOBS = ("nightly", "day", "evening")
WORK = {
    "beat": turns("beat", "opus", 4, poll_phrase="HEARTBEAT_OK"),
    "hook": turns("hook", "mini", 2),  # on target already
    "chat": turns("chat", "opus", 2, tool_calls=1),  # no target, not simple
    "child": turns("child", "gpt", 10),  # no target, simple
    "nightly": turns("nightly", "mini", 3),  # simple, but there is nothing smaller
    "day": turns("day", "gpt", 5, output=301),
    "evening": turns("evening", "gpt", 1),  # simple, unlike the job of the day
    "clever child": turns("clever-child", "opus", 1, tool_calls=1),
    "worker": turns("worker", "opus", 2, tool_calls=1, method="free"),
    "child before": turns("child", "gpt", 1, at=WEDNESDAY - timedelta(days=7)),
    "child after": turns("child", "gpt", 1, at=datetime(2026, 11, 23)),
}
SESSIONS = [
    session("beat", "main:heartbeat", heartbeat_base_key="agent:alec:main"),
    session("hook", "hook:x"),
    session("chat", "main"),
    session("child", "subagent:x"),
    session("clever-child", "subagent:y"),
    session("worker", "worker"),
    session("nightly", "cron:nightly"),
    session("day", "cron:day"),
    session("evening", "cron:evening"),
]
STEPS = [
    *(
        call(f"verify-{n}", "gpt", prompt=prompt, pipeline="dod", step="verify")
        for n, prompt in enumerate((100, 200, 300, 400))
    ),
    call("verify-failed", "gpt", prompt=9_000, pipeline="dod", step="verify", status="failure", spend_usd=0),
    call("verify-attempt", "gpt", prompt=9_000, pipeline="dod", step="verify", is_attempt=True, attempted_retries=2),
    call("verify-attempt-failed", "gpt", pipeline="dod", step="verify", is_attempt=True, status="failure", spend_usd=0),
    call("verify-before", "gpt", WEDNESDAY - timedelta(days=7), prompt=9_000, pipeline="dod", step="verify"),
    call("classify", "mini", prompt=50, pipeline="dod", step="classify"),
    call("lone-step", "mini", prompt=50, step="lone"),
    call("lone-pipeline", "mini", prompt=50, pipeline="lone", attempted_retries=1),
]
METHODS = [
    call("tdd", "opus", method="tdd"),
    call("free", "opus", method="free"),
    call("careful", "opus", method="careful"),
    call("hopeless", "opus", pipeline=None, method="hopeless", status="failure", spend_usd=0),
    call("unpriced", "tiny", prompt=1_000_000, method="free"),
    call("fallback", "gpt", method="free", **SERVED["opus"]),
    call("elsewhere", "gpt", method="free", model="openai/gpt-5.4", provider="azure"),
    call("no-tier", "opus", method="free", model_group="other", original_model_group="other"),
]


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """All of it."""
    world = batch(
        lines=[row for lines, _ in WORK.values() for row in lines],
        requests=[*(row for _, requests in WORK.values() for row in requests), *STEPS, *METHODS],
        sessions=SESSIONS,
    )
    with built_in_steps(tmp_path_factory.mktemp("tiers"), (LONG_AGO, world), toml=TOML, only=MARTS) as connection:
        yield connection


def step(con: duckdb.DuckDBPyConnection, pipeline: str | None, name: str | None, window: str = "2026-W47") -> dict:
    query = f"""
        SELECT * FROM mart.pipeline_steps
        WHERE window_id = '{window}'
          AND coalesce(pipeline, '') = '{pipeline or ""}' AND coalesce(step, '') = '{name or ""}'
    """
    (row,) = rows(con, query)
    return row


def test_a_step_by_hand(con: duckdb.DuckDBPyConnection) -> None:
    """Prompts of 100, 200, 300 and 400 tokens: mean 250, deviation 129.1; failures and attempts are left out of it."""
    row = step(con, "dod", "verify")
    assert (row["calls"], row["error_calls"], row["retries"]) == (5, 1, 2)
    assert (row["input_tokens_mean"], row["input_tokens_p50"], row["input_tokens_p95"]) == (250, 200, 400)
    assert row["input_tokens_cv"] == pytest.approx(129.099 / 250, abs=1e-5)
    assert row["input_p95_by_p50"] == 2
    assert row["cost_usd"] == Decimal(5)  # the attempt was billed too
    assert row["usd_per_call"] == 1
    assert (row["model_group_requested"], row["model"]) == ("gpt", "openai/gpt-5.4")


def test_a_step_against_a_session(con: duckdb.DuckDBPyConnection) -> None:
    """Nine sessions cost 4 + 2 + 2 + 10 + 3 + 5 + 1 + 1 + 2 = $30, all work of the week 30 + 8 + 7 = $45."""
    row = step(con, "dod", "verify")
    assert row["agent_session_usd"] == pytest.approx(30 / 9)
    # at list: four prompts, 1000 tokens together, and the attempt's 9000; 100 out each; failures have no tokens
    assert row["list_usd_per_call"] == pytest.approx((10_000 * 2.5 + 500 * 15) / 1e6 / 5)
    assert row["agent_session_list_usd"] == pytest.approx(0.152575 / 9)
    assert row["calls_per_session"] == pytest.approx(0.152575 / 9 / 0.0065)
    assert row["rank_share"] == pytest.approx(5 / 45)


def test_one_call_has_no_spread_and_half_a_name_is_enough(con: duckdb.DuckDBPyConnection) -> None:
    assert step(con, "dod", "classify")["input_tokens_cv"] is None
    assert step(con, "dod", "classify")["input_p95_by_p50"] == 1
    assert step(con, None, "lone")["calls"] == 1
    assert step(con, "lone", None)["retries"] == 1
    assert step(con, "dod", "verify", "2026-W46")["input_tokens_p95"] == 9_000
    assert step(con, "dod", "verify", "2026-W46")["agent_session_usd"] == 1


def advice(con: duckdb.DuckDBPyConnection) -> dict[tuple, dict]:
    query = "SELECT * FROM mart.model_recommendations WHERE window_id = '2026-W47'"
    return {(row["category"], row["method"], row["requested_tier"]): row for row in rows(con, query)}


def test_what_is_suggested_and_what_is_not(con: duckdb.DuckDBPyConnection) -> None:
    """Above target: heartbeats and two methods. Simple: a sub-agent and a job. One method has a floor in the way."""
    suggested = {key: (row["suggested_tier"], row["reason"]) for key, row in advice(con).items()}
    assert suggested == {
        ("heartbeat poll", None, "large"): ("small", "both"),
        ("deep work", "free", "large"): ("middle", "above target"),
        ("deep work", "tdd", "large"): ("middle", "above target"),
        ("sub-agent", None, "middle"): ("small", "simple turns"),
        ("routine work", None, "middle"): ("small", "simple turns"),
    }


def test_the_saving_is_at_list_prices(con: duckdb.DuckDBPyConnection) -> None:
    """Four heartbeats of 1000 in and 100 out: 4 * $0.0075 on large, 4 * $0.0012 on small."""
    row = advice(con)["heartbeat poll", None, "large"]
    assert (row["calls"], row["turns"], row["simple_turns"], row["empty_polls"]) == (4, 4, 4, 4)
    assert (row["list_usd"], row["suggested_list_usd"]) == (Decimal("0.03"), Decimal("0.0048"))
    assert (row["saving_list_usd"], row["suggested_model"]) == (Decimal("0.0252"), "openai/gpt-5.4-mini")
    assert (row["cost_usd"], row["output_tokens_per_call"], row["error_share"]) == (Decimal(4), 100, 0)
    assert (row["target_tier"], row["floor_tier"]) == ("small", None)


def test_a_floor_is_told_and_a_worker_has_no_turns(con: duckdb.DuckDBPyConnection) -> None:
    row = advice(con)["deep work", "tdd", "large"]
    assert (row["target_tier"], row["floor_tier"]) == ("middle", "middle")
    assert (row["turns"], row["simple_share"], row["unpriced_tokens"]) == (0, None, 0)
    assert advice(con)["deep work", "free", "large"]["turns"] == 2


@pytest.mark.parametrize("name", ["mart.pipeline_steps", "core.tier_work", "mart.model_recommendations"])
def test_every_condition_matters(con: duckdb.DuckDBPyConnection, name: str) -> None:
    left = survivors(con, tables()[name].sql)
    assert left == []
