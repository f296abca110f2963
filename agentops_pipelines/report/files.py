"""Writes a report into a directory: the HTML page and the chart.

Belongs here: file names and how the files get there. Does not belong here: what is in them.
"""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from agentops_pipelines.report.analyse import Report
from agentops_pipelines.report.chart import chart_png
from agentops_pipelines.report.render import html_page


@dataclass(frozen=True, kw_only=True)
class ReportFiles:
    """Where the files of one report are."""

    html: Path
    chart: Path


def chart_name(window_id: str) -> str:
    """The file name of a window's chart."""
    return f"chart-{window_id}.png"


def write_report(report: Report, *, directory: Path) -> ReportFiles:
    """Write both files, making the directory if needed. A reader sees the old file or the new one, never half of it."""
    directory.mkdir(parents=True, exist_ok=True)
    window_id = report.window.window_id
    files = ReportFiles(html=directory / f"report-{window_id}.html", chart=directory / chart_name(window_id))
    _replace(files.html, html_page(report).encode("utf-8"))
    _replace(files.chart, chart_png(report))
    return files


def _replace(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
