"""Story: a model is asked with a key of its namespace, and with no other."""

import base64
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
from tests.support.cluster import Cluster, Namespace, NotYet, until
from tests.support.cluster_echo import echo
from tests.support.cluster_gateway import CLIENT, IN_FORCE_SECONDS, KEY, KEYS, Team, admin_key, ask, key_of
from tests.support.cluster_models import MODELS, PREDICT, REQUEST

pytestmark = pytest.mark.cluster

CLIENTS = ["shop", "mobile"]


@pytest.fixture
def team(namespace: Namespace) -> Iterator[Team]:
    team = Team(namespace)
    yield team
    team.dismiss()


def answers(host: str, key: str | None, status: int, **headers: str) -> httpx.Response:
    """Wait until the gateway answers with `status`."""
    given = {} if key is None else {KEY: key}

    def look() -> httpx.Response:
        answer = ask(host, "/", headers={**given, **headers}, json={})
        if answer.status_code != status:
            raise NotYet(f"HTTP {answer.status_code} {answer.text[:200]}")
        return answer

    return until(f"{host} answers {status}", look, IN_FORCE_SECONDS, pause=0.1)


def test_only_keys_of_the_namespace_open_its_models(team: Team, figure: Callable[[str, str], None]):
    # Given a team with two clients, and a server behind its route
    team.govern(auth={"apiKeys": {"clients": CLIENTS, "existingAdminSecret": "serinus-admin-keys"}})
    host = team.route("echo", echo(team.namespace))
    shop, mobile = (key_of(team.cluster, team.namespace.name, client) for client in CLIENTS)
    # When a client asks with its key, then the server answers
    answers(host, shop, 200)
    # And it learns who asked, whatever the client says of itself, but not the key
    seen = {
        name.lower(): value
        for name, value in answers(host, mobile, 200, **{CLIENT: "admin"}).json()["headers"].items()
    }
    assert seen[CLIENT] == "mobile"
    assert KEY not in seen
    # And the administrator may ask too
    answers(host, admin_key(team.cluster), 200)
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
    answers(host, shop, 401)
    figure("seconds from revoking a key to its first refusal", f"{time.monotonic() - begun:.2f}")
    answers(host, mobile, 200)


def test_a_route_that_no_policy_names_is_the_administrators(team: Team):
    # Given a server behind a route without the label, in a namespace without policies
    host = team.route("echo", echo(team.namespace), labels={})
    # When the administrator asks, then it answers
    answers(host, admin_key(team.cluster), 200)
    # And nobody else passes
    for key in (None, key_of(team.cluster, MODELS)):
        answers(host, key, 401)


def test_the_platforms_own_model_takes_its_namespaces_key(cluster: Cluster):
    key = key_of(cluster, MODELS)
    host = f"iris-{MODELS}.example.com"
    assert ask(host, PREDICT, headers={KEY: key}, json=REQUEST).json()["predictions"] == ["setosa"]
    assert ask(host, PREDICT, json=REQUEST).status_code == 401
