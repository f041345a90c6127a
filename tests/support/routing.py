"""InferenceServices as KServe keeps them, and routes as the API server would hold them after an apply."""

import copy
from typing import Any

from serinus_operator.routing.decide import decide
from serinus_operator.routing.model import Decision, Document, Gateway, Observed

GATEWAY = Gateway("serinus-system", "serinus")
UID = "11111111-2222-3333-4444-555555555555"


def service(canaries: dict[str, int] | None = None, *, stable: str | None = None, **spec: Any) -> Document:
    """Return an InferenceService `churn` whose canaries take what is given."""
    model = {"modelFormat": {"name": "serinus"}, "storageUri": "mlflow://churn/1"}
    predictor: Document = {"model": model}
    if stable is not None:
        predictor["name"] = stable
    entries = [
        {"trafficPercent": percent, "predictor": {"name": name, "model": model}}
        for name, percent in (canaries or {}).items()
    ]
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": "churn",
            "namespace": "team",
            "uid": UID,
            "resourceVersion": "7",
            "labels": {"serinus.dev/route": "true"},
        },
        "spec": {"predictor": predictor, **({"canary": entries} if entries else {}), **spec},
        "status": {"url": "http://churn-team.example.com", "deploymentMode": "Standard"},
    }


def observed(document: Document, endpoints: dict[str, int], route: Document | None = None) -> Observed:
    """Return what a look would see. `endpoints` are ready ones by revision; `stable` is a nameless one."""
    services = {
        f"churn-{name}-predictor".replace("-stable-", "-"): count for name, count in endpoints.items()
    }
    return Observed(document, services, route, GATEWAY)


def applied(decision: Decision, before: Document | None = None) -> Document:
    """Return the route as it is after a decision."""
    if decision.route is None:
        assert before is not None
        return before
    route = copy.deepcopy(decision.route)
    route["metadata"]["generation"] = (
        1 + (before or {"metadata": {"generation": 0}})["metadata"]["generation"]
    )
    route["status"] = heard(route)
    return route


def heard(route: Document) -> Document:
    """Return the status of a route that its gateways know, and have nothing to say of."""
    return {"parents": [{"parentRef": each, "conditions": []} for each in route["spec"]["parentRefs"]]}


def routed(
    canaries: dict[str, int] | None, endpoints: dict[str, int], before: Document | None = None, **more: Any
) -> Document:
    """Return the route after one look at such a service."""
    seen = observed(service(canaries, **more), endpoints, before)
    return applied(decide(seen), before)


def split(route: Document) -> list[tuple[str, int]]:
    """Return the first rule's backends: Service and weight, by position."""
    return [(each["name"], each["weight"]) for each in route["spec"]["rules"][0]["backendRefs"]]
