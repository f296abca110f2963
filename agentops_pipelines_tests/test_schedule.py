"""Schedules and the sensor: which week a tick means, and that Discord gets everything once, whatever was missed."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._core.test_utils import freeze_time
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
from dagster._daemon.sensor import execute_sensor_iteration
from dagster._scheduler.scheduler import launch_scheduled_runs
from dagster._utils.schedules import schedule_execution_time_iterator

from agentops_pipelines.dagster_home import WORKSPACE, dagster_instance
from agentops_pipelines.definitions import defs
from agentops_pipelines.defs.schedule import monday_report
from agentops_pipelines.report import deliver
from agentops_pipelines.settings import Config, SettingsError
from agentops_pipelines.weeks import UnknownWeek, last_complete_week, parse_week
from agentops_pipelines_tests.discord_server import DiscordServer, Message, discord
from agentops_pipelines_tests.state_dirs import write_state_dir

BERLIN = ZoneInfo("Europe/Berlin")
SCHEDULE = monday_report(Config(timezone="Europe/Berlin"))
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}

MARCH = [datetime(2026, 3, day, 9) for day in (10, 17, 18, 24, 25, 26)]
"""One call in week 11, two in week 12, three in week 13, at whose end the clocks go forward."""


@pytest.fixture
def channel(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DiscordServer]:
    """A pipeline in Berlin with calls in March, and the Discord channel it posts to."""
    home.mkdir()
    (home / "agentops.toml").write_text('timezone = "Europe/Berlin"\nalerts.enabled = false', encoding="utf-8")
    monkeypatch.setenv("AGENTOPS_OPENCLAW_STATE_DIRS", str(write_state_dir(tmp_path / "openclaw", MARCH)))
    with discord() as server:
        monkeypatch.setenv("AGENTOPS_DISCORD_WEBHOOK_URL", server.url)
        yield server


def tick(moment: datetime) -> dg.RunRequest:
    """What the schedule asks for at one tick."""
    data = SCHEDULE.evaluate_tick(dg.build_schedule_context(scheduled_execution_time=moment))
    assert data.run_requests is not None
    (request,) = data.run_requests
    return request


# --- which week


@pytest.mark.parametrize(
    ("moment", "week"),
    [
        (datetime(2026, 11, 23, 8, tzinfo=BERLIN), "2026-W47"),
        (datetime(2026, 3, 30, 8, tzinfo=BERLIN), "2026-W13"),  # the day after the clocks went forward
        (datetime(2026, 10, 26, 8, tzinfo=BERLIN), "2026-W43"),  # the day after they went back
        (datetime(2026, 11, 22, 23, 59, tzinfo=BERLIN), "2026-W46"),
        (datetime(2026, 11, 22, 23, 30, tzinfo=UTC), "2026-W47"),  # Monday in Berlin already
        (datetime(2027, 1, 4, 8, tzinfo=BERLIN), "2026-W53"),
        (datetime(2026, 11, 25, 8, tzinfo=BERLIN), "2026-W47"),
    ],
)
def test_a_tick_means_the_week_that_had_ended_in_the_configured_zone(moment: datetime, week: str) -> None:
    request = tick(moment)
    assert request.run_key == f"weekly/{week}"
    assert request.run_config["ops"]["report"]["config"] == {"window_id": week, "post": True}


@pytest.mark.parametrize(
    ("start", "ticks"),
    [
        (datetime(2026, 3, 22), [datetime(2026, 3, 23, 7), datetime(2026, 3, 30, 6)]),
        (datetime(2026, 10, 18), [datetime(2026, 10, 19, 6), datetime(2026, 10, 26, 7)]),
    ],
)
def test_ticks_stay_at_eight_in_the_morning_when_the_clocks_change(start: datetime, ticks: list[datetime]) -> None:
    times = schedule_execution_time_iterator(
        start.replace(tzinfo=UTC).timestamp(), SCHEDULE.cron_schedule, SCHEDULE.execution_timezone
    )
    assert [next(times).astimezone(UTC).replace(tzinfo=None) for _ in ticks] == ticks


def test_weeks_are_read_as_people_write_them() -> None:
    now = datetime(2026, 11, 24, 8)
    assert parse_week("2026-W47", now=now, zone=BERLIN) == "2026-W47"
    assert parse_week(" 2026w7 ", now=now, zone=BERLIN) == "2026-W07"
    assert parse_week("2026-W48", now=now, zone=BERLIN) == "2026-W48"
    assert last_complete_week(now, zone=BERLIN) == "2026-W47"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("last", "'last' is no ISO week; write it like 2026-W47."),
        ("2026-47", "is no ISO week"),
        ("2025-W53", "2025 has no week 53"),
        ("2026-W00", "2026 has no week 0"),
        ("2026-W49", "2026-W49 has not begun: it starts on Monday 30 November 2026."),
    ],
)
def test_what_is_no_week_is_explained(text: str, message: str) -> None:
    with pytest.raises(UnknownWeek) as caught:
        parse_week(text, now=datetime(2026, 11, 24, 8), zone=BERLIN)
    assert message in str(caught.value)


def test_a_schedule_that_is_no_cron_expression_is_a_setting_to_correct() -> None:
    with pytest.raises(SettingsError, match=r"schedule: 'mondays' is no cron expression"):
        monday_report(Config(schedule="mondays"))


# --- runs


def test_a_tick_posts_its_week_and_running_it_again_posts_nothing(home: Path, channel: DiscordServer) -> None:
    request = tick(datetime(2026, 3, 30, 8, tzinfo=BERLIN))
    job = defs().resolve_job_def("weekly_report")
    with dagster_instance(home) as instance:
        for _ in range(2):
            result = job.execute_in_process(instance=instance, run_config={**request.run_config, **QUIET})
            assert result.success
    message = channel.only
    assert "week 13 (23-29 Mar)" in message.payload["content"]
    assert "$0.75" in message.payload["content"]
    assert [content[:4] for content in message.files.values()] == [b"\x89PNG"]


def test_without_a_webhook_a_tick_posts_nothing_and_is_no_failure(
    home: Path, channel: DiscordServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AGENTOPS_DISCORD_WEBHOOK_URL")
    request = tick(datetime(2026, 3, 30, 8, tzinfo=BERLIN))
    job = defs().resolve_job_def("weekly_report")
    result = job.execute_in_process(run_config={**request.run_config, **QUIET})
    (delivered,) = [one for one in result.get_asset_check_evaluations() if one.check_name == "delivered"]
    assert result.success
    assert (delivered.passed, delivered.description) == (
        True,
        "not posted: AGENTOPS_DISCORD_WEBHOOK_URL is not set",
    )
    assert channel.requests == []


def test_a_week_that_is_not_over_is_never_posted(channel: DiscordServer) -> None:
    job = defs().resolve_job_def("weekly_report")
    config = {
        "tables": {"config": {"as_of": "2026-03-26T12:00:00"}},
        "report": {"config": {"window_id": "2026-W13", "post": True}},
    }
    result = job.execute_in_process(run_config={"ops": config, **QUIET}, raise_on_error=False)
    failure = result.failure_data_for_node("report")
    assert failure is not None
    assert failure.user_failure_data is not None
    assert "only a complete ISO week" in (failure.user_failure_data.description or "")
    assert channel.requests == []


@contextmanager
def scheduler(home: Path) -> Iterator[WorkspaceProcessContext]:
    """What the daemon has: the instance, and a code server of its own process."""
    with (
        dagster_instance(home) as instance,
        WorkspaceProcessContext(instance, WorkspaceFileTarget(paths=[str(WORKSPACE)])) as context,
    ):
        yield context


def the_daemon_wakes_up(context: WorkspaceProcessContext, moment: datetime) -> None:
    """One round of the daemon at a moment: evaluate ticks since the last one, the sensor, and launch what is queued."""
    list(launch_scheduled_runs(context, logging.getLogger("scheduler"), moment.astimezone(UTC), iteration_times={}))
    with freeze_time(moment.astimezone(UTC)):
        list(execute_sensor_iteration(context, logging.getLogger("sensors"), None, None))
    list(QueuedRunCoordinatorDaemon(interval_seconds=1).run_iteration(context))


def a_run_dies(context: WorkspaceProcessContext) -> str:
    """The id of a run of `past_weeks` that failed as the daemon notes it of one whose process is gone."""
    location = context.create_request_context().get_code_location("agentops_pipelines")
    (repository,) = location.get_repositories().values()
    job = repository.get_full_job("past_weeks")
    run = context.instance.create_run_for_job(
        defs().resolve_job_def("past_weeks"),
        run_config={"ops": {"report_week": {"config": {"window_id": "2026-W12"}}}},
        remote_job_origin=job.get_remote_origin(),
        job_code_origin=job.get_python_origin(),
    )
    context.instance.report_run_failed(run)
    return run.run_id


def finished_runs(context: WorkspaceProcessContext) -> list[dg.DagsterRun]:
    """All runs, once none is going on."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        runs = list(context.instance.get_runs())
        if all(run.is_finished for run in runs):
            return runs
        time.sleep(0.2)
    raise AssertionError("a run did not end")


def test_the_daemon_posts_the_newest_of_three_missed_mondays_and_then_alerts_and_a_failed_run(
    home: Path, channel: DiscordServer
) -> None:
    hourly_on_one_day = 'timezone = "Europe/Berlin"\nalerts.schedule = "10 * 31 3 *"'
    (home / "agentops.toml").write_text(hourly_on_one_day, encoding="utf-8")
    with scheduler(home) as context:
        the_daemon_wakes_up(context, datetime(2026, 3, 13, 18, tzinfo=BERLIN))
        assert list(context.instance.get_runs()) == []
        # It was down on 16, 23 and 30 March; in between, the clocks went forward.
        the_daemon_wakes_up(context, datetime(2026, 3, 30, 10, tzinfo=BERLIN))
        the_daemon_wakes_up(context, datetime(2026, 3, 30, 10, 1, tzinfo=BERLIN))
        (monday,) = finished_runs(context)
        assert monday.is_success
        assert monday.tags["agentops/window"] == "2026-W13"
        assert "week 13 (23-29 Mar)" in channel.only.payload["content"]

        # Its process died before the details of an earlier week were in Discord.
        channel.messages["7"] = Message(id="7", payload={"content": "week 12"})
        with deliver.postbox(home / "deliveries.sqlite") as box:
            assert box is not None
            box.ledger.record(deliver.LedgerEntry(key="weekly/2026-W12", state="posting"), "posted", message_id="7")
        the_daemon_wakes_up(context, datetime(2026, 3, 31, 10, 11, tzinfo=BERLIN))  # of ten ticks only the newest runs
        hourly = next(run for run in finished_runs(context) if run.run_id != monday.run_id)
        assert (hourly.job_name, hourly.is_success) == ("alerts", True)
        assert "● Source `openclaw`: its newest data is" in list(channel.messages.values())[-1].payload["content"]
        assert channel.messages["7"].payload["embeds"]

        dead = a_run_dies(context)
        for minute in (12, 13):
            the_daemon_wakes_up(context, datetime(2026, 3, 31, 10, minute, tzinfo=BERLIN))
    titles = [message.payload["content"].splitlines()[0].split(" (")[0] for message in channel.messages.values()]
    assert titles == ["**Agent costs, week 13", "**Agent costs, week 12", "**Alerts: 1 new**", "**Alerts: 1 new**"]
    told = list(channel.messages.values())[-1].payload["content"]
    assert f"● The run `{dead[:8]}` of `past_weeks` failed." in told
