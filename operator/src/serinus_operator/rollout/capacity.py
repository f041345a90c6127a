"""The capacity invariant: no version gets traffic that its ready replicas do not cover."""

import math

from serinus_operator.rollout.model import Action, Arm, Observed, SetFloor


def capacity(observed: Observed, weight: int) -> tuple[tuple[Action, ...], str]:
    """Return floors to raise before the canary gets `weight` percent, and what is not ready yet, or "".

    The stable arm keeps a floor for the whole load until the end, so a rollback never waits for pods.
    """
    actions: list[Action] = []
    lacking = []
    shares = [(observed.stable, 100)] if weight < 100 else []
    for arm, share in [*shares, *([(observed.canary, weight)] if observed.canary else [])]:
        needed = max(arm.minimum, math.ceil(observed.load_replicas * share / 100))
        if arm.floor < needed:
            actions.append(SetFloor(arm.revision, needed))
        covers = max(1, math.ceil(observed.load_replicas * _traffic(observed, arm, weight) / 100))
        if arm.ready < covers:
            lacking.append(f"{arm.revision} needs {covers} ready replicas and has {arm.ready}")
    return tuple(actions), " and ".join(lacking)


def _traffic(observed: Observed, arm: Arm, weight: int) -> int:
    return 100 - weight if arm is observed.stable else weight


def carried(observed: Observed) -> int:
    """Return the least canary weight that leaves the stable arm no more than its ready replicas carry.

    A canary without ready replicas carries nothing, so then all goes back at once."""
    if observed.canary is None or observed.canary.ready < 1:
        return 0
    carried = observed.stable.ready * 100 // max(observed.load_replicas, 1)
    return min(observed.weight, max(0, 100 - carried))
