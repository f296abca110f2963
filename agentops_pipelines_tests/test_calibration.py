"""Factors and back-test as SQL makes them, on simulated tickets that went through the real tables, against the
independent computation of calibration_reference.py: equal to 1e-9."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from agentops_pipelines.sources.batches import Batch
from agentops_pipelines_tests.calibration_reference import FACTORS, SHARES, Ticket, Trial, fit, score, simulate, trials
from agentops_pipelines_tests.mutants import survivors
from agentops_pipelines_tests.rows import batch, jira_batch, request
from agentops_pipelines_tests.test_tickets import move, ticket
from agentops_pipelines_tests.world import AS_OF, built, rows, tables

TABLES = (
    "core.method_factors",
    "core.calibration_trials",
    "mart.method_calibration",
    "mart.calibration_backtest",
)

SIMULATIONS: Mapping[str, tuple[int, int, int, Mapping[str, float], float]] = {
    # seed, tickets, min_tickets, true factors, noise
    "five methods, 20 tickets": (5, 20, 2, FACTORS, 0.5),
    "five methods, 120 tickets": (1, 120, 6, FACTORS, 0.5),
    "five methods, 400 tickets": (3, 400, 6, FACTORS, 0.5),
    "methods that do not differ": (4, 25, 6, dict.fromkeys(FACTORS, 1.2), 0.9),
    "one method": (5, 12, 6, {"docs": 2.0}, 0.4),
}
ONLY_WITH_FEW = "NOT a.log_p80 IS NULL"
"""The one condition that matters only where the configured number of tickets is below the 4 that P80 needs."""


def loads(tickets: Sequence[Ticket]) -> list[Batch]:
    """The tickets as Jira and LiteLLM tell of them: one request each. Two more teach nothing: one is open, the other
    was done in time but estimated at nothing."""
    first, last = min(one.started_at for one in tickets), max(one.started_at for one in tickets)
    issues = [
        ticket(n, "doing" if n == 999 else "done", story_points=float(n == 999), method="docs") for n in (998, 999)
    ]
    changes = [move(998, "1", last, "todo", "doing"), move(998, "2", first, "doing", "done")]
    requests = [request(f"r{n}", AS_OF, ticket_key=f"OPS-{n}") for n in (998, 999)]
    for number, one in enumerate(tickets, start=1):
        created = {"created_at": one.started_at, "updated_at": one.done_at}
        issues.append(ticket(number, "done", story_points=one.points, method=one.method, **created))
        changes.append(move(number, "1", one.started_at, "todo", "doing"))
        changes.append(move(number, "2", one.done_at, "doing", "done"))
        spent = {"prompt_tokens": one.tokens - 10, "total_tokens": one.tokens, "ticket_key": f"OPS-{number}"}
        requests.append(request(f"r{number}", one.started_at, **spent))
    return [batch(requests=requests), jira_batch(issues=issues, changes=changes)]


@pytest.mark.parametrize("name", SIMULATIONS)
def test_factors_and_backtest_equal_an_independent_computation(name: str, tmp_path: Path) -> None:
    seed, size, min_tickets, factors, noise = SIMULATIONS[name]
    shares = {method: SHARES[method] for method in factors}
    tickets = simulate(seed, size, until=AS_OF, factors=factors, shares=shares, noise=noise)
    toml = f"[tickets]\nmin_tickets = {min_tickets}\n"
    with built(tmp_path, *loads(tickets), toml=toml, only=TABLES) as con:
        _compare_factors(con, tickets, min_tickets=min_tickets)
        _compare_backtest(con, trials(tickets, min_tickets=min_tickets))
        if size == 20:
            assert ONLY_WITH_FEW not in survivors(con, tables()["core.calibration_trials"].sql)
        if size == 120:
            left = [condition for table in TABLES for condition in survivors(con, tables()[table].sql)]
            assert left == [ONLY_WITH_FEW]


def _compare_factors(con: Any, tickets: Sequence[Ticket], *, min_tickets: int) -> None:
    expected = fit([(one.method, one.ratio) for one in tickets])
    found = {row["method"]: row for row in rows(con, "SELECT * FROM mart.method_calibration")}
    assert {method: row["tickets"] for method, row in found.items()} == {
        **expected.counts,
        "all methods": len(tickets),
    }
    for method, row in found.items():
        p50, p80 = expected.predict(method)
        assert row["log_factor"] == pytest.approx(p50, abs=1e-9)
        if row["tickets"] < min_tickets:
            assert (row["p50_factor"], row["p80_factor"]) == (None, None)
        else:
            assert row["p50_factor"] == pytest.approx(math.exp(p50), rel=1e-9)
            assert row["p80_factor"] == pytest.approx(math.exp(p80), rel=1e-9)
    assert found["all methods"]["mean_log_ratio"] == pytest.approx(expected.mean, abs=1e-9)


def _compare_backtest(con: Any, expected: Sequence[Trial]) -> None:
    found = rows(con, "SELECT * FROM core.calibration_trials ORDER BY CAST(substr(issue_id, 2) AS INT)")
    assert len(found) == len(expected)
    for row, trial in zip(found, expected, strict=True):
        assert (row["done_at"], row["learned_from"]) == (trial.ticket.done_at, trial.learned_from)
        figures = [row["log_ratio"], row["log_p50"], row["log_p80"], row["one_log_p50"], row["one_log_p80"]]
        told = [trial.ticket.ratio, trial.p50, trial.p80, trial.one_p50, trial.one_p80]
        assert figures == pytest.approx(told, abs=1e-9)
    windows = rows(con, "SELECT window_id, ends_at FROM conf.windows")
    marts = {(row["window_id"], row["predictor"]): row for row in rows(con, "SELECT * FROM mart.calibration_backtest")}
    for window in windows:
        known = [one for one in expected if one.ticket.done_at < window["ends_at"]]
        misses = {
            "method factors": [(one.ticket.ratio - one.p50, one.ticket.ratio - one.p80) for one in known],
            "one factor": [(one.ticket.ratio - one.one_p50, one.ticket.ratio - one.one_p80) for one in known],
            "raw estimate": [(one.ticket.ratio, one.ticket.ratio) for one in known],
        }
        for predictor, pairs in misses.items():
            row = marts.pop((window["window_id"], predictor), None)
            if not pairs:
                assert row is None
                continue
            assert row is not None
            scored = score(pairs)
            assert (row["tickets"], row["under_p80"]) == (scored.tickets, scored.under)
            figures = [
                row["coverage80_low"],
                row["coverage80_high"],
                row["mae_log"],
                row["pinball80"],
                row["pinball50"],
            ]
            told = [scored.low, scored.high, scored.mae, scored.pinball80, scored.mae / 2]
            assert figures == pytest.approx(told, abs=1e-9)
    assert marts == {}
