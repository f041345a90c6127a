"""What the judge says, as a table over streams of counters."""

import math
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.rollouts import EXPECTATIONS, POLICY, SHIFT_POLICY, judged, live

from serinus_contracts.expectation import ScoreExpectation
from serinus_operator.rollout.counters import Counts, Sample
from serinus_operator.rollout.judge import judge
from serinus_operator.rollout.policy import parse_policy
from serinus_operator.rollout.state import JudgeState, expected_shifts


def words(samples, policy=POLICY) -> list[str]:
    return [verdict.verdict for verdict in judged(samples, policy)[1]]


def steady(ticks: int, *, weight: int = 10, per_tick: int = 1000, canary_bad: int = 0, stable_bad: int = 0):
    """Cumulative samples each minute whose split follows the weight exactly."""
    b = per_tick * weight // 100
    return [
        Sample(60.0 * k, weight, Counts(k * (per_tick - b), k * stable_bad), Counts(k * b, k * canary_bad))
        for k in range(1, ticks + 1)
    ]


def test_a_healthy_canary_advances_and_is_promoted_at_the_last_step():
    first = steady(2)
    a, b = first[-1].stable, first[-1].canary
    second = [
        Sample(120.0 + 60 * k, 50, Counts(a.requests + 500 * k), Counts(b.requests + 500 * k)) for k in (1, 2)
    ]
    _, verdicts = judged([*first, *second])
    # A step's first interval does not test the split, and nothing is promoted on an untested one.
    assert [v.verdict for v in verdicts] == ["hold", "advance", "hold", "promote"]
    assert verdicts[1].evidence["step"]["next"] == 50
    assert "a look at the split at this weight" in verdicts[2].reason
    assert "1200 canary requests, no harm" in verdicts[3].reason


def test_a_bad_canary_is_rolled_back_with_figures_and_stays_so():
    bad = steady(3, canary_bad=20, stable_bad=5)
    healthy_after = [Sample(240.0, 10, Counts(3600, 15), Counts(400, 60))]
    state, verdicts = judged(bad + healthy_after)
    assert [v.verdict for v in verdicts] == ["rollback"] * 4
    assert "canary 20 of 100 (20.00%)" in verdicts[0].reason
    assert "stable 5 of 900 (0.56%)" in verdicts[0].reason
    assert verdicts[3].reason == verdicts[0].reason
    assert state.failed == verdicts[0].reason


@pytest.mark.parametrize("policy", [POLICY, parse_policy("steps: [10]\non_inconclusive: rollback\n")])
def test_a_fault_in_both_arms_rolls_nobody_back_and_promotes_nobody(policy):
    _, verdicts = judged(steady(19, canary_bad=30, stable_bad=270), policy)
    assert {v.verdict for v in verdicts} <= {"hold", "advance"}
    at_last = steady(5, weight=50, canary_bad=150, stable_bad=150)
    _, verdicts = judged(at_last)
    assert {v.verdict for v in verdicts} == {"hold"}
    assert "stable is above it too" in verdicts[-1].reason


def test_errors_of_the_first_sample_count():
    assert words([Sample(5.0, 10, Counts(900, 2), Counts(100, 40))]) == ["rollback"]


def test_a_reset_counts_from_zero():
    samples = steady(3)
    after = Sample(240.0, 10, Counts(3600), Counts(60, 30))
    state, verdicts = judged([*samples, after])
    assert verdicts[-1].verdict == "rollback"
    assert state.total_canary == 360
    assert state.rates["errors"].canary == 30


class TestMissingData:
    def test_nulls_hold_then_are_inconclusive_and_never_fail_or_pass(self):
        samples = [*steady(2), *(Sample(120.0 + 30 * k, 10, Counts(9999), None) for k in range(1, 8))]
        verdicts = judged(samples)[1]
        assert [v.verdict for v in verdicts[2:]] == ["hold"] * 3 + ["inconclusive"] * 4
        assert "No counters of canary" in verdicts[2].reason
        assert "No canary requests have been counted for 120 s" in verdicts[5].reason

    def test_from_the_start(self):
        empty = [Sample(60.0 * k, 10, None, None) for k in range(1, 30)]
        assert set(words(empty)) == {"hold", "inconclusive"}

    def test_no_traffic_is_the_same(self):
        idle = [Sample(60.0 * k, 10, Counts(900 * k), Counts(0)) for k in range(1, 30)]
        assert set(words(idle)) == {"hold", "inconclusive"}

    def test_traffic_that_stops_does_not_pass(self):
        stopped = [Sample(100.0, 10, Counts(905), Counts(100)), Sample(170.0, 10, Counts(910), Counts(100))]
        verdict = judged([*steady(1), *stopped], replaced(minimum_seconds=10))[1][-1]
        assert verdict.verdict == "hold"
        assert "fresh canary requests" in verdict.reason

    def test_what_was_missed_counts_later_over_the_same_time_in_both_arms(self):
        whole = steady(4, canary_bad=1, stable_bad=9)
        gap = [whole[0], replace(whole[1], canary=None), replace(whole[2], stable=None), whole[3]]
        state, _ = judged(gap)
        assert state.interval_share == pytest.approx(0.1)
        assert (state.total_stable, state.total_canary) == (3600, 400)
        assert state.rates["errors"].canary == 4

    def test_a_missing_line_gives_the_evidence_of_the_longer_interval(self):
        whole = steady(4, canary_bad=1, stable_bad=9)
        a, _ = judged([whole[0], replace(whole[1], canary=None), whole[2], whole[3]])
        b, _ = judged([whole[0], whole[2], whole[3]])
        assert a.rates == b.rates
        assert a.split == b.split

    def test_a_gap_over_a_change_of_weight_counts_with_the_larger_share(self):
        base = steady(1)
        end = Sample(300.0, 50, Counts(1800, 0), Counts(300, 6))
        mixed, _ = judged([*base, Sample(180.0, 10, None, None), end])
        plain, _ = judged([*base, end])
        assert mixed.interval_share == 0.5 > plain.interval_share
        assert mixed.rates["errors"].log_e < plain.rates["errors"].log_e
        assert mixed.split == base_split(base)  # whose requests followed which weight is unknown

    def test_before_the_canary_was_ever_seen_the_stables_history_is_only_a_baseline(self):
        before = Sample(0.0, 0, Counts(1_000_000, 9_000), None)
        first = Sample(60.0, 10, Counts(1_000_900, 9_000), Counts(100, 0))
        state, verdicts = judged([before, first])
        assert verdicts[0].reason == "The canary gets no traffic yet."
        assert state.interval_share == pytest.approx(0.1)

    @pytest.mark.parametrize("unread", [1, 4, 9])
    def test_a_canary_unread_while_both_arms_fail_is_compared_over_the_same_time(self, unread: int):
        both_failing = steady(9, canary_bad=20, stable_bad=180)
        stable, canary = both_failing[-1].stable, both_failing[-1].canary
        calm = [
            Sample(
                540.0 + 60 * k,
                10,
                replace(stable, requests=stable.requests + 900 * k, errors=stable.errors + 4 * k),
                replace(canary, requests=canary.requests + 100 * k),
            )
            for k in (1, 2)
        ]
        samples = [*both_failing, *calm]
        samples = [replace(s, canary=None) if k < unread else s for k, s in enumerate(samples)]
        state, verdicts = judged(samples)
        assert {v.verdict for v in verdicts[unread:]} == {"advance"}
        assert state.rates["errors"].log_e < 0
        assert state.split_log_e < 0

    def test_a_canary_that_began_late_in_its_unread_time_is_not_blamed_for_what_hit_both_then(self):
        before = [Sample(60.0 * k, 10, Counts(900 * k, 0), None) for k in range(1, 10)]
        burst = Sample(600.0, 10, Counts(9000, 180), Counts(100, 20))
        state, verdicts = judged([*before, burst])
        assert state.interval_share == pytest.approx(0.1)
        assert verdicts[-1].verdict != "rollback"


def base_split(samples):
    return judged(samples)[0].split


def replaced(**fields):
    return msgspec.structs.replace(POLICY, **fields)


@pytest.mark.parametrize("t", [60.0, 59.0, -5.0])
def test_a_time_that_does_not_follow_is_ignored(t: float):
    state, _ = judged(steady(1))
    after, verdict = judge(POLICY, state, Sample(t, 10, Counts(5), Counts(5, 5)))
    assert after == state
    assert (verdict.verdict, "ignored" in verdict.reason) == ("hold", True)
    failed, _ = judged(steady(1, canary_bad=50))
    assert judge(POLICY, failed, Sample(t, 10, None, None))[1].verdict == "rollback"


def test_at_the_deadline_it_is_inconclusive_and_says_what_is_missing():
    slow = [Sample(60.0 * k, 10, Counts(9 * k), Counts(k)) for k in range(1, 25)]
    verdicts = judged(slow)[1]
    assert verdicts[-1].verdict == "inconclusive"
    assert "proof that errors are below 0.05" in verdicts[-1].reason
    assert "promote" not in {v.verdict for v in verdicts}


def test_harm_is_still_seen_after_the_deadline():
    late = [*steady(22), Sample(1380.0, 10, Counts(20_700), Counts(2300, 90))]
    assert words(late)[-2:] == ["inconclusive", "rollback"]


def test_a_split_that_does_not_follow_the_weight_gets_no_verdict():
    off = [Sample(60.0 * k, 10, Counts(700 * k), Counts(300 * k, 90 * k)) for k in range(1, 4)]
    _, verdicts = judged(off)
    assert verdicts[-1].verdict == "rollback"  # the first interval, before the split is tested
    slow = [Sample(60.0 * k, 10, Counts(700 * k), Counts(300 * k, 0)) for k in range(1, 4)]
    verdicts = judged([*slow, Sample(240.0, 10, Counts(2800), Counts(1200, 300))])[1]
    assert [v.verdict for v in verdicts[1:]] == ["inconclusive"] * 3
    assert "of 700" in verdicts[1].reason or "of 1000, 300" in verdicts[1].reason


def test_the_first_interval_of_a_step_says_nothing_about_the_split():
    state, _ = judged(steady(2))
    late = Sample(180.0, 50, Counts(2700), Counts(300))  # still 10 %: the route was slow
    state, verdict = judge(POLICY, state, late)
    assert (verdict.verdict != "inconclusive", state.split_canary) == (True, 100)
    _, verdict = judge(POLICY, state, Sample(240.0, 50, Counts(3600), Counts(400)))
    assert (verdict.verdict, "do not follow the weight" in verdict.reason) == ("inconclusive", True)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"split": "sticky"}, "inconclusive"),
        ({"split": "sticky", "units": "users"}, "rollback"),
        ({}, "rollback"),
    ],
)
def test_a_sticky_split_of_requests_is_refused(fields, expected):
    verdict = judged(steady(1, canary_bad=50), replaced(**fields))[1][-1]
    assert verdict.verdict == expected
    assert ("sticky" in verdict.reason) == (expected == "inconclusive")


def test_growing_evidence_holds_the_step():
    a_little = [*steady(1), Sample(120.0, 10, Counts(1800, 2), Counts(200, 3))]
    verdict = judged(a_little)[1][-1]
    assert verdict.verdict == "hold"
    assert "calm in errors" in verdict.reason


@pytest.mark.parametrize("signal", ["errors", "slow", "invalid"])
def test_each_signal_rolls_back_on_its_own(signal: str):
    canary = Counts(100, **{signal: 60})
    verdict = judged([Sample(60.0, 10, Counts(900), canary)])[1][0]
    assert verdict.verdict == "rollback"
    assert f"Harm in {signal}" in verdict.reason


def test_counters_read_at_two_instants_cannot_exceed_their_requests():
    state, _ = judged([Sample(60.0, 10, Counts(900), Counts(10, 0, 12))])
    assert state.rates["slow"].canary == 10


class TestRevisions:
    def test_evidence_is_kept_across_steps(self):
        state, _ = judged(steady(2, canary_bad=1))
        after, _ = judge(POLICY, state, Sample(180.0, 50, Counts(2300), Counts(700, 2)))
        assert after.total_canary == 700
        assert after.step_requests == 500

    def test_another_revision_starts_anew(self):
        failed, _ = judged([replace(s, revision="a") for s in steady(1, canary_bad=50)])
        assert failed.failed
        after, verdict = judge(POLICY, failed, replace(steady(2)[-1], revision="b"))
        assert (after.failed, after.revision, verdict.verdict) == (None, "b", "hold")

    def test_an_expectation_goes_with_its_revision(self):
        expected = EXPECTATIONS["same"]
        state, _ = judge(POLICY, JudgeState(expectation=expected), replace(steady(1)[0], revision="a"))
        assert state.expectation == expected
        to_b, _ = judge(POLICY, state, replace(steady(2)[-1], revision=expected.canary_revision))
        to_c, _ = judge(POLICY, to_b, replace(steady(3)[-1], revision="c"))
        assert (to_b.expectation, to_c.expectation) == (expected, None)

    def test_a_policy_that_measures_differently_starts_the_evidence_anew(self):
        state, _ = judged(steady(2, canary_bad=1))
        after, _ = judge(replaced(tolerance=2.0), state, steady(3, canary_bad=1)[-1])
        failed, _ = judged(steady(1, canary_bad=50))
        assert judge(replaced(tolerance=2.0), failed, steady(2)[-1])[1].verdict == "rollback"
        assert after.rates["errors"].canary == 1
        assert after.started == state.started
        other, _ = judge(replaced(deadline_seconds=99999), state, steady(3, canary_bad=1)[-1])
        assert other.rates["errors"].canary == 3


class TestPredictions:
    @pytest.mark.parametrize(
        ("expectation", "stable", "canary", "expected"),
        [
            ("same", 0.3, 0.3, "promote"),
            ("same", 0.3, 0.7, "rollback"),  # inverted labels
            ("same", 0.3, 0.0, "rollback"),  # always the same answer
            ("braver", 0.3, 0.5, "promote"),  # predicts differently, as it should
            ("braver", 0.3, 0.3, "rollback"),  # and does not, though it should
        ],
    )
    def test_a_shift_is_judged_against_the_expectation(self, expectation, stable, canary, expected):
        state = JudgeState(expectation=EXPECTATIONS[expectation])
        verdict = judged(live(stable, canary, ticks=12), SHIFT_POLICY, state)[1][-1]
        assert verdict.verdict == expected
        if expected == "rollback":
            assert "Predictions shifted" in verdict.reason
            assert "'yes'" in verdict.reason

    def test_without_an_expectation_or_counts_nothing_is_promoted(self):
        verdict = judged(live(0.3, 0.3), SHIFT_POLICY)[1][-1]
        assert (verdict.verdict, "no expectation is recorded" in verdict.reason) == ("hold", True)
        bare = [replace(s, canary=replace(s.canary, predictions=None)) for s in live(0.3, 0.3)]
        verdict = judged(bare, SHIFT_POLICY, JudgeState(expectation=EXPECTATIONS["same"]))[1][-1]
        assert (verdict.verdict, "counts of predictions" in verdict.reason) == ("hold", True)

    def test_two_classes_are_one_test_and_few_rows_widen_it(self):
        wide = expected_shifts(replace(EXPECTATIONS["same"], rows=100), 1.5)
        narrow = expected_shifts(EXPECTATIONS["same"], 1.5)
        assert list(wide) == list(narrow) == ["yes"]
        assert wide["yes"].low < narrow["yes"].low < 1 / 1.5 < 1.5 < narrow["yes"].high < wide["yes"].high
        three = ScoreExpectation("a", "b", 900, {"x": 0.2, "y": 0.8}, {"x": 0.1, "y": 0.8, "z": 0.1})
        assert list(expected_shifts(three, 1.5)) == ["x", "y", "z"]


arms = st.none() | st.builds(Counts, *(st.integers(0, 30) for _ in range(4)))
samples = st.builds(Sample, st.integers(0, 3000).map(float), st.integers(0, 100), arms, arms)


@settings(max_examples=60, deadline=None)
@given(st.lists(samples, max_size=12))
def test_any_stream_gets_finite_evidence_and_final_failures(given_samples):
    _, verdicts = judged(given_samples)
    for verdict in verdicts:
        for signal in verdict.evidence["signals"].values():
            assert math.isfinite(signal["log_e"])
            assert signal["e_value"] >= 0
    after_failure = [v.verdict for v in verdicts]
    if "rollback" in after_failure:
        assert set(after_failure[after_failure.index("rollback") :]) == {"rollback"}
