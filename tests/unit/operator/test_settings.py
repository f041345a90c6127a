"""The operator's settings: what they are without a word, and what is refused by name."""

import pytest

from serinus_operator.routing.model import Gateway
from serinus_operator.settings import SettingsError, read_settings


def test_without_a_word_it_serves_all_namespaces_on_the_platforms_gateway():
    found = read_settings({})
    assert (found.namespaces, found.gateway, found.port) == ((), Gateway("serinus-system", "serinus"), 8080)
    assert (found.lease_namespace, found.lease) == ("default", "serinus-operator")
    assert found.identity


def test_all_can_be_set():
    found = read_settings(
        {
            "POD_NAME": "one",
            "POD_NAMESPACE": "system",
            "SERINUS_LEASE": "lease",
            "SERINUS_GATEWAY": "edge/main",
            "SERINUS_WATCH_NAMESPACES": "b, a,b,",
            "SERINUS_METRICS_PORT": "9000",
        }
    )
    assert (found.identity, found.lease_namespace, found.lease) == ("one", "system", "lease")
    assert (found.gateway, found.namespaces, found.port) == (Gateway("edge", "main"), ("a", "b"), 9000)


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("SERINUS_GATEWAY", "serinus", "must be <namespace>/<name>"),
        ("SERINUS_GATEWAY", "/serinus", "must be <namespace>/<name>"),
        ("SERINUS_GATEWAY", "a/b/c", "must be <namespace>/<name>"),
        ("SERINUS_METRICS_PORT", "http", "'http' is no port"),
        ("SERINUS_METRICS_PORT", "0", "'0' is no port"),
        ("SERINUS_METRICS_PORT", "65536", "'65536' is no port"),
    ],
)
def test_what_cannot_be_is_refused_by_name(setting: str, value: str, words: str):
    with pytest.raises(SettingsError, match=f"^{setting}: ") as refused:
        read_settings({setting: value})
    assert words in str(refused.value)
