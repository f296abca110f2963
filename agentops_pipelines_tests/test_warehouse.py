"""The warehouse keeps what it was given: loads, the lock, publishing, dailies, restoring, migrations."""

import multiprocessing
import os
import signal
import stat
import time
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from agentops_pipelines.sources.batches import Batch, LedgerEntry, QuarantineEntry
from agentops_pipelines.sources.schemas import LITELLM_KEYS, OPENCLAW_LINES, RAW_TABLES
from agentops_pipelines.warehouse import (
    SCHEMA_VERSION,
    PublishedMissing,
    Warehouse,
    WarehouseBusy,
    WarehouseDamaged,
    WarehouseError,
    WarehouseTooNew,
    read_published,
)
from agentops_pipelines_tests.rows import frame, line

SCHEMAS = Path(__file__).parent / "data" / "schemas"
NOON = datetime(2026, 11, 23, 12)
ENTRY = LedgerEntry(source="openclaw", host="local", item="x", position=7, fingerprint="f", reader="r")


def load(warehouse: Warehouse, *batches: Batch, observed_at: datetime = NOON) -> None:
    with warehouse.locked("test") as locked, locked.connect() as writer:
        writer.load("openclaw", batches, scope="local", observed_at=observed_at)


def query(warehouse: Warehouse, sql: str) -> list[tuple]:
    with warehouse.locked("test") as locked, locked.connect() as writer:
        return writer.con.execute(sql).fetchall()


def lines(*ids: str, **changes: Any) -> Batch:
    return Batch(
        tables={OPENCLAW_LINES: frame(OPENCLAW_LINES, [line(i, NOON, **changes) for i in ids])}, ledger=[ENTRY]
    )


def test_a_row_read_again_replaces_the_one_before(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path)
    load(warehouse, lines("a", "b"))
    load(warehouse, lines("b", "c", output_tokens=99))
    assert query(warehouse, "SELECT line_id, output_tokens FROM raw.openclaw_lines ORDER BY 1") == [
        ("a", 10),
        ("b", 99),
        ("c", 99),
    ]


def test_one_record_twice_in_a_batch_counts_once_and_the_last_wins(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path)
    both = frame(OPENCLAW_LINES, [line("a", NOON, output_tokens=1), line("a", NOON, output_tokens=2)])
    load(warehouse, Batch(tables={OPENCLAW_LINES: both}))
    assert query(warehouse, "SELECT output_tokens FROM raw.openclaw_lines") == [(2,)]


def test_rows_and_ledger_of_a_failing_batch_are_both_undone(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path)

    def batches():
        yield lines("a")
        yield lines("b", estimate_usd=1e9)  # more than DECIMAL(18,12) holds

    with pytest.raises(duckdb.ConversionException):
        load(warehouse, *batches())
    assert query(warehouse, "SELECT line_id FROM raw.openclaw_lines") == [("a",)]
    assert query(warehouse, "SELECT position FROM ops.ledger") == [(7,)]
    assert query(warehouse, "SELECT count(*) FROM ops.loads") == [(0,)]


def test_the_ledger_comes_back_as_it_went_in(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path)
    load(warehouse, lines("a"))
    with warehouse.locked("test") as locked, locked.connect() as writer:
        assert writer.ledger("openclaw").get("local", "x") == ENTRY
        assert writer.ledger("litellm").entries == {}


def key(**changes: Any) -> Batch:
    return Batch(tables={LITELLM_KEYS: frame(LITELLM_KEYS, [{"key_hash": "k", "spend_usd": 1.0, **changes}])})


def test_a_dimension_gets_a_row_per_change_and_volatile_columns_are_refreshed(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path)
    load(warehouse, key(max_budget_usd=5.0), observed_at=datetime(2026, 11, 1))
    load(warehouse, key(max_budget_usd=5.0, spend_usd=2.0), observed_at=datetime(2026, 11, 2))
    load(warehouse, key(max_budget_usd=9.0, spend_usd=3.0), observed_at=datetime(2026, 11, 3))
    load(warehouse, key(max_budget_usd=5.0, spend_usd=4.0), observed_at=datetime(2026, 11, 4))
    rows = query(
        warehouse,
        "SELECT observed_at, CAST(max_budget_usd AS INT), CAST(spend_usd AS INT) FROM raw.litellm_keys ORDER BY 1",
    )
    assert rows == [
        (datetime(2026, 11, 1), 5, 2),
        (datetime(2026, 11, 3), 9, 3),
        (datetime(2026, 11, 4), 5, 4),
    ]


def test_quarantine_keeps_the_first_sight_of_the_same_bad_input(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path)
    bad = QuarantineEntry(source="openclaw", host="local", item="f.jsonl", position=3, reason="not JSON")
    load(warehouse, Batch(tables={}, quarantine=[bad]), observed_at=datetime(2026, 11, 1))
    load(warehouse, Batch(tables={}, quarantine=[bad]), observed_at=datetime(2026, 11, 2))
    assert query(warehouse, "SELECT item, position, reason, first_seen_at FROM ops.quarantine") == [
        ("f.jsonl", 3, "not JSON", datetime(2026, 11, 1))
    ]
    assert query(warehouse, "SELECT quarantined FROM ops.loads ORDER BY load_id") == [(1,), (0,)]


def test_the_published_file_is_whole_read_only_and_readable_while_a_run_writes(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path)
    load(warehouse, lines("a"))
    with warehouse.locked("test") as locked:
        published = locked.publish()
        with locked.connect() as writer, read_published(published) as reader:
            writer.load("openclaw", [lines("b")], scope="local", observed_at=NOON)
            assert reader.execute("SELECT line_id FROM raw.openclaw_lines").fetchall() == [("a",)]
        assert stat.S_IMODE(published.stat().st_mode) == 0o444
        locked.publish()
    with read_published(published) as reader:
        assert reader.execute("SELECT count(*) FROM raw.openclaw_lines").fetchall() == [(2,)]


def test_a_wal_left_beside_the_published_file_is_not_replayed(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path)
    load(warehouse, lines("a"))
    with warehouse.locked("test") as locked:
        published = locked.publish()
    copy = tmp_path / "copy.duckdb"
    copy.write_bytes(published.read_bytes())
    pid = os.fork()
    if pid == 0:
        connection = duckdb.connect(copy)
        connection.execute("INSERT INTO ops.loads (load_id) VALUES (4242)")
        os._exit(0)  # dies without a checkpoint: the WAL stays
    os.waitpid(pid, 0)
    wal = copy.with_name("copy.duckdb.wal")
    assert wal.exists()
    wal.rename(published.with_name(published.name + ".wal"))
    with warehouse.locked("test") as locked:
        locked.publish()
    with read_published(published) as reader:
        assert reader.execute("SELECT count(*) FROM ops.loads WHERE load_id = 4242").fetchall() == [(0,)]


def test_reading_before_the_first_run_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(PublishedMissing, match="agentops run"), read_published(tmp_path / "agentops.duckdb"):
        pass


def test_home_and_private_file_belong_to_their_owner_only(tmp_path: Path) -> None:
    home = tmp_path / "agentops" / "demo"
    load(Warehouse(home), lines("a"))
    assert stat.S_IMODE(home.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "warehouse.duckdb").stat().st_mode) == 0o600


def test_seven_dailies_are_kept(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path)
    load(warehouse, lines("a"))
    folder = tmp_path / "dailies"
    folder.mkdir()
    for day in range(1, 10):
        (folder / f"agentops-2026-01-{day:02d}.duckdb").write_bytes(b"")
    with warehouse.locked("test") as locked:
        locked.publish()
    kept = sorted(path.stem for path in folder.glob("*.duckdb"))
    assert len(kept) == 7
    assert kept[0] == "agentops-2026-01-04"


def test_a_truncated_warehouse_is_named_and_restored_and_the_next_load_catches_up(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path)
    load(warehouse, lines("a"))
    with warehouse.locked("test") as locked:
        locked.publish()
    load(warehouse, lines("b"))
    with (tmp_path / "warehouse.duckdb").open("r+b") as handle:
        handle.truncate(5000)
    with pytest.raises(WarehouseDamaged, match="agentops restore"):
        load(warehouse, lines("b"))
    with warehouse.locked("restore") as locked:
        locked.restore(day=None)
    load(warehouse, lines("b"))
    assert query(warehouse, "SELECT line_id FROM raw.openclaw_lines ORDER BY 1") == [("a",), ("b",)]
    assert len(list(tmp_path.glob("warehouse-replaced-*"))) == 1


def test_restoring_a_day_that_is_not_kept_lists_the_days_that_are(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path)
    load(warehouse, lines("a"))
    with warehouse.locked("test") as locked:
        locked.publish()
        with pytest.raises(WarehouseError, match=r"no published day .*20\d\d-"):
            locked.restore(day=date(2020, 1, 1))


def _hold(home: Path, ready) -> None:
    with Warehouse(home).locked("a long run"):
        ready.set()
        time.sleep(60)


def test_waiting_for_the_lock_names_the_holder_and_a_killed_holder_frees_it(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    holder = context.Process(target=_hold, args=(tmp_path, ready))
    holder.start()
    assert ready.wait(10)
    busy = Warehouse(tmp_path, lock_timeout_seconds=0.2)
    with pytest.raises(WarehouseBusy, match=f"process {holder.pid}, a long run"), busy.locked("test"):
        pass
    assert holder.pid is not None
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    with busy.locked("test"):
        pass


def test_a_file_of_a_newer_version_is_refused_untouched(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path)
    load(warehouse, lines("a"))
    with duckdb.connect(warehouse.path) as connection:
        connection.execute("INSERT INTO ops.schema_version VALUES (999, NULL)")
    with pytest.raises(WarehouseTooNew, match="schema 999"):
        load(warehouse, lines("b"))


def current_ddl(warehouse: Warehouse) -> str:
    rows = query(
        warehouse,
        "SELECT 'CREATE TABLE ' || schema_name || '.' || table_name || ' (' || string_agg(column_name || ' ' || "
        "data_type, ', ' ORDER BY column_index) || ');' FROM duckdb_columns() WHERE schema_name IN ('raw', 'ops') "
        "GROUP BY schema_name, table_name ORDER BY schema_name, table_name",
    )
    return "\n".join(row[0] for row in rows) + "\n"


def test_the_current_schema_is_recorded_under_its_version(tmp_path: Path) -> None:
    """A changed raw or ops table needs a new SCHEMA_VERSION and a new file here; earlier files stay as they are."""
    warehouse = Warehouse(tmp_path)
    load(warehouse)
    recorded = SCHEMAS / f"v{SCHEMA_VERSION}.sql"
    assert recorded.read_text(encoding="utf-8") == current_ddl(warehouse)


@pytest.mark.parametrize("earlier", sorted(SCHEMAS.glob("v*.sql")), ids=lambda path: path.stem)
def test_a_warehouse_of_each_earlier_schema_is_upgraded_in_place(tmp_path: Path, earlier: Path) -> None:
    warehouse = Warehouse(tmp_path)
    with duckdb.connect(warehouse.path) as connection:
        for schema in ("raw", "ops"):
            connection.execute(f"CREATE SCHEMA {schema}")
        connection.execute(earlier.read_text(encoding="utf-8"))
        connection.execute(f"INSERT INTO ops.schema_version VALUES ({earlier.stem[1:]}, NULL)")
        connection.execute(
            "INSERT INTO raw.openclaw_lines (host, agent_id, session_id, line_id) VALUES ('h', 'a', 's', 'l')"
        )
    load(warehouse, lines("a"))
    assert query(warehouse, "SELECT line_id FROM raw.openclaw_lines ORDER BY 1") == [("a",), ("l",)]
    for table in RAW_TABLES:
        have = {row[0] for row in query(warehouse, f"DESCRIBE {table.qualified_name}")}
        assert have == {column.name for column in table.columns}
