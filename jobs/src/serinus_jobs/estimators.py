"""The published list of estimators that can be exported, and what their parameters may be.

An estimator stands here only because a test trains it, exports it and finds the graph's probabilities
equal to its own. Everything else is refused before any training. `docs/reference/estimators.md` is
rendered from this list.
"""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from serinus_jobs.errors import JobError
from serinus_jobs.project import Estimator

# One grid must stay a matter of minutes; more belongs to `trials`.
LARGEST_GRID = 200
SMALLEST_GRID = 3
# Inclusive bounds of parameters whose value decides how long a fit takes, or whether it means anything.
BOUNDS: dict[str, tuple[float, float]] = {
    "n_estimators": (1, 5_000),
    "max_iter": (1, 10_000),
    "max_depth": (-1, 64),
    "num_leaves": (2, 4_096),
    "max_leaf_nodes": (2, 4_096),
    "max_leaves": (0, 4_096),
    "max_bin": (2, 1_024),
    "max_bins": (2, 255),
    "learning_rate": (1e-6, 1.0),
    "C": (1e-9, 1e9),
    "n_jobs": (-1, 64),
}


@dataclass(frozen=True)
class Exportable:
    """One allowed estimator. `scaled` asks for standardised numbers and one-hot strings in front of it.
    `defaults` hold where model.yaml says nothing, `grid` is searched where model.yaml has none."""

    path: str
    library: str
    defaults: Mapping[str, Any]
    grid: Mapping[str, Sequence[Any]]
    scaled: bool = False


ALLOWED: tuple[Exportable, ...] = (
    Exportable(
        "sklearn.ensemble.RandomForestClassifier", "scikit-learn", {"n_jobs": 1}, {"max_depth": [4, 8, 12]}
    ),
    Exportable(
        "sklearn.ensemble.ExtraTreesClassifier", "scikit-learn", {"n_jobs": 1}, {"max_depth": [4, 8, 12]}
    ),
    Exportable(
        "sklearn.ensemble.GradientBoostingClassifier", "scikit-learn", {}, {"learning_rate": [0.03, 0.1, 0.3]}
    ),
    Exportable(
        "sklearn.ensemble.HistGradientBoostingClassifier",
        "scikit-learn",
        {},
        {"learning_rate": [0.03, 0.1, 0.3]},
    ),
    Exportable(
        "sklearn.linear_model.LogisticRegression",
        "scikit-learn",
        {"max_iter": 1_000},
        {"C": [0.1, 1.0, 10.0]},
        scaled=True,
    ),
    Exportable(
        "xgboost.XGBClassifier",
        "XGBoost",
        {"n_jobs": 1, "tree_method": "hist"},
        {"learning_rate": [0.03, 0.1, 0.3]},
    ),
    Exportable(
        "lightgbm.LGBMClassifier",
        "LightGBM",
        {"n_jobs": 1, "verbose": -1, "deterministic": True, "force_row_wise": True},
        {"learning_rate": [0.03, 0.1, 0.3]},
    ),
)


def find(path: str) -> Exportable:
    """Return the allowed estimator of the import `path`; JobError lists all of them otherwise."""
    for each in ALLOWED:
        if each.path == path:
            return each
    known = ", ".join(each.path for each in ALLOWED)
    raise JobError(
        f"estimator.class: {path!r} is not known to export exactly to ONNX, so it is not trained; "
        f"choose one of {known}"
    )


def candidates(wanted: Estimator) -> list[dict[str, Any]]:
    """Return the parameter sets of the grid, in a fixed order, checked before anything is trained.

    Raises JobError for an unknown parameter, a value out of bounds, or a grid that is too small or
    too large.
    """
    each = find(wanted.class_)
    grid = space(wanted)
    for name, values in grid.items():
        if not values:
            raise JobError(f"estimator.grid.{name}: is empty")
    size = 1
    for values in grid.values():
        size *= len(values)
    if size < SMALLEST_GRID or (size > LARGEST_GRID and not wanted.trials):
        raise JobError(
            f"estimator.grid: {size} combinations; give {SMALLEST_GRID} to {LARGEST_GRID}, "
            "or set `trials` for a sampled search of a larger one"
        )
    _check_parameters(each, wanted.params, "estimator.params")
    for name, values in grid.items():
        for value in values:
            _check_parameters(each, {name: value}, "estimator.grid")
    if size > LARGEST_GRID:
        return []
    return [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]


def space(wanted: Estimator) -> dict[str, list[Any]]:
    """Return the values to choose from, by parameter: model.yaml's grid, or the published one."""
    return {name: list(values) for name, values in (wanted.grid or find(wanted.class_).grid).items()}


def build(wanted: Estimator, chosen: Mapping[str, Any], seed: int) -> Any:
    """Return the estimator, unfitted. Later sources win: published defaults, `seed`, params, `chosen`."""
    each = find(wanted.class_)
    kind = _import(each)
    seeded = {"random_state": seed} if "random_state" in kind().get_params() else {}
    try:
        return kind(**{**each.defaults, **seeded, **wanted.params, **chosen})
    except (TypeError, ValueError) as error:
        raise JobError(f"estimator: {each.path}: {error}") from None


def _check_parameters(each: Exportable, given: Mapping[str, Any], place: str) -> None:
    # LightGBM takes some of its parameters without naming them; those of our defaults are known.
    known = {**_import(each)().get_params(), **each.defaults}
    for name, value in given.items():
        if name not in known:
            raise JobError(
                f"{place}.{name}: {each.path} has no such parameter; it has {', '.join(sorted(known))}"
            )
        if not isinstance(value, str | int | float | bool | None):
            raise JobError(f"{place}.{name}: must be a plain value, got {type(value).__name__}")
        low, high = BOUNDS.get(name, (float("-inf"), float("inf")))
        if isinstance(value, int | float) and not low <= value <= high:
            raise JobError(f"{place}.{name}: {value!r} lies outside {low:g} to {high:g}")


def _import(each: Exportable) -> Any:
    module, _, name = each.path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def render() -> str:
    """Return the text of `docs/reference/estimators.md`."""
    lines = [
        "# Estimators that can be trained",
        "",
        "Rendered from `jobs/src/serinus_jobs/estimators.py`; a test compares the two. Each of these is",
        "trained, exported to ONNX and compared with its own graph by a test. Anything else is refused",
        "before training: for instance `sklearn.calibration.CalibratedClassifierCV`, whose exported graph",
        "gives other probabilities.",
        "",
        "| `estimator.class` | library | defaults | searched when `grid` is absent |",
        "|---|---|---|---|",
    ]
    for each in ALLOWED:
        defaults = ", ".join(f"`{name}={value!r}`" for name, value in each.defaults.items()) or "-"
        grid = ", ".join(f"`{name}` in {list(values)}" for name, values in each.grid.items())
        lines.append(f"| `{each.path}` | {each.library} | {defaults} | {grid} |")
    lines += [
        "",
        "`random_state` is `split.seed` unless `params` says otherwise. In front of a linear model, inside",
        "the same graph, numbers are standardised and strings one-hot encoded; trees see strings as their",
        "index in `allowed`.",
        "",
        "## Bounds",
        "",
        f"A grid has {SMALLEST_GRID} to {LARGEST_GRID} combinations; `trials` samples larger ones (Optuna).",
        "These parameters are bounded, in `params` and in `grid` alike:",
        "",
        "| parameter | least | most |",
        "|---|---|---|",
        *[f"| `{name}` | {low:g} | {high:g} |" for name, (low, high) in BOUNDS.items()],
    ]
    return "\n".join(lines) + "\n"
