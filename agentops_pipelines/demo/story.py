"""Sixteen days at the sample's company: who asks whom for what, and when.

Belongs here: what happens. `tell` plays it through and returns what OpenClaw and LiteLLM would have recorded: every
call through the gateway ends up in both, with the same tokens and the same response id. Does not belong here: names
and prices (company.py), how a turn goes (agents.py) and is served (gateway.py), record shapes, files.

The second week differs from the first on purpose: fiducian's heartbeat runs twice as often on a paid model, FAD-47
begins, costaff runs into its budget cap, and a job without a named channel stops reaching anybody.
"""

from collections.abc import Callable, Iterator
from typing import Any

from agentops_pipelines.demo.agents import Agents
from agentops_pipelines.demo.company import (
    AGENTS,
    BACKOFFICE_KEY,
    BERLIN,
    CHANGE,
    DAY,
    FIRST,
    HOUR,
    JOBS,
    LAST,
    MINUTE,
    PIPELINES,
    PIPELINES_KEY,
    SECOND,
    TICKETS,
    WORKDAYS,
    Agent,
    Job,
    Ticket,
    moment,
)
from agentops_pipelines.demo.dice import Dice
from agentops_pipelines.demo.gateway import AGENT_CLIENT, TICK, Gateway
from agentops_pipelines.demo.openclaw_shapes import (
    CRON_WAKE,
    HEARTBEAT_POLL,
    SESSION_EVENT,
    SOMETHING_SAID,
    Usage,
)
from agentops_pipelines.demo.records import CronRun, Turn

LONG_RESULT = SOMETHING_SAID * 400
"""Long enough for 2026.9 to store the line compressed."""

Event = tuple[int, Callable[[int], None]]
"""When something happens, and what: it is called with that moment."""


class Story:
    """What was recorded: `agents` (OpenClaw), `gateway` (LiteLLM), `cron_runs`; `job_ids` by name of the cron job."""

    def __init__(self) -> None:
        self._dice = {name: Dice(name) for name in (*AGENTS, PIPELINES_KEY, BACKOFFICE_KEY, "ids", "gateway")}
        self.gateway = Gateway(self._dice)
        self.agents = Agents(self.gateway, dice=self._dice)
        self.cron_runs: list[CronRun] = []
        self.job_ids = {job.name: self._dice["ids"].uuid() for job in JOBS}

    def play(self) -> None:
        """Play every event in the order of time."""
        events = sorted(enumerate(self._calendar()), key=lambda item: (item[1][0], item[0]))
        for _, (at, happens) in events:
            if FIRST <= at < LAST - 3 * MINUTE:
                happens(at)
        self.gateway.spend_logs.sort(key=lambda row: (row["startTime"], row["request_id"]))

    def _calendar(self) -> Iterator[Event]:
        for agent in AGENTS.values():
            yield from self._heartbeats(agent)
            yield from self._chats(agent)
        for job in JOBS:
            for at in job.due():
                yield at + self._dice[job.agent].integer(0, 9) * TICK, lambda at, job=job: self._job(job, at)
        for ticket in TICKETS:
            yield from self._blocks(ticket)
        yield from self._office_hours()
        yield from self._gateway_noise()
        yield from self._incidents()

    def _heartbeats(self, agent: Agent) -> Iterator[Event]:
        spans = zip(agent.heartbeat_minutes, ((FIRST, CHANGE), (CHANGE, LAST)), strict=True)
        for minutes, (start, end) in spans:
            if not minutes:
                continue
            for at in range(start + agent.heartbeat_offset * MINUTE, end, minutes * MINUTE):
                yield at + self._dice[agent.name].integer(0, 40) * TICK, lambda at: self._heartbeat(agent, at)

    def _chats(self, agent: Agent) -> Iterator[Event]:
        dice = self._dice[agent.name]
        for day in _workdays():
            # In the second week costaff prepares a mailing; that is what takes it to its cap.
            extra = 8 if agent.name == "costaff" and day >= CHANGE - DAY else 0
            for _ in range(agent.chats_a_day + extra):
                yield day + dice.integer(8 * 60, 18 * 60) * MINUTE - BERLIN, lambda at: self._chat(agent, at)

    def _blocks(self, ticket: Ticket) -> Iterator[Event]:
        for day in ticket.days:
            for block in range(ticket.blocks):
                at = moment(11, day, ticket.hour) - BERLIN + block * 3 * HOUR
                at += self._dice[ticket.agent].integer(0, 40 * 60) * SECOND
                yield at, lambda at: self._block(ticket, at)

    def _office_hours(self) -> Iterator[Event]:
        dice = self._dice["gateway"]
        for day in _workdays():
            for pipeline, runs in (("dod-verify", 6), ("pr-review", 4)):
                for _ in range(runs):
                    at = day + dice.integer(7 * 60, 19 * 60) * MINUTE
                    yield at, lambda at, pipeline=pipeline: self._pipeline(pipeline, at)
            for _ in range(12):
                yield day + dice.integer(7 * 60, 17 * 60) * MINUTE, self._script
            for _ in range(3):
                yield day + dice.integer(7 * 60, 18 * 60) * MINUTE, lambda at: self._webhook("alec", at)
            for _ in range(2):
                yield day + dice.integer(0, 23 * 60) * MINUTE, lambda at: self._webhook("ops", at)
            for _ in range(4):
                at = day + dice.integer(8 * 60, 17 * 60) * MINUTE
                yield at, lambda at: self._message(at, "agent:main:slack:channel:c0ops", "slack", "channel")
            yield (
                day + 12 * HOUR,
                lambda at: self._message(at, "agent:main:telegram:direct:70010001", "telegram", "direct"),
            )
            yield day + 15 * HOUR, self._wake

    def _gateway_noise(self) -> Iterator[Event]:
        for day in range(FIRST - FIRST % DAY, LAST, DAY):
            yield day + 4 * HOUR, self.gateway.check_health
            yield day + 2 * HOUR + 5 * MINUTE, self._dreaming
        for at in (moment(11, 9, 8), moment(11, 9, 8, 1), moment(11, 18, 9, 30), moment(11, 18, 9, 31)):
            yield at, self.gateway.list_models

    def _incidents(self) -> Iterator[Event]:
        yield moment(11, 12, 14), lambda at: self._named("fiducian", "quarter-close", at, calls=9)
        yield moment(11, 12, 16), lambda at: self.agents.put_away("agent:fiducian:quarter-close", at=at, how="reset")
        yield moment(11, 13, 10), lambda at: self._named("fiducian", "quarter-close", at, calls=7)
        yield moment(11, 13, 9), lambda at: self._named("alec", "scratch", at, calls=4)
        yield moment(11, 13, 11), lambda at: self.agents.put_away("agent:alec:scratch", at=at, how="deleted")
        yield moment(11, 19, 9), lambda at: self._named("research", "scratch", at, calls=6)
        yield moment(11, 19, 12), lambda at: self.agents.put_away("agent:research:scratch", at=at, how="deleted")
        yield moment(11, 18, 11), lambda at: self._named("main", "incident-42", at, calls=8)
        yield moment(11, 18, 13), lambda at: self.agents.put_away("agent:main:incident-42", at=at, how="reset")
        yield moment(11, 18, 14), lambda at: self._named("main", "incident-42", at, calls=5)
        yield moment(11, 12, 17), self._fork

    def _heartbeat(self, agent: Agent, at: int) -> None:
        session = self.agents.main_session(agent, at)
        if at < session.busy_until:
            return  # OpenClaw skips a heartbeat while requests are in flight.
        finds_work = self._dice[agent.name].chance(0.08)
        turn = Turn(
            text=HEARTBEAT_POLL,
            trigger="heartbeat",
            message_provider="heartbeat",
            provenance=_internal("heartbeat"),
            group=agent.heartbeat_model,
            calls=self._dice[agent.name].integer(2, 4) if finds_work else 1,
            output=(60, 300) if finds_work else (12, 60),
            growth=(100, 500),
            reply=SOMETHING_SAID if finds_work else "HEARTBEAT_OK",
        )
        self.agents.play(session, at, turn=turn)

    def _chat(self, agent: Agent, at: int) -> None:
        dice = self._dice[agent.name]
        session = self.agents.main_session(agent, at)
        for _ in range(dice.integer(1, 2)):
            start = max(at, session.busy_until) + dice.integer(20, 90) * SECOND
            turn = Turn(text=SOMETHING_SAID, trigger="user", message_provider="webchat", calls=dice.integer(1, 3))
            at, _ = self.agents.play(session, start, turn=turn)

    def _message(self, at: int, key: str, channel: str, chat_type: str) -> None:
        agent = AGENTS["main"]
        session = self.agents.current(key)
        if session is None:
            session = self.agents.open(agent, key, at=at, channel=channel, chat_type=chat_type)
        turn = Turn(text=SOMETHING_SAID, trigger="user", message_provider=channel, output=(60, 400))
        self.agents.play(session, max(at, session.busy_until + SECOND), turn=turn)

    def _wake(self, at: int) -> None:
        session = self.agents.main_session(AGENTS["main"], at)
        turn = Turn(text=SESSION_EVENT, trigger="heartbeat", provenance=_internal("hook"), output=(20, 200))
        self.agents.play(session, max(at, session.busy_until + SECOND), turn=turn)

    def _webhook(self, name: str, at: int) -> None:
        agent = AGENTS[name]
        task_id = self._dice["ids"].uuid()
        in_sqlite = agent.host == "borealis"
        key = f"agent:{name}:cron:{task_id}" if in_sqlite else f"agent:{name}:hook:{task_id}"
        opening = (
            f"Job ID: {task_id} | Received: …" if in_sqlite else f"Task: ci-watch | Job ID: {task_id} | Received: …"
        )
        session = self.agents.open(agent, key, at=at, hook_source="webhook")
        turn = Turn(text=opening, trigger="cron", calls=self._dice[name].integer(1, 4), output=(80, 500))
        self.agents.play(session, at, turn=turn)

    def _job(self, job: Job, at: int) -> None:
        agent = AGENTS[job.agent]
        dice = self._dice[job.agent]
        if job.kind == "systemEvent":
            self._system_event(job, agent, at)
            return
        job_id = self.job_ids[job.name]
        session = self.agents.open(agent, f"agent:{agent.name}:cron:{job_id}", at=at, model=job.model, label=job.name)
        opening = f"[cron:{job_id} {job.name}]"
        is_empty = dice.chance(job.empty_share)
        provenance = _internal("cron") | {
            "sourcePromptPrefix": opening,
            "jobId": job_id,
            "runId": session.session_id,
            "sourceSessionKey": session.run_key,
        }
        turn = Turn(
            text=f"{opening} …",
            trigger="cron",
            provenance=provenance,
            run_id=session.session_id,
            group=job.model,
            calls=1 if is_empty else dice.integer(*job.calls),
            output=(8, 60) if is_empty else (150, 1100),
            growth=(800, 4000),
            reply=job.empty_reply if is_empty else SOMETHING_SAID,
            always_fails=job.always_fails,
        )
        ended_at, ok = self.agents.play(session, at, turn=turn)
        delivered = None
        if job.delivery != "none" and ok:
            # "last" is wherever somebody spoke last; since that channel was closed the runs reach nobody.
            delivered = job.delivery == "slack" or at < moment(11, 18)
        run = CronRun(
            job=job, started_at=at, ended_at=ended_at, session=session, ok=ok, delivered=delivered, reply=turn.reply
        )
        self.cron_runs.append(run)

    def _system_event(self, job: Job, agent: Agent, at: int) -> None:
        turn = Turn(
            text=CRON_WAKE if agent.host == "borealis" else HEARTBEAT_POLL,
            trigger="heartbeat",
            message_provider="cron-event",
            provenance=_internal("cron"),
            group=job.model,
            output=(40, 300),
        )
        if agent.host == "borealis":
            session = self.agents.main_session(agent, at)
            at = max(at, session.busy_until + SECOND)
        else:
            key = f"agent:{agent.name}:cron:{self.job_ids[job.name]}:run:{at}"
            session = self.agents.open(agent, key, at=at, model=job.model)
        ended_at, ok = self.agents.play(session, at, turn=turn)
        run = CronRun(job=job, started_at=at, ended_at=ended_at, session=None, ok=ok, delivered=None, reply=turn.reply)
        self.cron_runs.append(run)

    def _block(self, ticket: Ticket, at: int) -> None:
        agent = AGENTS[ticket.agent]
        dice = self._dice[agent.name]
        key = f"agent:{agent.name}:{ticket.session}"
        session = self.agents.current(key)
        if session is None:
            session = self.agents.open(agent, key, at=at, model=ticket.model, label=ticket.key)
        turn = Turn(
            text=f"{ticket.key} …",
            trigger="user",
            message_provider="webchat",
            group=ticket.model,
            calls=dice.integer(*ticket.calls),
            output=(1500, 9000) if ticket.model == "heavy" else (900, 7000),
            growth=(1500, 9500),
            result=LONG_RESULT if agent.host == "borealis" else "",
            spawns=True,
        )
        self.agents.play(session, max(at, session.busy_until + SECOND), turn=turn)

    def _named(self, name: str, work: str, at: int, *, calls: int) -> None:
        agent = AGENTS[name]
        key = f"agent:{name}:{work}"
        session = self.agents.current(key)
        if session is None:
            session = self.agents.open(agent, key, at=at, label=work)
        turn = Turn(text=SOMETHING_SAID, trigger="user", message_provider="webchat", calls=calls, growth=(900, 4000))
        self.agents.play(session, at, turn=turn)

    def _fork(self, at: int) -> None:
        parent = self.agents.current("agent:alec:fad-31")
        if parent is None:
            raise LookupError("FAD-31 has no session to fork")
        session = self.agents.fork(
            parent, "agent:alec:fad-31-retry", at=at, lines=40, context=48_000, label="FAD-31 retry"
        )
        turn = Turn(text="FAD-31 …", trigger="user", message_provider="webchat", calls=12, output=(300, 2500))
        self.agents.play(session, at, turn=turn)

    def _pipeline(self, pipeline: str, at: int) -> None:
        dice = self._dice[PIPELINES_KEY]
        active = [ticket.key for ticket in TICKETS if at // DAY in {moment(11, day) // DAY for day in ticket.days}]
        tags = {"category": "llm-task", "pipeline": pipeline, "task_id": f"t-{dice.integer(100000, 999999)}"}
        tags["ticket"] = dice.pick(active or ["FAD-31"])
        for step, group in PIPELINES[pipeline]:
            usage = Usage(input=dice.integer(1400, 9000), output=dice.integer(60, 900))
            at = self.gateway.serve_others(PIPELINES_KEY, at=at, group=group, usage=usage, tags=tags | {"step": step})
            at += dice.integer(2, 25) * TICK

    def _script(self, at: int) -> None:
        dice = self._dice[BACKOFFICE_KEY]
        category = dice.pick(("email", "research", "invoices"))
        tags = {"category": category, "task_id": f"t-{dice.integer(100000, 999999)}"}
        if dice.chance(0.3):
            usage = Usage(input=dice.integer(200, 4000))
            self.gateway.serve_others(
                BACKOFFICE_KEY, at=at, group="embed", usage=usage, tags=tags, call_type="aembedding"
            )
            return
        group = dice.pick(("paid-gpt-5.4-mini", "paid-gpt-5.4-mini", "paid-claude-sonnet-4-6"))
        usage = Usage(input=dice.integer(900, 12000), output=dice.integer(120, 1200))
        hangs_up = dice.chance(0.02)
        if hangs_up:
            usage = Usage(input=14, output=7)
        self.gateway.serve_others(BACKOFFICE_KEY, at=at, group=group, usage=usage, tags=tags, hangs_up=hangs_up)

    def _dreaming(self, at: int) -> None:
        usage = Usage(input=4200, cache_read=12_288, output=380)
        self.gateway.serve_others("assistant", at=at, group="standard", usage=usage, client=AGENT_CLIENT)


def tell() -> Story:
    """The whole story, played."""
    story = Story()
    story.play()
    return story


def _workdays() -> Iterator[int]:
    """Midnight (Berlin) of every working day, as UTC milliseconds of the same date."""
    for day in range(FIRST - FIRST % DAY, LAST, DAY):
        if (day // DAY + 3) % 7 in WORKDAYS:
            yield day


def _internal(tool: str) -> dict[str, Any]:
    return {"kind": "internal_system", "sourceTool": tool}
