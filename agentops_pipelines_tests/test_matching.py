"""Pairs found in a recording of both sides whose truth is known: all of them, and no wrong one.

The recording (generate_combined.py) has what makes pairing hard. It is judged twice: as it is, and with all response
ids taken from OpenClaw's lines, so that only model group, tokens, time and keys are left to go by.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pytest

from agentops_pipelines.settings import StateDir
from agentops_pipelines.sources.batches import Batch, Ledger
from agentops_pipelines.sources.litellm.rows import spend_log_frame, spend_log_row
from agentops_pipelines.sources.openclaw.reader import ReadRules, read_state_dir
from agentops_pipelines.sources.schemas import LITELLM_SPEND_LOGS, OPENCLAW_LINES
from agentops_pipelines_tests.generate_combined import Recording, generate_combined
from agentops_pipelines_tests.litellm_server import recorded_rows
from agentops_pipelines_tests.world import built, rows

DAYS = 3
AS_OF = datetime(2026, 11, 20)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Recording, list[Batch]]:
    """The recording, read by the real readers."""
    root = tmp_path_factory.mktemp("combined")
    recording = generate_combined(root, days=DAYS)
    batches: list[Batch] = []
    for host, folder in recording.folders.items():
        batches += read_state_dir(
            StateDir(host=host, path=folder),
            ledger=Ledger(source="openclaw"),
            rules=ReadRules(empty_poll_phrases=()),
            scratch=root / "scratch",
        )
    frame = spend_log_frame([spend_log_row(row) for row in recording.spend_logs])
    return recording, [*batches, Batch(tables={LITELLM_SPEND_LOGS: frame})]


@pytest.fixture(scope="module")
def with_ids(
    recorded: tuple[Recording, list[Batch]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[duckdb.DuckDBPyConnection]:
    with built(tmp_path_factory.mktemp("with"), *recorded[1], as_of=AS_OF, only=["core.calls"]) as con:
        yield con


@pytest.fixture(scope="module")
def without_ids(
    recorded: tuple[Recording, list[Batch]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[duckdb.DuckDBPyConnection]:
    with built(
        tmp_path_factory.mktemp("without"), *map(_without_ids, recorded[1]), as_of=AS_OF, only=["core.calls"]
    ) as con:
        yield con


def _without_ids(batch: Batch) -> Batch:
    if OPENCLAW_LINES not in batch.tables:
        return batch
    lines = batch.tables[OPENCLAW_LINES].with_columns(pl.lit(None, dtype=pl.String).alias("response_id"))
    return Batch(tables={**batch.tables, OPENCLAW_LINES: lines})


@dataclass(frozen=True, kw_only=True)
class Score:
    """How pairs of one rule compare with the truth."""

    found: int
    wrong: int
    missed: int

    @property
    def recall(self) -> float:
        return self.found / (self.found + self.missed)


def _score(con: duckdb.DuckDBPyConnection, recording: Recording, rule: str) -> Score:
    found = {
        (row["request_id"], row["session_id"], row["line_id"])
        for row in rows(
            con,
            "SELECT m.request_id, l.session_id, l.line_id FROM core.matches m "
            f"JOIN core.transcript_lines l USING (session_no, line_no) WHERE m.match_rule = '{rule}'",
        )
    }
    true = {(pair.request_id, pair.session_id, pair.line_id) for pair in recording.pairs}
    score = Score(found=len(found & true), wrong=len(found - true), missed=len(true - found))
    print(f"{rule}: {score.found} of {len(true)} pairs found ({score.recall:.2%}), {score.wrong} wrong")
    return score


def test_the_recording_has_what_makes_pairing_hard(recorded: tuple[Recording, list[Batch]]) -> None:
    recording, batches = recorded
    lines = pl.concat([batch.tables[OPENCLAW_LINES] for batch in batches if OPENCLAW_LINES in batch.tables])
    calls = lines.filter(pl.col("kind") == "assistant")
    ids = calls.filter(pl.col("response_id").is_not_null())
    assert len(recording.pairs) > 1_500
    assert 0.01 < 1 - ids["response_id"].n_unique() / ids.height < 0.03
    alike = calls.group_by(pl.col("written_at").dt.truncate("10s"), "input_tokens", "output_tokens").len()
    assert alike.filter(pl.col("len") > 1).height > 50
    assert len(set(recording.failures.values())) < len(recording.failures)
    assert {"api", "llm_task", "maintenance"} == set(recording.types.values())
    assert sum(log["metadata"]["attempted_fallbacks"] == 1 for log in recording.spend_logs) > 20


def test_nearly_all_pairs_are_found_by_id_and_none_is_wrong(
    recorded: tuple[Recording, list[Batch]], with_ids: duckdb.DuckDBPyConnection
) -> None:
    score = _score(with_ids, recorded[0], "response_id")
    assert score.recall >= 0.995
    assert score.wrong == 0


def test_nearly_all_pairs_are_found_without_ids_and_none_is_wrong(
    recorded: tuple[Recording, list[Batch]], without_ids: duckdb.DuckDBPyConnection
) -> None:
    score = _score(without_ids, recorded[0], "tokens_time")
    assert score.recall >= 0.995
    assert score.wrong == 0


@pytest.mark.parametrize("how", ["with_ids", "without_ids"])
def test_failed_requests_go_to_their_error_line_or_to_none(
    how: str, recorded: tuple[Recording, list[Batch]], request: pytest.FixtureRequest
) -> None:
    con: duckdb.DuckDBPyConnection = request.getfixturevalue(how)
    truth = recorded[0].failures
    found = {
        row["request_id"]: row["line_id"]
        for row in rows(
            con,
            "SELECT m.request_id, l.line_id FROM core.matches m "
            "JOIN core.transcript_lines l USING (session_no, line_no) WHERE m.match_rule = 'error_window'",
        )
    }
    assert {request_id: truth.get(request_id) for request_id in found} == found
    print(f"error_window, {how}: {len(found)} of {len(truth)} failed requests found")
    assert len(found) >= 0.95 * len(truth)


def test_machines_clocks_are_told_from_the_calls(
    with_ids: duckdb.DuckDBPyConnection, without_ids: duckdb.DuckDBPyConnection
) -> None:
    for con in (with_ids, without_ids):
        clocks = rows(con, "SELECT host, offset_seconds, evidence, count(*) AS days FROM core.clocks GROUP BY ALL")
        offsets = {row["host"]: row["offset_seconds"] for row in clocks}
        assert offsets.keys() == {"steady", "fast"}
        assert abs(offsets["steady"]) <= 1
        assert abs(offsets["fast"] + 3) <= 1
        assert {row["evidence"] for row in clocks} <= {"day", "host"}


def test_spend_by_session_type_of_the_pairs_is_the_truth_to_the_cent(
    recorded: tuple[Recording, list[Batch]], with_ids: duckdb.DuckDBPyConnection
) -> None:
    expected: dict[str, Decimal] = {}
    for pair in recorded[0].pairs:
        expected[pair.session_type] = expected.get(pair.session_type, Decimal(0)) + Decimal(str(pair.spend))
    found = rows(
        with_ids,
        "SELECT session_type, sum(spend_usd) AS spend FROM core.calls WHERE match_rule = 'response_id' GROUP BY 1",
    )
    assert {row["session_type"]: row["spend"] for row in found} == expected


def test_rows_that_no_line_knows_keep_their_own_evidence(
    recorded: tuple[Recording, list[Batch]], with_ids: duckdb.DuckDBPyConnection
) -> None:
    found = rows(
        with_ids, "SELECT request_id, session_type FROM core.calls WHERE source = 'litellm' AND line_id IS NULL"
    )
    types = {row["request_id"]: row["session_type"] for row in found}
    truth = recorded[0].types
    assert {request_id: types.get(request_id) for request_id in truth} == truth


RECORDINGS = os.environ.get("AGENTOPS_RECORDINGS", "")


@pytest.mark.skipif(not RECORDINGS, reason="AGENTOPS_RECORDINGS names no folder of recordings")
@pytest.mark.parametrize("ids", [True, False], ids=["with ids", "without ids"])
def test_the_real_recording_has_144_pairs_with_and_without_ids(tmp_path: Path, *, ids: bool) -> None:
    (state,) = {path.parent for path in (Path(RECORDINGS) / "combined" / "state").rglob("agents")}
    batches = [
        *read_state_dir(
            StateDir(host="local", path=state),
            ledger=Ledger(source="openclaw"),
            rules=ReadRules(empty_poll_phrases=()),
            scratch=tmp_path / "scratch",
        )
    ]
    lines = pl.concat([batch.tables[OPENCLAW_LINES] for batch in batches if OPENCLAW_LINES in batch.tables])
    truth = {
        (row["response_id"], row["line_id"])
        for row in lines.filter(pl.col("response_id").is_not_null()).iter_rows(named=True)
    }
    logs = Batch(
        tables={LITELLM_SPEND_LOGS: spend_log_frame([spend_log_row(row) for row in recorded_rows("combined")])}
    )
    batches = [*(batches if ids else map(_without_ids, batches)), logs]
    with built(tmp_path / "home", *batches, as_of=datetime(2026, 11, 25), only=["core.matches"]) as con:
        query = (
            "SELECT m.request_id, l.line_id FROM core.matches m "
            "JOIN core.transcript_lines l USING (session_no, line_no) WHERE m.match_rule <> 'error_window'"
        )
        pairs = {(row["request_id"], row["line_id"]) for row in rows(con, query)}
    assert pairs == truth
    assert len(pairs) == 144  # 141 lines, and 3 calls that only a trajectory remembers
