"""The SQL files follow the rules that the asset graph, the data dictionary and the run order are read from."""

from pathlib import Path

import duckdb
import pytest

from agentops_pipelines.conf import CONF_TABLES
from agentops_pipelines.dictionary import page
from agentops_pipelines.sources.schemas import RAW_TABLES
from agentops_pipelines.sqltables import SqlFileError, load_tables, sql_root
from agentops_pipelines.warehouse import Warehouse, ops_docs
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


def test_grain_and_columns_go_on_in_lines_that_are_indented(tmp_path: Path) -> None:
    header = "-- A table.\n-- Grain: one row per (a,\n--         b).\n-- Columns:\n--   x  something\n--         long\n"
    (table,) = load_tables(write(tmp_path, core__a=header + "SELECT 1 AS x")).values()
    assert (table.description, table.grain) == ("A table.", "one row per (a, b).")
    assert table.columns == {"x": "something long"}


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


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory):
    """A published file without any data."""
    with built(tmp_path_factory.mktemp("empty"), batch()) as connection:
        yield connection


def comments(con: duckdb.DuckDBPyConnection, name: str) -> tuple[str | None, dict[str, str | None]]:
    """What the published file says about a table and, in their order, about its columns."""
    schema, table = name.split(".")
    ((about,),) = con.execute(
        "SELECT table_comment FROM information_schema.tables WHERE table_schema = ? AND table_name = ?", [schema, table]
    ).fetchall()
    columns = con.execute(
        "SELECT column_name, comment FROM duckdb_columns() WHERE schema_name = ? AND table_name = ? "
        "ORDER BY column_index",
        [schema, table],
    ).fetchall()
    return about, dict(columns)


def test_every_column_is_documented_in_order_and_in_the_published_file(con: duckdb.DuckDBPyConnection) -> None:
    for table in load_tables().values():
        about, columns = comments(con, table.name)
        assert about == f"{table.description} Grain: {table.grain}"
        assert list(columns.items()) == list(table.columns.items()), table.name
    for raw in RAW_TABLES:
        assert comments(con, raw.qualified_name) == (raw.doc, {c.name: c.doc for c in raw.columns})
    for name, docs in ops_docs().items():
        assert comments(con, f"ops.{name}") == docs
    for name, doc in CONF_TABLES.items():
        assert comments(con, f"conf.{name}")[0] == doc


def test_conf_and_ops_tables_are_all_there_and_documented(con: duckdb.DuckDBPyConnection) -> None:
    made = {name for (name,) in con.execute("SELECT schema_name || '.' || table_name FROM duckdb_tables()").fetchall()}
    assert {name for name in made if name.startswith("conf.")} == {f"conf.{name}" for name in CONF_TABLES}
    assert {name for name in made if name.startswith("ops.")} == {f"ops.{name}" for name in ops_docs()}


def test_documentation_that_is_in_the_file_is_not_put_in_again(tmp_path: Path) -> None:
    """Publishing documents raw and ops tables once, and again only what was changed since."""
    with Warehouse(tmp_path).locked("test") as locked, locked.connect() as writer:
        writer.document()
        writer.con.execute("COMMENT ON COLUMN raw.openclaw_lines.host IS 'of an earlier version'")
        statements: list[str] = []
        writer.con = Listening(writer.con, statements)  # type: ignore[assignment] - hands everything on
        writer.document()
        writer.document()
    assert [text for text in statements if text.startswith("COMMENT")] == [
        "COMMENT ON COLUMN raw.openclaw_lines.host IS 'configured name of the machine the state directory belongs to'"
    ]


class Listening:
    """A connection that notes what it is told to execute."""

    def __init__(self, con: duckdb.DuckDBPyConnection, statements: list[str]) -> None:
        self._con = con
        self._statements = statements

    def execute(self, text: str) -> duckdb.DuckDBPyConnection:
        self._statements.append(text)
        return self._con.execute(text)


def test_the_dictionary_page_is_current() -> None:
    """When it is not: python -m agentops_pipelines.dictionary."""
    assert (sql_root().parent / "docs" / "dictionary.md").read_text(encoding="utf-8") == page()


def test_the_folder_is_found_in_a_checkout() -> None:
    assert (sql_root() / "core" / "calls.sql").is_file()
