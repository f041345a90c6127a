"""Who gets traffic, as a table and as properties over any mix of percentages and readiness."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus_operator.routing.model import Revision
from serinus_operator.routing.weights import weights

# Percentages of the canaries, who is ready, and what each gets.
CASES = {
    "no canary": ({}, {"stable"}, {"stable": 100}),
    "as asked": ({"next": 30}, {"stable", "next"}, {"stable": 70, "next": 30}),
    "a canary that is not ready gets nothing": ({"next": 30}, {"stable"}, {"stable": 100, "next": 0}),
    "all to the canary": ({"next": 100}, {"stable", "next"}, {"stable": 0, "next": 100}),
    "all to the canary, which is not ready": ({"next": 100}, {"stable"}, {"stable": 100, "next": 0}),
    "all to the canary, the stable one is gone": ({"next": 100}, {"next"}, {"stable": 0, "next": 100}),
    "the stable one is not ready": ({"next": 5}, {"next"}, {"stable": 95, "next": 5}),
    "a canary at 0 never gets traffic": ({"next": 0}, {"next"}, {"stable": 100, "next": 0}),
    "nobody is ready": ({"next": 30}, set(), {"stable": 100, "next": 0}),
    "one of two canaries is ready": (
        {"a": 10, "b": 20},
        {"stable", "b"},
        {"stable": 80, "a": 0, "b": 20},
    ),
    "two canaries without the stable one": ({"a": 10, "b": 20}, {"a", "b"}, {"stable": 70, "a": 10, "b": 20}),
}


def revisions(canaries: dict[str, int]) -> list[Revision]:
    percents = {"stable": 100 - sum(canaries.values()), **canaries}
    return [Revision(name, name, percent) for name, percent in percents.items()]


@pytest.mark.parametrize(("canaries", "ready", "expected"), CASES.values(), ids=CASES.keys())
def test_weights(canaries: dict[str, int], ready: set[str], expected: dict[str, int]):
    assert weights(revisions(canaries), ready) == expected


@given(
    st.lists(st.integers(0, 25), max_size=4),
    st.sets(st.sampled_from(["stable", "c0", "c1", "c2", "c3"])),
)
def test_all_traffic_goes_somewhere_and_a_canary_gets_its_share_or_nothing(
    percents: list[int], ready: set[str]
):
    asked = {f"c{index}": percent for index, percent in enumerate(percents)}
    found = weights(revisions(asked), ready)
    assert sum(found.values()) == 100
    assert min(found.values()) >= 0
    assert {name: found[name] for name in asked} == {
        name: percent if name in ready else 0 for name, percent in asked.items()
    }
