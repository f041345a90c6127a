"""The verdict on a canary: pure, from its evidence so far and one more sample.

Doubt never promotes and missing data never rolls back; harm shown once stays shown.
"""

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

from serinus_operator.rollout import evidence
from serinus_operator.rollout.counters import Sample
from serinus_operator.rollout.explain import number, numbers, odds_against, share
from serinus_operator.rollout.policy import Policy
from serinus_operator.rollout.state import JudgeState, added, matched

Word = Literal["hold", "advance", "promote", "rollback", "inconclusive"]
# Counters older than so many intervals say nothing about now.
_FRESH_INTERVALS = 3


@dataclass(frozen=True)
class Verdict:
    """One verdict, with a sentence for a person and the numbers it rests on.

    hold: wait, evidence is growing. advance: take the next step. promote: positive evidence on all counts.
    rollback: harm beyond tolerance, final. inconclusive: no data, or the deadline is over; the policy
    says what then, and that is never promotion. `weight` is the sample's.
    """

    t: float
    verdict: Word
    weight: int
    reason: str
    evidence: dict[str, Any]


def judge(policy: Policy, state: JudgeState, sample: Sample) -> tuple[JudgeState, Verdict]:
    """Add `sample` to the evidence and say what follows.

    A sample whose time does not follow the one before is ignored: it is a duplicate, or came out of order,
    and older counters would look like a reset.
    """
    state = matched(policy, state, sample)
    if state.last_t is not None and sample.t <= state.last_t:
        reason = f"The sample at t={sample.t:g} does not follow t={state.last_t:g}: ignored."
        if state.failed is not None:
            return state, _verdict(policy, state, sample, "rollback", state.failed)
        return state, _verdict(policy, state, sample, "hold", reason)
    state = added(policy, state, sample)
    word, reason = _decided(policy, state, sample)
    if word == "rollback" and state.failed is None:
        state = replace(state, failed=reason)
    return state, _verdict(policy, state, sample, word, reason)


def _decided(policy: Policy, state: JudgeState, sample: Sample) -> tuple[Word, str]:
    if state.failed is not None:
        return "rollback", state.failed
    if state.split_log_e >= -math.log(policy.split_alpha):
        return "inconclusive", (
            f"Requests do not follow the weight: of {state.split_canary + state.split_stable}, "
            f"{state.split_canary} reached the canary ({odds_against(state.split_log_e)}), so the two arms "
            "cannot be compared."
        )
    if policy.judges_harm():
        harmed = _harm(policy, state, sample.t)
        if harmed is not None:
            return "rollback", harmed
    elif sample.weight:
        return "inconclusive", (
            "The split is sticky and requests are counted: one user's requests are not independent, so a "
            "harm verdict is refused. Count users (units: users), or decide by hand."
        )
    if state.started is None:
        return "hold", "The canary gets no traffic yet."
    waited = sample.t - state.started
    if waited >= policy.deadline_seconds:
        missing = _missing_to_promote(policy, state) or ["the last step"]
        return "inconclusive", (
            f"The deadline of {policy.deadline_seconds:g} s is over; missing: {'; '.join(missing)}."
        )
    silent = sample.t - max(state.started, state.started if state.last_data is None else state.last_data)
    if silent >= policy.no_data_seconds:
        return "inconclusive", f"No canary requests have been counted for {silent:g} s."
    if state.interval_share is None:
        arms = " and ".join(n for n, c in (("stable", sample.stable), ("canary", sample.canary)) if c is None)
        return "hold", f"No counters of {arms} in this sample; they count later."
    following = policy.next_weight(sample.weight)
    missing = _missing_to_advance(policy, state, sample)
    if following is None:
        missing += _missing_to_promote(policy, state)
    if missing:
        return "hold", f"At {sample.weight} %; missing: {'; '.join(missing)}."
    if following is not None:
        return "advance", (
            f"At {sample.weight} % for {sample.t - state.step_since:g} s with {state.step_requests} canary "
            f"requests and no sign of harm: on to {following} %."
        )
    return "promote", _promotion(policy, state)


# Below, signals go in alphabetical order, as they come back from a record: a sentence must not depend on
# the order in which a team wrote its policy.
def _harm(policy: Policy, state: JudgeState, t: float) -> str | None:
    for signal, rate in sorted(state.rates.items()):
        if rate.log_e >= policy.threshold(signal):
            return (
                f"Harm in {signal} at t={t:g}: canary {share(rate.canary, state.total_canary)}, stable "
                f"{share(rate.stable, state.total_stable)}, more than {policy.tolerance:g} times "
                f"({odds_against(rate.log_e)}, needed {number(policy.threshold(signal))})."
            )
    if state.shifts and state.shift_log_e >= policy.threshold("predictions"):
        name, worst = max(state.shifts.items(), key=lambda item: item[1].log_e)
        return (
            f"Predictions shifted at t={t:g}: {name!r} is {share(worst.canary, state.prediction_canary)} of "
            f"the canary's and {share(worst.stable, state.prediction_stable)} of the stable's; its odds "
            f"ratio was expected between {worst.low:.3g} and {worst.high:.3g} "
            f"({odds_against(state.shift_log_e)}, needed {number(policy.threshold('predictions'))})."
        )
    return None


def _missing_to_advance(policy: Policy, state: JudgeState, sample: Sample) -> list[str]:
    if sample.weight == 0:
        return ["traffic (the weight is 0)"]
    missing = []
    if state.step_requests < policy.minimum_requests:
        missing.append(f"canary requests at this step ({state.step_requests} of {policy.minimum_requests})")
    passed = sample.t - state.step_since
    if passed < policy.minimum_seconds:
        missing.append(f"time at this step ({passed:g} of {policy.minimum_seconds:g} s)")
    if state.last_data is None or sample.t - state.last_data > _FRESH_INTERVALS * policy.interval_seconds:
        missing.append("fresh canary requests")
    for signal in sorted(policy.signals):
        log_e = state.shift_log_e if signal == "predictions" else state.rates[signal].log_e
        # Half of the way to a rollback, in logarithms: not the moment to expose more users.
        if log_e >= policy.threshold(signal) / 2:
            missing.append(
                f"calm in {signal} ({odds_against(log_e)}, {number(policy.threshold(signal))} is harm)"
            )
    return missing


def _missing_to_promote(policy: Policy, state: JudgeState) -> list[str]:
    missing = []
    if 0 < state.step < 100 and not state.step_split:
        missing.append("a look at the split at this weight (a step's first interval does not count)")
    for signal, limit in sorted(policy.ceilings.items()):
        rate = state.rates.get(signal)
        if rate is None:
            continue
        if evidence.ceiling(rate.canary, state.total_canary, limit) < -math.log(policy.alpha):
            bound = evidence.upper_bound(rate.canary, state.total_canary, policy.alpha)
            text = f"proof that {signal} are below {limit:.3g} (bound {bound:.3g})"
            if rate.canary > limit * state.total_canary and rate.stable > limit * state.total_stable:
                text += ", stable is above it too"
            missing.append(text)
    if "predictions" in policy.signals:
        if state.expectation is None:
            missing.append("how the models were expected to predict (no expectation is recorded)")
        elif not state.prediction_canary:
            missing.append("counts of predictions by class")
    return missing


def _promotion(policy: Policy, state: JudgeState) -> str:
    shown = []
    for signal, limit in sorted(policy.ceilings.items()):
        if signal in state.rates:
            bound = evidence.upper_bound(state.rates[signal].canary, state.total_canary, policy.alpha)
            shown.append(f"{signal} at most {bound:.3g} (ceiling {limit:g})")
    proof = ", ".join(shown) or "no ceilings were asked for"
    return f"{state.total_canary} canary requests, no harm; {proof}."


def _verdict(policy: Policy, state: JudgeState, sample: Sample, word: Word, reason: str) -> Verdict:
    return Verdict(sample.t, word, sample.weight, reason, numbers(policy, state, sample))
