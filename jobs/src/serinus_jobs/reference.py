"""Reference statistics of a training set, for the drift verb: see serinus_contracts.reference."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from serinus_contracts.artifact import Input, Scalar
from serinus_contracts.reference import CategoryReference, NumericReference, Reference

_PERCENTILES = np.linspace(0.0, 1.0, 101)


def describe(
    frame: pd.DataFrame,
    inputs: Sequence[Input],
    predicted: npt.NDArray[np.int64],
    classes: Sequence[Scalar],
    metrics: dict[str, float],
) -> Reference:
    """Describe the raw feature values of `frame` (training rows, nulls counted apart).

    `predicted` are class indices and `metrics` values on the holdout: on rows that the model was fitted
    to, both would flatter it. Metrics that could not be computed are left out.
    """
    numeric: list[NumericReference] = []
    categorical: list[CategoryReference] = []
    for each in inputs:
        series = frame[each.name]
        present = series.dropna()
        missing = len(series) - len(present)
        if each.dtype in ("string", "bool"):
            counts = Counter(_text(value) for value in present)
            ordered = {name: counts[name] for name in sorted(counts)}
            categorical.append(CategoryReference(each.name, len(present), missing, ordered))
        else:
            values = present.to_numpy(dtype=np.float64)
            quantiles = tuple(float(q) for q in np.quantile(values, _PERCENTILES))
            numeric.append(
                NumericReference(
                    each.name, len(values), missing, float(values.mean()), float(values.std()), quantiles
                )
            )
    answers = np.bincount(predicted, minlength=len(classes))
    return Reference(
        rows=len(frame),
        numeric=tuple(numeric),
        categorical=tuple(categorical),
        predictions={_text(label): int(count) for label, count in zip(classes, answers, strict=True)},
        metrics={name: value for name, value in metrics.items() if np.isfinite(value)},
    )


def _text(value: object) -> str:
    """Return a value as the log writes it: JSON's true and false for bools."""
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    return str(value)
