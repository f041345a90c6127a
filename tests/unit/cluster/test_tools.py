"""The user's own tools: taken where new enough, named with a cure where not."""

from pathlib import Path

import pytest

from serinus_cluster.tools import Found, cure, judge

PINS = {
    "KIND_MIN": "v0.30.0",
    "KUBECTL_MIN": "v1.33.0",
    "HELM_MIN": "v3.18.0",
    "KIND": "v0.33.0",
    "KUBERNETES": "v1.34.4",
    "HELM": "v4.3.1",
}


@pytest.mark.parametrize(
    ("name", "said", "usable", "words"),
    [
        ("kind", "kind v0.33.0 go1.26.8 linux/amd64", True, "/bin/kind 0.33.0"),
        ("kind", "kind v0.30.0 go1.24.6 linux/amd64", True, "/bin/kind 0.30.0"),
        (
            "kind",
            "kind v0.29.9 go1.24.6 linux/amd64",
            False,
            "/bin/kind is 0.29.9; v0.30.0 or newer is needed",
        ),
        ("kubectl", "Client Version: v1.34.1\nKustomize Version: v5.7.1\n", True, "/bin/kubectl 1.34.1"),
        # A packager's suffix makes it no older and no newer.
        ("kubectl", "Client Version: v1.32.4-dispatcher\n", False, "/bin/kubectl is 1.32.4"),
        ("kubectl", "Client Version: v1.33.0-eks-1\n", True, "/bin/kubectl 1.33.0"),
        ("helm", "v3.18.4+gd80839c", True, "/bin/helm 3.18.4"),
        ("helm", "v4.3.1", True, "/bin/helm 4.3.1"),
        ("helm", "v3.9.0", False, "/bin/helm is 3.9.0"),
        ("helm", "permission denied", False, "/bin/helm does not tell its version"),
    ],
)
def test_a_tool_is_taken_from_its_lowest_version_on(name: str, said: str, usable: bool, words: str):
    verdict = judge(name, Found(Path(f"/bin/{name}"), said), PINS)
    assert verdict.usable is usable
    assert verdict.words.startswith(words)


def test_a_missing_tool_and_its_cure():
    verdicts = [judge("helm", None, PINS), judge("kind", Found(Path("/bin/kind"), "kind v0.33.0"), PINS)]
    assert cure(verdicts, PINS) == (
        "helm: not on PATH; v3.18.0 or newer is needed; install v4.3.1: https://helm.sh/docs/intro/install/"
    )
