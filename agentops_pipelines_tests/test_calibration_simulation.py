"""The method itself, without the product: on simulated tickets whose factors are known, does P80 mean 80 %?

The computation is the one that the SQL tables are held against in test_calibration.py. What a fit is worth is not
sampled but computed from the known distribution, so that 0.80 is not 0.80 by luck.
"""

import math
from datetime import datetime

import pytest

from agentops_pipelines_tests.calibration_reference import (
    FACTORS,
    SHARES,
    expected_coverage,
    expected_pinball,
    fit,
    simulate,
)

UNTIL = datetime(2026, 11, 1)


@pytest.mark.parametrize("size", [20, 60, 150, 400])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_p80_holds_and_methods_are_no_worse_than_one_factor(seed: int, size: int) -> None:
    """Over worlds of five methods: coverage 0.78 to 0.84, both pinball losses at most those of one factor for all."""
    coverage, losses50, losses80 = [], [], []
    for world in range(max(20, 3_000 // size)):
        pairs = [(one.method, one.ratio) for one in simulate(1_000 * seed + world, size, until=UNTIL)]
        told = fit(pairs)
        for method, share in SHARES.items():
            truth, (p50, p80) = math.log(FACTORS[method]), told.predict(method)
            coverage.append(share * expected_coverage(p80, truth))
            losses50.append(share * (expected_pinball(p50, truth, 0.5) - expected_pinball(told.mean, truth, 0.5)))
            losses80.append(share * (expected_pinball(p80, truth, 0.8) - expected_pinball(told.mean80, truth, 0.8)))
    worlds = len(coverage) / len(SHARES)
    assert 0.78 <= math.fsum(coverage) / worlds <= 0.84
    assert math.fsum(losses50) <= 0
    assert math.fsum(losses80) <= 0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_methods_that_do_not_differ_get_one_factor(seed: int) -> None:
    """On average over worlds, a loss of under half a percent against one factor: what there is to lose by methods."""
    same = dict.fromkeys(FACTORS, 1.4)
    method_losses, one_losses = [], []
    for world in range(60):
        tickets = simulate(1_000 * seed + world, 60, until=UNTIL, factors=same)
        told = fit([(one.method, one.ratio) for one in tickets])
        for method, share in SHARES.items():
            method_losses.append(share * expected_pinball(told.predict(method)[0], math.log(1.4), 0.5))
            one_losses.append(share * expected_pinball(told.mean, math.log(1.4), 0.5))
    assert math.fsum(method_losses) <= 1.005 * math.fsum(one_losses)
