"""Stories: users ask 50 times a second, by the clock, without retries, while pods and weights change."""

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.cluster import GATEWAY, Namespace, NotYet, Object, until
from tests.support.cluster_models import PREDICT, REQUEST, Model
from tests.support.cluster_routes import RoutedModel
from tests.support.faults import Entrance, is_ready, kill, restarts
from tests.support.figures import Row
from tests.support.gateway_load import Users, answered, in_flight, users

from serinus_local.load import Outcome, Request

pytestmark = [pytest.mark.full, pytest.mark.timeout(600)]

RATE = 50
BEFORE, AFTER = 2 * RATE, 4 * RATE
# No story takes longer: the client stops by itself then.
LONGEST_SECONDS = 300
READY_SECONDS = 120
SERVER, ENVOY = "kserve-container", "envoy"


IRIS = [Request(PREDICT, json.dumps(REQUEST).encode(), "")]
STABLE, NEXT = "iris-predictor", "iris-next-predictor"


class Served:
    """Iris in a story's namespace, with as many pods as the story says."""

    def __init__(self, namespace: Namespace, pods: int) -> None:
        self.namespace = namespace
        self.model = Model(namespace).write_artifact()
        self.model.service["spec"]["predictor"] |= {"minReplicas": pods, "maxReplicas": max(3, pods)}
        self.model.apply()
        self.model.answers()
        self.settled(pods)

    def pods(self) -> list[Object]:
        """Return the server's pods, those that are going as well."""
        return self.namespace.find("v1", "Pod", "serving.kserve.io/inferenceservice=iris")

    def settled(self, count: int, without: str = "") -> list[Object]:
        """Wait until `count` pods are ready, none is going and none is called `without`."""

        def look() -> list[Object]:
            found = self.pods()
            names = {each["metadata"]["name"] for each in found}
            if len(found) != count or without in names or not all(map(is_ready, found)):
                raise NotYet(f"{len(found)} pods: {sorted(names)}")
            return found

        return until(f"iris has {count} ready pods", look, READY_SECONDS)

    def scale(self, count: int) -> None:
        """Edit the spec and wait until it is so."""
        self.model.service["spec"]["predictor"]["minReplicas"] = count
        self.namespace.apply(self.model.service)
        self.settled(count)


@contextmanager
def asked(
    namespace: Namespace, host: str, folder: Path, requests: Sequence[Request] = IRIS
) -> Iterator[Users]:
    """Have users before, during and after what happens inside."""
    headers = {"host": host, **namespace.cluster.admin}
    with users(folder, GATEWAY, requests, rate=RATE, seconds=LONGEST_SECONDS, headers=headers) as load:
        load.wait(BEFORE)
        yield load
        load.wait(AFTER)


def lost(outcomes: list[Outcome]) -> list[str]:
    """Return what a reader needs of every request that got no answer."""
    return [
        f"{each.prediction_id} at {each.at:.3f}: {each.status}" for each in outcomes if each.status != 200
    ]


@pytest.mark.parametrize("pods", [1, 2])
def test_a_server_pod_is_deleted(
    namespace: Namespace, tmp_path: Path, record: Callable[[Row], None], pods: int
):
    # Given a model of one pod, or two
    served = Served(namespace, pods)
    gone = served.pods()[0]["metadata"]["name"]
    with asked(namespace, served.model.host, tmp_path) as load:
        # When one is deleted
        namespace.cluster.delete("v1", "Pod", gone, namespace.name)
        served.settled(pods, without=gone)
    outcomes = load.stop()
    # Then nobody notices
    record(Row(f"a server pod of {pods} is deleted", RATE, answered(outcomes)))
    assert not lost(outcomes)


def test_a_model_is_scaled_up_and_down(namespace: Namespace, tmp_path: Path, record: Callable[[Row], None]):
    # Given a model of one pod
    served = Served(namespace, 1)
    with asked(namespace, served.model.host, tmp_path) as load:
        # When its spec asks for three, and then for one again
        served.scale(3)
        load.wait(AFTER)
        served.scale(1)
    outcomes = load.stop()
    # Then nobody notices
    record(Row("the InferenceService is scaled 1 -> 3 -> 1", RATE, answered(outcomes)))
    assert not lost(outcomes)


def test_a_canarys_share_goes_up_and_down(
    namespace: Namespace, tmp_path: Path, record: Callable[[Row], None]
):
    # Given a model with a second version that is ready and gets nothing
    routed = RoutedModel(namespace).start()
    routed.canary(0)
    routed.model.ready("CanaryPredictorReady")
    routed.weighs((STABLE, 100), (NEXT, 0))
    with asked(namespace, routed.host, tmp_path) as load:
        # When its share goes to 30 % and back
        routed.edit("trafficPercent: 0", "trafficPercent: 30")
        routed.weighs((STABLE, 70), (NEXT, 30))
        load.wait(4 * AFTER)
        routed.edit("trafficPercent: 30", "trafficPercent: 0")
        routed.weighs((STABLE, 100), (NEXT, 0))
    outcomes = load.stop()
    # Then nobody notices, but for who answers
    share = sum(each.revision == "next" for each in outcomes)
    record(Row("the canary's weight goes 0 -> 30 -> 0", RATE, answered(outcomes), f"{share} by the canary"))
    assert not lost(outcomes)
    assert share > AFTER / 2


def test_a_canary_does_not_step_in_for_a_pod_that_is_replaced(
    namespace: Namespace, tmp_path: Path, record: Callable[[Row], None]
):
    # Given a model of one pod, and a version on trial at 30 %
    routed = RoutedModel(namespace).start()
    routed.canary(30)
    routed.weighs((STABLE, 70), (NEXT, 30))
    until("both answer", lambda: both(routed), READY_SECONDS)
    own = f"serving.kserve.io/inferenceservice=iris,app=isvc.{STABLE}"
    (pod,) = namespace.pods(own)
    with asked(namespace, routed.host, tmp_path) as load:
        # When the stable one's only pod is deleted
        begun = time.time()
        namespace.cluster.delete("v1", "Pod", pod["metadata"]["name"], namespace.name)

        def replaced() -> None:
            found = namespace.find("v1", "Pod", own)
            if (
                len(found) != 1
                or found[0]["metadata"]["uid"] == pod["metadata"]["uid"]
                or not is_ready(found[0])
            ):
                raise NotYet(f"{len(found)} pods")

        until("another pod has taken its place", replaced, READY_SECONDS)
        ended = time.time()
    # Then nobody notices, and the version on trial has answered no more users than it was to
    meanwhile = [each for each in load.stop() if begun <= each.at <= ended]
    share = sum(each.revision == "next" for each in meanwhile) / len(meanwhile)
    note = f"{share:.0%} by the canary at 30 %"
    record(Row("the only stable pod is replaced", RATE, answered(meanwhile), note))
    assert not lost(meanwhile)
    # Five standard errors either way come once in two million runs.
    assert abs(share - 0.3) < 5 * math.sqrt(0.3 * 0.7 / len(meanwhile))


def both(routed: RoutedModel) -> None:
    if set(found := routed.split(40)) != {"stable", "next"}:
        raise NotYet(found)


def test_envoy_is_rolled(namespace: Namespace, tmp_path: Path, record: Callable[[Row], None]):
    # Given a model, and two Envoys in front of it
    served = Served(namespace, 1)
    entrance = Entrance(namespace.cluster)
    with entrance.of(2):
        with asked(namespace, served.model.host, tmp_path) as load:
            # When both are replaced
            entrance.roll()
        outcomes = load.stop()
    # Then nobody notices
    record(Row("Envoy is rolled, two replicas", RATE, answered(outcomes)))
    assert not lost(outcomes)


def test_an_envoy_is_killed(namespace: Namespace, tmp_path: Path, record: Callable[[Row], None]):
    # Given a model, and two Envoys in front of it
    served = Served(namespace, 1)
    entrance = Entrance(namespace.cluster)
    with entrance.of(2) as envoys:
        with asked(namespace, served.model.host, tmp_path) as load:
            # When one of them gets SIGKILL, and is started again
            killed = kill(envoys[0], ENVOY)
            entrance.restarted(envoys[0])
        outcomes = load.stop()
    # Then at most what was in flight is lost
    flying = in_flight(outcomes, killed)
    record(Row("an Envoy of two gets SIGKILL", RATE, answered(outcomes), f"{flying} in flight"))
    assert len(lost(outcomes)) <= flying, (killed, lost(outcomes))


def test_a_server_is_killed(namespace: Namespace, tmp_path: Path, record: Callable[[Row], None]):
    # Given a model of two pods
    served = Served(namespace, 2)
    victim = served.pods()[0]
    with asked(namespace, served.model.host, tmp_path) as load:
        # When the server in one of them gets SIGKILL, and is started again
        killed = kill(victim, SERVER)

        def again() -> None:
            if restarts(namespace.get("v1", "Pod", victim["metadata"]["name"])) <= restarts(victim):
                raise NotYet("not restarted")

        until("the server is started again", again, READY_SECONDS)
        served.settled(2)
    outcomes = load.stop()
    # Then at most what was in flight is lost
    flying = in_flight(outcomes, killed)
    record(Row("a server of two gets SIGKILL", RATE, answered(outcomes), f"{flying} in flight"))
    assert len(lost(outcomes)) <= flying, (killed, lost(outcomes))
