"""How often the judge is wrong and how soon it is right, by simulation with fixed seeds."""

import math

import numpy as np
import pytest
from bench.judge_rivals import Case
from bench.judge_simulation import burst, constant, e_process
from tests.support.rollouts import judged, stream

from serinus_operator.rollout import evidence


@pytest.mark.parametrize(("rps", "rate"), [(1, constant(0.012)), (10, constant(0.005)), (10, burst)])
def test_a_healthy_canary_is_rarely_rolled_back(rps: float, rate):
    """400 rollouts of 25 looks. At alpha itself, 5 %, more than 37 of them are rolled back with a chance of
    1 in 10,000 (binomial); the seed is fixed, so this passes always or never."""
    outcome = e_process(1.2)(np.random.default_rng(11), Case("", rps, rate, rate), 400)
    assert (outcome.minute > 0).sum() <= 37


def test_the_mean_of_the_evidence_does_not_grow():
    """At the edge of the null (odds exactly 1.2 times) the mean over paths is at most 1, up to five standard
    errors. One interval is proven by enumeration in test_evidence; here ten follow each other."""
    rng = np.random.default_rng(5)
    stable, odds = 0.1, 1.2 * 0.1 / 0.9
    finals = np.empty(1000)
    for path in range(len(finals)):
        sums = evidence.NO_HARM_YET
        for _ in range(10):
            n_b = int(rng.binomial(40, 0.3))
            x_a, x_b = int(rng.binomial(40 - n_b, stable)), int(rng.binomial(n_b, odds / (1 + odds)))
            sums = evidence.harm(sums, x_b, x_a + x_b, n_b / 40, 1.2)
        finals[path] = math.exp(evidence.log_mean_exp(sums))
    assert finals.mean() <= 1 + 5 * finals.std() / math.sqrt(len(finals))
    assert finals.min() >= 0


def test_a_harmful_canary_is_rolled_back_and_a_healthy_one_is_not():
    """The whole judge, a few times."""
    for seed in range(5):
        words = [v.verdict for v in judged(stream(seed, stable=0.02, canary=0.2, ticks=12))[1]]
        assert words.count("rollback") >= 6
        words = [v.verdict for v in judged(stream(seed, stable=0.02, canary=0.02, ticks=12))[1]]
        assert "rollback" not in words
