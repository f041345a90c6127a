"""Story: a team takes tokens of an issuer instead of keys."""

import json
import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from tests.support.cluster import Namespace, NotYet, until
from tests.support.cluster_echo import echo
from tests.support.cluster_gateway import CLIENT, IN_FORCE_SECONDS, Team, ask

pytestmark = pytest.mark.cluster

ISSUER, AUDIENCE, NUMBER = "https://tokens.example.com", "models", "e2e"
HOUR = 3600


class Issuer:
    """Signs tokens with a key of its own."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def keys(self) -> str:
        """Return what it publishes."""
        public = json.loads(RSAAlgorithm.to_jwk(self._key.public_key()))
        return json.dumps({"keys": [{**public, "kid": NUMBER, "use": "sig", "alg": "RS256"}]})

    def token(self, **claims: Any) -> str:
        """Return a token that is valid for an hour where `claims` say nothing else."""
        given = {"iss": ISSUER, "aud": AUDIENCE, "sub": "shop", "exp": int(time.time()) + HOUR, **claims}
        return jwt.encode(given, self._key, algorithm="RS256", headers={"kid": NUMBER})


@pytest.fixture
def team(namespace: Namespace) -> Iterator[Team]:
    team = Team(namespace)
    yield team
    team.dismiss()


def status(host: str, token: str | None) -> tuple[int, dict[str, str]]:
    """Return the gateway's status and the headers that the server saw."""
    answer = ask(host, "/", headers={"authorization": f"Bearer {token}"} if token else {}, json={})
    seen = answer.json()["headers"] if answer.status_code == 200 else {}
    return answer.status_code, {name.lower(): value for name, value in seen.items()}


def test_tokens_that_name_the_namespace_open_its_models(team: Team):
    # Given a team that takes the tokens of one issuer, and a server behind its route
    issuer, stranger = Issuer(), Issuer()
    tokens = {"issuer": ISSUER, "audiences": [AUDIENCE], "jwks": issuer.keys()}
    team.govern(auth={"type": "jwt", "jwt": tokens})
    host = team.route("echo", echo(team.namespace))
    mine = team.namespace.name
    good = issuer.token(namespaces=["another", mine])

    def passes() -> dict[str, str]:
        code, seen = status(host, good)
        if code != 200:
            raise NotYet(f"HTTP {code}")
        return seen

    # When a client comes with a token that names the namespace, then the server answers and learns who asks
    assert until("a good token passes", passes, IN_FORCE_SECONDS)[CLIENT] == "shop"
    # And a token for every namespace passes
    assert status(host, issuer.token(namespaces=["*"]))[0] == 200
    # And every other is refused: as no proof at all, or as a proof of the wrong thing
    refused = {
        "none": (None, 401),
        "no token": ("wrong", 401),
        "expired": (issuer.token(namespaces=[mine], exp=int(time.time()) - HOUR), 401),
        "not valid yet": (issuer.token(namespaces=[mine], nbf=int(time.time()) + HOUR), 401),
        "another issuer": (issuer.token(namespaces=[mine], iss="https://else.example.com"), 401),
        "another's signature": (stranger.token(namespaces=[mine]), 401),
        "for another audience": (issuer.token(namespaces=[mine], aud="shop"), 403),
        "unsigned": (jwt.encode({"iss": ISSUER, "aud": AUDIENCE, "namespaces": [mine]}, None, "none"), 401),
        "another team's": (issuer.token(namespaces=["serinus-models"]), 403),
        "of no team": (issuer.token(), 403),
    }
    assert {why: status(host, token)[0] for why, (token, _) in refused.items()} == {
        why: code for why, (_, code) in refused.items()
    }
    # And the server saw nothing but what passed
    assert status(host, good)[0] == 200
