"""Training, gates and registration: the jobs' own verbs, and what they said."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from serinus_contracts.expectation import ScoreExpectation
from serinus_jobs import evaluate, register, train
from serinus_jobs.errors import GateRefused
from serinus_jobs.evaluate import EvaluateResult
from serinus_jobs.register import RegisterResult
from serinus_jobs.settings import Settings
from serinus_jobs.train import TrainResult
from serinus_local.run import Run
from serinus_local.timeline import Version

APPROVER = "demo"
_SHOWN = ("roc_auc", "accuracy", "f1", "brier")


@dataclass(frozen=True)
class Registered:
    """One registered version and what is expected of it."""

    version: str
    revision: str
    alias: str
    passed: bool
    expectation: ScoreExpectation | None


def train_model(
    run: Run, name: str, until: datetime, settings: Settings | None = None, **overrides: Any
) -> TrainResult:
    """Train on labels before `until` and note what came out."""
    result = train.run(run.options.model_dir, settings or run.settings, until=until, **overrides)
    note_trained(run, name, result)
    return result


def note_trained(run: Run, name: str, result: TrainResult) -> None:
    """Note what a training gave."""
    why = ", ".join(f"{key} {result.metrics[key]:.3f}" for key in _SHOWN if key in result.metrics)
    run.decided(
        "train",
        f"{name}: revision {result.digest[:12]}",
        "neutral",
        f"On its holdout: {why}. The graph gives the pipeline's probabilities.",
        run=result.run_id,
        seconds=result.seconds,
    )


def evaluate_model(run: Run, name: str, run_id: str, until: datetime) -> EvaluateResult:
    """Judge a run by the gates of model.yaml and note each gate."""
    result = evaluate.run(run.options.model_dir, run.settings, run_id, until=until)
    note_gates(run, name, result)
    return result


def note_gates(run: Run, name: str, result: EvaluateResult) -> None:
    """Note what the gates said."""
    failed = [each for each in result.gates if not each.passed]
    why = f"All {len(result.gates)} gates held on {result.rows} unseen rows."
    if failed:
        why = f"{len(failed)} of {len(result.gates)} gates failed: {', '.join(each.name for each in failed)}."
    run.decided(
        "gate",
        f"{name} {'passed' if result.passed else 'refused'}",
        "good" if result.passed else "bad",
        why,
        **{each.name: f"{'passed' if each.passed else 'FAILED'}: {each.detail}" for each in result.gates},
    )


def register_model(
    run: Run,
    name: str,
    trained: TrainResult,
    evaluated: EvaluateResult,
    reason: str,
    *,
    override: bool = False,
) -> Registered:
    """Register a run, with its approval recorded."""
    result = register.run(
        run.options.model_dir,
        run.settings,
        trained.run_id,
        approved_by=APPROVER,
        reason=reason,
        override=override,
    )
    return note_registered(run, name, trained, evaluated, result, reason, override=override)


def note_registered(
    run: Run,
    name: str,
    trained: TrainResult,
    evaluated: EvaluateResult,
    result: RegisterResult,
    reason: str,
    *,
    override: bool = False,
) -> Registered:
    """Note a registration and return the version."""
    revision = trained.digest[:12]
    run.diary.versions.append(Version(result.version, revision, name, dict(evaluated.metrics), result.alias))
    what = f"version {result.version} is {result.alias}" + (", by override" if override else "")
    run.decided("approval", what, "bad" if override else "good", reason, by=APPROVER, revision=revision)
    return Registered(result.version, revision, result.alias, evaluated.passed, evaluated.expectation)


def refused_without_override(run: Run, trained: TrainResult, reason: str) -> str | None:
    """Try to register a run as it is. Return the refusal, or None if it went through."""
    try:
        register.run(run.options.model_dir, run.settings, trained.run_id, approved_by=APPROVER, reason=reason)
    except GateRefused as refusal:
        return str(refusal)
    return None
