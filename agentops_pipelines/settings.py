"""Settings: where things are (environment, secrets only there) and what the operator calls them (agentops.toml).

Belongs here: every setting, its default, its validation and the error a person sees when it is wrong. Nothing here
opens a source; `agentops doctor` does that.

Environment: AGENTOPS_HOME, AGENTOPS_CONFIG, AGENTOPS_OPENCLAW_STATE_DIRS, AGENTOPS_LITELLM_BASE_URL,
AGENTOPS_LITELLM_API_KEY, AGENTOPS_LITELLM_DATABASE_URL, AGENTOPS_SINCE, AGENTOPS_JIRA_BASE_URL, AGENTOPS_JIRA_EMAIL,
AGENTOPS_JIRA_API_TOKEN, AGENTOPS_OTLP_DIR, AGENTOPS_DISCORD_WEBHOOK_URL. A secret may be given as `<NAME>_FILE`, the
path of a file that holds it.
"""

import os
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveFloat,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

SECRETS = ("litellm_api_key", "litellm_database_url", "jira_api_token", "discord_webhook_url")


class SettingsError(Exception):
    """A setting that cannot be used: the message names it and says what to write instead."""


@dataclass(frozen=True, kw_only=True)
class StateDir:
    """One OpenClaw state directory and the configured name of the machine it belongs to."""

    host: str
    path: Path


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CategoryRule(_Strict):
    """What the operator calls a kind of work. Empty conditions match everything; patterns are SQL LIKE, lower case."""

    category: str
    session_type: str = ""
    job_name: str = ""
    method: str = ""
    tag: str = ""


class DatedAlias(_Strict):
    """A model priced as a public one from a day on: a new primary never rewrites old weeks."""

    priced_as: str
    since: date = date(2000, 1, 1)


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, times in Counter(names).items() if times > 1]


def _check_tiers(wanted: Mapping[str, str], tiers: Mapping[str, object]) -> None:
    for category, tier in wanted.items():
        if tier not in tiers:
            known = ", ".join(tiers) or "none yet"
            raise ValueError(f"[tiers] has no tier {tier!r} for {category!r} (it has: {known})")


def _alias_list(value: Any) -> Any:
    return [{"priced_as": value}] if isinstance(value, str) else value


class Limit(_Strict):
    """What a deployment or pool may use per minute. What is left out is what the proxy says (/model/info)."""

    rpm: int | None = Field(default=None, gt=0)
    tpm: int | None = Field(default=None, gt=0)


class PoolLimit(Limit):
    """The same for a pool, with what it may use in a day (credits are often given so)."""

    tokens_per_day: int | None = Field(default=None, gt=0)


class Limits(_Strict):
    """Limits by deployment id and by pool name, in place of the proxy's own."""

    deployments: dict[str, Limit] = Field(default_factory=dict)
    pools: dict[str, PoolLimit] = Field(default_factory=dict)


class ModelMap(_Strict):
    """Which model work should use: category -> tier, and ticket method -> model or model group."""

    operations: dict[str, str] = Field(default_factory=dict)
    methods: dict[str, str] = Field(default_factory=dict)


class Thresholds(_Strict):
    """When a data-quality check warns. Shares are of the reported window's calls or tokens, 0 to 1."""

    unknown_calls: float = 0.02
    unknown_tokens: float = 0.01
    unpriced_tokens: float = 0.05
    unmatched_calls: float = 0.25
    lost_requests: float = 0.01
    estimate_off: float = 0.25
    stale_hours: float = 26.0


def _zone_name(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"unknown time zone {name!r}; write it like Europe/Berlin") from error
    return name


class QuietHours(_Strict):
    """When somebody must not be spoken to, by the clock of their time zone. `from` after `to` goes over midnight."""

    start: time = Field(alias="from")
    end: time = Field(alias="to")
    timezone: Annotated[str, AfterValidator(_zone_name)] | None = None
    """Default: the time zone of the settings."""

    @model_validator(mode="after")
    def _some_hours(self) -> Self:
        if self.start == self.end:
            raise ValueError("from and to are the same; leave the entry out, or name the hours")
        return self


class IntendedDelivery(_Strict):
    """Where messages should go: the channel, and the recipient as OpenClaw's job would name it."""

    channel: str
    to: str = ""


class AgentThresholds(_Strict):
    """What counts as short when agents' turns are judged."""

    empty_poll_output_tokens: int = 100
    """An empty poll that says more talks too long."""
    simple_output_tokens: int = 300
    """A turn of one call, without tools, that says at most this much is simple."""
    simple_share: float = 0.9
    """From this share of simple turns on, a smaller tier is worth a try."""


class Budget(_Strict):
    """Money that may be spent in each period: alerts say when it goes too fast."""

    usd: PositiveFloat
    period: Literal["day", "week", "month"] = "month"
    lane: str = ""
    """Whose work it is for, as the report calls it; empty means everybody's."""
    basis: Literal["cost", "list"] = "cost"


class Alerts(_Strict):
    """What is worth a message between two reports, and when nobody wants one."""

    enabled: bool = True
    schedule: str = "10 * * * *"
    quiet_hours: QuietHours | None = None
    """When the operator wants no message: what happens then comes in one after them."""
    spend_z: PositiveFloat = 3.0
    """How many robust standard deviations above its expectation makes a day's spend unusual."""
    spend_floor_usd: float = Field(default=5.0, ge=0)
    """And how far above it the day must at least be."""
    spend_share: float = Field(default=0.75, ge=0)
    """The same as a share of what was expected."""
    pace_6h: PositiveFloat = 4.0
    """How many times as fast as its budget allows money may go, over 6 hours."""
    pace_24h: PositiveFloat = 2.0
    pace_7d: PositiveFloat = 1.15
    pool_minutes: int = Field(default=15, gt=0)
    """Minutes of 6 hours at 80 % of a limit (high: at the limit) from which on a pool is saturated."""
    pool_rejections: int = Field(default=20, gt=0)
    """Or requests refused in 6 hours because of it."""
    unpriced_tokens: int = Field(default=100_000, gt=0)
    """Tokens in 7 days from which on a model without a price matters."""
    match_drop: float = Field(default=0.1, gt=0)
    """How far the share of matched calls of a day may be below that of the 4 weeks before."""
    source_failures: int = Field(default=2, gt=0)
    """Loads of a source that fail in a row before it is told."""
    settle_hours: float = Field(default=3.0, ge=0)
    """How long an alert must be gone before it is over: what comes and goes is told once."""


_PROJECT_KEY = re.compile(r"[A-Z][A-Z0-9_]{1,29}")


class Jira(_Strict):
    """What of a Jira is read, and which agent an account there stands for."""

    projects: list[str] = Field(default_factory=list)
    """Keys of the projects whose tickets are read."""
    points_fields: list[str] = Field(default_factory=list, max_length=2)
    """Ids of the fields with story points, where their names do not tell: company-managed, then team-managed."""
    method_field: str = ""
    """Id of the field with the method, where it is not called Method."""
    agents: dict[str, str] = Field(default_factory=dict)
    """Account id, or name as Jira displays it -> agent id."""

    @field_validator("projects")
    @classmethod
    def _plain_keys(cls, projects: list[str]) -> list[str]:
        # they are written into a query
        for project in projects:
            if not _PROJECT_KEY.fullmatch(project):
                raise ValueError(f"{project!r} is no project key; write it like OPS")
        return projects


class Tickets(_Strict):
    """How estimates of tickets are compared with what their calls used."""

    tokens_per_point: PositiveFloat = 1000.0
    count_cache_reads: bool = True
    """Whether tokens read from the prompt cache count as used."""
    min_tickets: int = Field(default=5, gt=0)
    """Below this many usable tickets a method has no factor of its own."""
    stale_days: int = Field(default=3, gt=0)
    """A ticket in progress without a change or call for so long is stale."""
    weekly_token_budgets: dict[str, Annotated[int, Field(gt=0)]] = Field(default_factory=dict)
    """Agent id -> tokens that it may use in an ISO week."""
    review_statuses: list[str] = Field(default_factory=lambda: ["In Review", "Code Review", "Review"])
    blocked_statuses: list[str] = Field(default_factory=lambda: ["Blocked", "On Hold", "Waiting"])


DEFAULT_CATEGORIES: tuple[CategoryRule, ...] = (
    CategoryRule(session_type="heartbeat", category="heartbeat poll"),
    CategoryRule(session_type="system_event", category="wake/dispatch check"),
    CategoryRule(session_type="cron", job_name="%poll%", category="task pickup"),
    CategoryRule(session_type="cron", job_name="%pickup%", category="task pickup"),
    CategoryRule(session_type="cron", category="routine work"),
    CategoryRule(session_type="webhook", category="webhook work"),
    CategoryRule(session_type="subagent", category="sub-agent"),
    CategoryRule(session_type="named", category="deep work"),
    CategoryRule(session_type="acp", category="deep work"),
    CategoryRule(session_type="worker", category="deep work"),
    CategoryRule(session_type="main", category="main conversation"),
    CategoryRule(session_type="dm", category="main conversation"),
    CategoryRule(session_type="channel", category="main conversation"),
    CategoryRule(session_type="llm_task", category="pipeline step"),
    CategoryRule(session_type="maintenance", category="maintenance"),
    CategoryRule(session_type="api", category="direct API"),
)
"""Used after the operator's own rules; the first rule that matches wins. What matches none is called by its type."""


class Config(_Strict):
    """agentops.toml: what the operator calls things. Everything has a default."""

    timezone: str = "UTC"
    cost_basis: Literal["spend", "estimate", "list"] = "spend"
    schedule: str = "0 8 * * 1"
    publish_path: Path | None = None
    lock_timeout_seconds: float = 300.0
    tiers: dict[str, list[str]] = Field(default_factory=dict)
    pools: dict[str, list[str]] = Field(default_factory=dict)
    lanes: dict[str, str] = Field(default_factory=dict)
    category_rules: list[CategoryRule] = Field(default_factory=list)
    price_aliases: dict[str, Annotated[list[DatedAlias], BeforeValidator(_alias_list)]] = Field(default_factory=dict)
    empty_poll_phrases: list[str] = Field(default_factory=lambda: ["No tasks available"])
    thresholds: Thresholds = Field(default_factory=Thresholds)
    limits: Limits = Field(default_factory=Limits)
    mapping: ModelMap = Field(default_factory=ModelMap)
    quiet_hours: dict[str, QuietHours] = Field(default_factory=dict)
    """Agent id, or recipient as OpenClaw's jobs name it -> when not to speak; a recipient's own hours win."""
    intended_delivery: dict[str, IntendedDelivery] = Field(default_factory=dict)
    """Job name, or agent id -> where messages should go; what is said of a job wins."""
    poll_intervals: dict[str, PositiveFloat] = Field(default_factory=dict)
    """Job name, or agent id for its heartbeat -> minutes between polls whose effect the report works out."""
    target_tiers: dict[str, str] = Field(default_factory=dict)
    """Category of work -> the tier it should ask for."""
    tier_floors: dict[str, str] = Field(default_factory=dict)
    """Method -> the smallest tier that its work may be moved to."""
    agent_thresholds: AgentThresholds = Field(default_factory=AgentThresholds)
    budgets: dict[str, Budget] = Field(default_factory=dict)
    alerts: Alerts = Field(default_factory=Alerts)
    jira: Jira = Field(default_factory=Jira)
    tickets: Tickets = Field(default_factory=Tickets)

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        return _zone_name(name)

    @field_validator("tiers")
    @classmethod
    def _each_model_once(cls, tiers: dict[str, list[str]]) -> dict[str, list[str]]:
        # core.calls looks a call's tier up by the model's name: two answers would make two calls of it
        if twice := _repeated(model for models in tiers.values() for model in models):
            raise ValueError(f"{twice[0]!r} stands there twice; a model belongs to one tier")
        return tiers

    @field_validator("pools")
    @classmethod
    def _each_deployment_once(cls, pools: dict[str, list[str]]) -> dict[str, list[str]]:
        # its use would count in both pools
        if twice := _repeated(deployment for deployments in pools.values() for deployment in deployments):
            raise ValueError(f"{twice[0]!r} stands there twice; a deployment belongs to one pool")
        return pools

    @field_validator("mapping")
    @classmethod
    def _mapped_tiers_exist(cls, mapping: ModelMap, info: ValidationInfo) -> ModelMap:
        _check_tiers(mapping.operations, info.data.get("tiers", {}))
        if twice := _repeated(method.lower() for method in mapping.methods):
            raise ValueError(f"the method {twice[0]!r} stands there twice; upper and lower case are the same")
        return mapping

    @property
    def targets(self) -> dict[str, str]:
        """The tier each category should use, for savings: [target_tiers], else [mapping.operations]."""
        return self.target_tiers or self.mapping.operations

    @field_validator("target_tiers", "tier_floors")
    @classmethod
    def _known_tiers(cls, wanted: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        _check_tiers(wanted, info.data.get("tiers", {}))
        return wanted

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of days, weeks and the schedule."""
        return ZoneInfo(self.timezone)

    @property
    def ordered_category_rules(self) -> tuple[CategoryRule, ...]:
        """The operator's rules, then the defaults; the first that matches wins."""
        return (*self.category_rules, *DEFAULT_CATEGORIES)


class _Environment(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="AGENTOPS_", frozen=True, extra="ignore")

    home: Path = Path("~/.agentops")
    config: Path | None = None
    openclaw_state_dirs: Annotated[tuple[str, ...], NoDecode] = ()
    litellm_base_url: str = ""
    litellm_api_key: SecretStr | None = None
    litellm_database_url: SecretStr | None = None
    since: date | None = None
    jira_base_url: str = ""
    jira_email: str = ""
    jira_api_token: SecretStr | None = None
    otlp_dir: Path | None = None
    discord_webhook_url: SecretStr | None = None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load_settings` passes in: the environment is an argument, never read behind the caller's back."""
        return (init_settings,)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything a run needs to know. Made by `load_settings`."""

    home: Path
    config: Config
    config_path: Path | None
    openclaw_state_dirs: tuple[StateDir, ...]
    litellm_base_url: str
    litellm_api_key: SecretStr | None
    litellm_database_url: SecretStr | None
    since: date | None
    jira_base_url: str
    jira_email: str
    """Set for Jira Cloud; a Data Center's token stands alone."""
    jira_api_token: SecretStr | None
    otlp_dir: Path | None
    """Where the OpenTelemetry collector's file exporter writes."""
    discord_webhook_url: SecretStr | None
    demo: bool
    as_of: datetime | None
    """Fixed "now" (naive UTC) of the bundled sample; None means the real now."""

    @property
    def warehouse_path(self) -> Path:
        """The private DuckDB file: only the pipeline opens it."""
        return self.home / "warehouse.duckdb"

    @cached_property
    def published_path(self) -> Path:
        """The read-only DuckDB file for people."""
        return self.config.publish_path or self.home / "agentops.duckdb"

    @property
    def has_litellm(self) -> bool:
        """Whether a LiteLLM source is configured."""
        return bool(self.litellm_base_url) or self.litellm_database_url is not None


def load_settings(environ: Mapping[str, str] | None = None, *, demo: bool | None = None) -> Settings:
    """Settings from `environ` (default: the process environment) and agentops.toml.

    With `demo` (default: AGENTOPS_DEMO=1) the bundled sample is the only source and nothing leaves the machine.
    Raises SettingsError with the setting's name and what to write.
    """
    env = dict(os.environ if environ is None else environ)
    if demo is None:
        demo = env.get("AGENTOPS_DEMO", "") == "1"
    values = _environment_values(env)
    try:
        parsed = _Environment(**values)
    except ValidationError as error:
        problem = error.errors()[0]
        raise SettingsError(f"AGENTOPS_{str(problem['loc'][0]).upper()}: {_said(problem)}") from error
    home = parsed.home.expanduser().absolute()
    if demo:
        from agentops_pipelines.demo.sample import demo_settings  # the sample is unpacked only when asked for

        return demo_settings(home=home / "demo")
    config_path = parsed.config.expanduser() if parsed.config else _default_config_path(home)
    return Settings(
        home=home,
        config=load_config(config_path),
        config_path=config_path,
        openclaw_state_dirs=_state_dirs(parsed.openclaw_state_dirs, env),
        litellm_base_url=parsed.litellm_base_url.rstrip("/"),
        litellm_api_key=parsed.litellm_api_key,
        litellm_database_url=parsed.litellm_database_url,
        since=parsed.since,
        jira_base_url=parsed.jira_base_url.rstrip("/"),
        jira_email=parsed.jira_email,
        jira_api_token=parsed.jira_api_token,
        otlp_dir=parsed.otlp_dir.expanduser().absolute() if parsed.otlp_dir else None,
        discord_webhook_url=parsed.discord_webhook_url,
        demo=False,
        as_of=None,
    )


def load_config(path: Path | None) -> Config:
    """agentops.toml, or all defaults without one. Raises SettingsError naming the file, the key and the problem."""
    if path is None:
        return Config()
    try:
        return Config.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise SettingsError(f"AGENTOPS_CONFIG={path}: {error.strerror}. Create the file or unset it.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from error
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(str(part) for part in problem["loc"])
        raise SettingsError(f"{path}: {key}: {_said(problem)}") from error


def _said(problem: Mapping[str, Any]) -> str:
    """What is wrong, without pydantic's word for our own errors."""
    return str(problem["msg"]).removeprefix("Value error, ")


def _environment_values(env: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in _Environment.model_fields:
        variable = f"AGENTOPS_{name.upper()}"
        value = env.get(variable, "")
        if name in SECRETS and not value and env.get(f"{variable}_FILE"):
            value = _secret_file(f"{variable}_FILE", Path(env[f"{variable}_FILE"]))
        if name == "openclaw_state_dirs":
            values[name] = tuple(part for part in value.split(os.pathsep) if part)
        elif value:
            values[name] = value
    return values


def _secret_file(variable: str, path: Path) -> str:
    try:
        return path.expanduser().read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(f"{variable}={path}: {error.strerror}") from error


def _default_config_path(home: Path) -> Path | None:
    path = home / "agentops.toml"
    return path if path.is_file() else None


def _state_dirs(parts: tuple[str, ...], env: Mapping[str, str]) -> tuple[StateDir, ...]:
    if parts:
        found = tuple(_state_dir(part) for part in parts)
        if twice := _repeated(state_dir.host for state_dir in found):
            raise SettingsError(
                f"AGENTOPS_OPENCLAW_STATE_DIRS={os.pathsep.join(parts)}: two directories have the same host "
                f"({', '.join(twice)}). Give each its own name, as in laptop=/one{os.pathsep}server=/two"
            )
        return found
    if env.get("OPENCLAW_STATE_DIR"):
        return (_state_dir(env["OPENCLAW_STATE_DIR"]),)
    default = Path("~/.openclaw").expanduser()
    return (StateDir(host="local", path=default),) if default.is_dir() else ()


def _state_dir(text: str) -> StateDir:
    host, equals, path = text.partition("=")
    if not equals or "/" in host:
        host, path = "local", text
    return StateDir(host=host or "local", path=Path(path).expanduser().absolute())
