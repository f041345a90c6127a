"""The rules of other tools, re-implemented in the same simulated traffic.

What they do is from their public documentation and sources (Flagger, Argo Rollouts, Kayenta); the code is
our own. All are vectorised over runs. A rule gets traffic minute by minute and says when it rolls back.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
THRESHOLD = 0.01  # Flagger's and Argo's usual success rate of 99 %
LOOKS = 25


class Minute(NamedTuple):
    """One minute of every run: requests and errors of both arms."""

    n_a: Ints
    x_a: Ints
    n_b: Ints
    x_b: Ints


class Outcome(NamedTuple):
    """Per run: the minute of the rollback (0: none), and the canary's errors until then."""

    minute: Ints
    errors: Ints


@dataclass(frozen=True)
class Case:
    """Traffic of `rps` requests/s with error rates as functions of the minute (from 1)."""

    name: str
    rps: float
    stable: Callable[[int], float]
    canary: Callable[[int], float]

    def minute(self, rng: np.random.Generator, minute: int, share: Ints | float, runs: int) -> Minute:
        """Draw one minute in which `share` of the requests goes to the canary."""
        total = rng.poisson(self.rps * 60, runs)
        n_b = rng.binomial(total, share)
        n_a = total - n_b
        x_a = rng.binomial(n_a, self.stable(minute))
        return Minute(n_a, x_a, n_b, rng.binomial(n_b, self.canary(minute)))


def weight(minute: int) -> float:
    """10, 20, 30, 40, 50 %, five minutes each."""
    return 0.1 * min(1 + (minute - 1) // 5, 5)


def fails(n: Ints, x: Ints) -> NDArray[np.bool_]:
    """A check against the threshold; a minute without a request has no value, which fails."""
    return (n == 0) | (x > THRESHOLD * n)


def flagger(rng: np.random.Generator, case: Case, runs: int) -> Outcome:
    """One check a minute on the canary alone. Passing moves the weight by 10 % (promotion after 50 %);
    failed checks add up over the whole run, the fifth rolls back."""
    share, failed = np.full(runs, 0.1), np.zeros(runs, int)
    done, errors = np.zeros(runs, int), np.zeros(runs, int)
    active = np.ones(runs, bool)
    for minute in range(1, 2 * LOOKS):
        seen = case.minute(rng, minute, share, runs)
        bad = fails(seen.n_b, seen.x_b)
        errors += seen.x_b * active
        failed += bad & active
        rolled = active & (failed >= 5)
        done[rolled] = minute
        share = np.where(bad, share, share + 0.1)
        active &= ~rolled & (share < 0.55)
        share = np.minimum(share, 0.5)
    return Outcome(done, errors)


def argo(rng: np.random.Generator, case: Case, runs: int) -> Outcome:
    """A background analysis with 25 measurements a minute apart and failureLimit 3: the fourth aborts."""
    failed, done, errors = np.zeros(runs, int), np.zeros(runs, int), np.zeros(runs, int)
    for minute in range(1, LOOKS + 1):
        seen = case.minute(rng, minute, weight(minute), runs)
        errors += seen.x_b * (done == 0)
        failed += fails(seen.n_b, seen.x_b)
        done[(failed > 3) & (done == 0)] = minute
    return Outcome(done, errors)


def kayenta(rng: np.random.Generator, case: Case, runs: int) -> Outcome:
    """Error rate per minute, 10 % canary against a fresh baseline of 10 %, six looks in 30 minutes. Rolls
    back when the 98 % Mann-Whitney interval of the shift lies above a quarter of its estimate."""
    done, errors = np.zeros(runs, int), np.zeros(runs, int)
    rates: tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]] = ([], [])
    for minute in range(1, 31):
        # Both arms get 10 % of all: a fifth of the traffic, split in halves.
        fifth = Case(case.name, case.rps / 5, case.stable, case.canary)
        seen = fifth.minute(rng, minute, 0.5, runs)
        errors += seen.x_b * (done == 0)
        for arm, n, x in ((0, seen.n_a, seen.x_a), (1, seen.n_b, seen.x_b)):
            rates[arm].append(np.divide(x, n, out=np.zeros(runs), where=n > 0))
        if minute % 5 == 0:
            done[_high(np.array(rates[0]), np.array(rates[1])) & (done == 0)] = minute
    return Outcome(done, errors)


def _high(baseline: NDArray[np.float64], canary: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Kayenta's "High" per run; arrays are minutes x runs."""
    n = len(canary)
    shifts = np.sort((canary[:, None, :] - baseline[None, :, :]).reshape(n * n, -1), axis=0)
    rank = int(n * n / 2 - 2.326 * np.sqrt(n * n * (2 * n + 1) / 12))
    lower = shifts[max(rank, 1) - 1]
    estimate = np.median(shifts, axis=0)
    high = (lower > 0.25 * np.abs(estimate)) & (canary.mean(axis=0) >= baseline.mean(axis=0))
    return np.asarray(high, dtype=bool)
