"""What all SQL tables cost as calls grow: `python -m agentops_pipelines_tests.benchmarks.matching_scale --calls N ...`.

Raw rows of N calls on each side are made inside DuckDB (50 calls a session, a turn of five calls, 2 % of calls on one
side only, 1 % of lines without an id, 3 % errors), then every table is made within a memory limit. Printed: seconds of
each table, of core and of mart, the peak memory of the process, and the ratio to a bare aggregation of the same rows.
"""

import argparse
import resource
import tempfile
import time
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from agentops_pipelines.conf import write_conf_tables
from agentops_pipelines.settings import load_settings
from agentops_pipelines.sources.batches import Batch
from agentops_pipelines.sources.schemas import LITELLM_SPEND_LOGS, OPENCLAW_LINES, OPENCLAW_SESSIONS, RawTable
from agentops_pipelines.sqltables import load_tables
from agentops_pipelines.warehouse import Warehouse, Writer

AS_OF = datetime(2026, 11, 24, 8)
BARE = """
SELECT l.agent_id, count(*), sum(l.input_tokens + l.output_tokens)
FROM raw.openclaw_lines l GROUP BY l.agent_id
UNION ALL
SELECT s.key_alias, count(*), sum(s.prompt_tokens + s.output_tokens)
FROM raw.litellm_spend_logs s GROUP BY s.key_alias
"""

_CALLS = """
SELECT
  i, i // 50 AS session, 'agent-' || (i // 50) % 40 AS agent,
  TIMESTAMP '2026-08-20' + ((i // 50) * 2000 % 8200000) * INTERVAL '1' SECOND
    + (i % 50) * INTERVAL '31' SECOND + (hash(i) % 900) * INTERVAL '1' MILLISECOND AS began,
  ['triage', 'standard', 'heavy'][1 + (i // 50) % 3] AS model_group,
  400 + (i % 50) * 700 + hash(i + 1) % 600 AS input_tokens, (i % 50) * 512 AS cache_tokens,
  20 + hash(i + 2) % 900 AS output_tokens, hash(i + 3) % 100 AS dice
FROM range({calls}) t(i)
"""

_LINES = f"""
SELECT
  'local' AS host, agent AS agent_id, 's' || session AS session_id, 'l' || i AS line_id, i * 2 AS position,
  'assistant' AS kind, began + INTERVAL '4' SECOND AS written_at, began AS started_at, 'jsonl' AS origin,
  'litellm' AS provider, model_group AS model, CASE WHEN dice <> 7 THEN 'chatcmpl-' || i END AS response_id,
  CASE WHEN dice < 3 THEN 0 ELSE input_tokens END AS input_tokens,
  CASE WHEN dice < 3 THEN 0 ELSE cache_tokens END AS cache_read_tokens, 0 AS cache_write_tokens,
  CASE WHEN dice < 3 THEN 0 ELSE output_tokens END AS output_tokens, 0.001 AS estimate_usd,
  CASE WHEN dice < 3 THEN 'error' ELSE 'stop' END AS stop_reason, 40 AS reply_chars, 0 AS tool_calls
FROM ({_CALLS}) WHERE dice <> 98
UNION ALL BY NAME
SELECT
  'local' AS host, agent AS agent_id, 's' || session AS session_id, 'u' || i AS line_id, i * 2 - 1 AS position,
  'user' AS kind, began - INTERVAL '1' SECOND AS written_at, began - INTERVAL '1' SECOND AS started_at,
  'jsonl' AS origin,
  CASE WHEN session % 3 = 0 THEN 'heartbeat_poll' END AS mark
FROM ({_CALLS}) WHERE i % 5 = 0
"""

_REQUESTS = f"""
SELECT
  CASE WHEN dice < 3 THEN 'f' || i ELSE 'chatcmpl-' || i END AS request_id, 'c' || i AS litellm_call_id,
  'acompletion' AS call_type, began + INTERVAL '40' MILLISECOND AS started_at, began + INTERVAL '4' SECOND AS ended_at,
  began + INTERVAL '1' SECOND AS first_token_at, CASE WHEN dice < 3 THEN 'failure' ELSE 'success' END AS status,
  'hash-' || agent AS key_hash, agent AS key_alias, 'azure/gpt-5.4' AS model, 'azure' AS provider,
  'dep-' || model_group AS deployment_id, model_group, model_group AS original_model_group,
  CASE WHEN dice < 3 THEN 14 ELSE input_tokens + cache_tokens END AS prompt_tokens, cache_tokens AS cache_read_tokens,
  CASE WHEN dice < 3 THEN 0 ELSE output_tokens END AS output_tokens, 0.002 AS spend_usd,
  0 AS attempted_retries, CASE WHEN dice = 50 THEN 1 ELSE 0 END AS attempted_fallbacks,
  CASE WHEN dice < 3 THEN 'rate_limit' END AS error_kind, 'OpenAI/JS 6' AS user_agent
FROM ({_CALLS}) WHERE dice <> 99
"""

_SESSIONS = """
SELECT
  'local' AS host, 'agent-' || s % 40 AS agent_id, 's' || s AS session_id,
  'agent:agent-' || s % 40 || ['main', 'cron:job-' || s % 90, 'subagent:' || s][1 + s % 3] AS session_key
FROM range({calls} // 50) t(s)
"""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Measure all SQL tables on many calls.")
    parser.add_argument("--calls", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--memory", default="6GB", help="DuckDB's memory limit")
    parser.add_argument("--tables", action="store_true", help="print every table")
    arguments = parser.parse_args()
    for calls in arguments.calls:
        with tempfile.TemporaryDirectory(prefix="matching-scale-") as folder:
            _measure(Path(folder), calls, memory=arguments.memory, each=arguments.tables)


def _measure(home: Path, calls: int, *, memory: str, each: bool) -> None:
    settings = load_settings({"AGENTOPS_HOME": str(home)})
    spent: dict[str, float] = {}
    with Warehouse(home).locked("benchmark") as locked, locked.connect() as writer:
        writer.con.execute(f"SET memory_limit = '{memory}'")
        writer.con.execute("SET threads = 2")
        writer.load("benchmark", [Batch(tables={})], scope="none", observed_at=AS_OF)
        for table, query in ((OPENCLAW_LINES, _LINES), (LITELLM_SPEND_LOGS, _REQUESTS), (OPENCLAW_SESSIONS, _SESSIONS)):
            _fill(writer, table, query.format(calls=calls))
        write_conf_tables(writer, settings, as_of=AS_OF)
        spent["bare"] = _timed(lambda: writer.con.execute(BARE).fetchall())
        for name, table in load_tables().items():
            spent[name] = _timed(lambda table=table: writer.run_table(table))
        pairs = writer.con.execute("SELECT match_rule, count(*) FROM core.matches GROUP BY 1 ORDER BY 1").fetchall()
    _print(calls, spent, pairs, each=each)


def _fill(writer: Writer, table: RawTable, query: str) -> None:
    writer.con.execute(f"INSERT INTO {table.qualified_name} BY NAME {query}")


def _timed(work: object) -> float:
    started = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - started


def _print(calls: int, spent: dict[str, float], pairs: list[tuple], *, each: bool) -> None:
    shown = Table(title=f"{calls:,} calls on each side, seconds (wall, two threads)")
    shown.add_column("what")
    shown.add_column("s", justify="right")
    shown.add_column("x bare", justify="right")
    sums = {
        f"all {schema}.*": sum(time_ for name, time_ in spent.items() if name.startswith(f"{schema}."))
        for schema in ("core", "mart")
    }
    lines = {**(spent if each else {"bare": spent["bare"]}), **sums}
    for name, seconds in lines.items():
        shown.add_row(name, f"{seconds:.2f}", f"{seconds / spent['bare']:.1f}")
    console = Console(width=100)
    console.print(shown)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    console.print(f"peak memory {peak:,.0f} MB; pairs {dict(pairs)}")


if __name__ == "__main__":
    main()
