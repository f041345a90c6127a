"""Story: a Certificate is issued, its bundle reaches webhooks, and a lost Secret comes back."""

import base64
from collections.abc import Iterator

import pytest
from cryptography import x509
from tests.support.cluster import Cluster, Namespace, NotYet, Object, until
from tests.support.cluster_authority import ISSUED_SECONDS, Authority

pytestmark = pytest.mark.cluster

HOOKS = ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration")


@pytest.fixture
def webhooks(namespace: Namespace) -> Iterator[Object]:
    """A webhook configuration that asks for the bundle. It selects no object that anyone has."""
    hook = {
        "name": "stories.example.com",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Ignore",
        "objectSelector": {"matchLabels": {"story": namespace.name}},
        "clientConfig": {"service": {"name": "nobody", "namespace": namespace.name}},
        "rules": [
            {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
        ],
    }
    annotations = {"cert-manager.io/inject-ca-from": f"{namespace.name}/leaf"}
    meta = {"name": namespace.name, "annotations": annotations}
    yield {"apiVersion": HOOKS[0], "kind": HOOKS[1], "metadata": meta, "webhooks": [hook]}
    namespace.cluster.delete(*HOOKS, namespace.name)


def another(namespace: Namespace, lost: Object | None) -> Object:
    found = namespace.get("v1", "Secret", "leaf")
    assert lost is not None
    if found is None or found["metadata"]["uid"] == lost["metadata"]["uid"]:
        raise NotYet("the Secret is gone" if found is None else "the Secret is still going")
    return found


def bundle(cluster: Cluster, name: str, expected: bytes) -> None:
    hook = cluster.get(*HOOKS, name)
    assert hook is not None
    if base64.b64decode(hook["webhooks"][0]["clientConfig"].get("caBundle") or "") != expected:
        raise NotYet("the webhook's bundle is missing or another")


def test_a_certificate_is_issued_its_bundle_injected_and_a_lost_secret_comes_back(
    namespace: Namespace, webhooks: Object
):
    # Given a CA of our own and a webhook configuration that asks for its bundle
    namespace.cluster.apply(webhooks)
    # When a Certificate is asked of it, then it is issued
    found = Authority(namespace).certificate("leaf", "a.example.com")
    # And verified by the bundle that lies beside it
    authority = found["ca.crt"].encode()
    issued = x509.load_pem_x509_certificate(found["tls.crt"].encode())
    issued.verify_directly_issued_by(x509.load_pem_x509_certificate(authority))
    # And the API server is told to verify the webhook with that bundle
    until(
        "the webhook has the bundle",
        lambda: bundle(namespace.cluster, webhooks["metadata"]["name"], authority),
        ISSUED_SECONDS,
    )
    # And when the Secret is lost, another one comes
    lost = namespace.get("v1", "Secret", "leaf")
    namespace.cluster.delete("v1", "Secret", "leaf", namespace.name)
    again = until("the Secret is back", lambda: another(namespace, lost), ISSUED_SECONDS)
    renewed = x509.load_pem_x509_certificate(base64.b64decode(again["data"]["tls.crt"]))
    assert renewed.serial_number != issued.serial_number
