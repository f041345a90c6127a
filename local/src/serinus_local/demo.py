"""The whole loop, chapter by chapter, from an empty folder to the report."""

import json
import shutil
from pathlib import Path

from rich.console import Console

from serinus_contracts.documents import to_document
from serinus_jobs.settings import Settings
from serinus_local import report
from serinus_local.phases import platform
from serinus_local.processes import Child, LocalError, Processes
from serinus_local.run import Options, Run
from serinus_local.timeline import Timeline

_MARK = "serinus-demo"


def run(options: Options, console: Console) -> Timeline:
    """Run the demo and write the report, also of a run that broke off.

    Raises LocalError or JobError when it cannot go on. Whatever it started has then been ended.
    """
    _fresh(options.work)
    with Processes(options.work / "logs") as processes:
        registry, url = platform.start_registry(options, processes)
        settings = Settings(
            data=options.work / "data",
            feature_repo=options.feature_repo.absolute(),
            tracking_uri=url,
            online_store=f"sqlite://{options.work / 'online.db'}",
            feast_registry=str(options.work / "feast.db"),
        )
        this = Run(options, processes, settings, console)
        try:
            _tell(this, registry, url)
            this.expect("the run comes to its end", True, "it did")
        except Exception as error:
            this.expect("the run comes to its end", False, str(error).splitlines()[0])
            raise
        finally:
            timeline = this.timeline(_artefacts(this))
            _write(timeline, options.work)
    return timeline


def _tell(run: Run, registry: Child, url: str) -> None:
    with run.phase("start", "Start the registry, import the jobs"):
        # Not at the top: mlflow, feast and evidently take seconds, in which the registry starts.
        from serinus_local.phases import beginning, canaries, closing, drifting

    house = beginning.build(run, registry, url)
    second = canaries.better(run, house)
    calm_from = run.clock()
    canaries.wrong(run, house)
    calm, shifted = drifting.shift(run, house, calm_from)
    start = drifting.watch(run, house, second, calm, shifted)
    fourth = drifting.retrain(run, house, shifted.window, start)
    closing.close(run, house, champion=fourth, previous=second)


def _fresh(work: Path) -> None:
    """Empty the work folder. Raises LocalError rather than delete a folder that is not ours."""
    if work.exists() and any(work.iterdir()) and not (work / _MARK).exists():
        raise LocalError(f"{work} is not empty and no demo made it; give another folder with --work")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    (work / _MARK).write_text("made by serinus-local demo; wiped by the next one\n")


def _artefacts(run: Run) -> dict[str, str]:
    work = run.options.work
    named = {
        "this run as data": work / "timeline.json",
        "every rollout decision, sealed": work / "decisions.jsonl",
        "what each user saw": run.outcomes_file,
        "the registry": work / "mlflow.db",
        "logs of every process": work / "logs",
    }
    return {name: path.relative_to(work).as_posix() for name, path in named.items()}


def _write(timeline: Timeline, work: Path) -> None:
    (work / "timeline.json").write_text(json.dumps(to_document(timeline), indent=1) + "\n")
    report.write(timeline, work / "report.html")
