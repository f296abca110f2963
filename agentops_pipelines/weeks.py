"""ISO weeks as people write them. Belongs here: reading one from a command line, and which one ended last."""

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from agentops_pipelines.conf import iso_week

_WEEK = re.compile(r"(\d{4})-?W(\d{1,2})", re.IGNORECASE)


class UnknownWeek(ValueError):
    """Not an ISO week that a report can be made of; the message says why and how to write one."""


def parse_week(text: str, *, now: datetime, zone: ZoneInfo) -> str:
    """An ISO week as 2026-W47. `now` is naive UTC. Raises UnknownWeek, also for a week that has not begun."""
    match = _WEEK.fullmatch(text.strip())
    if match is None:
        raise UnknownWeek(f"{text!r} is no ISO week; write it like {last_complete_week(now, zone=zone)}.")
    try:
        monday = date.fromisocalendar(int(match[1]), int(match[2]), 1)
    except ValueError:
        raise UnknownWeek(f"{text!r}: {match[1]} has no week {int(match[2])}.") from None
    if monday > _local_date(now, zone):
        raise UnknownWeek(f"{iso_week(monday)} has not begun: it starts on {monday:%A %-d %B %Y}.")
    return iso_week(monday)


def last_complete_week(now: datetime, *, zone: ZoneInfo) -> str:
    """The newest ISO week that had ended, in `zone`, at `now` (naive UTC)."""
    day = _local_date(now, zone)
    return iso_week(day - timedelta(days=day.weekday() + 1))


def _local_date(moment: datetime, zone: ZoneInfo) -> date:
    return moment.replace(tzinfo=UTC).astimezone(zone).date()
