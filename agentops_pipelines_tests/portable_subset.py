"""The portable SQL subset: what sql/core and sql/mart may use so that the same text runs on DuckDB and on Spark.

Belongs here: the rules, and how a file is checked against them. Every rule was seen to matter: DuckDB, Sail and Apache
Spark gave different rows, types or errors for what it refuses. Does not belong here: running the tables (spark.py).

Three kinds of rules: by tokens (spelling), by syntax tree (constructs), and by types. What type an expression has,
DuckDB is asked itself: `type_findings` needs a connection in which the tables exist; they may be empty.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import duckdb
import sqlglot
from sqlglot import Token, TokenType, exp


@dataclass(frozen=True, order=True)
class Finding:
    """One place that would not run the same everywhere."""

    line: int
    problem: str
    instead: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.problem}. Write {self.instead}"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FUNCTIONS = _words(
    """
    abs avg bool_and bool_or cast ceil coalesce contains count cume_dist date_trunc day dayofyear dense_rank
    exp extract first_value floor greatest hour instr lag last_day last_value lead least left length ln lower lpad ltrim
    make_date max max_by md5 median min min_by minute mod month nth_value ntile nullif percent_rank percentile_cont
    position power quarter rank replace right round row_number rtrim second split_part sqrt stddev_samp substr substring
    sum trim try_cast year
    """
)
"""Functions that gave equal values on DuckDB 2.0.1, Sail 0.7.2 and Apache Spark 4.2.0."""

_BEFORE_PARENTHESIS = _words(
    """
    all and as between by case decimal distinct else end except exists filter from group having in intersect is join
    like not on or order over partition select then union using values when where with within
    """
)
"""Words that an opening parenthesis may follow without being a function."""

_SECONDS = "extract(day FROM date_trunc('day', b) - date_trunc('day', a)) * 86400 + (hour(b) - hour(a)) * 3600 + ..."
_TYPED_IN_PYTHON = "a typed column or a table made in Python"
_INSTEAD: dict[str, str] = {
    "any_value": "max_by(x, <unique key>) or min(x)",
    "approx_count_distinct": "count(DISTINCT x)",
    "arg_max": "max_by(x, key)",
    "arg_min": "min_by(x, key)",
    "columns": "the columns by name",
    "concat": "a || b (NULL when either is NULL)",
    "concat_ws": "a || b (NULL when either is NULL)",
    "count_if": "count(*) FILTER (WHERE ...)",
    "current_date": "conf.run.as_of",
    "current_localtimestamp": "conf.run.as_of",
    "date_diff": _SECONDS,
    "date_sub": "t - INTERVAL '1' DAY",
    "datediff": _SECONDS,
    "dayname": "a column of conf.days",
    "dayofweek": "a column of conf.days",
    "epoch": _SECONDS,
    "epoch_ms": _SECONDS,
    "first": "first_value(x) OVER (...) or min_by(x, <unique key>)",
    "getdate": "conf.run.as_of",
    "if": "CASE WHEN ... THEN ... END",
    "ifnull": "coalesce(x, y)",
    "isodow": "a column of conf.days",
    "last": "last_value(x) OVER (...) or max_by(x, <unique key>)",
    "list": "one row per value",
    "log": "a CASE on ranges",
    "mode": "row_number() over the counts",
    "now": "conf.run.as_of",
    "nvl": "coalesce(x, y)",
    "quantile_cont": "percentile_cont(p) WITHIN GROUP (ORDER BY CAST(x AS DOUBLE))",
    "random": "nothing: tables are the same every run",
    "string_agg": "one row per value, joined where it is shown",
    "array_agg": "one row per value",
    "group_concat": "one row per value, joined where it is shown",
    "starts_with": "x LIKE 'abc%'",
    "startswith": "x LIKE 'abc%'",
    "strftime": _TYPED_IN_PYTHON,
    "strptime": _TYPED_IN_PYTHON,
    "strpos": "position('x' IN s)",
    "today": "conf.run.as_of",
    "unnest": "one row per value, made in Python",
    "weekday": "a column of conf.days",
    "yearweek": "conf.days.local_week",
}
_INSTEAD_PREFIXES: dict[str, str] = {
    "regexp": "LIKE, or a typed column made in Python",
    "json": _TYPED_IN_PYTHON,
    "list_": "one row per value",
    "array_": "one row per value",
    "struct_": "one column per field",
    "map_": "one row per key",
    "to_": "CAST or INTERVAL '1' DAY",
    "get_current": "conf.run.as_of",
}

_REFUSED_TOKENS: dict[TokenType, tuple[str, str]] = {
    TokenType.PLACEHOLDER: ("a parameter", "a column of conf.*"),
    TokenType.PARAMETER: ("a parameter", "a column of conf.*"),
    TokenType.DCOLON: ("the cast operator ::", "CAST(x AS type)"),
    TokenType.DIV: ("integer division //", "CAST(floor(CAST(a AS DOUBLE) / b) AS BIGINT)"),
    TokenType.DSTAR: ("the power operator **", "power(x, y)"),
    TokenType.CARET: ("the operator ^ (power in DuckDB, XOR in Spark)", "power(x, y)"),
    TokenType.ARROW: ("a JSON or lambda arrow", _TYPED_IN_PYTHON),
    TokenType.DARROW: ("a JSON arrow", _TYPED_IN_PYTHON),
    TokenType.L_BRACKET: ("a list or a subscript", "one row per value"),
    TokenType.L_BRACE: ("a struct, a map or a template", "one column per field, and conf.* for settings"),
    TokenType.BLOCK_START: ("a template", "a column of conf.*"),
    TokenType.TILDE: ("a regular expression", "LIKE, or a typed column made in Python"),
    TokenType.SIMILAR_TO: ("a regular expression", "LIKE, or a typed column made in Python"),
    TokenType.GLOB: ("GLOB", "LIKE"),
    TokenType.CURRENT_DATE: ("the clock", "conf.run.as_of"),
    TokenType.CURRENT_TIME: ("the clock", "conf.run.as_of"),
    TokenType.CURRENT_TIMESTAMP: ("the clock", "conf.run.as_of"),
    TokenType.LOCALTIMESTAMP: ("the clock", "conf.run.as_of"),
    TokenType.QUALIFY: ("QUALIFY", "row_number() in a CTE and WHERE rn = 1"),
}

_EXTRACTED = _words("HOUR MINUTE DAY MONTH YEAR WEEK QUARTER DOY")
_TEXT_TYPES = re.compile(r"^(VARCHAR|TEXT|CHAR|BPCHAR|NVARCHAR)", re.IGNORECASE)


def findings(sql: str) -> list[Finding]:
    """Everything in one SQL file that leaves the subset, as far as the text alone tells."""
    tokens = sqlglot.tokenize(sql, dialect="duckdb")
    found = [*_token_findings(tokens), *_order_findings(tokens)]
    try:
        statement = sqlglot.parse_one(sql, dialect="duckdb")
    except sqlglot.ParseError as error:
        line = error.errors[0].get("line") or 1 if error.errors else 1
        return sorted({*found, Finding(line, "text that cannot be parsed", "one SELECT")})
    for node in statement.walk():
        found.extend(_node_findings(node))
    return sorted(set(found))


# --- by tokens -------------------------------------------------------------------------------------------------------


def _token_findings(tokens: Sequence[Token]) -> Iterator[Finding]:
    for position, token in enumerate(tokens):
        if token.token_type in _REFUSED_TOKENS:
            yield Finding(token.line, *_REFUSED_TOKENS[token.token_type])
        elif token.token_type == TokenType.COLON:
            yield Finding(token.line, "a parameter or a struct", "a column of conf.*")
        elif token.token_type == TokenType.IDENTIFIER:
            problem = f'"{token.text}" in double quotes: Spark reads a text'
            yield Finding(token.line, problem, f"{token.text} without quotes")
        elif token.token_type == TokenType.STRING and ("'" in token.text or "\\" in token.text):
            yield Finding(token.line, "a quote or backslash inside a text", "such texts into conf.*")
        elif position + 1 < len(tokens) and tokens[position + 1].token_type == TokenType.L_PAREN:
            yield from _call_findings(token, tokens[position - 1] if position else None)
        if _is_word(token, "ignore") and position + 1 < len(tokens) and _is_word(tokens[position + 1], "nulls"):
            yield Finding(token.line, "IGNORE NULLS", "max(CASE WHEN ... END) OVER, or a join on the last row")
    for before, token, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if before.token_type != TokenType.ALIAS or after.token_type not in (TokenType.L_PAREN, TokenType.R_PAREN):
            continue
        if _TEXT_TYPES.match(token.text):
            yield Finding(token.line, f"the type {token.text}: Spark refuses it", "CAST(x AS STRING)")
        if token.token_type == TokenType.DECIMAL and after.token_type == TokenType.R_PAREN:
            yield Finding(token.line, "DECIMAL without precision and scale", "DECIMAL(p,s)")


def _call_findings(token: Token, before: Token | None) -> Iterator[Finding]:
    name = token.text.lower()
    if before is not None and before.token_type == TokenType.DOT:
        yield Finding(token.line, f"a call with a dot, .{name}()", f"{name}(x)")
        return
    is_alias = before is not None and before.token_type == TokenType.ALIAS
    if not name.replace("_", "").isalnum() or is_alias or name in FUNCTIONS:
        return
    if all(word in _BEFORE_PARENTHESIS for word in name.split()):
        return
    if token.token_type in (TokenType.STRING, TokenType.NUMBER, *_REFUSED_TOKENS):
        return
    yield Finding(token.line, f"the function {name}(), which is not in the list", _instead_of(name))


def _instead_of(name: str) -> str:
    for prefix, instead in _INSTEAD_PREFIXES.items():
        if name.startswith(prefix):
            return instead
    return _INSTEAD.get(name, "it with listed functions, or prove it on DuckDB, Sail and Spark and add it to FUNCTIONS")


def _is_word(token: Token, word: str) -> bool:
    return token.token_type == TokenType.VAR and token.text.lower() == word


_ORDER_ENDS = frozenset(
    {
        TokenType.LIMIT,
        TokenType.OFFSET,
        TokenType.ROWS,
        TokenType.RANGE,
        TokenType.UNION,
        TokenType.EXCEPT,
        TokenType.INTERSECT,
        TokenType.SEMICOLON,
    }
)


def _order_findings(tokens: Sequence[Token]) -> Iterator[Finding]:
    """ORDER BY without NULLS FIRST or LAST: the defaults are opposite. Percentiles leave NULLs out anyway."""
    for position, token in enumerate(tokens):
        if token.token_type != TokenType.ORDER_BY:
            continue
        if position >= 2 and tokens[position - 2].text.lower() == "group":
            continue
        for item in _order_items(tokens, position + 1):
            words = [part.text.lower() for part in item[-2:]]
            if words not in (["nulls", "first"], ["nulls", "last"]):
                text = " ".join(part.text for part in item)
                line = item[0].line if item else token.line
                yield Finding(line, f"ORDER BY {text} without NULLS", f"{text} NULLS LAST (or FIRST)")


def _order_items(tokens: Sequence[Token], start: int) -> Iterator[list[Token]]:
    depth = 0
    item: list[Token] = []
    for token in tokens[start:]:
        if token.token_type == TokenType.L_PAREN:
            depth += 1
        elif token.token_type == TokenType.R_PAREN:
            depth -= 1
        if depth < 0 or (depth == 0 and token.token_type in _ORDER_ENDS):
            break
        if depth == 0 and token.token_type == TokenType.COMMA:
            yield item
            item = []
        else:
            item.append(token)
    yield item


# --- by syntax tree --------------------------------------------------------------------------------------------------


def _node_findings(node: exp.Expr) -> Iterator[Finding]:
    for kind, rule in _RULES:
        if isinstance(node, kind):
            for problem, instead in rule(node):
                yield Finding(_line(node), problem, instead)


def _line(node: exp.Expr) -> int:
    """The first line that something in the node was read from."""
    lines = [part.meta["line"] for part in node.walk() if "line" in part.meta]
    return min(lines, default=1)


Problems = Iterator[tuple[str, str]]


def _group(node: exp.Group) -> Problems:
    if node.args.get("all"):
        yield "GROUP BY ALL", "the columns of GROUP BY by name"


def _join(node: exp.Join) -> Problems:
    if node.method in ("ASOF", "POSITIONAL"):
        yield f"{node.method} JOIN", "a range join on lead(valid_from)"
    if node.method == "NATURAL":
        yield "NATURAL JOIN", "the columns of the join by name"
    if node.kind in ("ANTI", "SEMI") and node.side:
        yield f"{node.side} {node.kind} JOIN, which DuckDB refuses", f"{node.kind} JOIN, or [NOT] EXISTS"


def _star(node: exp.Star) -> Problems:
    for part in ("except_", "except", "replace", "rename"):
        if node.args.get(part):
            yield "* EXCLUDE, REPLACE or RENAME", "the columns by name"


def _distinct(node: exp.Distinct) -> Problems:
    if node.args.get("on"):
        yield "DISTINCT ON", "row_number() in a CTE and WHERE rn = 1"
    if isinstance(node.parent, exp.Count) and len(node.expressions) > 1:
        yield "count(DISTINCT a, b)", "SELECT DISTINCT a, b in a CTE, then count(*)"
    if isinstance(node.parent, exp.AggFunc) and node.find_ancestor(exp.Window, exp.Select).__class__ is exp.Window:
        yield "DISTINCT in a window function", "the distinct rows in a CTE"


def _window(node: exp.Window) -> Problems:
    if isinstance(node.this, exp.Filter):
        yield "FILTER with OVER", "sum(CASE WHEN ... THEN 1 ELSE 0 END) OVER (...)"


def _round(node: exp.Round) -> Problems:
    if node.args.get("decimals") is not None:
        yield (
            "round(x, n), another type or (of a DOUBLE) another number in Spark",
            "CAST(x AS DECIMAL(18,n)), which rounds",
        )


def _set_operation(node: exp.SetOperation) -> Problems:
    if node.args.get("by_name"):
        yield "UNION BY NAME", "UNION ALL with the columns in order"


def _with(node: exp.With) -> Problems:
    if node.args.get("recursive"):
        yield "WITH RECURSIVE", "a table made in Python"


def _refused(problem: str, instead: str) -> Callable[[exp.Expr], Problems]:
    def rule(_: exp.Expr) -> Problems:
        yield problem, instead

    return rule


def _div(node: exp.Div) -> Problems:
    divisor = node.expression
    while isinstance(divisor, exp.Cast | exp.Paren):
        divisor = divisor.this
    if isinstance(divisor, exp.Literal) and not divisor.is_string and float(divisor.this) != 0:
        return
    if not isinstance(divisor, exp.Nullif):
        yield "a division that may meet zero (inf in DuckDB, an error in Spark)", "CAST(a AS DOUBLE) / nullif(b, 0)"


def _like(node: exp.Like | exp.ILike) -> Problems:
    if not isinstance(node.expression, exp.Literal) and not isinstance(node.parent, exp.Escape):
        yield "LIKE with a pattern from a column (\\ escapes in Spark only)", "x LIKE pattern ESCAPE '!'"


def _truncated(node: exp.Expr) -> Problems:
    if isinstance(node.parent, exp.Cast):
        return
    if isinstance(node.parent, exp.Sub) and isinstance(node.parent.parent, exp.Paren | exp.Extract):
        return
    yield "date_trunc(), a TIMESTAMP with time zone in Spark", "CAST(date_trunc(...) AS TIMESTAMP) or AS DATE"


def _extract(node: exp.Extract) -> Problems:
    if node.name.upper() not in _EXTRACTED:
        instead = _SECONDS if node.name.upper() in ("EPOCH", "SECOND") else "a column of conf.days"
        yield f"extract({node.name.lower()} FROM ...)", instead


_INTEGERS = (exp.DType.BIGINT, exp.DType.INT, exp.DType.SMALLINT, exp.DType.TINYINT)
_CASTABLE = (*_INTEGERS, exp.DType.DOUBLE, exp.DType.DECIMAL, exp.DType.TEXT, exp.DType.BOOLEAN)
_CASTABLE_TIMES = (exp.DType.DATE, exp.DType.TIMESTAMP, exp.DType.TIMESTAMPNTZ)


def _cast(node: exp.Cast) -> Problems:
    kind = node.to.this
    if kind not in (*_CASTABLE, *_CASTABLE_TIMES):
        yield f"CAST to {node.to.sql()}", "BIGINT, DOUBLE, DECIMAL(p,s), STRING, BOOLEAN, DATE or TIMESTAMP"
    if kind in _INTEGERS and isinstance(node.this, exp.Div | exp.Avg | exp.PercentileCont | exp.Median):
        yield "a fraction cast to an integer (DuckDB rounds, Spark cuts)", "CAST(floor(x) AS BIGINT) or round(x)"


_RULES: tuple[tuple[type[exp.Expr], Callable[..., Problems]], ...] = (
    (exp.Group, _group),
    (exp.Join, _join),
    (exp.Star, _star),
    (exp.Distinct, _distinct),
    (exp.Window, _window),
    (exp.Round, _round),
    (exp.With, _with),
    (exp.SetOperation, _set_operation),
    (exp.Lateral, _refused("a LATERAL join", "a join, or row_number() in a CTE")),
    (exp.Pivot, _refused("PIVOT", "sum(x) FILTER (WHERE ...)")),
    (exp.TableSample, _refused("a sample", "the whole table")),
    (exp.Div, _div),
    (exp.Like, _like),
    (exp.ILike, _like),
    (exp.TimestampTrunc, _truncated),
    (exp.DateTrunc, _truncated),
    (exp.Extract, _extract),
    (exp.Cast, _cast),
)


# --- by types --------------------------------------------------------------------------------------------------------


def type_findings(sql: str, connection: duckdb.DuckDBPyConnection) -> list[Finding]:
    """What leaves the subset because of types. DuckDB says the types: the tables must exist in `connection`."""
    statement = sqlglot.parse_one(sql, dialect="duckdb")
    found: list[Finding] = []
    for query in statement.find_all(exp.Select, exp.SetOperation):
        oracle = _Oracle(statement, query, connection)
        if isinstance(query, exp.SetOperation):
            problems = [(query, *problem) for problem in _union(query, oracle)]
        else:
            nodes = [node for node in query.find_all(*(kind for kind, _ in _TYPE_RULES)) if _scope(node) is query]
            oracle.learn([part for node in nodes for part in (node, *node.iter_expressions())])
            problems = [
                (node, *problem)
                for node in nodes
                for kind, rule in _TYPE_RULES
                if isinstance(node, kind)
                for problem in rule(node, oracle)
            ]
        found.extend(Finding(_line(node), problem, instead) for node, problem, instead in problems)
    for name, kind in zip(*_output(statement, connection), strict=True):
        if kind == "HUGEINT":
            found.append(Finding(_line(statement), f"column {name} is HUGEINT", "CAST(sum(x) AS BIGINT)"))
        elif (kind.startswith("DECIMAL") and _digits(kind)[0] > 28) or kind in ("INTERVAL", "NULL", '"NULL"'):
            found.append(Finding(_line(statement), f"column {name} is {kind}", "CAST(x AS DECIMAL(28,12)) or the like"))
    return sorted(set(found))


def _output(statement: exp.Expr, connection: duckdb.DuckDBPyConnection) -> tuple[list[str], list[str]]:
    relation = connection.sql(statement.sql(dialect="duckdb"))
    return relation.columns, [str(kind) for kind in relation.types]


def _scope(node: exp.Expr) -> exp.Expr | None:
    return node.find_ancestor(exp.Select)


class _Oracle:
    """The types of expressions of one SELECT, as DuckDB binds them; '' where it cannot be asked (outer references)."""

    def __init__(self, statement: exp.Expr, query: exp.Expr, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._prefix = _visible_ctes(statement, query)
        self._tail = self._grouped = ""
        if isinstance(query, exp.Select):
            parts = [query.args.get("from_"), *query.args.get("joins", [])]
            self._tail = " ".join(part.sql(dialect="duckdb") for part in parts if part)
            group = query.args.get("group")
            self._grouped = f"{self._tail} {group.sql(dialect='duckdb')}" if group else self._tail
        self._types: dict[int, str] = {}

    def learn(self, nodes: Sequence[exp.Expr]) -> None:
        """Ask for all nodes at once, and one by one where that fails (aggregates beside plain columns)."""
        wanted = [node for node in nodes if isinstance(node, exp.Condition | exp.Unary | exp.Func)]
        together = self._ask([node.sql(dialect="duckdb") for node in wanted], self._tail)
        for position, node in enumerate(wanted):
            self._types[id(node)] = together[position] if together else self._one(node)

    def of(self, node: exp.Expr) -> str:
        """The type of an expression."""
        if id(node) not in self._types:
            self._types[id(node)] = self._one(node)
        return self._types[id(node)]

    def of_query(self, query: exp.Expr) -> list[str]:
        """The column types of one side of a UNION."""
        try:
            return [str(kind) for kind in self._connection.sql(f"{self._prefix} {query.sql(dialect='duckdb')}").types]
        except duckdb.Error:
            return []

    def _one(self, node: exp.Expr) -> str:
        text = node.sql(dialect="duckdb")
        found = self._ask([text], self._tail) or self._ask([text], self._grouped)
        return found[0] if found else ""

    def _ask(self, expressions: Sequence[str], tail: str) -> list[str]:
        if not expressions:
            return []
        try:
            relation = self._connection.sql(f"{self._prefix} SELECT {', '.join(expressions)} {tail}")
        except duckdb.Error:
            return []
        return [str(kind) for kind in relation.types]


def _visible_ctes(statement: exp.Expr, query: exp.Expr) -> str:
    with_ = statement.args.get("with_")
    if with_ is None:
        return ""
    visible: list[str] = []
    for cte in with_.expressions:
        if any(node is query for node in cte.walk()):
            break
        visible.append(cte.sql(dialect="duckdb"))
    return f"WITH {', '.join(visible)}" if visible else ""


def _digits(kind: str) -> tuple[int, int]:
    """Precision and scale of a number type as Spark counts them; (0, 0) when it is none."""
    integers = {"TINYINT": (3, 0), "SMALLINT": (5, 0), "INTEGER": (10, 0), "BIGINT": (20, 0), "HUGEINT": (38, 0)}
    if found := re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", kind):
        return int(found[1]), int(found[2])
    return integers.get(kind, (0, 0))


def _is_decimal(kind: str) -> bool:
    return kind.startswith("DECIMAL")


TypeProblems = Iterator[tuple[str, str]]


def _typed_div(node: exp.Div, oracle: _Oracle) -> TypeProblems:
    if any(_is_decimal(oracle.of(side)) for side in (node.this, node.expression)):
        yield "/ on DECIMAL (DOUBLE in DuckDB, DECIMAL in Spark)", "CAST(a AS DOUBLE) / nullif(CAST(b AS DOUBLE), 0)"


def _typed_average(node: exp.AggFunc, oracle: _Oracle) -> TypeProblems:
    if _is_decimal(oracle.of(node.this)):
        yield f"{node.sql_name().lower()} on DECIMAL", f"{node.sql_name().lower()}(CAST(x AS DOUBLE))"


def _typed_percentile(node: exp.WithinGroup, oracle: _Oracle) -> TypeProblems:
    for ordered in node.find_all(exp.Ordered):
        kind = oracle.of(ordered.this)
        if kind and kind != "DOUBLE":
            yield f"a percentile of {kind}", "ORDER BY CAST(x AS DOUBLE)"


def _typed_cast(node: exp.Cast, oracle: _Oracle) -> TypeProblems:
    source, target = oracle.of(node.this), node.to.this
    whole = isinstance(node.this, exp.Floor | exp.Ceil) or (
        isinstance(node.this, exp.Round) and node.this.args.get("decimals") is None
    )
    fraction = source in ("DOUBLE", "FLOAT") or (_is_decimal(source) and _digits(source)[1] > 0)
    if target in _INTEGERS and fraction and not whole:
        yield f"{source} cast to an integer (DuckDB rounds, Spark cuts)", "CAST(floor(x) AS BIGINT) or round(x)"
    if target == exp.DType.DECIMAL and source == "DOUBLE" and int(node.to.expressions[1].name) > 6:
        yield (
            "DOUBLE cast to a DECIMAL with more than 6 decimals (Spark goes by the shortest text of the number)",
            "CAST(CAST(x AS DECIMAL(18,6)) AS DECIMAL(28,12)), or keep the DOUBLE",
        )
    if target == exp.DType.TEXT and source in ("DOUBLE", "FLOAT"):
        yield "DOUBLE as a text", "the number; texts are made where they are shown"


def _typed_mul(node: exp.Mul, oracle: _Oracle) -> TypeProblems:
    kinds = [oracle.of(node.this), oracle.of(node.expression)]
    if not any(_is_decimal(kind) for kind in kinds) or not all(_digits(kind)[0] for kind in kinds):
        return
    literal = any(isinstance(side, exp.Literal) for side in (node.this, node.expression))
    left, right = (_digits(kind)[0] for kind in kinds)
    if not literal and left + right + 1 > 38:
        yield (
            f"{kinds[0]} * {kinds[1]}: Spark needs {left + right + 1} digits, has 38 and drops decimals",
            "DECIMAL(18,s) * CAST(n AS DECIMAL(19,0)), or CAST(n AS DECIMAL(9,0)) beside DECIMAL(28,12)",
        )
    elif not literal and left <= 18 and right <= 18 and left + right > 18:
        yield (
            f"{kinds[0]} * {kinds[1]}: DuckDB keeps 18 digits and stops the query when they do not suffice",
            "CAST(n AS DECIMAL(19,0)): 19 digits make DuckDB use 38",
        )


def _typed_sum(node: exp.Add | exp.Sub, oracle: _Oracle) -> TypeProblems:
    kinds = [oracle.of(node.this), oracle.of(node.expression)]
    if isinstance(node, exp.Sub) and kinds == ["DATE", "DATE"]:
        yield "DATE - DATE (days in DuckDB, an INTERVAL in Spark)", _SECONDS
    if kinds[0] == "DATE" and "INTERVAL" in kinds[1] and not isinstance(node.parent, exp.Cast):
        yield "DATE + INTERVAL (TIMESTAMP in DuckDB, DATE in Spark)", "CAST(d + INTERVAL '7' DAY AS DATE)"
    if kinds[0] == "DATE" and kinds[1] == "BIGINT":
        yield "DATE + number", "CAST(d + INTERVAL '7' DAY AS DATE)"
    if all(_is_decimal(kind) for kind in kinds):
        whole = max(precision - scale for precision, scale in map(_digits, kinds))
        if whole + max(_digits(kind)[1] for kind in kinds) + 1 > 38:
            yield f"{kinds[0]} + or - {kinds[1]}: Spark drops a decimal", "CAST(sum(x) AS DECIMAL(28,12)) on each side"


def _typed_case(node: exp.Case, oracle: _Oracle) -> TypeProblems:
    branches = [branch.args["true"] for branch in node.args["ifs"]]
    default = node.args.get("default")
    branches = [branch for branch in (*branches, default) if branch is not None and not isinstance(branch, exp.Null)]
    if not branches:
        return
    first, whole = oracle.of(branches[0]), oracle.of(node)
    if first and whole and first != whole:
        yield (
            f"CASE whose first branch is {first} and whose type is {whole} (Sail takes the first branch's type)",
            f"CAST(... AS {whole}) in the first branch",
        )


def _typed_choice(node: exp.Func, oracle: _Oracle) -> TypeProblems:
    parts = [part for part in node.iter_expressions() if not isinstance(part, exp.Null)]
    kinds = {oracle.of(part).split("(")[0] for part in parts}
    for pair in ({"DECIMAL", "DOUBLE"}, {"DATE", "TIMESTAMP"}):
        if pair <= kinds:
            yield f"{node.sql_name().lower()} of {' and '.join(sorted(pair))}", "a CAST of both to one type"


def _union(query: exp.SetOperation, oracle: _Oracle) -> TypeProblems:
    left, whole = oracle.of_query(query.this), oracle.of_query(query)
    for position, (one, both) in enumerate(zip(left, whole, strict=False), start=1):
        if one != both:
            yield (
                f"column {position} of a UNION is {one} on the left and {both} together (Sail takes the left type)",
                f"CAST(... AS {both}) on the left",
            )


_TYPE_RULES: tuple[tuple[type[exp.Expr], Callable[..., TypeProblems]], ...] = (
    (exp.Div, _typed_div),
    (exp.Avg, _typed_average),
    (exp.Median, _typed_average),
    (exp.WithinGroup, _typed_percentile),
    (exp.Cast, _typed_cast),
    (exp.Mul, _typed_mul),
    (exp.Add, _typed_sum),
    (exp.Sub, _typed_sum),
    (exp.Case, _typed_case),
    (exp.Coalesce, _typed_choice),
    (exp.Greatest, _typed_choice),
    (exp.Least, _typed_choice),
)
