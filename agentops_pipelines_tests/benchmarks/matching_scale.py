"""What all SQL tables cost as calls grow: `python -m agentops_pipelines_tests.benchmarks.matching_scale --calls N ...`.

Raw rows of N calls on each side are made inside DuckDB (50 calls a session, a turn of five calls, 2 % of calls on one
side only, 1 % of lines without an id, 3 % errors), then every table is made within a memory limit. Printed are clock
and CPU seconds of each table, of core and of mart, beside a copy of the same raw rows in the same run, and the peak
memory; with several numbers of calls, also how each grows from the first to the last.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
COPY = "copy of both raw tables"
LEAST_SHOWN = 0.1
"""CPU seconds: tables below it are not listed unless asked for."""

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


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What one step took."""

    wall_seconds: float
    cpu_seconds: float

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(
            wall_seconds=self.wall_seconds + other.wall_seconds, cpu_seconds=self.cpu_seconds + other.cpu_seconds
        )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Measure all SQL tables on many calls.")
    parser.add_argument("--calls", type=int, nargs="+", default=[1_000_000], help="each is measured, smallest first")
    parser.add_argument("--memory", default="4GB", help="DuckDB's memory limit")
    parser.add_argument("--tables", action="store_true", help="print every table, also the quick ones")
    arguments = parser.parse_args()
    console = Console(width=110)
    measured: dict[int, dict[str, Spent]] = {}
    for calls in sorted(arguments.calls):
        with tempfile.TemporaryDirectory(prefix="matching-scale-") as folder:
            measured[calls], pairs = _measure(Path(folder), calls, memory=arguments.memory)
        _print(console, calls, measured[calls], least=0.0 if arguments.tables else LEAST_SHOWN)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        console.print(f"peak memory {peak:,.0f} MB; pairs {pairs}")
    if len(measured) > 1:
        _print_growth(console, measured, least=0.0 if arguments.tables else LEAST_SHOWN)


def _measure(home: Path, calls: int, *, memory: str) -> tuple[dict[str, Spent], dict[str, int]]:
    settings = load_settings({"AGENTOPS_HOME": str(home)})
    spent: dict[str, Spent] = {}
    with Warehouse(home).locked("benchmark") as locked, locked.connect() as writer:
        writer.load("benchmark", [Batch(tables={})], scope="none", observed_at=AS_OF)
        writer.con.execute(f"SET memory_limit = '{memory}'")  # after the load, which goes back to DuckDB's own limits
        writer.con.execute("SET threads = 2")
        for table, query in ((OPENCLAW_LINES, _LINES), (LITELLM_SPEND_LOGS, _REQUESTS), (OPENCLAW_SESSIONS, _SESSIONS)):
            _fill(writer, table, query.format(calls=calls))
        write_conf_tables(writer, settings, as_of=AS_OF)
        spent[COPY] = _timed(lambda: _copy(writer))
        for name, table in load_tables().items():
            spent[name] = _timed(lambda table=table: writer.run_table(table))
        pairs = writer.con.execute("SELECT match_rule, count(*) FROM core.matches GROUP BY 1 ORDER BY 1").fetchall()
    return spent, dict(pairs)


def _fill(writer: Writer, table: RawTable, query: str) -> None:
    writer.con.execute(f"INSERT INTO {table.qualified_name} BY NAME {query}")


def _copy(writer: Writer) -> None:
    """The least that any table of all calls costs: reading its rows and writing them to the file."""
    for table in (OPENCLAW_LINES, LITELLM_SPEND_LOGS):
        writer.con.execute(f"CREATE OR REPLACE TABLE core.copy AS SELECT * FROM {table.qualified_name}")
    writer.con.execute("DROP TABLE core.copy")


def _timed(work: Callable[[], object]) -> Spent:
    started, cpu = time.perf_counter(), _cpu_seconds()
    work()
    return Spent(wall_seconds=time.perf_counter() - started, cpu_seconds=_cpu_seconds() - cpu)


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _with_sums(spent: Mapping[str, Spent]) -> dict[str, Spent]:
    sums = dict(spent)
    for schema in ("core", "mart"):
        nothing = Spent(wall_seconds=0.0, cpu_seconds=0.0)
        sums[f"all {schema}.*"] = sum((one for name, one in spent.items() if name.startswith(f"{schema}.")), nothing)
    return sums


def _print(console: Console, calls: int, spent: Mapping[str, Spent], *, least: float) -> None:
    shown = Table(title=f"{calls:,} calls on each side, two threads")
    shown.add_column("what")
    for column in ("s by the clock", "CPU s", "CPU x copy"):
        shown.add_column(column, justify="right")
    for name, one in _with_sums(spent).items():
        if one.cpu_seconds >= least:
            ratio = one.cpu_seconds / spent[COPY].cpu_seconds
            shown.add_row(name, f"{one.wall_seconds:.2f}", f"{one.cpu_seconds:.2f}", f"{ratio:.2f}")
    console.print(shown)


def _print_growth(console: Console, measured: Mapping[int, Mapping[str, Spent]], *, least: float) -> None:
    few, many = min(measured), max(measured)
    shown = Table(title=f"CPU seconds from {few:,} to {many:,} calls ({many / few:g} times as many)")
    shown.add_column("what")
    for column in (f"{few:,}", f"{many:,}", "times"):
        shown.add_column(column, justify="right")
    before = _with_sums(measured[few])
    for name, one in _with_sums(measured[many]).items():
        if before[name].cpu_seconds >= least:
            ratio = one.cpu_seconds / before[name].cpu_seconds
            shown.add_row(name, f"{before[name].cpu_seconds:.2f}", f"{one.cpu_seconds:.2f}", f"{ratio:.1f}")
    console.print(shown)


if __name__ == "__main__":
    main()
