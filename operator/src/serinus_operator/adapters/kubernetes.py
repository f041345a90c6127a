"""The API server as routing needs it: services, endpoints, routes, conditions, Events. No policy here."""

import json
from datetime import UTC, datetime
from typing import Any

from kubernetes import client, config
from urllib3.exceptions import HTTPError

from serinus_operator.routing.model import CONDITION, Condition, Document

MANAGER = "serinus-operator"
# KServe's label on Services, and so on their EndpointSlices.
SERVICE_LABEL = "serving.kserve.io/inferenceservice"
SERVICES = ("serving.kserve.io", "v1beta1", "inferenceservices")
ROUTES = ("gateway.networking.k8s.io", "v1", "httproutes")
SLICES = ("discovery.k8s.io", "v1", "endpointslices")
# Who brings each kind that is watched.
_BRINGERS = {
    SERVICES: "KServe",
    ROUTES: "the definitions of Gateway API",
    SLICES: "Kubernetes 1.21 or newer",
}
# A server that does not answer must not hold the one worker, nor a leader that has lost its lease.
TIMEOUT_SECONDS = 10.0
_MERGE, _APPLY = "application/merge-patch+json", "application/apply-patch+yaml"
# Conditions that are not `Info` count into the InferenceService's own Ready.
_SEVERITY = "Info"


class ClusterError(Exception):
    """The API server did not answer, or refused. The message says what was asked and what came back."""


class Refused(ClusterError):
    """The API server holds the object for wrong. To send the same again is no use."""


class NotThere(ClusterError):
    """The API server does not know what was asked for."""


def connect() -> client.ApiClient:
    """Return a client: of the pod's service account, or of the current context outside of a cluster.

    Raises ClusterError where there is neither.
    """
    try:
        config.load_incluster_config()  # type: ignore[no-untyped-call]  # the client's own is untyped
    except config.ConfigException:
        try:
            config.load_kube_config()  # type: ignore[no-untyped-call]  # as above
        except config.ConfigException as error:
            raise ClusterError(f"neither in a pod of a cluster nor with a kubeconfig: {error}") from None
    return client.ApiClient()


class Cluster:
    """One API server. Every call waits at most TIMEOUT_SECONDS."""

    def __init__(self, api: client.ApiClient) -> None:
        self._objects = client.CustomObjectsApi(api)
        self._core = client.CoreV1Api(api)

    def check(self, namespaces: tuple[str, ...]) -> None:
        """Raise ClusterError where a kind that is watched is missing, or may not be read."""
        for kind, bringer in _BRINGERS.items():
            try:
                self._list_one(kind, namespaces)
            except NotThere as error:
                group, version, plural = kind
                raise ClusterError(
                    f"the cluster has no {plural}.{group} {version}: install {bringer} ({error})"
                ) from None

    def _list_one(self, kind: tuple[str, str, str], namespaces: tuple[str, ...]) -> None:
        for namespace in namespaces:
            self._call(self._objects.list_namespaced_custom_object, *_place(kind, namespace), limit=1)
        if not namespaces:
            self._call(self._objects.list_cluster_custom_object, *kind, limit=1)

    def service(self, namespace: str, name: str) -> Document | None:
        """Return an InferenceService, None where it is not there."""
        return self._read(SERVICES, namespace, name)

    def route(self, namespace: str, name: str) -> Document | None:
        """Return an HTTPRoute, None where it is not there."""
        return self._read(ROUTES, namespace, name)

    def endpoints(self, namespace: str, service: str) -> dict[str, int]:
        """Return the number of ready endpoints of each Service that KServe made for an InferenceService."""
        found: dict[str, int] = {}
        slices = self._call(
            self._objects.list_namespaced_custom_object,
            *_place(SLICES, namespace),
            label_selector=f"{SERVICE_LABEL}={service}",
        )
        for each in slices["items"]:
            name = each["metadata"].get("labels", {}).get("kubernetes.io/service-name")
            # `ready` left out means unknown, which the API says to take for ready.
            ready = [
                endpoint
                for endpoint in each.get("endpoints") or []
                if endpoint.get("conditions", {}).get("ready") is not False
            ]
            if name:
                found[name] = found.get(name, 0) + len(ready)
        return found

    def apply_route(self, route: Document) -> None:
        """Apply a route from the server's side, as our own field manager. Raises Refused, ClusterError."""
        metadata = route["metadata"]
        self._call(
            self._objects.patch_namespaced_custom_object,
            *_place(ROUTES, metadata["namespace"]),
            metadata["name"],
            route,
            field_manager=MANAGER,
            force=True,
            _content_type=_APPLY,
        )

    def delete_route(self, route: Document) -> None:
        """Delete a route as it was read. Raises ClusterError where somebody has written it since."""
        metadata = route["metadata"]
        read = client.V1Preconditions(uid=metadata["uid"], resource_version=metadata["resourceVersion"])
        self._call(
            self._objects.delete_namespaced_custom_object,
            *_place(ROUTES, metadata["namespace"]),
            metadata["name"],
            body=client.V1DeleteOptions(preconditions=read),
        )

    def show(self, service: Document, condition: Condition) -> None:
        """Write our condition into a service's status.

        The list of conditions is KServe's too and has no keys: it is replaced as a whole, and only if nobody
        has written since `service` was read. Raises ClusterError for that as well.
        """
        metadata = service["metadata"]
        old = _shown(service)
        since = old.get("lastTransitionTime") if old.get("status") == str(condition.status) else None
        new = _written(condition) | {"lastTransitionTime": since or _now()}
        others = [each for each in _conditions(service) if each["type"] != CONDITION]
        version = metadata["resourceVersion"]
        self._call(
            self._objects.patch_namespaced_custom_object_status,
            *_place(SERVICES, metadata["namespace"]),
            metadata["name"],
            {"metadata": {"resourceVersion": version}, "status": {"conditions": [*others, new]}},
            field_manager=MANAGER,
            _content_type=_MERGE,
        )

    def tell(self, service: Document, condition: Condition) -> None:
        """Post an Event about a service."""
        metadata = service["metadata"]
        reference = client.V1ObjectReference(
            api_version=service["apiVersion"],
            kind=service["kind"],
            name=metadata["name"],
            namespace=metadata["namespace"],
            uid=metadata["uid"],
        )
        now = datetime.now(UTC)
        event = client.CoreV1Event(
            metadata=client.V1ObjectMeta(generate_name=f"{metadata['name']}-route-"),
            involved_object=reference,
            type="Normal" if condition.status else "Warning",
            reason=condition.reason,
            message=condition.message[:1000],
            count=1,
            first_timestamp=now,
            last_timestamp=now,
            source=client.V1EventSource(component=MANAGER),
        )
        self._call(self._core.create_namespaced_event, metadata["namespace"], event)

    def _read(self, kind: tuple[str, str, str], namespace: str, name: str) -> Document | None:
        get: Any = self._objects.get_namespaced_custom_object
        try:
            return dict(get(*_place(kind, namespace), name, _request_timeout=TIMEOUT_SECONDS))
        except client.ApiException as error:
            if error.status == 404:
                return None
            raise _error(f"{kind[2]} {namespace}/{name}", error) from None
        except HTTPError as error:
            raise ClusterError(f"{kind[2]} {namespace}/{name}: {error}") from None

    def _call(self, function: Any, *given: Any, **more: Any) -> Any:
        what = f"{function.__name__} {' '.join(each for each in given if isinstance(each, str))}"
        try:
            return function(*given, **more, _request_timeout=TIMEOUT_SECONDS)
        except client.ApiException as error:
            raise _error(what, error) from None
        except HTTPError as error:
            raise ClusterError(f"{what}: {error}") from None


def is_shown(service: Document, condition: Condition) -> bool:
    """Say whether a service's status has this condition of ours already."""
    shown = _shown(service)
    return all(shown.get(key) == value for key, value in _written(condition).items())


def has_told(service: Document) -> bool:
    """Say whether a service's status has a condition of ours."""
    return bool(_shown(service))


def _written(condition: Condition) -> Document:
    return {
        "type": CONDITION,
        "status": str(condition.status),
        "severity": _SEVERITY,
        "reason": condition.reason,
        "message": condition.message,
    }


def _conditions(service: Document) -> list[Document]:
    return list((service.get("status") or {}).get("conditions") or [])


def _shown(service: Document) -> Document:
    return next((each for each in _conditions(service) if each["type"] == CONDITION), {})


def _place(kind: tuple[str, str, str], namespace: str) -> tuple[str, str, str, str]:
    group, version, plural = kind
    return group, version, namespace, plural


def _error(what: str, error: client.ApiException) -> ClusterError:
    try:
        message = json.loads(error.body or "{}").get("message") or error.reason
    except ValueError:
        message = error.reason
    text = f"{what}: {error.status} {message}"
    kinds: dict[int | None, type[ClusterError]] = {400: Refused, 422: Refused, 404: NotThere}
    return kinds.get(error.status, ClusterError)(text)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
