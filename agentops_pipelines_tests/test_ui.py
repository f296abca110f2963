"""`agentops dev` in a real browser: a run from the first click to its chart, and nothing left behind.

Pictures are kept where AGENTOPS_PICTURES says, to be looked at. Needs Chromium; only in CI (CI=true) is its absence a
failure, elsewhere `make test` must pass on a machine that has Python alone.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentops_pipelines_tests.browser import NAMES, Page, find_chromium, open_browser

CHART_IS_DRAWN = "[...document.images].some(image => image.alt == 'cost by day' && image.naturalWidth == 900)"
COMMAND = (sys.executable, "-m", "agentops_pipelines")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def processes_of(home: Path) -> list[str]:
    """Command lines of the processes whose Dagster home is `home`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environ = (process / "environ").read_bytes()
            if f"DAGSTER_HOME={home}".encode() in environ:
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return [line for line in found if line]


@pytest.fixture
def page() -> Iterator[Page]:
    program = find_chromium()
    if program is None:
        if os.environ.get("CI"):
            pytest.fail(f"there is no Chromium on this machine ({', '.join(NAMES)})")
        pytest.skip("needs Chromium")
    with open_browser(program) as opened:
        yield opened


def test_the_ui_runs_the_job_shows_what_it_made_and_ends_with_ctrl_c(home: Path, page: Page, tmp_path: Path) -> None:
    pictures = Path(os.environ.get("AGENTOPS_PICTURES") or tmp_path)
    port = free_port()
    served = subprocess.Popen([*COMMAND, "dev", "--demo", "--port", str(port)], stdout=subprocess.PIPE, text=True)
    try:
        assert served.stdout is not None
        assert "logs are in" in served.stdout.readline()
        assert served.stdout.readline() == f"Dagster is at http://127.0.0.1:{port}. Ctrl-C ends it.\n"
        url = f"http://127.0.0.1:{port}"
        jobs = f"{url}/locations/agentops_pipelines/jobs"

        page.open(f"{jobs}/weekly_report")
        page.wait_for("Materialize all")
        page.click("Materialize all")
        page.wait_for("Launched")
        page.open(f"{url}/runs")
        page.wait_for("weekly_report", "Success", seconds=300)
        page.picture(pictures / "runs.png")

        page.open(f"{url}/asset-groups")
        page.wait_for("raw_openclaw", "raw_litellm", "core", "mart", "report", "Materialize all")
        page.wait_until(lambda shown: "fetching" not in shown and "Loading" not in shown, what="statuses of all groups")
        page.picture(pictures / "graph.png")

        page.open(f"{url}/assets/core/calls")
        page.wait_for("Row count", "call_id", "Model calls", "weekly_report", "Grain: one row per", "agentops/litellm")
        page.picture(pictures / "calls.png")

        page.open(f"{url}/assets/mart/weekly_summary?view=checks")
        checks = page.wait_for("fresh", "match_rate", "unknown_share", "unpriced_share", "litellm_hours")
        assert checks.count("Succeeded") == 4
        page.picture(pictures / "checks.png")

        page.open(f"{url}/assets/report/weekly")
        page.wait_for("Freshness policy", "headline", "at list prices", "[Show Markdown]")
        page.picture(pictures / "report.png")
        page.click("[Show Markdown]")
        page.wait_until(lambda _: bool(page.evaluate(CHART_IS_DRAWN)), what="the chart")
        page.picture(pictures / "chart.png")

        page.open(f"{jobs}/past_weeks/partitions")
        page.wait_for("Launch backfill", "2026-W46", "2026-W47")
        page.picture(pictures / "past_weeks.png")

        page.open(f"{url}/automation")
        page.wait_for("monday_report", "08:00 AM")
        page.picture(pictures / "automation.png")

        assert page.errors == []
        assert page.hosts == {f"127.0.0.1:{port}"}
    finally:
        served.send_signal(signal.SIGINT)
        assert served.wait(60) == 0
    deadline = time.monotonic() + 20
    while processes_of(home / "demo" / "dagster") and time.monotonic() < deadline:
        time.sleep(0.2)
    assert processes_of(home / "demo" / "dagster") == []
