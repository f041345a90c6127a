"""The drift report: written by the drift verb, read by `retraining/decide` and the report page."""

from dataclasses import dataclass
from typing import Literal

DriftVerdict = Literal["stable", "drifted", "insufficient"]


@dataclass(frozen=True)
class FeatureDrift:
    """One feature's test. `effect` is in the test's own unit and compared with `threshold`;
    `q_value` is the p-value after false-discovery control over all features of the report."""

    name: str
    test: str
    statistic: float
    p_value: float
    q_value: float
    effect: float
    threshold: float
    drifted: bool


@dataclass(frozen=True)
class DriftReport:
    """One window against one reference. Times are Unix seconds.

    `fingerprint` identifies what drifted (model, revision, set of drifted features): the same drift
    seen again has the same fingerprint, which is what damps retraining.
    """

    model: str
    revision: str
    window_start: float
    window_end: float
    rows: int
    minimum_rows: int
    verdict: DriftVerdict
    features: tuple[FeatureDrift, ...]
    prediction: FeatureDrift | None
    fingerprint: str


@dataclass(frozen=True)
class QualityReport:
    """Quality of one revision over one window, from joined labels.

    `metrics` maps a metric's name to (estimate, low, high), a 95 % interval. `labelled` of
    `predictions` rows had a label; `lateness_seconds` are the median and the 95th percentile.
    `degraded` is true when a metric's whole interval lies below the holdout value less its
    tolerance.
    """

    model: str
    revision: str
    window_start: float
    window_end: float
    predictions: int
    labelled: int
    lateness_seconds: tuple[float, ...]
    metrics: dict[str, tuple[float, ...]]
    holdout: dict[str, float]
    degraded: bool
