"""Bad input over V1 and V2, in one process: a clear 4xx in JSON of at most 1 KiB, and nothing counted
against the model."""

import json
import logging
from pathlib import Path

import pytest
from tests.support.bad_requests import BAD_V1, BAD_V2, V1, V2, Bad
from tests.support.serving import JSON, Server

from serinus_contracts.artifact import ModelContract


@pytest.fixture(scope="module")
def server(artifact: tuple[Path, ModelContract]) -> Server:
    return Server(artifact[0]).load()


@pytest.mark.parametrize("bad", [*BAD_V1, *BAD_V2], ids=str)
def test_bad_input_is_a_clear_4xx(server: Server, bad: Bad, caplog: pytest.LogCaptureFixture):
    reply = server.call(bad.method, bad.path.replace("%2f", "/"), bad.body, dict(bad.headers))
    assert reply.status == bad.status, reply.body
    assert len(reply.body) <= 1024
    assert reply.headers["content-type"] == "application/json"
    error = json.loads(reply.body)["error"]
    for word in bad.words:
        assert word in error, error
    assert "Traceback" not in error
    assert "/site-packages/" not in error
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_every_row_of_v1_and_v2_is_there():
    # 9 and 27 are no 4xx; they and 28 are tested beside this.
    assert {bad.row for bad in BAD_V1} == set(range(1, 15)) - {9}
    assert {bad.row for bad in BAD_V2} == set(range(15, 27))


def test_row_9_the_last_of_duplicate_keys_wins(server: Server):
    twice = server.post(V1, b'{"instances":[{"age":99,"tenure_months":3,"age":40}]}')
    once = server.post(V1, {"instances": [{"age": 40, "tenure_months": 3}]})
    assert twice.json["probabilities"] == once.json["probabilities"]
    lists = server.post(V1, b'{"instances":[[1]],"instances":[{"age":40,"tenure_months":3}]}')
    assert lists.json["probabilities"] == once.json["probabilities"]


def test_row_10_a_chunked_body_is_cut_off_at_the_limit(artifact: tuple[Path, ModelContract]):
    server = Server(artifact[0], max_body_bytes=1000).load()
    taken = 0

    def chunks(count: int):
        nonlocal taken
        for _ in range(count):
            taken += 1
            yield b" " * 65_536

    reply = server.call("POST", V1, chunks(20), JSON)
    assert (reply.status, reply.headers.get("connection")) == (413, None), "read to its end, and kept open"
    reply = server.call("POST", V1, chunks(1000), JSON)
    assert (reply.status, reply.headers.get("connection")) == (413, "close"), "given up"


def test_row_10_a_declared_length_is_refused_before_it_is_sent(artifact: tuple[Path, ModelContract]):
    server = Server(artifact[0], max_body_bytes=1000).load()
    for more in ({"content-length": "1001", "expect": "100-continue"}, {"content-length": str(1 << 40)}):
        reply = server.call("POST", V1, b"", {**JSON, **more})
        assert (reply.status, reply.headers["connection"]) == (413, "close")


def test_row_10_a_client_that_leaves_is_not_answered(server: Server):
    assert server.call("POST", V1, [], JSON).status == 0
    truncated = server.call("POST", V1, iter([b"{"]), JSON)
    assert truncated.status == 400


def test_bad_requests_count_as_the_clients(artifact: tuple[Path, ModelContract]):
    server = Server(artifact[0]).load()
    for bad in (*BAD_V1[:8], *BAD_V2[:8]):
        server.call(bad.method, bad.path, bad.body, dict(bad.headers))
    lines = server.get("/metrics").body.decode().splitlines()
    requests = {
        line.split("{")[1]: float(line.split()[-1])
        for line in lines
        if line.startswith("serinus_requests_total{")
    }
    counted = {labels: count for labels, count in requests.items() if count}
    assert sum(counted.values()) == 16
    assert all('code="400"' in labels for labels in counted), counted
    count = next(line for line in lines if line.startswith("ml_prediction_duration_seconds_count"))
    assert count.endswith(" 0.0"), "refusals would hide a slow model"


@pytest.mark.parametrize("path", [V1, V2, "/predict", "/predict/batch"])
@pytest.mark.parametrize("text", ["", " ", "a b", "x" * 129, "ä", "a\tb"])
def test_a_prediction_id_that_is_none_is_refused(server: Server, path: str, text: str):
    reply = server.call("POST", path, b"{}", {**JSON, "x-prediction-id": text})
    assert reply.status == 400
    assert "x-prediction-id" in reply.json["error"]


NATIVE = [
    ("/predict", b"{}", "is empty; give features"),
    ("/predict", b'{"features":{"age":40}}', "required"),
    ("/predict", b'{"features":{"age":40,"tenure_months":3},"x":1}', "x"),
    ("/predict", b'{"features":{"age":"40","tenure_months":3}}', "age"),
    ("/predict", b'{"features":[40,3]}', "2 values"),
    ("/predict", b'{"entity":{"customer_id":7}}', "no entity key"),
    ("/predict", b'[{"age":40}]', "object"),
    ("/predict/batch", b'{"rows":[]}', ">= 1"),
    ("/predict/batch", b'{"features":{}}', "unknown field"),
    ("/predict/batch", b'{"rows":[{"features":{"age":40,"tenure_months":3}},{"features":{}}]}', "rows[1]"),
]


@pytest.mark.parametrize(("path", "body", "word"), NATIVE)
def test_bad_native_requests(server: Server, path: str, body: bytes, word: str):
    reply = server.post(path, body)
    assert reply.status == 400
    assert word in reply.json["error"]


UNKNOWN_FIELDS = [
    ("/predict", b'{"age":40}', "known are features, entity"),
    ("/predict/batch", b'{"features":{}}', "known are rows; of each row features, entity"),
    ("/predict/batch", b'{"rows":[{"age":40}]}', "known are rows; of each row features, entity"),
    (V1, b'{"instance":[]}', "known are instances, parameters"),
    (V2, b'{"tensors":[]}', "known are inputs, outputs, id"),
    (V2, b'{"inputs":[{"title":"age"}]}', "of a tensor name, shape, datatype, data, parameters"),
]


@pytest.mark.parametrize(("path", "body", "cure"), UNKNOWN_FIELDS)
def test_an_unknown_field_is_told_with_the_known(server: Server, path: str, body: bytes, cure: str):
    reply = server.post(path, body)
    assert reply.status == 400
    assert "unknown field" in reply.json["error"]
    assert cure in reply.json["error"]


def test_too_many_native_rows(server: Server):
    rows = {"rows": [{"features": {"age": 40, "tenure_months": 3}}] * 1001}
    assert server.post("/predict/batch", rows).status == 413
