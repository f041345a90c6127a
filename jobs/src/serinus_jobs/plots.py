"""The plots that go with a run: drawn from holdout rows, without a display."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sklearn.calibration import calibration_curve
from sklearn.metrics import confusion_matrix, precision_recall_curve, roc_curve

from serinus_jobs.scoring import predicted

FILES = ("roc.png", "precision_recall.png", "calibration.png", "confusion.png", "importance.png")
_DPI = 90
_BINS = 10


def draw(
    folder: Path,
    target: npt.NDArray[np.int64],
    probabilities: npt.NDArray[np.float64],
    classes: Sequence[object],
    threshold: float,
    importance: dict[str, float],
) -> None:
    """Write every plot of FILES into `folder`. `target` [rows] holds class indices."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [str(each) for each in classes]
    # For two classes the curve of the second says all; beyond, each class stands against the rest.
    shown = [1] if len(names) == 2 else list(range(len(names)))

    figure, axes = _figure("ROC on the holdout", "false positive rate", "true positive rate")
    for k in shown:
        false_positive, true_positive, _ = roc_curve(target == k, probabilities[:, k])
        axes.plot(false_positive, true_positive, label=names[k])
    axes.plot([0, 1], [0, 1], color="0.7", linestyle="--", linewidth=1)
    _save(figure, folder / FILES[0], legend=True)

    figure, axes = _figure("Precision and recall on the holdout", "recall", "precision")
    for k in shown:
        precision, recall, _ = precision_recall_curve(target == k, probabilities[:, k])
        axes.plot(recall, precision, label=names[k])
    axes.set_ylim(0, 1.02)
    _save(figure, folder / FILES[1], legend=True)

    figure, axes = _figure("Calibration on the holdout", "mean predicted probability", "observed share")
    for k in shown:
        observed, mean = calibration_curve(
            target == k, probabilities[:, k], n_bins=_BINS, strategy="quantile"
        )
        axes.plot(mean, observed, marker="o", label=names[k])
    axes.plot([0, 1], [0, 1], color="0.7", linestyle="--", linewidth=1)
    _save(figure, folder / FILES[2], legend=True)

    counts = confusion_matrix(target, predicted(probabilities, threshold), labels=range(len(names)))
    figure, axes = _figure("Confusion on the holdout", "predicted", "true")
    axes.imshow(counts, cmap="Blues")
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    for (row, column), count in np.ndenumerate(counts):
        dark = count > counts.max() / 2
        axes.text(column, row, str(count), ha="center", va="center", color="white" if dark else "black")
    _save(figure, folder / FILES[3])

    figure, axes = _figure("Permutation importance on the holdout", "loss of the metric when shuffled", "")
    ordered = sorted(importance.items(), key=lambda item: item[1])
    axes.barh([name for name, _ in ordered], [value for _, value in ordered])
    _save(figure, folder / FILES[4])


def _figure(title: str, horizontal: str, vertical: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(5.2, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set(title=title, xlabel=horizontal, ylabel=vertical)
    return figure, axes


def _save(figure: Figure, path: Path, *, legend: bool = False) -> None:
    if legend:
        figure.axes[0].legend()
    figure.savefig(path, dpi=_DPI)
