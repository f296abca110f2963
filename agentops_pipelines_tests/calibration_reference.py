"""Estimates and what they are multiplied with, worked out by the textbook and without the product: a simulation of
tickets with known factors, and the computation that the SQL tables must agree with.

Belongs here: plain Python that imports nothing of agentops_pipelines. A ratio is always the logarithm of actual to
estimated tokens.
"""

import math
import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

FACTORS: Mapping[str, float] = {"docs": 0.9, "tdd": 1.3, "plan": 1.6, "debug": 2.1, "spike": 3.5}
"""method -> true factor: what half of its tickets stay under, as a multiple of the estimate."""
SHARES: Mapping[str, float] = {"docs": 0.4, "tdd": 0.25, "plan": 0.2, "debug": 0.1, "spike": 0.05}
"""method -> share of all tickets."""
NOISE = 0.5
"""Standard deviation of ratios within a method."""

Pair = tuple[str, float]
"""method and ratio of a finished ticket."""


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """A finished ticket."""

    method: str
    points: float
    tokens: int
    started_at: datetime
    done_at: datetime

    @property
    def ratio(self) -> float:
        """Logarithm of actual to estimated tokens; a point is 1,000."""
        return math.log(self.tokens / (self.points * 1_000))


def simulate(
    seed: int,
    size: int,
    *,
    until: datetime,
    factors: Mapping[str, float] = FACTORS,
    shares: Mapping[str, float] = SHARES,
    noise: float = NOISE,
) -> list[Ticket]:
    """So many tickets in the order of their start, a few begun on a day, each done in one to nine days."""
    dice = random.Random(seed)
    methods = dice.choices(list(factors), weights=[shares[method] for method in factors], k=size)
    tickets = []
    for number, method in enumerate(methods):
        points = dice.choice((1.0, 2.0, 3.0, 5.0, 8.0))
        tokens = round(points * 1_000 * factors[method] * math.exp(dice.gauss(0, noise)))
        started_at = until - timedelta(days=10 + (size - number) // 4, hours=dice.randrange(12))
        done_at = started_at + timedelta(hours=dice.randrange(24, 9 * 24))
        tickets.append(Ticket(method=method, points=points, tokens=tokens, started_at=started_at, done_at=done_at))
    return tickets


@dataclass(frozen=True, kw_only=True)
class Fit:
    """What finished tickets teach."""

    centres: Mapping[str, float]
    """method -> ratio that half of its tickets stay under."""
    counts: Mapping[str, int]
    error80: float | None
    """What is added for four of five; None below four tickets."""
    mean: float
    """One factor for all tickets: what a method of too few tickets gets."""
    mean_error80: float | None

    def predict(self, method: str, *, min_tickets: int = 1) -> tuple[float, float]:
        """P50 and P80 of a method's tickets; of all tickets when the method has fewer than so many."""
        assert self.error80 is not None
        if self.counts.get(method, 0) < min_tickets:
            return self.mean, self.mean80
        return self.centres[method], self.centres[method] + self.error80

    @property
    def mean80(self) -> float:
        """P80 of all tickets."""
        assert self.mean_error80 is not None
        return self.mean + self.mean_error80


def fit(pairs: Sequence[Pair]) -> Fit:
    """Empirical Bayes over methods (DerSimonian and Laird), errors by leaving each ticket out, split-conformal rank."""
    methods = sorted({method for method, _ in pairs})
    samples = {name: [ratio for method, ratio in pairs if method == name] for name in methods}
    sums = {name: (len(found), math.fsum(found)) for name, found in samples.items()}
    total, grand = len(pairs), statistics.fmean(ratio for _, ratio in pairs)
    inside = math.fsum((r - statistics.fmean(found)) ** 2 for found in samples.values() for r in found)
    sigma2 = max(inside / (total - len(methods)), 1e-12) if total > len(methods) else 1.0
    tau2 = 0.0
    if total > len(methods) > 1:
        heterogeneity = math.fsum(n * (s / n - grand) ** 2 for n, s in sums.values()) / sigma2
        scale = (total - sum(n * n for n, _ in sums.values()) / total) / sigma2
        tau2 = max(0.0, (heterogeneity - (len(methods) - 1)) / scale)
    errors, mean_errors = [], []
    for method, ratio in pairs:
        if total > 1:
            n, s = sums[method]
            others = {**sums, method: (n - 1, s - ratio)}
            errors.append(ratio - _centre(others, method, sigma2, tau2))
            mean_errors.append(ratio - (grand * total - ratio) / (total - 1))
    return Fit(
        centres={method: _centre(sums, method, sigma2, tau2) for method in methods},
        counts={method: n for method, (n, _) in sums.items()},
        error80=_conformal80(errors),
        mean=grand,
        mean_error80=_conformal80(mean_errors),
    )


def _centre(sums: Mapping[str, tuple[int, float]], method: str, sigma2: float, tau2: float) -> float:
    """A method's mean, pulled towards the weighted mean of all."""
    known = {name: (n, s / n) for name, (n, s) in sums.items() if n}
    weights = {name: 1 / (tau2 + sigma2 / n) if tau2 else float(n) for name, (n, _) in known.items()}
    everything = math.fsum(weights[name] * mean for name, (_, mean) in known.items()) / math.fsum(weights.values())
    if method not in known or not tau2:
        return everything
    n, mean = known[method]
    own = tau2 / (tau2 + sigma2 / n)
    return own * mean + (1 - own) * everything


def _conformal80(errors: Sequence[float]) -> float | None:
    """The ceil((n + 1) * 0.8)-th smallest; None when there are not so many."""
    rank = math.ceil((len(errors) + 1) * 4 / 5)
    return sorted(errors)[rank - 1] if rank <= len(errors) else None


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A ticket and what was predicted of it before it began."""

    ticket: Ticket
    learned_from: int
    p50: float
    p80: float
    one_p50: float
    one_p80: float


def trials(tickets: Sequence[Ticket], *, min_tickets: int) -> list[Trial]:
    """Each ticket predicted from those done before the day it began on, where there are enough of them."""
    found = []
    for ticket in tickets:
        day = ticket.started_at.replace(hour=0, minute=0, second=0, microsecond=0)
        pairs = [(other.method, other.ratio) for other in tickets if other.done_at < day]
        if len(pairs) < max(4, min_tickets):
            continue
        told = fit(pairs)
        p50, p80 = told.predict(ticket.method, min_tickets=min_tickets)
        one = {"one_p50": told.mean, "one_p80": told.mean80}
        found.append(Trial(ticket=ticket, learned_from=len(pairs), p50=p50, p80=p80, **one))
    return found


@dataclass(frozen=True, kw_only=True)
class Score:
    """How predictions did: share of actuals under P80 with its 95 % interval, and losses."""

    tickets: int
    under: int
    low: float
    high: float
    mae: float
    pinball80: float


def score(misses: Sequence[tuple[float, float]]) -> Score:
    """From (ratio - P50, ratio - P80)."""
    n, under = len(misses), sum(miss80 <= 0 for _, miss80 in misses)
    p, z = under / n, 1.96
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return Score(
        tickets=n,
        under=under,
        low=middle - half,
        high=middle + half,
        mae=statistics.fmean(abs(miss50) for miss50, _ in misses),
        pinball80=statistics.fmean(pinball(miss80, 0.8) for _, miss80 in misses),
    )


def pinball(miss: float, quantile: float) -> float:
    """The loss of a predicted quantile that was missed by so much (actual less predicted)."""
    return miss * quantile if miss > 0 else -miss * (1 - quantile)


def expected_coverage(centre: float, true_centre: float, noise: float = NOISE) -> float:
    """Share of a normal distribution that lies under a figure."""
    return statistics.NormalDist(true_centre, noise).cdf(centre)


def expected_pinball(figure: float, true_centre: float, quantile: float, noise: float = NOISE) -> float:
    """Mean pinball loss of a figure when actuals are normal around `true_centre`."""
    standard, z = statistics.NormalDist(), (figure - true_centre) / noise
    above = noise * (standard.pdf(z) - z * (1 - standard.cdf(z)))
    below = noise * (standard.pdf(z) + z * standard.cdf(z))
    return quantile * above + (1 - quantile) * below
