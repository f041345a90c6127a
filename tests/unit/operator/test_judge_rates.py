"""How often the judge is wrong and how soon it is right, by simulation with fixed seeds."""

import math

from tests.support.rollouts import judged, stream


def words(seed: int, **rates) -> list[str]:
    return [verdict.verdict for verdict in judged(stream(seed, **rates))[1]]


def test_a_healthy_canary_is_rarely_rolled_back():
    """300 seeded rollouts of 25 looks. At the bound, the error signal's share of alpha (2.5 %), more than 19
    of them come up with a chance of 1 in 10,000 (binomial); seeded, so it happens always or never."""
    seeds = range(300)
    assert sum("rollback" in words(seed, stable=0.02, canary=0.02, requests=60) for seed in seeds) <= 19


def test_a_harmful_canary_is_rolled_back():
    late = [words(seed, stable=0.02, canary=0.2, ticks=12).count("rollback") for seed in range(30)]
    assert min(late) >= 6  # all of them, within the first half


def test_the_mean_of_the_evidence_does_not_grow():
    """Monte Carlo within the null (canary 1.2 times as bad): the mean over paths is at most 1, up to five
    standard errors. (Exactly, by enumeration: test_evidence.)"""
    finals = []
    for seed in range(400):
        state, _ = judged(stream(seed, stable=0.1, canary=0.117, requests=40, ticks=10))
        finals.append(math.exp(state.rates["errors"].log_e))
    mean = sum(finals) / len(finals)
    deviation = math.sqrt(sum((x - mean) ** 2 for x in finals) / len(finals) / (len(finals) - 1))
    assert mean <= 1 + 5 * deviation
