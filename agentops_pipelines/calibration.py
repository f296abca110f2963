"""What `agentops calibration` prints: how estimates of tickets compare with what the tickets used, and the back-test.

Belongs here: which tables it shows and the sentences around them. The figures are SQL (mart.method_calibration,
mart.ticket_calibration, mart.calibration_backtest), tables and sentences those of the report (ticket_sections.py).
"""

from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

import duckdb
from rich.console import Group, RenderableType
from rich.text import Text

from agentops_pipelines.report.render import terminal_section
from agentops_pipelines.report.sections import Row, Section, SectionColumn, answer
from agentops_pipelines.report.text import isolate
from agentops_pipelines.report.ticket_sections import COVERAGE, ESTIMATES, UNCHANGED_BACKTEST, VERDICTS, told_backtest

WINDOW = "trailing_7d"
"""Its end is now: all tickets that are done count."""

TICKETS = Section(
    name="tickets",
    title="Tickets",
    question="What was each ticket estimated at, and what did it use?",
    sql="""
SELECT ticket_key, status_kind, method, agent_id, estimated_tokens, actual_tokens, ratio,
       p50_factor * estimated_tokens AS p50_tokens, p80_tokens, is_over_p80, nullif(exclusion, 'not done') AS exclusion
FROM mart.ticket_calibration
WHERE exclusion IS DISTINCT FROM 'gone' AND $window_id IS NOT NULL
ORDER BY done_at DESC NULLS FIRST, is_over_p80 DESC, ratio DESC NULLS LAST, ticket_key
""",
    columns=(
        SectionColumn(name="ticket_key", title="ticket", kind="name"),
        SectionColumn(name="status_kind", title="status", kind="name"),
        SectionColumn(name="method", title="method", kind="name"),
        SectionColumn(name="estimated_tokens", title="estimate", kind="tokens"),
        SectionColumn(name="p50_tokens", title="half need", kind="tokens"),
        SectionColumn(name="p80_tokens", title="4 of 5 need", kind="tokens"),
        SectionColumn(name="actual_tokens", title="used", kind="tokens"),
        SectionColumn(name="is_over_p80", title="above", kind="flag"),
        SectionColumn(name="exclusion", title="not counted", kind="name"),
    ),
    note="Open ones first, then the newest. Above: it used more than four of five such tickets do. Not counted: why a "
    "finished ticket teaches nothing about estimates.",
    limit=30,
)

NO_TICKETS = (
    "No ticket has both an estimate and tokens yet. Connect Jira (AGENTOPS_JIRA_BASE_URL and [jira] projects, see the "
    "README), then `agentops run`; a ticket counts once it was in progress and is done."
)
NO_TRIALS = (
    "No ticket could be tested yet. A ticket is tested when it is done and enough others (min_tickets, and at least 4) "
    "were done before it began."
)


def calibration(con: duckdb.DuckDBPyConnection, *, zone: ZoneInfo) -> RenderableType:
    """Factors by method, every ticket, and how much of the work has a ticket, from the published file."""
    estimates = _rows(con, ESTIMATES)
    if not estimates:
        return Text(NO_TICKETS)
    said = answer(ESTIMATES, estimates, zone=zone)
    sentences = [finding.sentence(isolate) for finding in said.findings]
    tickets = answer(TICKETS, _rows(con, TICKETS), zone=zone)
    coverage = answer(COVERAGE, _rows(con, COVERAGE), zone=zone)
    return Group(*_lines(sentences), *map(terminal_section, (said, tickets, coverage)))


def backtest(con: duckdb.DuckDBPyConnection, *, zone: ZoneInfo) -> RenderableType:
    """How well the factors would have done so far, in words first."""
    rows = _rows(con, UNCHANGED_BACKTEST)
    if not rows:
        return Text(NO_TRIALS)
    verdict = VERDICTS[rows[0]["verdict"]]
    said = answer(UNCHANGED_BACKTEST, rows, zone=zone)
    return Group(Text(_sentence(verdict), style="bold"), *_lines(told_backtest(rows)), terminal_section(said))


def _rows(con: duckdb.DuckDBPyConnection, section: Section) -> Sequence[Row]:
    return con.query(section.sql, params={"window_id": WINDOW}).pl().to_dicts()


def _lines(sentences: Sequence[str]) -> Iterator[RenderableType]:
    for sentence in sentences:
        yield Text(_sentence(sentence))


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."
