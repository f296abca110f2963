"""Two weeks of a small fleet as raw frames: a little of everything that sources can say, so that every table has rows.

Belongs here: synthetic rows for every raw table, rich in kinds, errors, copies and NULLs rather than realistic.
Does not belong here: expectations about them. The same on every call.
"""

from datetime import datetime, timedelta
from itertools import cycle

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
    OPENCLAW_CRON_JOBS,
    OPENCLAW_CRON_RUNS,
    OPENCLAW_LINES,
    OPENCLAW_MODEL_ALIASES,
    OPENCLAW_RUNS,
    OPENCLAW_SESSIONS,
    OPENCLAW_SUBAGENT_RUNS,
    OPENCLAW_TRANSCRIPTS,
    OTEL_READS,
    OTEL_SPANS,
    RAW_TABLES,
    TEXT,
    TIME,
    Keep,
    RawTable,
)

Row = dict[str, object]

FIRST_DAY = datetime(2026, 11, 9)
"""Monday of ISO week 46."""
DAYS = 15
CREDITS_FROM = FIRST_DAY + timedelta(days=7)
"""From here on the gateway logs no spend for agents: shares go by list prices."""
AS_OF = FIRST_DAY + timedelta(days=DAYS - 1, hours=20)
"""Monday evening of week 48: two weeks are complete, the third has begun."""

TOML = """
timezone = "Europe/Berlin"
[tiers]
triage = ["triage", "paid-mini"]
standard = ["standard", "openai/text-embedding-3-small"]
heavy = ["heavy", "paid-opus"]
[pools]
paid = ["dep-paid-mini"]
[limits.deployments.dep-paid-mini]
rpm = 2
[limits.pools.credits]
tpm = 400000
tokens_per_day = 1000000
[mapping.operations]
"heartbeat poll" = "triage"
"routine work" = "standard"
[mapping.methods]
tdd-loop = "standard"
[target_tiers]
"deep work" = "triage"
"main conversation" = "standard"
"heartbeat poll" = "triage"
"nightly" = "triage"
"ticket work" = "triage"
[lanes]
ada = "ada"
pipeline-key = "release pipeline"
[[category_rules]]
category = "ticket work"
method = "tdd%"
[[category_rules]]
category = "nightly"
job_name = "nightly%"
[[category_rules]]
category = "tagged"
tag = "review"
[quiet_hours.ada]
from = "01:30"
to = "05:00"
[quiet_hours."a1b2c3"]
from = "22:00"
to = "02:00"
timezone = "UTC"
[intended_delivery."nightly 2"]
channel = "discord"
[intended_delivery.cleo]
channel = "slack"
to = "U1"
[poll_intervals]
"nightly 2" = 4320
ada = 1440
[tier_floors]
tdd-loop = "standard"
[budgets.fleet]
usd = 40
[budgets.of-ada]
usd = 2
period = "week"
lane = "ada"
basis = "list"
[alerts]
pool_minutes = 1
[tickets]
min_tickets = 2
count_cache_reads = false
[tickets.weekly_token_budgets]
ada = 100000
[price_aliases]
heavy = [{ priced_as = "openai/gpt-5.4" }, { priced_as = "anthropic/claude-opus-4-7", since = 2026-11-16 }]
"""

AGENTS = (("laptop", "ada"), ("laptop", "ben"), ("server", "cleo"))

MODELS: tuple[tuple[str, str, str, str, float | None], ...] = (
    # asked for in OpenClaw, served by LiteLLM (group, model), and what a token costs there
    ("litellm", "standard", "standard", "azure/gpt-5.4", 0.0),
    ("litellm", "triage", "triage", "azure/gpt-5.4-mini", 0.0),
    ("litellm", "heavy", "foundry-claude-opus-4-8", "azure_ai/claude-opus-4-8", 5e-6),
    ("litellm", "paid-mini", "paid-mini", "openai/gpt-5.4-mini", 7.5e-7),
    ("litellm", "mystery", "mystery", "custom/mystery-1", 0.0),
    ("anthropic", "claude-haiku-4-5", "", "", None),
    ("openai", "o3", "", "", None),
)
"""An empty group: called past the gateway, so that LiteLLM knows nothing of it."""

KEYS: tuple[tuple[str | None, Row], ...] = (
    ("main", {}),
    ("heartbeat:main:heartbeat", {"heartbeat_base_key": "agent:{agent}:main", "channel": "webchat"}),
    ("cron:job-1", {"label": "nightly report"}),
    ("cron:job-2:run:run-{agent}", {"label": "task-poll"}),
    ("cron:job-3:run:1763000000000", {"label": "wake"}),
    ("cron:job-9", {"hook_source": "webhook", "label": "deploy hook"}),
    ("subagent:child-1", {"spawned_by": "agent:{agent}:main", "created_via": "spawn"}),
    ("hook:hook-1", {"hook_source": "gmail"}),
    ("acp:acp-1", {}),
    ("temp:slug-generator", {}),
    ("openai:http-1", {}),
    ("telegram:direct:peer-3f2a", {"channel": "telegram", "chat_type": "direct"}),
    ("slack:channel:general", {"channel": "slack", "chat_type": "channel"}),
    ("telegram:group:team:topic:7", {"channel": "telegram", "chat_type": "group"}),
    ("deep-dive", {"label": "deep dive"}),
    (None, {}),
    (None, {"first_mark": ("cron", "job-4", "Nightly clean-up")}),
    (None, {"first_mark": ("webhook", "job-5", "pager")}),
    (None, {"first_mark": ("subagent_context", None, None)}),
    (None, {"first_mark": ("heartbeat_poll", None, None)}),
    (None, {"first_mark": ("session_event", None, None)}),
)
"""Session keys after `agent:<id>:`; None is a session whose key nobody knows, with the mark of its first line."""

MARKS: tuple[Row, ...] = (
    {},
    {"mark": "heartbeat_poll"},
    {"mark": "cron_wake", "mark_id": "job-3", "mark_name": "wake"},
    {"mark": "session_event"},
    {"mark": "webhook", "mark_id": "job-5", "mark_name": "pager"},
    {"mark": "inter_session"},
    {"mark": "memory_flush"},
    {"mark": "new_session"},
    {"provenance_kind": "internal_system", "provenance_tool": "heartbeat"},
    {"provenance_kind": "internal_system", "provenance_tool": "cron"},
    {"provenance_kind": "internal_system", "provenance_tool": "hook"},
    {"provenance_kind": "inter_session", "provenance_tool": "subagent_announce"},
    {"provenance_kind": "external_user", "ticket_keys": "OPS-7 OPS-12"},
)

RUNS = (
    ("user", "webchat"),
    ("heartbeat", "heartbeat"),
    ("heartbeat", "cron-event"),
    ("cron", None),
    ("memory", "webchat"),
    ("overflow", None),
    (None, None),
)

TICKET_STATUSES = (
    ("To Do", "new"),
    ("In Progress", "indeterminate"),
    ("In Review", "indeterminate"),
    ("Blocked", "indeterminate"),
    ("Done", "done"),
)

ERRORS = ("timeout", "budget", "rate_limit", "other", None)


class _World:
    """Rows of all tables while they are made."""

    def __init__(self) -> None:
        self.rows: dict[RawTable, list[Row]] = {table: [] for table in RAW_TABLES}
        self._models = cycle(MODELS)
        self._marks = cycle(MARKS)
        self._runs = cycle(RUNS)
        self._errors = cycle(ERRORS)
        self._turns = 0
        self._calls = 0

    def add(self, table: RawTable, **values: object) -> None:
        self.rows[table].append(values)

    def sessions(self) -> None:
        for host, agent in AGENTS:
            for number, (key, attributes) in enumerate(KEYS, start=1):
                self._session(host, agent, number, key, attributes)

    def _session(self, host: str, agent: str, number: int, key: str | None, attributes: Row) -> None:
        session = f"{agent}-s{number:02d}"
        place: Row = {"host": host, "agent_id": agent, "session_id": session}
        texts = {name: str(value).format(agent=agent) for name, value in attributes.items() if name != "first_mark"}
        path = f"agents/{agent}/sessions/{session}.jsonl"
        self.add(
            OPENCLAW_TRANSCRIPTS,
            **place,
            path=path,
            origin="sqlite" if number % 5 == 0 else "jsonl",
            format_version=3 + number % 2,
            created_at=FIRST_DAY,
        )
        session_key = None if key is None else f"agent:{agent}:{key.format(agent=agent)}"
        if session_key is not None and number % 4:
            self.add(
                OPENCLAW_SESSIONS,
                **place,
                session_key=session_key,
                **texts,
                status="done",
                model="standard",
                provider="litellm",
                compactions=number % 2,
                started_at=FIRST_DAY,
                updated_at=FIRST_DAY + timedelta(days=number % 9),
            )
        for day in range(number % 3, DAYS, 3 if number > 1 else 1):
            at = FIRST_DAY + timedelta(days=day, hours=(number * 5) % 24, minutes=number)
            self._turn({**place, "path": path, "origin": "jsonl"}, at, session_key, attributes.get("first_mark"))

    def _turn(self, place: Row, at: datetime, session_key: str | None, first_mark: object) -> None:
        self._turns += 1
        turn = self._turns
        mark = dict(next(self._marks))
        if isinstance(first_mark, tuple):
            mark = dict(zip(("mark", "mark_id", "mark_name"), first_mark, strict=True))
        if turn % 11:  # every eleventh answer has no user line: the announce of a sub-agent
            self._line(place, f"u{turn}", at, kind="user", reply_chars=turn % 90, **mark)
        run_id = f"run-{turn}" if turn % 3 else f"announce:v1:{turn}"
        if turn % 2:
            trigger, provider = next(self._runs)
            self.add(
                OPENCLAW_RUNS,
                host=place["host"],
                agent_id=place["agent_id"],
                session_id=place["session_id"],
                session_key=session_key,
                run_id=run_id,
                started_at=at,
                ended_at=at + timedelta(minutes=9) if turn % 4 == 1 else None,
                trigger=trigger,
                message_provider=provider,
                provider="litellm",
                model="standard",
                status="success",
            )
        for step in range(1 + turn % 3):
            # Some turns call several models at the same moment.
            started = at + timedelta(minutes=1 + (step if turn % 7 else 0), microseconds=turn)
            self._call(place, started, run_id if turn % 5 == 0 else None)
        if turn % 13 == 0:
            self._line(place, f"c{turn}", at + timedelta(minutes=8), kind="compaction")
        if turn % 17 == 0:
            self._line(place, f"r{turn}", at + timedelta(minutes=9), kind="reset")

    def _line(self, place: Row, line_id: str, at: datetime, **values: object) -> None:
        self.add(
            OPENCLAW_LINES,
            **place,
            line_id=line_id,
            position=int((at - FIRST_DAY) / timedelta(seconds=1)),
            written_at=at,
            **values,
        )

    def _call(self, place: Row, at: datetime, run_id: str | None) -> None:
        """One answer in a transcript and, where the gateway served it, its spend log row."""
        self._calls += 1
        call = self._calls
        provider, model, group, served, unit = next(self._models)
        fails, aborted = call % 9 == 0, call % 23 == 0
        tokens = {
            "input": 100 + call * 7 % 5_000,
            "cache_read": call * 1_031 % 280_000 if call % 3 else 0,
            "cache_write": call * 13 % 9_000 if call % 4 == 0 else 0,
            "output": 5 + call % 700,
            "reasoning": call % 5,
        }
        if fails:
            tokens = dict.fromkeys(tokens, 0)
        # Proxies that restart count from the beginning again: the id alone does not say which call it was.
        response_id = None if fails else f"chatcmpl-{call % 400}"
        self._line(
            place,
            f"a{call}",
            at + timedelta(seconds=call % 40),
            kind="assistant",
            started_at=at if call % 6 else None,
            provider=provider,
            model=model,
            response_model=served.split("/")[-1] if call % 7 == 0 and served else None,
            response_id=response_id if group and call % 13 else None,  # some lines keep no id
            **{f"{name}_tokens": count for name, count in tokens.items()},
            estimate_usd=None if call % 5 == 0 else round(call * 0.000137 % 1, 12),
            stop_reason="error" if fails else "aborted" if aborted else "toolUse" if call % 3 else "stop",
            error_kind=next(self._errors) if fails else None,
            tool_calls=call % 3,
            reply_chars=0 if fails else call % 400,
            poll_phrase="heartbeat_ok" if call % 10 == 3 else None,
            run_id=run_id,
        )
        if group and call % 8:
            self._request(place, at, call, group=group, asked=model, served=served, unit=unit, tokens=tokens)

    def _request(
        self,
        place: Row,
        at: datetime,
        call: int,
        *,
        group: str,
        asked: str,
        served: str,
        unit: float | None,
        tokens: dict[str, int],
    ) -> None:
        fails = call % 9 == 0
        if at >= CREDITS_FROM:
            unit = 0.0
        prompt = tokens["input"] + tokens["cache_read"] + tokens["cache_write"]
        off_by_one = 1 if call % 37 == 0 else 0  # tokens that do not agree: no pair
        self.add(
            LITELLM_SPEND_LOGS,
            request_id=f"failure-{call}" if fails else f"chatcmpl-{call % 400}-{call // 400}".removesuffix("-0"),
            litellm_call_id=f"call-{call}",
            call_type="acompletion",
            started_at=at + timedelta(milliseconds=40),
            ended_at=at + timedelta(seconds=call % 40),
            first_token_at=at + timedelta(seconds=1) if call % 2 else None,
            created_at=at + timedelta(minutes=1),
            status="failure" if fails else "success",
            key_hash=f"hash-{place['agent_id']}",
            key_alias=place["agent_id"] if call % 19 else None,
            user_id="operator",
            team_id="team" if call % 2 else None,
            model=asked if fails else served,
            provider="" if fails else served.split("/")[0],
            deployment_id=None if fails else f"dep-{group}",
            model_group=group,
            original_model_group=asked if call % 5 else None,
            prompt_tokens=(1_000 if fails else prompt) + off_by_one,
            cache_read_tokens=tokens["cache_read"],
            cache_write_tokens=tokens["cache_write"],
            cache_write_1h_tokens=tokens["cache_write"] // 3,
            output_tokens=tokens["output"],
            reasoning_tokens=tokens["reasoning"],
            total_tokens=prompt + tokens["output"],
            spend_usd=None if fails else prompt * (unit or 0.0),
            input_price=unit,
            output_price=unit,
            cache_read_price=None if call % 2 else 0.0,
            attempted_retries=call % 3 if call % 4 else None,
            attempted_fallbacks=call % 2 if call % 4 else None,
            error_class="BudgetExceededError" if fails else None,
            error_kind=next(self._errors) if fails else None,
            error_budget_limit_usd=5.0 if fails else None,
            error_budget_spend_usd=5.01 if fails else None,
            is_health_check=False,
            is_attempt=False,
            is_response_cache_hit=call % 29 == 0,
            is_client_disconnect=call % 31 == 0,
            trace_id=f"trace-{call}",
            user_agent="OpenAI/JS 5.0",
        )

    def copies(self) -> None:
        """A fork with its parent's lines, the same session seen on a second host, calls recovered from a trajectory."""
        lines = [row for row in self.rows[OPENCLAW_LINES] if row["session_id"] == "ada-s01"][:30]
        for row in lines:
            self.add(OPENCLAW_LINES, **{**row, "session_id": "ada-fork", "path": "agents/ada/sessions/ada-fork.jsonl"})
            self.add(OPENCLAW_LINES, **{**row, "host": "server"})
        fork = {"host": "laptop", "agent_id": "ada", "session_id": "ada-fork"}
        after = FIRST_DAY + timedelta(days=9)
        self.add(OPENCLAW_TRANSCRIPTS, **fork, parent_session_id="ada-s01", created_at=after, origin="jsonl")
        self.add(OPENCLAW_SESSIONS, **fork, session_key="agent:ada:main", label="fork", updated_at=after)
        self._turn({**fork, "path": "agents/ada/sessions/ada-fork.jsonl", "origin": "jsonl"}, after, None, None)

    def recovered(self) -> None:
        """Calls out of trajectories, half of them in a transcript too; requests that wrote a compaction."""
        calls = [row for row in self.rows[OPENCLAW_LINES] if row.get("response_id") and row.get("started_at")]
        for number, row in enumerate(calls[:24]):
            later = timedelta(minutes=5 if number % 2 else 0)
            self.add(
                OPENCLAW_LINES,
                **{
                    **row,
                    "session_id": f"{row['agent_id']}-gone",
                    "line_id": f"trajectory:{number}",
                    "origin": "trajectory",
                    "started_at": row["started_at"] + later,  # type: ignore[operator]
                },
            )
        compactions = [row for row in self.rows[OPENCLAW_LINES] if row["kind"] == "compaction"]
        for number, row in enumerate(compactions[:12]):
            self.add(
                LITELLM_SPEND_LOGS,
                request_id=f"summary-{number}",
                call_type="acompletion",
                started_at=row["written_at"] - timedelta(seconds=9),  # type: ignore[operator]
                ended_at=row["written_at"] - timedelta(seconds=number % 7),  # type: ignore[operator]
                status="success",
                key_hash=f"hash-{row['agent_id']}",
                key_alias=row["agent_id"],
                model="azure/gpt-5.4",
                provider="azure",
                model_group="standard",
                prompt_tokens=5_000,
                output_tokens=300,
                total_tokens=5_300,
                spend_usd=0.01,
            )

    def twins(self) -> None:
        """Sessions that are alike in everything that rankings go by."""
        for number in range(4):
            at = FIRST_DAY + timedelta(days=8, hours=9)
            session = f"ada-twin{number}"
            place: Row = {"host": "laptop", "agent_id": "ada", "session_id": session, "origin": "jsonl"}
            self.add(OPENCLAW_TRANSCRIPTS, **place, created_at=at)
            self._line(place, f"twin-u{number}", at, kind="user", reply_chars=9)
            self._line(
                place,
                f"twin-a{number}",
                at + timedelta(seconds=5),
                kind="assistant",
                started_at=at,
                provider="anthropic",
                model="claude-haiku-4-5",
                input_tokens=900_000,
                cache_read_tokens=0,
                cache_write_tokens=0,
                output_tokens=90_000,
                estimate_usd=1.35,
                stop_reason="stop",
            )

    def gateway_only(self) -> None:
        """Rows without a transcript: steps of pipelines, workers, other clients, probes, attempts, lost transcripts."""
        kinds: tuple[Row, ...] = (
            {"pipeline": "release", "step": "summarise", "category": "llm-task", "key_alias": "pipeline-key"},
            {"method": "tdd-loop", "ticket_key": "OPS-7", "task_id": "t1", "key_alias": "worker-key"},
            {"category": "review", "key_alias": "ben", "user_agent": "curl/8"},
            {"end_user": "customer-9f", "key_alias": None},
            {"is_health_check": True, "key_alias": None, "key_hash": "litellm-health"},
            {
                "call_type": "/v1/models",
                "status": "failure",
                "model": "",
                "model_group": "",
                "error_kind": "missing_key",
            },
            {"is_attempt": True, "attempted_retries": 1},
            {"is_client_disconnect": True},
            {"is_response_cache_hit": True, "spend_usd": 0.0},
            {"input_price": 0.0, "output_price": 0.0, "model_group": "credits", "spend_usd": 0.002},
            {"model": "unknown-model", "provider": "unknown", "model_group": "unknown-model", "status": "failure"},
            {
                "call_type": "aembedding",
                "model": "openai/text-embedding-3-small",
                "provider": "openai",
                "output_tokens": 0,
            },
        )
        for number in range(4 * len(kinds)):
            kind = kinds[number % len(kinds)]
            at = FIRST_DAY + timedelta(hours=7 * number + 3)
            base: Row = {
                "request_id": f"extra-{number}",
                "call_type": "acompletion",
                "started_at": at,
                "ended_at": at + timedelta(seconds=2),
                "status": "success",
                "key_hash": "hash-extra",
                "key_alias": "ada",
                "model": "anthropic/claude-opus-4-7",
                "provider": "anthropic",
                "model_group": "paid-opus",
                "original_model_group": "paid-opus",
                "prompt_tokens": 300_000,
                "cache_read_tokens": 1_000,
                "output_tokens": 50,
                "total_tokens": 300_050,
                "spend_usd": 0.07,
            }
            self.add(LITELLM_SPEND_LOGS, **{**base, **kind})

    def history(self) -> None:
        """Seven busy weeks before the two: enough minutes for a P99 that grows, which a forecast needs."""
        for week in range(7):
            for minute in range(102):
                at = FIRST_DAY - timedelta(days=7 * (7 - week)) + timedelta(hours=9, minutes=minute)
                self.add(
                    LITELLM_SPEND_LOGS,
                    request_id=f"history-{week}-{minute}",
                    call_type="acompletion",
                    started_at=at,
                    ended_at=at + timedelta(milliseconds=1_250 + minute),
                    status="success",
                    key_hash="hash-old" if week % 2 else "litellm_proxy_master_key",
                    model="azure/gpt-5.4",
                    provider="azure",
                    deployment_id="dep-standard",
                    model_group="standard",
                    prompt_tokens=1_000 * (week + 1) ** 2 + minute,
                    output_tokens=10,
                    spend_usd=0.0,
                )

    def storm(self) -> None:
        """Errors of one agent in a row: a bad request to it, a spent budget to the gateway."""
        place: Row = {"host": "laptop", "agent_id": "ada", "session_id": "ada-s01", "origin": "jsonl"}
        for number in range(5):
            at = FIRST_DAY + timedelta(days=12, hours=9, minutes=30 + 2 * number)
            if number < 4:
                self._line(
                    place,
                    f"storm-{number}",
                    at + timedelta(seconds=20),
                    kind="assistant",
                    started_at=at,
                    provider="litellm",
                    model="standard",
                    output_tokens=0,
                    stop_reason="error",
                    error_kind="bad_request" if number % 2 else None,
                )
            self.add(
                LITELLM_SPEND_LOGS,
                request_id=f"storm-{number}",
                call_type="acompletion",
                started_at=at + timedelta(seconds=1 if number < 4 else -90),
                ended_at=at + timedelta(seconds=2),
                status="failure",
                key_hash="hash-ada",
                key_alias="ada",
                model="azure/gpt-5.4",
                deployment_id="dep-standard",
                model_group="standard",
                original_model_group="standard",
                attempted_fallbacks=0,
                error_kind="budget" if number < 3 else "timeout",
                error_budget_limit_usd=5.0 if number < 3 else None,
            )

    def cold(self) -> None:
        """A session whose second call reads nothing of what the first has cached."""
        place: Row = {"host": "laptop", "agent_id": "ada", "session_id": "ada-cold", "origin": "jsonl"}
        for number, (read, fresh) in enumerate(((50_000, 1_000), (0, 60_000))):
            at = FIRST_DAY + timedelta(days=9, hours=9, minutes=number)
            self._line(
                place,
                f"cold-{number}",
                at,
                kind="assistant",
                started_at=at,
                provider="anthropic",
                model="claude-haiku-4-5",
                input_tokens=fresh,
                cache_read_tokens=read,
                cache_write_tokens=0,
                output_tokens=10,
                stop_reason="stop",
            )

    def dimensions(self) -> None:
        for position, (_, asked, group, served, unit) in enumerate(row for row in MODELS if row[2]):
            for change, observed in enumerate((FIRST_DAY, FIRST_DAY + timedelta(days=7))):
                self.add(
                    LITELLM_DEPLOYMENTS,
                    deployment_id=f"dep-{group}",
                    model_group=asked,
                    observed_at=observed,
                    model=served,
                    provider=served.split("/")[0],
                    pool="credits" if unit == 0.0 else None,
                    rpm_limit=60 + change,
                    tpm_limit=None if position % 2 else 100_000,
                    priority=position,
                    input_price=unit,
                    output_price=unit,
                )
            self.add(
                LITELLM_ROUTES,
                kind="fallback",
                model_group=asked,
                position=1,
                observed_at=FIRST_DAY,
                target="paid-mini",
            )
        self.add(
            LITELLM_ROUTES, kind="alias", model_group="default", position=1, observed_at=FIRST_DAY, target="standard"
        )
        for number, (_, agent) in enumerate(AGENTS):
            for change, observed in enumerate((FIRST_DAY, FIRST_DAY + timedelta(days=8))):
                self.add(
                    LITELLM_KEYS,
                    key_hash=f"hash-{agent}",
                    observed_at=observed,
                    key_alias=agent,
                    user_id="operator",
                    models="triage standard" if number else "",
                    spend_usd=1.5 * number,
                    total_spend_usd=20.25,
                    max_budget_usd=5.0 + change if number else None,
                    budget_duration="7d" if number else None,
                    budget_reset_at=FIRST_DAY + timedelta(days=7),
                    rpm_limit=None,
                    tpm_limit=1_000,
                    is_blocked=number == 2,
                    created_at=FIRST_DAY,
                    last_active_at=observed,
                )

    def counters(self) -> None:
        """LiteLLM's daily counters: of one key more than was logged, of another nothing."""
        for day in range(DAYS):
            for number, (_, agent) in enumerate(AGENTS[:2]):
                self.add(
                    LITELLM_DAILY,
                    usage_date=FIRST_DAY.replace(hour=0, minute=0) + timedelta(days=day),
                    key_hash=f"hash-{agent}",
                    key_alias=agent if number else None,
                    requests=20 + day,
                    ok_requests=18 + day,
                    failed_requests=2,
                    prompt_tokens=4_000_000,
                    cache_read_tokens=9_000,
                    cache_write_tokens=300,
                    output_tokens=7_000,
                    spend_usd=1.25,
                )

    def jobs(self) -> None:
        """Cron jobs and their runs with every way a delivery can end, sub-agents, agents, configured models."""
        deliveries = cycle(
            (
                {"delivery_status": "delivered", "is_delivered": True, "intended_channel": "slack"},
                {"delivery_status": "not-delivered", "is_delivered": False, "error_kind": "other", "status": "error"},
                {"delivery_status": "not-requested", "poll_phrase": "heartbeat_ok"},
                {"delivery_status": "unknown", "suppression_reason": "silent", "resolved_ok": False},
                {},
            )
        )
        for host, agent in AGENTS:
            for number in range(1, 6):
                job: Row = {"host": host, "job_id": f"job-{number}-{agent}"}
                minute = 61 if (number, agent) == (3, "cleo") else 0  # a schedule that never comes
                for change in range(2):
                    self.add(
                        OPENCLAW_CRON_JOBS,
                        **job,
                        observed_at=FIRST_DAY + timedelta(days=6 * change),
                        agent_id=agent if number % 2 else None,
                        name=f"nightly {number}",
                        is_enabled=change == 0 or number % 2 == 0,
                        is_builtin=number == 5,
                        schedule_kind="cron" if number % 2 else "every",
                        schedule_expr=f"{minute} {number} * * *" if number % 2 else None,
                        every_ms=None if number % 2 else 3_600_000,
                        session_target="main" if number == 3 else "isolated",
                        payload_kind="systemEvent" if number == 3 else "agentTurn",
                        delivery_mode="announce" if number < 4 else None,
                        delivery_channel="slack" if number == 1 else "last",
                        delivery_to="a1b2c3" if number == 1 else None,
                        created_at=FIRST_DAY,
                        last_status="ok",
                        consecutive_errors=number % 3,
                    )
                for day in range(0, DAYS, 2):
                    at = FIRST_DAY + timedelta(days=day, hours=number)
                    run: Row = {
                        "finished_at": at + timedelta(minutes=2),
                        "run_key": f"{agent}-s04" if number == 2 else f"run-{day}",
                        "agent_id": agent,
                        "started_at": at,
                        "session_id": f"{agent}-s04" if number == 2 else None,
                        "status": "ok",
                        "model": "standard",
                        "provider": "litellm",
                        "duration_ms": 120_000,
                    }
                    self.add(OPENCLAW_CRON_RUNS, **{**job, **run, **next(deliveries)})
            self.add(
                OPENCLAW_SUBAGENT_RUNS,
                host=host,
                run_id=f"child-run-{agent}",
                child_session_key=f"agent:{agent}:subagent:child-1",
                requester_session_key=f"agent:{agent}:main",
                label="look it up",
                model="triage",
                created_at=FIRST_DAY,
                started_at=FIRST_DAY,
                ended_at=FIRST_DAY + timedelta(minutes=3),
                status="ok",
            )
            self.add(
                OPENCLAW_AGENTS,
                host=host,
                agent_id=agent,
                observed_at=FIRST_DAY,
                model_primary="litellm/standard",
                model_fallbacks="litellm/triage litellm/paid-mini",
                heartbeat_every="30m",
            )
        for host in dict(AGENTS):
            for provider, asked, *_ in MODELS:
                prices: Row = {"input_price": 2.5e-6, "output_price": 1.5e-5}
                self.add(
                    OPENCLAW_MODEL_ALIASES, host=host, provider=provider, model=asked, observed_at=FIRST_DAY, **prices
                )

    def tickets(self) -> None:
        """Tickets in every state: done ones with requests of their own, open ones that texts speak of, a gone one."""
        for number, (name, category) in enumerate(TICKET_STATUSES, start=1):
            self.add(JIRA_STATUSES, status_id=str(number), name=name, category=category)
        methods = cycle(("tdd-loop", "tdd-loop", "plan-execute", None))
        for number in (7, 9, 11, 12, *range(101, 113)):
            is_done = number > 100
            # the later half begins when the earlier one is done: that is what can be predicted
            started = FIRST_DAY + timedelta(days=1 if number < 107 else 6, hours=number % 24)
            issue: Row = {"issue_id": f"1{number:04d}"}
            self.add(JIRA_KEYS, **issue, issue_key=f"OPS-{number}")
            if number != 112:
                self.add(JIRA_LISTED, **issue, listed_at=FIRST_DAY + timedelta(days=2))
            self.add(
                JIRA_ISSUES,
                **issue,
                issue_key=f"OPS-{number}",
                project_key="OPS",
                issue_number=number,
                issue_type="Task",
                status_id="5" if is_done else str(number % 5),
                priority_rank=number % 3 or None,
                is_team_managed=None if number % 3 else number % 2 == 0,
                story_points=None if number == 104 else float(number % 7),
                story_point_estimate=2.0 if number % 3 == 0 else None,
                method=next(methods),
                agent_id="ada" if number % 2 else None,
                open_blockers=number % 2,
                created_at=FIRST_DAY + timedelta(days=0 if number != 12 else 9),
                updated_at=started,
                read_at=FIRST_DAY,
            )
            for place, (source, target) in enumerate((("1", "2"), ("2", "3"), ("3", "5"))[: 3 if is_done else 1]):
                self.add(
                    JIRA_CHANGES,
                    **issue,
                    change_id=str(number * 10 + place),
                    field="status",
                    changed_at=started + timedelta(days=2 * place),
                    from_status_id=source,
                    to_status_id=target,
                )
            if number % 4 == 0:
                for place, points in enumerate((1.0, 2.0, 3.0)):
                    self.add(
                        JIRA_CHANGES,
                        **issue,
                        change_id=f"{number}-{place}",
                        field="story_points" if number % 8 else "story_point_estimate",
                        changed_at=started + timedelta(hours=place - 1),
                        from_points=points,
                        to_points=points + 1,
                    )
            for call in range(number % 3 + 1 if is_done else 0):
                self.add(
                    LITELLM_SPEND_LOGS,
                    request_id=f"ticket-{number}-{call}",
                    call_type="acompletion",
                    started_at=started + timedelta(hours=call),
                    ended_at=started + timedelta(hours=call, seconds=3),
                    status="success",
                    key_hash="hash-worker",
                    key_alias="worker-key",
                    model="azure/gpt-5.4",
                    provider="azure",
                    model_group="standard",
                    prompt_tokens=900 * (number % 5 + 1),
                    cache_read_tokens=100 * call,
                    cache_write_tokens=0,
                    output_tokens=50,
                    total_tokens=900 * (number % 5 + 1) + 50,
                    spend_usd=0.0125,
                    trace_id=f"ticket-trace-{number}",
                    ticket_key=None if call == 1 else f"OPS-{number}",
                )

    def spans(self) -> None:
        """Of calls that others have, too, some twice; of calls that nobody has; of agent runs; of whole works."""
        for number in range(1, 90):
            at = FIRST_DAY + timedelta(hours=4 * number)
            call: Row = {
                "trace_id": f"span-trace-{number // 3}",
                "service": "litellm",
                "kind": "run" if number % 13 == 0 else "call",
                "provider": "azure",
                "request_model": "standard",
                "served_model": "azure/gpt-5.4" if number % 2 else None,
                "litellm_call_id": (f"call-{number}" if number % 4 == 0 else f"lone-{number}") if number % 5 else None,
                "response_id": f"chatcmpl-{number}" if number % 3 else None,
                "session_id": "ada-s01" if number % 26 == 0 else None,
                "agent_id": "ada" if number % 13 == 0 else None,
                "key_alias": "pipeline-key" if number % 2 else None,
                "prompt_tokens": None if number % 17 == 0 else 1_000 * (number % 7 + 1),
                "cache_read_tokens": 100 * (number % 9),
                "cache_write_tokens": 10,
                "output_tokens": 20,
                "reasoning_tokens": number % 20,
                "cost_usd": 0.01 * number if number % 3 else None,
                "status": "error" if number % 17 == 0 else "ok",
                "error_kind": "timeout" if number % 17 == 0 else None,
                "request_ticket_key": f"OPS-{number % 20}" if number % 6 == 0 else None,
                "span_ticket_key": f"OPS-{number % 20}" if number % 10 == 1 else None,
                "resource_ticket_key": "OPS-3" if number % 10 == 2 else None,
                "category": "review" if number % 15 == 0 else None,
                "method": "tdd-loop" if number % 8 == 0 else None,
                "step": "verify" if number % 21 == 0 else None,
                "started_at": at,
                "ended_at": at + timedelta(seconds=number),
            }
            self.add(OTEL_SPANS, span_id=f"span-{number}", **call)
            if number % 4 == 0:
                self.add(OTEL_SPANS, span_id=f"copy-{number}", **{**call, "trace_id": f"copy-{number}"})
            if number % 9 == 0:
                above = {"kind": "other", "trace_id": call["trace_id"], "span_ticket_key": "OPS-4", "started_at": at}
                self.add(OTEL_SPANS, span_id=f"above-{number}", **above)
        self.add(OTEL_READS, path="spans.jsonl", first_line=0, lines=89, spans=120, kept_spans=120)

    def bare(self) -> None:
        """One row a table of which only the key is known: whatever else may be NULL is."""
        for table in RAW_TABLES:
            required = {*table.key, "observed_at"}
            values: Row = {
                column.name: {TEXT: f"bare-{column.name}", TIME: FIRST_DAY}.get(column.type, 1)
                for column in table.columns
                if column.name in required
            }
            self.add(table, **values)
        place: Row = {"host": "laptop", "agent_id": "ben", "session_id": "ben-s01"}
        for kind in ("assistant", "user"):
            self.add(OPENCLAW_LINES, **place, line_id=f"bare-{kind}", kind=kind, position=0, written_at=AS_OF)
            self.add(OPENCLAW_LINES, **place, line_id=f"timeless-{kind}", kind=kind)


def frames() -> dict[RawTable, pl.DataFrame]:
    """Every raw table of the two weeks."""
    world = _World()
    world.sessions()
    world.copies()
    world.recovered()
    world.twins()
    world.gateway_only()
    world.history()
    world.storm()
    world.cold()
    world.dimensions()
    world.counters()
    world.jobs()
    world.tickets()
    world.spans()
    world.bare()
    return {table: _frame(table, rows) for table, rows in world.rows.items()}


def snapshots(*, backwards: bool = False) -> list[tuple[datetime, Batch]]:
    """The frames as two loads: when they were made, and what they brought; `backwards` with all rows in reverse.

    A load sees one state of each dimension; changed ones come with the second.
    """
    tables = {table: frame.reverse() if backwards else frame for table, frame in frames().items()}
    second = {
        table: frame.filter(pl.col("observed_at") > FIRST_DAY)
        for table, frame in tables.items()
        if table.keep is Keep.CHANGES
    }
    first = tables | {table: tables[table].filter(pl.col("observed_at") == FIRST_DAY) for table in second}
    return [
        (FIRST_DAY, Batch(tables=first, newest_data_at=FIRST_DAY)),
        (AS_OF, Batch(tables=second, newest_data_at=AS_OF)),
    ]


def _frame(table: RawTable, rows: list[Row]) -> pl.DataFrame:
    names = [column.name for column in table.columns]
    strange = {name for row in rows for name in row if name not in names}
    assert not strange, f"{table.name} has no column {sorted(strange)}"
    return table.frame([[row.get(name) for name in names] for row in rows])
