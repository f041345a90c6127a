"""Finds tensors that an ONNX graph keeps in other files, by walking the protobuf wire format.

onnxruntime would open such a file by the path that the graph names. The serving image holds no onnx
package, so the few nested fields that lead to tensors are walked by number (onnx.proto3):
"""

from collections.abc import Iterator

# message -> {field number: message of that field}
_PATHS = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
_NAME, _EXTERNAL_DATA, _DATA_LOCATION = 8, 13, 14
_DEEPEST = 64


def external_tensor(model: bytes) -> str | None:
    """Return the name of a tensor that lies outside `model`, or None when all lie inside.

    Raises ValueError when the bytes are no protobuf message.
    """
    # An external tensor must name its "location", so bytes without the word need no walk (a forest
    # has millions of fields).
    if b"location" not in model:
        return None
    return _walk(memoryview(model), "model", 0)


def _walk(data: memoryview, message: str, depth: int) -> str | None:
    if depth > _DEEPEST:
        raise ValueError("nested too deeply")
    if message == "tensor":
        return _external(data)
    for number, value in fields(data):
        inner = _PATHS[message].get(number)
        if inner is not None and isinstance(value, memoryview):
            found = _walk(value, inner, depth + 1)
            if found is not None:
                return found
    return None


def _external(data: memoryview) -> str | None:
    name, outside = "", False
    for number, value in fields(data):
        if number == _NAME and isinstance(value, memoryview):
            name = bytes(value).decode(errors="replace")
        outside = outside or number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value == 1)
    return name if outside else None


def fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield (field number, value) of a message: an integer, the bytes within, or 0 for a fixed width.

    Raises ValueError where the bytes are no message.
    """
    position, end = 0, len(data)
    while position < end:
        tag, position = _varint(data, position)
        kind = tag & 7
        value: int | memoryview = 0
        if kind == 0:
            value, position = _varint(data, position)
        elif kind == 2:
            length, position = _varint(data, position)
            value = data[position : position + length]
            position += length
        elif kind in (1, 5):
            position += 8 if kind == 1 else 4
        else:
            raise ValueError(f"wire type {kind}")
        if position > end:
            raise ValueError("cut")
        yield tag >> 3, value


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            raise ValueError("cut")
        byte = data[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, position
    raise ValueError("a varint is longer than ten bytes")
