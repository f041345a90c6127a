"""Story: a model is asked with a key of its namespace, and with no other."""

import base64
import secrets
import time
from collections.abc import Callable, Iterator

import pytest
from tests.support.cluster import Cluster, Namespace
from tests.support.cluster_echo import echo
from tests.support.cluster_gateway import CLIENT, KEY, KEYS, Team, admin_key, answers, ask, key_of
from tests.support.cluster_models import MODELS, PREDICT, REQUEST

pytestmark = pytest.mark.cluster

CLIENTS = ["shop", "mobile"]


@pytest.fixture
def team(namespace: Namespace) -> Iterator[Team]:
    team = Team(namespace)
    yield team
    team.dismiss()


def test_only_keys_of_the_namespace_open_its_models(team: Team, figure: Callable[[str, str], None]):
    # Given a team with two clients, and a server behind its route
    team.govern(auth={"apiKeys": {"clients": CLIENTS, "existingAdminSecret": "serinus-admin-keys"}})
    host = team.route("echo", echo(team.namespace))
    shop, mobile = (key_of(team.cluster, team.namespace.name, client) for client in CLIENTS)
    # When a client asks with its key, then the server answers
    answers(host, 200, headers={KEY: shop})
    # And it learns who asked, whatever the client says of itself, but not the key
    seen = {
        name.lower(): value
        for name, value in answers(host, 200, headers={KEY: mobile, CLIENT: "admin"})
        .json()["headers"]
        .items()
    }
    assert seen[CLIENT] == "mobile"
    assert KEY not in seen
    # And the administrator may ask too
    answers(host, 200, headers={KEY: admin_key(team.cluster)})
    # And a missing key, a wrong one and another team's are refused, in the servers' own words
    for key in (None, "", "wrong", f"{shop}x", key_of(team.cluster, MODELS)):
        refused = ask(host, "/", headers={} if key is None else {KEY: key}, json={})
        assert refused.status_code == 401, key
        assert refused.headers["content-type"] == "application/json"
        assert "no key of a client of this model" in refused.json()["error"]
    # And a key of this team opens no other team's model
    other = f"iris-{MODELS}.example.com"
    assert ask(other, PREDICT, headers={KEY: shop}, json=REQUEST).status_code == 401
    assert ask(other, PREDICT, headers={KEY: key_of(team.cluster, MODELS)}, json=REQUEST).status_code == 200
    # And when a key is revoked, it is refused from then on, and the other one is not
    found = team.namespace.get("v1", "Secret", KEYS)
    assert found is not None
    kept = {"mobile": base64.b64encode(mobile.encode()).decode()}
    revoked = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": KEYS}, "data": kept}
    begun = time.monotonic()
    team.namespace.apply(revoked)
    answers(host, 401, headers={KEY: shop})
    figure("seconds from revoking a key to its first refusal", f"{time.monotonic() - begun:.2f}")
    answers(host, 200, headers={KEY: mobile})
    # And when a key is changed, the new one is taken instead of the old one
    changed = secrets.token_hex(16)
    team.namespace.apply({**revoked, "data": {"mobile": base64.b64encode(changed.encode()).decode()}})
    answers(host, 200, headers={KEY: changed})
    answers(host, 401, headers={KEY: mobile})


def test_a_route_that_no_policy_names_is_the_administrators(team: Team):
    # Given a server behind a route without the label, in a namespace without policies
    host = team.route("echo", echo(team.namespace), labels={})
    # When the administrator asks, then it answers
    answers(host, 200, headers={KEY: admin_key(team.cluster)})
    # And nobody else passes
    for given in ({}, {KEY: key_of(team.cluster, MODELS)}):
        answers(host, 401, headers=given)


def test_the_platforms_own_model_takes_its_namespaces_key(cluster: Cluster):
    key = key_of(cluster, MODELS)
    host = f"iris-{MODELS}.example.com"
    assert ask(host, PREDICT, headers={KEY: key}, json=REQUEST).json()["predictions"] == ["setosa"]
    assert ask(host, PREDICT, json=REQUEST).status_code == 401
