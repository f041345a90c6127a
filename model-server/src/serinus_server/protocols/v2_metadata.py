"""What the Open Inference Protocol V2 says about a server and a model."""

from typing import Any

from serinus_contracts.artifact import GRAPH_INPUT, ModelContract, Scalar

SERVER = {"name": "serinus", "version": "0.1.0", "extensions": ["binary_tensor_data"]}
_DATATYPES = {"int64": "INT64", "float64": "FP64", "bool": "BOOL", "string": "BYTES"}


def label_datatype(classes: tuple[Scalar, ...]) -> str:
    """Return the V2 datatype of the labels: BYTES unless all classes are of one other kind."""
    kinds = {type(each) for each in classes}
    if kinds == {bool}:
        return "BOOL"
    if kinds == {int}:
        return "INT64"
    return "FP64" if kinds == {float} else "BYTES"


def model(contract: ModelContract, name: str, version: str) -> dict[str, Any]:
    """Return the metadata of a model: one tensor per feature; `input` may stand for all of them."""
    inputs = [
        {
            "name": each.name,
            "datatype": _DATATYPES[each.dtype],
            "shape": [-1],
            "parameters": {"required": each.default is None},
        }
        for each in contract.inputs
    ]
    return {
        "name": name,
        "versions": [version],
        "platform": "onnx_onnxruntime",
        "inputs": inputs,
        "outputs": [
            {"name": "predictions", "datatype": label_datatype(contract.classes), "shape": [-1]},
            {"name": "probabilities", "datatype": "FP64", "shape": [-1, len(contract.classes)]},
        ],
        "parameters": {"matrix_input": GRAPH_INPUT},
    }
