"""How the cells and sentences of a section are written, whatever the section is about."""

from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from agentops_pipelines.report.registry import SECTIONS
from agentops_pipelines.report.sections import Finding, Kind, Section, SectionColumn, answer, cell

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (None, "usd", "no price"),
        (Decimal("1.5"), "usd", "$1.50"),
        (None, "cap", "none"),
        (Decimal("2"), "cap", "$2.00"),
        (None, "count", ""),
        (1234, "count", "1,234"),
        (18_200_000, "tokens", "18.2 M"),
        (0.345, "percent", "35 %"),
        (1.25, "seconds", "1.2 s"),
        (150.0, "seconds", "2.5 min"),
        (9_000.0, "seconds", "2.5 h"),
        (216_000.0, "seconds", "2.5 d"),
        (2.345, "number", "2.3"),
        (datetime(2026, 11, 23, 8), "moment", "Mon 23 Nov 09:00"),
        (date(2026, 11, 23), "day", "Mon 23 Nov"),
        (True, "flag", "yes"),
        (False, "flag", ""),
        ("", "name", ""),
        ("two\nlines", "name", "two lines"),
    ],
)
def test_a_cell_is_written_in_its_unit(value: object, kind: Kind, text: str) -> None:
    assert cell(value, kind, BERLIN) == text


def test_a_name_in_a_sentence_is_shortened_and_made_harmless_by_the_output() -> None:
    finding = Finding(severity="mild", text="{key} was refused", names={"key": "a" * 90})
    assert finding.sentence(lambda name: f"<{name}>") == f"<{'a' * 47}…> was refused"


def test_an_answer_says_how_many_rows_are_left_out_and_ranks_by_its_worst_finding() -> None:
    section = Section(
        name="x",
        title="X",
        question="?",
        sql="SELECT 1",
        columns=(SectionColumn(name="n", title="n"),),
        findings=lambda rows: [
            Finding(severity="note", text="a"),
            Finding(severity="severe", text=f"{len(rows)} rows"),
        ],
        limit=2,
    )
    said = answer(section, [{"n": n} for n in range(5)], zone=BERLIN)
    assert (said.cells, said.left_out, said.rank) == ((("0",), ("1",)), 3, 0)
    assert said.findings[1].text == "5 rows"


def test_names_of_sections_are_ids_of_their_own() -> None:
    names = [section.name for section in SECTIONS]
    assert len(set(names)) == len(names)
    assert all("$window_id" in section.sql for section in SECTIONS)
