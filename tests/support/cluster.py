"""The kind cluster of `make up` as the stories see it: objects, pods, waits, what to show after a failure."""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import httpx
import yaml
from kubernetes import client, config, stream
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import NotFoundError

from serinus_cluster.plan import CONTEXT, SYSTEM
from serinus_cluster.plan import GATEWAY_URL as GATEWAY
from tests.support.waiting import NotYet
from tests.support.waiting import until as until

ADMIN_KEYS, KEY = "serinus-admin-keys", "x-api-key"
MARK = "serinus.dev/e2e"
MANAGER = "serinus-e2e"
Object = dict[str, Any]


@dataclass(frozen=True)
class Ran:
    """How a command in a pod ended."""

    code: int
    output: str


class Cluster:
    """The API server and the gateway. `connect` raises where there is no such cluster."""

    def __init__(self, api: client.ApiClient) -> None:
        self.core = client.CoreV1Api(api)
        self._dynamic = DynamicClient(api)

    @classmethod
    def connect(cls) -> "Cluster":
        """Return the running cluster; raises ConfigException or an error of the connection."""
        api = config.new_client_from_config(context=CONTEXT)
        client.VersionApi(api).get_code(_request_timeout=5)
        return cls(api)

    @cached_property
    def admin(self) -> dict[str, str]:
        """The header that opens every model: the administrator's key."""
        secret = self.core.read_namespaced_secret(ADMIN_KEYS, SYSTEM)
        return {KEY: base64.b64decode(secret.data["admin"]).decode()}

    def _resource(self, document: Mapping[str, Any]) -> Any:
        return self._dynamic.resources.get(api_version=document["apiVersion"], kind=document["kind"])

    def apply(self, document: Object) -> Object:
        """Apply an object from the server's side and return it; raises DynamicApiError if it is refused."""
        place = {"name": document["metadata"]["name"], "namespace": document["metadata"].get("namespace")}
        answer = self._dynamic.server_side_apply(
            self._resource(document), document, field_manager=MANAGER, force_conflicts=True, **place
        )
        return dict(answer.to_dict())

    def patch(
        self, api_version: str, kind: str, name: str, change: Object, namespace: str | None = None
    ) -> Object:
        """Merge `change` into an object, as `kubectl patch --type=merge` does, and return it."""
        resource = self._dynamic.resources.get(api_version=api_version, kind=kind)
        answer = self._dynamic.patch(
            resource,
            body=change,
            name=name,
            namespace=namespace,
            field_manager=MANAGER,
            content_type="application/merge-patch+json",
        )
        return dict(answer.to_dict())

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Object | None:
        """Return an object; None where it is not there."""
        resource = self._dynamic.resources.get(api_version=api_version, kind=kind)
        try:
            return dict(self._dynamic.get(resource, name=name, namespace=namespace).to_dict())
        except NotFoundError:
            return None

    def find(
        self, api_version: str, kind: str, namespace: str | None = None, selector: str | None = None
    ) -> list[Object]:
        """Return the objects of a kind, in one namespace or all."""
        resource = self._dynamic.resources.get(api_version=api_version, kind=kind)
        found = self._dynamic.get(resource, namespace=namespace, label_selector=selector)
        return [dict(each) for each in found.to_dict()["items"]]

    def delete(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> None:
        """Delete an object and what it owns, if it is there."""
        resource = self._dynamic.resources.get(api_version=api_version, kind=kind)
        try:
            self._dynamic.delete(
                resource, name=name, namespace=namespace, body={"propagationPolicy": "Foreground"}
            )
        except NotFoundError:
            return

    def execute(self, namespace: str, pod: str, command: list[str], seconds: float = 30) -> Ran:
        """Run a command in a pod. Of a connection of its own: a stream takes its client over."""
        core = client.CoreV1Api(config.new_client_from_config(context=CONTEXT))
        process = stream.stream(
            core.connect_get_namespaced_pod_exec,
            pod, namespace, command=command, stdout=True, stderr=True, stdin=False, _preload_content=False,
        )  # fmt: skip
        process.run_forever(timeout=seconds)
        if process.is_open():
            process.close()
            raise AssertionError(f"{command[:2]} in {pod} did not end within {seconds:g} s")
        return Ran(process.returncode, process.read_all().strip())

    def ask(
        self, host: str, path: str, body: object, seconds: float = 5, headers: Mapping[str, str] = {}
    ) -> httpx.Response:
        """Return the gateway's answer to a request for `host`."""
        named = {"host": host, **self.admin, **headers}
        return httpx.post(f"{GATEWAY}{path}", json=body, headers=named, timeout=seconds, trust_env=False)


class Namespace:
    """One story's namespace. What is applied here gets its name."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster = cluster
        self.name = name

    def apply(self, document: Object) -> Object:
        """Apply an object in this namespace."""
        return self.cluster.apply(document | {"metadata": {**document["metadata"], "namespace": self.name}})

    def get(self, api_version: str, kind: str, name: str) -> Object | None:
        """Return an object of this namespace; None where it is not there."""
        return self.cluster.get(api_version, kind, name, self.name)

    def find(self, api_version: str, kind: str, selector: str | None = None) -> list[Object]:
        """Return the objects of a kind in this namespace."""
        return self.cluster.find(api_version, kind, self.name, selector)

    def pods(self, selector: str | None = None) -> list[Object]:
        """Return the pods that are not being deleted."""
        return [pod for pod in self.find("v1", "Pod", selector) if "deletionTimestamp" not in pod["metadata"]]

    def execute(self, pod: str, *command: str) -> Ran:
        """Run a command in a pod."""
        return self.cluster.execute(self.name, pod, list(command))

    def logs(self, pod: str) -> str:
        """Return what the containers of a pod said last, in the order in which they started."""
        status = (self.get("v1", "Pod", pod) or {}).get("status", {})
        begun = [
            each["name"]
            for kind in ("initContainerStatuses", "containerStatuses")
            for each in status.get(kind, [])
            if "waiting" not in each["state"] or each.get("lastState")
        ]
        read = self.cluster.core.read_namespaced_pod_log
        return "".join(str(read(pod, self.name, container=each, tail_lines=60)) for each in begun)

    def state(self) -> Iterator[str]:
        """Yield what a reader needs after a failure: pods, events, and the pods' last lines."""
        pods = self.find("v1", "Pod")
        for pod in pods:
            yield f"pod {pod['metadata']['name']}: {pod_state(pod)}"
        events = self.find("v1", "Event")
        for event in sorted(events, key=lambda each: each.get("lastTimestamp") or "")[-40:]:
            about = event["involvedObject"]
            yield f"{event['type']} {about['kind']}/{about['name']}: {event['reason']}: {event['message']}"
        for pod in pods:
            try:
                yield f"--- logs of {pod['metadata']['name']}\n{self.logs(pod['metadata']['name'])}"
            except client.ApiException as error:
                yield f"--- no logs of {pod['metadata']['name']}: {error.reason}"


def pod_state(pod: Object) -> str:
    """Say in one line where a pod stands."""
    status = pod.get("status", {})
    words = [status.get("phase", "no status")]
    for container in status.get("containerStatuses", []):
        words += [
            f"{name}: {detail.get('reason', '')}" for name, detail in container.get("state", {}).items()
        ]
    words += [
        f"{each['type']}={each['status']} {each.get('message', '')}".strip()
        for each in status.get("conditions", [])
        if each["status"] != "True"
    ]
    return ", ".join(words)


def condition(document: Object | None, name: str) -> Object:
    """Return a condition of an object's status; raises NotYet where object or condition is missing."""
    if document is None:
        raise NotYet("no such object")
    # Some kinds have them as null at first.
    for each in document.get("status", {}).get("conditions") or []:
        if each["type"] == name:
            return dict(each)
    raise NotYet(f"no condition {name} in {document.get('status', {})}")


def documents(text: str) -> list[Object]:
    """Return the objects of a YAML text."""
    return [each for each in yaml.safe_load_all(text) if each]
