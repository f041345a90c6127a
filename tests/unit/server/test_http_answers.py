"""What the three protocols answer for whole rows: the same rows, the same probabilities."""

import json
import struct
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from tests.support.bad_requests import V1, V2, tensor
from tests.support.serving import JSON, Server

from serinus_contracts.artifact import ModelContract
from serinus_contracts.records import PredictionRecord

# As the graph takes them: plan is an index, paperless 0 or 1.
MATRIX = [[40.0, 3.0, 65.5, 1.0, 0.0], [71.0, 90.0, 10.0, 2.0, 1.0], [20.0, 0.0, 999.0, 0.0, 0.0]]
ROWS = [
    {"age": 40, "tenure_months": 3, "monthly_charges": 65.5, "plan": "plus", "paperless": False},
    {"age": 71, "tenure_months": 90, "monthly_charges": 10.0, "plan": "premium", "paperless": True},
    {"age": 20, "tenure_months": 0, "monthly_charges": 999.0, "plan": "basic", "paperless": False},
]
LISTS = [list(row.values()) for row in ROWS]
TYPES = {
    "age": "INT64",
    "tenure_months": "INT32",
    "monthly_charges": "FP64",
    "plan": "BYTES",
    "paperless": "BOOL",
}
COLUMNS = [tensor(name, kind, [row[name] for row in ROWS]) for name, kind in TYPES.items()]


@pytest.fixture(scope="module")
def server(artifact: tuple[Path, ModelContract]) -> Server:
    return Server(artifact[0]).load()


@pytest.fixture(scope="module")
def expected(artifact: tuple[Path, ModelContract]) -> list[list[float]]:
    """The graph's own answer, from a session of the test's own."""
    session = onnxruntime.InferenceSession(artifact[0] / "model.onnx")
    answer = session.run(["probabilities"], {"input": np.array(MATRIX)})[0].tolist()
    assert len({tuple(row) for row in answer}) > 1, "rows that answer alike prove nothing"
    return answer


def labels(probabilities: list[list[float]]) -> list[str]:
    return ["yes" if row[1] >= 0.5 else "no" for row in probabilities]


@pytest.mark.parametrize(
    "instances", [ROWS, LISTS, [ROWS[0], LISTS[1], ROWS[2]]], ids=["names", "order", "mixed"]
)
def test_v1(server: Server, expected: list[list[float]], instances: list):
    reply = server.post(V1, {"instances": instances}, x_prediction_id="job-7")
    assert reply.status == 200
    assert reply.json == {
        "predictions": labels(expected),
        "probabilities": expected,
        "prediction_ids": ["job-7-0", "job-7-1", "job-7-2"],
    }
    assert reply.headers["x-prediction-id"] == "job-7"
    assert reply.headers["x-serinus-revision"] == server.served.model.contract.revision  # type: ignore[union-attr]
    assert int(reply.headers["content-length"]) == len(reply.body)


def outputs(document: dict) -> dict[str, list]:
    return {each["name"]: each["data"] for each in document["outputs"]}


NUMBERS = [value for row in MATRIX for value in row]


@pytest.mark.parametrize(
    "inputs",
    [
        COLUMNS,
        COLUMNS[::-1],
        [{**each, "shape": [3, 1], "data": [[value] for value in each["data"]]} for each in COLUMNS],
        [tensor("input", "FP64", NUMBERS, [3, 5])],
        [tensor("input", "FP32", MATRIX, [3, 5])],
    ],
    ids=["columns", "reversed", "nested", "matrix", "nested matrix"],
)
def test_v2(server: Server, expected: list[list[float]], inputs: list):
    reply = server.post(V2, {"id": "r1", "inputs": inputs, "model_name": "churn"}, x_prediction_id="job")
    assert reply.status == 200, reply.body
    document = reply.json
    assert (document["id"], document["model_name"]) == ("r1", "churn")
    assert document["model_version"] == server.served.model.contract.revision  # type: ignore[union-attr]
    assert document["parameters"] == {"prediction_id": "job"}
    assert [each["shape"] for each in document["outputs"]] == [[3], [3, 2]]
    assert [each["datatype"] for each in document["outputs"]] == ["BYTES", "FP64"]
    assert outputs(document)["predictions"] == labels(expected)
    assert outputs(document)["probabilities"] == [value for row in expected for value in row]


def test_v2_by_version_and_with_chosen_outputs(server: Server, expected: list[list[float]]):
    revision = server.served.model.contract.revision  # type: ignore[union-attr]
    body = {"inputs": COLUMNS, "outputs": [{"name": "probabilities"}]}
    reply = server.post(f"/v2/models/churn/versions/{revision}/infer", body)
    assert reply.status == 200
    assert list(outputs(reply.json)) == ["probabilities"]
    assert "id" not in reply.json


def test_v2_binary_in_and_out(server: Server, expected: list[list[float]]):
    raws = [
        struct.pack("<3q", 40, 71, 20),
        struct.pack("<3i", 3, 90, 0),
        struct.pack("<3d", 65.5, 10.0, 999.0),
        b"".join(struct.pack("<I", len(text)) + text for text in (b"plus", b"premium", b"basic")),
        b"\x00\x01\x00",
    ]
    inputs = [
        {"name": name, "datatype": kind, "shape": [3], "parameters": {"binary_data_size": len(raw)}}
        for (name, kind), raw in zip(TYPES.items(), raws, strict=True)
    ]
    document = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    headers = {
        "content-type": "application/octet-stream",
        "inference-header-content-length": str(len(document)),
    }
    reply = server.call("POST", V2, document + b"".join(raws), headers)
    assert reply.status == 200, reply.body
    assert reply.headers["content-type"] == "application/octet-stream"
    end = int(reply.headers["inference-header-content-length"])
    shown = json.loads(reply.body[:end])["outputs"]
    sizes = [each["parameters"]["binary_data_size"] for each in shown]
    assert sum(sizes) == len(reply.body) - end
    assert np.frombuffer(reply.body[end + sizes[0] :], "<f8").reshape(3, 2).tolist() == expected
    said = labels(expected)
    assert reply.body[end : end + sizes[0]] == b"".join(struct.pack("<I", len(s)) + s.encode() for s in said)


def test_native(server: Server, expected: list[list[float]]):
    one = server.post("/predict", {"features": ROWS[0]}, x_prediction_id="a.b").json
    revision = server.served.model.contract.revision  # type: ignore[union-attr]
    about = {"model": "churn", "version": revision, "revision": revision}
    assert one == {
        "prediction": labels(expected)[0],
        "probabilities": dict(zip(("no", "yes"), expected[0], strict=True)),
        "prediction_id": "a.b",
        **about,
    }
    many = server.post("/predict/batch", {"rows": [{"features": row} for row in (*ROWS, LISTS[0])]}).json
    assert [row["prediction"] for row in many["predictions"]] == [*labels(expected), labels(expected)[0]]
    assert {key: many[key] for key in about} == about


def test_what_a_default_filled_is_marked_in_answer_metrics_and_log(artifact: tuple[Path, ModelContract]):
    server = Server(artifact[0]).load()
    sparse = {"age": 40, "tenure_months": 3}
    marked = ["monthly_charges", "plan", "paperless"]
    v1 = server.post(V1, {"instances": [ROWS[0], sparse, {**ROWS[0], "plan": None}]}, x_prediction_id="q")
    assert v1.json["marks"] == [{"row": 1, "defaulted": marked}, {"row": 2, "defaulted": ["plan"]}]
    v2 = server.post(V2, {"inputs": [tensor("age", "INT64", [40]), tensor("tenure_months", "INT64", [3])]})
    assert json.loads(v2.json["parameters"]["marks"]) == [{"row": 0, "defaulted": marked}]
    null = server.post(
        V2, {"inputs": [*COLUMNS[:3], {**COLUMNS[3], "data": ["plus", None, "basic"]}, COLUMNS[4]]}
    )
    assert json.loads(null.json["parameters"]["marks"]) == [{"row": 1, "defaulted": ["plan"]}]
    native = server.post("/predict", {"features": sparse})
    assert native.json["defaulted"] == marked
    matrix = {"inputs": [tensor("input", "FP64", [40, 3, None, None, 0], [1, 5])]}
    matrix_marks = json.loads(server.post(V2, matrix).json["parameters"]["marks"])
    assert matrix_marks == [{"row": 0, "defaulted": ["monthly_charges", "plan"]}]
    text = server.get("/metrics").body.decode()
    for feature, count in (("monthly_charges", 4.0), ("plan", 6.0), ("paperless", 3.0)):
        assert f'serinus_defaulted_values_total{{feature="{feature}"' in text
        line = next(
            x
            for x in text.splitlines()
            if x.startswith(f'serinus_defaulted_values_total{{feature="{feature}"')
        )
        assert float(line.split()[-1]) == count
    server.close()
    records = [PredictionRecord(**json.loads(line)) for line in server.sink.lines]
    second = records[1]
    assert second.prediction_id == "q-1"
    assert second.features == {**sparse, "monthly_charges": 65.0, "plan": "basic", "paperless": False}
    assert {name: type(value) for name, value in second.features.items()} == {
        "age": int, "tenure_months": int, "monthly_charges": float, "plan": str, "paperless": bool
    }  # fmt: skip
    assert (second.defaulted, second.degraded, second.entity) == (marked, False, {})
    assert (second.model, second.prediction) == ("churn", v1.json["predictions"][1])
    assert list(second.probabilities) == v1.json["probabilities"][1]


def test_every_row_is_counted_and_logged_once(artifact: tuple[Path, ModelContract]):
    server = Server(artifact[0]).load()
    server.post(V1, {"instances": ROWS})
    server.post(V2, {"inputs": COLUMNS})
    server.post("/predict", {"features": ROWS[0]})
    server.post(V1, {"instances": [*ROWS, {"age": 1}]})
    server.close()
    text = server.get("/metrics").body.decode().splitlines()

    def total(name: str) -> float:
        return sum(float(line.split()[-1]) for line in text if line.startswith(name + "{"))

    assert total("ml_predictions_total") == 7
    assert total("serinus_prediction_log_logged_total") == len(server.sink.lines) == 7
    assert total("serinus_prediction_log_dropped_total") == 0
    assert total("ml_prediction_duration_seconds_count") == 3
    assert total("serinus_requests_total") == 4
    ids = [json.loads(line)["prediction_id"] for line in server.sink.lines]
    assert len(set(ids)) == 7


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON", "application/json;"])
def test_content_types_that_are_taken(server: Server, kind: str):
    body = json.dumps({"instances": ROWS}).encode()
    assert server.call("POST", V1, body, {"content-type": kind}).status == 200


def test_a_body_in_chunks(server: Server):
    body = json.dumps({"instances": ROWS}).encode()
    whole = server.call("POST", V1, body, JSON).json["probabilities"]
    parts = [body[at : at + 7] for at in range(0, len(body), 7)]
    assert server.call("POST", V1, parts, JSON).json["probabilities"] == whole
