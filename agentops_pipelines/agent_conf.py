"""Conf tables about agents: when jobs will run, when people must not be spoken to, what a finding means.

Belongs here: what sql/ cannot work out for itself, because it takes time zones and cron expressions. Does not belong
here: any judgement of a job; that is mart.cron_findings.

The plan follows OpenClaw: an expression runs in its own time zone (without one in the configured zone, as the
gateway's is not known), an interval goes on from the next run last seen. A plan is by the minute: seconds are dropped.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import polars as pl
from cronsim import CronSim, CronSimError

from agentops_pipelines.settings import Config, QuietHours
from agentops_pipelines.sources.privacy import peer_label
from agentops_pipelines.warehouse import Writer

AGENT_CONF_TABLES: dict[str, str] = {
    "quiet_hours": "Times (UTC) at which an agent or recipient must not be spoken to.",
    "intended_delivery": "Where the operator wants the messages of a job or an agent to go.",
    "poll_intervals": "Intervals the operator considers for a job or for the heartbeat of an agent.",
    "tier_order": "Tiers from the smallest to the largest, in the order of the settings.",
    "tier_floors": "The smallest tier that a method may be moved to.",
    "agent_thresholds": "What counts as a short answer; one row.",
    "cron_plan": "Runs that the jobs in force have in the 7 days from now.",
    "cron_problems": "Jobs whose schedule cannot be worked out, and why.",
    "finding_rules": "Rules of the cron audit: severity, what a finding means and how to fix it.",
}
"""Every table of `agent_tables` with its description."""

HORIZON = timedelta(days=7)
_MINUTE = timedelta(minutes=1)
_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_FIELDS = 5

FINDING_RULES: tuple[tuple[str, int, str, str, str], ...] = (
    (
        "wrong_target",
        1,
        "incident",
        "spoke to another channel or recipient than intended",
        "Name channel and recipient in the job (openclaw cron edit --channel --to), and check who has read it.",
    ),
    (
        "delivered_in_quiet_hours",
        1,
        "incident",
        "delivered in quiet hours",
        "Move the schedule out of the quiet hours, and set the time zone of the job (openclaw cron edit --tz).",
    ),
    (
        "silently_undelivered",
        2,
        "high",
        "found no channel and ended ok, nobody got the answer",
        "Name channel and recipient in the job, or turn its delivery off if nobody needs it.",
    ),
    (
        "delivery_failed",
        2,
        "high",
        "answered, but the delivery failed",
        "Check the channel account; the run log has the error (openclaw cron runs --id).",
    ),
    (
        "schedule_problem",
        2,
        "high",
        "the schedule cannot be worked out",
        "Check expression and time zone of the job (openclaw cron list --all).",
    ),
    (
        "run_failed",
        3,
        "medium",
        "failed before there was an answer",
        "Look at the error of the last run (openclaw cron runs --id) and at the model that the job asks for.",
    ),
    (
        "quiet_hours_conflict",
        3,
        "medium",
        "will speak in quiet hours within 7 days",
        "Move the schedule out of the quiet hours, or turn delivery off for that time.",
    ),
    (
        "implicit_delivery",
        3,
        "medium",
        "no channel or no recipient is named: the answer goes wherever the agent spoke last",
        "Name channel and recipient in the job, or turn its delivery off.",
    ),
    (
        "duplicate_job",
        3,
        "medium",
        "another enabled job of the agent has the same name and schedule",
        "Keep one of them and remove the other (openclaw cron rm).",
    ),
    (
        "overdue",
        4,
        "low",
        "due for over a week while its gateway ran other jobs: removed, or stuck",
        "Nothing if it was removed; else start it once by hand (openclaw cron run).",
    ),
    (
        "never_run",
        4,
        "low",
        "enabled and due, but it has never run",
        "Start it once by hand (openclaw cron run), or remove it.",
    ),
    ("changed_job", 5, "review", "new or changed in this window", "Read the job once: schedule, delivery, model."),
    ("disabled_job", 5, "review", "disabled", "Remove it if it is not needed any more."),
)
"""(rule, rank, severity, meaning, fix), the worst first. Which job breaks which rule is decided in SQL."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """When a job runs, as OpenClaw stores it."""

    kind: str | None
    expr: str | None = None
    tz: str | None = None
    every_ms: int | None = None
    at_time: datetime | None = None
    anchor: datetime | None = None
    """A moment (naive UTC) at which an interval is known to fall due."""


class ScheduleProblem(ValueError):
    """A schedule that cannot be worked out: the message says why."""


def agent_tables(
    writer: Writer, config: Config, *, tiers: Iterable[str], first: datetime, as_of: datetime
) -> dict[str, pl.DataFrame]:
    """The tables of AGENT_CONF_TABLES. `first` is the oldest moment that a raw row speaks of (naive UTC)."""
    plan, problems = _plans(writer, config.zone, as_of=as_of)
    return {
        "quiet_hours": _frame(
            quiet_rows(config.quiet_hours, default=config.zone, first=first, last=as_of + HORIZON),
            {"principal": pl.String, "starts_at": pl.Datetime("us"), "ends_at": pl.Datetime("us")},
        ),
        "intended_delivery": _frame(
            (
                (name.lower(), intended.channel.lower(), peer_label(intended.to) if intended.to else None)
                for name, intended in config.intended_delivery.items()
            ),
            {"name": pl.String, "channel": pl.String, "recipient": pl.String},
        ),
        "poll_intervals": _frame(
            ((name.lower(), minutes * 60) for name, minutes in config.poll_intervals.items()),
            {"name": pl.String, "seconds": pl.Float64},
        ),
        "tier_order": _frame(
            ((tier, position) for position, tier in enumerate(tiers, start=1)),
            {"tier": pl.String, "position": pl.Int64},
        ),
        "tier_floors": _frame(
            ((method.lower(), tier) for method, tier in config.tier_floors.items()),
            {"method": pl.String, "tier": pl.String},
        ),
        "agent_thresholds": _frame(
            [
                (
                    config.agent_thresholds.empty_poll_output_tokens,
                    config.agent_thresholds.simple_output_tokens,
                    config.agent_thresholds.simple_share,
                )
            ],
            {"empty_poll_output_tokens": pl.Int64, "simple_output_tokens": pl.Int64, "simple_share": pl.Float64},
        ),
        "cron_plan": _frame(plan, {"host": pl.String, "job_id": pl.String, "planned_at": pl.Datetime("us")}),
        "cron_problems": _frame(problems, {"host": pl.String, "job_id": pl.String, "problem": pl.String}),
        "finding_rules": _frame(
            FINDING_RULES,
            {"rule": pl.String, "rank": pl.Int64, "severity": pl.String, "meaning": pl.String, "fix": pl.String},
        ),
    }


def planned_runs(schedule: Schedule, *, default: ZoneInfo, start: datetime) -> Iterator[datetime]:
    """Runs in [start, start + HORIZON), naive UTC, at most one a minute. Raises ScheduleProblem.

    Of a time that the clocks skip, the run falls right after the gap; of one that comes twice, on the first.
    """
    end = start + HORIZON
    match schedule.kind:
        case "cron":
            yield from _expression_runs(schedule, default=default, start=start, end=end)
        case "every":
            yield from _interval_runs(schedule, start=start, end=end)
        case "at":
            if schedule.at_time is None:
                raise ScheduleProblem("the time is missing")
            if start <= schedule.at_time < end:
                yield schedule.at_time
        case _:
            # on-exit and stream: something else than the clock starts them
            return


def quiet_rows(
    quiet_hours: Mapping[str, QuietHours], *, default: ZoneInfo, first: datetime, last: datetime
) -> Iterator[tuple[str, datetime, datetime]]:
    """(principal, start, end) in UTC of each night in the range. A principal is an agent id or a recipient's label."""
    for name, hours in quiet_hours.items():
        zone = ZoneInfo(hours.timezone) if hours.timezone else default
        day = first.date() - timedelta(days=2)
        while day <= last.date() + timedelta(days=1):
            until = day if hours.start < hours.end else day + timedelta(days=1)
            bounds = _utc(day, hours.start, zone), _utc(until, hours.end, zone)
            yield (name, *bounds)
            yield (peer_label(name), *bounds)
            day += timedelta(days=1)


def _plans(
    writer: Writer, default: ZoneInfo, *, as_of: datetime
) -> tuple[list[tuple[str, str, datetime]], list[tuple[str, str, str]]]:
    jobs = writer.con.execute(
        "SELECT host, job_id, schedule_kind, schedule_expr, schedule_tz, every_ms, at_time, "
        "coalesce(next_run_at, created_at, observed_at), coalesce(is_enabled, true), "
        "row_number() OVER (PARTITION BY host, job_id ORDER BY observed_at DESC) AS n "
        "FROM raw.openclaw_cron_jobs QUALIFY n = 1 ORDER BY host, job_id"
    ).fetchall()
    plan: list[tuple[str, str, datetime]] = []
    problems: list[tuple[str, str, str]] = []
    for host, job_id, kind, expr, tz, every_ms, at_time, anchor, is_enabled, _ in jobs:
        schedule = Schedule(kind=kind, expr=expr, tz=tz, every_ms=every_ms, at_time=at_time, anchor=anchor)
        try:
            runs = [(host, job_id, run) for run in planned_runs(schedule, default=default, start=as_of)]
        except ScheduleProblem as problem:
            problems.append((host, job_id, str(problem)))
        else:
            plan.extend(runs if is_enabled else [])
    return plan, problems


def _expression_runs(schedule: Schedule, *, default: ZoneInfo, start: datetime, end: datetime) -> Iterator[datetime]:
    if not schedule.expr:
        raise ScheduleProblem("the expression is missing or has characters that no expression has")
    try:
        zone = ZoneInfo(schedule.tz) if schedule.tz else default
    except (KeyError, ValueError, OSError) as error:
        raise ScheduleProblem("the time zone is not known") from error
    # the first match after a moment: one microsecond earlier, so that a run right at the start counts
    before = (start - timedelta(microseconds=1)).replace(tzinfo=UTC).astimezone(zone)
    try:
        for run in CronSim(_five_fields(schedule.expr), before):
            moment = run.astimezone(UTC).replace(tzinfo=None)
            if moment >= end:
                return
            if moment >= start:
                yield moment
    except CronSimError as error:
        raise ScheduleProblem("the expression is not understood") from error


def _five_fields(expr: str) -> str:
    """Minute to weekday in the spelling of cron: of six fields the first is the second, of seven the last the year."""
    fields = _NICKNAMES.get(expr.lower(), expr).replace("?", "*").split()
    if len(fields) > _FIELDS:
        fields = fields[1 : _FIELDS + 1]
    return " ".join(fields)


def _interval_runs(schedule: Schedule, *, start: datetime, end: datetime) -> Iterator[datetime]:
    if not schedule.every_ms or schedule.every_ms < 0 or schedule.anchor is None:
        raise ScheduleProblem("the interval is missing")
    step = max(timedelta(milliseconds=schedule.every_ms), _MINUTE)
    behind = max(start - schedule.anchor, timedelta(0))
    run = schedule.anchor + step * -(-behind // step)
    while run < end:
        yield run
        run += step


def _utc(day: date, clock: time, zone: ZoneInfo) -> datetime:
    local = datetime.combine(day, clock, tzinfo=zone)
    return local.astimezone(UTC).replace(tzinfo=None)


def _frame(rows: Iterable[tuple[object, ...]], schema: Mapping[str, pl.DataType | type[pl.DataType]]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=dict(schema), orient="row")
