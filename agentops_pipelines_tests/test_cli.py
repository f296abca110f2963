"""The command: its messages, its exit codes, its SQL answers. Every command runs for real, in this process."""

import csv
import io
import json
import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import dagster as dg
import polars as pl
import pytest
from click.testing import CliRunner, Result

from agentops_pipelines.cli import main
from agentops_pipelines.settings import Alerts, Budget, Config, Thresholds, _Environment
from agentops_pipelines.warehouse import Warehouse
from agentops_pipelines.weeks import last_complete_week
from agentops_pipelines_tests.discord_server import DiscordServer, Does, discord
from agentops_pipelines_tests.rows import batch, line, request
from agentops_pipelines_tests.state_dirs import write_state_dir
from agentops_pipelines_tests.world import build

NOW = datetime.now(UTC).replace(tzinfo=None)
LAST_WEEK = last_complete_week(NOW, zone=UTC)  # type: ignore[arg-type] - any tzinfo will do
MONDAY = datetime.fromisocalendar(int(LAST_WEEK[:4]), int(LAST_WEEK[-2:]), 1)


def agentops(*arguments: str, typed: str | None = None) -> Result:
    """Run one command. What it logs is not for the test's own log."""
    return CliRunner().invoke(main, arguments, input=typed, catch_exceptions=False)


@pytest.fixture
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A source with one call an hour ago and two in the last complete week."""
    calls = [MONDAY + timedelta(hours=9), MONDAY + timedelta(hours=10), NOW - timedelta(hours=1)]
    path = write_state_dir(tmp_path / "openclaw", calls)
    monkeypatch.setenv("AGENTOPS_OPENCLAW_STATE_DIRS", str(path))
    return path


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose published file has two calls, made without Dagster."""
    at = datetime(2026, 11, 23, 10)
    world = tmp_path_factory.mktemp("world")
    build(
        world,
        batch(lines=[line("u", at, {"kind": "user"}), line("a", at)], requests=[request("r", at, output_tokens=11)]),
    )
    return world


@pytest.fixture
def published(home: Path, world: Path) -> Path:
    """The published file of a copy of the world, as this test's home."""
    shutil.copytree(world, home)
    return home / "agentops.duckdb"


@pytest.fixture
def channel(monkeypatch: pytest.MonkeyPatch) -> Iterator[DiscordServer]:
    with discord() as server:
        monkeypatch.setenv("AGENTOPS_DISCORD_WEBHOOK_URL", server.url)
        yield server


# --- help and errors


def test_help_lists_every_command_and_imports_nothing_heavy() -> None:
    script = (
        "import sys; from agentops_pipelines.cli import main; main(['--help'], standalone_mode=False);"
        "heavy = {'dagster', 'duckdb', 'polars', 'pydantic', 'rich', 'httpx'};"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    for command in ("run", "dev", "sql", "export", "report", "calibration", "doctor", "restore", "deliveries"):
        assert f"\n  {command} " in done.stdout


@pytest.mark.parametrize("command", sorted(main.commands))
def test_every_command_and_option_has_help(command: str) -> None:
    shown = agentops(command, "--help")
    assert shown.exit_code == 0
    assert main.commands[command].help
    for parameter in main.commands[command].params:
        if parameter.param_type_name == "option":
            assert getattr(parameter, "help", None), f"{command} {parameter.name}"


def test_without_any_source_run_says_exactly_what_to_set() -> None:
    done = agentops("run")
    assert done.exit_code == 2
    assert "export AGENTOPS_OPENCLAW_STATE_DIRS=/home/me/.openclaw" in done.stderr
    assert "export AGENTOPS_LITELLM_BASE_URL=http://localhost:4000 AGENTOPS_LITELLM_API_KEY=sk-..." in done.stderr
    assert "agentops run --demo" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "--week", "47"), "--week '47' is no ISO week; write it like"),
        (("run", "--week", "2025-W53"), "--week '2025-W53': 2025 has no week 53."),
        (("run", "--week", "2099-W10"), "--week 2099-W10 has not begun: it starts on Monday 2 March 2099."),
        (("run", "--post"), "--post: AGENTOPS_DISCORD_WEBHOOK_URL is not set."),
        (("run", "--post", "--demo"), "--post: the bundled sample is never posted."),
        (("report", "--week", "soon"), "--week 'soon' is no ISO week"),
    ],
)
def test_arguments_that_cannot_be_used_are_explained_in_one_line(
    state_dir: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = agentops(*arguments)
    assert done.exit_code == 2
    assert done.stderr.startswith(f"agentops: {message}")
    assert done.stderr.count("\n") == 1


def test_a_week_that_is_not_over_is_not_posted(state_dir: Path, channel: DiscordServer) -> None:
    running = datetime.now(UTC).strftime("%G-W%V")
    done = agentops("run", "--post", "--week", running)
    assert done.exit_code == 2
    assert f"--post: {running} is not over yet; the last complete week is {LAST_WEEK}." in done.stderr
    assert channel.requests == []


def test_a_bad_setting_is_one_line_with_its_name(home: Path) -> None:
    home.mkdir()
    (home / "agentops.toml").write_text("cost_basis = 'guess'", encoding="utf-8")
    done = agentops("run")
    assert done.exit_code == 2
    assert done.stderr.startswith(f"agentops: {home / 'agentops.toml'}: cost_basis: Input should be 'spend'")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [("sql", "SELECT 1"), ("report",)])
def test_before_the_first_run_there_is_nothing_to_read_and_it_says_so(home: Path, arguments: tuple[str, ...]) -> None:
    done = agentops(*arguments)
    assert done.exit_code == 1
    assert done.stderr.startswith(f"agentops: {home / 'agentops.duckdb'} does not exist yet: run `agentops run` first")
    assert done.stderr.count("\n") == 1


def test_a_mistake_of_the_program_is_one_line_and_a_traceback_only_on_request(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError("first line\nsecond line")

    monkeypatch.setattr("agentops_pipelines.sqlshell.answer", broken)
    done = agentops("sql", "SELECT 1")
    assert (done.exit_code, done.stderr) == (
        1,
        "agentops: ZeroDivisionError: first line (AGENTOPS_DEBUG=1 shows where)\n",
    )
    monkeypatch.setenv("AGENTOPS_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        agentops("sql", "SELECT 1")


def test_the_readme_names_every_command_option_variable_and_setting() -> None:
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    for name, command in main.commands.items():
        assert f"`agentops {name}" in readme
        for parameter in command.params:
            if isinstance(parameter, click.Option) and parameter.name != "help":
                assert parameter.opts[0] in readme, f"{name} {parameter.opts[0]}"
    for name in _Environment.model_fields:
        assert f"`AGENTOPS_{name.upper()}`" in readme
    for name in (*Config.model_fields, *Thresholds.model_fields, *Alerts.model_fields, *Budget.model_fields):
        assert re.search(rf"^\[*(alerts\.)?{name}\b", readme, re.MULTILINE), f"agentops.toml: {name}"


def test_calibration_without_tickets_says_what_it_needs(published: Path) -> None:
    assert published.is_file()
    for arguments, words in (
        ((), "Connect Jira (AGENTOPS_JIRA_BASE_URL"),
        (("--backtest",), "No ticket could be tested"),
    ):
        done = agentops("calibration", *arguments)
        assert done.exit_code == 0
        assert words in done.stdout


# --- run and report


def test_run_shows_the_report_where_things_are_and_what_to_do_next(home: Path, state_dir: Path) -> None:
    done = agentops("run")
    assert done.exit_code == 0, done.stderr
    assert "Agent costs, last 7 days" in done.stdout
    for name, path in (
        ("Page", home / "reports" / "report-trailing_7d.html"),
        ("Chart", home / "reports" / "chart-trailing_7d.png"),
        ("DuckDB", home / "agentops.duckdb"),
    ):
        assert f"{name:<8}{path}\n" in done.stdout
        assert path.is_file()
    assert 'sql "FROM mart.cost_by_agent"' in done.stdout
    assert "openclaw local: 8 rows" in done.stderr
    assert "Traceback" not in done.stderr
    assert " - dagster - " not in done.stderr
    assert logging.getLogger("agentops_pipelines").handlers == []
    with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
        (run,) = instance.get_runs()  # what `agentops dev` shows
    assert (run.job_name, run.is_success, run.tags["agentops/window"]) == ("weekly_report", True, "trailing_7d")
    again = agentops("report", "--week", LAST_WEEK)
    assert again.exit_code == 0
    assert "$0.50" in again.stdout
    assert (home / "reports" / f"report-{LAST_WEEK}.html").is_file()


def test_what_cannot_be_read_is_named_below_the_report_and_makes_exit_code_1(
    state_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTOPS_OPENCLAW_STATE_DIRS", f"pi={state_dir}:mac={tmp_path / 'gone'}")
    monkeypatch.setenv("AGENTOPS_LITELLM_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AGENTOPS_LITELLM_API_KEY", "sk-very-secret")
    done = agentops("run")
    assert done.exit_code == 1
    assert "Agent costs, last 7 days" in done.stdout
    problems = [line for line in done.stderr.splitlines() if line.startswith("agentops: ")]
    assert len(problems) == 3
    assert "AGENTOPS_LITELLM_BASE_URL=http://127.0.0.1:9: nothing answers" in problems[0]
    assert f"AGENTOPS_OPENCLAW_STATE_DIRS={tmp_path / 'gone'}" in problems[1]
    assert problems[2] == "agentops: the report lacks what could not be read."
    assert "sk-very-secret" not in done.output


def test_a_source_without_a_single_call_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "openclaw" / "agents" / "main" / "sessions").mkdir(parents=True)
    monkeypatch.setenv("AGENTOPS_OPENCLAW_STATE_DIRS", str(tmp_path / "openclaw"))
    done = agentops("run")
    assert done.exit_code == 1
    assert "no source has a single model call; `agentops doctor` shows what each one holds." in done.stderr


def test_a_week_before_all_data_names_the_weeks_there_are(state_dir: Path) -> None:
    done = agentops("run", "--week", "2020-W10")
    assert done.exit_code == 1
    assert "agentops: There is no window '2020-W10': the data has the weeks " in done.stderr
    assert "failed: all tables were published" in done.stderr


def test_a_run_that_finds_the_warehouse_busy_says_who_is_writing(home: Path, state_dir: Path) -> None:
    home.mkdir()
    (home / "agentops.toml").write_text("lock_timeout_seconds = 0.1", encoding="utf-8")
    with Warehouse(home).locked("a long load"):
        done = agentops("run")
    assert done.exit_code == 1
    assert f"is being written by process {os.getpid()}, a long load" in done.stderr
    assert "failed: nothing was published, the last good run stays" in done.stderr
    assert "Agent costs" not in done.stdout


# --- Discord


def test_post_sends_the_last_complete_week_once(home: Path, state_dir: Path, channel: DiscordServer) -> None:
    done = agentops("run", "--post")
    assert done.exit_code == 0, done.stderr
    assert "$0.50" in channel.only.payload["content"]
    assert agentops("run", "--post").exit_code == 0
    assert len(channel.messages) == 1
    listed = agentops("deliveries")
    assert listed.stdout.startswith(f"weekly/{LAST_WEEK}")
    assert " complete " in listed.stdout
    resent = agentops("deliveries", "--resend", f"weekly/{LAST_WEEK}")
    assert (resent.exit_code, resent.stdout) == (0, f"weekly/{LAST_WEEK} was posted.\n")
    assert len(channel.messages) == 2


def test_a_post_that_fails_makes_exit_code_1_and_the_report_is_shown(state_dir: Path, channel: DiscordServer) -> None:
    channel.script.append(Does.BREAKS)
    done = agentops("run", "--post")
    assert done.exit_code == 1
    assert "Agent costs, week" in done.stdout
    assert f"agentops: Discord: weekly/{LAST_WEEK}: uncertain" in done.stderr
    assert channel.url.rpartition("/")[2] not in done.output


def test_deliveries_without_any_and_of_an_unknown_key(channel: DiscordServer) -> None:
    assert agentops("deliveries").stdout == "Nothing was posted yet.\n"
    done = agentops("deliveries", "--resend", "weekly/2026-W01")
    assert done.exit_code == 1
    assert "There is no delivery 'weekly/2026-W01'. Known: none." in done.stderr


# --- sql


def test_sql_prints_a_table_csv_or_json(published: Path) -> None:
    query = "SELECT call_id, cost_usd, first_token_at FROM core.calls ORDER BY call_id"
    table = agentops("sql", query).stdout
    assert [line.split() for line in table.splitlines() if "/" in line] == [
        ["ll/r", "0.002000000000"],
        ["oc/alec/s1/a"],
    ]
    rows = list(csv.DictReader(io.StringIO(agentops("sql", query, "--format", "csv").stdout)))
    assert [row["call_id"] for row in rows] == ["ll/r", "oc/alec/s1/a"]
    assert rows[0]["cost_usd"] == "0.002000000000"
    text = agentops("sql", query, "--format", "json").stdout
    assert '"cost_usd": 0.002000000000' in text
    assert [row["first_token_at"] for row in json.loads(text)] == [None, None]
    assert agentops("sql", "SELECT 1 WHERE false", "--format", "json").stdout == "[]\n"


def test_sql_reads_files_and_standard_input(published: Path, tmp_path: Path) -> None:
    file = tmp_path / "two.sql"
    file.write_text("SELECT 1 AS one; SELECT 2 AS two;", encoding="utf-8")
    assert agentops("sql", str(file), "--format", "csv").stdout == "one\n1\ntwo\n2\n"
    assert agentops("sql", "-", "--format", "csv", typed="SELECT 3 AS three").stdout == "three\n3\n"
    assert agentops("sql", "--format", "csv", typed="SELECT 3 AS three").stdout == "three\n3\n"
    done = agentops("sql", "nowhere.sql")
    assert done.exit_code == 1
    assert done.stderr.startswith("agentops: there is no file nowhere.sql (ready ones: ")


@pytest.mark.parametrize("comment", ["-- what it is about", "--about", "--"])
def test_a_query_may_begin_with_a_comment(published: Path, comment: str) -> None:
    query = f"{comment}\nSELECT 3 AS three"
    assert agentops("sql", query, "--format", "csv").stdout == "three\n3\n"
    assert agentops("sql", "--format", "csv", "--", query).stdout == "three\n3\n"
    assert "No such option '--three'" in agentops("sql", "--three").stderr


def test_sql_runs_a_ready_query_by_its_name_and_lists_them(published: Path) -> None:
    listed = {row["name"]: row["question"] for row in json.loads(agentops("sql", ".adhoc", "--format", "json").stdout)}
    assert listed["who_starts_work"].startswith("How much do people ask for, and how much starts by itself")
    by_name = agentops("sql", "who_starts_work", "--format", "csv")
    assert by_name.exit_code == 0, by_name.stderr
    assert by_name.stdout == agentops("sql", "who_starts_work.sql", "--format", "csv").stdout
    assert "mart.weekly_summary" in agentops("sql", ".tables").stdout
    done = agentops("sql", "who_starts_wrok")
    assert (done.exit_code, done.stderr) == (
        1,
        "agentops: there is no ready query who_starts_wrok (did you mean who_starts_work?)\n",
    )


@pytest.mark.parametrize("ending", ["csv", "json", "parquet"])
def test_sql_writes_a_file_in_the_format_of_its_ending(published: Path, tmp_path: Path, ending: str) -> None:
    """Decimals stay decimals and keep their twelve digits, zero too."""
    path = tmp_path / f"costs.{ending}"
    query = "SELECT CAST(0 AS DECIMAL(18,12)) AS nothing, sum(cost_usd) AS usd FROM core.calls;"
    done = agentops("sql", query, "--output", str(path))
    assert (done.exit_code, done.stdout) == (0, "")
    if ending == "parquet":
        frame = pl.read_parquet(path)
        assert [str(value) for value in frame.row(0)] == ["0E-12", "0.002000000000"]
        assert frame.schema["nothing"] == pl.Decimal(18, 12)
    else:
        text = path.read_text(encoding="utf-8")
        assert text == agentops("sql", query, "--format", ending).stdout
        assert "0.000000000000" in text
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("SELECT 1", "--format", "parquet"), 2, "--format parquet: say where to with --output FILE."),
        (("SELECT 1", "--output", "costs.txt"), 2, "--output costs.txt: say what to write with --format csv, json"),
        (("SELECT 1; SELECT 2", "--output", "costs.csv"), 1, "costs.csv can hold the answer of one query only"),
        (("SELECT 1", "--output", "nowhere/costs.csv"), 1, "there is no directory nowhere"),
        (("", "--output", "costs.csv"), 1, "there is no query to write an answer of"),
    ],
)
def test_a_file_that_cannot_be_written_is_explained_and_none_is_left(
    published: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = agentops("sql", *arguments)
    assert (done.exit_code, done.stderr.count("\n")) == (code, 1)
    assert done.stderr.startswith(f"agentops: {message}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT nothing FROM core.calls", 'Binder Error: Referenced column "nothing" not found'),
        ("DELETE FROM core.calls", "read-only mode"),
        ("SELEC 1", "Parser Error"),
    ],
)
def test_sql_that_cannot_run_is_one_line(published: Path, query: str, message: str) -> None:
    done = agentops("sql", query)
    assert done.exit_code == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_prompt_answers_query_after_query(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    typed = iter(
        [".tables", ".adhoc", ".adhoc who_starts_work", "SELECT 1 AS one", "  + 1 AS two;", "oops;", "", ".quit"]
    )
    monkeypatch.setattr("builtins.input", lambda prompt: next(typed))
    from agentops_pipelines import sqlshell

    output, errors = io.StringIO(), io.StringIO()
    monkeypatch.setattr("sys.stdout", output)
    monkeypatch.setattr("sys.stderr", errors)
    sqlshell.interact(published, format_="table")
    assert "mart.weekly_summary" in output.getvalue()
    assert "How much do people ask for" in output.getvalue()
    assert "started_by" in output.getvalue()
    assert "one" in output.getvalue()
    assert "Parser Error" in errors.getvalue()


def test_a_long_table_is_cut_and_says_so(published: Path) -> None:
    done = agentops("sql", "SELECT range AS n FROM range(5000)")
    assert "199" in done.stdout
    assert "only the first 200 rows are shown" in done.stderr
    assert agentops("sql", "SELECT range AS n FROM range(5000)", "--format", "csv").stdout.count("\n") == 5001


# --- export


def test_export_says_what_it_wrote(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert agentops("export", "focus").stdout == "focus.csv: 2 rows\n"
    assert agentops("export", "focus", "--month", "2026-11", "--output", "november.parquet").exit_code == 0
    assert agentops("export", "csv", "weekly_summary", "core.calls").stdout.splitlines()[1] == "core.calls.csv: 2 rows"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("core.calls.csv", "focus.csv", "november.parquet", "weekly_summary.csv"),
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("focus", "daily_cost"), 2, "export focus: takes no table"),
        (("focus", "--output", "focus.json"), 2, "--output focus.json: FOCUS is written to a file that ends with .csv"),
        (("focus", "--month", "November"), 1, "November is no month; write it like 2026-11"),
        (("parquet",), 2, "export parquet: say which tables (or all), without --month."),
        (("csv", "nothing"), 1, "there is no table mart.nothing (agentops sql .tables lists them)"),
    ],
)
def test_an_export_that_cannot_be_is_explained_in_one_line(
    published: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    done = agentops("export", *arguments)
    assert (done.exit_code, done.stderr.count("\n")) == (code, 1)
    assert done.stderr.startswith(f"agentops: {message}")


# --- restore


def test_restore_goes_back_to_a_published_day(home: Path, published: Path) -> None:
    (home / "warehouse.duckdb").write_bytes(b"damaged")
    done = agentops("restore")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith(f"Restored {home / 'dailies' / 'agentops-'}")
    assert agentops("sql", "SELECT count(*) AS n FROM core.calls", "--format", "csv").stdout == "n\n2\n"
    missing = agentops("restore", "--day", "2020-01-01")
    assert missing.exit_code == 1
    assert "no published day to restore" in missing.stderr
