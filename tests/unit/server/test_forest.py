"""The native walk answers onnxruntime's bits or is not taken."""

import importlib.util
import shutil
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from tests.support import needed
from tests.support.artifacts import build_artifact

from serinus_contracts.artifact import Input
from serinus_jobs import export
from serinus_server.forest import NotTaken, native
from serinus_server.runtime import Graph

WIDTH = 5
NODE = np.dtype([("value", "<f4"), ("feature", "<u2"), ("other", "<u2")])
Run = Callable[[list[list[float]]], list[list[float]]]


@pytest.fixture(scope="module")
def forest() -> Any:
    if importlib.util.find_spec("serinus_forest") is None:
        if shutil.which("cc") and (Path(sysconfig.get_path("include")) / "Python.h").exists():
            pytest.fail("it can be compiled here, but model-server/native is not installed: run make setup")
        needed.missing("the native walk needs a C compiler and Python.h: apt-get install gcc libc6-dev")
    return importlib.import_module("serinus_forest")


def fitted(estimator: Any, classes: int, scaled: bool = False) -> bytes:
    generator = np.random.default_rng(3)
    # Neighbouring float32 values in the last column, and a column of few values.
    x = generator.normal(40, 20, (600, WIDTH)).round(1)
    x[:, 3] = generator.integers(0, 3, 600)
    x[:, 4] = 1e8 + generator.integers(0, 40, 600) * 8
    y = np.digitize(x[:, :3].sum(axis=1) + x[:, 3] * 20, [140] if classes == 2 else [120, 160])
    inputs = [Input(f"f{i}", "float64") for i in range(WIDTH)]
    pipeline = export.build_pipeline(estimator, inputs, scaled).fit(x, y)
    return export.to_onnx(pipeline, WIDTH).SerializeToString()  # type: ignore[no-any-return]


def by_onnxruntime(model: bytes) -> Run:
    options = onnxruntime.SessionOptions()
    # As it is served. With more threads onnxruntime's own sums differ between one row and many.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda rows: session.run(["probabilities"], {"input": np.array(rows)})[0].tolist()


def estimators() -> dict[str, Any]:
    from lightgbm import LGBMClassifier
    from sklearn import ensemble
    from xgboost import XGBClassifier

    return {
        "forest": ensemble.RandomForestClassifier(90, max_depth=6, random_state=1),
        "stumps": ensemble.RandomForestClassifier(3, max_depth=1, random_state=1),
        "extra": ensemble.ExtraTreesClassifier(20, max_depth=6, random_state=1),
        "boosting": ensemble.GradientBoostingClassifier(n_estimators=20, random_state=1),
        "histogram": ensemble.HistGradientBoostingClassifier(max_iter=20, random_state=1),
        "xgboost": XGBClassifier(n_estimators=20, n_jobs=1, random_state=1),
        "lightgbm": LGBMClassifier(n_estimators=20, n_jobs=1, verbose=-1, random_state=1),
    }


@pytest.mark.parametrize(
    "name", ["forest", "stumps", "extra", "boosting", "histogram", "xgboost", "lightgbm"]
)
@pytest.mark.usefixtures("forest")
def test_two_classes_are_walked_with_the_same_bits(name: str):
    model = fitted(estimators()[name], 2)
    reference = by_onnxruntime(model)
    run = native(model, WIDTH, reference)
    generator = np.random.default_rng(9)
    rows = generator.normal(40, 40, (4000, WIDTH))
    rows[:, 4] = 1e8 + generator.integers(-8, 400, 4000)
    rows[:10] = [[1e300], [-1e300], [0.0], [-0.0], [1e-45], [3.5e38], [-3.5e38], [1e38], [1], [1e8]]
    assert run(rows.tolist()) == reference(rows.tolist())
    one = rows[77:78].tolist()
    assert run(one) == reference(one)


@pytest.mark.usefixtures("forest")
@pytest.mark.parametrize(
    ("name", "why"), [("forest", "one score a leaf"), ("xgboost", "SOFTMAX"), ("lightgbm", "SOFTMAX")]
)
def test_three_classes_keep_onnxruntime(name: str, why: str):
    model = fitted(estimators()[name], 3)
    with pytest.raises(NotTaken, match=why):
        native(model, WIDTH, by_onnxruntime(model))


@pytest.mark.usefixtures("forest")
def test_other_graphs_keep_onnxruntime():
    from sklearn.linear_model import LogisticRegression

    model = fitted(LogisticRegression(), 2, scaled=True)
    for graph in (model, b"", b"no graph", model[:-3]):
        with pytest.raises(NotTaken, match="no forest"):
            native(graph, WIDTH, by_onnxruntime(model))


@pytest.mark.usefixtures("forest")
@pytest.mark.parametrize("of_one_row", [True, False])
def test_one_other_bit_keeps_onnxruntime(of_one_row: bool):
    model = fitted(estimators()["stumps"], 2)
    reference = by_onnxruntime(model)

    def nearly(rows: list[list[float]]) -> list[list[float]]:
        answers = reference(rows)
        if (len(rows) == 1) == of_one_row:
            answers[-1][1] = float(np.nextafter(np.float32(answers[-1][1]), np.float32(2)))
        return answers

    with pytest.raises(NotTaken, match="other bits"):
        native(model, WIDTH, nearly)


def test_without_the_compiled_walk_a_graph_answers_the_same(tmp_path: Path, monkeypatch: Any, caplog: Any):
    contract = build_artifact(tmp_path)
    rows = [[40.0, 3.0, 65.0, 1.0, 0.0], [18.0, 600.0, 0.0, 2.0, 1.0]]
    answers = Graph(tmp_path, contract).run(rows)
    monkeypatch.setitem(sys.modules, "serinus_forest", None)
    caplog.set_level("INFO")
    assert Graph(tmp_path, contract).run(rows) == answers
    assert "onnxruntime runs the graph" in caplog.text


def nodes(*each: tuple[float, int, int]) -> bytes:
    return np.array(list(each), dtype=NODE).tobytes()


STUMP = nodes((1.5, 1, 2), (0.25, 0, 0), (0.75, 0, 0))
ROOT = np.uint32(0).tobytes()


def test_a_stump(forest: Any):
    walk = forest.Forest(STUMP, ROOT, 2, 0.0, False)
    assert walk.run([[9.0, 1.5], [0.0, 1.6]]) == [[0.75, 0.25], [0.25, 0.75]]
    assert walk.run([]) == []
    assert forest.Forest(STUMP, ROOT, 2, -0.25, True).run([[0.0, 0.0]]) == [[0.5, 0.5]]


@pytest.mark.parametrize(
    ("tree", "root", "width"),
    [
        (nodes((1.5, 1, 3), (0.25, 0, 0), (0.75, 0, 0)), 0, 2),
        (nodes((1.5, 1, 0xFFFF)), 0, 2),
        (STUMP, 3, 2),
        (STUMP, 0, 1),
        (STUMP, 0, 0),
        (STUMP, 0, -1),
        (b"", 0, 2),
    ],
)
def test_nodes_that_lead_out_are_refused(forest: Any, tree: bytes, root: int, width: int):
    with pytest.raises(ValueError, match="no forest"):
        forest.Forest(tree, np.uint32(root).tobytes(), width, 0.0, False)


@pytest.mark.parametrize(
    "matrix", [None, (), [None], [(1.0, 2.0)], [[1.0]], [[1.0, "2"]], [[1.0, 2.0], [1.0]]]
)
def test_what_is_no_matrix_is_refused(forest: Any, matrix: Any):
    with pytest.raises((TypeError, ValueError)):
        forest.Forest(STUMP, ROOT, 2, 0.0, False).run(matrix)


def test_what_is_no_forest_at_all_is_refused(forest: Any):
    with pytest.raises(TypeError):
        forest.Forest("nodes", ROOT, 2, 0.0, False)
