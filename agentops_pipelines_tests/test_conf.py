"""Days and windows: local midnights in UTC, clock changes, year ends, labels."""

import itertools
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from agentops_pipelines.conf import hours_frame, iso_week, local_days, windows_frame
from agentops_pipelines_tests.rows import batch
from agentops_pipelines_tests.world import built, rows

BERLIN = ZoneInfo("Europe/Berlin")


def window(zone: ZoneInfo, window_id: str, *, first: datetime, as_of: datetime) -> dict:
    frame = windows_frame(zone, first=first, as_of=as_of)
    return next(row for row in frame.to_dicts() if row["window_id"] == window_id)


@pytest.mark.parametrize(
    ("window_id", "starts_at", "ends_at", "hours"),
    [
        ("2026-W12", datetime(2026, 3, 15, 23), datetime(2026, 3, 22, 23), 168.0),
        ("2026-W13", datetime(2026, 3, 22, 23), datetime(2026, 3, 29, 22), 167.0),
        ("2026-W43", datetime(2026, 10, 18, 22), datetime(2026, 10, 25, 23), 169.0),
    ],
)
def test_weeks_begin_at_local_midnight_and_know_their_true_length(window_id, starts_at, ends_at, hours) -> None:
    row = window(BERLIN, window_id, first=datetime(2026, 1, 1), as_of=datetime(2026, 11, 24))
    assert (row["starts_at"], row["ends_at"], row["hours"]) == (starts_at, ends_at, hours)


def test_windows_touch_without_gap_or_overlap() -> None:
    frame = windows_frame(BERLIN, first=datetime(2025, 12, 1), as_of=datetime(2026, 11, 24))
    weeks = [row for row in frame.to_dicts() if row["kind"] == "iso_week"]
    for before, after in itertools.pairwise(weeks):
        assert before["ends_at"] == after["starts_at"]
        assert after["previous_window_id"] == before["window_id"]
    assert weeks[0]["previous_window_id"] is None


def test_the_running_week_is_there_but_not_complete() -> None:
    as_of = datetime(2026, 11, 24, 8)
    assert not window(BERLIN, "2026-W48", first=as_of, as_of=as_of)["is_complete"]
    assert window(BERLIN, "2026-W47", first=datetime(2026, 11, 1), as_of=as_of)["is_complete"]


def test_a_week_is_complete_at_the_very_moment_it_ends() -> None:
    end = datetime(2026, 11, 22, 23)
    assert window(BERLIN, "2026-W47", first=datetime(2026, 11, 1), as_of=end)["is_complete"]


def test_trailing_windows_end_now() -> None:
    as_of = datetime(2026, 11, 24, 8, 30)
    row = window(BERLIN, "trailing_7d", first=as_of, as_of=as_of)
    before = window(BERLIN, "trailing_7d_before", first=as_of, as_of=as_of)
    assert (row["starts_at"], row["ends_at"]) == (datetime(2026, 11, 17, 8, 30), as_of)
    assert before["ends_at"] == row["starts_at"]
    assert row["previous_window_id"] == "trailing_7d_before"


@pytest.mark.parametrize(
    ("window_id", "label"),
    [
        ("2026-W47", "week 47 (16-22 Nov)"),
        ("2026-W49", "week 49 (30 Nov-6 Dec)"),
        ("2026-W53", "week 53 (28 Dec-3 Jan)"),
    ],
)
def test_labels_say_the_dates(window_id: str, label: str) -> None:
    assert window(BERLIN, window_id, first=datetime(2026, 11, 1), as_of=datetime(2027, 1, 5))["label"] == label


def test_iso_weeks_cross_the_year() -> None:
    assert iso_week(date(2027, 1, 3)) == "2026-W53"
    assert iso_week(date(2024, 12, 30)) == "2025-W01"


@pytest.mark.parametrize(
    "name", ["UTC", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu", "America/St_Johns", "Pacific/Apia"]
)
def test_hours_know_the_local_date_of_every_moment(name: str) -> None:
    zone = ZoneInfo(name)
    first = date(2026, 3, 20)
    hours = {
        row["starts_at"]: row
        for row in hours_frame(list(local_days(zone, first=first, last=date(2026, 4, 2)))).to_dicts()
    }
    moment = datetime(2026, 3, 21)
    while moment < datetime(2026, 4, 1):
        row = hours[moment.replace(minute=0)]
        is_next = row["midnight_at"] is not None and moment >= row["midnight_at"]
        local = moment.replace(tzinfo=UTC).astimezone(zone).date()
        assert (row["next_date"] if is_next else row["local_date"]) == local, moment
        moment += timedelta(minutes=15)


GATEWAY = """
[tiers]
triage = ["triage", "gpt-5.4-mini"]
[pools]
gpt = ["d1", "d2"]
[limits.deployments.d1]
rpm = 10
[limits.pools.gpt]
tpm = 5
tokens_per_day = 7
[mapping.operations]
poll = "triage"
[mapping.methods]
TDD = "standard"
"""


def test_what_the_gateway_is_asked_against_becomes_tables(tmp_path: Path) -> None:
    with built(tmp_path, batch(), toml=GATEWAY, only=()) as con:
        assert rows(con, "SELECT tier, model, position FROM conf.tiers ORDER BY position") == [
            {"tier": "triage", "model": "triage", "position": 1},
            {"tier": "triage", "model": "gpt-5.4-mini", "position": 2},
        ]
        assert con.sql("SELECT * FROM conf.pools").fetchall() == [("d1", "gpt"), ("d2", "gpt")]
        assert con.sql("SELECT * FROM conf.limits ORDER BY scope").fetchall() == [
            ("deployment", "d1", 10, None, None),
            ("pool", "gpt", None, 5, 7),
        ]
        assert con.sql("SELECT * FROM conf.model_map ORDER BY kind").fetchall() == [
            ("method", "tdd", "standard"),
            ("operation", "poll", "triage"),
        ]
        assert con.sql("SELECT * FROM conf.target_tiers").fetchall() == [("poll", "triage")]


def test_without_settings_these_tables_are_empty(tmp_path: Path) -> None:
    with built(tmp_path, batch(), only=()) as con:
        for name in ("tiers", "pools", "limits", "model_map", "target_tiers"):
            assert rows(con, f"SELECT * FROM conf.{name}") == []
