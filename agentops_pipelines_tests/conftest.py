"""What every test stands on: no setting of the machine's own reaches a test.

Belongs here: only that. Small worlds to run against are in modules of their own (world.py, state_dirs.py).
"""

import os
from pathlib import Path

import pytest

# The Spark Connect client needs no Spark, but a helper of its package looks for one in a worker process and exits.
os.environ.setdefault("SPARK_HOME", os.devnull)


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Hide the person's own agents, pipeline and Dagster home from the tests, and undo what a command sets."""
    kept = ("AGENTOPS_RECORDINGS", "AGENTOPS_PICTURES")
    for name in tuple(os.environ):
        if name.startswith(("AGENTOPS_", "OPENCLAW_", "DAGSTER_")) and name not in kept:
            monkeypatch.delenv(name)
    monkeypatch.setenv("AGENTOPS_DEMO", "")  # `--demo` sets it for the process: this brings it back
    monkeypatch.setenv("AGENTOPS_HOME", str(tmp_path_factory.mktemp("agentops") / "home"))
    monkeypatch.setenv("OPENCLAW_STATE_DIR", "")


@pytest.fixture
def home() -> Path:
    """The AGENTOPS_HOME of this test; it does not exist yet."""
    return Path(os.environ["AGENTOPS_HOME"])


LONGEST = (
    "test_ui.py",
    "test_portable_sql.py",
    "test_run_end_to_end.py",
    "test_crash.py",
    "test_cli.py",
    "test_definitions.py",
    "test_schedule.py",
    "test_privacy_end_to_end.py",
    "test_tickets.py",
)
"""Begun first: a module of a minute that begins last leaves every other core idle for that minute. A module's tests run
in one process, because its tables are made once in each."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest modules first, in this order; all others stay as they are."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))
