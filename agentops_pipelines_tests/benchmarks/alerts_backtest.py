"""How good alerts are: `python -m agentops_pipelines_tests.benchmarks.alerts_backtest [--seeds N]` on simulated months.

Days: twelve weeks whose weekends cost 40 % of a working day and whose level drifts, with lognormal noise; from the
ninth week on one day in twenty costs two to four times as much. Budgets: a month of hours of which the eight working
hours take half of the money, spent exactly as budgeted, or from some hour on two or four times as fast. Judged by the
real tables with the default thresholds. Printed: recall, false alarms in 30 days, and hours until a budget is told.
"""

import argparse
import math
import random
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from statistics import median

import duckdb
from rich.console import Console

from agentops_pipelines_tests.alert_world import empty_world, make, replace

FIRST = date(2026, 6, 1)
DAYS = 84
JUDGED_FROM = 56
SPIKES = 0.05
LEVEL_USD = 40.0

MONTH_HOURS = 28 * 24
STEP_FROM = 10 * 24
WORKING_HOURS = range(9, 17)

AS_OF = datetime(2026, 6, 1) + timedelta(days=DAYS) - timedelta(hours=1)
TOML = f"[budgets.fleet]\nusd = {LEVEL_USD * 7}\nperiod = 'week'\n"


@dataclass(frozen=True, kw_only=True)
class Days:
    """What became of the simulated days."""

    judged: int
    spikes: int
    found: int
    false: int

    @property
    def recall(self) -> float:
        """Found spikes of all."""
        return self.found / self.spikes

    @property
    def false_in_30_days(self) -> float:
        """Ordinary days that were told, in 30 days."""
        return 30 * self.false / self.judged


@dataclass(frozen=True, kw_only=True)
class Months:
    """What became of the months of one pace: how many were told, and how many hours after the pace changed."""

    pace: float
    months: int
    hours: tuple[int, ...]

    @property
    def told(self) -> int:
        """Months with an alert."""
        return len(self.hours)


@contextmanager
def simulation(home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The tables that are asked, to be filled again and again."""
    last = FIRST + timedelta(days=DAYS - 1)
    with empty_world(home, first=FIRST, last=last, toml=TOML, as_of=AS_OF) as con:
        con.execute("UPDATE core.windows SET rank_basis = 'cost'")
        yield con


def spend(con: duckdb.DuckDBPyConnection, seeds: Sequence[int], *, noise: float) -> Days:
    """Twelve weeks a seed: which of the last four weeks' spikes are unusual days, and which others."""
    counts = {(True, True): 0, (True, False): 0, (False, True): 0, (False, False): 0}
    for seed in seeds:
        dice = random.Random(seed)
        drift, spikes, costs = dice.uniform(-0.004, 0.004), set(), {}
        for number in range(DAYS):
            day = FIRST + timedelta(days=number)
            usd = LEVEL_USD * (0.4 if day.weekday() > 4 else 1.0) * math.exp(drift * number + dice.gauss(0, noise))
            if number >= JUDGED_FROM and dice.random() < SPIKES:
                spikes.add(day)
                usd *= dice.uniform(2, 4)
            costs[day] = usd
        replace(con, "mart.daily_cost", [{"local_date": day, "cost_usd": usd} for day, usd in costs.items()])
        make(con, "mart.daily_spend")
        found = con.execute("SELECT local_date, is_unusual FROM mart.daily_spend ORDER BY 1").fetchall()
        for day, is_unusual in found[JUDGED_FROM:]:
            counts[day in spikes, is_unusual] += 1
    return Days(
        judged=sum(counts.values()),
        spikes=counts[True, True] + counts[True, False],
        found=counts[True, True],
        false=counts[False, True],
    )


def budgets(con: duckdb.DuckDBPyConnection, seeds: Sequence[int], *, pace: float, noise: float) -> Months:
    """Four weeks a seed, spent as budgeted for ten days and `pace` times as fast from then on."""
    start = AS_OF - timedelta(hours=MONTH_HOURS - 1)
    hours = []
    for seed in seeds:
        dice = random.Random(seed)
        calls = []
        for number in range(-7 * 24, MONTH_HOURS):
            at = start + timedelta(hours=number)
            usd = LEVEL_USD / 24 * (1.5 if at.hour in WORKING_HOURS else 0.75) * math.exp(dice.gauss(0, noise))
            usd *= (pace if number >= STEP_FROM else 1) / math.exp(noise**2 / 2)  # the noise alone would cost more
            calls.append({"started_at": at, "lane": "fleet", "cost_usd": usd, "list_usd": 0.0})
        replace(con, "core.calls", calls)
        make(con, "mart.budget_pace")
        ((told_at,),) = con.execute("SELECT min(hour_at) FROM mart.budget_pace WHERE span IS NOT NULL").fetchall()
        if told_at is not None:
            hours.append(round((told_at - start) / timedelta(hours=1)) - STEP_FROM + 1)
    return Months(pace=pace, months=len(seeds), hours=tuple(hours))


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=60)
    seeds = range(parser.parse_args().seeds)
    console = Console(width=120)
    with tempfile.TemporaryDirectory() as scratch, simulation(Path(scratch)) as con:
        for noise in (0.15, 0.25, 0.4):
            days = spend(con, seeds, noise=noise)
            console.print(
                f"spend, noise {noise:.0%}: {days.found} of {days.spikes} spikes found (recall {days.recall:.2f}), "
                f"{days.false_in_30_days:.2f} false alarms in 30 days"
            )
        for pace in (1.0, 2.0, 4.0):
            months = budgets(con, seeds, pace=pace, noise=0.5)
            early = sum(hours <= 0 for hours in months.hours)
            delay = f", after {median(months.hours):.0f} hours (median)" if months.hours else ""
            console.print(
                f"budget, {pace:g} x: {months.told} of {months.months} months told{delay}, {early} before it changed"
            )


if __name__ == "__main__":
    main()
