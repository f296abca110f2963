"""Virtual keys: who spends with which, what is wrong with them, spent budgets, the gateway's word on errors."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal

import duckdb
import pytest

from agentops_pipelines_tests.mutants import survivors
from agentops_pipelines_tests.rows import batch, line, request
from agentops_pipelines_tests.world import AS_OF, build, built, rows, tables

T = datetime(2026, 11, 18, 10)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

MARTS = ("mart.key_attribution", "mart.key_hygiene", "mart.budget_incidents", "mart.error_storms")

KEYS = [
    {"key_hash": "k-alec", "key_alias": "alec-key", "max_budget_usd": 5.0, "created_at": AS_OF - 60 * DAY},
    {"key_hash": "k-ben", "key_alias": "ben-key", "created_at": AS_OF - 60 * DAY},
    {"key_hash": "k-shared", "key_alias": "team", "max_budget_usd": 0.03, "budget_duration": "7d"},
    {"key_hash": "k-old", "key_alias": "old", "created_at": AS_OF - 60 * DAY, "last_active_at": AS_OF - 31 * DAY},
    {"key_hash": "k-never", "key_alias": "never", "created_at": AS_OF - 40 * DAY},
    {"key_hash": "k-new", "key_alias": "new", "created_at": AS_OF - DAY},
    {"key_hash": "k-blocked", "key_alias": "off", "created_at": AS_OF - 60 * DAY, "is_blocked": True},
    {"key_hash": "k-shut", "key_alias": "shut", "created_at": AS_OF - 60 * DAY, "is_blocked": True},
    {"key_hash": "k-expired", "key_alias": "over", "expires_at": AS_OF - DAY, "created_at": AS_OF - 60 * DAY},
    {"key_hash": "k-ended", "key_alias": "ended", "expires_at": AS_OF - DAY, "created_at": AS_OF - 60 * DAY},
    {"key_hash": "k-soon", "key_alias": "soon", "expires_at": AS_OF + 13 * DAY, "created_at": AS_OF - DAY},
    {"key_hash": "k-later", "key_alias": "later", "expires_at": AS_OF + 14 * DAY, "created_at": AS_OF - DAY},
]
BEFORE = [{"key_hash": "k-ben", "key_alias": "ben-key", "max_budget_usd": 9.0, "created_at": AS_OF - 60 * DAY}]

FAILED = {"status": "failure", "spend_usd": 0.0, "output_tokens": 0, "total_tokens": 0, "prompt_tokens": 14}
BROKE = {
    **FAILED,
    "error_kind": "budget",
    "attempted_fallbacks": None,
    "error_budget_limit_usd": 0.02,
    "key_hash": "k-shared",
    "key_alias": "team",
}
ERROR = {"stop_reason": "error", "output_tokens": 0, "error_kind": "bad_request"}

TOML = """
[[category_rules]]
category = "research"
tag = "research"
"""


def pair(name: str, agent: str, at: datetime, **changes: object) -> tuple[dict, dict]:
    """A call that both sides saw."""
    return (
        dict(line(name, at, agent_id=agent, session_id=f"s-{agent}", response_id=name)),
        dict(request(name, at, **{"key_alias": None, **changes})),
    )


def error(name: str, agent: str, at: datetime, **changes: object) -> dict:
    """An error line whose call took 20 seconds."""
    place = {"agent_id": agent, "session_id": f"s-{agent}", "written_at": at + 20 * SECOND}
    return dict(line(name, at, **{**ERROR, **place, **changes}))


def world() -> dict:
    pairs = [
        pair("a1", "alec", T - HOUR, key_hash="k-alec", spend_usd=0.0),
        pair("a2", "alec", T - HOUR + MINUTE, key_hash="k-alec", spend_usd=0.25),
        pair("a3", "alec", T - HOUR + 2 * MINUTE, key_hash="k-shared", spend_usd=0.5),
        pair("b1", "ben", T - HOUR, key_hash="k-ben", spend_usd=1.0),
        pair("b2", "ben", T - HOUR + 2 * MINUTE, key_hash="k-shared", spend_usd=0.25),
        pair("a0", "alec", AS_OF - 31 * DAY, key_hash="k-old", spend_usd=3.0),
        pair("b0", "ben", AS_OF - 31 * DAY, key_hash="k-old", spend_usd=3.0),
        pair("c1", "cleo", T - HOUR, key_hash="k-cleo", key_alias="cleo", spend_usd=0.0),
    ]
    requests = [
        *(gateway for _, gateway in pairs),
        # four rejections within six hours of each other, two of them retries of one call; then another incident
        request("r1", T + SECOND, **BROKE, category="research", error_budget_spend_usd=0.021),
        request("r2", T + 2 * SECOND, **BROKE, category="research", error_budget_spend_usd=0.021),
        request("r3", T + 5 * MINUTE + SECOND, **BROKE, error_budget_spend_usd=0.021),
        request("r4", T + 6 * HOUR, **BROKE, model_group="heavy", original_model_group="heavy"),
        request("r5", T + 13 * HOUR, **{**BROKE, "error_budget_limit_usd": None}),
        request(
            "r6", T + 30 * MINUTE, **{**BROKE, "key_hash": None, "key_alias": None, "error_budget_limit_usd": None}
        ),
        request("r7", T, **BROKE, started_at=None),
        # in the storm, of the agent's own key, without a line; after it; and of a key that is not the agent's
        request("t1", T + 3 * MINUTE, **FAILED, key_hash="k-alec", error_kind="timeout"),
        request("t1-attempt-0", T + 3 * MINUTE, **FAILED, key_hash="k-alec", error_kind="timeout", is_attempt=True),
        request("t2", T + 40 * MINUTE, **FAILED, key_hash="k-alec", error_kind="timeout"),
        request("t0", T - MINUTE, **FAILED, key_hash="k-alec", error_kind="timeout"),
        request("t3", T + 3 * MINUTE, **FAILED, key_hash="k-ben", error_kind="provider_error"),
        request("t4", T + 3 * MINUTE, **FAILED, key_hash="k-ben", error_kind="provider_error"),
        request("y1", T - DAY + MINUTE + SECOND, **FAILED, key_hash="k-alec", error_kind="vendor_rate_limit"),
        request("y2", T + 2 * HOUR + SECOND, **FAILED, key_hash="k-alec", error_kind="content_filter"),
        request("fine", T + 3 * MINUTE, key_hash="k-alec", spend_usd=0.0),
        # tried in vain
        request("x1", T + 30 * MINUTE, **FAILED, key_hash="k-blocked", key_alias="off", error_kind="blocked_key"),
        request("x2", T + 30 * MINUTE, **FAILED, key_hash="k-expired", key_alias="over", error_kind="expired_key"),
        request("x3", T + 30 * MINUTE, **FAILED, key_hash="x-unknown", key_alias=None, error_kind="unknown_key"),
        # nobody's
        request("m1", T + 30 * MINUTE, key_hash="litellm_proxy_master_key", key_alias=None),
        request("m2", T + 30 * MINUTE, key_hash="k-nameless", key_alias=None),
        request("m3", T + 30 * MINUTE, key_hash="litellm-internal-health-check", key_alias=None, is_health_check=True),
        request("n1", T, key_hash="k-named", key_alias="named"),
        request("n2", T + MINUTE, key_hash="k-named", key_alias="renamed", spend_usd=0.0),
        request("n3", T + HOUR, key_hash="k-named", key_alias=None, spend_usd=0.0),
        # too long ago
        request("o2", AS_OF - 31 * DAY, key_hash="k-gone", key_alias="gone"),
    ]
    lines = [
        *(seen for seen, _ in pairs),
        line("c2", T - HOUR, agent_id="cleo", session_id="s-cleo"),  # past the gateway: no key
        # alec: three within ten minutes of each other, one far away, three the day before
        error("e1", "alec", T),
        error("e2", "alec", T + 5 * MINUTE),
        error("e3", "alec", T + 15 * MINUTE, error_kind=None, session_id="s-other", model="heavy"),
        error("e4", "alec", T + 2 * HOUR),
        *(error(f"e{n}", "alec", T - DAY + n * MINUTE, session_id="s-twin") for n in range(1, 4)),
        # ben at the same time, with ids like alec's and another model
        *(error(f"e{n}", "ben", T + 2 * (n - 1) * MINUTE, session_id="s-alec", model="elsewhere") for n in range(1, 4)),
        # dora: two are no storm, and a budget that only OpenClaw speaks of; of cleo's four the gateway knows nothing
        error("f1", "dora", T, model="elsewhere"),
        error("f2", "dora", T + MINUTE, model="elsewhere"),
        error("f3", "dora", T - 8 * HOUR, model="elsewhere", error_kind="budget"),
        *(error(f"g{n}", "cleo", T + (8 * n + 100) * MINUTE, model="elsewhere") for n in range(4)),
        error("g9", "cleo", T, written_at=None, model="elsewhere"),
        error("h1", "alec", T + 12 * MINUTE, stop_reason="stop", model="elsewhere"),
    ]
    return {"lines": lines, "requests": requests, "keys": KEYS}


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    home = tmp_path_factory.mktemp("keys")
    build(home, batch(keys=BEFORE), toml=TOML, as_of=AS_OF - 2 * DAY, only=())
    with built(home, batch(**world()), toml=TOML, only=MARTS) as connection:
        yield connection


def attribution(con: duckdb.DuckDBPyConnection, window: str = "2026-W47") -> dict[tuple[str, str], dict]:
    found = rows(con, f"SELECT * FROM mart.key_attribution WHERE window_id = '{window}'")
    return {(row["key_hash"], row["lane"]): row for row in found}


def test_spend_calls_and_failures_per_key_and_agent(con) -> None:
    """Spend: 0.25 + 0.5 + 1 + 0.25 of the pairs, 0.002 each of the master key, a nameless, a renamed, a probe."""
    found = attribution(con)
    mine = found["k-shared", "alec"]
    assert (mine["key_alias"], mine["calls"], mine["error_calls"], mine["budget_rejections"]) == ("team", 4, 3, 3)
    assert (mine["spend_usd"], mine["max_budget_usd"]) == (Decimal("0.5"), Decimal("0.03"))
    assert mine["spend_share"] == pytest.approx(0.5 / 2.008)
    assert (mine["key_agents"], mine["agent_keys"]) == (2, 2)
    assert found["k-shared", "ben"]["spend_usd"] == Decimal("0.25")
    assert found["k-shared", "team"]["agent_id"] is None  # rejections that no line explains
    assert (found["litellm-internal-health-check", "no key alias"]["calls"]) == 0


def test_an_agent_without_the_gateway_has_no_key(con) -> None:
    assert [key for key, lane in attribution(con) if lane == "cleo"] == ["k-cleo"]
    assert attribution(con)["k-cleo", "cleo"]["agent_keys"] == 1


def hygiene(con: duckdb.DuckDBPyConnection) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for row in rows(con, "SELECT * FROM mart.key_hygiene ORDER BY finding, key_hash, agent_id"):
        found.setdefault(row["finding"], []).append((row["key_hash"], row["agent_id"]))
    return found


def test_every_kind_of_finding_names_its_keys_and_no_others(con) -> None:
    assert hygiene(con) == {
        "master_key": [("litellm_proxy_master_key", "")],
        "unknown_key_tried": [("x-unknown", "")],
        "blocked_key_tried": [("k-blocked", "")],
        "expired_key_tried": [("k-expired", "")],
        "uncapped_but_priced": [("k-ben", "")],
        "capped_but_free": [("k-alec", "")],
        "shared_key": [("k-shared", "")],
        "several_keys": [("k-alec", "alec"), ("k-ben", "ben"), ("k-shared", "alec"), ("k-shared", "ben")],
        "expiring": [("k-soon", "")],
        "no_alias": [("k-nameless", "")],
        "unused": [("k-never", ""), ("k-old", "")],
    }


def test_findings_carry_what_one_decides_with(con) -> None:
    found = {(row["finding"], row["key_hash"]): row for row in rows(con, "SELECT * FROM mart.key_hygiene")}
    priced = found["uncapped_but_priced", "k-ben"]
    assert (priced["key_alias"], priced["calls"], priced["spend_usd"]) == ("ben-key", 1, Decimal(1))
    assert found["shared_key", "k-shared"]["agents"] == 2
    assert found["several_keys", "k-alec"]["agent_keys"] == 2
    assert found["expiring", "k-soon"]["due_at"] == AS_OF + 13 * DAY
    assert found["unused", "k-old"]["last_used_at"] == AS_OF - 31 * DAY
    assert found["capped_but_free", "k-alec"]["max_budget_usd"] == Decimal(5)
    (worst,) = [row["finding"] for row in found.values() if row["priority"] == 1]
    assert worst == "master_key"


def incidents(con: duckdb.DuckDBPyConnection) -> dict[tuple[str, int], dict]:
    found = rows(con, "SELECT * FROM mart.budget_incidents")
    return {(row["key_hash"], row["incident_number"]): row for row in found}


def test_rejections_within_six_hours_are_one_incident(con) -> None:
    first = incidents(con)["k-shared", 1]
    assert (first["first_at"], first["last_at"], first["rejections"]) == (T + SECOND, T + 6 * HOUR, 4)
    assert (first["key_alias"], first["local_date"]) == ("team", date(2026, 11, 18))
    assert (first["limit_usd"], first["spend_at_usd"]) == (Decimal("0.02"), Decimal("0.021"))
    assert (first["model_groups"], first["top_model_group"]) == (2, "standard")
    assert first["budget_duration"] == "7d"


def test_what_the_agent_saw_stands_beside_what_it_was(con) -> None:
    """Three rejections lie in two error lines of alec, which read as a bad request; ben knows the key too."""
    first = incidents(con)["k-shared", 1]
    assert (first["agents_hit"], first["error_lines"], first["agent_error_kind"]) == (1, 2, "bad_request")
    assert first["key_agents"] == 2


def test_an_incident_that_nobody_joined_has_the_limit_of_its_key(con) -> None:
    second = incidents(con)["k-shared", 2]
    assert (second["rejections"], second["limit_usd"], second["spend_at_usd"]) == (1, Decimal("0.03"), None)
    assert (second["agents_hit"], second["agent_error_kind"]) == (0, None)
    nameless = incidents(con)["", 1]
    assert (nameless["rejections"], nameless["limit_usd"], nameless["key_agents"]) == (1, None, 0)
    assert len(incidents(con)) == 3


def storms(con: duckdb.DuckDBPyConnection) -> dict[tuple[str, int], dict]:
    return {(row["agent_id"], row["storm_number"]): row for row in rows(con, "SELECT * FROM mart.error_storms")}


def test_a_storm_of_bad_requests_was_a_spent_budget(con) -> None:
    """Three lines; the gateway has three budget rejections in them and a timeout of the same agent beside them."""
    storm = storms(con)["alec", 2]
    assert (storm["first_at"], storm["last_at"]) == (T, T + 15 * MINUTE + 20 * SECOND)
    assert (storm["error_lines"], storm["sessions"], storm["models"]) == (3, 2, 2)
    assert storm["agent_error_kind"] == "bad_request"
    assert (storm["gateway_reason"], storm["gateway_failures"], storm["gateway_reasons"]) == ("budget", 4, 2)
    assert storm["gateway_reason_share"] == 0.75


def test_each_storm_has_its_own_reason(con) -> None:
    before, other = storms(con)["alec", 1], storms(con)["ben", 1]
    assert (before["gateway_reason"], before["gateway_failures"]) == ("vendor_rate_limit", 1)
    assert (other["gateway_reason"], other["gateway_failures"]) == ("provider_error", 2)


def test_a_storm_the_gateway_knows_nothing_of_says_so(con) -> None:
    storm = storms(con)["cleo", 1]
    assert (storm["error_lines"], storm["gateway_reason"], storm["gateway_reason_share"]) == (4, "none", None)


def test_two_errors_are_no_storm(con) -> None:
    assert storms(con).keys() == {("alec", 1), ("alec", 2), ("ben", 1), ("cleo", 1)}


def test_with_no_data_there_are_no_rows(tmp_path) -> None:
    with built(tmp_path, batch(), only=MARTS) as con:
        for mart in MARTS:
            assert rows(con, f"SELECT * FROM {mart}") == []


@pytest.mark.parametrize(
    "name",
    [
        "mart.key_attribution",
        "mart.key_hygiene",
        "mart.budget_incidents",
        "mart.error_storms",
        "core.virtual_keys",
        "core.key_facts",
    ],
)
def test_every_condition_matters(con, name: str) -> None:
    assert survivors(con, tables()[name].sql) == []
