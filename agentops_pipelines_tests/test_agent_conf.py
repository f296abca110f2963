"""What SQL cannot work out: planned runs over clock changes, quiet nights in UTC, settings that make no sense."""

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from agentops_pipelines.agent_conf import HORIZON, Schedule, ScheduleProblem, planned_runs, quiet_rows
from agentops_pipelines.settings import Config, QuietHours, SettingsError, load_config
from agentops_pipelines.sources.privacy import peer_label

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2026, 11, 23)


def cron(expr: str, tz: str | None = None) -> Schedule:
    return Schedule(kind="cron", expr=expr, tz=tz)


def planned(schedule: Schedule, start: datetime = MONDAY) -> list[datetime]:
    return list(planned_runs(schedule, default=BERLIN, start=start))


def test_an_expression_runs_in_its_own_zone_and_else_in_the_configured_one() -> None:
    assert planned(cron("0 9 * * 1"))[0] == datetime(2026, 11, 23, 8)
    assert planned(cron("0 9 * * 1", "America/New_York"))[0] == datetime(2026, 11, 23, 14)


def test_the_horizon_is_seven_days_half_open() -> None:
    assert planned(cron("0 0 * * 1", "UTC")) == [MONDAY]
    assert planned(cron("0 0 * * 1", "UTC"), MONDAY + timedelta(microseconds=1)) == [MONDAY + HORIZON]


def test_when_the_clocks_change_a_morning_stays_a_morning() -> None:
    """Berlin leaves summer time on Sunday, 25 October 2026: 09:00 is 07:00 UTC before, 08:00 after."""
    assert [run.hour for run in planned(cron("0 9 * * *"), datetime(2026, 10, 23))] == [7, 7, 8, 8, 8, 8, 8]


def test_a_skipped_time_runs_after_the_gap_and_a_doubled_one_once() -> None:
    """29 March 2026 has no 02:30, 25 October has two."""
    spring = planned(cron("30 2 * * *"), datetime(2026, 3, 28))
    assert spring[:3] == [datetime(2026, 3, 28, 1, 30), datetime(2026, 3, 29, 1), datetime(2026, 3, 30, 0, 30)]
    autumn = planned(cron("30 2 * * *"), datetime(2026, 10, 24))
    assert autumn[:3] == [datetime(2026, 10, 24, 0, 30), datetime(2026, 10, 25, 0, 30), datetime(2026, 10, 26, 1, 30)]


@pytest.mark.parametrize(
    ("expr", "count"),
    [
        ("* * * * *", 7 * 24 * 60),
        ("0 9 ? * *", 7),
        ("@daily", 7),
        ("0 0 9 * * MON", 1),  # six fields: the first is the second
        ("0 0 9 * * MON 2026", 1),
        ("0 9 * * 1#4", 1),
        ("0 9 L * *", 0),
    ],
)
def test_spellings_that_openclaw_takes(expr: str, count: int) -> None:
    assert len(planned(cron(expr, "UTC"))) == count


def test_an_interval_goes_on_from_the_run_that_is_known() -> None:
    ninety = Schedule(kind="every", every_ms=90 * 60_000, anchor=datetime(2026, 11, 20, 0, 30))
    runs = planned(ninety)
    assert runs[:2] == [datetime(2026, 11, 23, 0, 30), datetime(2026, 11, 23, 2)]
    assert len(runs) == 112
    ahead = Schedule(kind="every", every_ms=86_400_000, anchor=MONDAY + timedelta(days=5, hours=1))
    assert planned(ahead) == [MONDAY + timedelta(days=5, hours=1), MONDAY + timedelta(days=6, hours=1)]
    assert planned(Schedule(kind="every", every_ms=86_400_000, anchor=MONDAY))[0] == MONDAY
    assert (
        len(planned(Schedule(kind="every", every_ms=1, anchor=MONDAY))) == 7 * 24 * 60
    )  # never more than by the minute


def test_a_single_run_is_planned_when_it_is_near() -> None:
    assert planned(Schedule(kind="at", at_time=MONDAY)) == [MONDAY]
    assert planned(Schedule(kind="at", at_time=MONDAY + HORIZON)) == []
    assert planned(Schedule(kind="at", at_time=MONDAY - timedelta(seconds=1))) == []
    assert planned(Schedule(kind="on-exit")) == planned(Schedule(kind=None)) == []


@pytest.mark.parametrize(
    "schedule",
    [
        cron("61 * * * *"),
        cron("0 9 * *"),
        cron("0 0 31 2 *"),  # never
        cron("0 0 15W * *"),
        Schedule(kind="cron"),
        cron("0 9 * * *", "Europe/Atlantis"),
        cron("0 9 * * *", "/etc/passwd"),
        Schedule(kind="every", anchor=MONDAY),
        Schedule(kind="every", every_ms=-1, anchor=MONDAY),
        Schedule(kind="every", every_ms=60_000),
        Schedule(kind="at"),
    ],
)
def test_what_cannot_be_worked_out_says_so(schedule: Schedule) -> None:
    with pytest.raises(ScheduleProblem):
        planned(schedule)


def quiet(start: str, end: str, zone: str | None = None) -> QuietHours:
    return QuietHours.model_validate({"from": start, "to": end, "timezone": zone})


def test_quiet_hours_go_over_midnight_and_follow_the_clocks() -> None:
    nights = quiet_rows(
        {"ada": quiet("22:00", "07:00")}, default=BERLIN, first=datetime(2026, 10, 24), last=datetime(2026, 10, 25)
    )
    rows = [(start, end) for name, start, end in nights if name == "ada"]
    # the night of the change is one hour longer
    assert (datetime(2026, 10, 23, 20), datetime(2026, 10, 24, 5)) in rows
    assert (datetime(2026, 10, 24, 20), datetime(2026, 10, 25, 6)) in rows
    assert (datetime(2026, 10, 25, 21), datetime(2026, 10, 26, 6)) in rows
    assert len(set(rows)) == len(rows)


def test_quiet_hours_within_a_day_hold_for_the_person_by_name_and_by_label() -> None:
    nights = list(quiet_rows({"+49 170": quiet("13:00", "14:30", "UTC")}, default=BERLIN, first=MONDAY, last=MONDAY))
    assert ("+49 170", datetime(2026, 11, 23, 13), datetime(2026, 11, 23, 14, 30)) in nights
    assert (peer_label("+49 170"), datetime(2026, 11, 23, 13), datetime(2026, 11, 23, 14, 30)) in nights


@pytest.mark.parametrize(
    ("toml", "problem"),
    [
        ('[quiet_hours.ada]\nfrom = "22:00"\nto = "22:00"', "quiet_hours.ada: .*the same"),
        ('[quiet_hours.ada]\nfrom = "22:00"\nto = "25:00"', "quiet_hours.ada.to"),
        ('[quiet_hours.ada]\nfrom = "22:00"', "quiet_hours.ada.to"),
        ('[quiet_hours.ada]\nfrom = "22:00"\nto = "07:00"\ntimezone = "Atlantis"', "unknown time zone 'Atlantis'"),
        ('[tiers]\nbig = ["m"]\n[target_tiers]\nwork = "small"', "target_tiers: .*no tier 'small'"),
        ('[tiers]\nbig = ["m"]\n[tier_floors]\ntdd = "small"', "tier_floors: .*no tier 'small'"),
        ('[poll_intervals]\nheartbeat = 0', "poll_intervals.heartbeat"),
        ('[intended_delivery.brief]\nto = "U1"', "intended_delivery.brief.channel"),
    ],
)  # fmt: skip
def test_settings_that_make_no_sense_are_named(tmp_path: Path, toml: str, problem: str) -> None:
    path = tmp_path / "agentops.toml"
    path.write_text(toml, encoding="utf-8")
    with pytest.raises(SettingsError, match=problem):
        load_config(path)


def test_settings_of_agents_are_read(tmp_path: Path) -> None:
    path = tmp_path / "agentops.toml"
    path.write_text('[quiet_hours."+49 170"]\nfrom = 22:30:00\nto = "07:00"\n[poll_intervals]\ntask-poll = 30\n')
    config = load_config(path)
    assert config.quiet_hours["+49 170"].start.isoformat() == "22:30:00"
    assert config.poll_intervals == {"task-poll": 30.0}
    assert Config().quiet_hours == {}
