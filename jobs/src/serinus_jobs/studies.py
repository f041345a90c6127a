"""Where the pods of a parallel search meet: runs of the experiment `<model>-search` in MLflow.

Nothing is shared but finished trials, so no pod waits for another and one that is killed loses the candidate
it was fitting. A store of Optuna's own would let parts learn from one another, and make what they try depend
on who was faster.
"""

import json
import math
from pathlib import Path

from serinus_jobs.registry import Registry
from serinus_jobs.run_tags import KIND, PART, SAMPLING, STUDY, TRIAL
from serinus_jobs.search import NOTHING, Known
from serinus_jobs.settings import Settings

# More than `trials` can be (project.py), with the runs that end their parts.
_MOST = 5_000
_SCORE = "score"


def experiment(model: str) -> str:
    """Return the name of the experiment that holds the trials of `model`."""
    return f"{model}-search"


def known(settings: Settings, model: str, study: str, sampling: str) -> Known:
    """Return what is scored already for `study` (candidates.study), and whether the parts of the search
    `sampling` (search.sampling) are all done."""
    database = settings.tracking_uri.removeprefix("sqlite:///")
    if database != settings.tracking_uri and not Path(database).exists():
        # Asking would make it, and a training that is refused must leave nothing.
        return NOTHING
    runs = Registry(settings).search_runs(experiment(model), f"tags.`{STUDY}` = '{study}'", limit=_MOST)
    finished = [run for run in runs if run.status == "FINISHED"]
    scores = {
        # A database has no NaN: a candidate that could not be scored has a run without the metric.
        run.tags[TRIAL]: run.metrics.get(_SCORE, math.nan)
        for run in finished
        if run.tags.get(KIND) == "trial"
    }
    done = {run.tags[PART] for run in finished if run.tags.get(SAMPLING) == sampling}
    return Known(scores, sampled=covered(done))


def covered(parts: set[str]) -> bool:
    """Return whether `parts` ("0/4") name every part of some division."""
    divisions = {int(part.partition("/")[2]) for part in parts}
    return any({f"{index}/{of}" for index in range(of)} <= parts for of in divisions)


def log_trial(registry: Registry, model: str, study: str, key: str, score: float) -> None:
    """Write down one candidate by its `search.key_of`."""
    params = json.loads(key)
    registry.log_run(
        experiment(model),
        name=", ".join(f"{name}={value}" for name, value in params.items()) or "defaults",
        params=params,
        metrics={_SCORE: score},
        tags={KIND: "trial", STUDY: study, TRIAL: key},
    )


def log_part(registry: Registry, model: str, study: str, sampling: str, index: int, of: int) -> None:
    """Write down that a part of the search `sampling` is done."""
    registry.log_run(
        experiment(model),
        name=f"part {index} of {of}",
        params={},
        metrics={},
        tags={KIND: "part", STUDY: study, SAMPLING: sampling, PART: f"{index}/{of}"},
    )
