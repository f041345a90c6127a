"""The checker of the restricted standard, by pods that break one rule each."""

import json
from typing import Any

import pytest
from tests.support import pod_security

GOOD = {
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [
        {
            "name": "c",
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }
    ],
}


def worse(**changes: Any) -> dict[str, Any]:
    pod = json.loads(json.dumps(GOOD))
    container = pod["containers"][0]
    for key, value in changes.items():
        (container["securityContext"] if key in container["securityContext"] or key == "privileged" else pod)[
            key
        ] = value
    return pod


@pytest.mark.parametrize(
    ("pod", "fault"),
    [
        (GOOD, ""),
        (worse(hostNetwork=True), "hostNetwork is set"),
        (worse(volumes=[{"name": "v", "hostPath": {"path": "/"}}]), "volume v is a hostPath"),
        (worse(privileged=True), "container c: privileged"),
        (worse(allowPrivilegeEscalation=True), "container c: allowPrivilegeEscalation is not false"),
        (worse(capabilities={}), "container c: capabilities are not dropped"),
        (worse(capabilities={"drop": ["ALL"], "add": ["SYS_ADMIN"]}), "container c: capabilities are added"),
        (worse(securityContext={"runAsNonRoot": True}), "container c: seccomp profile is None"),
        (
            worse(securityContext={"seccompProfile": {"type": "RuntimeDefault"}}),
            "container c: runAsNonRoot is not true",
        ),
    ],
)
def test_the_checker_of_the_restricted_standard_sees(pod: dict[str, Any], fault: str):
    assert pod_security.violations(pod) == [fault] * bool(fault)
