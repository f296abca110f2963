"""The data dictionary: docs/dictionary.md, made from what the tables say about themselves.

Belongs here: how the page is laid out. Does not belong here: any description: those stand in the headers under sql/, in
sources/schemas.py, conf.py and warehouse.py. `python -m agentops_pipelines.dictionary` writes the page again.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from agentops_pipelines.conf import CONF_TABLES
from agentops_pipelines.sources.schemas import RAW_TABLES
from agentops_pipelines.sqlshell import question, ready_queries
from agentops_pipelines.sqltables import load_tables, sql_root
from agentops_pipelines.warehouse import ops_docs

_PREFACE = """\
# Data dictionary

Every table of the published DuckDB file, made from the comments in the code: `python -m agentops_pipelines.dictionary`
writes it again. The same texts are comments inside the file: `agentops sql .tables`, and
`FROM duckdb_columns()` for columns.

Times are UTC; days and weeks are local to the configured time zone. Money is in USD. A window is an ISO week such as
`2026-W47`, `trailing_7d` (the 7 days up to the run) or `trailing_7d_before`.

[mart](#mart) answers questions, [core](#core) has the calls, turns and sessions they are made from, [raw](#raw) is what
the sources said, [conf](#conf) is the settings, [ops](#ops) is the pipeline's own book. [Ready queries](#ready-queries)
are run by their name.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([_PREFACE, *_lines()])


def main() -> None:
    """Write the page to the file that is named, else to docs/dictionary.md of the checkout."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else sql_root().parent / "docs" / "dictionary.md"
    path.write_text(page(), encoding="utf-8")


def _lines() -> Iterator[str]:
    tables = load_tables()
    for schema in ("mart", "core"):
        yield f"## {schema}\n"
        for name in sorted(name for name in tables if name.startswith(f"{schema}.")):
            table = tables[name]
            yield from _table(name, table.description, table.columns, grain=table.grain)
            yield f"Made from {', '.join(f'`{read}`' for read in table.dependencies)}.\n"
    yield "## raw\n"
    for raw in RAW_TABLES:
        grain = f"one row per ({', '.join(raw.key)})"
        if raw.keep == "changes":
            grain += " and change: `observed_at` says when a state was first seen"
        columns = {f"{column.name} {column.type}": column.doc for column in raw.columns}
        yield from _table(raw.qualified_name, raw.doc, columns, grain=f"{grain}.")
    yield "## conf\n"
    yield "| table | what it is |\n|---|---|"
    yield from (_row(f"`conf.{name}`", doc) for name, doc in CONF_TABLES.items())
    yield "\n## ops\n"
    for name, (doc, columns) in ops_docs().items():
        yield from _table(f"ops.{name}", doc, columns)
    yield "## Ready queries\n"
    yield "| `agentops sql NAME` | question |\n|---|---|"
    yield from (_row(f"`{name}`", question(path)) for name, path in ready_queries().items())
    yield ""


def _table(name: str, doc: str, columns: Mapping[str, str], *, grain: str = "") -> Iterator[str]:
    yield f"### {name}\n"
    yield f"{doc}\n"
    if grain:
        yield f"Grain: {grain}\n"
    yield "| column | meaning |\n|---|---|"
    for column, meaning in columns.items():
        column_name, _, type_ = column.partition(" ")
        yield _row(f"`{column_name}`" + (f" {type_}" if type_ else ""), meaning)
    yield ""


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("<", "&lt;") for cell in cells) + " |"


if __name__ == "__main__":
    main()
