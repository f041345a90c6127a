"""The route of a service through its life: positions, what is others', and when nothing is to be done."""

import copy

from hypothesis import given
from hypothesis import strategies as st
from tests.support.routing import GATEWAY, UID, applied, observed, routed, service, split

from serinus_operator.routing.decide import decide
from serinus_operator.routing.route import backends, held_slots

BOTH = {"stable": 1, "next": 1}


def test_a_service_alone_gets_all_and_can_be_chosen():
    route = routed(None, {"stable": 1})
    metadata, spec = route["metadata"], route["spec"]
    assert metadata["ownerReferences"][0]["uid"] == UID
    assert metadata["ownerReferences"][0]["blockOwnerDeletion"] is False
    assert metadata["labels"] == {"serinus.dev/route": "true"}
    assert spec["hostnames"] == ["churn-team.example.com"]
    assert [(each["namespace"], each["name"]) for each in spec["parentRefs"]] == [
        ("serinus-system", "serinus")
    ]
    assert [rule["name"] for rule in spec["rules"]] == ["serinus-split", "serinus-revision-stable"]
    assert split(route) == [("churn-predictor", 100)]


def test_each_arm_is_named_in_the_answer_and_can_be_chosen_whatever_its_weight():
    rules = routed({"next": 0}, {"stable": 1, "next": 0})["spec"]["rules"]
    named = [
        each["filters"][0]["responseHeaderModifier"]["set"][0]["value"] for each in rules[0]["backendRefs"]
    ]
    assert named == ["stable", "next"]
    chosen = {rule["matches"][0]["headers"][0]["value"]: rule["backendRefs"][0]["name"] for rule in rules[1:]}
    assert chosen == {"stable": "churn-predictor", "next": "churn-next-predictor"}
    assert all(rule["backendRefs"][0]["weight"] == 100 for rule in rules[1:])


def test_a_revision_keeps_its_slot_from_canary_to_stable_and_the_next_takes_the_free_one():
    first = routed({"next": 30}, BOTH)
    assert split(first) == [("churn-predictor", 70), ("churn-next-predictor", 30)]
    # Promoted: the survivor stays at 1, and a placeholder without traffic holds 0.
    promoted = routed(None, {"next": 1}, first, stable="next")
    assert split(promoted) == [("churn-next-predictor", 0), ("churn-next-predictor", 100)]
    assert held_slots(promoted) == {"next": 1}
    third = routed({"third": 10}, {"next": 1, "third": 1}, promoted, stable="next")
    assert split(third) == [("churn-third-predictor", 10), ("churn-next-predictor", 90)]
    # And back: what was rolled back leaves, and the survivor stays again.
    assert split(routed(None, {"next": 1}, third, stable="next")) == split(promoted)


def test_a_canary_whose_service_is_not_there_yet_is_not_in_the_route():
    assert split(routed({"next": 30}, {"stable": 1})) == [("churn-predictor", 100)]


def test_what_is_right_already_is_left_alone():
    route = routed({"next": 30}, BOTH)
    again = decide(observed(service({"next": 30}), BOTH, route))
    assert again.route is None
    assert again.condition.status
    assert again.backends == backends(route)


def test_a_weight_changed_by_hand_is_set_right():
    route = routed({"next": 30}, BOTH)
    changed = copy.deepcopy(route)
    changed["spec"]["rules"][0]["backendRefs"][1]["weight"] = 90
    assert routed({"next": 30}, BOTH, changed)["spec"] == route["spec"]


def test_what_others_put_on_the_route_is_kept():
    route = routed({"next": 30}, BOTH)
    mirror = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "shadow", "port": 80}}}
    own = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["cookie"]}}
    theirs = {"name": "docs", "matches": [{"path": {"type": "Exact", "value": "/x"}}], "backendRefs": []}
    nameless = {"matches": [{"path": {"type": "Exact", "value": "/y"}}], "backendRefs": []}
    changed = copy.deepcopy(route)
    rules = changed["spec"]["rules"]
    rules[0] |= {"filters": [mirror], "timeouts": {"request": "7s"}}
    rules[0]["backendRefs"][1]["filters"].append(own)
    changed["spec"]["rules"] = [theirs, *rules, nameless]
    changed["spec"]["hostnames"].append("churn.example.org")
    changed["spec"]["parentRefs"].append({**changed["spec"]["parentRefs"][0], "name": "inner"})
    kept = routed({"next": 40}, BOTH, changed)["spec"]
    # Ours come first again: Envoy's counters are named after positions.
    assert [rule.get("name") for rule in kept["rules"]] == [
        "serinus-split", "serinus-revision-stable", "serinus-revision-next", "docs", None,
    ]  # fmt: skip
    assert kept["rules"][0]["filters"] == [mirror]
    assert kept["rules"][0]["timeouts"] == {"request": "7s"}
    assert kept["rules"][0]["backendRefs"][1]["filters"][-1] == own
    assert kept["rules"][0]["backendRefs"][1]["weight"] == 40
    assert kept["hostnames"] == ["churn-team.example.com", "churn.example.org"]
    # But not another way in: the policies stand at the platform's.
    assert kept["parentRefs"] == route["spec"]["parentRefs"]


names = st.lists(st.sampled_from("abcd"), unique=True, max_size=3)


@given(st.lists(st.tuples(names, st.sets(st.sampled_from("abcd"))), min_size=1, max_size=8))
def test_over_any_history_survivors_keep_their_place_and_a_second_look_changes_nothing(history):
    route = None
    for canaries, ready in history:
        asked = dict.fromkeys(canaries, 20)
        present = {"stable": 1} | {name: int(name in ready) for name in canaries}
        before = held_slots(route)
        route = routed(asked, present, route)
        after = held_slots(route)
        assert set(after) == {"stable", *canaries}
        assert len(set(after.values())) == len(after)
        assert all(after[name] == slot for name, slot in before.items() if name in after)
        assert sum(weight for _, weight in split(route)) == 100
        again = decide(observed(service(asked), present, route))
        assert again.route is None
        assert applied(again, route) == route
        # Each place is the one that the route really has.
        for each in backends(route):
            reference = route["spec"]["rules"][each.rule]["backendRefs"][each.backend]
            assert reference["weight"] == each.weight
        assert route["spec"]["parentRefs"][0]["name"] == GATEWAY.name
