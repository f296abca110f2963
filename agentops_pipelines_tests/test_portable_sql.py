"""sql/core and sql/mart run unchanged on DuckDB and on Spark: they keep to the subset, and give the same rows.

The first half reads the files; the second builds a small warehouse, runs every table on DuckDB and on Sail (the
Spark-compatible engine), and compares all rows: money to the last digit, doubles to 1e-9.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from genai_prices.data_snapshot import get_snapshot
from pyspark.sql.connect.session import SparkSession

from agentops_pipelines.conf import write_conf_tables
from agentops_pipelines.pricing import PricedModel, list_prices
from agentops_pipelines.settings import load_settings
from agentops_pipelines.sources.schemas import MAX_TOKENS
from agentops_pipelines.sqltables import SqlTable, load_tables
from agentops_pipelines.warehouse import Warehouse, Writer
from agentops_pipelines_tests import sample_frames
from agentops_pipelines_tests.portable_subset import FUNCTIONS, findings, type_findings
from agentops_pipelines_tests.spark import compare, load_table, read, run_table, sail

TABLES = load_tables()


# --- the files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TABLES)
def test_table_keeps_to_the_portable_subset(name: str) -> None:
    path = TABLES[name].path
    assert [f"{path.name} {finding}" for finding in findings(path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("name", TABLES)
def test_table_keeps_to_the_portable_subset_in_its_types(name: str, duck: Writer) -> None:
    table = TABLES[name]
    assert [f"{table.path.name} {finding}" for finding in type_findings(table.sql, duck.con)] == []


# --- the rows --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What both engines made of one table."""

    rows: int
    problems: list[str]


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    with sail(tmp_path_factory.mktemp("sail")) as session:
        yield session


@pytest.fixture(scope="module")
def duck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Writer]:
    """A warehouse of the sample with every table made, its connection open."""
    with _warehouse(tmp_path_factory.mktemp("home")) as writer:
        yield writer


@contextmanager
def _warehouse(home: Path, *, backwards: bool = False) -> Iterator[Writer]:
    (home / "agentops.toml").write_text(sample_frames.TOML, encoding="utf-8")
    settings = load_settings({"AGENTOPS_HOME": str(home)})
    with Warehouse(home).locked("test") as locked, locked.connect() as writer:
        for observed_at, batch in sample_frames.snapshots(backwards=backwards):
            writer.load("sample", [batch], scope="test", observed_at=observed_at)
        write_conf_tables(writer, settings, as_of=sample_frames.AS_OF)
        for table in TABLES.values():
            writer.run_table(table)
        yield writer


def _rows(connection: duckdb.DuckDBPyConnection, name: str) -> pa.Table:
    return connection.sql(f"SELECT * FROM {name}").to_arrow_table()


@pytest.fixture(scope="module")
def outcomes(duck: Writer, spark: SparkSession) -> dict[str, Outcome]:
    """Every table on both engines. Where they differ, Sail goes on with DuckDB's rows: a fault shows once."""
    made = {dependency for table in TABLES.values() for dependency in table.dependencies} - TABLES.keys()
    for name in sorted(made):
        load_table(spark, name, _rows(duck.con, name))
    found: dict[str, Outcome] = {}
    for name, table in TABLES.items():
        expected = _rows(duck.con, name)
        problems = _problems(spark, table, expected)
        if problems:
            load_table(spark, name, expected)
        found[name] = Outcome(rows=expected.num_rows, problems=problems)
    return found


def _problems(spark: SparkSession, table: SqlTable, expected: pa.Table) -> list[str]:
    try:
        run_table(spark, table)
        return compare(expected, read(spark, f"SELECT * FROM {table.name}"))
    except Exception as error:  # whatever Sail says is the finding
        return [f"Sail: {str(error).split('JVM stacktrace')[0].strip()}"]


@pytest.mark.parametrize("name", TABLES)
def test_table_is_the_same_on_duckdb_and_on_spark(name: str, outcomes: dict[str, Outcome]) -> None:
    assert outcomes[name].problems == []


@pytest.mark.parametrize("name", TABLES)
def test_table_has_rows_in_the_sample(name: str, outcomes: dict[str, Outcome]) -> None:
    """Two empty tables would be equal and prove nothing."""
    assert outcomes[name].rows > 0


@pytest.fixture(scope="module")
def backwards(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Writer]:
    """The same warehouse from rows that came in the opposite order."""
    with _warehouse(tmp_path_factory.mktemp("backwards"), backwards=True) as writer:
        yield writer


@pytest.mark.parametrize("name", TABLES)
def test_table_does_not_depend_on_the_order_of_rows(name: str, duck: Writer, backwards: Writer) -> None:
    """An ORDER BY without a unique tie-break chooses by the order in which rows lie: another one every day."""
    assert compare(_rows(duck.con, name), _rows(backwards.con, name)) == []


def test_sample_holds_what_the_comparison_is_about(duck: Writer) -> None:
    """Pairs, lines and rows on their own, errors, unknown and unpriced work, NULL times: else the rows prove little."""
    sources = duck.con.sql("SELECT source, count(*) FROM core.calls GROUP BY source").fetchall()
    assert dict(sources).keys() == {"both", "openclaw", "litellm", "otel"}
    assert min(count for _, count in sources) > 30
    kinds = {kind for (kind,) in duck.con.sql("SELECT DISTINCT session_type FROM core.calls").fetchall()}
    assert kinds >= {
        *("main", "heartbeat", "cron", "subagent", "webhook", "system_event", "channel", "dm", "named"),
        *("acp", "llm_task", "worker", "api", "maintenance", "unknown"),
    }
    for condition in (
        "status = 'error'",
        "status = 'aborted'",
        "tokens_basis = 'estimated'",
        "list_usd IS NULL AND tokens_basis = 'reported'",
        "spend_usd = 0 AND list_usd > 0",
        "spend_usd > 0",
        "is_fallback",
        "NOT is_request",
        "started_at IS NULL",
        "session_key IS NULL AND session_id IS NOT NULL",
        "category = 'nightly'",
        "category = 'ticket work'",
    ):
        assert duck.con.sql(f"SELECT count(*) FROM core.calls WHERE {condition}").fetchall()[0][0] > 0, condition
    bases = {basis for (basis,) in duck.con.sql("SELECT DISTINCT rank_basis FROM mart.weekly_summary").fetchall()}
    assert bases == {"cost", "list"}
    windows = {window for (window,) in duck.con.sql("SELECT DISTINCT window_id FROM mart.weekly_summary").fetchall()}
    assert windows >= {"2026-W46", "2026-W47", "2026-W48", "trailing_7d"}


# --- money -----------------------------------------------------------------------------------------------------------

_MONEY = """
WITH products AS (
  SELECT
    u.name,
    CAST(u.price * CAST(u.tokens AS DECIMAL(19,0)) AS DECIMAL(18,12)) AS usd
  FROM raw.usage u
)
SELECT p.name, CAST(sum(p.usd) AS DECIMAL(28,12)) AS usd, count(*) AS calls
FROM products p
GROUP BY p.name
"""
"""The casts of list_usd in core.calls and of every sum."""


def _extreme_prices() -> dict[str, Decimal]:
    """The cheapest and the dearest public price per token, as the warehouse stores them."""
    models = [PricedModel(provider=p.id, model=m.id) for p in get_snapshot().providers for m in p.models]
    day = date(2026, 11, 23)
    frame = list_prices(models, first_day=day, last_day=day, aliases={}, deployments={})
    columns = [column for column in frame.columns if column.endswith("_price")]
    prices = [price for column in columns for price in frame[column].to_list() if price > 0]
    return {name: Decimal(f"{price:.14f}") for name, price in (("cheapest", min(prices)), ("dearest", max(prices)))}


def _usage(*calls: tuple[str, Decimal, int]) -> pa.Table:
    names, prices, tokens = zip(*calls, strict=True)
    return pa.table(
        {
            "name": pa.array(names),
            "price": pa.array(prices, pa.decimal128(18, 14)),
            "tokens": pa.array(tokens, pa.int64()),
        }
    )


def _both(spark: SparkSession, usage: pa.Table) -> tuple[pa.Table, pa.Table]:
    load_table(spark, "raw.usage", usage)
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA raw")
        connection.register("usage_rows", usage)
        connection.execute("CREATE TABLE raw.usage AS SELECT * FROM usage_rows")
        return connection.sql(_MONEY).to_arrow_table(), read(spark, _MONEY)


def test_money_is_equal_to_the_last_digit_for_one_token_and_for_very_many(spark: SparkSession) -> None:
    """One token up to 10^10 at the cheapest and the dearest list price, and sums of a thousand such calls."""
    calls = [
        (f"{name} {tokens}", price, tokens)
        for name, price in _extreme_prices().items()
        for tokens in (1, 7, 999_999_937, 10**9, 10**10)
        if price * tokens < 10**6
    ]
    ours, theirs = _both(spark, _usage(*(call for call in calls for _ in range(1_000))))
    assert compare(ours, theirs) == []
    cent = Decimal("1e-12")
    exact = {name: (price * tokens).quantize(cent, ROUND_HALF_UP) * 1_000 for name, price, tokens in calls}
    assert dict(zip(ours["name"].to_pylist(), ours["usd"].to_pylist(), strict=True)) == exact
    assert len(exact) == 9


def test_halves_of_the_last_digit_are_rounded_away_from_zero_on_both(spark: SparkSession) -> None:
    prices = [Decimal(n).scaleb(-14) for n in (49, 50, 51, 149, 150, 250, 350, 12_345_650)]
    usage = _usage(*((str(price), price, 1) for price in prices))
    ours, theirs = _both(spark, usage)
    assert compare(ours, theirs) == []
    exact = {str(price): price.quantize(Decimal("1e-12"), ROUND_HALF_UP) for price in prices}
    assert dict(zip(ours["name"].to_pylist(), ours["usd"].to_pylist(), strict=True)) == exact


def test_a_product_of_a_million_dollars_stops_the_query_and_is_never_a_wrong_number(spark: SparkSession) -> None:
    """10^10 tokens at the dearest price: too much for DECIMAL(18,12), so readers must not let such a call in."""
    usage = _usage(("dearest", _extreme_prices()["dearest"], 10**10))
    load_table(spark, "raw.usage", usage)
    with pytest.raises(Exception, match="too large to store in a Decimal128 of precision 18"):
        read(spark, _MONEY)
    with pytest.raises(duckdb.ConversionException, match="out of range"):
        _both(spark, usage)


def test_whatever_readers_accept_fits_into_the_money_types() -> None:
    """All four kinds of tokens at their most and at the dearest price: list_usd of one call is a DECIMAL(18,12)."""
    assert 4 * MAX_TOKENS * _extreme_prices()["dearest"] < 10**6


# --- the harness -----------------------------------------------------------------------------------------------------

SAMPLE = pa.table(
    {
        "k": pa.array(["a", "a", "b", "b", None, "agent:main:cron:é"]),
        "i": pa.array([1, 2, 3, None, 5, 6], pa.int64()),
        "j": pa.array([0, 2, -7, 3, 4, None], pa.int64()),
        "f": pa.array([0.5, 1.5, -2.5, None, 2.5, 3.5]),
        "b": pa.array([True, False, None, True, False, True]),
        "m": pa.array([Decimal("0.2025"), Decimal("1e-12"), None, Decimal("99999.5"), Decimal("1.5"), Decimal("-2.5")])
        .cast(pa.decimal128(18, 12)),
        "t": pa.array(
            [
                *(datetime(2026, 11, 16, 0, 0, 0, 1), datetime(2026, 12, 31, 23, 59, 59), None),
                *(datetime(2024, 2, 29, 12, 30, 15), datetime(2026, 11, 22), datetime(1999, 1, 3)),
            ],
            pa.timestamp("us"),
        ),
    }
)  # fmt: skip

_IN_ORDER = "OVER (ORDER BY i NULLS LAST, k NULLS LAST)"
PROOFS = {
    "abs": "abs(m)",
    "avg": "avg(f) OVER (PARTITION BY k)",
    "bool_and": "bool_and(b) OVER (PARTITION BY k)",
    "bool_or": "bool_or(b) OVER (PARTITION BY k)",
    "cast": "CAST(CAST(m AS DECIMAL(18,6)) AS STRING)",
    "ceil": "CAST(ceil(f) AS BIGINT)",
    "coalesce": "coalesce(k, 'none')",
    "contains": "contains(k, ':')",
    "count": "count(i) OVER (PARTITION BY k)",
    "cume_dist": f"cume_dist() {_IN_ORDER}",
    "date_trunc": "CAST(date_trunc('week', t) AS TIMESTAMP)",
    "day": "day(t)",
    "dayofyear": "dayofyear(t)",
    "dense_rank": f"dense_rank() {_IN_ORDER}",
    "exp": "exp(f)",
    "extract": "extract(week FROM t) * 10 + extract(quarter FROM t)",
    "first_value": f"first_value(i) {_IN_ORDER}",
    "floor": "CAST(floor(f) AS BIGINT)",
    "greatest": "greatest(i, j)",
    "hour": "hour(t)",
    "instr": "instr(k, ':')",
    "lag": f"lag(i, 2) {_IN_ORDER}",
    "last_day": "last_day(t)",
    "last_value": f"last_value(j) {_IN_ORDER}",
    "lead": f"lead(t) {_IN_ORDER}",
    "least": "least(i, j)",
    "left": "left(k, 6)",
    "length": "length(k)",
    "ln": "ln(power(f, 2) + 1.5)",
    "lower": "lower(k)",
    "lpad": "lpad(k, 4, '0')",
    "ltrim": "ltrim('  a ')",
    "make_date": "make_date(2026, 2, 28)",
    "max": "max(m) OVER (PARTITION BY k)",
    "max_by": "(SELECT max_by(s.k, s.i) FROM raw.sample s)",
    "md5": "md5(k)",
    "median": "(SELECT median(s.f) FROM raw.sample s)",
    "min": "min(t) OVER (PARTITION BY k)",
    "min_by": "(SELECT min_by(s.m, s.i) FROM raw.sample s)",
    "minute": "minute(t)",
    "mod": "mod(j, 3)",
    "month": "month(t)",
    "nth_value": f"nth_value(i, 2) {_IN_ORDER}",
    "ntile": f"ntile(3) {_IN_ORDER}",
    "nullif": "nullif(j, 0)",
    "percent_rank": f"percent_rank() {_IN_ORDER}",
    "percentile_cont": "(SELECT percentile_cont(0.9) WITHIN GROUP (ORDER BY s.f) FROM raw.sample s)",
    "position": "position('main' IN k)",
    "power": "power(f, 2)",
    "quarter": "quarter(t)",
    "rank": f"rank() {_IN_ORDER}",
    "replace": "replace(k, ':', '/')",
    "right": "right(k, 2)",
    "round": "CAST(round(f) AS BIGINT)",
    "row_number": f"row_number() {_IN_ORDER}",
    "rtrim": "rtrim(' a  ')",
    "second": "second(t)",
    "split_part": "split_part(k, ':', 3) || split_part(k, ':', 9)",
    "sqrt": "sqrt(i)",
    "stddev_samp": "(SELECT stddev_samp(s.f) FROM raw.sample s)",
    "substr": "substr(k, 2, 3)",
    "substring": "substring(k, 3)",
    "sum": "sum(m) OVER (PARTITION BY k)",
    "trim": "trim(' a ')",
    "try_cast": "TRY_CAST(k AS BIGINT)",
    "year": "year(t)",
}
"""Every function of the list in use."""


@pytest.fixture(scope="module")
def sample(spark: SparkSession) -> Iterator[duckdb.DuckDBPyConnection]:
    load_table(spark, "raw.sample", SAMPLE)
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA raw")
        connection.register("sample_rows", SAMPLE)
        connection.execute("CREATE TABLE raw.sample AS SELECT * FROM sample_rows")
        yield connection


def test_every_function_of_the_list_gives_the_same_on_both(
    sample: duckdb.DuckDBPyConnection, spark: SparkSession
) -> None:
    assert PROOFS.keys() == FUNCTIONS
    differing = {}
    for name, expression in PROOFS.items():
        query = f"SELECT {expression} AS v FROM raw.sample"
        ours = sample.sql(query).to_arrow_table()
        if name == "sum":  # the one whose type is not the same: the subset asks for a CAST where it is shown
            ours = ours.cast(pa.schema([("v", pa.decimal128(28, 12))]))
        if problems := compare(ours, read(spark, query)):
            differing[name] = problems
    assert differing == {}


def test_whole_seconds_between_two_times_are_the_same_on_both(
    sample: duckdb.DuckDBPyConnection, spark: SparkSession
) -> None:
    query = """
    SELECT
      extract(day FROM date_trunc('day', y.t) - date_trunc('day', x.t)) * 86400
      + (hour(y.t) - hour(x.t)) * 3600 + (minute(y.t) - minute(x.t)) * 60 + (second(y.t) - second(x.t)) AS seconds,
      x.t AS earlier, y.t AS later
    FROM raw.sample x
    CROSS JOIN raw.sample y
    """
    ours = sample.sql(query).to_arrow_table()
    assert compare(ours, read(spark, query)) == []
    for row in ours.to_pylist():
        if row["seconds"] is not None:
            exact = row["later"].replace(microsecond=0) - row["earlier"].replace(microsecond=0)
            assert row["seconds"] == exact.total_seconds()


def test_frames_and_sql_tables_reach_spark_unchanged(spark: SparkSession, tmp_path: Path) -> None:
    polars = pl.DataFrame({"k": ["x", None], "t": [datetime(2026, 11, 16, 1), None], "n": [1, 2]})
    load_table(spark, "conf.frame", polars)
    load_table(spark, "conf.frame", polars)
    path = tmp_path / "sql" / "core" / "copy.sql"
    path.parent.mkdir(parents=True)
    path.write_text(
        "-- A copy.\n-- Grain: one row per k.\n-- Columns:\n--   k  key\nSELECT f.k, f.t, f.n FROM conf.frame f"
    )
    table = load_tables(tmp_path / "sql")["core.copy"]
    run_table(spark, table)
    run_table(spark, table)
    assert compare(polars.to_arrow(), read(spark, "SELECT * FROM core.copy")) == []


@pytest.mark.parametrize(
    ("column", "problem"),
    [
        (pa.array([Decimal("0.000000000001"), Decimal(2)], pa.decimal128(28, 12)), "Decimal('1E-12') != "),
        (pa.array([0, 2], pa.decimal128(27, 12)), "decimal128(28, 12)"),
        (pa.array([0, 2], pa.int64()), "decimal128(28, 12)"),
        (pa.array([0, None], pa.decimal128(28, 12)), "None"),
        (pa.array([0], pa.decimal128(28, 12)), "1 rows in DuckDB, 2 in Spark"),
        (pa.array([0, 2, 2], pa.decimal128(28, 12)), "3 rows in DuckDB, 2 in Spark"),
    ],
)  # fmt: skip
def test_comparison_tells_what_differs(column: pa.Array, problem: str) -> None:
    spark_rows = pa.table({"v": pa.array([0, 2], pa.decimal128(28, 12))})
    assert any(problem in text for text in compare(pa.table({"v": column}), spark_rows))


def test_comparison_forgives_order_and_the_last_digits_of_doubles() -> None:
    ours = pa.table({"k": ["a", "b", None], "f": [1.0, 0.1 + 0.2, float("nan")]})
    theirs = pa.table({"k": pa.array([None, "b", "a"], pa.large_string()), "f": [float("nan"), 0.3, 1.0 + 1e-12]})
    assert compare(ours, theirs) == []
    assert compare(ours, theirs.set_column(1, "f", pa.array([float("nan"), 0.3, 1.0 + 1e-6]))) != []
    assert compare(ours, theirs.rename_columns(["k", "g"])) != []
