"""Tables and projects for tests of training: small, seeded, without a feature store."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from serinus_jobs.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "manifests" / "models"


def settings_in(folder: Path, tracking_uri: str = "") -> Settings:
    """Return settings with everything below `folder`."""
    return Settings(
        data=folder / "data",
        feature_repo=ROOT / "feature_repo",
        tracking_uri=tracking_uri or f"sqlite:///{folder / 'mlflow.db'}",
    )


def publish(settings: Settings, table: str, frame: pd.DataFrame) -> None:
    """Put `frame` where ingest would."""
    folder = settings.events(table) / "day=all"
    folder.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(folder / "part-0.parquet")


def loans(rows: int = 400, seed: int = 3) -> pd.DataFrame:
    """Return a table whose `bad` is likelier with debt and with plan c, over 40 days."""
    generator = np.random.default_rng(seed)
    debt = generator.uniform(0, 100, rows)
    plan = generator.choice(["a", "b", "c"], rows)
    score = debt / 20 + 2.0 * (plan == "c") + generator.normal(0, 1, rows)
    return pd.DataFrame(
        {
            "at": pd.date_range("2026-01-01", periods=rows, freq="144min", tz="UTC"),
            "debt": debt,
            "visits": generator.integers(0, 9, rows),
            "plan": plan,
            "member": generator.random(rows) < 0.5,
            "bad": np.where(score > np.median(score), "yes", "no"),
        }
    )


def project_document(**changes: Any) -> dict[str, Any]:
    """Return the document of a model.yaml for `loans`; `changes` replace top-level keys."""
    return {
        "name": "loans",
        "time": "at",
        "label": {"table": "loans", "column": "bad", "classes": ["no", "yes"]},
        "features": [
            {"name": "debt", "type": "float64", "min": 0, "max": 200},
            {"name": "visits", "type": "int64", "min": 0, "max": 20, "default": 0},
            {"name": "plan", "type": "string", "allowed": ["a", "b", "c"]},
            {"name": "member", "type": "bool", "default": False},
        ],
        "estimator": {
            "class": "sklearn.ensemble.RandomForestClassifier",
            "params": {"n_estimators": 10},
            "grid": {"max_depth": [2, 4, 6]},
        },
        "split": {"kind": "time", "holdout_days": 10},
        "gates": {"metric": "roc_auc", "minimum": {"roc_auc": 0.7}},
        **changes,
    }


def write_project(folder: Path, **changes: Any) -> Path:
    """Write the project of `project_document` and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.yaml").write_text(yaml.safe_dump(project_document(**changes), sort_keys=False))
    return folder
