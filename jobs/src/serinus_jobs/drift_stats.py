"""The mathematics of drift: pure functions on one feature's reference and its live values.

The question is not "is there any difference?" (with enough rows there always is) but "is the
difference larger than what matters?". So the null hypothesis of every test is that the true distance
between the two populations is at most `threshold`, and the p-value bounds, for finite samples on both
sides, how probable so large an observed distance would be then. A stable stream therefore stays
silent at any sample size: few rows give wide bounds, many rows converge to a distance below the
threshold.

Distances, both in [0, 1], the largest difference in probability of an event of the kind named:
numbers      Kolmogorov-Smirnov: of "at most x"; a missing value counts as less than every number
categories   total variation: of any set of categories; missing is a category of its own
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency, kstwo

from serinus_contracts.drift_report import FeatureDrift
from serinus_contracts.reference import CategoryReference, NumericReference

Array = npt.NDArray[np.float64]
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)


@dataclass(frozen=True)
class Comparison:
    """One feature's distance, before false-discovery control. `details` explain and never decide."""

    name: str
    test: str
    distance: float
    threshold: float
    p_value: float
    details: dict[str, float]


def effective_rows(units: Sequence[str]) -> float:
    """Return what rows of these units (entities) are worth as independent rows: (sum k)^2 / sum k^2.

    Kish, Survey Sampling (1965), for rows of one unit that are all alike: the worst case.
    """
    if not units:
        return 0.0
    sizes = np.unique(np.asarray(units), return_counts=True)[1].astype(float)
    return float(sizes.sum() ** 2 / (sizes**2).sum())


def compare_numbers(
    reference: NumericReference, values: Array, threshold: float, effective: float | None = None
) -> Comparison:
    """Compare live `values` (any shape [rows], NaN is missing) with the reference's percentiles.

    `effective` is the number of independent rows that the values are worth; all, when not given.
    """
    n, m = float(len(values)), float(reference.count + reference.missing)
    independent = n if effective is None else min(effective, n)
    present = np.sort(values[~np.isnan(values)])
    absent, absent_before = _share(n - len(present), n), _share(reference.missing, m)
    distance = max(0.0, ks_distance(present, reference.quantiles, absent, absent_before) - 1.0 / max(m, 1.0))
    live, before = _binned(present, reference.quantiles, absent, absent_before)
    rounded = max(1, round(independent * m / (independent + m))) if n and m else 1
    details = {
        "p_no_difference": float(kstwo.sf(distance, rounded)) if n and m else 1.0,
        **_divergences(live, before, independent, m),
        "missing": absent,
        "missing_reference": absent_before,
    }
    if reference.std > 0 and len(present):
        details["mean_shift"] = float((present.mean() - reference.mean) / reference.std)
    p_value = ks_relevance(distance - threshold, independent, m)
    return Comparison(reference.name, "kolmogorov-smirnov", distance, threshold, p_value, details)


def compare_categories(
    reference: CategoryReference,
    counts: Mapping[str, int],
    missing: int,
    threshold: float,
    effective: float | None = None,
) -> Comparison:
    """Compare live `counts` by category with the reference's. Categories that the reference has never
    seen count as one."""
    names = sorted(reference.counts)
    unseen = sum(count for name, count in counts.items() if name not in reference.counts)
    now = np.array([*(counts.get(name, 0) for name in names), unseen, missing], dtype=float)
    then = np.array([*(reference.counts[name] for name in names), 0, reference.missing], dtype=float)
    kept = (now + then) > 0
    now, then = now[kept], then[kept]
    n, m = float(now.sum()), float(then.sum())
    independent = n if effective is None else min(effective, n)
    if not n or not m:
        return Comparison(reference.name, "total variation", 0.0, threshold, 1.0, {})
    distance = float(np.abs(now / n - then / m).sum() / 2)
    details = {
        "p_no_difference": _chi_square(now * independent / n, then),
        **_divergences(now / n, then / m, independent, m),
        "missing": missing / n,
        "missing_reference": reference.missing / m,
        "unseen": unseen / n,
    }
    p_value = variation_relevance(distance - threshold, len(now), independent, m)
    return Comparison(reference.name, "total variation", distance, threshold, p_value, details)


def ks_distance(present: Array, quantiles: Sequence[float], absent: float, absent_before: float) -> float:
    """Return the Kolmogorov-Smirnov distance that the percentiles prove, 0.01 below the exact one at most.

    `present` is sorted, shape [rows]; `quantiles` are the percentiles 0, 1, ... 100. Between two
    percentiles the reference's distribution function is known to an interval only, and the distance
    counts from the interval's nearer end. Ties need no correction: percentiles a..b of one value v say
    that P(X < v) <= a/100 and P(X <= v) >= b/100.
    """
    apart = abs(absent - absent_before)
    if not len(quantiles) or not len(present):
        return apart
    grid = np.asarray(quantiles, dtype=float)
    steps = np.linspace(0.0, 1.0, len(grid))
    values, first = np.unique(grid, return_index=True)
    last = np.append(first[1:], len(grid)) - 1
    ceiling = absent_before + (1 - absent_before) * steps[first]
    floor = absent_before + (1 - absent_before) * steps[last]
    below = absent + (1 - absent) * np.searchsorted(present, values, side="left") / len(present)
    upto = absent + (1 - absent) * np.searchsorted(present, values, side="right") / len(present)
    return float(max(apart, (below - ceiling).max(), (floor - upto).max()))


def ks_relevance(excess: float, n: float, m: float) -> float:
    """Bound the probability that an observed KS distance exceeds the true one by `excess` or more.

    The excess is at most the sum of two one-sided empirical-process suprema, of n and of m rows, each
    with tail exp(-2 n x^2) where that is at most one half (Massart, Annals of Probability 18, 1990), for
    any distribution, ties included. The sum's tail is their convolution; twice, for two directions.
    """
    if excess <= 0 or n < 1 or m < 1:
        return 1.0
    low_n, low_m = math.sqrt(math.log(2) / (2 * n)), math.sqrt(math.log(2) / (2 * m))
    if excess <= low_n + low_m:
        return 1.0
    peak, width = m * excess / (n + m), 0.5 / math.sqrt(n + m)
    left = max(low_n, peak - 12 * width)
    right = min(excess - low_m, max(low_n, peak) + 12 * width)
    tail = 0.5 * math.exp(-2 * m * (excess - low_n) ** 2) + math.exp(-2 * n * (excess - low_m) ** 2)
    if right > left:
        x = (right + left) / 2 + (right - left) / 2 * _NODES
        density = 4 * n * x * np.exp(-2 * n * x**2 - 2 * m * (excess - x) ** 2)
        tail += float((_WEIGHTS * density).sum()) * (right - left) / 2
    return min(1.0, 2 * tail)


def variation_relevance(excess: float, categories: int, n: float, m: float) -> float:
    """Bound the probability that an observed total variation exceeds the true one by `excess` or more.

    Its bias is at most sqrt((K-1)(1/n + 1/m)) / 2 (Jensen and Cauchy-Schwarz), and one row moves it by
    1/n or 1/m, so that McDiarmid's inequality (1989) gives the tail beyond the bias.
    """
    if excess <= 0 or n < 1 or m < 1:
        return 1.0
    noise = 1 / n + 1 / m
    beyond = excess - math.sqrt(max(categories - 1, 0) * noise) / 2
    return 1.0 if beyond <= 0 else math.exp(-2 * beyond**2 / noise)


def q_values(p_values: Sequence[float]) -> list[float]:
    """Return Benjamini and Hochberg's (1995) adjusted p-values, in the order given."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p)
    scaled = p[order] * (len(p) / np.arange(1, len(p) + 1))
    adjusted = np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1])
    result = np.empty_like(adjusted)
    result[order] = adjusted
    return [float(value) for value in result]


def decide(comparisons: Sequence[Comparison], rate: float, enough: bool = True) -> list[FeatureDrift]:
    """Return each comparison with its q-value; drifted where q < `rate` and the effect is above the
    threshold (which q < 1 implies). With not `enough` rows nothing is drifted."""
    if not comparisons:
        return []
    return [
        FeatureDrift(
            name=each.name,
            test=each.test,
            statistic=each.distance,
            p_value=each.p_value,
            q_value=q,
            effect=each.distance,
            threshold=each.threshold,
            drifted=enough and q < rate and each.distance > each.threshold,
            details=each.details,
        )
        for each, q in zip(comparisons, q_values([each.p_value for each in comparisons]), strict=True)
    ]


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _binned(
    present: Array, quantiles: Sequence[float], absent: float, absent_before: float
) -> tuple[Array, Array]:
    """Return live and reference shares of up to ten bins at the reference's deciles, missing first."""
    grid = np.asarray(quantiles, dtype=float)
    if not len(grid) or not len(present):
        return np.array([absent, 1 - absent]), np.array([absent_before, 1 - absent_before])
    edges = np.unique(grid[10:-1:10])
    before = np.searchsorted(grid, edges, side="right") - 1
    reference = np.diff(np.concatenate([[0.0], before / (len(grid) - 1), [1.0]]))
    upto = np.searchsorted(present, edges, side="right") / len(present)
    live = np.diff(np.concatenate([[0.0], upto, [1.0]]))
    return (
        np.concatenate([[absent], live * (1 - absent)]),
        np.concatenate([[absent_before], reference * (1 - absent_before)]),
    )


def _divergences(live: Array, before: Array, n: float, m: float) -> dict[str, float]:
    """Return PSI and the Jensen-Shannon distance (base 2) of two share vectors, and what PSI would be by
    chance alone. Half a row is added to every bin, so that an empty one does not make PSI infinite."""
    if not n or not m:
        return {}
    kept = (live + before) > 0
    live, before = live[kept], before[kept]
    p = (live * n + 0.5) / (n + 0.5 * len(live))
    q = (before * m + 0.5) / (m + 0.5 * len(before))
    return {
        "psi": float(((p - q) * np.log(p / q)).sum()),
        "psi_by_chance": (len(live) - 1) * (1 / n + 1 / m),
        "jensen_shannon": float(jensenshannon(live, before, base=2)),
    }


def _chi_square(now: Array, then: Array) -> float:
    """Return the p-value of "no difference", with categories expected fewer than five times put together."""
    total = now + then
    rare = total * min(now.sum(), then.sum()) / total.sum() < 5
    table = np.array([now, then])
    if rare.any():
        table = np.column_stack([table[:, ~rare], table[:, rare].sum(axis=1)])
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2:
        return 1.0
    return float(chi2_contingency(table, correction=False).pvalue)
