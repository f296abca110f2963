"""Runs the job `weekly_report` in this process, in the Dagster home of AGENTOPS_HOME, so that `agentops dev` shows it.

Belongs here: the launch, and what the run's events mean for a person. Does not belong here: printing (cli.py) or what
the job does (defs/).
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
from sqlalchemy.exc import OperationalError

from agentops_pipelines.dagster_home import dagster_instance
from agentops_pipelines.definitions import defs
from agentops_pipelines.defs import report, tables
from agentops_pipelines.defs.failures import step_failures
from agentops_pipelines.defs.ingest import SOURCE_LOADED
from agentops_pipelines.defs.schedule import JOB, WINDOW_TAG
from agentops_pipelines.report.chart import start_engine
from agentops_pipelines.report.files import ReportFiles
from agentops_pipelines.settings import Settings
from agentops_pipelines.warehouse import unwritable

LOCATION = "agentops_pipelines"


@dataclass(frozen=True, kw_only=True)
class RunOutcome:
    """What one run of the job came to."""

    run_id: str
    is_published: bool
    """Whether the tables were made and published."""
    failures: tuple[str, ...]
    """Steps that failed, each as a sentence."""
    missing: tuple[str, ...]
    """Sources, or parts of them, that could not be read."""
    undelivered: str
    """Why the report is not in Discord although it should be; empty when all is well."""
    files: ReportFiles | None
    """The report's files; None when no report was made."""


def run_weekly_report(settings: Settings, *, window_id: str, post: bool) -> RunOutcome:
    """Run the job for one window. Whatever a step raises is in the outcome and in the run's event log."""
    threading.Thread(target=start_engine).start()  # on the other core: the report finds it running
    with _writing(settings.home):
        return _run(settings.home, window_id=window_id, post=post)


@contextmanager
def _writing(home: Path) -> Iterator[None]:
    """Dagster's own files lie in the home too. Raises WarehouseUnwritable when they cannot be written."""
    try:
        yield
    except (OperationalError, OSError) as error:
        problem = unwritable(error.orig or error if isinstance(error, OperationalError) else error, home=home)
        if problem is None:
            raise
        raise problem from error


def _run(home: Path, *, window_id: str, post: bool) -> RunOutcome:
    job = defs().resolve_job_def(JOB)
    with dagster_instance(home) as instance:
        result = job.execute_in_process(
            instance=instance,
            raise_on_error=False,
            run_config={
                "ops": {report.OP: {"config": {"window_id": window_id, "post": post}}},
                # The command prints its own lines; the event log has everything.
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
            },
            tags={WINDOW_TAG: window_id, ".dagster/repository": f"__repository__@{LOCATION}"},
        )
    return _outcome(result)


def _outcome(result: dg.ExecuteInProcessResult) -> RunOutcome:
    failed = [check for check in result.get_asset_check_evaluations() if not check.passed]
    missing: list[str] = []
    for check in failed:
        if check.check_name == SOURCE_LOADED:
            missing += (check.description or "").splitlines()
    undelivered = next((check.description or "" for check in failed if check.check_name == report.DELIVERED), "")
    return RunOutcome(
        run_id=result.run_id,
        is_published=result.is_node_success(tables.OP),
        failures=tuple(step_failures(result.get_step_failure_events(), with_foreign_texts=True)),
        missing=tuple(missing),
        undelivered=undelivered,
        files=_files(result),
    )


def _files(result: dg.ExecuteInProcessResult) -> ReportFiles | None:
    for materialization in result.asset_materializations_for_node(report.OP):
        page, chart = materialization.metadata["page"].value, materialization.metadata["chart_file"].value
        return ReportFiles(html=Path(str(page)), chart=Path(str(chart)))
    return None
