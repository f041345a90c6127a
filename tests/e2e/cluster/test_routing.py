"""Story: a team labels an InferenceService, and its spec says where traffic goes."""

import math
import time
from collections.abc import Callable

import pytest
from tests.support.cluster import Namespace, NotYet, until
from tests.support.cluster_models import ISVC, PREDICT, READY_SECONDS, REQUEST, ROUTE
from tests.support.cluster_routes import IN_FORCE_SECONDS, REVISION, RoutedModel, counted

pytestmark = pytest.mark.cluster

STABLE, NEXT = "iris-predictor", "iris-next-predictor"
MANY = 10_000
# Envoy is asked each 5 s, the operator each 30 s.
SCRAPED_SECONDS = 60


def test_a_canary_moves_by_editing_the_spec_from_nothing_to_promotion(
    namespace: Namespace, figure: Callable[[str, str], None]
):
    # Given a labelled model that answers, though nobody wrote a route
    model = RoutedModel(namespace).start()
    assert model.ask().headers[REVISION] == "stable"
    owner = model.route()["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["name"]) == ("InferenceService", "iris")
    # When a second version comes at 0 %
    model.canary(0)
    model.weighs((STABLE, 100), (NEXT, 0))
    model.model.ready("CanaryPredictorReady")
    # Then it answers those that ask for it by name, and nobody else
    assert until("the header chooses", lambda: model.chosen("next"), IN_FORCE_SECONDS) == ("next", "next")
    assert model.chosen("stable")[0] == "stable"
    assert model.split(100) == {"stable": 100}

    # When its share is edited to 30 %
    def moved() -> float:
        if model.ask().headers[REVISION] != "next":
            raise NotYet("only the stable one answers")
        return time.monotonic()

    model.edit("trafficPercent: 0", "trafficPercent: 30")
    start = time.monotonic()
    figure("seconds from kubectl edit's end to the canary's first answer, at 30 %", _seconds(moved, start))
    model.weighs((STABLE, 70), (NEXT, 30))
    model.told("Routed", "stable 70 %, next 30 %.")
    # Then of many requests as many reach it as were asked for
    start = time.monotonic()
    answers = model.split(MANY)
    assert set(answers) == {"stable", "next"}, answers
    assert sum(answers.values()) == MANY
    share, rate = answers["next"] / MANY, MANY / (time.monotonic() - start)
    error = math.sqrt(0.3 * 0.7 / MANY)
    figure(
        f"canary's share of {MANY} requests at 30 %",
        f"{100 * share:.2f} % ({(share - 0.3) / error:+.1f} standard errors), at {rate:.0f}/s",
    )
    # Five standard errors either way come once in two million runs.
    assert abs(share - 0.3) < 5 * error

    # And Prometheus has counted both, by the names of the revisions
    def complete() -> dict[str, float]:
        found = counted(namespace)
        if any(found.get(name, 0) < count for name, count in answers.items()):
            raise NotYet(found)
        return found

    seen = until("Prometheus has seen all requests", complete, SCRAPED_SECONDS, pause=1)
    # The first 101 of the stable one, and the few that waited for the edit.
    assert MANY + 101 <= sum(seen.values()) <= MANY + 300, seen
    # When it gets all and is promoted
    model.edit("trafficPercent: 30", "trafficPercent: 100")
    model.weighs((STABLE, 0), (NEXT, 100))
    model.promote()
    # Then it keeps its place in the route, for Envoy counts by place, and no request fails
    model.weighs((NEXT, 0), (NEXT, 100))
    assert model.split(400) == {"next": 400}
    until("only one version is left", lambda: _deployments(model, NEXT), READY_SECONDS)
    assert model.split(400) == {"next": 400}
    model.told("Routed", "next 100 %.")
    # When the service goes
    namespace.cluster.delete(*ISVC, "iris", namespace.name)

    # Then its route goes with it
    def gone() -> None:
        if namespace.get(*ROUTE, "iris") is not None:
            raise NotYet("the route is there")

    until("the route is gone", gone, READY_SECONDS)


def test_a_canary_that_is_not_ready_gets_no_request(namespace: Namespace):
    # Given a model that answers
    model = RoutedModel(namespace).start()
    # When half of the traffic is asked for a version whose model is not there
    model.canary(50, storageUri="pvc://iris/nowhere")
    # Then all of it stays, and the service says why
    model.told("NotReady", "next has no ready endpoint and was asked to take 50 %.")
    model.weighs((STABLE, 100), (NEXT, 0))
    assert model.split(200) == {"stable": 200}
    events = [
        each
        for each in namespace.find("v1", "Event")
        if (each["involvedObject"]["kind"], each["reason"]) == (ISVC[1], "NotReady")
    ]
    assert events
    # And its own readiness is not hurt by ours
    model.model.ready()
    # When the version gets a model that is there, then it gets its share
    model.canary(50)
    model.weighs((STABLE, 50), (NEXT, 50))
    until("both answer", lambda: _both(model), IN_FORCE_SECONDS)
    # And when its pod goes for good, it gets nothing more and nobody notices
    model.canary(50, storageUri="pvc://iris/nowhere")
    model.change(canary=None)
    model.weighs((STABLE, 100))
    assert model.split(200) == {"stable": 200}


def test_what_others_write_on_a_route_stays_and_weights_are_set_right(namespace: Namespace):
    # Given a model that answers, with a route of ours
    model = RoutedModel(namespace).start()
    rules = model.route()["spec"]["rules"]
    # When somebody adds a rule, a timeout and a header, and changes a weight
    theirs = {
        "name": "theirs",
        "matches": [{"path": {"type": "Exact", "value": "/moved"}}],
        "filters": [
            {"type": "RequestRedirect", "requestRedirect": {"statusCode": 302, "hostname": "a.test"}}
        ],
    }
    marked = {
        "type": "RequestHeaderModifier",
        "requestHeaderModifier": {"set": [{"name": "x-own", "value": "1"}]},
    }
    rules[0] |= {"timeouts": {"request": "7s"}, "filters": [marked]}
    rules[0]["backendRefs"][0]["weight"] = 3
    namespace.cluster.patch(*ROUTE, "iris", {"spec": {"rules": [theirs, *rules]}}, namespace.name)
    # Then the weight is ours again, and the rest is theirs
    model.weighs((STABLE, 100))
    spec = model.route()["spec"]
    assert [rule["name"] for rule in spec["rules"]] == ["serinus-split", "serinus-revision-stable", "theirs"]
    assert spec["rules"][0]["timeouts"] == {"request": "7s"}
    assert spec["rules"][0]["filters"] == [marked]
    until(f"{model.host} answers", model.ask, IN_FORCE_SECONDS)

    def redirected() -> None:
        answer = namespace.cluster.ask(model.host, "/moved", {}, headers=model.headers)
        if answer.status_code != 302:
            raise NotYet(answer.status_code)

    until("their rule is in force", redirected, IN_FORCE_SECONDS)
    # And a route that is right is not written again
    version = model.route()["metadata"]["resourceVersion"]
    model.kubectl("annotate", ISVC[1], "iris", "e2e.serinus.dev/looked-at=1")
    model.told("Routed")
    assert model.route()["metadata"]["resourceVersion"] == version


@pytest.mark.full
def test_a_model_is_closed_by_taking_its_label_off(namespace: Namespace):
    # Given a model that answers through the gateway
    model = RoutedModel(namespace).start()
    # When its label says anything but "true"
    model.kubectl("label", "--overwrite", ISVC[1], "iris", "serinus.dev/route=false")
    # Then the gateway knows the model no more, the service is told, and its pods serve on
    closed(model)
    model.told("NotAsked", "label serinus.dev/route is 'false'")
    assert model.model.deployments()
    # When it is labelled again, then it is back
    model.kubectl("label", "--overwrite", ISVC[1], "iris", "serinus.dev/route=true")
    until(f"{model.host} answers", model.ask, READY_SECONDS)
    model.told("Routed", "stable 100 %.")
    # When the label goes altogether, then the route goes too
    model.kubectl("label", ISVC[1], "iris", "serinus.dev/route-")
    closed(model)
    model.told("NotAsked", "no label serinus.dev/route")
    # When it was labelled again, and the team takes the route over before it takes the label off
    model.kubectl("label", ISVC[1], "iris", "serinus.dev/route=true")
    until(f"{model.host} answers", model.ask, READY_SECONDS)
    theirs = {"metadata": {"labels": {"serinus.dev/route": None}, "ownerReferences": None}}
    namespace.cluster.patch(*ROUTE, "iris", theirs, namespace.name)
    model.told("RouteTaken")
    model.kubectl("label", ISVC[1], "iris", "serinus.dev/route-")
    # Then it is theirs, and stays
    model.told("NotAsked")
    until(f"{model.host} answers", model.ask, IN_FORCE_SECONDS)


def closed(model: RoutedModel) -> None:
    """Wait until there is no route, and the gateway answers so to who may ask everything."""

    def look() -> None:
        answer = model.namespace.cluster.ask(model.host, PREDICT, REQUEST)
        if (model.namespace.get(*ROUTE, "iris"), answer.status_code) != (None, 404):
            raise NotYet(f"HTTP {answer.status_code}")

    until(f"{model.host} is closed", look, IN_FORCE_SECONDS)


def test_what_cannot_be_routed_says_so(namespace: Namespace):
    # Given a labelled service with a transformer, which a split would pass by
    model = RoutedModel(namespace)
    container = {"name": "kserve-container", "image": "localhost:5001/serinus/none:0"}
    model.service["spec"]["transformer"] = {"containers": [container]}
    # When it is applied
    namespace.apply(model.service)
    # Then it says why there is no route, and there is none
    model.told("Unsupported", "spec.transformer is not routed")
    assert namespace.get(*ROUTE, "iris") is None


def _seconds(look: Callable[[], float], start: float) -> str:
    return f"{until('the canary answers', look, IN_FORCE_SECONDS, pause=0.01) - start:.2f}"


def _deployments(model: RoutedModel, *expected: str) -> None:
    if (found := set(model.model.deployments())) != set(expected):
        raise NotYet(found)


def _both(model: RoutedModel) -> None:
    if set(found := model.split(40)) != {"stable", "next"}:
        raise NotYet(found)
