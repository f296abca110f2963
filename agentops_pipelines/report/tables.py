"""The report's tables as text cells, made once for the terminal and the HTML page (Discord takes columns of them).

Belongs here: which columns and rows a table has. Does not belong here: how a table looks (render.py, templates).
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal
from typing import Any, TypeVar

from agentops_pipelines.report import words
from agentops_pipelines.report.analyse import Group, Report, SessionType, TopSession
from agentops_pipelines.report.fetch import (
    AGENTS,
    CATEGORIES,
    MODELS,
    QUARANTINE,
    SESSION_TYPES,
    SOURCES,
    TOKENS,
    TOP_SESSIONS,
    TREND,
)
from agentops_pipelines.report.sections import Answer
from agentops_pipelines.report.text import count, percent, signed_usd, tokens, usd

Row = TypeVar("Row")


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column. `compact` ones also fit a terminal; text runs left, figures right."""

    title: str
    numeric: bool = True
    compact: bool = True


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table: the question it answers, its cells, a share to draw as a bar per row (0 to 1), and its SQL."""

    name: str
    title: str
    question: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    query: str
    bars: tuple[float, ...] = ()

    def compact(self) -> "Table":
        """Only what fits a terminal."""
        kept = [index for index, column in enumerate(self.columns) if column.compact]
        return Table(
            name=self.name,
            title=self.title,
            question=self.question,
            columns=tuple(self.columns[index] for index in kept),
            rows=tuple(tuple(row[index] for index in kept) for row in self.rows),
            query=self.query,
            bars=self.bars,
        )

    def column(self, title: str) -> tuple[str, ...]:
        """The cells of one column."""
        index = [column.title for column in self.columns].index(title)
        return tuple(row[index] for row in self.rows)


def largest(rows: Sequence[Row], *, limit: int | None) -> tuple[Row, ...]:
    """The first rows, at most `limit`; the last one then stands for all that are left, so that sums stay true."""
    if limit is None or len(rows) <= limit:
        return tuple(rows)
    rest = rows[limit - 1 :]
    return (*rows[: limit - 1], _merged(rest, name=f"{count(len(rest))} more"))


def _merged(rows: Sequence[Row], *, name: str) -> Row:
    first, *others = fields(rows[0])  # type: ignore[arg-type]
    values = {field.name: _added([getattr(row, field.name) for row in rows]) for field in others}
    return type(rows[0])(**{first.name: name}, **values)


def _added(values: Sequence[Any]) -> Any:
    known = [value for value in values if value is not None]
    if not known:
        return None
    if is_dataclass(known[0]):
        return type(known[0])(  # type: ignore[operator]
            **{field.name: _added([getattr(value, field.name) for value in known]) for field in fields(known[0])}
        )
    if isinstance(known[0], str):
        return ""
    if isinstance(known[0], bool):
        return all(known)
    return sum(known, Decimal(0) if isinstance(known[0], Decimal) else 0)


def lead(report: Report, row: Group | SessionType | TopSession) -> tuple[str, str]:
    """What ranks a row, and its share of the window's total: money, or tokens where no price at all is known."""
    if report.money.rank is None:
        return tokens(row.total_tokens), percent(_token_share(report, row))
    return usd(row.money.rank), percent(row.rank_share)


def _bar(report: Report, row: Group) -> float:
    return (_token_share(report, row) if report.money.rank is None else row.rank_share) or 0.0


def _token_share(report: Report, row: Group | SessionType | TopSession) -> float | None:
    total = report.tokens.total_tokens
    return row.total_tokens / total if total else None


def categories(report: Report, *, limit: int | None = None) -> Table:
    """Cost by category."""
    return _groups(report, report.categories, first="category", name=CATEGORIES.name, limit=limit)


def agents(report: Report, *, limit: int | None = None) -> Table:
    """Cost by agent."""
    return _groups(report, report.agents, first="agent", name=AGENTS.name, limit=limit)


def _groups(report: Report, groups: Sequence[Group], *, first: str, name: str, limit: int | None) -> Table:
    rank = words.rank_word(report)
    other = _other_money(report)
    shown = largest(groups, limit=limit)
    polls = any(group.empty_polls for group in groups)
    columns = [Column(title=first, numeric=False), Column(title=rank), Column(title="of total")]
    if report.trend.change is not None:
        columns.append(Column(title="change"))
    columns += [Column(title=title, compact=False) for title in (other, "sessions", "turns", "calls") if title]
    columns += [Column(title="failed", compact=False), Column(title="tokens", compact=False)]
    if polls:
        columns.append(Column(title="empty polls", compact=False))
    rows = []
    for group in shown:
        row = [group.name, *lead(report, group)]
        if report.trend.change is not None:
            row.append(signed_usd(group.change))
        if other:
            row.append(usd(_other(report, group.money)))
        row += [count(group.sessions), count(group.turns), count(group.calls), count(group.error_calls)]
        row.append(tokens(group.total_tokens))
        if polls:
            row.append(count(group.empty_polls) if group.empty_polls else "")
        rows.append(tuple(row))
    return Table(
        name=name,
        title="Where it went" if first == "category" else "By agent",
        question="Where did the money go?" if first == "category" else "Which agent spent it?",
        columns=tuple(columns),
        rows=tuple(rows),
        bars=tuple(_bar(report, group) for group in shown),
        query=report.queries[name],
    )


def session_types(report: Report, *, limit: int | None = None) -> Table:
    """Sessions by type and trigger."""
    rank = words.rank_word(report)
    shown = largest(report.session_types, limit=limit)
    return Table(
        name=SESSION_TYPES.name,
        title="Sessions",
        question="How many sessions of each type ran, and who started them?",
        columns=(
            Column(title="type", numeric=False),
            Column(title="who", numeric=False),
            Column(title="sessions"),
            Column(title=rank),
            Column(title="of total"),
            Column(title="turns", compact=False),
            Column(title="calls", compact=False),
            Column(title="tokens", compact=False),
        ),
        rows=tuple(
            (
                row.name,
                {"autonomous": "agent", "human": "person"}.get(row.trigger, row.trigger),
                count(row.sessions),
                *lead(report, row),
                count(row.turns),
                count(row.calls),
                tokens(row.total_tokens),
            )
            for row in shown
        ),
        query=report.queries[SESSION_TYPES.name],
    )


def token_split(report: Report, *, with_reasoning: bool = True) -> Table:
    """Tokens by kind. Reasoning tokens are part of the output, so their row has no share of its own."""
    used = report.tokens
    kinds = [
        ("input", used.input_tokens),
        ("cache read", used.cache_read_tokens),
        ("cache write", used.cache_write_tokens),
        ("output", used.output_tokens),
    ]
    shares = [number / used.total_tokens if used.total_tokens else 0.0 for _, number in kinds]
    rows = [(kind, tokens(number), percent(share)) for (kind, number), share in zip(kinds, shares, strict=True)]
    if used.reasoning_tokens and with_reasoning:
        rows.append(("reasoning in output", tokens(used.reasoning_tokens), ""))
    return Table(
        name=TOKENS.name,
        title="Tokens",
        question="What kind of tokens were they?",
        columns=(Column(title="kind", numeric=False), Column(title="tokens"), Column(title="of total")),
        rows=tuple(rows),
        bars=tuple(shares) if used.total_tokens else (),
        query=report.queries[TOKENS.name],
    )


def trend(report: Report, *, limit: int | None = None) -> Table:
    """Why money changed against the window before."""
    before = words.previous_name(report.window)
    return Table(
        name=TREND.name,
        title=f"Trend against {before}",
        question=f"What changed against {before}, and why?",
        columns=(
            Column(title="category", numeric=False),
            Column(title=words.rank_word(report)),
            Column(title=before),
            Column(title="change"),
            Column(title="by calls"),
            Column(title="by tokens a call"),
            Column(title="by price, model"),
            Column(title="calls", compact=False),
            Column(title=f"calls {before}", compact=False),
        ),
        rows=tuple(
            (
                row.category,
                usd(row.rank),
                usd(row.previous_rank),
                signed_usd(row.change),
                signed_usd(row.volume),
                signed_usd(row.tokens_per_call),
                signed_usd(row.price_mix),
                count(row.calls),
                count(row.previous_calls),
            )
            for row in largest(report.trend.rows, limit=limit)
        ),
        query=report.queries[TREND.name],
    )


def top_sessions(report: Report, *, limit: int | None = None) -> Table:
    """The most expensive sessions; no row for the others."""
    rank = words.rank_word(report)
    return Table(
        name=TOP_SESSIONS.name,
        title="Top sessions",
        question="Which sessions cost the most?",
        columns=(
            Column(title="#"),
            Column(title="session", numeric=False),
            Column(title="agent", numeric=False),
            Column(title="category", numeric=False),
            Column(title="model", numeric=False),
            Column(title=rank),
            Column(title="of total"),
            Column(title="calls", compact=False),
            Column(title="tokens", compact=False),
            Column(title="started", numeric=False, compact=False),
        ),
        rows=tuple(
            (
                str(row.position),
                words.session_name(report, row),
                row.agent,
                row.category,
                row.model,
                *lead(report, row),
                count(row.calls),
                tokens(row.total_tokens),
                words.moment(row.started_at, report.window),
            )
            for row in report.top_sessions[:limit]
        ),
        query=report.queries[TOP_SESSIONS.name],
    )


def models(report: Report, *, limit: int | None = None) -> Table:
    """Use of models. A model without a list price says so."""
    columns = [Column(title="model", numeric=False), Column(title="asked for as", numeric=False, compact=False)]
    columns += [Column(title=title, compact=False) for title in ("calls", "failed")]
    columns.append(Column(title="tokens"))
    if report.basis.cost != "list":
        columns.append(Column(title=words.cost_word(report.basis)))
    columns.append(Column(title="list price"))
    rows = []
    for row in largest(report.models, limit=limit):
        cells = [row.name, row.requested, count(row.calls), count(row.error_calls), tokens(row.total_tokens)]
        if report.basis.cost != "list":
            cells.append(usd(row.money.cost))
        cells.append(usd(row.money.list_price))
        rows.append(tuple(cells))
    return Table(
        name=MODELS.name,
        title="Models",
        question="Which models served the calls?",
        columns=tuple(columns),
        rows=tuple(rows),
        query=report.queries[MODELS.name],
    )


def answered(said: Answer, *, query: str = "") -> Table:
    """The table of a section, with a last row that says how many more there are."""
    columns = said.section.columns
    rows = list(said.cells)
    if said.left_out:
        rows.append((f"and {count(said.left_out)} more", *[""] * (len(columns) - 1)))
    return Table(
        name=said.section.name,
        title=said.section.title,
        question=said.section.question,
        columns=tuple(
            Column(title=c.title, numeric=c.kind not in ("name", "moment", "day", "flag"), compact=c.compact)
            for c in columns
        ),
        rows=tuple(rows),
        query=query,
    )


def sources(report: Report) -> Table:
    """Health of the sources."""
    return Table(
        name=SOURCES.name,
        title="Sources",
        question="Did every source deliver?",
        columns=(
            Column(title="source", numeric=False),
            Column(title="scope", numeric=False),
            Column(title="last load", numeric=False),
        ),
        rows=tuple((source.name, source.scope, words.source_state(source, report.window)) for source in report.sources),
        query=report.queries[SOURCES.name],
    )


def quarantine(report: Report) -> Table:
    """Inputs that could not be used."""
    return Table(
        name=QUARANTINE.name,
        title="Quarantine",
        question="What could not be read? (all loads until now)",
        columns=(
            Column(title="source", numeric=False),
            Column(title="reason", numeric=False),
            Column(title="inputs"),
        ),
        rows=tuple((item.source, item.reason, count(item.items)) for item in report.quarantine),
        query=report.queries[QUARANTINE.name],
    )


def _other_money(report: Report) -> str:
    """The heading of the money that does not rank; empty when both are the same."""
    if report.basis.cost == "list":
        return ""
    return "list price" if report.basis.rank == "cost" else words.cost_word(report.basis)


def _other(report: Report, money: Any) -> Decimal | None:
    return money.list_price if report.basis.rank == "cost" else money.cost
