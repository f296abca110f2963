"""Sail, the Spark-compatible engine, inside the test process: start it, give it tables, run SQL, compare rows.

Belongs here: everything that speaks Spark Connect. Does not belong here: which tables are compared (test_portable_sql)
or which SQL is allowed (portable_subset).
"""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pyarrow as pa
from pysail.spark import SparkConnectServer
from pyspark.sql.connect.session import SparkSession

from agentops_pipelines.sqltables import SqlTable

SCHEMAS = ("raw", "conf", "core", "mart")
TOLERANCE = 1e-9
"""Doubles may differ by this much, relative or absolute; everything else must be equal."""

Row = tuple[object, ...]


@contextmanager
def sail(folder: Path) -> Iterator[SparkSession]:
    """A session on a server of its own, with our schemas and in UTC; table files go to `folder`."""
    os.environ.setdefault("RUST_LOG", "error")
    server = SparkConnectServer()
    server.start(background=True)
    address = server.listening_address
    assert address is not None
    session = SparkSession.builder.remote("sc://{}:{}".format(*address)).create()
    try:
        # Our TIMESTAMP is naive UTC: without NTZ it would be a moment shown in the session's zone.
        session.conf.set("spark.sql.timestampType", "TIMESTAMP_NTZ")
        session.conf.set("spark.sql.session.timeZone", "UTC")
        session.conf.set("spark.sql.warehouse.dir", str(folder))
        for schema in SCHEMAS:
            session.sql(f"CREATE DATABASE IF NOT EXISTS {schema}")
        yield session
    finally:
        session.stop()
        server.stop()


def load_table(session: SparkSession, name: str, data: pa.Table | pl.DataFrame) -> None:
    """Make `schema.table` of a frame or an Arrow table, replacing what was there."""
    table = data if isinstance(data, pa.Table) else data.to_arrow()
    session.createDataFrame(_spark_types(table)).write.mode("overwrite").saveAsTable(name)


def run_table(session: SparkSession, table: SqlTable) -> None:
    """Make a SQL table as the warehouse does: the text of the file, unchanged."""
    session.sql(f"CREATE OR REPLACE TABLE {table.name} AS {table.sql}")


def read(session: SparkSession, query: str) -> pa.Table:
    """The rows of a query."""
    return session.sql(query).toArrow()


def compare(duck: pa.Table, spark: pa.Table) -> list[str]:
    """How two results differ: columns, types, rows in any order; empty when they say the same."""
    if duck.column_names != spark.column_names:
        return [f"columns: DuckDB {duck.column_names}, Spark {spark.column_names}"]
    problems = [
        f"column {one.name}: DuckDB {one.type}, Spark {other.type}"
        for one, other in zip(duck.schema, spark.schema, strict=True)
        if _family(one.type) != _family(other.type)
    ]
    if problems:
        return problems
    ours, theirs = _sorted(duck), _sorted(spark)
    if len(ours) != len(theirs):
        problems.append(f"{len(ours)} rows in DuckDB, {len(theirs)} in Spark")
    pairs = zip(ours, theirs, strict=False)
    differing = [(one, other) for one, other in pairs if not all(map(_same, one, other))]
    for one, other in differing[:5]:
        cells = [
            f"{name}: {left!r} != {right!r}"
            for name, left, right in zip(duck.column_names, one, other, strict=True)
            if not _same(left, right)
        ]
        problems.append(f"DuckDB != Spark in {', '.join(cells)}; DuckDB row {one}")
    if len(differing) > 5:
        problems.append(f"and {len(differing) - 5} more rows")
    return problems


def _same(left: object, right: object) -> bool:
    if isinstance(left, float) and isinstance(right, float):
        both_nan = math.isnan(left) and math.isnan(right)
        return both_nan or math.isclose(left, right, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return left == right


def _rows(table: pa.Table) -> list[Row]:
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True)) if table.columns else []


def _sorted(table: pa.Table) -> list[Row]:
    """Rows in an order both engines agree on: doubles, whose last digits may differ, come last and rounded."""
    loose = [pa.types.is_floating(kind) for kind in table.schema.types]

    def order(row: Row) -> tuple[list[str], list[str]]:
        exact = [f"{value is None} {value}" for value, is_loose in zip(row, loose, strict=True) if not is_loose]
        rounded = [_rounded(value) for value, is_loose in zip(row, loose, strict=True) if is_loose]
        return exact, rounded

    return sorted(_rows(table), key=order)


def _rounded(value: object) -> str:
    return f"{value:.6e}" if isinstance(value, float) else str(value)


def _family(kind: pa.DataType) -> str:
    """What must agree between the engines: decimals to the digit, timestamps without zone; integers may be short."""
    if pa.types.is_integer(kind):
        return "integer"
    if pa.types.is_large_string(kind) or pa.types.is_string(kind) or pa.types.is_string_view(kind):
        return "text"
    if pa.types.is_timestamp(kind):
        return f"timestamp {kind.tz or 'without zone'}"
    return str(kind)


def _spark_types(table: pa.Table) -> pa.Table:
    fields = [
        field.with_type(pa.string()).with_nullable(True)
        if _family(field.type) == "text"
        else field.with_type(pa.timestamp("us"))
        if pa.types.is_timestamp(field.type)
        else field
        for field in table.schema
    ]
    return table.cast(pa.schema(fields))
