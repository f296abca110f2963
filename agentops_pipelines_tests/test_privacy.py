"""What may be shown of addresses: never a user name, password or query, however broken the address is."""

from datetime import datetime
from pathlib import Path

import pytest

from agentops_pipelines.defs.ingest import load_parts, warehouse_of
from agentops_pipelines.defs.litellm import proxy_parts
from agentops_pipelines.settings import load_settings
from agentops_pipelines.sources.privacy import shown_url

HIDDEN = "hush"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://localhost:4000", "http://localhost:4000"),
        ("https://gateway.example/litellm/", "https://gateway.example/litellm"),
        ("http://user:hush@localhost:4000", "http://localhost:4000"),
        ("http://user:hu/hush@localhost:4000", "http://localhost:4000"),
        ("http://user:hush//hush@localhost:4000", "http://localhost:4000"),
        ("http://user:hu@hush@localhost", "http://localhost"),
        ("user:hush@localhost:4000", "localhost:4000"),
        ("user:hush//hush@localhost", "localhost"),
        ("http://localhost:4000/?api_key=hush", "http://localhost:4000/"),
        ("http://localhost:4000#hush", "http://localhost:4000"),
        ("http://user:hush?hush@localhost", "http://…(hidden)"),
        ("http://localhost/?api_key=hush@hush", "http://…(hidden)"),
        ("postgresql://litellm:hush@db:5432/litellm?password=hush", "postgresql://db:5432/litellm"),
        ("postgresql://litellm:hu/hush@db/litellm", "postgresql://db/litellm"),
        ("postgresql:///litellm?host=/run/postgresql", "postgresql:///litellm"),
        ("", ""),
    ],
)
def test_an_address_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert shown_url(url) == shown
    assert HIDDEN not in shown_url(url)


@pytest.mark.parametrize(
    ("setting", "url"),
    [
        ("AGENTOPS_LITELLM_BASE_URL", "http://user:hush@127.0.0.1:9"),
        ("AGENTOPS_LITELLM_BASE_URL", "http://127.0.0.1:9/?key=hush"),
        ("AGENTOPS_LITELLM_DATABASE_URL", "postgresql://user:hush@127.0.0.1:9/litellm"),
        ("AGENTOPS_LITELLM_DATABASE_URL", "postgresql://user:hu/hush@127.0.0.1:9/litellm"),
        ("AGENTOPS_LITELLM_DATABASE_URL", "postgresql://user:hu#hush@127.0.0.1:9/litellm"),
    ],
)
def test_a_password_in_an_address_reaches_neither_the_ledger_of_loads_nor_the_log(
    home: Path, setting: str, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    settings = load_settings({"AGENTOPS_HOME": str(home), "AGENTOPS_LITELLM_API_KEY": "sk-x", setting: url})
    now = datetime(2026, 11, 25)
    loaded = load_parts(warehouse_of(settings), "litellm", proxy_parts(settings, now=now), observed_at=now)
    (problem,) = loaded.problems
    assert setting in problem
    with warehouse_of(settings).locked("test") as locked, locked.connect() as writer:
        loads = writer.con.execute("SELECT * FROM ops.loads").fetchall()
    for text in (problem, caplog.text, str(loads)):
        assert HIDDEN not in text
