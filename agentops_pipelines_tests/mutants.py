"""Mutants of a SQL table: the same SELECT with one condition of a WHERE, FILTER, HAVING or JOIN taken away.

Belongs here: how mutants are made and which of them a world cannot tell from the original. A mart's test module calls
`survivors` on the world its own hand-checked cases are about; a condition that no row of it depends on is either
untested or needless.
"""

from collections.abc import Iterator

import duckdb
import sqlglot
from sqlglot import exp


def mutants(sql: str) -> Iterator[tuple[str, str]]:
    """(the condition taken away, the SELECT without it), one for each part of each conjunction."""
    tree = sqlglot.parse_one(sql, dialect="duckdb")
    for number in range(len(_conditions(tree))):
        mutant = tree.copy()
        condition = _conditions(mutant)[number]
        name = condition.sql(dialect="duckdb")
        condition.replace(exp.true())
        yield name, mutant.sql(dialect="duckdb")


def survivors(con: duckdb.DuckDBPyConnection, sql: str) -> list[str]:
    """The conditions whose removal changes no row of the table on the data behind `con`."""
    original = sqlglot.parse_one(sql, dialect="duckdb").sql(dialect="duckdb")
    con.execute(f"CREATE OR REPLACE TEMP TABLE original AS {original}")
    return [name for name, mutant in mutants(sql) if _same(con, mutant)]


def _conditions(tree: exp.Expr) -> list[exp.Expr]:
    found: list[exp.Expr] = []
    for node in tree.find_all(exp.Where, exp.Having, exp.Join):
        root = node.args.get("on") if isinstance(node, exp.Join) else node.this
        if root is not None:
            found.extend(_parts(root))
    return found


def _parts(condition: exp.Expr) -> list[exp.Expr]:
    if isinstance(condition, exp.Paren) and isinstance(condition.this, exp.And):
        return _parts(condition.this)
    if isinstance(condition, exp.And):
        return [*_parts(condition.left), *_parts(condition.right)]
    return [condition]


def _same(con: duckdb.DuckDBPyConnection, mutant: str) -> bool:
    difference = "(FROM original EXCEPT ALL FROM mutant) UNION ALL (FROM mutant EXCEPT ALL FROM original)"
    try:
        con.execute(f"CREATE OR REPLACE TEMP TABLE mutant AS {mutant}")
        return con.execute(f"SELECT count(*) FROM ({difference})").fetchall()[0][0] == 0
    except duckdb.BinderException:  # a join that needs its condition
        return False
