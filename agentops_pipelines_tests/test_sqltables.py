"""The SQL files follow the rules that the asset graph, the data dictionary and the run order are read from."""

from pathlib import Path

import pytest

from agentops_pipelines.conf import CONF_TABLES
from agentops_pipelines.sources.schemas import RAW_TABLES
from agentops_pipelines.sqltables import SqlFileError, load_tables, sql_root
from agentops_pipelines_tests.rows import batch
from agentops_pipelines_tests.world import built

HEADER = "-- A table.\n-- Grain: one row per x.\n-- Columns:\n--   x  something\n"


def write(root: Path, **files: str) -> Path:
    for name, sql in files.items():
        schema, table = name.split("__")
        (root / schema).mkdir(parents=True, exist_ok=True)
        (root / schema / f"{table}.sql").write_text(sql, encoding="utf-8")
    return root


def test_tables_come_after_what_they_read(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        core__b=HEADER + "SELECT a.x FROM mart.a AS a JOIN raw.r AS r ON r.x = a.x",
        mart__a=HEADER + "WITH c AS (SELECT 1 AS x) SELECT x FROM c",
    )
    tables = load_tables(root)
    assert list(tables) == ["mart.a", "core.b"]
    assert tables["core.b"].dependencies == ("mart.a", "raw.r")
    assert tables["core.b"].grain == "one row per x."
    assert tables["core.b"].columns == {"x": "something"}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"core__a": "SELECT 1 AS x"}, "header needs"),
        ({"core__a": HEADER + "SELECT x FROM somewhere"}, "needs its schema"),
        ({"core__a": HEADER + "SELECT x FROM core.nothing"}, "which no file makes"),
        ({"core__a": HEADER + "SELECT 1 AS x; SELECT 2 AS x"}, "exactly one SELECT"),
        ({"core__a": HEADER + "CREATE TABLE t (x INT)"}, "exactly one SELECT"),
        ({"core__a": HEADER + "SELECT FROM WHERE ("}, "core/a.sql"),
        (
            {"core__a": HEADER + "SELECT x FROM core.b", "core__b": HEADER + "SELECT x FROM core.a"},
            "in a circle",
        ),
    ],
)
def test_files_that_break_a_rule_are_named(tmp_path: Path, files: dict[str, str], message: str) -> None:
    with pytest.raises(SqlFileError, match=message):
        load_tables(write(tmp_path, **files))


def test_every_shipped_table_reads_only_declared_tables() -> None:
    declared = {table.qualified_name for table in RAW_TABLES} | {f"conf.{name}" for name in CONF_TABLES}
    for table in load_tables().values():
        outside = {name for name in table.dependencies if name.split(".")[0] not in ("core", "mart")}
        assert outside <= declared, table.name


def test_every_column_is_documented_in_order_and_in_the_published_file(tmp_path: Path) -> None:
    with built(tmp_path, batch()) as connection:
        for table in load_tables().values():
            described = connection.execute(
                "SELECT column_name, comment FROM duckdb_columns() WHERE schema_name = ? AND table_name = ? "
                "ORDER BY column_index",
                [table.schema, table.table],
            ).fetchall()
            assert dict(described) == table.columns, table.name
            assert list(dict(described)) == list(table.columns), table.name


def test_conf_tables_are_all_written(tmp_path: Path) -> None:
    with built(tmp_path, batch()) as connection:
        made = {
            name
            for (name,) in connection.execute(
                "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'conf'"
            ).fetchall()
        }
    assert made == set(CONF_TABLES)


def test_the_folder_is_found_in_a_checkout() -> None:
    assert (sql_root() / "core" / "calls.sql").is_file()
