"""The drift mathematics against exact answers, simulation and scipy."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from serinus_contracts.reference import CategoryReference, NumericReference
from serinus_jobs import drift_stats as ds


def numeric(values, missing=0):
    quantiles = tuple(float(q) for q in np.quantile(values, np.linspace(0, 1, 101))) if len(values) else ()
    mean, std = (float(np.mean(values)), float(np.std(values))) if len(values) else (0.0, 0.0)
    return NumericReference("x", len(values), missing, mean, std, quantiles)


def draw(kind, generator, size, shift=0.0):
    if kind == "normal":
        return generator.normal(shift, 1, size)
    if kind == "poisson":
        return generator.poisson(1.5 + shift, size).astype(float)
    if kind == "zeros":
        return np.where(generator.random(size) < 0.9 - shift, 0.0, generator.exponential(1, size))
    return generator.integers(0, 2, size).astype(float) + (generator.random(size) < shift)


@pytest.mark.parametrize("kind", ["normal", "poisson", "zeros", "coin"])
@pytest.mark.parametrize("shift", [0.0, 0.3])
@pytest.mark.parametrize("rows", [150, 4000])
def test_the_distance_proven_by_percentiles_is_never_above_the_exact_one_and_close_to_it(kind, shift, rows):
    generator = np.random.default_rng(rows)
    before, live = draw(kind, generator, 3000), draw(kind, generator, rows, shift)
    exact = float(ks_2samp(before, live).statistic)

    found = ds.compare_numbers(numeric(before), live, 0.1).distance

    assert exact - 0.0125 <= found <= exact


@pytest.mark.parametrize("rows", [100, 1_000, 10_000, 100_000])
@pytest.mark.parametrize("kind", ["normal", "poisson", "zeros", "coin"])
def test_a_stable_stream_is_silent_at_any_size(kind, rows):
    generator = np.random.default_rng(7)
    for _ in range(5):
        reference = numeric(draw(kind, generator, 2000))
        p_value = ds.compare_numbers(reference, draw(kind, generator, rows), 0.1).p_value
        assert p_value > 0.01


@pytest.mark.parametrize(("rows", "shift"), [(500, 0.8), (2_000, 0.5), (100_000, 0.4)])
def test_a_shift_beyond_the_threshold_is_found(rows, shift):
    generator = np.random.default_rng(1)
    reference = numeric(generator.normal(0, 1, 5000))

    found = ds.compare_numbers(reference, generator.normal(shift, 1, rows), 0.1)

    assert found.p_value < 0.001
    assert found.details["mean_shift"] == pytest.approx(shift, abs=0.1)
    assert found.details["psi"] > found.details["psi_by_chance"]
    assert 0 < found.details["jensen_shannon"] < 1


@pytest.mark.parametrize(("n", "m"), [(100, 100), (400, 3000), (5000, 500)])
def test_the_level_holds_where_the_true_effect_equals_the_threshold(n, m):
    """Uniform against uniform moved by 0.1: their Kolmogorov-Smirnov distance is 0.1 on 90 % of the line,
    which is as bad as it gets."""
    generator = np.random.default_rng(3)
    wrong = 0
    for _ in range(600):
        reference = numeric(generator.random(m))
        wrong += ds.compare_numbers(reference, generator.random(n) + 0.1, 0.1).p_value < 0.05

    assert wrong / 600 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 600)


def test_the_bound_is_the_tail_of_the_sum_of_two_suprema():
    generator = np.random.default_rng(0)
    n, m, excess = 300, 900, 0.1

    def supremum(rows):
        drawn = np.sqrt(-np.log(generator.random(1_000_000)) / (2 * rows))
        return np.maximum(drawn, math.sqrt(math.log(2) / (2 * rows)))

    simulated = 2 * float(np.mean(supremum(n) + supremum(m) >= excess))

    assert ds.ks_relevance(excess, n, m) == pytest.approx(simulated, rel=0.05)


@pytest.mark.parametrize("missing_now", [0.0, 0.4, 1.0])
def test_missing_values_are_part_of_the_distribution(missing_now):
    generator = np.random.default_rng(5)
    live = generator.normal(0, 1, 2000)
    live[: int(2000 * missing_now)] = np.nan
    reference = numeric(generator.normal(0, 1, 1800), missing=200)

    found = ds.compare_numbers(reference, live, 0.1)

    assert found.distance == pytest.approx(abs(missing_now - 0.1), abs=0.03)
    assert found.details["missing"] == missing_now
    assert found.details["missing_reference"] == pytest.approx(0.1)


def test_a_reference_of_missing_values_only_compares_the_missing_share():
    found = ds.compare_numbers(numeric([], missing=500), np.ones(800), 0.1)

    assert found.distance == pytest.approx(1.0, abs=0.01)
    assert found.p_value < 1e-6


@pytest.mark.parametrize(
    ("counts", "missing", "distance"),
    [
        ({"a": 500, "b": 500}, 0, 0.0),
        ({"a": 800, "b": 200}, 0, 0.3),
        ({"a": 400, "b": 400, "new": 100, "newer": 100}, 0, 0.2),
        ({"a": 350, "b": 350}, 300, 0.3),
    ],
)
def test_categories_compare_by_total_variation(counts, missing, distance):
    reference = CategoryReference("c", 10_000, 0, {"a": 5000, "b": 5000})

    found = ds.compare_categories(reference, counts, missing, 0.1)

    assert found.distance == pytest.approx(distance)
    assert (found.p_value < 0.01) == (distance >= 0.2)
    assert (found.details["p_no_difference"] < 0.01) == (distance > 0)


def test_the_level_of_total_variation_holds_at_the_threshold():
    generator = np.random.default_rng(4)
    names = list("abcd")
    wrong = 0
    for _ in range(600):
        then = generator.multinomial(400, [0.25] * 4)
        now = generator.multinomial(300, [0.3, 0.3, 0.2, 0.2])
        reference = CategoryReference("c", 400, 0, dict(zip(names, map(int, then), strict=True)))
        counts = dict(zip(names, map(int, now), strict=True))
        wrong += ds.compare_categories(reference, counts, 0, 0.1).p_value < 0.05

    assert wrong / 600 <= 0.05


@pytest.mark.parametrize("counts", [{}, {"a": 0}])
def test_no_live_rows_say_nothing(counts):
    found = ds.compare_categories(CategoryReference("c", 10, 0, {"a": 10}), counts, 0, 0.1)

    assert (found.distance, found.p_value) == (0.0, 1.0)


def test_no_live_numbers_say_nothing():
    found = ds.compare_numbers(numeric(np.arange(100.0)), np.array([]), 0.1)

    assert found.p_value == 1.0


def test_one_category_has_no_chi_square():
    found = ds.compare_categories(CategoryReference("c", 100, 0, {"a": 100}), {"a": 90}, 0, 0.1)

    assert found.details["p_no_difference"] == 1.0


@pytest.mark.parametrize(
    ("units", "expected"),
    [([], 0.0), (["a", "b", "c"], 3.0), (["a"] * 100, 1.0), (["a", "a", "a", "b"], 1.6)],
)
def test_rows_of_one_entity_are_worth_less(units, expected):
    assert ds.effective_rows(units) == pytest.approx(expected)


def test_repeated_entities_weaken_the_evidence():
    generator = np.random.default_rng(2)
    reference, live = numeric(generator.normal(0, 1, 5000)), generator.normal(0.6, 1, 2000)

    free = ds.compare_numbers(reference, live, 0.1).p_value
    clustered = ds.compare_numbers(reference, live, 0.1, effective=20).p_value

    assert free < 1e-6 < 0.5 < clustered


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
@settings(max_examples=100, deadline=None)
def test_q_values_keep_the_order_and_the_steps_of_benjamini_and_hochberg(p_values):
    q_values = ds.q_values(p_values)
    m, ranked = len(p_values), sorted(p_values)
    for rate in (0.01, 0.1, 0.5):
        passing = [i + 1 for i, p in enumerate(ranked) if p * (m / (i + 1)) < rate]
        assert sum(q < rate for q in q_values) == max(passing, default=0)
    assert all(q >= p for p, q in zip(p_values, q_values, strict=True))


def test_drift_needs_evidence_effect_and_rows():
    def comparison(name, distance, p_value):
        return ds.Comparison(name, "kolmogorov-smirnov", distance, 0.1, p_value, {})

    tests = [comparison("strong", 0.4, 1e-9), comparison("weak", 0.2, 0.2), comparison("none", 0.02, 1.0)]

    assert [each.drifted for each in ds.decide(tests, 0.01)] == [True, False, False]
    assert not any(each.drifted for each in ds.decide(tests, 0.01, enough=False))
    assert ds.decide([], 0.01) == []
