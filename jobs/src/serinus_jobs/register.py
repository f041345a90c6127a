"""The verb `register`: make a run that passed its gates a version, with alias, tags and approval.

The first version of a model becomes `champion` at once: there is nothing that it could be a canary of.
Every later one becomes `candidate`; only a finished rollout makes it champion.
"""

import json
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from serinus_contracts import registry_tags
from serinus_contracts.artifact import ARTIFACT_PATH, CARD_FILE
from serinus_jobs import export, trainings
from serinus_jobs.artifact_folder import load
from serinus_jobs.errors import GateRefused, JobError
from serinus_jobs.progress import Steps
from serinus_jobs.project import load_model
from serinus_jobs.registered import Run, Version
from serinus_jobs.registry import Registry
from serinus_jobs.run_tags import CHECK_FILE, CHECK_PATH, EVALUATED_AGAINST
from serinus_jobs.settings import Settings

# MLflow's database column for a version's description.
_LONGEST_DESCRIPTION = 5_000
# Copied from the run to the version, for readers that see versions only.
_COPIED = (
    registry_tags.DIGEST,
    registry_tags.DATA_DIGEST,
    registry_tags.FEATURE_SERVICE,
    registry_tags.EVALUATION,
    registry_tags.GATES,
    registry_tags.EXPECTATION,
)


@dataclass(frozen=True)
class RegisterResult:
    """The version and the alias that now names it; `created` is false if the run had one already."""

    version: str
    alias: str
    created: bool


def run(
    model_dir: Path,
    settings: Settings,
    run_id: str,
    *,
    approved_by: str,
    reason: str,
    override: bool = False,
    now: datetime | None = None,
) -> RegisterResult:
    """Register the run. A second call for the same run changes aliases at most, so a Job may retry.

    Raises GateRefused unless the evaluation passed against today's champion, or `override` is given
    (then the record says so, with the reason); JobError for a graph that no longer gives its pipeline's
    probabilities: that, nobody can override.
    """
    if not approved_by.strip() or not reason.strip():
        raise JobError("approved_by, reason: a registration names who and why")
    steps = Steps("register")
    project = load_model(model_dir)
    registry = Registry(settings)
    tracked = registry.run(run_id)
    champion = registry.by_alias(project.name, registry_tags.CHAMPION)
    _check_gates(tracked, champion, override)
    with tempfile.TemporaryDirectory(prefix="serinus-register-") as scratch, steps.step("verify"):
        folder = registry.fetch(run_id, ARTIFACT_PATH, Path(scratch))
        model = load(folder)
        if model.contract.model != project.name:
            raise JobError(f"run {run_id} trained {model.contract.model!r}, not {project.name!r}")
        if model.contract.digest != tracked.tags.get(registry_tags.DIGEST):
            raise JobError(f"run {run_id}: its artifact is not the one that was logged (digest differs)")
        with np.load(registry.fetch(run_id, CHECK_PATH, Path(scratch)) / CHECK_FILE) as check:
            export.verify(model.graph, check["matrix"], check["probabilities"])
        card = (folder / CARD_FILE).read_text()
    alias = registry_tags.CHAMPION if champion is None else registry_tags.CANDIDATE
    approval = {
        "by": approved_by,
        "at": (now or datetime.now(UTC)).isoformat(timespec="seconds"),
        "reason": reason,
        "override": override,
        "gates": json.loads(tracked.tags.get(registry_tags.GATES) or "{}"),
    }
    stage = registry_tags.STAGES[2 if alias == registry_tags.CHAMPION else 1]
    tags = {key: tracked.tags[key] for key in _COPIED if tracked.tags.get(key)}
    tags |= {registry_tags.STAGE: stage, registry_tags.APPROVAL: json.dumps(approval, sort_keys=True)}
    with steps.step("register"):
        known = next((each for each in registry.versions(project.name) if each.run_id == run_id), None)
        if known is not None and registry_tags.CHAMPION in known.aliases:
            return RegisterResult(known.version, registry_tags.CHAMPION, False)
        if known is None:
            made = registry.create_version(project.name, run_id, tags, _shortened(card))
        else:
            made = known
            registry.set_tags(project.name, known.version, tags)
        registry.set_alias(project.name, alias, made.version)
    return RegisterResult(made.version, alias, known is None)


def _check_gates(tracked: Run, champion: Version | None, override: bool) -> None:
    if override:
        return
    verdict = tracked.tags.get(registry_tags.EVALUATION)
    if verdict is None:
        raise GateRefused(f"run {tracked.run_id} was not evaluated; run `serinus-jobs evaluate` first")
    if verdict != "passed":
        gates = json.loads(tracked.tags.get(registry_tags.GATES) or "{}")
        failed = "; ".join(f"{name}: {text}" for name, text in gates.items() if text != "passed")
        raise GateRefused(f"run {tracked.run_id} did not pass its gates: {failed}")
    today = champion.tags.get(registry_tags.DIGEST, "") if champion else ""
    if tracked.tags.get(EVALUATED_AGAINST, "") != today and today != tracked.tags.get(registry_tags.DIGEST):
        raise GateRefused(
            f"run {tracked.run_id} was evaluated against another champion than today's; evaluate it again"
        )


def _shortened(card: str) -> str:
    if len(card) <= _LONGEST_DESCRIPTION:
        return card
    kept = card[: _LONGEST_DESCRIPTION - 100].rpartition("\n")[0]
    return f"{kept}\n\n(cut; the whole card is {CARD_FILE} in the artifact)\n"


def command(
    model_dir: Annotated[Path, typer.Option(help="the model's folder, with model.yaml")],
    approved_by: Annotated[str, typer.Option(help="who approves")],
    reason: Annotated[str, typer.Option(help="why")],
    run_id: Annotated[str, typer.Option(help="as `train` printed it; else the newest training")] = "",
    override: Annotated[bool, typer.Option(help="register although a gate failed; recorded")] = False,
) -> None:
    """Register a run and print its version and alias."""
    settings = Settings.from_environment()
    result = run(
        model_dir,
        settings,
        run_id or trainings.newest(settings, load_model(model_dir).name),
        approved_by=approved_by,
        reason=reason,
        override=override,
    )
    print(f"{result.version} {result.alias}")
