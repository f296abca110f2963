"""Checks everything a run depends on, and says what to do about it. Changes nothing and posts nothing.

Belongs here: one short check per thing that can be wrong. Does not belong here: printing (cli.py).

LiteLLM is asked for its keys and, by HTTP, for one second of spend logs; Jira for its fields and one ticket; a Discord
webhook for its name. A key, a token, a webhook URL or a password never enters a finding.
"""

import fcntl
import os
import platform
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import duckdb
import httpx

from agentops_pipelines.report.text import many
from agentops_pipelines.settings import Settings, SettingsError, StateDir, load_settings
from agentops_pipelines.sources.batches import Ledger, SourceError
from agentops_pipelines.sources.jira.client import JiraClient
from agentops_pipelines.sources.jira.reader import check_jira, no_projects
from agentops_pipelines.sources.litellm.client import ProxyClient, Refused
from agentops_pipelines.sources.openclaw.files import DATABASE, SETTING, check_state_dir
from agentops_pipelines.sources.otlp.reader import check_directory, count_files
from agentops_pipelines.sources.privacy import shown_url
from agentops_pipelines.sources.schemas import LITELLM_KEYS
from agentops_pipelines.warehouse import WarehouseError, read_published

Status = Literal["ok", "warn", "fail"]

LOW_DISK_BYTES = 2 * 1024**3
OLD_PUBLICATION = timedelta(days=8)
_TIMEOUT = httpx.Timeout(10.0)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one check found. `remedy` says what to do, where there is something to do."""

    status: Status
    subject: str
    detail: str
    remedy: str = ""


def examine(*, demo: bool = False) -> Iterator[Finding]:
    """All findings, as the checks are made."""
    yield _versions()
    try:
        settings = load_settings(demo=demo)
    except SettingsError as error:
        yield Finding(status="fail", subject="settings", detail=str(error), remedy="Correct it, then run this again.")
        return
    yield _settings_file(settings)
    yield _time_zone(settings)
    yield from _home(settings)
    yield from _sources(settings)
    yield _published(settings)
    yield _discord(settings)


def _versions() -> Finding:
    detail = f"Python {platform.python_version()}, DuckDB {duckdb.__version__}"
    return Finding(status="ok", subject="versions", detail=detail)


def _settings_file(settings: Settings) -> Finding:
    if settings.config_path is None:
        where = "the sample's own" if settings.demo else f"no agentops.toml in {settings.home}, so all defaults"
        return Finding(status="ok", subject="settings", detail=where)
    return Finding(status="ok", subject="settings", detail=f"{settings.config_path}")


def _time_zone(settings: Settings) -> Finding:
    now = datetime.now(settings.config.zone)
    return Finding(
        status="ok",
        subject="time zone",
        detail=f"{settings.config.timezone}: it is {now:%A %H:%M}; days and weeks begin at its midnight",
        remedy='For another one set timezone = "Europe/Berlin" in agentops.toml.' if now.tzname() == "UTC" else "",
    )


def _home(settings: Settings) -> Iterator[Finding]:
    """The directory that holds everything: whether it can be written, is private, and has room."""
    home = settings.home
    existing = next(path for path in (home, *home.parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        yield Finding(
            status="fail",
            subject="home",
            detail=f"AGENTOPS_HOME={home}: {existing} cannot be written",
            remedy="Give this user the directory, or set AGENTOPS_HOME to another one.",
        )
        return
    if existing != home:
        yield Finding(status="ok", subject="home", detail=f"{home} will be made by the first run")
    elif home.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield Finding(
            status="warn",
            subject="home",
            detail=f"{home} can be read by others",
            remedy=f"chmod 700 {home}; publish_path in agentops.toml puts the published file where others may read.",
        )
    else:
        yield Finding(status="ok", subject="home", detail=f"{home}, private")
    free = shutil.disk_usage(existing).free
    yield Finding(
        status="ok" if free >= LOW_DISK_BYTES else "warn",
        subject="disk",
        detail=f"{free / 1024**3:.1f} GiB free",
        remedy="" if free >= LOW_DISK_BYTES else "Nine copies of the warehouse are kept: two in use, seven days.",
    )
    if (home / "writer.lock").exists():
        yield _lock(home / "writer.lock")


def _lock(path: Path) -> Finding:
    with path.open("a+", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            return Finding(status="ok", subject="lock", detail=f"a run is going on: {handle.read() or 'just begun'}")
    return Finding(status="ok", subject="lock", detail="free")


def _sources(settings: Settings) -> Iterator[Finding]:
    if not settings.openclaw_state_dirs and not settings.has_litellm:
        yield Finding(
            status="fail",
            subject="sources",
            detail="nothing is configured",
            remedy="Set AGENTOPS_OPENCLAW_STATE_DIRS=/home/me/.openclaw; for LiteLLM, AGENTOPS_LITELLM_BASE_URL and "
            "AGENTOPS_LITELLM_API_KEY.",
        )
        return
    for state_dir in settings.openclaw_state_dirs:
        yield _from_source(f"OpenClaw {state_dir.host}", lambda state_dir=state_dir: _state_dir(state_dir))
    if not settings.openclaw_state_dirs:
        yield Finding(
            status="warn",
            subject="OpenClaw",
            detail="no state directory: nothing will be known of sessions, only of keys",
            remedy="Set AGENTOPS_OPENCLAW_STATE_DIRS=/home/me/.openclaw",
        )
    if settings.demo:
        return
    if settings.litellm_database_url is not None:
        yield _from_source("LiteLLM database", lambda: _litellm_database(settings))
    if settings.litellm_base_url:
        yield _from_source("LiteLLM", lambda: _litellm(settings))
    if settings.jira_base_url:
        yield _from_source("Jira", lambda: _jira(settings))
    if settings.otlp_dir is not None:
        yield _spans(settings.otlp_dir)
    if not settings.has_litellm:
        yield Finding(
            status="warn",
            subject="LiteLLM",
            detail="not configured: costs are OpenClaw's own estimates",
            remedy="Set AGENTOPS_LITELLM_BASE_URL=http://localhost:4000 and AGENTOPS_LITELLM_API_KEY=sk-...",
        )


def _from_source(subject: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(status="ok", subject=subject, detail=check())
    except SourceError as error:
        return _failure(subject, error)


def _failure(subject: str, error: SourceError) -> Finding:
    return Finding(
        status="fail",
        subject=subject,
        detail=f"{error.setting}={error.value}: {error.problem}",
        remedy=error.remedy,
    )


def _state_dir(state_dir: StateDir) -> str:
    """What lies there, counted by name; nothing is opened."""
    check_state_dir(state_dir)
    agents = [path for path in (state_dir.path / "agents").iterdir() if path.is_dir()]
    transcripts = [path for agent in agents for path in agent.glob("sessions/*.jsonl*") if _is_transcript(path.name)]
    databases = [path for agent in agents for path in agent.glob(f"agent/{DATABASE}")]
    unreadable = [path for path in (*agents, *transcripts, *databases) if not os.access(path, os.R_OK)]
    if unreadable:
        raise SourceError(
            setting=SETTING,
            value=str(state_dir.path),
            problem=f"{many(len(unreadable), 'file')} cannot be read, such as {unreadable[0]}",
            remedy="Give this user the right to read them; nothing is ever written there.",
        )
    eras = [*(["files"] if transcripts else []), *(["SQLite (2026.7 and later)"] if databases else [])]
    return (
        f"{state_dir.path}: {many(len(agents), 'agent')}, {many(len(transcripts), 'transcript file')}, "
        f"{many(len(databases), 'database')}; sessions are in {' and '.join(eras) or 'nothing yet'}"
    )


def _is_transcript(name: str) -> bool:
    return ".trajectory." not in name and ".checkpoint." not in name and ".bak" not in name


def _litellm(settings: Settings) -> str:
    key = settings.litellm_api_key
    if key is None:
        raise SourceError(
            setting="AGENTOPS_LITELLM_API_KEY",
            value="",
            problem="no key is set",
            remedy="Set the proxy's master key, or a virtual key of a proxy admin.",
        )
    now = datetime.now(UTC)
    window = {"start_date": f"{now:%Y-%m-%d %H:%M:%S}", "end_date": f"{now:%Y-%m-%d %H:%M:%S}", "page_size": 1}
    with httpx.Client(timeout=_TIMEOUT) as http:
        proxy = ProxyClient(
            http, base_url=settings.litellm_base_url, api_key=key.get_secret_value(), sleep=lambda seconds: None
        )
        try:
            proxy.get("/spend/logs/v2", window)
            keys = proxy.get("/key/list", {"size": 1})
        except Refused as refused:
            raise refused.error from refused
    count = keys.get("total_count", "unknown")
    return f"{shown_url(settings.litellm_base_url)}: the key may read spend logs and keys ({count} keys)"


def _litellm_database(settings: Settings) -> str:
    """Connects and reads the keys: between midnight and midnight there are no spend logs."""
    from agentops_pipelines.sources.litellm.postgres import read_postgres  # its driver imports pandas: 0.9 s

    assert settings.litellm_database_url is not None
    midnight = datetime.now(UTC).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
    batches = read_postgres(
        database_url=settings.litellm_database_url.get_secret_value(),
        ledger=Ledger(source="litellm"),
        since=midnight,
        until=midnight,
    )
    keys = sum(batch.tables[LITELLM_KEYS].height for batch in batches if LITELLM_KEYS in batch.tables)
    return f"it can be read ({keys} keys)"


def _jira(settings: Settings) -> str:
    config, token = settings.config.jira, settings.jira_api_token
    if not config.projects:
        raise no_projects()
    with httpx.Client(timeout=_TIMEOUT) as http:
        client = JiraClient(
            http,
            base_url=settings.jira_base_url,
            email=settings.jira_email,
            token="" if token is None else token.get_secret_value(),
            sleep=lambda seconds: None,
        )
        fields = check_jira(client, config)
    missing = [name for name, field in (("points", fields.points), ("method", fields.method)) if not field]
    return (
        f"{shown_url(settings.jira_base_url)} ({'Cloud' if client.is_cloud else 'Data Center'}): the account may read "
        f"{', '.join(config.projects)}; points in {fields.points or 'no field'}, "
        f"method in {fields.method or 'no field'}"
        + (f". Name the fields under [jira] in agentops.toml: {', '.join(missing)}" if missing else "")
    )


def _spans(directory: Path) -> Finding:
    """What lies there, counted by name; nothing is opened."""
    try:
        check_directory(directory)
    except SourceError as error:
        return _failure("OpenTelemetry", error)
    files = count_files(directory)
    return Finding(
        status="ok" if files else "warn",
        subject="OpenTelemetry",
        detail=f"{directory}: {many(files, 'file')} of spans",
        remedy="" if files else "Point the collector's file exporter there (format: json, path: .../spans.jsonl).",
    )


def _published(settings: Settings) -> Finding:
    command = "agentops run --demo" if settings.demo else "agentops run"
    if not settings.published_path.exists():
        return Finding(status="ok", subject="published file", detail="none yet", remedy=f"{command} makes it.")
    try:
        with read_published(settings.published_path) as connection:
            as_of = connection.execute("SELECT as_of FROM conf.run").fetchall()[0][0]
    except (WarehouseError, duckdb.Error):
        return Finding(
            status="fail",
            subject="published file",
            detail=f"{settings.published_path} cannot be read",
            remedy=f"{command} publishes it anew.",
        )
    age = datetime.now(UTC).replace(tzinfo=None) - as_of
    old = not settings.demo and age > OLD_PUBLICATION
    return Finding(
        status="warn" if old else "ok",
        subject="published file",
        detail=f"{settings.published_path}, as of {as_of:%Y-%m-%d %H:%M} UTC",
        remedy="No run for over a week: keep `agentops dev` running, or call `agentops run` from cron." if old else "",
    )


def _discord(settings: Settings) -> Finding:
    url = settings.discord_webhook_url
    if url is None:
        return Finding(
            status="ok", subject="Discord", detail="AGENTOPS_DISCORD_WEBHOOK_URL is not set: nothing is posted"
        )
    remedy = "Copy the URL again: channel settings, Integrations, Webhooks, Copy URL."
    try:
        answer = httpx.get(url.get_secret_value(), timeout=_TIMEOUT, follow_redirects=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        # The error's text may hold the URL, which is the secret.
        return Finding(
            status="fail",
            subject="Discord",
            detail=f"no answer from the webhook ({type(error).__name__})",
            remedy=remedy,
        )
    if answer.status_code != httpx.codes.OK:
        return Finding(
            status="fail", subject="Discord", detail=f"the webhook answers HTTP {answer.status_code}", remedy=remedy
        )
    return Finding(status="ok", subject="Discord", detail="the webhook answers; nothing was posted")
