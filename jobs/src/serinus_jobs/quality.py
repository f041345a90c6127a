"""Metrics with intervals per revision and window, from the prediction log joined with late labels."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from serinus_contracts.documents import to_document
from serinus_contracts.drift_report import QualityReport
from serinus_jobs import labels
from serinus_jobs.artifact_reference import load_reference
from serinus_jobs.errors import JobError
from serinus_jobs.label_source import class_text
from serinus_jobs.prediction_window import read_window
from serinus_jobs.project import ModelProject, load_model
from serinus_jobs.quality_metrics import degraded, measured
from serinus_jobs.report_log import log_quality
from serinus_jobs.settings import Settings
from serinus_jobs.window_times import moment

_log = logging.getLogger(__name__)


def run(
    model_dir: Path,
    settings: Settings,
    *,
    start: float,
    end: float,
    revision: str | None = None,
    artifacts: Sequence[Path] = (),
) -> list[QualityReport]:
    """Report every revision that answered in the window `start <= at < end` (Unix seconds of the
    prediction, however late the label came), sorted by revision.

    `artifacts` are model folders: the holdout metrics of their revisions are what quality is compared
    with. A revision without one gets metrics, and is never called degraded. Each report is written to
    `settings.reports(model)` as JSON.
    """
    project = load_model(model_dir)
    holdouts: dict[str, Mapping[str, float]] = {}
    for folder in artifacts:
        model = load_reference(folder)
        holdouts[model.contract.revision] = model.reference.metrics
    log = settings.prediction_log(project.name)
    rows = read_window(log, start, end, ["prediction", "probabilities"], revision)
    truth = labels.read(settings, project.name)
    joined = rows.merge(truth, on="prediction_id", how="left", validate="many_to_one")
    reports = []
    for name, part in joined.groupby("revision", sort=True):
        report = _report(project, str(name), part, start, end, holdouts.get(str(name), {}))
        path = report_path(settings, report)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(to_document(report), indent=2, sort_keys=True) + "\n")
        reports.append(report)
    return reports


def report_path(settings: Settings, report: QualityReport) -> Path:
    """Return where the report is written."""
    window = f"{report.window_start:.0f}-{report.window_end:.0f}"
    return settings.reports(report.model) / f"quality-{report.revision}-{window}.json"


def _report(
    project: ModelProject,
    revision: str,
    rows: pd.DataFrame,
    start: float,
    end: float,
    holdout: Mapping[str, float],
) -> QualityReport:
    index = {class_text(each): i for i, each in enumerate(project.label.classes)}
    has_label = rows["label"].notna()
    usable = rows["label"].isin(index) & rows["prediction"].isin(index)
    usable &= rows["probabilities"].map(lambda p: p is not None and len(p) == len(index))
    if (strange := int((has_label & ~usable).sum())) > 0:
        _log.warning(
            "%s %s: %d labelled rows are none of the model's classes", project.name, revision, strange
        )
    known = rows[has_label & usable]
    probabilities = np.array(known["probabilities"].to_list(), dtype=float).reshape(len(known), len(index))
    metrics = measured(
        np.array([index[each] for each in known["label"]], dtype=np.int64),
        np.array([index[each] for each in known["prediction"]], dtype=np.int64),
        probabilities,
    )
    lateness = (known["first_at"] - known["at"]).to_numpy(dtype=float)
    minimum = project.monitors.quality_minimum_labels
    enough = len(known) >= minimum
    worse = degraded(metrics, holdout, project.monitors.quality_tolerance) if enough else ()
    return QualityReport(
        model=project.name,
        revision=revision,
        window_start=start,
        window_end=end,
        predictions=len(rows),
        labelled=len(known),
        lateness_seconds=tuple(float(q) for q in np.quantile(lateness, [0.5, 0.95])) if len(known) else (),
        # A loss of a single row has no interval; JSON has no infinity.
        metrics={k: tuple(map(float, v)) for k, v in metrics.items() if np.isfinite(v).all()},
        holdout=dict(holdout),
        degraded=bool(worse),
        degraded_metrics=worse,
        minimum_labels=minimum,
    )


def _lines(report: QualityReport) -> Iterator[str]:
    coverage = report.labelled / report.predictions
    late = ", ".join(f"{seconds:.0f} s" for seconds in report.lateness_seconds) or "unknown"
    yield (
        f"{report.model} {report.revision}: {report.labelled} of {report.predictions} predictions labelled "
        f"({coverage:.1%}); lateness, median and 95th percentile: {late}"
    )
    for name, (estimate, low, high) in report.metrics.items():
        against = f", holdout {report.holdout[name]:.4f}" if name in report.holdout else ""
        yield f"  {name:<9} {estimate:.4f} [{low:.4f}, {high:.4f}]{against}"
    if report.labelled < report.minimum_labels:
        yield f"  too few labels to judge (minimum {report.minimum_labels})"
    elif not report.holdout:
        yield "  holdout metrics of this revision are unknown; give its folder as --artifact"
    else:
        yield f"  degraded: {', '.join(report.degraded_metrics) or 'no'}"


def command(
    model_dir: Annotated[Path, typer.Option(help="the model's folder, with model.yaml")],
    start: Annotated[str, typer.Option(help="Unix seconds, an ISO 8601 time (UTC without a zone), or -24h")],
    end: Annotated[str, typer.Option(help="as start; now, when not given")] = "",
    artifact: Annotated[list[Path] | None, typer.Option(help="model folders with holdout metrics")] = None,
    revision: Annotated[str, typer.Option(help="only this revision")] = "",
) -> None:
    """Run the verb from the command line."""
    until = moment(end) if end else datetime.now(UTC).timestamp()
    settings = Settings.from_environment()
    reports = run(
        model_dir,
        settings,
        start=moment(start),
        end=until,
        revision=revision or None,
        artifacts=artifact or (),
    )
    if not reports:
        raise JobError(f"no prediction was logged between {start} and {end or 'now'}; run collect first")
    for report in reports:
        for line in _lines(report):
            print(line)
    if settings.log_reports:
        for report in reports:
            log_quality(settings, report, report_path(settings, report))
