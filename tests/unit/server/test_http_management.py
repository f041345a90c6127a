"""Health, metadata, metrics and documents; what answers before the model is there and while it drains."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.support.artifacts import build_artifact
from tests.support.bad_requests import V1, V2
from tests.support.serving import Server

from serinus_contracts import metrics as names
from serinus_contracts.artifact import MODEL_FILE, Input, ModelContract
from serinus_contracts.errors import ContractError
from serinus_server.errors import InvalidOutput, body_of, explain
from serinus_server.metrics import CODES
from serinus_server.protocols.v2_metadata import label_datatype
from serinus_server.runtime import Graph, _is_distribution
from serinus_server.settings import Settings, SettingsError, table

ROOT = Path(__file__).resolve().parents[3]
GOOD = {"instances": [{"age": 40, "tenure_months": 3}]}
READY = ("/ready", "/health", "/v1/models/churn", "/v2/health/ready", "/v2/models/churn/ready")
LIVE = ("/", "/v2/health/live")


@pytest.fixture(scope="module")
def server(artifact: tuple[Path, ModelContract]) -> Server:
    return Server(artifact[0]).load()


def test_row_27_before_the_model_is_loaded(artifact: tuple[Path, ModelContract]):
    server = Server(artifact[0])
    assert [server.get(path).status for path in LIVE] == [200, 200]
    for path in (*READY, "/metrics", "/docs", "/model/info"):
        reply = server.get(path)
        assert reply.status == 503
        assert "loaded" in reply.json["error"]
    assert server.post(V1, GOOD).status == 503
    server.load()
    assert {server.get(path).status for path in READY} == {200}
    assert server.post(V1, GOOD).status == 200


def test_while_draining_it_answers_and_is_not_ready(artifact: tuple[Path, ModelContract]):
    server = Server(artifact[0]).load()
    server.application.draining = True
    assert {server.get(path).status for path in READY} == {503}
    assert {server.get(path).status for path in LIVE} == {200}
    reply = server.post(V1, GOOD)
    assert (reply.status, reply.headers["connection"]) == (200, "close")


def test_metadata_of_both_protocols(server: Server, artifact: tuple[Path, ModelContract]):
    revision = artifact[1].revision
    assert server.get("/v1/models").json == server.get("/v2/models").json == {"models": ["churn"]}
    assert server.get("/v1/models/churn").json == {"name": "churn", "ready": True}
    assert server.get("/v2").json["extensions"] == ["binary_tensor_data"]
    metadata = server.get("/v2/models/churn").json
    assert metadata == server.get(f"/v2/models/churn/versions/{revision}").json
    assert [(each["name"], each["datatype"]) for each in metadata["inputs"]] == [
        ("age", "INT64"), ("tenure_months", "INT64"), ("monthly_charges", "FP64"), ("plan", "BYTES"),
        ("paperless", "BOOL"),
    ]  # fmt: skip
    assert metadata["outputs"][1] == {"name": "probabilities", "datatype": "FP64", "shape": [-1, 2]}
    assert server.get(f"/v2/models/churn/versions/{revision}/ready").status == 200
    info = server.get("/model/info").json
    assert (info["revision"], info["classes"], info["entity_keys"]) == (revision, ["no", "yes"], [])


def test_names_and_versions_from_settings(artifact: tuple[Path, ModelContract]):
    server = Server(artifact[0], model_name="risk", model_version="12").load()
    assert server.post("/v1/models/risk:predict", GOOD).status == 200
    assert server.post(V1, GOOD).status == 404
    tensors = [{"name": n, "datatype": "INT64", "shape": [1], "data": [40]} for n in ("age", "tenure_months")]
    reply = server.post("/v2/models/risk/versions/12/infer", {"inputs": tensors})
    assert (reply.status, reply.json["model_version"]) == (200, "12")
    assert 'version="12"' in server.get("/metrics").body.decode()
    # The jobs read the log by the model of the project.
    server.close()
    assert {json.loads(line)["model"] for line in server.sink.lines} == {"churn"}


def test_every_metric_of_the_contract_is_there_at_0(server: Server, artifact: tuple[Path, ModelContract]):
    text = server.get("/metrics").body.decode()
    exported = set(re.findall(r"^# TYPE (\S+)", text, re.M))
    for name in (names.PREDICTIONS, names.DURATION, names.REQUESTS, names.INVALID, names.DEGRADED):
        assert name in exported
    for name in (names.DEFAULTED, names.LOGGED, names.DROPPED, names.TRIMMED, names.MODEL_INFO):
        assert name in exported
    for protocol in names.PROTOCOLS:
        for code in CODES:
            labels = f'code="{code}",model="churn",protocol="{protocol}",revision="{artifact[1].revision}"'
            assert f"{names.REQUESTS}{{{labels}}}" in text
    for label in ("no", "yes"):
        assert f'prediction="{label}"' in text
    for edge in names.DURATION_BUCKETS:
        assert f'le="{edge}"' in text


def test_accuracy_comes_from_the_reference(tmp_path: Path):
    from dataclasses import replace
    from hashlib import sha256

    contract = build_artifact(tmp_path)
    data = json.dumps(
        {"rows": 1, "numeric": [], "categorical": [], "predictions": {}, "metrics": {"accuracy": 0.875}}
    ).encode()
    (tmp_path / "reference.json").write_bytes(data)
    files = {**contract.files, "reference.json": sha256(data).hexdigest()}
    (tmp_path / "serinus.json").write_text(replace(contract, files=files, digest="").sealed().to_json())
    text = Server(tmp_path).load().get("/metrics").body.decode()
    assert re.search(rf"^{names.ACCURACY}\{{.*\}} 0.875$", text, re.M)


def test_the_documents_tell_the_truth_about_predict_routes(server: Server):
    assert b"swagger" in server.get("/docs").body.lower()
    paths = server.get("/openapi.json").json["paths"]
    for path in ("/predict", "/predict/batch", "/v1/models/{model}:predict", "/v2/models/{model}/infer"):
        assert "requestBody" in paths[path]["post"], path
    row = paths["/v1/models/{model}:predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    features = row["properties"]["instances"]["items"]["anyOf"][0]
    assert features["required"] == ["age", "tenure_months"]
    assert features["properties"]["age"] == {"type": "integer", "minimum": 18.0, "maximum": 100.0}
    assert features["properties"]["plan"]["enum"] == ["basic", "plus", "premium", None]


@pytest.mark.parametrize(
    ("row", "good"),
    [
        ([0.5, 0.5], True),
        ([1.0, 0.0], True),
        ([0.3000001, 0.7], True),
        ([float("nan"), 1.0], False),
        ([float("inf"), 0.0], False),
        ([1.1, -0.1], False),
        ([0.5, 0.4], False),
        ([0.0, 0.0], False),
    ],
)
def test_what_is_a_distribution(artifact: tuple[Path, ModelContract], row: list[float], good: bool):
    assert _is_distribution(row) == good
    graph = Graph(*artifact)
    for count in (1, 20):
        answer = [[0.5, 0.5]] * (count - 1) + [row]
        graph._run = lambda _, answer=answer: answer
        matrix = [[0.0] * 5] * count
        if good:
            assert len(graph.run(matrix)) == count
        else:
            with pytest.raises(InvalidOutput) as raised:
                graph.run(matrix)
            assert raised.value.rows == 1


def test_an_invalid_output_is_a_counted_500_and_no_row_is_answered(artifact: tuple[Path, ModelContract]):
    server = Server(artifact[0]).load()
    model = server.served.model  # type: ignore[union-attr]

    def broken(_: Any) -> Any:
        raise InvalidOutput(1)

    model._run = broken
    for path, body in ((V1, GOOD), ("/predict", {"features": GOOD["instances"][0]})):
        reply = server.post(path, body)
        assert reply.status == 500
        assert "no probabilities" in reply.json["error"]
    assert model.metrics.invalid == 2
    assert sum(model.metrics.predictions.values()) == 0
    assert model.metrics.requests["v1"][500] == 1
    assert sum(model.metrics.buckets) == 2, "a failure is a request of the model's"
    server.close()
    assert server.sink.lines == []


def test_a_value_that_overflows_the_graph_is_the_clients(tmp_path: Path):
    build_artifact(tmp_path, inputs=(Input("a", "float64"), Input("b", "float64")))
    server = Server(tmp_path).load()
    model = server.served.model  # type: ignore[union-attr]

    def broken(_: Any) -> Any:
        raise InvalidOutput(1)

    model._run = broken
    reply = server.post(V1, {"instances": [[1, 2], [1e300, 2]]})
    assert reply.status == 400
    assert "instances[1]" in reply.json["error"]
    assert model.metrics.invalid == 0
    assert server.post(V1, {"instances": [[1, 2]]}).status == 500


def test_a_fault_of_ours_is_a_500_without_detail(artifact: tuple[Path, ModelContract], caplog: Any):
    server = Server(artifact[0]).load()

    def broken(_: Any) -> Any:
        raise KeyError("/srv/secret")

    server.served.model._run = broken  # type: ignore[union-attr]
    reply = server.post(
        V2, {"inputs": [{"name": "input", "datatype": "FP64", "shape": [1, 5], "data": [40, 3, 1, 0, 0]}]}
    )
    assert reply.status == 500
    assert "secret" not in reply.body.decode()
    assert "secret" in caplog.text, "the reason is in the server's own log"


def test_graphs_that_are_not_the_contracts(tmp_path: Path, artifact: tuple[Path, ModelContract]):
    contract = artifact[1]
    narrow = build_artifact(tmp_path / "narrow", inputs=contract.inputs[:2])
    three = build_artifact(tmp_path / "three", classes=("a", "b", "c"))
    with pytest.raises(ContractError, match="5 wide"):
        Graph(tmp_path / "narrow", contract)
    with pytest.raises(ContractError, match="2 wide"):
        Graph(artifact[0], narrow)
    with pytest.raises(ContractError, match="classes"):
        Graph(tmp_path / "three", contract)
    assert three.classes == ("a", "b", "c")
    (tmp_path / "three" / MODEL_FILE).write_bytes(b"not onnx")
    with pytest.raises(ContractError, match="onnxruntime"):
        Graph(tmp_path / "three", three)


def test_three_classes_and_a_threshold(tmp_path: Path):
    build_artifact(tmp_path / "three", classes=(1, 2, 3))
    reply = Server(tmp_path / "three").load().post(V1, {"instances": [[40, 3, 65.0, "plus", True]] * 2})
    best = [1 + row.index(max(row)) for row in reply.json["probabilities"]]
    assert reply.json["predictions"] == best
    build_artifact(tmp_path / "low", threshold=0.001)
    low = Server(tmp_path / "low").load().post(V1, GOOD).json
    assert low["predictions"] == ["yes" if low["probabilities"][0][1] >= 0.001 else "no"]


@pytest.mark.parametrize(
    ("classes", "datatype"),
    [
        ((1, 2), "INT64"),
        ((False, True), "BOOL"),
        ((0.5, 1.5), "FP64"),
        (("a", "b"), "BYTES"),
        ((1, "b"), "BYTES"),
    ],
)
def test_the_datatype_of_labels(classes: tuple, datatype: str):
    assert label_datatype(classes) == datatype


def test_errors_fit_a_kibibyte_whatever_they_quote():
    for message in ("x" * 10_000, "\x00" * 10_000, "\u20ac" * 10_000, "\U0001f600" * 10_000):
        body = body_of(message)
        assert len(body) <= 1024
        assert json.loads(body)["error"].endswith("...")
    assert explain(RecursionError(), "instances")[0] == 400
    assert explain(ValueError("inner"), "instances")[:2] == (
        500,
        "internal error; the server's log has the reason",
    )


def test_settings_are_read_by_their_variables_and_the_table_is_the_documents():
    settings = Settings.from_environment(
        {"SERINUS_PORT": "9000", "SERINUS_DRAIN_SECONDS": "0.5", "OTHER": "x"}
    )
    assert (settings.port, settings.drain_seconds, settings.host) == (9000, 0.5, "127.0.0.1")
    for name, value in (("PORT", "70000"), ("UNKNOWN_ENTITY", "maybe"), ("REQUEST_SECONDS", "nan")):
        with pytest.raises(SettingsError, match=f"SERINUS_{name}"):
            Settings.from_environment({f"SERINUS_{name}": value})
    assert (ROOT / "docs/reference/server-settings.md").read_text().endswith("\n\n" + table())
