"""Given a model that the operator routes, and the operator itself."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
from kubernetes import client

from serinus_cluster.first_model import ARTIFACT
from tests.support.cluster import (
    GATEWAY,
    Cluster,
    Namespace,
    NotYet,
    Object,
    condition,
    until,
)
from tests.support.cluster_models import ISVC, PREDICT, READY_SECONDS, REQUEST, ROUTE, Model
from tests.support.cluster_monitoring import query
from tests.support.programs import kubectl

REVISION = "x-serinus-revision"
ROUTED = "serinus.dev/Routed"
# From the edit through API server, operator, Envoy Gateway and Envoy.
IN_FORCE_SECONDS = 20
_VERSION = {"name": "SERINUS_MODEL_VERSION", "value": "next"}
OPERATOR = "app.kubernetes.io/component=operator,app.kubernetes.io/part-of=serinus"


class RoutedModel:
    """Iris with the label, and a second version of it, `next`. Nobody writes a route by hand."""

    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace
        self.model = Model(namespace)
        self.service = self.model.service
        self.host = self.model.host
        self.headers = {"host": self.host, **namespace.cluster.admin}

    def start(self) -> "RoutedModel":
        """Apply the service and wait until the gateway answers for it."""
        self.model.write_artifact()
        for each in self.model.objects(ARTIFACT):
            # The same artifact in a second place of the volume.
            if each["kind"] == "Job":
                each["metadata"]["name"] += "-next"
                each["spec"]["template"]["spec"]["containers"][0]["command"][-1] += "-next"
                self.namespace.apply(each)
        self.namespace.apply(self.service)
        until(f"{self.host} answers", self.ask, READY_SECONDS)
        return self

    def change(self, **spec: Any) -> None:
        """Patch the service's spec."""
        self.namespace.cluster.patch(*ISVC, "iris", {"spec": spec}, self.namespace.name)

    def canary(self, percent: int, **model: Any) -> None:
        """Ask for `next` at that percentage; `model` goes over its model."""
        own = self._next(**model)
        # KServe refuses a maximum of its own, and without a minimum a canary at 0 % has no pod.
        del own["maxReplicas"]
        self.change(canary=[{"trafficPercent": percent, "predictor": own}])

    def promote(self) -> None:
        """Make `next` the predictor and drop the entry, in one patch."""
        self.change(predictor=self._next(), canary=None)

    def edit(self, old: str, new: str) -> None:
        """Change the service by `kubectl edit`, with an editor that replaces `old` by `new`."""
        self.kubectl("edit", ISVC[1], "iris", editor=f"sed -i 's/{old}/{new}/'")

    def kubectl(self, *words: str, editor: str = "false") -> str:
        """Return what kubectl says; raises AssertionError where it fails."""
        return kubectl(*words, namespace=self.namespace.name, editor=editor)

    def ask(self, **headers: str) -> httpx.Response:
        """Return a prediction; raises NotYet for anything else."""
        try:
            answer = httpx.post(
                f"{GATEWAY}{PREDICT}",
                json=REQUEST,
                headers=self.headers | headers,
                timeout=5,
                trust_env=False,
            )
        except httpx.HTTPError as error:
            raise NotYet(f"{type(error).__name__}: {error}") from None
        if answer.status_code != 200:
            raise NotYet(f"HTTP {answer.status_code} {answer.text[:200]}")
        return answer

    def chosen(self, revision: str) -> tuple[str, str]:
        """Ask for a revision by header: who answered, by the gateway's word and by the server's own."""
        answer = self.namespace.cluster.ask(
            self.host,
            "/predict",
            {"features": REQUEST["instances"][0]},
            headers={**self.headers, REVISION: revision},
        )
        if answer.status_code != 200:
            raise NotYet(f"HTTP {answer.status_code} {answer.text[:200]}")
        return answer.headers[REVISION], str(answer.json()["version"])

    def split(self, requests: int, clients: int = 4) -> Counter[str]:
        """Return how many of so many requests each revision answered; failures count by their code."""

        def some(count: int) -> Counter[str]:
            with httpx.Client(base_url=GATEWAY, headers=self.headers, trust_env=False, timeout=10) as own:
                answers = (own.post(PREDICT, json=REQUEST) for _ in range(count))
                return Counter(
                    each.headers.get(REVISION, "nobody") if each.status_code == 200 else str(each.status_code)
                    for each in answers
                )

        with ThreadPoolExecutor(clients) as pool:
            return sum(pool.map(some, [requests // clients] * clients), Counter())

    def route(self) -> Object:
        """Return the route; raises NotYet where there is none."""
        found = self.namespace.get(*ROUTE, "iris")
        if found is None:
            raise NotYet("no HTTPRoute")
        return found

    def weights(self) -> list[tuple[str, int]]:
        """Return the first rule's backends: Service and weight, by position."""
        first = self.route()["spec"]["rules"][0]
        return [(each["name"], each["weight"]) for each in first.get("backendRefs", [])]

    def weighs(self, *expected: tuple[str, int], seconds: float = READY_SECONDS) -> None:
        """Wait until the route has those backends."""

        def look() -> None:
            if (found := self.weights()) != list(expected):
                raise NotYet(found)

        until(f"the route has {expected}", look, seconds)

    def told(self, reason: str, words: str = "") -> None:
        """Wait until our condition has that reason, and its message begins with `words`."""

        def look() -> None:
            found = condition(self.namespace.get(*ISVC, "iris"), ROUTED)
            if found["reason"] != reason or not found["message"].startswith(words):
                raise NotYet(found)

        until(f"{ROUTED} is {reason}: {words}", look, READY_SECONDS)

    def _next(self, **model: Any) -> Object:
        predictor = self.model.predictor()
        stable = predictor["model"]
        # KServe takes a promotion only where the model's place changes, too.
        other = {"storageUri": f"{stable['storageUri']}-next", "env": [_VERSION]}
        return {**predictor, "name": "next", "model": stable | other | model}


def counted(namespace: Namespace) -> dict[str, float]:
    """Return how many requests of the split Prometheus has counted, by revision: Envoy's counters, joined.

    Raises NotYet where Prometheus does not answer.
    """
    places = f'serinus_route_backend_info{{namespace="{namespace.name}", rule="split"}}'
    joined = (
        "sum by (revision) (envoy_cluster_upstream_rq_xx * on (envoy_cluster_name) group_left (revision) "
        f"max by (envoy_cluster_name, revision) ({places}))"
    )
    return {each["metric"]["revision"]: float(each["value"][1]) for each in query(namespace.cluster, joined)}


class Operator:
    """The one operator of the cluster. It runs as a Deployment whose lease has the same name."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        found = cluster.find("apps/v1", "Deployment", selector=OPERATOR)
        names = [(each["metadata"]["namespace"], each["metadata"]["name"]) for each in found]
        assert len(names) == 1, f"one operator is wanted, {names} are there: run make up"
        (self.namespace, self.name) = names[0]
        self.account: str = found[0]["spec"]["template"]["spec"]["serviceAccountName"]

    def scale(self, replicas: int) -> None:
        """Set the number of pods and wait until just so many are there and ready."""
        change = {"spec": {"replicas": replicas}}
        self.cluster.patch("apps/v1", "Deployment", self.name, change, self.namespace)

        def look() -> None:
            pods = self.cluster.find("v1", "Pod", self.namespace, OPERATOR)
            ready = [
                each
                for each in pods
                if any(
                    (told["type"], told["status"]) == ("Ready", "True")
                    for told in each.get("status", {}).get("conditions", [])
                )
            ]
            if (len(pods), len(ready)) != (replicas, replicas):
                raise NotYet(f"{len(pods)} pods, {len(ready)} ready")

        until(f"{replicas} operators", look, READY_SECONDS)

    def leader(self) -> str:
        """Return the pod that holds the lease; raises NotYet where none does."""
        lease = self.cluster.get("coordination.k8s.io/v1", "Lease", self.name, self.namespace)
        holder = str((lease or {}).get("spec", {}).get("holderIdentity") or "")
        if not holder:
            raise NotYet("nobody leads")
        return holder

    def leads_instead_of(self, pod: str) -> None:
        """Raise NotYet until somebody leads that is not `pod`."""
        if self.leader() == pod:
            raise NotYet(pod)

    def pod(self, name: str) -> Object:
        """Return one of its pods."""
        found = self.cluster.get("v1", "Pod", name, self.namespace)
        assert found is not None, f"no pod {name}"
        return found

    def may(self, verb: str, resource: str, namespace: str | None = None) -> bool:
        """Ask the API server whether the operator's account may; `resource` is group/name[/subresource]."""
        group, name, *rest = resource.split("/")
        attributes = client.V1ResourceAttributes(
            verb=verb, group=group, resource=name, namespace=namespace, subresource="".join(rest) or None
        )
        review = client.V1SubjectAccessReview(
            spec=client.V1SubjectAccessReviewSpec(
                user=f"system:serviceaccount:{self.namespace}:{self.account}",
                resource_attributes=attributes,
            )
        )
        api = client.AuthorizationV1Api(self.cluster.core.api_client)
        return bool(api.create_subject_access_review(review).status.allowed)
