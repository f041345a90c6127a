"""Versions of one model on a real MLflow, most of them with something wrong."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from serinus_contracts.artifact import CONTRACT_FILE, MODEL_FILE, ModelContract
from serinus_contracts.registry_tags import DIGEST

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


def register_versions(mlflow_url: str, artifact: tuple[Path, ModelContract], folder: Path) -> Registered:
    """Register the seven versions at `mlflow_url`; put the good one's files into `folder`/source too."""
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

    whole = folder / "source"
    whole.mkdir()
    for name, data in good.items():
        (whole / name).write_bytes(data)
    (whole / "MLmodel").write_text("ignored")
    return Registered({"MLFLOW_TRACKING_URI": mlflow_url}, sealed, folder)
