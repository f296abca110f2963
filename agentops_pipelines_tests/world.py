"""A small world through the real warehouse and all SQL tables, to be asked questions in tests."""

import functools
from collections.abc import Iterable, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from agentops_pipelines.conf import write_conf_tables
from agentops_pipelines.settings import Settings, load_settings
from agentops_pipelines.sources.batches import Batch
from agentops_pipelines.sqltables import load_tables
from agentops_pipelines.warehouse import Warehouse, read_published

AS_OF = datetime(2026, 11, 24, 8)
"""Tuesday of week 48: weeks 46 and 47 are complete."""


tables = functools.cache(load_tables)


def make_settings(home: Path, toml: str = "", environ: Mapping[str, str] | None = None) -> Settings:
    """Settings with a home of their own and nothing else configured."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "agentops.toml").write_text(toml, encoding="utf-8")
    return load_settings({"AGENTOPS_HOME": str(home), **(environ or {})})


def needed(names: Iterable[str]) -> set[str]:
    """These tables and all that they are made from."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found and name in tables():
            found.add(name)
            waiting.extend(tables()[name].dependencies)
    return found


def build(
    home: Path, *batches: Batch, toml: str = "", as_of: datetime = AS_OF, only: Sequence[str] | None = None
) -> Path:
    """Load the batches, run every table (or those that `only` needs), publish. Returns the published file."""
    return build_in_steps(home, [(as_of, batches)], toml=toml, as_of=as_of, only=only)


def build_in_steps(
    home: Path,
    loads: Sequence[tuple[datetime, Sequence[Batch]]],
    *,
    toml: str = "",
    as_of: datetime = AS_OF,
    only: Sequence[str] | None = None,
) -> Path:
    """The same from several loads, each at its moment."""
    settings = make_settings(home, toml)
    with Warehouse(home).locked("test") as locked:
        with locked.connect() as writer:
            for observed_at, batches in loads:
                writer.load("test", batches, scope="test", observed_at=observed_at)
            write_conf_tables(writer, settings, as_of=as_of)
            wanted = tables().keys() if only is None else needed(only)
            for name, table in tables().items():
                if name in wanted:
                    writer.run_table(table)
        return locked.publish()


@contextmanager
def built(home: Path, *batches: Batch, toml: str = "", as_of: datetime = AS_OF, only: Sequence[str] | None = None):
    """The published file of `build`, open for reading."""
    with read_published(build(home, *batches, toml=toml, as_of=as_of, only=only)) as connection:
        yield connection


def rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    """The rows of a query by column name."""
    return connection.sql(query).pl().to_dicts()
