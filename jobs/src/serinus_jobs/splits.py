"""What is trained on and what is held out. Pure: positions in, positions out."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import train_test_split

from serinus_jobs.errors import JobError
from serinus_jobs.project import Split

Positions = npt.NDArray[np.int64]
# A part smaller than this gives no metric worth reading.
MINIMUM_ROWS = 20


@dataclass(frozen=True)
class Parts:
    """Positions of the rows to train on and of those held out; disjoint, both ascending."""

    train: Positions
    holdout: Positions


def split(plan: Split, target: npt.NDArray[np.int64], times: npt.NDArray[Any] | None) -> Parts:
    """Split rows by `plan`. `target` holds class indices, `times` the label times (datetime64).

    By time, everything held out is later than everything trained on. Raises JobError where a part
    would be too small or miss a class that the other has.
    """
    if plan.kind == "time":
        if times is None:
            raise JobError("split: by time, but the label table has no time column")
        parts = by_time(times, plan.holdout_days)
    else:
        parts = stratified(target, plan.holdout, plan.seed)
    check_parts(parts, target)
    return parts


def by_time(times: npt.NDArray[Any], holdout_days: float) -> Parts:
    """Hold out the rows of the last `holdout_days` days before and including the newest label."""
    if not len(times):
        return Parts(_none(), _none())
    cut = times.max() - np.timedelta64(round(holdout_days * 86_400), "s")
    return Parts(np.flatnonzero(times <= cut), np.flatnonzero(times > cut))


def stratified(target: npt.NDArray[np.int64], share: float, seed: int) -> Parts:
    """Hold out a `share` of each class, drawn with `seed`."""
    counts = np.bincount(target) if len(target) else np.zeros(1, dtype=np.int64)
    smallest = min(share, 1 - share) * len(target)
    if counts[counts > 0].min(initial=len(target)) < 2 or round(smallest) < len(counts):
        raise JobError(
            f"split: {len(target)} rows, {counts.tolist()} by class, are too few to hold out {share:g} of "
            "each"
        )
    train, holdout = train_test_split(
        np.arange(len(target)), test_size=share, random_state=seed, stratify=target
    )
    return Parts(np.sort(train), np.sort(holdout))


def inner(plan: Split, parts: Parts, target: npt.NDArray[np.int64], times: npt.NDArray[Any] | None) -> Parts:
    """Split the training part again for the search, in the same way. Positions are of all rows.

    By time the validation part is the newest fifth of the training rows' time, at most as long as the
    holdout: a short history must not leave the search without data.
    """
    rows = parts.train
    if plan.kind == "time" and times is not None:
        span = (times[rows].max() - times[rows].min()) / np.timedelta64(1, "s") / 86_400
        within = by_time(times[rows], min(plan.holdout_days, span / 5))
    else:
        within = stratified(target[rows], plan.holdout, plan.seed + 1)
    found = Parts(rows[within.train], rows[within.holdout])
    check_parts(found, target, "the search's own split")
    return found


def check_parts(parts: Parts, target: npt.NDArray[np.int64], place: str = "split") -> None:
    """Raise JobError unless both parts have enough rows, two classes, and the same ones."""
    sizes = {"training": parts.train, "holdout": parts.holdout}
    for name, rows in sizes.items():
        if len(rows) < MINIMUM_ROWS:
            raise JobError(
                f"{place}: the {name} part has {len(rows)} rows, {MINIMUM_ROWS} are needed; "
                "bring more data or change `split` in model.yaml"
            )
    seen = {name: set(np.unique(target[rows]).tolist()) for name, rows in sizes.items()}
    if len(seen["training"]) < 2:
        raise JobError(f"{place}: the training part holds one class only; there is nothing to learn")
    if seen["training"] != seen["holdout"]:
        raise JobError(
            f"{place}: the training part holds classes {sorted(seen['training'])} and the holdout "
            f"{sorted(seen['holdout'])} (indices in label.classes); both need all of them"
        )


def _none() -> Positions:
    return np.empty(0, dtype=np.int64)
