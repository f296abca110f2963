"""Every rule of the portable subset: a snippet that breaks it and one that says the same within the subset."""

import duckdb
import pytest

from agentops_pipelines_tests.portable_subset import Finding, findings, type_findings

BY_TEXT = [
    ("QUALIFY", "SELECT a FROM raw.t QUALIFY row_number() OVER (ORDER BY a NULLS LAST) = 1",
     "WITH n AS (SELECT a, row_number() OVER (ORDER BY a NULLS LAST) AS rn FROM raw.t) SELECT a FROM n WHERE rn = 1"),
    ("GROUP BY ALL", "SELECT a, count(*) FROM raw.t GROUP BY ALL", "SELECT a, count(*) FROM raw.t GROUP BY a"),
    ("ASOF JOIN", "SELECT a FROM raw.t ASOF JOIN raw.u ON t.x >= u.x",
     "SELECT a FROM raw.t JOIN raw.u ON t.x >= u.x AND t.x < u.y"),
    ("POSITIONAL JOIN", "SELECT a FROM raw.t POSITIONAL JOIN raw.u", "SELECT a FROM raw.t CROSS JOIN raw.u"),
    ("NATURAL JOIN", "SELECT a FROM raw.t NATURAL JOIN raw.u", "SELECT a FROM raw.t JOIN raw.u USING (a)"),
    ("LEFT ANTI JOIN", "SELECT a FROM raw.t LEFT ANTI JOIN raw.u ON t.a = u.a",
     "SELECT a FROM raw.t ANTI JOIN raw.u ON t.a = u.a"),
    ("LEFT SEMI JOIN", "SELECT a FROM raw.t LEFT SEMI JOIN raw.u ON t.a = u.a",
     "SELECT a FROM raw.t WHERE EXISTS (SELECT 1 FROM raw.u WHERE u.a = t.a)"),
    ("LATERAL", "SELECT a FROM raw.t, LATERAL (SELECT 1)", "SELECT a FROM raw.t, (SELECT 1 AS one) AS o"),
    ("* EXCLUDE", "SELECT * EXCLUDE (a) FROM raw.t", "SELECT t.* FROM raw.t"),
    ("* EXCLUDE", "SELECT * REPLACE (1 AS a) FROM raw.t", "SELECT * FROM raw.t"),
    ("DISTINCT ON", "SELECT DISTINCT ON (a) a, b FROM raw.t", "SELECT DISTINCT a, b FROM raw.t"),
    ("count(DISTINCT a, b)", "SELECT count(DISTINCT a, b) FROM raw.t", "SELECT count(DISTINCT a) FROM raw.t"),
    ("DISTINCT in a window", "SELECT count(DISTINCT a) OVER () FROM raw.t", "SELECT count(a) OVER () FROM raw.t"),
    ("FILTER with OVER", "SELECT sum(a) FILTER (WHERE b) OVER (PARTITION BY c) FROM raw.t",
     "SELECT sum(a) FILTER (WHERE b) FROM raw.t"),
    ("IGNORE NULLS", "SELECT last_value(a IGNORE NULLS) OVER (ORDER BY b NULLS LAST) FROM raw.t",
     "SELECT last_value(a) OVER (ORDER BY b NULLS LAST) FROM raw.t"),
    ("WITH RECURSIVE", "WITH RECURSIVE r AS (SELECT 1 AS n) SELECT n FROM r",
     "WITH r AS (SELECT 1 AS n) SELECT n FROM r"),
    ("UNION BY NAME", "SELECT a FROM raw.t UNION ALL BY NAME SELECT a FROM raw.u",
     "SELECT a FROM raw.t UNION ALL SELECT a FROM raw.u"),
    ("PIVOT", "SELECT * FROM (PIVOT raw.t ON a USING sum(b))", "SELECT sum(b) FILTER (WHERE a = 1) FROM raw.t"),
    ("a sample", "SELECT a FROM raw.t USING SAMPLE 10%", "SELECT a FROM raw.t"),
    ("without NULLS", "SELECT a FROM raw.t ORDER BY a", "SELECT a FROM raw.t ORDER BY a NULLS LAST"),
    ("without NULLS", "SELECT a FROM raw.t ORDER BY a DESC, b NULLS LAST LIMIT 3",
     "SELECT a FROM raw.t ORDER BY a DESC NULLS LAST, b NULLS FIRST LIMIT 3"),
    ("without NULLS", "SELECT row_number() OVER (PARTITION BY a ORDER BY coalesce(b, c)) FROM raw.t",
     "SELECT row_number() OVER (PARTITION BY a ORDER BY coalesce(b, c) NULLS LAST) FROM raw.t"),
    ("without NULLS", "SELECT sum(a) OVER (ORDER BY b ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM raw.t",
     "SELECT sum(a) OVER (ORDER BY b NULLS LAST ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM raw.t"),
    ("without NULLS", "SELECT lag(a) OVER w FROM raw.t WINDOW w AS (ORDER BY b)",
     "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY b) FROM raw.t"),
    ("may meet zero", "SELECT a / b FROM raw.t", "SELECT a / nullif(b, 0) FROM raw.t"),
    ("may meet zero", "SELECT a / 0 FROM raw.t", "SELECT a / 1000 FROM raw.t"),
    ("may meet zero", "SELECT a / CAST(b AS DOUBLE) FROM raw.t", "SELECT a / CAST(nullif(b, 0) AS DOUBLE) FROM raw.t"),
    ("LIKE with a pattern", "SELECT a FROM raw.t WHERE a LIKE b", "SELECT a FROM raw.t WHERE a LIKE b ESCAPE '!'"),
    ("LIKE with a pattern", "SELECT a FROM raw.t WHERE a ILIKE lower(b)", "SELECT a FROM raw.t WHERE a LIKE 'x%'"),
    ("date_trunc()", "SELECT date_trunc('hour', a) FROM raw.t",
     "SELECT CAST(date_trunc('hour', a) AS TIMESTAMP) FROM raw.t"),
    ("date_trunc()", "SELECT a FROM raw.t WHERE a >= date_trunc('day', b)",
     "SELECT extract(day FROM date_trunc('day', b) - date_trunc('day', a)) * 86400 FROM raw.t"),
    ("extract(epoch", "SELECT extract(epoch FROM a) FROM raw.t", "SELECT extract(hour FROM a) FROM raw.t"),
    ("extract(dow", "SELECT extract(dow FROM a) FROM raw.t", "SELECT extract(doy FROM a) FROM raw.t"),
    ("extract(second", "SELECT extract(second FROM a) FROM raw.t", "SELECT second(a) FROM raw.t"),
    ("CAST to FLOAT", "SELECT CAST(a AS FLOAT) FROM raw.t", "SELECT CAST(a AS DOUBLE) FROM raw.t"),
    ("CAST to", "SELECT CAST(a AS HUGEINT) FROM raw.t", "SELECT CAST(a AS BIGINT) FROM raw.t"),
    ("CAST to", "SELECT CAST(a AS BIGINT[]) FROM raw.t", "SELECT CAST(a AS DECIMAL(28,12)) FROM raw.t"),
    ("precision and scale", "SELECT CAST(a AS DECIMAL) FROM raw.t", "SELECT CAST(a AS DECIMAL(18,12)) FROM raw.t"),
    ("type VARCHAR", "SELECT CAST(a AS VARCHAR) FROM raw.t", "SELECT CAST(a AS STRING) FROM raw.t"),
    ("round(x, n)", "SELECT round(a, 2) FROM raw.t", "SELECT round(a), CAST(b AS DECIMAL(18,2)) FROM raw.t"),
    ("type varchar", "SELECT cast(a as varchar(9)) FROM raw.t", "SELECT cast(a as string) FROM raw.t"),
    ("type TEXT", "SELECT CAST(a AS TEXT) FROM raw.t", "SELECT a AS text FROM raw.t"),
    ("cast to an integer", "SELECT CAST(a / 2 AS BIGINT) FROM raw.t", "SELECT CAST(floor(a / 2) AS BIGINT) FROM raw.t"),
    ("cast to an integer", "SELECT CAST(avg(a) AS BIGINT) FROM raw.t",
     "SELECT CAST(round(avg(a)) AS BIGINT) FROM raw.t"),
    ('"a" in double quotes', 'SELECT "a" FROM raw.t', "SELECT a FROM raw.t"),
    ("quote or backslash", "SELECT 'it''s' AS b FROM raw.t", "SELECT 'its' AS b FROM raw.t"),
    ("quote or backslash", "SELECT a FROM raw.t WHERE a LIKE 'x\\_%'",
     "SELECT a FROM raw.t WHERE a LIKE 'x!_%' ESCAPE '!'"),
    ("cast operator", "SELECT a::BIGINT FROM raw.t", "SELECT CAST(a AS BIGINT) FROM raw.t"),
    ("integer division", "SELECT a // 2 FROM raw.t", "SELECT a % 2 FROM raw.t"),
    ("power operator", "SELECT a ** 2 FROM raw.t", "SELECT power(a, 2) FROM raw.t"),
    ("operator ^", "SELECT a ^ 2 FROM raw.t", "SELECT a * a FROM raw.t"),
    ("JSON", "SELECT a -> 'x' FROM raw.t", "SELECT a - 1 FROM raw.t"),
    ("JSON", "SELECT a ->> 'x' FROM raw.t", "SELECT a >= 1 FROM raw.t"),
    ("list or a subscript", "SELECT [1, 2] FROM raw.t", "SELECT a FROM raw.t WHERE a IN (1, 2)"),
    ("list or a subscript", "SELECT a[1] FROM raw.t", "SELECT split_part(a, ':', 1) FROM raw.t"),
    ("struct", "SELECT {'x': 1} FROM raw.t", "SELECT 1 AS x FROM raw.t"),
    ("regular expression", "SELECT a FROM raw.t WHERE a ~ 'x'", "SELECT a FROM raw.t WHERE contains(a, 'x')"),
    ("regular expression", "SELECT a FROM raw.t WHERE a SIMILAR TO 'x'", "SELECT a FROM raw.t WHERE a NOT LIKE 'x'"),
    ("GLOB", "SELECT a FROM raw.t WHERE a GLOB 'x*'", "SELECT a FROM raw.t WHERE a LIKE 'x%'"),
    ("a parameter", "SELECT a FROM raw.t WHERE a = ?", "SELECT a FROM raw.t CROSS JOIN conf.run r WHERE a = r.x"),
    ("a parameter", "SELECT a FROM raw.t WHERE a = $1", "SELECT a FROM raw.t WHERE a = 1"),
    ("a parameter", "SELECT a FROM raw.t WHERE a = :day", "SELECT a FROM raw.t WHERE a = DATE '2026-11-16'"),
    ("template", "SELECT a FROM {{ source }}", "SELECT a FROM raw.t"),
    ("template", "SELECT a FROM raw.t {% if x %} WHERE a {% endif %}", "SELECT a FROM raw.t WHERE a"),
    ("the clock", "SELECT a FROM raw.t WHERE a < CURRENT_TIMESTAMP",
     "SELECT a FROM raw.t, conf.run r WHERE a < r.as_of"),
    ("the clock", "SELECT a FROM raw.t WHERE a < current_date", "SELECT a FROM raw.t, conf.run r WHERE a < r.as_of"),
    ("a call with a dot", "SELECT a.lower() FROM raw.t", "SELECT lower(a) FROM raw.t"),
    ("cannot be parsed", "SELECT a FROM FROM", "SELECT a FROM raw.t"),
]  # fmt: skip

REFUSED_FUNCTIONS = [
    *("now", "today", "get_current_timestamp", "current_localtimestamp", "random", "uuid", "hash"),
    *(
        "date_diff",
        "datediff",
        "date_part",
        "dayofweek",
        "weekday",
        "isodow",
        "yearweek",
        "strftime",
        "epoch",
        "to_days",
    ),
    *("string_agg", "list", "array_agg", "group_concat", "unnest", "struct_pack", "list_transform", "map_keys"),
    *("json_extract", "json_extract_string", "to_json", "regexp_matches", "regexp_replace", "concat", "concat_ws"),
    *("strpos", "starts_with", "startswith", "nvl", "ifnull", "if", "initcap", "any_value", "first", "last", "arg_max"),
    *("quantile_cont", "mode", "log", "read_csv", "generate_series", "range", "some_new_function"),
]


def texts(found: list[Finding]) -> list[str]:
    return [str(finding) for finding in found]


@pytest.mark.parametrize(("problem", "bad", "clean"), BY_TEXT, ids=[f"{n}-{rule[0]}" for n, rule in enumerate(BY_TEXT)])
def test_rule_by_text(problem: str, bad: str, clean: str) -> None:
    assert any(problem in text for text in texts(findings(bad))), texts(findings(bad))
    assert texts(findings(clean)) == []


@pytest.mark.parametrize("name", REFUSED_FUNCTIONS)
def test_functions_outside_the_list_are_refused_and_a_way_out_is_named(name: str) -> None:
    found = findings(f"SELECT {name}(a) AS b FROM raw.t")
    assert any(f"the function {name}()" in finding.problem and finding.instead for finding in found)


def test_a_finding_names_its_line() -> None:
    sql = "-- a comment\nSELECT\n  t.a,\n  CAST(t.b AS VARCHAR) AS b,\n  t.c / t.d AS e\nFROM raw.t\nORDER BY\n  t.a"
    assert [(finding.line, finding.problem.split(",")[0].split(" (")[0]) for finding in findings(sql)] == [
        (4, "the type VARCHAR: Spark refuses it"),
        (5, "a division that may meet zero"),
        (8, "ORDER BY t . a without NULLS"),
    ]


def test_comments_and_texts_are_not_code() -> None:
    sql = "-- QUALIFY now() \"x\" a::b\nSELECT a /* ORDER BY a */ FROM raw.t WHERE a = 'now() ORDER BY a; QUALIFY'"
    assert texts(findings(sql)) == []


def test_several_problems_of_a_file_are_all_found() -> None:
    found = findings("SELECT DISTINCT ON (a) a, now(), string_agg(b, ',') FROM raw.t GROUP BY ALL ORDER BY a")
    assert len(found) == 5


@pytest.fixture
def connection():
    with duckdb.connect() as opened:
        opened.execute("CREATE SCHEMA raw")
        opened.execute(
            "CREATE TABLE raw.t (i BIGINT, n INTEGER, m DECIMAL(18,12), s DECIMAL(28,12), p DECIMAL(18,14), f DOUBLE, "
            "t TIMESTAMP, d DATE, b BOOLEAN, k VARCHAR)"
        )
        yield opened


BY_TYPE = [
    ("/ on DECIMAL", "SELECT m / nullif(f, 0) AS v FROM raw.t",
     "SELECT CAST(m AS DOUBLE) / nullif(f, 0) AS v FROM raw.t"),
    ("/ on DECIMAL", "SELECT f / nullif(m, 0) AS v FROM raw.t", "SELECT i / nullif(i, 0) AS v FROM raw.t"),
    ("/ on DECIMAL", "SELECT CAST(1.0 / 3 AS DOUBLE) AS v", "SELECT 1 / 3 AS v"),
    ("/ on DECIMAL", "WITH c AS (SELECT sum(m) AS x FROM raw.t) SELECT c.x / nullif(2, 0) AS v FROM c",
     "WITH c AS (SELECT CAST(sum(m) AS DOUBLE) AS x FROM raw.t) SELECT c.x / nullif(2, 0) AS v FROM c"),
    ("avg on DECIMAL", "SELECT avg(m) AS v FROM raw.t", "SELECT avg(CAST(m AS DOUBLE)) AS v, avg(i) AS w FROM raw.t"),
    ("percentile of BIGINT", "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY i) AS v FROM raw.t",
     "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY CAST(i AS DOUBLE)) AS v FROM raw.t"),
    ("percentile of DECIMAL", "SELECT k, percentile_cont(0.5) WITHIN GROUP (ORDER BY m) AS v FROM raw.t GROUP BY k",
     "SELECT k, percentile_cont(0.5) WITHIN GROUP (ORDER BY f) AS v FROM raw.t GROUP BY k"),
    ("DOUBLE cast to an integer", "SELECT CAST(f AS BIGINT) AS v FROM raw.t",
     "SELECT CAST(round(f) AS BIGINT) AS v FROM raw.t"),
    ("cast to an integer", "SELECT CAST(m AS INTEGER) AS v FROM raw.t",
     "SELECT CAST(floor(m) AS INTEGER) AS v FROM raw.t"),
    ("cast to an integer", "SELECT CAST(m * 2 AS BIGINT) AS v FROM raw.t",
     "SELECT CAST(CAST(i AS DECIMAL(19,0)) AS BIGINT) AS v, CAST(k AS BIGINT) AS w FROM raw.t"),
    ("cast to an integer", "SELECT k, CAST(sum(m) AS BIGINT) AS v FROM raw.t GROUP BY k",
     "SELECT k, CAST(sum(i) AS BIGINT) AS v FROM raw.t GROUP BY k"),
    ("more than 6 decimals", "SELECT CAST(f * 2 AS DECIMAL(28,12)) AS v FROM raw.t",
     "SELECT CAST(CAST(f * 2 AS DECIMAL(18,6)) AS DECIMAL(28,12)) AS v FROM raw.t"),
    ("DOUBLE as a text", "SELECT CAST(f AS STRING) AS v FROM raw.t", "SELECT CAST(i AS STRING) AS v FROM raw.t"),
    ("DuckDB keeps 18 digits", "SELECT CAST(p * CAST(i AS DECIMAL(12,0)) AS DECIMAL(18,12)) AS v FROM raw.t",
     "SELECT CAST(p * CAST(i AS DECIMAL(19,0)) AS DECIMAL(18,12)) AS v FROM raw.t"),
    ("Spark needs 39 digits", "SELECT CAST(p * i AS DECIMAL(18,12)) AS v FROM raw.t",
     "SELECT CAST(s * CAST(i AS DECIMAL(9,0)) AS DECIMAL(28,12)) AS v FROM raw.t"),
    ("Spark needs 39 digits", "SELECT CAST(s * CAST(i AS DECIMAL(10,0)) AS DECIMAL(28,12)) AS v FROM raw.t",
     "SELECT CAST(s * 2 AS DECIMAL(28,12)) AS v FROM raw.t"),
    ("Spark drops a decimal", "SELECT CAST(sum(s) - sum(m) AS DECIMAL(28,12)) AS v FROM raw.t",
     "SELECT CAST(CAST(sum(s) AS DECIMAL(28,12)) - CAST(sum(m) AS DECIMAL(28,12)) AS DECIMAL(28,12)) AS v FROM raw.t"),
    ("DATE - DATE", "SELECT d - DATE '2026-11-16' AS v FROM raw.t", "SELECT t < t + INTERVAL '1' DAY AS v FROM raw.t"),
    ("DATE + INTERVAL", "SELECT d + INTERVAL '7' DAY AS v FROM raw.t",
     "SELECT CAST(d + INTERVAL '7' DAY AS DATE) AS v FROM raw.t"),
    ("column v is INTERVAL", "SELECT t - TIMESTAMP '2026-11-16 00:00:00' AS v FROM raw.t",
     "SELECT CAST(hour(t) AS BIGINT) AS v FROM raw.t"),
    ("column v is HUGEINT", "SELECT sum(i) AS v FROM raw.t", "SELECT CAST(sum(i) AS BIGINT) AS v FROM raw.t"),
    ("column v is DECIMAL(38,12)", "SELECT sum(m) AS v FROM raw.t",
     "SELECT CAST(sum(m) AS DECIMAL(28,12)) AS v FROM raw.t"),
    ("CASE whose first branch is INTEGER", "SELECT CASE WHEN b THEN 0 ELSE i END AS v FROM raw.t",
     "SELECT CASE WHEN b THEN i ELSE 0 END AS v FROM raw.t"),
    ("CASE whose first branch is INTEGER", "SELECT CASE WHEN b THEN 0 ELSE m END AS v FROM raw.t",
     "SELECT CASE WHEN b THEN CAST(0 AS DECIMAL(18,12)) ELSE m END AS v FROM raw.t"),
    ("CASE whose first branch is BIGINT", "SELECT CASE WHEN b THEN i ELSE f END AS v FROM raw.t",
     "SELECT CASE WHEN b THEN NULL WHEN f > 1 THEN f END AS v FROM raw.t"),
    ("CASE whose first branch is DECIMAL(18,12)", "SELECT CASE WHEN b THEN m ELSE p END AS v FROM raw.t",
     "SELECT CASE WHEN b THEN m END AS v FROM raw.t"),
    ("coalesce of DECIMAL and DOUBLE", "SELECT coalesce(m, f) AS v FROM raw.t",
     "SELECT coalesce(m, 0) AS v FROM raw.t"),
    ("greatest of DATE and TIMESTAMP", "SELECT greatest(d, t) AS v FROM raw.t",
     "SELECT greatest(CAST(d AS TIMESTAMP), t) AS v, coalesce(i, 0) AS w FROM raw.t"),
    ("column 1 of a UNION is INTEGER", "SELECT 0 AS v FROM raw.t UNION ALL SELECT i FROM raw.t",
     "SELECT i AS v FROM raw.t UNION ALL SELECT 0 FROM raw.t"),
    ("column 2 of a UNION is DECIMAL(18,12)", "SELECT k, m FROM raw.t UNION ALL SELECT k, s FROM raw.t",
     "SELECT k, CAST(m AS DECIMAL(28,12)) AS m FROM raw.t UNION ALL SELECT k, s FROM raw.t"),
    ("column 1 of a UNION is",
     "WITH a AS (SELECT NULL AS v UNION ALL SELECT i FROM raw.t) SELECT a.v FROM a",
     "WITH a AS (SELECT CAST(NULL AS BIGINT) AS v UNION ALL SELECT i FROM raw.t) SELECT a.v FROM a"),
]  # fmt: skip


@pytest.mark.parametrize(("problem", "bad", "clean"), BY_TYPE, ids=[f"{n}-{rule[0]}" for n, rule in enumerate(BY_TYPE)])
def test_rule_by_types(problem: str, bad: str, clean: str, connection: duckdb.DuckDBPyConnection) -> None:
    found = texts(type_findings(bad, connection))
    assert any(problem in text for text in found), found
    assert texts(type_findings(clean, connection)) == []


def test_types_are_known_in_joins_subqueries_and_beside_aggregates(connection: duckdb.DuckDBPyConnection) -> None:
    sql = """
    WITH a AS (
      SELECT x.k, sum(x.m) AS usd, max(y.f) AS f
      FROM raw.t x
      LEFT JOIN raw.t y ON y.k = x.k AND CAST(y.f AS BIGINT) = 1
      GROUP BY x.k
      HAVING avg(x.m) > 0
    )
    SELECT a.k, CAST(a.usd AS DECIMAL(28,12)) AS usd, a.usd / 2 AS half
    FROM a
    WHERE a.f > (SELECT max(CAST(z.f AS BIGINT)) FROM raw.t z)
    """
    assert [(finding.line, finding.problem.split(" (")[0]) for finding in type_findings(sql, connection)] == [
        (5, "DOUBLE cast to an integer"),
        (7, "avg on DECIMAL"),
        (9, "/ on DECIMAL"),
        (11, "DOUBLE cast to an integer"),
    ]
