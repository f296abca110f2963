"""Turns the frames of fetch.py into one `Report`: what every output shows, and nothing about how it looks.

Belongs here: the report's dataclasses and the conclusions drawn from the figures. Does not belong here: SQL
(fetch.py), wording and rounding (words.py, text.py), layout (tables.py, render.py).

Money is Decimal USD and stays so; None is an unknown price. Tokens are counts, shares 0 to 1, times naive UTC.
Names are already harmless on one line (text.clean_name); each output still escapes them for its own syntax.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo

import polars as pl

from agentops_pipelines.report.fetch import (
    AGENTS,
    CATEGORIES,
    DAILY,
    MODELS,
    QUARANTINE,
    QUERIES,
    REVISED,
    RUN,
    SESSION_TYPES,
    SOURCES,
    SUMMARY,
    TOP_SESSIONS,
    TREND,
    section_query,
)
from agentops_pipelines.report.registry import SECTIONS
from agentops_pipelines.report.sections import Answer, answer
from agentops_pipelines.report.text import clean_name, usd
from agentops_pipelines.settings import Thresholds

KNOWN_SOURCES = {"openclaw": "OpenClaw", "litellm": "LiteLLM"}
"""Sources that are missed when they are not there."""
_OTHER_SOURCES = {"jira": "Jira", "otel": "OpenTelemetry"}

NOTEWORTHY = Thresholds()
"""From here on a gap in the data needs attention; below it the coverage figures are enough."""

CostBasis = Literal["spend", "mixed", "estimate", "list"]
"""What cost_usd is: LiteLLM's spend, spend with estimates beside it, OpenClaw's estimate alone, or the list price."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """The reported window. `ends_at` is the first moment after it; dates are local and inclusive."""

    window_id: str
    kind: str
    label: str
    ends_at: datetime
    hours: float
    first_date: date
    last_date: date
    is_complete: bool
    has_data: bool
    previous_label: str | None
    previous_first_date: date
    zone: ZoneInfo


@dataclass(frozen=True, kw_only=True)
class Money:
    """One thing's cost: in the configured basis, at list prices, and the one of both that ranks in this report."""

    cost: Decimal | None
    list_price: Decimal | None
    rank: Decimal | None


@dataclass(frozen=True, kw_only=True)
class Basis:
    """Which money leads, and where it comes from."""

    rank: Literal["cost", "list"]
    cost: CostBasis
    configured: Literal["spend", "estimate", "list"]
    """`cost_basis` of the settings."""
    estimate_share: float | None
    """Share of calls whose cost is OpenClaw's estimate."""


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """Token counts by kind; `reasoning_tokens` are part of the output."""

    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    total_tokens: int


@dataclass(frozen=True, kw_only=True)
class Activity:
    """What happened, as counts, and how much of it people started."""

    sessions: int
    turns: int
    calls: int
    error_calls: int
    human_session_share: float | None
    human_rank_share: float | None


@dataclass(frozen=True, kw_only=True)
class Group:
    """One category or agent."""

    name: str
    sessions: int
    turns: int
    calls: int
    error_calls: int
    total_tokens: int
    money: Money
    rank_share: float | None
    change: Decimal
    """Against the window before; only to be shown when that has data."""
    empty_polls: int


@dataclass(frozen=True, kw_only=True)
class SessionType:
    """Sessions of one type with one trigger."""

    name: str
    trigger: str
    sessions: int
    turns: int
    calls: int
    total_tokens: int
    money: Money
    rank_share: float | None


@dataclass(frozen=True, kw_only=True)
class TrendRow:
    """Why one category's money changed: number of calls, tokens a call, price and model mix. The parts add up."""

    category: str
    calls: int
    previous_calls: int
    rank: Decimal
    previous_rank: Decimal
    change: Decimal
    volume: Decimal
    tokens_per_call: Decimal
    price_mix: Decimal


@dataclass(frozen=True, kw_only=True)
class Trend:
    """The window against the one before. Without data there, nothing is compared."""

    has_previous: bool
    previous: Decimal | None
    change: Decimal | None
    change_share: float | None
    """None when there is nothing to divide by."""
    volume: Decimal
    tokens_per_call: Decimal
    price_mix: Decimal
    rows: tuple[TrendRow, ...]


@dataclass(frozen=True, kw_only=True)
class Revision:
    """The week before was posted with another figure than it has by now: late data came. None is an unknown price."""

    posted: Decimal | None
    now: Decimal | None
    rank: Literal["cost", "list"]


@dataclass(frozen=True, kw_only=True)
class TopSession:
    """One of the most expensive sessions."""

    position: int
    name: str
    agent: str
    category: str
    model: str
    started_at: datetime | None
    turns: int
    calls: int
    total_tokens: int
    money: Money
    rank_share: float | None


@dataclass(frozen=True, kw_only=True)
class Model:
    """Use of one model as one requested group. An unpriced model has no list price."""

    name: str
    requested: str
    calls: int
    error_calls: int
    total_tokens: int
    money: Money
    is_priced: bool


@dataclass(frozen=True, kw_only=True)
class Source:
    """The last load of one source. `status` is 'ok', 'failed' or 'absent' (never loaded: not configured)."""

    name: str
    scope: str
    status: Literal["ok", "failed", "absent"]
    problem: str
    newest_data_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Quarantined:
    """Inputs of one source that could not be used, all of them until now, by reason."""

    source: str
    reason: str
    items: int


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """How much of the window the figures speak for. Shares are None when there is nothing to take a share of."""

    matched_calls: int
    matched_share: float | None
    unpriced_models: int
    unpriced_tokens: int
    unpriced_share: float | None
    unknown_calls: int
    unknown_tokens: int
    unknown_call_share: float | None
    unknown_token_share: float | None


AttentionKind = Literal["source_failed", "data_ends_early", "unmatched", "unknown", "unpriced", "quarantine"]


@dataclass(frozen=True, kw_only=True)
class Attention:
    """Something that a person should look at: what, whose, how many, and of what share (0 to 1)."""

    kind: AttentionKind
    subject: str = ""
    number: int = 0
    share: float | None = None
    problem: str = ""
    moment: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class DayCost:
    """Money of one category on one local date, in the basis that ranks in this report."""

    local_date: date
    category: str
    rank: Decimal


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that the outputs show. Lists are sorted, the largest first."""

    window: Window
    basis: Basis
    money: Money
    activity: Activity
    tokens: Tokens
    trend: Trend
    revision: Revision | None
    categories: tuple[Group, ...]
    agents: tuple[Group, ...]
    session_types: tuple[SessionType, ...]
    top_sessions: tuple[TopSession, ...]
    models: tuple[Model, ...]
    daily: tuple[DayCost, ...]
    sources: tuple[Source, ...]
    quarantine: tuple[Quarantined, ...]
    coverage: Coverage
    attention: tuple[Attention, ...]
    answers: tuple[Answer, ...]
    """Sections that have something to say, the worst first."""
    data_until: datetime | None
    queries: Mapping[str, str]
    """The SQL behind each section, ready to paste into `agentops sql`."""


def analyse(frames: Mapping[str, pl.DataFrame]) -> Report:
    """The report of the one window that the frames were fetched for."""
    summary = frames[SUMMARY.name].row(0, named=True)
    run = frames[RUN.name].row(0, named=True)
    window = _window(summary, run)
    basis = _basis(summary, run)
    sources = _sources(frames[SOURCES.name])
    coverage = _coverage(summary)
    quarantine = tuple(
        Quarantined(source=_source_name(row["source"]), reason=clean_name(row["reason"]), items=row["items"])
        for row in frames[QUARANTINE.name].iter_rows(named=True)
    )
    models = tuple(_model(row, basis) for row in frames[MODELS.name].iter_rows(named=True))
    return Report(
        window=window,
        basis=basis,
        money=_money(summary, basis),
        activity=_activity(summary),
        tokens=Tokens(**{name: summary[name] or 0 for name in Tokens.__dataclass_fields__}),
        trend=_trend(summary, frames[TREND.name], basis),
        revision=_revision(frames),
        categories=tuple(
            _group(row, basis, name=clean_name(row["category"]))
            for row in frames[CATEGORIES.name].iter_rows(named=True)
        ),
        agents=_agents(frames[AGENTS.name], basis),
        session_types=tuple(_session_type(row, basis) for row in frames[SESSION_TYPES.name].iter_rows(named=True)),
        top_sessions=tuple(_top_session(row, basis) for row in frames[TOP_SESSIONS.name].iter_rows(named=True)),
        models=models,
        daily=_daily(frames[DAILY.name], basis),
        sources=sources,
        quarantine=quarantine,
        coverage=coverage,
        attention=tuple(_attention(window, sources, coverage, models, quarantine)),
        answers=_answers(frames, window),
        data_until=_data_until(sources),
        queries={query.name: query.shown(window.window_id) for query in (*QUERIES, *map(section_query, SECTIONS))},
    )


def _answers(frames: Mapping[str, pl.DataFrame], window: Window) -> tuple[Answer, ...]:
    """What each section says, worst first; one without rows says nothing."""
    answers = (
        answer(section, frames[section.name].to_dicts(), zone=window.zone)
        for section in SECTIONS
        if section.name in frames and frames[section.name].height
    )
    return tuple(sorted(answers, key=lambda said: said.rank))


def _window(summary: Mapping[str, Any], run: Mapping[str, Any]) -> Window:
    return Window(
        window_id=summary["window_id"],
        kind=summary["kind"],
        label=summary["label"],
        ends_at=summary["ends_at"],
        hours=summary["hours"],
        first_date=summary["first_date"],
        last_date=summary["last_date"],
        is_complete=summary["is_complete"],
        has_data=summary["has_data"],
        previous_label=summary["previous_label"],
        previous_first_date=summary["previous_first_date"] or summary["first_date"] - timedelta(days=7),
        zone=ZoneInfo(run["timezone"]),
    )


def _basis(summary: Mapping[str, Any], run: Mapping[str, Any]) -> Basis:
    calls, estimated = summary["calls"] or 0, summary["estimate_calls"] or 0
    cost: CostBasis = "spend"
    if run["cost_basis"] == "list":
        cost = "list"
    elif run["cost_basis"] == "estimate" or (not summary["litellm_calls"] and summary["openclaw_calls"]):
        cost = "estimate"
    elif estimated:
        cost = "mixed"
    return Basis(
        rank=summary["rank_basis"],
        cost=cost,
        configured=run["cost_basis"],
        estimate_share=_share(estimated, calls),
    )


def _revision(frames: Mapping[str, pl.DataFrame]) -> Revision | None:
    """None where nothing was posted, or where the figure that was shown is still the same."""
    if REVISED.name not in frames or not frames[REVISED.name].height:
        return None
    row = frames[REVISED.name].row(0, named=True)
    if usd(row["posted_usd"]) == usd(row["now_usd"]):
        return None
    return Revision(posted=row["posted_usd"], now=row["now_usd"], rank=row["rank_basis"])


def _money(row: Mapping[str, Any], basis: Basis) -> Money:
    """In the marts, rank_usd is zero where no price is known; here it stays unknown."""
    cost, list_price = row["cost_usd"], row["list_usd"]
    return Money(cost=cost, list_price=list_price, rank=cost if basis.rank == "cost" else list_price)


def _rank_share(row: Mapping[str, Any], basis: Basis) -> float | None:
    return None if _money(row, basis).rank is None else row["rank_share"]


def _activity(summary: Mapping[str, Any]) -> Activity:
    human, autonomous = summary["human_sessions"] or 0, summary["autonomous_sessions"] or 0
    human_rank, rank = summary["human_rank_usd"], summary["rank_usd"]
    return Activity(
        sessions=summary["sessions"] or 0,
        turns=summary["turns"] or 0,
        calls=summary["calls"] or 0,
        error_calls=summary["error_calls"] or 0,
        human_session_share=_share(human, human + autonomous),
        human_rank_share=None if human_rank is None else _share(human_rank, rank),
    )


def _group(row: Mapping[str, Any], basis: Basis, *, name: str) -> Group:
    return Group(
        name=name,
        sessions=row["sessions"],
        turns=row["turns"],
        calls=row["calls"],
        error_calls=row["error_calls"],
        total_tokens=row["total_tokens"],
        money=_money(row, basis),
        rank_share=_rank_share(row, basis),
        change=row["change_usd"],
        empty_polls=row.get("empty_polls") or 0,
    )


def _agents(frame: pl.DataFrame, basis: Basis) -> tuple[Group, ...]:
    """Agents by lane; where several rows have one lane, each says where it comes from."""
    rows = frame.to_dicts()
    return tuple(_group(row, basis, name=clean_name(_agent_name(row, rows))) for row in rows)


def _agent_name(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    same_lane = [other for other in rows if other["lane"] == row["lane"]]
    if len(same_lane) == 1:
        return row["lane"]
    if row["agent_id"] is None:
        return f"{row['lane']} (gateway)"
    known = [other for other in same_lane if other["agent_id"] is not None]
    return row["lane"] if len(known) == 1 else f"{row['lane']} ({row['host']})"


def _session_type(row: Mapping[str, Any], basis: Basis) -> SessionType:
    return SessionType(
        name=clean_name(row["session_type"]),
        trigger=row["trigger"] or "",
        sessions=row["sessions"],
        turns=row["turns"],
        calls=row["calls"],
        total_tokens=row["total_tokens"],
        money=_money(row, basis),
        rank_share=_rank_share(row, basis),
    )


def _trend(summary: Mapping[str, Any], frame: pl.DataFrame, basis: Basis) -> Trend:
    has_previous = bool(summary["previous_has_data"])
    # Money is compared only where both windows have a price: a model that got one is no change of cost.
    previous = summary["previous_list_usd" if basis.rank == "list" else "previous_cost_usd"]
    comparable = has_previous and previous is not None and _money(summary, basis).rank is not None
    rows = tuple(
        TrendRow(
            category=clean_name(row["category"]),
            calls=row["calls"],
            previous_calls=row["previous_calls"],
            rank=row["rank_usd"],
            previous_rank=row["previous_rank_usd"],
            change=row["change_usd"],
            volume=row["volume_usd"],
            tokens_per_call=row["tokens_per_call_usd"],
            price_mix=row["price_mix_usd"],
        )
        for row in frame.iter_rows(named=True)
    )
    return Trend(
        has_previous=has_previous,
        previous=previous if has_previous else None,
        change=summary["change_usd"] if comparable else None,
        change_share=summary["change_share"] if comparable else None,
        volume=_sum(row.volume for row in rows),
        tokens_per_call=_sum(row.tokens_per_call for row in rows),
        price_mix=_sum(row.price_mix for row in rows),
        rows=rows if comparable else (),
    )


def _top_session(row: Mapping[str, Any], basis: Basis) -> TopSession:
    key = row["session_key"] or ""
    own_part = key.split(":", 2)[2] if key.startswith("agent:") and key.count(":") > 1 else key
    return TopSession(
        position=row["position"],
        name=clean_name(row["label"] or own_part or row["session_id"]),
        agent=clean_name(row["lane"] or row["agent_id"]),
        category=clean_name(row["category"]),
        model=clean_name(row["model"]),
        started_at=row["started_at"],
        turns=row["turns"],
        calls=row["calls"],
        total_tokens=row["total_tokens"],
        money=_money(row, basis),
        rank_share=_rank_share(row, basis),
    )


def _model(row: Mapping[str, Any], basis: Basis) -> Model:
    return Model(
        name=clean_name(_model_name(row["provider"] or "", row["model"] or "")),
        requested=clean_name(row["model_group_requested"]) if row["model_group_requested"] else "",
        calls=row["calls"],
        error_calls=row["error_calls"],
        total_tokens=row["total_tokens"],
        money=_money(row, basis),
        is_priced=row["is_priced"],
    )


def _model_name(provider: str, model: str) -> str:
    """`openai/gpt-5.4`; some names carry their provider already."""
    return model if not provider or model.startswith(f"{provider}/") else f"{provider}/{model}"


def _daily(frame: pl.DataFrame, basis: Basis) -> tuple[DayCost, ...]:
    column = "cost_usd" if basis.rank == "cost" else "list_usd"
    return tuple(
        DayCost(local_date=row["local_date"], category=clean_name(row["category"]), rank=row[column])
        for row in frame.filter(pl.col(column).is_not_null()).iter_rows(named=True)
    )


def _sources(frame: pl.DataFrame) -> tuple[Source, ...]:
    loaded = [
        Source(
            name=_source_name(row["source"]),
            scope=clean_name(row["scope"]),
            status="ok" if row["status"] == "ok" else "failed",
            problem=clean_name(row["problem"]) if row["problem"] else "",
            newest_data_at=row["newest_data_at"],
        )
        for row in frame.iter_rows(named=True)
    ]
    names = {source.name for source in loaded}
    absent = [
        Source(name=name, scope="", status="absent", problem="", newest_data_at=None)
        for name in KNOWN_SOURCES.values()
        if name not in names
    ]
    severity = {"failed": 0, "ok": 1, "absent": 2}
    return tuple(sorted((*loaded, *absent), key=lambda source: severity[source.status]))


def _coverage(summary: Mapping[str, Any]) -> Coverage:
    number = {
        name: summary[name] or 0
        for name in (
            "matched_calls",
            "unpriced_models",
            "unpriced_tokens",
            "unknown_calls",
            "unknown_tokens",
        )
    }
    return Coverage(
        **number,
        matched_share=summary["matched_share"],
        unpriced_share=_share(number["unpriced_tokens"], summary["total_tokens"]),
        unknown_call_share=_share(number["unknown_calls"], summary["calls"]),
        unknown_token_share=_share(number["unknown_tokens"], summary["total_tokens"]),
    )


def _attention(
    window: Window,
    sources: Iterable[Source],
    coverage: Coverage,
    models: Iterable[Model],
    quarantine: Iterable[Quarantined],
) -> Iterable[Attention]:
    """What needs a person, the worst first: missing data, then data that could not be understood."""
    sources = tuple(sources)
    for source in sources:
        if source.status == "failed":
            yield Attention(kind="source_failed", subject=f"{source.name} {source.scope}", problem=source.problem)
    for source in sources:
        newest = source.newest_data_at
        stale = timedelta(hours=NOTEWORTHY.stale_hours)
        if source.status == "ok" and newest is not None and newest < window.ends_at - stale:
            yield Attention(kind="data_ends_early", subject=f"{source.name} {source.scope}", moment=newest)
    if coverage.matched_share is not None and 1 - coverage.matched_share > NOTEWORTHY.unmatched_calls:
        yield Attention(kind="unmatched", share=1 - coverage.matched_share)
    if (coverage.unknown_call_share or 0) > NOTEWORTHY.unknown_calls or (
        coverage.unknown_token_share or 0
    ) > NOTEWORTHY.unknown_tokens:
        yield Attention(kind="unknown", number=coverage.unknown_calls, share=coverage.unknown_call_share)
    if (coverage.unpriced_share or 0) > NOTEWORTHY.unpriced_tokens:
        unpriced = max((m for m in models if not m.is_priced), key=lambda m: m.total_tokens, default=None)
        yield Attention(
            kind="unpriced",
            subject=unpriced.name if unpriced else "",
            number=coverage.unpriced_models,
            share=coverage.unpriced_share,
        )
    by_source: dict[str, list[Quarantined]] = {}
    for item in quarantine:
        by_source.setdefault(item.source, []).append(item)
    for source_name, items in by_source.items():
        total = sum(item.items for item in items)
        yield Attention(kind="quarantine", subject=source_name, number=total, problem=items[0].reason)


def _data_until(sources: Iterable[Source]) -> datetime | None:
    """Up to when every source has said something: the figures are complete no further than that."""
    newest: dict[str, datetime] = {}
    for source in sources:
        if source.newest_data_at is not None:
            newest[source.name] = max(newest.get(source.name, source.newest_data_at), source.newest_data_at)
    return min(newest.values(), default=None)


def _source_name(source: str) -> str:
    return (KNOWN_SOURCES | _OTHER_SOURCES).get(source, clean_name(source))


def _share(part: int | Decimal, whole: int | Decimal | None) -> float | None:
    return float(part / Decimal(whole)) if whole else None


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal(0))
