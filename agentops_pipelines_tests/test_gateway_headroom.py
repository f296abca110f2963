"""Headroom of pools: minutes that a person can count, clock changes, the running day, and when the limit comes.

The usual day has a minute with 20 requests, one with 19 ... one with 1; a request has 160 tokens. Of 1,440 minutes one
in a hundred is left out, so the P99 minute is the 15th busiest: 6 requests.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

import duckdb
import pytest

from agentops_pipelines_tests.mutants import survivors
from agentops_pipelines_tests.rows import batch, request
from agentops_pipelines_tests.world import AS_OF, build, built, rows, tables

MINUTE = timedelta(minutes=1)
WEEK = timedelta(days=7)

MARTS = ("mart.pool_headroom", "mart.pool_forecast")
USUAL = datetime(2026, 11, 18, 10)
LONG = datetime(2026, 10, 25, 10)
SHORT = datetime(2026, 3, 29, 10)
TODAY = datetime(2026, 11, 24, 2)

TOML = """
timezone = "Europe/Berlin"
[pools]
gpt = ["d1", "d2", "gpt"]
open = ["d4"]
[limits.deployments.d1]
tpm = 4800
[limits.deployments.gpt]
rpm = 1
[limits.pools.gpt]
rpm = 40
"""
DEPLOYMENTS = [
    {"deployment_id": "d1", "model_group": "standard", "pool": "elsewhere", "rpm_limit": 10, "tpm_limit": 1},
    {"deployment_id": "d2", "model_group": "standard", "rpm_limit": 10, "tpm_limit": 5_000},
    {"deployment_id": "gpt", "model_group": "other", "pool": "gpt", "rpm_limit": 1, "tpm_limit": 200},
    {"deployment_id": "d3", "model_group": "lone", "tpm_limit": 100},
]
BEFORE = [{"deployment_id": "d2", "model_group": "standard", "rpm_limit": 99, "tpm_limit": 99}]


def stairs(day: datetime, name: str) -> list:
    """20 requests in the first minute, 19 in the next ... 1 in the twentieth."""
    return [
        request(f"{name}-{busy}-{n}", day + (20 - busy) * MINUTE + n * timedelta(seconds=1), deployment_id="d1")
        for busy in range(20, 0, -1)
        for n in range(busy)
    ]


def requests() -> list:
    refused = {"status": "failure", "spend_usd": 0.0, "deployment_id": "d1", "prompt_tokens": 14, "output_tokens": 0}
    at = USUAL + timedelta(hours=2)
    return [
        *(row for day in (USUAL, LONG, SHORT, TODAY) for row in stairs(day, f"{day:%m%d}")),
        # d2 adds one request to the busiest minute of the pool
        request("second", USUAL, deployment_id="d2"),
        request("third", USUAL, deployment_id="gpt"),
        request("lone", USUAL, deployment_id="d3"),
        request("unlimited", USUAL, deployment_id="d4"),
        request("nowhere", USUAL, deployment_id=None),
        request("never", USUAL, deployment_id="d1", started_at=None),
        # refused by the gateway: used nothing. Refused by the provider, timed out: used a request, no tokens
        *(request(f"key{n}", at, **refused, error_kind=kind) for n, kind in enumerate(("key_rpm_limit", "key_limit"))),
        request("own", at, **refused, error_kind="deployment_limit"),
        request("budget", at, **refused, error_kind="budget"),
        request("vendor", at + MINUTE, **refused, error_kind="vendor_rate_limit"),
        request("vendor-attempt-0", at + MINUTE, **refused, error_kind="vendor_rate_limit", is_attempt=True),
        request("cut", at + 2 * MINUTE, deployment_id="d1", is_client_disconnect=True, error_kind="client_disconnect"),
    ]


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    home = tmp_path_factory.mktemp("headroom")
    build(home, batch(deployments=BEFORE), toml=TOML, as_of=AS_OF - timedelta(days=2), only=())
    with built(home, batch(requests=requests(), deployments=DEPLOYMENTS), toml=TOML, only=MARTS) as connection:
        yield connection


def day(con: duckdb.DuckDBPyConnection, name: str, on: datetime = USUAL, scope: str = "deployment") -> dict:
    query = f"SELECT * FROM mart.pool_headroom WHERE scope = '{scope}' AND name = '{name}'"
    (row,) = [row for row in rows(con, query) if row["local_date"] == on.date()]
    return row


def test_a_day_of_a_deployment_against_its_limits(con) -> None:
    """11 minutes have 10 requests or more, 13 have 8 or more; 210 requests, 2 refused by the provider and 1 cut."""
    row = day(con, "d1")
    assert (row["minutes"], row["used_minutes"], row["requests"]) == (1_440, 22, 213)
    assert (row["rpm_limit"], row["peak_rpm"], row["p99_rpm"]) == (10, 20, 6)
    assert (row["rpm_minutes_100"], row["rpm_minutes_80"]) == (11, 13)
    assert (row["tpm_limit"], row["peak_tpm"], row["p99_tpm"]) == (4_800, 3_200, 960)
    assert (row["tpm_minutes_100"], row["tpm_minutes_80"]) == (0, 0)
    assert (row["rpm_headroom"], row["tpm_headroom"], row["headroom"]) == (
        pytest.approx(0.4),
        pytest.approx(0.8),
        pytest.approx(0.4),
    )
    assert row["tokens"] == 210 * 160


def test_rejections_are_told_apart_by_whose_limit_it_was(con) -> None:
    row = day(con, "d1")
    assert row["key_limit_rejections"] == 2
    assert row["deployment_limit_rejections"] == 1
    assert row["vendor_rejections"] == 1


def test_a_pool_adds_its_deployments_minute_by_minute(con) -> None:
    """Requests: the configured 40. Tokens: 4,800 + 5,000 + 200, as all three are known."""
    row = day(con, "gpt", scope="pool")
    assert (row["peak_rpm"], row["requests"], row["peak_tpm"]) == (22, 215, 22 * 160)
    assert (row["rpm_limit"], row["tpm_limit"]) == (40, 10_000)
    assert (row["rpm_minutes_80"], row["rpm_minutes_100"]) == (0, 0)
    assert row["headroom"] == pytest.approx(1 - 6 / 40)


def test_days_of_25_and_of_23_hours_have_their_own_minutes(con) -> None:
    """1,500 minutes leave out 15, 1,380 leave out 13."""
    long, short = day(con, "d1", LONG), day(con, "d1", SHORT)
    assert (long["minutes"], long["p99_rpm"]) == (1_500, 5)
    assert (short["minutes"], short["p99_rpm"]) == (1_380, 7)


def test_of_the_running_day_only_the_minutes_so_far_count(con) -> None:
    """At 9 in the morning 540 minutes are over, 5 are left out."""
    today = day(con, "d1", TODAY)
    assert (today["minutes"], today["p99_rpm"]) == (540, 15)


def test_without_a_limit_nothing_is_near_it(con) -> None:
    row = day(con, "d4")
    assert (row["requests"], row["rpm_limit"], row["tpm_limit"]) == (1, None, None)
    assert (row["rpm_minutes_80"], row["tpm_minutes_100"], row["headroom"]) == (None, None, None)
    half = day(con, "d3")  # one limit of two is known
    assert (half["rpm_headroom"], half["tpm_headroom"], half["headroom"]) == (None, 1.0, 1.0)
    assert half["tpm_minutes_100"] == 1


def test_a_pool_with_a_member_of_unknown_limit_has_none(con) -> None:
    row = day(con, "open", scope="pool")
    assert (row["rpm_limit"], row["tpm_limit"], row["requests"]) == (None, None, 1)


@pytest.mark.parametrize("name", ["mart.pool_headroom", "core.pool_minutes", "core.pools", "core.deployments"])
def test_every_condition_matters(con, name: str) -> None:
    assert survivors(con, tables()[name].sql) == []


# --- the weeks

FORECAST = """
[pools]
all = ["d1"]
falls = ["squares"]
[limits.pools.all]
tpm = 500
"""


def busy_weeks(deployment: str, tokens: list[int], *, minutes: int = 101, last: datetime = USUAL) -> list:
    """Complete weeks up to the last one, each with 101 minutes of one request: its P99 minute is any of them."""
    return [
        request(
            f"{deployment}-{week}-{n}",
            last - (len(tokens) - 1 - week) * WEEK + n * MINUTE,
            deployment_id=deployment,
            prompt_tokens=count - 10,
        )
        for week, count in enumerate(tokens)
        for n in range(minutes)
    ]


@pytest.fixture(scope="module")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    limits = {"rpm_limit": 10, "tpm_limit": 1_000}
    names = ("d1", "young", "idle", "falls", "all", "squares", "refused")
    world = batch(
        requests=[
            *busy_weeks("d1", [100, 200, 5_000, 400, 500, 600]),
            *busy_weeks("young", [100, 200, 300, 400, 500]),
            *busy_weeks("falls", [600, 500, 400, 300, 200, 100]),
            *busy_weeks("all", [100] * 6, minutes=1),
            *busy_weeks("squares", [100 + n * n for n in range(13)]),
            # the running week is not complete, and a clock that is ahead is none of the last 7 days
            request("now", AS_OF - MINUTE, deployment_id="d1", prompt_tokens=890),
            request("ahead", AS_OF + MINUTE, deployment_id="d1", prompt_tokens=890),
            request("no", USUAL, deployment_id="refused", status="failure", error_kind="vendor_rate_limit"),
            # gone for two weeks: the weeks without a request are zeros
            *busy_weeks("gone", [100], last=USUAL - 6 * WEEK),
        ],
        deployments=[{"deployment_id": name, "model_group": name, **limits} for name in names],
    )
    with built(tmp_path_factory.mktemp("weeks"), world, toml=FORECAST, only=MARTS) as connection:
        yield connection


def forecast(con: duckdb.DuckDBPyConnection, name: str, scope: str = "deployment") -> dict:
    (row,) = rows(con, f"SELECT * FROM mart.pool_forecast WHERE scope = '{scope}' AND name = '{name}'")
    return row


def test_use_grows_by_100_tokens_a_week_and_one_wild_week_does_not_bend_the_line(weeks) -> None:
    """Week 6 is at 600 of 1,000: four weeks. Requests stay at one a minute: their limit never comes."""
    row = forecast(weeks, "d1")
    assert (row["weeks"], row["tpm_per_week"], row["rpm_per_week"]) == (6, pytest.approx(100), 0)
    assert row["weeks_to_tpm_limit"] == row["weeks_to_limit"] == pytest.approx(4)
    assert row["weeks_to_rpm_limit"] is None
    assert (row["requests_7d"], row["p99_tpm_7d"], row["spare_tpm"], row["spare_rpm"]) == (102, 600, 400, 9)
    assert (row["headroom_7d"], row["could_take_load"]) == (pytest.approx(0.4), True)


def test_beyond_the_limit_no_weeks_are_left(weeks) -> None:
    row = forecast(weeks, "all", "pool")
    assert (row["tpm_limit"], row["weeks_to_tpm_limit"], row["spare_tpm"]) == (500, 0, -100)
    assert (row["headroom_7d"], row["could_take_load"]) == (pytest.approx(-0.2), False)


def test_five_weeks_are_too_few(weeks) -> None:
    row = forecast(weeks, "young")
    assert (row["weeks"], row["tpm_per_week"], row["weeks_to_limit"]) == (5, None, None)


def test_falling_use_never_meets_a_limit(weeks) -> None:
    row = forecast(weeks, "falls")
    assert (row["tpm_per_week"], row["weeks_to_limit"]) == (pytest.approx(-100), None)


def test_what_is_not_used_at_all_could_take_load(weeks) -> None:
    row = forecast(weeks, "idle")
    assert (row["requests_7d"], row["weeks"], row["headroom_7d"], row["could_take_load"]) == (0, 0, 1.0, True)


def test_what_was_refused_could_not_take_more(weeks) -> None:
    row = forecast(weeks, "refused")
    assert (row["rejections_7d"], row["headroom_7d"], row["could_take_load"]) == (1, 1.0, False)


def test_without_limits_nothing_is_said(weeks) -> None:
    row = forecast(weeks, "gone")
    assert (row["weeks"], row["headroom_7d"], row["could_take_load"], row["weeks_to_limit"]) == (7, None, None, None)


def test_a_week_of_169_hours_leaves_out_101_minutes(tmp_path) -> None:
    """10,140 minutes: the P99 minute is the 102nd busiest, so 101 busy minutes are not enough."""
    world = batch(requests=busy_weeks("d", [100, 100], last=datetime(2026, 10, 21, 10)))
    with built(tmp_path, world, toml='timezone = "Europe/Berlin"', only=MARTS) as con:
        found = rows(con, "SELECT local_week, p99_rpm, p99_tpm FROM core.pool_weeks ORDER BY local_week LIMIT 2")
    assert found == [
        {"local_week": "2026-W42", "p99_rpm": 1, "p99_tpm": 100},
        {"local_week": "2026-W43", "p99_rpm": 0, "p99_tpm": 0},
    ]


def test_with_no_data_there_are_no_rows(tmp_path) -> None:
    with built(tmp_path, batch(), only=MARTS) as con:
        for mart in ("pool_headroom", "pool_forecast"):
            assert rows(con, f"SELECT * FROM mart.{mart}") == []


@pytest.mark.parametrize("name", ["mart.pool_forecast", "core.pool_weeks"])
def test_every_condition_of_the_weeks_matters(weeks, name: str) -> None:
    assert survivors(weeks, tables()[name].sql) == []
