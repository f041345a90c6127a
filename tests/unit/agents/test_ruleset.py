"""The text of a ruleset. What it does to connections is tested with the real `nft`, in tests/contract."""

import random

import pytest
from tests.support.policy_cases import CASES, NAMESPACES, PODS, Case

from serinus_agents.policies.merging import merge_ranges
from serinus_agents.policies.ruleset import ruleset
from serinus_agents.problems import BadObject


def render(policies: str, pods: list[dict] = PODS) -> str:
    return ruleset(pods, NAMESPACES, Case("", policies).objects())


def test_an_unchanged_cluster_gives_the_same_text_in_whatever_order_it_is_read():
    policies = [one for case in CASES for one in case.objects()]
    named = [
        {**one, "metadata": {**one["metadata"], "name": f"policy-{number}"}}
        for number, one in enumerate(policies)
    ]
    expected = ruleset(PODS, NAMESPACES, named)
    shuffle = random.Random(1).sample
    for _ in range(5):
        assert ruleset(shuffle(PODS, 4), shuffle(NAMESPACES, 2), shuffle(named, len(named))) == expected


def test_equal_selectors_share_one_set_and_pods_of_the_same_policies_one_chain():
    selector = "from: [{podSelector: {matchLabels: {app: web}}}]"
    text = render(f"ingress: [{{{selector}, ports: [{{port: 80}}]}}, {{{selector}, ports: [{{port: 90}}]}}]")
    assert text.count("set pods4_") == 1
    assert text.count("chain ingress4_") == 1


def test_without_isolated_pods_nothing_is_dropped():
    assert "drop" not in render("")


def test_addresses_of_both_families_are_isolated_each_in_its_own():
    six = {**PODS[0], "status": {"podIPs": [{"ip": "10.77.0.2"}, {"ip": "fd00::2"}]}}
    text = render("ingress: [{from: [{ipBlock: {cidr: 'fd00::/8'}}]}]", [six])
    assert "ip daddr vmap { 10.77.0.2 : jump ingress4_" in text
    assert "ip6 daddr vmap { fd00::2 : jump ingress6_" in text
    assert text.count("saddr fd00::/8") == 1


@pytest.mark.parametrize(
    ("policies", "told"),
    [
        ("ingress: [{ports: [{protocol: ICMP}]}]", "protocol 'ICMP' is none of TCP, UDP, SCTP"),
        ("ingress: [{from: [{}]}]", "none of ipBlock, namespaceSelector, podSelector"),
        ("ingress: [{from: [{ipBlock: {cidr: here}}]}]", "'here' does not appear to be"),
        ("podSelector: {matchExpressions: [{key: a, operator: Near}]}", "operator 'Near'"),
    ],
)
def test_what_the_api_does_not_know_names_the_policy(policies: str, told: str):
    with pytest.raises(BadObject, match=told) as raised:
        render(policies)
    assert "shop/policy-0" in str(raised.value)


@pytest.mark.parametrize(
    ("ranges", "merged"),
    [
        ([(80, 80)], [(80, 80)]),
        ([(80, 90), (85, 95)], [(80, 95)]),
        ([(81, 90), (70, 80)], [(70, 90)]),
        ([(80, 90), (82, 84), (92, 92)], [(80, 90), (92, 92)]),
    ],
)
def test_ranges_that_overlap_or_touch_are_one(ranges: list, merged: list):
    assert merge_ranges(ranges) == merged
