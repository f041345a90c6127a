"""What is held after an event of a watch."""

import pytest

from serinus_agents.api import ApiError
from serinus_agents.watching import apply

A = {"metadata": {"namespace": "n", "name": "a"}}
HELD = {("n", "a"): A}


@pytest.mark.parametrize(
    ("kind", "item", "after"),
    [
        ("ADDED", {"metadata": {"name": "b"}}, {**HELD, ("", "b"): {"metadata": {"name": "b"}}}),
        ("MODIFIED", {**A, "spec": 1}, {("n", "a"): {**A, "spec": 1}}),
        ("DELETED", A, {}),
        ("DELETED", {"metadata": {"name": "unknown"}}, HELD),
        ("BOOKMARK", {"metadata": {"resourceVersion": "7"}}, HELD),
    ],
)
def test_an_event_makes_a_new_state_and_leaves_the_old_one_as_it_was(kind: str, item: dict, after: dict):
    held = dict(HELD)
    assert apply(held, {"type": kind, "object": item}) == after
    assert held == HELD


def test_an_error_is_raised_with_its_code():
    gone = {"type": "ERROR", "object": {"code": 410, "reason": "Expired", "message": "too old"}}
    with pytest.raises(ApiError, match="Expired: too old") as raised:
        apply(HELD, gone)
    assert raised.value.status == 410
