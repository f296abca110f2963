"""Cron jobs and runs for tests: name what matters, the rest is an orderly job that ran well.

Belongs here: such rows, and a world that loads them in several steps. Transcript lines and requests are in rows.py.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import duckdb

from agentops_pipelines.sources.batches import Batch
from agentops_pipelines.sources.openclaw.keys import public_run_id
from agentops_pipelines.sources.privacy import peer_label
from agentops_pipelines.sources.schemas import OPENCLAW_CRON_JOBS, OPENCLAW_CRON_RUNS
from agentops_pipelines.warehouse import read_published
from agentops_pipelines_tests.rows import Row, frame
from agentops_pipelines_tests.world import AS_OF, build_in_steps

LONG_AGO = datetime(2026, 11, 10)


def job(job_id: str, **changes: object) -> Row:
    """An agent's message to a named person, every morning at nine; its name is its id."""
    return {
        "host": "local",
        "job_id": job_id,
        "agent_id": "ada",
        "name": job_id,
        "is_enabled": True,
        "is_builtin": False,
        "schedule_kind": "cron",
        "schedule_expr": "0 9 * * *",
        "schedule_tz": "Europe/Berlin",
        "session_target": "isolated",
        "payload_kind": "agentTurn",
        "delivery_mode": "announce",
        "delivery_channel": "slack",
        "delivery_to": peer_label("U1"),
        "created_at": datetime(2026, 11, 1),
        "next_run_at": AS_OF + timedelta(hours=1),
        "last_run_at": datetime(2026, 11, 23, 8),
        "last_status": "ok",
        "consecutive_errors": 0,
        **changes,
    }


def run(job_id: str, finished_at: datetime, **changes: object) -> Row:
    """A run of that job, delivered."""
    return {
        "host": "local",
        "job_id": job_id,
        "finished_at": finished_at,
        "run_key": "",
        "agent_id": "ada",
        "started_at": finished_at - timedelta(minutes=1),
        "status": "ok",
        "model": "standard",
        "is_delivered": True,
        "delivery_status": "delivered",
        "intended_channel": "slack",
        "intended_to": peer_label("U1"),
        "resolved_ok": True,
        "resolved_channel": "slack",
        "resolved_to": peer_label("U1"),
        **changes,
    }


UNDELIVERED: Row = {
    "is_delivered": False,
    "delivery_status": "not-delivered",
    "resolved_ok": None,
    "resolved_channel": None,
    "resolved_to": None,
    "intended_channel": None,
    "intended_to": None,
}
"""How 2026.4 logs every run whose answer nobody got, or should have got."""

MANUAL = {"run_id": public_run_id("manual:7:1")}


def cron_batch(*, jobs: Sequence[Row] = (), runs: Sequence[Row] = (), other: Batch | None = None) -> Batch:
    """Jobs, runs and what `other` holds as one batch."""
    given = dict(other.tables) if other else {}
    return Batch(
        tables={
            **given,
            OPENCLAW_CRON_JOBS: frame(OPENCLAW_CRON_JOBS, jobs),
            OPENCLAW_CRON_RUNS: frame(OPENCLAW_CRON_RUNS, runs),
        }
    )


@contextmanager
def built_in_steps(
    home: Path, *loads: tuple[datetime, Batch], only: Sequence[str], toml: str = "", as_of: datetime = AS_OF
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published file of a world that was loaded in several steps, each at its moment, with what `only` needs."""
    steps = [(observed_at, [batch]) for observed_at, batch in loads]
    with read_published(build_in_steps(home, steps, toml=toml, as_of=as_of, only=only)) as connection:
        yield connection
