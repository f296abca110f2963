"""The mutant maker itself: every condition once, and a needless one found."""

import duckdb

from agentops_pipelines_tests.mutants import mutants, survivors

SQL = """
SELECT t.a, count(*) FILTER (WHERE t.b > 1) AS n
FROM t
JOIN u ON u.a = t.a AND u.c < t.b
WHERE t.a <> 3 AND (t.b >= 1 AND t.b <= 100)
GROUP BY t.a
HAVING count(*) < 3
"""


def test_each_part_of_each_condition_goes_once() -> None:
    assert sorted(name for name, _ in mutants(SQL)) == sorted(
        ["t.b > 1", "u.a = t.a", "u.c < t.b", "t.a <> 3", "t.b >= 1", "t.b <= 100", "COUNT(*) < 3"]
    )
    assert len({mutant for _, mutant in mutants(SQL)}) == 7


def test_a_condition_that_decides_nothing_survives() -> None:
    with duckdb.connect() as con:
        con.execute("CREATE TABLE t AS SELECT * FROM (VALUES (1), (2), (3)) x(a)")
        sql = "SELECT t.a FROM t WHERE t.a > 1 AND t.a < 100"
        assert survivors(con, sql) == ["t.a < 100"]
