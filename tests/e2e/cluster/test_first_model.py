"""Story: a model team applies an InferenceService and asks it through the gateway."""

import time
from collections.abc import Callable

import pytest
from tests.support.cluster import Cluster, Namespace, until
from tests.support.cluster_models import MODELS, Model

pytestmark = pytest.mark.cluster


def test_a_model_behind_the_gateway_answers(namespace: Namespace, figure: Callable[[str, str], None]):
    # Given an artifact in a volume
    model = Model(namespace).write_artifact()
    # When the service and its route are applied
    applied = time.monotonic()
    model.apply()
    # Then a client of the gateway gets a prediction
    answer = model.answers()
    took = time.monotonic() - applied
    assert answer.json()["predictions"] == ["setosa"]
    figure("seconds from applying an InferenceService to its first answer", f"{took:.1f}")
    # And the route's host is the one that KServe names
    assert until("KServe names a host", model.host_of_status, 30) == model.host
    # And the pod keeps all that Pod Security restricted asks, or it would not run here
    model.ready()


def test_the_model_of_make_up_answers(cluster: Cluster):
    # Given the cluster as `make up` left it, when its model is asked
    answer = Model(Namespace(cluster, MODELS)).answers(seconds=30)
    # Then it answers
    assert answer.json()["predictions"] == ["setosa"]
