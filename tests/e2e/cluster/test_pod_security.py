"""Story: Pod Security restricted stands between a namespace and a privileged pod."""

import pytest
from kubernetes.dynamic.exceptions import ForbiddenError
from tests.support.cluster import Namespace
from tests.support.cluster_pods import RESTRICTED, finished, python_pod

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize(
    ("security", "said"),
    [
        pytest.param({"privileged": True}, "must not set securityContext.privileged=true", id="privileged"),
        pytest.param(
            {**RESTRICTED, "runAsNonRoot": False, "runAsUser": 0}, "runAsNonRoot != true", id="root"
        ),
    ],
)
def test_restricted_refuses_it_and_says_why(namespace: Namespace, security: dict[str, object], said: str):
    # Given a namespace under Pod Security restricted, when such a pod is applied
    with pytest.raises(ForbiddenError) as refused:
        namespace.apply(python_pod(namespace.cluster, "greedy", "pass", security=security))
    # Then it is refused, and the message names the rule and the field
    words = refused.value.body.decode() if isinstance(refused.value.body, bytes) else str(refused.value.body)
    assert 'violates PodSecurity \\"restricted:latest\\"' in words
    assert said in words
    assert namespace.pods() == []


def test_a_pod_that_declares_all_of_it_runs(namespace: Namespace):
    said = finished(namespace, python_pod(namespace.cluster, "modest", "import os; print(os.getuid())"))
    assert said.strip() == "65532"
