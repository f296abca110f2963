"""The gateway's questions on a real proxy's rows: what the clients saw happen is what the tables say.

Belongs here: counts derived from the recordings (`gateway_truth`: one line per call as its client saw it).
"""

import json
import os
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import duckdb
import pytest

from agentops_pipelines.settings import StateDir
from agentops_pipelines.sources.batches import Batch, Ledger
from agentops_pipelines.sources.litellm.dimensions import deployment_row, key_row, route_rows
from agentops_pipelines.sources.litellm.rows import spend_log_frame, spend_log_row
from agentops_pipelines.sources.openclaw.reader import ReadRules, read_state_dir
from agentops_pipelines.sources.schemas import (
    LITELLM_DEPLOYMENTS,
    LITELLM_KEYS,
    LITELLM_ROUTES,
    LITELLM_SPEND_LOGS,
)
from agentops_pipelines_tests.litellm_server import (
    Recording,
    recorded_keys,
    recorded_models,
    recorded_router,
    recorded_rows,
    recorded_truth,
)
from agentops_pipelines_tests.world import built, rows

SEEN = datetime(2026, 11, 24, 15)

MARTS = (
    "mart.fallbacks",
    "mart.pool_headroom",
    "mart.budget_incidents",
    "mart.key_attribution",
    "mart.key_hygiene",
    "mart.tier_usage",
)

TOML = """
[tiers]
triage = ["triage", "cheap", "foundry-gpt-5.4-mini"]
standard = ["standard", "standard-ordered", "foundry-gpt-5.4"]
heavy = ["heavy", "foundry-gpt-5.5"]
[pools]
claude = ["foundry-claude-haiku-4-5", "foundry-claude-sonnet-4-6", "foundry-claude-opus-4-8"]
"""


def recorded_batch(name: Recording) -> Batch:
    """Spend logs, keys, deployments and routes of a recording."""
    return Batch(
        tables={
            LITELLM_SPEND_LOGS: spend_log_frame([spend_log_row(log) for log in recorded_rows(name)]),
            LITELLM_KEYS: LITELLM_KEYS.frame([key_row(key, observed_at=SEEN) for key in recorded_keys(name)]),
            LITELLM_DEPLOYMENTS: LITELLM_DEPLOYMENTS.frame(
                [deployment_row(model, observed_at=SEEN) for model in recorded_models(name)]
            ),
            LITELLM_ROUTES: LITELLM_ROUTES.frame(route_rows(recorded_router(name), observed_at=SEEN)),
        }
    )


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    home = tmp_path_factory.mktemp("gateway")
    with built(home, recorded_batch("gateway"), toml=TOML, as_of=SEEN, only=MARTS) as connection:
        yield connection


@pytest.fixture(scope="module")
def combined(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    home = tmp_path_factory.mktemp("combined")
    with built(home, recorded_batch("combined"), toml=TOML, as_of=SEEN, only=MARTS) as connection:
        yield connection


def counts(con: duckdb.DuckDBPyConnection, kind: str, *columns: str) -> Counter:
    """Calls of a kind of mart.fallbacks by some of its columns."""
    found = rows(con, f"SELECT {', '.join(columns)}, calls FROM mart.fallbacks WHERE kind = '{kind}'")
    counted: Counter = Counter()
    for row in found:
        counted[tuple(row[column] for column in columns)] += row["calls"]
    return counted


def truth(*scenarios: str) -> list[dict]:
    """Lines of these scenarios, or of all."""
    return [line for line in recorded_truth() if not scenarios or line["scenario"] in scenarios]


def fell_back(line: dict) -> bool:
    """Whether the response header said that the first deployment did not serve."""
    return line["status"] == 200 and int(line["attempted_fallbacks"] or 0) > 0


def test_fallbacks_are_those_the_clients_were_told_of(gateway) -> None:
    expected = Counter(
        (line["model"], line["model_id"]) for line in truth() if fell_back(line) and line["model"] != "standard-ordered"
    )
    assert sum(expected.values()) == 25
    assert counts(gateway, "gateway_fallback", "model_group_requested", "deployment_id") == expected


def test_failovers_inside_a_group_are_no_fallbacks(gateway) -> None:
    expected = Counter(
        (line["model"], line["model_id"]) for line in truth("same_group_order_failover") if fell_back(line)
    )
    assert sum(expected.values()) == 4
    assert counts(gateway, "same_group_failover", "model_group_requested", "deployment_id") == expected


def test_fallbacks_go_from_one_pool_to_the_other(gateway) -> None:
    assert set(counts(gateway, "gateway_fallback", "requested_pool", "served_pool")) == {("gpt", "claude")}


def test_requests_that_all_models_failed_are_counted_by_their_own_reason(gateway) -> None:
    """Scenarios in which a group with a fallback failed in the end, also where none was allowed or apt."""
    kinds = {
        "allfail_500": "provider_error",
        "allfail_429": "vendor_rate_limit",
        "allfail_timeout": "timeout",
        "allfail_400": "bad_request",
        "disable_fallbacks": "provider_error",
        "context_window_all_gpt": "context_window",
        "malformed_body": "provider_error",
    }
    expected = Counter((line["model"], kinds[line["scenario"]]) for line in truth(*kinds))
    assert counts(gateway, "all_failed", "model_group_requested", "reason") == expected


def test_failures_of_groups_without_a_fallback(gateway) -> None:
    scenarios = [line["scenario"] for line in truth() if line["scenario"].startswith("nofallback")]
    expected = Counter(
        line["model"]
        for line in truth(*scenarios, "fallback_model_group_alias", "deployment_rpm")
        if line["status"] != 200
    )
    assert counts(gateway, "no_fallback", "model_group_requested") == Counter(
        {(model,): count for model, count in expected.items()}
    )


def test_this_proxy_logs_fallbacks_so_none_is_unknown(gateway) -> None:
    assert counts(gateway, "unknown", "model_group_requested") == Counter()


def test_rejections_by_a_limit_are_told_apart_by_kind(gateway) -> None:
    (found,) = rows(
        gateway,
        """
        SELECT
          CAST(sum(key_limit_rejections) AS BIGINT) AS of_keys,
          CAST(sum(deployment_limit_rejections) AS BIGINT) AS of_deployments,
          CAST(sum(vendor_rejections) AS BIGINT) AS of_vendors
        FROM mart.pool_headroom WHERE scope = 'deployment'
        """,
    )
    limited = Counter(line["scenario"] for line in truth() if line["status"] == 429)
    assert found == {
        "of_keys": limited["key_rpm"] + limited["key_tpm"],
        "of_deployments": limited["deployment_rpm"],
        "of_vendors": limited["allfail_429"] + limited["nofallback_429"],
    }
    assert sum(found.values()) == sum(limited.values()) == 13


def test_budget_rejections_by_key(gateway) -> None:
    expected = Counter(
        line["key_alias"] for line in truth("budget_cap", "zero_budget_paid_model") if line["status"] == 422
    )
    found = rows(gateway, "SELECT * FROM mart.budget_incidents")
    assert {row["key_alias"]: row["rejections"] for row in found} == dict(expected)
    assert {row["key_alias"]: float(row["limit_usd"]) for row in found} == {"shared-capped": 0.004, "zero-budget": 0.0}


def test_calls_and_failures_by_key(gateway) -> None:
    """Rejected keys too. What the proxy lost (a reused id) is not there; the client that hung up has no line."""
    logs = [spend_log_row(log) for log in recorded_rows("gateway")]
    requests = [log for log in logs if not (log["is_attempt"] or log["is_health_check"])]
    calls = Counter(log["key_hash"] for log in requests)
    failures = Counter(log["key_hash"] for log in requests if log["status"] == "failure")
    found = rows(gateway, "SELECT * FROM mart.key_attribution WHERE window_id = '2026-W48' AND calls > 0")
    assert {row["key_hash"]: row["calls"] for row in found} == dict(calls)
    assert {row["key_hash"]: row["error_calls"] for row in found if row["error_calls"]} == dict(failures)


def test_keys_that_need_care(gateway) -> None:
    found = {
        (row["finding"], row["key_alias"]) for row in rows(gateway, "SELECT finding, key_alias FROM mart.key_hygiene")
    }
    assert found >= {
        ("master_key", None),
        ("unknown_key_tried", None),
        ("blocked_key_tried", "blocked-key"),
        ("expired_key_tried", "expired-key"),
        ("capped_but_free", "shared-capped"),
        ("capped_but_free", "zero-budget"),
    }
    assert not {alias for finding, alias in found if finding in ("no_alias", "unused")}


def test_tiers_are_what_the_clients_asked_for(gateway) -> None:
    tiers = {
        "triage": "triage",
        "cheap": "triage",
        "standard": "standard",
        "standard-ordered": "standard",
        "heavy": "heavy",
    }
    tiers |= {"foundry-gpt-5.4-mini": "triage", "foundry-gpt-5.4": "standard", "foundry-gpt-5.5": "heavy"}
    expected = Counter(tiers[line["model"]] for line in truth() if line["model"] in tiers)
    query = """
        SELECT tier, CAST(sum(calls) AS BIGINT) AS calls FROM mart.tier_usage
        WHERE window_id = '2026-W48' AND tier <> 'none' GROUP BY tier
    """
    assert {row["tier"]: row["calls"] for row in rows(gateway, query)} == dict(expected)


def test_minutes_add_up_to_the_answered_calls(gateway) -> None:
    """Each request counts in one minute of its deployment; the tightest deployment allows two requests a minute."""
    (row,) = rows(gateway, "SELECT * FROM mart.pool_headroom WHERE scope = 'deployment' AND name = 'tight-rpm'")
    served = [line for line in truth("deployment_rpm") if line["status"] == 200]
    assert (row["requests"], row["rpm_limit"], row["peak_rpm"]) == (len(served), 2, 2)
    assert (row["rpm_minutes_100"], row["deployment_limit_rejections"]) == (1, 4)


# --- with OpenClaw behind it


def test_fallbacks_and_budgets_of_a_gateway_that_agents_used(combined) -> None:
    logs = [spend_log_row(log) for log in recorded_rows("combined")]
    expected = Counter(
        (log["original_model_group"], log["deployment_id"]) for log in logs if log["attempted_fallbacks"]
    )
    assert sum(expected.values()) == 11
    assert counts(combined, "gateway_fallback", "model_group_requested", "deployment_id") == expected
    (incident,) = rows(combined, "SELECT * FROM mart.budget_incidents")
    refused = [log for log in logs if log["error_class"] == "BudgetExceededError"]
    assert (incident["key_alias"], incident["rejections"]) == ("costaff", len(refused))
    times = sorted(str(log["started_at"]) for log in refused)
    assert (str(incident["first_at"]), str(incident["last_at"])) == (times[0], times[-1])


RECORDINGS = os.environ.get("AGENTOPS_RECORDINGS", "")

KINDS = {
    "APIError": "provider_error",
    "BadRequestError": "bad_request",
    "BudgetExceededError": "budget",
    "RateLimitError": "vendor_rate_limit",
}


@pytest.mark.skipif(not RECORDINGS, reason="AGENTOPS_RECORDINGS names no folder of recordings")
def test_what_the_gateway_says_of_recorded_storms_is_what_really_happened(tmp_path: Path) -> None:
    """The truth names the agent of each failed call: those within a storm are its failures."""
    folder = Path(RECORDINGS) / "combined"
    (state,) = {path.parent for path in (folder / "state").rglob("agents")}
    lines = read_state_dir(
        StateDir(host="local", path=state),
        ledger=Ledger(source="openclaw"),
        rules=ReadRules(empty_poll_phrases=()),
        scratch=tmp_path / "scratch",
    )
    calls = map(json.loads, (folder / "truth.jsonl").read_text(encoding="utf-8").splitlines())
    failed = [call for call in calls if call.get("error_class") in KINDS]
    with built(tmp_path / "home", *lines, recorded_batch("combined"), as_of=SEEN, only=("mart.error_storms",)) as con:
        storms = rows(con, "SELECT * FROM mart.error_storms")
    assert {storm["agent_id"] for storm in storms} == {"alec", "costaff"}
    for storm in storms:
        of_storm = Counter(
            KINDS[call["error_class"]]
            for call in failed
            if call["agent"] == storm["agent_id"]
            and storm["first_at"] <= datetime.fromisoformat(call["t0"]).replace(tzinfo=None) <= storm["last_at"]
        )
        ((reason, times),) = of_storm.most_common(1)
        assert (storm["gateway_reason"], storm["gateway_failures"]) == (reason, of_storm.total())
        assert storm["gateway_reason_share"] == times / of_storm.total()
