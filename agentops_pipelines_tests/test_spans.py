"""Spans beside the other two books: which call each is about, and that a call never counts twice whoever tells of it.

A call from `span`, `line` or `request` has 160 tokens, 50 of them cache reads.
"""

import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from agentops_pipelines.defs.checks import totals_equal_raw
from agentops_pipelines_tests.mutants import survivors
from agentops_pipelines_tests.rows import ASSISTANT, USER, Row, batch, line, request, span
from agentops_pipelines_tests.world import built, rows, tables

TABLES = ("core.unmatched_calls", "mart.source_reconciliation", "mart.unmatched_calls", "mart.focus_costs")


def day(number: int, hour: int = 12) -> datetime:
    return datetime(2026, 11, number, hour)


def answer(line_id: str, at: datetime, **changes: object) -> Row:
    return line(line_id, at, ASSISTANT, response_id=line_id, **changes)


LINES = (
    answer("l1", day(18)),
    answer("twice", day(18)),
    answer("twice", day(18, 13), session_id="s2"),
    answer("old", day(18)),
    answer("new", day(18)),
    line("u1", day(10), USER),
    answer("last", day(23, 20)),
)
REQUESTS = (
    request("r1", day(18), litellm_call_id="c1"),
    request("r2", day(18)),
    request("was", day(18)),
    request("will", day(18)),
    request("health", day(15), is_health_check=True),
    request("newest", day(23, 12)),
)
NO_USAGE = {"prompt_tokens": None, "cache_read_tokens": None, "output_tokens": None}
SPANS: dict[str, Row] = {
    # recorded: by LiteLLM's call id, its key, the response id of a line, of two lines, the session of a run
    "by call": span("1", day(18), litellm_call_id="c1"),
    "by key": span("2", day(18), response_id="r2"),
    "by line": span("3", day(18), response_id="l1", litellm_call_id="c3"),
    "by two lines": span("4", day(18), response_id="twice"),
    "run of a session": span("5", day(18), kind="run", session_id="s1"),
    # response ids that were used again days before and after
    "before line": span("6", day(16, 13), response_id="new"),
    "after line": span("7", day(20), response_id="old"),
    "before request": span("8", day(16, 13), response_id="will"),
    "after request": span("9", day(20), response_id="was"),
    # one call that two spans of one trace tell of, and a client that has only the response id
    "proxy": span("10", day(19), litellm_call_id="c10", response_id="x10", trace_id="t10", request_ticket_key="OPS-1"),
    "inner": span(
        "11", day(19, 13), litellm_call_id="c10", response_id="x10", trace_id="t10", method="tdd", cost_usd=0.5
    ),
    "client": span("12", day(19), response_id="x10", trace_id="t12", served_model=None),
    "same id, other call": span("13", day(19), response_id="x10", prompt_tokens=99),
    "one call of two answers": span("14", day(19), response_id="x14"),
    "its other span": span("15", day(19), response_id="x14", ended_at=day(19, 11)),
    # a failed attempt of the call that c10 is, and a failure that nobody answered
    "failed": span("16", day(19), litellm_call_id="c10", status="error", **NO_USAGE),
    "nothing came": span("17", day(19), litellm_call_id="c17", status="error", **NO_USAGE),
    "only a ticket": span("18", day(19), kind="other", span_ticket_key="OPS-1", **NO_USAGE),
    # without any id: on days of which others know calls, then not
    "nameless beside lines": span("20", day(18)),
    "nameless beside a named": span("21", day(19)),
    "nameless alone": span("22", day(12)),
    "run beside nameless": span("23", day(12), kind="run"),
    "run alone": span("24", day(11), kind="run", agent_id="alec", session_id="gone"),
    "nameless into the next day": span("25", datetime(2026, 11, 17, 23, 59, 59), ended_at=day(18, 0)),
    "nameless beside a user": span("26", day(10)),
    "nameless beside a health check": span("27", day(15)),
    "nothing came either": span("28", day(14), litellm_call_id="c28", **NO_USAGE),
    "nameless beside nothing": span("29", day(14)),
    # a run says nothing of the answer that its last call got
    "run with an answer": span("30", day(13), kind="run", response_id="x30"),
    "run with a known answer": span("31", day(18), kind="run", response_id="r2"),
    "run with a known line": span("32", day(18), kind="run", response_id="l1"),
    # what was not asked for yet
    "not yet read": span("33", day(23, 21), litellm_call_id="c33"),
    "read by now": span("34", day(23, 10), litellm_call_id="c34"),
    # the same trace and the same span id as the one that a line answers for
    "in its trace": span("35", day(19), trace_id="trace-3", litellm_call_id="c35"),
    "of its id": span("3", day(19), trace_id="elsewhere", litellm_call_id="c36"),
}
GAPS = {
    "before line": "response/new/150/10",
    "after line": "response/old/150/10",
    "before request": "response/will/150/10",
    "after request": "response/was/150/10",
    "inner": "call/c10",
    "same id, other call": "response/x10/99/10",
    "one call of two answers": "response/x14/150/10",
    "nameless alone": "span/trace-22/22",
    "nameless beside a user": "span/trace-26/26",
    "run alone": "span/trace-24/24",
    "nameless beside nothing": "span/trace-29/29",
    "nameless beside a health check": "span/trace-27/27",
    "run with an answer": "span/trace-30/30",
    "read by now": "call/c34",
    "in its trace": "call/c35",
    "of its id": "call/c36",
}
STATES = {
    **dict.fromkeys(GAPS, "gap"),
    **dict.fromkeys(("by call", "by key", "by line", "by two lines", "run of a session"), "recorded"),
    **dict.fromkeys(("proxy", "client", "its other span"), "repeated"),
    **dict.fromkeys(("failed", "nothing came", "nothing came either"), "no usage"),
    **dict.fromkeys(
        (
            "nameless beside lines",
            "nameless beside a named",
            "run beside nameless",
            "nameless into the next day",
            "run with a known answer",
            "run with a known line",
        ),
        "indistinct",
    ),
    "only a ticket": "no call",
    "not yet read": "waiting",
}


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory):
    """One small world of all three books."""
    world = batch(lines=LINES, requests=REQUESTS, spans=tuple(SPANS.values()))
    with built(tmp_path_factory.mktemp("spans"), world, only=TABLES) as connection:
        yield connection


def test_every_span_is_one_of_these(con: Any) -> None:
    found = {(s["trace_id"], s["span_id"]): s for s in rows(con, "SELECT * FROM core.spans")}
    assert len(found) == len(SPANS)
    assert {name: found[s["trace_id"], s["span_id"]]["state"] for name, s in SPANS.items()} == STATES


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("by call", ("r1", None, None)),
        ("by key", ("r2", None, None)),
        ("by line", (None, "s1", "l1")),
        ("by two lines", (None, None, None)),
        ("run of a session", (None, "s1", None)),
        ("inner", (None, None, None)),
    ],
)
def test_a_span_knows_where_its_call_stands(con: Any, name: str, expected: tuple) -> None:
    found = con.execute(
        "SELECT request_id, session_id, line_id FROM core.spans WHERE trace_id = ? AND span_id = ?",
        [SPANS[name]["trace_id"], SPANS[name]["span_id"]],
    ).fetchall()
    assert found == [expected]


def test_what_nobody_else_has_becomes_one_call_each(con: Any) -> None:
    found = {row["call_id"]: row for row in rows(con, "SELECT * FROM core.calls WHERE source = 'otel'")}
    assert set(found) == {f"ot/{key}" for key in GAPS.values()}
    call = found["ot/call/c10"]
    assert (call["total_tokens"], call["input_tokens"], call["cache_read_tokens"]) == (160, 100, 50)
    assert (call["ticket_key"], call["method"], call["spend_usd"]) == ("OPS-1", "tdd", 0.5)
    assert (call["session_type"], call["type_evidence"], call["category"]) == ("worker", "span", "deep work")
    assert (call["local_week"], call["match_rule"], call["list_usd"] > 0) == ("2026-W47", "none", True)
    run = found["ot/span/trace-24/24"]
    assert (run["agent_id"], run["lane"], run["session_id"], run["session_type"]) == ("alec", "alec", None, "unknown")
    assert {row["session_type"] for row in found.values()} == {"worker", "api", "unknown"}


def test_what_others_have_is_as_if_there_were_no_spans(con: Any, tmp_path: Path) -> None:
    others = "SELECT * FROM core.calls WHERE source <> 'otel' ORDER BY call_id"
    with built(tmp_path, batch(lines=LINES, requests=REQUESTS), only=["core.calls"]) as alone:
        assert con.sql(others).fetchall() == alone.sql(others).fetchall()


def test_the_totals_are_those_of_the_sources(con: Any) -> None:
    result = totals_equal_raw(con)
    assert result.passed, result.description


def test_a_span_that_is_lost_on_the_way_is_noticed(con: Any, tmp_path: Path) -> None:
    (published,) = con.sql("SELECT path FROM duckdb_databases() WHERE path IS NOT NULL").fetchall()
    copy = Path(shutil.copy(published[0], tmp_path))
    copy.chmod(0o600)
    with duckdb.connect(copy) as damaged:
        damaged.execute("DELETE FROM core.calls WHERE call_id = 'ot/call/c10'")
        result = totals_equal_raw(damaged)
    assert not result.passed
    assert "Spans of calls that no other source has: tokens" in (result.description or "")


def test_reconciliation_knows_nothing_of_spans_and_one_witness_tells_of_them(con: Any) -> None:
    books = rows(con, "SELECT * FROM mart.source_reconciliation")
    assert sum(row["openclaw_calls"] for row in books) == 6
    assert sum(row["litellm_requests"] for row in books) == 5
    assert {row["key_alias"] for row in books if row["litellm_requests"]} == {"alec"}
    assert {row["local_date"].day for row in books} == {15, 18, 23}
    found = rows(con, "SELECT * FROM mart.unmatched_calls WHERE window_id = '2026-W47' AND source = 'otel'")
    assert [(row["reason"], row["calls"]) for row in found] == [("traces alone", 9)]


def test_costs_of_spans_have_an_account_of_their_own(con: Any) -> None:
    found = rows(con, "SELECT * FROM mart.focus_costs WHERE billing_account_id = 'otel'")
    assert {row["billing_account_name"] for row in found} == {"Traces alone"}
    assert sum(row["x_requests"] for row in found) == len(GAPS)


def test_a_span_waits_a_day_for_the_other_books(tmp_path: Path) -> None:
    """The gateway's last row is two weeks old: it may be gone, or about to be read."""
    late = span("1", day(24, 7), litellm_call_id="c1")
    early = span("2", day(22), litellm_call_id="c2")
    with built(
        tmp_path / "a", batch(requests=[request("r", day(10))], spans=[late, early]), only=["core.spans"]
    ) as con:
        assert con.sql("SELECT state FROM core.spans ORDER BY span_id").fetchall() == [("waiting",), ("gap",)]
    with built(tmp_path / "b", batch(spans=[late, early]), only=["core.spans"]) as con:
        assert con.sql("SELECT DISTINCT state FROM core.spans").fetchall() == [("gap",)]


def test_every_condition_matters(con: Any) -> None:
    assert survivors(con, tables()["core.spans"].sql) == []
