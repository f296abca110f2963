"""Conf tables about alerts: thresholds, budgets, and how the loads of each source went.

Belongs here: what sql/mart/alerts.sql is asked against and cannot read for itself. Does not belong here: whether an
alert holds (SQL), and what was said of it (report/alerts.py).
"""

from datetime import timedelta

import polars as pl

from agentops_pipelines.settings import Config
from agentops_pipelines.warehouse import Writer

ALERT_CONF_TABLES: dict[str, str] = {
    "alert_thresholds": "When something is worth an alert; one row.",
    "budgets": "Money that may be spent in a period, and what of it an hour may take.",
    "source_state": "How the loads of each part of a source went last, and how new its data is.",
}
"""Every table of `alert_tables` with its description."""

PERIOD_HOURS = {"day": 24.0, "week": 168.0, "month": 730.5}
"""A month is a twelfth of a year: a budget's pace does not jump when February begins."""

_TRIED_WITHIN = timedelta(days=2)
"""A part that was not tried for so long, while others were, is not configured any more."""

_SOURCE_STATE = """
WITH newest AS (SELECT max(finished_at) AS at FROM ops.loads),
parts AS (
  SELECT
    l.source, l.scope,
    max(l.finished_at) AS tried_at,
    max(l.newest_data_at) AS newest_data_at,
    max(l.finished_at) FILTER (WHERE l.status = 'ok') AS ok_at
  FROM ops.loads l GROUP BY ALL
)
SELECT
  p.source, p.scope, max(p.newest_data_at) OVER (PARTITION BY p.source) AS newest_data_at,
  (SELECT count(*) FROM ops.loads l WHERE l.source = p.source AND l.scope = p.scope AND l.status <> 'ok'
    AND (p.ok_at IS NULL OR l.finished_at > p.ok_at)) AS failures,
  (SELECT min(l.finished_at) FROM ops.loads l WHERE l.source = p.source AND l.scope = p.scope AND l.status <> 'ok'
    AND (p.ok_at IS NULL OR l.finished_at > p.ok_at)) AS failing_since
FROM parts p CROSS JOIN newest n WHERE p.tried_at >= n.at - ? ORDER BY p.source, p.scope
"""


def alert_tables(writer: Writer, config: Config) -> dict[str, pl.DataFrame]:
    """The tables of ALERT_CONF_TABLES."""
    alerts = config.alerts
    thresholds: dict[str, float | int] = {
        "spend_z": alerts.spend_z,
        "spend_floor_usd": alerts.spend_floor_usd,
        "spend_share": alerts.spend_share,
        "pace_6h": alerts.pace_6h,
        "pace_24h": alerts.pace_24h,
        "pace_7d": alerts.pace_7d,
        "pool_minutes": alerts.pool_minutes,
        "pool_rejections": alerts.pool_rejections,
        "unpriced_tokens": alerts.unpriced_tokens,
        "match_drop": alerts.match_drop,
        "source_failures": alerts.source_failures,
        "stale_hours": config.thresholds.stale_hours,
        # whole seconds: an interval times a number is all that sql/ can add to a time
        "stale_seconds": round(config.thresholds.stale_hours * 3600),
    }
    budgets = [
        (name, budget.lane or None, budget.basis, budget.usd, budget.period, budget.usd / PERIOD_HOURS[budget.period])
        for name, budget in config.budgets.items()
    ]
    return {
        "alert_thresholds": pl.DataFrame([thresholds]),
        "budgets": pl.DataFrame(
            budgets,
            schema={
                **dict.fromkeys(("name", "lane", "basis"), pl.String),
                "usd": pl.Float64,
                "period": pl.String,
                "hourly_usd": pl.Float64,
            },
            orient="row",
        ),
        "source_state": pl.DataFrame(
            writer.con.execute(_SOURCE_STATE, [_TRIED_WITHIN]).fetchall(),
            schema={
                **dict.fromkeys(("source", "scope"), pl.String),
                "newest_data_at": pl.Datetime("us"),
                "failures": pl.Int64,
                "failing_since": pl.Datetime("us"),
            },
            orient="row",
        ),
    }
