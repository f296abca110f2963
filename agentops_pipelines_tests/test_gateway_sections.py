"""The report's sections about the gateway: every query runs, and the sentences say what a person has to know."""

from collections.abc import Iterator
from decimal import Decimal
from zoneinfo import ZoneInfo

import duckdb
import pytest

from agentops_pipelines.report.gateway_sections import SECTIONS
from agentops_pipelines.report.sections import answer
from agentops_pipelines_tests import sample_frames
from agentops_pipelines_tests.test_gateway_recordings import SEEN, TOML, recorded_batch
from agentops_pipelines_tests.world import built

BY_NAME = {section.name: section for section in SECTIONS}


def rows_of(con: duckdb.DuckDBPyConnection, name: str, window: str) -> list[dict]:
    return con.query(BY_NAME[name].sql, params={"window_id": window}).pl().to_dicts()


def sentences(name: str, rows: list[dict]) -> list[tuple[str, str]]:
    return [(found.severity, found.sentence(str)) for found in BY_NAME[name].findings(rows)]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    batches = [batch for _, batch in sample_frames.snapshots()]
    home = tmp_path_factory.mktemp("sample")
    with built(home, *batches, toml=sample_frames.TOML, as_of=sample_frames.AS_OF) as connection:
        yield connection


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    with built(tmp_path_factory.mktemp("gateway"), recorded_batch("gateway"), toml=TOML, as_of=SEEN) as connection:
        yield connection


@pytest.mark.parametrize("name", BY_NAME)
def test_every_section_answers_with_cells_and_whole_sentences(sample, name: str) -> None:
    rows = rows_of(sample, name, "trailing_7d")
    assert rows
    said = answer(BY_NAME[name], rows, zone=ZoneInfo("Europe/Berlin"))
    assert all(len(cells) == len(BY_NAME[name].columns) for cells in said.cells)
    for finding in said.findings:
        assert not {"{", "}"} & set(finding.sentence(str))


@pytest.mark.parametrize("name", BY_NAME)
def test_a_window_without_calls_has_nothing_to_say_of_them(gateway, name: str) -> None:
    """The proxy was used in week 48 only; keys and forecasts are about now."""
    rows = rows_of(gateway, name, "2026-W46")
    assert rows == [] or name in ("key_hygiene", "forecast")


def test_a_spent_budget_is_severe_and_names_the_key_and_what_it_stopped(gateway) -> None:
    rows = rows_of(gateway, "budget_incidents", "2026-W48")
    ((severity, said),) = sentences("budget_incidents", rows)
    assert severity == "severe"
    assert said == (
        f"the budget of $0.0040 of key shared-capped was spent: 6 requests refused, most of {rows[0]['top_category']}; "
        "1 more incident"
    )


def test_a_budget_that_the_agent_understood_needs_no_second_reading() -> None:
    row = {"key": "team", "limit_usd": None, "rejections": 1, "top_category": "email"}
    ((_, said),) = sentences("budget_incidents", [{**row, "agent_error_kind": "budget"}])
    assert said == "the budget of key team was spent: 1 request refused, most of email"
    ((_, said),) = sentences("budget_incidents", [{**row, "agent_error_kind": "bad_request"}])
    assert said.endswith("most of email, which the agent took for bad requests")


def test_keys_fallbacks_and_limits_of_a_recorded_proxy(gateway) -> None:
    assert sentences("key_hygiene", rows_of(gateway, "key_hygiene", "2026-W48"))[0][1].startswith(
        "the master key is in use (1 request); "
    )
    failed, moved = sentences("fallbacks", rows_of(gateway, "fallbacks", "2026-W48"))
    assert failed[1].startswith("8 requests failed although the model has a fallback, most by ")
    assert moved[1].startswith("22 % of heavy requests (8) fell back to another model")
    (full,) = sentences("headroom", rows_of(gateway, "headroom", "2026-W48"))
    assert full == ("mild", "tight-rpm was at its limit in 1 minute and refused 4 requests")


def test_what_the_gateway_says_of_a_storm() -> None:
    storm = {"agent_id": "alec", "error_lines": 3, "agent_error_kind": "bad_request", "gateway_reason": "budget"}
    assert sentences("error_storms", [storm, storm]) == [
        (
            "mild",
            "alec had 3 errors in a row: a spent budget, says the gateway; it looked like bad requests (1 more storm)",
        )
    ]
    (same,) = sentences("error_storms", [{**storm, "gateway_reason": "bad_request"}])
    assert same[1].endswith("bad requests, says the gateway too")
    (silent,) = sentences("error_storms", [{**storm, "gateway_reason": "none"}])
    assert silent[1].endswith("bad requests; the gateway has no failed request of it")


def test_savings_say_percent_money_and_coverage() -> None:
    total = {
        "scope": "total",
        "saved_vs_heavy_share": 0.75,
        "list_usd": Decimal(25),
        "all_heavy_usd": Decimal(100),
        "coverage_share": 0.9,
        "saved_by_target_usd": Decimal(5),
        "saved_by_target_share": 0.2,
    }
    assert sentences("savings", [total]) == [
        (
            "note",
            "tiering saved 75 % of what the heavy tier alone would cost: $25.00 instead of $100.00 at list prices "
            "(90 % of tokens compared)",
        ),
        ("note", "the target mapping would save $5.00 more (20 % of list cost)"),
    ]
    assert sentences("savings", [{**total, "saved_vs_heavy_share": -0.1}]) == []
    assert sentences("savings", [{**total, "scope": "category"}]) == []


def test_a_limit_that_comes_soon_names_a_pool_with_room() -> None:
    near = {"scope": "pool", "name": "gpt", "weeks_to_limit": 3.2, "could_take_load": False, "headroom_7d": 0.1}
    free = {"scope": "pool", "name": "claude", "weeks_to_limit": None, "could_take_load": True, "headroom_7d": 0.9}
    assert sentences("forecast", [near, free]) == [
        ("mild", "gpt meets its limit in about 3 weeks by its trend; claude could take load")
    ]
    assert sentences("forecast", [{**near, "weeks_to_limit": 0.0}]) == [("mild", "gpt is at its limit by its trend")]
    assert sentences("forecast", [{**near, "weeks_to_limit": 6.0}, free]) == []


def test_little_headroom_is_said_before_the_limit_is_reached() -> None:
    day = {"name": "gpt", "rpm_minutes_100": 0, "tpm_minutes_100": 0, "rejections": 0, "headroom": 0.1}
    assert sentences("headroom", [day]) == [
        ("mild", "gpt has 10 % headroom on its busiest day (P99 minute against its limit)")
    ]
    assert sentences("headroom", [{**day, "headroom": 0.2}]) == []
    assert sentences("headroom", [{**day, "rejections": 2}]) == [("mild", "gpt refused 2 requests at a rate limit")]


def test_only_dear_caches_are_worth_a_sentence() -> None:
    broken = {"scope": "category", "name": "deep work", "broken_usd": Decimal(3), "broken_caches": 4}
    beats = {"scope": "session_type", "name": "heartbeat", "expired_usd": Decimal(2), "expired_caches": 7}
    assert sentences("caches", [broken, beats]) == [
        ("mild", "prompt caches of deep work broke 4 times: $3.00 at list prices paid again"),
        ("note", "heartbeats come after their prompt cache has expired: $2.00 at list prices for 7 cold starts"),
    ]
    cheap = [{**broken, "broken_usd": None}, {**beats, "expired_usd": Decimal("0.5")}]
    assert sentences("caches", cheap) == []


def test_work_that_used_another_tier_than_its_own() -> None:
    row = {
        "name": "heartbeat poll",
        "expected": "triage",
        "asked": "heavy",
        "served": "heavy",
        "calls": 4,
        "share": 0.5,
    }
    assert sentences("mapping", [{**row, "verdict": "asked_other"}]) == [
        ("note", "heartbeat poll asked for heavy in 4 requests (50 % of its requests) instead of triage")
    ]
    assert sentences("mapping", [{**row, "verdict": "served_other", "served": "claude"}]) == [
        ("note", "heartbeat poll was served by claude in 4 requests (50 % of its requests) instead of triage")
    ]
