"""Reads what a report needs from the published DuckDB file: one named query a section, results as polars frames.

Belongs here: SQL and its execution. The HTML page shows each query under its table, so every query also has to make
sense to a person who pastes it into `agentops sql`. Does not belong here: any conclusion (analyse.py) or wording.
"""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from agentops_pipelines.report.registry import SECTIONS
from agentops_pipelines.report.sections import Section
from agentops_pipelines.warehouse import read_published


class UnknownWindow(Exception):
    """The published file has no such window; the message names the weeks it has."""


@dataclass(frozen=True, kw_only=True)
class Query:
    """One SELECT. `$window_id` stands for the reported window, as `'trailing_7d'` or an ISO week like `'2026-W47'`."""

    name: str
    sql: str

    def shown(self, window_id: str) -> str:
        """The query as a person can run it."""
        return self.sql.strip().replace("$window_id", "'" + window_id.replace("'", "''") + "'")


SUMMARY = Query(
    name="summary",
    sql="""
SELECT s.*, w.first_date, w.last_date, p.first_date AS previous_first_date
FROM mart.weekly_summary AS s
JOIN core.windows AS w ON w.window_id = s.window_id
LEFT JOIN core.windows AS p ON p.window_id = s.previous_window_id
WHERE s.window_id = $window_id
""",
)

RUN = Query(name="run", sql="SELECT as_of, timezone, cost_basis FROM conf.run")

CATEGORIES = Query(
    name="categories",
    sql="""
SELECT category, sessions, turns, calls, error_calls, total_tokens, cost_usd, list_usd, rank_usd, rank_share,
       change_usd, empty_polls
FROM mart.cost_by_category
WHERE window_id = $window_id AND (calls > 0 OR cost_usd <> 0)
ORDER BY rank_usd DESC NULLS LAST, total_tokens DESC, category
""",
)

SESSION_TYPES = Query(
    name="session_types",
    sql="""
SELECT session_type, trigger, sessions, turns, calls, total_tokens, cost_usd, list_usd, rank_usd, rank_share
FROM mart.cost_by_session_type
WHERE window_id = $window_id
ORDER BY sessions DESC, rank_usd DESC NULLS LAST, session_type, trigger
""",
)

AGENTS = Query(
    name="agents",
    sql="""
SELECT lane, host, agent_id, sessions, turns, calls, error_calls, total_tokens, cost_usd, list_usd, rank_usd,
       rank_share, change_usd
FROM mart.cost_by_agent
WHERE window_id = $window_id AND (calls > 0 OR cost_usd <> 0)
ORDER BY rank_usd DESC NULLS LAST, total_tokens DESC, lane, host, agent_id
""",
)

TOKENS = Query(
    name="tokens",
    sql="""
SELECT input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, total_tokens, reasoning_tokens
FROM mart.weekly_summary
WHERE window_id = $window_id
""",
)

TREND = Query(
    name="trend",
    sql="""
SELECT category, calls, previous_calls, total_tokens, previous_total_tokens, rank_usd, previous_rank_usd,
       change_usd, volume_usd, tokens_per_call_usd, price_mix_usd, change_share
FROM mart.week_over_week
WHERE window_id = $window_id
ORDER BY abs(change_usd) DESC NULLS LAST, category
""",
)

TOP_SESSIONS = Query(
    name="top_sessions",
    sql="""
SELECT position, host, agent_id, lane, session_id, session_key, label, session_type, category, model, started_at,
       ended_at, turns, calls, total_tokens, cost_usd, list_usd, rank_usd, rank_share
FROM mart.top_sessions
WHERE window_id = $window_id
ORDER BY position
""",
)

MODELS = Query(
    name="models",
    sql="""
SELECT provider, model, model_group_requested, calls, error_calls, total_tokens, cost_usd, list_usd, rank_usd,
       is_priced
FROM mart.model_usage
WHERE window_id = $window_id
ORDER BY rank_usd DESC NULLS LAST, total_tokens DESC, provider, model, model_group_requested
""",
)

DAILY = Query(
    name="daily",
    sql="""
WITH days AS (
  SELECT w.first_date, w.last_date, coalesce(p.first_date, w.first_date - 7) AS previous_first_date
  FROM core.windows AS w
  LEFT JOIN core.windows AS p ON p.window_id = w.previous_window_id
  WHERE w.window_id = $window_id
)
SELECT d.local_date, d.category, d.calls, d.total_tokens, d.cost_usd, d.list_usd
FROM mart.daily_cost AS d
JOIN days ON d.local_date BETWEEN days.previous_first_date AND days.last_date
ORDER BY d.local_date, d.category
""",
)

SOURCES = Query(
    name="sources",
    sql="""
WITH loads AS (
  SELECT source, scope, started_at, status, rows, problem,
         max(newest_data_at) OVER (PARTITION BY source, scope) AS newest_data_at,
         row_number() OVER (PARTITION BY source, CASE source WHEN 'litellm' THEN '' ELSE scope END
                            ORDER BY started_at DESC, load_id DESC) AS age,
         max(started_at) OVER (PARTITION BY source) AS source_started_at
  FROM ops.loads
)
SELECT source, scope, status, problem, newest_data_at, started_at
FROM loads
WHERE age = 1 AND started_at > source_started_at - INTERVAL 1 DAY
ORDER BY source, scope
""",
)
"""Only what is still loaded: one LiteLLM, and the hosts that the last day's loads asked for."""

QUARANTINE = Query(
    name="quarantine",
    sql="""
SELECT source, reason, count(*) AS items, min(first_seen_at) AS first_seen_at
FROM ops.quarantine
GROUP BY source, reason
ORDER BY items DESC, source, reason
""",
)

REVISED = Query(
    name="revised",
    sql="""
SELECT d.rank_basis, d.posted_usd, CASE d.rank_basis WHEN 'list' THEN s.list_usd ELSE s.cost_usd END AS now_usd
FROM core.windows AS w
JOIN ops.deliveries AS d ON d.key = 'weekly/' || w.previous_window_id AND d.state IN ('posted', 'complete')
JOIN mart.weekly_summary AS s ON s.window_id = w.previous_window_id
CROSS JOIN conf.run AS r
WHERE w.window_id = $window_id AND (d.rank_basis = 'list' OR coalesce(d.cost_basis, r.cost_basis) = r.cost_basis)
""",
)
"""What was posted of the week before, and what it is now, in the same money."""

QUERIES = (
    SUMMARY,
    RUN,
    CATEGORIES,
    SESSION_TYPES,
    AGENTS,
    TOKENS,
    TREND,
    TOP_SESSIONS,
    MODELS,
    DAILY,
    SOURCES,
    QUARANTINE,
)


def complete_weeks(published_path: Path) -> list[str]:
    """The ISO weeks that are over and have calls. Raises PublishedMissing before the first run."""
    query = "SELECT window_id FROM mart.weekly_summary WHERE kind = 'iso_week' AND is_complete AND has_data"
    with read_published(published_path) as con:
        return [window_id for (window_id,) in con.execute(query).fetchall()]


def section_query(section: Section) -> Query:
    """The query of a section of the registry, under the section's name."""
    return Query(name=section.name, sql=section.sql)


def fetch(published_path: Path, *, window_id: str) -> dict[str, pl.DataFrame]:
    """The frame of every query, by the query's name, all from one published state.

    What reads a table or column that the file does not have, because an earlier version published it, has no frame.

    Raises PublishedMissing before the first run and UnknownWindow for a window that the file does not have.
    """
    with read_published(published_path) as con:
        frames = {
            query.name: con.query(
                query.sql, params={"window_id": window_id} if "$window_id" in query.sql else None
            ).pl()
            for query in QUERIES
        }
        if not frames[SUMMARY.name].height:
            known = con.execute("SELECT min(window_id), max(window_id) FROM core.windows WHERE kind = 'iso_week'")
            first, last = known.fetchall()[0]
            raise UnknownWindow(f"There is no window {window_id!r}: the data has the weeks {first} to {last}.")
        for query in (REVISED, *map(section_query, SECTIONS)):
            with suppress(duckdb.CatalogException, duckdb.BinderException):
                frames[query.name] = con.query(query.sql, params={"window_id": window_id}).pl()
    return frames
