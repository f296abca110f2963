"""Alerts in Discord: each change once, nothing in quiet hours, nothing twice whatever breaks."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner

from agentops_pipelines.cli import main
from agentops_pipelines.definitions import defs
from agentops_pipelines.defs.alerts import ALERTS, hourly_alerts, run_failed
from agentops_pipelines.report import deliver
from agentops_pipelines.report.alert_words import Alert
from agentops_pipelines.report.alerts import RUN_FAILED, Told, is_quiet, tell_alerts, tell_event
from agentops_pipelines.report.deliver import deliveries
from agentops_pipelines.report.render import alert_sentence, discord_alerts
from agentops_pipelines.settings import Alerts, Config, QuietHours, SettingsError
from agentops_pipelines_tests.discord_server import WEBHOOK_ID, DiscordServer, Does, discord
from agentops_pipelines_tests.rows import batch, request
from agentops_pipelines_tests.world import AS_OF, build, tables

NOON = datetime(2026, 11, 24, 12)
HOUR = timedelta(hours=1)
NIGHT = QuietHours.model_validate({"from": "22:00", "to": "07:00", "timezone": "Europe/Berlin"})
"""21:00 to 06:00 UTC in November."""

STALE = Alert(kind="source_stale", subject="litellm", severity="high", label="litellm", value=27.0)
MODEL = Alert(kind="unpriced_model", subject="x/y", severity="medium", label="y", detail="x", value=150_000)
PACE = Alert(
    kind="budget_pace", subject="fleet", severity="medium", label="fleet", value=1.2, threshold=1.15, detail="7 d"
)
FAST = Alert(
    kind="budget_pace", subject="fleet", severity="high", label="fleet", value=4.5, threshold=4.0, detail="6 h"
)

Tell = Callable[..., Told]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[DiscordServer]:
    monkeypatch.setattr(deliver, "RETRY_SECONDS", (0.01, 0.01))
    monkeypatch.setattr(deliver, "TIMEOUT", (2.0, 0.5))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with discord() as running:
        monkeypatch.setenv("AGENTOPS_DISCORD_WEBHOOK_URL", running.url)
        yield running


@pytest.fixture
def tell(server: DiscordServer, home: Path) -> Tell:
    """One hourly look: the alerts that hold, and the time."""
    home.mkdir(exist_ok=True)

    def look(alerts: Sequence[Alert], now: datetime, *, quiet: QuietHours | None = None, url: str = "") -> Told:
        config = Config(alerts=Alerts(quiet_hours=quiet))
        path = home / "deliveries.sqlite"
        return tell_alerts(alerts, config=config, now=now, webhook_url=url or server.url, deliveries_path=path)

    return look


def texts(server: DiscordServer) -> list[str]:
    return [str(payload["content"]) for payload in server.accepted]


# --- changes


def test_an_alert_is_told_when_it_begins_and_when_it_is_over_and_not_in_between(tell: Tell, server) -> None:
    told = [tell([STALE, MODEL], NOON), *(tell([STALE], NOON + n * HOUR) for n in range(1, 6))]
    assert [one.state for one in told] == ["sent", "nothing", "nothing", "nothing", "sent", "nothing"]
    assert texts(server) == [
        "**Alerts: 2 new**\n"
        "● Source `litellm`: its newest data is 27 hours old.\n"
        "● Model `y` of `x` has no list price: 150 k tokens of 7 days. Name it in \\[price\\_aliases\\].",
        "**Alerts: 1 over**\n"
        "✓ Over: Model `y` of `x` has no list price: 150 k tokens of 7 days. Name it in \\[price\\_aliases\\].",
    ]
    assert [payload["allowed_mentions"] for payload in server.accepted] == [{"parse": []}] * 2


def test_what_comes_and_goes_is_told_once(tell: Tell, server) -> None:
    for n, alerts in enumerate(([STALE], [], [STALE], [], [], [STALE], [], [])):
        tell(alerts, NOON + n * HOUR)
    assert len(texts(server)) == 1


def test_an_incident_after_one_that_was_over_is_a_new_one(tell: Tell, server) -> None:
    for hour in (0, 1, 4, 5):
        tell([STALE] if hour in (0, 5) else [], NOON + hour * HOUR)
    assert [text.splitlines()[0] for text in texts(server)] == [
        "**Alerts: 1 new**",
        "**Alerts: 1 over**",
        "**Alerts: 1 new**",
    ]


def test_what_gets_worse_is_told_and_what_gets_better_is_not(tell: Tell, server) -> None:
    for n, alert in enumerate((PACE, FAST, PACE, FAST)):
        tell([alert], NOON + n * HOUR)
    assert texts(server)[1:] == [
        "**Alerts: 1 worse**\n"
        "▲ Worse: Budget `fleet`: over 6 h, money goes 4.5 times as fast as it lasts (alert from 4)."
    ]


# --- quiet hours


def test_changes_of_the_night_come_in_one_message_in_the_morning(tell: Tell, server) -> None:
    evening = datetime(2026, 11, 24, 21)
    looks = ([STALE], [STALE, PACE], [PACE], [FAST], [FAST], [FAST], [FAST], [FAST], [FAST])
    told = [tell(alerts, evening + n * HOUR, quiet=NIGHT).state for n, alerts in enumerate(looks)]
    assert told == ["quiet"] * 9
    assert server.requests == []
    assert tell([FAST], evening + 9 * HOUR, quiet=NIGHT).state == "sent"
    assert texts(server) == [
        "**Alerts after quiet hours: 2 new**\n"
        "● Budget `fleet`: over 6 h, money goes 4.5 times as fast as it lasts (alert from 4).\n"
        "○ Over by now: Source `litellm`: its newest data is 27 hours old."
    ]
    assert tell([FAST], evening + 10 * HOUR, quiet=NIGHT).state == "nothing"


@pytest.mark.parametrize(
    ("start", "end", "moment", "quiet"),
    [
        ("22:00", "07:00", datetime(2026, 11, 24, 20, 59), False),  # Berlin is an hour ahead
        ("22:00", "07:00", datetime(2026, 11, 24, 21), True),
        ("22:00", "07:00", datetime(2026, 11, 25, 5, 59), True),
        ("22:00", "07:00", datetime(2026, 11, 25, 6), False),
        ("22:00", "07:00", datetime(2026, 7, 25, 5), False),  # and two in summer
        ("12:00", "13:00", datetime(2026, 11, 24, 11), True),
        ("12:00", "13:00", datetime(2026, 11, 24, 12), False),
    ],
)
def test_quiet_hours_go_by_the_clock_of_their_zone(start: str, end: str, moment: datetime, quiet: bool) -> None:
    hours = QuietHours.model_validate({"from": start, "to": end})
    assert is_quiet(hours, moment, zone=Config(timezone="Europe/Berlin").zone) is quiet
    assert not is_quiet(None, moment, zone=Config().zone)


# --- when delivery breaks


@pytest.mark.parametrize(
    "does", [Does.BREAKS_AFTER, Does.HANGS_AFTER, Does.CUTS, Does.CUTS_AFTER], ids=lambda d: d.name
)
def test_a_message_that_may_have_arrived_is_never_repeated(does: Does, tell: Tell, server) -> None:
    server.script.append(does)
    assert tell([STALE], NOON).state == "uncertain"
    assert tell([STALE], NOON + HOUR).state == "nothing"
    assert len(server.requests) == 1


def test_an_operator_can_send_it_again(tell: Tell, server, home: Path) -> None:
    server.script.append(Does.CUTS)
    tell([STALE], NOON)
    (entry,) = deliveries(home / "deliveries.sqlite")
    assert (entry.key, entry.state) == ("alerts/2026-11-24T12:00:00", "uncertain")
    done = CliRunner().invoke(main, ["deliveries", "--resend", entry.key], catch_exceptions=False)
    assert (done.exit_code, done.stdout) == (0, f"{entry.key} was posted.\n")
    assert "newest data is 27 hours old" in server.only.payload["content"]
    assert tell([STALE], NOON + HOUR).state == "nothing"


def test_what_did_not_arrive_comes_with_the_next_message(tell: Tell, server, home: Path) -> None:
    nowhere = f"http://127.0.0.1:9/api/webhooks/{WEBHOOK_ID}/t"
    assert tell([STALE], NOON, url=nowhere).state == "failed"
    assert tell([STALE], NOON + HOUR, url="http://example.com").state == "failed"
    assert tell([STALE, MODEL], NOON + 2 * HOUR).changes == 2
    assert texts(server)[0].startswith("**Alerts: 2 new**")
    assert [entry.state for entry in deliveries(home / "deliveries.sqlite")] == ["complete"]


@pytest.mark.parametrize(("state", "again"), [("planned", 1), (None, 1), ("posting", 0), ("posted", 0)])
def test_a_process_that_dies_in_between_tells_nothing_twice(
    state: str | None, again: int, tell: Tell, server, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Death right after the ledger says `state`; None is before it says anything."""
    record = deliver._Ledger.record

    def dies(ledger: deliver._Ledger, entry: deliver.LedgerEntry, next_state: deliver.LedgerState, **changes: object):
        if state is None:
            raise KeyboardInterrupt
        entry = record(ledger, entry, next_state, **changes)
        if next_state == state:
            raise KeyboardInterrupt
        return entry

    with monkeypatch.context() as patch:
        patch.setattr(deliver._Ledger, "record", dies)
        with pytest.raises(KeyboardInterrupt):
            tell([STALE], NOON)
    before = len(server.messages)
    assert tell([STALE], NOON + HOUR).changes == again
    assert len(server.messages) == before + again
    assert len(server.messages) == (0 if state == "posting" else 1)


def test_two_messages_of_one_second_are_two(tell: Tell, server) -> None:
    tell([STALE], NOON)
    tell([STALE, MODEL], NOON)
    assert len(server.messages) == 2


# --- words

EVIL = "@everyone `x` **b** [a](http://e.example) <@1> \u202e\n# h ||s|| " + "n" * 300


@pytest.mark.parametrize(
    ("alert", "words"),
    [
        (Alert(kind="spend_anomaly", subject="all", severity="high", value=30.0, threshold=10.0, detail="list"),
         "Unusual spend: $30.00 in a day where $10.00 was to be expected at list prices."),
        (Alert(kind="pool_saturation", subject="pool/gpt", severity="high", label="gpt", value=25, unit="requests",
               detail="pool", since_at=NOON),
         "Pool `gpt`: 25 requests of 6 hours refused for its limit. Since 24 Nov 12:00 UTC."),
        (Alert(kind="pool_saturation", subject="deployment/d", severity="medium", label="d", value=18, unit="minutes",
               detail="deployment"),
         "Deployment `d`: 18 minutes of 6 hours at 80 % of its limit or more."),
        (Alert(kind="budget_cap", subject="0123456789/1", severity="high", value=1, threshold=5.0, detail="standard"),
         "Key `01234567…`: its budget of $5.00 is spent, 1 request refused, most of them to `standard`."),
        (Alert(kind="source_failing", subject="openclaw/pi", severity="high", label="openclaw", detail="pi", value=2),
         "Source `openclaw` (`pi`): 2 loads in a row failed."),
        (Alert(kind="match_drop", subject="all", severity="medium", value=0.875, threshold=0.985),
         "88 % of a day's OpenClaw calls are matched with the gateway's, 99 % in the 4 weeks before."),
        (Alert(kind="cron_finding", subject="h/j/r", severity="high", label="nightly", detail="spoke", value=2),
         "Cron job `nightly`: spoke (2 runs in 7 days)."),
        (Alert(kind=RUN_FAILED, subject="0123456789", severity="high", label="alerts", detail="Why."),
         "The run `01234567` of `alerts` failed. `Why.`"),
    ],
)  # fmt: skip
def test_each_kind_says_what_it_is_about(alert: Alert, words: str) -> None:
    assert alert_sentence(alert) == words


@pytest.mark.parametrize(
    "kind",
    ["budget_pace", "pool_saturation", "budget_cap", "unpriced_model", "source_failing", "cron_finding", RUN_FAILED],
)
def test_names_stand_in_code_and_cannot_break_out(kind: str) -> None:
    ours = {"budget_pace": "6 h", "cron_finding": "spoke"}.get(kind, EVIL)
    sentence = alert_sentence(
        Alert(kind=kind, subject=EVIL, severity="high", label=EVIL, detail=ours, value=2.0, threshold=1.0)
    )
    assert sentence.count("`") % 2 == 0
    outside = "".join(sentence.split("`")[::2])
    for markup in ("@", "*", "[", "<", "|", "#", "http", "\n", "\u202e"):
        assert markup not in outside.replace("\\[price", "")  # of ours


def test_what_of_our_own_words_could_be_markup_is_escaped() -> None:
    alert = Alert(kind="cron_finding", subject="j", severity="high", detail="a *b* [c](d)\n# @e")
    assert alert_sentence(alert) == "Cron job `j`: a \\*b\\* \\[c\\](d) \\# \\@e."


def test_a_message_of_very_many_alerts_fits() -> None:
    text = discord_alerts("Alerts: 90 new", ["● " + "w" * 80] * 90)
    assert len(text) <= 2000
    assert text.splitlines()[-1] == f"and {90 - (len(text.splitlines()) - 2)} more: `agentops sql 'FROM mart.alerts'`"


# --- in Dagster


def test_the_schedule_is_hourly_posts_and_can_be_switched_off(home: Path) -> None:
    schedule = hourly_alerts(Config(timezone="Europe/Berlin"))
    assert (schedule.cron_schedule, schedule.job_name) == ("10 * * * *", "alerts")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    assert hourly_alerts(Config(alerts=Alerts(enabled=False))).default_status is dg.DefaultScheduleStatus.STOPPED
    data = schedule.evaluate_tick(dg.build_schedule_context(scheduled_execution_time=NOON))
    assert data.run_requests
    assert data.run_requests[0].run_config == {"ops": {"tell_alerts": {"config": {"post": True}}}}
    with pytest.raises(SettingsError, match=r"alerts\.schedule: 'hourly' is no cron expression"):
        hourly_alerts(Config(alerts=Alerts(schedule="hourly")))


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> dg.JobDefinition:
    """The hourly job, from SQL files that were parsed already."""
    monkeypatch.setattr("agentops_pipelines.definitions.load_tables", tables)
    return defs().resolve_job_def("alerts")


def test_the_job_tells_what_the_published_file_says_once_and_keeps_few_runs(
    home: Path, server: DiscordServer, job: dg.JobDefinition, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model without a price; runs that went well are kept for no time at all here. No report is written."""
    assert {node.name for node in job.nodes} == {"openclaw", "litellm", "jira", "otel", "tables", "tell_alerts"}
    monkeypatch.setattr("agentops_pipelines.defs.alerts.KEPT", timedelta(0))
    mystery = request("r", AS_OF - HOUR, model="mystery", provider="custom", prompt_tokens=150_000, output_tokens=0)
    build(home, batch(requests=[mystery]), only=["mart.alerts"])
    checks: list[tuple[bool, str | None]] = []
    config = {"ops": {"tell_alerts": {"config": {"post": True}}}}
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(2):
            result = job.execute_in_process(instance=instance, asset_selection=[ALERTS], run_config=config | quiet)
            checks += [(one.passed, one.description) for one in result.get_asset_check_evaluations()]
        assert len(instance.get_runs()) == 1
    assert checks == [(True, "1 change: sent"), (True, "0 changes: nothing")]
    assert "Model `mystery` of `custom` has no list price: 150 k tokens" in server.only.payload["content"]


@dg.op
def breaks() -> None:
    raise ValueError("text of a prompt")


@dg.op
def gives_up() -> None:
    raise dg.Failure("Nothing was published. unique_calls: 6 rows")


@dg.job
def broken() -> None:
    breaks()
    gives_up()


@pytest.fixture(scope="module")
def failed_run() -> Iterator[tuple[dg.DagsterInstance, dg.ExecuteInProcessResult]]:
    """A run whose two steps failed, one by Python and one with a sentence of ours."""
    with dg.DagsterInstance.ephemeral() as instance:
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        yield instance, broken.execute_in_process(raise_on_error=False, instance=instance, run_config=quiet)


def sensor_says(failed: tuple[dg.DagsterInstance, dg.ExecuteInProcessResult]) -> str:
    """What the sensor answers to the failed run."""
    instance, result = failed
    failure = next(event for event in result.all_events if event.event_type_value == "PIPELINE_FAILURE")
    context = dg.build_run_status_sensor_context(
        sensor_name="run_failed", dagster_event=failure, dagster_instance=instance, dagster_run=result.dagster_run
    ).for_run_failure()
    answer = run_failed(context)
    assert isinstance(answer, dg.SkipReason)
    return str(answer.skip_message)


def test_a_failed_run_is_told_once_without_what_a_library_says(failed_run, home: Path, server) -> None:
    home.mkdir()
    run_id = failed_run[1].run_id
    assert [sensor_says(failed_run) for _ in range(2)] == [f"run {run_id}: sent", f"run {run_id}: nothing"]
    text = server.only.payload["content"]
    assert text.startswith(f"**Alerts: 1 new**\n● The run `{run_id[:8]}` of `broken` failed. ")
    assert "step breaks: ValueError" in text
    assert "Nothing was published. unique_calls: 6 rows" in text
    assert "prompt" not in text


def test_without_a_webhook_a_failed_run_is_not_told(failed_run, home: Path) -> None:
    assert sensor_says(failed_run) == "not posted: AGENTOPS_DISCORD_WEBHOOK_URL is not set"
    assert not home.exists()


def test_a_run_that_fails_in_quiet_hours_is_told_with_the_next_alerts(tell: Tell, server, home: Path) -> None:
    event = Alert(kind=RUN_FAILED, subject="r1", severity="high", label="alerts")
    config, path = Config(alerts=Alerts(quiet_hours=NIGHT)), home / "deliveries.sqlite"
    night = datetime(2026, 11, 24, 23)
    assert tell_event(event, config=config, now=night, webhook_url=server.url, deliveries_path=path).state == "quiet"
    assert tell([], night + 8 * HOUR, quiet=NIGHT).state == "sent"
    assert texts(server) == ["**Alerts after quiet hours: 1 new**\n● The run `r1` of `alerts` failed."]


def test_the_state_is_in_the_ledger_file_only(tell: Tell, home: Path) -> None:
    tell([STALE], NOON)
    assert sorted(path.name for path in home.iterdir()) == ["deliveries.lock", "deliveries.sqlite"]
    with closing(sqlite3.connect(home / "deliveries.sqlite")) as ledger:
        assert ledger.execute("SELECT kind, subject, told_severity FROM alerts").fetchall() == [
            ("source_stale", "litellm", "high")
        ]
