import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serinus_operator.rollout.counters import CounterError, Counts, carried, difference, parse_line

GOOD = {
    "t": 60,
    "weight": 10,
    "stable": {"requests": 900, "errors": 4, "slow": 9, "invalid": 0},
    "canary": {"requests": 100, "errors": 0, "slow": 1, "invalid": 0, "predictions": {"no": 70, "yes": 30}},
}


def changed(path: str, value: object) -> str:
    document = json.loads(json.dumps(GOOD))
    *parents, last = path.split(".")
    target = document
    for name in parents:
        target = target[name]
    if value is KeyError:
        del target[last]
    else:
        target[last] = value
    return json.dumps(document)


def test_the_issues_line_is_read():
    sample = parse_line(json.dumps(GOOD), 1)
    assert (sample.t, sample.weight, sample.revision) == (60.0, 10, None)
    assert sample.stable == Counts(900, 4, 9, 0)
    assert sample.canary == Counts(100, 0, 1, 0, {"no": 70, "yes": 30})


def test_null_arms_and_floats_that_are_whole():
    assert parse_line(changed("canary", None), 1).canary is None
    assert parse_line(changed("stable.requests", 900.0), 1).stable == Counts(900, 4, 9, 0)
    assert parse_line(changed("revision", "abc"), 1).revision == "abc"


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "object"),
        (changed("t", KeyError), "t: missing"),
        (changed("t", "60"), "t:"),
        (changed("t", True), "t:"),
        (changed("t", float("nan")), "t:"),
        (changed("t", float("inf")), "t:"),
        (changed("t", 10**400), "t:"),
        (changed("weight", 101), "weight"),
        (changed("weight", -1), "weight"),
        (changed("weight", 10.5), "weight"),
        (changed("weight", None), "weight"),
        (changed("canary", KeyError), "canary: missing"),
        (changed("canary", []), "canary"),
        (changed("canary.errors", KeyError), "canary.errors: missing"),
        (changed("canary.errors", -1), "canary.errors"),
        (changed("canary.errors", "0"), "canary.errors"),
        (changed("canary.errors", float("nan")), "canary.errors"),
        (changed("canary.errors", 101), "canary.errors"),
        (changed("canary.requests", 2**60), "canary.requests"),
        (changed("canary.predictions", [1]), "canary.predictions"),
        (changed("canary.predictions.yes", -3), "canary.predictions.yes"),
        (changed("stable.eror", 1), "stable.eror"),
        (changed("wieght", 1), "wieght"),
        (changed("revision", 3), "revision"),
    ],
)
def test_a_malformed_line_names_line_and_field(text: str, field: str):
    with pytest.raises(CounterError, match=r"c\.jsonl line 7: ") as raised:
        parse_line(text, 7, "c.jsonl")
    assert field in str(raised.value)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, Counts(10, 1), Counts(10, 1)),  # an occupancy's first sample counts from 0
        (Counts(10, 1), Counts(15, 1), Counts(5, 0)),
        (Counts(10, 1), Counts(4, 0), Counts(4, 0)),  # reset: the new value counts from 0
        (Counts(10, 5), Counts(12, 1), Counts(12, 1)),  # requests overtook, errors show the reset
        (Counts(10, 1, 9, 0), Counts(12, 1, 1, 0), Counts(12, 1, 1, 0)),
        (Counts(2, predictions={"a": 2}), Counts(5, predictions={"a": 3, "b": 2}),
         Counts(3, predictions={"a": 1, "b": 2})),
        (Counts(2, predictions={"a": 2}), Counts(5, predictions={"b": 5}), Counts(5, predictions={"b": 5})),
        (Counts(2, predictions={"a": 2}), Counts(5), Counts(3)),
    ],
)  # fmt: skip
def test_difference(before: Counts | None, after: Counts, expected: Counts):
    assert difference(before, after) == expected


counts = st.builds(
    Counts,
    *(st.integers(0, 50) for _ in range(4)),
    predictions=st.none() | st.dictionaries(st.sampled_from("abc"), st.integers(0, 9)),
)


@settings(deadline=None)
@given(st.none() | counts, counts)
def test_a_difference_is_never_negative(before: Counts | None, after: Counts):
    gone = difference(before, after)
    assert min(gone.requests, gone.errors, gone.slow, gone.invalid) >= 0
    assert all(n >= 0 for n in (gone.predictions or {}).values())


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=8))
def test_without_resets_differences_add_up(steps: list[int]):
    before, total, cumulative = None, 0, 0
    for step in steps:
        cumulative += step
        after = Counts(cumulative)
        total += difference(before, after).requests
        before = after
    assert total == sum(steps)


def test_predictions_that_could_not_be_read_keep_their_baseline():
    before = Counts(5, predictions={"a": 5})
    kept = carried(before, Counts(9), keep_predictions=True)
    assert kept == Counts(9, predictions={"a": 5})
    assert difference(kept, Counts(12, predictions={"a": 12})).predictions == {"a": 7}
    assert carried(before, Counts(2), keep_predictions=True) == Counts(2)  # a reset drops it
