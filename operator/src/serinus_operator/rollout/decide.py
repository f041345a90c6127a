"""One look at a whole rollout, and what to do now. Level-based: what is observed decides, not what happened.

The order is safe at every point where the operator may die: capacity before weight, weight before
removal, removal only from an arm whose counters stand still. Nothing here reads a clock: `now` comes in.
"""

from collections.abc import Callable
from dataclasses import replace

from serinus_operator.rollout.capacity import capacity, carried
from serinus_operator.rollout.counters import Sample
from serinus_operator.rollout.drain import drained
from serinus_operator.rollout.judge import Verdict, judge
from serinus_operator.rollout.model import (
    Action,
    CreateCandidate,
    Decision,
    DropCandidate,
    Observed,
    Phase,
    Promote,
    RolloutState,
    SetFloor,
    SetWeight,
)
from serinus_operator.rollout.record import Record, make_record
from serinus_operator.rollout.state import JudgeState


def decide(observed: Observed, now: float) -> Decision:
    """Return the actions to apply now, in order, and the state to remember with them.

    `now` is in the same seconds as the samples' `t`. Applying a decision twice, or not at all and asking
    again, does no harm.
    """
    state = observed.state
    if state is None:
        phase = Phase.IDLE if observed.desired == observed.stable.revision else Phase.PENDING
        state = (
            _begun(observed, now) if phase is Phase.PENDING else RolloutState(observed.desired, phase, now)
        )
    return _PHASES[state.phase](observed, state, now)


def _idle(observed: Observed, state: RolloutState, now: float) -> Decision:
    """Nothing is wanted, or only what was rolled back. Asking for the stable one again forgives that."""
    stable = observed.stable.revision
    if observed.desired not in (stable, state.failed):
        return _pending(observed, _begun(observed, now, state.chain, state.failed), now)
    actions = () if observed.canary is None else _unexpected_canary(observed)
    if observed.desired == stable:
        if state.phase is not Phase.IDLE or state.failed is not None:
            state = RolloutState(stable, Phase.IDLE, now, reason=state.reason, chain=state.chain)
        return _decision(observed, state, "UpToDate", f"{stable} serves all traffic.", *actions)
    return _decision(observed, state, "RolledBack", state.reason, *actions)


def _pending(observed: Observed, state: RolloutState, now: float) -> Decision:
    if observed.desired != state.revision:
        return _rolling_back(observed, _retreat(state, now, "Superseded", _superseded(observed, state)), now)
    if observed.canary is None:
        message = f"Candidate {state.revision} is created at weight 0."
        return _decision(observed, state, "CreatingCandidate", message, CreateCandidate(state.revision))
    if observed.canary.revision != state.revision:
        message = f"{observed.canary.revision}, left over, makes room for {state.revision}."
        return _decision(observed, state, "DroppingLeftover", message, *_unexpected_canary(observed))
    state, verdict, record = _judged(observed, state, now)
    if verdict is not None and verdict.verdict == "rollback":
        return _rolling_back(observed, _retreat(state, now, "Harm", verdict.reason), now, verdict, record)
    # A candidate that was at work before and lost its pods has the judge's deadline, not a new one.
    began = state.since if state.judge.started is None else state.judge.started
    first = observed.policy.steps[0]
    floors, lacking = capacity(observed, first)
    unready = observed.canary.ready < 1
    back = (SetWeight(0),) if unready and observed.weight > 0 else ()
    if now - began >= observed.policy.deadline_seconds:
        message = f"{state.revision} was not ready within {observed.policy.deadline_seconds:g} s."
        if observed.policy.on_inconclusive == "rollback":
            return _rolling_back(observed, _retreat(state, now, "NotReady", message), now, verdict, record)
        return _decision(observed, state, "NotReady", message, *back, verdict=verdict, record=record)
    if unready or lacking:
        message = f"{state.revision} has {observed.canary.ready} ready replicas: {lacking or 'none'}."
        return _decision(
            observed, state, "WaitingForReady", message, *floors, *back, verdict=verdict, record=record
        )
    state = replace(state, phase=Phase.PROGRESSING, since=now, weight=first)
    message = f"{state.revision} is ready: {first} % of the traffic."
    return _decision(
        observed, state, "Started", message, *floors, SetWeight(first), verdict=verdict, record=record
    )


def _progressing(observed: Observed, state: RolloutState, now: float) -> Decision:
    if observed.desired != state.revision:
        return _rolling_back(observed, _retreat(state, now, "Superseded", _superseded(observed, state)), now)
    if observed.canary is None or observed.canary.revision != state.revision:
        lost = f"Candidate {state.revision} has disappeared."
        return _rolling_back(observed, _retreat(state, now, "CandidateLost", lost), now)
    state, verdict, record = _judged(observed, state, now)
    word = "hold" if verdict is None else verdict.verdict
    message = (state.reason or "Waiting for counters.") if verdict is None else verdict.reason
    state = replace(state, reason=message)
    give_up = word == "inconclusive" and observed.policy.on_inconclusive == "rollback"
    if word == "rollback" or give_up:
        reason = "Harm" if word == "rollback" else "Inconclusive"
        return _rolling_back(observed, _retreat(state, now, reason, message), now, verdict, record)
    if observed.canary.ready < 1:
        return _podless(observed, state, now, verdict, record)
    target = state.weight
    # A verdict on another weight than the one in force says nothing about the next step.
    if verdict is not None and observed.weight == state.weight == verdict.weight:
        if word == "advance":
            target = observed.policy.next_weight(state.weight) or state.weight
        elif word == "promote":
            target = 100
    floors, lacking = capacity(observed, target)
    if target != observed.weight and lacking:
        message = f"{message} First {lacking}."
        return _decision(
            observed, state, "WaitingForCapacity", message, *floors, verdict=verdict, record=record
        )
    if word == "promote" and target == 100:
        state = replace(state, phase=Phase.PROMOTING, since=now, still=None, still_since=None)
    state = replace(state, weight=target)
    moves = (SetWeight(target),) if observed.weight != target else ()
    return _decision(observed, state, _WORDS[word], message, *floors, *moves, verdict=verdict, record=record)


def _promoting(observed: Observed, state: RolloutState, now: float) -> Decision:
    """Weight 100, the stable arm drains, then one patch. A newer revision waits for the end."""
    if observed.stable.revision == state.revision:
        return _settling(observed, replace(state, phase=Phase.SETTLING, since=now, weight=0), now)
    if observed.canary is None or observed.canary.revision != state.revision:
        lost = f"Candidate {state.revision} has disappeared."
        return _rolling_back(observed, _retreat(state, now, "CandidateLost", lost), now)
    state, verdict, record = _judged(observed, state, now)
    if verdict is not None and verdict.verdict == "rollback":
        return _rolling_back(observed, _retreat(state, now, "Harm", verdict.reason), now, verdict, record)
    if observed.canary.ready < 1:
        return _podless(observed, state, now, verdict, record)
    floors, lacking = capacity(observed, 100)
    if observed.weight != 100:
        if lacking:
            message = f"Before 100 %, {lacking}."
            return _decision(
                observed, state, "WaitingForCapacity", message, *floors, verdict=verdict, record=record
            )
        message = f"{state.revision} gets all traffic; {observed.stable.revision} drains."
        return _decision(
            observed, state, "Promoting", message, *floors, SetWeight(100), verdict=verdict, record=record
        )
    state, waiting = drained(observed, state, now, "stable")
    if waiting:
        return _decision(observed, state, "Draining", waiting, *floors, verdict=verdict, record=record)
    message = f"{observed.stable.revision} has drained: {state.revision} becomes the stable version."
    return _decision(
        observed,
        state,
        "Promoting",
        message,
        *floors,
        Promote(state.revision),
        verdict=verdict,
        record=record,
    )


def _podless(
    observed: Observed, state: RolloutState, now: float, verdict: Verdict | None, record: Record | None
) -> Decision:
    """No pod of the candidate takes requests, so its share would be lost, and counted in neither arm. That
    is no evidence of harm (a node may have been drained): the share goes back until there are pods again."""
    state = replace(state, phase=Phase.PENDING, since=now, weight=0)
    message = f"{state.revision} has no ready replica left; its share goes back to the stable version."
    moves = (SetWeight(0),) if observed.weight > 0 else ()
    return _decision(observed, state, "CandidateNotReady", message, *moves, verdict=verdict, record=record)


def _settling(observed: Observed, state: RolloutState, now: float) -> Decision:
    """The candidate is the stable arm now; its floor comes down when its pods carry the load."""
    if observed.stable.ready < observed.load_replicas:
        message = f"{state.revision} has {observed.stable.ready} of {observed.load_replicas} replicas ready."
        return _decision(observed, state, "Settling", message)
    actions: tuple[Action, ...] = ()
    if observed.stable.floor != observed.stable.minimum:
        actions = (SetFloor(observed.stable.revision, observed.stable.minimum),)
    state = RolloutState(state.revision, Phase.IDLE, now, reason="Promoted", chain=state.chain)
    message = f"{state.revision} was promoted and serves all traffic."
    return _decision(observed, state, "Promoted", message, *actions)


def _rolling_back(
    observed: Observed,
    state: RolloutState,
    now: float,
    verdict: Verdict | None = None,
    record: Record | None = None,
) -> Decision:
    """Weight 0 as far as the stable arm can carry it, drain, drop. Then, or never, the next candidate."""

    def done(reason: str, message: str, *actions: Action) -> Decision:
        return _decision(observed, state, reason, message, *actions, verdict=verdict, record=record)

    if observed.weight > 0:
        weight = carried(observed)
        floors: tuple[Action, ...] = ()
        if observed.stable.ready < observed.load_replicas and observed.stable.floor < observed.load_replicas:
            floors = (SetFloor(observed.stable.revision, observed.load_replicas),)
        state = replace(state, weight=weight, still=None, still_since=None)
        if weight == 0:
            return done("RollingBack", state.reason, *floors, SetWeight(0))
        text = f"{state.reason} The stable arm carries {100 - weight} % so far."
        moves = (SetWeight(weight),) if weight < observed.weight else ()
        return done("WaitingForCapacity", text, *floors, *moves)
    if observed.canary is not None:
        state, waiting = drained(observed, state, now, "canary")
        if waiting:
            return done("Draining", f"{state.reason} {waiting}")
        return done("RollingBack", state.reason, DropCandidate(observed.canary.revision))
    actions: tuple[Action, ...] = ()
    if observed.stable.floor != observed.stable.minimum:
        actions = (SetFloor(observed.stable.revision, observed.stable.minimum),)
    if observed.desired not in (state.failed, observed.stable.revision):
        following = _begun(observed, now, state.chain, state.failed)
        message = f"{state.reason} Now {observed.desired}."
        return _decision(observed, following, "Superseded", message, verdict=verdict, record=record)
    phase = Phase.ROLLED_BACK if observed.desired == state.failed else Phase.IDLE
    state = replace(state, phase=phase, since=now, weight=0, judge=JudgeState())
    return done("RolledBack", state.reason, *actions)


def _begun(observed: Observed, now: float, chain: str = "", failed: str | None = None) -> RolloutState:
    fresh = JudgeState(revision=observed.desired, expectation=observed.expectation)
    return RolloutState(observed.desired, Phase.PENDING, now, judge=fresh, chain=chain, failed=failed)


def _retreat(state: RolloutState, now: float, reason: str, message: str) -> RolloutState:
    failed = state.failed if reason == "Superseded" else state.revision
    return replace(
        state, phase=Phase.ROLLING_BACK, since=now, weight=0, reason=message, failed=failed, still=None,
        still_since=None,
    )  # fmt: skip


def _superseded(observed: Observed, state: RolloutState) -> str:
    return f"{state.revision} is withdrawn: {observed.desired} is wanted now."


def _unexpected_canary(observed: Observed) -> tuple[Action, ...]:
    assert observed.canary is not None
    if observed.weight > 0:
        return (SetWeight(carried(observed)),)
    return (DropCandidate(observed.canary.revision),)


def _judged(
    observed: Observed, state: RolloutState, now: float
) -> tuple[RolloutState, Verdict | None, Record | None]:
    """Judge the newest sample once. An older one, seen again, brings nothing and leaves no record; but
    where none has come for as long as the policy bears, that itself is judged."""
    sample = observed.sample
    last = state.judge.last_t
    if sample is None or (last is not None and sample.t <= last):
        if now - (state.since if last is None else last) < observed.policy.no_data_seconds:
            return state, None, None
        sample = Sample(t=now, weight=observed.weight, stable=None, canary=None)
    after, verdict = judge(observed.policy, state.judge, sample)
    record = make_record(observed.policy, state.judge, sample, verdict, state.chain)
    return replace(state, judge=after, chain=record.digest), verdict, record


_PHASES: dict[Phase, Callable[[Observed, RolloutState, float], Decision]] = {
    Phase.IDLE: _idle,
    Phase.PENDING: _pending,
    Phase.PROGRESSING: _progressing,
    Phase.PROMOTING: _promoting,
    Phase.SETTLING: _settling,
    Phase.ROLLING_BACK: _rolling_back,
    Phase.ROLLED_BACK: _idle,
}


def _decision(
    observed: Observed,
    state: RolloutState,
    reason: str,
    message: str,
    *actions: Action,
    verdict: Verdict | None = None,
    record: Record | None = None,
) -> Decision:
    resting = state.phase in (Phase.IDLE, Phase.ROLLED_BACK) and not actions
    wait = None if resting else observed.policy.interval_seconds
    return Decision(actions, state, reason, message, wait, verdict, record)


_WORDS = {"hold": "Holding", "inconclusive": "Inconclusive", "advance": "Advancing", "promote": "Promoting"}
