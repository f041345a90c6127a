"""Positions in the route. Envoy counts by position, so a revision keeps its own from canary to stable."""

from collections.abc import Mapping, Sequence


def assign(revisions: Sequence[str], held: Mapping[str, int]) -> tuple[str | None, ...]:
    """Return the revision of each slot, None for a slot that must stay free below an occupied one.

    `held` says which slots the revisions have now. A newcomer gets the lowest free one: with one canary at
    a time two slots serve for ever.
    """
    taken = {held[name]: name for name in revisions if name in held}
    free = (slot for slot in range(len(taken) + len(revisions)) if slot not in taken)
    for name in revisions:
        if name not in taken.values():
            taken[next(free)] = name
    return tuple(taken.get(slot) for slot in range(max(taken) + 1))
