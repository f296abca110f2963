"""Answers SQL from the published file: one query from the command line, or a prompt.

Belongs here: reading queries and printing rows. Does not belong here: queries of the report (report/fetch.py).
"""

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import duckdb
from rich import box
from rich.console import Console
from rich.table import Table

from agentops_pipelines.sqltables import sql_root
from agentops_pipelines.warehouse import read_published

TABLE_ROWS = 200
"""A table shows no more; csv and json have no limit."""

_HELP = "End a query with ';'. .tables lists the tables, .quit (or Ctrl-D) ends."
_TABLES = (
    "SELECT schema_name || '.' || table_name AS \"table\", estimated_size AS rows, comment FROM duckdb_tables() "
    "ORDER BY list_position(['mart', 'core', 'raw', 'conf', 'ops'], schema_name), table_name"
)


class QueryError(Exception):
    """A query that DuckDB does not run, or a file that cannot be read."""


def query_text(argument: str) -> str:
    """The argument itself, or the text of the .sql file that it names (also one of sql/adhoc by its name)."""
    if not argument.endswith(".sql"):
        return argument
    for path in (Path(argument), sql_root() / "adhoc" / argument):
        if path.is_file():
            return path.read_text(encoding="utf-8")
    ready = ", ".join(sorted(path.name for path in (sql_root() / "adhoc").glob("*.sql"))) or "none"
    raise QueryError(f"there is no file {argument} (ready ones: {ready})")


def answer(published: Path, text: str, *, format_: str) -> None:
    """Run the statements of `text` and print the rows of each. Raises QueryError, PublishedMissing."""
    with read_published(published) as connection:
        try:
            for statement in connection.extract_statements(text):
                connection.execute(statement)
                if connection.description:
                    _print(connection, format_)
        except duckdb.Error as error:
            raise QueryError(" ".join(str(error).split("\n\n")[0].split())) from error


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
        lines.append(_TABLES + ";" if not lines and line.strip() == ".tables" else line)
        if not lines[-1].rstrip().endswith(";"):
            lines = lines if "".join(lines).strip() else []
            continue
        try:
            answer(published, "\n".join(lines), format_=format_)
        except QueryError as error:
            click.echo(str(error), err=True)
        lines = []


def _print(connection: duckdb.DuckDBPyConnection, format_: str) -> None:
    names = [str(column[0]) for column in connection.description]
    if format_ == "table":
        _print_table(names, connection.fetchmany(TABLE_ROWS + 1))
    elif format_ == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(_all_rows(connection))
    else:
        _print_json(names, _all_rows(connection))


def _all_rows(connection: duckdb.DuckDBPyConnection) -> Iterator[Sequence[Any]]:
    while rows := connection.fetchmany(10_000):
        yield from rows


def _print_table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for position, name in enumerate(names):
        numeric = any(isinstance(row[position], int | float | Decimal) for row in rows)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows[:TABLE_ROWS]:
        table.add_row(*("" if value is None else str(value) for value in row))
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console = Console(markup=False, highlight=False, width=100_000, no_color=True)
    console.print(table)
    if len(rows) > TABLE_ROWS:
        click.echo(f"... only the first {TABLE_ROWS} rows are shown; --format csv or json has all.", err=True)


def _print_json(names: Sequence[str], rows: Iterator[Sequence[Any]]) -> None:
    """An array of objects, a row a line. Decimals keep all their digits."""
    separator = "["
    for row in rows:
        fields = ", ".join(f"{json.dumps(name)}: {_json(value)}" for name, value in zip(names, row, strict=True))
        sys.stdout.write(f"{separator}{{{fields}}}")
        separator = ",\n "
    sys.stdout.write("[]\n" if separator == "[" else "]\n")


def _json(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    return json.dumps(value, default=str, ensure_ascii=False)
