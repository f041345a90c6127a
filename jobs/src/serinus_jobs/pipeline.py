"""The verb `pipeline`: ingest (where asked), materialize, train, evaluate and register, in that order.

One Job runs it for a retraining. Each verb also runs alone, and each is the same function here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from serinus_jobs import evaluate, register, train
from serinus_jobs.errors import GateRefused, JobError
from serinus_jobs.evaluate import EvaluateResult
from serinus_jobs.project import load_model
from serinus_jobs.register import RegisterResult
from serinus_jobs.settings import Settings
from serinus_jobs.train import TrainResult
from serinus_jobs.window_times import Since, Until, in_utc


@dataclass(frozen=True)
class PipelineResult:
    """What each step gave. `registered` is None where a gate said no."""

    trained: TrainResult
    evaluated: EvaluateResult
    registered: RegisterResult | None


def run(
    model_dir: Path,
    settings: Settings,
    *,
    approved_by: str,
    reason: str,
    ingest: Mapping[str, str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    say: Callable[[str], None] | None = None,
) -> PipelineResult:
    """Take a model from tables to a registered version.

    `ingest` maps a table of data.yaml to the source it is read from first. Features are materialized
    only for a project with a FeatureService. A failed gate ends it without a registration, as a result.
    `say` gets a line for each step that is done.
    """
    tell = say or (lambda _: None)
    project = load_model(model_dir)
    train.check(project)
    if ingest:
        from serinus_jobs import ingest as ingest_verb

        for table, source in ingest.items():
            read = ingest_verb.run(model_dir, table, source, settings)
            tell(
                f"ingest {table}: read {read.read} = written {read.written} + quarantined {read.quarantined}"
            )
    if project.feature_service is not None:
        from serinus_jobs import materialize

        loaded = materialize.run(settings, until=until)
        tell(f"materialize: {loaded.keys} rows in {len(loaded.views)} views")
    trained = train.run(model_dir, settings, since=since, until=until)
    metric = project.gates.metric
    tell(f"train: run {trained.run_id}, {metric} {trained.metrics[metric]:.4f} on the holdout")
    evaluated = evaluate.run(model_dir, settings, trained.run_id)
    tell(f"evaluate: {sum(each.passed for each in evaluated.gates)} of {len(evaluated.gates)} gates passed")
    registered = None
    if evaluated.passed:
        registered = register.run(model_dir, settings, trained.run_id, approved_by=approved_by, reason=reason)
        tell(f"register: version {registered.version}, {registered.alias}")
    return PipelineResult(trained, evaluated, registered)


def command(
    model_dir: Annotated[Path, typer.Option(help="the model's folder, with model.yaml")],
    approved_by: Annotated[str, typer.Option(help="who approves")],
    reason: Annotated[str, typer.Option(help="why")],
    ingest: Annotated[list[str] | None, typer.Option(help="TABLE=SOURCE to ingest first; repeatable")] = None,
    since: Since = None,
    until: Until = None,
) -> None:
    """Run the whole chain and print run id, version and alias; ends with 3 where a gate failed."""
    result = run(
        model_dir,
        Settings.from_environment(),
        approved_by=approved_by,
        reason=reason,
        ingest=_sources(ingest or []),
        since=in_utc(since),
        until=in_utc(until),
        say=lambda line: print(line, flush=True),
    )
    if result.registered is None:
        raise GateRefused(f"run {result.trained.run_id}: {evaluate.refusal(result.evaluated.gates)}")
    print(f"{result.trained.run_id} {result.registered.version} {result.registered.alias}")


def _sources(given: list[str]) -> dict[str, str]:
    sources = {}
    for each in given:
        table, found, source = each.partition("=")
        if not table or not found or not source:
            raise JobError(f"--ingest {each!r}: write TABLE=SOURCE")
        sources[table] = source
    return sources
