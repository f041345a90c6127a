"""One look at one service, and what its route should be. Level-based: what is observed decides."""

from collections.abc import Iterator

from serinus_operator.routing.model import (
    ROUTE_LABEL,
    ROUTE_LABEL_VALUE,
    Condition,
    Decision,
    Document,
    Intent,
    Observed,
    Unroutable,
    is_asked,
)
from serinus_operator.routing.route import backends, build, held_slots, is_own, is_taken, same
from serinus_operator.routing.service import read_service
from serinus_operator.routing.slots import assign
from serinus_operator.routing.weights import weights


def decide(observed: Observed) -> Decision:
    """Return the route to apply, if any, and the condition to show. Applying it twice does no harm."""
    if not is_asked(observed.service):
        return _withdraw(observed)
    try:
        intent = read_service(observed.service)
        _free(observed, intent)
    except Unroutable as obstacle:
        # A route that is there stays: what cannot be decided must not stop traffic.
        condition = Condition(False, obstacle.reason, str(obstacle))
        return Decision(None, condition, backends(observed.route))
    # A Service that is not there yet would make the whole rule answer 500.
    present = [each for each in intent.revisions if each.service in observed.endpoints]
    ready = {each.name for each in present if observed.endpoints[each.service] > 0}
    slots = assign([each.name for each in present], held_slots(observed.route))
    shares = weights(intent.revisions, ready)
    route = build(intent, observed.gateway, slots, shares, observed.route)
    right = same(route, observed.route)
    refusal = _refusal(observed) if right else ""
    condition = _condition(intent, shares, ready, refusal, _notice(observed))
    return Decision(None if right else route, condition, backends(route))


def _withdraw(observed: Observed) -> Decision:
    """Take back what the label asked for: a model that nobody asks to be routed must not stay open."""
    metadata = observed.service["metadata"]
    label = metadata.get("labels", {}).get(ROUTE_LABEL)
    found = f"no label {ROUTE_LABEL}" if label is None else f"label {ROUTE_LABEL} is {label!r}"
    message = f"{found}: only {ROUTE_LABEL_VALUE!r} asks for a route, and there is none of ours."
    withdrawn = observed.route is not None and is_own(observed.route, metadata["uid"])
    return Decision(None, Condition(False, "NotAsked", message), withdrawn=withdrawn)


def _free(observed: Observed, intent: Intent) -> None:
    """Raise Unroutable where no route can be written."""
    if observed.route is not None and is_taken(observed.route, intent.uid):
        raise Unroutable(
            "RouteTaken",
            f"HTTPRoute {intent.name} is somebody else's (no label serinus.dev/route, not owned by this "
            "service). Delete it, or label it to hand it over.",
        )
    if intent.revisions[0].service not in observed.endpoints:
        raise Unroutable("NotReady", f"Service {intent.revisions[0].service} is not there yet.")


def _condition(
    intent: Intent, shares: dict[str, int], ready: set[str], refusal: str, notice: str
) -> Condition:
    split = ", ".join(f"{name} {share} %" for name, share in shares.items())
    late = [
        f"{each.name} has no ready endpoint and was asked to take {each.percent} %"
        for each in intent.revisions
        if each.name not in ready and each.percent > 0
    ]
    if late:
        return Condition(False, "NotReady", f"{'; '.join(late)}. In force: {split}.")
    if refusal:
        return Condition(False, "NotAccepted", refusal)
    return Condition(True, "Routed", f"{split}.{notice}")


def _refusal(observed: Observed) -> str:
    """Return what the gateway says against the route as it stands, or that it says nothing at all, or ""."""
    gateway = observed.gateway
    name = f"Gateway {gateway.namespace}/{gateway.name}"
    if not _heard(observed):
        return f"{name} has said nothing of the route: it is not there, or its controller does not run."
    for each in _said(observed):
        if each["type"] in ("Accepted", "ResolvedRefs") and each["status"] == "False":
            return f"{name}: {each['reason']}: {each['message']}"
    return ""


def _notice(observed: Observed) -> str:
    """Return what a team should know although its route is in force as asked, or ""."""
    for each in _said(observed):
        # Of Envoy Gateway alone. A dash joins name and namespace, so two services may be one host.
        if (each["type"], each["status"]) == ("RouteRulesOverlap", "True"):
            return f" {each['message']}: the older route answers for the host."
    return ""


def _heard(observed: Observed) -> list[Document]:
    """Return the gateway's words about the route, whatever version of it they are about."""
    wanted = (observed.gateway.namespace, observed.gateway.name)
    parents = ((observed.route or {}).get("status") or {}).get("parents", [])
    return [
        each for each in parents if (each["parentRef"].get("namespace"), each["parentRef"]["name"]) == wanted
    ]


def _said(observed: Observed) -> Iterator[Document]:
    """Yield the gateway's conditions. What it says of an older version is old."""
    generation = (observed.route or {}).get("metadata", {}).get("generation")
    for parent in _heard(observed):
        for each in parent.get("conditions", []):
            if each.get("observedGeneration") == generation:
                yield each
