"""Requests that a client must not send, and what it has to be told.

The rows of V1 and V2, each with its number in the table of bad input that the server is held to. They
are sent twice: to the application in one process, and over a socket to a real server.
"""

import json
import struct
from dataclasses import dataclass
from typing import Any

V1 = "/v1/models/churn:predict"
V2 = "/v2/models/churn/infer"
LARGEST_BODY = 1 << 20
JSON = (("content-type", "application/json"),)
OCTETS = (("content-type", "application/octet-stream"),)
LENGTH = "inference-header-content-length"
_GOOD = {"age": 40, "tenure_months": 3}


@dataclass(frozen=True)
class Bad:
    """One bad request. `words` must all stand in the error's text."""

    row: int
    name: str
    path: str
    body: bytes
    status: int = 400
    words: tuple[str, ...] = ()
    method: str = "POST"
    headers: tuple[tuple[str, str], ...] = JSON

    def __str__(self) -> str:
        return f"{self.row}-{self.name}"


def v1(row: int, name: str, body: Any, *words: str, status: int = 400) -> Bad:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Bad(row, name, V1, data, status, words)


def one(row: int, name: str, literal: str, *words: str) -> Bad:
    """A V1 request whose age is the given JSON text."""
    return v1(row, name, b'{"instances":[{"age":' + literal.encode() + b',"tenure_months":3}]}', *words)


def tensor(name: str, datatype: str, data: Any, shape: Any = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape or [len(data)], "data": data, **more}


AGE = tensor("age", "INT64", [40])
TENURE = tensor("tenure_months", "INT64", [3])


def v2(row: int, name: str, inputs: Any, *words: str, status: int = 400, **more: Any) -> Bad:
    return Bad(row, name, V2, json.dumps({"inputs": inputs, **more}).encode(), status, words)


def binary(row: int, name: str, header: str, document: Any, raw: bytes, *words: str) -> Bad:
    data = json.dumps(document).encode()
    header = header.replace("SIZE", str(len(data)))
    headers = (*OCTETS, (LENGTH, header))
    return Bad(row, name, V2, data + raw, 400, words, headers=headers)


def raws(row: int, name: str, inputs: Any, raw: bytes, *words: str) -> Bad:
    return binary(row, name, "SIZE", {"inputs": inputs}, raw, *words)


def raw_tensor(name: str, datatype: str, size: Any, shape: Any = (1,)) -> dict[str, Any]:
    parameters = {} if size is None else {"binary_data_size": size}
    return {"name": name, "datatype": datatype, "shape": list(shape), "parameters": parameters}


def typed(row: int, name: str, content_type: str | None, *more: tuple[str, str]) -> Bad:
    headers = (() if content_type is None else (("content-type", content_type),)) + more
    body = json.dumps({"instances": [_GOOD]}).encode()
    return Bad(row, name, V1, body, 415, ("content-",), headers=headers)


RAW_AGE = {"inputs": [raw_tensor("age", "INT64", 8), TENURE]}
PLAN = [AGE, TENURE, raw_tensor("plan", "BYTES", 9)]
_EIGHT = struct.pack("<q", 40)

BAD_V1 = [
    v1(1, "no instances", {}, "instances", "missing"),
    v1(1, "misspelt", {"instance": [_GOOD]}, "instance"),
    v1(1, "not an object", [1], "object"),
    v1(2, "null", {"instances": None}, "instances", "null"),
    v1(2, "object", {"instances": {}}, "instances", "object"),
    v1(2, "text", {"instances": "x"}, "instances"),
    v1(2, "scalar rows", {"instances": [1, 2]}, "instances[0]"),
    v1(3, "empty", {"instances": []}, "instances", ">= 1"),
    v1(4, "ragged", {"instances": [[40, 3, 65.0, "plus", True], [40, 3]]}, "instances[1]", "2 values"),
    v1(4, "too wide", {"instances": [[40, 3, 65.0, "plus", True, 1]]}, "instances[0]", "6 values"),
    v1(4, "required absent", {"instances": [_GOOD, {"age": 40}]}, "instances[1]", "tenure_months"),
    v1(4, "required null", {"instances": [{"age": None, "tenure_months": 3}]}, "instances[0]", "age"),
    v1(4, "unknown feature", {"instances": [{**_GOOD, "shoe": 1}]}, "instances[0]", "shoe"),
    one(5, "text", '"forty"', "instances[0]", "age"),
    one(5, "number in text", '"40"', "age"),
    one(5, "object", "{}", "instances[0]", "object"),
    one(5, "list", "[40]", "instances[0]", "array"),
    one(5, "bool", "true", "age"),
    one(5, "fraction", "40.5", "age", "whole"),
    one(5, "out of range", "17", "age", "between 18 and 100"),
    v1(5, "unknown category", {"instances": [{**_GOOD, "plan": "gold"}]}, "plan", "basic, plus, premium"),
    one(6, "NaN", "NaN", "malformed"),
    one(6, "Infinity", "Infinity", "malformed"),
    one(6, "minus Infinity", "-Infinity"),
    one(6, "1e999", "1e999", "out of range"),
    one(6, "-1e999", "-1e999", "out of range"),
    one(6, "minus zero", "-0", "between"),
    one(6, "2^53+1", str(2**53 + 1), "age", "2^53"),
    one(6, "5,000 digits", "1" * 5000),
    v1(6, "beyond a float32", b'{"instances":[[40,3,1e300,"plus",true]]}', "monthly_charges"),
    v1(7, "empty body", b"", "truncated"),
    v1(7, "truncated", b'{"instances":[{"age":4', "truncated"),
    v1(7, "trailing", b'{"instances":[]} x'),
    v1(7, "BOM", b"\xef\xbb\xbf" + json.dumps({"instances": [_GOOD]}).encode(), "malformed"),
    v1(7, "UTF-16", json.dumps({"instances": [_GOOD]}).encode("utf-16")),
    one(7, "lone surrogate, escaped", '"\\ud800"'),
    v1(7, "lone surrogate, raw", b'{"instances":[["\xed\xa0\x80"]]}', "UTF-8"),
    v1(7, "not UTF-8", b'{"instances":[["\xff"]]}', "UTF-8"),
    v1(8, "deep list", b'{"instances":' + b"[" * 100_000),
    v1(8, "deep and closed", b'{"instances":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    v1(8, "deep object", b'{"instances":[' + b'{"a":' * 100_000),
    v1(8, "deep parameters", b'{"parameters":{"a":' + b"[" * 100_000, "deep"),
    v1(10, "too large", b" " * (LARGEST_BODY + 1), "larger", status=413),
    v1(10, "too many rows", {"instances": [_GOOD] * 1001}, "1001 rows", status=413),
    typed(11, "gzip", "application/json", ("content-encoding", "gzip")),
    typed(11, "unknown encoding", "application/json", ("content-encoding", "snappy")),
    typed(12, "text", "text/plain"),
    typed(12, "form", "application/x-www-form-urlencoded"),
    typed(12, "absent", None),
    typed(12, "other charset", "application/json; charset=utf-16"),
    typed(12, "octets", "application/octet-stream"),
    Bad(13, "unknown model", "/v1/models/other:predict", b"{}", 404, ("model", "churn")),
    Bad(13, "encoded dots", "/v1/models/..%2fchurn:predict", b"{}", 404),
    Bad(13, "encoded slash in V2", "/v2/models/..%2f..%2fetc/infer", b"{}", 404),
    Bad(13, "4 KiB name", "/v1/models/" + "m" * 4096 + ":predict", b"{}", 404),
    Bad(13, "unknown V2 model", "/v2/models/other/infer", b"{}", 404, ("model",)),
    Bad(13, "unknown path", "/v3/models/churn/infer", b"{}", 404),
    Bad(14, "GET", V1, b"", 405, ("POST",), "GET"),
    Bad(14, "PUT", V1, b"{}", 405, ("POST",), "PUT"),
    Bad(14, "DELETE in V2", V2, b"", 405, ("POST",), "DELETE"),
    Bad(14, "POST on metadata", "/v2/models/churn", b"{}", 405),
]

BAD_V2 = [
    v2(15, "too few", [tensor("age", "INT64", [40], [2]), TENURE], "age", "2 values, not 1"),
    v2(15, "too many", [tensor("age", "INT64", [40, 41], [1]), TENURE], "age", "not 2"),
    v2(15, "tensors disagree", [tensor("age", "INT64", [40, 41]), TENURE], "tenure_months", "shape"),
    v2(15, "three dimensions", [tensor("age", "INT64", [40], [1, 1, 1]), TENURE], "shape"),
    v2(15, "no dimension", [{**AGE, "shape": []}, TENURE], "shape"),
    v2(15, "wide column", [tensor("age", "INT64", [4, 5], [1, 2]), TENURE], "age", "shape"),
    v2(15, "narrow matrix", [tensor("input", "FP64", [40, 3], [1, 2])], "input", "[1, 5]"),
    v2(15, "flat matrix", [tensor("input", "FP64", [40, 3, 65, 1, 0], [5])], "input"),
    v2(15, "matrix of text", [tensor("input", "BYTES", ["4"] * 5, [1, 5])], "BYTES"),
    v2(15, "code of no string", [tensor("input", "FP64", [40, 3, 65, 7, 0], [1, 5])], "plan", "0 to 2"),
    v2(15, "no data", [{"name": "age", "shape": [1], "datatype": "INT64"}, TENURE], "age", "data"),
    v2(16, "negative", [tensor("age", "INT64", [40], [-1]), TENURE], "shape", ">= 1"),
    v2(16, "zero", [tensor("age", "INT64", [40], [0]), TENURE], "shape", ">= 1"),
    v2(16, "2^31", [tensor("age", "INT64", [40], [2**31]), TENURE], "shape"),
    v2(16, "2^31-1", [tensor("age", "INT64", [40], [2**31 - 1]), TENURE], "rows", status=413),
    v2(16, "2^63", [tensor("age", "INT64", [40], [2**63]), TENURE], "shape"),
    v2(16, "fraction", [tensor("age", "INT64", [40], [1.5]), TENURE], "shape"),
    v2(16, "overflowing product", [tensor("input", "FP64", [1.0], [2**31 - 1, 2**31 - 1])], status=413),
    v2(17, "unknown", [tensor("age", "DECIMAL", [40]), TENURE], "age", "DECIMAL"),
    v2(17, "lower case", [tensor("age", "int64", [40]), TENURE], "int64"),
    v2(17, "BF16", [tensor("age", "BF16", [40]), TENURE], "BF16"),
    v2(17, "1 MiB datatype", [tensor("age", "X" * 500_000, [40]), TENURE], "XXX"),
    v2(18, "UINT8 300", [tensor("age", "UINT8", [300]), TENURE], "age", "255"),
    v2(18, "UINT64 negative", [tensor("age", "UINT64", [-1]), TENURE], "age"),
    v2(18, "BOOL 2", [AGE, TENURE, tensor("paperless", "BOOL", [2])], "paperless", "bool"),
    v2(18, "INT64 1.5", [tensor("age", "INT64", [1.5]), TENURE], "age", "int"),
    v2(18, "INT64 text", [tensor("age", "INT64", ["40"]), TENURE], "age", "str"),
    v2(18, "FP32 1e300", [AGE, TENURE, tensor("monthly_charges", "FP32", [1e300])], "monthly_charges"),
    v2(18, "BYTES number", [AGE, TENURE, tensor("plan", "BYTES", [7])], "plan"),
    v2(18, "nested too deeply", [tensor("age", "INT64", [[[40]]], [1]), TENURE], "age"),
    v2(19, "missing", [AGE], "tenure_months", "required"),
    v2(19, "extra", [AGE, TENURE, tensor("shoe", "INT64", [1])], "shoe", "unknown"),
    v2(19, "duplicate", [AGE, TENURE, AGE], "same name"),
    v2(19, "matrix and column", [AGE, tensor("input", "FP64", [1.0] * 5, [1, 5])], "input"),
    v2(20, "empty", [], "inputs", ">= 1"),
    v2(20, "null", None, "inputs"),
    Bad(20, "no inputs", V2, b"{}", 400, ("inputs",)),
    v2(21, "unknown output", [AGE, TENURE], "scores", "predictions", outputs=[{"name": "scores"}]),
    v2(21, "twice", [AGE, TENURE], "twice", outputs=[{"name": "predictions"}] * 2),
    binary(22, "text", "abc", RAW_AGE, _EIGHT, LENGTH),
    binary(22, "negative", "-1", RAW_AGE, _EIGHT, LENGTH),
    binary(22, "zero", "0", RAW_AGE, _EIGHT, LENGTH),
    binary(22, "beyond the body", "99999", RAW_AGE, _EIGHT, LENGTH),
    binary(22, "too short", "10", RAW_AGE, _EIGHT),
    binary(22, "a list of lengths", "SIZE, SIZE", RAW_AGE, _EIGHT, LENGTH),
    raws(22, "size beyond the body", [raw_tensor("age", "INT64", 9), TENURE], _EIGHT, "age"),
    raws(22, "negative size", [raw_tensor("age", "INT64", -8), TENURE], _EIGHT, "age"),
    raws(22, "size in text", [raw_tensor("age", "INT64", "8"), TENURE], _EIGHT, "age"),
    raws(22, "size missing", [raw_tensor("age", "INT64", None), TENURE], _EIGHT, "age"),
    raws(22, "size of another type", [raw_tensor("age", "INT32", 8), TENURE], _EIGHT, "4 bytes"),
    raws(22, "left over", RAW_AGE["inputs"], _EIGHT + b"x", "after the last tensor"),
    raws(22, "both kinds of data", [{**AGE, "parameters": {"binary_data_size": 8}}, TENURE], _EIGHT, "both"),
    raws(
        22,
        "raw NaN",
        [AGE, TENURE, raw_tensor("monthly_charges", "FP64", 8)],
        struct.pack("<d", float("nan")),
        "finite",
    ),
    raws(22, "raw BOOL 2", [AGE, TENURE, raw_tensor("paperless", "BOOL", 1)], b"\x02", "BOOL"),
    Bad(22, "missing", V2, json.dumps(RAW_AGE).encode() + _EIGHT, 400, ()),
    Bad(22, "missing, octets", V2, json.dumps(RAW_AGE).encode() + _EIGHT, 415, (), headers=OCTETS),
    Bad(22, "on V1", V1, b"{}", 400, ("V2",), headers=(*JSON, (LENGTH, "2"))),
    raws(23, "prefix beyond the data", PLAN, struct.pack("<I", 6) + b"basic", "plan", "6 bytes"),
    raws(23, "prefix of 4 GiB", PLAN, struct.pack("<I", 2**32 - 1) + b"basic", "plan"),
    raws(23, "prefix too short", PLAN, struct.pack("<I", 2) + b"baXXX", "plan"),
    raws(23, "no prefix", [AGE, TENURE, raw_tensor("plan", "BYTES", 2)], b"ba", "plan", "prefix"),
    raws(
        23,
        "too many elements",
        [AGE, TENURE, raw_tensor("plan", "BYTES", 16)],
        struct.pack("<I", 0) * 4,
        "plan",
    ),
    raws(
        23,
        "not UTF-8",
        [AGE, TENURE, raw_tensor("plan", "BYTES", 5)],
        struct.pack("<I", 1) + b"\xff",
        "UTF-8",
    ),
    Bad(24, "other version", "/v2/models/churn/versions/2/infer", b"{}", 404, ("version",)),
    Bad(24, "other version, ready", "/v2/models/churn/versions/2/ready", b"", 404, ("version",), "GET"),
    Bad(24, "other version, metadata", "/v2/models/churn/versions/2", b"", 404, ("version",), "GET"),
    v2(25, "long id", [AGE, TENURE], "id", id="i" * 500_000),
    v2(25, "control characters", [AGE, TENURE], "id", id="a\nb\x1b[31m"),
    v2(26, "nested parameters", [AGE, TENURE], "parameters", parameters={"a": {"b": 1}}),
    v2(26, "nested in a tensor", [{**AGE, "parameters": {"a": [1]}}, TENURE], "parameters"),
    v2(
        26,
        "nested in an output",
        [AGE, TENURE],
        "parameters",
        outputs=[{"name": "predictions", "parameters": {"a": {}}}],
    ),
]
