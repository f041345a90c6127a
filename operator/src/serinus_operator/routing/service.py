"""What an InferenceService asks for, in routing's words."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from serinus_operator.routing.model import STABLE, Document, Intent, Revision, Unroutable

_MODE = "serving.kserve.io/deploymentMode"
# KServe's older word for Standard is taken too.
_STANDARD = ("Standard", "RawDeployment")


def read_service(document: Document) -> Intent:
    """Return what an InferenceService asks for. Raises Unroutable: Unsupported or NotReady."""
    metadata, spec = document["metadata"], document["spec"]
    status = document.get("status") or {}
    _supported(spec, str(status.get("deploymentMode") or metadata.get("annotations", {}).get(_MODE, "")))
    name = metadata["name"]
    canaries = spec.get("canary") or []
    stable = spec["predictor"].get("name") or STABLE
    revisions = [
        Revision(
            stable,
            _service_name(name, spec["predictor"]),
            100 - sum(each["trafficPercent"] for each in canaries),
        )
    ]
    for each in canaries:
        predictor = each["predictor"]
        revisions.append(Revision(predictor["name"], _service_name(name, predictor), each["trafficPercent"]))
    _unambiguous(revisions)
    host = urlsplit(str(status.get("url") or "")).hostname
    if not host:
        raise Unroutable(
            "NotReady",
            "KServe has not set status.url yet, which holds the host of the route. If that lasts, its Events "
            "on this InferenceService say why.",
        )
    return Intent(metadata["namespace"], name, metadata["uid"], host, tuple(revisions))


def _service_name(name: str, predictor: Mapping[str, Any]) -> str:
    """Return the name that KServe 0.20 gives a predictor's Service and Deployment."""
    infix = predictor.get("name")
    return f"{name}-{infix}-predictor" if infix else f"{name}-predictor"


def _supported(spec: Mapping[str, Any], mode: str) -> None:
    for component in ("transformer", "explainer"):
        if spec.get(component):
            raise Unroutable(
                "Unsupported",
                f"spec.{component} is not routed: traffic would pass it by. Take it away, or the label.",
            )
    if not (spec.get("predictor") or {}).get("model"):
        raise Unroutable(
            "Unsupported",
            "spec.predictor has no `model`: KServe splits nothing for other kinds of predictor.",
        )
    if mode and mode not in _STANDARD:
        raise Unroutable(
            "Unsupported", f"deployment mode {mode} has routes of its own; Standard is what is routed here."
        )


def _unambiguous(revisions: list[Revision]) -> None:
    names = [each.name for each in revisions]
    for name in names:
        if names.count(name) > 1:
            raise Unroutable(
                "Unsupported", f"two predictors are called {name}: a name is what tells revisions apart."
            )
    if revisions[0].percent < 0:
        raise Unroutable("Unsupported", f"trafficPercent of all canaries is {100 - revisions[0].percent}.")
