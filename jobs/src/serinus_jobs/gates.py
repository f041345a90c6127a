"""What a model must pass before it may be registered. Pure: numbers in, verdicts with reasons out.

Every gate fails closed: one that cannot be evaluated (too few rows, one class, a metric that is not a
number) fails and says why. Nothing here knows where rows or models come from.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from serinus_jobs import scoring
from serinus_jobs.project import Direction

# Fewer rows than this decide nothing.
MINIMUM_ROWS = 20
RESAMPLES = 1_000
CONFIDENCE = 0.95
# Resamples without both classes give no metric; with more of them than this there is no interval.
_MOST_UNDEFINED = 0.05

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class GateResult:
    """One gate's verdict. `detail` has the figures, or the reason why there are none."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True)
class Scored:
    """One model's answers to the rows that are judged: `probabilities` [rows, classes] of `target` [rows]."""

    target: scoring.Target
    probabilities: scoring.Probabilities
    threshold: float

    def value(self, metric: str, rows: npt.NDArray[np.int64] | Mask | None = None) -> float:
        """Return the metric on `rows` (all without it), NaN where it cannot be computed."""
        chosen = slice(None) if rows is None else rows
        return scoring.metric(metric)(self.target[chosen], self.probabilities[chosen], self.threshold)


def minimum(scored: Scored, least: Mapping[str, float]) -> list[GateResult]:
    """Each metric must reach its least value on all rows."""
    return [_at_least(f"minimum {metric}", scored, metric, value, None) for metric, value in least.items()]


def slice_minimum(
    scored: Scored, slices: Mapping[str, Mask], least: Mapping[str, float], rows_needed: int
) -> list[GateResult]:
    """Each metric must reach its least value within each slice; a slice needs `rows_needed` rows."""
    results = []
    for name, mask in slices.items():
        for metric, value in least.items():
            gate = f"slice {name}: {metric}"
            if mask.sum() < rows_needed:
                detail = f"cannot be evaluated: {int(mask.sum())} rows, {rows_needed} are needed"
                results.append(GateResult(gate, False, detail))
            else:
                results.append(_at_least(gate, scored, metric, value, mask))
    return results


def challenger(
    new: Scored, champion: Scored, metric: str, margin: float, seed: int, resamples: int = RESAMPLES
) -> GateResult:
    """The challenger may be worse than the champion by `margin` at most, with confidence.

    The paired percentile bootstrap (Efron 1979): both models are scored on the same resampled rows, and
    the lower end of the 95 % interval of the difference must not lie below -margin.
    """
    gate = f"challenger against champion: {metric}"
    rows = len(new.target)
    if rows < MINIMUM_ROWS:
        return GateResult(gate, False, f"cannot be evaluated: {rows} rows, {MINIMUM_ROWS} are needed")
    observed = new.value(metric) - champion.value(metric)
    low, high = paired_interval(new, champion, metric, seed, resamples)
    if not all(map(math.isfinite, (observed, low, high))):
        return GateResult(gate, False, "cannot be evaluated: the metric is not a number on these rows")
    detail = (
        f"difference {observed:+.4f}, {CONFIDENCE:.0%} interval [{low:+.4f}, {high:+.4f}], "
        f"lower end must be at least {-margin:+.4f} ({rows} rows)"
    )
    return GateResult(gate, low >= -margin, detail)


def paired_interval(
    new: Scored, champion: Scored, metric: str, seed: int, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """Return the interval of metric(new) - metric(champion) over resampled rows; NaNs where there is none."""
    generator = np.random.default_rng(seed)
    rows = len(new.target)
    differences = np.empty(resamples)
    for i in range(resamples):
        drawn = generator.integers(0, rows, rows)
        differences[i] = new.value(metric, drawn) - champion.value(metric, drawn)
    defined = differences[np.isfinite(differences)]
    if len(defined) < (1 - _MOST_UNDEFINED) * resamples:
        return math.nan, math.nan
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)


def direction(
    wanted: Direction, before: npt.NDArray[np.float64], after: npt.NDArray[np.float64]
) -> GateResult:
    """The positive score must move as declared for a `share` of the rows.

    `before` and `after` are P(class 1) [rows] of the rows that could be changed by the whole `change`.
    """
    gate = f"{wanted.feature} {wanted.change:+g}: {'invariant' if wanted.expect == 'none' else wanted.expect}"
    if len(before) < MINIMUM_ROWS:
        detail = f"cannot be evaluated: {len(before)} rows can be changed so, {MINIMUM_ROWS} are needed"
        return GateResult(gate, False, detail)
    moved = after - before
    kept = {
        "up": moved > wanted.tolerance,
        "down": moved < -wanted.tolerance,
        "none": np.abs(moved) <= wanted.tolerance,
    }[wanted.expect]
    share = float(kept.mean())
    detail = (
        f"{share:.1%} of {len(before)} rows, {wanted.share:.1%} are needed; mean change {moved.mean():+.4f}"
    )
    return GateResult(gate, bool(np.isfinite(moved).all()) and share >= wanted.share, detail)


def _at_least(gate: str, scored: Scored, metric: str, least: float, mask: Mask | None) -> GateResult:
    rows = len(scored.target) if mask is None else int(mask.sum())
    if rows < MINIMUM_ROWS:
        return GateResult(gate, False, f"cannot be evaluated: {rows} rows, {MINIMUM_ROWS} are needed")
    value = scored.value(metric, mask)
    if not math.isfinite(value):
        return GateResult(gate, False, f"cannot be evaluated: {metric} is not a number on these {rows} rows")
    return GateResult(gate, value >= least, f"{value:.4f}, at least {least:g} is needed ({rows} rows)")
