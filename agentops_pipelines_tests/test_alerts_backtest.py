"""Alerts on simulated months find what they are for and stay silent otherwise: a few seeds of the back-test."""

from collections.abc import Iterator

import duckdb
import pytest

from agentops_pipelines_tests.benchmarks.alerts_backtest import budgets, simulation, spend


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    with simulation(tmp_path_factory.mktemp("months")) as connection:
        yield connection


def test_unusual_days_are_found_and_ordinary_ones_are_not_told(con: duckdb.DuckDBPyConnection) -> None:
    days = spend(con, range(16), noise=0.25)
    assert days.spikes >= 10
    assert days.recall >= 0.7
    assert days.false_in_30_days <= 0.7


@pytest.mark.parametrize(("pace", "within"), [(2.0, 36), (4.0, 12)])
def test_money_that_goes_too_fast_is_told_within_hours(
    con: duckdb.DuckDBPyConnection, pace: float, within: int
) -> None:
    months = budgets(con, range(2), pace=pace, noise=0.5)
    assert months.told == months.months
    assert all(0 < hours <= within for hours in months.hours)


def test_a_budget_that_is_spent_as_planned_is_never_told(con: duckdb.DuckDBPyConnection) -> None:
    assert budgets(con, range(3), pace=1.0, noise=0.5).told == 0
