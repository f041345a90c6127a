"""From a fitted pipeline to one ONNX graph that gives the same probabilities, or to a refusal.

The recipe: the graph takes doubles; preprocessing runs in double; a CastTransformer to float32 stands
before the estimator, in the pipeline that is trained as well. Trees compare float32 values with their
thresholds in training, so a graph that casts earlier or later sends some rows down another branch.

Two converters also round a double threshold to the nearest float32, which can move it past a value that
lay on it. Thresholds of `x <= t` are floored to float32 here instead: for a float32 x that is the same
comparison. On columns with neighbouring float32 values this is the difference between no row off and
one row in two.
"""

import os
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

# onnxruntime's Linux wheels report models and sessions to their maker unless told not to before the import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np
import numpy.typing as npt

from serinus_contracts.artifact import EXPORT_TOLERANCE, GRAPH_INPUT, GRAPH_OUTPUT, Input
from serinus_jobs.errors import JobError

# The opsets that onnxruntime 1.16 and later run; newer ones bring nothing that these graphs use.
OPSETS = {"": 18, "ai.onnx.ml": 3}
Matrix = npt.NDArray[np.float64]


def build_pipeline(estimator: Any, inputs: Sequence[Input], scaled: bool) -> Any:
    """Return the unfitted scikit-learn Pipeline around `estimator`: double matrix in, probabilities out."""
    from skl2onnx.sklapi import CastTransformer
    from sklearn.pipeline import Pipeline

    steps: list[tuple[str, Any]] = []
    if scaled:
        steps.append(("prepare", _scaling(inputs)))
    steps += [("cast", CastTransformer(dtype=np.float32)), ("estimator", estimator)]
    return Pipeline(steps)


def _scaling(inputs: Sequence[Input]) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    strings = [i for i, each in enumerate(inputs) if each.dtype == "string"]
    numbers = [i for i, each in enumerate(inputs) if each.dtype != "string"]
    parts: list[tuple[str, Any, list[int]]] = []
    if numbers:
        parts.append(("numbers", StandardScaler(), numbers))
    if strings:
        # Told from the contract, so that a value which training never saw is a column of its own, too.
        known = [np.arange(len(inputs[i].allowed), dtype=np.float64) for i in strings]
        parts.append(("strings", OneHotEncoder(categories=known, sparse_output=False), strings))
    return ColumnTransformer(parts)


def to_onnx(pipeline: Any, width: int) -> Any:
    """Return the ONNX ModelProto of the fitted `pipeline` over `width` features.

    Raises JobError where a converter gives up.
    """
    _register_converters()
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import DoubleTensorType

    try:
        return convert_sklearn(
            pipeline,
            name="serinus",
            initial_types=[(GRAPH_INPUT, DoubleTensorType([None, width]))],
            options={"zipmap": False},
            target_opset=OPSETS,
        )
    except Exception as error:  # converters raise whatever their libraries raise
        raise JobError(f"export: the model cannot be converted to ONNX: {error}") from error


class Graph:
    """A loaded graph: probabilities for rows. One thread, as it is served."""

    def __init__(self, data: bytes) -> None:
        import onnxruntime

        refuse_external_data(data)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                data, sess_options=options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime has a dozen exception classes without a common base
            raise JobError(f"the graph does not load: {error}") from None
        if [each.name for each in self._session.get_inputs()] != [GRAPH_INPUT]:
            raise JobError(f"the graph must have one input, `{GRAPH_INPUT}`")
        if GRAPH_OUTPUT not in [each.name for each in self._session.get_outputs()]:
            raise JobError(f"the graph must have an output `{GRAPH_OUTPUT}`")

    def probabilities(self, matrix: Matrix) -> Matrix:
        """Return [rows, classes] of float64 for `matrix`, [rows, features] of float64."""
        answer = self._session.run([GRAPH_OUTPUT], {GRAPH_INPUT: np.ascontiguousarray(matrix)})[0]
        return np.asarray(answer, dtype=np.float64)


def verify(graph: Graph, matrix: Matrix, expected: Matrix) -> float:
    """Return the largest difference between the graph's probabilities and `expected`.

    Raises JobError if it is beyond EXPORT_TOLERANCE, is not a number, or there is no row to compare.
    """
    if not len(matrix):
        raise JobError("export: there is no row to compare the graph with its pipeline on")
    found = graph.probabilities(matrix)
    if found.shape != expected.shape:
        raise JobError(f"export: the graph answers shape {found.shape}, the pipeline {expected.shape}")
    off = np.abs(found - expected).max(axis=1)
    # Written so that NaN is off, too.
    wrong = int((~(off <= EXPORT_TOLERANCE)).sum())
    if wrong:
        raise JobError(
            f"export: the graph disagrees with its pipeline on {wrong} of {len(matrix)} rows, by up to "
            f"{np.nanmax(off):.2g} (allowed: {EXPORT_TOLERANCE:g}); the model is not registered"
        )
    return float(off.max())


def refuse_external_data(data: bytes) -> None:
    """Raise JobError if a tensor of the graph lives in another file: only one file is under the digest."""
    import onnx

    try:
        model = onnx.load_from_string(data)
    except Exception as error:  # protobuf's DecodeError moved between its versions
        raise JobError(f"the graph is not ONNX: {error}") from None
    outside = [each.name for each in _tensors(model.graph) if each.data_location == onnx.TensorProto.EXTERNAL]
    if outside:
        raise JobError(f"the graph keeps {outside[0]!r} in another file; external data is not accepted")


def _tensors(graph: Any) -> list[Any]:
    found = list(graph.initializer)
    for node in graph.node:
        for attribute in node.attribute:
            found += [attribute.t, *attribute.tensors]
            for inner in [attribute.g, *attribute.graphs]:
                found += _tensors(inner) if inner.node or inner.initializer else []
    return found


@cache
def _register_converters() -> None:
    """Teach skl2onnx the two boosting libraries, and exact thresholds. Once a process."""
    from lightgbm import LGBMClassifier
    from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm
    from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost
    from skl2onnx import update_registered_converter
    from skl2onnx.common._registration import get_converter, get_shape_calculator
    from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
    from sklearn.ensemble import HistGradientBoostingClassifier
    from xgboost import XGBClassifier

    options = {"nocl": [True, False], "zipmap": [True, False, "columns"]}
    shapes = calculate_linear_classifier_output_shapes
    update_registered_converter(XGBClassifier, "SerinusXGBoost", shapes, convert_xgboost, options=options)
    update_registered_converter(
        LGBMClassifier, "SerinusLightGBM", shapes, _with_exact_thresholds(convert_lightgbm), options=options
    )
    histogram = "SklearnHistGradientBoostingClassifier"
    update_registered_converter(
        HistGradientBoostingClassifier,
        histogram,
        get_shape_calculator(histogram),
        _with_floored_nodes(get_converter(histogram)),
        overwrite=True,
        options={"raw_scores": [True, False], "output_class_labels": [False, True], **options},
    )


def _with_exact_thresholds(convert: Callable[..., None]) -> Callable[..., None]:
    def converter(scope: Any, operator: Any, container: Any) -> None:
        convert(scope, operator, _ExactThresholds(container))

    return converter


def _with_floored_nodes(convert: Callable[..., None]) -> Callable[..., None]:
    def converter(scope: Any, operator: Any, container: Any) -> None:
        # The converter rounds before it hands nodes over, so the fitted nodes are floored themselves.
        # The pipeline's own answers stay as they are: it, too, compares float32 values only.
        for predictor in (tree for stage in operator.raw_operator._predictors for tree in stage):
            predictor.nodes["num_threshold"] = [floor_float32(t) for t in predictor.nodes["num_threshold"]]
        convert(scope, operator, container)

    return converter


class _ExactThresholds:
    """A converter's container that floors tree thresholds to float32 on their way into the graph."""

    def __init__(self, container: Any) -> None:
        self._container = container

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def add_node(self, op_type: str, *arguments: Any, **attributes: Any) -> Any:
        if "nodes_values" in attributes:
            modes = attributes["nodes_modes"]
            attributes["nodes_values"] = [
                float(floor_float32(value)) if mode in ("BRANCH_LEQ", b"BRANCH_LEQ") else value
                for value, mode in zip(attributes["nodes_values"], modes, strict=True)
            ]
        return self._container.add_node(op_type, *arguments, **attributes)


def floor_float32(value: float) -> np.float32:
    """Return the largest float32 that is not above `value`."""
    with np.errstate(over="ignore"):
        near = np.float32(value)
    # Compared as doubles: numpy would round `value` to float32 first.
    return near if float(near) <= float(value) else np.nextafter(near, np.float32(-np.inf))
