"""A real MLflow with a project whose first version went the whole way from training to the registry."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnxruntime

from serinus_contracts import registry_tags
from serinus_contracts.artifact import ModelContract
from serinus_jobs import evaluate, register, train
from serinus_jobs.settings import Settings
from serinus_jobs.train import TrainResult
from tests.support.training import loans, publish, settings_in, write_project

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WINDOW_END = datetime(2026, 1, 31, tzinfo=UTC)


@dataclass
class House:
    """One MLflow with a project whose first version is registered."""

    settings: Settings
    project: Path
    first: TrainResult


def build(folder: Path, tracking_uri: str = "") -> House:
    """Train, evaluate and register the first version, with fixed words and time."""
    settings = settings_in(folder, tracking_uri)
    publish(settings, "loans", loans(600))
    # 100 rows are held out: a narrower margin than this is less than their interval.
    gates = {"minimum": {"roc_auc": 0.7}, "challenger_margin": 0.1}
    project = write_project(folder / "project", gates=gates)
    first = train.run(project, settings, until=WINDOW_END)
    assert evaluate.run(project, settings, first.run_id).passed
    result = register.run(project, settings, first.run_id, approved_by="ada", reason="first model", now=NOW)
    assert (result.version, result.alias, result.created) == ("1", registry_tags.CHAMPION, True)
    return House(settings, project, first)


def check_answer(graph: bytes, contract: ModelContract) -> None:
    """Hold the graph to what it learned: debt and plan c make `bad` likelier."""
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    rows = np.array([[0.0, 1.0, 0.0, 0.0], [100.0, 1.0, 2.0, 0.0]])
    (probabilities,) = session.run(["probabilities"], {"input": rows})
    assert probabilities.shape == (2, len(contract.classes))
    assert probabilities[0, 1] < 0.5 < probabilities[1, 1]
