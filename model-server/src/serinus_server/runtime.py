"""The graph: one ONNX session with one thread, double matrix in, probabilities out.

The only importer of onnxruntime. Where `forest` can walk the graph with the same bits, it takes its place.
"""

import logging
import os
from pathlib import Path

# Before the import: its Linux wheels report models and sessions to their maker unless told not to.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np
import onnxruntime

from serinus_contracts.artifact import GRAPH_INPUT, GRAPH_OUTPUT, MODEL_FILE, ModelContract
from serinus_contracts.errors import ContractError
from serinus_server.errors import InvalidOutput
from serinus_server.forest import NotTaken, Run, native

_log = logging.getLogger(__name__)
# A float32 sum over classes is off by rounding alone, and by some 1e-6 a class.
_SUM_TOLERANCE = 1e-3
# Below this many rows plain Python checks faster than numpy's calls.
_FEW_ROWS = 8


class Graph:
    """A loaded model. `run` is the whole interface."""

    def __init__(self, folder: Path, contract: ModelContract) -> None:
        """Load `model.onnx`; raises ContractError when the graph is not the contract's."""
        path = folder / MODEL_FILE
        model = path.read_bytes()
        session = _session(model, path)
        _check_signature(session, path, len(contract.inputs), len(contract.classes))
        feed, outputs = session.run, [GRAPH_OUTPUT]

        def by_onnxruntime(matrix: list[list[float]]) -> list[list[float]]:
            feeds = {GRAPH_INPUT: np.array(matrix, dtype=np.float64)}
            return feed(outputs, feeds)[0].tolist()  # type: ignore[no-any-return]

        by_onnxruntime([[0.0] * len(contract.inputs)])
        self._run: Run = by_onnxruntime
        try:
            self._run = native(model, len(contract.inputs), by_onnxruntime)
            _log.info("the forest is walked natively; the answers are onnxruntime's to the bit")
        except NotTaken as error:
            _log.info("onnxruntime runs the graph: %s", error)

    def run(self, matrix: list[list[float]]) -> list[list[float]]:
        """Return the probabilities, rows x classes, for a matrix of rows x features.

        Raises InvalidOutput when a row has a value outside [0, 1] (or NaN), or does not sum to 1.
        """
        rows = self._run(matrix)
        if len(rows) == 1:
            bad = int(not _is_distribution(rows[0]))
        elif len(rows) <= _FEW_ROWS:
            bad = sum(not _is_distribution(row) for row in rows)
        else:
            array = np.array(rows)
            # Written so that NaN fails every comparison.
            good = (array >= 0).all(axis=1) & (array <= 1 + _SUM_TOLERANCE).all(axis=1)
            good &= np.abs(array.sum(axis=1) - 1.0) <= _SUM_TOLERANCE
            bad = len(rows) - int(good.sum())
        if bad:
            raise InvalidOutput(bad)
        return rows


def _session(model: bytes, path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises classes of its own, without a common base
        raise ContractError(f"{path}: onnxruntime cannot load it: {str(error)[:300]}") from None


def _is_distribution(row: list[float]) -> bool:
    total = 0.0
    for value in row:
        if not 0.0 <= value <= 1.0 + _SUM_TOLERANCE:
            return False
        total += value
    return -_SUM_TOLERANCE <= total - 1.0 <= _SUM_TOLERANCE


def _check_signature(session: onnxruntime.InferenceSession, path: Path, features: int, classes: int) -> None:
    inputs = [(each.name, each.type, each.shape[-1]) for each in session.get_inputs()]
    if inputs != [(GRAPH_INPUT, "tensor(double)", features)]:
        raise ContractError(
            f"{path}: takes {inputs}; the contract says one double input `{GRAPH_INPUT}`, {features} wide"
        )
    outputs = {each.name: each.shape for each in session.get_outputs()}
    if GRAPH_OUTPUT not in outputs:
        raise ContractError(f"{path}: has no output `{GRAPH_OUTPUT}`, only {', '.join(outputs)}")
    width = outputs[GRAPH_OUTPUT][-1]
    if isinstance(width, int) and width != classes:
        raise ContractError(f"{path}: gives {width} probabilities a row, the contract has {classes} classes")
