"""Story: pods come and go, and nobody who asks notices: ready means loaded, going means finishing first."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kubernetes import client, config
from tests.support.cluster import CONTEXT, GATEWAY, Namespace, NotYet, pod_state, until
from tests.support.cluster_models import PREDICT, REQUEST, Model
from tests.support.gateway_load import Users, users

from serinus_local.load import Request

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

RATE = 50
SOME = 2 * RATE
SERVER = "serving.kserve.io/inferenceservice=iris"
ENDED = re.compile(r"ended model=iris revision=\w+ rows=(\d+) logged=(\d+) dropped=(\d+)")
# The image is there, the volume too: a pod is ready in a few seconds.
PODS_SECONDS = 90


@contextmanager
def asked(model: Model, folder: Path) -> Iterator[Users]:
    """Have a client ask at a steady rate without retries, before, during and after what happens inside."""
    headers = {"host": model.host, **model.namespace.cluster.admin}
    requests = [Request(PREDICT, json.dumps(REQUEST).encode(), "")]
    with users(folder, GATEWAY, requests, rate=RATE, seconds=240, headers=headers) as load:
        load.wait(SOME)
        yield load
        load.wait(SOME)


@contextmanager
def heard(namespace: Namespace, pod: str) -> Iterator[list[str]]:
    """Listen to a pod until it has nothing more to say: its log goes with it."""
    core = client.CoreV1Api(config.new_client_from_config(context=CONTEXT))
    stream = core.read_namespaced_pod_log(pod, namespace.name, follow=True, _preload_content=False)
    lines: list[str] = []
    listener = threading.Thread(target=lambda: lines.extend(line.decode() for line in stream), daemon=True)
    listener.start()
    yield lines
    listener.join(PODS_SECONDS)
    assert not listener.is_alive(), lines


def test_a_pod_that_goes_finishes_what_it_took(namespace: Namespace, tmp_path: Path):
    # Given a model of a single pod, and clients
    model = Model(namespace).write_artifact()
    model.apply()
    model.answers()
    (pod,) = namespace.pods(SERVER)
    name = pod["metadata"]["name"]
    with asked(model, tmp_path) as load:
        # When the pod is told to go
        with heard(namespace, name) as said:
            namespace.cluster.delete("v1", "Pod", name, namespace.name)
        # Then another one takes its place
        until("another pod stands", lambda: _one_ready(namespace, name), PODS_SECONDS)
    outcomes = load.stop()
    # And everybody got an answer
    assert [each for each in outcomes if each.status != 200] == []
    # And the one that went has told the log of each prediction, or counted it
    rows, logged, dropped = map(int, _ended(said))
    assert rows == logged + dropped
    assert SOME <= rows <= len(outcomes) + 1
    assert any("not ready from now on" in line for line in said)


def test_a_pod_whose_model_cannot_be_loaded_gets_no_request(namespace: Namespace, tmp_path: Path):
    # Given a model that answers
    model = Model(namespace).write_artifact()
    model.apply()
    model.answers()
    (first,) = namespace.pods(SERVER)
    with asked(model, tmp_path) as load:
        # When its next pod finds no model
        missing = {"name": "SERINUS_MODEL_DIR", "value": "/nowhere"}
        model.service["spec"]["predictor"]["model"]["env"] = [missing]
        model.apply()

        def refused() -> str:
            for pod in namespace.pods(SERVER):
                if pod["metadata"]["uid"] != first["metadata"]["uid"]:
                    assert not _ready(pod), pod_state(pod)
                    for each in pod["status"].get("containerStatuses", []):
                        for state in (each.get("state", {}), each.get("lastState", {})):
                            if "terminated" in state:
                                return str(state["terminated"].get("message"))
            raise NotYet("no pod that failed")

        # Then it says why to whoever describes it, and is not ready
        assert "/nowhere" in until("the new pod has failed", refused, PODS_SECONDS)
        load.wait(SOME)
    # And no request came to it: the old pod has answered them all
    assert [each for each in load.stop() if each.status != 200] == []
    assert _ready(namespace.get("v1", "Pod", first["metadata"]["name"]) or {})


def _one_ready(namespace: Namespace, without: str) -> None:
    found = namespace.find("v1", "Pod", SERVER)
    if [each["metadata"]["name"] for each in found if _ready(each)] in ([], [without]) or len(found) != 1:
        raise NotYet("; ".join(map(pod_state, found)))


def _ready(pod: dict[str, object]) -> bool:
    status = pod.get("status", {})
    assert isinstance(status, dict)
    return any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions", []))


def _ended(said: list[str]) -> tuple[str, ...]:
    found = ENDED.search("".join(said))
    assert found, "".join(said[-20:])
    return found.groups()
