"""Totals of recorded state directories, equal to OpenClaw's own where its own are right.

Runs when AGENTOPS_RECORDINGS names the directory of recordings.
"""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from agentops_pipelines_tests.openclaw_states import Memory, snapshot

RECORDINGS = Path(os.environ.get("AGENTOPS_RECORDINGS", ""))

pytestmark = pytest.mark.skipif("AGENTOPS_RECORDINGS" not in os.environ, reason="AGENTOPS_RECORDINGS is not set")


def _read(state: Path, tmp_path: Path) -> Memory:
    memory = Memory()
    before = snapshot(state)
    memory.read(state, scratch=tmp_path)
    assert memory.rows_loaded > 0
    assert memory.read(state, scratch=tmp_path) == []
    assert memory.bytes_read == 0
    assert snapshot(state) == before
    return memory


def _total(memory: Memory, column: str) -> Any:
    return sum(row[column] or 0 for row in memory.calls)


@pytest.mark.parametrize(
    ("version", "calls", "failed", "cost"),
    [("2026.4.15", 32, 2, 0.183863), ("2026.6.11", 44, 6, 0.4294036), ("2026.9.6", 38, 1, 0.31190092)],
)
def test_calls_and_cost_of_each_version(tmp_path: Path, version: str, calls: int, failed: int, cost: float) -> None:
    memory = _read(RECORDINGS / "openclaw" / "state" / version, tmp_path)
    assert len(memory.calls) == calls
    assert sum(row["stop_reason"] == "error" for row in memory.calls) == failed
    assert _total(memory, "estimate_usd") == pytest.approx(cost, abs=1e-9)
    assert not memory.quarantine


def test_tokens_equal_openclaw_s_own_answer(tmp_path: Path) -> None:
    memory = _read(RECORDINGS / "openclaw" / "state" / "2026.6.11", tmp_path)
    assert _total(memory, "input_tokens") == 459_370
    assert _total(memory, "output_tokens") == 1_830
    assert _total(memory, "cache_read_tokens") == 204_671
    columns = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
    assert sum(_total(memory, column) for column in columns) == 665_871


def test_a_deleted_session_in_the_archive_is_part_of_the_total(tmp_path: Path) -> None:
    memory = _read(RECORDINGS / "openclaw" / "state" / "2026.9.6", tmp_path)
    costs: Counter[str] = Counter()
    for row in memory.calls:
        costs[row["origin"]] += row["estimate_usd"] or 0
    assert costs["sqlite"] == pytest.approx(0.28746642, abs=1e-9)
    assert costs["sqlite_archive"] == pytest.approx(0.0244345, abs=1e-9)
    assert {row["hook_source"] for row in memory.sessions} == {None, "webhook"}
    assert all(row["run_id"] for row in memory.calls)


def test_the_recording_with_a_gateway(tmp_path: Path) -> None:
    memory = _read(RECORDINGS / "combined" / "state", tmp_path)
    recovered = [row for row in memory.calls if row["origin"] == "trajectory"]
    assert len(recovered) == 3
    assert len(memory.calls) == 162 + len(recovered)
    assert sum(row["response_id"] is not None for row in memory.calls) == 141 + len(recovered)
    assert Counter(row["error_kind"] for row in memory.calls if row["error_kind"]) == {
        "bad_request": 12,
        "budget": 5,
        "rate_limit": 2,
        "provider_error": 2,
    }
    # OpenClaw knew no price for these calls either; it counts them as missing, but for those it has forgotten.
    answer = json.loads((RECORDINGS / "combined" / "oracle" / "usage_cost_all.json").read_text())
    unpriced = sum(row["estimate_usd"] is None for row in memory.calls if row not in recovered)
    assert unpriced == answer["totals"]["missingCostEntries"]
    assert {row["poll_phrase"] for row in memory.calls} == {None, "HEARTBEAT_OK", "NO_REPLY", "phrase:1"}


def test_every_recorded_turn_of_a_machine_is_marked(tmp_path: Path) -> None:
    """In sessions that only machines open, each user line has a mark; none is found in what people typed."""
    for state in (*sorted((RECORDINGS / "openclaw" / "state").iterdir()), RECORDINGS / "combined" / "state"):
        memory = _read(state, tmp_path)
        keys = {row["session_id"]: row["session_key"] for row in (*memory.runs, *memory.sessions)}
        for row in memory.lines:
            key = keys.get(row["session_id"], "") or ""
            if row["kind"] == "user" and any(part in key for part in (":cron:", ":hook:", ":subagent:")):
                assert row["mark"] is not None, (state.name, key, row["line_id"])
