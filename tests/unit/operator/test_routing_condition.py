"""What a service is told: why there is no route, or why traffic does not go as asked."""

import copy
from typing import Any

import pytest
from tests.support.routing import GATEWAY, observed, routed, service

from serinus_operator.routing.decide import decide

BOTH = {"stable": 1, "next": 1}
SERVERLESS = service() | {"status": {"url": "http://x.example.com", "deploymentMode": "Knative"}}
NO_MODEL = service()
NO_MODEL["spec"]["predictor"] = {"containers": [{"image": "x"}]}
NO_URL = service() | {"status": {}}

NO_ROUTE = {
    "a transformer": (
        service(transformer={"containers": []}),
        "Unsupported",
        "spec.transformer is not routed",
    ),
    "an explainer": (service(explainer={"containers": []}), "Unsupported", "spec.explainer is not routed"),
    "no model": (NO_MODEL, "Unsupported", "has no `model`"),
    "not Standard": (SERVERLESS, "Unsupported", "deployment mode Knative"),
    "a canary called stable": (service({"stable": 10}), "Unsupported", "two predictors are called stable"),
    "more than all": (service({"a": 60, "b": 60}), "Unsupported", "trafficPercent of all canaries is 120"),
    "no host yet": (NO_URL, "NotReady", "If that lasts, its Events"),
}


@pytest.mark.parametrize(("document", "reason", "words"), NO_ROUTE.values(), ids=NO_ROUTE.keys())
def test_what_cannot_be_routed_says_why_and_leaves_a_route_as_it_is(document, reason: str, words: str):
    there = routed({"next": 30}, BOTH)
    for route in (None, there):
        decision = decide(observed(document, BOTH, route))
        assert decision.route is None
        assert not decision.condition.status
        assert decision.condition.reason == reason
        assert words in decision.condition.message
        assert len(decision.backends) == (0 if route is None else 4)


def test_without_its_service_there_is_no_route_yet():
    condition = decide(observed(service(), {})).condition
    assert (condition.status, condition.reason) == (False, "NotReady")
    assert condition.message == "Service churn-predictor is not there yet."


@pytest.mark.parametrize(
    ("asked", "endpoints", "words"),
    [
        (30, {"stable": 1, "next": 0}, "next has no ready endpoint and was asked to take 30 %."),
        (30, {"stable": 1}, "next has no ready endpoint and was asked to take 30 %."),
        (30, {"stable": 0, "next": 1}, "stable has no ready endpoint and was asked to take 70 %."),
    ],
)
def test_a_share_that_nobody_can_answer_is_told(asked: int, endpoints: dict[str, int], words: str):
    condition = decide(observed(service({"next": asked}), endpoints)).condition
    assert (condition.status, condition.reason) == (False, "NotReady")
    assert words in condition.message


def test_a_canary_that_was_asked_nothing_may_be_late():
    condition = decide(observed(service({"next": 0}), {"stable": 1, "next": 0})).condition
    assert (condition.status, condition.reason, condition.message) == (
        True,
        "Routed",
        "stable 100 %, next 0 %.",
    )


def test_a_route_of_somebody_else_is_left_alone():
    theirs = routed(None, {"stable": 1})
    theirs["metadata"] |= {"labels": {}, "ownerReferences": []}
    decision = decide(observed(service(), {"stable": 1}, theirs))
    assert decision.route is None
    assert decision.condition.reason == "RouteTaken"
    # Labelled, it is handed over.
    theirs["metadata"]["labels"] = {"serinus.dev/route": "true"}
    assert decide(observed(service(), {"stable": 1}, theirs)).route is not None


@pytest.mark.parametrize(("label", "said"), [(None, "no label"), ("false", "'false'"), ("True", "'True'")])
def test_a_route_goes_with_the_label(label: str | None, said: str):
    there = routed({"next": 30}, BOTH)
    document = service({"next": 30})
    document["metadata"]["labels"] = {} if label is None else {"serinus.dev/route": label}
    decision = decide(observed(document, {}, there))
    assert (decision.withdrawn, decision.route, decision.backends) == (True, None, ())
    assert (decision.condition.status, decision.condition.reason) == (False, "NotAsked")
    assert said in decision.condition.message
    assert not decide(observed(document, {}, None)).withdrawn


@pytest.mark.parametrize(
    "change",
    [
        {"labels": {}},
        {"ownerReferences": []},
        # Of the same name before the service was made anew.
        {"ownerReferences": [{"uid": "another"}]},
    ],
)
def test_a_route_that_was_taken_over_stays_without_the_label(change: dict[str, Any]):
    there = routed(None, {"stable": 1})
    there["metadata"] |= change
    document = service()
    document["metadata"]["labels"] = {}
    assert not decide(observed(document, {}, there)).withdrawn


def test_a_route_of_kserves_own_is_not_ours_to_take():
    there = routed(None, {"stable": 1})
    there["spec"]["rules"] = [{"backendRefs": [{"name": "churn-predictor", "port": 80}]}]
    document = service()
    document["metadata"]["labels"] = {}
    assert not decide(observed(document, {}, there)).withdrawn


def accepted(route, *, generation: int, gateway: str = GATEWAY.name):
    """Return the route with a refusal of the gateway about that generation."""
    refusal = {
        "type": "ResolvedRefs",
        "status": "False",
        "reason": "BackendNotFound",
        "message": "no such Service",
        "observedGeneration": generation,
    }
    parent = {"parentRef": {"namespace": GATEWAY.namespace, "name": gateway}, "conditions": [refusal]}
    return copy.deepcopy(route) | {"status": {"parents": [parent]}}


def test_the_gateways_refusal_is_passed_on_while_it_is_about_this_route():
    route = routed({"next": 30}, BOTH)
    newest = route["metadata"]["generation"]
    refused = accepted(route, generation=newest)
    condition = decide(observed(service({"next": 30}), BOTH, refused)).condition
    assert (condition.status, condition.reason) == (False, "NotAccepted")
    assert condition.message == "Gateway serinus-system/serinus: BackendNotFound: no such Service"
    inner = accepted(route, generation=newest, gateway="inner")
    inner["status"]["parents"] += route["status"]["parents"]
    for other in (accepted(route, generation=newest - 1), inner):
        assert decide(observed(service({"next": 30}), BOTH, other)).condition.status
    # A gateway that is not there cannot say so itself.
    silent = copy.deepcopy(route) | {"status": {}}
    condition = decide(observed(service({"next": 30}), BOTH, silent)).condition
    assert (condition.status, condition.reason) == (False, "NotAccepted")
    assert condition.message.startswith("Gateway serinus-system/serinus has said nothing of the route")
    # About to be changed: what was refused is not what will be.
    assert decide(observed(service({"next": 40}), BOTH, refused)).condition.status


def test_a_host_that_two_routes_have_is_told():
    route = routed(None, {"stable": 1})
    overlap = {
        "type": "RouteRulesOverlap",
        "status": "True",
        "reason": "RouteRulesOverlap",
        "message": "Overlapping match conditions with route(s): HTTPRoute b-c/a",
        "observedGeneration": route["metadata"]["generation"],
    }
    route["status"]["parents"][0]["conditions"].append(overlap)
    condition = decide(observed(service(), {"stable": 1}, route)).condition
    assert (condition.status, condition.reason) == (True, "Routed")
    assert condition.message == (
        "stable 100 %. Overlapping match conditions with route(s): HTTPRoute b-c/a: the older route answers "
        "for the host."
    )
