"""Somebody else's monitoring in a namespace of its own: prometheus-operator, and a Prometheus of its."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import yaml

from serinus_airgap import charts, versions
from tests.support.cluster import Cluster, Namespace, NotYet, Object, condition, until
from tests.support.cluster_pods import RESTRICTED
from tests.support.story_images import story_images

# What their Prometheus selects by, as kube-prometheus-stack does.
SELECTED = {"release": "theirs"}
SERVICE = "prometheus-operated:9090"
DEFINITIONS = ("podmonitors", "probes", "prometheuses", "prometheusrules", "scrapeconfigs", "servicemonitors")
DEFINED_SECONDS, READY_SECONDS = 60, 240
DEFINITION = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
KIND = ("monitoring.coreos.com/v1", "Prometheus")
OPERATOR, PROMETHEUS = "prometheus-operator", "prometheus"
POD_SECURITY = {key: RESTRICTED[key] for key in ("runAsNonRoot", "seccompProfile")} | {"runAsUser": 65534}
CONTAINER_SECURITY = {
    key: RESTRICTED[key] for key in ("allowPrivilegeEscalation", "readOnlyRootFilesystem", "capabilities")
}
ALL = ["*"]
RULES = {
    OPERATOR: [
        {"apiGroups": ["monitoring.coreos.com"], "resources": ALL, "verbs": ALL},
        {"apiGroups": ["apps"], "resources": ["statefulsets"], "verbs": ALL},
        {
            "apiGroups": [""],
            "resources": ["configmaps", "secrets", "services", "services/finalizers", "endpoints"],
            "verbs": ALL,
        },
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "delete"]},
        {"apiGroups": [""], "resources": ["nodes", "namespaces"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch"]},
    ],
    PROMETHEUS: [
        {
            "apiGroups": [""],
            "resources": ["nodes", "services", "endpoints", "pods"],
            "verbs": ["get", "list", "watch"],
        },
        {"apiGroups": [""], "resources": ["nodes/metrics"], "verbs": ["get"]},
    ],
}


@contextmanager
def installed(namespace: Namespace) -> Iterator[None]:
    """Have it run in a namespace; what belongs to no namespace is taken away at the end."""
    cluster = namespace.cluster
    with ExitStack() as stack:
        for document in (*_definitions(cluster), *_roles(namespace.name)):
            names = document["apiVersion"], document["kind"], document["metadata"]["name"]
            stack.callback(cluster.delete, *names)
            cluster.apply(document)
            if names[1] == DEFINITION[1]:
                until(f"{names[2]} is defined", partial(_is, "Established", cluster, *names), DEFINED_SECONDS)
        # Its object goes first, while who cleans up after it still runs.
        stack.callback(cluster.delete, *KIND, PROMETHEUS, namespace.name)
        for document in (*_operator(namespace.name), _prometheus(), _kubelets()):
            namespace.apply(document)
        ready = partial(_is, "Available", cluster, *KIND, PROMETHEUS, namespace.name)
        until("their Prometheus is ready", ready, READY_SECONDS, pause=1)
        yield


def _is(name: str, cluster: Cluster, *names: str) -> None:
    found = condition(cluster.get(*names), name)
    if found["status"] != "True":
        raise NotYet(found)


def _definitions(cluster: Cluster) -> Iterator[Object]:
    """Yield the definitions that the cluster does not have yet."""
    folder = charts.folder("prometheus-operator-crds", versions.load())
    for name in DEFINITIONS:
        document = yaml.load((folder / f"monitoring.coreos.com_{name}.yaml").read_text(), yaml.CSafeLoader)
        if cluster.get(*DEFINITION, document["metadata"]["name"]) is None:
            yield document


def _roles(namespace: str) -> Iterator[Object]:
    rbac = "rbac.authorization.k8s.io"
    for account, rules in RULES.items():
        metadata = {"name": f"{namespace}-{account}"}
        yield {"apiVersion": f"{rbac}/v1", "kind": "ClusterRole", "metadata": metadata, "rules": rules}
        yield {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": metadata["name"]},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
        }


def _operator(namespace: str) -> Iterator[Object]:
    images = story_images(OPERATOR, "prometheus-config-reloader")
    for account in RULES:
        yield {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account}}
    labels = {"app.kubernetes.io/name": OPERATOR}
    container = {
        "name": OPERATOR,
        "image": images[OPERATOR],
        "args": [
            f"--kubelet-service={namespace}/kubelet",
            f"--prometheus-config-reloader={images['prometheus-config-reloader']}",
            # On a busy machine a hundredth of a core starts nothing in time.
            "--config-reloader-cpu-limit=0",
            # A node may be shared with somebody else's operator of this kind.
            f"--prometheus-instance-namespaces={namespace}",
        ],
        "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": CONTAINER_SECURITY,
    }
    yield {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": OPERATOR},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "serviceAccountName": OPERATOR,
                    "securityContext": POD_SECURITY,
                    "containers": [container],
                },
            },
        },
    }


def _prometheus() -> Object:
    pins = versions.load()
    selected = {"matchLabels": SELECTED}
    return {
        "apiVersion": KIND[0],
        "kind": KIND[1],
        "metadata": {"name": PROMETHEUS},
        "spec": {
            "image": f"docker.io/prom/prometheus:{pins['PROMETHEUS']}",
            "version": pins["PROMETHEUS"],
            "replicas": 1,
            "serviceAccountName": PROMETHEUS,
            "securityContext": {**POD_SECURITY, "fsGroup": 65534},
            "resources": {"requests": {"cpu": "10m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
            "podMonitorSelector": selected,
            "podMonitorNamespaceSelector": {},
            "ruleSelector": selected,
            "ruleNamespaceSelector": {},
            # Of its own namespace alone.
            "serviceMonitorSelector": {},
        },
    }


def _kubelets() -> Object:
    """The kubelets at both paths that tell of containers."""
    reach = {
        "port": "https-metrics",
        "scheme": "https",
        "honorLabels": True,
        "tlsConfig": {"insecureSkipVerify": True},
        "bearerTokenFile": "/var/run/secrets/kubernetes.io/serviceaccount/token",
        "relabelings": [{"sourceLabels": ["__metrics_path__"], "targetLabel": "metrics_path"}],
    }
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "ServiceMonitor",
        "metadata": {"name": "kubelet"},
        "spec": {
            "jobLabel": "k8s-app",
            "selector": {"matchLabels": {"k8s-app": "kubelet"}},
            "endpoints": [{**reach, "path": path} for path in ("/metrics/resource", "/metrics/cadvisor")],
        },
    }
