"""Watching what is served: the log, late labels, quality, drift, and whether to train again."""

import math
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

from serinus_contracts.drift_report import DriftReport, QualityReport
from serinus_jobs import collect, drift, labels, quality
from serinus_jobs.project import load_model
from serinus_local.phases.serving import Serving
from serinus_local.processes import Child, LocalError
from serinus_local.run import Run
from serinus_local.world import Window, labels_of, write_labels
from serinus_operator.retraining import model as retraining
from serinus_operator.retraining.decide import decide
from serinus_operator.retraining.triggers import triggers

ALERTS = 50
# The servers' log buffer is written out within this time.
_LOG_LAG_SECONDS = 3.0
_EARLY_SHARE = 0.6


@dataclass(frozen=True)
class Stretch:
    """A stretch of served traffic under one truth. Times are Unix seconds."""

    name: str
    start: float
    end: float
    window: Window


def collect_log(run: Run, serving: Serving) -> None:
    """Turn what the servers have logged so far into Parquet."""
    time.sleep(_LOG_LAG_SECONDS)
    took = collect.run(run.settings, serving.model, f"dir:{serving.log_folder}")
    run.decided(
        "log",
        f"{took.written} predictions collected",
        "bad" if took.refused else "neutral",
        f"{took.read} read, {took.refused} refused.",
    )


def take_labels(run: Run, serving: Serving, stretches: list[Stretch]) -> None:
    """Let the truth about past predictions arrive: some early, then all of it, some for the second time."""
    known = run.outcomes()
    told = []
    for stretch in stretches:
        inside = [each for each in known if stretch.start <= each.at < stretch.end]
        told += labels_of(inside, stretch.window.truth, time.time())
    early = told[: int(len(told) * _EARLY_SHARE)]
    classes = tuple(str(each) for each in load_model(run.options.model_dir).label.classes)
    for name, batch in (("early", early), ("late", told[len(early) // 2 :])):
        path = run.options.work / "world" / f"labels-{name}-{int(run.now())}.jsonl"
        write_labels(path, batch)
        result = labels.run(run.settings, serving.model, path, classes=classes)
        run.decided(
            "labels",
            f"{result.written} labels taken in, {name} batch",
            "neutral",
            f"{result.read} read, {result.duplicates} known already, {result.refused} refused.",
        )


def judge_quality(run: Run, stretch: Stretch, revision: str, artifact: Path) -> list[QualityReport]:
    """Measure quality of one revision in a stretch, beside the holdout of its artifact."""
    reports = quality.run(
        run.options.model_dir,
        run.settings,
        start=stretch.start,
        end=stretch.end,
        revision=revision,
        artifacts=[artifact],
    )
    for report in reports:
        shown = {
            name: f"{value:.3f} ({low:.3f} to {high:.3f}), holdout {report.holdout.get(name, math.nan):.3f}"
            for name, (value, low, high) in report.metrics.items()
        }
        late = f"; median lateness {report.lateness_seconds[0]:.0f} s" if report.lateness_seconds else ""
        run.decided(
            "quality",
            f"{stretch.name}: {'degraded' if report.degraded else 'as on the holdout'}",
            "bad" if report.degraded else "good",
            f"{report.labelled} of {report.predictions} predictions have a label{late}.",
            **shown,
        )
    return reports


def judge_drift(run: Run, stretch: Stretch, artifact: Path) -> DriftReport:
    """Compare a stretch with the data that the artifact was trained on."""
    report = drift.run(
        run.options.model_dir,
        run.settings,
        start=stretch.start,
        end=stretch.end,
        artifact=artifact,
        html=False,
    )
    moved = [each.name for each in report.features if each.drifted]
    tests = {
        each.name: f"{each.test}: effect {each.effect:.3g} of {each.threshold:.3g}, q {each.q_value:.2g}"
        for each in report.features
    }
    run.decided(
        "drift",
        f"{stretch.name}: {report.verdict}",
        {"drifted": "bad", "stable": "good"}.get(report.verdict, "neutral"),
        f"{len(moved)} of {len(report.features)} features moved by more than matters, on {report.rows} rows"
        + (f": {', '.join(moved)}." if moved else "."),
        **tests,
    )
    return report


def start_drift_page(run: Run, stretch: Stretch, artifact: Path) -> Child:
    """Let the verb draw Evidently's page beside everything else: importing Evidently takes many seconds."""
    options = ["--model-dir", str(run.options.model_dir), "--artifact", str(artifact)]
    window = ["--start", str(stretch.start), "--end", str(stretch.end)]
    return run.processes.start(
        "drift-page",
        [str(Path(sys.executable).with_name("serinus-jobs")), "drift", *options, *window],
        {
            "SERINUS_DATA": str(run.settings.data),
            "MLFLOW_TRACKING_URI": run.settings.tracking_uri,
            "OMP_NUM_THREADS": "1",
        },
        lasting=False,
    )


def decide_retraining(
    run: Run, model: str, reports: list[DriftReport | QualityReport], serving_revision: str
) -> tuple[retraining.Start, int]:
    """Let 50 alerts about the same drift come in within seconds. Return the first start and how
    many starts there were."""
    monitors = load_model(run.options.model_dir).monitors
    policy = retraining.Policy(monitors.retrain_cooldown_minutes * 60.0, monitors.retrain_budget_per_day)
    memory: list[retraining.Run] = []
    starts: list[retraining.Start] = []
    held: dict[str, int] = {}
    asked = triggers(reports)
    for i in range(ALERTS):
        # The monitor looks again and again: the same drift, a window that ends a little later.
        alerts = [replace(each, window_end=each.window_end + i * 0.01) for each in asked]
        now = time.time()
        decision = decide(model, alerts, memory, policy, now, serving_revision)
        if isinstance(decision, retraining.Start):
            starts.append(decision)
            memory.append(
                retraining.Run(
                    decision.name, model, decision.fingerprint, now, decision.data_until, "running"
                )
            )
        else:
            held[decision.reason] = held.get(decision.reason, 0) + 1
    if not starts:
        raise LocalError(f"retraining did not start: {held}")
    run.decided(
        "retraining",
        f"{ALERTS} alerts, {len(starts)} run",
        "good" if len(starts) == 1 else "bad",
        f"{starts[0].reason}. Job {starts[0].name}.",
        fingerprint=starts[0].fingerprint,
        held_back=held,
    )
    return starts[0], len(starts)
