"""Reference statistics of the training data: what the drift verb compares live data with."""

from dataclasses import dataclass


@dataclass(frozen=True)
class NumericReference:
    """`quantiles` are the 101 percentiles 0..100 of the reference values."""

    name: str
    count: int
    missing: int
    mean: float
    std: float
    quantiles: tuple[float, ...]


@dataclass(frozen=True)
class CategoryReference:
    """`counts` maps each value, as text, to how often it was seen."""

    name: str
    count: int
    missing: int
    counts: dict[str, int]


@dataclass(frozen=True)
class Reference:
    """One model's reference: of its inputs and of its predictions (class label to count)."""

    rows: int
    numeric: tuple[NumericReference, ...]
    categorical: tuple[CategoryReference, ...]
    predictions: dict[str, int]
    metrics: dict[str, float]
