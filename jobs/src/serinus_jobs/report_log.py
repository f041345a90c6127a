"""Drift and quality reports into MLflow: one experiment a model, one run a report.

The files in `settings.reports(model)` are the reports; this is a copy for whoever looks at MLflow. So it
comes last, and a verb that fails here has written its report already and may be run again.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from serinus_contracts.drift_report import DriftReport, QualityReport
from serinus_contracts.registry_tags import DIGEST
from serinus_jobs.errors import JobError
from serinus_jobs.run_tags import FINGERPRINT, KIND, REPORT, REVISION, VERDICT
from serinus_jobs.settings import Settings


def experiment(model: str) -> str:
    """Return the name of the experiment that holds a model's reports."""
    return f"{model}-monitoring"


def log_drift(settings: Settings, report: DriftReport, path: Path) -> str:
    """Log the report at `path`, and the page beside it if there is one; return the run's id."""
    tests = [*report.features, *([report.prediction] if report.prediction else [])]
    metrics = {f"effect.{each.name}": each.effect for each in tests}
    metrics |= {"rows": float(report.rows), "drifted": float(sum(each.drifted for each in tests))}
    tags = {KIND: "drift", VERDICT: report.verdict, FINGERPRINT: report.fingerprint}
    return _log(settings, report.model, report.revision, path, tags, metrics)


def log_quality(settings: Settings, report: QualityReport, path: Path) -> str:
    """Log the report at `path`; return the run's id."""
    verdict = quality_verdict(report)
    metrics = {name: estimate for name, (estimate, *_) in report.metrics.items()}
    metrics |= {"predictions": float(report.predictions), "labelled": float(report.labelled)}
    return _log(settings, report.model, report.revision, path, {KIND: "quality", VERDICT: verdict}, metrics)


def quality_verdict(report: QualityReport) -> str:
    """Return degraded, stable, or insufficient: too few labels, or no holdout to compare with."""
    if report.labelled < report.minimum_labels or not report.holdout:
        return "insufficient"
    return "degraded" if report.degraded else "stable"


def _log(
    settings: Settings,
    model: str,
    revision: str,
    path: Path,
    tags: Mapping[str, str],
    metrics: Mapping[str, float],
) -> str:
    try:
        return _logged(settings, model, path, {**tags, REVISION: revision, REPORT: path.stem}, metrics)
    except JobError as error:
        raise JobError(f"{path} is written, but {error}", error.exit_code) from error


def _logged(
    settings: Settings, model: str, path: Path, tags: Mapping[str, str], metrics: Mapping[str, float]
) -> str:
    # Takes seconds to import, and only this step needs it.
    from serinus_jobs.registry import Registry

    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    registry = Registry(settings)
    # A verb that is run again for the same window must not count as a second report.
    same = f"tags.`{REPORT}` = '{path.stem}' AND tags.`{DIGEST}` = '{digest}' AND status = 'FINISHED'"
    if known := registry.search_runs(experiment(model), same, limit=1):
        return known[0].run_id
    with tempfile.TemporaryDirectory(prefix="serinus-report-") as folder:
        for each in (path, path.with_suffix(".html")):
            if each.exists():
                shutil.copy(each, folder)
        return registry.log_run(
            experiment(model),
            name=path.stem,
            params={},
            metrics=metrics,
            tags={**tags, DIGEST: digest},
            folder=Path(folder),
        )
