"""Makes a `Report` from the published DuckDB file. Belongs here: only that one step, fetch then analyse."""

from pathlib import Path

from agentops_pipelines.report.analyse import Report, analyse
from agentops_pipelines.report.fetch import fetch


def build_report(published_path: Path, *, window_id: str) -> Report:
    """The report of one window: `trailing_7d`, or an ISO week like `2026-W47`.

    Raises PublishedMissing before the first run and UnknownWindow for a window that the file does not have.
    """
    return analyse(fetch(published_path, window_id=window_id))
