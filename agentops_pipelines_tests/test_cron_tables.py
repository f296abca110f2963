"""core.cron_runs and core.cron_jobs: what a run cost stands in its transcript, and only there."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from agentops_pipelines.sources.batches import Batch
from agentops_pipelines.sources.schemas import OPENCLAW_CRON_JOBS, OPENCLAW_CRON_RUNS
from agentops_pipelines_tests.rows import batch, frame, line
from agentops_pipelines_tests.world import built, rows

T = datetime(2026, 11, 23, 10)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def job(job_id: str, **changes: object) -> dict:
    return {"host": "local", "job_id": job_id, "agent_id": "alec", "name": f"job {job_id}", "observed_at": T, **changes}


def run(job_id: str, session_id: str | None, started: datetime, **changes: object) -> dict:
    return {
        "host": "local",
        "job_id": job_id,
        "started_at": started,
        "finished_at": started + MINUTE,
        "session_id": session_id,
        "run_key": session_id or "",
        "status": "ok",
        **changes,
    }


RUNS = [
    run("own", "s1", T),  # two calls, one of them failed: 160 tokens, $0.30
    run("lasting", "s2", T),  # a session that lives on: the first call is this run's,
    run("lasting", "s2", T + 5 * MINUTE, run_key="2"),  # the second that one's, the third nobody's
    run("gone", "s3", T, status="error", error_kind="timeout"),  # its transcript was never seen
    run("event", None, T),  # an event in the main session: no session of its own
    run("idle", "s4", T, run_key="manual:idle:1", run_id="manual:idle:1"),  # a person started it; nothing to do
    run("silent", None, T, poll_phrase="NO_REPLY"),  # only the log's summary says so
    run("heartbeat-main", None, T, status="skipped"),
]
LINES = [
    line("1", T + SECOND, session_id="s1", estimate_usd=0.3),
    line(
        "2", T + 2 * SECOND, session_id="s1", stop_reason="error", input_tokens=0, cache_read_tokens=0, output_tokens=0
    ),
    line("3", T + SECOND, session_id="s2", estimate_usd=0.1),
    line("4", T + 5 * MINUTE + SECOND, session_id="s2", estimate_usd=0.2),
    line("5", T + 3 * MINUTE, session_id="s2", estimate_usd=0.7),
    line("6", T + SECOND, session_id="s4", estimate_usd=0.01, poll_phrase="NO_REPLY"),
]
JOBS = [
    job("own", delivery_mode="none"),
    job("heartbeat-main", is_builtin=True),
]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    """Runs by their key beside the job."""
    cron = Batch(
        tables={
            OPENCLAW_CRON_JOBS: frame(OPENCLAW_CRON_JOBS, JOBS),
            OPENCLAW_CRON_RUNS: frame(OPENCLAW_CRON_RUNS, RUNS),
        }
    )
    home = tmp_path_factory.mktemp("home")
    with built(home, batch(lines=LINES), cron, only=["core.cron_runs"]) as connection:
        table = rows(connection, "SELECT * FROM core.cron_runs")
    return {f"{row['job_id']}/{row['run_key']}": row for row in table}


def test_every_run_of_the_log_is_one_row(found: dict[str, dict]) -> None:
    assert len(found) == len(RUNS)


@pytest.mark.parametrize(
    ("key", "calls", "tokens", "cost"),
    [
        ("own/s1", 2, 160, "0.30"),
        ("lasting/s2", 1, 160, "0.10"),
        ("lasting/2", 1, 160, "0.20"),
        ("gone/s3", 0, 0, None),
        ("event/", 0, 0, None),
    ],
)
def test_a_run_costs_what_its_calls_cost(
    found: dict[str, dict], key: str, calls: int, tokens: int, cost: str | None
) -> None:
    row = found[key]
    assert (row["calls"], row["total_tokens"]) == (calls, tokens)
    assert row["cost_usd"] == (None if cost is None else Decimal(cost))


def test_manual_and_built_in_runs_are_marked(found: dict[str, dict]) -> None:
    assert {key for key, row in found.items() if row["is_manual"]} == {"idle/manual:idle:1"}
    assert {key for key, row in found.items() if row["is_builtin"]} == {"heartbeat-main/"}


def test_a_run_with_nothing_to_do_is_known_by_its_transcript_or_its_summary(found: dict[str, dict]) -> None:
    assert {key for key, row in found.items() if row["is_empty_poll"]} == {"idle/manual:idle:1", "silent/"}


def test_name_and_delivery_come_from_the_job_and_a_run_outlives_it(found: dict[str, dict]) -> None:
    assert (found["own/s1"]["job_name"], found["own/s1"]["delivery_mode"]) == ("job own", "none")
    assert (found["gone/s3"]["job_name"], found["gone/s3"]["agent_id"]) == (None, None)
