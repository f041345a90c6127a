"""KServe's own Python client against the server: V1, V2 in JSON and V2 in binary."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx
import numpy as np
import pytest
from kserve import InferenceRESTClient, InferInput, InferRequest
from kserve.inference_client import RESTConfig
from kserve.protocol.infer_type import RequestedOutput
from tests.support.server_process import ServerProcess, running

from serinus_contracts.artifact import ModelContract

ROWS = [
    {"age": 40, "tenure_months": 3, "monthly_charges": 65.5, "plan": "plus", "paperless": False},
    {"age": 71, "tenure_months": 90, "monthly_charges": 10.0, "plan": "premium", "paperless": True},
]
T = TypeVar("T")


@pytest.fixture(scope="module")
def server(
    artifact: tuple[Path, ModelContract], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    with running(artifact[0], tmp_path_factory.mktemp("server") / "log") as process:
        yield process


def ask(protocol: str, question: Callable[[InferenceRESTClient], Awaitable[T]]) -> T:
    async def run() -> T:
        async with InferenceRESTClient(RESTConfig(protocol=protocol, timeout=20)) as client:
            return await question(client)

    return asyncio.run(run())


@pytest.fixture(scope="module")
def v1_answer(server: ServerProcess) -> dict[str, Any]:
    return ask("v1", lambda client: client.infer(server.base, {"instances": ROWS}, "churn"))


def test_v1(v1_answer: dict[str, Any], artifact: tuple[Path, ModelContract]):
    assert set(v1_answer["predictions"]) <= set(artifact[1].classes)
    assert np.allclose(np.sum(v1_answer["probabilities"], axis=1), 1, atol=1e-6)
    assert v1_answer["probabilities"][0] != v1_answer["probabilities"][1]


def test_v1_health(server: ServerProcess):
    assert ask("v1", lambda client: client.is_server_live(server.base)) is True
    assert ask("v1", lambda client: client.is_model_ready(server.base, "churn")) is True


def test_v2_health(server: ServerProcess):
    assert ask("v2", lambda client: client.is_server_live(server.base)) is True
    assert ask("v2", lambda client: client.is_server_ready(server.base)) is True
    assert ask("v2", lambda client: client.is_model_ready(server.base, "churn")) is True
    assert ask("v2", lambda client: client.is_model_ready(server.base, "other")) is False


def tensors(binary: bool) -> list[InferInput]:
    inputs = []
    for name, datatype, dtype in (
        ("age", "INT64", np.int64),
        ("tenure_months", "INT32", np.int32),
        ("monthly_charges", "FP32", np.float32),
        ("plan", "BYTES", np.object_),
        ("paperless", "BOOL", np.bool_),
    ):
        tensor = InferInput(name, [2], datatype)
        tensor.set_data_from_numpy(np.array([row[name] for row in ROWS], dtype=dtype), binary_data=binary)
        inputs.append(tensor)
    return inputs


@pytest.mark.parametrize("binary_in", [False, True], ids=["JSON in", "binary in"])
@pytest.mark.parametrize("binary_out", [False, True], ids=["JSON out", "binary out"])
def test_v2(server: ServerProcess, v1_answer: dict[str, Any], binary_in: bool, binary_out: bool):
    parameters = {"binary_data_output": True} if binary_out else {}
    request = InferRequest("churn", tensors(binary_in), request_id="r-1", parameters=parameters)
    answer = ask("v2", lambda client: client.infer(server.base, request, "churn"))
    assert (answer.model_name, answer.id) == ("churn", "r-1")
    outputs = {output.name: output.as_numpy() for output in answer.outputs}
    labels = [label.decode() if isinstance(label, bytes) else label for label in outputs["predictions"]]
    assert labels == v1_answer["predictions"]
    assert outputs["probabilities"].tolist() == v1_answer["probabilities"]
    assert answer.parameters["prediction_id"]


def test_v2_matrix_and_requested_output(server: ServerProcess, v1_answer: dict[str, Any]):
    matrix = InferInput("input", [2, 5], "FP64")
    matrix.set_data_from_numpy(np.array([[40, 3, 65.5, 1, 0], [71, 90, 10.0, 2, 1]]))
    wanted = RequestedOutput("probabilities", parameters={"binary_data": True})
    request = InferRequest("churn", [matrix], request_outputs=[wanted])
    answer = ask("v2", lambda client: client.infer(server.base, request, "churn"))
    assert [output.name for output in answer.outputs] == ["probabilities"]
    assert answer.outputs[0].as_numpy().tolist() == v1_answer["probabilities"]


@pytest.mark.parametrize("protocol", ["v1", "v2"])
def test_errors_reach_the_client_in_words(server: ServerProcess, protocol: str):
    body: Any = (
        {"instances": [{"age": 40}]} if protocol == "v1" else InferRequest("churn", tensors(False)[:1])
    )
    with pytest.raises(httpx.HTTPStatusError, match=r"tenure_months: required.*400"):
        ask(protocol, lambda client: client.infer(server.base, body, "churn"))
