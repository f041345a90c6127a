"""Generated requests: whatever is sent, the answer is what the documents say, and never a 5xx."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import status_code_conformance
from tests.support.bad_requests import LENGTH, OCTETS, V1, V2
from tests.support.server_process import ServerProcess, running
from tests.support.serving import Server

from serinus_contracts.artifact import ModelContract
from serinus_server.errors import RequestError
from serinus_server.protocols import v2_tensors

QUICK = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def process(
    artifact: tuple[Path, ModelContract], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    with running(artifact[0], tmp_path_factory.mktemp("fuzzed") / "log") as server:
        yield server


def operations(process: ServerProcess) -> list[Any]:
    # A path parameter that is random names no model; the served one is what is to be fuzzed.
    text = httpx.get(f"{process.base}/openapi.json", timeout=10).text.replace("{model}", "churn")
    document = json.loads(text)
    for path in document["paths"].values():
        for operation in path.values():
            kept = [each for each in operation.get("parameters", []) if each["name"] != "model"]
            operation["parameters"] = kept
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=process.base)
    return [result.ok() for result in schema.get_all_operations()]


def test_the_documented_interface_holds(process: ServerProcess):
    found = operations(process)
    assert len(found) >= 18
    statuses: dict[str, set[int]] = {}
    for operation in found:
        for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE):
            if mode is schemathesis.GenerationMode.NEGATIVE and operation.method != "post":
                continue  # nothing in a GET can be wrong but its path

            @QUICK
            @given(case=operation.as_strategy(generation_mode=mode))
            def holds(case: schemathesis.Case) -> None:
                response = case.call(timeout=10)
                statuses.setdefault(case.path, set()).add(response.status_code)
                if response.status_code >= 400:
                    assert len(response.content) <= 1024
                    assert set(response.json()) == {"error"}
                case.validate_response(response, checks=[not_a_server_error, status_code_conformance])

            holds()
    for path in ("/predict", "/predict/batch", "/v1/models/churn:predict"):
        assert {200, 400} <= statuses[path], "the document must lead to answers and to refusals"
    assert 400 in statuses["/v2/models/churn/infer"]


@pytest.fixture(scope="module")
def server(artifact: tuple[Path, ModelContract]) -> Server:
    return Server(artifact[0]).load()


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(["age", "tenure_months", "monthly_charges", "plan", "paperless", "shoe"])
V1_BODIES = st.fixed_dictionaries(
    {"instances": st.lists(st.dictionaries(NAMES, SCALARS) | st.lists(SCALARS, max_size=6), max_size=3)}
)
TENSORS = st.fixed_dictionaries(
    {
        "name": NAMES | st.just("input"),
        "shape": st.lists(st.integers(-1, 6), max_size=3),
        "datatype": st.sampled_from([*v2_tensors._KINDS, "BF16"]),
        "data": st.lists(SCALARS, max_size=6),
    }
)
V2_BODIES = st.fixed_dictionaries({"inputs": st.lists(TENSORS, max_size=4)})


def answered_well(server: Server, path: str, body: bytes, headers: dict[str, str] | None = None) -> None:
    reply = server.call("POST", path, body, headers or {"content-type": "application/json"})
    assert reply.status in (200, 400, 413, 415), reply.body
    assert reply.status == 200 or (len(reply.body) <= 1024 and set(reply.json) == {"error"})


@settings(QUICK, max_examples=150)
@given(body=ANYTHING | V1_BODIES | V2_BODIES, path=st.sampled_from([V1, V2, "/predict", "/predict/batch"]))
def test_any_json(server: Server, body: Any, path: str):
    answered_well(server, path, json.dumps(body).encode())


@settings(QUICK, max_examples=150)
@given(body=st.binary(max_size=64), path=st.sampled_from([V1, V2, "/predict", "/predict/batch"]))
def test_any_bytes(server: Server, body: bytes, path: str):
    answered_well(server, path, body)


@settings(QUICK, max_examples=150)
@given(
    datatype=st.sampled_from(list(v2_tensors._KINDS)),
    size=st.integers(-1, 40),
    raw=st.binary(max_size=40),
    header=st.integers(-2, 2),
)
def test_any_binary_tensor(server: Server, datatype: str, size: int, raw: bytes, header: int):
    inputs = [{"name": "plan", "datatype": datatype, "shape": [2], "parameters": {"binary_data_size": size}}]
    document = json.dumps({"inputs": inputs}).encode()
    answered_well(server, V2, document + raw, {**dict(OCTETS), LENGTH: str(len(document) + header)})


@settings(QUICK, max_examples=200)
@given(st.data())
def test_a_raw_tensor_reads_back_what_was_written(data: st.DataObject):
    kinds = {
        "BOOL": st.booleans(),
        "UINT8": st.integers(0, 255),
        "INT64": st.integers(-(2**63), 2**63 - 1),
        "UINT64": st.integers(0, 2**64 - 1),
        "FP64": st.floats(allow_nan=False),
        "FP32": st.floats(width=32, allow_nan=False),
        "BYTES": st.text(max_size=8),
    }
    datatype = data.draw(st.sampled_from(sorted(kinds)))
    values = data.draw(st.lists(kinds[datatype], min_size=1, max_size=8))
    raw = v2_tensors.to_bytes(datatype, values)
    assert v2_tensors.from_bytes("t", datatype, len(values), memoryview(raw)) == values
    with pytest.raises(RequestError):
        v2_tensors.from_bytes("t", datatype, len(values) + 1, memoryview(raw))


def test_a_length_prefix_cannot_ask_for_memory():
    raw = memoryview(struct.pack("<I", 2**32 - 1) + b"x")
    with pytest.raises(RequestError):
        v2_tensors.from_bytes("t", "BYTES", 1, raw)
