"""Given churn in a story's own namespace: trained by its Jobs there, served, and asked in its own pod."""

import json
from typing import Any

import yaml

from tests.support.cluster import Namespace, NotYet, condition, until
from tests.support.cluster_jobs import MODELS, Jobs
from tests.support.cluster_models import ISVC

READY_SECONDS = 180
_ASK = """
import sys, urllib.request
place, kind = "http://localhost:8080/v1/models/churn:predict", {"content-type": "application/json"}
asked = urllib.request.Request(place, sys.argv[1].encode(), kind)
print(urllib.request.urlopen(asked, timeout=10).read().decode())
"""


class TeamChurn:
    """The model of manifests/models/churn, of a team that has the namespace to itself."""

    def __init__(self, namespace: Namespace, mark: str) -> None:
        self.namespace = namespace
        self.jobs = Jobs(namespace, mark)

    def train(self) -> None:
        """Generate data, load its features and register version 1."""
        self.jobs.apply("churn")
        self.jobs.done("churn-generate")
        self.jobs.done("churn-train")

    def serve(self) -> None:
        """Apply its InferenceService and wait until it is ready. Nobody routes to it."""
        service = yaml.safe_load((MODELS / "churn/inferenceservice.yaml").read_text())
        del service["metadata"]["labels"]["serinus.dev/route"]
        # Who asks does so in the pod, and that takes more of its CPU than the answers do.
        service["spec"]["predictor"]["maxReplicas"] = 1
        self.namespace.apply(service)

        def look() -> None:
            found = condition(self.namespace.get(*ISVC, "churn"), "Ready")
            if found["status"] != "True":
                raise NotYet(found)

        until("InferenceService churn is ready", look, READY_SECONDS)

    def pod(self) -> str:
        """Return the name of its one pod; raises NotYet while there is another number of them."""
        pods = self.namespace.pods("serving.kserve.io/inferenceservice=churn")
        if len(pods) != 1:
            raise NotYet(f"{len(pods)} pods")
        return str(pods[0]["metadata"]["name"])

    def ask(self, *customers: int) -> dict[str, Any]:
        """Return the server's answer to these customers' keys; raises NotYet where it does not answer."""
        body = json.dumps({"instances": [{"customer_id": each} for each in customers]})
        ran = self.namespace.execute(self.pod(), "python", "-c", _ASK, body)
        if ran.code != 0:
            raise NotYet(ran.output[-300:])
        return dict(json.loads(ran.output))

    def answers(self, *customers: int, degraded: bool, seconds: float = 60) -> dict[str, Any]:
        """Wait for an answer with the store's features, or with none of them."""

        def look() -> dict[str, Any]:
            answer = self.ask(*customers)
            if any(each.get("degraded") for each in answer.get("marks", [])) is not degraded:
                raise NotYet(str(answer)[:300])
            return answer

        return until(f"churn answers, degraded: {degraded}", look, seconds)
