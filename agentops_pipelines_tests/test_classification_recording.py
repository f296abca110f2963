"""How many calls of a real recording are classified right, and that no name and no date in it helps.

`truth.jsonl` beside the recording says of every call what it really was. The same home is read twice: as it is, and
with every agent, job and session renamed and every date four weeks later. Runs when AGENTOPS_RECORDINGS names the
directory of recordings.
"""

import json
import os
import re
import sqlite3
import string
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agentops_pipelines.conf import write_conf_tables
from agentops_pipelines.defs.ingest import load_parts, warehouse_of
from agentops_pipelines.defs.litellm import proxy_parts
from agentops_pipelines.defs.openclaw import state_dir_parts
from agentops_pipelines_tests.litellm_server import serve_litellm
from agentops_pipelines_tests.world import make_settings, tables

RECORDINGS = Path(os.environ.get("AGENTOPS_RECORDINGS", ""))
COMBINED = RECORDINGS / "combined"

pytestmark = pytest.mark.skipif("AGENTOPS_RECORDINGS" not in os.environ, reason="AGENTOPS_RECORDINGS is not set")

SINCE = datetime(2026, 11, 15)
NOW = datetime(2026, 11, 25)
SHIFT = timedelta(days=28)
"""The same weekdays."""

RIGHT_TYPES: dict[str, set[str]] = {
    "main": {"main", "named", "dm", "channel"},
    "cron": {"cron"},
    "heartbeat": {"heartbeat"},
    "subagent": {"subagent"},
    "subagent_announce": {"subagent"},
    "system_event": {"system_event"},
    "webhook": {"webhook"},
    "webhook_wake": {"system_event"},
    "llm_task": {"llm_task"},
    "compaction": {"maintenance"},
    "models_probe": {"maintenance"},
    "lab_smoke_test": {"api"},
}
"""What each operation of the truth is called here: conversations in any kind of session are one operation there."""

_WORDS = {"main", "cron", "hook", "subagent", "heartbeat", "run", "?"}
"""Words of OpenClaw itself, not names that somebody chose."""

Disguise = Callable[[str], str]


@dataclass(frozen=True, kw_only=True)
class Score:
    """Right calls and all calls by operation, mistakes, and what was not classified."""

    right: Counter[str]
    total: Counter[str]
    mistakes: list[tuple[str, str, str]]
    unknown_calls: float
    unknown_tokens: float
    job_names: set[str]


def calls_of(*, home: Path, state: Path, rows: list[dict[str, Any]], later: timedelta) -> list[dict[str, Any]]:
    """core.calls of a state directory and a proxy's rows."""
    now = NOW + later
    with serve_litellm(rows=rows) as proxy:
        environ = {
            "AGENTOPS_OPENCLAW_STATE_DIRS": str(state),
            "AGENTOPS_LITELLM_BASE_URL": proxy.base_url,
            "AGENTOPS_LITELLM_API_KEY": proxy.api_key,
            "AGENTOPS_SINCE": (SINCE + later).date().isoformat(),
        }
        settings = make_settings(home, environ=environ)
        for source, parts in (("openclaw", state_dir_parts(settings)), ("litellm", proxy_parts(settings, now=now))):
            assert load_parts(warehouse_of(settings), source, parts, observed_at=now).problems == []
    with warehouse_of(settings).locked("a test") as locked, locked.connect() as writer:
        write_conf_tables(writer, settings, as_of=now)
        for table in tables().values():
            if table.name.startswith("core."):
                writer.run_table(table)
        return writer.con.sql("SELECT * FROM core.calls").pl().to_dicts()


def score_of(calls: list[dict[str, Any]]) -> Score:
    by_request = {call["request_id"]: call for call in calls}
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    mistakes: list[tuple[str, str, str]] = []
    for line in truth():
        operation = line["operation"]
        call = by_request.get(line["request_id"])
        found = "missing" if call is None else call["session_type"]
        total[operation] += 1
        if found in RIGHT_TYPES[operation]:
            right[operation] += 1
        else:
            mistakes.append((operation, found, "" if call is None else call["type_evidence"]))
    return Score(
        right=right,
        total=total,
        mistakes=sorted(mistakes),
        unknown_calls=unknown(calls, lambda _: 1),
        unknown_tokens=unknown(calls, lambda call: call["total_tokens"]),
        job_names={call["job_name"] for call in calls if call["job_name"] is not None},
    )


def unknown(calls: list[dict[str, Any]], weight: Callable[[dict[str, Any]], int]) -> float:
    """The share of the calls that nothing says what they are."""
    return sum(map(weight, (call for call in calls if call["session_type"] == "unknown"))) / sum(map(weight, calls))


def truth() -> list[dict[str, Any]]:
    lines = map(json.loads, (COMBINED / "truth.jsonl").read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line["kind"] == "call"]


def rows_text() -> str:
    return (COMBINED / "litellm" / "LiteLLM_SpendLogs.jsonl").read_text(encoding="utf-8")


# --- the same home in disguise


def names() -> set[str]:
    """Every name of an agent, a job and a session that somebody chose."""
    found: set[str] = set()
    for line in map(json.loads, (COMBINED / "truth.jsonl").read_text(encoding="utf-8").splitlines()):
        found |= {line.get(field) for field in ("agent", "job_name", "name")} - {None}
        found.add((line.get("session_key") or "::main").split(":")[2])
    return {name for name in found if name not in _WORDS and not re.fullmatch(r"[0-9a-f-]{36}", name)}


def disguise() -> Disguise:
    """Other names of the same shape, and dates four weeks later, in any text."""
    ciphered = str.maketrans(string.ascii_lowercase, string.ascii_lowercase[7:] + string.ascii_lowercase[:7])
    new_names = {name: f"x{name.translate(ciphered)}" for name in names()}
    pattern = re.compile(
        r"(?<![A-Za-z0-9])(?:"
        + "|".join(re.escape(name) for name in sorted(new_names, key=len, reverse=True))
        + r")(?![A-Za-z0-9])"
    )
    day = re.compile(r"2026-1[0-2]-\d\d(?!\d)")
    moment = re.compile(r"(?<![0-9A-Za-z.])179[0-9]{10}(?![0-9])")

    def disguised(text: str) -> str:
        text = pattern.sub(lambda match: new_names[match[0]], text)
        text = day.sub(lambda match: (datetime.fromisoformat(match[0]) + SHIFT).date().isoformat(), text)
        return moment.sub(lambda match: str(int(match[0]) + SHIFT // timedelta(milliseconds=1)), text)

    return disguised


def copy_disguised(state: Path, target: Path, change: Disguise) -> None:
    for path in sorted(state.rglob("*")):
        if not path.is_file() or path.name.endswith(("-wal", "-shm")):
            continue
        copy = target / change(str(path.relative_to(state)))
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".sqlite":
            _copy_database(path, copy, change)
        else:
            copy.write_text(
                change(path.read_text(encoding="utf-8", errors="surrogateescape")), errors="surrogateescape"
            )


def _copy_database(path: Path, copy: Path, change: Disguise) -> None:
    with closing(sqlite3.connect(f"file:{path}?immutable=1", uri=True)) as source, closing(sqlite3.connect(copy)) as to:
        to.executescript(change("\n".join(source.iterdump())))


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> tuple[Score, Score]:
    """As it is, and in disguise."""
    change = disguise()
    state = tmp_path_factory.mktemp("disguised")
    copy_disguised(COMBINED / "state", state, change)
    plain, hidden = rows_text(), change(rows_text())
    assert not any(re.search(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", hidden) for name in names())

    def score(folder: Path, text: str, later: timedelta) -> Score:
        rows = [json.loads(line) for line in text.splitlines()]
        return score_of(calls_of(home=tmp_path_factory.mktemp("home"), state=folder, rows=rows, later=later))

    return score(COMBINED / "state", plain, timedelta()), score(state, hidden, SHIFT)


def test_ninety_eight_of_a_hundred_calls_are_classified_right(
    scores: tuple[Score, Score], capsys: pytest.CaptureFixture
) -> None:
    score, _ = scores
    share = score.right.total() / score.total.total()
    with capsys.disabled():
        print(f"\nclassified right: {score.right.total()} of {score.total.total()} calls, {share:.1%}")
        for operation, count in sorted(score.total.items()):
            print(f"  {operation:<18} {score.right[operation]:>3} of {count:>3}")
        print(f"  mistakes: {score.mistakes}")
        print(f"  unknown: {score.unknown_calls:.1%} of calls, {score.unknown_tokens:.1%} of tokens")
    assert share >= 0.98
    assert score.unknown_calls <= 0.02
    assert score.unknown_tokens <= 0.01


def test_other_names_and_dates_give_the_same_score(scores: tuple[Score, Score]) -> None:
    score, hidden = scores
    assert (hidden.right, hidden.total, hidden.mistakes) == (score.right, score.total, score.mistakes)
    assert (hidden.unknown_calls, hidden.unknown_tokens) == (score.unknown_calls, score.unknown_tokens)
    assert len(hidden.job_names) == len(score.job_names)
    assert not hidden.job_names & names()


@pytest.mark.parametrize("version", ["2026.4.15", "2026.6.11", "2026.9.6"])
def test_hardly_a_call_of_any_version_is_unknown(tmp_path: Path, version: str, capsys: pytest.CaptureFixture) -> None:
    state = RECORDINGS / "openclaw" / "state" / version
    calls = calls_of(home=tmp_path, state=state, rows=[], later=timedelta())
    share_of_calls, share_of_tokens = unknown(calls, lambda _: 1), unknown(calls, lambda call: call["total_tokens"])
    with capsys.disabled():
        print(f"\n{version}: unknown {share_of_calls:.1%} of {len(calls)} calls, {share_of_tokens:.1%} of tokens")
    assert share_of_calls <= 0.02
    assert share_of_tokens <= 0.01
