"""Answers SQL from the published file: one query from the command line, or a prompt.

Belongs here: reading queries, printing rows and writing them to files. Does not belong here: queries of the report
(report/fetch.py), or what is exported (export.py).
"""

import csv
import difflib
import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO

import click
import duckdb
from rich import box
from rich.console import Console
from rich.table import Table

from agentops_pipelines.sqltables import sql_root
from agentops_pipelines.warehouse import read_published

TABLE_ROWS = 200
"""A table shows no more; csv, json and parquet have no limit."""

FORMATS = ("table", "csv", "json", "parquet")

_HELP = "End a query with ';'. .tables lists the tables, .adhoc the ready queries, .adhoc NAME runs one, .quit ends."
_TABLES = (
    "SELECT schema_name || '.' || table_name AS \"table\", estimated_size AS rows, comment FROM ("
    "SELECT schema_name, table_name, estimated_size, comment FROM duckdb_tables() UNION ALL "
    "SELECT schema_name, view_name, NULL, comment FROM duckdb_views() WHERE NOT internal) "
    "ORDER BY list_position(['mart', 'core', 'raw', 'conf', 'ops'], schema_name), table_name"
)
_NAME = re.compile(r"[a-z0-9_]+")


class QueryError(Exception):
    """A query that DuckDB does not run, or a file that cannot be read."""


def ready_queries() -> dict[str, Path]:
    """The files of sql/adhoc by their name."""
    return {path.stem: path for path in sorted((sql_root() / "adhoc").glob("*.sql"))}


def question(path: Path) -> str:
    """What a ready query answers: its first comment."""
    lines = path.read_text(encoding="utf-8").splitlines()
    header = lines[: next((n for n, line in enumerate(lines) if not line.startswith("--")), len(lines))]
    return " ".join(line.removeprefix("--").strip() for line in header)


def query_text(argument: str) -> str:
    """The SQL that an argument stands for: the name of a ready query, a .sql file, .tables, .adhoc, or SQL itself."""
    argument = argument.strip().rstrip(";").rstrip() if argument.startswith(".") else argument
    if argument == ".tables":
        return _TABLES
    if argument == ".adhoc":
        return _list_of_ready_queries()
    ready = ready_queries()
    name = argument.removeprefix(".adhoc ").strip().removesuffix(".sql")
    if argument.endswith(".sql") and Path(argument).is_file():
        return Path(argument).read_text(encoding="utf-8")
    if name in ready:
        return ready[name].read_text(encoding="utf-8")
    # No statement that answers anything is one word.
    if argument.endswith(".sql") or argument.startswith(".adhoc ") or _NAME.fullmatch(argument):
        raise QueryError(_no_such(argument, name, ready))
    return argument


def _no_such(argument: str, name: str, ready: dict[str, Path]) -> str:
    kind = f"file {argument}" if argument.endswith(".sql") else f"ready query {name}"
    close = difflib.get_close_matches(name, ready, n=3)
    hint = f"did you mean {', '.join(close)}?" if close else f"ready ones: {', '.join(ready) or 'none'}"
    return f"there is no {kind} ({hint})"


def _list_of_ready_queries() -> str:
    rows = ", ".join(f"({_quote(name)}, {_quote(question(path))})" for name, path in ready_queries().items())
    return f"SELECT name, question FROM (VALUES {rows}) AS ready(name, question) ORDER BY name"


def answer(published: Path, text: str, *, format_: str, output: Path | None = None) -> None:
    """Run the statements of `text` and print the rows of each, or write the rows of the last one to `output`.

    Raises QueryError, PublishedMissing.
    """
    with read_published(published) as connection:
        try:
            statements = connection.extract_statements(text)
            if output is not None:
                _write(connection, statements, output, format_)
                return
            for statement in statements:
                connection.execute(statement)
                if connection.description:
                    _print(connection, format_, sys.stdout)
        except duckdb.Error as error:
            raise QueryError(" ".join(str(error).split("\n\n")[0].split())) from error


def write_query(connection: duckdb.DuckDBPyConnection, text: str, output: Path, *, format_: str) -> None:
    """Write the rows of one query to a file, which appears only when it is complete."""
    _write(connection, connection.extract_statements(text), output, format_)


def _write(
    connection: duckdb.DuckDBPyConnection, statements: Sequence[duckdb.Statement], output: Path, format_: str
) -> None:
    if not statements:
        raise QueryError("there is no query to write an answer of")
    last = statements[-1]
    for statement in statements[:-1]:
        connection.execute(statement)
        if statement.type == duckdb.StatementType.SELECT:
            raise QueryError(f"{output} can hold the answer of one query only")
    with _complete(output) as temporary:
        if format_ == "parquet":
            relation = connection.sql(last)
            if relation is None:
                raise QueryError("the query has no rows to write")
            relation.write_parquet(str(temporary), compression="zstd")
            return
        connection.execute(last)
        with temporary.open("w", encoding="utf-8", newline="") as file:
            _print(connection, format_, file)


@contextmanager
def _complete(output: Path) -> Iterator[Path]:
    """A name beside `output` to write to; it takes the place of `output` when nothing went wrong."""
    if not output.parent.is_dir():
        raise QueryError(f"there is no directory {output.parent}")
    temporary = output.with_name(f".{output.name}.new")
    try:
        yield temporary
        temporary.replace(output)
    finally:
        temporary.unlink(missing_ok=True)


def interact(published: Path, *, format_: str) -> None:
    """Prompt for queries until the end of input. Each one sees what was published last."""
    import readline  # noqa: F401 - makes input() editable, with history

    with read_published(published):
        click.echo(f"{published} (read-only). {_HELP}")
    lines: list[str] = []
    while True:
        try:
            line = input("   ...> " if lines else "agentops> ")
        except EOFError:
            click.echo()
            return
        except KeyboardInterrupt:
            click.echo()
            lines = []
            continue
        if not lines and line.strip() in (".quit", ".exit"):
            return
        is_command = not lines and line.startswith((".tables", ".adhoc"))
        lines.append(line)
        if not is_command and not line.rstrip().endswith(";"):
            lines = lines if "".join(lines).strip() else []
            continue
        try:
            answer(published, query_text(line) if is_command else "\n".join(lines), format_=format_)
        except QueryError as error:
            click.echo(str(error), err=True)
        lines = []


def _print(connection: duckdb.DuckDBPyConnection, format_: str, file: TextIO) -> None:
    names = [str(column[0]) for column in connection.description or ()]
    if format_ == "table":
        _print_table(names, connection.fetchmany(TABLE_ROWS + 1))
    elif format_ == "csv":
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        for row in _all_rows(connection):
            writer.writerow([_plain(value) for value in row])
    else:
        _print_json(names, _all_rows(connection), file)


def _all_rows(connection: duckdb.DuckDBPyConnection) -> Iterator[Sequence[Any]]:
    while rows := connection.fetchmany(10_000):
        yield from rows


def _plain(value: Any) -> Any:
    """Decimals with all their digits: Python writes zero as 0E-12."""
    return format(value, "f") if isinstance(value, Decimal) else value


def _print_table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for position, name in enumerate(names):
        numeric = any(isinstance(row[position], int | float | Decimal) for row in rows)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows[:TABLE_ROWS]:
        table.add_row(*("" if value is None else str(_plain(value)) for value in row))
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console = Console(markup=False, highlight=False, width=100_000, no_color=True)
    console.print(table)
    if len(rows) > TABLE_ROWS:
        click.echo(f"... only the first {TABLE_ROWS} rows are shown; --format csv or json has all.", err=True)


def _print_json(names: Sequence[str], rows: Iterator[Sequence[Any]], file: TextIO) -> None:
    """An array of objects, a row a line. Decimals keep all their digits."""
    separator = "["
    for row in rows:
        fields = ", ".join(f"{json.dumps(name)}: {_json(value)}" for name, value in zip(names, row, strict=True))
        file.write(f"{separator}{{{fields}}}")
        separator = ",\n "
    file.write("[]\n" if separator == "[" else "]\n")


def _json(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    return json.dumps(value, default=str, ensure_ascii=False)


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
