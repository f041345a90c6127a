"""The drift report: written by the drift verb, read by `retraining/decide` and the report page."""

from dataclasses import dataclass, field
from typing import Literal

DriftVerdict = Literal["stable", "drifted", "insufficient"]


@dataclass(frozen=True)
class FeatureDrift:
    """One feature's test. `effect` is in the test's own unit and compared with `threshold`.

    `p_value` is for the hypothesis that the true effect is not above the threshold; `q_value` is the
    same after false-discovery control over all tests of the report. `details` holds the measures that
    do not decide: PSI, Jensen-Shannon distance, p-value of "no difference at all", shares missing.
    """

    name: str
    test: str
    statistic: float
    p_value: float
    q_value: float
    effect: float
    threshold: float
    drifted: bool
    details: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class DriftReport:
    """One window against one reference. Times are Unix seconds.

    `fingerprint` identifies what drifted (model, revision, set of drifted features): the same drift
    seen again has the same fingerprint, which is what damps retraining. `rows` counts what was
    compared; `degraded_rows` were left out, because the store and not the world made their values.
    `effective_rows` is what the rows are worth as independent ones (several rows of one entity are not).
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
    degraded_rows: int = 0
    effective_rows: float = 0.0


@dataclass(frozen=True)
class QualityReport:
    """Quality of one revision over one window, from joined labels.

    `metrics` maps a metric's name to (estimate, low, high), a 95 % interval. `labelled` of
    `predictions` rows had a label; `lateness_seconds` are the median and the 95th percentile.
    `degraded` is true when a metric's whole interval lies on the wrong side of the holdout value with
    its tolerance (below it; above it for a loss); `degraded_metrics` names those. Below
    `minimum_labels`, or without holdout values, it is never true.
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
    degraded_metrics: tuple[str, ...] = ()
    minimum_labels: int = 0
