"""The Dagster home of a pipeline: $AGENTOPS_HOME/dagster, with the settings that Dagster reads only from there.

Belongs here: only that. No Dagster import: `agentops dev` prepares the home for other processes.
"""

import os
import shutil
from pathlib import Path

from agentops_pipelines.warehouse import make_private

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
