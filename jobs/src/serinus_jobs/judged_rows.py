"""Which rows a trained model is judged on, its slices, and rows with one feature moved. Pure."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from serinus_contracts.artifact import Input
from serinus_jobs import splits
from serinus_jobs.errors import JobError
from serinus_jobs.project import Direction, Slice, Split

Matrix = npt.NDArray[np.float64]


def newest_unseen(
    plan: Split,
    target: npt.NDArray[np.int64],
    times: npt.NDArray[Any] | None,
    trained_to: str,
    *,
    same_data: bool,
) -> splits.Positions:
    """Return the positions of the newest rows that the model was not fitted to.

    By time: the last `holdout_days` days, less what is not later than `trained_to`. Stratified: the
    holdout of the same split, which is only known to be unseen while the data are the `same_data`;
    otherwise no row is.
    """
    if plan.kind == "time" and times is not None and trained_to:
        rows = splits.by_time(times, plan.holdout_days).holdout
        return rows[times[rows] > np.datetime64(trained_to)]
    if plan.kind == "stratified" and same_data:
        return splits.stratified(target, plan.holdout, plan.seed).holdout
    return np.empty(0, dtype=np.int64)


def slice_mask(wanted: Slice, matrix: Matrix, inputs: Sequence[Input]) -> npt.NDArray[np.bool_]:
    """Return which rows of the encoded `matrix` are in the slice."""
    column, each = _column(wanted.feature, inputs)
    values = matrix[:, column]
    if wanted.values:
        codes = [each.allowed.index(str(v)) if each.allowed else float(v) for v in wanted.values]
        return np.isin(values, codes)
    low = -np.inf if wanted.min is None else wanted.min
    high = np.inf if wanted.max is None else wanted.max
    return np.asarray((values >= low) & (values <= high))


def moved(wanted: Direction, matrix: Matrix, inputs: Sequence[Input]) -> tuple[Matrix, Matrix]:
    """Return (rows as they are, the same rows with the feature changed), without the rows that the
    change would carry out of the contract's range. A string has no direction: then there are none."""
    column, each = _column(wanted.feature, inputs)
    changed = matrix[:, column] + wanted.change
    low = -np.inf if each.minimum is None else each.minimum
    high = np.inf if each.maximum is None else each.maximum
    possible = (changed >= low) & (changed <= high)
    if each.dtype == "bool":
        possible &= np.isin(changed, (0.0, 1.0))
    if each.dtype == "string" or (each.dtype == "int64" and not float(wanted.change).is_integer()):
        possible[:] = False
    after = matrix[possible].copy()
    after[:, column] = changed[possible]
    return matrix[possible], after


def check_slices(slices: Sequence[Slice], inputs: Sequence[Input]) -> None:
    """Raise JobError for a slice value that no row could ever have."""
    for i, wanted in enumerate(slices):
        _, each = _column(wanted.feature, inputs)
        for value in wanted.values:
            if each.allowed and value not in each.allowed:
                raise JobError(f"gates.slices[{i}].values: {value!r} is none of {', '.join(each.allowed)}")
            if not each.allowed and isinstance(value, str):
                raise JobError(f"gates.slices[{i}].values: {value!r} is no number")


def _column(name: str, inputs: Sequence[Input]) -> tuple[int, Input]:
    return next((i, each) for i, each in enumerate(inputs) if each.name == name)
