"""The verb `evaluate`: judge a run by the gates of model.yaml, beside the champion, on the newest data.

It also records how both models answer the same rows: live traffic is later judged against that
expectation, not against "no difference".
"""

import json
import tempfile
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from serinus_contracts import registry_tags
from serinus_contracts.artifact import ARTIFACT_PATH, ModelContract
from serinus_contracts.documents import to_document
from serinus_contracts.expectation import ScoreExpectation
from serinus_jobs import gates, judged_rows, scoring, training_set, trainings
from serinus_jobs.artifact_folder import LoadedModel, load
from serinus_jobs.errors import GateRefused, JobError
from serinus_jobs.gates import GateResult, Scored
from serinus_jobs.matrix import encode_frame
from serinus_jobs.progress import Steps
from serinus_jobs.project import ModelProject, load_model
from serinus_jobs.registered import Run
from serinus_jobs.registry import Registry
from serinus_jobs.run_tags import EVALUATED_AGAINST, KIND, TRAINED_TO, UNTIL
from serinus_jobs.settings import Settings


@dataclass(frozen=True)
class EvaluateResult:
    """`passed` only if every gate did. `expectation` is None while there is no champion. `metrics` and
    `champion_metrics` are on the same `rows` rows."""

    passed: bool
    gates: tuple[GateResult, ...]
    expectation: ScoreExpectation | None
    rows: int
    metrics: dict[str, float]
    champion_metrics: dict[str, float]


def run(model_dir: Path, settings: Settings, run_id: str, *, until: datetime | None = None) -> EvaluateResult:
    """Judge the run and write `evaluation.json` and tags to it.

    Judged on labels before `until`, or before the time at which the training was cut. Raises JobError
    for what is no trained run of this project; a failed gate is a result, not an error.
    """
    steps = Steps("evaluate")
    project = load_model(model_dir)
    registry = Registry(settings)
    tracked = registry.run(run_id)
    if tracked.status != "FINISHED" or tracked.tags.get(KIND) != "train":
        raise JobError(f"run {run_id} is no finished training (status {tracked.status})")
    with tempfile.TemporaryDirectory(prefix="serinus-evaluate-") as scratch:
        with steps.step("fetch models"):
            new = load(registry.fetch(run_id, ARTIFACT_PATH, Path(scratch) / "challenger"))
            _check_identity(project, tracked, new.contract)
            champion = _champion(registry, project.name, Path(scratch) / "champion")
        with steps.step("read data"):
            cut = until or _cut(tracked)
            data = training_set.load(project, settings, until=cut)
            if data.inputs != new.contract.inputs or project.label.classes != new.contract.classes:
                raise JobError(
                    f"{model_dir}/model.yaml: inputs or classes changed since run {run_id}; train again"
                )
            judged_rows.check_slices(project.gates.slices, data.inputs)
        with steps.step("score"):
            result = _judge(project, tracked, data, new, champion)
        with steps.step("write"):
            _record(registry, tracked, new.contract, champion, result, Path(scratch), data.digest)
    return result


def _judge(
    project: ModelProject,
    tracked: Run,
    data: training_set.TrainingSet,
    new: LoadedModel,
    champion: LoadedModel | None,
) -> EvaluateResult:
    rows = judged_rows.newest_unseen(
        project.split,
        data.target,
        data.times,
        tracked.tags.get(TRAINED_TO, ""),
        same_data=data.digest == tracked.tags.get(registry_tags.DATA_DIGEST),
    )
    matrix, target = data.matrix[rows], data.target[rows]
    results = [_unseen(project, len(rows))]
    if not results[0].passed:
        return EvaluateResult(False, tuple(results), None, len(rows), {}, {})
    scored = Scored(target, new.graph.probabilities(matrix), new.contract.threshold)
    wanted = project.gates
    results += gates.minimum(scored, wanted.minimum)
    masks = {each.name: judged_rows.slice_mask(each, matrix, data.inputs) for each in wanted.slices}
    results += gates.slice_minimum(scored, masks, wanted.slice_minimum, wanted.slice_rows)
    for each in wanted.directions:
        results.append(_direction(each, new, matrix, data.inputs))
    expectation = None
    champion_metrics: dict[str, float] = {}
    if champion is not None:
        answered = _champion_scores(champion, new.contract, data, rows)
        if isinstance(answered, GateResult):
            results.append(answered)
        else:
            results.append(
                gates.challenger(
                    scored, answered, wanted.metric, wanted.challenger_margin, project.split.seed
                )
            )
            champion_metrics = _finite(answered)
            expectation = ScoreExpectation(
                stable_revision=champion.contract.revision,
                canary_revision=new.contract.revision,
                rows=len(rows),
                stable=_shares(answered, champion.contract),
                canary=_shares(scored, new.contract),
            )
    passed = all(each.passed for each in results)
    return EvaluateResult(passed, tuple(results), expectation, len(rows), _finite(scored), champion_metrics)


def _unseen(project: ModelProject, rows: int) -> GateResult:
    name = "unseen rows"
    if rows >= gates.MINIMUM_ROWS:
        return GateResult(name, True, f"{rows} rows that the model was not fitted to")
    why = (
        f"no later labels than those it was fitted to, or too few ({rows})"
        if project.split.kind == "time"
        else "the table changed since the training, so its holdout is no longer known; train again"
    )
    return GateResult(name, False, f"cannot be evaluated: {why}; {gates.MINIMUM_ROWS} are needed")


def _direction(wanted: Any, model: LoadedModel, matrix: Any, inputs: Any) -> GateResult:
    if len(model.contract.classes) != 2:
        name = f"{wanted.feature} {wanted.change:+g}: {wanted.expect}"
        return GateResult(name, False, "cannot be evaluated: a direction needs two classes")
    before, after = judged_rows.moved(wanted, matrix, inputs)
    if not len(before):
        return gates.direction(wanted, np.empty(0), np.empty(0))
    return gates.direction(
        wanted, model.graph.probabilities(before)[:, 1], model.graph.probabilities(after)[:, 1]
    )


def _champion_scores(
    champion: LoadedModel, new: ModelContract, data: training_set.TrainingSet, rows: Any
) -> Scored | GateResult:
    """Score the champion on the same rows, by its own contract: its inputs may be others."""
    name = "challenger against champion"
    if champion.contract.classes != new.classes:
        return GateResult(name, False, "cannot be evaluated: the champion knows other classes")
    encoded = encode_frame(data.frame.iloc[rows], champion.contract.inputs)
    if encoded.faults:
        reason = next(iter(encoded.faults.values()))
        detail = f"cannot be evaluated: {len(encoded.faults)} rows are not valid for the champion ({reason})"
        return GateResult(name, False, detail)
    return Scored(
        data.target[rows], champion.graph.probabilities(encoded.matrix), champion.contract.threshold
    )


def _shares(scored: Scored, contract: ModelContract) -> dict[str, float]:
    answers = scoring.predicted(scored.probabilities, scored.threshold)
    counts = np.bincount(answers, minlength=len(contract.classes))
    return {str(label): int(n) / len(answers) for label, n in zip(contract.classes, counts, strict=True)}


def _finite(scored: Scored) -> dict[str, float]:
    every = scoring.score_all(scored.target, scored.probabilities, scored.threshold)
    return {name: value for name, value in every.items() if np.isfinite(value)}


def _check_identity(project: ModelProject, tracked: Run, contract: ModelContract) -> None:
    if contract.model != project.name:
        raise JobError(f"run {tracked.run_id} trained {contract.model!r}, not {project.name!r}")
    if contract.digest != tracked.tags.get(registry_tags.DIGEST):
        raise JobError(f"run {tracked.run_id}: its artifact is not the one that was logged (digest differs)")


def _champion(registry: Registry, model: str, into: Path) -> LoadedModel | None:
    version = registry.by_alias(model, registry_tags.CHAMPION)
    return None if version is None else load(registry.fetch_version(version, into))


def _cut(tracked: Run) -> datetime | None:
    text = tracked.tags.get(UNTIL)
    return datetime.fromisoformat(text) if text else None


def _record(
    registry: Registry,
    tracked: Run,
    contract: ModelContract,
    champion: LoadedModel | None,
    result: EvaluateResult,
    scratch: Path,
    data_digest: str,
) -> None:
    against = champion.contract.digest if champion else ""
    expectation = to_document(result.expectation)
    document = {
        "run_id": tracked.run_id,
        "digest": contract.digest,
        "champion_digest": against,
        "data_digest": data_digest,
        **{key: value for key, value in asdict(result).items() if key != "expectation"},
        "expectation": expectation,
    }
    path = scratch / registry_tags.EVALUATION_FILE
    path.write_text(json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n")
    verdicts = {each.name: "passed" if each.passed else f"failed: {each.detail}" for each in result.gates}
    registry.extend_run(
        tracked.run_id,
        files=[path],
        metrics={
            **{f"evaluation.{name}": value for name, value in result.metrics.items()},
            **{f"evaluation.champion.{name}": value for name, value in result.champion_metrics.items()},
        },
        tags={
            registry_tags.EVALUATION: "passed" if result.passed else "failed",
            registry_tags.GATES: json.dumps(verdicts, sort_keys=True),
            registry_tags.EXPECTATION: json.dumps(expectation, sort_keys=True) if expectation else "",
            EVALUATED_AGAINST: against,
        },
    )


def command(
    model_dir: Annotated[Path, typer.Option(help="the model's folder, with model.yaml")],
    run_id: Annotated[str, typer.Option(help="as `train` printed it; else the newest training")] = "",
) -> None:
    """Judge a run; ends with 3 where a gate failed."""
    settings = Settings.from_environment()
    if not run_id:
        run_id = trainings.newest(settings, load_model(model_dir).name)
        print(f"run {run_id}")
    result = run(model_dir, settings, run_id)
    for each in result.gates:
        print(f"{'passed' if each.passed else 'FAILED'}  {each.name}: {each.detail}")
    if not result.passed:
        raise GateRefused(refusal(result.gates))


def refusal(results: tuple[GateResult, ...]) -> str:
    """Return one line that names every gate that failed, and why."""
    return "; ".join(f"gate {each.name!r} failed: {each.detail}" for each in results if not each.passed)
