"""From reports to triggers: which reports ask for retraining, and under what fingerprint."""

import hashlib
from collections.abc import Iterable

from serinus_contracts.documents import canonical_json
from serinus_contracts.drift_report import DriftReport, QualityReport
from serinus_operator.retraining.model import Trigger


def triggers(reports: Iterable[DriftReport | QualityReport]) -> list[Trigger]:
    """Return a trigger for each drifted and each degraded report, in order."""
    found = []
    for report in reports:
        if isinstance(report, DriftReport):
            if report.verdict != "drifted":
                continue
            tests = (*report.features, *([report.prediction] if report.prediction else []))
            fingerprint = report.fingerprint
            cause = f"drift in {', '.join(each.name for each in tests if each.drifted)}"
        else:
            if not report.degraded:
                continue
            worse = sorted(report.degraded_metrics)
            identity = canonical_json(["quality", report.model, report.revision, worse])
            fingerprint = hashlib.sha256(identity).hexdigest()[:16]
            cause = f"quality below the holdout's: {', '.join(worse)}"
        found.append(
            Trigger(report.model, report.revision, fingerprint, report.window_start, report.window_end, cause)
        )
    return found
