"""The values that a model saw in a window of its log, feature by feature, as its reference counts them."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from serinus_contracts.reference import Reference
from serinus_jobs.drift_stats import Array, effective_rows
from serinus_jobs.errors import JobError
from serinus_jobs.label_source import class_text

_NO_ENTITY = ("{}", "", None)


@dataclass(frozen=True)
class LiveFeatures:
    """Live values. `numbers`: shape [rows], NaN where missing. `categories`: counts by text, and how many
    were missing. A value that a declared default filled was missing. `effective`: see drift_stats."""

    rows: int
    effective: float
    numbers: dict[str, Array]
    categories: dict[str, tuple[dict[str, int], int]]
    predictions: dict[str, int]


def live_features(rows: pd.DataFrame, reference: Reference) -> LiveFeatures:
    """Read the columns entity, features, prediction and defaulted of log rows.

    Raises JobError for features that are no JSON object.
    """
    decoder = msgspec.json.Decoder(dict[str, Any])
    size = len(rows)
    numbers = {each.name: np.full(size, np.nan) for each in reference.numeric}
    counters: dict[str, Counter[str]] = {each.name: Counter() for each in reference.categorical}
    for i, (text, defaulted) in enumerate(zip(rows["features"], rows["defaulted"], strict=True)):
        try:
            values = decoder.decode(text)
        except (msgspec.MsgspecError, TypeError) as error:
            raise JobError(f"prediction log: features of row {i}: no JSON object: {error}") from None
        for name in defaulted if defaulted is not None else ():
            values.pop(name, None)
        for name, column in numbers.items():
            value = values.get(name)
            if isinstance(value, int | float):
                column[i] = value
        for name, counter in counters.items():
            value = values.get(name)
            if value is not None:
                counter[class_text(value)] += 1
    # Rows without an entity are their own units.
    units = [f"#{i}" if each in _NO_ENTITY else each for i, each in enumerate(rows["entity"])]
    return LiveFeatures(
        rows=size,
        effective=effective_rows(units),
        numbers=numbers,
        categories={name: (dict(each), size - each.total()) for name, each in counters.items()},
        predictions={str(name): int(count) for name, count in rows["prediction"].value_counts().items()},
    )
