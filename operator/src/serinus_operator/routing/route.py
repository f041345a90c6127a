"""The HTTPRoute: what of it is ours, how it is written, and what positions it holds.

Ours are the rules `serinus-split` (always the first: Envoy's counters are named after positions) and
`serinus-revision-<name>`, and in them matches and backends; and the parent. All other rules, filters,
timeouts and the like on our rules, and further host names are somebody else's and are kept as they are.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from serinus_contracts.records import REVISION_HEADER
from serinus_operator.routing.model import (
    ROUTE_LABEL,
    ROUTE_LABEL_VALUE,
    Backend,
    Document,
    Gateway,
    Intent,
    Revision,
)

API_VERSION = "gateway.networking.k8s.io/v1"
_SPLIT = "serinus-split"
_CHOSEN = "serinus-revision-"
_MODIFIER = "ResponseHeaderModifier"
_PORT = 80
Rule = dict[str, Any]


def build(
    intent: Intent,
    gateway: Gateway,
    slots: Sequence[str | None],
    shares: Mapping[str, int],
    current: Document | None,
) -> Document:
    """Return the route to apply. `slots` gives the order, `shares` the weight of each revision.

    Every field is written out as the API server would fill it in, so that `same` can compare.
    """
    revisions = {each.name: each for each in intent.revisions}
    spec = {} if current is None else current["spec"]
    there = {rule["name"]: rule for rule in _rules(spec) if _is_ours(rule)}
    # A free slot below an occupied one is held by a placeholder without traffic: an existing Service.
    stable = intent.revisions[0]
    backends = [_backend(revisions[name], shares[name]) if name else _backend(stable, 0) for name in slots]
    split = {"name": _SPLIT, "matches": [_match()], "backendRefs": backends}
    chosen = [
        {
            "name": f"{_CHOSEN}{name}",
            "matches": [_match(name)],
            "backendRefs": [_backend(revisions[name], 100)],
        }
        for name in slots
        if name
    ]
    rules = [_with_foreign(rule, there.get(str(rule["name"]))) for rule in (split, *chosen)]
    parent = {"group": "gateway.networking.k8s.io", "kind": "Gateway"}
    parent |= {"namespace": gateway.namespace, "name": gateway.name}
    return {
        "apiVersion": API_VERSION,
        "kind": "HTTPRoute",
        "metadata": {
            "name": intent.name,
            "namespace": intent.namespace,
            "labels": {ROUTE_LABEL: ROUTE_LABEL_VALUE},
            # It goes with the service. Nothing waits for it, so an operator that is gone blocks nobody.
            "ownerReferences": [
                {
                    "apiVersion": "serving.kserve.io/v1beta1",
                    "kind": "InferenceService",
                    "name": intent.name,
                    "uid": intent.uid,
                    "controller": True,
                    "blockOwnerDeletion": False,
                }
            ],
        },
        "spec": {
            # The platform's alone: its policies guard this entrance and no other.
            "parentRefs": [parent],
            "hostnames": [intent.host, *(each for each in spec.get("hostnames", []) if each != intent.host)],
            "rules": [*rules, *(rule for rule in _rules(spec) if not _is_ours(rule))],
        },
    }


def same(wanted: Document, current: Document | None) -> bool:
    """Say whether applying `wanted` would change nothing."""
    if current is None:
        return False
    metadata = current["metadata"]
    return (
        _is_labelled(current)
        and all(each in metadata.get("ownerReferences", []) for each in wanted["metadata"]["ownerReferences"])
        and all(current["spec"].get(key) == value for key, value in wanted["spec"].items())
    )


def is_taken(current: Document, uid: str) -> bool:
    """Say whether a route of that name is somebody else's: neither labelled nor owned by the service."""
    return not _is_owned(current, uid) and not _is_labelled(current)


def is_own(current: Document, uid: str) -> bool:
    """Say whether a route is of our making: labelled, owned by the service, with a rule of ours. KServe's own
    route of that name has the owner and copies the label."""
    made = any(_is_ours(rule) for rule in _rules(current["spec"]))
    return made and _is_owned(current, uid) and _is_labelled(current)


def held_slots(current: Document | None) -> dict[str, int]:
    """Return the slot of each revision. Of a revision and its placeholder the one with traffic counts."""
    held: dict[str, int] = {}
    for each in sorted(backends(current), key=lambda each: (each.weight == 0, each.backend)):
        if not each.chosen:
            held.setdefault(each.revision, each.backend)
    return held


def backends(current: Document | None) -> tuple[Backend, ...]:
    """Return where each revision stands in a route, placeholders included."""
    found = []
    for position, rule in enumerate(_rules({} if current is None else current["spec"])):
        for index, reference in enumerate(rule.get("backendRefs", []) if _is_ours(rule) else []):
            revision = _revision(reference)
            if revision:
                chosen = rule["name"] != _SPLIT
                weight = int(reference.get("weight", 1))
                found.append(Backend(revision, position, index, weight, chosen))
    return tuple(found)


def _is_owned(current: Document, uid: str) -> bool:
    return uid in [each["uid"] for each in current["metadata"].get("ownerReferences", [])]


def _is_labelled(current: Document) -> bool:
    return bool(current["metadata"].get("labels", {}).get(ROUTE_LABEL) == ROUTE_LABEL_VALUE)


def _rules(spec: Mapping[str, Any]) -> list[Rule]:
    return list(spec.get("rules") or [])


def _is_ours(rule: Rule) -> bool:
    name = str(rule.get("name", ""))
    return name == _SPLIT or name.startswith(_CHOSEN)


def _match(revision: str | None = None) -> dict[str, Any]:
    match: dict[str, Any] = {"path": {"type": "PathPrefix", "value": "/"}}
    if revision is not None:
        match["headers"] = [{"type": "Exact", "name": REVISION_HEADER, "value": revision}]
    return match


def _backend(revision: Revision, weight: int) -> dict[str, Any]:
    """Return one arm. The filter names it in the answer, and gives it an Envoy cluster of its own."""
    header = {"set": [{"name": REVISION_HEADER, "value": revision.name}]}
    return {
        "group": "",
        "kind": "Service",
        "name": revision.service,
        "port": _PORT,
        "weight": weight,
        "filters": [{"type": _MODIFIER, "responseHeaderModifier": header}],
    }


def _revision(reference: Mapping[str, Any]) -> str | None:
    for each in reference.get("filters", []):
        for header in (each.get("responseHeaderModifier") or {}).get("set", []):
            if header["name"].lower() == REVISION_HEADER:
                return str(header["value"])
    return None


def _with_foreign(rule: Rule, there: Rule | None) -> Rule:
    """Keep what others put on a rule of ours and on its backends."""
    if there is None:
        return rule
    extra = {_identity(each): _foreign_filters(each) for each in there.get("backendRefs", [])}
    for each in rule["backendRefs"]:
        each["filters"] = [*each["filters"], *extra.get(_identity(each), [])]
    return {**{key: value for key, value in there.items() if key not in rule}, **rule}


def _identity(reference: Mapping[str, Any]) -> str:
    return str(reference.get("name"))


def _foreign_filters(reference: Mapping[str, Any]) -> list[Any]:
    """Return a backend's filters but ours. Only one filter of our type may stand on a backend."""
    return [each for each in reference.get("filters", []) if each.get("type") != _MODIFIER]
