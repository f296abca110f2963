"""The cron audit on jobs that break one rule each, and on orderly ones that look as if they did.

Now is Tuesday 24 November 2026, 08:00 UTC; ada must not be spoken to from 22:00 to 07:00 in Berlin, that is from 21:00
to 06:00 UTC. Week 47 is 16 to 22 November.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from agentops_pipelines.sources.privacy import peer_label
from agentops_pipelines_tests.cron_rows import LONG_AGO, MANUAL, UNDELIVERED, built_in_steps, cron_batch, job, run
from agentops_pipelines_tests.mutants import survivors
from agentops_pipelines_tests.rows import USER, Row, batch, line
from agentops_pipelines_tests.world import rows, tables

MARTS = ("mart.cron_delivery_audit", "mart.cron_findings")
NOON = datetime(2026, 11, 18, 12)
"""Wednesday of week 47, an hour at which everybody may be spoken to."""
CHANGE = datetime(2026, 11, 20)
NEXT_YEAR = datetime(2027, 1, 1)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)

TOML = """
[quiet_hours.ada]
from = "22:00"
to = "07:00"
timezone = "Europe/Berlin"
[quiet_hours.cleo]
from = "22:00"
to = "06:00"
[quiet_hours."U-nap"]
from = "13:00"
to = "15:00"
[intended_delivery.brief]
channel = "Slack"
to = "U9"
[intended_delivery.ben]
channel = "telegram"
"""

LAST: Row = {"delivery_channel": "last", "delivery_to": None}
OFF: Row = {"delivery_mode": "none", **LAST}
FAILED: Row = {**UNDELIVERED, "status": "error", "delivery_status": "unknown", "is_delivered": None}

JOBS: list[Row] = [
    job("good"),
    job("good", host="server", agent_id="ben", schedule_expr="61 * * * *", last_run_at=None),
    job("night", schedule_expr="30 23 * * *"),
    job("late", agent_id="ben"),
    job("napper", agent_id="ben", schedule_expr="0 13 * * *", schedule_tz="UTC", delivery_to=peer_label("U-nap")),
    job("night-owl", schedule_expr="30 23 * * *", delivery_to=peer_label("U-nap")),
    job("silent-night", schedule_expr="0 3 * * *", **OFF),
    job("no-channel", **LAST),
    job("old-no-channel", **LAST),
    job("no-recipient", delivery_to=None),
    job("undelivered"),
    job("undelivered-ok"),
    job("broken", **OFF),
    job("hook", delivery_mode="webhook", delivery_channel=None),
    job("hook-to-nowhere", delivery_mode="webhook", delivery_channel=None, delivery_to=None),
    job("event", delivery_mode=None, delivery_channel=None, delivery_to=None, payload_kind="systemEvent"),
    job("by-default", delivery_mode=None, delivery_channel=None, delivery_to=None),
    job("wrong-person"),
    job("wrong-channel"),
    job("brief", **LAST),
    job("ben-says", agent_id="ben"),
    job("Twin", created_at=datetime(2026, 11, 2)),
    job("twin-2", name="twin", created_at=datetime(2026, 11, 3)),
    job("twin-3", name="twin", created_at=datetime(2026, 11, 4), schedule_expr="0 10 * * *"),
    job("twin-4", name="twin", created_at=datetime(2026, 11, 5), is_enabled=False),
    job("idle", last_run_at=None, next_run_at=datetime(2026, 11, 24, 7)),
    job("next-year", last_run_at=None, schedule_kind="at", at_time=NEXT_YEAR, next_run_at=NEXT_YEAR),
    job("last-year", last_run_at=None, schedule_kind="at", at_time=datetime(2026, 11, 5), **LAST),
    job("off", is_enabled=False, **LAST),
    job("nonsense", schedule_expr=None),
    job("off-nonsense", schedule_expr=None, is_enabled=False),
    job("nowhere", schedule_tz="Europe/Atlantis"),
    job("heartbeat-ada", is_builtin=True, payload_kind="heartbeat", schedule_expr="61 * * * *", **LAST),
    job("forgotten", next_run_at=datetime(2026, 11, 16, 7, 59), last_run_at=datetime(2026, 11, 15), **LAST),
    job("just-late", next_run_at=datetime(2026, 11, 16, 8), last_run_at=datetime(2026, 11, 15)),
    job("repaired", **LAST),
    job("silenced", **LAST),
    job("untouched", created_at=None),
    job("fresh", created_at=datetime(2026, 11, 9)),
]  # fmt: skip
CHANGED: list[Row] = [job("repaired"), job("silenced", **OFF), job("new", created_at=datetime(2026, 11, 19))]

RUNS: list[Row] = [
    run("good", datetime(2026, 11, 18, 6)),  # seven o'clock in Berlin: the night is over
    run("good", datetime(2026, 11, 18, 20, 59, 59), session_id="s2", **MANUAL),
    run("night", datetime(2026, 11, 18, 21)),
    run("night", datetime(2026, 11, 19, 5, 59, 59)),
    run("night", datetime(2026, 11, 18, 3), **UNDELIVERED),  # nobody was woken
    run("late", datetime(2026, 11, 18, 23), agent_id="ben"),
    run("napper", datetime(2026, 11, 18, 14), agent_id="ben", resolved_to=peer_label("U-nap"), intended_to=None),
    run("night-owl", datetime(2026, 11, 18, 23), resolved_to=peer_label("U-nap"), intended_to=None),
    run("silent-night", datetime(2026, 11, 18, 2), **UNDELIVERED),
    run("silent-night", datetime(2026, 11, 19, 2), **{**UNDELIVERED, "delivery_status": "not-requested"}),
    run("no-channel", NOON, **{**UNDELIVERED, "resolved_ok": False, "poll_phrase": "NO_REPLY"}),
    run("old-no-channel", NOON, session_id="s1", **UNDELIVERED),
    run("old-no-channel", NOON + DAY, **UNDELIVERED, poll_phrase="NO_REPLY"),
    run("no-recipient", NOON, **UNDELIVERED, suppression_reason="silent"),
    run("undelivered", NOON, **FAILED, error_kind="other"),
    run("undelivered-ok", NOON, **UNDELIVERED, completion_status="failed"),
    run("undelivered-ok", NOON + DAY, **{**UNDELIVERED, "delivery_status": None}),
    run("broken", NOON, **{**FAILED, "model": None}, error_kind="bad_request"),
    run("broken", NOON + DAY, **FAILED, error_kind="bad_request"),
    run("broken", NOON + 2 * DAY, **{**FAILED, "status": "skipped"}),
    run("hook", NOON, **UNDELIVERED, completion_status="failed"),
    run("event", NOON, **UNDELIVERED),
    run("wrong-person", NOON, resolved_to=peer_label("U2")),
    run(
        "wrong-person",
        NOON + DAY,
        completion_status="failed",
        resolved_to=peer_label("U2"),
        is_delivered=False,
        delivery_status="not-delivered",
    ),
    run("wrong-channel", NOON, resolved_channel="discord"),
    run("brief", NOON, intended_channel="last", intended_to=None, resolved_to=peer_label("U9")),
    run("brief", NOON + DAY, intended_channel="last", intended_to=None),
    run("ben-says", NOON, agent_id="ben"),
    run("ben-says", NOON + DAY, agent_id="ben", resolved_channel="Telegram"),
    run("heartbeat-ada", NOON, **UNDELIVERED),
    run("repaired", CHANGE - SECOND, **UNDELIVERED, completion_status="failed"),
    run("repaired", CHANGE, **UNDELIVERED, completion_status="failed"),
    run("silenced", CHANGE - SECOND, **UNDELIVERED, completion_status="failed"),
    run("silenced", CHANGE, **UNDELIVERED),
    run("gone", NOON, resolved_channel="discord"),
    run("gone", NOON - 14 * DAY),
]


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The jobs as seen on 10 November, the changes of the 20th, and all runs."""
    lines = []
    for session_id, at in (("s1", NOON - 30 * SECOND), ("s2", datetime(2026, 11, 18, 20, 59, 30))):
        lines.append(line(f"u-{session_id}", at - SECOND, USER, session_id=session_id))
        answer = line(
            f"a-{session_id}", at, session_id=session_id, estimate_usd=0.25, provider="openai", model="gpt-5.4"
        )
        lines.append(answer)
    first = cron_batch(jobs=JOBS, runs=RUNS, other=batch(lines=lines))
    with built_in_steps(
        tmp_path_factory.mktemp("audit"), (LONG_AGO, first), (CHANGE, cron_batch(jobs=CHANGED)), toml=TOML, only=MARTS
    ) as connection:
        yield connection


def found(con: duckdb.DuckDBPyConnection, name: str, window: str = "2026-W47", host: str = "local") -> dict:
    """Rule -> runs of one job."""
    query = f"SELECT rule, runs FROM mart.cron_findings WHERE window_id = '{window}' AND job_id = '{name}'"
    return {row["rule"]: row["runs"] for row in rows(con, f"{query} AND host = '{host}'")}


def audit(con: duckdb.DuckDBPyConnection, name: str, window: str = "2026-W47") -> dict:
    query = f"SELECT * FROM mart.cron_delivery_audit WHERE window_id = '{window}' AND job_id = '{name}'"
    (row,) = rows(con, f"{query} AND host = 'local'")
    return row


@pytest.mark.parametrize(
    ("name", "rules"),
    [
        ("good", {}),
        ("night", {"delivered_in_quiet_hours": 2, "quiet_hours_conflict": 7}),
        ("late", {"wrong_target": 1}),  # ben has no quiet hours, but his messages belong on telegram
        ("no-channel", {"silently_undelivered": 1, "implicit_delivery": None}),
        ("old-no-channel", {"silently_undelivered": 1, "implicit_delivery": None}),
        ("no-recipient", {"implicit_delivery": None}),
        ("undelivered", {"delivery_failed": 1}),
        ("undelivered-ok", {"delivery_failed": 1}),
        ("broken", {"run_failed": 2}),
        ("silent-night", {}),
        ("hook", {}),
        ("hook-to-nowhere", {"implicit_delivery": None}),
        ("event", {}),
        ("by-default", {"implicit_delivery": None}),
        ("wrong-person", {"wrong_target": 1, "delivery_failed": 1}),
        ("wrong-channel", {"wrong_target": 1}),
        ("brief", {"wrong_target": 1, "implicit_delivery": None}),
        ("ben-says", {"wrong_target": 1}),
        ("Twin", {}),
        ("twin-2", {"duplicate_job": None}),
        ("twin-3", {}),
        ("twin-4", {"disabled_job": None}),
        ("idle", {"never_run": None}),
        ("next-year", {}),
        ("last-year", {}),
        ("off", {"disabled_job": None}),
        ("nonsense", {"schedule_problem": None}),
        ("off-nonsense", {"disabled_job": None}),
        ("nowhere", {"schedule_problem": None}),
        ("heartbeat-ada", {}),
        ("forgotten", {"overdue": None}),
        ("just-late", {}),
        ("repaired", {"silently_undelivered": 1, "delivery_failed": 1, "changed_job": None}),
        ("silenced", {"silently_undelivered": 1, "changed_job": None}),
        ("new", {"changed_job": None}),
        ("gone", {"wrong_target": 1}),
    ],
)
def test_each_mistake_is_found_and_nothing_else(con: duckdb.DuckDBPyConnection, name: str, rules: dict) -> None:
    assert found(con, name) == rules


def test_quiet_hours_are_those_of_the_recipient_before_those_of_the_agent(con: duckdb.DuckDBPyConnection) -> None:
    """The night owl sleeps from 13:00 to 15:00: ada may write to them at 23:00, nobody may at 14:00."""
    assert found(con, "night-owl") == {}
    assert audit(con, "night-owl")["planned_quiet_runs"] == 0
    assert found(con, "napper") == {"delivered_in_quiet_hours": 1, "quiet_hours_conflict": 7, "wrong_target": 1}
    assert audit(con, "napper")["first_quiet_at"] == datetime(2026, 11, 24, 13)


def test_a_schedule_is_looked_at_for_seven_days_and_jobs_without_delivery_may_work_at_night(
    con: duckdb.DuckDBPyConnection,
) -> None:
    night, silent = audit(con, "night"), audit(con, "silent-night")
    assert (night["planned_runs"], night["planned_quiet_runs"]) == (7, 7)
    assert night["first_quiet_at"] == datetime(2026, 11, 24, 22, 30)
    assert (silent["planned_runs"], silent["planned_quiet_runs"]) == (7, 7)
    assert [audit(con, name)["planned_runs"] for name in ("off", "nonsense", "next-year", "forgotten")] == [0, 0, 0, 0]


def test_runs_of_a_window_by_what_became_of_them(con: duckdb.DuckDBPyConnection) -> None:
    broken, hook, good = audit(con, "broken"), audit(con, "hook"), audit(con, "good")
    assert (broken["runs"], broken["run_failed_runs"]) == (2, 2)  # a skipped run is none
    assert (hook["runs"], hook["unknown_delivery_runs"], hook["delivery_failed_runs"]) == (1, 1, 0)
    assert audit(con, "night")["unknown_delivery_runs"] == 1  # whether it had anything to say went with its transcript
    assert (good["runs"], good["manual_runs"], good["delivered_runs"]) == (2, 1, 2)
    lost = audit(con, "old-no-channel")
    assert (lost["runs"], lost["cost_usd"], lost["undelivered_cost_usd"]) == (2, Decimal("0.25"), Decimal("0.25"))
    # 100 tokens at $2.50 per million, 50 cached at $0.25, 10 out at $15
    assert lost["list_usd"] == lost["undelivered_list_usd"] == Decimal("0.0004125")
    assert (good["cost_usd"], good["undelivered_cost_usd"]) == (Decimal("0.25"), Decimal(0))
    assert (good["list_usd"], good["undelivered_list_usd"]) == (Decimal("0.0004125"), None)
    assert (broken["cost_usd"], broken["list_usd"]) == (Decimal(0), None)


def test_the_worst_comes_first_and_a_look_is_no_fault(con: duckdb.DuckDBPyConnection) -> None:
    worst = {
        name: audit(con, name)["worst_severity"] for name in ("night", "no-channel", "twin-2", "idle", "new", "good")
    }
    assert worst == {
        "night": "incident",
        "no-channel": "high",
        "twin-2": "medium",
        "idle": "low",
        "new": "review",
        "good": None,
    }
    assert (audit(con, "night")["worst_rank"], audit(con, "night")["findings"]) == (1, 2)
    assert (audit(con, "new")["findings"], audit(con, "repaired")["findings"]) == (0, 2)
    fixes = rows(con, "SELECT rule FROM mart.cron_findings WHERE length(fix) < 20 OR length(meaning) < 8")
    assert fixes == []


def test_states_and_jobs_that_are_gone(con: duckdb.DuckDBPyConnection) -> None:
    states = {name: audit(con, name)["state"] for name in ("good", "off", "last-year", "forgotten", "gone")}
    assert states == {
        "good": "active",
        "off": "disabled",
        "last-year": "over",
        "forgotten": "overdue",
        "gone": "removed",
    }
    assert rows(con, "SELECT 1 FROM mart.cron_delivery_audit WHERE job_id = 'gone' AND window_id = '2026-W48'") == []
    assert rows(con, "SELECT 1 FROM mart.cron_delivery_audit WHERE job_id = 'heartbeat-ada'") == []


def test_a_job_is_reviewed_in_the_window_in_which_it_was_seen_or_changed(con: duckdb.DuckDBPyConnection) -> None:
    assert [found(con, "good", week) for week in ("2026-W46", "2026-W47", "2026-W48")] == [{}, {}, {}]
    assert found(con, "fresh", "2026-W46") == {"changed_job": None}  # created in it
    assert rows(con, "SELECT 1 FROM mart.cron_delivery_audit WHERE job_id = 'new' AND window_id = '2026-W46'") == []
    assert found(con, "untouched", "2026-W46") == {"changed_job": None}


def test_the_same_id_on_another_host_is_another_job(con: duckdb.DuckDBPyConnection) -> None:
    assert found(con, "good", host="server") == {"schedule_problem": None}


@pytest.mark.parametrize(
    "name", ["core.cron_deliveries", "core.cron_audit", "mart.cron_findings", "mart.cron_delivery_audit"]
)
def test_every_condition_matters(con: duckdb.DuckDBPyConnection, name: str) -> None:
    assert survivors(con, tables()[name].sql) == []


def test_without_jobs_there_is_nothing_to_say(tmp_path: Path) -> None:
    with built_in_steps(tmp_path, (LONG_AGO, batch()), only=MARTS) as con:
        for name in ("cron_delivery_audit", "cron_findings"):
            assert rows(con, f"SELECT * FROM mart.{name}") == []
