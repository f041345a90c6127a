import numpy as np
import pytest

from serinus_jobs import splits
from serinus_jobs.errors import JobError
from serinus_jobs.project import Split

DAYS = np.datetime64("2026-01-01", "ns") + np.arange(100) * np.timedelta64(1, "D")
ALTERNATING = np.arange(100) % 2
TIME = Split(kind="time", holdout_days=30)
SHARE = Split(kind="stratified", holdout=0.3, seed=7)


def test_everything_held_out_is_later_than_everything_trained_on() -> None:
    shuffled = np.random.default_rng(0).permutation(100)
    parts = splits.split(TIME, ALTERNATING[shuffled], DAYS[shuffled])
    assert DAYS[shuffled][parts.train].max() < DAYS[shuffled][parts.holdout].min()
    assert (len(parts.train), len(parts.holdout)) == (70, 30)


def test_equal_times_are_never_split() -> None:
    times = np.repeat(DAYS[[0, 50, 99]], 40)
    parts = splits.split(TIME, np.arange(120) % 2, times)
    assert set(times[parts.train]).isdisjoint(times[parts.holdout])


def test_a_share_of_each_class_is_held_out_with_a_seed() -> None:
    target = np.array([0] * 80 + [1] * 20)
    parts = splits.split(SHARE, target, None)
    assert np.bincount(target[parts.holdout]).tolist() == [24, 6]
    again = splits.split(SHARE, target, None)
    assert (parts.holdout == again.holdout).all()
    other = splits.split(Split(kind="stratified", holdout=0.3, seed=8), target, None)
    assert set(other.holdout) != set(parts.holdout)
    assert sorted([*parts.train, *parts.holdout]) == list(range(100))


@pytest.mark.parametrize("plan", [TIME, SHARE], ids=["time", "stratified"])
def test_the_search_never_sees_the_holdout(plan: Split) -> None:
    target, times = np.tile(ALTERNATING, 3), np.repeat(DAYS, 3)
    parts = splits.split(plan, target, times)
    inner = splits.inner(plan, parts, target, times)
    assert set(inner.train) | set(inner.holdout) == set(parts.train)
    assert not set(inner.train) & set(inner.holdout)
    if plan.kind == "time":
        assert times[inner.train].max() < times[inner.holdout].min()


@pytest.mark.parametrize(
    ("plan", "target", "times", "message"),
    [
        (TIME, ALTERNATING, None, "has no time column"),
        (TIME, ALTERNATING[:0], DAYS[:0], "training part has 0 rows"),
        (TIME, ALTERNATING, np.repeat(DAYS[:1], 100), "holdout part has 0 rows|training part has 0 rows"),
        (Split(kind="time", holdout_days=5), ALTERNATING, DAYS, "holdout part has 5 rows, 20 are needed"),
        (TIME, np.zeros(100, dtype=int), DAYS, "one class only"),
        (TIME, (np.arange(100) >= 70).astype(int), DAYS, "one class only"),
        (TIME, (np.arange(100) == 3).astype(int), DAYS, r"classes \[0, 1\] and the holdout \[0\]"),
        (SHARE, np.zeros(100, dtype=int), None, "one class only"),
        (SHARE, (np.arange(100) == 3).astype(int), None, "too few to hold out"),
        (SHARE, np.empty(0, dtype=int), None, "too few to hold out"),
        (Split(kind="stratified", holdout=0.0), ALTERNATING, None, "too few to hold out"),
        (Split(kind="stratified", holdout=1.0), ALTERNATING, None, "too few to hold out"),
    ],
)
def test_what_cannot_be_split_is_refused(
    plan: Split, target: np.ndarray, times: np.ndarray | None, message: str
) -> None:
    with pytest.raises(JobError, match=message):
        splits.split(plan, target, times)
