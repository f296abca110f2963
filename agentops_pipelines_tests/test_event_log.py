"""Dagster's home and its event log over connections that stay open: the same files, as whole as with its own class."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log import SqliteEventLogStorage

from agentops_pipelines.dagster_home import dagster_instance, prepare_dagster_home
from agentops_pipelines.event_log import PooledSqliteEventLogStorage

OPEN_FILES = Path("/proc/self/fd")


@dg.asset
def number() -> int:
    return 1


def test_dagsters_own_class_reads_what_was_written_and_the_other_way_round(home: Path) -> None:
    folder = prepare_dagster_home(home)
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        assert isinstance(instance.event_log_storage, PooledSqliteEventLogStorage)
        first = dg.materialize([number], instance=instance)
        events = len(instance.all_logs(first.run_id))
        (folder / "dagster.yaml").write_text("telemetry: {enabled: false}", encoding="utf-8")
        with dg.DagsterInstance.from_config(str(folder)) as plain:
            assert isinstance(plain.event_log_storage, SqliteEventLogStorage)
            assert not isinstance(plain.event_log_storage, PooledSqliteEventLogStorage)
            assert len(plain.all_logs(first.run_id)) == events > 5
            second = dg.materialize([number], instance=plain)
        newest = instance.get_latest_materialization_event(dg.AssetKey("number"))
    assert newest is not None
    assert newest.run_id == second.run_id


@pytest.mark.skipif(not OPEN_FILES.exists(), reason="this system does not list a process's open files there")
def test_a_daemon_keeps_few_files_open_and_a_wiped_log_can_be_written_again(home: Path) -> None:
    with dg.DagsterInstance.from_config(str(prepare_dagster_home(home))) as instance:
        job = dg.Definitions(assets=[number], jobs=[dg.define_asset_job("one")]).resolve_job_def("one")
        runs = [instance.create_run_for_job(job) for _ in range(12)]
        for run in runs:
            instance.report_engine_event("seen", run)
        open_files = {path.resolve().name for path in OPEN_FILES.iterdir() if path.resolve().suffix == ".db"}
        assert all(instance.all_logs(run.run_id)[-1].message == "seen" for run in runs)
        assert len(open_files) <= 10
        instance.wipe()
        again = dg.materialize([number], instance=instance)
        assert len(instance.all_logs(again.run_id)) > 5


def test_a_new_home_is_opened_by_several_at_once(home: Path) -> None:
    def opened(_: int) -> int:
        with dagster_instance(home) as instance:
            return len(instance.get_runs())

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(opened, range(4))) == [0] * 4
