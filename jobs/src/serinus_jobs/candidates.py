"""How a candidate of the search is built and scored: the same for `train` and for the pods of `trials`."""

import hashlib
import importlib
import json
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from serinus_jobs import estimators, export, scoring
from serinus_jobs.errors import JobError
from serinus_jobs.project import ModelProject
from serinus_jobs.search import Score
from serinus_jobs.splits import Parts
from serinus_jobs.training_set import TrainingSet


def pipeline(project: ModelProject, data: TrainingSet, chosen: Mapping[str, Any]) -> Any:
    """Return the pipeline with the parameters `chosen`, unfitted."""
    built = estimators.build(project.estimator, chosen, project.split.seed)
    return export.build_pipeline(built, data.inputs, estimators.find(project.estimator.class_).scaled)


def scorer(project: ModelProject, data: TrainingSet, parts: Parts) -> Score:
    """Return the score of a parameter set: fitted on `parts.train`, the gates' metric on `parts.holdout`.

    The score raises JobError where a fit fails.
    """
    metric = scoring.metric(project.gates.metric)
    truth = data.target[parts.holdout]

    def score(params: dict[str, Any]) -> float:
        candidate = pipeline(project, data, params)
        try:
            candidate.fit(data.matrix[parts.train], data.target[parts.train])
        except (
            Exception
        ) as error:  # each library has its own exceptions for parameters that do not go together
            raise JobError(f"estimator: fit failed with {params}: {error}") from error
        return metric(
            truth, np.asarray(candidate.predict_proba(data.matrix[parts.holdout])), project.threshold
        )

    return score


def study(project: ModelProject, data: TrainingSet) -> str:
    """Return what a score depends on beside the candidate itself, as a digest.

    Data, split, estimator with its fixed parameters and its library's version, metric, threshold. The grid is
    not part of it: a candidate that stands in two grids has one score.
    """
    each = estimators.find(project.estimator.class_)
    facts = {
        "model": project.name,
        "data": data.digest,
        "inputs": msgspec.to_builtins(project.features),
        "split": msgspec.to_builtins(project.split),
        "estimator": each.path,
        "library": importlib.import_module(each.path.partition(".")[0]).__version__,
        "params": project.estimator.params,
        "metric": project.gates.metric,
        "threshold": project.threshold,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]
