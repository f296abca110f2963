"""Shows one `Report` three ways: terminal, HTML page, Discord message.

Belongs here: layout, and the escaping that each output needs. Does not belong here: figures (analyse.py), sentences
(words.py), cells (tables.py), the chart (chart.py).

Every output is bounded by construction: rows are left out (and added up in a last row), names are shortened, nothing
relies on the other side to cut. Names from the data stand escaped in HTML, and only inside code in Discord, where they
can neither ping nor link nor break out.
"""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

from agentops_pipelines.report import tables, words
from agentops_pipelines.report.alert_words import Alert, alert_words
from agentops_pipelines.report.analyse import Report
from agentops_pipelines.report.chart import chart_svg
from agentops_pipelines.report.sections import Answer
from agentops_pipelines.report.text import clean_name, fit, isolate, units

CONTENT_LIMIT = 2000
DESCRIPTION_LIMIT = 4096
FIELD_NAME_LIMIT = 256
FIELD_VALUE_LIMIT = 1024
FOOTER_LIMIT = 2048
EMBED_LIMIT = 6000
"""What Discord accepts, in UTF-16 units."""

CODE_WIDTH = 32
"""Monospace cells that a phone shows without breaking the line."""

_NAME_MINIMUM, _GAP, _COLUMN_GAP = 8, 2, 4
_SIDE_BY_SIDE = 96
_TERMINAL_NEEDS, _TERMINAL_NOTES = 5, 4
_FIELD_NEEDS, _FIELD_SENTENCES = 5, 8
"""Sentences in one field of the message, as far as they fit it: what needs a person first."""
_ALERT_NAME = 120
"""Characters of a name, or of a reason, in an alert."""
_GREEN, _AMBER, _RED = 0x3BA55D, 0xE69F00, 0xD83C3E


def terminal_text(report: Report) -> RenderableType:
    """The report for a terminal: at most 60 lines at 100 columns, aligned without colour too."""
    parts: list[RenderableType] = [
        Text(words.title(report), style="bold"),
        _headline(report),
    ]
    if report.window.has_data:
        parts.append(Text(" · ".join(words.activity(report)), style="dim"))
    needs = words.needs(report, name=isolate)
    if needs:
        parts += [Text(), Text("Needs attention", style="bold"), *_needs_lines(needs)]
    if report.window.has_data:
        parts += _terminal_tables(report)
    elif report.trend.rows:
        parts.append(_trend_lines(report))
    notes = words.worth_knowing(report, name=isolate)
    if notes:
        parts += [Text(), Text("Worth knowing", style="bold"), *_note_lines(notes)]
    parts.append(Text())
    parts.append(Text(" · ".join(words.footer(report)), style="dim"))
    return Group(*parts)


def terminal_section(said: Answer) -> RenderableType:
    """One section for a terminal, with all that it has to say."""
    return _Lines(table=tables.answered(said).compact(), note=said.section.note)


def html_page(report: Report) -> str:
    """The report as one HTML file that asks for nothing else: light and dark, wide and narrow."""
    shown = [tables.categories(report), tables.agents(report), tables.trend(report), tables.session_types(report)]
    shown += [tables.token_split(report), tables.top_sessions(report), tables.models(report)]
    closing = [table for table in (tables.sources(report), tables.quarantine(report)) if table.rows]
    return (
        _templates()
        .get_template("report.html.j2")
        .render(
            report=report,
            words=words,
            main_tables=[table for table in shown if table.rows and report.window.has_data],
            trend_table=tables.trend(report) if report.trend.rows and not report.window.has_data else None,
            closing_tables=closing,
            attention=words.needs(report, name=isolate),
            answers=[
                (
                    tables.answered(said, query=report.queries[said.section.name]),
                    [(finding.sentence(isolate), finding.severity) for finding in said.findings],
                    said.section.note,
                )
                for said in report.answers
            ],
            coverage=words.coverage(report) if report.window.has_data else [],
            # The SVG writer escapes the names in it.
            wide_chart=Markup(chart_svg(report)),  # noqa: S704
            narrow_chart=Markup(chart_svg(report, narrow=True)),  # noqa: S704
            summary_query=report.queries["summary"],
            daily_query=report.queries["daily"],
        )
    )


def discord_content(report: Report) -> str:
    """The line above the embed: what a notification on a phone shows."""
    parts = [_plain(part) for part in words.headline(report)]
    return _cut(_discord().content(title=_plain(words.title(report)), parts=parts), CONTENT_LIMIT // 2)


def discord_embed(report: Report) -> dict[str, Any]:
    """The embed, within Discord's limits whatever the data says. The chart is attached on delivery."""
    colour = _GREEN if report.window.has_data else _AMBER
    needs = words.needs(report, name=_code)
    if needs:
        colour = _RED if any(severe for _, severe in needs) else _AMBER
    return {
        "description": _cut(_discord().description(report=report, words=words, plain=_plain), 600),
        "color": colour,
        "fields": [
            {"name": _cut(_plain(name), 100), "value": value.strip(), "inline": False}
            for name, value in _fields(report)
        ],
        "footer": {"text": _cut(_discord().footer(report=report, words=words), 500)},
    }


def discord_alerts(title: str, lines: Sequence[str]) -> str:
    """A message of alerts: our own title, then sentences that are made for Discord already (`alert_sentence`)."""
    room = CONTENT_LIMIT - units(title) - 100
    kept: list[str] = []
    for line in lines:
        room -= units(line) + 1
        if room < 0:
            break
        kept.append(line)
    more = len(lines) - len(kept)
    if more:
        kept.append(f"and {more} more: `agentops sql 'FROM mart.alerts'`")
    return "\n".join([f"**{_plain(title)}**", *kept])


def alert_sentence(alert: Alert) -> str:
    """One alert for Discord, its names as code and shortened."""
    return alert_words(
        alert,
        name=lambda name: _code(fit(clean_name(name), _ALERT_NAME)),
        plain=lambda text: _plain(clean_name(text)),
    )


def _fields(report: Report) -> Iterable[tuple[str, str]]:
    """At most six (name, value): needs and notes, categories, agents, sessions, tokens, top sessions."""
    macros = _discord()
    needs = [f"● {sentence}" for sentence, _ in words.needs(report, name=_code)]
    notes = [f"○ {sentence}" for sentence in words.worth_knowing(report, name=_code)]
    if needs or notes:
        lines = _fitting([*needs[:_FIELD_NEEDS], *notes])
        title = "Needs attention" if needs else "Worth knowing"
        yield title, macros.attention(lines=lines, more=len(needs) + len(notes) - len(lines))
    if not report.window.has_data:
        return
    rank = words.rank_word(report)
    for table in (tables.categories(report, limit=8), tables.agents(report, limit=6)):
        cells = zip(table.column(table.columns[0].title), table.column(rank), table.column("of total"), strict=True)
        note = words.empty_polls(report) if table.name == "categories" else ""
        yield f"{table.title} ({rank})", macros.table(lines=_code_lines(cells), note=note)
    sessions = tables.session_types(report, limit=8)
    if sessions.rows:
        cells = zip(sessions.column("type"), sessions.column("sessions"), strict=True)
        yield "Sessions", macros.table(lines=_code_lines(cells), note=words.human(report))
    yield (
        "Tokens",
        macros.table(
            lines=_code_lines(row[:2] for row in tables.token_split(report, with_reasoning=False).rows), note=""
        ),
    )
    if report.top_sessions:
        rows = [
            (
                f"{session.position} {session.agent} {words.session_name(report, session)}",
                tables.lead(report, session)[0],
            )
            for session in report.top_sessions[:5]
        ]
        yield f"Top sessions ({rank})", macros.table(lines=_code_lines(rows), note="")


def _fitting(sentences: Sequence[str]) -> list[str]:
    """The first sentences, as many as a field holds with the line that says how many more there are."""
    room = FIELD_VALUE_LIMIT - 64
    kept: list[str] = []
    for sentence in sentences[:_FIELD_SENTENCES]:
        room -= units(sentence) + 1
        if room < 0:
            break
        kept.append(sentence)
    return kept


def _code_lines(rows: Iterable[Sequence[str]]) -> list[str]:
    """Aligned lines, at most CODE_WIDTH cells: the first column gives way, figures never do."""
    cells = [[cell.replace("`", "'") for cell in row] for row in rows]
    widths = [max(cell_len(row[column]) for row in cells) for column in range(len(cells[0]))]
    widths[0] = min(widths[0], CODE_WIDTH - sum(widths[1:]) - 2 * len(widths[1:]))
    lines = []
    for name, *figures in cells:
        short = fit(name, widths[0])
        padding = " " * (widths[0] - cell_len(short))
        aligned = [f"{figure:>{width}}" for figure, width in zip(figures, widths[1:], strict=True)]
        lines.append("  ".join([isolate(short) + padding, *aligned]).rstrip())
    return lines


def _code(name: str) -> str:
    """A name as Discord code: nothing in it is markup, a mention or a link."""
    return f"`{isolate(name).replace('`', chr(39))}`"


def _plain(text: str) -> str:
    """Our own words for Discord: punctuation that could become markup is escaped."""
    return "".join(f"\\{char}" if char in "\\*_~|>[]`#@<" else char for char in text)


def _cut(text: str, limit: int) -> str:
    """At most `limit` UTF-16 units."""
    return fit(text.strip(), limit)


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(enabled_extensions=("html.j2",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _discord() -> Any:
    """The macros of the Discord template: plain text, made harmless before it goes in (see _code, _plain)."""
    return _templates().get_template("discord.j2").module


# Terminal


@dataclass(frozen=True, kw_only=True)
class _Lines:
    """A heading, a sentence, an aligned table, a sentence. Names give way where it is narrow, figures never do."""

    table: tables.Table
    lead: str = ""
    note: str = ""

    @property
    def width(self) -> int:
        """Cells that the block takes when nothing has to give way."""
        return max(sum(self._widths()) + _GAP * (len(self.table.columns) - 1), cell_len(self.note))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self.lines(options.max_width)

    def lines(self, width: int) -> list[Text]:
        """The block in at most `width` cells a line, as far as names can give way."""
        widths = self._widths()
        names = [index for index, column in enumerate(self.table.columns) if not column.numeric]
        while sum(widths) + _GAP * (len(widths) - 1) > width and any(widths[index] > _NAME_MINIMUM for index in names):
            widths[max(names, key=lambda index: widths[index])] -= 1
        rows = [self._line([column.title for column in self.table.columns], widths, is_header=True)]
        rows += [self._line(row, widths, is_header=False) for row in self.table.rows]
        rows = [Text(), Text(self.table.title, style="bold"), *self._sentence(self.lead, width), *rows]
        return [*rows, *self._sentence(self.note, width)]

    def _widths(self) -> list[int]:
        rows = [[column.title for column in self.table.columns], *self.table.rows]
        return [max(cell_len(row[index]) for row in rows) for index in range(len(self.table.columns))]

    def _line(self, cells: Sequence[str], widths: Sequence[int], *, is_header: bool) -> Text:
        line = Text()
        for index, (cell, width, column) in enumerate(zip(cells, widths, self.table.columns, strict=True)):
            short = cell if column.numeric else fit(cell, width)
            padding = " " * (width - cell_len(short))
            before, after = (padding, "") if column.numeric else ("", padding)
            line.append((" " * _GAP if index else "") + before)
            line.append(isolate(short), style="dim" if is_header else _cell_style(cell)).append(after)
        line.rstrip()
        return line

    def _sentence(self, sentence: str, width: int) -> list[Text]:
        return [Text(line, style="dim") for line in textwrap.wrap(sentence, width)]


@dataclass(frozen=True, kw_only=True)
class _SideBySide:
    """Two columns of blocks beside each other where the terminal is wide enough, else one after the other."""

    left: Sequence[_Lines]
    right: Sequence[_Lines]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if options.max_width < _SIDE_BY_SIDE:
            yield from (*self.left, *self.right)
            return
        space = options.max_width - _COLUMN_GAP
        right_width = max(min(max(block.width for block in self.right), space - space // 2), space // 3)
        left_width = min(max(block.width for block in self.left), space - right_width)
        right_width = space - left_width
        left = [line for block in self.left for line in block.lines(left_width)]
        right = [line for block in self.right for line in block.lines(right_width)]
        for index in range(max(len(left), len(right))):
            line = Text()  # of no style: the right side must not take that of a dim left side
            if index < len(left):
                line.append(left[index])
            if index < len(right) and right[index]:
                line.append(" " * (left_width + _COLUMN_GAP - line.cell_len)).append(right[index])
            yield line


def _terminal_tables(report: Report) -> Iterable[RenderableType]:
    yield _SideBySide(
        left=[_Lines(table=tables.categories(report, limit=6).compact(), note=words.empty_polls(report))],
        right=[_Lines(table=tables.agents(report, limit=6).compact())],
    )
    if report.trend.rows:  # categories show their change already; the page has the reasons of each
        yield Text("\n" + words.change_in_full(report), style="dim")
    yield _SideBySide(
        left=[_Lines(table=tables.session_types(report, limit=7).compact(), note=words.human(report))],
        right=[
            _Lines(table=tables.token_split(report, with_reasoning=False).compact()),
            _Lines(table=tables.models(report, limit=3).compact()),
        ],
    )
    if report.top_sessions:
        yield _Lines(table=tables.top_sessions(report, limit=5).compact())


def _trend_lines(report: Report) -> _Lines:
    return _Lines(table=tables.trend(report, limit=4).compact(), lead=words.change_in_full(report))


def _headline(report: Report) -> Text:
    text = Text()
    for index, part in enumerate(words.headline(report)):
        style = "bold cyan" if index == 0 else ""
        if part.startswith(("▲", "⚠")):
            style = "red"
        elif part.startswith("▼"):
            style = "green"
        text.append(" · " if index else "").append(part, style=style)
    return text


def _needs_lines(needs: Sequence[tuple[str, bool]]) -> Iterable[Text]:
    for sentence, severe in needs[:_TERMINAL_NEEDS]:
        yield Text("● ", style="red" if severe else "yellow").append(sentence, style="default")
    if len(needs) > _TERMINAL_NEEDS:
        yield Text(f"  and {len(needs) - _TERMINAL_NEEDS} more, on the page", style="dim")


def _note_lines(notes: Sequence[str]) -> Iterable[Text]:
    for sentence in notes[:_TERMINAL_NOTES]:
        yield Text("○ ", style="cyan").append(sentence, style="default")
    if len(notes) > _TERMINAL_NOTES:
        yield Text(f"  and {len(notes) - _TERMINAL_NOTES} more, on the page", style="dim")


def _cell_style(cell: str) -> str:
    if cell.startswith("+$"):
        return "red"
    return "green" if cell.startswith("-$") else ""
