"""Who gets traffic: what was asked for, unless a canary cannot answer."""

from collections.abc import Sequence, Set

from serinus_operator.routing.model import Revision


def weights(revisions: Sequence[Revision], ready: Set[str]) -> dict[str, int]:
    """Return the percentage in force of each revision; they sum to 100. The stable one comes first.

    A backend without endpoints answers 503 for its share, so a canary that is not ready gets 0 and the stable
    revision its share. Never the other way round: a percentage is also the promise that no more users than
    that meet a version which is on trial, and its pods are as many as that share needs.
    """
    stable, *canaries = revisions
    shares = {each.name: each.percent if each.name in ready else 0 for each in canaries}
    return {stable.name: 100 - sum(shares.values()), **shares}
