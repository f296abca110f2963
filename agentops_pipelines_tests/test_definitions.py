"""What Dagster loads: every table is an asset that says what it holds, and the steps behave when parts fail."""

import logging
import warnings
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
import duckdb
import pytest
import yaml
from dagster._core.definitions.freshness import TimeWindowFreshnessPolicy

from agentops_pipelines.dagster_home import WORKSPACE
from agentops_pipelines.definitions import defs
from agentops_pipelines.defs import checks, tables
from agentops_pipelines.event_log import PooledSqliteEventLogStorage
from agentops_pipelines.settings import Config, SettingsError, load_settings
from agentops_pipelines.sources.schemas import RAW_TABLES
from agentops_pipelines.sqltables import load_tables
from agentops_pipelines.warehouse import Warehouse, read_published
from agentops_pipelines_tests import world
from agentops_pipelines_tests.rows import ASSISTANT, USER, batch, line, request
from agentops_pipelines_tests.state_dirs import write_state_dir
from agentops_pipelines_tests.world import build

CALLS = [datetime(2026, 11, 17, 10), datetime(2026, 11, 18, 11), datetime(2026, 11, 24, 7)]
AS_OF = "2026-11-24T08:00:00"
ROOT = Path(__file__).parent.parent


QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
EVERYTHING = dg.AssetSelection.all()
DATA = EVERYTHING - dg.AssetSelection.groups("report")
"""All but the report, whose charts take a second."""


def run(
    selection: dg.AssetSelection = DATA, *, as_of: str = AS_OF, instance: dg.DagsterInstance | None = None
) -> dg.ExecuteInProcessResult:
    """The real definitions, run in process against the settings of the environment."""
    loaded = defs()
    keys = selection.resolve(loaded.resolve_asset_graph())
    groups = {key.path[0] for key in keys}
    ops: dict[str, object] = {}
    if groups & {"core", "mart"}:
        ops["tables"] = {"config": {"as_of": as_of}}
    if "report" in groups:
        ops["report"] = {"config": {"window_id": "2026-W47"}}
    return loaded.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=instance,
        raise_on_error=False,
        asset_selection=list(keys),
        run_config={"ops": ops, **QUIET},
    )


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    """What the SQL step says about its failure."""
    failure = result.failure_data_for_node("tables")
    assert failure is not None
    assert failure.user_failure_data is not None
    return failure.user_failure_data.description or ""


def check(result: dg.ExecuteInProcessResult, name: str, table: str = "") -> dg.AssetCheckEvaluation:
    """The one evaluation of a check."""
    (found,) = [
        one
        for one in result.get_asset_check_evaluations()
        if one.check_name == name and (not table or one.asset_key.path[-1] == table)
    ]
    return found


@pytest.fixture
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = write_state_dir(tmp_path / "openclaw", CALLS)
    monkeypatch.setenv("AGENTOPS_OPENCLAW_STATE_DIRS", f"pi={path}")
    return path


@pytest.fixture(autouse=True)
def sql_files_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are the same for every test here."""
    monkeypatch.setattr("agentops_pipelines.definitions.load_tables", world.tables)


# --- what is there


def test_every_table_is_one_asset_with_documentation_and_lineage() -> None:
    graph = defs().resolve_asset_graph()
    sql_tables = load_tables()
    expected = {("raw", table.name) for table in RAW_TABLES}
    expected |= {(table.schema, table.table) for table in sql_tables.values()}
    expected |= {("report", "weekly"), ("report", "alerts")}
    assert {tuple(key.path) for key in graph.get_all_asset_keys()} == expected
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description, key
        assert node.owners, key
        assert node.kinds, key
        assert (node.freshness_policy is None) == (node.group_name not in ("mart", "report")), key
        assert node.group_name in ("raw_openclaw", "raw_litellm", "raw_jira", "raw_otel", "core", "mart", "report"), key
    calls = graph.get(dg.AssetKey(["core", "calls"]))
    upstream = {key.to_user_string() for key in calls.parent_keys}
    assert upstream == {
        name.replace(".", "/") for name in sql_tables["core.calls"].dependencies if not name.startswith("conf.")
    }


def test_tags_say_whose_records_a_table_is_made_from() -> None:
    graph = defs().resolve_asset_graph()
    tagged = {
        table: sorted(tag for tag in graph.get(dg.AssetKey(table.split("/"))).tags if tag.startswith("agentops/"))
        for table in ("raw/jira_issues", "core/list_prices", "mart/pool_headroom", "mart/ticket_calibration")
    }
    assert tagged == {
        "raw/jira_issues": ["agentops/jira"],
        "core/list_prices": [],
        "mart/pool_headroom": ["agentops/litellm"],
        "mart/ticket_calibration": ["agentops/jira", "agentops/litellm", "agentops/openclaw", "agentops/otel"],
    }


def test_marts_are_overdue_after_a_day_or_after_a_week_where_no_hourly_job_makes_them(home: Path) -> None:
    def windows() -> set[float]:
        graph = defs().resolve_asset_graph()
        policies = [graph.get(key).freshness_policy for key in graph.get_all_asset_keys() if key.path[0] == "mart"]
        assert all(isinstance(policy, TimeWindowFreshnessPolicy) for policy in policies)
        return {policy.fail_window.to_timedelta() / timedelta(hours=1) for policy in policies}  # type: ignore[union-attr]

    assert windows() == {Config().thresholds.stale_hours}
    home.mkdir()
    (home / "agentops.toml").write_text("alerts.enabled = false", encoding="utf-8")
    assert windows() == {8 * 24}


def test_the_job_is_everything_in_one_process() -> None:
    job = defs().resolve_job_def("weekly_report")
    assert {node.name for node in job.nodes} == {"openclaw", "litellm", "jira", "otel", "tables", "report"}
    assert job.executor_def is dg.in_process_executor


def test_definitions_load_without_a_warning_and_without_making_a_file(home: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for job in ("weekly_report", "past_weeks", "alerts"):
            defs().resolve_job_def(job)
    assert not home.exists()


def test_definitions_say_which_setting_is_wrong(home: Path) -> None:
    home.mkdir()
    (home / "agentops.toml").write_text('timezone = "Berlin"', encoding="utf-8")
    with pytest.raises(SettingsError, match=r"agentops\.toml: timezone: .*unknown time zone 'Berlin'"):
        defs()


def test_the_packaged_files_are_those_at_the_top_but_for_the_event_log() -> None:
    packaged = ROOT / "agentops_pipelines"
    assert WORKSPACE.parent == packaged
    for name in ("workspace.yaml", "dagster.yaml"):
        ours, top = (yaml.safe_load((folder / name).read_text(encoding="utf-8")) for folder in (packaged, ROOT))
        # Dagster reads the file at the top for `dagster dev`, where there is no DAGSTER_HOME.
        event_log = ours.pop("event_log_storage", {"class": None})
        assert event_log["class"] == (PooledSqliteEventLogStorage.__name__ if name == "dagster.yaml" else None)
        assert ours == top


def test_dagster_can_resolve_everything_that_is_defined() -> None:
    dg.Definitions.validate_loadable(defs())


# --- a run


def test_a_run_publishes_tables_with_row_counts_columns_and_a_chart(home: Path, state_dir: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        result = run(EVERYTHING, instance=instance)
        assert result.success
        made = {
            event.asset_key.to_user_string(): event.materialization.metadata
            for event in result.get_asset_materialization_events()
            if event.asset_key is not None
        }
        assert instance.get_dynamic_partitions("weeks") == ["2026-W47"]
        job = defs().resolve_job_def("past_weeks")
        assert job.partitioned_config is not None
        config = job.partitioned_config.get_run_config_for_partition_key("2026-W47")
        again = job.execute_in_process(instance=instance, run_config={**config, **QUIET})
        (shown,) = again.asset_materializations_for_node("report_week")
    assert shown.metadata["headline"] == made["report/weekly"]["headline"]
    with read_published(home / "agentops.duckdb") as connection:
        for name in load_tables():
            (rows,) = connection.execute(f"SELECT count(*) FROM {name}").fetchall()[0]
            assert made[name.replace(".", "/")]["dagster/row_count"].value == rows, name
        (cost,) = connection.execute(
            "SELECT cost_usd FROM mart.weekly_summary WHERE window_id = '2026-W47'"
        ).fetchall()[0]
    assert float(cost) == pytest.approx(0.5)
    schema = made["core/calls"]["dagster/column_schema"].value
    assert isinstance(schema, dg.TableSchema)
    column = next(column for column in schema.columns if column.name == "cost_usd")
    assert column.type.startswith("DECIMAL")
    assert column.description == load_tables()["core.calls"].columns["cost_usd"]
    assert made["raw/openclaw_lines"]["rows_loaded"].value == 6
    assert str(made["report/weekly"]["headline"].value).startswith("$0.50 estimated · ")
    chart = made["report/weekly"]["chart"].value
    assert isinstance(chart, str)
    assert chart.startswith("![cost by day](data:image/png;base64,iVBORw0KGgo")
    assert sorted(path.name for path in (home / "reports").iterdir()) == ["chart-2026-W47.png", "report-2026-W47.html"]


def test_a_second_run_reads_nothing_again(state_dir: Path) -> None:
    run(dg.AssetSelection.groups("raw_openclaw"))
    result = run(dg.AssetSelection.groups("raw_openclaw"))
    loaded = check(result, "source_loaded", "openclaw_lines")
    assert (loaded.passed, loaded.metadata["bytes_read"].value) == (True, 0)


def test_a_subset_is_made_checked_and_published(home: Path, state_dir: Path) -> None:
    run()
    before = (home / "agentops.duckdb").stat().st_ino
    result = run(dg.AssetSelection.assets(["mart", "weekly_summary"]))
    assert result.success
    assert [event.asset_key for event in result.get_asset_materialization_events()] == [
        dg.AssetKey(["mart", "weekly_summary"])
    ]
    names = {one.check_name for one in result.get_asset_check_evaluations()}
    assert names == {"unknown_share", "unpriced_share", "match_rate", "fresh"}
    assert (home / "agentops.duckdb").stat().st_ino != before


def test_a_subset_without_its_inputs_says_what_to_do(home: Path, state_dir: Path) -> None:
    result = run(dg.AssetSelection.assets(["mart", "weekly_summary"]))
    assert not result.success
    assert "must be made first: run the job weekly_report once" in failure_of(result)
    assert not (home / "agentops.duckdb").exists()


def test_a_check_can_be_launched_alone(state_dir: Path) -> None:
    run()
    graph = defs().resolve_asset_graph()
    checks_of_calls = dg.AssetSelection.checks_for_assets(dg.AssetKey(["core", "calls"]))
    job = dg.define_asset_job("checks_only", selection=checks_of_calls).resolve(asset_graph=graph)
    result = job.execute_in_process(run_config={"ops": {"tables": {"config": {"as_of": AS_OF}}}})
    assert result.get_asset_materialization_events() == []
    assert {one.check_name for one in result.get_asset_check_evaluations() if one.passed} == {
        "unique_calls",
        "totals_equal_raw",
    }


# --- sources that fail


def test_a_source_that_is_not_configured_is_skipped_and_its_check_says_so(state_dir: Path) -> None:
    result = run(dg.AssetSelection.groups("raw_litellm"))
    loaded = check(result, "source_loaded", "litellm_spend_logs")
    assert loaded.passed
    neither = "neither AGENTOPS_LITELLM_DATABASE_URL nor AGENTOPS_LITELLM_BASE_URL is set"
    assert loaded.description == f"not configured: {neither}"
    assert loaded.metadata["status"].value == "not configured"


def test_one_bad_directory_does_not_stop_the_others(
    home: Path, state_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    monkeypatch.setenv("AGENTOPS_OPENCLAW_STATE_DIRS", f"mac={gone}:pi={state_dir}")
    result = run()
    assert result.success
    loaded = check(result, "source_loaded", "openclaw_lines")
    assert not loaded.passed
    assert f"AGENTOPS_OPENCLAW_STATE_DIRS={gone}" in (loaded.description or "")
    with read_published(home / "agentops.duckdb") as connection:
        loads = connection.execute("SELECT scope, status, rows > 0 FROM ops.loads ORDER BY scope").fetchall()
    assert loads == [("mac", "failed", False), ("pi", "ok", True)]


def test_an_unreachable_proxy_fails_its_check_and_the_report_is_made_all_the_same(
    home: Path, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTOPS_LITELLM_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AGENTOPS_LITELLM_API_KEY", "sk-very-secret")
    result = run(EVERYTHING)
    assert result.success
    loaded = check(result, "source_loaded", "litellm_spend_logs")
    assert not loaded.passed
    assert "AGENTOPS_LITELLM_BASE_URL=http://127.0.0.1:9" in (loaded.description or "")
    page = (home / "reports" / "report-2026-W47.html").read_text(encoding="utf-8")
    assert "http://127.0.0.1:9" in page
    assert "sk-very-secret" not in page + (loaded.description or "")


def test_a_proxy_without_a_key_is_a_failed_source(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTOPS_LITELLM_BASE_URL", "http://127.0.0.1:9")
    loaded = check(run(dg.AssetSelection.groups("raw_litellm")), "source_loaded", "litellm_spend_logs")
    assert not loaded.passed
    assert "AGENTOPS_LITELLM_API_KEY" in (loaded.description or "")


def test_a_mistake_in_a_reader_names_the_place_but_never_what_was_read(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*arguments: object, **options: object) -> None:
        raise KeyError(" ".join(("text", "of", "a", "prompt")))

    monkeypatch.setattr("agentops_pipelines.defs.openclaw.read_state_dir", broken)
    with caplog.at_level(logging.INFO):
        loaded = check(run(dg.AssetSelection.groups("raw_openclaw")), "source_loaded", "openclaw_lines")
    assert (loaded.description or "").startswith("pi: KeyError while reading it")
    assert "in broken" in caplog.text
    assert "text of a prompt" not in caplog.text


# --- blocking and warning checks


def test_a_blocking_check_that_fails_stops_the_publishing_and_the_report(
    home: Path, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    published = (home / "agentops.duckdb").stat()
    sql_tables = load_tables()
    doubled = sql_tables["core.calls"]
    object.__setattr__(doubled, "sql", f"WITH calls AS ({doubled.sql}) FROM calls UNION ALL FROM calls")
    monkeypatch.setattr("agentops_pipelines.definitions.load_tables", lambda: sql_tables)
    result = run(EVERYTHING)
    assert not result.success
    assert not check(result, "unique_calls").passed
    assert not check(result, "totals_equal_raw").passed
    assert check(result, "unique_calls").severity is dg.AssetCheckSeverity.ERROR
    assert "Nothing was published. unique_calls: core.calls has 6 rows for 3 different calls" in failure_of(result)
    assert result.is_node_skipped("report") or result.is_node_untouched("report")
    assert (home / "agentops.duckdb").stat() == published


@pytest.mark.parametrize(
    ("damage", "figure"),
    [
        ("DELETE FROM core.calls WHERE source = 'litellm'", "LiteLLM rows"),
        ("UPDATE core.calls SET spend_usd = 0.5 WHERE source = 'both'", "LiteLLM rows: spend (USD)"),
        ("UPDATE core.calls SET total_tokens = 1 WHERE source = 'openclaw'", "without a gateway row: tokens"),
        ("DELETE FROM core.calls WHERE source = 'openclaw'", "OpenClaw calls: 1 instead of 2"),
        ("UPDATE core.transcript_lines SET output_tokens = 0", "OpenClaw lines, each once: tokens"),
        ("UPDATE core.calls SET estimate_usd = 0", "OpenClaw calls: estimate (USD)"),
    ],
)
def test_totals_are_compared_with_what_the_sources_said(home: Path, damage: str, figure: str) -> None:
    at = datetime(2026, 11, 23, 10)
    lines = [line("u", at, USER), line("a", at, response_id="r", estimate_usd=0.01)]
    lines += [line("u2", at, USER), line("a2", at, ASSISTANT, estimate_usd=0.02)]
    build(home, batch(lines=lines, requests=[request("r", at), request("other", at, output_tokens=11)]))
    with Warehouse(home).locked("test") as locked, locked.connect() as writer:
        assert checks.totals_equal_raw(writer.con).passed
        writer.con.execute(damage)
        damaged = checks.totals_equal_raw(writer.con)
    assert not damaged.passed
    assert figure in (damaged.description or "")


def test_shares_and_age_warn_and_block_nothing(home: Path, state_dir: Path) -> None:
    home.mkdir()
    (home / "agentops.toml").write_text(
        "[thresholds]\nunpriced_tokens = 0.0\nstale_hours = 1.0\n[price_aliases]\n", encoding="utf-8"
    )
    result = run(as_of="2026-11-26T08:00:00")
    assert result.success
    fresh = check(result, "fresh")
    assert (fresh.passed, fresh.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert fresh.metadata["openclaw_hours"].value == pytest.approx(49, abs=0.1)


def test_as_of_must_be_a_time(state_dir: Path) -> None:
    result = run(as_of="yesterday")
    assert "as_of='yesterday' is not a time" in failure_of(result)


def test_a_table_that_fails_is_named(home: Path, state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sql_tables = load_tables()
    object.__setattr__(sql_tables["mart.top_sessions"], "sql", "SELECT no_such_column FROM core.calls")
    settings = load_settings()
    with Warehouse(home).locked("test") as locked, pytest.raises(duckdb.BinderException) as caught:
        tables.rebuild(locked, settings, list(sql_tables.values()), checked=(), as_of=datetime(2026, 11, 24))
    assert "while making mart.top_sessions" in str(getattr(caught.value, "__notes__", ""))


def test_the_schedule_takes_cron_and_zone_from_the_settings(home: Path) -> None:
    home.mkdir()
    (home / "agentops.toml").write_text('timezone = "Europe/Berlin"\nschedule = "30 7 * * 2"\n', encoding="utf-8")
    schedule = defs().resolve_schedule_def("monday_report")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("30 7 * * 2", "Europe/Berlin")
    assert Config().schedule == "0 8 * * 1"
