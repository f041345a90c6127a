"""How champion and challenger answer the same newest data, before any traffic is split.

A better model may well predict differently, so the live shift between two arms is judged against
this expectation, not against zero.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class ScoreExpectation:
    """Shares of each predicted class on the same `rows` rows, in [0, 1], by class label.

    `stable` is the champion (its revision in `stable_revision`), `canary` the challenger.
    """

    stable_revision: str
    canary_revision: str
    rows: int
    stable: dict[str, float]
    canary: dict[str, float]
