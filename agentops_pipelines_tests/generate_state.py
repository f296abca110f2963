"""Makes large OpenClaw state directories: `python -m agentops_pipelines_tests.generate_state OUT --sessions 2000`.

Writes OUT/state, a state directory of OpenClaw 2026.6 (files) or, with --sqlite, of 2026.9 (a database for each agent,
long events compressed), and OUT/truth.json, what a reader must find in it: every call counted once, with tokens, cost
and day. The same arguments give the same directory.

Traps: forks that repeat their parent's lines, reset and deleted transcripts, last lines that a crash cut short,
mirrored replies that are no calls, models without a configured price, compactions.
"""

import argparse
import hashlib
import json
import os
import random
import sqlite3
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import zstandard

from agentops_pipelines.demo.openclaw_shapes import (
    AGENT_SCHEMA_VERSION,
    AGENT_TABLES,
    FREE_COST,
    HEARTBEAT_POLL,
    SUBAGENT_CONTEXT,
    Transcript,
    Usage,
    compressed_event,
    file_stamp,
    navigation,
    text_part,
    tool_call,
)

SECOND = 1000
DAY = 86_400 * SECOND
END = 1_795_500_000 * SECOND
"""24 November 2026, 06:00 UTC, in epoch milliseconds: the newest session ends before."""
DAYS = 28
CONTEXT_LIMIT = 180_000
COST_STEPS = 10**10
"""Costs are multiples of 10^-10 USD, so that sums can be compared exactly."""

AGENTS = {"main": 0.6, "coder": 0.25, "ops": 0.15}


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model and what OpenClaw believes it costs, USD per million tokens: input, output, cache read, cache write."""

    provider: str
    name: str
    prices: tuple[float, float, float, float]
    share: float
    share_of_routine: float


MODELS = (
    Model(provider="litellm", name="standard", prices=(0, 0, 0, 0), share=0.28, share_of_routine=0.1),
    Model(provider="anthropic", name="claude-opus-4-8", prices=(5, 25, 0.5, 6.25), share=0.18, share_of_routine=0.05),
    Model(provider="openai", name="gpt-5.4-mini", prices=(0.75, 4.5, 0.075, 0), share=0.24, share_of_routine=0.5),
    Model(provider="litellm", name="triage", prices=(0, 0, 0, 0), share=0.18, share_of_routine=0.25),
    Model(provider="litellm", name="heavy", prices=(0, 0, 0, 0), share=0.12, share_of_routine=0.1),
)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of session: how it is keyed and opened, how many messages it has."""

    name: str
    share: float
    messages: tuple[int, int]
    key: str
    opening: str = ""
    is_routine: bool = False


KINDS = (
    Kind(
        name="heartbeat",
        share=0.34,
        messages=(4, 18),
        key="main:heartbeat",
        opening=f"{HEARTBEAT_POLL} ",
        is_routine=True,
    ),
    Kind(
        name="cron",
        share=0.36,
        messages=(6, 60),
        key="cron:{id}",
        opening="[cron:{id} nightly] ",
        is_routine=True,
    ),
    Kind(name="subagent", share=0.18, messages=(20, 160), key="subagent:{id}", opening=f"{SUBAGENT_CONTEXT} "),
    Kind(name="main", share=0.07, messages=(300, 1200), key="main"),
    Kind(name="channel", share=0.05, messages=(100, 500), key="discord:channel:{id}"),
)


@dataclass(kw_only=True)
class Truth:
    """What a reader must find. Tokens are input, cache read, cache write, output; costs in steps of 10^-10 USD."""

    sessions: int = 0
    calls: int = 0
    tokens: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    cost_steps: int = 0
    bytes: int = 0
    traps: Counter[str] = field(default_factory=Counter)
    by_day_model: dict[tuple[str, str], list[int]] = field(default_factory=lambda: defaultdict(lambda: [0] * 6))
    by_kind: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0, 0]))

    def count(self, kind: Kind, model: Model, usage: Usage, *, at: int, cost_steps: int) -> None:
        """One call."""
        counts = (usage.input, usage.cache_read, usage.cache_write, usage.output)
        self.calls += 1
        self.cost_steps += cost_steps
        self.tokens = [total + count for total, count in zip(self.tokens, counts, strict=True)]
        day = datetime.fromtimestamp(at / SECOND, UTC).date().isoformat()
        per_day = self.by_day_model[day, f"{model.provider}/{model.name}"]
        for position, value in enumerate((*counts, 1, cost_steps)):
            per_day[position] += value
        per_kind = self.by_kind[kind.name]
        for position, value in enumerate((1, sum(counts), cost_steps)):
            per_kind[position] += value

    def as_json(self) -> dict[str, Any]:
        """The truth as it is written down, costs in USD."""
        return {
            "sessions": self.sessions,
            "calls": self.calls,
            "tokens": self.tokens,
            "cost_usd": self.cost_steps / COST_STEPS,
            "bytes": self.bytes,
            "traps": dict(sorted(self.traps.items())),
            "by_kind": {
                name: {"calls": calls, "tokens": tokens, "cost_usd": steps / COST_STEPS}
                for name, (calls, tokens, steps) in sorted(self.by_kind.items())
            },
            "by_day_model": [
                [*key, *counts, steps / COST_STEPS] for key, (*counts, steps) in sorted(self.by_day_model.items())
            ],
        }


@dataclass(kw_only=True)
class Session:
    """A finished session. `ended_as` is reset, deleted or nothing; `torn` are bytes of a last line cut short."""

    kind: Kind
    agent: str
    key: str
    model: Model
    transcript: Transcript
    ended_at: int
    ended_as: str = ""
    torn: bytes = b""

    @property
    def raw_lines(self) -> list[bytes]:
        """The transcript's lines as JSON."""
        return [orjson.dumps(line) for line in self.transcript.lines]


def generate(out: Path, *, sessions: int, sqlite: bool = False, seed: int = 7, trajectories: bool = False) -> Truth:
    """Write OUT/state and OUT/truth.json and return the truth. OUT must not have them yet.

    With `trajectories` each transcript file has one beside it, which alone knows the key of what was reset or deleted.
    """
    state = out / "state"
    state.mkdir(parents=True)
    writer = TableWriter(state) if sqlite else FileWriter(state, trajectories=trajectories)
    generator = Generator(seed, sqlite=sqlite)
    for session in generator.sessions(sessions):
        generator.truth.bytes += writer.write(session)
    writer.finish()
    truth = generator.truth
    (out / "truth.json").write_text(json.dumps(truth.as_json(), indent=1), encoding="utf-8")
    return truth


class Texts:
    """Pieces of made-up prose and logs, cut out of one long text: as varied as the real thing, quick to make."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        words = ["".join(dice.choices("aeioulnrstdmkpb", k=dice.randint(2, 11))) for _ in range(6_000)]
        weights = [1 / (rank + 2) for rank in range(len(words))]
        self._prose = " ".join(dice.choices(words, weights, k=500_000))
        self._logs = "".join(
            f"2026-11-{dice.randint(1, 23):02d} INFO {dice.choice(words)}: id={dice.getrandbits(64):016x} ok\n"
            f'    {dice.choice(words)} = load("{dice.choice(words)}", {dice.randint(0, 999)})\n'
            for _ in range(20_000)
        )

    def prose(self, longest: int) -> str:
        """Some sentences; short ones are more frequent."""
        return self._cut(self._prose, longest)

    def logs(self, longest: int) -> str:
        """The output of a tool."""
        return self._cut(self._logs, longest)

    def _cut(self, text: str, longest: int) -> str:
        length = int(longest * self._dice.random() ** 3) + 20
        start = int(self._dice.random() * (len(text) - length))
        return text[start : start + length]


class Generator:
    """Makes sessions and keeps the truth about them."""

    def __init__(self, seed: int, *, sqlite: bool) -> None:
        self.truth = Truth()
        self._dice = random.Random(seed)
        self._texts = Texts(self._dice)
        self._sqlite = sqlite
        self._jobs = [self._uuid() for _ in range(12)]
        self._previous: Session | None = None

    def sessions(self, count: int) -> Iterator[Session]:
        """So many sessions, one at a time."""
        for _ in range(count):
            session = self._session()
            self.truth.sessions += 1
            self._previous = session
            yield session

    def _session(self) -> Session:
        dice = self._dice
        kind = dice.choices(KINDS, [kind.share for kind in KINDS])[0]
        agent = dice.choices(list(AGENTS), list(AGENTS.values()))[0]
        identity = dice.choice(self._jobs) if kind.name == "cron" else self._uuid()
        transcript = Transcript(
            session_id=self._uuid(),
            agent=agent,
            started_at=END - int(dice.random() * DAYS * DAY),
            sqlite_era=self._sqlite,
            first_line=dice.getrandbits(32),
        )
        session = Session(
            kind=kind,
            agent=agent,
            key=f"agent:{agent}:{kind.key.format(id=identity)}",
            model=self._model(kind),
            transcript=transcript,
            ended_at=transcript.started_at,
        )
        self._begin(session)
        self._talk(session, opening=kind.opening.format(id=identity))
        self._end(session)
        return session

    def _begin(self, session: Session) -> None:
        parent = self._previous
        if parent is not None and parent.agent == session.agent and self._dice.random() < 0.05:
            copied = max(3, len(parent.transcript.lines) // 3)
            session.transcript.fork(parent.transcript, lines=copied)
            self.truth.traps["forks"] += 1
            self.truth.traps["repeated_calls"] += sum(map(_is_call, session.transcript.lines))
            return
        session.transcript.open(session.model.provider, model=session.model.name)

    def _talk(self, session: Session, *, opening: str) -> None:
        """Users ask, the agent answers, mostly with tools in between."""
        dice, transcript = self._dice, session.transcript
        at, context = transcript.started_at, dice.randint(8_000, 22_000)
        left = dice.randint(*session.kind.messages)
        while left > 0:
            text = opening + self._texts.prose(2_000)
            transcript.user(at, text=text)
            context += len(text) // 4
            left -= 1
            wants_tool = True
            while wants_tool and left > 0:
                at = min(at + dice.randint(1, 40) * SECOND, END - SECOND)
                wants_tool = left > 1 and dice.random() < 0.72
                context += self._call(session, at, context=context, wants_tool=wants_tool)
                left -= 1
                if wants_tool and left > 0:
                    context += self._use_tool(session, at)
                    left -= 1
            if dice.random() < 0.15:
                self._mirror(session, at)
            if context > CONTEXT_LIMIT:
                transcript.compaction(at, tokens_before=context, summary=self._texts.prose(6_000))
                self.truth.traps["compactions"] += 1
                context = dice.randint(15_000, 25_000)
        session.ended_at = at

    def _call(self, session: Session, at: int, *, context: int, wants_tool: bool) -> int:
        """One model call. Returns the tokens it adds to the context."""
        dice = self._dice
        if dice.random() < 0.02:
            session.model = self._model(session.kind)
        model = session.model
        thinking, text = self._texts.prose(2_000), self._texts.prose(2_000)
        content = [{"type": "thinking", "thinking": thinking, "thinkingSignature": f"{dice.getrandbits(512):0128x}"}]
        content.append(text_part(text))
        if wants_tool:
            content.append(tool_call(f"call_{dice.getrandbits(96):024x}", tool="exec"))
        output = (len(thinking) + len(text)) // 4 + dice.randint(5, 60)
        usage = self._usage(model, context=context, output=output)
        cost, steps = _cost(usage, model)
        session.transcript.assistant(
            at,
            written_at=at + output * 12,
            provider=model.provider,
            model=model.name,
            usage=usage,
            cost=cost,
            content=content,
            stop_reason="toolUse" if wants_tool else "stop",
            response_id=f"resp_{dice.getrandbits(96):024x}",
        )
        self.truth.count(session.kind, model, usage, at=at + output * 12, cost_steps=steps)
        return output

    def _usage(self, model: Model, *, context: int, output: int) -> Usage:
        cached = context * 9 // 10 if self._dice.random() < 0.85 else 0
        if model.provider != "anthropic":
            return Usage(input=context - cached, cache_read=cached, output=output)
        return Usage(input=self._dice.randint(3, 12), cache_read=cached, cache_write=context - cached, output=output)

    def _use_tool(self, session: Session, at: int) -> int:
        """What the tool answers. Returns its tokens."""
        call = session.transcript.lines[-1]["message"]["content"][-1]
        text = self._texts.logs(13_000)
        session.transcript.tool_result(at, call_id=call["id"], tool=call["name"], text=text)
        return len(text) // 4

    def _mirror(self, session: Session, at: int) -> None:
        """A reply that OpenClaw repeats for a channel: no model was called."""
        session.transcript.assistant(
            at,
            written_at=at,
            provider="openclaw",
            model="delivery-mirror",
            usage=Usage(),
            cost=FREE_COST,
            content=[text_part(self._texts.prose(400))],
            stop_reason="stop",
        )
        self.truth.traps["mirrored_replies"] += 1

    def _end(self, session: Session) -> None:
        share = self._dice.random()
        if share < 0.03:
            session.ended_as = "reset" if share < 0.02 else "deleted"
            self.truth.traps[f"{session.ended_as}_transcripts"] += 1
        if session.ended_as == "reset" and self._sqlite:
            session.transcript.reset(session.ended_at)  # 2026.9 goes on in the same transcript
        if self._dice.random() < 0.01 and not self._sqlite:
            session.torn = b'{"type":"message","id":"dead'
            self.truth.traps["torn_lines"] += 1

    def _model(self, kind: Kind) -> Model:
        shares = [model.share_of_routine if kind.is_routine else model.share for model in MODELS]
        return self._dice.choices(MODELS, shares)[0]

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._dice.getrandbits(128), version=4))


class FileWriter:
    """OpenClaw 2026.6: a transcript is a file, session rows are one file an agent."""

    def __init__(self, state: Path, *, trajectories: bool) -> None:
        self._state = state
        self._trajectories = trajectories
        self._rows: dict[str, dict[str, Any]] = {}

    def write(self, session: Session) -> int:
        """Write a transcript; returns its bytes."""
        folder = self._state / "agents" / session.agent / "sessions"
        if session.agent not in self._rows:
            folder.mkdir(parents=True)
        rows = self._rows.setdefault(session.agent, {})
        name = f"{session.transcript.session_id}.jsonl"
        if session.ended_as:
            name += f".{session.ended_as}.{file_stamp(session.ended_at)}"
        else:
            rows[session.key] = _row(session)
        content = b"".join(line + b"\n" for line in session.raw_lines) + session.torn
        path = folder / name
        path.write_bytes(content)
        os.utime(path, (session.ended_at / SECOND, session.ended_at / SECOND))
        if self._trajectories:
            sidecar = folder / f"{session.transcript.session_id}.trajectory.jsonl"
            sidecar.write_bytes(orjson.dumps(_run_start(session)) + b"\n")
        return len(content)

    def finish(self) -> None:
        """Write the session rows."""
        for agent, rows in self._rows.items():
            (self._state / "agents" / agent / "sessions" / "sessions.json").write_bytes(orjson.dumps(rows))


class TableWriter:
    """OpenClaw 2026.9: a database for each agent."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._databases: dict[str, sqlite3.Connection] = {}

    def write(self, session: Session) -> int:
        """Write a transcript into its agent's database; returns its bytes as text."""
        database = self._databases.get(session.agent) or self._open(session.agent)
        raw_lines = session.raw_lines
        if session.ended_as == "deleted":
            _insert(database, "session_transcript_archives", [_archive(session, raw_lines)])
        else:
            _insert(database, "session_windows", [_window(session)])
            _insert(database, "transcript_events", _events(session, raw_lines))
            _insert(database, "session_nodes", [_node(session)])
        return sum(map(len, raw_lines)) + len(raw_lines)

    def finish(self) -> None:
        """Commit and close."""
        for database in self._databases.values():
            with closing(database):
                database.commit()

    def _open(self, agent: str) -> sqlite3.Connection:
        folder = self._state / "agents" / agent / "agent"
        folder.mkdir(parents=True)
        database = self._databases[agent] = sqlite3.connect(folder / "openclaw-agent.sqlite")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = OFF")
        database.execute(f"PRAGMA user_version = {AGENT_SCHEMA_VERSION}")
        for table, columns in AGENT_TABLES.items():
            database.execute(f"CREATE TABLE {table} ({columns})")
        return database


def _insert(database: sqlite3.Connection, table: str, rows: list[dict[str, object]]) -> None:
    columns = list(rows[0])
    database.executemany(
        f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}) VALUES ({', '.join(f':{name}' for name in columns)})",
        rows,
    )


def _node(session: Session) -> dict[str, object]:
    return {
        "session_key": session.key,
        "current_session_id": session.transcript.session_id,
        "entry_json": orjson.dumps(_row(session)).decode(),
        "entry_valid": 1,
        "updated_at": session.ended_at,
        "status": "done",
    }


def _window(session: Session) -> dict[str, object]:
    return {
        "session_id": session.transcript.session_id,
        "session_key": session.key,
        "reason": "initial",
        "created_at": session.transcript.started_at,
        "updated_at": session.ended_at,
        "status": "done",
        "model_provider": session.model.provider,
        "model": session.model.name,
    }


def _events(session: Session, raw_lines: list[bytes]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for seq, raw in enumerate(raw_lines):
        packed = compressed_event(raw)
        rows.append(
            {
                "session_id": session.transcript.session_id,
                "seq": seq,
                "event_json": raw.decode() if packed is None else None,
                "created_at": session.transcript.started_at,
                "event_zstd": packed,
                "event_utf8_bytes": None if packed is None else len(raw),
                "navigation_json": None if packed is None else navigation(len(raw)),
            }
        )
    return rows


def _archive(session: Session, raw_lines: list[bytes]) -> dict[str, object]:
    content = b"".join(line + b"\n" for line in raw_lines)
    digest = hashlib.sha256(content).hexdigest()
    session_id = session.transcript.session_id
    return {
        "session_id": session_id,
        "generation": digest[:32],
        "session_key": session.key,
        "reason": session.ended_as,
        "encoding": "zstd",
        "archive_blob": zstandard.ZstdCompressor().compress(content),
        "archive_sha256": digest,
        "archive_name": f"{session_id}.jsonl.{session.ended_as}.{file_stamp(session.ended_at)}.{digest[:32]}.zst",
        "created_at": session.ended_at,
    }


def _row(session: Session) -> dict[str, Any]:
    """A session row, with the bulk that real ones carry and accounting ignores."""
    return {
        "sessionId": session.transcript.session_id,
        "updatedAt": session.ended_at,
        "sessionStartedAt": session.transcript.started_at,
        "modelProvider": session.model.provider,
        "model": session.model.name,
        "status": "done",
        "totalTokensFresh": True,
    }


def _run_start(session: Session) -> dict[str, Any]:
    """The event that opens a session's first run."""
    session_id = session.transcript.session_id
    return {
        "traceSchema": "openclaw-trajectory",
        "schemaVersion": 1,
        "traceId": session_id,
        "source": "runtime",
        "type": "session.started",
        "ts": datetime.fromtimestamp(session.transcript.started_at / SECOND, UTC).isoformat(timespec="milliseconds"),
        "sessionId": session_id,
        "sessionKey": session.key,
        "runId": f"run-{session_id}",
        "provider": session.model.provider,
        "modelId": session.model.name,
        "data": {"trigger": "heartbeat" if session.kind.name == "heartbeat" else "user"},
    }


def _cost(usage: Usage, model: Model) -> tuple[dict[str, Any], int]:
    """The cost object of a line, and its total in steps of 10^-10 USD."""
    counts = (usage.input, usage.output, usage.cache_read, usage.cache_write)
    steps = [round(count * price * COST_STEPS / 1e6) for count, price in zip(counts, model.prices, strict=True)]
    names = ("input", "output", "cacheRead", "cacheWrite")
    cost = {name: step / COST_STEPS for name, step in zip(names, steps, strict=True)}
    return {**cost, "total": sum(steps) / COST_STEPS}, sum(steps)


def _is_call(line: dict[str, Any]) -> bool:
    message = line.get("message", {})
    return message.get("role") == "assistant" and message["provider"] != "openclaw"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Make a large OpenClaw state directory with its truth.")
    parser.add_argument("out", type=Path, help="directory to make; gets state/ and truth.json")
    parser.add_argument("--sessions", type=int, default=2_000)
    parser.add_argument("--sqlite", action="store_true", help="OpenClaw 2026.9 instead of 2026.6")
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    truth = generate(arguments.out, sessions=arguments.sessions, sqlite=arguments.sqlite, seed=arguments.seed)
    print(f"{truth.sessions:,} sessions, {truth.calls:,} calls, {truth.bytes:,} bytes, traps: {dict(truth.traps)}")


if __name__ == "__main__":
    main()
