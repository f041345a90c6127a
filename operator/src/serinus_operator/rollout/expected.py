"""Which expectation a rollout may be judged by: what `evaluate` recorded is not always to be believed."""

from dataclasses import replace

from serinus_contracts.expectation import ScoreExpectation


def trusted(
    recorded: ScoreExpectation | None, *, stable: str, canary: str, passed: bool
) -> ScoreExpectation | None:
    """Return the expectation to judge live predictions by, None where there is none.

    `stable` and `canary` are the revisions at hand; a record about others says nothing. Where the
    evaluation did not pass (and an override brought the canary here) its own answers are the very thing
    in doubt: the canary is then expected to answer as the stable model does.
    """
    if recorded is None or (recorded.stable_revision, recorded.canary_revision) != (stable, canary):
        return None
    return recorded if passed else replace(recorded, canary=dict(recorded.stable))
