"""Sub-agent runs: who spawned whom, with which model, and how it ended.

Belongs here: subagents/runs.json (up to 2026.5, emptied once a run is announced and archived) and the table
subagent_runs of state/openclaw.sqlite. The task that was given and the answer are never looked at.

Ledger items: the file, and `<database>#subagents` (its stamp; position is the number of rows). The stores are small and
short-lived: a changed one is read as a whole.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentops_pipelines.settings import StateDir
from agentops_pipelines.sources.batches import Batch, Ledger
from agentops_pipelines.sources.openclaw.growing import taken
from agentops_pipelines.sources.openclaw.keys import public_key, public_run_id
from agentops_pipelines.sources.openclaw.lines import parse
from agentops_pipelines.sources.openclaw.machine import (
    STATE_DATABASE,
    Reading,
    Row,
    Tables,
    TableSink,
    changed_content,
    name_of,
    read_state_database,
    state_file,
    time_of,
)
from agentops_pipelines.sources.openclaw.sqlite import DAMAGE
from agentops_pipelines.sources.openclaw.values import BadValue, mapping, short_text, word
from agentops_pipelines.sources.schemas import OPENCLAW_SUBAGENT_RUNS

if TYPE_CHECKING:
    from agentops_pipelines.sources.openclaw.reader import ReadRules

READER = "openclaw-subagents-1"
"""Raise it when the same input gives other rows: everything that still exists is then read again."""

_FILE = "subagents/runs.json"
_PART = "subagents"
_TABLE = "subagent_runs"
_COLUMNS = {
    "runId": "run_id",
    "childSessionKey": "child_session_key",
    "requesterSessionKey": "requester_session_key",
    "label": "label",
    "model": "model",
    "createdAt": "created_at",
    "startedAt": "started_at",
    "endedAt": "ended_at",
    "outcome": "outcome_json",
    "endedReason": "ended_reason",
}


def read_subagents(state_dir: StateDir, *, ledger: Ledger, rules: "ReadRules", scratch: Path) -> Iterator[Batch]:
    """Sub-agent runs of stores that changed since they were last read: OPENCLAW_SUBAGENT_RUNS.

    A run that is going on has no end yet; its row is replaced when it has. No rule changes anything here.
    """
    del rules
    sink = TableSink(source=ledger.source, host=state_dir.host, reader=READER)
    read = partial(_read_table, sink=sink)
    yield from read_state_database(state_dir, part=_PART, read=read, sink=sink, ledger=ledger, scratch=scratch)
    _read_file(state_dir, sink=sink, ledger=ledger)
    yield from taken(sink)


def _read_file(state_dir: StateDir, *, sink: TableSink, ledger: Ledger) -> None:
    file = state_file(state_dir, _FILE, sink=sink)
    content = changed_content(file, sink=sink, ledger=ledger) if file is not None else None
    if content is None:
        return
    store = parse(content.strip(b"\0\xef\xbb\xbf \r\n"))
    runs = mapping(store).get("runs")
    if not isinstance(runs, dict):
        sink.refuse(_FILE, 0, "broken_json" if store is None else "wrong_type")
        return
    for number, (run_id, run) in enumerate(runs.items(), start=1):
        _add(run, run_id=run_id, sink=sink, item=_FILE, position=number)


def _read_table(tables: Tables, *, sink: TableSink) -> Reading:
    number = 0
    if not tables.has(_TABLE):
        return number
    item = f"{STATE_DATABASE}#{_PART}"
    columns = ("payload_json", *_COLUMNS.values())
    try:
        for number, record in enumerate(tables.records(_TABLE, columns), start=1):
            payload = record.get("payload_json")
            if "payload_json" in record and not isinstance(payload, dict):
                sink.refuse(item, number, "broken_json" if payload is None else "wrong_type")
            projected = {field: record.get(column) for field, column in _COLUMNS.items()}
            _add({**projected, **mapping(payload)}, run_id=record.get("run_id"), sink=sink, item=item, position=number)
            if sink.is_full:
                yield from taken(sink)
    except DAMAGE:
        sink.refuse(item, number, "corrupt_sqlite")
    return number


def _add(run: Any, *, run_id: Any, sink: TableSink, item: str, position: int) -> None:
    try:
        if not isinstance(run, dict):
            raise BadValue("wrong_type")
        sink.add(OPENCLAW_SUBAGENT_RUNS, _row(run, run_id=run_id, host=sink.host))
    except BadValue as problem:
        sink.refuse(item, position, problem.reason)


def _row(run: Mapping[str, Any], *, run_id: Any, host: str) -> Row:
    run_id = short_text(run.get("runId") or run_id, limit=300)
    if run_id is None:
        raise BadValue("wrong_type")
    # 2026.9 moved start, end and outcome into `execution`; 2026.6 writes them in both places.
    execution = mapping(run.get("execution"))
    outcome = mapping(run.get("outcome") or execution.get("outcome"))
    return (
        host,
        public_run_id(run_id),
        _key(run.get("childSessionKey")),
        _key(run.get("requesterSessionKey")),
        name_of(run.get("label")),
        short_text(run.get("model")),
        time_of(run.get("createdAt")),
        time_of(run.get("startedAt") or execution.get("startedAt")),
        time_of(run.get("endedAt") or execution.get("endedAt")),
        word(outcome.get("status") or execution.get("status")),
        word(run.get("endedReason")),
    )


def _key(value: Any) -> str | None:
    return public_key(value[:500]) if isinstance(value, str) and value else None
