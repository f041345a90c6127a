"""The training set: labels joined with features, encoded by the contract, in one fixed order.

Used by training and by evaluation, so that both see the same rows in the same way.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from serinus_contracts.artifact import Input
from serinus_contracts.plan import OnlinePlan
from serinus_jobs.errors import JobError
from serinus_jobs.matrix import encode_frame
from serinus_jobs.project import Feature, ModelProject
from serinus_jobs.settings import Settings

# A table of which more rows than this cannot be used is not the table that model.yaml describes.
MOST_UNUSABLE = 0.2


@dataclass(frozen=True)
class TrainingSet:
    """Rows in a fixed order. `matrix` is [rows, inputs] of float64, `target` the index of each row's
    label in label.classes, `times` the label times (datetime64[ns], UTC) or None. `frame` holds the same
    rows as they were read, all columns. `unlabelled` and `unusable` count the rows left out."""

    inputs: tuple[Input, ...]
    plan: OnlinePlan | None
    matrix: npt.NDArray[np.float64]
    target: npt.NDArray[np.int64]
    times: npt.NDArray[Any] | None
    frame: pd.DataFrame
    unlabelled: int
    unusable: int
    digest: str


def load(
    project: ModelProject,
    settings: Settings,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> TrainingSet:
    """Read the label table, join features where the project has a FeatureService, and encode.

    Labels with `since` <= time < `until` count. Raises JobError naming the table, column or value at
    fault.
    """
    labels = _read_table(settings, project.label.table)
    labels = _window(labels, project, since, until)
    if project.label.column not in labels:
        raise JobError(
            f"label.column: table {project.label.table!r} has no column {project.label.column!r}; "
            f"it has {', '.join(map(str, labels.columns))}"
        )
    known = labels[project.label.column].notna()
    unlabelled = int((~known).sum())
    labels = _ordered(labels[known], project)
    if labels.empty:
        raise JobError(f"table {project.label.table!r} has no labelled row in the window asked for")
    plan: OnlinePlan | None = None
    frame = labels
    if project.feature_service is None:
        inputs = contract_inputs(project.features, None)
    else:
        from serinus_jobs.feature_store import FeatureStore

        store = FeatureStore(settings)
        plan = store.plan(project.feature_service)
        # Before the join, which takes long and may be in vain.
        inputs = contract_inputs(project.features, plan)
        frame = _ordered(store.training_frame(project.feature_service, labels), project)
    _check_columns(frame, inputs, project)
    target = _target(frame[project.label.column], project)
    encoded = encode_frame(frame, inputs)
    usable = np.ones(len(frame), dtype=bool)
    usable[list(encoded.faults)] = False
    _check_usable(encoded.faults, len(frame))
    times = _utc(frame[project.time])[usable] if project.time else None
    matrix, target = encoded.matrix[usable], target[usable]
    names = [each.name for each in inputs]
    return TrainingSet(
        inputs=inputs,
        plan=plan,
        matrix=matrix,
        target=target,
        times=times,
        frame=frame[usable].reset_index(drop=True),
        unlabelled=unlabelled,
        unusable=len(encoded.faults),
        digest=_digest(names, matrix, target, times),
    )


def contract_inputs(features: tuple[Feature, ...], plan: OnlinePlan | None) -> tuple[Input, ...]:
    """Return the contract's inputs: as declared, with who gives each of them, by the online plan.

    Raises JobError for an input without a default that no request gives: while the store is down, or
    for a key that it does not hold, a server could answer no request by entity key.
    """
    stored = {feature.name for view in plan.views for feature in view.features} if plan else set()
    computed = {each.name for each in plan.on_demand} if plan else set()
    inputs = tuple(
        Input(
            name=each.name,
            dtype=each.type,
            default=each.default,
            minimum=each.min,
            maximum=each.max,
            allowed=each.allowed,
            source="on_demand" if each.name in computed else "store" if each.name in stored else "request",
        )
        for each in features
    )
    _check_defaults(inputs)
    return inputs


def _check_defaults(inputs: tuple[Input, ...]) -> None:
    bare = [each for each in inputs if each.default is None and each.source != "request"]
    if not bare:
        return
    first, *others = bare
    giver = "comes from the online store" if first.source == "store" else "is computed on demand"
    more = f"; likewise {', '.join(each.name for each in others)}" if others else ""
    raise JobError(
        f"features.{first.name}: {giver}, and without a default a request by entity key fails while the "
        f"store is down; declare a `default` in model.yaml{more}"
    )


def _read_table(settings: Settings, table: str) -> pd.DataFrame:
    files = sorted(settings.events(table).glob("day=*/*.parquet"))
    if not files:
        raise JobError(f"table {table!r} is empty: {settings.events(table)} holds no partition; run ingest")
    return pd.concat([pd.read_parquet(path, partitioning=None) for path in files], ignore_index=True)


def _window(
    labels: pd.DataFrame, project: ModelProject, since: datetime | None, until: datetime | None
) -> pd.DataFrame:
    if project.time is None:
        if since or until:
            raise JobError("since, until: the project has no `time` column to cut the data by")
        return labels
    if project.time not in labels:
        raise JobError(f"time: table {project.label.table!r} has no column {project.time!r}")
    times = _utc(labels[project.time])
    keep = np.ones(len(labels), dtype=bool)
    if since is not None:
        keep &= times >= _moment(since)
    if until is not None:
        keep &= times < _moment(until)
    return labels[keep]


def _moment(when: datetime) -> np.datetime64:
    stamp = pd.Timestamp(when)
    stamp = stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")
    return stamp.tz_localize(None).to_datetime64()


def _utc(series: pd.Series) -> npt.NDArray[Any]:
    try:
        return pd.to_datetime(series, utc=True).dt.tz_localize(None).to_numpy(dtype="datetime64[ns]")
    except (ValueError, TypeError) as error:
        raise JobError(f"time: column {series.name!r} holds no timestamps: {error}") from None


def _ordered(frame: pd.DataFrame, project: ModelProject) -> pd.DataFrame:
    """Sort rows so that the same data give the same model, however its files are cut."""
    columns = sorted(map(str, frame.columns))
    if project.time:
        columns = [project.time, *[name for name in columns if name != project.time]]
    try:
        return frame.sort_values(columns, kind="stable", ignore_index=True)
    except TypeError:
        # Columns of mixed types have no order; the files' own order is the second best.
        return frame.reset_index(drop=True)


def _check_columns(frame: pd.DataFrame, inputs: tuple[Input, ...], project: ModelProject) -> None:
    place = (
        f"FeatureService {project.feature_service!r} or table {project.label.table!r}"
        if project.feature_service
        else f"table {project.label.table!r}"
    )
    for each in inputs:
        if each.name == project.label.column:
            raise JobError(f"features.{each.name}: is the label itself")
        if each.name not in frame:
            raise JobError(f"features.{each.name}: not given by {place}")
        if frame[each.name].isna().all():
            raise JobError(f"features.{each.name}: every value is null in {place}")


def _target(labels: pd.Series, project: ModelProject) -> npt.NDArray[np.int64]:
    codes = {value: i for i, value in enumerate(project.label.classes)}
    found = labels.astype(object).map(codes)
    if found.isna().any():
        stranger = labels[found.isna()].iloc[0]
        known = ", ".join(map(repr, project.label.classes))
        raise JobError(f"label.classes: {project.label.column!r} holds {stranger!r}; declared are {known}")
    return np.asarray(found, dtype=np.int64)


def _check_usable(faults: dict[int, str], rows: int) -> None:
    if len(faults) > MOST_UNUSABLE * rows:
        reason, count = Counter(faults.values()).most_common(1)[0]
        raise JobError(
            f"{len(faults)} of {rows} rows do not keep the model's contract; most often, {count} times: "
            f"{reason}"
        )


def _digest(
    names: list[str],
    matrix: npt.NDArray[np.float64],
    target: npt.NDArray[np.int64],
    times: npt.NDArray[Any] | None,
) -> str:
    content = hashlib.sha256("\n".join(names).encode())
    content.update(np.ascontiguousarray(matrix, dtype="<f8").tobytes())
    content.update(np.ascontiguousarray(target, dtype="<i8").tobytes())
    if times is not None:
        content.update(times.astype("<i8").tobytes())
    return content.hexdigest()
