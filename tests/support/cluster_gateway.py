"""The gateway of the release as stories use it: keys, policies of a team's namespace, both ways in."""

import base64
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from tests.support import charts
from tests.support.charts import NAMESPACE as RELEASE_NAMESPACE
from tests.support.charts import RELEASE
from tests.support.cluster import (
    ADMIN_KEYS,
    GATEWAY,
    Cluster,
    Namespace,
    NotYet,
    Object,
    condition,
    until,
)
from tests.support.cluster import (
    KEY as KEY,
)
from tests.support.programs import program

# Where a port of kind's leads; that of clear text is GATEWAY.
ENCRYPTED = "https://127.0.0.1:8443"
CLIENT = "x-serinus-client"
KEYS = "serinus-api-keys"
ROUTED = {"serinus.dev/route": "true"}
POLICIES = ("SecurityPolicy", "BackendTrafficPolicy")
GATEWAYS = ("gateway.networking.k8s.io/v1", "Gateway")
GRANT = ("gateway.networking.k8s.io/v1beta1", "ReferenceGrant")
# From the API server through Envoy Gateway to Envoy.
IN_FORCE_SECONDS = 30


@dataclass(frozen=True)
class Ways:
    """Where a gateway answers: in clear text, and by TLS."""

    clear: str
    encrypted: str


PLATFORM = Ways(GATEWAY, ENCRYPTED)


def ways_of(cluster: Cluster, namespace: str, name: str) -> Ways:
    """Return where another Gateway answers, by ports of the node. Raises NotYet while it does not."""
    owner = "gateway.envoyproxy.io/owning-gateway"
    selector = f"{owner}-namespace={namespace},{owner}-name={name}"
    services = cluster.find("v1", "Service", selector=selector)
    told = condition(cluster.get(*GATEWAYS, name, namespace), "Programmed")
    if told["status"] != "True" or not services:
        raise NotYet(f"{told}, {len(services)} Services")
    (node, *_) = cluster.find("v1", "Node")
    (address,) = [each["address"] for each in node["status"]["addresses"] if each["type"] == "InternalIP"]
    ports = {each["port"]: each["nodePort"] for each in services[0]["spec"]["ports"]}
    return Ways(f"http://{address}:{ports.get(80, 0)}", f"https://{address}:{ports.get(443, 0)}")


def held(cluster: Cluster, namespace: str, name: str) -> dict[str, bytes]:
    """Return what a Secret holds; raises NotYet where there is none."""
    found = cluster.get("v1", "Secret", name, namespace)
    if found is None:
        raise NotYet(f"no Secret {namespace}/{name}")
    return {key: base64.b64decode(text) for key, text in found.get("data", {}).items()}


def key_of(cluster: Cluster, namespace: str, client: str = "default") -> str:
    """Return the key of one client of a namespace."""
    return held(cluster, namespace, KEYS)[client].decode()


def admin_key(cluster: Cluster) -> str:
    """Return the key that opens every model."""
    return held(cluster, RELEASE_NAMESPACE, ADMIN_KEYS)["admin"].decode()


def authority(cluster: Cluster) -> str:
    """Return the certificate of the CA that signed the gateway's, as PEM."""
    return held(cluster, RELEASE_NAMESPACE, f"{RELEASE}-gateway-tls")["ca.crt"].decode()


def ask(
    host: str,
    path: str,
    *,
    headers: Mapping[str, str] = {},
    trusting: str | None = None,
    seconds: float = 5,
    ways: Ways = PLATFORM,
    **more: Any,
) -> httpx.Response:
    """Return the gateway's answer for `host`: in clear text, or by TLS `trusting` one CA (PEM) alone."""
    base, verify, extensions = ways.clear, ssl.create_default_context(), {}
    if trusting is not None:
        base, verify = ways.encrypted, ssl.create_default_context(cadata=trusting)
        extensions = {"sni_hostname": host}
    with httpx.Client(base_url=base, verify=verify, timeout=seconds, trust_env=False) as client:
        return client.post(path, headers={"host": host, **headers}, extensions=extensions, **more)


def answers(host: str, status: int, words: str = "", path: str = "/", **asked: Any) -> httpx.Response:
    """Wait until the gateway answers with `status`, and `words` in its body; `asked` is as for `ask`."""

    def look() -> httpx.Response:
        try:
            answer = ask(host, path, **({"json": {}} | asked))
        except httpx.TransportError as error:
            raise NotYet(f"{type(error).__name__}: {error}") from None
        if answer.status_code != status or words not in answer.text:
            raise NotYet(f"HTTP {answer.status_code} {answer.text[:200]}")
        return answer

    return until(f"{host} answers {status} {words}", look, IN_FORCE_SECONDS, pause=0.1)


def chart(release: str, values: Mapping[str, Any]) -> list[Object]:
    """Return the objects that the chart renders in the namespace of the platform's release."""
    return charts.objects(charts.template(program("helm"), "serving", values, release=release))


def entrance_values(team: str, **serving: Any) -> Object:
    """Return the umbrella's values for an entrance and nothing else, for the models of one namespace."""
    return {
        "global": {"models": {"namespaces": [team]}},
        "parts": dict.fromkeys(("mlflow", "feast", "monitoring", "operator"), False),
        "serving": {
            "runtime": {"create": False},
            "logRedis": {"enabled": False},
            "envoy": {"concurrency": 1, "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}}},
            **serving,
        },
    }


class Team:
    """A namespace of a model team under the chart's policies, on the platform's Gateway or another one."""

    def __init__(self, namespace: Namespace, gateway: tuple[str, str] = (RELEASE_NAMESPACE, RELEASE)) -> None:
        self.namespace = namespace
        self.cluster = namespace.cluster
        self._gateway = dict(zip(("namespace", "name"), gateway, strict=True))

    def govern(self, **values: Any) -> None:
        """Write the policies that the chart renders for this namespace; `values` are the chart's."""
        given = {
            "global": {"models": {"namespaces": [self.namespace.name]}},
            "gateway": {
                "create": False,
                "existing": {"name": RELEASE, "namespace": RELEASE_NAMESPACE},
            },
            "runtime": {"create": False},
            "logRedis": {"enabled": False},
            **values,
        }
        given["auth"] = {"apiKeys": {"existingAdminSecret": ADMIN_KEYS}, **values.get("auth", {})}
        for each in chart(self.namespace.name, given):
            self.cluster.apply(each)

    def dismiss(self) -> None:
        """Take back what lies outside of the namespace."""
        self.cluster.delete(*GRANT, f"{self.namespace.name}-admin-keys", RELEASE_NAMESPACE)

    def route(self, name: str, service: str, port: int = 80, labels: Mapping[str, str] = ROUTED) -> str:
        """Lead a host of its own to a Service and return the host."""
        host = f"{name}-{self.namespace.name}.example.com"
        self.namespace.apply(
            {
                "apiVersion": "gateway.networking.k8s.io/v1",
                "kind": "HTTPRoute",
                "metadata": {"name": name, "labels": dict(labels)},
                "spec": {
                    "parentRefs": [self._gateway],
                    "hostnames": [host],
                    "rules": [{"backendRefs": [{"name": service, "port": port}]}],
                },
            }
        )
        # A policy has a status once it has a route.
        if labels:
            for kind in POLICIES:
                self._accepted(kind)
        return host

    def _accepted(self, kind: str) -> None:
        def look() -> None:
            for each in self.namespace.find("gateway.envoyproxy.io/v1alpha1", kind):
                ancestors = each.get("status", {}).get("ancestors", [])
                if not ancestors:
                    raise NotYet(f"{kind} has no status")
                for ancestor in ancestors:
                    told = condition({"status": ancestor}, "Accepted")
                    if told["status"] != "True":
                        raise NotYet(told)

        until(f"{kind} of {self.namespace.name} is accepted", look, IN_FORCE_SECONDS)
