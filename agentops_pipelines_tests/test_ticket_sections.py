"""What the report's sections about tickets say, and when they say nothing."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from agentops_pipelines.report.sections import Section
from agentops_pipelines.report.ticket_sections import BACKTEST, CAPACITY, ESTIMATES, WIP

Row = dict[str, Any]


def said(section: Section, rows: Sequence[Row]) -> list[str]:
    return [finding.sentence(str) for finding in section.findings(rows)]


def method(name: str, p50: float | None, **changes: object) -> Row:
    seen: Row = {"over_p80": None, "worst_ticket": None, "worst_ratio": None, "ticket_share": 0.62, "tickets": 5}
    return {"method": name, "p50_factor": p50, "p80_factor": None if p50 is None else p50 * 2, **seen, **changes}


def test_one_method_is_told_alone_and_all_methods_never() -> None:
    rows = [method("docs", 0.9, tickets=1), method("tdd", None), method("all methods", 1.4)]
    assert said(ESTIMATES, rows) == ["docs needs 0.9x of its estimate (1 ticket; 62 % of tokens have a ticket)"]
    assert said(ESTIMATES, rows[1:]) == []


def test_open_tickets_above_their_figure_are_counted_over_methods() -> None:
    rows = [
        method("docs", 0.9, over_p80=2, worst_ticket="OPS-1", worst_ratio=3.0, ticket_share=None),
        method("tdd", 1.2, over_p80=1, worst_ticket="OPS-2", worst_ratio=9.0),
    ]
    assert said(ESTIMATES, rows)[0] == (
        "OPS-1 is not done and used 3.0x its estimate; four of five by docs stay under 1.8x; 2 more open tickets above "
        "that figure"
    )


def wip(agent: str, key: str, action: str, **changes: object) -> Row:
    quiet: Row = {"is_stale": False, "quiet_days": 0, "polls": 0, "poll_tokens": 0, "poll_cost_usd": Decimal(0)}
    place: Row = {"agent_id": agent, "ticket_key": key, "action": action, "in_progress": 1, "why": None}
    return {**place, "status_kind": "in progress", **quiet, **changes}


def test_the_agent_with_most_in_progress_is_named() -> None:
    rows = [
        *(wip("ada", f"OPS-{n}", "resume" if n == 1 else "extra", in_progress=3) for n in (1, 2, 3)),
        *(wip("ben", f"OPS-{n}", "resume" if n == 4 else "extra", in_progress=2) for n in (4, 5)),
    ]
    assert said(WIP, rows) == [
        "ada has 3 tickets in progress: go on with OPS-1, put OPS-2 and 1 more back; 1 more agent with several"
    ]


def test_a_stale_ticket_that_no_poll_met_cost_nothing() -> None:
    rows = [wip("ada", "OPS-1", "waiting", is_stale=True, quiet_days=1, why="it waits for a review")]
    assert said(WIP, rows) == ["OPS-1 of ada is in progress, for 1 day without change or call: it waits for a review"]


def fits(p50: bool | None, p80: bool | None) -> Row:
    budget: Row = {"budget_tokens": 1_000_000, "left_tokens": -5, "ticket_share": 0.5}
    return {"agent_id": "ada", "fits_p50": p50, "fits_p80": p80, **budget}


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([fits(True, True)], []),
        ([fits(None, None), fits(False, False)], []),
        (
            [fits(False, False), fits(False, False)],
            [
                "ada has 0 of this week's 1.0 M tokens left: 0 of 2 open tickets fit safely "
                "(50 % of tokens have a ticket)"
            ],
        ),
    ],
    ids=["everything fits", "no factor yet", "nothing is left"],
)
def test_capacity_speaks_when_something_does_not_fit(rows: Sequence[Row], expected: list[str]) -> None:
    assert said(CAPACITY, rows) == expected


def predictions(verdict: str, previous: str) -> list[Row]:
    figures: Row = {"tickets": 20, "under_p80": 11, "coverage80": 0.55, "coverage80_low": 0.3, "coverage80_high": 0.7}
    told: Row = {"mae_log": 0.4, "ticket_share": None, "verdict": verdict, "previous_verdict": previous}
    return [{"predictor": name, **figures, **told} for name in ("method factors", "one factor", "raw estimate")]


@pytest.mark.parametrize(
    ("verdict", "previous", "expected"),
    [
        ("too few tickets", "none", None),
        ("holds", "holds", None),
        ("holds", "too few tickets", ("note", "the factors hold: if each")),
        ("too low", "holds", ("mild", "the factors are too low: more tickets exceed them than should: if each")),
        ("no better", "holds", ("mild", "the factors by method are no better than")),
    ],
)
def test_the_backtest_speaks_when_its_verdict_changes(
    verdict: str, previous: str, expected: tuple[str, str] | None
) -> None:
    found = list(BACKTEST.findings(predictions(verdict, previous)))
    if expected is None:
        assert found == []
        return
    (finding,) = found
    assert finding.severity == expected[0]
    assert finding.text.startswith(expected[1])
