"""What each act finds missing and how it puts it right, from what kubectl, helm, kind and docker say."""

import json
from pathlib import Path
from typing import get_args

import pytest
from tests.support.scripted import Scripted

from serinus_airgap import versions
from serinus_cluster import hosts
from serinus_cluster.acts.choose import act
from serinus_cluster.down import down
from serinus_cluster.edges.kind import Kind
from serinus_cluster.edges.secrets import secret
from serinus_cluster.edges.shell import CommandFailed
from serinus_cluster.place import Place
from serinus_cluster.plan import CLUSTER, NETWORK, NODE, REGISTRY, REGISTRY_PORT, plan
from serinus_cluster.situation import Situation
from serinus_cluster.steps import (
    Action,
    CreateCluster,
    Daemon,
    FindDocker,
    FindTools,
    Image,
    SecretKey,
    StartRegistry,
    Tools,
    WireRegistry,
)
from serinus_cluster.tools import ToolsMissing

ROOT = Path(__file__).resolve().parents[3]
PINS = versions.load()
CREATE = CreateCluster(CLUSTER, "kind.yaml", Image("docker.io/kindest/node:v1"))
WIRE = WireRegistry(REGISTRY, "registry.yaml")
START = StartRegistry(REGISTRY, REGISTRY_PORT, NETWORK, Image("registry:3"))


def container(programs: Scripted, name: str, state: str, networks: str = "") -> None:
    facts = {"state": state, "image": "x", "id": "sha256:1", "networks": networks}
    programs.say(f'"}} {name}', json.dumps(facts) if state else "", code=int(not state))


def test_every_action_of_the_plan_has_an_act(place: Place):
    steps = [step for situation in Situation for step in plan(situation, PINS)]
    assert {type(step.action) for step in steps} == set(get_args(Action))
    for step in steps:
        chosen = act(step.action, place)
        assert callable(chosen.missing), step.name
        assert callable(chosen.apply), step.name


@pytest.mark.parametrize(
    ("clusters", "state", "known", "missing", "done"),
    [
        ("", "", "", "no such cluster", "docker.io/kindest/node:v1"),
        (CLUSTER, "exited", "", "its node does not run", "node started again"),
        (CLUSTER, "running", "", "the kubeconfig has no context kind-serinus", "kubeconfig written again"),
        (CLUSTER, "running", "kind-serinus", None, ""),
    ],
)
def test_a_cluster_gets_what_it_lacks(
    programs: Scripted, place: Place, clusters: str, state: str, known: str, missing: str | None, done: str
):
    programs.say("kind get clusters", clusters)
    container(programs, NODE, state)
    programs.say("config get-contexts", known, code=int(not known))
    programs.say("kind create cluster").say("docker start").say("kind export kubeconfig")
    assert act(CREATE, place).missing() == missing
    if missing:
        assert act(CREATE, place).apply(60).words == done


def test_the_node_is_told_where_our_images_are(programs: Scripted, place: Place):
    programs.say("docker exec", code=1).say("docker exec --interactive").say("apply --server-side")
    assert act(WIRE, place).missing() == f"{hosts.PATH} differs"
    act(WIRE, place).apply(60)
    programs.say(f"docker exec {NODE} cat", hosts.text(REGISTRY)).say("diff --server-side", code=1)
    assert act(WIRE, place).missing() == "the ConfigMap differs"
    programs.say("diff --server-side")
    assert act(WIRE, place).missing() is None


@pytest.mark.parametrize(
    ("state", "networks", "missing"),
    [
        ("", "", "no such container"),
        ("exited", "kind ", "it is exited"),
        ("running", "bridge ", "it is not on network kind"),
    ],
)
def test_a_registry_that_cannot_serve_says_why(
    programs: Scripted, place: Place, state: str, networks: str, missing: str
):
    container(programs, REGISTRY, state, networks)
    assert act(START, place).missing() == missing


@pytest.mark.parametrize(
    ("answers", "state", "setup", "missing"),
    [
        (False, "", None, "no Docker daemon answers"),
        (True, "", None, None),
        (True, "running", "setup.sh", None),
        (True, "", "setup.sh", "whether it grants what kind needs is not known yet"),
    ],
    ids=["none", "the user's own", "a node runs", "unknown"],
)
def test_a_daemon_is_tried_only_where_nothing_proves_it_fit(
    programs: Scripted, place: Place, answers: bool, state: str, setup: str | None, missing: str | None
):
    programs.say("docker version", "28.0", code=int(not answers))
    container(programs, NODE, state)
    assert act(FindDocker(Daemon(setup)), place).missing() == missing


def test_without_a_setup_script_the_user_is_told_where_docker_is(place: Place):
    with pytest.raises(CommandFailed, match=r"install one: https://docs\.docker\.com"):
        act(FindDocker(Daemon(None)), place).apply(60)


def test_the_setup_scripts_last_line_is_told(programs: Scripted, place: Place):
    programs.say("docker version", "28.0")
    script = place.root / "setup.sh"
    script.write_text("#!/bin/sh\necho looking\necho 'docker: it works now'\n")
    script.chmod(0o755)
    outcome = act(FindDocker(Daemon("setup.sh")), place).apply(60)
    assert (outcome.words, outcome.changed) == ("it works now", True)


def test_tools_of_the_user_that_are_new_enough_are_taken(programs: Scripted, place: Place):
    place.pins, place.found = dict(PINS), {}
    programs.say("kind version", f"kind {PINS['KIND']}").say("kubectl version", "Client Version: v1.20.0")
    programs.say("helm version", PINS["HELM"])
    wanted = act(FindTools(Tools(build=False)), place)
    assert str(wanted.missing()).startswith(f"kubectl: {programs['kubectl']} is 1.20.0; ")
    assert place.found == {name: programs[name] for name in ("kind", "helm")}
    with pytest.raises(ToolsMissing) as caught:
        wanted.apply(60)
    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == ["kubectl"]


def test_a_key_that_a_secret_lacks_is_named(programs: Scripted, place: Place):
    where = SecretKey("things", "keys", "tls.crt")
    programs.say("get secret keys", "")
    with pytest.raises(CommandFailed, match=r"Secret things/keys has no key tls\.crt"):
        secret(place.kubectl, where)
    assert r"jsonpath={.data.tls\.crt}" in programs.calls[-1]
    programs.say("get secret keys", "eWVz")
    assert secret(place.kubectl, where) == "yes"


def taken_down(programs: Scripted, kind: bool) -> list[str]:
    said: list[str] = []
    down(Kind(programs["kind"], programs.folder) if kind else None, said.append)
    return said


def nothing_is_left(programs: Scripted) -> None:
    programs.say("kind get clusters").say("docker container inspect", code=1)
    programs.say("docker network inspect", code=1).say("docker volume inspect", code=1)


@pytest.mark.parametrize("kind", [True, False])
def test_where_nothing_is_left_down_says_so(programs: Scripted, kind: bool):
    nothing_is_left(programs)
    assert taken_down(programs, kind) == [
        "cluster serinus: there is none",
        "container serinus-registry: there is none",
        "network kind: there is none",
    ]


def test_a_network_that_others_use_stays(programs: Scripted):
    nothing_is_left(programs)
    programs.say("docker network inspect").say("docker ps", "other-control-plane\n")
    assert taken_down(programs, True)[-1] == "network kind stays: other-control-plane on it"
    programs.say("docker ps", "").say("docker network rm")
    assert taken_down(programs, True)[-1] == "network kind removed"


def test_what_is_still_there_after_all_is_named(programs: Scripted):
    nothing_is_left(programs)
    container(programs, REGISTRY, "running")
    programs.say("{{end}}{{end}} " + REGISTRY, "data \n")
    programs.say("docker volume inspect data").say("docker rm")
    with pytest.raises(CommandFailed, match="still there: serinus-registry, volume data; run it again"):
        taken_down(programs, True)
    assert any(call == "docker rm --force --volumes serinus-registry" for call in programs.calls)


def test_without_kind_the_nodes_container_is_removed(programs: Scripted):
    nothing_is_left(programs)
    container(programs, NODE, "exited")
    programs.say("docker rm")
    with pytest.raises(CommandFailed, match="still there: serinus-control-plane"):
        taken_down(programs, False)
    assert "docker rm --force --volumes serinus-control-plane" in programs.calls
