"""What the judge remembers of one canary, and how one sample is added to it."""

import math
from dataclasses import dataclass, field, replace

from serinus_contracts.expectation import ScoreExpectation
from serinus_operator.rollout import evidence
from serinus_operator.rollout.counters import Counts, Sample, carried, difference
from serinus_operator.rollout.evidence import Sums
from serinus_operator.rollout.policy import RATE_SIGNALS, Policy

# The expectation is an estimate from finitely many rows; its interval widens the tolerance (99 %).
_EXPECTATION_Z = 2.576


@dataclass(frozen=True)
class RateEvidence:
    """One signal: bad requests of both arms so far, and the sums of its harm e-process."""

    stable: int = 0
    canary: int = 0
    sums: Sums = evidence.NO_HARM_YET

    @property
    def log_e(self) -> float:
        """The log e-value against "no worse than tolerated"."""
        return evidence.log_mean_exp(self.sums)


@dataclass(frozen=True)
class ShiftEvidence:
    """One predicted class: rows of both arms so far; the odds ratio must stay within [low, high]."""

    low: float
    high: float
    stable: int = 0
    canary: int = 0
    sums: Sums = evidence.NO_ODDS_YET

    @property
    def log_e(self) -> float:
        """The log e-value against "shifted as expected"."""
        return evidence.log_mean_exp(self.sums)


@dataclass(frozen=True)
class JudgeState:
    """All that the judge knows of one canary (`revision`). Plain numbers: it fits an object's status.

    fingerprint: of the policy fields that the evidence depends on. expectation: how the canary should
    predict. started, step_since, last_t, last_data: times of samples. step, step_requests, step_split: the
    weight being judged, its canary requests, and the requests that tested its split. stable, canary:
    counters of the last complete sample. gap_low, gap_high: least and greatest weight over samples since
    then that lacked an arm. total_*: requests. prediction_*: rows by arm. interval_*: what the newest
    sample added. failed: why it was rolled back; absorbing.
    """

    revision: str = ""
    fingerprint: str = ""
    expectation: ScoreExpectation | None = None
    started: float | None = None
    last_t: float | None = None
    last_data: float | None = None
    step: int = 0
    step_since: float = 0.0
    step_requests: int = 0
    step_split: int = 0
    stable: Counts | None = None
    canary: Counts | None = None
    gap_low: int | None = None
    gap_high: int | None = None
    total_stable: int = 0
    total_canary: int = 0
    rates: dict[str, RateEvidence] = field(default_factory=dict)
    prediction_stable: int = 0
    prediction_canary: int = 0
    shifts: dict[str, ShiftEvidence] = field(default_factory=dict)
    split: Sums = evidence.NO_ODDS_YET
    split_stable: int = 0
    split_canary: int = 0
    interval_stable: Counts | None = None
    interval_canary: Counts | None = None
    interval_share: float | None = None
    failed: str | None = None

    @property
    def split_log_e(self) -> float:
        """The log e-value against "requests follow the weights"."""
        return evidence.log_mean_exp(self.split)

    @property
    def shift_log_e(self) -> float:
        """The mean of the classes' e-values, itself one whatever their dependence, as a logarithm."""
        return evidence.log_mean_exp([shift.log_e for shift in self.shifts.values()] or [0.0])


def matched(policy: Policy, state: JudgeState, sample: Sample) -> JudgeState:
    """Return the state that evidence under this policy, for this revision, may be added to.

    Another revision starts from nothing. A policy that measures differently keeps times, baselines (those
    counters have been seen) and a failure, and starts the evidence anew.
    """
    if sample.revision is not None and sample.revision != state.revision:
        kept = state.expectation
        if kept is not None and state.revision and kept.canary_revision != sample.revision:
            kept = None
        state = replace(JudgeState() if state.revision else state, revision=sample.revision, expectation=kept)
    mark = policy.fingerprint()
    if state.fingerprint == mark:
        return state
    shifts = {}
    if "predictions" in policy.signals and state.expectation is not None:
        shifts = expected_shifts(state.expectation, policy.prediction_tolerance)
    return replace(
        state,
        fingerprint=mark,
        rates={signal: RateEvidence() for signal in RATE_SIGNALS if signal in policy.signals},
        shifts=shifts,
        total_stable=0,
        total_canary=0,
        prediction_stable=0,
        prediction_canary=0,
        split=evidence.NO_ODDS_YET,
        split_stable=0,
        split_canary=0,
    )


def expected_shifts(expectation: ScoreExpectation, tolerance: float) -> dict[str, ShiftEvidence]:
    """Return the odds-ratio bounds of each class around what both models said of the same rows.

    The sampling error of the expected log odds ratio (99 %, taken as if the two models' answers were
    independent, so rather too wide) is added to the tolerance. Two classes mirror each other: one is kept.
    """
    classes = sorted(set(expectation.stable) | set(expectation.canary))
    rows = expectation.rows
    shifts = {}
    for name in classes[-1:] if len(classes) == 2 else classes:
        log_odds, variance = [], 0.0
        for share in (expectation.stable.get(name, 0.0), expectation.canary.get(name, 0.0)):
            hits, misses = share * rows + 0.5, (1.0 - share) * rows + 0.5
            log_odds.append(math.log(hits / misses))
            variance += 1.0 / hits + 1.0 / misses
        expected = math.exp(log_odds[1] - log_odds[0])
        slack = tolerance * math.exp(_EXPECTATION_Z * math.sqrt(variance))
        shifts[name] = ShiftEvidence(low=expected / slack, high=expected * slack)
    return shifts


def added(policy: Policy, state: JudgeState, sample: Sample) -> JudgeState:
    """Return the state with one sample more; `sample.t` follows `state.last_t`.

    A sample that lacks an arm moves no baseline of either: the next complete one is differenced over the
    whole gap in both arms, so that the canary's share of the requests is that of the same time. If the
    weight changed within the gap, or the canary was not read before and so may have served from any
    moment of it on, the largest weight counts as share: more requests explain more errors, so this errs on
    the careful side. Only at weight 0 is a canary never read known to have served nothing.
    """
    before = state.last_t
    state = replace(state, last_t=sample.t, interval_stable=None, interval_canary=None, interval_share=None)
    since = sample.t if before is None else before  # the weight has been in force since the last sample
    moved = sample.weight != state.step or before is None
    if moved:
        state = replace(state, step=sample.weight, step_since=since, step_requests=0, step_split=0)
    if sample.weight and state.started is None:
        state = replace(state, started=since)
    canary = sample.canary
    if canary is None and state.canary is None and state.gap_low is None and sample.weight == 0:
        canary = Counts(predictions={})
    if sample.stable is None or canary is None:
        low = sample.weight if state.gap_low is None else min(state.gap_low, sample.weight)
        high = sample.weight if state.gap_high is None else max(state.gap_high, sample.weight)
        return replace(state, gap_low=low, gap_high=high)
    first = state.stable is None
    d_stable, d_canary = difference(state.stable, sample.stable), difference(state.canary, canary)
    requests = d_stable.requests + d_canary.requests
    share = d_canary.requests / requests if requests else 0.0
    gap = state.gap_low is not None
    mixed = gap and (state.canary is None or not state.gap_low == state.gap_high == sample.weight)
    if mixed:
        share = max(share, sample.weight / 100, (state.gap_high or 0) / 100)
    state = _counted(policy, state, d_stable, d_canary, share)
    # A new weight reaches the proxy a little later than it is written, and a stable arm may come with a
    # history: the first interval of a step says nothing about the split.
    if not (first or moved or mixed) and 0 < sample.weight < 100:
        state = replace(
            state,
            split=evidence.split(
                state.split, d_canary.requests, d_stable.requests, sample.weight / 100, policy.split_tolerance
            ),
            split_stable=state.split_stable + d_stable.requests,
            split_canary=state.split_canary + d_canary.requests,
            step_split=state.step_split + requests,
        )
    paired = sample.stable.predictions is not None and canary.predictions is not None
    return replace(
        state,
        stable=carried(state.stable, sample.stable, keep_predictions=not paired),
        # A canary that was never read keeps its first sample counting from 0.
        canary=None if sample.canary is None else carried(state.canary, canary, keep_predictions=not paired),
        gap_low=None,
        gap_high=None,
        last_data=sample.t if d_canary.requests else state.last_data,
        interval_stable=d_stable,
        interval_canary=d_canary,
        interval_share=share,
    )


def _counted(policy: Policy, state: JudgeState, stable: Counts, canary: Counts, share: float) -> JudgeState:
    rates = {}
    for signal, known in state.rates.items():
        # Counters of one arm are not read in one instant; more bad events than requests cannot be.
        x_a = min(getattr(stable, signal), stable.requests)
        x_b = min(getattr(canary, signal), canary.requests)
        sums = evidence.harm(known.sums, x_b, x_a + x_b, share, policy.tolerance)
        rates[signal] = RateEvidence(known.stable + x_a, known.canary + x_b, sums)
    state = replace(
        state,
        rates=rates,
        total_stable=state.total_stable + stable.requests,
        total_canary=state.total_canary + canary.requests,
        step_requests=state.step_requests + canary.requests,
    )
    if stable.predictions is None or canary.predictions is None:
        return state
    sizes = (sum(stable.predictions.values()), sum(canary.predictions.values()))
    shifts = {}
    for name, seen in state.shifts.items():
        counts = (stable.predictions.get(name, 0), canary.predictions.get(name, 0))
        sums = evidence.shift(seen.sums, counts, sizes, seen.low, seen.high)
        shifts[name] = replace(
            seen, stable=seen.stable + counts[0], canary=seen.canary + counts[1], sums=sums
        )
    return replace(
        state,
        shifts=shifts,
        prediction_stable=state.prediction_stable + sizes[0],
        prediction_canary=state.prediction_canary + sizes[1],
    )
