"""Report sections about tickets: estimates against actual, work in progress, what fits into the week, the back-test.

Belongs here: their queries, tables and sentences. What a section is: sections.py. Wording of figures: text.py.

Estimates, work in progress and budgets are those of now: reports of weeks that ended over 7 days ago leave them out.
Every sentence about tokens of tickets says for how much of the work a ticket is known.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from agentops_pipelines.report.sections import Finding, Row, Section, SectionColumn
from agentops_pipelines.report.text import count, factor, many, percent, tokens, usd

ALL_METHODS = "all methods"


def _estimates(rows: Sequence[Row]) -> Iterable[Finding]:
    over = sum(row["over_p80"] or 0 for row in rows)
    if over:
        worst = max(rows, key=lambda row: (row["over_p80"] or 0, row["method"]))
        more = f"; {many(over - 1, 'more open ticket')} above that figure" if over > 1 else ""
        yield Finding(
            severity="mild",
            text=f"{{ticket}} is not done and used {factor(worst['worst_ratio'])} its estimate; four of five by "
            f"{{method}} stay under {factor(worst['p80_factor'])}{more}",
            names={"ticket": worst["worst_ticket"], "method": worst["method"]},
        )
    known = sorted(
        (row for row in rows if row["p50_factor"] is not None and row["method"] != ALL_METHODS),
        key=lambda row: (row["p50_factor"], row["method"]),
    )
    if not known:
        return
    low, high = known[0], known[-1]
    said = f"{{low}} needs {factor(low['p50_factor'])} of its estimate"
    finished = low["tickets"]
    if low is not high:
        said += f", {{high}} {factor(high['p50_factor'])}"
        finished += high["tickets"]
    yield Finding(
        severity="note",
        text=f"{said} ({many(finished, 'ticket')}; {_coverage(low)})",
        names={"low": low["method"], "high": high["method"]},
    )


def _coverage(row: Row) -> str:
    return f"{percent(row['ticket_share'] or 0.0)} of tokens have a ticket"


def _wip(rows: Sequence[Row]) -> Iterable[Finding]:
    agents = {row["agent_id"]: row["in_progress"] for row in rows if row["action"] == "extra"}
    if agents:
        agent = max(agents, key=lambda name: (agents[name], name))
        resume = next(row for row in rows if row["agent_id"] == agent and row["action"] == "resume")
        extras = [row for row in rows if row["agent_id"] == agent and row["action"] == "extra"]
        others = f" and {count(len(extras) - 1)} more" if len(extras) > 1 else ""
        also = f"; {many(len(agents) - 1, 'more agent')} with several" if len(agents) > 1 else ""
        yield Finding(
            severity="mild",
            text=f"{{agent}} has {count(agents[agent])} tickets in progress: go on with {{resume}}, put {{extra}}"
            f"{others} back{also}",
            names={"agent": agent, "resume": resume["ticket_key"], "extra": extras[0]["ticket_key"]},
        )
    stale = [row for row in rows if row["is_stale"]]
    if stale:
        worst = max(stale, key=lambda row: (row["poll_tokens"], row["quiet_days"], row["ticket_key"]))
        met = (
            f"; {many(worst['polls'], 'poll')} met it since, {tokens(worst['poll_tokens'])} tokens, "
            f"{usd(worst['poll_cost_usd'])}"
            if worst["polls"]
            else ""
        )
        more = f"; {many(len(stale) - 1, 'more stale ticket')}" if len(stale) > 1 else ""
        yield Finding(
            severity="mild",
            text=f"{{ticket}} of {{agent}} is {worst['status_kind']}, for {many(worst['quiet_days'], 'day')} without "
            f"change or call: {worst['why']}{met}{more}",
            names={"ticket": worst["ticket_key"], "agent": worst["agent_id"]},
        )


def _capacity(rows: Sequence[Row]) -> Iterable[Finding]:
    by_agent: dict[str, list[Row]] = {}
    for row in rows:
        by_agent.setdefault(row["agent_id"], []).append(row)
    tight = {
        agent: mine
        for agent, mine in by_agent.items()
        if any(row["fits_p80"] is False for row in mine) and all(row["fits_p80"] is not None for row in mine)
    }
    if not tight:
        return
    agent = max(tight, key=lambda name: (sum(not row["fits_p80"] for row in tight[name]), name))
    mine = tight[agent]
    left = max(mine[0]["left_tokens"], 0)
    safe, likely = (sum(row[fits] for row in mine) for fits in ("fits_p80", "fits_p50"))
    luck = f", {count(likely)} with average luck" if likely > safe else ""
    yield Finding(
        severity="note",
        text=f"{{agent}} has {tokens(left)} of this week's {tokens(mine[0]['budget_tokens'])} tokens left: "
        f"{count(safe)} of {many(len(mine), 'open ticket')} fit{'s' if safe == 1 else ''} safely{luck} "
        f"({_coverage(mine[0])})",
        names={"agent": agent},
    )


def told_backtest(rows: Sequence[Row]) -> list[str]:
    """The back-test in sentences for somebody who knows nothing of statistics, the result first."""
    said = {row["predictor"]: row for row in rows}
    factors, one, raw = (said[name] for name in ("method factors", "one factor", "raw estimate"))
    result = (
        f"if each estimate had been multiplied by its method's factor, {count(factors['under_p80'])} of "
        f"{many(factors['tickets'], 'ticket')} would have stayed under the figure that 4 of 5 should stay under; "
        f"{count(raw['under_p80'])} stayed under the bare estimate"
    )
    chance = (
        f"that is {percent(factors['coverage80'])}; so few tickets may show anything from "
        f"{percent(factors['coverage80_low'])} to {percent(factors['coverage80_high'])} by chance"
    )
    off = (
        f"the middle figure was off by a factor of {math.exp(factors['mae_log']):.2f} on average (one factor for all "
        f"tickets: {math.exp(one['mae_log']):.2f}, the bare estimate: {math.exp(raw['mae_log']):.2f})"
    )
    share = f"the ticket is known for {percent(factors['ticket_share'] or 0.0)} of the tokens of the last 7 days"
    return [result, chance, off, share]


VERDICTS = {
    "too few tickets": "under 10 tickets: too few to judge the factors",
    "too low": "the factors are too low: more tickets exceed them than should",
    "too high": "the factors are too high: fewer tickets exceed them than should",
    "no better": "the factors by method are no better than one factor, or than the bare estimate",
    "holds": "the factors hold",
}


def _backtest(rows: Sequence[Row]) -> Iterable[Finding]:
    """Only when the verdict is another one than a window before."""
    factors = next(row for row in rows if row["predictor"] == "method factors")
    if factors["verdict"] in ("too few tickets", factors["previous_verdict"]):
        return
    yield Finding(
        severity="note" if factors["verdict"] == "holds" else "mild",
        text=f"{VERDICTS[factors['verdict']]}: {told_backtest(rows)[0]}",
    )


_RECENT = (
    "JOIN core.windows AS w ON w.window_id = $window_id\nJOIN conf.run AS r ON w.ends_at > r.as_of - INTERVAL 7 DAY"
)
_SHARE = (
    "(SELECT sum(token_share) FROM mart.ticket_coverage\n"
    "        WHERE window_id = $window_id AND attribution = 'attributed') AS ticket_share"
)
_ONLY_CHANGED = " AND tickets > previous_tickets"

ESTIMATES = Section(
    name="estimates",
    title="Estimates",
    question="How far off are the estimates of tickets, by method, and which open ones have gone too far?",
    sql=f"""
WITH begun AS (
  SELECT method, count(*) FILTER (WHERE is_over_p80) AS over_p80,
         arg_max(ticket_key, ratio / p80_tokens * estimated_tokens) AS worst_ticket,
         arg_max(ratio, ratio / p80_tokens * estimated_tokens) AS worst_ratio
  FROM mart.ticket_calibration
  WHERE exclusion = 'not done' AND ratio > 0
  GROUP BY method
)
SELECT m.method, m.tickets, m.p50_factor, m.p80_factor, m.average_estimated_tokens, m.average_actual_tokens,
       b.over_p80, b.worst_ticket, b.worst_ratio,
       {_SHARE}
FROM mart.method_calibration AS m
{_RECENT}
LEFT JOIN begun AS b ON b.method = m.method
ORDER BY coalesce(b.over_p80, 0) DESC, m.method = '{ALL_METHODS}', m.p50_factor DESC NULLS LAST, m.method
""",
    columns=(
        SectionColumn(name="method", title="method", kind="name"),
        SectionColumn(name="tickets", title="finished"),
        SectionColumn(name="p50_factor", title="half need", kind="factor"),
        SectionColumn(name="p80_factor", title="4 of 5 need", kind="factor"),
        SectionColumn(name="average_estimated_tokens", title="average estimate", kind="tokens", compact=False),
        SectionColumn(name="average_actual_tokens", title="average actual", kind="tokens", compact=False),
        SectionColumn(name="over_p80", title="open above"),
        SectionColumn(name="worst_ticket", title="furthest", kind="name"),
        SectionColumn(name="worst_ratio", title="times its estimate", kind="number"),
        SectionColumn(name="ticket_share", title="with a ticket", kind="percent", compact=False),
    ),
    findings=_estimates,
    note="Multiples of the estimate at the start of work. Methods with few tickets lean on the mean of all; below "
    "min_tickets they have no figure (n/a). Open above: not done and above that already. With a ticket: of all tokens "
    "of this window.",
)

WIP = Section(
    name="wip_audit",
    title="Work in progress",
    question="Which agent has several tickets in progress, and which ticket has gone stale?",
    sql=f"""
SELECT a.agent_id, a.ticket_key, a.status_kind, a.action, a.is_stale, a.quiet_days, a.in_progress, a.polls,
       a.poll_tokens, a.poll_cost_usd, a.last_call_at, a.reason,
       CASE a.action WHEN 'resume' THEN 'go on with it' WHEN 'extra' THEN 'put it back' END AS advice,
       CASE a.reason
         WHEN 'BLOCKED_LINK' THEN 'it waits for another ticket'
         WHEN 'REVIEW_WAITING' THEN 'it waits for a review'
         WHEN 'NO_ACTIVITY' THEN 'no work on it in this status'
         WHEN 'NEEDS_HUMAN' THEN 'its session went on with something else'
         WHEN 'APPEARS_COMPLETE' THEN 'its sessions have ended, it looks done'
       END AS why
FROM mart.wip_audit AS a
{_RECENT}
WHERE a.is_stale OR a.action IN ('resume', 'extra')
ORDER BY a.poll_tokens DESC, a.agent_id, a.action DESC, a.ticket_key
""",
    columns=(
        SectionColumn(name="agent_id", title="agent", kind="name"),
        SectionColumn(name="ticket_key", title="ticket", kind="name"),
        SectionColumn(name="status_kind", title="status", kind="name"),
        SectionColumn(name="advice", title="what to do", kind="name"),
        SectionColumn(name="why", title="stale because", kind="name"),
        SectionColumn(name="quiet_days", title="quiet days"),
        SectionColumn(name="last_call_at", title="last call", kind="moment"),
        SectionColumn(name="polls", title="polls met it"),
        SectionColumn(name="poll_tokens", title="their tokens", kind="tokens"),
        SectionColumn(name="poll_cost_usd", title="their cost", kind="usd"),
    ),
    findings=_wip,
    note="Of several, the one of the highest priority goes on, then the lowest key. In review, blocked, and worked on "
    "in the last hour do not count as several. Quiet: no change in Jira and no call. Nothing in Jira is ever changed.",
)

CAPACITY = Section(
    name="capacity",
    title="Capacity",
    question="Which open tickets fit into what is left of this week's token budgets?",
    sql=f"""
SELECT c.agent_id, c.place, c.ticket_key, c.status_kind, c.method, c.points * t.tokens_per_point AS estimated_tokens,
       c.used_tokens, c.p50_tokens, c.p80_tokens, c.budget_tokens, c.budget_tokens - c.used_this_week AS left_tokens,
       c.fits_p50, c.fits_p80,
       CASE WHEN c.fits_p80 THEN 'safely' WHEN c.fits_p50 THEN 'with average luck' WHEN NOT c.fits_p50 THEN 'no' END
         AS fits,
       {_SHARE}
FROM mart.capacity AS c
JOIN conf.tickets AS t ON true
{_RECENT}
ORDER BY c.agent_id, c.place
""",
    columns=(
        SectionColumn(name="agent_id", title="agent", kind="name"),
        SectionColumn(name="ticket_key", title="ticket", kind="name"),
        SectionColumn(name="status_kind", title="status", kind="name"),
        SectionColumn(name="method", title="method", kind="name"),
        SectionColumn(name="estimated_tokens", title="estimate", kind="tokens"),
        SectionColumn(name="used_tokens", title="used", kind="tokens"),
        SectionColumn(name="p50_tokens", title="likely needed", kind="tokens"),
        SectionColumn(name="p80_tokens", title="4 of 5 at most", kind="tokens"),
        SectionColumn(name="fits", title="fits", kind="name"),
        SectionColumn(name="left_tokens", title="left of budget", kind="tokens"),
        SectionColumn(name="ticket_share", title="with a ticket", kind="percent"),
    ),
    findings=_capacity,
    note="In the order of work: begun tickets first, then by priority and key; each with all before it. What is still "
    "needed is the estimate times the factor of its method, less what it used. Weeks are ISO weeks.",
)

BACKTEST = Section(
    name="calibration_backtest",
    title="Back-test of the factors",
    question="How well would these factors have predicted the finished tickets?",
    sql=f"""
SELECT predictor, tickets, under_p80, coverage80, coverage80_low, coverage80_high, exp(mae_log) AS off_by, pinball50,
       pinball80, mae_log, verdict, previous_tickets, previous_verdict,
       {_SHARE}
FROM mart.calibration_backtest
WHERE window_id = $window_id{_ONLY_CHANGED}
ORDER BY predictor = 'raw estimate', predictor = 'one factor'
""",
    columns=(
        SectionColumn(name="predictor", title="predicted by", kind="name"),
        SectionColumn(name="tickets", title="tickets"),
        SectionColumn(name="under_p80", title="under 4 of 5"),
        SectionColumn(name="coverage80", title="share", kind="percent"),
        SectionColumn(name="coverage80_low", title="at least", kind="percent"),
        SectionColumn(name="coverage80_high", title="at most", kind="percent"),
        SectionColumn(name="off_by", title="middle off by", kind="loss"),
        SectionColumn(name="pinball50", title="loss P50", kind="loss", compact=False),
        SectionColumn(name="pinball80", title="loss P80", kind="loss", compact=False),
        SectionColumn(name="verdict", title="verdict", kind="name"),
        SectionColumn(name="previous_verdict", title="a window before", kind="name", compact=False),
        SectionColumn(name="ticket_share", title="with a ticket", kind="percent", compact=False),
    ),
    findings=_backtest,
    note="Each ticket was predicted from those done before the day it began. 80 % should stay under the figure; at "
    "least and at most is what chance allows (95 %). Losses are pinball losses of logarithms: the smaller, the better.",
)

COVERAGE = Section(
    name="ticket_coverage",
    title="Work with a ticket",
    question="For how much of the work is the ticket known, and how?",
    sql="""
SELECT attribution, CASE evidence WHEN 'none' THEN '' ELSE evidence END AS evidence, calls, tickets, total_tokens,
       token_share, cost_usd
FROM mart.ticket_coverage
WHERE window_id = $window_id AND EXISTS (FROM core.tickets)
ORDER BY total_tokens DESC, attribution, evidence
""",
    columns=(
        SectionColumn(name="attribution", title="ticket", kind="name"),
        SectionColumn(name="evidence", title="known by", kind="name"),
        SectionColumn(name="calls", title="calls"),
        SectionColumn(name="tickets", title="tickets"),
        SectionColumn(name="total_tokens", title="tokens", kind="tokens"),
        SectionColumn(name="token_share", title="of all tokens", kind="percent"),
        SectionColumn(name="cost_usd", title="cost", kind="usd"),
    ),
    note="Ambiguous: several tickets by the same evidence. Neither this nor work without a ticket is spread over any.",
)

UNCHANGED_BACKTEST = replace(BACKTEST, sql=BACKTEST.sql.replace(_ONLY_CHANGED, ""))
"""The same when no ticket was finished since the window before."""

SECTIONS: tuple[Section, ...] = (ESTIMATES, WIP, CAPACITY, BACKTEST, COVERAGE)
