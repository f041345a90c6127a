"""Choosing parameters: every point of a small grid, or Optuna's samples of a large one. Seeded.

A search can be cut into parts that know nothing of one another (the pods of `trials`). Of a grid each part
scores every n-th point; of a sampled search each part draws its share of the trials with a seed of its own.
So a part that is run again gives the same trials, whatever became of the others.
"""

import json
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from serinus_jobs import estimators
from serinus_jobs.errors import JobError
from serinus_jobs.project import Estimator

Score = Callable[[dict[str, Any]], float]


@dataclass(frozen=True)
class Trial:
    """One parameter set and its score on the validation part. Larger is better."""

    params: dict[str, Any]
    score: float


@dataclass(frozen=True)
class Known:
    """What earlier runs scored: `scores` by `key_of` the parameters. `sampled` says that this very search, a
    sampled one, was made in parts, and all of them are done."""

    scores: Mapping[str, float] = field(default_factory=dict)
    sampled: bool = False


NOTHING = Known()


def key_of(params: Mapping[str, Any]) -> str:
    """Return the text that a parameter set is known by; JSON, so it can be read back."""
    return json.dumps(params, sort_keys=True)


def sampling(wanted: Estimator) -> str:
    """Return what makes two sampled searches the same one: the values to choose from, and how many trials."""
    return key_of({"space": estimators.space(wanted), "trials": wanted.trials})


def search(wanted: Estimator, score: Score, seed: int, known: Known = NOTHING) -> list[Trial]:
    """Return all trials in the order they were asked for; the first of the best is the choice.

    `score` must be a pure function of the parameters: grid points are scored in threads (the libraries
    release the interpreter's lock while they fit), and what is `known` is not scored again. Raises JobError
    if no trial gave a number.
    """
    points = estimators.candidates(wanted)
    if not wanted.trials:
        trials = _all(points, score, known)
    elif known.sampled:
        trials = _within(estimators.space(wanted), known)
    else:
        trials = _sampled(wanted, score, seed, wanted.trials, known)
    if all(trial.score != trial.score for trial in trials):
        raise JobError("search: no candidate could be scored on the validation part")
    return trials


def part(wanted: Estimator, score: Score, seed: int, known: Known, index: int, of: int) -> list[Trial]:
    """Return the trials of part `index` (from 0) of `of`: none where parts outnumber trials."""
    points = estimators.candidates(wanted)
    if not wanted.trials:
        return _all(points[index::of], score, known)
    share = wanted.trials // of + (index < wanted.trials % of)
    return _sampled(wanted, score, seed * of + index, share, known) if share else []


def best(trials: list[Trial]) -> Trial:
    """Return the first trial with the best score; NaN never wins."""
    return max(trials, key=lambda trial: trial.score if trial.score == trial.score else float("-inf"))


def _within(space: Mapping[str, list[Any]], known: Known) -> list[Trial]:
    found = [Trial(json.loads(key), value) for key, value in sorted(known.scores.items())]
    return [
        trial
        for trial in found
        if trial.params.keys() == space.keys() and all(trial.params[name] in space[name] for name in space)
    ]


def _all(points: list[dict[str, Any]], score: Score, known: Known) -> list[Trial]:
    if not points:
        return []

    def value(point: dict[str, Any]) -> float:
        found = known.scores.get(key_of(point))
        return score(point) if found is None else found

    with ThreadPoolExecutor(max_workers=min(len(points), os.cpu_count() or 1)) as pool:
        return [Trial(point, scored) for point, scored in zip(points, pool.map(value, points), strict=True)]


def _sampled(wanted: Estimator, score: Score, seed: int, count: int, known: Known) -> list[Trial]:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = estimators.space(wanted)
    seen: dict[str, float] = {}
    trials: list[Trial] = []

    def objective(trial: Any) -> float:
        params = {name: trial.suggest_categorical(name, values) for name, values in space.items()}
        key = key_of(params)
        if key not in seen:
            found = known.scores.get(key)
            seen[key] = score(params) if found is None else found
            trials.append(Trial(params, seen[key]))
        return seen[key]

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(objective, n_trials=count)
    return trials
