"""The first model: what fills the `${NAME}`s of manifests/cluster/first-model. Pure.

The artifact is small (60 kB), so it travels as a ConfigMap; a Job writes it into a volume with the same
`serinus-fetch` that checks every artifact, and KServe mounts that volume as `pvc://`.
"""

import base64
import hashlib
import json
from collections.abc import Mapping

FOLDER = "manifests/cluster/first-model"
# In this order: a server that starts before the Job has written finds no model and restarts.
ARTIFACT = f"{FOLDER}/artifact.yaml"
SERVICE = f"{FOLDER}/service.yaml"
# Its Jobs among those of the namespace.
JOBS = "--selector=serinus.dev/first-model=artifact"
# Under which name the manifests know a file of the artifact.
FILES = {
    "model.onnx": "IRIS_GRAPH",
    "serinus.json": "IRIS_CONTRACT",
    "reference.json": "IRIS_REFERENCE",
    "MODEL_CARD.md": "IRIS_CARD",
}
# etcd's limit of an object is 1.5 MiB, and base64 takes a third more.
LARGEST_BYTES = 900_000


class ArtifactUnfit(ValueError):
    """The artifact cannot be handed over as a ConfigMap."""


def values(artifact: Mapping[str, bytes], image: str, namespace: str) -> dict[str, str]:
    """Return what the manifests name, from the artifact's files by name.

    Raises:
        ArtifactUnfit: a file is missing, unknown, or all of them are too large.
    """
    if set(artifact) != set(FILES):
        raise ArtifactUnfit(
            f"the artifact holds {', '.join(sorted(artifact)) or 'nothing'}; "
            f"the manifests know {', '.join(sorted(FILES))}"
        )
    if (size := sum(map(len, artifact.values()))) > LARGEST_BYTES:
        raise ArtifactUnfit(f"the artifact has {size} bytes; a ConfigMap takes {LARGEST_BYTES}")
    revision = json.loads(artifact["serinus.json"])["digest"][:12]
    # A Job's template cannot change: another image or another model is another Job.
    job = hashlib.sha256(f"{image} {revision}".encode()).hexdigest()[:8]
    files = {FILES[name]: base64.b64encode(content).decode() for name, content in artifact.items()}
    return files | {
        "MODEL_SERVER_IMAGE": image,
        "MODEL_NAMESPACE": namespace,
        "IRIS_REVISION": revision,
        "IRIS_JOB": f"iris-artifact-{job}",
    }
