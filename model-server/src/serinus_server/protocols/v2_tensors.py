"""V2 tensors: their datatypes, as JSON and as raw bytes (the binary tensor data extension).

Raw tensors are little endian, row major, without padding; a BYTES element is its length (4 bytes,
unsigned) and then its bytes.
"""

import struct
from collections.abc import Callable, Sequence
from types import GenericAlias
from typing import Annotated, Any

import msgspec
import numpy as np

from serinus_server.errors import RequestError

_FLOAT32 = float(np.finfo(np.float32).max)
_FLOAT16 = 65504.0
# Raw NaN and infinities pass here; the row encoder refuses them by the feature's name.
_KINDS: dict[str, tuple[Any, str]] = {
    "BOOL": (bool, "?"),
    "UINT8": (Annotated[int, msgspec.Meta(ge=0, le=2**8 - 1)], "<u1"),
    "UINT16": (Annotated[int, msgspec.Meta(ge=0, le=2**16 - 1)], "<u2"),
    "UINT32": (Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)], "<u4"),
    "UINT64": (Annotated[int, msgspec.Meta(ge=0)], "<u8"),
    "INT8": (Annotated[int, msgspec.Meta(ge=-(2**7), le=2**7 - 1)], "<i1"),
    "INT16": (Annotated[int, msgspec.Meta(ge=-(2**15), le=2**15 - 1)], "<i2"),
    "INT32": (Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)], "<i4"),
    "INT64": (int, "<i8"),
    "FP16": (Annotated[float, msgspec.Meta(ge=-_FLOAT16, le=_FLOAT16)], "<f2"),
    "FP32": (Annotated[float, msgspec.Meta(ge=-_FLOAT32, le=_FLOAT32)], "<f4"),
    "FP64": (float, "<f8"),
    "BYTES": (str, ""),
}
_DTYPES = {name: np.dtype(code) for name, (_, code) in _KINDS.items() if code}


def _decoder(kind: Any) -> Callable[[msgspec.Raw], list[Any]]:
    # Flat, or nested by row; null stands for a value that a declared default shall fill.
    value: Any = kind | None
    row: Any = GenericAlias(list, (value,))
    return msgspec.json.Decoder(GenericAlias(list, (value | row,))).decode


_JSON = {name: _decoder(kind) for name, (kind, _) in _KINDS.items()}


def check_datatype(name: str, datatype: str) -> None:
    """Raise RequestError unless `datatype` is one that tensors can have here."""
    if datatype not in _KINDS:
        raise RequestError(400, f"{name}: datatype {datatype[:16]!r} is none of {', '.join(_KINDS)}")


def from_json(name: str, datatype: str, data: msgspec.Raw) -> list[Any]:
    """Return the values of a JSON tensor, flat. Raises RequestError naming the tensor."""
    try:
        values = _JSON[datatype](data)
    except msgspec.ValidationError as error:
        raise RequestError(400, f"{name}: data of {datatype}: {error}") from None
    if list in map(type, values):
        flat: list[Any] = []
        for each in values:
            if type(each) is list:
                flat += each
            else:
                flat.append(each)
        return flat
    return values


def from_bytes(name: str, datatype: str, count: int, raw: memoryview) -> list[Any]:
    """Return the `count` values of a raw tensor. Raises RequestError naming the tensor."""
    if datatype == "BYTES":
        return _strings(name, count, raw)
    dtype = _DTYPES[datatype]
    if len(raw) != count * dtype.itemsize:
        raise RequestError(
            400, f"{name}: {count} values of {datatype} are {count * dtype.itemsize} bytes, not {len(raw)}"
        )
    if datatype == "BOOL":
        if not set(raw) <= {0, 1}:
            raise RequestError(400, f"{name}: a BOOL byte is 0 or 1")
        return [byte == 1 for byte in raw]
    return np.frombuffer(raw, dtype).tolist()  # type: ignore[no-any-return]


def _strings(name: str, count: int, raw: memoryview) -> list[str]:
    values: list[str] = []
    at = 0
    while at < len(raw) and len(values) <= count:
        if len(raw) - at < 4:
            raise RequestError(400, f"{name}: element {len(values)} has no length prefix of 4 bytes")
        (length,) = struct.unpack_from("<I", raw, at)
        at += 4
        if length > len(raw) - at:
            raise RequestError(
                400, f"{name}: element {len(values)} says {length} bytes, {len(raw) - at} are left"
            )
        try:
            values.append(str(raw[at : at + length], "utf-8"))
        except UnicodeDecodeError:
            raise RequestError(400, f"{name}: element {len(values)} is not UTF-8") from None
        at += length
    if len(values) != count:
        raise RequestError(400, f"{name}: the shape says {count} elements, the data has another number")
    return values


def to_bytes(datatype: str, values: Sequence[Any]) -> bytes:
    """Return `values` (flat, or rows of equal length) as a raw tensor."""
    if datatype == "BYTES":
        encoded = [str(value).encode() for value in values]
        return b"".join(struct.pack("<I", len(each)) + each for each in encoded)
    return np.array(values, dtype=_DTYPES[datatype]).tobytes()
