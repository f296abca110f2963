"""The report's sentences: said once here, shown by every output.

Belongs here: wording. Does not belong here: figures (analyse.py), how one figure is written (text.py), markup.
A sentence that holds a name from the data takes `name`, the function by which an output makes names harmless.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal

from agentops_pipelines.report.analyse import (
    Attention,
    Basis,
    Coverage,
    Report,
    Revision,
    Source,
    TopSession,
    Trend,
    Window,
)
from agentops_pipelines.report.text import NO_PRICE, count, delta, fit, many, percent, signed_usd, tokens, usd

TITLE = "Agent costs"

LIST_BASIS = "at list prices; internal models cost $0"
"""Said wherever list prices lead, so that nobody takes them for a bill."""

_COST_WORDS = {"spend": "spend", "mixed": "spend", "estimate": "estimated", "list": "at list prices"}


def title(report: Report) -> str:
    """What the report is about."""
    return f"{TITLE}, {report.window.label}"


def headline(report: Report) -> list[str]:
    """The parts of the one line that says it all: money, change, coverage, and what is missing."""
    money = money_parts(report) if report.window.has_data else ["no model calls in this window"]
    return [*money, *circumstances(report)]


def circumstances(report: Report) -> list[str]:
    """The headline without its money: change, coverage, and what is missing."""
    window, coverage = report.window, report.coverage
    parts = [change(report)]
    if report.revision is not None:
        parts.append(revised(report.revision, report.window))
    if not window.is_complete:
        parts.append("week not over yet")
    if window.has_data and coverage.matched_share is not None:
        parts.append(f"{percent(coverage.matched_share)} of OpenClaw calls matched")
    failed = sorted({source.name for source in report.sources if source.status == "failed"})
    parts += [f"⚠\N{NO-BREAK SPACE}{name} could not be loaded" for name in failed]
    return parts


def money_parts(report: Report) -> list[str]:
    """The window's money, the one that ranks first."""
    money, basis = report.money, report.basis
    cost = f"{usd(money.cost)} {_COST_WORDS[basis.cost]}" if money.cost is not None else ""
    at_list = f"{usd(money.list_price)} at list prices" if money.list_price is not None else ""
    if basis.cost == "list":
        at_list = ""
    parts = [cost, at_list] if basis.rank == "cost" else [at_list, cost]
    known = [part for part in parts if part]
    return known or [f"{tokens(report.tokens.total_tokens)} tokens, {NO_PRICE} known for any of them"]


def money_tiles(report: Report) -> list[tuple[str, str]]:
    """The same money as (figure, what it is), for outputs that set figures apart."""
    return [(part.split(" ", 1)[0], part.split(" ", 1)[1]) for part in money_parts(report)]


def rank_word(report: Report) -> str:
    """The heading of what ranks: a kind of money, or tokens where no price at all is known."""
    if report.money.rank is None:
        return "tokens"
    return "list price" if report.basis.rank == "list" else cost_word(report.basis)


def cost_word(basis: Basis) -> str:
    """The heading of the configured cost."""
    return {"spend": "spend", "mixed": "spend", "estimate": "estimate", "list": "list price"}[basis.cost]


def previous_name(window: Window) -> str:
    """The window before, short: `week 46`."""
    return (window.previous_label or "the window before").split(" (")[0]


def no_previous(window: Window) -> str:
    """Said when there is nothing to compare with."""
    return f"no data for the {'week' if window.kind == 'iso_week' else '7 days'} before"


def change(report: Report) -> str:
    """The change against the window before, short. Never divides by nothing."""
    trend, before = report.trend, previous_name(report.window)
    if not trend.has_previous:
        return no_previous(report.window)
    if trend.change is None:
        return f"no price to compare with {before}"
    if trend.change_share is None:
        return f"{signed_usd(trend.change)} against {usd(trend.previous)} in {before}"
    return f"{delta(trend.change_share)} against {before}"


def revised(revision: Revision, window: Window) -> str:
    """That the week before costs something else by now than was posted: `week 46 revised $41.20 → $43.10`."""
    at_list = " at list prices" if revision.rank == "list" else ""
    return f"{previous_name(window)} revised {usd(revision.posted)} → {usd(revision.now)}{at_list}"


def change_amount(report: Report) -> str:
    """The change as an amount; empty when nothing is compared."""
    if report.trend.change is None:
        return ""
    return f"{signed_usd(report.trend.change)} against {usd(report.trend.previous)}"


def change_in_full(report: Report) -> str:
    """The change with its amount, and how much of it comes from calls, tokens a call, prices and models."""
    trend, before = report.trend, previous_name(report.window)
    if not trend.has_previous or trend.change is None:
        return change(report)
    relative = f"{delta(trend.change_share)}, " if trend.change_share is not None else ""
    sentence = f"{relative}{signed_usd(trend.change)} against {before} ({usd(trend.previous)})"
    reasons = ", ".join(_reasons(trend))
    return f"{sentence}: {reasons}" if reasons else sentence


def _reasons(trend: Trend) -> Iterator[str]:
    parts = (
        (trend.volume, "more calls", "fewer calls"),
        (trend.tokens_per_call, "more tokens a call", "fewer tokens a call"),
        (trend.price_mix, "dearer models or prices", "cheaper models or prices"),
    )
    for amount, up, down in sorted(parts, key=lambda part: -abs(part[0])):
        if abs(amount) >= Decimal("0.005"):
            yield f"{up if amount > 0 else down} {signed_usd(amount)}"


def activity(report: Report) -> list[str]:
    """What happened, in counts."""
    did = report.activity
    return [
        many(did.sessions, "session"),
        many(did.turns, "turn"),
        many(did.calls, "model call") + (f", {count(did.error_calls)} failed" if did.error_calls else ""),
        f"{tokens(report.tokens.total_tokens)} tokens",
    ]


def human(report: Report) -> str:
    """How much of the window people started, by sessions and by money; empty when nobody knows."""
    did = report.activity
    if did.human_session_share is None:
        return ""
    sessions = f"human {percent(did.human_session_share)} of sessions"
    if did.human_rank_share is None:
        return sessions
    return f"{sessions}, {percent(did.human_rank_share)} of {rank_word(report)}"


def basis(report: Report) -> str:
    """Which money this is and where it comes from."""
    cost, share = report.basis.cost, percent(report.basis.estimate_share)
    source = {
        "spend": "spend = LiteLLM",
        "mixed": f"spend = LiteLLM, OpenClaw's estimate where the gateway was not used ({share} of calls)",
        "estimate": "cost = OpenClaw's own estimate",
        "list": "cost = public list prices",
    }[cost]
    leads = report.basis.rank == "list" and report.money.list_price is not None
    return f"{LIST_BASIS}; {source}" if leads else source


def unpriced(coverage: Coverage) -> str:
    """Models without a list price and what they used; empty when all have one."""
    if not coverage.unpriced_models:
        return ""
    return f"{many(coverage.unpriced_models, 'model')} without a list price ({tokens(coverage.unpriced_tokens)} tokens)"


def footer(report: Report) -> list[str]:
    """What to know about the figures: basis, gaps, and up to when there is data."""
    parts = [basis(report)] if report.window.has_data else []
    parts += [unpriced(report.coverage), *notes(report)]
    if report.data_until is not None:
        parts.append(f"data until {moment(report.data_until, report.window)}")
    return [part for part in parts if part]


def notes(report: Report) -> Iterator[str]:
    """Circumstances that explain the figures without being a problem."""
    absent = {source.name for source in report.sources if source.status == "absent"}
    if "LiteLLM" in absent:
        yield "no LiteLLM source configured"
    if "OpenClaw" in absent:
        yield "no OpenClaw source configured"
    if report.window.kind == "iso_week" and report.window.hours != 168:
        yield f"the clocks changed: {report.window.hours:g} hours"


def attention(item: Attention, window: Window, *, name: Callable[[str], str]) -> str:
    """One thing that needs a person, as a sentence."""
    number, share = count(item.number), percent(item.share)
    subject, problem = name(fit(item.subject, 60)), name(fit(item.problem, 110))
    if item.kind == "source_failed":
        reason = f": {problem}" if item.problem else ""
        return f"{subject} could not be loaded, figures may be incomplete{reason}"
    if item.kind == "data_ends_early":
        return f"{subject} says nothing after {moment(item.moment, window)}"
    if item.kind == "unmatched":
        return f"{share} of OpenClaw calls have no LiteLLM row"
    if item.kind == "unknown":
        return f"{number} calls ({share} of calls) are of unknown kind"
    if item.kind == "unpriced":
        most = f", most by {subject}" if item.subject else ""
        return f"{share} of tokens have no list price{most}"
    return f"{many(item.number, 'input')} of {item.subject} not usable, most of all: {problem}"


def needs(report: Report, *, name: Callable[[str], str]) -> list[tuple[str, bool]]:
    """Everything that needs a person, as (sentence, is severe): severe ones first, data before what it says."""
    found = [(attention(item, report.window, name=name), is_severe(item)) for item in report.attention]
    found += [
        (finding.sentence(name), finding.severity == "severe")
        for said in report.answers
        for finding in said.findings
        if finding.severity != "note"
    ]
    return sorted(found, key=lambda item: not item[1])


def worth_knowing(report: Report, *, name: Callable[[str], str]) -> list[str]:
    """What the sections found that needs nobody."""
    notes = [finding for said in report.answers for finding in said.findings if finding.severity == "note"]
    return [finding.sentence(name) for finding in notes]


def is_severe(item: Attention) -> bool:
    """Whether the figures themselves are in doubt."""
    return item.kind in ("source_failed", "data_ends_early")


def source_state(source: Source, window: Window) -> str:
    """How the last load of one source went."""
    if source.status == "absent":
        return "not configured"
    if source.status == "failed":
        return f"failed: {source.problem}" if source.problem else "failed"
    return "loaded" if source.newest_data_at is None else f"data until {moment(source.newest_data_at, window)}"


def coverage(report: Report) -> list[tuple[str, str]]:
    """How much the figures speak for, as (what, how much) pairs; nothing that has nothing to say."""
    have = report.coverage
    pairs = []
    if have.matched_share is not None:
        pairs.append(("OpenClaw calls matched", f"{percent(have.matched_share)} ({count(have.matched_calls)} calls)"))
    if have.unknown_calls:
        pairs.append(("Calls of unknown kind", f"{count(have.unknown_calls)} ({percent(have.unknown_call_share)})"))
    if have.unpriced_models:
        pairs.append(("Tokens without list price", f"{tokens(have.unpriced_tokens)} ({percent(have.unpriced_share)})"))
    if report.basis.cost == "mixed":
        pairs.append(("Calls costed by estimate", percent(report.basis.estimate_share)))
    if report.activity.error_calls:
        failed = report.activity.error_calls / report.activity.calls
        pairs.append(("Failed calls", f"{count(report.activity.error_calls)} ({percent(failed)})"))
    return pairs


def empty_polls(report: Report) -> str:
    """How many turns only found that there was nothing to do; empty when none is known."""
    empty, turns = sum(group.empty_polls for group in report.categories), report.activity.turns
    return f"{count(empty)} of {count(turns)} turns found nothing to do ({percent(empty / turns)})" if empty else ""


def session_name(report: Report, session: TopSession) -> str:
    """A session's name, with the day it began where others of the agent have the same one (a key outlives sessions)."""
    same = [other for other in report.top_sessions if (other.agent, other.name) == (session.agent, session.name)]
    if len(same) == 1 or session.started_at is None:
        return session.name
    return f"{fit(session.name, 24)}, {_day(_local(session.started_at, report.window))}"


def moment(when: datetime | None, window: Window) -> str:
    """A time in the report's zone: `Mon 23 Nov 07:55 UTC`."""
    if when is None:
        return ""
    local = _local(when, window)
    return f"{_day(local)} {local:%H:%M %Z}"


def _local(when: datetime, window: Window) -> datetime:
    return when.replace(tzinfo=UTC).astimezone(window.zone)


def _day(day: date) -> str:
    return f"{day:%a} {day.day} {day:%b}"


def chart_title(report: Report) -> str:
    """What the bars are."""
    money = "list price" if report.basis.rank == "list" else cost_word(report.basis)
    return f"{money.capitalize()} per day by category"


def chart_heading(report: Report) -> str:
    """What the bars are, and of which days: `Spend per day by category, 9 Nov to 22 Nov`."""
    first, last = report.window.previous_first_date, report.window.last_date
    return f"{chart_title(report)}, {first.day} {first:%b} to {last.day} {last:%b}"


def chart_alt(report: Report) -> str:
    """The chart in words."""
    days: dict[date, Decimal] = {}
    for day in report.daily:
        days[day.local_date] = days.get(day.local_date, Decimal(0)) + day.rank
    what = chart_heading(report)
    if not any(days.values()):
        return f"{what}: nothing to show."
    top = max(days, key=lambda day: days[day])
    highest = f"{_day(top)} with {usd(days[top])}"
    return f"{what}. Highest: {highest}. {title(report)}: {change_in_full(report)}."
