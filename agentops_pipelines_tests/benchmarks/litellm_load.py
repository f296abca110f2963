"""What loading LiteLLM's PostgreSQL costs: `python -m agentops_pipelines_tests.benchmarks.litellm_load`.

Generated spend logs (generate_spend_logs) are copied into a server of its own. The scale to compare with is a bare
SELECT of the same rows, everything as text, fetched by the same driver and thrown away. Rows a second are by the clock:
server and reader share this machine's processors, so the server's CPU seconds stand beside the reader's.
"""

import argparse
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from agentops_pipelines_tests.benchmarks.measure import Measured, measure
from agentops_pipelines_tests.generate_spend_logs import COLUMNS, spend_log_chunks
from agentops_pipelines_tests.litellm_postgres import KEYS, SPEND_LOGS, PostgresServer, serve_postgres

TABLE = "LiteLLM_SpendLogs"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Measure the load of LiteLLM's PostgreSQL into DuckDB.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    arguments = parser.parse_args()
    console = Console(width=120)
    with serve_postgres() as server, tempfile.TemporaryDirectory(prefix="litellm-load-") as folder:
        url = _filled(server, rows=arguments.rows)
        home = Path(folder)
        steps = [
            (measure("start and imports", ["litellm_load_once"]), 0.0),
            _with_server(server, "bare SELECT", ["bare_select", url]),
            _with_server(server, "cold load", ["litellm_load_once", url, str(home)]),
            _with_server(server, "nothing new", ["litellm_load_once", url, str(home)]),
        ]
    console.print(_table(steps, rows=arguments.rows))
    report = steps[2][0].report
    if (report["rows"], report["quarantined"]) != (arguments.rows, 0):
        raise SystemExit(f"{report['rows']:,} rows of {arguments.rows:,}, {report['quarantined']} refused")
    console.print("every row is there")


def _filled(server: PostgresServer, *, rows: int) -> str:
    """A database with so many spend logs; its URL."""
    database = server.new_database()
    database.create(TABLE, SPEND_LOGS)
    database.create("LiteLLM_VerificationToken", KEYS)
    server.copy(database, TABLE, COLUMNS, spend_log_chunks(rows))
    database.execute(f'CREATE INDEX ON "{TABLE}" ("startTime", request_id)')
    database.execute(f'VACUUM ANALYZE "{TABLE}"')
    return database.url


def _with_server(server: PostgresServer, name: str, module: list[str]) -> tuple[Measured, float]:
    """A step, and the CPU seconds of the server's processes that ended with it."""
    before = _children_seconds(server.pid)
    step = measure(name, module)
    time.sleep(0.5)  # until the server has noticed that its client is gone
    return step, _children_seconds(server.pid) - before


def _children_seconds(pid: int) -> float:
    """CPU seconds of a process's children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / 100


def _table(steps: list[tuple[Measured, float]], *, rows: int) -> Table:
    scan = steps[1][0]
    table = Table(title=f"{rows:,} spend logs, {scan.report['bytes']:,} bytes as text")
    for column in ("step", "wall s", "rows/s", "CPU s", "server CPU s", "x SELECT", "peak MB", "rows"):
        table.add_column(column, justify="left" if column == "step" else "right", no_wrap=True)
    for step, server_seconds in steps:
        loaded = step.report.get("loaded", 0)
        table.add_row(
            step.name,
            f"{step.wall_seconds:.1f}",
            f"{loaded / step.report['seconds']:,.0f}" if loaded else "",
            f"{step.cpu_seconds:.1f}",
            f"{server_seconds:.1f}",
            f"{step.report.get('seconds', 0) / scan.report['seconds']:.1f}",
            f"{step.peak_mb:,.0f}",
            f"{loaded:,}",
        )
    return table


if __name__ == "__main__":
    main()
