"""A model project: `model.yaml` and `data.yaml` of `manifests/models/<model>/`, parsed strictly.

An unknown key, a wrong type or a contradiction is a JobError that names the file and the path.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import yaml

from serinus_contracts.artifact import DType, Scalar
from serinus_jobs.errors import JobError

Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z]([a-z0-9_-]{0,38}[a-z0-9])?$")]
Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
_LARGEST_FILE = 1 << 20
_DEEPEST = 50
T = TypeVar("T")


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of all sections: frozen, closed."""


class Column(_Strict, frozen=True):
    """One declared column of a table. Bounds are inclusive."""

    type: Literal["int64", "float64", "bool", "string", "timestamp"]
    nullable: bool = False
    min: float | None = None
    max: float | None = None
    allowed: tuple[str, ...] | None = None


class Table(_Strict, frozen=True):
    """One table. `time` names the event time by which rows are partitioned; without it there is one
    partition. Rows are unique by `unique` together."""

    columns: dict[str, Column]
    time: str | None = None
    unique: tuple[str, ...] = ()


class Data(_Strict, frozen=True):
    """`data.yaml`: the tables of a project by name."""

    tables: dict[Name, Table]


class Label(_Strict, frozen=True):
    """Where the truth comes from: a column of a table, and the classes in order (for two classes the
    second is the positive one)."""

    table: str
    column: str
    classes: tuple[Scalar, ...]


class Estimator(_Strict, frozen=True):
    """An estimator by import path. `search.grid` maps a parameter to values; `search.trials` > 0 asks
    Optuna for that many trials over the same values."""

    class_: str = msgspec.field(name="class")
    params: dict[str, Any] = {}
    grid: dict[str, list[Any]] = {}
    trials: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 0


class Feature(_Strict, frozen=True):
    """One model input, as serinus_contracts.artifact.Input."""

    name: str
    type: DType
    default: Scalar | None = None
    min: float | None = None
    max: float | None = None
    allowed: tuple[str, ...] = ()


class Split(_Strict, frozen=True):
    """`time`: the last `holdout_days` days by label time are held out. `stratified`: a `holdout` share
    by class, seeded."""

    kind: Literal["time", "stratified"]
    holdout_days: Annotated[int, msgspec.Meta(ge=1)] = 14
    holdout: Share = 0.2
    seed: int = 7


class Slice(_Strict, frozen=True):
    """A part of the holdout that must hold on its own: rows where `feature` lies in [min, max] or is
    in `values`."""

    name: str
    feature: str
    min: float | None = None
    max: float | None = None
    values: tuple[Scalar, ...] = ()


class Direction(_Strict, frozen=True):
    """Adding `change` to `feature` must move the positive score `up` or `down` (or not at all,
    `none`: invariance) for at least `share` of the holdout rows, beyond `tolerance`."""

    feature: str
    change: float
    expect: Literal["up", "down", "none"]
    share: Share = 0.8
    tolerance: float = 1e-3


class Gates(_Strict, frozen=True):
    """What a model must pass before it is registered. `minimum` maps a metric to its least value;
    `challenger_margin` is how much worse than the champion's (on `metric`) the lower end of the
    bootstrap interval of the difference may be."""

    minimum: dict[str, float]
    metric: str = "roc_auc"
    challenger_margin: float = 0.02
    slices: tuple[Slice, ...] = ()
    slice_minimum: dict[str, float] = {}
    slice_rows: Annotated[int, msgspec.Meta(ge=1)] = 50
    directions: tuple[Direction, ...] = ()


class Monitors(_Strict, frozen=True):
    """When drift and quality speak up, and how retraining is damped."""

    minimum_rows: Annotated[int, msgspec.Meta(ge=1)] = 500
    drift_effect: float = 0.1
    false_discovery_rate: Share = 0.01
    quality_tolerance: float = 0.05
    quality_minimum_labels: Annotated[int, msgspec.Meta(ge=1)] = 200
    retrain_cooldown_minutes: Annotated[float, msgspec.Meta(ge=0)] = 60.0
    retrain_budget_per_day: Annotated[int, msgspec.Meta(ge=0)] = 3


class ModelProject(_Strict, frozen=True):
    """`model.yaml`. With `feature_service` the training set is a point-in-time join of the label
    table; without it, the label's own table holds the features."""

    name: Name
    label: Label
    features: tuple[Feature, ...]
    estimator: Estimator
    split: Split
    gates: Gates
    feature_service: str | None = None
    time: str | None = None
    threshold: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.5
    monitors: Monitors = Monitors()


def load_model(folder: Path) -> ModelProject:
    """Read and check `<folder>/model.yaml`."""
    path = folder / "model.yaml"
    project = _load(path, ModelProject)
    names = [feature.name for feature in project.features]
    duplicate = next((name for name in names if names.count(name) > 1), None)
    if not names or duplicate:
        raise JobError(f"{path}: features: {'is empty' if not names else f'{duplicate!r} stands twice'}")
    for feature in project.features:
        if (feature.type == "string") != bool(feature.allowed):
            raise JobError(
                f"{path}: features.{feature.name}: `allowed` goes with type string, and string with it"
            )
    if len(project.label.classes) < 2:
        raise JobError(f"{path}: label.classes: name at least two classes")
    if project.split.kind == "time" and project.time is None:
        raise JobError(f"{path}: time: a split by time needs the label table's time column")
    used = [s.feature for s in project.gates.slices] + [d.feature for d in project.gates.directions]
    for name in used:
        if name not in names:
            raise JobError(f"{path}: gates: {name!r} is no feature; features are {', '.join(names)}")
    return project


def load_data(folder: Path) -> Data:
    """Read and check `<folder>/data.yaml`."""
    path = folder / "data.yaml"
    data = _load(path, Data)
    for table_name, table in data.tables.items():
        for column in (*table.unique, *([table.time] if table.time else [])):
            if column not in table.columns:
                raise JobError(f"{path}: tables.{table_name}: {column!r} is not among its columns")
    return data


def _load(path: Path, kind: type[T]) -> T:
    try:
        text = path.read_text()
    except OSError as error:
        raise JobError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise JobError(f"{path}: cannot be read: {error}") from None
    if len(text) > _LARGEST_FILE:
        raise JobError(f"{path}: larger than {_LARGEST_FILE} bytes")
    try:
        _check_tokens(path, text)
        return msgspec.convert(yaml.safe_load(text), kind)
    except msgspec.ValidationError as error:
        raise JobError(f"{path}: {error}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}: " if mark else ""
        raise JobError(f"{path}: {place}not YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError, TypeError) as error:
        # The reader lets impossible dates, endless digits and keys that are lists through as they fall.
        raise JobError(f"{path}: not YAML: {error}") from None


def _check_tokens(path: Path, text: str) -> None:
    """Refuse what is small to write and large to read, before it is read.

    A few aliases of aliases expand to gigabytes, so none are taken; the reader's time grows with the square
    of the nesting.
    """
    opening = (
        yaml.FlowSequenceStartToken,
        yaml.FlowMappingStartToken,
        yaml.BlockSequenceStartToken,
        yaml.BlockMappingStartToken,
    )
    closing = (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken, yaml.BlockEndToken)
    depth = 0
    for token in yaml.scan(text):
        if isinstance(token, yaml.AliasToken):
            raise JobError(f"{path}: uses a YAML alias; write the value out")
        depth += isinstance(token, opening) - isinstance(token, closing)
        if depth > _DEEPEST:
            line = token.start_mark.line + 1
            raise JobError(f"{path}: line {line}: is nested too deeply, more than {_DEEPEST} levels")
