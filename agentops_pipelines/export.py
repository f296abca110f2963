"""Writes tables of the published file for other programs: FOCUS 1.2 for FinOps tools, Parquet and CSV of any table.

Belongs here: names of columns and files, and how a format writes times. Does not belong here: any figure (the charges
of FOCUS are mart.focus_costs), or how rows are written (sqlshell.py).

FOCUS is the FinOps Open Cost and Usage Specification, https://focus.finops.org.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from agentops_pipelines.sqlshell import write_query
from agentops_pipelines.warehouse import read_published

EVERY_MART = "all"

_FOCUS = "mart.focus_costs"
_TAGS = ("x_lane", "x_category", "x_session_type", "x_trigger", "x_team_id", "x_ticket_key")
"""What FinOps tools group by is in the column Tags too: some of them ignore columns that they do not know."""
_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


class ExportError(Exception):
    """What was asked for cannot be exported; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """One file that was written."""

    path: Path
    rows: int


def export_focus(published: Path, output: Path, *, format_: str, month: str | None = None) -> Exported:
    """Write the charges of a month (2026-11), or all of them. Raises ExportError, PublishedMissing."""
    if month is not None and not _MONTH.fullmatch(month):
        raise ExportError(f"{month} is no month; write it like 2026-11")
    with read_published(published) as connection:
        _require(connection, _FOCUS)
        where = f"WHERE strftime(billing_period_start, '%Y-%m') = '{month}'" if month else ""
        columns = ", ".join(_focus_columns(connection, format_))
        query = f"SELECT {columns} FROM (FROM {_FOCUS} {where} ORDER BY ALL)"
        if month and not _count(connection, query):
            raise ExportError(f"there are no charges in {month}")
        return _written(connection, query, output, format_)


def export_tables(published: Path, names: Sequence[str], directory: Path, *, format_: str) -> Iterator[Exported]:
    """Write each table to a file of its name: marts by their name alone, any table with its schema, or `all` marts."""
    if not directory.absolute().parent.is_dir():
        raise ExportError(f"there is no directory {directory.parent}")
    with read_published(published) as connection:
        known = {name for (name,) in connection.execute(_TABLES).fetchall()}
        marts = sorted(name for name in known if name.startswith("mart."))
        wanted = marts if list(names) == [EVERY_MART] else [name if "." in name else f"mart.{name}" for name in names]
        unknown = [name for name in wanted if name not in known]
        if unknown:
            raise ExportError(f"there is no table {', '.join(unknown)} (agentops sql .tables lists them)")
        directory.mkdir(exist_ok=True)
        for name in wanted:
            path = directory / f"{name.removeprefix('mart.')}.{format_}"
            yield _written(connection, f"FROM {name} ORDER BY ALL", path, format_)


_TABLES = "SELECT table_schema || '.' || table_name FROM information_schema.tables"


def _require(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    if (name,) not in connection.execute(_TABLES).fetchall():
        raise ExportError(f"the published file has no {name} yet: call `agentops run` once")


def _written(connection: duckdb.DuckDBPyConnection, query: str, output: Path, format_: str) -> Exported:
    write_query(connection, query, output, format_=format_)
    return Exported(path=output, rows=_count(connection, query))


def _count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    return connection.execute(f"SELECT count(*) FROM ({query})").fetchall()[0][0]


def _focus_columns(connection: duckdb.DuckDBPyConnection, format_: str) -> Iterator[str]:
    described = connection.execute(f"DESCRIBE {_FOCUS}").fetchall()
    for name, type_, *_ in described:
        yield f'{_focus_value(name, type_, format_)} AS "{focus_name(name)}"'
    pairs = ", ".join(f"'{name.removeprefix('x_')}': {name}" for name in _TAGS)
    yield f'CAST(to_json({{{pairs}}}) AS VARCHAR) AS "Tags"'


def focus_name(name: str) -> str:
    """The name that FOCUS gives a column; columns of our own keep their x_."""
    prefix, rest = ("x_", name.removeprefix("x_")) if name.startswith("x_") else ("", name)
    return prefix + "".join(word.capitalize() for word in rest.split("_"))


def _focus_value(name: str, type_: str, format_: str) -> str:
    if type_ == "TIMESTAMP":
        return f"strftime({name}, '%Y-%m-%dT%H:%M:%SZ')" if format_ == "csv" else f"CAST({name} AS TIMESTAMPTZ)"
    return f"CAST({name} AS DECIMAL(28, 12))" if name.endswith("_quantity") else name
