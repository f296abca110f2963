"""Rows of raw tables for tests: name the columns that matter, the rest is NULL or a harmless default."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import polars as pl

from agentops_pipelines.sources.batches import Batch
from agentops_pipelines.sources.schemas import (
    JIRA_CHANGES,
    JIRA_ISSUES,
    JIRA_KEYS,
    JIRA_LISTED,
    JIRA_STATUSES,
    LITELLM_DAILY,
    LITELLM_DEPLOYMENTS,
    LITELLM_KEYS,
    LITELLM_ROUTES,
    LITELLM_SPEND_LOGS,
    OPENCLAW_AGENTS,
    OPENCLAW_LINES,
    OPENCLAW_RUNS,
    OPENCLAW_SESSIONS,
    OPENCLAW_SUBAGENT_RUNS,
    OPENCLAW_TRANSCRIPTS,
    OTEL_SPANS,
    RawTable,
)

Row = Mapping[str, object]

USER: Row = {"kind": "user", "reply_chars": 10}
ASSISTANT: Row = {
    "kind": "assistant",
    "provider": "litellm",
    "model": "standard",
    "input_tokens": 100,
    "cache_read_tokens": 50,
    "cache_write_tokens": 0,
    "output_tokens": 10,
    "reasoning_tokens": 0,
    "stop_reason": "stop",
    "tool_calls": 0,
    "reply_chars": 40,
}
REQUEST: Row = {
    "call_type": "acompletion",
    "status": "success",
    "key_hash": "k",
    "key_alias": "alec",
    "model": "azure/gpt-5.4",
    "provider": "azure",
    "model_group": "standard",
    "original_model_group": "standard",
    "prompt_tokens": 150,
    "cache_read_tokens": 50,
    "cache_write_tokens": 0,
    "output_tokens": 10,
    "reasoning_tokens": 0,
    "total_tokens": 160,
    "spend_usd": 0.002,
    "attempted_fallbacks": 0,
}


STATUSES: tuple[Row, ...] = (
    {"status_id": "todo", "name": "To Do", "category": "new"},
    {"status_id": "doing", "name": "In Progress", "category": "indeterminate"},
    {"status_id": "review", "name": "In Review", "category": "indeterminate"},
    {"status_id": "blocked", "name": "Blocked", "category": "indeterminate"},
    {"status_id": "done", "name": "Done", "category": "done"},
)


def frame(table: RawTable, rows: Sequence[Row]) -> pl.DataFrame:
    """Rows given by column name as a frame of the table; an unknown column is a mistake in the test."""
    names = {column.name for column in table.columns}
    for row in rows:
        assert set(row) <= names, f"{table.name} has no column {set(row) - names}"
    return table.frame([[row.get(column.name) for column in table.columns] for row in rows])


def line(line_id: str, at: datetime, base: Row = ASSISTANT, **changes: object) -> Row:
    """One transcript line of session s1 of agent alec, written and started at `at`."""
    return {
        "host": "local",
        "agent_id": "alec",
        "session_id": "s1",
        "line_id": line_id,
        "position": int(at.timestamp() * 1000),
        "path": "agents/alec/sessions/s1.jsonl",
        "origin": "jsonl",
        "written_at": at,
        "started_at": at,
        **base,
        **changes,
    }


def request(request_id: str, at: datetime, **changes: object) -> Row:
    """One spend log row that started and ended at `at`."""
    return {"request_id": request_id, "started_at": at, "ended_at": at, **REQUEST, **changes}


def span(span_id: str, at: datetime, **changes: object) -> Row:
    """One span of a model call of 160 tokens that started and ended at `at`, in a trace of its own."""
    return {
        "trace_id": f"trace-{span_id}",
        "span_id": span_id,
        "kind": "call",
        "provider": "azure",
        "request_model": "standard",
        "served_model": "azure/gpt-5.4",
        "prompt_tokens": 150,
        "cache_read_tokens": 50,
        "output_tokens": 10,
        "status": "ok",
        "started_at": at,
        "ended_at": at,
        **changes,
    }


def jira_batch(
    *,
    issues: Sequence[Row] = (),
    changes: Sequence[Row] = (),
    old_keys: Sequence[Row] = (),
    listed: Sequence[Row] = (),
) -> Batch:
    """Tickets and their history; each ticket has its present key, old ones come on top."""
    keys = [{"issue_key": issue["issue_key"], "issue_id": issue["issue_id"]} for issue in issues]
    return Batch(
        tables={
            JIRA_STATUSES: frame(JIRA_STATUSES, STATUSES),
            JIRA_ISSUES: frame(JIRA_ISSUES, issues),
            JIRA_CHANGES: frame(JIRA_CHANGES, changes),
            JIRA_KEYS: frame(JIRA_KEYS, [*keys, *old_keys]),
            JIRA_LISTED: frame(JIRA_LISTED, listed),
        }
    )


def batch(
    *,
    lines: Sequence[Row] = (),
    transcripts: Sequence[Row] = (),
    sessions: Sequence[Row] = (),
    runs: Sequence[Row] = (),
    requests: Sequence[Row] = (),
    daily: Sequence[Row] = (),
    keys: Sequence[Row] = (),
    deployments: Sequence[Row] = (),
    routes: Sequence[Row] = (),
    spawned: Sequence[Row] = (),
    spans: Sequence[Row] = (),
    agents: Sequence[Row] = (),
) -> Batch:
    """All rows of a small world as one batch."""
    return Batch(
        tables={
            OPENCLAW_LINES: frame(OPENCLAW_LINES, lines),
            OPENCLAW_TRANSCRIPTS: frame(OPENCLAW_TRANSCRIPTS, transcripts),
            OPENCLAW_SESSIONS: frame(OPENCLAW_SESSIONS, sessions),
            OPENCLAW_RUNS: frame(OPENCLAW_RUNS, runs),
            LITELLM_SPEND_LOGS: frame(LITELLM_SPEND_LOGS, requests),
            LITELLM_DAILY: frame(LITELLM_DAILY, daily),
            LITELLM_KEYS: frame(LITELLM_KEYS, keys),
            LITELLM_DEPLOYMENTS: frame(LITELLM_DEPLOYMENTS, deployments),
            LITELLM_ROUTES: frame(LITELLM_ROUTES, routes),
            OPENCLAW_SUBAGENT_RUNS: frame(OPENCLAW_SUBAGENT_RUNS, spawned),
            OTEL_SPANS: frame(OTEL_SPANS, spans),
            OPENCLAW_AGENTS: frame(OPENCLAW_AGENTS, agents),
        }
    )
