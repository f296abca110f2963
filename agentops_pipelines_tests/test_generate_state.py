"""The generator of large state directories: repeatable, full of traps, and its truth is what the reader finds."""

import json
from datetime import datetime
from pathlib import Path

import pytest

from agentops_pipelines.settings import StateDir
from agentops_pipelines.sources.openclaw.reader import ReadRules, read_state_dir
from agentops_pipelines.warehouse import Warehouse
from agentops_pipelines_tests.generate_state import generate

SESSIONS = 150
TRAPS = {
    "compactions",
    "deleted_transcripts",
    "forks",
    "mirrored_replies",
    "repeated_calls",
    "reset_transcripts",
    "torn_lines",
}


@pytest.mark.parametrize("sqlite", [False, True], ids=["files", "sqlite"])
def test_the_reader_finds_the_truth(tmp_path: Path, *, sqlite: bool) -> None:
    generate(tmp_path, sessions=SESSIONS, sqlite=sqlite)
    traps = TRAPS - {"torn_lines"} if sqlite else TRAPS
    truth = json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))

    with Warehouse(tmp_path / "home").locked("a test") as locked, locked.connect() as writer:
        batches = read_state_dir(
            StateDir(host="generated", path=tmp_path / "state"),
            ledger=writer.ledger("openclaw"),
            rules=ReadRules(empty_poll_phrases=()),
            scratch=tmp_path / "scratch",
        )
        result = writer.load("openclaw", batches, scope="generated", observed_at=datetime(2026, 11, 24, 12))
        per_day = writer.con.execute(
            "SELECT CAST(CAST(written_at AS DATE) AS VARCHAR), provider || '/' || model, sum(input_tokens), "
            "sum(cache_read_tokens), sum(cache_write_tokens), sum(output_tokens), count(*), "
            "coalesce(CAST(sum(estimate_usd) AS DOUBLE), 0) FROM (SELECT DISTINCT ON (response_id) * "
            "FROM raw.openclaw_lines WHERE kind = 'assistant') GROUP BY 1, 2 ORDER BY 1, 2"
        ).fetchall()
        (lines,) = writer.con.execute("SELECT count(*) FROM raw.openclaw_lines WHERE kind = 'assistant'").fetchall()[0]

    assert truth["traps"].keys() == traps
    assert [list(row[:7]) for row in per_day] == [row[:7] for row in truth["by_day_model"]]
    assert [row[7] for row in per_day] == pytest.approx([row[7] for row in truth["by_day_model"]], abs=1e-9)
    assert lines == truth["calls"] + truth["traps"]["repeated_calls"]
    assert result.quarantined == truth["traps"].get("torn_lines", 0)


def test_the_same_arguments_give_the_same_directory(tmp_path: Path) -> None:
    for name in ("one", "other"):
        generate(tmp_path / name, sessions=20, seed=3)

    one, other = (_contents(tmp_path / name) for name in ("one", "other"))
    assert one == other


def _contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
