"""What alerts are made from, empty but for settings, in memory: tests and the back-test fill in what matters.

Belongs here: only that. What the filled tables must lead to stands with each test.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import polars as pl

from agentops_pipelines.conf import hours_frame, local_days
from agentops_pipelines_tests.rows import Row, batch
from agentops_pipelines_tests.world import AS_OF, build, needed, rows, tables

MADE = ("mart.daily_spend", "mart.budget_pace", "mart.alerts")
"""The tables under test, in their order."""


@contextmanager
def empty_world(
    home: Path, *, first: date, last: date, toml: str = "", as_of: datetime = AS_OF
) -> Iterator[duckdb.DuckDBPyConnection]:
    """All inputs of MADE with their real columns and no rows; the settings and the days from `first` to `last`."""
    published = build(home, batch(), toml=toml, as_of=as_of, only=["mart.alerts"])
    inputs = {name for table in needed(MADE) for name in tables()[table].dependencies} - set(MADE)
    with duckdb.connect(config={"threads": 1}) as con:
        con.execute(f"ATTACH '{published}' AS built (READ_ONLY)")
        for schema in ("conf", "core", "mart"):
            con.execute(f"CREATE SCHEMA {schema}")
        for name in sorted(inputs - {name for name in inputs if name.startswith("raw.")}):
            con.execute(f"CREATE TABLE {name} AS FROM built.{name}")
        con.execute("DETACH built")
        days = list(local_days(ZoneInfo("UTC"), first=first, last=last))
        columns = ("local_date", "local_week", "starts_at", "ends_at")
        replace(con, "conf.days", [dict(zip(columns, day, strict=True)) for day in days])
        replace(con, "conf.hours", hours_frame(days).to_dicts())
        yield con


def replace(con: duckdb.DuckDBPyConnection, table: str, new: Sequence[Row]) -> None:
    """Other rows for a table; columns that are not named are NULL."""
    con.execute(f"DELETE FROM {table}")
    add(con, table, new)


def add(con: duckdb.DuckDBPyConnection, table: str, new: Sequence[Row]) -> None:
    """More rows for a table, all with the same columns."""
    if new:
        frame = pl.DataFrame(list(new), infer_schema_length=None)
        con.register("new_rows", frame)
        con.execute(f"INSERT INTO {table} BY NAME SELECT * FROM new_rows")
        con.unregister("new_rows")


def make(con: duckdb.DuckDBPyConnection, *names: str) -> None:
    """Run the tables' SQL."""
    for name in names or MADE:
        con.execute(f"CREATE OR REPLACE TABLE {name} AS {tables()[name].sql}")


def alerts(con: duckdb.DuckDBPyConnection, kind: str) -> list[dict[str, object]]:
    """The alerts of one kind after making the tables they come from, in the order of their subjects."""
    make(con, *(MADE if kind in ("spend_anomaly", "budget_pace") else MADE[-1:]))
    return rows(con, f"SELECT * EXCLUDE kind FROM mart.alerts WHERE kind = '{kind}' ORDER BY subject")
