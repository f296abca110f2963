"""How the sample's agents work: sessions, turns, calls, tools, sub-agents, and what OpenClaw writes down of them.

Belongs here: everything between a prompt and the end of its turn. Does not belong here: who prompts when (story.py),
what becomes of a request behind the gateway (gateway.py).
"""

from collections.abc import Mapping
from typing import Any

from agentops_pipelines.demo.company import (
    DAY,
    DIRECT_MODEL,
    DIRECT_PROVIDER,
    FALLBACKS,
    HAIKU,
    HOUR,
    MINUTE,
    MODELS,
    SECOND,
    Agent,
    Model,
    Prices,
)
from agentops_pipelines.demo.dice import Dice
from agentops_pipelines.demo.gateway import AGENT_CLIENT, FAILURES, TICK, Gateway, latency
from agentops_pipelines.demo.openclaw_shapes import (
    FREE_COST,
    HEARTBEAT_POLL,
    SUBAGENT_CONTEXT,
    Transcript,
    Usage,
    run_event,
    text_part,
    tool_call,
)
from agentops_pipelines.demo.records import Session, SubagentRun, Turn

GATEWAY = "litellm"
"""The gateway's name among OpenClaw's providers."""
FIXED_PROMPT_TOKENS = 13_000
"""System prompt and tools: what every session of an agent begins with, and what the cache usually holds."""
_CONTEXT_LIMIT = 150_000
_COMPACTED = 26_000
_NIGHT = 3 * HOUR
"""Four in the morning, Berlin time: main sessions begin anew."""
_LONG_CACHED = ("quarter-close",)
"""Labels of sessions whose cache entries are paid for an hour instead of five minutes."""


class Agents:
    """OpenClaw's side of the story: `sessions` with their transcripts and runs, and `subagent_runs`."""

    def __init__(self, gateway: Gateway, *, dice: Mapping[str, Dice]) -> None:
        self.sessions: list[Session] = []
        self.subagent_runs: list[SubagentRun] = []
        self._gateway = gateway
        self._dice = dice
        self._by_key: dict[str, Session] = {}

    def current(self, key: str) -> Session | None:
        """The session a key points at, if any."""
        return self._by_key.get(key)

    def main_session(self, agent: Agent, at: int) -> Session:
        """The agent's main session; a new one every night."""
        key = f"agent:{agent.name}:main"
        session = self._by_key.get(key)
        if session is not None and (session.transcript.started_at - _NIGHT) // DAY == (at - _NIGHT) // DAY:
            return session
        if session is None:
            return self.open(agent, key, at=at, chat_type="direct")
        previous = session.session_id
        return self.open(agent, key, at=at, chat_type="direct", previous_id=previous, reason="rollover")

    def open(self, agent: Agent, key: str, *, at: int, model: str = "", **attributes: Any) -> Session:
        """A new session under a key, with the lines every session begins with."""
        session = self._new(agent, key, at=at, model=model or agent.model, **attributes)
        session.transcript.open(_provider(session.model), model=_model_name(session.model))
        return session

    def fork(self, parent: Session, key: str, *, at: int, lines: int, context: int, label: str) -> Session:
        """A new session that begins as a copy of another's first lines, with a context of so many tokens."""
        session = self._new(parent.agent, key, at=at, model=parent.model, label=label)
        session.transcript.fork(parent.transcript, lines=lines)
        session.context = context
        return session

    def put_away(self, key: str, *, at: int, how: str) -> None:
        """Reset or delete a session. 2026.9 keeps the id of a session that is reset."""
        session = self._by_key[key]
        if how == "reset" and session.transcript.sqlite_era:
            session.transcript.reset(at)
            session.context = FIXED_PROMPT_TOKENS
            return
        del self._by_key[key]
        session.ended_as, session.ended_at = how, at

    def play(self, session: Session, at: int, *, turn: Turn) -> tuple[int, bool]:
        """One turn: the user line, then calls with tools between them. Returns its end and whether it succeeded."""
        dice = self._dice[session.agent.name]
        run_id = turn.run_id or self._dice["ids"].uuid()
        started_at = at
        if turn.text:
            provenance = turn.provenance if session.transcript.sqlite_era else None
            session.transcript.user(at, text=turn.text, provenance=provenance)
            session.context += 24 if turn.text == HEARTBEAT_POLL else dice.integer(30, 260)
        group = turn.group or session.agent.model
        children: list[SubagentRun] = []
        ok = True
        for number in range(turn.calls):
            is_last = number == turn.calls - 1
            begin = at + dice.integer(1, 3) * TICK
            at, group = self._step(session, begin, group=group, turn=turn, run_id=run_id, is_last=is_last)
            ok = bool(group)
            if not ok:
                break
            if not is_last:
                at = self._use_tools(session, at, turn=turn, children=children)
        _note_run(session, turn, run_id=run_id, started_at=started_at, ended_at=at, ok=ok)
        session.busy_until = at
        session.status = "done" if ok else "failed"
        for child in children:
            at = self._announce(session, child, at=max(at, child.ended_at) + 2 * SECOND)
        return at, ok

    def _new(self, agent: Agent, key: str, *, at: int, model: str, **attributes: Any) -> Session:
        ids = self._dice["ids"]
        transcript = Transcript(
            session_id=ids.uuid(),
            agent=agent.name,
            started_at=at - TICK,
            sqlite_era=agent.host == "borealis",
            first_line=int(ids.hex(8), 16),
        )
        context = FIXED_PROMPT_TOKENS + self._dice[agent.name].integer(600, 4200)
        session = Session(agent=agent, key=key, transcript=transcript, context=context, model=model, **attributes)
        self._by_key[key] = session
        self.sessions.append(session)
        return session

    def _step(
        self, session: Session, at: int, *, group: str, turn: Turn, run_id: str, is_last: bool
    ) -> tuple[int, str]:
        """One step of a turn: the group asked for, else the agent's fallback. Returns the end and the group, or ''."""
        for candidate in dict.fromkeys((group, session.agent.fallback)):
            if candidate != group:
                at += 3 * TICK
                session.transcript.model_snapshot(at, provider=_provider(candidate), model=_model_name(candidate))
            at, ok = self._attempt(session, at, group=candidate, turn=turn, run_id=run_id, is_last=is_last)
            if ok:
                return at, candidate
        return at, ""

    def _attempt(
        self, session: Session, at: int, *, group: str, turn: Turn, run_id: str, is_last: bool
    ) -> tuple[int, bool]:
        """One call and its assistant line. Returns the line's time and whether the call succeeded."""
        if group == DIRECT_PROVIDER:
            return self._call_directly(session, at, turn=turn, run_id=run_id, is_last=is_last), True
        agent = session.agent
        trouble = "bad_request" if turn.always_fails else self._gateway.trouble(agent, group, at=at)
        if trouble in FAILURES:
            return self._fail(session, at, group=group, trouble=trouble, run_id=run_id), False
        model = MODELS[FALLBACKS[group] if trouble == "fallback" else group]
        usage = self._usage(session, at, model=model, output=self._dice[agent.name].integer(*turn.output))
        answer = self._gateway.serve(agent, at=at, asked=group, model=model, usage=usage)
        in_sqlite = session.transcript.sqlite_era
        seen = usage if in_sqlite else _without_cache_writes(usage)
        billed = {**FREE_COST, "total": answer.spend, "totalOrigin": "provider-billed"}
        session.transcript.assistant(
            at,
            written_at=answer.ended_at + TICK,
            provider=GATEWAY,
            model=group,
            usage=seen,
            cost=billed if in_sqlite else _own_estimate(seen, group),
            content=self._content(session, turn, is_last=is_last),
            stop_reason="stop" if is_last else "toolUse",
            response_id=answer.response_id,
            response_model=answer.served_by if in_sqlite else "",
            run_id=run_id,
        )
        _remember(session, answer.ended_at, group=group, usage=usage)
        return answer.ended_at + TICK, True

    def _call_directly(self, session: Session, at: int, *, turn: Turn, run_id: str, is_last: bool) -> int:
        """A call that does not go through the gateway: only OpenClaw knows of it."""
        model = MODELS[f"foundry-{DIRECT_MODEL}"]  # the same model elsewhere: it caches alike
        usage = self._usage(session, at, model=model, output=self._dice[session.agent.name].integer(*turn.output))
        ended_at = at + latency(usage)
        session.transcript.assistant(
            at,
            written_at=ended_at + TICK,
            provider=DIRECT_PROVIDER,
            model=DIRECT_MODEL,
            usage=usage,
            cost=_cost(usage, HAIKU),
            content=self._content(session, turn, is_last=is_last),
            stop_reason="stop" if is_last else "toolUse",
            response_id=f"msg_01{self._dice['ids'].hex(12)}",
            run_id=run_id,
        )
        _remember(session, ended_at, group=DIRECT_PROVIDER, usage=usage)
        return ended_at + TICK

    def _fail(self, session: Session, at: int, *, group: str, trouble: str, run_id: str) -> int:
        """A call that fails for good: the agent's error line."""
        failure = FAILURES[trouble]
        ended_at = self._gateway.refuse(
            session.agent, at=at, asked=group, trouble=trouble, prompt_tokens=session.context
        )
        session.transcript.assistant(
            at,
            written_at=ended_at + TICK,
            provider=GATEWAY,
            model=group,
            usage=Usage(),
            cost=FREE_COST,
            content=[],
            stop_reason="error",
            run_id=run_id,
            error=(failure.code, failure.openclaw_type),
        )
        return ended_at + TICK

    def _use_tools(self, session: Session, at: int, *, turn: Turn, children: list[SubagentRun]) -> int:
        """What follows a tool call: results that grow the context, a sub-agent now and then, a compaction when full."""
        dice = self._dice[session.agent.name]
        transcript = session.transcript
        at += dice.integer(3, 90) * TICK
        if turn.spawns and dice.chance(0.035):
            children.append(self._spawn(session, at))
        for call in transcript.lines[-1]["message"]["content"] if turn.result else ():
            transcript.tool_result(at, call_id=call["id"], tool=call["name"], text=turn.result)
            at += TICK
        session.context += dice.integer(*turn.growth)
        return self._compact(session, at) if session.context > _CONTEXT_LIMIT else at

    def _compact(self, session: Session, at: int) -> int:
        before = session.context
        usage = Usage(input=before // 3, cache_read=(before - before // 3) // 128 * 128, output=1800)
        at = self._gateway.serve_others(
            session.agent.key_alias, at=at, group="standard", usage=usage, client=AGENT_CLIENT
        )
        session.transcript.compaction(at, tokens_before=before)
        session.context = _COMPACTED
        session.compactions += 1
        session.cached.clear()
        return at

    def _spawn(self, parent: Session, at: int) -> SubagentRun:
        """A sub-agent works in a session of its own."""
        dice, ids = self._dice[parent.agent.name], self._dice["ids"]
        group = DIRECT_PROVIDER if parent.agent.name in ("research", "main") else "triage"
        key = f"agent:{parent.agent.name}:subagent:{ids.uuid()}"
        child = self.open(parent.agent, key, at=at, model=group, spawned_by=parent.key, label=f"{parent.label} helper")
        turn = Turn(
            text=SUBAGENT_CONTEXT,
            trigger="user",
            message_provider="webchat",
            run_id=ids.uuid(),
            group=group,
            calls=dice.integer(3, 9),
            output=(200, 1400),
            growth=(900, 5000),
        )
        started_at = at + 15 * TICK
        ended_at, ok = self.play(child, started_at, turn=turn)
        run = SubagentRun(
            run_id=turn.run_id,
            child=child,
            provider=_provider(group),
            started_at=started_at,
            ended_at=ended_at,
            status="ok" if ok else "error",
        )
        self.subagent_runs.append(run)
        return run

    def _announce(self, parent: Session, run: SubagentRun, *, at: int) -> int:
        """A finished sub-agent reports: a turn of the parent without a user line."""
        turn = Turn(
            text="",
            trigger="user",
            message_provider="webchat",
            run_id=f"announce:v1:{run.child.key}:{run.run_id}",
            group=parent.model,
            output=(80, 400),
        )
        ended_at, _ = self.play(parent, at, turn=turn)
        return ended_at

    def _content(self, session: Session, turn: Turn, *, is_last: bool) -> list[dict[str, Any]]:
        if is_last:
            return [text_part(turn.reply)]
        dice = self._dice[session.agent.name]
        # Many tools at once make a line long enough for 2026.9 to store it compressed.
        many = 9 if session.transcript.sqlite_era and dice.chance(0.05) else 1
        line = len(session.transcript.lines)
        return [tool_call(f"call_{line:05d}_{n}", tool=dice.pick(("exec", "read", "edit"))) for n in range(many)]

    def _usage(self, session: Session, at: int, *, model: Model, output: int) -> Usage:
        """Tokens of a call: what the cache still holds of this session, else of the agent's fixed prompt."""
        dice = self._dice[session.agent.name]
        prompt = session.context
        held, until = session.cached.get(model.group, (0, 0))
        if at > until:
            held = FIXED_PROMPT_TOKENS if dice.chance(0.92) else 0
        cached = min(held, prompt) // 128 * 128
        rest = prompt - cached
        reasoning = output * 2 // 5 if model.group == "heavy" else 0
        if not model.writes_cache:
            return Usage(input=rest, cache_read=cached, output=output, reasoning=reasoning)
        plain = min(rest, dice.integer(3, 12))
        written = rest - plain
        an_hour = written if session.label in _LONG_CACHED else 0
        return Usage(input=plain, cache_read=cached, cache_write=written, cache_write_1h=an_hour, output=output)


def _remember(session: Session, at: int, *, group: str, usage: Usage) -> None:
    lifetime = HOUR if session.label in _LONG_CACHED else 10 * MINUTE
    cache_of = f"foundry-{DIRECT_MODEL}" if group == DIRECT_PROVIDER else group
    session.cached[cache_of] = (usage.prompt, at + lifetime)
    session.context += usage.output
    session.last_usage = usage
    session.model = _model_name(group)


def _note_run(session: Session, turn: Turn, *, run_id: str, started_at: int, ended_at: int, ok: bool) -> None:
    """The trajectory of a turn, in short: its start and its end."""
    data: dict[str, Any] = {"trigger": turn.trigger, "agentId": session.agent.name}
    if turn.message_provider and not session.transcript.sqlite_era:
        data["messageProvider"] = turn.message_provider
    group = turn.group or session.agent.model
    what = {
        "session_id": session.session_id,
        "session_key": session.run_key,
        "run_id": run_id,
        "provider": _provider(group),
        "model": _model_name(group),
    }
    seq = len(session.runs) + 1
    session.runs.append(run_event("session.started", at=started_at - TICK, seq=seq, data=data, **what))
    ending = {"status": "success" if ok else "error", "aborted": False}
    session.runs.append(run_event("session.ended", at=ended_at + TICK, seq=seq + 1, data=ending, **what))


def _provider(group: str) -> str:
    return DIRECT_PROVIDER if group == DIRECT_PROVIDER else GATEWAY


def _model_name(group: str) -> str:
    return DIRECT_MODEL if group == DIRECT_PROVIDER else group


def _without_cache_writes(usage: Usage) -> Usage:
    """How 2026.6 sees a call: tokens written to the cache count as input."""
    return Usage(
        input=usage.input + usage.cache_write,
        cache_read=usage.cache_read,
        output=usage.output,
        reasoning=usage.reasoning,
    )


def _own_estimate(usage: Usage, group: str) -> dict[str, Any]:
    """What 2026.6 makes of a call: the prices its own configuration knows, which are those of paid models only."""
    prices = MODELS[group].prices
    return _cost(usage, prices) if prices is not None and prices.input else FREE_COST


def _cost(usage: Usage, prices: Prices) -> dict[str, Any]:
    parts = {
        "input": round(usage.input * prices.input, 10),
        "output": round(usage.output * prices.output, 10),
        "cacheRead": round(usage.cache_read * prices.cache_read, 10),
        "cacheWrite": round(usage.cache_write * prices.cache_write, 10),
    }
    return {**parts, "total": round(sum(parts.values()), 10)}
