"""Which way LiteLLM is read: its database when set, with what only the API knows beside it; else the API alone."""

from datetime import datetime
from pathlib import Path

from agentops_pipelines.defs.ingest import load_parts, warehouse_of
from agentops_pipelines.defs.litellm import DATABASE_SCOPE, proxy_parts
from agentops_pipelines.settings import load_settings
from agentops_pipelines_tests.litellm_postgres import KEYS, PASSWORD, SPEND_LOGS, serve_postgres
from agentops_pipelines_tests.litellm_server import recorded_rows, serve_recording

NOW = datetime(2026, 11, 25)


def test_the_database_wins_and_the_api_adds_deployments_and_routes(home: Path) -> None:
    with serve_postgres() as server, serve_recording("gateway") as proxy:
        database = server.new_database()
        database.create("LiteLLM_SpendLogs", SPEND_LOGS)
        database.create("LiteLLM_VerificationToken", KEYS)
        database.insert_all("LiteLLM_SpendLogs", recorded_rows("gateway"))
        settings = load_settings(
            {
                "AGENTOPS_HOME": str(home),
                "AGENTOPS_LITELLM_DATABASE_URL": database.url,
                "AGENTOPS_LITELLM_BASE_URL": proxy.base_url,
                "AGENTOPS_LITELLM_API_KEY": proxy.api_key,
            }
        )
        parts = proxy_parts(settings, now=NOW)
        loaded = load_parts(warehouse_of(settings), "litellm", parts, observed_at=NOW)
    assert [part.scope for part in parts] == [DATABASE_SCOPE, proxy.base_url]
    assert loaded.problems == []
    assert loaded.rows["raw.litellm_spend_logs"] == 417
    assert loaded.rows["raw.litellm_deployments"] > 0
    assert proxy.asked("/spend/logs/v2") == []


def test_a_database_that_is_down_is_named_without_its_password_and_the_api_part_still_loads(home: Path) -> None:
    with serve_recording("gateway") as proxy:
        settings = load_settings(
            {
                "AGENTOPS_HOME": str(home),
                "AGENTOPS_LITELLM_DATABASE_URL": f"postgresql://litellm:{PASSWORD}@127.0.0.1:9/litellm",
                "AGENTOPS_LITELLM_BASE_URL": proxy.base_url,
                "AGENTOPS_LITELLM_API_KEY": proxy.api_key,
            }
        )
        loaded = load_parts(warehouse_of(settings), "litellm", proxy_parts(settings, now=NOW), observed_at=NOW)
    (problem,) = loaded.problems
    assert "AGENTOPS_LITELLM_DATABASE_URL" in problem
    assert PASSWORD not in problem
    assert loaded.rows["raw.litellm_deployments"] > 0
