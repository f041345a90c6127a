"""The verb `trials`: one part of the search, for an Indexed Job. `train` takes up what is scored.

Each candidate is written down as soon as it is scored, and never scored twice: a pod that is killed is
replaced by one that goes on behind it.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Annotated, Any

import typer

from serinus_jobs import candidates, search
from serinus_jobs.errors import JobError
from serinus_jobs.progress import Steps
from serinus_jobs.project import load_model
from serinus_jobs.settings import Settings
from serinus_jobs.train import check, rows
from serinus_jobs.window_times import Since, Until, in_utc


@dataclass(frozen=True)
class TrialsResult:
    """`scored` candidates now, `found` ones of earlier runs; `best` of this part, None of an empty one."""

    scored: int
    found: int
    best: search.Trial | None


def run(
    model_dir: Path,
    settings: Settings,
    *,
    index: int,
    of: int,
    since: datetime | None = None,
    until: datetime | None = None,
) -> TrialsResult:
    """Score part `index` (from 0) of `of` of model.yaml's candidates, on the rows that `train` would use.

    Raises JobError as `train` does, and for an index that is none.
    """
    if not 0 <= index < of:
        raise JobError(f"--index {index}: must lie between 0 and {of - 1}, for --of {of}")
    steps = Steps("trials")
    project = load_model(model_dir)
    check(project)
    with steps.step("read data"):
        data, _, validation = rows(project, settings, since, until)
    from serinus_jobs import studies
    from serinus_jobs.registry import Registry

    study, sampling = candidates.study(project, data), search.sampling(project.estimator)
    registry = Registry(settings)
    score = candidates.scorer(project, data, validation)
    known = studies.known(settings, project.name, study, sampling)
    writing = Lock()
    scored = 0

    def written(params: dict[str, Any]) -> float:
        nonlocal scored
        value = score(params)
        with writing:
            studies.log_trial(registry, project.name, study, search.key_of(params), value)
            scored += 1
        return value

    with steps.step("search"):
        made = search.part(project.estimator, written, project.split.seed, known, index, of)
        studies.log_part(registry, project.name, study, sampling, index, of)
    return TrialsResult(scored, len(made) - scored, search.best(made) if made else None)


def command(
    model_dir: Annotated[Path, typer.Option(help="the model's folder, with model.yaml")],
    of: Annotated[int, typer.Option(help="number of parts: the Job's completions")] = 1,
    index: Annotated[
        int, typer.Option(envvar="JOB_COMPLETION_INDEX", help="which part, from 0; Kubernetes sets it")
    ] = 0,
    since: Since = None,
    until: Until = None,
) -> None:
    """Score a part and say what came of it."""
    result = run(
        model_dir,
        Settings.from_environment(),
        index=index,
        of=of,
        since=in_utc(since),
        until=in_utc(until),
    )
    print(f"part {index} of {of}: {result.scored} candidates scored, {result.found} found scored")
    if result.best is not None:
        print(f"best of this part: {result.best.score:.6f} with {search.key_of(result.best.params)}")
