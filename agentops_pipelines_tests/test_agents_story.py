"""Ready queries and report sections about agents, on the bundled sample: what its story tells is found."""

from collections.abc import Iterator
from datetime import UTC
from decimal import Decimal
from zoneinfo import ZoneInfo

import duckdb
import pytest

from agentops_pipelines.conf import write_conf_tables
from agentops_pipelines.demo.sample import AS_OF, demo_settings, sample_litellm_batches
from agentops_pipelines.report.agent_sections import SECTIONS
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
            write_conf_tables(writer, settings, as_of=AS_OF)
            for table in tables().values():
                writer.run_table(table)
        published = locked.publish()
    with read_published(published) as connection:
        yield connection


def ready(con: duckdb.DuckDBPyConnection, name: str) -> list[dict]:
    return con.sql(query_text(f"{name}.sql").strip().rstrip(";")).pl().to_dicts()


def section(con: duckdb.DuckDBPyConnection, name: str, window: str = "trailing_7d") -> Answer:
    (wanted,) = [section for section in SECTIONS if section.name == name]
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
