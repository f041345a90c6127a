"""Given a model on the cluster: the first model's own manifests, in a story's namespace."""

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from serinus_cluster.first_model import ARTIFACT, SERVICE, values
from serinus_cluster.plan import MODELS
from serinus_cluster.render import render
from tests.support.cluster import Namespace, NotYet, Object, condition, documents, until
from tests.support.cluster_pods import server_image

ROOT = Path(__file__).resolve().parents[2]
PREDICT = "/v1/models/iris:predict"
REQUEST = json.loads((ROOT / "manifests/cluster/first-model/request.json").read_text())
READY_SECONDS = 90
ISVC = ("serving.kserve.io/v1beta1", "InferenceService")
ROUTE = ("gateway.networking.k8s.io/v1", "HTTPRoute")


class Model:
    """Iris in a namespace. `service` is what a story applies, and may change before."""

    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace
        cluster = namespace.cluster
        # The artifact of `make up`, whichever training it came from.
        held = [
            each
            for each in cluster.find("v1", "ConfigMap", MODELS)
            if each["metadata"]["name"].startswith("iris-artifact-")
        ]
        assert held, f"no ConfigMap iris-artifact-* in {MODELS}: run make up"
        files = {name: base64.b64decode(text) for name, text in held[-1]["binaryData"].items()}
        self._values = values(files, server_image(cluster), namespace.name)
        (self.service,) = self.objects(SERVICE)
        # As KServe will name it in status.url.
        self.host = f"iris-{namespace.name}.example.com"

    def objects(self, path: str) -> list[Object]:
        """Return the objects of a manifest, filled for this namespace."""
        return documents(render((ROOT / path).read_text(), self._values, path))

    def write_artifact(self) -> "Model":
        """Put the artifact into a volume of this namespace."""
        for each in self.objects(ARTIFACT):
            self.namespace.apply(each)
        name = self._values["IRIS_JOB"]

        def look() -> None:
            if condition(self.namespace.get("batch/v1", "Job", name), "Complete")["status"] != "True":
                raise NotYet(self.namespace.get("batch/v1", "Job", name))

        until(f"Job {name} has written the artifact", look, READY_SECONDS)
        return self

    def apply(self) -> None:
        """Apply the service as it is now. Its route is the operator's."""
        self.namespace.apply(self.service)

    def status(self) -> Object:
        """Return the InferenceService's status."""
        found = self.namespace.get(*ISVC, "iris")
        return {} if found is None else dict(found.get("status", {}))

    def host_of_status(self) -> str:
        """Return the host that KServe names; raises NotYet before it does."""
        url = self.status().get("url")
        if url is None:
            raise NotYet("status.url is empty")
        return str(urlsplit(url).hostname)

    def ready(self, name: str = "Ready") -> None:
        """Wait for a condition of the InferenceService."""

        def look() -> None:
            found = condition(self.namespace.get(*ISVC, "iris"), name)
            if found["status"] != "True":
                raise NotYet(found)

        until(f"InferenceService iris is {name}", look, READY_SECONDS)

    def ask(self) -> httpx.Response:
        """Return the gateway's answer; raises NotYet for anything but a prediction."""
        try:
            answer = self.namespace.cluster.ask(self.host, PREDICT, REQUEST)
        except httpx.HTTPError as error:
            raise NotYet(f"{type(error).__name__}: {error}") from None
        if answer.status_code != 200:
            raise NotYet(f"HTTP {answer.status_code} {answer.text[:200]}")
        return answer

    def answers(self, seconds: float = READY_SECONDS) -> httpx.Response:
        """Wait for the first prediction through the gateway."""
        return until(f"{self.host} answers through the gateway", self.ask, seconds, pause=0.1)

    def version(self) -> str:
        """Return the version that answers now; raises NotYet where none does."""
        try:
            answer = self.namespace.cluster.ask(self.host, "/predict", {"features": REQUEST["instances"][0]})
        except httpx.HTTPError as error:
            raise NotYet(f"{type(error).__name__}: {error}") from None
        if answer.status_code != 200:
            raise NotYet(f"HTTP {answer.status_code} {answer.text[:200]}")
        return str(answer.json()["version"])

    def deployments(self) -> dict[str, Object]:
        """Return the service's Deployments by name."""
        selector = "serving.kserve.io/inferenceservice=iris"
        return {
            each["metadata"]["name"]: each for each in self.namespace.find("apps/v1", "Deployment", selector)
        }

    def predictor(self) -> dict[str, Any]:
        """Return spec.predictor, to be changed before it is applied."""
        return dict(self.service["spec"]["predictor"])
