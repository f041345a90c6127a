"""The ruleset, loaded by the real `nft`, against real connections between network namespaces."""

import os
import shutil
import threading
from collections.abc import Iterator

import pytest
from tests.support import needed
from tests.support.pod_network import PodNetwork, run
from tests.support.policy_cases import CASES, NAMESPACES, PODS, Case, pod

from serinus_agents.policies import nft
from serinus_agents.policies.__main__ import PATHS, turn
from serinus_agents.policies.ruleset import TABLE, ruleset
from serinus_agents.shapes import key_of
from serinus_agents.watching import Mirror


@pytest.fixture(scope="module")
def network() -> Iterator[PodNetwork]:
    missing = [tool for tool in ("ip", "nft") if not shutil.which(tool)]
    problem = (
        f"apt-get install nftables iproute2: {', '.join(missing)} is missing"
        if missing
        else "network namespaces need root"
        if os.geteuid()
        else None
    )
    if problem:
        needed.missing(problem)
    with PodNetwork().up() as built:
        yield built


def load(network: PodNetwork, policies: list[dict], pods: list[dict] = PODS) -> None:
    nft.load(ruleset(pods, NAMESPACES, policies), network.nft)


def everything() -> list[str]:
    return sorted({attempt for case in CASES for attempt in (*case.allowed, *case.denied)})


def test_without_policies_every_connection_of_the_cases_works(network: PodNetwork):
    load(network, [])
    attempts = everything()
    assert network.outcome(attempts, denied=0) == set(attempts)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_a_rule_of_the_specification(network: PodNetwork, case: Case):
    load(network, case.objects())
    through = network.outcome([*case.allowed, *case.denied], denied=len(case.denied))
    assert through == set(case.allowed)


@pytest.mark.parametrize(
    "ignored",
    [
        pod("web", "shop", {"app": "web"}, hostNetwork=True),
        pod("web", "shop", {"app": "web"})
        | {"status": {"phase": "Succeeded", "podIPs": [{"ip": "10.77.0.2"}]}},
        pod("web", "shop", {"app": "web"}) | {"status": {"phase": "Pending"}},
    ],
    ids=["host network", "finished", "no address yet"],
)
def test_a_pod_without_an_address_of_its_own_is_neither_isolated_nor_a_peer(
    network: PodNetwork, ignored: dict
):
    policy = Case("", "ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]").objects()
    load(network, policy, [ignored, *PODS[1:]])
    assert network.outcome(["client>web:80", "web>db:80"], denied=1) == {"client>web:80"}


def test_an_address_that_two_pods_claim_is_isolated_by_both_pods_policies(network: PodNetwork):
    stale = pod("client", "lab", {"app": "client"})
    stale["status"]["podIPs"] = [{"ip": "10.77.0.2"}]
    policies = Case("", "ingress: [{ports: [{port: 80}]}]\n---\n{in: lab, ingress: [{ports: [{port: 85}]}]}")
    load(network, policies.objects(), [*PODS, stale])
    attempts = ["db>web:80", "db>web:85", "db>web:8080"]
    assert network.outcome(attempts, denied=1) == {"db>web:80", "db>web:85"}


def test_a_new_ruleset_replaces_the_old_one_and_leaves_established_connections_alone(network: PodNetwork):
    load(network, [])
    attempt = network.attempt("client>web:53/udp")
    assert network.outcome(["client>web:80"], denied=0) == {"client>web:80"}
    attempt.arrive()
    load(network, Case("", "policyTypes: [Ingress]").objects())
    assert network.outcome(["client>web:80"], denied=1) == set()
    attempt.socket.send(b"again")
    attempt.arrive()
    attempt.socket.close()
    load(network, [])
    assert network.outcome(["client>web:80"], denied=0) == {"client>web:80"}


def test_a_script_that_nft_refuses_changes_nothing(network: PodNetwork):
    load(network, Case("", "policyTypes: [Ingress]").objects())
    before = run(*network.nft, "list", "table", "inet", TABLE)
    script = ruleset(PODS, NAMESPACES, []).replace("accept", "accept\n    no such word", 1)
    with pytest.raises(nft.NftError, match="no such word"):
        nft.load(script, network.nft)
    assert run(*network.nft, "list", "table", "inet", TABLE) == before


def mirrors(policies: list[dict] | None) -> list[Mirror]:
    """Return the loop's three collections as they were read; None was not read yet."""
    made = [Mirror(None, path, threading.Event()) for path in PATHS]
    for mirror, items in zip(made, (PODS, NAMESPACES, policies), strict=True):
        mirror.items = None if items is None else {key_of(item): item for item in items}
    return made


def test_the_loop_loads_nothing_before_everything_was_read_and_keeps_what_it_loaded(network: PodNetwork):
    load(network, [])
    assert turn(mirrors(None), None, network.nft) is None
    assert network.outcome(["client>web:80"], denied=0) == {"client>web:80"}
    deny = Case("", "policyTypes: [Ingress]").objects()
    loaded = turn(mirrors(deny), None, network.nft)
    assert network.outcome(["client>web:80"], denied=1) == set()
    # A policy that nobody can render, a list that is lost again: the last ruleset stays.
    bad = Case("", "ingress: [{ports: [{protocol: ICMP}]}]").objects()
    assert turn(mirrors(bad), loaded, network.nft) == loaded
    assert turn(mirrors(None), loaded, network.nft) == loaded
    assert network.outcome(["client>web:80"], denied=1) == set()


def test_the_loop_restores_a_table_that_somebody_removed(network: PodNetwork):
    deny = mirrors(Case("", "policyTypes: [Ingress]").objects())
    loaded = turn(deny, None, network.nft)
    run(*network.nft, "delete", "table", "inet", TABLE)
    assert turn(deny, loaded, network.nft) == loaded
    assert network.outcome(["client>web:80"], denied=1) == set()


def test_a_missing_table_is_noticed(network: PodNetwork):
    load(network, [])
    assert nft.present(TABLE, network.nft)
    run(*network.nft, "delete", "table", "inet", TABLE)
    assert not nft.present(TABLE, network.nft)


def test_a_missing_command_is_named_with_its_cure():
    with pytest.raises(nft.NftError, match="apt-get install nftables"):
        nft.load("", ("no-such-nft",))
