"""Finds and understands the SQL files: names, descriptions, columns, dependencies and order.

Belongs here: everything that can be known about sql/ by reading it. Does not belong here: running it (warehouse.py)
or showing it in Dagster (defs/tables.py).
"""

import graphlib
import re
from dataclasses import dataclass
from pathlib import Path

import sqlglot
from sqlglot import exp

SCHEMAS = ("core", "mart")
"""Schemas whose tables are made by the SQL step. sql/adhoc holds queries for people, not tables."""

_HEADER_LINE = re.compile(r"^--\s?(?P<text>.*)$")
_COLUMN_LINE = re.compile(r"^\s{1,4}(?P<name>[a-z_0-9]+)\s{2,}(?P<doc>\S.*)$")
_KEPT_AS_VIEW = "Kept as a view"
_CONTINUATION = re.compile(r"^\s{8,}(?P<doc>\S.*)$")


class SqlFileError(Exception):
    """A file under sql/ that does not follow the rules; the message names the file and the rule."""


@dataclass(frozen=True, kw_only=True)
class SqlTable:
    """One SQL table: what its file says about it."""

    name: str
    """Schema and table, `mart.weekly_summary`."""
    path: Path
    sql: str
    """The one SELECT statement of the file, comments included."""
    description: str
    grain: str
    columns: dict[str, str]
    """Column name -> documentation, in the order of the header."""
    dependencies: tuple[str, ...]
    """Tables it reads: `raw.x`, `conf.x`, `core.x`, `mart.x`."""
    is_view: bool = False
    """Whether its rows are worked out when they are read: its header says `Kept as a view`, and why."""

    @property
    def schema(self) -> str:
        """`core` or `mart`."""
        return self.name.split(".")[0]

    @property
    def table(self) -> str:
        """The name without its schema."""
        return self.name.split(".")[1]


def sql_root() -> Path:
    """The sql/ folder: inside the package when installed from a wheel, beside it in a checkout."""
    package = Path(__file__).parent
    for candidate in (package / "sql", package.parent / "sql"):
        if candidate.is_dir():
            return candidate
    raise SqlFileError(f"no sql folder in {package} or beside it: the installation is incomplete")


def load_tables(root: Path | None = None) -> dict[str, SqlTable]:
    """All tables by name, each after the tables it reads. Raises SqlFileError for a file that breaks the rules."""
    root = root or sql_root()
    found = {
        f"{schema}.{path.stem}": read_table(path, name=f"{schema}.{path.stem}")
        for schema in SCHEMAS
        for path in sorted((root / schema).glob("*.sql"))
    }
    graph = {name: [dep for dep in table.dependencies if dep in found] for name, table in found.items()}
    for name, table in found.items():
        missing = [dep for dep in table.dependencies if dep.split(".")[0] in SCHEMAS and dep not in found]
        if missing:
            raise SqlFileError(f"{table.path}: {name} reads {', '.join(missing)}, which no file makes")
    try:
        order = list(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        raise SqlFileError(f"tables read each other in a circle: {' -> '.join(error.args[1])}") from error
    return {name: found[name] for name in order}


def read_table(path: Path, *, name: str) -> SqlTable:
    """One file as a SqlTable."""
    sql = path.read_text(encoding="utf-8").strip().rstrip(";")
    description, grain, columns = _header(sql, path)
    try:
        statements = sqlglot.parse(sql, dialect="duckdb")
    except sqlglot.ParseError as error:
        raise SqlFileError(f"{path}: {error}") from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise SqlFileError(f"{path}: must hold exactly one SELECT")
    return SqlTable(
        name=name,
        path=path,
        sql=sql,
        description=description,
        grain=grain,
        columns=columns,
        dependencies=_dependencies(statements[0], path),
        is_view=_KEPT_AS_VIEW in description,
    )


def _dependencies(query: exp.Query, path: Path) -> tuple[str, ...]:
    local = {cte.alias for cte in query.find_all(exp.CTE)}
    names: set[str] = set()
    for table in query.find_all(exp.Table):
        if table.db:
            names.add(f"{table.db}.{table.name}")
        elif table.name not in local:
            raise SqlFileError(f"{path}: table {table.name} needs its schema, as in core.{table.name}")
    return tuple(sorted(names))


def _header(sql: str, path: Path) -> tuple[str, str, dict[str, str]]:
    description: list[str] = []
    grain = ""
    columns: dict[str, str] = {}
    in_columns = False
    last = ""
    for line in sql.splitlines():
        match = _HEADER_LINE.match(line)
        if match is None:
            break
        text = match["text"]
        if text.startswith("Grain:"):
            grain = text.removeprefix("Grain:").strip()
        elif grain and not in_columns and (more := _CONTINUATION.match(text)):
            grain += " " + more["doc"]
        elif text.startswith("Columns:"):
            in_columns = True
        elif in_columns and (more := _CONTINUATION.match(text)) and last:
            columns[last] += " " + more["doc"]
        elif in_columns and (column := _COLUMN_LINE.match(text)):
            last = column["name"]
            columns[last] = column["doc"]
        elif not in_columns:
            description.append(text.strip())
    if not description or not grain or not columns:
        raise SqlFileError(f"{path}: the header needs a description, a line 'Grain: ...' and a list 'Columns:'")
    return " ".join(description).strip(), grain, columns
