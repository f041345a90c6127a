"""Every listed estimator gives the same probabilities as its graph; a graph that does not is refused."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from serinus_contracts.artifact import EXPORT_TOLERANCE, Input
from serinus_jobs import estimators, export
from serinus_jobs.errors import JobError
from serinus_jobs.project import Estimator

INPUTS = (
    Input("a", "float64"),
    Input("plan", "string", allowed=("x", "y", "z", "never seen")),
    Input("b", "float64"),
)
ROWS = 1_200


def ordinary(generator: np.random.Generator) -> np.ndarray:
    return np.column_stack(
        [generator.normal(50, 30, ROWS), generator.integers(0, 3, ROWS), generator.uniform(0, 6e5, ROWS)]
    )


def neighbours(generator: np.random.Generator) -> np.ndarray:
    """Columns whose values are neighbouring float32 numbers: every threshold lies between two of them."""
    return np.column_stack(
        [
            2.0**24 + 2 * generator.integers(0, 64, ROWS),
            generator.integers(0, 3, ROWS),
            -(2.0**25) + 4 * generator.integers(0, 64, ROWS),
        ]
    )


def rows(kind: Any, classes: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(5)
    matrix = kind(generator)
    score = matrix[:, 0] / np.ptp(matrix[:, 0]) + matrix[:, 1] / 4 + generator.normal(0, 0.2, ROWS)
    return matrix, score.argsort().argsort() * classes // ROWS


def fitted(path: str, matrix: np.ndarray, target: np.ndarray) -> Any:
    each = estimators.find(path)
    size = (
        {"n_estimators": 15}
        if "n_estimators" in estimators._import(each)().get_params()
        else {"max_iter": 100}
    )
    built = estimators.build(Estimator(class_=path, params=size), {}, 7)
    return export.build_pipeline(built, INPUTS, each.scaled).fit(matrix[: ROWS // 2], target[: ROWS // 2])


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("kind", [ordinary, neighbours])
@pytest.mark.parametrize("path", [each.path for each in estimators.ALLOWED])
def test_the_graph_gives_the_pipelines_probabilities(path: str, kind: Any, classes: int) -> None:
    matrix, target = rows(kind, classes)
    pipeline = fitted(path, matrix, target)
    # The last row holds a string that training never saw.
    matrix[-1, 1] = 3.0
    expected = pipeline.predict_proba(matrix)
    graph = export.Graph(export.to_onnx(pipeline, 3).SerializeToString())
    assert export.verify(graph, matrix, expected) <= EXPORT_TOLERANCE
    assert len(np.unique(expected.round(6), axis=0)) > 10


def test_an_unfitted_pipeline_cannot_be_converted() -> None:
    built = estimators.build(Estimator(class_="sklearn.ensemble.RandomForestClassifier"), {}, 7)
    with pytest.raises(JobError, match="cannot be converted to ONNX"):
        export.to_onnx(export.build_pipeline(built, INPUTS, False), 3)


@pytest.fixture(scope="module")
def exported() -> tuple[bytes, np.ndarray, np.ndarray]:
    matrix, target = rows(ordinary, 2)
    pipeline = fitted("sklearn.linear_model.LogisticRegression", matrix, target)
    return export.to_onnx(pipeline, 3).SerializeToString(), matrix, pipeline.predict_proba(matrix)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda expected: expected[:, ::-1],
            "disagrees with its pipeline on 12[0-9][0-9] of 1200|11[0-9][0-9] of",
        ),
        (lambda expected: np.where(np.arange(ROWS)[:, None] == 7, np.nan, expected), "on 1 of 1200 rows"),
        (lambda expected: expected + np.where(np.arange(ROWS)[:, None] == 7, 2e-5, 0.0), "on 1 of 1200 rows"),
        (lambda expected: expected[:, :1], r"shape \(1200, 2\), the pipeline \(1200, 1\)"),
    ],
)
def test_a_graph_that_disagrees_is_refused(exported: Any, change: Any, message: str) -> None:
    data, matrix, expected = exported
    with pytest.raises(JobError, match=message):
        export.verify(export.Graph(data), matrix, change(expected))


def test_nothing_to_compare_is_no_agreement(exported: Any) -> None:
    data, matrix, expected = exported
    with pytest.raises(JobError, match="no row to compare"):
        export.verify(export.Graph(data), matrix[:0], expected[:0])


def graph_with(initializer: TensorProto, given: str = "input", answer: str = "probabilities") -> bytes:
    node = helper.make_node("MatMul", [given, initializer.name], [answer])
    inner = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info(given, TensorProto.DOUBLE, [None, 2])],
        [helper.make_tensor_value_info(answer, TensorProto.DOUBLE, [None, 2])],
        [initializer],
    )
    return helper.make_model(
        inner, opset_imports=[helper.make_opsetid("", 18)], ir_version=8
    ).SerializeToString()


def weights() -> TensorProto:
    return helper.make_tensor("w", TensorProto.DOUBLE, [2, 2], [1.0, 0.0, 0.0, 1.0])


def test_external_data_are_refused() -> None:
    outside = weights()
    outside.ClearField("double_data")
    outside.data_location = TensorProto.EXTERNAL
    entry = outside.external_data.add()
    entry.key, entry.value = "location", "../../etc/passwd"
    with pytest.raises(JobError, match="'w' in another file; external data is not accepted"):
        export.Graph(graph_with(outside))


def test_external_data_inside_a_branch_are_refused() -> None:
    outside = weights()
    outside.ClearField("double_data")
    outside.data_location = TensorProto.EXTERNAL
    branch = helper.make_graph([helper.make_node("Constant", [], ["x"], value=outside)], "branch", [], [])
    node = helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
    model = helper.make_model(helper.make_graph([node], "g", [], []))
    with pytest.raises(JobError, match="in another file"):
        export.refuse_external_data(model.SerializeToString())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"not a graph at all", "is not ONNX"),
        (onnx.ModelProto().SerializeToString(), "does not load"),
        (graph_with(weights(), given="x"), "must have one input, `input`"),
        (graph_with(weights(), answer="y"), "must have an output `probabilities`"),
    ],
)
def test_what_is_not_our_graph_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(JobError, match=message):
        export.Graph(data)


@pytest.mark.parametrize(
    "value", [0.1, -0.1, 16777259.000000004, -16777259.000000004, 0.0, 1.0, 1e300, -1e-50]
)
def test_a_threshold_is_never_rounded_up(value: float) -> None:
    low = export.floor_float32(value)
    assert float(low) <= value
    assert float(np.nextafter(low, np.float32(np.inf))) > value
