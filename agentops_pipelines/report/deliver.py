"""Posts the weekly report to Discord: one message a week, whatever dies in between. Short messages go the same way.

Belongs here: the delivery ledger (`deliveries.sqlite`), the requests of a delivery, and the decision when to try
again. Does not belong here: what a message says (render.py) or when it is due (defs/, alerts.py).

A short message (Postbox) is one POST. The delivery of a report is a headline (POST, whose reply names the message) and
then the details (PATCH of that message). The ledger is written durably before and after each step: planned -> posting
-> posted -> complete. A POST is tried again only when it provably was not accepted: no connection was made, or Discord
said 429 or another 4xx. Whatever else happens to it, a death included, leaves it `uncertain`: it is never repeated
until an operator says so (`resend`). A PATCH may be repeated at will. An OS lock lets one process deliver at a time.

The webhook URL is a secret: it is in no log, no exception and not in the ledger.
"""

import fcntl
import json
import logging
import math
import re
import sqlite3
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import requests
from discord_webhook import DiscordWebhook
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from agentops_pipelines.report import words
from agentops_pipelines.report.analyse import Report
from agentops_pipelines.report.build import build_report
from agentops_pipelines.report.chart import chart_png
from agentops_pipelines.report.fetch import UnknownWindow
from agentops_pipelines.report.files import chart_name
from agentops_pipelines.report.render import discord_content, discord_embed
from agentops_pipelines.report.text import usd
from agentops_pipelines.warehouse import make_private

TIMEOUT = (5.0, 30.0)
"""Seconds to connect, and to wait for each part of an answer."""

RETRY_SECONDS = (1.0, 5.0)
"""Pauses before the second and third try of what may be tried again."""

MAX_WAIT_SECONDS = 60.0
"""Longest pause Discord may ask for; beyond it the next run tries."""

LOCK_SECONDS = 300.0
"""How long to wait for another process that is delivering."""

WEEKLY = "weekly/"
"""Beginning of the ledger keys of reports."""

NO_MENTIONS: dict[str, list[str]] = {"parse": []}

LedgerState = Literal["planned", "posting", "posted", "complete", "uncertain", "failed"]

_WEBHOOK = re.compile(
    r"(?:https://(?:(?:canary|ptb)\.)?(?:discord|discordapp)\.com|(?P<loopback>http://127\.0\.0\.1:\d+))"
    r"/api(?:/v\d+)?/webhooks/(?P<id>\d+)/(?P<token>[A-Za-z0-9_-]+)/?(?:\?thread_id=(?P<thread>\d+))?"
)
_MESSAGE_DELETED = 10008
_NO_URL = "no Discord webhook URL: write it like https://discord.com/api/webhooks/<id>/<token>"


class NotPostable(Exception):
    """This window is no complete ISO week: only such a week is posted, once."""


class UnknownDelivery(Exception):
    """The ledger has no delivery of this key; the message names those it has."""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What became of one delivery in one call.

    `sent`: the message is out and this call did something for it; `already_sent`: it was complete before; `uncertain`:
    it may or may not be out and only an operator may repeat it; `failed`: it is not out, the next run tries again.
    `problem` says what a person should know, also of a message that is out.
    """

    key: str
    state: Literal["sent", "already_sent", "uncertain", "failed"]
    message_id: str | None
    problem: str | None


@dataclass(frozen=True, kw_only=True)
class LedgerEntry:
    """One row of the ledger. `totals`: the posted figures, or a short message's text; `updated_at` is naive UTC."""

    key: str
    state: LedgerState
    message_id: str | None = None
    problem: str | None = None
    totals: Mapping[str, Any] = field(default_factory=dict)
    updated_at: datetime | None = None


def delivery_key(window_id: str) -> str:
    """The key of a week's delivery: `weekly/2026-W47`."""
    return f"{WEEKLY}{window_id}"


def post_weekly(report: Report, *, webhook_url: str, deliveries_path: Path) -> Delivery:
    """Deliver the report of a complete ISO week unless that has been done. Safe to call again after anything.

    Raises NotPostable for any other window. A problem with Discord is no exception but in the Delivery.
    """
    window = report.window
    if window.kind != "iso_week" or not window.is_complete:
        raise NotPostable(f"{window.label} is no complete week: only complete ISO weeks are posted.")
    key = delivery_key(window.window_id)
    with _delivery_lock(deliveries_path) as is_ours:
        if not is_ours:
            return Delivery(key=key, state="failed", message_id=None, problem="another process is delivering")
        with _Ledger.opened(deliveries_path) as ledger, _secret_stays_out_of_logs():
            return _deliver(report, key, ledger, webhook_url)


def complete_unfinished(published_path: Path, *, webhook_url: str, deliveries_path: Path) -> list[Delivery]:
    """Add the details to weeks whose process died, or found Discord away, after the headline. Posts no message."""
    finished = []
    for entry in deliveries(deliveries_path):
        if entry.state != "posted" or not entry.key.startswith(WEEKLY):
            continue
        with suppress(UnknownWindow):  # the file was restored to a day before that week
            report = build_report(published_path, window_id=entry.key.removeprefix(WEEKLY))
            finished.append(post_weekly(report, webhook_url=webhook_url, deliveries_path=deliveries_path))
    return finished


def resend(key: str, *, deliveries_path: Path) -> None:
    """An operator says: post this again, even if it may be in the channel. The next `post_weekly` does.

    Raises UnknownDelivery, and TimeoutError while another process is delivering.
    """
    with _delivery_lock(deliveries_path) as is_ours:
        if not is_ours:
            raise TimeoutError("another process is delivering")
        with _Ledger.opened(deliveries_path) as ledger:
            entry = ledger.entry(key)
            if entry is None:
                known = ", ".join(other.key for other in ledger.entries()) or "none"
                raise UnknownDelivery(f"There is no delivery {key!r}. Known: {known}.")
            ledger.record(entry, "planned", message_id=None, problem="to be sent again, an operator decided")


def deliveries(deliveries_path: Path) -> list[LedgerEntry]:
    """All deliveries, the newest week first; none before the first one."""
    if not deliveries_path.exists():
        return []
    with _Ledger.opened(deliveries_path) as ledger:
        return ledger.entries()


@dataclass(frozen=True, kw_only=True)
class Postbox:
    """The right to deliver short messages: the lock is held and the ledger is open."""

    ledger: "_Ledger"

    @property
    def connection(self) -> sqlite3.Connection:
        """The file of the ledger, for what must be remembered of messages beside it."""
        return self.ledger.connection

    def entry(self, key: str) -> LedgerEntry | None:
        """What the ledger knows of a message. One whose process died while it was posting is uncertain."""
        entry = self.ledger.entry(key)
        if entry is not None and entry.state == "posting":
            return self.ledger.record(entry, "uncertain", problem="a process ended while it was posting")
        return entry

    def post(self, key: str, content: str, *, webhook_url: str) -> Delivery:
        """Post one message unless that was done, or may have been. Its text is kept for `post_again`."""
        entry = self.entry(key) or LedgerEntry(key=key, state="planned")
        if entry.state in ("posted", "complete"):
            return _delivery(self.ledger.record(entry, "complete"), state="already_sent", problem=None)
        if entry.state != "uncertain":
            entry = self.ledger.record(entry, "planned", totals={"content": content})
            webhook = _Webhook.parsed(webhook_url)
            if webhook is None:
                entry = self.ledger.record(entry, "failed", problem=_NO_URL)
            else:
                entry = _post(content, entry, self.ledger, webhook)
        if entry.state == "posted":  # there are no details to add
            entry = self.ledger.record(entry, "complete")
        states: dict[LedgerState, Literal["sent", "uncertain"]] = {"complete": "sent", "uncertain": "uncertain"}
        return _delivery(entry, state=states.get(entry.state, "failed"), problem=entry.problem)


@contextmanager
def postbox(deliveries_path: Path) -> Iterator[Postbox | None]:
    """The postbox of a ledger; None while another process keeps delivering."""
    with _delivery_lock(deliveries_path) as is_ours:
        if not is_ours:
            yield None
            return
        with _Ledger.opened(deliveries_path) as ledger, _secret_stays_out_of_logs():
            yield Postbox(ledger=ledger)


def post_again(key: str, *, webhook_url: str, deliveries_path: Path) -> Delivery:
    """Post the text of a message that `resend` has released."""
    with postbox(deliveries_path) as box:
        if box is None:
            return Delivery(key=key, state="failed", message_id=None, problem="another process is delivering")
        entry = box.entry(key)
        if entry is None or "content" not in entry.totals:
            return Delivery(key=key, state="failed", message_id=None, problem="its text is not known")
        return box.post(key, str(entry.totals["content"]), webhook_url=webhook_url)


def _deliver(report: Report, key: str, ledger: "_Ledger", webhook_url: str) -> Delivery:
    entry = ledger.entry(key) or LedgerEntry(key=key, state="planned")
    if entry.state == "complete":
        return _delivery(entry, state="already_sent", problem=_changed_since(entry, report))
    if entry.state == "posting":
        # We hold the lock, so whoever wrote this died between asking Discord and hearing the answer.
        entry = ledger.record(entry, "uncertain", problem="a process ended while it was posting")
    if entry.state == "uncertain":
        return _delivery(entry, state="uncertain", problem=entry.problem)
    webhook = _Webhook.parsed(webhook_url)
    if webhook is None:
        entry = ledger.record(entry, "posted" if entry.state == "posted" else "failed", problem=_NO_URL)
    else:
        if entry.state != "posted":
            planned = ledger.record(entry, "planned", totals=_totals(report))
            entry = _post(discord_content(report), planned, ledger, webhook)
        if entry.state == "posted":
            entry = _complete(report, entry, ledger, webhook)
    if entry.state == "uncertain":
        return _delivery(entry, state="uncertain", problem=entry.problem)
    is_out = entry.state in ("posted", "complete")
    return _delivery(entry, state="sent" if is_out else "failed", problem=entry.problem)


def _delivery(
    entry: LedgerEntry, *, state: Literal["sent", "already_sent", "uncertain", "failed"], problem: str | None
) -> Delivery:
    return Delivery(key=entry.key, state=state, message_id=entry.message_id, problem=problem)


def _post(content: str, entry: LedgerEntry, ledger: "_Ledger", webhook: "_Webhook") -> LedgerEntry:
    """Send a message. Repeats only what provably did not arrive."""
    for pause in (*RETRY_SECONDS, None):
        ledger.record(entry, "posting")
        outcome = _post_headline(webhook, content)
        if outcome.message_id:
            return ledger.record(entry, "posted", message_id=outcome.message_id)
        if outcome.is_uncertain:
            return ledger.record(entry, "uncertain", problem=outcome.problem)
        wait = outcome.wait(pause)
        if wait is None:
            return ledger.record(entry, "failed", problem=outcome.problem)
        ledger.record(entry, "planned", problem=outcome.problem)
        time.sleep(wait)
    raise AssertionError("the last pause is None")


def _complete(report: Report, entry: LedgerEntry, ledger: "_Ledger", webhook: "_Webhook") -> LedgerEntry:
    """Add embed and chart to the posted headline; what fails here is tried again by the next call."""
    chart = chart_png(report)
    for pause in (*RETRY_SECONDS, None):
        outcome = _patch_details(webhook, str(entry.message_id), report, chart)
        if outcome.message_id:
            return ledger.record(entry, "complete", totals=_totals(report))
        if outcome.is_gone:
            return ledger.record(entry, "complete", problem=outcome.problem)
        wait = outcome.wait(pause)
        if wait is None:
            return ledger.record(entry, "posted", problem=f"posted without its details: {outcome.problem}")
        time.sleep(wait)
    raise AssertionError("the last pause is None")


# Discord


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    """What one request led to; exactly one of: a message id, uncertainty, or a refusal (that may pass with time)."""

    message_id: str | None = None
    is_uncertain: bool = False
    may_repeat: bool = False
    is_gone: bool = False
    """The message that was to be changed is no longer there."""
    retry_after: float | None = None
    problem: str = ""

    def wait(self, pause: float | None) -> float | None:
        """Seconds until the next try, where `pause` is ours; None when there is no next try."""
        if pause is None or not self.may_repeat or (self.retry_after or 0) > MAX_WAIT_SECONDS:
            return None
        return pause if self.retry_after is None else self.retry_after


@dataclass(frozen=True, kw_only=True)
class _Webhook:
    """A webhook's address at a fixed API version."""

    url: str = field(repr=False)
    thread_id: str | None

    @classmethod
    def parsed(cls, text: str) -> "_Webhook | None":
        """None for anything but a Discord webhook URL (or one on this machine, for tests)."""
        match = _WEBHOOK.fullmatch(text.strip())
        if match is None:
            return None
        origin = match["loopback"] or "https://discord.com"
        return cls(url=f"{origin}/api/v10/webhooks/{match['id']}/{match['token']}", thread_id=match["thread"])


def _post_headline(webhook: _Webhook, content: str) -> _Outcome:
    message = DiscordWebhook(
        url=webhook.url,
        content=content,
        allowed_mentions=NO_MENTIONS,
        thread_id=webhook.thread_id,
        timeout=TIMEOUT,
        wait=True,
    )
    try:
        response = message.api_post_request()
    except Exception as error:  # whatever it is: its text holds the URL, so only its kind goes on
        if _was_not_sent(error):
            return _Outcome(may_repeat=True, problem=f"Discord could not be reached ({type(error).__name__})")
        return _Outcome(is_uncertain=True, problem=f"no answer to the post ({type(error).__name__})")
    return _read_answer(response)


def _patch_details(webhook: _Webhook, message_id: str, report: Report, chart: bytes) -> _Outcome:
    name = chart_name(report.window.window_id)
    payload = {
        "content": discord_content(report),
        "embeds": [{**discord_embed(report), "image": {"url": f"attachment://{name}"}}],
        "allowed_mentions": NO_MENTIONS,
        "attachments": [{"id": 0, "filename": name, "description": words.chart_alt(report)[:1000]}],
    }
    try:
        response = requests.patch(
            f"{webhook.url}/messages/{message_id}",
            params={"thread_id": webhook.thread_id} if webhook.thread_id else None,
            files={"payload_json": (None, json.dumps(payload)), "files[0]": (name, chart, "image/png")},
            timeout=TIMEOUT,
            allow_redirects=False,
        )
    except Exception as error:  # see _post_headline
        return _Outcome(may_repeat=True, problem=f"Discord could not be reached ({type(error).__name__})")
    outcome = _read_answer(response)
    if outcome.is_uncertain:
        return _Outcome(may_repeat=True, problem=outcome.problem)
    return outcome


def _read_answer(response: requests.Response) -> _Outcome:
    status, answer = response.status_code, _json(response)
    if status == 200 and not response.history and str(answer.get("id", "")).isdigit():
        return _Outcome(message_id=str(answer["id"]))
    if status == 429:
        wait = _retry_after(response, answer)
        return _Outcome(may_repeat=True, retry_after=wait, problem=f"Discord asks to wait {wait:g} s")
    if 400 <= status < 500 and status != 408 and not response.history:
        code = answer.get("code")
        problem = _refusal(status, code if isinstance(code, int) else 0)
        return _Outcome(is_gone=code == _MESSAGE_DELETED, problem=problem)
    return _Outcome(is_uncertain=True, problem=f"unclear answer (HTTP {status})")


def _refusal(status: int, code: int) -> str:
    if code == _MESSAGE_DELETED:
        return "the message was deleted in Discord"
    if status in (401, 403, 404):
        return f"Discord does not accept the webhook (HTTP {status}): check AGENTOPS_DISCORD_WEBHOOK_URL"
    return f"Discord refused the message (HTTP {status}, code {code})"


def _json(response: requests.Response) -> Mapping[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _retry_after(response: requests.Response, answer: Mapping[str, Any]) -> float:
    """Seconds to wait: from the answer, else the header (Cloudflare sends no JSON), else a guess."""
    for value in (answer.get("retry_after"), response.headers.get("Retry-After")):
        try:
            seconds = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            continue
        if math.isfinite(seconds) and seconds >= 0:
            return seconds
    return RETRY_SECONDS[-1]


def _was_not_sent(error: BaseException) -> bool:
    """Whether no connection was made that the request could have gone through."""
    pending, seen = [error], set()
    while pending:
        cause = pending.pop()
        if isinstance(cause, NewConnectionError | ConnectTimeoutError | ssl.SSLCertVerificationError):
            return True
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        linked = (getattr(cause, "reason", None), getattr(cause, "original_error", None), cause.__cause__, *cause.args)
        pending += [link for link in linked if isinstance(link, BaseException)]
    return False


@contextmanager
def _secret_stays_out_of_logs() -> Iterator[None]:
    """urllib3 logs request paths at DEBUG, and a webhook's path is its password."""
    logger = logging.getLogger("urllib3.connectionpool")

    def hides_webhook(record: logging.LogRecord) -> bool:
        return "/webhooks/" not in record.getMessage()

    logger.addFilter(hides_webhook)
    try:
        yield
    finally:
        logger.removeFilter(hides_webhook)


# Ledger


@contextmanager
def _delivery_lock(deliveries_path: Path) -> Iterator[bool]:
    """Whether this process may deliver now. The kernel frees the lock on any death."""
    make_private(deliveries_path.parent)
    give_up = time.monotonic() + LOCK_SECONDS
    with deliveries_path.with_suffix(".lock").open("a", encoding="utf-8") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > give_up:
                    yield False
                    return
                time.sleep(0.05)
            else:
                yield True
                return


@dataclass(frozen=True, kw_only=True)
class _Ledger:
    """The deliveries table, one durable write a step."""

    connection: sqlite3.Connection

    @classmethod
    @contextmanager
    def opened(cls, path: Path) -> Iterator["_Ledger"]:
        """The ledger, made if there is none."""
        with closing(sqlite3.connect(path, timeout=30.0, isolation_level=None)) as connection:
            # EXTRA is FULL plus syncing the directory: a commit survives a power cut, also the end of its journal.
            connection.execute("PRAGMA synchronous = EXTRA")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS deliveries (key TEXT PRIMARY KEY, state TEXT NOT NULL, message_id TEXT, "
                "problem TEXT, totals TEXT NOT NULL, updated_at TEXT NOT NULL)"
            )
            yield cls(connection=connection)

    def entry(self, key: str) -> LedgerEntry | None:
        """One delivery."""
        return next((entry for entry in self.entries() if entry.key == key), None)

    def entries(self) -> list[LedgerEntry]:
        """All deliveries, the newest week first."""
        rows = self.connection.execute(
            "SELECT key, state, message_id, problem, totals, updated_at FROM deliveries ORDER BY key DESC"
        ).fetchall()
        return [
            LedgerEntry(
                key=key,
                state=state,
                message_id=message_id,
                problem=problem,
                totals=json.loads(totals),
                updated_at=datetime.fromisoformat(updated_at),
            )
            for key, state, message_id, problem, totals, updated_at in rows
        ]

    def record(self, entry: LedgerEntry, state: LedgerState, **changes: Any) -> LedgerEntry:
        """Write the next step of a delivery. `message_id` and `totals` stay unless given, a `problem` does not."""
        now = datetime.now(UTC).replace(tzinfo=None)
        entry = replace(entry, **{"problem": None, **changes, "state": state, "updated_at": now})
        self.connection.execute(
            "INSERT OR REPLACE INTO deliveries (key, state, message_id, problem, totals, updated_at) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (entry.key, state, entry.message_id, entry.problem, json.dumps(entry.totals), now.isoformat(sep=" ")),
        )
        return entry


def _totals(report: Report) -> dict[str, Any]:
    """The figures that a posted message shows, as text where they are money."""
    money = report.money
    return {
        "rank_basis": report.basis.rank,
        "cost_basis": report.basis.configured,
        "cost_usd": None if money.cost is None else str(money.cost),
        "list_usd": None if money.list_price is None else str(money.list_price),
        "shown": usd(money.rank),
        "sessions": report.activity.sessions,
        "calls": report.activity.calls,
        "total_tokens": report.tokens.total_tokens,
    }


def _changed_since(entry: LedgerEntry, report: Report) -> str | None:
    """Whether late data changed what the message says; another kind of money is no change of it."""
    before, now = entry.totals, _totals(report)
    # What was posted before the ledger kept `cost_basis` is taken to be of the same.
    is_same_money = before.get("rank_basis") == now["rank_basis"] and (
        now["rank_basis"] == "list" or before.get("cost_basis", now["cost_basis"]) == now["cost_basis"]
    )
    if not is_same_money or before.get("shown") == now["shown"]:
        return None
    return f"posted with {before.get('shown')}; with late data it is {now['shown']}"
