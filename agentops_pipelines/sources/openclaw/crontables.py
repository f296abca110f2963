"""The cron tables of the state database: jobs, and the runs of each.

Belongs here: cron_jobs and cron_run_logs (2026.6), cron_jobs and task_runs (2026.7+), and which of their rows are news.
What a job or an entry means is in cronrows.

Ledger items: `<database>#cron` (its stamp; position is the number of jobs in it) and `<database>#<table>#<job>`
(position is the number of its runs; the fingerprint changes with any of them). OpenClaw prunes the logs, so a job whose
log changed is read as a whole; its rows have the same keys as before.

Damage in one table, or in the runs of one job, does not keep the others from being read.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from agentops_pipelines.sources.batches import Ledger
from agentops_pipelines.sources.openclaw.cronrows import add_job, add_run
from agentops_pipelines.sources.openclaw.growing import taken
from agentops_pipelines.sources.openclaw.machine import STATE_DATABASE, Reading, Record, Tables, TableSink
from agentops_pipelines.sources.openclaw.phrases import PollPhrases
from agentops_pipelines.sources.openclaw.sqlite import DAMAGE
from agentops_pipelines.sources.openclaw.values import mapping

PART = "cron"
"""What the ledger item of the database is called."""

_JOB_COLUMNS = (
    "job_id",
    "job_json",
    "state_json",
    "declaration_key",
    "name",
    "description",
    "enabled",
    "agent_id",
    "created_at_ms",
    "updated_at",
    "schedule_kind",
    "schedule_expr",
    "schedule_tz",
    "every_ms",
    "at",
    "session_target",
    "wake_mode",
    "payload_kind",
    "payload_model",
    "delivery_mode",
    "delivery_channel",
    "delivery_to",
    "delivery_best_effort",
    "next_run_at_ms",
    "last_run_at_ms",
    "last_run_status",
    "last_error",
    "last_delivery_status",
    "consecutive_errors",
)
_LOG_COLUMNS = {
    "jobId": "job_id",
    "ts": "ts",
    "status": "status",
    "error": "error",
    "summary": "summary",
    "delivered": "delivered",
    "deliveryStatus": "delivery_status",
    "sessionId": "session_id",
    "sessionKey": "session_key",
    "runId": "run_id",
    "runAtMs": "run_at_ms",
    "durationMs": "duration_ms",
    "nextRunAtMs": "next_run_at_ms",
    "model": "model",
    "provider": "provider",
}


@dataclass(frozen=True, kw_only=True)
class _RunTable:
    """A table with runs. Some of its `telling` columns change whenever a run is added, ends or is delivered."""

    name: str
    job_column: str
    content: str
    columns: tuple[str, ...]
    telling: tuple[str, ...]
    where: str
    entry_of: Callable[[Record, Mapping[str, Any]], Record]


def read_tables(tables: Tables, *, sink: TableSink, ledger: Ledger, phrases: PollPhrases) -> Reading:
    """Jobs, then the runs of each job that has other runs than last time. Returns the number of jobs."""
    jobs = _read_job_rows(tables, sink=sink) if tables.has("cron_jobs") else 0
    for table in _RUN_TABLES:
        if not tables.has(table.name, column=table.content):
            continue
        for job_id, state in _run_states(tables, table, sink=sink):
            item = f"{STATE_DATABASE}#{table.name}#{job_id}"
            known = ledger.get(sink.host, item)
            if known is not None and (known.reader, known.fingerprint) == (sink.reader, state):
                continue
            count = _read_run_rows(tables, table, item=item, job_id=job_id, sink=sink, phrases=phrases)
            sink.read_up_to(item, count, state)
            if sink.is_full:
                yield from taken(sink)
    return jobs


def _read_job_rows(tables: Tables, *, sink: TableSink) -> int:
    item = f"{STATE_DATABASE}#{PART}"
    number = 0
    try:
        for number, record in enumerate(tables.records("cron_jobs", _JOB_COLUMNS), start=1):
            content = record.get("job_json")
            if not isinstance(content, dict):
                sink.refuse(item, number, "broken_json" if content is None else "wrong_type")
            job = {**_projected_job(record), **mapping(content)}
            state = {**_projected_state(record), **mapping(job.get("state")), **mapping(record.get("state_json"))}
            add_job(job, state, sink=sink, item=item, position=number)
    except DAMAGE:
        sink.refuse(item, number, "corrupt_sqlite")
    return number


def _projected_job(record: Record) -> dict[str, Any]:
    """A job as the columns beside its JSON have it."""
    delivery = {"mode": "delivery_mode", "channel": "delivery_channel", "to": "delivery_to"}
    schedule = {"kind": "schedule_kind", "expr": "schedule_expr", "tz": "schedule_tz", "everyMs": "every_ms"}
    return {
        "id": record.get("job_id"),
        "declarationKey": record.get("declaration_key"),
        "name": record.get("name"),
        "description": record.get("description"),
        "enabled": record.get("enabled"),
        "agentId": record.get("agent_id"),
        "createdAtMs": record.get("created_at_ms"),
        "updatedAtMs": record.get("updated_at"),
        "schedule": {field: record.get(column) for field, column in {**schedule, "at": "at"}.items()},
        "sessionTarget": record.get("session_target"),
        "wakeMode": record.get("wake_mode"),
        "payload": {"kind": record.get("payload_kind"), "model": record.get("payload_model")},
        "delivery": {
            **{field: record.get(column) for field, column in delivery.items()},
            "bestEffort": record.get("delivery_best_effort"),
        },
    }


def _projected_state(record: Record) -> dict[str, Any]:
    return {
        "nextRunAtMs": record.get("next_run_at_ms"),
        "lastRunAtMs": record.get("last_run_at_ms"),
        "lastRunStatus": record.get("last_run_status"),
        "lastError": record.get("last_error"),
        "lastDeliveryStatus": record.get("last_delivery_status"),
        "consecutiveErrors": record.get("consecutive_errors"),
    }


def _run_states(tables: Tables, table: _RunTable, *, sink: TableSink) -> list[tuple[str, str]]:
    try:
        return tables.states(table.name, by=table.job_column, of=table.telling, where=table.where)
    except DAMAGE:
        sink.refuse(f"{STATE_DATABASE}#{table.name}", 0, "corrupt_sqlite")
        return []


def _read_run_rows(
    tables: Tables, table: _RunTable, *, item: str, job_id: str, sink: TableSink, phrases: PollPhrases
) -> int:
    where = f"{table.where} AND {table.job_column} = ?"
    number = 0
    try:
        records = tables.records(table.name, (table.content, *table.columns), where=where, values=(job_id,))
        for number, record in enumerate(records, start=1):
            content = record.get(table.content)
            if not isinstance(content, dict):
                sink.refuse(item, number, "broken_json" if content is None else "wrong_type")
            entry = table.entry_of(record, mapping(content))
            add_run(entry, sink=sink, item=item, position=number, job_id=job_id, phrases=phrases)
    except DAMAGE:
        sink.refuse(item, number, "corrupt_sqlite")
    return number


def _log_entry(record: Record, entry: Mapping[str, Any]) -> Record:
    """A damaged entry still has its columns."""
    projected = {field: record.get(column) for field, column in _LOG_COLUMNS.items()}
    return {"action": "finished", **projected, **entry}


def _task_entry(record: Record, detail: Mapping[str, Any]) -> Record:
    """What a task says of a run, in the fields of a log entry; nothing for a task of another kind."""
    if detail.get("kind") != "cron-run":
        return {}
    return {
        "sessionKey": record.get("child_session_key"),
        "agentId": record.get("agent_id"),
        "runAtMs": record.get("started_at"),
        **detail,
        "action": "finished",
        "ts": record.get("ended_at"),
        "jobId": record.get("source_id"),
    }


_RUN_TABLES = (
    _RunTable(
        name="cron_run_logs",
        job_column="job_id",
        content="entry_json",
        columns=tuple(_LOG_COLUMNS.values()),
        telling=("seq", "ts"),
        where="TRUE",
        entry_of=_log_entry,
    ),
    _RunTable(
        name="task_runs",
        job_column="source_id",
        content="detail_json",
        columns=("source_id", "agent_id", "child_session_key", "started_at", "ended_at"),
        telling=("ended_at", "last_event_at", "detail_json"),
        where="runtime = 'cron' AND task_kind = 'automation_run' AND ended_at IS NOT NULL AND detail_json IS NOT NULL",
        entry_of=_task_entry,
    ),
)
