"""Story: a team brings its own model, its own format and its own server, and gets the same way in."""

import base64
import os
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
import xgboost
import yaml
from tests.support.cluster import Namespace, NotYet, until
from tests.support.cluster_pods import finished, python_pod

from serinus_airgap import buildkit, versions

pytestmark = [pytest.mark.cluster, pytest.mark.full, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = ROOT / "manifests/examples"
BUILD_SECONDS, READY_SECONDS = 600, 180
NAME = "wine-sdk"
CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "models"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "16Mi"}}},
}


def manifest(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((EXAMPLES / "kserve-sdk" / name).read_text()))


def run(words: list[str], seconds: float, **environment: str) -> None:
    done = subprocess.run(
        words, env={**os.environ, **environment}, capture_output=True, text=True, timeout=seconds
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="module")
def image() -> None:
    """The runtime's image in the local registry, built as its Dockerfile says."""
    pins = versions.load()
    name = manifest("runtime.yaml")["spec"]["containers"][0]["image"]
    secrets = buildkit.secrets(ROOT / ".serinus/build/kserve-sdk", os.environ)
    base = f"PYTHON_IMAGE={pins['PYTHON_IMAGE']}"
    build = [buildkit.client(), "build", "--network", "host", "--build-arg", base, *secrets]
    run([*build, "--tag", name, str(EXAMPLES / "kserve-sdk")], BUILD_SECONDS, DOCKER_BUILDKIT="1")
    run(["docker", "push", "--quiet", name], BUILD_SECONDS)


@pytest.mark.usefixtures("image")
def test_a_model_on_another_server(namespace: Namespace, tmp_path: Path, figure: Callable[[str, str], None]):
    # Given a model in XGBoost's own format, in a team's volume
    run([sys.executable, str(EXAMPLES / "xgboost/elsewhere.py"), str(tmp_path)], 60)
    model = tmp_path / "wine.json"
    packed = base64.b64encode(zlib.compress(model.read_bytes())).decode()
    write = (
        "import base64, pathlib, zlib; folder = pathlib.Path('/data/wine'); folder.mkdir(); "
        f"(folder / 'wine.json').write_bytes(zlib.decompress(base64.b64decode('{packed}')))"
    )
    namespace.apply(CLAIM)
    finished(namespace, python_pod(namespace.cluster, "writer", write, claim="models"))
    # When it is served by a runtime of the team's own, with the routing label
    namespace.apply(manifest("runtime.yaml"))
    namespace.apply(manifest("inferenceservice.yaml"))
    host = f"{NAME}-{namespace.name}.example.com"
    rows = pd.read_csv(tmp_path / "wine.csv").drop(columns="cultivar").to_numpy()
    # By both protocols
    tensor = {"name": "input", "shape": list(rows.shape), "datatype": "FP64", "data": rows.ravel().tolist()}

    def answer(path: str, body: dict[str, Any]) -> httpx.Response:
        def look() -> httpx.Response:
            got = namespace.cluster.ask(host, path, body)
            if got.status_code != 200:
                raise NotYet(f"HTTP {got.status_code} {got.text[:200]}")
            return got

        return until(f"{host}{path} answers", look, READY_SECONDS)

    first = answer(f"/v1/models/{NAME}:predict", {"instances": rows.tolist()})
    second = answer(f"/v2/models/{NAME}/infer", {"inputs": [tensor]})
    # Then the answers are the model's own
    expected = xgboost.Booster(model_file=model).inplace_predict(rows)
    np.testing.assert_allclose(first.json()["predictions"], expected, atol=1e-6)
    output = second.json()["outputs"][0]
    np.testing.assert_allclose(np.reshape(output["data"], output["shape"]), expected, atol=1e-6)
    figure("rows that another runtime answered like XGBoost itself", f"{len(rows)} of {len(rows)}")
    # And the gateway names who answered, and asks for a key, as for every model
    assert first.headers["x-serinus-revision"] == "stable"
    refused = namespace.cluster.ask(host, f"/v1/models/{NAME}:predict", {}, headers={"x-api-key": "wrong"})
    assert refused.status_code == 401
