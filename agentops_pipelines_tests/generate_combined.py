"""Both sides of the same calls, generated, with the truth of which line belongs to which row.

Belongs here: a small company whose agents call through a gateway, written down the way OpenClaw (2026.6, files) and
LiteLLM (/spend/logs/v2) do, and everything that makes pairing hard: identical polls of several agents at the same
moment, a machine whose clock is off, response ids used twice (LiteLLM then drops the later row), keys that name no
agent, fallbacks and retries inside the gateway, failures, calls past the gateway, calls that no transcript knows. Does
not belong here: how the pairs are found (sql/core) or judged (test_matching.py).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentops_pipelines.demo.company import DAY, MODELS, SECOND, Model, moment
from agentops_pipelines.demo.dice import Dice
from agentops_pipelines.demo.litellm_shapes import health_check, model_list_probe, price_of, spend_log
from agentops_pipelines.demo.openclaw_shapes import (
    FREE_COST,
    HEARTBEAT_POLL,
    SOMETHING_SAID,
    Transcript,
    Usage,
    run_event,
    text_part,
    tool_call,
)

START = moment(11, 16)
CLIENT = "OpenAI/JS 6.39.1"
OFFSETS = {"steady": 0, "fast": 3 * SECOND}
"""How far the clock of each machine is ahead of the gateway's, in milliseconds."""
AGENTS = ("alec", "ben", "costa", "dora")
HOSTS = {"alec": "steady", "ben": "steady", "costa": "fast", "dora": "fast"}
KEYS = {"alec": "alec", "ben": "build-key", "costa": "costa", "dora": "shared-key"}
"""Half of the keys say nothing about the agent that uses them."""
GROUPS = ("triage", "standard", "paid-claude-sonnet-4-6")
SHARE_REUSED = 0.02
SHARE_DIRECT = 0.01
SHARE_FAILING = 0.03
SHARE_FALLBACK = 0.03
SHARE_RETRIED = 0.02


@dataclass(frozen=True, kw_only=True)
class TruePair:
    """One call that both sides wrote down."""

    session_id: str
    line_id: str
    request_id: str
    session_type: str
    spend: float


@dataclass(kw_only=True)
class Recording:
    """What both sides wrote down, and the truth: pairs, and failed requests by the line that they belong to."""

    folders: dict[str, Path] = field(default_factory=dict)
    spend_logs: list[dict[str, Any]] = field(default_factory=list)
    pairs: list[TruePair] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    """Request id of a failed row -> id of the error line."""
    types: dict[str, str] = field(default_factory=dict)
    """Request id of a row that no line knows -> its session type."""


@dataclass(kw_only=True)
class _Session:
    agent: str
    key: str
    session_type: str
    transcript: Transcript
    context: int
    runs: list[dict[str, Any]] = field(default_factory=list)


class _Company:
    """Plays `days` days and keeps what was written down."""

    def __init__(self, *, days: int) -> None:
        self.recording = Recording()
        self.sessions: list[_Session] = []
        self._dice = Dice("combined")
        self._days = days
        self._ids: set[str] = set()
        self._served: list[str] = []

    def play(self) -> None:
        for day in range(self._days):
            midnight = START + day * DAY
            for agent in AGENTS:
                self._main(agent, midnight)
                self._work(agent, midnight)
                self._polls(agent, midnight)
                self._gateway_only(agent, midnight)
            for number, model in enumerate(MODELS.values()):
                row = health_check(f"chatcmpl-{self._dice.hex(12)}", at=midnight + number * SECOND, model=model)
                self._keep(row, session_type="maintenance")
            self._keep(model_list_probe(self._dice.uuid(), at=midnight + 77), session_type="maintenance")
        self.recording.spend_logs.sort(key=lambda row: (row["startTime"], row["request_id"]))

    def _main(self, agent: str, midnight: int) -> None:
        """People's turns with a heartbeat every half hour between them, in one session a day."""
        session = self._open(agent, f"agent:{agent}:main", "main", at=midnight + 6 * SECOND)
        at = midnight + 20 * SECOND
        for beat in range(24):
            self._turn(session, midnight + beat * 1800 * SECOND + 60 * SECOND, HEARTBEAT_POLL, calls=1, output=(9, 9))
            if beat % 3 == 0:
                at = midnight + beat * 1800 * SECOND + 400 * SECOND
                self._turn(session, at, SOMETHING_SAID, calls=self._dice.integer(1, 6), output=(80, 900))

    def _work(self, agent: str, midnight: int) -> None:
        for number, (kind, opening) in enumerate(
            (
                ("subagent", "[Subagent Context] You are running as a subagent"),
                ("webhook", "Task: intake | Job ID: 7c1d | Received: now"),
                ("named", SOMETHING_SAID),
            )
        ):
            key = {"subagent": f"subagent:{self._dice.uuid()}", "webhook": f"hook:{self._dice.uuid()}"}
            session = self._open(
                agent,
                f"agent:{agent}:{key.get(kind, f'fad-{self._dice.integer(1, 99)}')}",
                kind,
                at=midnight + (9 + number) * 3600 * SECOND,
            )
            at = session.transcript.started_at + SECOND
            for _ in range(3):
                at = self._turn(session, at, opening, calls=self._dice.integer(3, 12), output=(150, 2000)) + 20 * SECOND

    def _polls(self, agent: str, midnight: int) -> None:
        """Fresh sessions with the same prompt and the same answer, several agents in the same second.

        Once a day one agent's second job polls at the same moment; without ids nobody can tell the two apart. Once a
        day one agent's transcript is gone, and another polls past the gateway just then: no pair, however alike.
        """
        for hour in range(24):
            at = midnight + hour * 3600 * SECOND + 30 * SECOND
            self._poll(agent, at, past_gateway=hour == 7 and agent == "alec", is_pruned=hour == 7 and agent == "ben")
            if hour == 5 and agent == "costa":
                self._poll(agent, at + 400, number=1)

    def _poll(
        self, agent: str, at: int, *, number: int = 0, past_gateway: bool = False, is_pruned: bool = False
    ) -> None:
        job = f"0000000{AGENTS.index(agent)}-5b1e-4c02-9d6f-9a61c8e05d7{number}"
        session = self._open(agent, f"agent:{agent}:cron:{job}", "cron", at=at, context=4_211)
        self._turn(
            session,
            at + 100,
            f"[cron:{job} poll tasks] anything?",
            calls=1,
            output=(7, 7),
            is_poll=True,
            past_gateway=past_gateway,
        )
        if is_pruned:
            self.sessions.remove(session)
            pair = self.recording.pairs.pop()
            self.recording.types[pair.request_id] = "api"

    def _gateway_only(self, agent: str, midnight: int) -> None:
        """llm-task calls, pipeline steps with metadata, compactions: rows that no transcript knows."""
        for number in range(8):
            at = midnight + self._dice.integer(0, 86_000) * SECOND
            usage = Usage(input=self._dice.integer(300, 9_000), output=self._dice.integer(40, 600))
            steps = {"pipeline": "dod-verify", "step": "judge", "category": "llm-task"}
            row = self._row(
                f"chatcmpl-{self._dice.hex(12)}",
                at=at,
                ended_at=at + 900,
                alias=KEYS[agent],
                asked="triage",
                model=MODELS["triage"],
                usage=usage,
                tags=steps if number % 2 else None,
            )
            self._keep(row, session_type="llm_task" if number % 2 else "api")

    def _open(self, agent: str, key: str, session_type: str, *, at: int, context: int = 0) -> _Session:
        transcript = Transcript(
            session_id=self._dice.uuid(),
            agent=agent,
            started_at=at,
            sqlite_era=False,
            first_line=int(self._dice.hex(8), 16),
        )
        transcript.open("litellm", model="standard")
        session = _Session(
            agent=agent,
            key=key,
            session_type=session_type,
            transcript=transcript,
            context=context or self._dice.integer(5_000, 9_000),
        )
        self.sessions.append(session)
        return session

    def _turn(
        self,
        session: _Session,
        at: int,
        text: str,
        *,
        calls: int,
        output: tuple[int, int],
        is_poll: bool = False,
        past_gateway: bool = False,
    ) -> int:
        """One turn in the gateway's time; OpenClaw writes down its own machine's. Returns its end."""
        ahead = OFFSETS[HOSTS[session.agent]]
        is_beat = text == HEARTBEAT_POLL
        run_id, started_at = self._dice.uuid(), at
        session.transcript.user(at + ahead, text=text)
        session.context += 0 if is_poll else 24 if is_beat else self._dice.integer(30, 400)
        group = "triage" if is_poll or is_beat else self._dice.pick(GROUPS)
        for number in range(calls):
            at, group = self._call(
                session,
                at + self._dice.integer(20, 400),
                group=group,
                output=self._dice.integer(*output),
                is_last=number == calls - 1,
                is_poll=is_poll,
                past_gateway=past_gateway,
                session_type="heartbeat" if is_beat else session.session_type,
            )
            if number < calls - 1:
                session.context += self._dice.integer(200, 3_000)
                at += self._dice.integer(100, 4_000)
        trigger = {"cron": "cron", "webhook": "cron"}.get(session.session_type, "heartbeat" if is_beat else "user")
        what: dict[str, Any] = {
            "session_id": session.transcript.session_id,
            "session_key": session.key,
            "run_id": run_id,
            "provider": "litellm",
            "model": group,
        }
        seq = len(session.runs) + 1
        data = {"trigger": trigger, "messageProvider": "heartbeat" if is_beat else "webchat"}
        session.runs.append(run_event("session.started", at=started_at + ahead - 5, seq=seq, data=data, **what))
        ended = {"status": "success"}
        session.runs.append(run_event("session.ended", at=at + ahead + 5, seq=seq + 1, data=ended, **what))
        return at

    def _call(
        self,
        session: _Session,
        at: int,
        *,
        group: str,
        output: int,
        is_last: bool,
        is_poll: bool,
        past_gateway: bool,
        session_type: str,
    ) -> tuple[int, str]:
        """One call, after a failed one now and then. Returns its end and the group that was asked in the end."""
        if self._dice.chance(SHARE_FAILING) and not is_poll:
            at = self._failure(session, at, group=group)
            group = "standard" if group != "standard" else "triage"
        fell_back = self._dice.chance(SHARE_FALLBACK) and group != "paid-claude-sonnet-4-6"
        model = MODELS["foundry-claude-haiku-4-5" if fell_back else group]
        cached = 0 if is_poll else session.context // 256 * 128
        rest = session.context - cached
        written = rest // 2 if model.writes_cache else 0
        usage = Usage(input=rest - written, cache_read=cached, cache_write=written, output=output)
        began_at = at + (self._dice.integer(1_000, 9_000) if self._dice.chance(SHARE_RETRIED) else 40)
        ended_at = began_at + 350 + usage.prompt // 90 + output * 11
        written_at = ended_at + self._dice.integer(10, 600)
        is_direct = past_gateway or (self._dice.chance(SHARE_DIRECT) and not is_poll)
        response_id = self._response_id()
        line_id = self._line(
            session,
            at,
            written_at=written_at,
            group=group,
            usage=usage,
            is_last=is_last,
            response_id=response_id,
            provider="anthropic" if is_direct else "litellm",
        )
        session.context += 0 if is_poll else output
        if is_direct:
            return written_at, group
        row = self._row(
            response_id,
            at=began_at,
            ended_at=ended_at,
            alias=KEYS[session.agent],
            asked=group,
            model=model,
            usage=usage,
            retries=int(began_at - at > 900),
        )
        if self._keep(row):
            pair = TruePair(
                session_id=session.transcript.session_id,
                line_id=line_id,
                request_id=response_id,
                session_type=session_type,
                spend=row["spend"],
            )
            self.recording.pairs.append(pair)
        return written_at, group

    def _failure(self, session: _Session, at: int, *, group: str) -> int:
        """A call that fails for good after up to three requests: one error line."""
        requests = self._dice.integer(1, 3)
        ended_at = at + 200 + requests * 900
        ahead = OFFSETS[HOSTS[session.agent]]
        session.transcript.assistant(
            at + ahead,
            written_at=ended_at + 100 + ahead,
            provider="litellm",
            model=group,
            usage=Usage(),
            cost=FREE_COST,
            content=[],
            stop_reason="error",
            error=("429", "throttling_error"),
        )
        error = {"error_class": "RateLimitError", "error_code": "429", "normalized_error": "429_RATE_LIMIT_EXCEEDED"}
        for number in range(requests):
            request_id = self._dice.uuid()
            begin = at + 50 + number * 900
            row = self._row(
                request_id,
                at=begin,
                ended_at=begin + 700,
                alias=KEYS[session.agent],
                asked=group,
                model=MODELS[group],
                usage=Usage(input=14),
                error=error,
            )
            self._keep(row)
            self.recording.failures[request_id] = session.transcript.last_id or ""
        return ended_at + 200

    def _line(
        self,
        session: _Session,
        at: int,
        *,
        written_at: int,
        group: str,
        usage: Usage,
        is_last: bool,
        response_id: str,
        provider: str,
    ) -> str:
        ahead = OFFSETS[HOSTS[session.agent]]
        seen = Usage(input=usage.input + usage.cache_write, cache_read=usage.cache_read, output=usage.output)
        session.transcript.assistant(
            at + ahead,
            written_at=written_at + ahead,
            provider=provider,
            model=group,
            usage=seen,
            cost=FREE_COST,
            content=[text_part(SOMETHING_SAID)] if is_last else [tool_call("call_1", tool="exec")],
            stop_reason="stop" if is_last else "toolUse",
            response_id=response_id,
        )
        return session.transcript.last_id or ""

    def _row(
        self,
        request_id: str,
        *,
        at: int,
        ended_at: int,
        alias: str,
        asked: str,
        model: Model,
        usage: Usage,
        tags: dict[str, str] | None = None,
        retries: int = 0,
        error: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        spend = price_of(usage, prices=model.prices) if model.prices is not None and error is None else 0.0
        row = spend_log(
            request_id,
            call_id=self._dice.uuid() if error is None else request_id,
            started_at=at,
            ended_at=ended_at,
            key_alias=alias,
            model=model,
            asked=asked,
            usage=usage,
            spend=spend,
            trace_id=self._dice.hex(32),
            user_agent=CLIENT,
            tags=tags,
            retries=retries,
            error=error,
        )
        if self._dice.chance(0.5):
            row["completionStartTime"] = row["startTime"]
        return row

    def _response_id(self) -> str:
        """A new id, or now and then one that a restarted server has given before."""
        if self._served and self._dice.chance(SHARE_REUSED):
            return self._dice.pick(self._served)
        response_id = f"chatcmpl-{self._dice.hex(12)}"
        self._served.append(response_id)
        return response_id

    def _keep(self, row: dict[str, Any], *, session_type: str = "") -> bool:
        """LiteLLM's table: a row whose id is there already is dropped."""
        if row["request_id"] in self._ids:
            return False
        self._ids.add(row["request_id"])
        self.recording.spend_logs.append(row)
        if session_type:
            self.recording.types[row["request_id"]] = session_type
        return True


def generate_combined(root: Path, *, days: int) -> Recording:
    """Write one state directory a machine below `root`. About 600 calls a day."""
    company = _Company(days=days)
    company.play()
    for host in OFFSETS:
        company.recording.folders[host] = root / host
    for agent in AGENTS:
        folder = company.recording.folders[HOSTS[agent]] / "agents" / agent / "sessions"
        folder.mkdir(parents=True)
        rows: dict[str, Any] = {}
        for session in (session for session in company.sessions if session.agent == agent):
            stem = folder / session.transcript.session_id
            stem.with_suffix(".jsonl").write_text("".join(_json_lines(session.transcript.lines)), encoding="utf-8")
            stem.with_suffix(".trajectory.jsonl").write_text("".join(_json_lines(session.runs)), encoding="utf-8")
            rows[session.key] = {
                "sessionId": session.transcript.session_id,
                "updatedAt": session.transcript.started_at,
            }
        (folder / "sessions.json").write_text(json.dumps(rows), encoding="utf-8")
    return company.recording


def _json_lines(records: list[dict[str, Any]]) -> Iterator[str]:
    return (json.dumps(record) + "\n" for record in records)
