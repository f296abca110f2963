"""The first load of a proxy that has run for a year: where it begins, and that a kill half way costs only the day.

Forty days stand for the year; with AGENTOPS_THOROUGH=1 it is 365. The path is the same: each day is asked for,
committed and noted in the ledger by itself, and nothing depends on how many there are.
"""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agentops_pipelines.defs.litellm import FIRST_LOAD, proxy_parts
from agentops_pipelines.settings import load_settings
from agentops_pipelines.sources.batches import Ledger
from agentops_pipelines.warehouse import Warehouse
from agentops_pipelines_tests.crash_child import Failpoint, litellm_load
from agentops_pipelines_tests.litellm_postgres import KEYS, SPEND_LOGS, Database, serve_postgres
from agentops_pipelines_tests.litellm_server import LoopbackProxy, serve_litellm
from agentops_pipelines_tests.litellm_store import row

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["agentops_pipelines_tests.crash_child"])

IS_THOROUGH = os.environ.get("AGENTOPS_THOROUGH", "") == "1"
DAYS = 365 if IS_THOROUGH else 40
HALF = DAYS // 2
NOW = datetime(2026, 11, 24, 8)
FIRST_DAY = datetime(2026, 11, 24) - timedelta(days=DAYS - 1)
SPEND = [row(n, FIRST_DAY + timedelta(days=n, hours=6)) for n in range(DAYS)]
"""One call a day at 06:00, the last one two hours ago."""


def found(home: Path) -> tuple[int, float, int]:
    """Rows and spend in the warehouse, and days that its ledger knows."""
    with Warehouse(home).locked("a look") as locked, locked.connect() as writer:
        query = "SELECT count(*), CAST(coalesce(sum(spend_usd), 0) AS DOUBLE) FROM raw.litellm_spend_logs"
        ((rows, spend),) = writer.con.execute(query).fetchall()
        ((days,),) = writer.con.execute("SELECT count(*) FROM ops.ledger WHERE item LIKE 'spend_logs/%'").fetchall()
    return rows, spend, days


def load_in_child(environ: dict[str, str], failpoint: Failpoint | None = None) -> int | None:
    process = CONTEXT.Process(target=litellm_load, args=(environ, NOW, failpoint))
    process.start()
    process.join(120)
    return process.exitcode


@contextmanager
def http(home: Path) -> Iterator[tuple[dict[str, str], LoopbackProxy]]:
    with serve_litellm(rows=SPEND) as proxy:
        environ = {
            "AGENTOPS_HOME": str(home),
            "AGENTOPS_LITELLM_BASE_URL": proxy.base_url,
            "AGENTOPS_LITELLM_API_KEY": proxy.api_key,
        }
        yield environ, proxy


def test_a_year_over_http_killed_half_way_goes_on_where_it_was(home: Path) -> None:
    with http(home) as (environ, proxy):
        environ["AGENTOPS_SINCE"] = FIRST_DAY.date().isoformat()
        # The last day of the first half is in the warehouse, the next one was asked for.
        half = Failpoint(name="commit", call=HALF + 1, after=False)
        assert load_in_child(environ, half) == -signal.SIGKILL
        assert found(home) == (HALF, HALF * 0.25, HALF)
        proxy.requests.clear()
        assert load_in_child(environ) == 0
        asked = proxy.asked("/spend/logs/v2")
    assert asked[0]["start_date"] == f"{FIRST_DAY + timedelta(days=HALF):%Y-%m-%d} 00:00:00"
    assert len(asked) == DAYS - HALF
    assert found(home) == (DAYS, DAYS * 0.25, DAYS)


def test_a_year_in_postgresql_killed_half_way_goes_on_where_it_was(home: Path) -> None:
    with serve_postgres() as server:
        database: Database = server.new_database()
        database.create("LiteLLM_SpendLogs", SPEND_LOGS)
        database.create("LiteLLM_VerificationToken", KEYS)
        rows: list[dict[str, Any]] = [{**log, "created_at": log["endTime"], "updated_at": None} for log in SPEND]
        database.insert_all("LiteLLM_SpendLogs", rows)
        environ = {"AGENTOPS_HOME": str(home), "AGENTOPS_LITELLM_DATABASE_URL": database.url}
        half = Failpoint(name="commit", call=HALF + 1, after=False)
        assert load_in_child(environ, half) == -signal.SIGKILL
        assert found(home) == (HALF, HALF * 0.25, HALF)
        assert load_in_child(environ) == 0
    assert found(home) == (DAYS, DAYS * 0.25, DAYS)


@pytest.mark.parametrize(
    ("since", "first"),
    [("", NOW - FIRST_LOAD), ("2026-11-20", datetime(2026, 11, 20))],
)
def test_the_first_day_is_as_set_or_ninety_days_ago(home: Path, since: str, first: datetime) -> None:
    with http(home) as (environ, proxy):
        settings = load_settings(environ | ({"AGENTOPS_SINCE": since} if since else {}))
        (part,) = proxy_parts(settings, now=NOW)
        for _ in part.read(Ledger(source="litellm"), home):
            pass
        asked = proxy.asked("/spend/logs/v2")
    assert asked[0]["start_date"] == f"{first:%Y-%m-%d} 00:00:00"
    assert len(asked) == (NOW.date() - first.date()).days + 1
