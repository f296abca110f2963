"""The generator of large state directories: repeatable, full of traps, and its truth is what the reader finds."""

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from agentops_pipelines.conf import write_conf_tables
from agentops_pipelines.settings import StateDir
from agentops_pipelines.sources.openclaw.reader import ReadRules, read_state_dir
from agentops_pipelines.warehouse import Warehouse
from agentops_pipelines_tests.generate_state import generate
from agentops_pipelines_tests.world import make_settings, tables

NOW = datetime(2026, 11, 24, 12)
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


@dataclass(frozen=True, kw_only=True)
class Found:
    """The truth, and what the tables say."""

    truth: dict[str, Any]
    traps: set[str]
    raw_calls: int
    quarantined: int
    by_day_model: list[list[Any]]
    by_kind: dict[str, dict[str, Any]]


@pytest.fixture(scope="module", params=[False, True], ids=["files", "sqlite"])
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Found:
    folder = tmp_path_factory.mktemp("generated")
    generate(folder, sessions=SESSIONS, sqlite=request.param, trajectories=True)
    with Warehouse(folder / "home").locked("a test") as locked, locked.connect() as writer:
        batches = read_state_dir(
            StateDir(host="generated", path=folder / "state"),
            ledger=writer.ledger("openclaw"),
            rules=ReadRules(empty_poll_phrases=()),
            scratch=folder / "scratch",
        )
        result = writer.load("openclaw", batches, scope="generated", observed_at=NOW)
        write_conf_tables(writer, make_settings(folder / "home"), as_of=NOW)
        for table in tables().values():
            if table.name.startswith("core."):
                writer.run_table(table)
        raw = "SELECT count(*) FROM raw.openclaw_lines WHERE kind = 'assistant'"
        cost = "CAST(coalesce(sum(estimate_usd), 0) AS VARCHAR)"
        by_day_model = (
            "SELECT CAST(CAST(ended_at AS DATE) AS VARCHAR), provider || '/' || model, sum(input_tokens), "
            f"sum(cache_read_tokens), sum(cache_write_tokens), sum(output_tokens), count(*), {cost} "
            "FROM core.calls GROUP BY 1, 2 ORDER BY 1, 2"
        )
        by_kind = f"SELECT session_type, count(*), sum(total_tokens), {cost} FROM core.calls GROUP BY 1"
        return Found(
            truth=json.loads((folder / "truth.json").read_text(encoding="utf-8")),
            traps=TRAPS - {"torn_lines"} if request.param else TRAPS,
            raw_calls=writer.con.execute(raw).fetchall()[0][0],
            quarantined=result.quarantined,
            by_day_model=[[*row[:7], _exact(row[7])] for row in writer.con.execute(by_day_model).fetchall()],
            by_kind={
                kind: {"calls": calls, "tokens": tokens, "cost_usd": _exact(usd)}
                for kind, calls, tokens, usd in writer.con.execute(by_kind).fetchall()
            },
        )


def _exact(usd: str | float) -> Decimal:
    """An amount in the generator's steps of 10^-10 USD."""
    return Decimal(str(usd)).quantize(Decimal("1e-10"))


def test_every_call_is_counted_once_by_day_and_model(found: Found) -> None:
    """Forks, resets, deleted transcripts, lines cut short and mirrored replies included, to the last token and cent."""
    assert found.by_day_model == [[*row[:7], _exact(row[7])] for row in found.truth["by_day_model"]]


def test_every_call_has_the_type_of_its_session(found: Found) -> None:
    expected = {kind: {**sums, "cost_usd": _exact(sums["cost_usd"])} for kind, sums in found.truth["by_kind"].items()}
    assert found.by_kind == expected


def test_the_traps_were_there(found: Found) -> None:
    assert found.truth["traps"].keys() == found.traps
    assert found.raw_calls == found.truth["calls"] + found.truth["traps"]["repeated_calls"]
    assert found.quarantined == found.truth["traps"].get("torn_lines", 0)


def test_the_same_arguments_give_the_same_directory(tmp_path: Path) -> None:
    for name in ("one", "other"):
        generate(tmp_path / name, sessions=20, seed=3)

    one, other = (_contents(tmp_path / name) for name in ("one", "other"))
    assert one == other


def _contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
