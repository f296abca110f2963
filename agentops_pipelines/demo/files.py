"""Files of the sample in the making: how records become JSON, lines of JSON, and scripts that make databases.

A database is kept as the SQL script that makes it, `<database>.sql`: text is the same everywhere, a SQLite file is
not. The scripts call `zstd(text)`, which whoever runs them provides (sample.py).
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from agentops_pipelines.demo.company import LAST, SECOND

Row = tuple[object, ...]


@dataclass(frozen=True, kw_only=True)
class File:
    """One file of the sample. `changed_at` is in epoch seconds."""

    path: str
    content: bytes
    changed_at: int = LAST // SECOND


@dataclass(frozen=True, kw_only=True)
class Compressed:
    """Text that a table holds as zstd."""

    text: str


def script(path: str, tables: Mapping[str, str], *, rows: Mapping[str, Iterable[Row]], version: int) -> File:
    """The script that makes the database `path`: its tables, their rows and its user_version."""
    statements = [f"PRAGMA user_version = {version};", "BEGIN;"]
    statements += [f"CREATE TABLE {table} ({columns});" for table, columns in tables.items()]
    for table, values in rows.items():
        statements += [f"INSERT INTO {table} VALUES ({', '.join(map(_literal, row))});" for row in values]
    statements.append("COMMIT;")
    return File(path=f"{path}.sql", content="\n".join(statements).encode())


def json_text(value: object) -> str:
    """JSON as OpenClaw and LiteLLM write it: no spaces, no escapes that are not needed."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def json_lines(records: Iterable[Mapping[str, Any]]) -> bytes:
    """One record a line."""
    return "".join(json_text(record) + "\n" for record in records).encode()


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, Compressed):
        return f"zstd({_literal(value.text)})"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value)
