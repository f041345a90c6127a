"""Stored bytes to values, as a view of a row reads them: against protobuf itself, and what is no value."""

import contextlib
import logging
import math
import struct
from typing import Any

import pytest
from feast.protos.feast.types.Value_pb2 import Int64List, Value
from feast.type_map import feast_value_type_to_python_type
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st

from serinus_contracts.plan import PlanFeature, PlanView
from serinus_server.online.decode import DecodeError, decode_timestamp
from serinus_server.online.rows import ViewReader

NULL_TIME = -(2**63)
VIEW = PlanView("view", 0, (PlanFeature("value", "INT64", "00"),), "_ts:view", "view")
_int64 = st.integers(-(2**63), 2**63 - 1)
VALUES = st.one_of(
    st.builds(lambda v: Value(int64_val=v), _int64),
    st.builds(lambda v: Value(int32_val=v), st.integers(-(2**31), 2**31 - 1)),
    st.builds(lambda v: Value(double_val=v), st.floats(allow_nan=False)),
    st.builds(lambda v: Value(float_val=v), st.floats(width=32, allow_nan=False)),
    st.builds(lambda v: Value(bool_val=v), st.booleans()),
    st.builds(lambda v: Value(string_val=v), st.text(st.characters(exclude_categories=["Cs"]), max_size=300)),
    st.builds(lambda v: Value(bytes_val=v), st.binary(max_size=300)),
    st.builds(lambda v: Value(unix_timestamp_val=v), st.integers(-(10**10), 10**11) | st.just(NULL_TIME)),
    st.builds(lambda v: Value(uuid_val=str(v)), st.uuids()),
    st.builds(lambda v: Value(time_uuid_val=str(v)), st.uuids()),
    st.builds(lambda v: Value(decimal_val=str(v)), st.decimals(allow_nan=False)),
    st.builds(lambda v: Value(json_val=v), st.sampled_from(["[1, null]", '"x"', "not json", "{}"])),
    st.just(Value()),
)  # fmt: skip


def read(data: bytes) -> Any:
    values: dict[str, Any] = {}
    ViewReader(VIEW).fill(values, [data], at=0.0, now=0.0)
    return values["value"]


@settings(max_examples=500, deadline=None)
@given(VALUES)
def test_every_scalar_equals_feasts_reading(message: Value) -> None:
    ours, theirs = read(message.SerializeToString()), feast_value_type_to_python_type(message)
    assert type(ours) is type(theirs)
    assert ours == theirs


def test_not_a_number_stays_one() -> None:
    assert math.isnan(read(Value(double_val=math.nan).SerializeToString()))
    assert math.isnan(read(Value(float_val=math.nan).SerializeToString()))


@pytest.mark.parametrize(
    "data",
    [
        b"\x20", b"\x20\xff", b"\x20\x01\x01", b"\x29\x00", b"\x35\x00\x00", b"\x38", b"\x12\x05ab",
        b"\x12\x01ab", b"\x12\x02\xff\xfe", b"\x0a", b"\x99", b"\xff" * 20, b"\x20" + b"\xff" * 11,
        b"\xa2\x02\x03abc", b"\xe2\x02\x01x", b"\xa2", b"\x82\x7f\x00",
        b"\x40" + b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
        Value(int64_list_val=Int64List(val=[1, 2])).SerializeToString(),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_missing_and_told_once(data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    reader, values = ViewReader(VIEW), {"value": 1}
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert reader.fill(values, [data], at=0.0, now=0.0) == ()
    assert values == {"value": None}
    (line,) = caplog.messages
    assert line.startswith("feature view view, value: ")
    assert line.endswith("; it counts as missing")


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=40))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    read(data)
    with contextlib.suppress(DecodeError):
        decode_timestamp(data)


@settings(max_examples=200, deadline=None)
@given(st.integers(-62_135_596_800, 253_402_300_799), st.integers(0, 999_999_999))
def test_event_times_equal_protobufs(seconds: int, nanos: int) -> None:
    data = Timestamp(seconds=seconds, nanos=nanos).SerializeToString()
    assert decode_timestamp(data) == seconds + nanos / 1e9


@pytest.mark.parametrize("data", [b"\x08", b"\x08\xff", b"\x1a\x01", b"\x10", b"\x08" + b"\xff" * 12])
def test_event_times_that_are_cut_or_strange_are_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_timestamp(data)


def test_a_double_is_read_bit_by_bit() -> None:
    value: Any = struct.unpack("<d", b"\x01\x02\x03\x04\x05\x06\x07\x40")[0]
    assert read(b"\x29\x01\x02\x03\x04\x05\x06\x07\x40") == value
