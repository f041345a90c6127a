"""The verb `train`: search, fit, export, verify, log. What it logs can be registered, or it logs nothing.

In order: everything that can be refused without fitting is refused (estimator, parameters, metrics,
data, split); the search scores candidates on a part of the training rows; the best is fitted on all of
them; the graph is compared with the pipeline on every holdout row; then one run is logged.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import typer

from serinus_contracts import registry_tags
from serinus_contracts.artifact import ARTIFACT_PATH
from serinus_jobs import (
    candidates,
    card,
    estimators,
    export,
    reference,
    scoring,
    search,
    splits,
    training_set,
)
from serinus_jobs.artifact_folder import write
from serinus_jobs.errors import JobError
from serinus_jobs.progress import Steps
from serinus_jobs.project import ModelProject, load_model
from serinus_jobs.run_tags import CHECK_FILE, CHECK_PATH, KIND, SINCE, TRAINED_TO, UNTIL
from serinus_jobs.settings import Settings
from serinus_jobs.splits import Parts
from serinus_jobs.training_set import TrainingSet
from serinus_jobs.window_times import Since, Until, in_utc

_IMPORTANCE_ROWS = 1_000
_IMPORTANCE_REPEATS = 3


@dataclass(frozen=True)
class TrainResult:
    """What came of a training. `metrics` are the holdout's, `digest` the contract's, `seconds` per step."""

    run_id: str
    metrics: dict[str, float]
    digest: str
    seconds: dict[str, float]


def run(
    model_dir: Path,
    settings: Settings,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    estimator: str | None = None,
    params: Mapping[str, Any] | None = None,
    grid: Mapping[str, Sequence[Any]] | None = None,
    trials: int | None = None,
) -> TrainResult:
    """Train the model of `model_dir` on labels with `since` <= time < `until` and log it to MLflow.

    `estimator`, `params`, `grid` and `trials` replace those of model.yaml (params are merged over it).
    Raises JobError, and logs nothing, for whatever cannot become a model that can be registered.
    """
    steps = Steps("train")
    project = overridden(load_model(model_dir), estimator, params, grid, trials)
    check(project)
    with steps.step("read data"):
        data, parts, validation = rows(project, settings, since, until)
    with steps.step("search"):
        from serinus_jobs import studies

        score = candidates.scorer(project, data, validation)
        study, sampling = candidates.study(project, data), search.sampling(project.estimator)
        known = studies.known(settings, project.name, study, sampling)
        trials_made = search.search(project.estimator, score, project.split.seed, known)
        chosen = search.best(trials_made)
    with steps.step("fit"):
        pipeline = candidates.pipeline(project, data, chosen.params)
        pipeline.fit(data.matrix[parts.train], data.target[parts.train])
    held, truth = data.matrix[parts.holdout], data.target[parts.holdout]
    with steps.step("export"):
        graph = export.to_onnx(pipeline, len(data.inputs))
        own = np.asarray(pipeline.predict_proba(held), dtype=np.float64)
        loaded = export.Graph(graph.SerializeToString())
        difference = export.verify(loaded, held, own)
    metrics = scoring.score_all(truth, own, project.threshold)
    with steps.step("explain"):
        importance = _importance(project, data, loaded, held, truth)
    with tempfile.TemporaryDirectory(prefix="serinus-train-") as scratch:
        folder = Path(scratch)
        with steps.step("plots"):
            from serinus_jobs import plots

            plots.draw(folder / "plots", truth, own, project.label.classes, project.threshold, importance)
        with steps.step("log"):
            from serinus_jobs.registry import Registry, write_flavour

            used = {**project.estimator.params, **chosen.params}
            write_flavour(graph, folder / ARTIFACT_PATH, len(data.inputs))
            contract = write(
                folder / ARTIFACT_PATH,
                project,
                data.inputs,
                data.plan,
                reference.describe(
                    data.frame.iloc[parts.train],
                    data.inputs,
                    scoring.predicted(own, project.threshold),
                    project.label.classes,
                    metrics,
                ),
                card.render(
                    project,
                    data.inputs,
                    params=used,
                    rows={
                        "training rows": len(parts.train),
                        "holdout rows": len(parts.holdout),
                        "without a label": data.unlabelled,
                        "outside the contract": data.unusable,
                    },
                    window=_window(data.times),
                    metrics=metrics,
                    importance=importance,
                    export_difference=difference,
                    data_digest=data.digest,
                ),
            )
            (folder / CHECK_PATH).mkdir()
            np.savez_compressed(folder / CHECK_PATH / CHECK_FILE, matrix=held, probabilities=own)
            run_id = Registry(settings).log_run(
                project.name,
                name="train",
                params={
                    "estimator": project.estimator.class_,
                    **{f"estimator.{name}": value for name, value in used.items()},
                    "split": project.split.kind,
                    "seed": project.split.seed,
                    "features": ", ".join(each.name for each in data.inputs),
                    "candidates": len(trials_made),
                },
                metrics={
                    **{f"holdout.{name}": value for name, value in metrics.items()},
                    **{f"importance.{name}": value for name, value in importance.items()},
                    **{f"candidate.{i}": trial.score for i, trial in enumerate(trials_made)},
                    "candidates.known": sum(
                        search.key_of(trial.params) in known.scores for trial in trials_made
                    ),
                    "rows.training": len(parts.train),
                    "rows.holdout": len(parts.holdout),
                    "rows.unlabelled": data.unlabelled,
                    "rows.unusable": data.unusable,
                    "export.difference": difference,
                    **{f"seconds.{name.replace(' ', '_')}": taken for name, taken in steps.seconds.items()},
                },
                tags={
                    KIND: "train",
                    registry_tags.DIGEST: contract.digest,
                    registry_tags.DATA_DIGEST: data.digest,
                    registry_tags.STAGE: registry_tags.STAGES[0],
                    registry_tags.FEATURE_SERVICE: project.feature_service or "",
                    SINCE: since.isoformat() if since else "",
                    UNTIL: until.isoformat() if until else "",
                    TRAINED_TO: "" if data.times is None else str(data.times[parts.train].max()),
                },
                folder=folder,
            )
    return TrainResult(run_id, metrics, contract.digest, steps.seconds)


def overridden(
    project: ModelProject,
    estimator: str | None,
    params: Mapping[str, Any] | None,
    grid: Mapping[str, Sequence[Any]] | None,
    trials: int | None,
) -> ModelProject:
    """Return `project` with what the caller gave instead. Another estimator starts from its own defaults."""
    wanted = project.estimator
    if estimator is not None and estimator != wanted.class_:
        wanted = msgspec.structs.replace(wanted, class_=estimator, params={}, grid={})
    if params is not None:
        wanted = msgspec.structs.replace(wanted, params={**wanted.params, **params})
    if grid is not None:
        wanted = msgspec.structs.replace(wanted, grid={name: list(values) for name, values in grid.items()})
    if trials is not None:
        wanted = msgspec.structs.replace(wanted, trials=trials)
    return msgspec.structs.replace(project, estimator=wanted)


def check(project: ModelProject) -> None:
    """Refuse what needs no data to be refused: estimator, parameters, metric names, split."""
    estimators.candidates(project.estimator)
    for name in (project.gates.metric, *project.gates.minimum, *project.gates.slice_minimum):
        scoring.metric(name)
    if project.split.kind == "stratified" and not 0.0 < project.split.holdout < 1.0:
        raise JobError("split.holdout: must lie between 0 and 1, both excluded")


def rows(
    project: ModelProject, settings: Settings, since: datetime | None, until: datetime | None
) -> tuple[TrainingSet, Parts, Parts]:
    """Return (the data, what is trained on and held out, the same of the search within the former).

    Raises JobError for data that no model can come of.
    """
    data = training_set.load(project, settings, since=since, until=until)
    parts = splits.split(project.split, data.target, data.times)
    validation = splits.inner(project.split, parts, data.target, data.times)
    _check_classes(project, data.target[parts.train])
    return data, parts, validation


def _check_classes(project: ModelProject, target: Any) -> None:
    """Raise JobError where a class has no row among `target`, the class indices to be trained on."""
    seen = set(np.unique(target).tolist())
    absent = [str(label) for i, label in enumerate(project.label.classes) if i not in seen]
    if absent:
        raise JobError(f"label.classes: no training row is of class {', '.join(absent)}")


def _importance(
    project: ModelProject, data: TrainingSet, graph: export.Graph, held: Any, truth: Any
) -> dict[str, float]:
    """Permutation importance (Breiman 2001) by the graph on at most 1,000 holdout rows, seeded."""
    generator = np.random.default_rng(project.split.seed)
    sample = np.sort(generator.permutation(len(held))[:_IMPORTANCE_ROWS])
    matrix, target = held[sample], truth[sample]
    metric = scoring.metric(project.gates.metric)
    base = metric(target, graph.probabilities(matrix), project.threshold)
    found: dict[str, float] = {}
    for column, each in enumerate(data.inputs):
        losses = []
        for _ in range(_IMPORTANCE_REPEATS):
            shuffled = matrix.copy()
            shuffled[:, column] = generator.permutation(shuffled[:, column])
            losses.append(base - metric(target, graph.probabilities(shuffled), project.threshold))
        found[each.name] = float(np.mean(losses))
    return found


def _window(times: Any) -> tuple[str, str] | None:
    if times is None:
        return None
    return str(times.min().astype("datetime64[s]")), str(times.max().astype("datetime64[s]"))


def command(
    model_dir: Annotated[Path, typer.Option(help="the model's folder, with model.yaml")],
    since: Since = None,
    until: Until = None,
    estimator: Annotated[str | None, typer.Option(help="import path, instead of model.yaml's")] = None,
    trials: Annotated[int | None, typer.Option(help="Optuna trials, instead of model.yaml's")] = None,
) -> None:
    """Train and print the run id."""
    result = run(
        model_dir,
        Settings.from_environment(),
        since=in_utc(since),
        until=in_utc(until),
        estimator=estimator,
        trials=trials,
    )
    print(result.run_id)
