"""The bundled sample as a source: state directories to read, LiteLLM's and Jira's answers, settings that fit them.

Belongs here: unpacking what the package holds and pointing the pipeline at it. Does not belong here: what the sample
tells (story.py) or how it is packed (build_sample.py). Nothing here opens a network connection.
"""

import hashlib
import os
import shutil
import sqlite3
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from functools import cache
from http import HTTPStatus
from pathlib import Path

import httpx
import orjson
import polars as pl
import zstandard

from agentops_pipelines.demo.board import PROJECT
from agentops_pipelines.demo.company import AGENTS, HOSTS
from agentops_pipelines.settings import Config, Settings, StateDir
from agentops_pipelines.sources.batches import Batch, Ledger, LedgerEntry
from agentops_pipelines.sources.jira.client import CHANGELOGS, SEARCH, JiraClient
from agentops_pipelines.sources.jira.reader import read_from
from agentops_pipelines.sources.litellm.api import READER, SOURCE
from agentops_pipelines.sources.litellm.dimensions import deployment_row, key_row, route_rows
from agentops_pipelines.sources.litellm.rows import spend_log_frame, spend_log_row
from agentops_pipelines.sources.schemas import LITELLM_DEPLOYMENTS, LITELLM_KEYS, LITELLM_ROUTES, LITELLM_SPEND_LOGS
from agentops_pipelines.warehouse import make_private

PACKED = Path(__file__).with_name("sample.tar.zst")
SPEND_LOGS = "litellm/spend_logs.jsonl"
KEYS = "litellm/key_list.json"
MODELS = "litellm/model_info.json"
ROUTES = "litellm/router_settings.json"
_ANSWERS = frozenset((SPEND_LOGS, KEYS, MODELS, ROUTES))
FIELDS = "jira/field.json"
STATUSES = "jira/status.json"
PRIORITIES = "jira/priority.json"
SEARCHED = "jira/search.json"
CHANGED = "jira/changelog.json"
_JIRA_ANSWERS = {
    "/rest/api/3/field": FIELDS,
    "/rest/api/3/status": STATUSES,
    "/rest/api/3/priority": PRIORITIES,
    SEARCH: SEARCHED,
    CHANGELOGS: CHANGED,
}
"""Address -> the packed file that is answered."""

AS_OF = datetime(2026, 11, 24, 8)  # noqa: DTZ001 - naive UTC throughout
"""The sample's "now" (UTC): Tuesday, 09:00 in Berlin, after two whole ISO weeks."""

LITELLM_SCOPE = "sample"
"""Stands where a proxy's base URL would: in the ledger and in ops.loads."""

JIRA_SCOPE = "sample"
"""The same for Jira."""

_DATABASE_SCRIPT = ".sqlite.sql"
_UNPACKING = "unpacking-"
_ABANDONED_AFTER_SECONDS = 3600


def demo_settings(*, home: Path) -> Settings:
    """Settings of a run on the sample, which is unpacked under `home`/sample unless it is there already.

    The hosts are atlas (OpenClaw 2026.6) and borealis (2026.9). Any number of processes may do this at once.
    """
    root = _unpacked(home)
    return Settings(
        home=home,
        config=_config(),
        config_path=None,
        openclaw_state_dirs=tuple(StateDir(host=host, path=root / host) for host in HOSTS),
        litellm_base_url="",
        litellm_api_key=None,
        litellm_database_url=None,
        since=None,
        jira_base_url="",
        jira_email="",
        jira_api_token=None,
        otlp_dir=None,
        discord_webhook_url=None,
        demo=True,
        as_of=AS_OF,
    )


def sample_litellm_batches(ledger: Ledger, *, observed_at: datetime) -> Iterator[Batch]:
    """What the sample's proxy has to say: one batch, or none when the ledger knows of it."""
    entry = ledger.get(LITELLM_SCOPE, SPEND_LOGS)
    if entry is not None and (entry.fingerprint, entry.reader) == (_version(), READER):
        return
    answers = {name: content for name, content, _ in _members(until=_ANSWERS)}
    logs = spend_log_frame(spend_log_row(orjson.loads(line)) for line in answers[SPEND_LOGS].splitlines())
    keys = [key_row(key, observed_at=observed_at) for key in orjson.loads(answers[KEYS])["keys"]]
    deployments = [deployment_row(model, observed_at=observed_at) for model in orjson.loads(answers[MODELS])["data"]]
    routes = route_rows(orjson.loads(answers[ROUTES]), observed_at=observed_at)
    yield Batch(
        tables={
            LITELLM_SPEND_LOGS: logs,
            LITELLM_KEYS: LITELLM_KEYS.frame(keys),
            LITELLM_DEPLOYMENTS: LITELLM_DEPLOYMENTS.frame(deployments),
            LITELLM_ROUTES: LITELLM_ROUTES.frame(routes),
        },
        ledger=[
            LedgerEntry(
                source=SOURCE,
                host=LITELLM_SCOPE,
                item=SPEND_LOGS,
                position=logs.height,
                fingerprint=_version(),
                reader=READER,
            )
        ],
        bytes_read=sum(map(len, answers.values())),
        newest_data_at=logs.select(pl.col("ended_at").max()).item(),
    )


def sample_jira_batches(settings: Settings, ledger: Ledger, *, until: datetime) -> Iterator[Batch]:
    """The sample's board, read by the client and the reader of any Jira Cloud: packed answers, no connection."""
    packed = {name: content for name, content, _ in _members(until=frozenset(_JIRA_ANSWERS.values()))}

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(HTTPStatus.OK, content=packed[_JIRA_ANSWERS[request.url.path]])

    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        client = JiraClient(http, base_url=f"http://{JIRA_SCOPE}", email="nobody", token="none", sleep=time.sleep)  # noqa: S106
        yield from read_from(client, config=settings.config.jira, ledger=ledger, until=until)


def _config() -> Config:
    """agentops.toml of the sample's company."""
    return Config.model_validate(
        {
            "timezone": "Europe/Berlin",
            "tiers": {tier: [tier] for tier in ("triage", "standard", "heavy")},
            "pools": {
                "gpt": ["triage-gpt-5.4-mini", "standard-gpt-5.4", "heavy-gpt-5.5"],
                "claude": ["foundry-claude-haiku-4-5", "foundry-claude-sonnet-4-6", "foundry-claude-opus-4-8"],
            },
            "lanes": {"assistant": "main"},
            "alerts": {"enabled": False},  # the sample never changes
            "jira": {"projects": [PROJECT], "agents": {f"5b1-{agent}": agent for agent in AGENTS}},
            "tickets": {"weekly_token_budgets": {"alec": 30_000_000, "main": 20_000_000}},
            "quiet_hours": {"costaff": {"from": "22:00", "to": "07:00"}},
            "poll_intervals": {"poll-tasks": 120, "fiducian": 60},
            "target_tiers": {"heartbeat poll": "triage", "task pickup": "triage", "routine work": "standard"},
            "price_aliases": {
                "triage": "openai/gpt-5.4-mini",
                "standard": "openai/gpt-5.4",
                "heavy": "openai/gpt-5.5",
            },
        }
    )


def _unpacked(home: Path) -> Path:
    """The sample's root directory. It appears there whole: made beside its place, then renamed."""
    shelf = home / "sample"
    target = shelf / _version()
    if target.is_dir():
        return target
    make_private(home)
    shelf.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=_UNPACKING, dir=shelf) as scratch:
        fresh = Path(scratch) / "sample"
        for name, content, changed_at in _members():
            _put(fresh / name, content, changed_at=changed_at)
        try:
            fresh.rename(target)
        except OSError:
            if not target.is_dir():  # else another process was faster
                raise
    _forget_others(home, shelf, keep=target)
    return target


def _put(path: Path, content: bytes, *, changed_at: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.name.endswith(_DATABASE_SCRIPT):
        path = path.with_suffix("")
        _make_database(path, content.decode())
    else:
        path.write_bytes(content)
    os.utime(path, (changed_at, changed_at))


def _make_database(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous = OFF")  # it is made anew if this process dies
        connection.create_function("zstd", 1, lambda text: zstandard.ZstdCompressor().compress(text.encode()))
        connection.executescript(script)


def _forget_others(home: Path, shelf: Path, *, keep: Path) -> None:
    """Drop samples of other versions, and first what was computed from them: two samples must never add up."""
    others = [path for path in shelf.iterdir() if path != keep and not _is_in_the_making(path)]
    if not others:
        return
    for name in ("warehouse.duckdb", "warehouse.duckdb.wal", "agentops.duckdb"):
        (home / name).unlink(missing_ok=True)
    for path in others:
        shutil.rmtree(path, ignore_errors=True)


def _is_in_the_making(path: Path) -> bool:
    """Whether another process is just unpacking here; a killed one leaves its directory behind."""
    if not path.name.startswith(_UNPACKING):
        return False
    try:
        return time.time() - path.stat().st_mtime < _ABANDONED_AFTER_SECONDS
    except FileNotFoundError:
        return True


def _members(*, until: frozenset[str] = frozenset()) -> Iterator[tuple[str, bytes, int]]:
    """Name, content and time (epoch seconds) of each packed file; stops once all of `until` were seen."""
    missing = set(until)
    with (
        PACKED.open("rb") as packed,
        zstandard.ZstdDecompressor().stream_reader(packed) as stream,
        tarfile.open(fileobj=stream, mode="r|") as archive,
    ):
        for member in archive:
            file = archive.extractfile(member)
            if file is None:
                continue
            yield member.name, file.read(), int(member.mtime)
            missing.discard(member.name)
            if until and not missing:
                return


@cache
def _version() -> str:
    """Names the packed sample by its content."""
    return hashlib.sha256(PACKED.read_bytes()).hexdigest()[:12]
