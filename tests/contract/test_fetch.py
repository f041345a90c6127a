"""serinus-fetch against a real MLflow server, and against one that misbehaves."""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from tests.conftest import free_port

from serinus_contracts.artifact import CONTRACT_FILE, MODEL_FILE, ModelContract
from serinus_contracts.registry_tags import DIGEST
from serinus_server.artifacts import load_contract
from serinus_server.fetch import fetch, main
from serinus_server.model_sources import FetchError

FILES = (MODEL_FILE, "reference.json", "MODEL_CARD.md", CONTRACT_FILE)


@dataclass
class Registered:
    """An MLflow with versions of `churn`: 1 good; 2 flipped; 3 with a path that leads elsewhere; 4 of a
    pickle; 5 without a contract; 6 whose digest tag is another's; 7 whose files lie elsewhere."""

    environment: dict[str, str]
    contract: ModelContract
    folder: Path


class _Api:
    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=f"{url}/api/2.0/", timeout=60)

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        answer = self._client.post(f"mlflow/{path}", json=body)
        answer.raise_for_status()
        return dict(answer.json())

    def upload(self, uri: str, name: str, data: bytes) -> None:
        path = urlsplit(uri).path.strip("/")
        self._client.put(f"mlflow-artifacts/artifacts/{path}/model/{name}", content=data).raise_for_status()

    def version(self, experiment: str, files: dict[str, bytes], source: str = "", **tags: str) -> str:
        run = self.post("runs/create", experiment_id=experiment)["run"]["info"]
        for name, data in files.items():
            self.upload(run["artifact_uri"], name, data)
        made = self.post(
            "model-versions/create",
            name="churn",
            source=source or f"{run['artifact_uri']}/model",
            run_id=run["run_id"],
            tags=[{"key": key.replace("_", "."), "value": value} for key, value in tags.items()],
        )
        return str(made["model_version"]["version"])


def _sealed(contract: ModelContract, **files: bytes) -> tuple[bytes, ModelContract]:
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    sealed = replace(contract, files={**contract.files, **digests}, digest="").sealed()
    return sealed.to_json().encode(), sealed


@pytest.fixture(scope="module")
def registered(
    mlflow_url: str, artifact: tuple[Path, ModelContract], tmp_path_factory: pytest.TempPathFactory
) -> Registered:
    graph = (artifact[0] / MODEL_FILE).read_bytes()
    own = {"reference.json": b"{}", "MODEL_CARD.md": b"# churn"}
    text, sealed = _sealed(artifact[1], **own)
    good = {**own, MODEL_FILE: graph, CONTRACT_FILE: text}
    flavour = {"MLmodel": b"flavors: {}", "python_env.yaml": b"x", "code/evil.py": b"raise SystemExit"}
    flipped = graph[:100] + bytes([graph[100] ^ 1]) + graph[101:]
    escape, _ = _sealed(artifact[1], **{"../../../etc/passwd": b""})
    pickled, _ = _sealed(artifact[1], **{"model.pkl": b"x"})

    api = _Api(mlflow_url)
    experiment = api.post("experiments/create", name="fetch")["experiment_id"]
    api.post("registered-models/create", name="churn")
    made = [
        api.version(experiment, {**good, **flavour}, serinus_digest=sealed.digest),
        api.version(experiment, {**good, MODEL_FILE: flipped}),
        api.version(experiment, {**good, CONTRACT_FILE: escape}),
        api.version(experiment, {**good, CONTRACT_FILE: pickled, "model.pkl": b"x"}),
        api.version(experiment, {"MLmodel": b"flavors: {}"}),
        api.version(experiment, good, serinus_digest="f" * 64),
        api.version(experiment, {}, source="s3://bucket/model"),
    ]
    assert made == [str(number) for number in range(1, 8)]
    assert DIGEST == "serinus.digest"
    api.post("registered-models/alias", name="churn", alias="champion", version="1")

    folder = tmp_path_factory.mktemp("fetched")
    whole = folder / "source"
    whole.mkdir()
    for name, data in good.items():
        (whole / name).write_bytes(data)
    (whole / "MLmodel").write_text("ignored")
    return Registered({"MLFLOW_TRACKING_URI": mlflow_url}, sealed, folder)


@pytest.mark.parametrize("uri", ["mlflow://churn/1", "mlflow://churn/@champion", "file://"])
def test_a_version_arrives_whole_without_what_mlflow_wrote_beside_it(
    registered: Registered, uri: str, tmp_path: Path
) -> None:
    target = tmp_path / "deep" / "model"
    source = f"file://{registered.folder}/source" if uri == "file://" else uri
    assert fetch(source, target, registered.environment) == registered.contract
    assert sorted(path.name for path in target.iterdir()) == sorted(FILES)
    assert load_contract(target) == registered.contract
    assert [path.name for path in target.parent.iterdir()] == ["model"]


def test_a_mounted_folder_is_filled_in_place_and_a_second_run_changes_nothing(
    registered: Registered, tmp_path: Path
) -> None:
    (tmp_path / "lost+found").mkdir()
    inode = tmp_path.stat().st_ino
    fetch("mlflow://churn/1", tmp_path, registered.environment)
    assert tmp_path.stat().st_ino == inode
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    fetch("mlflow://churn/@champion", tmp_path, registered.environment)
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_what_a_killed_run_left_is_mended(registered: Registered, tmp_path: Path) -> None:
    fetch("mlflow://churn/1", tmp_path, registered.environment)
    (tmp_path / CONTRACT_FILE).unlink()
    (tmp_path / MODEL_FILE).write_bytes(b"half")
    leftover = tmp_path / ".serinus-fetch-killed"
    leftover.mkdir()
    os.utime(leftover, (0, 0))
    fetch("mlflow://churn/1", tmp_path, registered.environment)
    assert load_contract(tmp_path) == registered.contract
    assert not leftover.exists()


@pytest.mark.parametrize(
    ("uri", "code", "message"),
    [
        ("mlflow://churn/2", 3, r"model\.onnx: its SHA-256"),
        ("mlflow://churn/3", 3, r"'\.\./\.\./\.\./etc/passwd': no file of a model artifact"),
        ("mlflow://churn/4", 3, r"'model\.pkl': no file of a model artifact"),
        ("mlflow://churn/5", 2, r"has no serinus\.json, only MLmodel"),
        ("mlflow://churn/6", 3, r"serinus\.json: its digest is [0-9a-f]{12}, the registry says ffffffffffff"),
        ("mlflow://churn/7", 2, r"lie at 's3://bucket/model', not behind this MLflow server"),
        ("mlflow://churn/99", 2, r"HTTP 404: Model Version \(name=churn, version=99\) not found"),
        ("mlflow://nobody/1", 2, r"HTTP 404"),
        ("mlflow://churn/@nobody", 2, r"HTTP 400: Registered model alias nobody not found"),
        ("mlflow://churn/1?digest=000000000000", 3, r"its digest is [0-9a-f]{12}, wanted was 000000000000"),
        ("mlflow://churn/1?digest=xyz", 2, r"the only option is digest"),
        ("mlflow://churn/1?other=1", 2, r"the only option is digest"),
        ("mlflow://churn/latest", 2, r"the version must be a number, or @ and an alias"),
        ("mlflow://churn", 2, r"must be mlflow://<model>/<version"),
        ("mlflow://churn/1/../2", 2, r"must be mlflow://"),
        ("http://169.254.169.254/latest", 2, r"must be mlflow://"),
        ("file:///nowhere/at/all", 2, r"is no folder"),
    ],
)
def test_everything_else_is_refused_and_leaves_nothing(
    registered: Registered, uri: str, code: int, message: str, tmp_path: Path
) -> None:
    with pytest.raises(FetchError, match=message) as error:
        fetch(uri, tmp_path / "model", registered.environment, deadline_seconds=30)
    assert error.value.exit_code == code
    assert list(tmp_path.iterdir()) == []


def test_a_digest_in_the_address_pins_the_model(registered: Registered, tmp_path: Path) -> None:
    pinned = f"mlflow://churn/1?digest={registered.contract.revision}"
    assert fetch(pinned, tmp_path / "a", registered.environment) == registered.contract
    with pytest.raises(FetchError, match="the registry says 000000000000"):
        fetch(
            f"file://{registered.folder}/source?digest=000000000000", tmp_path / "b", registered.environment
        )


@pytest.mark.parametrize("address", ["", "sqlite:///mlflow.db", "ftp://host", "http://"])
def test_a_tracking_address_that_is_no_server_is_named(address: str, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="MLFLOW_TRACKING_URI: must be the http"):
        fetch("mlflow://churn/1", tmp_path / "model", {"MLFLOW_TRACKING_URI": address})


def test_a_link_in_a_source_folder_is_refused(registered: Registered, tmp_path: Path) -> None:
    source = shutil.copytree(registered.folder / "source", tmp_path / "source")
    (source / MODEL_FILE).unlink()
    (source / MODEL_FILE).symlink_to("/etc/hostname")
    with pytest.raises(FetchError, match="no plain file"):
        fetch(f"file://{source}", tmp_path / "model", {})


def test_the_command_says_what_it_did_and_how_it_ended(registered: Registered, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from serinus_server.fetch import main; main()", "mlflow://churn/1", "model"],
        cwd=tmp_path,
        env={**os.environ, **registered.environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"churn revision {registered.contract.revision} in model (")


def test_the_commands_exit_codes(
    registered: Registered,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", registered.environment["MLFLOW_TRACKING_URI"])
    for uri, code in (("mlflow://churn/2", 3), ("mlflow://churn/99", 2)):
        with pytest.raises(SystemExit) as ended:
            main([uri, str(tmp_path / "model")])
        assert ended.value.code == code
        assert capsys.readouterr().err.startswith("serinus-fetch: ")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SystemExit) as ended:
        main(["mlflow://churn/1", str(tmp_path / "file")])
    assert ended.value.code == 1
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
    begun = time.monotonic()
    with pytest.raises(SystemExit) as ended:
        main(["mlflow://churn/1", str(tmp_path / "model"), "--deadline", "1"])
    assert ended.value.code == 1
    assert time.monotonic() - begun < 10
    assert "tried until the deadline" in capsys.readouterr().err


Answer = tuple[int, dict[str, str], bytes]


@contextlib.contextmanager
def _misbehaving(answer: Callable[[str, dict[str, str]], Answer]) -> Iterator[str]:
    """A server on loopback that answers as told: what a real MLflow cannot be made to do."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = answer(self.path, dict(self.headers))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if "Content-Length" not in headers:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def _registry(
    files: dict[str, bytes],
    *,
    root: str = "mlflow-artifacts:/1/run/artifacts/model",
    sizes: int | None = None,
) -> Callable[[str, dict[str, str]], Answer]:
    def answer(path: str, _: dict[str, str]) -> Answer:
        door = urlsplit(path).path.removeprefix("/api/2.0/")
        if door == "mlflow/model-versions/get":
            body: Any = {"model_version": {"name": "m", "version": "1"}}
        elif door == "mlflow/model-versions/get-download-uri":
            body = {"artifact_uri": root}
        elif door == "mlflow-artifacts/artifacts":
            listed = [{"path": n, "is_dir": False, "file_size": sizes or len(d)} for n, d in files.items()]
            body = {"files": listed}
        else:
            return 200, {}, files[door.rpartition("/")[2]]
        return 200, {}, json.dumps(body).encode()

    return answer


@pytest.fixture(scope="module")
def files(registered: Registered) -> dict[str, bytes]:
    return {name: (registered.folder / "source" / name).read_bytes() for name in FILES}


def test_a_server_that_stumbles_is_asked_again(files: dict[str, bytes], tmp_path: Path) -> None:
    seen: dict[str, int] = {}
    well = _registry(files)

    def answer(path: str, headers: dict[str, str]) -> Answer:
        assert headers["Authorization"] == "Bearer secret"
        seen[path] = seen.get(path, 0) + 1
        if seen[path] == 1:
            if path.endswith(MODEL_FILE):  # cut in the middle
                return 200, {"Content-Length": str(len(files[MODEL_FILE]))}, files[MODEL_FILE][:50]
            return (503 if len(seen) % 2 else 429), {}, b"busy"
        return well(path, headers)

    with _misbehaving(answer) as url:
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
        (_registry({}, root="mlflow-artifacts:/1/../../secret"), 3, "leads elsewhere"),
        (_registry({}, root="mlflow-artifacts:/1/%2e%2e/secret"), 3, "leads elsewhere"),
        (_registry({}, root="mlflow-artifacts://other.example/1/model"), 2, "not behind this MLflow"),
        (_registry({}, root="file:///etc"), 2, "not behind this MLflow"),
        (_registry({CONTRACT_FILE: b"{}"}, sizes=1 << 40), 3, "bytes, the limit is"),
        (_registry({CONTRACT_FILE: b" " * (5 << 20)}, sizes=2), 3, "over the limit"),
        (_registry({CONTRACT_FILE: b"{}"}), 3, "schema_version"),
    ],
)  # fmt: skip
def test_a_server_that_lies_is_not_believed(
    answer: Callable[[str, dict[str, str]], Answer], code: int, message: str, tmp_path: Path
) -> None:
    with _misbehaving(answer) as url, pytest.raises(FetchError, match=message) as error:
        fetch("mlflow://m/1", tmp_path / "model", {"MLFLOW_TRACKING_URI": url}, deadline_seconds=20)
    assert error.value.exit_code == code
    assert list(tmp_path.iterdir()) == []


def test_user_and_password_are_sent_and_never_shown(files: dict[str, bytes], tmp_path: Path) -> None:
    seen = []

    def answer(_: str, headers: dict[str, str]) -> Answer:
        seen.append(headers["Authorization"])
        return 403, {}, b'{"message": "no"}'

    with _misbehaving(answer) as url:
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
