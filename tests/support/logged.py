"""A collected prediction log, labels and a model folder's reference, written as the real parts write them."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from serinus_contracts.artifact import (
    CONTRACT_FILE,
    MODEL_FILE,
    REFERENCE_FILE,
    Input,
    ModelContract,
)
from serinus_contracts.documents import to_document
from serinus_contracts.reference import Reference
from serinus_jobs.prediction_window import LOG_SCHEMA

MODEL_YAML = """
name: toy
label: {table: truth, column: churned, classes: ["no", "yes"]}
features:
  - {name: age, type: int64}
  - {name: charge, type: float64, default: 65.0}
  - {name: plan, type: string, allowed: [basic, plus, premium], default: basic}
  - {name: paperless, type: bool, default: false}
estimator: {class: sklearn.linear_model.LogisticRegression}
split: {kind: stratified}
gates: {minimum: {roc_auc: 0.5}}
monitors: {minimum_rows: 300, quality_minimum_labels: 100}
"""
INPUTS = (
    Input("age", "int64"),
    Input("charge", "float64", default=65.0),
    Input("plan", "string", default="basic", allowed=("basic", "plus", "premium")),
    Input("paperless", "bool", default=False),
)


def write_model(folder: Path) -> Path:
    """Write a model project and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.yaml").write_text(MODEL_YAML)
    return folder


def write_artifact(folder: Path, reference: Reference, model: str = "toy") -> ModelContract:
    """Write contract and reference (no graph: nothing here scores rows) and return the contract."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(to_document(reference)).encode()
    (folder / REFERENCE_FILE).write_bytes(text)
    contract = ModelContract(
        model=model,
        estimator="sklearn.linear_model.LogisticRegression",
        inputs=INPUTS,
        classes=("no", "yes"),
        threshold=0.5,
        files={MODEL_FILE: "0" * 64, REFERENCE_FILE: hashlib.sha256(text).hexdigest()},
    ).sealed()
    (folder / CONTRACT_FILE).write_text(contract.to_json())
    return contract


def log_row(prediction_id: str, at: float, features: Mapping[str, Any], **values: Any) -> dict[str, Any]:
    """Return one row of the log, with the columns of the contract."""
    return {
        "prediction_id": prediction_id,
        "at": at,
        "model": "toy",
        "revision": "r1",
        "entity": "{}",
        "features": json.dumps(features),
        "prediction": "no",
        "probabilities": [0.7, 0.3],
        "degraded": False,
        "defaulted": [],
        "stale": [],
        **values,
    }


def write_log(log: Path, rows: Sequence[Mapping[str, Any]], name: str = "part-0") -> None:
    """Write rows by day and revision, as the collect verb does."""
    frame = pd.DataFrame(list(rows))
    days = [datetime.fromtimestamp(at, UTC).date() for at in frame["at"]]
    for (day, revision), part in frame.groupby([pd.Series(days), "revision"]):
        folder = log / f"day={day}" / f"revision={revision}"
        folder.mkdir(parents=True, exist_ok=True)
        table = pa.Table.from_pandas(part, schema=LOG_SCHEMA, preserve_index=False)
        pq.write_table(table, folder / f"{name}.parquet")
