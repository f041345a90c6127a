"""Estimates with their 95 % intervals: (estimate, low, high). Pure; the source of each method is named."""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.stats import norm, rankdata

Interval = tuple[float, float, float]
Array = npt.NDArray[np.float64]
_Z = float(norm.ppf(0.975))
_DRAWS = 2000


def wilson(successes: int, trials: int) -> Interval | None:
    """Return a proportion with Wilson's (1927) score interval; None without trials."""
    if trials == 0:
        return None
    share, z2 = successes / trials, _Z * _Z
    centre = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = _Z / (1 + z2 / trials) * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials * trials))
    return share, max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))


def bootstrap_counts(counts: npt.NDArray[np.int64], measure: Callable[[Array], Array], seed: int) -> Interval:
    """Return a measure of a table of counts with its percentile bootstrap interval (Efron, 1979).

    `counts` has shape [cells]; resampling rows is a multinomial draw of the counts. `measure` maps
    shape [draws, cells] to [draws].
    """
    total = int(counts.sum())
    draws = np.random.default_rng(seed).multinomial(total, counts / total, size=_DRAWS)
    estimate = float(measure(counts[None, :].astype(float))[0])
    low, high = np.quantile(measure(draws.astype(float)), [0.025, 0.975])
    return estimate, float(min(low, estimate)), float(max(high, estimate))


def mean(values: Array) -> Interval:
    """Return the mean of per-row losses, shape [rows], with its interval by the central limit theorem."""
    estimate = float(values.mean())
    half = _Z * float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else math.inf
    return estimate, estimate - half, estimate + half


def roc_auc(positive: npt.NDArray[np.bool_], score: Array) -> Interval | None:
    """Return the area under the ROC curve with DeLong, DeLong and Clarke-Pearson's (1988) interval.

    By midranks (Sun and Xu, 2014). None when a class is absent. Where the variance estimate is 0 (all
    scores in order), Wilson's interval of the smaller class stands in for it.
    """
    m, n = int(positive.sum()), int((~positive).sum())
    if not m or not n:
        return None
    ranks = rankdata(score)
    own_positive, own_negative = rankdata(score[positive]), rankdata(score[~positive])
    area = float((ranks[positive].sum() - m * (m + 1) / 2) / (m * n))
    v10, v01 = (ranks[positive] - own_positive) / n, 1 - (ranks[~positive] - own_negative) / m
    variance = (v10.var(ddof=1) / m if m > 1 else math.inf) + (v01.var(ddof=1) / n if n > 1 else math.inf)
    if not math.isfinite(variance):
        return area, 0.0, 1.0
    if variance == 0 and area in (0.0, 1.0):
        return wilson(round(area * min(m, n)), min(m, n))
    half = _Z * math.sqrt(variance)
    return area, max(0.0, area - half), min(1.0, area + half)
