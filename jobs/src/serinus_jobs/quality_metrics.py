"""Quality of answered rows whose truth is known: every metric with its 95 % interval. Pure.

Names and meanings are those of serinus_jobs.scoring, so that they compare with the holdout's.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from serinus_jobs.intervals import Array, Interval, bootstrap_counts, mean, roc_auc, wilson
from serinus_jobs.scoring import LOSSES

Classes = npt.NDArray[np.int64]


def measured(target: Classes, answer: Classes, probabilities: Array, seed: int = 7) -> dict[str, Interval]:
    """Return name to (estimate, low, high) for true and answered class indices [rows] and probabilities
    [rows, classes]. A metric that cannot be computed (a class is absent) is left out."""
    rows, classes = probabilities.shape
    if not rows:
        return {}
    confusion = np.bincount(target * classes + answer, minlength=classes * classes)
    found: dict[str, Interval | None] = {"accuracy": wilson(int((target == answer).sum()), rows)}
    truth = np.eye(classes)[target]
    if classes == 2:
        hits = int(confusion[3])
        found["precision"] = wilson(hits, int(confusion[1] + confusion[3]))
        found["recall"] = wilson(hits, int(confusion[2] + confusion[3]))
        found["roc_auc"] = roc_auc(target == 1, probabilities[:, 1])
        squared = (probabilities[:, 1] - truth[:, 1]) ** 2
    else:
        squared = ((probabilities - truth) ** 2).sum(axis=1)
    if confusion.reshape(classes, classes).sum(axis=1).all():
        found["f1"] = bootstrap_counts(confusion, _f1, seed)
    likelihood = np.clip(probabilities[np.arange(rows), target], 1e-12, 1.0)
    found["log_loss"] = mean(-np.log(likelihood))
    found["brier"] = mean(squared)
    return {name: interval for name, interval in found.items() if interval is not None}


def degraded(
    metrics: Mapping[str, tuple[float, ...]], holdout: Mapping[str, float], tolerance: float
) -> tuple[str, ...]:
    """Return the metrics whose whole interval is worse than the holdout's value by more than `tolerance`."""
    worse = []
    for name, (_, low, high) in metrics.items():
        if name not in holdout:
            continue
        loss = name in LOSSES
        if (low > holdout[name] + tolerance) if loss else (high < holdout[name] - tolerance):
            worse.append(name)
    return tuple(sorted(worse))


def _f1(counts: Array) -> Array:
    """F1 of class 1, macro beyond two classes, for confusion counts [draws, true x answered]."""
    classes = round(counts.shape[1] ** 0.5)
    table = counts.reshape(-1, classes, classes)
    hit = np.diagonal(table, axis1=1, axis2=2)
    whole = table.sum(axis=1) + table.sum(axis=2)
    share = np.divide(2 * hit, whole, out=np.zeros_like(hit), where=whole > 0)
    result: Array = share[:, 1] if classes == 2 else share.mean(axis=1)
    return result
