"""Which situation: the user's word first, else what the registries answer."""

import pytest

from serinus_cluster.situation import Decision, Probe, Situation, UnknownSituation, asked, decide

YES, NO = Probe("docker.io", True, "HTTP 401"), Probe("registry.k8s.io", False, "ConnectError within 4 s")


@pytest.mark.parametrize(
    ("option", "environment", "expected"),
    [
        (None, None, None),
        ("auto", None, None),
        ("auto", "", None),
        ("auto", "auto", None),
        ("online", None, Decision(Situation.ONLINE, "--situation says so")),
        ("airgap", "online", Decision(Situation.AIRGAP, "--situation says so")),
        ("auto", "online", Decision(Situation.ONLINE, "SERINUS_SITUATION says so")),
    ],
)
def test_the_users_word_counts_and_the_option_before_the_variable(option, environment, expected):
    assert asked(option, environment) == expected


@pytest.mark.parametrize(
    ("option", "environment", "source"),
    [("offline", None, "--situation"), ("auto", "Online", "SERINUS_SITUATION")],
)
def test_an_unknown_word_is_answered_with_the_known_ones(option, environment, source):
    with pytest.raises(UnknownSituation, match=f"{source} is .*; it may be online, airgap or auto"):
        asked(option, environment)


@pytest.mark.parametrize(
    ("probes", "situation", "reason"),
    [
        ([YES], Situation.ONLINE, "docker.io answer"),
        ([YES, Probe("quay.io", True, "HTTP 200")], Situation.ONLINE, "docker.io and quay.io answer"),
        # One that is silent would stop a pull half way.
        ([YES, NO], Situation.AIRGAP, "registry.k8s.io cannot be reached (ConnectError within 4 s)"),
        ([NO, Probe("docker.io", False, "HTTP 503")], Situation.AIRGAP, "registry.k8s.io cannot be reached"),
    ],
)
def test_online_only_where_every_registry_answers(probes, situation, reason):
    decision = decide(probes)
    assert decision.situation is situation
    assert decision.reason.startswith(reason)
