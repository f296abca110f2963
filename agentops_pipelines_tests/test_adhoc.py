"""The ready queries: each says its question, runs once on one world, and has an answer there."""

from collections import Counter
from typing import Any

import duckdb
import polars as pl
import pytest

from agentops_pipelines.sqlshell import question, ready_queries
from agentops_pipelines_tests import sample_frames
from agentops_pipelines_tests.world import built, rows

QUERIES = ready_queries()


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory):
    batches = [batch for _, batch in sample_frames.snapshots()]
    home = tmp_path_factory.mktemp("adhoc")
    with built(home, *batches, toml=sample_frames.TOML, as_of=sample_frames.AS_OF) as connection:
        yield connection


@pytest.fixture(scope="module")
def answers(con: duckdb.DuckDBPyConnection) -> dict[str, pl.DataFrame | str]:
    """The rows of each file, or what DuckDB says is wrong with it."""
    found: dict[str, pl.DataFrame | str] = {}
    for name, path in QUERIES.items():
        try:
            found[name] = con.sql(path.read_text(encoding="utf-8")).pl()
        except duckdb.Error as error:
            found[name] = str(error)
    return found


def answer(answers: dict[str, pl.DataFrame | str], name: str) -> list[dict[str, Any]]:
    found = answers[name]
    assert isinstance(found, pl.DataFrame), found
    return found.to_dicts()


@pytest.mark.parametrize("name", QUERIES)
def test_a_ready_query_says_its_question_and_answers_it(answers: dict[str, pl.DataFrame | str], name: str) -> None:
    assert "?" in question(QUERIES[name])
    assert len(answer(answers, name)) > 0


def test_no_question_is_asked_twice() -> None:
    asked = Counter(question(path) for path in QUERIES.values())
    assert [text for text, number in asked.items() if number > 1] == []


def test_no_ready_query_shows_more_of_a_key_than_its_alias_or_the_head_of_its_hash(
    answers: dict[str, pl.DataFrame | str],
) -> None:
    for name, found in answers.items():
        assert isinstance(found, pl.DataFrame)
        assert "key_hash" not in found.columns, name
    for path in QUERIES.values():
        shown = path.read_text(encoding="utf-8").replace("left(key_hash, 12)", "").replace("left(k.key_hash, 12)", "")
        for join in ("USING (key_hash)", "PARTITION BY key_hash", "c.key_hash, r.as_of", "GROUP BY c.key_hash"):
            shown = shown.replace(join, "")
        assert "key_hash" not in shown, path.name


def test_the_calls_that_broke_the_mapping_are_those_the_mart_counts(
    con: duckdb.DuckDBPyConnection, answers: dict[str, pl.DataFrame | str]
) -> None:
    query = "SELECT * FROM mart.mapping_conformance WHERE window_id = 'trailing_7d' AND verdict <> 'as_mapped'"
    counted = Counter()
    for row in rows(con, query):
        counted[row["kind"], row["name"], row["verdict"]] += row["calls"]
    listed = Counter(
        (row["kind"], row["name"], row["verdict"]) for row in answer(answers, "which_calls_broke_the_mapping")
    )
    assert listed
    assert listed == counted


def test_all_sums_of_a_window_agree(answers: dict[str, pl.DataFrame | str]) -> None:
    """The report's total, and the same added up by agent, kind of work, session type, model and call."""
    listed = answer(answers, "do_the_totals_agree")
    ways = Counter(row["window_id"] for row in listed)
    assert ways["trailing_7d"] == 6
    assert set(ways.values()) == {6}
    assert [row for row in listed if not row["agrees"]] == []


def test_days_add_up_the_same_by_local_and_by_utc_midnight(answers: dict[str, pl.DataFrame | str]) -> None:
    """Calls near midnight move to the day beside, and none is lost; calls without a time have no day."""
    days = answer(answers, "what_did_each_day_cost")
    local = sum(day["cost_usd"] for day in days if day["day"] and day["cost_usd"])
    utc = sum(day["utc_cost_usd"] for day in days if day["day"] and day["utc_cost_usd"])
    assert float(local) == pytest.approx(float(utc), abs=1e-4 * len(days))
    assert local > 0


def test_what_is_read_is_what_is_counted_and_its_copies(
    con: duckdb.DuckDBPyConnection, answers: dict[str, pl.DataFrame | str]
) -> None:
    listed = answer(answers, "what_would_be_counted_twice")
    (lines,) = rows(con, "SELECT count(*) AS n FROM raw.openclaw_lines WHERE kind = 'assistant'")
    assert sum(row["answers_read"] for row in listed) == lines["n"]
    assert all(row["copies"] == row["answers_read"] - row["answers_counted"] for row in listed)
    assert sum(row["copies"] for row in listed) > 0
