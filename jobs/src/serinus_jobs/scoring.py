"""Metrics of classification, as functions of class indices and probabilities.

Written on numpy rather than taken from scikit-learn because gates call them thousands of times for one
bootstrap interval (ten times faster), and because a metric that cannot be computed is NaN here, never
an exception or a warning: gates fail closed on NaN. A test holds them equal to scikit-learn's.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from serinus_jobs.errors import JobError

Target = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.float64]


def predicted(probabilities: Probabilities, threshold: float) -> Target:
    """Return class indices [rows]: for two classes 1 where P(class 1) >= `threshold`, else the largest."""
    if probabilities.shape[1] == 2:
        return (probabilities[:, 1] >= threshold).astype(np.int64)
    return np.asarray(probabilities.argmax(axis=1), dtype=np.int64)


def roc_auc(target: Target, probabilities: Probabilities, threshold: float) -> float:  # noqa: ARG001  one signature
    """Area under the ROC curve by ranks (Mann-Whitney); one against the rest, macro, beyond two classes."""
    classes = probabilities.shape[1]
    if classes == 2:
        return _ranked_auc(target == 1, probabilities[:, 1])
    return float(np.mean([_ranked_auc(target == k, probabilities[:, k]) for k in range(classes)]))


def _ranked_auc(positive: npt.NDArray[np.bool_], score: npt.NDArray[np.float64]) -> float:
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if not positives or not negatives:
        return float("nan")
    ranks = rankdata(score)
    return float((ranks[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def average_precision(target: Target, probabilities: Probabilities, threshold: float) -> float:  # noqa: ARG001  one signature
    """Area under the precision-recall curve by steps; macro over classes beyond two."""
    classes = probabilities.shape[1]
    if classes == 2:
        return _stepped_precision(target == 1, probabilities[:, 1])
    return float(np.mean([_stepped_precision(target == k, probabilities[:, k]) for k in range(classes)]))


def _stepped_precision(positive: npt.NDArray[np.bool_], score: npt.NDArray[np.float64]) -> float:
    if not positive.any() or positive.all():
        return float("nan")
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(positive[order])
    # Equal scores cannot be told apart by any threshold, so only the last of each run counts.
    last = np.append(np.diff(score[order]) != 0, True)
    hits, seen = hits[last], (np.flatnonzero(last) + 1)
    return float(np.sum(np.diff(hits, prepend=0) * hits / seen) / hits[-1])


def accuracy(target: Target, probabilities: Probabilities, threshold: float) -> float:
    """Share of rows whose predicted class is the true one."""
    if not len(target):
        return float("nan")
    return float(np.mean(predicted(probabilities, threshold) == target))


def precision(target: Target, probabilities: Probabilities, threshold: float) -> float:
    """Precision of class 1, macro beyond two classes. NaN where nothing was predicted positive."""
    return _by_class(
        target, probabilities, threshold, lambda hit, said, _true: hit / said if said else np.nan
    )


def recall(target: Target, probabilities: Probabilities, threshold: float) -> float:
    """Recall of class 1, macro beyond two classes."""
    return _by_class(
        target, probabilities, threshold, lambda hit, _said, true: hit / true if true else np.nan
    )


def f1(target: Target, probabilities: Probabilities, threshold: float) -> float:
    """Harmonic mean of precision and recall of class 1, macro beyond two classes."""
    return _by_class(
        target,
        probabilities,
        threshold,
        lambda hit, said, true: 2 * hit / (said + true) if said + true else np.nan,
    )


def _by_class(
    target: Target,
    probabilities: Probabilities,
    threshold: float,
    formula: Callable[[int, int, int], float],
) -> float:
    answer = predicted(probabilities, threshold)
    classes = probabilities.shape[1]
    values = []
    for k in [1] if classes == 2 else range(classes):
        said, true = answer == k, target == k
        values.append(formula(int((said & true).sum()), int(said.sum()), int(true.sum())))
    return float(np.mean(values))


def log_loss(target: Target, probabilities: Probabilities, threshold: float) -> float:  # noqa: ARG001  one signature
    """Mean negative log likelihood, probabilities clipped at 1e-12."""
    if not len(target):
        return float("nan")
    return float(-np.mean(np.log(np.clip(probabilities[np.arange(len(target)), target], 1e-12, 1.0))))


def brier(target: Target, probabilities: Probabilities, threshold: float) -> float:  # noqa: ARG001  one signature
    """Mean squared error of P(class 1); beyond two classes, summed over classes."""
    if not len(target):
        return float("nan")
    if probabilities.shape[1] == 2:
        return float(np.mean((probabilities[:, 1] - (target == 1)) ** 2))
    truth = np.eye(probabilities.shape[1])[target]
    return float(np.mean(((probabilities - truth) ** 2).sum(axis=1)))


Metric = Callable[[Target, Probabilities, float], float]
# Larger is better: these may stand in `gates` and choose a model in the search.
GATE_METRICS: dict[str, Metric] = {
    "roc_auc": roc_auc,
    "average_precision": average_precision,
    "accuracy": accuracy,
    "precision": precision,
    "recall": recall,
    "f1": f1,
}
LOSSES: dict[str, Metric] = {"log_loss": log_loss, "brier": brier}


def metric(name: str) -> Metric:
    """Return the gate metric `name`; JobError names the known ones."""
    if name not in GATE_METRICS:
        raise JobError(f"metric {name!r} is unknown; known are {', '.join(GATE_METRICS)}")
    return GATE_METRICS[name]


def score_all(target: Target, probabilities: Probabilities, threshold: float) -> dict[str, float]:
    """Return every metric and loss by name; NaN where one cannot be computed."""
    every = {**GATE_METRICS, **LOSSES}
    return {name: function(target, probabilities, threshold) for name, function in every.items()}
