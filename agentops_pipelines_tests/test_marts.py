"""Marts on worlds that a person can add up: sums, shares, comparisons, edges."""

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from agentops_pipelines_tests.rows import USER, batch, line, request
from agentops_pipelines_tests.test_calls import session, turn
from agentops_pipelines_tests.world import built, rows

WEEK_47 = datetime(2026, 11, 18, 10)
WEEK_46 = WEEK_47 - timedelta(days=7)
MINUTE = timedelta(minutes=1)

MARTS = (
    "mart.weekly_summary",
    "mart.cost_by_category",
    "mart.cost_by_agent",
    "mart.cost_by_session_type",
    "mart.daily_cost",
    "mart.model_usage",
    "mart.top_sessions",
    "mart.week_over_week",
)
"""What this module asks; the other marts have modules of their own."""


def two_weeks() -> dict:
    """Week 46: 2 heartbeats at $1. Week 47: 3 heartbeats at $1.50, a conversation at $4, a pipeline step at $0.50."""
    lines = []
    for n in range(2):
        lines += turn(
            f"b{n}", WEEK_46 + n * MINUTE, mark="heartbeat_poll", estimate_usd=1.0, poll_phrase="HEARTBEAT_OK"
        )
    for n in range(3):
        lines += turn(
            f"a{n}", WEEK_47 + n * MINUTE, mark="heartbeat_poll", estimate_usd=1.5, poll_phrase="HEARTBEAT_OK"
        )
    lines += turn("talk", WEEK_47 + 9 * MINUTE, session_id="s2", estimate_usd=4.0)
    return {
        "lines": lines,
        "sessions": [session("s1", "agent:alec:main"), session("s2", "agent:alec:fad-31", label="FAD-31")],
        "requests": [request("step", WEEK_47, pipeline="p", step="s", spend_usd=0.5, key_alias="pipelines")],
    }


def test_the_summary_adds_up_and_compares(tmp_path: Path) -> None:
    with built(tmp_path, batch(**two_weeks()), only=MARTS) as con:
        (week,) = rows(con, "SELECT * FROM mart.weekly_summary WHERE window_id = '2026-W47'")
    assert (week["cost_usd"], week["previous_cost_usd"], week["change_usd"]) == (Decimal(9), Decimal(2), Decimal(7))
    assert week["change_share"] == 3.5
    assert (week["sessions"], week["turns"], week["calls"], week["error_calls"]) == (2, 4, 5, 0)
    assert (week["human_sessions"], week["autonomous_sessions"]) == (1, 1)
    assert (week["human_rank_usd"], week["autonomous_rank_usd"]) == (Decimal(4), Decimal(5))
    assert week["total_tokens"] == 5 * 160
    assert (week["openclaw_calls"], week["litellm_calls"], week["matched_share"]) == (4, 1, 0.0)
    assert week["estimate_calls"] == 4


def test_categories_types_and_agents_add_up_to_the_summary(tmp_path: Path) -> None:
    with built(tmp_path, batch(**two_weeks()), only=MARTS) as con:
        for mart in ("cost_by_category", "cost_by_session_type", "cost_by_agent", "model_usage"):
            uneven = rows(
                con,
                f"""
                SELECT s.window_id
                FROM mart.weekly_summary s
                LEFT JOIN (
                  SELECT window_id, sum(cost_usd) AS cost, sum(calls) AS calls, sum(total_tokens) AS tokens
                  FROM mart.{mart} GROUP BY window_id
                ) m USING (window_id)
                WHERE s.cost_usd <> coalesce(m.cost, 0) OR s.calls <> coalesce(m.calls, 0)
                  OR s.total_tokens <> coalesce(m.tokens, 0)
                """,
            )
            assert uneven == [], mart


def test_categories_know_empty_polls_and_the_week_before(tmp_path: Path) -> None:
    with built(tmp_path, batch(**two_weeks()), only=MARTS) as con:
        found = rows(con, "SELECT * FROM mart.cost_by_category WHERE window_id = '2026-W47' ORDER BY rank_usd DESC")
    beat, talk, step = found
    assert (beat["category"], beat["turns"], beat["empty_polls"], beat["rank_share"]) == ("heartbeat poll", 3, 3, 0.5)
    assert (beat["previous_calls"], beat["change_usd"]) == (2, Decimal("2.5"))
    assert (talk["category"], talk["empty_polls"]) == ("deep work", 0)
    assert (step["category"], step["sessions"]) == ("pipeline step", 0)


def test_the_parts_of_the_change_add_up_exactly_and_mean_what_they_say(tmp_path: Path) -> None:
    with built(tmp_path, batch(**two_weeks()), only=MARTS) as con:
        changes = {
            row["category"]: row for row in rows(con, "SELECT * FROM mart.week_over_week WHERE window_id = '2026-W47'")
        }
        inexact = rows(
            con,
            "SELECT * FROM mart.week_over_week WHERE volume_usd + tokens_per_call_usd + price_mix_usd <> change_usd",
        )
    assert inexact == []
    beat = changes["heartbeat poll"]  # 2 calls at $1 -> 3 calls at $1.50, as long as before
    assert (beat["volume_usd"], beat["tokens_per_call_usd"], beat["price_mix_usd"]) == (
        Decimal(1),
        Decimal(0),
        Decimal("1.5"),
    )
    talk = changes["deep work"]  # new: all volume
    assert (talk["volume_usd"], talk["price_mix_usd"]) == (Decimal(4), Decimal(0))


def test_thirds_leave_no_remainder(tmp_path: Path) -> None:
    lines = []
    for n in range(3):
        lines += turn(f"b{n}", WEEK_46 + n * MINUTE, estimate_usd=0.1, output_tokens=7)
    for n in range(7):
        lines += turn(f"a{n}", WEEK_47 + n * MINUTE, estimate_usd=0.123456789012, output_tokens=11 + n)
    with built(tmp_path, batch(lines=lines), only=MARTS) as con:
        assert (
            rows(
                con,
                "SELECT * FROM mart.week_over_week "
                "WHERE volume_usd + tokens_per_call_usd + price_mix_usd <> change_usd",
            )
            == []
        )


def test_with_all_spend_zero_list_prices_rank(tmp_path: Path) -> None:
    lines, requests = [], []
    for n, tokens in enumerate((100, 90_000, 4_000, 50_000, 7_000, 20_000)):
        at = WEEK_47 + n * MINUTE
        lines += turn(
            f"t{n}",
            at,
            session_id=f"s{n}",
            response_id=f"r{n}",
            input_tokens=tokens,
            cache_read_tokens=0,
            estimate_usd=0.0,
        )
        requests.append(request(f"r{n}", at, spend_usd=0.0, prompt_tokens=tokens, cache_read_tokens=0))
    with built(tmp_path, batch(lines=lines, requests=requests), only=MARTS) as con:
        (week,) = rows(con, "SELECT * FROM mart.weekly_summary WHERE window_id = '2026-W47'")
        top = rows(
            con,
            "SELECT session_id FROM mart.top_sessions WHERE window_id = '2026-W47' AND position <= 5 ORDER BY position",
        )
        (category,) = rows(con, "SELECT * FROM mart.cost_by_category WHERE window_id = '2026-W47'")
    assert (week["rank_basis"], week["cost_usd"]) == ("list", Decimal(0))
    assert week["rank_usd"] == week["list_usd"] > 0
    assert [row["session_id"] for row in top] == ["s1", "s3", "s5", "s4", "s2"]
    assert category["rank_share"] == 1.0


def test_the_week_before_is_valued_in_the_money_of_this_week(tmp_path: Path) -> None:
    """Week 46 cost real money, week 47 is free: comparing dollars of two kinds would be a lie."""
    lines = turn("b", WEEK_46, response_id="b") + turn("a", WEEK_47, response_id="a")
    requests = [request("b", WEEK_46, spend_usd=5.0), request("a", WEEK_47, spend_usd=0.0)]
    with built(tmp_path, batch(lines=lines, requests=requests), only=MARTS) as con:
        (week,) = rows(con, "SELECT * FROM mart.weekly_summary WHERE window_id = '2026-W47'")
    assert week["rank_basis"] == "list"
    assert week["previous_rank_usd"] == week["previous_list_usd"] == week["rank_usd"]
    assert week["change_usd"] == 0
    assert week["previous_cost_usd"] == Decimal(5)


def test_an_empty_week_before_gives_no_change(tmp_path: Path) -> None:
    with built(tmp_path, batch(lines=turn("a", WEEK_47, estimate_usd=1.0)), only=MARTS) as con:
        (week,) = rows(con, "SELECT * FROM mart.weekly_summary WHERE window_id = 'trailing_7d'")
        changes = rows(con, "SELECT * FROM mart.week_over_week WHERE window_id = 'trailing_7d'")
    assert week["previous_has_data"] is False
    assert (week["change_usd"], week["change_share"]) == (None, None)
    assert changes == []


def test_a_week_before_that_was_free_gives_no_percentage(tmp_path: Path) -> None:
    lines = turn("b", WEEK_46, estimate_usd=0.0) + turn("a", WEEK_47, estimate_usd=1.0)
    with built(tmp_path, batch(lines=lines), only=MARTS) as con:
        (week,) = rows(con, "SELECT * FROM mart.weekly_summary WHERE window_id = '2026-W47'")
    assert (week["change_usd"], week["change_share"]) == (Decimal(1), None)


def test_with_no_data_at_all_every_window_is_there_and_empty(tmp_path: Path) -> None:
    with built(tmp_path, batch(), only=MARTS) as con:
        found = rows(con, "SELECT * FROM mart.weekly_summary")
    assert {row["window_id"] for row in found} >= {"trailing_7d", "2026-W47"}
    assert not any(row["has_data"] for row in found)
    assert all(row["cost_usd"] == 0 and row["list_usd"] is None for row in found)


def test_a_turn_counts_once_in_the_window_where_it_began(tmp_path: Path) -> None:
    midnight = datetime(2026, 11, 16)
    lines = [
        line("u", midnight - MINUTE, USER),
        line("a1", midnight - MINUTE / 2),
        line("a2", midnight + MINUTE, model="heavy"),
        line("a3", midnight + 2 * MINUTE),
    ]
    with built(tmp_path, batch(lines=lines), only=MARTS) as con:
        turns = {r["window_id"]: r["turns"] for r in rows(con, "SELECT window_id, turns FROM mart.weekly_summary")}
    assert (turns["2026-W46"], turns["2026-W47"]) == (1, 0)


def test_attempt_rows_keep_their_spend_but_are_no_calls(tmp_path: Path) -> None:
    requests = [
        request("1", WEEK_47, status="failure", spend_usd=0.0),
        request("1-attempt-0", WEEK_47, status="failure", is_attempt=True, spend_usd=0.25),
        request("h", WEEK_47, is_health_check=True, spend_usd=0.01),
    ]
    with built(tmp_path, batch(requests=requests), only=MARTS) as con:
        (week,) = rows(con, "SELECT * FROM mart.weekly_summary WHERE window_id = '2026-W47'")
    assert (week["calls"], week["error_calls"], week["spend_usd"]) == (1, 1, Decimal("0.26"))


def test_unpriced_models_are_named_with_their_tokens(tmp_path: Path) -> None:
    requests = [request("1", WEEK_47, model="x/mystery", provider="x"), request("2", WEEK_47)]
    with built(tmp_path, batch(requests=requests), only=MARTS) as con:
        (week,) = rows(con, "SELECT * FROM mart.weekly_summary WHERE window_id = '2026-W47'")
        models = rows(con, "SELECT model, is_priced FROM mart.model_usage WHERE window_id = '2026-W47' ORDER BY model")
    assert (week["unpriced_models"], week["unpriced_tokens"]) == (1, 160)
    assert models == [{"model": "azure/gpt-5.4", "is_priced": True}, {"model": "x/mystery", "is_priced": False}]


def test_daily_cost_of_the_chart_equals_the_week(tmp_path: Path) -> None:
    with built(tmp_path, batch(**two_weeks()), only=MARTS) as con:
        (row,) = rows(
            con,
            "SELECT sum(cost_usd) AS cost FROM mart.daily_cost WHERE local_date BETWEEN '2026-11-16' AND '2026-11-22'",
        )
    assert row["cost"] == Decimal(9)


def test_an_agents_calls_are_its_own_whatever_key_it_used_and_wherever_it_ran(tmp_path: Path) -> None:
    """A foreign key, a key that two agents share, one agent on two machines, and a call that only the gateway saw."""
    bens, shared = {"key_hash": "k-ben", "key_alias": "ben"}, {"key_hash": "k-shared", "key_alias": "shared"}
    lines = [
        line("1", WEEK_47, session_id="s1", response_id="r1"),
        line("2", WEEK_47, session_id="s2", response_id="r2"),
        line("3", WEEK_47, session_id="s3", response_id="r3", agent_id="ben"),
        line("4", WEEK_47, session_id="s4", response_id="r4", host="server"),
    ]
    requests = [
        request("r1", WEEK_47, spend_usd=1.0, **bens),
        request("r2", WEEK_47, spend_usd=2.0, **shared),
        request("r3", WEEK_47, spend_usd=4.0, **shared),
        request("r4", WEEK_47, spend_usd=8.0),
        request("r5", WEEK_47, spend_usd=16.0, prompt_tokens=9, **bens),
    ]
    with built(tmp_path, batch(lines=lines, requests=requests), only=MARTS) as con:
        found = rows(con, "SELECT lane, host, agent_id, cost_usd FROM mart.cost_by_agent WHERE window_id = '2026-W47'")
    assert {(row["lane"], row["host"], row["agent_id"]): row["cost_usd"] for row in found} == {
        ("alec", "local", "alec"): Decimal(3),
        ("alec", "server", "alec"): Decimal(8),
        ("ben", "local", "ben"): Decimal(4),
        ("ben", None, None): Decimal(16),
    }
