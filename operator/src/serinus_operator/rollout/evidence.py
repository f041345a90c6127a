"""Evidence that may be looked at after every sample: e-processes as sums of logarithms.

An e-process starts at 1, is never negative, and does not grow on average while its null hypothesis
holds; so it ever exceeds 1/alpha with a chance of at most alpha, whenever one looks and whenever one
stops (Ville's inequality). Each is a mixture over a fixed grid of alternatives: its state is one running
log-likelihood ratio per grid point, and its value their mean in the space of numbers.

Sources: Ville 1939; Hoeffding 1963, section 6 (sampling without replacement); Vatutin and Mikhailov 1982
(a hypergeometric count is a sum of independent Bernoulli counts); Lindon and Malek 2022 (arXiv
2011.03567, counts from two arms); Waudby-Smith and Ramdas 2023 (arXiv 2010.09686, one sample).
"""

import math
from collections.abc import Sequence

POINTS = 25
# Ratios beyond the tolerance, log-spaced: what a canary that is 15 % to 60 times worse would do.
GRID = tuple(1.15 * (60 / 1.15) ** (k / (POINTS - 1)) for k in range(POINTS))
# Odds ratios of a split or of predicted classes: such counts are large, so small shifts are visible.
ODDS_GRID = tuple(1.1 * (20 / 1.1) ** (k / 11) for k in range(12))
# A share relative to its ceiling. The first point is "never": most canaries show no fault at all.
CEILING_GRID = (0.0, 0.0, *(0.85 * (1 / 60 / 0.85) ** (k / 10) for k in range(11)))
LOG_LARGEST = 700.0

Sums = tuple[float, ...]
NO_HARM_YET: Sums = (0.0,) * len(GRID)
NO_ODDS_YET: Sums = (0.0,) * (2 * len(ODDS_GRID))


def log_mean_exp(values: Sequence[float]) -> float:
    """Return log(mean(exp(values))) without overflow: the log e-value of a uniform mixture."""
    top = max(values)
    if top == -math.inf:
        return top
    return top + math.log(math.fsum(math.exp(value - top) for value in values) / len(values))


def e_value(log_e: float) -> float:
    """Return exp(log_e), capped where floats end."""
    return math.exp(min(log_e, LOG_LARGEST))


def harm(sums: Sums, canary_bad: int, bad: int, share: float, tolerance: float) -> Sums:
    """Add one interval to the harm e-process; `log_mean_exp` of the result is its log e-value.

    Of `bad` bad events in both arms, `canary_bad` fell to the canary, which got `share` of the requests.
    Null: the canary's odds of a bad event are at most `tolerance` (>= 1) times the stable's, in each
    interval, whatever the rate does over time, and requests were split at random. Factor for a ratio r:

        r^canary_bad * ((1 + share (tolerance - 1)) / (1 + share (tolerance r - 1)))^bad

    Why it holds for any rate, not only for rare events. Given `bad`, canary_bad is Fisher's noncentral
    hypergeometric with odds ratio a <= tolerance, so E[r^X] = P(a r)/P(a), P the generating function of
    the central one. P(t) is a product of factors 1 + p_i (t - 1) with sum p_i = bad * share; for r > 1
    and a >= 1 the function log(1 + p (a r - 1)) - log(1 + p (a - 1)) is concave in p, so the product
    is largest when all p_i are equal (Jensen; with a = 1 this is Hoeffding's bound). E[r^X] grows with a.
    """
    if bad == 0:
        return sums
    base = math.log1p(share * (tolerance - 1.0))
    return tuple(
        total + canary_bad * math.log(ratio) + bad * (base - math.log1p(share * (tolerance * ratio - 1.0)))
        for total, ratio in zip(sums, GRID, strict=True)
    )


def ceiling(bad: int, requests: int, limit: float) -> float:
    """Return the log e-value against "the share of bad requests is `limit` or more".

    A mixture of likelihood ratios over shares below `limit`; the state is the two totals. Valid while each
    request's chance, given the past, is at least `limit` under the null.
    """
    good = requests - bad
    logs = [
        (-math.inf if bad and not f else (bad * math.log(f) if bad else 0.0))
        + good * (math.log1p(-f * limit) - math.log1p(-limit))
        for f in CEILING_GRID
    ]
    return log_mean_exp(logs)


def upper_bound(bad: int, requests: int, alpha: float) -> float:
    """Return the least share that `ceiling` rejects at `alpha`: an upper confidence bound at any time.

    1.0 where nothing can be said yet. By bisection to a relative 1e-4, from above, so the bound is itself
    rejected: the e-value grows with the limit.
    """
    needed = -math.log(alpha)
    low = bad / requests if requests else 0.0
    high = max(2.0 * low, 4.0 / requests) if requests else 1.0
    while high < 1.0 and ceiling(bad, requests, high) < needed:
        low, high = high, 2.0 * high
    if high >= 1.0:
        high = 1.0 - 1e-12
        if requests == 0 or ceiling(bad, requests, high) < needed:
            return 1.0
    while high - low > 1e-4 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if ceiling(bad, requests, middle) >= needed else (middle, high)
    return high


def split(sums: Sums, canary: int, stable: int, share: float, tolerance: float) -> Sums:
    """Add one interval to the test of the split itself (sample ratio mismatch).

    `canary` and `stable` count requests, `share` in (0, 1) is the configured weight. Null: each request
    reaches the canary with odds within `tolerance` (both ways) of share/(1 - share). First half of the
    sums: too many, second half: too few.
    """
    odds = share / (1.0 - share)
    logs = []
    for way in (1.0, -1.0):
        edge = odds * tolerance**way
        logs += [
            canary * way * math.log(ratio)
            - (canary + stable) * (math.log1p(edge * ratio**way) - math.log1p(edge))
            for ratio in ODDS_GRID
        ]
    return tuple(total + log for total, log in zip(sums, logs, strict=True))


def shift(sums: Sums, counts: tuple[int, int], sizes: tuple[int, int], low: float, high: float) -> Sums:
    """Add one interval to the test of one predicted class.

    `counts` are the rows predicted as this class by (stable, canary), `sizes` all their rows. Null: the odds
    ratio canary to stable lies in [low, high]. Predictions are no rare events and the null need not
    contain 1, so the bound of `harm` is not used: given the margins, the canary's count is Fisher's
    noncentral hypergeometric, and the likelihood ratio of two odds ratios is exact:
    r^x P(edge)/P(edge r). Beyond the edge E[r^X] is monotone in the true odds ratio, so each half holds for
    the whole null. First half of the sums: more than `high`, second half: less than `low`.
    """
    stable, canary = counts
    margin = stable + canary
    if margin in (0, sum(sizes)) or 0 in sizes:
        return sums
    logs = []
    for edge, way in ((high, 1.0), (low, -1.0)):
        base = _log_generating(edge, sizes, margin)
        logs += [
            canary * way * math.log(ratio) + base - _log_generating(edge * ratio**way, sizes, margin)
            for ratio in ODDS_GRID
        ]
    return tuple(total + log for total, log in zip(sums, logs, strict=True))


def _log_generating(odds: float, sizes: tuple[int, int], margin: int) -> float:
    """Return log(sum_x C(n_b, x) C(n_a, margin - x) odds^x).

    Terms are summed outward from the largest, each from its neighbour by a ratio, until they no longer
    count: O(sqrt(margin)) of them, as they fall off like a normal density.
    """
    n_a, n_b = sizes
    least, most = max(0, margin - n_a), min(n_b, margin)
    mode = min(max(_mode(odds, n_a, n_b, margin), least), most)
    total, term, x = 1.0, 1.0, mode
    while x < most and term > 1e-17 * total:
        term *= (n_b - x) * (margin - x) * odds / ((x + 1.0) * (n_a - margin + x + 1.0))
        total += term
        x += 1
    term, x = 1.0, mode
    while x > least and term > 1e-17 * total:
        term *= x * (n_a - margin + x) / ((n_b - x + 1.0) * (margin - x + 1.0) * odds)
        total += term
        x -= 1
    return _log_choose(n_b, mode) + _log_choose(n_a, margin - mode) + mode * math.log(odds) + math.log(total)


def _mode(odds: float, n_a: int, n_b: int, margin: int) -> int:
    """Return where the terms peak: the root of t(x) = t(x - 1), a quadratic in x."""
    a = odds - 1.0
    b = (n_b + margin + 2.0) * odds + n_a - margin
    c = (n_b + 1.0) * (margin + 1.0) * odds
    return int(2.0 * c / (b + math.sqrt(max(b * b - 4.0 * a * c, 0.0))))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1.0) - math.lgamma(k + 1.0) - math.lgamma(n - k + 1.0)
