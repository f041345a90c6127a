"""All settings of the jobs, from the environment, each declared once."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Where a job reads and writes.

    data: root of all tables (SERINUS_DATA). events/<table>/day=YYYY-MM-DD/, quarantine/<table>/,
        prediction-log/<model>/day=YYYY-MM-DD/revision=<revision>/, labels/<model>/, reports/<model>/.
    feature_repo: the folder that `feast apply` reads (SERINUS_FEATURE_REPO).
    tracking_uri: MLflow (MLFLOW_TRACKING_URI).
    online_store: `sqlite:///<absolute path>` or `redis://host:port/db` (SERINUS_ONLINE_STORE); empty
        means a SQLite file beside the tables.
    feast_registry: Feast's registry, a file or a SQL address (SERINUS_FEAST_REGISTRY); empty means a
        file beside the tables.
    log_reports: whether the verbs drift and quality log their reports into MLflow as well; they do where
        MLFLOW_TRACKING_URI is set.
    """

    data: Path
    feature_repo: Path
    tracking_uri: str
    online_store: str = ""
    feast_registry: str = ""
    log_reports: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read the environment; relative paths are taken from the working directory."""
        data = Path(environment.get("SERINUS_DATA", ".serinus/data")).absolute()
        return cls(
            data=data,
            feature_repo=Path(environment.get("SERINUS_FEATURE_REPO", "feature_repo")).absolute(),
            tracking_uri=environment.get("MLFLOW_TRACKING_URI", f"sqlite:///{data.parent / 'mlflow.db'}"),
            online_store=environment.get("SERINUS_ONLINE_STORE", ""),
            feast_registry=environment.get("SERINUS_FEAST_REGISTRY", ""),
            log_reports=bool(environment.get("MLFLOW_TRACKING_URI")),
        )

    def events(self, table: str) -> Path:
        """Folder of the day partitions of the ingested `table`."""
        return self.data / "events" / table

    def quarantine(self, table: str) -> Path:
        """Folder of the rows that ingest refused."""
        return self.data / "quarantine" / table

    def prediction_log(self, model: str) -> Path:
        """Folder of the collected prediction log."""
        return self.data / "prediction-log" / model

    def labels(self, model: str) -> Path:
        """Folder of the labels that came for logged predictions."""
        return self.data / "labels" / model

    def reports(self, model: str) -> Path:
        """Folder of drift and quality reports."""
        return self.data / "reports" / model
