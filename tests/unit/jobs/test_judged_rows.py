import numpy as np
import pytest

from serinus_contracts.artifact import Input
from serinus_jobs import judged_rows
from serinus_jobs.errors import JobError
from serinus_jobs.project import Direction, Slice, Split

INPUTS = (
    Input("age", "int64", minimum=18, maximum=100),
    Input("plan", "string", allowed=("a", "b")),
    Input("member", "bool"),
    Input("debt", "float64"),
)
MATRIX = np.array([[18.0, 0.0, 0.0, 1.5], [60.0, 1.0, 1.0, 2.5], [100.0, 1.0, 0.0, -3.0]])
TIMES = np.datetime64("2026-01-01", "ns") + np.arange(60) * np.timedelta64(1, "D")
TARGET = np.arange(60) % 2
TIME = Split(kind="time", holdout_days=14)
SHARE = Split(kind="stratified", holdout=0.5, seed=1)


@pytest.mark.parametrize(
    ("plan", "times", "trained_to", "same", "rows"),
    [
        (TIME, TIMES, str(TIMES[45]), True, 14),
        (TIME, TIMES, str(TIMES[20]), False, 14),
        (TIME, TIMES, str(TIMES[55]), False, 4),
        (TIME, TIMES, str(TIMES[59]), True, 0),
        (TIME, TIMES, "", True, 0),
        (TIME, None, str(TIMES[5]), True, 0),
        (SHARE, None, "", True, 30),
        (SHARE, None, "", False, 0),
    ],
)
def test_rows_that_the_model_was_fitted_to_are_never_judged(
    plan: Split, times: np.ndarray | None, trained_to: str, same: bool, rows: int
) -> None:
    found = judged_rows.newest_unseen(plan, TARGET, times, trained_to, same_data=same)
    assert len(found) == rows
    if rows and times is not None:
        assert times[found].min() > np.datetime64(trained_to)


@pytest.mark.parametrize(
    ("wanted", "rows"),
    [
        (Slice(name="s", feature="age", max=60), [True, True, False]),
        (Slice(name="s", feature="age", min=60), [False, True, True]),
        (Slice(name="s", feature="plan", values=("b",)), [False, True, True]),
        (Slice(name="s", feature="member", values=(True,)), [False, True, False]),
        (Slice(name="s", feature="debt", values=(2.5, 1.5)), [True, True, False]),
    ],
)
def test_slices(wanted: Slice, rows: list[bool]) -> None:
    assert judged_rows.slice_mask(wanted, MATRIX, INPUTS).tolist() == rows
    judged_rows.check_slices([wanted], INPUTS)


@pytest.mark.parametrize(
    ("feature", "value", "message"),
    [("plan", "c", "'c' is none of a, b"), ("plan", 1, "1 is none of"), ("debt", "high", "is no number")],
)
def test_a_slice_that_can_never_match_is_refused(feature: str, value: object, message: str) -> None:
    with pytest.raises(JobError, match=message):
        judged_rows.check_slices([Slice(name="s", feature=feature, values=(value,))], INPUTS)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("feature", "change", "after"),
    [
        ("age", 2, [20.0, 62.0]),
        ("age", -2, [58.0, 98.0]),
        ("age", 0.5, []),
        ("plan", 1, []),
        ("member", 1, [1.0, 1.0]),
        ("debt", -0.5, [1.0, 2.0, -3.5]),
    ],
)
def test_only_rows_that_stay_valid_are_moved(feature: str, change: float, after: list[float]) -> None:
    wanted = Direction(feature=feature, change=change, expect="up")
    before, changed = judged_rows.moved(wanted, MATRIX, INPUTS)
    column = [each.name for each in INPUTS].index(feature)
    assert changed[:, column].tolist() == after
    assert len(before) == len(changed)
    untouched = np.delete(before, column, axis=1) == np.delete(changed, column, axis=1)
    assert untouched.all()
