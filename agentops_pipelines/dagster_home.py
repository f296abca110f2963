"""The Dagster home of a pipeline: $AGENTOPS_HOME/dagster, with the settings that Dagster reads only from there.

Belongs here: only that. Dagster is imported only where an instance is opened: it takes a second.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from agentops_pipelines.warehouse import make_private

if TYPE_CHECKING:
    from dagster import DagsterInstance

_PACKAGE = Path(__file__).parent
WORKSPACE = _PACKAGE / "workspace.yaml"
"""Tells Dagster's own programs where the definitions are."""


def prepare_dagster_home(home: Path) -> Path:
    """Make the Dagster home under AGENTOPS_HOME, with its dagster.yaml; an existing one is the operator's.

    Sets DAGSTER_HOME for this process and what it starts: dagster.yaml reads it.
    """
    make_private(home)
    folder = home / "dagster"
    folder.mkdir(exist_ok=True)
    if not (folder / "dagster.yaml").exists():
        shutil.copyfile(_PACKAGE / "dagster.yaml", folder / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(folder)
    return folder


@contextmanager
def dagster_instance(home: Path) -> Iterator["DagsterInstance"]:
    """The Dagster instance of a pipeline.

    One process opens it at a time: two that make its SQLite files at once leave them unusable, for good.
    """
    import dagster as dg

    folder = prepare_dagster_home(home)
    with (folder / "opening.lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        instance = dg.DagsterInstance.from_config(str(folder))
    with instance:
        yield instance


def make_storage(home: Path) -> None:
    """Make the SQLite files of a new home, before several of Dagster's programs start in it."""
    if not (prepare_dagster_home(home) / "schedules" / "schedules.db").exists():  # the last one to be made
        with dagster_instance(home):
            pass
