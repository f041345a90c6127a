"""Which bundle goes where."""

import copy

import pytest
from tests.support.certificates import certificate, settle, step, world

from serinus_agents.certificates.injecting import operations

WEBHOOKS = {
    "metadata": {
        "name": "inferenceservice.serving.kserve.io",
        "resourceVersion": "7",
        "annotations": {"cert-manager.io/inject-ca-from": "kserve/serving-cert"},
    },
    "webhooks": [{"name": "a", "clientConfig": {}}, {"name": "b", "clientConfig": {"caBundle": "old"}}],
}
DEFINITION = {
    **WEBHOOKS,
    "spec": {"conversion": {"strategy": "Webhook", "webhook": {"clientConfig": {"caBundle": "Cg=="}}}},
}
del DEFINITION["webhooks"]
UNCHANGED = {"op": "test", "path": "/metadata/resourceVersion", "value": "7"}


@pytest.mark.parametrize(
    ("raw", "paths"),
    [
        (WEBHOOKS, ["/webhooks/0/clientConfig/caBundle", "/webhooks/1/clientConfig/caBundle"]),
        (DEFINITION, ["/spec/conversion/webhook/clientConfig/caBundle"]),
    ],
)
def test_every_client_config_gets_the_bundle(raw: dict, paths: list[str]):
    patch = operations(raw, "new")
    assert patch == [UNCHANGED, *({"op": "add", "path": path, "value": "new"} for path in paths)]


def test_only_what_differs_is_patched():
    assert [one["path"] for one in operations(WEBHOOKS, "old")][1:] == ["/webhooks/0/clientConfig/caBundle"]


@pytest.mark.parametrize("spec", [{}, {"conversion": {"strategy": "None"}}])
def test_a_definition_without_a_webhook_is_left_alone(spec: dict):
    assert operations({**DEFINITION, "spec": spec}, "new") == []


def annotated(value: str | None) -> dict:
    raw = copy.deepcopy(WEBHOOKS)
    raw["metadata"]["annotations"] = {"cert-manager.io/inject-ca-from": value} if value else {}
    return raw


@pytest.mark.parametrize(
    ("value", "injected"),
    [("kserve/serving-cert", True), ("kserve/other", False), ("serving-cert", False), (None, False)],
)
def test_the_annotation_names_the_certificate(value: str | None, injected: bool):
    at = settle(world(certificate()))
    at.injectables["/hooks/x"] = annotated(value)
    assert step(at)[0] == (["inject /hooks/x"] if injected else [])


def test_nothing_is_injected_before_there_is_a_bundle():
    at = world(certificate(issuerRef={"name": "nobody"}), injectables={"/hooks/x": WEBHOOKS})
    assert not [word for word in step(at)[0] if word.startswith("inject")]
