"""Sections of the report that answer one question each: what a section is.

Belongs here: the types a section is declared with. Does not belong here: the sections themselves, which stand by
subject in gateway_sections.py (keys, tiers, fallbacks, pools, caches), agent_sections.py (cron, polls, steps,
recommendations), ticket_sections.py (estimates, work in progress) and matching_sections.py (both books), which there
are (registry.py), nor how they look (render.py).

To add one: declare a `Section` in the module of its subject, put it into that module's SECTIONS, and the module into
registry.py. Its query names the window as `$window_id`, gives the rows worst first and only rows that have something to
say: a section without rows is not shown. Its `findings` are sentences for the terminal, the message and the page, drawn
from the rows; a section may have none, then only the page shows it. Names from the data stand in a finding as
{placeholders} with the name in `names`, because each output escapes them in its own way; figures are written with
text.py, percentages say of what. At most one or two findings a section: the worst, with a number for the rest.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from agentops_pipelines.report.text import clean_name, count, factor, fit, percent, tokens, usd

Severity = Literal["severe", "mild", "note"]
"""Severe and mild findings need a person; a note is worth knowing."""

SEVERITIES: tuple[Severity, ...] = ("severe", "mild", "note")
"""Worst first."""

Kind = Literal[
    "name", "count", "tokens", "usd", "cap", "percent", "number", "factor", "loss", "seconds", "moment", "day", "flag"
]
"""How a cell is written: a name from the data, a figure in its unit (a cap is money that may be unlimited, a factor a
multiple of an estimate), a local time, a date, yes or nothing."""

NAME_CELLS = 48
"""What a sentence shows of a name."""

_ABSENT: dict[Kind, str] = {"cap": "none", "factor": "n/a"}
"""What stands for a missing value where nothing at all would mislead."""

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One sentence. `text` has {placeholders} for the names in `names`, which come from the data."""

    severity: Severity
    text: str
    names: Mapping[str, str] = field(default_factory=dict)

    def sentence(self, name: Callable[[str], str]) -> str:
        """The sentence with each name made harmless by `name`."""
        return self.text.format(**{key: name(fit(clean_name(value), NAME_CELLS)) for key, value in self.names.items()})


@dataclass(frozen=True, kw_only=True)
class SectionColumn:
    """A column of the page's table: the query's column, its heading, how its cells are written, and whether it also
    stands in a terminal's table."""

    name: str
    title: str
    kind: Kind = "count"
    compact: bool = True


@dataclass(frozen=True, kw_only=True)
class Section:
    """One question: the SELECT that answers it, its table, and the sentences that follow from its rows."""

    name: str
    """Also the id on the page; unique."""
    title: str
    question: str
    sql: str
    columns: tuple[SectionColumn, ...]
    findings: Callable[[Sequence[Row]], Iterable[Finding]] = lambda rows: ()
    note: str = ""
    """What the figures cover, under the table."""
    limit: int = 40
    """Rows of the page's table; the query has them all."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A section with what its query gave: cells as text, and findings."""

    section: Section
    cells: tuple[tuple[str, ...], ...]
    left_out: int
    """Rows beyond the section's limit."""
    findings: tuple[Finding, ...]

    @property
    def rank(self) -> int:
        """0 when something severe was found, 3 when nothing was."""
        return min((SEVERITIES.index(finding.severity) for finding in self.findings), default=len(SEVERITIES))


def answer(section: Section, rows: Sequence[Row], *, zone: ZoneInfo) -> Answer:
    """What a section has to say about the rows of its query."""
    shown = rows[: section.limit]
    return Answer(
        section=section,
        cells=tuple(tuple(cell(row[column.name], column.kind, zone) for column in section.columns) for row in shown),
        left_out=len(rows) - len(shown),
        findings=tuple(section.findings(rows)),
    )


def cell(value: Any, kind: Kind, zone: ZoneInfo) -> str:
    """One value as text; nothing for NULL, but for money, whose price is then unknown."""
    if kind == "usd":
        return usd(value)
    if value is None or value == "":
        return _ABSENT.get(kind, "")
    writers: dict[Kind, Callable[[Any], str]] = {
        "name": lambda text: clean_name(str(text)),
        "count": lambda number: count(int(number)),
        "tokens": lambda number: tokens(int(number)),
        "cap": usd,
        "percent": percent,
        "number": lambda number: f"{number:,.1f}",
        "factor": factor,
        "loss": lambda number: f"{number:.3f}",
        "seconds": _duration,
        "moment": lambda when: _local(when, zone).strftime("%a %-d %b %H:%M"),
        "day": lambda day: day.strftime("%a %-d %b"),
        "flag": lambda flag: "yes" if flag else "",
    }
    return writers[kind](value)


def _duration(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:,.1f} s"


def _local(when: datetime, zone: ZoneInfo) -> datetime:
    return when.replace(tzinfo=UTC).astimezone(zone)
