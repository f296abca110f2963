"""Tiers: which work asks for which, what served it, what it would have cost at another tier's price.

One world, added up on paper. Prices per million tokens (input / cached / output): gpt-5.4-mini 0.75 / 0.075 / 4.50,
gpt-5.4 2.50 / 0.25 / 15, gpt-5.5 5 / 0.50 / 30; prompts beyond 272,000 tokens cost more. The usual call has 1,000
prompt tokens, 400 of them cached, and 100 output tokens: $0.00093, $0.0031 or $0.0062.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

import duckdb
import pytest

from agentops_pipelines_tests.mutants import survivors
from agentops_pipelines_tests.rows import batch, request
from agentops_pipelines_tests.test_calls import session, turn
from agentops_pipelines_tests.world import built, rows, tables

WEEK_47 = datetime(2026, 11, 18, 10)
WEEK_46 = WEEK_47 - timedelta(days=7)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)

MARTS = ("mart.tier_usage", "mart.tier_savings", "mart.model_usage")
MINI, STANDARD, HEAVY = Decimal("0.00093"), Decimal("0.0031"), Decimal("0.0062")

TOML = """
[tiers]
triage = ["triage"]
standard = ["standard", "foundry-gpt-5.4"]
heavy = ["heavy", "azure/gpt-5.5"]
[price_aliases]
triage = [{ priced_as = "openai/gpt-5.4" }, { priced_as = "openai/gpt-5.4-mini", since = 2026-11-16 }]
standard = [{ priced_as = "openai/gpt-5.5" }, { priced_as = "openai/gpt-5.4", since = 2026-11-16 }]
heavy = [{ priced_as = "openai/gpt-5.4" }, { priced_as = "openai/gpt-5.5", since = 2026-11-16 }]
[target_tiers]
polls = "triage"
deep = "standard"
"odd jobs" = "heavy"
[pools]
gpt = ["d-mini", "gpt"]
[limits.pools.gpt]
tokens_per_day = 11000
[[category_rules]]
category = "polls"
tag = "poll"
[[category_rules]]
category = "deep"
tag = "deep"
[[category_rules]]
category = "odd jobs"
tag = "odd"
"""

CALL = {"prompt_tokens": 1_000, "cache_read_tokens": 400, "output_tokens": 100, "total_tokens": 1_100, "spend_usd": 0.0}
ON_MINI = {**CALL, "model": "azure/gpt-5.4-mini", "deployment_id": "d-mini"}
ON_STANDARD = {**CALL, "model": "azure/gpt-5.4", "deployment_id": "gpt"}


def group(name: str) -> dict:
    return {"model_group": name, "original_model_group": name}


def requests() -> list:
    at = WEEK_47
    return [
        request(
            "p1",
            at,
            **ON_MINI,
            **group("triage"),
            category="poll",
            first_token_at=at + 0.2 * SECOND,
            ended_at=at + 1 * SECOND,
        ),
        request(
            "p2",
            at,
            **ON_MINI,
            **group("triage"),
            category="poll",
            first_token_at=at + 3 * SECOND,
            ended_at=at + 3 * SECOND,
        ),
        request(
            "p3",
            at,
            **ON_MINI,
            **group("triage"),
            category="poll",
            status="failure",
            error_kind="timeout",
            ended_at=at + 600 * SECOND,
        ),
        request("p3-attempt-0", at, **ON_MINI, **group("triage"), category="poll", status="failure", is_attempt=True),
        # asked for triage, served by the standard deployment
        request(
            "d1",
            at,
            **ON_STANDARD,
            category="deep",
            original_model_group="triage",
            attempted_fallbacks=1,
            ended_at=at + timedelta(days=1),
        ),
        # concrete models: the group stands in a tier, or the model that served does
        request("d2", at, **ON_STANDARD, **group("foundry-gpt-5.4"), category="deep"),
        request("d3", at, **CALL, **group("odd"), category="deep", model="azure/gpt-5.5"),
        request("d4", at, **CALL, **group("strange"), category="deep", model="x/strange"),
        # no category, no tier, no price: told apart by model and provider
        request("u1", at, **CALL, **group("x"), model="x/one", provider="x", ended_at=at + 2 * SECOND),
        request("u2", at, **CALL, **group("x"), model="x/one", provider="y", ended_at=at + 4 * SECOND),
        request("u3", at, **CALL, **group("x"), model="x/two", provider="x", ended_at=at + 6 * SECOND),
        request("u4", at, **CALL, **group("x"), model="x/two", provider="x", ended_at=None),
        request("u5", at, **CALL, model="foundry-gpt-5.4", provider=""),
        request("h1", at, **ON_MINI, is_health_check=True, status="success"),
        # spend without an answer, an answer without tokens, a probe that was paid for: neither free nor priced calls
        request("b1", at, status="failure", error_kind="timeout", spend_usd=0.01),
        request("z1", at, prompt_tokens=0, cache_read_tokens=0, output_tokens=0, total_tokens=0, spend_usd=0.0),
        request("h2", at, is_health_check=True),
        # another week: the tiers meant other models, and it is another latency
        request("p0", WEEK_46, **ON_MINI, **group("triage"), category="poll", ended_at=WEEK_46 + 9 * SECOND),
        # a prompt of another price band
        request("o1", at, **{**ON_STANDARD, "prompt_tokens": 300_000, "cache_read_tokens": 0}, category="odd"),
        request("o0", WEEK_46, **ON_STANDARD, category="odd"),
        request("d0", WEEK_46, **ON_STANDARD, category="deep"),
        # a fallback says nothing about the tier asked for: what served it is another model
        request("f1", WEEK_46, **CALL, model="azure/gpt-5.5", original_model_group="who", attempted_fallbacks=1),
    ]


DEPLOYMENTS = [
    {"deployment_id": "d-mini", "model_group": "triage", "model": "azure/gpt-5.4-mini", "rpm_limit": 10},
    {"deployment_id": "gpt", "model_group": "standard", "model": "azure/gpt-5.4", "rpm_limit": 5, "tpm_limit": 100},
]


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    world = batch(
        lines=turn("talk", WEEK_47, model="heavy", estimate_usd=0.1),
        sessions=[session("s1", "agent:alec:main")],
        requests=requests(),
        deployments=DEPLOYMENTS,
    )
    with built(tmp_path_factory.mktemp("tiers"), world, toml=TOML, only=MARTS) as connection:
        yield connection


def usage(con: duckdb.DuckDBPyConnection, category: str) -> dict[tuple[str, str], dict]:
    query = f"SELECT * FROM mart.tier_usage WHERE window_id = '2026-W47' AND category = '{category}'"
    return {(row["tier"], row["model"]): row for row in rows(con, query)}


def test_a_free_call_still_has_latency_context_and_its_share_of_the_quota(con) -> None:
    """Two polls answered (1 s, streamed after 0.2 s, and 3 s), one failed; 2,200 of 7 x 11,000 tokens."""
    (row,) = usage(con, "polls").values()
    assert (row["tier"], row["provider"], row["model"], row["pool"]) == ("triage", "azure", "azure/gpt-5.4-mini", "gpt")
    assert (row["calls"], row["error_calls"], row["fallback_calls"]) == (3, 1, 0)
    assert (row["timed_calls"], row["latency_p50_ms"], row["latency_p95_ms"]) == (2, 2_000, 2_900)
    assert row["first_token_p50_ms"] == 200
    assert row["context_tokens_per_call"] == 1_000
    assert (row["input_tokens"], row["cache_read_tokens"], row["output_tokens"]) == (1_200, 800, 200)
    assert row["total_tokens"] == 2_200
    assert row["quota_share"] == pytest.approx(2_200 / (11_000 * 7))
    assert (row["cost_usd"], row["list_usd"], row["rank_usd"]) == (0, 2 * MINI, 2 * MINI)


def test_the_tier_is_what_was_asked_for_and_concrete_models_have_one(con) -> None:
    found = usage(con, "deep")
    assert {key: row["calls"] for key, row in found.items()} == {
        ("triage", "azure/gpt-5.4"): 1,
        ("standard", "azure/gpt-5.4"): 1,
        ("heavy", "azure/gpt-5.5"): 1,
        ("none", "x/strange"): 1,
    }
    assert found["triage", "azure/gpt-5.4"]["fallback_calls"] == 1
    assert found["triage", "azure/gpt-5.4"]["latency_p50_ms"] == 86_400_000
    assert [row["category_share"] for row in found.values()] == [0.25] * 4
    assert found["triage", "azure/gpt-5.4"]["tier_share"] == 0.25  # the other three are polls


def test_without_a_deployment_there_is_no_quota_and_without_an_answer_no_context(con) -> None:
    assert usage(con, "deep")["none", "x/strange"]["quota_share"] is None
    (talk,) = usage(con, "main conversation").values()
    assert (talk["tier"], talk["timed_calls"], talk["latency_p50_ms"], talk["pool"]) == ("heavy", 0, None, None)
    assert talk["context_tokens_per_call"] == 150


def test_a_fallback_to_a_concrete_model_is_not_asked_for(con) -> None:
    found = rows(con, "SELECT tier FROM mart.tier_usage WHERE window_id = '2026-W46' AND model = 'azure/gpt-5.5'")
    assert found == [{"tier": "none"}]


def test_the_quota_of_a_pool_without_one_is_what_its_minutes_allow(tmp_path) -> None:
    """100 tokens a minute are 144,000 a day; 1,100 tokens in the week. Without any limit: nothing."""
    world = batch(requests=[request("1", WEEK_47, **ON_STANDARD)], deployments=[{**DEPLOYMENTS[1], "pool": "credits"}])
    with built(tmp_path / "one", world, only=("mart.tier_usage",)) as con:
        (row,) = rows(con, "SELECT * FROM mart.tier_usage WHERE window_id = '2026-W47'")
    assert row["quota_share"] == pytest.approx(1_100 / (144_000 * 7))
    world = batch(requests=[request("1", WEEK_47, **ON_STANDARD)], deployments=[{**DEPLOYMENTS[0], "pool": "credits"}])
    with built(tmp_path / "none", world, only=("mart.tier_usage",)) as con:
        (row,) = rows(con, "SELECT * FROM mart.tier_usage WHERE window_id = '2026-W47'")
    assert (row["tier"], row["quota_share"]) == ("none", None)


def test_models_know_their_share_and_the_context_they_carry(con) -> None:
    """Four calls of 1,000 prompt tokens: two cost 3,100 at list, one 930, one 6,200 millionths."""
    query = "SELECT * FROM mart.model_usage WHERE window_id = '2026-W46'"
    found = {(row["model_group_requested"], row["model"]): row for row in rows(con, query)}
    mini = found["triage", "azure/gpt-5.4-mini"]
    assert (mini["call_share"], mini["context_tokens_per_call"]) == (0.25, 1_000)
    assert mini["rank_share"] == pytest.approx(930 / (930 + 2 * 3_100 + 6_200))


def savings(con: duckdb.DuckDBPyConnection, window: str, scope: str = "category") -> dict[str, dict]:
    query = f"SELECT * FROM mart.tier_savings WHERE window_id = '{window}' AND scope = '{scope}'"
    return {row["name"]: row for row in rows(con, query)}


def test_savings_of_a_category_against_one_tier_for_everything(con) -> None:
    polls = savings(con, "2026-W47")["polls"]
    assert (polls["calls"], polls["total_tokens"], polls["covered_tokens"]) == (3, 2_200, 2_200)
    assert (polls["list_usd"], polls["all_standard_usd"], polls["all_heavy_usd"]) == (2 * MINI, 2 * STANDARD, 2 * HEAVY)
    assert (polls["saved_vs_heavy_usd"], polls["saved_vs_standard_usd"]) == (
        2 * HEAVY - 2 * MINI,
        2 * STANDARD - 2 * MINI,
    )
    assert polls["saved_vs_heavy_share"] == pytest.approx(1 - 0.00093 / 0.0062)
    assert polls["heavy_ratio"] == pytest.approx(0.0062 / 0.00093)
    assert (polls["target_tier"], polls["target_usd"], polls["saved_by_target_usd"]) == ("triage", 2 * MINI, 0)


def test_coverage_says_what_was_not_compared(con) -> None:
    """Of four deep calls one has a model nobody knows the price of: three at 3,100 + 3,100 + 6,200 are compared."""
    deep = savings(con, "2026-W47")["deep"]
    assert (deep["covered_tokens"], deep["total_tokens"], deep["coverage_share"]) == (3_300, 4_400, 0.75)
    assert (deep["list_usd"], deep["all_heavy_usd"], deep["target_usd"]) == (
        2 * STANDARD + HEAVY,
        3 * HEAVY,
        3 * STANDARD,
    )
    assert deep["saved_by_target_share"] == pytest.approx(0.0031 / 0.0124)


def test_prices_are_those_of_the_day(con) -> None:
    """In week 46 heavy meant gpt-5.4, standard gpt-5.5 and triage gpt-5.4."""
    polls = savings(con, "2026-W46")["polls"]
    assert (polls["list_usd"], polls["all_heavy_usd"], polls["all_standard_usd"]) == (MINI, STANDARD, HEAVY)
    assert (polls["target_usd"], polls["saved_by_target_usd"]) == (STANDARD, MINI - STANDARD)


def test_long_prompts_are_priced_as_long_prompts(con) -> None:
    """300,000 tokens of input at twice $2.50, 100 of output at $22.50 on standard; heavy at twice $5 and $45."""
    odd = savings(con, "2026-W47")["odd jobs"]
    assert odd["list_usd"] == odd["all_standard_usd"] == Decimal("1.50225")
    assert odd["all_heavy_usd"] == odd["target_usd"] == Decimal("3.0045")


def test_categories_and_triggers_add_up_to_the_total(con) -> None:
    for window in ("2026-W46", "2026-W47", "trailing_7d"):
        (total,) = savings(con, window, "total").values()
        for scope in ("category", "trigger"):
            parts = savings(con, window, scope).values()
            for column in ("calls", "total_tokens", "covered_tokens", "list_usd", "all_heavy_usd", "target_usd"):
                assert sum(row[column] or 0 for row in parts) == total[column], (window, scope, column)
    assert savings(con, "2026-W47", "trigger").keys() == {"human", "autonomous"}


def test_a_tier_without_a_price_gives_no_figure_instead_of_a_small_one(tmp_path) -> None:
    toml = '[tiers]\nheavy = ["nobody-knows"]\nstandard = []\n'
    with built(tmp_path, batch(requests=[request("1", WEEK_47, **ON_STANDARD)]), toml=toml, only=MARTS) as con:
        (total,) = savings(con, "2026-W47", "total").values()
    assert total["list_usd"] == STANDARD
    assert (total["all_heavy_usd"], total["all_standard_usd"], total["saved_vs_heavy_share"]) == (None, None, None)
    assert total["target_usd"] == STANDARD  # no mapping: everything stays as it was


def test_with_no_data_there_are_no_rows(tmp_path) -> None:
    with built(tmp_path, batch(), toml=TOML, only=MARTS) as con:
        for mart in ("tier_usage", "tier_savings"):
            assert rows(con, f"SELECT * FROM mart.{mart}") == []


@pytest.mark.parametrize(
    "name",
    ["mart.tier_usage", "mart.tier_savings", "core.tier_prices", "core.window_latency", "core.window_model_usage"],
)
def test_every_condition_matters(con, name: str) -> None:
    assert survivors(con, tables()[name].sql) == []
