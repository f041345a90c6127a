"""serinus-fetch against a server that stumbles, lies or refuses."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.misbehaving_mlflow import Answer, misbehaving, registry_of
from tests.support.registered_churn import FILES, Registered

from serinus_contracts.artifact import CONTRACT_FILE, MODEL_FILE
from serinus_server.artifacts import load_contract
from serinus_server.fetch import fetch
from serinus_server.model_sources import FetchError


@pytest.fixture(scope="module")
def files(registered: Registered) -> dict[str, bytes]:
    return {name: (registered.folder / "source" / name).read_bytes() for name in FILES}


def test_a_server_that_stumbles_is_asked_again(files: dict[str, bytes], tmp_path: Path) -> None:
    seen: dict[str, int] = {}
    well = registry_of(files)

    def answer(path: str, headers: dict[str, str]) -> Answer:
        assert headers["Authorization"] == "Bearer secret"
        seen[path] = seen.get(path, 0) + 1
        if seen[path] == 1:
            if path.endswith(MODEL_FILE):  # cut in the middle
                return 200, {"Content-Length": str(len(files[MODEL_FILE]))}, files[MODEL_FILE][:50]
            return (503 if len(seen) % 2 else 429), {}, b"busy"
        return well(path, headers)

    with misbehaving(answer) as url:
        environment = {"MLFLOW_TRACKING_URI": url, "MLFLOW_TRACKING_TOKEN": "secret"}
        fetch("mlflow://m/1", tmp_path / "model", environment, deadline_seconds=60)
    assert set(seen.values()) == {2}
    assert load_contract(tmp_path / "model").digest


@pytest.mark.parametrize(
    ("answer", "code", "message"),
    [
        (lambda *_: (401, {}, b"{}"), 2, "HTTP 401: Unauthorized; check MLFLOW_TRACKING_TOKEN"),
        (lambda *_: (302, {"Location": "http://169.254.169.254/"}, b""), 2, "HTTP 302"),
        (lambda *_: (200, {}, b"<html>"), 2, "does not answer like MLflow"),
        (lambda *_: (200, {}, b"[]"), 2, "does not answer like MLflow"),
        (lambda *_: (200, {}, b"{}"), 2, "does not answer like MLflow's model registry"),
        (registry_of({}, root="mlflow-artifacts:/1/../../secret"), 3, "leads elsewhere"),
        (registry_of({}, root="mlflow-artifacts:/1/%2e%2e/secret"), 3, "leads elsewhere"),
        (registry_of({}, root="mlflow-artifacts://other.example/1/model"), 2, "not behind this MLflow"),
        (registry_of({}, root="file:///etc"), 2, "not behind this MLflow"),
        (registry_of({CONTRACT_FILE: b"{}"}, sizes=1 << 40), 3, "bytes, the limit is"),
        (registry_of({CONTRACT_FILE: b" " * (5 << 20)}, sizes=2), 3, "over the limit"),
        (registry_of({CONTRACT_FILE: b"{}"}), 3, "schema_version"),
    ],
)  # fmt: skip
def test_a_server_that_lies_is_not_believed(
    answer: Callable[[str, dict[str, str]], Answer], code: int, message: str, tmp_path: Path
) -> None:
    with misbehaving(answer) as url, pytest.raises(FetchError, match=message) as error:
        fetch("mlflow://m/1", tmp_path / "model", {"MLFLOW_TRACKING_URI": url}, deadline_seconds=20)
    assert error.value.exit_code == code
    assert list(tmp_path.iterdir()) == []


def test_user_and_password_are_sent_and_never_shown(files: dict[str, bytes], tmp_path: Path) -> None:
    seen = []

    def answer(_: str, headers: dict[str, str]) -> Answer:
        seen.append(headers["Authorization"])
        return 403, {}, b'{"message": "no"}'

    with misbehaving(answer) as url:
        environment = {
            "MLFLOW_TRACKING_URI": url.replace("//", "//in:url@"),
            "MLFLOW_TRACKING_USERNAME": "ada",
            "MLFLOW_TRACKING_PASSWORD": "s3cret",
        }
        with pytest.raises(FetchError, match="HTTP 403: no; check MLFLOW_TRACKING_TOKEN") as error:
            fetch("mlflow://m/1", tmp_path / "model", environment)
    assert seen == ["Basic YWRhOnMzY3JldA=="]
    assert "s3cret" not in str(error.value)
    assert "in:url" not in str(error.value)
