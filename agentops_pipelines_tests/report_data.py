"""A published DuckDB file with hand-made figures for the report: two weeks of calls, the real mart SQL over them.

The figures of each kind of work stand in `PLAN`; everything else follows from them. Tests change calls with SQL
(`calls=`) before the marts are made, or the finished file (`after=`).
"""

import tempfile
from collections.abc import Sequence
from datetime import date, datetime
from functools import cache
from pathlib import Path

import duckdb

from agentops_pipelines.sqltables import load_tables

AS_OF = datetime(2026, 11, 23, 8)
"""Monday morning of week 48: weeks 46 and 47 are complete."""

WEEK = "2026-W47"

MARTS = (
    "core.windows",
    "core.window_usage",
    "mart.weekly_summary",
    "mart.cost_by_category",
    "mart.cost_by_session_type",
    "mart.cost_by_agent",
    "mart.week_over_week",
    "mart.top_sessions",
    "mart.model_usage",
    "mart.daily_cost",
)

NO_LITELLM = (
    "UPDATE core.calls SET source = 'openclaw', spend_usd = NULL, cost_usd = estimate_usd, cost_basis = 'estimate', "
    "request_id = NULL, match_rule = 'none'"
)
"""The world of an operator who has no LiteLLM."""

INTERNAL = "UPDATE core.calls SET spend_usd = 0, cost_usd = 0"
"""Internal models cost nothing: shares and rankings use list prices."""

# category, session type, trigger, lane, model, sessions and calls in weeks 46 and 47,
# input, cache read, cache write and output tokens a call, micro-USD a call
PLAN = """
heartbeat poll      heartbeat    autonomous alec     haiku-4-5   168 168 504  672  900  9600  120  45   4100
heartbeat poll      heartbeat    autonomous costaff  haiku-4-5   168 168 168  504  850  9100  110  40   4000
task pickup         cron         autonomous alec     gpt-5.4     140 154 420  616  4200 13300 310  220  15909
routine work        cron         autonomous vera     gpt-5.4-mini 42 56  336  364  3900 8800  200  340  5500
deep work           named        human      alec     opus-4-5    6   9   66   81   9800 61000 2400 1900 99383
main_conversation   main         human      alec     sonnet-4-5  8   8   96   88   2600 21000 900  610  31250
main_conversation   dm           human      vera     sonnet-4-5  12  11  60   55   2100 17000 800  500  30100
sub-agent           subagent     autonomous alec     gpt-5.4-mini 30 41  240  287  5100 9900  350  480  7210
webhook work        webhook      autonomous costaff  nightly-7b  14  19  28   38   3100 0     0    700  0
pipeline step       llm_task     autonomous pipeline gpt-5.4-mini 0  0   120  96   1800 0     0    260  2850
unknown             unknown      autonomous vera     gpt-5.4-mini 1  2   3    5    2000 0     0    100  1900
"""

LIST_FACTOR = "7.5"
"""List price of a call, as a multiple of what it cost."""


def make_published(
    path: Path, *, calls: Sequence[str] = (), after: Sequence[str] = (), cost_basis: str = "spend", zone: str = "UTC"
) -> Path:
    """Write the file. `calls` are statements on core.calls before the marts are made, `after` on the finished file."""
    path.write_bytes(_without_marts())
    with duckdb.connect(path) as con:
        con.execute("UPDATE conf.run SET timezone = ?, cost_basis = ?", [zone, cost_basis])
        for statement in calls:
            con.execute(statement)
        for name in MARTS:
            con.execute(f"CREATE TABLE {name} AS {_tables()[name].sql}")
        for statement in after:
            con.execute(statement)
    return path


_tables = cache(load_tables)


@cache
def _without_marts() -> bytes:
    """The file before any statement of a test, made once."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "base.duckdb"
        with duckdb.connect(path) as con:
            con.execute("CREATE SCHEMA core; CREATE SCHEMA mart; CREATE SCHEMA conf; CREATE SCHEMA ops")
            con.execute("CREATE TABLE conf.run (as_of TIMESTAMP, timezone VARCHAR, cost_basis VARCHAR)")
            con.execute("INSERT INTO conf.run VALUES (?, '', '')", [AS_OF])
            _make_windows(con)
            _make_calls(con)
            _make_ops(con)
            _add_empty_columns(con, "core.calls", list(_tables()["core.calls"].columns))
        return path.read_bytes()


def _add_empty_columns(con: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str]) -> None:
    """What the report does not show is NULL here, so that marts may read it."""
    for column in columns:
        con.execute(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {column} VARCHAR")


def _make_windows(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "CREATE TABLE conf.windows (window_id VARCHAR, kind VARCHAR, label VARCHAR, starts_at TIMESTAMP, "
        "ends_at TIMESTAMP, first_date DATE, last_date DATE, hours DOUBLE, is_complete BOOLEAN, "
        "previous_window_id VARCHAR)"
    )
    weeks = [
        ("2026-W45", "week 45 (2-8 Nov)", date(2026, 11, 2), date(2026, 11, 9), None),
        ("2026-W46", "week 46 (9-15 Nov)", date(2026, 11, 9), date(2026, 11, 16), "2026-W45"),
        ("2026-W47", "week 47 (16-22 Nov)", date(2026, 11, 16), date(2026, 11, 23), "2026-W46"),
        ("2026-W48", "week 48 (23-29 Nov)", date(2026, 11, 23), date(2026, 11, 30), "2026-W47"),
    ]
    rows: list[tuple[object, ...]] = [
        (week, "iso_week", label, start, end, start, end, 168.0, week != "2026-W48", previous)
        for week, label, start, end, previous in weeks
    ]
    ago7, ago14 = datetime(2026, 11, 16, 8), datetime(2026, 11, 9, 8)
    rows += [
        ("trailing_7d", "trailing", "last 7 days", ago7, AS_OF, ago7, AS_OF, 168.0, True, "trailing_7d_before"),
        ("trailing_7d_before", "trailing_before", "the 7 days before", ago14, ago7, ago14, ago7, 168.0, True, None),
    ]
    con.executemany("INSERT INTO conf.windows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    con.execute("UPDATE conf.windows SET last_date = last_date - 1 WHERE kind = 'iso_week'")


def _make_calls(con: duckdb.DuckDBPyConnection) -> None:
    """One row a call; a session's calls share its day, every seventh day is quieter, sessions differ in size."""
    con.execute(
        "CREATE TEMP TABLE plan (category VARCHAR, session_type VARCHAR, trigger VARCHAR, lane VARCHAR, model VARCHAR, "
        "week VARCHAR, monday DATE, sessions BIGINT, calls BIGINT, input_tokens BIGINT, cache_read_tokens BIGINT, "
        "cache_write_tokens BIGINT, output_tokens BIGINT, micros BIGINT)"
    )
    for line in PLAN.strip().splitlines():
        first, rest = line[:20].strip(), line[20:].split()
        for week, monday, at in (("2026-W46", date(2026, 11, 9), 4), ("2026-W47", date(2026, 11, 16), 5)):
            cells = [first.replace("_", " "), *rest[:4], week, monday, rest[at], rest[at + 2], *rest[8:]]
            con.execute(f"INSERT INTO plan VALUES ({', '.join('?' * 14)})", cells)
    con.execute(
        f"""
        CREATE TABLE core.calls AS
        WITH numbered AS (
          SELECT p.*, n, n % greatest(p.sessions, 1) AS session_number,
                 p.monday + ((n % greatest(p.sessions, 1)) % 7 + (n % 3 = 0 AND n % 7 > 4)::INT)::INT % 7 AS local_date,
                 1 + (n % 5) * (n % greatest(p.sessions, 1) + 3) / (p.sessions + 40) AS size
          FROM plan AS p, range(p.calls) AS r(n)
        ), sized AS (
          SELECT *, lane || '/' || session_type || '/' || week || '/' || session_number AS own_id,
                 CASE WHEN sessions > 0 THEN own_id END AS session_id,
                 (input_tokens * size)::BIGINT AS inputs, (cache_read_tokens * size)::BIGINT AS reads
          FROM numbered
        )
        SELECT
          own_id || '/' || n AS call_id,
          CASE WHEN sessions = 0 THEN 'litellm' WHEN n % 33 = 7 THEN 'openclaw' ELSE 'both' END AS source,
          'r' || own_id || n AS request_id,
          CASE WHEN sessions > 0 THEN 'local' END AS host,
          CASE WHEN sessions > 0 THEN lane END AS agent_id,
          lane, session_id, session_id || '/' || n // 3 AS turn_id,
          local_date + INTERVAL (n % 22) HOUR + INTERVAL (n % 59) MINUTE AS started_at,
          local_date, week AS local_week, session_type, category, trigger, model AS model_group_requested,
          CASE WHEN model LIKE 'gpt%' THEN 'openai' WHEN model LIKE 'nightly%' THEN 'ollama' ELSE 'anthropic' END
            AS provider,
          model, true AS is_request, inputs AS input_tokens, reads AS cache_read_tokens, cache_write_tokens,
          output_tokens, output_tokens // 4 AS reasoning_tokens,
          inputs + reads + cache_write_tokens + output_tokens AS total_tokens, 'reported' AS tokens_basis,
          CASE WHEN n % 83 = 11 THEN 'error' ELSE 'ok' END AS status,
          CASE WHEN source = 'both' AND status = 'ok' THEN 'response_id' ELSE 'none' END AS match_rule,
          (micros * size / 1000000)::DECIMAL(18,12) AS money,
          CASE WHEN source = 'openclaw' THEN NULL ELSE money END AS spend_usd,
          CASE WHEN source <> 'litellm' THEN money END AS estimate_usd,
          money AS cost_usd,
          CASE WHEN source = 'openclaw' THEN 'estimate' ELSE 'spend' END AS cost_basis,
          CASE WHEN model NOT LIKE 'nightly%' THEN (money * {LIST_FACTOR})::DECIMAL(18,12) END AS list_usd
        FROM sized
        """
    )
    con.execute(
        "CREATE TABLE core.turns AS SELECT turn_id, bool_or(category = 'heartbeat poll' AND hash(call_id) % 10 > 0) "
        "AS is_empty_poll FROM core.calls WHERE turn_id IS NOT NULL GROUP BY turn_id"
    )
    con.execute(
        "CREATE TABLE core.session_keys AS SELECT DISTINCT agent_id, session_id, "
        "'agent:' || agent_id || ':' || session_type || ':' || right(session_id, 2) AS session_key, "
        "CASE WHEN session_type = 'named' THEN 'FAD-3' || right(session_id, 1) || ' migration' END AS label "
        "FROM core.calls WHERE session_id IS NOT NULL"
    )


def _make_ops(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "CREATE TABLE ops.loads (load_id BIGINT, source VARCHAR, scope VARCHAR, started_at TIMESTAMP, "
        "finished_at TIMESTAMP, status VARCHAR, rows BIGINT, bytes_read BIGINT, quarantined BIGINT, "
        "newest_data_at TIMESTAMP, problem VARCHAR)"
    )
    con.execute(
        "INSERT INTO ops.loads VALUES "
        "(1, 'openclaw', 'local', '2026-11-22 08:00', '2026-11-22 08:00:02', 'ok', 900, 9000, 0, "
        "'2026-11-22 07:58', NULL), "
        "(2, 'openclaw', 'local', '2026-11-23 08:00', '2026-11-23 08:00:02', 'ok', 100, 1000, 0, "
        "'2026-11-23 07:55', NULL), "
        "(3, 'litellm', 'http://litellm:4000', '2026-11-23 08:00:03', '2026-11-23 08:00:04', 'ok', 90, 0, 0, "
        "'2026-11-23 07:57', NULL)"
    )
    con.execute(
        "CREATE TABLE ops.quarantine (source VARCHAR, host VARCHAR, item VARCHAR, position BIGINT, reason VARCHAR, "
        "first_seen_at TIMESTAMP)"
    )
