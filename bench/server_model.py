"""The forest of the request path's benchmark: one fit, for the ONNX artifact and for KServe's SDK."""

import hashlib
from pathlib import Path

import numpy as np

from serinus_contracts.artifact import CONTRACT_FILE, MODEL_FILE, Input, ModelContract

FEATURES = 9


def rows(count: int, seed: int = 1) -> list[list[float]]:
    """Return `count` rows as a request holds them."""
    generator = np.random.default_rng(seed)
    return generator.normal(40.0, 20.0, (count, FEATURES)).round(2).tolist()  # type: ignore[no-any-return]


def write_model(folder: Path) -> None:
    """Write the artifact into `folder`, and the same pipeline as `pipeline.joblib` beside it."""
    import joblib
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import DoubleTensorType
    from skl2onnx.sklapi import CastTransformer
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline

    generator = np.random.default_rng(7)
    x = generator.normal(40.0, 20.0, (5000, FEATURES))
    y = x.sum(axis=1) + generator.normal(0, 60, len(x)) > 40.0 * FEATURES
    forest = RandomForestClassifier(n_estimators=100, max_depth=8, random_state=7, n_jobs=1)
    pipeline = make_pipeline(CastTransformer(dtype=np.float32), forest).fit(x, y)
    graph = convert_sklearn(
        pipeline,
        initial_types=[("input", DoubleTensorType([None, FEATURES]))],
        options={"zipmap": False},
        target_opset={"": 18, "ai.onnx.ml": 3},
    ).SerializeToString()
    folder.mkdir(parents=True)
    (folder / MODEL_FILE).write_bytes(graph)
    contract = ModelContract(
        model="bench",
        estimator="sklearn.ensemble.RandomForestClassifier",
        inputs=tuple(Input(f"f{i}", "float64", minimum=-1000, maximum=1000) for i in range(FEATURES)),
        classes=(False, True),
        threshold=0.5,
        files={MODEL_FILE: hashlib.sha256(graph).hexdigest()},
    ).sealed()
    (folder / CONTRACT_FILE).write_text(contract.to_json())
    joblib.dump(forest, folder.parent / "pipeline.joblib")
