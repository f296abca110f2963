"""What only one source has and why, how pairs differ, and LiteLLM's logs against its own counters.

One small world holds a case of each kind; every figure can be added up on paper. The recordings hold the real ones.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from agentops_pipelines.sources.batches import Batch
from agentops_pipelines.sources.litellm.daily import daily_frame_of
from agentops_pipelines.sources.litellm.rows import spend_log_frame, spend_log_row
from agentops_pipelines.sources.schemas import LITELLM_DAILY, LITELLM_SPEND_LOGS
from agentops_pipelines_tests.litellm_server import Recording, recorded_daily, recorded_rows
from agentops_pipelines_tests.mutants import survivors
from agentops_pipelines_tests.rows import Row, batch, line, request, span
from agentops_pipelines_tests.world import built, rows, tables

T = datetime(2026, 11, 18, 10)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
TABLES = (
    "core.unmatched_calls",
    "mart.unmatched_calls",
    "mart.source_reconciliation",
    "mart.gateway_reconciliation",
    "mart.free_model_spend",
)
CLIENT = {"user_agent": "OpenAI/JS 6"}


def _lines() -> list[Row]:
    return [
        line("pair", T, response_id="pair", estimate_usd=0.001),
        line("pair-2", T + MINUTE, session_id="s2", response_id="pair-2"),
        line("by-tokens", T + 2 * MINUTE, session_id="s3", input_tokens=7_000),
        line("other-agent", T, agent_id="ben", session_id="b", response_id="other-agent", estimate_usd=0.5),
        line("next-day", T + DAY, session_id="s4", response_id="next-day"),
        # the same line id in another session, and of another agent
        line("pair", T, session_id="s2", response_id="y1", input_tokens=1, provider="p1"),
        line("pair", T, agent_id="ben", response_id="y2", input_tokens=2, provider="p2"),
        # only OpenClaw's
        line("before", T - 10 * DAY, session_id="n1", response_id="x1"),
        line("direct", T + 3 * MINUTE, response_id="msg_1", provider="anthropic"),
        line("elsewhere", T + 3 * MINUTE, session_id="n8", response_id="x4", host="other"),
        line("like-the-error", T + 3 * MINUTE, session_id="n9", response_id="x5", provider="p3"),
        line("failed", T + 4 * MINUTE, session_id="n4", stop_reason="error", input_tokens=0, cache_read_tokens=0,
             output_tokens=0),
        line("reused", T + 5 * MINUTE, session_id="n5", response_id="pair", input_tokens=9_999),
        line("aborted", T + 6 * MINUTE, session_id="n6", stop_reason="aborted", input_tokens=0, cache_read_tokens=0,
             output_tokens=0),
        line("missing", T + 7 * MINUTE, session_id="n7", response_id="x3", estimate_usd=0.25),
        # a failing call and its two requests
        line("error", T + 20 * MINUTE, session_id="e", written_at=T + 21 * MINUTE, stop_reason="error",
             estimate_usd=0.0,
             input_tokens=0, cache_read_tokens=0, output_tokens=0, provider="p3"),
    ]  # fmt: skip


def _requests() -> list[Row]:
    failed = {"status": "failure", "prompt_tokens": 14, "spend_usd": 0.0, "output_tokens": 0, "user_agent": "SDK/1"}
    return [
        request("pair", T, **CLIENT),
        request("pair-2", T + MINUTE, **CLIENT),
        request("by-tokens", T + 2 * MINUTE, prompt_tokens=7_050, **CLIENT),
        request("other-agent", T, key_hash="k-ben", key_alias="ben", spend_usd=0.75, **CLIENT),
        request("next-day", T + DAY, **CLIENT),
        # only LiteLLM's
        request("check", T + 2 * MINUTE, is_health_check=True, prompt_tokens=1, **CLIENT),
        request("step", T + 3 * MINUTE, pipeline="dod-verify", prompt_tokens=2, **CLIENT),
        request("work", T + 3 * MINUTE, method="tdd-loop", prompt_tokens=3, **CLIENT),
        request("early", T - 9 * DAY, input_price=0.0, output_price=0.0, spend_usd=0.25, model_group="early", **CLIENT),
        request("later", T + 2 * DAY, prompt_tokens=4, **CLIENT),
        request("refused", T + 10 * MINUTE, **{**failed, "original_model_group": "heavy", "model_group": "heavy"}),
        request("script", T + 11 * MINUTE, prompt_tokens=5, user_agent="curl/8"),
        request("like-the-failed", T + 11 * MINUTE, prompt_tokens=5, user_agent="SDK/1"),
        request("stranger", T + 12 * MINUTE, prompt_tokens=6, key_hash="k9", key_alias="team", **CLIENT),
        request("pruned", T + 13 * MINUTE, prompt_tokens=7, **CLIENT),
        request("try-1", T + 20 * MINUTE, **failed),
        request("try-2", T + 20 * MINUTE + MINUTE / 2, **failed),
        request("try-2-attempt-0", T + 20 * MINUTE, **{**failed, "is_attempt": True, "spend_usd": 0.125}),
        # free by configuration, but cached tokens are billed; and one that really is free
        request("free", T + 14 * MINUTE, prompt_tokens=8, input_price=0.0, output_price=0.0, spend_usd=0.02,
                cache_read_tokens=500, model_group="free", **CLIENT),
        request("free-2", T + 15 * MINUTE, prompt_tokens=9, input_price=0.0, output_price=0.0, spend_usd=0.0,
                model_group="free", **CLIENT),
        request("free-3", T + 15 * MINUTE, prompt_tokens=9, input_price=0.0, output_price=0.0, spend_usd=0.0,
                model_group="really free", **CLIENT),
        request("free-4", T + 16 * MINUTE, input_price=0.0, output_price=0.1, model_group="half free", **CLIENT),
        request("free-5", T + 16 * MINUTE, input_price=0.1, output_price=0.0, model_group="half free", **CLIENT),
        request("free-6", T + 16 * MINUTE, **{**failed, "input_price": 0.0, "output_price": 0.0, "spend_usd": 0.5}),
    ]  # fmt: skip


def _daily() -> list[Row]:
    """Alec's key: 18 rows are logged on the first day, 23 were counted; the second day is right."""
    day = T.replace(hour=0)
    counted = {"key_hash": "k", "key_alias": "alec", "output_tokens": 0, "spend_usd": 0.0}
    return [
        {"usage_date": day, **counted, "requests": 23, "prompt_tokens": 20_000, "output_tokens": 500, "spend_usd": 1.0},
        {"usage_date": day, **counted, "key_hash": "only-counted", "key_alias": "gone", "requests": 2,
         "prompt_tokens": 9},
        {"usage_date": day + DAY, **counted, "requests": 1, "prompt_tokens": 150, "output_tokens": 10,
         "spend_usd": 0.002},
    ]  # fmt: skip


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    spans = [span("1", T, litellm_call_id="unheard", key_alias="traced")]
    world = batch(lines=_lines(), requests=_requests(), daily=_daily(), spans=spans)
    with built(tmp_path_factory.mktemp("world"), world, as_of=T + DAY + 5 * HOUR, only=TABLES) as connection:
        yield connection


REASONS = {
    "before": "no gateway data",
    "direct": "gateway not used",
    "failed": "failed",
    "elsewhere": "gateway not used",
    "like-the-error": "gateway not used",
    "like-the-failed": "another client",
    "reused": "id used again",
    "aborted": "no tokens",
    "missing": "row missing",
    "check": "no request",
    "step": "pipeline step",
    "work": "worker",
    "early": "no transcript",
    "later": "no agent data",
    "refused": "failed",
    "script": "another client",
    "stranger": "key of no agent",
    "pruned": "no transcript",
    "unheard": "traces alone",
}


def test_each_call_of_one_source_has_its_reason(con: duckdb.DuckDBPyConnection) -> None:
    found = {
        row["name"]: row["reason"]
        for row in rows(
            con,
            "SELECT coalesce(c.line_id, c.request_id, c.litellm_call_id) AS name, u.reason FROM core.unmatched_calls u "
            "JOIN core.calls c USING (call_id) "
            "WHERE c.line_id IS DISTINCT FROM 'pair' AND NOT coalesce(c.request_id, '') LIKE 'free%'",
        )
    }
    assert found == REASONS


def test_every_call_is_a_pair_or_has_a_reason(con: duckdb.DuckDBPyConnection) -> None:
    (row,) = rows(
        con,
        "SELECT count(*) AS calls, count(*) FILTER (WHERE c.source = 'both') AS pairs, count(u.call_id) AS reasons "
        "FROM core.calls c LEFT JOIN core.unmatched_calls u USING (call_id)",
    )
    assert row["calls"] == row["pairs"] + row["reasons"]


def test_unmatched_calls_are_added_up_by_reason(con: duckdb.DuckDBPyConnection) -> None:
    found = {
        (row["source"], row["reason"]): row
        for row in rows(con, "SELECT * FROM mart.unmatched_calls WHERE window_id = '2026-W47'")
    }
    assert ("openclaw", "no gateway data") not in found  # it lies in another week
    assert (found["openclaw", "row missing"]["calls"], found["openclaw", "row missing"]["total_tokens"]) == (1, 160)
    checks = found["litellm", "no request"]
    assert (checks["calls"], checks["requests"], checks["cost_usd"]) == (1, 0, Decimal("0.002"))
    assert found["litellm", "failed"]["total_tokens"] == 0  # what a failure logs is an estimate


def test_a_day_of_an_agent_and_key_shows_both_books(con: duckdb.DuckDBPyConnection) -> None:
    found = {
        (row["local_date"].day, row["agent_id"], row["key_alias"]): row
        for row in rows(con, "SELECT * FROM mart.source_reconciliation WHERE host IS DISTINCT FROM 'other'")
    }
    alec = found[18, "alec", "alec"]
    assert (alec["openclaw_calls"], alec["matched_by_id"], alec["matched_by_tokens"]) == (3, 2, 1)
    assert (alec["litellm_requests"], alec["error_requests"], alec["litellm_only"]) == (5, 2, 0)
    assert (alec["openclaw_tokens"], alec["litellm_tokens"], alec["token_difference"]) == (7_380, 7_380, 0)
    assert (alec["estimate_usd"], alec["spend_usd"]) == (Decimal("0.001"), Decimal("0.002"))
    assert alec["spend_difference_usd"] == Decimal("0.001")
    ben = found[18, "ben", "ben"]
    assert (ben["estimate_usd"], ben["spend_usd"], ben["spend_difference_usd"]) == (
        Decimal("0.5"),
        Decimal("0.75"),
        Decimal("0.25"),
    )
    alone = found[18, "alec", None]
    assert (alone["openclaw_calls"], alone["openclaw_only"], alone["litellm_requests"]) == (7, 7, 0)
    assert alone["matched_share"] == 0.0
    only_gateway = found[18, None, "alec"]
    assert (only_gateway["openclaw_calls"], only_gateway["litellm_only"]) == (0, 12)
    assert only_gateway["matched_share"] is None
    assert found[19, "alec", "alec"]["matched_by_id"] == 1


def test_rows_that_litellm_lost_show_against_its_own_counters(con: duckdb.DuckDBPyConnection) -> None:
    found = {
        (row["usage_date"].day, row["key_hash"]): row for row in rows(con, "SELECT * FROM mart.gateway_reconciliation")
    }
    first = found[18, "k"]
    assert (first["logged_requests"], first["counted_requests"], first["lost_requests"]) == (18, 23, 5)
    assert first["is_settled"]
    assert (first["counted_tokens"], first["counted_usd"]) == (20_500, Decimal(1))
    assert first["lost_tokens"] == 20_500 - first["logged_tokens"]
    assert first["lost_usd"] == 1 - first["logged_usd"]
    second = found[19, "k"]
    assert (second["lost_requests"], second["is_settled"]) == (0, False)
    assert found[18, "only-counted"]["lost_requests"] == 2
    assert found[18, "k-ben"]["lost_requests"] == -1
    assert {day for day, _ in found} == {18, 19}  # of other days there are no counters


def test_free_models_that_bill_are_named(con: duckdb.DuckDBPyConnection) -> None:
    found = rows(con, "SELECT * FROM mart.free_model_spend WHERE window_id = '2026-W47'")
    assert [(row["model_group"], row["calls"], row["spending_calls"]) for row in found] == [("free", 2, 1)]
    assert (found[0]["cache_read_tokens"], found[0]["spend_usd"]) == (500, Decimal("0.02"))


@pytest.mark.parametrize("name", TABLES)
def test_each_condition_of_the_table_decides_something(name: str, con: duckdb.DuckDBPyConnection) -> None:
    assert survivors(con, tables()[name].sql) == []


@pytest.mark.parametrize(("name", "lost"), [("combined", 0), ("gateway", 0)])
def test_the_recordings_logs_equal_the_counters_but_for_rows_that_were_dropped(
    tmp_path: Path, name: Recording, lost: int
) -> None:
    world = Batch(
        tables={
            LITELLM_SPEND_LOGS: spend_log_frame([spend_log_row(row) for row in recorded_rows(name)]),
            LITELLM_DAILY: daily_frame_of(recorded_daily(name)),
        }
    )
    with built(tmp_path, world, as_of=datetime(2026, 11, 26), only=["mart.gateway_reconciliation"]) as con:
        (row,) = rows(
            con,
            "SELECT sum(lost_requests) AS requests, sum(lost_tokens) AS tokens, round(sum(lost_usd), 9) AS usd "
            "FROM mart.gateway_reconciliation",
        )
    print(name, row)
    assert row["requests"] == lost
