"""Who gets traffic: what was asked for, unless nobody there can answer."""

from collections.abc import Sequence, Set

from serinus_operator.routing.model import Revision


def weights(revisions: Sequence[Revision], ready: Set[str]) -> dict[str, int]:
    """Return the percentage in force of each revision; they sum to 100. The stable one comes first.

    A backend without endpoints answers 503 for its share, so what is not ready gets 0. Its share goes to
    the stable revision; where that is not ready either, to the ready canaries in the ratio asked for. A
    canary that was asked to take nothing takes nothing. With nobody to answer all goes to the stable one.
    """
    asked = {each.name: each.percent for each in revisions}
    able = [each for each in revisions if each.name in ready]
    stable = revisions[0].name
    if stable in ready:
        shares = {name: percent if name in ready else 0 for name, percent in asked.items()}
        return shares | {stable: 100 - sum(share for name, share in shares.items() if name != stable)}
    total = sum(each.percent for each in able)
    if total == 0:
        return dict.fromkeys(asked, 0) | {stable: 100}
    return dict.fromkeys(asked, 0) | _rounded({each.name: each.percent for each in able}, total)


def _rounded(percents: dict[str, int], total: int) -> dict[str, int]:
    """Scale to a sum of 100 in whole numbers: the largest remainders are rounded up."""
    shares = {name: percent * 100 // total for name, percent in percents.items()}
    by_remainder = sorted(percents, key=lambda name: -(percents[name] * 100 % total))
    for name in by_remainder[: 100 - sum(shares.values())]:
        shares[name] += 1
    return shares
