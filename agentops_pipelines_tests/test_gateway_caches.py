"""Prompt caches that broke, and work that used another model than it is mapped to: small cases added up on paper.

Prices per million tokens (input / read / write): claude-haiku-4-5 1 / 0.10 / 1.25, claude-sonnet-4-6 3 / 0.30 / 3.75.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

import duckdb
import pytest

from agentops_pipelines_tests.mutants import survivors
from agentops_pipelines_tests.rows import ASSISTANT, batch, line, request
from agentops_pipelines_tests.test_calls import session
from agentops_pipelines_tests.world import built, rows, tables

T = datetime(2026, 11, 18, 10)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
WEEK = timedelta(days=7)

MARTS = ("mart.cache_efficiency", "mart.broken_caches")

TOML = """
[[category_rules]]
category = "heartbeat"
session_type = "heartbeat"
[price_aliases]
house = [{ priced_as = "openai/gpt-5.4-mini" }, { priced_as = "openai/gpt-5.4", since = 2026-11-18 }]
"""


def call(name: str, at: datetime, session_id: str, fresh: int, read: int, written: int, **changes: object) -> dict:
    """An answer of haiku with so many tokens of input, read from and written to the cache."""
    tokens = {"input_tokens": fresh, "cache_read_tokens": read, "cache_write_tokens": written}
    answer = {**ASSISTANT, "provider": "anthropic", "model": "claude-haiku-4-5", "session_id": session_id, **tokens}
    return dict(line(name, at, answer, **changes))


def paired(name: str, at: datetime, session_id: str, *tokens: int, **changes: object) -> tuple[dict, dict]:
    """The same seen by the gateway too."""
    fresh, read, written = tokens
    counts = {"prompt_tokens": fresh + read + written, "cache_read_tokens": read, "cache_write_tokens": written}
    served = {"provider": "anthropic", "model": "claude-haiku-4-5"}
    return (
        call(name, at, session_id, *tokens, response_id=name, model="standard", provider="litellm"),
        dict(request(name, at, **{**counts, **served, **changes})),
    )


def world() -> dict:
    pairs = [
        # written for an hour: half an hour later it should still be there
        paired("d1", T, "hour", 100, 0, 10_000, cache_write_1h_tokens=10_000),
        paired("d2", T + 30 * MINUTE, "hour", 100, 0, 10_000),
        # a client that hung up: the tokens are an estimate
        paired("e1", T, "cut", 100, 0, 10_000),
        paired("e2", T + MINUTE, "cut", 12_000, 0, 0, is_client_disconnect=True),
    ]
    lines = [
        *(seen for seen, _ in pairs),
        call("a1", T, "s1", 1_000, 0, 10_000),
        call("a2", T + 1 * MINUTE, "s1", 500, 10_000, 1_000),
        call("a3", T + 2 * MINUTE, "s1", 3_000, 0, 9_000),  # broken: 11,000 tokens again
        call("a4", T + 7 * MINUTE, "s1", 100, 0, 9_000),  # after exactly five minutes: broken
        call("a5", T + 13 * MINUTE, "s1", 9_100, 0, 0),  # after six: expired
        # after a compaction the prompt is another
        call("b1", T, "short", 0, 0, 10_000),
        call("b2", T + MINUTE, "short", 2_000, 0, 0),
        # another model has another cache
        call("c1", T, "other", 0, 0, 10_000),
        call("c2", T + MINUTE, "other", 10_500, 0, 0, model="claude-sonnet-4-6"),
        # three heartbeats, half an hour apart, and one the week before
        *(call(f"h{n}", T + n * 30 * MINUTE, "beats", 100, 0, 10_000) for n in range(3)),
        call("w1", T - WEEK, "beats", 100, 0, 10_000),
        call("w2", T - WEEK + MINUTE, "beats", 100, 0, 10_000),
        # 1,023 tokens are nothing, 1,024 are the smallest prompt that is cached
        call("t1", T, "small", 0, 1_023, 0),
        call("t2", T + MINUTE, "small", 1_024, 0, 1_024),
        call("t3", T + 2 * MINUTE, "small", 2_000, 0, 0),
        # nobody knows the price
        call("u1", T, "unknown", 0, 0, 10_000, model="x"),
        call("u2", T + MINUTE, "unknown", 10_000, 0, 0, model="x"),
        # what failed or was stopped between two calls, or has no time, is passed over
        call("f1", T, "failed", 0, 0, 10_000),
        call("f2", T + MINUTE, "failed", 12_000, 0, 0, stop_reason="aborted"),
        call("f3", T + 2 * MINUTE, "failed", 100, 10_000, 0),
        call("g1", T, "timeless", 0, 0, 50_000, written_at=None, started_at=None),
        call("g2", T, "timeless", 60_000, 0, 0),
        # prices by day, by the size of the prompt, by the provider
        call("p8", T - WEEK, "house", 0, 10_000, 0, model="house", provider=""),
        call("p9", T - WEEK + MINUTE, "house", 10_000, 0, 0, model="house", provider=""),
        call("p1", T, "house", 0, 10_000, 0, model="house", provider=""),
        call("p2", T + MINUTE, "house", 10_000, 0, 0, model="house", provider=""),
        call("p3", T + 2 * MINUTE, "house", 0, 300_000, 0, model="house", provider=""),
        call("p4", T + 3 * MINUTE, "house", 300_000, 0, 0, model="house", provider=""),
        call("p5", T, "elsewhere", 0, 0, 0, provider="litellm"),
        call("q1", T, "s1", 10, 0, 0, agent_id="ben"),
    ]
    alone = {"provider": "anthropic", "model": "anthropic/claude-haiku-4-5", "output_tokens": 1}
    requests = [
        *(gateway for _, gateway in pairs),
        request("l1", T, **alone, prompt_tokens=10_000, cache_read_tokens=10_000),
        request("l2", T + SECOND, **alone, prompt_tokens=10_000, cache_read_tokens=0),
    ]
    sessions = [
        session("s1", "agent:alec:main"),
        session("beats", "agent:alec:main:heartbeat"),
        session("s1", "agent:ben:main", agent_id="ben"),
    ]
    return {"lines": lines, "requests": requests, "sessions": sessions}


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    with built(tmp_path_factory.mktemp("caches"), batch(**world()), toml=TOML, only=MARTS) as connection:
        yield connection


def gaps(con: duckdb.DuckDBPyConnection, session_id: str) -> list[tuple]:
    return con.execute(
        "SELECT split_part(call_id, '/', 4), kind, rebilled_tokens, rebilled_usd FROM core.cache_gaps "
        "WHERE session_id = ? AND started_at > '2026-11-17' ORDER BY started_at",
        [session_id],
    ).fetchall()


def test_a_prefix_that_was_cached_moments_ago_is_paid_for_again(con) -> None:
    """a3: 9,000 written at 1.25 and 2,000 as input at 1, less 11,000 reads at 0.10. a5 came after six minutes."""
    assert gaps(con, "s1") == [
        ("a3", "broken", 11_000, Decimal("0.01215")),
        ("a4", "broken", 9_000, Decimal("0.01035")),
        ("a5", "expired", 9_000, Decimal("0.0081")),
    ]


def test_an_hour_that_was_paid_for_is_the_lifetime(con) -> None:
    assert [row[:3] for row in gaps(con, "hour")] == [("d2", "broken", 10_000)]


def test_another_model_is_no_broken_cache(con) -> None:
    assert gaps(con, "other") == [("c2", "other_model", 10_000, Decimal("0.027"))]


def test_a_shorter_prompt_an_estimate_a_stopped_call_and_a_lost_time_prove_nothing(con) -> None:
    for session_id in ("short", "cut", "failed", "timeless"):
        assert gaps(con, session_id) == []


def test_only_what_can_be_cached_counts(con) -> None:
    assert gaps(con, "small") == [("t3", "broken", 1_024, Decimal("0.0009216"))]


def test_an_unknown_price_is_no_zero(con) -> None:
    assert gaps(con, "unknown") == [("u2", "broken", 10_000, None)]


def test_prices_are_those_of_the_day_and_of_the_prompt(con) -> None:
    """gpt-5.4: 10,000 at 2.50 less 0.25; beyond 272,000 tokens at 5 less 0.50."""
    assert gaps(con, "house") == [
        ("p2", "broken", 10_000, Decimal("0.0225")),
        ("p4", "broken", 300_000, Decimal("1.35")),
    ]


def efficiency(con: duckdb.DuckDBPyConnection, scope: str, name: str, window: str = "2026-W47") -> dict:
    query = (
        f"SELECT * FROM mart.cache_efficiency WHERE window_id = '{window}' AND scope = '{scope}' AND name = '{name}'"
    )
    (row,) = [row for row in rows(con, query) if row["agent_id"] in ("", "alec")]
    return row


def test_the_share_of_a_session_and_what_it_lost(con) -> None:
    """Prompts of 11,000, 11,500, 12,000, 9,100 and 9,100 tokens, 10,000 of them read from the cache."""
    row = efficiency(con, "session", "s1")
    assert (row["calls"], row["prompt_tokens"], row["cache_read_tokens"]) == (5, 52_700, 10_000)
    assert row["cache_read_share"] == pytest.approx(10_000 / 52_700)
    assert (row["broken_caches"], row["broken_tokens"], row["broken_usd"]) == (2, 20_000, Decimal("0.0225"))
    assert (row["expired_caches"], row["expired_tokens"], row["expired_usd"]) == (1, 9_000, Decimal("0.0081"))


def test_what_it_costs_that_heartbeats_come_after_the_cache_is_gone(con) -> None:
    """Each beat writes 10,000 tokens again: 12,500 less 1,000 millionths, the first of the week too."""
    for scope in ("category", "session_type"):
        row = efficiency(con, scope, "heartbeat")
        assert (row["expired_caches"], row["expired_usd"], row["broken_caches"]) == (3, Decimal("0.0345"), 0)
    before = efficiency(con, "session_type", "heartbeat", "2026-W46")
    assert (before["expired_caches"], before["broken_caches"]) == (0, 1)


def test_sessions_of_the_same_name_are_told_apart_by_their_agents(con) -> None:
    found = rows(
        con, "SELECT agent_id, broken_caches FROM mart.cache_efficiency WHERE scope = 'session' AND name = 's1'"
    )
    assert {(row["agent_id"], row["broken_caches"]) for row in found} == {("alec", 2), ("ben", 0)}


def test_broken_caches_are_listed_with_their_session(con) -> None:
    found = {row["call_id"].split("/")[-1]: row for row in rows(con, "SELECT * FROM mart.broken_caches")}
    assert found.keys() == {"a3", "a4", "d2", "t3", "u2", "p2", "p4", "p9", "w2"}
    assert found["a3"]["session_key"] == "agent:alec:main"
    assert (found["a3"]["cached_before_tokens"], found["a3"]["cache_read_tokens"]) == (11_000, 0)


def test_with_no_data_there_are_no_rows(tmp_path) -> None:
    with built(tmp_path, batch(), only=(*MARTS, "mart.mapping_conformance")) as con:
        for mart in ("cache_efficiency", "broken_caches", "mapping_conformance"):
            assert rows(con, f"SELECT * FROM mart.{mart}") == []


@pytest.mark.parametrize("name", ["mart.cache_efficiency", "mart.broken_caches", "core.cache_gaps"])
def test_every_condition_matters(con, name: str) -> None:
    assert survivors(con, tables()[name].sql) == []


# --- the model map

MAP = """
[tiers]
triage = ["triage"]
standard = ["standard", "claude"]
heavy = ["heavy", "azure/gpt-5.5"]
[mapping.operations]
polls = "triage"
deep = "heavy"
[mapping.methods]
polls = "claude"
tdd = "gpt-5.4"
[[category_rules]]
category = "polls"
tag = "poll"
[[category_rules]]
category = "deep"
tag = "deep"
"""


def asked(name: str, group: str, **changes: object) -> dict:
    return dict(request(name, T, **{"model_group": group, "original_model_group": group, **changes}))


@pytest.fixture(scope="module")
def mapped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    fell = {"attempted_fallbacks": 1}
    world = batch(
        requests=[
            asked("1", "triage", category="poll", model="azure/gpt-5.4-mini"),
            asked("2", "triage", category="poll", model="azure/gpt-5.4-mini"),
            asked("3", "heavy", category="poll", model="azure/gpt-5.5"),
            asked("4", "strange", category="poll", model="x/strange"),
            asked("5", "triage", category="poll", model="a/claude", model_group="claude", **fell),
            # a fallback inside the tier, and one to a model that only its own name puts into a tier
            asked("6", "heavy", category="deep", model="azure/gpt-5.5", model_group="reserve", **fell),
            asked("7", "heavy", category="deep", model="x/other", model_group="reserve", **fell),
            asked("8", "standard", method="TDD"),
            asked("9", "standard", method="tdd", model="gpt-5.4"),
            asked("10", "standard", method="tdd", model="azure/gpt-5.5"),
            asked("11", "claude", method="polls", model="azure_ai/claude-haiku-4-5"),
            asked("12", "claude", method="polls", model="azure/gpt-5.4", model_group="standard", **fell),
            asked("13", "standard", method="free"),
            asked("14", "standard", category="else"),
        ]
    )
    with built(tmp_path_factory.mktemp("mapped"), world, toml=MAP, only=("mart.mapping_conformance",)) as connection:
        yield connection


def verdicts(con: duckdb.DuckDBPyConnection, kind: str, name: str) -> dict[tuple[str, str], tuple[str, int, float]]:
    query = (
        f"SELECT * FROM mart.mapping_conformance WHERE window_id = '2026-W47' AND kind = '{kind}' AND name = '{name}'"
    )
    return {(row["asked"], row["served"]): (row["verdict"], row["calls"], row["share"]) for row in rows(con, query)}


def test_operations_use_the_tier_they_are_mapped_to(mapped) -> None:
    assert verdicts(mapped, "operation", "polls") == {
        ("triage", "triage"): ("as_mapped", 2, 0.4),
        ("heavy", "heavy"): ("asked_other", 1, 0.2),
        ("none", "none"): ("asked_other", 1, 0.2),
        ("triage", "standard"): ("served_other", 1, 0.2),
    }
    assert verdicts(mapped, "operation", "deep") == {
        ("heavy", "heavy"): ("as_mapped", 1, 0.5),
        ("heavy", "none"): ("served_other", 1, 0.5),
    }


def test_a_method_may_be_mapped_to_a_model_or_to_a_group(mapped) -> None:
    assert verdicts(mapped, "method", "tdd") == {
        ("gpt-5.4", "gpt-5.4"): ("as_mapped", 2, pytest.approx(2 / 3)),
        ("standard", "azure/gpt-5.5"): ("asked_other", 1, pytest.approx(1 / 3)),
    }
    assert verdicts(mapped, "method", "polls") == {
        ("claude", "claude"): ("as_mapped", 1, 0.5),
        ("claude", "azure/gpt-5.4"): ("served_other", 1, 0.5),
    }


def test_what_is_not_mapped_is_not_judged(mapped) -> None:
    names = {row["name"] for row in rows(mapped, "SELECT name FROM mart.mapping_conformance")}
    assert names == {"polls", "deep", "tdd"}


def test_every_condition_of_the_map_matters(mapped) -> None:
    assert survivors(mapped, tables()["mart.mapping_conformance"].sql) == []
