"""Ready queries and report sections about agents and tickets, on the bundled sample: what its story tells is found."""

import io
from collections.abc import Iterator
from datetime import UTC
from decimal import Decimal
from zoneinfo import ZoneInfo

import duckdb
import pytest
from rich.console import Console, RenderableType

from agentops_pipelines.calibration import backtest, calibration
from agentops_pipelines.conf import write_conf_tables
from agentops_pipelines.demo.sample import AS_OF, demo_settings, sample_jira_batches, sample_litellm_batches
from agentops_pipelines.report import ticket_sections
from agentops_pipelines.report.agent_sections import SECTIONS
from agentops_pipelines.report.registry import SECTIONS as ALL_SECTIONS
from agentops_pipelines.report.sections import Answer, answer
from agentops_pipelines.sources.openclaw.reader import ReadRules, read_state_dir
from agentops_pipelines.sqlshell import query_text
from agentops_pipelines.warehouse import Warehouse, read_published
from agentops_pipelines_tests.world import tables


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published file of the sample."""
    home = tmp_path_factory.mktemp("sample")
    settings = demo_settings(home=home)
    rules = ReadRules(empty_poll_phrases=tuple(settings.config.empty_poll_phrases))
    with Warehouse(home).locked("test") as locked:
        with locked.connect() as writer:
            for place in settings.openclaw_state_dirs:
                batches = read_state_dir(place, ledger=writer.ledger("openclaw"), rules=rules, scratch=home / "scratch")
                writer.load("openclaw", batches, scope=place.host, observed_at=AS_OF)
            litellm = sample_litellm_batches(writer.ledger("litellm"), observed_at=AS_OF)
            writer.load("litellm", litellm, scope="sample", observed_at=AS_OF)
            jira = sample_jira_batches(settings, writer.ledger("jira"), until=AS_OF)
            writer.load("jira", jira, scope="sample", observed_at=AS_OF)
            write_conf_tables(writer, settings, as_of=AS_OF)
            for table in tables().values():
                writer.run_table(table)
        published = locked.publish()
    with read_published(published) as connection:
        yield connection


def ready(con: duckdb.DuckDBPyConnection, name: str) -> list[dict]:
    return con.sql(query_text(f"{name}.sql").strip().rstrip(";")).pl().to_dicts()


def section(con: duckdb.DuckDBPyConnection, name: str, window: str = "trailing_7d") -> Answer:
    (wanted,) = [section for section in ALL_SECTIONS if section.name == name]
    rows = con.sql(wanted.sql, params={"window_id": window}).pl().to_dicts()
    return answer(wanted, rows, zone=ZoneInfo("Europe/Berlin"))


def sentences(con: duckdb.DuckDBPyConnection, name: str) -> list[tuple[str, str]]:
    return [(found.severity, found.sentence(str)) for found in section(con, name).findings]


def test_the_brief_at_a_quarter_to_seven_wakes_somebody_and_the_reminder_reaches_nobody(
    con: duckdb.DuckDBPyConnection,
) -> None:
    first, second, *_ = ready(con, "cron_discipline")
    assert (first["severity"], first["job"], first["runs"]) == ("incident", "morning-brief", 5)
    assert (first["next_in_quiet_hours"].hour, first["next_in_quiet_hours"].minute) == (5, 45)  # 06:45 in Berlin
    assert (second["severity"], second["job"], second["runs"]) == ("high", "standup-reminder", 4)
    assert second["undelivered_cost_usd"] > 0
    assert sentences(con, "cron_audit") == [
        ("severe", "cron job morning-brief of costaff: delivered in quiet hours (5 runs)"),
        (
            "severe",
            "cron job standup-reminder of fiducian: found no channel and ended ok, nobody got the answer (4 runs), "
            "and 2 more findings",
        ),
    ]


def test_the_heartbeat_on_a_paid_model_is_the_dearest_empty_poll(con: duckdb.DuckDBPyConnection) -> None:
    first, second, *_ = ready(con, "empty_polls")
    assert (first["agent"], first["poll"], first["every_minutes"]) == ("atlas/fiducian", "heartbeat", 30)
    assert (second["agent"], second["poll"], second["configured_minutes"]) == ("atlas/alec", "poll-tasks", 120)
    assert first["saving_at_twice_the_interval"] == pytest.approx(float(first["empty_usd"]) / 2, abs=1e-3)
    ((severity, text),) = sentences(con, "poll_efficiency")
    assert severity == "mild"
    assert text.startswith("92 % of fiducian's polls by heartbeat found nothing to do and cost $")


def test_every_poll_of_the_sample_counts_once(con: duckdb.DuckDBPyConnection) -> None:
    """The cron runs of the log, all with a turn but those that only log a wake, and each heartbeat turn."""
    counts = con.sql(
        """
        SELECT
          (SELECT count(*) FROM core.polls WHERE poll_kind = 'cron') AS polls,
          (SELECT count(*) FROM core.cron_runs WHERE NOT is_builtin) AS runs,
          (SELECT count(*) FROM core.polls WHERE poll_kind = 'heartbeat') AS beats,
          (SELECT count(*) FROM core.work_units WHERE session_type = 'heartbeat') AS beat_turns,
          (SELECT count(*) FROM core.polls WHERE calls = 0) AS without_call
        """
    ).fetchall()[0]
    assert counts[0] == counts[1]
    assert counts[2] == counts[3]
    assert counts[4] == 0


def test_sections_have_their_tables_and_say_nothing_of_an_empty_window(con: duckdb.DuckDBPyConnection) -> None:
    for declared in SECTIONS:
        assert section(con, declared.name).cells, declared.name
        assert declared.columns[0].name != declared.name
    later = AS_OF.replace(tzinfo=UTC).year + 1
    for name in ("poll_efficiency", "pipeline_steps", "sessions_by_trigger", "model_recommendations"):
        declared = next(section for section in SECTIONS if section.name == name)
        assert con.sql(declared.sql, params={"window_id": f"{later}-W01"}).fetchall() == []


def test_smaller_tiers_are_a_note_with_the_saving(con: duckdb.DuckDBPyConnection) -> None:
    ((severity, text),) = sentences(con, "model_recommendations")
    assert severity == "note"
    assert text.startswith("heartbeat poll asks for standard; triage might do")
    assert ready(con, "smaller_tiers")[0]["saving_list_usd"] > Decimal(1)


# --- tickets


def test_estimates_are_told_by_method_with_what_is_known_of_the_work(con: duckdb.DuckDBPyConnection) -> None:
    """FAD-47 was estimated at 8,000 points when work began; the 20,000 that stand there now came two days later."""
    over, factors = sentences(con, "estimates")
    assert over == (
        "mild",
        "FAD-47 is not done and used 4.4x its estimate; four of five by debugging stay under 2.5x",
    )
    assert factors == (
        "note",
        "documentation needs 0.9x of its estimate, debugging 2.1x (13 tickets; 55 % of tokens have a ticket)",
    )
    rows = {cells[0]: cells[1:4] for cells in section(con, "estimates").cells}
    assert rows["plan-execute"] == ("1", "n/a", "n/a")
    assert set(rows) == {"debugging", "tdd-loop", "documentation", "plan-execute", "all methods"}


def test_of_two_tickets_in_progress_the_forgotten_one_is_put_back(con: duckdb.DuckDBPyConnection) -> None:
    several, stale = sentences(con, "wip_audit")
    assert several == ("mild", "fiducian has 2 tickets in progress: go on with FAD-12, put FAD-16 back")
    assert stale[0] == "mild"
    assert stale[1].startswith(
        "FAD-16 of fiducian is in progress, for 18 days without change or call: no work on it in this status; 586 "
        "polls met it since, 15.8 M tokens, $20."
    )
    assert stale[1].endswith("; 1 more stale ticket")


def test_what_fits_into_the_week(con: duckdb.DuckDBPyConnection) -> None:
    ((severity, text),) = sentences(con, "capacity")
    assert severity == "note"
    assert text == (
        "alec has 21.0 M of this week's 30.0 M tokens left: 1 of 5 open tickets fits safely, 3 with average luck "
        "(55 % of tokens have a ticket)"
    )


def test_the_backtest_is_told_in_the_week_in_which_its_verdict_changes(con: duckdb.DuckDBPyConnection) -> None:
    """By the end of week 46 five tickets could be tested: too few to say anything, and so nothing is said."""
    assert sentences(con, "calibration_backtest") == [
        (
            "note",
            "the factors hold: if each estimate had been multiplied by its method's factor, 12 of 14 tickets would "
            "have stayed under the figure that 4 of 5 should stay under; 5 stayed under the bare estimate",
        )
    ]
    early = section(con, "calibration_backtest", "2026-W46")
    assert (len(early.cells), early.findings) == (3, ())
    assert len(section(con, "calibration_backtest", "2026-W47").findings) == 1
    assert section(con, "calibration_backtest", "2026-W48").findings == ()


def test_a_report_of_an_old_week_says_nothing_of_now(con: duckdb.DuckDBPyConnection) -> None:
    for declared in (ticket_sections.ESTIMATES, ticket_sections.WIP, ticket_sections.CAPACITY):
        assert section(con, declared.name, "2026-W46").cells == ()
        assert section(con, declared.name, "2026-W47").cells


def test_the_share_of_work_with_a_ticket_adds_up(con: duckdb.DuckDBPyConnection) -> None:
    rows = con.sql(ticket_sections.COVERAGE.sql, params={"window_id": "trailing_7d"}).pl().to_dicts()
    assert {row["evidence"] for row in rows} == {"session name", "text", "request", ""}
    assert sum(row["token_share"] for row in rows) == pytest.approx(1)


def printed(shown: RenderableType) -> str:
    console = Console(file=io.StringIO(), width=100)
    console.print(shown)
    assert isinstance(console.file, io.StringIO)
    return " ".join(console.file.getvalue().split())


def test_the_command_says_first_in_words_what_its_tables_say(con: duckdb.DuckDBPyConnection) -> None:
    shown = printed(calibration(con, zone=ZoneInfo("UTC")))
    assert shown.startswith("FAD-47 is not done and used 4.4x its estimate")
    for text in ("Estimates", "Tickets", "Work with a ticket", "FAD-16", "and 1 more"):
        assert text in shown
    told = printed(backtest(con, zone=ZoneInfo("UTC")))
    assert told.startswith("The factors hold. If each estimate had been multiplied by its method's factor, 12 of 14")
    assert "so few tickets may show anything from 60 % to 96 % by chance" in told
    assert "raw estimate 14 5 36 %" in told
    assert "The ticket is known for 55 % of the tokens of the last 7 days." in told
