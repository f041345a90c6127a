"""What fills the first model's manifests, and that nothing in them stays unfilled."""

import base64
import json
import re
from pathlib import Path

import pytest
import yaml
from tests.support.pod_security import violations

from serinus_cluster.first_model import (
    ARTIFACT,
    FILES,
    LARGEST_BYTES,
    SERVICE,
    ArtifactUnfit,
    values,
)
from serinus_cluster.render import render

ROOT = Path(__file__).resolve().parents[3]
DIGEST = "e21ddd8f4a76" + "0" * 52
FOLDER = {
    "model.onnx": b"\x08\x0agraph",
    "serinus.json": json.dumps({"digest": DIGEST}).encode(),
    "reference.json": b"{}",
    "MODEL_CARD.md": b"# iris\n",
}
VALUES = values(FOLDER, "localhost:5001/serinus/model-server:1-abc", "serinus-models")


def objects(path: str) -> dict[str, dict]:
    text = render((ROOT / path).read_text(), VALUES, path)
    return {each["kind"]: each for each in yaml.safe_load_all(text)}


@pytest.mark.parametrize("path", [ARTIFACT, SERVICE])
def test_every_name_in_the_manifests_is_filled(path: str):
    # A comment may speak of the pattern; a value may not keep it.
    assert not re.search(r"\$\{[A-Z]", yaml.safe_dump_all(objects(path).values()))


def test_the_artifact_travels_unchanged():
    held = objects(ARTIFACT)["ConfigMap"]["binaryData"]
    assert {name: base64.b64decode(text) for name, text in held.items()} == FOLDER


def test_job_claim_and_service_speak_of_the_same_revision_and_volume():
    job, claim = objects(ARTIFACT)["Job"], objects(ARTIFACT)["PersistentVolumeClaim"]
    pod = job["spec"]["template"]["spec"]
    assert pod["containers"][0]["command"][-1] == "/claim/e21ddd8f4a76"
    assert pod["volumes"][0]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"] == "iris"
    model = objects(SERVICE)["InferenceService"]["spec"]["predictor"]["model"]
    assert model["storageUri"] == "pvc://iris/e21ddd8f4a76"
    # The name that charts/serving gives its runtime.
    assert model["runtime"] == "serinus"


@pytest.mark.parametrize(
    ("folder", "image"),
    [
        pytest.param(FOLDER, "localhost:5001/serinus/model-server:1-def", id="another image"),
        pytest.param(
            FOLDER | {"serinus.json": json.dumps({"digest": "f" * 64}).encode()},
            "localhost:5001/serinus/model-server:1-abc",
            id="another model",
        ),
    ],
)
def test_what_a_job_cannot_change_makes_another_job(folder: dict[str, bytes], image: str):
    assert values(folder, image, "serinus-models")["IRIS_JOB"] != VALUES["IRIS_JOB"]


def test_every_container_declares_what_restricted_asks():
    pod = objects(ARTIFACT)["Job"]["spec"]["template"]["spec"]
    assert violations(pod) == []
    assert all(each["securityContext"]["readOnlyRootFilesystem"] for each in pod["containers"])


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ({}, "holds nothing"),
        ({name: content for name, content in FOLDER.items() if name != "model.onnx"}, "the manifests know"),
        (FOLDER | {"conda.yaml": b""}, "conda.yaml"),
        (FOLDER | {"model.onnx": bytes(LARGEST_BYTES)}, "a ConfigMap takes 900000"),
    ],
)
def test_an_artifact_that_does_not_fit_is_refused(folder: dict[str, bytes], said: str):
    with pytest.raises(ArtifactUnfit, match=said):
        values(folder, "image", "serinus-models")


def test_the_manifests_mount_every_file():
    container = objects(ARTIFACT)["Job"]["spec"]["template"]["spec"]["containers"][0]
    mounted = {each["subPath"] for each in container["volumeMounts"] if "subPath" in each}
    assert mounted == set(FILES)
