"""The e-processes against exact arithmetic: rational numbers and complete enumeration."""

import math
from decimal import Decimal, localcontext
from fractions import Fraction
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serinus_operator.rollout import evidence


def generating(t: Fraction, n_a: int, n_b: int, margin: int) -> Fraction:
    """sum_x C(n_b, x) C(n_a, margin - x) t^x, exactly."""
    terms = range(max(0, margin - n_a), min(margin, n_b) + 1)
    return sum((comb(n_b, x) * comb(n_a, margin - x) * t**x for x in terms), Fraction(0))


def exact_log(value: Fraction) -> float:
    return math.log(value.numerator) - math.log(value.denominator)


def mean_under(odds: Fraction, n_a: int, n_b: int, margin: int, e_value) -> float:
    """Expected e_value(x) when x is Fisher's noncentral hypergeometric."""
    total = generating(odds, n_a, n_b, margin)
    return math.fsum(
        float(comb(n_b, x) * comb(n_a, margin - x) * odds**x / total) * e_value(x)
        for x in range(max(0, margin - n_a), min(margin, n_b) + 1)
    )


intervals = st.tuples(st.integers(0, 40), st.integers(0, 20), st.integers(0, 40), st.integers(0, 20)).map(
    lambda v: (v[0] + v[2], v[1] + v[3], v[2], v[3])  # n_a, n_b, x_a, x_b
)


@settings(deadline=None, max_examples=30)
@given(st.lists(intervals, max_size=5), st.sampled_from([1, Fraction(6, 5), 2]))
def test_harm_equals_exact_rational_arithmetic(ticks, tolerance):
    sums = evidence.NO_HARM_YET
    exact = [Fraction(1)] * len(evidence.GRID)
    for n_a, n_b, x_a, x_b in ticks:
        share = Fraction(n_b, n_a + n_b) if n_a + n_b else Fraction(0)
        bad = x_a + x_b
        sums = evidence.harm(sums, x_b, bad, float(share), float(tolerance))
        for k, ratio in enumerate(map(Fraction, evidence.GRID)):
            base = (1 + share * (tolerance - 1)) / (1 + share * (tolerance * ratio - 1))
            exact[k] *= ratio**x_b * base**bad
    with localcontext(prec=60):
        mean = sum(Decimal(e.numerator) / Decimal(e.denominator) for e in exact) / len(exact)
        expected = float(mean.ln())
    assert evidence.log_mean_exp(sums) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("n_a", "n_b"), [(9, 1), (20, 10), (5, 5), (3, 7), (40, 5)])
@pytest.mark.parametrize("tolerance", [Fraction(1), Fraction(6, 5), Fraction(3)])
def test_harm_does_not_grow_on_average_even_when_bad_events_are_common(n_a, n_b, tolerance):
    """Complete enumeration over x, at the edge of the null and inside it, for every number of bad events."""
    share = n_b / (n_a + n_b)
    for margin in range(1, n_a + n_b + 1):

        def e_value(x: int, margin: int = margin) -> float:
            sums = evidence.harm(evidence.NO_HARM_YET, x, margin, share, float(tolerance))
            return math.exp(evidence.log_mean_exp(sums))

        for true_odds in (tolerance, (1 + tolerance) / 2, Fraction(1, 2)):
            assert mean_under(true_odds, n_a, n_b, margin, e_value) <= 1 + 1e-9


@pytest.mark.parametrize(("low", "high"), [(0.5, 2.0), (2.0, 4.0), (0.1, 0.3)])
def test_a_shift_test_is_exact_for_any_interval_of_odds_ratios(low: float, high: float):
    """Also where 1 is not within the null, as for a model that is expected to predict otherwise."""
    for n_a, n_b in [(12, 8), (30, 3), (4, 9)]:
        for margin in range(1, n_a + n_b):

            def e_value(x: int, sizes=(n_a, n_b), margin: int = margin) -> float:
                sums = evidence.shift(evidence.NO_ODDS_YET, (margin - x, x), sizes, low, high)
                return math.exp(evidence.log_mean_exp(sums))

            for odds in (low, high, math.sqrt(low * high)):
                assert mean_under(Fraction(odds), n_a, n_b, margin, e_value) <= 1 + 1e-9


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(0, 60), st.data(), st.floats(0.01, 100))
def test_the_generating_function_equals_the_exact_sum(n_a, n_b, data, odds):
    margin = data.draw(st.integers(0, n_a + n_b))
    exact = exact_log(generating(Fraction(odds), n_a, n_b, margin))
    assert evidence._log_generating(odds, (n_a, n_b), margin) == pytest.approx(exact, abs=1e-8)


def test_the_split_test_is_exact_for_binomial_counts():
    for share in (0.05, 0.3, 0.9):
        for odds_off in (1.0, 1.25, 0.8):
            odds = share / (1 - share) * odds_off
            p = odds / (1 + odds)
            mean = math.fsum(
                comb(12, x) * p**x * (1 - p) ** (12 - x)
                * math.exp(
                    evidence.log_mean_exp(evidence.split(evidence.NO_ODDS_YET, x, 12 - x, share, 1.25))
                )
                for x in range(13)
            )  # fmt: skip
            assert mean <= 1 + 1e-9


def test_the_ceiling_test_is_exact_for_binomial_counts():
    for limit in (0.01, 0.2):
        for p in (limit, limit * 1.5):
            mean = math.fsum(
                comb(30, x) * p**x * (1 - p) ** (30 - x) * math.exp(evidence.ceiling(x, 30, limit))
                for x in range(31)
            )
            assert mean <= 1 + 1e-9


def test_what_cannot_tell_arms_apart_is_no_evidence():
    for share, bad_b, bad in [(0.0, 0, 7), (1.0, 7, 7), (0.3, 0, 0)]:
        sums = evidence.harm(evidence.NO_HARM_YET, bad_b, bad, share, 1.2)
        assert evidence.log_mean_exp(sums) == pytest.approx(0.0, abs=1e-12)
    assert evidence.shift(evidence.NO_ODDS_YET, (5, 0), (9, 0), 0.5, 2.0) == evidence.NO_ODDS_YET
    assert evidence.shift(evidence.NO_ODDS_YET, (9, 3), (9, 3), 0.5, 2.0) == evidence.NO_ODDS_YET


@settings(deadline=None)
@given(st.integers(1, 50), st.data(), st.floats(0.01, 0.99))
def test_harm_grows_with_canary_errors_and_falls_with_stable_ones(bad, data, share):
    x = data.draw(st.integers(0, bad - 1))

    def log_e(canary: int, stable: int) -> float:
        return evidence.log_mean_exp(evidence.harm(evidence.NO_HARM_YET, canary, canary + stable, share, 1.2))

    assert log_e(x + 1, bad - x - 1) > log_e(x, bad - x)
    assert log_e(x, bad - x + 1) < log_e(x, bad - x)


@settings(deadline=None)
@given(st.integers(1, 5000), st.data(), st.floats(0.001, 0.2))
def test_the_upper_bound_is_where_the_ceiling_test_begins_to_reject(requests, data, alpha):
    bad = data.draw(st.integers(0, requests))
    bound = evidence.upper_bound(bad, requests, alpha)
    assert bad / requests <= bound <= 1.0
    if bound < 1.0:
        assert evidence.ceiling(bad, requests, bound) >= -math.log(alpha)
        assert evidence.ceiling(bad, requests, bound * (1 - 2e-4)) <= -math.log(alpha)


def test_an_upper_bound_without_data_says_nothing():
    assert evidence.upper_bound(0, 0, 0.05) == 1.0
    assert evidence.upper_bound(3, 3, 0.05) == 1.0


@pytest.mark.parametrize(("limit", "rule_of_three"), [(0.05, 60), (0.02, 150), (0.01, 300)])
def test_zero_errors_need_little_more_than_the_rule_of_three(limit: float, rule_of_three: int):
    needed = next(n for n in range(1, 9999) if evidence.ceiling(0, n, limit) >= math.log(20))
    assert rule_of_three <= needed <= 1.25 * rule_of_three


def test_large_counts_stay_finite():
    sums = evidence.harm(evidence.NO_HARM_YET, 10**6, 10**6, 0.01, 1.2)
    assert evidence.e_value(evidence.log_mean_exp(sums)) == math.exp(evidence.LOG_LARGEST)
    sums = evidence.shift(evidence.NO_ODDS_YET, (90_000, 9_000), (100_000, 100_000), 0.9, 1.1)
    assert all(math.isfinite(value) for value in sums)
