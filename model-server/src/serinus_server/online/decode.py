"""Stored feature values to Python's, from the wire bytes, without protobuf.

A stored value is one message with one field out of many (proto3, feast.types.Value): a tag byte or
two, then the payload. An event time is a google.protobuf.Timestamp. Equal to what the store's own SDK
answers, which a contract test holds for every type below.
"""

import decimal
import json
import struct
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

# Names of the types, as the store has them, whose values DECODERS read.
SCALAR_TYPES = frozenset(
    {
        "BYTES", "STRING", "INT32", "INT64", "DOUBLE", "FLOAT", "BOOL", "UNIX_TIMESTAMP",
        "JSON", "UUID", "TIME_UUID", "DECIMAL",
    }
)  # fmt: skip
# How the store writes a timestamp that is null.
_NULL_TIMESTAMP = -(2**63)
_double = struct.Struct("<d").unpack_from
_float = struct.Struct("<f").unpack_from


class DecodeError(ValueError):
    """Bytes that are no event time."""


def decode_timestamp(data: bytes) -> float:
    """Return the Unix time, in seconds, of a google.protobuf.Timestamp. Raises DecodeError."""
    seconds = nanos = 0
    position = 0
    try:
        while position < len(data):
            tag = data[position]
            number, position = _varint(data, position + 1)
            if tag == 0x08:
                seconds = _signed(number)
            elif tag == 0x10:
                nanos = _signed(number)
            else:
                raise ValueError(f"unknown field, tag {tag}")
    except (IndexError, ValueError) as error:
        raise DecodeError(f"a stored event time cannot be read: {error}") from None
    return seconds + nanos / 1e9


def _varint(data: bytes, position: int) -> tuple[int, int]:
    number = data[position]
    position += 1
    if number < 0x80:
        return number, position
    number &= 0x7F
    for shift in range(7, 70, 7):
        byte = data[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number & 0xFFFF_FFFF_FFFF_FFFF, position
    raise ValueError("a varint is longer than ten bytes")


def _signed(number: int) -> int:
    return number - (1 << 64) if number >> 63 else number


def _integer(data: bytes) -> int:
    if len(data) == 2 and data[1] < 0x80:
        return data[1]
    number, end = _varint(data, 1)
    if end != len(data):
        raise ValueError("bytes follow the value")
    return _signed(number)


def _boolean(data: bytes) -> bool:
    return bool(_integer(data))


def _number64(data: bytes) -> Any:
    if len(data) != 9:
        raise ValueError("a double takes eight bytes")
    return _double(data, 1)[0]


def _number32(data: bytes) -> Any:
    if len(data) != 5:
        raise ValueError("a float takes four bytes")
    return _float(data, 1)[0]


def _payload(data: bytes, start: int) -> bytes:
    length, begin = _varint(data, start)
    if begin + length != len(data):
        raise ValueError("the length does not match")
    return data[begin:]


def _bytes(data: bytes) -> bytes:
    return _payload(data, 1)


def _text(data: bytes) -> str:
    return _payload(data, 1).decode()


def _time(data: bytes) -> datetime | None:
    seconds = _integer(data)
    return None if seconds == _NULL_TIMESTAMP else datetime.fromtimestamp(seconds, UTC)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


# Fields above 15 have two tag bytes. The first one alone is shared by several fields.
_WIDE: dict[tuple[int, int], Callable[[str], Any]] = {
    (0x82, 0x02): _json,
    (0xA2, 0x02): uuid.UUID,
    (0xAA, 0x02): uuid.UUID,
    (0xE2, 0x02): decimal.Decimal,
}


def _wide(data: bytes) -> Any:
    convert = _WIDE.get((data[0], data[1]))
    if convert is None:
        raise ValueError("a type that is not supported")
    return convert(_payload(data, 2).decode())


# By the first byte; an empty message is how the store writes null. Each raises on bytes that it cannot read,
# and a first byte without one is of a type outside SCALAR_TYPES.
DECODERS: dict[int, Callable[[bytes], Any]] = {
    0x0A: _bytes,
    0x12: _text,
    0x18: _integer,
    0x20: _integer,
    0x29: _number64,
    0x35: _number32,
    0x38: _boolean,
    0x40: _time,
    **{first: _wide for first, _ in _WIDE},
}
