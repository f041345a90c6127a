"""Envoy's configuration as data."""

from pathlib import Path

import pytest

from serinus_local.envoy_config import Backend, bootstrap, clusters, routes

OLD, NEW = Backend("aaa", 1001, 90), Backend("bbb", 1002, 10)


def weighted(backends: dict[int, Backend]) -> list[dict]:
    [configuration] = routes(backends, 3)["resources"]
    [host] = configuration["virtual_hosts"]
    return host["routes"][0]["route"]["weighted_clusters"]["clusters"]


def test_each_slot_carries_its_weight_and_its_revision():
    named = [
        (each["name"], each["weight"], each["response_headers_to_add"][0]["header"]["value"])
        for each in weighted({0: OLD, 1: NEW})
    ]
    assert named == [("slot-0", 90, "aaa"), ("slot-1", 10, "bbb")]


def test_weight_zero_is_not_routed_at_all():
    assert [each["name"] for each in weighted({0: Backend("aaa", 1, 0), 1: Backend("bbb", 2, 100)})] == [
        "slot-1"
    ]


@pytest.mark.parametrize("weights", [(50, 49), (0, 0), (110, -10)])
def test_weights_that_are_no_split_are_refused(weights):
    backends = {slot: Backend("aaa", 1, weight) for slot, weight in enumerate(weights)}
    with pytest.raises(ValueError, match="sum to 100"):
        routes(backends, 1)


def test_nothing_retries_and_every_address_is_loopback():
    documents = [
        bootstrap(Path("/etc/serinus"), port=1, admin_port=2),
        clusters({0: OLD, 1: NEW}, 1),
        routes({0: OLD, 1: NEW}, 1),
    ]
    text = str(documents)
    assert "retry" not in text
    assert text.count("'address': '127.0.0.1'") == text.count("port_value") == 4
