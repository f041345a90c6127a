"""Story: a second entrance beside the platform's: it redirects, has its own certificate and asks nobody."""

from typing import Any

import httpx
import pytest
from tests.support.cluster import Namespace, until
from tests.support.cluster_authority import Authority
from tests.support.cluster_echo import echo
from tests.support.cluster_gateway import (
    CLIENT,
    KEY,
    Team,
    admin_key,
    answers,
    ask,
    authority,
    entrance_values,
    key_of,
    ways_of,
)
from tests.support.cluster_models import MODELS, PREDICT, REQUEST
from tests.support.cluster_release import Release

pytestmark = [pytest.mark.cluster, pytest.mark.full, pytest.mark.timeout(300)]

PORT = 8443


def test_a_second_entrance_redirects_and_asks_as_its_own_values_say(
    namespace: Namespace, neighbour: Namespace, release: Release
):
    # Given a release of which port 80 redirects, with somebody's certificate, open to anybody
    trusted = Authority(namespace).certificate("own-tls", "example.com", "*.example.com")["ca.crt"]
    values = entrance_values(
        neighbour.name, gateway={"service": {"type": "NodePort"}, "https": {"externalPort": PORT}}
    )
    own: dict[str, Any] = {"tls": {"existingSecret": "own-tls"}}
    release.install(values, {"serving": {**own, "auth": {"type": "none"}}})
    gateway = (namespace.name, release.name)
    ways = until("the second Gateway is there", lambda: ways_of(namespace.cluster, *gateway), 60)
    host = Team(neighbour, gateway).route("echo", echo(neighbour))
    # When a prediction is asked in clear text, then the client is sent on with method and body
    sent = answers(host, 308, path="/predict?trace=1", ways=ways)
    assert sent.headers["location"] == f"https://{host}:{PORT}/predict?trace=1"
    # And there it is answered without a key, and what it says of itself does not reach the server
    given = {CLIENT: "admin", "x-own": "kept"}
    got = answers(host, 200, ways=ways, trusting=trusted, headers=given)
    seen = {name.lower() for name in got.json()["headers"]}
    assert "x-own" in seen
    assert CLIENT not in seen
    # And the certificate is not the platform's
    with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
        ask(host, "/", ways=ways, trusting=authority(namespace.cluster), json={})
    # And the platform's own entrance does not know the host
    assert ask(host, "/", headers={KEY: admin_key(namespace.cluster)}, json={}).status_code == 404
    # When the release asks for keys from now on
    release.install(values, {"serving": own})
    key = key_of(namespace.cluster, neighbour.name)
    # Then there is no answer without one, and the redirect asks nobody
    answers(host, 401, "no key of a client", ways=ways, trusting=trusted)
    answers(host, 200, ways=ways, trusting=trusted, headers={KEY: key})
    answers(host, 308, ways=ways)
    # And a route that found its way to the redirect's port is not open there
    lone = Team(namespace, gateway).route("lone", echo(namespace), labels={})
    answers(lone, 401, "no key of a client", ways=ways)
    mine = release.secret("serinus-admin-keys")["admin"]
    answers(lone, 200, ways=ways, headers={KEY: mine})
    # And each entrance has keys of its own
    iris = f"iris-{MODELS}.example.com"
    assert ask(iris, PREDICT, headers={KEY: mine}, json=REQUEST).status_code == 401
    assert (
        ask(iris, PREDICT, headers={KEY: key_of(namespace.cluster, MODELS)}, json=REQUEST).status_code == 200
    )
    theirs = ask(host, "/", ways=ways, trusting=trusted, headers={KEY: admin_key(namespace.cluster)}, json={})
    assert theirs.status_code == 401
