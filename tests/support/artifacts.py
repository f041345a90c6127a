"""Model artifacts for tests that need a loadable model and do not care how it was trained."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from serinus_contracts.artifact import CONTRACT_FILE, MODEL_FILE, Input, ModelContract
from serinus_contracts.plan import OnlinePlan

CHURN_INPUTS = (
    Input("age", "int64", minimum=18, maximum=100),
    Input("tenure_months", "int64", minimum=0, maximum=600),
    Input("monthly_charges", "float64", default=65.0, minimum=0, maximum=1000),
    Input("plan", "string", default="basic", allowed=("basic", "plus", "premium")),
    Input("paperless", "bool", default=False),
)


def build_artifact(
    folder: Path,
    *,
    model: str = "churn",
    inputs: tuple[Input, ...] = CHURN_INPUTS,
    classes: tuple[Any, ...] = ("no", "yes"),
    plan: OnlinePlan | None = None,
    seed: int = 0,
    trees: int = 10,
    threshold: float = 0.5,
) -> ModelContract:
    """Write a small random forest as an artifact into `folder` and return its sealed contract."""
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import DoubleTensorType
    from skl2onnx.sklapi import CastTransformer
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline

    generator = np.random.default_rng(seed)
    width = len(inputs)
    x = generator.normal(40.0, 20.0, (400, width))
    y = (x.sum(axis=1) + generator.normal(0, 10, 400)).argsort().argsort() * len(classes) // 400
    pipeline = make_pipeline(
        CastTransformer(dtype=np.float32),
        RandomForestClassifier(n_estimators=trees, max_depth=5, random_state=seed),
    ).fit(x, y)
    graph = convert_sklearn(
        pipeline,
        initial_types=[("input", DoubleTensorType([None, width]))],
        options={"zipmap": False},
        target_opset={"": 18, "ai.onnx.ml": 3},
    )
    folder.mkdir(parents=True, exist_ok=True)
    data = graph.SerializeToString()
    (folder / MODEL_FILE).write_bytes(data)
    contract = ModelContract(
        model=model,
        estimator="sklearn.ensemble.RandomForestClassifier",
        inputs=inputs,
        classes=classes,
        threshold=threshold,
        files={MODEL_FILE: hashlib.sha256(data).hexdigest()},
        plan=plan,
    ).sealed()
    (folder / CONTRACT_FILE).write_text(contract.to_json())
    assert json.loads(contract.to_json())["digest"] == contract.digest
    return contract
