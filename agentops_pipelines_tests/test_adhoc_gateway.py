"""The ready queries of the gateway's questions: each says its question, runs and has an answer."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from agentops_pipelines.sqlshell import query_text
from agentops_pipelines.sqltables import sql_root
from agentops_pipelines_tests import sample_frames
from agentops_pipelines_tests.world import built, rows

QUERIES = (
    "what_does_the_gateway_say_of_errors",
    "what_does_tiering_save",
    "what_is_wrong_with_keys",
    "where_do_caches_break",
    "which_budgets_stopped_work",
    "which_calls_broke_the_mapping",
    "which_calls_fell_back",
    "which_pool_is_near_its_limit",
    "which_work_uses_which_tier",
    "who_spends_with_which_key",
)


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    batches = [batch for _, batch in sample_frames.snapshots()]
    home = tmp_path_factory.mktemp("adhoc")
    with built(home, *batches, toml=sample_frames.TOML, as_of=sample_frames.AS_OF) as connection:
        yield connection


@pytest.mark.parametrize("name", QUERIES)
def test_a_ready_query_says_its_question_and_answers_it(con, name: str) -> None:
    text = query_text(f"{name}.sql")
    assert text.startswith("-- ")
    assert "?" in text.splitlines()[0]
    assert len(rows(con, text)) > 0


def test_the_calls_that_broke_the_mapping_are_those_the_mart_counts(con) -> None:
    listed = rows(con, query_text("which_calls_broke_the_mapping.sql"))
    query = "SELECT * FROM mart.mapping_conformance WHERE window_id = 'trailing_7d' AND verdict <> 'as_mapped'"
    counted = {}
    for row in rows(con, query):
        key = (row["kind"], row["name"], row["verdict"])
        counted[key] = counted.get(key, 0) + row["calls"]
    for row in listed:
        counted[row["kind"], row["name"], row["verdict"]] -= 1
    assert listed
    assert set(counted.values()) == {0}


def test_no_ready_query_shows_more_of_a_key_than_its_alias_or_the_head_of_its_hash() -> None:
    for path in Path(sql_root() / "adhoc").glob("*.sql"):
        assert "key_hash" not in path.read_text(encoding="utf-8").replace("left(key_hash, 12)", "")
