"""Open Inference Protocol V2 infer: tensors in, the tensors `predictions` and `probabilities` out.

Inputs are one tensor per feature (shape [n] or [n, 1]), or per entity key, or one matrix `input` of
shape [n, features] in the contract's order: numbers, where a bool is 0 or 1 and a string its index
among the allowed values. Data stands in JSON or, by the binary extension, after it.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from serinus_contracts.artifact import GRAPH_INPUT, Input
from serinus_server.errors import RequestError, too_many_rows
from serinus_server.model import Answer, Model
from serinus_server.protocols import v2_tensors
from serinus_server.protocols.v2_metadata import label_datatype

_Parameters = dict[str, str | int | float | bool]
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
_Dimension = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
_encode = msgspec.json.Encoder().encode


class Tensor(msgspec.Struct, forbid_unknown_fields=True):
    """One input. `data` stays undecoded until its datatype is known."""

    name: _Name
    shape: Annotated[list[_Dimension], msgspec.Meta(min_length=1, max_length=2)]
    datatype: str
    data: msgspec.Raw = msgspec.Raw()
    parameters: _Parameters = {}


class Requested(msgspec.Struct, forbid_unknown_fields=True):
    """One output that the client asks for."""

    name: str
    parameters: _Parameters = {}


class Request(msgspec.Struct, forbid_unknown_fields=True):
    """The body. The path says the model; `model_name` and `model_version` are what clients repeat."""

    inputs: Annotated[list[Tensor], msgspec.Meta(min_length=1, max_length=4096)]
    id: Annotated[str, msgspec.Meta(max_length=128, pattern=r"^[\x20-\x7e]*$")] | None = None
    parameters: _Parameters = {}
    outputs: list[Requested] | None = None
    model_name: str | None = None
    model_version: str | None = None


_decode = msgspec.json.Decoder(Request).decode


class V2:
    """The V2 infer verb of one model."""

    name = "v2"
    binary = True
    fields = (
        "inputs, outputs, id, parameters, model_name, model_version; "
        "of a tensor name, shape, datatype, data, parameters"
    )

    def __init__(self, model: Model, max_rows: int) -> None:
        self._model = model
        self._max_rows = max_rows
        self._inputs = model.contract.inputs
        self._order = tuple(each.name for each in self._inputs)
        self._set = frozenset(self._order)
        self._labels = label_datatype(model.contract.classes)
        self._to_values = tuple(_from_code(each) for each in self._inputs)

    async def __call__(
        self, body: bytes, given_id: str | None, json_length: bytes | None
    ) -> tuple[bytes, str, int | None]:
        """Return (the body, the request's prediction id, the length of its JSON if tensors follow it)."""
        view = memoryview(body)
        end = len(body) if json_length is None else _checked_length(json_length, len(body))
        request = _decode(view[:end])
        rows = self._rows(request.inputs, view[end:])
        wanted = _wanted(request)
        answer = await self._model.predict(rows, "row", given_id)
        return self._reply(request, wanted, answer)

    def _rows(self, inputs: list[Tensor], raw: memoryview) -> Sequence[Any]:
        names = [each.name for each in inputs]
        if len(set(names)) != len(names):
            raise RequestError(400, "inputs: two tensors have the same name")
        is_matrix = names == [GRAPH_INPUT] and GRAPH_INPUT not in self._set
        columns = []
        for each in inputs:
            count = self._checked_count(each, inputs[0].shape[0], is_matrix)
            data, raw = _data(each, count, raw)
            columns.append(data)
        if len(raw):
            raise RequestError(400, f"body: {len(raw)} bytes after the last tensor")
        if is_matrix:
            return self._matrix(columns[0])
        if set(names) == self._set:
            by_name = dict(zip(names, columns, strict=True))
            return [list(row) for row in zip(*(by_name[name] for name in self._order), strict=True)]
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    def _checked_count(self, tensor: Tensor, rows: int, is_matrix: bool) -> int:
        """Return the number of values, from the shape alone: nothing is allocated by its word."""
        v2_tensors.check_datatype(tensor.name, tensor.datatype)
        if rows > self._max_rows:
            raise too_many_rows(tensor.name, rows, self._max_rows)
        width = len(self._order) if is_matrix else 1
        if tensor.shape not in ([rows, width], [rows]) or (is_matrix and len(tensor.shape) == 1):
            expected = f"[{rows}, {width}]" if is_matrix else f"[{rows}] or [{rows}, 1], as the first tensor"
            raise RequestError(400, f"{tensor.name}: shape {tensor.shape} must be {expected}")
        if is_matrix and tensor.datatype in ("BYTES", "BOOL"):
            raise RequestError(400, f"{tensor.name}: a matrix holds numbers, not {tensor.datatype}")
        return rows * width

    def _matrix(self, values: list[Any]) -> list[list[Any]]:
        width = len(self._order)
        rows = [values[at : at + width] for at in range(0, len(values), width)]
        if any(self._to_values):
            for i, row in enumerate(rows):
                for j, convert in enumerate(self._to_values):
                    if convert is not None and row[j] is not None:
                        row[j] = _converted(convert, row[j], i, self._order[j])
        return rows

    def _reply(
        self, request: Request, wanted: list[tuple[str, bool]], answer: Answer
    ) -> tuple[bytes, str, int | None]:
        outputs = []
        raws = []
        for name, as_raw in wanted:
            values: Sequence[Any] = answer.probabilities if name == "probabilities" else answer.labels
            datatype = "FP64" if name == "probabilities" else self._labels
            if name == "probabilities":
                shape = [len(values), len(self._model.contract.classes)]
            else:
                shape = [len(values)]
                if datatype == "BYTES":
                    values = [str(value) for value in values]
            output: dict[str, Any] = {"name": name, "shape": shape, "datatype": datatype}
            if as_raw:
                raws.append(v2_tensors.to_bytes(datatype, values))
                output["parameters"] = {"binary_data_size": len(raws[-1])}
            else:
                output["data"] = [p for row in values for p in row] if len(shape) == 2 else values
            outputs.append(output)
        parameters: dict[str, Any] = {"prediction_id": answer.base}
        if answer.marks:
            # Parameters are scalars in V2, so the marks go as JSON text.
            parameters["marks"] = _encode(answer.marks).decode()
        reply: dict[str, Any] = {
            "model_name": self._model.name,
            "model_version": self._model.version,
            "outputs": outputs,
            "parameters": parameters,
        }
        if request.id is not None:
            reply["id"] = request.id
        body = _encode(reply)
        return (b"".join((body, *raws)), answer.base, len(body)) if raws else (body, answer.base, None)


def _checked_length(header: bytes, size: int) -> int:
    if not header.isdigit() or len(header) > 12 or not 0 < int(header) <= size:
        raise RequestError(
            400,
            f"inference-header-content-length: must be the JSON's length, from 1 to the body's {size} bytes",
        )
    return int(header)


def _data(tensor: Tensor, count: int, raw: memoryview) -> tuple[list[Any], memoryview]:
    """Return (the tensor's values, the raw bytes that are left for the next)."""
    size = tensor.parameters.get("binary_data_size")
    if size is None:
        if not len(tensor.data):
            raise RequestError(400, f"{tensor.name}: has neither data nor binary_data_size")
        values = v2_tensors.from_json(tensor.name, tensor.datatype, tensor.data)
        if len(values) != count:
            raise RequestError(
                400, f"{tensor.name}: shape {tensor.shape} is {count} values, not {len(values)}"
            )
        return values, raw
    if len(tensor.data):
        raise RequestError(400, f"{tensor.name}: has both data and binary_data_size")
    if type(size) is not int or not 0 <= size <= len(raw):
        raise RequestError(400, f"{tensor.name}: binary_data_size must be 0 to {len(raw)}, the bytes left")
    return v2_tensors.from_bytes(tensor.name, tensor.datatype, count, raw[:size]), raw[size:]


def _wanted(request: Request) -> list[tuple[str, bool]]:
    """Return (name, whether raw) of the outputs to send."""
    every_raw = request.parameters.get("binary_data_output") is True
    if not request.outputs:
        return [("predictions", every_raw), ("probabilities", every_raw)]
    wanted = []
    for each in request.outputs:
        if each.name not in ("predictions", "probabilities"):
            raise RequestError(400, f"outputs: {each.name[:64]!r} is none of predictions, probabilities")
        wanted.append((each.name, each.parameters.get("binary_data", every_raw) is True))
    if len({name for name, _ in wanted}) != len(wanted):
        raise RequestError(400, "outputs: the same output is asked for twice")
    return wanted


def _from_code(each: Input) -> Sequence[Any] | None:
    """Return what the codes 0, 1, ... of a matrix column stand for, or None for plain numbers."""
    if each.dtype == "string":
        return each.allowed
    return (False, True) if each.dtype == "bool" else None


def _converted(meanings: Sequence[Any], code: Any, row: int, name: str) -> Any:
    if code not in range(len(meanings)):
        raise RequestError(400, f"row[{row}]: {name}: in a matrix it is 0 to {len(meanings) - 1}")
    return meanings[int(code)]
