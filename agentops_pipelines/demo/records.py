"""What the story keeps of what happens: sessions, turns, cron runs, sub-agent runs.

Belongs here: plain records. Who fills them is in agents.py and story.py. Times are epoch milliseconds, UTC.
"""

from dataclasses import dataclass, field
from typing import Any

from agentops_pipelines.demo.company import Agent, Job
from agentops_pipelines.demo.openclaw_shapes import SOMETHING_SAID, Transcript, Usage

NO_USAGE = Usage()


@dataclass(kw_only=True)
class Session:
    """One session and what the story remembers of it while it is written."""

    agent: Agent
    key: str
    transcript: Transcript
    context: int
    model: str
    label: str = ""
    spawned_by: str = ""
    hook_source: str = ""
    channel: str = ""
    chat_type: str = ""
    previous_id: str | None = None
    reason: str = "initial"
    ended_as: str = ""
    """reset or deleted, when the transcript was put away."""
    ended_at: int = 0
    status: str = "done"
    busy_until: int = 0
    compactions: int = 0
    cached: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Group -> (prompt tokens the cache holds, until when)."""
    runs: list[dict[str, Any]] = field(default_factory=list)
    last_usage: Usage = NO_USAGE

    @property
    def session_id(self) -> str:
        """The session's id."""
        return self.transcript.session_id

    @property
    def run_key(self) -> str:
        """The key under which an isolated cron run is traced; the session's own key otherwise."""
        is_run = self.key.startswith(f"agent:{self.agent.name}:cron:") and not self.hook_source
        return f"{self.key}:run:{self.session_id}" if is_run and ":run:" not in self.key else self.key


@dataclass(frozen=True, kw_only=True)
class CronRun:
    """One finished run of a cron job. `delivered` is None when nothing was to be delivered."""

    job: Job
    started_at: int
    ended_at: int
    session: Session | None
    ok: bool
    delivered: bool | None
    reply: str


@dataclass(frozen=True, kw_only=True)
class SubagentRun:
    """One finished sub-agent. `provider` and the child's model say what it worked with."""

    run_id: str
    child: Session
    provider: str
    started_at: int
    ended_at: int
    status: str


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What is asked in one turn and how the agent goes about it."""

    text: str
    trigger: str
    calls: int = 1
    output: tuple[int, int] = (150, 900)
    growth: tuple[int, int] = (300, 1500)
    reply: str = SOMETHING_SAID
    group: str = ""
    """Group asked for; the agent's own model when empty."""
    message_provider: str = ""
    provenance: dict[str, Any] | None = None
    run_id: str = ""
    result: str = ""
    """What tools answer; nothing is written down of them when empty."""
    spawns: bool = False
    always_fails: bool = False
