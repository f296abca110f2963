"""Tells alerts in Discord: when one begins, gets worse or is over, each once, and not in quiet hours.

Belongs here: what was told (table `alerts` in deliveries.sqlite, beside the ledger), and what is to be told next. Does
not belong here: whether an alert holds (sql/mart/alerts.sql), its sentence (alert_words.py), the request (deliver.py).

An incident begins when its alert is first seen and is over when it was not seen for `settle_hours`. What changes in
quiet hours waits and comes in one message after them. A message is written down, with what it tells, before it is
posted: after a death in between, what may have arrived counts as told and what cannot have arrived is told again.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from agentops_pipelines.report.alert_words import Alert
from agentops_pipelines.report.deliver import Postbox, postbox
from agentops_pipelines.report.render import alert_sentence, discord_alerts
from agentops_pipelines.settings import Config, QuietHours
from agentops_pipelines.warehouse import read_published

RUN_FAILED = "run_failed"
"""The one kind that is an event: it is never over."""

PREFIX = "alerts/"
"""Beginning of the ledger keys of messages."""

_TABLE = """
CREATE TABLE IF NOT EXISTS alerts (
  id INTEGER PRIMARY KEY, kind TEXT NOT NULL, subject TEXT NOT NULL, severity TEXT NOT NULL, sentence TEXT NOT NULL,
  opened_at TEXT NOT NULL, absent_since TEXT, closed_at TEXT,
  told_severity TEXT, told_over INTEGER NOT NULL DEFAULT 0,
  message_key TEXT, message_severity TEXT, message_over INTEGER
)
"""


@dataclass(frozen=True, kw_only=True)
class Told:
    """What became of the alerts in one call. `problem` says why they were not told, or that nobody knows."""

    state: Literal["nothing", "quiet", "sent", "uncertain", "failed"]
    changes: int = 0
    problem: str | None = None


@dataclass(frozen=True, kw_only=True)
class _Change:
    """One thing to tell of an incident."""

    id: int
    what: Literal["new", "new and over", "worse", "over"]
    severity: str
    sentence: str
    at: datetime
    is_closed: bool

    @property
    def line(self) -> str:
        """The line of the message."""
        mark = {"new": "●", "new and over": "○", "worse": "▲", "over": "✓"}[self.what]
        before = {"new": "", "new and over": "Over by now: ", "worse": "Worse: ", "over": "Over: "}[self.what]
        return f"{mark} {before}{self.sentence}"


def read_alerts(published: Path) -> list[Alert]:
    """The alerts that hold, the worst first."""
    with read_published(published) as connection:
        rows = connection.sql("FROM mart.alerts ORDER BY severity, kind, subject").pl().to_dicts()
    return [Alert(**row) for row in rows]


def is_quiet(hours: QuietHours | None, moment: datetime, *, zone: ZoneInfo) -> bool:
    """Whether a moment (naive UTC) lies in the hours, by the clock of their zone."""
    if hours is None:
        return False
    local = moment.replace(tzinfo=UTC).astimezone(ZoneInfo(hours.timezone) if hours.timezone else zone).time()
    if hours.start < hours.end:
        return hours.start <= local < hours.end
    return local >= hours.start or local < hours.end


def tell_alerts(
    alerts: Sequence[Alert], *, config: Config, now: datetime, webhook_url: str, deliveries_path: Path
) -> Told:
    """Compare the alerts that hold with what was told, and tell the difference. `now` is naive UTC."""
    with postbox(deliveries_path) as box:
        if box is None:
            return Told(state="failed", problem="another process is delivering")
        book = _Book(box)
        book.settle()
        book.observe(alerts, now=now, settle=timedelta(hours=config.alerts.settle_hours))
        return _tell(book, config=config, now=now, webhook_url=webhook_url)


def tell_event(event: Alert, *, config: Config, now: datetime, webhook_url: str, deliveries_path: Path) -> Told:
    """Tell of something that happened, once, with whatever else waits to be told."""
    with postbox(deliveries_path) as box:
        if box is None:
            return Told(state="failed", problem="another process is delivering")
        book = _Book(box)
        book.settle()
        book.note(event, now=now)
        return _tell(book, config=config, now=now, webhook_url=webhook_url)


def _tell(book: "_Book", *, config: Config, now: datetime, webhook_url: str) -> Told:
    changes = book.changes()
    if not changes:
        return Told(state="nothing")
    quiet_hours = config.alerts.quiet_hours
    if is_quiet(quiet_hours, now, zone=config.zone):
        return Told(state="quiet", changes=len(changes))
    waited = any(is_quiet(quiet_hours, change.at, zone=config.zone) for change in changes)
    key = book.begin(changes, now=now)
    content = discord_alerts(_title(changes, waited=waited), [change.line for change in changes])
    delivery = book.box.post(key, content, webhook_url=webhook_url)
    book.settle()
    state = "sent" if delivery.state == "already_sent" else delivery.state
    return Told(state=state, changes=len(changes), problem=delivery.problem)


def _title(changes: Sequence[_Change], *, waited: bool) -> str:
    new = sum(change.what.startswith("new") for change in changes)
    counts = ((new, "new"), (sum(c.what == "worse" for c in changes), "worse"), (_overs(changes), "over"))
    parts = ", ".join(f"{number} {word}" for number, word in counts if number)
    return f"Alerts{' after quiet hours' if waited else ''}: {parts}"


def _overs(changes: Sequence[_Change]) -> int:
    return sum(change.what == "over" for change in changes)


class _Book:
    """The table of incidents. The postbox's lock is held as long as one exists."""

    def __init__(self, box: Postbox) -> None:
        self.box = box
        self._db = box.connection
        self._db.execute(_TABLE)

    def settle(self) -> None:
        """What messages under way have told, now that the ledger knows what became of them."""
        keys = self._db.execute("SELECT DISTINCT message_key FROM alerts WHERE message_key IS NOT NULL").fetchall()
        for (key,) in keys:
            entry = self.box.entry(key)
            # An uncertain message is never repeated, so what it says counts as told.
            if entry is not None and entry.state in ("posted", "complete", "uncertain"):
                self._db.execute(
                    "UPDATE alerts SET told_severity = message_severity, told_over = message_over, message_key = NULL "
                    "WHERE message_key = ?",
                    (key,),
                )
            else:
                self._db.execute("UPDATE alerts SET message_key = NULL WHERE message_key = ?", (key,))

    def observe(self, alerts: Sequence[Alert], *, now: datetime, settle: timedelta) -> None:
        """Open incidents for what is new, close those that have been gone for `settle`."""
        with _transaction(self._db):
            is_open = {
                (kind, subject): number
                for number, kind, subject in self._db.execute(
                    "SELECT id, kind, subject FROM alerts WHERE closed_at IS NULL"
                )
            }
            for alert in alerts:
                number = is_open.pop((alert.kind, alert.subject), None)
                if number is None:
                    self._open(alert, now=now, closed_at=None)
                else:
                    self._db.execute(
                        "UPDATE alerts SET severity = ?, sentence = ?, absent_since = NULL WHERE id = ?",
                        (alert.severity, alert_sentence(alert), number),
                    )
            for number in is_open.values():
                self._db.execute(
                    "UPDATE alerts SET absent_since = coalesce(absent_since, ?) WHERE id = ?", (_text(now), number)
                )
            self._db.execute(
                "UPDATE alerts SET closed_at = ? WHERE closed_at IS NULL AND absent_since <= ?",
                (_text(now), _text(now - settle)),
            )

    def note(self, event: Alert, *, now: datetime) -> None:
        """Write an event down, unless it is known."""
        with _transaction(self._db):
            known = self._db.execute(
                "SELECT count(*) FROM alerts WHERE kind = ? AND subject = ?", (event.kind, event.subject)
            ).fetchone()
            if known == (0,):
                self._open(event, now=now, closed_at=_text(now))

    def changes(self) -> list[_Change]:
        """What was not told yet, what is new and bad first."""
        found = []
        rows = self._db.execute(
            "SELECT id, kind, severity, sentence, opened_at, closed_at, told_severity FROM alerts "
            "WHERE told_severity IS NULL OR (closed_at IS NOT NULL AND told_over = 0) "
            "OR (closed_at IS NULL AND told_severity <> 'high' AND severity = 'high') ORDER BY id"
        ).fetchall()
        for number, kind, severity, sentence, opened_at, closed_at, told in rows:
            what: Literal["new", "new and over", "worse", "over"]
            if told is None:
                what = "new" if closed_at is None or kind == RUN_FAILED else "new and over"
            else:
                what = "worse" if closed_at is None else "over"
            at = datetime.fromisoformat(opened_at if told is None or closed_at is None else closed_at)
            found.append(
                _Change(
                    id=number, what=what, severity=severity, sentence=sentence, at=at, is_closed=closed_at is not None
                )
            )
        order = ("new", "worse", "over", "new and over")
        return sorted(found, key=lambda change: (order.index(change.what), change.severity != "high"))

    def begin(self, changes: Sequence[_Change], *, now: datetime) -> str:
        """Write down which message is to tell the changes. One that failed is used again."""
        failed = [entry.key for entry in self.box.ledger.entries() if entry.state == "failed"]
        key = next((key for key in failed if key.startswith(PREFIX)), f"{PREFIX}{now:%Y-%m-%dT%H:%M:%S}")
        while (entry := self.box.entry(key)) is not None and entry.state != "failed":
            key += "+"
        with _transaction(self._db):
            self._db.executemany(
                "UPDATE alerts SET message_key = ?, message_severity = ?, message_over = ? WHERE id = ?",
                [(key, change.severity, change.is_closed, change.id) for change in changes],
            )
        return key

    def _open(self, alert: Alert, *, now: datetime, closed_at: str | None) -> None:
        self._db.execute(
            "INSERT INTO alerts (kind, subject, severity, sentence, opened_at, closed_at) VALUES (?, ?, ?, ?, ?, ?)",
            (alert.kind, alert.subject, alert.severity, alert_sentence(alert), _text(now), closed_at),
        )


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of it or nothing: the ledger's connection commits each statement by itself."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _text(moment: datetime) -> str:
    return moment.isoformat(sep=" ")
