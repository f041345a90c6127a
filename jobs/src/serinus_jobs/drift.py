"""Compare a window of the prediction log with the data that its model was trained on.

The verdict is serinus_jobs.drift_stats'; Evidently draws the HTML report. Rows that were answered in
degraded mode are left out, because then the store's absence made the values, not the world.
"""

import hashlib
import json
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from serinus_contracts.documents import canonical_json, to_document
from serinus_contracts.drift_report import DriftReport
from serinus_contracts.reference import CategoryReference, Reference
from serinus_contracts.registry_tags import CHAMPION
from serinus_jobs.artifact_reference import ReferencedModel, load_reference
from serinus_jobs.drift_stats import Comparison, compare_categories, compare_numbers, decide
from serinus_jobs.errors import JobError
from serinus_jobs.live_features import LiveFeatures, live_features
from serinus_jobs.prediction_window import read_window
from serinus_jobs.project import load_model
from serinus_jobs.report_log import log_drift
from serinus_jobs.settings import Settings
from serinus_jobs.window_times import moment

PREDICTION = "prediction"


def run(
    model_dir: Path,
    settings: Settings,
    *,
    start: float,
    end: float,
    revision: str | None = None,
    artifact: Path | None = None,
    html: bool = True,
) -> DriftReport:
    """Compare what `revision` saw in the window `start <= at < end` (Unix seconds) with its reference.

    The reference is read from the model folder `artifact`, or from the registry's champion. `revision`
    is that artifact's when not given, and must not be another's. Writes drift-<revision>-<start>-<end>
    as .json and, with `html`, as .html (Evidently) into `settings.reports(model)`.
    """
    project = load_model(model_dir)
    model = load_reference(artifact) if artifact else _champion(settings, project.name)
    contract, reference = model.contract, model.reference
    if contract.model != project.name:
        raise JobError(f"{artifact}: is of model {contract.model}, {model_dir} is {project.name}")
    if revision and revision != contract.revision:
        raise JobError(
            f"revision {revision} is not the artifact's, {contract.revision}; give that revision's folder"
        )
    columns = ["entity", "features", "prediction", "degraded", "defaulted"]
    log = settings.prediction_log(project.name)
    rows = read_window(log, start, end, columns, contract.revision)
    live = live_features(rows[~rows["degraded"]], reference)
    monitors = project.monitors
    enough = live.rows >= monitors.minimum_rows
    tests = decide(
        compare(reference, live, monitors.drift_effect), monitors.false_discovery_rate, enough=enough
    )
    drifted = sorted(each.name for each in tests if each.drifted)
    report = DriftReport(
        model=project.name,
        revision=contract.revision,
        window_start=start,
        window_end=end,
        rows=live.rows,
        minimum_rows=monitors.minimum_rows,
        verdict="insufficient" if not enough else "drifted" if drifted else "stable",
        features=tuple(each for each in tests if each.name != PREDICTION),
        prediction=next((each for each in tests if each.name == PREDICTION), None),
        fingerprint=fingerprint(project.name, contract.revision, drifted),
        degraded_rows=int(rows["degraded"].sum()),
        effective_rows=live.effective,
    )
    _publish(report, reference, live, report_path(settings, report), html)
    return report


def compare(reference: Reference, live: LiveFeatures, threshold: float) -> list[Comparison]:
    """Return every comparison of a window: features, then the predicted classes."""
    found = [compare_numbers(r, live.numbers[r.name], threshold, live.effective) for r in reference.numeric]
    for each in reference.categorical:
        counts, missing = live.categories[each.name]
        found.append(compare_categories(each, counts, missing, threshold, live.effective))
    if reference.predictions:
        total = sum(reference.predictions.values())
        predicted = CategoryReference(PREDICTION, total, 0, reference.predictions)
        found.append(compare_categories(predicted, live.predictions, 0, threshold, live.effective))
    return found


def fingerprint(model: str, revision: str, drifted: list[str]) -> str:
    """Return 16 hex digits that name what drifted: the same for the same features of one revision."""
    return hashlib.sha256(canonical_json([model, revision, sorted(drifted)])).hexdigest()[:16]


def _champion(settings: Settings, model: str) -> ReferencedModel:
    # Takes seconds to import, and is not needed where the artifact's folder is given.
    from serinus_jobs.registry import Registry

    registry = Registry(settings)
    version = registry.by_alias(model, CHAMPION)
    if version is None:
        raise JobError(f"{model}: the registry has no champion; register a model or give --artifact")
    with tempfile.TemporaryDirectory(prefix="serinus-drift-") as folder:
        return load_reference(registry.fetch_version(version, Path(folder)))


def report_path(settings: Settings, report: DriftReport) -> Path:
    """Return where the report's JSON is written; its page stands beside it."""
    window = f"{report.window_start:.0f}-{report.window_end:.0f}"
    return settings.reports(report.model) / f"drift-{report.revision}-{window}.json"


def _publish(report: DriftReport, reference: Reference, live: LiveFeatures, path: Path, html: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(to_document(report), indent=2, sort_keys=True, allow_nan=False)
    path.write_text(text + "\n")
    if html and live.rows:
        # Takes seconds to import.
        from serinus_jobs.drift_html import write_html

        write_html(report, reference, live, path.with_suffix(".html"))


def _lines(report: DriftReport) -> Iterator[str]:
    yield (
        f"{report.model} {report.revision}: {report.verdict}; {report.rows} rows (worth "
        f"{report.effective_rows:.0f} independent ones), {report.degraded_rows} degraded ones left out, "
        f"minimum {report.minimum_rows}; fingerprint {report.fingerprint}"
    )
    for each in (*report.features, *([report.prediction] if report.prediction else [])):
        mark = "DRIFT" if each.drifted else "ok"
        effect = f"effect {each.effect:.3f}, threshold {each.threshold:g}"
        yield f"  {mark:<5} {each.name:<28} {effect}, q {each.q_value:.2g}"


def command(
    model_dir: Annotated[Path, typer.Option(help="the model's folder, with model.yaml")],
    start: Annotated[str, typer.Option(help="Unix seconds, an ISO 8601 time (UTC without a zone), or -24h")],
    end: Annotated[str, typer.Option(help="as start; now, when not given")] = "",
    artifact: Annotated[Path | None, typer.Option(help="the model's artifact; else the champion's")] = None,
    html: Annotated[bool, typer.Option(help="write Evidently's HTML as well")] = True,
) -> None:
    """Run the verb from the command line."""
    until = moment(end) if end else datetime.now(UTC).timestamp()
    settings = Settings.from_environment()
    report = run(model_dir, settings, start=moment(start), end=until, artifact=artifact, html=html)
    for line in _lines(report):
        print(line)
    if settings.log_reports:
        log_drift(settings, report, report_path(settings, report))
