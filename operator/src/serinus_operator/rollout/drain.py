"""When an arm that lost its traffic may be removed."""

from dataclasses import replace

from serinus_operator.rollout.model import Observed, RolloutState


def drained(observed: Observed, state: RolloutState, now: float, loser: str) -> tuple[RolloutState, str]:
    """Return why the losing arm may not be removed yet, or "".

    Nothing in the API says that the proxy has taken a weight over, so its counter must have stood still for
    the drain time. A counter that has vanished stands still too: the proxy removed the cluster.
    """
    counts = None if observed.sample is None else getattr(observed.sample, loser)
    seen = -1 if counts is None else counts.requests
    if state.still_since is None or seen != state.still:
        state = replace(state, still=seen, still_since=now)
    passed = now - (state.still_since or 0.0)
    if passed < observed.policy.drain_seconds:
        return state, f"Draining: {loser} still for {passed:g} of {observed.policy.drain_seconds:g} s."
    return state, ""
