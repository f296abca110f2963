"""What each raw table holds: one declared schema per table.

Belongs here: names, types, keys and documentation of the columns of `raw.*`. The DDL, the frames that sources
yield and the data dictionary are all made from these declarations.

Does not belong here: how a source is read (its own module) or what a column means for the business (sql/core).

All timestamps are naive UTC. Tokens are counts. Money is USD: sources hand over doubles, the warehouse stores
DECIMAL(18,12). No column may hold a prompt, an answer, a tool argument, an error text, a ticket's text or a secret.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import polars as pl

TEXT = "VARCHAR"
COUNT = "BIGINT"
FLAG = "BOOLEAN"
TIME = "TIMESTAMP"
USD = "DECIMAL(18,12)"
UNIT_PRICE = "DECIMAL(18,14)"
NUMBER = "DOUBLE"

_FRAME_TYPES: dict[str, pl.DataType] = {
    TEXT: pl.String(),
    COUNT: pl.Int64(),
    FLAG: pl.Boolean(),
    TIME: pl.Datetime("us"),
    USD: pl.Float64(),
    UNIT_PRICE: pl.Float64(),
    NUMBER: pl.Float64(),
}

MAX_USD = 99_999.0
"""Readers quarantine an amount beyond this (DECIMAL(18,12) ends at 10^6): no single call costs that."""

MAX_TOKENS = 10**8
"""Readers quarantine a token count beyond this: no call is that long, and at the dearest list price four times as many
tokens still fit DECIMAL(18,12)."""


class Keep(StrEnum):
    """How rows of a table live on when a source is read again."""

    LAST = "last"
    """One row a key: a row read again replaces the one before. What a source deletes stays."""
    CHANGES = "changes"
    """A dimension: a new row (with `observed_at`) only when something other than a volatile column changed."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column: its name, DuckDB type and what it means."""

    name: str
    type: str
    doc: str


@dataclass(frozen=True, kw_only=True)
class RawTable:
    """One raw table. `key` identifies a source record; `volatile` columns change without being news."""

    name: str
    doc: str
    source: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    keep: Keep = Keep.LAST
    volatile: tuple[str, ...] = ()

    @property
    def qualified_name(self) -> str:
        """`raw.<name>`, as used in SQL."""
        return f"raw.{self.name}"

    @property
    def frame_schema(self) -> dict[str, pl.DataType]:
        """The polars schema of a batch: every column, in order, money as Float64."""
        return {column.name: _FRAME_TYPES[column.type] for column in self.columns}

    def frame(self, rows: Sequence[Sequence[object]]) -> pl.DataFrame:
        """Rows (values in column order) as a typed frame."""
        return pl.DataFrame(rows, schema=self.frame_schema, orient="row")


def _columns(text: str) -> tuple[Column, ...]:
    """Columns from lines `name TYPE doc`: keeps the declarations below readable as a dictionary."""
    columns: list[Column] = []
    for line in text.strip().splitlines():
        name, type_, doc = line.strip().split(maxsplit=2)
        columns.append(Column(name=name, type=_TYPE_WORDS[type_], doc=doc))
    return tuple(columns)


_TYPE_WORDS = {
    "text": TEXT,
    "count": COUNT,
    "flag": FLAG,
    "time": TIME,
    "usd": USD,
    "price": UNIT_PRICE,
    "number": NUMBER,
}

OPENCLAW_LINES = RawTable(
    name="openclaw_lines",
    doc="Transcript lines that say who spoke and what it used: user and assistant messages, compactions, resets.",
    source="openclaw",
    key=("host", "agent_id", "session_id", "line_id"),
    columns=_columns(
        """
        host text configured name of the machine the state directory belongs to
        agent_id text agent, from the directory
        session_id text session, from the transcript's header line (else the file name's stem)
        line_id text id of the line; '#<position>' where a line has none
        position count index of the line in the transcript, from 0: orders the lines of a session
        parent_line_id text id of the line before it in the tree
        kind text user, assistant, compaction or reset
        written_at time when OpenClaw wrote the line (line timestamp)
        started_at time when the message began: for an assistant line, the start of the model call
        path text file the line was read from, relative to the state directory
        origin text jsonl, reset_archive, deleted_archive, sqlite, sqlite_archive or trajectory (the transcript is gone)
        provider text assistant: provider id as configured in OpenClaw
        model text assistant: model id asked for, as configured in OpenClaw
        response_model text assistant: model the upstream says has answered, when it says so
        response_id text assistant: the upstream's response id (LiteLLM's request_id); not unique across proxies
        input_tokens count assistant: input tokens, cached ones excluded
        cache_read_tokens count assistant: input tokens read from the prompt cache
        cache_write_tokens count assistant: input tokens written to the prompt cache
        output_tokens count assistant: output tokens, reasoning included
        reasoning_tokens count assistant: reasoning tokens (part of output)
        estimate_usd usd assistant: cost as OpenClaw computed it; NULL when it could not
        stop_reason text assistant: stop, length, toolUse, error or aborted
        error_kind text assistant: what went wrong, from a fixed list; never the text
        tool_calls count assistant: tool calls in the message
        reply_chars count assistant: length of the visible text; user: length of the text
        poll_phrase text assistant: id of the empty-poll phrase that the whole answer amounts to
        run_id text id of the agent run, when the line carries it (2026.9+)
        mark text user: what the text's opening says the turn is, from a fixed list (see openclaw/marks.py)
        mark_id text user: id beside the mark: cron job id, webhook job id
        mark_name text user: name beside the mark: cron job or webhook task name
        provenance_kind text user: internal_system, external_user, inter_session ... (2026.9+)
        provenance_tool text user: heartbeat, cron, hook, subagent_announce ... (2026.9+)
        ticket_keys text user: ticket-shaped keys in the text, space-separated, at most 5
        """
    ),
)

OPENCLAW_TRANSCRIPTS = RawTable(
    name="openclaw_transcripts",
    doc="Transcripts: one row per session id, with what its header says.",
    source="openclaw",
    key=("host", "agent_id", "session_id"),
    columns=_columns(
        """
        host text configured name of the machine
        agent_id text agent, from the directory
        session_id text session
        path text file it was last read from, relative to the state directory
        origin text jsonl, reset_archive, deleted_archive, sqlite or sqlite_archive
        format_version count header version (3 up to 2026.6, 4 from 2026.9)
        created_at time header timestamp
        parent_session_id text session this one was forked from
        """
    ),
)

OPENCLAW_SESSIONS = RawTable(
    name="openclaw_sessions",
    doc="Session rows: which session key a session id belongs (or belonged) to, and its attributes. "
    "Token counters of the rows are left out: they hold the last run only.",
    source="openclaw",
    key=("host", "agent_id", "session_key", "session_id"),
    columns=_columns(
        """
        host text configured name of the machine
        agent_id text agent, from the directory
        session_key text session key, peer ids in it replaced by a short hash
        session_id text session
        label text label of the session (cron job, sub-agent task); phone-like numbers replaced
        channel text channel the session talks on
        chat_type text direct, group, room or channel
        hook_source text webhook or gmail when an outside hook opened it (2026.9+)
        heartbeat_base_key text session key it is the isolated heartbeat of
        spawned_by text session key of the parent of a sub-agent
        created_via text operator, spawn, channel, cron, talk, run, plugin or internal (2026.9+)
        status text running, done, failed, killed or timeout
        model text model of the last run
        provider text provider of the last run
        compactions count compactions so far
        started_at time start of the session
        updated_at time last change of the row
        """
    ),
)

OPENCLAW_RUNS = RawTable(
    name="openclaw_runs",
    doc="Agent runs from trajectories (2026.6+): what triggered them, under which session key. "
    "A fallback inside a run opens a second row with the same run id.",
    source="openclaw",
    key=("host", "agent_id", "session_id", "run_id", "started_at"),
    columns=_columns(
        """
        host text configured name of the machine
        agent_id text agent, from the directory
        session_id text session
        session_key text session key, peer ids replaced; survives reset and deletion of the transcript
        run_id text run
        started_at time session.started event
        ended_at time session.ended event; NULL when there is none
        trigger text user, heartbeat, cron, memory, overflow, manual ...
        message_provider text webchat, heartbeat, cron-event ...
        provider text provider of the run
        model text model of the run
        status text success, error ... from session.ended
        """
    ),
)

OPENCLAW_CRON_JOBS = RawTable(
    name="openclaw_cron_jobs",
    doc="Cron jobs: schedule, payload kind, delivery and last state; never the message. One row per change.",
    source="openclaw",
    key=("host", "job_id"),
    keep=Keep.CHANGES,
    volatile=(
        "next_run_at",
        "last_run_at",
        "last_status",
        "last_error_kind",
        "last_delivery_status",
        "consecutive_errors",
        "updated_at",
    ),
    columns=_columns(
        """
        host text configured name of the machine
        job_id text cron job
        observed_at time when this state was first seen
        agent_id text agent it runs for; NULL means the default agent
        name text name; phone-like numbers replaced
        is_enabled flag enabled
        is_builtin flag made by OpenClaw itself (heartbeat, memory, reviews), not by the operator
        schedule_kind text at, every, cron ...
        schedule_expr text cron expression
        schedule_tz text time zone of the expression
        every_ms count interval
        at_time time single run
        session_target text main, isolated, current or session
        wake_mode text now or next-heartbeat
        payload_kind text systemEvent, agentTurn, command, heartbeat or script
        payload_model text model the job asks for
        delivery_mode text none, announce or webhook; NULL when the job has no delivery
        delivery_channel text channel; 'last' means wherever the agent spoke last
        delivery_to text recipient as a short hash; NULL when none is named
        delivery_best_effort flag whether a failed delivery leaves the run ok
        created_at time created
        updated_at time last change of the row
        next_run_at time next run, as last seen
        last_run_at time last run, as last seen
        last_status text ok, error or skipped
        last_error_kind text what went wrong, from a fixed list
        last_delivery_status text delivered, not-delivered, unknown or not-requested
        consecutive_errors count failed runs in a row
        """
    ),
)

OPENCLAW_CRON_RUNS = RawTable(
    name="openclaw_cron_runs",
    doc="Finished cron runs with their delivery; usage of a run is in its transcript (session_id).",
    source="openclaw",
    key=("host", "job_id", "finished_at", "run_key"),
    columns=_columns(
        """
        host text configured name of the machine
        job_id text cron job
        finished_at time log entry
        run_key text run id, else session id, else '': tells runs of one moment apart
        agent_id text agent in the session key
        started_at time start
        session_id text session of the run; NULL for events in a main session
        session_key text session key of the run
        run_id text run id; begins with manual: when a person started it
        status text ok, error or skipped
        completion_status text succeeded or failed (2026.9+)
        error_kind text what went wrong, from a fixed list
        is_delivered flag delivered, as logged
        delivery_status text delivered, not-delivered, unknown or not-requested, as logged
        suppression_reason text silent or empty (2026.9+)
        intended_channel text channel it should go to
        intended_to text recipient it should go to, as a short hash
        intended_source text explicit or default ...
        resolved_ok flag whether a channel was found
        resolved_channel text channel it went to
        resolved_to text recipient it went to, as a short hash
        is_fallback_delivery flag delivered another way than intended
        poll_phrase text id of the empty-poll phrase that the whole summary amounts to
        model text model
        provider text provider
        duration_ms count duration
        next_run_at time next run
        """
    ),
)

OPENCLAW_SUBAGENT_RUNS = RawTable(
    name="openclaw_subagent_runs",
    doc="Sub-agent runs: who spawned whom, with which model and outcome. Erased by old versions once announced.",
    source="openclaw",
    key=("host", "run_id"),
    columns=_columns(
        """
        host text configured name of the machine
        run_id text run
        child_session_key text session key of the sub-agent
        requester_session_key text session key that asked for it
        label text label; phone-like numbers replaced
        model text model it was given
        created_at time asked for
        started_at time start
        ended_at time end
        status text ok, error, timeout ...
        ended_reason text why it ended
        """
    ),
)

OPENCLAW_AGENTS = RawTable(
    name="openclaw_agents",
    doc="Agents of the configuration: models, heartbeat. One row per change.",
    source="openclaw",
    key=("host", "agent_id"),
    keep=Keep.CHANGES,
    columns=_columns(
        """
        host text configured name of the machine
        agent_id text agent
        observed_at time when this state was first seen
        model_primary text model asked for first
        model_fallbacks text models asked for next, space-separated
        heartbeat_every text interval of the heartbeat, as configured
        heartbeat_model text model of the heartbeat
        subagent_model text model of sub-agents
        main_session_key text key of the agent's main session: `session.mainKey` names its last part
        """
    ),
)

OPENCLAW_MODEL_ALIASES = RawTable(
    name="openclaw_model_aliases",
    doc="Models of the configuration: alias and configured prices. One row per change.",
    source="openclaw",
    key=("host", "provider", "model"),
    keep=Keep.CHANGES,
    columns=_columns(
        """
        host text configured name of the machine
        provider text provider id
        model text model id
        observed_at time when this state was first seen
        alias text alias
        input_price price configured USD per input token
        output_price price configured USD per output token
        cache_read_price price configured USD per cached token
        cache_write_price price configured USD per cache-write token
        """
    ),
)

LITELLM_SPEND_LOGS = RawTable(
    name="litellm_spend_logs",
    doc="LiteLLM_SpendLogs: one row per finished client request, plus attempt rows and health checks.",
    source="litellm",
    key=("request_id",),
    columns=_columns(
        """
        request_id text LiteLLM's key: the provider's response id on success, a uuid on failure
        litellm_call_id text id of the call in the response header x-litellm-call-id
        call_type text acompletion, aembedding, aresponses, anthropic_messages, /v1/models ...
        started_at time proxy received the request
        ended_at time response finished; includes retries and fallback hops
        first_token_at time first token of a stream
        created_at time row inserted (PostgreSQL only)
        status text success or failure
        key_hash text sha256 of the virtual key, or litellm_proxy_master_key and the like
        key_alias text alias of the virtual key
        user_id text owner of the key
        team_id text team of the key
        end_user text end user sent with the request; shortened to a hash when it looks like an address or number
        model text provider/model that served
        provider text custom_llm_provider
        deployment_id text model_id: the deployment that served
        model_group text group that served
        original_model_group text group asked for; NULL on older proxies (unknown, not equal)
        prompt_tokens count prompt tokens, cached ones included; a local estimate on failures
        cache_read_tokens count of these, read from the prompt cache
        cache_write_tokens count of these, written to the prompt cache
        cache_write_1h_tokens count of these, written with the one-hour lifetime
        output_tokens count completion tokens, reasoning included
        reasoning_tokens count reasoning tokens (part of output)
        total_tokens count prompt + completion as logged
        spend_usd usd spend as logged
        input_price price price per input token in force for the row
        output_price price price per output token in force for the row
        cache_read_price price price per cached token in force for the row
        attempted_retries count retries inside the group that answered; NULL unknown
        attempted_fallbacks count fallback hops; NULL on older proxies (unknown, not 0)
        error_class text exception class; a fixed vocabulary of LiteLLM's
        error_kind text what went wrong, from our fixed list (see litellm/errors.py)
        error_budget_limit_usd usd budget that was exceeded
        error_budget_spend_usd usd spend at that moment
        is_health_check flag row of LiteLLM's own health check
        is_attempt flag row of one billed attempt of a request that has its own row
        is_response_cache_hit flag answered from LiteLLM's response cache
        is_client_disconnect flag client hung up: tokens are LiteLLM's estimate
        trace_id text LiteLLM session_id: a random or trace id, never an OpenClaw session
        user_agent text client software, name and version
        category text spend_logs_metadata.category, else tag category:...
        ticket_key text spend_logs_metadata.ticket, else tag ticket:...
        method text spend_logs_metadata.method
        pipeline text spend_logs_metadata.pipeline
        step text spend_logs_metadata.step
        task_id text spend_logs_metadata.task_id
        """
    ),
)

LITELLM_KEYS = RawTable(
    name="litellm_keys",
    doc="Virtual keys: hash, alias, limits and owner; never the key. One row per change.",
    source="litellm",
    key=("key_hash",),
    keep=Keep.CHANGES,
    volatile=("spend_usd", "total_spend_usd", "last_active_at"),
    columns=_columns(
        """
        key_hash text sha256 of the key
        observed_at time when this state was first seen
        key_alias text alias
        user_id text owner
        team_id text team
        models text model groups the key may call, space-separated; empty means all
        spend_usd usd spend since the last budget reset, as last seen
        total_spend_usd usd lifetime spend, as last seen
        max_budget_usd usd budget cap; NULL means none
        budget_duration text 1d, 7d, 30d ...
        budget_reset_at time next budget reset
        rpm_limit count requests per minute allowed
        tpm_limit count tokens per minute allowed
        is_blocked flag blocked
        expires_at time expiry
        created_at time created
        last_active_at time last use, as last seen; failures count
        """
    ),
)

LITELLM_DAILY = RawTable(
    name="litellm_daily",
    doc="LiteLLM's own daily counters of each virtual key: they also count requests whose spend log was lost.",
    source="litellm",
    key=("usage_date", "key_hash"),
    columns=_columns(
        """
        usage_date time UTC day
        key_hash text sha256 of the virtual key; '' for requests without one
        key_alias text alias
        requests count requests
        ok_requests count of these, successful ones
        failed_requests count of these, failed ones
        prompt_tokens count prompt tokens, cached ones included
        cache_read_tokens count of these, read from the prompt cache
        cache_write_tokens count of these, written to the prompt cache
        output_tokens count completion tokens
        spend_usd usd spend
        """
    ),
)

LITELLM_DEPLOYMENTS = RawTable(
    name="litellm_deployments",
    doc="Deployments of the proxy's configuration with limits and prices. One row per change.",
    source="litellm",
    key=("deployment_id", "model_group"),
    keep=Keep.CHANGES,
    columns=_columns(
        """
        deployment_id text model_info.id: joins to spend logs
        model_group text public name it serves
        observed_at time when this state was first seen
        model text provider/model
        provider text provider part of the model
        pool text pool it draws on (model_info.pool), when configured
        rpm_limit count requests per minute
        tpm_limit count tokens per minute
        priority count order inside the group
        input_price price configured price per input token
        output_price price configured price per output token
        cache_read_price price configured price per cached token
        cache_write_price price configured price per cache-write token
        """
    ),
)

LITELLM_ROUTES = RawTable(
    name="litellm_routes",
    doc="Fallbacks and aliases of the router. One row per change.",
    source="litellm",
    key=("kind", "model_group", "position"),
    keep=Keep.CHANGES,
    columns=_columns(
        """
        kind text fallback, context_window_fallback or alias
        model_group text group asked for
        position count order of the hop, from 1
        observed_at time when this state was first seen
        target text group it goes to
        """
    ),
)

JIRA_ISSUES = RawTable(
    name="jira_issues",
    doc="Jira tickets as last read; never their summary or description. Key is the issue's id: its key may change.",
    source="jira",
    key=("issue_id",),
    columns=_columns(
        """
        issue_id text Jira's id of the ticket, the same for its whole life
        issue_key text key of the ticket, such as OPS-12
        project_key text project the ticket is in
        issue_number count number in the key
        issue_type text Task, Bug, Story ...
        status_id text status
        priority text priority
        priority_rank count place of the priority in Jira's list, 1 is the highest
        is_team_managed flag the project is team-managed: its estimate field comes first; NULL unknown
        story_points number points in the company-managed field (Story Points)
        story_point_estimate number points in the team-managed field (Story point estimate)
        method text method: the options of the field, joined by a comma
        assignee_id text account it is assigned to, as a short hash
        agent_id text agent that the account or its name stands for, by the settings
        open_blockers count tickets that block this one and were not done
        created_at time created
        updated_at time last change
        resolved_at time resolution date
        read_at time when this state was read
        """
    ),
)

JIRA_CHANGES = RawTable(
    name="jira_changes",
    doc="Changes of a ticket's status and points, from the changelog.",
    source="jira",
    key=("issue_id", "change_id", "field"),
    columns=_columns(
        """
        issue_id text ticket
        change_id text id of the changelog entry
        field text status, story_points or story_point_estimate
        changed_at time when it was changed
        from_status_id text status before
        to_status_id text status after
        from_points number points before; NULL none
        to_points number points after; NULL none
        """
    ),
)

JIRA_STATUSES = RawTable(
    name="jira_statuses",
    doc="Statuses with the category that says whether a ticket in them is to do, in progress or done.",
    source="jira",
    key=("status_id",),
    columns=_columns(
        """
        status_id text status
        name text name
        category text new, indeterminate (in progress) or done
        """
    ),
)

JIRA_KEYS = RawTable(
    name="jira_keys",
    doc="Every key that a ticket has or had: it gets another one when it is moved to another project.",
    source="jira",
    key=("issue_key",),
    columns=_columns(
        """
        issue_key text key
        issue_id text ticket
        """
    ),
)

JIRA_LISTED = RawTable(
    name="jira_listed",
    doc="The weekly list of all tickets: one that is not in the newest list is deleted, moved away or hidden.",
    source="jira",
    key=("issue_id",),
    columns=_columns(
        """
        issue_id text ticket
        listed_at time when a list last named it
        """
    ),
)

OTEL_SPANS = RawTable(
    name="otel_spans",
    doc="Spans of traces that are about model calls or name a ticket, without any text. Traces are sampled: never add "
    "spans up against what other sources have.",
    source="otel",
    key=("trace_id", "span_id"),
    columns=_columns(
        """
        trace_id text trace, 32 hex digits
        span_id text span, 16 hex digits
        kind text call (one model call), run (its tokens are the sum of several calls) or other (kept for its ticket)
        service text service.name of the program
        operation text gen_ai.operation.name: chat, embeddings ...
        provider text provider, as LiteLLM calls it
        request_model text model asked for
        model_group text LiteLLM: model group asked for
        served_model text model that served
        response_id text the provider's response id
        litellm_call_id text LiteLLM's call id
        agent_id text OpenClaw agent
        session_id text OpenClaw session (2026.4 and before; later versions keep it back)
        session_key text its session key, peer ids replaced (2026.4 and before)
        key_hash text LiteLLM: sha256 of the virtual key
        key_alias text LiteLLM: alias of the virtual key
        prompt_tokens count input tokens, cached ones included; NULL when the span states no usage
        cache_read_tokens count of these, read from the prompt cache
        cache_write_tokens count of these, written to the prompt cache
        output_tokens count output tokens, reasoning included
        reasoning_tokens count reasoning tokens (part of output)
        cost_usd usd cost, where the span states one
        status text ok or error
        error_kind text what went wrong, from our fixed list (see litellm/errors.py)
        request_ticket_key text ticket that the client sent along with the request
        span_ticket_key text ticket that an attribute of the span names
        resource_ticket_key text ticket that an attribute of the program names (OTEL_RESOURCE_ATTRIBUTES)
        ticket_attribute text name of that attribute
        category text category that the client sent along
        method text method that the client sent along
        pipeline text pipeline that the client sent along
        step text step that the client sent along
        started_at time start
        ended_at time end
        path text file it was last read from, relative to AGENTOPS_OTLP_DIR
        position count line in it, from 1
        """
    ),
)

OTEL_READS = RawTable(
    name="otel_reads",
    doc="Every read of a file of spans: what was met and what was left out.",
    source="otel",
    key=("path", "first_line"),
    columns=_columns(
        """
        path text file, relative to AGENTOPS_OTLP_DIR
        first_line count lines of the file that were read before
        lines count lines read
        spans count spans in them
        kept_spans count of these, kept in raw.otel_spans
        skipped_spans count of these, neither a model call nor with a ticket, or refused
        skipped_lines count lines of metrics and logs
        """
    ),
)

RAW_TABLES: tuple[RawTable, ...] = (
    OPENCLAW_LINES,
    OPENCLAW_TRANSCRIPTS,
    OPENCLAW_SESSIONS,
    OPENCLAW_RUNS,
    OPENCLAW_CRON_JOBS,
    OPENCLAW_CRON_RUNS,
    OPENCLAW_SUBAGENT_RUNS,
    OPENCLAW_AGENTS,
    OPENCLAW_MODEL_ALIASES,
    LITELLM_SPEND_LOGS,
    LITELLM_KEYS,
    LITELLM_DAILY,
    LITELLM_DEPLOYMENTS,
    LITELLM_ROUTES,
    JIRA_ISSUES,
    JIRA_CHANGES,
    JIRA_STATUSES,
    JIRA_KEYS,
    JIRA_LISTED,
    OTEL_SPANS,
    OTEL_READS,
)
"""Every raw table, in the order in which the data dictionary lists them."""
