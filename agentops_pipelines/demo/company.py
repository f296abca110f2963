"""Who works at the sample's company: its machines, agents, models, keys, jobs and tickets.

Belongs here: names, prices, limits and schedules, as data. What these people and agents do all day is in story.py.

Prices are USD per token. Times are epoch milliseconds, UTC; the company lives in Berlin, one hour ahead of it in
November.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
BERLIN = HOUR


def moment(month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    """A moment of 2026 in epoch milliseconds, UTC."""
    return int(datetime(2026, month, day, hour, minute, tzinfo=UTC).timestamp()) * SECOND


FIRST = moment(11, 8, 23)
"""When the records begin: Monday of the first week, 00:00 in Berlin."""
CHANGE = moment(11, 16, 7)
"""Monday of the second full week, 08:00 in Berlin: from here on the second week's story runs."""
LAST = moment(11, 24, 8)
"""The sample's "now"."""


@dataclass(frozen=True, kw_only=True)
class Prices:
    """What the gateway bills per token. Writes to the cache with the one-hour lifetime cost more."""

    input: float = 0.0
    output: float = 0.0
    cache_read: float = 0.0
    cache_write: float = 0.0
    cache_write_1h: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Model:
    """One deployment behind the gateway and the group name that agents ask for."""

    group: str
    served: str
    deployment: str
    pool: str
    prices: Prices | None
    """None: nobody knows a price for it."""
    rpm: int
    tpm: int
    writes_cache: bool = False

    @property
    def provider(self) -> str:
        """LiteLLM's custom_llm_provider."""
        return self.served.split("/")[0]


FREE = Prices()
"""Models on cloud credits, configured with every price at 0."""
SONNET = Prices(input=3e-6, output=15e-6, cache_read=3e-7, cache_write=3.75e-6, cache_write_1h=6e-6)
MINI = Prices(input=7.5e-7, output=4.5e-6, cache_read=7.5e-8)
HAIKU = Prices(input=1e-6, output=5e-6, cache_read=1e-7, cache_write=1.25e-6, cache_write_1h=2e-6)

MODELS: dict[str, Model] = {
    model.group: model
    for model in (
        Model(
            group="triage",
            served="azure/gpt-5.4-mini",
            deployment="triage-gpt-5.4-mini",
            pool="gpt",
            prices=FREE,
            rpm=600,
            tpm=1_000_000,
        ),
        # Zero input and output prices leave the cost map's price of cached tokens in force: "free" models bill.
        Model(
            group="standard",
            served="azure/gpt-5.4",
            deployment="standard-gpt-5.4",
            pool="gpt",
            prices=Prices(cache_read=2.5e-7),
            rpm=300,
            tpm=500_000,
        ),
        Model(
            group="heavy",
            served="azure/gpt-5.5",
            deployment="heavy-gpt-5.5",
            pool="gpt",
            prices=FREE,
            rpm=120,
            tpm=300_000,
        ),
        Model(
            group="foundry-claude-haiku-4-5",
            served="azure_ai/claude-haiku-4-5",
            deployment="foundry-claude-haiku-4-5",
            pool="claude",
            prices=FREE,
            rpm=200,
            tpm=400_000,
            writes_cache=True,
        ),
        Model(
            group="foundry-claude-sonnet-4-6",
            served="azure_ai/claude-sonnet-4-6",
            deployment="foundry-claude-sonnet-4-6",
            pool="claude",
            prices=FREE,
            rpm=100,
            tpm=200_000,
            writes_cache=True,
        ),
        Model(
            group="foundry-claude-opus-4-8",
            served="azure_ai/claude-opus-4-8",
            deployment="foundry-claude-opus-4-8",
            pool="claude",
            prices=FREE,
            rpm=40,
            tpm=100_000,
            writes_cache=True,
        ),
        Model(
            group="paid-claude-sonnet-4-6",
            served="anthropic/claude-sonnet-4-6",
            deployment="paid-claude-sonnet-4-6",
            pool="paid",
            prices=SONNET,
            rpm=50,
            tpm=400_000,
            writes_cache=True,
        ),
        Model(
            group="paid-gpt-5.4-mini",
            served="openai/gpt-5.4-mini",
            deployment="paid-gpt-5.4-mini",
            pool="paid",
            prices=MINI,
            rpm=500,
            tpm=2_000_000,
        ),
        Model(
            group="lab-coder",
            served="hosted_vllm/lab-coder-30b",
            deployment="lab-coder-30b",
            pool="lab",
            prices=None,
            rpm=60,
            tpm=200_000,
        ),
        Model(
            group="embed",
            served="openai/text-embedding-3-small",
            deployment="embed",
            pool="paid",
            prices=Prices(input=2e-8),
            rpm=1000,
            tpm=1_000_000,
        ),
    )
}

FALLBACKS = {
    "triage": "foundry-claude-haiku-4-5",
    "standard": "foundry-claude-sonnet-4-6",
    "heavy": "foundry-claude-opus-4-8",
}
"""Where the gateway sends a request when its group is throttled."""

DIRECT_PROVIDER = "anthropic"
DIRECT_MODEL = "claude-haiku-4-5"
"""The one model that some sub-agents call without the gateway."""

THROTTLED = ((moment(11, 12, 9), moment(11, 12, 10)), (moment(11, 17, 13), moment(11, 17, 15, 30)))
"""When the gpt pool was short of quota."""


@dataclass(frozen=True, kw_only=True)
class Agent:
    """One agent: where it lives, what it thinks with, how often its heartbeat asks for work."""

    name: str
    host: str
    key_alias: str
    model: str
    fallback: str
    heartbeat_model: str = ""
    heartbeat_minutes: tuple[int, int] = (0, 0)
    """Interval before and after CHANGE; 0 means no heartbeat."""
    heartbeat_offset: int = 0
    chats_a_day: int = 0


AGENTS: dict[str, Agent] = {
    agent.name: agent
    for agent in (
        Agent(
            name="alec",
            host="atlas",
            key_alias="alec",
            model="standard",
            fallback="heavy",
            heartbeat_model="triage",
            heartbeat_minutes=(60, 60),
            heartbeat_offset=7,
            chats_a_day=4,
        ),
        Agent(
            name="fiducian",
            host="atlas",
            key_alias="fiducian",
            model="paid-claude-sonnet-4-6",
            fallback="standard",
            heartbeat_model="paid-claude-sonnet-4-6",
            heartbeat_minutes=(60, 30),
            heartbeat_offset=12,
            chats_a_day=1,
        ),
        Agent(
            name="costaff",
            host="atlas",
            key_alias="costaff",
            model="paid-gpt-5.4-mini",
            fallback="triage",
            chats_a_day=5,
        ),
        Agent(
            name="main",
            host="borealis",
            key_alias="assistant",
            model="standard",
            fallback="heavy",
            heartbeat_model="standard",
            heartbeat_minutes=(60, 60),
            heartbeat_offset=3,
            chats_a_day=5,
        ),
        Agent(
            name="ops",
            host="borealis",
            key_alias="ops",
            model="triage",
            fallback="standard",
            heartbeat_model="triage",
            heartbeat_minutes=(60, 60),
            heartbeat_offset=41,
            chats_a_day=2,
        ),
        Agent(
            name="research",
            host="borealis",
            key_alias="research",
            model="heavy",
            fallback="standard",
            chats_a_day=3,
        ),
    )
}

HOSTS = ("atlas", "borealis")

PIPELINES_KEY = "pipelines"
BACKOFFICE_KEY = "backoffice"
KEY_BUDGETS: dict[str, float | None] = {
    **{agent.key_alias: None for agent in AGENTS.values()},
    "costaff": 2.75,
    PIPELINES_KEY: 25.0,
    BACKOFFICE_KEY: None,
}
"""Budget cap in USD of every virtual key, per calendar week (UTC); None means none."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One cron job of an agent. Times of day are Berlin's; weekdays count from Monday = 0."""

    name: str
    agent: str
    model: str
    every_minutes: int = 0
    offset_minutes: int = 0
    daily_at: tuple[int, int] = (0, 0)
    weekdays: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)
    calls: tuple[int, int] = (1, 1)
    empty_share: float = 0.0
    empty_reply: str = ""
    delivery: str = "none"
    """none, slack (announced to a channel that is named) or last (announced to wherever somebody spoke last)."""
    kind: str = "agentTurn"
    always_fails: bool = False

    def due(self) -> Iterator[int]:
        """Every moment the job runs at, in order."""
        if self.every_minutes:
            step = self.every_minutes * MINUTE
            yield from range(FIRST + self.offset_minutes * MINUTE, LAST, step)
            return
        hour, minute = self.daily_at
        midnight = FIRST - FIRST % DAY
        for day in range(midnight, LAST, DAY):
            at = day + hour * HOUR + minute * MINUTE - BERLIN
            if FIRST <= at < LAST and (day // DAY + 3) % 7 in self.weekdays:
                yield at


WORKDAYS = (0, 1, 2, 3, 4)

JOBS: tuple[Job, ...] = (
    Job(
        name="poll-tasks",
        agent="alec",
        model="paid-claude-sonnet-4-6",
        every_minutes=60,
        offset_minutes=4,
        calls=(2, 4),
        empty_share=0.88,
        empty_reply="No tasks available.",
    ),
    Job(
        name="poll-inbox",
        agent="costaff",
        model="paid-gpt-5.4-mini",
        every_minutes=60,
        offset_minutes=19,
        calls=(2, 4),
        empty_share=0.9,
        empty_reply="NO_REPLY",
    ),
    Job(
        name="poll-alerts",
        agent="ops",
        model="triage",
        every_minutes=120,
        offset_minutes=26,
        calls=(2, 5),
        empty_share=0.93,
        empty_reply="HEARTBEAT_OK",
    ),
    Job(
        name="poll-feeds",
        agent="research",
        model="standard",
        every_minutes=180,
        offset_minutes=48,
        calls=(3, 6),
        empty_share=0.6,
        empty_reply="NO_REPLY",
    ),
    Job(name="dod-verify", agent="alec", model="paid-claude-sonnet-4-6", daily_at=(3, 0), calls=(5, 9)),
    Job(name="nightly-lint", agent="alec", model="lab-coder", daily_at=(2, 20), calls=(4, 8)),
    Job(name="broken-export", agent="alec", model="triage", daily_at=(5, 10), always_fails=True),
    Job(name="nightly-digest", agent="fiducian", model="heavy", daily_at=(2, 0), calls=(4, 7)),
    Job(
        name="standup-reminder",
        agent="fiducian",
        model="standard",
        daily_at=(9, 15),
        weekdays=WORKDAYS,
        calls=(1, 2),
        delivery="last",
    ),
    Job(name="ledger-reminder", agent="fiducian", model="standard", daily_at=(16, 30), kind="systemEvent"),
    Job(
        name="morning-brief",
        agent="costaff",
        model="paid-gpt-5.4-mini",
        daily_at=(6, 45),
        weekdays=WORKDAYS,
        calls=(4, 7),
        delivery="slack",
    ),
    Job(name="backup-check", agent="ops", model="triage", daily_at=(1, 30), calls=(2, 4)),
    Job(
        name="shift-handover", agent="main", model="standard", every_minutes=480, offset_minutes=60, kind="systemEvent"
    ),
    Job(name="calendar-sync", agent="main", model="triage", every_minutes=480, offset_minutes=35, calls=(2, 3)),
    Job(
        name="weekly-report",
        agent="research",
        model="heavy",
        daily_at=(18, 0),
        weekdays=(6,),
        calls=(8, 12),
        delivery="slack",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """A piece of deep work in a session of its own: so many blocks on each of some days, each of so many calls."""

    key: str
    agent: str
    model: str
    days: tuple[int, ...]
    """Days of November."""
    blocks: int
    calls: tuple[int, int]
    hour: int
    """Hour of the first block, Berlin."""

    @property
    def session(self) -> str:
        """The session key's last part."""
        return self.key.lower()


TICKETS: tuple[Ticket, ...] = (
    Ticket(key="FAD-31", agent="alec", model="standard", days=(9, 10, 11, 12, 13), blocks=2, calls=(18, 30), hour=9),
    Ticket(
        key="FAD-12",
        agent="fiducian",
        model="paid-claude-sonnet-4-6",
        days=(10, 11, 12, 14, 17, 19, 21),
        blocks=1,
        calls=(18, 28),
        hour=10,
    ),
    Ticket(
        key="FAD-27", agent="research", model="heavy", days=(9, 10, 11, 12, 13, 15), blocks=2, calls=(16, 28), hour=20
    ),
    Ticket(
        key="FAD-38",
        agent="main",
        model="standard",
        days=(9, 10, 11, 13, 16, 18, 20),
        blocks=1,
        calls=(14, 24),
        hour=13,
    ),
    Ticket(key="FAD-31", agent="alec", model="standard", days=(16, 18, 20), blocks=1, calls=(14, 22), hour=9),
    Ticket(
        key="FAD-40", agent="research", model="heavy", days=(16, 17, 18, 19, 20, 22), blocks=2, calls=(16, 28), hour=20
    ),
    Ticket(
        key="FAD-47",
        agent="alec",
        model="standard",
        days=(17, 18, 19, 20, 21, 22, 23),
        blocks=2,
        calls=(22, 36),
        hour=11,
    ),
    Ticket(key="FAD-44", agent="main", model="standard", days=(17, 19, 23), blocks=1, calls=(14, 24), hour=14),
    *(
        Ticket(key=key, agent=agent, model=model, days=(day,), blocks=1, calls=calls, hour=hour)
        for key, agent, model, day, calls, hour in (
            ("FAD-14", "main", "standard", 9, (5, 7), 9),
            ("FAD-20", "alec", "standard", 9, (9, 13), 17),
            ("FAD-18", "ops", "standard", 10, (4, 7), 10),
            ("FAD-21", "ops", "standard", 10, (8, 12), 14),
            ("FAD-25", "research", "heavy", 10, (6, 9), 9),
            ("FAD-24", "alec", "standard", 11, (9, 13), 17),
            ("FAD-22", "main", "standard", 12, (5, 8), 9),
            ("FAD-32", "research", "heavy", 12, (6, 10), 9),
            ("FAD-30", "ops", "standard", 13, (4, 7), 10),
            ("FAD-33", "alec", "standard", 13, (9, 14), 17),
            ("FAD-35", "alec", "standard", 16, (6, 9), 15),
            ("FAD-37", "main", "standard", 17, (5, 8), 9),
            ("FAD-36", "ops", "standard", 17, (9, 13), 10),
            ("FAD-43", "ops", "standard", 18, (4, 7), 10),
            ("FAD-41", "research", "heavy", 18, (6, 10), 9),
            ("FAD-42", "ops", "standard", 19, (9, 13), 14),
            ("FAD-46", "main", "standard", 19, (5, 8), 9),
            ("FAD-45", "alec", "standard", 20, (6, 9), 16),
        )
    ),
)

PIPELINES: dict[str, tuple[tuple[str, str], ...]] = {
    "dod-verify": (("classify", "triage"), ("extract", "triage"), ("verify", "standard")),
    "pr-review": (("summarise", "standard"), ("review", "heavy"), ("verdict", "triage")),
}
"""Steps of each llm-task pipeline and the group each asks for."""
