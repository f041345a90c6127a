"""Which expectation a rollout is judged by."""

import pytest

from serinus_contracts.expectation import ScoreExpectation
from serinus_operator.rollout.expected import trusted

RECORDED = ScoreExpectation("old", "new", 1000, {"no": 0.8, "yes": 0.2}, {"no": 0.3, "yes": 0.7})


@pytest.mark.parametrize(
    ("recorded", "stable", "canary", "passed", "expected_yes"),
    [
        (RECORDED, "old", "new", True, 0.7),
        (RECORDED, "old", "new", False, 0.2),
        (RECORDED, "older", "new", True, None),
        (RECORDED, "old", "newer", True, None),
        (None, "old", "new", True, None),
    ],
    ids=["passed", "refused and overridden", "another champion", "another canary", "nothing recorded"],
)
def test_an_evaluation_that_failed_says_nothing_good_about_its_own_model(
    recorded, stable, canary, passed, expected_yes
):
    found = trusted(recorded, stable=stable, canary=canary, passed=passed)
    assert (None if found is None else found.canary["yes"]) == expected_yes
