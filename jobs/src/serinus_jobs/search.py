"""Choosing parameters: every point of a small grid, or Optuna's samples of a large one. Seeded."""

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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


def search(wanted: Estimator, score: Score, seed: int) -> list[Trial]:
    """Return all trials in the order they were asked for; the first of the best is the choice.

    `score` must be a pure function of the parameters: grid points are scored in threads (the libraries
    release the interpreter's lock while they fit). Raises JobError if no trial gave a number.
    """
    points = estimators.candidates(wanted)
    trials = _sampled(wanted, score, seed) if wanted.trials else _all(points, score)
    if all(trial.score != trial.score for trial in trials):
        raise JobError("search: no candidate could be scored on the validation part")
    return trials


def best(trials: list[Trial]) -> Trial:
    """Return the first trial with the best score; NaN never wins."""
    return max(trials, key=lambda trial: trial.score if trial.score == trial.score else float("-inf"))


def _all(points: list[dict[str, Any]], score: Score) -> list[Trial]:
    with ThreadPoolExecutor(max_workers=min(len(points), os.cpu_count() or 1)) as pool:
        return [Trial(point, value) for point, value in zip(points, pool.map(score, points), strict=True)]


def _sampled(wanted: Estimator, score: Score, seed: int) -> list[Trial]:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = estimators.space(wanted)
    seen: dict[str, float] = {}
    trials: list[Trial] = []

    def objective(trial: Any) -> float:
        params = {name: trial.suggest_categorical(name, values) for name, values in space.items()}
        key = json.dumps(params, sort_keys=True)
        if key not in seen:
            seen[key] = score(params)
            trials.append(Trial(params, seen[key]))
        return seen[key]

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(objective, n_trials=wanted.trials)
    return trials
