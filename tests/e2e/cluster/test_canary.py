"""Story: KServe's own canary. A second version stands beside the first, and both answer."""

import pytest
from tests.support.cluster import Namespace, NotYet, until
from tests.support.cluster_models import Model

from serinus_contracts.records import REVISION_HEADER

pytestmark = pytest.mark.cluster

STABLE, CANARY = "iris-predictor", "iris-next-predictor"
ENOUGH = 200


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
    # And each answers its share, as its own version

    def split() -> None:
        if model.ask().headers[REVISION_HEADER] != "next":
            raise NotYet("only the stable one answers")

    until("the split is in force", split, 30)
    arms: list[str] = []
    for _ in range(ENOUGH):
        answer = namespace.cluster.ask(model.host, "/predict", {"features": [5.1, 3.5, 1.4, 0.2]})
        assert answer.status_code == 200, answer.text
        arm = answer.headers[REVISION_HEADER]
        assert (answer.json()["version"] == "next") == (arm == "next")
        arms.append(arm)
    # Of 200 at 30 % fewer than 30 or more than 92 come once in a million runs.
    assert 30 <= arms.count("next") <= 92
    assert arms.count("stable") == ENOUGH - arms.count("next")
