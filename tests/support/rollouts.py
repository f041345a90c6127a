"""Streams of counters and observed rollouts for tests of the judge. Impossible ones are refused."""

import random
from collections.abc import Iterator
from dataclasses import replace

from serinus_contracts.expectation import ScoreExpectation
from serinus_operator.rollout.counters import Counts, Sample
from serinus_operator.rollout.judge import judge
from serinus_operator.rollout.model import Arm, Observed, Phase
from serinus_operator.rollout.policy import Policy, parse_policy
from serinus_operator.rollout.state import JudgeState

POLICY = parse_policy("steps: [10, 50]\nminimum_seconds: 60\nminimum_requests: 50\ndeadline_seconds: 1200\n")
SHIFT_POLICY = parse_policy(
    "steps: [50]\nsignals: {errors: 0.5, predictions: 0.5}\nceilings: {errors: 0.05}\n"
)
EXPECTATIONS = {
    "same": ScoreExpectation("a", "b", 20_000, {"no": 0.7, "yes": 0.3}, {"no": 0.7, "yes": 0.3}),
    "braver": ScoreExpectation("a", "b", 20_000, {"no": 0.7, "yes": 0.3}, {"no": 0.5, "yes": 0.5}),
}


def binomial(source: random.Random, n: int, p: float) -> int:
    return sum(source.random() < p for _ in range(n))


def stream(
    seed: int,
    *,
    stable: float,
    canary: float,
    weight: int = 20,
    requests: int = 200,
    ticks: int = 25,
    interval: float = 60.0,
) -> Iterator[Sample]:
    """Yield cumulative samples of a random split with error rates `stable` and `canary`."""
    source = random.Random(seed)
    n_a = n_b = x_a = x_b = 0
    for tick in range(1, ticks + 1):
        b = binomial(source, requests, weight / 100)
        n_b += b
        n_a += requests - b
        x_b += binomial(source, b, canary)
        x_a += binomial(source, requests - b, stable)
        yield Sample(tick * interval, weight, Counts(n_a, x_a), Counts(n_b, x_b))


def live(stable: float, canary: float, ticks: int = 6, seed: int = 3) -> Iterator[Sample]:
    """Yield samples without errors in which the arms predict "yes" with the given chances, 300 rows each."""
    source = random.Random(seed)
    totals = {"stable": 0, "canary": 0}
    for k in range(1, ticks + 1):
        totals["stable"] += binomial(source, 300, stable)
        totals["canary"] += binomial(source, 300, canary)
        arms = [Counts(300 * k, predictions={"no": 300 * k - yes, "yes": yes}) for yes in totals.values()]
        yield Sample(60.0 * k, 50, *arms)


def judged(samples, policy: Policy = POLICY, state: JudgeState | None = None):
    """Return the last state and all verdicts."""
    state = state or JudgeState()
    verdicts = []
    for sample in samples:
        state, verdict = judge(policy, state, sample)
        verdicts.append(verdict)
    return state, verdicts


def observed(
    state=None,
    *,
    desired: str = "v2",
    stable: Arm | str = "v1",
    canary: Arm | str | None = "v2",
    weight: int = 0,
    load: int = 1,
    sample: Sample | None = None,
    policy: Policy = POLICY,
    ready: int = 1,
) -> Observed:
    """Build an Observed; an impossible one raises."""
    stable = Arm(stable, ready) if isinstance(stable, str) else stable
    canary = Arm(canary, ready) if isinstance(canary, str) else canary
    if weight and canary is None:
        raise ValueError("a weight without a canary arm")
    if state is not None and state.phase is Phase.IDLE and weight:
        raise ValueError("an idle rollout has no weight")
    return Observed(policy, desired, stable, canary, weight, load, sample, None, state)


def in_phase(state, phase: Phase, weight: int, since: float = 0.0):
    """Return `state` moved to another phase."""
    return replace(state, phase=phase, weight=weight, since=since)
