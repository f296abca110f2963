"""Fallbacks: asked for against served, of the gateway and of OpenClaw, with the reason as far as it is known."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

import duckdb
import pytest

from agentops_pipelines_tests.mutants import survivors
from agentops_pipelines_tests.rows import USER, batch, line, request
from agentops_pipelines_tests.test_calls import turn
from agentops_pipelines_tests.world import AS_OF, build, built, rows, tables

T = datetime(2026, 11, 18, 10)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)

TOML = """
[tiers]
standard = ["standard", "ordered"]
lone = ["lone"]
[pools]
gpt = ["d-std", "d-z1"]
claude = ["d-claude", "d-o2"]
"""

DEPLOYMENTS = [
    {"deployment_id": "d-std", "model_group": "standard"},
    {"deployment_id": "d-claude", "model_group": "claude"},
    {"deployment_id": "d-z1", "model_group": "ordered", "priority": 1},
    {"deployment_id": "d-o2", "model_group": "ordered", "priority": 2},
    {"deployment_id": "d-lone", "model_group": "lone"},
]
BEFORE = [
    {"deployment_id": "d-z1", "model_group": "ordered", "priority": 3},
    {"deployment_id": "d-lone", "model_group": "lone", "priority": 7},
]
ROUTES = [
    {"kind": "fallback", "model_group": "standard", "position": 1, "target": "claude"},
    {"kind": "fallback", "model_group": "standard", "position": 2, "target": "backup"},
    {"kind": "alias", "model_group": "lone", "position": 1, "target": "standard"},
]
OLD_ROUTES = [{"kind": "fallback", "model_group": "standard", "position": 1, "target": "ordered"}]

FAILED = {"status": "failure", "spend_usd": 0.0, "deployment_id": "d-std"}
SERVED_ELSEWHERE = {"model_group": "claude", "deployment_id": "d-claude"}


def requests() -> list:
    on_lone = {"model_group": "lone", "original_model_group": "lone", "deployment_id": "d-lone"}
    on_ordered = {"model_group": "ordered", "original_model_group": "ordered"}
    return [
        request("plain", T, deployment_id="d-std"),
        request("day before", T - timedelta(days=1), deployment_id="d-std"),
        # 10:01: one fell back, three failed: twice the provider's limit, once a timeout
        request("fb1", T + MINUTE, **SERVED_ELSEWHERE, attempted_fallbacks=1),
        request("lim1", T + MINUTE + SECOND, **FAILED, error_kind="vendor_rate_limit"),
        request("lim2", T + MINUTE + 2 * SECOND, **FAILED, error_kind="vendor_rate_limit"),
        request("late", T + MINUTE + 3 * SECOND, **FAILED, error_kind="timeout"),
        request("late-attempt-0", T + MINUTE + 3 * SECOND, **FAILED, error_kind="timeout", is_attempt=True),
        # 10:05: nothing tells why; two hops
        request("fb2", T + 5 * MINUTE, **SERVED_ELSEWHERE, attempted_fallbacks=2),
        request("own fault", T + 5 * MINUTE, **FAILED, error_kind="bad_request"),
        # 10:06: the failure is another group's; and a budget says nothing of the model
        request("fb3", T + 6 * MINUTE, **SERVED_ELSEWHERE, attempted_fallbacks=1),
        request("broke", T + 6 * MINUTE, **FAILED, error_kind="budget"),
        request("alone", T + 6 * MINUTE, **{**FAILED, **on_lone}, error_kind="provider_error"),
        request("hopped", T + 7 * MINUTE, **{**FAILED, **on_lone}, error_kind="timeout", attempted_fallbacks=1),
        request("over", T + 8 * MINUTE, **on_ordered, deployment_id="d-o2", attempted_fallbacks=1),
        # an older proxy: the group that served is all there is
        request("old1", T, **{**SERVED_ELSEWHERE, "original_model_group": None, "attempted_fallbacks": None}),
        request("old2", T, **{**FAILED, "attempted_fallbacks": None}, error_kind="unknown_key"),
        request("timeless", T, deployment_id="d-std", attempted_fallbacks=1, started_at=None),
    ]


def lines() -> list:
    failed = {"stop_reason": "error", "output_tokens": 0, "input_tokens": 0, "cache_read_tokens": 0}
    return [
        line("u1", T, USER),
        line("e1", T + SECOND, **failed, error_kind="rate_limit"),
        line("a1", T + 2 * SECOND, model="claude"),
        line("a2", T + 3 * SECOND, model="standard"),  # back again: no error before it
        # the same model again is a retry; what comes after it is no fallback
        line("u2", T + MINUTE, USER),
        line("e2", T + 61.5 * SECOND, **failed, error_kind="timeout"),
        line("a3", T + 62.5 * SECOND),
        line("a4", T + 63.5 * SECOND, model="claude"),
        # in the next turn another model is another question
        line("e3", T + 64.5 * SECOND, **failed),
        *turn("next", T + 9 * MINUTE, model="claude"),
        # at the same moment the order of the ids decides
        line("e4", T, session_id="s2", **failed, model="claude"),
        line("z4", T, session_id="s2"),
        line("z5", T + SECOND, session_id="s2", model="claude"),
    ]


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    home = tmp_path_factory.mktemp("fallbacks")
    build(home, batch(deployments=BEFORE, routes=OLD_ROUTES), toml=TOML, as_of=AS_OF - timedelta(days=2), only=())
    world = batch(lines=lines(), requests=requests(), deployments=DEPLOYMENTS, routes=ROUTES)
    with built(home, world, toml=TOML, only=("mart.fallbacks",)) as connection:
        yield connection


def found(con: duckdb.DuckDBPyConnection, kind: str) -> list[dict]:
    return rows(con, f"SELECT * FROM mart.fallbacks WHERE kind = '{kind}' ORDER BY calls DESC, reason")


def test_a_fallback_names_both_pools_and_the_reason_of_its_minute(con) -> None:
    first = next(row for row in found(con, "gateway_fallback") if row["reason"] != "unknown")
    assert (first["local_date"], first["tier"]) == (date(2026, 11, 18), "standard")
    assert (first["model_group_requested"], first["model_group_served"]) == ("standard", "claude")
    assert (first["requested_pool"], first["served_pool"]) == ("gpt", "claude")
    assert (first["reason"], first["reason_evidence"]) == ("vendor_rate_limit", "same_minute")
    assert (first["calls"], first["hops"], first["total_tokens"]) == (1, 1, 160)


def test_what_nothing_tells_is_unknown(con) -> None:
    (silent,) = [row for row in found(con, "gateway_fallback") if row["reason"] == "unknown"]
    assert (silent["calls"], silent["hops"], silent["max_hops"], silent["reason_evidence"]) == (2, 3, 2, "none")


def test_the_share_is_of_all_requests_of_the_tier_on_that_day(con) -> None:
    """Standard: nine of the gateway that were asked for standard or ordered, and six lines of OpenClaw."""
    (silent,) = [row for row in found(con, "gateway_fallback") if row["reason"] == "unknown"]
    (count,) = con.sql(
        "SELECT count(*) FROM core.calls WHERE requested_tier = 'standard' AND is_request AND local_date = '2026-11-18'"
    ).fetchall()[0]
    assert silent["tier_calls"] == count
    assert silent["tier_share"] == 2 / count


def test_a_failover_inside_a_group_is_no_fallback_to_another(con) -> None:
    (row,) = found(con, "same_group_failover")
    assert (row["model_group_served"], row["deployment_id"], row["calls"]) == ("ordered", "d-o2", 1)
    assert (row["requested_pool"], row["served_pool"]) == ("gpt", "claude")


def test_requests_that_failed_are_told_apart_by_whether_there_was_a_fallback(con) -> None:
    failed = {(row["model_group_requested"], row["reason"]): row["calls"] for row in found(con, "all_failed")}
    assert failed.pop(("standard", "bad_request")) == 1
    assert failed == {("standard", "vendor_rate_limit"): 2, ("standard", "timeout"): 1, ("lone", "timeout"): 1}
    (row,) = found(con, "no_fallback")
    assert (row["model_group_requested"], row["reason"], row["reason_evidence"]) == ("lone", "provider_error", "logged")
    assert row["served_pool"] is None


def test_an_older_proxy_is_unknown_and_not_none(con) -> None:
    (row,) = found(con, "unknown")
    assert (row["model_group_requested"], row["model_group_served"]) == ("claude", "claude")
    assert (row["calls"], row["hops"], row["reason"]) == (1, None, "unknown")


def test_openclaw_falls_back_after_an_error_line_to_another_model_in_the_turn(con) -> None:
    row, same_moment = sorted(found(con, "openclaw_fallback"), key=lambda each: each["reason"])
    assert (same_moment["model_group_requested"], same_moment["model_group_served"]) == ("claude", "standard")
    assert (row["model_group_requested"], row["model_group_served"], row["tier"]) == ("standard", "claude", "standard")
    assert (row["calls"], row["reason"], row["reason_evidence"]) == (1, "rate_limit", "error_line")


def test_groups_know_their_first_deployment_and_their_first_fallback(con) -> None:
    groups = {row["model_group"]: row for row in rows(con, "SELECT * FROM core.model_groups")}
    assert (groups["ordered"]["deployment_id"], groups["ordered"]["deployments"]) == ("d-z1", 2)
    assert (groups["standard"]["fallback_group"], groups["standard"]["fallbacks"]) == ("claude", 2)
    assert (groups["lone"]["fallback_group"], groups["lone"]["fallbacks"]) == (None, 0)


def test_with_no_data_there_are_no_rows(tmp_path) -> None:
    with built(tmp_path, batch(), only=("mart.fallbacks",)) as con:
        assert rows(con, "SELECT * FROM mart.fallbacks") == []


@pytest.mark.parametrize("name", ["mart.fallbacks", "core.fallback_calls", "core.model_groups"])
def test_every_condition_matters(con, name: str) -> None:
    assert survivors(con, tables()[name].sql) == []
