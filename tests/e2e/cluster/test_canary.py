"""Story: KServe's own canary. A second version stands beside the first, and both answer."""

import pytest
from tests.support.cluster import Namespace, NotYet, until
from tests.support.cluster_models import Model

pytestmark = pytest.mark.cluster

STABLE, CANARY = "iris-predictor", "iris-next-predictor"
ENOUGH = 200


def backend(name: str, weight: int) -> dict[str, object]:
    """Return one arm of a split. The filter names the arm in the answer and gives it counters of its own."""
    header = {"set": [{"name": "x-arm", "value": name}]}
    return {
        "name": name,
        "port": 80,
        "weight": weight,
        "filters": [{"type": "ResponseHeaderModifier", "responseHeaderModifier": header}],
    }


def test_a_canary_makes_a_second_deployment_and_both_answer(namespace: Namespace):
    # Given a model that answers
    model = Model(namespace).write_artifact()
    model.apply()
    model.answers()
    before = model.deployments()
    assert set(before) == {STABLE}
    # When the InferenceService gets a canary of its own version, at 30 %
    predictor = model.predictor()
    labelled = {**predictor["model"], "env": [{"name": "SERINUS_MODEL_VERSION", "value": "next"}]}
    model.service["spec"]["canary"] = [
        {"trafficPercent": 30, "predictor": {"name": "next", "model": labelled}}
    ]
    namespace.apply(model.service)
    # Then KServe makes a second Deployment and leaves the first as it is
    model.ready("CanaryPredictorReady")
    after = model.deployments()
    assert set(after) == {STABLE, CANARY}
    assert after[STABLE]["metadata"]["uid"] == before[STABLE]["metadata"]["uid"]
    assert after[STABLE]["spec"]["template"] == before[STABLE]["spec"]["template"]
    # And a route that is split between them gets answers of both, each from its own version
    model.route["spec"]["rules"] = [{"backendRefs": [backend(STABLE, 70), backend(CANARY, 30)]}]
    namespace.apply(model.route)

    def split() -> None:
        if "x-arm" not in model.ask().headers:
            raise NotYet("an answer without the header of either arm")

    until("the split route is in force", split, 30)
    arms: list[str] = []
    for _ in range(ENOUGH):
        answer = namespace.cluster.ask(model.host, "/predict", {"features": [5.1, 3.5, 1.4, 0.2]})
        assert answer.status_code == 200, answer.text
        arm = answer.headers["x-arm"]
        assert (answer.json()["version"] == "next") == (arm == CANARY)
        arms.append(arm)
    # Of 200 at 30 % fewer than 30 or more than 92 come once in a million runs.
    assert 30 <= arms.count(CANARY) <= 92
    assert arms.count(STABLE) == ENOUGH - arms.count(CANARY)
