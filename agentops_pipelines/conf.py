"""Settings as tables: what sql/ needs to know and may not ask for itself (time, zone, names, prices).

Belongs here: every `conf.*` table, rewritten by each run. Does not belong here: anything that a source said.

SQL under sql/core and sql/mart has no parameters and no clock: `conf.run` says what time it is, `conf.days` and
`conf.windows` say where local days and weeks begin in UTC. All timestamps are naive UTC.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from agentops_pipelines.agent_conf import AGENT_CONF_TABLES, agent_tables
from agentops_pipelines.alert_conf import ALERT_CONF_TABLES, alert_tables
from agentops_pipelines.pricing import PricedModel, list_prices
from agentops_pipelines.settings import Config, Settings
from agentops_pipelines.sources.privacy import clean_label
from agentops_pipelines.sources.schemas import UNIT_PRICE
from agentops_pipelines.warehouse import Writer

CONF_TABLES: dict[str, str] = {
    "run": "This run: the time it counts as now, the time zone of days and weeks, the basis of cost_usd.",
    "days": "Local days: one row per date, with its bounds in UTC (23 and 25 hours at clock changes).",
    "hours": "UTC hours with the local date they lie in, and the local midnight inside them if there is one.",
    "windows": "Reporting windows: every ISO week in history, the 7 days up to now, the 7 days before these.",
    "lanes": "Virtual key aliases that stand for an agent lane of another name.",
    "category_rules": "What the operator calls each kind of work; the first rule that matches wins.",
    "tiers": "Model names that belong to a tier; the first of a tier (position 1) gives it its price.",
    "pools": "Deployments that draw on one pool, by the settings.",
    "limits": "Limits of deployments and pools that the settings set in place of the proxy's.",
    "model_map": "Which tier a category should use and which model a ticket method should use.",
    "target_tiers": "The tier each category is priced at when savings of the target mapping are computed.",
    "list_prices": "Public list prices of the models met, in USD per token, by validity and prompt size.",
    "tickets": "How estimates of tickets are compared with what they used; one row.",
    "token_budgets": "Tokens that an agent may use in an ISO week.",
    "ticket_statuses": "Names of statuses in progress that mean waiting: in review or blocked.",
    **AGENT_CONF_TABLES,
    **ALERT_CONF_TABLES,
}
"""Every conf table with its description, for the data dictionary and the asset graph."""

_PRICES = ("input_price", "cache_read_price", "cache_write_price", "cache_write_1h_price", "output_price")
_TYPES = {f"list_prices.{column}": UNIT_PRICE for column in _PRICES}


def write_conf_tables(writer: Writer, settings: Settings, *, as_of: datetime) -> None:
    """Rewrite all conf tables. `as_of` (naive UTC) is the time the run counts as now."""
    first, last = _data_range(writer, as_of)
    zone = settings.config.zone
    days = list(local_days(zone, first=_local_date(first, zone), last=_local_date(max(last, as_of), zone)))
    models, deployments = _models(writer)
    prices = list_prices(
        models | {PricedModel(provider="", model=names[0]) for names in settings.config.tiers.values() if names},
        first_day=days[0][0],
        last_day=days[-1][0],
        aliases=settings.config.price_aliases,
        deployments=deployments,
    )
    config = settings.config
    writer.write_conf(
        {
            "run": pl.DataFrame(
                [(as_of, config.timezone, config.cost_basis)],
                schema={"as_of": pl.Datetime("us"), "timezone": pl.String, "cost_basis": pl.String},
                orient="row",
            ),
            "days": pl.DataFrame(
                days,
                schema={
                    "local_date": pl.Date,
                    "local_week": pl.String,
                    "starts_at": pl.Datetime("us"),
                    "ends_at": pl.Datetime("us"),
                },
                orient="row",
            ),
            "hours": hours_frame(days),
            "windows": windows_frame(zone, first=first, as_of=as_of),
            # an alias may hold an address, which the spend logs no longer do
            "lanes": _pairs(((clean_label(alias), lane) for alias, lane in config.lanes.items()), "key_alias", "lane"),
            "category_rules": pl.DataFrame(
                [
                    (n, rule.category, rule.session_type, rule.job_name.lower(), rule.method.lower(), rule.tag.lower())
                    for n, rule in enumerate(config.ordered_category_rules, start=1)
                ],
                schema={"position": pl.Int64}
                | dict.fromkeys(("category", "session_type", "job_name", "method", "tag"), pl.String),
                orient="row",
            ),
            "list_prices": prices,
            **_gateway_tables(config),
            **_ticket_tables(config),
            **agent_tables(writer, config, tiers=config.tiers, first=first, as_of=as_of),
            **alert_tables(writer, config),
        },
        types=_TYPES,
        docs=CONF_TABLES,
    )


_LIMIT_SCHEMA: dict[str, Any] = {
    **dict.fromkeys(("scope", "name"), pl.String),
    **dict.fromkeys(("rpm_limit", "tpm_limit", "tokens_per_day"), pl.Int64),
}


def _gateway_tables(config: Config) -> dict[str, pl.DataFrame]:
    """Tiers, pools, limits and the model map: what the gateway's questions are asked against."""
    limits = [("deployment", name, limit.rpm, limit.tpm, None) for name, limit in config.limits.deployments.items()]
    limits += [
        ("pool", name, limit.rpm, limit.tpm, limit.tokens_per_day) for name, limit in config.limits.pools.items()
    ]
    expected = [("operation", category, tier) for category, tier in config.mapping.operations.items()]
    expected += [("method", method.lower(), model) for method, model in config.mapping.methods.items()]
    return {
        "tiers": pl.DataFrame(
            [(model, tier, n) for tier, models in config.tiers.items() for n, model in enumerate(models, start=1)],
            schema={"model": pl.String, "tier": pl.String, "position": pl.Int64},
            orient="row",
        ),
        "pools": _pairs(
            ((deployment, pool) for pool, deployments in config.pools.items() for deployment in deployments),
            "deployment_id",
            "pool",
        ),
        "limits": pl.DataFrame(
            limits,
            schema=_LIMIT_SCHEMA,
            orient="row",
        ),
        "model_map": pl.DataFrame(
            expected, schema=dict.fromkeys(("kind", "name", "expected"), pl.String), orient="row"
        ),
        "target_tiers": _pairs(config.targets.items(), "category", "tier"),
    }


def _ticket_tables(config: Config) -> dict[str, pl.DataFrame]:
    """What a story point stands for, and which statuses are none of work."""
    tickets = config.tickets
    waiting = {name.lower(): "blocked" for name in tickets.blocked_statuses}
    waiting |= {name.lower(): "in review" for name in tickets.review_statuses}
    return {
        "tickets": pl.DataFrame(
            [(tickets.tokens_per_point, tickets.count_cache_reads, tickets.min_tickets, tickets.stale_days)],
            schema={
                "tokens_per_point": pl.Float64,
                "counts_cache_reads": pl.Boolean,
                "min_tickets": pl.Int64,
                "stale_days": pl.Int64,
            },
            orient="row",
        ),
        "token_budgets": pl.DataFrame(
            sorted(tickets.weekly_token_budgets.items()),
            schema={"agent_id": pl.String, "tokens": pl.Int64},
            orient="row",
        ),
        "ticket_statuses": _pairs(waiting.items(), "status", "kind"),
    }


def windows_frame(zone: ZoneInfo, *, first: datetime, as_of: datetime) -> pl.DataFrame:
    """All windows from the ISO week of `first` to that of `as_of`, and the trailing ones. Half-open, in UTC."""
    rows = list(_weeks(zone, first=_local_date(first, zone), as_of=as_of))
    for window_id, kind, label, end, previous in (
        ("trailing_7d", "trailing", "last 7 days", as_of, "trailing_7d_before"),
        ("trailing_7d_before", "trailing_before", "the 7 days before", as_of - timedelta(days=7), None),
    ):
        start = end - timedelta(days=7)
        dates = (_local_date(start, zone), _local_date(end - timedelta(microseconds=1), zone))
        rows.append((window_id, kind, label, start, end, *dates, _hours(start, end), True, previous))
    return pl.DataFrame(
        rows,
        schema={
            "window_id": pl.String,
            "kind": pl.String,
            "label": pl.String,
            "starts_at": pl.Datetime("us"),
            "ends_at": pl.Datetime("us"),
            "first_date": pl.Date,
            "last_date": pl.Date,
            "hours": pl.Float64,
            "is_complete": pl.Boolean,
            "previous_window_id": pl.String,
        },
        orient="row",
    )


def hours_frame(days: list[tuple[date, str, datetime, datetime]]) -> pl.DataFrame:
    """UTC hours of the days: an equality join on the hour finds a call's local date much faster than a range join.

    In zones that are not whole hours off UTC, local midnight lies inside an hour: from then on `next_date` holds.
    """
    rows: list[tuple[object, ...]] = []
    hour = days[0][2].replace(minute=0)
    for (day, week, _, end), (next_day, next_week, _, _) in pairwise(days):
        while hour < end:
            midnight = end if end < hour + timedelta(hours=1) else None
            rows.append((hour, day, week, midnight, next_day, next_week))
            hour += timedelta(hours=1)
    return pl.DataFrame(
        rows,
        schema={
            "starts_at": pl.Datetime("us"),
            "local_date": pl.Date,
            "local_week": pl.String,
            "midnight_at": pl.Datetime("us"),
            "next_date": pl.Date,
            "next_week": pl.String,
        },
        orient="row",
    )


def iso_week(day: date) -> str:
    """The ISO week a date lies in, as 2026-W47."""
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02d}"


def _weeks(zone: ZoneInfo, *, first: date, as_of: datetime) -> Iterator[tuple[object, ...]]:
    monday = first - timedelta(days=first.weekday())
    previous: str | None = None
    while (start := _midnight(monday, zone)) <= as_of:
        sunday = monday + timedelta(days=6)
        end = _midnight(monday + timedelta(days=7), zone)
        window_id = iso_week(monday)
        label = f"week {monday.isocalendar().week} ({_date_range(monday, sunday)})"
        yield (window_id, "iso_week", label, start, end, monday, sunday, _hours(start, end), end <= as_of, previous)
        previous = window_id
        monday += timedelta(days=7)


def local_days(zone: ZoneInfo, *, first: date, last: date) -> Iterator[tuple[date, str, datetime, datetime]]:
    """(date, ISO week, start, end) in UTC of the days from the one before `first` to two after `last`."""
    day = first - timedelta(days=1)
    while day <= last + timedelta(days=2):
        yield day, iso_week(day), _midnight(day, zone), _midnight(day + timedelta(days=1), zone)
        day += timedelta(days=1)


def _data_range(writer: Writer, as_of: datetime) -> tuple[datetime, datetime]:
    """First and last moment that any raw row speaks of, never narrower than the trailing windows."""
    (first, last) = writer.con.execute(
        "SELECT min(first_at), max(last_at) FROM ("
        "SELECT min(least(written_at, started_at)) AS first_at, max(greatest(written_at, started_at)) AS last_at "
        "FROM raw.openclaw_lines UNION ALL "
        "SELECT min(started_at), max(started_at) FROM raw.litellm_spend_logs UNION ALL "
        "SELECT min(started_at), max(started_at) FROM raw.otel_spans)"
    ).fetchall()[0]
    earliest = as_of - timedelta(days=14)
    return min(first or earliest, earliest), max(last or as_of, as_of)


def _models(writer: Writer) -> tuple[set[PricedModel], dict[str, str]]:
    """The models that need a price, and which model each group is primarily served by."""
    pairs = writer.con.execute(
        "SELECT DISTINCT provider, model FROM raw.openclaw_lines WHERE kind = 'assistant' "
        "UNION SELECT DISTINCT provider, model FROM raw.litellm_spend_logs "
        "UNION SELECT DISTINCT provider, coalesce(served_model, request_model) FROM raw.otel_spans "
        "WHERE kind <> 'other'"
    ).fetchall()
    groups = writer.con.execute(
        "SELECT model_group, model FROM raw.litellm_deployments WHERE model IS NOT NULL "
        "ORDER BY model_group, priority DESC NULLS LAST, observed_at, deployment_id DESC"
    ).fetchall()
    return {PricedModel(provider=provider or "", model=model or "") for provider, model in pairs}, dict(groups)


def _pairs(pairs: Iterable[tuple[str, str]], first: str, second: str) -> pl.DataFrame:
    rows = sorted(set(pairs))
    return pl.DataFrame(rows, schema={first: pl.String, second: pl.String}, orient="row")


def _local_date(moment: datetime, zone: ZoneInfo) -> date:
    return moment.replace(tzinfo=UTC).astimezone(zone).date()


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC).replace(tzinfo=None)


def _hours(start: datetime, end: datetime) -> float:
    return (end - start) / timedelta(hours=1)


def _date_range(first: date, last: date) -> str:
    if first.month == last.month:
        return f"{first.day}-{last.day} {last:%b}"
    return f"{first.day} {first:%b}-{last.day} {last:%b}"
